"""Masks and heat: what the figures show, and what their captions say of it."""

import numpy as np
import pytest

from coursekit import plots

pytestmark = pytest.mark.usefixtures("no_figures_left")


@pytest.fixture
def truth():
    masks = np.zeros((3, 8, 8), int)
    masks[:, 2:6, 2:4] = np.array([1, 2, 2]).reshape(3, 1, 1)
    return masks


def test_masks_stand_under_their_images(drawn, truth):
    predicted = truth.copy()
    predicted[0, 2:6, 2:4] = 2
    figure, caption = drawn("masks", np.ones((3, 8, 8, 3)), {"truth": truth, "network": predicted}, ["none", "a", "b"])
    axes = [ax for ax in figure.axes if ax.images]
    assert len(axes) == 9
    assert np.array_equal(axes[3].images[0].get_array(), truth[0])
    assert np.array_equal(axes[6].images[0].get_array(), predicted[0])
    assert [axes[3].get_title(), axes[6].get_title()] == ["a", "b"]  # not told by color alone
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
    assert f"12% of truth is not none. {184 / 192:.1%} of all pixels agree with truth in network" in caption


def test_one_kind_of_masks_and_a_caption_without_comparison(drawn, truth):
    _, caption = drawn("masks", np.zeros((3, 8, 8)), {"truth": truth}, ["none", "a", "b"])
    assert caption.endswith("12% of truth is not none.")


def test_masks_refuse_what_does_not_fit(truth):
    with pytest.raises(ValueError, match="one mask for each"):
        plots.masks(np.zeros((3, 9, 8)), {"truth": truth}, "abc")
    with pytest.raises(ValueError, match="there are 2 classes"):
        plots.masks(np.zeros((3, 8, 8)), {"truth": truth}, "ab")


def test_heat_says_where_it_is_brightest(drawn):
    images, maps = np.zeros((2, 6, 9, 1)), np.zeros((2, 6, 9))
    images[0, 2:4, 2:4] = 1
    maps[0, 4, 7], maps[1, 0, 1] = 3, 1
    figure, caption = drawn("heat", images, maps, ["a 5", "a 7"], columns=1)
    assert len([ax for ax in figure.axes if ax.images]) == 4
    assert figure.axes[1].images[0].get_clim() == (0, 3)
    assert "a 5: brightest at row 4, column 7; a 7: brightest at row 0, column 1." in caption


def test_heat_refuses_other_shapes_and_negative_values():
    with pytest.raises(ValueError, match="one map for each"):
        plots.heat(np.zeros((2, 4, 4)), np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match="no values below 0"):
        plots.heat(np.zeros((1, 4, 4)), np.full((1, 4, 4), -1.0))
