"""The course map: the notebooks that there are, and which each one needs first."""

import json

from coursekit.paths import data_dir
from coursekit.plots.style import COLORS, GRAY, figure, finish


def course_map():
    """Draw the notebooks of the course with arrows from each to those that need it."""
    course = json.loads((data_dir() / "course.json").read_text(encoding="utf-8"))
    draw_course_map(course)
    needs = [f"{one['name'][:2]} needs {' and '.join(need[:2] for need in one['requires'])}" for one in course[1:]]
    finish("; ".join([f"The course so far has {len(course)} notebook{'s' if needs else ''}", *needs]) + ".")


def draw_course_map(course):
    """The map as a figure. `course`: list of dictionaries with name, title and requires, in the order of the course.

    A notebook stands one row below the last that it needs; one that is still to be written has a dashed frame.
    """
    needs = {one["name"]: one["requires"] for one in course}
    titles = {one["name"]: f"{one['name'][:2]} {one['title']}" for one in course}
    for need in (need for one in course for need in one["requires"]):
        titles.setdefault(need, f"{need.replace('_', ' ')} (to come)")
    row = {}
    for name in sorted(titles):
        row[name] = 1 + max((row.get(need, -1) for need in needs.get(name, [])), default=-1)
    rows = [[name for name in row if row[name] == number] for number in range(max(row.values()) + 1)]
    place = {name: (x - (len(names) - 1) / 2, -y) for y, names in enumerate(rows) for x, name in enumerate(names)}
    widest = max(map(len, rows))
    fig, ax = figure(2.7 * widest + 0.3, 0.75 * len(rows) + 0.2)
    for name, (x, y) in place.items():
        edge = {"edgecolor": COLORS[0]} if name in needs else {"edgecolor": GRAY, "linestyle": "--"}
        box = {"boxstyle": "round,pad=0.45", "facecolor": "white", **edge}
        ax.text(x, y, titles[name], ha="center", va="center", bbox=box, zorder=2)
    for name, (x, y) in place.items():
        for need in needs.get(name, []):
            above_x, above_y = place[need]
            arrow = {"arrowstyle": "->", "color": GRAY, "shrinkA": 0, "shrinkB": 1}
            ax.annotate("", (x, y + 0.24), (above_x, above_y - 0.24), arrowprops=arrow, zorder=1)
    ax.set(xlim=(-widest / 2, widest / 2), ylim=(-len(rows) + 0.5, 0.5))
    ax.axis("off")
    return fig
