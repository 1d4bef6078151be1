"""`python -m coursekit.experiments.ruler`: train the classifier of `coursekit.models.ruler`, and keep its weights.

It is trained on the 1,000 test images of mnist5k, moved and turned a little, and tested on the 4,000 training images,
which the networks of notebooks 12 to 14 learn from. Takes a minute or two on two cores. On another machine it gives
other weights, as good as these. Born in notebook 12.
"""

import numpy as np

from coursekit.datasets import load
from coursekit.models.ruler import classifier, weights_file
from coursekit.models.weights import save_weights

EPOCHS, BATCH = 120, 50


def train(epochs=EPOCHS):
    """The trained classifier, and the share of the 4,000 other images that it reads."""
    import keras

    keras.utils.set_random_seed(0)
    data = load("mnist5k")
    x, x_other = (images[..., None] / np.float32(255) for images in (data.x_test, data.x_train))
    y, y_other = data.y_test.astype("int32"), data.y_train.astype("int32")
    moved = keras.Sequential(
        [
            keras.layers.RandomTranslation(0.08, 0.08, fill_mode="constant"),
            keras.layers.RandomRotation(0.03, fill_mode="constant"),
            keras.layers.RandomZoom(0.1, fill_mode="constant"),
        ]
    )
    model = classifier()
    inputs = keras.Input((28, 28, 1))
    logits = model(moved(inputs))[1]
    whole = keras.Model(inputs, logits)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * len(x) // BATCH)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    whole.compile(keras.optimizers.AdamW(rate, weight_decay=1e-3), loss)
    whole.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0)
    return model, float((model.predict(x_other, verbose=0)[1].argmax(axis=1) == y_other).mean())


def main():
    """Train, keep the weights in data/, and say how good and how large they are."""
    model, accuracy = train()
    save_weights(weights_file(), model.get_weights())
    print(f"{weights_file().name}: {accuracy:.4f} of 4,000 other images read, {weights_file().stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
