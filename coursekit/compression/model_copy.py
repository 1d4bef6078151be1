"""Which weights of a model are meant, and how a model is copied with some of its layers exchanged.

Clustering and pruning ask the same things of a model: what layers there are, also inside others; which of their weights
count (kernels and embeddings; not biases, not the scale of a normalization); which of them a rule chooses; and a copy
of the model that shares nothing with it. Born in notebook 18.
"""

import contextlib
import inspect
from dataclasses import dataclass

import keras
from keras import layers as kl

from coursekit.errors import CompressionError
from coursekit.keras_internals import (
    every_layer,
    inner_layers,
    not_compiled,
    own_trainable_variables,
    zeros_for_weights,
)

# What of a layer is taken, by class; a class stands for what inherits from it, and the first that fits counts.
_NOTHING_OF = (
    kl.BatchNormalization,
    kl.LayerNormalization,
    kl.GroupNormalization,
    kl.RMSNormalization,
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
_OF_A_CELL = ("kernel", "recurrent_kernel")  # of the cells that Keras doesn't export, inside ConvLSTM2D and its like
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


def chosen_weights(model, rule=None, *, method, verb, passed_over=()):
    """The weights of a layer or model that `rule` chooses: a list of ChosenWeight, each variable once.

    rule:    None for all; a function of a layer that says yes or no; or a layer, a class, a name, or a list of these,
             which means those layers and what is inside them.
    method:  the name of the method by which a class of one's own says which of its weights count.
    verb:    "cluster" or "prune", for messages.
    passed_over:  a class of layers that are left as they are, with all that is inside them.

    Raises CompressionError for a layer with weights of which nothing is known, and for a name that no layer has.
    """
    check_names(rule, model)
    chosen, seen = [], set()
    for unit, above in _units(model):
        if not is_chosen(rule, unit, above) or any(isinstance(layer, passed_over) for layer in (unit, *above)):
            continue
        for leaf in _leaves(unit):
            for name, variable in _weights_of(leaf, method, verb, unit):
                if id(variable) not in seen and 0 not in variable.shape:
                    seen.add(id(variable))
                    inside = unit.name if leaf is unit else f"{unit.name}/{leaf.name}"
                    chosen.append(ChosenWeight(unit, variable, f"{inside}/{name}"))
    return chosen


def nothing_chosen(model, verb):
    """The refusal of a model in which a rule has chosen no weight."""
    return CompressionError(
        f"there is nothing to {verb} in {model.name!r}: none of the layers chosen has a kernel or embeddings"
    )


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


def _weights_of(layer, method, verb, unit):
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
    if isinstance(unit, kl.RNN) and all(hasattr(layer, name) for name in _OF_A_CELL):
        return [(name, getattr(layer, name)) for name in _OF_A_CELL]
    inside = "" if layer is unit else f" inside {unit.name!r}"
    raise CompressionError(
        f"layer {layer.name!r}{inside} is of the class {type(layer).__name__}, and which of its weights to {verb} is "
        f"not known: leave {unit.name!r} out with layers=..., or give the class a method {method}() that returns them"
    )


def _as_list(rule):
    return list(rule) if isinstance(rule, list | tuple | set) else [rule]


def is_chosen(rule, unit, above=()):
    """Whether a rule means a layer, or one of those that it is inside of."""
    if rule is None:
        return True
    if callable(rule) and not inspect.isclass(rule) and not isinstance(rule, keras.Layer):
        return bool(rule(unit))
    for wanted in _as_list(rule):
        for layer in (unit, *above):
            if wanted is layer or wanted == layer.name or (inspect.isclass(wanted) and isinstance(layer, wanted)):
                return True
    return False


def check_names(rule, model):
    """Refuse a rule with a name that no layer of the model has."""
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
    """A layer like this one, of the same weights and state, that shares nothing with it.

    Raises CompressionError for a class that cannot be made anew from its configuration.
    """
    known = {
        type(inner).__name__: getattr(inner, "class_without_wrappers", type(inner)) for inner in every_layer(layer)
    }
    for inner in every_layer(layer):  # activations and the like that were never registered with Keras
        known.update({value.__name__: value for value in vars(inner).values() if inspect.isfunction(value)})
    try:
        no_values = zeros_for_weights() if layer.built else contextlib.nullcontext()
        with keras.saving.custom_object_scope(known), not_compiled(every_layer(layer)), no_values:
            copy = _made_anew(layer)
            if layer.built:
                _build_like(copy, layer)
        if layer.built:
            copy.set_weights(layer.get_weights())
            copy_state(copy, layer)
        else:
            _copy_table(copy, layer)
        freeze_like(copy, layer)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise CompressionError(
            f"{layer.name!r} of the class {type(layer).__name__} can't be copied from its configuration: give the "
            f"class the methods get_config and build ({_first_line(error)})"
        ) from error
    return copy


def _made_anew(layer):
    """A layer from the configuration of this one, not compiled, and built if Keras knows for which shape."""
    described = keras.saving.serialize_keras_object(layer)
    described.pop("compile_config", None)
    described["config"] = plain_config(type(layer), described["config"])
    copy = keras.saving.deserialize_keras_object(described, safe_mode=False)
    copy.name = layer.name
    return copy


def plain_config(kind, config):
    """A configuration without what Keras's own get_config names and the __init__ of this class doesn't take."""
    taken = inspect.signature(kind.__init__).parameters.values()
    own = not issubclass(kind, keras.Model) or kind.get_config is not keras.Model.get_config
    if own or any(one.kind is one.VAR_KEYWORD for one in taken):
        return config
    return {key: value for key, value in config.items() if key in {one.name for one in taken}}


def _first_line(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _build_like(copy, layer):
    if len(copy.weights) != len(layer.weights):
        run_on_zeros(copy, layer.get_build_config())
    copy.built = True


def run_on_zeros(model, shapes):
    """Build a model of a class of its own by a call on zeros, as it was built. shapes: of its get_build_config()."""
    if shapes and shapes.get("input_shape"):
        model(_zeros(shapes["input_shape"]))


def _zeros(shape):
    """Zeros for a shape, or for a list or dictionary of shapes."""
    if isinstance(shape, dict):
        return {key: _zeros(one) for key, one in shape.items()}
    if shape and isinstance(shape[0], list | tuple | dict):
        return [_zeros(one) for one in shape]
    return keras.ops.zeros([1 if size is None else size for size in shape])


def copy_state(copy, layer):
    """Give a copy, of the same weights already, what else the layer has learned, and its name; so for layers inside.

    That is: the tables of words of StringLookup, IntegerLookup and TextVectorization; the states of recurrent layers
    that keep theirs; and whatever save_own_variables and load_own_variables of a class carry from one to the other, as
    in a file of Keras's own: Normalization computes its mean and variance anew.
    """
    for new, old in zip(every_layer(copy), every_layer(layer), strict=True):
        new.name = old.name  # a class of one's own makes its layers anew, and Keras counts their names up
        if _has_own(old, "load_own_variables"):
            store = {}
            old.save_own_variables(store)
            if store:
                try:
                    new.load_own_variables({key: keras.ops.convert_to_numpy(value) for key, value in store.items()})
                except AttributeError as error:  # Keras 3.10 can't load TextVectorization's weights of tf-idf
                    raise CompressionError(
                        f"Keras {keras.__version__} can't copy what {old.name!r} keeps besides weights ({error}); "
                        "take a newer Keras, or a model of the layers after it"
                    ) from error
        _copy_table(new, old)
        for mine, its in zip(_states(new), _states(old), strict=True):
            mine.assign(keras.ops.convert_to_numpy(its))


def _has_own(layer, method):
    return getattr(type(layer), method) is not getattr(keras.Layer, method)


def _copy_table(new, old):
    """Give a layer the table of words of another: one of Keras's three that look words or numbers up."""
    if not hasattr(old, "lookup_table") or not old.get_vocabulary(include_special_tokens=False):
        return
    weights = {}
    if old.output_mode == "tf_idf":
        weights["idf_weights"] = keras.ops.convert_to_numpy(old.idf_weights_const)
    new.set_vocabulary(old.get_vocabulary(), **weights)


def _states(layer):
    """The states that a recurrent layer keeps from batch to batch: a list of variables."""
    states = getattr(layer, "states", None) if getattr(layer, "stateful", False) else None
    return keras.tree.flatten(states) if states is not None else []


def kept_states(model):
    """[(layer, variable)] of the states that recurrent layers of a model keep from batch to batch."""
    return [(layer, state) for layer in every_layer(model) for state in _states(layer)]


def derive_state(model):
    """Let each layer compute anew what it derives from its weights, which were set one by one."""
    for layer in every_layer(model):
        if hasattr(layer, "finalize_state") and _has_own(layer, "load_own_variables"):
            store = {}
            layer.save_own_variables(store)
            if store:
                layer.load_own_variables({key: keras.ops.convert_to_numpy(value) for key, value in store.items()})


def freeze_like(copy, layer):
    """Freeze in a copy what is frozen in a layer of the same layers and weights, at any depth.

    The configuration of a class of one's own says nothing of the layers inside it, and none says it of a single weight.
    """
    set_frozen(copy, frozen_in(layer))


def frozen_in(layer):
    """What isn't trained: [numbers of the layer and those inside it, in their order], [numbers of its weights]."""
    return [[i for i, one in enumerate(some) if not one.trainable] for some in (every_layer(layer), layer.weights)]


def set_frozen(layer, frozen):
    """Freeze those layers and weights, and no others. frozen: what `frozen_in` gave for a layer like this one."""
    layers, weights = every_layer(layer), layer.weights
    for some, numbers in ((layers, frozen[0]), (layers, frozen[0]), (weights, frozen[1])):
        # A layer's setting is also that of all inside it, which come later; twice, as one can be inside of two others.
        for number, one in enumerate(some):
            if one.trainable != (number not in numbers):
                one.trainable = number not in numbers


def copy_model(model, exchange):
    """A copy of a functional or Sequential model, also of those inside it, that shares nothing with it.

    exchange:  a function that takes each layer and returns what stands for it in the copy: a layer of its own.

    What the model was compiled with is carried over: loss, metrics, and an optimizer of the same settings in its first
    state. Where Keras can't make these anew (a loss of one's own that isn't registered), the copy isn't compiled.

    Raises CompressionError for a weight that two layers share, since the copy would have it twice.
    """
    owners = {}

    def exchange_or_copy(operation):
        if isinstance(operation, keras.Layer):
            _check_owns_its_weights(operation, owners)
            return exchange(operation)
        return type(operation).from_config(operation.get_config())  # the + in x + y: no layer, and no weights

    with not_compiled(every_layer(model)):  # clone_model would compile each copy, and fail where it can't
        copy = keras.models.clone_model(model, clone_function=exchange_or_copy, recursive=True)
    check_classes(copy, model)
    _name_inputs_like(copy, model)
    _freeze_models_like(copy, model)
    compile_like(copy, model)
    return copy


def _check_owns_its_weights(layer, owners):
    """Refuse a layer with a weight that another layer has, too. owners: {id of a weight: layer}, which is added to."""
    for weight in layer.weights:
        owner = owners.setdefault(id(weight), layer)
        if owner is not layer:
            raise CompressionError(
                f"{owner.name!r} and {layer.name!r} share the weight {weight.path}, and a copy would have it twice: "
                "call one layer twice instead, or call both in the call method of a model of a class of your own"
            )


def check_classes(copy, model):
    """Refuse a copy in which a functional or Sequential model, at any depth, has lost the methods of its class."""
    for mine, its in zip(_models_in(copy), _models_in(model), strict=False):
        lost = _defined_in(set(type(its).__mro__) - set(type(mine).__mro__))
        if lost:
            ends = "inputs[0], model.outputs[0]" if isinstance(its, keras.Sequential) else "input, model.output"
            raise CompressionError(
                f"{its.name!r} is a {type(mine).__name__} model of the class {type(its).__name__}, and a copy would "
                f"lose its {', '.join(lost)}: take plain = keras.Model(model.{ends}) and, once that is small, "
                "model.set_weights(small.get_weights()); or keep the layers in attributes and give the class a call "
                "method"
            )


def _models_in(model):
    return [inner for inner in every_layer(model) if isinstance(inner, keras.Model)]


def _defined_in(classes):
    """The names of what classes define, without how they are made and described."""
    names = {name for kind in classes for name in vars(kind)} - {"get_config", "from_config", "_abc_impl"}
    return sorted(name for name in names if not name.startswith("__"))


def _name_inputs_like(copy, model):
    """Give inputs back the names of their layers, which clone_model takes from tensors (keras_tensor_7)."""
    inputs = ([one for one in every_layer(each) if isinstance(one, kl.InputLayer)] for each in (copy, model))
    for mine, its in zip(*inputs, strict=False):
        mine.name = its.name


def _freeze_models_like(copy, model):
    """Freeze the models in a copy that were frozen as a whole, which clone_model forgets.

    What is inside them stays as it is: a frozen model can have layers that are trained all the same.
    """
    layers = [layer for layer in every_layer(copy) if not isinstance(layer, keras.Model | kl.InputLayer)]
    before = [(one, one.trainable) for one in [*layers, *copy.weights]]
    for mine, its in zip(_models_in(copy), _models_in(model), strict=False):
        if mine.trainable != its.trainable:
            mine.trainable = its.trainable
    for one, trainable in before:  # layers come before those inside them, and before their weights
        if one.trainable != trainable:
            one.trainable = trainable


def compile_like(copy, model):
    """Compile the copy with the settings of the model, if it has any that Keras can make anew."""
    if getattr(model, "compiled", False):
        try:
            copy.compile_from_config(model.get_compile_config())
        except (TypeError, ValueError, AttributeError):
            copy.compiled = False
