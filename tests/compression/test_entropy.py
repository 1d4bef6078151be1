"""Training for size: rounding, the bits' price, what is saved, bad input; and that files do get smaller."""

import keras
import numpy as np
import pytest
from keras import ops
from networks import array, convolutional, dense, inputs_for, recurrent, residual, shared, subclassed, transformer

from coursekit import compression as cc
from coursekit.compression.entropy import FAST_STEP, EntropyPenalized
from coursekit.compression.wrapper import wrappers_in
from coursekit.errors import CompressionError

X = np.random.default_rng(0).normal(size=(64, 8)).astype("float32")
Y = (X[:, 0] + X[:, 1] > 0).astype("int32")


def classifier():
    """A small network that is compiled, with weights that fill their range."""
    keras.utils.set_random_seed(0)
    model = dense(16, 2, inputs=8, activation="relu")
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def fitted(price, epochs=3, callbacks=(), **settings):
    penalized = cc.penalize_entropy(classifier(), price, **settings)
    history = penalized.fit(X, Y, batch_size=16, epochs=epochs, verbose=0, callbacks=list(callbacks))
    return penalized, history.history


def whole_multiples(model):
    """For each tensor that is rounded, how far its final values are from whole multiples of its step, at most."""
    found = []
    for wrapper in wrappers_in(model):
        for index, values in enumerate(wrapper.final_values()):
            multiples = values / np.exp(FAST_STEP * array(wrapper.steps[index]))
            found.append(float(np.abs(multiples - np.rint(multiples)).max()))
    return found


def test_weights_are_used_and_kept_as_whole_multiples_of_their_step():
    model, before = classifier(), [array(weight).copy() for weight in classifier().weights]
    penalized = cc.penalize_entropy(model, 1e-4)
    assert len(whole_multiples(penalized)) == 4 and max(whole_multiples(penalized)) < 1e-4
    plain = cc.strip_entropy(penalized)
    assert np.allclose(array(penalized(X)), array(plain(X)), atol=1e-6)
    assert len(np.unique(array(plain.layers[0].kernel))) < 20 < len(np.unique(before[0]))
    assert all(np.array_equal(array(weight), old) for weight, old in zip(model.weights, before, strict=True))


def test_biases_can_be_left_alone():
    both, kernels = (cc.penalize_entropy(classifier(), 1e-4, biases=biases) for biases in (True, False))
    assert [wrapper.positions for wrapper in wrappers_in(both)] == [[0, 1], [0, 1]]
    assert [wrapper.positions for wrapper in wrappers_in(kernels)] == [[0], [0]]


def test_bits_are_those_of_the_mixture_and_not_below_the_entropy():
    """Of numbers with one distribution the entropy of the rounded ones is the least that any code needs on average."""
    keras.utils.set_random_seed(1)
    layer = keras.layers.Dense(40, use_bias=False)
    layer.build((None, 50))
    wrapper = cc.penalize_entropy(layer, 1.0)
    multiples = np.rint(wrapper.final_values()[0] / np.exp(FAST_STEP * array(wrapper.steps[0])))
    shares = np.unique(multiples, return_counts=True)[1] / multiples.size
    entropy = -(shares * np.log2(shares)).sum() * multiples.size
    counted = float(ops.convert_to_numpy(wrapper.bits()))
    assert entropy < counted < 3 * entropy


def test_the_price_is_a_loss_that_rises_along_the_ramp():
    def first_and_second_loss(price, ramp_steps):
        model = classifier()
        model.optimizer.learning_rate = 0.0  # nothing moves, so that losses differ by the price alone
        penalized = cc.penalize_entropy(model, price, ramp_steps=ramp_steps)
        return [penalized.fit(X, Y, batch_size=64, verbose=0).history["loss"][0] for _ in range(2)]

    free = first_and_second_loss(0.0, 0)
    assert free == pytest.approx([free[0]] * 2)
    at_once, ramp = first_and_second_loss(0.01, 0), first_and_second_loss(0.01, 2)
    assert at_once[0] > free[0] + 1 and at_once[1] > free[0] + 1
    assert ramp[0] == pytest.approx(free[0]) and free[0] < ramp[1] < at_once[1]


def test_a_high_price_makes_the_file_smaller_and_bytes_are_in_the_history(tmp_path):
    sizes = {}
    for price in (0.0, 0.003):
        penalized, history = fitted(price, epochs=25, callbacks=[cc.CountBytes()])
        sizes[price] = cc.save_compressed(cc.strip_entropy(penalized), tmp_path / "small").size
        assert len(history["bytes"]) == 25 and history["bytes"][-1] == pytest.approx(sizes[price], abs=8)
    assert sizes[0.003] < 0.7 * sizes[0.0] < cc.save_compressed(classifier(), tmp_path / "dense").size


def test_a_budget_moves_the_price_once_the_ramp_is_over():
    free, history = fitted(1e-4, callbacks=[cc.CountBytes()])
    dear, _ = fitted(1e-4, callbacks=[cc.CountBytes(budget=history["bytes"][-1] // 2)])
    cheap, _ = fitted(1e-4, callbacks=[cc.CountBytes(budget=history["bytes"][-1] * 2)])
    waiting, _ = fitted(1e-4, ramp_steps=100, callbacks=[cc.CountBytes(budget=10)])
    prices = [float(array(wrappers_in(model)[0].price)) for model in (free, dear, cheap, waiting)]
    assert prices[1] > prices[0] > prices[2] and prices[0] == pytest.approx(prices[3]) == pytest.approx(1e-4)


def test_it_is_saved_half_way_and_goes_on(tmp_path):
    penalized, _ = fitted(1e-4, ramp_steps=50)
    penalized.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert np.allclose(array(penalized(X)), array(again(X)), atol=1e-6)
    one, other = (wrappers_in(model)[0] for model in (penalized, again))
    assert float(array(other.seen)) == float(array(one.seen)) == 12
    assert (other.ramp_steps, other.biases, other.first_price) == (50, True, 1e-4)
    again.fit(X, Y, batch_size=16, verbose=0)
    assert float(array(other.seen)) == 16


@pytest.mark.parametrize("make", [convolutional, residual, transformer, recurrent, subclassed])
def test_networks_of_other_kinds(make, tmp_path):
    keras.utils.set_random_seed(0)
    model = make()
    model.compile(keras.optimizers.Adam(0.001), "mse")
    x = inputs_for(model, rows=16)
    y = np.zeros_like(array(model(x)))
    penalized = cc.penalize_entropy(model, 1e-6)
    penalized.fit(x, y, verbose=0, callbacks=[cc.CountBytes()] if make is not subclassed else [])
    assert max(whole_multiples(penalized)) < 1e-3
    small = cc.strip_entropy(penalized)  # compares what both compute
    if make is not subclassed:  # whose class a file would have to be handed
        assert cc.save_compressed(small, tmp_path / "small").size < cc.save_compressed(model, tmp_path / "large").size


def counted(model):
    """The weights that are rounded and counted, by the name of their layer."""
    wrappers = wrappers_in(cc.penalize_entropy(model, 1e-6))
    return {f"{one.layer.name}/{weight.name}" for one in wrappers for weight in one.changed_variables}


def test_of_a_residual_network_kernels_and_biases_count_and_not_what_normalizations_learn():
    model = residual()
    of_convolutions = {f"{layer.name}/kernel" for layer in model.layers if type(layer) is keras.layers.Conv2D}
    mine = next(layer.name for layer in model.layers if isinstance(layer, keras.layers.SeparableConv2D))
    last = model.layers[-1].name
    others = {"mine/bias", f"{mine}/pointwise_kernel", f"{mine}/bias", f"{last}/kernel", f"{last}/bias"}
    assert counted(model) == of_convolutions | others


def test_of_a_transformer_embeddings_kernels_and_biases_count_and_not_what_normalizations_learn():
    model = transformer()
    wrappers = wrappers_in(cc.penalize_entropy(model, 1e-6))
    attention = next(one for one in wrappers if one.layer.name == "attention")
    assert len(attention.changed_variables) == len(attention.layer.weights) == 8  # four kernels, four biases
    rest = [weight for one in wrappers if one is not attention for weight in one.changed_variables]
    assert sorted(weight.name for weight in rest) == ["bias"] * 3 + ["embeddings"] + ["kernel"] * 3


def test_only_biases_beside_the_chosen_weights_count():
    model = subclassed()  # three dense layers
    wrapper = EntropyPenalized(model, positions=[0])
    wrapper.build()
    assert [id(weight) for weight in wrapper.changed_variables] == [id(model.first.kernel), id(model.first.bias)]


def test_a_layer_that_is_called_several_times_is_counted_once():
    model = shared()  # whose first layer is called three times
    model.compile(keras.optimizers.SGD(0.0), "mse")
    penalized = cc.penalize_entropy(model, 1.0)
    x = inputs_for(model, rows=4)
    answers = array(cc.strip_entropy(penalized)(x))  # taken as targets, so that the loss is the bits alone
    loss = penalized.fit(x, answers, verbose=0).history["loss"][0]
    wrappers = wrappers_in(penalized)
    assert [float(array(one.seen)) for one in wrappers] == [1, 1]
    bits = sum(float(ops.convert_to_numpy(one.bits())) for one in wrappers)
    assert loss == pytest.approx(bits, rel=0.1)  # the noise differs


def test_a_step_starts_at_half_of_the_spread_also_where_weights_are_small():
    keras.utils.set_random_seed(2)
    layer = keras.layers.Dense(300, kernel_initializer=keras.initializers.RandomNormal(stddev=0.004))
    layer.build((None, 300))
    wrapper = cc.penalize_entropy(layer, 1e-6)
    step, step_of_biases = (float(np.exp(FAST_STEP * array(one))) for one in wrapper.steps)
    assert step == pytest.approx(0.002, rel=0.02) and step_of_biases == pytest.approx(0.01)
    assert np.mean(wrapper.final_values()[0] != 0) > 0.6  # most weights are not rounded away


def test_layers_are_chosen_by_the_rule():
    model = classifier()
    penalized = cc.penalize_entropy(model, 1e-4, layers=model.layers[0].name)
    assert [isinstance(layer, EntropyPenalized) for layer in penalized.layers] == [True, False]


@pytest.mark.parametrize("price", [-1, float("nan"), float("inf"), "cheap", [1e-5]])
def test_a_price_that_is_none_is_refused(price):
    with pytest.raises(CompressionError, match="what a bit costs"):
        cc.penalize_entropy(classifier(), price)


def test_other_bad_input_is_refused_in_a_sentence():
    model = classifier()
    with pytest.raises(CompressionError, match="ramp_steps is -1"):
        cc.penalize_entropy(model, 1e-5, ramp_steps=-1)
    with pytest.raises(CompressionError, match="budget is 0"):
        cc.CountBytes(budget=0)
    with pytest.raises(CompressionError, match="a Keras model, a layer or a list"):
        cc.penalize_entropy("model")
    with pytest.raises(CompressionError, match="CountBytes found no layer"):
        model.fit(X, Y, verbose=0, callbacks=[cc.CountBytes()])
    with pytest.raises(CompressionError, match=r"trained for size already: strip the model first \(strip_entropy"):
        cc.penalize_entropy(cc.penalize_entropy(model))
    with pytest.raises(CompressionError, match=r"trained for size already.*strip_entropy"):
        cc.cluster_weights(cc.penalize_entropy(model), 4)
    model.layers[0].kernel.assign(np.full((8, 16), np.nan, "float32"))
    with pytest.raises(CompressionError, match="NaN or infinite"):
        cc.penalize_entropy(model)
