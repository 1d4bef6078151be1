"""What goes on from step to step: the lines, their legend and the caption's words."""

import numpy as np
import pytest

from coursekit import plots

pytestmark = pytest.mark.usefixtures("no_figures_left")


def test_each_series_is_a_line_from_step_1_and_the_caption_says_how_it_goes(drawn):
    up_and_down = [0.1, 0.5, 0.9, 0.4, 0.2]
    figure, caption = drawn("over_steps", {"wave": up_and_down, "flat": np.full(5, 0.3)}, "learning rate")
    ax = figure.axes[0]
    assert np.array_equal(ax.lines[0].get_xdata(), [1, 2, 3, 4, 5])
    assert np.allclose(ax.lines[0].get_ydata(), up_and_down)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["wave", "flat"]
    assert caption == ("learning rate over 5 steps: wave goes from 0.1 to 0.2 (highest 0.9 at 3); flat stays at 0.3.")


def test_a_long_series_has_few_markers_and_one_series_no_legend(drawn):
    figure, caption = drawn("over_steps", {"loss": np.linspace(2, 1, 300)}, "loss", "epoch", y_scale="log")
    ax = figure.axes[0]
    assert ax.get_legend() is None and ax.get_yscale() == "log"
    assert ax.lines[0].get_markevery() == (0, 33)
    assert caption == "loss over 300 epochs: loss goes from 2 to 1."


@pytest.mark.parametrize("series", [{}, {"a": []}, {"a": [[1.0, 2.0]]}])
def test_nothing_to_draw_is_refused(series):
    with pytest.raises(ValueError, match="a list of numbers, one a step"):
        plots.over_steps(series, "loss")
