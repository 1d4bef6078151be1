"""Texts that every Python and scikit-learn bring, and the guests' sentences."""

import numpy as np
import pytest

from coursekit.datasets import guests, reference


def test_the_reference_is_long_enough_plain_and_without_repeated_paragraphs():
    text = reference.python_reference(330_000)
    assert len(text) == 330_000 and set(text) <= set(reference.CHARACTERS)
    paragraphs = text.split("\n\n")
    assert len(set(paragraphs)) == len(paragraphs)
    with pytest.raises(ValueError, match="fewer than"):
        reference.python_reference(10**8)


def test_descriptions_are_long_enough():
    assert len(reference.dataset_descriptions(30_000)) == 30_000


def test_a_bag_of_words_says_nothing_about_opinions():
    texts, labels = guests.opinions(4000, np.random.default_rng(0), kept_for_test=False)
    by_bag = {}
    for text, label in zip(texts, labels, strict=True):
        words = text.split()
        assert words.count("not") == 1
        by_bag.setdefault(tuple(sorted(set(words) & set(guests.GOOD + guests.BAD))), []).append(label)
        food = text.split(" and ")[0 if text.startswith("the food") else 1].split()
        assert label == ((food[-1] in guests.GOOD) != ("not" in food))
    shares = [np.mean(one) for one in by_bag.values() if len(one) > 40]
    assert abs(np.mean(shares) - 0.5) < 0.05 and max(shares) < 0.85
    kept, _ = guests.opinions(500, np.random.default_rng(1), kept_for_test=True)
    pair = lambda text: tuple(word for word in text.split() if word in guests.GOOD + guests.BAD)
    assert not set(map(pair, kept)) & set(map(pair, texts))


def test_who_praises_stays():
    for text in guests.consequences(300, np.random.default_rng(2)):
        words = text.split()
        praise = (set(words) & set(guests.GOOD) != set()) != ("not" in words)
        assert words[-1] == ("stay" if praise else "leave")


def test_strange_sentences_are_refused():
    assert guests.encode(["the food was good"])[0, :5].tolist() == [2, 3, 5, guests.NUMBER["good"], 0]
    for sentence, message in [("", "empty"), ("the soup was good", "'soup' is not"), ("the " * 13, "positions for 12")]:
        with pytest.raises(ValueError, match=message):
            guests.encode([sentence])
