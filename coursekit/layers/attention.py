"""Attention, masks, heads, layer normalization and positions, from their equations in keras.ops. Born in notebook 10.

They run and train on every backend. A mask holds True where a query may look at a key; it is broadcast to the shape of
the scores. Attention as in Vaswani and others (2017), layer normalization as in Ba, Kiros and Hinton (2016).
"""

import keras
import numpy as np
from keras import ops

HIDDEN = -1e9  # the score of a key that may not be looked at: its weight is 0 in single precision


def attention(queries, keys, values, mask=None):
    """Scaled dot-product attention: outputs (..., n, d_v) and weights (..., n, m), each row of which adds up to 1.

    queries: (..., n, d), keys: (..., m, d), values: (..., m, d_v); mask: True where a query may look, or None.
    Raises ValueError where queries and keys differ in length, or keys and values in number.
    """
    if queries.shape[-1] != keys.shape[-1] or keys.shape[-2] != values.shape[-2]:
        raise ValueError(
            f"queries {tuple(queries.shape)}, keys {tuple(keys.shape)} and values {tuple(values.shape)} don't fit: a "
            "query has as many numbers as a key, and there are as many values as keys"
        )
    scores = ops.matmul(queries, ops.swapaxes(keys, -1, -2)) / queries.shape[-1] ** 0.5
    if mask is not None:
        scores = ops.where(mask, scores, HIDDEN)
    weights = ops.softmax(scores)
    return ops.matmul(weights, values), weights


def causal_mask(n):
    """(n, n): position i may look at the positions up to i and at none after it."""
    return np.tril(np.ones((n, n), dtype=bool))


def padding_mask(tokens):
    """(batch, 1, 1, n) of tokens (batch, n): True where there is a token, False at padding, which is 0."""
    return ops.not_equal(tokens, 0)[:, None, None, :]


class MultiHeadAttention(keras.layers.Layer):
    """Several attentions beside each other, each on its own share of the width, and a matrix that mixes their outputs.

    Called with x (batch, n, width), which asks, and y (batch, m, width), which is asked. Returns outputs
    (batch, n, width) and weights (batch, heads, n, m). Raises ValueError where heads doesn't divide width.
    """

    def __init__(self, width, heads, **more):
        super().__init__(**more)
        if width % heads:
            raise ValueError(f"{heads} heads can't share a width of {width} equally: choose a number that divides it")
        self.width, self.heads = width, heads
        self.query, self.key, self.value, self.mix = (keras.layers.Dense(width) for _ in range(4))

    def split(self, x):
        """(batch, n, width) to (batch, heads, n, width / heads)."""
        x = ops.reshape(x, (-1, x.shape[1], self.heads, self.width // self.heads))
        return ops.transpose(x, (0, 2, 1, 3))

    def call(self, x, y, mask=None):
        """Outputs and weights; mask: True where a query may look, in a shape that fits (batch, heads, n, m)."""
        queries, keys, values = self.split(self.query(x)), self.split(self.key(y)), self.split(self.value(y))
        outputs, weights = attention(queries, keys, values, mask)  # (batch, heads, n, width / heads)
        joined = ops.reshape(ops.transpose(outputs, (0, 2, 1, 3)), (-1, x.shape[1], self.width))
        return self.mix(joined), weights


class LayerNormalization(keras.layers.Layer):
    """Each vector of its own to mean 0 and variance 1, then a learned scale and shift for each of its numbers."""

    def __init__(self, epsilon=1e-3, **more):
        super().__init__(**more)
        self.epsilon = epsilon

    def build(self, shape):
        """scale and shift, (width,) each."""
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")
        self.shift = self.add_weight(shape=(shape[-1],), initializer="zeros", name="shift")

    def call(self, x):
        """x (..., width), normalized along its last axis."""
        mean = ops.mean(x, axis=-1, keepdims=True)
        variance = ops.var(x, axis=-1, keepdims=True)
        return self.scale * (x - mean) / ops.sqrt(variance + self.epsilon) + self.shift


def positional_encoding(n, width):
    """(n, width) in single precision: sines and cosines of the position, side by side, from fast waves to slow ones.

    Column 2i holds sin(p / 10000^(2i / width)) and column 2i + 1 the cosine. Raises ValueError where width is odd.
    """
    if width % 2:
        raise ValueError(f"the width is {width}: sines and cosines come in pairs, so it has to be even")
    waves = 10000.0 ** (-np.arange(0, width, 2) / width)  # (width / 2,)
    angles = np.arange(n)[:, None] * waves  # (n, width / 2)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(n, width).astype("float32")


def train_lookup(w, *, scale, learning_rate, seed, steps=60, items=10, batch=128):
    """Gradient descent on W_Q and W_K for a soft look-up: the mean squared error of each step, (steps,).

    w: (2, d, d), both matrices at the start; scale: what scores are divided by. The task, drawn anew in each step from
    the seed: ten vectors of d standard normal numbers, each with two random numbers as its value; the query is one of
    the ten with noise, the target its value. Always answering 0 has an error of 1.
    """
    rng, d = np.random.default_rng(seed), w.shape[-1]
    w, errors = np.array(w, dtype=float), []
    for _ in range(steps):
        x, values = rng.normal(size=(batch, items, d)), rng.normal(size=(batch, items, 2))
        rows, found = np.arange(batch), rng.integers(items, size=batch)
        query = x[rows, found] + 0.3 * rng.normal(size=(batch, d))
        target = values[rows, found]  # (batch, 2)
        asked, keys = query @ w[0], x @ w[1]  # (batch, d) and (batch, items, d)
        scores = np.einsum("nd,nmd->nm", asked, keys) / scale
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        error = np.einsum("nm,nmv->nv", weights, values) - target
        errors.append(np.mean(error**2))
        on_weights = np.einsum("nv,nmv->nm", 2 * error / error.size, values)
        on_scores = weights * (on_weights - (weights * on_weights).sum(axis=1, keepdims=True)) / scale
        w_q = w[0] - learning_rate * query.T @ np.einsum("nm,nmd->nd", on_scores, keys)
        w_k = w[1] - learning_rate * np.einsum("nmi,nm->ni", x, on_scores).T @ asked
        w = np.stack([w_q, w_k])
    return np.array(errors)
