"""Windows, simple forecasts, ARIMA from rolling origins, and intervals by blocks."""

import numpy as np
import pytest

from coursekit import forecasting as f


def test_windows_are_cut_right_behind_each_other():
    x, y = f.windows(np.arange(10.0, 80.0, 10.0), 3, 2)
    assert x.tolist() == [[10, 20, 30], [20, 30, 40], [30, 40, 50]] and y.tolist() == [[40, 50], [50, 60], [60, 70]]


@pytest.mark.parametrize(
    "values, length, horizon, said",
    [
        ([1, np.nan, 2, 3], 1, 1, "holds nan at step 1"),
        ([1, 2, 3], 2, 2, "need 4 steps; the series has 3"),
        ([1, 2, 3], 0, 1, "1 or more"),
        ([], 1, 1, "one or more"),
        ([[1, 2]], 1, 1, "has shape"),
    ],
)
def test_a_series_that_holds_no_window_is_refused(values, length, horizon, said):
    with pytest.raises(ValueError, match=said):
        f.windows(values, length, horizon)


def test_seasonal_naive_goes_round():
    assert f.seasonal_naive(np.array([[1, 2, 3, 4, 5]]), 4, 3).tolist() == [[3, 4, 5, 3]]
    assert f.last_value(np.array([[1, 2], [3, 4]]), 2).tolist() == [[2, 2], [4, 4]]
    with pytest.raises(ValueError, match="do not hold a season"):
        f.seasonal_naive(np.zeros((1, 2)), 1, 3)


def test_months_have_the_mean_of_what_is_known():
    dates = np.array(["2001-01-05", "2001-01-20", "2001-03-01", "2001-03-09"], "datetime64[D]")
    months, means = f.monthly(dates, [1, 3, 5, np.nan])
    assert months.astype(str).tolist() == ["2001-01", "2001-02", "2001-03"]
    np.testing.assert_array_equal(means, [2, np.nan, 5])
    assert f.fill_gaps(means).tolist() == [2, 3.5, 5]
    with pytest.raises(ValueError, match="first or the last"):
        f.fill_gaps([np.nan, 1, 2])


def test_arima_sees_nothing_from_behind_the_origin():
    values = np.sin(np.arange(80) / 3) + 0.1 * np.random.default_rng(0).normal(size=80)
    first = f.arima_forecasts(values, 60, 4, order=(3, 0, 0))
    changed = values.copy()
    changed[65:] = 99
    second = f.arima_forecasts(changed, 60, 4, order=(3, 0, 0))
    assert first.shape == (17, 4)
    np.testing.assert_allclose(first[:6], second[:6])
    assert np.abs(first[6] - second[6]).max() > 1


def test_interval_of_blocks_is_wider_where_neighbors_are_alike():
    rng = np.random.default_rng(0)
    slow = np.repeat(rng.normal(size=6), 20)
    mixed = rng.permutation(slow)
    assert f.mean_and_half_by_blocks(slow)[0] == pytest.approx(slow.mean())
    assert f.mean_and_half_by_blocks(slow)[1] > 2 * f.mean_and_half_by_blocks(mixed)[1]
    with pytest.raises(ValueError, match="6 blocks"):
        f.mean_and_half_by_blocks(np.zeros(11))


def test_table_says_who_is_better_worse_or_open(capsys):
    rng = np.random.default_rng(0)
    truth = np.zeros((60, 2))
    noise = rng.normal(size=(60, 2))
    forecasts = {"good": 0.1 * noise, "same": noise, "twin": noise[::-1].copy(), "bad": 9 * noise}
    errors, verdicts = f.error_table(forecasts, truth, [1, 2], against="same")
    assert verdicts["good"] == ["better", "better"] and verdicts["bad"] == ["worse", "worse"]
    assert verdicts["same"] == ["", ""] and verdicts["twin"] == ["open", "open"]
    assert errors["same"][0] == pytest.approx(np.abs(noise[:, 0]).mean())
    assert "better" in capsys.readouterr().out


def test_networks_forecast_from_the_past_alone():
    keras = pytest.importorskip("keras")
    values = np.sin(np.arange(120) / 2)
    x_test, y_test = f.windows(values[80:], 8, 3)
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    predicted = f.network_forecasts(model, values[:88], x_test, learning_rate=0.05)
    assert (
        predicted.shape == y_test.shape
        and np.abs(predicted - y_test).mean() < np.abs(x_test[:, -1:] - y_test).mean() / 2
    )
