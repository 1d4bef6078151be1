"""Convolution, pooling, transposed convolution, batch normalization and input gradients, against Keras and by hand."""

import numpy as np
import pytest

from coursekit.layers import convolution as c


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture(scope="module")
def keras():
    return pytest.importorskip("keras")


# --- convolution ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [(3, 3), (4, 4), (1, 1), (5, 2)])
def test_a_convolution_is_that_of_keras(size, stride, padding, rng, keras):
    x = rng.normal(size=(2, 9, 12, 3)).astype("float32")
    kernel, bias = rng.normal(size=(*size, 3, 5)).astype("float32"), rng.normal(size=5).astype("float32")
    theirs = keras.ops.convert_to_numpy(keras.ops.conv(x, kernel, strides=stride, padding=padding)) + bias
    ours = c.convolve(x, kernel, bias, stride=stride, padding=padding)
    assert ours.shape == theirs.shape and np.allclose(ours, theirs, atol=1e-5)


def test_a_convolution_by_hand():
    x, kernel = np.arange(9.0).reshape(1, 3, 3, 1), np.array([[1.0, 0], [0, -1]]).reshape(2, 2, 1, 1)
    assert c.convolve(x, kernel)[0, :, :, 0].tolist() == [[-4, -4], [-4, -4]]


@pytest.mark.parametrize(
    "x, kernel, message",
    [
        ((2, 3, 8, 8), (3, 3, 3, 4), "are the channels of the images last"),
        ((8, 8), (3, 3, 1, 1), "both have four axes"),
        ((1, 2, 8, 1), (3, 3, 1, 1), "does not fit into"),
    ],
)
def test_what_does_not_fit_is_refused(x, kernel, message):
    with pytest.raises(ValueError, match=message):
        c.convolve(np.zeros(x), np.zeros(kernel))


def test_an_unknown_padding_is_refused():
    for layer in (c.convolve, c.transposed_convolve):
        with pytest.raises(ValueError, match="padding is 'full'"):
            layer(np.zeros((1, 4, 4, 1)), np.zeros((3, 3, 1, 1)), padding="full")


def test_same_padding_puts_the_odd_zero_at_the_end():
    assert c.same_padding(9, 4) == (1, 2) and c.same_padding(9, 3) == (1, 1) and c.same_padding(8, 1, 2) == (0, 0)


# --- transposed convolution -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [(3, 3), (4, 4), (2, 5), (6, 6)])
def test_a_transposed_convolution_is_that_of_keras(size, stride, padding, rng, keras):
    x = rng.normal(size=(2, 4, 5, 3)).astype("float32")
    kernel = rng.normal(size=(*size, 2, 3)).astype("float32")
    theirs = keras.ops.convert_to_numpy(keras.ops.conv_transpose(x, kernel, strides=stride, padding=padding))
    ours = c.transposed_convolve(x, kernel, stride=stride, padding=padding)
    assert ours.shape == theirs.shape and np.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("padding, size", [("valid", 9), ("same", 10)])
def test_it_is_the_transpose(padding, size, rng):
    """<convolve(x), y> = <x, transposed(y)>, for every x and y: the definition of a transpose."""
    x, kernel = rng.normal(size=(1, size, size, 2)), rng.normal(size=(3, 3, 2, 4))
    there = c.convolve(x, kernel, stride=2, padding=padding)
    y = rng.normal(size=there.shape)
    back = c.transposed_convolve(y, kernel, stride=2, padding=padding)
    assert back.shape == x.shape
    assert np.sum(there * y) == pytest.approx(np.sum(x * back))


# --- pooling and receptive field --------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind, name", [("max", "max_pool"), ("mean", "average_pool")])
def test_pooling_is_that_of_keras(kind, name, rng, keras):
    x = rng.normal(size=(2, 7, 9, 3)).astype("float32")
    theirs = keras.ops.convert_to_numpy(getattr(keras.ops, name)(x, 2, 2, "valid"))
    assert np.allclose(c.pool(x, 2, kind), theirs, atol=1e-6)


def test_the_receptive_field_is_what_reaches_a_unit(rng):
    layers = [(3, 1), (2, 2), (5, 1), (3, 2)]
    x = np.eye(30).reshape(30, 30, 1, 1)  # one image for each pixel of a line
    for kernel, stride in layers:
        x = c.convolve(x, np.ones((kernel, 1, 1, 1)), stride=stride)
    assert (x[:, 2, 0, 0] > 0).sum() == c.receptive_field(layers) == 16
    assert c.receptive_field([]) == 1


# --- batch normalization ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("shape", [(6, 4), (3, 5, 2, 4)])
def test_batch_normalization_is_that_of_keras(shape, rng, keras):
    layer = keras.layers.BatchNormalization()
    layer.build(shape)
    layer.set_weights([rng.normal(size=4), rng.normal(size=4), rng.normal(size=4), rng.uniform(1, 2, 4)])
    gamma, beta, mean, variance = layer.get_weights()
    x = rng.normal(2, 3, size=shape).astype("float32")
    in_inference = c.batch_normalize(x, gamma, beta, mean=mean, variance=variance)
    assert np.allclose(in_inference[0], keras.ops.convert_to_numpy(layer(x, training=False)), atol=1e-4)
    assert in_inference[1] is mean and in_inference[2] is variance
    out, own_mean, own_variance = c.batch_normalize(x, gamma, beta)
    assert np.allclose(out, keras.ops.convert_to_numpy(layer(x, training=True)), atol=1e-4)
    moved = layer.get_weights()[2:]
    assert np.allclose(moved[0], 0.99 * mean + 0.01 * own_mean, atol=1e-5)
    assert np.allclose(moved[1], 0.99 * variance + 0.01 * own_variance, atol=1e-4)


def test_half_a_state_is_refused():
    with pytest.raises(ValueError, match="both"):
        c.batch_normalize(np.zeros((2, 3)), 1, 0, mean=np.zeros(3))


# --- gradients --------------------------------------------------------------------------------------------------------
def test_the_gradient_by_the_input(rng, keras):
    from coursekit.layers.gradients import input_gradient

    x = rng.normal(size=(2, 3)).astype("float32")
    gradient = input_gradient(lambda x: keras.ops.sum(x**3), x)
    assert gradient.shape == x.shape and np.allclose(gradient, 3 * x**2, atol=1e-4)
