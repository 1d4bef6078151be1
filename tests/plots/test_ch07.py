"""The small images of notebook 07: every number is written, and a window has its frame."""

import numpy as np
import pytest

from coursekit import plots

pytestmark = pytest.mark.usefixtures("no_figures_left")


def test_every_number_stands_in_its_pixel_and_in_the_caption(drawn):
    found = {"image": np.array([[0, 1.5], [9, 0]]), "row": np.array([1, 10, 100])}
    figure, caption = drawn("grids", found, {"image": (0, 1, 2, 1)})
    (ax,) = figure.axes
    assert [text.get_text() for text in ax.texts] == ["image", "0", "1.5", "9", "0", "row", "1", "10", "100"]
    (frame,) = ax.patches
    (left, right, *_), (text,) = ax.images[0].get_extent(), [one for one in ax.texts if one.get_text() == "1.5"]
    assert right - left == 2 and frame.get_bbox().bounds == (left + 1, 0, 1, 2)  # around the right column
    assert text.get_position() == (left + 1.5, 0.5)
    assert "image: 0 1.5 / 9 0; row: 1 10 100. Framed: 2 × 1 from row 0, column 1 of image." in caption


def test_all_zeros_are_drawn_too(drawn):
    _, caption = drawn("grids", {"zeros": np.zeros((1, 2))})
    assert caption == "zeros: 0 0."


def test_windows_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="is marked in 'b'; there are a"):
        plots.grids({"a": np.eye(2)}, {"b": (0, 0, 1, 1)})
    with pytest.raises(ValueError, match="does not lie inside"):
        plots.grids({"a": np.eye(2)}, {"a": (1, 0, 2, 1)})
