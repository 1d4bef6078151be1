"""The checks of notebook 14, Diffusion models."""

from contextlib import suppress

import numpy as np

from coursekit.exercises import NOT_ATTEMPTED, exercise
from coursekit.exercises.answers import (
    CHANGED,
    changed,
    close,
    compare_letters,
    compare_numbers,
    missing,
    numbers,
    parts_of,
)

SECONDS = 20  # of computing, for a function whose work takes less than one

# --- 14.1 -------------------------------------------------------------------------------------------------------------
_NAMES = ("alpha bar", "the mean", "the standard deviation")
_STEP_HINTS = {
    _NAMES[0]: {
        0.0684: "that is the product of the betas; multiply the alphas, 1 - beta",
        0.9316: "that is 1 minus the product of the betas; multiply the alphas, 1 - beta",
        0.64: "that is alpha of step 2 alone; alpha bar is the product of both",
        0.81: "that is alpha of step 1 alone; alpha bar is the product of both",
        0.45: "that is 1 minus the sum of the betas; alpha bar is a product",
        0.72: "that is the root of alpha bar, by which the pixel is multiplied",
        1.45: "alpha bar is the product of the alphas, not their sum",
        0.4816: "that is 1 - alpha bar, the variance of the noise",
    },
    _NAMES[1]: {
        5.184: "the pixel is multiplied by the root of alpha bar, and you took alpha bar",
        8.0: "that is step 2 alone: 10 · √0.64; both steps shrink the pixel",
        9.0: "that is after step 1; both steps shrink the pixel",
        6.4: "that is alpha of step 2 alone, and without the root",
        10.0: "each step also shrinks what is there",
        0.0: "it tends to 0, but only after many steps",
    },
    _NAMES[2]: {
        0.4816: "that is the variance; the standard deviation is its root",
        0.6: "that is the noise of step 2 alone; the noise of step 1 is still there, shrunk",
        0.36: "that is the variance of the noise of step 2 alone",
        0.55**0.5: "that is the root of the sum of both betas; step 2 shrinks the noise of step 1, too",
        0.72: "that is the root of alpha bar; the noise has the root of 1 - alpha bar",
        1.0: "that would be after very many steps",
        0.55: "that is the sum of both betas; step 2 shrinks the noise of step 1, and a root is missing",
    },
}


@exercise("14.1")
def check_two_steps(answer):
    """Three numbers: 0.5184, 7.2 and the root of 0.4816."""
    otherwise = {
        _NAMES[0]: "not yet; alpha is 1 - beta, and alpha bar the product of both alphas",
        _NAMES[1]: "not yet; the pixel is multiplied by the root of alpha bar",
        _NAMES[2]: "not yet; the variance of the noise is 1 - alpha bar",
    }
    right = dict(zip(_NAMES, (0.5184, 7.2, 0.4816**0.5), strict=True))
    return compare_numbers(answer, right, _STEP_HINTS, otherwise, atol=0.004)


# --- 14.2 -------------------------------------------------------------------------------------------------------------
def _simulated(x, noise, betas, t):
    """The truth, step by step: what the image and a unit of noise have become."""
    share, variance = 1.0, 0.0
    for beta in betas[:t]:
        share, variance = share * np.sqrt(1 - beta), variance * (1 - beta) + beta
    return share * x + np.sqrt(variance) * noise


def _mixed(x, noise, left):
    return np.sqrt(left) * x + np.sqrt(1 - left) * noise


@exercise("14.2", seconds=SECONDS)
def check_jump(jump):
    """Images of several shapes, schedules of several lengths; the first, the last and the 0th step."""
    rng, refuted = np.random.default_rng(), set()
    for shape, length, t in (((3, 4), 7, 3), ((5,), 4, 4), ((2, 3, 1), 6, 1), ((4,), 5, 0)):
        x, noise, betas = 3 * rng.normal(size=shape), rng.normal(size=shape), rng.uniform(0.05, 0.5, length)
        right, alphas = _simulated(x, noise, betas, t), 1 - betas
        left = np.prod(alphas[:t])
        mistakes = {
            "that is alpha of step t alone; alpha bar is the product of all alphas up to t": _mixed(
                x, noise, alphas[max(t - 1, 0)]
            ),
            "that is one step too far: betas[0] belongs to step 1": _mixed(x, noise, np.prod(alphas[: t + 1])),
            "that is one step too few: step t belongs to it": _mixed(x, noise, np.prod(alphas[: max(t - 1, 0)])),
            "the noise has the variance 1 - alpha bar, so it is multiplied by the root of that": np.sqrt(left) * x
            + (1 - left) * noise,
            "the roots are missing: alpha bar and 1 - alpha bar are variances": left * x + (1 - left) * noise,
            "the image is multiplied by the root of alpha bar": left * x + np.sqrt(1 - left) * noise,
            "image and noise have changed places": _mixed(noise, x, left),
            "that is the product of the betas; multiply the alphas, 1 - beta": _mixed(x, noise, np.prod(betas[:t])),
            "that is 1 minus the sum of the betas; the alphas are multiplied": _mixed(
                x, noise, max(1 - betas[:t].sum(), 0)
            ),
        }
        given = x.copy(), noise.copy(), betas.copy()
        got = jump(*given, t)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, (x, noise, betas)):
            return CHANGED
        if hint := _compared(got, right, mistakes, f"step {t}", refuted):
            return hint
    return None


def _compared(got, right, mistakes, where, refuted):
    """None, or a hint for an array that is not `right`: the first mistake that gives it.

    refuted: the hints of mistakes that are ruled out, since they would have shown before. An array that is right adds
    those that give another one.
    """
    got = numbers(got)
    if got is None:
        return "return an array of numbers"
    if got.shape != right.shape:
        return f"the result should have the shape {right.shape}, not {got.shape}"
    if close(got, right):
        refuted.update(hint for hint, mistaken in mistakes.items() if not close(right, mistaken))
        return None
    for hint, mistaken in mistakes.items():
        if hint not in refuted and np.all(np.isfinite(mistaken)) and close(got, mistaken):
            return hint
    if not np.isfinite(got).all():
        return f"{where}: there is NaN or infinity in the result"
    place = np.unravel_index(np.abs(got - right).argmax(), right.shape)
    at = ", ".join(map(str, map(int, place)))
    return f"{where}: entry [{at}] should be {right[place]:.4g}, yours is {got[place]:.4g}"


# --- 14.3 -------------------------------------------------------------------------------------------------------------
def _way(guess, x, alpha_bar, *, ask=0, last=0, stay=False, variance=False, once=False):
    """DDIM; with the keywords the mistakes: noise asked for at t + ask, stopped at `last`, noise not put back, …"""
    noise = None
    for t in range(len(alpha_bar) - 1, last, -1):
        noise = noise if once and noise is not None else guess(x, max(t + ask, 0))
        now, then = alpha_bar[t], alpha_bar[t - 1]
        image = (x - (1 - now if variance else np.sqrt(1 - now)) * noise) / np.sqrt(now)
        x = np.sqrt(then) * image + (0 if stay else np.sqrt(1 - then)) * noise
    return x


@exercise("14.3", seconds=SECONDS)
def check_walk_back(walk_back):
    """Schedules of several lengths, and a guess that depends on the place and on the step; its calls are counted."""
    rng, refuted = np.random.default_rng(), set()
    for length, shape in ((6, (4, 2)), (9, (3,)), (1, (2, 2))):
        alpha_bar = np.concatenate([[1.0], np.cumprod(rng.uniform(0.5, 0.9, length))])
        slope, x = rng.uniform(0.2, 0.9, length + 2), rng.normal(size=shape)
        asked = []

        def guess(x, t, slope=slope, asked=asked, shape=shape):
            asked.append(t)
            if not 0 <= int(t) < len(slope):
                raise ValueError(f"there is no step {t}: the steps go from 1 to {len(slope) - 2}")
            found = numbers(x)
            if found is None or found.shape != shape:
                raise ValueError("guess(x, t) was called with an x of another shape than the noise")
            return slope[int(t)] * found + np.sin(3 * found)

        right = _way(guess, x, alpha_bar)
        mistakes = {
            "the noise was asked for at step t - 1; it is in x at step t": _way(guess, x, alpha_bar, ask=-1),
            "the noise was asked for at step t + 1; x is at step t": _way(guess, x, alpha_bar, ask=1),
            "the last step is missing: from step 1 to step 0": _way(guess, x, alpha_bar, last=1),
            "the first step back is missing: begin at the last entry of alpha_bar": _way(guess, x, alpha_bar[:-1]),
            "the noise is multiplied by the root of 1 - alpha bar": _way(guess, x, alpha_bar, variance=True),
            "the guessed image has the noise of step t - 1 put back, too": _way(guess, x, alpha_bar, stay=True),
            "the steps go from the last one down to 1, and yours go up": _upwards(guess, x, alpha_bar),
            "ask for the noise anew at each step: x has changed": _way(guess, x, alpha_bar, once=True),
        }
        asked.clear()
        given = x.copy(), alpha_bar.copy()
        got = walk_back(guess, *given)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, (x, alpha_bar)):
            return CHANGED
        if length == 1:
            mistakes = {}
        if hint := _compared(got, right, mistakes, f"{length} steps", refuted):
            return hint
        if len(asked) != length:
            return f"for {length} steps ask for the noise {length} times, once at each; you asked {len(asked)} times"
    return None


def _upwards(guess, x, alpha_bar):
    for t in range(1, len(alpha_bar)):
        noise = guess(x, t)
        image = (x - np.sqrt(1 - alpha_bar[t]) * noise) / np.sqrt(alpha_bar[t])
        x = np.sqrt(alpha_bar[t - 1]) * image + np.sqrt(1 - alpha_bar[t - 1]) * noise
    return x


# --- 14.4 -------------------------------------------------------------------------------------------------------------
@exercise("14.4")
def check_what_is_so(answer):
    """Three letters: B, A, C."""
    return compare_letters(
        answer,
        {"1": "B", "2": "A", "3": "C"},
        {
            "1": "look at the table of section 5: the loss of the true mean noise is not 0 either",
            "2": "x is √alpha bar times the image plus √(1 - alpha bar) times the noise; put in alpha bar = 0",
            "3": "with DDIM σ is 0, so no noise is drawn after the first",
        },
    )


# --- 14.5 -------------------------------------------------------------------------------------------------------------
_PASSES = {"(a)": 3200, "(b)": 400, "(c)": 800, "(d)": 3000}
_PASS_HINTS = {
    "(a)": {200: "each of the 16 images goes through at every step", 3216: "at step 0 nothing is asked any more",
            16: "every one of the 200 steps is a pass"},
    "(b)": {25: "each of the 16 images goes through at every step", 3200: "DDIM takes 25 steps here, not 200"},
    "(c)": {400: "guidance asks twice at each step", 425: "guidance asks twice at each step, for every image",
            1600: "twice as many as in (b), not four times"},
    "(d)": {600_000: "in training each image is put to one random step, not to all 200",
            94: "that is the number of batches of 32", 6000: "each image is in an epoch once"},
}  # fmt: skip


@exercise("14.5")
def check_passes(answer):
    """Four whole numbers."""
    return compare_numbers(
        answer, _PASSES, _PASS_HINTS, "not yet; images times steps, and twice with guidance", atol=0.1
    )


# --- 14.6 -------------------------------------------------------------------------------------------------------------
@exercise("14.6", seconds=SECONDS)
def check_guide(guide):
    """Arrays of both signs, weights 0, 1 and others, below 0 too."""
    rng, refuted = np.random.default_rng(), set()
    for weight, shape in ((2.5, (3, 4)), (0.7, (5,)), (-1.3, (2, 2, 1)), (1.0, (3,)), (0.0, (3,))):
        a, b = rng.normal(size=(2, *shape))
        right = b + weight * (a - b)
        mistakes = {
            "that is a weight of 1 more than was asked for: here a weight of 1 is the plain answer": a
            + weight * (a - b),
            "that is a weight of 1 less than was asked for": b + (weight - 1) * (a - b),
            "with and without label have changed places": a + weight * (b - a),
            "what the label adds is `with_label - without`, not `with_label`": b + weight * a,
            "begin from the answer without label: `without + ...`": weight * (a - b),
            "the weight belongs to what the label adds, not to the sum": weight * a,
            "the difference has the wrong sign: what the label adds is `with_label - without`": b + weight * (b - a),
        }
        given = a.copy(), b.copy()
        got = guide(*given, weight)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, (a, b)):
            return CHANGED
        if hint := _compared(got, right, mistakes, f"weight {weight}", refuted):
            return hint
    return None


# --- 14.7 -------------------------------------------------------------------------------------------------------------
@exercise("14.7", seconds=SECONDS)
def check_straight_way(straight_way):
    """Arrays of several shapes, times inside and at both ends."""
    rng, refuted = np.random.default_rng(), set()
    for t, shape in ((0.3, (3, 2)), (0.8, (4,)), (0.0, (2,)), (1.0, (2, 3))):
        image, noise = 2 * rng.normal(size=(2, *shape)) + 1
        point, speed = image + t * (noise - image), noise - image
        given = image.copy(), noise.copy()
        got = straight_way(*given, t)
        if missing(got):
            return NOT_ATTEMPTED
        parts = parts_of(got, 2, stacked=True)
        if parts is None:
            return "return two things: the point and the velocity"
        if all(map(missing, parts)):
            return NOT_ATTEMPTED
        if changed(given, (image, noise)):
            return CHANGED
        if parts[0] is not None and close_to(parts[0], speed) and close_to(parts[1], point):
            return "the point comes first, then the velocity"
        points = {
            "time runs the other way: 0 is the image and 1 the noise": (1 - t) * noise + t * image,
            "the way is straight: the shares are 1 - t and t, without roots": np.sqrt(1 - t) * image
            + np.sqrt(t) * noise,
            "the image's share falls to 0 as t grows: (1 - t) · image": image + t * noise,
        }
        if hint := _compared(parts[0], point, points, f"the point at t = {t}", refuted):
            return hint
        speeds = {
            "the velocity has the wrong sign: as t grows, the image becomes noise": -speed,
            "the velocity is the change for a whole unit of t, not for a part of it": t * speed,
            "that is the velocity of the curved way of section 6": np.sqrt(1 - t) * noise - np.sqrt(t) * image,
            "that is the noise; the velocity is noise - image": noise,
        }
        if hint := _compared(parts[1], speed, speeds, f"the velocity at t = {t}", refuted):
            return hint
    return None


def close_to(got, right):
    """Whether something is an array that is close to another one."""
    got = numbers(got)
    return got is not None and got.shape == right.shape and close(got, right)


# --- 14.8 -------------------------------------------------------------------------------------------------------------
READ, PRECISION, RECALL = 0.9, 0.8, 0.4
# Distances a pixel, of made digits to the nearest real one: digits of the VAE, the GAN and the diffusion networks were
# 0.05 away at least, and half of each hundred 0.15 or more; blurred, noisy, turned and rounded real ones were nearer.
COPY, CHANGED_COPIES = 0.02, 0.135


@exercise("14.8")
def check_better_digits(answer):
    """100 made digits: read as asked, precision, recall, and no copies of real ones."""
    if missing(answer):
        return NOT_ATTEMPTED
    from coursekit.datasets import load
    from coursekit.models import ruler

    images = numbers(answer)
    images = images[..., 0] if images is not None and images.ndim == 4 and images.shape[-1] == 1 else images
    if images is None or images.shape != (100, 28, 28):
        shape = "no array" if images is None else f"of shape {images.shape}"
        return f"give the digits as an array (100, 28, 28); yours is {shape}"
    if not np.isfinite(images).all():
        return "some pixels are NaN or infinite"
    if images.min() < -0.05 or images.max() > 1.05:
        low, high = images.min(), images.max()
        return f"pixels go from {low:.2f} to {high:.2f}: bring them to 0 to 1; `to_unit` does it"
    images = images.clip(0, 1)
    data = load("mnist5k")
    if hint := _real_among(images, data):
        return hint
    real = data.x_train[-1000:][:100] / 255
    if (share := np.mean(_read(images) == _WANTED)) < READ:
        return f"{share:.0%} are read as asked, and {READ:.0%} are needed{_why_misread(images, share)}"
    quality = ruler.judge(images, real)
    if quality.precision < PRECISION:
        return f"precision {quality.precision:.2f}, and {PRECISION} is needed: more steps make better digits"
    if quality.recall < RECALL:
        return f"recall {quality.recall:.2f}, and {RECALL} is needed: a smaller weight of guidance gives more variety"
    for i, one in enumerate(images):
        same = np.flatnonzero(np.abs(images[:i] - one).max(axis=(1, 2), initial=0) < 0.01)
        if len(same):
            return f"images {same[0]} and {i} are the same: all 100 should be digits of their own"
    return None


_WANTED = np.arange(100) % 10


def _read(images):
    """The digit that the ruler sees in each image."""
    from coursekit.models import ruler

    return ruler.features_and_probabilities(images)[1].argmax(axis=1)


def _why_misread(images, share):
    """What may have happened to images of which too few are read as asked."""
    if np.mean(_read(images) == np.arange(100) // 10) > max(share, 0.5):
        return "; the order is 0, 1, …, 9, 0, 1, …"
    if np.mean(_read(images.swapaxes(1, 2)) == _WANTED) > max(share, 0.5):
        return "; height and width have changed places"
    if np.mean(_read(1 - images) == _WANTED) > max(share, 0.5):
        return "; dark and bright have changed places: the background is 0"
    if share < 0.25:
        return "; that is near what chance gives: did the network get the labels 0, 1, …, 9, 0, 1, …, with a weight?"
    return "; a larger weight of guidance helps"


def _real_among(images, data):
    """A hint if there are real digits among the images, moved ones included, or changed ones throughout."""
    from coursekit.datasets import DataUnavailable, load
    from coursekit.models import ruler
    from coursekit.session import current

    known = np.concatenate([data.x_train, data.x_test]) / 255
    far = np.minimum(ruler.nearest(images, known)[1], ruler.nearest(_centered(images), _centered(known))[1])
    if np.median(far) < CHANGED_COPIES:
        return "these are digits of the data set, or nearly; make some"
    if current is not None and current.profile == "full":  # then the page holds all of MNIST
        with suppress(DataUnavailable):
            more = load("mnist")
            for known in (more.x_train, more.x_test):
                far = np.minimum(far, ruler.nearest(images, known / np.float32(255))[1])
    if far.min() < COPY:
        return f"image {far.argmin()} is a digit of the data set; make all of them"
    return None


def _centered(images):
    """The images, each moved by whole pixels so that the center of its brightness is in the middle."""
    weight, places = images.sum(axis=(1, 2)).clip(1e-9), np.arange(28)
    down = np.rint(13.5 - images.sum(axis=2) @ places / weight).astype(int)
    right = np.rint(13.5 - images.sum(axis=1) @ places / weight).astype(int)
    return np.stack(
        [np.roll(one, move, (0, 1)) for one, move in zip(images, np.stack([down, right], axis=1), strict=True)]
    )
