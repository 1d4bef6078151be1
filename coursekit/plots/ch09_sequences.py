"""Sequences drawn: a recurrent network unrolled, spoken words, forecasts, the peaks of CTC. Born in notebook 09."""

import numpy as np

from coursekit.arrays import as_array
from coursekit.plots.style import COLORS, GRAY, LINES, figure, finish


def unrolled(x, states, name="x"):
    """Draw a recurrent unit once for each step: the input below, the state above, and the state handed on.

    x: (time,) inputs; states: (time,) states after each. Raises ValueError if they differ in length or are too long.
    """
    x, states = as_array(x), as_array(states)
    if x.ndim != 1 or states.shape != x.shape or not 1 <= len(x) <= 10:
        raise ValueError(f"give one state for each of 1 to 10 inputs; got {x.shape} inputs and {states.shape} states")
    _, ax = figure(1.15 * len(x) + 0.6, 2.2)
    arrow = {"arrowstyle": "-|>", "color": GRAY, "shrinkA": 0, "shrinkB": 0}
    for t, (value, state) in enumerate(zip(x, states, strict=True)):
        box = {"boxstyle": "circle,pad=0.35", "facecolor": "white", "edgecolor": COLORS[0], "linewidth": 1.6}
        ax.text(t, 1, f"{state:.2f}", ha="center", va="center", fontsize=9, bbox=box)
        ax.text(t, 0, f"{value:g}", ha="center", va="center", fontsize=10)
        ax.text(t, -0.35, f"step {t + 1}", ha="center", va="center", fontsize=8, color=GRAY)
        ax.annotate("", (t, 0.66), (t, 0.16), arrowprops=arrow)
        if t + 1 < len(x):
            ax.annotate("", (t + 0.7, 1), (t + 0.3, 1), arrowprops=arrow)
    ax.text(-0.75, 1, "state", ha="center", va="center")
    ax.text(-0.75, 0, name, ha="center", va="center")
    ax.set(xlim=(-1.1, len(x) - 0.5), ylim=(-0.55, 1.45))
    ax.axis("off")
    steps = "; ".join(f"{value:g} gives {state:.2f}" for value, state in zip(x, states, strict=True))
    finish(f"One unit, drawn once for each step, hands its state to the right. {name} and the state after it: {steps}.")


def spectrograms(words, names, *, columns=5):
    """Draw spoken words: time to the right, pitch upwards, loudness as brightness; padding of zeros is cut off.

    words: (n, frames, bands) of 0 and more; names: n strings. Raises ValueError if their numbers differ.
    """
    words = as_array(words)
    if words.ndim != 3 or len(words) != len(names):
        raise ValueError(
            f"words are (n, frames, bands), with a name for each; got {words.shape} and {len(names)} names"
        )
    columns = min(columns, len(words))
    rows = -(-len(words) // columns)
    _, axes = figure(1.45 * columns + 0.5, 1.35 * rows + 0.3, rows, columns, squeeze=False, sharex=True, sharey=True)
    lengths = [int(word.any(axis=1).sum()) for word in words]
    for ax in axes.flat:
        ax.axis("off")
    for ax, word, name in zip(axes.flat, words, names, strict=False):
        ax.axis("on")
        ax.imshow(np.ma.masked_equal(word.T, 0), origin="lower", aspect="auto", vmin=0, vmax=words.max())
        ax.set_title(name, fontsize=9)
        ax.set(xticks=[0, 20, 40], yticks=[])
    axes[-1, 0].set(xlabel="frame", ylabel="low to high")
    said = "; ".join(f"{name}: {length}" for name, length in zip(names, lengths, strict=True))
    finish(f"{len(words)} spoken words, bright where a pitch is loud; white where the word is over. Frames: {said}.")


def forecasts(times, values, origin, predicted, *, y_label, shown=60):
    """Draw a series, and from one origin on what each method forecast, over what came.

    times: (time,) numbers or dates; values: (time,); origin: the step of the first forecast;
    predicted: {name: (horizon,)}; shown: steps drawn before the origin. Raises ValueError where a forecast is too long.
    """
    times, values = np.asarray(times), np.asarray(values, dtype=float)
    predicted = {name: np.asarray(one, dtype=float) for name, one in predicted.items()}
    horizon = max(map(len, predicted.values()))
    if values.shape != times.shape or not 0 < origin <= len(values) - horizon:
        raise ValueError(f"an origin of {origin} and {horizon} steps reach outside a series of {len(values)}")
    _, ax = figure(7.6, 3.2)
    before, after = slice(max(0, origin - shown), origin), slice(origin - 1, origin + horizon)
    ax.plot(times[before], values[before], color="black", linewidth=1)
    ax.plot(times[after], values[after], color="black", linewidth=1, marker=".", label="what came")
    words = []
    for i, (name, one) in enumerate(predicted.items()):
        at = times[origin : origin + len(one)]
        ax.plot(at, one, color=COLORS[i % 8], linestyle=LINES[i % 4], linewidth=2, label=name)
        error = np.abs(one - values[origin : origin + len(one)]).mean()
        words.append(f"{name} {error:.3g}")
    ax.axvline(times[origin - 1], color=GRAY, linewidth=0.8)
    ax.set(ylabel=y_label)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    finish(
        f"{y_label} up to {times[origin - 1]} and {horizon} steps beyond. "
        f"Mean absolute errors there: {', '.join(words)}."
    )


def ctc_peaks(frames, probabilities, classes, *, blank=0):
    """Draw a spoken sequence over the probabilities that a network gives each symbol, step by step.

    frames: (time, bands); probabilities: (steps, symbols), steps ≤ time; classes: the names of all symbols but
    the blank, in order; blank: the symbol that means "nothing new". Raises ValueError if the numbers of symbols differ.
    """
    frames, probabilities = as_array(frames), as_array(probabilities)
    if probabilities.shape[1] != len(classes) + 1:
        raise ValueError(f"{probabilities.shape[1]} symbols for {len(classes)} classes and one blank")
    _, (above, below) = figure(7.4, 3.6, 2, 1, sharex=True)
    above.imshow(frames.T, origin="lower", aspect="auto", vmin=0)
    above.set(yticks=[], ylabel="low to high")
    at = np.arange(len(probabilities)) * len(frames) / len(probabilities)
    below.plot(at, probabilities[:, blank], color=GRAY, linestyle=":", label="blank")
    symbols = [k for k in range(len(classes) + 1) if k != blank]
    peaks = []
    for name, k in zip(classes, symbols, strict=True):
        line = probabilities[:, k]
        if line.max() > 0.5:
            below.plot(at, line, color=COLORS[len(peaks) % 8])
            top = int(line.argmax())
            below.text(at[top], line[top] + 0.03, name, ha="center", fontsize=10)
            peaks.append((at[top], f"{name} at frame {at[top]:.0f} ({line[top]:.2f})"))
    below.set(xlabel="frame", ylabel="probability", ylim=(0, 1.15))
    below.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    share = (probabilities.argmax(axis=1) == blank).mean()
    told = "; ".join(text for _, text in sorted(peaks)) or "none"
    finish(
        f"Above the sound, below the probabilities. Highest points: {told}. Blank leads in {share:.0%} of the steps."
    )
