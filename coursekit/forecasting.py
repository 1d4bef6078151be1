"""Forecasting a series: windows, the simple forecasts that all others must beat, and errors. Born in notebook 09.

A window is a row of x with what came before, and a row of y with what followed. The moment between the two is called
the origin of a forecast.
"""

import numpy as np


def series(values):
    """A series as a float array (time,). Raises ValueError where it is none, is empty, or holds NaN or infinity."""
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"a series is (time,) numbers, one or more; this has shape {values.shape}")
    if not np.isfinite(values).all():
        at = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ValueError(
            f"the series holds {values[at]} at step {at}; fill it from what was known then, or leave it out"
        )
    return values


def windows(values, length, horizon):
    """Every window of a series: x (n, length) and y (n, horizon), with y right behind x.

    Raises ValueError where the series has NaN, or is too short for one window.
    """
    values = series(values)
    if length < 1 or horizon < 1:
        raise ValueError(f"length and horizon are 1 or more, not {length} and {horizon}")
    if length + horizon > len(values):
        raise ValueError(
            f"a window of {length} and a horizon of {horizon} need {length + horizon} steps; "
            f"the series has {len(values)}"
        )
    both = np.lib.stride_tricks.sliding_window_view(values, length + horizon).copy()  # (n, length + horizon)
    return both[:, :length], both[:, length:]


def last_value(x, horizon):
    """Nothing will change: the last value of each window (n, length), repeated (n, horizon)."""
    return np.repeat(np.asarray(x)[:, -1:], horizon, axis=1)


def seasonal_naive(x, horizon, season):
    """It will be as it was a season ago: (n, horizon) from windows (n, length); for a long horizon, again and again.

    Raises ValueError where a window is shorter than the season.
    """
    x = np.asarray(x)
    if x.shape[1] < season:
        raise ValueError(f"windows of {x.shape[1]} steps do not hold a season of {season}")
    return x[:, x.shape[1] - season + np.arange(horizon) % season]


def monthly(dates, values):
    """Means by month of the values that are there: (months, datetime64[M], all of them) and (means, NaN where none is).

    dates: (n,) datetime64; values: (n,) numbers, NaN where missing.
    """
    month = np.asarray(dates).astype("datetime64[M]")
    months = np.arange(month.min(), month.max() + 1)
    values = np.asarray(values, dtype=float)
    known = [values[(month == one) & np.isfinite(values)] for one in months]
    return months, np.array([some.mean() if len(some) else np.nan for some in known])


def fill_gaps(values):
    """A series with its NaN replaced by a straight line between the known neighbors.

    The line looks ahead, to the next known value: do it only where nothing is forecast. Raises ValueError where the
    first or the last value is missing, for there is no neighbor on one side.
    """
    values = np.asarray(values, dtype=float)
    known = np.isfinite(values)
    if not (known[0] and known[-1]):
        raise ValueError("the first or the last value is missing; cut the series, a line needs both of its ends")
    steps = np.arange(len(values))
    return np.interp(steps, steps[known], values[known])


def arima_forecasts(values, cut, horizon, *, order, seasonal_order=(0, 0, 0, 0)):
    """Forecasts of ARIMA (statsmodels) from every origin at or after `cut`: (n, horizon).

    The model is fitted once, to values[:cut]. For each origin it is shown the values before the origin, and forecasts;
    its parameters stay. order: (p, d, q); seasonal_order: (P, D, Q, season).
    """
    import warnings

    from statsmodels.tsa.arima.model import ARIMA

    values = series(values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about starting values, and that an extended model is not fitted anew
        model = ARIMA(values[:cut], order=order, seasonal_order=seasonal_order).fit(method="innovations_mle")
        forecasts = [model.forecast(horizon)]
        for origin in range(cut + 1, len(values) - horizon + 1):
            model = model.extend(values[origin - 1 : origin])
            forecasts.append(model.forecast(horizon))
    return np.stack(forecasts)


def mean_and_half_by_blocks(errors, blocks=6):
    """(mean, half the width of its 95 % interval) of one error for each origin, in the order of time.

    Neighboring origins make nearly the same error, so they are no independent draws. The errors are cut into blocks of
    neighbors, and the blocks' means are taken for the draws (Student's interval). Few blocks give a wide interval.
    Raises ValueError for fewer errors than two in each block.
    """
    from scipy.stats import t

    errors = np.asarray(errors, dtype=float)
    if errors.ndim != 1 or len(errors) < 2 * blocks:
        raise ValueError(f"{errors.shape} errors do not make {blocks} blocks of two or more; give one error an origin")
    means = np.array([block.mean() for block in np.array_split(errors, blocks)])
    half = t.ppf(0.975, blocks - 1) * means.std(ddof=1) / np.sqrt(blocks)
    return float(errors.mean()), float(half)


def network_forecasts(model, past, x_test, *, learning_rate=0.01, epochs=30, patience=6):
    """Train a Keras model on the windows of `past`, and forecast from the windows x_test: (n, horizon).

    model:  untrained, from (n, length, 1) to (n, horizon). past: (time,), everything before the first origin.
    x_test: (n, length). Seed Keras before you build the model, and the result is the same each time.

    The model sees each window minus its last value, in units of a typical change, and gives changes in that unit. The
    last fifth of the windows of `past` validates: training stops after `patience` epochs without a better error, and
    goes back to the best weights. Training windows that share a target with a validation window are left out.
    """
    import keras

    horizon = model.output_shape[-1]
    x, y = windows(past, x_test.shape[1], horizon)
    cut = int(0.8 * len(x))
    train, later = slice(0, cut - horizon), slice(cut, None)
    unit = np.abs(y - x[:, -1:])[train].mean()
    changes = lambda values, x: (values - x[:, -1:]) / unit
    model.compile(keras.optimizers.Adam(learning_rate), "mae")
    model.fit(
        changes(x, x)[train, :, None],
        changes(y, x)[train],
        validation_data=(changes(x, x)[later, :, None], changes(y, x)[later]),
        callbacks=[keras.callbacks.EarlyStopping(patience=patience, restore_best_weights=True)],
        epochs=epochs,
        batch_size=64,
        verbose=0,
    )
    forecast = keras.ops.convert_to_numpy(model(changes(x_test, x_test)[:, :, None].astype("float32")))
    return forecast * unit + x_test[:, -1:]


def error_table(forecasts, truth, horizons, *, against):
    """Print mean absolute errors with 95 % intervals, and who is better or worse than the method `against`.

    forecasts: {method: (origins, horizon)}; truth: (origins, horizon); horizons: the steps ahead that are shown.
    Returns two dictionaries, method to errors and method to verdicts, one for each of the horizons. A verdict is
    "better" or "worse" where the interval of the difference, origin by origin, leaves zero out, else "open".
    """
    absolute = {name: np.abs(predicted - truth) for name, predicted in forecasts.items()}
    print("steps ahead    " + "".join(f"{h:>24}" for h in horizons))
    errors, verdicts = {}, {}
    for name, own in absolute.items():
        cells, errors[name], verdicts[name] = [], [], []
        for h in horizons:
            mean, half = mean_and_half_by_blocks(own[:, h - 1])
            apart, margin = mean_and_half_by_blocks((own - absolute[against])[:, h - 1])
            verdict = "open" if abs(apart) <= margin else "worse" if apart > 0 else "better"
            verdict = "" if name == against else verdict
            cells.append(f"{mean:9.2f} ± {half:5.2f} {verdict:6}")
            errors[name].append(mean)
            verdicts[name].append(verdict)
        print(f"{name:15}" + " ".join(cells).rstrip())
    return errors, verdicts
