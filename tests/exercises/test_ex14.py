"""The checks of notebook 14: right answers pass in any dress, gaps are not attempted, mistakes get their hints."""

import numpy as np
import pytest

from coursekit.exercises import NOT_ATTEMPTED, attempt, find

TIMES = 20


def outcomes(exercise, answer, times=TIMES):
    return [attempt(exercise, answer) for _ in range(times)]


# --- right answers ----------------------------------------------------------------------------------------------------
STEPS, PASSES = [0.5184, 7.2, 0.4816**0.5], [3200, 400, 800, 3000]


def jump(x, noise, betas, t):
    left = np.prod(1 - np.asarray(betas)[:t])
    return np.sqrt(left) * x + np.sqrt(1 - left) * noise


def jump_by_logs(x, noise, betas, t):
    log_left = np.log1p(-np.asarray(betas[:t])).sum()
    return (np.exp(log_left / 2) * x + np.sqrt(-np.expm1(log_left)) * noise).astype("float32").tolist()


def walk(guess, x, alpha_bar, *, ask=0, last=0, root=np.sqrt, start=None):
    for t in range(len(alpha_bar) - 1 if start is None else start(alpha_bar), last, -1):
        noise = guess(x, t + ask)
        image = (x - root(1 - alpha_bar[t]) * noise) / np.sqrt(alpha_bar[t])
        x = np.sqrt(alpha_bar[t - 1]) * image + root(1 - alpha_bar[t - 1]) * noise
    return x


def walk_in_ratios(guess, x, alpha_bar):
    """The same in the coordinates x / √alpha bar, in which the noise alone changes."""
    ratio = np.sqrt((1 - np.asarray(alpha_bar)) / alpha_bar)
    y = x / np.sqrt(alpha_bar[-1])
    for t in reversed(range(1, len(alpha_bar))):
        y = y + (ratio[t - 1] - ratio[t]) * np.asarray(guess(y * np.sqrt(alpha_bar[t]), t))
    return y.tolist()


def guide(a, b, w):
    return b + w * (a - b)


def straight(image, noise, t):
    return (1 - t) * image + t * noise, noise - image


@pytest.mark.parametrize(
    "exercise, answer",
    [
        ("14.1", STEPS),
        ("14.1", np.array([0.52, 7.2, 0.69], "float32")),
        ("14.2", jump),
        ("14.2", jump_by_logs),
        ("14.3", walk),
        ("14.3", walk_in_ratios),
        ("14.3", lambda guess, x, alpha_bar, eta=0.0: np.float32(walk(guess, x, alpha_bar)).tolist()),
        ("14.4", ["B", "A", "C"]),
        ("14.4", "b a c"),
        ("14.5", PASSES),
        ("14.5", np.array(PASSES, float)),
        ("14.6", guide),
        ("14.6", lambda a, b, w: (w * a + (1 - w) * b).tolist()),
        ("14.7", straight),
        ("14.7", lambda x, z, t: [(x + t * (z - x)).tolist(), np.float32(z - x)]),
    ],
)
def test_what_is_right_passes_in_any_dress(exercise, answer):
    assert outcomes(exercise, answer) == [None] * TIMES


@pytest.mark.parametrize("library", ["tensorflow", "jax.numpy", "torch"])
def test_tensors_of_any_library_pass(library):
    module = pytest.importorskip(library)
    make = getattr(module, {"tensorflow": "constant", "jax.numpy": "asarray", "torch": "tensor"}[library])
    assert attempt("14.2", lambda *given: make(jump(*given))) is None
    assert attempt("14.3", lambda guess, x, a: make(walk(guess, x, a))) is None
    assert attempt("14.7", lambda *given: [make(part) for part in straight(*given)]) is None


# --- gaps -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("exercise", ["14.2", "14.3", "14.6", "14.7"])
def test_a_function_with_a_gap_is_not_attempted(exercise):
    assert attempt(exercise, lambda *_: None) is attempt(exercise, lambda *_: ...) is NOT_ATTEMPTED


@pytest.mark.parametrize("exercise, places", [("14.1", 3), ("14.4", 3), ("14.5", 4)])
def test_a_list_of_gaps_is_not_attempted(exercise, places):
    assert attempt(exercise, ...) is attempt(exercise, [...] * places) is NOT_ATTEMPTED
    assert attempt("14.8", ...) is NOT_ATTEMPTED


# --- mistakes ---------------------------------------------------------------------------------------------------------
def mix(x, noise, left):
    return np.sqrt(left) * x + np.sqrt(1 - left) * noise


def with_place(right, place, wrong):
    return [*right[:place], wrong, *right[place + 1 :]]


def stays(guess, x, alpha_bar):
    for t in range(len(alpha_bar) - 1, 0, -1):
        image = (x - np.sqrt(1 - alpha_bar[t]) * guess(x, t)) / np.sqrt(alpha_bar[t])
        x = np.sqrt(alpha_bar[t - 1]) * image
    return x


def asks_once(guess, x, alpha_bar):
    first = guess(x, len(alpha_bar) - 1)
    return walk(lambda x, t: first, x, alpha_bar)


def jump_into_the_image(x, noise, betas, t):
    left = np.prod(1 - betas[:t])
    x *= np.sqrt(left)
    x += np.sqrt(1 - left) * noise
    return x


def jump_into_the_betas(x, noise, betas, t):
    betas[:] = 1 - betas
    return mix(x, noise, np.prod(betas[:t]))


def walk_into_the_noise(guess, x, alpha_bar):
    x[:] = walk(guess, x, alpha_bar)
    return x


def guide_into_an_answer(with_label, without, weight):
    with_label -= without
    return without + weight * with_label


def straight_into_the_noise(image, noise, t):
    noise -= image
    return image + t * noise, noise


def asks_twice(guess, x, alpha_bar):
    return walk(lambda x, t: (guess(x, t), guess(x, t))[1], x, alpha_bar)


def upwards(guess, x, alpha_bar):
    for t in range(1, len(alpha_bar)):
        noise = guess(x, t)
        image = (x - np.sqrt(1 - alpha_bar[t]) * noise) / np.sqrt(alpha_bar[t])
        x = np.sqrt(alpha_bar[t - 1]) * image + np.sqrt(1 - alpha_bar[t - 1]) * noise
    return x


@pytest.mark.parametrize(
    "exercise, mistake, hint",
    [
        ("14.1", with_place(STEPS, 0, 0.19 * 0.36), "product of the betas"),
        ("14.1", with_place(STEPS, 0, 0.64), "step 2 alone"),
        ("14.1", with_place(STEPS, 1, 5.184), "you took alpha bar"),
        ("14.1", with_place(STEPS, 1, 8), "step 2 alone"),
        ("14.1", with_place(STEPS, 2, 0.4816), "that is the variance"),
        ("14.1", with_place(STEPS, 2, 0.6), "noise of step 1 is still there"),
        ("14.1", with_place(STEPS, 2, 0.55**0.5), "sum of both betas"),
        ("14.2", lambda x, z, b, t: mix(x, z, 1 - b[max(t - 1, 0)]), "alpha of step t alone"),
        ("14.2", lambda x, z, b, t: mix(x, z, np.prod(1 - b[: t + 1])), "one step too far"),
        ("14.2", lambda x, z, b, t: mix(x, z, np.prod(1 - b[: max(t - 1, 0)])), "one step too few"),
        ("14.2", lambda x, z, b, t: mix(z, x, np.prod(1 - b[:t])), "changed places"),
        (
            "14.2",
            lambda x, z, b, t: np.prod(1 - b[:t]) ** 0.5 * x + (1 - np.prod(1 - b[:t])) * z,
            "multiplied by the root of that",
        ),
        ("14.2", lambda x, z, b, t: np.prod(1 - b[:t]) * x + (1 - np.prod(1 - b[:t])) * z, "roots are missing"),
        ("14.2", lambda x, z, b, t: mix(x, z, np.prod(b[:t])), "product of the betas"),
        ("14.2", lambda x, z, b, t: "noise", "array of numbers"),
        ("14.2", jump_into_the_image, "has changed"),
        ("14.2", jump_into_the_betas, "has changed"),
        ("14.2", lambda x, z, b, t: mix(x, z, np.prod(1 - b[:t]) if t else 1 - b[0]), "step 0: entry"),
        ("14.3", walk_into_the_noise, "has changed"),
        ("14.3", asks_once, "x has changed"),
        ("14.3", lambda g, x, a: walk(lambda x, t: g(x, t - 1), x, a), "asked for at step t - 1"),
        ("14.3", lambda g, x, a: walk(g, x, a, ask=1), "asked for at step t + 1"),
        ("14.3", lambda g, x, a: walk(g, x, a, last=1), "last step is missing"),
        ("14.3", lambda g, x, a: walk(g, x, a, start=lambda a: len(a) - 2), "first step back is missing"),
        ("14.3", stays, "put back"),
        ("14.3", upwards, "yours go up"),
        ("14.3", asks_twice, "once at each"),
        ("14.4", ["A", "A", "C"], "table of section 5"),
        ("14.4", ["B", "B", "C"], "put in alpha bar = 0"),
        ("14.4", ["B", "A", "A"], "no noise is drawn after the first"),
        ("14.5", with_place(PASSES, 0, 200), "each of the 16 images"),
        ("14.5", with_place(PASSES, 1, 25), "each of the 16 images"),
        ("14.5", with_place(PASSES, 2, 400), "asks twice"),
        ("14.5", with_place(PASSES, 3, 600_000), "one random step"),
        ("14.6", lambda a, b, w: a + w * (a - b), "weight of 1 more"),
        ("14.6", lambda a, b, w: b + (w - 1) * (a - b), "weight of 1 less"),
        ("14.6", lambda a, b, w: a + w * (b - a), "changed places"),
        ("14.6", lambda a, b, w: b + w * a, "not `with_label`"),
        ("14.6", lambda a, b, w: w * (a - b), "begin from the answer without"),
        ("14.6", guide_into_an_answer, "what you were given has changed"),
        ("14.6", lambda a, b, w: b + abs(w) * (a - b), "weight -1.3: entry"),
        ("14.7", straight_into_the_noise, "what you were given has changed"),
        ("14.7", lambda x, z, t: (t * x + (1 - t) * z, z - x), "time runs the other way"),
        ("14.7", lambda x, z, t: ((1 - t) * x + t * z, x - z), "wrong sign"),
        ("14.7", lambda x, z, t: (np.sqrt(1 - t) * x + np.sqrt(t) * z, z - x), "without roots"),
        ("14.7", lambda x, z, t: ((1 - t) * x + t * z, t * (z - x)), "whole unit of t"),
        ("14.7", lambda x, z, t: ((1 - t) * x + t * z, z), "velocity is noise - image"),
        ("14.7", lambda x, z, t: (z - x, (1 - t) * x + t * z), "point comes first"),
        ("14.7", lambda x, z, t: (1 - t) * x + t * z, "two things"),
    ],
)
def test_a_mistake_gets_its_hint(exercise, mistake, hint):
    found = outcomes(exercise, mistake)
    assert all(isinstance(one, str) and hint in one for one in found), found[:2]


@pytest.mark.parametrize("exercise", ["14.2", "14.3", "14.6", "14.7"])
def test_a_loop_without_end_is_stopped_within_seconds(exercise, monkeypatch):
    def forever(*_):
        while True:
            pass

    assert find(exercise).seconds <= 20
    monkeypatch.setattr(find(exercise), "seconds", 0.2)
    assert "never ends" in attempt(exercise, forever)


# --- made digits ------------------------------------------------------------------------------------------------------
LABELS = np.tile(np.arange(10), 10)


@pytest.fixture(scope="module")
def made():
    """100 digits of the shipped GAN, which are as good as asked for, and nobody's handwriting."""
    from coursekit.models import gan

    noise = np.random.default_rng(3).normal(size=(100, gan.LATENT))
    return np.asarray(gan.make_digits(gan.shipped_generator(), noise, LABELS), float)


@pytest.fixture(scope="module")
def real():
    """100 real digits, ten of each class in order: half of the training data, half of the test data."""
    from coursekit.datasets import load

    data = load("mnist5k")
    rows = [
        [np.flatnonzero(y == digit)[i] for i in range(5) for digit in range(10)] for y in (data.y_train, data.y_test)
    ]
    return np.concatenate([data.x_train[rows[0]], data.x_test[rows[1]]]) / 255


def test_good_digits_pass_in_any_dress(made):
    from coursekit.models import autoencoder

    for good in (
        made,
        made[..., None].astype("float32"),
        made.tolist(),
        [*np.float16(made)],
        (255 * made).round() / 255,
    ):
        assert attempt("14.8", good) is None
    assert attempt("14.8", autoencoder.draw_digits(LABELS, np.random.default_rng(1))) is None


def test_bad_digits_get_their_hint(made):
    by_class = made.reshape(10, 10, 28, 28).swapaxes(0, 1).reshape(100, 28, 28)
    for bad, hint in (
        (by_class, "the order is 0, 1"),
        (made.swapaxes(1, 2), "height and width have changed places"),
        (1 - made, "dark and bright have changed places"),
        (made[::-1], "near what chance gives"),
        (np.zeros((100, 28, 28)), "near what chance gives"),
        (np.random.default_rng(0).random((100, 28, 28)), "are read as asked"),
        (2 * made - 1, "bring them to 0 to 1"),
        (255 * made, "bring them to 0 to 1"),
        (made[:50], "(100, 28, 28)"),
        (np.tile(made[:10], (10, 1, 1)), "variety"),
        (np.concatenate([made[:50], made[:50]]), "images 0 and 50 are the same"),
        (made * np.nan, "NaN"),
    ):
        assert hint in attempt("14.8", bad)


def test_real_digits_are_no_made_ones(made, real):
    from scipy.ndimage import gaussian_filter, rotate

    noise = np.random.default_rng(0).normal(size=real.shape)
    turned = np.stack([rotate(one, 6, reshape=False, order=1) for one in real])
    for spoiled in (
        real,
        0.95 * real,
        np.roll(real, 1, axis=2),
        np.roll(real, (-2, 1), axis=(1, 2)),
        gaussian_filter(real, (0, 0.6, 0.6)),
        turned,
        (real + 0.1 * noise).clip(0, 1),
        (real > 0.5).astype(float),
    ):
        assert "these are digits of the data set" in attempt("14.8", spoiled)
    one_is_real = np.concatenate([made[:37], real[37:38], made[38:]])
    one_is_moved = np.concatenate([made[:81], np.roll(real[81:82], 1, axis=1), made[82:]])
    assert "image 37 is a digit of the data set" in attempt("14.8", one_is_real)
    assert "image 81 is a digit of the data set" in attempt("14.8", one_is_moved)
