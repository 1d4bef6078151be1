"""The step of one player, the losses, the ring and the sentence about a failure, and the generator that is shipped."""

import hashlib

import keras
import numpy as np
import pytest
from keras import layers, ops

from coursekit import load
from coursekit.models import gan, ruler


def weights(model):
    return [ops.convert_to_numpy(one).copy() for one in model.trainable_variables]


def pair():
    keras.utils.set_random_seed(0)
    a = keras.Sequential([keras.Input((3,)), layers.Dense(4), layers.BatchNormalization(), layers.Dense(2)])
    b = keras.Sequential([keras.Input((2,)), layers.Dense(5, "relu"), layers.Dense(1)])
    return a, b


def test_a_step_moves_one_player_alone_and_is_adams():
    made, judge = pair()
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    loss = lambda x: gan.generator_loss(judge(made(x, training=False)))
    start, other = weights(made), weights(judge)
    first = gan.learner(made, loss, [judge], learning_rate=0.01)(x)
    moved = [np.abs(new - old) for new, old in zip(weights(made), start, strict=True)]
    assert first == pytest.approx(float(loss(x)), abs=0.5) and first > float(loss(x))
    # the first step of Adam moves each weight by the rate, whatever the gradient is, where there is one
    assert max(one.max() for one in moved) == pytest.approx(0.01, rel=1e-2)
    assert all(np.array_equal(a, b) for a, b in zip(weights(judge), other, strict=True))


def test_many_steps_are_those_of_keras_adam():
    _, judge = pair()
    keras.utils.set_random_seed(1)
    twin = keras.models.clone_model(judge)
    twin.set_weights(judge.get_weights())
    rng = np.random.default_rng(1)
    batches = [
        (rng.normal(size=(16, 2)).astype("float32"), rng.normal(size=(16, 1)).astype("float32")) for _ in range(5)
    ]
    step = gan.learner(judge, lambda x, y: ops.mean((judge(x) - y) ** 2), learning_rate=0.01)
    twin.compile(keras.optimizers.Adam(0.01, 0.5), "mse")
    for x, y in batches:
        step(x, y)
        twin.train_on_batch(x, y)
    for a, b in zip(weights(judge), weights(twin), strict=True):
        assert np.allclose(a, b, atol=1e-4)


def test_averages_of_batch_normalization_move():
    made, judge = pair()
    x = np.full((8, 3), 5.0, "float32")
    before = ops.convert_to_numpy(made.non_trainable_variables[0]).copy()
    gan.learner(judge, lambda x: gan.generator_loss(judge(made(x, training=True))), [made])(x)
    assert not np.array_equal(before, ops.convert_to_numpy(made.non_trainable_variables[0]))


def test_the_losses_are_the_cross_entropies():
    on_real, on_made = np.array([[2.0], [-1.0]]), np.array([[0.3], [0.1], [-4.0]])
    d_real, d_made = 1 / (1 + np.exp(-on_real)), 1 / (1 + np.exp(-on_made))
    plain = -np.log(d_real).mean() - np.log(1 - d_made).mean()
    smooth = -(0.9 * np.log(d_real) + 0.1 * np.log(1 - d_real)).mean() - np.log(1 - d_made).mean()
    assert float(gan.discriminator_loss(on_real, on_made)) == pytest.approx(plain, rel=1e-5)
    assert float(gan.discriminator_loss(on_real, on_made, 0.9)) == pytest.approx(smooth, rel=1e-5)
    assert float(gan.generator_loss(on_made)) == pytest.approx(-np.log(d_made).mean(), rel=1e-5)
    zeros = np.zeros((4, 1))
    assert float(gan.discriminator_loss(zeros, zeros)) == pytest.approx(2 * np.log(2))


def test_clouds_are_counted():
    rng = np.random.default_rng(0)
    assert gan.clouds_found(gan.ring(rng, 3, 1000)).tolist() == [8, 8, 8]
    two = gan.CENTERS[rng.integers(0, 2, 500)]
    assert gan.clouds_found(two) == 2 and gan.clouds_found(two + 3) == 0
    assert gan.clouds_found(np.full((100, 2), np.nan)) == 0


def test_small_networks_are_apart_and_their_slope_is_the_gradient():
    net = gan.SmallNetworks(3, 2, 8, 1, seed=0)
    x = np.random.default_rng(0).normal(size=(3, 5, 2)).astype("float32")
    whole = ops.convert_to_numpy(net(x))
    other = x.copy()
    other[1] += 1
    changed = ops.convert_to_numpy(net(other)) != whole
    assert changed[1].any() and not changed[[0, 2]].any()
    slope, step = ops.convert_to_numpy(net.slope(x)), 1e-3
    for axis in range(2):
        aside = x.copy()
        aside[..., axis] += step
        assert np.allclose((ops.convert_to_numpy(net(aside)) - whole)[..., 0] / step, slope[..., axis], atol=0.02)


def test_spectral_normalization_divides_by_the_largest_singular_value():
    net = gan.SmallNetworks(2, 2, 8, 1, seed=0, spectral=True)
    for _ in range(30):
        kernels = net.kernels()
    for kernel in kernels:
        assert np.allclose(np.linalg.svd(ops.convert_to_numpy(kernel), compute_uv=False)[:, 0], 2, rtol=1e-2)


@pytest.mark.parametrize("remedy", [None, *gan.REMEDIES])
def test_every_remedy_trains(remedy):
    points, losses = gan.train_on_ring(remedy, networks=2, steps=3, hidden=8, batch_size=16)
    assert points.shape == (2, 1000, 2) and losses.shape == (3, 2) and np.isfinite(losses).all()


def test_an_unknown_remedy_is_refused():
    with pytest.raises(ValueError, match="'luck' is no remedy; take one of label smoothing"):
        gan.train_on_ring("luck")


def test_the_verdict_names_what_happened():
    rng = np.random.default_rng(0)
    real, good = rng.normal(size=(200, 2)), np.full((50, 2), (1.38, 0.7))
    assert gan.verdict(good, rng.normal(size=(200, 2)), real).startswith("No sign of")
    assert gan.verdict(good, 0.05 * rng.normal(size=(200, 2)) + 1, real).startswith("The generator has collapsed")
    assert gan.verdict(np.full((50, 2), (0.01, 8)), real, real).startswith("The discriminator has won")
    broken = good.copy()
    broken[7:] = np.nan
    assert gan.verdict(broken, real, real).startswith("The training diverged: from step 8 on")
    assert gan.verdict(good, np.full((200, 2), np.nan), real).startswith("The training diverged: some samples")


def test_digits_are_trained_with_and_without_labels():
    images = np.random.default_rng(0).random((40, 28, 28, 1)).astype("float32")
    seen = []
    watch = lambda step, mean: seen.append((step, len(mean)))
    made, judge = gan.digit_generator(4), gan.digit_discriminator(4)
    losses = gan.train_digits(made, judge, images, steps=2, batch_size=8, watch=watch)
    assert losses.shape == (2, 2) and [step for step, _ in seen] == [1, 2]
    assert gan.make_digits(made, np.zeros((3, 32))).shape == (3, 28, 28)
    made, judge = gan.digit_generator(4, classes=10), gan.digit_discriminator(4, classes=10)
    gan.train_digits(made, judge, images, np.arange(40) % 10, steps=2, batch_size=8, shift=1)
    assert gan.make_digits(made, np.zeros((3, 32)), [1, 2, 3]).shape == (3, 28, 28)


def test_the_shipped_generator_writes_the_digit_that_is_asked_for():
    file = gan.shipped_file()
    assert file.stat().st_size < 300_000
    readme = (file.parent / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(file.read_bytes()).hexdigest() in readme
    wanted = np.arange(500) % 10
    made = gan.make_digits(gan.shipped_generator(), np.random.default_rng(5).normal(size=(500, 32)), wanted)
    _, probabilities = ruler.features_and_probabilities(made)
    assert (probabilities.argmax(axis=1) == wanted).mean() > 0.95
    quality = ruler.judge(made, load("mnist5k").x_test[:500] / np.float32(255))
    assert quality.precision > 0.6 and quality.recall > 0.4 and quality.classes > 9.9


def test_the_pages_networks_are_the_packages():
    import json

    from coursekit.paths import data_dir

    book = data_dir().parent / "notebooks" / "13_generative_adversarial_networks.ipynb"
    if not book.is_file():
        pytest.skip("an installed package has no notebooks")
    space = {"keras": keras, "layers": layers}
    for cell in json.loads(book.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        for name in ("normalized_relu", "make_generator", "make_discriminator"):
            if cell["cell_type"] == "code" and f"def {name}(" in source:
                body = source[source.index(f"def {name}(") :]
                end = next((i for i, line in enumerate(body.splitlines()[1:], 1) if line and line[0] not in " )"), None)
                exec("\n".join(body.splitlines()[:end]), space)
    for page, package in (("make_generator", gan.digit_generator), ("make_discriminator", gan.digit_discriminator)):
        one, other = space[page](), package()
        assert [type(layer) for layer in one.layers] == [type(layer) for layer in other.layers]
        assert [weight.shape for weight in one.weights] == [weight.shape for weight in other.weights]
