"""The parts of chapter 15 against scikit-learn, and what they say of input that can't be used."""

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from coursekit.datasets import groups
from coursekit.unsupervised import factorization, kmeans, mixture, palette, pca, points, tsne


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture
def four(rng):
    return groups.round_groups(rng, [[0, 0], [6, 0], [0, 6], [6, 6]], n=40)


# --- k-means ----------------------------------------------------------------------------------------------------------
def test_kmeans_is_scikit_learns_and_its_inertia_never_rises(four, rng):
    for _ in range(10):
        start = four[0][rng.choice(160, size=4, replace=False)]
        labels, centroids, inertias = kmeans.kmeans(four[0], start)
        theirs = KMeans(4, init=start, n_init=1, tol=0).fit(four[0])
        assert np.array_equal(labels, theirs.labels_) and np.allclose(centroids, theirs.cluster_centers_)
        assert np.isclose(inertias[-1], theirs.inertia_) and np.all(np.diff(inertias) <= 1e-9)


def test_a_centroid_without_points_stays_and_the_start_is_not_changed(four):
    start = np.array([[0.0, 0], [6, 6], [500, 500]])
    _, centroids, _ = kmeans.kmeans(four[0], start)
    assert centroids[2].tolist() == [500, 500] and start[0].tolist() == [0, 0]


def test_the_best_of_several_starts_finds_clear_groups_and_halves_agree_on_them(four, rng):
    labels, centroids, inertia = kmeans.best_of(four[0], 4, rng)
    assert adjusted_rand_score(four[1], labels) > 0.95 and centroids.shape == (4, 2) and inertia > 0
    assert kmeans.stability(four[0], 4, rng, repeats=3) > 0.95 > kmeans.stability(four[0], 3, rng, repeats=3)


def test_a_careful_start_takes_points_even_if_all_are_the_same(rng):
    assert kmeans.careful_start(np.ones((5, 2)), 3, rng).tolist() == [[1, 1]] * 3


@pytest.mark.parametrize(
    "x, k, said",
    [
        (np.zeros((3, 2)), 4, "k is 4, and there are 3 points"),
        (np.array([[1, np.nan], [2, 3]]), 1, r"a row holds NaN or infinity \(row 0 is the first\)"),
        (np.array([[1, 2], [np.inf, 3], [np.nan, 0]]), 1, r"2 rows hold NaN or infinity \(row 1 is the first\)"),
        (np.zeros(3), 1, r"x has shape \(3,\)"),
        (np.zeros((0, 2)), 1, r"x has shape \(0, 2\)"),
        (np.zeros((3, 2)), 0, "k is 0; give a whole number from 1 on"),
        (np.zeros((3, 2)), 2.0, "k is 2.0; give a whole number"),
    ],
)
def test_what_cannot_be_clustered_is_refused_in_a_sentence(x, k, said, rng):
    with pytest.raises(ValueError, match=said):
        kmeans.best_of(x, k, rng)


def test_more_centroids_than_points_or_of_another_width_are_refused():
    with pytest.raises(ValueError, match="the number of centroids is 3, and there are 2 points"):
        kmeans.kmeans(np.zeros((2, 2)), np.eye(3, 2))
    with pytest.raises(ValueError, match="points have 2 features and centroids 3"):
        kmeans.kmeans(np.zeros((4, 2)), np.eye(3))


def test_a_constant_feature_has_no_spread(rng):
    with pytest.raises(ValueError, match="feature 1 is constant"):
        points.standardized(np.array([[1.0, 0.1], [2, 0.1], [4, 0.1]]))
    z = points.standardized(rng.normal(5, 3, size=(40, 3)))
    assert np.allclose(z.mean(axis=0), 0) and np.allclose(z.std(axis=0), 1)


# --- principal components ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("n, d, m", [(30, 6, 3), (5, 9, 4), (12, 4, None)])
def test_principal_components_are_scikit_learns_up_to_signs(n, d, m, rng):
    x = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 10
    ours, theirs = pca.principal_components(x, m), PCA(m, svd_solver="full").fit(x)
    assert np.allclose(np.abs((ours.directions * theirs.components_).sum(axis=1)), 1)
    assert np.allclose(ours.shares, theirs.explained_variance_ratio_)
    rebuilt = theirs.inverse_transform(theirs.transform(x))
    assert np.allclose(ours.reconstruct(x), rebuilt)
    assert np.allclose(ours.errors(x), ((x - rebuilt) ** 2).sum(axis=1), atol=1e-8)


def test_whitened_points_have_no_correlation(rng):
    x = rng.normal(size=(50, 3)) @ rng.normal(size=(3, 3))
    assert np.allclose(np.cov(pca.principal_components(x).whiten(x).T), np.eye(3))


def test_what_has_no_components_is_refused(rng):
    with pytest.raises(ValueError, match="m is 5; 4 points of 6 features have 1 to 4 components"):
        pca.principal_components(rng.normal(size=(4, 6)), 5)
    with pytest.raises(ValueError, match="all points are the same"):
        pca.principal_components(np.ones((4, 2)))
    flat = np.column_stack([np.arange(5.0), np.ones(5)])  # a constant feature
    with pytest.raises(ValueError, match="a direction has no variance"):
        pca.principal_components(flat).whiten(flat)


# --- mixtures ---------------------------------------------------------------------------------------------------------
def test_the_mixture_is_scikit_learns(rng):
    x, y = groups.stretched(rng)
    first = np.eye(3)[y]
    shares, means, covariances = mixture.maximization(x, first)
    start = {"weights_init": shares, "means_init": means, "precisions_init": np.linalg.inv(covariances)}
    theirs = GaussianMixture(3, tol=1e-10, max_iter=2000, **start).fit(x)
    labels, found, likelihoods = mixture.gaussian_mixture(x, first, steps=2000, tolerance=1e-10)
    assert np.array_equal(labels, theirs.predict(x)) and np.allclose(found[1], theirs.means_, atol=1e-3)
    assert np.isclose(likelihoods[-1], theirs.score(x), atol=1e-6) and np.all(np.diff(likelihoods) > -1e-9)


def test_two_gaussians_on_a_line():
    responsibilities, _ = mixture.expectation(np.array([[1.0]]), [0.5, 0.5], np.array([[0.0], [4]]), np.ones((2, 1, 1)))
    assert responsibilities.round(2).tolist() == [[0.98, 0.02]]


def test_a_mixture_refuses_what_it_cannot_fit(rng):
    x = np.column_stack([rng.normal(size=10), np.ones(10)])
    with pytest.raises(ValueError, match="feature 1 is constant"):
        mixture.gaussian_mixture(x, np.full((10, 2), 0.5))
    with pytest.raises(ValueError, match="the number of Gaussians is 3, and there are 2 points"):
        mixture.gaussian_mixture(x[:2], np.ones((2, 3)) / 3)
    with pytest.raises(ValueError, match="10 points and 9 rows"):
        mixture.gaussian_mixture(x, np.ones((9, 2)) / 2)


# --- t-SNE ------------------------------------------------------------------------------------------------------------
def test_each_point_has_as_many_neighbors_in_effect_as_the_perplexity_says(rng):
    p = tsne.neighbor_shares(rng.normal(size=(40, 3)), 8)
    assert np.isclose(p.sum(), 1, atol=1e-6) and np.array_equal(p, p.T)
    circle = np.stack([np.cos(np.arange(40) * np.pi / 20), np.sin(np.arange(40) * np.pi / 20)], axis=1)
    rows = 40 * tsne.neighbor_shares(circle, 8)  # all alike, so that symmetry changes nothing
    assert np.allclose(np.exp(-(rows * np.log(rows)).sum(axis=1)), 8, rtol=1e-3)


def test_a_map_keeps_neighbors_as_well_as_scikit_learns(rng):
    x, _ = groups.round_groups(rng, rng.normal(0, 8, size=(4, 5)), n=25)
    places, divergence = tsne.tsne(x, 10, 500, rng)
    theirs = TSNE(perplexity=10, init="random", method="exact", max_iter=500, random_state=0)
    trust = [trustworthiness(x, y, n_neighbors=5) for y in (places, theirs.fit_transform(x))]
    assert trust[0] > trust[1] - 0.03 and 0 <= divergence < 1.5 * theirs.kl_divergence_ + 0.1


def test_a_perplexity_that_cannot_be_is_refused(rng):
    for perplexity in (1, 9, 30):
        with pytest.raises(ValueError, match=f"perplexity is {perplexity}, and there are 10 points"):
            tsne.tsne(rng.normal(size=(10, 2)), perplexity)


# --- factorization ----------------------------------------------------------------------------------------------------
def test_alternating_least_squares_finds_a_table_of_rank_two(rng):
    table = rng.normal(size=(30, 2)) @ rng.normal(size=(2, 20))
    person, film = np.nonzero(rng.random(table.shape) < 0.6)
    start = rng.normal(size=(20, 2))
    tastes, styles = factorization.alternating_least_squares(
        person, film, table[person, film], 30, start, strength=1e-6, rounds=60
    )
    assert np.abs(tastes @ styles.T - table).mean() < 0.05


def test_who_rated_nothing_has_no_taste_and_what_is_not_there_is_refused():
    tastes, _ = factorization.alternating_least_squares([0, 0], [0, 1], [1.0, -1], 2, np.ones((2, 1)))
    assert tastes[1] == 0
    for person, values, said in [
        ([0, 2], [1.0, 2], "isn't there"),
        ([0, 1], [1.0, np.nan], "NaN"),
        ([0], [1, 2], "one person"),
    ]:
        with pytest.raises(ValueError, match=said):
            factorization.alternating_least_squares(person, [0, 1], values, 2, np.ones((2, 1)))


# --- files ------------------------------------------------------------------------------------------------------------
def test_a_palette_takes_fewer_bytes_and_a_jpeg_is_no_larger_than_asked(rng):
    palette_of = np.array([[250, 0, 0], [0, 0, 250]])
    numbers = rng.integers(2, size=(40, 60))
    image = palette_of[numbers].astype("uint8")
    assert palette.png_bytes(numbers, palette_of) < palette.png_bytes(image)
    back = palette.jpeg_of_at_most(image, 3000)
    assert back.shape == image.shape and back.dtype == np.uint8
    with pytest.raises(ValueError, match="257 colors"):
        palette.png_bytes(numbers, np.zeros((257, 3)))
    with pytest.raises(ValueError, match="10 bytes or fewer"):
        palette.jpeg_of_at_most(image, 10)
