"""Clustering: networks of every kind on every backend, the nearest centroid, bad input, names kept."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import networks
import numpy as np
import pytest
import round_trips
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers, ops
from networks import array, dense
from round_trips import EVERYWHERE, NETWORKS, compiled, outputs

from coursekit import compression as cc
from coursekit.compression.assignment import clustered, nearest
from coursekit.compression.clustering import ClusterWeights
from coursekit.compression.wrapper import wrappers_in
from coursekit.errors import CompressionError, CoursekitError

ROOT = Path(cc.__file__).parents[2]
floats = st.floats(-1e3, 1e3, width=32, allow_subnormal=False)  # TensorFlow may compute with 0 for those


def test_values_are_the_nearest_and_every_gradient_arrives():
    import tensorflow as tf

    weights = tf.Variable(np.array([[-0.9, 0.1, 0.0], [0.45, 2.0, 0.0]], "float32"))
    centroids = tf.Variable(np.array([1.0, -1.0, 0.5], "float32"))
    slopes = np.arange(1, 7, dtype="float32").reshape(2, 3)
    with tf.GradientTape() as tape:
        values = clustered(tf.convert_to_tensor(weights), tf.convert_to_tensor(centroids))
        loss = tf.reduce_sum(values * slopes)
    for_weights, for_centroids = tape.gradient(loss, [weights, centroids])
    np.testing.assert_array_equal(values, [[-1, 0.5, 0.5], [0.5, 1, 0.5]])
    np.testing.assert_array_equal(for_weights, slopes)  # straight through
    np.testing.assert_array_equal(for_centroids, [5, 1, 2 + 3 + 4 + 6])


@pytest.mark.parametrize("small", [1, 10**6], ids=["compiled search", "plain search"])
def test_each_way_to_search_finds_what_all_distances_find(small, monkeypatch):
    monkeypatch.setattr("coursekit.compression.assignment.SMALL", small)
    rng = np.random.default_rng(0)
    for k in (2, 3, 16, 19):
        weights, centroids = rng.normal(size=(50, 7)).astype("float32"), rng.normal(size=k).astype("float32")
        found = ops.convert_to_numpy(nearest(ops.convert_to_tensor(weights), ops.convert_to_tensor(centroids))[0])
        np.testing.assert_array_equal(found, centroids[np.abs(weights[..., None] - centroids).argmin(-1)])


@settings(deadline=None, max_examples=60)
@given(
    st.lists(floats | st.just(0.0), min_size=1, max_size=30), st.lists(floats, min_size=2, max_size=9), st.booleans()
)
def test_the_nearest_centroid_is_taken_and_zeros_are_kept(weights, centroids, keep_zeros):
    weights, centroids = np.array(weights, "float32"), np.array(centroids, "float32")
    tensors = ops.convert_to_tensor(weights), ops.convert_to_tensor(centroids)
    found = ops.convert_to_numpy(nearest(*tensors, keep_zeros)[0])
    kept = (weights == 0) & keep_zeros
    assert (found[kept] == 0).all() and np.isin(found[~kept], centroids).all()
    least = np.abs(weights[:, None] - centroids).min(axis=1)
    np.testing.assert_allclose(np.abs(weights - found)[~kept], least[~kept], rtol=1e-5, atol=1e-4)


@settings(deadline=None, max_examples=12)
@given(
    k=st.integers(2, 8),
    init=st.sampled_from(list(cc.CentroidInitialization)),
    sparse=st.booleans(),
    seed=st.integers(0, 99),
)
def test_a_stripped_layer_has_at_most_k_values_and_its_zeros(k, init, sparse, seed):
    layer = layers.Dense(6)
    layer.build((None, 5))
    weights = np.random.default_rng(seed).normal(size=(5, 6)).astype("float32")
    weights[np.abs(weights) < 0.5] = 0
    layer.set_weights([weights, np.zeros(6)])
    wrapper = cc.cluster_weights(layer, k, init, preserve_sparsity=sparse, seed=seed)
    values = wrapper.final_values()[0]
    assert np.unique(values).size <= k
    assert not sparse or (values[weights == 0] == 0).all()
    x = np.random.default_rng(seed).normal(size=(3, 5)).astype("float32")
    for _ in range(2):  # looked up, then remembered
        np.testing.assert_allclose(ops.convert_to_numpy(wrapper(x)), x @ values, atol=1e-5)


@pytest.mark.parametrize("make", NETWORKS, ids=lambda make: make.__name__)
def test_a_network_is_pruned_clustered_saved_loaded_trained_and_stripped(make, tmp_path):
    round_trips.check(make, tmp_path)


def test_compiled_functions_see_every_change(tmp_path):
    round_trips.check_compiled_functions(tmp_path)


@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.slow
def test_the_same_on_another_backend(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: pip install -e .[torch] brings PyTorch")
    path = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
    env = os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, round_trips.__file__]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(done.stdout.split("\n")) == len(EVERYWHERE) + 2


def test_a_fresh_process_loads_a_clustered_model_without_further_ado(tmp_path):
    model, x, _ = compiled(networks.shared)
    clustered = cc.cluster_weights(model, 4)
    clustered.save(tmp_path / "half_way.keras")
    np.savez(tmp_path / "x.npz", *x, expected=outputs(clustered, x))
    code = (
        "import coursekit.compression, keras, numpy as np; d = np.load('x.npz');"
        "m = keras.models.load_model('half_way.keras');"
        "y = m([d['arr_0'], d['arr_1']], training=False);"
        "print(np.array_equal(y, d['expected']), type(m.get_layer('shared')).__name__)"
    )
    env = os.environ | {"PYTHONPATH": str(ROOT), "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.stdout.split() == ["True", "ClusterWeights"], done.stderr[-2000:]
    with cc.cluster_scope():
        assert keras.models.load_model(tmp_path / "half_way.keras").name == model.name


def test_a_gradient_taken_without_training_arrives_too():
    import tensorflow as tf

    clustered_model = cc.cluster_weights(dense(3), 3)
    for _ in range(2):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(clustered_model(np.ones((2, 4), "float32")))
        variables = [variable.value for variable in clustered_model.trainable_variables]
        assert all(np.any(slope) for slope in map(tf.convert_to_tensor, tape.gradient(loss, variables)))


@pytest.mark.parametrize(
    ("rule", "chosen"),
    [
        (None, ["attention", "dense", "dense_1", "dense_2", "embedding"]),
        (layers.Dense, ["dense", "dense_1", "dense_2"]),
        ("attention", ["attention"]),
        (["embedding", "dense_1"], ["dense_1", "embedding"]),
        (
            lambda layer: not isinstance(layer, layers.MultiHeadAttention | layers.Embedding),
            ["dense", "dense_1", "dense_2"],
        ),
    ],
)
def test_layers_are_chosen_by_rule(rule, chosen):
    keras.utils.clear_session()
    clustered_model = cc.cluster_weights(networks.transformer(), 3, "LINEAR", layers=rule)
    assert sorted(wrapper.name for wrapper in wrappers_in(clustered_model, ClusterWeights)) == chosen
    attention = clustered_model.get_layer("attention")
    if isinstance(attention, ClusterWeights):
        assert len(attention.positions) == 4  # query, key, value and output, and no bias


def test_a_rule_can_name_a_model_inside_the_model():
    clustered_model = cc.cluster_weights(networks.nested(), 3, layers="inner")
    assert [wrapper.name for wrapper in wrappers_in(clustered_model, ClusterWeights)] == ["inside"]


def test_each_channel_of_a_convolution_gets_values_of_its_own():
    model = networks.convolutional()
    stripped = cc.strip_clustering(cc.cluster_weights(model, 3, "OPTIMAL", cluster_per_channel=True))
    kernel = stripped.layers[0].get_weights()[0]  # (3, 3, 1, 4)
    assert max(np.unique(kernel[..., channel]).size for channel in range(4)) <= 3 < np.unique(kernel).size
    assert np.unique(stripped.layers[-1].get_weights()[0]).size <= 3


def test_names_settings_and_counts_are_kept_and_the_optimizer_is_a_new_one():
    model, x, y = compiled(networks.shared)
    model.fit(x, y, verbose=0)
    clustered_model = cc.cluster_weights(model, 4)
    before, after = (
        [layer.name for layer in made.layers if not isinstance(layer, layers.InputLayer)]
        for made in (model, clustered_model)
    )
    assert before == after
    assert clustered_model.output_names == model.output_names
    assert clustered_model.count_params() == model.count_params() + 2 * 4  # the centroids and nothing else
    assert float(clustered_model.optimizer.learning_rate) == pytest.approx(0.01)
    assert clustered_model.optimizer is not model.optimizer and int(clustered_model.optimizer.iterations.numpy()) == 0
    assert model.compiled and cc.strip_clustering(clustered_model).compiled

    model.compile("sgd", lambda wanted, found: ops.mean(found))  # a loss that no one can make anew from its name
    assert not cc.cluster_weights(model, 4).compiled and model.compiled


def test_a_list_of_layers_and_a_layer_that_is_not_built_yet():
    model = keras.Sequential([keras.Input((6,)), *cc.cluster_weights([layers.Dense(5), layers.Dense(4)], 3)])
    assert [np.unique(values).size for layer in model.layers for values in layer.final_values()] == [3, 3]
    assert [np.unique(layer.get_weights()[0]).size <= 3 for layer in cc.strip_clustering(model).layers] == [True, True]


class Odd(layers.Layer):
    """A layer with weights that nobody knows."""

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1], 6), name="scale")

    def call(self, x):
        return x @ self.scale


class OddButKnown(Odd):
    """The same, which says what to cluster and what to prune."""

    def get_clusterable_weights(self):
        return [("scale", self.scale)]


def test_a_class_of_ones_own_says_what_to_cluster_or_is_refused_by_name():
    model = keras.Sequential([keras.Input((4,)), Odd(name="odd"), layers.Dense(3)])
    with pytest.raises(CompressionError, match=r"'odd' is of the class Odd.*get_clusterable_weights"):
        cc.cluster_weights(model, 3)
    assert len(wrappers_in(cc.cluster_weights(model, 3, layers=layers.Dense))) == 1
    model = keras.Sequential([keras.Input((4,)), OddButKnown(name="odd")])
    assert np.unique(cc.strip_clustering(cc.cluster_weights(model, 3)).get_weights()[0]).size <= 3


def test_weights_in_half_precision_compute_stay_whole():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(8, dtype="mixed_bfloat16")])
    clustered_model = cc.cluster_weights(model, 3)
    assert (
        outputs(clustered_model, np.ones((1, 4), "float32")).dtype == outputs(model, np.ones((1, 4), "float32")).dtype
    )
    assert wrappers_in(clustered_model)[0].final_values()[0].dtype == np.float32


def nan_model():
    model = dense(3)
    model.set_weights([np.full((4, 3), np.nan), np.zeros(3)])
    return model


def quantized_model():
    model = dense(4)
    model.quantize("int8")
    return model


@pytest.mark.parametrize(
    ("make", "k", "settings", "said"),
    [
        (lambda: dense(3), 1, {}, "is 1; a tensor of one value"),
        (lambda: dense(3), 2.5, {}, "give a whole number"),
        (lambda: dense(3), True, {}, "give a whole number"),
        (lambda: dense(3), 13, {}, r"dense\w*/kernel has 12 weights, which can't be put in 13"),
        (lambda: dense(3), 4, {"cluster_centroids_init": "BEST"}, "choose one of LINEAR"),
        (lambda: dense(3), 4, {"layers": "nobody"}, "no layer is named 'nobody'"),
        (lambda: dense(3), 4, {"layers": layers.Conv2D}, "nothing to cluster"),
        (lambda: keras.Sequential([]), 4, {}, "has no weights yet"),
        (lambda: keras.Sequential([keras.Input((3,)), layers.ReLU()]), 4, {}, "nothing to cluster"),
        (nan_model, 4, {}, r"dense\w*/kernel: some weights are NaN"),
        (quantized_model, 4, {}, "is quantized"),
        (lambda: cc.cluster_weights(dense(3), 4), 4, {}, "being clustered already: strip"),
        (lambda: cc.prune_low_magnitude(dense(3)), 4, {}, "being pruned already: strip the model first .strip_pruning"),
        (lambda: "model.keras", 4, {}, "a Keras model, a layer or a list of layers is needed"),
    ],
)
def test_bad_input_is_refused_in_words(make, k, settings, said):
    with pytest.raises(CompressionError, match=said) as refused:
        cc.cluster_weights(make(), k, **settings)
    assert isinstance(refused.value, ValueError) and isinstance(refused.value, CoursekitError)


def test_a_keras_2_model_is_refused_by_name():
    tf_keras = pytest.importorskip("tf_keras", reason="tf_keras comes with the extra `course`")
    old = tf_keras.Sequential([tf_keras.layers.Dense(2, input_shape=(3,))])
    for refuse in (
        lambda: cc.cluster_weights(old, 3),
        lambda: cc.prune_low_magnitude(old),
        lambda: cc.strip_clustering(old),
    ):
        with pytest.raises(CompressionError, match="Keras 2 class"):
            refuse()


def test_what_a_user_sets_by_hand_is_seen():
    clustered_model = cc.cluster_weights(dense(3), 3)
    x = np.ones((2, 4), "float32")
    outputs(clustered_model, x)
    wrapper = wrappers_in(clustered_model)[0]
    wrapper.centroids[0].assign([1.0, 2.0, 3.0])
    wrapper.layer.kernel.assign(np.full((4, 3), 2.9))
    np.testing.assert_allclose(outputs(clustered_model, x), 12)
    assert array(wrapper.layer.kernel)[0, 0] == np.float32(2.9)  # and the weights themselves are as they were
