"""The pictures of notebook 01: what they draw, what their captions say, and what they refuse."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from coursekit import plots


@pytest.fixture
def drawn(monkeypatch, capsys):
    """Call a function of plots; returns the figure and the caption."""
    monkeypatch.setattr(plt, "show", lambda: None)

    def call(function, *arguments, **options):
        assert getattr(plots, function)(*arguments, **options) is None
        figure = plt.gcf()
        figure.draw_without_rendering()
        return figure, " ".join(capsys.readouterr().out.split())

    yield call
    plt.close("all")


def words(figure):
    return [text.get_text() for ax in figure.axes for text in ax.texts]


# --- images -----------------------------------------------------------------------------------------------------------
def test_images_of_an_array_share_one_range(drawn):
    gray = np.arange(3 * 4 * 5).reshape(3, 4, 5)
    figure, caption = drawn("images", gray, ["a", "b", "c"])
    shown = [ax.images[0] for ax in figure.axes]
    assert [ax.get_title(loc="center") for ax in figure.axes] == ["a", "b", "c"]
    assert all(np.array_equal(image.get_array(), one) for image, one in zip(shown, gray, strict=True))
    assert {image.get_clim() for image in shown} == {(0, 59)}
    assert caption == "3 images of 4×5, drawn from 0 (dark) to 59 (bright): a; b; c."


def test_images_may_differ_in_size_and_color(drawn):
    red = np.zeros((4, 6, 3), dtype="uint8")
    red[..., 0] = 255
    figure, caption = drawn("images", [red, np.zeros((2, 2, 1), dtype="uint8")])
    assert np.array_equal(figure.axes[0].images[0].get_array()[0, 0], [1, 0, 0])
    assert caption == "2 images of 2×2 or 4×6×3, drawn from 0 (dark) to 255 (bright)."


def test_a_caption_rounds_its_range_and_names_a_row_once(drawn):
    nearly = np.linspace(2.5e-24, 0.99998, 12).reshape(3, 2, 2)
    _, caption = drawn("images", nearly[[0, 0, 2, 2]], ["row", "row", "other", "other"], columns=2)
    assert caption == "4 images of 2×2, drawn from 0 (dark) to 1 (bright): row; other."
    assert drawn("images", nearly, ["read as 4", "read as 4", "read as 7"])[1].endswith(
        ": read as 4; read as 4; read as 7."
    )
    assert drawn("images", nearly, [4, 4, 7])[1].endswith("(bright): 4; 4; 7.")
    assert drawn("images", np.full((1, 2, 2), 0.25))[1] == "One image of 2×2, drawn from 0.25 (dark) to 0.25 (bright)."
    assert drawn("images", np.array([[[-1.5, 1234.5]]]))[1].endswith("drawn from -2 (dark) to 1234 (bright).")


def test_float_colors_outside_the_range_are_cut(drawn):
    figure, _ = drawn("images", np.full((1, 2, 2, 3), 7.0))
    assert figure.axes[0].images[0].get_array().max() == 1


def test_images_break_into_rows(drawn):
    figure, _ = drawn("images", np.zeros((12, 3, 3)), range(12))
    assert len(figure.axes) == 20  # two rows of ten, of which eight places stay empty
    assert sum(bool(ax.images) for ax in figure.axes) == 12


@pytest.mark.parametrize("backend_like", [np.zeros((2, 3, 3)), [[[0, 1], [1, 0]]]])
def test_images_take_lists_too(drawn, backend_like):
    assert "images of" in drawn("images", backend_like)[1] or "One image" in drawn("images", backend_like)[1]


@pytest.mark.parametrize(
    "images, labels, message",
    [
        (np.zeros((2, 3, 8, 9)), None, "channels come first"),
        (np.zeros((2, 8)), None, "image 0 has shape"),
        (np.zeros((2, 8, 9, 4)), None, "image 0 has shape"),
        (np.zeros((2, 8, 9)), ["one"], "one label for each image"),
        ([], None, "no image to draw"),
    ],
)
def test_images_refuse(images, labels, message):
    with pytest.raises(ValueError, match=message):
        plots.images(images, labels)


# --- shapes -----------------------------------------------------------------------------------------------------------
def test_shapes_are_labeled_with_their_sizes(drawn):
    figure, caption = drawn("shapes", {"scalar": (), "vector": (5,), "long": (100, 3), "rank 4": (2, 3, 4, 5)})
    said = words(figure)
    assert "long\n(100, 3)" in said and "100" in said and "2 stacks" in said
    assert "scalar (), rank 0, 1 number;" in caption and "long (100, 3), rank 2, 300 numbers" in caption


@pytest.mark.parametrize("shape", [(1, 2, 3, 4, 5), (2, 0)])
def test_shapes_refuse(shape):
    with pytest.raises(ValueError, match="up to four axes"):
        plots.shapes({"wrong": shape})


# --- parts ------------------------------------------------------------------------------------------------------------
def test_picked_says_what_each_way_takes(drawn):
    x = np.arange(12).reshape(3, 4)
    figure, caption = drawn("picked", ["x[1]", "x[1, 2]", "x[x > 9]", "x[[0, 1], [1, 3]]", "x[np.ix_([0], [1])]"], x=x)
    assert "x[1] takes 4 5 6 7, shape (4,); x[1, 2] takes 6, shape (); x[x > 9] takes 10 11, shape (2,);" in caption
    assert caption.endswith("x[[0, 1], [1, 3]] takes 1 7, shape (2,); x[np.ix_([0], [1])] takes 1, shape (1, 1).")
    assert words(figure).count("11") == 5 and "x[x > 9]" in words(figure)


def test_picked_colors_the_cells_that_are_taken(drawn):
    figure, _ = drawn("picked", ["x[:, 1]"], x=[[1, 2], [3, 4]])
    white = [patch.get_facecolor()[:3] == (1, 1, 1) for patch in figure.axes[0].patches if patch.get_fill()]
    assert white == [True, False, True, False]


@pytest.mark.parametrize(
    "parts, named",
    [(["y[0]"], {"x": np.ones((2, 2))}), (["x + 1"], {"x": np.ones((2, 2))}), ([], {"x": np.ones(3)}), ([], {})],
)
def test_picked_refuses(parts, named):
    with pytest.raises(ValueError, match=r"not a part of x|one matrix of at most 60"):
        plots.picked(parts, **named)


# --- reshape, transpose, reductions -----------------------------------------------------------------------------------
def test_reshape_and_transpose_tell_the_order_of_the_numbers(drawn):
    figure, caption = drawn("reshape_and_transpose", [[1, 2, 3], [4, 5, 6]])
    assert "a reshaped to (3, 2) reads 1 2 3 4 5 6;" in caption
    assert caption.endswith("a transposed (3, 2) reads 1 4 2 5 3 6.")
    assert words(figure).count("6") == 6  # once in each matrix, once in each line


@pytest.mark.parametrize("a", [np.zeros(3), np.zeros((6, 6)), np.zeros((0, 3))])
def test_reshape_and_transpose_refuses(a):
    with pytest.raises(ValueError, match="at most 30 numbers"):
        plots.reshape_and_transpose(a)


@pytest.mark.parametrize(
    "operation, said",
    [
        ("sum", "over axis 0 is 5 7 9, over axis 1 6 15, over both 21"),
        ("max", "over axis 0 is 4 5 6, over axis 1 3 6, over both 6"),
        ("mean", "over axis 0 is 2.5 3.5 4.5, over axis 1 2 5, over both 3.5"),
    ],
)
def test_reduction(drawn, operation, said):
    figure, caption = drawn("reduction", [[1, 2, 3], [4, 5, 6]], operation)
    assert caption == f"The {operation} {said}."
    assert "axis=0: (3,)" in words(figure) and "axis=1: (2,)" in words(figure)


def test_reduction_refuses():
    with pytest.raises(ValueError, match="choose one of"):
        plots.reduction(np.zeros((2, 2)), "median")
    with pytest.raises(ValueError, match="at most 8 × 8"):
        plots.reduction(np.zeros((2, 9)))


# --- memory -----------------------------------------------------------------------------------------------------------
def test_sharing(drawn):
    figure, caption = drawn("sharing", {"a[:2]": True, "a + 0": np.False_})
    assert caption == "Same memory: a[:2]. A copy: a + 0."
    assert "one block, two names" in words(figure) and "a copy" in words(figure)


def test_sharing_refuses():
    with pytest.raises(TypeError, match="True for shared memory"):
        plots.sharing({"a": "yes"})
    with pytest.raises(ValueError, match="at least one"):
        plots.sharing({})


# --- data -------------------------------------------------------------------------------------------------------------
def test_table(drawn):
    figure, caption = drawn("table", np.arange(24.0).reshape(8, 3), ["a", "b", "c (cm)"], rows=2)
    assert words(figure) == ["0", "1", "2", "3", "4", "5"]
    assert "first 2 of 8 samples with 3 features" in caption and "c (cm) 2 to 23" in caption


@pytest.mark.parametrize("values, columns", [(np.zeros(3), ["a"]), (np.zeros((2, 3)), ["a"])])
def test_table_refuses(values, columns):
    with pytest.raises(ValueError, match="a name for each feature"):
        plots.table(values, columns)


def test_series_with_windows(drawn):
    years = np.arange("1990", "1995", dtype="datetime64[Y]")
    figure, caption = drawn("series", [3.0, 9.0, 4.0, 1.0, 2.0], years, windows=[(1, 3)], y_label="spots")
    assert "5 values of spots from 1990 to 1994, between 1 and 9; the highest in 1991" in caption
    assert "window 0 from 1991 to 1993" in caption
    assert len(figure.axes[0].lines) == 2


def test_series_refuses():
    with pytest.raises(ValueError, match="as many times"):
        plots.series([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match="outside a series of 3"):
        plots.series([1, 2, 3], windows=[(2, 2)])


def test_likeness(drawn):
    figure, caption = drawn("likeness", {"photo": {"height": 0.2, "width": 0.25}, "table": {"samples": 1.02}})
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["photo: height", "photo: width", "table: samples"]
    assert caption == "photo, along height: 0.20; photo, along width: 0.25; table, along samples: 1.02."


@pytest.mark.parametrize("ratios", [{}, {"photo": {"height": float("nan")}}])
def test_likeness_refuses(ratios):
    with pytest.raises(ValueError, match="0 or more"):
        plots.likeness(ratios)
