"""k-means, its careful start, and how stable its clusters are. Born in notebook 15.

S. P. Lloyd (1982), "Least squares quantization in PCM"; D. Arthur and S. Vassilvitskii (2007), "k-means++: the
advantages of careful seeding".
"""

import numpy as np

from coursekit.unsupervised.points import points


def nearest(x, centroids):
    """For each point (n, d) its nearest centroid, and the squared distance to it: (n,) and (n,)."""
    squares = (x**2).sum(axis=1)[:, None] - 2 * x @ centroids.T + (centroids**2).sum(axis=1)  # (n, k)
    labels = squares.argmin(axis=1)
    return labels, np.maximum(squares[np.arange(len(x)), labels], 0)


def kmeans(x, centroids, steps=300):
    """k-means from given centroids (k, d), until no point changes its cluster: labels (n,), centroids, inertias.

    inertias: after each assignment, the sum of the squared distances to the nearest centroid; they never rise. A
    centroid without points stays where it is. Raises ValueError for bad points, more centroids than points, or
    centroids of another width.
    """
    centroids = points(centroids)
    x = points(x, len(centroids), "the number of centroids")
    if centroids.shape[1] != x.shape[1]:
        raise ValueError(f"points have {x.shape[1]} features and centroids {centroids.shape[1]}; give as many")
    centroids, labels, inertias = centroids.copy(), None, []
    for _ in range(steps):
        new_labels, squares = nearest(x, centroids)
        inertias.append(float(squares.sum()))
        if labels is not None and np.array_equal(new_labels, labels):
            break
        labels = new_labels
        for j in range(len(centroids)):
            if (labels == j).any():
                centroids[j] = x[labels == j].mean(axis=0)
    return labels, centroids, inertias


def careful_start(x, k, rng):
    """k-means++: k of the points, each drawn with a chance in proportion to its squared distance from those before."""
    x = points(x, k)
    chosen = [x[rng.integers(len(x))]]
    while len(chosen) < k:
        _, squares = nearest(x, np.array(chosen))
        chance = squares / squares.sum() if squares.sum() > 0 else None  # all points are among those chosen
        chosen.append(x[rng.choice(len(x), p=chance)])
    return np.array(chosen)


def best_of(x, k, rng, starts=10):
    """k-means from several careful starts; the run with the least inertia: labels (n,), centroids (k, d), inertia."""
    x = points(x, k)
    runs = [kmeans(x, careful_start(x, k, rng)) for _ in range(starts)]
    labels, centroids, inertias = min(runs, key=lambda run: run[2][-1])
    return labels, centroids, inertias[-1]


def stability(x, k, rng, repeats=10):
    """How well two clusterings agree that were each found on a random half of the points: the mean over repeats.

    Each half gives centroids, and these label all the points. Agreement is the adjusted Rand index: 1 for the same
    clusters, 0 on average for labels drawn at random.
    """
    from sklearn.metrics import adjusted_rand_score

    x = points(x, k)
    scores = []
    for _ in range(repeats):
        order, half = rng.permutation(len(x)), len(x) // 2
        parts = [best_of(x[part], k, rng, starts=5)[1] for part in (order[:half], order[half:])]
        scores.append(adjusted_rand_score(*(nearest(x, centroids)[0] for centroids in parts)))
    return float(np.mean(scores))
