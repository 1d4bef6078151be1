"""Language models, readers and low-rank changes: what may be seen, what stays, what is refused."""

import keras
import numpy as np
import pytest
from keras import ops

from coursekit.models import language

array = ops.convert_to_numpy
TOKENS = np.array([[1, 2, 3, 4, 5]])
CHANGED = np.array([[1, 2, 3, 9, 5]])


def test_a_causal_model_sees_nothing_that_comes_later_and_a_masked_one_does():
    causal, masked = (language.LanguageModel(10, width=8, heads=2, hidden=8, blocks=1, causal=c) for c in (True, False))
    same = [np.isclose(array(one(TOKENS)), array(one(CHANGED)), atol=1e-6).all(axis=-1)[0] for one in (causal, masked)]
    assert same[0].tolist() == [True, True, True, False, False] and not same[1].any()


def test_what_is_longer_than_the_places_is_refused():
    with pytest.raises(ValueError, match="5 tokens, and the model has 4 positions"):
        language.LanguageModel(10, width=8, heads=2, longest=4)(TOKENS)
    with pytest.raises(ValueError, match="5 places, and the model has 4 positions"):
        language.Reader(keras.layers.Embedding(10, 8), 2, width=8, heads=2, longest=4)(TOKENS)


def test_a_reader_leaves_padding_out_and_zeros_that_are_none_in():
    reader = language.Reader(keras.layers.Embedding(10, 8), 2, width=8, heads=2, padded=True)
    assert np.allclose(array(reader(TOKENS)), array(reader(np.pad(TOKENS, ((0, 0), (0, 3))))), atol=1e-5)
    reader = language.Reader(keras.layers.Dense(8), 2, width=8, heads=2)
    x = np.ones((1, 3, 4), dtype="float32")
    assert not np.allclose(array(reader(x)), array(reader(np.pad(x, ((0, 0), (0, 2), (0, 0))))), atol=1e-4)


def test_hidden_tokens_are_never_padding_and_every_row_has_one():
    tokens = np.array([[5, 6, 0, 0], [7, 8, 9, 0], [3, 0, 0, 0]] * 50)
    hidden, chosen = language.hide(tokens, np.random.default_rng(0), hidden=1)
    assert (chosen.sum(axis=1) >= 1).all() and not chosen[tokens == 0].any()
    assert np.array_equal(hidden, np.where(chosen == 1, 1, tokens))


def test_low_rank_changes_start_at_nothing_and_alone_are_trained():
    model = language.LanguageModel(10, width=8, heads=2, hidden=16, blocks=2, longest=5)
    before = array(model(TOKENS))
    frozen = array(model.blocks[0].attention.query.kernel).copy()
    trained = language.adapt(model, rank=1)
    assert trained == 2 * 4 * (8 + 8)
    assert np.allclose(array(model(TOKENS)), before, atol=1e-5)
    language.fit(model, np.repeat(TOKENS, 8, axis=0), np.repeat(CHANGED, 8, axis=0), batch_size=4, peak=0.05)
    query = model.blocks[0].attention.query
    change = array(query.lora_kernel_a) @ array(query.lora_kernel_b)
    assert np.allclose(array(query._kernel), frozen) and np.abs(change).max() > 0
    assert np.linalg.matrix_rank(change) == 1


def test_training_learns_and_refuses_what_does_not_fit():
    keras.utils.set_random_seed(0)
    model = language.LanguageModel(10, width=16, heads=2, hidden=16, blocks=1)
    x = np.tile(np.arange(8), (64, 1))
    losses = language.fit(model, x, (x + 1) % 10, batch_size=16, epochs=8, peak=1e-2)
    assert losses[-1] < 0.5 * losses[0]
    with pytest.raises(ValueError, match="64 inputs and 63 targets"):
        language.fit(model, x, x[1:])
