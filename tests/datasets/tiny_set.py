"""A published data set of a few bytes, so that finding, downloading and refusing are tested without the real ones.

Tests import it, and so do the processes they start: `register()` makes load("tiny") and load("tiny_by_md5") work there.
"""

import gzip
import hashlib
import io
import pickle
from pathlib import Path

import numpy as np

from coursekit.datasets import published
from coursekit.datasets.cards import Card
from coursekit.datasets.verify import array_sha256, idx_header


def make_arrays():
    """12 + 4 images of 6×5 with labels, all uint8."""
    rng = np.random.default_rng(7)
    return {
        "x_train": rng.integers(0, 256, (12, 6, 5), dtype="uint8"),
        "y_train": np.arange(12, dtype="uint8") % 3,
        "x_test": rng.integers(0, 256, (4, 6, 5), dtype="uint8"),
        "y_test": np.arange(4, dtype="uint8") % 3,
    }


def npz(arrays):
    """The bytes of a .npz file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def idx_files(arrays, zipped=True):
    """{file name: bytes} of the four IDX files."""
    plain = {published.IDX_FILES[key]: idx_header(array.shape) + array.tobytes() for key, array in arrays.items()}
    return {f"{name}.gz": gzip.compress(content, 1, mtime=0) for name, content in plain.items()} if zipped else plain


def write(folder, contents):
    """Write {file name: bytes} into a folder, which is made, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


class Trap:
    """Something that leaves a file behind when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (Path(self.marker),)


def trap_pickle(marker):
    """The bytes of a pickle that makes the file `marker` when it is opened."""
    return pickle.dumps(Trap(marker))


def register(registry=published.PUBLISHED):
    """Add "tiny" (verified by its arrays) and "tiny_by_md5" (by its publisher's files) to the registry."""
    arrays = make_arrays()
    facts = dict(
        title="a test",
        task="testing",
        samples=(12, 4),
        shape=(6, 5),
        dtype="uint8",
        range=(0, 255),
        source="made by a test",
        license="MIT",
        tier="found or downloaded",
    )
    registry["tiny"] = published.Published(
        Card(name="tiny", **facts),
        stand_in="digits28",
        downloads=("tiny.npz",),
        array_sha256={name: array_sha256(array) for name, array in arrays.items()},
    )
    md5 = {name: hashlib.md5(content).hexdigest() for name, content in idx_files(arrays).items()}
    registry["tiny_by_md5"] = published.Published(
        Card(name="tiny_by_md5", **facts), stand_in="digits28", downloads=tuple(md5), file_md5=md5
    )
