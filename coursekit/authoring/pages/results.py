"""The page of results: what the recorded runs of every notebook took, and which of their claims held.

`coursekit index` writes it to docs/results.md from data/results/. Of each notebook only the newest recorded version
counts, told by the hash of its cells; where the notebook has changed since, the page says so.
"""

import statistics
from collections import defaultdict

from coursekit.authoring import notebooks
from coursekit.records import read_lines, results_file
from coursekit.session import BACKENDS

HEAD = """# Results

Made by `coursekit index` from `data/results/`, to which `coursekit run` adds a line for every notebook, seed, backend
and profile that it executes. A claim is a sentence that a notebook asserts about its own results. Anyone can repeat the
runs: `coursekit run --seeds 0-4 --backends tensorflow jax`. Minutes are the median (least to most) over the seeds, on a
machine that also did other work.
"""


def results_page(paths):
    """The page as markdown: a table of runs, then each notebook's claims."""
    pages = [(path, *_newest_version(path)) for path in paths]
    lines = [HEAD]
    lines += ["| Notebook | Profile | Backend | Seeds | Minutes | Peak MB | Claims held | Exercises | Device | Date |"]
    lines += ["|---|---|---|---|---|---|---|---|---|---|"]
    for path, runs, _ in pages:
        lines += [_row(path, group) for group in _groups(runs)] or [
            f"| {_link(path)} | no run recorded yet |" + " |" * 8
        ]
    for path, runs, changed in pages:
        if runs:
            lines += ["", *_claims(path, runs, changed)]
    return "\n".join(lines) + "\n"


def _newest_version(path):
    """The newest record for each backend, seed and profile of one version, and whether that is an old one."""
    runs = read_lines(results_file(path.stem))
    if not runs:
        return [], False
    current = notebooks.content_hash(notebooks.read(path))
    mark = current if any(run["hash"] == current for run in runs) else max(runs, key=lambda run: run["date"])["hash"]
    newest = {}
    for run in runs:
        if run["hash"] == mark:
            newest[run["profile"], run["backend"], run["seed"]] = run
    return list(newest.values()), mark != current


def _groups(runs):
    """The runs by profile, backend and device, `quick` first."""
    groups = defaultdict(list)
    for run in sorted(runs, key=lambda run: run["seed"]):
        groups[run["profile"] != "quick", list(BACKENDS).index(run["backend"]), run["device"]].append(run)
    return [groups[key] for key in sorted(groups)]


def _row(path, runs):
    minutes, memory = [run["minutes"] for run in runs], max(run["peak_mb"] for run in runs)
    held = sum(made["held"] for run in runs for made in run["claims"])
    made = sum(len(run["claims"]) for run in runs)
    solved = sum(outcome == "right" for run in runs for outcome in run["exercises"].values())
    exercises = sum(len(run["exercises"]) for run in runs)
    first, device = runs[0], _device(runs[0])
    cells = [
        _link(path),
        first["profile"],
        BACKENDS[first["backend"]],
        _seeds(runs),
        f"{statistics.median(minutes):.1f} ({min(minutes):.1f} to {max(minutes):.1f})",
        f"{memory:,}",
        f"{held} of {made}",
        f"{solved} of {exercises}",
        device,
        max(run["date"] for run in runs)[:10],
    ]
    return f"| {' | '.join(cells)} |"


def _device(run):
    return run["machine"] if run["device"] == "CPU" else run["device"]


def _seeds(runs):
    seeds = sorted(run["seed"] for run in runs)
    together = len(seeds) > 1 and seeds == list(range(seeds[0], seeds[-1] + 1))
    return f"{seeds[0]}–{seeds[-1]}" if together else ", ".join(map(str, seeds))


def _link(path):
    return f"[{path.stem.replace('_', ' ')}](../notebooks/{path.name})"


def _claims(path, runs, changed):
    """A list of a notebook's claims: in how many runs each held, and the numbers that it recorded."""
    made = defaultdict(list)
    for run in runs:
        for one in run["claims"]:
            made[one["sentence"]].append((run["profile"], one))
    lines = [f"## {path.stem.replace('_', ' ')}", ""]
    if changed:
        lines += ["*The notebook has changed since these runs; they show the version before.*", ""]
    for sentence, ones in made.items():
        held = sum(one["held"] for _, one in ones)
        lines.append(f"- {sentence}: held in {held} of {len(ones)} runs{_numbers(ones)}")
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
