"""The spoken digits: what the file holds, that voices are not shared, and that an altered file is refused."""

import numpy as np
import pytest

from coursekit.datasets import load, spoken_digits
from coursekit.errors import DataRefused


def test_words_are_frames_and_then_zeros():
    data = load("spoken_digits")
    for x in (data.x_train, data.x_test):
        lengths = x.any(axis=2).sum(axis=1)
        assert lengths.min() >= 5 and lengths.max() <= x.shape[1]
        for word, length in zip(x, lengths, strict=True):
            assert word[:length].min() >= 1 and not word[length:].any()


def test_each_voice_says_each_digit_five_times_and_test_voices_are_new():
    data, arrays = load("spoken_digits"), spoken_digits.read()
    counts = np.zeros((16, 10), int)
    np.add.at(counts, (arrays["speakers"], arrays["digits"]), 1)
    assert (counts == 5).all()
    assert np.bincount(data.y_train).tolist() == [60] * 10 and np.bincount(data.y_test).tolist() == [20] * 10


def test_the_file_is_small():
    assert spoken_digits.file().stat().st_size < 500_000


def test_an_altered_file_is_refused(tmp_path, monkeypatch):
    changed = tmp_path / "spoken_digits.npz"
    changed.write_bytes(spoken_digits.file().read_bytes()[:-1] + b"x")
    monkeypatch.setattr(spoken_digits, "file", lambda: changed)
    with pytest.raises(DataRefused, match=r"spoken_digits\.npz is refused"):
        load("spoken_digits")


def test_the_maker_makes_such_words():
    pytest.importorskip("espeakng_loader", reason="the synthesizer is not installed: pip install espeakng-loader")
    from coursekit.experiments.spoken_digits import Synthesizer, features

    synthesizer = Synthesizer()
    samples = synthesizer.say("seven.", "en-us", speed=150, pitch=50, pitch_range=50)
    word = features(samples, synthesizer.rate, np.random.RandomState(0))
    assert word.dtype == np.uint8 and word.shape[1] == 20 and 15 < len(word) < 41 and word.min() >= 1
