"""Several draws of a quantity over another, as a line with a band around it. Born in notebook 08."""

import numpy as np

from coursekit.plots.style import COLOURS, figure, finish

MARKERS = "osD^vP*X"
LINES = ("-", "--", "-.", ":")


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
        look = {"color": COLOURS[i % 8], "linestyle": LINES[i % 4], "marker": MARKERS[i % 8], "markersize": 5}
        ax.fill_between(x, values.min(axis=0), values.max(axis=0), color=COLOURS[i % 8], alpha=0.15, linewidth=0)
        ax.plot(x, mean, label=name, **look)
        words.append(f"{name} from {mean[0]:.3g} to {mean[-1]:.3g}")
    ax.set(xlabel=x_label, ylabel=y_label, xscale=x_scale)
    ax.set_xticks(x, [f"{value:g}" for value in x])
    ax.set_xticks([], minor=True)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    start = f"{y_label} over {x_label}, from {x[0]:g} to {x[-1]:g}: means of {draws} draws, with bands from the least "
    finish(f"{start}to the largest. {'; '.join(words)}.")
