"""For the open exercises 18.7 and 19.7: a network for the 8 × 8 digits is made smaller by a student, and measured.

Born in notebook 18.
"""

import numpy as np

from coursekit.exercises import NOT_ATTEMPTED
from coursekit.exercises.answers import CHANGED, changed, missing, network_like

TRIES = 3  # a result that just misses the mark is tried anew, with another network


def check_smaller_network(make, times_smaller, *, wanted, loss, enough, hint_for):
    """None, NOT_ATTEMPTED or a hint for a function that makes networks smaller.

    Networks are trained here and measured on digits that were not in their training.

    make:          the student's function: called with a network, its images (n, 64) and digits (n,)
    times_smaller: how many times smaller a network is: called with the given one and the student's
    wanted, loss:  the least factor, and how much less than the given network's the accuracy may be
    enough:        a factor below which no other try is made
    hint_for:      called with factor and both accuracies, the given network's first
    """
    from coursekit import layers
    from coursekit.datasets import load

    rng, data = np.random.default_rng(), load("digits")
    x = np.concatenate([data.x_train, data.x_test]).reshape(-1, 64) / np.float32(16)
    y = np.concatenate([data.y_train, data.y_test]).astype(int)
    said = None
    for _ in range(TRIES):
        order = rng.permutation(len(x))
        mine, others = order[:900], order[900:]
        network = layers.initialize((64, 64, 10), rng)
        layers.train(network, x[mine], y[mine], rng=rng, epochs=15, learning_rate=0.1)
        given = [[weights.copy(), bias.copy()] for weights, bias in network], x[mine], y[mine]  # copies, all of them
        answer = make(*given)
        if missing(answer):
            return NOT_ATTEMPTED
        if changed(given, (network, x[mine], y[mine])):
            return CHANGED
        got = network_like(answer, network)
        if isinstance(got, str):
            return got
        whole, small = (layers.accuracy(one, x[others], y[others]) for one in (network, got))
        factor = times_smaller(network, got)
        if factor >= wanted and small >= whole - loss:
            return None
        said = hint_for(factor, whole, small)
        if factor < enough or small < whole - 3 * loss:
            return said
    return said
