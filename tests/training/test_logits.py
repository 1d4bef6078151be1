"""Adam in one vector: the same as Keras's, with weights that count, and full batches."""

import keras
import numpy as np
import pytest

from coursekit.training import logits


def network():
    keras.utils.set_random_seed(5)
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(6, activation="relu"), keras.layers.Dense(3)])


def data(n=40):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 4)).astype("float32")
    return x, x[:, :3].argmax(axis=1)


def test_the_rate_rises_for_a_tenth_and_falls_to_zero():
    rates = logits.rates(100, 2.0)
    assert len(rates) == 100 and rates.argmax() == 9 and np.isclose(rates.max(), 2.0) and np.isclose(rates[-1], 0)
    assert len(logits.rates(1, 1.0)) == 1 and len(logits.rates(2, 1.0)) == 2


def test_it_walks_with_kerass_adam():
    x, y = data()
    ours, theirs = network(), network()
    logits.fit(ours, x, y, batch_size=40, epochs=20, peak=0.05, fused=False)  # one batch: the order doesn't matter
    rates = logits.rates(20, 0.05)
    theirs.compile(
        keras.optimizers.Adam(0.05, beta_1=logits.BETA_1, beta_2=logits.BETA_2, epsilon=logits.EPSILON),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    for rate in rates:
        theirs.optimizer.learning_rate = float(rate)
        theirs.train_on_batch(x, y)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert np.allclose(a, b, atol=2e-3)


def test_what_weighs_nothing_teaches_nothing():
    x, y = data()
    weights = (np.arange(40) % 2).astype("float32")
    wrong = np.where(weights == 1, y, (y + 1) % 3)  # wrong where nobody looks
    losses = logits.fit(network(), x, wrong, batch_size=20, epochs=80, peak=0.05, weights=weights)
    assert len(losses) == 80 and losses[-1] < 0.15 < losses[0]


def test_it_is_the_same_each_time_and_refuses_what_does_not_fit():
    x, y = data()
    runs = [logits.fit(network(), x, y, batch_size=8, epochs=2) for _ in range(2)]
    assert np.allclose(*runs, atol=1e-5)
    with pytest.raises(ValueError, match="39 inputs and 40 targets"):
        logits.fit(network(), x[1:], y)
    with pytest.raises(ValueError, match="40 examples don't fill a batch of 64"):
        logits.fit(network(), x, y, batch_size=64)
