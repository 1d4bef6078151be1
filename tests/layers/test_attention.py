"""Attention, heads, layer normalization and positions: by hand, against Keras and PyTorch, and on bad input."""

import keras
import numpy as np
import pytest
from keras import ops

from coursekit.layers import attention as a
from coursekit.layers.library_attention import library_differences
from coursekit.layers.step_cost import step_cost
from coursekit.models.transformer import EncoderBlock

array = ops.convert_to_numpy


@pytest.fixture
def rng():
    return np.random.default_rng(10)


# --- attention --------------------------------------------------------------------------------------------------------
def test_attention_by_hand():
    queries, keys = np.array([[0.0, 0.0], [2.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    outputs, weights = a.attention(queries * 2**0.5, keys, np.array([[10.0], [0.0], [-10.0]]))
    e = np.exp(2)
    assert np.allclose(array(weights), [[1 / 3] * 3, [e / (e + 2), 1 / (e + 2), 1 / (e + 2)]], atol=1e-6)
    assert np.allclose(array(outputs), [[0], [10 * (e - 1) / (e + 2)]], atol=1e-5)


def test_a_mask_hides_keys_and_the_rest_adds_up_to_one(rng):
    q, k, v = rng.normal(size=(3, 2, 4, 5)).astype("float32")
    _, weights = a.attention(q, k, v, a.causal_mask(4))
    weights = array(weights)
    assert np.allclose(weights.sum(axis=-1), 1, atol=1e-6)
    assert (weights[:, ~a.causal_mask(4)] == 0).all() and (weights[:, a.causal_mask(4)] > 0).all()


def test_a_padding_mask_is_true_where_there_is_a_token():
    mask = array(a.padding_mask(np.array([[5, 0, 0], [1, 2, 3]])))
    assert mask.shape == (2, 1, 1, 3) and mask[:, 0, 0].tolist() == [[True, False, False], [True, True, True]]


@pytest.mark.parametrize("shapes", [((3, 2), (4, 3), (4, 2)), ((3, 2), (4, 2), (5, 2))])
def test_what_does_not_fit_is_refused(shapes):
    with pytest.raises(ValueError, match="don't fit"):
        a.attention(*map(np.zeros, shapes))


# --- heads ------------------------------------------------------------------------------------------------------------
def test_heads_are_attentions_on_shares_of_the_width(rng):
    x, y = rng.normal(size=(2, 3, 6)).astype("float32"), rng.normal(size=(2, 5, 6)).astype("float32")
    layer = a.MultiHeadAttention(6, 2)
    outputs, weights = layer(x, y)
    assert outputs.shape == (2, 3, 6) and weights.shape == (2, 2, 3, 5)
    q, k, v = array(layer.query(x)), array(layer.key(y)), array(layer.value(y))
    heads = [a.attention(q[..., cut], k[..., cut], v[..., cut])[0] for cut in (slice(0, 3), slice(3, 6))]
    joined = np.concatenate([array(head) for head in heads], axis=-1)
    assert np.allclose(array(layer.mix(joined)), array(outputs), atol=1e-5)


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="3 heads can't share a width of 8"):
        a.MultiHeadAttention(8, 3)


# --- normalization and positions --------------------------------------------------------------------------------------
def test_layer_normalization_by_hand():
    got = array(a.LayerNormalization()(np.array([[1.0, 2, 3, 6], [5, 5, 5, 5]], dtype="float32")))
    assert np.allclose(got, [np.array([-2, -1, 0, 3]) / np.sqrt(3.501), [0, 0, 0, 0]], atol=1e-5)


def test_positions_by_hand_and_their_turning():
    got = a.positional_encoding(60, 6)
    assert got.shape == (60, 6) and got.dtype == "float32" and np.allclose(got[0], [0, 1] * 3)
    assert np.allclose(got[3], [f(3 / 10000 ** (i / 3)) for i in range(3) for f in (np.sin, np.cos)], atol=1e-6)
    exact = got.astype(float)
    back = np.linalg.lstsq(exact[1:30], exact[:29], rcond=None)[0]
    assert np.allclose(exact[1:] @ back, exact[:-1], atol=1e-2)
    with pytest.raises(ValueError, match="even"):
        a.positional_encoding(4, 5)


# --- beside the libraries ---------------------------------------------------------------------------------------------
def test_every_part_is_the_libraries_to_a_hundred_thousandth(rng):
    found = library_differences(EncoderBlock(12, 3, 20), a.attention, rng)
    assert {part for part, library in found if library == "Keras"} == {
        "attention", "multi-head attention", "layer normalization",
    }  # fmt: skip
    assert max(found.values()) < 1e-5


def test_a_difference_is_seen(rng):
    def unscaled(q, k, v, mask=None):
        return a.attention(q * q.shape[-1] ** 0.5, k, v, mask)

    assert library_differences(EncoderBlock(8, 2, 16), unscaled, rng)["attention", "Keras"] > 1e-2
    block = EncoderBlock(8, 2, 16)
    block.norm_1.epsilon = 0.1
    assert library_differences(block, a.attention, rng)["layer normalization", "Keras"] > 1e-3


# --- what training costs, and what the scale does to it ---------------------------------------------------------------
def test_the_look_up_descends_its_own_gradient():
    start = np.random.default_rng(3).normal(size=(2, 6, 6)) / 6**0.5
    errors = a.train_lookup(start, scale=6**0.5, learning_rate=1.0, seed=1, steps=60)
    assert errors.shape == (60,) and errors[-10:].mean() < errors[:10].mean()
    # the gradient by two nudges of one entry of each matrix, from a step so small that it stays a slope
    for place in [(0, 1, 2), (1, 4, 0)]:
        rate, nudge = 1e-6, np.zeros_like(start)
        nudge[place] = 1e-4
        up, down = (a.train_lookup(start + s * nudge, scale=2.0, learning_rate=0, seed=1, steps=1)[0] for s in (1, -1))
        moved = []
        original = np.stack

        def stack(parts, moved=moved, original=original, **more):
            result = original(parts, **more)
            moved.append(result)
            return result

        a.np.stack, keep = stack, a.np.stack
        try:
            a.train_lookup(start, scale=2.0, learning_rate=rate, seed=1, steps=1)
        finally:
            a.np.stack = keep
        assert np.isclose((start - moved[-1])[place] / rate, (up - down) / 2e-4, rtol=1e-3, atol=1e-6)


def test_the_scale_is_a_smaller_start_and_a_smaller_rate():
    start = np.random.default_rng(5).normal(size=(2, 16, 16)) / 4
    scaled = a.train_lookup(start, scale=4.0, learning_rate=1.0, seed=2, steps=30)
    same = a.train_lookup(start / 2, scale=1.0, learning_rate=0.25, seed=2, steps=30)
    assert np.allclose(scaled, same, atol=1e-9)


def test_a_step_has_a_time_and_a_memory():
    pytest.importorskip("jax")
    for kind in ("attention", "LSTM"):
        seconds, memory = step_cost(kind, 12, width=8, batch=2, repeats=2)
        assert seconds > 0 and memory > 0
    with pytest.raises(ValueError, match="attention and LSTM"):
        step_cost("GRU", 8)


def test_layers_can_be_named_and_typed():
    assert a.LayerNormalization(name="norm").name == "norm"
    assert isinstance(a.MultiHeadAttention(4, 2, name="heads"), keras.layers.Layer)
