"""The checks of notebook 18, Pruning and quantization."""

import zlib

import numpy as np

from coursekit.arrays import as_array
from coursekit.compression.quantization import affine
from coursekit.compression.sparsity import polynomial_sparsity
from coursekit.exercises import NOT_ATTEMPTED, exercise
from coursekit.exercises.answers import (
    CHANGED,
    changed,
    compare_letters,
    compare_numbers,
    missing,
    numbers,
    parts_of,
    told_apart,
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
    if not same[~gone].all():
        return "weights that stay should keep their values"
    if gone.sum() != count:
        why = "; of equal ones only some may have to go" if len(np.unique(sizes)) < sizes.size else ""
        said = f"{count} of {flat.size} weights should be 0 for a share of {share:.3g}"
        return f"{said}; with you it is {int(gone.sum())}{why}"
    return "as many are 0 as should be, but not the smallest"


# --- 18.2 -------------------------------------------------------------------------------------------------------------
@exercise("18.2")
def check_sparsity_due(sparsity_due):
    """Random schedules, asked inside, at both ends and beyond them."""
    rng = np.random.default_rng()
    for _ in range(4):
        begin = int(rng.integers(5, 50))
        end = begin + int(rng.integers(20, 200))
        initial, power = float(rng.uniform(0.05, 0.3)), rng.permutation([1.5, 2, 4]).tolist()[0]
        final = float(rng.uniform(0.6, 0.99))
        inside = [int(rng.integers(begin + 3, end - 3)) for _ in range(3)]
        for step in [*inside, begin, end, begin - int(rng.integers(1, 5)), end + int(rng.integers(1, 50))]:
            got = sparsity_due(step, begin, end, initial, final, power)
            if missing(got):
                return NOT_ATTEMPTED
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
        return "after `end` the sparsity stays at `final`"
    if step < begin:
        return "before `begin` the sparsity is `initial`"
    wrong = {
        "between begin and end it should not rise in a straight line: where is the power?": initial
        + (final - initial) * passed,
        "it should rise fast at first and slowly at the end; yours does the opposite": initial
        + (final - initial) * passed**power,
        "yours goes from final to initial: look at what stands before the bracket": initial
        + (final - initial) * (1 - passed) ** power,
        "the time that has passed counts from `begin`, over the length of the schedule": final
        + (initial - final) * (1 - min(step / end, 1)) ** power,
        "the schedule should begin at `initial`, not at 0": final - final * (1 - passed) ** power,
        "the power is an argument; yours is always 3": final + (initial - final) * (1 - passed) ** 3,
    }
    return next(
        (hint for hint, value in wrong.items() if near(value)),
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
    return compare_letters(answer, REASONS, WHY, {"E": "they can; section 4 did it"})


# --- 18.5 -------------------------------------------------------------------------------------------------------------
@exercise("18.5")
def check_quantizer(quantizer):
    """Data on both sides of 0, above it, below it and as far on both sides, with 2 to 8 bits."""
    rng = np.random.default_rng()
    for low, high in ((-1, 3), (2, 5), (-6, -1), (-2, 0.5), (-2, 2)):
        bits = int(rng.integers(2, 9))
        x = rng.uniform(low, high, size=(7, int(rng.integers(20, 40)))) * rng.uniform(0.5, 2)
        if low == -high:  # then the zero point lies between two codes, and the last code must be cut off
            x.flat[0], x.flat[-1] = -np.abs(x).max(), np.abs(x).max()
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
        return next(said, f"the scale is the range, with 0 in it, over {top} steps: {right:.5f}, not {scale:.5f}")
    if zero != round(zero):
        return "the zero point is a code, so it must be a whole number"
    if zero == signed and signed != wanted:
        return "codes go from 0 on here; your zero point is that of signed codes"
    if zero != wanted and abs(-min(x.min(), 0) / right - zero) > 0.5 + 1e-3:
        return f"the zero point is the code of 0, {wanted} here; yours is {zero:g}"
    if codes.min() < 0 or codes.max() > top:
        return f"with {bits} bits codes go from 0 to {top}; yours from {codes.min():g} to {codes.max():g}"
    if not np.array_equal(codes, np.round(codes)):
        return "codes are whole numbers: round them"
    error = np.abs((codes - zero) * scale - x)
    if error.max() > 0.501 * scale:
        if error.max() < 1.001 * scale:
            return (
                "errors reach a whole step: the code is x / scale, rounded to the nearest number, plus the zero point"
            )
        return "scale · (code − zero point) should bring back x, to within half a step"
    return None


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
            f"{factor:.1f} times smaller, and {TIMES_SMALLER} are wanted: prune more, round to fewer bits, or both "
            "(biases, too)"
        )
    return (
        f"{factor:.1f} times smaller, but {small:.1%} right where the original has {whole:.1%}: be gentler, or give "
        "each layer its own share"
    )
