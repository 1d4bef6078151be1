"""CIFAR-10's binary form: what is written is read back, and what is no such file is refused."""

import hashlib
import tarfile

import numpy as np
import pytest

from coursekit.datasets import cifar, load, sources
from coursekit.errors import DataRefused, DataUnavailable

RECORDS = 4


@pytest.fixture
def arrays():
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (6 * RECORDS, 32, 32, 3), dtype="uint8")
    return images, rng.integers(0, 10, 6 * RECORDS, dtype="uint8")


@pytest.fixture
def folder(tmp_path, arrays):
    folder = tmp_path / cifar.FOLDER
    folder.mkdir()
    for i, name in enumerate((*cifar.TRAINING, cifar.TEST)):
        part = slice(i * RECORDS, (i + 1) * RECORDS)
        (folder / name).write_bytes(cifar.encode(*(values[part] for values in arrays)))
    return folder


def test_a_record_is_a_label_and_then_red_green_and_blue_row_by_row(arrays):
    images, labels = (values[:1] for values in arrays)
    content = cifar.encode(images, labels)
    assert len(content) == cifar.RECORD == 3073 and content[0] == labels[0]
    assert content[1:33] == images[0, 0, :, 0].tobytes()  # the first row of red
    assert content[1 + 1024 + 32 : 1 + 1024 + 64] == images[0, 1, :, 1].tobytes()  # the second row of green
    assert content[-1] == images[0, -1, -1, 2]


def test_what_was_written_is_read_back(folder, arrays):
    x_train, y_train, x_test, y_test = cifar.read_folder(folder, RECORDS)
    assert x_train.shape == (5 * RECORDS, 32, 32, 3) and x_train.dtype == np.uint8
    assert np.array_equal(np.concatenate([x_train, x_test]), arrays[0])
    assert np.array_equal(np.concatenate([y_train, y_test]), arrays[1])


def test_a_missing_file_is_named(folder):
    (folder / "data_batch_3.bin").unlink()
    with pytest.raises(DataUnavailable, match=r"data_batch_3\.bin is not there: unpack"):
        cifar.read_folder(folder, RECORDS)


def test_a_cut_file_is_refused(folder):
    path = folder / "test_batch.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataRefused, match=r"test_batch\.bin has 12,291 bytes and not 12,292"):
        cifar.read_folder(folder, RECORDS)


def test_another_file_of_the_same_size_is_refused(folder):
    path = folder / "data_batch_1.bin"
    path.write_bytes(b"\xff" * path.stat().st_size)
    with pytest.raises(DataRefused, match="label 255"):
        cifar.read_folder(folder, RECORDS)


@pytest.fixture
def archive(folder, tmp_path, monkeypatch):
    """A miniature of the published archive, whose md5 is the true one in this test."""
    path = tmp_path / "data" / cifar.ARCHIVE
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as file:
        file.add(folder, cifar.FOLDER)
    monkeypatch.setattr(cifar, "MD5", hashlib.md5(path.read_bytes()).hexdigest())
    return path


def test_load_reads_the_archive_in_the_readers_folder(archive, arrays, monkeypatch):
    monkeypatch.setenv("COURSEKIT_DATA", str(archive.parent))
    x_train, y_train, x_test, y_test, card = load("cifar10")
    assert np.array_equal(np.concatenate([x_train, x_test]), arrays[0]) and card.tier == "found"
    assert np.array_equal(np.concatenate([y_train, y_test]), arrays[1])


def test_an_archive_with_another_md5_is_refused_whatever_it_holds(archive, monkeypatch):
    monkeypatch.undo()  # the true md5 again, which the miniature has not
    with pytest.raises(DataRefused, match=r"cifar-10-binary\.tar\.gz is refused as cifar10.*Delete it"):
        load("cifar10", data_dir=archive.parent)


def test_a_download_is_verified_and_kept(archive, monkeypatch):
    asked = []
    monkeypatch.setattr(sources, "fetch", lambda url, at_most: asked.append(url) or archive.read_bytes())
    assert load("cifar10").card.tier == "downloaded" and len(load("cifar10").x_train) == 5 * RECORDS
    assert asked == [cifar.ADDRESS]  # the second time it comes from the cache
    (sources.cache_folder() / cifar.ARCHIVE).unlink()
    monkeypatch.setattr(sources, "fetch", lambda url, at_most: b"<html>please log in</html>")
    with pytest.raises(DataRefused, match="a web page"):
        load("cifar10")
    assert not (sources.cache_folder() / cifar.ARCHIVE).exists()


def test_without_data_and_network_the_way_out_is_said(monkeypatch):
    def no_answer(url, at_most):
        raise sources.NoAnswer("cannot be reached")

    monkeypatch.setattr(sources, "fetch", no_answer)
    with pytest.raises(DataUnavailable, match=r"cannot be reached\. Set COURSEKIT_DATA to a folder that holds"):
        load("cifar10")


def test_only_images_of_this_form_are_written(arrays):
    images, labels = arrays
    for wrong in (images / 255, images.transpose(0, 3, 1, 2), images[1:]):
        with pytest.raises(ValueError, match="give uint8"):
            cifar.encode(wrong, labels)
