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
    widths = [values.shape[1] for values in images.values()]
    cell = min(0.34, 7.6 / (sum(widths) + len(widths)))  # inches, alike in all images
    tallest = max(values.shape[0] for values in images.values())
    total = (sum(widths) + 2.2 * len(widths)) * cell
    _, axes = figure(total, tallest * cell + 0.4, 1, len(images), squeeze=False, width_ratios=[w + 1.2 for w in widths])
    words = []
    for ax, (title, values) in zip(axes[0], images.items(), strict=True):
        height, width = values.shape
        ax.imshow(values, cmap="Greys", vmin=values.min(), vmax=max(values.max(), values.min() + 1) * 2.2)
        for (i, j), value in np.ndenumerate(values):
            ax.text(j, i, f"{value:g}", ha="center", va="center", fontsize=9)
        ax.set_xticks(np.arange(width + 1) - 0.5, [])
        ax.set_yticks(np.arange(height + 1) - 0.5, [])
        ax.grid(color=GRAY, linewidth=0.6)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(True)
        ax.set_title(title, loc="center", fontsize=9)
        ax.set_anchor("N")
        if title in windows:
            row, column, high, wide = windows[title]
            frame = {"fill": False, "edgecolor": COLORS[5], "linewidth": 2.5, "zorder": 3}
            ax.add_patch(Rectangle((column - 0.5, row - 0.5), wide, high, **frame))
        words.append(f"{title}: " + " / ".join(" ".join(f"{value:g}" for value in line) for line in values))
    where = [f"{high} × {wide} from row {r}, column {c} of {title}" for title, (r, c, high, wide) in windows.items()]
    finish("; ".join(words) + "." + (f" Framed: {'; '.join(where)}." if where else ""))
