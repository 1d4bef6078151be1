"""Clustering after the fact in which weights count by how much the loss depends on them. Born in notebook 19.

    small = compression.cluster_by_sensitivity(model, x, y, number_of_clusters=8)   # a plain model, at once

Plain k-means moves all weights as little as it can. But a small change of one weight can cost more loss than a large
change of another. Near a minimum of the loss, the cost of a small change is about half its square times the second
derivative, and the mean of the squared gradients over examples (the diagonal of the empirical Fisher information)
estimates that derivative. So these means are the weights of k-means: Kim and others (2023), "SqueezeLLM:
Dense-and-sparse quantization", section 4.1, arXiv:2306.07629; SKMPalettizer of Apple's coremltools does the same.
"""

from numbers import Integral

import keras
import numpy as np
from keras import ops

from coursekit.compression.centroids import weighted_centroids
from coursekit.compression.clustering import ClusterWeights, _check_is_layer, _check_number, strip_clustering
from coursekit.compression.estimates import check_data
from coursekit.compression.model_copy import check_is_built, chosen_weights, compile_like, nothing_chosen
from coursekit.compression.wrapper import check_is_plain
from coursekit.errors import CompressionError
from coursekit.layers.gradients import gradient_function

LEAST = 1e-3  # times the mean of a tensor: so much each weight counts, also one whose gradient was always 0


def cluster_by_sensitivity(
    model, x, y, number_of_clusters, *, loss=None, layers=None, preserve_sparsity=False, batch_size=1
):
    """A plain copy of a model with few values in each weight tensor, placed where the loss depends on them most.

    model:               a Keras 3 model, trained; it stays as it is.
    x, y:                inputs and targets, as of model.fit, to measure gradients on; some hundred examples do.
    number_of_clusters:  how many values a tensor may have; a tensor with fewer weights stays as it is.
    loss:                as of model.compile; that which the model was compiled with if None.
    layers:              which layers, as in cluster_weights.
    preserve_sparsity:   weights that are exactly 0 stay so, and 0 is one of the values.
    batch_size:          of how many examples the gradient is taken before it is squared. 1 is the method; larger
                         batches are faster and give a rougher estimate.

    Nothing is trained. Within each tensor, k-means is solved to its optimum as by OPTIMAL (`weighted_centroids`), each
    weight counting as much as its mean squared gradient. The network runs as in prediction, without dropout. The copy
    is compiled like the model. It is not always better than plain k-means (cluster_weights with OPTIMAL, stripped at
    once): docs/compression.md compares them.

    Raises CompressionError as cluster_weights does; also for a model without a loss, and where all gradients of a
    tensor are 0 or some are not finite.
    """
    _check_is_layer(model)
    if not isinstance(model, keras.Model):
        raise CompressionError(f"a Keras model is needed, and this is {model!r}")
    k = _check_number(number_of_clusters)
    if isinstance(batch_size, bool) or not isinstance(batch_size, Integral) or batch_size < 1:
        raise CompressionError(f"batch_size is {batch_size!r}; give a whole number from 1 on")
    check_is_built(model)
    check_is_plain(model, ())
    loss = getattr(model, "loss", None) if loss is None else loss
    if loss is None:
        raise CompressionError(f"{model.name!r} is not compiled, so its loss is not known: give loss=...")
    chosen = chosen_weights(model, layers, method=ClusterWeights.METHOD, verb=ClusterWeights.VERB)
    if not chosen:
        raise nothing_chosen(model, ClusterWeights.VERB)
    large = [one for one in chosen if int(np.prod(one.variable.shape)) >= k]
    if not large:
        raise CompressionError(f"no tensor of {model.name!r} has {k} weights or more: take fewer clusters")
    x, y = check_data(x, y)
    judged, copy = (strip_clustering(model, check=False) for _ in range(2))  # plain copies, as nothing is clustered
    place_of = {id(weight): place for place, weight in enumerate(model.weights)}
    places = [place_of[id(one.variable)] for one in large]
    squares = _squared_gradients(judged, [judged.weights[place] for place in places], loss, x, y, batch_size)
    for one, place, squared in zip(large, places, squares, strict=True):
        copy.weights[place].assign(_clustered(one, squared, k, preserve_sparsity))
    compile_like(copy, model)
    return copy


def _clustered(chosen, squares, k, preserve_sparsity):
    """The values of a ChosenWeight after weighted k-means. squares: its mean squared gradients, shaped like it."""
    values = np.asarray(chosen.variable.numpy())
    numbers = values.astype("float64")
    if not np.isfinite(numbers).all():
        raise CompressionError(f"{chosen.name}: some weights are NaN or infinite; train the model anew")
    if not np.isfinite(squares).all() or not squares.any():
        raise CompressionError(f"{chosen.name}: its gradients on this data are all 0, or not finite: give other data")
    weights = np.maximum(squares / squares.mean(), LEAST)
    used = numbers != 0 if preserve_sparsity else np.ones(numbers.shape, bool)
    if not used.any():
        return values
    centroids = weighted_centroids(numbers[used], weights[used], k - bool(preserve_sparsity))
    centroids = np.unique(np.append(centroids, 0) if preserve_sparsity else centroids)
    nearest = centroids[np.searchsorted((centroids[1:] + centroids[:-1]) / 2, numbers)]
    return np.where(used, nearest, 0).astype(values.dtype)


def _squared_gradients(model, variables, loss, x, y, batch_size):
    """The mean over batches of the squared gradients of a batch's loss: an array for each variable.

    The gradients are taken by tensors in the variables' place, so that also frozen weights have one. The model stays
    as it is, but for its loss.
    """
    keras.Model.compile(model, loss=loss)

    def loss_of(values, x, y):
        with keras.StatelessScope(state_mapping=zip(variables, values, strict=True)):
            return model.compute_loss(x, y, model(x, training=False), training=False)

    def batch(start):
        rows = slice(start, start + batch_size)
        return keras.tree.map_structure(lambda array: ops.convert_to_tensor(np.asarray(array[rows])), (x, y))

    values = [ops.convert_to_tensor(variable.value) for variable in variables]
    gradients = gradient_function(loss_of)
    starts = range(0, len(keras.tree.flatten(x)[0]), batch_size)
    model.compute_loss(*batch(0), model(batch(0)[0], training=False), training=False)  # builds what the loss needs
    sums = [0.0] * len(values)
    for start in starts:
        found = gradients(values, *batch(start))
        sums = [total + one.astype("float64") ** 2 for total, one in zip(sums, found, strict=True)]
    return [total / len(starts) for total in sums]
