"""Magnitude pruning for Keras 3: small weights become 0, more and more of them while training. Born in notebook 18.

The names and arguments are those of tensorflow-model-optimization; the method is that of Zhu and Gupta (2017), "To
prune, or not to prune". A pruned weight keeps the value it had and gets no gradient, and comes back if, at a later
update, it is among the large ones again.
"""

import keras
import numpy as np

from coursekit.compression.model_copy import check_is_keras_3
from coursekit.compression.sparsity import lamp_scores, polynomial_sparsity
from coursekit.compression.wrapper import WeightWrapper, strip, wrap, wrappers_in
from coursekit.errors import CompressionError

SCORES = {"magnitude": np.abs, "lamp": lamp_scores}  # what makes a weight worth keeping


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


def prune_low_magnitude(to_prune, pruning_schedule=None, layers=None, per_layer=True, score="magnitude"):
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

    Kernels and embeddings are pruned, and what get_prunable_weights() of any other class returns. The model that was
    given is never changed, and what it was compiled with is carried over, as in cluster_weights. Steps are counted
    from 0, so that begin_step=0 prunes before the first batch (tensorflow-model-optimization counts from 1, and with
    begin_step=0 waits for step `frequency`). What cluster_weights says of lists of layers, of a Sequential without an
    Input, of models of a class of their own and of training loops holds here as well.

    Raises CompressionError, a ValueError that names the layer, as cluster_weights does; also for another score, and for
    "lamp" where each tensor is pruned alone.
    """
    if score not in SCORES:
        raise CompressionError(f"score is {score!r}; choose one of {', '.join(SCORES)}")
    if per_layer and score != "magnitude":
        raise CompressionError(f"score={score!r} compares the layers with each other: give per_layer=False as well")
    schedule = ConstantSparsity(0.5, 0) if pruning_schedule is None else pruning_schedule
    if not callable(schedule):
        raise CompressionError(f"pruning_schedule is {schedule!r}; give ConstantSparsity or PolynomialDecay")
    settings = {"pruning_schedule": schedule, "per_layer": bool(per_layer), "score": score}
    things = to_prune if isinstance(to_prune, list | tuple) else [to_prune]
    for thing in things:
        check_is_keras_3(thing)
        if not isinstance(thing, keras.Layer):
            raise CompressionError(f"a Keras model, a layer or a list of layers is needed, and this is {thing!r}")
    several = isinstance(to_prune, list | tuple)
    wrapped = [wrap(thing, layers, PruneLowMagnitude, settings, one_of_several=several) for thing in things]
    return wrapped if several else wrapped[0]


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
    pruning_step:  the steps that have been counted, −1 before the callback has seen the wrapper.
    """

    METHOD, VERB, PAST = "get_prunable_weights", "prune", "pruned"

    def __init__(self, layer, pruning_schedule=None, per_layer=True, score="magnitude", **kwargs):
        super().__init__(layer, **kwargs)
        self.pruning_schedule = ConstantSparsity(0.5, 0) if pruning_schedule is None else pruning_schedule
        self.per_layer, self.score = per_layer, score
        self.has_callback = False

    def make_state(self, variables, names):
        """A mask for each variable, and the count of steps."""
        self.masks = []
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

    def load_own_variables(self, store):
        """Load the masks and the step; a model whose pruning had begun goes on without a word."""
        super().load_own_variables(store)
        self.has_callback = int(_array(self.pruning_step)) >= 0

    def get_config(self):
        """The arguments that make this layer anew."""
        schedule = keras.saving.serialize_keras_object(self.pruning_schedule)
        settings = {"per_layer": self.per_layer, "score": self.score}
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
        """Find the pruned layers, and where their count of steps stands."""
        self._wrappers = wrappers_in(self.model, PruneLowMagnitude)
        if not self._wrappers:
            raise CompressionError("UpdatePruningStep found no pruned layer: make the model by prune_low_magnitude")
        self._step = max(0, *(int(_array(wrapper.pruning_step)) for wrapper in self._wrappers))
        self._decided = self._step - 1  # the last step whose schedule has been asked
        self._first = self._step
        for wrapper in self._wrappers:
            wrapper.has_callback = True

    def on_epoch_begin(self, epoch, logs=None):
        """Batches are numbered from 0 again."""
        self._first = self._step

    def on_train_batch_begin(self, batch, logs=None):
        """Choose anew if a schedule says so at this step, or said so at one that was passed over."""
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

    def on_train_batch_end(self, batch, logs=None):
        """Count: several steps at once where fit makes several steps at once."""
        self._step = self._first + batch + 1

    def on_epoch_end(self, epoch, logs=None):
        """Write the count down, so that a model saved now knows it."""
        self.model  # noqa: B018
        for wrapper in self._wrappers:
            wrapper.pruning_step.assign(self._step)

    def on_train_end(self, logs=None):
        """Write the count down."""
        self.on_epoch_end(None)


def _choose(due):
    """Set the masks of wrappers: [(wrapper, share of the weights to prune)]."""
    together = {}
    for wrapper, share in due:
        for variable, mask in zip(wrapper.changed_variables, wrapper.masks, strict=True):
            key = id(mask) if wrapper.per_layer else (wrapper.score, share)
            scores = SCORES[wrapper.score](_array(variable))
            together.setdefault(key, (share, []))[1].append((scores, mask))
    for share, group in together.values():
        kept = _largest([scores for scores, _ in group], share)
        for (_, mask), chosen in zip(group, kept, strict=True):
            mask.assign(chosen.astype("float32"))


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
