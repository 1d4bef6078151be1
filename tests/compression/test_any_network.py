"""Networks and habits that the library once lost something of, got wrong or refused; each works now, on every backend.

    KERAS_BACKEND=jax PYTHONPATH=.:tests python tests/compression/test_any_network.py --all

tries the CASES, each a function that asserts; without --all those that have most to do with the backend.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops
from networks import array

from coursekit import compression as cc
from coursekit.compression.wrapper import wrappers_in
from coursekit.errors import CompressedFileError, CompressionError

ROOT = Path(__file__).resolve().parents[2]
rng = np.random.default_rng(0)
X = (5 + 3 * rng.normal(size=(32, 6))).astype("float32")
WORDS = np.array([["red"], ["blue"], ["green"]])


def sequential(*some, shape=(6,), **more):
    return keras.Sequential([keras.Input(shape, **more), *some])


def outputs(model, x=X):
    return array(model(x, training=False)).astype("float32")


def fitted(model, x=X, callbacks=()):
    """The model after one step, not compiled into a function."""
    model.compile(keras.optimizers.SGD(0.01), "mse", metrics=["mae"], run_eagerly=True, jit_compile=False)
    model.fit(x, np.zeros(outputs(model, x).shape), batch_size=len(x), verbose=0, callbacks=list(callbacks))
    return model


def comes_back(model, x=X):
    """Whether a model computes the same once it is saved and loaded."""
    with tempfile.TemporaryDirectory() as folder:
        cc.save_compressed(model, Path(folder) / "model")
        return np.array_equal(outputs(cc.load_compressed(Path(folder) / "model"), x), outputs(model, x))


def check_wrapped(model, x=X, fit=False):
    """The model is pruned (at first nothing is), clustered and stripped, and each copy computes what it should."""
    before = outputs(model, x)
    pruned = cc.prune_low_magnitude(model, cc.ConstantSparsity(0.25, 0))
    assert np.array_equal(outputs(pruned, x), before), "pruned, it computes something else at once"
    clustered = cc.cluster_weights(model, 3, "LINEAR")
    if fit:
        fitted(pruned, x, [cc.UpdatePruningStep()]), fitted(clustered, x)
    for wrapped, strip in ((pruned, cc.strip_pruning), (clustered, cc.strip_clustering)):
        assert np.isfinite(outputs(wrapped, x)).all()
        plain = strip(wrapped)
        assert type(plain) is type(model) and np.array_equal(outputs(plain, x), outputs(wrapped, x))
    for wrapper in wrappers_in(clustered):
        assert max(np.unique(values).size for values in wrapper.final_values()) <= 3
    assert np.array_equal(outputs(model, x), before)
    return clustered


# --- state that is no weight ------------------------------------------------------------------------------------------
def normalization_keeps_what_it_was_adapted_to():
    layer = layers.Normalization()
    layer.adapt(X)
    model = sequential(layer, layers.Dense(4))
    assert comes_back(model)
    check_wrapped(model)


def bins_come_along():
    layer = layers.Discretization(num_bins=4)
    layer.adapt(X)
    model = sequential(layer, layers.Embedding(5, 4), layers.Flatten(), layers.Dense(3))
    assert comes_back(model)
    check_wrapped(model)


def a_state_comes_along_and_is_not_saved():
    inputs = keras.Input(batch_shape=(2, 5, 3))
    lstm = layers.LSTM(4, stateful=True)
    model, x = keras.Model(inputs, layers.Dense(3)(lstm(inputs))), X[:5].reshape(2, 5, 3)
    outputs(model, x)
    with pytest.raises(CompressedFileError, match=r"'lstm\w*' is stateful and holds a state.*reset_state"):
        comes_back(model, x)
    pruned = cc.prune_low_magnitude(model)
    assert np.array_equal(outputs(pruned, x), outputs(model, x))
    lstm.reset_state()
    with tempfile.TemporaryDirectory() as folder:
        cc.save_compressed(model, Path(folder) / "model")
        assert not np.any(array(lstm.states[0])), "the check has left a state"
        again = cc.load_compressed(Path(folder) / "model")
    assert again.layers[1].stateful
    assert np.array_equal(outputs(again, x), outputs(model, x))


def spectral_norms_are_taken_while_clustered():
    model = sequential(layers.SpectralNormalization(layers.Dense(8)), layers.Dense(3))
    x = X / 5
    assert comes_back(model, x)
    clustered = check_wrapped(model, x, fit=True)
    inner = clustered.layers[0].layer.layer
    largest = np.linalg.svd(array(inner.kernel), compute_uv=False)[0]
    assert 0.5 < largest < 2  # one step of the power iteration from a random start


@keras.saving.register_keras_serializable(package="tests")
class Forgetful(layers.Layer):
    """A layer with a number that no configuration and no weight holds."""

    shift = 0.0

    def call(self, x):
        return x + self.shift


def what_is_lost_all_the_same_is_found_out():
    model = sequential(Forgetful(), layers.Dense(3))
    model.layers[0].shift = 2.0
    trusted = {"tests>Forgetful": Forgetful}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        with pytest.raises(CompressedFileError, match=r"would compute something else.*check=False"):
            cc.save_compressed(model, path, custom_objects=trusted)
        assert not path.exists()
        with pytest.raises(CompressedFileError, match="would compute something else"):
            cc.save_compressed(model, path, custom_objects=trusted, check=X)
        cc.save_compressed(model, path, custom_objects=trusted, check=False)
    clustered = cc.cluster_weights(model, 3)
    clustered.layers[0].shift = 2.0
    with pytest.raises(CompressionError, match=r"computes something else without its wrappers"):
        cc.strip_clustering(clustered)
    cc.strip_clustering(clustered, check=False)


# --- models of a class of their own -----------------------------------------------------------------------------------
@keras.saving.register_keras_serializable(package="tests")
class Coder(keras.Model):
    """An autoencoder with a method, an attribute, a list of layers and a loss of its own."""

    def __init__(self, width=4, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.encoder = keras.Sequential([keras.Input((6,)), layers.Dense(width, activation="relu"), layers.Dense(2)])
        self.decoder = [layers.Dense(width, activation="relu"), layers.Dense(6)]
        self.seen = keras.metrics.Mean(name="seen")

    def encode(self, x):
        return self.encoder(x)

    def call(self, x):
        x = self.encode(x)
        for layer in self.decoder:
            x = layer(x)
        return x

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = ops.mean(ops.square(x - self(x)))
        self.seen.update_state(loss)
        return loss

    def get_config(self):
        return {"width": self.width, "name": self.name}


@keras.saving.register_keras_serializable(package="tests")
class Trained(Coder):
    """The same with a train_step of its own, as TensorFlow has it."""

    def train_step(self, data):
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = ops.mean(ops.square(data - self(data, training=True)))
        self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
        return {"mine": loss}


def a_model_of_its_own_class_keeps_its_methods_and_its_loss():
    model = Coder(width=5)
    model(X)
    model.compile(keras.optimizers.SGD(0.01), run_eagerly=True, jit_compile=False)
    clustered = cc.cluster_weights(model, 3, "OPTIMAL")
    assert isinstance(clustered, Coder) and clustered.width == 5 and len(wrappers_in(clustered)) == 4
    history = clustered.fit(X, verbose=0).history
    assert history["loss"][0] == pytest.approx(history["seen"][0]) and history["loss"][0] > 1
    with tempfile.TemporaryDirectory() as folder:
        clustered.save(Path(folder) / "half.keras")
        again = keras.models.load_model(Path(folder) / "half.keras")
    assert np.array_equal(outputs(again), outputs(clustered)) and len(wrappers_in(again)) == 4
    plain = cc.strip_clustering(again)
    assert type(plain) is Coder and not wrappers_in(plain)
    assert np.array_equal(array(plain.encode(X)), array(clustered.encode(X)))
    assert np.unique(plain.decoder[0].get_weights()[0]).size <= 3


def a_train_step_of_its_own_trains_the_centroids():
    model = Trained()
    model(X)
    model.compile(keras.optimizers.SGD(0.01), run_eagerly=True)
    clustered = cc.cluster_weights(model, 3)
    before = [array(wrapper.centroids[0]) for wrapper in wrappers_in(clustered)]
    assert list(clustered.fit(X, verbose=0).history) == ["mine"]
    after = [array(wrapper.centroids[0]) for wrapper in wrappers_in(clustered)]
    assert not any(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


class Plain(keras.Model):
    """A model without a configuration."""

    def __init__(self):
        super().__init__()
        self.first, self.last = layers.Dense(8, activation="relu"), layers.Dense(3)

    def call(self, x):
        return self.last(self.first(x))


def a_compiled_model_without_a_configuration_has_a_loss():
    model = Plain()
    model(X)
    settings = {"optimizer": "sgd", "loss": "mse", "metrics": ["mae"]}
    model.compile(**settings, run_eagerly=True, jit_compile=False)
    clustered = check_wrapped(model)
    y = np.ones((32, 3))
    found = clustered.evaluate(X, y, verbose=0)
    off = outputs(clustered) - 1
    assert found == pytest.approx([np.mean(off**2), np.mean(abs(off))], rel=1e-4)
    assert clustered.fit(X, y, verbose=0).history["loss"][0] > 0


@keras.saving.register_keras_serializable(package="tests")
class OwnWeights(keras.Model):
    """A model with a weight of its own that is to be clustered."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.last = layers.Dense(3)

    def build(self, shape):
        self.mix = self.add_weight(shape=(shape[-1], 6), name="mix")
        self.last.build((None, 6))

    def call(self, x):
        return self.last(x @ self.mix)

    def get_clusterable_weights(self):
        return [("mix", self.mix)]


def weights_of_the_models_own_are_clustered_too():
    model = OwnWeights()
    model(X)
    model.compile("sgd", "mse", metrics=["mae"], run_eagerly=True, jit_compile=False)
    clustered = cc.cluster_weights(model, 3)
    found = clustered.evaluate(X, np.ones((32, 3)), verbose=0)
    assert found[0] == pytest.approx(np.mean((outputs(clustered) - 1) ** 2), rel=1e-4)
    assert np.unique(array(cc.strip_clustering(clustered).mix)).size <= 3


@keras.saving.register_keras_serializable(package="tests")
class Graph(keras.Model):
    """A model whose __init__ makes a functional model, with a method."""

    def __init__(self, width=4, **kwargs):
        inputs = keras.Input((6,))
        super().__init__(inputs, layers.Dense(3)(layers.Dense(width, activation="relu")(inputs)), **kwargs)

    def encode(self, x):
        return self.layers[1](x)


class Chain(keras.Sequential):
    """A Sequential with a method."""

    def encode(self, x):
        return self.layers[0](x)


class MadeOfLayers(keras.Model):
    """A model whose __init__ makes a functional model, and nothing else."""

    def __init__(self):
        inputs = keras.Input((6,))
        super().__init__(inputs, layers.Dense(3)(layers.Dense(4)(inputs)))


def a_functional_model_with_methods_is_refused_and_the_advice_leads_somewhere():
    inputs, chain = keras.Input((6,)), Chain([keras.Input((6,)), layers.Dense(4), layers.Dense(3)])
    around = keras.Model(inputs, layers.Dense(3)(Graph(name="inside")(inputs)))
    for model in (Graph(), chain, around, Chain([layers.Dense(4)])):
        for change in (lambda m: cc.cluster_weights(m, 3), cc.prune_low_magnitude, cc.strip_clustering):
            with pytest.raises(CompressionError, match=r"a copy would lose its encode: take plain = keras\.Model"):
                change(model)
    for model, plain in (
        (graph := Graph(), keras.Model(graph.input, graph.output)),
        (chain, keras.Model(chain.inputs[0], chain.outputs[0])),
    ):
        small = cc.strip_clustering(cc.cluster_weights(plain, 3))
        model.set_weights(small.get_weights())
        assert np.array_equal(outputs(model), outputs(small))
        assert np.unique(model.get_weights()[0]).size <= 3
    clustered = cc.cluster_weights(MadeOfLayers(), 3)  # nothing is lost with this class
    assert len(wrappers_in(clustered)) == 2


def a_model_of_its_own_class_is_wrapped_a_layer_at_a_time():
    model = Coder(width=5)
    model(X)
    before = outputs(model)
    named = [layer.name for layer in model.decoder]
    for change, strip in ((cc.cluster_weights, cc.strip_clustering), (cc.prune_low_magnitude, cc.strip_pruning)):
        hows = ({"number_of_clusters": 2}, {"number_of_clusters": 3}) if change is cc.cluster_weights else ({}, {})
        wrapped = model
        for how, name in zip(hows, reversed(named), strict=True):
            wrapped = change(wrapped, layers=[name], **how)
            assert isinstance(wrapped, Coder) and np.array_equal(outputs(model), before)
        assert len(wrappers_in(wrapped)) == 2
        with tempfile.TemporaryDirectory() as folder:
            wrapped.save(Path(folder) / "half.keras")
            again = keras.models.load_model(Path(folder) / "half.keras")
        assert np.array_equal(outputs(again), outputs(wrapped)) and len(wrappers_in(again)) == 2
        plain = strip(again)
        assert type(plain) is Coder and np.array_equal(outputs(plain), outputs(wrapped))
        if change is cc.cluster_weights:
            assert [np.unique(layer.get_weights()[0]).size for layer in plain.decoder] == [3, 2]


def copies_keep_the_names_of_all_layers():
    first, second, third = keras.Input((6,)), keras.Input((6,)), keras.Input((6,))
    inner = keras.Model(third, layers.Dense(4)(third))
    model = keras.Model([first, second], layers.Dense(3)(inner(first) + inner(second)))
    clustered = cc.cluster_weights(model, 3)

    def names(model):
        return [operation.name for each in (model, model.get_layer(inner.name)) for operation in each.operations]

    assert names(cc.strip_clustering(clustered)) == names(clustered) == names(model)
    own = Coder()
    own(X)
    clustered = cc.cluster_weights(own, 3, layers=[own.decoder[0]])
    for copy in (clustered, cc.strip_clustering(clustered)):
        assert [layer.name for layer in copy.decoder] == [layer.name for layer in own.decoder]
        assert [layer.name for layer in copy.encoder.layers] == [layer.name for layer in own.encoder.layers]


# --- crashes ----------------------------------------------------------------------------------------------------------
def half_precision_is_clustered():
    for kind in ("float16", "bfloat16"):
        model = sequential(layers.Dense(8, dtype=kind), layers.Dense(3, dtype=kind))
        assert comes_back(model)
        check_wrapped(model, X / 8, fit=True)


def a_frozen_model_stays_frozen():
    inner = sequential(layers.Dense(4), layers.Dense(3))
    inner.trainable = False
    inputs = keras.Input((6,))
    outer = keras.Model(inputs, layers.Dense(2)(inner(inputs)))
    for model in (inner, outer):
        assert comes_back(model)
        clustered = check_wrapped(model)
        with tempfile.TemporaryDirectory() as folder:
            cc.save_compressed(model, Path(folder) / "model")
            again = cc.load_compressed(Path(folder) / "model")
        for copy in (cc.strip_clustering(clustered), again):
            assert len(copy.trainable_weights) == len(model.trainable_weights)
            frozen = copy if model is inner else copy.layers[1]
            assert not frozen.trainable
    assert not cc.cluster_weights(inner, 3).trainable_weights  # no centroids either


def a_clustered_model_is_saved_as_h5():
    clustered = cc.cluster_weights(sequential(layers.Dense(8), layers.Dense(3)), 3)
    with tempfile.TemporaryDirectory() as folder:
        clustered.save(Path(folder) / "model.h5")
        again = keras.models.load_model(Path(folder) / "model.h5")
    assert np.array_equal(outputs(again), outputs(clustered))


@keras.saving.register_keras_serializable(package="tests")
class Block(layers.Layer):
    """A layer of one's own, whose configuration says nothing of the layers inside it."""

    def __init__(self, **more):
        super().__init__(**more)
        self.first, self.second = layers.Dense(6), layers.Dense(6)

    def build(self, shape):
        self.first.build(shape), self.second.build(shape)

    def call(self, x):
        return self.second(ops.relu(self.first(x)))

    def compute_output_shape(self, shape):
        return shape


@keras.saving.register_keras_serializable(package="tests")
class EncoderAndHead(keras.Model):
    def __init__(self, **more):
        super().__init__(**more)
        self.encoder, self.block = keras.Sequential([layers.Dense(6), layers.Dense(6)]), Block()

    def call(self, x):
        return self.block(self.encoder(x))


def own_class():
    model = EncoderAndHead()
    model(X)
    return model


def what_is_frozen_one_by_one_stays_frozen():
    def frozen(make, *parts):
        model = make()
        for part in parts:
            part(model).trainable = False
        return model

    def thawed():
        model = sequential(sequential(layers.Dense(6), layers.Dense(6)), layers.Dense(3))
        model.layers[0].trainable = False
        model.layers[0].layers[1].trainable = True
        return model

    for model in (
        frozen(lambda: sequential(Block(), layers.Dense(3)), lambda m: m.layers[0].first, lambda m: m.layers[1].bias),
        frozen(lambda: sequential(layers.Dense(4), layers.Dense(3)), lambda m: m.layers[0].kernel),
        frozen(own_class, lambda m: m.encoder),
        frozen(own_class, lambda m: m.encoder.layers[0], lambda m: m.block.second),
        thawed(),
    ):
        trained = [weight.trainable for weight in model.weights]
        trusted = {"tests>Block": Block, "tests>EncoderAndHead": EncoderAndHead}
        with tempfile.TemporaryDirectory() as folder:
            cc.save_compressed(model, Path(folder) / "model", custom_objects=trusted)
            copies = [cc.load_compressed(Path(folder) / "model", custom_objects=trusted)]
        copies.append(cc.strip_clustering(cc.cluster_weights(model, 3)))
        copies.append(cc.strip_pruning(cc.prune_low_magnitude(model)))
        for copy in copies:
            assert [weight.trainable for weight in copy.weights] == trained
            assert len(copy.trainable_weights) == len(model.trainable_weights) == sum(trained)
        assert [weight.trainable for weight in model.weights] == trained


def layers_are_called_by_the_names_of_their_arguments():
    inputs = keras.Input((5, 8))
    attention = layers.MultiHeadAttention(2, 3)(query=inputs, value=inputs, use_causal_mask=True)
    x = rng.normal(size=(2, 5, 8)).astype("float32")
    clustered = check_wrapped(keras.Model(inputs, attention), x, fit=True)
    with tempfile.TemporaryDirectory() as folder:
        clustered.save(Path(folder) / "model.keras")
        again = keras.models.load_model(Path(folder) / "model.keras")
    assert np.array_equal(outputs(again, x), outputs(clustered, x))


@keras.saving.register_keras_serializable(package="tests")
class WithNothingInIt(layers.Layer):
    """A layer whose only weight has no numbers."""

    def build(self, shape):
        self.nothing = self.add_weight(shape=(0, 4), name="nothing")

    def call(self, x):
        return x

    def get_prunable_weights(self):
        return [self.nothing]

    get_clusterable_weights = get_prunable_weights


def weights_of_no_numbers_are_left_alone():
    model = sequential(WithNothingInIt(), layers.Dense(3))
    check_wrapped(model, fit=True)
    with pytest.raises(CompressionError, match="there is nothing to prune"):
        cc.prune_low_magnitude(model, layers=WithNothingInIt)


def a_sequential_made_under_another_policy_is_saved():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = sequential(layers.Dense(4), layers.Dense(3, dtype="float32"))
    finally:
        keras.config.set_dtype_policy("float32")
    assert comes_back(model)
    check_wrapped(model)


# --- refusals that lead somewhere -------------------------------------------------------------------------------------
@keras.saving.register_keras_serializable(package="tests")
class Backwards(layers.Layer):
    """An embedding used as the output's matrix, by the weights of another layer."""

    def __init__(self, embedding, **more):
        super().__init__(**more)
        self.embedding = embedding

    def call(self, x):
        return ops.matmul(x, ops.transpose(self.embedding.embeddings))

    def get_config(self):
        return {**super().get_config(), "embedding": keras.saving.serialize_keras_object(self.embedding)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config.pop("embedding")), **config)


def a_weight_that_two_layers_share_is_refused():
    words, pictures = keras.Input((3,), dtype="int32"), keras.Input((5, 6))
    embedding, dense = layers.Embedding(9, 4), layers.Dense(3)
    tied = keras.Model(words, Backwards(embedding)(layers.Dense(4)(embedding(words))))
    within = keras.Model(pictures, [dense(pictures), layers.TimeDistributed(dense)(pictures)])
    for model in (tied, within):
        for wrap in (cc.prune_low_magnitude, lambda model: cc.cluster_weights(model, 3)):
            with pytest.raises(CompressionError, match=r"share the weight .*and a copy would have it twice: call one"):
                wrap(model)
    once = keras.Model(pictures, [dense(pictures), dense(2 * pictures)])  # as the sentence says
    stripped = cc.strip_clustering(cc.cluster_weights(once, 3))
    assert len(stripped.weights) == 2


def functions_of_keras_ops_are_saved_once_they_are_handed_over():
    inputs = keras.Input((6,))
    model = keras.Model(inputs, layers.Dense(3)(ops.cast(ops.cast(inputs, "int32"), "float32")))
    with tempfile.TemporaryDirectory() as folder:
        with pytest.raises(CompressedFileError, match=r"'Cast' is a function of keras.ops.*among type\(one\)"):
            cc.save_compressed(model, Path(folder) / "model")
        trusted = {"Cast": next(type(one) for one in model.operations if type(one).__name__ == "Cast")}
        cc.save_compressed(model, Path(folder) / "model", custom_objects=trusted)
        again = cc.load_compressed(Path(folder) / "model", custom_objects=trusted)
    assert np.array_equal(outputs(again), outputs(model))


def what_keras_has_quantized_is_refused_by_name():
    for mode in ("int4", "float8"):
        model = sequential(layers.Dense(8), layers.Dense(3))
        with tempfile.TemporaryDirectory() as folder:
            cc.save_compressed(model, Path(folder) / "model")
            again = cc.load_compressed(Path(folder) / "model")
            model.quantize(mode)
            says = f"was quantized by Keras to {mode}.*save the model as it was before.*quantize it again"
            with pytest.raises(CompressedFileError, match=says):
                cc.save_compressed(model, Path(folder) / "model")
        again.quantize(mode)
        assert np.allclose(outputs(again), outputs(model), atol=1e-5)


def a_batch_that_does_not_fit_is_refused_in_one_sentence():
    model = sequential(layers.Dense(8), layers.Dense(3))
    own = Plain()
    own(X)
    wrong = (X[:, :5], X[0], X[:0], {"z": X}, "yes", 1, np.array([["a"] * 6]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        for batch in wrong:
            with pytest.raises(
                CompressedFileError, match=r"^'sequential\w*' can't be .*takes \(None, 6\) and check is .*$"
            ):
                cc.save_compressed(model, path, check=batch)
        for change, strip in ((cc.cluster_weights, cc.strip_clustering), (cc.prune_low_magnitude, cc.strip_pruning)):
            for each in (model, own):
                wrapped = change(each, 3) if change is cc.cluster_weights else change(each)
                with pytest.raises(CompressionError, match=r"can't be run on the batch .*check is \(32, 5\)$"):
                    strip(wrapped, check=X[:, :5])
                strip(wrapped, check=X)
        assert not path.exists()
        cc.save_compressed(model, path, check=X)


def double(x):
    return 2 * x


def functions_with_names_are_saved_once_they_are_handed_over():
    nameless = sequential(layers.Lambda(lambda x: 2 * x), layers.Dense(3))
    model = sequential(layers.Lambda(double), layers.Dense(3))
    active = sequential(layers.Dense(4, activation=double), layers.Dense(3))
    both, one = {"Lambda": keras.layers.Lambda, "double": double}, {"double": double}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        for trusted, says in ((None, "give the layer a function with a name"), (both, "a function without a name")):
            with pytest.raises(CompressedFileError, match=f"{says}.*custom_objects="):
                cc.save_compressed(nameless, path, custom_objects=trusted)
        for made, trusted, says in (
            (model, both, "a Lambda layer holds Python code"),
            (active, one, "'double': double"),
        ):
            with pytest.raises(CompressedFileError, match=says):
                cc.save_compressed(made, path)
            cc.save_compressed(made, path, custom_objects=trusted)
            with pytest.raises(CompressedFileError, match=says):
                cc.load_compressed(path)
            assert np.array_equal(outputs(cc.load_compressed(path, custom_objects=trusted)), outputs(made))


# --- refused without need ---------------------------------------------------------------------------------------------
def constants_between_layers_are_saved():
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(11, 8)(inputs) + ops.convert_to_tensor(np.linspace(-1, 1, 8, dtype="float32"))
    mask = ops.convert_to_tensor(np.tril(np.ones((1, 6, 6), bool)))
    x = layers.MultiHeadAttention(2, 4)(x, x, attention_mask=mask)
    model, x = keras.Model(inputs, layers.Dense(3)(x)), rng.integers(0, 11, (4, 6)).astype("int32")
    assert comes_back(model, x)
    check_wrapped(model, x)


def stands_in_a_model(layer):
    """Whether Keras itself can put the layer into a model: 3.10 can't with RandomGrayscale."""
    try:
        sequential(type(layer).from_config(layer.get_config()), shape=(8, 8, 3))
    except ValueError:
        return False
    return True


def augmentation_is_saved():
    kinds = ("Saturation", "Hue", "Grayscale", "Invert", "Sharpness", "Posterization", "Erasing")
    some = [getattr(layers, f"Random{kind}") for kind in kinds if hasattr(layers, f"Random{kind}")]
    others = {"RandomErasing": {}, "RandomPosterization": {"factor": 4}}
    made = [one(**others.get(one.__name__, {"factor": 0.3})) for one in some]
    model = sequential(*filter(stands_in_a_model, made), layers.Conv2D(2, 3), shape=(8, 8, 3))
    assert comes_back(model, rng.uniform(size=(2, 8, 8, 3)).astype("float32"))


def normalization_beside_grouped_attention_is_left_alone():
    inputs = keras.Input((5, 8))
    x = layers.RMSNormalization()(inputs)
    check_wrapped(keras.Model(inputs, layers.GroupQueryAttention(4, 4, 2)(x, x)), rng.normal(size=(2, 5, 8)))


def convolutional_cells_are_clustered():
    model = sequential(layers.ConvLSTM2D(2, 3), shape=(2, 6, 6, 3))
    clustered = check_wrapped(model, rng.normal(size=(2, 2, 6, 6, 3)))
    assert len(wrappers_in(clustered)[0].positions) == 2


# --- habits -----------------------------------------------------------------------------------------------------------
def layers_without_weights_pass_through_a_list():
    some = [layers.Dense(4), layers.Dropout(0.5), layers.Rescaling(2.0), layers.BatchNormalization(), layers.Dense(3)]
    for wrap, strip in ((cc.cluster_weights, cc.strip_clustering), (cc.prune_low_magnitude, cc.strip_pruning)):
        wrapped = wrap(some, **({"number_of_clusters": 3} if wrap is cc.cluster_weights else {}))
        model = sequential(*wrapped)
        assert sum(bool(wrapper.positions) for wrapper in wrappers_in(model)) == 2
        plain = strip(model)
        assert [type(layer) for layer in plain.layers] == [type(layer) for layer in some]
        again = wrap(plain.layers, **({"number_of_clusters": 3} if wrap is cc.cluster_weights else {}))
        assert len(wrappers_in(sequential(*again))) == 2  # now that they are built, it is known


def a_layer_that_stands_in_a_list_twice_stays_one():
    dense, relu = layers.Dense(6), layers.ReLU()
    for built in (False, True):
        if built:
            dense.build((None, 6))
        for wrapped in (
            cc.cluster_weights([dense, relu, dense], 3),
            cc.cluster_in_groups([dense, relu, dense], 3, 2),
            cc.cluster_in_vectors([dense, relu, dense], 3, 2),
            cc.prune_low_magnitude([dense] * 2),
        ):
            assert wrapped[0] is wrapped[-1]
            model = sequential(*wrapped)
            assert len(wrappers_in(model)) == 1 and outputs(model).shape == X.shape


def attention_in_a_list_is_built_first():
    attention, x = layers.MultiHeadAttention(2, 3), rng.normal(size=(2, 5, 4)).astype("float32")
    with pytest.raises(CompressionError, match="for several inputs: call it on data once, then wrap it"):
        cc.cluster_weights([attention], 3)
    before = array(attention(x, x))
    (pruned,) = cc.prune_low_magnitude([attention])
    assert np.array_equal(array(pruned(query=x, value=x, training=False)), before)


def a_sequential_without_an_input_is_wrapped_when_it_is_built():
    model = keras.Sequential([layers.Dense(4), layers.Dropout(0.5), layers.Dense(3, name="last")])
    clustered = cc.cluster_weights(model, 3)
    assert outputs(clustered).shape == (32, 3) and not model.built
    assert all(np.unique(values).size <= 3 for wrapper in wrappers_in(clustered) for values in wrapper.final_values())
    assert [wrapper.name for wrapper in wrappers_in(cc.prune_low_magnitude(model, layers="last"))] == ["last"]
    with pytest.raises(CompressionError, match="no layer is named 'first'"):
        cc.cluster_weights(model, 3, layers="first")


def layers_that_are_wrapped_already_stay_so():
    first = cc.prune_low_magnitude(layers.Dense(4), cc.ConstantSparsity(0.5, 7))
    model = cc.prune_low_magnitude(sequential(first, layers.Dense(3)), cc.ConstantSparsity(0.25, 0))
    assert [wrapper.pruning_schedule.begin_step for wrapper in wrappers_in(model)] == [7, 0]
    fitted(model, callbacks=[cc.UpdatePruningStep()])
    plain = cc.strip_pruning(model)
    assert [float((layer.get_weights()[0] == 0).mean()) for layer in plain.layers] == [0, 0.25]


def a_layer_with_fewer_weights_than_clusters_stays_as_it_is():
    model = sequential(layers.Conv2D(4, 3), layers.Conv2D(1, 1), shape=(6, 6, 3))
    clustered = cc.cluster_weights(model, 8)
    assert len(wrappers_in(clustered)) == 1
    assert np.array_equal(cc.strip_clustering(clustered).layers[1].get_weights()[0], model.layers[1].get_weights()[0])


def pruning_at_one_step():
    schedule = cc.PolynomialDecay(0.1, 0.5, begin_step=5, end_step=5)
    assert [schedule(step) for step in (4, 5, 6)] == [(False, 0.1), (True, 0.5), (False, 0.5)]


def a_loop_takes_the_copys_optimizer_and_goes_on_after_a_stop():
    model = fitted(sequential(layers.Dense(4), layers.Dense(3)))
    pruned = cc.prune_low_magnitude(model, cc.ConstantSparsity(0.5, 0, frequency=1))
    assert not {id(v) for v in pruned.optimizer.variables} & {id(v) for v in model.optimizer.variables}
    slopes = [ops.ones(variable.shape) for variable in pruned.trainable_variables]
    pruned.optimizer.apply(slopes, pruned.trainable_variables)
    pruned.compile("sgd", "mse", run_eagerly=True, jit_compile=False)
    for _ in range(2):
        pruned.fit(X, np.zeros((32, 3)), batch_size=16, verbose=0, callbacks=[cc.UpdatePruningStep()])
        with tempfile.TemporaryDirectory() as folder:
            pruned.save(Path(folder) / "model.keras")
            pruned = keras.models.load_model(Path(folder) / "model.keras")
    assert {int(array(wrapper.pruning_step)) for wrapper in wrappers_in(pruned)} == {4}


CASES = (
    normalization_keeps_what_it_was_adapted_to,
    bins_come_along,
    a_state_comes_along_and_is_not_saved,
    spectral_norms_are_taken_while_clustered,
    what_is_lost_all_the_same_is_found_out,
    a_model_of_its_own_class_keeps_its_methods_and_its_loss,
    a_compiled_model_without_a_configuration_has_a_loss,
    weights_of_the_models_own_are_clustered_too,
    a_functional_model_with_methods_is_refused_and_the_advice_leads_somewhere,
    a_model_of_its_own_class_is_wrapped_a_layer_at_a_time,
    copies_keep_the_names_of_all_layers,
    what_keras_has_quantized_is_refused_by_name,
    a_batch_that_does_not_fit_is_refused_in_one_sentence,
    functions_with_names_are_saved_once_they_are_handed_over,
    half_precision_is_clustered,
    a_frozen_model_stays_frozen,
    what_is_frozen_one_by_one_stays_frozen,
    layers_are_called_by_the_names_of_their_arguments,
    weights_of_no_numbers_are_left_alone,
    a_sequential_made_under_another_policy_is_saved,
    a_weight_that_two_layers_share_is_refused,
    functions_of_keras_ops_are_saved_once_they_are_handed_over,
    a_clustered_model_is_saved_as_h5,
    constants_between_layers_are_saved,
    augmentation_is_saved,
    normalization_beside_grouped_attention_is_left_alone,
    convolutional_cells_are_clustered,
    layers_without_weights_pass_through_a_list,
    a_layer_that_stands_in_a_list_twice_stays_one,
    attention_in_a_list_is_built_first,
    a_sequential_without_an_input_is_wrapped_when_it_is_built,
    layers_that_are_wrapped_already_stay_so,
    a_layer_with_fewer_weights_than_clusters_stays_as_it_is,
    pruning_at_one_step,
    a_loop_takes_the_copys_optimizer_and_goes_on_after_a_stop,
)


@pytest.mark.parametrize("case", [*CASES, a_train_step_of_its_own_trains_the_centroids], ids=lambda case: case.__name__)
def test_it_works(case):
    case()


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_the_same_on_another_backend(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: pip install -e .[torch] brings PyTorch")
    path = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
    env = os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, __file__], env=env, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.split() == ["done"], done.stdout + done.stderr[-3000:]


# --- tables of words --------------------------------------------------------------------------------------------------
def looked_up():
    """Two models that look words up, and one that looks numbers up, each with inputs."""
    import tensorflow as tf

    table = layers.StringLookup(output_mode="int")
    table.adapt(WORDS)
    inputs = keras.Input((1,), dtype="string")
    yield (
        keras.Model(inputs, layers.Dense(3)(layers.Flatten()(layers.Embedding(9, 4)(table(inputs))))),
        tf.constant(WORDS),
    )
    words = layers.TextVectorization(output_mode="tf_idf")
    words.adapt(["red blue", "blue green", "red"])
    inputs = keras.Input((), dtype="string")
    yield keras.Model(inputs, layers.Dense(3)(words(inputs))), tf.constant(["blue blue", "green", "black"])
    numbers = layers.IntegerLookup()
    numbers.adapt(np.array([40, 41, 47]))
    inputs = keras.Input((2,), dtype="int64")
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(layers.Embedding(9, 4)(numbers(inputs)))))
    yield model, np.array([[40, 47], [41, 1]])


def keras_can_copy(layer):
    """Whether this Keras can carry over what the layer has learned: 3.10 can't for tf-idf."""
    store = {}
    layer.save_own_variables(store)
    try:
        type(layer).from_config(layer.get_config()).load_own_variables(store)
    except AttributeError:
        return False
    return True


def test_tables_come_along_and_are_not_saved(tmp_path):
    for model, x in looked_up():
        if not keras_can_copy(model.layers[1]):
            with pytest.raises(CompressionError, match="take a newer Keras"):
                cc.cluster_weights(model, 4)
            continue
        check_wrapped(model, x)
        with pytest.raises(CompressedFileError, match="holds no tables: save a model of the layers after it"):
            cc.save_compressed(model, tmp_path / "model")


if __name__ == "__main__":
    for each in CASES:
        print(each.__name__, file=sys.stderr, flush=True)  # the last one is the one that failed
        each()
    print("done")
