"""A layer whose weights pass through a function on their way into it: what clustering and pruning have in common.

The wrapper owns what the function needs (centroids, masks), calls the layer with the changed values in place of the
stored ones, and puts those back. So the layer itself, whatever its class and whatever is inside it, need not know.
Born in notebook 18.
"""

import contextlib
import inspect

import keras

from coursekit.compression.model_copy import (
    check_classes,
    check_is_built,
    check_names,
    chosen_weights,
    compile_like,
    copy_layer,
    copy_model,
    copy_state,
    freeze_like,
    is_chosen,
    nothing_chosen,
    plain_config,
    run_on_zeros,
)
from coursekit.compression.probe import batch_of, check_same
from coursekit.errors import CompressionError
from coursekit.keras_internals import (
    every_layer,
    inner_layers,
    replace_inner_layers,
    substituted,
    take_arguments_of,
)


class WeightWrapper(keras.layers.Wrapper):
    """A layer around another, some of whose weights are changed by `changed` each time they are used.

    layer:      any layer, also one with layers inside. It belongs to the wrapper from now on.
    positions:  which of layer.weights are meant; None for all that count.

    It has the name of the layer it wraps, so that outputs, losses by name and get_layer go on as before.
    """

    METHOD = VERB = PAST = None  # set by those that inherit

    def __init__(self, layer, positions=None, **kwargs):
        kwargs.setdefault("name", layer.name)
        kwargs.setdefault("trainable", layer.trainable)
        kwargs["dtype"] = layer.variable_dtype  # the weights themselves are changed, not a rounded copy of them
        super().__init__(layer, **kwargs)
        take_arguments_of(self, layer)
        self.autocast = False
        self.supports_masking = True
        self.positions = None if positions is None else [int(position) for position in positions]
        self._loading = False

    # What those that inherit say -------------------------------------------------------------------------------------

    @staticmethod
    def refusal_of(layer, variable, name, settings):
        """Why a weight is too small to be changed, in a sentence; None where it is not. settings: keyword arguments."""
        return None

    def all_positions(self, positions):
        """The positions of the weights to change, from those that count; a place to add others, such as biases."""
        return positions

    def make_state(self, variables, names):
        """Create the variables that `changed` needs."""
        raise NotImplementedError

    def changed(self, variables, training):
        """The values, one tensor a variable, that stand in for the variables' own."""
        raise NotImplementedError

    def final_values(self):
        """The values that the variables get when the wrapper is stripped: NumPy arrays."""
        raise NotImplementedError

    # The life of a layer ---------------------------------------------------------------------------------------------

    @property
    def changed_variables(self):
        """Those of the layer's weights that pass through the function."""
        weights = self.layer.weights
        return [weights[position] for position in self.positions]

    def build(self, input_shape=None):
        """Build the layer if need be, and the state of the wrapper from its weights.

        A layer that turns out to have no weights that count is called as it is.
        """
        super().build(input_shape)
        if self.positions is None:
            ids = {id(one.variable) for one in _large_enough(self.layer, None, type(self), vars(self))[0]}
            self.positions = [position for position, weight in enumerate(self.layer.weights) if id(weight) in ids]
        self.positions = self.all_positions(self.positions)
        names = {}
        with contextlib.suppress(CompressionError):  # of a layer inside that a rule has left out
            chosen = chosen_weights(self.layer, method=self.METHOD, verb=self.VERB)
            names = {id(one.variable): one.name for one in chosen}
        chosen = self.changed_variables
        self.make_state(chosen, [names.get(id(weight), f"{self.name}/{weight.name}") for weight in chosen])
        self.built = True

    def call(self, *args, training=None, **kwargs):
        """Call the layer, with the arguments that it takes and its weights changed."""
        if not self.positions:
            return self.layer(*args, **kwargs)
        if isinstance(self.layer, keras.layers.SpectralNormalization):
            return self._call_normalized(*args, **kwargs, training=bool(training))
        variables = self.changed_variables
        with substituted(variables, self.changed(variables, bool(training))):
            return self.layer(*args, **kwargs)

    def _call_normalized(self, inputs, training):
        """Call a SpectralNormalization: it divides its own kernel at each step of training, before it is changed."""
        if training:
            u, kernel = self.layer.normalized_weights()
            zero = keras.ops.all(keras.ops.equal(self.layer.kernel.value, 0))
            self.layer.vector_u.assign(keras.ops.where(zero, self.layer.vector_u.value, u))
            self.layer.kernel.assign(keras.ops.where(zero, self.layer.kernel.value, kernel))
        variables = self.changed_variables
        with substituted(variables, self.changed(variables, training)):
            return self.layer(inputs, training=False)

    def compute_output_spec(self, *args, **kwargs):
        """The layer's."""
        if "training" not in inspect.signature(self.layer.call).parameters:
            kwargs.pop("training", None)
        return self.layer.compute_output_spec(*args, **kwargs)

    def compute_output_shape(self, *args, **kwargs):
        """The layer's."""
        return self.layer.compute_output_shape(*args, **kwargs)

    def compute_mask(self, *args, **kwargs):
        """The layer's; None where it takes no masks."""
        return self.layer.compute_mask(*args, **kwargs) if self.layer.supports_masking else None

    def get_config(self):
        """The layer's configuration and the positions of the weights."""
        positions = None if self.positions is None else list(self.positions)  # and not Keras's list, which knows us
        return {**super().get_config(), "positions": positions}

    def get_build_config(self):
        """What the layer needs to be built again."""
        return {"layer": self.layer.get_build_config()}

    def build_from_config(self, config):
        """Build a wrapper whose state is about to be loaded: nothing is computed from the layer's new weights."""
        if not self.layer.built:
            self.layer.build_from_config(config["layer"])
        self._loading = True
        self.build()
        self._loading = False


@keras.saving.register_keras_serializable(package="coursekit")
class WrappedModel(keras.Model):
    """A model with weights of its own, inside a wrapper, that can be compiled, trained and saved like any model."""

    def __init__(self, wrapper, **kwargs):
        kwargs.setdefault("name", wrapper.name)
        super().__init__(**kwargs)
        if isinstance(wrapper.layer, keras.Model):
            wrapper.layer.compiled = False  # or its loss, which nobody counts, would be taken for this model's
        self.wrapper = wrapper
        self.built = True

    def build(self, input_shape=None):
        """Nothing: the wrapper has been built."""

    def call(self, inputs, training=None):
        """Call the model inside."""
        return self.wrapper(inputs, training=training)

    def get_config(self):
        """The wrapper's configuration."""
        return {"name": self.name, "wrapper": keras.saving.serialize_keras_object(self.wrapper)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Make the wrapper, and the model inside it, anew."""
        wrapper = keras.saving.deserialize_keras_object(config.pop("wrapper"), custom_objects=custom_objects)
        return cls(wrapper, **config)


def wrappers_in(model, kind=WeightWrapper):
    """All wrappers of a kind in a model, each once."""
    return [layer for layer in every_layer(model) if isinstance(layer, kind)]


def check_is_plain(model, kind):
    """Refuse a model or layer of which something is wrapped already, and not by wrappers of this kind."""
    for wrapper in wrappers_in(model):
        if not isinstance(wrapper, kind):
            raise _wrapped_already(wrapper)


def _wrapped_already(wrapper):
    stripped_by = {"cluster": "strip_clustering", "prune": "strip_pruning", "compress": "strip_entropy"}[wrapper.VERB]
    return CompressionError(
        f"layer {wrapper.name!r} is being {wrapper.PAST} already: strip the model first ({stripped_by}); zeros made by "
        "pruning are kept by preserve_sparsity=True"
    )


def _large_enough(thing, rule, kind, settings):
    """(weights that a rule chooses, why the others were too small): lists of ChosenWeight and of sentences."""
    chosen = chosen_weights(thing, rule, method=kind.METHOD, verb=kind.VERB, passed_over=kind)
    refusals = [kind.refusal_of(one.layer, one.variable, one.name, settings) for one in chosen]
    fit = [one for one, refusal in zip(chosen, refusals, strict=True) if refusal is None]
    return fit, [refusal for refusal in refusals if refusal is not None]


def _chosen_or_refused(thing, rule, kind, settings):
    """The ids of the variables that a rule chooses; raises CompressionError if there is none."""
    fit, refusals = _large_enough(thing, rule, kind, settings)
    if not fit and refusals:
        raise CompressionError(refusals[0])
    if not fit:
        already = wrappers_in(thing, kind)
        raise _wrapped_already(already[0]) if already else nothing_chosen(thing, kind.VERB)
    return {id(one.variable) for one in fit}


def wrap(thing, rule, kind, settings, one_of_several=False):
    """A copy of a layer or model, with the weights chosen by the rule wrapped by `kind`.

    settings:        keyword arguments of `kind`.
    one_of_several:  a layer of a list, which is copied as it is where there is nothing to wrap in it.
    """
    check_is_plain(thing, kind)
    if not isinstance(thing, keras.Model):
        return _wrap_layer(thing, rule, kind, settings, one_of_several)
    if isinstance(thing, keras.Sequential) and not thing.built and thing.layers:
        return _wrap_before_it_is_built(thing, rule, kind, settings)
    check_is_built(thing)
    chosen = _chosen_or_refused(thing, rule, kind, settings)

    def exchange(layer):
        copy = copy_layer(layer)
        if isinstance(layer, kind):
            return copy
        positions = [position for position, weight in enumerate(layer.weights) if id(weight) in chosen]
        return _built(kind(copy, positions=positions, **settings)) if positions else copy

    if isinstance(thing, keras.Sequential) or _is_functional(thing):
        return copy_model(thing, exchange)
    if _has_own_or_shared(thing, chosen):
        return _wrap_whole(thing, exchange)
    return _wrap_inside(thing, chosen, exchange)


def wrap_each(things, rule, kind, settings):
    """What `wrap` gives for each layer of a list; a layer that stands in it twice has one wrapper, in both places."""
    wrapped = {id(thing): wrap(thing, rule, kind, settings, one_of_several=True) for thing in things}
    return [wrapped[id(thing)] for thing in things]


def _wrap_layer(layer, rule, kind, settings, one_of_several):
    if isinstance(layer, kind) and one_of_several:
        return copy_layer(layer)
    if not layer.built:
        if rule is not None:
            raise CompressionError(f"{layer.name!r} has no weights yet to choose from: build it, or leave out layers=")
        check_is_plain(layer, ())
        _check_is_built_for_one(layer)
        return kind(copy_layer(layer), **settings)
    if one_of_several and not _large_enough(layer, rule, kind, settings)[0]:
        return copy_layer(layer)
    chosen = _chosen_or_refused(layer, rule, kind, settings)
    positions = [position for position, weight in enumerate(layer.weights) if id(weight) in chosen]
    return _built(kind(copy_layer(layer), positions=positions, **settings))


def _check_is_built_for_one(layer):
    """Refuse a layer without weights that is built for the shapes of several inputs, such as attention."""
    needed = [one for one in inspect.signature(layer.build).parameters.values() if one.default is one.empty]
    if sum(one.kind is one.POSITIONAL_OR_KEYWORD for one in needed) > 1:
        raise CompressionError(
            f"{layer.name!r} has no weights yet, and gets them for several inputs: call it on data once, then wrap it"
        )


def _wrap_before_it_is_built(model, rule, kind, settings):
    """A Sequential without an Input, whose layers are wrapped now and get their weights when it is built."""
    check_names(rule, model)
    layers = []
    for layer in model.layers:
        weightless = layer.built and not layer.weights  # such as Dropout
        as_it_is = isinstance(layer, kind) or weightless or not is_chosen(rule, layer)
        layers.append(copy_layer(layer) if as_it_is else _wrap_layer(layer, None, kind, settings, True))
    copy = keras.Sequential(layers, name=model.name)
    check_classes(copy, model)
    if not wrappers_in(copy, kind):
        raise nothing_chosen(model, kind.VERB)
    compile_like(copy, model)
    return copy


def _built(wrapper):
    wrapper.build()
    return wrapper


def _is_functional(model):
    return hasattr(model, "operations") and hasattr(model, "inputs")


# ---------------------------------------------------------------------------------------------------------------------
# Models of a class of their own


class WithWrappers:
    """What a model of a class of its own inherits from, before that class, while layers inside it are wrapped.

    So it keeps its train_step, its methods and its attributes. `places_of_wrappers` are the numbers, among the layers
    directly inside it, of those that stand where others stood.
    """

    def get_config(self):
        """The model without wrappers, and the layers that are wrapped."""
        kind = self.class_without_wrappers
        plain = {
            "module": kind.__module__,
            "class_name": kind.__name__,
            "registered_name": keras.saving.get_registered_name(kind),
            "config": keras.saving.serialize_keras_object(plain_config(kind, kind.get_config(self))),
        }
        inside = inner_layers(self)
        layers = [keras.saving.serialize_keras_object(inside[place]) for place in self.places_of_wrappers]
        places, shapes = list(self.places_of_wrappers), self.get_build_config()
        return {"name": self.name, "model": plain, "shapes": shapes, "places": places, "layers": layers}


@keras.saving.register_keras_serializable(package="coursekit", name="WithWrappers")
class _Maker:
    """Stands for every class made by `_with_wrappers` where a file names one."""

    def get_config(self):
        """Nothing: it is never made."""
        return {}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Make the model anew, and the layers that are wrapped."""
        model = keras.saving.deserialize_keras_object(config["model"], custom_objects=custom_objects)
        model.name = config["name"]
        run_on_zeros(model, config["shapes"])
        layers = [keras.saving.deserialize_keras_object(one, custom_objects=custom_objects) for one in config["layers"]]
        return _with_layers(model, dict(zip(config["places"], layers, strict=True)))


_made = {}  # class: the class that also inherits from WithWrappers


def _with_wrappers(kind):
    if issubclass(kind, WithWrappers):  # some of its layers were wrapped before
        return kind
    if kind not in _made:
        own = {"__module__": kind.__module__, "class_without_wrappers": kind}
        _made[kind] = type(kind.__name__, (WithWrappers, kind), own)
        register = keras.saving.register_keras_serializable(package="coursekit", name="WithWrappers")
        register(_made[kind]), register(_Maker)  # written under this name, made by the maker
    return _made[kind]


def _with_layers(model, layers):
    """The model with other layers in some places: {number among the layers directly inside it: layer}."""
    inside = inner_layers(model)
    replace_inner_layers(model, {id(inside[place]): layer for place, layer in layers.items()})
    model.__class__ = _with_wrappers(type(model))
    model.places_of_wrappers = tuple(sorted({*getattr(model, "places_of_wrappers", ()), *layers}))
    return model


def _has_own_or_shared(model, chosen):
    """Whether a weight was chosen that is the model's own, or belongs to two of the layers directly inside it."""
    owners = {key: 0 for key in chosen}
    for layer in inner_layers(model):
        for weight in layer.weights:
            if id(weight) in owners:
                owners[id(weight)] += 1
    return any(count != 1 for count in owners.values())


def _wrap_whole(model, exchange):
    if type(model).train_step is not keras.Model.train_step:
        raise CompressionError(
            f"{model.name!r} has a train_step of its own, and weights that are in none of its layers, or in two: name "
            "the layers to change with layers=..., each once"
        )
    copy = WrappedModel(exchange(model))
    compile_like(copy, model)
    return copy


def _wrap_inside(model, chosen, exchange):
    """A copy of a model of a class of its own whose layers are exchanged where they have weights that were chosen."""
    layers = {}
    for place, layer in enumerate(inner_layers(model)):
        if any(id(weight) in chosen for weight in layer.weights):
            if isinstance(layer, keras.Sequential) or _is_functional(layer):
                layers[place] = copy_model(layer, exchange)
            elif isinstance(layer, keras.Model) and not _has_own_or_shared(layer, chosen & _ids(layer)):
                layers[place] = _wrap_inside(layer, chosen & _ids(layer), exchange)
            else:
                layers[place] = exchange(layer)
    copy = _with_layers(copy_layer(model), layers)
    compile_like(copy, model)
    return copy


def _ids(layer):
    return {id(weight) for weight in layer.weights}


def _without_wrappers(model, bare):
    """A model of its own class again, from one made by `_wrap_inside`."""
    config = model.get_config()
    known = {type(inner).__name__: type(inner) for inner in every_layer(model)}
    known[type(model).__name__] = model.class_without_wrappers
    with keras.saving.custom_object_scope(known):
        copy = keras.saving.deserialize_keras_object(config["model"], safe_mode=False)
    copy.name = model.name
    run_on_zeros(copy, config["shapes"])
    copy.trainable = model.trainable
    layers = {}
    for place, (mine, its) in enumerate(zip(inner_layers(copy), inner_layers(model), strict=True)):
        if place in model.places_of_wrappers:
            layers[id(mine)] = _stripped(its, bare)
        else:
            mine.set_weights(its.get_weights())
            copy_state(mine, its)
            freeze_like(mine, its)
    replace_inner_layers(copy, layers)
    for mine, its in zip(_own_weights(copy), _own_weights(model), strict=True):
        mine.assign(its)
        mine.trainable = its.trainable
    compile_like(copy, model)
    return copy


def _own_weights(model):
    inside = {id(weight) for layer in inner_layers(model) for weight in layer.weights}
    return [weight for weight in model.weights if id(weight) not in inside]


# ---------------------------------------------------------------------------------------------------------------------
# Back again


def strip(model, kind, check=True):
    """A copy of the model without wrappers of a kind, its weights what they had become.

    check: whether both compute the same on a few random inputs, or on a batch of inputs that is given instead of True,
           is tried, and CompressionError raised where they don't.
    """

    def bare(layer):
        if not isinstance(layer, kind):
            return copy_layer(layer)
        copy = copy_layer(layer.layer)
        weights = copy.weights
        for position, value in zip(layer.positions, layer.final_values(), strict=True):
            weights[position].assign(value)
        return copy

    if not isinstance(model, keras.Layer):
        raise CompressionError(f"a Keras model is needed, and this is {type(model).__name__}")
    inputs = batch_of(check, model)
    copy = _stripped(model, bare)
    for left in wrappers_in(copy, kind):
        raise CompressionError(
            f"layer {left.name!r} was wrapped by the code of a class of its own, which would wrap it again: take its "
            "values with final_values() and set them in a model made without the wrapper"
        )
    if check is not False and isinstance(model, keras.Model) and wrappers_in(model, kind):
        try:
            check_same(model, copy, inputs)
        except CompressionError as error:
            raise CompressionError(
                f"{model.name!r} computes something else without its wrappers ({error}): a layer keeps what it knows "
                "elsewhere than in its weights, or uses another's weights directly. Give its class save_own_variables "
                "and load_own_variables, or look for yourself and give check=False"
            ) from None
    return copy


def _stripped(model, bare):
    if isinstance(model, WrappedModel):
        copy = bare(model.wrapper)
        compile_like(copy, model)
        return copy
    if isinstance(model, WithWrappers):
        return _without_wrappers(model, bare)
    if isinstance(model, keras.Sequential) or _is_functional(model):
        return copy_model(model, bare)
    return bare(model)
