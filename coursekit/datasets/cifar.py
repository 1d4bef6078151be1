"""CIFAR-10's binary files: read without unpickling, written for tests. Born in notebook 07.

A file is a row of records of 3,073 bytes: the label, then 1,024 bytes of red, of green and of blue, each row by row
(A. Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html). Five files with 10,000 records each are for training, one
is for testing.
"""

from pathlib import Path

import numpy as np

from coursekit.datasets import files
from coursekit.errors import DataRefused, DataUnavailable

FOLDER = "cifar-10-batches-bin"
TRAINING = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
TEST = "test_batch.bin"
RECORD = 1 + 3 * 32 * 32


def decode(content):
    """Images uint8 (n, 32, 32, 3) and labels uint8 (n,) from the bytes of a file. Raises ValueError if it is none."""
    if not content or len(content) % RECORD:
        raise ValueError(f"{len(content):,} bytes are no row of records of {RECORD:,} bytes each")
    records = np.frombuffer(content, dtype="uint8").reshape(-1, RECORD)
    labels = records[:, 0].copy()
    if labels.max() > 9:
        raise ValueError(f"a record has the label {labels.max()}; CIFAR-10 has 0 to 9")
    planes = records[:, 1:].reshape(-1, 3, 32, 32)  # channels first
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels


def encode(images, labels):
    """The bytes of a file from images uint8 (n, 32, 32, 3) and labels (n,). Raises ValueError for other shapes."""
    images, labels = np.asarray(images), np.asarray(labels)
    if images.shape != (len(labels), 32, 32, 3) or images.dtype != np.uint8:
        raise ValueError(f"images {images.shape} of type {images.dtype}; give uint8 (n, 32, 32, 3) and n labels")
    planes = images.transpose(0, 3, 1, 2).reshape(len(labels), -1)
    return np.concatenate([labels[:, None].astype("uint8"), planes], axis=1).tobytes()


def read_folder(folder, records=10000):
    """x_train, y_train, x_test, y_test from the six files of `folder`, each with this many records.

    Raises DataUnavailable, with what to do, if a file is not there, and DataRefused if one is not what it should be.
    """
    folder, parts = Path(folder), []
    for name in (*TRAINING, TEST):
        path = folder / name
        if not path.is_file():
            raise DataUnavailable(f"{path} is not there: unpack CIFAR-10's binary version so that {folder} holds it")
        if path.stat().st_size != records * RECORD:
            raise DataRefused(f"{path} has {path.stat().st_size:,} bytes and not {records * RECORD:,}: fetch it anew")
        try:
            parts.append(decode(path.read_bytes()))
        except ValueError as reason:
            raise DataRefused(f"{path} is refused: {reason}. Fetch it anew.") from None
    train = [np.concatenate(arrays) for arrays in zip(*parts[:-1], strict=True)]
    return *train, *parts[-1]


def cifar10(data_dir=None):
    """The true CIFAR-10 from the folder cifar-10-batches-bin in the reader's folder, `data_dir` or COURSEKIT_DATA.

    x_train (50000, 32, 32, 3), y_train, x_test (10000, 32, 32, 3), y_test, all uint8. Raises as `read_folder` does.
    """
    folder = files.readers_folder(data_dir)
    if folder is None:
        raise DataUnavailable(f"CIFAR-10 is not here: set COURSEKIT_DATA to a folder that holds {FOLDER}")
    return read_folder(folder / FOLDER)
