"""What notebook 03 draws: slopes, Jacobians, graphs of a computation, and paths over a loss surface."""

import numpy as np

from coursekit.plots.style import COLORS, GRAY, LINES, MARKERS, figure, finish


# --- slopes -----------------------------------------------------------------------------------------------------------
def slope(function, derivative, at, widths=(2.0, 1.0)):
    """Draw a function of one number, its tangent at `at`, and the secants from `at` to `at + width`.

    function, derivative: take an array of numbers; widths: positive numbers. Raises ValueError for other widths.
    """
    widths = sorted(widths, reverse=True)
    if not widths or min(widths) <= 0:
        raise ValueError(f"widths are {list(widths)}; give one or more positive numbers")
    reach = 1.3 * widths[0]
    x = np.linspace(at - 0.5 * reach, at + reach, 200)
    _, ax = figure(6.4, 3.2)
    ax.plot(x, function(x), color="black", linewidth=2, label="f")
    here, words = function(at), []
    for i, width in enumerate(widths):
        steepness = (function(at + width) - here) / width
        ax.plot(x, here + steepness * (x - at), color=COLORS[i], linestyle=LINES[1 + i % 3], label=f"h = {width:g}")
        ax.plot([at + width], [function(at + width)], MARKERS[i], color=COLORS[i])
        words.append(f"{steepness:.3g} for h = {width:g}")
    ax.plot(x, here + derivative(at) * (x - at), color=COLORS[5], linewidth=2, label="tangent")
    ax.plot([at], [here], "o", color="black")
    ax.set(xlabel="x", ylabel="f(x)")
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    finish(
        f"A curve, the line that touches it at x = {at:g} and lines through it and a second point at distance h. Their "
        f"slopes are {', '.join(words)}; the tangent's is {derivative(at):.3g}."
    )


def jacobian(function, matrix, at, size):
    """Draw a small square grid around `at`, where `function` takes it, and where the Jacobian says it should go.

    function: from an array (2,) to an array (2,); matrix: its Jacobian at `at`, (2, 2); size: half the grid's width.
    Raises ValueError if the shapes are others.
    """
    at, matrix = np.asarray(at, dtype=float), np.asarray(matrix, dtype=float)
    if at.shape != (2,) or matrix.shape != (2, 2):
        raise ValueError(f"at has shape {at.shape} and the matrix {matrix.shape}; this draws (2,) and (2, 2)")
    ticks = np.linspace(-size, size, 5)
    lines = [np.stack([np.full(41, t), np.linspace(-size, size, 41)], axis=1) for t in ticks]
    lines += [line[:, ::-1] for line in lines]
    _, axes = figure(6.2, 2.5, cols=2)
    image, worst = function(at), 0.0
    for line in lines:
        true, flat = np.array([function(at + d) for d in line]), image + line @ matrix.T
        worst = max(worst, np.abs(true - flat).max())
        axes[0].plot(*(at + line).T, color=GRAY, linewidth=1)
        axes[1].plot(*true.T, color=COLORS[0], linewidth=2, label="the function" if line is lines[0] else None)
        axes[1].plot(*flat.T, color="black", linewidth=1, linestyle="--", label="J" if line is lines[0] else None)
    for i in range(2):
        arrow = {"arrowstyle": "-|>", "color": COLORS[5], "linewidth": 2.5, "shrinkA": 0, "shrinkB": 0}
        axes[0].annotate("", at + size * np.eye(2)[i], at, arrowprops=arrow)
        axes[1].annotate("", image + size * matrix[:, i], image, arrowprops=arrow)
    axes[0].set(title="a small square of inputs", xlabel="input 0", ylabel="input 1", aspect="equal")
    axes[1].set(title="where it goes", xlabel="output 0", ylabel="output 1")
    axes[1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    finish(
        f"Left, a square of inputs around ({at[0]:g}, {at[1]:g}), {2 * size:g} wide, with an arrow along each axis. "
        "Right, where the function takes it, and dashed, where the Jacobian does: its columns are the arrows' images, "
        f"{size:g} times ({matrix[0, 0]:.3g}, {matrix[1, 0]:.3g}) and ({matrix[0, 1]:.3g}, {matrix[1, 1]:.3g}). "
        f"The two grids are at most {worst:.2g} apart."
    )


# --- graphs of a computation ------------------------------------------------------------------------------------------
def computation_graph(nodes):
    """Draw what was computed from what, with each value and the slope of the last node with respect to it.

    nodes: a dictionary in the order of computation, name: (names it was computed from, value, slope).
    Raises ValueError if a node is computed from one that does not come before it.
    """
    column, row = _layout(nodes)
    width, height = max(column.values()) + 1, max(row.values()) + 1
    _, ax = figure(7.4, 0.95 * height + 0.3)
    drawn = {}
    for name, (parents, value, gradient) in nodes.items():
        x, y = column[name], -row[name]
        face = "#f2f2f2" if parents else "white"
        box = {"boxstyle": "round,pad=0.35", "facecolor": face, "edgecolor": COLORS[0] if parents else GRAY}
        drawn[name] = ax.text(x, y, f"{name} = {value:g}\nslope {gradient:g}", ha="center", va="center", bbox=box)
    for name, (parents, *_) in nodes.items():
        for parent in parents:
            ends = {"patchA": drawn[parent].get_bbox_patch(), "patchB": drawn[name].get_bbox_patch()}
            arrow = {"arrowstyle": "-|>", "color": "black", "shrinkA": 2, "shrinkB": 2} | ends
            ax.annotate("", (column[name], -row[name]), (column[parent], -row[parent]), arrowprops=arrow)
    ax.set(xlim=(-0.5, width - 0.5), ylim=(-height + 0.5, 0.5))
    ax.axis("off")
    last = list(nodes)[-1]
    values = ", ".join(f"{name} = {value:g}" for name, (parents, value, _) in nodes.items() if parents)
    slopes = ", ".join(f"{name} {gradient:g}" for name, (_, _, gradient) in reversed(nodes.items()))
    finish(f"Forward, along the arrows: {values}. Backward, the slope of {last} with respect to each: {slopes}.")


def _layout(nodes):
    """Column and row of each node: a computed one right of all it needs, a given one just left of its first use."""
    column = {}
    for name, (parents, *_) in nodes.items():
        if unknown := [parent for parent in parents if parent not in nodes or parent not in list(nodes)[: len(column)]]:
            raise ValueError(f"{name} is computed from {unknown[0]}, which does not come before it")
        column[name] = max((column[parent] + 1 for parent in parents), default=0)
    for name, (parents, *_) in nodes.items():
        if not parents:
            column[name] = min((column[user] for user, (needs, *_) in nodes.items() if name in needs), default=1) - 1
    row, taken = {}, {}
    for name in sorted(nodes, key=lambda one: not nodes[one][0]):  # computed nodes first, in the top row
        row[name] = taken.setdefault(column[name], 0)
        taken[column[name]] += 1
    return column, row


# --- loss surfaces ----------------------------------------------------------------------------------------------------
def paths(loss, paths, limits, *, labels=("θ₀", "θ₁"), title=""):
    """Draw a loss of two parameters as bands of gray, the darkest lowest, and one or several paths over it.

    loss:   from an array (..., 2) to an array (...); paths: a dictionary from name to an array (steps + 1, 2).
    limits: ((low, high), (low, high)) of the two parameters; what lies outside is not shown, and the caption says so.
    A path may hold inf or NaN: the caption says when it left all numbers. Raises ValueError for other shapes.
    """
    paths = {name: np.asarray(path, dtype=float) for name, path in paths.items()}
    for name, path in paths.items():
        if path.ndim != 2 or path.shape[1] != 2 or not len(path):
            raise ValueError(f"the path {name!r} has shape {path.shape}; give (steps + 1, 2)")
    across, up = (np.linspace(*pair, 160) for pair in limits)
    height = loss(np.stack(np.meshgrid(across, up), axis=-1))
    _, ax = figure(6.6, 2.8)
    share = np.linspace(0, 1, 10) ** 2  # bands closer to each other near the bottom
    levels = np.unique(height.min() + share * np.ptp(height))
    if len(levels) > 1:  # not on flat ground
        grays = [str(gray) for gray in np.linspace(0.8, 1.0, len(levels) - 1)]  # the darkest is the lowest
        ax.contourf(across, up, height, levels=levels, colors=grays, antialiased=False)
    for i, (name, path) in enumerate(paths.items()):
        shown = np.where(np.abs(path) < 1e6, path, np.nan)  # the rest of a diverging path
        style = {"color": COLORS[i % 8], "linestyle": LINES[i % 4], "marker": MARKERS[i % 8]}
        every = max(1, len(path) // 30)
        ax.plot(*shown.T, markersize=4, linewidth=1.4, markevery=every, label=name, **style)
    ax.plot(*next(iter(paths.values()))[0], "o", color="black", markersize=8, fillstyle="none", label="start")
    ax.set(xlim=limits[0], ylim=limits[1], xlabel=labels[0], ylabel=labels[1], title=title)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    finish("; ".join(f"{name}: {_journey(loss, path, limits)}" for name, path in paths.items()) + ".")


def _journey(loss, path, limits):
    """One path in words."""
    steps = len(path) - 1
    with np.errstate(over="ignore", invalid="ignore"):
        heights = loss(path)
    start = f"loss {heights[0]:.3g}"
    if not steps:
        return f"a point with {start}"
    lost = np.flatnonzero(~np.isfinite(heights))
    if lost.size:
        return f"diverges, from {start} to numbers too large to hold after {lost[0]} steps (learning rate too large)"
    if (path == path[0]).all():
        return f"does not move from {start} in {steps} steps (the learning rate or the slope is zero)"
    verb = "falls" if heights[-1] < heights[0] else "diverges: it climbs"
    low, high = np.transpose(limits)
    left = "" if ((path >= low) & (path <= high)).all() else ", and leaves the picture on the way"
    return f"{verb} from {start} to {heights[-1]:.2g} in {steps} steps{left}"


def ends(loss, limits, groups, *, x_label="w"):
    """Draw a loss of one parameter and, below it, where the runs of each group started and ended.

    loss: from an array (n,) to an array (n,); limits: (low, high); groups: a dictionary from name to (starts, ends),
    two arrays (runs,). Raises ValueError if the two differ in length.
    """
    _, axes = figure(6.4, 1.8 + 0.6 * len(groups), rows=2, sharex=True, height_ratios=[2, 0.8 * len(groups)])
    w = np.linspace(*limits, 500)
    axes[0].plot(w, loss(w), color="black")
    axes[0].set(ylabel="loss")
    words = []
    for i, (name, (starts, stops)) in enumerate(groups.items()):
        starts, stops = np.asarray(starts, dtype=float), np.asarray(stops, dtype=float)
        if starts.shape != stops.shape or starts.ndim != 1:
            raise ValueError(f"{name!r} has starts of shape {starts.shape} and ends of shape {stops.shape}")
        for start, stop in zip(starts, stops, strict=True):
            axes[1].plot([start, stop], [-i + 0.25, -i - 0.25], color=COLORS[i % 8], linewidth=0.6)
        axes[1].plot(stops, np.full(len(stops), -i - 0.25), MARKERS[i % 8], color=COLORS[i % 8], markersize=4)
        inside = stops[np.isfinite(stops)]
        inside = inside[(inside >= limits[0]) & (inside <= limits[1])]
        places = [f"{np.sum(np.abs(inside - place) < 0.1)} near {place:.2g}" for place in _crowded(inside)]
        outside = [f"{len(stops) - len(inside)} outside the picture"] if len(inside) < len(stops) else []
        words.append(f"{name}, {len(stops)} runs: {', '.join(places + outside)}")
    axes[1].set(xlim=limits, xlabel=x_label, yticks=-np.arange(len(groups)), yticklabels=list(groups))
    axes[1].set_ylim(-len(groups) + 0.5, 0.5)
    finish(
        f"Above, the loss over {x_label}, lowest at {w[np.argmin(loss(w))]:.3g}. Below, a line for each run from its "
        f"start to its end, and where the ends are: {'; '.join(words)}."
    )


def _crowded(values, most=3):
    """Up to `most` places at which most values lie, the most frequent first."""
    places = []
    while len(values) and len(places) < most:
        near = np.abs(values[:, None] - values) < 0.1  # (n, n)
        crowd = near[near.sum(axis=1).argmax()]
        places.append(float(np.median(values[crowd])))
        values = values[np.abs(values - places[-1]) >= 0.1]
    return places
