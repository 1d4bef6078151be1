"""The checks of notebook 12, Autoencoders."""

import itertools

import numpy as np

from coursekit.exercises import NOT_ATTEMPTED, exercise
from coursekit.exercises.answers import CHANGED, beside, changed, compare_letters, compare_numbers, missing, numbers

# --- 12.1 -------------------------------------------------------------------------------------------------------------
_SIZES = {"the factor": 49, "the parameters": 25_088, "the error": 0}
_SIZE_HINTS = {
    "the factor": {
        16: "that is the length of the code; how many times does it go into 784?",
        1 / 49: "that is the other way round", 0.0204: "that is the other way round",
        0.02: "that is the other way round",
        768: "that is how many numbers fewer; a factor is asked for", 6.125: "one byte each, not one bit",
        392: "one byte each, not one bit", 28: "an image has 28 × 28 numbers",
    },
    "the parameters": {
        12_544: "that is one of two layers", 25_888: "that is with biases; these layers have none",
        25_104: "that is with the biases of the code; these layers have none",
        25_872: "that is with the biases of the last layer; these layers have none",
        13_328: "that is one layer, with biases",
        12_560: "that is one layer, with biases", 614_656: "the code in the middle has 16 numbers, not 784",
        1568: "each of the 784 inputs has a weight to each of the 16 numbers of the code",
    },
    "the error": {1: "what comes out equals what went in: the difference is 0"},
}  # fmt: skip


@exercise("12.1")
def check_sizes(answer):
    """49 times, 25,088 parameters, no error."""
    otherwise = "not yet; count the numbers on both sides"
    return compare_numbers(answer, _SIZES, _SIZE_HINTS, otherwise, rtol=1e-6, atol=1e-9)


# --- 12.2 -------------------------------------------------------------------------------------------------------------
@exercise("12.2")
def check_spoil(spoil):
    """Images of any size, with negative values in them; shares 0, 1 and between; each image and draw on its own."""
    rng = np.random.default_rng()
    for share, shape in [(0.3, (40, 9, 13)), (0.0, (3, 4, 4)), (1.0, (3, 4, 4)), (0.75, (1, 60, 50))]:
        images = rng.normal(size=shape)
        given = images.copy()
        got = spoil(given, share, np.random.default_rng(rng.integers(2**31)))
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, images):
            return CHANGED
        got = numbers(got)
        if hint := _spoiled_hint(got, images, share):
            return hint
    draws = [numbers(spoil(images.copy(), 0.5, np.random.default_rng(seed))) for seed in (0, 0, 1, 2, 3)]
    for got in draws:
        if hint := _spoiled_hint(got, images, 0.5):
            return hint
    if any(np.array_equal(*pair) for pair in itertools.combinations(draws[1:], 2)):
        return "two generators spoil the same pixels: draw them with `rng`"
    if not np.array_equal(draws[0], draws[1]):
        return "equal generators spoil other pixels: draw with `rng` alone"
    if len({np.count_nonzero(got) for got in draws}) == 1:
        return "every draw takes exactly as many pixels; each pixel should go by chance"
    return None


def _spoiled_hint(got, images, share):
    if got is None or got.shape != images.shape:
        return f"return an array of the shape that was given, {images.shape}"
    gone = got == 0
    if not np.allclose(got[~gone], images[~gone], atol=1e-5):
        return "a pixel that is not set to 0 should stay as it is"
    if len(images) > 1 and 0 < gone.mean() < 1:
        if (gone == gone[:1]).all():
            return "every image has lost the same pixels; draw for each image anew"
        if (gone == gone[:, :1]).all() or (gone == gone[:, :, :1]).all():
            return "whole rows or columns go; draw for each pixel"
    bound = 5 * np.sqrt(share * (1 - share) / gone.size) + 1e-9  # five standard deviations of a share
    if abs(gone.mean() - share) > bound:
        if abs(gone.mean() - (1 - share)) < bound:
            return "that keeps the share that should go: compare the other way round"
        return f"with a share of {share}, {gone.mean():.0%} of the pixels are 0"
    if 0 < share < 1 and len(images) > 1 and len({int(one.sum()) for one in gone}) == 1:
        return "every image has lost exactly as many pixels; each pixel should go by chance, whatever the others do"
    return None


# --- 12.3 -------------------------------------------------------------------------------------------------------------
@exercise("12.3")
def check_threshold(threshold):
    """By counting, with ties, with shares that hit a count exactly, unsorted, of any sign."""
    rng = np.random.default_rng()
    cases = [(rng.normal(size=n), share) for n in (7, 10, 200) for share in (0.0, 0.1, 0.05, 0.5)]
    cases += [(rng.integers(-3, 4, 60) / 4, 0.2), (np.array([2.5]), 0.3), (rng.normal(size=20), 0.25)]
    for errors, share in cases:
        enough = [one for one in errors if (errors > one).mean() <= share + 1e-12]
        right, given = min(enough), errors.copy()
        got = threshold(given, share)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, errors):
            return CHANGED
        got = numbers(got)
        if got is None or got.size != 1:
            return "return one number: one of the errors"
        got = float(got.ravel()[0])
        if not np.isclose(got, right, atol=1e-6):
            return _threshold_hint(errors, share, got, right)
    return None


def _threshold_hint(errors, share, got, right):
    among = f"of {len(errors)} errors, at a share of {share}"
    low = np.sort(errors)[min(int(share * len(errors)), len(errors) - 1)]
    if np.isclose(got, low) and got < right:
        return f"{among}: {(errors > got).mean():.0%} are larger than yours; count from the large end"
    if not np.isclose(errors, got, atol=1e-6).any():
        return f"{among}: yours is {got:.3f}, and that is none of them"
    if got < right:
        return f"{among}: {(errors > got).mean():.0%} are larger than yours, and that is too many"
    return f"{among}: yours is {got:.3f}, but {right:.3f} is smaller and does as well"


# --- 12.4 -------------------------------------------------------------------------------------------------------------
@exercise("12.4")
def check_kl(kl):
    """Against an integral over a grid, for several sizes, a single example among them."""
    rng = np.random.default_rng()
    for n, k in [(5, 3), (1, 4), (6, 1), (2, 7)]:
        mean, log_variance = rng.normal(size=(n, k)), rng.normal(size=(n, k))
        each = _divergence(mean, log_variance)
        right, mistakes = each.sum(axis=1).mean(), _kl_mistakes(mean, log_variance, each)
        given = mean.copy(), log_variance.copy()
        got = kl(*given)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, (mean, log_variance)):
            return CHANGED
        got = numbers(got)
        if got is None or got.size != 1:
            shape = "nothing like it" if got is None else f"an array of the shape {got.shape}"
            return f"return one number for the whole batch, not {shape}"
        got = float(got.ravel()[0])
        if not np.isclose(got, right, rtol=1e-4, atol=1e-5):
            for hint, mistaken in mistakes.items():
                if np.isclose(got, mistaken, rtol=1e-4, atol=1e-5):
                    return hint
            return f"for a batch of the shape ({n}, {k}) it should be {right:.4f}, yours is {got:.4f}"
    return None


def _divergence(mean, log_variance):
    """The integral of q ln(q / p), on a grid around each mean."""
    sigma = np.exp(log_variance / 2)
    steps = np.linspace(-9, 9, 2001)  # in standard deviations
    z = mean[..., None] + sigma[..., None] * steps
    log_q = -(steps**2) / 2 - log_variance[..., None] / 2
    q = np.exp(-(steps**2) / 2) / np.sqrt(2 * np.pi)
    return (q * (log_q + z**2 / 2)).sum(axis=-1) * (steps[1] - steps[0])


def _kl_mistakes(mean, log_variance, each):
    variance = np.exp(log_variance)
    return {
        "it is averaged over the numbers of the code; sum these, and average over the examples": each.mean(),
        "it is summed over the examples, too; average over them": each.sum(),
        "that is the sum over the examples and the mean over the code: the other way round": each.sum(axis=0).mean(),
        "the sign is turned round: a divergence is never negative": -each.sum(axis=1).mean(),
        "the factor ½ is missing": 2 * each.sum(axis=1).mean(),
        "log_variance is ln σ², so σ² is exp(log_variance)": _sum_mean(mean**2 + log_variance - 1 - np.log(variance)),
        "log_variance is ln σ² already: no square, and no factor 2": _sum_mean(
            mean**2 + variance**2 - 1 - 2 * log_variance
        ),
        "exp(log_variance / 2) is σ; the formula has σ²": _sum_mean(mean**2 + np.sqrt(variance) - 1 - log_variance),
        "the formula has μ squared": _sum_mean(mean + variance - 1 - log_variance),
        "the 1 is missing": _sum_mean(mean**2 + variance - log_variance),
        "ln σ² is subtracted": _sum_mean(mean**2 + variance - 1 + log_variance),
    }


def _sum_mean(terms):
    return 0.5 * terms.sum(axis=1).mean()


# --- 12.5 -------------------------------------------------------------------------------------------------------------
_SETS = {"set 1": "C", "set 2": "A", "set 3": "D", "set 4": "B"}
_SET_HINTS = {
    "set 1": "nearly all of its images are among the real ones, and nearly no real one is among them",
    "set 2": "as near to the real ones as can be, from both sides",
    "set 3": "none of its images lies among the real ones",
    "set 4": "two thirds are good, and they do not reach everywhere",
}


@exercise("12.5")
def check_sets(answer):
    """C, A, D, B."""
    return compare_letters(answer, _SETS, _SET_HINTS)


# --- 12.6 -------------------------------------------------------------------------------------------------------------
@exercise("12.6")
def check_draw(draw):
    """Several shapes; large and small variances."""
    rng = np.random.default_rng()
    for shape in [(4, 3), (1, 5), (6, 1)]:
        mean, log_variance, epsilon = rng.normal(size=shape), 2 * rng.normal(size=shape), rng.normal(size=shape)
        right = mean + np.sqrt(np.exp(log_variance)) * epsilon
        mistakes = {
            "exp(log_variance) is σ²; the draw needs σ": mean + np.exp(log_variance) * epsilon,
            "that multiplies by ln σ²; the draw needs σ": mean + log_variance * epsilon,
            "that multiplies by ln σ; the draw needs σ": mean + log_variance / 2 * epsilon,
            "the mean is missing": np.exp(log_variance / 2) * epsilon,
            "the root is taken twice: exp(log_variance / 2) is σ already": mean + np.exp(log_variance / 4) * epsilon,
            "the noise is missing, so nothing is drawn": mean + np.exp(log_variance / 2),
            "the noise has no standard deviation: multiply it by σ": mean + epsilon,
        }
        given = mean.copy(), log_variance.copy(), epsilon.copy()
        got = draw(*given)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, (mean, log_variance, epsilon)):
            return CHANGED
        got = numbers(got)
        if got is None or got.shape != shape:
            return f"the codes should have the shape {shape}" + ("" if got is None else f", not {got.shape}")
        if not np.allclose(got, right, rtol=1e-4, atol=1e-4):
            for hint, mistaken in mistakes.items():
                if np.allclose(got, mistaken, rtol=1e-4, atol=1e-4):
                    return hint
            i, j = np.unravel_index(np.abs(got - right).argmax(), shape)
            return f"entry ({i}, {j}) should be {right[i, j]:.3f}, yours is {got[i, j]:.3f}"
    return None


# --- 12.7 -------------------------------------------------------------------------------------------------------------
_MOST_PARAMETERS = 10_000
_MOST_ERROR = {0.1: 0.005, 0.5: 0.035}


@exercise("12.7")
def check_denoiser(model):
    """A model with few parameters, on 400 digits that the page does not use, with noise of its own."""
    from coursekit.datasets import load

    if isinstance(model, type):
        return f"that is the class {model.__name__}; hand in the model that was made of it and trained"
    if not hasattr(model, "count_params"):
        return "hand in the trained Keras model itself"
    if hint := _form_hint(getattr(model, "input_shape", None), getattr(model, "outputs", None)):
        return hint
    if model.count_params() > _MOST_PARAMETERS:
        return f"it has {model.count_params():,} parameters, and {_MOST_PARAMETERS:,} are allowed"
    rng = np.random.default_rng()
    clean = load("mnist5k").x_test[rng.choice(1000, 400, replace=False), ..., None].astype("float32") / 255
    for noise, most in _MOST_ERROR.items():
        noisy = (clean + noise * rng.normal(size=clean.shape)).clip(0, 1).astype("float32")
        got = model(noisy)
        several = list(got.values()) if isinstance(got, dict) else got
        if isinstance(several, (list, tuple)) and len(several) != len(clean):
            if len(several) != 1:
                return _form_hint(None, several)
            got = several[0]
        got = numbers(got)
        if got is None or got.shape != clean.shape:
            instead = "something that is no array" if got is None else got.shape
            return f"from images (400, 28, 28, 1) the model should make images of the same shape, not {instead}"
        error = float(((got - clean) ** 2).mean())
        if not error < most:
            untouched = float(((noisy - clean) ** 2).mean())
            than = " (leaving the image as it is gives less)" if untouched < error else ""
            return f"at a noise of {noise} its error is {beside(error, most, 4)}, and it should be below {most}{than}"
    return None


def _form_hint(takes, gives):
    """What to say of a model's shape of input and its list of outputs, as far as they are known, or None."""
    image = (28, 28, 1)
    if takes is not None and not (
        isinstance(takes, tuple)
        and len(takes) == 4
        and all(size in (None, wanted) for size, wanted in zip(takes[1:], image, strict=True))
    ):
        shape = tuple(takes[1:]) if isinstance(takes, tuple) else takes
        return f"the model should take images of the shape {image}; yours takes {shape}"
    if isinstance(gives, (list, tuple)) and len(gives) != 1:
        return f"the model should have one output, the image without its noise; yours has {len(gives)}"
    return None
