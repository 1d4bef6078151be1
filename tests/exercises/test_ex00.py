"""The checks of notebook 00's exercises."""

import numpy as np
import pytest

from coursekit import load
from coursekit.exercises import NOT_ATTEMPTED, attempt


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setenv("COURSEKIT_PROFILE", "quick")


def test_size_of_the_test_set():
    data = load("digits28")
    train, test = len(data.x_train), len(data.x_test)
    assert attempt("0.1", test) is None
    assert attempt("0.1", np.int64(test)) is attempt("0.1", [test]) is attempt("0.1", float(test)) is None
    assert attempt("0.1", ...) is NOT_ATTEMPTED
    for mistake, hint in [
        (train, "training set"),
        (train + test, "both sets"),
        (data.x_test.shape, "first entry"),
        (28, "does not have 28"),
        ("360", "one number"),
        (True, "one number"),
        (test + 0.5, "does not have"),
    ]:
        assert hint in attempt("0.1", mistake)


def right(predicted, actual):
    return np.mean(predicted == actual)


@pytest.mark.parametrize(
    "mistake, hint",
    [
        (lambda p, a: np.sum(p == a), "their share"),
        (lambda p, a: np.mean(p != a), "share of errors"),
        (lambda p, a: 100 * np.mean(p == a), "in percent"),
        (lambda p, a: p == a, "one number"),
    ],
)
def test_accuracy_mistakes_get_their_own_hint(mistake, hint):
    for _ in range(50):
        assert hint in attempt("0.2", mistake)


@pytest.mark.parametrize(
    "mistake",
    [
        lambda p, a: 0.95,
        lambda p, a: np.mean(p == a[::-1]) * 0.9,
        lambda p, a: np.mean(p <= a),
        lambda p, a: 1 - np.mean(p - a),
        lambda p, a: 1 - np.mean(np.abs(p - a)),
        lambda p, a: 1 - np.mean((p - a) ** 2),
        lambda p, a: np.mean((p == a) & (a >= 0)),
    ],
)
def test_an_accuracy_that_is_right_by_luck_on_some_labels_is_refused(mistake):
    said = [attempt("0.2", mistake) for _ in range(50)]
    assert None not in said  # five random draws each, and all of them would have to be lucky
    assert sum("are an accuracy of" in hint for hint in said) > 25


def test_accuracy_solution_and_gap():
    for answer in (right, lambda p, a: round(right(p, a), 3), lambda p, a: [np.float32(right(p, a))]):
        assert all(attempt("0.2", answer) is None for _ in range(50))
    assert attempt("0.2", lambda p, a: ...) is attempt("0.2", lambda p, a: None) is NOT_ATTEMPTED
