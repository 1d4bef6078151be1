"""doctor: nothing wrong where nothing is wrong, and each wrong thing named with its mend."""

import os
import subprocess
import sys

import pytest
from helpers import ROOT

from coursekit.authoring import doctor, report


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


def test_a_script_of_another_folders_python_is_noticed(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "tool").write_text(f"#!{tmp_path}/bin/python\n")
    (tmp_path / "bin" / "other").write_text("#!/usr/bin/env python3\n")
    monkeypatch.setattr(doctor.sys, "prefix", str(tmp_path))
    assert list(doctor.place()) == []
    spaces = '#!/bin/sh\n\'\'\'exec\' "/a place/.venv/bin/python" "$0" "$@"\n'
    for start in ("#!/elsewhere/course/.venv/bin/python\n", "#!/elsewhere/venv/bin/python3.12\n", spaces):
        (tmp_path / "bin" / "tool").write_text(start)
        (found,) = doctor.place()
        assert "tool is started by /" in found and "renamed or copied; run `make env`" in found


@pytest.mark.parametrize("file", ["coursekit.py", "keras.py", "numpy/__init__.py"])
def test_a_file_that_hides_a_package_is_noticed(tmp_path, monkeypatch, file):
    monkeypatch.chdir(tmp_path)
    assert list(doctor.hiding_files()) == []
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).touch()
    (found,) = doctor.hiding_files()
    assert f"{tmp_path / file} hides the package" in found and "rename it" in found


def test_settings_of_keras_that_are_not_the_courses_are_told_and_no_problem(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert list(doctor.keras_settings()) == []
    for text, told in (("{broken", 0), ('{"floatx": "float32"}', 0), ('{"image_data_format": "channels_first"}', 1)):
        (tmp_path / "keras.json").write_text(text)
        assert len(list(doctor.keras_settings())) == told
    (note,) = doctor.keras_settings()
    assert isinstance(note, doctor.Note) and "image_data_format channels_first" in note.text


def test_certificates_that_are_not_there_are_noticed(monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such.pem")
    assert any("REQUESTS_CA_BUNDLE is /no/such.pem" in found for found in doctor.environment_variables())


# --- what is pasted into an issue -------------------------------------------------------------------------------------
def test_the_report_says_what_a_maintainer_needs(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "CHECKS", [("well", lambda: []), ("ill", lambda: ["mend it"])])
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setenv("COURSEKIT_DATA", "/somewhere/private")
    assert report.report()
    said = capsys.readouterr().out
    for part in (
        "coursekit: 0.",
        "Python: 3.",
        "keras: 3.",
        "numpy: ",
        "KERAS_BACKEND: jax",
        "well: well",
        "ill: mend it",
    ):
        assert part in said, part
    assert "COURSEKIT_DATA: set\n" in said and "private" not in said and said.startswith("```\n")


JANES = "/".join(["", "home", "jane"])  # no file of the course names a folder of a machine


@pytest.mark.parametrize(
    "line",
    [
        f"tool is started by {JANES}/course/.venv/bin/python: run `make env` in it",
        "nothing can be written in /Users/Jane Doe/course",
        r"C:\\Users\\jane\\course is full",
        "COURSEKIT_DATA is /mnt/jane/data, and there is no such folder",
        "the host janes-laptop of jane",
        f"files in /var/data/jane's/x and ('{JANES}')",
    ],
)
def test_nothing_private_is_in_the_report(line, monkeypatch):
    monkeypatch.setattr(report.os.path, "expanduser", lambda path: "/Users/Jane Doe")
    monkeypatch.setattr(report.getpass, "getuser", lambda: "jane")
    monkeypatch.setattr(report.platform, "node", lambda: "janes-laptop.example.org")
    said = report.without_private_parts(line)
    assert "jane" not in said.lower() and "doe" not in said.lower(), said


def test_the_report_names_no_folder_user_or_host_of_this_machine(capsys):
    report.report()
    said = capsys.readouterr().out
    assert str(ROOT) not in said and sys.prefix not in said and os.path.expanduser("~") + "/" not in said
