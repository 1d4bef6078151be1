"""The checks of notebook 13, Generative adversarial networks."""

import numpy as np

from coursekit.exercises import NOT_ATTEMPTED, exercise
from coursekit.exercises.answers import CHANGED, changed, compare_letters, compare_numbers, missing, numbers, parts_of

SECONDS = 20  # of computing, for a function whose work takes less than one

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
        "real ones have the label 1, and here they have 0": _plus(real).mean() + _plus(made).mean(),
        "the sign is turned round: a cross-entropy is not negative": -right,
    }
    for_g = {
        "that is the minimax loss log(1 - D); the non-saturating one is -log D": -_plus(made).mean(),
        "that is the cross-entropy with the label 0; the generator's samples get the label 1": _plus(made).mean(),
        "the generator's loss uses made samples alone": _plus(-made).mean() + _plus(real).mean(),
        "those are the real samples; the generator's loss uses made ones": _plus(-real).mean(),
        "that is the sum over the samples; take the mean": _plus(-made).sum(),
        "the sign is turned round: -log D is not negative": -_plus(-made).mean(),
        "that is -L_D, of a game with the sum 0; the non-saturating loss is -log D of the made ones": -right,
    }
    return for_d, for_g


@exercise("13.2", seconds=SECONDS)
def check_losses(losses):
    """Batches of different lengths, one sample among them, logits of any size up to hundreds."""
    rng = np.random.default_rng()
    for n, m, size in [(7, 4, 2.0), (1, 5, 1.0), (6, 1, 3.0), (5, 8, 200.0)]:
        real, made = size * rng.normal(size=n), size * rng.normal(size=m) - 0.3
        if size > 100:  # at least one of either sign that is far too large for a sigmoid
            real[:2], made[:2] = rng.uniform(300, 500, size=(2, 1)) * [1, -1]
        right = _plus(-real).mean() + _plus(made).mean(), _plus(-made).mean()
        mistakes = _loss_mistakes(real, made)
        given = real.copy(), made.copy()
        with np.errstate(all="ignore"):
            got = losses(*given)
        if missing(got):
            return NOT_ATTEMPTED
        parts = parts_of(got, 2, stacked=True)
        if parts is None:
            return "return two numbers: the loss of the discriminator and that of the generator"
        if all(map(missing, parts)):
            return NOT_ATTEMPTED
        if changed(given, (real, made)):
            return CHANGED
        parts = [numbers(one) for one in parts]
        if all(one is not None and one.size == 1 for one in parts) and np.allclose(
            [float(one.ravel()[0]) for one in parts], right[::-1], rtol=1e-4, atol=1e-4
        ):
            return "the loss of the discriminator comes first, then that of the generator"
        for name, value, wanted, known in zip(("L_D", "L_G"), parts, right, mistakes, strict=True):
            if value is None or value.size != 1:
                return f"{name} should be one number" + ("" if value is None else f", not of the shape {value.shape}")
            value = float(value.ravel()[0])
            if not np.isclose(value, wanted, rtol=1e-4, atol=1e-4):
                if size > 100 and not np.isfinite(value):
                    return f"with logits of some hundreds {name} is {value}: take the softplus, not log and exp apart"
                hint = min(known, key=lambda one, known=known, value=value: abs(value - known[one]))
                if np.isclose(value, known[hint], rtol=1e-4, atol=1e-4):  # the nearest: two may be near by chance
                    return f"{name}: {hint}"
                told = f"{name} of {n} real and {m} made logits should be {wanted:.4f}, yours is {value:.4f}"
                if size > 100:
                    return f"{told}: with logits of some hundreds too, nothing may be cut off or added in a logarithm"
                return told
    return None


# --- 13.3 -------------------------------------------------------------------------------------------------------------
_EXACT, _DENSE, _ABOVE, _BELOW, _EDGE, _CORNER, _FEW, _NONE, _PAIR = range(9)


def _clouds(n, near, share, rng):
    """Points and centers that tell the mistakes apart, all multiples of 1/8, so that distances are exact.

    Around some centers there are just as many points as needed, somewhere or very near; or one less; or one less, and
    others exactly at the distance `near`, or nearer in each coordinate only; or few, or none. Some centers are near
    each other and share their points. The other points are far from all.
    """
    enough = int(np.ceil(share * n))
    aside = np.array([near / 2, 0])
    eighths = np.arange(-10, 11) / 8
    offsets = np.stack(np.meshgrid(eighths, eighths), axis=-1).reshape(-1, 2)
    squared = (offsets**2).sum(axis=1)
    inside, edge = offsets[squared < near**2], offsets[(squared == near**2) & (offsets != 0).all(axis=1)]
    corner = 0.9 * near // 0.125 * 0.125 * np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    between = inside[((inside - aside) ** 2).sum(axis=1) < near**2]
    places = 4.0 * np.stack(np.meshgrid(np.arange(7), np.arange(7)), axis=-1).reshape(-1, 2) - [13.125, 11.25]
    kinds = np.repeat(np.arange(9), rng.integers(1, 3, size=9))
    counts = {
        _EXACT: (enough, 0, 0), _DENSE: (enough, 0, 0), _ABOVE: (enough + 4, 0, 0),
        _BELOW: (enough - 1, 0, 0), _EDGE: (enough - 1, 2, 0), _CORNER: (enough - 1, 0, 3),
        _FEW: (2, 0, 0), _NONE: (0, 0, 0), _PAIR: (enough, 0, 0),
    }  # fmt: skip
    centers, points = [], []
    places = rng.permutation(places)
    for kind, place in zip(kinds, places[: len(kinds)], strict=True):
        centers += [place, place + aside] if kind == _PAIR else [place]
        pools = {_PAIR: between, _DENSE: inside[(inside**2).sum(axis=1) < near**2 / 4]}.get(kind, inside), edge, corner
        points += [place + rng.choice(pool, count) for pool, count in zip(pools, counts[kind], strict=True)]
    points = np.concatenate(points)
    far = rng.choice(places, n - len(points)) + 2  # in the middle of four places
    return rng.permutation(np.concatenate([points, far])), rng.permutation(np.array(centers))


def _count_mistakes(points, centers, near, share):
    """What each likely mistake counts, with what to say about it."""
    n, apart = len(points), points[:, None] - centers  # (n, k, 2)
    squared = (apart**2).sum(axis=-1)
    within = squared < near**2
    counts, nearest = within.sum(axis=0), squared.argmin(axis=1)[:, None] == np.arange(len(centers))

    def reached(one):
        return int((one.sum(axis=0) >= share * n).sum())

    return {
        "that counts centers with any point near them; a share of all points is needed": int((counts > 0).sum()),
        "that is the number of points near a center; count the centers": int(counts.sum()),
        "that counts the centers that were missed": int((counts < share * n).sum()),
        "a point that is near two centers counts for both": reached(within & nearest),
        "`near` plays no part: a point that is far from all centers counts for none": reached(nearest),
        "the distance must be below `near`; points exactly at that distance don't count": reached(squared <= near**2),
        "a share of exactly `share` is enough": int((counts > share * n).sum()),
        "`share` times the number of points need not be whole: don't round it": int((counts >= int(share * n)).sum()),
        "`share` is of all points, not only of those near a center": int(
            (counts >= share * max(within.any(axis=1).sum(), 1)).sum()
        ),
        "the distance goes over both coordinates together, not over each": reached((np.abs(apart) < near).all(axis=-1)),
        "the distance is the root of the sum of the squares, not the sum of both coordinates' distances": reached(
            np.abs(apart).sum(axis=-1) < near
        ),
        "`near` is the distance, not its square": reached(squared < near),
    }


@exercise("13.3", seconds=SECONDS)
def check_count(count):
    """Many centers, some near each other; points exactly at the limit; a share that is met exactly, all and none.

    A mistake is named if it gives the student's number in every case.
    """
    rng = np.random.default_rng()
    sizes = (416, 0.625, 1 / 32), (400, 1.25, 1 / 32), (720, 1.25, 1 / 64), (360, 0.625, 1 / 32), (832, 1.25, 1 / 64)
    cases = [(*_clouds(n, near, share, rng), near, share) for n, near, share in sizes]
    one = rng.integers(-40, 40, size=(1, 2)) / 8
    three = one + np.array([[0, 0], [9, 0], [0.5, 0.25]])
    cases += [(three[2:], one, 0.625, 1.0), (three, one - 20, 1.25, 0.25)]
    told, known = None, None
    for points, centers, near, share in cases:
        counts = ((points[:, None] - centers) ** 2).sum(axis=-1) < near**2
        counts = counts.sum(axis=0)
        right = int((counts >= share * len(points)).sum())
        given = points.copy(), centers.copy()
        got = count(*given, near, share)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, (points, centers)):
            return CHANGED
        got = numbers(got)
        if got is None or got.size != 1:
            return "return one whole number"
        got = float(got.ravel()[0])
        fits = {hint for hint, mistaken in _count_mistakes(points, centers, near, share).items() if got == mistaken}
        known = fits if known is None else known & fits
        if got != right and told is None:
            n, k = len(points), len(centers)
            told = f"of {k} centers with {counts.tolist()} of {n} points near them, at a share of {share:g}"
            told = f"{told}: {right}, not {got:g}"
    if told is None:
        return None
    return next((hint for hint in _count_mistakes(*cases[0]) if hint in known), told)


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
