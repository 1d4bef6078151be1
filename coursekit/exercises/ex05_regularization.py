"""The checks of notebook 05, Regularization."""

import warnings

import numpy as np

from coursekit.exercises import NOT_ATTEMPTED, exercise
from coursekit.exercises.answers import (
    CHANGED,
    beside,
    changed,
    close,
    compare_numbers,
    missing,
    numbers,
    parts_of,
    told_apart,
    word,
)


def _two(got, what):
    """The two parts of an answer as arrays of numbers, or a hint."""
    parts = parts_of(got, 2, stacked=True)
    arrays = [numbers(part) for part in parts or ()]
    if parts is None or any(array is None for array in arrays):
        return None, f"return two things, both numbers: {what}"
    return arrays, None


def _alike(got, right):
    """Whether two numbers agree as far as single precision and sums in another order let them."""
    return np.isclose(got, right, rtol=1e-4, atol=1e-6)


# --- 5.1 --------------------------------------------------------------------------------------------------------------
@exercise("5.1")
def check_bias_and_variance(bias_and_variance):
    """A function of (worlds, m) predictions and (m,) truths; the numbers of both differ, and are equal once."""
    rng = np.random.default_rng()
    for worlds, m in [(6, 4), (5, 5), (30, 3)]:
        truth = rng.normal(size=m)
        fitted = truth + _off_both_ways(rng, worlds, m)
        given = fitted.copy(), truth.copy()
        got = bias_and_variance(*given)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, (fitted, truth)):
            return CHANGED
        parts, hint = _two(got, "the squared bias and the variance")
        if hint := hint or _parts_hint(*parts, fitted, truth):
            return hint
    return None


def _off_both_ways(rng, worlds, m):
    """Errors (worlds, m), drawn until their means over the worlds have both signs, so that these can cancel."""
    while True:
        off = rng.permutation([1.0, -0.7, *rng.uniform(-1, 1, m - 2)])
        errors = off + rng.uniform(0.5, 3, size=m) * rng.normal(size=(worlds, m))
        bias = errors.mean(axis=0)
        if min(bias.max(), -bias.min()) > 0.1 and abs(bias.mean()) > 0.01:
            return errors


def _parts_hint(bias, variance, fitted, truth):
    if bias.size != 1 or variance.size != 1:
        return f"return two single numbers, means over the points; yours have shapes {bias.shape} and {variance.shape}"
    bias, variance = float(bias.ravel()[0]), float(variance.ravel()[0])
    mean = fitted.mean(axis=0)
    squared, spread, error = np.mean((mean - truth) ** 2), fitted.var(axis=0).mean(), np.mean((fitted - truth) ** 2)
    if _alike(bias, squared) and _alike(variance, spread):
        return None
    if _alike(bias, spread) and _alike(variance, squared):
        return "these are the right numbers in the wrong order: squared bias first"
    if _alike(bias, error):
        return "your bias² is the whole squared error: take the mean over the worlds before you square"
    if _alike(bias, np.mean(mean - truth)) or _alike(bias, np.abs(np.mean(mean - truth))):
        return "square the bias of each point before the mean over the points; otherwise plus and minus cancel"
    if _alike(bias, np.mean(mean - truth) ** 2):
        return "square first, then take the mean over the points: bias at one point must not cancel that at another"
    if _alike(bias, squared**0.5):
        return "that is the root of the squared bias; leave it squared"
    if _alike(bias, np.mean(np.abs(mean - truth))):
        return "square the bias of each point; you took its absolute value"
    for wrong, hint in {
        error: "your variance is the whole squared error: take the distance from the mean of the worlds, not from "
        "the truth",
        fitted.var(axis=1).mean(): "the variance is taken along the wrong axis: at each point, over the worlds",
        fitted.var(): "that is the variance of all predictions together; take it at each point, over the worlds",
        fitted.var(axis=0, ddof=1).mean(): "divide the variance by the number of worlds, not by one less: only so do "
        "the parts add up to the error",
        fitted.std(axis=0).mean(): "that is the standard deviation; the variance is its square",
        spread**0.5: "that is the root of the variance; leave it squared",
    }.items():
        if _alike(bias, squared) and _alike(variance, wrong):
            return hint
    which, right, yours = "squared bias", squared, bias
    if _alike(bias, squared):
        which, right, yours = "variance", spread, variance
    right, yours = told_apart(right, yours)
    return f"for {len(fitted)} worlds and {len(truth)} points the {which} should be {right}, yours is {yours}"


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
    otherwise = "not yet; go through section 4 with the numbers of the question"
    return compare_numbers(answer, _ON_PAPER, _SLIPS, otherwise, atol=1e-3)


# --- 5.3 --------------------------------------------------------------------------------------------------------------
@exercise("5.3")
def check_ridge_test_error(ridge_test_error):
    """A function of raw training and test sets. Features of very different scale, a test set that lies elsewhere."""
    rng = np.random.default_rng()
    for n, m, p in [(40, 15, 6), (25, 60, 4)]:
        *data, l2 = _ridge_data(rng, n, m, p)
        right, mistakes = _ridge(*data, l2), _ridge_mistakes(*data, l2)
        given = [array.copy() for array in data]
        got = ridge_test_error(*given, l2)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, data):
            return f"{CHANGED}; -= and /= write into an array"
        got = numbers(got)
        if got is None or got.size != 1:
            return f"the test error is one number; yours has the shape {np.shape(got)}" if got is not None else _NUMBER
        got = float(got.ravel()[0])
        if not np.isclose(got, right, rtol=_NEAR):
            mistakes += _ridge_slips(*data, l2)
            wrong, hint = min(mistakes, key=lambda mistake: abs(mistake[0] - got))  # two may give nearly the same
            if np.isclose(got, wrong, rtol=_NEAR):
                return hint
            right, got = told_apart(right, got)
            return f"the test error should be {right}, yours is {got}"
    return None


_NUMBER = "the test error is one number"
_NEAR = 1e-4  # float32 is nearer
_APART = 1e-2  # the data are such that the mistakes lie as far from what is right and from each other


def _ridge_data(rng, n, m, p):
    """x, y, x_new, y_new and a strength, drawn until no mistake gives nearly what is right, or what another gives."""
    while True:
        scales, centers = 10 ** rng.uniform(-2, 2, p), rng.normal(size=p)
        w = rng.normal(size=p) + np.sign(rng.normal(size=p))
        z, z_new = rng.normal(size=(n, p)) @ _mixing(rng, p), 1.0 + 2.0 * rng.normal(size=(m, p))
        y, y_new = ((one @ w + 8 + rng.normal(size=len(one))) / 4 for one in (z, z_new))
        data = (z + centers) * scales, y, (z_new + centers) * scales, y_new, rng.uniform(0.3, 0.6)
        values = np.sort([_ridge(*data), *(wrong for wrong, _ in _ridge_mistakes(*data))])
        if (np.diff(values) > _APART * values[1:]).all():
            return data


def _mixing(rng, p):
    return np.eye(p) + 0.3 * rng.normal(size=(p, p))


def _ridge(x, y, x_new, y_new, l2, scaled_by="train", free_bias=True, n_in_front=True, train_error=False, ddof=0):
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
        x = (x - base.mean(axis=0)) / base.std(axis=0, ddof=ddof)
        x_new = (x_new - base_new.mean(axis=0)) / base_new.std(axis=0, ddof=ddof)
    ones, ones_new = np.ones((len(x), 1)), np.ones((len(x_new), 1))
    x, x_new = np.concatenate([x, ones], axis=1), np.concatenate([x_new, ones_new], axis=1)
    price = l2 * np.eye(x.shape[1])
    if free_bias:
        price[-1, -1] = 0
    w = np.linalg.solve(x.T @ x + (len(x) if n_in_front else 1) * price, x.T @ y)
    return np.mean((x @ w - y) ** 2) if train_error else np.mean((x_new @ w - y_new) ** 2)


def _ridge_without_bias(x, y, x_new, y_new, l2, instead):
    """The test error where `instead` is taken from the targets, and given back, in the place of a fitted bias."""
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    x, x_new = (x - mean) / deviation, (x_new - mean) / deviation
    w = np.linalg.solve(x.T @ x + len(x) * l2 * np.eye(x.shape[1]), x.T @ (y - instead))
    return np.mean((x_new @ w + instead - y_new) ** 2)


_RIDGE_MISTAKES = [
    ({"scaled_by": "test"}, "mean and deviation come from the test set; they must come from the training set"),
    ({"scaled_by": "each"}, "the test set is scaled by its own mean and deviation; use those of the training set"),
    ({"scaled_by": "both"}, "mean and deviation are taken from training and test set together: the test set leaks"),
    ({"scaled_by": "none"}, "the features are not standardized: the penalty compares weights of different units"),
    ({"free_bias": False}, "λ is on the bias as well; the bias is not penalized"),
    ({"n_in_front": False}, "the loss is a mean, so λ stands beside XᵀX / n, not beside XᵀX"),
    ({"train_error": True}, "that is the error on the training set"),
]


def _ridge_mistakes(x, y, x_new, y_new, l2):
    """(what it gives, hint) for each likely mistake."""
    data = x, y, x_new, y_new
    found = [(_ridge(*data, l2, **mistake), hint) for mistake, hint in _RIDGE_MISTAKES]
    found.append((_ridge(*data, 0.0), "that is least squares without a penalty"))
    found.append((np.mean((y_new - y.mean()) ** 2), "that is the error of the mean alone"))
    return found


def _ridge_slips(x, y, x_new, y_new, l2):
    """The same for mistakes that may give nearly what another one gives."""
    right, half, twice = (_ridge(x, y, x_new, y_new, factor * l2) for factor in (1, 0.5, 2))
    return [
        (_ridge_without_bias(x, y, x_new, y_new, l2, 0.0), "the bias is missing: the targets' mean is not 0"),
        (
            _ridge_without_bias(x, y, x_new, y_new, l2, y_new.mean()),
            "the bias is the mean of the test targets; nothing may be learned from the test set",
        ),
        (_ridge(x, y, x_new, y_new, l2 * (len(x) - 1) / len(x)), "the mean over n samples divides by n, not by n - 1"),
        (
            _ridge(x, y, x_new, y_new, l2, ddof=1),
            "divide by the deviation with n below the root, as NumPy and StandardScaler do, not n - 1",
        ),
        (right**0.5, "take no root: the mean squared error is asked for"),
        (right * len(y_new), "that is the sum of the squared errors; take the mean"),
        (right / 2, "the mean squared error has no half"),
        (half, "λ counts half: both the loss and the penalty have a derivative with a 2, and these cancel"),
        (twice, "λ counts twice: both the loss and the penalty have a derivative with a 2, and these cancel"),
    ]


# --- 5.4 --------------------------------------------------------------------------------------------------------------
@exercise("5.4")
def check_proximal_step(proximal_step):
    """A function of weights, gradient and three numbers.

    Weights that end beyond the threshold and within it, of both signs; some cross zero, one starts there, one stays
    there, and one lies just beyond the threshold. At last one of the penalties is left out.
    """
    rng = np.random.default_rng()
    for p, left_out in [(9, ""), (13, ""), (9, "l1"), (10, "l2")]:
        rate, l1, l2 = rng.uniform(0.1, 0.5), rng.uniform(0.5, 2), rng.uniform(0.2, 2)
        w = rng.choice([-1, 1], p) * rng.uniform(0.2, 2, p)
        size = rng.choice([-1, 1], p) * np.where(rng.random(p) < 0.4, rng.uniform(0.1, 0.8, p), rng.uniform(1.3, 6, p))
        size[:4] = [0.4, -0.4, 4, -4]  # of the moved weight, in thresholds
        size[4:6] = -np.sign(w[4:6]) * [2, 3]  # across zero, and beyond the threshold
        size[7] *= 1.01 / abs(size[7])
        w[6] = w[8] = size[8] = 0
        moved = size * rate * l1
        gradient = (w - moved) / rate
        l1, l2 = 0.0 if left_out == "l1" else l1, 0.0 if left_out == "l2" else l2
        right, mistakes = _step(w, gradient, rate, l1, l2), _step_mistakes(w, gradient, rate, l1, l2)
        given = w.copy(), gradient.copy()
        got = proximal_step(*given, rate, l1, l2)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, (w, gradient)):
            return CHANGED
        got = numbers(got)
        if got is None:
            return f"return the new weights as an array, numbers of the shape {w.shape}"
        if got.shape != w.shape:
            return f"the new weights should be numbers of the shape {w.shape}; yours have {got.shape}"
        if not close(got, right):
            hints = [hint for wrong, hint in mistakes if close(got, wrong)]
            j = int(np.nan_to_num(np.abs(got - right), nan=np.inf).argmax())
            setting = f"at learning rate {rate:.2f}, l1 {l1:.2f} and l2 {l2:.2f}"
            wanted, yours = told_apart(right[j], got[j])
            became = f"should become {wanted}; yours becomes {yours}"
            other = f"a weight {w[j]:.3f} with gradient {gradient[j]:.3f}, {setting}, {became}"
            return hints[0] if hints else other
        if not np.array_equal(got == 0, right == 0):
            return "weights within the threshold must be exactly zero, not nearly"
    return None


def _soft(w, t):
    return np.sign(w) * np.maximum(np.abs(w) - t, 0)


def _step(w, gradient, rate, l1, l2):
    """The proximal step, weight by weight: another way than the page's."""
    new = []
    for moved in w - rate * gradient:
        left = max(abs(moved) - rate * l1, 0.0)
        new.append((left if moved > 0 else -left) / (1 + 2 * rate * l2))
    return np.array(new)


def _step_mistakes(w, gradient, rate, l1, l2):
    """(what it gives, hint) for each likely mistake."""
    moved, factor = w - rate * gradient, 1 + 2 * rate * l2
    both = rate * l1
    return [
        (_soft(w + rate * gradient, both) / factor, "you went up the loss: the gradient step has a minus"),
        (
            np.sign(w) * np.maximum(np.abs(moved) - both, 0) / factor,
            "take the sign of the moved weight, not of the old one: the gradient step may cross zero",
        ),
        (
            np.sign(moved) * np.maximum(np.abs(w) - both, 0) / factor,
            "the threshold is for the moved weight, whose size is |w - learning_rate * gradient|",
        ),
        (w - rate * (gradient + l1 * np.sign(w) + 2 * l2 * w), "this is the subgradient step, which leaves no zeros"),
        ((moved - both * np.sign(moved)) / factor, "weights smaller than the threshold jump over zero; stop them"),
        (_soft(moved, l1) / factor, "the threshold is the learning rate times l1"),
        (_soft(moved, both / 2) / factor, "the threshold is the learning rate times l1, here without a half"),
        (_soft(moved, both), "the L2 penalty is missing"),
        (moved / factor, "the L1 penalty is missing"),
        (_soft(moved, both) / (1 + rate * l2), "the derivative of w² is 2w: a 2 is missing in the division"),
        (_soft(moved, both) / (1 + 2 * l2), "the learning rate is missing in the division"),
        (_soft(moved / factor, both), "threshold first, then divide: the other way round the threshold is too large"),
        (_soft(moved, both) * (1 - 2 * rate * l2), "that is a gradient step on L2; the proximal step divides"),
        (_soft(w, both) / factor, "the gradient step on the loss is missing"),
        (_soft(w, both) / factor - rate * gradient, "the gradient step on the loss comes first, then the penalties"),
    ]


# --- 5.5 --------------------------------------------------------------------------------------------------------------
@exercise("5.5")
def check_to_scikit_learn(to_scikit_learn):
    """A function of a strength and a mix. Random ones and both ends."""
    rng = np.random.default_rng()
    for mix in (rng.uniform(0.15, 0.4), rng.uniform(0.6, 0.85), 0.0, 1.0):
        lam = 10 ** rng.uniform(-2, 2)
        got = to_scikit_learn(lam, mix)
        if missing(got):
            return NOT_ATTEMPTED
        parts, hint = _two(got, "alpha and l1_ratio")
        if hint := hint or _translation_hint(*parts, lam, mix):
            return hint
    return None


def _translation_hint(alpha, ratio, lam, mix):
    if alpha.size != 1 or ratio.size != 1:
        return f"return two single numbers; yours have shapes {alpha.shape} and {ratio.shape}"
    alpha, ratio = float(alpha.ravel()[0]), float(ratio.ravel()[0])
    l1, l2 = alpha * ratio, alpha * (1 - ratio)  # what stands before |w| and before w² / 2
    right = lam * (1 - mix) / 2, lam * mix
    if np.allclose([l1, l2], right, rtol=1e-4, atol=1e-6):
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
        if np.allclose([l1, l2], wrong, rtol=1e-4, atol=1e-6):
            return hint
    if any(np.allclose(pair, right, rtol=1e-4) for pair in ([alpha, ratio], [ratio, alpha])):
        return "alpha is the sum of both parts, and l1_ratio the share of the first"
    if np.allclose([ratio, alpha], [sum(right), right[0] / sum(right)], rtol=1e-4):
        return "these are the right numbers in the wrong order: alpha first"
    name, wanted, yours = "alpha · l1_ratio", right[0], l1
    if np.isclose(l1, right[0], rtol=1e-4, atol=1e-6):
        name, wanted, yours = "alpha · (1 - l1_ratio)", right[1], l2
    wanted, yours = told_apart(wanted, yours)
    return f"for λ = {lam:.3g}, α = {mix:.2f}: {name} should be {wanted}, yours is {yours}"


# --- 5.6 --------------------------------------------------------------------------------------------------------------
_CHOICES = ["L1", "L2", "elastic net", "none"]
_NAMES = {
    "l1": "L1", "lasso": "L1", "l2": "L2", "ridge": "L2", "elasticnet": "elastic net", "none": "none", "nothing": "none"
}  # fmt: skip
_WHY = [
    "few features carry the signal, and they are nearly uncorrelated",
    "many correlated features carry a little each, and nobody asks for a selection",
    "a selection is wanted, but whole groups of it",
    "with many clean samples for each weight there is no variance to lower",
]


@exercise("5.6")
def check_choices(answer):
    """Four words; beside others, None is "none"."""
    parts = parts_of(answer, len(_CHOICES), stacked=True)
    if parts is None:
        return 'give a list of four, each "none", "L1", "L2" or "elastic net"'
    if all(map(missing, parts)):
        return NOT_ATTEMPTED
    for number, (given, right, why) in enumerate(zip(parts, _CHOICES, _WHY, strict=True), start=1):
        if given is ...:
            return f"number {number} is still to do" + ("; the ones before it are right" if number > 1 else "")
        name = "none" if given is None else word(given)  # "ElasticNet", "elastic-net"
        if name not in _NAMES:
            return f'number {number}: choose among "none", "L1", "L2" and "elastic net"'
        if _NAMES[name] != right:
            return f"number {number}: {why}. Which method is made for that?"
    return None


# --- 5.7 --------------------------------------------------------------------------------------------------------------
SETS, FEATURES, MOST_KEPT, MARGIN = 6, 100, 20, 1.1
TRIALS = 4  # data sets are random: an answer that just misses the mark gets others, and the means are taken over all
DOUBT = 0.03  # about the standard error of the ratio over all trials: so much is forgiven in the last one


@exercise("5.7")
def check_sparse_model(sparse_model):
    """A function of samples. Several random data sets; errors are compared as means over all of them."""
    rng, seen = np.random.default_rng(), []
    for trial in range(TRIALS):
        for _ in range(SETS):
            found, hint = _on_one_set(sparse_model, rng)
            if hint is not None:
                return hint
            seen.append(found)
        doubt = DOUBT if trial == TRIALS - 1 else 0
        outcome, just_missed = _sparse_hint(*np.mean(seen, axis=0), MARGIN + doubt)
        if not just_missed:
            break
    return outcome


def _on_one_set(sparse_model, rng):
    """(what _sparse_hint takes the means of, None), or (None, NOT_ATTEMPTED or a hint)."""
    (x, y), (x_new, y_new) = _few_of_many(rng)
    given = x.copy(), y.copy()
    got = sparse_model(*given)
    if missing(got):
        return None, NOT_ATTEMPTED
    if changed(given, (x, y)):
        return None, CHANGED
    parts, hint = _two(got, "the weights and the bias")
    if hint:
        return None, hint
    weights, bias = parts[0].reshape(-1), parts[1].reshape(-1)
    if weights.shape != (FEATURES,) or bias.shape != (1,):
        shapes = f"{parts[0].shape} and {parts[1].shape}"
        return None, f"weights ({FEATURES},) and one bias, please; yours have {shapes}"
    if not np.isfinite(weights).all() or not np.isfinite(bias).all():
        return None, "weights and bias should be finite numbers; there is a NaN or an infinity among yours"
    errors, spread = x_new @ weights + bias - y_new, np.var(y_new)
    lasso = _lasso_error(x, y, x_new, y_new)
    return ((weights != 0).sum(), np.mean(errors**2) / spread, np.var(errors) / spread, lasso / spread), None


def _sparse_hint(kept, error, centered, lasso, margin):
    """(None or a hint; whether other data sets might be kinder).

    centered: the error with the best bias. All errors are shares of the targets' variance, means over the data sets.
    """
    if kept > MOST_KEPT:
        small = (
            "; are they small instead of exactly zero?" if kept > 80 else "; cut the smallest, and fit the rest again"
        )
        counted = beside(kept, MOST_KEPT, 0)
        return f"on average {counted} weights are not zero, {MOST_KEPT} are allowed{small}", kept < MOST_KEPT + 4
    if error > 2 and centered > 0.9:
        return "the error is larger than the targets' own variance: are the weights meant for the raw features?", False
    ratio = error / lasso
    if ratio > MARGIN + 0.15 and centered / lasso <= MARGIN:
        return "the weights would do, but the bias is off: is it meant for raw features?", False
    if ratio > margin:
        times = beside(ratio, MARGIN, 2)
        hint = f"sparse enough, but the error is {times} times that of LassoCV; at most {MARGIN} is allowed"
        return hint, ratio < MARGIN + 0.15
    return None, False


def _few_of_many(rng, n=80, p=FEATURES):
    """Two sets (x, y). Five features matter, and ten are correlated with one of them; scales differ.

    Two pairs of the five are correlated and pull against each other, so that a feature's correlation with the target
    does not say whether it matters.
    """
    order, scales, centers = rng.permutation(p), 10 ** rng.uniform(-2, 2, p), 3 * rng.normal(size=p)
    w = rng.choice([-1, 1], 5) * rng.uniform(1, 2, 5)
    w[[1, 3]] = -np.sign(w[[0, 2]]) * np.abs(w[[1, 3]])
    sets = []
    for size in (n, 2000):
        z = rng.normal(size=(size, p))
        z[:, [1, 3]] = 0.7 * z[:, [0, 2]] + 0.51**0.5 * z[:, [1, 3]]
        z[:, 5:15] = 0.6 * np.repeat(z[:, :5], 2, axis=1) + 0.8 * z[:, 5:15]
        y = z[:, :5] @ w + 20 + rng.normal(size=size)
        sets.append((((z + centers) * scales)[:, order], y))
    return sets


def _lasso_error(x, y, x_new, y_new):
    from sklearn.linear_model import LassoCV

    mean, deviation = x.mean(axis=0), x.std(axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LassoCV(cv=5, eps=0.01).fit((x - mean) / deviation, y)  # weaker penalties are slow, and never chosen
    return np.mean((model.predict((x_new - mean) / deviation) - y_new) ** 2)
