"""One ruler for images that a network makes of handwritten digits: how near are they to real ones, and how varied?

    quality = judge(made, real)                    # images (n, 28, 28), 0 to 1
    quality.distance, quality.precision, quality.recall

All measures compare features: 64 numbers that a small classifier finds in an image. The classifier was trained on the
1,000 test images of `mnist5k`. At `quick` no network of notebooks 12 to 14 is trained on these; at `full` they are
among the 60,000 training images. Its weights lie in the course's `data/` and were made by
`python -m coursekit.experiments.ruler`. A ruler of 64 numbers sees what tells digits apart, and little else: see
notebook 12 for what it misses. Born in notebook 12.
"""

from dataclasses import dataclass

import numpy as np

from coursekit.arrays import as_array
from coursekit.models.weights import load_weights
from coursekit.paths import data_dir

FEATURES = 64
SURE = 0.9  # the probability from which on the classifier counts as sure of a class


@dataclass(frozen=True)
class Quality:
    """What the ruler says of a set of images.

    distance:  Fréchet distance to the real images; 0 where both have the same mean and covariance of features
    precision: the share of the made images that lie among the real ones
    recall:    the share of the real images that lie among the made ones
    sure:      the share of the made images of which the classifier is sure, whatever class it names
    classes:   how many classes the made images are spread over, 1 to 10: the exponential of the entropy of their shares
    """

    distance: float
    precision: float
    recall: float
    sure: float
    classes: float


def classifier():
    """An untrained Keras model from images (n, 28, 28, 1), 0 to 1, to [features (n, 64), logits (n, 10)]."""
    import keras
    from keras import layers

    x = image = keras.Input((28, 28, 1))
    for filters in (16, 32):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(48, 3, padding="same", activation="relu")(x)
    x = layers.AveragePooling2D(2)(x)
    features = layers.Dense(FEATURES, activation="relu", name="features")(layers.Flatten()(x))
    return keras.Model(image, [features, layers.Dense(10, name="logits")(features)], name="ruler")


def weights_file():
    """Where the weights of the classifier are kept."""
    return data_dir() / "ruler.npz"


def features_and_probabilities(images, batch_size=500):
    """Features (n, 64) and probabilities (n, 10) that the classifier gives to images (n, 28, 28), 0 to 1.

    Raises ValueError for images of another shape, with values outside 0 to 1 by more than rounding, or with NaN.
    """
    images = _checked(images)
    model = _trained()
    parts = [model(images[i : i + batch_size, ..., None]) for i in range(0, len(images), batch_size)]
    features = np.concatenate([as_array(part[0]) for part in parts])
    logits = np.concatenate([as_array(part[1]) for part in parts]).astype(float)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return features, exponentials / exponentials.sum(axis=1, keepdims=True)


def judge(made, real, neighbors=3):
    """A `Quality` of made images (n, 28, 28) against real ones (m, 28, 28), 0 to 1; both at least 65 images.

    For numbers that can be compared, give the same n and m each time: every measure here depends on them.
    Raises ValueError for too few images, or for images that the classifier can't take.
    """
    made_features, probabilities = features_and_probabilities(made)
    real_features, _ = features_and_probabilities(real)
    shares = np.bincount(probabilities.argmax(axis=1), minlength=10) / len(probabilities)
    precision, recall = precision_and_recall(made_features, real_features, neighbors)
    return Quality(
        frechet_distance(made_features, real_features),
        precision,
        recall,
        float((probabilities.max(axis=1) >= SURE).mean()),
        float(np.exp(-sum(share * np.log(share) for share in shares if share))),
    )


def frechet_distance(a, b):
    """The Fréchet distance of two sets of features (n, d) and (m, d), each taken as a normal distribution.

    |mean difference|² + trace(A + B − 2 (A B)^½) with the covariances A and B: 0 where they and the means agree.
    Heusel and others (2017), "GANs trained by a two time-scale update rule converge to a local Nash equilibrium", who
    take features of a network for ImageNet. It shrinks as n grows even if nothing else changes.
    Raises ValueError if a set has not more rows than columns: its covariance is then no full one.
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if min(len(a), len(b)) <= a.shape[1]:
        raise ValueError(f"{len(a)} and {len(b)} images are too few for {a.shape[1]} features; give more of them")
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = _root(cov_a)
    mixed = np.linalg.eigvalsh(root @ cov_b @ root).clip(min=0)  # the eigenvalues of A B
    gap = a.mean(axis=0) - b.mean(axis=0)
    return float(max(gap @ gap + np.trace(cov_a) + np.trace(cov_b) - 2 * np.sqrt(mixed).sum(), 0.0))


def precision_and_recall(made, real, neighbors=3):
    """Which share of `made` lies among `real`, and the other way round: features (n, d) and (m, d).

    A point lies among others if it is no farther from one of them than that one's k-th nearest neighbor among them.
    Kynkäänniemi and others (2019), "Improved precision and recall metric for assessing generative models".
    Raises ValueError if a set has not more points than `neighbors`.
    """
    made, real = np.asarray(made, dtype=float), np.asarray(real, dtype=float)
    if min(len(made), len(real)) <= neighbors:
        raise ValueError(f"{len(made)} and {len(real)} images are too few to have {neighbors} neighbors each")
    return _share_among(made, real, neighbors), _share_among(real, made, neighbors)


def nearest(images, training):
    """For each image (n, 28, 28) the place (n,) of the nearest training image, and how far it is (n,), in pixel values.

    The distance is the root of the mean squared difference of all pixels. Images that a network has learned by heart
    are much nearer than unseen real ones are.
    """
    images, training = _checked(images), _checked(training)
    squared = _squared_distances(images.reshape(len(images), -1), training.reshape(len(training), -1))
    places = squared.argmin(axis=1)
    return places, np.sqrt(squared[np.arange(len(images)), places] / images[0].size)


def _trained():
    """The classifier with its weights. It is made anew each time: it is small, and a backend may have been reset."""
    model = classifier()
    model.set_weights(load_weights(weights_file()))
    return model


def _checked(images):
    """Images as float32 (n, 28, 28). Raises ValueError."""
    images = as_array(images)
    images = images[..., 0] if images.ndim == 4 and images.shape[-1] == 1 else images
    if images.ndim != 3 or images.shape[1:] != (28, 28) or not len(images):
        raise ValueError(f"images of shape {images.shape}: give (n, 28, 28), with values from 0 to 1")
    images = images.astype("float32")
    if not np.isfinite(images).all():
        raise ValueError("some pixels are NaN or infinite: the network that made the images has diverged")
    if images.min() < -1e-3 or images.max() > 1.001:
        raise ValueError(f"pixels go from {images.min():.3g} to {images.max():.3g}: bring them to 0 to 1 first")
    return images


def _root(covariance):
    """The symmetric square root of a covariance matrix."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(values.clip(min=0))) @ vectors.T


def _squared_distances(a, b):
    """(n, m) squared distances between the rows of a and of b (notebook 02)."""
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2 * a @ b.T
    return squares.clip(min=0)


def _share_among(points, others, neighbors):
    """Which share of the points lies among the others."""
    within = np.sort(_squared_distances(others, others), axis=1)[:, neighbors]  # the first is the point itself
    return float((_squared_distances(points, others) <= within).any(axis=1).mean())
