"""The checks of notebook 09, Sequences."""

import numpy as np

from coursekit.exercises import NOT_ATTEMPTED, exercise
from coursekit.exercises.answers import (
    CHANGED,
    beside,
    changed,
    compare_letters,
    compare_numbers,
    missing,
    numbers,
    parts_of,
)


def _array(got, shape, what):
    """The answer as a float array of that shape, or a sentence about what it is instead."""
    array = numbers(got)
    if array is None:
        return f"return {what} as an array of numbers, not {repr(got)[:40]}"
    if array.shape != shape:
        return f"{what} should have the shape {shape}; yours has {array.shape}"
    return array


def _first_hint(got, right, mistakes, what, near):
    """None if got is right, else the hint of the mistake that gives it, or the entry that differs most."""
    if near(got, right):
        return None
    for hint, wrong in mistakes.items():
        if np.shape(wrong) == got.shape and not near(wrong, right) and near(got, wrong):
            return hint
    if not np.isfinite(got).all():
        return f"there is NaN or infinity in {what}, and all that went in was finite"
    place = np.unravel_index(np.abs(got - right).argmax(), right.shape)
    where = ", ".join(str(int(i)) for i in place)
    return f"{what}, entry [{where}]: it should be {right[place]:.4g}, yours is {got[place]:.4g}"


def _near(got, right):
    """In single precision, or rounded to four digits."""
    got, right = np.asarray(got, dtype=float), np.asarray(right, dtype=float)
    with np.errstate(invalid="ignore"):
        return np.allclose(got, right, rtol=1e-3, atol=1e-4 * max(1.0, np.nanmax(np.abs(right), initial=0.0)))


# --- 9.1 --------------------------------------------------------------------------------------------------------------
_ECHOES = {"the state after 4, 0, 2": 3.0, "the state after 2, 0, 4": 4.5, "the effect of the first of eleven": 0.5**10}
_ECHO_HINTS = {
    "the state after 4, 0, 2": {
        6: "that adds all inputs up; the old state is multiplied by 0.5 at each step",
        4.5: "that is the other order: start with the input 4",
        4: "the state is halved in each step, in a step with input 0, too",
        1.5: "the new input is added whole; only the old state is halved",
        1: "and the last input, 2, comes on top",
    },
    "the state after 2, 0, 4": {
        6: "that adds all inputs up; the old state is multiplied by 0.5 at each step",
        3: "that is the other order: start with the input 2",
        5: "the state is halved in each step, in a step with input 0, too",
        2.25: "the new input is added whole; only the old state is halved",
    },
    "the effect of the first of eleven": {
        0.5**11: "the first input enters whole; from the first to the eleventh step there are ten links",
        0.5**9: "from the first to the eleventh step there are ten links",
        5: "the links are multiplied, not added up",
        0.5: "that is one link; from the first to the eleventh step there are ten",
        1: "that is what the state of the first step gains; ten links follow",
    },
}


@exercise("9.1")
def check_echo(answer):
    """Three numbers about h_t = x_t + h_(t-1) / 2."""
    rounded = {"the effect of the first of eleven": (0.00095, 0.001001)}  # 1/1024; 0.001 in single precision, too
    otherwise = "not yet; write down the state after each step"
    return compare_numbers(answer, _ECHOES, _ECHO_HINTS, otherwise, rtol=2e-3, also=rounded)


# --- 9.2 --------------------------------------------------------------------------------------------------------------
def _clipped(gradients, most):
    """All arrays as one long vector: another way than the solution's."""
    long = np.linalg.norm(np.concatenate([gradient.ravel() for gradient in gradients]))
    return [gradient / max(1.0, long / most) for gradient in gradients]


def _clip_mistakes(gradients, most):
    length = np.sqrt(sum((gradient**2).sum() for gradient in gradients))
    each = [np.sqrt((gradient**2).sum()) for gradient in gradients]
    return {
        "each array was clipped by its own length (that is clipnorm); take the common length of all": [
            gradient * min(1.0, most / own) for gradient, own in zip(gradients, each, strict=True)
        ],
        "each number was cut to the limit, which turns the direction; multiply all by one factor": [
            np.clip(gradient, -most, most) for gradient in gradients
        ],
        "a gradient that is short enough stays as it is": [gradient * most / length for gradient in gradients],
        "the length is the root of the sum of squares; the root is missing": [
            gradient * min(1.0, most / length**2) for gradient in gradients
        ],
        "a length is the root of the sum of squares, not the sum of the lengths": [
            gradient * min(1.0, most / sum(each)) for gradient in gradients
        ],
        "a length is the root of the sum of squares, not the largest length": [
            gradient * min(1.0, most / max(each)) for gradient in gradients
        ],
        "the length of a gradient is not its largest entry": [
            gradient * min(1.0, most / max(np.abs(g).max() for g in gradients)) for gradient in gradients
        ],
        "nothing was clipped": gradients,
        "the gradients were divided by their length and not multiplied by `most`": [
            gradient / length if length > most else gradient for gradient in gradients
        ],
    }


@exercise("9.2")
def check_clip(clip):
    """Lists of arrays of several shapes, longer than the limit and shorter."""
    rng = np.random.default_rng()
    for longer in (True, False, True):
        shapes = [(3, 4), (5,), (2, 3, 2), (1, 1)][: rng.integers(2, 5)]
        gradients = [rng.normal(size=shape) * rng.uniform(0.5, 2) for shape in shapes]
        length = np.sqrt(sum((gradient**2).sum() for gradient in gradients))
        largest = max(np.abs(gradient).max() for gradient in gradients)
        most = min(length * rng.uniform(0.2, 0.45), 0.7 * largest) if longer else length * rng.uniform(1.2, 1.6)
        right, mistakes = _clipped(gradients, most), _clip_mistakes(gradients, most)
        given = [gradient.copy() for gradient in gradients]
        got = clip(given, float(most))
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, gradients):
            return CHANGED
        parts = parts_of(got, len(gradients))
        if parts is None:
            return f"return a list of {len(gradients)} arrays, one for each that you were given"
        arrays = [
            _array(part, like.shape, f"array {i}") for i, (part, like) in enumerate(zip(parts, right, strict=True))
        ]
        if said := next((array for array in arrays if isinstance(array, str)), None):
            return said
        flat = lambda arrays: np.concatenate([array.ravel() for array in arrays])
        named = {hint: flat(wrong) for hint, wrong in mistakes.items()}
        if hint := _first_hint(flat(arrays), flat(right), named, "all arrays behind each other", _near):
            return hint
    return None


# --- 9.3 --------------------------------------------------------------------------------------------------------------
_COUNTS = {"SimpleRNN(8)": 112, "LSTM(8)": 448, "GRU(8)": 360, "Conv1D(8, 3)": 128}
_COUNT_HINTS = {
    "SimpleRNN(8)": {104: "the biases are missing, one a unit", 48: "each unit sees the old state of all 8 units, too"},
    "LSTM(8)": {
        416: "the biases are missing",
        112: "that is one part; an LSTM has four: three gates and what is new",
        336: "that is three parts; an LSTM has four: three gates and what is new",
        480: "an LSTM has one bias for each gate and unit; it is the GRU that has two in Keras",
    },
    "GRU(8)": {
        336: "Keras's GRU has two biases for each gate and unit: one for the input, one for the state",
        312: "the biases are missing, two for each gate and unit",
        480: "a GRU has three parts: two gates and what is new",
        448: "a GRU has three parts: two gates and what is new; and two biases each",
    },
    "Conv1D(8, 3)": {
        120: "the biases are missing, one a kernel",
        32: "a kernel covers all 5 features in each of its 3 steps",
        48: "a kernel covers all 5 features in each of its 3 steps",
        16: "that is one kernel; there are eight",
        320: "a convolution has no recurrent weights",
    },
}


@exercise("9.3")
def check_counts(answer):
    """Four numbers of parameters."""
    return compare_numbers(answer, _COUNTS, _COUNT_HINTS, "not yet; count weights by input, by state, and biases")


# --- 9.4 --------------------------------------------------------------------------------------------------------------
@exercise("9.4")
def check_masked_mean(masked_mean):
    """Words of several lengths, one of a single frame and one of full length, with wild padding."""
    rng = np.random.default_rng()
    for _ in range(3):
        n, time, features = rng.integers(4, 7), rng.integers(7, 10), rng.integers(2, 4)
        x = rng.normal(1.0, 2.0, size=(n, time, features))
        lengths = rng.permutation([1, time, *rng.integers(2, time, size=n - 2)])
        right = np.stack([word[:length].mean(axis=0) for word, length in zip(x, lengths, strict=True)])
        mask = (np.arange(time) < lengths[:, None])[:, :, None]
        filled = x * mask
        mistakes = {
            "that is the mean over all frames, padding and all (it need not be zeros: use `lengths`)": x.mean(axis=1),
            "the padding is set to zero, but still counted: divide by the number of true frames": filled.mean(axis=1),
            "that is the sum; divide it by the number of true frames": filled.sum(axis=1),
            "the padding is added in: set it to zero first": x.sum(axis=1) / lengths[:, None],
            "one frame too many: frame number `lengths` is padding already": np.stack(
                [word[: length + 1].mean(axis=0) for word, length in zip(x, lengths, strict=True)]
            ),
            "one frame too many is added up: frames are counted from 0, so `<`": np.stack(
                [word[: length + 1].sum(axis=0) / length for word, length in zip(x, lengths, strict=True)]
            ),
            "the last true frame is missing": np.stack(
                [word[: max(length - 1, 1)].mean(axis=0) for word, length in zip(x, lengths, strict=True)]
            ),
            "that is the mean of the padding": (x * ~mask).sum(axis=1) / np.maximum(time - lengths, 1)[:, None],
            "that is the last true frame; the mean is asked for": x[np.arange(n), lengths - 1],
        }
        given = x.copy(), lengths.copy()
        got = masked_mean(*given)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, (x, lengths)):
            return CHANGED
        array = _array(got, right.shape, "the mean")
        if isinstance(array, str):
            over = right.mean(axis=1).shape == np.shape(numbers(got) if numbers(got) is not None else 0)
            return "one mean for each feature is asked for; yours is over the features, too" if over else array
        if hint := _first_hint(array, right, mistakes, "the mean", _near):
            return hint
    return None


# --- 9.5 --------------------------------------------------------------------------------------------------------------
def _seasonal(x, season, horizon):
    """Step by step, from what is already there: another way than the solution's."""
    rows = [list(row) for row in x]
    for row in rows:
        for _ in range(horizon):
            row.append(row[-season])
    return np.array(rows)[:, x.shape[1] :]


@exercise("9.5")
def check_seasonal(seasonal):
    """Horizons shorter than the season, as long, and longer; windows that hold more than one season, or just one."""
    rng = np.random.default_rng()
    cases = [(4, 4, 9), (4, 3, 2), (3, 0, 3), (5, 2, 13), (1, 4, 3)]
    for season, more, horizon in cases:
        n, length = rng.integers(2, 5), season + more
        x = rng.normal(size=(n, length)) * 3
        right = _seasonal(x, season, horizon)
        steps = np.arange(horizon) % season
        mistakes = {
            "that starts at the beginning of the window; the last season counts": x[:, steps],
            "that repeats the last value; go back by one season": np.repeat(x[:, -1:], horizon, axis=1),
            "the last season runs backwards": x[:, ::-1][:, steps],
            "it goes round, but starts one step late": x[:, length - season + (np.arange(horizon) + 1) % season],
            "it goes round, but starts one step early": x[:, length - season + (np.arange(horizon) - 1) % season],
            "that stops at the end of the season; a longer horizon goes round again": x[
                :, length - season + np.minimum(np.arange(horizon), season - 1)
            ],
        }
        given = x.copy()
        got = seasonal(given, season, horizon)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, x):
            return CHANGED
        array = numbers(got)
        if array is not None and array.ndim == 2 and array.shape == (n, min(season, horizon)) and horizon > season:
            return f"a horizon of {horizon} is longer than the season of {season}: go round again"
        array = _array(got, right.shape, "the forecast")
        if isinstance(array, str):
            return array
        if hint := _first_hint(array, right, mistakes, "the forecast", _near):
            return hint
    return None


# --- 9.6 --------------------------------------------------------------------------------------------------------------
@exercise("9.6")
def check_leaks(answer):
    """Five letters."""
    right = {"step 1": "A", "step 2": "B", "step 3": "A", "step 4": "B", "step 5": "B"}
    hints = {
        "step 1": "the largest sale of all years may lie after the evening of the forecast, in the test months",
        "step 2": "everybody knows today what day it is tomorrow",
        "step 3": "what was measured tomorrow is not known this evening",
        "step 4": "the last known sale before the gap is known on that evening",
        "step 5": "their order in training tells nothing of the test months, which all come later",
    }
    return compare_letters(answer, right, hints)


# --- 9.7 --------------------------------------------------------------------------------------------------------------
@exercise("9.7")
def check_encode(encode):
    """Short and long texts, none at all, unknown words at both ends, words that are known twice."""
    rng = np.random.default_rng()
    for n, length in ((4, 7), (9, 5), (0, 3), (6, 6), (1, 4)):
        known = [f"word{i}" for i in range(6)]
        number_of = dict(zip(known, map(int, rng.permutation(np.arange(2, 40))[:6]), strict=True))
        words = [str(word) for word in rng.choice([*known, "strange", "other"], size=n)]
        if n > 1:
            words[0], words[-1] = "strange", known[rng.integers(6)]
        if n > length:
            words[n - length] = known[0]
        all_numbers = [number_of.get(word, 1) for word in words]
        right = np.array((all_numbers + [0] * length)[:length], dtype=float)
        given = list(words), dict(number_of)
        got = encode(*given, length)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, (words, number_of)):
            return CHANGED
        array = numbers(got)
        if array is None:
            return f"return a list of numbers, not {repr(got)[:40]}; an unknown word is 1"
        array = array.reshape(-1) if array.ndim == 2 and 1 in array.shape else array
        dropped = [number for number in all_numbers if number != 1]
        front = ([0] * length + all_numbers)[-length:]
        front = front if n <= length else all_numbers[:length]
        mistakes = {
            "the zeros belong behind the words": front,
            "an unknown word is 1; 0 is padding": [0 if v == 1 else v for v in right],
            "unknown words were left out; each becomes 1": (dropped + [0] * length)[:length],
            "too long a text is cut at its end, not at its beginning": all_numbers[-length:] if n > length else right,
            "behind the words come zeros, not ones": (all_numbers + [1] * length)[:length],
        }
        if array.shape != (length,):
            if array.shape == (len(all_numbers),):
                todo = "cut it" if n > length else "fill it up with zeros"
                return f"{n} words gave {n} numbers; the list should have {length}: {todo}"
            return f"the list should have {length} numbers; yours has the shape {array.shape}"
        if hint := _first_hint(array, right, mistakes, "the list", lambda one, other: np.array_equal(one, other)):
            return hint
    return None


# --- 9.8 --------------------------------------------------------------------------------------------------------------
_ENOUGH, _HORIZON, _SEASON, _FIRST, _EVERY = 0.94, 11, 11, 246, 3


@exercise("9.8")
def check_forecast(forecast):
    """Rolls an origin over the sunspots, times a factor, and compares with the seasonal naive forecast."""
    from coursekit.datasets import load

    data = load("sunspots")
    values = np.concatenate([data.y_train, data.y_test]) * np.random.default_rng().uniform(2, 4)
    ours, naive = [], []
    for origin in range(_FIRST, len(values) - _HORIZON + 1, _EVERY):
        past, came = values[:origin], values[origin : origin + _HORIZON]
        seasonal, given = past[len(past) - _SEASON :], past.copy()
        got = forecast(given, _HORIZON)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, past):
            return CHANGED
        array = numbers(got)
        array = array.reshape(-1) if array is not None and array.ndim == 2 and 1 in array.shape else array
        array = _array(got if array is None else array, (_HORIZON,), "the forecast")
        if isinstance(array, str):
            return array
        if not np.isfinite(array).all():
            return "there is NaN or infinity in the forecast"
        ours.append(np.abs(array - came).mean())
        naive.append(np.abs(seasonal - came).mean())
    ratio = float(np.mean(ours) / np.mean(naive))
    if ratio <= _ENOUGH:
        return None
    if ratio < 0.9999:
        times = beside(ratio, _ENOUGH, 2)
        return f"the error is {times} times that of the seasonal naive forecast; at most {_ENOUGH} is asked for"
    if ratio < 1.0001:
        return "that is the seasonal naive forecast itself; what could it be mixed with?"
    times = beside(ratio, 1, 2)
    return f"the error is {times} times that of the seasonal naive forecast, so larger; does it follow the 11 years?"
