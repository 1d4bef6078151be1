"""Penalties on weights, and the steps that make weights small or exactly zero. Born in notebook 05, Regularization.

Everywhere the objective is Keras's: the mean squared error plus `l1` times the sum of |w| and `l2` times that of w²,

    mean((y - x @ w - b)**2) + l1 * sum(|w|) + l2 * sum(w**2),

and the bias b is never penalized. scikit-learn scales the same objective otherwise: `Lasso(alpha=l1 / 2)`,
`Ridge(alpha=n * l2)`, and `ElasticNet(alpha=l1 / 2 + l2, l1_ratio=(l1 / 2) / (l1 / 2 + l2))`.
Penalties compare weights with each other, so standardize the features first.
"""

import warnings

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


def minimum(curvature, center, l1=0.0, l2=0.0, steps=200):
    """The weights (p,) of least (w - center)ᵀ curvature (w - center) + l1 Σ|w| + l2 Σw², by proximal steps.

    curvature: (p, p), symmetric with positive eigenvalues; center: (p,), the weights of least loss.
    """
    curvature, center = np.asarray(curvature, dtype=float), np.asarray(center, dtype=float)
    learning_rate, weights = 1 / (2 * np.linalg.eigvalsh(curvature)[-1]), np.zeros(len(center))
    for _ in range(steps):
        weights = proximal_step(weights, 2 * curvature @ (weights - center), learning_rate, l1, l2)
    return weights


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


def best_on_validation(x, y, x_val, y_val, mix, *, corrected=False, strengths=16):
    """Fit one path of weights and take the λ of least validation error: (weights (p,), bias, that error).

    x: (n, p) and y: (n,), x_val and y_val for the choice, all of them raw. Features and targets are standardized by the
    mean and the standard deviation of x and y alone, and weights and bias are given back for raw features. The penalty
    on the standardized weights is λ · [(1 - mix) Σ|w| + mix Σw²], for `strengths` values of λ; with `corrected` each
    solution is multiplied by 1 + λ · mix (Zou and Hastie, 2005). scikit-learn's coordinate descent does the work. Where
    mix is None there is no penalty: least squares.
    """
    x, y, x_mean, y_mean = _centered(x, y, 0.0, 0.0)
    unit, y_unit = _spread(x), float(_spread(y))
    x, y = x / unit, y / y_unit
    if mix is None:
        path = np.linalg.lstsq(x, y, rcond=None)[0][None]
    else:
        path, chosen = _fast_path(x, y, mix, strengths)
    if corrected:
        path = (1 + chosen * mix)[:, None] * path
    weights = path / unit * y_unit  # (strengths, p), for raw features
    biases = y_mean - weights @ x_mean
    errors = np.mean((np.asarray(x_val) @ weights.T + biases - np.asarray(y_val)[:, None]) ** 2, axis=0)
    best = int(errors.argmin())
    return weights[best], biases[best], float(errors[best])


def _spread(values):
    """Standard deviations, and 1 where nothing varies."""
    deviation = values.std(axis=0)
    return np.where(deviation > 0, deviation, 1.0)


def _fast_path(x, y, mix, size):
    """(weights (size, p), λ (size,)), from strong to weak, for standardized x and y."""
    from sklearn.linear_model import enet_path

    if mix == 1:
        strengths = np.logspace(2, -3, size)
        return np.array([ridge(x, y, strength)[0] for strength in strengths]), strengths
    strengths = smallest_that_zeroes(x, y) / (1 - mix) * np.logspace(0, -3.5, size)
    on_both = (1 - mix) / 2 + mix  # scikit-learn's alpha for λ = 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where the last digit is not reached
        settings = {"l1_ratio": (1 - mix) / 2 / on_both, "alphas": strengths * on_both, "tol": 1e-5, "max_iter": 2000}
        return enet_path(x, y, **settings)[1].T, strengths


def data_of_kind(kind, rng, sizes=(60, 60, 1000)):
    """Three data sets (x (n, 40), y (n,)): to train, to validate and, without noise in y, to test.

    kind: words with commas between them, such as "sparse, correlated, few". sparse: nine of ten entries are 0; dense:
    none. correlated: the features come in eight groups of five, with correlation 0.9 within a group. few: 3 of the 40
    features carry the signal; many: all of them; each with the same weight. The signal has the standard deviation 1 and
    the noise 0.7. Raises ValueError for other words.
    """
    words = set(kind.split(", "))
    if words - {"dense", "sparse", "correlated", "few", "many"}:
        raise ValueError(f"{kind!r} is no kind of data; use the words dense or sparse, correlated, and few or many")
    dense, correlated = "sparse" not in words, "correlated" in words
    w = np.zeros(40)
    w[rng.permutation(40)[: 3 if "few" in words else 40]] = 1.0
    inputs = []
    for n in sizes:
        x, shown = rng.normal(size=(n, 40)), rng.random((n, 40)) < 0.1
        if correlated:
            x = np.sqrt(0.1) * x + np.sqrt(0.9) * np.repeat(rng.normal(size=(n, 8)), 5, axis=1)
            shown = np.repeat(shown[:, ::5], 5, axis=1)  # a group is shown as a whole
        inputs.append(x if dense else x * shown)
    unit = np.std(inputs[-1] @ w)
    noise = [0.7, 0.7, 0.0]
    return [(x, x @ w / unit + size * rng.normal(size=len(x))) for x, size in zip(inputs, noise, strict=True)]


def zou_hastie_example(number, n, rng):
    """One of the four simulated examples of Zou and Hastie (2005), section 5: x (n, p), y (n,) and y without noise.

    1: three of eight features matter. 2: all eight matter a little. 3: twenty of forty, all of them correlated.
    4: three groups of five near copies, and 25 features that don't matter.
    """
    if number not in (1, 2, 3, 4):
        raise ValueError(f"there are examples 1 to 4, not {number}")
    if number <= 2:
        w = np.array([3, 1.5, 0, 0, 2, 0, 0, 0]) if number == 1 else np.full(8, 0.85)
        correlation = 0.5 ** np.abs(np.arange(8)[:, None] - np.arange(8))
        x, noise = rng.normal(size=(n, 8)) @ np.linalg.cholesky(correlation).T, 3
    elif number == 3:
        w, noise = np.repeat([0.0, 2, 0, 2], 10), 15
        x = rng.normal(size=(n, 40)) + rng.normal(size=(n, 1))
    else:
        w, noise = np.r_[np.full(15, 3.0), np.zeros(25)], 15
        x = rng.normal(size=(n, 40))
        x[:, :15] = np.repeat(rng.normal(size=(n, 3)), 5, axis=1) + 0.1 * rng.normal(size=(n, 15))
    return x, x @ w + noise * rng.normal(size=n), x @ w


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


def shifted(images, rng):
    """Each image (n, height, width), or (n, height * width) of a square one, moved by up to a pixel in each direction.

    What leaves on one side comes back on the other: use it for images with an empty border.
    """
    images = np.asarray(images)
    side = round(images.shape[1] ** 0.5)
    squares = images.reshape(-1, side, side) if images.ndim == 2 else images
    moves = rng.integers(-1, 2, size=(len(images), 2))
    moved = [np.roll(image, move, axis=(0, 1)) for image, move in zip(squares, moves, strict=True)]
    return np.stack(moved).reshape(images.shape)


def noisy_sample(images, labels, wrong, rng, sizes=(200, 100, 2000)):
    """Rows to train, to validate and to test, at random: x, y, x_val, y_val, x_new, y_new.

    A share `wrong` of the labels to train and to validate is replaced by a class at random, which may be the right one.
    """
    first, second = sizes[0], sizes[0] + sizes[1]
    rows = rng.permutation(len(images))[: sum(sizes)]
    x, y = images[rows], np.array(labels)[rows]
    replaced = np.flatnonzero(rng.random(second) < wrong)
    y[replaced] = rng.integers(0, int(np.max(labels)) + 1, len(replaced))
    return x[:first], y[:first], x[first:second], y[first:second], x[second:], y[second:]


def restart(model, rng):
    """Give a compiled Keras model new weights, and an optimizer that has forgotten what it kept.

    Kernels are drawn from Glorot's uniform distribution (notebook 04), biases are 0. It is faster than a new model,
    which would be traced and compiled again.
    """
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            limit = np.sqrt(6 / sum(layer.kernel.shape))
            layer.kernel.assign(rng.uniform(-limit, limit, layer.kernel.shape))
            layer.bias.assign(np.zeros(layer.bias.shape))
    for variable in model.optimizer.variables:
        if "learning_rate" not in variable.path:
            variable.assign(np.zeros(variable.shape))


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
