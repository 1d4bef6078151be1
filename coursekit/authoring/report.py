"""`coursekit doctor --report`: what a maintainer needs to know about a machine, and nothing private.

No folder, no name of a user or a host, and of a variable's value only what is one short word.
"""

import contextlib
import getpass
import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from coursekit import __version__
from coursekit.authoring import doctor
from coursekit.paths import repository_root

PACKAGES = (
    "keras",
    "tensorflow",
    "jax",
    "torch",
    "numpy",
    "matplotlib",
    "jupyterlab",
    "ipykernel",
    "nbval",
    "nbgrader",
)
VARIABLES = (
    *("KERAS_BACKEND", "COURSEKIT_PROFILE", "COURSEKIT_SEED", "COURSEKIT_DATA", "COURSEKIT_PROGRESS", "KERAS_HOME"),
    *("MPLBACKEND", "PYTHONIOENCODING", "PYTHONPATH", "CUDA_VISIBLE_DEVICES", "XLA_FLAGS", "HTTPS_PROXY"),
    *("REQUESTS_CA_BUNDLE", "PIP_NO_INDEX", "PIP_USER", "OMP_NUM_THREADS"),
)
WORD = re.compile(r"[A-Za-z0-9_]{1,24}")
FOLDERS = re.compile(r"(?<![\w.~])/[^\s:;,'\"`]+|\b[A-Za-z]:\\[^\s;,'\"`]+")


def report():
    """Print the report, to be pasted into an issue: True."""
    lines = [f"{name}: {value}" for name, value in (*_facts(), *_findings())]
    print("\n".join(["```", *map(without_private_parts, lines), "```"]))
    return True


def _facts():
    """Pairs of a name and a value, in the order in which one reads them."""
    origin = f"a checkout{_commit()}" if repository_root() else "an installed copy"
    yield "coursekit", f"{__version__}, {origin}"
    yield "Python", f"{platform.python_version()}, {platform.python_implementation()}"
    yield "system", f"{platform.system()} {platform.release()}, {platform.machine()}"
    yield "processors", os.cpu_count()
    if importlib.util.find_spec("psutil"):
        import psutil

        memory = psutil.virtual_memory()
        yield "memory", f"{memory.total / 2**30:.0f} GB, {memory.available / 2**30:.0f} GB free"
    yield "disk", f"{shutil.disk_usage(Path.cwd()).free / 2**30:.0f} GB free"
    yield "encoding", f"{sys.stdout.encoding}, UTF-8 mode {'on' if sys.flags.utf8_mode else 'off'}"
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            yield name, importlib.metadata.version(name)
    for name in VARIABLES:
        if name in os.environ:
            yield name, os.environ[name] if WORD.fullmatch(os.environ[name]) else "set"


def _findings():
    """What doctor finds, check by check."""
    for title, function in doctor.CHECKS:
        found = [finding.text if isinstance(finding, doctor.Note) else finding for finding in function()]
        yield title, "; ".join(found) or "well"


def _commit():
    """The commit of the checkout, and whether something was changed since; nothing where git doesn't say."""
    if shutil.which("git") is None:
        return ""
    asked = ["git", "-C", str(repository_root()), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    done = subprocess.run(asked, capture_output=True)
    return f", commit {done.stdout.decode(errors='replace').strip()}" if done.returncode == 0 else ""


def without_private_parts(line):
    """The line without folders of this machine and without the names of its user and host."""
    known = {str(repository_root() or ""): "COURSE", sys.prefix: "ENVIRONMENT", os.path.expanduser("~"): "HOME"}
    known |= {tempfile.gettempdir(): "TMP"}
    for folder in sorted(known, key=len, reverse=True):
        if len(folder) > 1:
            line = line.replace(folder, known[folder])
    line = FOLDERS.sub("FOLDER", line)
    host = platform.node()
    for name in {_user(), host, host.split(".")[0]} - {""}:
        line = re.sub(rf"(?<![\w/]){re.escape(name)}(?!\w)", "NAME", line)
    return line


def _user():
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        return ""
