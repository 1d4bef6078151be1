"""Models drawn as graphs: what stands in the boxes, where the arrows lead, and what the caption says."""

import functools

import pytest

from coursekit import plots

keras = pytest.importorskip("keras")
from coursekit.plots.ch06_keras_models import graph_of  # noqa: E402

pytestmark = pytest.mark.usefixtures("no_figures_left")
Dense = keras.layers.Dense


@pytest.fixture
def drawn(drawn):
    """A function that draws a model and returns the figure and its caption on one line."""
    return functools.partial(drawn, "layer_graph")


def shared():
    inputs = [keras.Input((3,), name=name) for name in "ab"]
    encoder = Dense(2, name="encoder")
    code = keras.layers.Concatenate(name="code")([encoder(one) for one in inputs])
    return keras.Model(inputs, {"yes": Dense(1, name="yes")(code), "much": Dense(5, name="much")(code)})


def skipping():
    x = inputs = keras.Input((4,), name="x")
    inner = Dense(4, name="inner")(x)
    outer = Dense(4, name="outer")(inner)
    return keras.Model(inputs, keras.layers.Add(name="sum")([x, outer]))


class Hidden(keras.Model):
    def __init__(self):
        super().__init__()
        self.layer = Dense(2)

    def call(self, x):
        return self.layer(x)


def test_a_graph_says_for_each_call_who_feeds_it():
    assert graph_of(shared()) == {
        "a": [], "b": [], "encoder": [["a"], ["b"]], "code": [["encoder"]], "yes": [["code"]], "much": [["code"]],
    }  # fmt: skip
    assert graph_of(skipping())["sum"] == [["x", "outer"]]


def test_a_sequential_is_a_chain():
    model = keras.Sequential([keras.Input((3,), name="x"), Dense(2, name="first"), Dense(1, name="second")])
    assert graph_of(model) == {"x": [], "first": [["x"]], "second": [["first"]]}


def test_an_operation_is_a_layer_of_the_graph_too():
    inputs = keras.Input((3,), name="x")
    graph = graph_of(keras.Model(inputs, Dense(3, name="inner")(inputs) + 1))
    (total,) = graph.keys() - {"x", "inner"}  # Keras names an operation by itself and counts on: add, add_1, ...
    assert graph == {"x": [], "inner": [["x"]], total: [["inner"]]}


def test_boxes_say_name_kind_parameters_and_shape(drawn):
    figure, caption = drawn(shared())
    texts = {text.get_text() for text in figure.axes[0].texts if text.get_text()}
    assert "encoder, used twice\nDense, 8 parameters → (2)" in texts
    assert "a\nInputLayer → (3)" in texts and "code\nConcatenate → (4)" in texts
    assert len([text for text in figure.axes[0].texts if text.get_text()]) == 6
    assert caption == (
        "6 layers, 38 parameters; from the inputs a, b at the top to the outputs much, yes at the bottom; "
        "encoder is used twice."
    )


def test_one_parameter_and_three_uses_are_said_in_plain_english(drawn):
    inputs = [keras.Input((1,), name=name) for name in "abc"]
    triple = Dense(1, use_bias=False, name="triple")
    figure, caption = drawn(keras.Model(inputs, keras.layers.Add(name="sum")([triple(one) for one in inputs])))
    assert "triple, used 3 times\nDense, 1 parameter → (1)" in {text.get_text() for text in figure.axes[0].texts}
    assert caption.startswith("5 layers, 1 parameter; ") and caption.endswith("triple is used 3 times.")


def test_outputs_are_told_apart_by_more_than_color(drawn):
    figure, _ = drawn(shared())
    widths = {
        text.get_text().split("\n")[0]: text.get_bbox_patch().get_linewidth() for text in figure.axes[0].texts[:6]
    }
    assert widths["yes"] == widths["much"] > widths["code"]


def test_a_skip_goes_around_what_it_skips(drawn):
    figure, _ = drawn(skipping(), title="one block")
    arrows = [text.arrow_patch for text in figure.axes[0].texts if getattr(text, "arrow_patch", None)]
    bends = [arrow.get_connectionstyle().rad for arrow in arrows]
    assert len(arrows) == 4 and sorted(rad != 0 for rad in bends) == [False, False, False, True]
    assert figure.axes[0].get_title(loc="left") == "one block"


def test_boxes_of_a_row_stand_apart(drawn):
    inputs = [keras.Input((10,), name=f"a_long_name_{i}") for i in range(4)]
    figure, _ = drawn(keras.Model(inputs, keras.layers.Concatenate()([Dense(9)(one) for one in inputs])))
    figure.canvas.draw()
    boxes = [text.get_bbox_patch().get_window_extent() for text in figure.axes[0].texts if text.get_text()]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


@pytest.mark.parametrize("make", [Hidden, lambda: keras.Sequential([Dense(2)])])
def test_a_model_without_a_graph_is_refused(make):
    with pytest.raises(ValueError, match="keeps no graph of layers"):
        plots.layer_graph(make())


def test_a_subclassed_model_is_refused_after_its_first_call_as_well():
    model = Hidden()
    model(keras.ops.ones((1, 3)))
    with pytest.raises(ValueError, match="subclassed model"):
        graph_of(model)
