"""Recurrent layers and CTC in NumPy: against Keras, against nudges, against all paths counted one by one."""

from itertools import product

import numpy as np
import pytest

from coursekit.layers.recurrent import ctc_greedy, ctc_loss, ctc_probability, gru, lstm, rnn, slopes_back


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("name, ours", [("SimpleRNN", rnn), ("LSTM", lstm), ("GRU", gru)])
def test_states_are_those_of_keras(name, ours, rng):
    keras = pytest.importorskip("keras")
    for time, features, units in [(1, 1, 1), (7, 3, 5), (30, 2, 8)]:
        x = rng.normal(size=(time, features)).astype("float32")
        layer = getattr(keras.layers, name)(units, return_sequences=True, bias_initializer="random_normal")
        theirs = keras.ops.convert_to_numpy(layer(x[None]))[0]
        np.testing.assert_allclose(ours(x, *layer.get_weights()), theirs, atol=1e-5)


def test_a_sequence_that_does_not_fit_or_holds_nan_is_refused(rng):
    w, u, b = rng.normal(size=(3, 4)), rng.normal(size=(4, 4)), np.zeros(4)
    for x in (np.zeros((0, 3)), np.zeros((5, 2)), np.zeros(3)):
        with pytest.raises(ValueError, match=r"give one sequence \(time, 3\)"):
            rnn(x, w, u, b)
    with pytest.raises(ValueError, match="spread to every later step"):
        rnn(np.full((5, 3), np.nan), w, u, b)


def test_slopes_back_are_those_of_nudges(rng):
    """The state after step 2 is nudged, and the last state looked at."""
    w, u, b, x = rng.normal(size=(2, 3)), rng.normal(size=(3, 3)), rng.normal(size=3), rng.normal(size=(6, 2))
    states = rnn(x, w, u, b)

    def last_from(state):
        for x_t in x[3:]:
            state = np.tanh(x_t @ w + state @ u + b)
        return state

    nudges = 1e-6 * np.eye(3)
    jacobian = np.stack([(last_from(states[2] + n) - last_from(states[2] - n)) / 2e-6 for n in nudges])
    assert slopes_back(x, w, u, b)[3] == pytest.approx(np.linalg.norm(jacobian, 2), rel=1e-5)


def read(path):
    kept = [symbol for i, symbol in enumerate(path) if i == 0 or symbol != path[i - 1]]
    return [symbol for symbol in kept if symbol]


@pytest.mark.parametrize("label", [[1], [1, 2], [2, 2], [1, 2, 1], [1, 1, 2], []])
def test_ctc_is_the_sum_over_all_paths(label, rng):
    p = rng.dirichlet(np.ones(3), size=5)
    paths = [path for path in product(range(3), repeat=5) if read(path) == label]
    total = sum(np.prod([p[t, symbol] for t, symbol in enumerate(path)]) for path in paths)
    assert ctc_probability(p, label) == pytest.approx(total, rel=1e-9)


def test_ctc_loss_is_that_of_keras(rng):
    keras = pytest.importorskip("keras")
    logits = rng.normal(size=(1, 40, 6)).astype("float32")
    for label in ([3], [1, 1, 5], [2, 4, 4, 4, 1]):
        theirs = keras.ops.ctc_loss(np.array([label]), logits, np.array([len(label)]), np.array([40]), mask_index=0)
        assert ctc_loss(logits[0], label) == pytest.approx(float(keras.ops.convert_to_numpy(theirs)[0]), abs=1e-3)


def test_a_label_too_long_for_its_frames_has_no_path(rng):
    assert ctc_loss(rng.normal(size=(3, 4)), [1, 1, 2]) == np.inf  # two like symbols need a blank between them
    assert ctc_loss(rng.normal(size=(4, 4)), [1, 1, 2]) < np.inf


def test_greedy_reading():
    best = [0, 3, 3, 0, 3, 1, 1, 0, 0]
    assert ctc_greedy(np.eye(4)[best]) == [3, 3, 1]
