"""The checks of notebook 02, Broadcasting."""

import tracemalloc

import numpy as np

from coursekit.arrays import as_array
from coursekit.exercises import NOT_ATTEMPTED, exercise, what_it_raised
from coursekit.exercises.answers import CHANGED, changed, close, missing, numbers, worst_entry


def _wrong_shape(got, expected, sizes):
    """A hint if `got` has another shape than `expected`, else None. `sizes` says in words what the call was."""
    if got.shape == expected.shape:
        return None
    if got.shape == expected.T.shape:
        return f"transposed: for {sizes} the shape should be {expected.shape}, yours is {got.shape}"
    return f"for {sizes} the shape should be {expected.shape}, yours is {got.shape}"


# --- 2.1 --------------------------------------------------------------------------------------------------------------
PAIRS = [((5, 3), (3,)), ((5, 3), (5,)), ((7, 1), (7,)), ((8, 1, 6), (4, 1))]
_MISTAKES = {  # number of the pair, wrong answer: hint
    (1, "error"): "the 3 stands below the 3, and the axis that is missing counts as 1",
    (2, (5, 3)): "align from the right: the 5 stands below the 3, not below the 5",
    (3, (7,)): "the missing axis of (7,) is on the left and counts as 1: a column meets a row",
    (3, (7, 1)): "the missing axis of (7,) is on the left, not on the right: a column meets a row",
    (3, "error"): "7 stands below 1, which is allowed, and the missing axis counts as 1",
    (4, "error"): "go through the axes from the right: 6 and 1, 1 and 4, 8 and a missing one. Which of them fails?",
    (4, (8, 1, 6)): "the 1 in the middle of the first shape is stretched, too",
}


@exercise("2.1")
def check_shapes(answer):
    """Four shapes, or the word "error"."""
    if not isinstance(answer, (list, tuple)) or len(answer) != len(PAIRS):
        return 'give a list of four: each a shape, such as (2, 3), or the word "error"'
    if all(map(missing, answer)):
        return NOT_ATTEMPTED
    for number, (given, pair) in enumerate(zip(answer, PAIRS, strict=True), start=1):
        if missing(given):
            return f"number {number} is still to do; the ones before it are right"
        try:
            right = np.broadcast_shapes(*pair)
        except ValueError:
            right = "error"
        given = _shape_or_error(given)
        if isinstance(given, int):
            return f"number {number}: a shape is a tuple; one with a single axis is written ({given},)"
        if given is None:
            return f'number {number}: write a tuple of whole numbers, such as (2, 3), or the word "error"'
        if given != right:
            hint = _MISTAKES.get((number, given), "write the two shapes one below the other, aligned from the right")
            return f"number {number}, {pair[0]} and {pair[1]}: {hint}"
    return None


def _shape_or_error(given):
    """A shape as a tuple, a single size as an int, "error", or None for what is none of these."""
    if isinstance(given, str):
        return "error" if given.strip().lower() in ("error", "valueerror") else None
    sizes = numbers(list(given) if hasattr(given, "__iter__") and getattr(given, "ndim", 1) else given)
    if sizes is None or sizes.ndim > 1 or not np.isfinite(sizes).all() or (sizes != sizes.round()).any():
        return None
    return tuple(int(size) for size in sizes) if sizes.ndim else int(sizes)


# --- 2.2 --------------------------------------------------------------------------------------------------------------
@exercise("2.2")
def check_one_hot(one_hot):
    """A function of labels and the number of classes; some classes have no label: the last, the first, one between.

    Two classes and more than ten, too.
    """
    rng = np.random.default_rng()
    for n, absent, fixed in [(9, -1, 0), (12, 0, 0), (10, 2, 0), (4, None, 0), (1, None, 0), (6, None, 2), (20, 0, 13)]:
        classes = fixed or int(rng.integers(4, 8))
        present = np.arange(classes) if absent is None else np.delete(np.arange(classes), absent)
        labels = rng.choice(present, n)
        expected = np.array([[float(k == label) for k in range(classes)] for label in labels])
        given = labels.copy()
        got = one_hot(given, classes)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, labels):
            return CHANGED
        if hint := _one_hot_hint(numbers(_as_numbers(got)), expected, labels, classes):
            return hint
    return None


def _as_numbers(answer):
    """Truth values as 0 and 1, also in lists and in other libraries' tensors; all else as it is."""
    if isinstance(answer, (list, tuple)):
        return [_as_numbers(part) for part in answer]
    values = as_array(answer)
    return values.astype(int) if values.dtype.kind == "b" else values


def _one_hot_hint(got, expected, labels, classes):
    if got is None:
        return f"return a table of zeros and ones of the shape (labels, classes), here {expected.shape}"
    narrow = expected[:, expected.any(axis=0)]
    to_largest = expected[:, : labels.max() + 1]
    if any(
        one.shape != expected.shape == (len(labels), classes) and got.shape == one.shape and close(got, one)
        for one in (narrow, to_largest)
    ):
        return "a class that no label has needs its column, too: the width is `classes`"
    if hint := _wrong_shape(got, expected, f"{len(labels)} labels and {classes} classes"):
        return hint
    shifted = np.zeros(expected.shape)
    shifted[:, :-1] = expected[:, 1:]
    if close(got, shifted):
        return "the ones stand one column too far to the left: label 0 belongs to column 0, whichever labels there are"
    if close(got, 1 - expected):
        return "zeros and ones are the wrong way round: 1 stands where label and class are equal"
    if not close(got, expected):
        row = int(np.flatnonzero([not close(mine, true) for mine, true in zip(got, expected, strict=True)])[0])
        return f"the row of label {labels[row]} of {classes} should be {expected[row].astype(int).tolist()}"
    return None


# --- 2.3 --------------------------------------------------------------------------------------------------------------
@exercise("2.3")
def check_standardize(standardize):
    """A function of a batch. Random batches whose images and channels differ; n equals the width in the second.

    The second batch is reached only by an answer that is right for the first, so what fails there is a matter of axes.
    """
    rng = np.random.default_rng()
    for n, height, width, channels in [(4, 6, 5, 3), (5, 6, 5, 3), (2, 7, 9, 4), (3, 6, 5, 2)]:
        scale = 10 ** rng.uniform(0, 1.6, (n, 1, 1, channels))  # from 1 to 40
        offset = scale * rng.uniform(-3, 3, (n, 1, 1, channels))
        batch = offset + scale * rng.normal(size=(n, height, width, channels))
        faint = int(rng.integers(n)), slice(None), slice(None), int(rng.integers(channels))
        batch[faint] *= 0.06 / batch[faint].std()  # it varies, although little
        black = (rng.integers(n), slice(None), slice(None), rng.integers(channels))
        batch[black] = 0.0 if n > 3 else 0.1  # the mean of equal numbers may be rounded
        given = batch.copy()
        got = standardize(given)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, batch):
            return f"{CHANGED}; -= and /= write"
        got = numbers(got)
        if got is None:
            return "return the batch as one array of numbers"
        if hint := _standardize_hint(got, batch, black):
            return hint
    return _faint_hint(standardize, rng)


def _faint_hint(standardize, rng):
    """A hint if a channel that varies by 0.01 is taken for one that doesn't vary.

    Ten percent are allowed: an epsilon of 1e-4 beside the standard deviation, or of 1e-5 below the root, is none.
    """
    batch = rng.normal(size=(2, 6, 5, 2))  # image, height, width, channel
    batch *= 0.01 / batch.std(axis=(1, 2), keepdims=True)
    batch[0] *= 100
    right = (batch - batch.mean(axis=(1, 2), keepdims=True)) / batch.std(axis=(1, 2), keepdims=True)
    got = numbers(standardize(batch.copy()))
    if got is not None and got.shape == right.shape and np.allclose(got, right, rtol=0.1, atol=0.01):
        return None
    said = "" if got is None or got.shape != right.shape else f": {worst_entry(got, right)}"
    return f"a channel with the standard deviation 0.01 varies, although little{said}"


def _standardize_hint(got, batch, black):
    if got.shape != batch.shape:
        return f"the result should have the shape of the batch, {batch.shape}; yours is {got.shape}"
    varied = np.ones(batch.shape, dtype=bool)
    varied[black] = False
    if not np.isfinite(got[varied]).all():
        return "there is NaN or infinity in the result, and in channels that vary"
    if not np.isfinite(got).all():
        return (
            "there is NaN or infinity in the result: a channel that is the same everywhere has the standard deviation 0"
        )

    def as_if(axes, spread=np.std):
        same = batch.max(axis=axes, keepdims=True) == batch.min(axis=axes, keepdims=True)
        deviation = np.where(same, 1, spread(batch, axis=axes, keepdims=True))
        return np.where(same, 0, (batch - batch.mean(axis=axes, keepdims=True)) / deviation)

    def mine(other):
        return np.allclose(got, other, rtol=3e-3, atol=3e-3)

    if mine(as_if((0, 1, 2))):
        return "you took one mean a channel for the whole batch; each image needs its own"
    if mine(as_if((1, 2, 3))):
        return "you took one mean an image; each of its channels needs its own"
    if mine(as_if((1, 2), lambda b, **how: np.std(b, ddof=1, **how))):
        return "you divided by n - 1 in the standard deviation; np.std divides by n (in PyTorch: correction=0)"
    if mine(as_if((1, 2), np.var)):
        return "you divided by the variance; the standard deviation is its square root"
    if mine(batch - batch.mean(axis=(1, 2), keepdims=True)):
        return "the means are right; the division by the standard deviation is missing"
    if mine(right := as_if((1, 2))):
        return None
    if np.allclose(got[varied], right[varied], rtol=3e-3, atol=3e-3):
        return _black_hint(got, right, batch, black)
    mean, deviation = batch.mean(axis=(1, 2)), batch.std(axis=(1, 2))
    if len(batch) == batch.shape[2] and mine((batch - mean) / np.where(deviation == 0, 1, deviation)):
        return f"wrong for a batch of shape {batch.shape}, where two axes have the same size: see what keepdims does"
    return worst_entry(got, right)


def _black_hint(got, right, batch, black):
    """What is wrong with the one channel, batch[black], that is the same everywhere."""
    as_yours = right.copy()
    as_yours[black] = got[black]
    said = f"a channel that is {batch[black][0, 0]} everywhere should become zeros; {worst_entry(as_yours, right)}"
    if batch[black].std() > 0 and np.allclose(np.abs(got[black]), 1):  # a tiny difference, divided by itself
        return f"{said}: the mean of equal numbers may be rounded, and then the standard deviation is tiny and not 0"
    return said


# --- 2.4 --------------------------------------------------------------------------------------------------------------
BUDGET = 10  # times the memory of the result


@exercise("2.4")
def check_manhattan(manhattan):
    """A function of two sets of points: first the numbers, then the memory on a larger case."""
    rng = np.random.default_rng()
    sizes = [(*rng.permutation([4, 5, 6, 7])[:2], d) for d in rng.permutation([3, 8])]
    for n, m, d in [*sizes, (1, 4, 2), (3, 2, 1)]:
        x, y = rng.normal(size=(n, d)), rng.normal(size=(m, d))
        given = x.copy(), y.copy()
        got = manhattan(*given)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, (x, y)):
            return CHANGED
        if not isinstance(got, np.ndarray):
            return f"hand back a NumPy array, not {type(got).__name__}: the check measures NumPy's memory"
        if hint := _manhattan_hint(got, x, y):
            return hint
    if hint := _other_library_hint(manhattan, x, y):
        return hint
    for n, m, d in [(120, 100, 60), (20, 50, 1000)]:  # in the second a loop over points holds too much, too
        if hint := _memory_hint(manhattan, rng.normal(size=(n, d)), rng.normal(size=(m, d))):
            return hint
    return None


def _memory_hint(manhattan, x, y):
    given = x.copy(), y.copy()
    got, peak = _measured(lambda: manhattan(*given))
    if hint := _manhattan_hint(got, x, y):
        return hint
    times = peak / (len(x) * len(y) * 8)
    if times > BUDGET:
        return (
            f"the distances are right, but for shapes {x.shape} and {y.shape} you held {times:.1f} times the memory "
            f"of the result; {BUDGET} are allowed. Which axis is not in the result and can be done one entry at a time?"
        )
    return None


def _other_library_hint(manhattan, x, y):
    """A hint if the function needs more than NumPy: TensorFlow, PyTorch and JAX don't take NumPy's longdouble."""
    try:
        manhattan(x.astype("longdouble"), y.astype("longdouble"))
    except Exception as error:
        return (
            f"NumPy only, since the check can't see the memory of other libraries: yours raised {type(error).__name__} "
            "for numbers of a type (longdouble) that NumPy has and TensorFlow, PyTorch and JAX don't"
        )
    return None


def _manhattan_hint(got, x, y):
    difference = x[:, None] - y
    expected = np.abs(difference).sum(axis=-1)
    if hint := _wrong_shape(got, expected, f"x of shape {x.shape} and y of shape {y.shape}"):
        return hint
    if close(got, expected):
        return None
    if close(got, difference.sum(axis=-1)) or close(got, np.abs(difference.sum(axis=-1))):
        return "take the absolute value of each difference, before the sum: here positive and negative ones cancel"
    if close(got, (difference**2).sum(axis=-1)) or close(got, np.sqrt((difference**2).sum(axis=-1))):
        return "these are Euclidean distances, from squares; the Manhattan distance adds absolute differences"
    if close(got, np.abs(difference).max(axis=-1)):
        return "you took the largest difference; the Manhattan distance is their sum"
    if close(got, np.abs(difference).mean(axis=-1)):
        return "you took the mean over the features; the distance is the sum"
    return f"of the distances, {worst_entry(got, expected)}"


def _measured(function):
    """What function() returns, and the most memory in bytes that NumPy holds during it beyond what it held before."""
    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        result = function()
        return result, tracemalloc.get_traced_memory()[1] - before
    finally:
        if not tracing:
            tracemalloc.stop()


# --- 2.5 --------------------------------------------------------------------------------------------------------------
@exercise("2.5")
def check_floor(answer):
    """A number: the variance of the four targets."""
    targets = np.array([1, 2, 3, 6])
    number = numbers(answer)
    if number is None or number.size != 1:
        return "the answer is one number"
    number = float(number.reshape(()))
    mistakes = {
        0.0: "that is the least of the right loss; here each prediction is compared with all four targets",
        float(targets.mean()): "that is the prediction at which the loss is smallest; what is the loss there?",
        float(targets.var(ddof=1)): "close: the loss is a mean over four targets, so divide by 4, not by 3",
        float(targets.var() * 4): "you summed the squares; the loss is their mean",
        float(targets.std()): "that is the standard deviation; the loss averages squares and takes no root",
    }
    for wrong, hint in mistakes.items():
        if np.isclose(number, wrong, atol=0.01):
            return hint
    if not np.isclose(number, targets.var(), atol=1e-6):
        return "see the formula in section 6: what is left of it when every prediction is the best possible?"
    return None


# --- 2.6 --------------------------------------------------------------------------------------------------------------
@exercise("2.6")
def check_accuracy(safe_accuracy):
    """A function of two arrays of labels. All mixes of (n,) and (n, 1), a single label, and what to refuse."""
    rng = np.random.default_rng()
    several = [(n, rng.integers(n // 2 + 1, n - 1)) for n in rng.integers(10, 40, size=3)]
    for n, equal in (*several, (1, 0), (1, 1)):
        y_true, y_pred = _labels(rng, n, equal)
        for true, pred in ((a, b) for a in (y_true, y_true[:, None]) for b in (y_pred, y_pred[:, None])):
            if (outcome := _accuracy_outcome(safe_accuracy, equal / n, true, pred)) is not None:
                return outcome
    return _not_refused(safe_accuracy, rng)


def _labels(rng, n, equal):
    """Labels of five classes, about equally frequent, and predictions (n,) of which so many are equal to them."""
    y_true = rng.permutation(np.resize(np.arange(-2, 3), n))
    y_pred = (y_true + 2 + rng.integers(1, 5, size=n)) % 5 - 2  # another class
    at = rng.permutation(n)[:equal]
    y_pred[at] = y_true[at]
    return y_true, y_pred


def _accuracy_outcome(safe_accuracy, share, true, pred):
    """None, NOT_ATTEMPTED or a hint for one call with labels that fit."""
    given = true.copy(), pred.copy()
    try:
        got = safe_accuracy(*given)
    except Exception as error:
        if not callable(safe_accuracy):
            raise
        return f"for {true.shape} against {pred.shape}, {what_it_raised(error, safe_accuracy)}"
    if missing(got):
        return NOT_ATTEMPTED
    if changed(given, (true, pred)):
        return CHANGED
    return _accuracy_hint(numbers(got), share, true, pred)


def _not_refused(safe_accuracy, rng):
    """A hint if labels that don't fit are not refused with a ValueError."""
    wide, single = rng.integers(0, 4, size=(6, 3)), rng.integers(0, 4, size=6)
    marks = rng.integers(0, 2, size=(6, 2))  # which scikit-learn would take for answers with several labels
    column = single[:, None]
    for true, pred, what in [
        (single, single[:5], "six labels against five"),
        (single, single[:1], "six labels against a single one"),
        (single, single[None, :], "a row of shape (1, 6)"),
        (single[None, :], single, "a row of shape (1, 6) as y_true"),
        (column, single[None, :], "a row of shape (1, 6) against (6, 1)"),
        (single[None, :], column, "a row of shape (1, 6) as y_true, against (6, 1)"),
        (wide[:2], single, "labels of shape (2, 3) as y_true"),
        (single, marks, "predictions of shape (6, 2) for labels of shape (6,)"),
        (column, marks, "predictions of shape (6, 2) for labels of shape (6, 1)"),
        (marks, single, "labels of shape (6, 2) for predictions of shape (6,)"),
        (marks, column, "labels of shape (6, 2) for predictions of shape (6, 1)"),
        (single, column[:, None], "predictions of shape (6, 1, 1) for labels of shape (6,)"),
        (column[:, None], single, "labels of shape (6, 1, 1) for predictions of shape (6,)"),
        (column[:, None], column[:, None], "labels of shape (6, 1, 1)"),
        (single[0], single[0], "labels of shape ()"),
        (wide, wide, "labels of shape (6, 3)"),
        (marks, marks, "labels of shape (6, 2), zeros and ones"),
    ]:
        try:
            safe_accuracy(true.copy(), pred.copy())
        except ValueError:
            continue
        except Exception as error:
            return f"{what} should raise a ValueError; yours raised {type(error).__name__}"
        return f"{what} should raise a ValueError; yours gave an answer"
    return None


def _accuracy_hint(got, share, true, pred):
    if got is None or got.size != 1:
        return "the accuracy is one number" + ("" if got is None else f"; yours has the shape {got.shape}")
    got = got.reshape(())
    if np.isclose(got, share, rtol=0, atol=6e-4):
        return None
    call = f"{true.shape} against {pred.shape}"
    if true.shape != pred.shape and np.isclose(got, np.mean(true == pred)):
        return f"for {call} every label was compared with every prediction: give both the same shape first"
    if len(true) > 1 and np.isclose(got, 1 - share):  # a single label has only 0 and 1
        return "that is the share of wrong ones"
    if np.isclose(got, share * len(true)):
        return "that is their number; the accuracy is a share, from 0 to 1"
    return f"for {call} the accuracy should be {share:.3f}, yours is {float(got):.3f}"
