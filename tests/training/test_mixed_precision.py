"""What notebook 07 does on a GPU only: its residual network in mixed precision, tried here with 07's own cells."""

import keras
import numpy as np
import pytest
from helpers import ROOT

import coursekit as ck
from coursekit import session
from coursekit.authoring import notebooks

NEEDED = ("from keras import layers, ops", "def compiled(", "def block(", "def residual_block(")


@pytest.fixture(scope="module")
def cells():
    notebook = notebooks.read(ROOT / "notebooks" / "07_convolutional_networks.ipynb")
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_the_residual_network_trains_in_mixed_precision(cells, policy, monkeypatch):
    monkeypatch.setattr(session, "current", session.Session("07", "quick", keras.backend.backend(), "a GPU", True, 0))
    monkeypatch.setattr(ck, "precision", lambda: policy, raising=False)
    claims = []
    rng = np.random.default_rng(0)
    space = {"ck": ck, "load": ck.load, "scale": session.scale, "rng": rng, "kinds": 3, "size": 24}
    space["claim"] = lambda *made, **_: claims.append(made)
    for needed in NEEDED:
        exec(next(source for source in cells if needed in source), space)
    labels = rng.integers(0, 10, 280).astype("int32")
    images = rng.normal(0.3, 0.1, (280, 32, 32, 3)).astype("float32")
    images[np.arange(280), 3 * labels] += 1  # a bright line at a height that tells the class
    space |= {"x_images": images, "x_images_test": images, "y_images": labels, "y_images_test": labels}
    exec(next(source for source in cells if "ck.precision()" in source), space)

    model = space["model"]
    assert keras.config.dtype_policy().name == "float32"  # for what comes after
    computing = {layer.compute_dtype for layer in model.layers if "conv2d" in layer.name}
    assert computing == {policy.removeprefix("mixed_")} and model.layers[-1].compute_dtype == "float32"
    assert {weight.dtype for weight in model.trainable_weights} == {"float32"}
    scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (policy == "mixed_float16")  # small gradients vanish in the short exponents of float16
    assert claims[0][1], claims
