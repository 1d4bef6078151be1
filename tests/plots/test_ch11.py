"""Bars and visits: what they show, and what their captions say of it."""

import numpy as np
import pytest

from coursekit import plots

pytestmark = pytest.mark.usefixtures("no_figures_left")


def test_bars_have_their_numbers_and_one_stands_out(drawn):
    figure, caption = drawn("bars", {"uniform": 6.5, "ours": 2.25}, "bits a character")
    ax = figure.axes[0]
    assert [bar.get_width() for bar in ax.patches] == [6.5, 2.25]
    assert ax.patches[0].get_facecolor() != ax.patches[1].get_facecolor()
    assert "bits a character: uniform 6.50, ours 2.25." in caption


@pytest.mark.parametrize("values", [{}, {"a": np.nan}])
def test_what_cannot_be_drawn_is_refused(values):
    with pytest.raises(ValueError, match="one finite number"):
        plots.bars(values, "x")


def test_visits_count_games_not_steps(drawn):
    places = np.array([[0, 1, 0, 1, -1], [0, 2, -1, -1, -1]])
    figure, caption = drawn("visits", {"a": (places, np.array([True, False]))}, side=2)
    assert np.array_equal(figure.axes[0].images[0].get_array(), [[1, 0.5], [0.5, 0.5]])
    assert "a: 50% come to the goal, 50% to the top right." in caption
