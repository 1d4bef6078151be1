"""The page docs/compatibility.md: with which Pythons and packages the notebooks ran, what failed, what warned.

It is made from the records of `coursekit rot`, and needs nothing but the standard library.
"""

from collections import defaultdict

PACKAGES = {"keras": "Keras", "tensorflow": "TensorFlow", "jax": "JAX", "numpy": "NumPy"}
CHOICES = ("oldest", "locked", "newest")
COLUMNS = ("Python", "Versions", *PACKAGES.values(), "Notebooks that ran", "Install", "Run", "Warnings", "Date")
COLUMNS += ("Machine",)
HEAD = """# Compatibility

Made by `coursekit index` from `data/results/rot.jsonl`, to which `coursekit rot` adds a line for each environment that
it makes: a Python, and the packages in the oldest versions that `pyproject.toml` allows, in those of `constraints.txt`
(locked), or in the newest that there are. In each the notebooks run at `quick` on TensorFlow with seed 0. A row shows
the newest such run; one of some notebooks only where there is none of all. *Install* and *Run* are minutes, *Warnings*
the kinds of deprecation warnings, without those that a page silences or that come from processes which it starts.
Cells are counted from 0, those with prose too.
"""
SETUP = "# Set-up, the same in every notebook"  # how that cell begins
FEW = 3  # places that are told with the cell's first line


def page(records):
    """The page as markdown, from all records, oldest first."""
    shown = _shown(records)
    if not shown:
        return f"{HEAD}\nNo run is recorded yet.\n"
    lines = [HEAD, f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}", *map(_row, shown)]
    lines += ["", "## What failed", "", *(_failures(shown) or ["Nothing."])]
    lines += ["", "## Deprecation warnings", "", *(_warnings(shown) or ["None."])]
    return "\n".join(lines) + "\n"


def in_words(record):
    """A record as lines for a terminal."""
    lines = [f"{_name(record)}: {_how_many(record)}"]
    if "minutes" in record:
        lines[0] += f"; {record['minutes']} min, {_kinds(record)} kinds of deprecation warnings"
    lines[0] += f": {record['reason']}" if record.get("reason") else ""
    return lines + [f"  ✗ {one['notebook']}: {one['error']}" for one in record.get("failed", [])]


def _shown(records):
    """The record of each Python and choice of versions that counts, in order."""
    newest = {}
    for record in sorted(records, key=_weight):
        newest[_order(record)] = record
    return [newest[key] for key in sorted(newest)]


def _weight(record):
    """A Python that wasn't there says nothing of the course; all notebooks say more than some; and then the date."""
    return record["outcome"] != "not found", not record["only"], record["date"]


def _order(record):
    return *map(int, record["python"].split(".")), CHOICES.index(record["versions"])


def _name(record):
    return f"{record['python']} {record['versions']}"


def _how_many(record):
    """How many notebooks ran, or that none did."""
    if "notebooks" not in record:
        return record["outcome"]
    told = f"{record['notebooks'] - len(record['failed'])} of {record['notebooks']}"
    told += f" (only {', '.join(record['only'])})" if record["only"] else ""
    return f"{told}, then stopped" if record["outcome"] == "stopped" else told


def _kinds(record):
    """How many kinds of warnings, wherever in a package they point at."""
    if "warnings" not in record:
        return ""
    return str(len({(one["package"], one["category"], one["message"]) for one in record["warnings"]}))


def _row(record):
    installed = record.get("installed", {})
    cells = [
        installed.get("python", record["python"]),
        record["versions"],
        *[installed.get(name, "–") for name in PACKAGES],
        _how_many(record),
        str(record.get("install_minutes", "")),
        str(record.get("minutes", "")),
        _kinds(record),
        record["date"][:10],
        record["machine"],
    ]
    return f"| {' | '.join(cells)} |"


def _failures(shown):
    """A line for each environment that nothing ran in, and for each notebook and error, with its environments."""
    stopped = [f"- {_name(one)}, {one['outcome']}: {_code(one['reason'])}" for one in shown if one.get("reason")]
    met = defaultdict(list)
    for record in shown:
        for one in record.get("failed", []):
            met[one["notebook"], one["error"]].append(_name(record))
    told = [f"- {notebook}: {_code(error)} ({', '.join(where)})" for (notebook, error), where in sorted(met.items())]
    return stopped + told


def _warnings(shown):
    """For each package that has to change something a heading, and each warning with its cells and environments."""
    met = defaultdict(lambda: defaultdict(list))
    for record in shown:
        for one in record.get("warnings", []):
            met[one["package"]][one["category"], one["message"]].append((_name(record), one))
    lines = []
    for package in sorted(met, key=lambda name: (name != "the notebooks", name != "coursekit", name.lower())):
        lines += ["", f"### {package[0].upper() + package[1:] if ' ' in package else package}", ""]
        lines += [_warning(kind, ones) for kind, ones in sorted(met[package].items())]
    return lines[1:]


def _warning(kind, ones):
    """One warning: what, where in the package, in which environments, and from which cells."""
    category, message = kind
    places = ", ".join(sorted({_code(one["place"]) for _, one in ones if one["place"]})[:FEW])
    where = ", ".join(dict.fromkeys(name for name, _ in ones))
    cells = {(cell["notebook"], cell["cell"]): cell["first"] for _, one in ones for cell in one["cells"]}
    at = f", at {places}" if places else ""
    return f"- {category}: {_code(message)}{at} ({where}). From {_cells(cells)}"


def _cells(cells):
    """Cells in words: {(notebook, number): first line}, with these lines where there are few."""
    if len(cells) <= FEW:
        told = lambda first: "set-up" if first.startswith(SETUP) else _code(first)
        return "; ".join(f"{name} cell {number} ({told(first)})" for (name, number), first in sorted(cells.items()))
    numbers = defaultdict(list)
    for (name, number), first in sorted(cells.items()):
        numbers[name].append("set-up" if first.startswith(SETUP) else str(number))
    return "; ".join(f"{name[:2]} cell{'s' * (len(of) > 1)} {', '.join(of)}" for name, of in numbers.items())


def _code(text):
    """Text as code, in one line."""
    return f"`{' '.join(text.split()).replace('`', chr(39))}`"
