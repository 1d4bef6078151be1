"""Bands: drawn for several draws, said in words, refused in the wrong shape."""

import numpy as np
import pytest

from coursekit.plots import bands


def test_bands_say_what_they_drew(drawn):
    series = {"frozen": [[0.2, 0.5, 0.7], [0.4, 0.5, 0.9]], "scratch": np.zeros((2, 3))}
    figure, said = drawn("bands", [1, 2, 5], series, "examples", "accuracy", x_scale="log")
    assert said == (
        "accuracy over examples, from 1 to 5: means of 2 draws, with bands from the least to the largest. "
        "frozen from 0.3 to 0.8; scratch from 0 to 0."
    )
    (axes,) = figure.axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "2", "5"]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.3, 0.5, 0.8])
    low, high = (
        axes.collections[0].get_paths()[0].vertices[:, 1].min(),
        axes.collections[0].get_paths()[0].vertices[:, 1].max(),
    )
    assert (low, high) == (0.2, 0.9)


@pytest.mark.parametrize("values", [[0.1, 0.2], [[0.1, 0.2]], np.zeros((2, 3))])
def test_one_draw_or_another_length_is_refused(values):
    with pytest.raises(ValueError, match="give two draws or more of 2 values each"):
        bands([1, 2], {"frozen": values}, "examples", "accuracy")
