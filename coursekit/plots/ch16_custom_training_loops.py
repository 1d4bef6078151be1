"""What happens from step to step of a training: losses and learning rates. Born in notebook 16."""

import numpy as np

from coursekit.plots.style import COLORS, LINES, MARKERS, figure, finish


def over_steps(series, y_label, x_label="step", *, y_scale="linear"):
    """Draw each of `series`, {name: values of steps 1, 2, …}, as a line with a few markers.

    The series may differ in length. Raises ValueError where there is nothing to draw.
    """
    series = {name: np.asarray(values, dtype=float) for name, values in series.items()}
    if not series or any(values.ndim != 1 or not len(values) for values in series.values()):
        raise ValueError("give each series as a list of numbers, one a step, and at least one of them")
    _, ax = figure(6.8, 3.2)
    words = []
    for i, (name, values) in enumerate(series.items()):
        every = max(1, len(values) // 9)
        first = i * every // max(len(series), 1)  # so that markers of curves on each other stand apart
        look = {"color": COLORS[i % 8], "linestyle": LINES[i % 4], "marker": MARKERS[i % 8]}
        ax.plot(np.arange(1, len(values) + 1), values, label=name, markevery=(first, every), markersize=5, **look)
        words.append(f"{name} {_way(values)}")
    ax.set(xlabel=x_label, ylabel=y_label, yscale=y_scale)
    if len(series) > 1:
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    longest = max(map(len, series.values()))
    finish(f"{y_label} over {longest} {x_label}s: {'; '.join(words)}.")


def _way(values):
    """From where to where, and by way of which top or bottom."""
    top, bottom = int(np.nanargmax(values)), int(np.nanargmin(values))
    last = len(values) - 1
    by_way = [
        f"{word} {values[place]:.3g} at {place + 1}"
        for word, place in (("highest", top), ("lowest", bottom))
        if place not in (0, last) and values[place] not in (values[0], values[last])
    ]
    stays = np.ptp(values) == 0
    where = f"stays at {values[0]:.3g}" if stays else f"goes from {values[0]:.3g} to {values[-1]:.3g}"
    return where + (f" ({', '.join(by_way)})" if by_way and not stays else "")
