"""Points in the plane: clouds side by side, and which way to go from each place. Born in notebook 14."""

import numpy as np

from coursekit.arrays import as_array
from coursekit.plots.style import COLORS, DPI, figure, finish


def scatters(panels, *, limit):
    """Draw point clouds side by side, each in a square from -limit to limit.

    panels: {title: points (n, 2)}; at most 1,000 points of each are drawn, the caption counts all of them.
    Raises ValueError if there is nothing to draw, or points have another shape.
    """
    panels = {title: as_array(points).astype(float) for title, points in panels.items()}
    if not panels or any(points.ndim != 2 or points.shape[1:] != (2,) or not len(points) for points in panels.values()):
        raise ValueError("give one cloud or more, each as points (n, 2)")
    _, axes = figure(2.6 * len(panels) + 0.2, 2.9, 1, len(panels), squeeze=False, dpi=DPI)
    words = []
    for ax, (title, points) in zip(axes.flat, panels.items(), strict=True):
        ax.scatter(*points[:1000].T, s=3, alpha=0.4, color=COLORS[0], linewidths=0)
        _frame(ax, title, limit)
        outside = np.mean(np.abs(points).max(axis=1) > limit)
        beyond = f", {outside:.1%} of them outside the picture" if outside else ""
        words.append(f"{title}: standard deviation {points.std(axis=0).mean():.2f}{beyond}")
    finish(f"Point clouds, from -{limit:g} to {limit:g} both ways. {'; '.join(words)}.")


def arrows(at, fields, *, points=None):
    """Draw arrows at the places `at` (n, 2), a panel for each of `fields`, {title: arrows (n, 2)}; one scale for all.

    points: places (m, 2) to be marked in every panel. Raises ValueError if a field has another shape than `at`.
    """
    at = as_array(at).astype(float)
    fields = {title: as_array(field).astype(float) for title, field in fields.items()}
    for title, field in fields.items():
        if field.shape != at.shape or at.ndim != 2 or at.shape[1] != 2:
            raise ValueError(f"{title!r} has shape {field.shape} and the places {at.shape}; give (n, 2) for both")
    longest = max(np.linalg.norm(field, axis=1).max() for field in fields.values())
    limit = np.abs(at).max() * 1.15
    step = np.ptp(at[:, 0]) / max(len(np.unique(at[:, 0])) - 1, 1)  # an arrow is as long as two places are apart
    _, axes = figure(3.5 * len(fields) + 0.2, 3.8, 1, len(fields), squeeze=False, dpi=DPI)
    for ax, (title, field) in zip(axes.flat, fields.items(), strict=True):
        scale = longest / (1.6 * step) or 1
        ax.quiver(*at.T, *field.T, angles="xy", scale_units="xy", scale=scale, color=COLORS[0], width=0.006)
        if points is not None:
            ax.scatter(*as_array(points).T, s=60, marker="X", color=COLORS[5], zorder=3)
        _frame(ax, title, limit)
    (start, first), *others = fields.items()
    told = [f"{title} and {start} differ by {_angle(first, field):.0f}° on average" for title, field in others]
    marked = f"; {len(points)} marked places" if points is not None else ""
    finish(f"Arrows at {len(at)} places{marked}. {', '.join(fields)}{': ' if told else ''}{'; '.join(told)}.")


def _frame(ax, title, limit):
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", title=title)


def _angle(a, b):
    """The mean angle between arrows, in degrees; arrows without length are left out."""
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines = (a * b).sum(axis=1)[lengths > 0] / lengths[lengths > 0]
    return np.degrees(np.arccos(cosines.clip(-1, 1))).mean() if len(cosines) else np.nan


def image_rows(rows, *, value_range=(0, 1)):
    """Draw rows of images, each with its name at the left: {name: images (n, height, width) or (…, 1) or (…, 3)}.

    value_range: (low, high), drawn as black and as white; colors are cut to 0 to 1.
    Raises ValueError if there is nothing to draw, or the rows differ in length.
    """
    rows = {name: as_array(images) for name, images in rows.items()}
    count = {len(images) for images in rows.values()}
    if len(count) != 1 or not count - {0}:
        raise ValueError("give one row or more, all with the same number of images, and at least one")
    columns = count.pop()
    side = min(5.6 / columns, 0.6)
    _, axes = figure(columns * side + 1.1, len(rows) * side + 0.1, len(rows), columns, squeeze=False, dpi=DPI)
    for line, (name, images) in zip(axes, rows.items(), strict=True):
        for ax, image in zip(line, images, strict=True):
            picture = image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image
            if picture.ndim == 3:
                ax.imshow(picture.clip(0, 1), interpolation="nearest")
            else:
                ax.imshow(picture, cmap="gray", vmin=value_range[0], vmax=value_range[1], interpolation="nearest")
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    sizes = f"{columns} images" if columns > 1 else "one image"
    finish(f"Rows of {sizes}, from top to bottom: {'; '.join(rows)}.")
