"""The course's environment, looked at from outside: was its folder renamed or copied, and is all there already?

`make env` runs this file by its path, with the environment's own Python, before coursekit can be imported, so it uses
nothing but the standard library (and pip's own copy of `packaging`):

    python coursekit/authoring/environment.py settle       # after a rename or a copy: let the environment belong here
    python coursekit/authoring/environment.py intact course,teach    # exit status 0 if nothing is to be installed
"""

import importlib.metadata
import json
import re
import sys
import tomllib
from pathlib import Path

DISTRIBUTION = "coursekit-notebooks"
MOST = 127  # characters of a line with which Linux starts a script


def made_in(venv):
    """The folder in which the environment believes to be, or None where nothing says so."""
    try:
        said = re.search(r"(?m)^command = .* -m venv (?:--\S+ )*(.+)$", (venv / "pyvenv.cfg").read_text("utf-8"))
    except OSError:
        return None
    return Path(said[1].strip()) if said else None


def settle(venv):
    """Write the environment's new place into its scripts and paths; True if that was needed."""
    old = made_in(venv)
    if old is None or old == venv:
        return False
    for script in sorted((venv / "bin").iterdir()):
        if script.is_file() and not script.is_symlink():
            _settle_script(script, old, venv)
    site = next(venv.glob("lib/python*/site-packages"), venv)
    for file in [
        *site.glob("*.pth"),
        *site.glob("*.dist-info/direct_url.json"),
        *venv.glob("share/jupyter/kernels/*/*"),
    ]:
        _replace(file, old.parent, venv.parent)
    _replace(venv / "pyvenv.cfg", old, venv)  # last: whatever stops this in the middle, the next call begins again
    return True


def _settle_script(script, old, new):
    """Let a script be started by the Python beside it."""
    with open(script, "rb") as file:
        if file.read(2) != b"#!":
            if script.stem.lower() == "activate":
                _replace(script, old, new)
            return
    first, _, rest = script.read_bytes().partition(b"\n")
    if first == b"#!/bin/sh" and rest.startswith(b"'''exec'"):  # how pip starts a script whose path has spaces
        rest = rest.split(b"\n", 2)[2]
    elif not first.startswith(b"#!" + str(old).encode() + b"/"):
        return  # of another Python, or none
    script.write_bytes(_start_with(new / "bin" / "python").encode() + rest)


def _start_with(python):
    """The first lines of a script that this Python runs."""
    if " " in str(python) or len(str(python)) + 2 > MOST:
        return f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n"
    return f"#!{python}\n"


def _replace(file, old, new):
    """Put one folder in the place of another in a file, where it stands as a whole."""
    try:
        content = file.read_bytes()
    except OSError:
        return
    changed = re.sub(re.escape(str(old).encode()) + rb"(?=[/\\\"'\s]|$)", lambda _: str(new).encode(), content)
    if changed != content:
        file.write_bytes(changed)


def intact(root, extras):
    """Whether the environment holds what pyproject.toml asks for, as constraints.txt pins it, and this coursekit."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    needed = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    try:
        ours = importlib.metadata.distribution(DISTRIBUTION)
        return (
            _is_from(ours, root) and ours.version == project["version"] and all(map(_fits, needed)) and _as_pinned(root)
        )
    except (importlib.metadata.PackageNotFoundError, ImportError):
        return False


def _is_from(distribution, root):
    """Whether our distribution is the checkout at `root`, with the commands that it names."""
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    return bool(origin.get("dir_info", {}).get("editable")) and Path(distribution.locate_file("")).is_relative_to(root)


def _fits(line):
    """Whether a requirement is met, or not meant for this system."""
    from pip._vendor.packaging.requirements import Requirement

    need = Requirement(line)
    if need.marker and not need.marker.evaluate():
        return True
    return need.specifier.contains(importlib.metadata.version(need.name), prereleases=True)


def _as_pinned(root):
    """Whether whatever is installed of constraints.txt has the version that stands there."""
    from pip._vendor.packaging.requirements import Requirement

    for line in (root / "constraints.txt").read_text("utf-8").splitlines():
        pin = Requirement(line) if (line := line.split("#")[0].strip()) else None
        if pin is None or (pin.marker and not pin.marker.evaluate()):
            continue
        try:
            if not pin.specifier.contains(importlib.metadata.version(pin.name), prereleases=True):
                return False
        except importlib.metadata.PackageNotFoundError:
            continue  # of an extra that nobody asked for
    return True


if __name__ == "__main__":
    here = Path(__file__).absolute().parents[2]
    if sys.argv[1] == "settle":
        if settle(here / ".venv"):
            print("This folder was renamed or copied: its environment belongs here now")
    else:
        sys.exit(not intact(here, [extra for extra in sys.argv[2].split(",") if extra]))
