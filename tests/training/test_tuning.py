"""The table and searches in it: what it holds, what the libraries' trials read, and which searches are refused."""

import json

import numpy as np
import pytest

from coursekit.errors import DataRefused, TuningError
from coursekit.training import tuning

keras_tuner = pytest.importorskip("keras_tuner")


def test_each_setting_is_found_in_its_own_row():
    table = tuning.table()
    assert len(table.settings) == 864 and len({str(one) for one in table.settings}) == 864
    for row, setting in enumerate(table.settings):
        assert table.number(setting) == table.number(tuning.rounded(setting)) == row
    assert table.validation.shape == table.test.shape == (864, 3, 27)
    assert len({tuple(one) for one in table.coordinates()}) == 864


@pytest.mark.parametrize(
    "change",
    [
        {"layers": 4},
        {"units": 10},
        {"learning_rate": 0.002},
        {"learning_rate": 10},
        {"dropout": 0.1},
        {"optimizer": "x"},
    ],
)
def test_a_setting_that_the_table_lacks_is_refused(change):
    with pytest.raises(TuningError, match="no such setting"):
        tuning.table().number(tuning.table().settings[0] | change)
    with pytest.raises(TuningError, match="no such setting"):
        tuning.table().number({"layers": 1})


def test_keras_tuner_s_space_is_the_table_s():
    space = tuning.declared(tuning.space)
    grid = {one.name: list(one.values) for one in space.space}
    rows = [tuning.table().number(one) for one in tuning.settings_of(grid)]
    assert sorted(rows) == list(range(864))


def test_a_spread_grid_has_twelve_settings_of_the_table_and_follows_its_seed():
    for seed in range(20):
        rows = [tuning.table().number(one) for one in tuning.settings_of(tuning.spread_grid(seed))]
        assert len(set(rows)) == 12 and tuning.spread_grid(seed) == tuning.spread_grid(seed)
    assert len({str(tuning.spread_grid(seed)) for seed in range(20)}) > 5


def test_searches_spend_their_budget_and_choose_from_the_table():
    for kind, epochs in (("RandomSearch", 5 * 27), ("GridSearch", 5 * 27), ("Hyperband", 375)):
        found = tuning.keras_tuner_search(kind, 1, 3, trials=5)
        assert found["epochs"] == epochs and 0 <= found["chosen"] < 864
        assert found == tuning.keras_tuner_search(kind, 1, 3, trials=5)


def test_optuna_reads_the_same_table():
    pytest.importorskip("optuna")
    asked = []

    def setting_of(trial):
        asked.append(trial.suggest_int("row", 0, 863))
        return tuning.table().settings[asked[-1]]

    found = tuning.optuna_search(setting_of, 2, 5, trials=8)
    scores = tuning.table().validation[asked, 2, -1]
    assert len(asked) == 8 and tuning.table().validation[found["chosen"], 2, -1] == scores.max()


def test_the_record_of_bayesian_searches_agrees_with_the_table():
    record = tuning.bayesian_record()
    assert len(record["chosen"]) == len(record["test"]) == len(record["cpu_seconds"]) == 15
    assert all(tuning.table().test[row, i % 3, -1] == record["test"][i] for i, row in enumerate(record["chosen"]))


@pytest.mark.parametrize("content", [b"", b"PK", None])
def test_a_cut_or_other_table_is_refused(content, tmp_path, monkeypatch):
    if content is None:
        np.savez(tmp_path / "tuning_table.npz", right=np.zeros((2, 2), np.uint16))
    else:
        (tmp_path / "tuning_table.npz").write_bytes(content)
    monkeypatch.setattr(tuning, "data_dir", lambda: tmp_path)
    with pytest.raises(DataRefused, match=r"tuning_table\.npz is refused"):
        tuning.table.__wrapped__()


# --- spaces and folders -----------------------------------------------------------------------------------------------
SPACES = {
    "no value to choose from": lambda hp: hp.Choice("a", []),
    "can't be declared": lambda hp: hp.Int("a", 3, 1),
    "no hyperparameter": lambda hp: None,
}


@pytest.mark.parametrize("sentence", SPACES)
def test_a_space_with_nothing_to_choose_is_refused(sentence, tmp_path):
    with pytest.raises(TuningError, match=sentence) as refusal:
        tuning.open_search("RandomSearch", SPACES[sentence], tmp_path / "new")
    assert "\n" not in str(refusal.value) and not (tmp_path / "new").exists()


def content_of(folder):
    return {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_search_is_taken_up_and_another_one_is_refused(tmp_path):
    folder = tmp_path / "search"
    tuning.open_search("RandomSearch", tuning.space, folder, trials=3, seed=2).search(verbose=0)
    before = content_of(folder)
    assert len(tuning.trials_in(folder)) == 3
    others = [
        ("BayesianOptimization", tuning.space, 3, 2, "kind"),
        ("RandomSearch", lambda hp: hp.Int("layers", 1, 3), 3, 2, "space"),
        ("RandomSearch", tuning.space, 9, 2, "trials"),
        ("RandomSearch", tuning.space, 3, 5, "seed"),
    ]
    for kind, space, trials, seed, what in others:
        with pytest.raises(TuningError, match=f"holds another search \\(its {what} differ"):
            tuning.open_search(kind, space, folder, trials=trials, seed=seed)
    assert content_of(folder) == before
    tuning.open_search("RandomSearch", tuning.space, folder, trials=3, seed=2).search(verbose=0)
    assert len(tuning.trials_in(folder)) == 3


def test_a_folder_with_something_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(TuningError, match="holds something else"):
        tuning.open_search("RandomSearch", tuning.space, tmp_path)
    assert content_of(tmp_path) == {(tmp_path / "notes.txt").relative_to(tmp_path): b"mine"}


def test_an_interrupted_search_goes_on_to_the_same_trials(tmp_path):
    class Interrupted(tuning.table_tuner("RandomSearch")):
        def run_trial(self, trial, **fit_arguments):
            if len(self.oracle.end_order) == 2:
                raise KeyboardInterrupt
            return super().run_trial(trial)

    with pytest.raises(KeyboardInterrupt):
        tuning.open_search(Interrupted, tuning.space, tmp_path / "a", trials=5).search(verbose=0)
    assert [one["status"] for one in tuning.trials_in(tmp_path / "a").values()] == ["COMPLETED"] * 2 + ["RUNNING"]
    for folder in "ab":
        tuning.open_search("RandomSearch", tuning.space, tmp_path / folder, trials=5).search(verbose=0)
    assert tuning.trials_in(tmp_path / "a") == tuning.trials_in(tmp_path / "b")


def test_a_trial_that_is_just_being_written_is_left_out(tmp_path):
    for number, text in enumerate(['{"trial_id": "0", "status"', None]):
        file = tmp_path / "trials" / f"trial_{number}" / "trial.json"
        file.parent.mkdir(parents=True)
        whole = {"trial_id": "1", "hyperparameters": {"values": {}}, "status": "RUNNING", "score": None}
        file.write_text(text or json.dumps(whole))
    assert list(tuning.trials_in(tmp_path)) == [1]
