"""A search shared by several processes: Keras Tuner's chief and its workers, started, killed and ended.

The chief keeps the search and gives out trials; workers ask it over the network, which here is this machine alone. All
run the same script; three variables of their environment say who they are and where the chief listens. No process
outlives the kernel that started it: each ends when its standard input does.

Born in notebook 17.
"""

import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from coursekit.errors import TuningError
from coursekit.training.tuning import trials_in

ADDRESS = "127.0.0.1"  # this machine, and nobody outside it


class Team:
    """with Team("tune.py", "folder") as team: team.start("chief"); team.start("worker 1"); team.wait_for(12)

    script: a Python file that opens a search in `folder` with `tuning.open_search` and runs it
    When the block is left, every process that is still there is ended.
    """

    def __init__(self, script, folder):
        self.script, self.folder = str(script), Path(folder)
        self.processes = {}
        with socket.socket() as free:
            free.bind((ADDRESS, 0))
            self.port = free.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def start(self, name):
        """Start a process; its name must have "chief" in it, or it is a worker. A killed one can be started again."""
        if name in self.processes and self.processes[name].poll() is None:
            raise TuningError(f"{name} is running; kill it first, or start one of another name")
        package = str(Path(__file__).resolve().parents[2])
        environment = os.environ | {
            "KERASTUNER_TUNER_ID": name, "KERASTUNER_ORACLE_IP": ADDRESS, "KERASTUNER_ORACLE_PORT": str(self.port),
            "KERAS_BACKEND": "numpy", "OMP_NUM_THREADS": "1",  # the table is read: no framework is needed
            "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")])),
        }  # fmt: skip
        with open(f"{self.script}.{name}.log", "w", encoding="utf-8") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "coursekit.training.team", self.script], stdin=subprocess.PIPE, stdout=log,
                stderr=log, env=environment,
            )  # fmt: skip

    def kill(self, name):
        """Kill a process at once. Returns the number of the trial that it was at, or None."""
        self.processes[name].kill()
        self.processes[name].wait()
        return self.at().get(name)  # asked afterwards: until it was dead it could finish a trial

    def at(self):
        """{name of a worker: number of the trial that the chief has given it}"""
        for _ in range(50):
            try:
                there = json.loads((self.folder / "trials" / "oracle.json").read_text(encoding="utf-8"))
            except (FileNotFoundError, json.JSONDecodeError):  # not there yet, or just being written
                time.sleep(0.02)
            else:
                return {name: int(trial) for name, trial in there["ongoing_trials"].items()}
        return {}

    def done(self):
        """How many trials are completed."""
        return sum(trial["status"] == "COMPLETED" for trial in trials_in(self.folder).values())

    def running(self):
        """The names of the processes that are running."""
        return [name for name, process in self.processes.items() if process.poll() is None]

    def wait_for(self, trials, busy=None, seconds=180):
        """Wait until so many trials are completed and, if a name is given as `busy`, this worker has begun a new one.

        Raises TuningError after so many seconds, or where no worker is left.
        """
        deadline, before = time.monotonic() + seconds, ...
        while True:
            if self.done() >= trials:
                now = self.at().get(busy)
                before = now if before is ... else before
                if busy is None or now not in (None, before):
                    return
            workers = [name for name in self.running() if "chief" not in name]
            if time.monotonic() > deadline or not workers:
                why = "no worker is running" if not workers else f"{seconds} seconds have passed"
                raise TuningError(f"{why}, and {self.done()} of {trials} trials are completed; {self._last_words()}")
            time.sleep(0.05)

    def _last_words(self):
        texts = [Path(f"{self.script}.{name}.log").read_text(encoding="utf-8") for name in self.processes]
        lines = [text.strip().splitlines()[-1] for text in texts if text.strip()]
        return f"last words: {' | '.join(lines)}" if lines else "no process has said anything"

    def end(self, seconds=5):
        """Give the workers some seconds to find out that no trial is left, then end all that is running."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and any("chief" not in name for name in self.running()):
            time.sleep(0.05)
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdin.close()


def _end_with_the_parent():
    """End this process when its standard input ends, as it does when the process that started it is gone."""
    while os.read(sys.stdin.fileno(), 1):  # unbuffered: no lock is held while it waits
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    runpy.run_path(sys.argv[1], run_name="__main__")
