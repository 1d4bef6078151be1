"""Sizes of files and layers, and sizes from stage to stage: what the figures show, and what their captions say."""

import pytest

from coursekit import plots
from coursekit.compression.reports import SizeReport

pytestmark = pytest.mark.usefixtures("no_figures_left")


def report(*layers):
    rows = [
        {
            "path": f"net/{name}/kernel",
            "layer": f"net/{name}",
            "weights": n,
            "zeros": zeros,
            "raw": 4 * n,
            "bound": bound,
        }
        for name, n, zeros, bound in layers
    ]
    return SizeReport("net", rows)


def test_sizes_are_bars_in_pairs(drawn):
    figure, caption = drawn("sizes", report(("conv", 100, 0, 60.5), ("dense", 900, 450, 100.0)))
    (ax,) = figure.axes
    assert [round(bar.get_width()) for bar in ax.patches] == [400, 61, 3600, 100]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["conv", "dense"]
    notes = [text.get_text().strip() for text in ax.texts]
    assert notes == ["400", "61", "3,600", "100, 50% zeros"]
    assert [bool(bar.get_hatch()) for bar in ax.patches] == [False, True, False, True]  # not told by color alone
    assert caption == (
        "4,000 bytes in 1,000 weights, 45.0% of them zero; at 1.28 bits a weight their entropy is 161 bytes. "
        "dense has 90% of the bytes."
    )


def test_notes_beside_bars_stay_inside_the_axes(drawn):
    figure, _ = drawn("sizes", report(("conv", 100, 0, 60.5), ("dense", 400_000, 399_000, 4000.0)))
    figure.canvas.draw()
    (ax,) = figure.axes
    right = ax.get_window_extent().x1
    assert all(text.get_window_extent().x1 <= right for text in ax.texts)


def test_layers_of_the_same_name_are_told_apart(drawn):
    rows = report(("a/dense", 10, 0, 5.0), ("b/dense", 10, 0, 5.0))
    figure, _ = drawn("sizes", rows)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert len(set(labels)) == 2


def test_nothing_to_weigh_is_refused():
    with pytest.raises(ValueError, match="no weight to draw"):
        plots.sizes(SizeReport("empty", []))
