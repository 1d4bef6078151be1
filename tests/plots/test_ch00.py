"""The course map: what it draws, and what its caption says of it."""

import json

import pytest

from coursekit import plots
from coursekit.paths import data_dir
from coursekit.plots.ch00_welcome import draw_course_map

pytestmark = pytest.mark.usefixtures("no_figures_left")
COURSE = [
    {"name": "00_welcome", "title": "Welcome", "requires": []},
    {"name": "01_tensors", "title": "Tensors", "requires": ["00_welcome"]},
    {"name": "04_networks", "title": "Networks", "requires": ["01_tensors", "03_descent"]},
]


def test_the_map_names_every_notebook_and_says_what_is_still_to_come():
    figure = draw_course_map(COURSE)
    names = [text.get_text() for text in figure.axes[0].texts if text.get_text()]
    assert sorted(names) == sorted(["00 Welcome", "01 Tensors", "04 Networks", "03 descent (to come)"])
    assert len([text for text in figure.axes[0].texts if not text.get_text()]) == 3  # the arrows


def test_the_maps_boxes_do_not_overlap():
    many = [{"name": f"{i:02d}_x", "title": "A fairly long title", "requires": [f"{i - 1:02d}_x"]} for i in range(1, 8)]
    for course in (COURSE, [{"name": "00_x", "title": "Start", "requires": []}, *many]):
        figure = draw_course_map(course)
        figure.canvas.draw()
        texts = [text for text in figure.axes[0].texts if text.get_text()]
        boxes = [text.get_bbox_patch().get_window_extent() for text in texts]
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
        inside = figure.bbox
        assert all(inside.x0 <= box.x0 and box.x1 <= inside.x1 for box in boxes)


def test_the_map_of_this_course_says_in_words_what_it_drew(capsys):
    plots.course_map()
    said = " ".join(capsys.readouterr().out.split())
    course = json.loads((data_dir() / "course.json").read_text())
    assert f"has {len(course)} notebooks" in said and "01 needs 00" in said
