"""The first page of the site, and the chapters in a table: what the course is, for whom, and where to start.

The README and the site show the same table.
"""

from coursekit.authoring import notebooks
from coursekit.authoring.pages import reading, shown

HEAD = """# Deep learning, with every claim checked

{count} notebooks, from tensors to transformers, diffusion models and small networks for small machines. For everyone
who knows a little Python and wants to understand what a network does, and to see it happen.

**[Start with notebook 00](notebooks/{first}.ipynb)**, or [install the course](README.md) and run it.

![A part of a notebook: code, its figure, and a claim with its evidence](docs/images/page.png)

- **It runs on a laptop.** Each notebook needs no network and about a minute; the same cells make the full-size result
  on a GPU.
- **Every statement about a result is an assertion.** {claims} sentences are tested whenever the notebooks run: the
  [claims](docs/claims.md), and [what other seeds and backends gave](docs/results.md).
- **Every exercise checks your answer.** {exercises} exercises say what is likely wrong, and the checks are tested
  themselves.

## The chapters

A button at the top of each page shows its *core only*: what a first reading needs. *Core* below is how long that takes.

{chapters}

An arrow leads from each chapter to those that build on it:

![The course map](docs/course_map.svg)

Teaching it? The [syllabus](docs/syllabus.md) lays it out over {weeks}, and [grading](docs/grading.md) says how homework
is collected and marked. A word is new? The [glossary](docs/glossary.md) has them all.
"""


def front_page(course, minutes, weeks="6 or 12 weeks"):
    """The page as markdown. course: {name: notebook}; minutes: {name: minutes of a run, or None}."""
    first = next(iter(course))
    return HEAD.format(
        count=len(course),
        first=first,
        weeks=weeks,
        claims=f"{sum(len(shown.claims(one)) for one in course.values()):,}",
        exercises=sum(reading.exercises(one) for one in course.values()),
        chapters="\n".join(chapter_table(course, minutes, folder="notebooks/")),
    )


def chapter_table(course, minutes, folder, link=lambda name: ""):
    """The lines of a table of all chapters: course and minutes as above; `link(name)` may add to a chapter's link."""
    lines = ["| | Chapter | What it is about | Needs | Core | Runs | Claims | Exercises |", f"|{'---|' * 8}"]
    for name, notebook in course.items():
        about, (core, _) = notebooks.about(notebook), reading.lengths(notebook)
        needs = ", ".join(need[:2] for need in about["requires"]) or "–"
        runs = f"{minutes[name]} min" if minutes[name] else "–"
        claims, exercises = len(shown.claims(notebook)), reading.exercises(notebook)
        title = f"[{about['title']}]({folder}{name}.ipynb){link(name)}"
        numbers = f"{core.minutes} min | {runs} | {claims} | {exercises}"
        lines.append(f"| {name[:2]} | {title} | {about['summary']} | {needs} | {numbers} |")
    return lines
