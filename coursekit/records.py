"""Records of runs: what a notebook notes while it runs, and what earlier runs gave.

`coursekit run` appends one line of JSON per run to `data/results/NN.jsonl`: notebook, seed, backend, profile, machine,
date, minutes, memory, claims, exercises, and a key over all that the result depends on. It names a file in the
environment variable COURSEKIT_NOTES, and `note` writes there what happens in the kernel. `recorded` reads the kept
lines. Born in notebook 00.
"""

import json
import os
import platform
import statistics
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from coursekit.console import table
from coursekit.paths import data_dir

NOTES = "COURSEKIT_NOTES"


def note(kind, **fields):
    """Append one line to the notes of the run in progress; outside a run, do nothing."""
    file = os.environ.get(NOTES)
    if file:
        with open(file, "a", encoding="utf-8") as notes:
            notes.write(json.dumps({"kind": kind, **fields}, default=str) + "\n")


def results_file(notebook):
    """The file with the results of a notebook, given as "03", "3" or "03_gradient_descent"."""
    return data_dir() / "results" / f"{int(str(notebook).split('_')[0]):02d}.jsonl"


def read_lines(file):
    """The records in a .jsonl file, oldest first; a line that an interruption cut short is passed over."""
    if not Path(file).is_file():
        return []
    lines = []
    for line in Path(file).read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return lines


@dataclass(frozen=True)
class Recorded:
    """A value that earlier runs of a notebook recorded: one number per run, and where they come from."""

    name: str
    values: tuple
    profile: str
    date: str
    machine: str

    @property
    def mean(self):
        """Mean over the runs."""
        return statistics.fmean(self.values)

    @property
    def deviation(self):
        """Sample standard deviation over the runs; 0 for one run."""
        return statistics.stdev(self.values) if len(self.values) > 1 else 0.0

    def __str__(self):
        spread = f" ± {self.deviation:.2g}" if len(self.values) > 1 else ""
        runs = "1 run" if len(self.values) == 1 else f"{len(self.values)} runs"
        return f"{self.mean:.4g}{spread} ({runs} at `{self.profile}`, {self.date}, {self.machine})"


def recorded(notebook, name, profile="full"):
    """What earlier runs of `notebook` recorded under `name` in a claim that held, or None where there is no record.

    notebook: number or name, such as "19" or "19_weight_clustering".
    name:     the keyword under which a claim recorded the value.
    profile:  "full" or "quick". Of the runs at that profile in which the claim held, whatever came of others, those on
              the machine that ran last are taken, the newest for each seed and backend.
    """
    newest = {}
    for run in read_lines(results_file(notebook)):
        for made in run.get("claims", []) if run.get("profile") == profile else []:
            if made["held"] and name in made["values"]:
                newest[run["machine"], run["backend"], run["seed"]] = (run, made["values"][name])
    if not newest:
        return None
    last = max((run for run, _ in newest.values()), key=lambda run: run["date"])
    chosen = [value for (machine, _, _), (_, value) in sorted(newest.items()) if machine == last["machine"]]
    return Recorded(name, tuple(chosen), profile, last["date"][:10], last["machine"])


def machine():
    """This machine in words that name its size and not whose it is."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores, {platform.machine()} {platform.system()}"


def versions(packages):
    """{package: version} of those that are installed."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def reference_seconds(repeats=3):
    """Seconds this machine takes for a fixed piece of work, half of it NumPy and half plain Python: its speed.

    The ratio of two machines' seconds says roughly how much longer a notebook takes on the one than on the other.
    """
    import time

    import numpy as np

    matrix = np.random.default_rng(0).normal(size=(1000, 1000)).astype("float32")
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(10):
            matrix @ matrix
        sum(i * i for i in range(1_000_000))
        times.append(time.perf_counter() - start)
    return round(statistics.median(times), 4)


def timetable():
    """Minutes per notebook as text: measured where the records were made, expected here, and on a GPU at `full`.

    What is expected here is the measured time times the ratio of the two machines' `reference_seconds`.
    """
    here = reference_seconds()
    rows = []
    for file in sorted((data_dir() / "results").glob("*.jsonl")):
        runs = [run for run in read_lines(file) if run.get("status") == "ok"]
        quick = [run for run in runs if run["profile"] == "quick" and run["backend"] == "tensorflow"]
        if not quick:
            continue
        minutes = statistics.median(run["minutes"] for run in quick)
        expected = statistics.median(run["minutes"] * here / run["reference_seconds"] for run in quick)
        on_gpu = [run["minutes"] for run in runs if run["profile"] == "full" and run["device"] != "CPU"]
        full = f"{statistics.median(on_gpu):.1f} min" if on_gpu else "no record yet"
        rows.append([quick[-1]["notebook"], f"{minutes:.1f} min", f"{expected:.1f} min", full])
    if not rows:
        return "no run has been recorded yet: coursekit run"
    return table(["notebook", "measured", "expected here", "full, on a GPU"], rows)
