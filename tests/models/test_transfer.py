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


def test_a_run_starts_from_its_weights_and_trains_only_what_it_was_told():
    import keras

    rng = np.random.default_rng(0)
    body, _ = transfer.pretrained("glyphs")
    weights = body.get_weights()
    x, y = images(40), np.arange(40) % 10
    run = transfer.Runs(rng, blocks=[2])
    given = [rng.normal(size=(256, 10)), np.ones(10)]
    run.train(x, y, 1e-3, weights=weights, head=given, steps=2)
    after = [(w.path, keras.ops.convert_to_numpy(w)) for w in run.body.weights]
    moved = [path for (path, now), before in zip(after, weights, strict=True) if not np.array_equal(now, before)]
    assert moved == ["block2_conv/kernel"]
    run.train(x, y, 0.0, weights=weights, head=given, steps=1)
    assert all(
        np.array_equal(keras.ops.convert_to_numpy(w), before)
        for w, before in zip(run.body.weights, weights, strict=True)
    )
    np.testing.assert_allclose(run.model.layers[1].get_weights()[0], given[0], rtol=1e-6)
    logits = keras.ops.convert_to_numpy(body(x)) @ given[0] + given[1]
    assert run.accuracy(x, y) == pytest.approx(np.mean(logits.argmax(axis=1) == y), abs=0.03)


def test_two_runs_from_the_same_start_and_draws_are_the_same():
    results = []
    for _ in range(2):
        run = transfer.Runs(np.random.default_rng(3), blocks=4, norms=True)
        for _ in range(2):  # the second time from a restarted optimizer
            run.rng = np.random.default_rng(5)
            run.train(
                images(40), np.arange(40) % 10, 1e-3, weights=transfer.pretrained("glyphs")[0].get_weights(), steps=3
            )
            results.append(run.body.get_weights())
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def test_new_statistics_are_those_of_the_images():
    import keras

    body, _ = transfer.pretrained("glyphs")
    x = images(20)
    new = transfer.with_statistics_of(body, x)
    for i in range(1, 5):  # each normalization now gives its scale and shift as deviation and mean
        norm = new.get_layer(f"block{i}_norm")
        out = keras.ops.convert_to_numpy(keras.Model(new.input, norm.output)(x, training=False))
        scale, shift, _, variance = norm.get_weights()
        np.testing.assert_allclose(out.mean(axis=(0, 1, 2)), shift, atol=1e-3)
        spread = np.abs(scale) * np.sqrt(variance / (variance + norm.epsilon))
        np.testing.assert_allclose(out.std(axis=(0, 1, 2)), spread, rtol=1e-2, atol=1e-3)
    assert not np.allclose(
        body.get_layer("block1_norm").get_weights()[2], new.get_layer("block1_norm").get_weights()[2]
    )


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
