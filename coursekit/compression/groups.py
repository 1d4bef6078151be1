"""Weight clustering with few values for each group of channels instead of each tensor. Born in notebook 19.

Apple's coremltools calls a set of values a palette, and this the granularity "per_grouped_channel" with a `group_size`
(its guide, "Palettization Overview"). Clusters of short vectors are in vectors.py.
"""

from numbers import Integral

import keras
import numpy as np
from keras import ops

from coursekit.compression.centroids import CentroidInitialization, as_initialization
from coursekit.compression.clustering import ClusterWeights, _Cache, _check_is_layer, _check_number
from coursekit.compression.wrapper import wrap, wrap_each
from coursekit.errors import CompressionError


def cluster_in_groups(
    to_cluster,
    number_of_clusters,
    group_size,
    cluster_centroids_init=CentroidInitialization.KMEANS_PLUS_PLUS,
    preserve_sparsity=False,
    layers=None,
    seed=0,
):
    """A copy of a model in which each group of channels has few different values of its own, to be trained on.

    group_size:  how many neighbors along the last axis of a tensor share their values. In kernels these are output
                 channels, in those of transposed convolutions input channels, in embeddings the columns. The last group
                 is smaller where group_size doesn't divide the axis.

    All other arguments are those of cluster_weights, and what it says of models and layers holds here as well; so do
    strip_clustering and cluster_scope. number_of_clusters is that of each group. A tensor with a group of fewer weights
    than clusters stays as it is. A file of save_compressed has one codebook for each tensor, so more groups take more
    bytes there: docs/compression.md has numbers.

    Raises CompressionError as cluster_weights does, and for a group_size that is no whole number from 1 on.
    """
    check_are_layers(to_cluster)
    settings = {
        "number_of_clusters": _check_number(number_of_clusters),
        "group_size": _check_group_size(group_size),
        "cluster_centroids_init": as_initialization(cluster_centroids_init),
        "preserve_sparsity": bool(preserve_sparsity),
        "seed": int(seed),
    }
    return wrap_all(to_cluster, layers, ClusterGroups, settings)


def check_are_layers(to_cluster):
    """Refuse what is neither a model, nor a layer, nor a list of layers."""
    for thing in to_cluster if isinstance(to_cluster, list | tuple) else [to_cluster]:
        _check_is_layer(thing)


def wrap_all(to_cluster, layers, kind, settings):
    """What `wrap` gives for a model or a layer, or `wrap_each` for a list of layers."""
    wrap_it = wrap_each if isinstance(to_cluster, list | tuple) else wrap
    return wrap_it(to_cluster, layers, kind, settings)


def _check_group_size(size):
    if isinstance(size, bool) or not isinstance(size, Integral) or size < 1:
        raise CompressionError(f"group_size is {size!r}; give how many channels share their values, such as 16")
    return int(size)


@keras.saving.register_keras_serializable(package="coursekit")
class ClusterGroups(ClusterWeights):
    """A layer whose kernels are used with each weight replaced by the nearest centroid of its group.

    centroids:  one trainable variable for each kernel, (groups, number_of_clusters); with preserve_sparsity one fewer.
    """

    def __init__(self, layer, number_of_clusters, group_size=1, **kwargs):
        super().__init__(layer, number_of_clusters, **kwargs)
        self.group_size = _check_group_size(group_size)

    def make_state(self, variables, names):
        """Centroids for each group of each variable, and a cache of what they were last seen to give."""
        self.centroids, self.caches = [], []
        for variable, name in zip(variables, names, strict=True):
            groups = -(-variable.shape[-1] // self.group_size)
            shape = (groups, self.number_of_clusters - self.preserve_sparsity)
            placed = np.zeros(shape) if self._loading else self._placed_in_groups(variable, name)
            centroids = self.add_weight(
                name=f"{variable.name}_centroids",
                shape=shape,
                dtype=variable.dtype,
                autocast=False,
                initializer=lambda shape, dtype, placed=placed: ops.convert_to_tensor(placed, dtype),
            )
            self.centroids.append(centroids)
            self.caches.append(_Cache(variable, shape))

    def _placed_in_groups(self, variable, name):
        weights = variable.numpy()
        starts = range(0, weights.shape[-1], self.group_size)
        try:
            return np.array([self._placed(weights[..., start : start + self.group_size]) for start in starts])
        except CompressionError as error:
            raise CompressionError(f"{name}: {error}") from None

    @staticmethod
    def refusal_of(layer, variable, name, settings):
        """Why a group of a tensor has too few weights for so many clusters; None where all have enough."""
        channels, size, k = variable.shape[-1], settings["group_size"], settings["number_of_clusters"]
        smallest = channels % size or size
        weights = int(np.prod(variable.shape)) // channels * smallest
        if k <= weights:
            return None
        return (
            f"{name} has {weights} weights in its smallest group of channels, which can't be put in {k} clusters: take "
            "fewer, or another group_size, or leave the layer out with layers=..."
        )

    def _all_centroids(self, index):
        """The centroids of each channel: those of its group."""
        each_group = super()._all_centroids(index)
        channels = self.changed_variables[index].shape[-1]
        return ops.repeat(each_group, self.group_size, axis=0)[:channels]

    def get_config(self):
        """The arguments that make this layer anew."""
        return {**super().get_config(), "group_size": self.group_size}
