"""Curves and bands: what they draw, and what their captions say of it."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from coursekit import plots

pytestmark = pytest.mark.usefixtures("no_figures_left")


def test_curves_say_where_they_start_and_end(capsys):
    plots.curves([1, 2, 3], {"loss": [3, 1, 2], "error": [0.5, 0.4, 0.3]}, "epoch", "value")
    assert "loss goes from 3 to 2 (lowest 1, highest 3); error goes from 0.5 to 0.3" in " ".join(
        capsys.readouterr().out.split()
    )
    axes = plt.gcf().axes[0]
    styles = {(line.get_color(), line.get_marker(), line.get_linestyle()) for line in axes.lines}
    assert len(axes.lines) == len(styles) == 2 and len({line.get_marker() for line in axes.lines}) == 2
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "value")


def test_curves_over_counted_things_have_no_ticks_between():
    plots.curves([1, 2, 3, 4], {"loss": [3, 1, 2, 1]}, "epoch", "value")
    plt.gcf().canvas.draw()
    assert all(tick == round(tick) for tick in plt.gcf().axes[0].get_xticks())


def test_curves_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"'loss' has shape \(2,\) and x \(3,\)"):
        plots.curves(np.arange(3), {"loss": [1, 2]}, "epoch", "loss")


def test_an_unknown_plot_is_refused_with_the_known_ones():
    with pytest.raises(AttributeError, match=r"it has .*curves"):
        plots.nonsense  # noqa: B018


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
        plots.bands([1, 2], {"frozen": values}, "examples", "accuracy")
