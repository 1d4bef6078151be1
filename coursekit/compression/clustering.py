"""Weight clustering for Keras 3: few values in each weight tensor, trained. Born in notebook 19.

The names and arguments are those of tensorflow-model-optimization, whose method this is: centroids are placed among the
weights, each weight is used as its nearest centroid, and both go on being trained.
"""

import keras
import numpy as np
from keras import ops

from coursekit.compression.assignment import clustered, nearest
from coursekit.compression.centroids import CentroidInitialization, as_initialization, initial_centroids
from coursekit.compression.model_copy import check_is_keras_3
from coursekit.compression.wrapper import WeightWrapper, strip, wrap, wrap_each
from coursekit.errors import CompressionError
from coursekit.keras_internals import current_stateless_scope


def cluster_weights(
    to_cluster,
    number_of_clusters,
    cluster_centroids_init=CentroidInitialization.KMEANS_PLUS_PLUS,
    preserve_sparsity=False,
    cluster_per_channel=False,
    layers=None,
    seed=0,
):
    """A copy of a model in which each weight tensor has few different values, to be trained on.

    to_cluster:              a Keras 3 model, trained; or a layer, or a list of layers, to make a model of.
    number_of_clusters:      how many values a tensor may have at most; with preserve_sparsity, 0 is one of them.
    cluster_centroids_init:  where the values start: a CentroidInitialization or its name.
    preserve_sparsity:       weights that are exactly 0 stay so, as after pruning.
    cluster_per_channel:     kernels of two-dimensional convolutions get so many values for each output channel.
    layers:                  which layers: None for all, a function of a layer, or layers, classes, names or a list of
                             these. The layers inside attention and recurrent layers count as one with them.
    seed:                    of the initializations that draw at random.

    Kernels and embeddings are clustered: of dense, convolutional, recurrent, attention and embedding layers, and what
    get_clusterable_weights() of any other class returns (pairs of name and variable). Biases and normalizations are
    left as they are. The model that was given is never changed: the layers and weights of the copy are its own, under
    the same names. It is compiled with the same loss, metrics and optimizer settings if the model was, and the
    optimizer starts afresh; tensorflow-model-optimization advises a lower learning rate.

    A tensor with fewer weights than clusters stays as it is, since it has few values anyway. In a list, layers without
    weights that count (Dropout, pooling, normalizations) come back as copies. A Sequential without an Input is wrapped
    at once and gets its centroids when it is built, and layers that are clustered already stay so. A model of a class
    of its own keeps its methods, its attributes and its train_step. In a training loop of your own, take the copy's
    optimizer: the original's knows none of the copy's weights.

    Raises CompressionError, a ValueError that names the layer, for a model without weights, one that is pruned at the
    moment, a layer of which nothing is known, weights that are NaN, and where every tensor has fewer weights than
    clusters.
    """
    for thing in to_cluster if isinstance(to_cluster, list | tuple) else [to_cluster]:
        _check_is_layer(thing)
    settings = {
        "number_of_clusters": _check_number(number_of_clusters),
        "cluster_centroids_init": as_initialization(cluster_centroids_init),
        "preserve_sparsity": bool(preserve_sparsity),
        "cluster_per_channel": bool(cluster_per_channel),
        "seed": int(seed),
    }
    if isinstance(to_cluster, list | tuple):
        return wrap_each(to_cluster, layers, ClusterWeights, settings)
    return wrap(to_cluster, layers, ClusterWeights, settings)


def strip_clustering(model, check=True):
    """A plain copy of a clustered model: the layers it was made of, each with its clustered weights.

    check: whether both are run on two random inputs, or on a batch given instead of True, to see that they compute the
           same.

    Compiled like the model. Raises CompressionError for what is no Keras model, and where the two differ.
    """
    _check_is_layer(model)
    return strip(model, ClusterWeights, check)


def cluster_scope():
    """A scope in which keras.models.load_model knows clustered layers.

    For the habits of tensorflow-model-optimization's users: after `import coursekit.compression` Keras knows them
    anyway.
    """
    return keras.saving.custom_object_scope({"ClusterWeights": ClusterWeights})


def _check_is_layer(thing):
    check_is_keras_3(thing)
    if not isinstance(thing, keras.Layer):
        raise CompressionError(f"a Keras model, a layer or a list of layers is needed, and this is {thing!r}")


def _check_number(number):
    if isinstance(number, bool) or not isinstance(number, int | np.integer):
        raise CompressionError(f"number_of_clusters is {number!r}; give a whole number, such as 16")
    if number < 2:
        raise CompressionError(
            f"number_of_clusters is {number}; a tensor of one value computes nothing: give 2 or more"
        )
    return int(number)


@keras.saving.register_keras_serializable(package="coursekit")
class ClusterWeights(WeightWrapper):
    """A layer whose kernels are used with each weight replaced by its nearest centroid. Made by `cluster_weights`.

    centroids:  one trainable variable for each kernel, (number_of_clusters,) or (channels, number_of_clusters); with
                preserve_sparsity one fewer, since 0 need not be trained.
    """

    METHOD, VERB, PAST = "get_clusterable_weights", "cluster", "clustered"
    BY = None  # how centroids are looked up and their gradients added up, if not as in assignment.py

    def __init__(
        self,
        layer,
        number_of_clusters,
        cluster_centroids_init=CentroidInitialization.KMEANS_PLUS_PLUS,
        preserve_sparsity=False,
        cluster_per_channel=False,
        seed=0,
        **kwargs,
    ):
        super().__init__(layer, **kwargs)
        self.number_of_clusters = _check_number(number_of_clusters)
        self.cluster_centroids_init = as_initialization(cluster_centroids_init)
        self.preserve_sparsity = preserve_sparsity
        self.cluster_per_channel = cluster_per_channel
        self.seed = seed

    def make_state(self, variables, names):
        """Centroids for each variable, and a cache of what they were last seen to give."""
        self.centroids, self.caches = [], []
        k = self.number_of_clusters
        for variable, name in zip(variables, names, strict=True):
            shape = (k - self.preserve_sparsity,)
            channels = variable.shape[-1] if _per_channel(self.layer, variable, self.cluster_per_channel) else None
            shape = shape if channels is None else (channels, *shape)
            centroids = self.add_weight(
                name=f"{variable.name}_centroids",
                shape=shape,
                dtype=variable.dtype,
                autocast=False,
                initializer=lambda shape, dtype, variable=variable, name=name: self._place(
                    variable, name, shape, dtype
                ),
            )
            self.centroids.append(centroids)
            self.caches.append(_Cache(variable, shape))

    @staticmethod
    def refusal_of(layer, variable, name, settings):
        """Why a tensor has too few weights for so many clusters; None where it has enough."""
        per_channel = _per_channel(layer, variable, settings["cluster_per_channel"])
        return _too_few(variable, name, settings["number_of_clusters"], variable.shape[-1] if per_channel else None)

    def _place(self, variable, name, shape, dtype):
        """The values that the centroids start from."""
        if self._loading:
            return ops.zeros(shape, dtype)
        weights = variable.numpy()
        parts = [weights] if len(shape) == 1 else np.moveaxis(weights, -1, 0)
        try:
            placed = [self._placed(part) for part in parts]
        except CompressionError as error:
            raise CompressionError(f"{name}: {error}") from None
        return ops.convert_to_tensor(np.reshape(placed, shape), dtype)

    def _placed(self, weights):
        placed = initial_centroids(
            weights,
            self.number_of_clusters,
            self.cluster_centroids_init,
            preserve_sparsity=self.preserve_sparsity,
            seed=self.seed,
        )
        return np.delete(placed, np.argmin(np.abs(placed))) if self.preserve_sparsity else placed

    def _all_centroids(self, index):
        """The centroids of one variable as a tensor; with preserve_sparsity, 0 among them."""
        centroids = ops.convert_to_tensor(self.centroids[index].value)
        if not self.preserve_sparsity:
            return centroids
        return ops.concatenate([ops.zeros_like(centroids[..., :1]), centroids], axis=-1)

    def changed(self, variables, training):
        """Each variable's weights as their nearest centroids.

        Training looks them up at each step, since each step moves them. Otherwise they are looked up once and kept for
        as long as weights and centroids are the same.
        """
        values = []
        for index, variable in enumerate(variables):
            weights, centroids = ops.convert_to_tensor(variable.value), self._all_centroids(index)
            known = None if training else self._recalled(index, weights, centroids)
            values.append(clustered(weights, centroids, keep_zeros=self.preserve_sparsity, known=known, by=self.BY))
        return values

    def _recalled(self, index, weights, centroids):
        return self.caches[index].recall(
            weights, self.centroids[index].value, lambda: self._nearest(weights, centroids)
        )

    def _nearest(self, weights, centroids):
        return nearest(weights, centroids, self.preserve_sparsity)[0]

    def final_values(self):
        """The clustered weights: NumPy arrays."""
        values = []
        for index, variable in enumerate(self.changed_variables):
            weights = ops.convert_to_tensor(variable.value)
            values.append(ops.convert_to_numpy(self._nearest(weights, self._all_centroids(index))))
        return values

    def get_config(self):
        """The arguments that make this layer anew."""
        return {
            **super().get_config(),
            "number_of_clusters": self.number_of_clusters,
            "cluster_centroids_init": self.cluster_centroids_init.value,
            "preserve_sparsity": self.preserve_sparsity,
            "cluster_per_channel": self.cluster_per_channel,
            "seed": self.seed,
        }


def _per_channel(layer, variable, asked):
    return asked and isinstance(layer, keras.layers.Conv2D) and len(variable.shape) == 4


def _too_few(variable, name, k, channels):
    weights = int(np.prod(variable.shape)) // (channels or 1)
    if k <= weights:
        return None
    each = " for each channel" if channels else ""
    return (
        f"{name} has {weights} weights{each}, which can't be put in {k} clusters: take fewer, or leave the layer "
        "out with layers=..."
    )


class _Cache(keras.layers.Layer):
    """The clustered weights that were last computed without training, and from what: no part of a model's weights.

    It is state, and Keras carries it along, but it is neither saved nor counted: it follows from the rest. It starts
    as NaN, which equals nothing, so the first look-up is a true one.
    """

    def __init__(self, variable, centroids_shape):
        super().__init__(trainable=False, dtype=variable.dtype, name="cache")

        def scratch(name, shape):
            return self.add_weight(
                name=name, shape=shape, dtype=variable.dtype, autocast=False, trainable=False, initializer=_nan
            )

        self.seen_weights = scratch("seen_weights", variable.shape)
        self.seen_centroids = scratch("seen_centroids", centroids_shape)
        self.result = scratch("result", variable.shape)
        self.built = True

    @property
    def weights(self):
        """None, so that nothing is counted, and get_weights and set_weights pass over it."""
        return []

    def save_own_variables(self, store):
        """Save nothing."""

    def load_own_variables(self, store):
        """Load nothing: what is cached no longer fits the weights, and is seen not to."""

    def recall(self, weights, centroids, look_up):
        """The nearest centroids of the weights: from the cache if it has seen these values, or anew, and kept.

        look_up: a function of nothing that finds them anew.
        """
        if keras.backend.backend() == "jax" and current_stateless_scope() is None:
            return None  # a function that someone else compiles must not leave its tracers behind
        same = ops.logical_and(
            ops.all(ops.equal(weights, self.seen_weights.value)),
            ops.all(ops.equal(centroids, self.seen_centroids.value)),
        )
        nearest_values = ops.cond(
            same,
            lambda: ops.convert_to_tensor(self.result.value),
            lambda: ops.stop_gradient(look_up()),
        )
        for variable, value in (
            (self.seen_weights, weights),
            (self.seen_centroids, centroids),
            (self.result, nearest_values),
        ):
            variable.assign(ops.stop_gradient(value))
        return nearest_values


def _nan(shape, dtype):
    return ops.full(shape, float("nan"), dtype)
