"""Shards of digits and of photographs: what is in each file."""

import io

import numpy as np
import pytest
from PIL import Image

from coursekit.datasets import shards


def test_digits_lie_in_files_of_the_same_size(tmp_path):
    x = np.zeros((5, 28, 28), "uint8")
    x[:, 10, 10] = np.arange(1, 6)
    files = shards.digits_in_shards(x, tmp_path / "digits", count=3, each=7, rng=np.random.default_rng(0))
    assert [file.name for file in files] == ["000.npy", "001.npy", "002.npy"]
    for file in files:
        images = np.load(file)
        assert images.shape == (7, 28, 28) and images.dtype == np.uint8
        rows, columns = np.nonzero(images.max(axis=0))
        assert len(rows) == 1 and abs(rows[0] - 10) <= 2 and abs(columns[0] - 10) <= 2
        assert set(images.sum(axis=(1, 2))) <= {1, 2, 3, 4, 5}


def test_a_record_is_a_class_and_a_jpeg_file(tmp_path):
    tf = pytest.importorskip("tensorflow")
    files = shards.photographs_in_shards(tmp_path / "pieces", 2, 12, np.random.default_rng(0), size=48)
    records = [record.numpy() for record in tf.data.TFRecordDataset(files)]
    assert len(files) == 2 and len(records) == 24
    assert {record[0] for record in records} <= set(range(len(shards.PICTURES))) and len({r[0] for r in records}) > 1
    assert np.asarray(Image.open(io.BytesIO(records[0][1:]))).shape == (48, 48, 3)
    assert shards.read(files[1]) == records[12:]
    images, labels = shards.decode(records)
    assert images.shape == (24, 48, 48, 3) and labels.tolist() == [record[0] for record in records]


def test_a_piece_of_each_image_is_cut_and_mirrored_or_not():
    images = np.arange(2 * 20 * 20 * 3, dtype="uint8").reshape(2, 20, 20, 3)
    pieces = [shards.augment(images, seed) for seed in range(40)]
    assert all(one.shape == (2, 4, 4, 3) and one.dtype == np.float32 for one in pieces)
    assert np.array_equal(shards.augment(images, 3), pieces[3])
    windows = {
        (images[:, top : top + 4, left : left + 4][:, :, ::way].astype("float32") / 255).tobytes(): way
        for top in range(17) for left in range(17) for way in (1, -1)
    }  # fmt: skip
    assert {windows[one.tobytes()] for one in pieces} == {1, -1}
