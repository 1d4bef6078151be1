"""Several processes that train together on this machine: started, watched, killed and ended.

Each process runs the same Python file. Its environment says who it is: RANK (0, 1, …), WORLD_SIZE (how many), and
MASTER_ADDR and MASTER_PORT, where they meet; PyTorch reads these names, too. A process reports by printing one line of
JSON last. None outlives the block that started it, nor the kernel: each ends when its standard input does.

Born in notebook 20.
"""

import contextlib
import json
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from coursekit.errors import WorkerError

ADDRESS = "127.0.0.1"  # this machine, and nobody outside it
FOLDER = "COURSEKIT_WORKERS_FOLDER"  # where a worker's lines go


def free_port():
    """A port of this machine that nobody listens at."""
    with socket.socket() as free:
        free.bind((ADDRESS, 0))
        return free.getsockname()[1]


class Workers:
    """with Workers("train.py", 2) as workers: reports = workers.reports()

    program:   a Python file, or the name of a module
    count:     how many processes
    arguments: of the program, the same for all; environment: {name: value}, beside what the processes have anyway
    seconds:   after so many all are killed, and whoever waits for them gets a WorkerError

    Each process computes on the CPU with one thread, so that two of them are two workers and not four. When the block
    is left, also by an interrupt, the processes are killed, and what they printed is deleted.
    """

    def __init__(self, program, count=1, *arguments, environment=None, seconds=300):
        self.program, self.count, self.arguments = str(program), count, [str(one) for one in arguments]
        self.environment, self.seconds = dict(environment or {}), seconds
        self.processes = []

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="workers_")
        self.port, self.deadline = free_port(), time.monotonic() + self.seconds
        try:
            for rank in range(self.count):
                self._start(rank)
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_):
        self.end()

    def _start(self, rank):
        package = str(Path(__file__).resolve().parents[2])
        given = {name: value for name, value in os.environ.items() if name not in ("KERAS_BACKEND", "XLA_FLAGS")}
        given |= {
            "RANK": str(rank), "WORLD_SIZE": str(self.count), "MASTER_ADDR": ADDRESS, "MASTER_PORT": str(self.port),
            "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")])),
            "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1",
            "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore",
            "CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu", FOLDER: self.folder.name,
        }  # fmt: skip
        with open(self._log(rank), "w", encoding="utf-8") as log, open(f"{self._log(rank)}.err", "w") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "coursekit.training.workers", self.program, *self.arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=errors,
                env=given | self.environment,
                start_new_session=True,  # its own children are in one group with it, and are killed with it
            )
        self.processes.append(process)

    def _log(self, rank):
        return Path(self.folder.name) / f"{rank}.log"

    def lines(self, rank=0):
        """What a worker has printed so far, line by line."""
        text = self._log(rank).read_text(encoding="utf-8", errors="replace")
        return text.splitlines()

    def wait_for(self, text, rank=0):
        """Wait until a worker has printed a line that starts with `text`; returns the line."""
        while True:
            ended = self.processes[rank].poll() is not None
            found = [line for line in self.lines(rank) if line.startswith(text)]
            if found:
                return found[-1]
            if ended:
                raise WorkerError(f"worker {rank} ended before it printed {text!r}; {self._last_words(rank)}")
            self._look_at_the_clock(f"worker {rank} has not printed {text!r}")
            time.sleep(0.02)

    def wait(self, rank=0):
        """Wait until a worker has ended; returns its code: 0 where all is well, −9 where it was killed."""
        while self.processes[rank].poll() is None:
            self._look_at_the_clock(f"worker {rank} is still running")
            time.sleep(0.02)
        return self.processes[rank].returncode

    def report(self, rank=0):
        """What a worker reports, when it has ended: a dictionary, the last line that it printed."""
        code = self.wait(rank)
        try:
            return json.loads(self.lines(rank)[-1])
        except (IndexError, json.JSONDecodeError):
            raise WorkerError(f"worker {rank} ended with code {code}; {self._last_words(rank)}") from None

    def reports(self):
        """The reports of all workers, in the order of their ranks. Raises WorkerError if one has failed."""
        return [self.report(rank) for rank in range(self.count)]

    def kill(self, rank):
        """Kill a worker at once, as a power cut would, and wait until it is gone."""
        _kill(self.processes[rank])

    def end(self):
        """Kill all that is running and delete what was printed. Can be called twice."""
        for process in self.processes:
            _kill(process)
        self.folder.cleanup()

    def _look_at_the_clock(self, what):
        if time.monotonic() > self.deadline:
            said = "; ".join(f"worker {rank}: {self._last_words(rank)}" for rank in range(self.count))
            self.end()
            raise WorkerError(f"{what} after {self.seconds} seconds, so all were killed; {said}")

    def _last_words(self, rank):
        said = Path(f"{self._log(rank)}.err").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f"its last words: {' | '.join(said[-3:])}" if said else "it said nothing"


def run(program, *arguments, count=1, environment=None, seconds=300):
    """Run a program to its end in one or several processes, and return its report, or the list of reports."""
    with Workers(program, count, *arguments, environment=environment, seconds=seconds) as workers:
        reports = workers.reports()
    return reports[0] if count == 1 else reports


def report(**values):
    """Called by a worker at its end: prints what `Workers.report` returns."""
    print(json.dumps(values), flush=True)


def rank_and_size():
    """(RANK, WORLD_SIZE) of this process."""
    return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])


def one_core_each():
    """Bind this process to a core of its own, as far as there are enough and the system can do it (Linux)."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[rank_and_size()[0] % len(cores)]})


def _kill(process):
    """Kill a process with all that it has started, and take it off the system's list."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()
        process.wait()
    if process.stdin and not process.stdin.closed:
        with contextlib.suppress(OSError):
            process.stdin.close()


def _end_with_the_parent():
    """End this process when its standard input ends, as it does when the process that started it is gone.

    Who was killed could not delete what the workers printed, so it is done here.
    """
    while os.read(sys.stdin.fileno(), 1):  # unbuffered: no lock is held while it waits
        pass
    shutil.rmtree(os.environ[FOLDER], ignore_errors=True)
    os.killpg(0, signal.SIGKILL) if hasattr(os, "killpg") else os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    sys.argv = sys.argv[1:]
    if sys.argv[0].endswith(".py"):
        sys.path.insert(0, os.getcwd())
        runpy.run_path(sys.argv[0], run_name="__main__")
    else:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
