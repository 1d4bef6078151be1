"""What the course relies on in Keras beyond its public interface, promise by promise, each with the sentence it breaks.

`make check` also runs this file with the oldest versions the course is tested with (tests/colab), so it needs nothing
but Keras, a backend and pytest.
"""

import ast
import contextlib
import random
import re
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops

from coursekit import keras_internals as internals

PACKAGE = Path(internals.__file__).parent
SENTENCE = re.compile(r"Relies on: (.*?)\s*(?=\"\"\"|\Z)", re.DOTALL)


def promises():
    """{name: the sentence that says what a function or constant of the module relies on}."""
    body, found = ast.parse(Path(internals.__file__).read_text()).body, {}
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef):
            found[node.name] = ast.get_docstring(node)
        elif isinstance(node, ast.Assign):
            found[node.targets[0].id] = ast.literal_eval(after.value) if isinstance(after, ast.Expr) else ""
    return {name: " ".join(SENTENCE.findall(text or "")).replace("\n", " ") for name, text in found.items()}


@contextlib.contextmanager
def promise(name):
    """A failure inside says which promise is broken, by which Keras, and where to mend it."""
    try:
        yield
    except Exception as error:
        pytest.fail(
            f"Keras {keras.__version__} on {keras.backend.backend()} breaks what coursekit.keras_internals.{name} "
            f"relies on: {promises()[name]}\n({type(error).__name__}: {error})"
        )


def nested():
    """A model in a model: dense layers of 6 and 3 units, the first of them inside."""
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(6, name="inside")], name="inner")
    return keras.Sequential([keras.Input((4,)), inner, layers.Dense(3, name="last")], name="outer")


def names(found):
    return [layer.name for layer in found if not isinstance(layer, layers.InputLayer)]


# --- the module itself ------------------------------------------------------------------------------------------------
def test_everything_in_the_module_says_what_it_relies_on_and_is_tried_here():
    tried = Path(__file__).read_text()
    for name, sentence in promises().items():
        assert sentence.endswith("."), f"{name}: say in its docstring what it relies on"
        assert f'promise("{name}")' in tried, f"no test tries what {name} relies on"


def test_a_broken_promise_is_named():
    said = r"Keras 3.* breaks .*every_layer relies on: _flatten_layers\(\)"
    with pytest.raises(pytest.fail.Exception, match=said), promise("every_layer"):
        internals.every_layer(object())


def test_no_other_module_uses_a_private_name_of_keras():
    others = re.compile("_experimental_disable_per_channel.*|_cleanup_kernel")  # of TensorFlow and nbclient
    for file in set(PACKAGE.rglob("*.py")) - {Path(internals.__file__)}:
        for node in ast.walk(ast.parse(file.read_text())):
            name = getattr(node, "module", None) if isinstance(node, ast.ImportFrom) else getattr(node, "value", None)
            private = isinstance(name, str) and name.startswith("keras.src")
            if isinstance(node, ast.Attribute) and re.match("_[a-z]", node.attr):
                owner = node.value.func if isinstance(node.value, ast.Call) else node.value  # super()
                own = isinstance(owner, ast.Name) and owner.id in ("self", "cls", "super")
                private = not own and not others.match(node.attr)
            assert not private, f"{file.name}, line {node.lineno}: move this private name to keras_internals"


# --- layers and their weights -----------------------------------------------------------------------------------------
def test_every_layer():
    with promise("every_layer"):
        model = nested()
        assert internals.every_layer(model)[0] is model
        assert sorted(names(internals.every_layer(model))) == ["inner", "inside", "last", "outer"]
        around = layers.Bidirectional(layers.GRU(2))
        around.build((None, 3, 4))
        cells = [layer for layer in internals.every_layer(around) if isinstance(layer, layers.GRUCell)]
        assert len({id(cell) for cell in cells}) == len(cells) == 2


def test_inner_layers():
    with promise("inner_layers"):
        assert names(internals.inner_layers(nested())) == ["inner", "last"]
        assert internals.inner_layers(layers.Dense(3)) == []


def test_replace_inner_layers():
    class Several(keras.Model):
        def __init__(self):
            super().__init__()
            self.one, self.more, self.named = layers.Dense(2), [layers.Dense(3)], {"last": (layers.Dense(4),)}

        def call(self, x):
            return self.named["last"][0](self.more[0](self.one(x)))

    with promise("replace_inner_layers"):
        model = Several()
        model(ops.ones((1, 5)))
        old = internals.inner_layers(model)
        new = [layers.Dense(2, name="a"), layers.Dense(3, name="b"), layers.Dense(4, name="c")]
        for layer, width in zip(new, (5, 2, 3), strict=True):
            layer.build((None, width))
        internals.replace_inner_layers(model, {id(a): b for a, b in zip(old, new, strict=True)})
        assert names(internals.inner_layers(model)) == ["a", "b", "c"]
        assert (model.one, model.more[0], model.named["last"][0]) == tuple(new)
        wanted = [id(weight) for layer in new for weight in layer.weights]
        assert [id(weight) for weight in model.weights] == wanted
        assert model(ops.ones((1, 5))).shape == (1, 4)
        if keras.backend.backend() == "torch":
            assert {id(one) for one in model.parameters()} == {id(weight.value) for weight in model.weights}


def test_own_trainable_variables():
    with promise("own_trainable_variables"):
        model = nested()
        assert internals.own_trainable_variables(model) == []
        dense = model.get_layer("last")
        assert [id(one) for one in internals.own_trainable_variables(dense)] == [id(dense.kernel), id(dense.bias)]
        assert internals.own_trainable_variables(layers.TimeDistributed(dense)) == []


def test_own_losses():
    class Costly(layers.Layer):
        def call(self, x):
            seen.append(len(internals.own_losses(self)))
            self.add_loss(ops.sum(x))
            return x

    with promise("own_losses"):
        costly, inputs, seen = Costly(), keras.Input((2,)), []
        model = keras.Model(inputs, layers.Dense(2)(costly(costly(inputs))))
        for _ in range(2):
            seen.clear()
            model(ops.ones((1, 2)))
            assert seen == [0, 1]


def test_current_stateless_scope():
    with promise("current_stateless_scope"):
        assert internals.current_stateless_scope() is None
        with keras.StatelessScope() as outer:
            assert internals.current_stateless_scope() is outer
            with keras.StatelessScope() as inner:
                assert internals.current_stateless_scope() is inner
        assert internals.current_stateless_scope() is None


def test_without_trace():
    with promise("without_trace"):
        before, state = layers.Dense(2).name, random.getstate()
        with internals.without_trace():
            layers.Dense(2).build((None, 3)), layers.Dropout(0.5)
        assert random.getstate() == state
        after = layers.Dense(2).name
        assert int(after.split("_")[-1]) == int("0" + before.removeprefix("dense").removeprefix("_")) + 1


@pytest.mark.parametrize("stateless", (False, True))
def test_substituted(stateless):
    with promise("substituted"):
        dense, x = layers.Dense(2), ops.ones((1, 3))
        dense.build((None, 3))
        before = ops.convert_to_numpy(dense.kernel).copy()
        with keras.StatelessScope() if stateless else contextlib.nullcontext():
            with internals.substituted([dense.kernel], [ops.full((3, 2), 5.0)]):
                assert ops.convert_to_numpy(dense(x)).tolist() == [[15, 15]]
            assert np.allclose(ops.convert_to_numpy(dense(x)), before.sum(axis=0), atol=1e-6)
        assert np.array_equal(ops.convert_to_numpy(dense.kernel), before)


def test_substituted_inside_a_scope_that_holds_the_variable():
    with promise("substituted"):
        variable = keras.Variable([1.0])
        with keras.StatelessScope(state_mapping=[(variable, ops.full((1,), 2.0))]):
            with internals.substituted([variable], [ops.full((1,), 3.0)]):
                assert ops.convert_to_numpy(variable + 0).tolist() == [3]
            assert ops.convert_to_numpy(variable + 0).tolist() == [2]


# --- models made from descriptions and from each other ----------------------------------------------------------------
def test_object_sharing():
    with promise("object_sharing"):
        dense = layers.Dense(2)
        with internals.object_sharing():
            written = keras.saving.serialize_keras_object([dense, layers.Dense(2), dense])
        shared = [one.get("shared_object_id") for one in written]
        assert shared[0] == shared[2] is not None and shared[1] is None
        with internals.object_sharing():
            first, second, third = keras.saving.deserialize_keras_object(written)
        assert first is third and first is not second


def test_without_memory():
    with promise("without_memory"):
        counted, state = layers.Dense(1).name, random.getstate()
        with internals.without_memory():
            model = nested()
            layers.Dense(1)
        assert [tuple(one.shape) for one in model.weights] == [(4, 6), (6,), (6, 3), (3,)]
        assert all(one._value is None for one in model.weights)
        assert random.getstate() == state
        assert int(layers.Dense(1).name.rsplit("_")[-1]) == int(counted.rsplit("_")[-1]) + 1
        keras.Variable([1.0])  # Keras gives no values to those that were built without
        assert all(one._value is None for one in model.weights)


class FiveInSecondPlace(layers.Layer):
    """Makes a weight with the initializer in second place."""

    def build(self, shape):
        self.five = self.add_weight((2,), keras.initializers.Constant(5))

    def call(self, x):
        return x + ops.sum(self.five)


def test_take_arguments_of():
    class Around(layers.Wrapper):
        def __init__(self, layer):
            super().__init__(layer)
            internals.take_arguments_of(self, layer)

        def call(self, *args, training=None, **named):
            self.told = training
            return self.layer(*args, **named)

        def compute_output_spec(self, *args, **named):
            named.pop("training", None)
            return self.layer.compute_output_spec(*args, **named)

    with promise("take_arguments_of"):
        x = keras.random.normal((2, 5, 4), seed=1)
        attention = layers.MultiHeadAttention(2, 3)
        wanted = attention(query=x, value=x, use_causal_mask=True)
        wrapper = Around(attention)
        found = wrapper(query=x, value=x, use_causal_mask=True, training=True)
        assert np.array_equal(ops.convert_to_numpy(found), ops.convert_to_numpy(wanted)) and wrapper.told is True
        inputs = keras.Input((5, 4))
        model = keras.Model(inputs, wrapper(query=inputs, value=inputs, use_causal_mask=True))
        assert np.array_equal(ops.convert_to_numpy(model(x, training=False)), ops.convert_to_numpy(wanted))
        dense = Around(layers.Dense(2))
        dense(x, training=True)
        assert dense.told is True


def test_zeros_for_weights():
    def made():
        cells = layers.LSTM(3, recurrent_initializer="orthogonal", bias_initializer="ones")
        attention = layers.MultiHeadAttention(2, 3)
        inputs = keras.Input((5, 4))
        outputs = layers.Dense(2)(FiveInSecondPlace()(cells(attention(inputs, inputs))))
        return keras.Model(inputs, outputs)

    with promise("zeros_for_weights"):
        with internals.zeros_for_weights():
            model = made()
        assert len(model.weights) == 14
        assert all(not np.any(ops.convert_to_numpy(weight)) for weight in model.weights)
        assert type(model.layers[2].cell.recurrent_initializer).__name__ == "Orthogonal"
        assert all(np.any(ops.convert_to_numpy(weight)) for weight in made().weights if "bias" not in weight.path)


def test_not_compiled():
    class NotKnownToKeras(keras.losses.Loss):
        def call(self, y_true, y_pred):
            return ops.mean(y_pred, axis=-1)

        def get_config(self):
            raise NotImplementedError

    with promise("not_compiled"):
        model = nested()
        model.compile(keras.optimizers.SGD(), NotKnownToKeras())
        copy_layer = lambda layer: type(layer).from_config(layer.get_config())
        with internals.not_compiled([model]):
            copy = keras.models.clone_model(model, clone_function=copy_layer)
        assert model.compiled and not copy.compiled


# --- names in descriptions --------------------------------------------------------------------------------------------
def test_functional_module():
    with promise("FUNCTIONAL_MODULE"):
        inputs = keras.Input((3,))
        written = keras.saving.serialize_keras_object(keras.Model(inputs, layers.Dense(2)(inputs)))
        wanted = (internals.FUNCTIONAL_MODULE, "Functional", "Functional")
        assert tuple(written[key] for key in ("module", "class_name", "registered_name")) == wanted


@pytest.mark.parametrize("name", internals.OPERATION_MODULES)
def test_operation_modules(name):
    use = {"numpy": lambda x: x + x, "nn": ops.relu, "math": ops.logsumexp, "linalg": ops.norm}
    with promise("OPERATION_MODULES"):
        inputs = keras.Input((3,))
        model = keras.Model(inputs, use[name](inputs))
        (written,) = (one for one in model.get_config()["layers"] if one["class_name"] != "InputLayer")
        (operation,) = (one for one in model.operations if not isinstance(one, layers.InputLayer))
        wanted = (internals.OPERATION_MODULES[name], type(operation).__name__)
        assert (written["module"], written["registered_name"]) == wanted
        assert written["class_name"] == type(operation).__name__
        assert type(operation).__module__ == internals.OPERATION_MODULES[name]
