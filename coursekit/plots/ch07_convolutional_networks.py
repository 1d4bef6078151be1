"""Small images with their numbers, and a window marked in them. Born in notebook 07."""

import numpy as np

from coursekit.plots.style import COLORS, GRAY, figure, finish


def grids(named, marked=None):
    """Draw small images beside each other with the number of each pixel written in it; large numbers are darker.

    named:  {title: (height, width) numbers, or (width,) for a single row}.
    marked: {title: (row, column, height, width)}, a window that gets a frame; the windows belong together.
    Raises ValueError if a window belongs to no image or does not lie inside.
    """
    from matplotlib.patches import Rectangle

    images = {title: np.atleast_2d(values) for title, values in named.items()}
    windows = dict(marked or {})
    for title, (row, column, height, width) in windows.items():
        if title not in images:
            raise ValueError(f"a window is marked in {title!r}; there are {', '.join(images)}")
        if not (0 <= row <= images[title].shape[0] - height and 0 <= column <= images[title].shape[1] - width):
            raise ValueError(f"the window in {title!r} does not lie inside its {images[title].shape} pixels")
    slots = [max(values.shape[1], 0.24 * len(title)) + 1 for title, values in images.items()]  # in pixels drawn
    tallest = max(len(values) for values in images.values())
    cell = min(0.34, 8.0 / sum(slots))  # inches, the same for every pixel
    _, ax = figure(sum(slots) * cell, (tallest + 1.2) * cell)
    words, start = [], 0.0
    for slot, (title, values) in zip(slots, images.items(), strict=True):
        height, width = values.shape
        left = start + (slot - width) / 2
        high = max(values.max(), values.min() + 1) * 2.2  # the darkest is a gray on which one can read
        ax.imshow(values, cmap="Greys", vmin=values.min(), vmax=high, extent=(left, left + width, height, 0))
        ax.vlines(left + np.arange(width + 1), 0, height, color=GRAY, linewidth=0.7)
        ax.hlines(np.arange(height + 1), left, left + width, color=GRAY, linewidth=0.7)
        ax.text(left + width / 2, -0.3, title, ha="center", va="bottom", fontsize=9)
        for (i, j), value in np.ndenumerate(values):
            ax.text(left + j + 0.5, i + 0.5, f"{value:g}", ha="center", va="center", fontsize=9)
        if title in windows:
            row, column, rows, columns = windows[title]
            frame = {"fill": False, "edgecolor": COLORS[5], "linewidth": 2.5, "zorder": 3}
            ax.add_patch(Rectangle((left + column, row), columns, rows, **frame))
        words.append(f"{title}: " + " / ".join(" ".join(f"{value:g}" for value in line) for line in values))
        start += slot
    ax.set(xlim=(0, start), ylim=(tallest + 0.1, -1.1), aspect="equal")
    ax.axis("off")
    where = [f"{high} × {wide} from row {r}, column {c} of {title}" for title, (r, c, high, wide) in windows.items()]
    finish("; ".join(words) + "." + (f" Framed: {'; '.join(where)}." if where else ""))
