"""Pruning: schedules, masks per layer and global, the callback, bad input. Whole networks are in test_clustering."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import array, dense
from round_trips import outputs

from coursekit import compression as cc
from coursekit.compression.pruning import _largest
from coursekit.compression.sparsity import keep_largest, lamp_scores
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


def test_without_the_callback_training_says_so():
    pruned = cc.prune_low_magnitude(network())
    outputs(pruned, np.ones((2, 10)))  # to look is allowed
    with pytest.raises(CompressionError, match="UpdatePruningStep"):
        pruned(np.ones((2, 10)), training=True)
    with pytest.raises(CompressionError, match="found no pruned layer"):
        network().fit(np.ones((4, 10)), np.ones((4, 5)), verbose=0, callbacks=[cc.UpdatePruningStep()])


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
