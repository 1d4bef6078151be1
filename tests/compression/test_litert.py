"""LiteRT files of a small Keras 2 network: what they compute, what they hold, and what is refused."""

import numpy as np
import pytest

from coursekit.compression import litert

tf_keras = pytest.importorskip("tf_keras")


@pytest.fixture(scope="module")
def network():
    tf_keras.utils.set_random_seed(0)
    layers = tf_keras.layers
    hidden, end = layers.Dense(32, activation="relu"), layers.Dense(5)
    model = tf_keras.Sequential([tf_keras.Input((40,)), hidden, end])
    kernel = np.random.default_rng(0).choice([-0.5, 0.0, 0.3], size=(40, 32)) * np.linspace(0.2, 1, 32)
    model.layers[0].set_weights([kernel, np.zeros(32)])
    return model


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(1).uniform(size=(60, 40)).astype("float32")


@pytest.fixture(scope="module")
def files(network, x):
    made = {kind: litert.convert(network, kind, x) for kind in litert.KINDS}
    return made | {"per tensor": litert.convert(network, "dynamic", per_channel=False)}


def test_every_kind_computes_nearly_the_same(network, files, x):
    exact = network.predict(x, verbose=0)
    for kind, content in files.items():
        assert litert.run(content, x).shape == exact.shape
        assert np.abs(litert.run(content, x) - exact).max() < (1e-5 if kind == "float" else 0.1 * exact.std())


def test_codes_are_smaller(files):
    assert max(len(files[kind]) for kind in ("dynamic", "integer")) < 0.8 * len(files["float"])


def test_weights_can_be_looked_at(network, files):
    kernel = network.get_weights()[0]
    found = litert.weights_in(files["float"], kernel.shape)
    assert np.array_equal(np.sort(found.ravel()), np.sort(kernel.ravel()))


def test_one_scale_for_all_makes_equal_weights_equal_codes(files):
    per_channel, per_tensor = (litert.weights_in(files[name], (40, 32)) for name in ("dynamic", "per tensor"))
    assert set(np.unique(per_channel)) == {-127, 0, 76}  # each unit's largest weight has the last code
    assert len(np.unique(per_tensor)) > 30


def test_a_tensor_that_is_not_there_is_refused(files):
    with pytest.raises(ValueError, match="0 tensors"):
        litert.weights_in(files["float"], (7, 9))


def test_times_are_taken_of_all(files, x):
    taken = litert.times({"a": files["float"], "b": files["integer"]}, x, rounds=2)
    assert list(taken) == ["a", "b"] and all(0 < seconds < 10 for seconds in taken.values())


def test_bad_arguments_are_refused(network):
    with pytest.raises(ValueError, match="choose one of float, float16, dynamic, integer"):
        litert.convert(network, "int8")
    with pytest.raises(ValueError, match="needs examples"):
        litert.convert(network, "integer")
