"""How long a notebook takes to read: what counts, and what is core."""

import pytest
from helpers import make_notebook

from coursekit.authoring.pages import reading

PROSE = " ".join(["word"] * 1000)
CODE = "\n".join(f"x{i} = {i}" for i in range(40)) + "\n\n"


def test_words_and_lines_are_counted_and_formulas_are_not():
    core, whole = reading.lengths(make_notebook("md:Two words $a + b$ and\n$$\nc = d\n$$\nno more.", "x = 1\n\ny = 2"))
    assert core == whole == reading.Length(words=5, lines=2)


def test_a_deeper_section_ends_with_the_next_heading():
    notebook = make_notebook(
        "md:## 1. First\none", "x = 1", "md:## 2. Deeper: why\ntwo three", "y = 2", "md:## 3. Third"
    )
    core, whole = reading.lengths(notebook)
    assert (core.words, core.lines, whole.words, whole.lines) == (3, 1, 7, 2)


@pytest.mark.parametrize("tag", sorted(reading.NOT_READ))
def test_generated_cells_and_solutions_are_not_counted(tag):
    assert reading.lengths(make_notebook(("x = 1", [tag]), ("md:a word", [tag])))[1] == reading.Length()


@pytest.mark.parametrize(
    "cells, words",
    [
        ([f"md:{PROSE}", CODE], "about 15 minutes to read"),
        (
            [
                f"md:## 1. A\n{PROSE}",
                f"md:## 2. Deeper: b\n{PROSE}",
                CODE,
                "md:### Exercise 9.1: a\n### Exercise 9.2: b",
            ],
            "about 5 minutes to read the core, 20 for all of it, 2 exercises",
        ),
        (["md:short", "md:## Exercise 9.1: only"], "about 5 minutes to read, 1 exercise"),
    ],
)
def test_the_time_is_said_in_words(cells, words):
    assert reading.in_words(make_notebook(*cells)) == words
