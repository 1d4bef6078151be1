"""The syllabus: nothing before what it needs, every section once, and weeks as even as they can be."""

import json
import re
from itertools import combinations, groupby, pairwise

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.authoring import notebooks
from coursekit.authoring.pages import index, syllabus
from coursekit.authoring.pages.index import minutes_of
from coursekit.errors import CoursekitError


def dearest(costs, runs):
    return max(sum(costs[start:end]) for start, end in runs)


def every_way(costs, runs):
    for inner in combinations(range(1, len(costs)), runs - 1):
        marks = [0, *inner, len(costs)]
        yield list(pairwise(marks))


@settings(deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=9), st.integers(1, 9))
def test_no_other_cut_has_a_cheaper_dearest_run(costs, runs):
    found = syllabus.cut(costs, runs)
    assert [i for start, end in found for i in range(start, end)] == list(range(len(costs)))
    assert len(found) == min(runs, len(costs))
    assert dearest(costs, found) == min(dearest(costs, way) for way in every_way(costs, len(found)))


@pytest.mark.parametrize("weeks", syllabus.WEEKS)
def test_every_section_of_the_course_is_read_once_and_after_what_it_needs(weeks):
    paths = notebooks.find()
    parts = [syllabus._parts(path, minutes_of(path.stem) or 0) for path in syllabus.in_order(paths)]
    plan = syllabus._weeks(parts, weeks)
    assert len(plan) == weeks
    read = [(part.path.stem, section) for week in plan for part in week for section in part.sections]
    wanted = {
        (path.stem, int(number))
        for path in paths
        for cell in notebooks.read(path).cells
        if cell.cell_type == "markdown"
        for number in re.findall(r"(?m)^## (\d+)\. ", cell.source)
    }
    assert len(read) == len(set(read)) and set(read) == wanted
    order = [name for name, _ in groupby(name for name, _ in read)]
    assert len(order) == len(set(order))  # no notebook is taken up again later
    for path in paths:
        for need in set(notebooks.about(notebooks.read(path))["requires"]) & set(order):
            assert order.index(need) < order.index(path.stem)


def write_notebook(folder, name, requires, sections=("## 1. One", "## 2. Two")):
    about = {"title": name, "requires": requires}
    cells = [nbformat.v4.new_markdown_cell(f"{heading}\n\n" + "word " * 500) for heading in sections]
    path = folder / f"{name}.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"coursekit": about}), path)
    return path


def test_requires_goes_before_the_number(tmp_path):
    late = write_notebook(tmp_path, "01_late", ["02_early"])
    early = write_notebook(tmp_path, "02_early", ["99_not_written_yet"])
    assert syllabus.in_order([late, early]) == [early, late]
    page = syllabus.syllabus([late, early], lambda name: 30)
    assert page.index("[02 02_early]") < page.index("[01 01_late]")
    assert "builds on [01 01_late](../notebooks/01_late.ipynb). Leave" in page
    assert "02_early.ipynb), 1 |" in page and "02_early.ipynb), 2 |" in page  # two notebooks, four sections, six weeks
    assert "| 0.3 |" in page  # 500 words and half the running time


def test_a_circle_is_named_and_a_page_without_sections_is_one_part(tmp_path):
    circle = [write_notebook(tmp_path, "01_hen", ["02_egg"]), write_notebook(tmp_path, "02_egg", ["01_hen"])]
    with pytest.raises(CoursekitError, match="01_hen, 02_egg require each other in a circle"):
        syllabus.in_order(circle)
    (part,) = syllabus._parts(write_notebook(tmp_path, "03_bare", [], sections=()), 2)
    assert part.whole and part.minutes == 2


def test_minutes_of_a_busy_machine_do_not_count(tmp_path, monkeypatch):
    runs = [
        {"seed": 0, "minutes": 1.0},
        {"seed": 1, "minutes": 1.2, "others": 0.1},
        {"seed": 2, "minutes": 7.0, "others": 1.4},
        {"seed": 3, "minutes": 2.0, "at_once": 2},
    ]
    shared = {"status": "ok", "backend": "tensorflow", "profile": "quick"}
    file = tmp_path / "01.jsonl"
    monkeypatch.setattr(index, "results_file", lambda name: file)
    file.write_text("".join(json.dumps(run | shared) + "\n" for run in runs))
    assert minutes_of("01_first") == 1.1
    file.write_text(json.dumps(runs[2] | shared) + "\n")
    assert minutes_of("01_first") == 7.0  # better than nothing
