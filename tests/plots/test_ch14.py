"""Clouds and arrows: what is drawn, and what the caption says of it."""

import numpy as np
import pytest

from coursekit import plots

pytestmark = pytest.mark.usefixtures("no_figures_left")


def test_each_cloud_has_a_panel_and_the_caption_its_standard_deviation(drawn):
    far = np.array([[9.0, 0.0], [-9.0, 0.0]])
    figure, caption = drawn("scatters", {"drop": np.zeros((5, 2)), "far": far}, limit=3)
    assert [ax.get_title("left") for ax in figure.axes] == ["drop", "far"]
    assert figure.axes[0].get_xlim() == (-3, 3)
    assert "drop: standard deviation 0.00; far: standard deviation 4.50" in caption
    assert "100.0% of them outside the picture" in caption


@pytest.mark.parametrize("panels", [{}, {"a": np.zeros((3, 3))}, {"a": np.zeros((0, 2))}, {"a": np.zeros(4)}])
def test_what_is_no_cloud_is_refused(panels):
    with pytest.raises(ValueError, match="points"):
        plots.scatters(panels, limit=1)


def test_arrows_have_one_scale_and_the_caption_says_how_far_they_turn(drawn):
    at = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    fields = {"east": np.tile([1.0, 0.0], (3, 1)), "north": np.tile([0.0, 2.0], (3, 1))}
    figure, caption = drawn("arrows", at, fields, points=[[0.5, 0.5]])
    quivers = [ax.collections[0] for ax in figure.axes]
    assert quivers[0].scale == quivers[1].scale
    assert "Arrows at 3 places; 1 marked places" in caption and "90° on average" in caption


def test_arrows_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"\(n, 2\)"):
        plots.arrows(np.zeros((3, 2)), {"a": np.zeros((2, 2))})


def test_rows_of_images_have_their_names_at_the_left(drawn):
    gray, color = np.zeros((3, 4, 4, 1)), np.full((3, 4, 4, 3), 2.0)
    figure, caption = drawn("image_rows", {"made": gray, "real": color})
    assert [ax.get_ylabel() for ax in figure.axes] == ["made", "", "", "real", "", ""]
    assert caption == "Rows of 3 images, from top to bottom: made; real."


@pytest.mark.parametrize("rows", [{}, {"a": np.zeros((0, 4, 4))}, {"a": np.zeros((2, 4, 4)), "b": np.zeros((3, 4, 4))}])
def test_rows_that_do_not_fit_are_refused(rows):
    with pytest.raises(ValueError, match="same number of images"):
        plots.image_rows(rows)
