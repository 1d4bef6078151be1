"""Curves: one or several quantities over another."""

import numpy as np

from coursekit.plots.style import figure, finish

MARKERS = "osD^vP*X"
LINES = ("-", "--", "-.", ":")


def curves(x, series, x_label, y_label, *, x_scale="linear", y_scale="linear", title=""):
    """Draw each of `series`, a dictionary from name to values, over `x`.

    x: (n,) numbers; each series: (n,) numbers. Colour, marker and line style differ together.
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
        ax.legend()
    finish(f"{y_label} over {x_label}, from {x[0]:.4g} to {x[-1]:.4g}: {'; '.join(words)}.")
