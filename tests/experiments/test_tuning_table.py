"""The script that makes the table: splits, gradients, and that a short training learns and agrees with Keras."""

import json

import numpy as np
import pytest

from coursekit.experiments import tuning_table as made
from coursekit.training import tuning


def test_the_script_and_the_table_have_the_same_space():
    for name in ("LAYERS", "UNITS", "OPTIMIZERS", "RATES", "DROPOUTS", "SPLITS", "EPOCHS"):
        assert getattr(made, name) == getattr(tuning, name)
    assert (made.VALIDATION, made.TEST) == (tuning.VALIDATION_IMAGES, tuning.TEST_IMAGES)


def test_the_parts_of_a_split_hold_every_digit_once():
    parts = made.split(1)
    assert [len(parts[name][1]) for name in ("train", "validation", "test")] == [500, 300, 997]
    everything = np.concatenate([x for x, _ in parts.values()])
    other = np.concatenate([x for x, _ in made.split(2).values()])
    assert np.array_equal(np.sort(everything.sum(axis=1)), np.sort(other.sum(axis=1)))
    assert not np.array_equal(everything, other)


@pytest.mark.parametrize("layers", [1, 3])
def test_gradients_are_the_slopes_of_the_loss(layers):
    random = np.random.default_rng(0)
    weights = [one.astype(float) for one in made.start_weights(random, 2, layers, 5)]
    x, y = random.normal(size=(7, 64)), random.integers(0, 10, size=7)

    def loss():
        logits, _ = made.forward(weights, x)
        top = logits.max(axis=-1, keepdims=True)
        log_p = logits - top - np.log(np.exp(logits - top).sum(axis=-1, keepdims=True))
        return -log_p[:, np.arange(7), y].mean(axis=1)  # (2,)

    slopes = made.gradients(weights, x, y, np.zeros((2, 1, 1)), random)
    for weight, slope in zip(weights, slopes, strict=True):
        place = tuple(random.integers(0, n) for n in weight.shape)
        old = weight[place]
        weight[place] = old + 1e-6
        up = loss()[place[0]]
        weight[place] = old - 1e-6
        assert (up - loss()[place[0]]) / 2e-6 == pytest.approx(slope[place], abs=1e-6)
        weight[place] = old


def test_a_short_training_learns_and_counts_right_answers(monkeypatch):
    monkeypatch.setattr(made, "EPOCHS", 4)
    right = made.train_together(made.split(0), 1, 16, "adam", None, [0.01, 1e-9], [0.0, 0.25], [1])
    assert right.shape == (2, 4, 2) and right[0, -1, 0] > 0.7 * 300 > right[1, -1, 0]


def test_a_file_that_is_made_again_has_the_form_that_is_read(monkeypatch):
    monkeypatch.setattr(made, "EPOCHS", 1)
    monkeypatch.setattr(made, "RATES", made.RATES[3:4])
    table = made.make(layers=(1,), units=(8,), say=lambda *_, **__: None)
    assert table.shape == (1, 1, 3, 1, 3, 3, 1, 2) and table.dtype == np.uint16 and table.max() <= 997


def test_a_record_is_made_once_and_kept(monkeypatch, tmp_path, capsys):
    from coursekit.experiments import tuning_searches

    monkeypatch.setattr(tuning_searches, "make", lambda repeat: {"chosen": repeat, "epochs": 378, "cpu_seconds": 1.0})
    for repeats in (2, 3):
        tuning_searches.main(tmp_path / "tuning.jsonl", repeats)
    lines = [json.loads(line) for line in (tmp_path / "tuning.jsonl").read_text().splitlines()]
    assert [(line["repeat"], line["chosen"]) for line in lines] == [(0, 0), (1, 1), (2, 2)]
    assert capsys.readouterr().out.count("search") == 3
