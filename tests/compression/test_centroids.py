"""Where centroids start: tfmot's values, the optimum by brute force, zeros, bad weights."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.compression import centroids
from coursekit.compression.centroids import (
    CentroidInitialization,
    initial_centroids,
    optimal_centroids,
    weighted_centroids,
)
from coursekit.errors import CompressionError

floats = st.floats(-100, 100, width=32, allow_subnormal=False)  # a library may compute with 0 for those


def spread(values, chosen):
    """The sum of squared distances to the nearest centroid."""
    return (np.abs(np.asarray(values, float)[:, None] - np.asarray(chosen)).min(axis=1) ** 2).sum()


def by_brute_force(values, k):
    ordered = np.sort(np.asarray(values, float))
    ways = itertools.combinations(range(1, len(ordered)), k - 1)
    return min(sum(((part - part.mean()) ** 2).sum() for part in np.split(ordered, cuts)) for cuts in ways)


@settings(deadline=None, max_examples=150)
@given(st.lists(floats, min_size=1, max_size=9), st.integers(1, 9))
def test_optimal_k_means_is_as_good_as_the_best_of_all_clusterings(values, k):
    k = min(k, len(values))
    found = optimal_centroids(values, k)
    assert found.shape == (k,) and (np.diff(found) >= 0).all()
    assert spread(values, found) == pytest.approx(by_brute_force(values, k), abs=1e-6, rel=1e-6)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(floats, st.integers(1, 5)), min_size=1, max_size=9), st.integers(1, 9), st.floats(0.01, 100))
def test_a_number_that_counts_threefold_is_as_good_as_three(pairs, k, scale):
    values, counts = (np.array(one) for one in zip(*pairs, strict=True))
    k, repeated = min(k, len(values)), np.repeat(values, counts)
    found = weighted_centroids(values, counts * scale, k)
    assert found.shape == (k,) and (np.diff(found) >= 0).all()
    assert spread(repeated, found) == pytest.approx(
        spread(repeated, optimal_centroids(repeated, k)), abs=1e-6, rel=1e-6
    )


def test_weighted_k_means_in_bins_is_nearly_as_good(monkeypatch):
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=3000), rng.exponential(size=3000) + 1e-3

    def cost():
        found = weighted_centroids(values, weights, 8)
        return (weights * np.abs(values[:, None] - found).min(axis=1) ** 2).sum()

    exact = cost()
    monkeypatch.setattr(centroids, "EXACT_UP_TO", 600)
    assert exact <= cost() * (1 + 1e-12) < 1.01 * exact
    with pytest.raises(ValueError, match="a weight above 0"):
        weighted_centroids(values, 0 * weights, 8)


@pytest.mark.parametrize("k", [2, 7, 32])
def test_binned_and_exact_optimal_k_means_agree_where_both_can_be_had(k, monkeypatch):
    values = np.random.default_rng(k).standard_t(4, size=3000)
    exact = optimal_centroids(values, k)
    monkeypatch.setattr(centroids, "EXACT_UP_TO", 1000)
    assert spread(values, optimal_centroids(values, k)) <= spread(values, exact) * 1.001


@pytest.mark.parametrize("init", CentroidInitialization)
@settings(deadline=None, max_examples=40)
@given(values=st.lists(floats | st.just(0.0), min_size=2, max_size=40), k=st.integers(2, 12), sparse=st.booleans())
def test_every_initialization_gives_k_sorted_numbers_within_the_weights_and_zero_where_asked(init, values, k, sparse):
    k = min(k, len(values))
    found = initial_centroids(values, k, init, preserve_sparsity=sparse)
    assert found.shape == (k,) and found.dtype == np.float32 and (np.diff(found) >= 0).all()
    margin = 0.01001 if init is CentroidInitialization.DENSITY_BASED else 1e-4
    low, high = (min(0, *values), max(0, *values)) if sparse else (min(values), max(values))
    assert low - margin <= found[0] and found[-1] <= high + margin
    if sparse:
        assert (found == 0).any()


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("k", [4, 16])
@pytest.mark.parametrize("init", ["LINEAR", "DENSITY_BASED"])
def test_the_deterministic_initializations_are_tfmots(init, k, sparse):
    pytest.importorskip("tensorflow_model_optimization", reason="compares with tensorflow-model-optimization")
    import tensorflow as tf
    from tensorflow_model_optimization.python.core.clustering.keras import cluster_config, clustering_centroids

    weights = np.random.default_rng(k).normal(0, 0.1, size=(30, 20)).astype(np.float32)
    if sparse:
        weights[np.abs(weights) < 0.06] = 0
    asked = getattr(cluster_config.CentroidInitialization, init)
    place = clustering_centroids.CentroidsInitializerFactory.get_centroid_initializer(asked)
    theirs = place(tf.constant(weights), k, preserve_sparsity=sparse).get_cluster_centroids().numpy()
    # their interpolation divides and multiplies by the same slope in float32, which rounds
    tolerance = 1e-7 if init == "LINEAR" else 2e-4 * np.ptp(weights)
    np.testing.assert_allclose(initial_centroids(weights, k, asked, preserve_sparsity=sparse), theirs, atol=tolerance)


def test_k_means_plus_plus_draws_weights_and_the_same_ones_for_the_same_seed():
    weights = np.random.default_rng(0).normal(size=500).astype(np.float32)
    drawn = [initial_centroids(weights, 20, "kmeans_plus_plus", seed=seed) for seed in (1, 1, 2)]
    assert np.isin(drawn[0], weights).all() and np.unique(drawn[0]).size == 20
    assert np.array_equal(drawn[0], drawn[1]) and not np.array_equal(drawn[0], drawn[2])
    assert spread(weights, drawn[0]) < spread(weights, initial_centroids(weights, 20, "RANDOM"))


@pytest.mark.parametrize(
    ("weights", "k", "init", "said"),
    [
        ([1, np.nan, 2], 2, "LINEAR", "NaN"),
        ([1, np.inf, 2], 2, "OPTIMAL", "infinite"),
        ([1, 2], 3, "LINEAR", "2 weights can't be put in 3"),
        ([1, 2], 2, "LINAER", "choose one of LINEAR"),
    ],
)
def test_bad_weights_and_names_are_refused_in_words(weights, k, init, said):
    with pytest.raises(CompressionError, match=said):
        initial_centroids(weights, k, init)
