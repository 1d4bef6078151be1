"""Execute one notebook in a fresh kernel, measure it, and collect what it noted: claims, exercises, time and memory."""

import asyncio
import atexit
import contextlib
import copy
import json
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from coursekit.authoring.execution import watched
from coursekit.authoring.notebooks import has_code, tags
from coursekit.records import NOTES, read_lines

CELL_TIMEOUT = {"quick": 600, "full": None}  # seconds


@dataclass
class Outcome:
    """What came of one execution. `status` is ok, failed (a cell raised), claims (a claim or exercise did not hold),
    timeout or died."""

    notebook: object
    status: str = "ok"
    error: str = ""
    minutes: float = 0.0
    peak_mb: int = 0
    claims: list = field(default_factory=list)
    exercises: dict = field(default_factory=dict)
    device: str = ""
    setup_seconds: float | None = None
    warnings: list | None = None  # the deprecations, each with its cell, where the kernel was watched

    @property
    def held(self):
        """How many of the claims held."""
        return sum(made["held"] for made in self.claims)

    @property
    def solved(self):
        """How many exercises were right in the end, that is in their solution cell."""
        return sum(outcomes[-1] == "right" for outcomes in self.exercises.values())


def environment(*, profile="quick", backend="tensorflow", seed=0, notes=None):
    """The environment of a kernel that nobody watches."""
    chosen = {
        "COURSEKIT_PROFILE": profile,
        "COURSEKIT_SEED": str(seed),
        "KERAS_BACKEND": backend,
        "COURSEKIT_PROGRESS": "off",
    }
    if notes:
        chosen[NOTES] = str(notes)
    inherited = {name: value for name, value in os.environ.items() if name not in ("MPLBACKEND", NOTES)}
    return inherited | chosen


async def execute(
    notebook, folder, *, profile="quick", backend="tensorflow", seed=0, watch=False, on_cell=lambda done: None
):
    """Execute a copy of `notebook` in `folder` and return its `Outcome`.

    A claim that does not hold is counted and the notebook goes on; any other error ends it. With `watch`, deprecation
    warnings are collected (and not shown in the notebook). `on_cell` is called with the number of code cells done.
    """
    outcome = Outcome(copy.deepcopy(notebook), warnings=[] if watch else None)
    client = NotebookClient(
        outcome.notebook,
        timeout=CELL_TIMEOUT[profile],
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        shutdown_kernel="immediate",
        extra_arguments=[watched.ARGUMENT] if watch else [],
    )
    _keep_interrupts()
    with tempfile.TemporaryDirectory() as scratch, open(Path(scratch) / "stderr", "wb") as stderr:
        notes = Path(scratch) / "notes.jsonl"
        env = environment(profile=profile, backend=backend, seed=seed, notes=notes)
        start = time.monotonic()
        try:
            async with client.async_setup_kernel(env=env, stderr=stderr):
                watcher = asyncio.create_task(_watch_memory(client.km.provisioner.pid, outcome))
                try:
                    await _execute_cells(client, outcome, notes, on_cell)
                finally:
                    watcher.cancel()
        except DeadKernelError:
            if asyncio.current_task().cancelling():  # nbclient takes an interruption for a kernel's death
                raise asyncio.CancelledError from None
            outcome.status, outcome.error = "died", _last_words(stderr.name)
        finally:
            atexit.unregister(client._cleanup_kernel)  # nbclient leaves it there if the kernel was still starting
        outcome.minutes = round((time.monotonic() - start) / 60, 3)
        _collect(read_lines(notes), outcome)
    return outcome


def _last_words(file):
    """Why a kernel died, with the last line that it wrote outside of the notebook, if there is one."""
    why = "the kernel died: it crashed, or the machine ran out of memory"
    lines = [
        line for line in Path(file).read_text("utf-8", errors="replace").splitlines() if "[IPKernelApp]" not in line
    ]
    return f"{why}; its last words: {lines[-1]}" if lines else why


def _keep_interrupts():
    """Let Ctrl+C stop the whole command: nbclient would have it end one kernel, and the notebook be a failure.

    nbclient takes a loop that has no signal handlers, as on Windows, as it is.
    """

    def refuse(*_):
        raise NotImplementedError

    asyncio.get_running_loop().add_signal_handler = refuse


async def _execute_cells(client, outcome, notes, on_cell):
    done = 0
    for index, cell in enumerate(outcome.notebook.cells):
        if not has_code(cell):
            continue
        _append(notes, kind="cell", index=index)
        try:
            await client.async_execute_cell(cell, index, execution_count=done + 1)
        except CellTimeoutError:
            outcome.status, outcome.error = "timeout", f"cell {index} did not end in {client.timeout} seconds"
            return
        except CellExecutionError as error:
            outcome.error = outcome.error or f"cell {index} ({_first(cell)}) raised {error.ename}: {error.evalue}"
            if error.ename != "ClaimFailed":
                outcome.status = "failed"
                return
        if "raises-exception" in tags(cell):
            _append(notes, kind="meant to fail")
        done += 1
        on_cell(done)


def _append(notes, **line):
    """Add a line to the kernel's notes, among its own."""
    with notes.open("a", encoding="utf-8") as file:
        file.write(dumps(line) + "\n")


def _first(cell):
    return cell.source.strip().splitlines()[0]


async def _watch_memory(pid, outcome, every=0.2):
    """Keep the most memory that the kernel and its children held at once, in MB, in `outcome.peak_mb`."""
    kernel = psutil.Process(pid)
    while True:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            used = _memory([kernel, *kernel.children(recursive=True)])
            outcome.peak_mb = max(outcome.peak_mb, round(used / 2**20))
        await asyncio.sleep(every)


def _memory(family):
    """Bytes that these processes hold; what several share, such as libraries, counts once where the system tells."""
    if len(family) > 1:
        with contextlib.suppress(AttributeError, psutil.AccessDenied):  # only Linux divides what is shared
            return sum(process.memory_full_info().pss for process in family)
    return sum(process.memory_info().rss for process in family)


def _collect(notes, outcome):
    """Sort the kernel's notes into the outcome; a claim or solution that does not hold makes it a failure."""
    where = {}  # in which cell
    for line in notes:
        kind = line.pop("kind")
        if kind == "cell":
            where = {"cell": line["index"], "first": _first(outcome.notebook.cells[line["index"]])}
        elif kind == "warning" and where:
            outcome.warnings.append(where | line)
        elif kind == "claim":
            outcome.claims.append(line)
        elif kind == "meant to fail" and outcome.claims and not outcome.claims[-1]["held"]:
            outcome.claims.pop()  # a page that shows what a failing claim looks like
        elif kind == "exercise":
            outcome.exercises.setdefault(line["id"], []).append(line["outcome"])
        elif kind == "setup":
            outcome.device, outcome.setup_seconds = line["device"], line["seconds"]
    unsolved = [name for name, outcomes in outcome.exercises.items() if outcomes[-1] != "right"]
    if outcome.status == "ok" and outcome.held < len(outcome.claims):
        outcome.status = "claims"
        outcome.error = next(f"claim failed: {made['sentence']}" for made in outcome.claims if not made["held"])
    elif outcome.status == "ok" and unsolved and _has_solutions(outcome.notebook):
        outcome.status, outcome.error = "claims", f"the solution of exercise {unsolved[0]} is not accepted"


def _has_solutions(notebook):
    return any("solution" in tags(cell) for cell in notebook.cells)


def dumps(record):
    """One line of JSON for a record."""
    return json.dumps(record, ensure_ascii=False, sort_keys=True)
