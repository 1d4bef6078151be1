"""claim(): a sentence about a result, asserted and recorded.

Prose in a notebook never states a measured result; a claim does, and where it does not hold the notebook stops.

Born in notebook 00.
"""

import math
import textwrap

from coursekit import records
from coursekit.errors import ClaimFailed


def claim(sentence, condition, evidence="", **values):
    """Assert `sentence` and show the evidence for it.

    sentence:  what is claimed, in words, without the measured numbers.
    condition: one truth value (bool, or a NumPy or tensor scalar of that type). NaN is never true.
    evidence:  the numbers behind it, in words.
    values:    the same numbers by name. They are kept by `coursekit run` and read back with `recorded()`; one that
               is NaN fails the claim, because a comparison with NaN says nothing.

    Prints a line with a ✓, or raises `ClaimFailed`. Raises `TypeError` if the condition is not a single truth value.
    """
    held = _truth(condition, sentence)
    numbers = {name: _number(value) for name, value in values.items()}
    nans = [name for name, value in numbers.items() if isinstance(value, float) and math.isnan(value)]
    if nans:
        held, evidence = False, f"{', '.join(nans)} is NaN; {evidence}".rstrip("; ")
    records.note("claim", sentence=sentence, held=held, evidence=str(evidence), values=numbers)
    shown = f" ({evidence})" if evidence else ""
    if not held:
        raise ClaimFailed(f"this does not hold: {sentence}{shown}")
    print(textwrap.fill(f"✓ {sentence}{shown}", 96, subsequent_indent="  ", break_on_hyphens=False))


def _truth(condition, sentence):
    """True or False from a bool, a NumPy bool or a tensor with one element; NaN is False."""
    value = condition.item() if hasattr(condition, "item") and getattr(condition, "ndim", 1) == 0 else condition
    if hasattr(value, "numpy"):  # a TensorFlow tensor
        value = value.numpy().item() if value.shape == () else value
    if isinstance(value, float) and math.isnan(value):
        return False
    if not isinstance(value, bool):
        raise TypeError(
            f"the claim {sentence!r} needs one yes or no as its condition, not {_describe(condition)}; "
            "compare something, and use np.all or np.any where there are many values"
        )
    return value


def _describe(condition):
    shape = getattr(condition, "shape", None)
    return f"{type(condition).__name__} of shape {tuple(shape)}" if shape is not None else repr(condition)[:60]


def _number(value):
    """A plain Python number, string or list for the record, from any backend's scalar or array."""
    for method in ("numpy", "tolist"):
        if hasattr(value, method):
            value = getattr(value, method)()
    return value
