"""Small whole numbers by contexts: they come back, both ways compute the same, and what is regular costs little."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.compression import coder, contexts
from coursekit.compression.contexts import CAP, WIDTHS, Frame

few = settings(max_examples=60, deadline=None)
sides = st.integers(1, 4)


@st.composite
def cases(draw):
    """(frame, numbers, top): a frame with or without activity, and numbers of which few or many are zero."""
    height, width, channels, units = draw(sides), draw(sides), draw(st.integers(1, 9)), draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    busy = draw(st.sampled_from([None, channels if channels > 1 else units]))
    frame = Frame(height, width, channels, units, None if busy is None else rng.integers(0, 12, busy))
    top = draw(st.integers(1, CAP))
    numbers = rng.integers(-top, top + 1, frame.size) * (rng.random(frame.size) < draw(st.floats(0, 1)))
    return frame, numbers, top


def coded(numbers, frame, top, width, decide=None):
    """(answers, probabilities, rounds) of all decisions."""
    kept, rounds = [], []

    def take(answers, shares):
        kept.append((answers, shares))
        return answers

    assert np.array_equal(contexts.code(take, numbers, frame, top, width, rounds.append), numbers)
    answers, shares = map(np.hstack, zip(*kept, strict=True))
    return answers, shares, sum(rounds)


def bits(numbers, frame, top, width=1):
    answers, shares, _ = coded(numbers, frame, top, width)
    return -np.log2(np.where(answers, shares, 1 - shares)).sum()


def entropy(numbers):
    """Bits of all numbers, taken as independent."""
    shares = np.unique(numbers, return_counts=True)[1] / len(numbers)
    return -(shares * np.log2(shares)).sum() * len(numbers)


@few
@given(cases(), st.sampled_from(WIDTHS[:3]))
def test_numbers_come_back_and_rounds_are_what_was_said(case, width):
    frame, numbers, top = case
    answers, shares, rounds = coded(numbers, frame, top, width)
    assert rounds == contexts.rounds_of(numbers, frame, top, width) >= contexts.rounds_of(None, frame, top, width)
    writer, spent = coder.Writer(), []
    writer.flags(answers, shares)
    reader = coder.Reader(writer.content())
    take = (lambda _, share: reader.flag(share)) if width == 1 else reader.flags
    assert np.array_equal(contexts.code(take, None, frame, top, width, spent.append), numbers)
    assert sum(spent) == rounds


@few
@given(cases())
def test_one_by_one_and_side_by_side_compute_the_same(case):
    """At a width of 1 both ways give each decision the same probability, to the last bit."""
    frame, numbers, top = case
    one = coded(numbers, frame, top, 1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(contexts, "_one_by_one", contexts._side_by_side)
        other = coded(numbers, frame, top, 1)
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_random_numbers_cost_little_more_than_their_entropy():
    rng, frame = np.random.default_rng(0), Frame(3, 3, 16, 24)
    numbers = rng.choice([-2, -1, 0, 1, 2], frame.size, p=[0.05, 0.1, 0.7, 0.1, 0.05])
    assert entropy(numbers) < bits(numbers, frame, 2) < 1.06 * entropy(numbers)


@pytest.mark.parametrize("axis", ["unit", "channel", "row", "place", "activity", "neighbor"])
def test_each_context_finds_what_it_is_for(axis):
    """Where the share of zeros depends on one thing alone, the numbers cost much less than taken as independent."""
    rng, frame = np.random.default_rng(1), Frame(6, 6, 20, 24)
    place, channel, unit = np.indices((36, 20, 24))
    busy = rng.integers(0, 2, 20) * 6
    decided = {
        "unit": rng.random(24)[unit] < 0.2,
        "channel": rng.random(20)[channel] < 0.2,
        "row": rng.random((36, 20))[place, channel] < 0.2,
        "place": rng.random((36, 24))[place, unit] < 0.2,
        "activity": (busy > 0)[channel] & (channel < 4),
        "neighbor": rng.random((36, 20, 24)) < 0.2,
    }[axis]
    if axis == "neighbor":  # whole columns of the picture
        decided = decided.reshape(6, 6, 20, 24)[:1].repeat(6, axis=0)
    if axis == "activity":
        decided = (busy > 0)[channel]
        frame = frame._replace(activity=busy)
    numbers = np.where(decided.reshape(-1), rng.choice([-1, 1], frame.size), 0)
    numbers *= rng.random(frame.size) < 0.9
    assert bits(numbers, frame, 1) < 0.85 * entropy(numbers)


def test_what_the_layer_before_tells_is_used_from_the_first_number_of_a_channel_on():
    rng = np.random.default_rng(2)
    busy = rng.integers(0, 2, 400) * 5
    numbers = (busy > 0) * rng.choice([-1, 1], 400)
    known, unknown = (bits(numbers, Frame(1, 1, 1, 400, activity), 1) for activity in (busy, None))
    assert known < 0.75 * unknown


def test_a_larger_width_costs_a_little():
    rng, frame = np.random.default_rng(3), Frame(5, 5, 24, 32)
    likely = np.outer(rng.gamma(0.5, size=24), rng.gamma(0.5, size=32)).reshape(-1)
    numbers = np.tile(likely, 25) * 0.4 > rng.random(frame.size)
    costs = [bits(numbers.astype(int), frame, 1, width) for width in (1, 16, 256)]
    assert costs[0] < 1.01 * costs[1] < 1.1 * costs[2] < 1.3 * costs[0]
