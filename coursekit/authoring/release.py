"""`coursekit release OUT`: the student edition, the course without solutions and outputs, proved to run to its end."""

import asyncio
import shutil
import tempfile
from pathlib import Path

from coursekit.authoring import notebooks, project
from coursekit.authoring.execute import execute
from coursekit.errors import CoursekitError

# What students need: all but tests, CI, what only authors read, and results of runs that are not theirs.
PARTS = (
    "README.md",
    "LICENSE",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "Makefile",
    "pyproject.toml",
    "constraints.txt",
    "environment.yml",
    "coursekit",
    "data",
    "docs",
)


def release(out, *, run=True):
    """Write the student edition to the new folder `out`, whole or not at all; True if every notebook runs.

    The gaps of the exercises stay open in it: a notebook that needs an answer to go on is an error.
    """
    out = Path(out)
    if out.exists():
        raise CoursekitError(f"{out} exists and is not overwritten; name a folder that does not exist yet")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as scratch:
        edition = Path(scratch) / "edition"
        (edition / "notebooks").mkdir(parents=True)
        _copy_parts(edition)
        pages = {path.name: student_notebook(notebooks.read(path)) for path in notebooks.find()}
        for name, notebook in pages.items():
            notebooks.write(edition / "notebooks" / name, notebook)
        failures = _run(pages, edition / "notebooks") if run else []
        for failure in failures:
            print(f"✗ {failure}")
        if not failures:
            edition.rename(out)
            print(f"✓ {out}: {len(pages)} notebooks without solutions" + (", each runs to its end" if run else ""))
    return not failures


def student_notebook(notebook):
    """The notebook without its solutions and outputs."""
    notebook.cells = [cell for cell in notebook.cells if "solution" not in notebooks.tags(cell)]
    return notebooks.clear_outputs(notebook)


def _copy_parts(edition):
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
    for part in PARTS:
        source = project.root() / part
        if source.is_dir():
            shutil.copytree(source, edition / part, ignore=ignore)
        elif source.is_file():
            shutil.copy2(source, edition / part)


def _run(pages, folder):
    failures = []
    for name, notebook in pages.items():
        outcome = asyncio.run(execute(notebook, folder))
        if outcome.status != "ok":
            failures.append(f"{name} does not run without its solutions: {outcome.error}")
    return failures
