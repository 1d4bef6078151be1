"""The reference experiment through two libraries: at a small size, interrupted, and the records recounted."""

import json
import subprocess
import sys

import numpy as np
import pytest

from coursekit.errors import CoursekitError
from coursekit.experiments import common, reference, tfmot
from coursekit.paths import data_dir
from coursekit.records import read_lines

pytest.importorskip("tensorflow_model_optimization")
pytestmark = pytest.mark.usefixtures("small")
ROOT = data_dir().parent


def test_a_file_of_keras_2_is_as_long_the_second_time(weights):
    few_values = [np.rint(array * 50) / 50 for array in weights]
    dense, clustered, again = (tfmot.h5_sizes(one) for one in (weights, few_values, weights))
    assert dense == again and dense["h5"] == clustered["h5"] > 4 * sum(array.size for array in weights)
    assert clustered["h5_zipped"] < 0.3 * dense["h5_zipped"] < 0.3 * dense["h5"]


def test_not_trained_a_weight_is_its_nearest_centroid(weights):
    found = reference.clustered(weights, None, 0, 14, 0, 1e-5, "LINEAR")
    for before, after in zip(weights[::2], found[::2], strict=True):
        values = np.linspace(before.min(), before.max(), 14)
        assert np.allclose(after, values[np.abs(before[..., None] - values).argmin(-1)], atol=1e-6)
    assert all(np.array_equal(*pair) for pair in zip(weights[1::2], found[1::2], strict=True))


@pytest.mark.slow
def test_both_libraries_from_one_network_and_on_after_an_interruption(monkeypatch, tmp_path, capsys, few, small):
    monkeypatch.setattr(common, "EPOCHS", 1)
    monkeypatch.setattr(reference, "mnist", lambda: few)
    for library in (tfmot, reference):
        monkeypatch.setattr(library, "INITIALIZATIONS", ("LINEAR",))
    where = {"work": tmp_path / "work", "results": tmp_path / "reference.jsonl", "files": tmp_path / "files"}

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(tfmot, "clustered", interrupted)
        with pytest.raises(KeyboardInterrupt):
            reference.run((0,), **where)
    kept = {file.name: file.stat().st_mtime_ns for file in where["work"].iterdir()}
    assert len(kept) == 2 and "dense-0.npz" in kept and not where["results"].exists()

    assert reference.run((0,), **where) and reference.run((0,), **where)
    assert {name: (where["work"] / name).stat().st_mtime_ns for name in kept} == kept
    (line,) = read_lines(where["results"])
    assert "times less" in capsys.readouterr().out
    forms = line["forms"]
    assert set(forms) >= {"dense", "coursekit LINEAR", "tfmot LINEAR", reference.AFTERWARDS}
    for name, form in forms.items():
        if name not in ("dense", reference.AFTERWARDS):
            assert max(form["values"]) <= 14 and form["h5_zipped"] < 0.3 * forms["dense"]["h5_zipped"]

    ours, theirs = (arrays(where["work"], f"{library}-linear-*.npz") for library in ("coursekit", "tfmot"))
    for one, other in zip(ours[::2], theirs[:8:2], strict=True):  # two steps at a rate of 1e-5 from the same values
        assert np.mean(np.abs(one - other) > 1e-3) < 0.03
    for one, other in zip(ours[1::2], theirs[1:8:2], strict=True):
        assert np.allclose(one, other, atol=1e-4)
    losses = [forms[name]["loss"] for name in ("dense", "tfmot LINEAR", reference.AFTERWARDS)]
    assert len(set(losses)) == 3  # the model given is neither what it was nor clustered
    check_against_files(line, where["files"], small)
    shown = reference.table(where["results"]).splitlines()
    assert len(shown) == 1 + len(forms) + 2 and "196,180" in shown[-1] and "8.17" in shown[-1]
    assert f"{forms['tfmot LINEAR']['h5_zipped']:,}" in "\n".join(shown)
    assert "no record yet" in reference.table(tmp_path / "none.jsonl")


def test_without_the_toolkit_nothing_begins(monkeypatch, tmp_path):
    monkeypatch.setattr(tfmot.importlib.util, "find_spec", lambda name: None if name == "tf_keras" else True)
    with pytest.raises(CoursekitError, match="needs the package tf-keras: make env"):
        reference.run((0,), tmp_path / "work", tmp_path / "reference.jsonl", tmp_path / "files")
    assert not list(tmp_path.iterdir())


def arrays(work, pattern):
    (file,) = work.glob(pattern)
    with np.load(file) as kept:
        return [kept[f"array_{i}"] for i in range(len(kept.files) - 2)]


# --- the kept records -------------------------------------------------------------------------------------------------
RECOUNT = """
import json, sys
from pathlib import Path
from coursekit import compression
from coursekit.experiments import common, tfmot
common.WIDTHS = json.loads(sys.argv[2])
for name in sys.argv[3:]:
    file = Path(sys.argv[1]) / name
    model = compression.load_compressed(file)
    weights = model.get_weights()
    found = common.weight_statistics(weights[::2]) | tfmot.h5_sizes(weights)
    print(json.dumps(found | {"digits28_right": common.right_on_digits28(model)}))
"""


def check_against_files(line, folder, widths):
    """Compare a record with what a fresh process finds in the files that it names."""
    assert line["files"] == reference.KEPT
    command = [sys.executable, "-c", RECOUNT, str(folder), json.dumps(widths), *line["files"].values()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    counted = [json.loads(found) for found in done.stdout.splitlines() if found.startswith("{")]
    for form, found in zip(line["files"], counted, strict=True):
        recorded = line["forms"][form]
        assert (found["values"], found["zeros"]) == (recorded["values"], recorded["zeros"])
        assert found["h5"] == pytest.approx(recorded["h5"], rel=0.01)  # another version of HDF5 may use other headers
        assert found["h5_zipped"] == pytest.approx(recorded["h5_zipped"], rel=0.01)
        assert abs(found["digits28_right"] - recorded["digits28_right"]) <= 3  # where two answers are nearly level


@pytest.mark.slow
def test_the_records_are_those_of_their_files():
    found, folder = common.newest("reference"), data_dir() / "compressed" / "reference"
    assert folder.is_dir() == (reference.KEPT_SEED in found)
    if folder.is_dir():
        check_against_files(found[reference.KEPT_SEED], folder, (32, 64, 256))


def test_the_records_repeat_what_the_article_reports():
    """Means of five seeds, through both libraries: the accuracy stays, and the zipped file is eight times smaller."""
    found = common.newest("reference")
    assert set(found) >= set(range(5))

    def mean(form, value):
        return np.mean([value(line["forms"][form], line["test_images"]) for line in found.values()])

    accuracies = {form: mean(form, lambda of, n: 1 - len(of["wrong"]) / n) for form in found[0]["forms"]}
    sizes = {form: mean(form, lambda of, _: of["h5_zipped"]) for form in ("dense", "coursekit LINEAR", "tfmot LINEAR")}
    (before, after), (plain, clustered) = reference.PUBLISHED["h5_zipped"], reference.PUBLISHED["accuracy"]
    assert sizes["dense"] == pytest.approx(before, rel=0.01) and accuracies["dense"] == pytest.approx(plain, abs=0.001)
    for form in ("coursekit LINEAR", "tfmot LINEAR"):
        assert accuracies[form] == pytest.approx(clustered, abs=0.001)
        assert sizes[form] <= after and sizes["dense"] / sizes[form] > 8
    assert sizes["coursekit LINEAR"] == pytest.approx(sizes["tfmot LINEAR"], rel=0.01)


def test_the_records_say_what_notebook_19_says_of_them():
    """The epoch at a low rate lowers the loss with each network; random centroids can change more than linear ones."""
    seeds = [line["forms"] for line in common.newest("reference").values()]
    for forms in seeds:
        for way in ("LINEAR", "OPTIMAL"):
            assert forms[f"coursekit {way}"]["loss"] < forms[f"coursekit {way}, not trained"]["loss"]
    worst = {way: max(len(forms[f"tfmot {way}"]["wrong"]) for forms in seeds) for way in ("LINEAR", "RANDOM")}
    assert worst["RANDOM"] > 1.2 * worst["LINEAR"]
