"""A multilayer perceptron in NumPy: forward, backward and training. Born in notebook 04.

A network is a list with [weights (fan_in, fan_out), bias (fan_out,)] for each layer. Every layer but the last is
followed by an activation; the last gives logits, one for each class. The loss is the mean cross-entropy.
"""

import math

import numpy as np

from coursekit.errors import CoursekitError
from coursekit.layers.activations import ACTIVATIONS, log_softmax, softmax


class TrainingDiverged(CoursekitError):
    """The loss became NaN or infinite during training, so the weights are of no use any more."""


def forward(network, x, activation="relu"):
    """What goes into each layer and what comes out of its sum: two lists, h and z.

    x: (n, inputs). h[k] is the input of layer k, with h[0] = x, and z[k] = h[k] @ weights + bias; z[-1] are the logits.
    Raises ValueError if x does not fit the first layer, KeyError for an unknown activation.
    """
    function, _ = ACTIVATIONS[activation]
    if x.ndim != 2 or x.shape[1] != len(network[0][0]):
        raise ValueError(f"x has shape {x.shape}, and the first layer takes (n, {len(network[0][0])})")
    h, z = [x], []
    for weights, bias in network:
        z.append(h[-1] @ weights + bias)
        h.append(function(z[-1]))
    return h[:-1], z


def backward(network, x, labels, activation="relu"):
    """The mean cross-entropy of a batch and its gradient: (loss, gradients), the latter shaped like the network.

    x: (n, inputs); labels: (n,) whole numbers from 0 to classes − 1.
    Backpropagation as in Rumelhart, Hinton and Williams (1986).
    """
    _, derivative = ACTIVATIONS[activation]
    h, z = forward(network, x, activation)
    log_p = log_softmax(z[-1])  # (n, classes)
    rows = np.arange(len(x))
    loss = -log_p[rows, labels].mean()
    delta = np.exp(log_p)  # the gradient with respect to z[-1] ...
    delta[rows, labels] -= 1
    delta /= len(x)  # ... of the mean loss
    gradients = []
    for k in reversed(range(len(network))):
        gradients.append([h[k].T @ delta, delta.sum(axis=0)])
        if k > 0:
            delta = (delta @ network[k][0].T) * derivative(z[k - 1])
    return loss, gradients[::-1]


def numerical_gradients(network, x, labels, activation="relu", step=1e-6):
    """The gradient of the mean cross-entropy by small steps: each parameter is moved up and down, one at a time.

    Shaped like the network, as that of `backward`, which it checks. Give a network in float64: in float32 the
    difference of two losses has hardly a digit left. The network is left as it was.
    """
    network = [[np.array(values, dtype=float) for values in layer] for layer in network]
    gradients = [[np.empty_like(values) for values in layer] for layer in network]
    for layer, slopes in zip(network, gradients, strict=True):
        for values, slope in zip(layer, slopes, strict=True):
            for place in np.ndindex(values.shape):
                kept = values[place]
                values[place] = kept + step
                above, _ = _measure(network, x, labels, activation)
                values[place] = kept - step
                below, _ = _measure(network, x, labels, activation)
                values[place] = kept
                slope[place] = (above - below) / (2 * step)
    return gradients


def train(
    network, x, labels, *, rng, epochs, learning_rate, batch_size=32, activation="relu", validation=None, shuffle=True
):
    """Mini-batch gradient descent. Changes the network in place; returns the history, a dictionary of lists.

    x, labels:   (n, inputs) and (n,).
    validation:  (x, labels) to measure on as well, or None.
    The history has "loss" and "accuracy", and with `validation` also "val_loss" and "val_accuracy": one value an
    epoch, measured when the epoch is over.

    Raises TrainingDiverged once the loss is NaN or infinite, and ValueError for a learning rate that is not above 0.
    """
    if not learning_rate > 0:
        raise ValueError(f"the learning rate is {learning_rate}: with 0 nothing is learned, below 0 the loss rises")
    if len(x) != len(labels):
        raise ValueError(f"{len(x)} samples and {len(labels)} labels; give one label for each sample")
    watched = {"": (x, labels)} if validation is None else {"": (x, labels), "val_": validation}
    history = {prefix + name: [] for prefix in watched for name in ("loss", "accuracy")}
    for epoch in range(epochs):
        order = rng.permutation(len(x)) if shuffle else np.arange(len(x))
        for start in range(0, len(x), batch_size):
            chosen = order[start : start + batch_size]
            with np.errstate(all="ignore"):  # a diverging loss is reported below, in words
                loss, gradients = backward(network, x[chosen], labels[chosen], activation)
                _step(network, gradients, learning_rate)
            if not math.isfinite(loss):
                raise TrainingDiverged(
                    f"the loss became {loss} in epoch {epoch + 1}: the steps are too long. Divide the learning rate, "
                    f"{learning_rate:g}, by ten, and see whether the inputs are scaled"
                )
        for prefix, (inputs, wanted) in watched.items():
            loss, right = _measure(network, inputs, wanted, activation)
            history[prefix + "loss"].append(loss)
            history[prefix + "accuracy"].append(right)
    return history


def _step(network, gradients, learning_rate):
    for layer, gradient in zip(network, gradients, strict=True):
        for values, slope in zip(layer, gradient, strict=True):
            values -= learning_rate * slope


def _measure(network, x, labels, activation):
    with np.errstate(all="ignore"):
        log_p = log_softmax(forward(network, x, activation)[1][-1])
    loss = -log_p[np.arange(len(x)), labels].mean()
    return float(loss), float(np.mean(log_p.argmax(axis=1) == labels))


def predict(network, x, activation="relu"):
    """The probability of each class for each row of x: (n, classes)."""
    return softmax(forward(network, x, activation)[1][-1])


def accuracy(network, x, labels, activation="relu"):
    """The share of rows whose most probable class is the label: a float from 0 to 1."""
    return float(np.mean(predict(network, x, activation).argmax(axis=1) == labels))


def count_parameters(network):
    """How many numbers the network learns: its weights and biases."""
    return sum(weights.size + bias.size for weights, bias in network)
