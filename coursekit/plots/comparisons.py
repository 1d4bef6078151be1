"""Things of one kind beside each other: methods with all their repeats, the sizes of files and of layers, a size from
stage to stage. Born in notebook 05.
"""

import math

import numpy as np

from coursekit.plots.style import COLORS, DPI, GRAY, figure, finish


def methods(results, label, *, width=7.4):
    """Draw how methods compare: every repeat as a small dot, the mean with its standard error as a bar.

    results: a dictionary from panel to {method: values of the repeats}, the same methods in each panel.
    Raises ValueError if a panel has other methods, or a method no value.
    """
    names = list(next(iter(results.values())))
    _, axes = figure(width, 0.9 + 0.27 * len(names), 1, len(results), squeeze=False, sharey=True, dpi=DPI)
    words = []
    for ax, (panel, of) in zip(axes[0], results.items(), strict=True):
        if list(of) != names or not all(len(values) for values in of.values()):
            raise ValueError(f"panel {panel!r} has {', '.join(of)}; give each of {', '.join(names)} a value or more")
        means = {name: float(np.mean(values)) for name, values in of.items()}
        for i, (name, values) in enumerate(of.items()):
            error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0
            ax.plot(values, np.full(len(values), i), ".", color=GRAY, markersize=5)
            ax.errorbar(means[name], i, xerr=error, fmt="o", color=COLORS[i % 8], capsize=4, markersize=6)
        ax.axvline(means[names[0]], color=GRAY, linewidth=0.8, linestyle="--")
        ax.set(title=panel, xlabel=label, yticks=range(len(names)), yticklabels=names)
        words.append(f"{panel}: " + ", ".join(f"{name} {mean:.3g}" for name, mean in means.items()))
    axes[0, 0].set_ylim(len(names) - 0.4, -0.6)  # the first method on top, the last one clear of the axis
    repeats = len(next(iter(next(iter(results.values())).values())))
    bars = "a dot each; the bars reach one standard error to both sides" if repeats > 1 else "one dot each"
    finish(f"{label}, means of {repeats} repeats, {bars}; the dashed line is {names[0]}. {'; '.join(words)}.")


def sizes(report):
    """Draw the bytes of each layer of a model: as stored, and the bound that the entropy of its weights sets.

    report: what `compression.size_report` gave. The scale is logarithmic, and bytes are written beside the bars.
    Raises ValueError if the model has no weights.
    """
    layers = report.layers()
    if not layers or not report.total["raw"]:
        raise ValueError("there is no weight to draw; give the size report of a model that has some")
    _, ax = figure(7.4, 0.62 * len(layers) + 1.1)
    names = [one["layer"].rpartition("/")[2] for one in layers]
    names = names if len(set(names)) == len(names) else [one["layer"] for one in layers]
    for i, one in enumerate(layers):
        share = one["zeros"] / max(one["weights"], 1)
        for offset, key, color, hatch in ((-0.2, "raw", COLORS[0], ""), (0.2, "bound", COLORS[1], "//")):
            n = math.ceil(one[key])
            label = ("in memory" if key == "raw" else "bound set by entropy") if i == 0 else None
            ax.barh(i + offset, max(n, 1), 0.38, color=color, hatch=hatch, edgecolor="white", label=label)
            note = f" {n:,}" + (f", {share:.0%} zeros" if key == "bound" and share >= 0.005 else "")
            ax.text(max(n, 1), i + offset, note, va="center", fontsize=8)
    ax.set(xscale="log", xlabel="bytes", yticks=range(len(names)), yticklabels=names)
    ax.set_xlim(1, 40 * max(one["raw"] for one in layers))
    ax.invert_yaxis()
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=8)
    sums = report.total
    largest = max(layers, key=lambda one: one["raw"])
    finish(
        f"{sums['raw']:,} bytes in {sums['weights']:,} weights, {sums['sparsity']:.1%} of them zero; at "
        f"{sums['entropy']:.3g} bits a weight their entropy is {math.ceil(sums['bound']):,} bytes. "
        f"{names[layers.index(largest)]} has {largest['raw'] / sums['raw']:.0%} of the bytes."
    )
