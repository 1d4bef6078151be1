"""What pyproject.toml says of the project: its version and the repository's address, which stands only there."""

import re
import tomllib

from coursekit.authoring.notebooks import NotebookError, folder, write_whole
from coursekit.errors import CoursekitError

UNSET = "OWNER/REPOSITORY"
ADDRESS = re.compile(r"https://github\.com/[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+")


def root():
    """The checkout's root folder; `NotebookError` where there is no checkout."""
    return folder().parent


def pyproject():
    """pyproject.toml as a dictionary."""
    try:
        return tomllib.loads((root() / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise NotebookError(f"pyproject.toml can't be read: {error}") from error


def repository():
    """The repository's address without a slash at its end, or None while nobody has set it."""
    address = pyproject()["project"]["urls"]["Repository"].rstrip("/")
    return None if UNSET in address else address


def set_repository(address):
    """Write the repository's address into pyproject.toml; `CoursekitError` if it can't be one."""
    address = address.removesuffix("/").removesuffix(".git")
    if not ADDRESS.fullmatch(address) or UNSET in address:
        raise CoursekitError(f"{address} is not an address such as https://github.com/owner/repository")
    file = root() / "pyproject.toml"
    text, changed = re.subn(r'(?m)^Repository = "[^"]*"', f'Repository = "{address}"', file.read_text(encoding="utf-8"))
    if changed != 1:
        raise CoursekitError('pyproject.toml has no line `Repository = "…"` under [project.urls]; put it back')
    write_whole(file, text)
