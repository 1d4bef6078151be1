"""`coursekit rot`: do the notebooks still run with the oldest, the pinned and the newest packages, on every Python?

For each Python and each choice of versions an environment is made in a folder of its own, the notebooks run in it, it
is removed, and a line is added to data/results/rot.jsonl, from which docs/compatibility.md is made. A Python that is
not here, or an environment that can't be made, is a line too. Nothing but the standard library is needed beside
coursekit itself, so a bare Python in a checkout can do it: `python -m coursekit rot`.
"""

import datetime
import json
import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from coursekit.authoring.execution.watched import plain
from coursekit.authoring.pages import compatibility
from coursekit.errors import CoursekitError
from coursekit.paths import repository_root, write_whole
from coursekit.records import machine, read_lines

PYTHONS = ("3.11", "3.12", "3.13")
# What uv is told for each choice: the floors of pyproject.toml, the pins, or whatever is newest.
VERSIONS = {
    "oldest": ["--resolution", "lowest-direct"],
    "locked": ["--constraint", "constraints.txt"],
    "newest": ["--upgrade"],
}
SUITABLE = "import ensurepip, platform, venv; print(platform.python_version())"
INSTALLED = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
# What would lead the new environment, or its kernels, to packages that are not its own; and, last, what would have each
# kernel compile TensorFlow anew.
STRANGERS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "JUPYTER_PATH", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT")
STRANGERS += ("PYTHONDONTWRITEBYTECODE",)
PATIENCE = 30  # seconds that an interrupted command has to end what it started


class NotMade(Exception):
    """An environment can't be made; the message is the reason's last words."""


def rot(wanted=(), *, pythons=PYTHONS, versions=tuple(VERSIONS), folder=None, keep=False):
    """Try every choice of versions on every Python, keep a record of each; True if all notebooks ran on all.

    wanted: paths of notebooks; none for all.
    folder: where the environments are made, by default build/rot; it keeps a log and the executed notebooks of each.
    keep:   whether the environments stay, some gigabytes each.
    """
    root = repository_root()
    if root is None:
        raise CoursekitError("this needs a checkout of the course: clone its repository")
    folder, well = Path(folder or root / "build" / "rot").absolute(), True
    for python in pythons:
        for choice in versions:
            place = folder / f"{python}-{choice}"
            record = _try(python, choice, wanted, place, keep)
            _add(root, record)
            print("\n".join(compatibility.in_words(record)), flush=True)
            well = well and record["outcome"] == "ran" and not record["failed"]
    return well


def _add(root, record):
    """Keep a record, and renew the page."""
    file = root / "data" / "results" / "rot.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    cut = file.is_file() and file.stat().st_size and not file.read_bytes().endswith(b"\n")
    with open(file, "a", encoding="utf-8") as lines:
        lines.write("\n" * cut + json.dumps(record, ensure_ascii=False, sort_keys=True) + "\n")
    write_whole(root / "docs" / "compatibility.md", compatibility.page(read_lines(file)))


def _try(python, choice, wanted, place, keep):
    """Make one environment, run the notebooks in it, and return the record."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    record = {"date": now, "machine": machine(), "python": python, "versions": choice}
    record["only"] = [path.stem for path in wanted]
    found = find_python(python)
    if found is None:
        return record | {"outcome": "not found", "reason": f"there is no Python {python} with venv here"}
    for old in ("environment", "results", "executed"):
        shutil.rmtree(place / old, ignore_errors=True)
    place.mkdir(parents=True, exist_ok=True)
    (place / "log.txt").write_bytes(b"")
    print(f"{python} {choice}: begins; its log is {place / 'log.txt'}", flush=True)
    try:
        start = time.monotonic()
        installed = make_environment(found, choice, place)
        record |= {"installed": installed, "install_minutes": _minutes(start)}
        return record | _run(wanted, place)
    except NotMade as why:
        return record | {"outcome": "no environment", "reason": str(why)}
    finally:
        if not keep:
            shutil.rmtree(place / "environment", ignore_errors=True)


# --- a Python, an environment -----------------------------------------------------------------------------------------
def find_python(version):
    """A Python of this version, such as "3.12", that can make environments: its path, or None."""
    for candidate in _candidates(version):
        with suppress(OSError, subprocess.TimeoutExpired):
            done = subprocess.run([candidate, "-c", SUITABLE], capture_output=True, text=True, timeout=60)
            if done.returncode == 0 and done.stdout.startswith(f"{version}."):
                return candidate
    return None


def _candidates(version):
    """What may be a Python of this version: on the path, of pyenv (whose command need not be switched on), of uv."""
    if on_path := shutil.which(f"python{version}"):
        yield on_path
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    number = lambda path: [int(part) for part in re.findall(r"\d+", path.name)]
    for made in sorted(pyenv.glob(f"{version}.*[0-9]"), key=number, reverse=True):
        yield str(made / "bin" / "python")
    if uv := shutil.which("uv"):
        said = subprocess.run([uv, "python", "find", "--managed-python", version], capture_output=True, text=True)
        if said.returncode == 0:
            yield said.stdout.strip()


def make_environment(python, choice, place):
    """Make the environment `place`/environment with the course in it: {"python" and some packages: version}."""
    environment, log = place / "environment", place / "log.txt"
    own = str(environment / "bin" / "python")
    for command in (
        [python, "-m", "venv", str(environment)],
        [own, "-m", "pip", "install", "--quiet", "uv"],
        [own, "-m", "uv", "pip", "install", "--python", own, *VERSIONS[choice], "-e", ".[course]"],
    ):
        if _call(command, log):
            raise NotMade(_last_words(log))
    everything = _said([own, "-c", INSTALLED])
    (place / "installed.json").write_text(everything, encoding="utf-8")
    packages = {name.lower(): number for name, number in json.loads(everything).items()}
    chosen = {name: packages[name] for name in compatibility.PACKAGES if name in packages}
    return {"python": _said([own, "-c", SUITABLE]).strip(), **chosen}


def _run(wanted, place):
    """Run the notebooks in the environment at `place`; what a record says of that."""
    log, results, start = place / "log.txt", place / "results", time.monotonic()
    command = [str(place / "environment" / "bin" / "python"), "-m", "coursekit", "run"]
    command += [*[str(path.absolute()) for path in wanted], "--again", "--warnings"]
    command += ["--results", str(results), "--executed", str(place / "executed")]
    status = _call([*command, "--summary", str(place / "summary.md")], log)
    runs = [lines[-1] for file in sorted(results.glob("*.jsonl")) if (lines := read_lines(file))]
    failed = [
        {"notebook": run["notebook"], "status": run["status"], "error": _why(run)}
        for run in runs
        if run["status"] != "ok"
    ]
    stopped = status not in (0, 1) or not runs
    return {
        "outcome": "stopped" if stopped else "ran",
        "reason": _last_words(log) if stopped else "",
        "minutes": _minutes(start),
        "notebooks": len(runs),
        "failed": failed,
        "warnings": _warnings(runs),
    }


def _why(run):
    """Why a run failed; of one that was too slow, whether it had the machine for itself."""
    busy = f" while others kept {run['others']} cores busy" if run["status"] == "timeout" and "others" in run else ""
    return plain(run["error"]) + busy


def _warnings(runs):
    """The runs' warnings, each kind once, with all cells that it was met in."""
    kinds = {}
    for run in runs:
        for one in run.get("warnings", []):
            kind = tuple(one[name] for name in ("package", "place", "category", "message"))
            kinds.setdefault(kind, []).append({"notebook": run["notebook"], "cell": one["cell"], "first": one["first"]})
    return [
        {"package": package, "place": place, "category": category, "message": message, "cells": cells}
        for (package, place, category, message), cells in kinds.items()
    ]


# --- commands ---------------------------------------------------------------------------------------------------------
def _environment():
    """The variables of a command in a new environment."""
    return {name: value for name, value in os.environ.items() if name not in STRANGERS} | {"PIP_USER": "0"}


def _said(command):
    """What a short command prints; `NotMade` where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=repository_root(), env=_environment())
    if done.returncode:
        raise NotMade(_told(done.stderr))
    return done.stdout


def _call(command, log):
    """Run a command in the checkout and add what it says to the file `log`: its exit status.

    It is a group of its own: Ctrl+C ends it in order, with all that it has started.
    """
    with open(log, "ab") as said:
        how = {"stdin": subprocess.DEVNULL, "stdout": said, "stderr": said, "start_new_session": True}
        process = subprocess.Popen(command, cwd=repository_root(), env=_environment(), **how)
    try:
        return process.wait()
    except BaseException:
        _end(process)
        raise


def _end(process):
    """Interrupt a command as Ctrl+C does, and kill what does not heed it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last_words(log):
    return _told(log.read_text("utf-8", errors="replace"))


def _told(text):
    """The end of what a command said: its last error with what follows it, or its last line, nothing private in it."""
    lines = [line.strip(" ╰─▶├│") for line in text.splitlines() if line.strip()]
    errors = [i for i, line in enumerate(lines) if re.match(r"×|error\b|coursekit: ", line, re.IGNORECASE)]
    return plain(" ".join(lines[errors[-1] if errors else -1 :])) or "it said nothing"


def _minutes(start):
    return round((time.monotonic() - start) / 60, 1)
