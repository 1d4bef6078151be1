"""On Colab, emulated: older versions, one notebook and nothing beside it. Its setup cell brings coursekit, and it runs.

Two notebooks are run: 00, the first that anyone opens, and 08, which needs most of what coursekit brings (weights and
images from its data, fonts, Keras training, a model of keras.applications). COURSEKIT_COLAB=all runs every notebook,
and COURSEKIT_COLAB=18,19 these two. What the course uses of Keras beyond its public interface is tried as well.
"""

import os
import re
import subprocess
import sys
import tomllib

import colab
import nbformat
import pytest
from helpers import ROOT
from packaging.requirements import Requirement

from coursekit import session
from coursekit.authoring import notebooks

RUN = os.environ.get("COURSEKIT_COLAB") or "00,08"
WANTED = [path for path in notebooks.find() if RUN == "all" or path.name.startswith(tuple(RUN.split(",")))]
slow = pytest.mark.slow


def requirements(file):
    lines = [line.split("#")[0].strip() for line in file.read_text().splitlines()]
    return {need.name: need for need in map(Requirement, filter(None, lines))}


def pinned(need):
    return str(need.specifier).removeprefix("==")


# --- the ranges -------------------------------------------------------------------------------------------------------
def test_the_declared_ranges_begin_at_what_is_emulated():
    older = requirements(colab.OLDER)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]["course"]
    needs = [Requirement(line) for line in project["dependencies"]]
    needs += [need for need in map(Requirement, extras) if need.name in older]
    not_preinstalled = {"constriction"}  # not on Colab: the setup cell brings the newest one
    assert {need.name for need in needs} >= {"keras", "tensorflow", "numpy", "jax", "tf-keras"}
    for need in needs:
        if need.name not in not_preinstalled:
            (lowest,) = [one.version for one in need.specifier if one.operator == ">="]
            assert pinned(older[need.name]).startswith(lowest), f"{need} begins below {older[need.name]}"


def test_setup_knows_the_same_ranges():
    older, newer = requirements(colab.OLDER), {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if re.match(r"\w", line):
            need = Requirement(line)
            newer.setdefault(need.name, []).append(pinned(need))

    def minor(version):
        return ".".join(version.split(".")[:2])

    for name, (oldest, newest) in session.TESTED.items():
        if name != "python":
            assert oldest == minor(pinned(older[name])), name
            assert newest == minor(max(newer[name], key=session._minor)), name
    pythons = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    above = f"3.{session._minor(session.TESTED['python'][1])[1] + 1}"
    assert pythons == f">={session.TESTED['python'][0]},<{above}"


# --- the emulation ----------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """(python, fork, scratch): the older environment, and a fork with an address that git finds in a folder."""
    if sys.version_info >= (3, 13):
        pytest.skip("TensorFlow 2.19, which is emulated here, has no packages for Python 3.13; 3.11 and 3.12 run this")
    scratch = tmp_path_factory.mktemp("colab")
    fork = colab.make_fork(scratch / "fork")
    with pytest.MonkeyPatch.context() as monkeypatch:
        python = colab.make_environment(scratch / "environment")
        colab.prepare(monkeypatch, scratch, python, fork)
        yield python, fork, scratch


@slow
def test_the_setup_cell_brings_coursekit_and_leaves_all_else_as_it_is(stage):
    python, fork, scratch = stage
    before = colab.versions(python)
    page = nbformat.read(fork / "notebooks" / "00_welcome.ipynb", 4)
    only_setup = nbformat.v4.new_notebook(cells=page.cells[2:3], metadata=page.metadata)
    alone = scratch / "setup" / "00_welcome.ipynb"
    alone.parent.mkdir()
    nbformat.write(only_setup, alone)

    def play(name):
        outcome = colab.open_alone(alone, scratch / name)
        assert outcome.status == "ok", outcome.error
        return colab.said(outcome.notebook.cells[0]).splitlines()

    installed, session_line = play("no tags yet")
    assert installed.startswith(f"installed coursekit-notebooks @ git+{colab.ADDRESS}@main; ")
    assert "TensorFlow 2.19.1, Keras 3.10.0" in session_line
    after = colab.versions(python)
    assert {name: after.get(name) for name in before} == before
    assert {"coursekit-notebooks", "constriction"} <= set(after) - set(before)
    assert len(play("again")) == 1  # all is there: nothing but the session's own line

    subprocess.run([python, "-m", "pip", "uninstall", "-q", "-y", "coursekit-notebooks"], check=True)
    version = after["coursekit-notebooks"]
    colab.call("git", "tag", f"v{version}", cwd=fork)
    (fork / "coursekit" / "since_the_release.py").write_text('"""What a student\'s page does not know."""\n')
    colab.commit(fork, "the branch has moved on")
    assert f"@v{version}; " in play("with a tag")[0]
    code = "from importlib.util import find_spec; print(find_spec('coursekit.since_the_release'))"
    assert colab.call(python, "-c", code, cwd=scratch) == "None\n"
    assert {name: colab.versions(python).get(name) for name in after} == after


@slow
def test_the_oldest_keras_keeps_what_the_course_relies_on(stage):
    python, fork, _ = stage
    alone = ("-o", "addopts=", "-p", "no:cacheprovider", "--noconftest", "-q", "--no-header", "--disable-warnings")
    colab.call(python, "-m", "pytest", *alone, "tests/test_keras_internals.py", cwd=fork)


@slow
@pytest.mark.parametrize("path", WANTED, ids=lambda path: path.stem)
def test_a_notebook_runs_alone_with_its_claims_and_data(stage, path):
    _, fork, scratch = stage
    outcome = colab.open_alone(fork / "notebooks" / path.name, scratch / path.stem)
    print(f"{path.stem}: {outcome.status}, {outcome.minutes:.1f} min, {outcome.peak_mb} MB, ", end="")
    print(f"{outcome.held} of {len(outcome.claims)} claims, {outcome.solved} of {len(outcome.exercises)} exercises")
    for made in outcome.claims:
        if not made["held"]:
            print(f"  ✗ {made['sentence']}: {made['evidence']}")
    assert outcome.status == "ok", outcome.error
    assert outcome.claims and outcome.held == len(outcome.claims)
