"""Clustering in short vectors: codebooks, gradients by hand, files, networks, dtypes, bad input, backends."""

import keras
import networks
import numpy as np
import pytest
from keras import layers, ops
from networks import array, dense
from round_trips import assert_refused_alike, compiled, on_another_backend, outputs, same, saved_and_loaded

from coursekit import compression as cc
from coursekit.compression import vectors
from coursekit.compression.clustering import ClusterWeights
from coursekit.compression.vectors import ClusterVectors
from coursekit.compression.wrapper import wrappers_in
from coursekit.errors import CompressionError


def cut(kernel, length):
    """The vectors of a kernel, a row each."""
    return np.asarray(kernel).reshape(-1, length)


def different(kernel, length):
    return len(np.unique(cut(kernel, length), axis=0))


def by_hand(kernel, codebook):
    """(the nearest vectors, shaped like the kernel; which they are)."""
    parts = cut(kernel, codebook.shape[1])
    places = ((parts[:, None] - codebook) ** 2).sum(axis=-1).argmin(axis=1)
    return codebook[places].reshape(kernel.shape), places


# --- vectors ----------------------------------------------------------------------------------------------------------
def test_vectors_that_are_few_stay_as_they_are():
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(3, 4)).astype("float32")[rng.integers(0, 3, (6, 2))].reshape(6, 8)
    model = dense(8, inputs=6)
    model.set_weights([kernel, np.zeros(8)])
    found = cc.strip_clustering(cc.cluster_in_vectors(model, 3, 4)).get_weights()[0]
    np.testing.assert_allclose(found, kernel, rtol=1e-5)
    found = cc.strip_clustering(cc.cluster_in_vectors(model, 5, 4)).get_weights()[0]  # more clusters than that
    np.testing.assert_allclose(found, kernel, rtol=1e-5)


@pytest.mark.parametrize("at_once", [1, 7, 10**6])
def test_the_nearest_vector_is_taken_however_many_distances_fit_in_memory(at_once, monkeypatch):
    monkeypatch.setattr(vectors, "AT_ONCE", at_once)
    rng = np.random.default_rng(0)
    for shape, length, k in (((5, 6), 2, 3), ((3, 3, 2, 8), 4, 5), ((4, 9), 3, 2)):
        kernel, codebook = (rng.normal(size=size).astype("float32") for size in (shape, (k, length)))
        found, places = vectors.nearest_vectors(ops.convert_to_tensor(kernel), ops.convert_to_tensor(codebook))
        values, wanted = by_hand(kernel, codebook)
        np.testing.assert_array_equal(array(found), values)
        np.testing.assert_array_equal(array(places), wanted)


def test_a_step_of_training_moves_weights_and_codebook_by_their_gradients():
    keras.utils.set_random_seed(0)
    model, rng = dense(6, inputs=5), np.random.default_rng(1)
    clustered = cc.cluster_in_vectors(model, 4, 3)
    (wrapper,) = wrappers_in(clustered, ClusterVectors)
    weights, codebook = array(wrapper.layer.kernel), array(wrapper.centroids[0])
    slopes = rng.normal(size=(5, 6)).astype("float32")
    _, places = by_hand(weights, codebook)
    clustered.compile(keras.optimizers.SGD(0.001), lambda y, out: ops.sum(y * out))
    clustered.fit(np.eye(5, dtype="float32"), slopes, batch_size=5, verbose=0)
    np.testing.assert_allclose(array(wrapper.layer.kernel), weights - 0.001 * slopes, atol=1e-6)
    moved = codebook.copy()
    for place, upstream in zip(places, cut(slopes, 3), strict=True):
        moved[place] -= 0.001 * upstream
    assert not np.allclose(moved, codebook, atol=1e-5)
    np.testing.assert_allclose(array(wrapper.centroids[0]), moved, atol=1e-6)


def test_k_means_places_the_codebook_and_the_seed_decides():
    weights = np.random.default_rng(0).normal(size=(40, 12))
    one, again, other = (vectors.initial_vectors(weights, 6, 2, seed) for seed in (0, 0, 1))
    np.testing.assert_allclose(one, again)
    assert one.shape == (6, 2) and not np.allclose(one, other)
    _, places = by_hand(weights, one)
    means = [cut(weights, 2)[places == place].mean(axis=0) for place in range(6)]
    np.testing.assert_allclose(one, means, atol=0.02)  # Lloyd's steps end where vectors are means of their own


def test_many_vectors_are_drawn_from(monkeypatch):
    monkeypatch.setattr(vectors, "SAMPLE", 3)
    weights = np.random.default_rng(0).normal(size=(100, 2))
    found = vectors.initial_vectors(weights, 3, 2)
    assert found.shape == (3, 2) and np.abs(found).max() <= np.abs(weights).max()


# --- networks ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("make", [networks.residual, networks.transformer], ids=lambda make: make.__name__)
def test_a_network_is_clustered_trained_saved_loaded_and_stripped(make, tmp_path):
    model, x, y = compiled(make)
    first = model.get_weights()
    clustered = cc.cluster_in_vectors(model, 4, 2)
    before = [array(one) for wrapper in wrappers_in(clustered, ClusterVectors) for one in wrapper.centroids]
    clustered.fit(x, y, batch_size=16, epochs=2, verbose=0)
    after = [array(one) for wrapper in wrappers_in(clustered, ClusterVectors) for one in wrapper.centroids]
    assert not any(np.array_equal(a, b) for a, b in zip(before, after, strict=True)), "no gradient has come"
    assert same(first, model.get_weights())
    loaded = saved_and_loaded(clustered, tmp_path / "half_way.keras")
    assert np.array_equal(outputs(loaded, x), outputs(clustered, x))
    loaded.fit(x, y, batch_size=16, verbose=0)
    np.testing.assert_allclose(loaded.predict(x, verbose=0), outputs(loaded, x), atol=1e-4)
    plain = cc.strip_clustering(loaded)
    assert np.array_equal(outputs(plain, x), outputs(loaded, x)) and not wrappers_in(plain, ClusterWeights)
    for wrapper in wrappers_in(loaded, ClusterVectors):
        for values in wrapper.final_values():
            assert different(values, 2) <= 4
    path = tmp_path / "small.ckw"
    cc.save_compressed(plain, path)
    assert same(plain.get_weights(), cc.load_compressed(path).get_weights())


@pytest.mark.parametrize(("dtype", "length"), [("float32", 2), ("float16", 4), ("bfloat16", 8)])
def test_a_file_of_vectors_takes_a_code_for_each(dtype, length, tmp_path):
    keras.utils.set_random_seed(0)
    some = [layers.Conv2D(16, 3, dtype=dtype), layers.Flatten(dtype=dtype), layers.Dense(24, dtype=dtype)]
    model = keras.Sequential([keras.Input((6, 6, 3), dtype=dtype), *some])
    clustered = cc.cluster_in_vectors(model, 8, length)
    plain = cc.strip_clustering(clustered)
    summary = cc.save_compressed(plain, tmp_path / "small.ckw")
    again = cc.load_compressed(tmp_path / "small.ckw")
    for one, other in zip(plain.weights, again.weights, strict=True):
        assert one.dtype == other.dtype and array(one).tobytes() == array(other).tobytes()
    (kernel,) = [tensor for tensor in summary.tensors if tensor["shape"] == (256, 24)]
    raw = 8 * length * (2 if "16" in dtype else 4)  # bytes of the codebook
    assert kernel["bytes"] < 256 * 24 / length * 3 / 8 + raw + 8  # of codes, 3 bits each


def test_layers_left_out_can_get_other_vectors_or_values_in_a_second_call():
    keras.utils.set_random_seed(0)
    model = dense(8, 10, inputs=8)
    last = model.layers[-1].name
    vectors_of_4 = cc.cluster_in_vectors(model, 5, 4)  # which doesn't divide 10
    both = cc.strip_clustering(cc.cluster_in_vectors(vectors_of_4, 6, 2, layers=last)).get_weights()
    assert different(both[0], 4) <= 5 and different(both[2], 2) <= 6
    both = cc.strip_clustering(cc.cluster_weights(vectors_of_4, 3, layers=last)).get_weights()
    assert different(both[0], 4) <= 5 and np.unique(both[2]).size <= 3


def test_a_list_of_layers_comes_back_as_a_list():
    first, second = cc.cluster_in_vectors([layers.Dense(4), layers.Dropout(0.5)], 2, 2)
    assert isinstance(first, ClusterVectors) and isinstance(second, layers.Dropout)
    model = keras.Sequential([keras.Input((6,)), first, second])
    assert different(cc.strip_clustering(model).get_weights()[0], 2) <= 2


# --- what stays, and what is refused ----------------------------------------------------------------------------------
def test_tensors_that_the_length_does_not_divide_or_with_few_vectors_stay_as_they_are():
    model = dense(8, 3, inputs=8)
    first, last = cc.strip_clustering(cc.cluster_in_vectors(model, 5, 4)).layers
    assert different(first.get_weights()[0], 4) <= 5
    assert np.array_equal(last.get_weights()[0], model.layers[1].get_weights()[0])
    with pytest.raises(CompressionError, match=r"kernel has 3 weights along its last axis.* cut in vectors of 4: take"):
        cc.cluster_in_vectors(model.layers[1], 5, 4)
    with pytest.raises(CompressionError, match=r"kernel has 16 vectors of 4 weights, which can't be put in 17 cluster"):
        cc.cluster_in_vectors(model, 17, 4)


@pytest.mark.parametrize("length", [0, 1, -2, 2.5, True, "4", None])
def test_a_length_that_is_none_is_refused(length):
    with pytest.raises(CompressionError, match="give how many weights make a vector, such as 2 or 4"):
        cc.cluster_in_vectors(dense(4), 2, length)


def test_other_bad_input_is_refused_as_in_cluster_weights():
    broken = dense(4)
    broken.layers[0].kernel.assign(np.full((4, 4), np.nan))
    for ask in (
        lambda cluster: cluster(dense(4), 1),
        lambda cluster: cluster(dense(4), 2, layers="nobody"),
        lambda cluster: cluster("model.keras", 2),
        lambda cluster: cluster(cc.prune_low_magnitude(dense(4)), 2),
        lambda cluster: cluster(keras.Sequential([keras.Input((3,), name="in"), layers.ReLU()], name="net"), 2),
        lambda cluster: cluster(broken, 2),
    ):
        assert_refused_alike(ask, lambda thing, k, **how: cc.cluster_in_vectors(thing, k, 2, **how))


@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.slow
def test_the_same_on_another_backend(backend):
    on_another_backend(backend, __file__)
