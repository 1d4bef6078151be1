"""`python -m coursekit.experiments.spoken_digits` makes `data/spoken_digits.npz`: digits said by a speech synthesizer.

It needs the package espeakng-loader, which brings eSpeak NG for Linux, Windows and macOS: `pip install
espeakng-loader`. The course itself does not need it. Sixteen voices say the ten digits five times each, with their own
pitch and at varying speed; white noise is added; then only loudness by band and frame is kept, in 255 steps. The
synthesizer draws its breath anew each time, so made again the file differs a little, and its sha256 with it.
Born in notebook 09.
"""

import ctypes

import numpy as np

from coursekit.audio import log_mel

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPEAKERS = (  # (voice, pitch): accent and variant of eSpeak NG; the last four are the test speakers
    ("en", 45), ("en-us", 50), ("en-gb-scotland", 40), ("en-us+f2", 55), ("en+f5", 60), ("en+m3", 40),
    ("en-us+zac", 45), ("en+linda", 55), ("en-029", 50), ("en-us+m7", 35), ("en+belinda", 50), ("en-us-nyc+f1", 60),
    ("en-gb-x-rp", 50), ("en-us+f4", 50), ("en+m5", 45), ("en-gb-scotland+f3", 60),
)  # fmt: skip
TEST_SPEAKERS = 4
TAKES = ("{}.", "{}?", "{},", "{}!", "{}")
FLOOR = 50  # decibels below the loudest value of a word that count as silence
_SYNCHRONOUS, _RATE, _PITCH, _RANGE = 2, 1, 3, 4  # numbers of eSpeak NG's interface, speak_lib.h


class Synthesizer:
    """eSpeak NG by ctypes: `say` gives the samples of a text."""

    def __init__(self):
        import espeakng_loader

        self.library = ctypes.CDLL(espeakng_loader.get_library_path())
        folder = espeakng_loader.get_data_path().encode()
        self.rate = self.library.espeak_Initialize(_SYNCHRONOUS, 0, folder, 0)  # samples a second
        self.parts = []
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
        self.listener = kind(self._hear)  # kept, or it would be freed while the library calls it
        self.library.espeak_SetSynthCallback(self.listener)

    def _hear(self, samples, n, _):
        if n > 0:
            self.parts.append(np.ctypeslib.as_array(samples, (n,)).copy())
        return 0

    def say(self, text, voice, *, speed, pitch, pitch_range):
        """The samples (n,) of a text. Raises ValueError for a voice that is not there."""
        if self.library.espeak_SetVoiceByName(voice.encode()):
            raise ValueError(f"this eSpeak NG has no voice {voice!r}")
        for parameter, value in ((_RATE, speed), (_PITCH, pitch), (_RANGE, pitch_range)):
            self.library.espeak_SetParameter(parameter, int(value), 0)
        self.parts.clear()
        content = text.encode() + b"\0"
        self.library.espeak_Synth(content, len(content), 0, 1, 0, 1, None, None)
        self.library.espeak_Synchronize()
        return np.concatenate(self.parts).astype(float)


def features(samples, rate, random):
    """A word as uint8 (frames, 20), 1 to 255: noise added, the silence before and after it cut, loudness in steps."""
    noise = samples.std() * 10 ** (-random.uniform(10, 30) / 20)  # 10 to 30 decibels below the voice
    clean = log_mel(samples, rate)
    loud = clean.max(axis=1) > clean.max() - 35
    first, last = np.flatnonzero(loud)[[0, -1]]
    decibels = log_mel(samples + noise * random.standard_normal(len(samples)), rate)[first : last + 1]
    return np.rint(255 + 254 * (np.clip(decibels - decibels.max(), -FLOOR, 0)) / FLOOR).astype("uint8")


def make(seed=0):
    """All words: {"frames": (all frames, 20) uint8, "lengths", "digits", "speakers": (n,) uint8}, one after another."""
    random, synthesizer = np.random.RandomState(seed), Synthesizer()
    words, digits, speakers = [], [], []
    for speaker, (voice, pitch) in enumerate(SPEAKERS):
        for digit, word in enumerate(WORDS):
            for take in TAKES:
                speed, higher, wider = random.randint(110, 191), random.randint(-8, 9), random.randint(30, 71)
                said = {"speed": speed, "pitch": pitch + higher, "pitch_range": wider}
                samples = synthesizer.say(take.format(word), voice, **said)
                words.append(features(samples, synthesizer.rate, random))
                digits.append(digit)
                speakers.append(speaker)
    lengths = [len(word) for word in words]
    small = {
        name: np.array(v, dtype="uint8")
        for name, v in (("lengths", lengths), ("digits", digits), ("speakers", speakers))
    }
    return {"frames": np.concatenate(words), **small}


if __name__ == "__main__":
    import hashlib

    from coursekit.datasets.spoken_digits import file

    arrays = make()
    np.savez_compressed(file(), **arrays)
    content = file().read_bytes()
    print(f"{len(arrays['digits'])} words, {len(content):,} bytes, sha256 {hashlib.sha256(content).hexdigest()}")
