"""The bound of notebook 12: drawn below what it bounds, and said in words."""

import numpy as np
import pytest

from coursekit import plots

pytestmark = pytest.mark.usefixtures("no_figures_left")


def test_a_bound_is_drawn_with_its_ceiling_and_its_best_guess(drawn):
    guesses = np.array([0.2, 0.5, 0.8])
    figure, caption = drawn("bound", guesses, [-1.5, -0.9, -0.69], -0.69, 0.8)
    ceiling, line, point = figure.axes[0].lines
    assert set(ceiling.get_ydata()) == {-0.69} and list(line.get_xdata()) == list(guesses)
    assert list(point.get_xdata()) == [0.8]
    assert "largest, -0.690, at 0.80; ln p(x) is -0.690." in caption


def test_a_bound_of_another_length_is_refused():
    with pytest.raises(ValueError, match="2 guesses and 3 values"):
        plots.bound([0.1, 0.2], [1, 2, 3], 0.0, 0.5)
