"""The smallest networks: each step alone, the whole at a small size, interruptions, and the records recounted."""

import json
import subprocess
import sys
from itertools import product

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.compression.file import promised
from coursekit.experiments import common, smallest
from coursekit.paths import data_dir
from coursekit.records import read_lines

ROOT = data_dir().parent
TINY = smallest.Recipe(0.97, values=4, epochs=2, tune_epochs=1)


@pytest.fixture
def short(monkeypatch, few):
    """The whole experiment on little data, with one epoch for the dense network."""
    monkeypatch.setattr(smallest, "mnist", lambda: few)
    monkeypatch.setattr(common, "EPOCHS", 1)
    monkeypatch.setattr(smallest, "RECIPES", {"tiny": TINY, "dense": smallest.Recipe(0.0, epochs=1, tune_epochs=1)})


def sparse_weights(seed, share):
    """The reference network's arrays, most of them zero, with idle units of every kind."""
    rng = np.random.default_rng(seed)
    shapes = [array.shape for array in common.reference_network(keras).get_weights()]
    arrays = [rng.normal(size=shape).astype("float32") * (rng.random(shape) > share) for shape in shapes]
    arrays[6][rng.random(256) < 0.4] = 0
    arrays[4].reshape(25, 64, 256)[:, rng.random(64) < 0.4] = 0
    arrays[4][:, rng.random(256) < 0.4] = 0
    return arrays


@pytest.mark.parametrize("seed", range(3))
def test_without_its_idle_units_the_network_says_the_same(seed):
    x = np.random.default_rng(seed).random((20, 28, 28, 1), dtype="float32")
    before, after = sparse_weights(seed, 0.9), smallest.without_idle_units(sparse_weights(seed, 0.9))
    said = []
    for weights in (before, after):
        model = common.reference_network(keras)
        model.set_weights(weights)
        said.append(common.logits_of(model, x))
    assert np.allclose(said[0], said[1], rtol=1e-4, atol=1e-4 * np.abs(said[0]).max())
    assert sum(map(np.count_nonzero, after)) < sum(map(np.count_nonzero, before))


def test_what_is_left_reaches_the_output():
    w1, b1, w2, b2, w3, b3, w4, _ = smallest.without_idle_units(sparse_weights(0, 0.97))
    used = w4.any(axis=1)
    assert not w3[:, ~used].any() and not b3[~used].any() and w3[:, used].any(axis=0).all()
    for into, biases, out in ((w2, b2, w3.reshape(25, 64, 256).any(axis=(0, 2))), (w1, b1, w2.any(axis=(0, 1, 3)))):
        assert not into[..., ~out].any() and not biases[~out].any()


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from([0.0, 0.0, -2.0, -1.5, 0.5, 0.75, 3.0]), min_size=1, max_size=40), st.integers(1, 6))
def test_few_values_keep_the_zeros_and_stay_as_they_are_where_they_are_few(numbers, k):
    array = np.array(numbers, dtype=np.float32)
    changed = smallest.with_few_values(array, k)
    assert not changed[array == 0].any()
    assert len(np.unique(changed[array != 0])) <= k
    if np.all(array >= 0):
        assert np.array_equal(changed == 0, array == 0)
    if len(np.unique(array[array != 0])) <= k:
        assert np.array_equal(changed, array)


def test_a_shift_moves_the_digit_and_loses_nothing_of_it():
    x = np.zeros((1, 28, 28, 1), dtype="float32")
    x[0, 10, 12] = 1
    assert smallest.shifted(x, 1, -1)[0, 11, 11, 0] == 1
    assert len(set(smallest.SHIFTS)) == 9 and (0, 0) in smallest.SHIFTS


def test_soft_labels_mix_the_teacher_with_the_truth(few):
    x, y = few["validation"]
    teacher = common.reference_network(keras)
    soft = smallest.soft_labels(teacher, x, y, hard=0.25)
    assert soft.shape == (9, 100, 10) and np.allclose(soft.sum(axis=-1), 1, atol=1e-5)
    said = np.exp(common.logits_of(teacher, smallest.shifted(x, *smallest.SHIFTS[2])))
    said /= said.sum(axis=-1, keepdims=True)
    assert np.allclose(soft[2], 0.75 * said + 0.25 * np.eye(10)[y], atol=1e-5)


@pytest.mark.slow
def test_the_whole_goes_on_after_an_interruption_and_its_file_holds_what_the_record_says(
    short, tmp_path, monkeypatch, capsys, few
):
    where = {"work": tmp_path / "work", "results": tmp_path / "smallest.jsonl", "files": tmp_path / "files"}

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(smallest, "clustered_network", interrupted)
        interrupted.__name__ = "clustered_network"
        with pytest.raises(KeyboardInterrupt):
            smallest.run(("tiny",), (0,), **where)
    stages = {file.name: file.stat().st_mtime_ns for file in where["work"].iterdir()}
    assert sorted(stages) == ["dense-0.npz", f"pruned-{TINY.digest}-0.npz"] and not where["results"].exists()

    assert smallest.run(("tiny", "dense"), (0,), **where)
    assert {name: (where["work"] / name).stat().st_mtime_ns for name in stages} == stages
    tiny, dense = read_lines(where["results"])
    said = capsys.readouterr().out
    assert f"{tiny['bytes']:,} bytes" in said and "not compressed" in said
    weights = np.load(where["work"] / f"clustered-{TINY.digest}-0.npz")
    kept = [np.count_nonzero(promised(weights[f"array_{i}"], "float16", "float16")) for i in range(8)]
    assert kept == tiny["weights_left"] and sum(kept[::2]) <= round(0.03 * 430_880) + 4
    assert all(len(np.unique(weights[f"array_{i}"])) <= TINY.values + 1 for i in (0, 2, 4, 6))
    assert sum(tiny["parts"].values()) == pytest.approx(tiny["bytes"], abs=1)
    assert tiny["dense_wrong"] == dense["dense_wrong"] and "file" not in dense
    assert recounted(where["files"], [tiny["file"]])[0]["bytes"] == tiny["bytes"]

    shown = [line.split() for line in smallest.table(where["results"]).splitlines()]
    pairs = [(tiny, tiny["dense_wrong"]), (tiny, dense["wrong"])]
    counts = [n for one, of in pairs for n in (len(set(of) - set(one["wrong"])), len(set(one["wrong"]) - set(of)))]
    assert [row[:2] for row in shown[2:]] == [["tiny", "0"], ["tiny", "mean"], ["same", "0"], ["same", "mean"]]
    assert [int(shown[2][i]) for i in (5, 6, 8, 9)] == counts and shown[2][2] == f"{tiny['bytes']:,}"
    assert len(shown[4]) == 8 and shown[5][2] == "1,724,968"  # dense: not compared with itself

    assert smallest.run(("tiny", "dense"), (0,), **where) and len(read_lines(where["results"])) == 2


def test_a_recipe_names_all_that_it_stands_on():
    first = smallest.Recipe(0.9)
    second = smallest.Recipe(0.95, start=first)
    third = smallest.Recipe(0.97, start=second)
    assert first.chain == [first] and third.chain == [first, second, third]
    assert third.digest != smallest.Recipe(0.97, start=smallest.Recipe(0.95)).digest


def test_another_recipe_starts_anew():
    assert (
        smallest.Recipe(0.97).digest != smallest.Recipe(0.97, hard=0.2).digest == smallest.Recipe(0.97, hard=0.2).digest
    )


# --- the kept records -------------------------------------------------------------------------------------------------
RECOUNT = """
import json, sys
from pathlib import Path
import numpy as np
from coursekit import compression
from coursekit.experiments.smallest import right_on_digits28
for name in sys.argv[2:]:
    file = Path(sys.argv[1]) / name
    model = compression.load_compressed(file)
    weights = model.get_weights()
    left = [int(np.count_nonzero(array)) for array in weights]
    values = [len(np.unique(array[array != 0])) for array in weights]
    print(json.dumps({"file": name, "bytes": len(file.read_bytes()), "parameters": model.count_params(),
                      "weights_left": left, "values": values, "digits28_right": right_on_digits28(model)}))
"""


def recounted(folder, names):
    """What a fresh process finds in the files."""
    command = [sys.executable, "-c", RECOUNT, str(folder), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.mark.slow
def test_every_record_is_that_of_its_file():
    """Sizes, weights and values are counted in what a fresh process decodes; digits are read with it, too."""
    kept = [line for line in read_lines(data_dir() / "results" / "smallest.jsonl") if "file" in line]
    assert {(line["recipe"], line["seed"]) for line in kept} >= set(product(("200", "370"), range(5)))
    newest, folder = {line["file"]: line for line in kept}, data_dir() / "compressed" / "smallest"
    assert sorted(newest) == sorted(file.name for file in folder.iterdir())
    for found in recounted(folder, newest):
        line = newest[found["file"]]
        assert found["parameters"] == 431_242
        assert (found["bytes"], found["weights_left"]) == (line["bytes"], line["weights_left"])
        assert max(found["values"]) <= max(line["settings"]["values"], line["settings"]["bias_values"])
        assert abs(found["digits28_right"] - line["digits28_right"]) <= 3  # where two answers are nearly level


def test_the_recorded_networks_are_as_small_and_as_good_as_they_should_be():
    """Means over the seeds: 200 times smaller no worse than the dense network, 370 times at most 0.1 points worse."""
    for name, most, allowed in (("200", 8_624, 0), ("370", 4_662, 0.1)):
        kept = smallest.kept()[name].values()
        lost = [100 * (len(line["wrong"]) - len(line["dense_wrong"])) / line["test_images"] for line in kept]
        assert max(line["bytes"] for line in kept) <= most and np.mean(lost) <= allowed


def test_the_dense_network_with_the_same_training_is_recorded_for_each_seed():
    kept = smallest.kept()
    for name in ("200", "370"):
        assert set(kept[name]) == set(kept["dense"])
        assert all(line["dense_wrong"] == kept["dense"][seed]["dense_wrong"] for seed, line in kept[name].items())
