"""Where the course's own files are, in the checkout or inside the installed package; and `write_whole`, which writes a
file whole or not at all.

Born in notebook 00.
"""

import contextlib
import os
import tempfile
from functools import cache
from pathlib import Path

from coursekit.errors import FileNotWritten

_PACKAGE = Path(__file__).resolve().parent


@cache
def repository_root() -> Path | None:
    """The checkout's root folder, or None where coursekit was installed as a wheel."""
    root = _PACKAGE.parent
    return root if (root / "pyproject.toml").is_file() and (root / "notebooks").is_dir() else None


@cache
def data_dir() -> Path:
    """The folder of bundled data and results: `data/` of the checkout, or its copy in the wheel."""
    root = repository_root()
    return root / "data" if root else _PACKAGE / "_data"


def write_whole(path, content, *, make_folders=True):
    """Write a file through a second one that takes its place at once: whoever looks sees the old file or the new one.

    content:       bytes; or text, which is written as UTF-8 and ends with a newline
    make_folders:  whether folders that are missing are made

    A file that has this content already is left alone. Raises `FileNotWritten`, an OSError whose strerror is the reason
    alone, where the disk is full or read-only, say. Whatever stops the writing, an old file stays as it is, and nothing
    else is left.
    """
    path = Path(path)
    if isinstance(content, str):
        content = (content if content.endswith("\n") else content + "\n").encode()
    try:
        if path.is_file() and path.read_bytes() == content:
            return
        if make_folders:
            path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, content)
    except OSError as error:
        left = "the old one is as it was" if os.path.exists(path) else "nothing was left"
        refusal = FileNotWritten(f"{path} could not be written ({error.strerror}); {left}")
        refusal.strerror = error.strerror
        raise refusal from error


def _replace(path, content):
    """Put a file of this content in the place of `path`, with the permissions that the old one had."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, path.stat().st_mode & 0o777 if path.exists() else 0o644)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
