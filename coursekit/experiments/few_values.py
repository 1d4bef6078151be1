"""The networks of notebook 19's page: one compiled model whose layers can be pruned, clustered and frozen at will.

A page that makes a hundred small networks can't compile a model for each. So each layer here has room for a mask, for
centroids and for two switches, and making another network means assigning other numbers. A network is a list with
[weights, bias] for each layer that has weights, as in notebook 18.

Born in notebook 19.
"""

import zlib
from types import SimpleNamespace

import keras
import numpy as np
from keras import ops

from coursekit.compression import quantization, sparsity
from coursekit.compression.centroids import initial_centroids
from coursekit.experiments.common import WIDTHS, reference_network

MOST, FAR = 16, 1e9  # centroids a layer has room for, and where those wait that are not used
PRUNED, VALUES, BITS = 0.8, 14, 8  # of the steps P, C and Q
ALL = range(4)


def nearest(weights, centroids):
    """Each weight's nearest centroid; centroids are sorted. The smaller one, if two are equally near."""
    return centroids[np.searchsorted((centroids[1:] + centroids[:-1]) / 2, weights)]


def with_values(network, k, init="OPTIMAL", layers=ALL, seed=0):
    """The network with at most k values in each of the layers (numbers 0 to 3); nothing is trained."""
    changed = []
    for i, (weights, bias) in enumerate(network):
        if i in layers:
            weights = nearest(weights, initial_centroids(weights, k, init, seed=seed))
        changed.append([weights, bias])
    return changed


def raw(network):
    """The weights and biases as they lie in memory, 4 bytes each: bytes."""
    return b"".join(np.float32(values).tobytes() for pair in network for values in pair)


def content(network, coded=False):
    """What must be stored: floats, or for `coded` weights one byte each and a step a layer; float biases: bytes."""
    if not coded:
        return raw(network)
    stored = []
    for weights, bias in network:
        step = np.float32(quantization.weight_scale(weights, BITS))
        stored += [np.rint(weights / step).astype("int8").tobytes(), step.tobytes(), np.float32(bias).tobytes()]
    return b"".join(stored)


def zipped(stored):
    """How many bytes are left after the method that zip files use (deflate)."""
    return len(zlib.compress(stored, 9))


def range_coded(stream, k):
    """Bytes that the course's range coder needs for a stream of whole numbers below k; it is read back to make sure."""
    from coursekit.compression import coder

    writer = coder.Writer()
    coder.adaptive(writer, stream, len(stream), k)
    written = writer.content()
    if not np.array_equal(coder.adaptive(coder.Reader(written), None, len(stream), k), stream):
        raise ValueError("the stream does not come back from its code; give whole numbers from 0 to k - 1")
    return len(written)


def network_in(model):
    """[[weights, bias], ...] of a plain model of Keras 3 or 2."""
    values = model.get_weights()
    return [[weights, bias] for weights, bias in zip(values[::2], values[1::2], strict=True)]


def model_of(network, api=keras):
    """A plain model of Keras 3, or of tf_keras, with these weights. Its widths are read off the network."""
    widths = tuple(bias.size for _, bias in network[:3])
    model = reference_network(api, widths=widths)
    model.set_weights([values for pair in network for values in pair])
    return model


def mean_loss(logits, y):
    """The mean cross-entropy of logits (n, classes) with digits y (n,)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-log_p[np.arange(len(y)), y].mean())


def _held(value, live):
    """The value; the gradient passes if live is 1, and not if it is 0."""
    return live * value + ops.stop_gradient((1 - live) * value)


def _snap(w, centroids):
    """Each weight's nearest centroid. The gradient goes to the centroids, and to w as well."""
    ranked = ops.sort(centroids)
    place = ops.sum(ops.cast(w[..., None] > (ranked[1:] + ranked[:-1]) / 2, "int32"), axis=-1)
    return ops.take(ranked, place) + (w - ops.stop_gradient(w))


class _FewValues:
    """A mask, centroids, whether they are on, and whether it learns, for a layer with a kernel."""

    def build(self, input_shape):
        super().build(input_shape)
        new = {"initializer": "ones", "trainable": False}
        self.mask = self.add_weight(shape=self.kernel.shape, name="mask", **new)
        self.live = self.add_weight(shape=(), name="live", **new)
        self.on = self.add_weight(shape=(), name="on", **(new | {"initializer": "zeros"}))
        self.centroids = self.add_weight(shape=(MOST,), initializer="zeros", name="centroids")

    def weights_in_use(self):
        w = ops.convert_to_tensor(self.kernel)
        return _held(ops.where(self.on > 0, _snap(w, self.centroids), w), self.live) * self.mask


class _Dense(_FewValues, keras.layers.Dense):
    def call(self, x):
        return self.activation(ops.matmul(x, self.weights_in_use()) + _held(self.bias, self.live))


class _Conv(_FewValues, keras.layers.Conv2D):
    def call(self, x):
        h = ops.conv(x, self.weights_in_use(), padding="valid")
        return self.activation(h + _held(self.bias, self.live))


class Workbench:
    """Makes, changes, trains and measures networks on one set of images.

    data:       a data set with images (n, 28, 28), 0 to 255, and digits
    widths:     filters of the two convolutions and units of the hidden dense layer
    batch_size: of the training
    images:     how many random images an epoch after a step has; None for all
    rng:        the order of the images
    """

    def __init__(self, data, rng, widths=WIDTHS, batch_size=250, images=None, held_out=0):
        n = len(data.x_train) - held_out
        self.x_train, self.y_train = data.x_train[:n, ..., None] / np.float32(255), data.y_train[:n].astype("int32")
        self.x_test, self.y_test = data.x_test[..., None] / np.float32(255), data.y_test.astype("int32")
        self.rng, self.widths, self.batch_size, self.images = rng, widths, batch_size, images or n
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        compiled = {"loss": loss, "jit_compile": keras.backend.backend() == "jax"}
        names = vars(keras.layers) | {"Dense": _Dense, "Conv2D": _Conv}
        switchable = SimpleNamespace(
            __name__="keras", layers=SimpleNamespace(**names), Input=keras.Input, Sequential=keras.Sequential
        )
        self._model = reference_network(switchable, widths=widths)
        self._reader = reference_network(keras, widths=widths)
        for model in (self._model, self._reader):
            model.compile(keras.optimizers.Adam(), **compiled)
            model.optimizer.build(model.trainable_variables)
        self._parts = [layer for layer in self._model.layers if isinstance(layer, _FewValues)]

    def fresh(self, init="glorot_uniform"):
        """A network with random weights (He's for "he_normal") and biases of 0."""
        make = keras.initializers.get(init)
        shapes = [(part.kernel.shape, part.bias.shape) for part in self._parts]
        seeds = self.rng.integers(2**31, size=len(shapes)).tolist()
        made = []
        for (of_weights, of_bias), seed in zip(shapes, seeds, strict=True):
            make = type(make)(seed=seed)
            made.append([ops.convert_to_numpy(make(of_weights)), np.zeros(of_bias, "float32")])
        return made

    def trained(self, network, epochs=1, rate=1e-3, images=None):
        """The network after training that keeps nothing: no value, no zero."""
        self._reader.set_weights([values for pair in network for values in pair])  # plain layers take less time
        self._train(epochs, rate, images, self._reader)
        return network_in(self._reader)

    def fine_tuned(self, network, k, init="OPTIMAL", layers=ALL, rate=1e-3, epochs=1, frozen=(), seed=0):
        """The network with k values in each of the layers, trained on with them; layers in `frozen` stay as placed."""
        self._put(network)
        self._place(k, init, layers, seed)
        for i in frozen:
            self._parts[i].live.assign(0.0)
        self._train(epochs, rate)
        return self._network()

    def step(self, network, letter, keep="", rate=1e-3, epochs=1):
        """The network after P (pruning), C (clustering) or Q (rounding to 8 bits); P and C are followed by an epoch.

        keep: letters of earlier steps whose work the training is to keep, "P" for zeros, "C" for few values.
        """
        if letter == "Q":
            return [[quantization.round_weights(weights, BITS), bias] for weights, bias in network]
        self._put(network)
        if "P" in keep:
            for part, (weights, _) in zip(self._parts, network, strict=True):
                part.mask.assign((weights != 0).astype("float32"))
        if letter == "P":
            scores = [sparsity.lamp_scores(weights) for weights, _ in network]
            for part, mask in zip(self._parts, sparsity.keep_largest(scores, PRUNED), strict=True):
                part.mask.assign(mask)
            if "C" in keep:
                for part, (weights, _) in zip(self._parts, network, strict=True):
                    self._switch_on(part, np.unique(weights))
        else:
            self._place_beside_zero(VALUES) if "P" in keep else self._place(VALUES, "LINEAR")
        self._train(epochs, rate)
        return self._network()

    def pruned_and_clustered(self, network, k, keep_zeros):
        """The pruned network with k linear values in each layer, 0 kept as one of them or not; nothing is trained."""
        if not keep_zeros:
            return with_values(network, k, "LINEAR")
        return [
            [nearest(weights, initial_centroids(weights, k, "LINEAR", preserve_sparsity=True)) * (weights != 0), bias]
            for weights, bias in network
        ]

    def logits(self, network, x=None):
        """(n, 10) for images (n, 28, 28, 1), those of the test set if none are given."""
        x = self.x_test if x is None else x
        self._reader.set_weights([values for pair in network for values in pair])
        parts = np.array_split(x, max(len(x) // 1000, 1))
        return np.concatenate([self._reader.predict_on_batch(part) for part in parts])

    def answers(self, network):
        """The digits (n,) that it reads in the test images."""
        return self.logits(network).argmax(axis=1)

    def accuracy(self, network):
        """The share of the test images that it reads rightly."""
        return float(np.mean(self.answers(network) == self.y_test))

    def inputs_of_dense(self, network, x):
        """What the first dense layer gets for images x: (n, inputs)."""
        self._reader.set_weights([values for pair in network for values in pair])
        found = []
        for h in np.array_split(x, max(len(x) // 500, 1)):
            for layer in self._reader.layers[:-2]:
                h = layer(h)
            found.append(ops.convert_to_numpy(h))
        return np.concatenate(found)

    def _put(self, network):
        """Give the model these weights, all of them free."""
        for part, (weights, bias) in zip(self._parts, network, strict=True):
            part.kernel.assign(weights)
            part.bias.assign(bias)
            part.mask.assign(np.ones(np.shape(weights)))
            part.live.assign(1.0)
            part.on.assign(0.0)

    def _network(self):
        return [[ops.convert_to_numpy(p.weights_in_use()) + 0, ops.convert_to_numpy(p.bias) + 0] for p in self._parts]

    def _place(self, k, init, layers=ALL, seed=0):
        for i in layers:
            self._switch_on(self._parts[i], initial_centroids(np.asarray(self._kernel(i)), k, init, seed=seed))

    def _place_beside_zero(self, k):
        """k values in each layer, one of them 0, which is the mask's."""
        for i, part in enumerate(self._parts):
            placed = initial_centroids(self._kernel(i), k, "LINEAR", preserve_sparsity=True)
            self._switch_on(part, placed[placed != 0])

    def _kernel(self, i):
        return ops.convert_to_numpy(self._parts[i].kernel) * ops.convert_to_numpy(self._parts[i].mask)

    def _switch_on(self, part, centroids):
        part.centroids.assign(np.append(centroids, np.full(MOST - len(centroids), FAR)))
        part.on.assign(1.0)

    def _train(self, epochs, rate, images=None, model=None):
        """Adam from a fresh start, at a constant rate; whole batches."""
        model = model or self._model
        for variable in model.optimizer.variables:
            variable.assign(np.zeros(variable.shape))
        model.optimizer.learning_rate = rate
        for _ in range(epochs):
            order = self.rng.permutation(len(self.x_train))[: images or self.images]
            for start in range(0, len(order) - self.batch_size + 1, self.batch_size):
                batch = order[start : start + self.batch_size]
                model.train_on_batch(self.x_train[batch], self.y_train[batch])
