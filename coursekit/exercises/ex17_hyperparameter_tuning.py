"""The checks of notebook 17, Hyperparameter tuning."""

import numpy as np

from coursekit.exercises import NOT_ATTEMPTED, RETURNS_NOTHING, exercise
from coursekit.exercises.answers import CHANGED, changed, compare_letters, compare_numbers, missing, numbers
from coursekit.training import tuning

# --- 17.1 -------------------------------------------------------------------------------------------------------------
_COUNTS = {"(a)": 100, "(b)": 100 / 30, "(c)": 10, "(d)": 4}
_COUNT_HINTS = {
    "(a)": {
        180: "Adam and RMSprop have no momentum: they count once each, not three times",
        60: "SGD has three momenta: it counts three times",
        14: "that is a sum; the possibilities of different hyperparameters are multiplied",
        20: "the optimizers are missing",
        80: "the optimizers are five possibilities: Adam, RMSprop, and SGD with each of three momenta",
        120: "the optimizers are five possibilities: Adam, RMSprop, and SGD with each of three momenta",
        75: "1 to 4 layers are four possibilities",
    },
    "(b)": {200: "that is in minutes", 100: "each takes 2 minutes", 50: "divide minutes by 60", 6: "divide by 60",
        3.2: "20 minutes are a third of an hour, not two tenths",
    },
    "(c)": {
        600: "that is in minutes",
        100 / 30: "each setting is trained once for each fold",
        300: "each takes 2 minutes, and the answer is in hours",
        100 / 90: "three folds are three trainings, not a third of one",
        9.9: "that is three times a rounded number; round at the end",
    },
    "(d)": {
        5: "four trials can't try five rates", 1: "each trial draws its own rate",
        20: "four trials can't try twenty rates",
    },
}  # fmt: skip


@exercise("17.1")
def check_counts(answer):
    """Four numbers; (b) may be rounded to a tenth."""
    otherwise = {
        "(a)": "not yet; layers times rates times the possibilities of the optimizer, momentum included",
        "(b)": "not yet; settings times 2 minutes, in hours",
        "(c)": "not yet; three times as many trainings",
        "(d)": "not yet; each trial has one learning rate",
    }
    return compare_numbers(answer, _COUNTS, _COUNT_HINTS, otherwise, atol=0.04)


# --- 17.2 -------------------------------------------------------------------------------------------------------------
def _needed(share, probability):
    n = max(1, int(np.log1p(-probability) / np.log1p(-share)) - 2)
    while 1 - (1 - share) ** n < probability - 1e-12:
        n += 1
    return n


@exercise("17.2")
def check_draws_needed(draws_needed):
    """Several shares and probabilities; two are met exactly, where halves leave no rounding to speak of."""
    rng = np.random.default_rng()
    # in the first case no two mistakes give the same
    cases = [(0.1, 0.8), (0.05, 0.95), (0.02, 0.9), (0.5, 0.7), (0.9, 0.5), (0.001, 0.99), (0.5, 0.75), (0.5, 0.5)]
    cases += [(float(rng.uniform(0.01, 0.3)), float(rng.uniform(0.3, 0.99))) for _ in range(4)]
    for share, probability in cases:
        right = _needed(share, probability)
        got = draws_needed(share, probability)
        if missing(got):
            return NOT_ATTEMPTED if got is ... or share == 0.1 else RETURNS_NOTHING
        value = numbers(got)
        if value is None or value.size != 1 or not np.isfinite(value).all():
            return f"return one whole number, not {repr(got)[:40]}"
        value = float(value.ravel()[0])
        if value == right:
            continue
        exact = np.log1p(-probability) / np.log1p(-share)
        on_edge = (1 - share) ** right == 1 - probability
        where = f"draws_needed({share:.4g}, {probability:.4g})"
        mistakes = [
            (exact, f"{where}: a search has a whole number of draws; round up"),
            (int(exact), f"{where}: with {right - 1} draws the probability is still too small; round up"),
            (right + 1, f"{where}: one draw fewer is enough" + ("; it meets it exactly" if on_edge else "")),
            (
                np.ceil(1 / share),
                f"{where}: 1 / share draws hit once on average, which is not the probability asked for",
            ),
            (
                np.ceil(probability / share),
                f"{where}: probabilities of several draws don't add up; multiply the misses",
            ),
            (_needed(probability, share) if share < 1 else None, f"{where}: share and probability have changed places"),
            (_needed(share, 1 - probability), f"{where}: the searches may miss with 1 - probability, not hit"),
        ]
        known = (hint for wrong, hint in mistakes if wrong is not None and np.isclose(value, wrong, atol=1e-9))
        return next(known, f"{where} should be {right}, yours is {value:g}")
    return None


# --- 17.3 -------------------------------------------------------------------------------------------------------------
def _rounds(rng):
    """(scores, factor): no NaN, some, nearly all; a true 0 between NaNs; equal scores; fewer than the factor."""
    for n, factor, diverged in [(27, 3, 0), (10, 3, 2), (2, 3, 0), (7, 2, 1), (9, 3, 7), (8, 4, 3)]:
        scores = rng.permutation(np.linspace(0.1, 0.95, n)) + rng.uniform(0, 0.005, n)
        scores[rng.choice(n, diverged, replace=False)] = np.nan
        yield scores, factor
    for _ in range(3):  # four places for three numbers and the 0; a NaN made 0 takes its place, all but surely
        middle = rng.permutation([*rng.uniform(0.1, 0.9, 3), 0.0, *[np.nan] * 10])
        yield np.array([np.nan, *middle, np.nan]), 4
    yield rng.permutation(np.repeat(rng.uniform(0.1, 0.9, 3), 3)), 2


@exercise("17.3")
def check_one_round(one_round):
    """Rounds of several kinds; where scores are equal at the cut, either may go on."""
    rng = np.random.default_rng()
    for scores, factor in _rounds(rng):
        n, given = len(scores), scores.copy()
        got = one_round(given, factor)
        if missing(got):
            return NOT_ATTEMPTED if got is ... or n == 27 else RETURNS_NOTHING
        places = numbers(got if hasattr(got, "shape") else list(got) if isinstance(got, list | tuple | set) else got)
        if places is None or places.ndim != 1:
            return f"return a list of the numbers of the trials that go on, not {repr(got)[:40]}"
        if hint := _round_hint(places.tolist(), scores, factor):
            return hint
        if not np.array_equal(given, scores, equal_nan=True):
            return CHANGED
    return None


def _round_hint(found, scores, factor):
    n, chosen = len(scores), set(found)
    whole = [int(place) for place in found if place == place // 1]
    keep = max(1, n // factor)
    values = np.where(np.isnan(scores), -np.inf, scores)
    cut = np.sort(values)[-keep]
    must, may = set(np.flatnonzero(values > cut).tolist()), set(np.flatnonzero(values == cut).tolist())
    diverged = set(np.flatnonzero(np.isnan(scores)).tolist())
    if chosen <= {float(value) for value in scores} and not chosen <= set(range(n)):
        return "these are scores; return the numbers of the trials: 0, 1, …"
    one_less = {place - 1 for place in chosen}  # what somebody means who counts from 1
    if len(found) == keep and must <= one_less <= must | may and not must <= chosen <= must | may:
        return "the numbers begin with 0: the first trial is trial 0"
    if not chosen <= set(range(n)):
        return f"the numbers of {n} trials go from 0 to {n - 1}"
    if len(found) != len(chosen):
        return "a trial stands in the answer twice"
    if len(found) != keep:
        hint = " (at least one goes on)" if n // factor == 0 else ""
        if len(found) == -(-n // factor) or len(found) == n - keep:
            hint = "; `//` rounds down" if len(found) == -(-n // factor) else "; these many are stopped"
        return f"of {n} trials with factor {factor}, {keep} should go on{hint}; yours are {len(found)}"
    if must <= chosen <= must | may:
        return None
    shown = f"the scores are {np.round(scores, 2).tolist()}"
    if chosen & diverged:
        zero = "; a score of 0 is a number, too" if (scores == 0).any() else ""
        return f"a trial with the score NaN goes on, and one with a number is stopped{zero}; {shown}"
    if values[whole].max() <= np.sort(values[values > -np.inf])[:keep].max():
        return "these are the worst trials; a high accuracy is good"
    i = min((must | may) - chosen)
    return f"trial {i} with {scores[i]:.3f} should go on; {shown}"


# --- 17.4 -------------------------------------------------------------------------------------------------------------
@exercise("17.4")
def check_searches(answer):
    """Four letters."""
    right = {"(a)": "A", "(b)": "D", "(c)": "B", "(d)": "C"}
    hints = {
        "(a)": "there are only nine settings, and all of them should be in the report",
        "(b)": "few trials, one after another: which search learns from each?",
        "(c)": "nobody waits for a result before the next trial begins, and none is stopped",
        "(d)": "which search stops trials after a few epochs?",
    }
    nowhere = {"E": "depth and width are whole numbers and the optimizer is a word: there is no gradient"}
    return compare_letters(answer, right, hints, nowhere)


# --- 17.5 -------------------------------------------------------------------------------------------------------------
def _nested(validation, test):
    """The mean of the test accuracies of the winners, split by split: another way than the page's."""
    winners = [max(range(len(validation)), key=lambda row: validation[row, split]) for split in range(len(test[0]))]
    return sum(test[row, split] for split, row in enumerate(winners)) / len(winners)


def _nested_wrongly(validation, test):
    """What each likely mistake gives, with what to say about it."""
    winners, splits = validation.argmax(axis=0), range(validation.shape[1])
    one, best = "that is one setting for all splits", np.unravel_index(validation.argmax(), validation.shape)
    return {
        "that is the mean of the validation accuracies of the winners, with all their optimism": validation.max(
            axis=0
        ).mean(),
        "that chooses by the test data; choose by the validation data": test.max(axis=0).mean(),
        f"{one}, chosen by its mean; each split makes its own choice": test[validation.mean(axis=1).argmax()].mean(),
        f"{one}, the one with the best accuracy of all; each split makes its own choice": test[best[0]].mean(),
        f"{one}, the winner of the first; each split makes its own choice": test[winners[0]].mean(),
        "each winner is tested on its own split only": test[winners].mean(),
        "that chooses by the validation data the worst setting": test[validation.argmin(axis=0), splits].mean(),
        "that is the sum over the splits; take the mean": test[winners, splits].sum(),
        "that is the median over the splits; take the mean": np.median(test[winners, splits]),
        "that is the best of the splits; take the mean": test[winners, splits].max(),
        "choose for each split, not for each setting: the first axis has the settings": test[
            np.arange(len(test)), validation.argmax(axis=1)
        ].mean(),
        "validation and test have changed places": validation[test.argmax(axis=0), splits].mean(),
    }


def _accuracies(rng, settings, splits):
    """Validation and test accuracies, drawn until no mistake gives what is right, nor what another one gives.

    With two splits the median is the mean.
    """
    while True:
        validation, test = rng.uniform(0.2, 0.9, (2, settings, splits))
        mistakes = _nested_wrongly(validation, test)
        if splits == 2:
            del mistakes["that is the median over the splits; take the mean"]
        if np.diff(np.sort([*mistakes.values(), _nested(validation, test)])).min() > 2e-3:
            return validation, test


@exercise("17.5")
def check_nested(nested):
    """Several numbers of settings and splits; a number rounded to three digits is right."""
    rng = np.random.default_rng()
    for settings, splits in [(6, 3), (20, 5), (9, 4), (40, 2)]:
        validation, test = was = _accuracies(rng, settings, splits)
        right, mistakes = _nested(validation, test), _nested_wrongly(validation, test)
        given = [part.copy() for part in was]
        got = nested(*given)
        if missing(got):
            return NOT_ATTEMPTED if got is ... or settings == 6 else RETURNS_NOTHING
        value = numbers(got)
        if value is None or value.size != 1:
            return f"return one number, not {repr(got)[:40]}"
        value = value.item()
        if not abs(value - right) <= 6e-4:
            known = (hint for hint, wrong in mistakes.items() if abs(value - wrong) <= 6e-4)
            otherwise = f"for {settings} settings and {splits} splits it should be {right:.4f}, not {value:.4f}"
            return next(known, otherwise)
        if changed(given, list(was)):
            return CHANGED
    return None


# --- 17.6 -------------------------------------------------------------------------------------------------------------
def _shares(scores):
    """Value by value: another way than the page's."""
    means = [[scores.take(i, axis).mean() for i in range(n)] for axis, n in enumerate(scores.shape)]
    total = ((scores - scores.mean()) ** 2).mean()
    return np.array([np.mean((np.array(one) - np.mean(one)) ** 2) / total for one in means])


def _shares_wrongly(scores, right):
    """What each likely mistake gives, with what to say about it."""
    axes, total = range(scores.ndim), scores.var()
    lengths = np.array(scores.shape)
    with np.errstate(invalid="ignore", divide="ignore"):  # an axis with one value
        sampled = right * lengths / (lengths - 1) * (1 - 1 / scores.size)
    return {
        "that is without dividing by the variance of all scores": right * total,
        "average over the other axes, not over the axis itself": [scores.mean(axis=j).var() / total for j in axes],
        "take the variance of the means of the values, not the mean of the variances": [
            scores.var(axis=axis).mean() / total for axis in axes
        ],
        "that is with standard deviations; the formula has variances": np.sqrt(right),
        "these add up to 1; the interactions belong to no single hyperparameter": right / right.sum(),
        "variances over n, as np.var has them, on both sides": sampled,
        "that is the last axis first; begin with axis 0": right[::-1],
    }


def _grid(rng, shape):
    """Scores with a part of each axis, larger or smaller, drawn until no mistake gives nearly what is right."""
    while True:
        scores = rng.normal(size=shape)
        for axis, n in enumerate(shape):
            part = rng.normal(size=n) * rng.uniform(0, 3)
            scores = scores + part.reshape([-1 if other == axis else 1 for other in range(len(shape))])
        right = _shares(scores)
        far = [np.abs(wrong - right).max() for wrong in _shares_wrongly(scores, right).values()]
        if np.nanmin(far) > 0.03:
            return scores, right


@exercise("17.6")
def check_importances(importances):
    """Two to four axes of different lengths, one of length 1; shares rounded to two digits, as the page has them."""
    rng = np.random.default_rng()
    for shape in [(2, 5, 3), (3, 4), (4, 2, 3, 5), (6, 2), (4, 1, 3)]:
        scores, right = _grid(rng, shape)
        given = scores.copy()
        got = importances(given)
        if missing(got):
            return NOT_ATTEMPTED if got is ... or shape == (2, 5, 3) else RETURNS_NOTHING
        values = numbers(got if hasattr(got, "shape") else list(got) if isinstance(got, list | tuple) else got)
        if values is not None and values.size == len(shape) and values.ndim:
            values = values.ravel()  # a list of arrays with one element, or a column
        if values is None or values.shape != right.shape:
            return f"for {len(shape)} hyperparameters return a list of {len(shape)} numbers"
        if not np.allclose(values, right, rtol=0, atol=5.1e-3):
            mistakes = _shares_wrongly(scores, right).items()
            known = (hint for hint, wrong in mistakes if np.allclose(values, wrong, rtol=0, atol=1e-4, equal_nan=True))
            i = int(np.argmax(np.nan_to_num(np.abs(values - right), nan=np.inf)))
            shown = f"the importance of axis {i} is {right[i]:.4f}, yours is {values[i]:.4f}"
            return next(known, f"for an array of shape {shape} {shown}")
        if changed(given, scores):
            return CHANGED
    return None


# --- 17.7 -------------------------------------------------------------------------------------------------------------
BUDGET, WANTED, SEARCHES = 300, 0.95, 30


def _plain(setting):
    """A setting whose numbers may come from any library, in any precision, as the table has them."""
    if not isinstance(setting, dict):
        return setting
    found = {name: numbers(value) for name, value in setting.items()}
    return {
        name: float(f"{found[name].item():.4g}") if found[name] is not None and found[name].size == 1 else value
        for name, value in setting.items()
    }


class _Budget:
    """`try_it` of the exercise: it answers from the table and counts epochs."""

    def __init__(self, split):
        self.split, self.spent, self.trained = split, 0, {}

    def __call__(self, setting, epochs):
        row, last = tuning.table().number(_plain(setting)), int(epochs)
        if last != epochs or not 1 <= last <= tuning.EPOCHS:
            raise ValueError(f"a trial has 1 to {tuning.EPOCHS} epochs, not {epochs}")
        more = max(0, last - self.trained.get(row, 0))
        if self.spent + more > BUDGET:
            raise RuntimeError(
                f"the budget of {BUDGET} epochs is used up: {self.spent} are spent, and {more} are asked for"
            )
        self.spent += more
        self.trained[row] = max(last, self.trained.get(row, 0))
        return float(tuning.table().validation[row, self.split, last - 1])


@exercise("17.7")
def check_my_search(my_search):
    """Thirty searches, ten on each split."""
    found, spent = [], []
    for i in range(SEARCHES):
        budget = _Budget(i % tuning.SPLITS)
        got = my_search(budget)
        if missing(got):
            return NOT_ATTEMPTED if not budget.spent else RETURNS_NOTHING
        if not isinstance(got, dict):
            return f"return a setting, a dictionary such as {tuning.rounded(tuning.table().settings[0])}"
        if not budget.spent:
            return "your search tried nothing: call `try_it(setting, epochs)`"
        try:
            row = tuning.table().number(_plain(got))
        except tuning.TuningError:
            return "your search returned a setting that is not in the space; take one from `tuning.table().settings`"
        found.append(tuning.table().test[row, i % tuning.SPLITS, -1])
        spent.append(budget.spent)
    mean = float(np.mean(found))
    if mean >= WANTED:
        return None
    said = f"the networks that it chooses have a mean test accuracy of {mean:.3f}, and {WANTED} is wanted"
    if np.mean(spent) < BUDGET / 2:
        return f"{said}; it uses {np.mean(spent):.0f} of the {BUDGET} epochs"
    if min(found) < 0.9:
        return f"{said}; the worst has {min(found):.3f}: too few different settings were seen"
    return said
