"""`python -m coursekit.experiments.vae`: train the decoder of `coursekit.models.autoencoder`, and keep its weights.

A conditional variational autoencoder of convolutions, on the 4,000 training images of mnist5k; a code has 8 numbers.
Takes some ten minutes on two cores. On another machine it gives other weights, as good as these. Born in notebook 12.
"""

import keras
import numpy as np
from keras import layers

from coursekit.datasets import load
from coursekit.models import ruler
from coursekit.models.autoencoder import CODE, Draw, digit_decoder, draw_digits, pixel_loss, weights_file
from coursekit.models.weights import save_weights

EPOCHS, BATCH = 200, 50


def train(epochs=EPOCHS):
    """The trained decoder."""
    keras.utils.set_random_seed(0)
    data = load("mnist5k")
    x = data.x_train.astype("float32").reshape(-1, 784) / 255
    labels = np.eye(10, dtype="float32")[data.y_train]
    whole, decoder = conditional()
    steps = len(x) // BATCH
    rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * steps)
    whole.compile(keras.optimizers.Adam(rate), pixel_loss, steps_per_execution=steps)
    whole.fit([x, labels], x, batch_size=BATCH, epochs=epochs, verbose=0)
    return decoder


def conditional():
    """(whole, decoder): the whole goes from [images (n, 784), labels (n, 10)] to logits (n, 784)."""
    image, label = keras.Input((784,)), keras.Input((10,))
    hidden = layers.Reshape((28, 28, 1))(image)
    for filters in (16, 32):
        hidden = layers.Conv2D(filters, 3, 2, "same", activation="relu")(hidden)
    hidden = layers.Dense(64, "relu")(layers.Concatenate()([layers.Flatten()(hidden), label]))
    code = Draw()(layers.Dense(CODE)(hidden), layers.Dense(CODE)(hidden))
    decoder = digit_decoder()
    return keras.Model([image, label], decoder([code, label])), decoder


def main():
    """Train, keep the weights in data/, and say how good and how large they are."""
    save_weights(weights_file(), train().get_weights())
    made = draw_digits(np.arange(1000) % 10, np.random.default_rng(0))
    print(ruler.judge(made, load("mnist5k").x_test.astype("float32") / 255))
    print(f"{weights_file().name}: {weights_file().stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
