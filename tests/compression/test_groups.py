"""Clustering in groups of channels: values of each group, gradients by hand, files, networks, bad input, backends."""

import lzma

import keras
import networks
import numpy as np
import pytest
from keras import layers, ops
from networks import array, dense
from round_trips import assert_refused_alike, compiled, on_another_backend, outputs, same, saved_and_loaded

from coursekit import compression as cc
from coursekit.compression.clustering import ClusterWeights
from coursekit.compression.groups import ClusterGroups
from coursekit.compression.wrapper import wrappers_in
from coursekit.errors import CompressionError


def groups_of(kernel, size):
    return [kernel[..., start : start + size] for start in range(0, kernel.shape[-1], size)]


def test_each_group_has_few_values_and_zeros_stay():
    kernel = np.random.default_rng(0).normal(size=(9, 7)).astype("float32")
    kernel[np.abs(kernel) < 0.4] = 0
    model = dense(7, inputs=9)
    model.set_weights([kernel, np.zeros(7)])
    found = cc.strip_clustering(cc.cluster_in_groups(model, 3, 2, "OPTIMAL", preserve_sparsity=True))
    values = found.get_weights()[0]
    assert [np.unique(group).size for group in groups_of(values, 2)] == [3, 3, 3, 3]  # the last one has one channel
    assert np.unique(values).size == 9 and (values[kernel == 0] == 0).all()
    whole = cc.strip_clustering(cc.cluster_in_groups(model, 3, 100, "OPTIMAL"))
    assert same(whole.get_weights(), cc.strip_clustering(cc.cluster_weights(model, 3, "OPTIMAL")).get_weights())


def test_a_step_of_training_moves_weights_and_centroids_by_their_gradients():
    model, rng = dense(5, inputs=6), np.random.default_rng(1)
    clustered = cc.cluster_in_groups(model, 3, 2, "LINEAR")
    (wrapper,) = wrappers_in(clustered, ClusterGroups)
    weights, centroids = array(wrapper.layer.kernel), array(wrapper.centroids[0])
    used, slopes = wrapper.final_values()[0], rng.normal(size=(6, 5)).astype("float32")
    clustered.compile(keras.optimizers.SGD(0.001), lambda y, out: ops.sum(y * out))
    clustered.fit(np.eye(6, dtype="float32"), slopes, batch_size=6, verbose=0)
    np.testing.assert_allclose(array(wrapper.layer.kernel), weights - 0.001 * slopes, atol=1e-6)
    moved = centroids.copy()
    for group, (values, upstream) in enumerate(zip(groups_of(used, 2), groups_of(slopes, 2), strict=True)):
        for place, value in enumerate(centroids[group]):
            moved[group, place] -= 0.001 * upstream[values == value].sum()
    np.testing.assert_allclose(array(wrapper.centroids[0]), moved, atol=1e-6)


@pytest.mark.parametrize("make", [networks.residual, networks.transformer], ids=lambda make: make.__name__)
def test_a_network_is_clustered_trained_saved_loaded_and_stripped(make, tmp_path):
    model, x, y = compiled(make)
    first = model.get_weights()
    clustered = cc.cluster_in_groups(model, 3, 2, "OPTIMAL")
    clustered.fit(x, y, batch_size=16, epochs=2, verbose=0)
    assert same(first, model.get_weights())
    loaded = saved_and_loaded(clustered, tmp_path / "half_way.keras")
    assert np.array_equal(outputs(loaded, x), outputs(clustered, x))
    loaded.fit(x, y, batch_size=16, verbose=0)
    plain = cc.strip_clustering(loaded)
    assert np.array_equal(outputs(plain, x), outputs(loaded, x)) and not wrappers_in(plain, ClusterWeights)
    for wrapper in wrappers_in(loaded, ClusterGroups):
        for values in wrapper.final_values():
            assert max(np.unique(group).size for group in groups_of(values, 2)) <= 3
    path = tmp_path / "small.ckw"
    cc.save_compressed(plain, path)
    assert same(plain.get_weights(), cc.load_compressed(path).get_weights())


def test_a_file_of_groups_is_smaller_than_that_of_xz(tmp_path):
    keras.utils.set_random_seed(0)
    plain = cc.strip_clustering(cc.cluster_in_groups(dense(64, inputs=64), 4, 16, "OPTIMAL"))
    size = cc.save_compressed(plain, tmp_path / "small.ckw").size
    assert size < len(lzma.compress(b"".join(weights.tobytes() for weights in plain.get_weights()), preset=9))


def test_tensors_with_a_group_too_small_stay_as_they_are():
    model = dense(6, 3)
    first, last = cc.strip_clustering(cc.cluster_in_groups(model, 5, 1)).layers
    assert np.array_equal(first.get_weights()[0], model.layers[0].get_weights()[0])  # 4 weights a channel
    assert max(np.unique(channel).size for channel in last.get_weights()[0].T) <= 5
    with pytest.raises(CompressionError, match=r"kernel has 4 weights in its smallest group .* 5 clusters"):
        cc.cluster_in_groups(model.layers[0], 5, 1)
    with pytest.raises(CompressionError, match=r"has 4 weights in its smallest group"):
        cc.cluster_in_groups(dense(5), 5, 4)


@pytest.mark.parametrize("size", [0, -2, 2.5, True, "4", None])
def test_a_group_size_that_is_none_is_refused(size):
    with pytest.raises(CompressionError, match="give how many channels share their values, such as 16"):
        cc.cluster_in_groups(dense(3), 2, size)


def test_other_bad_input_is_refused_as_in_cluster_weights():
    for ask in (
        lambda cluster: cluster(dense(3), 1),
        lambda cluster: cluster(dense(3), 2, layers="nobody"),
        lambda cluster: cluster("model.keras", 2),
        lambda cluster: cluster(cc.prune_low_magnitude(dense(3)), 2),
        lambda cluster: cluster(keras.Sequential([keras.Input((3,), name="in"), layers.ReLU()], name="net"), 2),
    ):
        assert_refused_alike(ask, lambda thing, k, **how: cc.cluster_in_groups(thing, k, 2, **how))


@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.slow
def test_the_same_on_another_backend(backend):
    on_another_backend(backend, __file__)
