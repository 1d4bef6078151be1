"""The checks of notebook 16, Custom training loops."""

import numpy as np

from coursekit.exercises import NOT_ATTEMPTED, RETURNS_NOTHING, exercise
from coursekit.exercises.answers import (
    CHANGED,
    beside,
    changed,
    close,
    compare_letters,
    compare_numbers,
    missing,
    numbers,
)
from coursekit.training.schedules import excess_after

# --- 16.1 -------------------------------------------------------------------------------------------------------------
_COUNTS = {"(a)": 45, "(b)": 44, "(c)": 29, "(d)": 225}
_COUNT_HINTS = {
    "(a)": {
        44: "44 batches are full, and 29 digits are left: they make one more batch",
        1437 / 32: "a step is a whole batch; the last one is smaller",
        1437: "that is the number of digits; a step uses up to 32 of them",
    },
    "(b)": {
        45: "45 is with the last, smaller batch; here it is dropped",
        1437 / 32: "only full batches count",
    },
    "(c)": {
        32: "the dropped batch is not full: 44 · 32 of the 1,437 digits are used",
        3: "that is what is missing in the last batch; how many digits are in it?",
        0: "the digits of the dropped batch are not used in this epoch",
        1: "that is the number of batches dropped; how many digits are in it?",
    },
    "(d)": {
        220: "that is without the last batches; here they are used",
        45: "that is one epoch; there are five",
        5: "the weights change after each batch, not after each epoch",
        7185: "the weights change once for each batch, not for each digit",
        224.53125: "each epoch ends with a smaller batch, so there are whole steps in it",
    },
}


@exercise("16.1")
def check_counts(answer):
    """Four whole numbers."""
    otherwise = {
        "(a)": "not yet; how many times do 32 digits fit into 1,437, and what is left?",
        "(b)": "not yet; how many full batches are there?",
        "(c)": "not yet; subtract the digits in full batches from 1,437",
        "(d)": "not yet; one change for each step, in five epochs",
    }
    return compare_numbers(answer, _COUNTS, _COUNT_HINTS, otherwise, atol=1e-3)


# --- 16.2 -------------------------------------------------------------------------------------------------------------
@exercise("16.2")
def check_mistakes(answer):
    """Four letters."""
    right = {"(a)": "B", "(b)": "A", "(c)": "D", "(d)": "C"}
    hints = {
        "(a)": "the weights are the same, so something else is drawn anew each time: which layers draw random numbers?",
        "(b)": "steps that use all gradients so far are momentum without friction: what was not set to zero?",
        "(c)": "what is kept from each step, and what hangs on it?",
        "(d)": "the steps at the end of an epoch decide: what did they see?",
    }
    return compare_letters(answer, right, hints, {"E": "that makes the validation loss too good, and nothing here is"})


# --- 16.3 -------------------------------------------------------------------------------------------------------------
@exercise("16.3")
def check_epoch_loss(epoch_loss):
    """Batches of several sizes; a single batch; the last one smaller."""
    rng = np.random.default_rng()
    for sizes in ([32, 32, 32, 5], [7], [1, 60], rng.integers(1, 50, size=9).tolist()):
        losses = rng.uniform(0.1, 9, size=len(sizes)).tolist()
        every_sample = np.repeat(losses, sizes)  # the loss of a sample is taken to be its batch's mean
        right = every_sample.mean()
        given = list(losses), list(sizes)
        got = epoch_loss(*given)
        if missing(got):
            return NOT_ATTEMPTED if got is ... or len(sizes) == 4 else RETURNS_NOTHING
        if changed(given, (losses, sizes)):
            return CHANGED
        value = numbers(got)
        if value is None or value.size != 1:
            return f"return one number, not {repr(got)[:40]}"
        mistakes = {
            "that is the plain mean of the batches; one of 5 samples counts less than one of 32": np.mean(losses),
            "that is the sum over all samples; divide it by their number": every_sample.sum(),
            "divide by the number of samples, not by the number of batches": every_sample.sum() / len(sizes),
            "that is the plain sum of the batches": np.sum(losses),
            "that is the sum of the losses divided by the number of samples: weight each loss by its batch's size": (
                np.sum(losses) / len(every_sample)
            ),
        }
        if not close(value.ravel(), np.array([right])):
            known = (hint for hint, wrong in mistakes.items() if close(value.ravel(), np.array([wrong])))
            said = f"for losses {np.round(losses, 2).tolist()} of batches of {list(sizes)} the mean is {right:.4f}"
            return next(known, f"{said}, yours is {value.item():.4f}")
    return None


# --- 16.4 -------------------------------------------------------------------------------------------------------------
def _order(state, n):
    generator = np.random.default_rng()
    generator.bit_generator.state = state
    return generator.permutation(n)


@exercise("16.4")
def check_rest_of_epoch(rest_of_epoch):
    """Several sizes; nothing done yet; only the smaller last batch still to come."""
    rng = np.random.default_rng()
    for n, batch_size, done in [(23, 4, 2), (40, 8, 0), (31, 10, 3), (12, 1, 5)]:
        generator = np.random.default_rng(int(rng.integers(2**32)))
        generator.random(int(rng.integers(1, 9)))  # a state in the middle of things
        state = generator.bit_generator.state
        order = _order(state, n)
        right = order[done * batch_size :]
        got = rest_of_epoch(dict(state), n, batch_size, done)
        if missing(got):
            return NOT_ATTEMPTED
        rows = numbers(got if hasattr(got, "shape") else list(got) if isinstance(got, (list, tuple)) else got)
        if rows is None or rows.ndim != 1:
            return f"return the rows as a list or an array of whole numbers, not {repr(got)[:40]}"
        if not np.array_equal(rows, right):
            return _drawn_otherwise(rows, state, n, done * batch_size) or _rest_hint(
                rows, order, right, batch_size, done
            )
    return None


def _drawn_otherwise(rows, state, n, skipped):
    """A hint if the rows come from the right state by other draws than the one asked for."""
    if not skipped:
        return None
    generator = np.random.default_rng()
    generator.bit_generator.state = state
    left = generator.permutation(n - skipped)
    if np.array_equal(rows, left) or np.array_equal(rows, left + skipped):
        return "draw the order of all n rows, then skip"
    generator.bit_generator.state = state
    generator.permutation(n)
    for _ in range(skipped):  # one more for each batch that is done, perhaps
        again = generator.permutation(n)
        if np.array_equal(rows, again) or np.array_equal(rows, again[skipped:]):
            return "draw once: a second `permutation` is the order of the next epoch"
    return None


def _rest_hint(rows, order, right, batch_size, done):
    mistakes = {
        "these are the rows already done; the others are still to come": order[: done * batch_size],
        "that is the whole epoch; skip the batches that are done": order if done else None,
        "`done` counts batches, not rows: skip done · batch_size rows": order[done:],
        "that is only the next batch; return all that are still to come": right[:batch_size],
        "one batch too many is skipped: `done` batches are done": order[(done + 1) * batch_size :],
        "the right rows in another order: don't sort them": np.sort(right),
        "that is without shuffling: the order comes from the generator": np.arange(len(order))[done * batch_size :],
    }
    for hint, mistaken in mistakes.items():
        if mistaken is not None and not np.array_equal(mistaken, right) and np.array_equal(rows, mistaken):
            return hint
    if len(rows) == len(right):
        but = "in another order" if set(rows.tolist()) == set(right.tolist()) else "but others"
        return f"as many rows as there should be, {but}: is `permutation(n)` the first draw after setting the state?"
    first = f"the first rows to come are {right[:4].tolist()}"
    return f"{first}; yours are {rows[:4].astype(int).tolist()}, {len(rows)} instead of {len(right)}"


# --- 16.5 -------------------------------------------------------------------------------------------------------------
def _scaled(gradients, factor):
    return [gradient * factor for gradient in gradients]


@exercise("16.5")
def check_clip(clip):
    """Several arrays of different shapes, both signs; too long, short enough, and one array alone; all zeros."""
    rng = np.random.default_rng()
    for shapes, limit, longer in [([(3, 4), (4,), (4, 1)], 1.5, 4.0), ([(2, 2), (5,)], 3.0, 0.4), ([(6,)], 0.5, 9.0)]:
        gradients = [rng.normal(size=shape) for shape in shapes]
        length = np.sqrt(sum((gradient**2).sum() for gradient in gradients))
        gradients = _scaled(gradients, longer * limit / length)  # `longer` times as long as the limit
        length = longer * limit
        right = _scaled(gradients, min(1.0, limit / length))
        of_each = [np.sqrt((gradient**2).sum()) for gradient in gradients]
        total = sum(of_each)
        mistakes = {
            "that clips each array by itself; the length is that of all of them together": [
                gradient * min(1, limit / one) for gradient, one in zip(gradients, of_each, strict=True)
            ],
            "that clips each number by itself, and so turns the gradient; shorten all by one factor": [
                np.clip(gradient, -limit, limit) for gradient in gradients
            ],
            "a gradient that is short enough must stay as it is: the factor is never above 1": _scaled(
                gradients, limit / length
            ),
            "nothing was clipped": _scaled(gradients, 1.0),
            "that is the sum of the arrays' lengths; add up squares and take one root": _scaled(
                gradients, min(1, limit / total)
            ),
            "the root is missing: the length is the root of the sum of squares": _scaled(
                gradients, min(1, limit / length**2)
            ),
            "the length becomes 1; it should become the limit": _scaled(gradients, min(1, 1 / length)),
            "that is the other way round: a gradient that is too long is left": _scaled(
                gradients, max(1.0, limit / length)
            ),
        }
        given = [gradient.copy() for gradient in gradients]
        got = clip(given, limit)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, gradients):
            return CHANGED
        if hint := _clip_hint(got, right, mistakes):
            return hint
    zeros = [np.zeros((2, 2)), np.zeros(2)]
    with np.errstate(invalid="ignore", divide="ignore"):
        got = clip([zero.copy() for zero in zeros], 1.0)
    if missing(got):
        return RETURNS_NOTHING
    if _clip_hint(got, zeros, {}):
        return "gradients that are all zero should stay zero: don't divide by a length of 0"
    return None


def _clip_hint(got, right, mistakes):
    if hasattr(got, "shape") and len(right) == 1 and tuple(got.shape) == right[0].shape:
        got = [got]
    if not isinstance(got, (list, tuple)) or len(got) != len(right):
        return f"return a list of {len(right)} arrays, as it was given to you"
    arrays = [numbers(one) for one in got]
    for array, wanted in zip(arrays, right, strict=True):
        if array is None or array.shape != wanted.shape:
            return "each array should keep its shape"
    same = lambda wanted: all(np.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in zip(arrays, wanted, strict=True))
    if same(right):
        return None
    known = (hint for hint, wrong in mistakes.items() if not _same(wrong, right) and same(wrong))
    length = np.sqrt(sum((array**2).sum() for array in arrays))
    wanted = np.sqrt(sum((array**2).sum() for array in right))
    return next(known, f"together the arrays should have the length {wanted:.3f}, yours have {length:.3f}")


def _same(one, other):
    return all(np.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in zip(one, other, strict=True))


# --- 16.6 -------------------------------------------------------------------------------------------------------------
def _rate(step, steps, warmup, peak):
    """By a straight line through given points: another way than the page's."""
    points = ([-1, warmup - 1], [0, peak]) if step < warmup else ([warmup, steps], [peak, 0])
    return float(np.interp(step, *points))


_RATE_MISTAKES = {
    "the warm-up gives `peak / warmup` at step 0, not 0": lambda t, n, w, p: (
        p * t / w if t < w else p * (n - t) / (n - w)
    ),
    "the fall is spread over all steps; it begins at step `warmup` and has steps − warmup steps": lambda t, n, w, p: (
        p * (t + 1) / w if t < w else p * (n - t) / n
    ),
    "the rate stays at its peak after the warm-up; it should fall": lambda t, n, w, p: p * (t + 1) / w if t < w else p,
    "the warm-up is missing": lambda t, n, w, p: p if t < w else p * (n - t) / (n - w),
    "the rate goes on rising after the warm-up": lambda t, n, w, p: p * (t + 1) / w,
    "the rate would be 0 at step `steps`, not at the step before it": lambda t, n, w, p: (
        p * (t + 1) / w if t < w else p * (n - 1 - t) / (n - 1 - w)
    ),
    "step `warmup` belongs to the fall already": lambda t, n, w, p: (
        p * (t + 1) / w if t <= w else p * (n - t) / (n - w)
    ),
    "the peak is missing as a factor": lambda t, n, w, p: (t + 1) / w if t < w else (n - t) / (n - w),
    "the fall begins at step `warmup` with the peak itself": lambda t, n, w, p: (
        p * (t + 1) / w if t < w else p * (n - t - 1) / (n - w)
    ),
}


@exercise("16.6")
def check_rate(rate):
    """All steps of three schedules."""
    rng = np.random.default_rng()
    for steps, warmup in [(20, 4), (13, 1), (50, 30)]:
        peak = float(rng.uniform(0.05, 3))
        right = [_rate(t, steps, warmup, peak) for t in range(steps)]
        got = []
        for t in range(steps):
            value = rate(t, steps, warmup, peak)
            if missing(value):
                return NOT_ATTEMPTED if not got else f"at step {t} of {steps} (warm-up {warmup}) nothing was returned"
            number = numbers(value)
            if number is None or number.size != 1:
                return f"return one number, not {repr(value)[:40]}"
            got.append(number.item())
        if not np.allclose(got, right, rtol=1e-4, atol=1e-6):
            for hint, mistake in _RATE_MISTAKES.items():
                mistaken = [mistake(t, steps, warmup, peak) for t in range(steps)]
                if np.allclose(got, mistaken, rtol=1e-4, atol=1e-6):
                    return hint
            off = np.abs(np.array(got) - right)
            t = int(np.nan_to_num(off, nan=np.inf).argmax())
            case = f"step {t} of {steps}, warm-up {warmup}, peak {peak:.3f}"
            return f"{case}: the rate should be {right[t]:.4f}, yours is {got[t]:.4f}"
    return None


# --- 16.7 -------------------------------------------------------------------------------------------------------------
_SEED = 167
WANTED, LENGTHS, CONSTANTS = 0.85, (200, 400), (0.003, 0.005, 0.008, 0.012)


@exercise("16.7")
def check_schedule(my_rates):
    """The mean excess against that of constant rates, on the same problems and with the same noise.

    The problems are always the same, so that who hands in the same rates again is told the same again.
    """
    ours, constant = 0.0, 0.0
    for steps in LENGTHS:
        got = my_rates(steps)
        if missing(got):
            return NOT_ATTEMPTED
        rates = numbers(got)
        if rates is None or rates.ndim != 1 or len(rates) != steps:
            return f"return an array with {steps} rates, one for each step"
        if not (np.isfinite(rates).all() and (rates >= 0).all()):
            return "each rate should be a number of 0 or more"
        excess = lambda rates, steps=steps: excess_after(rates, np.random.default_rng([_SEED, steps]), 60).mean()
        ours += excess(rates)
        constant += min(excess(np.full(steps, rate)) for rate in CONSTANTS)
    ratio = ours / constant
    if ratio <= WANTED:
        return None
    if not ratio < 1e3:
        return "with your rates the training diverges: the first ones are too large"
    times = beside(ratio, WANTED, 3)
    if np.ptp(rates) == 0:
        return f"that is a constant rate, {times} times the best constant one; large steps first, small ones last"
    if rates[-1] > rates[0]:
        return f"your rates rise ({times} times the best constant rate): the small steps belong at the end"
    return f"{times} times the distance of the best constant rate; at most {WANTED} is wanted: try other peaks"
