"""Timelines and speed-ups: bars, bands and the caption's numbers."""

import numpy as np
import pytest

from coursekit import plots
from coursekit.training.scaling import StepTimes, schedule

pytestmark = pytest.mark.usefixtures("no_figures_left")


def test_each_piece_of_work_is_a_bar_in_its_lane(drawn):
    plans = {"alone": schedule(3, 5, 2, ahead=False), "two": schedule(3, 5, 2, workers=2)}
    figure, caption = drawn("timeline", plans, numbers=True)
    first, second = figure.axes
    assert [(bar.get_x(), bar.get_width()) for bar in first.patches] == [(0, 3), (3, 5), (8, 3), (11, 5)]
    assert [label.get_text() for label in second.get_yticklabels()] == ["load 1", "load 2", "train"]
    assert [text.get_text() for text in first.texts] == ["1", "1", "2", "2"]
    assert "alone takes 16 seconds (busy: load 38%, train 62%)" in caption
    assert "two takes 13 seconds" in caption


def test_a_lane_s_color_says_its_kind_in_all_panels(drawn):
    figure, _ = drawn("timeline", {"a": [("read", 0, 5, 6), ("train", 0, 6, 8)], "b": [("train", 0, 9, 10)]})
    first, second = figure.axes
    assert first.patches[1].get_facecolor() == second.patches[0].get_facecolor()
    assert first.patches[0].get_x() == second.patches[0].get_x() == 0  # each plan begins at zero


@pytest.mark.parametrize("plans", [{}, {"a": []}])
def test_nothing_to_draw_is_refused(plans):
    with pytest.raises(ValueError, match="at least one piece of work"):
        plots.timeline(plans)


def test_speed_ups_have_a_band_and_the_measured_points(drawn):
    fits = [StepTimes(2, 0.08, 0), StepTimes(1, 0.09, 0)]
    figure, caption = drawn("speedups", [1, 2, 8], fits, {1: 1.0, 2: 1.6}, batch_size=100)
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    ends = [fit.speedup(100, 8) for fit in fits]
    assert np.allclose(lines["fitted and continued"].get_ydata()[-1], np.mean(ends))
    assert np.allclose(lines["measured"].get_ydata(), [1.0, 1.6])
    assert "measured 1: 1.00, 2: 1.60; continued to 8 workers" in caption
