"""Points in a plane, or in more dimensions, whose true groups are known: made by this module. Born in notebook 15.

Each function returns x, an array (n, d), and y, the number of each point's true group (n,).
"""

import numpy as np


def round_groups(rng, centers, n=100, spread=1.0):
    """Round Gaussian groups: centers (k, d); n and spread (the standard deviation) are numbers, or one for each."""
    centers = np.asarray(centers, dtype=float)
    counts, spreads = np.broadcast_to(n, len(centers)), np.broadcast_to(spread, len(centers))
    y = np.repeat(np.arange(len(centers)), counts)
    return centers[y] + spreads[y][:, None] * rng.normal(size=(len(y), centers.shape[1])), y


def stretched(rng, n=150):
    """Three groups side by side, each of them long and narrow."""
    x, y = round_groups(rng, [[-2.6, 0], [0, 0], [2.6, 0]], n, 0.5)
    return x * [1, 5] + np.outer(x[:, 1], [0.8, 0]), y


def crescents(rng, n=150, noise=0.08):
    """Two half circles, each of which reaches into the other."""
    angles = rng.uniform(0, np.pi, size=2 * n)
    y = np.repeat([0, 1], n)
    upper = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    x = np.where(y[:, None] == 0, upper, [1, 0.5] - upper)
    return x + rng.normal(0, noise, size=x.shape), y


def large_and_small(rng):
    """One wide group of many points, and two narrow ones of few points beside it."""
    return round_groups(rng, [[0, 0], [6.5, 2.5], [6.5, -2.5]], [600, 60, 60], [1.8, 0.3, 0.3])
