"""Which weights can go: scores, masks, a schedule, and the removal of whole units, in NumPy. Born in notebook 18.

`coursekit.compression` prunes Keras models while they train; here is what such a method decides, in a few lines each.
A network is a list with [weights (fan_in, fan_out), bias (fan_out,)] for each layer, as in `coursekit.layers`.
"""

import itertools

import numpy as np


def lamp_scores(weights):
    """The layer-adaptive score of each weight of a layer, an array shaped like it, from above 0 to 1.

    The square of a weight over the sum of the squares of all that are at least as large; the largest of a layer has 1.
    Of equal weights, the later ones have the larger score. A layer of nothing but zeros has the scores 0.
    Lee, Park, Mo, Ahn and Shin (2021), "Layer-adaptive sparsity for the magnitude-based pruning".
    """
    squares = np.square(np.asarray(weights, dtype=np.float64)).ravel()
    order = np.argsort(squares, kind="stable")
    rising = squares[order]
    left = np.cumsum(rising[::-1])[::-1]  # of each weight and all above it
    scores = np.empty_like(squares)
    scores[order] = np.divide(rising, left, out=np.zeros_like(rising), where=left > 0)
    return scores.reshape(np.shape(weights))


def keep_largest(scores, sparsity):
    """Masks of ones and zeros that keep the largest of all scores together: a list of float32 arrays.

    scores: a list of arrays, one for each layer, compared with each other. sparsity: the share that goes, 0 to 1.
    Exactly round(sparsity · n) of all n numbers go; of equal ones, the first.
    Raises ValueError for a sparsity outside of 0 to 1, or for NaN among the scores.
    """
    if not 0 <= sparsity <= 1:
        raise ValueError(f"the sparsity is {sparsity}; give the share of weights that should go, from 0 to 1")
    everything = np.concatenate([np.ravel(layer_scores) for layer_scores in scores])
    if np.isnan(everything).any():
        raise ValueError("there is NaN among the scores; were the weights trained at too high a learning rate?")
    mask = np.ones(everything.size, dtype=np.float32)
    mask[np.argsort(everything, kind="stable")[: round(sparsity * everything.size)]] = 0
    ends = np.cumsum([np.size(layer_scores) for layer_scores in scores])[:-1]
    return [
        part.reshape(np.shape(layer_scores)) for part, layer_scores in zip(np.split(mask, ends), scores, strict=True)
    ]


def keep_m_by_n(weights, m_by_n, axis=-2):
    """A mask of ones and zeros in which m of each n consecutive weights along an axis go: float32, shaped like them.

    weights: an array of one axis or more. m_by_n: (m, n), with m from 1 to below n. axis: by default the second last,
    which are the inputs in kernels (…, inputs, outputs) of dense layers and convolutions. The n − m of each n that are
    largest in absolute value stay; of equal ones, the first. Where n doesn't divide the axis, the last group is filled
    up with zeros that go first: of r < n weights min(r, n − m) stay.
    Mishra and others (2021), "Accelerating sparse deep neural networks"; the same masks as generate_m_by_n_mask of
    tensorflow-model-optimization.
    Raises ValueError for other m and n, for an axis that isn't there, or for NaN among the weights.
    """
    m, n = m_by_n
    if not 1 <= m < n:
        raise ValueError(f"{m} of {n} weights can't go; give (m, n) with m from 1 to below n")
    moved = np.moveaxis(_magnitudes(weights), axis, -1)
    *others, size = moved.shape
    groups = -(-size // n)  # rounded up
    filled = np.full((*others, groups * n), -1.0)  # below every magnitude
    filled[..., :size] = moved
    order = np.argsort(-filled.reshape(*others, groups, n), axis=-1, kind="stable")
    mask = np.zeros((*others, groups, n), dtype=np.float32)
    np.put_along_axis(mask, order[..., : n - m], 1, axis=-1)
    return np.moveaxis(mask.reshape(filled.shape)[..., :size], -1, axis)


def block_magnitudes(weights, block_size, pooling="AVG"):
    """The size of each block of a matrix, by the absolute values in it: (⌈rows / height⌉, ⌈columns / width⌉), float64.

    weights: (rows, columns). block_size: (height, width), 1 or more each; the blocks begin at the first row and column,
    and the last ones are smaller where height or width doesn't divide the matrix. pooling: "AVG" for the mean of what
    is in the block, "MAX" for the largest.
    Raises ValueError for what is no matrix, for other blocks or poolings, or for NaN among the weights.
    """
    magnitudes, (height, width) = _magnitudes(weights), block_size
    if magnitudes.ndim != 2:
        raise ValueError(f"blocks are of matrices, and this array has the shape {magnitudes.shape}")
    if height < 1 or width < 1 or pooling not in ("AVG", "MAX"):
        raise ValueError(f"blocks of {height}×{width} by {pooling!r}: give 1 or more, and 'AVG' or 'MAX'")
    rows, columns = (np.arange(0, size, step) for size, step in zip(magnitudes.shape, block_size, strict=True))
    combine = np.add if pooling == "AVG" else np.maximum
    pooled = combine.reduceat(combine.reduceat(magnitudes, rows, axis=0), columns, axis=1)
    if pooling == "MAX":
        return pooled
    heights, widths = np.diff(rows, append=len(magnitudes)), np.diff(columns, append=magnitudes.shape[1])
    return pooled / np.outer(heights, widths)


def spread_blocks(blocks, block_size, shape):
    """A matrix in which each weight has what its block has: the number for each block of `block_magnitudes`, repeated.

    blocks: (⌈rows / height⌉, ⌈columns / width⌉). shape: (rows, columns), that of the result.
    Raises IndexError where there are fewer blocks.
    """
    (height, width), (rows, columns) = block_size, shape
    return blocks[np.ix_(np.arange(rows) // height, np.arange(columns) // width)]


def _magnitudes(weights):
    """The absolute values in float64; raises ValueError for NaN."""
    magnitudes = np.abs(np.asarray(weights).astype(np.float64))
    if np.isnan(magnitudes).any():
        raise ValueError("there is NaN among the weights; were they trained at too high a learning rate?")
    return magnitudes


def polynomial_sparsity(step, *, begin, end, final, initial=0.0, power=3):
    """The sparsity that is due at a step: `initial` up to `begin`, then rising, fast at first, to `final` at `end`.

    final + (initial − final) · (1 − (step − begin) / (end − begin))^power; Zhu and Gupta (2017), "To prune, or not to
    prune". step may be an array. Raises ValueError if `end` is not after `begin`.
    """
    if not begin < end:
        raise ValueError(f"pruning should end after it begins; begin is {begin} and end {end}")
    passed = np.clip((np.asarray(step, dtype=float) - begin) / (end - begin), 0, 1)
    return final + (initial - final) * (1 - passed) ** power


def unit_scores(network):
    """For each hidden layer the scores of its units, (units,): the norm of what comes in times that of what goes out.

    network: two layers or more. A ReLU lets a positive factor pass from the one to the other, so neither norm alone
    means anything; their product is the same however the factor is shared out.
    """
    return [
        np.sqrt((weights**2).sum(axis=0) + bias**2) * np.sqrt((after**2).sum(axis=1))
        for (weights, bias), (after, _) in itertools.pairwise(network)
    ]


def prune_units(network, share):
    """Structured pruning: of each hidden layer the share of units with the largest `unit_scores` stays, at least one.

    The network that is left is smaller, and needs no masks.

    Raises ValueError for a share that is not above 0 and at most 1.
    """
    if not 0 < share <= 1:
        raise ValueError(f"the share is {share}; give the share of units to keep, above 0 and at most 1")
    kept = [np.sort(np.argsort(-s, kind="stable")[: max(round(share * s.size), 1)]) for s in unit_scores(network)]
    inputs = [np.arange(len(network[0][0])), *kept]
    outputs = [*kept, np.arange(len(network[-1][1]))]
    return [
        [weights[np.ix_(rows, columns)], bias[columns]]
        for (weights, bias), rows, columns in zip(network, inputs, outputs, strict=True)
    ]
