"""The pictures of notebook 13: what is drawn, and what the captions say."""

import numpy as np
import pytest

pytestmark = pytest.mark.usefixtures("no_figures_left")


def test_densities_stand_beside_their_judges(drawn):
    x = np.linspace(-4, 6, 101)
    real, made = np.exp(-((x - 2) ** 2) / 2), np.exp(-(x**2) / 2)
    figure, caption = drawn("judged", x, real, made, {"best": real / (real + made)})
    assert len(figure.axes[0].lines) == 1
    assert caption == "Real ones lie around 2.0, made ones around 0.0. best is ½ at x = 1.00."


def test_swings_have_a_goal_and_the_caption_says_how_far_they_go(drawn):
    figure, caption = drawn("swings", {"still": np.full(30, 2.0), "wild": np.tile([1.0, 3.0], 15)}, 2, "a")
    assert len(figure.axes[0].lines) == 3
    assert caption == (
        "a over the steps; the goal is 2. still lies between 2.00 and 2.00 in the last third; "
        "wild lies between 1.00 and 3.00 in the last third."
    )


def test_each_set_of_points_has_a_panel(drawn):
    centers = np.array([[0.0, 1.0], [1.0, 0.0]])
    sets = {f"net {k}": np.repeat(centers[: k % 2 + 1], 50, axis=0) for k in range(5)}
    figure, caption = drawn("clouds", sets, centers)
    assert sum(ax.get_visible() for ax in figure.axes) == 5
    assert caption.startswith("Points, and circles around the true centers. net 0: 1 of 2 reached, 100% of the points")
    assert "net 1: 2 of 2 reached" in caption
