"""Gradient descent and three of its improvements, written from their equations. Born in notebook 03.

Each optimizer is a small class. `step(theta, gradient)` takes parameters and the gradient of the loss there, arrays of
the same shape (or numbers), and returns the new parameters; what it remembers from step to step lives in the object, so
make a new one for each run. `descend` walks with any of them and keeps the path, `steps_below` counts its steps.

These are for reading and for small experiments in NumPy. Networks are trained with `keras.optimizers`, which walk the
same paths: tests/test_optimizers.py compares them step by step.
"""

import numpy as np


class GradientDescent:
    """theta ← theta − learning_rate · gradient (Cauchy, 1847)."""

    def __init__(self, learning_rate):
        self.learning_rate = learning_rate

    def step(self, theta, gradient):
        """New parameters, of the shape of `theta`."""
        return theta - self.learning_rate * gradient


class Momentum:
    """A ball with a velocity, of which a share `beta` is left after each step (Polyak, 1964)."""

    def __init__(self, learning_rate, beta=0.9):
        self.learning_rate, self.beta = learning_rate, beta
        self.velocity = 0.0

    def step(self, theta, gradient):
        """New parameters, of the shape of `theta`."""
        self.velocity = self.beta * self.velocity + self.learning_rate * gradient
        return theta - self.velocity


class RMSprop:
    """Each gradient divided by the root of its running mean square (Tieleman and Hinton, 2012, lecture 6e).

    The lecture has no `epsilon`. Keras adds it under the root, and so does this class; PyTorch adds it to the root.
    """

    def __init__(self, learning_rate, rho=0.9, epsilon=1e-7):
        self.learning_rate, self.rho, self.epsilon = learning_rate, rho, epsilon
        self.mean_square = 0.0

    def step(self, theta, gradient):
        """New parameters, of the shape of `theta`."""
        self.mean_square = self.rho * self.mean_square + (1 - self.rho) * gradient**2
        return theta - self.learning_rate * gradient / np.sqrt(self.mean_square + self.epsilon)


class Adam:
    """Momentum and RMSprop together, with bias correction (Kingma and Ba, 2015, algorithm 1).

    `AdamKeras` is the variant that Keras computes.
    """

    def __init__(self, learning_rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
        self.learning_rate, self.epsilon = learning_rate, epsilon
        self.beta_1, self.beta_2 = beta_1, beta_2
        self.m, self.v, self.t = 0.0, 0.0, 0

    def step(self, theta, gradient):
        """New parameters, of the shape of `theta`."""
        self.t += 1
        self.m = self.beta_1 * self.m + (1 - self.beta_1) * gradient
        self.v = self.beta_2 * self.v + (1 - self.beta_2) * gradient**2
        return theta - self.update()

    def update(self):
        """What the step subtracts: the bias is corrected first, then epsilon is added."""
        m_hat = self.m / (1 - self.beta_1**self.t)
        v_hat = self.v / (1 - self.beta_2**self.t)
        return self.learning_rate * m_hat / (np.sqrt(v_hat) + self.epsilon)


class AdamKeras(Adam):
    """Adam as Keras computes it: the short form at the end of the paper's section 2, which calls its ε "ε̂".

    It differs from algorithm 1 where gradients are small. Keras also rounds beta_2 to the variables' float32, which
    this class, in float64, does not.
    """

    def update(self):
        """What the step subtracts: epsilon is added to the uncorrected root."""
        correction = np.sqrt(1 - self.beta_2**self.t) / (1 - self.beta_1**self.t)
        return self.learning_rate * correction * self.m / (np.sqrt(self.v) + self.epsilon)


def descend(optimizer, gradient, start, steps=100):
    """The path of `optimizer` from `start`: array of shape (steps + 1, *start.shape), the start first.

    gradient: a function from parameters to an array of the same shape. A path that diverges goes on to inf and NaN
    without a warning: look at its end. Raises ValueError if the gradient has another shape than the parameters.
    """
    path = [np.asarray(start, dtype=float)]
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(steps):
            slope = np.asarray(gradient(path[-1]))
            if slope.shape != path[-1].shape:
                raise ValueError(f"the gradient has shape {slope.shape} and theta {path[-1].shape}; make them the same")
            path.append(optimizer.step(path[-1], slope))
    return np.array(path)


def steps_below(losses, target):
    """Number of steps after which all further losses, the start's first, are below `target`; len(losses) if none is.

    NaN counts as above, so a path that diverges does not arrive.
    """
    above = np.flatnonzero(~(np.asarray(losses) < target))
    return int(above[-1]) + 1 if above.size else 0
