"""The checks of notebook 02: right answers pass, gaps are not attempted, each mistake gets its own hint."""

import contextlib
import tracemalloc

import numpy as np
import pytest

from coursekit.exercises import NOT_ATTEMPTED, attempt, ex02_broadcasting
from coursekit.exercises.answers import CHANGED

TIMES = 20


def outcomes(exercise, answer, times=TIMES):
    return [attempt(exercise, answer) for _ in range(times)]


# --- right answers ----------------------------------------------------------------------------------------------------
def one_hot(labels, classes):
    return (labels[:, None] == np.arange(classes)).astype(int)


def standardize(batch):
    mean = batch.mean(axis=(1, 2), keepdims=True)
    deviation = batch.std(axis=(1, 2), keepdims=True)
    same = batch.max(axis=(1, 2), keepdims=True) == batch.min(axis=(1, 2), keepdims=True)
    return np.where(same, 0, (batch - mean) / np.where(same, 1, deviation))


def manhattan(x, y):
    total = np.zeros((len(x), len(y)))
    for k in range(x.shape[1]):
        total += np.abs(x[:, k, None] - y[:, k])
    return total


def safe_accuracy(y_true, y_pred):
    for labels in (y_true, y_pred):
        if labels.ndim == 0 or labels.shape not in ((len(labels),), (len(labels), 1)):
            raise ValueError("shape")
    if len(y_true) != len(y_pred):
        raise ValueError("number")
    return float(np.mean(y_true.reshape(-1) == y_pred.reshape(-1)))


SHAPES = [(5, 3), "error", (7, 7), (8, 4, 6)]


def one_hot_of_bools(labels, classes):
    return np.equal.outer(labels, np.arange(classes))


def standardize_with_epsilon(batch):
    mean, deviation = batch.mean(axis=(1, 2), keepdims=True), batch.std(axis=(1, 2), keepdims=True)
    return (batch - mean) / (deviation + 1e-7)


def standardize_guarded(batch, measure, limit, add=False):
    """Zeros where np.std or np.ptp is below the limit; with `add`, the limit is added to it instead."""
    how = {"axis": (1, 2), "keepdims": True}
    mean, spread, faint = batch.mean(**how), batch.std(**how), getattr(np, measure)(batch, **how) < limit
    return (batch - mean) / (spread + limit) if add else np.where(faint, 0, (batch - mean) / np.where(faint, 1, spread))


def standardize_in_single_precision_with_root(batch):
    mean, variance = batch.mean(axis=(1, 2), keepdims=True), batch.var(axis=(1, 2), keepdims=True)
    return ((batch - mean) / np.sqrt(variance + 1e-5)).astype("float32").tolist()


def manhattan_by_two_features(x, y):
    total = np.zeros((len(x), len(y)), dtype="float32")
    for k in range(0, x.shape[1], 2):
        total += np.abs(x[:, None, k : k + 2] - y[:, k : k + 2]).sum(axis=-1).astype("float32")
    return total


def manhattan_that_spoils(x, y):
    result = manhattan(x, y)
    x[:] = y[:] = 0
    return result


def manhattan_by_scipy(x, y):
    from scipy.spatial.distance import cdist

    return cdist(x, y, "cityblock")


def one_hot_in_lists(labels, classes):
    return [[k == label for k in range(classes)] for label in labels.tolist()]


def rounded_accuracy(y_true, y_pred):
    return [round(safe_accuracy(y_true, y_pred), 3)]


def manhattan_by_rows(x, y):
    return np.array([np.abs(point - y).sum(axis=1) for point in x])


@pytest.mark.parametrize(
    "exercise, answer",
    [
        ("2.1", SHAPES),
        ("2.1", [[5, 3], "Error", (7, 7), (8, 4, 6)]),
        ("2.2", one_hot),
        ("2.1", [np.array([5, 3]), "ValueError", [7.0, 7.0], np.array((8, 4, 6))]),
        ("2.2", one_hot_of_bools),
        ("2.2", one_hot_in_lists),
        ("2.3", standardize),
        ("2.3", standardize_with_epsilon),
        ("2.3", standardize_in_single_precision_with_root),
        ("2.3", lambda batch: standardize_guarded(batch, "std", 1e-4, add=True)),
        ("2.4", manhattan),
        ("2.4", manhattan_by_two_features),
        ("2.4", manhattan_by_scipy),
        ("2.5", 3.5),
        ("2.5", np.var([1, 2, 3, 6])),
        ("2.5", [3.5]),
        ("2.5", np.array([[3.5]], dtype="float32")),
        ("2.6", safe_accuracy),
        ("2.6", rounded_accuracy),
    ],
)
def test_right_answers_pass(exercise, answer):
    assert outcomes(exercise, answer) == [None] * TIMES


@pytest.mark.parametrize("exercise", ["2.2", "2.3", "2.4", "2.6"])
def test_a_function_with_a_gap_is_not_attempted(exercise):
    assert attempt(exercise, lambda *_: None) is attempt(exercise, lambda *_: ...) is NOT_ATTEMPTED


@pytest.mark.parametrize("exercise", ["2.1", "2.5"])
def test_a_gap_is_not_attempted(exercise):
    assert attempt(exercise, ...) is NOT_ATTEMPTED


def test_four_gaps_are_not_attempted():
    assert attempt("2.1", [..., ..., ..., ...]) is NOT_ATTEMPTED


def test_a_tensor_is_an_answer_too():
    keras = pytest.importorskip("keras")
    labels_to_tensor = lambda labels, classes: keras.ops.one_hot(labels, classes)
    assert outcomes("2.2", labels_to_tensor, 3) == [None] * 3


# --- mistakes ---------------------------------------------------------------------------------------------------------
def with_shape(number, shape):
    return [*SHAPES[: number - 1], shape, *SHAPES[number:]]


def elementwise(labels, classes):
    return (labels == np.arange(len(labels)) % classes).astype(int)


def divides_by_zero(batch):
    with np.errstate(all="ignore"):
        return (batch - batch.mean(axis=(1, 2), keepdims=True)) / batch.std(axis=(1, 2), keepdims=True)


def without_keepdims(batch):
    """As it is silently wrong where n equals the width; where it raises, the right answer."""
    with contextlib.suppress(ValueError):
        deviation = batch.std(axis=(1, 2))
        return (batch - batch.mean(axis=(1, 2))) / np.where(deviation == 0, 1, deviation)
    return standardize(batch)


def forgets_keepdims(batch):
    return batch - batch.mean(axis=(1, 2))


def writes_into_the_batch(batch):
    result = standardize(batch)
    batch -= batch.mean(axis=(1, 2), keepdims=True)
    return result


def standardize_over(axes):
    def function(batch):
        deviation = batch.std(axis=axes, keepdims=True)
        return (batch - batch.mean(axis=axes, keepdims=True)) / np.where(deviation == 0, 1, deviation)

    return function


def divides_by_variance(batch):
    variance = batch.var(axis=(1, 2), keepdims=True)
    return (batch - batch.mean(axis=(1, 2), keepdims=True)) / np.where(variance == 0, 1, variance)


def compares_with_zero(batch):
    mean, deviation = batch.mean(axis=(1, 2), keepdims=True), batch.std(axis=(1, 2), keepdims=True)
    return np.where(deviation == 0, 0, (batch - mean) / np.where(deviation == 0, 1, deviation))


def nan_becomes_zero(batch):
    return np.nan_to_num(divides_by_zero(batch))


def channels_that_are_the_same_stay(batch):
    return np.where(np.ptp(batch, axis=(1, 2), keepdims=True) == 0, batch, standardize(batch))


def roots_of_negative_numbers(batch):
    with np.errstate(all="ignore"):
        return np.sqrt(standardize(batch))


def manhattan_by_torch(x, y):
    import torch

    return (torch.tensor(x)[:, None] - torch.tensor(y)).abs().sum(dim=-1).numpy()


def manhattan_by_tensorflow(x, y):
    import tensorflow as tf

    return tf.reduce_sum(tf.abs(x[:, None] - y), axis=-1).numpy()


def manhattan_by_jax(x, y):
    import jax.numpy as jnp

    return np.asarray(jnp.abs(x[:, None] - y).sum(axis=-1))


def accuracy_in_place(y_true, y_pred):
    share = safe_accuracy(y_true, y_pred)
    y_true[:] = y_pred.reshape(y_true.shape)
    return share


def accuracy_of_reshaped(y_true, y_pred):
    safe_accuracy(y_true, y_pred)
    y_true.shape = y_pred.shape = (len(y_true),)
    return float(np.mean(y_true == y_pred))


def flattens_anything(y_true, y_pred):
    return float(np.mean(y_true.reshape(-1) == y_pred.reshape(-1)))


def asserts(y_true, y_pred):
    assert y_true.size == y_pred.size == len(y_true) == len(y_pred)
    return float(np.mean(y_true.reshape(-1) == y_pred.reshape(-1)))


@pytest.mark.parametrize(
    "exercise, mistake, hint",
    [
        ("2.1", with_shape(2, (5, 3)), "not below the 5"),
        ("2.1", with_shape(3, (7,)), "on the left and counts as 1"),
        ("2.1", with_shape(3, (7, 1)), "not on the right"),
        ("2.1", with_shape(4, (8, 1, 6)), "stretched, too"),
        ("2.1", with_shape(4, "error"), "Which of them fails"),
        ("2.1", with_shape(4, ...), "still to do"),
        ("2.1", with_shape(1, (3, 5)), "aligned from the right"),
        ("2.1", [(5, 3)], "a list of four"),
        ("2.1", with_shape(1, (5.9, 3)), "whole numbers"),
        ("2.1", with_shape(1, ("5", "3")), "whole numbers"),
        ("2.1", with_shape(1, 3), "written (3,)"),
        ("2.1", with_shape(1, "five by three"), 'the word "error"'),
        ("2.2", lambda labels, classes: one_hot(labels, classes).T, "transposed"),
        ("2.2", elementwise, "the shape should be"),
        ("2.2", lambda labels, classes: one_hot(labels, labels.max() + 1), "needs its column"),
        ("2.2", lambda labels, classes: one_hot(labels - 1, classes), "one column too far"),
        ("2.2", lambda labels, classes: 1 - one_hot(labels, classes), "wrong way round"),
        ("2.2", lambda labels, classes: (labels[:, None] == np.unique(labels)).astype(int), "needs its column"),
        ("2.2", lambda labels, classes: 2 * one_hot(labels, classes), "should be ["),
        ("2.2", lambda labels, classes: "one-hot", "zeros and ones of the shape"),
        ("2.2", lambda labels, classes: np.eye(classes)[(labels + 1) % classes], "should be ["),
        ("2.3", divides_by_zero, "NaN"),
        ("2.3", standardize_over((0, 1, 2)), "whole batch"),
        ("2.3", standardize_over((1, 2, 3)), "one mean an image"),
        ("2.3", divides_by_variance, "variance"),
        ("2.3", lambda batch: batch - batch.mean(axis=(1, 2), keepdims=True), "division"),
        ("2.3", without_keepdims, "keepdims"),
        ("2.3", forgets_keepdims, "raised ValueError"),
        ("2.3", writes_into_the_batch, "has changed"),
        ("2.3", lambda batch: 1.1 * standardize(batch), "the entry at"),
        ("2.3", lambda batch: np.abs(standardize(batch)), "the entry at"),
        ("2.3", lambda batch: standardize(batch)[0], "shape of the batch"),
        (
            "2.3",
            lambda batch: np.where(batch == 0, 1, standardize(batch)),
            "0.0 everywhere should become zeros",
        ),
        ("2.3", compares_with_zero, "and then the standard deviation is tiny and not 0"),
        ("2.3", nan_becomes_zero, "and then the standard deviation is tiny and not 0"),
        ("2.3", channels_that_are_the_same_stay, "yours is 0.1"),
        ("2.3", roots_of_negative_numbers, "in channels that vary"),
        ("2.3", lambda batch: standardize(batch) * (2 if len(batch) == 5 else 1), "the entry at"),
        ("2.2", lambda labels, classes: (one_hot(labels, classes), labels.sort())[0], CHANGED),
        ("2.4", manhattan_that_spoils, CHANGED),
        ("2.4", lambda x, y: (manhattan(x, y), y.fill(0))[0], CHANGED),
        ("2.4", lambda x, y: x @ y.T, "of the distances, the entry at"),
        ("2.6", accuracy_in_place, CHANGED),
        ("2.6", accuracy_of_reshaped, CHANGED),
        ("2.6", lambda y_true, y_pred: 1.0, "the accuracy should be"),
        ("2.4", lambda x, y: np.abs(x[:, None] - y).sum(axis=-1), "for shapes (120, 60) and (100, 60) you held"),
        ("2.4", manhattan_by_rows, "for shapes (20, 1000) and (50, 1000) you held"),
        ("2.4", lambda x, y: manhattan_by_rows(y, x).T, "for shapes (20, 1000) and (50, 1000) you held"),
        ("2.4", lambda x, y: manhattan(y, x), "transposed"),
        ("2.4", lambda x, y: x.sum(axis=1)[:, None] - y.sum(axis=1), "cancel"),
        ("2.4", lambda x, y: ((x[:, None] - y) ** 2).sum(axis=-1), "Euclidean"),
        ("2.4", lambda x, y: np.abs(x[:, None] - y).max(axis=-1), "largest"),
        ("2.4", lambda x, y: manhattan(x, y) / x.shape[1], "mean over the features"),
        ("2.4", lambda x, y: manhattan(x, y).tolist(), "NumPy array"),
        ("2.4", lambda x, y: manhattan(x[:, :4], y[:, :4]), "of the distances, the entry at"),
        ("2.5", 0, "right loss"),
        ("2.5", 3, "prediction at which"),
        ("2.5", 14 / 3, "divide by 4"),
        ("2.5", 14, "mean"),
        ("2.5", 1.87, "takes no root"),
        ("2.5", 5, "formula"),
        ("2.5", [3.5, 3.5], "one number"),
        ("2.5", "3.5", "one number"),
        ("2.6", lambda y_true, y_pred: float(np.mean(y_true == y_pred)), "every label"),
        ("2.6", flattens_anything, "should raise a ValueError"),
        ("2.6", asserts, "yours raised AssertionError"),
        ("2.6", lambda y_true, y_pred: 1 - safe_accuracy(y_true, y_pred), "wrong ones"),
        ("2.6", lambda y_true, y_pred: y_true.reshape(-1) == y_pred.reshape(-1), "one number"),
    ],
)
def test_each_mistake_gets_its_own_hint(exercise, mistake, hint):
    wrong = [str(outcome) for outcome in outcomes(exercise, mistake) if hint not in str(outcome)]
    assert not wrong, wrong[0]


@pytest.mark.parametrize("library", ["torch", "tensorflow", "jax"])
def test_distances_by_a_library_whose_memory_is_not_seen_are_refused(library):
    pytest.importorskip(library)
    answer = {"torch": manhattan_by_torch, "tensorflow": manhattan_by_tensorflow, "jax": manhattan_by_jax}[library]
    assert all("NumPy only" in outcome for outcome in outcomes("2.4", answer))


def test_tensors_for_distances_are_refused():
    keras = pytest.importorskip("keras")
    answer = lambda x, y: keras.ops.convert_to_tensor(manhattan(x, y))
    assert all("hand back a NumPy array" in outcome for outcome in outcomes("2.4", answer))


# --- answers that fit the example and nothing else --------------------------------------------------------------------
@pytest.mark.parametrize(
    "exercise, answer",
    [
        ("2.2", lambda labels, classes: one_hot(labels, 4)),
        ("2.3", lambda batch: (batch - 127.5) / 50),
        ("2.4", lambda x, y: manhattan(x[:, :3], y[:, :3])),
        ("2.6", lambda y_true, y_pred: 0.5),
    ],
)
def test_an_answer_that_ignores_its_arguments_fails(exercise, answer):
    assert all(isinstance(outcome, str) for outcome in outcomes(exercise, answer))


# --- the check itself -------------------------------------------------------------------------------------------------
def test_measuring_leaves_tracemalloc_as_it_was():
    assert not tracemalloc.is_tracing()
    attempt("2.4", manhattan)
    assert not tracemalloc.is_tracing()
    tracemalloc.start()
    try:
        assert attempt("2.4", manhattan) is None
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()


def test_a_raising_answer_leaves_tracemalloc_off():
    calls = []

    def raises_on_the_large_case(x, y):
        calls.append(len(x))
        if len(x) > 100:
            raise MemoryError("too large")
        return manhattan(x, y)

    assert "MemoryError" in attempt("2.4", raises_on_the_large_case)
    assert max(calls) > 100
    assert not tracemalloc.is_tracing()


def test_the_budget_tells_a_loop_from_the_full_difference():
    """The solution stays well below the budget and the one-liner well above: the check does not hang on a hair."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(250, 60)), rng.normal(size=(200, 60))
    budget = ex02_broadcasting.BUDGET * 250 * 200 * 8
    _, looping = ex02_broadcasting._measured(lambda: manhattan(x, y))
    _, at_once = ex02_broadcasting._measured(lambda: np.abs(x[:, None] - y).sum(axis=-1))
    assert looping < 0.5 * budget and at_once > 5 * budget


# --- cases that slipped through once ----------------------------------------------------------------------------------
def test_a_channel_that_varies_little_is_no_constant_one():
    def faint_ones_are_zeros(batch):
        mean, spread = batch.mean(axis=(1, 2), keepdims=True), batch.std(axis=(1, 2), keepdims=True)
        return np.where(spread < 0.1, 0, (batch - mean) / np.where(spread < 0.1, 1, spread))

    assert attempt("2.3", faint_ones_are_zeros) is not None


def test_two_classes_and_thirteen_are_tried():
    def two_in_one_column(labels, classes):
        return labels[:, None] if classes == 2 else np.eye(classes)[labels]

    assert "2 classes" in attempt("2.2", two_in_one_column)
    assert attempt("2.2", lambda labels, classes: (labels[:, None] == np.arange(min(classes, 10))) * 1) is not None
    assert attempt("2.2", lambda labels, classes: np.eye(classes)[labels]) is None


def test_answers_with_several_labels_are_refused_by_the_text():
    from sklearn.metrics import accuracy_score

    assert "zeros and ones should raise" in attempt("2.6", accuracy_score)


def test_the_floor_is_exact():
    assert attempt("2.5", 3.5) is None
    assert attempt("2.5", 3.499) is not None


FITS = [((6,), (6, 2)), ((6, 1), (6, 2)), ((6, 2), (6,)), ((6, 2), (6, 1)), ((6, 1), (1, 6)), ((6,), (6, 1, 1))]


def only_one_is_looked_at(looked_at):
    def accuracy(y_true, y_pred):
        labels = (y_true, y_pred)[looked_at]
        if labels.shape not in ((len(labels),), (len(labels), 1)) or len(y_true) != len(y_pred):
            raise ValueError("shape")
        flat = [np.reshape(part, (len(part), -1))[:, 0] for part in (y_true, y_pred)]
        return float(np.mean(flat[0] == flat[1]))

    return accuracy


def only_two_wide_ones_are_refused(y_true, y_pred):
    wide = [labels.ndim != 1 and labels.shape[1:] != (1,) for labels in (y_true, y_pred)]
    if all(wide) or len(y_true) != len(y_pred):
        raise ValueError("shape")
    flat = [labels.argmax(1) if of_many else labels.reshape(-1) for labels, of_many in zip((y_true, y_pred), wide)]  # noqa: B905
    return float(np.mean(flat[0] == flat[1]))


@pytest.mark.parametrize("answer", [only_one_is_looked_at(0), only_one_is_looked_at(1), only_two_wide_ones_are_refused])
def test_each_side_alone_may_have_a_shape_to_refuse(answer):
    assert all("should raise a ValueError" in outcome for outcome in outcomes("2.6", answer))


@pytest.mark.parametrize("true, pred", FITS)
def test_every_pair_with_one_shape_to_refuse_is_tried(true, pred):
    def takes_this_pair(y_true, y_pred):
        return 0.5 if (y_true.shape, y_pred.shape) == (true, pred) else safe_accuracy(y_true, y_pred)

    assert all("should raise a ValueError" in outcome for outcome in outcomes("2.6", takes_this_pair))


@pytest.mark.parametrize(
    "answer, hint",
    [
        (lambda y_true, y_pred: 1.0 if len(y_true) <= 3 else safe_accuracy(y_true, y_pred), "should be 0.000"),
        (lambda y_true, y_pred: 0.0 if len(y_true) <= 3 else safe_accuracy(y_true, y_pred), "should be 1.000"),
        (lambda y_true, y_pred: 1.0, "the accuracy should be"),
        (lambda y_true, y_pred: safe_accuracy(y_true, y_pred) * len(y_true), "that is their number"),
        (lambda y_true, y_pred: float(np.mean(y_true == y_pred)), "every label was compared"),
    ],
)
def test_a_single_label_is_right_once_and_wrong_once(answer, hint):
    assert all(hint in outcome for outcome in outcomes("2.6", answer, 100))


def test_an_error_for_labels_that_fit_comes_with_their_shapes():
    def takes_flat_ones_only(y_true, y_pred):
        if y_true.ndim + y_pred.ndim > 2:
            raise ValueError("flat ones only")
        return safe_accuracy(y_true, y_pred)

    for outcome in outcomes("2.6", takes_flat_ones_only):
        assert "1) against" in outcome or ", 1), your code" in outcome
        assert 'raised ValueError at `raise ValueError("flat ones only")`: flat ones only' in outcome
    assert "hand in its name" in attempt("2.6", 0.5)


@pytest.mark.parametrize("measure, limit", [("std", 0.05), ("std", 0.02), ("ptp", 0.1)])
def test_a_channel_that_varies_by_a_hundredth_is_no_constant_one(measure, limit):
    answer = lambda batch: standardize_guarded(batch, measure, limit)
    assert all("the standard deviation 0.01 varies" in outcome for outcome in outcomes("2.3", answer))


def test_the_place_in_a_channel_that_is_the_same_names_image_and_channel():
    for outcome in outcomes("2.3", channels_that_are_the_same_stay):
        place = outcome.split("the entry at (")[1].split(")")[0]
        assert len(place.split(",")) == 4 and "should be 0, yours is 0.1" in outcome
