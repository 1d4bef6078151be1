"""The environment after its folder was renamed or copied, and whether all is there without asking pip."""

import shutil
import subprocess
import sys
import venv
from types import SimpleNamespace

import pytest
from helpers import ROOT

from coursekit.authoring import environment

SCRIPT = "#!{python}\nimport sys, thing\nprint(sys.prefix, thing.__file__)\n"


@pytest.fixture
def moved(tmp_path):
    """moved(name, how) makes a small course with an environment, renames or copies it, and settles it: its folder."""
    old = tmp_path / "course"
    venv.create(old / ".venv", symlinks=True)
    config = old / ".venv" / "pyvenv.cfg"  # as `python -m venv` writes it
    lines = [line for line in config.read_text().splitlines() if not line.startswith("command")]
    config.write_text("\n".join([*lines, f"command = {sys.executable} -m venv {old / '.venv'}"]) + "\n")
    site = next(old.glob(".venv/lib/python*/site-packages"))
    (site / "ours.pth").write_text(f"{old}\n")
    (old / "thing.py").touch()
    script = old / ".venv" / "bin" / "tool"
    script.write_text(SCRIPT.format(python=old / ".venv" / "bin" / "python"))
    script.chmod(0o755)

    def moved(name, how):
        how(old, tmp_path / name)
        assert environment.settle(tmp_path / name / ".venv")
        assert not environment.settle(tmp_path / name / ".venv")
        return tmp_path / name

    return moved


def copied(old, new):
    shutil.copytree(old, new, symlinks=True)


@pytest.mark.parametrize("how", [lambda old, new: old.rename(new), copied], ids=["renamed", "copied"])
@pytest.mark.parametrize("name", ["new", "a new place", "x" * 130])
def test_a_folder_that_was_moved_runs_its_own_python_and_its_own_files(moved, name, how):
    course = moved(name, how)
    done = subprocess.run([course / ".venv" / "bin" / "tool"], capture_output=True, text=True)
    assert done.stdout == f"{course / '.venv'} {course / 'thing.py'}\n", done.stderr
    activate = (course / ".venv" / "bin" / "activate").read_text()
    assert str(course / ".venv") in activate and str(course.parent / "course" / ".venv") not in activate


def test_a_second_move_is_settled_too(moved):
    course = moved("a new place", copied)
    third = course.rename(course.with_name("third"))
    assert environment.settle(third / ".venv")
    done = subprocess.run([third / ".venv" / "bin" / "tool"], capture_output=True, text=True)
    assert done.stdout.startswith(str(third / ".venv")), done.stderr


def test_an_environment_that_says_nothing_of_its_place_is_left_alone(tmp_path):
    assert not environment.settle(tmp_path)


@pytest.fixture
def installed(monkeypatch):
    """installed(keras=None) plays an environment that has all but keras; other versions may be given, too."""

    version = environment.tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    def installed(**others):
        monkeypatch.setattr(environment, "_as_pinned", lambda root: True)
        monkeypatch.setattr(environment, "_fits", lambda line: "keras" not in others or "keras" not in line)
        ours = SimpleNamespace(
            version=others.get("ours", version),
            read_text=lambda name: '{"dir_info": {"editable": true}, "url": "file:///x"}',
            locate_file=lambda name: others.get("place", ROOT / ".venv" / "lib"),
        )
        monkeypatch.setattr(environment.importlib.metadata, "distribution", lambda name: ours)

    return installed


def test_what_is_intact_and_what_is_not(installed):
    installed()
    assert environment.intact(ROOT, ["course", "teach"])
    installed(keras=None)
    assert not environment.intact(ROOT, ["course"])
    installed(ours="0.0.9")
    assert not environment.intact(ROOT, ["course"])
    installed(place=ROOT.parent / "elsewhere" / ".venv")
    assert not environment.intact(ROOT, ["course"])


def test_another_version_than_the_pinned_one_is_not_intact(monkeypatch, tmp_path):
    pytest.importorskip("pip", reason="an environment without pip")
    (tmp_path / "constraints.txt").write_text("# made\nnumpy==1.0 ; python_version < '3'\npytest==0.1\nnot-here==3\n")
    assert not environment._as_pinned(tmp_path)
    (tmp_path / "constraints.txt").write_text(f"pytest=={pytest.__version__}\n")
    assert environment._as_pinned(tmp_path)
    assert environment._fits("pytest>=3") and not environment._fits("pytest<3")
    assert environment._fits("no-such-package; python_version < '3'")
