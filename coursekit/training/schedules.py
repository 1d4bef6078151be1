"""Learning rates that change from step to step: one rate for each step of a training, as an array.

Every function takes the number of steps and the largest rate, `peak`, and returns an array (steps,). A training loop
reads the rate of its step from it; what Keras and PyTorch call a schedule gives the same numbers one at a time.
All raise ValueError for a schedule without a step, and for one that is no longer than its warm-up.

Born in notebook 16.
"""

import numpy as np


def constant(steps, peak):
    """The same rate at every step."""
    return np.full(_checked(steps), float(peak))


def step_decay(steps, peak, stages=3, drop=0.1):
    """`stages` parts of equal length; from one to the next the rate is multiplied by `drop`."""
    return peak * drop ** (stages * np.arange(_checked(steps)) // steps)


def exponential(steps, peak, end=0.01):
    """The rate is multiplied by the same number at every step, so that it comes down to `end` times the peak."""
    return peak * end ** (np.arange(_checked(steps)) / steps)


def cosine(steps, peak, warmup=0):
    """Half a wave of the cosine, from the peak to zero (Loshchilov and Hutter, 2017), after a warm-up.

    warmup: how many of the steps come first, in which the rate grows by the same amount each time, up to the peak
    (Goyal and others, 2017).
    """
    step = np.arange(_checked(steps, warmup))
    wave = peak * (1 + np.cos(np.pi * (step - warmup) / (steps - warmup))) / 2
    return np.where(step < warmup, peak * (step + 1) / max(warmup, 1), wave)


def one_cycle(steps, peak, rise=0.3, start=25, end=1e4):
    """Up to the peak and down again, each along half a wave of the cosine (Smith and Topin, 2018).

    rise: share of the steps that go up; start: the first rate is the peak divided by this; end: the last rate is the
    first one divided by this. The numbers are those of PyTorch's OneCycleLR with its defaults.
    """
    top = rise * _checked(steps) - 1  # the step at which the peak is reached
    if top <= 0:
        raise ValueError(f"{steps} steps are too few to rise in {rise:.0%} of them; take more steps")
    step = np.arange(steps)
    low, lowest = peak / start, peak / start / end
    up = _wave(low, peak, step / top)
    return np.where(step <= top, up, _wave(peak, lowest, (step - top) / (steps - 1 - top)))


def excess_after(rates, rng, repeats=20, batch_size=8, features=10):
    """How far SGD ends from the truth on made regressions, for each of `repeats` runs: an array (repeats,).

    Each run has a truth w of length 1 and fresh batches of standard normal x (batch_size, features) with
    y = x · w + noise of variance 1; it starts at zero and takes one step for each of `rates`. The excess is the squared
    distance from w, which is by how much the expected squared error exceeds the noise. A run that diverges ends at inf.
    """
    truth = rng.normal(size=(repeats, features))
    truth /= np.linalg.norm(truth, axis=1, keepdims=True)
    w = np.zeros_like(truth)
    with np.errstate(over="ignore", invalid="ignore"):
        for rate in rates:
            x = rng.normal(size=(repeats, batch_size, features))
            noise = rng.normal(size=(repeats, batch_size))
            error = np.einsum("rbf,rf->rb", x, w - truth) - noise
            w = w - rate * 2 * np.einsum("rbf,rb->rf", x, error) / batch_size
        excess = ((w - truth) ** 2).sum(axis=1)
    return np.where(np.isfinite(excess), excess, np.inf)


def _wave(first, last, share):
    """From `first` to `last` along half a wave, at this share of the way."""
    return last + (first - last) * (1 + np.cos(np.pi * share)) / 2


def _checked(steps, warmup=0):
    if steps < 1:
        raise ValueError(f"a schedule of {steps} steps has no rate to give; take one step or more")
    if not 0 <= warmup < steps:
        raise ValueError(
            f"a warm-up of {warmup} steps doesn't fit into a schedule of {steps}; give it fewer steps, and at least 0"
        )
    return steps
