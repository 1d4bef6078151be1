"""A stand-in for Colab: an environment with older versions, a `google.colab`, and a folder with one notebook in it.

The notebook's own setup cell brings coursekit, from a local clone: git is told by its own configuration, in environment
variables, that the address of the fork lies in that folder. No cell is changed and nothing is mocked.
"""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from helpers import ROOT

from coursekit.authoring import notebooks
from coursekit.authoring.execution.execute import execute

ADDRESS = "https://github.com/some-school/their-course"
OLDER = Path(__file__).parent / "older.txt"


def call(*command, cwd=None):
    """Run a command and return what it printed; a failure shows what it said."""
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done.stdout


def versions(python):
    """{package: version} of an environment."""
    code = "import json, importlib.metadata as m; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    return json.loads(call(python, "-c", code))


def make_environment(folder):
    """A fresh environment with the older versions and a `google.colab`; returns its Python."""
    call(sys.executable, "-m", "venv", folder)
    python = folder / "bin" / "python"
    call(python, "-m", "pip", "install", "-q", "-r", OLDER)
    site = Path(call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    (site / "google" / "colab").mkdir(parents=True, exist_ok=True)
    for part in ("__init__", "output"):  # JAX asks for the second one where it finds the first
        (site / "google" / "colab" / f"{part}.py").write_text('"""A stand-in."""\n')
    return python


def make_fork(folder):
    """A clone of the course with an address of its own, in which nothing is committed but what is in this checkout."""
    listed = call("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    call(sys.executable, "-m", "coursekit", "index", "--repository", ADDRESS, cwd=folder)
    call("git", "init", "-q", "-b", "main", cwd=folder)
    commit(folder, "the course of some school")
    return folder


def commit(folder, message):
    """Commit everything in the fork."""
    me = ("-c", "user.name=a teacher", "-c", "user.email=teacher@example.org", "-c", "commit.gpgsign=false")
    call("git", "add", "-A", cwd=folder)
    call("git", *me, "commit", "-q", "-m", message, cwd=folder)


def prepare(monkeypatch, scratch, python, fork):
    """Set the environment variables in which kernels are those of the stand-in, and the address is the clone's."""
    kernel = scratch / "jupyter" / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.write_text(json.dumps({"argv": argv, "display_name": "Colab", "language": "python"}))
    start = scratch / "ipython" / "profile_default" / "startup" / "colab.py"
    start.parent.mkdir(parents=True)
    start.write_text("import google.colab\n")
    settings = {
        "JUPYTER_PATH": str(scratch / "jupyter"),
        "IPYTHONDIR": str(scratch / "ipython"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{fork.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": ADDRESS,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    for name in ("PYTHONPATH", "COURSEKIT_DATA", "COURSEKIT_SEED", "VIRTUAL_ENV"):
        monkeypatch.delenv(name, raising=False)


def open_alone(path, folder):
    """Execute the notebook at `path` in the new folder `folder`, where nothing but its own file is, and its outcome."""
    folder.mkdir(parents=True)
    (folder / path.name).write_bytes(path.read_bytes())
    return asyncio.run(execute(notebooks.read(folder / path.name), folder))


def said(cell):
    """What a cell wrote."""
    return "".join(output.get("text", "") for output in cell.outputs)
