"""Autoencoders of digits: the variational one of notebook 12, and a decoder that was trained for longer.

    whole, encoder, decoder = variational(8)
    whole.compile("adam", pixel_loss)
    whole.fit(x, x)                             # x: (n, 784), 0 to 1
    images = sigmoid(decoder(codes))            # (n, 784), codes (n, 8) from the standard normal distribution

The method is that of Kingma and Welling (2014), "Auto-encoding variational Bayes". The longer trained decoder's weights
lie in the course's `data/` and were made by `python -m coursekit.experiments.vae`. Born in notebook 12.
"""

from functools import cache

import keras
import numpy as np
from keras import layers, ops

from coursekit.arrays import as_array
from coursekit.models.weights import load_weights
from coursekit.paths import data_dir

CODE = 8  # numbers in the code of `digit_decoder`


@keras.saving.register_keras_serializable("coursekit")
class Draw(layers.Layer):
    """A code drawn from its mean and log variance, both (n, k); β times its divergence is added to the loss.

    The divergence is Kullback and Leibler's from the standard normal distribution, summed over the k numbers and
    averaged over the n examples. `layer.beta.assign(0.5)` changes β during a training. Outside training the code is
    drawn all the same: take the encoder's mean if you want no draw.
    """

    def __init__(self, beta=1.0, seed=None, **options):
        super().__init__(**options)
        self.seed = seed
        self.beta = self.add_weight(
            shape=(), initializer=keras.initializers.Constant(beta), trainable=False, name="beta"
        )
        self.noise = keras.random.SeedGenerator(seed)

    def call(self, mean, log_variance):
        epsilon = keras.random.normal(ops.shape(mean), seed=self.noise)
        divergence = 0.5 * (mean**2 + ops.exp(log_variance) - 1 - log_variance)
        self.add_loss(self.beta * ops.mean(ops.sum(divergence, axis=1)))
        return mean + ops.exp(log_variance / 2) * epsilon

    def get_config(self):
        return {**super().get_config(), "beta": float(self.beta), "seed": self.seed}


class GrowBeta(keras.callbacks.Callback):
    """β of the model's `Draw` grows from 0, by the same amount each epoch, to `beta` after so many epochs.

    Bowman and others (2016), "Generating sentences from a continuous space": KL annealing.
    """

    def __init__(self, beta, epochs):
        super().__init__()
        self.beta, self.epochs = beta, epochs

    def on_epoch_begin(self, epoch, logs=None):
        for layer in self.model.layers:
            if isinstance(layer, Draw):
                layer.beta.assign(self.beta * min(1.0, epoch / self.epochs))


def variational(k, beta=1.0, units=256, seed=None):
    """(whole, encoder, decoder) of a dense variational autoencoder of images (n, 784), 0 to 1.

    The encoder gives [mean, log variance], each (n, k); decoder and whole give logits (n, 784). Raises ValueError for a
    code without a number.
    """
    if k < 1:
        raise ValueError(f"a code of {k} numbers holds nothing: give k ≥ 1")
    image = keras.Input((784,))
    hidden = layers.Dense(units, "relu")(image)
    mean, log_variance = layers.Dense(k)(hidden), layers.Dense(k)(hidden)
    encoder = keras.Model(image, [mean, log_variance])
    decoder = keras.Sequential([keras.Input((k,)), layers.Dense(units, "relu"), layers.Dense(784)])
    return keras.Model(image, decoder(Draw(beta, seed)(mean, log_variance))), encoder, decoder


def pixel_loss(images, logits):
    """The cross-entropy of each image, summed over its pixels: (n, 784) and (n, 784) to (n,)."""
    return ops.sum(ops.binary_crossentropy(images, logits, from_logits=True), axis=-1)


def sigmoid(logits):
    """1 / (1 + exp(-logits)) of an array of any shape, as NumPy."""
    return 1 / (1 + np.exp(-as_array(logits).clip(-80, 80)))


def digit_decoder():
    """An untrained Keras model from [codes (n, 8), labels as one-hot (n, 10)] to logits of images (n, 784)."""
    code, label = keras.Input((CODE,)), keras.Input((10,))
    x = layers.Dense(64, "relu")(layers.Concatenate()([code, label]))
    x = layers.Reshape((7, 7, 32))(layers.Dense(7 * 7 * 32, "relu")(x))
    x = layers.Conv2DTranspose(16, 3, 2, "same", activation="relu")(x)
    x = layers.Conv2DTranspose(1, 3, 2, "same")(x)
    return keras.Model([code, label], layers.Flatten()(x), name="digit_decoder")


def weights_file():
    """Where the weights of the longer trained decoder are kept."""
    return data_dir() / "vae.npz"


def draw_digits(labels, rng):
    """Images (n, 28, 28), 0 to 1, of the digits that `labels` (n,) asks for, by the longer trained decoder.

    rng: a NumPy generator, from which the codes come. Raises ValueError if a label is none of 0 to 9.
    """
    return decode_digits(rng.normal(size=(len(labels), CODE)), labels)


def decode_digits(codes, labels):
    """Images (n, 28, 28), 0 to 1, that the longer trained decoder makes of codes (n, 8) and labels (n,), 0 to 9.

    Raises ValueError for codes of another shape, and for a label that is none of 0 to 9.
    """
    codes, labels = as_array(codes).astype("float32"), as_array(labels)
    if codes.shape != (len(labels), CODE):
        raise ValueError(
            f"codes of shape {codes.shape}: {len(labels)} labels need codes of shape ({len(labels)}, {CODE})"
        )
    if labels.ndim != 1 or not np.isin(labels, range(10)).all():
        raise ValueError("labels: give one digit, 0 to 9, for each image that is wanted")
    model = digit_decoder()
    model.set_weights(_weights())
    logits = model([codes, np.eye(10, dtype="float32")[labels.astype(int)]])
    return sigmoid(logits).reshape(-1, 28, 28)


@cache
def _weights():
    return load_weights(weights_file())
