"""Layers and networks in NumPy: the reference parts, each born in a notebook.

`activations`, `initializers` and `mlp` were born in notebook 04. What is imported here is what notebooks use most.
"""

from coursekit.layers.activations import (
    ACTIVATIONS,
    SOFTMAX_OF_THREE,
    leaky_relu,
    log_softmax,
    relu,
    sigmoid,
    softmax,
    tanh,
)
from coursekit.layers.initializers import INITIALIZERS, glorot_std, he_std, initialize
from coursekit.layers.mlp import (
    TrainingDiverged,
    accuracy,
    backward,
    count_parameters,
    forward,
    numerical_gradients,
    predict,
    train,
)

__all__ = [
    "ACTIVATIONS",
    "INITIALIZERS",
    "SOFTMAX_OF_THREE",
    "TrainingDiverged",
    "accuracy",
    "backward",
    "count_parameters",
    "forward",
    "glorot_std",
    "he_std",
    "initialize",
    "leaky_relu",
    "log_softmax",
    "numerical_gradients",
    "predict",
    "relu",
    "sigmoid",
    "softmax",
    "tanh",
    "train",
]
