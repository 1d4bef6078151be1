"""The checks of notebook 17: right answers pass in any dress, gaps are not attempted, mistakes get their hints."""

import math

import numpy as np
import pytest

from coursekit.exercises import NOT_ATTEMPTED, attempt
from coursekit.training import tuning

TIMES = 10


def outcomes(exercise, answer, times=TIMES):
    return [attempt(exercise, answer) for _ in range(times)]


# --- right answers ----------------------------------------------------------------------------------------------------
def draws_needed(share, probability):
    n, missed = 0, 1.0
    while 1 - missed < probability:
        n, missed = n + 1, missed * (1 - share)
    return n


def draws_by_logarithms(share, probability):
    return [np.float64(math.ceil(math.log(1 - probability) / math.log(1 - share)))]


def one_round(scores, factor):
    scores = np.array(scores, dtype=float)
    scores[np.isnan(scores)] = -np.inf
    return np.argsort(-scores)[: max(1, len(scores) // factor)]


def one_round_as_a_set(scores, factor):
    order = sorted(range(len(scores)), key=lambda i: (math.isnan(scores[i]), -scores[i]))
    return set(order[: max(1, len(scores) // factor)])


def nested(validation, test):
    winners = validation.argmax(axis=0)
    return np.mean([test[row, split] for split, row in enumerate(winners)])


def nested_by_sorting(validation, test):
    order = np.argsort(validation, axis=0)
    return np.float32(np.take_along_axis(test, order, axis=0)[-1].mean())


def importances(scores):
    shares = []
    for j in range(scores.ndim):
        others = tuple(axis for axis in range(scores.ndim) if axis != j)
        shares.append(scores.mean(axis=others).var() / scores.var())
    return shares


def importances_in_single_precision(scores):
    rows = [np.moveaxis(scores, j, 0).reshape(scores.shape[j], -1) for j in range(scores.ndim)]
    return np.array([row.mean(axis=1).std() ** 2 / scores.std() ** 2 for row in rows], dtype=np.float32)


def my_search(try_it):
    settings = list(np.random.default_rng().permutation(tuning.table().settings)[:72])
    for epochs, keep in [(1, 24), (3, 8), (9, 4), (27, 1)]:
        settings.sort(key=lambda setting: try_it(setting, epochs), reverse=True)
        settings = settings[:keep]
    return settings[0]


def a_small_part_of_the_space(try_it):
    settings = [
        one for one in tuning.table().settings
        if (one["units"], one["layers"], one["optimizer"]) == (64, 1, "adam") and 0.003 < one["learning_rate"] < 0.02
    ]  # fmt: skip
    best = max(settings, key=lambda setting: try_it(setting, 27))
    return tuning.rounded(best)


def a_setting_in_single_precision(try_it):
    chosen = my_search(lambda setting, epochs: try_it({**setting, "units": np.int32(setting["units"])}, epochs))
    return {name: np.float32(value) if isinstance(value, float) else value for name, value in chosen.items()}


def nested_rounded(validation, test):
    return round(float(nested(validation, test)), 3)


def importances_rounded(scores):
    return np.round(importances(scores), 2)


COUNTS = [100, 100 / 30, 10, 4]
RIGHT = {
    "17.1": [COUNTS, (100, 3.33, 10.0, 4), np.array(COUNTS, dtype=np.float32), [np.float32(100), 3.3, 10, 4]],
    "17.2": [draws_needed, draws_by_logarithms],
    "17.3": [
        one_round,
        one_round_as_a_set,
        lambda s, f: one_round(s, f).tolist()[::-1],
        lambda s, f: len(s) - 1 - one_round(s[::-1], f),  # of equal scores, the last ones
    ],
    "17.4": [["A", "D", "B", "C"], "adbc", "A, D, B, C"],
    "17.5": [nested, nested_by_sorting, nested_rounded],
    "17.6": [
        importances,
        importances_in_single_precision,
        importances_rounded,
        lambda s: [np.array([one]) for one in importances(s)],
    ],
}


@pytest.mark.parametrize("exercise", RIGHT)
def test_right_answers_pass_in_any_dress(exercise):
    for answer in RIGHT[exercise]:
        assert outcomes(exercise, answer) == [None] * TIMES, answer


@pytest.mark.parametrize("search", [my_search, a_small_part_of_the_space, a_setting_in_single_precision])
def test_searches_of_ones_own_pass(search):
    assert outcomes("17.7", search, 10) == [None] * 10


def nothing(*_): ...


def gap(*_):
    return ...


@pytest.mark.parametrize("exercise", ["17.1", "17.4"])
def test_gaps_are_not_attempted(exercise):
    for answer in (..., None, [..., ..., ..., ...]):
        assert attempt(exercise, answer) is NOT_ATTEMPTED


@pytest.mark.parametrize("exercise", ["17.2", "17.3", "17.5", "17.6", "17.7"])
def test_empty_functions_are_not_attempted(exercise):
    for answer in (..., None, nothing, gap):
        assert attempt(exercise, answer) is NOT_ATTEMPTED, answer


# --- wrong answers, each with its hint --------------------------------------------------------------------------------
WRONG_LISTS = [
    ("17.1", [180, 6, 18, 4], "(a): Adam and RMSprop have no momentum"),
    ("17.1", [60, 2, 6, 4], "(a): SGD has three momenta"),
    ("17.1", [14, 1, 3, 4], "(a): that is a sum"),
    ("17.1", [100, 200, 600, 4], "(b): that is in minutes"),
    ("17.1", [100, 3.2, 10, 4], "(b): 20 minutes are a third"),
    ("17.1", [100, 3.3, 9.9, 4], "(c): that is three times a rounded number"),
    ("17.1", [100, 3.33, 3.33, 4], "(c): each setting is trained once for each fold"),
    ("17.1", [100, 3.33, 10, 5], "(d): four trials can't try five rates"),
    ("17.1", [100, 3.33, 10, ...], "(d) is still to do; what stands before it is right"),
    ("17.4", ["B", "D", "B", "C"], "(a): there are only nine settings"),
    ("17.4", ["A", "B", "B", "C"], "(b): few trials, one after another"),
    ("17.4", ["A", "D", "D", "C"], "(c): nobody waits"),
    ("17.4", ["A", "D", "B", "B"], "(d): which search stops trials"),
    ("17.4", ["E", "D", "B", "C"], "(a): depth and width are whole numbers"),
]


@pytest.mark.parametrize("exercise, answer, hint", WRONG_LISTS)
def test_wrong_lists_get_their_hint(exercise, answer, hint):
    assert attempt(exercise, answer).startswith(hint)


def without(n):
    return lambda s, f: one_round(s, f)[:n]


def more_than(share, probability):
    n, missed = 0, 1.0
    while 1 - missed <= probability:
        n, missed = n + 1, missed * (1 - share)
    return n


def hits_and_misses_exchanged(share, probability):
    return math.ceil(math.log(probability) / math.log(1 - share))


def writes_into_the_scores(scores, factor):
    scores[np.isnan(scores)] = -np.inf
    return np.argsort(-scores)[: max(1, len(scores) // factor)]


def nan_as(number):
    return lambda s, f: one_round(np.nan_to_num(s, nan=number), f)


def all_that_reach_the_cut(scores, factor):
    kept = np.nan_to_num(scores, nan=-1)
    return np.flatnonzero(kept >= np.sort(kept)[-max(1, len(scores) // factor)])


def best_of_all(validation, test):
    return test[np.unravel_index(validation.argmax(), validation.shape)[0]].mean()


def sorts_the_validation(validation, test):
    right = nested(validation, test)
    validation.sort(axis=0)
    return right


WRONG_FUNCTIONS = [
    ("17.2", more_than, "one draw fewer is enough; it meets it exactly"),
    ("17.2", lambda s, p: int(math.log(1 - p) / math.log(1 - s)) + 1, "it meets it exactly"),
    ("17.2", hits_and_misses_exchanged, "may miss with 1 - probability"),
    ("17.2", lambda s, p: draws_needed(p, s), "have changed places"),
    ("17.2", lambda s, p: 59, "should be 16, yours is 59"),
    ("17.3", writes_into_the_scores, "has changed"),
    ("17.3", nan_as(0.0), "a score of 0 is a number, too"),
    ("17.3", nan_as(0.001), "a trial with the score NaN goes on"),
    ("17.3", nan_as(1.0), "a trial with the score NaN goes on"),
    ("17.3", lambda s, f: one_round(s, f) + 1, "begin with 0"),
    ("17.3", all_that_reach_the_cut, "should go on; yours are"),
    ("17.5", best_of_all, "the one with the best accuracy of all"),
    ("17.5", lambda v, t: t[v[:, 0].argmax()].mean(), "the winner of the first"),
    ("17.5", lambda v, t: nested(t, v), "have changed places"),
    ("17.5", lambda v, t: np.median(t[v.argmax(axis=0), range(v.shape[1])]), "median"),
    ("17.5", lambda v, t: nested(v, t) + 0.001, "it should be"),
    ("17.5", sorts_the_validation, "has changed"),
    ("17.6", lambda s: importances(s)[::-1], "the last axis first"),
    ("17.6", lambda s: [s.mean(axis=1).var() / s.var(), s.mean(axis=0).var() / s.var()], "list of 3 numbers"),
    ("17.6", lambda s: np.array(importances(s)) * (1 - 1 / s.size), "the importance of axis"),
    ("17.6", lambda s: (importances(s), s.sort(axis=0))[0], "has changed"),
    ("17.2", lambda s, p: math.log(1 - p) / math.log(1 - s), "a search has a whole number of draws"),
    ("17.2", lambda s, p: int(math.log(1 - p) / math.log(1 - s)), "the probability is still too small"),
    ("17.2", lambda s, p: draws_needed(s, p) + 1, "one draw fewer is enough"),
    ("17.2", lambda s, p: math.ceil(p / s), "probabilities of several draws don't add up"),
    ("17.2", lambda s, p: math.ceil(1 / s), "1 / share draws hit once on average"),
    ("17.2", lambda s, p: "59", "return one whole number"),
    ("17.3", lambda s, f: np.argsort(s)[: max(1, len(s) // f)], "these are the worst trials"),
    ("17.3", lambda s, f: np.argsort(s)[-max(1, len(s) // f) :], "a trial with the score NaN goes on"),
    ("17.3", lambda s, f: one_round(s, f)[: len(s) // f], "of 2 trials with factor 3, 1 should go on (at least one"),
    ("17.3", lambda s, f: one_round(s, 1)[: -(-len(s) // f)], "`//` rounds down"),
    ("17.3", lambda s, f: [0] * max(1, len(s) // f), "twice"),
    ("17.3", lambda s, f: np.array(s)[one_round(s, f)], "these are scores"),
    ("17.3", lambda s, f: range(len(s), len(s) + 9), "the numbers of"),
    ("17.5", lambda v, t: v.max(axis=0).mean(), "that is the mean of the validation accuracies"),
    ("17.5", lambda v, t: t.max(axis=0).mean(), "that chooses by the test data"),
    ("17.5", lambda v, t: t[v.mean(axis=1).argmax()].mean(), "that is one setting for all splits"),
    ("17.5", lambda v, t: t[v.argmax(axis=0)].mean(), "each winner is tested on its own split only"),
    ("17.5", lambda v, t: nested(v, t) * v.shape[1], "that is the sum"),
    ("17.5", lambda v, t: v, "return one number"),
    ("17.6", lambda s: [one * s.var() for one in importances(s)], "that is without dividing"),
    ("17.6", lambda s: [s.mean(axis=j).var() / s.var() for j in range(s.ndim)], "average over the other axes"),
    ("17.6", lambda s: np.sqrt(importances(s)), "that is with standard deviations"),
    ("17.6", lambda s: np.array(importances(s)) / sum(importances(s)), "these add up to 1"),
    ("17.6", lambda s: [s.var(axis=j).mean() / s.var() for j in range(s.ndim)], ""),
    ("17.6", lambda s: importances(s)[:-1], "return a list of"),
]


@pytest.mark.parametrize("exercise, answer, hint", WRONG_FUNCTIONS)
def test_wrong_functions_get_their_hint(exercise, answer, hint):
    for outcome in outcomes(exercise, answer):
        assert isinstance(outcome, str) and hint in outcome, outcome


def greedy(try_it):
    for setting in tuning.table().settings:
        try_it(setting, 27)


WRONG_SEARCHES = [
    (greedy, "the budget of 300 epochs is used up"),
    (lambda try_it: tuning.table().settings[0], "your search tried nothing"),
    (lambda try_it: try_it(tuning.table().settings[0], 1), "return a setting"),
    (lambda try_it: (try_it(tuning.table().settings[0], 1), {"layers": 9})[1], "that is not in the space"),
    (lambda try_it: (try_it(tuning.table().settings[0], 3), tuning.table().settings[0])[1], "is wanted; it uses 3 of"),
    (lambda try_it: try_it({"layers": 1}, 3), "no such setting"),
]


@pytest.mark.parametrize("search, hint", WRONG_SEARCHES)
def test_wrong_searches_get_their_hint(search, hint):
    assert hint in attempt("17.7", search)


def test_going_on_with_a_trial_costs_only_the_epochs_that_are_new():
    from coursekit.exercises.ex17_hyperparameter_tuning import _Budget

    budget, setting = _Budget(0), tuning.table().settings[3]
    for epochs in (3, 9, 9, 4):
        assert budget(setting, epochs) == tuning.table().validation[3, 0, epochs - 1]
    assert budget.spent == 9
