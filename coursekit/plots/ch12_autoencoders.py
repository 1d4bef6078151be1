"""The evidence lower bound beside what it bounds. Born in notebook 12."""

import numpy as np

from coursekit.plots.style import COLORS, GRAY, figure, finish


def bound(guesses, values, evidence, right):
    """Draw a lower bound (n,) over guesses (n,), the log probability that it stays below, and the right guess.

    Raises ValueError if guesses and values differ in length.
    """
    guesses, values = np.asarray(guesses, dtype=float), np.asarray(values, dtype=float)
    if guesses.shape != values.shape:
        raise ValueError(f"there are {len(guesses)} guesses and {len(values)} values; give as many")
    _, ax = figure(5.2, 3.0)
    ax.axhline(evidence, color=GRAY, linestyle="--", label="ln p(x)")
    ax.plot(guesses, values, color=COLORS[0], linewidth=2, label="ELBO")
    ax.fill_between(guesses, values, evidence, color=COLORS[0], alpha=0.12, label="divergence from the right answer")
    ax.plot([right], [evidence], "o", color=COLORS[1], label=f"the right answer, {right:g}")
    ax.set(xlabel="guess q: probability of the first stamp", ylabel="nats")
    ax.legend(loc="lower center")
    finish(
        f"The bound over {len(guesses)} guesses from {guesses.min():g} to {guesses.max():g}. It is largest, "
        f"{values.max():.3f}, at {guesses[values.argmax()]:.2f}; ln p(x) is {evidence:.3f}."
    )
