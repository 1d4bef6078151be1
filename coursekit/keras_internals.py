"""What the course uses of Keras beyond its public interface: all its private names, in this one module.

A new Keras may change any of them without notice. Each function and constant here says in one sentence what it relies
on. `tests/test_keras_internals.py` tries these promises one by one, with the newest Keras and with the oldest that the
course is tested with, and a failure repeats the sentence. Keras is imported when a function is called. Born in notebook
06.
"""

import contextlib
import copy
import inspect
import random

FUNCTIONAL_MODULE = "keras.src.models.functional"
"""Relies on: Keras writes a functional model with this module, and with "Functional" as its registered name."""

OPERATION_MODULES = {name: f"keras.src.ops.{name}" for name in ("numpy", "nn", "math", "linalg")}
"""Relies on: Keras writes arithmetic between layers, as in x + y, with one of these modules, in which its class is
defined, and with the class's name as its registered name."""


# --- layers and their weights -----------------------------------------------------------------------------------------
def every_layer(layer):
    """A layer and all layers inside it, each once: a list.

    Relies on: _flatten_layers() gives a layer and all that are inside it, at any depth, each once.
    """
    return list(layer._flatten_layers())


def inner_layers(layer):
    """The layers directly inside a layer, in order: a list.

    Relies on: _flatten_layers(include_self=False, recursive=False) gives the layers directly inside a layer, in order.
    """
    return list(layer._flatten_layers(include_self=False, recursive=False))


def replace_inner_layers(layer, replacements):
    """Put other layers in the places of some that are directly inside a layer. replacements: {id of a layer: layer}.

    Relies on: a layer holds those inside it in attributes, in lists, dictionaries and tuples of these, and in its list
    _layers, whose ids its _tracker keeps in stored_ids["layers"]; on PyTorch modules stand in _modules, and
    _track_variables() lists a layer's variables anew.
    """

    def changed(value):
        if id(value) in replacements:
            return replacements[id(value)]
        if type(value) is tuple:
            return tuple(changed(item) for item in value)
        if isinstance(value, list):
            for place, item in enumerate(value):
                list.__setitem__(value, place, changed(item))
        if isinstance(value, dict):
            for key, item in list(value.items()):
                dict.__setitem__(value, key, changed(item))
        return value

    for name, value in list(vars(layer).items()):
        if name not in ("_tracker", "_torch_params"):
            vars(layer)[name] = changed(value)
    known = layer._tracker.stored_ids["layers"]
    for old, new in replacements.items():
        known.discard(old)
        known.add(id(new))
    if hasattr(layer, "_track_variables"):
        layer._track_variables()


def take_arguments_of(wrapper, layer):
    """Let a wrapper be called as the layer in it: query=x, value=y for an attention, and training wherever it is given.

    Relies on: a layer's arguments are bound by its _call_signature, which names the tensors among them and their masks.
    """
    signature = inspect.signature(layer.call)
    parameters = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
    rest = [one for one in signature.parameters.values() if one.kind is one.VAR_KEYWORD]
    if "training" not in signature.parameters:
        parameters.append(inspect.Parameter("training", inspect.Parameter.KEYWORD_ONLY, default=None))
    wrapper._call_signature = signature.replace(parameters=[*parameters, *rest])


def own_trainable_variables(layer):
    """The trainable weights of a layer itself, without those of the layers inside it: a list.

    Relies on: _trainable_variables holds the trainable weights of a layer itself, and none of the layers inside it.
    """
    return list(layer._trainable_variables)


def own_losses(layer):
    """What a layer itself has added to the losses in this call of the model that it is in: a list.

    Relies on: _get_own_losses() gives what a layer has added, and a call of it, or of what it is in, from outside
    clears this.
    """
    return layer._get_own_losses()


def current_stateless_scope():
    """The keras.StatelessScope in force, or None.

    Relies on: get_stateless_scope() gives the innermost keras.StatelessScope in force, or None.
    """
    from keras.src.backend.common.stateless_scope import get_stateless_scope

    return get_stateless_scope()


@contextlib.contextmanager
def substituted(variables, values):
    """While the block runs, each variable has the given tensor as its value.

    Inside a keras.StatelessScope (all of JAX's training) the value is set in the scope, elsewhere in the variable.

    Relies on: a variable computes with the tensor in its _value, and inside a keras.StatelessScope with the one that
    stands in the scope's state_mapping under its id.
    """
    scope = current_stateless_scope()
    if scope is None:
        before = [variable._value for variable in variables]
        try:
            for variable, value in zip(variables, values, strict=True):
                variable._value = value
            yield
        finally:
            for variable, value in zip(variables, before, strict=True):
                variable._value = value
        return
    before = [scope.get_current_value(variable) for variable in variables]
    try:
        scope.state_mapping.update({id(variable): value for variable, value in zip(variables, values, strict=True)})
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            if value is None:
                scope.state_mapping.pop(id(variable))
            else:
                scope.state_mapping[id(variable)] = value


# --- models made from descriptions and from each other ----------------------------------------------------------------
def object_sharing():
    """A scope in which Keras writes down which objects are one and the same, and makes one object of them again.

    Relies on: inside an ObjectSharingScope, serialization gives an object that is met twice a shared_object_id, and
    deserialization makes one object of the places with the same shared_object_id.
    """
    from keras.src.saving.serialization_lib import ObjectSharingScope

    return ObjectSharingScope()


@contextlib.contextmanager
def without_trace():
    """What is built inside takes no names and draws no random numbers that what comes after would have had.

    Relies on: building changes nothing but Python's random numbers and a global attribute, object_name_uids, which
    counts names.
    """
    from keras.src.backend.common import global_state

    before, random_state = copy.copy(global_state.get_global_attribute("object_name_uids")), random.getstate()
    try:
        yield
    finally:
        random.setstate(random_state)
        global_state.set_global_attribute("object_name_uids", before)


@contextlib.contextmanager
def without_memory():
    """Inside, the variables of a model that is built have shapes and no values; outside, nothing has changed.

    Relies on: inside StatelessScope(initialize_variables=False) the variables of a layer that is built get shapes and
    no values, and building changes nothing else but Python's random numbers and two global attributes, which can be
    put back: the counts of names (object_name_uids) and the variables without values (uninitialized_variables).
    """
    from keras import StatelessScope
    from keras.src.backend.common import global_state

    names = ("uninitialized_variables", "object_name_uids")
    before = {name: copy.copy(global_state.get_global_attribute(name)) for name in names}
    random_state = random.getstate()
    try:
        with StatelessScope(initialize_variables=False):
            yield
    finally:
        random.setstate(random_state)
        for name, value in before.items():
            global_state.set_global_attribute(name, value)


@contextlib.contextmanager
def zeros_for_weights():
    """While the block runs, layers make their weights of zeros, whatever their initializers: the values follow.

    So that a model that is read from a file, or a copy, costs no random numbers that nobody sees, and no factorization
    of a large matrix where the initializer is orthogonal.

    Relies on: a layer makes each of its weights by add_weight, with the initializer as a keyword or in second place.
    """
    from keras import Layer

    made_as_told = Layer.add_weight

    def made_of_zeros(layer, *args, **keywords):
        if len(args) > 1:
            args = (args[0], "zeros", *args[2:])
        else:
            keywords["initializer"] = "zeros"
        return made_as_told(layer, *args, **keywords)

    Layer.add_weight = made_of_zeros
    try:
        yield
    finally:
        Layer.add_weight = made_as_told


@contextlib.contextmanager
def not_compiled(models):
    """While the block runs, these models say that they are not compiled, so clone_model does not compile a copy.

    Relies on: a model's attribute compiled can be set, and clone_model compiles a copy only where it is true.
    """
    compiled = [model for model in models if getattr(model, "compiled", False)]
    try:
        for model in compiled:
            model.compiled = False
        yield
    finally:
        for model in compiled:
            model.compiled = True
