"""Weight clustering with few short vectors instead of few values: vector quantization. Born in notebook 19.

Neighboring weights are taken together, two or four at a time, and each such vector is replaced by the nearest of few
vectors, the codebook. So a code names several weights at once: with 16 vectors of 2 weights it has 4 bits, 2 for each
weight. The idea is that of product quantization; for the weights of networks see Gong, Liu, Yang and Bourdev (2014),
"Compressing deep convolutional networks using vector quantization", and Stock, Joulin, Gribonval, Graham and Jégou
(2020), "And the bit goes down". Apple's coremltools calls the length `cluster_dim`.
"""

import warnings
from numbers import Integral

import keras
import numpy as np
from keras import ops

from coursekit.compression.assignment import single
from coursekit.compression.centroids import check_finite
from coursekit.compression.clustering import ClusterWeights, _Cache, _check_number
from coursekit.compression.groups import check_are_layers, wrap_all
from coursekit.errors import CompressionError

SAMPLE = 256  # vectors for each of the codebook, of which k-means sees so many at most
AT_ONCE = 2**22  # distances in memory


def cluster_in_vectors(to_cluster, number_of_clusters, length, layers=None, seed=0):
    """A copy of a model in which each weight tensor has few different short vectors, to be trained on.

    number_of_clusters: how many vectors a tensor has at most.
    length:             how many neighbors along the last axis of a tensor make a vector. In kernels these are output
                        channels of one input, in those of transposed convolutions input channels, in embeddings
                        columns of one row.
    layers, seed:       as of cluster_weights. The seed is that of k-means.

    The vectors start where k-means puts them (k-means++ and Lloyd's steps, by scikit-learn, on up to 256 vectors drawn
    for each in the codebook). Then codebook and weights are trained on as in cluster_weights, and what it says of
    models and layers holds here as well; so do strip_clustering and cluster_scope. Zeros of a pruned model are not
    kept.

    A tensor whose last axis the length doesn't divide stays as it is, and so does one with fewer vectors than clusters.
    Layers left out can be clustered by a second call, of this function or of cluster_weights; the other way around, a
    model with layers of cluster_weights or cluster_in_groups is refused. A file of save_compressed stores vectors of 2,
    4 or 8 weights as a codebook and one code for each, where that is shorter: docs/compression.md has numbers.

    Raises CompressionError as cluster_weights does, where every tensor would stay as it is, and for a length that is no
    whole number from 2 on.
    """
    check_are_layers(to_cluster)
    settings = {
        "number_of_clusters": _check_number(number_of_clusters),
        "length": _check_length(length),
        "seed": int(seed),
    }
    return wrap_all(to_cluster, layers, ClusterVectors, settings)


def _check_length(length):
    if isinstance(length, bool) or not isinstance(length, Integral) or length < 2:
        raise CompressionError(f"length is {length!r}; give how many weights make a vector, such as 2 or 4")
    return int(length)


def nearest_vectors(weights, codebook):
    """Each vector of the weights replaced by the nearest of the codebook, shaped like the weights; and which it is.

    weights:  (..., channels), of which each `length` neighbors make a vector.
    codebook: (k, length).

    The second is (vectors,), places in the codebook; of two that are equally near, the first is taken. Differences are
    squared and added up one dimension after another: the shorter way through a product of matrices is less exact, and
    so might choose otherwise in training than afterwards.
    """
    k, length = codebook.shape
    vectors, table = ops.reshape(single(weights), (-1, length)), single(codebook)
    block = max(AT_ONCE // k, 1)
    places = ops.concatenate(
        [_places(vectors[start : start + block], table) for start in range(0, vectors.shape[0], block)]
    )
    values = ops.reshape(ops.take(table, places, axis=0), weights.shape)
    return ops.cast(values, weights.dtype), places


def _places(vectors, table):
    distances = 0.0
    for axis in range(table.shape[1]):
        distances = distances + ops.square(vectors[:, axis : axis + 1] - table[:, axis])
    return ops.argmin(distances, axis=1)


def sums_of_vectors(slopes, places, codebook):
    """The gradients of the weights added up for each vector of the codebook, (k, length)."""
    k, length = codebook.shape
    total = ops.segment_sum(ops.reshape(single(slopes), (-1, length)), places, num_segments=k)
    return ops.cast(total, slopes.dtype)


def initial_vectors(weights, number_of_clusters, length, seed=0):
    """The codebook that k-means finds, (number_of_clusters, length), float64.

    weights: (..., channels); with fewer different vectors than clusters some of the codebook are the same.

    As many vectors are drawn for k-means as the library Faiss takes for each centroid, and no more.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    vectors = np.asarray(weights, dtype=np.float64).reshape(-1, length)
    check_finite(vectors)
    if len(vectors) > SAMPLE * number_of_clusters:
        drawn = np.random.default_rng(seed).choice(len(vectors), SAMPLE * number_of_clusters, replace=False)
        vectors = vectors[drawn]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different vectors than clusters
        found = KMeans(number_of_clusters, n_init=1, random_state=seed).fit(vectors)
    return found.cluster_centers_


@keras.saving.register_keras_serializable(package="coursekit")
class ClusterVectors(ClusterWeights):
    """A layer whose kernels are used with each short vector of weights replaced by the nearest of a codebook.

    centroids:  one trainable variable for each kernel, (number_of_clusters, length).
    """

    BY = nearest_vectors, sums_of_vectors

    def __init__(self, layer, number_of_clusters, length=2, **kwargs):
        super().__init__(layer, number_of_clusters, **kwargs)
        self.length = _check_length(length)

    def make_state(self, variables, names):
        """A codebook for each variable, and a cache of what it was last seen to give."""
        self.centroids, self.caches = [], []
        shape = (self.number_of_clusters, self.length)
        for variable, name in zip(variables, names, strict=True):
            placed = np.zeros(shape) if self._loading else self._placed_in_space(variable, name)
            centroids = self.add_weight(
                name=f"{variable.name}_centroids",
                shape=shape,
                dtype=variable.dtype,
                autocast=False,
                initializer=lambda shape, dtype, placed=placed: ops.convert_to_tensor(placed, dtype),
            )
            self.centroids.append(centroids)
            self.caches.append(_Cache(variable, shape))

    def _placed_in_space(self, variable, name):
        try:
            return initial_vectors(variable.numpy(), self.number_of_clusters, self.length, self.seed)
        except CompressionError as error:
            raise CompressionError(f"{name}: {error}") from None

    @staticmethod
    def refusal_of(layer, variable, name, settings):
        """Why a tensor has no such vectors, or too few; None where it has enough."""
        length, k = settings["length"], settings["number_of_clusters"]
        if variable.shape[-1] % length:
            return (
                f"{name} has {variable.shape[-1]} weights along its last axis, which can't be cut in vectors of "
                f"{length}: take another length, or leave the layer out with layers=..."
            )
        vectors = int(np.prod(variable.shape)) // length
        if k <= vectors:
            return None
        return (
            f"{name} has {vectors} vectors of {length} weights, which can't be put in {k} clusters: take fewer, or "
            "leave the layer out with layers=..."
        )

    def _nearest(self, weights, centroids):
        return nearest_vectors(weights, centroids)[0]

    def get_config(self):
        """The arguments that make this layer anew."""
        return {**super().get_config(), "length": self.length}
