"""Chief and workers as real processes: one is killed, nothing is lost, and no process or port is left."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import coursekit
from coursekit.errors import TuningError
from coursekit.training import tuning
from coursekit.training.team import ADDRESS, Team

pytest.importorskip("keras_tuner")
SCRIPT = """
import time
from coursekit.training import tuning

class Slow(tuning.table_tuner("RandomSearch")):
    def run_trial(self, trial, **fit_arguments):
        time.sleep(0.5)
        return super().run_trial(trial)

tuning.open_search(Slow, tuning.space, "team", trials=6).search(verbose=0)
"""


@pytest.fixture
def script(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tune.py").write_text(SCRIPT)
    return "tune.py"


def test_a_killed_worker_s_trial_is_done_by_its_successor_and_nothing_is_left(script):
    with Team(script, "team") as team:
        team.start("chief")
        team.start("worker 1")
        with pytest.raises(TuningError, match="worker 1 is running"):
            team.start("worker 1")
        team.wait_for(2, busy="worker 1", seconds=240)
        lost = team.kill("worker 1")
        assert tuning.trials_in("team")[lost]["status"] == "RUNNING" and team.running() == ["chief"]
        with pytest.raises(TuningError, match="no worker is running, and"):
            team.wait_for(6)
        team.start("worker 1")
        team.wait_for(6, seconds=240)
    trials = tuning.trials_in("team")
    assert [one["status"] for one in trials.values()] == ["COMPLETED"] * 6
    assert len({str(one["setting"]) for one in trials.values()}) == 6
    assert team.running() == []
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind((ADDRESS, team.port))


def test_a_process_ends_when_the_one_that_started_it_is_gone(tmp_path):
    (tmp_path / "sleep.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(600)\n")
    starter = (
        "import time\nfrom coursekit.training.team import Team\nteam = Team('sleep.py', 'x')\nteam.start('chief')\n"
        "print(team.processes['chief'].pid, flush=True)\ntime.sleep(600)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(coursekit.__file__).parents[1])}
    parent = subprocess.Popen([sys.executable, "-c", starter], cwd=tmp_path, stdout=subprocess.PIPE, env=environment)
    pid = int(parent.stdout.readline())
    log, deadline = tmp_path / "sleep.py.chief.log", time.monotonic() + 60
    while "up" not in log.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(pid)


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False
