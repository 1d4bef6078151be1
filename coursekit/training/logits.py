"""Adam for networks that give logits, as one short step on every backend. Born in notebook 11.

Keras's own `fit` does the same and more. Its preparation takes some seconds for each network, since an optimizer is set
up for each weight by itself; this one puts all gradients into one vector first. A test compares both. Adam as in Kingma
and Ba (2015), arXiv:1412.6980.
"""

import keras
import numpy as np

BETA_1, BETA_2, EPSILON = 0.9, 0.98, 1e-7


def rates(steps, peak):
    """The learning rate of each step, (steps,): up to `peak` in the first tenth, then down to 0 along half a cosine."""
    warmup = max(1, steps // 10)
    up = np.arange(1, warmup + 1) / warmup
    down = (1 + np.cos(np.pi * np.arange(1, steps - warmup + 1) / max(1, steps - warmup))) / 2
    return (peak * np.concatenate([up, down])[:steps]).astype("float32")


def fit(model, x, y, *, batch_size=32, epochs=1, peak=3e-3, weights=None, fused=None):
    """Train a model that gives logits (batch, ..., classes): the mean loss of each epoch, (epochs,).

    x: an array, or a list of arrays, as the model takes it; y: the true classes, whole numbers (n, ...); weights: how
    much each of them counts, in the shape of y, or None. Each batch is full: what is left of an epoch goes into the
    next. fused: on TensorFlow, whether XLA compiles the step, which pays from some hundred steps on; None: then.
    Raises ValueError where x and y differ in length, or there are fewer of them than one batch.
    """
    import coursekit as ck

    inputs = [np.asarray(one) for one in (x if isinstance(x, (list, tuple)) else [x])]
    y = np.asarray(y).astype("int32")
    weights = np.ones(y.shape, "float32") if weights is None else np.asarray(weights, "float32")
    if any(len(one) != len(y) for one in inputs):
        raise ValueError(f"{len(inputs[0])} inputs and {len(y)} targets: give as many of one as of the other")
    if len(y) < batch_size:
        raise ValueError(f"{len(y)} examples don't fill a batch of {batch_size}")
    several, steps = isinstance(x, (list, tuple)), epochs * len(y) // batch_size
    call = (lambda parts: model(parts, training=True)) if several else (lambda parts: model(parts[0], training=True))
    call([one[:1] for one in inputs])  # builds the weights
    make = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[keras.backend.backend()]
    step, finish = make(model, several, steps >= 200 if fused is None else fused)
    rng = np.random.default_rng(np.random.randint(2**31))  # set-up has seeded NumPy
    order = np.concatenate([rng.permutation(len(y)) for _ in range(epochs)])
    losses = []
    with ck.progress(epochs, "training") as bar:
        for i, rate in enumerate(rates(steps, peak)):
            rows = order[i * batch_size : (i + 1) * batch_size]
            loss = step([one[rows] for one in inputs], y[rows], weights[rows], rate, np.float32(i + 1))
            losses.append(float(loss))  # kept as a tensor it would keep all memory of its step
            bar.update((i + 1) * epochs // steps - i * epochs // steps)
    finish()
    return np.array([part.mean() for part in np.array_split(np.array(losses), epochs)])


def _tensorflow(model, several, fused):
    import tensorflow as tf

    variables = [variable.value for variable in model.trainable_variables]
    sizes = [int(np.prod(variable.shape)) for variable in variables]
    mean, square = (tf.Variable(tf.zeros(sum(sizes))) for _ in range(2))

    @tf.function(autograph=False, jit_compile=fused)
    def step(x, y, weights, rate, time):
        with tf.GradientTape() as tape:
            logits = model(x if several else x[0], training=True)
            each = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
            loss = tf.reduce_sum(each * weights) / tf.reduce_sum(weights)
        gradients = [tf.reshape(tf.convert_to_tensor(one), [-1]) for one in tape.gradient(loss, variables)]
        gradient = tf.concat(gradients, 0)
        mean.assign(BETA_1 * mean + (1 - BETA_1) * gradient)
        square.assign(BETA_2 * square + (1 - BETA_2) * gradient**2)
        step_size = rate * tf.sqrt(1 - BETA_2**time) / (1 - BETA_1**time)
        change = step_size * mean / (tf.sqrt(square) + EPSILON)
        for variable, part in zip(variables, tf.split(change, sizes), strict=True):
            variable.assign_sub(tf.reshape(part, variable.shape))
        return loss

    tensors = lambda x, y, weights, *numbers: step(
        [tf.constant(one) for one in x], tf.constant(y), tf.constant(weights), *map(tf.constant, numbers)
    )
    return tensors, lambda: None


def _jax(model, several, fused):
    import jax
    import jax.numpy as jnp
    from jax.flatten_util import ravel_pytree

    flat, unflatten = ravel_pytree([variable.value for variable in model.trainable_variables])
    others = [variable.value for variable in model.non_trainable_variables]
    state = {"now": (flat, jnp.zeros_like(flat), jnp.zeros_like(flat), others)}

    def loss_of(flat, others, x, y, weights):
        mapping = [*zip(model.trainable_variables, unflatten(flat), strict=True)]
        mapping += zip(model.non_trainable_variables, others, strict=True)
        with keras.StatelessScope(state_mapping=mapping) as scope:
            logits = model(x if several else x[0], training=True)
        news = [scope.get_current_value(variable) for variable in model.non_trainable_variables]
        others = [old if new is None else new for old, new in zip(others, news, strict=True)]
        each = -jnp.take_along_axis(jax.nn.log_softmax(logits), y[..., None], axis=-1)[..., 0]
        return jnp.sum(each * weights) / jnp.sum(weights), others

    @jax.jit
    def step(state, x, y, weights, rate, time):
        flat, mean, square, others = state
        (loss, others), gradient = jax.value_and_grad(loss_of, has_aux=True)(flat, others, x, y, weights)
        mean = BETA_1 * mean + (1 - BETA_1) * gradient
        square = BETA_2 * square + (1 - BETA_2) * gradient**2
        step_size = rate * jnp.sqrt(1 - BETA_2**time) / (1 - BETA_1**time)
        return loss, (flat - step_size * mean / (jnp.sqrt(square) + EPSILON), mean, square, others)

    def once(*batch):
        loss, state["now"] = step(state["now"], *batch)
        return loss

    def finish():
        for variable, value in zip(model.trainable_variables, unflatten(state["now"][0]), strict=True):
            variable.assign(value)
        for variable, value in zip(model.non_trainable_variables, state["now"][3], strict=True):
            variable.assign(value)

    return once, finish


def _torch(model, several, fused):
    import torch

    parameters = [variable.value for variable in model.trainable_variables]
    optimizer = torch.optim.Adam(parameters, betas=(BETA_1, BETA_2), eps=EPSILON)

    def step(x, y, weights, rate, time):
        for group in optimizer.param_groups:
            group["lr"] = float(rate)
        x = [keras.ops.convert_to_tensor(one) for one in x]
        y, weights = keras.ops.convert_to_tensor(y).long(), keras.ops.convert_to_tensor(weights)
        logits = model(x if several else x[0], training=True)
        each = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1), reduction="none")
        loss = (each * weights.reshape(-1)).sum() / weights.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach().cpu()

    return step, lambda: None
