"""What must hold for networks of every kind on every backend, when they are pruned, clustered, saved and loaded.

KERAS_BACKEND=jax PYTHONPATH=.:tests python tests/compression/round_trips.py --all
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
from networks import array, convolutional, inputs_for, nested, recurrent, residual, shared, subclassed, transformer

from coursekit import compression as cc
from coursekit.compression.clustering import ClusterWeights
from coursekit.compression.pruning import PruneLowMagnitude
from coursekit.compression.wrapper import wrappers_in
from coursekit.errors import CompressionError

K = 5
EVERYWHERE = (convolutional, residual, transformer, shared)  # proved on every backend
NETWORKS = (*EVERYWHERE, recurrent, nested, subclassed)  # on TensorFlow, and by hand with --all elsewhere


def on_another_backend(backend, file):
    """Run the quick tests of a file in a process of its own, on another backend; skip where it is not installed."""
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: pip install -e .[torch] brings PyTorch")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", file]
    env = os.environ | {"KERAS_BACKEND": backend}
    root = Path(cc.__file__).parents[2]
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]


def assert_refused_alike(ask, cluster):
    """Another way to cluster refuses what is asked of it in the same words as cluster_weights.

    ask: a function that is given the way, and calls it.
    """
    said = []
    for way in (cc.cluster_weights, cluster):
        with pytest.raises(CompressionError) as refused:
            keras.utils.clear_session()
            ask(way)
        said.append(str(refused.value))
    assert said[0] == said[1]


def compiled(make):
    """A network, compiled, and its data."""
    keras.utils.set_random_seed(0)
    model = make()
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model, inputs_for(model, rows=48), np.random.default_rng(1).integers(0, 3, 48)


def same(one, other):
    """Whether two lists of arrays are the same to the last digit."""
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def outputs(model, x):
    """What the model computes from x, without a compiled function."""
    return array(model(x, training=False))


def saved_and_loaded(model, file):
    """The model after a round trip through a file."""
    model.save(file)
    return keras.models.load_model(file)


def steps(model, count):
    """What UpdatePruningStep does in so many steps of a training loop; the weights are left as they are."""
    callback = cc.UpdatePruningStep()
    callback.set_model(model)
    callback.on_train_begin()
    for batch in range(count):
        callback.on_train_batch_begin(batch)
        callback.on_train_batch_end(batch)
    callback.on_train_end()


def check_pruning(make, folder, train=False):
    """A network pruned, saved half-way, loaded, pruned on and stripped: the sparse model, with its data."""
    model, x, y = compiled(make)
    first, before = model.get_weights(), outputs(model, x)
    pruned = cc.prune_low_magnitude(model, cc.PolynomialDecay(0.2, 0.75, begin_step=1, end_step=5, frequency=2))

    def three_steps(pruned):
        if train:
            pruned.fit(x, y, batch_size=16, verbose=0, callbacks=[cc.UpdatePruningStep()])
        else:
            steps(pruned, 3)

    three_steps(pruned)
    loaded = saved_and_loaded(pruned, Path(folder) / f"{make.__name__}.keras")
    assert np.array_equal(outputs(loaded, x), outputs(pruned, x)), "loaded, it computes something else"
    wrappers = wrappers_in(loaded, PruneLowMagnitude)
    assert {int(array(w.pruning_step)) for w in wrappers} == {3}
    three_steps(loaded)
    assert {int(array(w.pruning_step)) for w in wrappers} == {6}
    assert same(first, model.get_weights()), "the original has changed"
    assert np.array_equal(before, outputs(model, x)), "the original computes something else"
    for wrapper in wrappers:
        for variable, values in zip(wrapper.changed_variables, wrapper.final_values(), strict=True):
            assert (values == 0).sum() == values.size - max(round(values.size * 0.25), 1), variable.path
    sparse = cc.strip_pruning(loaded)
    assert not wrappers_in(sparse) and type(sparse) is type(model) and sparse.name == model.name
    assert np.array_equal(outputs(sparse, x), outputs(loaded, x)), "stripped, it computes something else"
    return sparse, x, y


def check_clustering(sparse, x, y, folder):
    """A sparse network clustered, trained, saved half-way, loaded and stripped."""
    first, before = sparse.get_weights(), outputs(sparse, x)
    clustered = cc.cluster_weights(sparse, K, "OPTIMAL", preserve_sparsity=True)
    wrappers = wrappers_in(clustered, ClusterWeights)
    state = [array(v) for w in wrappers for v in (*w.changed_variables, *w.centroids)]
    clustered.fit(x, y, batch_size=16, epochs=2, verbose=0)
    moved = [array(v) for w in wrappers for v in (*w.changed_variables, *w.centroids)]
    assert not any(np.array_equal(a, b) for a, b in zip(state, moved, strict=True)), "no gradient has come"
    assert same(first, sparse.get_weights()), "the original has changed"
    assert np.array_equal(before, outputs(sparse, x)), "the original computes something else"
    found = outputs(clustered, x)
    loaded = saved_and_loaded(clustered, Path(folder) / f"{sparse.name}_clustered.keras")
    assert np.array_equal(outputs(loaded, x), found), "loaded, it computes something else"

    plain = cc.strip_clustering(clustered)
    assert not wrappers_in(plain) and type(plain) is type(sparse) and plain.name == sparse.name
    assert [v.shape for v in plain.weights] == [v.shape for v in sparse.weights]
    assert np.array_equal(outputs(plain, x), found), "stripped, it computes something else"
    few = 0
    for position, (weights, original) in enumerate(zip(plain.get_weights(), first, strict=True)):
        if weights.ndim > 1 and np.unique(weights).size <= K:
            few += 1
            assert (weights[original == 0] == 0).all(), f"a zero was lost in weight {position}"
    assert few == sum(len(w.positions) for w in wrappers)


def check(make, folder):
    """Prune a network, then cluster it."""
    sparse, x, y = check_pruning(make, folder)
    check_clustering(sparse, x, y, folder)


def check_compiled_functions(folder):
    """What `fit`, `evaluate` and `predict` compile: the callback's masks arrive, and a cache is never out of date."""
    sparse, x, y = check_pruning(convolutional, folder, train=True)
    clustered = cc.cluster_weights(sparse, K, "LINEAR")
    for _ in range(2):
        clustered.fit(x, y, batch_size=16, verbose=0)
        for _ in range(2):
            assert np.array_equal(clustered.predict(x, verbose=0), cc.strip_clustering(clustered).predict(x, verbose=0))
    loaded = saved_and_loaded(clustered, Path(folder) / "again.keras")
    loaded.fit(x, y, batch_size=16, verbose=0)
    clustered.set_weights([weights * 2 for weights in clustered.get_weights()])
    assert np.array_equal(clustered.predict(x, verbose=0), cc.strip_clustering(clustered).predict(x, verbose=0))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        for network in NETWORKS if "--all" in sys.argv else EVERYWHERE:
            check(network, temporary)
            print(network.__name__, flush=True)
        check_compiled_functions(temporary)
        print("compiled functions", flush=True)
