"""Networks trained again and again: a new start, and answers in parts."""

import keras
import numpy as np
from keras import layers

from coursekit.training import trials


def network():
    model = keras.Sequential([
        keras.Input((6, 6, 2)),
        layers.Conv2D(4, 3, use_bias=False),
        layers.BatchNormalization(),
        layers.Flatten(),
        layers.Dense(3),
    ])  # fmt: skip
    model.compile(keras.optimizers.Adam(0.02), "mse")
    return model


def test_a_restart_forgets_weights_averages_and_the_optimizer():
    model, rng = network(), np.random.default_rng(0)
    x, y = rng.normal(5, 2, size=(8, 6, 6, 2)), rng.normal(size=(8, 3))
    model.train_on_batch(x, y)
    trials.restart(model, rng)
    kernel, gamma, beta, mean, variance, dense, bias = model.get_weights()
    assert (gamma == 1).all() and (variance == 1).all() and not (beta.any() or mean.any() or bias.any())
    assert 0.7 * np.sqrt(2 / 18) < kernel.std() < 1.3 * np.sqrt(2 / 18)
    assert 0.7 * np.sqrt(2 / 64) < dense.std() < 1.3 * np.sqrt(2 / 64)
    for variable in model.optimizer.variables:
        value = keras.ops.convert_to_numpy(variable)
        assert np.allclose(value, 0.02) if "learning_rate" in variable.path else not value.any()


def test_the_same_generator_gives_the_same_start():
    first, second = network(), network()
    for model in (first, second):
        trials.restart(model, np.random.default_rng(3))
    assert all(np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True))


def test_answers_come_in_parts_and_in_order():
    def model(x, training):
        assert not training and len(x) <= 4
        return keras.ops.convert_to_tensor(np.eye(3)[x])  # the class is the input

    x = np.array([0, 2, 1, 1, 2, 0, 0, 1, 2, 2])
    assert np.array_equal(trials.answers(model, x, at_once=4), x)
    masks = np.arange(8).reshape(2, 2, 2) % 3
    assert np.array_equal(trials.answers(model, masks, at_once=1), masks)
    assert trials.accuracy(lambda x, training: model(x[:4], training), x[:4], np.array([0, 2, 1, 0])) == 0.75
