"""In a kernel that `coursekit run --warnings` watches: deprecations go into the notes of the run, not onto the page.

The kernel calls `watch` before the notebook's first cell. A warning is noted with where it points, which is the code
that has to change, and not where it is raised. What a page or a library silences on purpose stays silent, and
what TensorFlow writes into its log is no warning.
"""

import re
import sysconfig
import warnings
from pathlib import Path

from coursekit.records import note

KINDS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)
# What makes a kernel call `watch` when it starts, and leaves no name behind.
ARGUMENT = f"--IPKernelApp.exec_lines=__import__('importlib').import_module('{__name__}').watch()"
HERE = Path(__file__).resolve().parents[2]
NOTEBOOK = "the notebooks"  # in the place of a package, for a warning that points at a cell
LONGEST = 200  # characters of a message


def watch():
    """Note the deprecations of this kernel from now on, each once a cell; other warnings go their way."""
    from IPython import get_ipython

    shown, seen = warnings.showwarning, set()

    def note_or_show(message, category, filename, lineno, file=None, line=None):
        if not issubclass(category, KINDS):
            shown(message, category, filename, lineno, file, line)
        elif (mark := (category, str(message), filename, lineno)) not in seen:
            seen.add(mark)
            package, place = points_at(filename)
            place = place and f"{place}:{lineno}"
            note("warning", package=package, place=place, category=category.__name__, message=plain(message))

    def begin(*_):  # a cell; whatever libraries did to the filters in the last one
        seen.clear()
        for kind in KINDS:
            warnings.simplefilter("always", kind)
        warnings.showwarning = note_or_show

    get_ipython().events.register("pre_run_cell", begin)
    begin()


def points_at(filename):
    """(package, its file) of the code that a warning points at, without folders of this machine."""
    path = Path(filename)
    if re.search(r"ipykernel_\d+|<ipython-input", filename):
        return NOTEBOOK, ""
    if path.is_relative_to(HERE):
        return "coursekit", path.relative_to(HERE.parent).as_posix()
    for folder in ("site-packages", "dist-packages"):
        if folder in path.parts:
            inside = path.parts[path.parts.index(folder) + 1 :]
            return inside[0].removesuffix(".py"), "/".join(inside)
    standard = Path(sysconfig.get_path("stdlib"))
    return "Python", path.relative_to(standard).as_posix() if path.is_relative_to(standard) else path.name


def plain(message):
    """The first line of a message, without folders and addresses of this machine, and not too long."""
    first = next(iter(str(message).strip().splitlines()), "").strip()
    first = re.sub(r"\w+://[^\s'\"`)]+", "ADDRESS", first)
    first = re.sub(r"(?<![\w.~/<])/[\w.+-]+/[^\s:;,'\"`)]+", "FOLDER", first)
    return first if len(first) <= LONGEST else first[: LONGEST - 1] + "…"
