"""Settings for each layer that meet a budget of bytes at a small loss of score, before anything is trained.

    planned = compression.plan(model, x_test, y_test, budget=20_000)         # settings for each layer
    small = planned.apply(model)                                             # compressed so, and not trained

The settings are chosen by what `estimates.sensitivity` has measured, and compress after the fact. To train, hand a plan
to the functions that wrap; each call takes the layers of one setting:

    for arguments in planned.pruning():
        model = compression.prune_low_magnitude(model, **arguments)          # then fit, then strip_pruning
    for arguments in planned.clustering():
        model = compression.cluster_weights(model, **arguments)              # then fit, then strip_clustering

Born in notebook 19.
"""

import math
from dataclasses import dataclass, field
from numbers import Real

from coursekit.compression.clustering import strip_clustering
from coursekit.compression.estimates import (
    CLUSTERS,
    PRUNING,
    SPARSITIES,
    Sensitivity,
    Trial,
    accuracy,
    arrays_in,
    estimate_size,
    sensitivity,
    shown,
    tensors_in,
    with_changes,
    zeros_of,
)
from coursekit.compression.file import file_size
from coursekit.compression.model_copy import compile_like
from coursekit.compression.pruning import ConstantSparsity
from coursekit.console import table
from coursekit.errors import CompressionError


@dataclass(frozen=True)
class Plan:
    """Settings for each layer, as `plan` found them; `print(planned)` shows them as a table.

    settings:  {layer's name: {"clusters": a number or None, "sparsity": a share}}, with sparsity_m_by_n or block_size
               and block_pooling_type where weights go so; other layers stay as they are
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

        The schedule is constant from step 0 on; put a PolynomialDecay in its place to prune little by little. Patterns
        and blocks come as sparsity_m_by_n, block_size and block_pooling_type.
        """
        ways = ((zeros_of(one), name) for name, one in self.settings.items())
        calls = _grouped((pruned, name) for pruned, name in ways if pruned)
        return [
            {"pruning_schedule": ConstantSparsity(pruned.sparsity, 0), "layers": _Named(names), **pruned.structure()}
            for pruned, names in calls.items()
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
        arrays = arrays_in(model)
        copy = strip_clustering(model, check=False)
        for place, values in _changes(model, arrays, self.settings).items():
            copy.weights[place].assign(values)
        compile_like(copy, model)
        return copy

    def __str__(self):
        rows = [[name, *shown(one)] for name, one in self.settings.items()]
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
    patterns=(),
    block_sizes=((1, 1),),
    block_pooling_type="AVG",
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
    measured:        a `Sensitivity` of this model and this data, where several budgets are tried; clusters, sparsities,
                     patterns, blocks and layers then count no more. Measured first if None.
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
            patterns=patterns,
            block_sizes=block_sizes,
            block_pooling_type=block_pooling_type,
            score=score,
            layers=layers,
            precision=precision,
            batch_size=batch_size,
        )
    arrays = arrays_in(model)

    def size_of(chosen):
        changed = with_changes(arrays, _changes(model, arrays, _settings(chosen)))
        return file_size(model, changed, codebook=precision, others=precision, **how)

    chosen, size = _within(budget, untouched, measured, size_of)
    settings = _settings({name: chosen[name] for name in measured.layers if name in chosen})
    together = Trial(model, x, y, score, batch_size).score(_changes(model, arrays, settings))
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
    return {name: {key: row[key] for key in ("clusters", *PRUNING) if key in row} for name, row in chosen.items()}


def _changes(model, arrays, settings):
    """{place among the weights: array} with each layer compressed by its setting."""
    changes = {}
    for name, one in settings.items():
        pruned = zeros_of(one)
        for tensor in tensors_in(model, arrays, _Named([name]), one["clusters"], [pruned])[name]:
            changes[tensor.place] = tensor.changed(arrays[tensor.place], one["clusters"], pruned)
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
