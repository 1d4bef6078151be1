"""`python -m coursekit.experiments.backbone`: train the backbone of notebook 08 on both sources, and keep the weights.

Takes some minutes on two cores. The weights are not the same to the last digit on another machine; what
notebook 08 claims of them must not depend on that. Born in notebook 08.
"""

import sys

import numpy as np

from coursekit.datasets import load
from coursekit.models.transfer import SOURCES, backbone, turned_patches, weights_file
from coursekit.models.weights import save_weights

EPOCHS = {"glyphs": 20, "photographs": 8}
BATCH = 64


def glyph_images():
    """x_train, y_train, x_test, y_test: glyphs (n, 28, 28, 1), 0 to 1, and their classes."""
    data = load("glyphs")
    x_train, x_test = (x[..., None] / np.float32(255) for x in (data.x_train, data.x_test))
    return x_train, data.y_train.astype("int32"), x_test, data.y_test.astype("int32")


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
