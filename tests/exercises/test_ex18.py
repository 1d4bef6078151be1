"""The checks of notebook 18: right answers pass, gaps are not attempted, each mistake gets its own hint."""

import math

import numpy as np
import pytest

from coursekit import layers
from coursekit.compression import quantization, sparsity
from coursekit.datasets import load
from coursekit.exercises import NOT_ATTEMPTED, attempt
from coursekit.exercises.answers import CHANGED
from coursekit.exercises.ex18_pruning_and_quantization import stored_size

TIMES = 20


def outcomes(exercise, answer, times=TIMES):
    return [attempt(exercise, answer) for _ in range(times)]


def all_say(exercise, answer, hint, times=5):
    said = outcomes(exercise, answer, times)
    return all(isinstance(one, str) and hint in one for one in said)


# --- 18.1: global pruning ---------------------------------------------------------------------------------------------
def pruned_by(score=np.abs):
    def prune_together(kernels, share):
        everything = np.concatenate([w.ravel() for w in kernels])
        everything[np.argsort(score(everything))[: round(share * everything.size)]] = 0
        ends = np.cumsum([w.size for w in kernels])[:-1]
        return [part.reshape(w.shape) for part, w in zip(np.split(everything, ends), kernels, strict=True)]

    return prune_together


def in_place(kernels, share):
    for w, values in zip(kernels, pruned_by()(kernels, share), strict=True):
        w[...] = values
    return kernels


def each_its_share(kernels, share):
    return [pruned_by()([w], share)[0] for w in kernels]


def masks_only(kernels, share):
    return [(w != 0).astype(float) for w in pruned_by()(kernels, share)]


def first_ones(kernels, share):
    """The right number of zeros, in the wrong places."""
    flat = np.concatenate([w.ravel() for w in kernels])
    flat[: round(share * flat.size)] = 0
    ends = np.cumsum([w.size for w in kernels])[:-1]
    return [part.reshape(w.shape) for part, w in zip(np.split(flat, ends), kernels, strict=True)]


def last_of_equal_ones(kernels, share):
    """Of equal weights the later ones go: as right as the earlier ones."""
    flipped = [w.ravel()[::-1] for w in kernels[::-1]]
    return [w[::-1].reshape(one.shape) for w, one in zip(pruned_by()(flipped, share)[::-1], kernels, strict=True)]


def below_a_limit(strict):
    def prune_together(kernels, share):
        """A threshold instead of ranks: equal weights go together, and at the share 1 there is no next weight."""
        sizes = np.sort(np.concatenate([np.abs(w).ravel() for w in kernels]))
        limit = sizes[min(round(share * sizes.size), sizes.size - 1)]
        return [np.where(np.abs(w) < limit if strict else np.abs(w) <= limit, 0, w) for w in kernels]

    return prune_together


def test_global_pruning_passes():
    assert outcomes("18.1", pruned_by()) == [None] * TIMES
    assert outcomes("18.1", last_of_equal_ones) == [None] * TIMES
    for dress in (lambda w: w.tolist(), np.float32):
        assert attempt("18.1", lambda kernels, share, d=dress: tuple(d(w) for w in pruned_by()(kernels, share))) is None


@pytest.mark.parametrize(
    "answer, hint",
    [
        (pruned_by(lambda w: w), "compare sizes, without the sign"),
        (pruned_by(lambda w: -np.abs(w)), "those are the largest"),
        (each_its_share, "the same share from each array"),
        (masks_only, "those are the masks"),
        (in_place, "work on copies"),
        (first_ones, "but not the smallest"),
        (below_a_limit(strict=True), "should be 0 for a share"),
        (below_a_limit(strict=False), "should be 0 for a share"),
        (lambda kernels, share: pruned_by()(kernels, share / 2), "should be 0 for a share"),
        (lambda kernels, share: pruned_by()(kernels, 1 - share / 9), "should be 0 for a share"),
        (lambda kernels, share: [2 * w for w in pruned_by()(kernels, share)], "should keep their values"),
        (lambda kernels, share: [w.ravel() for w in pruned_by()(kernels, share)], "keep its shape"),
        (lambda kernels, share: np.concatenate([w.ravel() for w in kernels]), "return a list of 3 arrays"),
    ],
)
def test_wrong_pruning_gets_its_own_hint(answer, hint):
    assert all_say("18.1", answer, hint)


# --- 18.2: the schedule -----------------------------------------------------------------------------------------------
def due(step, begin, end, initial, final, power):
    passed = min(max((step - begin) / (end - begin), 0), 1)
    return final + (initial - final) * (1 - passed) ** power


def passed(step, begin, end):
    return min(max((step - begin) / (end - begin), 0), 1)


def test_the_schedule_passes():
    assert outcomes("18.2", due) == [None] * TIMES
    assert outcomes("18.2", lambda *given: np.float32([due(*given)])) == [None] * TIMES


@pytest.mark.parametrize(
    "answer, hint",
    [
        (lambda step, begin, end, s0, s1, power: s0 + (s1 - s0) * passed(step, begin, end), "in a straight line"),
        (
            lambda step, begin, end, s0, s1, power: s0 + (s1 - s0) * passed(step, begin, end) ** power,
            "fast at first and slowly at the end",
        ),
        (lambda step, begin, end, s0, s1, power: due(step, begin, end, s1, s0, power), "from final to initial"),
        (lambda step, begin, end, s0, s1, power: due(step, 0, end, s0, s1, power), "counts from `begin`"),
        (lambda step, begin, end, s0, s1, power: due(step, begin, end, 0, s1, power), "begin at `initial`"),
        (
            lambda step, begin, end, s0, s1, power: s1 + (s0 - s1) * (1 - (step - begin) / (end - begin)) ** power,
            "the sparsity",
        ),
        (lambda step, begin, end, s0, s1, power: [s0, s1], "return one number"),
        (lambda step, begin, end, s0, s1, power: 2 * due(step, begin, end, s0, s1, power), "is due, not"),
    ],
)
def test_a_wrong_schedule_gets_its_own_hint(answer, hint):
    assert all_say("18.2", answer, hint)


def test_a_schedule_with_the_power_of_the_text_is_found_out():
    said = outcomes("18.2", lambda step, begin, end, s0, s1, power: due(step, begin, end, s0, s1, 3), 10)
    assert any(one is not None and "yours is always 3" in one for one in said)


# --- 18.3: entropy ----------------------------------------------------------------------------------------------------
def bits(counts):
    counts = np.asarray(counts, dtype=float)
    seen = counts[counts > 0]
    return float((seen * np.log2(seen.sum() / seen)).sum())


def with_zeros(counts):
    p = np.asarray(counts) / np.sum(counts)
    with np.errstate(all="ignore"):
        return float(-(p * np.log2(p)).sum() * np.sum(counts))


def fixed_length(counts):
    counts = np.asarray(counts)
    return float(counts.sum() * np.log2((counts > 0).sum()))


def normalized_in_place(counts):
    total = counts.sum()
    counts[...] = counts * 0
    return float(total)


def test_the_entropy_of_a_stream_passes():
    assert outcomes("18.3", bits) == [None] * TIMES
    assert outcomes("18.3", lambda counts: np.float32([bits(counts)])) == [None] * TIMES


@pytest.mark.parametrize(
    "answer, hint",
    [
        (lambda counts: bits(counts) / np.sum(counts), "the bits of one symbol"),
        (lambda counts: bits(counts) * np.log(2), "those are nats"),
        (lambda counts: bits(counts) * np.log(2) / np.sum(counts), "entropy in nats"),
        (lambda counts: bits(counts) / 8, "bits, not bytes"),
        (lambda counts: -bits(counts), "the sign is wrong"),
        (with_zeros, "leave out counts of 0"),
        (normalized_in_place, "what you were given has changed"),
        (lambda counts: np.ceil(bits(counts)), "need not be whole"),
        (fixed_length, "frequent symbols can have shorter codes"),
        (lambda counts: 32 * float(np.sum(counts)), "at least"),
        (lambda counts: counts, "return one number"),
    ],
)
def test_wrong_bits_get_their_own_hint(answer, hint):
    assert all_say("18.3", answer, hint)


# --- 18.4: reasons ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("answer", [["A", "B", "D", "C"], "ABDC", ("a", "b ", "d", "c")])
def test_the_reasons_pass_in_any_form(answer):
    assert attempt("18.4", answer) is None


@pytest.mark.parametrize(
    "answer, hint",
    [
        ("BBDC", "1: the zeros are there"),
        ("AADC", "2: what in a model holds zeros and ones"),
        ("ABAC", "3: the zeros were there once"),
        ("ABDB", "4: the layers are plain and sparse"),
        ("EBDC", "1: they can"),
        (["A", "B", "D", 3], "4 should be one of the letters"),
        (["A", ..., "D", "C"], "2 is still to do; what stands before it is right"),
        (["A", "B"], "give four letters"),
    ],
)
def test_wrong_reasons_get_their_own_hint(answer, hint):
    assert hint in attempt("18.4", answer)


# --- 18.5: a quantizer ------------------------------------------------------------------------------------------------
def quantizer_with(widen=True, steps=lambda bits: 2**bits - 1, rounding=np.rint, low_code=lambda bits: 0):
    def quantizer(x, bits):
        low, high = (min(x.min(), 0.0), max(x.max(), 0.0)) if widen else (x.min(), x.max())
        first, top = low_code(bits), 2**bits - 1
        scale = (high - low) / steps(bits)
        zero = int(np.rint(-low / scale)) + first
        return np.clip(rounding(x / scale) + zero, first, first + top).astype(int), scale, zero

    return quantizer


def symmetric(x, bits):
    scale = 2 * np.abs(x).max() / (2**bits - 1)
    return np.rint(x / scale).astype(int), scale, 0


def fractional(x, bits):
    codes, scale, _ = quantizer_with()(x, bits)
    return codes, scale, -min(x.min(), 0.0) / scale + 0.123


def for_both_signs_only(x, bits):
    return quantizer_with()(x, bits) if x.min() < 0 < x.max() else symmetric(x, bits)


def writes_into_x(x, bits):
    answer = quantizer_with()(x, bits)
    x -= x.min()
    return answer


def test_the_quantizer_passes():
    assert outcomes("18.5", quantizer_with()) == [None] * TIMES
    assert outcomes("18.5", quantizer_with(rounding=np.round)) == [None] * TIMES


def test_the_quantizer_passes_in_single_precision():
    def single(x, bits):
        codes, scale, zero = quantizer_with()(x, bits)
        return codes.tolist(), np.float32([scale]), np.array([zero])

    assert outcomes("18.5", single) == [None] * TIMES


@pytest.mark.parametrize(
    "answer, hint",
    [
        (quantizer_with(steps=lambda bits: 2**bits), "2**b − 1 steps"),
        (quantizer_with(widen=False), "the range must hold 0"),
        (quantizer_with(rounding=np.floor), "rounded to the nearest number, plus the zero point"),
        (quantizer_with(rounding=lambda x: np.rint(x) + 2), "should bring back x"),
        (quantizer_with(low_code=lambda bits: -(2 ** (bits - 1))), "that of signed codes"),
        (symmetric, "yours is symmetric about 0"),
        (for_both_signs_only, "yours is symmetric about 0"),
        (fractional, "it must be a whole number"),
        (writes_into_x, "what you were given has changed"),
        (lambda x, bits: quantizer_with()(x, bits)[0], "return three things"),
        (lambda x, bits: (quantizer_with()(x, bits)[0].ravel(), 1, 0), "the shape of x"),
        (lambda x, bits: (quantizer_with()(x, bits)[0], quantizer_with()(x, bits)[1] * 3, 0), "the scale is the range"),
    ],
)
def test_a_wrong_quantizer_gets_its_own_hint(answer, hint):
    assert all_say("18.5", answer, hint)


# --- 18.6: by hand ----------------------------------------------------------------------------------------------------
BY_HAND = [0.02, -78, -3, 3.56, 127, 0.02**2 / 12]


def test_the_numbers_are_those_of_the_package():
    scale, zero = quantization.affine(-1, 4.1)
    codes = quantization.quantize([1.5, 9], scale, zero)
    value = quantization.dequantize(100, scale, zero)
    assert np.allclose([scale, zero, codes[0], value, codes[1], scale**2 / 12], BY_HAND)


@pytest.mark.parametrize("form", [list, tuple, np.array])
def test_the_right_numbers_pass(form):
    assert attempt("18.6", form(BY_HAND)) is None


@pytest.mark.parametrize("rounded", [3.33e-5, 3.3e-5, 0.0000333])
def test_the_variance_passes_as_one_rounds_it(rounded):
    assert attempt("18.6", [*BY_HAND[:5], rounded]) is None


@pytest.mark.parametrize(
    "place, wrong, hint",
    [
        (0, 5.1 / 256, "(a): 256 codes have 255 steps"),
        (0, 0.5, "(a): the scale is the range"),
        (1, 50, "(b): −1 is 50 steps below 0"),
        (1, 0, "(b): only a symmetric grid"),
        (2, 75, "(c): that is 1.5 in steps"),
        (3, 2.0, "(d): subtract the zero point"),
        (3, 0.44, "(d): (100 − z)"),
        (4, 372, "(e): there is no such code"),
        (5, 0.0004, "(f): that is the squared step"),
        (5, 0.02 / 12, "(f): the step has to be squared"),
        (5, ..., "(f) is still to do"),
    ],
)
def test_wrong_numbers_get_their_own_hint(place, wrong, hint):
    assert hint in attempt("18.6", [*BY_HAND[:place], wrong, *BY_HAND[place + 1 :]])


# --- 18.7: small ------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def trained():
    data, rng = load("digits"), np.random.default_rng(0)
    network = layers.initialize((64, 64, 10), rng)
    x = data.x_train[:900].reshape(-1, 64) / np.float32(16)
    layers.train(network, x, data.y_train[:900].astype(int), rng=rng, epochs=15, learning_rate=0.1)
    return network


@pytest.fixture
def trained_once(monkeypatch, trained):
    """The check trains networks of its own; here it gets one that was trained for all tests together."""

    def train(network, x, y, **settings):
        for pair, done in zip(network, trained, strict=True):
            pair[:] = [values.copy() for values in done]

    monkeypatch.setattr(layers, "train", train)


def smaller_by(share, weight_bits, bias_bits=6):
    def smaller(network, x, labels):
        masks = sparsity.keep_largest([sparsity.lamp_scores(w) for w, _ in network], share)
        return [
            [quantization.round_weights(w * mask, weight_bits), quantization.round_weights(b, bias_bits)]
            for (w, b), mask in zip(network, masks, strict=True)
        ]

    return smaller


def test_a_small_network_passes_with_networks_that_the_check_trains():
    assert attempt("18.7", smaller_by(0.5, 5)) is None


def test_a_small_network_passes(trained_once):
    assert outcomes("18.7", smaller_by(0.5, 5), 10) == [None] * 10


def test_size_counts_values_and_indices():
    array = np.repeat(np.float32([0, 1]), 5000)
    assert 8 < stored_size([[array]]) < 60
    noise = np.random.default_rng(0).normal(size=1000).astype("float32")
    assert 3000 < stored_size([[noise]]) < 4100


@pytest.mark.parametrize(
    "answer, hint",
    [
        (lambda network, x, labels: network, "as many bytes as before"),
        (smaller_by(0.1, 8), "are wanted: prune more"),
        (smaller_by(0.97, 5), "be gentler"),
        (lambda network, x, labels: [[0 * w, b] for w, b in network], "be gentler"),
        (lambda network, x, labels: network[:1], "return a list of [weights, bias]"),
        (lambda network, x, labels: [[w[:, :5], b[:5]] for w, b in network], "the shapes should stay"),
        (lambda network, x, labels: [[w * np.nan, b] for w, b in network], "finite numbers"),
    ],
)
def test_too_large_or_too_bad_gets_its_own_hint(trained_once, answer, hint):
    assert all_say("18.7", answer, hint, times=2)


# --- gaps -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "exercise, gap",
    [
        ("18.1", lambda kernels, share: None),
        ("18.2", lambda step, begin, end, initial, final, power: None),
        ("18.3", lambda counts: None),
        ("18.4", [..., ..., ..., ...]),
        ("18.5", lambda x, bits: None),
        ("18.6", [...] * 6),
        ("18.7", lambda network, x, labels: None),
        ("18.4", ...),
        ("18.6", None),
    ],
)
def test_a_gap_is_not_attempted(exercise, gap):
    assert attempt(exercise, gap) is NOT_ATTEMPTED


# --- cases that slipped through once ----------------------------------------------------------------------------------
def counted_by(count):
    """Global pruning with so many zeros as `count(weights, share)` says."""

    def prune_together(kernels, share):
        everything = np.concatenate([w.ravel() for w in kernels])
        everything[np.argsort(np.abs(everything))[: count(everything, share)]] = 0
        ends = np.cumsum([w.size for w in kernels])[:-1]
        return [part.reshape(w.shape) for part, w in zip(np.split(everything, ends), kernels, strict=True)]

    return prune_together


@pytest.mark.parametrize(
    "count",
    [
        lambda w, share: round(share * np.count_nonzero(w)),
        lambda w, share: min(w.size, round(share * w.size) + int((w == 0).sum())),
        lambda w, share: int(share * w.size + 0.5),
    ],
)
def test_zeros_that_were_there_and_halves_are_counted_as_the_text_says(count):
    assert all_say("18.1", counted_by(count), "weights should be 0 for a share of")


@pytest.mark.parametrize("small", [1e-12, 1e-6, -1e-6])
def test_pruned_weights_that_are_nearly_0_are_told(small):
    def nearly(kernels, share):
        return [np.where(w == 0, small, w) for w in pruned_by()(kernels, share)]

    assert all_say("18.1", nearly, "should be 0 exactly", TIMES)


def early_and_late(steps):
    """The right schedule, which begins and ends so many steps too late and too early."""

    def sparsity_due(step, begin, end, initial, final, power):
        if step <= begin + steps[0]:
            return initial
        return final if step >= end - steps[1] else due(step, begin, end, initial, final, power)

    return sparsity_due


@pytest.mark.parametrize("steps", [(1, 0), (0, 1), (3, 0), (0, 3)])
def test_a_schedule_that_is_off_by_one_at_an_end_hears_what_is_due(steps):
    assert outcomes("18.2", early_and_late((0, 0))) == [None] * TIMES
    assert all_say("18.2", early_and_late(steps), "is due, not", TIMES)


def unlimited(step, begin, end, initial, final, power):
    """No limit at the end: a complex number for some powers, in plain Python."""
    return final + (initial - final) * (1 - max((step - begin) / (end - begin), 0)) ** power


def with_power(change):
    return lambda step, begin, end, s0, s1, power: due(step, begin, end, s0, s1, change(power))


def no_limit_of_arrays(*given):
    with np.errstate(invalid="ignore"):
        return unlimited(np.float64(given[0]), *given[1:])


@pytest.mark.parametrize(
    "answer, hint",
    [
        (unlimited, "after `end` the sparsity stays at `final`"),
        (no_limit_of_arrays, "after `end` the sparsity stays at `final`"),
        (with_power(int), "need not be a whole number"),
        (with_power(lambda power: 1), "in a straight line"),
        (with_power(lambda power: 3), "yours is always 3"),
    ],
)
def test_schedules_with_another_power_or_no_end_hear_of_that(answer, hint):
    assert all_say("18.2", answer, hint, TIMES)


def test_letters_may_be_bold():
    assert attempt("18.4", ["**A**", "**B**", "*D*", "C"]) is None and attempt("18.4", "**ABDC**") is None
    assert "1: the zeros are there" in attempt("18.4", ["**B**", "B", "D", "C"])


def zero_point(rounding):
    def quantizer(x, bits):
        _, scale, _ = quantizer_with()(x, bits)
        zero = rounding(-min(x.min(), 0.0) / scale)
        return np.clip(np.rint(x / scale) + zero, 0, 2**bits - 1).astype(int), scale, zero

    return quantizer


@pytest.mark.parametrize("rounding", [round, lambda z: np.floor(z + 0.5), lambda z: np.ceil(z - 0.5)])
def test_half_a_step_may_be_rounded_up_or_down(rounding):
    assert outcomes("18.5", zero_point(rounding), 50) == [None] * 50


@pytest.mark.parametrize(
    "rounding, hint",
    [
        (math.ceil, "rounded to the nearest, that is not"),
        (int, "rounded to the nearest, that is not"),
        (lambda z: -round(z), "the sign of the zero point is wrong"),
        (lambda z: round(z) + 3, "the zero point is the code of 0"),
        (lambda z: 0, "the zero point is the code of 0|rounded to the nearest|signed codes"),
    ],
)
def test_other_zero_points_are_refused_in_each_call(rounding, hint):
    said = outcomes("18.5", zero_point(rounding), 50)
    assert all(any(part in str(one) for part in hint.split("|")) for one in said), said


def test_a_scale_that_is_hardly_off_is_shown_with_enough_digits():
    def off(x, bits):
        codes, scale, zero = quantizer_with()(x, bits)
        return codes, scale * 1.00002, zero

    for said in outcomes("18.5", off):
        right, yours = said.split("steps: ")[1].split(", not ")
        assert right != yours


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_network_that_was_written_into_hears_so(trained_once, place):
    def writes(*given):
        result = smaller_by(0.5, 5)(*given)
        array = given[0][0][0] if place == 0 else given[place]
        array[:] = array[::-1].copy()
        return result

    assert outcomes("18.7", writes, 3) == [CHANGED] * 3


@pytest.mark.parametrize("dtype, hint", [(int, "codes go from 0 to"), ("uint8", "")])
def test_codes_that_are_not_cut_off_are_told(dtype, hint):
    def no_clipping(x, bits):
        _, scale, zero = quantizer_with()(x, bits)
        return (np.rint(x / scale) + zero).astype(dtype), scale, zero

    said = outcomes("18.5", no_clipping, 20)
    assert None not in said and any(hint in one for one in said)
