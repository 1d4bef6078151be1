"""Sampling, the cache, n-grams and the coder, on networks that are not trained."""

import numpy as np
import pytest

from coursekit.models.language import LanguageModel
from coursekit.text import generation


@pytest.fixture(scope="module")
def model():
    import keras

    keras.utils.set_random_seed(3)
    one = LanguageModel(11, width=8, heads=2, hidden=12, blocks=2, longest=10)
    one(np.zeros((1, 4), dtype="int32"))
    for variable in one.trainable_variables:  # biases and scales that are not 0 and 1
        variable.assign(np.random.default_rng(len(variable.path)).normal(0.1, 0.5, size=variable.shape))
    return one


def test_temperature_top_k_and_nucleus_on_numbers_for_the_head():
    logits = np.log([1 / 2, 1 / 4, 1 / 8, 1 / 8])
    p = generation.probabilities(logits)
    assert np.allclose(generation.probabilities(logits, 0.5), np.array([16, 4, 1, 1]) / 22)
    assert np.allclose(generation.top_k(p, 2), [2 / 3, 1 / 3, 0, 0])
    assert np.allclose(generation.nucleus(p, 0.8), np.array([4, 2, 1, 0]) / 7)
    assert np.allclose(generation.nucleus(p, 0.75), [2 / 3, 1 / 3, 0, 0]) and np.allclose(generation.nucleus(p, 1), p)
    with pytest.raises(ValueError, match="has to be positive"):
        generation.probabilities(logits, 0)


def test_the_sampler_draws_what_it_may():
    rng, logits = np.random.default_rng(0), np.log([0.1, 0.5, 0.4])
    assert {generation.sampler(rng, k=2)(logits) for _ in range(200)} == {1, 2}
    assert {generation.sampler(rng, share=0.4)(logits) for _ in range(50)} == {1}


def test_the_writer_gives_the_models_logits_with_and_without_a_cache(model):
    tokens = np.array([3, 1, 4, 1, 5, 9, 2, 6])
    theirs = np.asarray(model(tokens[None]))[0] if not hasattr(model(tokens[None]), "detach") else None
    if theirs is None:
        theirs = model(tokens[None]).detach().cpu().numpy()[0]
    for cache in (True, False):
        writer = generation.Writer(model, cache=cache)
        ours = np.stack([writer.read([token]) for token in tokens])
        assert np.allclose(ours, theirs, atol=1e-4)
        writer.start()
        assert np.allclose(writer.read(tokens), theirs[-1], atol=1e-4)


def test_a_text_may_outgrow_the_places_when_it_is_written_but_not_when_it_is_read(model):
    writer = generation.Writer(model)
    assert len(generation.write(writer, [1, 2], 30, np.argmax)) == 30
    with pytest.raises(ValueError, match="11 tokens, and the model has 10 positions"):
        generation.write(writer, range(11), 1, np.argmax)
    with pytest.raises(ValueError, match="no token to read"):
        generation.write(writer, [], 1, np.argmax)


def test_the_coder_gives_back_every_text_within_two_bits_of_the_promise(model):
    writer, rng = generation.Writer(model), np.random.default_rng(1)
    for length in (1, 2, 10, 25):  # longer than the places, too
        tokens = [int(token) for token in rng.integers(11, size=length)]
        bits = generation.encode_interval(tokens, generation.counts_from(writer))
        assert generation.decode_interval(bits, length, generation.counts_from(writer)) == tokens
        assert 0 <= len(bits) - generation.ideal_bits(tokens, generation.counts_from(writer)) < 2


def test_fixed_counts_give_the_bits_of_the_page():
    assert generation.encode_interval([0, 1], lambda tokens: [4, 2, 1, 1]) == [0, 1, 0]
    assert generation.decode_interval([0, 1, 0], 2, lambda tokens: [4, 2, 1, 1]) == [0, 1]
    for token in range(4):
        for other in range(4):
            bits = generation.encode_interval([token, other], lambda tokens: [4, 2, 1, 1])
            assert generation.decode_interval(bits, 2, lambda tokens: [4, 2, 1, 1]) == [token, other]


def test_an_ngram_model_counts_and_its_probabilities_add_up_to_one():
    text = "abracadabra"
    counts = generation.character_counts(text, 2)
    assert counts[0][""]["a"] == 5 and counts[1]["a"] == {"b": 2, "c": 1, "d": 1} and counts[2]["br"] == {"a": 2}
    chances = [2 ** -(2 * generation.ngram_bits(counts, "a" + x, 2, 5) - generation.ngram_bits(counts, "a", 2, 5))
               for x in "abcdr"]  # fmt: skip
    assert np.isclose(sum(chances), 1)
