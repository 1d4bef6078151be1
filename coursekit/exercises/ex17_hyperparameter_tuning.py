"""The checks of notebook 17, Hyperparameter tuning."""

import numpy as np

from coursekit.exercises import NOT_ATTEMPTED, RETURNS_NOTHING, exercise
from coursekit.exercises.answers import close, compare_letters, compare_numbers, missing, numbers
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
    "(b)": {200: "that is in minutes", 100: "each takes 2 minutes", 50: "divide minutes by 60", 6: "divide by 60"},
    "(c)": {
        600: "that is in minutes",
        100 / 30: "each setting is trained once for each fold",
        300: "each takes 2 minutes, and the answer is in hours",
        100 / 90: "three folds are three trainings, not a third of one",
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
    """Several shares and probabilities, none of which sits on an edge."""
    rng = np.random.default_rng()
    cases = [(0.05, 0.95), (0.02, 0.9), (0.5, 0.7), (0.9, 0.5), (0.001, 0.99)]
    cases += [(float(rng.uniform(0.01, 0.3)), float(rng.uniform(0.3, 0.99))) for _ in range(4)]
    for share, probability in cases:
        right = _needed(share, probability)
        got = draws_needed(share, probability)
        if missing(got):
            return NOT_ATTEMPTED if got is ... or (share == 0.05 and probability == 0.95) else RETURNS_NOTHING
        value = numbers(got)
        if value is None or value.size != 1 or not np.isfinite(value).all():
            return f"return one whole number, not {repr(got)[:40]}"
        value = float(value.ravel()[0])
        if value == right:
            continue
        exact = np.log1p(-probability) / np.log1p(-share)
        where = f"draws_needed({share:.4g}, {probability:.4g})"
        mistakes = [
            (exact, f"{where}: a search has a whole number of draws; round up"),
            (int(exact), f"{where}: with {right - 1} draws the probability is still too small; round up"),
            (right + 1, f"{where}: one draw fewer is enough"),
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
@exercise("17.3")
def check_one_round(one_round):
    """No NaN, some, nearly all; fewer scores than the factor; numbers that don't divide."""
    rng = np.random.default_rng()
    for n, factor, diverged in [(27, 3, 0), (10, 3, 2), (2, 3, 0), (7, 2, 1), (9, 3, 7), (8, 4, 3)]:
        scores = rng.permutation(np.linspace(0.1, 0.95, n)) + rng.uniform(0, 0.005, n)
        scores[rng.choice(n, diverged, replace=False)] = np.nan
        keep = max(1, n // factor)
        values = np.where(np.isnan(scores), -1, scores)
        order = sorted(range(n), key=lambda i: -values[i])
        finite = [i for i in order if values[i] >= 0]
        must, may = set(finite[:keep]), set(np.flatnonzero(np.isnan(scores)).tolist())
        got = one_round(scores.copy(), factor)
        if missing(got):
            return NOT_ATTEMPTED if got is ... or n == 27 else RETURNS_NOTHING
        places = numbers(got if hasattr(got, "shape") else list(got) if isinstance(got, list | tuple | set) else got)
        if places is None or places.ndim != 1:
            return f"return a list of the numbers of the trials that go on, not {repr(got)[:40]}"
        found = places.tolist()
        chosen = set(found)
        if chosen == {float(value) for value in scores if np.isfinite(value)} & chosen and not chosen <= set(range(n)):
            return "these are scores; return the numbers of the trials: 0, 1, …"
        if not chosen <= set(range(n)):
            return f"the numbers of {n} trials go from 0 to {n - 1}"
        if len(found) != len(chosen):
            return "a trial stands in the answer twice"
        if len(found) != keep:
            hint = " (at least one goes on)" if n // factor == 0 else ""
            if len(found) == -(-n // factor) or len(found) == n - keep:
                hint = "; `//` rounds down" if len(found) == -(-n // factor) else "; these many are stopped"
            return f"of {n} trials with factor {factor}, {keep} should go on{hint}; yours are {len(found)}"
        if must <= chosen and chosen - must <= may:
            continue
        if chosen & may:
            return "a trial with the score NaN goes on, and one with a number is stopped; NaN sorts behind all numbers"
        if chosen == set(finite[-keep:]):
            return "these are the worst trials; a high accuracy is good"
        i = min(must - chosen)
        return f"trial {i} with {scores[i]:.3f} should go on; the scores are {np.round(scores, 2).tolist()}"
    return None


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
@exercise("17.5")
def check_nested(nested):
    """Several numbers of settings and splits, in which no other reading gives the same number."""
    rng = np.random.default_rng()
    for settings, splits in [(6, 3), (20, 5), (9, 4), (40, 2)]:
        validation, test = rng.uniform(0.2, 0.9, (2, settings, splits))
        winners = [max(range(settings), key=lambda row: validation[row, split]) for split in range(splits)]
        right = sum(test[row, split] for split, row in enumerate(winners)) / splits
        got = nested(validation.copy(), test.copy())
        if missing(got):
            return NOT_ATTEMPTED if got is ... or settings == 6 else RETURNS_NOTHING
        value = numbers(got)
        if value is None or value.size != 1:
            return f"return one number, not {repr(got)[:40]}"
        by_mean = validation.mean(axis=1).argmax()
        mistakes = {
            "that is the mean of the validation accuracies of the winners, with all their optimism": validation.max(
                axis=0
            ).mean(),
            "that chooses by the test data; choose by the validation data": test.max(axis=0).mean(),
            "that is one setting for all splits, chosen by its mean; each split makes its own choice": test[
                by_mean
            ].mean(),
            "each winner is tested on its own split only": test[winners].mean(),
            "that chooses by the validation data the worst setting": test[
                validation.argmin(axis=0), range(splits)
            ].mean(),
            "that is the sum over the splits; take the mean": right * splits,
            "choose for each split, not for each setting: the first axis has the settings": _by_rows(validation, test),
        }
        if not close(value.ravel(), np.array([right])):
            known = (hint for hint, wrong in mistakes.items() if close(value.ravel(), np.array([wrong])))
            return next(
                known, f"for {settings} settings and {splits} splits it should be {right:.4f}, not {value.item():.4f}"
            )
    return None


def _by_rows(validation, test):
    return test[np.arange(len(test)), validation.argmax(axis=1)].mean()


# --- 17.6 -------------------------------------------------------------------------------------------------------------
@exercise("17.6")
def check_importances(importances):
    """Two to four axes of different lengths, some of which matter more."""
    rng = np.random.default_rng()
    for shape in [(3, 4), (2, 5, 3), (4, 2, 3, 5), (6, 2)]:
        scores = rng.normal(size=shape)
        for axis, n in enumerate(shape):
            scores += (
                np.moveaxis(rng.normal(size=n) * rng.uniform(0, 3) * np.ones((*shape[:-1], n)), -1, axis)
                if (shape[-1] == n and axis == len(shape) - 1)
                else 0
            )
        means = [[scores.take(i, axis).mean() for i in range(n)] for axis, n in enumerate(shape)]
        total = ((scores - scores.mean()) ** 2).mean()
        right = np.array([np.mean((np.array(one) - np.mean(one)) ** 2) / total for one in means])
        got = importances(scores.copy())
        if missing(got):
            return NOT_ATTEMPTED if got is ... or shape == (3, 4) else RETURNS_NOTHING
        values = numbers(got if hasattr(got, "shape") else list(got) if isinstance(got, list | tuple) else got)
        if values is None or values.shape != right.shape:
            return f"for {len(shape)} hyperparameters return a list of {len(shape)} numbers"
        within = [scores.var(axis=axis).mean() / total for axis in range(len(shape))]
        mistakes = {
            "that is without dividing by the variance of all scores": right * total,
            "average over the other axes, not over the axis itself": [
                scores.mean(axis=axis).var() / total for axis in range(len(shape))
            ],
            "take the variance of the means of the values, not the mean of the variances": within,
            "that is with standard deviations; the formula has variances": np.sqrt(right),
            "these add up to 1; the interactions belong to no single hyperparameter": right / right.sum(),
            "variances over n, as np.var has them, on both sides": [
                np.var(one, ddof=1) / scores.var(ddof=1) for one in means
            ],
        }
        if not np.allclose(values, right, atol=1e-4):
            known = (hint for hint, wrong in mistakes.items() if np.allclose(values, wrong, atol=1e-4))
            i = int(np.nanargmax(np.abs(values - right))) if np.isfinite(values).any() else 0
            said = (
                f"for an array of shape {shape} the importance of axis {i} is {right[i]:.4f}, yours is {values[i]:.4f}"
            )
            return next(known, said)
    return None


# --- 17.7 -------------------------------------------------------------------------------------------------------------
BUDGET, WANTED, SEARCHES = 300, 0.95, 30


class _Budget:
    """`try_it` of the exercise: it answers from the table and counts epochs."""

    def __init__(self, split):
        self.split, self.spent, self.trained = split, 0, {}

    def __call__(self, setting, epochs):
        row, last = tuning.table().number(setting), int(epochs)
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
            row = tuning.table().number(got)
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
