"""Points, and one or several lines or curves that were fitted to them."""

import numpy as np

from coursekit.plots.style import COLOURS, GREY, figure, finish

LINES = ("-", "--", "-.", ":")


def fits(x, y, predictions, x_label="x", y_label="y", title=""):
    """Draw the points (x, y) and, over the same x, each of `predictions`, a dictionary from name to values.

    x, y: (n,) numbers; each prediction: (n,) numbers. Colour and line style differ together.
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
    ax.scatter(x, named.pop("y"), s=14, color=GREY, label="data")
    words = []
    for i, (name, values) in enumerate(named.items()):
        left, right = values[order[0]], values[order[-1]]
        ax.plot(x[order], values[order], color=COLOURS[i], linestyle=LINES[i % 4], linewidth=2.2, label=name)
        words.append(f"{name} goes from {left:.3g} on the left to {right:.3g} on the right")
    ax.set(xlabel=x_label, ylabel=y_label, title=title)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    spread = f"{y_label} from {np.min(y):.3g} to {np.max(y):.3g}"
    finish(f"{len(x)} points, {x_label} from {x.min():.3g} to {x.max():.3g}, {spread}: {'; '.join(words)}.")
