"""The checks of notebook 05, Regularization."""

import warnings

import numpy as np

from coursekit.arrays import as_array
from coursekit.exercises import NOT_ATTEMPTED, exercise
from coursekit.exercises.answers import compare_numbers, missing, numbers, parts_of


def _two(got, what):
    """The two parts of an answer as arrays of numbers, or a hint."""
    parts = parts_of(got, 2, stacked=True)
    arrays = [numbers(part) for part in parts or ()]
    if parts is None or any(array is None for array in arrays):
        return None, f"return two things, both numbers: {what}"
    return arrays, None


# --- 5.1 --------------------------------------------------------------------------------------------------------------
@exercise("5.1")
def check_bias_and_variance(bias_and_variance):
    """A function of (worlds, m) predictions and (m,) truths; the numbers of both differ, and are equal once."""
    rng = np.random.default_rng()
    for worlds, m in [(6, 4), (5, 5), (30, 3)]:
        truth = rng.normal(size=m)
        spread = rng.uniform(0.5, 3, size=m)
        fitted = truth + rng.normal(size=m) + spread * rng.normal(size=(worlds, m))
        got = bias_and_variance(fitted.copy(), truth.copy())
        if missing(got):
            return NOT_ATTEMPTED
        parts, hint = _two(got, "the squared bias and the variance")
        if hint := hint or _parts_hint(*parts, fitted, truth):
            return hint
    return None


def _parts_hint(bias, variance, fitted, truth):
    if bias.shape or variance.shape:
        return f"return two single numbers, means over the points; yours have shapes {bias.shape} and {variance.shape}"
    mean = fitted.mean(axis=0)
    squared, spread, error = np.mean((mean - truth) ** 2), fitted.var(axis=0).mean(), np.mean((fitted - truth) ** 2)
    if np.isclose(bias, squared) and np.isclose(variance, spread):
        return None
    if np.isclose(bias, spread) and np.isclose(variance, squared):
        return "these are the right numbers in the wrong order: squared bias first"
    if np.isclose(bias, error):
        return "your bias² is the whole squared error: take the mean over the worlds before you square"
    if np.isclose(bias, np.mean(mean - truth)) or np.isclose(bias, np.abs(np.mean(mean - truth))):
        return "square the bias of each point before the mean over the points; otherwise plus and minus cancel"
    if np.isclose(bias, np.mean(mean - truth) ** 2):
        return "square first, then take the mean over the points: bias at one point must not cancel that at another"
    if np.isclose(bias, squared) and np.isclose(variance, fitted.var(axis=1).mean()):
        return "the variance is taken along the wrong axis: at each point, over the worlds"
    if np.isclose(bias, squared) and np.isclose(variance, fitted.var()):
        return "that is the variance of all predictions together; take it at each point, over the worlds"
    if np.isclose(bias, squared) and np.isclose(variance, fitted.var(axis=0, ddof=1).mean()):
        return "divide the variance by the number of worlds, not by one less: only so do the parts add up to the error"
    if np.isclose(bias, squared) and np.isclose(variance, fitted.std(axis=0).mean()):
        return "that is the standard deviation; the variance is its square"
    which = "squared bias" if not np.isclose(bias, squared) else "variance"
    return f"the {which} is not right for {fitted.shape[0]} worlds and {fitted.shape[1]} points"


# --- 5.2 --------------------------------------------------------------------------------------------------------------
_ON_PAPER = {"number 1": 7, "number 2": 25, "number 3": 5, "number 4": 0.36, "number 5": 1}
_SLIPS = {
    "number 1": {
        -1: "the taxicab norm adds absolute values",
        5: "that is the length as the crow flies; the taxicab drives along the streets",
    },
    "number 2": {
        5: "that is the length; the question asks for its square",
        7: "that is the L1 norm",
        -7: "a square is never negative",
    },
    "number 3": {
        10: "a step is the learning rate times λ: 0.2",
    },
    "number 4": {
        0.6: "one step is right; two are asked for",
        0.64: "the derivative of w² is 2w, so a step takes away 2 · 0.1 · 2 of the weight",
        0.2: "an L2 step takes a share of what is left, not always the same amount",
    },
    "number 5": {
        3: "that is the minimum of the loss alone",
        -1: "4 is not the threshold: the derivative of the square is 2(w - 3)",
        0: "for w > 0 set the derivative 2(w - 3) + 4 to zero",
        0.6: "that is what an L2 penalty of 4w² would give",
    },
}


@exercise("5.2")
def check_on_paper(answer):
    """Five numbers."""
    otherwise = "not yet; go through section 5 with the numbers of the question"
    return compare_numbers(answer, _ON_PAPER, _SLIPS, otherwise, atol=1e-3)


# --- 5.3 --------------------------------------------------------------------------------------------------------------
@exercise("5.3")
def check_ridge_test_error(ridge_test_error):
    """A function of raw training and test sets. Features of very different scale, a test set that lies elsewhere."""
    rng = np.random.default_rng()
    for n, m, p in [(40, 15, 6), (25, 60, 4)]:
        scales, centers = 10 ** rng.uniform(-2, 2, p), rng.normal(size=p)
        w = rng.normal(size=p) + np.sign(rng.normal(size=p))
        z, z_new = rng.normal(size=(n, p)), 1.0 + 2.0 * rng.normal(size=(m, p))
        z, z_new = z @ _mixing(rng, p), z_new
        y, y_new = z @ w + 8 + rng.normal(size=n), z_new @ w + 8 + rng.normal(size=m)
        x, x_new = (z + centers) * scales, (z_new + centers) * scales
        l2 = rng.uniform(0.3, 0.6)
        given = [x.copy(), y.copy(), x_new.copy(), y_new.copy()]
        got = ridge_test_error(*given, l2)
        if missing(got):
            return NOT_ATTEMPTED
        got = as_array(got).astype(float)
        if got.shape:
            return f"the test error is one number; yours has the shape {got.shape}"
        if any(not np.array_equal(a, b) for a, b in zip(given, [x, y, x_new, y_new], strict=True)):
            return "the data that were handed in have changed: make new arrays, and avoid -= and /= on them"
        if hint := _ridge_hint(float(got), x, y, x_new, y_new, l2):
            return hint
    return None


def _mixing(rng, p):
    return np.eye(p) + 0.3 * rng.normal(size=(p, p))


def _ridge(x, y, x_new, y_new, l2, scaled_by="train", free_bias=True, n_in_front=True, train_error=False):
    """The test error; the keywords make the usual mistakes."""
    both = np.concatenate([x, x_new])
    base, base_new = {
        "train": (x, x),
        "test": (x_new, x_new),
        "each": (x, x_new),
        "both": (both, both),
        "none": (None, None),
    }[scaled_by]
    if base is not None:
        x = (x - base.mean(axis=0)) / base.std(axis=0)
        x_new = (x_new - base_new.mean(axis=0)) / base_new.std(axis=0)
    ones, ones_new = np.ones((len(x), 1)), np.ones((len(x_new), 1))
    x, x_new = np.concatenate([x, ones], axis=1), np.concatenate([x_new, ones_new], axis=1)
    price = l2 * np.eye(x.shape[1])
    if free_bias:
        price[-1, -1] = 0
    w = np.linalg.solve(x.T @ x + (len(x) if n_in_front else 1) * price, x.T @ y)
    return np.mean((x @ w - y) ** 2) if train_error else np.mean((x_new @ w - y_new) ** 2)


_RIDGE_MISTAKES = [
    ({"scaled_by": "test"}, "mean and deviation come from the test set; they must come from the training set"),
    ({"scaled_by": "each"}, "the test set is scaled by its own mean and deviation; use those of the training set"),
    ({"scaled_by": "both"}, "mean and deviation are taken from training and test set together: the test set leaks"),
    ({"scaled_by": "none"}, "the features are not standardized: the penalty compares weights of different units"),
    ({"free_bias": False}, "λ is on the bias as well; the bias is not penalized"),
    ({"n_in_front": False}, "the loss is a mean, so λ stands beside XᵀX / n, not beside XᵀX"),
    ({"train_error": True}, "that is the error on the training set"),
]


def _ridge_hint(got, *data):
    if np.isclose(got, _ridge(*data), rtol=1e-6):
        return None
    for mistake, hint in _RIDGE_MISTAKES:
        if np.isclose(got, _ridge(*data, **mistake), rtol=1e-6):
            return hint
    if np.isclose(got, _ridge(*data[:4], 0.0), rtol=1e-6):
        return "that is least squares without a penalty"
    if np.isclose(got, np.mean((data[3] - data[1].mean()) ** 2), rtol=1e-6):
        return "that is the error of the mean alone"
    return f"the test error should be {_ridge(*data):.4g}, yours is {got:.4g}"


# --- 5.4 --------------------------------------------------------------------------------------------------------------
@exercise("5.4")
def check_proximal_step(proximal_step):
    """A function of weights, gradient and three numbers. Some weights end beyond the threshold, some within."""
    rng = np.random.default_rng()
    for p in (8, 13):
        w, gradient = rng.normal(size=p), rng.normal(size=p)
        rate, l1, l2 = rng.uniform(0.1, 0.5), rng.uniform(0.5, 2), rng.uniform(0.2, 2)
        w[:2] = np.array([0.3, -0.3]) * rate * l1 + rate * gradient[:2]  # these two become zero
        far = 4 * rate * l1 * (1 + 2 * rate * l2)
        w[2:4] = np.array([far, -far]) + rate * gradient[2:4]  # and these two don't
        given = w.copy(), gradient.copy()
        got = proximal_step(*given, rate, l1, l2)
        if missing(got):
            return NOT_ATTEMPTED
        got = as_array(got).astype(float)
        if got.shape != w.shape:
            return f"the new weights should have the shape {w.shape}; yours have {got.shape}"
        if not np.array_equal(given[0], w):
            return "the weights that were handed in have changed: return new ones"
        if hint := _proximal_hint(got, w, gradient, rate, l1, l2):
            return hint
    return None


def _soft(w, t):
    return np.sign(w) * np.maximum(np.abs(w) - t, 0)


def _proximal_hint(got, w, gradient, rate, l1, l2):
    moved, factor = w - rate * gradient, 1 + 2 * rate * l2
    right = _soft(moved, rate * l1) / factor
    if np.allclose(got, right) and np.array_equal(got == 0, right == 0):
        return None
    mistakes = [
        (_soft(w + rate * gradient, rate * l1) / factor, "you went up the loss: the gradient step has a minus"),
        (w - rate * (gradient + l1 * np.sign(w) + 2 * l2 * w), "this is the subgradient step, which leaves no zeros"),
        ((moved - rate * l1 * np.sign(moved)) / factor, "weights smaller than the threshold jump over zero; stop them"),
        (_soft(moved, l1) / factor, "the threshold is the learning rate times l1"),
        (_soft(moved, rate * l1 / 2) / factor, "the threshold is the learning rate times l1, here without a half"),
        (_soft(moved, rate * l1), "the L2 penalty is missing"),
        (_soft(moved, rate * l1) / (1 + rate * l2), "the derivative of w² is 2w: a 2 is missing in the division"),
        (_soft(moved, rate * l1) / (1 + 2 * l2), "the learning rate is missing in the division"),
        (
            _soft(moved / factor, rate * l1),
            "threshold first, then divide: the other way round the threshold is too large",
        ),
        (_soft(moved, rate * l1) * (1 - 2 * rate * l2), "that is a gradient step on L2; the proximal step divides"),
        (_soft(w, rate * l1) / factor, "the gradient step on the loss is missing"),
    ]
    for wrong, hint in mistakes:
        if np.allclose(got, wrong):
            return hint
    if np.allclose(got, right):
        return "weights within the threshold must be exactly zero, not nearly"
    return f"for learning rate {rate:.2f}, l1 {l1:.2f}, l2 {l2:.2f} the weights should be {right.round(3)}"


# --- 5.5 --------------------------------------------------------------------------------------------------------------
@exercise("5.5")
def check_to_scikit_learn(to_scikit_learn):
    """A function of a strength and a mix. Random ones and both ends."""
    rng = np.random.default_rng()
    for mix in (rng.uniform(0.15, 0.4), rng.uniform(0.6, 0.85), 0.0, 1.0):
        lam = rng.uniform(0.2, 5)
        got = to_scikit_learn(lam, mix)
        if missing(got):
            return NOT_ATTEMPTED
        parts, hint = _two(got, "alpha and l1_ratio")
        if hint := hint or _translation_hint(*parts, lam, mix):
            return hint
    return None


def _translation_hint(alpha, ratio, lam, mix):
    if alpha.shape or ratio.shape:
        return f"return two single numbers; yours have shapes {alpha.shape} and {ratio.shape}"
    l1, l2 = float(alpha * ratio), float(alpha * (1 - ratio))  # what stands before |w| and before w² / 2
    right = lam * (1 - mix) / 2, lam * mix
    if np.allclose([l1, l2], right):
        return None
    mistakes = [
        (
            (lam * mix / 2, lam * (1 - mix)),
            "it runs the wrong way: α = 0 is the lasso here, l1_ratio = 0 is ridge there",
        ),
        ((lam * mix, lam * (1 - mix)), "l1_ratio runs the other way than α: α = 0 is the lasso, whose l1_ratio is 1"),
        ((lam * (1 - mix), lam * mix), "scikit-learn halves the squared error, we don't; so halve our penalty too"),
        ((lam * (1 - mix) / 2, lam * mix / 2), "scikit-learn halves w² itself, so our λα is not halved once more"),
        ((lam * (1 - mix), 2 * lam * mix), "w² has its half; the half of the squared error is missing"),
    ]
    for wrong, hint in mistakes:
        if np.allclose([l1, l2], wrong):
            return hint
    if np.isclose(ratio, right[0], rtol=1e-6) and np.isclose(alpha, right[1], rtol=1e-6):
        return "alpha is the sum of both parts, and l1_ratio the share of the first"
    return f"for λ = {lam:.2f}, α = {mix:.2f}: alpha · l1_ratio should be {right[0]:.3f}, yours is {l1:.3f}"


# --- 5.6 --------------------------------------------------------------------------------------------------------------
_CHOICES = ["L1", "L2", "elastic net", "none"]
_WHY = [
    "few features carry the signal, and they are nearly uncorrelated",
    "many correlated features carry a little each, and nobody asks for a selection",
    "a selection is wanted, but whole groups of it",
    "with many clean samples for each weight there is no variance to lower",
]


@exercise("5.6")
def check_choices(answer):
    """Four words."""
    if not isinstance(answer, (list, tuple)) or len(answer) != len(_CHOICES):
        return 'give a list of four, each "none", "L1", "L2" or "elastic net"'
    if all(map(missing, answer)):
        return NOT_ATTEMPTED
    for number, (given, right, why) in enumerate(zip(answer, _CHOICES, _WHY, strict=True), start=1):
        if missing(given):
            return f"number {number} is still to do; the ones before it are right"
        name = str(given).strip().lower().replace("_", " ")
        if name not in [choice.lower() for choice in _CHOICES]:
            return f'number {number}: choose among "none", "L1", "L2" and "elastic net"'
        if name != right.lower():
            return f"number {number}: {why}. Which method is made for that?"
    return None


# --- 5.7 --------------------------------------------------------------------------------------------------------------
SETS, MOST_KEPT, MARGIN = 6, 30, 1.25
TRIALS = 3  # data sets are random: an answer that just misses the mark gets others


@exercise("5.7")
def check_sparse_model(sparse_model):
    """A function of samples. Several random data sets; errors are compared as means over all of them."""
    rng = np.random.default_rng()
    for _ in range(TRIALS):
        outcome, just_missed = _trial(sparse_model, rng)
        if not just_missed:
            break
    return outcome


def _trial(sparse_model, rng):
    """(None, NOT_ATTEMPTED or a hint; whether other data sets might have been kinder)."""
    mine, lasso, kept = [], [], []
    for _ in range(SETS):
        (x, y), (x_new, y_new) = _few_of_many(rng)
        got = sparse_model(x.copy(), y.copy())
        if missing(got):
            return NOT_ATTEMPTED, False
        parts, hint = _two(got, "the weights and the bias")
        if hint:
            return hint, False
        weights, bias = parts[0].reshape(-1), parts[1].reshape(-1)
        if weights.shape != (60,) or bias.shape != (1,):
            return f"weights (60,) and one bias, please; yours have {parts[0].shape} and {parts[1].shape}", False
        mine.append(np.mean((x_new @ weights + bias - y_new) ** 2) / np.var(y_new))
        lasso.append(_lasso_error(x, y, x_new, y_new) / np.var(y_new))
        kept.append((weights != 0).sum())
    return _sparse_hint(np.mean(kept), np.mean(mine), np.mean(mine) / np.mean(lasso))


def _sparse_hint(kept, error, ratio):
    if kept > MOST_KEPT:
        small = "; are they small instead of exactly zero?" if kept > 50 else ""
        return f"on average {kept:.0f} weights are not zero, {MOST_KEPT} are allowed{small}", kept < MOST_KEPT + 6
    if not np.isfinite(ratio) or error > 2:
        return "the error is larger than the targets' own variance: are the weights meant for the raw features?", False
    if ratio > MARGIN:
        hint = f"sparse enough, but the error is {ratio:.2f} times that of LassoCV; at most {MARGIN} is allowed"
        return hint, ratio < MARGIN + 0.25
    return None, False


def _few_of_many(rng, n=80, p=60):
    """Two sets (x, y): five features matter, ten are correlated with one of them, scales differ."""
    order, scales, centers = rng.permutation(p), 10 ** rng.uniform(-2, 2, p), 3 * rng.normal(size=p)
    w = rng.choice([-1, 1], 5) * rng.uniform(1, 2, 5)
    sets = []
    for size in (n, 2000):
        z = rng.normal(size=(size, p))
        z[:, 5:15] = 0.6 * np.repeat(z[:, :5], 2, axis=1) + 0.8 * z[:, 5:15]
        y = z[:, :5] @ w + 20 + 1.5 * rng.normal(size=size)
        sets.append((((z + centers) * scales)[:, order], y))
    return sets


def _lasso_error(x, y, x_new, y_new):
    from sklearn.linear_model import LassoCV

    mean, deviation = x.mean(axis=0), x.std(axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LassoCV(cv=5, eps=0.01).fit((x - mean) / deviation, y)  # weaker penalties are slow, and never chosen
    return np.mean((model.predict((x_new - mean) / deviation) - y_new) ** 2)
