"""Sentences of guests about food and staff, in which "not" and the order of words decide. Born in notebook 11."""

import numpy as np

GOOD = ["good", "great", "lovely", "nice", "perfect"]
BAD = ["bad", "awful", "terrible", "poor", "horrible"]
WORDS = ["<padding>", "<hidden>", "the", "food", "staff", "was", "not", "and", "so", "we", "stay", "leave"]
WORDS += GOOD + BAD
NUMBER = {word: number for number, word in enumerate(WORDS)}
LONGEST = 12


def encode(sentences):
    """Sentences as numbers (n, 12), with 0 behind the shorter ones.

    Raises ValueError, with a sentence, for an empty one, one that is too long, and a word that is not in WORDS.
    """
    numbers = np.zeros((len(sentences), LONGEST), dtype="int32")
    for row, sentence in zip(numbers, sentences, strict=True):
        words = sentence.split()
        if not words:
            raise ValueError("a sentence is empty: there is nothing to read in it")
        if len(words) > LONGEST:
            raise ValueError(f"{len(words)} words, and there are positions for {LONGEST}: shorten the sentence")
        strange = [word for word in words if word not in NUMBER]
        if strange:
            raise ValueError(f"{strange[0]!r} is not in the vocabulary: use one of its {len(WORDS)} words")
        row[: len(words)] = [NUMBER[word] for word in words]
    return numbers


def opinions(n, rng, *, kept_for_test):
    """n sentences about food and staff with one "not", and whether each praises the food: (texts, labels (n,)).

    "the food was not good and the staff was poor": the food is not praised. The order of the halves, the adjectives and
    the place of "not" are random. The same words in another order are as frequent and have the other
    label. kept_for_test: True for pairs of adjectives that never stand together where it is False.
    """
    adjectives, texts, labels = GOOD + BAD, [], np.zeros(n, dtype="int32")
    while len(texts) < n:
        first, second = rng.integers(10, size=2)
        if first == second or ((first + second) % 5 == 0) != kept_for_test:
            continue
        halves, negated = [], rng.integers(2)
        subjects = ["food", "staff"] if rng.integers(2) else ["staff", "food"]
        for i, (subject, adjective) in enumerate(zip(subjects, (first, second), strict=True)):
            words = ["the", subject, "was", *["not"] * int(i == negated), adjectives[adjective]]
            halves.append(" ".join(words))
            if subject == "food":
                labels[len(texts)] = (adjective < 5) != (i == negated)
        texts.append(" and ".join(halves))
    return texts, labels


def consequences(n, rng):
    """n sentences such as "the food was not good so we leave": a guest who praises stays, the others leave."""
    texts = []
    for _ in range(n):
        negated, adjective = rng.integers(2), rng.integers(10)
        words = ["the", ["food", "staff"][rng.integers(2)], "was", *["not"] * int(negated)]
        end = "stay" if (adjective < 5) != bool(negated) else "leave"
        texts.append(" ".join([*words, (GOOD + BAD)[adjective], "so we", end]))
    return texts
