"""Training for size: the length of the weights' code is a part of the loss. Born in notebook 19.

    penalized = compression.penalize_entropy(model, price=1e-5, ramp_steps=200)   # a bit costs 1e-5 of loss
    penalized.compile(...)
    penalized.fit(..., callbacks=[compression.CountBytes()])                      # shows what a file would take
    small = compression.strip_entropy(penalized)
    compression.save_compressed(small, "model.small")

Each weight is used as a whole multiple of its tensor's step, and the step is trained along. A good code spends
-log2 p bits on a multiple of probability p. So the loss gets, for each weight, these bits times a price, where p comes
from a distribution that is fitted along. A price of 0 only rounds.

The method is that of Oktay, Ballé, Singh and Shrivastava (2020), "Scalable model compression by entropy penalized
reparameterization", ICLR, arXiv:1906.06624; noise in place of rounding while bits are counted comes from Ballé,
Laparra and Simoncelli (2017), "End-to-end optimized image compression", ICLR, arXiv:1611.01704. Gradients pass through
the rounding as if it were not there (the straight-through estimator of notebook 18).
"""

import weakref
from numbers import Real

import keras
import numpy as np
from keras import ops

from coursekit.compression.model_copy import check_is_keras_3
from coursekit.compression.wrapper import WeightWrapper, strip, wrap, wrap_each, wrappers_in
from coursekit.errors import CompressionError
from coursekit.keras_internals import current_stateless_scope, every_layer, own_losses, own_trainable_variables

NARROW = 0.12  # scale of the logistic, in steps, that stands for "exactly zero"
FAST_STEP, FAST_SCALE = 2.0, 5.0  # how many times as fast as weights the logarithms of steps and of scales may move
_LN2 = float(np.log(2))


def penalize_entropy(to_penalize, price=1e-5, ramp_steps=0, layers=None, biases=True, seed=0):
    """A copy of a model whose weights are multiples of a step, and whose loss grows with the bits that they take.

    to_penalize:  a Keras 3 model, trained; or a layer, or a list of layers, to make a model of.
    price:        what a bit costs, in units of the loss. Start with 1e-6 to 1e-5 for a cross-entropy.
    ramp_steps:   in so many training steps the price rises from 0 to its full height; two fifths of all are a good
                  number. 0 for the full price from the first step on.
    layers:       which layers, as in cluster_weights.
    biases:       whether the biases beside these weights are rounded and counted, too.
    seed:         of the noise with which bits are counted.

    Kernels and embeddings are meant, and what get_compressible_weights() of any other class returns. Depthwise kernels
    and what a normalization learns (its scale, its shift, its statistics) are neither rounded nor counted. A layer that
    a model calls several times is counted once. The model that was given is never changed, and what it was compiled
    with is carried over, as in cluster_weights. A step starts at half of the weights' standard deviation; for biases,
    most of which start at 0, at 0.01 or more. What cluster_weights says of lists of layers, of models of a class of
    their own and of training loops holds here as well; a loop must add model.losses to its loss.

    Raises CompressionError, a ValueError that names the layer, as cluster_weights does; also for a price below 0.
    """
    if not isinstance(price, Real) or not 0 <= price < np.inf:
        raise CompressionError(f"price is {price!r}; give what a bit costs in units of the loss, such as 1e-5")
    if ramp_steps != int(ramp_steps) or ramp_steps < 0:
        raise CompressionError(f"ramp_steps is {ramp_steps!r}; give a number of training steps, 0 or more")
    settings = {"price": float(price), "ramp_steps": int(ramp_steps), "biases": bool(biases), "seed": int(seed)}
    several = isinstance(to_penalize, list | tuple)
    things = to_penalize if several else [to_penalize]
    for thing in things:
        check_is_keras_3(thing)
        if not isinstance(thing, keras.Layer):
            raise CompressionError(f"a Keras model, a layer or a list of layers is needed, and this is {thing!r}")
    if several:
        return wrap_each(things, layers, EntropyPenalized, settings)
    return wrap(things[0], layers, EntropyPenalized, settings)


def strip_entropy(model, check=True):
    """A plain copy of a model that was trained for size: the layers it was made of, with their rounded weights.

    check: whether both are run on two random inputs, or on a batch given instead of True, to see that they compute the
           same.

    Compiled like the model. Raises CompressionError for what is no Keras model, and where the two differ.
    """
    check_is_keras_3(model)
    return strip(model, EntropyPenalized, check)


@keras.saving.register_keras_serializable(package="coursekit")
class EntropyPenalized(WeightWrapper):
    """A layer whose weights are used as multiples of a step, and whose bits are a loss. Made by `penalize_entropy`.

    steps, scales, shares:  one trainable number for each tensor: the logarithm of its step, the logarithm of the wide
                            distribution's scale in steps, and the log-odds of the narrow one; the first two divided by
                            FAST_STEP and FAST_SCALE, so that an optimizer moves them faster than weights.
    price:                  a variable, so that a callback can change it while the model trains.
    seen:                   the training steps so far.
    """

    METHOD, VERB, PAST = "get_compressible_weights", "compress", "trained for size"

    def __init__(self, layer, price=1e-5, ramp_steps=0, biases=True, seed=0, **kwargs):
        super().__init__(layer, **kwargs)
        self.first_price, self.ramp_steps, self.biases, self.seed = price, ramp_steps, biases, seed
        self.noise = keras.random.SeedGenerator(seed)
        self._scope = None  # a weak reference to the stateless scope of the last call in training

    def all_positions(self, positions):
        """The positions of the weights that count, with those of the biases beside them."""
        if not positions or not self.biases:
            return positions
        chosen, beside = {id(self.layer.weights[k]) for k in positions}, set()
        for layer in every_layer(self.layer):
            own = own_trainable_variables(layer)
            if any(id(weight) in chosen for weight in own):
                beside |= {id(weight) for weight in own if weight.trainable and weight.name == "bias"}
        return [k for k, weight in enumerate(self.layer.weights) if id(weight) in chosen | beside]

    def make_state(self, variables, names):
        """A step and a distribution for each variable, the price, and the count of steps."""
        self.steps, self.scales, self.shares = [], [], []
        for variable, name in zip(variables, names, strict=True):
            values = np.zeros(1) if self._loading else variable.numpy()
            if not np.isfinite(values).all():
                raise CompressionError(f"{name}: some weights are NaN or infinite; train the model anew")
            step = np.log(_first_step(values, variable.name == "bias")) / FAST_STEP
            self.steps.append(self._number(f"{variable.name}_step", step))
            self.scales.append(self._number(f"{variable.name}_scale", 0.5 / FAST_SCALE))
            self.shares.append(self._number(f"{variable.name}_share", 0.0))
        self.price = self._number("price", self.first_price, trainable=False)
        self.seen = self._number("seen", 0.0, trainable=False)

    def _number(self, name, value, trainable=True):
        start = keras.initializers.Constant(value)
        return self.add_weight(
            name=name, shape=(), dtype="float32", autocast=False, trainable=trainable, initializer=start
        )

    def _step(self, index):
        return ops.exp(FAST_STEP * ops.convert_to_tensor(self.steps[index].value))

    def changed(self, variables, training):
        """Each variable's weights as multiples of their step; in training their bits are added to the losses."""
        if training:
            self._count(variables)
        return [self._rounded(index, variable) for index, variable in enumerate(variables)]

    def _count(self, variables):
        """Add the price of the bits to the losses and 1 to the training steps: once a step, however often it is called.

        In a keras.StatelessScope, as on JAX, Keras may forget at each call what the layer has added at the one before.
        """
        scope, counted = current_stateless_scope(), bool(own_losses(self))
        again = counted or (self._scope is not None and self._scope() is scope)
        self._scope = None if scope is None else weakref.ref(scope)
        if not counted:
            price = self.price.value
            if self.ramp_steps:
                price = price * ops.minimum(self.seen.value / self.ramp_steps, 1.0)
            self.add_loss(price * self.bits(variables))
        if not again:
            self.seen.assign(self.seen.value + 1)

    def _rounded(self, index, variable):
        weights, step = ops.convert_to_tensor(variable.value), self._step(index)
        multiples = ops.cast(weights, "float32") / step
        multiples = multiples + ops.stop_gradient(ops.round(multiples) - multiples)
        return ops.cast(multiples * step, weights.dtype)

    def bits(self, variables=None):
        """The bits of all weights under their distributions, a tensor without axes that has a gradient.

        Rounding is replaced by noise from -1/2 to 1/2. A multiple z has the probability of the interval from z - 1/2 to
        z + 1/2 under a mixture of a narrow and a wide logistic distribution around 0.
        """
        total = 0.0
        for index, variable in enumerate(self.changed_variables if variables is None else variables):
            z = ops.cast(variable.value, "float32") / self._step(index)
            z = z + keras.random.uniform(ops.shape(z), -0.5, 0.5, seed=self.noise)
            narrow, wide = NARROW, ops.exp(FAST_SCALE * ops.convert_to_tensor(self.scales[index].value))
            share = ops.sigmoid(ops.convert_to_tensor(self.shares[index].value))
            p = share * _interval(z, narrow) + (1 - share) * _interval(z, wide)
            total = total - ops.sum(ops.log(p + 1e-6)) / _LN2
        return total

    def final_values(self):
        """The weights as multiples of their step: NumPy arrays."""
        return [
            ops.convert_to_numpy(self._rounded(index, variable))
            for index, variable in enumerate(self.changed_variables)
        ]

    def get_config(self):
        """The arguments that make this layer anew."""
        settings = {"price": self.first_price, "ramp_steps": self.ramp_steps, "biases": self.biases, "seed": self.seed}
        return {**super().get_config(), **settings}


def _first_step(values, biases):
    """Half of the standard deviation; at least 0.01 for biases, and 0.01 where all weights are equal."""
    spread = float(np.std(values))
    return max(spread, 0.02) / 2 if biases or not spread else spread / 2


def _interval(z, scale):
    """The probability of the interval from z - 1/2 to z + 1/2 under a logistic distribution around 0."""
    return ops.sigmoid((z + 0.5) / scale) - ops.sigmoid((z - 0.5) / scale)


class CountBytes(keras.callbacks.Callback):
    """Puts "bytes" into the logs of each epoch: what `save_compressed` would write. Keras shows it beside the loss.

    budget:  None; or a number of bytes. Then, once the ramp of penalize_entropy is over, the price goes up after each
             epoch whose file is larger, and down where it is smaller, by the square root of the ratio of both. Give
             epochs enough, for a file shrinks slowly, and see to it that the learning rate has not faded before.
    options: of save_compressed, such as names=False.

    history.history["bytes"] has one number for each epoch, and EarlyStopping or ModelCheckpoint can watch it.
    """

    def __init__(self, budget=None, **options):
        super().__init__()
        if budget is not None and not budget > 0:
            raise CompressionError(f"budget is {budget!r}; give a number of bytes, or None")
        self.budget, self.options = budget, options

    def on_train_begin(self, logs=None):
        """Find the layers whose price may change."""
        self._wrappers = wrappers_in(self.model, EntropyPenalized)
        if not self._wrappers:
            raise CompressionError("CountBytes found no layer that is trained for size: use penalize_entropy")

    def on_epoch_end(self, epoch, logs=None):
        """Count, and change the price where there is a budget."""
        from coursekit.compression.file import arrays_of, file_size

        plain = strip_entropy(self.model, check=False)
        size = file_size(plain, arrays_of(plain), **self.options)
        if logs is not None:
            logs["bytes"] = size
        if self.budget is not None:
            for wrapper in self._wrappers:
                if float(wrapper.seen.numpy()) >= wrapper.ramp_steps:
                    wrapper.price.assign(float(wrapper.price.numpy()) * (size / self.budget) ** 0.5)
