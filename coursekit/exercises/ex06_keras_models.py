"""The checks of notebook 06, Keras models."""

import json
import tempfile
import zipfile
from pathlib import Path
from unittest import mock

import numpy as np

from coursekit.arrays import as_array
from coursekit.exercises import NOT_ATTEMPTED, exercise
from coursekit.exercises.answers import CHANGED, beside, changed, compare_numbers, missing, numbers
from coursekit.keras_internals import OPERATION_MODULES, every_layer


def _array(value):
    """A NumPy array from any backend's tensor."""
    import keras

    return (
        np.asarray(keras.ops.convert_to_numpy(value)) if not isinstance(value, list | float | int) else as_array(value)
    )


def _alike(got, right):
    """Whether two arrays of one shape agree as far as the products of any engine do; NaN never does."""
    return np.allclose(got, right, rtol=1e-4, atol=1e-4 * max(1.0, np.abs(right).max(initial=0.0)))


def _entry(got, right, what):
    """A hint that shows the entry which is furthest from right."""
    if not np.isfinite(got).all():
        return f"{what} has entries that are no finite numbers"
    place = np.unravel_index(np.abs(got - right).argmax(), right.shape)
    wanted = float(right[place])
    at = f" at {tuple(map(int, place))}" if right.shape else ""
    return f"{what}{at} should be {wanted:.3f}, it is {beside(float(got[place]), float(f'{wanted:.3f}'), 3)}"


# --- 6.1 --------------------------------------------------------------------------------------------------------------
_COUNTS = {
    "(a)": (293, {
        160 + 120: "biases are parameters, too: one for each unit",
        629: "one encoder has one set of weights, however often it is used; that is (b)",
        168 + 8 * 5 + 5: "the three codes are joined: the last layer sees 3 · 8 numbers",
        168: "the layer after the codes has weights, too",
    }),
    "(b)": (629, {
        480 + 120: "biases are parameters, too: one for each unit",
        293: "three separate encoders have three sets of weights; that is (a)",
        504: "the layer after the codes has weights, too",
        504 + 45: "the three codes are joined: the last layer sees 3 · 8 numbers",
    }),
    "(c)": (1589, {
        60 * 24 + 24 * 5: "biases are parameters, too: one for each unit",
        60 * 24 + 24: "the layer that gives the 5 outputs has weights, too",
        20 * 24 + 24 + 125: "in the flat model all 60 measures feed each unit",
    }),
}  # fmt: skip


@exercise("6.1")
def check_counts(answer):
    """Three numbers of parameters."""
    right = {name: number for name, (number, _) in _COUNTS.items()}
    hints = {name: known for name, (_, known) in _COUNTS.items()}
    return compare_numbers(answer, right, hints, "a dense layer has inputs · units weights, and a bias for each unit")


# --- 6.2 --------------------------------------------------------------------------------------------------------------
@exercise("6.2")
def check_siamese(siamese):
    """The distance of two random batches, for random sizes and weights, against one computed with NumPy."""
    import keras

    rng = np.random.default_rng()
    for _ in range(2):
        features, units, n = int(rng.integers(3, 8)), int(rng.integers(2, 6)), 2 * int(rng.integers(8, 17))
        model = siamese(features, units)
        if missing(model):
            return NOT_ATTEMPTED
        if not isinstance(model, keras.Model):
            return f"return a keras.Model, not {type(model).__name__}"
        inputs = getattr(model, "inputs", None)
        if inputs is None:
            return "a functional model is asked for, not a class of your own: keras.Model([one, other], …)"
        if len(inputs) != 2:
            return f"the model should have two inputs; yours has {len(inputs)}: keras.Model([one, other], …)"
        if hint := _siamese_hint(model, rng, features, units, n):
            return hint
    return None


def _siamese_hint(model, rng, features, units, n):
    one_encoder, count = features * units + units, model.count_params()
    shapes = sorted(weights.shape for weights in model.get_weights())
    if shapes == sorted(2 * [(features, units), (units,)]):
        return "there are two encoders: make the layer once, and call it twice"
    if count != one_encoder:
        return f"{count} parameters; one dense layer with {units} units on {features} features has {one_encoder}"
    model.set_weights([rng.normal(size=weights.shape) for weights in model.get_weights()])
    kernel, bias = sorted(model.get_weights(), key=np.ndim, reverse=True)
    pairs = rng.normal(size=(2, n // 2, features)).astype("float32")
    a, b = np.concatenate([pairs, pairs[::-1]], axis=1)  # each pair both ways: sums of differences have both signs
    code = [np.maximum(x @ kernel + bias, 0) for x in (a, b)]
    apart = code[0] - code[1]
    right = np.abs(apart).sum(axis=1, keepdims=True)
    linear = np.abs((a - b) @ kernel).sum(axis=1, keepdims=True)
    mistakes = {
        "the differences cancel: take their absolute values before you add them up": apart.sum(axis=1, keepdims=True),
        "the differences cancel: take their absolute values, and add these up": -apart.sum(axis=1, keepdims=True),
        "take the absolute value of each difference, then add; you added first": np.abs(
            apart.sum(axis=1, keepdims=True)
        ),
        "the sum of the absolute differences, not their mean": np.abs(apart).mean(axis=1, keepdims=True),
        "the sum of the absolute differences, not the largest": np.abs(apart).max(axis=1, keepdims=True),
        "absolute differences, not squared ones": (apart**2).sum(axis=1, keepdims=True),
        "absolute differences, not squared ones, and no root": np.sqrt((apart**2).sum(axis=1, keepdims=True)),
        "the encoder has ReLU units; yours are linear": linear,
    }
    for rows in (n, 1):  # and a single pair
        got = _array(model([a[:rows].copy(), b[:rows].copy()]))
        if got.shape == (rows,):
            return "the output has shape (n,); it should be (n, 1): keepdims=True"
        if got.shape != (rows, 1):
            return f"for {rows} pair{'s' * (rows > 1)} the output should have shape ({rows}, 1), it has {got.shape}"
        for hint, wrong in mistakes.items():
            if _alike(got, wrong[:rows]) and not _alike(wrong[:rows], right[:rows]):
                return hint
        if not _alike(got, right[:rows]):
            return _entry(got, right[:rows], "for random weights, the distance")
    return None


# --- 6.3 --------------------------------------------------------------------------------------------------------------
@exercise("6.3")
def check_standardize(Standardize):
    """A layer made of random arrays, lists and a single feature, in a model, too; its config goes through JSON, and the
    copy does the same."""
    rng = np.random.default_rng()
    for kind, features in [(np.array, int(rng.integers(3, 7))), (list, int(rng.integers(3, 7))), (np.float32, 1)]:
        mean, deviation = rng.normal(size=features) * 5, rng.uniform(0.5, 3, size=features)
        x = rng.normal(size=(int(rng.integers(8, 12)), features)).astype("float32") * 4
        given = kind(mean), kind(deviation), x.copy()
        was = [np.array(one) for one in given]
        layer = Standardize(*given[:2], name="scaler")
        got = layer(given[2])
        if missing(got):
            return NOT_ATTEMPTED
        if changed([np.array(one) for one in given], was):
            return CHANGED
        if hint := _scaled_hint(_array(got), x, mean, deviation, "the output"):
            return hint
        if layer.trainable_weights:
            return "mean and deviation are given, not learned: no trainable weights (trainable=False, or plain lists)"
        if hint := _copy_hint(Standardize, layer, x, mean, deviation):
            return hint
        if hint := _in_a_model_hint(Standardize(kind(mean), kind(deviation)), x, mean, deviation):
            return hint
    return None


def _in_a_model_hint(layer, x, mean, deviation):
    """What is wrong with the layer where it is to stand: behind keras.Input, in a model."""
    import keras

    inputs = keras.Input(x.shape[1:])
    try:
        model = keras.Model(inputs, layer(inputs))
    except Exception as error:
        return f"it can't be put into a model, behind keras.Input: {_raised(error)}. NumPy can't; keras.ops can"
    return _scaled_hint(_array(model(x.copy())), x, mean, deviation, "the output in a model")


def _raised(error):
    """What was raised, and the first line of what it says, cut short."""
    message = (str(error).strip() or "no message").splitlines()[0]
    return f"it raised {type(error).__name__}: {message[:100]}"


def _scaled_hint(got, x, mean, deviation, what):
    right = (x - mean) / deviation
    if got.shape != right.shape:
        return f"{what} should keep the shape {right.shape}, it has {got.shape}"
    if _alike(got, right):
        return None
    batch = (x - x.mean(axis=0)) / x.std(axis=0)
    mistakes = {
        "the input comes back as it was": x,
        "subtract the mean, too": x / deviation,
        "divide by the deviation, too": x - mean,
        "divide by the deviation; you multiplied": (x - mean) * deviation,
        "subtract the mean; you added it": (x + mean) / deviation,
        "subtract the mean first, then divide all of it: mind the brackets": x - mean / deviation,
        "these are mean and deviation of the batch; use those that the layer was given": batch,
        "the variance is not the deviation: divide by the number that was given, not by its root": (x - mean)
        / np.sqrt(deviation),
        "divide by the deviation that was given, not by its square": (x - mean) / deviation**2,
    }
    for hint, wrong in mistakes.items():
        if _alike(got, wrong):
            return f"{what}: {hint}" if what != "the output" else hint
    return _entry(got, right, what)


def _copy_hint(Standardize, layer, x, mean, deviation):
    try:
        config = layer.get_config()
    except NotImplementedError:
        return "Keras can't guess the config of a layer that was given arrays: write get_config"
    if not isinstance(config, dict):
        return "get_config should return a dictionary: super().get_config() | {…}"
    lacking = [name for name in ("mean", "deviation") if name not in config]
    if lacking:
        return f"the config lacks {' and '.join(lacking)}, which __init__ needs to make the layer again"
    if config.get("name") != "scaler":
        return "the config lacks what every layer has, such as its name: start from super().get_config()"
    try:
        text = json.dumps({name: config[name] for name in ("mean", "deviation")})
    except TypeError:
        return "the config does not fit into a JSON file: make lists of plain numbers out of the arrays"
    try:
        got = _array(Standardize.from_config(config | json.loads(text))(x.copy()))
    except Exception as error:  # Keras's own error repeats the whole config; the cause is what __init__ raised
        cause = error.__cause__ or error.__context__ or error
        return f"the config gives lists back, and of those the copy can't be made or called: {_raised(cause)}"
    return _scaled_hint(got, x, mean, deviation, "the output of the copy made from the config")


# --- 6.4 --------------------------------------------------------------------------------------------------------------
@exercise("6.4")
def check_worst_error(WorstError):
    """Rounds of five batches; between the rounds the metric is reset.

    From round to round the worst error stands in the first, an inner or the last row, in each column, in each of the
    batches, too high and too low: whoever leaves out a part misses it in one of the rounds.
    """
    rng = np.random.default_rng()
    metric = WorstError()
    if not missing(first := metric.result()) and not float(_array(first)) <= 0:
        return f"before any batch there is no error yet: the result should be 0; it is {float(_array(first)):.3g}"
    for columns, place, column, batch in _worst_places(rng):
        for sign in (1, -1):
            batches = _batches(rng, columns, place, column, batch, sign)
            if (hint := _round_hint(metric, batches)) is not None:
                return hint
    return _compiled_hint(WorstError, rng)


def _worst_places(rng):
    """(columns, which row, which column, which batch) of the worst error, for each round.

    In the first round of one column and of three it stands in the second batch, where the mistakes are told apart.
    """
    rounds = []
    for columns in (1, 3):
        places = [(columns, row, column) for row in ("first", "last", "inner") for column in rng.permutation(columns)]
        rounds += [(*place, batch) for place, batch in zip(places, [1, 0, 4, 2, 3, 0, 4, 1, 2], strict=False)]
    return rounds


def _batches(rng, columns, place, column, batch, sign):
    """Five pairs (truth, prediction), each (size, columns). The largest error stands in `batch`, with this sign.

    The largest of the other batches stand in the same place, one of them with the other sign, so that no part of a
    batch holds one and not the others. Entries lie 10 apart: to compare those of different places is a large error.
    """
    sizes = rng.permutation([4, 6, 8, 10, 12])  # always these: compiled code is made for each size once
    worst = np.roll([4.5, rng.uniform(7, 9), -rng.uniform(5.5, 6), 3.5, 5.0], batch - 1)
    pairs = []
    inner = int(rng.integers(1, 3))
    for number, size in enumerate(sizes):
        row = {"first": 0, "last": size - 1, "inner": inner}[place]
        error = rng.choice([-1, 1], (size, columns)) * rng.uniform(0.1, 1, (size, columns))
        error[row, column] = sign * worst[number]
        truth = 10.0 * np.arange(size * columns).reshape(size, columns) + rng.normal(size=(size, columns))
        pairs.append((truth.astype("float32"), (truth - error).astype("float32")))
    return pairs


def _round_hint(metric, batches):
    """None, NOT_ATTEMPTED, or what is wrong with the result after these batches, and after a reset."""
    for y_true, y_pred in batches:
        given = y_true.copy(), y_pred.copy()
        metric.update_state(*given)
        if changed(list(given), [y_true, y_pred]):
            return CHANGED
        got = metric.result()  # Keras, too, reads it after every batch
    if missing(got):
        return NOT_ATTEMPTED
    if hint := _worst_hint(np.asarray(_array(got)), batches):
        return hint
    metric.reset_state()
    after = float(_array(metric.result()))
    if not after <= 0:
        return f"after reset_state the result is {after:.3g}, not 0: keep the state in a weight, made with add_weight"
    return None


def _compiled_hint(WorstError, rng):
    """What is wrong with the metric where it is used: in `evaluate`, in compiled code, batch by batch."""
    import keras

    x, y = rng.normal(size=(2, 13, 1)).astype("float32")
    y[int(rng.integers(4))] += 50  # in the first of four batches, of which the last has one row
    model = keras.Sequential([keras.Input((1,)), keras.layers.Rescaling(1.0)])
    try:
        model.compile(loss="mse", metrics=[WorstError()])
        *_, got = model.evaluate(x, y, batch_size=4, verbose=0, return_dict=True).values()
        right = np.abs(y - x).max()
        if np.isclose(float(_array(got)), right, rtol=1e-3):
            return None
        said = f"there it gives {float(_array(got)):.3g}, and the worst error is {right:.3g}"
    except Exception as error:
        said = f"there it raises {type(error).__name__}"
    return f"in `evaluate`, whose code is compiled, it fails ({said}): a weight for the state, keras.ops for the rest"


def _worst_hint(got, batches):
    if got.shape != ():
        return f"the result should be one number, of shape (), not {got.shape}"
    errors = [np.abs(y_true - y_pred) for y_true, y_pred in batches]
    signed = np.concatenate([(y_pred - y_true).ravel() for y_true, y_pred in batches])
    every, right = np.abs(signed), np.abs(signed).max()
    if np.isclose(got, right, rtol=1e-4):
        return None
    mistakes = {
        "that is the worst of the last batch: compare it with what the state remembers": errors[-1].max(),
        "that is the worst of the first batch: compare the state with each new batch": errors[0].max(),
        "that is a sum over batches; keep the larger of the old and the new one": sum(one.max() for one in errors),
        "that is the mean of the batches' worst; keep the larger of the old and the new one": np.mean(
            [one.max() for one in errors]
        ),
        "that is the mean error; the largest is asked for": every.mean(),
        "the largest in size: a prediction far too low counts as well, take absolute values": signed.max(),
        "the largest in size: a prediction far too high counts as well, take absolute values": (-signed).max(),
        "that is the squared error; the absolute one is asked for": right**2,
        "that is the smallest of the batches' worst": min(one.max() for one in errors),
    }
    for hint, wrong in mistakes.items():
        if np.isclose(got, wrong, atol=1e-4):
            return hint
    if got == 0:
        return "the state is still 0: assign to it in update_state, self.worst.assign(…)"
    number = int(np.argmax([one.max() for one in errors]))
    row, column = np.unravel_index(errors[number].argmax(), errors[number].shape)
    where = f"in row {row} and column {column} of a batch of shape {errors[number].shape}"
    yours = beside(float(got), float(f"{right:.3f}"), 3)
    return f"the result should be {right:.3f}, the error {where}; it is {yours}"


# --- 6.5 --------------------------------------------------------------------------------------------------------------
_TRACES = {
    8: "not every call traces: two tensors of the same shape and type share a trace",
    7: "tensors of one shape and type share a trace, whatever their values, and the number 2.0 comes twice",
    6: "what happens at the second 2.0, or at the second vector of two?",
    4: "is a matrix of shape (1, 1) the same signature as a scalar? And 2.0 the same as 3.0?",
    3: "a plain Python number is its own signature: 2.0 and 3.0 are two",
    1: "shape and type of a tensor count, and of a plain number its value",
}
_LIST_OF_SIGNATURES = "go through the calls in order and keep a list of the signatures seen so far"


@exercise("6.5")
def check_traces(answer):
    """How many signatures eight calls have."""
    given = [answer] if not isinstance(answer, (list, tuple)) or len(answer) != 1 else answer
    hint = compare_numbers(list(given), {"the answer": 5}, {"the answer": _TRACES}, _LIST_OF_SIGNATURES)
    return hint.removeprefix("the answer: ") if isinstance(hint, str) else hint


# --- 6.6 --------------------------------------------------------------------------------------------------------------
def _keras(class_name, module="keras.layers", /, **config):
    return {"module": module, "class_name": class_name, "config": config, "registered_name": None}


def _model_file(folder, layers, compile_config=None):
    """A .keras file without weights, written by hand: `layers` are its serialized layers."""
    path = Path(folder) / f"model_{np.random.default_rng().integers(10**9)}.keras"
    config = _keras("Functional", "keras", layers=layers) | {"compile_config": compile_config}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", b"no weights: this file can't be loaded")
    return path


def _function(name, module="builtins"):
    return {"module": module, "class_name": "function", "config": name, "registered_name": "function"}


def _files_told_apart_by_one_entry(rng, secret, plain):
    """{what: (layers, compile_config, right)}: files in which another entry than the table's would decide wrongly."""
    ours, optimizer = str(rng.choice(["Dense", "Dropout", "Conv2D", "LSTM"])), _keras("Adam", "keras.optimizers")
    start, loss = rng.choice(["glorot_uniform", "he_normal", "zeros"]), rng.choice(["mean_squared_error", "hinge"])
    modules = [f"keras{between}{secret.lower()}" for between in ("_", "-", "", "/")] + ["Keras.layers", "keras2.layers"]
    lookalikes = [_keras(f"{secret}{number}", module) for number, module in enumerate(modules)]
    known = _keras(secret, "a.b") | {"registered_name": f"{secret.lower()}>{secret}Known"}
    own = _keras("Dense") | {"registered_name": "Dense"}
    pair, of_keras = f"{secret.lower()}>loss>two", f"{secret.lower()}>of_keras"
    return {
        "functions of Keras": ([*plain, _keras("Dense", start=_function(str(start)))],
                               {"loss": _function(str(loss)), "optimizer": optimizer}, set()),
        "a class with a registered name": ([*plain, own, known], None, {secret}),
        "a class of another module that is called as one of Keras's": ([*plain, _keras(ours, "a.b")], None, {ours}),
        "modules that only look like Keras": ([*plain, *lookalikes], None, {one["class_name"] for one in lookalikes}),
        "a registered function with two >": ([*plain, _keras("Activation", f=_function(pair))], None, {pair}),
        "a registered function whose module is one of Keras's": (
            [*plain, _keras("Activation", f=_function(of_keras, "keras.activations"))], None, {of_keras}
        ),
    }  # fmt: skip


@exercise("6.6")
def check_doorkeeper(doorkeeper):
    """Files written by hand, with names that no answer can know; none of them can be loaded."""
    rng = np.random.default_rng()
    secret = "".join(rng.choice(list("bcdfgkmprst"), size=6)).capitalize()
    policy = _keras("DTypePolicy", "keras", name="float32")
    tensor = {"class_name": "__keras_tensor__", "config": {"shape": [None, 3], "keras_history": ["a", 0, 0]}}
    plain = [_keras("InputLayer", name="a"), _keras("Dense", dtype=policy) | {"inbound_nodes": [{"args": [tensor]}]}]
    plain += [_keras("Add", OPERATION_MODULES["numpy"])]
    registered = f"{secret.lower()}>loss"
    bytecode = {"class_name": "__lambda__", "config": {"code": "4wEA", "defaults": None, "closure": None}}
    hidden = _keras("Sequential", "keras", layers=[_keras(secret, "somewhere.else")])
    lookalike = _keras(f"{secret}Dense", "keras_" + secret.lower())
    end = _keras(f"{secret}End", f"{secret.lower()}.keras")
    files = {
        "a harmless model": ([*plain, _keras("Activation", activation=_function("relu"))], None, set()),
        "a Lambda": ([*plain, _keras("Lambda", function=bytecode)], None, {"__lambda__"}),
        "a Lambda of a function of Keras": ([*plain, _keras("Lambda", function=_function("relu"))], None, set()),
        "a lambda as activation": ([*plain, _keras("Dense", activation=bytecode)], None, {"__lambda__"}),
        "a lambda in lists": ([*plain, _keras("Dense", some=[[1, [bytecode]]])], None, {"__lambda__"}),
        "a lambda with a module": (
            [*plain, _keras("Dense", some=bytecode | {"module": "keras"})],
            None,
            {"__lambda__"},
        ),
        "a lambda inside a class of somebody's own": (
            [_keras(secret, "a.b", f=bytecode)],
            None,
            {secret, "__lambda__"},
        ),
        "a class without a module": ([*plain, _keras(secret, None)], None, {secret}),
        "a class inside a model inside": ([*plain, hidden], None, {secret}),
        "a module that only looks like Keras": ([*plain, lookalike, end], None, {f"{secret}Dense", f"{secret}End"}),
        "a class of `builtins`": ([*plain, _keras(secret, "builtins")], None, {secret}),
        "a registered function": ([*plain, _keras("Activation", activation=_function(registered))], None, {registered}),
        "a loss": (plain, {"loss": _keras(f"{secret}Loss", "losses")}, {f"{secret}Loss"}),
        "a registered function as loss": (plain, {"loss": _function(registered)}, {registered}),
        "two": ([_keras(secret, "a.b"), _keras("Lambda", function=bytecode)], None, {secret, "__lambda__"}),
        **_files_told_apart_by_one_entry(rng, secret, plain),
    }
    with tempfile.TemporaryDirectory() as folder:
        for what, (layers, compiled, right) in files.items():
            refused = mock.Mock(side_effect=ValueError("this file can't be loaded"))
            with mock.patch("keras.saving.load_model", refused), mock.patch("keras.models.load_model", refused):
                got = doorkeeper(str(_model_file(folder, layers, compiled)))
            if refused.called:
                return "it must not load the model: whoever wrote the file would have run code by then"
            if hint := _door_hint(got, right, what):
                return NOT_ATTEMPTED if missing(got) else hint
    return None


def _door_hint(got, right, what):
    if missing(got):
        return "not attempted"
    try:
        got = None if isinstance(got, str) else set(got)
    except TypeError:
        got = None
    if got is None or not all(isinstance(name, str) for name in got):
        return "return a set of names"
    if "__keras_tensor__" in got:
        return "`__keras_tensor__` has no module: it stands for a tensor of the graph and is harmless"
    if "function" in got:
        return "of a function it is the name in `config` that counts, not the class name `function`"
    if extra := got - right:
        known = "and it is not in this file" if "__lambda__" in extra else "and it is one of Keras's own"
        return f"with {what} in the file, {min(extra)} is called suspicious, {known}"
    if "__lambda__" in right - got:
        return f"with {what} in the file, a `__lambda__` went through: with or without a module, it is code"
    if missed := right - got:
        return f"with {what} in the file, {min(missed)} went through"
    return None


# --- 6.7 --------------------------------------------------------------------------------------------------------------
@exercise("6.7", seconds=180)
def check_tiny(tiny):
    """At most 20 parameters, and nine in ten of a random third of the patients; up to three trainings."""
    import keras

    for _ in range(3):
        inputs, labels, new, truth = _patients()
        given = [values.copy() for values in inputs], labels.copy()
        model = tiny(*given)
        if missing(model):
            return NOT_ATTEMPTED
        if changed(given, (inputs, labels)):
            return CHANGED
        if not isinstance(model, keras.Model):
            return f"return a keras.Model, not {type(model).__name__}"
        if model.count_params() > 20:
            return f"the model has {model.count_params()} parameters, and 20 are allowed"
        if model.count_params() + (constants := _constants(model)) > 20:
            count = f"{model.count_params()} parameters and {constants} numbers as constants"
            return f"the model has {count}: these count as well, and 20 are allowed"
        got = _array(model(new))
        if got.shape != (len(truth), 1):
            return f"for {len(truth)} patients the output should have shape ({len(truth)}, 1), it has {got.shape}"
        if not (np.isfinite(got).all() and got.min() >= 0 and got.max() <= 1):
            return "the outputs should be probabilities, from 0 to 1: does the model end in a sigmoid?"
        right = float(np.mean((got[:, 0] > 0.5) == truth))
        if right >= 0.9:
            return None
    if np.mean((got[:, 0] > 0.5) == 1 - truth) >= 0.9:
        return "the model says malignant where it should say benign: 1 is malignant"
    return f"{right:.0%} of the patients left out are right, and 90% are asked for: is it trained long enough?"


def _constants(model):
    """How many numbers a model holds beside its weights: in attributes of its layers, and as constants in its graph."""
    attributes = [
        value for layer in every_layer(model) for name, value in vars(layer).items() if not name.startswith("_")
    ]
    try:
        graph = model.get_config()
    except Exception:  # a subclassed model need not have one
        graph = None
    return sum(map(_fractions, attributes)) + _fractions_written(graph)


def _fractions(value):
    """How many numbers that are not whole stand in an array, a tensor or a list: sizes and places are whole."""
    import keras

    if not isinstance(value, (list, tuple, np.ndarray)) and not keras.ops.is_tensor(value):
        return 0
    parts = value if isinstance(value, (list, tuple)) else [value]
    if any(isinstance(part, (keras.Variable, keras.Layer)) for part in parts):
        return 0  # weights are counted already
    found = numbers(value)
    return 0 if found is None else int(np.sum(found % 1 != 0))


def _fractions_written(part):
    """The same for arrays and tensors in a model's config, at any depth."""
    if isinstance(part, dict):
        if part.get("class_name") in ("__numpy__", "__tensor__"):
            return _fractions(np.array(part["config"]["value"]))
        part = list(part.values())
    return sum(map(_fractions_written, part)) if isinstance(part, (list, tuple)) else 0


def _patients():
    """Two thirds of the patients for training, standardized, and the others: three inputs and labels of each."""
    from coursekit import load

    rng = np.random.default_rng()
    data = load("breast_cancer")
    x = np.concatenate([data.x_train, data.x_test])
    y = 1 - np.concatenate([data.y_train, data.y_test])
    order = rng.permutation(len(x))
    train, rest = np.split(order, [2 * len(x) // 3])
    x = ((x - x[train].mean(axis=0)) / x[train].std(axis=0)).astype("float32")
    return np.split(x[train], 3, axis=1), y[train], np.split(x[rest], 3, axis=1), y[rest]
