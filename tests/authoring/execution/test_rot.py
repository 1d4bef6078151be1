"""`coursekit rot`, with a Python and a uv that only pretend; what a watched kernel notes; the page of compatibility."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from helpers import ROOT, heed_interrupts, make_notebook

from coursekit.authoring import cli
from coursekit.authoring.execution import rot, watched
from coursekit.authoring.execution.execute import execute
from coursekit.authoring.pages import compatibility
from coursekit.records import read_lines

# A Python 3.12 that makes "environments" which hold a copy of itself, and writes the records that it finds in `runs`.
FAKE = """#!{python} -ES
import json, os, pathlib, sys, time
words, root = sys.argv[1:], pathlib.Path({root!r})
with open(root / "calls", "a") as calls:
    calls.write(json.dumps([words, sorted(os.environ)]) + "\\n")
if words[0] == "-c":
    print("3.12.1" if "ensurepip" in words[1] else json.dumps({{"Keras": "3.15.1", "numpy": "2.4.6", "pip": "25"}}))
elif words[1] == "venv":
    pathlib.Path(words[2], "bin").mkdir(parents=True)
    own = pathlib.Path(words[2], "bin", "python")
    own.write_bytes(pathlib.Path(__file__).read_bytes())
    own.chmod(0o755)
elif words[1] == "uv" and "--upgrade" in words and (root / "no_network").exists():
    print("Resolving\\nerror: Failed to fetch: `https://index.example/keras/`\\n  Caused by: no answer at /etc/a/b")
    sys.exit(2)
elif words[1] == "coursekit":
    if (root / "slow").exists() and "newest" in __file__:
        (root / "started").write_text(str(os.getpid()))
        time.sleep(100)
    runs = json.loads((root / "runs").read_text())
    results = pathlib.Path(words[words.index("--results") + 1])
    results.mkdir()
    for run in runs:
        (results / (run["notebook"][:2] + ".jsonl")).write_text(json.dumps(run) + "\\n")
    print("the last line")
    sys.exit((root / "dies").exists() and 3 or int(any(run["status"] != "ok" for run in runs)))
"""
WARNING = {"cell": 4, "first": "x = old()", "package": "keras", "place": "keras/src/a.py:7"}
WARNING |= {"category": "DeprecationWarning", "message": "old is going"}
GOOD = {"notebook": "01_first", "status": "ok", "error": "", "warnings": [WARNING]}
BAD = {
    "notebook": "02_second",
    "status": "failed",
    "error": "cell 3 (y = 1) raised ValueError: no\nmore",
    "warnings": [],
}


class Bench:
    """A checkout that has nothing in it, and what the Python that pretends is to do."""

    def __init__(self, root):
        self.root = root
        (root / "bin").mkdir()
        python = root / "bin" / "python3.12"
        python.write_text(FAKE.format(python=sys.executable, root=str(root)))
        python.chmod(0o755)
        self.runs(GOOD, GOOD | {"notebook": "02_second"})

    def runs(self, *records):
        (self.root / "runs").write_text(json.dumps(records))

    def records(self):
        return read_lines(self.root / "data" / "results" / "rot.jsonl")

    def calls(self):
        return [json.loads(line) for line in (self.root / "calls").read_text().splitlines()]

    def page(self):
        return (self.root / "docs" / "compatibility.md").read_text(encoding="utf-8")

    def place(self, name):
        return self.root / "build" / "rot" / name


@pytest.fixture
def bench(tmp_path, monkeypatch):
    made = Bench(tmp_path)
    monkeypatch.setattr(rot, "repository_root", lambda: tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    return made


# --- the command ------------------------------------------------------------------------------------------------------
def test_an_environment_is_made_run_in_recorded_and_removed(bench, monkeypatch, capsys):
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    assert rot.rot(pythons=["3.12"], versions=["locked"])
    (record,) = bench.records()
    assert record["outcome"] == "ran" and record["notebooks"] == 2 and record["failed"] == [] and record["only"] == []
    assert record["installed"] == {"python": "3.12.1", "keras": "3.15.1", "numpy": "2.4.6"}
    words = [words for words, _ in bench.calls()]
    assert next(one for one in words if one[1] == "uv")[-4:] == ["--constraint", "constraints.txt", "-e", ".[course]"]
    run = next(one for one in words if one[1] == "coursekit")
    assert run[2] == "run" and {"--again", "--warnings", "--results"} <= set(run)
    assert all("PYTHONPATH" not in names for words, names in bench.calls() if words[0] == "-m")
    assert not (bench.place("3.12-locked") / "environment").exists()
    assert "the last line" in (bench.place("3.12-locked") / "log.txt").read_text()
    assert "3.12 locked: 2 of 2; 0.0 min, 1 kinds" in capsys.readouterr().out and "| 3.12.1 | locked |" in bench.page()


@pytest.mark.parametrize(
    "choice, option", [("oldest", "--resolution"), ("locked", "--constraint"), ("newest", "--upgrade")]
)
def test_each_choice_of_versions_is_told_to_uv_and_an_environment_can_be_kept(bench, choice, option):
    rot.rot([Path("notebooks/01_first.ipynb")], pythons=["3.12"], versions=[choice], keep=True)
    words = [words for words, _ in bench.calls()]
    assert option in next(one for one in words if one[1] == "uv")
    assert str(Path("notebooks/01_first.ipynb").absolute()) in next(one for one in words if one[1] == "coursekit")
    assert bench.records()[0]["only"] == ["01_first"] and "(only 01_first)" in bench.page()
    assert (bench.place(f"3.12-{choice}") / "environment" / "bin" / "python").exists()


def test_a_python_that_is_not_here_is_told_and_the_others_run(bench, capsys):
    assert not rot.rot(pythons=["3.11", "3.12"], versions=["locked"])
    missing, found = bench.records()
    assert missing["outcome"] == "not found" and found["outcome"] == "ran"
    assert "3.11 locked: not found: there is no Python 3.11" in capsys.readouterr().out
    assert "| 3.11 | locked | – |" in bench.page() and "- 3.11 locked, not found: `there is no" in bench.page()


def test_a_python_of_pyenv_is_found_the_newest_first_and_what_is_no_such_python_passed_over(bench):
    (bench.root / "bin" / "python3.13").write_text("#!/bin/sh\necho 3.12.9\n")  # a shim that leads elsewhere
    (bench.root / "bin" / "python3.13").chmod(0o755)
    for number in ("3.13.2", "3.13.10"):
        made = bench.root / "pyenv" / "versions" / number / "bin" / "python"
        made.parent.mkdir(parents=True)
        made.write_text(f"#!/bin/sh\necho {number}\n")
        made.chmod(0o755)
    assert rot.find_python("3.13") == str(made) and rot.find_python("3.14") is None


def test_an_environment_that_cannot_be_made_is_a_row_and_the_command_goes_on(bench, capsys):
    (bench.root / "no_network").touch()
    assert not rot.rot(pythons=["3.12"], versions=["newest", "oldest"])
    failed, ran = bench.records()
    assert failed["outcome"] == "no environment" and ran["outcome"] == "ran"
    assert failed["reason"] == "error: Failed to fetch: `ADDRESS` Caused by: no answer at FOLDER"
    assert "| 3.12 | newest | – | – | – | – | no environment |" in bench.page()
    assert "- 3.12 newest, no environment: `error: Failed to fetch: 'ADDRESS'" in bench.page()
    assert not (bench.place("3.12-newest") / "environment").exists()


def test_a_notebook_that_failed_is_told_with_its_cell(bench, capsys):
    bench.runs(GOOD, BAD)
    assert not rot.rot(pythons=["3.12"], versions=["oldest", "newest"])
    assert "✗ 02_second: cell 3 (y = 1) raised ValueError: no\n" in capsys.readouterr().out
    assert bench.records()[0]["failed"][0]["status"] == "failed"
    told = "- 02_second: `cell 3 (y = 1) raised ValueError: no` (3.12 oldest, 3.12 newest)\n"
    assert told in bench.page() and "| 1 of 2 |" in bench.page()


def test_of_a_notebook_that_was_too_slow_it_is_told_how_busy_the_machine_was(bench):
    bench.runs(BAD | {"status": "timeout", "error": "cell 2 did not end in 600 seconds", "others": 1.9})
    rot.rot(pythons=["3.12"], versions=["oldest"])
    assert "`cell 2 did not end in 600 seconds while others kept 1.9 cores busy` (3.12 oldest)" in bench.page()


def test_a_run_that_breaks_off_is_told(bench):
    (bench.root / "dies").touch()
    assert not rot.rot(pythons=["3.12"], versions=["oldest"])
    assert "2 of 2, then stopped" in bench.page() and "- 3.12 oldest, stopped: `the last line`" in bench.page()


def test_an_interruption_keeps_what_is_finished_and_leaves_no_environment(bench):
    (bench.root / "slow").touch()
    code = "import pathlib, sys; from coursekit.authoring import cli; from coursekit.authoring.execution import rot\n"
    code += f"rot.repository_root = lambda: pathlib.Path({str(bench.root)!r})\n"
    code += "sys.exit(cli.main(['rot', '--pythons', '3.12', '--versions', 'oldest', 'newest']))"
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    how = {"stdout": pipe, "stderr": pipe, "text": True, "env": env, "preexec_fn": heed_interrupts}
    with subprocess.Popen([sys.executable, "-c", code], **how) as process:
        started, deadline = bench.root / "started", time.monotonic() + 60
        while not (started.exists() and started.read_text()):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "that were finished are recorded" in err and "Traceback" not in err
    assert [record["versions"] for record in bench.records()] == ["oldest"] and "| oldest |" in bench.page()
    assert not psutil.pid_exists(int(started.read_text()))
    assert not list(bench.root.glob("build/rot/*/environment"))


@pytest.mark.parametrize(
    "words, says",
    [
        (["--pythons", "python3"], "--pythons takes versions such as 3.12, not python3"),
        (["--versions", "new"], "invalid choice: 'new'"),
        (["77"], "there is no notebook 77"),
    ],
)
def test_a_mistake_in_the_call_is_one_sentence(words, says, capsys):
    assert cli.main(["rot", *words]) == 2
    assert says in capsys.readouterr().err


def test_bash_completes_commands_and_options(capsys):
    assert cli.main(["completion", "zsh"]) == 0 and "bashcompinit" in capsys.readouterr().out
    cli.main(["completion", "bash"])
    ask = "\nCOMP_WORDS=({}) COMP_CWORD={}; _coursekit; echo ${{COMPREPLY[@]}}"
    script = capsys.readouterr().out + ask.format("coursekit ro", 1) + ask.format("coursekit rot --v", 2)
    done = subprocess.run(["bash", "--noprofile", "--norc", "-c", script], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["rot", "--versions"] and done.stderr == ""


# --- warnings ---------------------------------------------------------------------------------------------------------
def test_a_watched_kernel_notes_deprecations_with_their_cells_and_shows_the_page_as_ever(tmp_path):
    warn = "warnings.warn('{} is going', {}, stacklevel=2)"
    cells = [
        "import warnings\ndef old(kind=DeprecationWarning):\n    warnings.warn('old is going', kind, stacklevel=2)",
        "md:prose",
        "for _ in range(3):\n    old()\nwarnings.simplefilter('ignore')",
        "old(FutureWarning)\nwith warnings.catch_warnings(action='ignore'):\n    old(PendingDeprecationWarning)",
        "warnings.resetwarnings()\n" + warn.format("nobody", "UserWarning"),
    ]
    outcome = asyncio.run(execute(make_notebook(*cells), tmp_path, watch=True))
    assert outcome.status == "ok", outcome.error
    told = [(one["cell"], one["first"], one["category"]) for one in outcome.warnings]
    assert told == [
        (2, "for _ in range(3):", "DeprecationWarning"),
        (3, "old(FutureWarning)", "FutureWarning"),
    ]
    assert {one["package"] for one in outcome.warnings} == {watched.NOTEBOOK}
    shown = [cell.get("outputs", []) for cell in outcome.notebook.cells]
    assert shown[:4] == [[]] * 4 and "nobody is going" in shown[4][0].text
    assert [cell.execution_count for cell in outcome.notebook.cells if cell.cell_type == "code"] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "filename, where",
    [
        ("/tmp/ipykernel_12/34.py", (watched.NOTEBOOK, "")),
        ("/a/lib/python3.12/site-packages/keras/src/x.py", ("keras", "keras/src/x.py")),
        ("/a/lib/python3.12/site-packages/six.py", ("six", "six.py")),
        (watched.__file__, ("coursekit", "coursekit/authoring/execution/watched.py")),
        (json.__file__, ("Python", "json/__init__.py")),
        ("<frozen importlib._bootstrap>", ("Python", "<frozen importlib._bootstrap>")),
    ],
)
def test_a_warning_is_that_of_the_package_that_it_points_at(filename, where):
    assert watched.points_at(filename) == where


def test_what_is_told_has_one_line_and_no_folder_or_address():
    assert watched.plain("in /srv/me/x.py: see https://a.example/b for\nmore") == "in FOLDER: see ADDRESS for"
    assert (
        watched.plain("a / b, `keras.ops` and/or </a>") == "a / b, `keras.ops` and/or </a>" and watched.plain("") == ""
    )
    assert len(watched.plain("x" * 999)) == watched.LONGEST


# --- the page ---------------------------------------------------------------------------------------------------------
def record(python="3.12", versions="newest", date="2026-11-29", **more):
    made = {"python": python, "versions": versions, "date": date, "machine": "2 cores", "only": [], "outcome": "ran"}
    made |= {"reason": "", "installed": {"python": f"{python}.1", "keras": "3.15.1"}, "install_minutes": 2.0}
    return made | {"minutes": 30.0, "notebooks": 21, "failed": [], "warnings": []} | more


def rows(page):
    return [line for line in page.splitlines() if line.startswith("| 3.")]


def test_the_page_shows_the_newest_run_of_each_environment_in_order():
    missing = record(python="3.13", outcome="not found", reason="none here", date="2026-12-03")
    records = [
        record(date="2026-11-30", notebooks=19),
        record(),
        record(versions="oldest"),
        record(python="3.13"),
        missing,
    ]
    some = record(python="3.13", only=["05"], date="2026-12-02", notebooks=1)
    first, second, third = rows(compatibility.page([*records, some]))
    assert first.startswith("| 3.12.1 | oldest | 3.15.1 | – |") and "| 19 of 19 |" in second
    assert third.startswith("| 3.13.1 | newest |") and "| 21 of 21 |" in third
    assert "(only 05)" in rows(compatibility.page([missing, some]))[0]
    assert "No run is recorded yet." in compatibility.page([])


def test_the_page_tells_warnings_by_package_with_notebooks_and_cells():
    def warning(*cells, package="keras", **more):
        cells = [{"notebook": name, "cell": number, "first": first} for name, number, first in cells]
        made = {"package": package, "place": "keras/a.py:7", "category": "FutureWarning", "message": "a `b` goes"}
        return made | {"cells": cells} | more

    few = warning(("05_five", 12, "x = a()"))
    elsewhere = warning(("05_five", 2, "# Set-up, the same in every notebook: it"), package="jax")
    many = warning(
        *[(f"0{i}_name", 2, "# Set-up, the same in every notebook: it") for i in range(4)],
        ("03_name", 8, "y"),
        message="c goes",
    )
    own = warning(("05_five", 3, "z"), package=watched.NOTEBOOK, place="")
    page = compatibility.page(
        [
            record(warnings=[few, many, few | {"place": "keras/b.py:1"}, elsewhere]),
            record(versions="oldest", warnings=[few, own]),
        ]
    )
    assert "### The notebooks\n\n- FutureWarning: `a 'b' goes` (3.12 oldest). From 05_five cell 3 (`z`)\n" in page
    told = (
        "- FutureWarning: `a 'b' goes`, at `keras/a.py:7`, `keras/b.py:1` (3.12 oldest, 3.12 newest). From 05_five cell"
    )
    assert f"### keras\n\n{told} 12 (`x = a()`)\n" in page
    assert "From 05_five cell 2 (set-up)\n" in page and " | 30.0 | 3 | " in rows(page)[1]
    assert "From 00 cell set-up; 01 cell set-up; 02 cell set-up; 03 cells set-up, 8\n" in page


def test_the_page_is_what_the_records_give():
    records = read_lines(ROOT / "data" / "results" / "rot.jsonl")
    page = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
    assert page == compatibility.page(records), "run `coursekit index`"
    assert not any("status" in one for one in records)  # by which others know the runs of notebooks
