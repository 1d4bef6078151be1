"""Files of models: they come back bit for bit, on every backend and in a new process; whatever else is refused.

    KERAS_BACKEND=jax PYTHONPATH=.:tests python tests/compression/test_file.py FOLDER

reads the files that a test has written into the folder, compares, and writes them anew.
"""

import errno
import importlib.util
import json
import os
import random
import resource
import subprocess
import sys
import time
import zlib
from contextlib import suppress
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from keras import layers
from networks import array, inputs_for, lazy, nested, recurrent, reference, residual, shared, tiny, two_outputs

from coursekit import console
from coursekit.compression import architecture, file, load_compressed, save_compressed
from coursekit.errors import CompressedFileError

BACKENDS = ("tensorflow", "jax", "torch")
ROOT = Path(__file__).resolve().parents[2]


# --- networks ---------------------------------------------------------------------------------------------------------
ELSEWHERE = (residual, two_outputs, shared, nested)  # read in other processes, whose start takes most of the time
NETWORKS = (tiny, residual, two_outputs, recurrent, shared, nested, lazy)


def outputs(model):
    """What a model gives for these inputs, as a list of arrays."""
    return [np.asarray(one) for one in keras.tree.flatten(model.predict(inputs_for(model), verbose=0))]


def weights(model):
    return [array(one) for one in model.weights]


def same_bits(some, others):
    pairs = list(zip(some, others, strict=True))
    return all(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes() for a, b in pairs)


def made(make, seed=0):
    """A network with weights that look trained: clustered and pruned where they are many, odd in batch statistics."""
    keras.utils.set_random_seed(seed)
    model, rng = make(), np.random.default_rng(seed)
    for one in model.weights:
        values = rng.normal(scale=0.3, size=one.shape)
        if np.size(values) > 40:
            values = np.round(values * 4) / 4 + 0.0  # no -0.0, which is not kept in a clustered layer
        one.assign(np.abs(values) + 0.1 if "variance" in one.name else values)
    return model


# --- round trips ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("make", NETWORKS, ids=lambda make: make.__name__)
def test_a_model_comes_back_bit_for_bit(make, tmp_path):
    model = made(make)
    before = outputs(model)
    summary = save_compressed(model, tmp_path / "model")
    again = load_compressed(tmp_path / "model")
    assert same_bits(weights(model), weights(again))
    assert all(np.array_equal(a, b) for a, b in zip(before, outputs(again), strict=True))
    assert type(again) is type(model) and not again.compiled
    described, wanted = (architecture.without_derived(architecture.describe(one)) for one in (again, model))
    assert described == wanted
    assert summary.size == (tmp_path / "model").stat().st_size
    assert os.listdir(tmp_path) == ["model"]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder with a file of each network, its weights and its outputs as TensorFlow computes them."""
    folder = tmp_path_factory.mktemp("files")
    for make in ELSEWHERE:
        model = made(make)
        save_compressed(model, folder / make.__name__)
        np.savez(folder / f"{make.__name__}.npz", *outputs(model))
        (folder / f"{make.__name__}.bits").write_bytes(b"".join(one.tobytes() for one in weights(model)))
    return folder


@pytest.fixture(scope="module")
def read_elsewhere(written):
    """{backend: what a new process says that reads the files}, all at work at the same time."""
    found, path = {}, os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
    for backend in BACKENDS:
        if importlib.util.find_spec(backend):
            env = os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": "-1"}
            command = [sys.executable, __file__, str(written)]
            found[backend] = subprocess.Popen(
                command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
    said = {backend: process.communicate(timeout=300) for backend, process in found.items()}
    return {backend: (found[backend].returncode, *texts) for backend, texts in said.items()}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.slow
def test_a_new_process_reads_it_on_every_backend(read_elsewhere, backend):
    if backend not in read_elsewhere:
        pytest.skip(f"{backend} is not installed")
    code, out, err = read_elsewhere[backend]
    assert code == 0, err[-2000:]
    found = json.loads(out.splitlines()[-1])
    assert sorted(found) == sorted(make.__name__ for make in ELSEWHERE)
    for name, one in found.items():
        assert one["backend"] == backend and one["bits"] and one["written"], name
        assert one["off"] <= (0 if backend == "tensorflow" else 1e-5), name  # the same backend: to the last digit


def read(folder):
    """For each file of a folder: whether its weights are bit for bit the ones written, how far its outputs are off,
    and whether writing it again gives the same bytes."""
    found = {}
    for make in ELSEWHERE:
        path = folder / make.__name__
        model = load_compressed(path)
        wanted = np.load(f"{path}.npz")
        off = max(float(np.abs(a - wanted[f"arr_{i}"]).max()) for i, a in enumerate(outputs(model)))
        bits = b"".join(one.tobytes() for one in weights(model)) == Path(f"{path}.bits").read_bytes()
        again = folder / f"{make.__name__}.{keras.backend.backend()}"
        save_compressed(model, again)
        same = again.read_bytes() == path.read_bytes()
        found[make.__name__] = {"backend": keras.backend.backend(), "bits": bits, "off": off, "written": same}
    return found


# --- what is promised -------------------------------------------------------------------------------------------------
KINDS = ("float32", "float64", "float16", "bfloat16", "int8", "uint8", "int32", "int64", "bool")
SPECIAL = (0.0, -0.0, 1e-45, 1e-40, -3e38, 65504.0, 1e-8, np.inf, -np.inf, 0.1)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), st.sampled_from(KINDS), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=8))
def test_weights_of_every_kind_come_back_as_promised(data, kind, shape):
    dtype = file._dtype(kind)
    elements = st.one_of(st.sampled_from(SPECIAL), st.floats(-2, 2, width=32)) if "float" in kind else st.integers(0, 1)
    with np.errstate(over="ignore"):
        array = data.draw(hnp.arrays("float64", shape, elements=elements)).astype(dtype)
    promised = file.promised(array)
    stream, _ = file._encode([promised, array])
    again, exact = file._decode(stream, [("one", shape, kind)] * 2)
    assert same_bits([promised], [again])
    assert np.array_equal(again, array)  # to which -0.0 and 0.0 are equal
    assert file.is_clustered(array) or file._is_pruned(array) or same_bits([array], [again])
    assert same_bits([array], [exact])  # the encoding itself keeps -0.0 too


def test_the_signs_of_a_pruned_layers_zeros_take_no_room(tmp_path):
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(300, 200)).astype("float32")  # too many different ones to count as clustered
    mask = rng.random(weights.shape) < 0.1
    sizes = []
    for pruned in (np.where(mask, weights, np.float32(0)), weights * mask):
        model = keras.Sequential([keras.Input((300,)), keras.layers.Dense(200, use_bias=False)])
        model.set_weights([pruned])
        sizes.append(save_compressed(model, tmp_path / "model", names=False).size)
        assert not file.is_clustered(pruned)
        np.testing.assert_array_equal(load_compressed(tmp_path / "model").get_weights()[0], pruned)
    assert sizes[0] == sizes[1]


def test_half_precision_is_kept_where_it_is_asked_for(tmp_path):
    model = made(residual)
    clustered = [file.is_clustered(one) for one in weights(model)]
    assert any(clustered) and not all(clustered)
    half = [one.astype("float16").astype("float32") for one in weights(model)]
    for codebook, others in (("float16", "float32"), ("float32", "float16"), ("float16", "float16")):
        summary = save_compressed(model, tmp_path / "model", codebook=codebook, others=others)
        again = weights(load_compressed(tmp_path / "model"))
        rounded = [codebook == "float16" if one else others == "float16" for one in clustered]
        wanted = [h if short else w for h, w, short in zip(half, weights(model), rounded, strict=True)]
        assert same_bits([one + 0 for one in wanted], [one + 0 for one in again])  # + 0 makes 0.0 of -0.0
        assert (summary.codebook, summary.others) == (codebook, others)
        kept = [one["kept"] for one in summary.tensors]
        assert [k == "float16" for k in kept] == [
            not np.array_equal(a, b) for a, b in zip(again, weights(model), strict=True)
        ]
    with pytest.raises(ValueError, match="codebook is 'float8'"):
        save_compressed(model, tmp_path / "model", codebook="float8")


def test_a_summary_accounts_for_every_byte(tmp_path):
    summary = save_compressed(made(two_outputs), tmp_path / "model")
    assert abs(sum(summary.parts.values()) - summary.size) < 1e-6
    tensors = sum(one["bytes"] for one in summary.tensors)
    coded = sum(size for part, size in summary.parts.items() if part not in ("header", "architecture", "end"))
    assert abs(tensors - coded) < 1e-6 and -1 < summary.parts["end"] < 0.01 * summary.size + 8
    assert f"{summary.size:,} bytes" in str(summary) and "come back exactly" in summary.promise
    assert all(one["path"] in str(summary) for one in summary.tensors)


# --- the first version ------------------------------------------------------------------------------------------------
def old_network():
    """The network in the file below."""
    convolution, dense = layers.Conv2D(8, 3), layers.Dense(5, dtype="bfloat16")
    model = keras.Sequential(
        [keras.Input((6, 6, 1)), convolution, layers.BatchNormalization(), layers.Flatten(), dense]
    )
    for place, one in enumerate(model.weights):
        i = np.arange(np.prod(one.shape)).reshape(one.shape)
        one.assign(np.where(i * i % 7 < 2, 0, (i * (place + 3) % 9 - 4.0) / (8 if place < 3 else 10)))
    return model


# 211 bytes as save_compressed(old_network(), path, codebook="float16") wrote them when the format had version 1.
OF_VERSION_1 = """
    636b770198ce8eba012523393d99e9980153272ecfa0073d249de0c801c8e90fee6a02a55c12a22083271553b04f009d1bb7ef9b0928dfd2c9
    40b03a77bb6427e4332e7d440f7bf2daa0bc2d030f518878dd5f9b58393602ffb5eb56ed99cc0e56f795a1749ab0bdbc5a774764aa30f51171
    ed24e5cb9aba6539c6d5a66bbd270803f4cfb90be013f06012dd522459a53b1772389208878a5ff693a32d893754a028f1a7515a6b6cdefd2f
    ec664b779a7f8c8d2832eb0d224edf8bef936e4916b8a09d30cb8559e790dc5baafa9cbde81a9afe"""


def test_a_file_of_the_first_version_is_read_and_accounted_for(tmp_path):
    path, model = tmp_path / "old", old_network()
    path.write_bytes(bytes.fromhex(OF_VERSION_1))
    again, summary = file.account(path)
    wanted = [file.promised(one, codebook="float16") for one in weights(model)]
    assert same_bits(wanted, weights(again))
    assert architecture.describe(again)["config"]["layers"][4]["config"]["units"] == 5
    assert summary.size == 211 and abs(sum(summary.parts.values()) - 211) < 1e-6
    assert (summary.codebook, summary.others) == ("float16", "float32")
    assert summary.parts["positions"] > 50 and 0 < summary.parts["end"] < 8


def test_the_second_version_is_smaller_and_gives_the_same(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(bytes.fromhex(OF_VERSION_1))
    before = load_compressed(old)
    assert save_compressed(before, new).size < 0.9 * 211
    assert same_bits(weights(before), weights(load_compressed(new)))
    assert (old.read_bytes()[3], new.read_bytes()[3]) == (1, 2)


def test_bytes_of_one_version_under_the_number_of_the_other_are_read_as_something_or_refused(content, tmp_path):
    for body, version in ((bytes.fromhex(OF_VERSION_1)[8:], 2), (content[8:], 1), (content[8:], 0)):
        (tmp_path / "model").write_bytes(signed(body, version))
        with suppress(CompressedFileError):
            load_compressed(tmp_path / "model")


# --- size -------------------------------------------------------------------------------------------------------------
def test_the_reference_network_is_described_in_a_hundred_bytes():
    keras.utils.clear_session()
    model = reference()
    described = architecture.describe(model)
    newest = described["config"]["layers"][1]["config"]["kernel_initializer"]["config"].keys() >= {"input_axes"}
    assert len(architecture.pack(described)) < (100 if newest else 120)  # an older Keras lacks keywords, which is said
    assert len(json.dumps(described)) > 5000


def test_names_can_be_left_out(tmp_path):
    two_outputs(), residual()  # so that Keras has counted up
    for make in (two_outputs, residual):
        model = made(make)
        kept, without = (save_compressed(model, tmp_path / "model", names=names) for names in (True, False))
        again = load_compressed(tmp_path / "model")
        assert without.parts["architecture"] < kept.parts["architecture"]
        assert same_bits([one + 0 for one in weights(model)], [one + 0 for one in weights(again)])
        assert [type(one) for one in again.layers] == [type(one) for one in model.layers]
    assert "mine" not in [one.name for one in again.layers]


def test_a_pruned_and_clustered_network_takes_little_more_than_its_entropy(tmp_path):
    from coursekit.compression import size_report

    model, rng = reference(), np.random.default_rng(0)
    for one in model.weights:
        density = {18_432: 0.1, 409_600: 0.007}.get(int(np.prod(one.shape)), 0.5)
        values = np.linspace(-0.3, 0.3, 7).astype("float16")[rng.integers(0, 7, one.shape)]
        one.assign(np.where(rng.random(one.shape) < density, values, 0))
    summary = save_compressed(model, tmp_path / "model")
    bound = size_report(model).total["bound"]
    assert bound < summary.size < 1.05 * bound + 250  # evenly sparse: there is nothing to learn but the shares
    assert same_bits([one + 0 for one in weights(model)], weights(load_compressed(tmp_path / "model")))


# --- what saving leaves alone -----------------------------------------------------------------------------------------
def test_saving_changes_no_random_number_and_no_name(tmp_path):
    model = made(residual)
    random.seed(3)
    name, state = layers.Dense(1).name, random.getstate()
    save_compressed(model, tmp_path / "model")
    assert random.getstate() == state
    assert int(layers.Dense(1).name.split("_")[-1]) == int(name.split("_")[-1]) + 1


def test_a_bar_counts_the_tensors_of_writing_reading_back_and_loading(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("COURSEKIT_PROGRESS", raising=False)
    at_once = lambda *given, **words: console.late_progress(*given, **words, seconds=0)
    monkeypatch.setattr(file, "late_progress", at_once)
    save_compressed(tiny(), tmp_path / "model")
    load_compressed(tmp_path / "model")
    shown = capsys.readouterr().out
    assert "compressing" in shown and "reading" in shown


def test_a_compiled_model_is_saved_without_its_optimizer(tmp_path):
    model = made(tiny)
    plain = save_compressed(model, tmp_path / "model").size
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.zeros((4, 4)), np.zeros((4, 2)), verbose=0)
    assert abs(save_compressed(model, tmp_path / "model").size - plain) < 20
    assert not load_compressed(tmp_path / "model").compiled


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model"
    save_compressed(made(tiny), path)
    before = path.read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CompressedFileError, match=r"No space left on device\); the old one is as it was"):
        save_compressed(made(tiny, seed=1), path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["model"]
    with pytest.raises(CompressedFileError, match="nothing was left"):
        save_compressed(made(tiny), tmp_path / "other")
    assert os.listdir(tmp_path) == ["model"]


@pytest.mark.parametrize("where", ["no/such/folder", "taken/model", "folder"])
def test_a_path_that_cannot_be_written_is_refused_in_a_sentence(tmp_path, where):
    (tmp_path / "taken").write_text("a file")
    (tmp_path / "folder").mkdir()
    with pytest.raises(CompressedFileError, match="could not be written"):
        save_compressed(made(tiny), tmp_path / where)
    assert sorted(os.listdir(tmp_path)) == ["folder", "taken"]


# --- what is not saved ------------------------------------------------------------------------------------------------
def test_models_that_cannot_be_saved_are_refused_in_a_sentence(tmp_path):
    def broken(value):
        model = made(tiny)
        model.weights[0].assign(np.full((4, 3), value, "float32"))
        return model

    class Own(keras.Model):
        def __init__(self, width):
            super().__init__()
            self.dense = layers.Dense(width)

        def call(self, x):
            return self.dense(x)

    own = Own(3)
    own(np.zeros((1, 2)))
    strange = keras.Sequential([keras.Input((3,)), layers.Lambda(lambda x: x + 1)])
    for model, message in (
        (keras.Sequential([layers.Dense(3)]), "has no weights yet"),
        (broken(np.nan), "holds NaN"),
        ("a name", "takes a model of Keras 3 and got a str"),
        (own, "can't be written down|is none of Keras's own layers"),
        (strange, "a Lambda layer holds Python code"),
    ):
        with pytest.raises(CompressedFileError, match=message):
            save_compressed(model, tmp_path / "model")
    with pytest.raises(CompressedFileError, match="float16 ends at 65,504"):
        save_compressed(broken(1e6), tmp_path / "model", codebook="float16", others="float16")
    assert not os.listdir(tmp_path)


@keras.saving.register_keras_serializable(package="tests")
class Doubled(layers.Layer):
    """A layer of our own, with weights of several kinds."""

    def build(self, shape):
        for kind in ("float32", "float16", "bfloat16", "int32", "uint8"):
            self.add_weight(shape=(shape[-1],), dtype=kind, name=kind, trainable=False, initializer="zeros")

    def call(self, x):
        return 2 * x + self.weights[0]


def test_classes_of_ones_own_come_back_only_where_they_are_handed_over(tmp_path):
    model, path = keras.Sequential([keras.Input((9,)), Doubled(), layers.Dense(2)]), tmp_path / "model"
    for one in model.weights:
        one.assign(np.arange(np.prod(one.shape)).reshape(one.shape))
    with pytest.raises(CompressedFileError, match="Doubled' is none of Keras's own"):
        save_compressed(model, path)
    trusted = {"tests>Doubled": Doubled}
    save_compressed(model, path, custom_objects=trusted)
    again = load_compressed(path, custom_objects=trusted)
    assert same_bits(weights(model), weights(again))
    assert [str(one.dtype) for one in again.weights][:5] == ["float32", "float16", "bfloat16", "int32", "uint8"]
    with pytest.raises(CompressedFileError, match="Doubled' is none of Keras's own"):
        load_compressed(path)  # although it is registered in this process


@keras.saving.register_keras_serializable(package="tests")
class Nameless(layers.Layer):
    """A layer that gives its weights no names, so that Keras counts them: variable, variable_1."""

    def build(self, shape):
        self.scales = [self.add_weight(shape=shape[-1:], initializer="ones") for _ in range(2)]

    def call(self, x):
        return self.scales[0] * x + self.scales[1]


def test_weights_without_names_come_back(tmp_path):
    model, path = keras.Sequential([keras.Input((4,)), Nameless(), Nameless(), layers.Dense(2)]), tmp_path / "model"
    for place, one in enumerate(model.weights):
        one.assign(np.full(one.shape, place, "float32"))
    trusted = {"tests>Nameless": Nameless}
    save_compressed(model, path, custom_objects=trusted)
    assert same_bits(weights(model), weights(load_compressed(path, custom_objects=trusted)))


# --- what is not loaded -----------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("one") / "model"
    save_compressed(made(tiny), path)
    return path.read_bytes()


def refused(path, content, match=None, **options):
    path.write_bytes(content)
    with pytest.raises(CompressedFileError, match=match):
        load_compressed(path, **options)


def test_any_byte_altered_and_any_cut_are_refused(content, tmp_path):
    path = tmp_path / "model"
    path.write_bytes(content)
    load_compressed(path)
    for at in range(len(content)):
        refused(path, content[:at])
        for other in {content[at] ^ 1, content[at] ^ 128, 255 - content[at], 0} - {content[at]}:
            refused(path, content[:at] + bytes([other]) + content[at + 1 :])
    for more in (b"\0", b"\0\0\0\0", content):
        refused(path, content + more, "cut or altered")


def test_the_sentence_says_what_is_wrong(content, tmp_path):
    path = tmp_path / "model"
    refused(path, b"", "no file of save_compressed, or was cut")
    refused(path, b"PK\3\4" + content, "no file of save_compressed")
    refused(path, content[:20], "cut or altered")
    refused(path, signed(content[8:], version=3), "has version 3 of the format, and this coursekit reads up to 2")
    with pytest.raises(CompressedFileError, match="there is no file"):
        load_compressed(tmp_path / "none")
    with pytest.raises(CompressedFileError, match="there is no file"):
        load_compressed(tmp_path)


def signed(body, version=2):
    """A file with this body and the right checksum."""
    head = b"ckw" + bytes([version])
    return head + zlib.crc32(head + body).to_bytes(4, "little") + body


def described(description, stream=bytes(range(50))):
    """A file whose architecture is this text, or JSON of this, and whose weights are these bytes."""
    text = description if isinstance(description, bytes) else json.dumps(description).encode()
    coder = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zdict=architecture._DICTIONARIES[2])
    packed = coder.compress(text) + coder.flush()
    return signed(file._varint(4 * len(packed)) + packed + stream)


def sequential(*some):
    return ["Sequential", {"layers": [["InputLayer", {"shape": [4]}], *some]}]


def on(shape, *some):
    return ["Sequential", {"layers": [["InputLayer", {"shape": shape}], *some]}]


def dense(**more):
    return on([4], ["Dense", {"units": 2} | more])


def function(module, name):
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def in_full(**layer):
    """The long form, which can name anything."""
    long = architecture._Lengthen()(sequential(["Dense", {"units": 2}]))
    long["config"]["layers"][1] |= layer
    return long


HUGE = {
    "units": sequential(["Dense", {"units": 10**9}]),
    "units beyond any number": sequential(["Dense", {"units": 10**40}]),
    "two layers": sequential(["Dense", {"units": 90_000}], ["Dense", {"units": 90_000}]),
    "an embedding": sequential(["Embedding", {"input_dim": 10**7, "output_dim": 10**7}]),
    "a kernel": on([9, 9, 3], ["Conv2D", {"filters": 9, "kernel_size": 10**4}]),
    "an input": on([10**6, 10**6], ["Dense", {"units": 2}]),
    "a loop": on([10**6, 3], ["LSTM", {"units": 2, "unroll": True}]),
    "another loop": on([4], ["SpectralNormalization", {"layer": ["Dense", {"units": 2}], "power_iterations": 10**7}]),
    "text": b'["Sequential",{"name":"' + b"x" * 30_000_000 + b'"}]',
    "depth": b"[" * 100_000 + b"]" * 100_000,
    "less depth": b'["=",' * 200 + b"1" + b"]" * 200,
    "digits": b'["Sequential",{"layers":' + b"9" * 100_000 + b"}]",
}  # fmt: skip


@pytest.mark.parametrize("name", HUGE)
def test_a_file_that_claims_to_be_huge_is_refused_before_memory_is_taken(name, tmp_path):
    bomb = described(HUGE[name])
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    refused(tmp_path / "model", bomb)
    assert time.monotonic() - start < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kilobytes
    assert len(bomb) < 40_000


NOWHERE = [[[["@", 9]], {}]]
FOREIGN = {
    "Lambda": sequential(["Lambda", {"function": "evil"}]),
    "TFSMLayer": sequential(["TFSMLayer", {"filepath": "/tmp/evil"}]),
    "TorchModuleWrapper": sequential(["TorchModuleWrapper", {"module": "evil"}]),
    "StringLookup": sequential(["StringLookup", {"vocabulary": "/etc/passwd"}]),
    "no class": sequential([["Dense"], {"units": 2}]),
    "an operation with a function": sequential(["core.Map", {}]),
    "a class of no operation": sequential(["numpy.Operation", {}]),
    "a helper of a module": sequential(["numpy.broadcast_shapes", {}]),
    "in full, Lambda": in_full(class_name="Lambda", config={"function": "evil", "name": "x"}),
    "in full, another module": in_full(module="os", class_name="system", config={}),
    "in full, registered": in_full(module="tests", class_name="Doubled", registered_name="tests>Doubled"),
    "in full, registered under Keras's name": in_full(registered_name="tests>Doubled"),
    "in full, no module": in_full(module=None),
    "a lambda as activation": dense(activation={"class_name": "__lambda__", "config": {"value": []}}),
    "a function of builtins": dense(activation=function("builtins", "eval")),
    "a function of another module": dense(activation=function("os", "system")),
    "a registered activation": dense(activation="tests>Doubled"),
    "a type": dense(activation={"class_name": "__typespec__", "spec_name": "x", "config": []}),
    "a layer that is no model": ["Dense", {"units": 2}],
    "a constant of words": dense(bias_initializer={"class_name": "__numpy__", "config": {"value": "x", "dtype": "O"}}),
    "a constant of another kind": dense(units={"class_name": "__tensor__", "config": {"value": [2], "dtype": "evil"}}),
    "a constant without numbers": dense(units={"class_name": "__tensor__", "config": 3}),
    "a number": 7,
    "a list for a class": in_full(class_name=["Dense"]),
    "a list for a registered name": in_full(registered_name=["Dense"]),
    "a word for a size": on(["x"], ["Dense", {"units": 2}]),
    "a number for a shape": on(3, ["Dense", {"units": 2}]),
    "no architecture": [],
    "not JSON": b"\xff\xfe",
    "unknown keywords": sequential(["Dense", {"units": 2, "evil": 1}]),
    "a wire to nowhere": ["Functional", {"layers": [["InputLayer", {"shape": [4]}], ["ReLU", {"in": NOWHERE}]]}],
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_that_names_what_it_may_not_is_refused(name, tmp_path):
    refused(tmp_path / "model", described(FOREIGN[name]))


def test_the_same_form_with_nothing_foreign_is_read(tmp_path):
    path = tmp_path / "model"
    for good in (sequential(["Dense", {"units": 2}]), in_full()):
        path.write_bytes(described(good, file._encode([np.zeros((4, 2), "float32"), np.zeros(2, "float32")])[0]))
        assert load_compressed(path).count_params() == 10


def test_what_a_file_says_of_frozen_layers_is_checked():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(3), layers.Dense(1)])
    described = architecture.describe(model)
    again = architecture.build(described | {"frozen": [[2], [2, 3, 10**6]]})
    assert [weight.trainable for weight in again.weights] == [True, True, False, False]
    for nonsense in (None, 1, [], [[1]], [[1], [], []], [1, 2], [["1"], []], [[], [[1]]], [[{}], []], [[1.0], [True]]):
        with pytest.raises(CompressedFileError, match="what the file describes as frozen makes no sense"):
            architecture.build(described | {"frozen": nonsense})


def test_a_model_above_the_callers_limit_is_refused(content, tmp_path):
    refused(tmp_path / "model", content, "23 weights, and at most 22 are allowed", max_parameters=22)
    (tmp_path / "model").write_bytes(content)
    assert load_compressed(tmp_path / "model", max_parameters=23).count_params() == 23


def called_on(token, arguments, **words):
    """A network with a layer that is called on these constants, and computes from them while it is built."""
    numbers = [{"class_name": "__tensor__", "config": {"value": one, "dtype": "float32"}} for one in arguments]
    layers_of = [["InputLayer", {"shape": [4]}], [token, words | {"in": [[numbers, {}]]}]]
    return ["Functional", {"layers": [*layers_of, ["Dense", {"units": 2, "in": [[[["@", 2]], {}]]}]]}]


FROM_NOTHING = {
    "Tile": called_on("numpy.Tile", [[1.0]], repeats=90_000_000),
    "Repeat": called_on("numpy.Repeat", [[1.0]], repeats=90_000_000),
    "BroadcastTo": called_on("numpy.BroadcastTo", [[1.0]], shape=[9000, 9000]),
    "OneHot": called_on("nn.OneHot", [[1.0]], num_classes=90_000_000),
    "Linspace": called_on("numpy.Linspace", [0.0, 1.0], num=90_000_000),
    "Vander": called_on("numpy.Vander", [[1.0]], N=90_000_000),
    "Outer": called_on("numpy.Outer", [[0.0] * 9000, [0.0] * 9000]),
    "SVD": called_on("linalg.SVD", [[[0.0] * 600] * 600]),
    "Resizing": called_on("Resizing", [[[[[1.0]]]]], height=9000, width=9000),
    "RepeatVector": called_on("RepeatVector", [[[1.0]]], n=90_000_000),
}


@pytest.mark.parametrize("name", FROM_NOTHING)
def test_a_file_that_computes_from_constants_is_refused_before_anything_is_built(name, tmp_path, monkeypatch):
    monkeypatch.setattr(architecture, "build", None)
    refused(tmp_path / "model", described(FROM_NOTHING[name]), "called on numbers alone")


DEAR = {  # whose initializers would factor large matrices, or draw millions of numbers, for weights that then follow
    "Orthogonal": ["Dense", {"units": 2000, "kernel_initializer": ["Orthogonal"]}],
    "LSTM": ["LSTM", {"units": 900}],
    "He": ["Dense", {"units": 4000, "kernel_initializer": ["HeNormal"]}],
}


@pytest.mark.parametrize("name", DEAR)
def test_a_file_makes_no_initializer_compute(name, tmp_path, monkeypatch):
    """Here the file ends after its description, so that all weights are read as zeros."""
    shape = [5, 4] if name == "LSTM" else [2000]
    network = ["Sequential", {"layers": [["InputLayer", {"shape": shape}], DEAR[name]]}]
    (tmp_path / "model").write_bytes(described(network, b""))
    for one in (keras.initializers.Orthogonal, keras.initializers.GlorotUniform, keras.initializers.HeNormal):
        monkeypatch.setattr(one, "__call__", None)
    model = load_compressed(tmp_path / "model")
    kind = DEAR[name][1].get("kernel_initializer", ["GlorotUniform"])[0]
    layer = model.layers[-1]
    assert type(getattr(layer, "cell", layer).kernel_initializer).__name__ == kind  # as it would be trained anew


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_altered_contents_with_the_right_checksum_are_read_or_refused(content, tmp_path_factory, data):
    body = bytearray(content[8:])
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    body = body[: data.draw(st.integers(1, len(body)))] if data.draw(st.booleans()) else body
    path = tmp_path_factory.mktemp("altered") / "model"
    path.write_bytes(signed(bytes(body)))
    try:
        model = load_compressed(path, max_parameters=10_000)
    except CompressedFileError:
        return
    assert isinstance(model, keras.Model) and model.count_params() <= 10_000


def test_keywords_that_this_keras_does_not_know_are_left_out(tmp_path, monkeypatch):
    """As where a newer Keras has written the file: its layers have a keyword that this one would not accept."""
    monkeypatch.setitem(architecture._KEYS, "Dense", (*architecture._KEYS["Dense"], "newer"))
    long = architecture._Lengthen()(dense())
    assert long["config"]["layers"][1]["config"]["newer"] is None
    assert architecture.build(long).count_params() == 10
    long["config"]["layers"][1]["config"]["newer"] = 3  # a value that means something
    with pytest.raises(CompressedFileError, match="Keras can't build"):
        architecture.build(long)


if __name__ == "__main__":
    print(json.dumps(read(Path(sys.argv[1]))))
