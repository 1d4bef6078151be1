"""k-means weighted by squared gradients: the gradients by hand, where values go, what stays as it was, bad input."""

import keras
import numpy as np
import pytest
from keras import layers
from networks import array
from round_trips import on_another_backend, same

from coursekit import compression as cc
from coursekit.compression.importance import LEAST, _clustered, _squared_gradients
from coursekit.compression.model_copy import ChosenWeight
from coursekit.errors import CompressionError


def linear(inputs=8):
    """(model, x, y): a linear map of which the inputs of the second half are always 0."""
    rng = np.random.default_rng(0)
    model = keras.Sequential([keras.Input((inputs,)), layers.Dense(1, use_bias=False, name="out")], name="net")
    model.set_weights([rng.normal(size=(inputs, 1))])
    x = rng.normal(size=(40, inputs)).astype("float32") * (np.arange(inputs) < inputs // 2)
    return model, x, rng.normal(size=(40, 1)).astype("float32")


@pytest.mark.parametrize("batch", [1, 20])
def test_squared_gradients_are_those_found_by_hand(batch):
    model, x, y = linear()
    (kernel,) = model.get_weights()
    each = 2 * (x @ kernel - y) * x  # of the squared error, (40, 8)
    by_hand = (each.reshape(-1, batch, 8).mean(axis=1) ** 2).mean(axis=0)
    found = _squared_gradients(model, model.weights, "mean_squared_error", x, y, batch)
    np.testing.assert_allclose(found[0][:, 0], by_hand, rtol=1e-4, atol=1e-7)
    assert same(model.get_weights(), [kernel])


def test_a_word_that_stands_twice_has_one_gradient_and_frozen_layers_have_one_too():
    inputs = keras.Input((2,), dtype="int32")
    embedding = layers.Embedding(4, 1, trainable=False)
    summed = layers.GlobalAveragePooling1D()(embedding(inputs))
    model = keras.Model(inputs, layers.Dropout(0.9)(summed))
    table = np.array([[1.0], [2.0], [3.0], [4.0]], "float32")
    model.set_weights([table])
    x = np.array([[1, 1], [1, 2]])
    found = _squared_gradients(model, [embedding.embeddings], "mean_squared_error", x, np.zeros((2, 1), "float32"), 1)
    slopes = 2 * np.array([2.0, 2.5])  # of the mean of both words, without dropout
    words = np.array([0, slopes[0] ** 2 + (slopes[1] / 2) ** 2, (slopes[1] / 2) ** 2, 0]) / 2
    np.testing.assert_allclose(found[0][:, 0], words, rtol=1e-5)


def test_how_a_layer_was_frozen_changes_nothing():
    """In the model, by its maker, afterwards, in part or in whole."""
    x = np.random.default_rng(0).normal(size=(20, 4)).astype("float32")
    y = np.arange(20) % 2

    def make(frozen=False):
        keras.utils.set_random_seed(0)
        hidden = layers.Dense(5, activation="relu", trainable=not frozen)
        model = keras.Sequential([keras.Input((4,)), hidden, layers.Dense(2)])
        model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    frozen, part, whole = make(frozen=True), make(), make()
    part.layers[1].trainable = False
    whole.trainable = False
    free = cc.cluster_by_sensitivity(make(), x, y, 3).get_weights()
    for model in (frozen, part, whole):
        before = [len(model.trainable_variables), len(model.non_trainable_variables)]
        small = cc.cluster_by_sensitivity(model, x, y, 3)
        assert same(small.get_weights(), free)
        assert [len(small.trainable_variables), len(small.non_trainable_variables)] == before


def test_several_inputs_and_outputs_each_with_a_loss():
    keras.utils.set_random_seed(0)
    one, two = keras.Input((4,), name="one"), keras.Input((3,), name="two")
    body = layers.Dense(5)(layers.Concatenate()([one, two]))
    outputs = {"kind": layers.Dense(3, name="kind")(body), "size": layers.Dense(1, name="size")(body)}
    model = keras.Model({"one": one, "two": two}, outputs)
    losses = {"kind": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "size": "mean_squared_error"}
    rng = np.random.default_rng(0)
    x = {"one": rng.normal(size=(12, 4)).astype("float32"), "two": rng.normal(size=(12, 3))}
    y = {"kind": rng.integers(0, 3, 12), "size": rng.normal(size=(12, 1))}
    small = cc.cluster_by_sensitivity(model, x, y, 3, loss=losses, batch_size=5)
    assert [np.unique(weights).size <= 3 for weights in small.get_weights() if weights.ndim == 2] == [True] * 3
    assert not model.compiled


def test_values_go_where_the_loss_depends_on_them():
    model, x, y = linear(inputs=12)
    (kernel,) = model.get_weights()
    weighted = cc.cluster_by_sensitivity(model, x, y, 6, loss="mean_squared_error")
    plain = cc.strip_clustering(cc.cluster_weights(model, 6, "OPTIMAL"))
    off = [np.abs(one.get_weights()[0] - kernel)[:6].max() for one in (weighted, plain)]
    assert off[0] < off[1] / 10  # six inputs are always 0, so the six values are free for the others
    assert np.unique(weighted.get_weights()[0]).size <= 6


def test_the_model_stays_and_the_copy_is_plain_and_compiled():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(6), layers.BatchNormalization(), layers.Dropout(0.5), layers.Dense(2)]
    )
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 4)).astype("float32"), rng.integers(0, 2, 30)
    model.fit(x, y, verbose=0)
    kernel = array(model.layers[0].kernel)
    kernel[:2] = 0
    model.layers[0].kernel.assign(kernel)
    before = model.get_weights()
    small = cc.cluster_by_sensitivity(model, x, y, 3, preserve_sparsity=True, batch_size=10)
    assert same(before, model.get_weights())
    assert small.compiled and [type(layer) for layer in small.layers] == [type(layer) for layer in model.layers]
    for old, new in zip(before, small.get_weights(), strict=True):
        assert np.array_equal(old, new) if old.ndim == 1 else np.unique(new).size <= 3
    assert (small.get_weights()[0][:2] == 0).all()
    assert same(cc.cluster_by_sensitivity(small, x, y, 3).get_weights(), small.get_weights())
    only = cc.cluster_by_sensitivity(model, x, y, 3, layers=small.layers[-1].name)
    assert same(only.get_weights()[:-2], before[:-2]) and np.unique(only.get_weights()[-2]).size <= 3


def test_a_weight_whose_gradient_was_always_0_still_counts_a_little():
    model, _, _ = linear(inputs=4)
    model.set_weights([np.array([[-1.0], [-0.9], [3.0], [5.0]])])
    chosen = ChosenWeight(model.layers[0], model.weights[0], "out/kernel")
    squares = np.array([[1.0], [1.0], [0.0], [0.0]])
    found = _clustered(chosen, squares, 2, False)[:, 0]
    assert LEAST > 0 and found[2] == found[3] == 4 and np.allclose(found[:2], -0.95)


def test_what_cannot_be_is_refused_in_a_sentence():
    model, x, y = linear()
    lost, how = linear()[0], {"loss": "mean_squared_error"}
    lost.set_weights([np.full((8, 1), np.nan)])
    for ask, says in (
        (lambda: cc.cluster_by_sensitivity(model, x, y, 4), "'net' is not compiled, so its loss is not known"),
        (lambda: cc.cluster_by_sensitivity(model, x[:3], y, 4, **how), "x has 3 rows and y has 40; give as many"),
        (lambda: cc.cluster_by_sensitivity(model, x, y, 1, **how), "give 2 or more"),
        (lambda: cc.cluster_by_sensitivity(model, x, y, 4, batch_size=0, **how), "batch_size is 0; give a whole"),
        (lambda: cc.cluster_by_sensitivity(model, x, y, 9, **how), "no tensor of 'net' has 9 weights or more"),
        (lambda: cc.cluster_by_sensitivity(model, x, y, 4, layers="in", **how), "no layer is named 'in'"),
        (lambda: cc.cluster_by_sensitivity(model, 0 * x, y, 4, **how), "out/kernel: its gradients on this data are"),
        (lambda: cc.cluster_by_sensitivity(lost, x, y, 4, **how), "out/kernel: some weights are NaN"),
        (lambda: cc.cluster_by_sensitivity(model.layers[0], x, y, 4, **how), "a Keras model is needed"),
        (lambda: cc.cluster_by_sensitivity(cc.cluster_weights(model, 2), x, y, 4, **how), "strip the model first"),
    ):
        with pytest.raises(CompressionError, match=says):
            ask()


@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.slow
def test_the_same_on_another_backend(backend):
    on_another_backend(backend, __file__)
