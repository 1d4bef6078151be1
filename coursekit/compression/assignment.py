"""Each weight becomes its nearest centroid, fast, and gradients flow to both. Born in notebook 19.

In one dimension the nearest centroid needs no table of distances: with the centroids sorted, it follows from where the
weight stands among the midpoints between neighbors, found in log2(k) comparisons. The search below has no branches,
so a compiler can run it over all weights at once; where none compiles, the backend's own search is used.
"""

import keras
from keras import ops

SMALL = 2**14  # weights; below it, compiling a search costs more than it saves
_compiled = {}


def clustered(weights, centroids, *, keep_zeros=False, known=None, by=None):
    """`weights` with each replaced by its nearest centroid.

    weights:     a float tensor of any shape; per channel, its last axis is the channels.
    centroids:   (k,) in any order, or (channels, k).
    keep_zeros:  a weight of exactly 0 stays 0 and gets no gradient.
    known:       the result, where it is at hand from an earlier call on the same values: only gradients are computed.
    by:          (a function like `nearest`, one like `sums`) for other centroids, such as vectors; None for these two.

    The gradient of a weight is that of the value it was replaced by, as if nothing had happened in between (the
    straight-through estimator; Bengio, Léonard and Courville 2013). The gradient of a centroid is the sum over its
    weights (Han, Mao and Dally 2016).
    """

    look_up, add_up = by or (nearest, sums)

    @ops.custom_gradient
    def snap(weights, centroids):
        values, where = look_up(weights, centroids) if known is None else (ops.copy(known), None)
        if keep_zeros:
            values = ops.where(weights == 0, 0.0, values)

        def gradient(*unused, upstream=None):
            slopes = ops.convert_to_tensor(unused[0] if upstream is None else upstream)
            if keep_zeros:
                slopes = ops.where(weights == 0, 0.0, slopes)
            found = look_up(weights, centroids)[1] if where is None else where
            return slopes, add_up(slopes, found, centroids)

        return values, gradient

    return snap(weights, centroids)


def nearest(weights, centroids, keep_zeros=False):
    """The nearest centroid of each weight, shaped like the weights, and which one it is.

    The second is a pair: a place for each weight in the sorted centroids, and the order that sorts them.
    Of two that are equally near, the smaller is taken. Half precision is searched in float32, which every backend can.
    """
    look_up = _nearest if len(centroids.shape) == 1 else _nearest_per_channel
    values, places, order = look_up(single(weights), single(centroids))
    values = ops.reshape(ops.cast(values, weights.dtype), weights.shape)
    if keep_zeros:
        values = ops.where(weights == 0, 0.0, values)
    return values, (places, order)


def single(tensor):
    """The tensor in float32 where it is of half precision."""
    half = keras.backend.standardize_dtype(tensor.dtype) in ("float16", "bfloat16")
    return ops.cast(tensor, "float32") if half else tensor


def _nearest(weights, centroids):
    order = ops.argsort(centroids)
    values, places = _search(ops.reshape(weights, (-1,)), ops.take(centroids, order))
    return values, places, order


def _nearest_per_channel(weights, centroids):
    order = ops.argsort(centroids, axis=-1)
    ranked = ops.sort(centroids, axis=-1)  # (channels, k)
    channels, k = centroids.shape
    places = ops.sum(ops.cast(ops.expand_dims(weights, -1) > _middles(ranked), "int32"), axis=-1)
    first = k * ops.arange(channels, dtype="int32")  # where a channel begins when the rows stand one after another
    places = ops.reshape(places + first, (-1,))
    order = ops.reshape(ops.cast(order, "int32") + ops.expand_dims(first, -1), (-1,))
    return ops.take(ops.reshape(ranked, (-1,)), places), places, order


def _middles(ranked):
    return 0.5 * ranked[..., 1:] + 0.5 * ranked[..., :-1]


def _search(weights, ranked):
    """Values (n,) and places (n,) in the sorted centroids (k,), by whatever is fast on the backend."""
    backend = keras.backend.backend()
    if backend == "jax" or (backend == "tensorflow" and weights.shape[0] >= SMALL):
        return _compiled_search(backend)(weights, ranked)
    if backend == "tensorflow":  # the searchsorted of Keras 3.10 fails inside a tf.function
        import tensorflow as tf

        places = tf.searchsorted(_middles(ranked), weights)
    else:
        places = ops.searchsorted(_middles(ranked), weights)
    return ops.take(ranked, places), places


def _branchless(weights, ranked):
    k = ranked.shape[0]
    size = 1 << (k - 1).bit_length()  # the least power of two that holds k
    middles = ops.pad(_middles(ranked), (0, size - k), constant_values=float("inf"))
    places = ops.zeros(weights.shape, "int32")
    step = size // 2
    while step:
        places = places + step * ops.cast(weights > ops.take(middles, places + (step - 1)), "int32")
        step //= 2
    return ops.take(ranked, places), places


def _compiled_search(backend):
    """The branchless search, compiled for the shapes it meets; as it is where this TensorFlow has no compiler."""
    if backend not in _compiled:
        if backend == "jax":
            import jax

            _compiled[backend] = jax.jit(_branchless)
        else:
            _compiled[backend] = _for_tensorflow()
    return _compiled[backend]


def _for_tensorflow():
    import tensorflow as tf

    made = tf.function(_branchless, jit_compile=True)
    with tf.init_scope():
        try:
            made(tf.zeros(2), tf.zeros(2))
        except (tf.errors.OpError, ValueError):
            return _branchless
    return made


def sums(slopes, where, centroids):
    """The gradients of the weights added up for each centroid: shaped like the centroids, in their own order."""
    places, order = where
    kind, slopes, count = slopes.dtype, ops.reshape(single(slopes), (-1,)), order.shape[0]
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        ranked = tf.math.bincount(places, weights=slopes, minlength=count, maxlength=count)
    elif backend == "torch":
        import torch

        ranked = torch.bincount(places, weights=slopes, minlength=count).to(slopes.dtype)
    else:
        ranked = ops.segment_sum(slopes, places, num_segments=count)
    return ops.cast(ops.reshape(ops.take(ranked, ops.argsort(order)), centroids.shape), kind)
