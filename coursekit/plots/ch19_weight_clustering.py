"""Weight clustering drawn: clusters and their boundaries, weights before and after, shares of indices, what a rule
changes, and accuracy against bytes. Born in notebook 19.
"""

import math

import numpy as np

from coursekit.plots.style import COLORS, DPI, GRAY, MARKERS, figure, finish
from coursekit.statistics import mean_and_half


def clusters(weights, placed):
    """Draw how weights are spread, with centroids and the boundaries between their clusters, a panel for each placing.

    weights: numbers of any shape; placed: {name: (k,) centroids, sorted}.
    Raises ValueError for centroids that are not sorted.
    """
    weights = _numbers(weights)
    _, axes = figure(8.0, 1.9 * len(placed), len(placed), 1, squeeze=False, sharex=True, dpi=DPI)
    words = []
    for ax, (name, centroids) in zip(axes[:, 0], placed.items(), strict=True):
        centroids = np.asarray(centroids, dtype=float)
        if np.any(np.diff(centroids) < 0):
            raise ValueError(f"{name!r}: sort the centroids, so that boundaries lie between neighbors")
        boundaries = (centroids[1:] + centroids[:-1]) / 2
        counts = np.bincount(np.searchsorted(boundaries, weights), minlength=len(centroids))
        ax.hist(weights, bins=101, color=COLORS[4])
        top = ax.get_ylim()[1]
        ax.vlines(boundaries, 0, top, color=GRAY, linestyle=":", linewidth=1, label="boundary")
        ax.plot(centroids, np.full(len(centroids), 0.06 * top), "^", color=COLORS[5], label="centroid")
        ax.set(title=name, ylabel="weights", ylim=(0, top))
        words.append(f"{name}: from {counts.min():,} to {counts.max():,} weights in a cluster")
    axes[0, 0].legend(fontsize=8, loc="upper left")
    axes[-1, 0].set_xlabel("weight")
    finish(
        f"{weights.size:,} weights and {len(centroids)} centroids (triangles), with boundaries half-way between "
        f"neighbors. {'; '.join(words)}."
    )


def centroids(weights, placed):
    """Draw where several ways put centroids: a row of marks for each, under the histogram of the weights.

    weights: numbers of any shape; placed: {name: (k,) centroids}.
    """
    weights = _numbers(weights)
    _, (above, below) = figure(8.0, 2.0 + 0.28 * len(placed), 2, 1, sharex=True, height_ratios=(2, 0.6 * len(placed)))
    above.hist(weights, bins=101, color=COLORS[4])
    above.set_ylabel("weights")
    words = []
    for i, (name, values) in enumerate(placed.items()):
        values = np.asarray(values, dtype=float)
        below.plot(values, np.full(len(values), i), "|", color=COLORS[0], markersize=11, markeredgewidth=1.8)
        middle = np.mean(np.abs(values) < weights.std())
        words.append(f"{name} {values.min():.3g} to {values.max():.3g}, {middle:.0%} within a deviation of 0")
    below.set(yticks=range(len(placed)), yticklabels=list(placed), xlabel="weight", ylim=(len(placed) - 0.4, -0.6))
    below.spines["left"].set_visible(False)
    finish(
        f"Where each way puts its centroids, under {weights.size:,} weights of deviation {weights.std():.3g}. "
        f"{'; '.join(words)}."
    )


def weights_before_and_after(before, after):
    """Draw the weights of each layer as a histogram, and the few values that they have afterwards as lines below it.

    before, after: {name: array}, the same names and shapes; a value's line is as long as its weights are many.
    Raises ValueError if names or shapes differ.
    """
    if list(before) != list(after):
        raise ValueError(f"before has {', '.join(before)} and after {', '.join(after)}; give the same layers")
    _, axes = figure(8.4, 3.4, 2, len(before), squeeze=False, sharex="col", dpi=DPI)
    words = []
    for (above, below), (name, weights) in zip(axes.T, before.items(), strict=True):
        weights, clustered = _numbers(weights), _numbers(after[name])
        if weights.shape != clustered.shape:
            raise ValueError(f"{name!r} has {weights.size} weights before and {clustered.size} after")
        above.hist(weights, bins=51, color=COLORS[4])
        values, counts = np.unique(clustered, return_counts=True)
        below.vlines(values, 0, counts, color=COLORS[0], linewidth=2)
        below.set(xlabel="weight", ylim=(0, None))
        above.set_title(name)
        words.append(f"{name}: {len(np.unique(weights)):,} different values before, {len(values)} after")
    axes[0, 0].set_ylabel("before")
    axes[1, 0].set_ylabel("after")
    finish(f"{'; '.join(words)}. A line is as long as the weights with its value are many.")


def index_shares(streams):
    """Draw how often each index comes, a panel for each stream, with the entropy in bits beside the fixed width.

    streams: {name: (k,) counts}.
    """
    from coursekit.compression.reports import entropy_of

    _, axes = figure(8.4, 2.3, 1, len(streams), squeeze=False, sharey=True, dpi=DPI)
    words = []
    for ax, (name, counts) in zip(axes[0], streams.items(), strict=True):
        counts = np.asarray(counts, dtype=float)
        ax.bar(range(len(counts)), counts / counts.sum(), color=COLORS[0])
        ax.set(title=name, xlabel="index")
        ax.axhline(1 / len(counts), color=COLORS[5], linestyle="--", linewidth=1, label="all alike")
        words.append(
            f"{name}: the commonest has {counts.max() / counts.sum():.0%}, entropy {entropy_of(counts):.2f} of at most "
            f"{math.log2(len(counts)):.2f} bits"
        )
    axes[0, 0].set_ylabel("share")
    axes[0, 0].legend(fontsize=8)
    finish(f"Shares of the indices. {'; '.join(words)}.")


def effects(named, what):
    """Draw differences as points with 95 % intervals about their mean, one below the other, beside a line at 0.

    named: {name: (n,) differences, two or more}; what: what differs, with its unit. The interval is Student's.
    Raises ValueError for fewer than two differences.
    """
    _, ax = figure(7.6, 0.36 * len(named) + 0.9, dpi=DPI)
    words = []
    for i, (name, values) in enumerate(named.items()):
        values = np.asarray(values, dtype=float).ravel()
        mean, half = mean_and_half(values)
        ax.plot(values, np.full(values.size, i), ".", color=GRAY, markersize=5)
        ax.errorbar(mean, i, xerr=half, fmt="o", color=COLORS[0], capsize=4)
        sure = "above 0" if mean - half > 0 else "below 0" if mean + half < 0 else "0 is inside"
        words.append(f"{name} {mean:+.2f} ± {half:.2f} ({sure})")
    ax.axvline(0, color=COLORS[5], linestyle="--", linewidth=1)
    ax.set(xlabel=what, yticks=range(len(named)), yticklabels=list(named), ylim=(len(named) - 0.4, -0.6))
    finish(f"{what}: means with 95 % intervals, and each repetition as a dot. {'; '.join(words)}.")


def trade_off(points, x_label="bytes", y_label="test accuracy", level=None):
    """Draw accuracy against size, a point for each form with the range of its repetitions.

    points: {name: (bytes, accuracies)}; level: (name, number) of a line across, such as the dense network's, or None.
    The axis of bytes is logarithmic. Raises ValueError for a size that is not above 0.
    """
    _, ax = figure(8.2, 4.2)
    words = []
    for i, (name, (size, values)) in enumerate(points.items()):
        if not size > 0:
            raise ValueError(f"{name!r} has {size} bytes; give a size above 0")
        values = np.asarray(values, dtype=float).ravel()
        mean = values.mean()
        error = [[max(mean - values.min(), 0)], [max(values.max() - mean, 0)]]  # a sum may round below 0
        look = {
            "color": COLORS[i % 7],
            "marker": MARKERS[i % 8],
            "markersize": 8,
            "capsize": 3,
            "markeredgecolor": "black",
        }
        ax.errorbar(size, mean, yerr=error, linestyle="none", label=name, **look)
        words.append(f"{name}: {size:,.0f} bytes, {mean:.4f}")
    if level:
        ax.axhline(level[1], color=GRAY, linestyle="--", linewidth=1)
        words.append(f"dashed: {level[0]}, {level[1]:.4f}")
    ax.set(xscale="log", xlabel=x_label, ylabel=y_label)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
    finish(f"{y_label} over {x_label}, bars from the worst to the best repetition. {'; '.join(words)}.")


def _numbers(weights):
    weights = np.asarray(weights, dtype=float).ravel()
    if not weights.size or not np.isfinite(weights).all():
        raise ValueError(f"{weights.size} weights, and all should be finite numbers; give one or more")
    return weights
