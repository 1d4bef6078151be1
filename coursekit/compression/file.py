"""A model in a file that is really small, and back: `save_compressed` and `load_compressed`.

    bytes 0 to 2   "ckw"
    byte  3        the version of the format, 2
    bytes 4 to 7   CRC-32 of all other bytes
    then           a number, 7 bits a byte, the lowest first: four times the bytes of the architecture, plus what is
                   promised: 1, codebooks are float16; 2, other weights are float16
    then           the architecture (architecture.py)
    then           the weights, one stream of a range coder (levels.py), in Keras's order

Files of version 1 are read, too. They have the promise in a byte of its own before the architecture's bytes, another
dictionary for the architecture, and weights as coder.py alone codes them.

Shapes and dtypes of the weights stand nowhere: they follow from the architecture. Loading checks the size, then the
checksum, then the names in the architecture, then builds the model without values and counts its weights; only then
memory is taken. Born in notebook 19.
"""

import zlib
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

import numpy as np

from coursekit.compression import architecture, coder, levels
from coursekit.compression.levels import bits_of
from coursekit.console import late_progress, table
from coursekit.errors import CompressedFileError, CompressionError, FileNotWritten
from coursekit.keras_internals import every_layer, without_memory, without_trace, zeros_for_weights
from coursekit.paths import write_whole

MAGIC, VERSION = b"ckw", 2
_START = len(MAGIC) + 1 + 4  # where what the checksum covers goes on
_HALF = {"codebook": 1, "others": 2}  # bits of the promise
_PRECISIONS = ("float32", "float16")


# --- what was written -------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Summary:
    """What `save_compressed` wrote, for printing and for reading.

    path:     of the file
    size:     bytes of the file
    codebook, others: the precision that was asked for, "float32" or "float16"
    parts:    {part: bytes}, which add up to the size: header, architecture, positions (of zeros), codebook, steps,
              indices (into a codebook, or multiples of a step), values, choices (which encoding a tensor has), end
              (the last byte of the range coder, rounded up)
    tensors:  a dictionary for each tensor: path, shape, dtype, kept ("exact" or "float16"), bytes, and `parts` as above
    """

    path: str
    size: int
    codebook: str
    others: str
    parts: dict
    tensors: list

    @property
    def promise(self):
        """In a sentence, how the weights come back."""
        half = sum(tensor["kept"] != "exact" for tensor in self.tensors)
        same = f"{len(self.tensors) - half} of {len(self.tensors)} tensors come back exactly"
        return f"{same}, {half} rounded to float16" if half else same

    def __str__(self):
        parts = table(None, [[part, f"{size:,.1f}"] for part, size in self.parts.items()])
        tensors = table(
            None,
            [
                [tensor["path"], f"{tensor['bytes']:,.1f}", tensor["kept"], _shape(tensor["shape"])]
                for tensor in self.tensors
            ],
        )
        first = f"{self.path}: {self.size:,} bytes; {self.promise}"
        return "\n".join([first, indent(parts, "  "), indent(tensors, "    ")]).rstrip("\n")


def _shape(shape):
    return "×".join(map(str, shape)) or "1"


# --- weights ----------------------------------------------------------------------------------------------------------
def is_clustered(array):
    """Whether values repeat so often that a tensor counts as clustered: at most half as many different ones as there
    are weights, and at most 4,096. Weights that are all zero, or pruned to a half, are."""
    return 0 < len(np.unique(bits_of(_signless(array)))) <= min(coder.MOST_VALUES, array.size // 2)


def _signless(array):
    """The array with 0.0 for each -0.0, which a weight times a mask of zeros leaves behind."""
    return np.where(array == 0, np.zeros((), array.dtype), array) if _is_float(array.dtype) else array


def _is_pruned(array):
    """Whether half of the weights or more are zero."""
    return 2 * np.count_nonzero(array) <= array.size


def promised(array, codebook="float32", others="float32"):
    """A tensor as it comes back from a file written with these precisions: bit for bit itself, or rounded to float16.

    One thing is not kept: in a tensor that is clustered, or half of which is zero, -0.0 becomes 0.0, its equal, since
    the signs of a pruned layer's zeros would take more room than its weights.

    Raises CompressedFileError if it holds NaN, or a number that float16 has no place for.
    """
    if _is_float(array.dtype) and np.isnan(array.astype(np.float64)).any():
        raise CompressedFileError("it holds NaN: train it anew at a lower learning rate, or load an earlier state")
    clustered = is_clustered(array)
    array = _signless(array) if clustered or _is_pruned(array) else array
    if array.dtype not in (np.float32, np.float64) or (codebook if clustered else others) == "float32":
        return array
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    if (np.isinf(half) & ~np.isinf(array)).any():
        raise CompressedFileError(
            f"its largest weight is {np.abs(array).max():.3g}, and float16 ends at 65,504: save with float32"
        )
    return half.astype(array.dtype)


def _is_float(dtype):
    return dtype.kind == "f" or "float" in dtype.name  # bfloat16 has a kind of its own


def _dtype(name):
    import ml_dtypes  # comes with Keras: bfloat16 and the kinds of float8

    return np.dtype(getattr(ml_dtypes, name, name))


def _encode(arrays, bar=None, of=None):
    """(bytes, [{part: bytes}] for each) of a list of arrays. bar: moved on by one for each; of: weights in all."""
    channel, past, parts = coder.Writer(), levels.Past(of or sum(array.size for array in arrays)), []
    for array in arrays:
        before = channel.bits()
        levels.tensor(channel, past, array.reshape(-1), array.shape, array.dtype)
        after = channel.bits()
        parts.append({part: (after[part] - before.get(part, 0)) / 8 for part in after})
        if bar is not None:
            bar.update()
    return channel.content(), parts


def _decode(content, wanted, bar=None, version=VERSION):
    """The arrays again; wanted: their (name, shape, dtype). bar: moved on by one for each."""
    channel, past, arrays = coder.Reader(content, coder.WORD if version > 1 else "<u4"), levels.Past(), []
    read = levels.tensor if version > 1 else levels.tensor_of_version_1
    for _, shape, name in wanted:
        arrays.append(read(channel, past, None, shape, _dtype(name)).reshape(shape))
        if bar is not None:
            bar.update()
    return arrays


# --- saving -----------------------------------------------------------------------------------------------------------
def save_compressed(model, path, *, codebook="float32", others="float32", names=True, custom_objects=None, check=True):
    """Write a Keras 3 model into a small file. What it was compiled with and its optimizer's state are not stored.

    model:    built; the result of `strip_clustering` or `strip_pruning`, or any other of Keras's own layers
    path:     of the file; one that is there is replaced at once, and only when the new one is whole
    codebook: "float32", or "float16" to round the values of clustered tensors (see `is_clustered`)
    others:   the same for all other weights, such as biases and statistics of batch normalization. Weights of other
              dtypes than float32 and float64 are always kept as they are.
    names:    False gives the layers the names they would have in a new session, which saves some bytes
    custom_objects: {name: class} of layers that are not Keras's own; `load_compressed` then needs the same
    check:    whether the model and a copy of it, built from the description and the weights, are run on two random
              inputs, to see that they compute the same. A batch of inputs is taken instead of random ones.

    Before it is written, it is read back from memory and compared; a bar shows how far that is where it takes longer
    than three seconds. Returns a `Summary`. Raises CompressedFileError if
    the model can't be described, is not built or holds NaN, if it keeps more than its weights and would compute
    something else once loaded, or if the disk is full or read-only; ValueError for another precision.
    """
    for what, precision in (("codebook", codebook), ("others", others)):
        if precision not in _PRECISIONS:
            raise ValueError(f"{what} is {precision!r}; choose one of {', '.join(_PRECISIONS)}")
    _check_model(model)
    inputs = _inputs_of(check, model)
    described = _described(model, names, custom_objects)
    _check_states(model)
    if check is not False:
        _check_predictions(model, described, custom_objects, inputs)
    arrays = _all_promised(model, map(_array, model.weights), codebook, others)
    with late_progress(2 * len(arrays), "compressing", unit="tensor") as bar:
        stream, parts = _encode(arrays, bar)
        decoded = _decode(stream, architecture.weights_of(model), bar)
    promise = _HALF["codebook"] * (codebook == "float16") | _HALF["others"] * (others == "float16")
    head = MAGIC + bytes([VERSION])
    body = _varint(4 * len(described) + promise) + described + stream
    content = head + zlib.crc32(head + body).to_bytes(4, "little") + body
    for weight, array, again in zip(model.weights, arrays, decoded, strict=True):
        if not np.array_equal(bits_of(array), bits_of(again)):
            raise CompressedFileError(f"{weight.path} did not come back as it was; please report this, with the model")
    try:
        write_whole(path, content, make_folders=False)
    except FileNotWritten as error:
        raise CompressedFileError(str(error)) from error
    return _summary(model, str(path), arrays, content, described, stream, parts, codebook, others)


def _all_promised(model, arrays, codebook, others):
    """What is `promised` of the arrays, which are the model's weights or stand for them; a refusal names the weight."""
    found = []
    for weight, array in zip(model.weights, arrays, strict=True):
        try:
            found.append(promised(array, codebook, others))
        except CompressedFileError as error:
            raise CompressedFileError(f"{weight.path} can't be saved: {error}") from error
    return found


def _check_model(model):
    import keras

    if not isinstance(model, keras.Model):
        hint = "; a tf_keras model is one of Keras 2" if "keras" in type(model).__module__ else ""
        raise CompressedFileError(f"save_compressed takes a model of Keras 3 and got a {type(model).__name__}{hint}")
    if not model.built:
        raise CompressedFileError(
            f"{model.name!r} has no weights yet: call it on data or give it an Input, then save it"
        )

    for layer in every_layer(model):
        mode = getattr(layer, "quantization_mode", None)
        if mode not in (None, "int8"):
            raise CompressedFileError(
                f"layer {layer.name!r} was quantized by Keras to {mode}, which a compressed file doesn't hold: save "
                f"the model as it was before model.quantize({mode!r}), and quantize it again once it is loaded; int8 "
                "can be saved"
            )


def _described(model, names, custom_objects):
    """The architecture's bytes, from which a model with the same weights was built on trial."""
    from coursekit.compression.model_copy import frozen_in

    description = architecture.describe(model)
    architecture.check(description, 2**53, custom_objects or {})
    with without_memory():
        frozen = frozen_in(architecture.build(architecture.without_states(description), custom_objects))
    apart = {"frozen": frozen_in(model)} if frozen != frozen_in(model) else {}
    description |= apart
    described = architecture.pack(description, names)
    unpacked, wanted = architecture.unpack(described), described
    trial = architecture.without_states(unpacked)
    if trial != unpacked:
        wanted = architecture.pack(architecture.without_states(description), names)
    with without_memory():
        again = architecture.build(trial, custom_objects)
        same = architecture.pack(architecture.describe(again) | apart, names) == wanted
    if (
        not same
        or frozen_in(again) != frozen_in(model)
        or architecture.weights_of(again) != architecture.weights_of(model)
    ):
        raise CompressedFileError(
            f"{model.name!r} doesn't come back from its own configuration: its layers, or the shapes of its weights, "
            "differ. Layers shared between nested models, changes made after building, and what get_config of a class "
            "of your own leaves out (its name, too) are not in a configuration"
        )
    return described


def _inputs_of(check, model):
    from coursekit.compression.probe import batch_of

    try:
        return batch_of(check, model)
    except CompressionError as error:
        raise CompressedFileError(str(error)) from error


def _check_states(model):
    from coursekit.compression.model_copy import kept_states

    for layer, state in kept_states(model):
        if np.any(_array(state)):
            raise CompressedFileError(
                f"layer {layer.name!r} is stateful and holds a state, which a file doesn't keep: call reset_state() on "
                "it, then save"
            )


def _check_predictions(model, described, custom_objects, inputs):
    """Refuse a model that a copy of its architecture and its weights would not do for."""
    from coursekit.compression.model_copy import derive_state
    from coursekit.compression.probe import check_same

    with without_trace(), zeros_for_weights():
        copy = architecture.build(architecture.unpack(described), custom_objects)
    for mine, its in zip(copy.weights, model.weights, strict=True):
        mine.assign(its)
    derive_state(copy)
    try:
        check_same(model, copy, inputs)
    except CompressionError as error:
        raise CompressedFileError(
            f"{model.name!r} would compute something else once it is loaded ({error}): a layer keeps what it knows "
            "elsewhere than in its weights. Give its class save_own_variables and load_own_variables, or look for "
            "yourself and give check=False"
        ) from None


def _array(weight):
    from keras import ops

    return np.asarray(ops.convert_to_numpy(weight)).astype(_dtype(str(weight.dtype)), copy=False)


def _varint(value):
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes(encoded) + bytes([value])


def _summary(model, path, arrays, content, described, stream, parts, codebook, others):
    tensors = []
    for weight, array, bytes_of in zip(model.weights, arrays, parts, strict=True):
        kept = "exact" if np.array_equal(_array(weight), array) else "float16"
        about = {"path": weight.path, "shape": tuple(weight.shape), "dtype": str(weight.dtype), "kept": kept}
        tensors.append(about | {"bytes": sum(bytes_of.values()), "parts": bytes_of})
    whole = {"header": len(content) - len(described) - len(stream), "architecture": len(described)}
    for part in ("positions", "codebook", "steps", "indices", "values", "choices"):
        whole[part] = sum(bytes_of.get(part, 0) for bytes_of in parts)
    whole["end"] = len(content) - sum(whole.values())
    return Summary(path, len(content), codebook, others, whole, tensors)


def account(path, **limits):
    """(the model in a file, a Summary of what its bytes go to). limits: as of load_compressed."""
    model = load_compressed(path, **limits)
    content = _read(Path(path), Path(path).stat().st_size)
    version, promise, described, stream = _parts_of(content, path)
    arrays = [_array(weight) for weight in model.weights]
    precision = {what: _PRECISIONS[bool(promise & bit)] for what, bit in _HALF.items()}
    parts = _encode(arrays)[1] if version == VERSION else levels.parts_of_version_1(arrays)
    return model, _summary(model, str(path), arrays, content, described, stream, parts, **precision)


# --- what a file would take -------------------------------------------------------------------------------------------
def arrays_of(model):
    """Copies of a built model's weights in NumPy, in Keras's order, each of its own dtype, bfloat16 too."""
    _check_model(model)
    return [_array(weight).copy() for weight in model.weights]


def file_size(model, arrays, *, codebook="float32", others="float32", names=True, custom_objects=None):
    """Bytes of the file that `save_compressed` would write if the model's weights were these arrays.

    arrays: of the shapes and dtypes of model.weights, in their order; the other arguments are those of
            `save_compressed`. Nothing is written, decoded or compared.

    Raises CompressedFileError for a model that can't be described, and for NaN.
    """
    _check_model(model)
    described = _described(model, names, custom_objects)
    stream, _ = _encode(_all_promised(model, arrays, codebook, others))
    return _START + len(_varint(4 * len(described))) + len(described) + len(stream)


def coded_size(arrays, places, *, codebook="float32", others="float32"):
    """Bytes, not rounded, that the arrays in these places would take of a file, by themselves: a float.

    arrays: as of `file_size`; those in all other places count as zeros, so that only their shapes matter.
    """
    kept = [array if place in places else np.zeros_like(array) for place, array in enumerate(arrays)]
    all_of_them = sum(array.size for array in arrays)
    _, parts = _encode([promised(array, codebook, others) for array in kept[: max(places) + 1]], of=all_of_them)
    return sum(sum(parts[place].values()) for place in places)


# --- loading ----------------------------------------------------------------------------------------------------------
def load_compressed(path, *, max_parameters=100_000_000, custom_objects=None):
    """The model in a file of `save_compressed`: a plain Keras model, not compiled, on whatever backend runs.

    max_parameters: how many weights it may have; a model above it is refused before memory is taken for it
    custom_objects: {name: class} of layers that are not Keras's own. Nothing else is built: a file can name Keras's
                    layers and what you hand over here, and carries no code.

    Raises CompressedFileError if the file is missing, cut, altered, of a newer version, too large, or names a layer
    that is not allowed.
    """
    from coursekit.compression.model_copy import derive_state

    content = _read(Path(path), 16 * max_parameters + 4 * architecture.MOST_TEXT)
    version, _, described, stream = _parts_of(content, path)
    description = architecture.unpack(described, version)
    architecture.check(description, max_parameters, custom_objects or {})
    with without_memory():
        trial = architecture.weights_of(architecture.build(architecture.without_states(description), custom_objects))
    _check_size(trial, max_parameters)
    with zeros_for_weights():
        model = architecture.build(description, custom_objects)
    wanted = architecture.weights_of(model)
    _check_size(wanted, max_parameters)
    with late_progress(len(wanted), "reading", unit="tensor") as bar:
        decoded = _decode(stream, wanted, bar, version)
    for weight, array in zip(model.weights, decoded, strict=True):
        weight.assign(array)
    derive_state(model)
    return model


def _check_size(weights, most):
    n = sum(int(np.prod(shape, dtype=object)) for _, shape, _ in weights)
    if n > most:
        raise CompressedFileError(
            f"the file describes a model of {n:,} weights, and at most {most:,} are allowed; if you trust it, give "
            "load_compressed a larger max_parameters"
        )


def _read(path, most):
    try:
        if not path.is_file():
            raise CompressedFileError(f"there is no file {path}")
        with open(path, "rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise CompressedFileError(f"{path} can't be read ({error.strerror})") from error
    if len(content) > most:
        raise CompressedFileError(f"{path} has more than {most:,} bytes; give load_compressed a larger max_parameters")
    return content


def _parts_of(content, path):
    """(version, promise, architecture, stream of weights) of a file's bytes."""
    if content[: len(MAGIC)] != MAGIC or len(content) <= _START:
        raise CompressedFileError(f"{path} is no file of save_compressed, or was cut")
    version = content[len(MAGIC)]
    if version > VERSION:
        raise CompressedFileError(
            f"{path} has version {version} of the format, and this coursekit reads up to {VERSION}: get a newer one"
        )
    head, given, body = content[: _START - 4], content[_START - 4 : _START], content[_START:]
    if zlib.crc32(head + body).to_bytes(4, "little") != given:
        raise CompressedFileError(f"{path} was cut or altered: its checksum doesn't match. Get it anew")
    if version == 1:
        promise, (length, at) = body[0], _number(body, 1)
    else:
        number, at = _number(body, 0)
        length, promise = divmod(number, 4)
    if promise > sum(_HALF.values()) or at + length > len(body):
        raise CompressedFileError(f"{path} contradicts itself: its architecture ends after the file")
    return version, promise, body[at : at + length], body[at + length :]


def _number(content, at):
    """(the number that begins there, where it ends)."""
    number = 0
    for shift in range(0, 35, 7):
        if at >= len(content):
            break
        number |= (content[at] & 127) << shift
        at += 1
        if content[at - 1] < 128:
            break
    return number, at
