"""Things of one kind beside each other: methods with all their repeats, and the sizes of files. Born in notebook 05."""

import numpy as np

from coursekit.plots.style import COLORS, DPI, GRAY, HATCHES, figure, finish


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
    axes[0, 0].invert_yaxis()
    repeats = len(next(iter(next(iter(results.values())).values())))
    finish(f"{label}, means of {repeats} repeats; the dashed line is {names[0]}. {'; '.join(words)}.")


def file_sizes(table):
    """Draw bytes as bars, a group for each model and a bar for each container, on a logarithmic scale.

    table: {model: {container: bytes, or None where there is no such file}}, the same containers for each model.
    Raises ValueError if containers differ, or if a size is not above 0.
    """
    containers = list(next(iter(table.values())))
    height, words = 0.8 / len(containers), []
    _, ax = figure(8.0, 0.22 * len(table) * (len(containers) + 1) + 1.0)
    for i, (model, of) in enumerate(table.items()):
        if list(of) != containers:
            raise ValueError(f"{model!r} has {', '.join(of)}; give each model {', '.join(containers)}")
        for j, (container, size) in enumerate(of.items()):
            if size is None:
                continue
            if not size > 0:
                raise ValueError(f"{model!r}, {container}: {size} bytes; give a size above 0, or None")
            place = i + (j - (len(containers) - 1) / 2) * height
            ax.barh(place, size, height, color=COLORS[j % 8], hatch=HATCHES[j % 5], edgecolor="white")
            ax.text(size, place, f" {size:,.0f}", va="center", fontsize=7)
        here = {name: size for name, size in of.items() if size is not None}
        least = min(here, key=here.get)
        words.append(f"{model}: {', '.join(f'{name} {size:,.0f}' for name, size in here.items())} (least: {least})")
    for j, container in enumerate(containers):
        ax.barh(np.nan, np.nan, color=COLORS[j % 8], hatch=HATCHES[j % 5], edgecolor="white", label=container)
    sizes = [size for of in table.values() for size in of.values() if size is not None]
    ax.set(xscale="log", xlabel="bytes", yticks=range(len(table)), yticklabels=list(table))
    ax.set_xlim(min(sizes) / 2, max(sizes) * 3)
    ax.invert_yaxis()
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
    finish(f"Bytes, on a logarithmic scale. {'; '.join(words)}.")
