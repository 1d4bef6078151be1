"""Where the centroids of a set of weights start: five ways, in NumPy. Born in notebook 19.

The first four have the names and the results of tensorflow-model-optimization (those that draw at random: the same
method, other draws). None of them is k-means: they place centroids, and training moves them. OPTIMAL is k-means, solved
to its optimum, which in one dimension is possible: the clusters are intervals of the sorted weights, so the best
clustering follows by dynamic programming.
"""

import bisect
import enum

import numpy as np

from coursekit.errors import CompressionError

EXACT_UP_TO = 8192  # distinct values; above it OPTIMAL works on as many bins and then refines


class CentroidInitialization(enum.StrEnum):
    """How the centroids are placed before training moves them.

    LINEAR:           evenly spaced from the smallest to the largest weight.
    RANDOM:           drawn uniformly between the smallest and the largest weight.
    DENSITY_BASED:    where the cumulative distribution of the weights passes evenly spaced levels, read off a grid of
                      30 points: at most 30 of the centroids differ, as in tensorflow-model-optimization.
    KMEANS_PLUS_PLUS: weights drawn one after another, each with a probability proportional to its squared distance
                      from the nearest one drawn before (Arthur and Vassilvitskii 2007).
    OPTIMAL:          the optimum of k-means: the centroids with the least sum of squared distances.
    """

    LINEAR = "LINEAR"
    RANDOM = "RANDOM"
    DENSITY_BASED = "DENSITY_BASED"
    KMEANS_PLUS_PLUS = "KMEANS_PLUS_PLUS"
    OPTIMAL = "OPTIMAL"


def as_initialization(chosen):
    """The member of CentroidInitialization that is meant by a member or by its name, in capitals or not.

    Also takes tensorflow-model-optimization's own members, such as its CentroidInitialization.LINEAR.
    """
    name = str(getattr(chosen, "value", chosen)).rsplit(".", 1)[-1].upper()
    if name not in CentroidInitialization.__members__:
        known = ", ".join(CentroidInitialization.__members__)
        raise CompressionError(f"cluster_centroids_init is {chosen!r}; choose one of {known}")
    return CentroidInitialization[name]


def initial_centroids(weights, number_of_clusters, init, *, preserve_sparsity=False, seed=0):
    """The centroids that a clustering of `weights` starts from: sorted, shape (number_of_clusters,), float32.

    weights:            an array of any shape.
    init:               a CentroidInitialization or its name.
    preserve_sparsity:  one centroid is 0, and the others are shared out between the negative and the positive weights
                        in proportion to their numbers.
    seed:               of RANDOM and KMEANS_PLUS_PLUS.

    Centroids may coincide, where the weights have fewer distinct values or the method says so.
    Raises CompressionError for weights that are NaN or infinite and for fewer weights than centroids.
    """
    init = as_initialization(init)
    values = np.asarray(weights, dtype=np.float32).ravel()
    check_finite(values)
    if values.size < number_of_clusters:
        raise CompressionError(f"{values.size} weights can't be put in {number_of_clusters} clusters")
    place = _PLACED_BY[init]
    rng = np.random.default_rng(seed)
    if not preserve_sparsity:
        return np.sort(place(values, number_of_clusters, rng, False)).astype(np.float32)
    below, above = values[values < 0], values[values > 0]
    share = below.size / max(below.size + above.size, 1)
    n_below = int(np.round((number_of_clusters - 1) * share))
    parts = [np.zeros(1, np.float32)]
    for side, count in ((below, n_below), (above, number_of_clusters - 1 - n_below)):
        placed = place(side, count, rng, True) if count and side.size else np.zeros(0)
        parts.append(np.concatenate([placed, np.zeros(count - placed.size)]))
    return np.sort(np.concatenate(parts)).astype(np.float32)


def check_finite(values):
    """Refuse weights that are NaN or infinite."""
    if not np.isfinite(values).all():
        raise CompressionError("some weights are NaN or infinite, and no centroid is near them: train the model anew")


def _linear(values, count, rng, zero_apart):
    return np.linspace(values.min(), values.max(), count, dtype=np.float32)


def _random(values, count, rng, zero_apart):
    return rng.uniform(values.min(), values.max(), count)


def _density_based(values, count, rng, zero_apart):
    low, high = values.min(), values.max()
    gap = np.float32(0.01) if not zero_apart else min(np.float32(0.01), min(abs(low), abs(high)) / 2)
    grid = np.linspace(low - gap, high + gap, 30, dtype=np.float32)
    at_most = np.searchsorted(np.sort(values), grid, side="right").astype(np.float32)
    cumulative = at_most / np.float32(values.size)
    levels = np.linspace(0.01, 1, count, dtype=np.float32)
    return grid[np.minimum(np.searchsorted(cumulative, levels, side="right"), 29)]


def _kmeans_plus_plus(values, count, rng, zero_apart):
    values = np.sort(values).astype(np.float64)
    chosen = [rng.choice(values)]  # kept sorted
    distance = (values - chosen[0]) ** 2
    candidates = 2 + int(np.log(count))  # several are drawn and the best is kept, as in the TensorFlow kernel
    while len(chosen) < count:
        total = np.cumsum(distance)
        if total[-1] == 0:  # every distinct value has been chosen
            return np.array(chosen + [chosen[-1]] * (count - len(chosen)))
        drawn = np.searchsorted(total, rng.random(candidates) * total[-1], side="right").clip(0, values.size - 1)
        tried = _nearby(values, chosen, drawn)
        gains = [distance[near].sum() - ((values[near] - value) ** 2).sum() for near, value in tried]
        near, value = tried[int(np.argmax(gains))]
        distance[near] = (values[near] - value) ** 2
        chosen.insert(bisect.bisect(chosen, value), value)
    return np.array(chosen)


def _nearby(values, chosen, drawn):
    """For each value drawn: the slice of the sorted values that are nearer to it than to those chosen; the value."""
    pairs = []
    for value in values[drawn]:
        place = bisect.bisect(chosen, value)
        low = (chosen[place - 1] + value) / 2 if place else -np.inf
        high = (chosen[place] + value) / 2 if place < len(chosen) else np.inf
        pairs.append((slice(*np.searchsorted(values, [low, high])), value))
    return pairs


def optimal_centroids(values, count):
    """The centroids of the best clustering of numbers into `count` clusters: shape (count,), sorted, float64.

    The best has the least sum of squared distances to the nearest centroid. Exact for up to EXACT_UP_TO distinct
    values (Wang and Song 2011). More are first put into that many bins, whose best clustering is refined by Lloyd's
    iteration on the values themselves until nothing moves; what is lost by the bins is a fraction of a bin's width.
    With fewer distinct values than clusters the last centroid is repeated.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64).ravel())
    distinct, first, size = np.unique(ordered, return_index=True, return_counts=True)
    if distinct.size <= count:
        return np.concatenate([distinct, np.repeat(distinct[-1], count - distinct.size)])
    if distinct.size <= EXACT_UP_TO:
        starts = first[_best_starts(distinct, size, count)]
        return np.add.reduceat(ordered, starts) / np.diff(np.append(starts, ordered.size))
    edges = _bin_edges(ordered, EXACT_UP_TO)
    size = np.diff(np.append(edges, ordered.size))
    starts = _best_starts(np.add.reduceat(ordered, edges) / size, size, count)
    return _lloyd(ordered, edges[starts])


def weighted_centroids(values, weights, count):
    """The centroids of the best clustering of numbers that count differently: shape (count,), sorted, float64.

    values, weights: arrays of one shape; the weights are above 0. The best clustering has the least sum of squared
    distances times weights. It is found as in `optimal_centroids`; more than EXACT_UP_TO distinct values are put into
    that many bins, and the clusters begin where bins begin. With fewer distinct values than clusters the last centroid
    is repeated.
    Raises ValueError for weights that are not above 0.
    """
    values, weights = (np.asarray(array, dtype=np.float64).ravel() for array in (values, weights))
    if not np.all(weights > 0):
        raise ValueError("each number should count by a weight above 0")
    weights = weights / weights.min()  # _best_starts takes numbers of points, 1 or more
    order = np.argsort(values, kind="stable")
    points, first = np.unique(values[order], return_index=True)
    sizes = np.add.reduceat(weights[order], first)
    if points.size <= count:
        return np.concatenate([points, np.repeat(points[-1], count - points.size)])
    edges = np.arange(points.size) if points.size <= EXACT_UP_TO else _bin_edges(points, EXACT_UP_TO)
    in_bins = np.add.reduceat(sizes, edges)
    starts = edges[_best_starts(np.add.reduceat(sizes * points, edges) / in_bins, in_bins, count)]
    return np.add.reduceat(sizes * points, starts) / np.add.reduceat(sizes, starts)


def _bin_edges(ordered, bins):
    """Where the bins begin: half of the edges leave as many values to each bin, half the same width."""
    by_number = np.linspace(0, ordered.size, bins // 2, endpoint=False).astype(int)
    by_width = np.searchsorted(ordered, np.linspace(ordered[0], ordered[-1], bins // 2, endpoint=False))
    return np.unique(np.concatenate([by_number, by_width]))


def _lloyd(ordered, starts, rounds=1000):
    """k-means on sorted values from the clusters that begin at `starts`; a round costs only `count` look-ups."""
    total = np.concatenate([[0.0], np.cumsum(ordered)])
    for _ in range(rounds):
        ends = np.append(starts[1:], ordered.size)
        centroids = (total[ends] - total[starts]) / (ends - starts)
        moved = np.append(0, np.searchsorted(ordered, (centroids[1:] + centroids[:-1]) / 2, side="right"))
        moved = np.unique(moved[moved < ordered.size])
        if moved.size != starts.size or (moved == starts).all():
            return centroids
        starts = moved
    return centroids


def _best_starts(points, sizes, count):
    """The indices at which the clusters of the best clustering of sorted points begin, the first of them 0.

    best[i] is the least cost of the points before i in j clusters. Adding a cluster j..i costs cost(j, i), and the
    best j never falls as i rises: so each row of the table is filled from the middle out, all middles of one depth at
    once, each looking only between the answers of its neighbors.
    """
    middle = np.average(points, weights=sizes)
    weight = np.concatenate([[0.0], np.cumsum(sizes)])
    total = np.concatenate([[0.0], np.cumsum(sizes * (points - middle))])
    square = np.concatenate([[0.0], np.cumsum(sizes * (points - middle) ** 2)])

    def cost(j, i):
        return square[i] - square[j] - (total[i] - total[j]) ** 2 / np.maximum(weight[i] - weight[j], 1)

    n = points.size
    every = np.arange(n + 1)
    best = cost(np.zeros_like(every), every)
    came_from = np.zeros((count, n + 1), dtype=np.int32)
    for clusters in range(1, count):
        best, came_from[clusters] = _add_a_cluster(best, cost, clusters, n)
    starts = [n]
    for clusters in range(count - 1, 0, -1):
        starts.append(came_from[clusters, starts[-1]])
    return np.array([0, *starts[:0:-1]])


def _add_a_cluster(best, cost, clusters, n):
    """The next row of the table: for each i the least of best[j] + cost(j, i) over clusters ≤ j < i, and its j."""
    row = np.full(n + 1, np.inf)
    source = np.full(n + 2, n, dtype=np.int64)
    source[clusters] = clusters
    low, high = np.array([clusters + 1]), np.array([n])  # the ranges of i that are still open
    while low.size:
        i = (low + high) // 2
        first = np.maximum(source[low - 1], clusters)
        last = np.maximum(np.minimum(source[high + 1], i - 1), first)
        length = last - first + 1
        begin = np.concatenate([[0], np.cumsum(length)[:-1]])
        j = np.arange(length.sum()) - np.repeat(begin - first, length)
        value = best[j] + cost(j, np.repeat(i, length))
        row[i] = np.minimum.reduceat(value, begin)
        hits = np.flatnonzero(value == np.repeat(row[i], length))
        source[i] = j[hits[np.searchsorted(hits, begin)]]
        low, high = np.concatenate([low, i + 1]), np.concatenate([i - 1, high])
        low, high = low[low <= high], high[low <= high]
    return row, source[: n + 1]


_PLACED_BY = {
    CentroidInitialization.LINEAR: _linear,
    CentroidInitialization.RANDOM: _random,
    CentroidInitialization.DENSITY_BASED: _density_based,
    CentroidInitialization.KMEANS_PLUS_PLUS: _kmeans_plus_plus,
    CentroidInitialization.OPTIMAL: lambda values, count, rng, zero_apart: optimal_centroids(values, count),
}
