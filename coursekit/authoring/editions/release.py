"""`coursekit release OUT`: the student edition, the course without solutions and outputs, proved to run to its end.

With `--nbgrader` it writes what nbgrader takes instead; `grading.py` beside this module makes that edition.
"""

import asyncio
import os
import re
import shutil
import tempfile
from pathlib import Path

from coursekit.authoring import notebooks, project
from coursekit.authoring.arguments import new_folder
from coursekit.authoring.editions import grading
from coursekit.authoring.execution.execute import execute
from coursekit.authoring.execution.places import places, together
from coursekit.authoring.pages import links
from coursekit.errors import CoursekitError
from coursekit.paths import write_whole

# What students need: all but tests, CI, and what only authors and instructors read.
PARTS = (
    ".gitignore",
    "README.md",
    "LICENSE",
    "CITATION.cff",
    "Makefile",
    "pyproject.toml",
    "constraints.txt",
    "environment.yml",
    "coursekit",
    "data",
    "docs",
)
LEFT_OUT = ("__pycache__", "*.pyc", ".*", "grading.md")  # files and folders inside of the parts
NOT_FOR_STUDENTS = ("For instructors", "For authors")  # sections of the README
OWN_WORK = """\
## Your own work

Work in copies: *File → Save Notebook As…*, any name that does not start with two digits, such as
`notebooks/my_03_gradient_descent.ipynb`. An update of the course replaces its own files, among them all notebooks
whose names start with two digits, and leaves every other file alone. If you have worked in one of those already, save
it under a name of your own before you update. Then unpack the new edition over this folder, or `git pull` if it came
that way.

"""


def release(out, *, run=True, nbgrader=False, jobs=None):
    """Write an edition to the new folder `out`, whole or not at all; True if every notebook runs.

    run:       execute what is released. The gaps of the exercises stay open in the student edition: a notebook that
               needs an answer to go on is an error. In the nbgrader edition the solutions must get all points.
    nbgrader:  write the nbgrader edition.
    jobs:      notebooks executed at once; by default as many as there is room for.
    """
    out = Path(out)
    if os.path.lexists(out):
        raise CoursekitError(f"{out} exists and is not overwritten; name a folder that does not exist yet")
    course = {path.stem: notebooks.read(path) for path in notebooks.find()}
    grading.refuse_unclear_exercises(course)
    new_folder(out)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder:
        edition = Path(folder) / "edition"
        pages, need = (grading.write_edition if nbgrader else write_student_edition)(edition, course)
        failures = []
        if run:  # in a copy, for a notebook may write files
            minutes = sum(notebooks.about(page).get("minutes") or 0 for page in course.values())
            print(
                f"executing {len(pages)} notebooks, about {minutes:.0f} minutes of one core; --no-run leaves it out",
                flush=True,
            )
            trial = shutil.copytree(edition, Path(folder) / "trial")
            pages = {trial / path.relative_to(edition): notebook for path, notebook in pages.items()}
            failures = asyncio.run(_run_all(pages, jobs or places(), need))
        for failure in failures:
            print(f"✗ {failure}")
        if not failures:
            edition.rename(out)
            print(f"✓ {out}: {len(pages)} notebooks {need} solutions" + (", each runs to its end" if run else ""))
    return not failures


def write_student_edition(edition, course):
    """Write the student edition of the notebooks {name: notebook}: what to run, {path: notebook}, and how."""
    edition.mkdir(parents=True)
    _copy_parts(edition)
    readme = edition / "README.md"
    if readme.is_file():
        write_whole(readme, student_readme(readme.read_text(encoding="utf-8")))
    pages = {edition / "notebooks" / f"{name}.ipynb": student_notebook(page) for name, page in course.items()}
    for path, notebook in pages.items():
        notebooks.write(path, notebook)
    _mend_links(edition, pages)
    return pages, "without"


def student_notebook(notebook):
    """The notebook without its solutions and outputs."""
    notebook.cells = [cell for cell in notebook.cells if "solution" not in notebooks.tags(cell)]
    return notebooks.clear_outputs(notebook)


def student_readme(text):
    """The README without what is not for students, and with where to keep one's own work."""
    text = re.sub(
        r"(?m)^    (make test|git clone|cd) .*\n", "", text
    )  # there are no tests in it, and it is here already
    text = re.sub(r"(?m)^(Clone the repository|Without installing anything).*\n\n?", "", text)
    for heading in NOT_FOR_STUDENTS:
        text = re.sub(rf"(?ms)^## {heading}\n.*?(?=^## |\Z)", "", text)
    before, students, after = text.partition("## For students\n")
    return before + OWN_WORK + students + after if students else f"{text.rstrip()}\n\n{OWN_WORK.rstrip()}\n"


def _mend_links(edition, pages):
    """Take away links to what the edition does not have, such as a test or a notebook still to come."""
    for path in edition.rglob("*.md"):
        text = path.read_text(encoding="utf-8")
        write_whole(path, links.kept_where_there(text, path.parent))
    for path, notebook in pages.items():
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = links.kept_where_there(cell.source, path.parent)
        notebooks.write(path, notebook)


def _copy_parts(edition):
    ignore = shutil.ignore_patterns(*LEFT_OUT)
    for part in PARTS:
        source = project.root() / part
        if source.is_dir():
            shutil.copytree(source, edition / part, ignore=ignore)
        elif source.is_file():
            shutil.copy2(source, edition / part)


async def _run_all(pages, at_once, need):
    """Execute the notebooks {path: notebook}, `at_once` together, and say which do not run to their end."""

    async def failure_of(page):
        path, notebook = page
        outcome = await execute(notebook, path.parent)
        if outcome.status != "ok":
            return f"{path.name} does not run {need} its solutions: {outcome.error}"
        print(f"  {path.name} runs, {outcome.minutes:.1f} min", flush=True)
        return None

    told = await together(failure_of, pages.items(), at_once)
    return [failure for failure in told if failure]
