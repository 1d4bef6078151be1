"""Every exercise of every notebook has its checker, a gap that is one, and a solution apart from it.

That the gaps are not attempted and the solutions right is checked where the notebooks run, by nbval.
"""

import pytest

from coursekit import exercises
from coursekit.authoring import lint, notebooks

NOTEBOOKS = notebooks.find()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_exercise_has_a_checker_and_each_checker_an_exercise(path):
    page = lint.Page(path, notebooks.read(path))
    asked = [found for _, cell in page.tagged("exercise") for found in lint._checks(cell)]
    assert asked == exercises.ids(path.stem[:2])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_solutions_do_not_stand_in_the_gaps(path):
    page = lint.Page(path, notebooks.read(path))
    gaps = [cell.source for _, cell in page.tagged("exercise")]
    assert all("..." in source for source in gaps)
    assert not set(gaps) & {cell.source for _, cell in page.tagged("solution")}
