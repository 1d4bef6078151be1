"""Files for LiteRT: made from Keras models, run and timed. Born in notebook 18.

TensorFlow is imported when a function is called, whatever backend Keras runs on.
"""

import contextlib
import io
import math
import time
import warnings

import numpy as np

KINDS = ("float", "float16", "dynamic", "integer")


def convert(model, kind="float", examples=None, per_channel=True):
    """The bytes of a .tflite file of a Keras 2 model (tf_keras), or of a Keras 3 model on the TensorFlow backend.

    kind:        "float"; "float16" for weights of 16 bits; "dynamic" for weights as codes of 8 bits, except in small
                 tensors; "integer" for inputs, weights and outputs as codes.
    examples:    (n, ...) inputs that show the range of the activations, needed for "integer".
    per_channel: whether each unit or filter has a scale of its own. If not, a tensor has one.
    Raises ValueError for another kind, and where "integer" has no examples.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; choose one of {', '.join(KINDS)}")
    if kind == "integer" and examples is None:
        raise ValueError('"integer" needs examples: a few hundred inputs of the training set')
    import tensorflow as tf

    from coursekit.console import quiet

    silent = contextlib.redirect_stdout(io.StringIO())  # Keras 3 prints what it exports
    with quiet(), silent, warnings.catch_warnings(action="ignore"), tf.device("cpu:0"):
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        if kind != "float":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter._experimental_disable_per_channel = not per_channel
            converter._experimental_disable_per_channel_quantization_for_dense_layers = not per_channel
        if kind == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if kind == "integer":
            rows = np.asarray(examples, dtype=np.float32)
            converter.representative_dataset = lambda: ([row[None]] for row in rows)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.int8
        return converter.convert()


def interpreter(content, n):
    """A LiteRT interpreter for n inputs at once, ready to run, and the details of its first input and output."""
    import tensorflow as tf

    from coursekit.console import quiet

    with quiet(), warnings.catch_warnings(action="ignore"):
        lite = tf.lite.Interpreter(model_content=content)
        entry = lite.get_input_details()[0]
        lite.resize_tensor_input(entry["index"], (n, *entry["shape"][1:]))
        lite.allocate_tensors()
    return lite, lite.get_input_details()[0], lite.get_output_details()[0]


def run(content, x):
    """What the file's network computes for x (n, ...): float32; codes are translated on both sides."""
    lite, entry, end = interpreter(content, len(x))
    lite.set_tensor(entry["index"], _as_input(x, entry))
    lite.invoke()
    outputs = lite.get_tensor(end["index"])
    if end["dtype"] == np.int8:
        scale, zero_point = end["quantization"]
        outputs = np.float32(scale) * (outputs.astype(np.float32) - zero_point)
    return outputs


def times(files, x, rounds=20):
    """Seconds that each file takes for all of x, the least of several rounds, in turns: {name: seconds}.

    files: {name: bytes}. Other work on the machine can only add to a time, so the least says most.
    """
    ready = {}
    for name, content in files.items():
        lite, entry, _ = interpreter(content, len(x))
        lite.set_tensor(entry["index"], _as_input(x, entry))
        ready[name] = lite
    least = dict.fromkeys(files, math.inf)
    for _ in range(rounds):
        for name, lite in ready.items():
            start = time.perf_counter()
            lite.invoke()
            least[name] = min(least[name], time.perf_counter() - start)
    return least


def weights_in(content, shape):
    """The codes or numbers that a file holds for a weight tensor of this shape, in any order of axes.

    Raises ValueError if it has no such tensor, or several.
    """
    lite, _, _ = interpreter(content, 1)
    wanted, matches = sorted(shape), []
    for details in lite.get_tensor_details():
        if sorted(details["shape"].tolist()) == wanted:
            try:
                matches.append(lite.get_tensor(details["index"]))
            except ValueError:  # an activation, which has no values yet
                continue
    matches = [match for match in matches if match.dtype == np.float16] or matches  # not what LiteRT makes of halves
    if len(matches) != 1:
        raise ValueError(f"the file has {len(matches)} tensors of the size {tuple(shape)}; ask for one that is unique")
    return matches[0]


def _as_input(x, entry):
    x = np.asarray(x, dtype=np.float32)
    if entry["dtype"] != np.int8:
        return x
    scale, zero_point = entry["quantization"]
    return np.clip(np.rint(x / scale) + zero_point, -128, 127).astype(np.int8)
