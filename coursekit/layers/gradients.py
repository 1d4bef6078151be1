"""The gradient of a Keras computation by its input, on any backend. Born in notebook 07."""

import numpy as np


def input_gradient(function, x):
    """d function(x) / d x as an array shaped like x. `function` takes a tensor and returns one number.

    x: an array; it is read as float32. Raises ValueError on a backend without a rule here.
    """
    import keras

    x = keras.ops.convert_to_tensor(np.asarray(x, dtype="float32"))
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return tape.gradient(y, x).numpy()
    if backend == "jax":
        import jax

        return np.asarray(jax.grad(function)(x))
    if backend == "torch":
        x = x.clone().requires_grad_(True)
        function(x).backward()
        return x.grad.detach().cpu().numpy()
    raise ValueError(f"there is no rule for the backend {backend}; use tensorflow, jax or torch")
