"""Reports: sizes counted by hand, intervals and tests against statsmodels."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from coursekit.compression import reports, size_report


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


def test_values_of_half_precision_are_counted_right():
    """NumPy's sort of float16, and so its unique, is wrong on some processors where few values are many times there."""
    rng = np.random.default_rng(0)
    for size in range(2000, 12_000, 500):
        values = rng.choice(np.float16([-0.58, -0.43, -0.37, 0, 0.25]), size, p=[0.1, 0.1, 0.1, 0.6, 0.1])
        row = reports._row("net/kernel", "float16", values)
        assert (row["unique"], row["zeros"]) == (5, int((values == 0).sum()))


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
