"""The reference layers: activations, initializers, forward, backward and training, against independent numbers."""

import numpy as np
import pytest

from coursekit import layers
from coursekit.errors import CoursekitError


@pytest.fixture
def rng():
    return np.random.default_rng(3)


# --- activations ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", list(layers.ACTIVATIONS))
def test_derivatives_are_the_slopes(name, rng):
    function, derivative = layers.ACTIVATIONS[name]
    z = rng.normal(0, 3, size=(40, 5))
    slope = (function(z + 1e-6) - function(z - 1e-6)) / 2e-6
    assert np.allclose(derivative(z), slope, atol=1e-7)


@pytest.mark.parametrize("name", list(layers.ACTIVATIONS))
def test_the_type_and_shape_are_kept(name):
    for function in layers.ACTIVATIONS[name]:
        out = function(np.zeros((2, 3), "float32"))
        assert out.shape == (2, 3) and out.dtype == np.float32


def test_nothing_overflows():
    huge = np.array([-1e4, 0.0, 1e4])
    with np.errstate(all="raise", under="ignore"):
        assert np.allclose(layers.sigmoid(huge), [0, 0.5, 1])
        assert np.allclose(layers.softmax(huge), [0, 0, 1])
        assert np.allclose(layers.log_softmax(huge), [-2e4, -1e4, 0])


def test_softmax_is_what_its_formula_says(rng):
    z = rng.normal(size=(6, 4))
    assert np.allclose(layers.softmax(z), np.exp(z) / np.exp(z).sum(axis=1)[:, None])
    assert np.allclose(layers.log_softmax(z), np.log(layers.softmax(z)))


def test_the_first_of_three_shares_has_its_slope(rng):
    share, derivative = layers.SOFTMAX_OF_THREE
    z = rng.normal(0, 3, size=(20, 2))
    assert np.allclose(share(z), np.exp(z) / (np.exp(z) + 2))
    assert np.allclose(derivative(z), (share(z + 1e-6) - share(z - 1e-6)) / 2e-6, atol=1e-8)


def test_they_agree_with_keras(rng):
    keras = pytest.importorskip("keras")
    z = rng.normal(0, 3, size=(30, 7)).astype("float32")
    theirs = {name: getattr(keras.ops, name.replace(" ", "_")) for name in ("sigmoid", "tanh", "relu", "leaky relu")}
    for name, function in theirs.items():
        assert np.allclose(layers.ACTIVATIONS[name][0](z), keras.ops.convert_to_numpy(function(z)), atol=1e-6)
    assert np.allclose(layers.softmax(z), keras.ops.convert_to_numpy(keras.ops.softmax(z)), atol=1e-6)


# --- numerical gradients ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_numerical_gradients_are_those_of_backward_and_change_nothing(activation, rng):
    network = layers.initialize((5, 4, 3), rng, dtype="float64")
    before = [[values.copy() for values in layer] for layer in network]
    x, labels = rng.normal(size=(7, 5)), rng.integers(3, size=7)
    _, exact = layers.backward(network, x, labels, activation)
    found = layers.numerical_gradients(network, x, labels, activation)
    for ours, theirs, kept, was in zip(found, exact, network, before, strict=True):
        for a, b, c, d in zip(ours, theirs, kept, was, strict=True):
            assert a.shape == b.shape and np.allclose(a, b, atol=1e-7) and np.array_equal(c, d)


# --- initializers -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "std, wanted", [("he", 2 / 400), ("glorot", 2 / 700), (0.03, 0.0009), (lambda a, b: 1 / a, 1 / 400**2)]
)
def test_weights_have_the_variance_asked_for(std, wanted, rng):
    ((weights, bias),) = layers.initialize((400, 300), rng, std)
    assert weights.shape == (400, 300) and weights.dtype == np.float32 and not bias.any() and bias.shape == (300,)
    assert abs(weights.mean()) < 0.01 * np.sqrt(wanted) * 3 and abs(weights.var() / wanted - 1) < 0.03


def test_he_for_a_leaky_relu_lies_between_he_and_none():
    assert layers.he_std(100) == layers.he_std(100, slope=0.0) == pytest.approx(np.sqrt(0.02))
    assert layers.he_std(100, slope=1.0) == pytest.approx(0.1)


@pytest.mark.parametrize(
    "sizes, std, message", [((3,), "he", "no network"), ((3, 0), "he", "no network"), ((3, 2), "his", "no initializer")]
)
def test_what_makes_no_network_is_refused(sizes, std, message, rng):
    with pytest.raises(ValueError, match=message):
        layers.initialize(sizes, rng, std)


# --- forward and backward ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("activation", list(layers.ACTIVATIONS))
@pytest.mark.parametrize("sizes", [(5, 3), (5, 4, 3), (5, 7, 6, 3)])
def test_the_gradient_is_the_slope_of_the_loss(sizes, activation, rng):
    network = layers.initialize(sizes, rng, dtype="float64")
    x, labels = rng.normal(size=(11, 5)), rng.integers(3, size=11)
    _, gradients = layers.backward(network, x, labels, activation)
    for layer, gradient in zip(network, gradients, strict=True):
        for values, slopes in zip(layer, gradient, strict=True):
            assert values.shape == slopes.shape
            for place in np.ndindex(values.shape):
                kept = values[place]
                values[place] = kept + 1e-6
                above, _ = layers.backward(network, x, labels, activation)
                values[place] = kept - 1e-6
                below, _ = layers.backward(network, x, labels, activation)
                values[place] = kept
                assert slopes[place] == pytest.approx((above - below) / 2e-6, abs=1e-7)


def test_forward_hands_back_what_each_layer_saw(rng):
    network = layers.initialize((5, 4, 3), rng)
    x = rng.normal(size=(6, 5)).astype("float32")
    h, z = layers.forward(network, x)
    assert [one.shape for one in h] == [(6, 5), (6, 4)] and [one.shape for one in z] == [(6, 4), (6, 3)]
    assert np.array_equal(h[1], np.maximum(z[0], 0)) and z[1].dtype == np.float32
    assert np.allclose(layers.predict(network, x).sum(axis=1), 1)


def test_inputs_that_do_not_fit_are_refused(rng):
    with pytest.raises(ValueError, match=r"x has shape \(6, 4\), and the first layer takes \(n, 5\)"):
        layers.forward(layers.initialize((5, 3), rng), np.zeros((6, 4)))


def test_one_step_is_kerass_step(rng):
    keras = pytest.importorskip("keras")
    network = layers.initialize((5, 4, 3), rng)
    x, labels = rng.normal(size=(32, 5)).astype("float32"), rng.integers(3, size=32)
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(3)])
    model.set_weights([part.copy() for layer in network for part in layer])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.5), loss=loss)
    model.fit(x, labels, epochs=1, batch_size=32, verbose=0)
    layers.train(network, x, labels, rng=rng, epochs=1, learning_rate=0.5)
    ours = [part for layer in network for part in layer]
    assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(ours, model.get_weights(), strict=True))


# --- training ---------------------------------------------------------------------------------------------------------
@pytest.fixture
def rings(rng):
    """Points inside and outside a circle, which no line separates."""
    x = rng.uniform(-1, 1, size=(400, 2)).astype("float32")
    return x, (np.sum(x**2, axis=1) < 0.6).astype(int)


def test_training_separates_what_a_line_can_not(rings, rng):
    x, labels = rings
    history = {}
    for activation in ("relu", "none"):
        network = layers.initialize((2, 24, 2), rng)
        settings = {"epochs": 60, "learning_rate": 0.3, "activation": activation}
        history[activation] = layers.train(
            network, x[:300], labels[:300], rng=rng, validation=(x[300:], labels[300:]), **settings
        )
        assert set(history[activation]) == {"loss", "accuracy", "val_loss", "val_accuracy"}
        assert layers.accuracy(network, x[300:], labels[300:], activation) == history[activation]["val_accuracy"][-1]
        assert all(len(values) == 60 for values in history[activation].values())
    assert history["relu"]["val_accuracy"][-1] > 0.9 > history["none"]["val_accuracy"][-1] + 0.1
    assert history["relu"]["loss"][-1] < history["relu"]["loss"][0] / 2


def test_diverging_says_what_to_do(rings, rng):
    x, labels = rings
    with pytest.raises(layers.TrainingDiverged, match=r"Divide the learning rate, 1000, by ten") as caught:
        layers.train(layers.initialize((2, 8, 2), rng), 1e20 * x, labels, rng=rng, epochs=9, learning_rate=1000)
    assert isinstance(caught.value, CoursekitError)


@pytest.mark.parametrize("rate", [0, -0.1, float("nan")])
def test_a_learning_rate_that_can_not_learn_is_refused(rate, rings, rng):
    with pytest.raises(ValueError, match="with 0 nothing is learned"):
        layers.train(layers.initialize((2, 2), rng), *rings, rng=rng, epochs=1, learning_rate=rate)


def test_samples_without_labels_are_refused(rings, rng):
    x, labels = rings
    with pytest.raises(ValueError, match="400 samples and 9 labels"):
        layers.train(layers.initialize((2, 2), rng), x, labels[:9], rng=rng, epochs=1, learning_rate=0.1)


def test_without_shuffling_training_repeats_itself(rings):
    ends = []
    for seed in (1, 2):
        network = layers.initialize((2, 4, 2), np.random.default_rng(0))
        rng = np.random.default_rng(seed)
        layers.train(network, *rings, rng=rng, epochs=3, learning_rate=0.1, shuffle=False)
        ends.append(network[0][0])
    assert np.array_equal(*ends)


def test_parameters_are_counted(rng):
    assert layers.count_parameters(layers.initialize((64, 6, 10), rng)) == 64 * 6 + 6 + 6 * 10 + 10
