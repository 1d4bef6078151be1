"""Words to numbers and back: order, unknown words, padding, and what is refused."""

import numpy as np
import pytest

from coursekit.text import PADDING, UNKNOWN, Vocabulary, pad, tokens

TEXTS = ["The dog saw the cat.", "The cat slept!", "A dog saw a dog"]


def test_tokens_are_words_of_any_language_in_lower_case():
    assert tokens("Don't PANIC: 42 snake_case, Çay für Ωmega!") == [
        "don", "t", "panic", "42", "snake", "case", "çay", "für", "ωmega",
    ]  # fmt: skip


def test_frequent_words_come_first_and_equals_by_the_alphabet():
    vocabulary = Vocabulary(TEXTS, size=6)
    assert vocabulary.words == ["", "[UNK]", "dog", "the", "a", "cat"] and len(vocabulary) == 6
    assert vocabulary.encode("the bird saw a dog") == [3, UNKNOWN, UNKNOWN, 4, 2]
    assert vocabulary.decode([3, 1, 2, PADDING]) == "the [UNK] dog"


def test_padding_fills_behind_and_cuts_at_the_end():
    assert pad([[5], [6, 7, 8]]).tolist() == [[5, 0, 0], [6, 7, 8]]
    assert pad([[5], [6, 7, 8]], 2).tolist() == [[5, 0], [6, 7]]
    assert pad([[5]]).dtype == np.int32


@pytest.mark.parametrize("text", ["", "...", " \n"])
def test_a_text_without_words_is_refused(text):
    with pytest.raises(ValueError, match="no word"):
        Vocabulary(TEXTS).encode(text)


def test_what_makes_no_vocabulary_is_refused():
    with pytest.raises(ValueError, match="nothing to number"):
        Vocabulary(["..."])
    with pytest.raises(ValueError, match="nothing to number"):
        Vocabulary(TEXTS, size=2)
    with pytest.raises(ValueError, match="a list of texts"):
        Vocabulary("one text")
    with pytest.raises(ValueError, match="stands for no word"):
        Vocabulary(TEXTS).decode([99])
    with pytest.raises(ValueError, match="no sequence"):
        pad([])


def test_text_vectorization_gives_the_same_numbers():
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("TextVectorization needs TensorFlow as the backend")
    vocabulary = Vocabulary(TEXTS, size=6)
    layer = keras.layers.TextVectorization(vocabulary=vocabulary.words[2:], output_sequence_length=5)
    theirs = keras.ops.convert_to_numpy(layer(TEXTS))
    assert np.array_equal(pad(list(map(vocabulary.encode, TEXTS))), theirs)
