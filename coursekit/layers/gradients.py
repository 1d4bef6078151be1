"""The gradients of a Keras computation, on any backend. Born in notebook 07."""

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


def gradient_function(function):
    """A function of (tensors, *data) that returns the gradients of function(tensors, *data) by the tensors.

    function: takes a list of float tensors and any further tensors, and returns one number. It is compiled for each
              shape of its arguments, so it should change nothing outside.

    The gradients are a list of arrays, shaped like the tensors; zeros for a tensor that is not used. Raises ValueError
    on a backend without a rule here.
    """
    import keras

    backend = keras.backend.backend()
    if backend not in _GRADIENTS:
        raise ValueError(f"there is no rule for the backend {backend}; use tensorflow, jax or torch")
    gradients = _GRADIENTS[backend](function)
    return lambda tensors, *data: [keras.ops.convert_to_numpy(one) for one in gradients(list(tensors), *data)]


def _tensorflow(function):
    import tensorflow as tf

    @tf.function
    def gradients(tensors, *data):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(tensors)
            y = function(tensors, *data)
        found = tape.gradient(y, tensors, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return [tf.convert_to_tensor(one) for one in found]  # an embedding's are rows, which are added up here

    return gradients


def _jax(function):
    import jax

    return jax.jit(jax.grad(function))


def _torch(function):
    import torch

    def gradients(tensors, *data):
        tensors = [tensor.detach().requires_grad_(True) for tensor in tensors]
        return torch.autograd.grad(function(tensors, *data), tensors, materialize_grads=True)

    return gradients


_GRADIENTS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
