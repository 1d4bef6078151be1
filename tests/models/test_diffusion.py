"""Noise, schedules, batches, steps back and networks of notebook 14."""

from itertools import pairwise

import numpy as np
import pytest

from coursekit.datasets import captions
from coursekit.experiments import diffusion as script
from coursekit.models import diffusion

RNG = np.random.default_rng(0)


class Perfect:
    """Says the velocity of the one image that it knows, as if every noisy image were made from it."""

    def __init__(self, image, alpha_bar=None):
        self.image, self.alpha_bar = image, alpha_bar

    def predict_on_batch(self, inputs):
        x, time, _ = inputs
        if self.alpha_bar is None:  # flow matching
            return (x - self.image) / time.reshape(-1, 1, 1, 1)
        left = self.alpha_bar[(time * (len(self.alpha_bar) - 1)).round().astype(int)].reshape(-1, 1, 1, 1)
        return (np.sqrt(left) * x - self.image) / np.sqrt(1 - left)


@pytest.mark.parametrize("make", [diffusion.cosine_schedule, diffusion.linear_schedule])
@pytest.mark.parametrize("steps", [20, 200, 1000])
def test_schedules_fall_from_1_to_nearly_0(make, steps):
    alpha_bar = make(steps)
    assert alpha_bar.shape == (steps + 1,) and alpha_bar[0] == 1
    assert (np.diff(alpha_bar) < 0).all() and 0 < alpha_bar[-1] < 1e-3


def test_the_jump_is_the_steps_taken_one_by_one():
    alpha_bar = diffusion.cosine_schedule(50)
    x = np.full((100_000, 1), 2.0)
    for now, then in pairwise(alpha_bar[:21]):
        alpha = then / now
        x = np.sqrt(alpha) * x + np.sqrt(1 - alpha) * RNG.normal(size=x.shape)
    jumped = diffusion.add_noise(np.full_like(x, 2.0), RNG.normal(size=x.shape), np.full(len(x), alpha_bar[20]))
    assert abs(x.mean() - jumped.mean()) < 0.02 and abs(x.std() - jumped.std()) < 0.02


def test_the_velocity_gives_image_and_noise():
    x, noise, left = *RNG.normal(size=(2, 3, 4, 4, 1)), np.array([0.9, 0.5, 0.01])
    noisy, v = diffusion.add_noise(x, noise, left), diffusion.velocity(x, noise, left)
    left = left.reshape(-1, 1, 1, 1)
    assert np.allclose(np.sqrt(left) * noisy - np.sqrt(1 - left) * v, x)
    assert np.allclose(np.sqrt(1 - left) * noisy + np.sqrt(left) * v, noise)


def test_batches_hold_what_the_network_must_say():
    x, labels, alpha_bar = RNG.normal(size=(30, 4, 4, 1)).astype("float32"), np.arange(30) % 10, np.linspace(1, 0.1, 11)
    (noisy, time, label), v = next(diffusion.noisy_batches(x, labels, alpha_bar, 500, seed=1))
    left = alpha_bar[(time * 10).round().astype(int)].reshape(-1, 1, 1, 1)
    image = np.sqrt(left) * noisy - np.sqrt(1 - left) * v
    rows = ((image[:, None] - x) ** 2).sum(axis=(2, 3, 4)).argmin(axis=1)
    assert np.allclose(image, x[rows], atol=1e-5) and time.min() > 0
    kept = label != diffusion.NO_LABEL
    assert 0.75 < kept.mean() < 0.95 and np.array_equal(label[kept], labels[rows][kept])
    (points, time, _), v = next(diffusion.straight_batches(x, labels, 100, seed=1))
    image = points - time.reshape(-1, 1, 1, 1) * v
    assert np.allclose(((image[:, None] - x) ** 2).sum(axis=(2, 3, 4)).min(axis=1), 0, atol=1e-5)


def test_tokens_lose_the_whole_caption():
    tokens = diffusion.without_some(np.ones((200, 3)), [7, 8, 9], 0.5, np.random.default_rng(0))
    lost = (tokens == [7, 8, 9]).all(axis=1)
    assert 0.3 < lost.mean() < 0.7 and (tokens[~lost] == 1).all()


@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("steps", [1, 5, 40])
def test_with_the_true_velocity_every_number_of_steps_ends_at_the_image(eta, steps):
    alpha_bar, image = diffusion.cosine_schedule(40), RNG.uniform(-1, 1, size=(8, 8, 1))
    made = diffusion.sample(Perfect(image, alpha_bar), alpha_bar, [1, 2], steps, 0, eta=eta, shape=(8, 8, 1))
    assert np.allclose(made, image, atol=1e-4)
    path = []
    made = diffusion.flow(Perfect(image), [1, 2], steps, 0, shape=(8, 8, 1), path=path)
    assert np.allclose(made, image, atol=1e-4) and len(path) == steps + 1


def test_a_ddpm_step_has_the_variance_of_the_forward_process():
    """From x_t of a known image, x_{t-1} has the mean and the variance that belong to step t - 1."""
    now, then, n = 0.3, 0.6, 200_000
    noise = RNG.normal(size=(n, 1))
    x = np.sqrt(now) * 2.0 + np.sqrt(1 - now) * noise
    for eta in (0.0, 0.5, 1.0):
        before = diffusion.step_back(x, noise, now, then, eta, np.random.default_rng(1))
        assert abs(before.mean() - np.sqrt(then) * 2) < 0.01 and abs(before.std() - np.sqrt(1 - then)) < 0.01


def test_what_is_known_is_kept():
    alpha_bar, image = diffusion.cosine_schedule(20), np.zeros((8, 8, 1))
    known = np.ones((8, 8, 1))
    mask = np.arange(8).reshape(-1, 1, 1) < 3
    made = diffusion.sample(
        Perfect(image, alpha_bar), alpha_bar, [0], 10, 0, shape=(8, 8, 1), correct=lambda x: np.where(mask, known, x)
    )
    assert np.allclose(made[0], np.where(mask, 1, 0), atol=1e-3)


class TwoAnswers:
    """2 without label, 3 with one."""

    def predict_on_batch(self, inputs):
        return np.where(np.asarray(inputs[2]) == diffusion.NO_LABEL, 2.0, 3.0).reshape(-1, 1, 1, 1)


@pytest.mark.parametrize("weight, said", [(0, 2), (1, 3), (3, 5), (-1, 1)])
def test_guidance_counts_from_the_answer_without_label(weight, said):
    assert np.allclose(diffusion.guided(TwoAnswers(), np.zeros((2, 1, 1, 1)), 0.5, [4, 5], weight), said)


def test_networks_learn_and_have_the_images_shape():
    import keras

    keras.utils.set_random_seed(0)
    x = np.ones((20, 8, 8, 1), "float32")
    model = diffusion.unet((8, 8, 1), channels=(8, 8))
    batches = diffusion.noisy_batches(x, np.zeros(20, int), diffusion.cosine_schedule(20), 8, seed=0)
    losses = diffusion.fit(model, batches, 12, 5e-3)
    assert len(losses) == 12 and losses[-1] < losses[0]
    assert diffusion.sample(model, diffusion.cosine_schedule(20), [0, 1], 2, 0, shape=(8, 8, 1)).shape == (2, 8, 8, 1)


@pytest.mark.parametrize("kind", script.STEPS)
def test_the_shipped_weights_fit_their_networks_and_are_small(kind):
    from coursekit.models.weights import load_weights

    file = script.weights_file(kind)
    script.network(kind).set_weights(load_weights(file))
    assert file.stat().st_size < 300_000


def test_captions_are_drawn_and_read_back():
    assert len(captions.CAPTIONS) == 48 and len(captions.UNSEEN) == 8 and len(captions.SEEN) == 40
    words = {word for caption in captions.SEEN for word in caption.split()}
    assert words == {word for caption in captions.CAPTIONS for word in caption.split()}
    images, said = captions.pictures(300, np.random.default_rng(0), captions.CAPTIONS)
    assert images.shape == (300, 16, 16, 3) and images.min() >= 0 and images.max() <= 1
    assert np.mean(np.array(captions.read(images)) == said) > 0.98
    with pytest.raises(ValueError, match="no caption"):
        captions.draw("pink circle left")
