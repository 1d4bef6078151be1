"""The log-mel spectrogram: a tone stands in its band and at its time."""

import numpy as np
import pytest

from coursekit.audio import log_mel, mel, mel_bands


def test_a_tone_is_loudest_in_its_band_and_while_it_sounds():
    rate, bands = 22050, 20
    middles = np.linspace(mel(100), mel(8000), bands + 2)[1:-1]
    for band in (5, 11, 17):
        hertz = 700 * (10 ** (middles[band] / 2595) - 1)
        tone = np.sin(2 * np.pi * hertz * np.arange(rate) / rate) * (np.arange(rate) > rate / 2)
        loud = log_mel(tone, rate)
        assert set(loud[30:].argmax(axis=1)) == {band}
        assert loud[:20].max() < loud[30:].max() - 40


def test_bands_overlap_and_cover():
    weights = mel_bands(20, 512, 22050)
    assert weights.shape == (20, 257) and weights.min() >= 0 and weights.max() <= 1


def test_what_makes_no_spectrogram_is_refused():
    with pytest.raises(ValueError, match="at least one frame"):
        log_mel(np.zeros(100), 22050)
    with pytest.raises(ValueError, match="too many"):
        mel_bands(200, 512, 22050)
    with pytest.raises(ValueError, match="high is 8000"):
        mel_bands(20, 512, 8000)
