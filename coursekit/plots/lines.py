"""Curves: quantities over another, fits over points, training histories, and bands of several draws.

Born in notebook 00.
"""

import numpy as np

from coursekit.plots.style import COLORS, GRAY, LINES, MARKERS, figure, finish


def curves(x, series, x_label, y_label, *, x_scale="linear", y_scale="linear", title=""):
    """Draw each of `series`, a dictionary from name to values, over `x`.

    x: (n,) numbers; each series: (n,) numbers. Color, marker and line style differ together.
    Raises ValueError if a series and x differ in length.
    """
    x = np.asarray(x)
    _, ax = figure(6.4, 3.2)
    words = []
    for i, (name, values) in enumerate(series.items()):
        y = np.asarray(values, dtype=float)
        if y.shape != x.shape:
            raise ValueError(f"{name!r} has shape {y.shape} and x {x.shape}; give one value for each x")
        ax.plot(x, y, marker=MARKERS[i % 8], linestyle=LINES[i % 4], markersize=5, label=name)
        extremes = f"lowest {np.nanmin(y):.3g}, highest {np.nanmax(y):.3g}"
        words.append(f"{name} goes from {y[0]:.3g} to {y[-1]:.3g} ({extremes})")
    ax.set(xlabel=x_label, ylabel=y_label, xscale=x_scale, yscale=y_scale, title=title)
    if x_scale == "linear" and np.issubdtype(x.dtype, np.integer):  # counts: no ticks between
        ax.xaxis.get_major_locator().set_params(integer=True)
    if len(series) > 1:
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    finish(f"{y_label} over {x_label}, from {x[0]:.4g} to {x[-1]:.4g}: {'; '.join(words)}.")


def fits(x, y, predictions, x_label="x", y_label="y", title=""):
    """Draw the points (x, y) and, over the same x, each of `predictions`, a dictionary from name to values.

    x, y: (n,) numbers; each prediction: (n,) numbers. Color and line style differ together.
    Raises ValueError where a shape is another one: a column (n, 1) is not taken for (n,), so flatten it first.
    """
    x = np.asarray(x, dtype=float)
    named = {"y": np.asarray(y, dtype=float)}
    named |= {name: np.asarray(values, dtype=float) for name, values in predictions.items()}
    for name, values in named.items():
        if x.ndim != 1 or values.shape != x.shape:
            raise ValueError(f"{name!r} has shape {values.shape} and x {x.shape}; give both as (n,), one value a point")
    order = np.argsort(x)
    _, ax = figure(6.4, 3.4)
    ax.scatter(x, named.pop("y"), s=14, color=GRAY, label="data")
    words = []
    for i, (name, values) in enumerate(named.items()):
        left, right = values[order[0]], values[order[-1]]
        ax.plot(x[order], values[order], color=COLORS[i], linestyle=LINES[i % 4], linewidth=2.2, label=name)
        words.append(f"{name} goes from {left:.3g} on the left to {right:.3g} on the right")
    ax.set(xlabel=x_label, ylabel=y_label, title=title)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    spread = f"{y_label} from {np.min(y):.3g} to {np.max(y):.3g}"
    finish(f"{len(x)} points, {x_label} from {x.min():.3g} to {x.max():.3g}, {spread}: {'; '.join(words)}.")


def bands(x, series, x_label, y_label, *, x_scale="linear"):
    """Draw the mean of several draws over x for each of `series`, and a band from the least to the largest draw.

    x: (n,) numbers, all of which stand at the axis; series: {name: (draws, n)}, of two draws or more.
    Raises ValueError if a series has another shape.
    """
    x = np.asarray(x, dtype=float)
    _, ax = figure(8.2, 3.8)
    words, draws = [], 0
    for i, (name, values) in enumerate(series.items()):
        values = np.asarray(values, dtype=float)
        if values.ndim != 2 or values.shape[1:] != x.shape or len(values) < 2:
            raise ValueError(f"{name!r} has shape {values.shape}; give two draws or more of {len(x)} values each")
        draws, mean = len(values), values.mean(axis=0)
        look = {"color": COLORS[i % 8], "linestyle": LINES[i % 4], "marker": MARKERS[i % 8], "markersize": 5}
        ax.fill_between(x, values.min(axis=0), values.max(axis=0), color=COLORS[i % 8], alpha=0.15, linewidth=0)
        ax.plot(x, mean, label=name, **look)
        words.append(f"{name} from {mean[0]:.3g} to {mean[-1]:.3g}")
    ax.set(xlabel=x_label, ylabel=y_label, xscale=x_scale)
    ax.set_xticks(x, [f"{value:g}" for value in x])
    ax.set_xticks([], minor=True)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    start = f"{y_label} over {x_label}, from {x[0]:g} to {x[-1]:g}: means of {draws} draws, with bands from the least "
    finish(f"{start}to the largest. {'; '.join(words)}.")


def history(histories, *, title=""):
    """Draw how loss and accuracy went, epoch by epoch: one panel for each quantity.

    histories: what `model.fit` returned, or a dictionary {"loss": [...], "val_loss": [...], ...}, or several of these
               by name, {"ours": ..., "Keras": ...}. "val_" marks what was measured on validation data; it is dashed.
    Raises ValueError if there is nothing to draw.
    """
    runs = _runs(histories)
    quantities = list(dict.fromkeys(key.removeprefix("val_") for run in runs.values() for key in run))
    quantities.sort(key=lambda quantity: quantity != "loss")  # the loss first
    if not quantities or not all(len(values) for run in runs.values() for values in run.values()):
        raise ValueError("there is no epoch to draw; give the history that model.fit returned")
    _, axes = figure(3.7 * len(quantities) + 0.2, 2.8, 1, len(quantities), squeeze=False)
    words = []
    for ax, quantity in zip(axes.flat, quantities, strict=True):
        for i, (name, run) in enumerate(runs.items()):
            for j, (key, what) in enumerate(((quantity, "training"), (f"val_{quantity}", "validation"))):
                if key in run:
                    label = " ".join(part for part in (name, what) if part)
                    values = np.asarray(run[key], dtype=float)
                    words.append(f"{quantity} of {label} {_way(values, quantity == 'loss')}")
                    below = len(runs) > 1 and i == 0  # drawn wide and pale, to be seen where the next one covers it
                    _line(ax, run[key], 2 * i + j, label, dashed=j == 1, wide=below)
        ax.set(xlabel="epoch", ylabel=quantity.replace("_", " "))
        ax.legend(fontsize=8)
    axes.flat[0].set_title(title)
    finish(f"{title + ': ' if title else ''}{'; '.join(words)}.")


def _runs(histories):
    """{name: {quantity: values}} from a Keras History, a dictionary of lists, or a dictionary of either."""
    if hasattr(histories, "history"):
        histories = histories.history
    if all(np.ndim(values) == 1 for values in histories.values()) and not _nested(histories):
        return {"": dict(histories)}
    return {name: getattr(one, "history", one) for name, one in histories.items()}


def _nested(histories):
    return any(isinstance(one, dict) or hasattr(one, "history") for one in histories.values())


def _line(ax, values, i, label, dashed, wide):
    epochs = np.arange(1, len(values) + 1)
    every = max(1, len(values) // 8)
    style = {"linestyle": "--" if dashed else "-", "marker": MARKERS[i % 8], "markevery": every, "markersize": 5}
    if wide:
        style |= {"linewidth": 6, "alpha": 0.45, "markersize": 10}
    ax.plot(epochs, values, color=COLORS[i % 6], label=label, **style)


def _way(values, is_loss):
    best = int(np.nanargmin(values)) + 1
    low = f", lowest in epoch {best} ({np.nanmin(values):.3g})" if is_loss and best not in (1, len(values)) else ""
    return f"goes from {values[0]:.3g} to {values[-1]:.3g} in {len(values)} epochs{low}"
