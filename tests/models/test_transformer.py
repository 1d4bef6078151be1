"""The transformer of notebook 10: vocabulary, blocks, what each place may know, writing, beams, distances."""

import numpy as np
import pytest
from keras import ops

from coursekit.models import transformer as t

array = ops.convert_to_numpy


@pytest.fixture(scope="module")
def model():
    import keras

    keras.utils.set_random_seed(1)
    made = t.Transformer(9, 7, width=16, heads=2, hidden=24, blocks=2, longest=12)
    made((np.ones((1, 4), "int32"), np.ones((1, 3), "int32")))
    return made


# --- vocabulary -------------------------------------------------------------------------------------------------------
def test_texts_come_back_from_their_numbers():
    letters, sounds = t.Vocabulary("abc ", 6), t.Vocabulary(["R", "EY", "N"], 4)
    assert letters.encode(["ab", "c a"]).tolist() == [[3, 4, 0, 0, 0, 0], [5, 6, 3, 0, 0, 0]]
    assert letters.framed(["ab"]).tolist() == [[1, 3, 4, 2, 0, 0, 0, 0]]
    assert letters.decode(letters.framed(["ab", "c a"])) == ["ab", "c a"]
    assert sounds.decode(sounds.framed(["R EY N"])) == ["R EY N"] and len(sounds) == 6
    assert letters.decode([[3, 4, 5, 2, 4, 4]]) == ["abc"]  # what stands behind the end doesn't count
    assert sounds.framed(["R EY N R"])[0].tolist() == [1, 3, 4, 5, 3, 2]  # as long as may be


@pytest.mark.parametrize(
    "text, sentence",
    [("", "is empty"), ("abcabca", "has 7 symbols, and there are positions for 6"), ("abx", "'x' in 'abx'")],
)
def test_bad_texts_are_refused_with_a_sentence(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        t.Vocabulary("abc", 6).encode(["a", text])


# --- the model --------------------------------------------------------------------------------------------------------
def test_shapes(model):
    source, answer = np.full((2, 5), 4, "int32"), np.full((2, 3), 3, "int32")
    assert model((source, answer)).shape == (2, 3, 7)
    memory = model.encoder(source)
    logits, looks = model.decoder(answer, memory, source)
    assert memory.shape == (2, 5, 16) and logits.shape == (2, 3, 7) and looks.shape == (2, 2, 2, 3, 5)
    assert np.allclose(array(looks).sum(axis=-1), 1, atol=1e-5)


def test_no_place_knows_what_comes_later(model):
    source, answer = np.full((1, 5), 4, "int32"), np.array([[1, 3, 4, 5]], "int32")
    changed = answer.copy()
    changed[0, 2] = 6
    before, after = (array(model((source, one)))[0] for one in (answer, changed))
    assert np.allclose(before[:2], after[:2], atol=1e-5) and not np.allclose(before[2], after[2], atol=1e-3)


def test_padding_of_the_source_changes_nothing(model):
    answer, source = np.array([[1, 3, 4]], "int32"), np.array([[4, 5, 6]], "int32")
    padded = np.pad(source, ((0, 0), (0, 4)))
    assert np.allclose(array(model((source, answer))), array(model((padded, answer))), atol=1e-5)


def test_the_order_of_the_source_matters(model):
    answer, source = np.array([[1, 3, 4]], "int32"), np.array([[4, 5, 6]], "int32")
    assert not np.allclose(array(model((source, answer))), array(model((source[:, ::-1], answer))), atol=1e-3)


@pytest.mark.parametrize("lengths", [(13, 3), (3, 13)])
def test_a_text_longer_than_the_positions_is_refused(model, lengths):
    with pytest.raises(ValueError, match="a text of 13 tokens, and the model has 12 positions"):
        model(tuple(np.ones((1, n), "int32") for n in lengths))


def test_dropout_works_in_training_only():
    block = t.EncoderBlock(8, 2, 16, dropout=0.5)
    x = np.random.default_rng(0).normal(size=(1, 4, 8)).astype("float32")
    still, again = array(block(x)), array(block(x))
    assert np.allclose(still, again) and not np.allclose(still, array(block(x, training=True)), atol=1e-3)


@pytest.mark.slow
def test_it_learns_to_copy():
    import keras

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    letters = t.Vocabulary("abcd", 3)
    texts = ["".join(rng.choice(list("abcd"), size=3)) for _ in range(600)]
    x, y = letters.encode(texts), letters.framed(texts)
    small = t.Transformer(len(letters), len(letters), width=32, heads=2, hidden=32, longest=8)
    compiled = keras.backend.backend() == "jax"
    small.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=compiled)
    small.optimizer.learning_rate = 5e-3
    small.fit((x, y[:, :-1]), y[:, 1:], epochs=12, verbose=0)
    asked = ["abc", "ddb", "bab", "cad"]
    assert sum(np.array(letters.decode(t.write(small, letters.encode(asked), 4))) == asked) >= 3


# --- writing ----------------------------------------------------------------------------------------------------------
def test_greedy_is_a_beam_of_one(model):
    source = np.array([[4, 5, 6, 0], [7, 8, 0, 0]], "int32")
    written = t.write(model, source, 6)
    for row, one in zip(written.tolist(), source, strict=True):
        (found, log_p), *others = t.beam_search(t.next_token_of(model, one, 6), 1, 6)
        row = row[: row.index(t.END) + 1] if t.END in row else row
        assert found == row and log_p < 0 and not others


def two_roads(answers):
    """0.6 and 0.4, then 0.5 and 0.5 behind the first, certainty behind the second; then the end."""
    table = {(1,): {3: 0.6, 4: 0.4}, (1, 3): {3: 0.5, 4: 0.5}, (1, 4): {3: 1.0}}
    log_p = np.full((len(answers), 5), -1e9)
    for row, answer in zip(log_p, answers, strict=True):
        for token, p in table.get(tuple(answer), {2: 1.0}).items():
            row[token] = np.log(p)
    return log_p


def test_a_beam_finds_what_greedy_misses():
    (greedy, p), (best, q) = (t.beam_search(two_roads, width, 5)[0] for width in (1, 2))
    assert greedy == [3, 3, 2] and np.isclose(np.exp(p), 0.3)
    assert best == [4, 3, 2] and np.isclose(np.exp(q), 0.4)
    assert [found for found, _ in t.beam_search(two_roads, 3, 5)] == [[4, 3, 2], [3, 3, 2], [3, 4, 2]]


def test_a_beam_ends_at_the_limit():
    assert t.beam_search(two_roads, 2, 1)[0][0] == [3]


# --- distances --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "first, second, distance",
    [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("", "", 0), ("ab", "ba", 2), ("rain", "rain", 0)],
)
def test_edit_distance(first, second, distance):
    assert t.edit_distance(first, second) == t.edit_distance(second, first) == distance
    assert t.edit_distance(list(first), list(second)) == distance
