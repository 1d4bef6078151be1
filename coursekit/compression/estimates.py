"""What compression would give, before anything is trained: bytes of the file, and each layer's sensitivity.

    print(compression.estimate_size(model, clusters=16, sparsity=0.8))       # bytes of the file
    print(compression.sensitivity(model, x_test, y_test))                    # a table: each layer alone

Both compress after the fact: the smallest weights of a tensor become 0, the others are replaced by the centroids of the
best clustering (OPTIMAL), and nothing is trained. The model is never changed, since all of it is done to a copy.
Born in notebook 19.
"""

import math
from dataclasses import dataclass, field

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
    kept_states,
    nothing_chosen,
)
from coursekit.compression.pruning import PruneLowMagnitude, Zeros, _input_axis, zeros
from coursekit.compression.wrapper import check_is_plain
from coursekit.console import progress, table
from coursekit.errors import CompressionError

CLUSTERS = (4, 8, 16)
SPARSITIES = (0.5, 0.8)
PRECISIONS = ("float32", "float16")
PRUNING = ("sparsity", "sparsity_m_by_n", "block_size", "block_pooling_type")  # of a setting: the fields of Zeros


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
    model,
    *,
    clusters=None,
    sparsity=0.0,
    sparsity_m_by_n=None,
    block_size=(1, 1),
    block_pooling_type="AVG",
    precision="float32",
    layers=None,
    names=True,
    custom_objects=None,
):
    """Bytes of the file of `save_compressed` for a model pruned and clustered after the fact: a whole number.

    model:      a Keras 3 model, built; it stays as it is
    clusters:   how many values a weight tensor may have, one of them 0 where it is pruned; None for no clustering. A
                tensor with fewer weights stays as it is.
    sparsity:   the share of each tensor's weights that become 0, the smallest, from 0 to below 1; of its blocks, with
                block_size
    sparsity_m_by_n, block_size, block_pooling_type: as of prune_low_magnitude. A pattern needs no sparsity.
    precision:  "float32" or "float16", of codebooks and of all other weights
    layers:     as of cluster_weights; names, custom_objects: as of save_compressed

    The weights themselves are pruned, clustered and coded, so this is no bound: it is to the byte what the file of that
    model takes. It costs about as much as writing the file: some 7 s for a million pruned weights. Two things are left
    out:

    - Training afterwards moves weights from value to value, and the size with them.
    - A file holds the names of the layers. Those of this model are counted, and the copies that the library makes keep
      them; a model that your own code makes again gets other names from Keras (dense_12 instead of dense), and may take
      some bytes more or less for each. With names=False, here and in save_compressed, names take no bytes.

    Raises CompressionError for settings out of range and for what cluster_weights and prune_low_magnitude refuse,
    CompressedFileError for models that save_compressed refuses.
    """
    pruned = zeros(sparsity, sparsity_m_by_n, block_size, block_pooling_type)
    clusters = None if clusters is None else _check_clusters(clusters)
    _check_precision(precision)
    arrays = arrays_in(model)
    if clusters or pruned:
        for tensors in tensors_in(model, arrays, layers, clusters, [pruned]).values():
            for one in tensors:
                arrays[one.place] = one.changed(arrays[one.place], clusters, pruned)
    return file_size(model, arrays, codebook=precision, others=precision, names=names, custom_objects=custom_objects)


@dataclass
class _Tensor:
    """A weight tensor that can be compressed: its place among model.weights, and what can be done: the verbs.

    axis: on which the inputs are; None for embeddings.
    """

    place: int
    dtype: str
    name: str
    axis: int | None
    verbs: set = field(default_factory=set)

    def changed(self, values, clusters, pruned):
        """The values pruned, then clustered, as prune_low_magnitude and cluster_weights would: an array."""
        if pruned and "prune" in self.verbs:
            values = np.where(pruned.kept(values, self.axis), values, np.zeros((), values.dtype))
        if clusters and "cluster" in self.verbs and clusters <= values.size:
            centroids = initial_centroids(
                values, clusters, CentroidInitialization.OPTIMAL, preserve_sparsity=bool(pruned)
            )
            tensors = (ops.convert_to_tensor(one, dtype=self.dtype) for one in (values, centroids))
            nearest_values = ops.convert_to_numpy(nearest(*tensors, keep_zeros=bool(pruned))[0])
            values = np.asarray(nearest_values).astype(values.dtype)
        return values


def arrays_in(model):
    """The weights of a plain, built Keras 3 model as arrays, as of `file.arrays_of`; others are refused."""
    check_is_keras_3(model)
    if not isinstance(model, keras.Model):
        raise CompressionError(f"a Keras model is needed, and this is {model!r}")
    check_is_built(model)
    check_is_plain(model, ())
    return arrays_of(model)


def tensors_in(model, arrays, rule, clusters, pruned):
    """{layer's name: [_Tensor]} of what a rule chooses.

    arrays: the weights. clusters: whether any are clustered. pruned: the `Zeros` that each weight must be able to have.
    """
    places = {id(weight): place for place, weight in enumerate(model.weights)}
    found, by_place = {}, {}
    for wanted, kind in ((any(pruned), PruneLowMagnitude), (clusters, ClusterWeights)):
        for one in chosen_weights(model, rule, method=kind.METHOD, verb=kind.VERB) if wanted else ():
            place = places[id(one.variable)]
            if place not in by_place:
                axis = _input_axis(one.layer, one.variable)
                by_place[place] = _Tensor(place, str(one.variable.dtype), one.name, axis)
                found.setdefault(one.layer.name, []).append(by_place[place])
            by_place[place].verbs.add(kind.VERB)
            for how in pruned if kind is PruneLowMagnitude else ():
                how.check(one)
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
            sparsity, score (with this layer compressed so, all others untouched) and saved (bytes of the file); and
            with sparsity_m_by_n, or block_size and block_pooling_type, where weights go so
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
        lines = [["untouched", "", "", "", f"{self.score:.4g}"]]
        for row in self.rows:
            change = f"{row['score'] - self.score:+.4g}"
            lines.append(
                [row["layer"], f"{row['weights']:,}", *shown(row), f"{row['score']:.4g}", change, f"{row['saved']:,}"]
            )
        return table(heads, lines)


def sensitivity(
    model,
    x,
    y,
    *,
    clusters=CLUSTERS,
    sparsities=SPARSITIES,
    patterns=(),
    block_sizes=((1, 1),),
    block_pooling_type="AVG",
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
    patterns:    sparsity_m_by_n of prune_low_magnitude, several: with [(2, 4)] beside sparsities=[0.5] you see what the
                 pattern costs. block_sizes: block_size, several, of which each is tried with each of the sparsities;
                 (1, 1) are single weights. block_pooling_type: as there.
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

    Raises CompressionError for a model without weights to compress or not built, for settings out of range, for layers
    that can't have a pattern or blocks (choose others with layers), for x and y that are empty or of different length,
    and for a score that is no finite number.
    """
    grid = _grid(clusters, sparsities, patterns, block_sizes, block_pooling_type)
    _check_precision(precision)
    arrays = arrays_in(model)
    ways = list(dict.fromkeys(pruned for _, pruned in grid))
    tensors_of = tensors_in(model, arrays, layers, any(k for k, _ in grid), ways)
    trial = Trial(model, x, y, score, batch_size)
    untouched = trial.score({})
    rows = []
    for name, tensors in progress(tensors_of.items(), "measuring", unit="layer"):
        before = _coded(arrays, {tensor.place: arrays[tensor.place] for tensor in tensors}, precision)
        largest = max(arrays[tensor.place].size for tensor in tensors)
        weights = sum(arrays[tensor.place].size for tensor in tensors)
        for k, pruned in grid:
            if (k or 0) <= largest:
                changes = {one.place: one.changed(arrays[one.place], k, pruned) for one in tensors}
                saved = round(before - _coded(arrays, changes, precision))
                about = {"layer": name, "weights": weights, "clusters": k, "sparsity": pruned.sparsity}
                about |= pruned.structure()
                rows.append(about | {"score": trial.score(changes), "saved": saved})
    return Sensitivity(untouched, rows)


def _grid(clusters, sparsities, patterns, block_sizes, pooling):
    """All pairs (clusters or None, Zeros), without the one that changes nothing."""
    examples = {"clusters": (clusters, "(4, 16)"), "sparsities": (sparsities, "(0.5, 0.8)")}
    examples |= {"patterns": (patterns, "[(2, 4)]"), "block_sizes": (block_sizes, "[(1, 1), (4, 2)]")}
    for name, (given, example) in examples.items():
        if not isinstance(given, list | tuple):
            raise CompressionError(f"{name} is {given!r}; give several in a list, such as {example}")
    numbers = [None, *map(_check_clusters, clusters)]
    ways = [zeros()]
    for share in sparsities:
        ways += [zeros(share, None, size, pooling) for size in block_sizes]
    ways += [zeros(0.0, pattern, (1, 1), pooling) for pattern in patterns]
    pairs = list(dict.fromkeys((number, pruned) for pruned in ways for number in numbers))[1:]
    if not pairs:
        raise CompressionError("no clusters and no sparsities are given: there is nothing to try")
    return pairs


def _coded(arrays, changes, precision):
    """Bytes of some arrays, {place: array}, by themselves."""
    return coded_size(with_changes(arrays, changes), set(changes), codebook=precision, others=precision)


def with_changes(arrays, changes):
    """The arrays with some exchanged: {place: array}."""
    return [changes.get(place, array) for place, array in enumerate(arrays)]


class Trial:
    """A copy of a model that is given other weights for a while, and scored."""

    def __init__(self, model, x, y, score, batch_size):
        self.x, self.y = check_data(x, y)
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


def check_data(x, y):
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


def _check_precision(precision):
    if precision not in PRECISIONS:
        raise CompressionError(f"precision is {precision!r}; choose one of {', '.join(PRECISIONS)}")


def zeros_of(setting):
    """The `Zeros` in a row of a Sensitivity, or in a setting of a Plan."""
    return Zeros(**{name: setting[name] for name in PRUNING if name in setting})


def shown(setting):
    """How weights are pruned, and the number of clusters, as text for a table: a list of two."""
    return [str(zeros_of(setting)), str(setting["clusters"] or "")]
