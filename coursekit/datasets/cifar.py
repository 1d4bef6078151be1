"""CIFAR-10's binary version: read without unpickling, written for tests. Born in notebook 07.

A file is a row of records of 3,073 bytes: the label, then 1,024 bytes of red, of green and of blue, each row by row
(A. Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html). Five files with 10,000 records each are for training, one
is for testing. They are published as one archive, verified by the md5 that stands on the same page. Importing this
imports no NumPy.
"""

import io
import tarfile
from dataclasses import replace
from pathlib import Path

from coursekit.datasets import sources
from coursekit.datasets.cards import Card, Dataset
from coursekit.datasets.verify import NotTheData, check_file
from coursekit.errors import DataRefused, DataUnavailable
from coursekit.paths import write_whole

FOLDER = "cifar-10-batches-bin"
TRAINING = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
TEST = "test_batch.bin"
RECORD = 1 + 3 * 32 * 32
RECORDS = 10_000  # in each file
ARCHIVE = "cifar-10-binary.tar.gz"
ADDRESS = f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"  # the publisher's, on the page named above
AT_MOST = 200_000_000  # bytes; the archive has 170 million

CARD = Card(
    name="cifar10",
    title="small color photographs, 32×32",
    task="classification",
    samples=(50000, 10000),
    shape=(32, 32, 3),
    dtype="uint8",
    range=(0, 255),
    source="A. Krizhevsky (2009), Learning multiple layers of features from tiny images, "
    "https://www.cs.toronto.edu/~kriz/cifar.html",
    license="none stated; the publisher asks to cite the report",
    tier="found or downloaded",
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    note=f"The published split. Verified by the publisher's md5, so it is taken only as {ARCHIVE}.",
)


def decode(content):
    """Images uint8 (n, 32, 32, 3) and labels uint8 (n,) from the bytes of a file. Raises ValueError if it is none."""
    import numpy as np

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
    import numpy as np

    images, labels = np.asarray(images), np.asarray(labels)
    if images.shape != (len(labels), 32, 32, 3) or images.dtype != np.uint8:
        raise ValueError(f"images {images.shape} of type {images.dtype}; give uint8 (n, 32, 32, 3) and n labels")
    planes = images.transpose(0, 3, 1, 2).reshape(len(labels), -1)
    return np.concatenate([labels[:, None].astype("uint8"), planes], axis=1).tobytes()


def read_folder(folder, records=RECORDS):
    """x_train, y_train, x_test, y_test from the six files of `folder`, each with this many records.

    Form and size are checked, not the content: for the true data use load("cifar10").
    Raises DataUnavailable, with what to do, if a file is not there, and DataRefused if one is not what it should be.
    """
    folder, contents = Path(folder), []
    for name in (*TRAINING, TEST):
        path = folder / name
        if not path.is_file():
            raise DataUnavailable(f"{path} is not there: unpack CIFAR-10's binary version so that {folder} holds it")
        if path.stat().st_size != records * RECORD:
            raise DataRefused(f"{path} has {path.stat().st_size:,} bytes and not {records * RECORD:,}: fetch it anew")
        contents.append(path.read_bytes())
    try:
        return _arrays(contents)
    except ValueError as reason:
        raise DataRefused(f"The files in {folder} are refused: {reason}. Fetch them anew.") from None


def read_archive(content):
    """x_train, y_train, x_test, y_test from the bytes of the published archive. Raises NotTheData for any other."""
    check_file(content, MD5)
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        return _arrays([archive.extractfile(f"{FOLDER}/{name}").read() for name in (*TRAINING, TEST)])


def _arrays(contents):
    import numpy as np

    parts = [decode(content) for content in contents]
    train = [np.concatenate(arrays) for arrays in zip(*parts[:-1], strict=True)]
    return *train, *parts[-1]


def cifar10(data_dir=None):
    """The true CIFAR-10 as a Dataset: what load("cifar10") returns, all uint8.

    The archive is looked for in the reader's folder (`data_dir` or COURSEKIT_DATA), in Keras's cache and in ours, then
    on the network. Raises DataRefused if a file that should be the archive is not, and DataUnavailable if there is
    none; both say what to do.
    """
    readers = sources.readers_folder(data_dir)
    for folder, tier in ((readers, "found"), (sources.keras_folder(), "found"), (sources.cache_folder(), "downloaded")):
        path = folder / ARCHIVE if folder else None
        if path and path.exists():
            try:
                return Dataset(*read_archive(sources.read(path, AT_MOST)), replace(CARD, tier=tier))
            except (NotTheData, OSError) as reason:
                what = f"{path} is refused as cifar10: {reason}"
                raise DataRefused(f"{what}. Delete it, or put the true {ARCHIVE} in its place.") from None
    return _download()


def _download():
    try:
        content = sources.fetch(ADDRESS, AT_MOST)
        arrays = read_archive(content)
    except sources.NoAnswer as reason:
        raise DataUnavailable(
            "cifar10 can't be had here: it is neither in COURSEKIT_DATA nor in a cache, and www.cs.toronto.edu "
            f'{reason}. Set COURSEKIT_DATA to a folder that holds {ARCHIVE}, or use load("digits28"), which is bundled.'
        ) from None
    except NotTheData as reason:
        raise DataRefused(f"What came from {ADDRESS} is refused as cifar10: {reason}. It was not kept.") from None
    try:
        write_whole(sources.cache_folder() / ARCHIVE, content)
    except OSError as error:
        print(
            f"note: cifar10 is loaded, but can't be kept ({error.strerror}), so the next load() will download it again"
        )
    return Dataset(*arrays, replace(CARD, tier="downloaded"))
