"""The checks of notebook 01's exercises."""

import numpy as np
import pytest

from coursekit.exercises import NOT_ATTEMPTED, attempt

REPEATS = 50
X, X_0, X_0_12 = (10, 365, 24, 4), (365, 24, 4), (365, 4)


# --- 1.1: three shapes ------------------------------------------------------------------------------------------------
def test_three_shapes_solution_and_gap():
    assert attempt("1.1", (X, X_0, X_0_12)) is None
    assert attempt("1.1", (list(X), list(X_0), list(X_0_12))) is None
    assert attempt("1.1", (..., ..., ...)) is attempt("1.1", (X, X_0, ...)) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "mistake, hint",
    [
        ((X[::-1], X_0, X_0_12), "the first axis comes first"),
        ((X, (1, 365, 24, 4), X_0_12), "vanishes"),
        ((X, X_0, (4,)), "more axes remain"),
        ((X, X_0, (24, 4)), "strike out what is indexed"),
        ((X, (24, 365, 4), X_0_12), "not in the order"),
        ((350400, X_0, X_0_12), "a shape is a tuple"),
    ],
)
def test_three_shapes_mistakes(mistake, hint):
    assert hint in attempt("1.1", mistake)


# --- 1.2: a variable --------------------------------------------------------------------------------------------------
def test_variable():
    import tensorflow as tf

    numbers = [0.1, 0.2, 0.3]
    through_float32 = tf.cast(tf.constant(numbers), tf.float64)
    assert attempt("1.2", tf.Variable(numbers, trainable=False, dtype=tf.float64)) is None
    assert attempt("1.2", tf.Variable(np.array(numbers), False)) is None  # NumPy's are float64
    assert attempt("1.2", ...) is NOT_ATTEMPTED
    for mistake, hint in [
        (tf.Variable(numbers, tf.float64), "second positional argument"),
        (tf.Variable(numbers, trainable=False), "dtype is float32"),
        (tf.Variable(numbers, dtype=tf.float64), "still trainable"),
        (tf.Variable(through_float32, trainable=False), "lost digits"),
        (tf.Variable([1.0, 2.0, 3.0], trainable=False, dtype=tf.float64), "holds [1.0"),
        (tf.Variable([numbers], trainable=False, dtype=tf.float64), "three numbers"),
        (tf.constant(numbers, tf.float64), "not a tf.Variable"),
    ]:
        assert hint in attempt("1.2", mistake)


# --- 1.3: which writes arrive -----------------------------------------------------------------------------------------
WRITES = {"A": "yes", "B": "no", "C": "yes", "D": "no", "E": "no", "F": "error"}


def test_writes_solution_and_gap():
    assert attempt("1.3", WRITES) is None
    assert attempt("1.3", dict.fromkeys(WRITES, ...)) is attempt("1.3", WRITES | {"F": ...}) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "changed, hint",
    [
        ({"A": "no"}, "row of a reshaped array"),
        ({"B": "yes"}, "list of positions"),
        ({"C": "no"}, "+="),
        ({"D": "yes"}, "still a name"),
        ({"E": "yes"}, "how many copies"),
        ({"F": "no"}, "np.asarray"),
        ({"F": True}, 'write "yes", "no" or "error"'),
        ({"G": "no"}, "each of A to F"),
        (dict.fromkeys(WRITES, "no"), "3 of 6 not right"),
    ],
)
def test_writes_mistakes(changed, hint):
    assert hint in attempt("1.3", WRITES | changed)


# --- 1.4: patches -----------------------------------------------------------------------------------------------------
def cut(image, size, order):
    height, width, channels = image.shape
    cells = image.reshape(height // size, size, width // size, size, channels)
    return cells.transpose(order).reshape(-1, size, size, channels)


def one_by_one(image, size):
    rows, columns = range(0, image.shape[0], size), range(0, image.shape[1], size)
    return [image[i : i + size, j : j + size] for i in rows for j in columns]


@pytest.mark.parametrize("right", [lambda image, size: cut(image, size, (0, 2, 1, 3, 4)), one_by_one])
def test_patches_solutions(right):
    assert all(attempt("1.4", right) is None for _ in range(REPEATS))


def test_patches_gap():
    assert attempt("1.4", lambda *_: ...) is attempt("1.4", lambda *_: None) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "mistake, hint",
    [
        (lambda image, size: image.reshape(-1, size, size, image.shape[-1]), "a reshape alone"),
        (lambda image, size: cut(image, size, (2, 0, 1, 3, 4)), "another order"),
        (lambda image, size: cut(image, size, (0, 2, 3, 1, 4)), "each patch is transposed"),
        (lambda image, size: image.reshape(-1, size, size, 3), ""),  # made for three channels only
        (lambda image, size: cut(image, size, (0, 2, 1, 3, 4))[:, ::-1], "not where they belong"),
        (lambda image, size: cut(image, size, (0, 2, 1, 3, 4))[1:], "gives the shape"),
        (lambda image, size: cut(image, 2, (0, 2, 1, 3, 4)), ""),  # made for one size only
    ],
)
def test_patches_mistakes(mistake, hint):
    for _ in range(REPEATS):
        outcome = attempt("1.4", mistake)
        assert isinstance(outcome, str), outcome
        assert hint in outcome


# --- 1.5: scores ------------------------------------------------------------------------------------------------------
def einsum(rule):
    return lambda queries, keys: np.einsum(rule, queries, keys)


@pytest.mark.parametrize("right", [einsum("bqf,bkf->bqk"), lambda q, k: q @ k.transpose(0, 2, 1)])
def test_scores_solutions(right):
    assert all(attempt("1.5", right) is None for _ in range(REPEATS))


def test_scores_gap():
    assert attempt("1.5", lambda *_: ...) is attempt("1.5", lambda *_: None) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "mistake, hint",
    [
        (einsum("bqf,bkf->bkq"), "exchanged"),
        (einsum("bqf,bkf->qk"), "batch axis is gone"),
        (einsum("bqf,ckf->bqk"), "batch letter"),
        (einsum("cqf,bkf->bqk"), "batch letter"),
        (einsum("bqf,bkf->bqkf"), "an axis too many"),
        (einsum("bqf,bkg->bqk"), "dot product of one query"),
        (einsum("bqf,bkf->bq"), "should be (batch, queries, keys)"),
        (lambda q, k: q @ k, "raised ValueError"),
        (lambda q, k: np.zeros((2, 3, 4)), ""),  # made for one shape
        (lambda q, k: np.einsum("bqf,bkf->bqk", q, k) / np.sqrt(q.shape[-1]), "the values are not"),
    ],
)
def test_scores_mistakes(mistake, hint):
    assert all(hint in attempt("1.5", mistake) for _ in range(REPEATS))


# --- 1.6: windows -----------------------------------------------------------------------------------------------------
def sliding(series, length):
    return np.lib.stride_tricks.sliding_window_view(series, length, axis=0)


def by_positions(series, length):
    return series[np.arange(len(series) - length + 1)[:, None] + np.arange(length)]


def by_strides(series, length):
    step, feature = series.strides
    shape = (len(series) - length + 1, length, series.shape[1])
    return np.lib.stride_tricks.as_strided(series, shape, (step, step, feature))


@pytest.mark.parametrize("right", [lambda s, n: sliding(s, n).transpose(0, 2, 1), by_strides])
def test_windows_solutions(right):
    assert all(attempt("1.6", right) is None for _ in range(REPEATS))


def test_windows_gap():
    assert attempt("1.6", lambda *_: ...) is attempt("1.6", lambda *_: None) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "mistake, hint",
    [
        (sliding, "last two axes are exchanged"),
        (by_positions, "in a copy"),
        (lambda s, n: np.stack([s[i : i + n] for i in range(len(s) - n + 1)]), "in a copy"),
        (lambda s, n: sliding(s, n).transpose(0, 2, 1)[:-1], "one window is missing"),
        (lambda s, n: sliding(s, n).transpose(0, 2, 1)[::-1], "the values are not"),
        (lambda s, n: sliding(s, n).transpose(0, 2, 1)[::n], "have the shape"),  # windows that don't overlap
        (lambda s, n: sliding(s, 3).transpose(0, 2, 1), ""),  # made for one length
    ],
)
def test_windows_mistakes(mistake, hint):
    for _ in range(REPEATS):
        outcome = attempt("1.6", mistake)
        assert isinstance(outcome, str), outcome
        assert hint in outcome
