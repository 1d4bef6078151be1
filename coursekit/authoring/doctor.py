"""`coursekit doctor`: what is wrong with this environment, and how to mend it.

A check is a small function that yields problems, each a sentence with the mend in it. What merely differs from what
the course was tested with is a note and no problem.
"""

import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from coursekit.errors import CoursekitError
from coursekit.paths import repository_root

CHECKS = []
FREE_GB, MEMORY_GB = 1, 2
DISTRIBUTION = "coursekit-notebooks"


@dataclass(frozen=True)
class Note:
    """Something to know that is no problem."""

    text: str


def check(title):
    """Make a function a check with this title."""

    def register(function):
        CHECKS.append((title, function))
        return function

    return register


def doctor():
    """Print one line a check and the mend of each problem; True if there is none."""
    healthy = True
    for title, function in CHECKS:
        findings = list(function())
        problems = [finding for finding in findings if not isinstance(finding, Note)]
        healthy = healthy and not problems
        print(f"{'✗' if problems else '✓'} {title}")
        for finding in findings:
            print(f"    {finding.text if isinstance(finding, Note) else finding}")
    print("nothing is wrong" if healthy else "mend what is marked ✗, then run `coursekit doctor` again")
    return healthy


@check("Python")
def python_version():
    """A version that TensorFlow has wheels for."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        yield f"Python {sys.version.split()[0]} is too old or too new; make the environment with 3.11, 3.12 or 3.13"


@check("coursekit itself")
def the_right_coursekit():
    """Ours, from this checkout, and no stranger's beside it."""
    try:
        stranger = importlib.metadata.version("coursekit")
        yield f"another project's coursekit {stranger} is installed too: `pip uninstall coursekit`, then `make env`"
    except importlib.metadata.PackageNotFoundError:
        pass
    try:
        importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        yield f"{DISTRIBUTION} is not installed, only lying here: run `make env` (or `pip install -e .`)"
    here = next((folder for folder in (Path.cwd(), *Path.cwd().parents) if _is_checkout(folder)), None)
    if here and repository_root() != here:
        origin = repository_root() or "an installed copy"
        yield f"coursekit is imported from {origin}, not from {here}: run `make env` there"


def _is_checkout(folder):
    return (folder / "coursekit" / "__init__.py").is_file() and (folder / "notebooks").is_dir()


@check("the environment's place")
def place():
    """The programs of this environment are started by its own Python: its folder was neither renamed nor copied."""
    for script in sorted((Path(sys.prefix) / "bin").glob("*")):
        python = _python_of(script)
        if python and not python.is_relative_to(sys.prefix):
            yield f"{script.name} is started by {python}: this folder was renamed or copied; run `make env` in it"
            return


# The first line of a script of an environment, or the second, where its path has spaces.
STARTED_BY = re.compile(rb"#!(?:/bin/sh\n'''exec' \")?([^\n\"]*/\.?venv/bin/python[\d.]*)")


def _python_of(script):
    """The Python of an environment that a script names, or None."""
    if script.is_symlink() or not script.is_file():
        return None
    with open(script, "rb") as file:
        found = STARTED_BY.match(file.read(1000))
    return Path(os.fsdecode(found[1])) if found else None


@check("files of yours")
def hiding_files():
    """None of them has the name of a package: Python would import it in the package's place."""
    from coursekit.session import _IMPORTED

    root = repository_root()
    folders = dict.fromkeys([Path.cwd(), *([root / "notebooks"] if root else [])])
    for folder in [folder for folder in folders if not _is_checkout(folder)]:
        for name in ("coursekit", *_IMPORTED):
            for file in (folder / f"{name}.py", folder / name / "__init__.py"):
                if file.is_file():
                    yield f"{file} hides the package {name} from the notebooks beside it: rename it"


@check("Keras's settings")
def keras_settings():
    """~/.keras/keras.json says what Keras itself would say."""
    from coursekit.session import _KERAS_SETTINGS, _keras_json

    home = os.environ.get("KERAS_HOME") or os.path.join("~", ".keras")
    try:
        said = json.loads(Path(os.path.expanduser(home), "keras.json").read_text("utf-8"))
    except (OSError, ValueError):
        return  # Keras writes a missing one, and passes over a broken one
    others = [f"{name} {said[name]}" for name, ours in _KERAS_SETTINGS.items() if said.get(name, ours) != ours]
    if others:
        yield Note(f"{_keras_json()} says {', '.join(others)}; the notebooks pass over that: delete it to be rid of it")


@check("packages")
def packages():
    """Everything that the course needs, in versions that it works with."""
    extra = "course" if repository_root() else ""
    try:
        needed = [Requirement(line) for line in importlib.metadata.requires(DISTRIBUTION) or []]
    except importlib.metadata.PackageNotFoundError:
        return  # said by another check
    pins = _pins()
    for need in needed:
        if need.marker and not need.marker.evaluate({"extra": extra}):
            continue
        try:
            installed = importlib.metadata.version(need.name)
        except importlib.metadata.PackageNotFoundError:
            yield f"{need.name} is missing: run `make env`"
            continue
        if not need.specifier.contains(installed, prereleases=True):
            yield f"{need.name} {installed} does not fit, the course needs {need.specifier}: run `make env`"
        elif need.name in pins and not pins[need.name].contains(installed):
            yield Note(f"{need.name} {installed} is not the tested version{pins[need.name]}; `make env` brings that")


def _pins():
    """What constraints.txt pins for this Python and system: name to version specifier."""
    file = repository_root() and repository_root() / "constraints.txt"
    if not file or not file.is_file():
        return {}
    lines = [line.split("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()]
    pins = [Requirement(line) for line in lines if line]
    return {pin.name: pin.specifier for pin in pins if not pin.marker or pin.marker.evaluate()}


@check("the backend starts")
def backend_starts():
    """TensorFlow, or the backend asked for, is imported in a process of its own: a crash ends that one only."""
    from coursekit.session import BACKENDS, _choose_backend

    before = os.environ.get("KERAS_BACKEND")
    try:
        backend = _choose_backend()
    except CoursekitError as error:
        yield str(error)
        return
    finally:
        os.environ.pop("KERAS_BACKEND") if before is None else os.environ.update(KERAS_BACKEND=before)
    tried = subprocess.run([sys.executable, "-c", f"import {backend}, keras"], capture_output=True)
    if tried.returncode < 0:
        yield f"{BACKENDS[backend]} crashes here (signal {-tried.returncode}); its wheels need a CPU with AVX"
    elif tried.returncode:
        why = tried.stderr.decode(errors="replace").strip().splitlines()[-1]
        yield f"{BACKENDS[backend]} can't be imported: {why}: run `make env`"


@check("environment variables")
def environment_variables():
    """Those that coursekit reads say something it understands."""
    from coursekit.session import PROFILES, _choose_seed, _from_environment

    for ask in (lambda: _from_environment("COURSEKIT_PROFILE", None, PROFILES), lambda: _choose_seed(None)):
        try:
            ask()
        except CoursekitError as error:
            yield str(error)
    data = os.environ.get("COURSEKIT_DATA")
    places = [Path(data or "."), (repository_root() or Path.cwd()) / (data or ".")]
    if data and not any(place.is_dir() for place in places):
        yield f"COURSEKIT_DATA is {data}, and there is no such folder: correct it, or unset it"
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if os.environ.get(name) and not os.path.exists(os.environ[name]):
            yield f"{name} is {os.environ[name]}, and there is no such file: correct it, or unset it"


@check("the notebooks' kernel")
def kernel():
    """JupyterLab starts notebooks in this very environment."""
    if importlib.util.find_spec("jupyter_client") is None:
        return  # a missing package is said by another check; on Colab the kernel is not ours to judge
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        program = KernelSpecManager().get_kernel_spec("python3").argv[0]
    except NoSuchKernel:
        yield "Jupyter finds no kernel named python3: run `make env`"
        return
    is_path = os.sep in program
    if is_path and Path(program).absolute() != Path(sys.executable).absolute():
        yield f"the kernel python3 is {program}, not this environment's: `jupyter kernelspec remove python3`"


@check("room to work")
def room():
    """Folders that can be written, some disk and some memory."""
    for folder in {Path.cwd(), Path(tempfile.gettempdir())}:
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            yield f"nothing can be written in {folder} ({error.strerror}): change its permissions, or work elsewhere"
        free = shutil.disk_usage(folder).free / 2**30
        if free < FREE_GB:
            yield f"only {free:.1f} GB are free on the disk of {folder}: make room, {FREE_GB} GB at least"
    if importlib.util.find_spec("psutil"):
        import psutil

        memory = psutil.virtual_memory().available / 2**30
        if memory < MEMORY_GB:
            yield Note(f"{memory:.1f} GB of memory are free, a notebook takes up to {MEMORY_GB}: close other programs")


@check("start-up time")
def compiled():
    """Without compiled modules TensorFlow takes three times as long to import."""
    spec = importlib.util.find_spec("tensorflow")
    if spec and sys.flags.dont_write_bytecode and not list(Path(spec.origin).parent.glob("__pycache__/*.pyc")):
        yield Note(
            "PYTHONDONTWRITEBYTECODE is set and TensorFlow is not compiled, so every start takes three times as long; "
            "`python -m compileall -q .venv` once mends it"
        )
