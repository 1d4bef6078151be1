"""The variational autoencoder of notebook 12, and the decoder that was trained for longer."""

import hashlib

import keras
import numpy as np
import pytest

from coursekit.arrays import as_array
from coursekit.models import autoencoder, ruler
from coursekit.paths import data_dir


def images(n=6):
    return np.random.default_rng(0).random((n, 784)).astype("float32")


def test_the_loss_is_the_cross_entropy_plus_beta_times_the_divergence():
    keras.utils.set_random_seed(0)
    whole, encoder, _ = autoencoder.variational(3, beta=2.0, units=8)
    x = images()
    mean, log_variance = (as_array(part).astype(float) for part in encoder(x))
    logits = as_array(whole(x))
    divergence = 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance)
    cross_entropy = np.logaddexp(0, logits) - x * logits
    assert float(sum(whole.losses)) == pytest.approx(2 * divergence.sum(axis=1).mean(), rel=1e-4)
    np.testing.assert_allclose(as_array(autoencoder.pixel_loss(x, logits)), cross_entropy.sum(axis=1), rtol=1e-4)


def test_draws_have_the_mean_and_the_deviation_that_were_asked_for():
    layer = autoencoder.Draw(seed=0)
    mean, log_variance = np.full((20_000, 1), 3.0, "float32"), np.full((20_000, 1), np.log(0.25), "float32")
    drawn = as_array(layer(mean, log_variance))
    assert drawn.mean() == pytest.approx(3, abs=0.02) and drawn.std() == pytest.approx(0.5, rel=0.03)
    assert not np.array_equal(drawn, as_array(layer(mean, log_variance)))


def test_beta_can_be_changed_and_a_saved_model_comes_back(tmp_path):
    whole, _, _ = autoencoder.variational(2, units=4)
    layer = next(layer for layer in whole.layers if isinstance(layer, autoencoder.Draw))
    whole(images())
    before = float(sum(whole.losses))
    layer.beta.assign(0.5)
    whole(images())
    assert float(sum(whole.losses)) == pytest.approx(before / 2, rel=1e-4)
    whole.save(tmp_path / "vae.keras")
    again = keras.saving.load_model(tmp_path / "vae.keras")
    assert float(next(layer for layer in again.layers if isinstance(layer, autoencoder.Draw)).beta) == 0.5


def test_beta_grows_by_the_epoch_and_stops():
    whole, _, _ = autoencoder.variational(2, units=4)
    layer = next(layer for layer in whole.layers if isinstance(layer, autoencoder.Draw))
    grow, seen = autoencoder.GrowBeta(8.0, 2), []
    note = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(float(layer.beta)))
    whole.compile("sgd", autoencoder.pixel_loss)
    whole.fit(images(), images(), epochs=4, verbose=0, callbacks=[grow, note])
    assert seen == [0.0, 4.0, 8.0, 8.0]


def test_a_code_without_numbers_is_refused():
    with pytest.raises(ValueError, match="a code of 0 numbers holds nothing"):
        autoencoder.variational(0)


def test_the_weights_are_small_and_those_of_the_card():
    file = autoencoder.weights_file()
    assert file.parent == data_dir() and file.stat().st_size < 300_000
    assert hashlib.sha256(file.read_bytes()).hexdigest() in (data_dir() / "README.md").read_text(encoding="utf-8")


def test_the_longer_trained_decoder_draws_the_digits_that_are_asked_for():
    labels = np.arange(300) % 10
    made = autoencoder.draw_digits(labels, np.random.default_rng(1))
    assert made.shape == (300, 28, 28) and 0 <= made.min() <= made.max() <= 1
    seen = ruler.features_and_probabilities(made)[1].argmax(axis=1)
    assert (seen == labels).mean() > 0.8
    assert len({one.tobytes() for one in made}) == 300


def test_codes_and_labels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"2 labels need codes of shape \(2, 8\)"):
        autoencoder.decode_digits(np.zeros((3, 8)), [1, 2])
    with pytest.raises(ValueError, match="one digit, 0 to 9"):
        autoencoder.draw_digits([1, 10], np.random.default_rng(0))
