"""What the tests of the experiments share."""

import keras
import numpy as np
import pytest

from coursekit import load
from coursekit.experiments import common


@pytest.fixture(autouse=True)
def no_measuring(monkeypatch):
    """The machine's speed, which stands in every record, takes seconds to measure."""
    monkeypatch.setattr(common, "reference_seconds", lambda: 0.25)


@pytest.fixture(scope="session")
def few():
    """A little data in the shape of MNIST, from the bundled digits."""
    data = load("digits28")
    x = data.x_train[..., None].astype(np.float32) / 255
    y = data.y_train.astype(np.int32)
    return {"train": (x[:500], y[:500]), "validation": (x[500:600], y[500:600]), "test": (x[600:700], y[600:700])}


@pytest.fixture(scope="module")
def small():
    """The reference network with fewer filters and units, in every test of a module: its widths."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(common, "WIDTHS", (8, 16, 64))
        yield common.WIDTHS


@pytest.fixture(scope="module")
def weights(small):
    """Eight arrays whose kernels are bell-shaped, as trained ones are."""
    rng = np.random.default_rng(0)
    shapes = [array.shape for array in common.reference_network(keras).get_weights()]
    return [rng.normal(scale=0.03, size=shape).astype("float32") for shape in shapes]
