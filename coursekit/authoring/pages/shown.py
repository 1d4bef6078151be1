"""What the stored outputs of a notebook show: its claims with their evidence, its figures with their captions.

Both are printed wrapped at words, by `claim` and by `plots.style.finish`. They are read back by wrapping them again:
the lines that come out the same belong together.
"""

import base64
import re
import textwrap
from dataclasses import dataclass

from coursekit.plots.style import LINE

HEADING = re.compile(r"##? +(.+)")


@dataclass(frozen=True)
class Claim:
    """A claim that held: the sentence, the evidence (empty where none was printed), and the number of its section."""

    sentence: str
    evidence: str
    section: int


@dataclass(frozen=True)
class Figure:
    """A figure as a PNG file's bytes, its caption (empty where none was printed), and the number of its section."""

    png: bytes
    caption: str
    section: int


def sections(notebook):
    """The headings of the first and second level, in order. A section's number is its place in this list."""
    return [match[1] for cell in notebook.cells if (match := heading(cell))]


def heading(cell):
    """The match of a cell that starts with a heading of the first or second level, or None."""
    return HEADING.match(cell.source) if cell.cell_type == "markdown" else None


def claims(notebook):
    """The claims of a notebook, from its stored outputs."""
    made = []
    for section, cell in _by_section(notebook):
        for output in cell.outputs:
            lines = output.text.split("\n") if output.output_type == "stream" else []
            starts = [i for i, line in enumerate(lines) if line.startswith("✓ ") and line[2:11] != "Exercise "]
            for i in starts:
                made.append(Claim(*_evidence(_unwrap(lines[i:], _as_claim)[2:]), section))
    return made


def figures(notebook):
    """The figures of a notebook, from its stored outputs."""
    return [
        Figure(base64.b64decode(cell.outputs[place]["data"]["image/png"]), caption, section)
        for section, cell in _by_section(notebook)
        for place, caption in pictures(cell)
    ]


def pictures(cell):
    """The places of a cell's outputs that are pictures, each with the caption printed right after it."""
    places = []
    for place, output in enumerate(cell.outputs):
        if "image/png" in output.get("data", {}):
            printed = "".join(after.get("text", "") for after in cell.outputs[place + 1 : place + 2])
            places.append((place, _unwrap(printed.split("\n"), as_caption)))
    return places


def as_caption(text):
    """A caption as `plots.style.finish` prints it."""
    return textwrap.fill(text, LINE)


def _by_section(notebook):
    section = -1
    for cell in notebook.cells:
        section += bool(heading(cell))
        if cell.cell_type == "code":
            yield section, cell


def _as_claim(text):
    return textwrap.fill(text, LINE, subsequent_indent="  ", break_on_hyphens=False)


def _unwrap(lines, wrap):
    """The text whose wrapped form is the most of the first `lines`."""
    text, whole = "", ""
    for count, line in enumerate(lines, 1):
        broken_word = wrap is as_caption and re.search(r"\w-$", text)
        text += line if count == 1 or broken_word else f" {line.strip()}"
        if wrap(text).split("\n") == lines[:count]:
            whole = text
        elif whole:
            break
    return whole


def _evidence(text):
    """A claim's sentence and evidence: what stands in the brackets at its end, whatever brackets are in those."""
    depth = 0
    for i in range(len(text) - 1, 0, -1) if text.endswith(")") else ():
        depth += (text[i] == ")") - (text[i] == "(")
        if depth == 0:
            return text[:i].rstrip(), text[i + 1 : -1]
    return text, ""
