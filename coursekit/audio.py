"""Sound as a sequence of vectors: the log-mel spectrogram, in NumPy. Born in notebook 09.

Stevens, Volkmann and Newman (1937), "A scale for the measurement of the psychological magnitude pitch"; the formula for
mel is the usual one, 2595 log10(1 + f / 700).
"""

import numpy as np


def mel(hertz):
    """The mel scale: equal steps sound like equal steps of pitch."""
    return 2595 * np.log10(1 + np.asarray(hertz, dtype=float) / 700)


def mel_bands(bands, size, rate, low=100.0, high=8000.0):
    """Overlapping triangles over the frequencies of a spectrum: (bands, size // 2 + 1) weights, from 0 to 1.

    size: samples in a frame; rate: samples a second. The tips stand at equal distances in mel between low and high.
    Raises ValueError where high is above half the rate, or a band is so narrow that no frequency falls into it.
    """
    if high > rate / 2:
        raise ValueError(f"a rate of {rate} holds frequencies up to {rate / 2:g}; high is {high:g}")
    frequencies = mel(np.arange(size // 2 + 1) * rate / size)
    edges = np.linspace(mel(low), mel(high), bands + 2)
    left, middle, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (frequencies - left) / (middle - left), (right - frequencies) / (right - middle)
    weights = np.clip(np.minimum(rising, falling), 0, None)
    if not weights.any(axis=1).all():
        raise ValueError(f"{bands} bands are too many for frames of {size} samples; take fewer, or longer frames")
    return weights


def log_mel(samples, rate, *, bands=20, size=512, hop=441, low=100.0, high=8000.0):
    """The loudness of each band in each frame, in decibels: (frames, bands).

    samples: (n,) numbers; rate: samples a second; size, hop: samples in a frame, and from one frame to the next.
    Each frame is faded in and out (Hann), and its spectrum's squares are added up band by band.
    Raises ValueError where there are fewer samples than one frame has.
    """
    samples = np.asarray(samples, dtype=float)
    if samples.ndim != 1 or len(samples) < size:
        raise ValueError(f"log_mel() takes (n,) samples, at least one frame of {size}; this has shape {samples.shape}")
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[::hop] * np.hanning(size)  # (frames, size)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2  # (frames, size // 2 + 1)
    return 10 * np.log10(power @ mel_bands(bands, size, rate, low, high).T + 1e-10)
