"""`python -m coursekit.experiments.backbone`: train the backbone of notebook 08 on both sources, and keep the weights.

Takes some minutes on two cores. The weights are not the same to the last digit on another machine; what
notebook 08 claims of them must not depend on that. Born in notebook 08.
"""

import sys

import numpy as np

from coursekit.datasets import load
from coursekit.models.transfer import SOURCES, backbone, weights_file
from coursekit.models.weights import save_weights

EPOCHS = {"glyphs": 20, "photographs": 8}
BATCH = 64
PATCHES = (20000, 4000)  # of the photographs, for training and for testing
CONTRAST = 0.1  # the least standard deviation of a patch, whose gray values go from 0 to 1


def glyph_images():
    """x_train, y_train, x_test, y_test: glyphs (n, 28, 28, 1), 0 to 1, and their classes."""
    data = load("glyphs")
    x_train, x_test = (x[..., None] / np.float32(255) for x in (data.x_train, data.x_test))
    return x_train, data.y_train.astype("int32"), x_test, data.y_test.astype("int32")


def turned_patches(counts=PATCHES):
    """The same of gray patches of two photographs, each turned by 0 to 3 quarters; the label says by how many.

    counts: how many patches for training and for testing, one each or more.
    Patches for the test lie in the right fifth of the photographs, all others left of it. A patch of plain sky has no
    way up, so all have a standard deviation of CONTRAST or more.
    Gidaris, Singh and Komodakis (2018), "Unsupervised representation learning by predicting image rotations".
    """
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


def train(source):
    """Train the backbone with a layer of logits on a source: (model, accuracy on its test part)."""
    import keras

    keras.utils.set_random_seed(0)
    x_train, y_train, x_test, y_test = {"glyphs": glyph_images, "photographs": turned_patches}[source]()
    model = keras.Sequential([backbone(), keras.layers.Dropout(0.3), keras.layers.Dense(int(y_train.max()) + 1)])
    steps = EPOCHS[source] * -(-len(x_train) // BATCH)
    model.compile(
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, steps)),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=keras.backend.backend() == "jax",
    )
    model.fit(x_train, y_train, batch_size=BATCH, epochs=EPOCHS[source], verbose=2)
    return model, model.evaluate(x_test, y_test, batch_size=500, verbose=0)[1]


def main(sources):
    """Train on each source in turn, keep the weights in data/, and say how good and how large they are."""
    for source in sources:
        model, accuracy = train(source)
        file = weights_file(source)
        save_weights(file, [*model.layers[0].get_weights(), *model.layers[-1].get_weights()])
        print(f"{file.name}: {accuracy:.3f} right on the test part, {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:] or SOURCES)
