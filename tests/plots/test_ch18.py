"""The plots of notebook 18: what they draw, what their captions say, what they refuse."""

import numpy as np
import pytest

from coursekit import plots

pytestmark = pytest.mark.usefixtures("no_figures_left")


def test_histograms_say_what_is_cut(drawn):
    weights = np.array([[-1.0, 0.1], [0.2, 3.0]])
    figure, caption = drawn("weight_histograms", {"first": weights, "last": weights * 2}, {"first": 0.5})
    assert "first: 4 weights, standard deviation 1.48, largest 3, 50.0% smaller than 0.5 (hatched)" in caption
    assert caption.endswith("last: 4 weights, standard deviation 2.95, largest 6.")
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["first", "last"]
    assert {bar.get_hatch() for bar in figure.axes[0].patches} == {None, "////"} or {
        bar.get_hatch() for bar in figure.axes[0].patches
    } == {"", "////"}


@pytest.mark.parametrize("weights", [np.zeros(0), np.array([1.0, np.nan])])
def test_histograms_need_finite_numbers(weights):
    with pytest.raises(ValueError, match="all should be finite numbers"):
        plots.weight_histograms({"bad": weights})


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_a_quantizer_has_its_steps_and_its_zero(drawn, bits):
    figure, caption = drawn("quantizer", -1, 3, bits)
    step = 4 / (2**bits - 1)
    assert f", {2**bits} values for -1 to 3" in caption and f"a step of {step:.3g}" in caption
    assert "the largest error is 0.50 of a step" in caption
    stairs = np.unique(figure.axes[0].lines[1].get_ydata())
    assert len(stairs) <= 2**bits and 0 in stairs


def test_a_quantizer_of_nothing_is_refused():
    with pytest.raises(ValueError, match="the smaller first"):
        plots.quantizer(3, -1, 4)


def test_rounding_errors_are_measured_in_twelfths(drawn):
    even = (np.arange(1000) + 0.5) / 1000 - 0.5
    figure, caption = drawn("rounding_errors", {"even": even, "none": np.zeros(10)})
    assert "even: variance 1; none: variance 0" in caption
    assert len(figure.axes) == 2


def test_times_are_relative_to_the_first(drawn):
    figure, caption = drawn("times", {"dense": 0.02, "narrow": 0.005}, "a product")
    assert caption == "a product: dense takes 20 ms; relative to it, narrow 0.25."
    assert [bar.get_width() for bar in figure.axes[0].patches] == [1, 0.25]


@pytest.mark.parametrize("seconds", [{"alone": 1}, {"a": 1, "b": 0}])
def test_times_need_two_above_zero(seconds):
    with pytest.raises(ValueError, match="two times or more"):
        plots.times(seconds, "nothing")


def test_bytes_stand_beside_their_dots(drawn):
    figure, caption = drawn(
        "bytes_stored", {"dense": {"plain": 4000, "zipped": 3500}, "pruned": {"plain": 4000, "zipped": None}}
    )
    assert caption == "Bytes, on a logarithmic scale. dense: plain 4,000, zipped 3,500; pruned: plain 4,000."
    ax = figure.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["dense: plain", "dense: zipped", "pruned: plain"]
    assert [text.get_text() for text in ax.texts] == ["4,000", "3,500", "4,000"]


@pytest.mark.parametrize(
    "table, words",
    [
        ({"a": {"plain": 3}, "b": {"zipped": 3}}, "give each model plain"),
        ({"a": {"plain": 0}}, "sizes above 0"),
        ({"a": {"plain": None}}, "one at least"),
    ],
)
def test_sizes_that_cannot_be_drawn_are_refused(table, words):
    with pytest.raises(ValueError, match=words):
        plots.bytes_stored(table)
