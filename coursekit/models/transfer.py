"""A small backbone with pre-trained weights, and ways to adapt features to another domain. Born in notebook 08.

The weights lie in the course's `data/` and were made by `python -m coursekit.experiments.backbone`.
"""

import numpy as np

from coursekit.arrays import as_array
from coursekit.errors import DataUnavailable
from coursekit.models.weights import load_weights
from coursekit.paths import data_dir

BLOCKS = ((16, 5, 2), (32, 3, 2), (48, 3, 2), (64, 3, 1))  # (kernels, kernel size, stride) of each convolution
SOURCES = ("glyphs", "photographs")  # what there are weights of
FEATURES = 256
IMAGENET = {"VGG16": "vgg16", "ResNet50": "resnet50", "InceptionV3": "inception_v3"}  # in keras.applications
PATCHES = (20000, 4000)  # of the photographs, for training and for testing
CONTRAST = 0.1  # the least standard deviation of a patch, whose gray values go from 0 to 1
PATIENCE = 30  # seconds that a silent download is waited for


def backbone():
    """An untrained Keras model from images (n, 28, 28, 1), 0 to 1, to features (n, 256).

    Four blocks of convolution, batch normalization and ReLU; their layers are called block1_conv, block1_norm,
    block1_relu and so on. Then the mean of each quarter of the 4 × 4 maps.
    """
    import keras
    from keras import layers

    x = image = keras.Input((28, 28, 1))
    for i, (kernels, size, stride) in enumerate(BLOCKS, start=1):
        x = layers.Conv2D(kernels, size, stride, "same", use_bias=False, name=f"block{i}_conv")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"block{i}_norm")(x)
        x = layers.ReLU(name=f"block{i}_relu")(x)
    return keras.Model(image, layers.Flatten()(layers.AveragePooling2D(2)(x)), name="backbone")


def pretrained(source="glyphs"):
    """The backbone with the weights that it learned from a source, and the layer of logits that it learned them with.

    source: "glyphs" (74 letters and signs) or "photographs" (by which quarter turn is a patch turned?).
    Returns (backbone, head), two Keras models; the head maps features (n, 256) to logits. Raises ValueError for another
    source.
    """
    import keras

    if source not in SOURCES:
        raise ValueError(f"there are weights of {' and '.join(SOURCES)}, not of {source!r}")
    stored = load_weights(weights_file(source))
    body = backbone()
    body.set_weights(stored[:-2])
    head = keras.Sequential([keras.Input((FEATURES,)), keras.layers.Dense(stored[-1].shape[0])])
    head.set_weights(stored[-2:])
    return body, head


def turned_patches(counts=PATCHES):
    """x_train, y_train, x_test, y_test: gray patches (n, 28, 28, 1) of two photographs, each turned by 0 to 3 quarters.

    The labels say by how many; to tell them is what the backbone of "photographs" was trained for.

    counts: how many patches for training and for testing, one each or more.
    Patches for the test lie in the right fifth of the photographs, all others left of it. A patch of plain sky has no
    way up, so all have a standard deviation of CONTRAST or more.
    Gidaris, Singh and Komodakis (2018), "Unsupervised representation learning by predicting image rotations".
    """
    from coursekit.datasets import load

    data, rng = load("photographs"), np.random.default_rng(0)
    gray = np.concatenate([data.x_train, data.x_test]).mean(axis=-1) / 255  # (2, 427, 640)
    parts = []
    for n, ends in zip(counts, ((0, 0.8), (0.8, 1)), strict=True):
        low, high = (int(end * gray.shape[2]) for end in ends)
        patches, quarters = [], rng.integers(0, 4, size=n).astype("int32")
        while len(patches) < n:
            photograph, i, j = rng.integers((0, 0, low), (2, gray.shape[1] - 27, high - 27))
            patch = gray[photograph, i : i + 28, j : j + 28]
            if patch.std() >= CONTRAST:
                patches.append(np.rot90(patch, quarters[len(patches)]))
        parts += [np.stack(patches)[..., None].astype("float32"), quarters]
    return parts


def weights_file(source):
    """Where the weights of a source are kept."""
    return data_dir() / f"backbone_{source}.npz"


class Runs:
    """A backbone with a new head, trained many times: each time from weights that are given, by one compiled model.

    rng: a NumPy generator, which shuffles and draws random heads. blocks: how many of the four are trained, counted
    from the top, or a list of their numbers; norms: whether their batch normalizations are trained and update their
    statistics.
    """

    def __init__(self, rng, blocks=4, norms=False, classes=10):
        import keras

        numbers = range(5 - blocks, 5) if isinstance(blocks, int) else blocks
        self.rng, self.body = rng, backbone()
        for layer in self.body.layers:
            block, _, part = layer.name.partition("_")
            layer.trainable = block in [f"block{i}" for i in numbers] and (norms or part != "norm")
        self.model = keras.Sequential([self.body, keras.layers.Dense(classes)])
        self.model.compile(
            optimizer=keras.optimizers.Adam(),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=keras.backend.backend() == "jax",
        )
        self.model.optimizer.build(self.model.trainable_variables)  # so that it can be restarted at once

    def train(self, x, y, learning_rate, *, weights, head=None, steps=40, batch_size=32):
        """Restart from the backbone's `weights` and a head [W (256, classes), b], or a random one; train on x, y.

        Adam, `steps` batches, drawn anew when all were seen; the learning rate falls to 0 in half a cosine.
        """
        self.body.set_weights(weights)
        shape = self.model.layers[1].kernel.shape
        self.model.layers[1].set_weights(head or [self.rng.normal(0, 0.06, size=shape), np.zeros(shape[1])])
        for variable in self.model.optimizer.variables:
            if "learning_rate" not in variable.path:
                variable.assign(np.zeros(variable.shape))
        rounds = -(-batch_size * steps // len(x))
        order = np.concatenate([self.rng.permutation(len(x)) for _ in range(rounds)])
        for step in range(steps):
            batch = order[batch_size * step : batch_size * (step + 1)]
            self.model.optimizer.learning_rate = learning_rate * (1 + np.cos(np.pi * step / steps)) / 2
            self.model.train_on_batch(x[batch], y[batch])

    def accuracy(self, x, y):
        """The share of images x (n, 28, 28, 1) that are named as in y (n,)."""
        logits = [as_array(self.model(x[i : i + 500], training=False)) for i in range(0, len(x), 500)]
        return float(np.mean(np.concatenate(logits).argmax(axis=1) == y))


def with_statistics_of(body, x):
    """A copy of a backbone whose batch normalizations have the statistics of images x (n, 28, 28, 1).

    Block after block, the mean and variance of each channel take the place of the moving ones.
    Li and others (2016), "Revisiting batch normalization for practical domain adaptation".
    """
    import keras

    new = backbone()
    new.set_weights(body.get_weights())
    for i in range(1, len(BLOCKS) + 1):
        maps = keras.Model(new.input, new.get_layer(f"block{i}_conv").output)
        z = np.concatenate([as_array(maps(x[j : j + 500], training=False)) for j in range(0, len(x), 500)])
        layer = new.get_layer(f"block{i}_norm")  # z: (n, side, side, kernels)
        layer.set_weights([*layer.get_weights()[:2], z.mean(axis=(0, 1, 2)), z.var(axis=(0, 1, 2))])
    return new


def imagenet(name, weights="imagenet", size=75):
    """A function from gray images (n, 28, 28, 1), 0 to 1, to the features (n, d) of a network of keras.applications.

    name: "VGG16", "ResNet50" or "InceptionV3"; weights: "imagenet", downloaded once, or None for random ones.
    size: images are enlarged to size × size, and their gray is used for all three colors; 75 is InceptionV3's least.
    Raises ValueError for another name, and DataUnavailable if the weights can't be had.
    """
    import socket

    import keras

    if name not in IMAGENET:
        raise ValueError(f"{name!r} is none of {', '.join(IMAGENET)}")
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        maker = getattr(keras.applications, name)
        body = maker(include_top=False, weights=weights, input_shape=(size, size, 3), pooling="avg")
    except Exception as error:  # Keras raises a bare Exception where a download fails
        if weights is None:
            raise  # nothing was to be downloaded
        raise DataUnavailable(
            f"the ImageNet weights of {name} can't be downloaded here ({str(error)[:120]}); use the bundled backbone, "
            'pretrained("glyphs"), instead'
        ) from error
    finally:
        socket.setdefaulttimeout(patience)
    prepare = getattr(keras.applications, IMAGENET[name]).preprocess_input

    def see(x, at_once=100):
        parts = []
        for i in range(0, len(x), at_once):
            large = keras.ops.image.resize(x[i : i + at_once], (size, size), data_format="channels_last")
            color = np.repeat(keras.ops.convert_to_numpy(large), 3, axis=-1) * 255
            parts.append(keras.ops.convert_to_numpy(body(prepare(color), training=False)))
        return np.concatenate(parts)

    return see


def match_statistics(features, reference):
    """Features (n, d) moved and stretched so that each has the mean and standard deviation of `reference` (m, d)."""
    features, reference = np.asarray(features), np.asarray(reference)
    standard = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-6)
    return standard * reference.std(axis=0) + reference.mean(axis=0)


def coral(features, reference, ridge=1.0):
    """Features (n, d) recolored so that their covariance is that of `reference` (m, d); their means are matched, too.

    ridge: added to the diagonal of both covariances; the paper takes 1.
    Sun, Feng and Saenko (2016), "Return of frustratingly easy domain adaptation"; they standardize both before.
    """
    features, reference = np.asarray(features, dtype=float), np.asarray(reference, dtype=float)
    centered = features - features.mean(axis=0)
    own, wanted = (np.cov(values, rowvar=False) + ridge * np.eye(values.shape[1]) for values in (features, reference))
    return centered @ _power(own, -0.5) @ _power(wanted, 0.5) + reference.mean(axis=0)


def _power(matrix, exponent):
    """A power of a symmetric positive definite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * values**exponent) @ vectors.T
