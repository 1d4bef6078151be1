"""Magnitude pruning for Keras 3: small weights become 0, more and more of them while training. Born in notebook 18.

The names and arguments are those of tensorflow-model-optimization; the method is that of Zhu and Gupta (2017), "To
prune, or not to prune". A pruned weight keeps the value it had and gets no gradient, and comes back if, at a later
update, it is among the large ones again.
"""

from dataclasses import dataclass
from numbers import Integral, Real

import keras
import numpy as np
from keras import layers as kl

from coursekit.compression.model_copy import check_is_keras_3
from coursekit.compression.sparsity import (
    block_magnitudes,
    keep_m_by_n,
    lamp_scores,
    polynomial_sparsity,
    spread_blocks,
)
from coursekit.compression.wrapper import WeightWrapper, strip, wrap, wrap_each, wrappers_in
from coursekit.errors import CompressionError
from coursekit.keras_internals import every_layer, own_trainable_variables

SCORES = {"magnitude": np.abs, "lamp": lamp_scores}  # what makes a weight worth keeping
POOLINGS = ("AVG", "MAX")  # what makes a block worth keeping
_TRANSPOSED = (kl.Conv1DTranspose, kl.Conv2DTranspose, kl.Conv3DTranspose)  # kernels (…, outputs, inputs)


class _Schedule:
    """When weights are pruned, and how many: called with a step, counted from 0, it gives (now or not, sparsity)."""

    def _check(self, sparsities, begin_step, end_step, frequency, endless):
        for name, sparsity in sparsities.items():
            if not 0 <= sparsity < 1:
                raise CompressionError(f"{name} is {sparsity}; give a share of weights, from 0 to below 1")
        if begin_step < 0 or frequency < 1:
            raise CompressionError(
                f"begin_step is {begin_step} and frequency {frequency}; steps count from 0, by 1 or more"
            )
        if not (endless and end_step == -1) and end_step < begin_step:
            raise CompressionError(f"end_step is {end_step}, which is before begin_step, {begin_step}")

    def _is_due(self, step):
        in_time = self.begin_step <= step and (self.end_step == -1 or step <= self.end_step)
        return in_time and (step - self.begin_step) % self.frequency == 0

    @classmethod
    def from_config(cls, config):
        """Make the schedule from its arguments."""
        return cls(**config)


@keras.saving.register_keras_serializable(package="coursekit")
class ConstantSparsity(_Schedule):
    """The same share of weights is pruned from `begin_step` to `end_step`, chosen anew every `frequency` steps.

    target_sparsity:  share of the weights that are 0, from 0 to below 1.
    end_step:         −1 for no end.
    """

    def __init__(self, target_sparsity, begin_step, end_step=-1, frequency=100):
        self._check({"target_sparsity": target_sparsity}, begin_step, end_step, frequency, endless=True)
        self.target_sparsity = target_sparsity
        self.begin_step, self.end_step, self.frequency = begin_step, end_step, frequency

    def __call__(self, step):
        """Whether to choose anew at this step, and the share to prune."""
        return self._is_due(step), self.target_sparsity

    def get_config(self):
        """The arguments that make this schedule anew."""
        names = ("target_sparsity", "begin_step", "end_step", "frequency")
        return {name: getattr(self, name) for name in names}


@keras.saving.register_keras_serializable(package="coursekit")
class PolynomialDecay(_Schedule):
    """The share of pruned weights rises, fast at first, from `initial_sparsity` to `final_sparsity` at `end_step`.

    At step t it is final + (initial − final) · (1 − (t − begin_step) / (end_step − begin_step))^power
    (Zhu and Gupta 2017). The weights are chosen anew every `frequency` steps, and at `end_step` once more. With
    begin_step = end_step, all is pruned at this step.
    """

    def __init__(self, initial_sparsity, final_sparsity, begin_step, end_step, power=3, frequency=100):
        sparsities = {"initial_sparsity": initial_sparsity, "final_sparsity": final_sparsity}
        self._check(sparsities, begin_step, end_step, frequency, endless=False)
        self.initial_sparsity, self.final_sparsity, self.power = initial_sparsity, final_sparsity, power
        self.begin_step, self.end_step, self.frequency = begin_step, end_step, frequency

    def __call__(self, step):
        """Whether to choose anew at this step, and the share to prune."""
        if self.begin_step == self.end_step:
            return step == self.end_step, self.final_sparsity if step >= self.end_step else self.initial_sparsity
        ends = {"initial": self.initial_sparsity, "final": self.final_sparsity}
        sparsity = polynomial_sparsity(step, begin=self.begin_step, end=self.end_step, power=self.power, **ends)
        return self._is_due(step) or step == self.end_step, float(sparsity)

    def get_config(self):
        """The arguments that make this schedule anew."""
        names = ("initial_sparsity", "final_sparsity", "begin_step", "end_step", "power", "frequency")
        return {name: getattr(self, name) for name in names}


def prune_low_magnitude(
    to_prune,
    pruning_schedule=None,
    layers=None,
    per_layer=True,
    score="magnitude",
    sparsity_m_by_n=None,
    block_size=(1, 1),
    block_pooling_type="AVG",
):
    """A copy of a model in which small weights are put to 0 while it trains, with the callback UpdatePruningStep.

    to_prune:          a Keras 3 model, or a layer, or a list of layers, to make a model of.
    pruning_schedule:  ConstantSparsity or PolynomialDecay; half of the weights from the first step on if None.
    layers:            which layers, as in cluster_weights.
    per_layer:         whether each weight tensor loses the same share of its weights. If not, the share is of all of
                       them together, and the smallest go wherever they are; one is left in each tensor.
    score:             by what the weights of different layers are compared where per_layer=False: "magnitude", or
                       "lamp" for the square of a weight over the sum of the squares of all in its tensor that are at
                       least as large (Lee, Park, Mo, Ahn and Shin 2021, "Layer-adaptive sparsity for the
                       magnitude-based pruning"). Within a tensor both give the same order.
    sparsity_m_by_n:   (m, n) for a pattern: of each n consecutive weights along the input axis, m are 0. (2, 4) is the
                       pattern of NVIDIA's sparse tensor cores. See below.
    block_size:        (height, width): blocks of a matrix (inputs, outputs) stay or go as one. See below.
    block_pooling_type:  by what the blocks are compared: "AVG" for the mean of their absolute values, "MAX" for the
                       largest.

    Kernels and embeddings are pruned, and what get_prunable_weights() of any other class returns. The model that was
    given is never changed, and what it was compiled with is carried over, as in cluster_weights. Steps are counted
    from 0, so that begin_step=0 prunes before the first batch (tensorflow-model-optimization counts from 1, and with
    begin_step=0 waits for step `frequency`). What cluster_weights says of lists of layers, of a Sequential without an
    Input, of models of a class of their own and of training loops holds here as well.

    Patterns m:n. Groups begin at the first input, for each output (and place in a convolution's window) by itself. The
    input axis is the second last; in transposed convolutions it is the last, and in EinsumDense, also inside attention,
    the last one that is summed over. Where n doesn't divide the axis, the last group counts as filled up with zeros, so
    that up to n − m weights of it stay: a convolution of three channels loses one of them to (2, 4). The schedule says
    when; at each step that is due, the first one too, the whole pattern is chosen anew (end_step = begin_step chooses
    once). Its final share must be m / n, and None means ConstantSparsity(m / n, 0). The masks are those of
    tensorflow-model-optimization (tfmot), which differs in this: it chooses them at the first batch only, whatever the
    schedule says, and ignores the share; it takes kernels of two and four axes only, and the second last axis of all,
    which in transposed convolutions are the outputs; and it prunes embeddings, which have no inputs to group, along
    the words.

    Blocks begin at the first row and column of the matrix, and are smaller at its ends where the size doesn't divide
    it. The schedule's share is one of blocks; of equal ones the first stay, one at least. Only matrices have blocks:
    leave convolutions out, or prune them in a second call. tfmot differs in this: it keeps all blocks that are as
    large as the last one to stay; where the last blocks lack two rows or columns or more, it measures all blocks at
    other places (tf.nn.pool with "SAME" centers them) than it prunes; it has an error of its own where the blocks form
    one row or one column; and with sparsity_m_by_n it ignores block_size in silence.

    Raises CompressionError, a ValueError that names the layer, as cluster_weights does; also for another score, for
    "lamp" where each tensor is pruned alone, for patterns or blocks with per_layer=False or with each other, for a
    schedule of another share than m / n, and for weights without an input axis or, with blocks, that are no matrix.
    UpdatePruningStep raises it where weights that go by patterns or blocks have become NaN.
    """
    if score not in SCORES:
        raise CompressionError(f"score is {score!r}; choose one of {', '.join(SCORES)}")
    if per_layer and score != "magnitude":
        raise CompressionError(f"score={score!r} compares the layers with each other: give per_layer=False as well")
    structure = _checked_structure(sparsity_m_by_n, block_size, block_pooling_type, per_layer)
    usual = ConstantSparsity(_share_of(structure.get("sparsity_m_by_n", (1, 2))), 0)
    schedule = usual if pruning_schedule is None else pruning_schedule
    if not callable(schedule):
        raise CompressionError(f"pruning_schedule is {schedule!r}; give ConstantSparsity or PolynomialDecay")
    if "sparsity_m_by_n" in structure:
        _check_final_share(schedule, structure["sparsity_m_by_n"])
    settings = {"pruning_schedule": schedule, "per_layer": bool(per_layer), "score": score, **structure}
    things = to_prune if isinstance(to_prune, list | tuple) else [to_prune]
    for thing in things:
        check_is_keras_3(thing)
        if not isinstance(thing, keras.Layer):
            raise CompressionError(f"a Keras model, a layer or a list of layers is needed, and this is {thing!r}")
    several = isinstance(to_prune, list | tuple)
    if several:
        return wrap_each(things, layers, PruneLowMagnitude, settings)
    return wrap(things[0], layers, PruneLowMagnitude, settings)


def _checked_structure(sparsity_m_by_n, block_size, block_pooling_type, per_layer):
    """Those of the arguments for patterns and blocks that are not the usual ones: {name: value}."""
    structure = {}
    if sparsity_m_by_n is not None:
        structure["sparsity_m_by_n"] = _two_numbers("sparsity_m_by_n", sparsity_m_by_n)
        m, n = structure["sparsity_m_by_n"]
        if m >= n:
            raise CompressionError(f"sparsity_m_by_n is ({m}, {n}); m of n weights go, so give m from 1 to below n")
    if block_pooling_type not in POOLINGS:
        raise CompressionError(f"block_pooling_type is {block_pooling_type!r}; choose one of {', '.join(POOLINGS)}")
    size = _two_numbers("block_size", block_size)
    if size != (1, 1):
        structure |= {"block_size": size, "block_pooling_type": block_pooling_type}
    if "sparsity_m_by_n" in structure and "block_size" in structure:
        raise CompressionError("sparsity_m_by_n and block_size are two ways to prune: give one of them")
    if structure and not per_layer:
        raise CompressionError(f"{next(iter(structure))} prunes each tensor by itself: leave out per_layer=False")
    return structure


def _two_numbers(name, value):
    """The value as a tuple of two whole numbers from 1 on, or a refusal."""
    pair = tuple(value) if hasattr(value, "__iter__") else ()
    if len(pair) != 2 or not all(isinstance(one, Integral) and one >= 1 and one is not True for one in pair):
        raise CompressionError(f"{name} is {value!r}; give two whole numbers from 1 on, such as (2, 4)")
    return int(pair[0]), int(pair[1])


def _share_of(m_by_n):
    return m_by_n[0] / m_by_n[1]


def _check_final_share(schedule, m_by_n):
    """Refuse a schedule that ends at another share than the pattern's; of a class of one's own it isn't known."""
    share = _share_of(m_by_n)
    final = getattr(schedule, "target_sparsity", getattr(schedule, "final_sparsity", share))
    if abs(final - share) > 0.005:  # two digits of a third are enough
        raise CompressionError(
            f"the schedule ends at a share of {final}, and sparsity_m_by_n={m_by_n} prunes {share:.3g}: give the "
            "schedule this share, or none"
        )


def _check_structure_fits(name, variable, m_by_n, block_size, axis):
    """Refuse a weight that has no input axis for a pattern, or is no matrix and can't have blocks."""
    if m_by_n is not None and (axis is None or len(variable.shape) < 2):
        raise CompressionError(
            f"{name} has no input axis along which {m_by_n[0]} of {m_by_n[1]} weights could go: leave the layer out "
            "with layers=..."
        )
    if block_size != (1, 1) and len(variable.shape) != 2:
        raise CompressionError(
            f"{name} has the shape {tuple(variable.shape)}, and block_size={block_size} is for matrices: leave the "
            "layer out with layers=..., and prune it without blocks in a second call"
        )


def _input_axis(layer, variable):
    """Which axis of a layer's weight the inputs are on, counted from the front or the end; None for embeddings."""
    owners = [one for one in every_layer(layer) if any(own is variable for own in own_trainable_variables(one))]
    owner = owners[-1] if owners else layer
    if isinstance(owner, kl.Embedding):
        return None
    if isinstance(owner, _TRANSPOSED):
        return -1
    if isinstance(owner, kl.EinsumDense):
        inputs, outputs = owner.equation.split("->")
        summed = [axis for axis, letter in enumerate(inputs.split(",")[1]) if letter not in outputs]
        return summed[-1] if summed else None
    return -2


@dataclass(frozen=True)
class Zeros:
    """How weights of a tensor become 0: which share of them, and the pattern or the blocks in which they go.

    The fields are those of prune_low_magnitude; sparsity is the share, that of blocks where there are some. Made by
    `zeros`, which checks them. False where nothing goes.
    """

    sparsity: float = 0.0
    sparsity_m_by_n: tuple | None = None
    block_size: tuple = (1, 1)
    block_pooling_type: str = "AVG"

    def __bool__(self):
        return self.sparsity > 0

    def structure(self):
        """The arguments of prune_low_magnitude that are not the usual ones: {name: value}."""
        return _checked_structure(self.sparsity_m_by_n, self.block_size, self.block_pooling_type, per_layer=True)

    def check(self, chosen):
        """Refuse a ChosenWeight that can't have the pattern or the blocks."""
        axis = _input_axis(chosen.layer, chosen.variable)
        _check_structure_fits(chosen.name, chosen.variable, self.sparsity_m_by_n, self.block_size, axis)

    def kept(self, weights, axis):
        """Which weights of an array stay, as training would choose them: a mask. axis: that of the inputs."""
        if self.structure():
            return _structured_mask(weights, self, self.sparsity, axis) > 0
        return _largest([np.abs(weights)], self.sparsity)[0]

    def __str__(self):
        if self.sparsity_m_by_n is not None:
            return f"{self.sparsity_m_by_n[0]}:{self.sparsity_m_by_n[1]}"
        blocks = f" of {self.block_size[0]}×{self.block_size[1]}" if self.block_size != (1, 1) else ""
        return f"{self.sparsity:.0%}{blocks}" if self else ""


def zeros(sparsity=0.0, sparsity_m_by_n=None, block_size=(1, 1), block_pooling_type="AVG"):
    """`Zeros` of these arguments, those of prune_low_magnitude, after a look at them.

    sparsity: a share from 0 to below 1. With sparsity_m_by_n it may be left out, since it is m / n.
    Raises CompressionError for values out of range and for those that contradict each other.
    """
    if isinstance(sparsity, bool) or not isinstance(sparsity, Real) or not 0 <= sparsity < 1:
        raise CompressionError(f"sparsity: {sparsity!r} is no share of weights to prune; give one from 0 to below 1")
    structure = _checked_structure(sparsity_m_by_n, block_size, block_pooling_type, per_layer=True)
    if "sparsity_m_by_n" in structure:
        share = _share_of(structure["sparsity_m_by_n"])
        if sparsity and abs(sparsity - share) > 0.005:
            raise CompressionError(
                f"sparsity is {sparsity}, and sparsity_m_by_n={structure['sparsity_m_by_n']} prunes {share:.3g}: "
                "leave out one of them"
            )
        return Zeros(share, **structure)
    if structure and not sparsity:
        raise CompressionError(f"block_size={structure['block_size']} prunes no block at sparsity 0: give a sparsity")
    return Zeros(float(sparsity), **structure)


def strip_pruning(model, check=True):
    """A plain copy of a pruned model: the layers it was made of, each with its pruned weights put to 0.

    check: whether both are run on two random inputs, or on a batch given instead of True, to see that they compute the
           same.

    Compiled like the model. Raises CompressionError for what is no Keras model, and where the two differ.
    """
    check_is_keras_3(model)
    return strip(model, PruneLowMagnitude, check)


def prune_scope():
    """A scope in which keras.models.load_model knows pruned layers; see cluster_scope."""
    return keras.saving.custom_object_scope({"PruneLowMagnitude": PruneLowMagnitude})


@keras.saving.register_keras_serializable(package="coursekit")
class PruneLowMagnitude(WeightWrapper):
    """A layer whose kernels are used with the masked weights put to 0. Made by `prune_low_magnitude`.

    masks:         one variable of ones and zeros for each kernel, set by UpdatePruningStep.
    input_axes:    with sparsity_m_by_n, the axis of each kernel that the inputs are on.
    pruning_step:  the steps that have been counted, −1 before the callback has seen the wrapper.
    """

    METHOD, VERB, PAST = "get_prunable_weights", "prune", "pruned"

    def __init__(
        self,
        layer,
        pruning_schedule=None,
        per_layer=True,
        score="magnitude",
        sparsity_m_by_n=None,
        block_size=(1, 1),
        block_pooling_type="AVG",
        **kwargs,
    ):
        super().__init__(layer, **kwargs)
        self.pruning_schedule = ConstantSparsity(0.5, 0) if pruning_schedule is None else pruning_schedule
        self.per_layer, self.score = per_layer, score
        self.sparsity_m_by_n = None if sparsity_m_by_n is None else tuple(sparsity_m_by_n)
        self.block_size, self.block_pooling_type = tuple(block_size), block_pooling_type
        self.has_callback = False
        self.counted = None  # the steps that a callback has counted and not yet written down

    @property
    def structured(self):
        """Whether weights go by patterns or blocks, and not each for itself."""
        return self.sparsity_m_by_n is not None or self.block_size != (1, 1)

    def make_state(self, variables, names):
        """A mask for each variable, and the count of steps."""
        self.masks = []
        if self.structured:
            self.input_axes = tuple(_input_axis(self.layer, variable) for variable in variables)
            for name, variable, axis in zip(names, variables, self.input_axes, strict=True):
                _check_structure_fits(name, variable, self.sparsity_m_by_n, self.block_size, axis)
        for variable, name in zip(variables, names, strict=True):
            if not self._loading:
                _check_finite(variable, name)
            self.masks.append(
                self.add_weight(
                    name=f"{variable.name}_mask",
                    shape=variable.shape,
                    dtype=variable.dtype,
                    autocast=False,
                    trainable=False,
                    initializer="ones",
                )
            )
        self.pruning_step = self.add_weight(
            name="pruning_step", shape=(), dtype="int32", trainable=False, initializer=keras.initializers.Constant(-1)
        )

    def changed(self, variables, training):
        """Each variable's weights times their mask."""
        if training and not self.has_callback:
            raise CompressionError(
                f"layer {self.name!r} would never be pruned: train with fit(..., callbacks=[UpdatePruningStep()])"
            )
        return [variable.value * mask.value for variable, mask in zip(variables, self.masks, strict=True)]

    def final_values(self):
        """The weights with the masked ones put to 0: NumPy arrays."""
        pairs = zip(self.changed_variables, self.masks, strict=True)
        return [np.where(_array(mask) == 0, 0, _array(variable)) for variable, mask in pairs]

    def write_step(self):
        """Write down the steps that a callback has counted so far."""
        if self.counted is not None:
            self.pruning_step.assign(self.counted)
            self.counted = None

    def save_own_variables(self, store):
        """Save the masks and the step, in the midst of an epoch as well."""
        self.write_step()
        super().save_own_variables(store)

    def load_own_variables(self, store):
        """Load the masks and the step; a model whose pruning had begun goes on without a word."""
        super().load_own_variables(store)
        self.counted = None
        self.has_callback = int(_array(self.pruning_step)) >= 0

    def get_config(self):
        """The arguments that make this layer anew."""
        schedule = keras.saving.serialize_keras_object(self.pruning_schedule)
        settings = {"per_layer": self.per_layer, "score": self.score}
        if self.sparsity_m_by_n is not None:  # written only where it is used, as older versions don't know it
            settings["sparsity_m_by_n"] = list(self.sparsity_m_by_n)
        if self.block_size != (1, 1):
            settings |= {"block_size": list(self.block_size), "block_pooling_type": self.block_pooling_type}
        return {**super().get_config(), "pruning_schedule": schedule, **settings}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Make the schedule and the layer inside anew."""
        schedule = keras.saving.deserialize_keras_object(config["pruning_schedule"], custom_objects=custom_objects)
        return super().from_config({**config, "pruning_schedule": schedule}, custom_objects)


class UpdatePruningStep(keras.callbacks.Callback):
    """Counts the steps of training and, when the schedule says so, chooses the weights to prune anew.

    Needed in fit wherever a model with pruned layers is trained. A model that was saved half-way goes on counting.
    In a training loop of one's own call set_model(model), on_train_begin(), on_train_batch_begin(batch) and
    on_train_batch_end(batch) for each batch, and on_train_end().
    """

    def on_train_begin(self, logs=None):
        """Find the pruned layers."""
        self._wrappers = wrappers_in(self.model, PruneLowMagnitude)
        if not self._wrappers:
            raise CompressionError("UpdatePruningStep found no pruned layer: make the model by prune_low_magnitude")
        self._step = None

    def _find_step(self):
        """Find where the count of steps stands, once all callbacks have begun: one of them may load an older state."""
        for wrapper in self._wrappers:
            wrapper.write_step()  # counted in training that was stopped by hand
            wrapper.has_callback = True
        self._step = max(0, *(int(_array(wrapper.pruning_step)) for wrapper in self._wrappers))
        self._decided = self._step - 1  # the last step whose schedule has been asked

    def on_epoch_begin(self, epoch, logs=None):
        """Batches are numbered from 0 again."""
        if self._step is None:
            self._find_step()
        self._first = self._step

    def on_train_batch_begin(self, batch, logs=None):
        """Choose anew if a schedule says so at this step, or said so at one that was passed over."""
        if self._step is None:
            self.on_epoch_begin(None)
        now = self._first + batch
        due = []
        for wrapper in self._wrappers:
            asked = [wrapper.pruning_schedule(step) for step in range(self._decided + 1, now + 1)]
            shares = [share for is_due, share in asked if is_due]
            due += [(wrapper, shares[-1])] if shares else []
        self._decided = now
        if due:
            self.model  # noqa: B018  on JAX, asking for the model brings its variables up to date
            _choose(due)
        self._count(now + 1)  # a callback that saves the model after this batch may come before this one

    def on_train_batch_end(self, batch, logs=None):
        """Count: several steps at once where fit makes several steps at once."""
        self._count(self._first + batch + 1)
        if batch + 1 == (self.params or {}).get("steps"):
            self.on_epoch_end(None)  # before other callbacks' on_epoch_end: EarlyStopping keeps the weights there

    def _count(self, step):
        self._step = step
        for wrapper in self._wrappers:
            wrapper.counted = step

    def on_epoch_end(self, epoch, logs=None):
        """Write the count down, so that a model saved now knows it."""
        self.model  # noqa: B018
        for wrapper in self._wrappers:
            wrapper.write_step()

    def on_train_end(self, logs=None):
        """Write the count down."""
        self.on_epoch_end(None)


def _choose(due):
    """Set the masks of wrappers: [(wrapper, share of the weights to prune)]."""
    together = {}
    for wrapper, share in due:
        if wrapper.structured:
            _choose_structured(wrapper, share)
            continue
        for variable, mask in zip(wrapper.changed_variables, wrapper.masks, strict=True):
            key = id(mask) if wrapper.per_layer else (wrapper.score, share)
            scores = SCORES[wrapper.score](_array(variable))
            together.setdefault(key, (share, []))[1].append((scores, mask))
    for share, group in together.values():
        kept = _largest([scores for scores, _ in group], share)
        for (_, mask), chosen in zip(group, kept, strict=True):
            mask.assign(chosen.astype("float32"))


def _choose_structured(wrapper, share):
    """Set the masks of a wrapper whose weights go by a pattern, or in blocks, of which a share goes."""
    for variable, mask, axis in zip(wrapper.changed_variables, wrapper.masks, wrapper.input_axes, strict=True):
        try:
            chosen = _structured_mask(_array(variable), wrapper, share, axis)
        except ValueError as error:  # there is NaN
            raise CompressionError(f"layer {wrapper.name!r}: {error}") from None
        mask.assign(chosen.astype("float32"))


def _structured_mask(weights, wrapper, share, axis):
    """What of a wrapper's weights stays: ones and zeros shaped like them."""
    if wrapper.sparsity_m_by_n is not None:
        return keep_m_by_n(weights, wrapper.sparsity_m_by_n, axis)
    (kept,) = _largest([block_magnitudes(weights, wrapper.block_size, wrapper.block_pooling_type)], share)
    return spread_blocks(kept, wrapper.block_size, weights.shape)


def _largest(arrays, share):
    """For each array which of its numbers are among the largest 1 − share of all; of equal ones, the first.

    At least one is kept in each array, as a layer of nothing but zeros computes nothing.
    """
    everything = np.concatenate([array.ravel() for array in arrays])
    count = max(round(everything.size * (1 - share)), 1)
    least = np.partition(everything, everything.size - count)[everything.size - count]
    kept = everything > least
    kept[np.flatnonzero(everything == least)[: count - kept.sum()]] = True
    parts = np.split(kept, np.cumsum([array.size for array in arrays])[:-1])
    for array, part in zip(arrays, parts, strict=True):
        part[array.argmax()] = True
    return [part.reshape(array.shape) for array, part in zip(arrays, parts, strict=True)]


def _check_finite(variable, name):
    if not np.isfinite(_array(variable)).all():
        raise CompressionError(f"{name}: some weights are NaN or infinite; train the model anew")


def _array(variable):
    return np.array(variable.numpy())
