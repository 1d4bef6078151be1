"""Pruning and quantization drawn: weights and what is cut off them, a quantizer's stairs, errors, times, bytes.

Born in notebook 18.
"""

import numpy as np

from coursekit.plots.style import COLORS, DPI, GRAY, MARKERS, figure, finish


def weight_histograms(named, thresholds=None):
    """Draw how the weights of each layer are spread, on a logarithmic scale of counts.

    named:      {name: array of weights}, a panel each.
    thresholds: {name: number}; what is smaller in size is hatched, as what pruning takes. None for no such mark.
    Raises ValueError for an array without numbers, or with NaN.
    """
    _, axes = figure(8.0, 2.3, 1, len(named), squeeze=False, sharey=True, dpi=DPI)
    words = []
    for ax, (name, weights) in zip(axes[0], named.items(), strict=True):
        weights = np.asarray(weights, dtype=float).ravel()
        if not weights.size or not np.isfinite(weights).all():
            raise ValueError(f"{name!r} has {weights.size} weights, and all should be finite numbers; give one or more")
        counts, edges = np.histogram(weights, bins=61)
        limit = (thresholds or {}).get(name, 0)
        middles = (edges[:-1] + edges[1:]) / 2
        for chosen, color, hatch in ((np.abs(middles) >= limit, 0, ""), (np.abs(middles) < limit, 1, "////")):
            ax.bar(middles[chosen], counts[chosen], np.diff(edges)[chosen], color=COLORS[color], hatch=hatch)
        ax.set(title=name, xlabel="weight", yscale="log")
        said = f"{name}: {weights.size:,} weights, standard deviation {weights.std():.3g}, "
        said += f"largest {np.abs(weights).max():.3g}"
        if limit:
            said += f", {np.mean(np.abs(weights) < limit):.1%} smaller than {limit:.3g} (hatched)"
        words.append(said)
    axes[0, 0].set_ylabel("weights")
    finish(f"{'; '.join(words)}.")


def quantizer(low, high, bits):
    """Draw the stairs of an affine quantizer for low ... high, and its rounding error below.

    Raises ValueError as `coursekit.compression.quantization.affine` does.
    """
    from coursekit.compression.quantization import affine, dequantize, quantize

    scale, zero_point = affine(low, high, bits)
    margin = 0.15 * (high - low)
    x = np.linspace(low - margin, high + margin, 1501)
    y = dequantize(quantize(x, scale, zero_point, bits), scale, zero_point)
    _, (above, below) = figure(6.6, 3.6, 2, 1, sharex=True, height_ratios=(2, 1))
    above.plot(x, x, color=GRAY, linestyle=":", label="x")
    above.plot(x, y, color=COLORS[0], label="x, quantized")
    above.plot([0], [0], "o", color=COLORS[5], label="zero")
    above.legend(loc="upper left", fontsize=8)
    below.plot(x, y - x, color=COLORS[1])
    for ax in (above, below):
        ax.axvspan(low, high, color=COLORS[4], alpha=0.15, linewidth=0)
    above.set_ylabel("quantized")
    below.set(xlabel="x", ylabel="error", ylim=(-1.5 * scale, 1.5 * scale))
    largest = np.abs(y - x)[(x >= low) & (x <= high)].max()
    finish(
        f"{bits} bit{'s' if bits > 1 else ''}, {2**bits} values for {low:g} to {high:g} (shaded): a step of "
        f"{scale:.3g}, and the code of zero is {zero_point}. Inside the range the largest error is "
        f"{largest / scale:.2f} of a step; outside it grows without limit."
    )


def rounding_errors(named):
    """Draw how rounding errors are spread, in steps of the grid, beside the flat line of a uniform distribution.

    named: {name: errors divided by the step}, a panel each.
    """
    _, axes = figure(8.0, 2.3, 1, len(named), squeeze=False, sharey=True, dpi=DPI)
    words = []
    for ax, (name, errors) in zip(axes[0], named.items(), strict=True):
        errors = np.asarray(errors, dtype=float).ravel()
        ax.hist(errors, bins=np.linspace(-0.5, 0.5, 26), density=True, color=COLORS[0])
        ax.axhline(1, color=COLORS[5], linestyle="--", label="uniform")
        ax.set(title=name, xlabel="error / step")
        words.append(f"{name}: variance {errors.var() * 12:.3g}")
    axes[0, 0].set_ylabel("density")
    axes[0, 0].legend(fontsize=8)
    finish(f"Rounding errors in steps. In twelfths of a squared step, {'; '.join(words)}; uniform errors would have 1.")


def times(seconds, what):
    """Draw how long things take, as bars relative to the first.

    seconds: {name: seconds}, two or more, all above 0; what: what is timed, in words.
    Raises ValueError otherwise.
    """
    if len(seconds) < 2 or not all(one > 0 for one in seconds.values()):
        raise ValueError("give two times or more, each a name and seconds above 0")
    first, *_ = seconds
    ratios = {name: one / seconds[first] for name, one in seconds.items()}
    _, ax = figure(7.0, 0.3 * len(seconds) + 0.8, dpi=DPI)
    for i, ratio in enumerate(ratios.values()):
        ax.barh(i, ratio, 0.65, color=COLORS[0 if i else 1], hatch="" if i else "//", edgecolor="white")
        ax.text(ratio, i, f" {ratio:.2f}", va="center", fontsize=8)
    ax.axvline(1, color=GRAY, linewidth=0.8, linestyle="--")
    ax.set(title=what, xlabel=f"time, relative to {first}", yticks=range(len(ratios)), yticklabels=list(ratios))
    ax.set_xlim(0, 1.15 * max(ratios.values()))
    ax.invert_yaxis()
    others = ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items() if name != first)
    finish(f"{what}: {first} takes {1000 * seconds[first]:.3g} ms; relative to it, {others}.")


def bytes_stored(table):
    """Draw bytes as dots on a logarithmic scale, a row for each model and container, the bytes written beside them.

    table: {model: {container: bytes, or None where there is no such file}}, the same containers for each model.
    Raises ValueError if containers differ, or if a size is not above 0.
    """
    containers = list(next(iter(table.values())))
    words, rows = [], []
    for model, of in table.items():
        if list(of) != containers:
            raise ValueError(f"{model!r} has {', '.join(of)}; give each model {', '.join(containers)}")
        here = {container: size for container, size in of.items() if size is not None}
        if not here or not all(size > 0 for size in here.values()):
            raise ValueError(f"{model!r} has the sizes {here}; give sizes above 0, or None, and one at least")
        rows += [(model, container, size) for container, size in here.items()]
        words.append(f"{model}: {', '.join(f'{name} {size:,.0f}' for name, size in here.items())}")
    _, ax = figure(7.6, 0.24 * len(rows) + 1.0, dpi=DPI)
    for i, (model, container, size) in enumerate(rows):
        j = containers.index(container)
        ax.plot(size, i, MARKERS[j % 8], color=COLORS[j % 8], markersize=7)
        ax.text(size * 1.12, i, f"{size:,.0f}", va="center", fontsize=8)
        if i and rows[i - 1][0] != model:
            ax.axhline(i - 0.5, color=GRAY, linewidth=0.6)
    sizes = [size for _, _, size in rows]
    ax.set(xscale="log", xlabel="bytes", yticks=range(len(rows)))
    ax.set_yticklabels([f"{model}: {container}" for model, container, _ in rows], fontsize=8)
    ax.set_xlim(min(sizes) / 1.5, max(sizes) * 3)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.tick_params(axis="x", which="minor", labelbottom=False)  # within a decade they would cover each other
    finish(f"Bytes, on a logarithmic scale. {'; '.join(words)}.")
