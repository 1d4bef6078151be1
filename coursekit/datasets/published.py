"""Data sets that are too large to bundle: found on this machine, or downloaded once, and verified every time.

The places, in this order: the reader's folder (COURSEKIT_DATA), Keras's cache, our own cache, the network. A file that
is found and is not the true data is refused, with its name, and never passed over in silence. Born in notebook 00.
"""

import math
import os
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from coursekit.datasets import sources
from coursekit.datasets.cards import Card, Dataset
from coursekit.datasets.verify import NotTheData, check_arrays, check_file, read_idx, read_npz
from coursekit.errors import DataRefused, DataUnavailable
from coursekit.paths import write_whole

BASE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"  # where keras.datasets downloads from

# The four files MNIST was published in. Fashion-MNIST's have the same names.
IDX_FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


@dataclass(frozen=True)
class Published:
    """A published data set of uint8 images with labels: what it must be, and where to get it."""

    card: Card
    stand_in: str  # the bundled data set that takes its place where it can't be had
    downloads: tuple[str, ...]  # file names below BASE
    array_sha256: dict = field(default_factory=dict)  # {array: sha256 of its plain IDX file}, where we know the data
    file_md5: dict = field(default_factory=dict)  # {file name: md5}, the publisher's, where we don't

    @property
    def shapes(self):
        """{array: shape} of the four arrays."""
        train, test = self.card.samples
        return {
            "x_train": (train, *self.card.shape),
            "y_train": (train,),
            "x_test": (test, *self.card.shape),
            "y_test": (test,),
        }

    @property
    def at_most(self):
        """Bytes that a file of this data set can have; a larger one is something else."""
        return sum(math.prod(shape) for shape in self.shapes.values()) + 2**20

    @property
    def folder(self):
        """The sub-folder for its four IDX files."""
        return self.card.name.replace("_", "-")


MNIST = Published(
    card=Card(
        name="mnist",
        title="handwritten digits, 28×28",
        task="classification",
        samples=(60000, 10000),
        shape=(28, 28),
        dtype="uint8",
        range=(0, 255),
        source="Y. LeCun, C. Cortes and C. J. C. Burges, The MNIST database of handwritten digits, "
        "http://yann.lecun.com/exdb/mnist/",
        license="CC BY-SA 3.0, copyright Yann LeCun and Corinna Cortes (as Keras states)",
        tier="found or downloaded",
        classes=tuple("0123456789"),
        note="The published split; the writers of the test images are not among those of the training images.",
    ),
    stand_in="digits28",
    downloads=("mnist.npz",),
    array_sha256={
        "x_train": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "y_train": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "x_test": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "y_test": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
)

FASHION_MNIST = Published(
    card=Card(
        name="fashion_mnist",
        title="articles of clothing, 28×28",
        task="classification",
        samples=(60000, 10000),
        shape=(28, 28),
        dtype="uint8",
        range=(0, 255),
        source="H. Xiao, K. Rasul and R. Vollgraf (2017), Fashion-MNIST, https://arxiv.org/abs/1708.07747, "
        "https://github.com/zalandoresearch/fashion-mnist",
        license="MIT, copyright Zalando SE",
        tier="found or downloaded",
        classes=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        note="The published split. Verified by the publisher's md5, so it is taken only as the four .gz files.",
    ),
    stand_in="digits28",
    downloads=tuple(f"{name}.gz" for name in IDX_FILES.values()),
    file_md5={  # README of the repository named in the card
        "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    },
)

PUBLISHED = {spec.card.name: spec for spec in (MNIST, FASHION_MNIST)}


class NothingCame(DataUnavailable):
    """The data is not on this machine and the network did not bring it; `why`, in words, and what stands in."""

    def __init__(self, spec, why):
        super().__init__(_no_way(spec, why))
        self.why, self.stand_in = f"{urlsplit(BASE).hostname} {why}", spec.stand_in


def load_published(spec, data_dir=None):
    """The Dataset of a Published, from the first place that has it. Raises DataRefused or DataUnavailable."""
    readers = sources.readers_folder(data_dir)
    for folder, tier in ((readers, "found"), (sources.keras_folder(), "found"), (sources.cache_folder(), "downloaded")):
        paths = _look_in(folder, spec, whole=folder is readers) if folder else []
        if paths:
            return _dataset(spec, _found(spec, paths), tier)
    return _download(spec)


def _look_in(folder, spec, whole):
    """The files of one container in `folder`: [name.npz], or the four IDX files in order, or [] if there is none.

    An incomplete set of IDX files is refused if `whole`, else passed over (a download that was interrupted).
    """
    archive = folder / f"{spec.card.name}.npz"
    if os.path.lexists(archive):
        return [archive]
    for place in (folder / spec.folder, folder / spec.card.name, folder):
        choices = [[place / f"{name}.gz", place / name] for name in IDX_FILES.values()]
        present = [[path for path in choice if os.path.lexists(path)] for choice in choices]
        if all(present):
            return [paths[0] for paths in present]
        if any(present) and whole:
            missing = next(choice[0] for choice, paths in zip(choices, present, strict=True) if not paths)
            raise DataRefused(
                f"{place} holds only a part of {spec.card.name}: put {missing.name} there too, or take the others out"
            )
    return []


def _found(spec, paths):
    """{array name: array} from files on this machine."""
    arrays = {}
    for path in paths:
        try:
            arrays |= _verified(spec, path.name, sources.read(path, spec.at_most))
        except (NotTheData, OSError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DataRefused(f"{path} is refused as {spec.card.name}: {reason}. {_delete(path, spec)}") from None
    return arrays


def _delete(path, spec):
    if path.suffix == ".npz" or path.parent.name in (spec.folder, spec.card.name):
        return f"Delete it, or put the true {path.name} in its place."
    return (
        "Delete it, or put the true file in its place. If it belongs to another data set (some give their files the "
        f"same names), keep the files of {spec.card.name} in the sub-folder {spec.folder} and the others in theirs."
    )


def _verified(spec, name, content):
    """{array name: array}: what the file called `name` holds. Raises NotTheData."""
    if spec.file_md5:
        if name not in spec.file_md5:
            raise NotTheData(f"only the published files {', '.join(spec.file_md5)} can be verified")
        check_file(content, spec.file_md5[name])
    if name.endswith(".npz"):
        arrays = read_npz(content, spec.shapes)
    else:
        key = next(key for key, file in IDX_FILES.items() if file == name.removesuffix(".gz"))
        arrays = {key: read_idx(content, spec.shapes[key])}
    if spec.array_sha256:
        check_arrays(arrays, spec.array_sha256)
    return arrays


def _dataset(spec, arrays, tier):
    return Dataset(*(arrays[name] for name in IDX_FILES), replace(spec.card, tier=tier))


def _download(spec):
    """Fetch into memory, verify, keep what is true for the next time, and serve it even where it can't be kept."""
    arrays, contents = {}, {}
    for name in spec.downloads:
        try:
            contents[name] = sources.fetch(BASE + name, spec.at_most)
            arrays |= _verified(spec, name, contents[name])
        except sources.NoAnswer as reason:
            raise NothingCame(spec, reason) from None
        except NotTheData as reason:
            raise DataRefused(
                f"What came from {BASE}{name} is refused as {spec.card.name}: {reason}. It was not kept. If this "
                "network asks you to log in, do so in a browser and try again, or use "
                f'load("{spec.stand_in}"), which is bundled.'
            ) from None
    _keep(spec, contents)
    return _dataset(spec, arrays, "downloaded")


def _keep(spec, contents):
    folder = sources.cache_folder()
    try:
        for name, content in contents.items():
            write_whole(folder / name if name.endswith(".npz") else folder / spec.folder / name, content)
    except OSError as error:
        print(
            f"note: {spec.card.name} is loaded, but can't be kept in {folder} ({error.strerror or error}), so the next "
            "load() will download it again"
        )


def _no_way(spec, reason):
    wanted = spec.downloads[0] if len(spec.downloads) == 1 else f"{spec.folder}/ and its four .gz files"
    return (
        f"{spec.card.name} can't be had here: it is neither in COURSEKIT_DATA nor in a cache, and "
        f'{urlsplit(BASE).hostname} {reason}. Use load("{spec.stand_in}"), which is bundled and has the same form, or '
        f"set COURSEKIT_DATA to a folder that holds {wanted}."
    )
