"""The checks of notebook 13: right answers pass in any dress, gaps are not attempted, mistakes get their hints."""

import math

import numpy as np
import pytest

from coursekit.exercises import NOT_ATTEMPTED, attempt, find
from coursekit.exercises import ex13_generative_adversarial_networks as checks
from coursekit.models import gan

TIMES = 20


def outcomes(exercise, answer, times=TIMES):
    return [attempt(exercise, answer) for _ in range(times)]


# --- right answers ----------------------------------------------------------------------------------------------------
def plus(s):
    return np.logaddexp(0, s)


def losses(on_real, on_made):
    return np.mean(plus(-on_real)) + np.mean(plus(on_made)), np.mean(plus(-on_made))


def losses_with_keras(on_real, on_made):
    from keras import ops

    real, made = ops.cast(on_real, "float32"), ops.cast(on_made, "float32")
    return [
        ops.mean(ops.softplus(-real)) + ops.mean(ops.softplus(made)),
        ops.reshape(ops.mean(ops.softplus(-made)), (1,)),
    ]


def losses_by_maximum(on_real, on_made):
    soft = lambda s: max(s, 0) + np.log1p(np.exp(-abs(s)))
    d = sum(soft(-s) for s in on_real) / len(on_real) + sum(soft(s) for s in on_made) / len(on_made)
    return np.array([d, sum(soft(-s) for s in on_made) / len(on_made)], dtype="float32")


def count(points, centers, near, share):
    far = np.linalg.norm(points[:, None, :] - centers, axis=-1)
    return int(np.sum(np.mean(far < near, axis=0) >= share))


def count_in_a_loop(points, centers, near, share):
    found = []
    for center in centers:
        close = [point for point in points.tolist() if math.dist(point, center) < near]
        found += [1] if len(close) >= share * len(points) else []
    return [np.float32(len(found))]


def count_by_squares(points, centers, near, share, power=2):
    """In single precision, with the matrix product of notebook 02."""
    p, c = np.float32(points), np.float32(centers)
    squared = (p**power).sum(axis=1)[:, None] + (c**power).sum(axis=1) - 2 * p @ c.T
    return np.array([np.count_nonzero(np.float32(squared < near**power).mean(axis=0) >= share)])


def count_with_scipy(points, centers, near, share):
    from scipy.spatial.distance import cdist

    return float(((cdist(points, centers) < near).sum(axis=0) >= share * len(points)).sum())


RIGHT = {
    "13.1": [
        [0.75, 1.386, 1.674],
        np.array([0.75, 1.3863, 1.6740], "float32"),
        (3 / 4, 2 * np.log(2), 1.674),
    ],
    "13.2": [losses, losses_with_keras, losses_by_maximum],
    "13.3": [count, count_in_a_loop, count_by_squares, count_with_scipy],
    "13.4": [[16, 5440, 3210, 768], (16.0, 5440, np.int64(3210), 768)],
    "13.5": [["C", "A", "D", "B"], "cadb", "C, A, D, B"],
    "13.6": [[0.45, 0.9], np.array([0.45, 0.9], "float32")],
}


@pytest.mark.parametrize("exercise", RIGHT)
def test_right_answers_pass_in_any_dress(exercise):
    for answer in RIGHT[exercise]:
        assert outcomes(exercise, answer) == [None] * TIMES, answer


def nothing(*_): ...


def gap(*_):
    return ...


@pytest.mark.parametrize("exercise, gaps", [("13.1", 3), ("13.4", 4), ("13.6", 2)])
def test_gaps_are_not_attempted(exercise, gaps):
    for answer in (..., None, [...] * gaps):
        assert attempt(exercise, answer) is NOT_ATTEMPTED


@pytest.mark.parametrize("exercise", ["13.2", "13.3"])
def test_empty_functions_are_not_attempted(exercise):
    for answer in (..., None, nothing, gap):
        assert attempt(exercise, answer) is NOT_ATTEMPTED


# --- wrong answers, each with its hint --------------------------------------------------------------------------------
WRONG = [
    ("13.1", [0.25, 1.386, 1.674], "number 1: that is the probability of a made one"),
    ("13.1", [3, 1.386, 1.674], "number 1: that is the ratio"),
    ("13.1", [0.75, 0.693, 1.674], "number 2: that is one of two terms"),
    ("13.1", [0.75, 2, 1.674], "number 2: the loss has the natural logarithm"),
    ("13.1", [0.75, 1.386, 0.575], "number 3: on made ones the loss is"),
    ("13.1", [0.75, 1.386, 0.288], "number 3: the term of the made ones is missing"),
    ("13.1", [0.75, 1.386, 0.837], "number 3: that is the mean of both terms"),
    ("13.4", [8, 5440, 3210, 768], "number 1: that is after one of two"),
    ("13.4", [16, 5120, 3210, 768], "number 2: the biases are missing"),
    ("13.4", [16, 5440, 3200, 768], "number 3: the biases are missing"),
    ("13.4", [16, 5440, 3220, 768], "number 3: the biases belong to"),
    ("13.4", [16, 5440, 3210, 256], "number 4: the images have three channels"),
    ("13.5", ["A", "A", "D", "B"], "training 1: who is sure"),
    ("13.5", ["C", "D", "D", "B"], "training 2: the losses look well"),
    ("13.5", ["C", "A", "A", "B"], "training 3: the losses are near"),
    ("13.5", ["C", "A", "D", "C"], "training 4: the losses are no numbers"),
    ("13.5", ["C", "A", "D", "Z"], "training 4 should be one of the letters A to D"),
    ("13.6", [0.5, 0.9], "number 1: that is without smoothing"),
    ("13.6", [9 / 19, 0.9], "number 1: below the line"),
    ("13.6", [0.55, 0.9], "number 1: that is 1 - D"),
    ("13.6", [0.45, 1], "number 2: with the label 0.9"),
    ("13.6", [0.45, 0.1], "number 2: that is 1 - D"),
]


@pytest.mark.parametrize("exercise, answer, hint", WRONG)
def test_wrong_lists_get_their_hint(exercise, answer, hint):
    assert attempt(exercise, answer).startswith(hint)


def m(values):
    return np.mean(plus(values))


def with_log_and_exp(r, f):
    d_real, d_made = 1 / (1 + np.exp(-r)), 1 / (1 + np.exp(-f))
    return -np.log(d_real).mean() - np.log(1 - d_made).mean(), m(-f)


def with_a_small_number(r, f):
    d_real, d_made = 1 / (1 + np.exp(-r)), 1 / (1 + np.exp(-f))
    return -np.log(d_real + 1e-7).mean() - np.log(1 - d_made + 1e-7).mean(), -np.log(d_made + 1e-7).mean()


def turns_its_input(r, f):
    r *= -1
    return m(r) + m(f), m(-f)


def far(points, centers):
    return np.linalg.norm(points[:, None] - centers, axis=-1)


def nearest(points, centers):
    return far(points, centers).argmin(axis=1)[:, None] == np.arange(len(centers))


def reached(near, share):
    return (near.mean(axis=0) >= share).sum()


def moves_its_points(points, centers, near, share):
    points -= centers[0]
    return count(points, centers - centers[0], near, share)


WRONG_FUNCTIONS = [
    ("13.2", lambda r, f: (m(r) + m(-f), m(-f)), "L_D: the labels are exchanged"),
    ("13.2", lambda r, f: (m(-r) / 2 + m(f) / 2, m(-f)), "L_D: L_D is the sum of two means"),
    ("13.2", lambda r, f: (m(np.concatenate([-r, f])), m(-f)), "L_D: "),
    ("13.2", lambda r, f: (m(-r), m(-f)), "L_D: the term of the made ones is missing"),
    ("13.2", lambda r, f: (-m(-r) - m(f), m(-f)), "L_D: the sign is turned round"),
    ("13.2", lambda r, f: (m(-r) + m(f), -m(f)), "L_G: that is the minimax loss"),
    ("13.2", lambda r, f: (m(-r) + m(f), m(f)), "L_G: that is the cross-entropy with the label 0"),
    ("13.2", lambda r, f: (m(-r) + m(f), m(-r)), "L_G: those are the real samples"),
    ("13.2", lambda r, f: (m(-r) + m(f), -m(-f)), "L_G: the sign is turned round"),
    ("13.2", lambda r, f: (m(-r) + m(f), plus(-f)), "L_G should be one number"),
    ("13.2", lambda r, f: m(-r) + m(f), "return two numbers"),
    ("13.2", with_log_and_exp, "with logits of some hundreds"),
    ("13.2", lambda r, f: (m(-f), m(-r) + m(f)), "the loss of the discriminator comes first"),
    ("13.2", lambda r, f: (m(r) + m(f), m(-f)), "L_D: real ones have the label 1, and here"),
    ("13.2", lambda r, f: (m(-r) + m(-f), m(-f)), "L_D: made ones have the label 0, and here"),
    ("13.2", lambda r, f: (m(-r) + m(f), -m(-r) - m(f)), "L_G: that is -L_D"),
    ("13.2", with_a_small_number, "L_"),
    ("13.2", turns_its_input, "what you were given has changed"),
    ("13.3", lambda p, c, n, s: len(c) + 1, "of "),
    ("13.3", lambda p, c, n, s: np.nan, "of "),
    ("13.3", lambda p, c, n, s: "all", "return one whole number"),
    ("13.3", lambda p, c, n, s: (far(p, c) < n).mean(axis=0), "return one whole number"),
    ("13.3", lambda p, c, n, s: (far(p, c) < n).sum(), "that is the number of points near a center"),
    ("13.3", lambda p, c, n, s: (far(p, c) < n).any(axis=0).sum(), "that counts centers with any point"),
    ("13.3", lambda p, c, n, s: len(c) - count(p, c, n, s), "that counts the centers that were missed"),
    ("13.3", lambda p, c, n, s: reached((far(p, c) < n) & nearest(p, c), s), "a point that is near two centers"),
    ("13.3", lambda p, c, n, s: reached(nearest(p, c), s), "`near` plays no part"),
    ("13.3", lambda p, c, n, s: reached(far(p, c) <= n, s), "the distance must be below `near`"),
    ("13.3", lambda p, c, n, s: ((far(p, c) < n).mean(axis=0) > s).sum(), "a share of exactly `share`"),
    ("13.3", lambda p, c, n, s: ((far(p, c) < n).sum(axis=0) >= int(s * len(p))).sum(), "`share` times the number"),
    ("13.3", lambda p, c, n, s: ((far(p, c) < n).sum(axis=0) >= round(s * len(p))).sum(), "of "),
    ("13.3", lambda p, c, n, s: reached((abs(p[:, None] - c) < n).all(axis=-1), s), "the distance goes over both"),
    ("13.3", lambda p, c, n, s: reached(abs(p[:, None] - c).sum(axis=-1) < n, s), "the distance is the root of"),
    ("13.3", lambda p, c, n, s: reached(far(p, c) ** 2 < n, s), "`near` is the distance, not its square"),
    ("13.3", lambda p, c, n, s: reached(abs(p[:, None, 0] - c[:, 0]) < n, s), "of "),
    ("13.3", lambda p, c, n, s: ((far(p, c) < n).sum(axis=0) / 1000 >= s).sum(), "of "),
    ("13.3", lambda p, c, n, s: count(p, c[:8], n, s), "of "),
    ("13.3", lambda p, c, n, s: 8, "of "),
    ("13.3", moves_its_points, "what you were given has changed"),
]


@pytest.mark.parametrize("exercise, answer, hint", WRONG_FUNCTIONS)
def test_wrong_functions_get_a_hint(exercise, answer, hint):
    with np.errstate(all="ignore"):
        for outcome in outcomes(exercise, answer):
            assert isinstance(outcome, str) and outcome.startswith(hint), outcome


@pytest.mark.parametrize("exercise", ["13.2", "13.3"])
def test_a_loop_without_end_is_stopped_within_seconds(exercise, monkeypatch):
    def forever(*_):
        while True:
            pass

    assert find(exercise).seconds <= 20
    monkeypatch.setattr(find(exercise), "seconds", 0.2)
    assert "never ends" in attempt(exercise, forever)


# --- the open one: a stub in the place of the training ----------------------------------------------------------------
@pytest.fixture
def stub(monkeypatch):
    seen = []

    def put(points):
        monkeypatch.setattr(checks, "_train", lambda **settings: seen.append(settings) or points)
        return seen

    return put


def test_all_clouds_pass_and_settings_arrive_clean(stub):
    seen = stub(gan.ring(np.random.default_rng(0), 4, 1000))
    for answer in (
        {"momentum": 0.5},
        {"rate": (1e-3, np.float32(2e-3)), "remedy": "WGAN-GP"},
        {"momentum": np.array([0.0])},
        {},
    ):
        assert attempt("13.7", answer) is None
    assert seen[1]["remedy"] == "WGAN-GP" and np.allclose(seen[1]["rate"], [1e-3, 2e-3])
    assert attempt("13.7", ...) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "answer, hint",
    [
        ("fast", "hand in a dictionary"),
        ({"steps": 4000}, "steps can't be set here"),
        ({"remedy": "luck"}, "there is no remedy 'luck'"),
        ({"momentum": 1.0}, "momentum should be a number"),
        ({"rate": -1}, "rate should be one number above 0"),
        ({"momentum": 0.9}, "after 400 steps the four networks found [1, 1, 1, 1] clouds"),
    ],
)
def test_settings_that_fail_get_their_hint(stub, answer, hint):
    stub(np.tile(gan.CENTERS[:1], (4, 1000, 1)))
    assert attempt("13.7", answer).startswith(hint)


def test_a_training_that_diverged_is_called_so(stub):
    stub(np.full((4, 1000, 2), np.nan))
    assert attempt("13.7", {"rate": 10}).startswith("the training diverged")
