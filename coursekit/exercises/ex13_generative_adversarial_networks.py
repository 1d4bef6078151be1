"""The checks of notebook 13, Generative adversarial networks."""

import numpy as np

from coursekit.exercises import NOT_ATTEMPTED, exercise
from coursekit.exercises.answers import compare_letters, compare_numbers, missing, numbers, parts_of

# --- 13.1 -------------------------------------------------------------------------------------------------------------
_JUDGE = {"number 1": 0.75, "number 2": 2 * np.log(2), "number 3": -np.log(0.75) - np.log(0.25)}
_JUDGE_HINTS = {
    "number 1": {
        0.25: "that is the probability of a made one", 3: "that is the ratio; the probability is real / (real + made)",
        1 / 3: "that is the ratio the other way round", 75: "right as a percentage; give a number from 0 to 1",
    },
    "number 2": {
        np.log(2): "that is one of two terms: real and made ones each add one", 1: "the loss has the natural logarithm",
        2: "the loss has the natural logarithm, not that to the base 2",
        -2 * np.log(2): "the signs before both terms are missing",
        2 * np.log10(2): "the loss has the natural logarithm",
    },
    "number 3": {
        -2 * np.log(0.75): "on made ones the loss is -log(1 - D), and 1 - D is ¼",
        -np.log(0.75): "the term of the made ones is missing: -log(1 - ¾)",
        -np.log(0.25): "the term of the real ones is missing: -log ¾",
        -np.log(0.75) / 2 - np.log(0.25) / 2: "that is the mean of both terms; here they are added",
        2 * np.log(2): "that is for ½",
    },
}  # fmt: skip


@exercise("13.1")
def check_judge(answer):
    """0.75, 1.386 and 1.674."""
    return compare_numbers(answer, _JUDGE, _JUDGE_HINTS, "not yet; put the numbers into the formula above", atol=0.006)


# --- 13.2 -------------------------------------------------------------------------------------------------------------
def _plus(s):
    return np.maximum(s, 0) + np.log1p(np.exp(-np.abs(s)))


def _loss_mistakes(real, made):
    """(of the discriminator, of the generator): what each likely mistake gives, with what to say about it."""
    right = _plus(-real).mean() + _plus(made).mean()
    for_d = {
        "the labels are exchanged: real ones have the label 1, made ones 0": _plus(real).mean() + _plus(-made).mean(),
        "L_D is the sum of two means; yours is half of it": right / 2,
        "that is one mean over all samples; L_D adds the mean over real ones and the mean over made ones": (
            np.concatenate([_plus(-real), _plus(made)]).mean()
        ),
        "that is the sum over all samples; take the mean over real ones and over made ones": (
            _plus(-real).sum() + _plus(made).sum()
        ),
        "the term of the made ones is missing": _plus(-real).mean(),
        "the term of the real ones is missing": _plus(made).mean(),
        "made ones have the label 0, and here they have 1": _plus(-real).mean() + _plus(-made).mean(),
        "the sign is turned round: a cross-entropy is not negative": -right,
    }
    for_g = {
        "that is the minimax loss log(1 - D); the non-saturating one is -log D": -_plus(made).mean(),
        "that is the cross-entropy with the label 0; the generator's samples get the label 1": _plus(made).mean(),
        "the generator's loss uses made samples alone": _plus(-made).mean() + _plus(real).mean(),
        "those are the real samples; the generator's loss uses made ones": _plus(-real).mean(),
        "that is the sum over the samples; take the mean": _plus(-made).sum(),
        "the sign is turned round: -log D is not negative": -_plus(-made).mean(),
    }
    return for_d, for_g


@exercise("13.2")
def check_losses(losses):
    """Batches of different lengths, one sample among them, logits of any size up to hundreds."""
    rng = np.random.default_rng()
    for n, m, size in [(7, 4, 2.0), (1, 5, 1.0), (6, 1, 3.0), (5, 8, 200.0)]:
        real, made = size * rng.normal(size=n), size * rng.normal(size=m) - 0.3
        right = _plus(-real).mean() + _plus(made).mean(), _plus(-made).mean()
        mistakes = _loss_mistakes(real, made)
        with np.errstate(all="ignore"):
            got = losses(real.copy(), made.copy())
        if missing(got):
            return NOT_ATTEMPTED
        parts = parts_of(got, 2, stacked=True)
        if parts is None:
            return "return two numbers: the loss of the discriminator and that of the generator"
        if all(map(missing, parts)):
            return NOT_ATTEMPTED
        parts = [numbers(one) for one in parts]
        for name, value, wanted, known in zip(("L_D", "L_G"), parts, right, mistakes, strict=True):
            if value is None or value.size != 1:
                return f"{name} should be one number" + ("" if value is None else f", not of the shape {value.shape}")
            value = float(value.ravel()[0])
            if not np.isclose(value, wanted, rtol=1e-4, atol=1e-4):
                if size > 100 and not np.isfinite(value):
                    return f"with logits of some hundreds {name} is {value}: take the softplus, not log and exp apart"
                for hint, mistaken in known.items():
                    if np.isclose(value, mistaken, rtol=1e-4, atol=1e-4):
                        return f"{name}: {hint}"
                return f"{name} of {n} real and {m} made logits should be {wanted:.4f}, yours is {value:.4f}"
    return None


# --- 13.3 -------------------------------------------------------------------------------------------------------------
@exercise("13.3")
def check_count(count):
    """Random centers and points, other numbers of clouds than eight, a cloud that nobody found, all and none."""
    rng = np.random.default_rng()
    cases = [(5, 400, 0.3, 0.05), (3, 90, 0.5, 0.4), (8, 1000, 0.2, 0.02), (1, 40, 0.4, 0.9), (4, 50, 0.3, 0.1)]
    for k, n, near, share in cases:
        centers = 3 * rng.normal(size=(k, 2))
        shares = rng.dirichlet(np.full(k, 0.6))
        points = centers[rng.choice(k, n, p=shares)] + 0.25 * rng.normal(size=(n, 2))
        counts = [sum(bool(np.hypot(*(point - center)) < near) for point in points) for center in centers]
        right = sum(one >= share * n for one in counts)
        mistakes = {
            "that counts centers with any point near them; a share of all points is needed": sum(
                one > 0 for one in counts
            ),
            "that is the number of points near a center; count the centers": sum(counts),
            "the distance goes over both coordinates together, not over each": sum(
                (np.abs(points - center) < near).all(axis=1).mean() >= share for center in centers
            ),
            "`near` is the distance, not its square": sum(
                (((points - center) ** 2).sum(axis=1) < near).mean() >= share for center in centers
            ),
            "that counts the centers that were missed": k - right,
        }
        got = count(points.copy(), centers.copy(), near, share)
        if missing(got):
            return NOT_ATTEMPTED
        got = numbers(got)
        if got is None or got.size != 1:
            return "return one whole number"
        got = float(got.ravel()[0])
        if got != right:
            for hint, mistaken in mistakes.items():
                if got == mistaken:
                    return hint
            return f"of {k} centers with {counts} of {n} points near them, at a share of {share}: {right}, not {got:g}"
    return None


# --- 13.4 -------------------------------------------------------------------------------------------------------------
_SIZES = {"number 1": 16, "number 2": 5440, "number 3": 3210, "number 4": 768}
_SIZE_HINTS = {
    "number 1": {8: "that is after one of two doublings", 4: "each transposed convolution doubles it",
                 28: "that is the page's generator; this one begins with 4 × 4", 1: "a stride of 2 doubles here"},
    "number 2": {5120: "the biases are missing", 320: "that is the number of its outputs",
                 336: "each output has a weight to each of the 16 numbers"},
    "number 3": {3200: "the biases are missing", 3220: "the biases belong to the 10 outputs",
                 160: "each pair of channels has a kernel of its own",
                 170: "each pair of channels has a kernel of its own", 1810: "the kernel is 4 × 4"},
    "number 4": {256: "the images have three channels", 192: "the images are larger than 8 × 8",
                 48: "the images are larger than that"},
}  # fmt: skip


@exercise("13.4")
def check_sizes(answer):
    """16, 5,440, 3,210 and 768."""
    return compare_numbers(answer, _SIZES, _SIZE_HINTS, "not yet; count layer by layer", atol=1e-6)


# --- 13.5 -------------------------------------------------------------------------------------------------------------
_HAPPENED = {"training 1": "C", "training 2": "A", "training 3": "D", "training 4": "B"}
_HAPPENED_HINTS = {
    "training 1": "who is sure of everything here, and who learns nothing?",
    "training 2": "the losses look well; do the samples differ?",
    "training 3": "the losses are near the equilibrium, and the samples are as they should be",
    "training 4": "the losses are no numbers any more",
}


@exercise("13.5")
def check_happened(answer):
    """C, A, D, B."""
    return compare_letters(answer, _HAPPENED, _HAPPENED_HINTS)


# --- 13.6 -------------------------------------------------------------------------------------------------------------
_SMOOTHED = {"number 1": 0.45, "number 2": 0.9}
_SMOOTHED_HINTS = {
    "number 1": {
        0.5: "that is without smoothing; only real samples have the label 0.9",
        0.9: "that is where there are no made samples",
        0.55: "that is 1 - D", 9 / 19: "below the line stands p + q: the real samples' 0.1 counts there, too",
    },
    "number 2": {1: "with the label 0.9 the discriminator is never quite sure",
                 0.1: "that is 1 - D", 0.45: "that is where p = q"},
}  # fmt: skip


@exercise("13.6")
def check_smoothed(answer):
    """0.45 and 0.9."""
    return compare_numbers(answer, _SMOOTHED, _SMOOTHED_HINTS, "not yet; set the slope in D to 0", atol=0.004)


# --- 13.7 -------------------------------------------------------------------------------------------------------------
_ALLOWED, _NETWORKS, _STEPS, _LEAST = ("remedy", "momentum", "rate"), 4, 400, 24


def _train(**settings):
    """The points of four networks after 400 steps, from a seed of its own: a test puts a stub here."""
    from coursekit.models import gan

    seed = int(np.random.default_rng().integers(2**31))
    return gan.train_on_ring(**settings, networks=_NETWORKS, steps=_STEPS, seed=seed)[0]


@exercise("13.7")
def check_settings(settings):
    """A training with these settings; at least 24 of 32 clouds."""
    from coursekit.models import gan

    if not isinstance(settings, dict):
        return "hand in a dictionary, such as {'momentum': 0.9}"
    others = [str(name) for name in settings if name not in _ALLOWED]
    if others:
        return f"{others[0]} can't be set here; take remedy, momentum and rate"
    if settings.get("remedy") not in (None, *gan.REMEDIES):
        return f"there is no remedy {settings['remedy']!r}; there are {', '.join(gan.REMEDIES)}"
    momentum = numbers(settings.get("momentum", 0.9))
    if momentum is None or momentum.size != 1 or not 0 <= float(momentum.ravel()[0]) < 1:
        return "momentum should be a number from 0 to below 1"
    rate = numbers(settings.get("rate", 3e-3))
    if rate is None or rate.size not in (1, 2) or not (np.isfinite(rate) & (rate > 0)).all():
        return "rate should be one number above 0, or two: of the generator and of the discriminator"
    rate = rate.ravel().tolist()
    rate = rate if len(rate) == 2 else rate[0]
    clean = {"remedy": settings.get("remedy"), "momentum": float(momentum.ravel()[0]), "rate": rate}
    points = np.asarray(_train(**clean))
    if not np.isfinite(points).all():
        return "the training diverged: some samples are no finite numbers; lower the rate"
    found = gan.clouds_found(points)
    if found.sum() < _LEAST:
        told = f"after {_STEPS} steps the four networks found {found.tolist()} clouds, together {found.sum()}"
        return f"{told}; {_LEAST} are asked for"
    return None
