"""The parts born in notebook 18 that choose weights: scores, masks, the schedule, whole units."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from coursekit import compression, layers
from coursekit.compression import sparsity


@pytest.fixture
def network():
    rng = np.random.default_rng(0)
    shapes = ((6, 8), (8, 5), (5, 3))
    return [[rng.normal(size=shape).astype("float32"), rng.normal(size=shape[1]).astype("float32")] for shape in shapes]


def test_lamp_scores_are_those_of_the_definition():
    weights = np.random.default_rng(1).normal(size=(4, 5))
    wanted = [[w**2 / (weights[np.abs(weights) >= abs(w)] ** 2).sum() for w in row] for row in weights]
    scores = sparsity.lamp_scores(weights)
    assert np.allclose(scores, wanted) and scores.max() == 1
    assert np.array_equal(np.argsort(scores, axis=None), np.argsort(np.abs(weights), axis=None))


def test_lamp_scores_do_not_depend_on_the_scale_of_a_layer():
    weights = np.random.default_rng(2).normal(size=(7, 3))
    assert np.allclose(sparsity.lamp_scores(weights), sparsity.lamp_scores(1000 * weights))
    assert np.array_equal(sparsity.lamp_scores(np.zeros((2, 2))), np.zeros((2, 2)))


def test_no_layer_is_emptied_by_lamp(network):
    masks = sparsity.keep_largest([sparsity.lamp_scores(w) for w, _ in network], 0.95)
    assert all(mask.sum() >= 1 for mask in masks)


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.93, 1])
def test_exactly_the_share_goes_and_it_is_the_smallest(network, share):
    scores = [np.abs(w) for w, _ in network]
    masks = sparsity.keep_largest(scores, share)
    flat, kept = (np.concatenate([one.ravel() for one in many]) for many in (scores, masks))
    assert (kept == 0).sum() == round(share * flat.size)
    assert [mask.shape for mask in masks] == [w.shape for w, _ in network]
    if 0 < share < 1:
        assert flat[kept == 0].max() <= flat[kept == 1].min()


def test_equal_scores_are_cut_at_the_exact_number():
    (mask,) = sparsity.keep_largest([np.ones((3, 4))], 0.5)
    assert mask.sum() == 6


def test_bad_shares_and_scores_are_refused():
    with pytest.raises(ValueError, match="from 0 to 1"):
        sparsity.keep_largest([np.ones(3)], 1.2)
    with pytest.raises(ValueError, match="NaN among the scores"):
        sparsity.keep_largest([np.array([1, np.nan])], 0.5)


def largest_first(sizes):
    """Their places, the largest first; of equal ones, the first."""
    return sorted(range(len(sizes)), key=lambda place: (-sizes[place], place))


few_sizes = st.integers(-3, 3)  # so that there are ties and zeros


@settings(deadline=None, max_examples=200)
@given(st.data(), arrays("float32", array_shapes(min_dims=1, max_dims=4, max_side=9), elements=few_sizes))
def test_m_of_each_n_go_and_they_are_the_smallest(data, weights):
    axis = data.draw(st.integers(-weights.ndim, weights.ndim - 1))
    n = data.draw(st.integers(2, 6))
    m = data.draw(st.integers(1, n - 1))
    wanted = np.zeros_like(weights)
    lines, kept = np.moveaxis(weights, axis, 0), np.moveaxis(wanted, axis, 0)  # kept is a view of what is wanted
    for place in itertools.product(*map(range, lines.shape[1:])):
        for start in range(0, len(lines), n):
            group = [float(abs(lines[k][place])) for k in range(start, min(start + n, len(lines)))]
            for k in largest_first(group)[: n - m]:
                kept[(start + k, *place)] = 1
    mask = sparsity.keep_m_by_n(weights, (m, n), axis)
    assert mask.dtype == np.float32 and np.array_equal(mask, wanted)


def test_two_of_four_by_hand():
    kernel = np.array([[1, 5], [-4, 5], [3, 5], [2, 5], [-1, 0], [0, 0]])  # (inputs, outputs): four and a rest of two
    assert sparsity.keep_m_by_n(kernel, (2, 4)).tolist() == [[0, 1], [1, 1], [1, 0], [0, 0], [1, 1], [1, 1]]
    assert sparsity.keep_m_by_n(kernel, (1, 2), axis=1).tolist() == [[0, 1]] * 4 + [[1, 0]] * 2


@settings(deadline=None, max_examples=200)
@given(
    arrays("float32", array_shapes(min_dims=2, max_dims=2, max_side=9), elements=few_sizes),
    st.tuples(st.integers(1, 11), st.integers(1, 11)),
    st.sampled_from(["AVG", "MAX"]),
)
def test_a_block_has_the_mean_or_the_largest_of_what_is_in_it(weights, block_size, pooling):
    (rows, columns), (height, width) = weights.shape, block_size
    corners = [[(row, column) for column in range(0, columns, width)] for row in range(0, rows, height)]
    pool = {"AVG": np.mean, "MAX": np.max}[pooling]
    wanted = [[pool(np.abs(weights[r : r + height, c : c + width], dtype=float)) for r, c in row] for row in corners]
    blocks = sparsity.block_magnitudes(weights, block_size, pooling)
    assert np.array_equal(blocks, wanted)
    spread = sparsity.spread_blocks(blocks, block_size, weights.shape)
    assert all(spread[r, c] == blocks[r // height, c // width] for r in range(rows) for c in range(columns))


def test_bad_patterns_and_blocks_are_refused():
    weights, not_one = np.ones((4, 4)), np.array([[1, np.nan]])
    for m_by_n in ((0, 4), (4, 4), (5, 4)):
        with pytest.raises(ValueError, match="from 1 to below n"):
            sparsity.keep_m_by_n(weights, m_by_n)
    with pytest.raises(ValueError, match="axis -2 is out of bounds"):
        sparsity.keep_m_by_n(np.ones(4), (2, 4))
    with pytest.raises(ValueError, match="blocks are of matrices"):
        sparsity.block_magnitudes(np.ones((2, 2, 2)), (2, 2))
    for bad in (((0, 2), "AVG"), ((2, 0), "AVG"), ((2, 2), "avg")):
        with pytest.raises(ValueError, match="give 1 or more, and 'AVG' or 'MAX'"):
            sparsity.block_magnitudes(weights, *bad)
    for choose in (lambda: sparsity.keep_m_by_n(not_one, (1, 2)), lambda: sparsity.block_magnitudes(not_one, (1, 2))):
        with pytest.raises(ValueError, match="NaN among the weights"):
            choose()
    with pytest.raises(IndexError):
        sparsity.spread_blocks(np.ones((1, 1)), (2, 2), (3, 3))


def test_the_schedule_is_that_of_compression():
    theirs = compression.PolynomialDecay(0.1, 0.9, begin_step=10, end_step=50, power=3)
    steps = np.arange(80)
    ours = sparsity.polynomial_sparsity(steps, begin=10, end=50, initial=0.1, final=0.9)
    assert np.allclose(ours, [theirs(int(step))[1] for step in steps])
    assert ours[0] == ours[10] == pytest.approx(0.1) and ours[-1] == pytest.approx(0.9)
    with pytest.raises(ValueError, match="end after it begins"):
        sparsity.polynomial_sparsity(3, begin=5, end=5, final=0.5)


def test_a_narrow_network_is_a_part_of_the_large_one(network):
    small = sparsity.prune_units(network, 0.5)
    assert [w.shape for w, _ in small] == [(6, 4), (4, 2), (2, 3)]
    x = np.random.default_rng(3).normal(size=(20, 6)).astype("float32")
    silenced = [[w.copy(), b.copy()] for w, b in network]
    for k, scores in enumerate(sparsity.unit_scores(network)):
        silenced[k + 1][0][np.argsort(scores)[: len(scores) - len(small[k][1])]] = 0
    assert np.allclose(layers.forward(small, x)[1][-1], layers.forward(silenced, x)[1][-1], atol=1e-5)


def test_unit_scores_do_not_change_when_a_factor_moves_through_a_relu(network):
    before = sparsity.unit_scores(network)[0]
    network[0] = [network[0][0] * 10, network[0][1] * 10]
    network[1][0] /= 10
    assert np.allclose(sparsity.unit_scores(network)[0], before, rtol=1e-5)


def test_a_share_of_units_that_leaves_none_is_refused(network):
    assert [len(b) for _, b in sparsity.prune_units(network, 0.01)] == [1, 1, 3]
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        sparsity.prune_units(network, 0)
