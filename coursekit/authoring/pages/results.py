"""The pages of results: what the recorded runs of every notebook took, and which of their claims held.

`coursekit index` writes them from data/results/: docs/results.md, a table, and docs/results/NAME.md, the claims of a
notebook. A row counts all runs of one key (see `execution.ledger`), those that failed included: the newest key whose
cells, code and data are the present ones, or else the newest key there is. Whether a row shows the present version is
told by that part of the key alone, for the versions installed where the page is made are nobody else's.
"""

import statistics
from collections import defaultdict

from coursekit.authoring import notebooks
from coursekit.authoring.execution.dependencies import code_key
from coursekit.records import read_lines, results_file
from coursekit.session import BACKENDS

HEAD = """# Results

Made by `coursekit index` from `data/results/`, to which `coursekit run` adds a line for every notebook, seed, backend
and profile that it executes. A claim is a sentence that a notebook asserts about its own results; the number of those
that held leads to all of them. Anyone can repeat the runs: `coursekit run --seeds 0-4 --backends tensorflow jax`.

Each row counts all runs of one version, those that failed included. A version is the notebook's cells, the parts of
coursekit that they reach, the data, and the versions of Python, NumPy, Keras and the backend. The last column says
whether it is the present one (as far as cells, coursekit and data go), or what has changed since; `coursekit run
--stale` runs what has. Minutes are the median (least to most) of the runs that went well, on a machine that also did
other work.
"""
COLUMNS = ("Notebook", "Profile", "Backend", "Device", "Seeds", "Runs", "Minutes", "Peak MB", "Claims held")
COLUMNS += ("Exercises", "Date", "Present version")


def results_pages(paths):
    """{name: markdown} of the pages, by their names in docs/."""
    rows, pages = [], {}
    for path in paths:
        every = read_lines(results_file(path.stem))
        notebook = notebooks.read(path)
        present = notebooks.content_hash(notebook), code_key(notebook)
        groups = _groups(every, present)
        rows += [_row(path, group, present) for group in groups]
        rows += [_no_run(path, backend) for backend in _not_run(notebook, groups)]
        if every:
            pages[f"results/{path.stem}.md"] = _page(path, every, groups, present)
    table = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}", *rows]
    return {"results.md": "\n".join([HEAD, *table]) + "\n", **pages}


def _groups(every, present):
    """For each profile, backend and device the runs of the one key that is shown, `quick` first."""
    groups = defaultdict(list)
    for run in every:
        groups[run["profile"] != "quick", list(BACKENDS).index(run["backend"]), _device(run)].append(run)
    return [_shown(groups[key], present) for key in sorted(groups)]


def _shown(runs, present):
    """The runs with the newest key of the present version, or with the newest key of all."""
    newest = max(runs, key=lambda run: (run.get("code") == present[1], run["date"]))
    return [run for run in runs if _version(run) == _version(newest)]


def _version(run):
    return run["hash"], run.get("code"), run.get("key")


def _device(run):
    return run["machine"] if run["device"] == "CPU" else run["device"]


def _not_run(notebook, groups):
    """The backends that a notebook is meant for and that the ledger has no run at `quick` on."""
    run = {group[0]["backend"] for group in groups if group[0]["profile"] == "quick"}
    return [one for one in BACKENDS if one in notebooks.about(notebook).get("backends", BACKENDS) and one not in run]


# --- the table --------------------------------------------------------------------------------------------------------
def _row(path, runs, present):
    good = [run for run in runs if run["status"] == "ok"] or runs
    minutes = [run["minutes"] for run in good]
    failed = len(runs) - sum(run["status"] == "ok" for run in runs)
    cells = [
        _link(path),
        runs[0]["profile"],
        BACKENDS[runs[0]["backend"]],
        _device(runs[0]),
        _numbers_of(run["seed"] for run in runs),
        f"{len(runs)}, {failed} failed" if failed else str(len(runs)),
        f"{statistics.median(minutes):.1f} ({min(minutes):.1f} to {max(minutes):.1f})",
        f"{max(run['peak_mb'] for run in runs):,}",
        f"[{_count(made['held'] for run in runs for made in run['claims'])}](results/{path.stem}.md)",
        _count(outcome == "right" for run in runs for outcome in run["exercises"].values()),
        max(run["date"] for run in runs)[:10],
        _covers(runs, present),
    ]
    return f"| {' | '.join(cells)} |"


def _no_run(path, backend):
    cells = [_link(path), "quick", BACKENDS[backend], *[""] * (len(COLUMNS) - 4), "no run recorded"]
    return f"| {' | '.join(cells)} |"


def _covers(runs, present):
    """Whether these runs cover the present version, in words."""
    cells, code = present
    if runs[0].get("code") == code:
        good = {run["seed"] for run in runs if run["status"] == "ok"}
        lacking = {run["seed"] for run in runs} - good
        return f"yes, but not seed {_numbers_of(lacking)}" if lacking else "yes"
    if runs[0]["hash"] != cells:
        return "cells changed since"
    return "coursekit or data changed since" if runs[0].get("code") else "cells yes, coursekit not known"


def _count(truths):
    truths = list(truths)
    return f"{sum(truths)} of {len(truths)}"


def _numbers_of(seeds):
    seeds = sorted(set(seeds))
    together = len(seeds) > 1 and seeds == list(range(seeds[0], seeds[-1] + 1))
    return f"{seeds[0]}–{seeds[-1]}" if together else ", ".join(map(str, seeds))


def _link(path, up=".."):
    return f"[{path.stem.replace('_', ' ')}]({up}/notebooks/{path.name})"


# --- a notebook's page ------------------------------------------------------------------------------------------------
def _page(path, every, groups, present):
    """A notebook's claims, the runs that failed, and when earlier versions were run."""
    lines = [f"# Results of {path.stem.replace('_', ' ')}", ""]
    lines += [f"The claims of {_link(path, '../..')} in the runs of the [table](../results.md)."]
    now = [run for group in groups for run in group if run.get("code") == present[1]]
    before = [run for group in groups for run in group if run.get("code") != present[1]]
    if now:
        lines += ["", "## Claims", "", *_claims(now)]
    if before:
        lines += ["", "## Claims of an earlier version", "", _changed(before, present, bool(now)), "", *_claims(before)]
    shown = now + before
    lines += _failures(shown)
    earlier = [run for run in every if run not in shown]
    if earlier:
        dates, failed = [run["date"][:10] for run in earlier], sum(run["status"] != "ok" for run in earlier)
        lines += ["", "## Earlier versions", ""]
        runs = "1 more run" if len(earlier) == 1 else f"{len(earlier)} more runs"
        lines += [f"{runs} from {min(dates)} to {max(dates)}, of which {failed} failed."]
    return "\n".join(lines) + "\n"


def _changed(runs, present, some_are_new):
    """What has changed since these runs, as a sentence."""
    which = "On what the table shows as an earlier version: " if some_are_new else ""
    since = [run for run in runs if run["hash"] != present[0]]
    what = "the notebook's cells have" if len(since) == len(runs) else "the cells, coursekit or the data may have"
    return f"*{which}{what} changed since these runs, the last of {max(run['date'] for run in runs)[:10]}.*"


def _claims(runs):
    """A list of claims: in how many runs each held, and the numbers that it recorded."""
    made = defaultdict(list)
    for run in sorted(runs, key=lambda run: run["seed"]):
        for one in run["claims"]:
            made[one["sentence"]].append((run["profile"], one))
    return [
        f"- {sentence}: held in {_count(one['held'] for _, one in ones)} runs{_numbers(ones)}"
        for sentence, ones in made.items()
    ]


def _failures(runs):
    """The runs that failed, and why."""
    failed = [run for run in runs if run["status"] != "ok"]
    lines = ["", "## Runs that failed", ""] if failed else []
    for run in failed:
        where = f"{BACKENDS[run['backend']]}, seed {run['seed']}, `{run['profile']}`"
        lines.append(f"- {run['date'][:10]}, {where}: {' '.join(run['error'].split())}")
    return lines


def _numbers(ones):
    """The recorded numbers of a claim as mean ± deviation (least to greatest), for each profile."""
    values = defaultdict(list)
    for profile, one in ones:
        for name, value in one["values"].items():
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                values[name, profile].append(value)
    told = [f"{name} at `{profile}` {_spread(numbers)}" for (name, profile), numbers in values.items()]
    return "; " + ", ".join(told) if told else ""


def _spread(numbers):
    if len(numbers) == 1:
        return f"{numbers[0]:.4g}"
    mean, deviation = statistics.fmean(numbers), statistics.stdev(numbers)
    return f"{mean:.4g} ± {deviation:.2g} ({min(numbers):.4g} to {max(numbers):.4g})"
