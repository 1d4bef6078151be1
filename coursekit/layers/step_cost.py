"""What a training step of a recurrent and of an attention layer costs, measured on JAX. Born in notebook 10."""

import statistics
import time

KINDS = ("attention", "LSTM")


def step_cost(kind, n, width=64, batch=2, repeats=3):
    """Seconds and bytes of one training step on texts of n words: (seconds, bytes).

    kind: "attention" (one head, with its four matrices) or "LSTM". A step computes the gradient of the mean square of
    the outputs with respect to all matrices, compiled. The seconds are a median; the bytes are what the compiled step
    needs beside inputs and results. Raises ValueError for another kind, ImportError where JAX is not installed.
    """
    import jax
    import jax.numpy as jnp

    if kind not in KINDS:
        raise ValueError(f"there are the kinds {' and '.join(KINDS)}, not {kind!r}")
    count = 4 if kind == "attention" else 8
    keys = jax.random.split(jax.random.key(0), 2)
    w = jax.random.normal(keys[0], (count, width, width)) / width**0.5
    x = jax.random.normal(keys[1], (batch, n, width))

    def attention(w, x):
        q, k, v = (x @ w[i] for i in range(3))
        scores = q @ k.swapaxes(1, 2) / width**0.5  # (batch, n, n)
        return jax.nn.softmax(scores) @ v @ w[3]

    def lstm(w, x):
        def step(state, word):
            h, c = state
            i, f, o, new = jnp.split(word + h @ jnp.concatenate(w[4:], axis=1), 4, axis=1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(new)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        words = (x @ jnp.concatenate(w[:4], axis=1)).swapaxes(0, 1)  # (n, batch, 4 width): all words at once
        start = jnp.zeros((batch, width))
        return jax.lax.scan(step, (start, start), words)[1]

    layer = attention if kind == "attention" else lstm
    step = jax.jit(jax.grad(lambda w, x: jnp.mean(layer(w, x) ** 2))).lower(w, x).compile()
    jax.block_until_ready(step(w, x))
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(step(w, x))
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), step.memory_analysis().temp_size_in_bytes
