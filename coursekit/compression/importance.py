"""Clustering after the fact in which weights count by how much the loss depends on them. Born in notebook 19.

    small = compression.cluster_by_sensitivity(model, x, y, number_of_clusters=8)   # a plain model, at once

Plain k-means moves all weights as little as it can. But a small change of one weight can cost more loss than a large
change of another. Near a minimum of the loss, the cost of a small change is about half its square times the second
derivative, and the mean of the squared gradients over examples (the diagonal of the empirical Fisher information)
estimates that derivative. So these means are the weights of k-means: Kim and others (2023), "SqueezeLLM:
Dense-and-sparse quantization", section 4.1, arXiv:2306.07629; SKMPalettizer of Apple's coremltools does the same.
"""

import keras
import numpy as np
from keras import ops

from coursekit.compression.centroids import weighted_centroids
from coursekit.compression.clustering import ClusterWeights, _check_is_layer, _check_number, strip_clustering
from coursekit.compression.estimates import check_data
from coursekit.compression.model_copy import check_is_built, chosen_weights, compile_like, nothing_chosen
from coursekit.compression.wrapper import check_is_plain
from coursekit.errors import CompressionError
from coursekit.keras_internals import substituted, without_trace

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
    is compiled like the model.

    Raises CompressionError as cluster_weights does; also for a model without a loss, and where all gradients of a
    tensor are 0 or some are not finite.
    """
    _check_is_layer(model)
    if not isinstance(model, keras.Model):
        raise CompressionError(f"a Keras model is needed, and this is {model!r}")
    k = _check_number(number_of_clusters)
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
    squares = _squared_gradients(judged, loss, x, y, batch_size)
    places = {id(weight): place for place, weight in enumerate(model.weights)}
    for one in large:
        place = places[id(one.variable)]
        copy.weights[place].assign(_clustered(one, squares[id(judged.weights[place])], k, preserve_sparsity))
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


def _squared_gradients(model, loss, x, y, batch_size):
    """The mean over batches of each weight's squared gradient: {id of a variable: array}. The model is used up.

    Keras computes gradients on every backend, and Adagrad keeps the sums of their squares; at a learning rate of 0 it
    changes no weight.
    """
    model.trainable = True  # a frozen layer has gradients, too
    optimizer = keras.optimizers.Adagrad(0.0, initial_accumulator_value=0.0)
    with without_trace():
        judged = _AsInPrediction(model)
        judged.compile(optimizer, loss=loss, auto_scale_loss=False)
        judged.fit(x, y, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)
    steps, variables = int(optimizer.iterations.numpy()), judged.trainable_variables
    sums = optimizer.variables[-len(variables) :]
    pairs = zip(variables, sums, strict=True)
    return {id(one): ops.convert_to_numpy(total).astype("float64") / steps for one, total in pairs}


class _AsInPrediction(keras.Model):
    """A model that runs as in prediction also while it is trained: no dropout, and statistics as they are.

    Its weights are used times 1. So the gradients of embeddings are whole tables, too; TensorFlow would give a row for
    each place of a word in the inputs, and Adagrad would square these one by one.
    """

    def __init__(self, inner):
        super().__init__(name="judged")
        self.inner = inner

    def call(self, inputs):
        variables = self.inner.trainable_variables
        with substituted(variables, [variable.value * 1.0 for variable in variables]):
            return self.inner(inputs, training=False)
