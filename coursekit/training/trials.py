"""The same network trained again and again, and asked: new weights without a new model, answers in parts.

Born in notebook 07.
"""

import numpy as np


def restart(model, rng):
    """Give a compiled Keras model new weights, and an optimizer that has forgotten what it kept.

    Kernels are drawn from the normal distribution of He and others (notebook 04), with the standard deviation
    √(2 / number of inputs of a unit); biases, shifts and moving means become 0, scales and moving variances 1. It is
    faster than a new model, which would be traced and compiled again.
    """
    for weight in model.weights:
        if weight.name == "kernel":
            weight.assign(rng.normal(0, np.sqrt(2 / np.prod(weight.shape[:-1])), weight.shape))
        else:
            weight.assign(np.full(weight.shape, float(weight.name in ("gamma", "moving_variance"))))
    for variable in model.optimizer.variables:
        if "learning_rate" not in variable.path:
            variable.assign(np.zeros(variable.shape))


def answers(model, x, at_once=250):
    """The class with the largest output for each input, or for each pixel of it: the model's last axis is gone.

    The model is called in inference, with so many inputs at once: a batch of large maps takes much memory.
    """
    import keras

    parts = [model(x[i : i + at_once], training=False) for i in range(0, len(x), at_once)]
    return np.concatenate([keras.ops.convert_to_numpy(part).argmax(axis=-1) for part in parts])


def accuracy(model, x, y):
    """The share of inputs (or of pixels) for which the largest output is that of the right class."""
    return float(np.mean(answers(model, x) == y))
