"""Penalties on weights, and the steps that make weights small or exactly zero. Born in notebook 05, Regularization.

Everywhere the objective is Keras's: the mean squared error plus `l1` times the sum of |w| and `l2` times that of w²,

    mean((y - x @ w - b)**2) + l1 * sum(|w|) + l2 * sum(w**2),

and the bias b is never penalized. scikit-learn scales the same objective otherwise: `Lasso(alpha=l1 / 2)`,
`Ridge(alpha=n * l2)`, and `ElasticNet(alpha=l1 / 2 + l2, l1_ratio=(l1 / 2) / (l1 / 2 + l2))`.
Penalties compare weights with each other, so standardize the features first.
"""

import numpy as np


def penalty(weights, l1=0.0, l2=0.0):
    """l1 times the sum of |w| plus l2 times the sum of w², over all entries of `weights`. A float."""
    weights = np.asarray(weights, dtype=float)
    return float(l1 * np.abs(weights).sum() + l2 * (weights**2).sum())


def soft_threshold(weights, threshold):
    """Each weight moved towards zero by `threshold`, and to exactly zero if it is no further away than that.

    The proximal step of threshold · Σ|w| (Donoho, 1995). weights: any shape; threshold: 0 or more.
    """
    weights = np.asarray(weights, dtype=float)
    return np.sign(weights) * np.maximum(np.abs(weights) - threshold, 0.0)


def proximal_step(weights, gradient, learning_rate, l1=0.0, l2=0.0):
    """One step of proximal gradient descent: down the loss, then exactly to the minimum of penalty plus distance.

    weights, gradient: arrays of one shape, `gradient` that of the loss without the penalty. Returns the new weights.
    """
    moved = np.asarray(weights) - learning_rate * np.asarray(gradient)
    return soft_threshold(moved, learning_rate * l1) / (1 + 2 * learning_rate * l2)


def ridge(x, y, l2):
    """The minimum for l1 = 0 in one step (Hoerl and Kennard, 1970): (weights (p,), bias). x: (n, p), y: (n,)."""
    x, y, x_mean, y_mean = _centered(x, y, 0.0, l2)
    weights = np.linalg.solve(x.T @ x / len(x) + l2 * np.eye(x.shape[1]), x.T @ y / len(x))
    return weights, y_mean - x_mean @ weights


def elastic_net(x, y, l1=0.0, l2=0.0, *, start=None, steps=100_000, tolerance=1e-9):
    """The minimum of the objective by proximal gradient descent: (weights (p,), bias). The lasso for l2 = 0.

    x: (n, p), y: (n,). Starts at `start` or at zero, with the learning rate 1 / curvature, and stops when no weight
    moves by more than `tolerance` times the largest one in a step, or after `steps`. This is ISTA: Daubechies, Defrise
    and De Mol (2004); for elastic net's penalty see Zou and Hastie (2005), who call this solution naïve.
    Raises ValueError if the shapes don't fit or a strength is negative.
    """
    x, y, x_mean, y_mean = _centered(x, y, l1, l2)
    gram, target = x.T @ x / len(x), x.T @ y / len(x)  # all that the gradient needs: (p, p), (p,)
    learning_rate = 1 / (2 * np.linalg.eigvalsh(gram)[-1] + 1e-12)
    weights = np.zeros(x.shape[1]) if start is None else np.array(start, dtype=float)
    for _ in range(steps):
        before = weights
        weights = proximal_step(weights, 2 * (gram @ weights - target), learning_rate, l1, l2)
        if np.abs(weights - before).max() <= tolerance * np.abs(weights).max():
            break
    return weights, y_mean - x_mean @ weights


def corrected_elastic_net(x, y, l1, l2, **settings):
    """Zou and Hastie's (2005) elastic net: 1 + l2 times the naïve weights. Returns (weights (p,), bias).

    The factor is right for standardized features, whose mean square is 1. `settings` as in `elastic_net`.
    """
    weights, _ = elastic_net(x, y, l1, l2, **settings)
    weights = (1 + l2) * weights
    return weights, np.mean(y) - np.mean(x, axis=0) @ weights


def weight_path(x, y, strengths, mix=0.0):
    """The weights at each of `strengths` λ, for the penalty λ · [(1 - mix) Σ|w| + mix Σw²]: (len(strengths), p).

    mix 0 is the lasso and mix 1 ridge. Each solution starts where the one before it ended.
    """
    if not 0 <= mix <= 1:
        raise ValueError(f"mix is {mix}; give a number from 0 (lasso) to 1 (ridge)")
    path, weights = [], None
    for strength in strengths:
        if mix == 1:
            weights, _ = ridge(x, y, strength)
        else:
            weights, _ = elastic_net(x, y, strength * (1 - mix), strength * mix, start=weights)
        path.append(weights)
    return np.array(path)


def smallest_that_zeroes(x, y):
    """The least l1 at which the lasso keeps no feature: twice the largest |mean of x · y|, both centered."""
    x, y, _, _ = _centered(x, y, 0.0, 0.0)
    return float(2 * np.abs(x.T @ y / len(x)).max())


def k_folds(n, k, rng):
    """k pairs (training indices, validation indices) of n samples in random order; each sample is validated once."""
    if not 2 <= k <= n:
        raise ValueError(f"{k} folds of {n} samples; give at least 2 and at most one fold a sample")
    parts = np.array_split(rng.permutation(n), k)
    return [(np.concatenate(parts[:i] + parts[i + 1 :]), parts[i]) for i in range(k)]


def soft_threshold_callback(l1):
    """A Keras callback that makes plain SGD proximal: after each batch it soft-thresholds the kernel of every layer.

    l1: strength of the penalty; the threshold of a step is the learning rate times l1. Give the layers no L1 of their
    own. Only for `keras.optimizers.SGD` without momentum, whose step is the learning rate times the gradient; with
    others it is no longer the proximal step of the penalty. Raises TypeError when training starts with another one.
    """
    import keras

    class SoftThreshold(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            optimizer = self.model.optimizer
            if not isinstance(optimizer, keras.optimizers.SGD) or optimizer.momentum:
                raise TypeError("this callback needs keras.optimizers.SGD without momentum; compile the model with it")

        def on_train_batch_end(self, batch, logs=None):
            model = self.model
            threshold = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)) * l1
            for layer in model.layers:
                if hasattr(layer, "kernel"):
                    kernel = keras.ops.convert_to_numpy(layer.kernel)
                    layer.kernel.assign(soft_threshold(kernel, threshold).astype(kernel.dtype))

    return SoftThreshold()


def _centered(x, y, l1, l2):
    """x and y less their means, and the means: a bias without penalty takes up just these."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise ValueError(f"x has shape {x.shape} and y {y.shape}; give x as (n, p) and y as (n,)")
    if not (l1 >= 0 and l2 >= 0):
        raise ValueError(f"l1 is {l1} and l2 is {l2}; a strength is 0 or more")
    x_mean, y_mean = x.mean(axis=0), y.mean()
    return x - x_mean, y - y_mean, x_mean, y_mean
