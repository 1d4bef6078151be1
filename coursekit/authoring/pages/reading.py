"""How long a notebook takes to read: its core, and all of it with the sections that go deeper.

A section is deeper where its heading says so: `## 7. Deeper: …`. All others are the core, which is what a reader must
know to go on. Solutions and generated cells are not counted.
"""

import re
from dataclasses import dataclass

from coursekit.authoring import notebooks

WORDS_A_MINUTE = 200  # of prose (Brysbaert, 2019, found 238 for silent reading in one's first language)
LINES_A_MINUTE = 4  # of code
HEADING = re.compile(r"^## (?:\d+\. )?(Deeper: )?", re.MULTILINE)
EXERCISE = re.compile(r"^#+ Exercise \d+\.\d+", re.MULTILINE)
FORMULA = re.compile(r"\$\$.*?\$\$|\$[^$]*\$", re.DOTALL)
WORD = re.compile(r"[A-Za-z][\w'-]*")
NOT_READ = {"title", "box", "setup", "solution", "terms"}


@dataclass(frozen=True)
class Length:
    """Words of prose, without formulas, and lines of code, without empty ones."""

    words: int = 0
    lines: int = 0

    def __add__(self, other):
        return Length(self.words + other.words, self.lines + other.lines)

    @property
    def minutes(self):
        """Minutes to read it, to the next five."""
        exact = self.words / WORDS_A_MINUTE + self.lines / LINES_A_MINUTE
        return max(5, 5 * round(exact / 5))


def lengths(notebook):
    """(core, all): the `Length` of what one must read to go on, and of the whole notebook."""
    core = whole = Length()
    deeper = False
    for cell in notebook.cells:
        if NOT_READ & set(notebooks.tags(cell)):
            continue
        heading = HEADING.search(cell.source) if cell.cell_type == "markdown" else None
        deeper = bool(heading[1]) if heading else deeper
        length = _length(cell)
        whole += length
        core += Length() if deeper else length
    return core, whole


def exercises(notebook):
    """How many exercises the notebook has."""
    return sum(len(EXERCISE.findall(cell.source)) for cell in notebook.cells if cell.cell_type == "markdown")


def in_words(notebook):
    """The time to read a notebook and its exercises as part of a sentence."""
    core, whole = (length.minutes for length in lengths(notebook))
    count = exercises(notebook)
    read = f"about {core} minutes to read the core, {whole} for all of it"
    if core == whole:
        read = f"about {whole} minutes to read"
    solve = f", {count} exercise{'s' if count > 1 else ''}" if count else ""
    return f"{read}{solve}"


def _length(cell):
    if cell.cell_type == "markdown":
        return Length(words=len(WORD.findall(FORMULA.sub(" ", cell.source))))
    return Length(lines=sum(bool(line.strip()) for line in cell.source.splitlines()))
