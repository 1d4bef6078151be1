"""A layer whose weights pass through a function on their way into it: what clustering and pruning have in common.

The wrapper owns what the function needs (centroids, masks), calls the layer with the changed values in place of the
stored ones, and puts those back. So the layer itself, whatever its class and whatever is inside it, need not know.
Born in notebook 18.
"""

import inspect

import keras

from coursekit.compression.model_copy import check_is_built, chosen_weights, compile_like, copy_layer, copy_model
from coursekit.errors import CompressionError
from coursekit.keras_internals import every_layer, substituted


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
        self.autocast = False
        self.supports_masking = True
        self.positions = None if positions is None else [int(position) for position in positions]
        self._loading = False

    # What those that inherit say -------------------------------------------------------------------------------------

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
        """Build the layer if need be, and the state of the wrapper from its weights."""
        super().build(input_shape)
        names = {
            id(weight.variable): weight.name
            for weight in chosen_weights(self.layer, method=self.METHOD, verb=self.VERB)
        }
        weights = self.layer.weights
        if self.positions is None:
            self.positions = [position for position, weight in enumerate(weights) if id(weight) in names]
        chosen = self.changed_variables
        self.make_state(chosen, [names.get(id(weight), f"{self.name}/{weight.name}") for weight in chosen])
        self.built = True

    def call(self, inputs, *args, training=None, **kwargs):
        """Call the layer with its weights changed."""
        variables = self.changed_variables
        with substituted(variables, self.changed(variables, bool(training))):
            return self.layer(inputs, *args, **kwargs)

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
        return {**super().get_config(), "positions": self.positions}

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
    """A model of a class of its own, inside a wrapper, that can be compiled, trained and saved like any model."""

    def __init__(self, wrapper, **kwargs):
        kwargs.setdefault("name", wrapper.name)
        super().__init__(**kwargs)
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


def check_is_plain(model):
    """Refuse a model or layer of which something is wrapped already."""
    for wrapper in wrappers_in(model):
        raise CompressionError(
            f"layer {wrapper.name!r} is being {wrapper.PAST} already: strip the model first "
            f"(strip_{'clustering' if wrapper.VERB == 'cluster' else 'pruning'}); zeros made by pruning are kept by "
            "preserve_sparsity=True"
        )


def wrap(thing, rule, kind, settings):
    """A copy of a layer or model, with the weights chosen by the rule wrapped by `kind`.

    settings:  keyword arguments of `kind`.
    """
    check_is_plain(thing)
    if not isinstance(thing, keras.Model):
        return _wrap_layer(thing, rule, kind, settings)
    check_is_built(thing)
    chosen = {id(weight.variable) for weight in chosen_weights(thing, rule, method=kind.METHOD, verb=kind.VERB)}

    def exchange(layer):
        copy = copy_layer(layer)
        positions = [position for position, weight in enumerate(layer.weights) if id(weight) in chosen]
        return _built(kind(copy, positions=positions, **settings)) if positions else copy

    if isinstance(thing, keras.Sequential) or _is_functional(thing):
        return copy_model(thing, exchange)
    model = WrappedModel(exchange(thing))
    compile_like(model, thing)
    return model


def _wrap_layer(layer, rule, kind, settings):
    copy = copy_layer(layer)
    if not layer.built:
        if rule is not None:
            raise CompressionError(f"{layer.name!r} has no weights yet to choose from: build it, or leave out layers=")
        return kind(copy, **settings)
    chosen = {id(weight.variable) for weight in chosen_weights(layer, rule, method=kind.METHOD, verb=kind.VERB)}
    positions = [position for position, weight in enumerate(layer.weights) if id(weight) in chosen]
    settings = dict(settings)
    return _built(kind(copy, positions=positions, **settings))


def _built(wrapper):
    wrapper.build()
    return wrapper


def _is_functional(model):
    return hasattr(model, "operations") and hasattr(model, "inputs")


def strip(model, kind):
    """A copy of the model without wrappers of a kind, its weights what they had become."""

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
    if isinstance(model, WrappedModel) and isinstance(model.wrapper, kind):
        copy = bare(model.wrapper)
        compile_like(copy, model)
    elif isinstance(model, keras.Sequential) or _is_functional(model):
        copy = copy_model(model, bare)
    else:
        copy = bare(model)
    for left in wrappers_in(copy, kind):
        raise CompressionError(
            f"layer {left.name!r} was wrapped by the code of a class of its own, which would wrap it again: take its "
            "values with final_values() and set them in a model made without the wrapper"
        )
    return copy
