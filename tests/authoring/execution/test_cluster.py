"""`coursekit run --dask`: a scheduler and two workers here; one is killed while its job runs."""

import json
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import nbformat
import psutil
import pytest
from helpers import ROOT, make_notebook

from coursekit.authoring import cli
from coursekit.authoring.execution import cluster, ledger, runs
from coursekit.errors import CoursekitError

CLAIM = "from coursekit import claim\nclaim('two is more', int('2') > 1, n=2)"
JOB = {"hash": "cells", "code": "code", "backend": "jax", "seed": 3, "profile": "quick"}


def until(condition, what, seconds=240):
    """What `condition` returns once that is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := condition():
            return result
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} seconds: {what}")


@pytest.fixture(scope="module")
def dask(tmp_path_factory):
    """A scheduler and two workers, in processes of their own; its address."""
    folder = tmp_path_factory.mktemp("dask")
    file = folder / "scheduler.json"
    env = os.environ | {"PYTHONPATH": str(ROOT), "DASK_DISTRIBUTED__WORKER__MEMORY__TERMINATE": "false"}
    processes = []

    def start(module, *arguments):
        command = [sys.executable, "-m", f"distributed.cli.{module}", *map(str, arguments)]
        with open(folder / f"{len(processes)}.log", "w") as log:
            processes.append(subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log))

    try:
        start("dask_scheduler", "--port", 0, "--no-dashboard", "--host", "127.0.0.1", "--scheduler-file", file)
        until(lambda: file.exists() and file.read_text().endswith("}"), "the scheduler writes its address")
        for name in ("one", "two"):
            start(
                "dask_worker", "--scheduler-file", file, "--name", name, "--no-nanny", "--no-dashboard", "--nthreads", 1
            )
        address = json.loads(file.read_text())["address"]
        from distributed import Client

        with Client(address) as client:
            client.wait_for_workers(2, timeout=240)
        yield address
    finally:
        for process in processes:
            process.kill()
            process.wait()


def write(folder, name, *cells):
    path = folder / f"{name}.ipynb"
    nbformat.write(make_notebook(*cells), path)
    return path


@pytest.mark.slow
def test_a_killed_worker_costs_its_job_and_no_more(dask, tmp_path):
    started, results = tmp_path / "started", tmp_path / "results"
    wait = (
        f"import os, time\nopen({str(started)!r}, 'a').write(f'{{os.getppid()}} {{os.getpid()}}\\n')\ntime.sleep(900)"
    )
    paths = [write(tmp_path, "01_waits", wait), *(write(tmp_path, f"0{i}_claims", CLAIM) for i in (2, 3, 4))]
    command = [sys.executable, "-m", "coursekit", "run", *map(str, paths), "--seeds", "3", "--backends", "jax"]
    command += ["--dask", dask, "--results", str(results)]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    run = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until(lambda: (started.exists() and started.read_text()) or run.poll() is not None, "the job starts")
    worker, kernel = map(int, started.read_text().split())
    os.kill(worker, signal.SIGKILL)
    said, _ = run.communicate(timeout=240)
    assert run.returncode == 1, said
    assert started.read_text().count("\n") == 1, "the job was given to the other worker, too"
    records = {path.stem: json.loads((results / f"{path.stem[:2]}.jsonl").read_text()) for path in paths}
    died = records.pop("01_waits")
    assert died["status"] == "died" and "died" in died["error"] and "01_waits (jax, seed 3): its worker tcp://" in said
    assert [record["status"] for record in records.values()] == ["ok"] * 3
    for record in (died, *records.values()):
        assert record["python"] and record["versions"]["jax"] and record["machine"] and len(record["key"]) == 16
        assert (record["seed"], record["backend"]) == (3, "jax")
    assert records["02_claims"]["claims"][0]["values"] == {"n": 2} and records["02_claims"]["reference_seconds"] > 0
    until(lambda: not psutil.pid_exists(kernel) or psutil.Process(kernel).status() == "zombie", "its kernel ends, too")


@pytest.mark.slow
def test_a_worker_with_another_coursekit_is_refused_before_anything_runs(dask, tmp_path, monkeypatch):
    monkeypatch.setattr(ledger, "code_key", lambda notebook: "0123456789abcdef")
    path = write(tmp_path, "01_first", "open('ran', 'w')")
    with pytest.raises(
        CoursekitError, match=r"has another coursekit, or other data, as far as 01_first can tell\. Bring"
    ):
        runs.run([path], seeds=[0], backends=["jax"], profile="quick", results=tmp_path / "results", dask=dask)
    assert not (tmp_path / "results").exists()


# --- without a cluster ------------------------------------------------------------------------------------------------
def test_without_the_package_it_says_how_to_install_it(monkeypatch, capsys):
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CoursekitError, match=r"distributed, which is not installed here: `make env CLUSTER=1`"):
        cluster.run([], None, "tcp://127.0.0.1:1")


@pytest.mark.slow
def test_where_nobody_answers_it_says_so(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(cluster, "PATIENCE", 1)
    path = write(tmp_path, "01_first", "x = 1")
    assert cli.main(["run", str(path), "--dask", "tcp://127.0.0.1:1", "--results", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert "no Dask scheduler answers at tcp://127.0.0.1:1" in err and "`dask scheduler`" in err


def job():
    return cluster._job(JOB | {"name": "01_first", "source": nbformat.writes(make_notebook("x = 1"))})


def test_what_is_sent_is_the_job_without_outputs():
    notebook = make_notebook("x = 1")
    notebook.cells[0].outputs = [nbformat.v4.new_output("stream", text="a long output")]
    sent = cluster._parcel(ledger.Job(job().path, notebook=notebook, **JOB), ["run", "0"])
    assert "a long output" not in sent["source"] and notebook.cells[0].outputs
    back = cluster._job(sent)
    assert back == job() and back.notebook.cells[0].source == "x = 1" and sent["mark"] == ["run", "0"]


FACTS = {"machine": "a large one", "python": "3.12.1", "versions": {"jax": {"numpy": "2.5.5", "jax": "0.12.0"}}}


def ended_with(result):
    def give():
        if isinstance(result, Exception):
            raise result
        return result

    return SimpleNamespace(result=give)


@pytest.mark.slow  # not for its seconds: `make check` brings the package
def test_the_record_of_a_job_says_how_it_ended_and_where():
    from distributed import CancelledError, KilledWorker

    killed = KilledWorker("task", SimpleNamespace(address="tcp://w:1"), 0)
    for ending in ({"died": "tcp://w:1"}, killed):
        record = cluster._record(job(), ended_with(ending), {"tcp://w:1": FACTS})
        assert record["status"] == "died" and record["error"] == "its worker tcp://w:1 died"
        assert record["machine"] == "a large one" and record["versions"]["jax"] == "0.12.0"
        assert record["key"] == ledger.key_of("code", "3.12.1", FACTS["versions"]["jax"])
    record = cluster._record(job(), ended_with({"died": "tcp://new:1"}), {})
    assert record["key"] is None and record["versions"] == {}
    record = cluster._record(job(), ended_with(OSError("no room left")), {})
    assert record["status"] == "failed" and "no room left" in record["error"]
    assert cluster._record(job(), ended_with({"record": {"status": "ok"}}), {}) == {"status": "ok"}
    with pytest.raises(CoursekitError, match="the scheduler is gone"):
        cluster._record(job(), ended_with(CancelledError("task")), {})


@pytest.mark.parametrize("answer", [ModuleNotFoundError("No module named 'coursekit'"), {"other": ["code"]}])
def test_a_worker_that_can_not_run_it_is_named_with_what_to_do(answer):
    client = SimpleNamespace(run=lambda *args, on_error: {"tcp://w:1": answer})
    with pytest.raises(
        CoursekitError, match=r"the worker tcp://w:1 can't run this: .*`dask worker tcp://s:1 --nthreads 1`"
    ):
        cluster._facts(client, [job()], "tcp://s:1")
