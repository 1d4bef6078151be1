"""Weight clustering drawn: clusters and their boundaries, weights before and after, shares of indices, what a rule
changes, and accuracy against bytes. Born in notebook 19.
"""

import math

import numpy as np

from coursekit.plots.style import COLORS, DPI, GRAY, HATCHES, LINES, MARKERS, figure, finish


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
        words.append(f"{name} {values.min():.3g} to {values.max():.3g}, {middle:.0%} within a standard deviation of 0")
    below.set(yticks=range(len(placed)), yticklabels=list(placed), xlabel="weight", ylim=(len(placed) - 0.4, -0.6))
    below.spines["left"].set_visible(False)
    finish(
        f"Where each way puts its centroids, under {weights.size:,} weights of standard deviation {weights.std():.3g}. "
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


def number_line(weights, placed):
    """Draw a few numbers on a line, a panel for each placing of centroids: a color for each cluster, and boundaries.

    weights: (n,) numbers; placed: {name: (k,) centroids, sorted}.
    """
    weights = _numbers(weights)
    _, axes = figure(7.2, 1.15 * len(placed) + 0.3, len(placed), 1, squeeze=False, sharex=True, dpi=DPI)
    words = []
    for ax, (name, centroids) in zip(axes[:, 0], placed.items(), strict=True):
        centroids = np.asarray(centroids, dtype=float)
        boundaries = (centroids[1:] + centroids[:-1]) / 2
        which = np.searchsorted(boundaries, weights)
        for j, centroid in enumerate(centroids):
            inside = weights[which == j]
            look = {"color": COLORS[j % 8], "linestyle": "none"}
            ax.plot(inside, np.zeros(inside.size), MARKERS[j % 8], markersize=8, **look)
            ax.plot(centroid, -0.55, "^", markersize=9, **look)
        for boundary in boundaries:
            ax.axvline(boundary, color=GRAY, linestyle=":", linewidth=1.2)
        ax.set(title=name, yticks=[], ylim=(-1, 0.6))
        ax.spines["left"].set_visible(False)
        sizes = ", ".join(str(np.sum(which == j)) for j in range(len(centroids)))
        words.append(f"{name}: centroids {', '.join(f'{c:.3g}' for c in centroids)}, clusters of {sizes}")
    axes[-1, 0].set_xlabel("weight")
    finish(f"{weights.size} weights above, their centroids (triangles) below, boundaries dotted. {'; '.join(words)}.")


def bits_per_weight(table):
    """Draw bits a weight as bars from 0, a group for each codebook and a bar for each way to write its indices.

    table: {codebook: {way: bits}}, the same ways for each. Raises ValueError if they differ.
    """
    ways = list(next(iter(table.values())))
    height, words = 0.8 / len(ways), []
    _, ax = figure(8.2, 0.24 * len(table) * (len(ways) + 1) + 0.9)
    for i, (name, of) in enumerate(table.items()):
        if list(of) != ways:
            raise ValueError(f"{name!r} has {', '.join(of)}; give each codebook {', '.join(ways)}")
        for j, (way, bits) in enumerate(of.items()):
            place = i + (j - (len(ways) - 1) / 2) * height
            look = {"color": COLORS[j % 8], "hatch": HATCHES[j % 5], "edgecolor": "white"}
            ax.barh(place, bits, height, label=way if i == 0 else None, **look)
            ax.text(bits, place, f" {bits:.2f}", va="center", fontsize=7)
        words.append(f"{name}: {', '.join(f'{way} {bits:.2f}' for way, bits in of.items())}")
    ax.set(xlabel="bits a weight", yticks=range(len(table)), yticklabels=list(table))
    ax.set_xlim(0, 1.1 * max(bits for of in table.values() for bits in of.values()))
    ax.invert_yaxis()
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
    finish(f"Bits a weight, codebooks not counted. {'; '.join(words)}.")


def trade_off(points, x_label="bytes", y_label="test accuracy", level=None):
    """Draw size and accuracy of several forms, a row for each, from the largest to the smallest.

    points: {name: (bytes, accuracies)}; level: (name, number) of a line, such as the dense network's accuracy, or None.
    The axis of bytes is logarithmic; accuracies are dots, with a bar from the worst to the best.
    Raises ValueError for a size that is not above 0.
    """
    for name, (size, _) in points.items():
        if not size > 0:
            raise ValueError(f"{name!r} has {size} bytes; give a size above 0")
    rows = sorted(points.items(), key=lambda item: -item[1][0])
    _, (left, right) = figure(8.4, 0.27 * len(rows) + 1.0, 1, 2, sharey=True, dpi=DPI)
    words = []
    for i, (name, (size, values)) in enumerate(rows):
        values = np.asarray(values, dtype=float).ravel()
        left.plot(size, i, MARKERS[0], color=COLORS[0], markersize=6)
        left.annotate(f"{size:,.0f}", (size, i), (6, 0), textcoords="offset points", va="center", fontsize=7)
        right.plot([values.min(), values.max()], [i, i], color=COLORS[0], linewidth=1.5)
        right.plot(values.mean(), i, MARKERS[0], color=COLORS[0], markersize=6)
        words.append(f"{name}: {size:,.0f} bytes, {values.mean():.4f}")
    if level:
        right.axvline(level[1], color=GRAY, linestyle="--", linewidth=1)
        words.append(f"dashed: {level[0]}, {level[1]:.4f}")
    names = [name for name, _ in rows]
    left.set(xscale="log", xlabel=x_label, yticks=range(len(rows)), yticklabels=names, ylim=(len(rows) - 0.4, -0.6))
    left.tick_params(axis="x", which="minor", labelbottom=False)  # within a decade they would cover each other
    sizes = [size for _, (size, _) in rows]
    left.set_xlim(min(sizes) / 1.3, max(sizes) * (max(sizes) / min(sizes)) ** 0.3)
    right.set(xlabel=y_label)
    right.locator_params(axis="x", nbins=5)
    spread = ", bars from the worst to the best repetition" if any(np.size(of) > 1 for _, (_, of) in rows) else ""
    finish(f"{x_label} on a logarithmic scale, and {y_label}{spread}. {'; '.join(words)}.")


NAME_AT = ((4, 5), "left"), ((4, -10), "left"), ((0, 6), "center")  # its mark, in points, for each kind


def beside_published(kinds):
    """Draw networks of several kinds by the bytes of their files, on a logarithmic axis, and their test errors.

    kinds: {kind: {name: (bytes, error in percent)}}; points of a kind with one name each.
    Raises ValueError for a size that is not above 0.
    """
    _, ax = figure(6.4, 3.4, dpi=DPI)
    words = []
    for i, (kind, points) in enumerate(kinds.items()):
        if not all(size > 0 for size, _ in points.values()):
            raise ValueError(f"{kind!r} has a file without bytes; give sizes above 0")
        sizes, errors = np.array(sorted(points.values())).T
        line = "-" if i == 0 else "none"
        ax.plot(sizes, errors, MARKERS[i], linestyle=line, color=COLORS[i], markersize=6, label=kind)
        for name, (size, error) in points.items():
            place, side = NAME_AT[min(i, 2)]
            ax.annotate(name, (size, error), place, textcoords="offset points", fontsize=6.5, ha=side)
        words.append(
            f"{kind}: " + ", ".join(f"{name} {size:,.0f} bytes {error:.2f} %" for name, (size, error) in points.items())
        )
    ax.margins(x=0.12, y=0.1)  # room for the names
    ax.set(xscale="log", xlabel="bytes of the file", ylabel="test error, %", ylim=(0, None))
    _plain_numbers(ax)
    ax.legend(fontsize=8, loc="lower left")
    finish(f"Test error and bytes on a logarithmic axis. {'; '.join(words)}.")


def draw_sizes_and_errors(panels, level="dense"):
    """Size and test error of several networks as a figure, for a page: a panel for each, a line for each kind.

    panels: {network: {kind: [(bytes, errors in percent, one for each repetition)]}}. The axis of bytes is logarithmic;
    a bar reaches half of Student's 95 % interval to both sides, and a dashed line goes through the best point of the
    kind `level`. Raises ValueError for a size that is not above 0.
    """
    from coursekit.statistics import mean_and_half

    kinds = list(dict.fromkeys(kind for of in panels.values() for kind in of))
    fig, axes = figure(8.4, 3.2, 1, len(panels), squeeze=False)
    for ax, (network, of) in zip(axes[0], panels.items(), strict=True):
        for kind, points in of.items():
            sizes = [size for size, _ in points]
            if not min(sizes) > 0:
                raise ValueError(f"{kind!r} of {network!r} has {min(sizes)} bytes; give sizes above 0")
            measured = [mean_and_half(errors) if len(errors) > 1 else (errors[0], 0.0) for _, errors in points]
            means, halves = zip(*measured, strict=True)
            i = kinds.index(kind)
            look = {"color": COLORS[i % 8], "marker": MARKERS[i % 8], "linestyle": LINES[i % 4], "capsize": 3}
            ax.errorbar(sizes, means, halves, label=kind, **look)
            if kind == level:
                ax.axhline(min(means), color=GRAY, linestyle="--", linewidth=1)
        ax.set(title=network, xscale="log", xlabel="bytes of the file", ylim=(0, None))
        _plain_numbers(ax)
    axes[0, 0].set_ylabel("test error, %")
    axes[0, -1].legend(fontsize=8)
    return fig


def _plain_numbers(ax):
    """On a logarithmic axis of bytes: 1,000, 3,000, 10,000 and so on, where a decade's names would cover each other."""
    from matplotlib.ticker import LogLocator, NullFormatter

    ax.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.xaxis.set_minor_formatter(NullFormatter())


def _numbers(weights):
    weights = np.asarray(weights, dtype=float).ravel()
    if not weights.size or not np.isfinite(weights).all():
        raise ValueError(f"{weights.size} weights, and all should be finite numbers; give one or more")
    return weights
