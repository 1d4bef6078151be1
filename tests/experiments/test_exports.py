"""Networks as LiteRT and ONNX: what a file holds, what is refused, and the kept records recounted from their files."""

from pathlib import Path

import keras
import numpy as np
import pytest

from coursekit.authoring import cli
from coursekit.errors import CoursekitError
from coursekit.experiments import common, exports
from coursekit.paths import data_dir
from coursekit.records import read_lines

ROOT = Path(__file__).resolve().parents[2]
needs_tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="LiteRT files need TensorFlow")
VALUES = np.float32([-0.27, -0.1, 0, 0, 0, 0.13, 0.4])


@pytest.fixture(scope="module")
def model():
    """The reference network, narrow, with five different values in each kernel and many zeros."""
    keras.utils.set_random_seed(0)
    small, rng = common.reference_network(keras, widths=(4, 6, 40)), np.random.default_rng(0)
    for layer in small.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            layer.set_weights([rng.choice(VALUES, kernel.shape), rng.normal(size=bias.shape)])
    return small


@pytest.fixture
def x(few):
    return few["test"][0][:20]


@needs_tensorflow
def test_litert_keeps_values_and_zeros_where_it_keeps_floats_or_has_one_step(model, x):
    measured = exports.lite_measured(model, exports.lite_files(model), x)
    exact = common.weight_statistics(model.get_weights()[::2])
    assert list(measured) == list(exports.LITE) and exact["values"] == [5] * 4
    for name in ("LiteRT float32", "LiteRT float16", "LiteRT int8, one step"):
        assert {key: measured[name][key] for key in exact} == exact, name
    assert measured["LiteRT float32"]["difference"] < 1e-4 and measured["LiteRT float32"]["same"] == 20
    plain = [measured[name]["plain"] for name in ("LiteRT float32", "LiteRT float16", "LiteRT int8")]
    assert plain == sorted(plain, reverse=True)
    assert all(of["zip"] < 0.5 * of["plain"] for of in measured.values())  # few values can be packed


@needs_tensorflow
def test_a_step_for_each_unit_makes_more_codes_of_the_same_values(model, x):
    model = keras.models.clone_model(model)
    kernel = np.random.default_rng(1).choice([-0.2, 0.0, 0.3], (150, 40))
    kernel[:, ::2] = np.minimum(kernel[:, ::2], 0)  # every second unit has no large weight
    model.layers[-2].set_weights([kernel, np.zeros(40)])
    measured = exports.lite_measured(model, exports.lite_files(model), x)
    assert [measured[name]["values"][2] for name in exports.LITE] == [3, 3, 4, 3]


@needs_tensorflow
def test_onnx_keeps_every_kernel_and_answers_alike(model, x):
    for name in exports.NEEDED:
        pytest.importorskip(name)
    content = exports.written(model)["ONNX float32"]
    for stored, kernel in zip(exports.onnx_kernels(content, model), model.get_weights()[::2], strict=True):
        assert np.array_equal(np.sort(stored, axis=None), np.sort(kernel, axis=None))
    found = exports.compared(exports.onnx_logits(content, x), common.logits_of(model, x))
    assert found["difference"] < 1e-4 and found["same"] == 20


def test_without_the_packages_nothing_begins(monkeypatch, tmp_path):
    monkeypatch.setattr(exports.importlib.util, "find_spec", lambda name: None if "onnx" in name else True)
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    with pytest.raises(CoursekitError, match="pip install onnx onnxruntime tf2onnx"):
        exports.run(tmp_path / "work", tmp_path / "exports.jsonl")
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(CoursekitError, match="KERAS_BACKEND=tensorflow"):
        exports.run(tmp_path / "work", tmp_path / "exports.jsonl")
    assert not list(tmp_path.iterdir())


def test_a_record_for_each_network_and_tables_of_them(monkeypatch, tmp_path, capsys):
    def formats(size):
        of = dict.fromkeys(exports.WAYS, size) | {"values": [5, 5], "zeros": 0.5}
        return {name: of if name == ".ckw" else of | {"zip": 3 * size} for name in exports.FORMATS}

    file, names = tmp_path / "exports.jsonl", list(exports.NETWORKS)[:2]
    assert "no record yet" in exports.table(file)
    monkeypatch.setattr(exports, "NETWORKS", {name: exports.NETWORKS[name] for name in names})
    monkeypatch.setattr(exports, "check", lambda: None)
    monkeypatch.setattr(exports, "mnist", lambda: None)
    monkeypatch.setattr(exports, "record", lambda name, data, work: {"formats": formats(1000 + len(name))})
    assert exports.run(tmp_path, file) and exports.run(tmp_path, file)
    assert [line["network"] for line in read_lines(file)] == names == list(exports.kept(file))
    said = capsys.readouterr().out
    assert exports.table(file).count("1,005") == said.count("1,005") > 0
    lines = exports.page_table(file).splitlines()
    assert len(lines) == 2 + 1 + 2 * (len(exports.FORMATS) - 1) and lines[2] == "| `.ckw` |  | 1,005 | 1,009 |"
    assert lines[3] == "| `.keras`, zip | 1,005 | 3,015 (3.0) | 3,027 (3.0) |"
    assert lines[-1] == "| ONNX float32, xz |  | 1,005 (1.0) | 1,009 (1.0) |"


def test_the_command_takes_no_seed_and_no_recipe(monkeypatch, capsys):
    monkeypatch.setattr(exports, "run", lambda: True)
    assert cli.main(["experiment", "exports"]) == 0
    assert cli.main(["experiment", "exports", "--seeds", "1"]) != 0
    assert "leave out --seeds" in capsys.readouterr().err
    assert cli.main(["experiment", "exports", "--recipes", "200"]) != 0


# --- the kept records -------------------------------------------------------------------------------------------------
def test_the_page_shows_the_records():
    page, lines = (ROOT / "docs" / "compression.md").read_text(encoding="utf-8"), exports.kept()
    assert list(lines) == list(exports.NETWORKS) and exports.page_table() in page
    for line in lines.values():
        used = {**line["versions"], **line["packages"]}
        assert all(f"{name} {used[name]}" in page for name in ("tensorflow", *exports.NEEDED))


def test_the_records_say_what_the_page_says_of_them():
    lines = exports.kept()
    for name, line in lines.items():
        model = {key: line["formats"][".ckw"][key] for key in ("values", "zeros")}
        for form in ("LiteRT float32", "ONNX float32"):
            found = line["formats"][form]
            assert {key: found[key] for key in model} == model, (name, form)
            assert found["difference"] < 1e-4 and found["same"] == line["images"]
            assert found["plain"] == pytest.approx(4 * line["parameters"], rel=0.01)  # nothing is gained as it is
    for form in ("LiteRT float32", "ONNX float32"):
        times = {way: exports.times_larger(form, way) for way in ("zip", "xz")}
        assert 1.1 < times["xz"]["14 values"] < 1.3
        assert 2 < times["xz"]["99.5 % pruned, 9 values"] < 2.5
        assert 2.9 < times["zip"]["99.5 % pruned, 9 values"] < 3.5
    for form in exports.FORMATS[1:]:
        plain = [line["formats"][form]["plain"] for line in lines.values()]
        assert plain == pytest.approx([plain[0]] * len(plain), rel=0.001)
    for form in ("LiteRT int8", "LiteRT int8, one step"):
        assert 0.2 < exports.times_larger(form, "xz")["dense"] < 0.3
    for name, line in lines.items():  # few values and a step for each unit: more codes, and more bytes
        each, one = (line["formats"][form] for form in ("LiteRT int8", "LiteRT int8, one step"))
        assert each["xz"] > one["xz"] and each["zip"] > one["zip"]
        if "values" in name:
            few = max(line["formats"][".ckw"]["values"])
            assert max(one["values"]) <= few < 2 * few < max(each["values"])


@pytest.mark.slow
@needs_tensorflow
@pytest.mark.parametrize("name", [name for name, file in exports.NETWORKS.items() if file])
def test_a_record_is_that_of_its_file(name):
    """All but ONNX can be recounted anywhere; other versions of TensorFlow and zlib may be some bytes off."""
    line = exports.kept()[name]
    file, recorded = data_dir() / "compressed" / line["file"], line["formats"]
    assert line["file"] == exports.NETWORKS[name] and recorded[".ckw"]["plain"] == file.stat().st_size
    model, x = exports.network(name, None, None), np.random.default_rng(0).random((20, 28, 28, 1), dtype=np.float32)
    exact = common.weight_statistics(model.get_weights()[::2])
    for form, found in exports.lite_measured(model, exports.lite_files(model), x).items():
        for way in exports.WAYS:
            assert found[way] == pytest.approx(recorded[form][way], rel=0.05), (form, way)
        if form != "LiteRT int8":  # how a unit's step is rounded may change
            assert found["zeros"] == pytest.approx(recorded[form]["zeros"], abs=0.001), form
        if form == "LiteRT float32":
            assert {key: found[key] for key in exact} == {key: recorded[form][key] for key in exact} == exact
