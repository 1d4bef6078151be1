"""`coursekit run`: execute notebooks over seeds, backends and profiles, keep the records, go on where one stopped."""

import asyncio
import importlib.util
import statistics
import subprocess
import sys
import time
from contextlib import nullcontext
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from coursekit.authoring import notebooks
from coursekit.authoring.arguments import share_of
from coursekit.authoring.execution import ledger
from coursekit.authoring.execution.dependencies import code_key
from coursekit.authoring.execution.execute import execute
from coursekit.authoring.execution.places import places, seconds_of_others, together
from coursekit.errors import CoursekitError
from coursekit.records import reference_seconds
from coursekit.session import BACKENDS

BESIDE = 4 / 3  # how much longer a notebook takes beside another one: five took 5.4 minutes two at once, 8.1 in a row


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


def run(
    wanted,
    *,
    seeds,
    backends,
    profile,
    jobs=None,
    results=None,
    again=False,
    stale=False,
    minutes=None,
    dask=None,
    shard=None,
    executed=None,
    summary=None,
    watch=False,
):
    """Run the notebooks, append their records to `results`, print the table; True if every run went well.

    again:    run what is recorded, too.
    stale:    run what no record covers with its present key (see `ledger`), the stalest first. Otherwise what is
              recorded of the same cells on this machine is not run again, whatever has changed in coursekit.
    minutes:  start no run that is not expected to end within so many; what is left is printed.
    dask:     address of a Dask scheduler that hands out the runs, instead of `jobs` at once here.
    shard:    (2, 4) for the second of four shares of the notebooks, each about as long; None for all.
    executed: a folder that gets the notebooks as they came out, failed ones too.
    summary:  a file that gets the table, in Markdown, at its end.
    watch:    whether the records tell deprecation warnings, with their cells.
    """
    _refuse_unclear(jobs, again, stale, minutes, dask, executed, watch)
    _refuse_missing(backends, dask)
    book = ledger.Ledger(results)
    todo, kept, rows = [], [], []
    paths = notebooks.find(wanted)
    for path in share_of(paths, shard, _usual_minutes) if shard else paths:
        mine, not_meant = ledger.jobs_of(path, backends, seeds, profile)
        rows += [(path.stem, one, "", profile, "", "", "", "", f"not meant for {one}") for one in not_meant]
        for job in mine:
            old = None if again else book.covering(job) if stale else book.kept(job)
            kept.append((job, old)) if old else todo.append(job)
    rows += [_row(job, record, _kept(job, record, stale)) for job, record in kept]
    if stale:
        todo = book.stalest_first(todo)
    done, left = _run_all(todo, book, jobs, minutes, dask, executed, watch)
    rows += [_row(job, record, _status(record)) for job, record in done]
    _print_table(rows)
    _print_costs([record for _, record in done])
    _print_left(left)
    failures = [(job, record) for job, record in done if record["status"] != "ok"]
    why = [f"✗ {job.path.stem} ({job.backend}, seed {job.seed}): {record['error']}" for job, record in failures]
    print("\n".join(why), end="\n" if why else "")
    if summary:
        with open(summary, "a", encoding="utf-8") as file:
            file.write("\n".join([_markdown(rows), *(f"\n{line}" for line in why)]) + "\n")
    return not failures


def _usual_minutes(path):
    """What the notebook's box says that it takes."""
    return notebooks.about(notebooks.read(path)).get("minutes") or ledger.UNKNOWN


def _refuse_unclear(jobs, again, stale, minutes, dask, executed, watch):
    """Refuse options that do not go together."""
    if again and stale:
        raise CoursekitError("--again runs everything and --stale what has changed: leave one out")
    if minutes is not None and not stale:
        raise CoursekitError("--minutes goes with --stale: a run that is cut short goes on from its records anyway")
    if dask and (minutes is not None or jobs is not None or executed is not None or watch):
        raise CoursekitError(
            "--minutes, --jobs, --executed and --warnings are for this machine: leave them out with --dask"
        )


def _refuse_missing(backends, dask):
    """Refuse backends that do not exist or, unless others run them, are not installed."""
    unknown = sorted(set(backends) - set(BACKENDS))
    if unknown:
        raise CoursekitError(f"unknown backend {unknown[0]}: choose from {', '.join(BACKENDS)}")
    missing = [name for name in backends if importlib.util.find_spec(name) is None]
    if missing and not dask:
        how = "make env TORCH=1" if missing[0] == "torch" else "make env"
        raise CoursekitError(f"{BACKENDS[missing[0]]} is not installed here; `{how}` installs it")


def _run_all(todo, book, jobs, minutes, dask, executed, watch):
    """Run the jobs here or on a cluster: [(job, record)] of those that ran, [(job, minutes)] of those that are left."""
    if not todo:
        return [], []
    if dask:
        from coursekit.authoring.execution import cluster

        return cluster.run(todo, book, dask), []
    return asyncio.run(_run_here(todo, book, min(jobs or places(), len(todo)), minutes, executed, watch))


async def _run_here(todo, book, at_once, minutes, executed, watch):
    """Run the jobs, `at_once` together, and write each record as soon as its run is over."""
    console, start = Console(), time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    done, left, speed = [], [], measured_speed() | {"at_once": at_once}
    with Progress(*columns, console=console, transient=True) if console.is_terminal else nullcontext() as bars:

        async def one(job):
            expected = book.minutes(job, speed["reference_seconds"]) * (BESIDE if at_once > 1 else 1)
            if minutes is not None and (time.monotonic() - start) / 60 + expected > minutes:
                left.append((job, expected))
                return
            cells = sum(map(notebooks.has_code, job.notebook.cells))
            task = bars.add_task(job.name, total=cells) if bars else None
            keep, on_cell = partial(_keep_executed, executed, job), partial(_advance, bars, task)
            record = await carry_out(job, job.path.parent, speed, on_cell=on_cell, keep=keep, watch=watch)
            book.append(job.path, record)
            done.append((job, record))
            if bars:
                bars.remove_task(task)
            else:
                print(f"{job.name}: {record['status']}, {record['minutes']} min", file=sys.stderr)

        await together(one, todo, at_once)
    return done, left


def measured_speed():
    """What records say of the speed of this machine."""
    return {"reference_seconds": reference_seconds(), "import_seconds": import_seconds()}


def _keep_executed(folder, job, notebook):
    """Write the notebook as it came out, under the name of its run, if there is a folder for it."""
    if folder:
        notebooks.write(folder / f"{job.path.stem}.{job.backend}.seed{job.seed}.ipynb", notebook)


async def carry_out(job, folder, speed, on_cell=lambda done: None, keep=lambda notebook: None, watch=False):
    """Execute a job in `folder` and return its record; `keep` is called with the notebook as it came out.

    Beside the speed it says how many cores other programs kept busy meanwhile, `others`: minutes count only where these
    are few. If coursekit was changed while it ran, nobody knows with which code it ran: the record gets no key.
    """
    start, busy = time.monotonic(), seconds_of_others()
    outcome = await execute(
        job.notebook,
        folder,
        profile=job.profile,
        backend=job.backend,
        seed=job.seed,
        watch=watch,
        on_cell=on_cell,
    )
    keep(outcome.notebook)
    others = (seconds_of_others() - busy) / max(time.monotonic() - start, 1e-9)
    record = ledger.record_of(job, outcome, speed | {"others": max(0.0, round(others, 2))})
    if code_key(job.notebook) != job.code:
        record |= {"code": None, "key": None}
    return record


def _advance(bars, task, done):
    if bars:
        bars.update(task, completed=done)


def _kept(job, record, stale):
    """What the table says of a run that is not run again."""
    changed = "" if record.get("code") in (None, job.code) else "; coursekit has changed since: --stale"
    return f"{'covered' if stale else 'kept'}, {record['date'][:10]}{changed}"


def _status(record):
    return record["status"] if record["code"] else f"{record['status']}; coursekit was changed meanwhile"


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


def _print_left(left):
    """What the budget of minutes had no room for."""
    if left:
        print(f"left for another time, about {sum(expected for _, expected in left):.0f} minutes:")
        for job, expected in left:
            print(f"  {job.name}, {expected:.1f} min")


def _print_costs(records):
    """What importing coursekit and setup() cost in these runs."""
    setups = [record["setup_seconds"] for record in records if record["setup_seconds"]]
    if setups:
        imports = records[0]["import_seconds"]
        print(f"import coursekit costs {imports:.3f} s, setup {statistics.median(setups):.1f} s (median of these runs)")


WORDS, NUMBERS, LAST = (
    ("notebook", "backend", "seed", "profile"),
    ("minutes", "peak MB", "claims held", "exercises"),
    "status",
)  # the columns of the table


def _markdown(rows):
    """The table in Markdown."""
    heads = [*WORDS, *NUMBERS, LAST]
    marks = ["---"] * len(WORDS) + ["--:"] * len(NUMBERS) + ["---"]
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, marks, *sorted(rows)))


def _print_table(rows):
    table = Table(box=None, header_style="bold")
    for name in WORDS:
        table.add_column(name, no_wrap=True)
    for name in NUMBERS:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column(LAST)
    for row in sorted(rows):
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 140).print(table)
