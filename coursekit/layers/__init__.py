"""Layers and networks in NumPy: the reference parts, each born in a notebook.

`activations`, `initialisers` and `mlp` were born in notebook 04. What is imported here is what notebooks use most.
"""

from coursekit.layers.activations import ACTIVATIONS, leaky_relu, log_softmax, relu, sigmoid, softmax, tanh
from coursekit.layers.initializers import INITIALISERS, glorot_std, he_std, initialise
from coursekit.layers.mlp import TrainingDiverged, accuracy, backward, count_parameters, forward, predict, train

__all__ = [
    "ACTIVATIONS",
    "INITIALISERS",
    "TrainingDiverged",
    "accuracy",
    "backward",
    "count_parameters",
    "forward",
    "glorot_std",
    "he_std",
    "initialise",
    "leaky_relu",
    "log_softmax",
    "predict",
    "relu",
    "sigmoid",
    "softmax",
    "tanh",
    "train",
]
