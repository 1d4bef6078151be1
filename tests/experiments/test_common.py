"""What the experiments share: training, judging, stages, records, the twin in Keras 2."""

import json
from importlib import import_module

import keras
import numpy as np
import pytest

from coursekit.authoring.cli import main
from coursekit.experiments import common, smallest, trained_for_size
from coursekit.paths import data_dir
from coursekit.records import read_lines


def test_logits_are_judged_as_keras_does_it():
    rng = np.random.default_rng(0)
    logits, y = rng.normal(size=(200, 10)) * 4, rng.integers(0, 10, 200)
    found = common.evaluate(logits, y)
    exact = keras.ops.mean(keras.losses.sparse_categorical_crossentropy(y, logits.astype("float32"), from_logits=True))
    assert found["loss"] == pytest.approx(float(exact), rel=1e-4)
    assert found["wrong"] == [i for i in range(200) if logits[i].argmax() != y[i]]
    assert common.evaluate(1000 + logits, y)["loss"] == pytest.approx(found["loss"], abs=2e-6)  # exp would overflow


def test_zeros_and_values_are_counted():
    kernels = [np.array([[0.0, -0.0], [1.5, 2.0]], dtype="float32"), np.zeros((2, 2, 1), dtype="float32")]
    assert common.weight_statistics(kernels) == {"zeros": 0.75, "values": [3, 1]}


@pytest.mark.parametrize("api", ["keras", "tf_keras"])
def test_the_network_is_trained_by_either_keras(api, few):
    api = pytest.importorskip(api)
    api.utils.set_random_seed(0)
    model = common.reference_network(api)
    before = common.evaluate(common.logits_of(model, few["test"][0]), few["test"][1])
    common.fit(api, model, few["train"], 3, 1e-3)
    after = common.evaluate(common.logits_of(model, few["test"][0]), few["test"][1])
    assert model.count_params() == 431_242 and after["loss"] < 0.95 * before["loss"]


def test_a_network_without_named_widths_has_those_of_the_tests(small):
    biases = common.reference_network(keras).get_weights()[1::2]
    assert [len(bias) for bias in biases] == [*small, 10]


# --- stages -----------------------------------------------------------------------------------------------------------
def test_a_stage_that_was_interrupted_leaves_nothing_and_one_that_ended_is_not_made_again(tmp_path):
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        common.stage(tmp_path / "new" / "one.npz", interrupted)
    assert not list(tmp_path.rglob("*.npz"))
    made, taken = common.stage(tmp_path / "new" / "one.npz", lambda: [np.arange(3), np.eye(2)])
    again, kept = common.stage(tmp_path / "new" / "one.npz", interrupted)
    assert kept == pytest.approx(taken) and all(map(np.array_equal, made, again))
    assert [file.name for file in tmp_path.rglob("*.npz")] == ["one.npz"]


# --- records ----------------------------------------------------------------------------------------------------------
def test_only_records_that_are_missing_are_made(tmp_path, capsys):
    file, made = tmp_path / "new" / "some.jsonl", []

    def make(key):
        if key["seed"] == 2 and 2 not in made:
            made.append(2)
            raise KeyboardInterrupt
        made.append(key["seed"])
        return {"found": 10 * key["seed"]}

    def wanted(rate):
        return [{"settings": {"rate": rate}, "seed": seed} for seed in range(3)]

    def add(rate):
        return common.add_missing(file, wanted(rate), make, lambda line: f"seed {line['seed']}: {line['found']}")

    with pytest.raises(KeyboardInterrupt):
        add(0.1)
    with open(file, "a") as lines:
        lines.write('{"settings": {"rate": 0.1}, "seed": 2, "fou')  # the machine was switched off
    assert add(0.1) and made == [0, 1, 2, 2]
    assert add(0.1) and add(0.2) and made == [0, 1, 2, 2, 0, 1, 2]
    lines = read_lines(file)
    assert [(line["seed"], line["settings"]["rate"], line["found"]) for line in lines] == [
        (seed, rate, 10 * seed) for rate in (0.1, 0.2) for seed in range(3)
    ]
    assert {"date", "machine", "reference_seconds", "backend"} <= set(lines[0]) and lines[0]["status"] == "experiment"
    assert lines[0]["versions"]["keras"] == keras.__version__ and json.dumps(lines[0])
    assert capsys.readouterr().out.splitlines()[:3] == ["seed 0: 0", "seed 1: 10", "seed 2: 20"]


def test_records_and_files_lie_in_the_checkout_unless_said_otherwise(tmp_path):
    data = data_dir()
    wanted = (data.parent / "build" / "experiments", data / "results" / "one.jsonl", data / "compressed" / "one")
    assert common.places("one") == wanted
    assert common.places("one", tmp_path / "a", tmp_path / "b", tmp_path / "c") == tuple(tmp_path / n for n in "abc")


@pytest.mark.parametrize(
    "call, name, said",
    [
        (["experiment", "pipeline", "--seeds", "0-4"], "pipeline", None),
        (["experiment", "reference", "--seeds", "1"], "reference", None),
        (["experiment", "pipeline", "--recipes", "200"], "pipeline", "pipeline has no recipes"),
        (["experiment", "reference", "--seeds", "one"], "reference", "--seeds takes numbers"),
    ],
)
def test_the_command_runs_the_experiment_that_is_named(call, name, said, monkeypatch, capsys):
    asked = []
    for one in ("pipeline", "reference", "smallest"):
        module = import_module(f"coursekit.experiments.{one}")
        monkeypatch.setattr(module, "run", lambda seeds, one=one: asked.append((one, seeds)) or True)
    if said:
        assert main(call) == 2 and said in capsys.readouterr().err and not asked
    else:
        assert main(call) == 0 and asked == [(name, [1] if "1" in call else [0, 1, 2, 3, 4])]


@pytest.mark.parametrize(
    "recipes, runs",
    [
        (
            [],
            {"smallest": list(smallest.RECIPES), "trained_for_size": list(trained_for_size.RECIPES)},
        ),
        (["priced-1110", "dense"], {"smallest": ["dense"], "trained_for_size": ["priced-1110"]}),
        (["cut-555"], {"trained_for_size": ["cut-555"]}),
        (["370", "371"], "there is no recipe 371; there are 200, 370, 555, dense, priced-300"),
    ],
)
def test_each_recipe_of_smallest_goes_to_the_experiment_that_has_it(recipes, runs, monkeypatch, capsys):
    asked = {}
    for one in ("smallest", "trained_for_size"):
        module = import_module(f"coursekit.experiments.{one}")
        monkeypatch.setattr(module, "run", lambda names, seeds, one=one: asked.update({one: (names, seeds)}) or True)
    call = ["experiment", "smallest", *(["--recipes", *recipes] if recipes else [])]
    if isinstance(runs, str):
        assert main(call) == 2 and runs in capsys.readouterr().err and not asked
    else:
        assert main(call) == 0 and asked == {one: (names, [0]) for one, names in runs.items()}
