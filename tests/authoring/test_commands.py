"""The `coursekit` command in a checkout of its own: run, refresh, index, release, and what they refuse."""

import json
import os
import signal
import subprocess
import sys
import time

import nbformat
import psutil
import pytest

CLAIM = "from coursekit import claim\nclaim('{}', {}, n={})"
GOOD = [CLAIM.format("two is more", "int('2') > 1", 2), "from coursekit import check\ncheck('0.1', ...)"]
MARKERS = "<!-- notebooks: made by coursekit index -->"


def records(course, number, folder="data/results"):
    file = course.root / folder / f"{number}.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def text(path):
    return path.read_text(encoding="utf-8")


# --- every command ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "command", ["run", "rot", "refresh", "lint", "index", "release", "doctor", "compress", "completion"]
)
def test_each_command_has_help_with_an_example(command, capsys):
    from coursekit.authoring.cli import main

    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0 and f"example: coursekit {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "call, says",
    [
        (["run", "77"], "there is no notebook 77"),
        (["refresh", "nowhere.ipynb"], "there is no notebook nowhere.ipynb"),
        (["lint", "notebooks"], "is a folder"),
        (["run", "00", "--seeds", "one"], "--seeds takes numbers"),
        (["run", "00", "--backends", "theano"], "unknown backend theano"),
        (["release", "."], "exists and is not overwritten"),
        (["index", "--repository", "gitlab.com/someone"], "is not an address"),
        (["compress", "nowhere.keras"], "there is no file nowhere.keras"),
        (["compress", "README.md", "--clusters", "few"], "--clusters takes a number from 1 on, not few"),
        (["compress", "README.md", "--prune", "1"], "--prune takes a share from 0 to below 1, such as 0.9, not 1"),
        (["compress", "README.md", "-o", "README.md"], "is the model itself; name another file with -o"),
        (["inspect", "coursekit"], "coursekit is a folder; name a file"),
        (["expand", "README.md", "-o", "README.txt"], "must end with .keras or .h5"),
    ],
)
def test_a_mistake_in_the_call_is_one_sentence(call, says, capsys):
    from coursekit.authoring.cli import main

    assert main(call) == 2
    err = capsys.readouterr().err
    assert err.startswith("coursekit: ") and says in err and err.count("\n") == 1


@pytest.mark.parametrize("command", ["run", "refresh", "lint", "index"])
def test_a_broken_notebook_is_named_and_left_as_it_is(course, command):
    path = course.root / "notebooks" / "00_broken.ipynb"
    path.write_text('{"cells": [')
    status, _, err = course.run(command)
    assert status == 2 and "00_broken.ipynb is broken" in err and err.count("\n") == 1
    assert text(path) == '{"cells": ['


# --- run --------------------------------------------------------------------------------------------------------------
def test_run_goes_on_after_failures_keeps_records_and_goes_on_from_them(course):
    course.add("02_raises", "1 / 0", CLAIM.format("never reached", "True", 1))
    claims = [CLAIM.format("one holds", "int('1') > 0", 1), CLAIM.format("one fails", "int('1') > 1", 1)]
    course.add("03_claim_fails", *claims, CLAIM.format("another holds", "int('1') > 0", 1))
    shown = ("claim('a page shows this one fail', int('1') > 1)", ["raises-exception"])
    course.add("01_good", *GOOD, shown)
    course.add("04_dies", "import os\nos.kill(os.getpid(), 9)")
    course.add("05_tensorflow_only", "x = 1", backends=["tensorflow"])
    status, out, _ = course.run("run", "--seeds", "0-1", "--backends", "jax")
    assert status == 1
    rows = [line for line in out.splitlines() if " jax " in line and " quick " in line]
    lines = {(row.split()[0], row.split()[2]): row.rstrip() for row in rows}
    assert "1 of 1" in lines["01_good", "0"] and lines["01_good", "1"].endswith("ok")
    assert lines["02_raises", "0"].endswith("failed") and "0 of 0" in lines["02_raises", "0"]
    assert lines["03_claim_fails", "0"].endswith("claims") and "2 of 3" in lines["03_claim_fails", "0"]
    assert lines["04_dies", "1"].endswith("died")
    assert "not meant for jax" in out
    assert "ZeroDivisionError" in out and "claim failed: one fails" in out and "the kernel died" in out

    first = min(records(course, "01"), key=lambda run: run["seed"])
    assert (first["seed"], first["backend"], first["profile"], first["status"]) == (0, "jax", "quick", "ok")
    assert first["claims"][0]["values"] == {"n": 2} and first["peak_mb"] > 20 and first["minutes"] >= 0
    assert str(course.root) not in json.dumps(first)

    status, out, _ = course.run("run", "01", "--seeds", "0-2", "--backends", "jax")
    assert status == 0 and out.count("kept, ") == 2 and len(records(course, "01")) == 3
    course.run("run", "01", "--backends", "jax", "--again")
    assert len(records(course, "01")) == 4
    course.add("01_good", *GOOD, "x = 'changed'")
    course.run("run", "01", "--backends", "jax", "--results", "elsewhere")
    assert len(records(course, "01")) == 4 and len(records(course, "01", "elsewhere")) == 1


def test_a_notebook_sees_its_seed_backend_and_profile(course):
    names = ("COURSEKIT_SEED", "KERAS_BACKEND", "COURSEKIT_PROFILE")
    seen = f"import os\nfrom coursekit import claim\nseen = [os.environ[n] for n in {names!r}]\n"
    seen += "claim('seen', seen == ['3', 'jax', 'full'], ' '.join(seen))"
    course.add("01_seen", seen, backends=["tensorflow"])
    status, out, _ = course.run("run", "--seeds", "3", "--backends", "jax", "--profile", "full")
    assert "not meant for jax" in out and status == 0
    course.add("01_seen", seen, backends=["jax"])
    assert course.run("run", "--seeds", "3", "--backends", "jax", "--profile", "full")[0] == 0


@pytest.mark.skipif(not hasattr(os, "fork") or os.uname().sysname != "Linux", reason="only Linux divides shared memory")
def test_memory_that_a_child_shares_counts_once():
    from coursekit.authoring.execution.execute import _memory

    code = "import os, time; held = os.urandom(100 << 20); os.fork() or print('ready', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        kernel = psutil.Process(parent.pid)
        try:
            assert parent.stdout.readline() == "ready\n"  # the child says so
            family = [kernel, *kernel.children()]
            assert sum(one.memory_info().rss for one in family) > 200 << 20
            assert 100 << 20 < _memory(family) < 150 << 20 and _memory([kernel]) > 100 << 20
        finally:
            for process in (*kernel.children(), kernel):
                process.kill()


def test_a_backend_that_is_not_installed_is_refused_with_how_to_install_it(monkeypatch, capsys):
    from coursekit.authoring import cli
    from coursekit.authoring.execution import runs

    monkeypatch.setattr(runs.importlib.util, "find_spec", lambda name: None)
    assert cli.main(["run", "00", "--backends", "torch"]) == 2
    assert "PyTorch is not installed here; `make env TORCH=1`" in capsys.readouterr().err


def test_a_solution_that_its_check_refuses_is_a_failure(course):
    check = "from coursekit import check\ncheck('0.2', {})"
    course.add("01_wrong", (check.format("..."), ["exercise"]), (check.format("lambda p, a: 0.5"), ["solution"]))
    status, out, _ = course.run("run")
    assert status == 1 and "the solution of exercise 0.2 is not accepted" in out and "0 of 1" in out


def _is(ready):
    try:
        return ready()
    except psutil.Error:  # a process that has just gone, or is not there yet
        return False


def interrupt_when(course, process, ready):
    """Interrupt the command as Ctrl+C does once `ready()`; no kernel of it may live on."""
    deadline = time.monotonic() + 60
    while not _is(ready):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.1)
    kernels = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    _, alive = psutil.wait_procs(kernels, timeout=10)
    assert not alive
    return err


def test_an_interrupted_run_keeps_what_ended(course):
    course.add("01_quick", *GOOD)
    course.add("02_slow", "open('started', 'w').close()\nimport time; time.sleep(100)")
    process = course.start("run", "--jobs", "1")
    err = interrupt_when(course, process, (course.root / "notebooks" / "started").exists)
    assert process.returncode == 130 and "the same command goes on from there" in err and "Traceback" not in err
    assert [run["status"] for run in records(course, "01")] == ["ok"] and records(course, "02") == []


@pytest.mark.parametrize("command", ["run", "release"])
def test_an_interruption_ends_two_notebooks_at_once_and_a_kernel_that_is_starting(course, tmp_path, command):
    """The second notebook starts while the first runs; nbclient would have Ctrl+C end one kernel only, or nothing."""
    for name in ("01_first", "02_second"):
        course.add(name, f"open({name!r}, 'w').close()\nimport time; time.sleep(100)")
    out = [tmp_path / "students"] if command == "release" else []
    process = course.start(command, *out, "--jobs", "2")

    def a_kernel_starts():
        commands = [" ".join(child.cmdline()) for child in psutil.Process(process.pid).children()]
        return any("ipykernel" in one for one in commands)

    err = interrupt_when(course, process, a_kernel_starts)
    assert process.returncode == 130 and "coursekit: interrupted; " in err and "Traceback" not in err
    assert not (tmp_path / "students").exists()


# --- refresh ----------------------------------------------------------------------------------------------------------
def test_refresh_stores_outputs_in_normal_form_and_twice_is_the_same(course):
    path = course.add(
        "01_good", "print('\\r50%', end='')\nprint('\\rdone')", "import os; print(os.environ['COURSEKIT_SEED'])"
    )
    assert course.run("refresh", "01")[0] == 0
    stored = text(path)
    assert course.run("refresh")[0] == 0 and text(path) == stored
    notebook = nbformat.reads(stored, 4)
    assert [cell.outputs[0].text for cell in notebook.cells] == ["done\n", "0\n"]


def test_refresh_leaves_a_failing_and_an_interrupted_notebook_as_it_was(course):
    path = course.add("01_fails", "open('started', 'w').close()", "1 / 0")
    before = text(path)
    status, out, _ = course.run("refresh")
    assert status == 1 and "left as it was" in out and "ZeroDivisionError" in out and text(path) == before
    (course.root / "notebooks" / "started").unlink()
    path = course.add("01_fails", "open('started', 'w').close()", "import time; time.sleep(100)")
    before = text(path)
    process = course.start("refresh")
    err = interrupt_when(course, process, (course.root / "notebooks" / "started").exists)
    assert process.returncode == 130 and "as they were" in err and text(path) == before
    assert sorted(os.listdir(path.parent)) == ["01_fails.ipynb", "started"]


# --- index ------------------------------------------------------------------------------------------------------------
def test_index_writes_all_that_follows_from_the_metadata_once(course):
    about = {"title": "First steps", "terms": {"gradient": "the slope in every direction"}}
    path = course.add("01_first", "md:## 1. A section\n\nA **gradient**.", "x = 1", "md:## Sources", **about)
    course.add("02_second", "y = 1", requires=["01_first", "07_later"])
    status, out, _ = course.run("index", "--check")
    assert status == 1 and "out of date: notebooks/01_first.ipynb" in out
    assert course.run("index")[0] == 0
    cells = nbformat.read(path, 4).cells
    assert [cell.source.splitlines()[0] for cell in cells[:2]] == [
        "# 01 First steps",
        "> **What you will be able to do**",
    ]
    assert 'ck.setup("01_first")' in cells[2].source and "not set" in cells[0].source
    assert cells[-2].source == "## Terms\n\n- **gradient**: the slope in every direction"
    assert "[First steps](notebooks/01_first.ipynb)" in text(course.root / "README.md")
    assert "the slope in every direction" in text(course.root / "docs" / "glossary.md")
    assert "No run is recorded yet" in text(course.root / "docs" / "compatibility.md")
    assert "07 later (to come)" not in text(course.root / "README.md")
    drawn = (course.root / "docs" / "course_map.svg").read_bytes()
    (course.root / "docs" / "course_map.svg").unlink()
    assert course.run("index")[0] == 0 and course.run("index", "--check") == (0, "", "")
    assert (course.root / "docs" / "course_map.svg").read_bytes() == drawn


def test_index_takes_the_minutes_from_the_records(course):
    path = course.add("01_first", *GOOD)
    course.run("run", "01")
    course.run("index")
    assert nbformat.read(path, 4).metadata["coursekit"]["minutes"] == round(records(course, "01")[0]["minutes"], 1)


def test_the_pages_of_results_count_claims_and_say_when_a_notebook_has_changed(course):
    claims = "from coursekit import claim\nimport os\nseed = int(os.environ['COURSEKIT_SEED'])\n"
    path = course.add("01_first", claims + 'claim("seeds are small", seed < 9, value=seed)')
    course.add("02_second", "x = 1")
    course.run("run", "01", "--seeds", "0-2")
    course.run("index")
    page = text(course.root / "docs" / "results.md")
    assert "| 0–2 | 3 |" in page and "| [3 of 3](results/01_first.md) | 0 of 0 |" in page and "| yes |" in page
    claims = course.root / "docs" / "results" / "01_first.md"
    assert "- seeds are small: held in 3 of 3 runs; value at `quick` 1 ± 1 (0 to 2)" in text(claims)
    assert page.count("| no run recorded |") == 3 and "changed since |" not in page  # 01 on JAX, 02 on both
    path.write_text(text(path).replace("seed < 9", "seed < 8"))
    course.run("index")
    assert "| cells changed since |" in text(course.root / "docs" / "results.md")
    path.unlink()
    assert "out of date: docs/results/01_first.md" in course.run("index", "--check")[1] and claims.exists()
    assert course.run("index")[0] == 0 and not claims.exists()


def test_a_record_covers_the_functions_that_were_reached_and_no_others(course):
    course.add("01_first", *GOOD, "import coursekit as ck\nck.plots.images([[[0, 1]]])", backends=["jax"])
    stale = ("run", "--stale", "--backends", "jax", "--minutes", "9")
    assert course.run(*stale)[0] == 0 and len(records(course, "01")) == 1

    def change(module, old, new):
        file = course.root / "coursekit" / module
        assert old in text(file)
        file.write_text(text(file).replace(old, new, 1))

    change("plots/pictures.py", '"""', '"""Another docstring. ')
    change("plots/style.py", "def finish(", "UNUSED = 1\n\n\ndef finish(")
    status, out, _ = course.run(*stale)
    assert status == 0 and "covered, " in out and len(records(course, "01")) == 1
    change("plots/style.py", "def finish(caption", "def finish(caption, unused=1")
    course.run("index")
    assert "| coursekit or data changed since |" in text(course.root / "docs" / "results.md")
    assert course.run(*stale)[0] == 0 and len(records(course, "01")) == 2


def test_index_sets_the_repositorys_address_in_one_place(course):
    path = course.add("01_first", "x = 1")
    address = "https://github.com/someone/a-course"
    assert course.run("index", "--repository", address + ".git/")[0] == 0
    first, _, setup = nbformat.read(path, 4).cells[:3]
    assert "colab.research.google.com/github/someone/a-course/blob/main/notebooks/01_first.ipynb" in first.source
    assert f"git+{address}" in setup.source and "OWNER" not in text(course.root / "pyproject.toml")


def test_index_refuses_what_it_cannot_index_and_writes_nothing(course):
    course.add("01_first", "x = 1", terms={"layer": "a"})
    course.add("02_second", "x = 1", terms={"layer": "b"})
    status, _, err = course.run("index")
    assert status == 2 and "'layer' is defined in 01_first.ipynb and in 02_second.ipynb" in err
    nbformat.write(nbformat.v4.new_notebook(), course.root / "notebooks" / "02_second.ipynb")
    status, _, err = course.run("index")
    assert status == 2 and "02_second.ipynb: metadata.coursekit lacks title" in err
    (course.root / "notebooks" / "02_second.ipynb").unlink()
    readme = text(course.root / "README.md")
    (course.root / "README.md").write_text(readme.replace(MARKERS, ""))
    status, _, err = course.run("index")
    assert status == 2 and "README.md needs the two lines" in err
    assert not (course.root / "docs" / "glossary.md").exists()


# --- release ----------------------------------------------------------------------------------------------------------
EXERCISE = [("answer = ...", ["exercise"]), ("answer = 2\nprint('the solution')", ["solution"])]


def test_release_writes_the_student_edition_and_nothing_of_the_solutions(course, tmp_path):
    course.add("01_first", *GOOD, *EXERCISE)
    course.run("refresh")
    out = tmp_path / "students"
    status, said, _ = course.run("release", out)
    assert status == 0 and "runs to its end" in said
    notebook = nbformat.read(out / "notebooks" / "01_first.ipynb", 4)
    assert "the solution" not in text(out / "notebooks" / "01_first.ipynb")
    assert all(cell.outputs == [] and cell.execution_count is None for cell in notebook.cells)
    assert (out / "coursekit" / "__init__.py").is_file() and (out / "Makefile").is_file()
    before = sorted(out.rglob("*"))
    assert course.run("release", out)[0] == 2 and sorted(out.rglob("*")) == before
    make = subprocess.run(["make", "-n", "lab"], cwd=out, capture_output=True, text=True)
    assert make.returncode == 0 and "-m jupyterlab" in make.stdout


def test_release_refuses_a_notebook_that_needs_a_solution_and_leaves_nothing(course, tmp_path):
    course.add("01_first", *EXERCISE, "assert answer == 2")
    status, out, _ = course.run("release", tmp_path / "students")
    assert status == 1 and "01_first.ipynb does not run without its solutions" in out
    assert [path.name for path in tmp_path.iterdir()] == ["a course"]


def test_an_interrupted_release_leaves_nothing(course, tmp_path):
    course.add("01_first", f"open({str(tmp_path / 'started')!r}, 'w').close()\nimport time; time.sleep(100)")
    process = course.start("release", tmp_path / "students")
    err = interrupt_when(course, process, (tmp_path / "started").exists)
    assert process.returncode == 130 and "nothing was written" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a course", "started"]
