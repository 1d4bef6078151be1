"""How the weights of a layer start: Glorot's and He's rules. Born in notebook 04."""

import itertools
import math

import numpy as np


def glorot_std(fan_in, fan_out):
    """√(2 / (fan_in + fan_out)): Glorot and Bengio (2010), also called Xavier initialization."""
    return math.sqrt(2 / (fan_in + fan_out))


def he_std(fan_in, fan_out=None, slope=0.0):
    """√(2 / ((1 + slope²) fan_in)): He, Zhang, Ren and Sun (2015), for a (leaky) ReLU. fan_out is not used."""
    return math.sqrt(2 / ((1 + slope**2) * fan_in))


INITIALIZERS = {"glorot": glorot_std, "he": he_std}  # name: standard deviation from fan_in and fan_out


def initialize(sizes, rng, std="he", dtype="float32"):
    """A network of dense layers: a list with [weights (fan_in, fan_out), bias (fan_out,)] for each layer.

    sizes: units of the input, of each hidden layer and of the output, such as (64, 32, 10).
    rng:   a NumPy generator.
    std:   "he", "glorot", a number, or a function of fan_in and fan_out. Weights are normal with mean 0, biases 0.

    Raises ValueError for fewer than two sizes, a size below 1, or an unknown name.
    """
    sizes = [int(size) for size in sizes]
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"the sizes {tuple(sizes)} make no network; give two or more, each at least 1")
    if isinstance(std, str):
        if std not in INITIALIZERS:
            raise ValueError(f"there is no initializer {std!r}; there are {', '.join(INITIALIZERS)}")
        std = INITIALIZERS[std]
    network = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        spread = std(fan_in, fan_out) if callable(std) else float(std)
        weights = rng.normal(0, spread, (fan_in, fan_out)).astype(dtype)
        network.append([weights, np.zeros(fan_out, dtype)])
    return network
