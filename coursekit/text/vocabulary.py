"""Words to numbers and back, in plain Python. Born in notebook 09."""

import re
from collections import Counter

PADDING, UNKNOWN = 0, 1  # the numbers of "no word here" and of every word that is not in the vocabulary


def tokens(text):
    """The words of a text in lower case, without punctuation: a list. Letters of any language and digits are kept."""
    return re.findall(r"[^\W_]+", text.lower())


class Vocabulary:
    """The most frequent words of some texts, each with a number; 0 is padding and 1 any other word.

    texts: a list of strings; size: how many numbers there are at most, padding and unknown among them.
    words[number] is the word, number_of[word] the number. Words as frequent as each other stand in alphabetical order.
    Raises ValueError where the texts hold no word, or size leaves no room for one.
    """

    def __init__(self, texts, size=1000):
        if isinstance(texts, str):
            raise ValueError("give a list of texts; one text is [text]")
        counts = Counter(word for text in texts for word in tokens(text))
        if not counts or size < 3:
            raise ValueError(f"{len(counts)} different words and a size of {size}; there is nothing to number")
        frequent = sorted(counts, key=lambda word: (-counts[word], word))
        self.words = ["", "[UNK]", *frequent[: size - 2]]
        self.number_of = {word: number for number, word in enumerate(self.words) if number > UNKNOWN}

    def __len__(self):
        return len(self.words)

    def encode(self, text):
        """The number of each word of a text, 1 for an unknown one. Raises ValueError for a text without words."""
        numbers = [self.number_of.get(word, UNKNOWN) for word in tokens(text)]
        if not numbers:
            raise ValueError(f"there is no word in {text[:40]!r}; leave empty texts out before you encode")
        return numbers

    def decode(self, numbers):
        """The words of numbers, as one text without padding. Raises ValueError for a number of no word."""
        strange = [number for number in numbers if not 0 <= number < len(self.words)]
        if strange:
            raise ValueError(f"the numbers go from 0 to {len(self.words) - 1}; {strange[0]} stands for no word")
        return " ".join(self.words[number] for number in numbers if number != PADDING)


def pad(sequences, length=None):
    """Sequences of numbers as one array (n, length) of int32, zeros behind the shorter ones; longer ones are cut.

    length: by default that of the longest. Raises ValueError where there is no sequence.
    """
    import numpy as np

    if not len(sequences):
        raise ValueError("there is no sequence to pad")
    length = max(map(len, sequences)) if length is None else length
    padded = np.full((len(sequences), length), PADDING, dtype="int32")
    for row, sequence in zip(padded, sequences, strict=True):
        row[: min(len(sequence), length)] = sequence[:length]
    return padded
