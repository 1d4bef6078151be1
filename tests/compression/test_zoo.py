"""A zoo of networks: each kind is pruned, clustered and saved; a fresh process reads the file and predicts the same.

One folder holds the files of all kinds, and one process reads them all, since its start takes longer than most kinds.
It runs on the backend that runs here; test_file.py reads files on the others.
"""

import lzma
import traceback
from pathlib import Path

import keras
import numpy as np
import pytest
from networks import array, inputs_for
from zoo import OWN, ZOO, own_call, vision_transformer

from coursekit import compression as cc
from coursekit.compression.clustering import ClusterWeights
from coursekit.compression.pruning import PruneLowMagnitude
from coursekit.compression.wrapper import wrappers_in
from coursekit.errors import CompressedFileError, CompressionError
from coursekit.processes import in_fresh_process

pytestmark = pytest.mark.slow  # some three minutes of processor time

HERE = Path(__file__).resolve().parent
VALUES = 6  # that a clustered tensor may have
ROWS = 4  # of the inputs on which a network is trained and tried
COMPILED = ("lenet", "bidirectional_gru", "encoder_with_mask", "mixed_float16")  # in training; it takes time


def inputs_of(model):
    """Random inputs for a model, as it takes them."""
    drawn, named = inputs_for(model, ROWS), isinstance(getattr(model, "input", None), dict)
    return keras.tree.pack_sequence_as(model.input, drawn) if named else drawn


def outputs(model):
    """What a model computes from its random inputs: a list of arrays."""
    return [array(one).astype("float32") for one in keras.tree.flatten(model(inputs_of(model), training=False))]


def same(some, others):
    """Whether two lists hold the same arrays to the last digit."""
    return len(some) == len(others) and all(np.array_equal(a, b) for a, b in zip(some, others, strict=True))


def fitted(model, name, callbacks=()):
    """The model after two batches of training; something in it has moved."""
    x = inputs_of(model)
    y = keras.tree.map_structure(lambda one: np.zeros(one.shape, "float32"), model(x, training=False))
    before = model.get_weights()
    model.compile(keras.optimizers.SGD(0.01), "mse", run_eagerly=name not in COMPILED, jit_compile=False)
    model.fit(x, y, batch_size=ROWS // 2, verbose=0, callbacks=list(callbacks))
    assert not same(before, model.get_weights())
    return model


def pruned(model, name):
    """A copy of which half of each kernel is zero."""
    before = model.get_weights()
    wrapped = cc.prune_low_magnitude(model, cc.ConstantSparsity(0.5, begin_step=0, frequency=1))
    fitted(wrapped, name, [cc.UpdatePruningStep()])
    values = [one for wrapper in wrappers_in(wrapped, PruneLowMagnitude) for one in wrapper.final_values()]
    assert all(np.count_nonzero(one) == max(round(one.size / 2), 1) for one in values)
    assert sum(one.size for one in values) > 0.5 * model.count_params(), "most weights are left as they are"
    plain = cc.strip_pruning(wrapped)
    assert same(outputs(plain), outputs(wrapped)) and not wrappers_in(plain) and type(plain) is type(model)
    assert same(before, model.get_weights()), "the model given has changed"
    return plain


def clustered(sparse, name):
    """A copy of a sparse model with few values in each kernel, its zeros kept."""
    before = sparse.get_weights()
    wrapped = cc.cluster_weights(sparse, VALUES, "LINEAR", preserve_sparsity=True)
    wrappers = wrappers_in(wrapped, ClusterWeights)
    zero = [array(variable) == 0 for wrapper in wrappers for variable in wrapper.changed_variables]
    fitted(wrapped, name)
    values = [one for wrapper in wrappers for one in wrapper.final_values()]
    for one, zeros in zip(values, zero, strict=True):
        assert np.unique(one).size <= VALUES and not one[zeros].any()
    plain = cc.strip_clustering(wrapped)
    assert same(outputs(plain), outputs(wrapped)) and not wrappers_in(plain) and type(plain) is type(sparse)
    assert same(before, sparse.get_weights()), "the model given has changed"
    return plain


def write(path, model):
    """Write a model's outputs, each by itself, and all its weights in a row."""
    np.savez(path, *outputs(model), weights=np.concatenate([one.ravel() for one in model.get_weights()]))


def saved(make, folder):
    """Make a network of a kind small and save it; returns its weights' bytes. Beside its file: outputs and weights."""
    name = make.__name__
    keras.utils.set_random_seed(0)
    model = clustered(pruned(make(), name), name)
    before = model.get_weights()
    cc.save_compressed(model, folder / name, custom_objects=OWN.get(name))
    assert same(before, model.get_weights()), "the model given has changed"
    write(folder / f"{name}.npz", model)
    return b"".join(one.tobytes() for one in before)


def read(folder):
    """In the fresh process: load all files of a folder; write beside each what came back, or why it did not."""
    for path in sorted(path for path in Path(folder).iterdir() if not path.suffix):
        try:
            write(path.with_suffix(".again.npz"), cc.load_compressed(path, custom_objects=OWN.get(path.name)))
        except Exception:  # this kind's test fails, not all of them
            path.with_suffix(".error").write_text(traceback.format_exc())


@pytest.fixture(scope="module")
def zoo(request, tmp_path_factory):
    """(folder with the files of the kinds asked for, {kind: its weights' bytes, or the error that it met})."""
    folder, made = tmp_path_factory.mktemp("zoo"), {}
    here = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    wanted = {item.callspec.params["name"] for item in here}
    for make in (make for make in ZOO if make.__name__ in wanted):
        try:
            made[make.__name__] = saved(make, folder)
        except Exception as error:  # as in `read`
            made[make.__name__] = error
    code = (
        f"import sys; sys.path[:0] = {[str(HERE), str(HERE.parent)]}; import test_zoo; test_zoo.read({str(folder)!r})"
    )
    in_fresh_process(code, keras.backend.backend(), seconds=1200)
    return folder, made


@pytest.mark.parametrize("name", [make.__name__ for make in ZOO])
def test_any_kind_is_made_small_and_comes_back_in_a_fresh_process(zoo, name):
    """Weights come back exactly. Outputs may differ by the rounding of sums, whose order is the backend's choice: they
    have not yet, on one machine; 1e-6 of the largest is some steps of float32, 1e-2 two or three of bfloat16."""
    folder, made = zoo
    if isinstance(made[name], Exception):
        raise made[name]
    size = (folder / name).stat().st_size
    assert size < len(lzma.compress(made[name], preset=9)), "xz makes a smaller file of the weights alone"
    error = folder / f"{name}.error"
    assert not error.exists(), error.read_text()
    before, again = np.load(folder / f"{name}.npz"), np.load(folder / f"{name}.again.npz")
    assert before.files == again.files and np.array_equal(before["weights"], again["weights"])
    part = 1e-2 if name.startswith("mixed") else 1e-6
    for one, other in ((before[key], again[key]) for key in before.files if key != "weights"):
        assert np.isfinite(one).all() and one.shape == other.shape
        assert np.abs(one - other).max() <= part * np.abs(one).max()


def test_a_class_of_ones_own_has_to_be_handed_over(tmp_path):
    path = tmp_path / "model"
    for make, name in ((own_call, "OwnModel"), (vision_transformer, "Positions|ClassToken")):
        model = make()
        with pytest.raises(CompressedFileError, match=f"({name}).* is none of Keras's own layers.*custom_objects="):
            cc.save_compressed(model, path)
        cc.save_compressed(model, path, custom_objects=OWN[make.__name__])
        with pytest.raises(CompressedFileError, match=f"({name}).* is none of Keras's own layers.*custom_objects="):
            cc.load_compressed(path)


def test_a_layer_of_ones_own_says_which_of_its_weights_count(monkeypatch):
    """Without its method ClassToken is refused by name; a model of one's own with Keras's layers inside needs none."""
    model = vision_transformer()
    token = type(model.get_layer("class_token"))
    monkeypatch.delattr(token, "get_prunable_weights")
    with pytest.raises(CompressionError, match=r"'class_token' is of the class ClassToken.*get_prunable_weights\(\)"):
        cc.prune_low_magnitude(model)
