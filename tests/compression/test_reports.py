"""Reports: sizes counted by hand, intervals and tests against statsmodels."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from coursekit.compression import accuracy_report, reports, size_report


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(8, name="first"), layers.Dense(2, name="second")])
    values = np.array([0, 0, 0, 0, 0.5, 0.5, -1, -1] * 4, "float32").reshape(4, 8)  # 1/2, 1/4, 1/4: 1.5 bits each
    values[0, 0] = -0.0
    model.layers[0].kernel.assign(values)
    return model


# --- sizes ------------------------------------------------------------------------------------------------------------
def test_a_size_report_counts_each_tensor(model):
    report = size_report(model)
    assert [row["path"].split("/")[-2:] for row in report] == [
        ["first", "kernel"],
        ["first", "bias"],
        ["second", "kernel"],
        ["second", "bias"],
    ]
    row = report[0]
    assert (row["weights"], row["unique"], row["zeros"], row["raw"]) == (32, 3, 16, 128)
    assert (row["sparsity"], row["entropy"], row["bound"]) == (0.5, 1.5, 6.0)
    assert report[row["path"]] is row and len(report) == 4
    bias = report[1]
    assert (bias["unique"], bias["entropy"], bias["bound"], bias["sparsity"]) == (1, 0.0, 0.0, 1.0)
    assert report[2]["unique"] == 16 and report[2]["bound"] == 8.0  # 16 different values of 4 bits
    with pytest.raises(KeyError, match="there is no weight 'third'"):
        report["third"]


def test_a_size_report_adds_up(model):
    report = size_report(model)
    assert report.total["weights"] == model.count_params() == 58
    assert report.total["raw"] == 4 * 58 and report.total["bound"] == 14.0
    assert report.total["entropy"] == pytest.approx(8 * 14 / 58)
    assert [one["weights"] for one in report.layers()] == [40, 18]
    assert sum(one["bound"] for one in report.layers()) == report.total["bound"]


def test_a_size_report_is_a_table(model):
    lines = str(size_report(model)).splitlines()
    assert len(lines) == 6 and "bits each" in lines[0] and lines[-1].startswith("all weights")
    assert "50.0%" in lines[1] and "1.500" in lines[1] and len({len(line) for line in lines}) == 1


def test_a_model_without_weights_is_refused():
    with pytest.raises(ValueError, match="has no weights yet"):
        size_report(keras.Sequential([layers.Dense(3)]))


@settings(deadline=None)
@given(st.lists(st.integers(1, 1000), min_size=1, max_size=20))
def test_entropy_is_scipys(counts):
    from scipy.stats import entropy

    assert reports.entropy_of(counts) == pytest.approx(entropy(counts, base=2), abs=1e-12)
    assert reports.entropy_of([]) == 0


# --- accuracies -------------------------------------------------------------------------------------------------------
@settings(deadline=None)
@given(st.integers(1, 20_000), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilsons_interval_is_that_of_statsmodels(n, share, confidence):
    from statsmodels.stats.proportion import proportion_confint

    right = round(n * share)
    wanted = proportion_confint(right, n, 1 - confidence, method="wilson")
    assert reports.wilson(right, n, confidence) == pytest.approx(wanted, abs=1e-12)


@settings(deadline=None)
@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemars_test_is_that_of_statsmodels(b, c):
    from statsmodels.stats.contingency_tables import mcnemar

    if b + c:
        assert reports.mcnemar(b, c) == pytest.approx(mcnemar([[5, b], [c, 5]], exact=True).pvalue, abs=1e-12)
    assert reports.mcnemar(b, c) == reports.mcnemar(c, b) and reports.mcnemar(b, b) == 1


def test_an_accuracy_report_counts_pairs():
    y = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0])
    first = np.array([0, 1, 2, 0, 1, 2, 0, 0, 0, 1])  # 7 right
    second = np.array([0, 1, 2, 0, 1, 0, 1, 1, 1, 1])  # 6 right, one of them alone
    report = accuracy_report(first, second, None, y)
    assert (report.first, report.second, report.n) == (0.7, 0.6, 10)
    assert (report.both, report.only_first, report.only_second, report.neither) == (5, 2, 1, 2)
    assert report.agreement == 0.6 and report.difference == pytest.approx(-0.1) and report.p_value == 1
    low, high = report.difference_interval
    assert low < -0.1 < high and high - low == pytest.approx(2 * 1.959964 * np.sqrt(3 - 0.1) / 10, rel=1e-6)
    assert "McNemar's exact test: p = 1" in str(report) and "only the first 2" in str(report)


def test_the_same_predictions_do_not_differ():
    y = np.arange(100) % 10
    report = accuracy_report(y, y, None, np.eye(10)[y])
    assert (report.first, report.agreement, report.difference, report.p_value) == (1, 1, 0, 1)
    assert report.difference_interval == (0, 0) and report.intervals[0][1] == 1 > report.intervals[0][0]


def test_a_clear_difference_is_seen_and_a_small_one_is_not():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, 5000)
    wrong = lambda share: np.where(rng.random(5000) < share, (y + 1) % 10, y)
    assert accuracy_report(wrong(0.02), wrong(0.06), None, y).p_value < 1e-6
    alone = np.where(np.arange(5000) < 3, (y + 1) % 10, y)
    assert accuracy_report(y, alone, None, y).p_value == 0.25  # three coins that fall alike


def test_models_and_scores_are_taken_as_well(model):
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
    mean, half = reports.mean_and_half(values)
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert (mean - half, mean + half) == pytest.approx((low, high))
    with pytest.raises(ValueError, match="an interval needs two or more"):
        reports.mean_and_half([1.0])
