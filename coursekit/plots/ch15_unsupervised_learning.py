"""Points in groups, in one panel or several beside each other."""

import numpy as np

from coursekit.arrays import as_array
from coursekit.plots.style import COLORS, DPI, MARKERS, figure, finish


def groups(panels, *, same_axes=False, columns=4):
    """Draw points of a plane with a color and a marker for each group, a panel for each of `panels`.

    panels: {title: (x, labels)} or {title: (x, labels, centroids)}, with x (n, 2), labels (n,) whole numbers or None
    for points in no group, and centroids (k, 2), drawn as black crosses. same_axes: whether a step to the right is
    drawn as long as a step up. Raises ValueError where there is no panel or the shapes don't fit.
    """
    if not panels:
        raise ValueError("there is no panel to draw; give one at least")
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    side = min(8.8 / columns, 3.4)
    _, axes = figure(side * columns, side * rows, rows, columns, squeeze=False, dpi=DPI)
    for ax in axes.flat[len(panels) :]:
        ax.axis("off")
    words = []
    for ax, (title, (x, labels, *more)) in zip(axes.flat, panels.items(), strict=False):
        x = as_array(x).astype(float)
        labels = np.zeros(len(x), dtype=int) if labels is None else as_array(labels).astype(int)
        if x.ndim != 2 or x.shape[1] != 2 or labels.shape != x.shape[:1]:
            raise ValueError(f"{title!r} has points {x.shape} and labels {labels.shape}; give (n, 2) and (n,)")
        kinds, counts = np.unique(labels, return_counts=True)
        for i, kind in enumerate(kinds):
            look = {"color": COLORS[i % 8], "marker": MARKERS[(i + i // 8) % 8]}
            ax.scatter(*x[labels == kind].T, s=9, linewidth=0.5, label=str(kind), **look)
        for centroids in more:
            ax.scatter(*as_array(centroids).T, s=70, marker="x", color="black", linewidth=2, zorder=3)
        ax.set_title(title, fontsize=9)
        ax.tick_params(labelsize=7)
        if same_axes:
            ax.set_aspect("equal", adjustable="datalim")
        sizes = " + ".join(map(str, counts)) if len(kinds) > 1 else f"{len(x)}, all alike"
        words.append(f"{title}: {sizes}")
    many = f"{len(panels)} panels" if len(panels) > 1 else "One panel"
    crosses = ", black crosses are centroids" if any(len(one) > 2 for one in panels.values()) else ""
    finish(f"{many} of points, a color and a marker for each group{crosses}. Points in each: {'; '.join(words)}.")
