"""Two networks that train each other: the step of one player, the losses of their game, what can go wrong.

    teach_discriminator = learner(discriminator, loss_of_discriminator, uses=[generator])
    teach_generator = learner(generator, loss_of_generator, uses=[discriminator])

With them: networks that make and judge digits, one that the course ships, a ring of eight clouds on which several
small networks train at once, and a sentence about a training that failed. Goodfellow and others (2014), "Generative
adversarial nets", arXiv:1406.2661. Born in notebook 13.
"""

from contextlib import nullcontext

import keras
import numpy as np
from keras import layers, ops

from coursekit.arrays import as_array
from coursekit.console import quiet
from coursekit.models.weights import load_weights
from coursekit.paths import data_dir

EPSILON = 1e-7
LATENT, CLASSES = 32, 10  # numbers that a generator of digits starts from; digits


# --- losses -----------------------------------------------------------------------------------------------------------
def discriminator_loss(on_real, on_made, real_label=1.0):
    """Cross-entropy of the logits on real images, whose label is 1 (or less), plus that on made ones, whose label is 0.

    At 2 ln 2 the discriminator knows nothing. real_label: below 1 for one-sided label smoothing.
    """
    real = real_label * ops.softplus(-on_real) + (1 - real_label) * ops.softplus(on_real)
    return ops.mean(real) + ops.mean(ops.softplus(on_made))


def generator_loss(on_made):
    """The loss that does not saturate: cross-entropy of the logits on made images, with the label 1."""
    return ops.mean(ops.softplus(-on_made))


# --- digits -----------------------------------------------------------------------------------------------------------
def digit_generator(width=24, classes=0, last=8):
    """From noise (n, 32), or noise and a one-hot label (n, 32 + classes), to images (n, 28, 28, 1), 0 to 1."""
    normalized = lambda: [layers.BatchNormalization(momentum=0.9), layers.ReLU()]
    return keras.Sequential(
        [
            keras.Input((LATENT + classes,)),
            layers.Dense(7 * 7 * width, use_bias=False),
            *normalized(),
            layers.Reshape((7, 7, width)),
            layers.Conv2DTranspose(width // 2, 4, 2, "same", use_bias=False),
            *normalized(),
            layers.Conv2DTranspose(last, 4, 2, "same", use_bias=False),
            *normalized(),
            layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
        ]
    )


def digit_discriminator(width=24, classes=1, noise=0.0):
    """From images (n, 28, 28, 1) to one logit each, or to one for each class: is this a real digit of that class?

    noise: standard deviation of the noise that is added to each image in training.
    """
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            *([layers.GaussianNoise(noise)] if noise else []),
            layers.Conv2D(width // 2, 4, 2, "same"),
            layers.LeakyReLU(0.2),
            layers.Conv2D(width, 4, 2, "same"),
            layers.LeakyReLU(0.2),
            layers.Flatten(),
            layers.Dense(classes),
        ]
    )


def one_hot(labels, classes=CLASSES):
    """Labels (n,) as ones and zeros (n, classes), float32."""
    return np.eye(classes, dtype="float32")[np.asarray(labels)]


def make_digits(generator, noise, labels=None, batch_size=250):
    """Images (n, 28, 28) from noise (n, 32), and from labels (n,) where the generator takes them."""
    noise = np.asarray(noise, "float32")
    inputs = noise if labels is None else np.concatenate([noise, one_hot(labels)], axis=1)
    parts = [generator(inputs[i : i + batch_size], training=False) for i in range(0, len(inputs), batch_size)]
    return np.concatenate([as_array(part) for part in parts])[..., 0]


def shipped_file():
    """Where the weights of the course's own generator are kept."""
    return data_dir() / "gan_digits.npz"


def shipped_generator():
    """A generator of digits of a class, trained longer than a page may: `python -m coursekit.experiments.gan`."""
    model = digit_generator(32, CLASSES)
    model.set_weights(load_weights(shipped_file()))
    return model


def train_digits(generator, discriminator, images, labels=None, *, steps, batch_size=32, rates=(2e-3, 5e-4),
                 momentum=0.0, seed=0, average=0.98, shift=0, watch=None):  # fmt: skip
    """Train both, one step each in turn; returns their losses (steps, 2).

    images: (n, 28, 28, 1), 0 to 1; labels: (n,) or None; rates: of the generator and of the discriminator;
    momentum: Adam's first β; shift: by how many pixels a batch is moved at most. At the end the generator has the
    moving average of its weights: `average` is the share that is kept from step to step. `watch(step, weights)` is
    called after each step with that average; where it returns False, training ends.
    """
    rng = np.random.default_rng(seed)
    classes = 0 if labels is None else CLASSES
    hots = np.ones((len(images), 1), "float32") if labels is None else one_hot(labels)

    def judged(x, hot):  # (n,): the logit of the image's own class
        return ops.sum(discriminator(x, training=True) * hot, axis=-1)

    def made(noise, hot):
        return generator(ops.concatenate([noise, hot], axis=-1) if classes else noise, training=True)

    teach_d = learner(
        discriminator,
        lambda x, hot, noise: discriminator_loss(judged(x, hot), judged(made(noise, hot), hot)),
        [generator],
        learning_rate=rates[1],
        beta_1=momentum,
        beta_2=0.99,
    )
    teach_g = learner(
        generator,
        lambda hot, noise: generator_loss(judged(made(noise, hot), hot)),
        [discriminator],
        learning_rate=rates[0],
        beta_1=momentum,
        beta_2=0.99,
    )
    losses, mean = [], None
    for step in range(steps):
        rows = rng.integers(0, len(images), batch_size)
        x, hot = images[rows], hots[rows]
        if shift:
            x = np.roll(x, rng.integers(-shift, shift + 1, 2), axis=(1, 2))
        noise = rng.normal(size=(2, batch_size, LATENT)).astype("float32")
        losses.append((teach_d(x, hot, noise[0]), teach_g(hot, noise[1])))
        now = generator.get_weights()
        keep = min(average, (1 + step) / (10 + step))
        mean = now if mean is None else [keep * a + (1 - keep) * b for a, b in zip(mean, now, strict=True)]
        if watch and watch(step + 1, mean) is False:
            break
    generator.set_weights(mean)
    return np.array(losses)


# --- one step of one player -------------------------------------------------------------------------------------------
def learner(player, loss, uses=(), *, learning_rate=2e-4, beta_1=0.5, beta_2=0.999, fused=False):
    """A function step(*batch) that moves the weights of `player`, and no others, by one step of Adam; gives the loss.

    player: a Keras model or layer, built; loss: a function of the batch (arrays) that gives one number, with
    `keras.ops`, and may call player and the models in `uses`. Averages of batch normalization move in all of them.
    fused: on TensorFlow, whether XLA compiles the step. Adam as in Kingma and Ba (2015), arXiv:1412.6980.
    """
    make = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[keras.backend.backend()]
    once = make(player, loss, list(uses), learning_rate, beta_1, beta_2, fused)
    return lambda *batch: float(once([np.asarray(one) for one in batch]))


def _tensorflow(player, loss, uses, learning_rate, beta_1, beta_2, fused):
    import tensorflow as tf

    variables = [variable.value for variable in player.trainable_variables]
    sizes = [int(np.prod(variable.shape)) for variable in variables]
    mean, square, time = tf.Variable(tf.zeros(sum(sizes))), tf.Variable(tf.zeros(sum(sizes))), tf.Variable(0.0)

    @tf.function(autograph=False, jit_compile=fused)
    def step(*batch):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            value = loss(*batch)
        gradients = [tf.reshape(tf.convert_to_tensor(one), [-1]) for one in tape.gradient(value, variables)]
        gradient = tf.concat(gradients, 0)
        time.assign_add(1.0)
        mean.assign(beta_1 * mean + (1 - beta_1) * gradient)
        square.assign(beta_2 * square + (1 - beta_2) * gradient**2)
        rate = learning_rate * tf.sqrt(1 - beta_2**time) / (1 - beta_1**time)
        change = rate * mean / (tf.sqrt(square) + EPSILON)
        for variable, part in zip(variables, tf.split(change, sizes), strict=True):
            variable.assign_sub(tf.reshape(part, variable.shape))
        return value

    seen = set()

    def first_quietly(batch):
        shapes = tuple(one.shape for one in batch)
        with nullcontext() if shapes in seen else quiet():  # TensorFlow logs which parts of a new graph it can't fuse
            seen.add(shapes)
            return step(*map(tf.constant, batch))

    return first_quietly


def _jax(player, loss, uses, learning_rate, beta_1, beta_2, fused):
    import jax
    import jax.numpy as jnp
    from jax.flatten_util import ravel_pytree

    mine = list(player.trainable_variables)
    moving = [one for model in (player, *uses) for one in model.non_trainable_variables]
    fixed = [one for model in uses for one in model.trainable_variables]
    _, unflatten = ravel_pytree([variable.value for variable in mine])

    def loss_of(flat, moving_values, fixed_values, batch):
        mapping = [*zip(mine, unflatten(flat), strict=True), *zip(moving, moving_values, strict=True)]
        mapping += zip(fixed, fixed_values, strict=True)
        with keras.StatelessScope(state_mapping=mapping) as scope:
            value = loss(*batch)
        news = [scope.get_current_value(variable) for variable in moving]
        return value, [old if new is None else new for old, new in zip(moving_values, news, strict=True)]

    @jax.jit
    def step(values, moving_values, fixed_values, state, batch):
        flat, _ = ravel_pytree(values)
        mean, square, time = state
        slope = jax.value_and_grad(loss_of, has_aux=True)
        (value, moving_values), gradient = slope(flat, moving_values, fixed_values, batch)
        time = time + 1
        mean = beta_1 * mean + (1 - beta_1) * gradient
        square = beta_2 * square + (1 - beta_2) * gradient**2
        rate = learning_rate * jnp.sqrt(1 - beta_2**time) / (1 - beta_1**time)
        return value, unflatten(flat - rate * mean / (jnp.sqrt(square) + EPSILON)), moving_values, (mean, square, time)

    size = sum(int(np.prod(variable.shape)) for variable in mine)
    memory = {"state": (jnp.zeros(size), jnp.zeros(size), jnp.zeros(()))}

    def once(batch):
        now = [[variable.value for variable in group] for group in (mine, moving, fixed)]
        value, values, moving_values, memory["state"] = step(*now, memory["state"], batch)
        for variable, new in zip([*mine, *moving], [*values, *moving_values], strict=True):
            variable.assign(new)
        return value

    return once


def _torch(player, loss, uses, learning_rate, beta_1, beta_2, fused):
    import torch

    parameters = [variable.value for variable in player.trainable_variables]
    optimizer = torch.optim.Adam(parameters, lr=learning_rate, betas=(beta_1, beta_2), eps=EPSILON)

    def once(batch):
        value = loss(*map(keras.ops.convert_to_tensor, batch))
        gradients = torch.autograd.grad(value, parameters)  # of this player alone
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()
        return value.detach().cpu()

    return once


# --- a ring of eight clouds -------------------------------------------------------------------------------------------
CLOUDS, SPREAD = 8, 0.05  # clouds on a circle of radius 1, and the standard deviation of each
CENTERS = np.stack([np.cos(np.arange(CLOUDS) * np.pi / 4), np.sin(np.arange(CLOUDS) * np.pi / 4)], axis=1)
REMEDIES = ("label smoothing", "feature matching", "minibatch statistics", "spectral normalization", "WGAN-GP")


def ring(rng, *shape):
    """Points (*shape, 2), each from one of eight clouds on a circle, all equally likely."""
    centers = CENTERS[rng.integers(0, CLOUDS, shape)]
    return (centers + SPREAD * rng.normal(size=(*shape, 2))).astype("float32")


def clouds_found(points, near=4 * SPREAD, share=0.02):
    """How many of the eight clouds have at least that share of the points (..., n, 2) near their center: (...,)."""
    far = np.linalg.norm(np.asarray(points)[..., None, :] - CENTERS, axis=-1)  # (..., n, 8)
    return ((far < near).mean(axis=-2) >= share).sum(axis=-1)


class SmallNetworks(layers.Layer):
    """Several small networks of one shape, each with weights of its own: from (networks, n, in) to (networks, n, out).

    Two hidden layers of leaky ReLU. spectral: each matrix is divided by its largest singular value, found by repeated
    multiplication (Miyato and others, 2018). statistics: the spread of a batch is one more input of the last layer (as
    in Karras and others, 2018).
    """

    def __init__(self, networks, inputs, hidden, outputs, seed, spectral=False, statistics=False):
        super().__init__()
        rng = np.random.default_rng(seed)
        self.spectral, self.statistics = spectral, statistics
        self.matrices, self.biases, self.directions = [], [], []
        for m, n in ((inputs, hidden), (hidden, hidden), (hidden + int(statistics), outputs)):
            start = rng.normal(size=(networks, m, n)) * np.sqrt(2 / m) * (0.5 if n == outputs else 1)
            self.matrices.append(self._weight(start))
            self.biases.append(self._weight(np.zeros((networks, 1, n))))
            if spectral:
                self.directions.append(self._weight(rng.normal(size=(networks, 1, n)), trainable=False))
        self.built = True

    def _weight(self, start, trainable=True):
        weight = self.add_weight(shape=start.shape, initializer="zeros", trainable=trainable)
        weight.assign(start.astype("float32"))
        return weight

    def kernels(self):
        """The matrices as they are used."""
        if not self.spectral:
            return list(self.matrices)
        kernels = []
        for matrix, direction in zip(self.matrices, self.directions, strict=True):
            right = direction + 0.0
            for _ in range(2):
                left = _unit(ops.matmul(right, ops.swapaxes(matrix, 1, 2)))
                right = _unit(ops.matmul(left, matrix))
            left, right = ops.stop_gradient(left), ops.stop_gradient(right)
            direction.assign(right)
            largest = ops.sum(ops.matmul(left, matrix) * right, axis=-1, keepdims=True)  # (networks, 1, 1)
            kernels.append(2.0 * matrix / largest)  # 2: or three layers could not tell points apart that are near
        return kernels

    def features(self, x):
        """What the last layer gets: (networks, n, hidden)."""
        for kernel, bias in zip(self.kernels()[:-1], self.biases[:-1], strict=True):
            x = ops.leaky_relu(ops.matmul(x, kernel) + bias, 0.2)
        return x

    def call(self, x):
        hidden = self.features(x)
        if self.statistics:
            spread = ops.mean(ops.std(x, axis=1, keepdims=True), axis=-1, keepdims=True)  # (networks, 1, 1)
            hidden = ops.concatenate([hidden, ops.broadcast_to(spread, (*hidden.shape[:2], 1))], axis=-1)
        return ops.matmul(hidden, self.kernels()[-1]) + self.biases[-1]

    def slope(self, x):
        """The gradient of the one output with respect to x, written out so that it can be trained: shape of x."""
        kernels, slopes = self.kernels(), []
        for kernel, bias in zip(kernels[:-1], self.biases[:-1], strict=True):
            z = ops.matmul(x, kernel) + bias
            slopes.append(ops.where(z > 0, 1.0, 0.2))
            x = z * slopes[-1]
        back = ops.swapaxes(kernels[-1], 1, 2)  # (networks, 1, hidden)
        for kernel, slope in zip(kernels[-2::-1], slopes[::-1], strict=True):
            back = ops.matmul(back * slope, ops.swapaxes(kernel, 1, 2))
        return back


def _unit(x):
    return x / (ops.norm(x, axis=-1, keepdims=True) + 1e-9)


def train_on_ring(remedy=None, *, momentum=0.9, rate=3e-3, networks=6, steps=700, batch_size=64, hidden=32, seed=0):
    """Several generators and discriminators on the ring, pair by pair: (points (networks, 1000, 2), losses (steps, 2)).

    remedy: None, or one of `REMEDIES`; momentum: Adam's first β; rate: one learning rate, or that of the generator and
    that of the discriminator. The losses are means over the networks.
    """
    if remedy is not None and remedy not in REMEDIES:
        raise ValueError(f"{remedy!r} is no remedy; take one of {', '.join(REMEDIES)}")
    rng = np.random.default_rng(seed)
    generator = SmallNetworks(networks, 2, hidden, 2, rng.integers(2**31))
    spectral, statistics = remedy == "spectral normalization", remedy == "minibatch statistics"
    discriminator = SmallNetworks(networks, 2, hidden, 1, rng.integers(2**31), spectral, statistics)
    losses_of = _wasserstein if remedy == "WGAN-GP" else _classic
    loss_d, loss_g = losses_of(generator, discriminator, remedy)
    rate_g, rate_d = rate if np.ndim(rate) else (rate, rate)
    more = {"beta_1": momentum, "beta_2": 0.99}
    whole_d, whole_g = lambda *batch: networks * loss_d(*batch), lambda *batch: networks * loss_g(*batch)
    teach_d = learner(discriminator, whole_d, [generator], learning_rate=rate_d, **more)
    teach_g = learner(generator, whole_g, [discriminator], learning_rate=rate_g, **more)
    losses = []
    for _ in range(steps):
        real = ring(rng, networks, batch_size)
        noise = rng.normal(size=(2, networks, batch_size, 2)).astype("float32")
        mixture = rng.random((networks, batch_size, 1)).astype("float32")
        losses.append((teach_d(real, noise[0], mixture), teach_g(real, noise[1])))
    noise = rng.normal(size=(networks, 1000, 2)).astype("float32")
    return as_array(generator(noise)), np.array(losses) / networks


def _classic(generator, discriminator, remedy):
    real_label = 0.9 if remedy == "label smoothing" else 1.0

    def loss_d(real, noise, mixture):
        return discriminator_loss(discriminator(real), discriminator(generator(noise)), real_label)

    def loss_g(real, noise):
        if remedy != "feature matching":
            return generator_loss(discriminator(generator(noise)))
        means = [ops.mean(discriminator.features(x), axis=1) for x in (generator(noise), real)]  # (networks, hidden)
        return ops.mean(ops.sum((means[0] - means[1]) ** 2, axis=-1))

    return loss_d, loss_g


def _wasserstein(generator, discriminator, remedy):
    def loss_d(real, noise, mixture):
        made = generator(noise)
        between = mixture * real + (1 - mixture) * made
        length = ops.sqrt(ops.sum(discriminator.slope(between) ** 2, axis=-1) + 1e-12)
        return ops.mean(discriminator(made)) - ops.mean(discriminator(real)) + ops.mean((length - 1) ** 2)

    return loss_d, lambda real, noise: -ops.mean(discriminator(generator(noise)))


# --- what happened? ---------------------------------------------------------------------------------------------------
def verdict(losses, made, real):
    """One sentence about a training: whether it diverged, the discriminator won, or the samples have collapsed.

    losses: (steps, 2), of the discriminator and of the generator, as cross-entropies; made, real: samples, of one shape
    after the first axis. It sees no more than this: samples that differ, and are bad, pass. Numbers of the last tenth
    of the steps count; collapsed are samples that differ from each other by less than 0.3 times what real ones do.
    """
    losses, made, real = (np.asarray(one, dtype=float) for one in (losses, made, real))
    broken = np.flatnonzero(~np.isfinite(losses).all(axis=1))
    if len(broken):
        return (
            f"The training diverged: from step {broken[0] + 1} on a loss is no finite number. Lower the learning rate."
        )
    if not np.isfinite(made).all():
        return "The training diverged: some samples are no finite numbers. Lower the learning rate."
    on_d, on_g = losses[-max(1, len(losses) // 10) :].mean(axis=0)
    spread = _differences(made) / max(_differences(real), 1e-12)
    numbers = f"losses {on_d:.2g} and {on_g:.2g}, samples differ {spread:.2f} times as much as real ones"
    if on_d < 0.1 and on_g > 3:
        return f"The discriminator has won: it is sure of every sample, and its loss is near 0 ({numbers})."
    if spread < 0.3:
        return f"The generator has collapsed: whatever the noise, its samples are nearly the same ({numbers})."
    return f"No sign of divergence, collapse or a discriminator that has won ({numbers})."


def _differences(samples):
    """The root mean square difference between two samples."""
    return float(np.sqrt(2 * samples.reshape(len(samples), -1).var(axis=0).sum()))
