"""Planning: estimates beside true files, layers that are sensitive by construction, budgets, models left alone."""

import re
from contextlib import nullcontext

import keras
import networks
import numpy as np
import pytest
from keras import layers
from networks import inputs_for
from round_trips import on_another_backend, same, steps
from scipy.linalg import hadamard

from coursekit import compression as cc
from coursekit.compression.estimates import Sensitivity, accuracy
from coursekit.compression.planning import _choose
from coursekit.errors import CompressionError


def made(make):
    """A network with random numbers in its biases, too."""
    keras.utils.set_random_seed(0)
    model, rng = make(), np.random.default_rng(0)
    model.set_weights([w + (w.ndim == 1) * rng.uniform(0.1, 1, w.shape).astype(w.dtype) for w in model.get_weights()])
    return model


def truly_pruned(model, calls):
    """The model pruned by the functions for training, without training."""
    for arguments in calls:
        model = cc.prune_low_magnitude(model, **arguments)
    if calls:
        steps(model, 1)
    return cc.strip_pruning(model, check=False)


def truly_clustered(model, calls):
    """The model clustered by the functions for training, without training."""
    for arguments in calls:
        model = cc.cluster_weights(model, **arguments)
    return cc.strip_clustering(model, check=False)


def file_of(model, folder, **how):
    return cc.save_compressed(model, folder / "model.small", check=False, **how).size


@pytest.fixture
def uneven():
    """(model, x, y): the layer "robust" has two values, nearly; in "fragile" small differences decide.

    What all classes have in common, ±1 in each row of the last kernel, changes nothing: with two values only this is
    left, all classes get the same score, and the first is taken.
    """
    rng, signs = np.random.default_rng(0), hadamard(8).astype("float32")
    inputs = keras.Input((8,))
    hidden = layers.Dense(8, use_bias=False, name="robust")(inputs)
    model = keras.Model(inputs, layers.Dense(8, use_bias=False, name="fragile")(hidden))
    small = rng.uniform(-0.01, 0.01, (8, 8)).astype("float32")
    noise = rng.uniform(-1e-5, 1e-5, (8, 8)).astype("float32")
    model.set_weights([signs + noise, signs[:, 1:2] + small])
    x = rng.normal(size=(96, 8)).astype("float32")
    return model, x, (x @ signs @ small).argmax(axis=1)


# --- sizes ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("make", "clusters", "sparsity"),
    [
        (networks.convolutional, None, 0.0),
        (networks.convolutional, 4, 0.0),
        (networks.residual, None, 0.75),
        (networks.transformer, 6, 0.5),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_an_estimate_is_the_size_of_the_true_file(make, clusters, sparsity, tmp_path):
    model = made(make)
    before, compressed = model.get_weights(), model
    if sparsity:
        compressed = truly_pruned(compressed, [{"pruning_schedule": cc.ConstantSparsity(sparsity, 0)}])
    if clusters:
        compressed = cc.cluster_weights(compressed, clusters, "OPTIMAL", preserve_sparsity=sparsity > 0)
        compressed = cc.strip_clustering(compressed, check=False)
    estimate = cc.estimate_size(model, clusters=clusters, sparsity=sparsity)
    assert estimate == file_of(compressed, tmp_path)
    assert same(before, model.get_weights())


@pytest.mark.parametrize("clusters", [None, 5])
@pytest.mark.parametrize(
    "how",
    [
        {"sparsity_m_by_n": (2, 4)},
        {"sparsity": 0.6, "block_size": (3, 2), "block_pooling_type": "MAX"},
    ],
    ids=list,
)
def test_an_estimate_knows_patterns_and_blocks(how, clusters, tmp_path):
    matrices = [keras.layers.Dense, keras.layers.LSTM]
    model = made(networks.recurrent if "block_size" in how else networks.convolutional)
    which = matrices if "block_size" in how else None
    structure = {name: value for name, value in how.items() if name != "sparsity"}
    schedule = cc.ConstantSparsity(how.get("sparsity", 0.5), 0)
    small = truly_pruned(model, [{"pruning_schedule": schedule, "layers": which, **structure}])
    if clusters:
        small = cc.cluster_weights(small, clusters, "OPTIMAL", preserve_sparsity=True, layers=which)
        small = cc.strip_clustering(small, check=False)
    estimate = cc.estimate_size(model, clusters=clusters, layers=which, **how)
    assert estimate == file_of(small, tmp_path)


def test_training_changes_the_size_by_some_percent(tmp_path):
    model = made(networks.convolutional)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    estimate = cc.estimate_size(model, clusters=4)
    clustered = cc.cluster_weights(model, 4, "OPTIMAL")
    x, y = inputs_for(model, 64), np.random.default_rng(1).integers(0, 3, 64)
    clustered.fit(x, y, batch_size=16, epochs=3, verbose=0)
    size = file_of(cc.strip_clustering(clustered, check=False), tmp_path)
    assert abs(size / estimate - 1) < 0.05, (size, estimate)


def test_an_estimate_knows_half_precision_and_leaves_layers_out(tmp_path):
    model = made(networks.tiny)
    half = cc.estimate_size(model, precision="float16")
    assert half == file_of(model, tmp_path, codebook="float16", others="float16") < cc.estimate_size(model)
    first, last = model.layers
    sizes = [cc.estimate_size(model, clusters=2, layers=which) for which in (first.name, None)]
    assert cc.estimate_size(model) > sizes[0] > sizes[1]
    assert cc.estimate_size(model, clusters=7, layers=last) == cc.estimate_size(model)  # it has six weights


def test_names_are_counted_as_they_are_and_count_no_more_where_they_are_left_out(tmp_path):
    sizes = []
    for name in ("dense", "with_a_name_of_many_letters_47"):
        inputs = keras.Input((4,), name="in")
        model = made(
            lambda inputs=inputs, name=name: keras.Model(inputs, layers.Dense(3, name=name)(inputs), name=name)
        )
        for names in (True, False):
            sizes.append(cc.estimate_size(model, sparsity=0.5, names=names))
            pruned = truly_pruned(model, [{"pruning_schedule": cc.ConstantSparsity(0.5, 0)}])
            assert file_of(pruned, tmp_path, names=names) == sizes[-1]
    assert sizes[2] - sizes[0] > 10 and sizes[1] == sizes[3] < sizes[0]


# --- one layer at a time ----------------------------------------------------------------------------------------------
def test_the_fragile_layer_is_found(uneven):
    model, x, y = uneven
    measured = cc.sensitivity(model, x, y, clusters=(2,), sparsities=())
    (robust,), (fragile,) = measured["robust"], measured["fragile"]
    assert measured.score == robust["score"] == 1
    assert fragile["score"] == np.mean(y == 0) < 0.5
    for row in measured:
        truth = cc.estimate_size(model) - cc.estimate_size(model, clusters=2, layers=row["layer"])
        assert (row["clusters"], row["sparsity"], row["weights"]) == (2, 0, 64)
        assert abs(row["saved"] - truth) <= 0.05 * truth + 1
    lines = str(measured).splitlines()
    assert len(lines) == 4 and "bytes saved" in lines[0] and lines[1].startswith("untouched")
    with pytest.raises(KeyError, match="there are robust, fragile"):
        measured["middle"]


def test_every_setting_is_tried_alone_and_together(uneven):
    model, x, y = uneven
    measured = cc.sensitivity(model, x, y, clusters=(2, 65), sparsities=[0.5], layers="robust", score=lambda y, out: 3)
    assert cc.sensitivity(model, x, list(y), clusters=(2,), sparsities=()).score == 1  # a list of numbers is an array
    tried = [(row["layer"], row["clusters"], row["sparsity"]) for row in measured]
    assert tried == [("robust", 2, 0.0), ("robust", None, 0.5), ("robust", 2, 0.5)]  # 65 values of 64 weights: none


def test_a_pattern_is_compared_with_single_weights_and_with_blocks(uneven):
    model, x, y = uneven
    how = {"clusters": (2,), "sparsities": (0.5,), "patterns": [(2, 4)], "block_sizes": [(1, 1), (2, 2)]}
    measured = cc.sensitivity(model, x, y, **how)
    plain = {"layer": "robust", "weights": 64, "sparsity": 0.5}
    blocks = {"block_size": (2, 2), "block_pooling_type": "AVG"}
    asked = [{}, blocks, {"sparsity_m_by_n": (2, 4)}]
    expected = [plain | {"clusters": k} | one for one in asked for k in (None, 2)]
    found = [{key: value for key, value in row.items() if key not in ("score", "saved")} for row in measured["robust"]]
    assert found == [plain | {"clusters": 2, "sparsity": 0.0}, *expected]
    (pattern,) = [row for row in measured["robust"] if "sparsity_m_by_n" in row and row["clusters"] is None]
    arguments = {"layers": "robust", "sparsity_m_by_n": (2, 4)}
    truth = truly_pruned(model, [arguments]).predict(x, verbose=0)
    assert pattern["score"] == accuracy(y, truth)
    lines = str(measured)
    assert "  50%  " in lines and "  50% of 2×2  " in lines and "  2:4  " in lines


def test_a_plan_of_patterns_is_met_by_the_functions_for_training(tmp_path):
    model = made(networks.convolutional)
    x = inputs_for(model, 12)
    y = model.predict(x, verbose=0)
    budget = cc.estimate_size(model, clusters=3, sparsity_m_by_n=(3, 4))
    how = {"clusters": (3,), "sparsities": (), "patterns": [(2, 4), (3, 4)], "score": _nearness}
    planned = cc.plan(model, x, y, budget=budget, **how)
    assert (3, 4) in [one.get("sparsity_m_by_n") for one in planned.settings.values()] and "3:4" in str(planned)
    small = truly_clustered(truly_pruned(model, planned.pruning()), planned.clustering())
    assert same(small.get_weights(), planned.apply(model).get_weights())
    assert file_of(small, tmp_path) == planned.size <= budget


def test_what_cannot_have_a_pattern_or_blocks_is_refused_as_in_pruning():
    model = made(networks.convolutional)
    embedding = keras.Sequential([keras.Input((3,)), layers.Embedding(5, 4, name="words")])
    for network, how, many in (
        (model, {"block_size": (2, 2)}, {"block_sizes": [(2, 2)]}),
        (embedding, {"sparsity_m_by_n": (2, 4)}, {"patterns": [(2, 4)], "sparsities": ()}),
        (model, {"sparsity_m_by_n": (4, 4)}, {"patterns": [(4, 4)]}),
        (model, {"block_size": (0, 2)}, {"block_sizes": [(0, 2)]}),
        (model, {"block_size": (2, 2), "block_pooling_type": "SUM"}, {"block_pooling_type": "SUM"}),
    ):
        with pytest.raises(CompressionError) as truth:
            cc.prune_low_magnitude(network, **how)
        share = 0.0 if "sparsity_m_by_n" in how else 0.5
        for ask in (
            lambda network=network, how=how, share=share: cc.estimate_size(network, sparsity=share, **how),
            lambda network=network, many=many: cc.sensitivity(network, [1], [1], **many),
        ):
            with pytest.raises(CompressionError) as said:
                ask()
            assert str(said.value) == str(truth.value)


@pytest.mark.parametrize("ends_in", [KeyboardInterrupt, ZeroDivisionError, None])
def test_the_model_is_left_as_it_was(uneven, ends_in):
    model, x, y = uneven
    before, calls = [w.tobytes() for w in model.get_weights()], []

    def score(y, outputs):
        calls.append(outputs)
        if ends_in and len(calls) == 3:
            raise ends_in
        return len(calls)

    with pytest.raises(ends_in) if ends_in else nullcontext():
        cc.sensitivity(model, x, y, clusters=(2,), sparsities=(0.9,), score=score)
    assert [w.tobytes() for w in model.get_weights()] == before
    assert len(calls) == (3 if ends_in else 7) and not np.array_equal(calls[0], calls[1])


@pytest.mark.parametrize("make", [networks.shared, networks.recurrent, networks.subclassed], ids=lambda m: m.__name__)
def test_networks_of_other_kinds(make):
    model = made(make)
    x, before = inputs_for(model, 12), model.get_weights()
    outputs = model.predict(x, verbose=0)
    measured = cc.sensitivity(model, x, outputs, clusters=(), sparsities=(0.5,), score=_nearness)
    assert measured.score == 0 and all(row["score"] < 0 and row["saved"] > 0 for row in measured)
    trusted = {"tests>OwnModel": networks.OwnModel}
    budget = cc.estimate_size(model, sparsity=0.5, custom_objects=trusted)
    how = {"score": _nearness, "measured": measured, "custom_objects": trusted}
    small = cc.plan(model, x, outputs, budget=budget, **how)
    assert same(before, model.get_weights()) and list(small.settings) == measured.layers
    copy = small.apply(model)
    assert _nearness(outputs, copy.predict(x, verbose=0)) == pytest.approx(small.score, rel=1e-4)
    assert small.size == budget and cc.estimate_size(copy, custom_objects=trusted) == budget


def of_one_name():
    """A model with two layers of one name, and a third that has the name of the model itself."""
    x = inputs = keras.Input((6,), name="in")
    for name in ("first", "second"):
        x = keras.Sequential([keras.Input((6,), name="in"), layers.Dense(6, name="same")], name=name)(x)
    return keras.Model(inputs, layers.Dense(3, name="last")(x), name="last")


def test_layers_of_one_name_count_as_one_and_a_model_of_that_name_is_none_of_them():
    model = made(of_one_name)
    x = inputs_for(model, 12)
    y = model.predict(x, verbose=0)
    measured = cc.sensitivity(model, x, y, clusters=(2,), sparsities=(0.5,), score=_nearness)
    assert measured.layers == ["same", "last"] and [row["weights"] for row in measured] == [72] * 3 + [18] * 3

    def only_last(layer):
        return layer is model.layers[-1]

    budget = cc.estimate_size(model, sparsity=0.5, layers=only_last)
    how = {"clusters": (), "sparsities": (0.5,), "layers": only_last, "score": _nearness}
    planned = cc.plan(model, x, y, budget=budget, **how)
    assert planned.settings == {"last": {"clusters": None, "sparsity": 0.5}}
    small = truly_clustered(truly_pruned(model, planned.pruning()), planned.clustering())
    assert same(small.get_weights(), planned.apply(model).get_weights())
    assert same(small.get_weights()[:4], model.get_weights()[:4])


def _nearness(y, outputs):
    return -float(np.abs(y - outputs).mean())


# --- settings for a budget --------------------------------------------------------------------------------------------
def test_a_plan_spares_the_fragile_layer(uneven):
    model, x, y = uneven
    measured = cc.sensitivity(model, x, y, clusters=(2,), sparsities=())
    wide = cc.estimate_size(model, clusters=2, layers="robust")
    planned = cc.plan(model, x, y, budget=wide + 10, measured=measured)
    assert planned.settings == {"robust": {"clusters": 2, "sparsity": 0.0}}
    assert planned.score == planned.untouched_score == 1 and planned.size == wide
    smallest = cc.estimate_size(model, clusters=2)
    both = cc.plan(model, x, y, budget=smallest, measured=measured)
    assert list(both.settings) == ["robust", "fragile"] and both.score == np.mean(y == 0)
    untouched = cc.plan(model, x, y, budget=planned.untouched_size, measured=measured)
    assert untouched.settings == {} and untouched.score == 1
    with pytest.raises(CompressionError, match=f"smallest size found is {smallest};"):
        cc.plan(model, x, y, budget=10, measured=measured)


def test_a_plan_meets_its_budget_and_the_functions_for_training_take_it(tmp_path):
    model = made(networks.convolutional)
    x = inputs_for(model, 64)
    y = model.predict(x, verbose=0).argmax(axis=1)
    budget = cc.estimate_size(model) // 2
    planned = cc.plan(model, x, y, budget=budget, clusters=(3, 8), sparsities=(0.5, 0.75))
    assert planned.size <= budget < planned.untouched_size and len(planned.settings) > 1
    small = truly_clustered(truly_pruned(model, planned.pruning()), planned.clustering())
    assert file_of(small, tmp_path) == file_of(planned.apply(model), tmp_path) == planned.size
    assert accuracy(y, small.predict(x, verbose=0)) == planned.score
    lines = str(planned).splitlines()
    assert lines[0].startswith(f"{planned.size:,} bytes of {budget:,}") and len(lines) == 2 + len(planned.settings)


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        (0, {}),
        (50, {"a": 60}),
        (100, {"a": 60, "b": 50}),  # and not a's 100, which lose more
        (150, {"a": 100, "b": 50}),
        (300, {"a": 60, "c": 240}),  # b, whose bytes were the cheapest, was taken first and isn't needed any more
        (391, None),
    ],
)
def test_the_choice_loses_little_and_takes_no_more_than_it_needs(wanted, chosen):
    rows = [("a", 60, 1.0), ("a", 100, 0.9), ("b", 50, 0.99), ("c", 240, 0.5)]
    measured = Sensitivity(1.0, [{"layer": a, "saved": b, "score": c} for a, b, c in rows])
    found = _choose(measured, wanted)
    assert (found and {layer: row["saved"] for layer, row in found.items()}) == chosen


# --- scores and bad input ---------------------------------------------------------------------------------------------
def test_accuracy_takes_targets_in_every_dress():
    scores = np.array([[0.1, 0.9], [0.8, 0.2], [0.7, 0.3], [0.4, 0.6]])
    y = np.array([1, 0, 1, 1])
    for targets in (y, y[:, None], y.astype("float32"), np.eye(2)[y]):
        assert accuracy(targets, scores) == 0.75
    assert accuracy(y, scores[:, 1:]) == accuracy(y[:, None] == 1, scores[:, 1:]) == 0.75
    assert accuracy(y.reshape(2, 2), scores.reshape(2, 2, 2)) == 0.75
    for targets, outputs in ((y + 0.5, scores), (y[:3], scores), (["a"] * 4, scores), (y, [scores, scores])):
        with pytest.raises(CompressionError, match="give score="):
            accuracy(targets, outputs)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"x": np.zeros((5, 8))}, "x has 5 rows and y has 96"),
        ({"x": np.zeros((0, 8)), "y": []}, "x and y have no rows"),
        ({"x": 3}, "x is no array"),
        ({"score": lambda y, outputs: None}, "the score function returned None"),
        ({"score": lambda y, outputs: float("nan")}, "the score function returned nan"),
        ({"clusters": (1,)}, "whole number of 2 or more"),
        ({"clusters": 4}, "give several in a list"),
        ({"sparsities": (1.0,)}, "from 0 to below 1"),
        ({"clusters": (), "sparsities": ()}, "there is nothing to try"),
        ({"patterns": (2, 4)}, "sparsity_m_by_n is 2; give two whole numbers"),
        ({"patterns": 24}, "patterns is 24; give several in a list"),
        ({"precision": "int8"}, "choose one of float32, float16"),
        ({"layers": "middle"}, "no layer is named 'middle'"),
        ({"layers": lambda layer: False}, "there is nothing to compress"),
        ({"budget": 0}, "give a positive number of bytes"),
        ({"budget": float("nan")}, "give a positive number of bytes"),
        ({"budget": "1 kB"}, "give a positive number of bytes"),
    ],
    ids=lambda value: "" if isinstance(value, str) else ", ".join(value),
)
def test_what_makes_no_sense_is_refused_in_a_sentence(uneven, how, says):
    model, x, y = uneven
    with pytest.raises(CompressionError, match=re.escape(says)):
        cc.plan(model, how.pop("x", x), how.pop("y", y), **{"budget": 400, **how})


def test_settings_that_contradict_each_other_are_refused(uneven):
    model = uneven[0]
    for how, says in (
        ({"sparsity": 0.8, "sparsity_m_by_n": (2, 4)}, "prunes 0.5: leave out one of them"),
        ({"block_size": (2, 2)}, "prunes no block at sparsity 0: give a sparsity"),
        ({"sparsity_m_by_n": (2, 4), "block_size": (2, 2)}, "two ways to prune"),
    ):
        with pytest.raises(CompressionError, match=says):
            cc.estimate_size(model, **how)


def test_models_that_cannot_be_measured_are_refused(uneven):
    model, x, y = uneven
    pooling = keras.Sequential([keras.Input((8,)), layers.Flatten()])
    lost = keras.models.clone_model(model)
    lost.set_weights([np.full((8, 8), np.nan)] * 2)
    for other, says in (
        (pooling, "there is nothing to compress"),
        (keras.Sequential([layers.Dense(3)]), "has no weights yet"),
        (cc.cluster_weights(model, 2), "strip the model first"),
        (lost, "NaN"),
        (layers.Dense(3), "a Keras model is needed"),
    ):
        with pytest.raises(CompressionError, match=says):
            cc.sensitivity(other, x, y)
    assert cc.estimate_size(pooling) < 100


@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.slow
def test_the_same_on_another_backend(backend):
    on_another_backend(backend, __file__)
