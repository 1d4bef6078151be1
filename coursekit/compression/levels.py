"""How a tensor is coded from version 2 of the format on, in the cheapest of four ways:

- all zeros: nothing more is said
- multiples of a step, as training for size gives them: the step once, then small whole numbers (contexts.py)
- a table of few values in their order, and for each weight how many places its value is from the one nearest to zero:
  small whole numbers again; or a table of few short vectors, and for each vector of neighboring weights its place
- as in version 1 (coder.py): for many weights, or many values

The numbers of a kernel depend on how busy its input channels are, which the kernel before it tells, and the biases on
the kernel that they belong to; `Past` remembers that. How much time numbers may take is limited for each file, in
writing as in reading. Born in notebook 19.
"""

from copy import copy
from dataclasses import dataclass, replace
from math import isqrt

import numpy as np

from coursekit.compression import coder, contexts
from coursekit.compression.contexts import CAP, WIDTHS, Frame
from coursekit.errors import CompressedFileError

ZEROS, MULTIPLES, TABLE, AS_BEFORE = range(4)
MOST_KINDS = 256  # values in a table, or multiples of one step
MOST_MULTIPLE = 4095
LENGTHS = (2, 4, 8)  # of vectors, each twice the one before
MOST_VECTORS = 4096  # in a table
FIRST = 2**16  # weights, by which a large tensor shows whether it is made of few vectors
COSTS = (1, 4, 5, 8, 24)  # of a round at each of contexts.WIDTHS, in units of about 12 microseconds
MOST_COST = 70_000  # of a tensor's rounds, if a larger width takes fewer
MANY, MOST_COST_OF_MANY = 2**14, 6_000  # so many numbers other than 0 teach the contexts enough at a larger width, too
BUDGET = 2**18  # for all rounds of a file
FEW = 2**12  # numbers, up to which the first three ways are compared with the last; more only where half are zero
ONLY_BELOW = 2**20  # weights in a file, about: with more of them, all tensors are written as in version 1
_MANTISSA = {"float16": 10, "bfloat16": 7, "float32": 23, "float64": 52}  # bits


class Past:
    """What a file's tensors so far tell about the next: the same when it is written and when it is read.

    activity: {number of units: (units,) how many binary digits the number of weights has that are not 0 and lead into
              each unit}, of the last kernel with so many
    units:    of the kernels, in their order
    exponent: of the last step
    left:     what is left of BUDGET
    few:      whether the file has few enough weights for more than version 1, which only a writer asks
    """

    def __init__(self, weights=0):
        self.activity, self.units, self.exponent, self.left = {}, [], -4, BUDGET
        self.few = weights < ONLY_BELOW

    def spend(self, cost):
        """Take this from what is left, or refuse."""
        self.left -= cost
        if self.left < 0:
            raise CompressedFileError("the file's weights would take more steps to decode than so many weights may")

    def check(self, frame, least):
        """Refuse numbers that would cost more than is left, before memory is taken for them."""
        if least > self.left or frame.size > ONLY_BELOW:
            raise CompressedFileError("the file's weights would take more steps to decode than so many weights may")

    def remember(self, bits, shape):
        """bits: (n,) of a tensor of this shape."""
        if len(shape) > 1:
            busy = np.count_nonzero(bits.reshape(-1, shape[-1]), axis=0)
            self.activity[shape[-1]] = np.frexp(busy.astype(np.float64))[1].astype(np.int64)
            self.units.append(shape[-1])

    def periods(self):
        """The last numbers of filters or units, the latest first: inputs of the next layer may come in such turns."""
        return tuple(dict.fromkeys(reversed(self.units)))[:4]

    def frame(self, shape):
        """A dense layer after a convolution sees a picture, too: its inputs are places, each with all channels."""
        if len(shape) < 2:
            size = int(np.prod(shape, dtype=np.int64))
            return Frame(1, 1, 1, size, self.activity.get(size))
        *places, channels, units = shape
        if not places:
            turn = next((units for units in self.periods() if not channels % units), channels)
            number, channels = channels // turn, turn
            side = isqrt(number)
            places = [side, side] if side * side == number else [number]
        height = int(np.prod(places[:-1], dtype=np.int64))
        return Frame(height, places[-1], channels, units, self.activity.get(channels))


@dataclass(frozen=True)
class Plan:
    """How a writer codes a tensor."""

    how: int
    stored: np.ndarray  # the weights, (n,), of the dtype in which they are coded
    step: np.ndarray | None = None  # (1,) of this dtype
    table: np.ndarray | None = None  # bits of the values, in their order; or of the vectors, (k, length)
    numbers: np.ndarray | None = None  # multiples, or places from the table's middle
    width: int | None = None  # the place in WIDTHS
    answers: tuple | None = None  # and probabilities, of all decisions
    chosen: tuple | None = None  # what coder.choose has decided, for the way of version 1


def tensor(channel, past, array, shape, dtype):
    """A tensor: written or counted where `array` is given, flat, and read where it is None. Returns it, flat."""
    n = int(np.prod(shape, dtype=np.int64))
    if not n:
        return np.zeros(0, dtype)
    plan = None if array is None else _cheaper(channel, past, *_planned(past, array, shape), shape, dtype)
    vectors = [] if plan is None or plan.how == ZEROS else _in_vectors(past, half_if_exact(array), shape)
    if vectors:
        plan = min([plan, *vectors], key=lambda each: _cost(channel, past, each, shape, dtype))
    channel.start("choices")
    how = int(coder.adaptive(channel, None if plan is None else np.array([plan.how]), 1, len(WAYS), "how")[0])
    found = WAYS[how](channel, past, plan, shape, dtype)
    past.remember(bits_of(found), shape)
    return found


def tensor_of_version_1(channel, past, array, shape, dtype):
    """The same for a file of version 1."""
    if array is not None:
        array = half_if_exact(array)
    stored = _stored(channel, None if array is None else Plan(3, array), dtype)
    bits = None if array is None else bits_of(array)
    bits = coder.tensor(channel, bits, shape, np.dtype(f"u{stored.itemsize}"), past.periods())
    past.remember(bits, shape)
    return bits.view(stored).astype(dtype)


def parts_of_version_1(arrays):
    """[{part: bytes}] for each array of a file of version 1."""
    channel, past, parts = coder.Counter(), Past(), []
    for array in arrays:
        before = channel.bits()
        tensor_of_version_1(channel, past, array.reshape(-1), array.shape, array.dtype)
        parts.append({part: (bits - before.get(part, 0)) / 8 for part, bits in channel.bits().items()})
    return parts


def bits_of(array):
    """The bits of an array, flat, as unsigned whole numbers."""
    return np.ascontiguousarray(array).reshape(-1).view(f"u{array.dtype.itemsize}")


# --- planning ---------------------------------------------------------------------------------------------------------
def _planned(past, array, shape):
    """(the plan to try, version 1's to fall back on); the first is None where the second is certain."""
    bits, before = bits_of(array), Plan(AS_BEFORE, half_if_exact(array))
    if not bits.any():
        return Plan(ZEROS, array), before
    values = np.unique(bits) if past.few else bits
    if not past.few or len(values) > MOST_KINDS:
        return None, before
    step = step_of(values.view(array.dtype))
    if step is not None:
        numbers = np.rint(array.astype(np.float64) / float(step[0])).astype(np.int64)
        return _decided(past, Plan(MULTIPLES, array, step, numbers=numbers), shape), before
    stored, bits = before.stored, bits_of(before.stored)
    table = in_order(np.unique(bits), stored.dtype)
    order = np.argsort(table)
    numbers = order[np.searchsorted(table, bits, sorter=order)] - middle_of(table, stored.dtype)
    return _decided(past, Plan(TABLE, stored, table=table, numbers=numbers), shape), before


def _decided(past, plan, shape):
    """The plan with its decisions and their probabilities; None if they take too long, or version 1 is better."""
    frame, largest = past.frame(shape), int(np.abs(plan.numbers).max())
    if frame.size > (FEW if largest > CAP else ONLY_BELOW):
        return None
    top = min(largest, CAP)
    capped = np.clip(plan.numbers, -top, top)
    most = MOST_COST_OF_MANY if np.count_nonzero(plan.numbers) > MANY else MOST_COST
    for place, width in enumerate(WIDTHS):
        cost = COSTS[place] * contexts.rounds_of(capped, frame, top, width) + _beyond(plan.numbers, largest)
        if cost <= (past.left if width == WIDTHS[-1] else min(most, past.left)):
            break
    else:
        return None
    kept = []

    def take(answers, shares):
        kept.append((answers, shares))
        return answers

    contexts.code(take, capped, frame, top, width, lambda rounds: None)
    return replace(plan, width=place, answers=tuple(map(np.hstack, zip(*kept, strict=True))))


def _in_vectors(past, stored, shape):
    """Plans with a table of vectors, one for each length of which the tensor has few different ones.

    Few means no more than it has different values. Values chosen one by one make more vectors than that, and vectors
    chosen as such make fewer.
    """
    bits, plans = bits_of(stored), []
    if len(bits) > FIRST and not any(_codes(bits[:FIRST], shape)):
        return plans
    for length, codes, first in _codes(bits, shape):
        if _cost_of_codes(len(codes), len(first)) <= past.left:
            plans.append(Plan(TABLE, stored, table=bits.reshape(-1, length)[first], numbers=codes))
    return plans


def _codes(bits, shape):
    """(length, the code of each vector, where each code first stands) for each length with few different vectors."""
    values, codes = np.unique(bits, return_inverse=True)
    kinds = len(values)
    for length in LENGTHS:
        if not shape or shape[-1] % length:
            return
        left, right = codes.reshape(-1, 2).T.astype(np.int64)
        _, first, codes = np.unique(left * kinds + right, return_index=True, return_inverse=True)
        kinds = len(first)
        if kinds <= min(len(values), MOST_VECTORS, len(codes) // 2):
            yield length, codes, first


def _beyond(numbers, top):
    """How many of the numbers are followed by how far they are above CAP."""
    return int(np.sum(np.abs(numbers) >= CAP)) if top > CAP else 0


def _cheaper(channel, past, plan, before, shape, dtype):
    """The plan, or version 1's where it is worth the time to compare them and that is shorter."""
    if plan is None:
        return before
    if plan.how == ZEROS or (len(plan.numbers) > FEW and 2 * np.count_nonzero(plan.numbers) > len(plan.numbers)):
        return plan
    stored, layouts = bits_of(before.stored), coder.layouts_of(shape, past.periods())
    most_steps = channel.steps_left + len(stored) // 8
    before = replace(before, chosen=coder.choose(stored, layouts, stored.dtype, most_steps))
    return min(plan, before, key=lambda each: _cost(channel, past, each, shape, dtype))


def _cost(channel, past, plan, shape, dtype):
    """The bits that a plan would take."""
    counter = coder.Counter()
    counter.steps_left, counter.counts = channel.steps_left, dict(channel.counts)
    WAYS[plan.how](counter, copy(past), plan, shape, dtype)
    return counter.total()


# --- the four ways ----------------------------------------------------------------------------------------------------
def _zeros(channel, past, plan, shape, dtype):
    return np.zeros(int(np.prod(shape, dtype=np.int64)), dtype)


def _multiples(channel, past, plan, shape, dtype):
    if str(dtype) not in _MANTISSA:
        raise CompressedFileError("the file has multiples of a step where whole numbers belong")
    channel.start("steps")
    step = _step(channel, past, None if plan is None else plan.step, dtype)
    top = coder.gamma(channel, None if plan is None else int(np.abs(plan.numbers).max()) - 1, MOST_MULTIPLE - 1) + 1
    return times(_numbers(channel, past, plan, shape, top), step)


def _from_table(channel, past, plan, shape, dtype):
    stored = _stored(channel, plan, dtype)
    channel.start("codebook")
    kinds = _kinds(channel, plan)
    if kinds > MOST_KINDS:
        length = LENGTHS[kinds - MOST_KINDS - 1]
        return _from_vectors(channel, past, plan, shape, length, stored).astype(dtype)
    table = _table(channel, None if plan is None else plan.table, kinds, stored)
    middle = middle_of(table, stored)
    places = _numbers(channel, past, plan, shape, max(middle, len(table) - 1 - middle)) + middle
    if places.min() < 0 or places.max() >= len(table):
        raise CompressedFileError("the file has places that are not in its table")
    return table[places].view(stored).astype(dtype)


def _kinds(channel, plan):
    """How many values are in the table, up to MOST_KINDS. A larger number says that it has vectors, and their length:
    MOST_KINDS + 1 for the first of LENGTHS, and so on.
    """
    kinds = None
    if plan is not None:
        kinds = len(plan.table)
        if plan.table.ndim == 2:
            kinds = MOST_KINDS + 1 + LENGTHS.index(plan.table.shape[1])
    return 1 + coder.number(channel, None if kinds is None else kinds - 1, MOST_KINDS + len(LENGTHS) - 1)


def _from_vectors(channel, past, plan, shape, length, stored):
    """A tensor, flat, from a table of vectors and codes. Codes have no order, so their counts must do to code them."""
    count = int(np.prod(shape, dtype=np.int64)) // length
    if not shape or shape[-1] % length:
        raise CompressedFileError("the file has vectors that don't fit in its tensors")
    table = None if plan is None else plan.table
    kinds = 1 + coder.number(channel, None if table is None else len(table) - 1, min(count, MOST_VECTORS) - 1)
    past.spend(_cost_of_codes(count, kinds))
    bits = coder.by_bytes(channel, None if table is None else table.reshape(-1), kinds * length, f"u{stored.itemsize}")
    channel.start("indices")
    codes = coder.adaptive(channel, None if plan is None else plan.numbers, count, kinds)
    return bits.reshape(kinds, length)[codes].reshape(-1).view(stored)


def _cost_of_codes(count, kinds):
    """At least as much as the rounds of coder.adaptive, whose number grows with the logarithm of `count`."""
    return 12 * int(count).bit_length() * (1 + kinds // 256)


def _as_before(channel, past, plan, shape, dtype):
    stored = _stored(channel, plan, dtype)
    unsigned = np.dtype(f"u{stored.itemsize}")
    bits, chosen = (None, None) if plan is None else (bits_of(plan.stored), plan.chosen)
    return coder.tensor(channel, bits, shape, unsigned, past.periods(), chosen).view(stored).astype(dtype)


def half_if_exact(array):
    """The array as float16 if that loses nothing, else itself."""
    if array.dtype not in (np.float32, np.float64):
        return array
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    return half if np.array_equal(bits_of(half.astype(array.dtype)), bits_of(array)) else array


def _stored(channel, plan, dtype):
    """The dtype in which the values are coded."""
    if dtype not in (np.float32, np.float64):
        return dtype
    channel.start("choices")
    half = coder.choice(channel, None if plan is None else int(plan.stored.dtype == np.float16), 2)
    return np.dtype(np.float16) if half else dtype


def _numbers(channel, past, plan, shape, top):
    """Whole numbers from -top to top, (n,): those up to CAP by contexts, then how far the others are above."""
    frame, numbers = past.frame(shape), None if plan is None else plan.numbers
    channel.start("choices")
    place = coder.choice(channel, None if plan is None else plan.width, len(WIDTHS))
    channel.start("indices")
    cap, width, cost = min(top, CAP), WIDTHS[place], COSTS[place]
    past.check(frame, cost * contexts.rounds_of(None, frame, cap, width))
    if plan is None:
        take = (lambda _, share: channel.flag(share)) if width == 1 else channel.flags  # single ones are read faster
        found = contexts.code(take, None, frame, cap, width, lambda rounds: past.spend(cost * rounds))
    else:
        found = np.clip(numbers, -cap, cap)
        past.spend(cost * contexts.rounds_of(found, frame, cap, width))
        channel.flags(*plan.answers)
    past.spend(_beyond(found, top))
    for at in np.flatnonzero(np.abs(found) == CAP) if top > CAP else ():
        more = coder.number(channel, None if plan is None else abs(int(numbers[at])) - CAP, top - CAP)
        found[at] += more if found[at] > 0 else -more
    return found


WAYS = (_zeros, _multiples, _from_table, _as_before)


# --- steps and tables -------------------------------------------------------------------------------------------------
def times(numbers, step):
    """The multiples (n,) of a step, rounded once to the step's dtype; a step of float64 is multiplied as it is."""
    with np.errstate(over="ignore", invalid="ignore"):
        return (numbers.astype(np.float64) * step.astype(np.float64)).astype(step.dtype)


def step_of(values):
    """The largest step of which all values are multiples, bit for bit; None if none is found.

    The smallest magnitude is taken for the 1-, 2-, ... or 8-fold of the step, and a rounding on the way allowed for.
    """
    if str(values.dtype) not in _MANTISSA:
        return None
    exact = values.astype(np.float64)
    magnitudes = np.abs(exact[exact != 0])
    if not len(magnitudes) or not np.isfinite(exact).all() or magnitudes.max() > MOST_MULTIPLE * magnitudes.min():
        return None
    for fold in range(1, 9):
        near = (np.array([magnitudes.min()]) / fold).astype(values.dtype)
        for off in (0,) if fold in (1, 2, 4, 8) else (0, 1, -1, 2, -2):
            step = np.array(bits_of(near) + np.array([off]), dtype=bits_of(near).dtype).view(values.dtype)[0:1]
            numbers = np.rint(exact / step.astype(np.float64)) if step[0] > 0 else np.array([np.inf])
            if np.abs(numbers).max() > MOST_MULTIPLE:
                continue
            if np.array_equal(bits_of(times(numbers.astype(np.int64), step)), bits_of(values)):  # whole: no -0
                return step
    return None


def _step(channel, past, step, dtype):
    """A positive step: its exponent beside the one before, then its mantissa, whole or without the zeros at its end."""
    width = _MANTISSA[str(dtype)]
    largest = (1 << 8 * dtype.itemsize - 1 - width) - 1
    bits = None if step is None else int(bits_of(step)[0])
    expected = past.exponent + largest // 2
    off = None if bits is None else (bits >> width) - expected
    code = coder.gamma(channel, None if off is None else 2 * off if off >= 0 else -2 * off - 1, 4 * largest)
    exponent = expected + (code // 2 if code % 2 == 0 else -(code // 2) - 1)
    if not 0 <= exponent <= largest:
        raise CompressedFileError("the file has a step that is no number")
    past.exponent = exponent - largest // 2
    mantissa = None if bits is None else bits & (1 << width) - 1
    used = None if mantissa is None else width - _zeros_at_the_end(mantissa, width)
    if coder.choice(channel, None if used is None else int(used > width - 6), 2):
        used = width
    else:
        used = coder.choice(channel, used, width - 5)
    digits = coder.digits(channel, None if mantissa is None else mantissa >> width - used, used)
    return np.array([exponent << width | digits << width - used], dtype=f"u{dtype.itemsize}").view(dtype)


def _zeros_at_the_end(number, width):
    return width if not number else (number & -number).bit_length() - 1


def in_order(bits, dtype):
    """Different values, as bits: from the most negative to the largest."""
    sign = 1 << 8 * dtype.itemsize - 1
    negative, others = np.sort(bits[bits >= sign]), np.sort(bits[bits < sign])
    return np.concatenate([negative[::-1] if _is_float(dtype) else negative, others])


def _is_float(dtype):
    return str(dtype) in _MANTISSA or "float" in str(dtype)


def middle_of(table, dtype):
    """The place of the value nearest to zero."""
    sign = 1 << 8 * dtype.itemsize - 1
    negatives = int(np.sum(table >= sign))
    if negatives == len(table):
        return negatives - 1
    closer = _is_float(dtype) and negatives and int(table[negatives - 1]) - sign < int(table[negatives])
    return negatives - 1 if closer else negatives


def _table(channel, table, kinds, dtype):
    """Values in their order: how many of them negative, then how far each is from the one before, as bits."""
    width = 8 * dtype.itemsize
    sign = 1 << width - 1
    below = coder.choice(channel, None if table is None else int(np.sum(table >= sign)), kinds + 1)
    sides = [None, None] if table is None else [np.sort(table[table >= sign]), table[table < sign]]
    found = []
    for side, count, first in zip(sides, (below, kinds - below), (sign, 0), strict=True):
        last = first - 1
        for i in range(count):
            apart = None if side is None else int(side[i]) - last - 1
            length = None if apart is None else np.array([apart.bit_length()])
            length = int(coder.adaptive(channel, length, 1, width, f"length of {width}")[0])
            rest = coder.digits(
                channel, None if apart is None else apart & (1 << max(length - 1, 0)) - 1, max(length - 1, 0)
            )
            last += 1 + (rest | 1 << length - 1 if length else 0)
            if last >= first + sign:
                raise CompressedFileError("the file has a table whose values are none")
            found.append(last)
    return in_order(np.array(found, dtype=f"u{dtype.itemsize}"), dtype)
