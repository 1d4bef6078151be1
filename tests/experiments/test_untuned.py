"""Two networks that the library was not tuned for: parts, the whole at a small size, interrupted, and its records."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest

from coursekit import compression
from coursekit.authoring.pages import index
from coursekit.errors import CoursekitError
from coursekit.experiments import untuned
from coursekit.paths import data_dir
from coursekit.records import read_lines

ROOT = data_dir().parent
SHORT = {
    "residual": untuned.Settings((4, 5, 6), dense_epochs=1, epochs=3, rate=1e-3, later_rate=1e-3, batch=100),
    "transformer": untuned.Settings((8, 12), dense_epochs=1, epochs=3, rate=1e-3, later_rate=1e-3, batch=100),
}
FEW = {
    "dense": untuned.Method(),
    "4 values": untuned.Method(values=4),
    "90 % pruned, 5 values": untuned.Method(values=5, sparsity=0.9),
    "price 1e-4": untuned.Method(price=1e-4),
}


@pytest.fixture
def short(monkeypatch, few):
    """The whole experiment on little data, with three epochs for each method."""
    monkeypatch.setattr(untuned, "digits", lambda: few)
    networks = {name: (make, SHORT[name]) for name, (make, _) in untuned.NETWORKS.items()}
    monkeypatch.setattr(untuned, "NETWORKS", networks)
    monkeypatch.setattr(untuned, "METHODS", FEW)
    monkeypatch.setattr(untuned, "KEPT", {"residual": "4 values", "transformer": "price 1e-4"})


# --- parts ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", untuned.NETWORKS)
def test_a_network_reads_images_and_comes_back_from_a_file(name, tmp_path, few):
    make, settings = untuned.NETWORKS[name]
    model = make(settings.widths)
    x = few["test"][0][:5]
    compression.save_compressed(model, tmp_path / "model.ckw")
    said = [keras.ops.convert_to_numpy(one(x)) for one in (model, compression.load_compressed(tmp_path / "model.ckw"))]
    assert said[0].shape == (5, 10) and np.allclose(*said, atol=1e-5)


def test_the_transformer_knows_where_a_patch_is(few):
    keras.utils.set_random_seed(0)
    model, x = untuned.transformer((8, 12)), few["test"][0][:5]
    turned = np.roll(x, 7, axis=1)  # the same patches at other places
    said = [keras.ops.convert_to_numpy(model(one)) for one in (x, turned)]
    assert np.abs(said[0] - said[1]).max() > 1e-4


def test_the_digits_are_split_in_three():
    data = untuned.digits()
    assert {part: x.shape for part, (x, _) in data.items()} == {
        "train": (3200, 28, 28, 1),
        "validation": (800, 28, 28, 1),
        "test": (1000, 28, 28, 1),
    }
    images = [image.tobytes() for x, _ in data.values() for image in x]
    assert len(set(images)) == 5000


def test_images_move_by_a_pixel_at_most_and_lose_nothing():
    x = np.zeros((200, 28, 28, 1), dtype="float32")
    x[:, 10, 12] = 1
    places = np.argwhere(untuned.moved(x, np.random.default_rng(0)))
    assert len(places) == 200 and len({tuple(place) for place in places[:, 1:3]}) == 9
    assert np.abs(places[:, 1:3] - (10, 12)).max() == 1 and not np.array_equal(places[:, 1], np.full(200, 10))


def test_every_method_trains_for_as_many_epochs(short, few, monkeypatch):
    trained = []

    def fit(model, settings, train, epochs, rate, rng, callbacks=()):
        trained.append(epochs)
        return model

    monkeypatch.setattr(untuned, "fit", fit)
    dense = untuned.residual((4, 5, 6)).get_weights()
    for how in FEW.values():
        trained.clear()
        untuned.changed_network("residual", how, dense, few["train"], 0)
        assert sum(trained) == SHORT["residual"].epochs


# --- the whole --------------------------------------------------------------------------------------------------------
def check_weights(name, few, work):
    """Look at the kept weights of all methods of a network: each did what it says, from the same start."""
    made = {method: untuned.made(name, method, few, 0, work) for method in FEW}
    model = untuned.NETWORKS[name][0](SHORT[name].widths)
    places = [place for place, weight in enumerate(model.weights) if weight.name in ("kernel", "embeddings")]
    kernels = {method: [weights[place] for place in places] for method, (_, weights, _) in made.items()}
    assert all(len(np.unique(array)) <= 4 for array in kernels["4 values"])
    pruned = kernels["90 % pruned, 5 values"]
    assert all(len(np.unique(array)) <= 5 for array in pruned)
    assert sum(map(np.count_nonzero, pruned)) <= 0.1 * sum(array.size for array in pruned) + len(pruned)
    large = [array for array in kernels["price 1e-4"] if array.size > 100]
    assert large and all(len(np.unique(array)) < array.size / 2 for array in large)
    starts = [start for start, _, _ in made.values()]
    for place, array in zip(places, kernels["dense"], strict=True):
        assert all(np.array_equal(start[place], starts[0][place]) for start in starts)
        assert len(np.unique(array)) == array.size and not np.array_equal(array, starts[0][place])


@pytest.mark.slow
def test_the_whole_goes_on_after_an_interruption_and_can_be_written_anew(short, tmp_path, monkeypatch, capsys, few):
    where = {"work": tmp_path / "work", "results": tmp_path / "untuned.jsonl", "files": tmp_path / "files"}
    really = untuned.changed_network

    def interrupted(name, method, *others):
        if method.values:
            raise KeyboardInterrupt
        return really(name, method, *others)

    with monkeypatch.context() as patched:
        patched.setattr(untuned, "changed_network", interrupted)
        with pytest.raises(KeyboardInterrupt):
            untuned.run(("residual",), (0,), **where)
    stages = {file.name: file.stat().st_mtime_ns for file in where["work"].glob("*.npz")}
    assert len(stages) == 2 and [line["method"] for line in read_lines(where["results"])] == ["dense"]

    assert untuned.run(seeds=(0,), **where)
    assert {name: (where["work"] / name).stat().st_mtime_ns for name in stages} == stages
    lines = read_lines(where["results"])
    assert [(line["network"], line["method"]) for line in lines] == [(n, m) for n in untuned.NETWORKS for m in FEW]
    assert sorted(file.name for file in where["files"].iterdir()) == ["residual.ckw", "transformer.ckw"]
    for found, line in zip(recounted(where["files"]), (lines[1], lines[7]), strict=True):
        assert found["bytes"] == line["bytes"] == pytest.approx(sum(line["parts"].values()), abs=1)
        assert found["parameters"] == line["parameters"]
    of_normalizations = {line["network"]: line["normalization"] for line in lines}
    assert of_normalizations["residual"] > of_normalizations["transformer"] > 0
    assert all(line["test_images"] == 100 and max(line["wrong"], default=0) < 100 for line in lines)
    starts = [{str(line["start_wrong"]) for line in lines if line["network"] == name} for name in untuned.NETWORKS]
    assert [len(of) for of in starts] == [1, 1]

    said = capsys.readouterr().out.splitlines()
    assert len(said) == 8 and f"{lines[-1]['bytes']:,} bytes" in said[-1]
    shown = untuned.table(where["results"])
    rows = untuned.rows(where["results"])
    assert len(rows) == 10 and all(cell in shown for row in rows for cell in row)
    assert all(f"| {' | '.join(row)} |\n" in untuned.page(where["results"]) for row in rows)

    for name in untuned.NETWORKS:
        check_weights(name, few, where["work"])
    where["results"].unlink()
    monkeypatch.setattr(untuned, "fit", None)  # nothing is trained again
    assert untuned.run(seeds=(0,), **where)
    assert [line["bytes"] for line in read_lines(where["results"])] == [line["bytes"] for line in lines]


def test_another_network_is_refused():
    with pytest.raises(CoursekitError, match="there is no network vgg; there are residual, transformer"):
        untuned.run(("vgg",))


# --- what the records say ---------------------------------------------------------------------------------------------
def record(name, method, seed, size, wrong):
    """A made-up record with so many misread of 1,000 images."""
    about = {"network": name, "method": method, "settings": untuned.settings_of(name, method), "seed": seed}
    return about | {
        "bytes": size,
        "normalization": 7.6,
        "wrong": list(range(wrong)),
        "start_wrong": list(range(40)),
        "test_images": 1000,
        "parameters": 500,
    }


@pytest.fixture
def records(tmp_path):
    """Records of two seeds, written to a file."""
    lines = [
        *(record("residual", "dense", seed, 1000, 20 + 2 * seed) for seed in (0, 1)),
        *(record("residual", "16 values", seed, 400, 22 + 2 * seed) for seed in (0, 1)),
        *(record("residual", "8 values", seed, 300, 24 + 4 * seed) for seed in (0, 1)),
        *(record("residual", "97 % pruned, 16 values", seed, 100, 30 + 2 * seed) for seed in (0, 1)),
        *(record("residual", "price 1e-5", seed, 90 + 20 * seed, 20) for seed in (0, 1)),
        record("transformer", "dense", 0, 1000, 50),
        record("residual", "dense", 0, 5, 5) | {"settings": "older"},
    ]
    file = tmp_path / "untuned.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def test_rows_have_means_and_differences_of_the_same_seed(records):
    rows = untuned.rows(records)
    assert rows[0] == ["residual: start", "2", "", "", "", "4.00 ± 0.00", "+1.90 ± 1.27"]
    assert rows[1] == ["residual: dense", "2", "1,000", "8", "2.0", "2.10 ± 1.27", ""]
    assert rows[2] == ["residual: 16 values", "2", "400", "8", "5.0", "2.30 ± 1.27", "+0.20 ± 0.00"]
    assert rows[5] == ["residual: price 1e-5", "2", "100", "8", "20.0", "2.00 ± 0.00", "-0.10 ± 1.27"]
    assert rows[7] == ["transformer: dense", "1", "1,000", "8", "2.0", "5.00", ""] and len(rows) == 8


def test_the_smallest_file_of_a_family_loses_half_a_point_at_most(records):
    best = untuned.smallest_within(records)
    assert best["residual"] == {
        "with few values": ("8 values", 300.0),  # loses 0.5 points in the mean
        "pruned, with few values": None,  # loses 1.0
        "trained for size": ("price 1e-5", 100.0),
    }
    assert untuned.answer(records) == [
        "Residual network: 100 bytes (price 1e-5); 300 bytes (8 values); none pruned, with few values.",
        "Transformer network: none with few values; none pruned, with few values; none trained for size.",
    ]


def test_curves_go_from_the_largest_to_the_smallest_file(records):
    curves = untuned.curves(records)
    assert [size for size, _ in curves["residual"]["with few values"]] == [400, 300]
    assert curves["residual"]["with few values"][1][1] == pytest.approx([2.4, 2.8])


def test_without_records_the_table_says_how_to_make_some(tmp_path):
    assert untuned.table(tmp_path / "none.jsonl") == "no record yet: coursekit experiment untuned"


# --- the kept records -------------------------------------------------------------------------------------------------
RECOUNT = """
import json, sys
from pathlib import Path
from coursekit import compression
from coursekit.experiments import common, untuned
for file in sorted(Path(sys.argv[1]).glob("*.ckw")):
    model = compression.load_compressed(file)
    wrong = common.misclassified(model, *untuned.digits()["test"])
    found = {"file": file.name, "bytes": len(file.read_bytes()), "parameters": model.count_params(), "wrong": wrong}
    print(json.dumps(found))
"""


def recounted(folder):
    """What a fresh process finds in the files of a folder, by their names."""
    command = [sys.executable, "-c", RECOUNT, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.mark.slow
def test_a_fresh_process_finds_in_the_kept_files_what_the_records_say():
    found = recounted(data_dir() / "compressed" / "untuned")
    assert [one["file"] for one in found] == [f"{name}.ckw" for name in untuned.NETWORKS]
    for name, one in zip(untuned.NETWORKS, found, strict=True):
        line = untuned.kept()[name][untuned.KEPT[name]][untuned.KEPT_SEED]
        assert (one["bytes"], one["parameters"]) == (line["bytes"], line["parameters"])
        assert len(set(one["wrong"]) ^ set(line["wrong"])) <= 3  # where two answers are nearly level


def test_every_method_is_recorded_for_the_same_seeds():
    seeds = {tuple(lines) for by_method in untuned.kept().values() for lines in by_method.values()}
    assert list(untuned.kept()) == list(untuned.NETWORKS) and len(seeds) == 1 and len(min(seeds)) >= 3
    assert all(list(by_method) == list(untuned.METHODS) for by_method in untuned.kept().values())


def test_the_page_and_its_picture_show_the_records():
    assert untuned.page() in (ROOT / "docs" / "compression.md").read_text(encoding="utf-8")
    mark = index._mark("untuned", untuned.curves())
    assert index._has_mark(ROOT / "docs" / "images" / "untuned.svg", mark)
