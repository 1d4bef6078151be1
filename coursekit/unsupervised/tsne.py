"""t-SNE from its equations, for a few hundred points. Born in notebook 15.

L. van der Maaten and G. Hinton (2008), "Visualizing data using t-SNE". Every pair of points is looked at in every step,
so time and memory grow with the square of their number; scikit-learn's `TSNE` does more points in less time.
"""

import numpy as np

from coursekit.unsupervised.points import points


def squared_distances(x):
    """Between all pairs of points (n, d): (n, n)."""
    squares = (x**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares - 2 * x @ x.T, 0)
    np.fill_diagonal(distances, 0)
    return distances


def neighbor_shares(x, perplexity):
    """P: (n, n), symmetric, sum 1; how much each pair are neighbors, each point having `perplexity` of them in effect.

    Raises ValueError for bad points, or a perplexity that is not above 1 and below n - 1.
    """
    x = points(x)
    n = len(x)
    if not 1 < perplexity < n - 1:
        raise ValueError(f"perplexity is {perplexity}, and there are {n} points; it lies between 1 and {n - 1}")
    distances = squared_distances(x)
    shares = np.zeros((n, n))
    for i in range(n):
        d = np.delete(distances[i], i)
        low, high, beta = 0.0, np.inf, 1.0 / max(np.median(d), 1e-12)
        for _ in range(64):  # halve the interval in which beta = 1 / (2 sigma²) lies
            p = np.exp(-beta * (d - d.min()))
            p /= p.sum()
            entropy = -(p * np.log(np.maximum(p, 1e-300))).sum()
            low, high = (beta, high) if entropy > np.log(perplexity) else (low, beta)
            beta = 2 * beta if high == np.inf else (low + high) / 2
        shares[i, np.arange(n) != i] = p
    return np.maximum((shares + shares.T) / (2 * n), 1e-12)


def tsne(x, perplexity=30, steps=500, rng=None):
    """A map (n, 2) of points (n, d), and its Kullback–Leibler divergence from the neighborhoods of the points.

    rng: draws the start; by default a new generator. The step size is max(n / 48, 50), as scikit-learn chooses it.
    """
    rng = np.random.default_rng() if rng is None else rng
    p = neighbor_shares(x, perplexity)
    y, velocity, gains = rng.normal(0, 1e-4, size=(len(p), 2)), 0.0, np.ones((len(p), 2))
    rate = max(len(p) / 48, 50)
    for step in range(steps):
        early = step < 250  # at first neighbors are pulled together 12 times as strongly
        kernel = 1 / (1 + squared_distances(y))  # (n, n), Student's t with one degree of freedom
        np.fill_diagonal(kernel, 0)
        force = ((12 if early else 1) * p - kernel / kernel.sum()) * kernel
        gradient = 4 * (force.sum(axis=1)[:, None] * y - force @ y)
        agree = np.sign(gradient) == np.sign(velocity)
        gains = np.maximum(np.where(agree, gains * 0.8, gains + 0.2), 0.01)
        velocity = (0.5 if early else 0.8) * velocity - rate * gains * gradient
        y = y + velocity
    kernel = 1 / (1 + squared_distances(y))
    np.fill_diagonal(kernel, 0)
    q = np.maximum(kernel / kernel.sum(), 1e-12)
    return y, float((p * np.log(p / q)).sum())
