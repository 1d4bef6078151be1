"""Numbers as codes of few bits: an affine map with scale and zero point, grids for weights, and a network that computes
in whole numbers. In NumPy. Born in notebook 18.

Codes are signed: with b bits they go from −2^(b−1) to 2^(b−1) − 1, and those of weights from −(2^(b−1) − 1), so that 0
is in the middle. The conventions are those of LiteRT (Jacob and others 2018, "Quantization and training of neural
networks for efficient integer-arithmetic-only inference"). A network is a list with [weights (fan_in, fan_out), bias
(fan_out,)] for each layer, with ReLU after each but the last.
"""

import math

import numpy as np

MOST_BITS = 16


def affine(low, high, bits=8):
    """(scale, zero point) of the map from low ... high to the codes of `bits`, with 0 exactly on a code.

    The range is widened to hold 0. Raises ValueError for a range that is upside down or infinite, and for bits outside
    of 1 to 16.
    """
    _check_bits(bits, 1)
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ValueError(f"the range goes from {low} to {high}; give two finite numbers, the smaller first")
    low, high, least = min(low, 0.0), max(high, 0.0), -(2 ** (bits - 1))
    scale = (high - low) / (2**bits - 1) or 1.0  # nothing but zeros: any scale will do
    zero_point = round(least - low / scale)
    return scale, min(max(zero_point, least), 2 ** (bits - 1) - 1)


def quantize(x, scale, zero_point=0, bits=8):
    """The codes of x: int32, shaped like x; what lies beyond the range gets the first or the last code."""
    _check_bits(bits, 1)
    codes = np.rint(np.asarray(x, dtype=np.float64) / scale) + zero_point
    return np.clip(codes, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1).astype(np.int32)


def dequantize(codes, scale, zero_point=0):
    """What codes stand for: float32."""
    return (scale * (np.asarray(codes, dtype=np.float64) - zero_point)).astype(np.float32)


def weight_scale(weights, bits=8, axis=None):
    """The step of a grid that is symmetric about 0 and reaches the largest weight: float64.

    axis: None for one step (a number); 0 for one step a column, (1, outputs), that is one for each unit. Where all
    weights are 0 the step is 1. Raises ValueError for bits outside of 2 to 16.
    """
    _check_bits(bits, 2)
    largest = np.abs(np.asarray(weights, dtype=np.float64)).max(axis=axis, keepdims=axis is not None)
    return np.where(largest > 0, largest, 2 ** (bits - 1) - 1) / (2 ** (bits - 1) - 1)


def round_weights(weights, bits=8, axis=None):
    """The nearest weights on the grid of `weight_scale`, shaped like the weights: float32."""
    scale, top = weight_scale(weights, bits, axis), 2 ** (bits - 1) - 1
    return dequantize(np.clip(quantize(weights, scale, 0, bits), -top, top), scale)


def integer_network(network, x, bits=8):
    """The network in whole numbers: a list of dictionaries, one a layer.

    x: (n, inputs) examples that show how large the inputs of each layer get (calibration).
    Of each layer: weights, codes (fan_in, fan_out), with a scale for each unit; bias, whole numbers in steps of
    in_scale · scale; scale (1, fan_out); in_scale and in_zero of its inputs.
    """
    layers, h = [], np.asarray(x)
    for weights, bias in network:
        in_scale, in_zero = affine(float(h.min()), float(h.max()), bits)
        scale = weight_scale(weights, bits, axis=0)
        codes = np.clip(quantize(weights, scale, 0, bits), -(2 ** (bits - 1)) + 1, None)
        layers.append(
            {
                "weights": codes,
                "bias": np.rint(bias / (in_scale * scale[0])).astype(np.int32),
                "scale": scale,
                "in_scale": in_scale,
                "in_zero": in_zero,
            }
        )
        h = np.maximum(h @ weights + bias, 0)
    return layers


def integer_forward(layers, x, bits=8):
    """Logits (n, classes) of an `integer_network`: all products and sums are of whole numbers, of 32 bits."""
    for k, layer in enumerate(layers):
        codes = quantize(x, layer["in_scale"], layer["in_zero"], bits)
        sums = (codes - layer["in_zero"]) @ layer["weights"] + layer["bias"]  # (n, fan_out), int32
        x = sums * (layer["in_scale"] * layer["scale"])
        x = np.maximum(x, 0) if k < len(layers) - 1 else x
    return x.astype(np.float32)


def _check_bits(bits, least):
    if not least <= bits <= MOST_BITS or bits != int(bits):
        raise ValueError(f"{bits} bits; give a whole number from {least} to {MOST_BITS}")
