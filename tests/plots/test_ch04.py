"""Learning drawn: what the figures show, and what their captions say of it."""

import itertools

import numpy as np
import pytest

from coursekit import plots

pytestmark = pytest.mark.usefixtures("no_figures_left")


# --- activations and regions ------------------------------------------------------------------------------------------
def test_activations_are_drawn_with_their_derivatives(drawn):
    square = (lambda z: z**2 / 25, lambda z: 2 * z / 25)
    figure, caption = drawn("activations", {"tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2), "square": square})
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["tanh", "square"]
    for ax in figure.axes:
        solid, dashed = (line for line in ax.lines if len(line.get_xdata()) > 2)
        assert (solid.get_linestyle(), dashed.get_linestyle()) == ("-", "--")
    assert "tanh goes from -1 to 1, its derivative is at most 1; square goes from 1 to 1" in caption


@pytest.mark.parametrize("functions, low", [({}, -1), ({"tanh": (np.tanh, np.tanh)}, 9)])
def test_activations_refuse_nothing_and_an_empty_range(functions, low):
    with pytest.raises(ValueError, match="low below high"):
        plots.activations(functions, low)


def test_regions_count_what_is_right(drawn):
    x, labels = np.array([[0.0, 0.0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 1])
    right = lambda points: (points.sum(axis=1) > 0.5).astype(int)
    never = lambda points: np.zeros(len(points), int)
    figure, caption = drawn("regions", {"or": right, "never": never}, x, {"or": labels, "never": 1 - labels})
    assert "or: 4 of 4 points right" in caption and "never: 3 of 4 points right, 0% of the square" in caption
    circles, squares = figure.axes[0].collections[-2:]
    assert len(circles.get_offsets()) == 1 and len(squares.get_offsets()) == 3
    assert circles.get_paths()[0].vertices.shape != squares.get_paths()[0].vertices.shape  # not told by color alone


def test_regions_need_a_plane():
    with pytest.raises(ValueError, match=r"x has shape \(4, 3\)"):
        plots.regions({"a": lambda x: x[:, 0]}, np.zeros((4, 3)), np.zeros(4))


# --- a small network --------------------------------------------------------------------------------------------------
def test_a_small_network_shows_its_weights_and_what_relu_makes_of_the_sums(drawn):
    network = [[np.array([[1.0, 1], [0, -1]]), np.array([0.0, 0])], [np.array([[1.0, -1], [2, 0]]), np.array([0.0, 2])]]
    figure, caption = drawn("small_network", network, [1, 2])
    said = [text.get_text() for text in figure.axes[0].texts]
    assert {"1 → 1", "-1 → 0", "bias 2", "input", "logit"} <= set(said)
    assert sorted(said).count("-1") == 2  # two weights of -1
    assert caption.endswith("The inputs are 1, 2; the sums of layer 1 are 1, -1; the sums of layer 2 are 1, 1.")


@pytest.mark.parametrize("units, x", [(2, [1, 2, 3]), (5, [1, 2])])
def test_a_small_network_is_small_and_its_input_fits(units, x):
    with pytest.raises(ValueError, match="four units at most"):
        plots.small_network([[np.ones((2, units)), np.zeros(units)]], x)


# --- history ----------------------------------------------------------------------------------------------------------
class KerasHistory:
    """As model.fit returns it."""

    def __init__(self, **history):
        self.history = history


def test_a_history_has_a_panel_for_each_quantity_and_the_loss_first(drawn):
    history = KerasHistory(accuracy=[0.5, 0.8, 0.9], loss=[3, 2, 1], val_accuracy=[0.4, 0.6, 0.5], val_loss=[3, 1, 2])
    figure, caption = drawn("history", history)
    assert [ax.get_ylabel() for ax in figure.axes] == ["loss", "accuracy"]
    for ax in figure.axes:
        training, validation = ax.lines
        assert (training.get_linestyle(), validation.get_linestyle()) == ("-", "--")
        assert training.get_marker() != validation.get_marker()
        assert training.get_xdata().tolist() == [1, 2, 3]
    assert "loss of training goes from 3 to 1 in 3 epochs" in caption
    assert "loss of validation goes from 3 to 2 in 3 epochs, lowest in epoch 2 (1)" in caption
    assert "accuracy of validation goes from 0.4 to 0.5 in 3 epochs." in caption


def test_a_dictionary_of_lists_is_a_history_too(drawn):
    _, caption = drawn("history", {"loss": [2.0, 1.0]}, title="a line")
    assert caption == "a line: loss of training goes from 2 to 1 in 2 epochs."


def test_several_histories_are_told_apart_where_they_lie_on_each_other(drawn):
    figure, caption = drawn("history", {"ours": {"loss": [2, 1]}, "Keras": KerasHistory(loss=[2, 1])})
    first, second = figure.axes[0].lines
    assert first.get_linewidth() > 2 * second.get_linewidth() and first.get_color() != second.get_color()
    assert "loss of ours training goes from 2 to 1" in caption and "loss of Keras training" in caption


@pytest.mark.parametrize("histories", [{}, {"loss": []}, KerasHistory(), {"ours": {"loss": []}}])
def test_a_history_without_epochs_is_refused(histories):
    with pytest.raises(ValueError, match="no epoch to draw"):
        plots.history(histories)


# --- results ----------------------------------------------------------------------------------------------------------
def test_a_confusion_matrix_counts_rows_by_truth(drawn):
    figure, caption = drawn("confusion", [0, 0, 0, 1, 1], [0, 1, 1, 1, 0], ["cat", "dog"])
    ax = figure.axes[0]
    numbers = {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in ax.texts}
    assert numbers == {(0, 0): "1", (0, 1): "2", (1, 0): "1", (1, 1): "1"}
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("true", "predicted")
    assert caption == "2 of 5 right, on the diagonal; 3 wrong, off it. Most often cat is taken for dog: 2 times."


def test_a_perfect_confusion_matrix_names_no_mistake(drawn):
    assert drawn("confusion", [0, 1, 2], [0, 1, 2])[1] == "3 of 3 right, on the diagonal; 0 wrong, off it."


def test_long_names_stand_apart(drawn):
    figure, _ = drawn("confusion", [0, 1, 2], [0, 1, 2], ["Iris setosa", "Iris versicolor", "Iris virginica"])
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]
    assert not any(a.overlaps(b) for a, b in itertools.pairwise(boxes))


@pytest.mark.parametrize(
    "y_true, y_pred, names, message",
    [
        ([0, 1], [0], None, "give both as"),
        ([], [], None, "give both as"),
        ([0, 2], [0, 1], ["a", "b"], "2 names and 3 classes"),
    ],
)
def test_a_confusion_matrix_refuses(y_true, y_pred, names, message):
    with pytest.raises(ValueError, match=message):
        plots.confusion(np.array(y_true), np.array(y_pred), names)


def test_a_prediction_shows_image_bars_and_label(drawn):
    figure, caption = drawn("prediction", np.zeros((4, 4, 1)), [0.2, 0.7, 0.1], ["a", "b", "c"], label=2)
    bars = figure.axes[1].patches
    assert [round(bar.get_height(), 2) for bar in bars] == [0.2, 0.7, 0.1]
    assert bars[1].get_hatch() and not bars[0].get_hatch()
    assert caption == "The largest of 3 probabilities is 0.700, for b; the label is c."


def test_a_prediction_of_many_images_is_refused():
    with pytest.raises(ValueError, match="give one image"):
        plots.prediction(np.zeros((2, 4, 4)), np.zeros((2, 3)))


def test_predicted_numbers_are_drawn_over_the_truth(drawn):
    figure, caption = drawn("predicted", [1, 2, 3], {"one off": [2, 3, 4], "exact": [1, 2, 3]}, "cm")
    assert [ax.get_xlabel() for ax in figure.axes] == ["true cm", "true cm"]
    assert "one off predicts from 2 to 4, off by 1 (root mean square); exact predicts" in caption
    with pytest.raises(ValueError, match=r"'short' has shape \(2,\)"):
        plots.predicted([1, 2, 3], {"short": [1, 2]})


def test_roc_says_the_area(drawn):
    figure, caption = drawn("roc", {"perfect": ([0, 0, 1], [0, 1, 1]), "useless": ([0, 1], [0, 1])})
    assert len({line.get_linestyle() for line in figure.axes[0].lines}) == 3
    assert "perfect has the area 1.000 under its curve; useless has the area 0.500" in caption
    with pytest.raises(ValueError, match="3 false and 2 true"):
        plots.roc({"a": ([0, 0, 1], [0, 1])})


def test_calibration_groups_by_confidence(drawn):
    confidence = np.array([0.5, 0.6, 0.9, 1.0])
    figure, caption = drawn("calibration", {"sure": (confidence, np.array([True, False, True, False]))}, bins=2)
    line = figure.axes[0].lines[0]
    assert np.allclose(line.get_xdata(), [0.55, 0.95]) and np.allclose(line.get_ydata(), [0.5, 0.5])
    assert "sure is 75% sure on average and 50% right" in caption
    with pytest.raises(ValueError, match="2 bins"):
        plots.calibration({"few": ([0.5], [True])}, bins=2)
