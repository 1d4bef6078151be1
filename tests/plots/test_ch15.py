"""Points in groups: what is drawn, and what the caption says."""

import numpy as np
import pytest

from coursekit import plots

pytestmark = pytest.mark.usefixtures("no_figures_left")


def test_each_group_has_its_marks_and_the_caption_counts_them(drawn):
    x = np.arange(10.0).reshape(5, 2)
    panels = {"truth": (x, [0, 0, 1, 1, 1]), "found": (x, np.array([2, 0, 0, 0, 1]), x[:2]), "map": (x, None)}
    figure, caption = drawn("groups", panels, columns=2)
    assert [len(ax.collections) for ax in figure.axes] == [2, 4, 1, 0]  # the second one has crosses, the last is empty
    assert "3 panels" in caption and "black crosses are centroids" in caption
    assert "truth: 2 + 3; found: 3 + 1 + 1; map: 5, all alike." in caption


def test_ten_groups_differ_in_color_and_marker_together(drawn):
    figure, caption = drawn("groups", {"digits": (np.zeros((10, 2)), np.arange(10))})
    drawn_as = figure.axes[0].collections
    looks = {(tuple(one.get_facecolor()[0]), one.get_paths()[0].vertices.tobytes()) for one in drawn_as}
    assert len(looks) == 10 and "One panel" in caption and "crosses" not in caption


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"points \(3, 3\) and labels \(3,\)"):
        plots.groups({"a": (np.zeros((3, 3)), [0, 1, 2])})
    with pytest.raises(ValueError, match="no panel"):
        plots.groups({})
