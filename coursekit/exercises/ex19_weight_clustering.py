"""The checks of notebook 19, Weight clustering."""

import math

import numpy as np

from coursekit.arrays import as_array
from coursekit.exercises import NOT_ATTEMPTED, exercise
from coursekit.exercises.answers import (
    CHANGED,
    ROUNDED,
    beside,
    changed,
    close,
    compare_letters,
    compare_numbers,
    missing,
    numbers,
    parts_of,
    rounded,
    told_apart,
    without_stars,
)
from coursekit.exercises.smaller_network import check_smaller_network

NOTHING = "with {} your function returns nothing, and with others it does"


# --- 19.1 -------------------------------------------------------------------------------------------------------------
ONE_ROUND = "one round only: these are the numbers after many, when nothing moves any more"


@exercise("19.1")
def check_one_round(one_round):
    """Random weights, some of them repeated, and centroids; whole numbers; clusters without weights in one case."""
    rng = np.random.default_rng()
    for empty, whole in ((False, False), (False, True), (True, False)):
        k = int(rng.integers(3, 7))
        weights = rng.normal(0, 1, int(rng.integers(60, 120)))
        weights = rng.permutation(np.append(weights, rng.choice(weights[weights > 0], 20)))
        chosen = np.sort(rng.uniform(-1.5, 1.5, k))
        centroids = chosen
        if whole:  # odd distances, so that no weight lies half-way
            weights, centroids = rng.integers(-9, 10, weights.size), np.cumsum(rng.choice([1, 3], k)) - k
        if empty:
            weights = rng.permutation(np.append(weights, rng.uniform(19, 21, 10)))
            centroids = np.concatenate([[-30.0], chosen, [10.0, 20.0, 30.0]])
        given = weights.copy(), centroids.copy()
        got = one_round(*given)
        if missing(got):
            return NOTHING.format("a cluster without weights") if empty else NOT_ATTEMPTED
        if changed(given, (weights, centroids)):
            return CHANGED
        parts = parts_of(got, 2)
        pair = None if parts is None else [numbers(part) for part in parts]
        if pair is None or any(part is None for part in pair):
            return "return two arrays: the boundaries, and the new centroids"
        if hint := _round_hint(*pair, weights, centroids):
            return hint
    return None


def _of_clusters(weights, centroids, function):
    """function(weights) of each cluster, and whether it has weights; without any, its centroid."""
    which = np.abs(weights[:, None] - centroids).argmin(axis=1)
    there = np.array([np.any(which == j) for j in range(len(centroids))])
    found = [function(weights[which == j]) if there[j] else centroids[j] for j in range(len(centroids))]
    return np.array(found), there


def _at_rest(weights, centroids):
    """The centroids after as many rounds as change anything."""
    for _ in range(1000):
        centroids, before = _of_clusters(weights, centroids, np.mean)[0], centroids
        if close(centroids, before):
            break
    return centroids


def _round_hint(boundaries, moved, weights, centroids):
    middles = (centroids[1:] + centroids[:-1]) / 2
    means = _of_clusters(weights, centroids, np.mean)[0]
    if boundaries.ndim != 1 or moved.ndim != 1:
        return f"return flat arrays; yours have the shapes {boundaries.shape} and {moved.shape}"
    if boundaries.shape == moved.shape == (len(centroids),) or (
        boundaries.shape == means.shape and moved.shape == middles.shape
    ):
        return "between k centroids there are k − 1 boundaries; return them first, then the k new centroids"
    if boundaries.shape != middles.shape:
        return f"between {len(centroids)} centroids there are {len(middles)} boundaries, not {boundaries.size}"
    if not close(boundaries, middles):
        if np.array_equal(boundaries, centroids[:-1]) or np.array_equal(boundaries, centroids[1:]):
            return "a boundary is half-way between two neighbors; yours are the centroids themselves"
        if close(boundaries, (means[1:] + means[:-1]) / 2):
            return "boundaries lie between the centroids that you were given, not between the new ones"
        rest = _at_rest(weights, centroids)
        if close(boundaries, (rest[1:] + rest[:-1]) / 2):
            return ONE_ROUND
        if rounded(boundaries, middles):
            return ROUNDED
        return "a weight at the boundary is equally far from both neighbors: where is that?"
    if moved.shape != centroids.shape:
        return f"{len(centroids)} centroids went in and {moved.size} came out"
    return None if close(moved, means) else _means_hint(moved, weights, centroids)


def _means_hint(moved, weights, centroids):
    means, there = _of_clusters(weights, centroids, np.mean)
    if close(moved, centroids):
        return "the centroids have not moved: each goes to the mean of its cluster"
    if not np.isfinite(moved).all():
        return "a cluster without weights has no mean: its centroid stays where it is"
    if close(moved[there], means[there]):
        return "a cluster without weights keeps its centroid"
    if centroids.dtype.kind == "i" and close(moved, np.trunc(means)):
        return "an array of whole numbers, as a copy of these centroids is, cuts means off: make one of floats"
    if rounded(moved, means):
        return ROUNDED
    if close(moved, _of_clusters(weights, centroids, np.median)[0]):
        return "that is the median of each cluster; the mean has the least squared error"
    if close(moved, _of_clusters(weights, centroids, np.sum)[0]):
        return "those are sums: divide by the number of weights in each cluster"
    if close(moved, _at_rest(weights, centroids)):
        return ONE_ROUND
    return "the boundaries are right, but the new centroids are not the means of the weights between them"


# --- 19.2 -------------------------------------------------------------------------------------------------------------
WEIGHTS, FILTERS = 64 * 3 * 3 * 32, 64


@exercise("19.2")
def check_codebook_sizes(answer):
    """Sizes of a convolution with one codebook, and with one for each filter."""
    n, packed, own = WEIGHTS, WEIGHTS // 2, FILTERS * 16 * 4
    right = {
        "(a)": 4 * n,
        "(b)": packed + 64,
        "(c)": packed + own,
        "(d)": own / (packed + own),
        "(e)": n * 5 / 8 + 17 * 4,
        "(f)": 342,
    }
    hints = {
        "(a)": {n: "a float32 takes 4 bytes", 32 * n: "bytes, not bits"},
        "(b)": {
            packed: "and the codebook?",
            packed + 16: "a centroid is a float32, of 4 bytes",
            8 * (packed + 64): "bytes, not bits",
            n + 64: "16 centroids need 4 bits an index, not a byte",
            4 * n + 64: "16 centroids need 4 bits an index, not 4 bytes",
        },
        "(c)": {
            packed + 64: "each of the 64 filters has a codebook",
            FILTERS * (packed + 64): "there are no more indices than before; only the codebooks are more",
            packed + 32 * 64: "there are 64 filters, of 3 × 3 × 32 weights each",
        },
        "(d)": {
            own / packed: "as a share of the whole, not of the indices",
            own: "as a share, from 0 to 1",
            100 * own / (packed + own): "as a share, from 0 to 1",
        },
        "(e)": {
            packed + 17 * 4: "17 kinds can't be told apart with 4 bits",
            math.ceil(math.log2(17) * n / 8) + 17 * 4: "whole bits for each index",
        },
        "(f)": {
            341: "at 341 weights it is 1,365 bytes against 1,364: is that smaller?",
            256: "an index takes a byte and a centroid 4; a weight takes 4",
            1024 / 3: "a whole number of weights",
            1366: "that is the number of bytes; how many weights?",
        },
    }
    otherwise = {
        "(a)": "weights times 4 bytes; each filter has 3 × 3 × 32 of them",
        "(b)": "4 bits for each weight, and 16 centroids of 4 bytes",
        "(c)": "the indices as in (b), and 64 codebooks",
        "(d)": "bytes of the codebooks over all bytes of (c)",
        "(e)": "how many whole bits tell 17 kinds apart?",
        "(f)": "n indices of a byte and 256 centroids of 4 bytes should be fewer bytes than 4 n",
    }
    return compare_numbers(answer, right, hints, otherwise, atol=1e-3, also={"(d)": (0.307, 0.31)})  # 0.31 is right


# --- 19.3 -------------------------------------------------------------------------------------------------------------
LARGE = (200, 200)


@exercise("19.3")
def check_size_of_layer(size_of_layer):
    """Tensors of several shapes and unevenly frequent values; some of float64, some with one value.

    Among the values are 0, a pair that differs in its sign only, and a pair that differs in the fifth digit. The first
    tensor is so large that its bytes change with each rounding of the entropy.
    """
    rng = np.random.default_rng()
    for shape in (LARGE, *5 * ((20, 30), (3, 3, 4, 8), (50,), (6, 7))):
        k = 1 if shape == (6, 7) else int(rng.integers(5, 10))
        values = rng.normal(size=k).astype("float64" if shape == (50,) else "float32")
        values[0] = 0
        if k > 1:
            values[1], values[2] = 0.5 + rng.random(), -0.5 - rng.random()
            values[3:5] = -values[1], values[2] * (1 + 2e-5)
        weights = rng.permutation(np.repeat(values, _drawn_counts(rng, shape, k))).reshape(shape)
        given = weights.copy()
        got = size_of_layer(given)
        if missing(got):
            return NOTHING.format("a tensor of one value") if k == 1 else NOT_ATTEMPTED
        if changed(given, weights):
            return CHANGED
        parts = parts_of(got, 2, stacked=True)
        pair = None if parts is None else [numbers(part) for part in parts]
        if pair is None or any(part is None or part.shape != () for part in pair):
            return "return two numbers: bits a weight, and bytes"
        if hint := _layer_hint(float(pair[0]), float(pair[1]), weights):
            return hint
    return None


def _drawn_counts(rng, shape, k):
    """How often each of k values comes, once at least; in LARGE so that no rounded entropy gives the bytes."""
    n = math.prod(shape)
    while True:
        counts = rng.multinomial(n - k, rng.dirichlet(np.full(k, 1.5))) + 1
        bits = _bits(counts)
        whole = math.ceil(bits * n / 8)
        if shape != LARGE:
            return counts
        fewer = {whole - math.ceil(cut * n / 8) for cut in _cut(bits)}
        of_other_mistakes = {0, 3 * k, 4 * k}  # none; a byte for each value of the codebook; no codebook
        if not fewer & of_other_mistakes and 0.05 < whole - bits * n / 8 < 0.95:
            return counts


def _cut(bits):
    """An entropy with 1 to 4 digits behind the point, rounded and cut off."""
    return [cut(bits * 10**d) / 10**d for d in range(1, 5) for cut in (round, math.floor)]


def _bits(counts):
    p = counts / counts.sum()
    return float((p * np.log2(1 / p)).sum())


def _counts_and_bits(weights):
    """How often each value is there, and the entropy in bits a weight."""
    counts = np.unique(weights, return_counts=True)[1]
    return counts, _bits(counts)


def _merged(weights):
    """The entropies that one gets where values that differ a little become one."""
    bins = np.histogram(weights, 256)[0]
    rounded_ones = [weights.round(digits) for digits in range(1, 5)]
    return [_bits(bins[bins > 0]), *(_counts_and_bits(one)[1] for one in (*rounded_ones, weights.astype("float16")))]


def _layer_hint(bits, size, weights):
    counts, right = _counts_and_bits(weights)
    codebook, stream = 4 * len(counts), right * weights.size / 8
    if np.isclose(bits, right, rtol=0, atol=1e-3):
        return _bytes_hint(size, stream, codebook, [math.ceil(cut * weights.size / 8) for cut in _cut(right)])
    near = lambda wanted: np.isclose(bits, wanted, rtol=1e-6, atol=1e-9)
    if near(math.ceil(stream) + codebook) and np.isclose(size, right, rtol=0, atol=1e-3):
        return "the other way round: first the bits a weight, then the bytes"
    wrong = {
        "those are nats: bits need the logarithm to base 2": right * np.log(2),
        "that is the fixed width, log2 of the number of values; frequent ones can be shorter": np.log2(len(counts)),
        "whole bits would be the fixed width; an entropy need not be whole": math.ceil(np.log2(len(counts))),
        "bits for one weight, not for all of them": right * weights.size,
        "the sign is wrong: bits are not below 0": -right,
        "a value and its negative are two values": _counts_and_bits(np.abs(weights))[1],
    }
    for hint, value in wrong.items():
        if near(value):
            return hint
    if any(map(near, _merged(weights))):
        return "values that differ a little are different values: don't round them, in no bins and no half precision"
    shown = told_apart(right, bits, 5)
    return "{} weights with counts {} carry {} bits each, not {}".format(weights.size, counts.tolist(), *shown)


def _bytes_hint(size, stream, codebook, of_rounded_bits):
    """What is wrong with the bytes; stream: of the indices, not rounded; of_rounded_bits: from a rounded entropy."""
    whole, values = math.ceil(stream), codebook // 4
    near = lambda *wanted: any(np.isclose(size, one, rtol=1e-6, atol=1e-9) for one in wanted)
    if near(whole + codebook):
        return None
    if near(whole, stream):
        return "the codebook is missing: 32 bits for each value"
    if near(whole + values):
        return "a value in the codebook takes 32 bits, which are 4 bytes"
    if near(stream + codebook):
        return "a file has whole bytes: round the stream up"
    if near(math.floor(stream) + codebook):
        return "with fewer bytes than the entropy the stream does not fit: round up, not down, and nothing before that"
    if near(*(one + codebook for one in of_rounded_bits)):
        return "the entropy was rounded before the bytes were counted: round only the bytes"
    if near(8 * (stream + codebook), math.ceil(8 * stream) + 8 * codebook):
        return "those are bits; bytes are wanted"
    needed, yours = told_apart(whole + codebook, size, 7)
    return f"{needed} bytes are needed, {codebook} of them for the codebook; you have {yours}"


# --- 19.4 -------------------------------------------------------------------------------------------------------------
@exercise("19.4")
def check_codebook_gradient(codebook_gradient):
    """Slopes and indices of several shapes; the last centroid is never used, or another one, or all are used."""
    rng = np.random.default_rng()
    for shape, unused in (((40,), -1), ((7, 9), 1), ((3, 3, 2, 5), 0), ((6, 8), None)):
        k = int(rng.integers(4, 8))
        used = np.arange(k) if unused is None else np.delete(np.arange(k), unused)
        slopes, indices = rng.normal(size=shape), rng.choice(used, shape)
        indices.ravel()[: len(used)] = used
        given = slopes.copy(), indices.copy()
        got = codebook_gradient(*given, k)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, (slopes, indices)):
            return CHANGED
        got = numbers(got)
        if got is None:
            return f"return {k} numbers, one for each centroid"
        if hint := _gradient_hint(got, slopes.ravel(), indices.ravel(), k):
            return hint
    return None


def _gradient_hint(got, slopes, indices, k):
    sums = np.bincount(indices, weights=slopes, minlength=k)
    counts = np.bincount(indices, minlength=k)
    shorter = (sums[counts > 0], np.trim_zeros(sums, "b"))
    if any(got.shape == one.shape != sums.shape and close(got, one) for one in shorter):
        return "a centroid that no weight uses has a gradient, too: 0"
    if got.shape != (k,):
        return f"there are {k} centroids; your answer has the shape {got.shape}"
    if close(got, sums):
        return None
    if rounded(got, sums):
        return ROUNDED
    if close(got, sums / np.maximum(counts, 1)) or not np.isfinite(got).all():
        return "the gradient is a sum: each weight that uses a centroid adds its own, without dividing"
    if close(got, counts):
        return "that counts the weights of each centroid; add up their slopes"
    last = np.zeros(k)
    last[indices] = slopes  # the last one of each wins
    if close(got, last):
        return "`gradient[indices] += slopes` adds only one slope for each index; np.add.at or np.bincount add all"
    if close(got, -sums):
        return "the sign is wrong: this is the gradient, not a step against it"
    return "for each centroid add up the slopes of the weights that have its index"


# --- 19.5 -------------------------------------------------------------------------------------------------------------
REASONS = {"1": "B", "2": "A", "3": "C", "4": "E", "5": "D"}
WHY = {
    "1": "the few values are there and each takes 4 bytes; what has not been done?",
    "2": "who needs the old floats, and an index for each of them?",
    "3": "plain layers, so the wrappers are gone; what brings different values back?",
    "4": "16 values are there and the zip is small: indices of 4 bits would be an eighth of 32",
    "5": "few values for each filter, other ones in each: what gives every filter a factor of its own?",
}


@exercise("19.5")
def check_reasons(answer):
    """Five files, and what happened to each."""
    averages = "averages of the optimizer would be floats, two for each weight"
    return compare_letters(without_stars(answer), REASONS, WHY, {"F": averages})


# --- 19.6 -------------------------------------------------------------------------------------------------------------
@exercise("19.6")
def check_centroids_with_zero(centroids_with_zero):
    """Pruned weights with unequal numbers on both sides, at times so unequal that a side gets no centroid."""
    from coursekit.compression.centroids import initial_centroids

    rng = np.random.default_rng()
    for turn in range(25):  # so many that other ways of rounding are told apart
        k = int(rng.integers(6, 14))
        below, above = -rng.uniform(0.2, 1, int(rng.integers(20, 60))), rng.uniform(0.3, 2, int(rng.integers(40, 90)))
        if turn % 8 == 7:  # a side whose share is rounded to 0
            below, above = (below[:1], rng.uniform(0.3, 2, 99)) if turn == 7 else (-rng.uniform(0.2, 1, 99), above[:1])
        if turn % 8 == 5:  # a side whose share is rounded to 1
            k, many = 6, rng.uniform(0.3, 1, 64)
            below, above = (below[:16], many) if turn == 5 else (-many, above[:16])
        if turn % 8 == 3:  # a share of so many and a half, with an even and with an odd number below it
            k, above = (4, 6, 8)[turn // 8], rng.uniform(0.3, 2, below.size)
        if turn % 8 == 1:  # weights that repeat
            below, above = (np.append(side, np.repeat(side[:1], more)) for side, more in ((below, 40), (above, 5)))
        weights = rng.permutation(np.concatenate([below, above, np.zeros(200)])).astype("float32")
        given = weights.copy()
        got = centroids_with_zero(given, k)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, weights):
            return CHANGED
        got = numbers(got)
        if got is None or got.ndim != 1:
            return f"return {k} numbers"
        right = initial_centroids(weights, k, "LINEAR", preserve_sparsity=True).astype(float)
        if hint := _zero_hint(got, right, weights.astype(float), k):
            return hint
    return None


def _zero_hint(got, right, weights, k):
    if got.size != k:
        return f"{k} centroids are wanted, 0 among them, and you have {got.size}"
    none_is_zero = "0 is not among the centroids, and it should be there exactly"
    if close(got, right):
        return None if (got == 0).any() else none_is_zero
    if np.isnan(got).any():
        return "NaN among the centroids: is a side empty?"
    if rounded(got, right):
        return ROUNDED
    if close(np.sort(got), right):
        return "the centroids should be sorted"
    if close(got, np.linspace(weights.min(), weights.max(), k)):
        return "linear over all weights: the gap around 0 gets centroids, and 0 need not be one of them"
    if not (got == 0).any():
        return none_is_zero
    if (got == 0).sum() > 1:
        return "0 should be there once: `linspace` of each side goes from its smallest to its largest weight, not to 0"
    if (got < 0).sum() != (right < 0).sum() and not (np.any(right < 0) and np.any(right > 0)):
        return "here the share of a side is rounded to 0, so it gets no centroid, and the other side all k − 1"
    if (got < 0).sum() != (right < 0).sum():
        return (
            "share the k − 1 others out to both signs in proportion to the numbers of weights that are not 0, rounded"
        )
    return "the numbers on both sides are right, but not their places: linear from the smallest to the largest weight"


# --- 19.7 -------------------------------------------------------------------------------------------------------------
TIMES_SMALLER, LOSS = 10, 0.05


def ideal_size(network):
    """Bytes of [[weights, bias], ...] if each array takes its entropy in whole bytes, and 4 a different value."""
    from coursekit.compression.reports import entropy_of

    size = 0
    for values in (np.float32(as_array(one)) for pair in network for one in pair):
        counts = np.unique(values, return_counts=True)[1]
        size += math.ceil(entropy_of(counts) * values.size / 8) + 4 * len(counts)
    return size


@exercise("19.7")
def check_in_budget(in_budget):
    """Networks trained here, measured on digits that were not in their training."""
    return check_smaller_network(
        in_budget,
        lambda given, got: 4 * sum(values.size for pair in given for values in pair) / ideal_size(got),
        wanted=TIMES_SMALLER,
        loss=LOSS,
        enough=TIMES_SMALLER,
        hint_for=_budget_hint,
    )


def _budget_hint(factor, whole, small):
    if factor < 1.5:
        return "there are as many different values as before: give each array a few"
    if factor < TIMES_SMALLER:
        return (
            f"{beside(factor, TIMES_SMALLER, 2)} times smaller, and {TIMES_SMALLER} are wanted: fewer values, or more "
            "of them alike (biases count, too)"
        )
    return (
        f"{factor:.1f} times smaller, but {small:.1%} right where the original has {whole:.1%}: place the values "
        "better, or take more of them"
    )
