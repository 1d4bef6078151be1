"""The checks of notebook 19: right answers pass, gaps are not attempted, each mistake gets its own hint."""

import math
import warnings

import numpy as np
import pytest

from coursekit.compression.centroids import optimal_centroids
from coursekit.exercises import NOT_ATTEMPTED, attempt
from coursekit.exercises.answers import CHANGED, ROUNDED

TIMES = 30


def outcomes(exercise, answer, times=TIMES):
    return [attempt(exercise, answer) for _ in range(times)]


def all_hints(exercise, answer, times=5):
    with warnings.catch_warnings(action="ignore"):  # means of empty clusters
        return outcomes(exercise, answer, times)


# --- 19.1: a round of k-means -----------------------------------------------------------------------------------------
def one_round(mean=np.mean, middle=lambda a, b: (a + b) / 2, empty=lambda c: c):
    """A round with something done in another way."""

    def answer(weights, centroids):
        boundaries = middle(centroids[:-1], centroids[1:])
        which = np.searchsorted((centroids[1:] + centroids[:-1]) / 2, weights)
        new = [mean(weights[which == j]) if np.any(which == j) else empty(c) for j, c in enumerate(centroids)]
        return boundaries, np.array(new)

    return answer


def swapped(weights, centroids):
    return one_round()(weights, centroids)[::-1]


def with_ends(weights, centroids):
    boundaries, new = one_round()(weights, centroids)
    return np.concatenate([[weights.min()], boundaries, [weights.max()]]), new


def only_where_weights_are(weights, centroids):
    """Right if the clusters without weights are the last ones."""
    boundaries = (centroids[1:] + centroids[:-1]) / 2
    which = np.searchsorted(boundaries, weights)
    new = [weights[which == j].mean() for j in np.unique(which)]
    return boundaries, np.append(new, centroids[len(new) :])


def between_the_new(weights, centroids):
    _, new = one_round()(weights, centroids)
    return (new[1:] + new[:-1]) / 2, new


def nothing_where_one_is_empty(weights, centroids):
    boundaries, new = one_round()(weights, centroids)
    return None if np.any(new == centroids) else (boundaries, new)


def test_a_round_passes():
    assert outcomes("19.1", one_round()) == [None] * TIMES


def test_a_round_as_lists_passes():
    assert attempt("19.1", lambda w, c: tuple(list(part) for part in one_round()(w, c))) is None


def test_a_round_not_written_is_not_attempted():
    assert attempt("19.1", lambda weights, centroids: None) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "answer, hint",
    [
        (one_round(empty=lambda c: 0.0), "a cluster without weights keeps its centroid"),
        (one_round(empty=lambda c: np.nan), "a cluster without weights has no mean"),
        (one_round(mean=np.median), "that is the median"),
        (one_round(mean=np.sum), "those are sums"),
        (one_round(middle=lambda a, b: a), "half-way between two neighbors"),
        (one_round(middle=lambda a, b: a + (b - a) / 3), "equally far from both"),
        (lambda w, c: ((c[1:] + c[:-1]) / 2, c), "have not moved"),
        (swapped, "return them first"),
        (with_ends, "boundaries, not"),
        (lambda w, c: c, "return two arrays"),
        (only_where_weights_are, "not the means of the weights"),
        (between_the_new, "not between the new ones"),
        (lambda w, c: tuple(part[None] for part in one_round()(w, c)), "return flat arrays"),
        (nothing_where_one_is_empty, "with a cluster without weights your function returns nothing"),
    ],
)
def test_wrong_rounds_get_their_own_hint(answer, hint):
    assert any(hint in str(one) for one in all_hints("19.1", answer))
    assert None not in all_hints("19.1", answer)


def test_a_round_for_one_example_fails():
    assert attempt("19.1", lambda w, c: (np.zeros(len(c) - 1), np.ones(len(c)))) is not None


# --- 19.2: sizes ------------------------------------------------------------------------------------------------------
SIZES = [73728, 9280, 13312, 4096 / 13312, 11588, 342]


def instead(place, wrong):
    return [*SIZES[:place], wrong, *SIZES[place + 1 :]]


def test_sizes_pass_in_any_form():
    for form in (list, tuple, np.array, lambda values: [np.float64(value) for value in values]):
        assert attempt("19.2", form(SIZES)) is None


def test_a_share_in_two_decimals_passes():
    assert attempt("19.2", instead(3, 0.31)) is None and attempt("19.2", instead(3, 0.3)) is not None


def test_the_sizes_are_those_of_packed_bits():
    weights = np.arange(64 * 3 * 3 * 32) % 16
    packed = np.packbits((weights[:, None] >> np.arange(4) & 1).astype("uint8")).nbytes
    assert packed + np.zeros(16, "float32").nbytes == SIZES[1]
    assert packed + np.zeros((64, 16), "float32").nbytes == SIZES[2]
    smaller = [n for n in range(1, 500) if n + 256 * 4 < 4 * n]
    assert smaller[0] == SIZES[5]


@pytest.mark.parametrize("answer", [..., None, [..., ..., ..., ..., ..., ...]])
def test_gaps_in_sizes_are_not_attempted(answer):
    assert attempt("19.2", answer) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "answer, hint",
    [
        (instead(0, 18432), "(a): a float32 takes 4 bytes"),
        (instead(1, 9216), "(b): and the codebook"),
        (instead(1, 18432 + 64), "(b): 16 centroids need 4 bits"),
        (instead(2, 9280), "(c): each of the 64 filters"),
        (instead(2, 64 * 9280), "(c): there are no more indices"),
        (instead(3, 4096 / 9216), "(d): as a share of the whole"),
        (instead(4, 9216 + 68), "(e): 17 kinds"),
        (instead(5, 341), "(f): at 341"),
        (instead(5, 1024 / 3), "(f): a whole number"),
        (instead(1, ...), "(b) is still to do"),
        (instead(1, "many"), "(b) should be a plain number"),
        (SIZES[:4], "give a list of 6 numbers"),
    ],
)
def test_wrong_sizes_get_their_own_hint(answer, hint):
    assert hint in attempt("19.2", answer)


# --- 19.3: bits of a layer --------------------------------------------------------------------------------------------
def layer_size(log=np.log2, each=4, whole=math.ceil, book=True, factor=1.0):
    def answer(weights):
        _, counts = np.unique(weights, return_counts=True)
        p = counts / counts.sum()
        bits = float(-(p * log(p)).sum()) * factor
        return bits, whole(bits * weights.size / 8) + (each * len(counts) if book else 0)

    return answer


def fixed_width(weights):
    k = len(np.unique(weights))
    return math.log2(k), math.ceil(math.log2(k) * weights.size / 8) + 4 * k


def of_all(weights):
    bits, size = layer_size()(weights)
    return bits * weights.size, size


def test_bits_of_a_layer_pass():
    assert outcomes("19.3", layer_size()) == [None] * TIMES


def test_bits_not_written_are_not_attempted():
    assert attempt("19.3", lambda weights: None) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "answer, hint",
    [
        (layer_size(log=np.log), "those are nats"),
        (fixed_width, "fixed width"),
        (of_all, "bits for one weight"),
        (layer_size(book=False), "the codebook is missing"),
        (layer_size(each=1), "32 bits, which are 4 bytes"),
        (layer_size(whole=float), "round the stream up"),
        (layer_size(whole=math.floor), "round up, not down"),
        (layer_size(factor=-1.0), "the sign is wrong"),
        (lambda weights: 3.0, "return two numbers"),
        (layer_size(whole=round), "round up, not down"),
        (lambda w: layer_size(each=w.itemsize)(w), "bytes are needed"),
        (lambda w: layer_size()(w[w != 0]) if np.any(w) else (0.0, 4), "bits each, not"),
        (lambda w: layer_size()(w) if len(np.unique(w)) > 1 else None, "with a tensor of one value"),
        (lambda w: layer_size()(np.abs(w)), "a value and its negative are two values"),
        (lambda w: layer_size()(np.round(w, 4)), "don't round them"),
        (lambda w: layer_size()(np.float16(w)), "don't round them"),
    ],
)
def test_wrong_bits_get_their_own_hint(answer, hint):
    found = outcomes("19.3", answer, 5)
    assert any(hint in str(one) for one in found) and None not in found


def test_bits_may_be_rounded_and_an_array():
    rounded = lambda weights: (round(layer_size()(weights)[0], 4), layer_size()(weights)[1])
    assert attempt("19.3", rounded) is None and attempt("19.3", lambda w: np.array(layer_size()(w))) is None


def test_bits_for_one_example_fail():
    assert attempt("19.3", lambda weights: (1.5, 100)) is not None


# --- 19.4: the gradient of a codebook ---------------------------------------------------------------------------------
def summed(slopes, indices, k):
    return np.bincount(indices.ravel(), weights=slopes.ravel(), minlength=k)


def last_wins(slopes, indices, k):
    gradient = np.zeros(k)
    gradient[indices] += slopes
    return gradient


def those_used_first(slopes, indices, k):
    """Right if the centroids that no weight uses are the last ones."""
    used = [slopes[indices == j].sum() for j in np.unique(indices)]
    return used + [0] * (k - len(used))


def test_gradients_pass():
    assert outcomes("19.4", summed) == [None] * TIMES
    assert attempt("19.4", lambda s, i, k: np.array([s[i == j].sum() for j in range(k)])) is None


def test_a_gradient_not_written_is_not_attempted():
    assert attempt("19.4", lambda slopes, indices, k: None) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "answer, hint",
    [
        (lambda s, i, k: summed(s, i, k) / np.maximum(np.bincount(i.ravel(), minlength=k), 1), "without dividing"),
        (lambda s, i, k: np.bincount(i.ravel(), minlength=k), "that counts the weights"),
        (lambda s, i, k: np.bincount(i.ravel(), weights=s.ravel()), "a centroid that no weight uses"),
        (last_wins, "adds only one slope"),
        (lambda s, i, k: -summed(s, i, k), "the sign is wrong"),
        (lambda s, i, k: s, "your answer has the shape"),
        (lambda s, i, k: np.zeros(k), "add up the slopes"),
        (lambda s, i, k: np.append(np.bincount(i.ravel(), weights=s.ravel()), 0), "your answer has the shape"),
        (lambda s, i, k: [*(s[i == j].sum() for j in range(k - 1)), 0], "add up the slopes"),
        (those_used_first, "add up the slopes"),
    ],
)
def test_wrong_gradients_get_their_own_hint(answer, hint):
    assert hint in attempt("19.4", answer)


# --- 19.5: reasons ----------------------------------------------------------------------------------------------------
LETTERS = ["B", "A", "C", "E", "D"]


def test_reasons_pass():
    assert attempt("19.5", LETTERS) is None
    assert attempt("19.5", "bACed".upper()) is None


@pytest.mark.parametrize("answer", [..., None, [...] * 5])
def test_gaps_in_reasons_are_not_attempted(answer):
    assert attempt("19.5", answer) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "answer, hint",
    [
        (["A", *LETTERS[1:]], "1: the few values are there"),
        (["B", "F", "C", "E", "D"], "2: averages of the optimizer"),
        (["B", "B", "C", "E", "D"], "2: who needs the old floats"),
        (["B", "A", "A", "E", "D"], "3: plain layers"),
        (["B", "A", "C", "D", "D"], "4: 16 values are there"),
        (["B", "A", "C", "E", "A"], "5: few values for each filter"),
        (["B", "A", ..., "E", "D"], "3 is still to do"),
        (["B", "A", "X", "E", "D"], "3 should be one of the letters"),
        (["B", "A"], "give five letters"),
    ],
)
def test_wrong_reasons_get_their_own_hint(answer, hint):
    assert hint in attempt("19.5", answer)


# --- 19.6: 0 among the centroids --------------------------------------------------------------------------------------
def with_zero(weights, k, n_below=None):
    below, above = weights[weights < 0], weights[weights > 0]
    n = int(np.round((k - 1) * below.size / (below.size + above.size))) if n_below is None else n_below(k)
    sides = np.linspace(below.min(), below.max(), n), [0.0], np.linspace(above.min(), above.max(), k - 1 - n)
    return np.concatenate(sides)


def to_zero(weights, k):
    n = (with_zero(weights, k) < 0).sum()
    return np.concatenate([np.linspace(weights.min(), 0, n), [0.0], np.linspace(0, weights.max(), k - 1 - n)])


def quantiles(weights, k):
    n = (with_zero(weights, k) < 0).sum()
    below, above = weights[weights < 0], weights[weights > 0]
    sides = np.quantile(below, np.linspace(0, 1, n)), [0.0], np.quantile(above, np.linspace(0, 1, k - 1 - n))
    return np.concatenate(sides)


def one_for_each_side(weights, k):
    """At least one centroid for a side, however small its share."""
    return with_zero(weights, k, lambda k: int(np.clip((with_zero(weights, k) < 0).sum(), 1, k - 2)))


def test_zero_passes():
    assert outcomes("19.6", with_zero, 10) == [None] * 10


def test_a_side_with_a_share_of_nothing_gets_no_centroid():
    assert all("gets no centroid" in one for one in outcomes("19.6", one_for_each_side, 5))


def test_zero_not_written_is_not_attempted():
    assert attempt("19.6", lambda weights, k: None) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "answer, hint",
    [
        (lambda w, k: np.linspace(w.min(), w.max(), k), "linear over all weights"),
        (lambda w, k: with_zero(w, k, lambda k: (k - 1) // 2), "in proportion"),
        (to_zero, "0 should be there once"),
        (quantiles, "but not their places"),
        (lambda w, k: with_zero(w, k)[::-1], "should be sorted"),
        (lambda w, k: with_zero(w, k + 1), "centroids are wanted"),
        (lambda w, k: with_zero(w, k) + 0.01, "0 is not among"),
        (lambda w, k: with_zero(w, k) + 1e-6, "0 is not among"),
    ],
)
def test_wrong_zeros_get_their_own_hint(answer, hint):
    assert any(hint in str(one) for one in outcomes("19.6", answer, 8))
    assert outcomes("19.6", answer, 8).count(None) == 0


# --- 19.7: a budget ---------------------------------------------------------------------------------------------------
def clustered(k, k_bias):
    def answer(network, x, labels):
        found = []
        for pair in network:
            found.append([])
            for values in pair:
                c = optimal_centroids(values.ravel(), k if values.ndim == 2 else k_bias)
                found[-1].append(np.float32(c)[np.searchsorted((c[1:] + c[:-1]) / 2, values)])
        return found

    return answer


def test_a_budget_is_kept():
    assert outcomes("19.7", clustered(6, 4), 3) == [None] * 3


def test_a_budget_not_written_is_not_attempted():
    assert attempt("19.7", lambda network, x, labels: None) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "answer, hint",
    [
        (lambda network, x, labels: network, "as many different values as before"),
        (clustered(32, 16), "are wanted: fewer values"),
        (lambda network, x, labels: [[w * 0, b * 0] for w, b in network], "right where the original has"),
        (lambda network, x, labels: network[:1], "return a list of [weights, bias]"),
        (lambda network, x, labels: [[w[:5], b] for w, b in network], "shapes should stay"),
        (lambda network, x, labels: [[w * np.nan, b] for w, b in network], "finite numbers"),
    ],
)
def test_broken_budgets_get_their_own_hint(answer, hint):
    assert hint in attempt("19.7", answer)


def test_remembering_the_examples_is_of_no_use():
    """A network that ignores its input can't be right on other digits."""
    said = attempt("19.7", lambda network, x, labels: [[w * 0 + 0.5, b * 0] for w, b in network])
    assert "right where the original has" in said


# --- cases that slipped through once ----------------------------------------------------------------------------------
def half_up(value):
    return int(np.floor(value + 0.5))


@pytest.mark.parametrize(
    "n_below, place",
    [
        (lambda share, k: half_up((k - 1) * share), np.linspace),
        (lambda share, k: (k - 1) - int(np.round((k - 1) * (1 - share))), np.linspace),
        (None, lambda low, high, n: [high] if n == 1 else np.linspace(low, high, n)),
    ],
)
def test_shares_and_a_single_centroid_are_those_of_the_text(n_below, place):
    def answer(weights, k):
        below, above = weights[weights < 0], weights[weights > 0]
        share = below.size / (below.size + above.size)
        n = n_below(share, k) if n_below else int(np.round((k - 1) * share))
        sides = np.linspace(below.min(), below.max(), n), [0.0], place(above.min(), above.max(), k - 1 - n)
        return np.concatenate(sides)

    assert None not in outcomes("19.6", answer, 5)


def test_weights_that_repeat_count_as_often_as_they_come():
    assert None not in outcomes("19.1", lambda weights, centroids: one_round()(np.unique(weights), centroids), 5)

    def different_values(weights, k):
        below, above = np.unique(weights[weights < 0]), np.unique(weights[weights > 0])
        n = int(np.round((k - 1) * below.size / (below.size + above.size)))
        sides = np.linspace(below.min(), below.max(), n), [0.0], np.linspace(above.min(), above.max(), k - 1 - n)
        return np.concatenate(sides)

    assert None not in outcomes("19.6", different_values, 5)


def test_whole_numbers_are_not_cut_off():
    def in_the_type_of_the_centroids(weights, centroids):
        boundaries, means = one_round()(weights, centroids)
        moved = centroids.copy()
        moved[:] = means
        return boundaries, moved

    assert all("cuts means off" in one for one in outcomes("19.1", in_the_type_of_the_centroids))


def until_rest(both):
    def answer(weights, centroids):
        boundaries = (centroids[1:] + centroids[:-1]) / 2
        for _ in range(200):
            centroids = one_round()(weights, centroids)[1]
        return ((centroids[1:] + centroids[:-1]) / 2 if both else boundaries), centroids

    return answer


@pytest.mark.parametrize("both", [True, False])
def test_many_rounds_hear_that_one_is_wanted(both):
    at_rest_at_once = "not between the new ones"  # where one round was enough
    said = outcomes("19.1", until_rest(both))
    assert all("one round only" in one or at_rest_at_once in one for one in said)
    assert any("one round only" in one for one in said)


def with_digits(answer, digits, part=None):
    """A right answer, rounded: one part of it, or all of it."""

    def rounding(*given):
        right = answer(*given)
        if part is None:
            return np.round(right, digits)
        return tuple(np.round(one, digits) if i == part else one for i, one in enumerate(right))

    return rounding


@pytest.mark.parametrize("digits", [2, 3])
@pytest.mark.parametrize(
    "exercise, answer, part",
    [("19.1", one_round(), 0), ("19.1", one_round(), 1), ("19.4", summed, None), ("19.6", with_zero, None)],
)
def test_rounded_results_hear_that_they_are_rounded(exercise, answer, part, digits):
    assert outcomes(exercise, with_digits(answer, digits, part), 20) == [ROUNDED] * 20


def bytes_of_rounded_bits(cut, digits):
    def answer(weights):
        bits, size = layer_size()(weights)
        shorter = cut(bits * 10**digits) / 10**digits
        return bits, size + math.ceil(shorter * weights.size / 8) - math.ceil(bits * weights.size / 8)

    return answer


@pytest.mark.parametrize("digits", [1, 2, 3, 4])
@pytest.mark.parametrize("cut", [round, math.floor])
def test_an_entropy_rounded_before_the_bytes_is_found_in_each_call(cut, digits):
    said = outcomes("19.3", bytes_of_rounded_bits(cut, digits), 20)
    assert all("the entropy was rounded" in str(one) or "and nothing before that" in str(one) for one in said), said


def in_bins(weights):
    counts = np.histogram(weights, 256)[0]
    p = counts[counts > 0] / weights.size
    bits = float(-(p * np.log2(p)).sum())
    return bits, math.ceil(bits * weights.size / 8) + 4 * len(p)


@pytest.mark.parametrize(
    "answer, hint",
    [
        (lambda w: layer_size()(np.round(w, 2)), "values that differ a little are different values"),
        (in_bins, "values that differ a little are different values"),
        (lambda w: layer_size()(w)[::-1], "the other way round"),
        (lambda w: (layer_size()(w)[0], layer_size()(w)[1] + 100), "bytes are needed"),
    ],
)
def test_other_mistakes_in_bits_get_their_own_hint_in_each_call(answer, hint):
    assert all(hint in str(one) for one in outcomes("19.3", answer, 20))


def test_bits_in_single_precision_pass():
    def single(weights):
        counts = np.unique(weights, return_counts=True)[1]
        p = np.float32(counts / counts.sum())
        bits = -(p * np.log2(p)).sum()
        return bits, int(np.ceil(bits * np.float32(weights.size) / 8)) + 4 * len(counts)

    assert outcomes("19.3", single, 5).count(None) >= 4  # a byte that hangs on the last digit may come


def test_letters_may_be_bold():
    assert attempt("19.5", [f"**{letter}**" for letter in LETTERS]) is None


def test_a_network_that_was_written_into_hears_so():
    def writes(network, x, labels):
        result = clustered(6, 4)(network, x, labels)
        network[0][0][...] = result[0][0]
        return result

    assert attempt("19.7", writes) == CHANGED


# --- what was handed in stays as it was -------------------------------------------------------------------------------
def writing(answer):
    """The right answer, which then turns the first array that it was given around, as an in-place sort would."""

    def changing(array, *more):
        result = answer(array, *more)
        array[...] = array[::-1].copy()
        return result

    return changing


@pytest.mark.parametrize(
    "exercise, answer",
    [
        ("19.1", one_round()),
        ("19.3", layer_size()),
        ("19.4", summed),
        ("19.6", with_zero),
    ],
)
def test_an_answer_that_writes_into_what_it_was_given_hears_so(exercise, answer):
    assert attempt(exercise, writing(answer)) == CHANGED
    assert attempt(exercise, answer) is None
