"""The pictures of notebook 19: what their captions say is true of the data, and bad data is refused."""

import numpy as np
import pytest

from coursekit import plots
from coursekit.plots.ch19_weight_clustering import draw_sizes_and_errors

WEIGHTS = np.array([-2.0, -1.0, -1.0, 0.0, 0.0, 0.0, 1.0, 3.0])


def said(capsys):
    return " ".join(capsys.readouterr().out.split())


def test_clusters_counts_the_weights_between_boundaries(capsys):
    plots.clusters(WEIGHTS, {"two": np.array([-1.0, 1.0])})
    assert "8 weights and 2 centroids" in (words := said(capsys))
    assert "two: from 2 to 6 weights in a cluster" in words  # 0 lies on the boundary and belongs to the lower one


def test_clusters_refuses_centroids_that_are_not_sorted():
    with pytest.raises(ValueError, match="sort the centroids"):
        plots.clusters(WEIGHTS, {"two": np.array([1.0, -1.0])})


def test_centroids_says_where_they_lie(capsys):
    plots.centroids(WEIGHTS, {"far": np.array([-10.0, 10.0]), "near": np.array([0.0, 0.1])})
    words = said(capsys)
    assert "far -10 to 10, 0% within a standard deviation of 0" in words
    assert "near 0 to 0.1, 100% within a standard deviation of 0" in words


@pytest.mark.parametrize("weights", [np.array([]), np.array([1.0, np.nan])])
def test_centroids_refuses_what_are_no_weights(weights):
    with pytest.raises(ValueError, match="finite numbers"):
        plots.centroids(weights, {"one": np.array([0.0])})


def test_before_and_after_counts_different_values(capsys):
    plots.weights_before_and_after({"a": WEIGHTS}, {"a": np.sign(WEIGHTS)})
    assert "a: 5 different values before, 3 after" in said(capsys)


def test_before_and_after_needs_the_same_layers_and_shapes():
    with pytest.raises(ValueError, match="the same layers"):
        plots.weights_before_and_after({"a": WEIGHTS}, {"b": WEIGHTS})
    with pytest.raises(ValueError, match="8 weights before and 3 after"):
        plots.weights_before_and_after({"a": WEIGHTS}, {"a": WEIGHTS[:3]})


def test_index_shares_gives_the_entropy(capsys):
    plots.index_shares({"even": np.array([5, 5, 5, 5]), "uneven": np.array([0, 8, 0, 0])})
    words = said(capsys)
    assert "even: the commonest has 25%, entropy 2.00 of at most 2.00 bits" in words
    assert "uneven: the commonest has 100%, entropy 0.00" in words


def test_trade_off_names_sizes_and_means(capsys):
    plots.trade_off({"a": (1000, [0.9, 0.92]), "b": (200, [0.7])}, level=("dense", 0.95))
    words = said(capsys)
    assert "a: 1,000 bytes, 0.9100" in words and "b: 200 bytes, 0.7000" in words
    assert "dashed: dense, 0.9500" in words


def test_trade_off_takes_equal_repetitions(capsys):
    plots.trade_off({"a": (10, [0.1 + 0.2] * 3)})
    assert "0.3000" in said(capsys)


def test_trade_off_refuses_a_size_of_nothing():
    with pytest.raises(ValueError, match="above 0"):
        plots.trade_off({"a": (0, [0.9, 0.92])})


def test_number_line_says_how_many_are_in_a_cluster(capsys):
    plots.number_line([-3, -2, 1, 6], {"two": [-2.5, 3.5]})
    assert "4 weights" in (words := said(capsys)) and "two: centroids -2.5, 3.5, clusters of 2, 2" in words


def test_bits_per_weight_names_them(capsys):
    plots.bits_per_weight({"8 values": {"packed": 3.0, "entropy": 2.5}})
    assert "8 values: packed 3.00, entropy 2.50" in said(capsys)


def test_bits_per_weight_needs_the_same_ways():
    with pytest.raises(ValueError, match="give each codebook packed"):
        plots.bits_per_weight({"a": {"packed": 3.0}, "b": {"zip": 3.0}})


def test_beside_published_names_each_point(capsys):
    plots.beside_published({"ours": {"b": (2000, 0.5), "a": (1000, 0.7)}, "published": {"theirs": (1500, 0.9)}})
    words = said(capsys)
    assert "ours: b 2,000 bytes 0.50 %, a 1,000 bytes 0.70 %; published: theirs 1,500 bytes 0.90 %." in words


def test_beside_published_refuses_a_file_of_nothing():
    with pytest.raises(ValueError, match="'ours' has a file without bytes"):
        plots.beside_published({"ours": {"a": (0, 0.9)}})


PANELS = {
    "one": {"dense": [(1000, [2.0, 4.0])], "small": [(200, [4.0, 4.5]), (100, [6.0, 5.0])]},
    "other": {"dense": [(900, [1.0])], "small": [(90, [2.0])]},
}


def test_sizes_and_errors_are_drawn_where_they_are():
    figure = draw_sizes_and_errors(PANELS)
    assert [ax.get_title("left") for ax in figure.axes] == ["one", "other"]
    small = figure.axes[0].containers[1]
    assert list(small.lines[0].get_xdata()) == [200, 100] and list(small.lines[0].get_ydata()) == [4.25, 5.5]
    low, high = (end.get_ydata()[0] for end in small.lines[1])
    assert low < 4.0 and high > 4.5 and (low + high) / 2 == pytest.approx(4.25)  # t of one degree of freedom is 12.7
    assert [text.get_text() for text in figure.axes[1].get_legend().get_texts()] == ["dense", "small"]


def test_sizes_and_errors_refuses_a_size_of_nothing():
    with pytest.raises(ValueError, match="'small' of 'one' has 0 bytes"):
        draw_sizes_and_errors({"one": {"small": [(0, [1.0])]}})
