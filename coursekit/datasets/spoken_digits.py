"""Spoken digits: words of different length from a speech synthesizer. Born in notebook 09.

The file was made by `python -m coursekit.experiments.spoken_digits`; this module reads it. Nothing is unpickled.
"""

from coursekit.datasets.bundled import bundled
from coursekit.datasets.cards import Dataset
from coursekit.errors import DataRefused
from coursekit.paths import data_dir

SHA256 = "98360f4ba75734b66a6c5d2c1e552e197619d6614061869068e089e6431a2842"
TEST_SPEAKERS = (12, 13, 14, 15)


def file():
    """Where the words are kept."""
    return data_dir() / "spoken_digits.npz"


@bundled(
    name="spoken_digits",
    title="the ten digits, said by 16 voices of a speech synthesizer, as loudness by time and pitch",
    task="sequence classification",
    samples=(600, 200),
    shape=(41, 20),
    dtype="uint8",
    range=(0, 255),
    source="synthesized with eSpeak NG 1.52 (https://github.com/espeak-ng/espeak-ng, from the package espeakng-loader "
    "0.2.4) by coursekit/experiments/spoken_digits.py",
    license="CC BY 4.0, as the course's figures. eSpeak NG is under the GPL, version 3 or later; its section 2 says "
    "that a program's output is covered only if, given its content, it constitutes a covered work "
    "(https://www.gnu.org/licenses/gpl-3.0.html). We take these loudness values, which hold neither code nor sound, "
    "to be none",
    classes=tuple("0123456789"),
    note="Made voices, not people: cleaner and more alike than people are. Each row is a frame of 23 milliseconds, 20 "
    "milliseconds after the one before; each column a band of 100 to 8,000 hertz, low to high, on the mel scale; each "
    "value the loudness in 255 steps of 0.2 decibels, white noise added. A word ends where only zeros follow. The four "
    "test voices are not among the twelve of training; each voice says each digit five times.",
)
def spoken_digits(card):
    """Words: x uint8 (n, 41, 20), frames of loudness and then zeros; y uint8 the digit."""
    import numpy as np

    arrays = read()
    lengths = arrays["lengths"].astype(int)
    x = np.zeros((len(lengths), *card.shape), dtype="uint8")
    for word, frames in zip(x, np.split(arrays["frames"], np.cumsum(lengths)[:-1]), strict=True):
        word[: len(frames)] = frames
    test = np.isin(arrays["speakers"], TEST_SPEAKERS)
    digits = arrays["digits"]
    return Dataset(x[~test], digits[~test], x[test], digits[test], card)


def read():
    """The arrays of the file: frames (all, 20), lengths, digits, speakers (n,). Raises DataRefused if altered."""
    import hashlib
    import io

    import numpy as np

    content = file().read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise DataRefused(
            f"{file().name} is refused: it is not the file that the course ships; fetch it again (git checkout)"
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
