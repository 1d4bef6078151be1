"""The checks of notebook 18, Pruning and quantization."""

import zlib

import numpy as np

from coursekit.arrays import as_array
from coursekit.compression.quantization import affine
from coursekit.compression.sparsity import polynomial_sparsity
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
    told_apart,
    without_stars,
)
from coursekit.exercises.smaller_network import check_smaller_network


# --- 18.1 -------------------------------------------------------------------------------------------------------------
@exercise("18.1")
def check_prune_together(prune_together):
    """Arrays of several shapes and scales, so that a share of each is not a share of all.

    Ties, the shares 0 and 1, half a weight, and arrays that hold zeros already, too.
    """
    rng = np.random.default_rng()
    for kind in ("plain", "plain", "ties", "none", "all", "pruned", "half"):
        shapes = [(int(rng.integers(4, 9)), int(rng.integers(4, 9))), (3, 2, int(rng.integers(3, 6))), (5,)]
        if kind == "half":  # half of all weights is a number and a half, and Python rounds it down to an even one
            shapes[2] = (int((1 - sum(map(np.prod, shapes[:2]))) % 4) + 4,)
        kernels = [rng.normal(0, scale, shape) for scale, shape in zip((0.1, 1, 3), shapes, strict=True)]
        kernels = [kernels[i] for i in rng.permutation(3)]
        share = {"none": 0.0, "all": 1.0, "half": 0.5}.get(kind, float(rng.uniform(0.45, 0.75)))
        if kind == "pruned":
            kernels = [np.where(rng.random(w.shape) < 0.2, 0.0, w) for w in kernels]
        if kind == "ties":  # few sizes, so that equal ones stand on both sides of the limit
            kernels = [rng.choice([-1.0, 1], w.shape) * rng.integers(1, 4, w.shape) for w in kernels]
        given = [w.copy() for w in kernels]
        answer = prune_together(given, share)
        if missing(answer):
            return NOT_ATTEMPTED
        if changed(given, kernels):
            return "the arrays that were handed in have changed: work on copies"
        parts = parts_of(answer, len(kernels))
        got = None if parts is None else [numbers(part) for part in parts]
        if got is None or any(one is None for one in got):
            return f"return a list of {len(kernels)} arrays, one for each that was given"
        if any(one.shape != w.shape for one, w in zip(got, kernels, strict=True)):
            return "each array should keep its shape"
        if hint := _pruned_hint(got, kernels, share):
            return hint
    return None


def _pruned_hint(got, kernels, share):
    flat, found = (np.concatenate([w.ravel() for w in many]) for many in (kernels, got))
    count, sizes = round(share * flat.size), np.abs(flat)
    gone = found == 0
    same = np.isclose(found, flat, rtol=1e-5, atol=0)
    if gone.sum() == count and same[~gone].all() and sizes[gone].sum() <= np.sort(sizes)[:count].sum() * (1 + 1e-9):
        return None
    by = lambda scores: np.where(np.argsort(np.argsort(scores)) < count, 0, flat)
    hints = {
        "a weight of -3 is not small: compare sizes, without the sign": by(flat),
        "those are the largest weights; the smallest should go": by(-sizes),
    }
    if len(np.unique(sizes)) == sizes.size and 0 < count < flat.size:  # with ties or nothing left, they say too little
        for hint, wrong in hints.items():
            if np.array_equal(found, wrong):
                return hint
    if np.isin(found, (0, 1)).all() and not np.isin(flat, (0, 1)).all() and found.any():
        return "those are the masks; return the weights, with zeros where they are pruned"
    each = [
        np.array_equal(np.sort(np.abs(w.ravel()))[: (one == 0).sum()], np.sort(np.abs(w[one == 0])))
        and abs((one == 0).mean() - share) < 1.5 / w.size
        for one, w in zip(got, kernels, strict=True)
    ]
    if all(each) and 0 < count < flat.size and sizes[gone].sum() > np.sort(sizes)[: gone.sum()].sum() * (1 + 1e-9):
        return "you took the same share from each array; rank the weights of all of them together"
    if _small_instead_of_zero(found, flat, same, count):
        return "weights that go should be 0 exactly; yours are small numbers"
    if not same[~gone].all():
        return "weights that stay should keep their values"
    if gone.sum() != count:
        why = "; of equal ones only some may have to go" if len(np.unique(sizes)) < sizes.size else ""
        said = f"{count} of {flat.size} weights should be 0 for a share of {share:.3g}"
        return f"{said}; with you it is {int(gone.sum())}{why}"
    return "as many are 0 as should be, but not the smallest"


def _small_instead_of_zero(found, flat, same, count):
    """Whether so many weights as should go are smaller than all others, without being 0."""
    went = (found == 0) | ~same
    least = np.abs(flat[~went]).min(initial=np.inf)
    return went.sum() == count > (found == 0).sum() and np.abs(found[went]).max() < least


# --- 18.2 -------------------------------------------------------------------------------------------------------------
STAYS = "after `end` the sparsity stays at `final`"


@exercise("18.2")
def check_sparsity_due(sparsity_due):
    """Random schedules, asked inside, at both ends, next to them and beyond them.

    The powers that are not whole come last: there a power that is cut looks like another mistake.
    """
    rng = np.random.default_rng()
    for power in [*rng.permutation([2, 4]).tolist(), 2.5, 1.5]:
        begin = int(rng.integers(5, 50))
        end = begin + int(rng.integers(20, 60 if power < 2 else 200))
        initial, final = float(rng.uniform(0.05, 0.3)), float(rng.uniform(0.6, 0.99))
        quarter, half = (end - begin) // 4, (end - begin) // 2  # half-way two mistakes give the same
        inside = [int(rng.integers(begin + quarter, begin + half)), int(rng.integers(begin + half + 1, end - quarter))]
        beyond = [begin - int(rng.integers(1, 5)), end + int(rng.integers(1, 50))]
        for step in [*inside, begin + 1, end - 1, begin, end, *beyond]:
            got = sparsity_due(step, begin, end, initial, final, power)
            if missing(got):
                return NOT_ATTEMPTED
            if step > end and np.iscomplexobj(got):  # what Python makes of a negative number with a power
                return STAYS
            got = numbers(got)
            if got is None or got.size != 1:
                return "return one number: the share that should be 0"
            if hint := _due_hint(float(got.ravel()[0]), step, begin, end, initial, final, power):
                return hint
    return None


def _due_hint(got, step, begin, end, initial, final, power):
    right = float(polynomial_sparsity(step, begin=begin, end=end, final=final, initial=initial, power=power))
    near = lambda value: np.isclose(got, value, rtol=1e-5, atol=1e-6)
    if near(right):
        return None
    passed = (step - begin) / (end - begin)
    if step > end:
        return STAYS
    if step < begin:
        return "before `begin` the sparsity is `initial`"
    along = lambda first, last, share: first + (last - first) * share
    wrong = {
        "the power need not be a whole number; yours is cut to one": along(final, initial, (1 - passed) ** int(power)),
        "between begin and end it should not rise in a straight line: where is the power?": along(
            initial, final, passed
        ),
        "it should rise fast at first and slowly at the end; yours does the opposite": along(
            initial, final, passed**power
        ),
        "yours goes from final to initial: look at what stands before the bracket": along(
            initial, final, (1 - passed) ** power
        ),
        "the time that has passed counts from `begin`, over the length of the schedule": along(
            final, initial, (1 - min(step / end, 1)) ** power
        ),
        "the schedule should begin at `initial`, not at 0": along(final, 0, (1 - passed) ** power),
        "the power is an argument; yours is always 3": along(final, initial, (1 - passed) ** 3),
    }
    at_an_end = near(initial) or near(final)  # there several mistakes give the same
    return next(
        (hint for hint, value in wrong.items() if near(value) and not at_an_end),
        f"at step {step} of {begin} to {end}, from {initial:.3f} to {final:.3f}, {{}} is due, not {{}}".format(
            *told_apart(right, got)
        ),
    )


# --- 18.3 -------------------------------------------------------------------------------------------------------------
@exercise("18.3")
def check_bits_of_stream(bits_of_stream):
    """Random counts, some of them 0; a stream of a single symbol."""
    rng = np.random.default_rng()
    streams = [np.append(rng.integers(1, 200, int(rng.integers(3, 9))), 0) for _ in range(3)]
    streams.append(np.array([0, int(rng.integers(5, 99)), 0]))  # one symbol alone needs no bits
    for counts in streams:
        counts = rng.permutation(counts)
        given = counts.copy()
        got = bits_of_stream(given)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, counts):
            return CHANGED
        got = numbers(got)
        if got is None or got.size != 1:
            return "return one number: the bits of the whole stream"
        if hint := _bits_hint(float(got.ravel()[0]), counts):
            return hint
    return None


def _bits_hint(got, counts):
    seen = counts[counts > 0].astype(float)
    p = seen / seen.sum()
    each = float(-(p * np.log2(p)).sum())
    right = each * seen.sum()
    near = lambda value: np.isclose(got, value, rtol=1e-5, atol=1e-5)
    if near(right):
        return None
    if np.isnan(got) or np.isinf(got):
        return "a symbol that never came has no logarithm: leave out counts of 0"
    wrong = {
        "that is the entropy, the bits of one symbol; the stream has more of them": each,
        "those are nats: bits need the logarithm to base 2": right * np.log(2),
        "that is the entropy in nats, for one symbol": each * np.log(2),
        "bits, not bytes": right / 8,
        "as few bits as a fixed length for each symbol would need; frequent symbols can have shorter codes": seen.sum()
        * np.log2(len(seen)),
        "the sign is wrong: bits are not below 0": -right,
        "leave the number as it is: a mean over streams need not be whole": np.ceil(right),
    }
    return next(
        (hint for hint, value in wrong.items() if near(value)),
        "for counts {} at least {} bits are needed, not {}".format(counts.tolist(), *told_apart(right, got)),
    )


# --- 18.4 -------------------------------------------------------------------------------------------------------------
REASONS = {"1": "A", "2": "B", "3": "D", "4": "C"}
WHY = {
    "1": "the zeros are there, for zip finds them; what has not been done?",
    "2": "what in a model holds zeros and ones only, one for each weight?",
    "3": "the zeros were there once; what brings weights back?",
    "4": "the layers are plain and sparse; what else is in a file of a compiled model?",
}


@exercise("18.4")
def check_reasons(answer):
    """Four files that do not shrink, and why."""
    return compare_letters(without_stars(answer), REASONS, WHY, {"E": "they can; section 4 did it"})


# --- 18.5 -------------------------------------------------------------------------------------------------------------
@exercise("18.5")
def check_quantizer(quantizer):
    """Data on both sides of 0, above it and below it, with 2 to 8 bits.

    On both sides the first code lies a little less, a little more, and exactly half a step from a whole number of them
    below 0, so that each other way of rounding the zero point is found, and a last code that is not cut off.
    """
    rng = np.random.default_rng()
    for kind in (rng.uniform(0.15, 0.35), "above", "below", rng.uniform(0.65, 0.85), 0.5):
        bits = int(rng.integers(2, 9))
        if kind in ("above", "below"):
            x = rng.uniform(2, 5, size=(7, int(rng.integers(20, 40)))) * (
                1 if kind == "above" else -rng.uniform(0.5, 2)
            )
        else:
            x = _on_both_sides(rng, bits, kind)
        given = x.copy()
        answer = quantizer(given, bits)
        if missing(answer):
            return NOT_ATTEMPTED
        if changed(given, x):
            return CHANGED
        parts = parts_of(answer, 3)
        if parts is None or any(numbers(part) is None for part in parts):
            return "return three things: codes, scale, zero point"
        codes, scale, zero = (numbers(part) for part in parts)
        if codes.shape != x.shape:
            return f"the codes should have the shape of x, {x.shape}; yours have {codes.shape}"
        if scale.size != 1 or zero.size != 1:
            return "scale and zero point should be one number each"
        if hint := _codes_hint(codes, float(scale.ravel()[0]), float(zero.ravel()[0]), x, bits):
            return hint
    return None


def _on_both_sides(rng, bits, fraction):
    """Data whose least value lies a whole number of steps and this fraction below 0.

    Steps are a whole number of 64ths, so that half a step is half a step in any precision.
    """
    top = 2**bits - 1
    known_apart = [n for n in range(1, top) if round(n + fraction) != 2**bits / 4]  # z there is minus the signed one
    below = top / 2 if fraction == 0.5 else rng.choice(known_apart) + fraction
    step = rng.integers(20, 200) / 64
    x = rng.uniform(-below * step, (top - below) * step, size=(7, int(rng.integers(20, 40))))
    x.flat[0], x.flat[-1] = -below * step, (top - below) * step
    return x


def _codes_hint(codes, scale, zero, x, bits):
    top = 2**bits - 1
    right, signed = affine(float(x.min()), float(x.max()), bits)
    wanted = signed + 2 ** (bits - 1)
    scales = {
        "b bits have 2**b codes, and so 2**b − 1 steps between the first and the last": right * top / (top + 1),
        "the range must hold 0, also where all values are above it or below it": (x.max() - x.min()) / top,
        "the range goes from the least value to the greatest; yours is symmetric about 0": 2 * np.abs(x).max() / top,
    }
    if not np.isclose(scale, right, rtol=1e-5):
        said = (hint for hint, value in scales.items() if np.isclose(scale, value, rtol=1e-5))
        return next(
            said,
            "the scale is the range, with 0 in it, over {} steps: {}, not {}".format(top, *told_apart(right, scale)),
        )
    if hint := _zero_hint(zero, wanted, signed, -min(x.min(), 0) / right):
        return hint
    if not np.array_equal(codes, np.round(codes)):
        return "codes are whole numbers: round them"
    if codes.min() < 0 or codes.max() > top:
        return f"with {bits} bits codes go from 0 to {top}; yours from {codes.min():g} to {codes.max():g}"
    error = np.abs((codes - zero) * scale - x)
    if error.max() > 0.501 * scale:
        if error.max() < 1.001 * scale:
            return (
                "errors reach a whole step: the code is x / scale, rounded to the nearest number, plus the zero point"
            )
        return "scale · (code − zero point) should bring back x, to within half a step"
    return None


def _zero_hint(zero, wanted, signed, steps):
    """What is wrong with a zero point; steps: how many steps the first code lies below 0, not rounded."""
    if zero != np.round(zero):
        return "the zero point is a code, so it must be a whole number"
    if zero == wanted or abs(steps - zero) < 0.5 + 1e-3:
        return None
    if zero == signed and signed != -wanted:
        return "codes go from 0 on here; your zero point is that of signed codes"
    if zero == -wanted and signed != -wanted:
        return "the sign of the zero point is wrong: it is a code, and no code is below 0"
    if abs(steps - zero) < 1:
        return f"the first code lies {steps:.2f} steps below 0: rounded to the nearest, that is not {zero:g}"
    return f"the zero point is the code of 0, {wanted} here; yours is {zero:g}"


# --- 18.6 -------------------------------------------------------------------------------------------------------------
@exercise("18.6")
def check_by_hand(answer):
    """Scale, zero point, codes and the variance of the error, for -1 to 4.1 in 8 bits."""
    return compare_numbers(
        answer,
        {"(a)": 0.02, "(b)": -78, "(c)": -3, "(d)": 3.56, "(e)": 127, "(f)": 0.02**2 / 12},
        {
            "(a)": {
                5.1 / 256: "256 codes have 255 steps between them",
                4.1 / 127: "that would be a symmetric grid; here the range goes from −1 to 4.1",
                8.2 / 255: "the range goes from −1 to 4.1, not from −4.1",
            },
            "(b)": {
                50: "−1 is 50 steps below 0, and −1 has the first code: −128",
                -50: "−1 is 50 steps below 0, and −1 has the first code: −128",
                0: "only a symmetric grid has its zero in the middle",
                -178: "the code of 0 lies above the first code, −128",
            },
            "(c)": {
                75: "that is 1.5 in steps; the code of 0 has to be added",
                -153: "codes rise with the value: add the steps to the zero point",
                125: "that would be an unsigned code",
            },
            "(d)": {
                2.0: "subtract the zero point first",
                0.44: "(100 − z), with a z below 0",
                4.56: "100 − (−78) steps, of 0.02 each",
            },
            "(e)": {
                372: "there is no such code in 8 bits: what lies beyond the range is cut off",
                255: "signed codes end at 127",
                128: "signed codes end at 127",
            },
            "(f)": {
                0.02**2: "that is the squared step; the uniform distribution divides it by twelve",
                0.02 / 12: "the step has to be squared",
                0.0001: "that is the largest squared error, not its mean",
                0.02 / np.sqrt(12): "that is the standard deviation; the variance is its square",
            },
        },
        {
            "(a)": "the scale is the range over the number of steps",
            "(b)": "the zero point is the code of 0: −128 and as many steps as −1 lies below 0",
            "(c)": "round(x / s) + z",
            "(d)": "s · (q − z)",
            "(e)": "9 is larger than anything in the range: which code does it get?",
            "(f)": "the variance of a uniform distribution one step wide",
        },
        rtol=1e-4,
        also={"(f)": (3.295e-5, 3.35e-5)},  # rounded to two digits or more
    )


# --- 18.7 -------------------------------------------------------------------------------------------------------------
TIMES_SMALLER, LOSS = 6, 0.05


def stored_size(network):
    """Bytes of [[weights, bias], ...] where each array is written as its values and a zipped index for each number."""
    return sum(_array_size(np.float32(as_array(values))) for pair in network for values in pair)


def _array_size(values):
    different, indices = np.unique(values, return_inverse=True)
    plain = len(zlib.compress(values.tobytes(), 9))
    if len(different) > 256:
        return plain
    return min(plain, 4 * len(different) + len(zlib.compress(indices.astype(np.uint8).tobytes(), 9)))


@exercise("18.7")
def check_smaller(smaller):
    """Networks trained here, measured on digits that were not in their training."""
    return check_smaller_network(
        smaller,
        lambda given, got: len(zlib.compress(_raw(given), 9)) / stored_size(got),
        wanted=TIMES_SMALLER,
        loss=LOSS,
        enough=0.7 * TIMES_SMALLER,
        hint_for=_small_hint,
    )


def _raw(network):
    return b"".join(np.float32(values).tobytes() for pair in network for values in pair)


def _small_hint(factor, whole, small):
    if factor < 1.5:
        return "it takes as many bytes as before: zeros and equal values are what makes it small"
    if factor < TIMES_SMALLER:
        return (
            f"{beside(factor, TIMES_SMALLER, 1)} times smaller, and {TIMES_SMALLER} are wanted: prune more, round to "
            "fewer bits, or both (biases, too)"
        )
    return (
        f"{factor:.1f} times smaller, but {small:.1%} right where the original has {whole:.1%}: be gentler, or give "
        "each layer its own share"
    )
