"""Activation functions and their derivatives, in NumPy. Born in notebook 04.

Each takes an array of any shape and works entry by entry, except softmax, which works along the last axis. The type of
float arrays is kept.
"""

import numpy as np


def sigmoid(z):
    """1 / (1 + exp(−z)), from 0 to 1; written with tanh, which can't overflow."""
    return 0.5 * (1 + np.tanh(0.5 * z))


def sigmoid_derivative(z):
    """σ(z)(1 − σ(z)), at most 1/4."""
    return sigmoid(z) * sigmoid(-z)


def tanh(z):
    """Hyperbolic tangent, from −1 to 1."""
    return np.tanh(z)


def tanh_derivative(z):
    """1 − tanh²(z), at most 1."""
    return 1 - np.tanh(z) ** 2


def relu(z):
    """max(0, z)."""
    return np.maximum(z, 0)


def relu_derivative(z):
    """1 where z is positive, else 0. At z = 0 there is no derivative; 0 is taken, as Keras does."""
    return np.where(z > 0, 1, 0).astype(np.asarray(z).dtype)


def leaky_relu(z, slope=0.2):
    """z where it is positive, slope · z elsewhere (Maas, Hannun and Ng, 2013). 0.2 is Keras's default."""
    return np.where(z > 0, z, slope * z)


def leaky_relu_derivative(z, slope=0.2):
    """1 where z is positive, else slope."""
    return np.where(z > 0, 1, slope).astype(np.asarray(z).dtype)


def identity(z):
    """No activation."""
    return z


def softmax(z):
    """Shares that sum to 1 along the last axis: exp(z) over its sum. The largest z is subtracted, against overflow."""
    powers = np.exp(z - z.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def log_softmax(z):
    """The logarithm of softmax(z), exact where softmax(z) itself would round to 0."""
    shifted = z - z.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def first_of_three(z):
    """The first softmax share of the logits z, 0 and 0, for each entry of z: what a picture can show of softmax."""
    return softmax(np.stack([z, np.zeros_like(z), np.zeros_like(z)], axis=-1))[..., 0]


def first_of_three_derivative(z):
    """p(1 − p), as for the sigmoid."""
    share = first_of_three(z)
    return share * (1 - share)


ACTIVATIONS = {  # name: (function, derivative)
    "sigmoid": (sigmoid, sigmoid_derivative),
    "tanh": (tanh, tanh_derivative),
    "relu": (relu, relu_derivative),
    "leaky relu": (leaky_relu, leaky_relu_derivative),
    "none": (identity, np.ones_like),
}
SOFTMAX_OF_THREE = (first_of_three, first_of_three_derivative)
