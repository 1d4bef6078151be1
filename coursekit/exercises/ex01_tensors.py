"""Checks of the exercises of notebook 01: shapes, a variable, who shares memory, patches, scores and windows."""

import numpy as np

from coursekit.arrays import as_array
from coursekit.exercises import NOT_ATTEMPTED, exercise
from coursekit.exercises.answers import (
    CHANGED,
    changed,
    close,
    missing,
    numbers,
    parts_of,
    rounded,
    told_apart,
    worst_entry,
)


@exercise("1.1")
def check_three_shapes(answer):
    """The shapes of a (10, 365, 24, 4) tensor and of two pieces cut from it."""
    parts = parts_of(answer, 3)
    if parts is None:
        return "give three shapes: of x, of x[0] and of x[0, :, 12]"
    if all(map(missing, parts)):
        return NOT_ATTEMPTED
    x = np.zeros((10, 365, 24, 4), dtype="bool")
    for name, right, given in zip(("x", "x[0]", "x[0, :, 12]"), (x, x[0], x[0, :, 12]), parts, strict=True):
        if missing(given):
            return f"the shape of {name} is still to do"
        hint = _compare_shapes(name, right.shape, given)
        if hint:
            return hint
    return None


def _compare_shapes(name, right, given):
    """None if the shape that was given is right, else a hint."""
    sizes = None if isinstance(given, str) or not hasattr(given, "__iter__") else numbers(list(given))
    if sizes is None or sizes.ndim != 1 or not np.isfinite(sizes).all() or (sizes != sizes.round()).any():
        return f"a shape is a tuple of whole numbers, such as (3, 4); for {name} you gave {repr(given)[:40]}"
    given = tuple(int(size) for size in sizes)
    if given == right:
        return None
    if given == right[::-1]:
        return f"for {name}, give the sizes in the order of the axes: the first axis comes first"
    if len(given) > len(right):
        return f"for {name}, an axis that is given one number, such as [0], vanishes; a slice or : keeps its axis"
    if name == "x" and len(given) < len(right):
        return "x has four axes: stations, days, hours, quantities"
    if len(given) < len(right):
        return f"for {name}, more axes remain: only an axis that is given a number vanishes"
    if sorted(given) == sorted(right):
        return f"for {name}, the sizes are right but not in the order of the axes"
    return (
        f"for {name}, {given} is not right: write the sizes below the names of the axes, and strike out what is indexed"
    )


@exercise("1.2")
def check_variable(answer):
    """A tf.Variable of 0.1, 0.2, 0.3 in float64, not trainable."""
    import tensorflow as tf

    if not isinstance(answer, tf.Variable):
        return f"this is a {type(answer).__module__.split('.')[0]} {type(answer).__name__}, not a tf.Variable"
    if isinstance(answer.trainable, tf.DType):
        return (
            "the second positional argument of tf.Variable is trainable, so your type went there; write dtype= by name"
        )
    if answer.dtype != tf.float64:
        return f"the dtype is {answer.dtype.name}; ask for tf.float64 by name"
    value, right = answer.numpy(), np.array([0.1, 0.2, 0.3])
    if value.shape != (3,):
        return f"it should hold three numbers, with shape (3,); its shape is {value.shape}"
    if not np.allclose(value, right, atol=1e-6):
        return f"it should hold 0.1, 0.2 and 0.3, and holds {value.tolist()}"
    if not np.allclose(value, right, rtol=0, atol=1e-12):
        return _lost_digits(value, right)
    if answer.trainable:
        return "it is still trainable; pass trainable=False"
    return None


def _lost_digits(value, right):
    """A hint that names the number which is furthest off, and single precision only where it explains every one."""
    off = np.abs(value - right)
    wanted, yours = told_apart(right[off.argmax()], value[off.argmax()])
    if ((off <= 1e-12) | (value == right.astype("float32"))).all():
        return f"float32 was on the way, and digits were lost: {wanted} has become {yours}; start from the list"
    return f"to full precision was asked for: {wanted} has become {yours}"


@exercise("1.3")
def check_writes(answer):
    """Six writes; the truth is found by making them."""
    names = tuple("ABCDEF")
    if isinstance(answer, (list, tuple)) and len(answer) == len(names):
        answer = dict(zip(names, answer, strict=True))
    if isinstance(answer, dict):
        answer = {str(name).strip().upper(): one for name, one in answer.items()}
    if not isinstance(answer, dict) or set(answer) != set(names):
        return 'give a dictionary with an answer for each of A to F, such as {"A": "yes", ...}'
    if all(map(missing, answer.values())):
        return NOT_ATTEMPTED
    said = {name: one.strip().lower() if isinstance(one, str) else one for name, one in answer.items()}
    for name in names:
        if missing(said[name]):
            return f"{name} is still to do"
        if not isinstance(said[name], str) or said[name] not in ("yes", "no", "error"):
            return f'the answer to {name} is {repr(answer[name])[:40]}; write "yes", "no" or "error"'
    wrong = [name for name in names if said[name] != _what_happens(name)]
    return f"{len(wrong)} of 6 not right yet. Look at {wrong[0]}: {_ABOUT[wrong[0]]}" if wrong else None


_ABOUT = {
    "A": "a reshaped array of zeros is a view, and so is a row of it; what does a write into a view reach?",
    "B": "the index is a list: does NumPy make a view or a copy for this kind of index?",
    "C": "b is a slice, so a view or a copy? And does += make a new array, or write into the one that is there?",
    "D": "after b = b + 1, is b still a name for the slice?",
    "E": "how many copies lie between a and b?",
    "F": "does TensorFlow let anyone write through np.asarray(t)?",
}


def _what_happens(name):
    """ "yes", "no" or "error", found by doing it."""
    import tensorflow as tf

    a = np.zeros(6)
    try:
        if name == "A":
            a.reshape(2, 3)[1][0] = 1
        elif name == "B":
            b = a[[3, 4, 5]]
            b[0] = 1
        elif name == "C":
            b = a[::2]
            b += 1
        elif name == "D":
            b = a[::2]
            b = b + 1
        elif name == "E":
            tf.constant(a).numpy()[0] = 1
        else:
            with tf.device("CPU:0"):
                np.asarray(tf.constant(a))[0] = 1
    except ValueError:
        return "error"
    return "yes" if a.any() else "no"


@exercise("1.4")
def check_patches(patches):
    """Patches of random images of both signs, compared with patches cut out one by one; then a single row of them."""
    rng = np.random.default_rng()
    grids = [tuple(rng.permutation(np.arange(2, 6))[:2]) for _ in range(4)]  # never as many down as across
    sizes = rng.permutation([2, 3, 4, 5]).tolist()
    for channels, ((down, across), size) in enumerate(zip([*grids, (1, 3), (4, 1)], [*sizes, 2, 1], strict=True), 1):
        image = rng.normal(size=(down * size, across * size, channels)).astype("float32")
        given = image.copy()
        got = patches(given, size)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, image):
            return CHANGED
        hint = _hint_about_patches(got, image, size, down, across)
        if hint:
            return hint
    return None


def _hint_about_patches(got, image, size, down, across):
    corners = [(i * size, j * size) for i in range(down) for j in range(across)]
    right = np.stack([image[i : i + size, j : j + size] for i, j in corners])  # (n, size, size, channels)
    got = numbers(got)
    if got is None:
        return f"return the patches as one array of the shape (n, size, size, channels), here {right.shape}"
    if got.shape != right.shape:
        return (
            f"an image of shape {image.shape} cut into patches of {size} × {size} gives the shape {right.shape}, "
            f"and yours is {got.shape}"
        )
    if close(got, right):
        return None
    if close(got, image.reshape(right.shape)):
        return "the shape fits, but a reshape alone keeps the numbers in their order: your patches are strips of rows"
    if _another_order(got, right):
        return (
            "these are the right patches in another order: begin at the top left, and go along the first row of "
            "patches before the next"
        )
    if close(got, right.swapaxes(1, 2)):
        return "each patch is transposed: its rows and columns are exchanged"
    if close(got, np.trunc(right)):
        return "the patches are right, but their numbers have been cut to whole ones"
    if rounded(got, right):
        return "the patches are right, but their numbers have lost digits: leave them as they are"
    wrong = int(np.flatnonzero([not close(mine, true) for mine, true in zip(got, right, strict=True)])[0])
    i, j = corners[wrong]
    entry = worst_entry(got[wrong], right[wrong])
    return f"the shape fits, but patch {wrong} is not image[{i}:{i + size}, {j}:{j + size}]: in it, {entry}"


def _another_order(got, right):
    """Whether each of the right patches is among those that were given, and none twice."""
    places = [[place for place, true in enumerate(right) if close(mine, true)] for mine in got]
    return sorted(places) == [[place] for place in range(len(right))]


@exercise("1.5")
def check_scores(scores):
    """Scores of random queries and keys, compared with dot products made one by one; at the end a batch of one."""
    rng = np.random.default_rng()
    sizes = [rng.permutation(np.arange(2, 8))[:4] for _ in range(4)]  # all different
    for batch, n_queries, n_keys, features in [*sizes, (1, 3, 2, 4), (3, 1, 2, 5), (2, 4, 3, 1)]:
        # eighths: exact in the reduced precision, too, in which a GPU may multiply float32
        queries = rng.integers(-40, 41, (batch, n_queries, features)).astype("float32") / 8
        keys = rng.integers(-40, 41, (batch, n_keys, features)).astype("float32") / 8
        given = queries.copy(), keys.copy()
        got = scores(*given)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, (queries, keys)):
            return CHANGED
        hint = _hint_about_scores(got, queries, keys)
        if hint:
            return hint
    return None


_SAME_BATCH = "queries met keys of other batch members: the batch letter must be the same in both operands"
_RULES = {  # wrong rule: hint
    "bqf,ckf->bqk": _SAME_BATCH,
    "cqf,bkf->bqk": _SAME_BATCH,
    "bqf,ckf->bcqk": _SAME_BATCH,
    "bqf,ckf->bqck": _SAME_BATCH,  # np.tensordot
    "bqf,bkg->bqk": "the features need the same letter in both operands: now each is summed by itself",
    "bqf,bkf->bkq": (
        "queries and keys are exchanged: the order of the letters on the right is the order of the result's axes"
    ),
    "bqf,bkf->qk": "the batch axis is gone: a letter that is missing on the right is summed over",
    "bqf,bkf->bqkf": "an axis too many: leave the features out on the right, and they are summed over",
}


def _hint_about_scores(got, queries, keys):
    right = np.array([[[np.dot(q, k) for k in ks] for q in qs] for qs, ks in zip(queries, keys, strict=True)])
    got = numbers(got)
    if got is None:
        return f"return the scores as one array of the shape (batch, queries, keys), here {right.shape}"

    def mine(other):
        return got.shape == other.shape and np.allclose(got, other, rtol=1e-3, atol=0.01)

    if mine(right):
        return None
    for rule, hint in _RULES.items():
        if len(queries) > 1 and mine(np.einsum(rule, queries, keys)):
            return hint
    if mine(right / np.sqrt(queries.shape[-1])):
        return "these are divided by the root of the number of features; the plain dot product is asked for"
    if got.shape == right.shape:
        return f"the shape is right; of the scores, {worst_entry(got, right)}"
    return f"the shape should be (batch, queries, keys), here {right.shape}, and yours is {got.shape}"


@exercise("1.6")
def check_windows(windows_of):
    """Windows of random series in both precisions, compared with slices, and written through; one; windows of one."""
    rng = np.random.default_rng()
    cases = [(length, length + int(rng.integers(7, 20))) for length in rng.permutation(np.arange(2, 6)).tolist()]
    for repeat, (length, steps) in enumerate([*cases, (4, 4), (1, 5)]):
        features = int(rng.choice([n for n in range(2, 7) if n != length]))
        series = rng.normal(size=(steps, 2 * features)).astype("float32" if repeat == 1 else "float64")
        series = series[:, ::2] if repeat else series[:, :features].copy()  # after the first, a view with gaps
        before = series.copy()
        got = windows_of(series, length)
        if missing(got):
            return NOT_ATTEMPTED
        hint = _hint_about_windows(got, series, before, length)
        if hint == _OTHER_VALUES and repeat and _right_without_gaps(windows_of, before, length):
            return (
                "the windows are right for an array without gaps, but this series is every second column of a wider "
                f"one: from number to number along its axes it is {series.strides} bytes"
            )
        if hint:
            return hint
    return None


_OTHER_VALUES = "the shape is right, the values are not: window i is series[i : i + length]"


def _right_without_gaps(windows_of, series, length):
    """Whether the answer is right for a copy of the series whose numbers lie side by side."""
    dense = np.ascontiguousarray(series)
    return _hint_about_windows(windows_of(dense, length), dense, dense.copy(), length) is None


def _hint_about_windows(got, series, before, length):
    right = np.stack([before[i : i + length] for i in range(len(before) - length + 1)])
    if changed(series, before):
        return CHANGED.replace(" (a copy helps)", "")
    if isinstance(got, (list, tuple)):
        return "return one array, not a list of windows: it is to lie in the memory of the series"
    got = as_array(got)
    if got.shape == right.swapaxes(1, 2).shape != right.shape:
        return "the last two axes are exchanged: sliding_window_view puts the new axis last, time has to come before it"
    if got.shape == right[1:].shape:
        return f"one window is missing: a series of {len(series)} has {len(right)} windows of {length}"
    if got.shape != right.shape:
        return f"windows of {length} of a series {series.shape} have the shape {right.shape}, and yours is {got.shape}"
    if not close(got, right):
        return _OTHER_VALUES
    series += 1 + np.arange(series.size).reshape(series.shape)  # write into the series ...
    moved = np.stack([series[i : i + length] for i in range(len(series) - length + 1)])
    if not close(got, moved):  # ... and look at the windows
        return "the values are right, but in a copy: a write into the series did not reach the windows"
    return None
