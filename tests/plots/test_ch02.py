"""The broadcasting visualizer and the fits: what they draw, what their captions say of it, and what they refuse."""

from importlib import import_module

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import Polygon

from coursekit import plots
from coursekit.plots.style import COLORS

pytestmark = [
    pytest.mark.usefixtures("no_figures_left"),
    pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive"),
]

# The module is called like its function: importing it by name first would hide the function from `plots`.
_align = import_module(plots.broadcasting.__module__)._align


def said(capsys):
    return " ".join(capsys.readouterr().out.split())


def cells(color):
    """The fronts of the cells drawn in a color: (filled, dashed)."""
    faces = [patch for patch in plt.gcf().axes[1].patches if isinstance(patch, Polygon)]
    mine = [face for face in faces if np.allclose(face.get_edgecolor()[:3], to_rgb(color))]
    dashed = [face for face in mine if face.get_facecolor()[:3] == (1, 1, 1)]
    return len(mine) - len(dashed), len(dashed)


def texts(axes):
    return [text.get_text() for text in axes.texts]


def random_shapes(n, sizes=(0, 1, 1, 2, 3)):
    rng = np.random.default_rng(0)
    for _ in range(n):
        yield tuple(tuple(int(size) for size in rng.choice(sizes, size=rng.integers(0, 5))) for _ in "ab")


def test_the_rule_is_numpys():
    refused = 0
    for a, b in random_shapes(2000):
        sizes = tuple(axis.size for axis in _align(a, b))
        try:
            assert sizes == np.broadcast_shapes(a, b)
        except ValueError:
            refused += 1
            assert None in sizes
    assert 300 < refused < 1700


def test_every_pair_of_shapes_is_drawn_and_told(capsys):
    for a, b in random_shapes(40):
        assert plots.broadcasting(a, b) is None
        caption = said(capsys)
        try:
            assert f"gives {np.broadcast_shapes(a, b)}." in caption
        except ValueError:
            assert "cannot be broadcast" in caption and "differ, and neither is 1" in caption
        plt.close("all")


def test_a_column_plus_a_row(capsys):
    plots.broadcasting([[10], [20], [30]], [1, 2, 3, 4])
    assert said(capsys) == (
        "a (3, 1) + b (4,) gives (3, 4). Axis −1: the 1 of a is stretched to 4. Axis −2: b has no such axis, it counts "
        "as 1, stretched to 3. Stretched: 3 values of a read as 12 and 4 values of b read as 12."
    )
    table, blocks = plt.gcf().axes
    assert cells(COLORS[0]) == (3, 9) and cells(COLORS[1]) == (4, 8) and cells(COLORS[2]) == (12, 0)
    numbers = [text for text in texts(blocks) if text.isdigit()]
    assert numbers[-12:] == [str(tens + ones) for tens in (10, 20, 30) for ones in (1, 2, 3, 4)]
    assert numbers[:12] == ["10"] * 4 + ["20"] * 4 + ["30"] * 4
    assert "axis −1: the 1 of a is stretched to 4" in texts(table)


@pytest.mark.parametrize(
    "operation, expected",
    [("+", ["5", "4", "7", "6"]), ("-", ["1", "2", "3", "4"]), ("*", ["6", "3", "10", "5"]), ("==", ["F"] * 4)],
)
def test_operations(operation, expected, capsys):
    plots.broadcasting(np.array([[3], [5]]), np.array([2, 1]), operation)
    result = [text for text in texts(plt.gcf().axes[1]) if text in "FT" or text.lstrip("−").isdigit()][-4:]
    assert result == expected
    assert f"a (2, 1) {'−' if operation == '-' else '×' if operation == '*' else operation} b" in said(capsys)


def test_the_axis_that_fails_is_marked(capsys):
    plots.broadcasting((2, 4, 3), (5, 3))
    assert "Axis −2: 4 and 5 differ, and neither is 1." in said(capsys)
    table, blocks = plt.gcf().axes
    red = to_rgb(COLORS[5])
    marked = [text.get_text() for text in blocks.texts if to_rgb(text.get_color()) == red]
    assert marked == ["4", "5", "✗"]
    assert "✗" in texts(table) and "no result" in texts(blocks)
    assert [text.get_text() for text in table.texts if to_rgb(text.get_color()) == red] == [
        "4",
        "5",
        "✗",
        "−2",
        "axis −2: 4 and 5 differ, and neither is 1",
    ]


def test_values_of_three_axes_are_all_written(capsys):
    a = np.arange(24).reshape(2, 3, 4)
    plots.broadcasting(a, 1)
    numbers = [int(text) for text in texts(plt.gcf().axes[1]) if text.isdigit()]
    assert numbers == [*range(24), *[1] * 24, *range(1, 25)]
    assert cells(COLORS[1]) == (1, 23)


def test_a_solid_shows_its_outside():
    plots.broadcasting((2, 3, 4), (3, 1))
    assert cells(COLORS[2]) == (3 * 4 + 2 * 4 + 2 * 3, 0)  # front, top and side
    filled, dashed = cells(COLORS[1])
    assert filled == 3 + 1 and filled + dashed == 26  # the column's front and the top of its first cell


@pytest.mark.parametrize(
    "a, b", [((2, 3, 4, 5), (5,)), ((9, 2), (2,)), ((0, 3), (1,)), ((7, 1, 2, 1, 3), (2, 1, 4, 3))]
)
def test_what_is_too_large_is_a_table_alone(a, b, capsys):
    plots.broadcasting(a, b)
    assert len(plt.gcf().axes) == 1
    assert f"gives {np.broadcast_shapes(a, b)}." in said(capsys)


@pytest.mark.parametrize(
    "a, b",
    [
        ((2, 3), ()),
        ((8, 8, 8), (8, 1)),
        ((8, 7), (6, 8)),
        ((1, 2, 3), (4, 1, 5)),
        ((1000, 427, 640, 3), (1000, 1, 1, 3)),
        ((100, 427, 640, 3), (100, 3)),
        ((2,) * 9, (2,)),
        (np.full((2, 8), -1234.5), np.ones((2, 1))),
        (1, 2),
    ],
)
def test_all_words_stay_inside_the_figure(a, b):
    plots.broadcasting(a, b)
    figure = plt.gcf()
    figure.canvas.draw()
    for axes in figure.axes:
        for text in axes.texts:
            box = text.get_window_extent()
            assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1, text.get_text()
            assert figure.bbox.y0 - 1 <= box.y0 and box.y1 <= figure.bbox.y1 + 1, text.get_text()


def test_tensors_are_values(capsys):
    ops = pytest.importorskip("keras").ops
    plots.broadcasting(ops.ones((2, 1)), [1.5, 2.5])
    assert "a (2, 1) + b (2,) gives (2, 2)." in said(capsys)
    assert texts(plt.gcf().axes[1]).count("3.5") == 2


@pytest.mark.parametrize(
    "a, error, words",
    [
        ("(2, 3)", TypeError, "neither a shape nor numbers"),
        (None, TypeError, "neither a shape nor numbers"),
        ((2, 3.0), TypeError, "made of whole numbers"),
        (((1, 2), (3, 4)), TypeError, "give values as a list"),
        ((True, 2), TypeError, "made of whole numbers"),
        ((2, -1), ValueError, "can't be negative"),
        ([[1, 2], [3]], ValueError, "different lengths"),
        (["x"], TypeError, "neither a shape nor numbers"),
    ],
)
def test_bad_operands_are_refused(a, error, words):
    with pytest.raises(error, match="a is .*" + words):
        plots.broadcasting(a, (1,))
    with pytest.raises(error, match="b is .*" + words):
        plots.broadcasting((1,), a)
    assert not plt.get_fignums()


def test_an_unknown_operation_is_refused():
    with pytest.raises(ValueError, match="choose one of '\\+', '-'"):
        plots.broadcasting((1,), (1,), "/")


# --- fits -------------------------------------------------------------------------------------------------------------
def test_fits_say_where_each_line_goes(capsys):
    x = np.array([2.0, 0.0, 1.0])
    plots.fits(x, x + 1, {"rising": 3 * x, "flat": np.full(3, 2.0)}, x_label="age", y_label="height")
    assert said(capsys) == (
        "3 points, age from 0 to 2, height from 1 to 3: rising goes from 0 on the left to 6 on the right; flat goes "
        "from 2 on the left to 2 on the right."
    )
    lines = plt.gca().get_lines()
    assert [line.get_xdata().tolist() for line in lines] == [[0, 1, 2]] * 2
    assert lines[0].get_ydata().tolist() == [0, 3, 6]
    assert lines[0].get_linestyle() != lines[1].get_linestyle()


@pytest.mark.parametrize("bad", [np.ones((3, 1)), np.ones(4), 1.0])
def test_fits_refuse_another_shape(bad):
    x = np.arange(3.0)
    with pytest.raises(ValueError, match="one value a point"):
        plots.fits(x, x, {"line": bad})
    with pytest.raises(ValueError, match="one value a point"):
        plots.fits(x, bad, {})
    assert not plt.get_fignums()
