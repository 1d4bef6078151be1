"""Diffusion models: noise is added to images by a schedule, and a network learns to take it away again.

Images are (n, height, width, channels) from -1 to 1. `alpha_bar` (steps + 1,) is the share of the image's variance
that is left at each step: alpha_bar[0] is 1, alpha_bar[steps] nearly 0. Networks take [images, time, label]: time (n,)
from 0 (image) to 1 (noise), label (n,) a whole number, of which the last, `NO_LABEL` for digits, stands for "no label".
Born in notebook 14.
"""

from itertools import pairwise

import numpy as np

from coursekit.arrays import as_array

NO_LABEL = 10  # for digits 0 to 9


# --- noise ------------------------------------------------------------------------------------------------------------
def cosine_schedule(steps):
    """alpha_bar (steps + 1,) of Nichol and Dhariwal (2021): a squared cosine; no step takes more than 0.999."""
    time = np.arange(steps + 1) / steps
    curve = np.cos((time + 0.008) / 1.008 * np.pi / 2) ** 2
    return _from_betas(np.minimum(1 - curve[1:] / curve[:-1], 0.999))


def linear_schedule(steps):
    """alpha_bar (steps + 1,) of Ho, Jain and Abbeel (2020), brought from their 1,000 steps to another number of steps.

    The variance added in a step grows evenly, from 1e-4 to 0.02 at 1,000 steps.
    """
    return _from_betas(np.minimum(np.linspace(1e-4, 0.02, steps) * 1000 / steps, 0.999))


def _from_betas(betas):
    return np.concatenate([[1.0], np.cumprod(1 - betas)])


def add_noise(x, noise, alpha_bar):
    """What the image x has become where the share alpha_bar (n,) is left: (n, height, width, channels)."""
    left = np.reshape(alpha_bar, (-1,) + (1,) * (np.ndim(x) - 1))
    return np.sqrt(left) * x + np.sqrt(1 - left) * noise


def velocity(x, noise, alpha_bar):
    """What the networks of images are trained to say: sqrt(alpha_bar) noise - sqrt(1 - alpha_bar) x.

    With the noisy image z it gives both: the image is sqrt(alpha_bar) z - sqrt(1 - alpha_bar) v, the noise
    sqrt(1 - alpha_bar) z + sqrt(alpha_bar) v. Salimans and Ho (2022).
    """
    left = np.reshape(alpha_bar, (-1,) + (1,) * (np.ndim(x) - 1))
    return np.sqrt(left) * noise - np.sqrt(1 - left) * x


def without_some(labels, no_label, share, rng):
    """Labels (n,), or tokens (n, m), as int32; a random share of them is replaced by `no_label`."""
    labels = np.array(labels, dtype="int32")
    labels[rng.random(len(labels)) < share] = no_label
    return labels


def noisy_batches(x, labels, alpha_bar, batch_size, seed, no_label=NO_LABEL, dropped=0.15):
    """Endless batches ([noisy images, time, label], noise) to train on: every one with new noise at random steps.

    dropped: the share of the labels that `no_label` takes the place of.
    """
    rng, steps = np.random.default_rng(seed), len(alpha_bar) - 1
    while True:
        rows = rng.integers(len(x), size=batch_size)
        step = rng.integers(1, steps + 1, size=batch_size)
        noise = rng.standard_normal((batch_size, *x.shape[1:]), dtype="float32")
        noisy = add_noise(x[rows], noise, alpha_bar[step]).astype("float32")
        label = without_some(labels[rows], no_label, dropped, rng)
        target = velocity(x[rows], noise, alpha_bar[step]).astype("float32")
        yield [noisy, (step / steps).astype("float32"), label], target


def straight_batches(x, labels, batch_size, seed, no_label=NO_LABEL, dropped=0.15):
    """The same for flow matching: points of the straight way from image to noise, and its velocity, noise - image."""
    rng = np.random.default_rng(seed)
    while True:
        rows = rng.integers(len(x), size=batch_size)
        time = rng.random(batch_size, dtype="float32")
        noise = rng.standard_normal((batch_size, *x.shape[1:]), dtype="float32")
        share = time[:, None, None, None]
        label = without_some(labels[rows], no_label, dropped, rng)
        yield [(1 - share) * x[rows] + share * noise, time, label], noise - x[rows]


# --- the network ------------------------------------------------------------------------------------------------------
def time_features(time, pairs=16):
    """Sines and cosines (n, 2 pairs) of time (n,), from slow to fast: see positions in notebook 10."""
    from keras import ops

    angles = ops.expand_dims(time, 1) * (np.pi * np.geomspace(0.5, 100, pairs)).astype("float32")
    return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=1)


def block(x, condition, channels):
    """Two convolutions beside a skip connection; between them the condition (n, d) shifts the channels."""
    from keras import layers

    skip = x if x.shape[-1] == channels else layers.Conv2D(channels, 1)(x)
    x = layers.Activation("silu")(layers.GroupNormalization(4)(x))
    x = layers.Conv2D(channels, 3, padding="same")(x)
    x = layers.Add()([x, layers.Reshape((1, 1, channels))(layers.Dense(channels)(condition))])
    x = layers.Activation("silu")(layers.GroupNormalization(4)(x))
    x = layers.Conv2D(channels, 3, padding="same", kernel_initializer="zeros")(x)  # starts as the skip alone
    return layers.Add()([x, skip])


def u_shape(image, condition, channels=(24, 48), attend=None):
    """The U of a U-Net, at half the image's size and at a quarter of it: from image and condition to the image's shape.

    attend: a function from features (n, height, width, channels) to features of that shape, used at the lowest point.
    """
    from keras import layers

    few, many = channels
    x = layers.Conv2D(few, 4, 2, "same")(image)  # half the size
    x = wide = block(x, condition, few)
    x = layers.Conv2D(many, 3, 2, "same")(x)  # a quarter
    x = block(x, condition, many)
    x = attend(x) if attend else x
    x = block(x, condition, many)
    x = layers.Conv2DTranspose(few, 2, 2)(x)  # half again
    x = block(layers.Concatenate()([x, wide]), condition, few)
    return layers.Conv2DTranspose(image.shape[-1], 4, 2, "same")(layers.Activation("silu")(x))


def unet(shape=(28, 28, 1), labels=NO_LABEL + 1, channels=(24, 48), attend=None):
    """A small U-Net from [noisy images (n, *shape), time (n,), label (n,)] to an array of the images' shape.

    Both sides of the image must be divisible by 4. attend: as in `u_shape`.
    """
    import keras
    from keras import layers

    image, time, label = keras.Input(shape), keras.Input(()), keras.Input((), dtype="int32")
    condition = layers.Dense(64, "silu")(time_features(time))
    condition = layers.Add()([condition, _large_embedding(labels)(label)])
    return keras.Model([image, time, label], u_shape(image, condition, channels, attend))


def _large_embedding(labels):
    """As large as the part of the time from the start: with Keras's small one the label is long ignored."""
    import keras

    return keras.layers.Embedding(labels, 64, embeddings_initializer=keras.initializers.RandomNormal(stddev=1.0))


def fit(model, batches, steps, learning_rate=2e-3, progress=iter):
    """Train on that many batches by Adam, at a rate that falls along half a cosine; returns the loss of each step."""
    import keras

    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    model.compile(keras.optimizers.Adam(rate), "mse", jit_compile=keras.backend.backend() == "jax")
    losses = []
    for _, (inputs, targets) in zip(progress(range(steps)), batches, strict=False):
        model.reset_metrics()  # or the loss would be a mean over all steps so far
        losses.append(float(model.train_on_batch(inputs, targets)))
    return losses


# --- sampling ---------------------------------------------------------------------------------------------------------
def guided(model, x, time, label, weight=1.0, no_label=NO_LABEL):
    """What a network says of images x at one time: its answer without label, plus `weight` times what the label adds.

    A weight of 1 is the plain answer with the label, 0 the answer without. Ho and Salimans (2022) call ours minus 1 the
    weight.
    """
    label = np.asarray(label, "int32")
    nothing = np.zeros_like(label) + np.asarray(no_label, "int32")
    times = np.full(len(x), time, "float32")
    if weight in (0, 1):
        return as_array(model.predict_on_batch([x, times, label if weight else nothing]))
    both = [np.concatenate([x, x]), np.tile(times, 2), np.concatenate([label, nothing])]
    with_label, without = np.split(as_array(model.predict_on_batch(both)), 2)
    return without + weight * (with_label - without)


def step_back(x, noise, now, then, eta, rng):
    """From the share `now` of the image's variance to the larger share `then`, with the noise that is guessed in x.

    eta is 0 for DDIM (Song, Meng and Ermon, 2021) and 1 for DDPM (Ho, Jain and Abbeel, 2020).
    """
    image = (x - np.sqrt(1 - now) * noise) / np.sqrt(now)
    sigma = eta * np.sqrt((1 - then) / (1 - now) * (1 - now / then))
    x = np.sqrt(then) * image + np.sqrt(1 - then - sigma**2) * noise
    return x + sigma * rng.normal(size=x.shape)


def sample(
    model,
    alpha_bar,
    label,
    steps,
    seed,
    *,
    weight=1.0,
    eta=0.0,
    shape=(28, 28, 1),
    no_label=NO_LABEL,
    correct=None,
    path=None,
):
    """Images (n, *shape) of labels (n,), made from noise in that many of the schedule's steps, evenly chosen.

    eta:     0 for DDIM, 1 for DDPM
    correct: a function from the guessed image of a step to one that agrees with what is known of the image
    path:    a list to which the images of each step are added, the noise first
    """
    rng, last = np.random.default_rng(seed), len(alpha_bar) - 1
    x = rng.standard_normal((len(label), *shape), dtype="float32")
    places = np.linspace(last, 0, steps + 1).round().astype(int)
    path = [] if path is None else path
    path.append(x)
    for now, then in pairwise(places):
        left = alpha_bar[now]
        v = guided(model, x, now / last, label, weight, no_label)
        image = (np.sqrt(left) * x - np.sqrt(1 - left) * v).clip(-1, 1)
        image = image if correct is None else correct(image)
        noise = (x - np.sqrt(left) * image) / np.sqrt(1 - left)
        x = step_back(x, noise, left, alpha_bar[then], eta, rng).astype("float32")
        path.append(x)
    return x


def flow(model, label, steps, seed, *, weight=1.0, shape=(28, 28, 1), no_label=NO_LABEL, path=None):
    """Images (n, *shape) of labels (n,), made from noise in that many equal steps against the velocity: Euler's method.

    path: a list to which the images of each step are added, the noise first.
    For a network trained on `straight_batches`. Lipman and others (2023), "Flow matching for generative modeling".
    """
    x = np.random.default_rng(seed).standard_normal((len(label), *shape), dtype="float32")
    path = [] if path is None else path
    path.append(x)
    for i in range(steps, 0, -1):
        x = x - guided(model, x, i / steps, label, weight, no_label) / steps
        path.append(x)
    return x


# --- text to image ----------------------------------------------------------------------------------------------------
def text_unet(tokens, shape=(16, 16, 3), channels=(24, 48), longest=3):
    """A U-Net from [noisy images, time, tokens (n, longest)]: at its lowest point every place looks at the words.

    The words are read by a transformer's encoder (notebook 10); the pixels attend to them by cross-attention.
    """
    import keras
    from keras import layers

    from coursekit.models.transformer import Encoder

    image, time, words = keras.Input(shape), keras.Input(()), keras.Input((longest,), dtype="int32")
    memory = Encoder(tokens, width=32, heads=2, hidden=64, longest=longest)(words)  # (n, longest, 32)
    condition = layers.Dense(64, "silu")(time_features(time))

    def look_at_words(x):
        height, width, depth = x.shape[1:]
        places = layers.Reshape((height * width, depth))(x)
        found = layers.MultiHeadAttention(2, 16)(layers.LayerNormalization()(places), memory)
        return layers.Add()([x, layers.Reshape((height, width, depth))(found)])

    return keras.Model([image, time, words], u_shape(image, condition, channels, look_at_words))
