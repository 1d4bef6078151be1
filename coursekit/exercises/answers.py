"""What a student hands in, read as numbers or letters, out of lists, arrays and any library's tensors: for checkers.

Born in notebook 00.
"""

import unicodedata
from string import ascii_uppercase

import numpy as np

from coursekit.arrays import as_array
from coursekit.exercises import NOT_ATTEMPTED

CHANGED = "what you were given has changed: compute without writing into it (a copy helps)"
ROUNDED = "these numbers are rounded: leave all their digits"
_WORDS = {2: "two", 3: "three", 4: "four", 5: "five"}


def missing(answer):
    """Whether `answer` is a gap that nobody has filled."""
    return answer is None or answer is ...


def numbers(values):
    """A float array of `values`: a number, an array, a tensor, or a list of these. None where there are no numbers.

    Text, None, truth values and complex numbers are no numbers; NaN and infinity are. Ragged lists are none.
    """
    try:
        if isinstance(values, (list, tuple)):
            parts = [numbers(value) for value in values]
            return None if any(part is None for part in parts) else np.array(parts, dtype=float)
        array = as_array(values)
        if array.dtype.kind == "O":  # whole numbers beyond 64 bits, fractions, or no numbers at all
            array = np.array([float(value) for value in array.ravel()]).reshape(array.shape)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return None
    return None if array.dtype.kind in "USbcmM" else array.astype(float)


def parts_of(answer, count, stacked=False):
    """The `count` parts of a tuple or a list, as a list; None if it has another form.

    With `stacked`, for parts of one shape, the rows of an array or a tensor are parts, too.
    """
    if stacked and hasattr(answer, "shape") and len(answer.shape) > 0:
        answer = list(as_array(answer))
    if not isinstance(answer, (list, tuple)) or len(answer) != count:
        return None
    return list(answer)


def changed(given, was):
    """Whether what was handed out is no longer what it was: arrays, dictionaries, and lists and tuples of anything.

    A check that finds this says CHANGED.
    """
    if isinstance(was, (list, tuple)):
        if not isinstance(given, (list, tuple)) or len(given) != len(was):
            return True
        return any(changed(*pair) for pair in zip(given, was, strict=True))
    return not np.array_equal(given, was)


def beside(value, limit, decimals):
    """`value` with so many decimals, and with more where it would look like the limit that it has missed."""
    while float(f"{value:.{decimals}f}") == limit and decimals < 12:
        decimals += 1
    return f"{value:.{decimals}f}"


def told_apart(right, yours, digits=4):
    """Two numbers as text, in as many digits as it takes for different ones to look different."""
    right, yours = right + 0.0, yours + 0.0  # -0.0 is 0
    while digits < 15 and right != yours and f"{right:.{digits}g}" == f"{yours:.{digits}g}":
        digits += 1
    return f"{right:.{digits}g}", f"{yours:.{digits}g}"


def worst_entry(got, right):
    """What is furthest off in an array, and where; both have one shape, with one axis at least. NaN is furthest."""
    off = np.nan_to_num(np.abs(got - right), nan=np.inf)
    at = tuple(int(i) for i in np.unravel_index(off.argmax(), right.shape))
    wanted, yours = told_apart(right[at], got[at])
    return f"the entry at {at if len(at) > 1 else at[0]} should be {wanted}, yours is {yours}"


def word(text):
    """The letters and digits of a text or of bytes, in small letters: "(C)" is c, "Elastic-net" elasticnet, "L₁" l1.

    What is no text is the empty word.
    """
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    if not isinstance(text, str):
        return ""
    return "".join(one for one in unicodedata.normalize("NFKC", text).lower() if one.isalnum())


def flat_row(answer):
    """An array or a matrix of one row as a flat array; anything else as it is."""
    shape = getattr(answer, "shape", ())
    return np.asarray(as_array(answer))[0] if len(shape) == 2 and shape[0] == 1 else answer


def without_stars(answer):
    """A text, or a list of texts, without the stars that make letters bold in Markdown; anything else as it is."""
    if isinstance(answer, (list, tuple)):
        return [without_stars(one) for one in answer]
    return answer.replace("*", "") if isinstance(answer, str) else answer


def network_like(answer, like):
    """A network as a list of [weights, bias] in single precision, or a hint if it is none with the shapes of `like`."""
    parts = parts_of(answer, len(like))
    pairs = None if parts is None else [parts_of(one, 2) for one in parts]
    if pairs is None or any(pair is None for pair in pairs):
        return "return a list of [weights, bias], as it was given to you"
    found = [[numbers(values) for values in pair] for pair in pairs]
    for pair, wanted in zip(found, like, strict=True):
        for values, shape in zip(pair, (one.shape for one in wanted), strict=True):
            if values is None or not np.isfinite(values).all():
                return "weights and biases should be arrays of finite numbers"
            if values.shape != shape:
                return f"the shapes should stay as they are: {shape}, not {values.shape}"
    return [[np.float32(values) for values in pair] for pair in found]


def close(got, right):
    """Whether two arrays of one shape agree in single precision.

    A small sum of large terms has lost digits, so the largest entry of `right`, or 1, sets the scale.
    """
    scale = max(1.0, np.abs(right).max(initial=0.0))
    return np.allclose(got, right, rtol=1e-5, atol=1e-5 * scale)


def rounded(got, right):
    """Whether `got` is `right` in fewer digits, rounded to decimals or in half precision; both have one shape.

    To be asked where `close` has said no. A constant, or a single number, may be so by chance and does not count.
    """
    with np.errstate(over="ignore"):
        shorter = [*(np.round(right, decimals) for decimals in range(1, 6)), right.astype("float16").astype(float)]
    return np.unique(got).size > 1 and any(close(got, one) for one in shorter)


def compare_numbers(answer, right, hints, otherwise, rtol=0.0, atol=0.0, also=None):
    """None, NOT_ATTEMPTED or a hint for a list of numbers; of several that are wrong, the first is spoken of.

    right: {name: number}, in the order of the answer; hints: {name: {wrong number: hint}}; otherwise: a hint for all
    other wrong numbers, or {name: hint}; rtol, atol: how far from right is right, as in np.isclose; also: {name: (low,
    high)}, where the number is right, too, as one rounds it. Arrays with one element are numbers.
    """
    if missing(answer):
        return NOT_ATTEMPTED
    parts = parts_of(answer, len(right), stacked=True)
    if parts is None:
        return f"give a list of {_WORDS.get(len(right), len(right))} numbers: {', '.join(right)}"
    if all(map(missing, parts)):
        return NOT_ATTEMPTED
    for place, (given, (name, wanted)) in enumerate(zip(parts, right.items(), strict=True)):
        if missing(given):
            return f"{name} is still to do" + ("; what stands before it is right" if place else "")
        number = numbers(given)
        if number is None or number.size != 1 or not np.isfinite(number).all():
            return f"{name} should be a plain number, not {repr(given)[:40]}"
        number = number.reshape(())
        low, high = (also or {}).get(name, (wanted, wanted))
        if not (np.isclose(number, wanted, rtol=rtol, atol=atol) or low <= number <= high):
            known = (hint for wrong, hint in hints.get(name, {}).items() if np.isclose(number, wrong, rtol, atol))
            return f"{name}: {next(known, otherwise if isinstance(otherwise, str) else otherwise[name])}"
    return None


def compare_letters(answer, right, hints, nowhere=None):
    """None, NOT_ATTEMPTED or a hint for a row of letters, as a list or as one word; the first wrong one is spoken of.

    right:   {name: capital letter}, in the order of the answer
    hints:   {name: hint} for a wrong letter
    nowhere: {letter: hint} for letters that may be chosen and are right nowhere
    The choice goes from A to the last letter in right or nowhere.
    """
    if missing(answer):
        return NOT_ATTEMPTED
    nowhere = nowhere or {}
    letters = ascii_uppercase[: ascii_uppercase.index(max([*right.values(), *nowhere])) + 1]
    if isinstance(answer, str):
        answer = list("".join(character for character in answer if character not in " \t\n,;()."))
    parts = parts_of(answer, len(right), stacked=True)
    if parts is None:
        such_as = ", ".join(f'"{letter}"' for letter in letters[: len(right)])
        return f"give {_WORDS.get(len(right), len(right))} letters, such as [{such_as}]"
    if all(map(missing, parts)):
        return NOT_ATTEMPTED
    for place, (given, (name, wanted)) in enumerate(zip(parts, right.items(), strict=True)):
        if missing(given):
            return f"{name} is still to do" + ("; what stands before it is right" if place else "")
        letter = given.strip(" \t\n().").upper() if isinstance(given, str) else ""
        if len(letter) != 1 or letter not in letters:
            return f"{name} should be one of the letters A to {letters[-1]}, not {repr(given)[:40]}"
        if letter != wanted:
            return f"{name}: {nowhere.get(letter, hints[name])}"
    return None
