"""Weights that the course ships: they come back in order and in their type, and nothing is unpickled."""

import numpy as np
import pytest

from coursekit.models.weights import load_weights, save_weights


def test_saved_weights_come_back_in_order(tmp_path):
    weights = [np.full(i + 1, i / 4) for i in range(12)]
    save_weights(tmp_path / "some.npz", weights)
    for one, other in zip(load_weights(tmp_path / "some.npz"), weights, strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == "float32"


def test_weights_are_never_unpickled(tmp_path):
    np.savez(tmp_path / "some.npz", w00=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="pickle"):
        load_weights(tmp_path / "some.npz")
