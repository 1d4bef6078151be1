"""The checks of notebook 20, Scaling out."""

import itertools
import weakref

import numpy as np

from coursekit.exercises import NOT_ATTEMPTED, RETURNS_NOTHING, exercise
from coursekit.exercises.answers import (
    CHANGED,
    changed,
    close,
    compare_letters,
    compare_numbers,
    missing,
    numbers,
    parts_of,
    told_apart,
    word,
)

# --- 20.1 -------------------------------------------------------------------------------------------------------------
_COUNTS = {"(a)": 110_000, "(b)": 230_000, "(c)": 460_000, "(d)": 100}
_COUNT_HINTS = {
    "(a)": {
        5_500: "that is for one example; the batch has 20",
        220_000: "those are operations; a multiply-add is a pair of them and counts once",
        20 * 160: "multiply the sizes of a layer with each other, don't add them",
        20 * 100 * 50 * 10: "each layer is a product of its own; add the layers up",
        100_000: "that is the first layer; there is a second one",
    },
    "(b)": {
        330_000: "the first layer needs no gradient of its inputs: one product less",
        220_000: "going back there are two products for the second layer and one for the first",
        110_000: "that is forward only",
        120_000: "that is backward only; add the forward pass",
        320_000: "the product that is not needed is the first layer's, 100 by 50",
    },
    "(c)": {
        230_000: "a multiply-add is two operations: a multiplication and an addition",
        220_000: "that is the forward pass; (b) is the whole step",
        690_000: "a multiply-add is two operations, not three",
    },
    "(d)": {
        10: "that is at the full peak; only 10 % of it is used",
        1: "using 10 % of the peak takes longer than the full peak would, not shorter",
        1e-4: "that is in seconds; the question is for microseconds, millionths",
        0.1: "that is in milliseconds; the question is for microseconds, millionths",
        50: "count operations, (c), not multiply-adds, (b)",
    },
}


@exercise("20.1")
def check_counts(answer):
    """Four numbers."""
    otherwise = {
        "(a)": "not yet; for each layer: examples times inputs times units",
        "(b)": "not yet; three times the forward pass, less the gradient of the first layer's inputs",
        "(c)": "not yet; how many operations is one multiply-add?",
        "(d)": "not yet; operations, divided by a tenth of the peak, times a million",
    }
    return compare_numbers(answer, _COUNTS, _COUNT_HINTS, otherwise, rtol=1e-6)


# --- 20.2 -------------------------------------------------------------------------------------------------------------
_SECONDS = {"(a)": 100, "(b)": 64, "(c)": 46, "(d)": 62}
_SECOND_HINTS = {
    "(a)": {
        60: "that is the loading alone; nothing overlaps here, so add the training",
        40: "that is the training alone; nothing overlaps here, so add the loading",
        64: "that is with prefetching",
    },
    "(b)": {
        60: "that is the loading alone; after the last batch is loaded, it must be trained on",
        46: "loading is slower than training, so loading sets the pace",
        100: "that is one after another; here a batch is loaded while the one before is trained on",
        70: "the first batch takes 6 + 4, and the nine others 6 each",
    },
    "(c)": {
        40: "the first batch must be loaded before training begins",
        34: "two loaders bring a batch every 3 seconds, so now training is slower and sets the pace",
        37: "two loaders bring a batch every 3 seconds, so now training is slower and sets the pace",
        32: "training can't be halved by a second loader",
        43: "the first batch takes 6 seconds to load: one loader loads it alone",
        64: "that is one loader",
    },
    "(d)": {
        26: "training is no longer what you wait for: loading sets the pace",
        64: "nearly: the last training step is shorter now",
        60: "after the last batch is loaded, it must be trained on",
        80: "that is one after another; here prefetching goes on",
        32: "that is half of (b); but training is not what you wait for",
    },
}


@exercise("20.2")
def check_seconds(answer):
    """Four numbers."""
    otherwise = {
        "(a)": "not yet; each batch takes the sum of both",
        "(b)": "not yet; put the numbers into the formula for prefetching",
        "(c)": "not yet; draw the rows: when is each batch loaded, and when is the network free?",
        "(d)": "not yet; the formula of (b) with another training time",
    }
    return compare_numbers(answer, _SECONDS, _SECOND_HINTS, otherwise, rtol=1e-6)


# --- 20.3 -------------------------------------------------------------------------------------------------------------
_SHAPES = [(3, 2), (4,), (1, 5)]


@exercise("20.3")
def check_average(average):
    """Unequal parts; equal ones; a single worker; one and two workers without examples, whose gradients are NaN."""
    rng = np.random.default_rng()
    for sizes in ([1, 3], [8, 8, 8], [5], rng.integers(1, 40, size=4).tolist(), [7, 0, 2], [0, 6, 0, 1]):
        gradients = [[rng.normal(size=shape) for shape in _SHAPES] for _ in sizes]
        right = [sum(size / sum(sizes) * gradients[i][k] for i, size in enumerate(sizes)) for k in range(len(_SHAPES))]
        plain = [np.mean([one[k] for one in gradients], axis=0) for k in range(len(_SHAPES))]
        for i, size in enumerate(sizes):
            if not size:
                gradients[i] = [np.full(shape, np.nan) for shape in _SHAPES]
        given = [[array.copy() for array in one] for one in gradients], list(sizes)
        got = average(*given)
        if missing(got):
            return NOT_ATTEMPTED if len(sizes) == 2 else RETURNS_NOTHING
        if _written_into(given[0], gradients) or given[1] != sizes:
            return CHANGED
        hint = _average_hint(got, right, plain, sizes)
        if hint:
            return hint
    return None


def _written_into(given, was):
    return any(
        not np.array_equal(a, b, equal_nan=True)
        for one, other in zip(given, was, strict=True)
        for a, b in zip(one, other, strict=True)
    )


def _average_hint(got, right, plain, sizes):
    if isinstance(got, np.ndarray) and got.dtype.kind == "O":  # NumPy's way to hold arrays of several shapes
        got = list(got)
    parts = parts_of(got, len(right))
    arrays = None if parts is None else [numbers(one) for one in parts]
    if arrays is None or any(one is None for one in arrays):
        return "return a list of arrays, one for each weight"
    for k, (array, wanted) in enumerate(zip(arrays, right, strict=True)):
        if array.shape != wanted.shape:
            return f"array {k + 1} of a worker has shape {wanted.shape}, yours {array.shape}"
        if close(array, wanted):
            continue
        if np.isnan(array).any() and 0 in sizes:
            return f"for sizes {sizes} there are NaNs: leave out workers without examples (0 · NaN is NaN)"
        if close(array, plain[k]):
            return f"for sizes {sizes} that is the plain mean of the workers: weight each by its examples"
        if close(array / sum(sizes), wanted):
            return "divide by the number of all examples"
        if close(array * sum(sizes) / len(sizes), wanted):
            return "divide by the number of all examples only, not by the number of workers as well"
        at = np.unravel_index(np.nan_to_num(np.abs(array - wanted), nan=np.inf).argmax(), wanted.shape)
        wanted, yours = told_apart(wanted[at], array[at])
        return f"for sizes {sizes} entry {tuple(map(int, at))} of array {k + 1} is {wanted}, yours {yours}"
    return None


# --- 20.4 -------------------------------------------------------------------------------------------------------------
@exercise("20.4")
def check_limits(answer):
    """Four letters."""
    right = {"(a)": "C", "(b)": "A", "(c)": "D", "(d)": "B"}
    hints = {
        "(a)": "the steps are counted here, not their time: when does a larger batch no longer save steps?",
        "(b)": "what did the second loader bring?",
        "(c)": "what happens when a step is far too long?",
        "(d)": "the time of the examples grows with them; which part of a step's time doesn't?",
    }
    parts = None if isinstance(answer, str) else parts_of(answer, len(right), stacked=True)
    if parts is not None:
        answer = [word(one) if len(word(one)) == 1 else one for one in parts]  # "(C)" and b"C" are C
    return compare_letters(answer, right, hints, {"E": "in each of the four something is lost"})


# --- 20.5 -------------------------------------------------------------------------------------------------------------
@exercise("20.5")
def check_rates(rates_of):
    """Several factors and warm-ups; none; one step; a batch smaller than the base; a warm-up longer than the training.

    Afterwards random ones.
    """
    cases = [(0.1, 8, 64, 10, 4), (0.05, 32, 256, 7, 0), (0.3, 64, 16, 12, 5), (0.2, 10, 10, 6, 3), (0.1, 8, 80, 1, 4)]
    cases += [(0.4, 16, 48, 9, 1), (0.1, 8, 32, 5, 9)]
    rng = np.random.default_rng()
    for least, most in [(0, 3), (3, 9), (10, 30)]:  # of the warm-up
        base_batch, batch, steps = rng.integers([3, 20, 8], [20, 90, 20]).tolist()
        cases.append((round(rng.uniform(0.01, 0.3), 5), base_batch, batch, steps, int(rng.integers(least, most))))
    for base_rate, base_batch, batch, steps, warmup in cases:
        peak = base_rate * batch / base_batch
        rise = np.interp(np.arange(steps), [0, warmup], [base_rate, peak]) if warmup else np.full(steps, peak)
        got = rates_of(base_rate, base_batch, batch, steps, warmup)
        if missing(got):
            return NOT_ATTEMPTED
        rates = numbers(got)
        case = f"rates_of({base_rate}, {base_batch}, {batch}, {steps}, {warmup})"
        if rates is None or rates.shape != (steps,):
            return f"{case} should be {steps} numbers, one for each step"
        if np.allclose(rates, rise, rtol=1e-5, atol=1e-8):
            continue
        t, step_at_peak = (
            np.arange(steps),
            "step 0 has base_rate itself, and step `warmup` is the first one at the peak",
        )
        mistakes = {
            "in the warm-up the rate starts at base_rate, not at 0": np.minimum(1, t / max(warmup, 1)) * peak,
            step_at_peak: base_rate + (peak - base_rate) * np.minimum(1, (t + 1) / max(warmup, 1)),
            step_at_peak + ": it takes `warmup` equal steps up, not one less": (
                base_rate + (peak - base_rate) * np.minimum(1, t / max(warmup - 1, 1))
            ),
            "a warm-up that is longer than the training is cut off, not made shorter": (
                base_rate + (peak - base_rate) * np.minimum(1, t / max(min(warmup, steps), 1))
            ),
            "that is the peak from the start; the first `warmup` steps lead up to it": np.full(steps, peak),
            "the peak grows with the batch: batch / base_batch, not the other way around": (
                base_rate + (base_rate * base_batch / batch - base_rate) * np.minimum(1, t / max(warmup, 1))
                if warmup
                else np.full(steps, base_rate * base_batch / batch)
            ),
            "that is base_rate at every step; scale it, down too if the batch is smaller": np.full(steps, base_rate),
        }
        if not warmup:
            mistakes = {
                "without a warm-up (0) step 0 is at the peak already": np.append(base_rate, rise[1:]),
                **mistakes,
            }
        known = (hint for hint, wrong in mistakes.items() if np.allclose(rates, wrong, rtol=1e-5, atol=1e-8))
        at = int(np.argmax(np.abs(np.nan_to_num(rates, nan=np.inf) - rise)))
        wanted, yours = told_apart(rise[at], rates[at])
        return next(known, f"{case}: the rate of step {at} is {wanted}, yours {yours}")
    return None


# --- 20.6 -------------------------------------------------------------------------------------------------------------
_LIMITS = {"(a)": 10 / 3, "(b)": 5, "(c)": 1_500_000, "(d)": 3_000_000}
_LIMIT_HINTS = {
    "(a)": {
        8: "that is without the part that can't be divided",
        6.4: "the time of the divided part is 0.8 / 8; add the part that can't be divided",
        10: "the part that can't be divided is missing in the time: 0.2 + 0.8 / 8",
        1 / (0.8 + 0.2 / 8): "a fifth can't be divided, four fifths can",
        0.3: "that is the time that is left; the speed-up is 1 over it",
        3.3: "rounded too much: give a third digit",
    },
    "(b)": {
        0.2: "that is the time that is left with any number of workers; the speed-up is 1 over it",
        1.25: "the part that can be divided vanishes with many workers, not the other one",
        8: "how fast is it with a million workers?",
        10 / 3: "that is with 8 workers; how fast is it with a million?",
    },
    "(c)": {
        750_000: "twice that: one round to add the pieces up, one to hand the sums on",
        2_000_000: "that is for very many workers; with four it is a quarter less",
        6_000_000: "that is what all four send together",
        3_000_000: "that is what one worker would receive without a ring, (d)",
        6: "those are pieces; each has a quarter of a million numbers",
    },
    "(d)": {
        4_000_000: "it doesn't send its own numbers to itself",
        1_000_000: "that is from one worker; there are three others",
        1_500_000: "that is the ring, (c)",
    },
}


@exercise("20.6")
def check_limits_of(answer):
    """Four numbers."""
    otherwise = {
        "(a)": "not yet; put s = 0.2 and N = 8 into Amdahl's law",
        "(b)": "not yet; let N grow in Amdahl's law",
        "(c)": "not yet; 2 (N − 1) / N times its numbers",
        "(d)": "not yet; how many others are there?",
    }
    also = {"(a)": (3.325, 3.345)}
    return compare_numbers(answer, _LIMITS, _LIMIT_HINTS, otherwise, rtol=1e-6, also=also)


# --- 20.7 -------------------------------------------------------------------------------------------------------------
_MOVED = 80  # places, on average, at 2,000 items and room for 200
_APART = 40  # places between two items that come out together: the median; a good answer has over 100


class _Item:
    """Something that a stream may hold: it has a number, but is none."""

    def __init__(self, number):
        self.number = number

    def __repr__(self):
        return f"item {self.number}"


class _Watched:
    """n items as a stream that counts how many have been taken, and how many of them are still in memory."""

    def __init__(self, n):
        self.n, self.taken, self.alive = n, 0, weakref.WeakSet()

    def __iter__(self):
        for number in range(self.n):
            self.taken += 1
            item = _Item(number)
            self.alive.add(item)
            yield item


@exercise("20.7")
def check_shuffled(shuffled):
    """Long and short streams; room for one; an empty stream; what is held; and how far items move.

    Also that rng decides, that a stream which fits into the room is mixed, and that None, a pair, and an item that
    comes twice are items, too.
    """
    for n, room in [(2000, 200), (30, 7), (5, 5), (3, 50), (0, 4), (20, 1), (60, 100)]:
        source, out = _Watched(n), []
        got = shuffled(source, room, np.random.default_rng(int(np.random.default_rng().integers(2**32))))
        if missing(got):
            return NOT_ATTEMPTED
        if not hasattr(got, "__iter__"):
            return "write a generator: a function with `yield` in it"
        if n == 2000 and source.taken == n:
            return "all items were taken before the first one was handed on; yield as soon as the room is full"
        for item in got:
            held = source.taken - len(out)
            if held > room:
                return f"{held} items of the stream were held, with room for {room}"
            if not isinstance(item, _Item):
                return "hand on the items themselves, one at a time"
            out.append(item.number)
            if len(out) > n:
                return f"a stream of {n} items gave more than {n}: each is handed on once"
            if len(out) % 100 == 0 and len(source.alive) > room + 20:  # a few may have names of their own
                return f"{len(source.alive)} items are in memory, with room for {room}: let go what is handed on"
        hint = _stream_hint(out, n, room)
        if hint:
            return hint
    return _decided_by_rng(shuffled) or _any_item(shuffled)


def _stream_hint(out, n, room):
    order = np.array(out, dtype=int)
    lost = sorted(set(range(n)) - set(out))
    if lost:
        return f"of {n} items {len(lost)} are lost, such as number {lost[-1]}; what is still held at the end?"
    if len(order) != n:
        return f"{n} items came and {len(order)} went: each is handed on once"
    moved = order - np.arange(n)
    if n == 2000:
        if not moved.any():
            return "the order is that of the stream"
        far = np.abs(moved).mean()
        if far < _MOVED:
            return f"items land {far:.0f} places from where they came, on average; {_MOVED} are asked for"
        if np.median(np.abs(np.diff(order))) < _APART:
            return "what comes out together mostly came in together: among each other the items are hardly mixed"
    if n == 60 and not moved.any():
        return f"{n} items, with room for {room}, come in the order of the stream: mix what is held at its end, too"
    return None


def _decided_by_rng(shuffled):
    """The same generator state gives the same order, another one another order."""
    seed = int(np.random.default_rng().integers(2**32))
    once, again = (list(shuffled(iter(range(300)), 40, np.random.default_rng(seed))) for _ in range(2))
    other = list(shuffled(iter(range(300)), 40, np.random.default_rng(seed + 1)))
    if changed(once, again):
        return "the same rng gave two orders: draw from `rng` only"
    if not changed(once[:100], other[:100]):  # the rest may be what is held at the end
        return "another rng gave the same order: draw from `rng`"
    return None


def _any_item(shuffled):
    """None is an item, a pair is one, and an item that comes again is another one."""
    one, other = ("image 1", 3), ("image 2", 5)
    stream = [one, None, other, one, None, one] * 5
    out = list(itertools.islice(shuffled(iter(stream), 7, np.random.default_rng()), len(stream) + 1))
    if not any(item is None for item in out):
        return "None is an item like others: hand it on, too"
    if sorted(map(id, out)) != sorted(map(id, stream)):
        return f"an item may come more than once: of such a stream of {len(stream)} items you hand on {len(out)}"
    return None
