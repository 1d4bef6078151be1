"""Compression drawn: what each layer weighs and could weigh, and how a model shrinks stage by stage (notebook 19)."""

import math

from coursekit.plots.style import COLOURS, GREY, figure, finish


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
        for offset, key, colour, hatch in ((-0.2, "raw", COLOURS[0], ""), (0.2, "bound", COLOURS[1], "//")):
            n = math.ceil(one[key])
            label = ("in memory" if key == "raw" else "bound set by entropy") if i == 0 else None
            ax.barh(i + offset, max(n, 1), 0.38, color=colour, hatch=hatch, edgecolor="white", label=label)
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


def waterfall(stages, *, unit="bytes"):
    """Draw how a size falls from stage to stage: a bar for each size, and what fell off since the one before.

    stages: {name: size} in order, or pairs; at least two, all above 0. The scale is logarithmic, so that a bar's fall
    shows the factor. Raises ValueError otherwise.
    """
    stages = list(stages.items() if hasattr(stages, "items") else stages)
    if len(stages) < 2 or not all(size > 0 and math.isfinite(size) for _, size in stages):
        raise ValueError("a waterfall needs two stages or more, each a name and a size above 0")
    _, ax = figure(min(1.25 * len(stages) + 1.6, 9.0), 3.3)
    sizes_of = [size for _, size in stages]
    low = min(sizes_of) / 3
    for i, (_, size) in enumerate(stages):
        before = sizes_of[max(i - 1, 0)]
        top, colour = max(size, before), COLOURS[0]
        ax.bar(i, size - low, 0.62, bottom=low, color=colour, edgecolor="white")
        if size < before:
            ax.bar(i, before - size, 0.62, bottom=size, facecolor="none", edgecolor=GREY, linestyle=":", hatch="//")
        elif size > before:
            ax.bar(i, size - before, 0.62, bottom=before, color=COLOURS[5], hatch="..", edgecolor="white")
        if i:
            ax.plot([i - 0.69, i + 0.31], [before, before], color=GREY, linewidth=0.9)
        note = f"{size:,.0f}" + (f"\n{_factor(before, size)}" if i else "")
        ax.text(i, top * 1.1, note, ha="center", va="bottom", fontsize=8)
    names = [name.replace(" ", "\n", 1) for name, _ in stages]
    ax.set(yscale="log", ylabel=unit, xticks=range(len(names)), ylim=(low, max(sizes_of) * 4))
    ax.set_xticks(range(len(names)), names, fontsize=8 if len(names) > 5 else 9)
    steps = [
        f"{name} {size:,.0f} ({_factor(before, size)})"
        for (name, size), (_, before) in zip(stages[1:], stages, strict=False)
    ]
    first, last = stages[0], stages[-1]
    finish(
        f"From {first[0]}, {first[1]:,.0f} {unit}: {'; '.join(steps)}. In all {_factor(first[1], last[1])}, on a "
        "logarithmic scale."
    )


def _factor(before, size):
    return f"÷ {before / size:.3g}" if size <= before else f"× {size / before:.3g}"
