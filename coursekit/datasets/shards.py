"""Data in many files of moderate size, called shards, as large data sets are stored. Born in notebook 20."""

from io import BytesIO
from pathlib import Path

import numpy as np

from coursekit.datasets.photographs import photograph

PICTURES = ("astronaut", "coffee", "chelsea", "china")  # the classes of photographs_in_shards, in order


def digits_in_shards(x, folder, count, each, rng):
    """Write `count` files of `each` digits, moved by up to two pixels: uint8 (each, 28, 28) in 000.npy, 001.npy, …

    x: (n, 28, 28) uint8, from which the digits are drawn. Returns the list of files.
    """
    folder = Path(folder)
    folder.mkdir()
    files = [folder / f"{i:03d}.npy" for i in range(count)]
    for file in files:
        moved = x[rng.integers(0, len(x), size=each)]
        np.save(file, np.roll(moved, tuple(rng.integers(-2, 3, size=2)), axis=(1, 2)))
    return files


def photographs_in_shards(folder, count, each, rng, size=128):
    """Write `count` TFRecord files of `each` pieces of four photographs: a byte for the class, then a JPEG file.

    size: rows and columns of a piece. Returns the list of files.
    """
    import tensorflow as tf
    from PIL import Image

    folder = Path(folder)
    folder.mkdir()
    pictures = [np.asarray(photograph(name)) for name in PICTURES]
    files = [str(folder / f"{i:02d}.tfrecord") for i in range(count)]
    for file in files:
        with tf.io.TFRecordWriter(file) as writer:
            for _ in range(each):
                label = int(rng.integers(len(pictures)))
                rows, columns = pictures[label].shape[:2]
                top, left = int(rng.integers(rows - size + 1)), int(rng.integers(columns - size + 1))
                jpeg = BytesIO()
                piece = pictures[label][top : top + size, left : left + size]
                Image.fromarray(piece).save(jpeg, format="JPEG", quality=90)
                writer.write(bytes([label]) + jpeg.getvalue())
    return files


def read(file):
    """The records of a TFRecord file: a list of byte strings."""
    import tensorflow as tf

    return [record.numpy() for record in tf.data.TFRecordDataset(file)]


def decode(records):
    """Records of photographs_in_shards as images (n, size, size, 3), uint8, and classes (n,)."""
    import tensorflow as tf

    images = np.stack([tf.io.decode_jpeg(record[1:]).numpy() for record in records])
    return images, np.array([record[0] for record in records])


def augment(images, seed, margin=16):
    """A random piece of each image, the same place in all, perhaps mirrored: float32, 0 to 1.

    images: (n, rows, columns, 3), from which `margin` rows and columns are cut; the same seed gives the same piece.
    """
    rng = np.random.default_rng(seed)
    top, left = rng.integers(0, margin + 1, size=2)
    rows, columns = images.shape[1] - margin, images.shape[2] - margin
    images = images[:, top : top + rows, left : left + columns]
    return (images[:, :, ::-1] if rng.random() < 0.5 else images).astype("float32") / 255
