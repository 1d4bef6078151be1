"""Recurrent layers in NumPy, step by step, and CTC's sum over paths. Born in notebook 09.

Each layer takes one sequence x (time, features), starts from states of 0 and returns the states of all steps, (time,
units). The weights are laid out as in Keras, so `rnn(x, *layer.get_weights())` gives what the layer gives.
"""

import numpy as np

from coursekit.layers.activations import log_softmax, sigmoid


def rnn(x, w, u, b):
    """h_t = tanh(x_t w + h_(t-1) u + b). w: (features, units); u: (units, units); b: (units,)."""
    h, states = np.zeros(len(u)), []
    for x_t in _checked(x, w):
        h = np.tanh(x_t @ w + h @ u + b)
        states.append(h)
    return np.stack(states)


def lstm(x, w, u, b):
    """Long short-term memory with a forget gate (Gers, Schmidhuber and Cummins, 2000).

    w: (features, 4 units), u: (units, 4 units), b: (4 units,): input gate, forget gate, candidate, output gate.
    """
    h = c = np.zeros(len(u))
    states = []
    for x_t in _checked(x, w):
        write, keep, new, show = np.split(x_t @ w + h @ u + b, 4)
        c = sigmoid(keep) * c + sigmoid(write) * np.tanh(new)
        h = sigmoid(show) * np.tanh(c)
        states.append(h)
    return np.stack(states)


def gru(x, w, u, b):
    """Gated recurrent unit (Cho and others, 2014), in the variant with the reset after the product, Keras's default.

    w: (features, 3 units), u: (units, 3 units), b: (2, 3 units): update gate, reset gate, candidate; b[0] belongs to
    the input and b[1] to the state.
    """
    h, states = np.zeros(len(u)), []
    for x_t in _checked(x, w):
        update_x, reset_x, new_x = np.split(x_t @ w + b[0], 3)
        update_h, reset_h, new_h = np.split(h @ u + b[1], 3)
        keep = sigmoid(update_x + update_h)
        new = np.tanh(new_x + sigmoid(reset_x + reset_h) * new_h)
        h = keep * h + (1 - keep) * new
        states.append(h)
    return np.stack(states)


def slopes_back(x, w, u, b):
    """How strongly the last state of `rnn` answers to the state 0, 1, 2, … steps earlier: (time,) largest stretches.

    Each is the 2-norm of the Jacobian of the last state with respect to the earlier one; the first is 1.
    """
    back = np.eye(len(u))  # the last state with respect to itself
    stretch = [1.0]
    for h in rnn(x, w, u, b)[:0:-1]:  # from the last step back to the second
        back = (u * (1 - h**2)) @ back
        stretch.append(np.linalg.norm(back, 2))
    return np.array(stretch)


def ctc_probability(probabilities, label, blank=0):
    """The probability that a label is read, summed over all paths that collapse to it (Graves and others, 2006).

    probabilities: (time, symbols), each row adds up to 1; label: symbols without blanks, such as [3, 1, 1].
    It underflows for long sequences; `ctc_loss` does not.
    """
    return float(np.exp(-ctc_loss(np.log(np.maximum(probabilities, 1e-300)), label, blank)))


def ctc_loss(logits, label, blank=0):
    """Minus the logarithm of that probability, from logits (time, symbols). Infinite if no path is long enough."""
    log_p = log_softmax(np.asarray(logits, dtype=float))
    states = [blank]
    for symbol in label:
        states += [symbol, blank]
    states = np.array(states)
    skip = np.zeros(len(states), bool)  # may a path jump over the blank before this state?
    skip[2:] = (states[2:] != blank) & (states[2:] != states[:-2])
    alpha = np.full(len(states), -np.inf)
    alpha[:2] = log_p[0, states[:2]]
    for row in log_p[1:]:
        step = np.concatenate([[-np.inf], alpha[:-1]])
        jump = np.where(skip, np.concatenate([[-np.inf, -np.inf], alpha])[: len(alpha)], -np.inf)
        alpha = row[states] + np.logaddexp(np.logaddexp(alpha, step), jump)
    return float(-np.logaddexp.reduce(alpha[-2:]))


def ctc_greedy(logits, blank=0):
    """The symbols of the best path: the likeliest symbol of each step, repetitions taken as one, blanks left out.

    logits: (time, symbols), or probabilities. Returns a list.
    """
    best = np.asarray(logits).argmax(axis=-1)
    kept = np.concatenate([[True], best[1:] != best[:-1]]) & (best != blank)
    return best[kept].tolist()


def _checked(x, w):
    """x as an array; ValueError where it is no sequence that fits the weights, or holds NaN."""
    x = np.asarray(x)
    if x.ndim != 2 or not len(x) or x.shape[1] != len(w):
        raise ValueError(f"x has shape {x.shape}; give one sequence (time, {len(w)}) of one step or more")
    if not np.isfinite(x).all():
        raise ValueError("x holds NaN or infinity, which would spread to every later step; fill or cut it first")
    return x
