"""How checkers read what is handed in."""

from fractions import Fraction

import numpy as np
import pytest

from coursekit.exercises import NOT_ATTEMPTED
from coursekit.exercises.answers import (
    beside,
    changed,
    close,
    compare_letters,
    compare_numbers,
    missing,
    numbers,
    parts_of,
    rounded,
    told_apart,
    word,
    worst_entry,
)


@pytest.mark.parametrize(
    "values, shape",
    [
        (3, ()),
        (np.float32(0.5), ()),
        (Fraction(1, 4), ()),
        (10**30, ()),
        ([1, 2.5], (2,)),
        ([Fraction(1, 2), 1], (2,)),
        (((1, 2), [3, 4]), (2, 2)),
        ([np.zeros(3), [1, 2, 3]], (2, 3)),
        (np.zeros((2, 0)), (2, 0)),
        ([float("nan"), float("inf")], (2,)),
    ],
)
def test_numbers_are_read_from_what_holds_numbers(values, shape):
    got = numbers(values)
    assert got.dtype == float and got.shape == shape


@pytest.mark.parametrize(
    "values",
    ["1", None, ..., True, 1j, [1, None], [1, "2"], np.array(["1.5"]), np.full(3, None), [[1], [2, 3]], {1: 2}, len],
)
def test_what_holds_no_numbers_gives_none(values):
    assert numbers(values) is None


@pytest.mark.parametrize("library", ["tensorflow", "jax", "torch"])
def test_tensors_of_every_library_are_read_alone_and_in_lists(library):
    module = pytest.importorskip(library)
    make = {"tensorflow": "Variable", "jax": "numpy.asarray", "torch": "tensor"}[library]
    for name in make.split("."):
        module = getattr(module, name)
    more = {"requires_grad": True} if library == "torch" else {}
    tensor = module([1.0, 2.0], **more)
    assert np.array_equal(numbers(tensor), [1, 2]) and np.array_equal(numbers([tensor, [3, 4]]), [[1, 2], [3, 4]])
    assert np.array_equal(numbers([tensor[0], tensor[1]]), [1, 2])
    assert [float(part) for part in parts_of(tensor, 2, stacked=True)] == [1, 2]


def test_parts_come_out_of_tuples_lists_and_rows():
    assert parts_of((1, 2), 2) == parts_of([1, 2], 2) == parts_of(np.array([1, 2]), 2, stacked=True) == [1, 2]
    assert [part.shape for part in parts_of(np.zeros((2, 5)), 2, stacked=True)] == [(5,), (5,)]
    for other in (3, "ab", {1: 1, 2: 2}, (1, 2, 3), np.float64(3), np.zeros(3), None):
        assert parts_of(other, 2) is parts_of(other, 2, stacked=True) is None
    assert parts_of(np.zeros((2, 5)), 2) is None


def test_close_forgives_single_precision_and_no_more():
    right = np.array([1000.0, 1e-5, 0.0])
    assert close(right + 1e-3, right) and close(right.astype("float32"), right)
    assert not close(right * [1.001, 1, 1], right) and not close(right + np.array([0, 0, 0.1]), right)
    assert not close(right * np.nan, right) and close(np.zeros(2), np.full(2, 1e-6))


def test_gaps_are_missing():
    assert missing(None) and missing(...) and not missing(0) and not missing(np.zeros(2))


@pytest.mark.parametrize(
    "was, now",
    [
        (np.zeros(2), np.array([0, 1.0])),
        ([np.zeros(2), np.ones(1)], [np.zeros(2), np.zeros(1)]),
        ([["a", "b"], ["c"]], [["ab"], ["c"]]),
        ([["a", "b"], ["c"]], ["ab", 3]),
        ([1, 2], [1, 2, 3]),
        ([1, 2], [2, 1]),
        ((["a"], {"a": 2}), (["a"], {"a": 2, "b": 1})),
    ],
)
def test_what_was_handed_out_is_seen_to_change(was, now):
    assert changed(now, was) and not changed(was, was) and not changed(now, now)


def test_a_missed_limit_never_looks_as_if_it_were_met():
    assert beside(1.234, 0.85, 2) == "1.23" and beside(0.8504, 0.85, 3) == "0.8504"
    assert beside(0.00500004, 0.005, 4) == "0.00500004" and beside(float("nan"), 0.005, 4) == "nan"


def test_different_numbers_look_different():
    assert told_apart(1.5, 2.25) == ("1.5", "2.25") and told_apart(1.53212, 1.532) == ("1.5321", "1.532")
    assert told_apart(2.0, 2.0) == ("2", "2") and told_apart(-0.0, float("nan")) == ("0", "nan")
    assert told_apart(np.float32(0.25), 0.25 + 1e-16)[0] == "0.25"


@pytest.mark.parametrize(
    "text, read",
    [
        ("(C)", "c"),
        (b"L1", "l1"),
        (np.bytes_(b"L1"), "l1"),
        (np.str_(" Elastic-Net "), "elasticnet"),
        ("L₁", "l1"),
        *[(other, "") for other in (3, None, ["C"], "**")],
    ],
)
def test_a_word_is_its_letters_and_digits(text, read):
    assert word(text) == read


TWO = {"(a)": 49, "(b)": 1 / 256}


@pytest.mark.parametrize(
    "answer",
    [
        [49, 1 / 256],
        [np.array([49]), np.array([[1 / 256]])],
        ([49.0], (1 / 256,)),
        np.array([[49], [1 / 256]]),
        (49, 0.004),
    ],
)
def test_numbers_are_right_as_arrays_with_one_element_and_rounded(answer):
    assert compare_numbers(answer, TWO, {}, "not yet", rtol=1e-6, also={"(b)": (0.0039, 0.004)}) is None


@pytest.mark.parametrize(
    "answer, hint",
    [
        ([np.array([16.0]), 1], "(a): the code"),
        ([49, 0.0041], "(b): not yet"),
        ([[49, 49], 1], "(a) should be a plain number"),
        ([[], 1], "(a) should be a plain number"),
        ([np.array([np.nan]), 1], "(a) should be a plain number"),
    ],
)
def test_the_first_wrong_number_gets_its_hint(answer, hint):
    hints = {"(a)": {16: "the code"}}
    assert compare_numbers(answer, TWO, hints, "not yet", also={"(b)": (0.0039, 0.004)}).startswith(hint)


RIGHT, HINTS = {"(a)": "B", "(b)": "A", "(c)": "B"}, {"(a)": "first", "(b)": "second", "(c)": "third"}


LISTS = [["B", "A", "B"], ("b", " a", "B "), np.array(["B", "A", "B"]), ["(B)", "a.", "b)"]]


@pytest.mark.parametrize("answer", [*LISTS, "BAB", "b, a, b", "(B), (A), (B)", "b; a; b."])
def test_letters_are_read_from_lists_words_and_arrays(answer):
    assert compare_letters(answer, RIGHT, HINTS) is None


@pytest.mark.parametrize("answer", [None, ..., [..., ..., ...], (None, ..., None)])
def test_no_letters_are_not_attempted(answer):
    assert compare_letters(answer, RIGHT, HINTS) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "answer, hint",
    [
        ("AAB", "(a): first"),
        ("ABA", "(a): first"),  # of several that are wrong, the first
        (["B", "B", ...], "(b): second"),
        ("BAA", "(c): third"),
        ("BAD", "(c): never"),  # right nowhere, with a hint of its own
        ("BAC", "(c): third"),
        ([..., "A", "B"], "(a) is still to do"),
        (["B", None, "B"], "(b) is still to do; what stands before it is right"),
        (["B", "A", "E"], "(c) should be one of the letters A to D, not 'E'"),
        (["B", "AB", "B"], "(b) should be one of the letters A to D, not 'AB'"),
        (["B", "", "B"], "(b) should be one of the letters A to D, not ''"),
        ([1, "A", "B"], "(a) should be one of the letters A to D, not 1"),
        ("BA", 'give three letters, such as ["A", "B", "C"]'),
        ({"a": "B"}, "give three letters"),
        (3, "give three letters"),
    ],
)
def test_the_first_wrong_letter_gets_its_hint(answer, hint):
    assert compare_letters(answer, RIGHT, HINTS, {"D": "never"}).startswith(hint)


def test_the_entry_that_is_furthest_off_is_named():
    right = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert (
        worst_entry(right + np.array([[0, 0.1], [-0.2, 0]]), right) == "the entry at (1, 0) should be 3, yours is 2.8"
    )
    assert worst_entry(right * [[1, 1], [2, np.nan]], right) == "the entry at (1, 1) should be 4, yours is nan"
    assert worst_entry(right[0] + [0, 1e-7], right[0]) == "the entry at 1 should be 2, yours is 2.0000001"


def test_what_is_rounded_is_told_from_what_is_wrong():
    right = np.array([1.23456, -0.56789, 3.14159])
    assert all(rounded(np.round(right, decimals), right) for decimals in range(1, 5))
    assert rounded(np.float16(right).astype(float), right)
    assert not any(rounded(wrong, right) for wrong in (right + 0.001, np.zeros(3), -right, np.full(3, np.nan)))
    assert not rounded(np.ones(2), np.array([1.01, 0.99]))  # ones need not have been rounded
