"""The plots of notebook 05: what they draw, what their captions say, what they refuse."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from coursekit import plots
from coursekit.training import regularization

pytestmark = pytest.mark.usefixtures("no_figures_left")


def said(capsys):
    return " ".join(capsys.readouterr().out.split())


def test_curves_over_their_own_grid_and_the_value_at_a_mark(capsys):
    grid = np.linspace(0, 2, 21)
    plots.points_and_curves([0, 1, 2], [0, 1, 4], grid, {"square": grid**2}, "lent", "cash", marked=1.5)
    caption = said(capsys)
    assert "3 points, cash from 0 to 4" in caption and "square goes from 0 to 4, at 1.5 it is 2.25" in caption
    assert plt.gcf().axes[0].get_xlabel() == "lent"


def test_curves_that_do_not_fit_the_grid_are_refused():
    with pytest.raises(ValueError, match=r"'a' has shape \(2,\) and the grid \(3,\)"):
        plots.points_and_curves([0], [0], [1, 2, 3], {"a": [1, 2]})


def test_refits_say_how_far_mean_and_single_fits_lie(capsys):
    grid = np.linspace(0, 1, 5)
    plots.refits(grid, np.zeros(5), {"off": np.ones((40, 5)), "wide": np.array([[1.0] * 5, [-1.0] * 5])})
    caption = said(capsys)
    assert "off: the mean lies 1 from the truth, single fits 0 from" in caption
    assert "wide: the mean lies 0 from the truth, single fits 1 from" in caption
    assert [ax.get_title(loc="left") for ax in plt.gcf().axes] == ["off", "wide"]


def test_refits_need_a_row_for_each_draw():
    with pytest.raises(ValueError, match="one row of 5 values for each draw"):
        plots.refits(np.arange(5), np.arange(5), {"one": np.ones(5)})


def test_panels_name_both_quantities(capsys):
    plots.panels({"noise": ("deviation", [1, 2], [3, 4], [5, 9]), "size": ("degree", [1, 3], [2, 1], [2, 4])})
    caption = said(capsys)
    assert "noise, from 1 to 2: training 3 to 4 (least 3), test 5 to 9 (least 5)" in caption
    assert "size, from 1 to 3" in caption
    lines = plt.gcf().axes[0].lines
    assert lines[0].get_marker() != lines[1].get_marker() and lines[0].get_color() != lines[1].get_color()


def test_panels_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="noise, test"):
        plots.panels({"noise": ("deviation", [1, 2], [3, 4], [5])})


def test_the_diamond_and_the_circle_go_through_their_points(capsys):
    plots.penalties_and_loss([1.5, 0.5], np.eye(2), [1.0, 0.0], [0.6, 0.8])
    assert "(1.00, 0.00)" in said(capsys)
    diamond, circle = (ax.patches[0].get_xy() for ax in plt.gcf().axes)
    assert np.allclose(np.abs(diamond).sum(axis=1), 1) and np.allclose((circle**2).sum(axis=1), 1)


def test_a_loss_of_three_weights_is_refused():
    with pytest.raises(ValueError, match=r"give \(2,\) and \(2, 2\)"):
        plots.penalties_and_loss([1, 2, 3], np.eye(3), [0, 0], [0, 0])


def test_the_derivative_of_the_absolute_value_has_a_hole_at_zero(capsys):
    plots.penalties_and_slopes()
    assert "undefined at 0" in said(capsys)
    penalty, slope = plt.gcf().axes
    constant = [set(line.get_ydata()) for line in slope.lines if len(line.get_xdata()) == 40]
    assert constant == [{1}, {-1}] and all(0 not in line.get_xdata() for line in slope.lines[:1])
    assert [ax.get_title(loc="left") for ax in (penalty, slope)] == ["penalty", "derivative"]


def test_the_moment_of_the_lowest_validation_loss_is_marked(capsys):
    plots.stopping([5, 10, 15, 20], {"training": [2, 1, 0.5, 0.1], "validation": [2, 1.2, 1.5, 1.9]})
    caption = said(capsys)
    assert "lowest, 1.2, at step 10" in caption and "training goes from 2 to 0.1" in caption
    assert any(list(line.get_xdata()) == [10, 10] for line in plt.gcf().axes[0].lines)


def test_losses_of_another_length_are_refused():
    with pytest.raises(ValueError, match="'validation' has shape"):
        plots.stopping([5, 10], {"training": [2, 1], "validation": [1]})


def test_paths_count_the_weights_that_are_left(capsys):
    path = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, -2.0, 0.5]])
    plots.weight_paths({"lasso": ([10, 1, 0.1], path)}, highlight=[0])
    assert "lasso: of 3 weights 3 are not zero at 0.1, 0 at 10" in said(capsys)
    colors = [line.get_color() for line in plt.gcf().axes[0].lines[:3]]
    assert colors[1] == colors[2] != colors[0]


def test_paths_need_a_row_for_each_strength():
    with pytest.raises(ValueError, match="give a row each"):
        plots.weight_paths({"lasso": ([1, 2], np.ones((3, 2)))})


def test_weights_show_exact_zeros_as_hollow_circles(capsys):
    plots.weights_at({"lasso": [0.0, -2.0, 1e-9], "ridge": [0.1, -1.0, 0.2]}, ["a", "b", "c"], limit=3)
    caption = said(capsys)
    assert "lasso: 1 of 3 are zero, largest b -2" in caption and "ridge: 0 of 3 are zero" in caption
    assert len(plt.gcf().axes[0].lines[0].get_xdata()) == 1


def test_weights_need_a_name_each():
    with pytest.raises(ValueError, match="one weight for each of 2 names"):
        plots.weights_at({"lasso": [1.0]}, ["a", "b"])


@pytest.mark.parametrize("log10_lambda", [-1.0, 0.5, 2.0])
def test_what_the_notebooks_slider_draws_at_the_ends_of_its_range(log10_lambda, capsys):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 20))
    y = 40 * x[:, 0] + 20 * rng.normal(size=80)
    both = {
        "lasso": regularization.elastic_net(x, y, l1=10**log10_lambda)[0],
        "ridge": regularization.ridge(x, y, l2=10**log10_lambda / 20)[0],
    }
    plots.weights_at(both, [f"x{j}" for j in range(20)], limit=40, title="λ")
    caption = said(capsys)
    assert "ridge: 0 of 20 are zero" in caption
    assert ("lasso: 20 of 20" in caption) == (log10_lambda == 2.0)


def test_methods_show_every_repeat_and_the_mean(capsys):
    plots.methods({"clean": {"none": [0.9, 0.8], "L1": [0.7, 0.9]}, "noisy": {"none": [0.5], "L1": [0.6]}}, "accuracy")
    caption = said(capsys)
    assert "accuracy, means of 2 repeats" in caption and "clean: none 0.85, L1 0.8; noisy: none 0.5" in caption


def test_panels_with_other_methods_are_refused():
    with pytest.raises(ValueError, match="give each of none, L1 a value"):
        plots.methods({"a": {"none": [1], "L1": [2]}, "b": {"none": [1]}}, "x")
    with pytest.raises(ValueError, match="a value or more"):
        plots.methods({"a": {"none": [1], "L1": []}}, "x")
