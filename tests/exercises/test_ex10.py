"""The checks of notebook 10: right answers pass in any dress, gaps are not attempted, mistakes get their hints."""

from fractions import Fraction

import numpy as np
import pytest

from coursekit.exercises import NOT_ATTEMPTED, attempt
from coursekit.layers.attention import positional_encoding

TIMES = 40


def outcomes(exercise, answer, times=TIMES):
    return [attempt(exercise, answer) for _ in range(times)]


def softmax(scores, axis=-1):
    with np.errstate(invalid="ignore"):
        exponentials = np.exp(scores - scores.max(axis=axis, keepdims=True))
        return exponentials / exponentials.sum(axis=axis, keepdims=True)


# --- right answers ----------------------------------------------------------------------------------------------------
COUNTS, LENGTHS, MASKS = [16, 12_800, 16_640, 16_640], [1024, 16, 1000], ["B", "C", "B", "A"]


def causal(q, k, v):
    scores = q @ k.T / np.sqrt(q.shape[1])
    w = softmax(np.where(np.triu(np.ones(scores.shape), 1), -np.inf, scores))
    return w @ v, w


def causal_with_a_large_number(q, k, v):
    w = softmax(q @ k.T / np.sqrt(q.shape[1]) - 1e9 * np.triu(np.ones((len(q), len(k))), 1))
    return w @ v, w


def causal_in_lists(q, k, v):
    return [part.tolist() for part in causal(q, k, v)]


def causal_in_half_precision(q, k, v):
    return tuple(part.astype("float16") for part in causal(q, k, v))


def causal_without_the_largest(q, k, v):
    exponentials = np.tril(np.exp(q @ k.T / np.sqrt(q.shape[1])))
    w = exponentials / exponentials.sum(axis=1, keepdims=True)
    return w @ v, w


def causal_with_keras(q, k, v):
    import keras

    half = [a.astype("float32")[None] for a in (q / q.shape[1] ** 0.5, v, k)]
    outputs, weights = keras.layers.Attention()(half, return_attention_scores=True, use_causal_mask=True)
    return outputs[0], weights[0]


def write(next_scores, longest):
    tokens = [1]
    while len(tokens) <= longest:
        token = int(np.argmax(next_scores(tokens)))
        if token == 2:
            break
        tokens.append(token)
    return tokens[1:]


def write_by_recursion(next_scores, longest, so_far=(1,)):
    token = np.asarray(next_scores(list(so_far))).argmax()
    if token == 2 or len(so_far) > longest:
        return np.array(so_far[1:], dtype=int)
    return write_by_recursion(next_scores, longest, (*so_far, token))


def look_back(width, factor=300.0):
    places = positional_encoding(31, width).astype(float)
    return factor * np.linalg.lstsq(places[1:], places[:-1], rcond=None)[0], np.eye(width)


def look_back_by_turning(width):
    """Every hand turned by its own angle, half of it in the queries and half in the keys."""
    w_q, w_k = np.zeros((width, width)), np.zeros((width, width))
    for i in range(width // 2):
        angle = 10000 ** (-2 * i / width) / 2
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        here = slice(2 * i, 2 * i + 2)
        w_q[here, here], w_k[here, here] = 20 * turn, 20 * turn.T
    return [w_q.tolist(), w_k.astype("float32")]


@pytest.mark.parametrize(
    "exercise, answer",
    [
        ("10.1", 0.4),
        ("10.1", Fraction(2, 5)),
        ("10.1", [np.float32(0.4)]),
        ("10.1", np.array([[0.4]])),
        ("10.2", causal),
        ("10.2", causal_with_a_large_number),
        ("10.2", causal_in_lists),
        ("10.2", causal_in_half_precision),
        ("10.2", causal_without_the_largest),
        ("10.2", lambda q, k, v: [part.round(3) for part in causal(q, k, v)]),
        ("10.3", COUNTS),
        ("10.3", np.array(COUNTS, dtype="float32")),
        ("10.4", MASKS),
        ("10.4", "b c b a"),
        ("10.5", write),
        ("10.5", write_by_recursion),
        ("10.5", lambda scores, longest: [token for token in write(scores, longest) if token not in (1, 2)]),
        ("10.5", lambda scores, longest: tuple(np.int64(token) for token in write(scores, longest))),
        ("10.6", LENGTHS),
        ("10.6", (1024.0, np.int64(16), 1e3)),
        ("10.7", look_back),
        ("10.7", look_back_by_turning),
        ("10.7", lambda width: np.stack(look_back(width, 1000.0))),
    ],
)
def test_what_is_right_passes_in_any_dress(exercise, answer):
    assert outcomes(exercise, answer) == [None] * TIMES


def test_keras_in_single_precision_passes():
    assert outcomes("10.2", causal_with_keras, 10) == [None] * 10


@pytest.mark.parametrize("library", ["tensorflow", "jax.numpy", "torch"])
def test_tensors_of_any_library_pass(library):
    module = pytest.importorskip(library)
    make = getattr(module, {"tensorflow": "constant", "jax.numpy": "asarray", "torch": "tensor"}[library])
    assert attempt("10.1", make(0.4)) is None and attempt("10.3", make([float(one) for one in COUNTS])) is None
    assert attempt("10.2", lambda *given: [make(part) for part in causal(*given)]) is None
    assert attempt("10.7", lambda width: [make(part) for part in look_back(width)]) is None


# --- gaps -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("exercise", ["10.2", "10.5", "10.7"])
def test_a_function_with_a_gap_is_not_attempted(exercise):
    assert attempt(exercise, lambda *_: None) is attempt(exercise, lambda *_: ...) is NOT_ATTEMPTED


@pytest.mark.parametrize("exercise, places", [("10.3", 4), ("10.4", 4), ("10.6", 3)])
def test_a_list_of_gaps_is_not_attempted(exercise, places):
    assert attempt(exercise, ...) is attempt(exercise, [...] * places) is NOT_ATTEMPTED
    assert attempt("10.1", ...) is NOT_ATTEMPTED


# --- mistakes ---------------------------------------------------------------------------------------------------------
def with_weights(weights_of):
    def attend(q, k, v):
        w = weights_of(q @ k.T / np.sqrt(q.shape[1]), np.triu(np.ones((len(q), len(k)), bool), 1))
        return w @ v, w

    return attend


def with_place(right, place, wrong):
    return [*right[:place], wrong, *right[place + 1 :]]


def written(change):
    return lambda scores, longest: change(write(scores, longest), scores, longest)


def ends_kept(scores, longest):
    tokens = [1]
    while len(tokens) <= longest and tokens[-1] != 2:
        tokens.append(int(np.argmax(scores(tokens))))
    return tokens[1:]


def from_the_start_each_time(scores, longest):
    tokens = []
    while len(tokens) < longest:
        token = int(np.argmax(scores([1])))
        if token == 2:
            break
        tokens.append(token)
    return tokens


def lowest(scores, longest):
    return write(lambda tokens: -np.asarray(scores(tokens)), longest)


def largest_scores(scores, longest):
    tokens = [1]
    while len(tokens) <= longest:
        tokens.append(np.max(scores(tokens)))
    return tokens[1:]


def stops_at_once(scores, longest):
    scores([1])
    return []


def hidden_by(low):
    return with_weights(lambda s, later: softmax(np.where(later, low, s)))


def causal_into_its_queries(q, k, v):
    q /= np.sqrt(q.shape[1])
    return causal(q * np.sqrt(q.shape[1]), k, v)


def causal_in_single_precision(q, k, v):
    exponentials = np.tril(np.exp(np.float32(q @ k.T / np.sqrt(q.shape[1]))))
    with np.errstate(invalid="ignore"):
        w = exponentials / exponentials.sum(axis=1, keepdims=True)
    return w @ v, w


def turns_for_known_widths(width):
    return look_back(width) if width in (16, 32, 48, 64) else (np.eye(width), np.eye(width))


def never_ends(scores, longest):
    while True:
        scores([1])


def forgets_to_return(scores, longest):
    write(scores, longest)


def forward(width):
    w_q, w_k = look_back(width)
    return w_k, w_q


@pytest.mark.parametrize(
    "exercise, mistake, hint",
    [
        ("10.1", 0.25, "query is (0, 0)"),
        ("10.1", 0.5, "count the ones"),
        ("10.1", 2 / 3, "all four exponentials"),
        ("10.1", 0.71, "section 1"),
        ("10.1", 2, "divide it by the sum"),
        ("10.1", np.log(2), "that is the dog's score"),
        ("10.1", 40, "percentage"),
        ("10.1", 0.352, "no scale"),
        ("10.1", 0.9, "not yet"),
        ("10.1", "0.4", "plain number"),
        ("10.1", [0.4, 0.2, 0.2, 0.2], "give one number"),
        ("10.2", with_weights(lambda s, later: softmax(s)), "without a mask"),
        ("10.2", lambda q, k, v: causal(q * q.shape[1] ** 0.5, k, v), "scale is missing"),
        ("10.2", lambda q, k, v: causal(q / q.shape[1] ** 0.5, k, v), "divided by d"),
        ("10.2", with_weights(lambda s, later: softmax(np.where(later.T, -np.inf, s))), "other triangle"),
        ("10.2", with_weights(lambda s, later: softmax(np.where(~later.T, -np.inf, s))), "itself"),
        ("10.2", with_weights(lambda s, later: softmax(np.where(later, 0, s))), "exp(0) = 1"),
        ("10.2", with_weights(lambda s, later: np.where(later, 0, softmax(s))), "before softmax"),
        ("10.2", with_weights(lambda s, later: softmax(np.where(later, -np.inf, s), axis=0)), "columns"),
        ("10.2", lambda q, k, v: causal(k, q, v), "changed places"),
        ("10.2", with_weights(lambda s, later: softmax(np.where(~later.T, -1e9, s))), "the first one too"),
        ("10.2", lambda q, k, v: causal(q * np.sqrt(q.shape[1] / v.shape[1]), k, v), "not of a value's"),
        ("10.2", hidden_by(-10), "comes later"),
        ("10.2", hidden_by(-100), "where all scores are near -150: key"),
        ("10.2", causal_in_single_precision, "subtract each row's largest score"),
        ("10.2", causal_into_its_queries, "has changed"),
        ("10.2", lambda q, k, v: (*causal(q, k, v), v.fill(0))[:2], "has changed"),
        ("10.2", lambda q, k, v: causal(q, k, v)[0], "two things"),
        ("10.2", lambda q, k, v: causal(q, k, v)[::-1], "outputs come first"),
        ("10.2", lambda q, k, v: (v, causal(q, k, v)[1]), "weights @ values"),
        ("10.2", lambda q, k, v: causal(q + 0.1, k, v), "should be"),
        ("10.2", lambda q, k, v: ("a", causal(q, k, v)[1]), "arrays of numbers"),
        ("10.3", with_place(COUNTS, 0, 64), "share it"),
        ("10.3", with_place(COUNTS, 0, 4), "number of heads"),
        ("10.3", with_place(COUNTS, 1, 3200), "each head"),
        ("10.3", with_place(COUNTS, 1, 1280), "each of the 10 keys"),
        ("10.3", with_place(COUNTS, 2, 16_384), "biases"),
        ("10.3", with_place(COUNTS, 2, 12_480), "one layer is missing"),
        ("10.3", with_place(COUNTS, 2, 66_560), "share the width"),
        ("10.3", with_place(COUNTS, 3, 33_280), "more parts"),
        ("10.3", with_place(COUNTS, 3, 5), "(d): not yet"),
        ("10.4", with_place(MASKS, 0, "C"), "may look at later words"),
        ("10.4", with_place(MASKS, 1, "B"), "what it is to say next"),
        ("10.4", with_place(MASKS, 1, "A"), "what it is to say next"),
        ("10.4", with_place(MASKS, 2, "C"), "all of it is there"),
        ("10.4", with_place(MASKS, 3, "B"), "nothing was filled up"),
        ("10.4", with_place(MASKS, 3, "D"), "because it is long"),
        ("10.5", written(lambda tokens, scores, longest: [1, *tokens]), "start token is not part"),
        ("10.5", ends_kept, "end token is not part"),
        ("10.5", lambda scores, longest: write(scores, longest + 1), "one token too many"),
        ("10.5", lambda scores, longest: write(scores, longest - 1), "one token is missing"),
        ("10.5", from_the_start_each_time, "next_scores gets next"),
        ("10.5", lowest, "lowest score"),
        ("10.5", stops_at_once, "should be ["),
        ("10.5", written(lambda tokens, scores, longest: tokens[:-1]), "is missing"),
        ("10.5", lambda scores, longest: write(scores, 40), ""),
        ("10.5", largest_scores, "not the score itself"),
        ("10.5", never_ends, "does your loop end"),
        ("10.5", forgets_to_return, "return"),
        ("10.5", lambda scores, longest: [3, 4], "never called"),
        ("10.5", lambda scores, longest: scores([3]), "begins with the start token"),
        ("10.5", written(lambda tokens, scores, longest: str(tokens)), "list of tokens"),
        ("10.6", with_place(LENGTHS, 0, 512), "at n = d"),
        ("10.6", with_place(LENGTHS, 0, 2048), "subtract"),
        ("10.6", with_place(LENGTHS, 1, 4), "as many keys"),
        ("10.6", with_place(LENGTHS, 1, 64), "n × n"),
        ("10.6", with_place(LENGTHS, 2, 1), "that is attention"),
        ("10.6", with_place(LENGTHS, 2, 8000), "eight matrices"),
        ("10.7", lambda width: (np.eye(width) * 300, np.eye(width)), "at itself"),
        ("10.7", forward, "other direction"),
        ("10.7", turns_for_known_widths, "at itself"),
        ("10.7", lambda width: look_back(width, 5.0), "make the scores larger"),
        ("10.7", lambda width: (np.zeros((width, width)), np.eye(width)), "all weights are alike"),
        ("10.7", lambda width: look_back(64), "should have the shape"),
        ("10.7", lambda width: look_back(width)[0], "two matrices"),
        ("10.7", lambda width: (look_back(width)[0] * np.nan, np.eye(width)), "finite"),
        ("10.7", lambda width: (np.diag(np.arange(width)), np.eye(width)), "of its weight to place"),
    ],
)
def test_each_mistake_gets_its_own_hint(exercise, mistake, hint):
    for said in outcomes(exercise, mistake):
        assert isinstance(said, str) and hint in said


def test_a_hint_shows_a_difference_and_not_a_long_list():
    for said in outcomes("10.2", lambda q, k, v: causal(q + 0.1, k, v)):
        right, yours = (part.split(",")[0] for part in said.split("should be ")[1].split("yours is "))
        assert right != yours
    assert all(len(said) < 160 for said in outcomes("10.5", lambda scores, longest: write(scores, 40)))
