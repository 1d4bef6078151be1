"""Where the course's own files are: in the checkout where there is one, else inside the installed package.

Born in notebook 00.
"""

from functools import cache
from pathlib import Path

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
