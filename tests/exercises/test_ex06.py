"""The checks of notebook 06: right answers pass, gaps are not attempted, each mistake gets its own hint."""

import contextlib
import json
import re
import zipfile

import numpy as np
import pytest

from coursekit.exercises import NOT_ATTEMPTED, attempt

keras = pytest.importorskip("keras")
from keras import ops  # noqa: E402
from keras.layers import Concatenate, Dense  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402

TIMES = 30


def outcomes(exercise, answer, times=TIMES):
    return [attempt(exercise, answer) for _ in range(times)]


# --- 6.1 and 6.5: numbers ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "exercise, answer",
    [
        ("6.1", [293, 629, 1589]),
        ("6.1", (293, 629.0, 1589)),
        ("6.1", np.array([293, 629, 1589])),
        ("6.5", 5),
        ("6.5", 5.0),
        ("6.5", [5]),
        ("6.5", np.array([5])),
    ],
)
def test_right_numbers_pass(exercise, answer):
    assert outcomes(exercise, answer, 2) == [None, None]


def test_the_counts_are_those_of_keras():
    def model(shared):
        inputs = [keras.Input((20,)) for _ in range(3)]
        encoders = 3 * [Dense(8, "relu")] if shared else [Dense(8, "relu") for _ in range(3)]
        code = Concatenate()([encode(one) for encode, one in zip(encoders, inputs, strict=True)])
        return keras.Model(inputs, Dense(5)(code)).count_params()

    flat = keras.Sequential([keras.Input((60,)), Dense(24, "relu"), Dense(5)]).count_params()
    assert attempt("6.1", [model(True), model(False), flat]) is None


def test_the_number_of_traces_is_that_of_tensorflow():
    tf = pytest.importorskip("tensorflow")
    traces = []

    @tf.function
    def double(x):
        traces.append(1)
        return 2 * x

    for x in (1.0, [1.0, 2.0], [3.0, 4.0], [[1.0]], 5.0):
        double(tf.constant(x))
    for x in (2.0, 3.0, 2.0):
        double(x)
    assert attempt("6.5", len(traces)) is None


@pytest.mark.parametrize("exercise, answer", [("6.1", ...), ("6.1", [..., ..., ...]), ("6.5", ...), ("6.5", None)])
def test_a_gap_is_not_attempted(exercise, answer):
    assert attempt(exercise, answer) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "exercise, answer, hint",
    [
        ("6.1", [280, 629, 1589], "(a): biases are parameters"),
        ("6.1", [629, 293, 1589], "(a): one encoder has one set"),
        ("6.1", [213, 629, 1589], "(a): the three codes are joined"),
        ("6.1", [293, 293, 1589], "(b): three separate encoders"),
        ("6.1", [293, 504, 1589], "(b): the layer after the codes"),
        ("6.1", [293, 629, 629], "(c): in the flat model all 60 measures"),
        ("6.1", [293, 629, 10], "(c): a dense layer has inputs · units"),
        ("6.1", [293, 629, 1464], "(c): the layer that gives the 5 outputs"),
        ("6.1", [293, 629, ...], "(c) is still to do"),
        ("6.1", [293, 629, "many"], "(c) should be a plain number"),
        ("6.1", 293, "give a list of three numbers"),
        ("6.5", 8, "not every call traces"),
        ("6.5", 7, "the number 2.0 comes twice"),
        ("6.5", 4, "is a matrix of shape (1, 1)"),
        ("6.5", 3, "a plain Python number is its own signature"),
        ("6.5", 1, "shape and type of a tensor count"),
        ("6.5", 10.9, "go through the calls in order"),
        ("6.5", 5.5, "go through the calls in order"),
        ("6.5", "5", "should be a plain number"),
        ("6.5", float("nan"), "should be a plain number"),
        ("6.5", [1, 2], "should be a plain number"),
    ],
)
def test_wrong_numbers_get_their_own_hint(exercise, answer, hint):
    assert hint in attempt(exercise, answer)


# --- 6.2: a siamese network -------------------------------------------------------------------------------------------
def siamese_with(measure, twins=False, activation="relu"):
    def siamese(features, units):
        one, other = keras.Input((features,)), keras.Input((features,))
        encoder = Dense(units, activation)
        second = Dense(units, activation) if twins else encoder
        return keras.Model([one, other], measure(encoder(one) - second(other)))

    return siamese


total = lambda z: ops.sum(z, axis=1, keepdims=True)
siamese = siamese_with(lambda z: total(ops.abs(z)))


def test_a_siamese_network_passes():
    assert outcomes("6.2", siamese, 4) == [None] * 4


def test_a_siamese_network_of_other_layers_passes():
    """The ReLU in a layer of its own, the encoder as a model, and the sum in a layer."""

    class Distance(keras.layers.Layer):
        def call(self, one, other):
            return ops.sum(ops.maximum(one - other, other - one), axis=-1)[:, None]

    def other_siamese(features, units):
        encoder = keras.Sequential([keras.Input((features,)), Dense(units), keras.layers.ReLU()])
        a, b = keras.Input((features,)), keras.Input((features,))
        return keras.Model([a, b], Distance()(encoder(a), encoder(b)))

    assert outcomes("6.2", other_siamese, 2) == [None] * 2


class Twins(keras.Model):
    """A class of one's own, which has no inputs to count."""

    def __init__(self, units):
        super().__init__()
        self.encoder = Dense(units, "relu")

    def call(self, pair):
        return total(ops.abs(self.encoder(pair[0]) - self.encoder(pair[1])))


@pytest.mark.parametrize(
    "answer, hint",
    [
        (siamese_with(lambda z: total(ops.abs(z)), twins=True), "two encoders: make the layer once"),
        (siamese_with(lambda z: total(z)), "the differences cancel"),
        (siamese_with(lambda z: total(-z)), "the differences cancel"),
        (siamese_with(lambda z: ops.abs(total(z))), "you added first"),
        (
            lambda features, units: siamese(features, 2 * units),
            "parameters; one dense layer",
        ),  # as many as two encoders
        (siamese_with(lambda z: ops.mean(ops.square(z), axis=1, keepdims=True)), "for random weights, the distance at"),
        (siamese_with(lambda z: total(ops.relu(z))), "for random weights, the distance at"),
        (siamese_with(lambda z: total(ops.square(z))), "not squared ones"),
        (siamese_with(lambda z: ops.mean(ops.abs(z), axis=1, keepdims=True)), "not their mean"),
        (siamese_with(lambda z: total(ops.abs(z)), activation=None), "the encoder has ReLU units"),
        (siamese_with(lambda z: ops.max(ops.abs(z), axis=1, keepdims=True)), "not the largest"),
        (siamese_with(lambda z: ops.sqrt(total(ops.square(z)))), "and no root"),
        (siamese_with(lambda z: total(ops.abs(z)), activation="tanh"), "should be"),
        (siamese_with(lambda z: total(ops.abs(z)) + 0 * ops.sum(z) / 0), "no finite numbers"),
        (siamese_with(lambda z: ops.sum(ops.abs(z), axis=1)), "keepdims=True"),
        (siamese_with(lambda z: Dense(1)(ops.abs(z))), "parameters; one dense layer"),
        (lambda features, units: siamese(5, 3), "parameters; one dense layer"),  # knows one case only
        (lambda features, units: keras.Sequential([keras.Input((features,)), Dense(units)]), "should have two inputs"),
        (lambda features, units: 3, "return a keras.Model"),
        (lambda features, units: Twins(units), "a functional model is asked for"),
    ],
)
def test_a_wrong_twin_gets_its_own_hint(answer, hint):
    said = attempt("6.2", answer)
    assert said and hint in said


# --- 6.3: a layer -----------------------------------------------------------------------------------------------------
class Standardize(keras.layers.Layer):
    def __init__(self, mean, deviation, **kwargs):
        super().__init__(**kwargs)
        self.mean, self.deviation = ([float(value) for value in values] for values in (mean, deviation))

    def call(self, x):
        mean, deviation = (ops.convert_to_tensor(values, dtype=x.dtype) for values in (self.mean, self.deviation))
        return self.compute(x, mean, deviation)

    def compute(self, x, mean, deviation):
        return (x - mean) / deviation

    def get_config(self):
        return super().get_config() | {"mean": self.mean, "deviation": self.deviation}


class WithWeights(keras.layers.Layer):
    """Right as well: keeps both as weights that are not trained."""

    def __init__(self, mean, deviation, trained=False, **kwargs):
        super().__init__(**kwargs)
        self.given = [list(map(float, values)) for values in (mean, deviation)]
        self.trained = trained

    def build(self, shape):
        self.mean, self.deviation = (
            self.add_weight(
                shape=(shape[-1],),
                trainable=self.trained,
                initializer=lambda shape, dtype, values=values: ops.convert_to_tensor(values, dtype=dtype),
            )
            for values in self.given
        )

    def call(self, x):
        return (x - self.mean) / self.deviation

    def get_config(self):
        return super().get_config() | dict(zip(("mean", "deviation"), self.given, strict=True))


def computes(function):
    return type("Wrong", (Standardize,), {"compute": lambda self, x, mean, deviation: function(x, mean, deviation)})


def configured(function):
    return type("Wrong", (Standardize,), {"get_config": function})


class KeepsArrays(Standardize):
    def get_config(self):
        return keras.layers.Layer.get_config(self) | {"mean": np.array(self.mean), "deviation": np.array([1.0])}


class NoConfig(keras.layers.Layer):
    def __init__(self, mean, deviation, **kwargs):
        super().__init__(**kwargs)
        self.mean, self.deviation = np.asarray(mean, "float32"), np.asarray(deviation, "float32")

    def call(self, x):
        return (x - self.mean) / self.deviation


class Trained(WithWeights):
    def __init__(self, mean, deviation, **kwargs):
        super().__init__(mean, deviation, trained=True, **kwargs)


class Gap(keras.layers.Layer):
    def __init__(self, mean, deviation, **kwargs):
        super().__init__(**kwargs)

    def call(self, x): ...

    def get_config(self): ...


whole = lambda self: {"name": self.name, "mean": self.mean, "deviation": self.deviation}


class OfArrays(keras.layers.Layer):
    """Right as well: keeps arrays, and makes lists of them for the config."""

    def __init__(self, mean, deviation, **kwargs):
        super().__init__(**kwargs)
        self.mean, self.deviation = np.asarray(mean, "float32"), np.asarray(deviation, "float32")

    def call(self, x):
        return (x - self.mean) / self.deviation

    def get_config(self):
        return super().get_config() | {"mean": self.mean.tolist(), "deviation": self.deviation.tolist()}


class WritesIntoIt(Standardize):
    """Turns the given arrays into what it needs, and so changes them."""

    def __init__(self, mean, deviation, **kwargs):
        super().__init__(list(mean), list(deviation), **kwargs)
        mean[0] = 0.0


class Rounds(Standardize):
    def get_config(self):
        return super().get_config() | {"mean": [round(value) for value in self.mean]}


class OfNumPy(Standardize):
    """Right for arrays, and in no model."""

    def call(self, x):
        return (np.array(x) - np.array(self.mean, "float32")) / np.array(self.deviation, "float32")


class OfArraysOnly(OfArrays):
    """Its own config, of lists, can't make it again."""

    def __init__(self, mean, deviation, **kwargs):
        super().__init__(mean.astype("float32"), deviation.astype("float32"), **kwargs)


@pytest.mark.parametrize(
    "wrong, hint", [(OfNumPy, "can't be put into a model"), (OfArraysOnly, "the config gives lists back")]
)
def test_a_layer_for_arrays_alone_is_told_so_in_one_line(wrong, hint):
    said = outcomes("6.3", wrong, 5)
    assert all(hint in (one or "") and len(one) < 300 for one in said), said


def test_standardizing_layers_pass():
    assert outcomes("6.3", Standardize, 5) == [None] * 5
    assert outcomes("6.3", WithWeights, 3) == [None] * 3
    assert outcomes("6.3", OfArrays, 3) == [None] * 3


def test_the_gap_of_a_layer_is_not_attempted():
    assert attempt("6.3", Gap) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "answer, hint",
    [
        (NoConfig, "write get_config"),
        (KeepsArrays, "does not fit into a JSON file"),
        (configured(lambda self: keras.layers.Layer.get_config(self)), "the config lacks mean and deviation"),
        (
            configured(lambda self: {"mean": self.mean, "deviation": self.deviation}),
            "the config lacks what every layer has",
        ),
        (
            configured(lambda self: whole(self) | {"deviation": [1.0] * len(self.mean)}),
            "the output of the copy",
        ),
        (WritesIntoIt, "what you were given has changed"),
        (Rounds, "the output of the copy made from the config at"),
        (computes(lambda x, mean, deviation: x), "comes back as it was"),
        (computes(lambda x, mean, deviation: (x + mean) / deviation), "you added it"),
        (computes(lambda x, mean, deviation: (x - mean) / deviation**2), "not by its square"),
        (computes(lambda x, mean, deviation: (x - mean) / (deviation + 1e-2)), "the output at"),
        (Trained, "no trainable weights"),
        (computes(lambda x, mean, deviation: x - mean), "divide by the deviation, too"),
        (computes(lambda x, mean, deviation: x / deviation), "subtract the mean, too"),
        (computes(lambda x, mean, deviation: (x - mean) * deviation), "you multiplied"),
        (computes(lambda x, mean, deviation: x - mean / deviation), "mind the brackets"),
        (
            computes(lambda x, mean, deviation: (x - ops.mean(x, axis=0)) / ops.std(x, axis=0)),
            "mean and deviation of the batch",
        ),
    ],
)
def test_a_wrong_layer_gets_its_own_hint(answer, hint):
    said = attempt("6.3", answer)
    assert said and (hint in said or (hint == "the output of the copy" and "divide by the deviation" in said))


# --- 6.4: a metric ----------------------------------------------------------------------------------------------------
class WorstError(keras.metrics.Metric):
    def __init__(self, name="worst_error", **kwargs):
        super().__init__(name=name, **kwargs)
        self.worst = self.add_weight(name="worst", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.worst.assign(self.updated(self.worst, ops.convert_to_tensor(y_true) - ops.convert_to_tensor(y_pred)))

    def updated(self, worst, error):
        return ops.maximum(worst, ops.max(ops.abs(error)))

    def result(self):
        return ops.convert_to_tensor(self.worst)


def updates(function):
    return type("Wrong", (WorstError,), {"updated": lambda self, worst, error: function(worst, error)})


class PythonState(WorstError):
    def update_state(self, y_true, y_pred, sample_weight=None):
        self.kept = max(getattr(self, "kept", 0.0), float(np.abs(y_true - y_pred).max()))

    def result(self):
        return getattr(self, "kept", 0.0)


class NoUpdate(WorstError):
    def update_state(self, y_true, y_pred, sample_weight=None):
        pass


class MetricGap(keras.metrics.Metric):
    def update_state(self, y_true, y_pred, sample_weight=None): ...

    def result(self): ...


def test_a_worst_error_passes():
    assert outcomes("6.4", WorstError, 10) == [None] * 10


class BothSigns(WorstError):
    """Right as well: keeps the largest of both signs, and gives the weight itself, which JAX's compiled code can't."""

    def updated(self, worst, error):
        return ops.maximum(worst, ops.maximum(ops.max(error), -ops.min(error)))

    def result(self):
        return self.worst


def test_another_worst_error_passes():
    said = outcomes("6.4", BothSigns, 5)
    assert all("in `evaluate`" in one for one in said) if keras.backend.backend() == "jax" else said == [None] * 5


class GivesAFloat(WorstError):
    """Right where each line is executed at once, but not in `evaluate`, whose code is compiled."""

    def result(self):
        return float(ops.convert_to_numpy(self.worst))


class InAnAttribute(WorstError):
    """The state is a plain attribute, which compiled code does not change."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.big = ops.maximum(getattr(self, "big", 0.0), ops.max(ops.abs(y_true - y_pred)))

    def result(self):
        return ops.convert_to_tensor(getattr(self, "big", 0.0))

    def reset_state(self):
        self.big = 0.0


class StartsAtOne(WorstError):
    def __init__(self, name="worst_error", **kwargs):
        super().__init__(name=name, **kwargs)
        self.worst.assign(1.0)


class Empties(WorstError):
    """Whoever reads the result takes the state away."""

    def result(self):
        value = self.worst + 0.0
        self.worst.assign(0.0)
        return value


@pytest.mark.parametrize(
    "wrong, hint",
    [
        (GivesAFloat, "in `evaluate`"),
        (InAnAttribute, "in `evaluate`"),
        (StartsAtOne, "before any batch there is no error yet"),
        (Empties, "that is the worst of the last batch"),
    ],
)
def test_a_metric_that_keras_could_not_use_is_told_why(wrong, hint):
    assert all(hint in (said or "") for said in outcomes("6.4", wrong, 5))


def of(part):
    """A metric that sees a part of each batch's absolute errors."""
    return updates(lambda worst, error: ops.maximum(worst, ops.max(part(ops.abs(error)))))


PARTS = [
    *(
        lambda ab, part=part: ab[part]
        for part in (np.s_[0], np.s_[-1], np.s_[1:], np.s_[:-1], np.s_[1:-1], np.s_[:2], np.s_[::2])
    ),
    *(lambda ab, part=part: ab[..., part] for part in (np.s_[0], np.s_[-1], np.s_[:1], np.s_[:2], np.s_[-2:])),
    lambda ab: ops.max(ab, axis=0)[0],
    lambda ab: ops.max(ab, axis=1)[0],
    lambda ab: ops.max(ab, axis=-1)[-1],
    lambda ab: ops.mean(ab, axis=-1),
    lambda ab: ops.mean(ab, axis=0),
]


@pytest.mark.parametrize("part", PARTS)
def test_a_metric_that_looks_at_a_part_of_each_batch_never_passes_and_hears_nothing_false(part):
    said = outcomes("6.4", of(part), 8)
    assert all("the result should be" in (one or "") and "in row" in one for one in said), said


def compares(difference):
    def update_state(self, y_true, y_pred, sample_weight=None):
        self.worst.assign(ops.maximum(self.worst, ops.max(ops.abs(difference(y_true, y_pred)))))

    return type("Wrong", (WorstError,), {"update_state": update_state})


class LeavesOut(WorstError):
    """Sees all batches but one: the first, or each second."""

    every = 10**6

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.seen = getattr(self, "seen", -1) + 1
        if self.seen % self.every:
            super().update_state(y_true, y_pred)

    def reset_state(self):
        self.seen = -1
        super().reset_state()


@pytest.mark.parametrize(
    "wrong",
    [
        compares(lambda t, p: t[..., None] - p[:, None]),
        compares(lambda t, p: t[:, None] - p),
        compares(lambda t, p: t - p[::-1]),
        LeavesOut,
        type("EachSecond", (LeavesOut,), {"every": 2}),
    ],
)
def test_a_metric_that_compares_other_entries_or_leaves_out_batches_never_passes(wrong):
    assert None not in outcomes("6.4", wrong, 8)


class StartsLow(WorstError):
    """Right as well: no error is lower than where it starts."""

    def __init__(self, name="worst_error", start=-np.inf, **kwargs):
        super().__init__(name=name, **kwargs)
        self.start = start
        self.worst.assign(start)

    def reset_state(self):
        self.worst.assign(self.start)


def test_a_state_that_starts_below_zero_passes():
    assert outcomes("6.4", StartsLow, 5) == [None] * 5
    below = type("Below", (WorstError,), {"__init__": lambda self, **kwargs: from_minus_one(self, **kwargs)})
    assert outcomes("6.4", below, 5) == [None] * 5


def from_minus_one(metric, **kwargs):
    """As StartsLow, by an initializer: Keras resets to 0."""
    keras.metrics.Metric.__init__(metric, name="worst_error", **kwargs)
    metric.worst = metric.add_weight(name="worst", initializer=keras.initializers.Constant(-1.0))


class InPlace(WorstError):
    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true -= y_pred
        self.worst.assign(ops.maximum(self.worst, np.abs(y_true).max()))


class FirstOnly(WorstError):
    def updated(self, worst, error):
        worst = ops.convert_to_tensor(worst)  # JAX takes no weight here
        return ops.where(worst > 0, worst, ops.max(ops.abs(error)))


def test_the_gap_of_a_metric_is_not_attempted():
    assert attempt("6.4", MetricGap) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "answer, hint",
    [
        (updates(lambda worst, error: ops.max(ops.abs(error))), "the worst of the last batch"),
        (updates(lambda worst, error: worst + ops.max(ops.abs(error))), "that is a sum over batches"),
        (updates(lambda worst, error: ops.maximum(worst, ops.max(-error))), "far too low counts"),
        (updates(lambda worst, error: ops.maximum(worst, ops.max(error))), "far too high counts"),
        (updates(lambda worst, error: ops.maximum(worst, ops.max(ops.abs(error[:, :1])) + 0.01)), "should be"),
        (InPlace, "what you were given has changed"),
        (FirstOnly, "the worst of the first batch"),
        (updates(lambda worst, error: ops.maximum(worst, ops.max(ops.square(error)))), "that is the squared error"),
        (PythonState, "after reset_state"),
        (NoUpdate, "the state is still 0"),
    ],
)
def test_a_wrong_metric_gets_its_own_hint(answer, hint):
    said = outcomes("6.4", answer, 5)
    assert all(said) and all(hint in one for one in said)


# --- 6.6: the doorkeeper ----------------------------------------------------------------------------------------------
def doorkeeper_with(suspicious, functions=True, below=True):
    """A doorkeeper that calls these parts suspicious; `below`: it looks inside them, too."""

    def doorkeeper(path):
        with zipfile.ZipFile(path) as archive:
            to_see, found = [json.loads(archive.read("config.json"))], set()
        while to_see:
            part = to_see.pop()
            if isinstance(part, dict):
                if "class_name" in part and suspicious(part):
                    found.add(part["class_name"])
                    if not below:
                        continue
                if functions and part.get("class_name") == "function" and ">" in part["config"]:
                    found.add(part["config"])
                to_see += part.values()
            elif isinstance(part, list):
                to_see += part
        return found

    return doorkeeper


def foreign(part, own=("keras",), start="keras."):
    module = part.get("module", "keras")
    if part["class_name"] == "function":
        return False
    return module not in own and not str(module).startswith(start)


def named_keras(part):
    return part["class_name"] == "function" or "keras" in str(part.get("module", "keras"))


def is_lambda(part):
    return part["class_name"] == "__lambda__"


doorkeeper = doorkeeper_with(lambda part: is_lambda(part) or foreign(part))


def only_the_layers(path):
    """Looks at the layers of the outermost model, not further in."""
    with zipfile.ZipFile(path) as archive:
        layers = json.loads(archive.read("config.json"))["config"]["layers"]
    return {one["class_name"] for one in layers if foreign(one)}


def test_a_doorkeeper_passes():
    assert outcomes("6.6", doorkeeper, 8) == [None] * 8
    assert outcomes("6.6", lambda path: sorted(doorkeeper(path)), 2) == [None] * 2
    assert outcomes("6.6", lambda path: dict.fromkeys(doorkeeper(path), "look at it"), 2) == [None] * 2


@pytest.mark.parametrize(
    "answer, hint",
    [
        (doorkeeper_with(foreign), "a `__lambda__` went through"),
        (only_the_layers, "a `__lambda__` went through"),
        (doorkeeper_with(lambda part: is_lambda(part) or foreign(part, start="keras")), "only looks like Keras"),
        (doorkeeper_with(lambda part: is_lambda(part) or part.get("module") == "builtins"), "is the name in `config`"),
        (
            doorkeeper_with(lambda part: is_lambda(part) or foreign(part), functions=False),
            "with a registered function in the file",
        ),
        (
            doorkeeper_with(lambda part: is_lambda(part) or foreign(part, own=("keras", "builtins"))),
            "with a class of `builtins` in the file",
        ),
        (doorkeeper_with(lambda part: is_lambda(part) or not named_keras(part)), "a module that only looks like Keras"),
        (doorkeeper_with(lambda part: not str(part.get("module")).startswith("keras")), "`__keras_tensor__` has no"),
        (
            doorkeeper_with(lambda part: is_lambda(part) or part.get("module", "keras") not in ("keras", "builtins")),
            "called suspicious",
        ),
        (
            doorkeeper_with(lambda part: is_lambda(part) or (part.get("module") and foreign(part))),
            "with a class without a module in the file",
        ),
        (lambda path: doorkeeper(path) and {"Lambda"}, "called suspicious"),  # knows the example only
        (lambda path: "Lambda" in str(doorkeeper(path)), "return a set"),
    ],
)
def test_a_careless_doorkeeper_gets_its_own_hint(answer, hint):
    assert hint in attempt("6.6", answer)


def module_is_keras(part):
    return f"{part.get('module', 'keras')}.".startswith("keras.")


def careless(name=lambda part: part["class_name"], own=module_is_keras, function=lambda part: ">" in part["config"]):
    """The solution with one of its three decisions changed."""

    def doorkeeper(path):
        found = set()
        for part in parts_of_the_config(path):
            if part["class_name"] == "function":
                found |= {part["config"]} if function(part) else set()
            elif is_lambda(part) or not own(part):
                found.add(name(part))
        return found

    return doorkeeper


def parts_of_the_config(path):
    """All dictionaries with a class name, at any depth."""
    with zipfile.ZipFile(path) as archive:
        to_see = [json.loads(archive.read("config.json"))]
    while to_see:
        part = to_see.pop()
        if isinstance(part, dict) and "class_name" in part:
            yield part
        if isinstance(part, (dict, list)):
            to_see += part.values() if isinstance(part, dict) else part


def known_to_keras(part):
    name = part["class_name"]
    return name in ("Functional", "__keras_tensor__", "DTypePolicy", "Add", "Sequential") or hasattr(keras.layers, name)


def starts_with(pattern):
    return lambda part: re.match(pattern, str(part.get("module", "keras"))) is not None


def test_the_doorkeeper_that_is_made_careless_is_right_before():
    assert outcomes("6.6", careless(), 5) == [None] * 5


@pytest.mark.parametrize(
    "wrong",
    [
        careless(own=known_to_keras),
        careless(own=lambda part: known_to_keras(part) and module_is_keras(part)),
        careless(own=lambda part: known_to_keras(part) or module_is_keras(part)),
        careless(name=lambda part: part.get("registered_name") or part["class_name"]),
        careless(own=lambda part: part.get("registered_name") in (None, part["class_name"])),
        careless(own=lambda part: module_is_keras(part) and part.get("registered_name") is None),
        careless(own=starts_with(r"keras\b")),
        careless(own=starts_with(r"keras\W|keras$")),
        careless(own=starts_with(r"(?i)keras(\.|$)")),
        careless(own=starts_with(r"keras\d*(\.|$)")),
        careless(function=lambda part: not hasattr(keras.activations, part["config"])),
        careless(function=lambda part: part["config"] != "relu"),
        careless(function=lambda part: ">" in part["config"] and not module_is_keras(part)),
        careless(function=lambda part: part["config"].count(">") == 1),
    ],
)
def test_a_doorkeeper_that_decides_by_another_entry_never_passes(wrong):
    said = outcomes("6.6", wrong, 5)
    assert all("in the file" in (one or "") for one in said), said


def test_a_doorkeeper_that_loads_fails():
    assert "raised" in attempt("6.6", lambda path: {keras.saving.load_model(path).name})


# --- 6.7: a tiny model ------------------------------------------------------------------------------------------------
def tiny_with(units=1, activation="sigmoid", flip=False, trained=True):
    """The graph of the solution. Its weights are found by logistic regression, in a thousandth of Keras's time: first
    those of the worst ten measures, then those of the three codes that they make."""

    def tiny(inputs, labels):
        placeholders = [keras.Input((10,)) for _ in inputs]
        weigh, last = Dense(units), Dense(1, activation=activation)
        model = keras.Model(placeholders, last(Concatenate()([weigh(one) for one in placeholders])))
        if not trained:
            model.set_weights([np.zeros_like(weights) for weights in model.get_weights()])
        elif units == 1:
            wanted = 1 - labels if flip else labels
            ten = LogisticRegression(C=0.1).fit(inputs[2], wanted).coef_.T  # (10, 1)
            codes = np.concatenate([one @ ten for one in inputs], axis=1)  # (n, 3)
            three = LogisticRegression().fit(codes, wanted)
            model.set_weights([ten, np.zeros(1), three.coef_.T, three.intercept_])
        return model

    return tiny


class AsClass(keras.Model):
    """Right as well: the same as a subclassed model with eleven weights, those of the worst ten measures."""

    def __init__(self, kernel, bias):
        super().__init__()
        self.neuron = Dense(1, activation="sigmoid")
        self.neuron.build((None, 10))
        self.neuron.set_weights([kernel, bias])

    def call(self, inputs):
        return self.neuron(inputs[2])


def as_class(inputs, labels):
    worst = LogisticRegression(C=0.1).fit(inputs[2], labels)
    model = AsClass(worst.coef_.T, worst.intercept_)
    model([one[:1] for one in inputs])  # which builds it
    return model


def fitted(inputs, labels):
    """Logistic regression on all thirty measures: three arrays (10, 1) and a bias."""
    model = LogisticRegression(C=0.1).fit(np.concatenate(inputs, axis=1), labels)
    return np.split(model.coef_.T.astype("float32"), 3), model.intercept_.astype("float32")


def in_the_graph(inputs, labels):
    """31 numbers, of which none is a weight."""
    parts, bias = fitted(inputs, labels)
    placeholders = [keras.Input((10,)) for _ in inputs]
    sums = [ops.matmul(one, part) for one, part in zip(placeholders, parts, strict=True)]
    return keras.Model(placeholders, ops.sigmoid(sums[0] + sums[1] + sums[2] + bias))


class KeepsNumbers(keras.layers.Layer):
    """Weighs ten measures with an array or a list."""

    def __init__(self, kept, **kwargs):
        super().__init__(**kwargs)
        self.kept = kept

    def call(self, x):
        return ops.matmul(x, ops.convert_to_tensor(np.reshape(self.kept, (10, 1)), dtype=x.dtype))


def in_attributes(keep):
    def tiny(inputs, labels):
        parts, bias = fitted(inputs, labels)
        placeholders = [keras.Input((10,)) for _ in inputs]
        sums = [KeepsNumbers(keep(part))(one) for one, part in zip(placeholders, parts, strict=True)]
        return keras.Model(placeholders, ops.sigmoid(sums[0] + sums[1] + sums[2] + float(bias[0])))

    return tiny


@pytest.mark.parametrize(
    "wrong",
    [in_the_graph, in_attributes(np.array), in_attributes(ops.convert_to_tensor), in_attributes(np.ndarray.tolist)],
)
def test_numbers_that_are_no_weights_count_as_well(wrong):
    said = outcomes("6.7", wrong, 2)
    assert all("numbers as constants: these count as well" in (one or "") for one in said), said


def ten_in_an_attribute(inputs, labels):
    """Right as well: ten constants, and a neuron of two weights behind them."""
    ten = LogisticRegression(C=0.1).fit(inputs[2], labels).coef_.T
    placeholders, last = [keras.Input((10,)) for _ in inputs], Dense(1, activation="sigmoid")
    model = keras.Model(placeholders, last(KeepsNumbers(ten)(placeholders[2])))
    code = inputs[2] @ ten
    neuron = LogisticRegression().fit(code, labels)
    last.set_weights([neuron.coef_.T, neuron.intercept_])
    return model


def test_a_few_constants_are_allowed():
    assert outcomes("6.7", ten_in_an_attribute, 2) == [None] * 2


def test_tiny_models_pass():
    assert outcomes("6.7", tiny_with(), 3) == [None] * 3
    assert outcomes("6.7", as_class, 1) == [None]


def test_one_bad_draw_is_forgiven():
    draws = iter([tiny_with(flip=True), tiny_with()])
    assert attempt("6.7", lambda inputs, labels: next(draws)(inputs, labels)) is None


@pytest.mark.parametrize(
    "answer, hint",
    [
        (tiny_with(units=2), "29 parameters, and 20 are allowed"),
        (tiny_with(activation=None), "probabilities, from 0 to 1"),
        (tiny_with(flip=True), "1 is malignant"),
        (tiny_with(trained=False), "90% are asked for"),
        (lambda inputs, labels: siamese(10, 1), "raised"),
        (lambda inputs, labels: 0.5, "return a keras.Model"),
    ],
)
def test_a_wrong_tiny_model_gets_its_own_hint(answer, hint):
    assert hint in attempt("6.7", answer)


@pytest.mark.parametrize("exercise", ["6.2", "6.6", "6.7"])
def test_a_function_with_a_gap_is_not_attempted(exercise):
    assert attempt(exercise, lambda *_: None) is attempt(exercise, lambda *_: ...) is NOT_ATTEMPTED


# --- 6.6: deeper, and without loading ---------------------------------------------------------------------------------
never_below = doorkeeper_with(lambda part: is_lambda(part) or foreign(part), below=False)


def loads_first(path):
    with contextlib.suppress(ValueError):
        keras.saving.load_model(path)
    return doorkeeper(path)


def by_the_layer(path):
    """Calls every Lambda layer suspicious, and no other lambda."""
    return {"__lambda__" if name == "Lambda" else name for name in doorkeeper_with(is_lambda_layer)(path)}


def is_lambda_layer(part):
    return not is_lambda(part) and (part["class_name"] == "Lambda" or foreign(part))


@pytest.mark.parametrize(
    "wrong, hint",
    [
        (never_below, "went through"),
        (loads_first, "must not load the model"),
        (by_the_layer, "with a Lambda of a function"),
    ],
)
def test_a_doorkeeper_that_looks_in_the_wrong_place_is_told_where(wrong, hint):
    assert all(hint in (said or "") for said in outcomes("6.6", wrong, 2))
