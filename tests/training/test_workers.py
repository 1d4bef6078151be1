"""Workers as real processes: reports, failures, time limits; no process, port or folder is left, whatever happens."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import coursekit
from coursekit.errors import WorkerError
from coursekit.training.workers import ADDRESS, Workers, run

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes as Linux shows them")
REPORTS = """
import os
from coursekit.training.workers import rank_and_size, report
rank, size = rank_and_size()
print("started", flush=True)
report(rank=rank, size=size, port=os.environ["MASTER_PORT"], given=os.environ.get("GIVEN"))
"""
SLEEPS = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("child", child.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def programs(tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    Path("reports.py").write_text(REPORTS)
    Path("sleeps.py").write_text(SLEEPS)
    return tmp_path


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def gone(*pids):
    """Whether these processes end within a minute."""
    deadline = time.monotonic() + 60
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(map(alive, pids))


def test_each_worker_knows_its_rank_and_reports(programs):
    reports = run("reports.py", count=2, environment={"GIVEN": "yes"})
    assert [one["rank"] for one in reports] == [0, 1]
    assert all(one["size"] == 2 and one["given"] == "yes" for one in reports)
    assert reports[0]["port"] == reports[1]["port"]
    assert list((programs / "temporary").iterdir()) == []


def test_a_killed_worker_with_its_child_is_gone_and_the_other_one_runs_on(programs):
    with Workers("sleeps.py", 2) as workers:
        children = [int(workers.wait_for("child", rank).split()[1]) for rank in (0, 1)]
        workers.kill(1)
        assert workers.wait(1) == -signal.SIGKILL and gone(children[1])
        assert workers.processes[0].poll() is None and alive(children[0])
        pids = [process.pid for process in workers.processes]
        port = workers.port
    assert gone(*pids, *children)
    assert list((programs / "temporary").iterdir()) == []
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind((ADDRESS, port))


def test_who_takes_too_long_is_killed_and_told_about(programs):
    with Workers("sleeps.py", 1, seconds=30) as workers:
        child = int(workers.wait_for("child").split()[1])
        workers.deadline = time.monotonic()
        with pytest.raises(WorkerError, match="still running after 30 seconds, so all were killed"):
            workers.report()
    assert gone(child, workers.processes[0].pid)


def test_a_failure_comes_with_the_worker_s_last_words(programs):
    Path("fails.py").write_text("raise ValueError('no such file')\n")
    with pytest.raises(WorkerError, match=r"worker 0 ended with code 1; its last words: .*no such file"):
        run("fails.py")
    with Workers("fails.py") as workers, pytest.raises(WorkerError, match="ended before it printed 'ready'"):
        workers.wait_for("ready")
    Path("silent.py").write_text("")
    with pytest.raises(WorkerError, match="it said nothing"):
        run("silent.py")


def test_nothing_is_left_after_an_interrupt(programs):
    """A kernel is interrupted by SIGINT while it waits for workers."""
    starter = (
        "import tempfile\nfrom coursekit.training.workers import Workers\ntempfile.tempdir = 'temporary'\n"
        "with Workers('sleeps.py', 2) as workers:\n"
        "    lines = [workers.wait_for('child', rank) for rank in (0, 1)]\n"
        "    print(*[line.split()[1] for line in lines], *[p.pid for p in workers.processes], flush=True)\n"
        "    workers.wait()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", starter], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    pids = list(map(int, parent.stdout.readline().split()))
    assert len(pids) == 4 and all(map(alive, pids))
    parent.send_signal(signal.SIGINT)
    _, errors = parent.communicate(timeout=60)
    assert b"KeyboardInterrupt" in errors
    assert gone(*pids)
    assert list((programs / "temporary").iterdir()) == []


def test_workers_end_when_the_kernel_is_killed(programs):
    starter = (
        "import tempfile\nfrom coursekit.training.workers import Workers\ntempfile.tempdir = 'temporary'\n"
        "workers = Workers('sleeps.py').__enter__()\n"
        "print(workers.wait_for('child').split()[1], workers.processes[0].pid, flush=True)\nworkers.wait()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, env=environment())
    pids = list(map(int, parent.stdout.readline().split()))
    parent.kill()
    parent.communicate()
    assert gone(*pids)
    assert list((programs / "temporary").iterdir()) == []


def environment():
    return os.environ | {"PYTHONPATH": str(Path(coursekit.__file__).parents[1])}
