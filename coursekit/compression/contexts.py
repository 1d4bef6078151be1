"""Small whole numbers, such as multiples of a step, each coded with a probability learned from those around it.

A number is taken apart into decisions between two answers, as CABAC does: is it zero; is it negative; is its magnitude
above 1, above 2 and so on (Marpe, Schwarz and Wiegand, 2003; for the weights of networks Wiedemann and others, 2020,
"DeepCABAC"). A decision whose answer is known at odds of 15 to 1 takes a tenth of a bit, so all depends on the odds.
Where a weight stands says much about it. A network that was pruned or trained for size has dead units and channels,
busy ones, and pictures in its kernels. So the answers are counted in several contexts:

- the unit:     all weights so far that lead into the same unit, or filter
- the channel:  all weights from the same input channel
- the row:      the weights from the same input, which is a channel at one place of the picture
- the place:    the weights that lead into the same unit from the same place
- the activity: weights from channels about as busy: how many weights lead into a channel, the layer before tells
- the neighbors: the weights of the same channel and unit to the left and above, once with their signs, and once the
                 sum of the magnitudes of four

Each context estimates the log-odds of the answer. What is added up is the average of all contexts and, times a weight,
how far each estimate is from it; the weights follow the error (Mahoney, 2005, "Adaptive weighing of context models for
lossless data compression"). A new context starts at the average, as if the rarer answer had been seen half a time.
Writer and reader count the same answers in the same order. All of it is done in whole numbers, so that no two machines
can differ by a rounding.

Few numbers are decided one by one; many are decided side by side, up to 1,024 numbers at once, and learn from each
other only afterwards: a little larger, and fast. Both ways compute the same. Born in notebook 19.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from coursekit.compression.coder import LIMIT, ONE, STEP, log2_of, tables

WIDTHS = (1, 16, 64, 256, 1024)  # how many numbers are decided side by side
LEAST = 4  # numbers that a context has for each of its counts, or it is left out
CAP = 16  # a larger magnitude is coded as this one, and the rest apart
_KINDS = 10  # decisions with counts of their own; the later ones share the last
_AVERAGE = 22  # bits of an average probability
_START = 13107  # weight of a context, in 65,536ths: a fifth


class Frame(NamedTuple):
    """How a tensor lies on the picture that its layer sees: (height, width, channels, units).

    activity: (channels,) whole numbers from 0 to 40 or so, how busy each channel is; (units,) for a tensor without
              channels; or None where nothing is known.
    """

    height: int
    width: int
    channels: int
    units: int
    activity: np.ndarray | None = None

    @property
    def size(self):
        """How many numbers."""
        return self.height * self.width * self.channels * self.units


def rounds_of(values, frame, top, width):
    """How many rounds the numbers take at a width: in each, one decision is taken for all that are side by side.

    Two more are counted for each place. Without values it is the least that so many numbers take.
    """
    places, block = frame.height * frame.width, frame.channels * frame.units
    steps = -(-block // width)
    if values is None:
        return places * (2 + steps)
    padded = np.zeros((places, steps * width), dtype=np.int64)
    padded[:, :block] = np.abs(values).reshape(places, block)
    largest = padded.reshape(places * steps, width).max(axis=1)
    return 2 * places + int(np.sum(1 + (largest > 0) * (1 + np.minimum(largest, top - 1))))


def code(take, values, frame, top, width, spend):
    """The numbers, (n,), each from -top to top; top is at most CAP.

    take:   a function of (answers, probabilities) that returns the answers; both are single numbers where the width is
            1, else arrays, and answers are None where they are read
    values: (n,), or None where they are read
    spend:  called with a number of rounds before they are taken; it may refuse
    """
    padded = np.zeros((frame.height + 1, frame.width + 2, frame.channels * frame.units), dtype=np.int64)
    if values is not None:
        values = values.reshape(frame.height * frame.width, -1)
    contexts = _Contexts(frame)
    decide = _one_by_one if width == 1 else _side_by_side
    decide(take, values, frame, contexts, top, width, padded.reshape(-1), spend)
    return padded[1:, 1:-1].reshape(-1)


class _Contexts:
    """The contexts of a frame that can tell something, and where each has its counts.

    fixed: [(offset, (block,) its number inside of a place's block, what is added for each place further on)]
    size:  of all contexts together; moving: where the two contexts of neighbors start, or None
    """

    def __init__(self, frame):
        _, _, channels, units, activity = frame
        places = frame.height * frame.width
        channel, unit = (each.reshape(-1) for each in np.indices((channels, units)))
        self.fixed, self.size, self.moving, self.block = [], 0, None, channels * units
        if places * channels >= LEAST:
            self._add(unit, 0, units)
        if places * units >= LEAST and channels > 1:
            self._add(channel, 0, channels)
        if places > 1 and units >= LEAST:
            self._add(channel, channels, places * channels)
        if places > 1 and channels >= LEAST:
            self._add(unit, units, places * units)
        if activity is not None:
            self._add(activity[unit if len(activity) == units and channels == 1 else channel], 0, activity.max() + 1)
        if places > 1:
            self.moving, self.size = self.size, self.size + 25 + 13
        self.count = len(self.fixed) + 2 * (places > 1)

    def _add(self, inside, further, size):
        self.fixed.append((self.size, inside, further))
        self.size += int(size)

    def at(self, place):
        """(contexts, block) where the counts of a place's numbers are; the neighbors' not among them."""
        found = [offset + inside + further * place for offset, inside, further in self.fixed]
        return np.array(found, dtype=np.int64).reshape(len(found), self.block)


def _average(ones, zeros, kind):
    """The probability of a one in a kind of decision, in 22 bits: (ones + 1/2) / (all + 1).

    Above the third kind (is it above 1?) few have been seen, and four more are taken for like those before.
    """
    first = min(kind, 2)
    p = ((2 * ones[first] + 1) << _AVERAGE) // (2 * (ones[first] + zeros[first] + 1))
    for later in range(3, kind + 1):
        p = ((ones[later] << _AVERAGE) + 4 * p) // (ones[later] + zeros[later] + 4)
    return min(max(p, 1), (1 << _AVERAGE) - 1)


def _beginning(p):
    """(of ones, of zeros) what a context has before its first count, in 32nds: half of the rarer answer."""
    rest = (1 << _AVERAGE) - p
    return (16, 16 * rest // p) if p <= rest else (16 * p // rest, 16)


@cache
def _logs():
    return [0, *log2_of(np.arange(1, 2**16)).tolist()]


def _one_by_one(take, values, frame, contexts, top, width, found, spend):
    logs, (_, probabilities, shares) = _logs(), tables()
    probabilities, shares = probabilities.tolist(), shares.tolist()
    block, count = frame.channels * frame.units, contexts.count
    row = (frame.width + 2) * block
    all_ones, all_zeros = [0] * (CAP + 2), [0] * (CAP + 2)
    in_ones, in_zeros = ([[0] * contexts.size for _ in range(_KINDS)] for _ in range(2))
    weights = [[_START] * count for _ in range(CAP + 2)]
    numbers = [0] * len(found)

    def log(x):
        shift = x.bit_length() - 16
        return logs[x] if shift <= 0 else logs[x >> shift] + shift * STEP

    def decide(kind, where, answer):
        average = _average(all_ones, all_zeros, kind)
        first, second = _beginning(average)
        middle = log(average) - log((1 << _AVERAGE) - average)
        ones, zeros, mine = in_ones[min(kind, _KINDS - 1)], in_zeros[min(kind, _KINDS - 1)], weights[kind]
        estimates = [log(32 * ones[at] + first) - log(32 * zeros[at] + second) - middle for at in where]
        odds = middle + (sum([w * e for w, e in zip(mine, estimates, strict=True)]) >> 16)
        odds = min(max(odds, -LIMIT), LIMIT) + LIMIT
        answer = take(answer, shares[odds])
        error = (answer << ONE) - probabilities[odds]
        weights[kind] = [w + (3 * e * error >> 25) for w, e in zip(mine, estimates, strict=True)]
        counts = ones if answer else zeros
        for at in where:
            counts[at] += 1
        (all_ones if answer else all_zeros)[kind] += 1
        return answer

    for place in range(frame.height * frame.width):
        at = (place // frame.width + 1) * row + (place % frame.width + 1) * block
        spend(block + 2)
        given = [None] * block if values is None else values[place].tolist()
        fixed = list(zip(*contexts.at(place).tolist(), strict=True)) or [()] * block
        for number, where, now in zip(given, fixed, range(at, at + block), strict=True):
            if contexts.moving is not None:
                left, above = numbers[now - block], numbers[now - row]
                beside = numbers[now - row - block], numbers[now - row + block]
                pair = 5 * min(max(left, -2), 2) + min(max(above, -2), 2) + 12
                total = 2 * (min(abs(left), 2) + min(abs(above), 2)) + sum([min(abs(each), 2) for each in beside])
                where = (*where, contexts.moving + pair, contexts.moving + 25 + total)
            if not decide(0, where, None if number is None else int(number != 0)):
                continue
            spend(1)
            negative, magnitude = decide(1, where, None if number is None else int(number < 0)), 1
            while magnitude < top:
                spend(1)
                if not decide(magnitude + 1, where, None if number is None else int(abs(number) > magnitude)):
                    break
                magnitude += 1
            numbers[now] = -magnitude if negative else magnitude
    found[:] = numbers


def _side_by_side(take, values, frame, contexts, top, width, found, spend):
    _, probabilities, shares = tables()
    block, count = frame.channels * frame.units, contexts.count
    row = (frame.width + 2) * block
    all_ones, all_zeros = [0] * (CAP + 2), [0] * (CAP + 2)
    in_ones, in_zeros = (np.zeros((_KINDS, contexts.size), dtype=np.int64) for _ in range(2))
    weights = np.full((CAP + 2, count), _START, dtype=np.int64)
    slowness = 25 if width <= 64 else 28  # the errors of many are added up, and would throw the weights too far

    def decide(kind, where, answers):
        spend(1)
        average = _average(all_ones, all_zeros, kind)
        first, second = _beginning(average)
        middle = int(np.subtract(*log2_of(np.array([average, (1 << _AVERAGE) - average]))))
        ones, zeros = in_ones[min(kind, _KINDS - 1)], in_zeros[min(kind, _KINDS - 1)]
        estimates = log2_of(32 * ones[where] + first) - log2_of(32 * zeros[where] + second) - middle
        odds = np.clip(middle + (weights[kind] @ estimates >> 16), -LIMIT, LIMIT) + LIMIT
        answers = np.asarray(take(answers, shares[odds]), dtype=np.int64)
        errors = (answers << ONE) - probabilities[odds]
        weights[kind] += np.clip(3 * (estimates @ errors) >> slowness, -_START, _START)
        yes = answers == 1
        np.add.at(ones, where[:, yes], 1)
        np.add.at(zeros, where[:, ~yes], 1)
        total = int(answers.sum())
        all_ones[kind] += total
        all_zeros[kind] += len(answers) - total
        return yes

    for place in range(frame.height * frame.width):
        at = (place // frame.width + 1) * row + (place % frame.width + 1) * block
        spend(2)
        fixed = contexts.at(place)
        if contexts.moving is not None:
            around = [found[at - back : at - back + block] for back in (block, row, row + block, row - block)]
            pair = 5 * np.clip(around[0], -2, 2) + np.clip(around[1], -2, 2) + 12
            total = np.array([2, 2, 1, 1]) @ np.minimum(np.abs(around), 2)
            fixed = np.concatenate([fixed, [contexts.moving + pair, contexts.moving + 25 + total]])
        for start in range(0, block, width):
            where = fixed[:, start : start + width]
            given = None if values is None else values[place, start : start + width]
            now = np.arange(at + start, at + start + where.shape[1])
            yes = decide(0, where, None if given is None else (given != 0).astype(np.int64))
            if not yes.any():
                continue

            def only(yes, where, now, given):
                return where[:, yes], now[yes], None if given is None else given[yes]

            where, now, given = only(yes, where, now, given)
            negative = decide(1, where, None if given is None else (given < 0).astype(np.int64))
            found[now] = signs = np.where(negative, -1, 1)
            magnitude = 1
            while magnitude < top and len(now):
                yes = decide(magnitude + 1, where, None if given is None else (abs(given) > magnitude).astype(np.int64))
                where, now, given = only(yes, where, now, given)
                signs = signs[yes]
                magnitude += 1
                found[now] = magnitude * signs
