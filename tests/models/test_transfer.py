"""The backbone of notebook 08: its weights on disk, and the adaptation of features."""

import hashlib

import numpy as np
import pytest

from coursekit.errors import DataUnavailable
from coursekit.models import transfer
from coursekit.models.weights import load_weights
from coursekit.paths import data_dir


def images(n):
    return np.random.default_rng(0).random((n, 28, 28, 1)).astype("float32")


@pytest.mark.parametrize("source", transfer.SOURCES)
def test_the_weights_are_small_and_those_of_the_card(source):
    file = transfer.weights_file(source)
    assert file.parent == data_dir() and file.stat().st_size < 300_000  # data/ goes into the wheel
    assert hashlib.sha256(file.read_bytes()).hexdigest() in (data_dir() / "README.md").read_text(encoding="utf-8")
    assert all(np.isfinite(one).all() for one in load_weights(file))


@pytest.mark.parametrize("source, classes", [("glyphs", 74), ("photographs", 4)])
def test_the_stored_arrays_are_halves_in_the_shapes_of_the_network(source, classes):
    with np.load(transfer.weights_file(source), allow_pickle=False) as stored:
        arrays = [stored[name] for name in sorted(stored.files)]
    assert {one.dtype for one in arrays} == {np.dtype("float16")}
    wanted = [tuple(w.shape) for w in transfer.backbone().weights] + [(transfer.FEATURES, classes), (classes,)]
    assert [one.shape for one in arrays] == wanted


def test_the_pre_trained_backbone_knows_glyphs_of_new_fonts():
    import keras

    from coursekit.datasets.glyphs import CLASSES, variants

    body, head = transfer.pretrained("glyphs")
    x, y = variants(CLASSES, 4, test=True, seed=7)
    features = body(x[..., None] / np.float32(255), training=False)
    guesses = keras.ops.convert_to_numpy(head(features)).argmax(axis=1)
    assert features.shape == (len(x), transfer.FEATURES) and np.mean(guesses == y) > 0.85


def test_another_source_is_refused():
    with pytest.raises(ValueError, match="weights of glyphs and photographs, not of 'faces'"):
        transfer.pretrained("faces")


def test_match_statistics():
    rng = np.random.default_rng(1)
    f, g = rng.normal(3, 2, (50, 4)), rng.normal(-1, 5, (80, 4))
    matched = transfer.match_statistics(f, g)
    np.testing.assert_allclose(matched.mean(axis=0), g.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(matched.std(axis=0), g.std(axis=0), rtol=1e-5)
    assert np.isfinite(transfer.match_statistics(np.ones((5, 4)), g)).all()


def test_coral_gives_the_covariance_of_the_reference():
    rng = np.random.default_rng(2)
    f = rng.normal(size=(400, 5)) @ rng.normal(size=(5, 5)) + 3
    g = rng.normal(size=(500, 5)) @ rng.normal(size=(5, 5)) - 1
    aligned = transfer.coral(f, g, ridge=1e-9)
    np.testing.assert_allclose(np.cov(aligned, rowvar=False), np.cov(g, rowvar=False), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(aligned.mean(axis=0), g.mean(axis=0), atol=1e-9)


def test_imagenet_networks_take_gray_digits(monkeypatch):
    see = transfer.imagenet("VGG16", weights=None, size=32)
    assert see(images(3), at_once=2).shape == (3, 512)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ResNet50", "InceptionV3"])
def test_the_other_imagenet_networks(name):
    assert transfer.imagenet(name, weights=None)(images(2)).shape == (2, 2048)


def test_a_download_that_fails_ends_in_a_sentence(monkeypatch):
    import keras

    def fails(**settings):
        raise Exception("URL fetch failure on https://example.org/weights.h5: None -- timed out")

    monkeypatch.setattr(keras.applications, "VGG16", fails)
    with pytest.raises(DataUnavailable, match=r"can't be downloaded here .*use the bundled backbone"):
        transfer.imagenet("VGG16")
    with pytest.raises(Exception, match="URL fetch failure"):  # no excuse where there was nothing to download
        transfer.imagenet("VGG16", weights=None)


def test_another_network_is_refused():
    with pytest.raises(ValueError, match="'AlexNet' is none of VGG16, ResNet50, InceptionV3"):
        transfer.imagenet("AlexNet")
