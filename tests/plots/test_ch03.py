"""What notebook 03 draws: slopes, Jacobians, graphs, paths and ends, and what the captions say of them."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from coursekit import plots
from coursekit.training.optimizers import GradientDescent, descend

pytestmark = [pytest.mark.usefixtures("no_figures_left"), pytest.mark.filterwarnings("error")]
LIMITS = ((-5, 5), (-3, 3))


@pytest.fixture
def said(capsys):
    return lambda: " ".join(capsys.readouterr().out.split())


def bowl(theta):
    return 0.5 * np.sum(np.array([1.0, 10.0]) * theta**2, axis=-1)


def walk(rate, steps=20):
    return descend(GradientDescent(rate), lambda theta: np.array([1.0, 10.0]) * theta, [-4.0, 1.5], steps)


# --- slope ------------------------------------------------------------------------------------------------------------
def test_slope_says_the_slopes_of_its_lines(said):
    plots.slope(lambda x: x**2, lambda x: 2 * x, at=1.0, widths=(1.0, 2.0))
    assert "4 for h = 2, 3 for h = 1; the tangent's is 2" in said()


@pytest.mark.parametrize("widths", [(), (1.0, 0.0), (-1.0,)])
def test_slope_refuses_widths_that_are_not_positive(widths):
    with pytest.raises(ValueError, match="positive"):
        plots.slope(np.sin, np.cos, at=0.0, widths=widths)


# --- jacobian ---------------------------------------------------------------------------------------------------------
def test_the_jacobian_of_a_matrix_is_the_matrix(said):
    matrix = np.array([[1.0, 2.0], [3.0, 4.0]])
    plots.jacobian(lambda x: matrix @ x, matrix, [1.0, 1.0], 0.5)
    text = said()
    assert "(1, 3) and (2, 4)" in text
    assert float(text.split("at most ")[1].split(" apart")[0]) < 1e-12


def test_a_wrong_jacobian_shows(said):
    plots.jacobian(lambda x: x, 2 * np.eye(2), [1.0, 1.0], 0.5)
    assert "at most 0.5 apart" in said()


def test_the_jacobian_needs_two_by_two():
    with pytest.raises(ValueError, match=r"\(3, 2\)"):
        plots.jacobian(lambda x: x, np.ones((3, 2)), [1.0, 1.0], 0.5)


# --- computation graphs -----------------------------------------------------------------------------------------------
NODES = {"a": ([], 2.0, 3.0), "b": ([], 3.0, 2.0), "c": (["a", "b"], 6.0, 1.0)}


def test_a_graph_says_values_forward_and_slopes_backward(said):
    plots.computation_graph(NODES)
    text = said()
    assert "c = 6" in text and "slope of c with respect to each: c 1, b 2, a 3" in text


def test_the_boxes_of_a_graph_do_not_overlap():
    chain = NODES | {"target": ([], 10.0, -4.0), "loss": (["c", "target"], 16.0, 1.0)}
    plots.computation_graph(chain)
    figure = plt.gcf()
    figure.canvas.draw()
    texts = [text for text in figure.axes[0].texts if text.get_text()]
    boxes = [text.get_bbox_patch().get_window_extent() for text in texts]
    assert len(boxes) == len(chain)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in boxes)


@pytest.mark.parametrize("nodes", [{"c": (["a"], 1.0, 1.0)}, {"c": (["a"], 1.0, 1.0), "a": ([], 1.0, 1.0)}])
def test_a_graph_out_of_order_is_refused(nodes):
    with pytest.raises(ValueError, match="does not come before"):
        plots.computation_graph(nodes)


# --- paths ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "path, words",
    [
        (walk(0.17), "falls from loss 19.2 to"),
        (walk(0.22), "climbs from loss 19.2"),
        (walk(0.22), "leaves the picture"),
        (walk(1e3, 300), "numbers too large to hold after"),
        (walk(0.0), "does not move from loss 19.2 in 20 steps"),
        (walk(0.17)[:1], "a point with loss 19.2"),
        (np.full((5, 2), np.nan), "too large to hold after 0 steps"),
    ],
    ids=["falls", "climbs", "outside", "overflow", "zero", "point", "nan"],
)
def test_paths_say_what_became_of_each(path, words, said):
    plots.paths(bowl, {"walker": path}, LIMITS)
    assert words in said()


def test_paths_differ_by_more_than_color():
    plots.paths(bowl, {str(rate): walk(rate) for rate in (0.01, 0.1, 0.17, 0.21)}, LIMITS)
    lines = plt.gcf().axes[0].lines[:4]
    assert len({line.get_marker() for line in lines}) == len({line.get_linestyle() for line in lines}) == 4


def test_flat_ground_can_be_drawn(said):
    plots.paths(lambda theta: 0 * theta[..., 0], {"walker": walk(0.1)}, LIMITS)
    assert "walker" in said()


@pytest.mark.parametrize("path", [np.zeros(3), np.zeros((4, 3)), np.zeros((0, 2))])
def test_paths_of_another_shape_are_refused(path):
    with pytest.raises(ValueError, match="'walker' has shape"):
        plots.paths(bowl, {"walker": path}, LIMITS)


# --- ends -------------------------------------------------------------------------------------------------------------
def test_ends_are_counted_by_place(said):
    ends = [2.0, 2.01, 1.99, -1.0, 7.0, np.nan]
    plots.ends(lambda w: (w - 2) ** 2, (-2, 4), {"runs": (np.linspace(-1, 3, 6), ends)})
    text = said()
    assert "lowest at 2" in text and "6 runs: 3 near 2, 1 near -1, 2 outside the picture" in text


def test_ends_without_a_start_are_refused():
    with pytest.raises(ValueError, match="'runs' has starts"):
        plots.ends(np.cos, (0, 4), {"runs": ([1.0, 2.0], [1.0])})
