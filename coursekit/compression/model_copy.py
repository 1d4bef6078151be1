"""Which weights of a model are meant, and how a model is copied with some of its layers exchanged.

Clustering and pruning ask the same things of a model: what layers there are, also inside others; which of their weights
count (kernels and embeddings; not biases, not the scale of a normalization); which of them a rule chooses; and a copy
of the model that shares nothing with it. Born in notebook 18.
"""

import inspect
from dataclasses import dataclass

import keras
from keras import layers as kl

from coursekit.errors import CompressionError
from coursekit.keras_internals import every_layer, inner_layers, not_compiled, own_trainable_variables

# What of a layer is taken, by class; a class stands for what inherits from it, and the first that fits counts.
_NOTHING_OF = (
    kl.BatchNormalization,
    kl.LayerNormalization,
    kl.GroupNormalization,
    kl.SpectralNormalization,
    kl.PReLU,
    kl.DepthwiseConv1D,  # one filter per channel: few weights, and accuracy suffers (so tensorflow-model-optimization)
    kl.DepthwiseConv2D,
    kl.Attention,  # one scale at most
    kl.AdditiveAttention,
)
_WEIGHTS_OF = (
    ((kl.SeparableConv1D, kl.SeparableConv2D), ("pointwise_kernel",)),
    ((kl.SimpleRNNCell, kl.GRUCell, kl.LSTMCell), ("kernel", "recurrent_kernel")),
    ((kl.Dense, kl.EinsumDense), ("kernel",)),
    ((kl.Conv1D, kl.Conv2D, kl.Conv3D), ("kernel",)),
    ((kl.Conv1DTranspose, kl.Conv2DTranspose, kl.Conv3DTranspose), ("kernel",)),
    ((kl.Embedding,), ("embeddings",)),
)
_WHOLE = (
    kl.MultiHeadAttention,
    kl.GroupQueryAttention,
    kl.RNN,
    kl.Bidirectional,
)  # one layer to a rule, for all inside


@dataclass(frozen=True)
class ChosenWeight:
    """A weight that counts: the layer a rule sees, the variable, and a name for messages, such as "dense/kernel"."""

    layer: object
    variable: object
    name: str


def chosen_weights(model, rule=None, *, method, verb):
    """The weights of a layer or model that `rule` chooses: a list of ChosenWeight, each variable once.

    rule:    None for all; a function of a layer that says yes or no; or a layer, a class, a name, or a list of these,
             which means those layers and what is inside them.
    method:  the name of the method by which a class of one's own says which of its weights count.
    verb:    "cluster" or "prune", for messages.

    Raises CompressionError for a layer with weights of which nothing is known, for a name that no layer has, and where
    the rule chooses nothing.
    """
    _check_names(rule, model)
    chosen, seen = [], set()
    for unit, above in _units(model):
        if not _is_chosen(rule, unit, above):
            continue
        for leaf in _leaves(unit):
            for name, variable in _weights_of(leaf, method, verb):
                if id(variable) not in seen:
                    seen.add(id(variable))
                    inside = unit.name if leaf is unit else f"{unit.name}/{leaf.name}"
                    chosen.append(ChosenWeight(unit, variable, f"{inside}/{name}"))
    if not chosen:
        raise CompressionError(
            f"there is nothing to {verb} in {model.name!r}: none of the layers chosen has a kernel or embeddings"
        )
    return chosen


def _units(layer, above=(), seen=None):
    """The layers that a rule is asked about, with the layers that each is inside of."""
    seen = set() if seen is None else seen
    if id(layer) in seen:
        return
    seen.add(id(layer))
    inner = [] if isinstance(layer, _WHOLE) else inner_layers(layer)
    if not inner or own_trainable_variables(layer):
        yield layer, above
    for child in inner:
        yield from _units(child, (*above, layer), seen)


def _leaves(unit):
    return every_layer(unit) if isinstance(unit, _WHOLE) else [unit]


def _weights_of(layer, method, verb):
    if hasattr(layer, method):
        given = getattr(layer, method)()
        return [pair if isinstance(pair, tuple) else (pair.name, pair) for pair in given]
    if isinstance(layer, _NOTHING_OF) or not own_trainable_variables(layer):
        return []
    if getattr(layer, "quantization_mode", None) or getattr(layer, "lora_enabled", False):
        raise CompressionError(f"layer {layer.name!r} is quantized or has LoRA weights: {verb} the model before that")
    for classes, names in _WEIGHTS_OF:
        if isinstance(layer, classes):
            return [(name, getattr(layer, name)) for name in names]
    raise CompressionError(
        f"layer {layer.name!r} is of the class {type(layer).__name__}, and which of its weights to {verb} is not "
        f"known: leave it out with layers=..., or give the class a method {method}() that returns them"
    )


def _as_list(rule):
    return list(rule) if isinstance(rule, list | tuple | set) else [rule]


def _is_chosen(rule, unit, above):
    if rule is None:
        return True
    if callable(rule) and not inspect.isclass(rule) and not isinstance(rule, keras.Layer):
        return bool(rule(unit))
    for wanted in _as_list(rule):
        for layer in (unit, *above):
            if wanted is layer or wanted == layer.name or (inspect.isclass(wanted) and isinstance(layer, wanted)):
                return True
    return False


def _check_names(rule, model):
    names = {layer.name for layer in every_layer(model)}
    for wanted in _as_list(rule):
        if isinstance(wanted, str) and wanted not in names:
            raise CompressionError(f"no layer is named {wanted!r}; there are {', '.join(sorted(names))}")


def check_is_keras_3(thing):
    """Refuse a Keras 2 model or layer, of which Keras 3 knows nothing."""
    for kind in type(thing).__mro__:
        if kind.__module__.split(".")[0] == "tf_keras":
            raise CompressionError(
                f"{type(thing).__name__} is a Keras 2 class (tf_keras), and this works on Keras 3: make the model with "
                "keras, or use tensorflow-model-optimization"
            )


def check_is_built(layer):
    """Refuse a model or layer whose weights don't exist yet."""
    if not layer.built:
        raise CompressionError(
            f"{layer.name!r} has no weights yet: give it an Input, or call it on data once, and train it first"
        )


# ---------------------------------------------------------------------------------------------------------------------
# Copies


def copy_layer(layer):
    """A layer like this one, of the same weights, that shares nothing with it.

    Raises CompressionError for a class that cannot be made anew from its configuration.
    """
    known = {type(inner).__name__: type(inner) for inner in every_layer(layer)}
    for inner in every_layer(layer):  # activations and the like that were never registered with Keras
        known.update({value.__name__: value for value in vars(inner).values() if inspect.isfunction(value)})
    try:
        with keras.saving.custom_object_scope(known):
            copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer), safe_mode=False)
        if layer.built:
            _build_like(copy, layer)
            copy.set_weights(layer.get_weights())
    except (TypeError, ValueError, NotImplementedError) as error:
        raise CompressionError(
            f"{layer.name!r} of the class {type(layer).__name__} can't be copied from its configuration: give the "
            f"class the methods get_config and build ({error})"
        ) from error
    return copy


def _build_like(copy, layer):
    if len(copy.weights) != len(layer.weights) and layer.get_build_config():
        shape = layer.get_build_config().get("input_shape")
        copy(keras.ops.zeros([1 if size is None else size for size in shape]))
    copy.built = True


def copy_model(model, exchange):
    """A copy of a functional or Sequential model, also of those inside it, that shares nothing with it.

    exchange:  a function that takes each layer and returns what stands for it in the copy: a layer of its own.

    What the model was compiled with is carried over: loss, metrics, and an optimizer of the same settings in its first
    state. Where Keras can't make these anew (a loss of one's own that isn't registered), the copy isn't compiled.
    """

    def exchange_or_copy(operation):
        if isinstance(operation, keras.Layer):
            return exchange(operation)
        return type(operation).from_config(operation.get_config())  # the + in x + y: no layer, and no weights

    with not_compiled(every_layer(model)):  # clone_model would compile each copy, and fail where it can't
        copy = keras.models.clone_model(model, clone_function=exchange_or_copy, recursive=True)
    compile_like(copy, model)
    return copy


def compile_like(copy, model):
    """Compile the copy with the settings of the model, if it has any that Keras can make anew."""
    if getattr(model, "compiled", False):
        try:
            copy.compile_from_config(model.get_compile_config())
        except (TypeError, ValueError, AttributeError):
            copy.compiled = False
