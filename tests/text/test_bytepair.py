"""Byte pairs: what is joined, what comes back, and what is refused."""

import itertools

import pytest

from coursekit.text.bytepair import BytePairs, joined, learn_pairs

LETTERS = "abcdefghijklmnopqrstuvwxyz "


def test_pairs_are_joined_from_the_left():
    assert joined(list("aaabaa"), ("a", "a")) == ["aa", "a", "b", "aa"]
    assert joined(["th", "e", "th"], ("th", "e")) == ["the", "th"] and joined([], ("a", "b")) == []


def test_the_most_frequent_pair_inside_words_comes_first_and_the_alphabet_decides():
    assert learn_pairs("the then them there", 3) == [("h", "e"), ("t", "he"), (" ", "the")]
    assert learn_pairs("ab cd", 1) == [(" ", "c")]
    assert learn_pairs("a", 5) == [] and len(learn_pairs("abc", 9)) == 2


def test_learning_fast_gives_what_counting_anew_gives():
    text = "low lower lowest new newer newest wide wider widest slow slower aaaa aaa banana bandana " * 2
    from coursekit.text.bytepair import WORDS

    words, expected = [list(word) for word in WORDS.findall(text)], []
    for _ in range(25):
        pairs = [pair for word in words for pair in itertools.pairwise(word)]
        best = min(set(pairs), key=lambda pair: (-pairs.count(pair), pair))
        expected.append(best)
        words = [joined(word, best) for word in words]
    assert learn_pairs(text, 25) == expected
    pieces = BytePairs(LETTERS, expected)
    assert [pieces.tokens[number] for number in pieces.encode(text)] == [token for word in words for token in word]


def test_what_is_encoded_comes_back_and_what_cannot_be_is_refused():
    pieces = BytePairs(LETTERS, learn_pairs("the cat and the hat", 6))
    assert len(pieces) == 33 and pieces.decode(pieces.encode("that is the cat")) == "that is the cat"
    with pytest.raises(ValueError, match="'é' is not in the vocabulary"):
        pieces.encode("café")
    with pytest.raises(ValueError, match="empty"):
        pieces.encode("")
