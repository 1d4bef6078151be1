"""The ruler of made images: its measures against cases whose answer is known, and against real digits and noise."""

import hashlib

import numpy as np
import pytest

from coursekit import load
from coursekit.models import ruler
from coursekit.paths import data_dir


@pytest.fixture(scope="module")
def digits():
    data = load("mnist5k")
    return data.x_train.astype("float32") / 255, data.y_train


def normal(n, mean, deviations, seed):
    return np.random.default_rng(seed).normal(mean, deviations, size=(n, len(deviations)))


def test_the_distance_of_two_normal_sets_is_the_formulas():
    a, b = normal(40_000, 0.0, (1.0, 2.0), 0), normal(40_000, 3.0, (2.0, 2.0), 1)
    assert ruler.frechet_distance(a, b) == pytest.approx(2 * 9 + (2 - 1) ** 2, rel=0.03)
    assert ruler.frechet_distance(a, a) == pytest.approx(0, abs=1e-6)


def test_the_distance_heeds_correlations():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(20_000, 1))
    together, apart = np.hstack([shared, shared]), rng.normal(size=(20_000, 2))
    # eigenvalues 2 and 0 against 1 and 1: (sqrt 2 - 1)**2 + 1
    assert ruler.frechet_distance(together, apart) == pytest.approx((2**0.5 - 1) ** 2 + 1, rel=0.03)


def test_the_distance_needs_more_images_than_features():
    with pytest.raises(ValueError, match="5 and 30 images are too few for 5 features"):
        ruler.frechet_distance(np.zeros((5, 5)), np.zeros((30, 5)))


def test_precision_and_recall_of_half_a_set_and_of_strangers():
    real = np.concatenate([normal(300, 0.0, (1.0, 1.0), 0), normal(300, 50.0, (1.0, 1.0), 1)])
    one_half = normal(300, 0.0, (1.0, 1.0), 2)
    precision, recall = ruler.precision_and_recall(one_half, real)
    assert precision > 0.9 and 0.4 < recall < 0.55
    assert ruler.precision_and_recall(normal(100, -90.0, (1.0, 1.0), 3), real) == (0.0, 0.0)
    with pytest.raises(ValueError, match="too few to have 3 neighbors"):
        ruler.precision_and_recall(real[:3], real)


def test_a_share_among_others_is_counted_by_the_radius_of_the_other(digits):
    real = np.array([[0.0], [1.0], [2.0], [10.0]])  # radii by their nearest neighbor: 1, 1, 1, 8
    precision, recall = ruler.precision_and_recall(np.array([[2.9], [3.1], [-1.5], [17.0]]), real, neighbors=1)
    assert precision == 0.75  # 3.1 lies within 8 of the outlier; -1.5 within nothing
    assert recall == 1.0  # radii of the made ones 0.2, 0.2, 4.4 and 13.9: 0, 1 and 2 lie near -1.5, and 10 near 17


def test_real_digits_are_near_and_noise_is_far(digits):
    x, _ = digits
    half, other = x[:1000], x[1000:2000]
    real = ruler.judge(half, other)
    noise = ruler.judge(np.random.default_rng(0).random((1000, 28, 28)), other)
    ones = ruler.judge(np.repeat(half[digits[1][:1000] == 1][:1], 1000, axis=0) * 0.999, other)
    assert real.distance < noise.distance / 20 and real.precision > 0.7 and real.recall > 0.7 and real.classes > 9
    assert noise.precision < 0.05 and noise.recall < 0.05
    assert ones.classes == pytest.approx(1) and ones.recall < 0.05 and ones.distance > 5 * real.distance


def test_the_classifier_reads_digits_that_it_has_not_seen(digits):
    features, probabilities = ruler.features_and_probabilities(digits[0][:1000])
    assert features.shape == (1000, ruler.FEATURES)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (probabilities.argmax(axis=1) == digits[1][:1000]).mean() > 0.95


def test_a_copy_is_found_and_is_at_no_distance(digits):
    x = digits[0]
    places, far = ruler.nearest(np.stack([x[7], 0.5 * x[9] + 0.5 * x[11]]), x[:100])
    assert places[0] == 7 and far[0] < 1e-3 and far[1] > 0.02
    assert places[1] in (9, 11)


@pytest.mark.parametrize(
    "images, said",
    [
        (np.zeros((3, 14, 14)), "give \\(n, 28, 28\\)"),
        (np.zeros((0, 28, 28)), "give \\(n, 28, 28\\)"),
        (np.full((3, 28, 28), np.nan), "has diverged"),
        (np.full((3, 28, 28), 255.0), "bring them to 0 to 1 first"),
        (np.full((3, 28, 28), -1.0), "bring them to 0 to 1 first"),
    ],
)
def test_what_are_no_images_is_refused(images, said):
    with pytest.raises(ValueError, match=said):
        ruler.features_and_probabilities(images)


def test_the_weights_are_small_and_those_of_the_card():
    file = ruler.weights_file()
    assert file.stat().st_size < 300_000  # data/ goes into the wheel
    assert hashlib.sha256(file.read_bytes()).hexdigest() in (data_dir() / "README.md").read_text(encoding="utf-8")
