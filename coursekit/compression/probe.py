"""Whether two models compute the same: both are run on a few random inputs, made from what the first one takes.

A copy can have the weights of a model and still compute something else, if a layer keeps what it knows elsewhere: in a
table, or in a number that it once derived from its weights. Born in notebook 18.
"""

import keras
import numpy as np

from coursekit.compression.model_copy import kept_states
from coursekit.errors import CompressionError
from coursekit.keras_internals import every_layer

ROWS = 2  # of a batch
UNKNOWN = (8, 16, 32, 64, 128)  # what an axis of unknown length is tried with
HALF = ("float16", "bfloat16")


def probe(model, length, seed=0):
    """Random inputs for a model, two rows, as it takes them: an array, or a list or dictionary of arrays.

    length: of the axes whose length is open. None for a model that doesn't say what it takes. Numbers are drawn from a
    normal distribution, whole numbers so small that every embedding has a row for them, words from the model's tables.
    """
    rng = np.random.default_rng(seed)
    if hasattr(model, "inputs") and model.inputs:
        signature = keras.tree.map_structure(lambda one: (one.shape, str(one.dtype)), _input_of(model))
        return _drawn(signature, model, rng, length)
    shapes = (model.get_build_config() or {}).get("input_shape") if model.built else None
    return _drawn(_with_dtype(shapes), model, rng, length) if shapes else None


def _input_of(model):
    """What stands for the inputs of a model: a tensor, or a list or dictionary of them."""
    if isinstance(model, keras.Sequential):
        return model.inputs[0]
    return model.input


def _with_dtype(shape):
    """A shape, or a list or dictionary of shapes, each with the dtype that is most likely."""
    if isinstance(shape, dict):
        return {key: _with_dtype(one) for key, one in shape.items()}
    if shape and isinstance(shape[0], list | tuple | dict):
        return [_with_dtype(one) for one in shape]
    return (tuple(shape), "float32")


def _drawn(signature, model, rng, length):
    if isinstance(signature, dict):
        return {key: _drawn(one, model, rng, length) for key, one in signature.items()}
    if isinstance(signature, list) or not isinstance(signature[1], str):
        return [_drawn(one, model, rng, length) for one in signature]
    (rows, *axes), dtype = signature
    shape = (ROWS if rows is None else rows, *(length if axis is None else axis for axis in axes))
    layers = every_layer(model)
    rows_of = [layer.input_dim for layer in layers if isinstance(layer, keras.layers.Embedding)]
    if dtype == "string":
        return _strings(rng.choice(_words(layers), size=shape))
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if "int" in dtype:
        return rng.integers(0, min(rows_of, default=8), shape).astype(dtype)
    if rows_of and not hasattr(model, "inputs"):  # a model of a class of its own that looks numbers up
        return rng.integers(0, min(rows_of), shape).astype("float32")
    return rng.normal(size=shape).astype("float32" if dtype == "bfloat16" else dtype)


def _words(layers):
    """Some words that the tables of a model know, and one that they don't."""
    words = {"?"}
    for layer in layers:
        if hasattr(layer, "lookup_table") and layer.vocabulary_dtype == "string":
            words.update(layer.get_vocabulary(include_special_tokens=False)[:20])
    return sorted(words)


def _strings(words):
    import tensorflow as tf  # the only one of the three that has tensors of words

    return tf.constant(words)


def batch_of(check, model):
    """The batch of inputs in an argument check: None for True, False and None, which stand for no batch.

    Raises CompressionError for a batch that the model can't be run on, and for one without rows.
    """
    if check is None or isinstance(check, bool):
        return None
    takes = f"it takes {_shapes(_input_of(model))} and " if getattr(model, "inputs", None) else ""
    wanted = f"give check inputs as model(inputs) takes them, or True for random ones: {takes}check is {_shapes(check)}"
    if any(0 in getattr(one, "shape", ()) for one in keras.tree.flatten(check)):
        raise CompressionError(f"{model.name!r} can't be checked on a batch of nothing; {wanted}")
    try:
        _run(model, check)
    except Exception as error:  # each layer, and each backend, says in its own way that it can't be called on this
        raise CompressionError(f"{model.name!r} can't be run on the batch to check it with; {wanted}") from error
    return check


def _shapes(inputs):
    """The shapes of arrays, in a list or dictionary as they are, in words; the class of what is no array."""
    named = keras.tree.map_structure(lambda one: _Bare(getattr(one, "shape", type(one).__name__)), inputs)
    return str(named)


class _Bare:
    """Shown as a shape or a name without quotation marks."""

    def __init__(self, what):
        self.what = tuple(what) if not isinstance(what, str) else what

    def __repr__(self):
        return str(self.what)


def check_same(one, other, inputs=None):
    """Run both models on the same inputs. Returns whether that was possible.

    inputs: a batch; made by `probe` if None.

    Raises CompressionError, which says by how much, where the second one's answers differ from those of the first by
    more than rounding does: 1 part in 1,000 of the largest answer, 1 in 20 in half precision. A model that answers
    the same inputs differently each time is not judged.
    """
    what = f"{ROWS} random inputs" if inputs is None else "the inputs given"
    inputs, first = (inputs, _run(one, inputs)) if inputs is not None else _first_that_runs(one)
    if first is None:
        return False
    off = _difference(first, _run(other, inputs))
    if off is not None and _difference(first, _run(one, inputs)) is None:
        raise CompressionError(f"on {what} its answers differ by {off}")
    return True


def _first_that_runs(model):
    for length in UNKNOWN:
        try:
            inputs = probe(model, length)
            return inputs, None if inputs is None else _run(model, inputs)
        except Exception:  # a network that wants longer inputs, or other ones: each layer says so in its own way
            continue
    return None, None


def _run(model, inputs):
    """The model's answers, a list of arrays; what recurrent layers keep from batch to batch is left as it was."""
    states = kept_states(model)
    before = [keras.ops.convert_to_numpy(state) for _, state in states]
    try:
        answers = keras.tree.flatten(model(inputs, training=False))
        return [np.asarray(keras.ops.convert_to_numpy(answer)) for answer in answers]
    finally:
        for (_, state), value in zip(states, before, strict=True):
            state.assign(value)


def _difference(these, those):
    """By how much the second answers differ from the first, in words; None where that is rounding."""
    if [answer.shape for answer in these] != [answer.shape for answer in those]:
        return "their shapes"
    for a, b in zip(these, those, strict=True):
        if a.dtype.kind not in "fV" and "float" not in a.dtype.name:
            if not np.array_equal(a, b):
                return f"{np.mean(a != b):.0%} of them"
            continue
        allowed = 0.05 if a.dtype.name in HALF else 1e-3
        a, b = a.astype("float64"), b.astype("float64")
        scale = np.abs(a[np.isfinite(a)]).max(initial=0)
        if not np.allclose(a, b, rtol=0, atol=allowed * scale + 1e-6, equal_nan=True):
            return f"up to {np.nanmax(np.abs(a - b)):.3g}, where the largest is {scale:.3g}"
    return None
