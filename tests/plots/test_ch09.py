"""The figures of notebook 09: what they show, and what their captions say of it."""

import numpy as np
import pytest

from coursekit import plots

pytestmark = pytest.mark.usefixtures("no_figures_left")


def test_unrolled_shows_each_input_and_state(drawn):
    figure, caption = drawn("unrolled", [1, 0], [0.76, 0.54], "rain")
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert {"0.76", "0.54", "1", "0", "rain", "step 2"} <= set(shown)
    assert "rain and the state after it: 1 gives 0.76; 0 gives 0.54" in caption
    with pytest.raises(ValueError, match="1 to 10 inputs"):
        plots.unrolled(np.zeros(11), np.zeros(11))
    with pytest.raises(ValueError, match="one state for each"):
        plots.unrolled([1, 2], [1])


def test_spectrograms_leave_padding_white(drawn):
    words = np.zeros((2, 6, 3))
    words[0, :4], words[1, :6] = 5, 2
    figure, caption = drawn("spectrograms", words, ["a", "b"])
    first = figure.axes[0].images[0].get_array()
    assert first.mask[:, 4:].all() and not first.mask[:, :4].any()
    assert "a: 4; b: 6" in caption
    with pytest.raises(ValueError, match="a name for each"):
        plots.spectrograms(words, ["a"])


def test_forecasts_start_at_the_origin(drawn):
    values = np.arange(20.0)
    figure, caption = drawn("forecasts", np.arange(20), values, 15, {"flat": [14, 14, 14]}, y_label="level")
    line = next(line for line in figure.axes[0].lines if line.get_label() == "flat")
    assert line.get_xdata().tolist() == [15, 16, 17]
    assert "level up to 14 and 3 steps beyond" in caption and "flat 2" in caption
    with pytest.raises(ValueError, match="reach outside"):
        plots.forecasts(np.arange(20), values, 18, {"flat": [1, 2, 3]}, y_label="level")


def test_ctc_peaks_are_named(drawn):
    p = np.full((10, 3), 0.05)
    p[:, 0] = 0.9
    p[3], p[7] = [0.1, 0.8, 0.1], [0.2, 0.1, 0.7]
    figure, caption = drawn("ctc_peaks", np.ones((30, 4)), p, ["x", "y"])
    assert [text.get_text() for text in figure.axes[1].texts] == ["x", "y"]
    assert "x at frame 9 (0.80); y at frame 21 (0.70)" in caption and "Blank leads in 80%" in caption
    with pytest.raises(ValueError, match="one blank"):
        plots.ctc_peaks(np.ones((30, 4)), p, ["x"])
