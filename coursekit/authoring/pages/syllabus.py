"""The syllabus: the course laid out over 6 and over 12 weeks, made by `coursekit index` as docs/syllabus.md.

What follows from the notebooks is computed: the order from `requires`, the running time from the records, the time to
read and to solve from the length of the pages and the number of exercises. A week is a run of consecutive parts; the
weeks are cut so that the longest is as short as it can be.
"""

import re
from dataclasses import dataclass

from coursekit.authoring import notebooks
from coursekit.errors import CoursekitError

WEEKS = (6, 12)
WORDS_A_MINUTE = 100  # of text and code; silent reading of plain prose is more than twice as fast (Brysbaert, 2019)
MINUTES_AN_EXERCISE = 15
SECTION = re.compile(r"^## (\d+)\. (.+)$", re.MULTILINE)
EXERCISE = re.compile(r"^#+ Exercise (\d+\.\d+)", re.MULTILINE)

HEAD = """# Syllabus

Made by `coursekit index` for 6 and for 12 weeks. Every week needs only what earlier weeks taught. The hours are an
estimate for a student on their own: {words} words of text or code a minute, {exercise} minutes an exercise, and the
measured running time of the cells on two cores. Nobody has timed a class; scale them to yours after the first week.
The numbers after a notebook are its sections.
"""


@dataclass(frozen=True)
class Part:
    """Consecutive sections of one notebook: their numbers, the exercises in them and the minutes they take."""

    path: object
    title: str
    sections: tuple
    whole: bool
    exercises: tuple
    minutes: float


def syllabus(paths, minutes_of):
    """The page as markdown. `minutes_of` gives a notebook's running time in minutes, or None."""
    parts = [_parts(path, minutes_of(path.stem) or 0) for path in in_order(paths)]
    lines = [HEAD.format(words=WORDS_A_MINUTE, exercise=MINUTES_AN_EXERCISE)]
    for weeks in WEEKS:
        lines += [f"## In {weeks} weeks", "", *_table(_weeks(parts, weeks)), ""]
    return "\n".join([*lines, *_ends(paths)]) + "\n"


def in_order(paths):
    """The notebooks in an order in which each stands after all that it requires; by number where that is free."""
    waiting = {path.stem: path for path in sorted(paths)}
    needs = {name: set(notebooks.about(notebooks.read(path))["requires"]) for name, path in waiting.items()}
    ordered = []
    while waiting:
        ready = [name for name in waiting if not needs[name] & waiting.keys()]
        if not ready:
            raise CoursekitError(f"{', '.join(waiting)} require each other in a circle; correct `requires` in one")
        ordered.append(waiting.pop(ready[0]))
    return ordered


def cut(costs, runs):
    """Cut a list of costs into `runs` runs whose dearest is as cheap as it can be: a list of (start, end).

    The least bound that suffices is a sum of consecutive costs. Runs are filled up to it from the left; where that
    leaves fewer than asked for, the dearest that can be halved are. A list of fewer costs gives a run for each.
    """
    sums = sorted({sum(costs[i:j]) for i in range(len(costs)) for j in range(i + 1, len(costs) + 1)})
    ranges = next(filled for bound in sums if (filled := _fill(costs, bound)) and len(filled) <= runs)
    while len(ranges) < min(runs, len(costs)):
        start, end = max((part for part in ranges if part[1] - part[0] > 1), key=lambda part: sum(costs[slice(*part)]))
        middle, where = start + _half(costs[start:end]), ranges.index((start, end))
        ranges[where : where + 1] = [(start, middle), (middle, end)]
    return ranges


def _half(costs):
    """Where to cut at least two costs in two so that the dearer side is as cheap as it can be."""
    return min(range(1, len(costs)), key=lambda i: max(sum(costs[:i]), sum(costs[i:])))


def _fill(costs, bound):
    """Runs filled from the left as far as `bound` allows, or None where one cost alone is above it."""
    runs, start = [], 0
    while start < len(costs):
        end = start
        while end < len(costs) and sum(costs[start : end + 1]) <= bound + 1e-9:
            end += 1
        if end == start:
            return None
        runs.append((start, end))
        start = end
    return runs


def _parts(path, running):
    """A notebook's sections, each as a part; what stands before the first belongs to it."""
    notebook = notebooks.read(path)
    title, sections = notebooks.about(notebook)["title"], [[1, 0, []]]
    for cell in notebook.cells:
        if {"solution", "setup", "title"} & set(notebooks.tags(cell)):
            continue
        heading = SECTION.search(cell.source) if cell.cell_type == "markdown" else None
        if heading and int(heading[1]) > sections[-1][0]:
            sections.append([int(heading[1]), 0, []])
        sections[-1][1] += len(cell.source.split())
        sections[-1][2] += EXERCISE.findall(cell.source) if cell.cell_type == "markdown" else []
    share = running / len(sections)
    return [
        Part(
            path,
            title,
            (number,),
            len(sections) == 1,
            tuple(exercises),
            words / WORDS_A_MINUTE + MINUTES_AN_EXERCISE * len(exercises) + share,
        )
        for number, words, exercises in sections
    ]


def _joined(parts, whole):
    return Part(
        parts[0].path,
        parts[0].title,
        tuple(number for part in parts for number in part.sections),
        whole,
        tuple(exercise for part in parts for exercise in part.exercises),
        sum(part.minutes for part in parts),
    )


def _weeks(courses, weeks):
    """Lists of parts, one a week. Notebooks stay whole; where there are too few for that, the longest are halved."""
    units = [list(sections) for sections in courses]
    while len(units) < weeks and any(len(unit) > 1 for unit in units):
        longest = max((unit for unit in units if len(unit) > 1), key=lambda unit: sum(part.minutes for part in unit))
        half, where = _half([part.minutes for part in longest]), units.index(longest)
        units[where : where + 1] = [longest[:half], longest[half:]]
    whole = {sections[0].path: len(sections) for sections in courses}
    joined = [_joined(unit, len(unit) == whole[unit[0].path]) for unit in units]
    return [joined[start:end] for start, end in cut([unit.minutes for unit in joined], weeks)]


def _table(weeks):
    rows = ["| Week | Read and run | Exercises | Hours |", "|---|---|---|---|"]
    for number, parts in enumerate(weeks, 1):
        read = "; ".join(_named(part) for part in parts)
        exercises = ", ".join(_span(part.exercises) for part in parts if part.exercises) or "–"
        rows.append(f"| {number} | {read} | {exercises} | {sum(part.minutes for part in parts) / 60:.1f} |")
    return rows


def _named(part):
    link = f"[{part.path.stem[:2]} {part.title}](../notebooks/{part.path.name})"
    return link if part.whole else f"{link}, {_span(part.sections)}"


def _span(numbers):
    return f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else str(numbers[0])


def _ends(paths):
    """What may be left out: the notebooks on which no other builds."""
    about = {path: notebooks.about(notebooks.read(path)) for path in paths}
    needed = {name for metadata in about.values() for name in metadata["requires"]}
    free = [f"[{path.stem[:2]} {about[path]['title']}](../notebooks/{path.name})" for path in paths]
    free = [link for path, link in zip(paths, free, strict=True) if path.stem not in needed]
    return [
        "## What can be left out",
        "",
        f"No other notebook builds on {', '.join(free)}. Leave out one on which others build, and they have to go too.",
    ]
