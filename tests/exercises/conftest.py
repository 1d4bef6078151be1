"""What chance gives in these tests depends on the test's name alone, so that a failure can be repeated.

The checks draw their inputs with `np.random.default_rng()`, so that nobody can know them. Here every such call gets a
seed of its own, made from the test's name and counted up.
"""

import itertools
import zlib

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def repeatable(request, monkeypatch):
    import keras

    start, calls, generator = zlib.crc32(request.node.nodeid.encode()), itertools.count(), np.random.default_rng

    def default_rng(seed=None):
        return generator([start, next(calls)] if seed is None else seed)

    monkeypatch.setattr(np.random, "default_rng", default_rng)
    keras.utils.set_random_seed(start)  # and Python's, and NumPy's global one
