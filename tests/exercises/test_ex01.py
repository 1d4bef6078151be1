"""The checks of notebook 01's exercises."""

import numpy as np
import pytest

from coursekit.exercises import NOT_ATTEMPTED, attempt
from coursekit.exercises.answers import CHANGED

REPEATS = 30
X, X_0, X_0_12 = (10, 365, 24, 4), (365, 24, 4), (365, 4)


# --- 1.1: three shapes ------------------------------------------------------------------------------------------------
def test_three_shapes_solution_and_gap():
    assert attempt("1.1", (X, X_0, X_0_12)) is None
    assert attempt("1.1", (list(X), list(X_0), list(X_0_12))) is None
    assert attempt("1.1", [np.array(X), np.array(X_0, dtype="float32"), np.array(X_0_12)]) is None
    assert attempt("1.1", (..., ..., ...)) is attempt("1.1", (None, None, None)) is NOT_ATTEMPTED


def test_three_shapes_of_tensorflow():
    import tensorflow as tf

    assert attempt("1.1", [tf.TensorShape(X), X_0, X_0_12]) is None


@pytest.mark.parametrize(
    "mistake, hint",
    [
        ((X[::-1], X_0, X_0_12), "the first axis comes first"),
        ((X, (1, 365, 24, 4), X_0_12), "vanishes"),
        ((X, X_0, (4,)), "more axes remain"),
        ((X, X_0, (24, 4)), "strike out what is indexed"),
        ((X, (24, 365, 4), X_0_12), "not in the order"),
        ((350400, X_0, X_0_12), "a shape is a tuple"),
        (((10.9, 365, 24, 4), X_0, X_0_12), "of whole numbers"),
        ((("10", "365", "24", "4"), X_0, X_0_12), "of whole numbers"),
        (("(10, 365, 24, 4)", X_0, X_0_12), "a shape is a tuple"),
        ((X, (), X_0_12), "more axes remain"),
        ((X, X_0, ...), "x[0, :, 12] is still to do"),
        ((X, X_0), "give three shapes"),
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
        (tf.Variable(through_float32, trainable=False), "digits were lost"),
        (tf.Variable([0.1, 0.2, float(np.float32(0.3))], dtype=tf.float64), "lost: 0.3 has become 0.30000001;"),
        (tf.Variable([0.1, 0.2, 0.3 + 1e-9], dtype=tf.float64), "asked for: 0.3 has become 0.300000001"),
        (tf.Variable([0.1, 0.2 - 1e-11, 0.3], dtype=tf.float64), "asked for: 0.2 has become 0.19999999999"),
        (tf.Variable([1.0, 2.0, 3.0], trainable=False, dtype=tf.float64), "holds [1.0"),
        (tf.Variable([numbers], trainable=False, dtype=tf.float64), "three numbers"),
        (tf.constant(numbers, tf.float64), "not a tf.Variable"),
    ]:
        assert hint in attempt("1.2", mistake)


# --- 1.3: which writes arrive -----------------------------------------------------------------------------------------
WRITES = {"A": "yes", "B": "no", "C": "yes", "D": "no", "E": "no", "F": "error"}


def test_writes_solution_and_gap():
    assert attempt("1.3", WRITES) is None
    assert attempt("1.3", {name.lower(): f" {said.title()}" for name, said in WRITES.items()}) is None
    assert attempt("1.3", list(WRITES.values())) is attempt("1.3", tuple(WRITES.values())) is None
    assert attempt("1.3", dict.fromkeys(WRITES, ...)) is attempt("1.3", [None] * 6) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "changed, hint",
    [
        ({"A": "no"}, "and so is a row of it"),
        ({"B": "yes"}, "the index is a list"),
        ({"C": "no"}, "+="),
        ({"D": "yes"}, "still a name"),
        ({"E": "yes"}, "how many copies"),
        ({"F": "no"}, "np.asarray"),
        ({"F": True}, 'write "yes", "no" or "error"'),
        ({"F": ...}, "F is still to do"),
        ({"C": ["yes"]}, 'write "yes", "no" or "error"'),
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


def in_lists_of_python(image, size):
    return cut(image, size, (0, 2, 1, 3, 4)).astype("float64").tolist()


def spoils_its_input(image, size):
    result = cut(image, size, (0, 2, 1, 3, 4)).copy()
    image[:] = 0
    return result


RIGHT = [lambda image, size: cut(image, size, (0, 2, 1, 3, 4)), one_by_one, in_lists_of_python]


@pytest.mark.parametrize("right", RIGHT)
def test_patches_solutions(right):
    assert all(attempt("1.4", right) is None for _ in range(REPEATS))


def test_patches_gap():
    assert attempt("1.4", lambda *_: ...) is attempt("1.4", lambda *_: None) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "mistake, hint",
    [
        (lambda image, size: image.reshape(-1, size, size, image.shape[-1]), "a reshape alone"),
        (lambda image, size: cut(image, size, (2, 0, 1, 3, 4)), "another order"),
        (lambda image, size: cut(image, size, (0, 2, 1, 3, 4))[::-1], "another order: begin at the top left"),
        (lambda image, size: np.roll(cut(image, size, (0, 2, 1, 3, 4)), 1, axis=0), "another order"),
        (lambda image, size: np.round(cut(image, size, (0, 2, 1, 3, 4)), 3), "have lost digits"),
        (lambda image, size: cut(image, size, (0, 2, 1, 3, 4)).astype("float16"), "have lost digits"),
        (lambda image, size: cut(image, size, (0, 2, 3, 1, 4)), "each patch is transposed"),
        (lambda image, size: image.reshape(-1, size, size, 3), ""),  # made for three channels only
        (lambda image, size: cut(image, size, (0, 2, 1, 3, 4))[:, ::-1], "but patch 0 is not image[0:"),
        (lambda image, size: cut(image, size, (0, 2, 1, 3, 4)).clip(0), "should be -"),
        (lambda image, size: cut(image, size, (0, 2, 1, 3, 4)) * np.nan, "yours is nan"),
        (lambda image, size: cut(image.transpose(1, 0, 2), size, (0, 2, 1, 3, 4)), "in it, the entry at"),
        (lambda image, size: cut(image, size, (2, 0, 3, 1, 4)), "in it, the entry at"),  # of the transposed image
        (spoils_its_input, CHANGED),
        (lambda image, size: cut(image, size, (0, 2, 1, 3, 4))[1:], "gives the shape"),
        (lambda image, size: cut(image, 2, (0, 2, 1, 3, 4)), ""),  # made for one size only
        (lambda image, size: cut(image, size, (0, 2, 1, 3, 4)).astype(int), "cut to whole ones"),
        (lambda image, size: np.abs(cut(image, size, (0, 2, 1, 3, 4))), "patch"),
        (lambda image, size: "patches", "one array"),
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


@pytest.mark.parametrize(
    "right",
    [
        einsum("bqf,bkf->bqk"),
        lambda q, k: q @ k.transpose(0, 2, 1),
        lambda q, k: np.round(q @ k.transpose(0, 2, 1), 2).tolist(),
        lambda q, k: (q @ k.transpose(0, 2, 1)).astype("float16"),
        lambda q, k: [[[a @ b for b in ks] for a in qs] for qs, ks in zip(q, k)],  # noqa: B905
    ],
)
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
        (einsum("bqf,bkf->bqkf"), "an axis too many: leave the features out"),
        (einsum("bqf,ckf->bcqk"), "batch letter"),
        (lambda q, k: np.tensordot(q, k, axes=(2, 2)), "batch letter"),
        (lambda q, k: np.einsum("bqf,bkf->bqk", q, k).mean(axis=0), "should be (batch, queries, keys)"),
        (lambda q, k: q[0] @ k[0].T, "should be (batch, queries, keys)"),
        (lambda q, k: np.einsum("bqf,bkf->bkq", q, k) / 2, "should be (batch, queries, keys)"),
        (lambda q, k: np.einsum("bqf,bkf->bqk", q, k).squeeze(), "should be (batch, queries, keys)"),
        (lambda q, k: np.einsum("bqf,bkf->bqk", q, k[::-1]), "of the scores, the entry at"),
        (lambda q, k: np.einsum("bqf,bkf->bqk", np.multiply(q, 2, out=q), k) / 2, CHANGED),
        (lambda q, k: np.einsum("bqf,bkf->bqk", q, np.negative(k, out=k)), CHANGED),
        (einsum("bqf,bkg->bqk"), "need the same letter"),
        (einsum("bqf,bkf->bq"), "should be (batch, queries, keys)"),
        (lambda q, k: q @ k, "raised ValueError"),
        (lambda q, k: np.zeros((2, 3, 4)), ""),  # made for one shape
        (lambda q, k: np.einsum("bqf,bkf->bqk", q, k) / np.sqrt(q.shape[-1]), "divided by the root"),
        (lambda q, k: np.einsum("bqf,bkf->bqk", q, k).astype(int), "should be"),
        (lambda q, k: np.einsum("bqf,bkf->bqk", q.astype(int), k.astype(int)), "should be"),
        (lambda q, k: np.abs(np.einsum("bqf,bkf->bqk", q, k)), "should be"),
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


@pytest.mark.parametrize(
    "right",
    [
        lambda s, n: sliding(s, n).transpose(0, 2, 1),
        lambda s, n: np.moveaxis(sliding(s, n), -1, 1),
        lambda s, n: np.lib.stride_tricks.sliding_window_view(s, (n, s.shape[1]))[:, 0],
        by_strides,
    ],
)
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
        (lambda s, n: [s[i : i + n] for i in range(len(s) - n + 1)], "not a list of windows"),
        (lambda s, n: sliding(np.subtract(s, s.mean(0), out=s), n).transpose(0, 2, 1), "has changed"),
        (lambda s, n: sliding(s, n).swapaxes(1, 2).astype("float32"), "in a copy"),
    ],
)
def test_windows_mistakes(mistake, hint):
    for _ in range(REPEATS):
        outcome = attempt("1.6", mistake)
        assert isinstance(outcome, str), outcome
        assert hint in outcome


# --- a case that slipped through once ---------------------------------------------------------------------------------
def test_windows_of_single_precision_are_no_copy_either():
    def in_double_precision(series, length):
        double = np.asarray(series, dtype="float64")
        return np.lib.stride_tricks.sliding_window_view(double, length, axis=0).transpose(0, 2, 1)

    assert "in a copy" in attempt("1.6", in_double_precision)


def test_strides_of_an_array_without_gaps_are_called_that():
    def strides_of_numbers(series, length):
        features, size = series.shape[1], series.itemsize
        shape = (len(series) - length + 1, length, features)
        return np.lib.stride_tricks.as_strided(series, shape, (features * size, features * size, size))

    for _ in range(REPEATS):
        assert "right for an array without gaps" in attempt("1.6", strides_of_numbers)
        assert "in a copy" in attempt("1.6", lambda s, n: sliding(np.ascontiguousarray(s), n).transpose(0, 2, 1))
