"""doctor: nothing wrong where nothing is wrong, and each wrong thing named with its mend."""

import os
import subprocess
import sys

import pytest
from helpers import ROOT

from coursekit.authoring import doctor


def diagnose(cwd=ROOT, **environment):
    env = {k: v for k, v in os.environ.items() if not k.startswith("COURSEKIT_") and k != "KERAS_BACKEND"}
    command = [sys.executable, "-m", "coursekit", "doctor"]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=env | environment)
    return done.returncode, done.stdout + done.stderr


def test_there_is_no_false_alarm():
    status, said = diagnose(COURSEKIT_PROFILE="quick", COURSEKIT_SEED="3")
    assert status == 0 and "✗" not in said and said.count("✓") == len(doctor.CHECKS)


def test_everything_wrong_is_said_at_once(tmp_path):
    metadata = tmp_path / "coursekit-0.4.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: coursekit\nVersion: 0.4\n")
    wrong = {"KERAS_BACKEND": "theano", "COURSEKIT_PROFILE": "fast", "COURSEKIT_SEED": "x", "COURSEKIT_DATA": "nowhere"}
    status, said = diagnose(PYTHONPATH=str(tmp_path), **wrong)
    assert status == 1 and said.count("\n✗ ") == 3  # coursekit itself, the backend, the variables
    for part in ("pip uninstall coursekit", "'theano'", "'fast'", "'x'", "COURSEKIT_DATA is nowhere"):
        assert part in said


def test_an_environment_that_belongs_to_another_checkout_is_noticed(course):
    status, said = diagnose(cwd=course.root, PYTHONSAFEPATH="1")
    assert status == 1 and f"not from {course.root}" in said


def old(name, version):
    real = doctor.importlib.metadata.version
    return lambda asked: version if asked == name else real(asked)


def test_missing_old_and_untested_packages_are_told_apart(monkeypatch):
    monkeypatch.setattr(doctor.importlib.metadata, "version", old("keras", "2.15"))
    assert any("keras 2.15 does not fit" in str(found) for found in doctor.packages())
    monkeypatch.setattr(doctor.importlib.metadata, "version", old("keras", "99.0"))
    (found,) = doctor.packages()
    assert isinstance(found, doctor.Note) and "keras 99.0 is not the tested version" in found.text

    def missing(name):
        raise doctor.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(doctor.importlib.metadata, "version", missing)
    monkeypatch.setattr(doctor.importlib.metadata, "requires", lambda _: ["keras>=3"])
    assert list(doctor.packages()) == ["keras is missing: run `make env`"]


@pytest.mark.parametrize(
    "version, wrong", [((3, 10, 1), True), ((3, 11, 0), False), ((3, 13, 9), False), ((3, 14, 0), True)]
)
def test_python_is_neither_too_old_nor_too_new(monkeypatch, version, wrong):
    monkeypatch.setattr(doctor.sys, "version_info", version)
    assert bool(list(doctor.python_version())) == wrong


def test_a_kernel_of_another_environment_is_noticed(tmp_path, monkeypatch):
    kernel = tmp_path / "kernels" / "python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(
        '{"argv": ["/usr/bin/python2", "-m", "x"], "display_name": "x", "language": "python"}'
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    assert any("/usr/bin/python2, not this environment's" in found for found in doctor.kernel())


def test_no_room_is_noticed(monkeypatch):
    monkeypatch.setattr(doctor, "FREE_GB", 10**9)
    assert any("make room" in str(found) for found in doctor.room())
