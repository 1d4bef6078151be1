"""`coursekit run`: execute notebooks over seeds, backends and profiles, keep the records, go on where one stopped."""

import asyncio
import datetime
import importlib.util
import os
import platform
import statistics
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from coursekit.authoring import notebooks
from coursekit.authoring.execution.execute import dumps, execute
from coursekit.errors import CoursekitError
from coursekit.paths import data_dir
from coursekit.records import machine, read_lines, reference_seconds
from coursekit.session import BACKENDS


@dataclass(frozen=True)
class Job:
    """One notebook to run with one seed, on one backend, at one profile."""

    path: Path
    hash: str
    backend: str
    seed: int
    profile: str

    def same(self, record, machine):
        """Whether a kept record is of this very job on this machine, and went well."""
        mine = (self.hash, self.backend, self.seed, self.profile, machine, "ok")
        return mine == tuple(record.get(key) for key in ("hash", "backend", "seed", "profile", "machine", "status"))


def import_seconds(repeats=5):
    """What `import coursekit` costs beyond the bare interpreter: the least of some trials."""

    def least(code):
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            times.append(time.perf_counter() - start)
        return min(times)

    return round(least("import coursekit") - least(""), 3)


def parse_seeds(words):
    """Seeds from words such as "0-4", "7" or "0,2"; a `CoursekitError` names a word that is none of these."""
    seeds = []
    for word in ",".join(words).split(","):
        first, _, last = word.partition("-")
        if not first.isdecimal() or (last and not last.isdecimal()):
            raise CoursekitError(f"--seeds takes numbers and ranges such as 0-4, not {word!r}")
        seeds += range(int(first), int(last or first) + 1)
    return sorted(set(seeds))


def run(wanted, *, seeds, backends, profile, jobs, results=None, again=False):
    """Run the notebooks, append their records to `results`, print the table; True if every run went well."""
    unknown = sorted(set(backends) - set(BACKENDS))
    if unknown:
        raise CoursekitError(f"unknown backend {unknown[0]}: choose from {', '.join(BACKENDS)}")
    missing = [name for name in backends if importlib.util.find_spec(name) is None]
    if missing:
        how = "make env TORCH=1" if missing[0] == "torch" else "make env"
        raise CoursekitError(f"{BACKENDS[missing[0]]} is not installed here; `{how}` installs it")
    results = Path(results) if results else data_dir() / "results"
    results.mkdir(parents=True, exist_ok=True)
    todo, kept, rows = [], [], []
    for path in notebooks.find(wanted):
        notebook = notebooks.read(path)
        mark = notebooks.content_hash(notebook)
        earlier = read_lines(_file(results, path))
        for backend in backends:
            if backend not in notebooks.about(notebook).get("backends", BACKENDS):
                rows.append((path.stem, backend, "", profile, "", "", "", "", f"not meant for {backend}"))
                continue
            for seed in seeds:
                job = Job(path, mark, backend, seed, profile)
                old = None if again else next((one for one in reversed(earlier) if job.same(one, machine())), None)
                kept.append((job, old)) if old else todo.append(job)
    rows += [_row(job, record, f"kept, {record['date'][:10]}") for job, record in kept]
    done = asyncio.run(_run_all(todo, jobs or max(1, (os.cpu_count() or 2) // 2), results))
    rows += [_row(job, record, record["status"]) for job, record in done]
    _print_table(rows)
    _print_costs([record for _, record in done])
    failures = [(job, record) for job, record in done if record["status"] != "ok"]
    for job, record in failures:
        print(f"✗ {job.path.stem} ({job.backend}, seed {job.seed}): {record['error']}")
    return not failures


async def _run_all(todo, at_once, results):
    """Run the jobs, `at_once` together, and write each record as soon as its run is over."""
    if not todo:
        return []
    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    places, done = asyncio.Semaphore(at_once), []
    speed = {"reference_seconds": reference_seconds(), "import_seconds": import_seconds()}
    with Progress(*columns, console=console, transient=True) if console.is_terminal else nullcontext() as bars:

        async def one(job):
            async with places:
                notebook = notebooks.read(job.path)
                cells = sum(map(notebooks.has_code, notebook.cells))
                name = f"{job.path.stem} {job.backend} seed {job.seed}"
                task = bars.add_task(name, total=cells) if bars else None
                tell = partial(_advance, bars, task)
                outcome = await execute(
                    notebook,
                    job.path.parent,
                    profile=job.profile,
                    backend=job.backend,
                    seed=job.seed,
                    on_cell=tell,
                )
                record = _record(job, outcome, speed)
                with open(_file(results, job.path), "a", encoding="utf-8") as file:
                    file.write(dumps(record) + "\n")
                done.append((job, record))
                if bars:
                    bars.remove_task(task)
                else:
                    print(f"{name}: {record['status']}, {record['minutes']} min", file=sys.stderr)

        await asyncio.gather(*map(one, todo))
    return done


def _advance(bars, task, done):
    if bars:
        bars.update(task, completed=done)


def _file(results, path):
    """The results file of a notebook: its number where it has one."""
    stem = path.stem.split("_")[0] if notebooks.NAME.fullmatch(path.stem) else path.stem
    return results / f"{stem}.jsonl"


def _record(job, outcome, speed):
    """The line that is kept of one run."""
    on_gpu = outcome.device and not outcome.device.startswith("CPU")
    return {
        "notebook": job.path.stem,
        "hash": job.hash,
        "backend": job.backend,
        "seed": job.seed,
        "profile": job.profile,
        "machine": machine(),
        "device": outcome.device if on_gpu else "CPU",
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {name: version(name) for name in ("coursekit-notebooks", "keras", "numpy", job.backend)},
        "python": platform.python_version(),
        **speed,
        "setup_seconds": outcome.setup_seconds,
        "status": outcome.status,
        "error": outcome.error,
        "minutes": outcome.minutes,
        "peak_mb": outcome.peak_mb,
        "claims": [{key: made[key] for key in ("sentence", "held", "evidence", "values")} for made in outcome.claims],
        "exercises": {name: outcomes[-1] for name, outcomes in outcome.exercises.items()},
    }


def _row(job, record, status):
    claims, exercises = record["claims"], record["exercises"].values()
    return (
        job.path.stem,
        job.backend,
        str(job.seed),
        job.profile,
        f"{record['minutes']:.2f}",
        f"{record['peak_mb']:,}",
        f"{sum(made['held'] for made in claims)} of {len(claims)}",
        f"{sum(outcome == 'right' for outcome in exercises)} of {len(exercises)}",
        status,
    )


def _print_costs(records):
    """What importing coursekit and setup() cost in these runs."""
    setups = [record["setup_seconds"] for record in records if record["setup_seconds"]]
    if setups:
        imports = records[0]["import_seconds"]
        print(f"import coursekit costs {imports:.3f} s, setup {statistics.median(setups):.1f} s (median of these runs)")


def _print_table(rows):
    table = Table(box=None, header_style="bold")
    for name in ("notebook", "backend", "seed", "profile"):
        table.add_column(name, no_wrap=True)
    for name in ("minutes", "peak MB", "claims held", "exercises"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("status")
    for row in sorted(rows):
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 140).print(table)
