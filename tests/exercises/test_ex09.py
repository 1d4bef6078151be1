"""The checks of notebook 09: right answers pass, gaps are not attempted, each mistake gets its own hint."""

import numpy as np
import pytest

from coursekit.datasets import load
from coursekit.exercises import NOT_ATTEMPTED, attempt
from coursekit.exercises import ex09_sequences as checks

TIMES = 30


def outcomes(exercise, answer, times=TIMES):
    return [attempt(exercise, answer) for _ in range(times)]


# --- right answers ----------------------------------------------------------------------------------------------------
ECHOES, COUNTS, LEAKS = [3, 4.5, 0.5**10], [112, 448, 360, 128], list("ABABB")


def length_of(gradients):
    return np.sqrt(sum((gradient**2).sum() for gradient in gradients))


def clip(gradients, most):
    factor = min(1.0, most / length_of(gradients))
    return [gradient * factor for gradient in gradients]


def clip_with_keras_like_formula(gradients, most):
    length = float(np.linalg.norm([np.linalg.norm(gradient) for gradient in gradients]))
    return tuple((most * gradient / max(length, most)).astype("float32") for gradient in gradients)


def masked_mean(x, lengths):
    mask = np.arange(x.shape[1]) < lengths[:, None]
    return (x * mask[:, :, None]).sum(axis=1) / lengths[:, None]


def masked_mean_in_a_loop(x, lengths):
    return [word[:length].mean(axis=0).astype("float32").tolist() for word, length in zip(x, lengths, strict=True)]


def masked_mean_with_nan(x, lengths):
    return np.nanmean(np.where((np.arange(x.shape[1]) < lengths[:, None])[..., None], x, np.nan), axis=1)


def seasonal(x, season, horizon):
    return x[:, x.shape[1] - season + np.arange(horizon) % season]


def seasonal_by_tiling(x, season, horizon):
    last = x[:, -season:]
    return np.tile(last, (1, horizon // season + 1))[:, :horizon].astype("float32")


def seasonal_in_lists(x, season, horizon):
    return [[row[len(row) - season + step % season] for step in range(horizon)] for row in x.tolist()]


def encode(words, number_of, length):
    numbers = [number_of.get(word, 1) for word in words[:length]]
    return numbers + [0] * (length - len(numbers))


def encode_to_an_array(words, number_of, length):
    row = np.zeros(length, "int32")
    for i, word in enumerate(words[:length]):
        row[i] = number_of.get(word, 1)
    return row


def naive(past, horizon):
    return past[len(past) - 11 + np.arange(horizon) % 11]


def forecast(past, horizon):
    both = np.lib.stride_tricks.sliding_window_view(past, 22 + horizon)
    columns = np.column_stack([both[:, :22], np.full(len(both), past.mean())])
    weights = np.linalg.lstsq(columns, both[:, 22:], rcond=None)[0]
    return np.append(past[-22:], past.mean()) @ weights


def forecast_mixed(past, horizon):
    return 0.7 * naive(past, horizon) + 0.3 * past.mean()


RIGHT = [
    ("9.1", ECHOES),
    ("9.1", np.array(ECHOES)),
    ("9.1", (3.0, 4.5, 0.00098)),
    ("9.1", [3, 4.5, 1 / 1024]),
    ("9.1", [np.array([3.0]), 4.5, np.array([0.001], "float32")]),
    ("9.2", clip),
    ("9.2", clip_with_keras_like_formula),
    ("9.2", lambda gradients, most: [one.tolist() for one in clip(gradients, most)]),
    ("9.3", COUNTS),
    ("9.3", np.array(COUNTS, dtype="float32")),
    ("9.3", [np.array([count]) for count in COUNTS]),
    ("9.4", masked_mean),
    ("9.4", masked_mean_in_a_loop),
    ("9.4", masked_mean_with_nan),
    ("9.5", seasonal),
    ("9.5", seasonal_by_tiling),
    ("9.5", seasonal_in_lists),
    ("9.6", LEAKS),
    ("9.6", "a b a b b"),
    ("9.7", encode),
    ("9.7", encode_to_an_array),
    ("9.7", lambda *given: tuple(map(float, encode(*given)))),
    ("9.8", forecast),
    ("9.8", forecast_mixed),
    ("9.8", lambda *given: forecast(*given).astype("float32").tolist()),
]


@pytest.mark.parametrize("exercise, answer", RIGHT)
def test_right_answers_pass(exercise, answer):
    times = 5 if exercise == "9.8" else TIMES
    assert outcomes(exercise, answer, times) == [None] * times


@pytest.mark.parametrize("exercise", ["9.2", "9.4", "9.5", "9.7", "9.8"])
def test_a_function_with_a_gap_is_not_attempted(exercise):
    assert attempt(exercise, lambda *_: None) is attempt(exercise, lambda *_: ...) is NOT_ATTEMPTED


@pytest.mark.parametrize("exercise, places", [("9.1", 3), ("9.3", 4), ("9.6", 5)])
def test_a_list_of_gaps_is_not_attempted(exercise, places):
    assert attempt(exercise, ...) is attempt(exercise, [...] * places) is NOT_ATTEMPTED


# --- wrong ones -------------------------------------------------------------------------------------------------------
def with_place(answer, place, value):
    return [value if i == place else old for i, old in enumerate(answer)]


def spoils(function):
    def answer(first, *rest):
        result = function(first, *rest)
        for array in first if isinstance(first, list) else [first]:
            array *= 0
        return result

    return answer


def adds_words(words, number_of, length):
    result = encode(words, number_of, length)
    for word in words:
        number_of.setdefault(word, 1)
    return result


def fills_up(words, number_of, length):
    result = encode(words, number_of, length)
    words += [""] * (length + 1)
    return result


def cut_in_place(function):
    def answer(past, horizon):
        result = function(past, horizon)
        past -= past.mean()
        return result

    return answer


def clipped_by(length):
    return lambda gradients, most: [gradient * min(1.0, most / length(gradients)) for gradient in gradients]


WRONG = [
    ("9.1", with_place(ECHOES, 0, 6), "the state after 4, 0, 2: that adds all inputs up"),
    ("9.1", [4.5, 3, 0.5**10], "the other order: start with the input 4"),
    ("9.1", with_place(ECHOES, 0, 4), "in a step with input 0, too"),
    ("9.1", with_place(ECHOES, 1, 3), "the other order: start with the input 2"),
    ("9.1", with_place(ECHOES, 1, 2.25), "the new input is added whole"),
    ("9.1", with_place(ECHOES, 2, 0.5**11), "the first input enters whole"),
    ("9.1", with_place(ECHOES, 2, 0.5**9), "there are ten links"),
    ("9.1", with_place(ECHOES, 2, 5), "multiplied, not added up"),
    ("9.1", with_place(ECHOES, 2, 7), "not yet"),
    ("9.1", [1, 2], "three numbers"),
    ("9.2", lambda g, most: [clip([one], most)[0] for one in g], "clipped by its own length"),
    ("9.2", lambda g, most: [np.clip(one, -most, most) for one in g], "which turns the direction"),
    ("9.2", lambda g, most: [one * most / length_of(g) for one in g], "short enough stays as it is"),
    ("9.2", clipped_by(lambda g: length_of(g) ** 2), "the root is missing"),
    ("9.2", clipped_by(lambda g: sum(map(np.linalg.norm, map(np.ravel, g)))), "not the sum of the lengths"),
    ("9.2", clipped_by(lambda g: max(np.linalg.norm(one.ravel()) for one in g)), "not the largest length"),
    ("9.2", lambda g, most: [one.copy() for one in g], "nothing was clipped"),
    (
        "9.2",
        lambda g, most: [one / max(length_of(g), 1e-9) if length_of(g) > most else one for one in g],
        "multiplied by `most`",
    ),
    ("9.2", lambda g, most: clip(g, most)[0], "return a list of"),
    ("9.2", lambda g, most: [one.ravel() for one in clip(g, most)], "should have the shape"),
    ("9.2", lambda g, most: [one * np.nan for one in g], "NaN or infinity"),
    ("9.2", lambda g, most: [one * 0.99 for one in clip(g, most)], "it should be"),
    ("9.2", spoils(clip), "has changed"),
    ("9.3", with_place(COUNTS, 0, 104), "SimpleRNN(8): the biases are missing"),
    ("9.3", with_place(COUNTS, 1, 112), "an LSTM has four"),
    ("9.3", with_place(COUNTS, 1, 416), "LSTM(8): the biases are missing"),
    ("9.3", with_place(COUNTS, 2, 336), "two biases"),
    ("9.3", with_place(COUNTS, 2, 448), "a GRU has three parts"),
    ("9.3", with_place(COUNTS, 3, 32), "covers all 5 features"),
    ("9.3", with_place(COUNTS, 3, 120), "one a kernel"),
    ("9.3", with_place(COUNTS, 3, 999), "not yet"),
    ("9.4", lambda x, lengths: x.mean(axis=1), "padding and all (it need not be zeros: use `lengths`)"),
    (
        "9.4",
        lambda x, lengths: (x * (np.arange(x.shape[1]) <= lengths[:, None])[..., None]).sum(axis=1) / lengths[:, None],
        "frames are counted from 0, so `<`",
    ),
    ("9.4", lambda x, lengths: masked_mean(x, lengths) * (lengths / x.shape[1])[:, None], "still counted"),
    ("9.4", lambda x, lengths: masked_mean(x, lengths) * lengths[:, None], "that is the sum"),
    ("9.4", lambda x, lengths: x.sum(axis=1) / lengths[:, None], "the padding is added in"),
    ("9.4", lambda x, lengths: masked_mean(x, np.minimum(lengths + 1, x.shape[1])), "one frame too many"),
    ("9.4", lambda x, lengths: masked_mean(x, np.maximum(lengths - 1, 1)), "the last true frame is missing"),
    ("9.4", lambda x, lengths: x[np.arange(len(x)), lengths - 1], "the mean is asked for"),
    ("9.4", lambda x, lengths: masked_mean(x, lengths).mean(axis=1), "over the features, too"),
    ("9.4", lambda x, lengths: masked_mean(x, lengths).T[:, :1], "should have the shape"),
    ("9.4", lambda x, lengths: masked_mean(x, lengths) + 0.1, "it should be"),
    ("9.4", spoils(masked_mean), "has changed"),
    ("9.5", lambda x, season, horizon: x[:, np.arange(horizon) % season], "starts at the beginning"),
    ("9.5", lambda x, season, horizon: seasonal(x, 3, horizon), "the forecast, entry"),
    ("9.5", lambda x, season, horizon: np.repeat(x[:, -1:], horizon, axis=1), "repeats the last value"),
    ("9.5", lambda x, season, horizon: x[:, -1 - np.arange(horizon) % season], "runs backwards"),
    ("9.5", lambda x, season, horizon: x[:, -season:][:, :horizon], "go round again"),
    (
        "9.5",
        lambda x, season, horizon: x[:, -season:][:, np.minimum(np.arange(horizon), season - 1)],
        "stops at the end",
    ),
    ("9.5", lambda x, season, horizon: x[:, -season:][:, (np.arange(horizon) + 1) % season], "one step late"),
    ("9.5", lambda x, season, horizon: x[:, -season:][:, (np.arange(horizon) - 1) % season], "one step early"),
    ("9.5", lambda x, season, horizon: seasonal(x, season, horizon)[0], "should have the shape"),
    ("9.5", lambda x, season, horizon: seasonal(x, season, horizon) + 1, "it should be"),
    ("9.5", spoils(seasonal), "has changed"),
    ("9.6", list("BBABB"), "step 1: the largest sale"),
    ("9.6", list("AAABB"), "step 2: everybody knows"),
    ("9.6", list("ABBBB"), "step 3: what was measured"),
    ("9.6", list("ABAAB"), "step 4: the last known sale"),
    ("9.6", list("ABABA"), "step 5: their order"),
    ("9.6", list("ABABC"), "one of the letters A to B"),
    (
        "9.7",
        lambda w, n, length: (
            ([0] * length + encode(w, n, len(w)))[-length:] if len(w) <= length else encode(w, n, length)
        ),
        "belong behind",
    ),
    ("9.7", lambda w, n, length: [0 if v == 1 else v for v in encode(w, n, length)], "an unknown word is 1"),
    ("9.7", lambda w, n, length: encode([word for word in w if word in n], n, length), "left out"),
    ("9.7", lambda w, n, length: encode(w[-length:], n, length), "cut at its end"),
    ("9.7", lambda w, n, length: [v or 1 for v in encode(w, n, length)], "not ones"),
    ("9.7", lambda w, n, length: encode(w, n, len(w)), "fill it up with zeros"),
    ("9.7", lambda w, n, length: encode(w, n, max(length, len(w))), "cut it"),
    ("9.7", lambda w, n, length: w, "an unknown word is 1"),
    ("9.7", lambda w, n, length: [v + 1 if v else 0 for v in encode(w, n, length)], "the list, entry"),
    ("9.7", adds_words, "has changed"),
    ("9.7", fills_up, "has changed"),
    ("9.8", cut_in_place(forecast), "has changed"),
    ("9.8", naive, "the seasonal naive forecast itself"),
    ("9.8", lambda past, horizon: np.full(horizon, past[-1]), "so larger"),
    ("9.8", lambda past, horizon: 0.95 * naive(past, horizon) + 0.05 * past.mean(), "at most 0.94"),
    ("9.8", lambda past, horizon: forecast(past, horizon)[:5], "should have the shape"),
    ("9.8", lambda past, horizon: forecast(past, horizon) * np.nan, "NaN or infinity"),
    ("9.8", lambda past, horizon: "high", "as an array of numbers"),
]


@pytest.mark.parametrize("exercise, mistake, hint", WRONG)
def test_each_mistake_gets_its_own_hint(exercise, mistake, hint):
    wrong = [
        outcome
        for outcome in outcomes(exercise, mistake, 3 if exercise == "9.8" else TIMES)
        if hint not in str(outcome)
    ]
    assert not wrong, wrong[0]


def test_a_ratio_just_above_the_limit_does_not_look_like_it(monkeypatch):
    said = attempt("9.8", lambda past, horizon: 0.95 * naive(past, horizon) + 0.05 * past.mean())
    ratio = float(said.split()[3])
    monkeypatch.setattr(checks, "_ENOUGH", round(ratio - 0.004, 2))
    said = attempt("9.8", lambda past, horizon: 0.95 * naive(past, horizon) + 0.05 * past.mean())
    assert float(said.split()[3]) > checks._ENOUGH


def test_the_sunspots_by_heart_do_not_pass():
    data = load("sunspots")
    values = np.concatenate([data.y_train, data.y_test])
    by_heart = lambda past, horizon: values[len(past) : len(past) + horizon]
    assert all(outcome is not None for outcome in outcomes("9.8", by_heart, 5))
