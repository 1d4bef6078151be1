"""Intervals and tests: against their definitions, and what the reports say."""

import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from coursekit import statistics
from coursekit.statistics import accuracy_report


@settings(deadline=None)
@given(st.integers(1, 20_000), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilsons_interval_holds_the_shares_that_a_normal_test_does_not_reject(n, share, confidence):
    from scipy.stats import norm

    right, z = round(n * share), norm.ppf(0.5 + confidence / 2)
    for end in statistics.wilson(right, n, confidence):  # an end p solves (right / n - p)² = z² p (1 - p) / n
        assert 0 <= end <= 1
        assert (right / n - end) ** 2 == pytest.approx(z**2 * end * (1 - end) / n, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("b", [0, 1, 3, 18, 200])
@pytest.mark.parametrize("c", [0, 2, 3, 25, 210])
def test_mcnemars_test_counts_coins_that_fall_as_unevenly(b, c):
    n = b + c
    as_uneven = sum(math.comb(n, heads) for heads in range(n + 1) if abs(2 * heads - n) >= abs(b - c))
    assert statistics.mcnemar(b, c) == pytest.approx(as_uneven / 2**n, rel=1e-9)
    assert statistics.mcnemar(b, c) == statistics.mcnemar(c, b)


def test_an_accuracy_report_counts_pairs():
    y = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0])
    first = np.array([0, 1, 2, 0, 1, 2, 0, 0, 0, 1])  # 7 right
    second = np.array([0, 1, 2, 0, 1, 0, 1, 1, 1, 1])  # 6 right, one of them alone
    report = accuracy_report(first, second, None, y)
    assert (report.first, report.second, report.n) == (0.7, 0.6, 10)
    assert (report.both, report.only_first, report.only_second, report.neither) == (5, 2, 1, 2)
    assert report.agreement == 0.6 and report.difference == pytest.approx(-0.1) and report.p_value == 1
    low, high = report.difference_interval
    assert low < -0.1 < high and high - low == pytest.approx(2 * 1.959964 * np.sqrt(5 - 1 / 12) / 12, rel=1e-6)
    assert "McNemar's exact test: p = 1" in str(report) and "only the first 2" in str(report)


def test_the_same_predictions_do_not_differ():
    y = np.arange(100) % 10
    report = accuracy_report(y, y, None, np.eye(10)[y])
    assert (report.first, report.agreement, report.difference, report.p_value) == (1, 1, 0, 1)
    assert report.intervals[0][1] == 1 > report.intervals[0][0]
    low, high = report.difference_interval  # the two may still differ on other examples
    assert low == -high and high == pytest.approx(1.959964 * np.sqrt(2) / 102, rel=1e-6)


def test_the_interval_holds_the_true_difference_as_often_as_it_says():
    rng = np.random.default_rng(0)
    shares = [0.03, 0.01, 0.96]  # only the first right, only the second, both
    held = 0
    for only_first, only_second, _ in rng.multinomial(300, shares, size=400):
        first, second = np.zeros(300), np.zeros(300)
        second[:only_first] = first[only_first : only_first + only_second] = 1
        low, high = accuracy_report(first, second, None, np.zeros(300)).difference_interval
        held += low <= -0.02 <= high
    assert held / 400 > 0.92


def test_a_clear_difference_is_seen_and_a_small_one_is_not():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, 5000)
    wrong = lambda share: np.where(rng.random(5000) < share, (y + 1) % 10, y)
    assert accuracy_report(wrong(0.02), wrong(0.06), None, y).p_value < 1e-6
    alone = np.where(np.arange(5000) < 3, (y + 1) % 10, y)
    assert accuracy_report(y, alone, None, y).p_value == 0.25  # three coins that fall alike


def test_models_and_scores_are_taken_as_well():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    x, y = np.random.default_rng(0).normal(size=(30, 4)).astype("float32"), np.arange(30) % 2
    scores = model.predict(x, verbose=0)
    report = accuracy_report(model, scores, x, y)
    assert report.agreement == 1 and report.first == (scores.argmax(axis=1) == y).mean()
    binary = keras.Sequential([keras.Input((4,)), layers.Dense(1, activation="sigmoid")])
    wanted = (binary.predict(x, verbose=0)[:, 0] > 0.5).astype(int)
    assert accuracy_report(binary, wanted, x, y).agreement == 1


@pytest.mark.parametrize(
    "first, second, y, options, message",
    [
        ([0, 1], [0], [0, 1], {}, "2, 1 predictions and 2 true classes"),
        ([], [], [], {}, "one at least"),
        ([0], [0], [0], {"confidence": 95}, "confidence is 95"),
        (np.zeros((2, 2, 2)), [0, 1], [0, 1], {}, r"predictions have shape \(2, 2, 2\)"),
    ],
)
def test_what_cannot_be_compared_is_refused(first, second, y, options, message):
    with pytest.raises(ValueError, match=message):
        accuracy_report(first, second, None, y, **options)


def test_the_interval_of_a_mean_is_students():
    from scipy import stats

    values = [0.3, 0.1, 0.7, 0.2]
    mean, half = statistics.mean_and_half(values)
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert (mean - half, mean + half) == pytest.approx((low, high))
    with pytest.raises(ValueError, match="an interval needs two or more"):
        statistics.mean_and_half([1.0])
