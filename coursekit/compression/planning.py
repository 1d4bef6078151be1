"""What compression would give, before anything is trained: sizes, each layer's sensitivity, settings for a budget.

    print(compression.estimate_size(model, clusters=16, sparsity=0.8))       # bytes of the file
    print(compression.sensitivity(model, x_test, y_test))                    # a table: each layer alone
    planned = compression.plan(model, x_test, y_test, budget=20_000)         # settings for each layer
    small = planned.apply(model)                                             # compressed so, and not trained

All three compress after the fact: the smallest weights of a tensor become 0, the others are replaced by the centroids
of the best clustering (OPTIMAL), and nothing is trained. The model is never changed, since all of it is done to a copy.
To train, hand a plan to the functions that wrap; each call takes the layers of one setting:

    for arguments in planned.pruning():
        model = compression.prune_low_magnitude(model, **arguments)          # then fit, then strip_pruning
    for arguments in planned.clustering():
        model = compression.cluster_weights(model, **arguments)              # then fit, then strip_clustering

Born in notebook 19.
"""

import math
from dataclasses import dataclass, field
from numbers import Real

import keras
import numpy as np
from keras import ops

from coursekit.compression.assignment import nearest
from coursekit.compression.centroids import CentroidInitialization, initial_centroids
from coursekit.compression.clustering import ClusterWeights, strip_clustering
from coursekit.compression.file import arrays_of, coded_size, file_size
from coursekit.compression.model_copy import (
    check_is_built,
    check_is_keras_3,
    chosen_weights,
    compile_like,
    kept_states,
    nothing_chosen,
)
from coursekit.compression.pruning import ConstantSparsity, PruneLowMagnitude, _largest
from coursekit.compression.wrapper import check_is_plain
from coursekit.console import progress, table
from coursekit.errors import CompressionError

CLUSTERS = (4, 8, 16)
SPARSITIES = (0.5, 0.8)
PRECISIONS = ("float32", "float16")


# --- scores -----------------------------------------------------------------------------------------------------------
def accuracy(y, predictions):
    """The share of right answers, from 0 to 1.

    y:            true classes, whole numbers (n,), or (n, length) where each position has a class; or one-hot, shaped
                  like the predictions
    predictions:  scores (n, classes) or (n, length, classes), of which the largest counts; of a single one, (n, 1),
                  class 1 counts above 0.5

    Raises CompressionError for other shapes, for several outputs, and for targets that are no classes.
    """
    if isinstance(y, list | tuple | dict) or isinstance(predictions, list | tuple | dict):
        raise CompressionError("accuracy compares one output with one array: give score=, a function of (y, outputs)")
    y = np.asarray(y)
    if y.dtype.kind not in "biuf" or np.any(y != np.round(y + 0.0)):
        raise CompressionError("accuracy needs classes as whole numbers: give score=, a function of (y, outputs)")
    scores = np.asarray(predictions, dtype=float)
    scores = scores.reshape(-1, 1) if scores.ndim < 2 else scores
    several = scores.shape[-1] > 1
    answers = scores.argmax(axis=-1) if several else scores[..., 0] > 0.5
    if y.shape == scores.shape:
        y = y.argmax(axis=-1) if several else y[..., 0]
    y = y[..., 0] if y.shape == (*answers.shape, 1) else y
    if y.shape != answers.shape:
        raise CompressionError(
            f"accuracy can't compare targets {y.shape} with outputs {scores.shape}: give score=, of (y, outputs)"
        )
    return float(np.mean(answers == y))


# --- sizes ------------------------------------------------------------------------------------------------------------
def estimate_size(
    model, *, clusters=None, sparsity=0.0, precision="float32", layers=None, names=True, custom_objects=None
):
    """Bytes of the file of `save_compressed` for a model pruned and clustered after the fact: a whole number.

    model:      a Keras 3 model, built; it stays as it is
    clusters:   how many values a weight tensor may have, one of them 0 where it is pruned; None for no clustering. A
                tensor with fewer weights stays as it is.
    sparsity:   the share of each tensor's weights that become 0, the smallest, from 0 to below 1
    precision:  "float32" or "float16", of codebooks and of all other weights
    layers:     as of cluster_weights; names, custom_objects: as of save_compressed

    The weights themselves are pruned, clustered and coded, so this is no bound: it is to the byte what the file of that
    model takes. It costs about as much as writing the file: some 7 s for a million pruned weights. Two things are left
    out:

    - Training afterwards moves weights from value to value, and the size with them.
    - A file holds the names of the layers. Those of this model are counted, and the copies that the library makes keep
      them; a model that your own code makes again gets other names from Keras (dense_12 instead of dense), and may take
      some bytes more or less for each. With names=False, here and in save_compressed, names take no bytes.

    Raises CompressionError for settings out of range and for models that cluster_weights refuses, CompressedFileError
    for those that save_compressed refuses.
    """
    sparsity, clusters = _check_sparsity(sparsity), None if clusters is None else _check_clusters(clusters)
    _check_precision(precision)
    arrays = _arrays(model)
    if clusters or sparsity:
        for tensors in _tensors(model, arrays, layers, clusters, sparsity).values():
            for one in tensors:
                arrays[one.place] = one.changed(arrays[one.place], clusters, sparsity)
    return file_size(model, arrays, codebook=precision, others=precision, names=names, custom_objects=custom_objects)


@dataclass
class _Tensor:
    """A weight tensor that can be compressed: its place among model.weights, and what can be done: the verbs."""

    place: int
    dtype: str
    name: str
    verbs: set = field(default_factory=set)

    def changed(self, values, clusters, sparsity):
        """The values pruned, then clustered, as prune_low_magnitude and cluster_weights would: an array."""
        if sparsity and "prune" in self.verbs:
            values = np.where(_largest([np.abs(values)], sparsity)[0], values, np.zeros((), values.dtype))
        if clusters and "cluster" in self.verbs and clusters <= values.size:
            centroids = initial_centroids(
                values, clusters, CentroidInitialization.OPTIMAL, preserve_sparsity=sparsity > 0
            )
            tensors = (ops.convert_to_tensor(one, dtype=self.dtype) for one in (values, centroids))
            nearest_values = ops.convert_to_numpy(nearest(*tensors, keep_zeros=sparsity > 0)[0])
            values = np.asarray(nearest_values).astype(values.dtype)
        return values


def _arrays(model):
    check_is_keras_3(model)
    if not isinstance(model, keras.Model):
        raise CompressionError(f"a Keras model is needed, and this is {model!r}")
    check_is_built(model)
    check_is_plain(model, ())
    return arrays_of(model)


def _tensors(model, arrays, rule, clusters, sparsity):
    """{layer's name: [_Tensor]} of what a rule chooses. arrays: the weights; clusters, sparsity: whether any is set."""
    places = {id(weight): place for place, weight in enumerate(model.weights)}
    found, by_place = {}, {}
    for wanted, kind in ((sparsity, PruneLowMagnitude), (clusters, ClusterWeights)):
        for one in chosen_weights(model, rule, method=kind.METHOD, verb=kind.VERB) if wanted else ():
            place = places[id(one.variable)]
            if place not in by_place:
                by_place[place] = _Tensor(place, str(one.variable.dtype), one.name)
                found.setdefault(one.layer.name, []).append(by_place[place])
            by_place[place].verbs.add(kind.VERB)
    if not found:
        raise nothing_chosen(model, "compress")
    for place, tensor in by_place.items():
        if not np.isfinite(arrays[place].astype("float32")).all():
            raise CompressionError(f"{tensor.name}: some weights are NaN or infinite; train the model anew")
    return found


# --- one layer at a time ----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Sensitivity:
    """A row for each layer and setting; `print(measured)` shows them as a table, and iterating gives them.

    score:  of the untouched model
    rows:   dictionaries with layer (its name), weights (how many can be compressed), clusters (None for none),
            sparsity, score (with this layer compressed so, all others untouched) and saved (bytes of the file)
    """

    score: float
    rows: list

    def __iter__(self):
        return iter(self.rows)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, layer):
        """The rows of a layer, by its name."""
        rows = [row for row in self.rows if row["layer"] == layer]
        if not rows:
            raise KeyError(f"no layer {layer!r} was measured; there are {', '.join(self.layers)}")
        return rows

    @property
    def layers(self):
        """The names of the layers, in the order of the model."""
        return list(dict.fromkeys(row["layer"] for row in self.rows))

    def loss(self, row):
        """How much lower the score is with a row's setting than untouched, 0 where it isn't lower."""
        return max(self.score - row["score"], 0.0)

    def __str__(self):
        heads = ["layer", "weights", "sparsity", "clusters", "score", "change", "bytes saved"]
        shown = [["untouched", "", "", "", f"{self.score:.4g}"]]
        for row in self.rows:
            change = f"{row['score'] - self.score:+.4g}"
            setting = _shown(row["clusters"], row["sparsity"])
            shown.append(
                [row["layer"], f"{row['weights']:,}", *setting, f"{row['score']:.4g}", change, f"{row['saved']:,}"]
            )
        return table(heads, shown)


def sensitivity(
    model,
    x,
    y,
    *,
    clusters=CLUSTERS,
    sparsities=SPARSITIES,
    score=accuracy,
    layers=None,
    precision="float32",
    batch_size=256,
):
    """How the score falls when one layer alone is compressed after the fact, all others untouched: a `Sensitivity`.

    model:       a Keras 3 model, built and trained; it stays as it is, since a copy of it is compressed
    x, y:        (n, ...) inputs, and (n, ...) targets that are handed to the score; lists or dictionaries of arrays for
                 several inputs or outputs. Data that the final test doesn't use.
    clusters:    numbers of values a tensor; sparsities: shares of its weights that become 0. Each is tried alone, and
                 each of the one with each of the other: 11 settings a layer if nothing else is given.
    score:       a function of (y, outputs of model.predict) that returns a number, higher for better
    layers:      which layers, as in cluster_weights; those inside attention and recurrent layers count as one with
                 them, and so do layers of the same name, in two models inside this one
    precision:   of the file in which bytes are counted, as in `estimate_size`
    batch_size:  of model.predict

    Numbers of clusters above a layer's number of weights are left out. Bytes saved are those of the layer's tensors
    coded by themselves, rounded; tensors of a file also learn from those before them, so the sum over several layers is
    near the truth, and not equal to it. Time: a prediction and a coding of the layer for each row.

    Each layer pruned alone to see how sensitive it is: Han, Pool, Tran and Dally (2015), "Learning both weights and
    connections for efficient neural networks", section 3; clusters and the bytes are added here.

    Raises CompressionError for a model without weights to compress or not built, for settings out of range, for x and y
    that are empty or of different length, and for a score that is no finite number.
    """
    grid = _grid(clusters, sparsities)
    _check_precision(precision)
    arrays = _arrays(model)
    tensors_of = _tensors(model, arrays, layers, any(k for k, _ in grid), any(share for _, share in grid))
    trial = _Trial(model, x, y, score, batch_size)
    untouched = trial.score({})
    rows = []
    for name, tensors in progress(tensors_of.items(), "measuring", unit="layer"):
        before = _coded(arrays, {tensor.place: arrays[tensor.place] for tensor in tensors}, precision)
        largest = max(arrays[tensor.place].size for tensor in tensors)
        weights = sum(arrays[tensor.place].size for tensor in tensors)
        for k, share in grid:
            if (k or 0) <= largest:
                changes = {one.place: one.changed(arrays[one.place], k, share) for one in tensors}
                saved = round(before - _coded(arrays, changes, precision))
                about = {"layer": name, "weights": weights, "clusters": k, "sparsity": share}
                rows.append(about | {"score": trial.score(changes), "saved": saved})
    return Sensitivity(untouched, rows)


def _grid(clusters, sparsities):
    """All pairs (clusters or None, sparsity), without the one that changes nothing."""
    for name, given, example in (("clusters", clusters, "(4, 16)"), ("sparsities", sparsities, "(0.5, 0.8)")):
        if not isinstance(given, list | tuple):
            raise CompressionError(f"{name} is {given!r}; give several in a list, such as {example}")
    numbers = [None, *map(_check_clusters, clusters)]
    shares = [0.0, *map(_check_sparsity, sparsities)]
    pairs = list(dict.fromkeys((number, share) for share in shares for number in numbers))[1:]
    if not pairs:
        raise CompressionError("no clusters and no sparsities are given: there is nothing to try")
    return pairs


def _coded(arrays, changes, precision):
    """Bytes of some arrays, {place: array}, by themselves."""
    return coded_size(_with(arrays, changes), set(changes), codebook=precision, others=precision)


def _with(arrays, changes):
    """The arrays with some exchanged: {place: array}."""
    return [changes.get(place, array) for place, array in enumerate(arrays)]


class _Trial:
    """A copy of a model that is given other weights for a while, and scored."""

    def __init__(self, model, x, y, score, batch_size):
        self.x, self.y = _check_data(x, y)
        self.function, self.batch_size = score, batch_size
        self.model = strip_clustering(model, check=False)  # a plain copy, since nothing in it is clustered
        self.own = arrays_of(self.model)
        self.states = [(state, np.array(ops.convert_to_numpy(state))) for _, state in kept_states(self.model)]

    def score(self, changes):
        """The score with some of the weights changed: {place among the weights: array}."""
        for place, values in changes.items():
            self.model.weights[place].assign(values)
        for state, value in self.states:  # of recurrent layers, each time the same
            state.assign(value)
        outputs = self.model.predict(self.x, batch_size=self.batch_size, verbose=0)
        for place in changes:
            self.model.weights[place].assign(self.own[place])
        return _as_number(self.function(self.y, outputs))


def _as_number(value):
    try:
        number = float(ops.convert_to_numpy(value).item() if ops.is_tensor(value) else np.asarray(value).item())
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise CompressionError(f"the score function returned {value!r}; it should return a finite number")
    return number


def _check_data(x, y):
    """Inputs and targets as arrays, after a look at their lengths."""
    x, y = _as_arrays(x, "x"), _as_arrays(y, "y")
    lengths = [sorted({len(array) for array in _parts(data)}) for data in (x, y)]
    if lengths[0] != lengths[1] or len(lengths[0]) != 1:
        said = [" and ".join(f"{n:,}" for n in ns) or "no" for ns in lengths]
        raise CompressionError(f"x has {said[0]} rows and y has {said[1]}; give as many")
    if lengths[0] == [0]:
        raise CompressionError("x and y have no rows; give some data to score the model on")
    return x, y


def _as_arrays(data, name):
    parts = _parts(data) if isinstance(data, dict | list | tuple) else []
    several = len(parts) > 0 and all(len(getattr(one, "shape", ())) for one in parts)
    data = data if several or hasattr(data, "shape") else np.asarray(data)
    if any(not len(one.shape) for one in _parts(data)):
        raise CompressionError(f"{name} is no array with a row for each example, nor a list or dictionary of these")
    return data


def _parts(data):
    if isinstance(data, dict):
        return list(data.values())
    return data if isinstance(data, list | tuple) else [data]


def _check_clusters(number):
    if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 2:
        raise CompressionError(f"clusters: {number!r} is no number of values; give a whole number of 2 or more")
    return int(number)


def _check_sparsity(share):
    if isinstance(share, bool) or not isinstance(share, Real) or not 0 <= share < 1:
        raise CompressionError(f"sparsity: {share!r} is no share of weights to prune; give one from 0 to below 1")
    return float(share)


def _check_precision(precision):
    if precision not in PRECISIONS:
        raise CompressionError(f"precision is {precision!r}; choose one of {', '.join(PRECISIONS)}")


def _shown(clusters, sparsity):
    return [f"{sparsity:.0%}" if sparsity else "", f"{clusters}" if clusters else ""]


# --- settings for a budget --------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Plan:
    """Settings for each layer, as `plan` found them; `print(planned)` shows them as a table.

    settings:  {layer's name: {"clusters": a number or None, "sparsity": a share}}; other layers stay as they are
    size:      bytes of the file after the fact, to the byte
    score:     with all settings together, after the fact
    budget, untouched_size, untouched_score: what was asked for, and what the model has without them
    measured:  the `Sensitivity` that the choice was made by
    """

    settings: dict
    size: int
    score: float
    budget: float
    untouched_size: int
    untouched_score: float
    measured: Sensitivity = field(repr=False)

    def pruning(self):
        """Keyword arguments for prune_low_magnitude, a dictionary for each call: pruning_schedule and layers.

        The schedule is constant from step 0 on; put a PolynomialDecay in its place to prune little by little.
        """
        calls = _grouped((one["sparsity"], name) for name, one in self.settings.items() if one["sparsity"])
        return [
            {"pruning_schedule": ConstantSparsity(share, 0), "layers": _Named(names)} for share, names in calls.items()
        ]

    def clustering(self):
        """Keyword arguments for cluster_weights, a dictionary for each call."""
        calls = _grouped(
            ((one["clusters"], one["sparsity"] > 0), name) for name, one in self.settings.items() if one["clusters"]
        )
        return [
            {
                "number_of_clusters": number,
                "cluster_centroids_init": "OPTIMAL",
                "preserve_sparsity": sparse,
                "layers": _Named(names),
            }
            for (number, sparse), names in calls.items()
        ]

    def apply(self, model):
        """A copy of the model, compressed after the fact by these settings and compiled alike; nothing is trained."""
        arrays = _arrays(model)
        copy = strip_clustering(model, check=False)
        for place, values in _changes(model, arrays, self.settings).items():
            copy.weights[place].assign(values)
        compile_like(copy, model)
        return copy

    def __str__(self):
        rows = [[name, *_shown(one["clusters"], one["sparsity"])] for name, one in self.settings.items()]
        sizes = f"{self.size:,} bytes of {self.budget:,}, untouched {self.untouched_size:,}"
        return "\n".join(
            [
                f"{sizes}; score {self.score:.4g}, untouched {self.untouched_score:.4g}",
                table(["layer", "sparsity", "clusters"], rows),
            ]
        )


def plan(
    model,
    x,
    y,
    *,
    budget,
    clusters=CLUSTERS,
    sparsities=SPARSITIES,
    score=accuracy,
    layers=None,
    precision="float32",
    batch_size=256,
    names=True,
    custom_objects=None,
    measured=None,
):
    """Settings for each layer that meet a budget of bytes at a small loss of score, after the fact: a `Plan`.

    budget:          bytes of the whole file of `save_compressed`
    measured:        a `Sensitivity` of this model and this data, where several budgets are tried; clusters, sparsities
                     and layers then count no more. Measured first if None.
    names, custom_objects: as of save_compressed; all other arguments are those of `sensitivity`

    The choice is greedy: again and again the step is taken that loses the least score for each byte it saves, until the
    budget is met; then layers get milder settings back where the room allows it, those that lost most first. The size
    is that of `estimate_size`, so the budget is truly met by the model that `apply` gives.

    Its limit: layers are measured alone, and their losses are taken to add up. They may not, so look at the plan's
    score, which is measured with all settings together; nor does a greedy choice always find the best one. Training
    afterwards usually gives back most of the loss, and changes the size by some percent: leave room for it.

    Raises what `sensitivity` and `estimate_size` raise, and CompressionError for a budget that isn't positive, or that
    is smaller than the smallest size that was found, which it names.
    """
    if isinstance(budget, bool) or not isinstance(budget, Real) or not 0 < budget < math.inf:
        raise CompressionError(f"budget is {budget!r}; give a positive number of bytes")
    how = {"names": names, "custom_objects": custom_objects}
    untouched = estimate_size(model, precision=precision, **how)
    if measured is None:
        measured = sensitivity(
            model,
            x,
            y,
            clusters=clusters,
            sparsities=sparsities,
            score=score,
            layers=layers,
            precision=precision,
            batch_size=batch_size,
        )
    arrays = _arrays(model)

    def size_of(chosen):
        changed = _with(arrays, _changes(model, arrays, _settings(chosen)))
        return file_size(model, changed, codebook=precision, others=precision, **how)

    chosen, size = _within(budget, untouched, measured, size_of)
    settings = _settings({name: chosen[name] for name in measured.layers if name in chosen})
    together = _Trial(model, x, y, score, batch_size).score(_changes(model, arrays, settings))
    return Plan(settings, size, together, budget, untouched, measured.score, measured)


def _within(budget, untouched, measured, size_of):
    """({layer: row}, bytes) within the budget. size_of: a function of {layer: row} that gives the true bytes."""
    chosen, size = {}, untouched
    smallest = untouched
    while size > budget:
        chosen = _choose(measured, _saved(chosen) + size - budget)  # what is missing by the true size, too
        if chosen is None:
            break
        size = size_of(chosen)
        smallest = min(smallest, size)
    if chosen is None:
        chosen = {row["layer"]: row for row in sorted(measured, key=lambda row: row["saved"]) if row["saved"] > 0}
        size = size_of(chosen)
        smallest = min(smallest, size)
    if size > budget:
        raise CompressionError(
            f"no settings that were tried meet a budget of {budget:,} bytes: the smallest size found is {smallest:,}; "
            "give a larger budget, fewer clusters or higher sparsities"
        )
    return chosen, size


def _choose(measured, wanted):
    """{layer: row} that save at least so many bytes at a small loss, by what was measured; None if that can't be.

    Before each greedy step the one that would lose least of those that end the search is noted as well: the cheapest
    byte may be one of many more than are wanted.
    """
    chosen, found = {}, []
    while _saved(chosen) < wanted:
        steps = [_step(measured, chosen, row) for row in measured]
        steps = [step for step in steps if step["saves"] > 0]
        if not steps:
            break
        last = [step for step in steps if _saved(chosen) + step["saves"] >= wanted]
        if last:
            found.append(chosen | _least(last, lambda step: (step["loses"], -step["saves"])))
        chosen = chosen | _least(steps, lambda step: (step["loses"] / step["saves"], -step["saves"]))
    if _saved(chosen) >= wanted:
        found.append(chosen)
    milder = [_milder(measured, one, _saved(one) - wanted) for one in found]
    return min(milder, key=lambda one: sum(measured.loss(row) for row in one.values()), default=None)


def _step(measured, chosen, row):
    """What choosing this row for its layer would save and lose more than what is chosen for it now."""
    now = chosen.get(row["layer"], {"score": measured.score, "saved": 0})
    loses = max(measured.loss(row) - measured.loss(now), 0.0)
    return {"row": row, "saves": row["saved"] - now["saved"], "loses": loses}


def _least(steps, key):
    row = min(steps, key=key)["row"]
    return {row["layer"]: row}


def _milder(measured, chosen, room):
    """The same with settings that lose less where so many bytes of room allow it, the greatest loss first."""
    milder = dict(chosen)
    for layer in sorted(chosen, key=lambda layer: -measured.loss(chosen[layer])):
        now = chosen[layer]
        untouched = {"score": measured.score, "saved": 0}
        fit = [row for row in [untouched, *measured[layer]] if now["saved"] - row["saved"] <= room]
        best = min(fit, key=lambda row: (measured.loss(row), -row["saved"]))
        if measured.loss(best) < measured.loss(now):
            room -= now["saved"] - best["saved"]
            milder[layer] = best
    return {layer: row for layer, row in milder.items() if row["saved"]}


def _saved(chosen):
    return sum(row["saved"] for row in chosen.values())


def _settings(chosen):
    return {name: {"clusters": row["clusters"], "sparsity": row["sparsity"]} for name, row in chosen.items()}


def _changes(model, arrays, settings):
    """{place among the weights: array} with each layer compressed by its setting."""
    changes = {}
    for name, one in settings.items():
        for tensor in _tensors(model, arrays, _Named([name]), one["clusters"], one["sparsity"])[name]:
            changes[tensor.place] = tensor.changed(arrays[tensor.place], one["clusters"], one["sparsity"])
    return changes


class _Named:
    """A rule that chooses the layers of these names, and not what else is inside a model of such a name."""

    def __init__(self, names):
        self.names = names

    def __call__(self, layer):
        return layer.name in self.names

    def __repr__(self):
        return f"layers named {', '.join(self.names)}"


def _grouped(pairs):
    """{key: [names]} of (key, name)."""
    groups = {}
    for key, name in pairs:
        groups.setdefault(key, []).append(name)
    return groups
