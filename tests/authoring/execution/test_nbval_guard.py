"""The guard around nbval, proved with real notebooks that a real pytest runs in a process of its own."""

import os
import signal
import subprocess
import sys
import time
import uuid
from types import SimpleNamespace
from xml.etree import ElementTree

import nbformat
import psutil
import pytest
from helpers import heed_interrupts
from nbformat import v4
from nbval.plugin import IPyNbCell

from coursekit.authoring.execution import nbval_guard

MARK = "GUARD_TEST_MARK"  # an environment variable by which the processes of one run are found
PATIENCE = 240  # seconds after which a run that should have ended has hung
MARKED = "compared: "  # what `write` turns into the tag
DOT, DASH = "iVBORw0KGgo=", "iVBORw0KGgp="  # two images that differ


def printed(text, name="stdout"):
    return v4.new_output("stream", name=name, text=text)


def image(data, text="<Figure>"):
    return v4.new_output("display_data", data={"image/png": data, "text/plain": text})


def error(name, value):
    return v4.new_output("error", ename=name, evalue=value, traceback=[])


def write(path, *cells, executed=True):
    """Store a notebook of code cells, each a source or (source, outputs) or (source, outputs, tags); see MARKED."""
    notebook = v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    for count, cell in enumerate(cells, start=1):
        source, outputs, tags = (*cell, [])[:3] if isinstance(cell, tuple) else (cell, [], [])
        if source.startswith(MARKED):
            source, tags = source.removeprefix(MARKED), [*tags, "nbval-check-output"]
        notebook.cells.append(
            v4.new_code_cell(
                source, outputs=outputs, execution_count=count if executed else None, metadata={"tags": tags}
            )
        )
    nbformat.write(notebook, path)


def command(folder, *options):
    (folder / "pytest.ini").write_text("[pytest]\nnotebook_cell_timeout = 120\n")  # keeps this project's own ini out
    plugin = (
        "--nbval-lax",
        "--nbval-current-env",
        "-p",
        "coursekit.authoring.execution.nbval_guard",
        "-p",
        "no:cacheprovider",
    )
    return [sys.executable, "-m", "pytest", *plugin, "--color=no", "-rs", "--junitxml=report.xml", *options, "."]


def environment():
    """What a user's shell may have set, all of it wrong for the tests of the notebooks."""
    outer = {"MPLBACKEND": "agg", "COURSEKIT_PROFILE": "full", "COURSEKIT_SEED": "3", "KERAS_BACKEND": "jax"}
    return os.environ | outer | {MARK: uuid.uuid4().hex, "PYTEST_ADDOPTS": ""}


def processes(mark):
    """Processes, dead ones aside, that have `mark` in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                found.append(process)
        except psutil.Error:
            continue
    return found


def left_over(mark, patience=30):
    """The processes of a run that are still there after `patience` seconds."""
    end = time.monotonic() + patience
    while (found := processes(mark)) and time.monotonic() < end:
        time.sleep(0.2)
    return found


def run(folder, *options):
    """Run pytest on the notebooks in `folder`: exit code, what it printed, {notebook: [(test, outcome, words)]}."""
    env = environment()
    done = subprocess.run(
        command(folder, *options), cwd=folder, env=env, capture_output=True, text=True, timeout=PATIENCE
    )
    results = {}
    for case in ElementTree.parse(folder / "report.xml").iter("testcase"):
        told = next((child for child in case if child.tag in ("failure", "error", "skipped")), None)
        outcome = "passed" if told is None else told.tag
        words = "" if told is None else f"{told.get('message')}\n{told.text}"
        results.setdefault(case.get("classname").removesuffix(".ipynb"), []).append((case.get("name"), outcome, words))
    return SimpleNamespace(
        code=done.returncode, output=done.stdout + done.stderr, results=results, left=left_over(env[MARK])
    )


def outcomes(session, notebook):
    return [outcome for _, outcome, _ in session.results[notebook]]


def only_failure(session, notebook):
    """The words of the one test of a notebook that failed."""
    (words,) = [words for _, outcome, words in session.results[notebook] if outcome in ("failure", "error")]
    return words


SEEN = """\
import os
names = ["COURSEKIT_PROFILE", "COURSEKIT_SEED", "KERAS_BACKEND", "COURSEKIT_PROGRESS"]
for name in [*names, "MPLBACKEND", "PYTEST_CURRENT_TEST"]:
    print(name, os.environ.get(name))
"""
SEEN_OUTPUT = """\
COURSEKIT_PROFILE quick
COURSEKIT_SEED 0
KERAS_BACKEND tensorflow
COURSEKIT_PROGRESS off
MPLBACKEND module://matplotlib_inline.backend_inline
PYTEST_CURRENT_TEST None
"""
SHOW = "from IPython.display import display\ndisplay({'image/png': %r, 'text/plain': '<Figure>'}, raw=True)"


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """One run over notebooks that are each right or wrong in one way."""
    folder = tmp_path_factory.mktemp("notebooks")
    ran = 'open("ran_after_{}", "w").close()'

    write(
        folder / "a_right.ipynb",
        "x = 20",
        (MARKED + "print(x + 1)", [printed("21\n")]),
        "print('not marked, not compared')",
        (MARKED + "import sys\nprint('log', file=sys.stderr)\nprint('result')", [printed("result\n")]),
        (MARKED + SHOW % DOT, [image(DASH)]),
        (MARKED + "1 / 0", [error("ZeroDivisionError", "division by zero")], ["raises-exception"]),
        "assert x == 20",
    )
    write(folder / "environment.ipynb", (MARKED + SEEN, [printed(SEEN_OUTPUT)]))
    write(folder / "semicolon.ipynb", (MARKED + "print(1)\n2;", [printed("1\n")]))  # holds the 2 back, as in Jupyter
    write(folder / "fails.ipynb", "x = 1", "# divides\nx / 0", ran.format("failure"), "assert x == 1")
    write(folder / "exits.ipynb", "import os", "os._exit(7)", ran.format("exit"))
    write(
        folder / "killed.ipynb",
        "import os, signal, subprocess\nsubprocess.Popen(['sleep', '600'])",  # a child, which must not outlive it
        "os.kill(os.getpid(), signal.SIGKILL)",
        ran.format("kill"),
    )
    write(folder / "differs.ipynb", (MARKED + "print('one')\nprint('two')", [printed("one\nzwei\n")]), "1")
    write(folder / "raises_nothing.ipynb", ("1", [error("ValueError", "no")], ["raises-exception"]), "1")
    write(folder / "raises_another.ipynb", ("undefined", [error("ValueError", "no")], ["raises-exception"]), "1")
    write(folder / "bare.ipynb", ran.format("bare"), "1", executed=False)
    write(folder / "half.ipynb", "x = 1", "x + 1")
    half = nbformat.read(folder / "half.ipynb", 4)
    half.cells[1].execution_count = None
    nbformat.write(half, folder / "half.ipynb")
    write(folder / "mark_without_output.ipynb", MARKED + "print(1)")
    write(folder / "skips.ipynb", "1", "# NBVAL_SKIP\nraise SystemError", "1")
    write(folder / "skips_by_tag.ipynb", ("1", [], ["nbval-skip"]))
    (folder / "broken.ipynb").write_text('{"cells": [')
    write(folder / "empty_cell.ipynb", "x = 1", "")
    write(folder / "z_last.ipynb", (MARKED + "print(6 * 7)", [printed("42\n")]))
    session = run(folder)
    session.folder = folder
    return session


def test_a_failure_makes_pytest_fail(session):
    assert session.code == pytest.ExitCode.TESTS_FAILED, session.output


@pytest.mark.parametrize("notebook", ["a_right", "semicolon", "empty_cell", "z_last"])
def test_right_notebooks_pass(session, notebook):
    assert set(outcomes(session, notebook)) == {"passed"}, session.output


def test_kernels_have_the_environment_of_refresh(session):
    assert outcomes(session, "environment") == ["passed"], session.output


def test_notebook_stops_at_its_first_failing_cell(session):
    assert outcomes(session, "fails") == ["passed", "failure", "skipped", "skipped"]
    assert "ZeroDivisionError" in only_failure(session, "fails")
    assert all("fails.ipynb: not run, cell 1 failed before it" in words for *_, words in session.results["fails"][2:])
    assert "fails.ipynb: not run, cell 1 failed before it" in session.output  # pytest's summary says so


def test_no_cell_is_executed_after_a_failure(session):
    assert not list(session.folder.glob("ran_after_*"))


@pytest.mark.parametrize(
    "notebook, source, reason",
    [
        ("exits", "os._exit(7)", "exit status 7"),
        ("killed", "os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL, which is what the system does when memory runs"),
    ],
)
def test_dead_kernel_is_noticed(session, notebook, source, reason):
    assert outcomes(session, notebook) == ["passed", "failure", "skipped"]
    words = only_failure(session, notebook)
    assert f"{notebook}.ipynb, cell 1 (`{source}`): the kernel died while this cell ran" in words
    assert reason in words


def test_differing_output_is_shown(session):
    assert outcomes(session, "differs") == ["failure", "skipped"]
    words = only_failure(session, "differs")
    assert "Cell outputs differ" in words and "zwei" in words and "two" in words


@pytest.mark.parametrize(
    "notebook, sentence",
    [
        (
            "bare",
            "bare.ipynb is stored without outputs, so that there is nothing to check: run `coursekit refresh bare",
        ),
        ("half", "not executed (cell 1 (`x + 1`)): run `coursekit refresh half.ipynb`"),
        (
            "mark_without_output",
            "cell 0 (`print(1)`): it is tagged nbval-check-output and stored without an output",
        ),
        ("skips", "cell 1 (`raise SystemError`): skipping is refused"),
        ("skips_by_tag", "cell 0 (`1`): skipping is refused"),
        ("broken", "broken.ipynb is broken"),
    ],
)
def test_what_checks_nothing_is_refused(session, notebook, sentence):
    assert [(name, outcome) for name, outcome, _ in session.results[notebook]] == [("as stored", "failure")]
    assert sentence in only_failure(session, notebook)


@pytest.mark.parametrize(
    "notebook, words",
    [("raises_nothing", "raised none"), ("raises_another", "it raised NameError, and what is stored is ValueError")],
)
def test_promised_exception_must_come(session, notebook, words):
    assert outcomes(session, notebook) == ["failure", "skipped"]
    assert words in only_failure(session, notebook)


def test_no_process_is_left(session):
    assert session.left == []


def test_cells_over_the_limit_are_stopped(tmp_path):
    write(tmp_path / "a_hangs.ipynb", "import time", "# waits\ntime.sleep(600)", "1")
    write(
        tmp_path / "b_ends_at_the_interrupt.ipynb",
        "import time\ntry:\n    time.sleep(600)\nexcept KeyboardInterrupt:\n    pass",
        "1",
    )
    write(
        tmp_path / "c_heeds_nothing.ipynb",
        "import time\nwhile True:\n    try:\n        print(1)\n        time.sleep(0.1)\n"
        "    except KeyboardInterrupt:\n        pass",
        "1",
    )
    write(
        tmp_path / "d_promises.ipynb",
        ("import time\ntime.sleep(600)", [error("KeyboardInterrupt", "")], ["raises-exception"]),
    )
    session = run(tmp_path, "-o", "notebook_cell_timeout=3")
    assert session.code == pytest.ExitCode.TESTS_FAILED, session.output
    assert outcomes(session, "a_hangs") == ["passed", "failure", "skipped"]
    words = only_failure(session, "a_hangs")
    assert "a_hangs.ipynb, cell 1 (`time.sleep(600)`): stopped after 3 s, the limit for a cell" in words
    assert "KeyboardInterrupt" in words  # the traceback shows where it was
    for notebook in ("b_ends_at_the_interrupt", "c_heeds_nothing"):
        assert outcomes(session, notebook) == ["failure", "skipped"]
        assert "stopped after 3 s" in only_failure(session, notebook)
    assert "stopped after 3 s" in only_failure(session, "d_promises")
    assert session.left == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_kernel_outlives_pytest(tmp_path, how):
    write(tmp_path / "waits.ipynb", "import pathlib, time\npathlib.Path('here').touch()\ntime.sleep(600)")
    env = environment()
    with (tmp_path / "output.txt").open("w") as output:
        pytest_process = subprocess.Popen(
            command(tmp_path), cwd=tmp_path, env=env, stdout=output, stderr=output, preexec_fn=heed_interrupts
        )
    try:
        end = time.monotonic() + PATIENCE
        while not (tmp_path / "here").exists() and pytest_process.poll() is None and time.monotonic() < end:
            time.sleep(0.1)
        assert len(processes(env[MARK])) >= 2, (tmp_path / "output.txt").read_text()  # pytest and its kernel
        pytest_process.send_signal(how)
        assert pytest_process.wait(timeout=PATIENCE) != 0
        assert left_over(env[MARK]) == []
    finally:
        for process in processes(env[MARK]):
            process.kill()


def configuration(ini="30", option=nbval_guard.NBVAL_TIMEOUT):
    return SimpleNamespace(option=SimpleNamespace(nbval_cell_timeout=option), getini=lambda name: ini)


@pytest.mark.parametrize("option, limit", [(nbval_guard.NBVAL_TIMEOUT, 30), (7.0, 7)])
def test_option_goes_before_the_ini_file(option, limit):
    config = configuration(option=option)
    nbval_guard.pytest_configure(config)
    assert config.option.nbval_cell_timeout == limit


@pytest.mark.parametrize("ini", ["soon", "0", "-1", "nan", "inf", ""])
def test_limit_that_is_no_time_is_refused(ini):
    with pytest.raises(pytest.UsageError, match="notebook_cell_timeout is a number of seconds above 0"):
        nbval_guard.pytest_configure(configuration(ini=ini))


def test_another_nbval_is_refused(monkeypatch):
    monkeypatch.delattr(IPyNbCell, "raise_cell_error")
    with pytest.raises(pytest.UsageError, match=r"lacks .* IPyNbCell\.raise_cell_error; install the pinned one"):
        nbval_guard.pytest_configure(configuration())


def test_nbval_switched_off_is_refused():
    with pytest.raises(pytest.UsageError, match="is the plugin nbval switched off"):
        nbval_guard.pytest_configure(SimpleNamespace(option=SimpleNamespace()))


# --- the cores --------------------------------------------------------------------------------------------------------
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system doesn't let a process choose its cores")
@pytest.mark.parametrize(
    "cores, worker, own",
    [
        ({0, 1}, ("gw1", 2), [1]),
        ({0, 1, 2, 5}, ("gw0", 2), [0, 2]),
        ({3}, ("gw1", 2), None),  # more workers than cores: all of them keep what there is
    ],
)
def test_each_worker_of_pytest_keeps_to_its_own_cores(monkeypatch, cores, worker, own):
    chosen = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: cores)
    monkeypatch.setattr(os, "sched_setaffinity", lambda process, those: chosen.append(those))
    nbval_guard._keep_to_own_cores(dict(zip(("workerid", "workercount"), worker, strict=True)))
    assert chosen == ([own] if own else [])


def test_without_workers_all_cores_are_used(monkeypatch):
    monkeypatch.setattr(os, "sched_setaffinity", lambda *_: pytest.fail("the cores were changed"), raising=False)
    nbval_guard._keep_to_own_cores(None)
