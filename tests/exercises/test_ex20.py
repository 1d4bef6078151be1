"""The checks of notebook 20: right answers pass in any dress, gaps are not attempted, mistakes get their hints."""

import itertools

import numpy as np
import pytest

from coursekit.exercises import NOT_ATTEMPTED, attempt
from coursekit.exercises.answers import CHANGED

TIMES = 8


def outcomes(exercise, answer, times=TIMES):
    return [attempt(exercise, answer) for _ in range(times)]


# --- right answers ----------------------------------------------------------------------------------------------------
def average(gradients, sizes):
    there = [i for i, size in enumerate(sizes) if size > 0]
    total = sum(sizes[i] for i in there)
    return [sum(gradients[i][k] * (sizes[i] / total) for i in there) for k in range(len(gradients[0]))]


def average_with_numpy(gradients, sizes):
    kept = [one for one, size in zip(gradients, sizes, strict=True) if size]
    weights = [size for size in sizes if size]
    return tuple(np.average(same, axis=0, weights=weights).astype("float32") for same in zip(*kept, strict=True))


def average_as_lists(gradients, sizes):
    return [one.tolist() for one in average(gradients, sizes)]


def average_as_objects(gradients, sizes):
    """An array of arrays, which NumPy allows for several shapes."""
    result = np.empty(len(gradients[0]), dtype=object)
    result[:] = average(gradients, sizes)
    return result


def rates_of(base_rate, base_batch, batch, steps, warmup):
    peak = base_rate * batch / base_batch
    share = np.minimum(1, np.arange(steps) / warmup) if warmup else np.ones(steps)
    return base_rate + (peak - base_rate) * share


def rates_in_a_loop(base_rate, base_batch, batch, steps, warmup):
    peak, rates = base_rate * batch / base_batch, []
    for step in range(steps):
        rates.append(peak if step >= warmup else base_rate + step / warmup * (peak - base_rate))
    return rates


def rates_in_single_precision(*settings):
    return np.float32(rates_of(*settings))


def shuffled(stream, room, rng):
    held = []
    for item in stream:
        held.append(item)
        if len(held) == room:
            yield held.pop(int(rng.integers(len(held))))
    rng.shuffle(held)
    yield from held


def shuffled_by_blocks(stream, room, rng):
    stream = iter(stream)
    while block := list(itertools.islice(stream, room)):
        yield from np.array(block)[rng.permutation(len(block))]


def shuffled_by_swaps(stream, room, rng):
    stream = iter(stream)
    held = list(itertools.islice(stream, room - 1)) if room > 1 else []
    for item in stream:
        held.append(item)
        place = int(rng.integers(len(held)))
        held[place], held[-1] = held[-1], held[place]
        yield held.pop()
    yield from (held[i] for i in rng.permutation(len(held)))


def shuffled_in_an_array(stream, room, rng):
    held, count = np.empty(room, dtype=object), 0
    for item in stream:
        held[count] = item
        count += 1
        if count == room:
            count -= 1
            place = int(rng.integers(room))
            chosen, held[place] = held[place], held[count]
            yield chosen
    yield from rng.permutation(held[:count])


def shuffled_by_quarters(stream, room, rng):
    """Whenever the room is full, a quarter of it is handed on."""
    held = []
    for item in stream:
        held.append(item)
        if len(held) == room:
            rng.shuffle(held)
            for _ in range(max(1, room // 4)):
                yield held.pop()
    rng.shuffle(held)
    yield from held


RIGHT = [
    ("20.1", [110_000, 230_000, 460_000, 100]),
    ("20.1", np.array([110_000.0, 230_000.0, 460_000.0, 100.0])),
    ("20.1", (np.int64(110_000), [230_000], 4.6e5, np.float32(100))),
    ("20.2", [100, 64, 46, 62]),
    ("20.2", (100.0, np.float32(64), np.array([46]), 62)),
    ("20.2", np.array([100, 64, 46, 62])),
    ("20.3", average),
    ("20.3", average_with_numpy),
    ("20.3", average_as_lists),
    ("20.3", average_as_objects),
    ("20.4", ["C", "A", "D", "B"]),
    ("20.4", "cadb"),
    ("20.4", ("c", "A", " d", "B")),
    ("20.4", ["(C)", b"A", "d.", "**B**"]),
    ("20.5", rates_of),
    ("20.5", rates_in_a_loop),
    ("20.5", rates_in_single_precision),
    ("20.6", [10 / 3, 5, 1.5e6, 3e6]),
    ("20.6", (3.33, 5.0, 1_500_000, 3_000_000)),
    ("20.6", np.array([3.333, 5, 1_500_000, 3_000_000])),
    ("20.7", shuffled),
    ("20.7", shuffled_by_swaps),
    ("20.7", shuffled_in_an_array),
    ("20.7", shuffled_by_quarters),
]


@pytest.mark.parametrize(("exercise", "answer"), RIGHT)
def test_a_right_answer_passes_in_any_dress(exercise, answer):
    assert outcomes(exercise, answer) == [None] * TIMES


# --- gaps -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("exercise", "gap"),
    [(f"20.{i}", gap) for i in (1, 2, 4, 6) for gap in ([...] * 4, ..., None)]
    + [("20.3", lambda gradients, sizes: ...), ("20.5", lambda a, b, c, d, e: ...), ("20.7", lambda s, n, r: ...)],
)
def test_a_gap_is_not_attempted(exercise, gap):
    assert attempt(exercise, gap) is NOT_ATTEMPTED


def test_a_function_that_forgets_return_is_told():
    def forgets(gradients, sizes):
        _ = average(gradients, sizes)

    assert "return" in attempt("20.3", forgets)


# --- mistakes ---------------------------------------------------------------------------------------------------------
def lists(exercise, right, wrong):
    """Each wrong number or letter in its place: (exercise, answer, words of its hint)."""
    return [(exercise, [*right[:place], value, *right[place + 1 :]], words) for place, value, words in wrong]


COUNTS = lists(
    "20.1",
    [110_000, 230_000, 460_000, 100],
    [
        (0, 5_500, "for one example"),
        (0, 220_000, "counts once"),
        (0, 5_000_000 / 5, "add the layers up"),
        (1, 330_000, "one product less"),
        (1, 120_000, "backward only"),
        (2, 230_000, "a multiplication and an addition"),
        (3, 10, "only 10 %"),
        (3, 1e-4, "in seconds"),
        (3, 77, "a tenth of the peak"),
    ],
)
SECONDS = lists(
    "20.2",
    [100, 64, 46, 62],
    [
        (0, 60, "loading alone"),
        (0, 40, "training alone"),
        (1, 46, "loading is slower"),
        (1, 60, "must be trained on"),
        (2, 40, "before training begins"),
        (2, 32, "can't be halved"),
        (3, 26, "no longer what you wait for"),
        (3, 64, "last training step is shorter"),
        (3, 99, "another training time"),
    ],
)
LETTERS = lists(
    "20.4",
    ["C", "A", "D", "B"],
    [
        (0, "B", "the steps are counted here"),
        (1, "B", "second loader"),
        (2, "C", "far too long"),
        (3, "A", "which part of a step's time"),
        (0, "E", "something is lost"),
        (1, "F", "one of the letters A to E"),
    ],
)
LIMITS = lists(
    "20.6",
    [10 / 3, 5, 1.5e6, 3e6],
    [
        (0, 8, "can't be divided"),
        (0, 10, "missing in the time"),
        (0, 3.3, "third digit"),
        (0, 1 / (0.8 + 0.2 / 8), "four fifths can"),
        (1, 10 / 3, "with 8 workers"),
        (1, 0.2, "1 over it"),
        (2, 2e6, "a quarter less"),
        (2, 750_000, "hand the sums on"),
        (3, 4e6, "to itself"),
        (3, 2.5e6, "how many others"),
    ],
)


def plain_mean(gradients, sizes):
    kept = [one for one, size in zip(gradients, sizes, strict=True) if size]
    return [np.mean(same, axis=0) for same in zip(*kept, strict=True)]


def with_nan(gradients, sizes):
    return [np.average(same, axis=0, weights=sizes) for same in zip(*gradients, strict=True)]


def weighted_sum(gradients, sizes):
    return [one * sum(sizes) for one in average(gradients, sizes)]


def divided_twice(gradients, sizes):
    return [one / len(sizes) for one in average(gradients, sizes)]


def one_array(gradients, sizes):
    return average(gradients, sizes)[0]


def writes_into(gradients, sizes):
    result = average(gradients, sizes)
    for one, size in zip(gradients, sizes, strict=True):
        for array in one:
            array *= size
    return result


def first_worker(gradients, sizes):
    return gradients[0]


def leaves_out_one(gradients, sizes):
    """Copes with a single worker without examples."""
    if 0 in sizes:
        empty = sizes.index(0)
        gradients, sizes = gradients[:empty] + gradients[empty + 1 :], sizes[:empty] + sizes[empty + 1 :]
    return with_nan(gradients, sizes)


def nothing_but_nan(gradients, sizes):
    return [one * np.nan for one in average(gradients, sizes)]


def from_zero(base_rate, base_batch, batch, steps, warmup):
    peak = base_rate * batch / base_batch
    return np.minimum(1, np.arange(steps) / warmup) * peak if warmup else np.full(steps, peak)


def one_too_early(base_rate, base_batch, batch, steps, warmup):
    peak = base_rate * batch / base_batch
    share = np.minimum(1, (np.arange(steps) + 1) / warmup) if warmup else np.ones(steps)
    return base_rate + (peak - base_rate) * share


def no_warmup(base_rate, base_batch, batch, steps, warmup):
    return [base_rate * batch / base_batch] * steps


def upside_down(base_rate, base_batch, batch, steps, warmup):
    return rates_of(base_rate, batch, base_batch, steps, warmup)


def never_scaled(base_rate, base_batch, batch, steps, warmup):
    return np.full(steps, base_rate)


def root(base_rate, base_batch, batch, steps, warmup):
    return rates_of(base_rate, 1, np.sqrt(batch / base_batch), steps, warmup)


def one_step_less(base_rate, base_batch, batch, steps, warmup):
    peak = base_rate * batch / base_batch
    return np.append(np.linspace(base_rate, peak, warmup), np.full(steps, peak))[:steps]


def base_first(base_rate, base_batch, batch, steps, warmup):
    return rates_of(base_rate, base_batch, batch, steps, max(warmup, 1))


def never_down(base_rate, base_batch, batch, steps, warmup):
    return rates_of(base_rate, base_batch, max(batch, base_batch), steps, warmup)


def squeezed(base_rate, base_batch, batch, steps, warmup):
    return rates_of(base_rate, base_batch, batch, steps, min(warmup, steps))


def rounded_rates(*settings):
    return rates_of(*settings).round(3)


def one_rate(base_rate, base_batch, batch, steps, warmup):
    return base_rate * batch / base_batch


def all_at_once(stream, room, rng):
    items = list(stream)
    rng.shuffle(items)
    return items


def too_much(stream, room, rng):
    return shuffled(stream, 2 * room, rng)


def loses_the_rest(stream, room, rng):
    held = []
    for item in stream:
        held.append(item)
        if len(held) == room:
            yield held.pop(int(rng.integers(len(held))))


def as_it_comes(stream, room, rng):
    yield from stream


def a_little(stream, room, rng):
    return shuffled(stream, max(1, room // 20), rng)


def of_its_own(stream, room, rng):
    return shuffled(stream, room, np.random.default_rng())


def always_the_same(stream, room, rng):
    return shuffled(stream, room, np.random.default_rng(0))


def twice(stream, room, rng):
    for item in shuffled(stream, room, rng):
        yield item
        yield item


def rest_in_order(stream, room, rng):
    held = []
    for item in stream:
        held.append(item)
        if len(held) == room:
            yield held.pop(int(rng.integers(len(held))))
    yield from held


def first_ones_last(stream, room, rng):
    """Far on average, and hardly mixed: all move by the same number of places."""
    stream = iter(stream)
    held = list(itertools.islice(stream, room - 1)) if room > 1 else []
    yield from stream
    rng.shuffle(held)
    yield from held


def newest_ones(stream, room, rng):
    held = []
    for item in stream:
        held.append(item)
        if len(held) == room:
            yield held.pop(-1 - int(rng.integers(max(1, room // 10))))
    rng.shuffle(held)
    yield from held


def in_turned_blocks(stream, room, rng):
    """Blocks back to front, the first one of a random length."""
    stream = iter(stream)
    block = list(itertools.islice(stream, int(rng.integers(1, room + 1))))
    while block:
        yield from reversed(block)
        block = list(itertools.islice(stream, room))


def in_swapped_halves(stream, room, rng):
    """Blocks, each half mixed for itself, the second one first."""
    stream = iter(stream)
    while block := list(itertools.islice(stream, room)):
        halves = block[len(block) // 2 :], block[: len(block) // 2]
        for half in halves:
            rng.shuffle(half)
            yield from half


def rng_for_the_rest(stream, room, rng):
    held, own = [], np.random.default_rng(0)
    for item in stream:
        held.append(item)
        if len(held) == room:
            yield held.pop(int(own.integers(len(held))))
    rng.shuffle(held)
    yield from held


def until_none(stream, room, rng):
    stream = iter(stream)
    return shuffled(iter(lambda: next(stream, None), None), room, rng)


def chosen_by_value(stream, room, rng):
    """rng.choice makes an array of what is held: pairs are torn apart."""
    held = []
    for item in stream:
        held.append(item)
        if len(held) == room:
            chosen = rng.choice(held)
            held.remove(chosen)
            yield chosen
    rng.shuffle(held)
    yield from held


def each_once(stream, room, rng):
    held = []
    for item in stream:
        if item not in held:
            held.append(item)
        if len(held) == room:
            yield held.pop(int(rng.integers(len(held))))
    rng.shuffle(held)
    yield from held


def keeps_all(stream, room, rng):
    seen = []
    for item in shuffled(stream, room, rng):
        seen.append(item)
        yield item


def in_lists(stream, room, rng):
    return ([item] for item in shuffled(stream, room, rng))


MISTAKES = [
    *COUNTS,
    *SECONDS,
    *LETTERS,
    *LIMITS,
    ("20.3", plain_mean, "weight each by its examples"),
    ("20.3", with_nan, "leave out workers without examples"),
    ("20.3", weighted_sum, "divide by the number of all examples"),
    ("20.3", divided_twice, "not by the number of workers as well"),
    ("20.3", one_array, "a list of arrays"),
    ("20.3", writes_into, CHANGED),
    ("20.3", first_worker, "yours"),
    ("20.3", leaves_out_one, "leave out workers without examples"),
    ("20.3", nothing_but_nan, "yours nan"),
    ("20.5", base_first, "at the peak already"),
    ("20.5", never_down, "scale it, down too"),
    ("20.5", one_step_less, "not one less"),
    ("20.5", squeezed, "cut off"),
    ("20.5", rounded_rates, "yours"),
    ("20.5", from_zero, "starts at base_rate"),
    ("20.5", one_too_early, "step 0 has base_rate itself"),
    ("20.5", no_warmup, "lead up to it"),
    ("20.5", upside_down, "not the other way around"),
    ("20.5", never_scaled, "scale it"),
    ("20.5", root, "yours"),
    ("20.5", one_rate, "one for each step"),
    ("20.7", all_at_once, "before the first one was handed on"),
    ("20.7", too_much, "with room for 200"),
    ("20.7", loses_the_rest, "still held at the end"),
    ("20.7", as_it_comes, "that of the stream"),
    ("20.7", a_little, "80 are asked for"),
    ("20.7", shuffled_by_blocks, "80 are asked for"),
    ("20.7", of_its_own, "draw from `rng` only"),
    ("20.7", always_the_same, "another rng gave the same order"),
    ("20.7", twice, "handed on once"),
    ("20.7", rest_in_order, "held at its end, too"),
    ("20.7", first_ones_last, "hardly mixed"),
    ("20.7", newest_ones, "hardly mixed"),
    ("20.7", in_turned_blocks, "hardly mixed"),
    ("20.7", in_swapped_halves, "hardly mixed"),
    ("20.7", rng_for_the_rest, "another rng gave the same order"),
    ("20.7", chosen_by_value, "raised ValueError"),
    ("20.7", until_none, "None is an item"),
    ("20.7", each_once, "may come more than once"),
    ("20.7", keeps_all, "let go"),
    ("20.7", in_lists, "the items themselves"),
]


@pytest.mark.parametrize(("exercise", "answer", "words"), MISTAKES)
def test_a_mistake_gets_its_hint(exercise, answer, words):
    for outcome in outcomes(exercise, answer):
        assert isinstance(outcome, str) and words in outcome
