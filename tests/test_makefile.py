"""The Makefile: finds a suitable Python or says which is needed, and is done quickly when all is done."""

import os
import shutil
import subprocess
import sys
import time

import pytest
from helpers import ROOT

SUITABLE_PARTS = ("Makefile", "pyproject.toml", "constraints.txt", "coursekit/authoring/environment.py")


# What the caller's own `make` was told (`make test TORCH=1`) is not told to the one that is tested.
TOLD = {"TORCH", "TEACH", "CLUSTER", "ALL", "MINUTES", "LAB", "PYTHON"}
TOLD |= {"MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL"}


def make(*arguments, cwd=ROOT, **environment):
    around = {name: value for name, value in os.environ.items() if name not in TOLD}
    return subprocess.run(
        ["make", *arguments], cwd=cwd, capture_output=True, text=True, env={**around, **environment}, timeout=600
    )


@pytest.fixture
def bare(tmp_path):
    """A folder, with a space in its name, that has only what `make env` reads, and a PATH without Python."""
    folder, programs = tmp_path / "a course", tmp_path / "bin"
    folder.mkdir()
    programs.mkdir()
    for part in SUITABLE_PARTS:
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / part, folder / part)
    for program in ("make", "sh", "cksum", "cut", "id", "find", "mkdir", "touch", "rm"):
        (programs / program).symlink_to(shutil.which(program))
    return folder, programs


def fake_python(programs, name, body):
    script = programs / name
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)


def test_a_second_make_env_is_done_in_under_five_seconds():
    make("env")
    start = time.monotonic()
    done = make("env")
    assert done.returncode == 0 and "install" not in done.stdout
    assert time.monotonic() - start < 5


def test_without_a_suitable_python_it_says_which_is_needed(bare):
    folder, programs = bare
    fake_python(programs, "python3", "exit 1")  # too old, too new, or without venv
    done = make("env", cwd=folder, PATH=str(programs))
    assert done.returncode != 0 and not (folder / ".venv").exists()
    assert "3.11, 3.12 or 3.13" in done.stderr and "python3-venv" in done.stderr and "PYTHON=" in done.stderr


# A Python whose "venv" is a script that notes how it is called. Nothing is intact there, and pip succeeds, unless told.
NOTING = """#!/bin/sh
echo "$*, PIP_USER=$PIP_USER" >> "$(dirname "$0")/../calls"
case "$*" in *intact*) exit ${INTACT:-1};; *"pip install"*) exit ${PIP:-0};; esac
"""


def fake_venv(programs, noting):
    (programs / "noting").write_text(noting)
    (programs / "noting").chmod(0o755)
    venv = f'mkdir -p "$3/bin" && /bin/cp "{programs / "noting"}" "$3/bin/python"'
    fake_python(programs, "python3.12", f'case "$1" in -c) exit 0;; --version) echo Python 3.12.1;; -m) {venv};; esac')


def calls(folder):
    return (folder / ".venv" / "calls").read_text().splitlines()


def test_it_passes_over_an_unsuitable_python_for_a_suitable_one(bare):
    folder, programs = bare
    fake_python(programs, "python3", "exit 1")
    (programs / "dirname").symlink_to(shutil.which("dirname"))
    fake_venv(programs, NOTING)
    done = make("env", cwd=folder, PATH=str(programs), PIP_USER="1")
    assert done.returncode == 0, done.stderr
    assert "with Python 3.12.1" in done.stdout and "Installing the packages" in done.stdout
    (installed,) = [call for call in calls(folder) if "pip install" in call]
    assert installed.endswith("-e .[course], PIP_USER=0") and "--quiet" not in installed
    assert make("env", cwd=folder, PATH=str(programs)).stdout.count("Installing") == 0
    moved = folder.rename(folder.with_name("moved"))
    (moved / ".venv" / "calls").unlink()
    assert "Installing" in make("env", cwd=moved, PATH=str(programs)).stdout
    assert "coursekit/authoring/environment.py settle, PIP_USER=" in calls(moved)


def test_an_environment_that_has_everything_needs_no_pip_and_no_network(bare):
    folder, programs = bare
    (programs / "dirname").symlink_to(shutil.which("dirname"))
    fake_venv(programs, NOTING)
    assert make("env", cwd=folder, PATH=str(programs)).returncode == 0
    os.utime(folder / "pyproject.toml")
    os.utime(folder / "pyproject.toml", (time.time() + 60,) * 2)
    (folder / ".venv" / "calls").unlink()
    done = make("env", cwd=folder, PATH=str(programs), INTACT="0", PIP="1")
    assert done.returncode == 0 and not any("pip install" in call for call in calls(folder))


def test_where_pip_fails_it_says_what_that_may_be(bare):
    folder, programs = bare
    (programs / "dirname").symlink_to(shutil.which("dirname"))
    fake_venv(programs, NOTING)
    done = make("env", cwd=folder, PATH=str(programs), PIP="1")
    assert done.returncode != 0 and "Is there a network?" in done.stderr


def test_an_environment_whose_python_is_gone_is_made_anew(bare):
    folder, programs = bare
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").symlink_to("/nowhere/python3")
    (folder / ".venv" / "rest").touch()
    fake_python(programs, "python3", "exit 1")
    assert make("env", cwd=folder, PATH=str(programs)).returncode != 0
    assert not (folder / ".venv" / "rest").exists()


def test_the_check_of_a_python_lets_this_one_pass():
    line = next(line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("SUITABLE"))
    code = line.split(":=", 1)[1].strip()
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    too_new = code.replace("sys.exit", "sys.version_info = (3, 14, 0); sys.exit")
    assert subprocess.run([sys.executable, "-c", too_new]).returncode == 1


def test_lab_opens_the_welcome_page_and_root_is_allowed():
    said = make("-n", "lab").stdout
    assert "-m jupyterlab" in said and "/lab/tree/notebooks/00_welcome.ipynb" in said
    assert ("--allow-root" in said) == (os.getuid() == 0)


def test_ci_runs_test_and_check():
    script = (ROOT / ".ci" / "run").read_text()
    assert "make test" in script and "make check" in script and "chromium" in script
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_pre_commit_runs_what_make_check_runs_first():
    import yaml

    (repo,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = [hook["entry"].removeprefix(".venv/bin/python -m ") for hook in repo["hooks"]]
    recipe = (ROOT / "Makefile").read_text().split("\ncheck:\n")[1].splitlines()
    lines = [line.removeprefix("\t$(PY) -m ") for line in recipe if line.startswith("\t$(PY) -m ")]
    assert hooks and lines[: len(hooks)] == hooks
    assert repo["repo"] == "local" and all(hook["language"] == "system" for hook in repo["hooks"])
