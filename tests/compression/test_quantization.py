"""The parts born in notebook 18 that round: affine maps, grids for weights, a network of whole numbers."""

import numpy as np
import pytest

from coursekit import layers
from coursekit.compression import quantization


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("low, high", [(-1, 3), (2, 5), (-6, -1), (-1e-6, 1e6), (0, 1)])
def test_zero_is_on_a_code_and_errors_are_within_half_a_step(low, high, bits):
    scale, zero = quantization.affine(low, high, bits)
    assert -(2 ** (bits - 1)) <= zero <= 2 ** (bits - 1) - 1 and isinstance(zero, int)
    assert quantization.dequantize(quantization.quantize(0.0, scale, zero, bits), scale, zero) == 0
    x = np.random.default_rng(0).uniform(low, high, 500)
    error = quantization.dequantize(quantization.quantize(x, scale, zero, bits), scale, zero) - x
    assert np.abs(error).max() <= scale * (1 if bits == 1 else 0.5) + 1e-5 * abs(high)


def test_the_map_of_litert():
    """Codes, scale and zero point of an activation from 0 to 1, as LiteRT's converter gives them."""
    scale, zero = quantization.affine(0, 1)
    assert np.isclose(scale, 1 / 255) and zero == -128
    assert quantization.quantize([0, 1, 9, -3], scale, zero).tolist() == [-128, 127, 127, -128]


def test_nothing_but_zeros_has_a_scale():
    assert quantization.affine(0, 0) == (1.0, -128)
    assert np.array_equal(quantization.round_weights(np.zeros((2, 3)), 4, axis=0), np.zeros((2, 3)))


def test_bad_ranges_and_bits_are_refused():
    with pytest.raises(ValueError, match="the smaller first"):
        quantization.affine(1, -1)
    with pytest.raises(ValueError, match="finite"):
        quantization.affine(0, np.inf)
    with pytest.raises(ValueError, match="whole number from 1 to 16"):
        quantization.affine(0, 1, 40)
    with pytest.raises(ValueError, match="whole number from 2 to 16"):
        quantization.round_weights(np.ones(3), 1)


@pytest.mark.parametrize("axis", [None, 0])
@pytest.mark.parametrize("bits", [2, 3, 8])
def test_weights_lie_on_a_symmetric_grid_that_holds_the_largest(bits, axis):
    weights = np.random.default_rng(1).normal(size=(30, 4)).astype("float32")
    weights[3] = 0
    rounded = quantization.round_weights(weights, bits, axis)
    step = quantization.weight_scale(weights, bits, axis)
    codes = rounded / step
    assert rounded.shape == weights.shape and rounded.dtype == np.float32
    assert np.allclose(codes, np.rint(codes), atol=1e-4) and np.abs(codes).max() < 2 ** (bits - 1) - 0.9
    assert (rounded[3] == 0).all()
    assert np.isclose(np.abs(rounded).max(), np.abs(weights).max(), rtol=1e-5)
    assert np.all(np.abs(rounded - weights) <= step / 2 + 1e-6)


def test_the_error_is_uniform_where_the_step_is_small():
    weights = np.random.default_rng(2).normal(size=200_000)
    for bits, near in ((8, True), (2, False)):
        step = float(quantization.weight_scale(weights, bits))
        ratio = np.var(quantization.round_weights(weights, bits) - weights) / (step**2 / 12)
        assert (abs(ratio - 1) < 0.02) == near


def test_the_network_of_whole_numbers_computes_nearly_the_same():
    rng = np.random.default_rng(3)
    network, x = layers.initialize((20, 30, 10, 4), rng), rng.normal(size=(200, 20)).astype("float32")
    found = quantization.integer_network(network, x)
    exact, ours = layers.forward(network, x)[1][-1], quantization.integer_forward(found, x)
    assert np.sqrt(np.mean((exact - ours) ** 2)) < 0.03 * exact.std()
    assert all(np.issubdtype(layer[name].dtype, np.integer) for layer in found for name in ("weights", "bias"))
    assert all(np.abs(layer["weights"]).max() == 127 for layer in found)
    coarse = quantization.integer_forward(quantization.integer_network(network, x, 4), x, 4)
    assert np.mean((exact - coarse) ** 2) > 20 * np.mean((exact - ours) ** 2)
