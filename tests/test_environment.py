"""pyproject.toml, constraints.txt and environment.yml say the same; no file names what it must not."""

import re
import subprocess
import tomllib

import yaml
from helpers import ROOT
from packaging.requirements import Requirement

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINS = [Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text())
PYTHONS = ("3.11", "3.12", "3.13")
SYSTEMS = {"Linux": ("linux", "x86_64"), "Darwin": ("darwin", "arm64"), "Windows": ("win32", "AMD64")}


def wanted():
    extras = PYPROJECT["project"]["optional-dependencies"]
    lines = [*PYPROJECT["project"]["dependencies"], *extras["course"], *extras["torch"], *extras["cluster"]]
    return [Requirement(line) for line in lines]


def pins_on(python, system):
    platform, machine = SYSTEMS[system]
    there = {"python_version": python, "python_full_version": f"{python}.1", "sys_platform": platform}
    there |= {"platform_system": system, "platform_machine": machine}
    return [pin for pin in PINS if not pin.marker or pin.marker.evaluate(there)]


def test_every_need_has_one_exact_pin_on_every_python_and_system():
    for python in PYTHONS:
        for system in SYSTEMS:
            pins = {}
            for pin in pins_on(python, system):
                assert pin.name not in pins, f"{pin.name} is pinned twice for Python {python} on {system}"
                assert re.fullmatch(r"==[\w.+]+", str(pin.specifier)), pin
                pins[pin.name] = str(pin.specifier).removeprefix("==")
            for need in wanted():
                assert need.name in pins, f"{need.name} has no pin on {system}: run `make lock`"
                assert need.specifier.contains(pins[need.name]), (
                    f"{need} is pinned to {pins[need.name]}: run `make lock`"
                )


def test_the_packages_that_the_course_is_made_of_are_there():
    names = {need.name for need in wanted()}
    course = {"jupyterlab", "tensorflow", "keras-tuner", "tensorflow-model-optimization", "matplotlib", "nbval"}
    assert course <= names


def test_conda_takes_the_same_pins():
    python = next(one for one in CONDA["dependencies"] if isinstance(one, str) and one.startswith("python="))
    assert python.removeprefix("python=") in PYTHONS
    pip = next(one["pip"] for one in CONDA["dependencies"] if isinstance(one, dict))
    assert pip == ["-c constraints.txt", "-e .[course]"]


def test_installing_coursekit_never_brings_a_framework():
    bare = {Requirement(line).name for line in PYPROJECT["project"]["dependencies"]}
    assert not bare & {"tensorflow", "jax", "torch", "tf-keras"}


def test_the_version_stands_the_same_everywhere():
    import coursekit

    version = PYPROJECT["project"]["version"]
    assert coursekit.__version__ == version
    assert f"version: {version}" in (ROOT / "CITATION.cff").read_text()


def test_no_tracked_file_names_a_registry_a_machine_or_another_address_of_the_repository():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    files = [ROOT / name for name in listed.stdout.split("\0") if name] if listed.returncode == 0 else []
    assert files, "this test needs a git checkout"
    registry = re.compile(rb"pypi\.org|pythonhosted|registry\.npmjs|deb\.debian|/root/|/home/[a-z]")
    for file in files:
        if not file.is_file() or file.name in ("test_environment.py", "lint.py", "test_lint.py"):
            continue
        found = registry.search(file.read_bytes())  # pictures and weights, too
        assert not found, f"{file.relative_to(ROOT)} names {found.group().decode()}"
