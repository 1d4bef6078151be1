"""Tensors as few bits: a codebook, indices and positions of zeros, each coded with probabilities learned on the way.

Everything goes through one range coder (`constriction`), which spends -log2 p bits on a symbol that was given the
probability p. What remains is to predict well, and nothing is predicted from a table in the file: writer and reader
start alike, count what has passed and so have the same probabilities at every step (adaptive coding: Rissanen and
Langdon, 1981). That costs a table's bytes once, while the counts are small, and a table of a small file costs more.

- Indices into a codebook: counts of the symbols so far, after Krichevsky and Trofimov (1981).
- Positions of zeros: a pruned layer has dead inputs, units and channels. Four estimates, of the column, the row, the
  channel and the block, are mixed in the logistic domain by weights that follow the error (Mahoney, 2005, "Adaptive
  weighing of context models for lossless data compression"). All of it is done in whole numbers, so that two machines
  can never differ by a rounding.
- Weights that have no codebook: byte by byte, the bytes with sign and exponent by their counts.

All of version 1 of the format is here. Since version 2, levels.py codes tensors of few weights more closely, with these
channels and small things, and comes back to this for the others.

Positions are found step by step, some columns of a row at a time, and each step takes tens of microseconds. So that no
file can keep a reader busy for hours, their number is limited by that of the weights, in writing as in reading.

Each function below serves for writing, for reading and for counting bits: a channel is handed the symbols, or None
when it is to find them, and returns them. Born in notebook 19.
"""

from functools import cache
from math import isqrt

import numpy as np

from coursekit.errors import CompressedFileError

ONE = 24  # bits of a probability
STEP = 1024  # steps of one bit in logarithms
LIMIT = 18 * STEP  # no estimate is surer than 2 to the -18
_PRIOR = 2  # how many symbols' worth a new context trusts the average of all
_START = (26000, 26000, 26000, 13000)  # weights of column, row, channel and block, in 65,536ths
WORD = ">u4"  # how the range coder's words are written; "<u4" in version 1
MOST_VALUES = 4096  # in a codebook
MOST_STEPS = 2**16  # of positions in a file, and one more for every eight weights


# --- channels ---------------------------------------------------------------------------------------------------------
class Counter:
    """Counts the bits that a Writer would spend, and writes nothing.

    `start` names the part that is being coded, for the account that `save_compressed` gives.
    """

    def __init__(self):
        self._bits, self.part, self.counts, self._waiting = {}, "", {}, []
        self.steps_left = MOST_STEPS

    def categorical(self, shares):
        return None, shares / shares.sum()

    def uniform(self, of):
        return None, np.full(of, 1 / of)

    def flags(self, symbols, shares):
        """Zeros and ones, (n,) or None where they are read; shares: (n,) probabilities of a one."""
        self._waiting.append((symbols, shares))
        return symbols

    def code(self, symbols, count, model):
        """`count` whole numbers from 0 on, of one model."""
        self._add(model[1][symbols])
        return symbols

    def _add(self, p):
        self._bits[self.part] = self._bits.get(self.part, 0.0) - float(np.log2(p).sum())

    def start(self, part):
        """What comes from here on belongs to this part."""
        if self._waiting:  # many small blocks are added up at once
            symbols, shares = map(np.concatenate, zip(*self._waiting, strict=True))
            self._waiting = []
            self._add(np.where(symbols, shares, 1 - shares))
        self.part = part

    def bits(self):
        """{part: bits} so far."""
        self.start(self.part)
        return dict(self._bits)

    def total(self):
        return sum(self.bits().values())


class Writer(Counter):
    """Puts symbols into a range coder, and counts what they cost."""

    def __init__(self):
        from constriction import stream

        super().__init__()
        self.models, self.coder = stream.model, stream.queue.RangeEncoder()

    def categorical(self, shares):
        return self.models.Categorical(shares, perfect=False), shares / shares.sum()

    def uniform(self, of):
        return self.models.Uniform(of), np.full(of, 1 / of)

    def flags(self, symbols, shares):
        self.coder.encode(np.asarray(symbols, dtype=np.int32), self.models.Bernoulli(perfect=False), shares)
        return super().flags(symbols, shares)

    def code(self, symbols, count, model):
        self.coder.encode(np.asarray(symbols, dtype=np.int32), model[0])
        return super().code(symbols, count, model)

    def content(self):
        """The bytes; zeros at the end are left out, and a reader takes what is missing for zeros.

        Any number in the coder's last interval will do, so the one with most zeros at its end is taken.
        """
        words, (count, (low, size)) = self.coder.get_compressed(), self.coder.pos()
        before = int.from_bytes(_bytes_of(words[:count]), "big")
        carried = len(words) > count and int(words[count]) < low >> 32  # the end that the coder itself would take
        low += before - carried << 64
        for kept in range(0, 65, 8):
            rest = (1 << 64 - kept) - 1
            end = (low + rest) & ~rest
            if end < low + size:
                break
        return end.to_bytes(4 * count + 8, "big").rstrip(b"\0")


def _bytes_of(words):
    return np.asarray(words).astype(WORD).tobytes()


class Reader:
    """Takes symbols out of the bytes that a Writer made, or out of any others. word: how the words were written."""

    def __init__(self, content, word=WORD):
        from constriction import stream

        words = np.frombuffer(content + bytes(-len(content) % 4 + 8), dtype=word).astype(np.uint32)
        self.counts, self.steps_left = {}, MOST_STEPS
        self.models, self.coder = stream.model, stream.queue.RangeDecoder(words)

    def start(self, part):
        """A reader keeps no account."""

    def categorical(self, shares):
        return self.models.Categorical(shares, perfect=False)

    def uniform(self, of):
        return self.models.Uniform(of)

    def flags(self, symbols, shares):
        return self._decoded(self.models.Bernoulli(perfect=False), shares)

    def flag(self, share):
        """A single one of them, as a whole number."""
        return int(self._decoded(self.models.Bernoulli(share, perfect=False)))

    def code(self, symbols, count, model):
        return self._decoded(model, count)

    def _decoded(self, *arguments):
        try:
            return self.coder.decode(*arguments)
        except (ValueError, AssertionError, RuntimeError) as error:
            raise CompressedFileError("the file's weights can't be decoded") from error


# --- small things -----------------------------------------------------------------------------------------------------
def number(channel, value, most):
    """A whole number from 0 to `most`: how many binary digits it has, then the digits."""
    digits = (most + 1).bit_length()
    length = None if value is None else (value + 1).bit_length() - 1
    length = choice(channel, length, digits)
    tail = None if value is None else value + 1 - (1 << length)
    found = 0
    for i in reversed(range(length)):
        found = 2 * found + choice(channel, None if tail is None else tail >> i & 1, 2)
    found += (1 << length) - 1
    if found > most:
        raise CompressedFileError(f"the file has {found:,} where at most {most:,} can stand")
    return found


def choice(channel, value, of):
    """A whole number from 0 to `of` - 1, all equally likely."""
    if of < 2:
        return 0
    symbols = None if value is None else np.array([value])
    return int(channel.code(symbols, 1, channel.uniform(of))[0])


def digits(channel, value, count):
    """`count` binary digits, all equally likely, as one whole number."""
    found = 0
    for start in range(0, count, 8):
        size = min(8, count - start)
        part = None if value is None else value >> count - start - size & (1 << size) - 1
        found = found << size | choice(channel, part, 1 << size)
    return found


def gamma(channel, value, most):
    """A whole number from 0 to `most` that is probably small: as many ones as it has digits, a zero, the digits.

    This is the code of Elias (1975) for the number plus one.
    """
    length = None if value is None else (value + 1).bit_length() - 1
    size = 0
    while choice(channel, None if length is None else int(size < length), 2):
        size += 1
        if size > most.bit_length():
            raise CompressedFileError(f"the file has a number above {most:,} where none can stand")
    found = (1 << size | digits(channel, None if value is None else value + 1 - (1 << size), size)) - 1
    if found > most:
        raise CompressedFileError(f"the file has {found:,} where at most {most:,} can stand")
    return found


def adaptive(channel, symbols, count, kinds, name=None):
    """`count` symbols from 0 to kinds - 1, each with the share it has had so far (half a symbol is given to all).

    The counts are renewed after 1, 1, ... symbols and then after every sixteenth more, so that few steps serve for many
    symbols. name: under which the channel keeps the counts for the next tensor, or None.
    """
    if kinds < 2:
        return np.zeros(count, dtype=np.int64)
    counts = channel.counts.get(name, np.zeros(kinds, dtype=np.int64)) if name else np.zeros(kinds, dtype=np.int64)
    share = 1 if kinds <= 64 else 0.1  # of half a symbol; many kinds are seldom all there
    parts, at = [], 0
    while at < count:
        step = min(max(1, int(counts.sum()) // 16), count - at)
        model = channel.categorical(2.0 * counts + share)
        part = channel.code(None if symbols is None else symbols[at : at + step], step, model)
        counts = counts + np.bincount(part, minlength=kinds)
        parts.append(part)
        at += step
    if name:
        channel.counts[name] = counts
    return np.concatenate(parts).astype(np.int64) if parts else np.zeros(0, dtype=np.int64)


# --- positions --------------------------------------------------------------------------------------------------------
@cache
def tables():
    """Logarithms of mantissas in steps of 1/1024 bit; probabilities of log-odds, in 24 bits and as shares of one.

    They are made of whole numbers: 2 to the 1/1024 is the square root of 2, taken ten times; its powers give the rest.
    """
    root = 2 << 200
    for _ in range(10):
        root = isqrt(root << 200)
    powers, power = [], 1 << 200
    for _ in range(STEP):
        powers.append(power >> 160)  # 2 ** (k / 1024), with 40 bits after the point
        power = power * root >> 200
    mantissas = (np.arange(4096, 8192, dtype=np.int64) << 28) + (1 << 27)  # the middle of each, 40 bits after the point
    logarithms = np.searchsorted(np.array(powers, dtype=np.int64), mantissas, side="right") - 1 - STEP
    odds = [powers[t % STEP] << t // STEP for t in range(LIMIT + 1)]
    falling = np.array([(1 << 40 + ONE) // ((1 << 40) + one) for one in odds], dtype=np.int64)
    rising = (1 << ONE) - falling
    probabilities = np.concatenate([falling[:0:-1], rising])
    return logarithms, probabilities, probabilities / 2.0**ONE


def log2_of(x):
    """log2 of whole numbers from 1 on, in steps of 1/1024: floating point is used for its exponent alone."""
    mantissa, exponent = np.frexp(x.astype(np.float64))
    return exponent.astype(np.int64) * STEP + tables()[0][(mantissa * 8192).astype(np.int64) - 4096]


def _odds(ones, seen, all_ones, all_seen):
    """log2 of the odds for a one, in a context with `ones` of `seen` symbols; a new one is taken for average."""
    rest = (seen - ones) * all_seen + _PRIOR * (all_seen - all_ones)
    return log2_of(ones * all_seen + _PRIOR * all_ones) - log2_of(rest)


def positions(channel, flags, rows, columns, period):
    """A matrix (rows, columns) of zeros and ones, row by row and `period` columns at once.

    They are coded from what was counted before: the share of ones in each column, in this row so far, in each channel
    (the columns whose place in a period is the same) and in each period of columns.
    """
    _, probabilities, shares = tables()
    period = min(period, columns)
    place, block = np.arange(columns) % period, np.arange(columns) // period
    found = np.zeros((rows, columns), dtype=np.int64) if flags is None else flags
    in_column, in_channel, in_block = (np.zeros(n, dtype=np.int64) for n in (columns, period, block[-1] + 1))
    of_channel, of_block = (np.bincount(which).astype(np.int64) for which in (place, block))
    steps = [slice(at, min(at + period, columns)) for at in range(0, columns, period)]
    before = np.array([step.start for step in steps])
    weights = np.array(_START, dtype=np.int64)
    ones, seen = 1, 2  # as if one of each had been seen
    for row in range(rows):
        from_column = _odds(in_column, row, ones, seen)
        from_channel = _odds(in_channel, row * of_channel, ones, seen)[place]
        from_block = _odds(in_block, row * of_block, ones, seen)[block]
        average = int(_odds(np.array([0]), 0, ones, seen)[0])
        estimates = np.stack([from_column, from_column, from_channel, from_block]) - average
        from_row, in_row = _odds(0 * before, before, ones, seen) - average, 0
        for i, step in enumerate(steps):
            e = estimates[:, step]
            e[1] = from_row[i]
            where = (weights @ e >> 16) + (average + LIMIT)
            where = np.minimum(np.maximum(where, 0), 2 * LIMIT)
            if flags is None:
                found[row, step] = channel.flags(None, shares[where])
            else:
                channel.flags(flags[row, step], shares[where])
            now = found[row, step]
            weights = weights + (e @ ((now << ONE) - probabilities[where]) >> ONE + 1)
            if new := int(now.sum()):
                in_row += new
                rest = before[i + 1 :]
                from_row[i + 1 :] = _odds(np.full(len(rest), in_row), rest, ones, seen) - average
        in_column += found[row]
        in_channel += np.bincount(place, found[row], period).astype(np.int64)
        in_block += np.bincount(block, found[row]).astype(np.int64)
        ones, seen = ones + in_row, seen + columns
    return found


# --- tensors ----------------------------------------------------------------------------------------------------------
# A tensor is coded as its bits, unsigned whole numbers; 0 is the number zero, and -0.0 is another.


def tensor(channel, bits, shape, dtype, periods=(), chosen=None):
    """A tensor, flat: its bits where they are written or counted, None where they are read.

    bits:    (n,) of an unsigned dtype, or None; dtype: which one; shape: the tensor's, n numbers in all.
    periods: numbers of channels that may come in turn along the tensor's inputs, such as the filters of the layers
             before it; the same when it is read.
    chosen:  what `choose` has decided for these bits, where it was asked before; it takes most of the time.
    Returns the bits, (n,). `choose` decides how they are coded, and what it decides is in the stream.
    """
    n = int(np.prod(shape, dtype=np.int64))
    if not n:
        return np.zeros(0, dtype)
    layouts = layouts_of(shape, periods)
    channel.steps_left += n // 8
    if bits is None:
        chosen = None, None
    elif chosen is None:
        chosen = choose(bits, layouts, dtype, channel.steps_left)
    return _coded(channel, bits, n, dtype, layouts, *chosen)


def layouts_of(shape, periods=()):
    """[(rows, columns, period, transposed)], the ways to lay out a tensor as a matrix for `positions`.

    A unit of the layer is a row (transposed, since Keras has the units last), or an input is one.
    """
    units = shape[-1] if len(shape) > 1 else 1
    inputs = int(np.prod(shape, dtype=np.int64)) // max(units, 1)
    least = units * inputs // 2**14  # columns at once, for no more than about 16,384 steps
    own = [shape[-2]] if len(shape) > 2 else [period for period in periods if period < inputs and not inputs % period]
    turns = dict.fromkeys(period * max(1, least // period) for period in (*own, 64) if period >= 8)
    ways = [(units, inputs, min(period, inputs), True) for period in turns]
    return ways[:2] + ([(inputs, units, min(max(least, 64), units), False)] if units > 1 else [])


def steps_of(rows, columns, period, transposed):
    """How many steps `positions` takes in a layout."""
    return rows * -(-columns // min(period, columns))


def choose(bits, layouts, dtype, most_steps=MOST_STEPS):
    """(how positions of zeros are coded, whether the rest has a codebook), the cheapest, tried one by one.

    The first is 0 where zeros are coded like other values, else 1 + the place of a layout; layouts that take more than
    `most_steps` steps are passed over.
    """
    if bits.min() == bits.max():
        return 0, True  # one value, in a codebook, and nothing else to say
    zeros = bits == 0
    best, plan = np.inf, None
    short = [1 + place for place, layout in enumerate(layouts) if steps_of(*layout) <= most_steps]
    for sparse in (0, *short) if zeros.any() else (0,):
        cost = Counter()
        if sparse:
            _positions(cost, bits, *layouts[sparse - 1])
        rest = bits[~zeros] if sparse else bits
        for book in (False, True) if len(np.unique(rest)) <= MOST_VALUES else (False,):
            whole = Counter()
            _values(whole, rest, len(rest), dtype, book)
            if cost.total() + whole.total() < best:
                best, plan = cost.total() + whole.total(), (sparse, book)
    return plan


def _coded(channel, bits, n, dtype, layouts, sparse, book):
    channel.start("choices")
    sparse = choice(channel, sparse, 1 + len(layouts))
    book = bool(choice(channel, None if book is None else int(book), 2))
    if not sparse:
        return _values(channel, bits, n, dtype, book)
    channel.steps_left -= steps_of(*layouts[sparse - 1])
    if channel.steps_left < 0:
        raise CompressedFileError("the file's weights would take more steps to decode than so many weights may")
    there = _positions(channel, bits, *layouts[sparse - 1])
    found = np.zeros(n, dtype)
    found[there] = _values(channel, None if bits is None else bits[there], int(there.sum()), dtype, book)
    return found


def _positions(channel, bits, rows, columns, period, transposed):
    """Where a tensor is not zero, (n,) booleans in the tensor's order."""
    channel.start("positions")
    flags = None if bits is None else (bits != 0).astype(np.int64)
    if flags is not None:
        flags = flags.reshape(columns, rows).T if transposed else flags.reshape(rows, columns)
    found = positions(channel, flags, rows, columns, period)
    return (found.T if transposed else found).reshape(-1).astype(bool)


def _values(channel, bits, n, dtype, book):
    """n values: a codebook and indices into it, or byte by byte."""
    channel.start("codebook" if book else "values")
    if not book:
        return by_bytes(channel, bits, n, dtype)
    table, indices = (None, None) if bits is None else np.unique(bits, return_inverse=True)
    most = min(n, MOST_VALUES)
    kinds = number(channel, None if bits is None else len(table), most)
    if not kinds:
        if n:
            raise CompressedFileError("the file has a codebook without values")
        return np.zeros(0, dtype)
    table = by_bytes(channel, table, kinds, dtype)
    channel.start("indices")
    return table[adaptive(channel, indices, n, kinds)]


def by_bytes(channel, bits, n, dtype):
    """n values byte by byte: the first by the counts of such bytes, in this tensor and those before; the rest likewise
    where that is shorter, else as they are."""
    size = np.dtype(dtype).itemsize
    planes = None if bits is None else bits.astype(f">u{size}").view(np.uint8).reshape(-1, size).astype(np.int64)
    found = np.zeros((n, size), dtype=np.uint8)
    for i in range(size):
        plane, name = None if planes is None else planes[:, i], f"byte {i} of {size}"
        learned = 0
        if i and n >= 64:
            learned = choice(channel, None if plane is None else _is_learned(plane), 2)
        if not i or learned:
            found[:, i] = adaptive(channel, plane, n, 256, name if not i else None)
        elif n:
            found[:, i] = channel.code(plane, n, channel.uniform(256))
    return found.view(f">u{size}").reshape(-1).astype(dtype)


def _is_learned(plane):
    cost = Counter()
    adaptive(cost, plane, len(plane), 256)
    return int(cost.total() < 8 * len(plane))
