"""Pruning: schedules, masks per layer and global, the callback, bad input. Whole networks are in test_clustering."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from networks import array, dense
from round_trips import outputs, saved_and_loaded, steps

from coursekit import compression as cc
from coursekit.compression.pruning import _largest
from coursekit.compression.sparsity import keep_largest, keep_m_by_n, lamp_scores
from coursekit.compression.wrapper import wrappers_in
from coursekit.errors import CompressionError


def network():
    """Two dense layers, the weights of the second ten times as large."""
    keras.utils.set_random_seed(0)
    model = dense(20, 5, inputs=10)
    kernel, bias = model.layers[1].get_weights()
    model.layers[1].set_weights([kernel * 10, bias])
    model.compile("sgd", "mse")
    model.run_eagerly = True
    return model


def trained(model, schedule, steps, **settings):
    pruned = cc.prune_low_magnitude(model, schedule, **settings)
    pruned.run_eagerly = True
    x, y = np.ones((4 * steps, 10), "float32"), np.zeros((4 * steps, 5), "float32")
    pruned.fit(x, y, batch_size=4, verbose=0, callbacks=[cc.UpdatePruningStep()])
    return pruned


def shares(model):
    """The share of zeros in each kernel."""
    return [float((layer.get_weights()[0] == 0).mean()) for layer in model.layers]


def test_constant_sparsity_prunes_from_the_first_batch_on():
    schedule = cc.ConstantSparsity(0.6, begin_step=0, frequency=1000)
    assert shares(cc.strip_pruning(trained(network(), schedule, steps=1))) == [0.6, 0.6]


def test_nothing_is_pruned_before_it_begins_or_after_it_ends():
    schedule = cc.ConstantSparsity(0.6, begin_step=3, end_step=5, frequency=2)
    assert [schedule(step)[0] for step in range(8)] == [False, False, False, True, False, True, False, False]
    assert shares(cc.strip_pruning(trained(network(), schedule, steps=3))) == [0, 0]


def test_polynomial_decay_is_zhu_and_guptas_formula():
    schedule = cc.PolynomialDecay(0.1, 0.9, begin_step=10, end_step=110, frequency=30)
    for step in (10, 40, 70, 100):
        assert schedule(step) == (True, pytest.approx(0.9 - 0.8 * (1 - (step - 10) / 100) ** 3))
    assert schedule(0) == (False, pytest.approx(0.1)) and schedule(110) == (True, pytest.approx(0.9))
    assert not schedule(109)[0] and not schedule(111)[0]


def test_schedules_are_tfmots_at_every_step():
    tfmot = pytest.importorskip("tensorflow_model_optimization", reason="compares with tensorflow-model-optimization")
    pairs = [
        (name, arguments)
        for name, arguments in (
            ("ConstantSparsity", {"target_sparsity": 0.4, "begin_step": 2, "end_step": 20, "frequency": 3}),
            (
                "PolynomialDecay",
                {"initial_sparsity": 0.1, "final_sparsity": 0.8, "begin_step": 2, "end_step": 20, "frequency": 6},
            ),
        )
    ]
    for name, arguments in pairs:
        ours, theirs = getattr(cc, name)(**arguments), getattr(tfmot.sparsity.keras, name)(**arguments)
        for step in range(30):
            due, share = theirs(step)
            assert ours(step) == (bool(due), pytest.approx(float(share), abs=1e-6))


def test_globally_the_small_weights_go_wherever_they_are():
    schedule = cc.ConstantSparsity(0.5, 0)
    first, second = shares(cc.strip_pruning(trained(network(), schedule, steps=1, per_layer=False)))
    assert first > 0.55 and second < 0.3
    assert first * 200 + second * 100 == pytest.approx(150)


def test_by_lamp_scores_no_layer_pays_for_the_size_of_its_weights():
    """Ten times as large weights have the same scores, and the chosen ones are those of the paper's formula."""
    schedule, model = cc.ConstantSparsity(0.5, 0), network()
    pruned = trained(model, schedule, steps=1, per_layer=False, score="lamp")
    small, large = (wrapper.masks[0] for wrapper in wrappers_in(pruned))
    kernels = [layer.get_weights()[0] for layer in model.layers]
    expected = keep_largest([lamp_scores(kernel) for kernel in kernels], 0.5)
    assert np.array_equal(array(small), expected[0]) and np.array_equal(array(large), expected[1])
    by_magnitude = shares(cc.strip_pruning(trained(network(), schedule, steps=1, per_layer=False)))
    assert abs(array(small).mean() - array(large).mean()) < abs(by_magnitude[0] - by_magnitude[1])
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(wrappers_in(pruned)[0]))
    assert (again.score, again.per_layer) == ("lamp", False)


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=12), min_size=1, max_size=3),
    st.floats(0, 1, exclude_max=True),
)
def test_the_largest_are_kept_as_many_as_asked_and_one_in_each(arrays, share):
    arrays = [np.array(sizes) for sizes in arrays]
    kept = _largest(arrays, share)
    total = sum(sizes.size for sizes in arrays)
    number = sum(int(part.sum()) for part in kept)
    assert max(round(total * (1 - share)), 1) <= number <= max(round(total * (1 - share)), 1) + len(arrays) - 1
    for sizes, part in zip(arrays, kept, strict=True):
        assert part.any() and part[sizes.argmax()]
    if len(arrays) == 1 and not kept[0].all():
        assert arrays[0][kept[0]].min() >= arrays[0][~kept[0]].max()


def test_a_pruned_weight_gets_no_gradient_and_may_come_back():
    pruned = trained(network(), cc.ConstantSparsity(0.5, 0, frequency=1), steps=1)
    wrapper = wrappers_in(pruned)[0]
    mask, kernel = array(wrapper.masks[0]), array(wrapper.layer.kernel)
    wrapper.pruning_schedule = cc.ConstantSparsity(0.5, 0, end_step=0)
    pruned.fit(np.ones((8, 10)), np.ones((8, 5)), verbose=0)  # no callback: the masks stay
    changed = array(wrapper.layer.kernel) != kernel
    assert not changed[mask == 0].any() and changed[mask == 1].any()
    assert np.array_equal(array(wrapper.masks[0]), mask)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras makes one step at a time on PyTorch")
def test_several_steps_at_once_are_counted_and_none_is_missed():
    pruned = cc.prune_low_magnitude(network(), cc.PolynomialDecay(0.2, 0.6, begin_step=1, end_step=3, frequency=1))
    pruned.compile("sgd", "mse", steps_per_execution=4)
    pruned.fit(np.ones((32, 10)), np.ones((32, 5)), batch_size=4, verbose=0, callbacks=[cc.UpdatePruningStep()])
    assert int(array(wrappers_in(pruned)[0].pruning_step)) == 8
    assert shares(cc.strip_pruning(pruned)) == [0.6, 0.6]


def test_a_loop_of_ones_own_calls_the_callback():
    pruned = cc.prune_low_magnitude(network(), cc.ConstantSparsity(0.5, 0))
    steps = cc.UpdatePruningStep()
    steps.set_model(pruned)
    steps.on_train_begin()
    for batch in range(3):
        steps.on_train_batch_begin(batch)
        steps.on_train_batch_end(batch)
    steps.on_train_end()
    assert int(array(wrappers_in(pruned)[0].pruning_step)) == 3
    assert shares(cc.strip_pruning(pruned)) == [0.5, 0.5]


def counted(model):
    return [int(array(wrapper.pruning_step)) for wrapper in wrappers_in(model)]


def fitted(model, batches, *before, after=(), epochs=1):
    """Train, with callbacks before UpdatePruningStep and after it."""
    x, y = np.ones((4 * batches, 10), "float32"), np.zeros((4 * batches, 5), "float32")
    callbacks = [*before, cc.UpdatePruningStep(), *after]
    model.fit(x, y, batch_size=4, epochs=epochs, verbose=0, shuffle=False, callbacks=callbacks)


@pytest.mark.parametrize("often", ["epoch", 3])
@pytest.mark.parametrize("first", [True, False])
def test_a_checkpoint_has_the_count_wherever_it_stands_among_the_callbacks(often, first, tmp_path):
    pruned = cc.prune_low_magnitude(network(), cc.PolynomialDecay(0, 0.8, 0, 20, frequency=1))
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "model.keras", save_freq=often)
    fitted(pruned, 5, *([checkpoint] if first else []), after=[] if first else [checkpoint])
    assert counted(keras.models.load_model(tmp_path / "model.keras")) == [5 if often == "epoch" else 3] * 2


class Rising(keras.callbacks.Callback):
    """A loss that is lowest after the first epoch."""

    def on_epoch_end(self, epoch, logs=None):
        logs["rising"] = epoch


@pytest.mark.parametrize("first", [True, False])
def test_early_stopping_brings_back_the_count_of_its_best_epoch(first):
    pruned = cc.prune_low_magnitude(network(), cc.PolynomialDecay(0, 0.8, 0, 20, frequency=1))
    stop = keras.callbacks.EarlyStopping("rising", mode="min", patience=1, restore_best_weights=True)
    fitted(pruned, 5, Rising(), *([stop] if first else []), after=[] if first else [stop], epochs=4)
    assert counted(pruned) == [5, 5]


class StopAt(keras.callbacks.Callback):
    """Ctrl-C at a step."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        if int(array(self.model.optimizer.iterations)) == self.step:
            raise KeyboardInterrupt


@pytest.mark.parametrize("first", [True, False])
def test_training_that_was_stopped_goes_on_counting(first, tmp_path):
    def pruned():
        return cc.prune_low_magnitude(network(), cc.PolynomialDecay(0, 0.8, 0, 20, frequency=1))

    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path / "backup", save_freq=2)

    stopped, again = pruned(), pruned()
    with pytest.raises(KeyboardInterrupt):
        fitted(stopped, 4, epochs=3, after=[backup(), StopAt(6)])
    fitted(stopped, 4)
    assert counted(stopped) == [10, 10]
    fitted(again, 4, *([backup()] if first else []), epochs=3, after=[] if first else [backup()])
    assert counted(again) == [int(array(again.optimizer.iterations))] * 2


def test_without_the_callback_training_says_so():
    pruned = cc.prune_low_magnitude(network())
    outputs(pruned, np.ones((2, 10)))  # to look is allowed
    with pytest.raises(CompressionError, match="UpdatePruningStep"):
        pruned(np.ones((2, 10)), training=True)
    with pytest.raises(CompressionError, match="found no pruned layer"):
        network().fit(np.ones((4, 10)), np.ones((4, 5)), verbose=0, callbacks=[cc.UpdatePruningStep()])


# --- patterns and blocks ---------------------------------------------------------------------------------------------
def small_convolutional():
    """A convolution of 5 channels and a dense layer of 12 inputs: the pattern doesn't divide the first."""
    keras.utils.set_random_seed(0)
    some = [keras.Input((4, 3, 5)), layers.Conv2D(6, 3, name="window"), layers.Flatten(), layers.Dense(3, name="last")]
    model = keras.Sequential(some)
    model.compile("sgd", "mse")
    return model


def zeros_in_groups(kernel, n):
    """How many zeros there are in each n consecutive weights along the second last axis: a list of arrays."""
    return [(kernel[..., start : start + n, :] == 0).sum(axis=-2) for start in range(0, kernel.shape[-2], n)]


def test_a_model_fitted_and_stripped_has_the_pattern_exactly(tmp_path):
    model = small_convolutional()
    pruned = cc.prune_low_magnitude(model, sparsity_m_by_n=(2, 4))
    x, y = np.random.default_rng(0).normal(size=(12, 4, 3, 5)), np.ones((12, 3))
    pruned.fit(x, y, batch_size=4, verbose=0, callbacks=[cc.UpdatePruningStep()])
    plain = cc.strip_pruning(pruned)
    window, last = (plain.get_layer(name).get_weights()[0] for name in ("window", "last"))
    four, one = zeros_in_groups(window, 4)
    assert (four == 2).all() and (one == 0).all()  # the fifth channel is a group of its own
    assert len(last) == 12 and all((zeros == 2).all() for zeros in zeros_in_groups(last, 4))
    cc.save_compressed(plain, tmp_path / "small.ckw")
    again = cc.load_compressed(tmp_path / "small.ckw")
    assert all(np.array_equal(a, b) for a, b in zip(again.get_weights(), plain.get_weights(), strict=True))


def test_the_schedule_says_when_the_pattern_is_chosen():
    pruned = cc.prune_low_magnitude(network(), cc.PolynomialDecay(0, 0.5, 2, 4, frequency=2), sparsity_m_by_n=(2, 4))
    kernel, mask = wrappers_in(pruned)[0].changed_variables[0], wrappers_in(pruned)[0].masks[0]
    steps(pruned, 2)
    assert array(mask).all()
    steps(pruned, 1)  # the share is still 0, and the pattern is whole
    assert np.array_equal(array(mask), keep_m_by_n(array(kernel), (2, 4)))
    kernel.assign(array(kernel)[::-1])
    steps(pruned, 1)
    assert not np.array_equal(array(mask), keep_m_by_n(array(kernel), (2, 4)))  # not due
    steps(pruned, 1)
    assert np.array_equal(array(mask), keep_m_by_n(array(kernel), (2, 4)))


def test_without_a_schedule_the_share_is_the_patterns():
    (wrapper, _) = wrappers_in(cc.prune_low_magnitude(network(), sparsity_m_by_n=[3, 4]))
    assert wrapper.pruning_schedule.get_config() == cc.ConstantSparsity(0.75, 0).get_config()
    cc.prune_low_magnitude(network(), cc.ConstantSparsity(0.33, 0), sparsity_m_by_n=(1, 3))  # two digits are enough
    cc.prune_low_magnitude(network(), lambda step: (step == 0, 0.1), sparsity_m_by_n=(1, 3))  # nobody knows its last


@pytest.mark.parametrize(
    ("make", "shape", "axes"),
    [
        (lambda: layers.Dense(4), (8,), [0]),
        (lambda: layers.Conv1D(4, 3), (9, 8), [1]),
        (lambda: layers.Conv2D(4, (3, 2), groups=2), (9, 9, 8), [2]),
        (lambda: layers.Conv3D(4, 2), (5, 5, 5, 8), [3]),
        (lambda: layers.SeparableConv2D(4, 3), (9, 9, 8), [2]),
        (lambda: layers.Conv1DTranspose(4, 3), (9, 8), [2]),
        (lambda: layers.Conv2DTranspose(4, 3), (9, 9, 8), [3]),
        (lambda: layers.Conv3DTranspose(4, 2), (5, 5, 5, 8), [4]),
        (lambda: layers.LSTM(4), (9, 8), [0, 0]),
        (lambda: layers.Bidirectional(layers.GRU(4)), (9, 8), [0] * 4),
        (lambda: layers.EinsumDense("ab,cb->ac", 4), (8,), [1]),
        (lambda: layers.EinsumDense("ab,bcd->acd", (2, 4)), (8,), [0]),
        (lambda: layers.EinsumDense("...a,ab->...b", 4), (3, 8), [0]),
        (lambda: layers.SpectralNormalization(layers.Dense(4)), (8,), [0]),
    ],
)
def test_the_pattern_lies_along_the_inputs(make, shape, axes):
    keras.utils.set_random_seed(0)
    layer = make()
    layer.build((None, *shape))
    wrapper = cc.prune_low_magnitude(layer, sparsity_m_by_n=(2, 4))
    found = [axis % len(kernel.shape) for axis, kernel in zip(wrapper.input_axes, wrapper.masks, strict=True)]
    assert found == axes


def test_in_attention_the_pattern_lies_along_what_is_summed_over():
    x = keras.Input((5, 8))
    model = keras.Model(x, layers.MultiHeadAttention(2, 4, name="attention")(x, x))
    pruned = cc.prune_low_magnitude(model, sparsity_m_by_n=(2, 4))
    steps(pruned, 1)
    (wrapper,) = wrappers_in(pruned)
    shapes = [tuple(mask.shape) for mask in wrapper.masks]
    assert shapes == [(8, 2, 4)] * 3 + [(2, 4, 8)]  # width, heads, size; and back
    for axis, mask in zip((0, 0, 0, 1), wrapper.masks, strict=True):
        groups = np.split(np.moveaxis(array(mask), axis, 0), mask.shape[axis] // 4)
        assert all((group.sum(axis=0) == 2).all() for group in groups)


@pytest.mark.parametrize("pooling", ["AVG", "MAX"])
def test_blocks_stay_or_go_as_one(pooling):
    model = network()
    schedule = cc.ConstantSparsity(0.6, 0, end_step=0)
    pruned = trained(model, schedule, steps=2, block_size=(2, 5), block_pooling_type=pooling)
    plain = cc.strip_pruning(pruned)
    for layer, before in zip(plain.layers, model.layers, strict=True):
        rows, columns = before.kernel.shape
        sizes, gone = (
            np.reshape(kernel, (rows // 2, 2, columns // 5, 5)).swapaxes(1, 2).reshape(-1, 10)
            for kernel in (np.abs(before.get_weights()[0]), layer.get_weights()[0] == 0)
        )  # (blocks, weights of a block)
        assert np.array_equal(gone.all(axis=1), gone.any(axis=1)) and gone.mean() == pytest.approx(0.6)
        pooled = sizes.mean(axis=1) if pooling == "AVG" else sizes.max(axis=1)
        assert pooled[gone[:, 0]].max() < pooled[~gone[:, 0]].min()


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 12), st.integers(1, 12), st.floats(0, 0.95))
def test_of_blocks_the_schedules_share_goes_and_one_stays(height, width, share):
    layer = layers.Dense(7)
    layer.build((None, 9))
    layer.kernel.assign(np.arange(63).reshape(9, 7) % 5 - 2)  # with ties
    wrapper = cc.prune_low_magnitude(layer, cc.ConstantSparsity(share, 0), block_size=(height, width))
    steps(keras.Sequential([wrapper]), 1)
    corners = array(wrapper.masks[0])[::height, ::width]
    assert corners.sum() == max(round(corners.size * (1 - share)), 1)
    assert np.array_equal(np.kron(corners, np.ones((height, width)))[:9, :7], array(wrapper.masks[0]))


@pytest.mark.parametrize(
    "arguments",
    [
        {"sparsity_m_by_n": (1, 3), "pruning_schedule": cc.ConstantSparsity(1 / 3, 0, frequency=3)},
        {
            "block_size": (2, 3),
            "block_pooling_type": "MAX",
            "pruning_schedule": cc.PolynomialDecay(0.2, 0.6, 0, 4, frequency=2),
        },
    ],
)
def test_saved_half_way_and_loaded_it_goes_on(arguments, tmp_path):
    whole = cc.prune_low_magnitude(network(), **arguments)
    half = cc.prune_low_magnitude(network(), **arguments)
    steps(half, 2)
    loaded = saved_and_loaded(half, tmp_path / "half.keras")
    for one in (loaded, whole):
        for wrapper in wrappers_in(one):  # as if training had changed the weights
            wrapper.changed_variables[0].assign(array(wrapper.changed_variables[0])[::-1])
    steps(loaded, 3), steps(whole, 5)
    x = np.ones((2, 10))
    assert np.array_equal(outputs(loaded, x), outputs(whole, x))
    for ours, theirs, before in zip(*map(wrappers_in, (loaded, whole, half)), strict=True):
        assert np.array_equal(array(ours.masks[0]), array(theirs.masks[0])) and not array(ours.masks[0]).all()
        for name in ("pruning_schedule", "sparsity_m_by_n", "block_size", "block_pooling_type"):
            assert ours.get_config().get(name) == before.get_config().get(name)
            assert (ours.get_config().get(name) is not None) == (name in arguments)
    assert shares(cc.strip_pruning(loaded)) == shares(cc.strip_pruning(whole))


def test_without_the_new_arguments_the_configuration_is_as_it_was():
    """So files of older versions load, and older versions load what has no pattern."""
    (wrapper, _) = wrappers_in(cc.prune_low_magnitude(network(), cc.ConstantSparsity(0.5, 0)))
    config = wrapper.get_config()
    assert not {"sparsity_m_by_n", "block_size", "block_pooling_type"} & set(config)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(wrapper))
    assert (again.sparsity_m_by_n, again.block_size, again.block_pooling_type) == (None, (1, 1), "AVG")


def tfmots_mask(kernel, step=1, share=0.5, block_size=(1, 1), pooling="AVG", m_by_n=None):
    """The mask that tensorflow-model-optimization chooses: an array shaped like the kernel."""
    reason = "compares with tensorflow-model-optimization"
    tfmot = pytest.importorskip("tensorflow_model_optimization", reason=reason)
    from tensorflow import Variable
    from tensorflow_model_optimization.python.core.sparsity.keras.pruning_impl import Pruning

    schedule, weights = tfmot.sparsity.keras.ConstantSparsity(share, 0), Variable(kernel)
    chooser = Pruning(lambda: step, [(weights, None, None)], schedule, block_size, pooling, m_by_n)
    return chooser._maybe_update_block_mask(weights)[1].numpy()


def our_mask(kernel, share=0.5, **arguments):
    """The mask that is chosen here for a dense layer or a convolution with this kernel."""
    layer = layers.Dense(kernel.shape[-1]) if kernel.ndim == 2 else layers.Conv2D(kernel.shape[-1], kernel.shape[:2])
    layer.build((None, *(10,) * (kernel.ndim - 2), kernel.shape[-2]))
    layer.kernel.assign(kernel)
    wrapper = cc.prune_low_magnitude(layer, cc.ConstantSparsity(share, 0), **arguments)
    steps(keras.Sequential([wrapper]), 1)
    return array(wrapper.masks[0])


def test_masks_of_patterns_are_tfmots():
    rng = np.random.default_rng(0)
    for shape in ((8, 3), (7, 5), (3, 4), (3, 2, 6, 4), (1, 1, 3, 2), (2, 2, 8, 1)):
        for m_by_n in ((2, 4), (1, 2), (1, 4), (3, 5)):
            for kernel in (rng.normal(size=shape), rng.integers(-2, 3, shape)):  # without ties, and with many
                ours = our_mask(kernel.astype("float32"), m_by_n[0] / m_by_n[1], sparsity_m_by_n=m_by_n)
                assert np.array_equal(ours, tfmots_mask(kernel.astype("float32"), m_by_n=m_by_n))


def test_masks_of_blocks_are_tfmots():
    """Where the size leaves no rest, or one that lacks a row or column; by the docstring, others differ."""
    rng = np.random.default_rng(0)
    for shape, block_size in (((8, 6), (4, 3)), ((8, 6), (1, 2)), ((7, 5), (2, 2)), ((7, 8), (4, 3)), ((6, 4), (3, 1))):
        for pooling in ("AVG", "MAX"):
            kernel, share = rng.normal(size=shape).astype("float32"), rng.uniform(0.1, 0.9)
            theirs = tfmots_mask(kernel, share=share, block_size=block_size, pooling=pooling)
            ours = our_mask(kernel, share, block_size=block_size, block_pooling_type=pooling)
            assert np.array_equal(ours, theirs), (shape, block_size, pooling)


def test_where_blocks_differ_from_tfmots_it_is_as_the_docstring_says():
    kernel = np.array([[1, 1, 1, 9, 1, 2]], "float32").T  # blocks of four rows: the mean of the first is the larger one
    blocks = {"block_size": (4, 1)}
    assert our_mask(kernel, **blocks).ravel().tolist() == [1, 1, 1, 1, 0, 0]
    kernel = np.tile(kernel, 2)  # as tfmot takes no single column
    assert tfmots_mask(kernel, share=0.5, **blocks)[:, 0].tolist() == [0, 0, 0, 0, 1, 1]  # measured one row higher
    equal = np.ones((4, 4), "float32")
    assert our_mask(equal, block_size=(2, 2)).sum() == 8 and tfmots_mask(equal, block_size=(2, 2)).sum() == 16
    assert our_mask(equal, block_size=(4, 1)).sum() == 8  # four blocks in a row, and no column of blocks
    with pytest.raises(ValueError, match="must be rank 2"):
        tfmots_mask(equal, block_size=(4, 1))


def embedding():
    return keras.Sequential([keras.Input((3,), dtype="int32"), layers.Embedding(8, 4, name="words"), layers.Dense(2)])


@pytest.mark.parametrize(
    ("make", "arguments", "said"),
    [
        (network, {"sparsity_m_by_n": 2}, "sparsity_m_by_n is 2; give two whole numbers"),
        (network, {"sparsity_m_by_n": (2, 4, 8)}, "give two whole numbers"),
        (network, {"sparsity_m_by_n": (0, 4)}, "sparsity_m_by_n is .0, 4.; give two whole numbers"),
        (network, {"sparsity_m_by_n": (2.0, 4)}, "give two whole numbers"),
        (network, {"sparsity_m_by_n": (True, 4)}, "give two whole numbers"),
        (network, {"sparsity_m_by_n": "24"}, "give two whole numbers"),
        (network, {"sparsity_m_by_n": (4, 4)}, "give m from 1 to below n"),
        (network, {"sparsity_m_by_n": (2, 4), "per_layer": False}, "sparsity_m_by_n prunes each tensor by itself"),
        (network, {"block_size": (2, 2), "per_layer": False}, "block_size prunes each tensor by itself"),
        (network, {"block_size": (2, 2), "sparsity_m_by_n": (2, 4)}, "two ways to prune"),
        (network, {"block_size": (0, 2)}, "block_size is .0, 2.; give two whole numbers"),
        (network, {"block_size": None}, "block_size is None"),
        (network, {"block_pooling_type": "mean"}, "choose one of AVG, MAX"),
        (
            network,
            {"sparsity_m_by_n": (2, 4), "pruning_schedule": cc.ConstantSparsity(0.6, 0)},
            "ends at a share of 0.6, and sparsity_m_by_n=.2, 4. prunes 0.5",
        ),
        (
            network,
            {"sparsity_m_by_n": (1, 3), "pruning_schedule": cc.PolynomialDecay(0.3, 0.5, 0, 9)},
            "ends at a share of 0.5, and sparsity_m_by_n=.1, 3. prunes 0.333",
        ),
        (small_convolutional, {"block_size": (2, 2)}, "window/kernel has the shape .3, 3, 5, 6., and block_size"),
        (embedding, {"sparsity_m_by_n": (2, 4)}, "words/embeddings has no input axis"),
    ],
)
def test_bad_patterns_and_blocks_are_refused_in_words(make, arguments, said):
    with pytest.raises(CompressionError, match=said):
        cc.prune_low_magnitude(make(), **arguments)


def test_layers_that_a_pattern_does_not_fit_are_left_out_by_layers():
    pruned = cc.prune_low_magnitude(embedding(), sparsity_m_by_n=(2, 4), layers=layers.Dense)
    (wrapper,) = wrappers_in(pruned)
    assert wrapper.layer.units == 2
    both = cc.prune_low_magnitude(small_convolutional(), block_size=(2, 2), layers="last")
    both = cc.prune_low_magnitude(both, cc.ConstantSparsity(0.25, 0))  # the rest, without blocks
    assert [wrapper.block_size for wrapper in wrappers_in(both)] == [(1, 1), (2, 2)]


@pytest.mark.parametrize("arguments", [{"sparsity_m_by_n": (2, 4)}, {"block_size": (2, 2)}])
def test_weights_that_have_become_nan_are_refused(arguments):
    pruned = cc.prune_low_magnitude(network(), **arguments)
    wrappers_in(pruned)[0].changed_variables[0].assign(np.full((10, 20), np.nan))
    with pytest.raises(CompressionError, match=r"layer 'dense.*': there is NaN among the weights"):
        steps(pruned, 1)


def test_clustering_afterwards_keeps_the_pattern():
    plain = cc.strip_pruning(trained(network(), None, steps=1, sparsity_m_by_n=(2, 4)))
    clustered = cc.strip_clustering(cc.cluster_weights(plain, 4, "LINEAR", preserve_sparsity=True))
    for layer in clustered.layers:
        assert all((zeros >= 2).all() for zeros in zeros_in_groups(layer.get_weights()[0][:8], 4))


def test_a_layer_that_is_not_built_yet_is_refused_when_it_is():
    model = keras.Sequential([cc.prune_low_magnitude(layers.Conv2D(3, 2, name="window"), block_size=(2, 2))])
    with pytest.raises(CompressionError, match="window/kernel has the shape"):
        model.build((None, 4, 4, 2))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: cc.ConstantSparsity(1.0, 0), "target_sparsity is 1.0"),
        (lambda: cc.ConstantSparsity(0.5, -1), "begin_step is -1"),
        (lambda: cc.ConstantSparsity(0.5, 0, frequency=0), "frequency 0"),
        (lambda: cc.ConstantSparsity(0.5, 5, end_step=3), "which is before begin_step"),
        (lambda: cc.PolynomialDecay(0.1, 0.5, 0, -1), "end_step is -1"),
        (lambda: cc.PolynomialDecay(0.1, 1.5, 0, 10), "final_sparsity is 1.5"),
        (lambda: cc.prune_low_magnitude(network(), 0.5), "give ConstantSparsity or PolynomialDecay"),
        (lambda: cc.prune_low_magnitude(network(), per_layer=False, score="size"), "score is 'size'"),
        (lambda: cc.prune_low_magnitude(network(), score="lamp"), "per_layer=False as well"),
        (lambda: cc.prune_low_magnitude(network(), layers="nobody"), "no layer is named"),
        (lambda: cc.prune_low_magnitude(cc.prune_low_magnitude(network())), "being pruned already"),
        (lambda: cc.prune_low_magnitude(cc.cluster_weights(network(), 3)), "being clustered already"),
        (lambda: cc.prune_low_magnitude(keras.Sequential([])), "has no weights yet"),
        (lambda: cc.strip_pruning(3), "a Keras model is needed"),
    ],
)
def test_bad_input_is_refused_in_words(make, said):
    with pytest.raises(CompressionError, match=said):
        make()
