"""Searches drawn: tried settings, stopped trials, a surrogate, trials as lines; and what their captions say."""

import numpy as np
import pytest

from coursekit import plots

pytestmark = pytest.mark.usefixtures("no_figures_left")


def test_tries_count_the_different_values(drawn):
    figure, caption = drawn("tries", {"grid": ([0.1, 0.1, 1], [8, 16, 8]), "one": ([0.3], [64])}, "rate", "units")
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["grid", "one"]
    assert "grid: 3 trials with 2 different values of the rate; one: 1 trials with 1" in caption


def test_each_curve_ends_where_it_was_stopped_and_the_lost_best_goes_on_in_gray(drawn):
    curves = np.array([[0.5, 0.6, 0.7], [0.1, 0.2, 0.9], [0.2, 0.3, 0.4]])
    figure, caption = drawn("rungs", curves, [3, 1, 2])
    lengths = [len(line.get_xdata()) for line in figure.axes[0].lines if len(line.get_xdata())]
    assert lengths == [3, 1, 2, 3]
    assert caption.endswith("The trial that would be the best after 3 epochs was stopped after epoch 1.")
    _, caption = drawn("rungs", curves, [2, 3, 1])
    assert caption.endswith("is one of those trained to the end.")


def test_the_next_trial_is_where_the_bound_is_highest(drawn):
    x, mean, deviation = np.array([0.01, 0.1, 1.0]), np.array([0.0, 1.0, 0.5]), np.array([0.1, 0.0, 2.0])
    _, caption = drawn("surrogate", x, mean, deviation, [1], [1.0], mean + deviation, "rate", "score")
    assert "least certain at 1. The upper bound is highest at 1" in caption


def test_parallel_lines_say_what_the_best_share(drawn):
    settings = [{"a": 1, "o": "sgd", "m": 0.9}, {"a": 2, "o": "adam"}, {"a": 1, "o": "adam"}]
    figure, caption = drawn("parallel", settings, [0.9, 0.1, 0.8], best=2)
    assert (
        "3 trials as lines, scores from 0.10 to 0.90. Thick: the best 2, with 0.800 or more; they share a 1." in caption
    )
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["a", "o", "m", "score"]


def test_parallel_lines_in_colors_say_how_each_group_ranges(drawn):
    settings = [{"o": "sgd", "r": 0.5}, {"o": "adam", "r": 0.01}, {"o": "sgd", "r": 0.1}, {"o": "adam", "r": 1.0}]
    figure, caption = drawn("parallel", settings, [0.9, 0.7, 0.8, 0.1], best=3, colored_by="o")
    assert "1 with adam: r 0.01 to 0.01; 2 with sgd: r 0.1 to 0.5." in caption
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["adam", "sgd"]
    colors = [line.get_color() for line in figure.axes[0].lines[:4]]
    assert colors[2] == colors[3] != colors[1] and len(set(colors)) == 3  # gray, adam, sgd twice


@pytest.mark.parametrize(
    "name, given",
    [
        ("tries", ({}, "x", "y")),
        ("tries", ({"a": ([], [])}, "x", "y")),
        ("rungs", (np.ones((2, 3)), [1])),
        ("surrogate", ([1], [1, 2], [1], [0], [1], [1], "x", "y")),
        ("parallel", ([], [])),
        ("parallel", ([{"a": 1}], [1, 2])),
    ],
)
def test_what_does_not_fit_is_refused(name, given):
    with pytest.raises(ValueError, match="give"):
        getattr(plots, name)(*given)


def test_repeats_below_the_floor_are_counted(drawn):
    figure, caption = drawn("found_by", {"a": [0.96, 0.94, 0.5], "b": [0.95, 0.97]}, "accuracy", 0.9)
    assert "a 0.800 (3 repeats, 1 below 0.9); b 0.960 (2 repeats, 0 below 0.9)." in caption
    assert [len(line.get_xdata()) for line in figure.axes[0].lines if line.get_marker() == "."] == [2, 2]
    with pytest.raises(ValueError, match="two values or more"):
        plots.found_by({"a": [1.0]}, "accuracy", 0.9)
