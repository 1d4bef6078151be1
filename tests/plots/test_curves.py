"""The course map and curves: what they draw, and what their captions say of it."""

import json

import matplotlib.pyplot as plt
import numpy as np
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


def test_curves_say_where_they_start_and_end(capsys):
    plots.curves([1, 2, 3], {"loss": [3, 1, 2], "error": [0.5, 0.4, 0.3]}, "epoch", "value")
    assert "loss goes from 3 to 2 (lowest 1, highest 3); error goes from 0.5 to 0.3" in " ".join(
        capsys.readouterr().out.split()
    )
    axes = plt.gcf().axes[0]
    styles = {(line.get_color(), line.get_marker(), line.get_linestyle()) for line in axes.lines}
    assert len(axes.lines) == len(styles) == 2 and len({line.get_marker() for line in axes.lines}) == 2
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "value")


def test_curves_over_counted_things_have_no_ticks_between():
    plots.curves([1, 2, 3, 4], {"loss": [3, 1, 2, 1]}, "epoch", "value")
    plt.gcf().canvas.draw()
    assert all(tick == round(tick) for tick in plt.gcf().axes[0].get_xticks())


def test_curves_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"'loss' has shape \(2,\) and x \(3,\)"):
        plots.curves(np.arange(3), {"loss": [1, 2]}, "epoch", "loss")


def test_an_unknown_plot_is_refused_with_the_known_ones():
    with pytest.raises(AttributeError, match=r"it has .*curves"):
        plots.nonsense  # noqa: B018
