"""Attention maps: what they show, and what their captions say of it."""

import numpy as np
import pytest

from coursekit import plots

pytestmark = pytest.mark.usefixtures("no_figures_left")


def test_a_small_map_has_its_numbers_and_says_who_looks_at_whom(drawn):
    weights = np.array([[0.25, 0.25, 0.25, 0.25], [0.1, 0.7, 0.1, 0.1], [0.45, 0.45, 0.05, 0.05]])
    figure, caption = drawn("attention_map", weights, ["a", "b", "c"], ["w", "x", " ", "z"])
    ax = figure.axes[0]
    assert np.array_equal(ax.images[0].get_array(), weights)
    assert [text.get_text() for text in ax.texts][:5] == ["0.25"] * 4 + ["0.10"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["w", "x", "␣", "z"]
    assert "a: all alike (0.25 each); b: x (0.70); c: w and x (0.45 each)." in caption


def test_a_large_map_has_no_numbers(drawn):
    figure, caption = drawn("attention_map", np.eye(8), "abcdefgh", "12345678")
    assert not figure.axes[0].texts and "h: 8 (1.00)." in caption


def test_names_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"2 queries and 3 keys need \(2, 3\)"):
        plots.attention_map(np.zeros((3, 2)), "ab", "xyz")
