"""The checks of notebook 10, Attention and the transformer."""

import numpy as np

from coursekit.exercises import NOT_ATTEMPTED, exercise
from coursekit.exercises.answers import CHANGED, changed, compare_letters, compare_numbers, missing, numbers, parts_of

# --- 10.1 -------------------------------------------------------------------------------------------------------------
_WEIGHT_HINTS = {
    0.25: "that is the weight if the query is (0, 0); here the dog's score is ln 2",
    0.5: "count the ones below the line: saw, shoe and it have a score of 0 each, and exp(0) = 1",
    2 / 3: "below the line stand all four exponentials, not two of them",
    1 / 3: "below the line stand four exponentials: the dog's and three ones",
    2.0: "that is the dog's exponential; divide it by the sum of all four",
    np.log(2): "that is the dog's score; the weight comes from the exponentials",
    np.log(2) / (np.log(2) + 3): "the exponentials are missing: exp(0) = 1, and exp(ln 2) = 2",
    0.7112: "that is the weight for the query (2, 0) of section 1",
    2 ** (0.5**0.5) / (2 ** (0.5**0.5) + 3): "there is no scale in this exercise: the score is ln 2 itself",
    0.6: "that is what the other three words get together",
    0.2: "that is the weight of one of the other words",
    40.0: "right as a percentage; a weight lies between 0 and 1",
}


@exercise("10.1")
def check_weight(answer):
    """One number, 0.4, alone or in a list."""
    if missing(answer):
        return NOT_ATTEMPTED
    number = numbers(answer)
    given = number.ravel().tolist() if number is not None and number.size == 1 else answer
    otherwise = "not yet; write down the four scores, their exponentials, and the sum of these"
    if not isinstance(given, (list, tuple)):
        return f"the weight should be a plain number, not {repr(answer)[:40]}"
    if len(given) != 1:
        return "give one number: the dog's weight, and no other"
    return compare_numbers(given, {"the weight": 0.4}, {"the weight": _WEIGHT_HINTS}, otherwise, atol=0.004)


# --- 10.2 -------------------------------------------------------------------------------------------------------------
def _softmax(scores, axis=-1):
    with np.errstate(invalid="ignore"):  # a mistake below hides a whole row: NaN, as the student would get
        exponentials = np.exp(scores - scores.max(axis=axis, keepdims=True))
        return exponentials / exponentials.sum(axis=axis, keepdims=True)


def _truth(queries, keys, values):
    """Word by word, from the words so far: another way than the page's, so that both can't share a mistake."""
    weights = np.zeros((len(queries), len(keys)))
    for i, query in enumerate(queries):
        weights[i, : i + 1] = _softmax(keys[: i + 1] @ query / np.sqrt(len(query)))
    return weights @ values, weights


def _mistakes(queries, keys, d_v):
    """What each likely mistake gives as weights, with what to say about it."""
    d, n = queries.shape[1], len(queries)
    scores, later = queries @ keys.T / np.sqrt(d), np.triu(np.ones((n, n), bool), 1)
    return {
        "these are the weights without a mask: each word still sees later ones": _softmax(scores),
        "neither scale nor mask: divide the scores by √d, then hide what comes later": _softmax(scores * np.sqrt(d)),
        "the scale is missing: divide the scores by √d": _softmax(np.where(later, -np.inf, scores * np.sqrt(d))),
        "the scale is √d, and you divided by d": _softmax(np.where(later, -np.inf, scores / np.sqrt(d))),
        "the scale is the root of a query's length, not of the number of words": _softmax(
            np.where(later, -np.inf, scores * np.sqrt(d / n))
        ),
        "the scale is the root of a query's length, not of a value's": _softmax(
            np.where(later, -np.inf, scores * np.sqrt(d / d_v))
        ),
        "this hides the earlier words: the other triangle": _softmax(np.where(later.T, -np.inf, scores)),
        "a word may look at itself: hide only what comes after it": _softmax(np.where(~later.T, -np.inf, scores)),
        "a word may look at itself, the first one too: hide only what comes after": _softmax(
            np.where(~later.T, -1e9, scores)
        ),
        "a score of 0 is not a weight of 0: exp(0) = 1": _softmax(np.where(later, 0, scores)),
        "the rows no longer add up to 1: hide the scores, before softmax": np.where(later, 0, _softmax(scores)),
        "the columns add up to 1, the rows should": _softmax(np.where(later, -np.inf, scores), axis=0),
        "queries and keys have changed places": _softmax(np.where(later, -np.inf, scores.T)),
    }


_FAR_BELOW = 150  # where all scores lie in one of the cases: -100 hides nothing there


def _vectors(rng, n, d, d_v, below=0):
    """Queries, keys and values; with `below`, every score of query and key is near -below."""
    queries, keys, values = rng.normal(size=(n, d)), rng.normal(size=(n, d)), rng.normal(size=(n, d_v))
    if below:
        length = (below * np.sqrt(d)) ** 0.5
        queries, keys = queries * 0.05, keys * 0.05
        queries[:, 0], keys[:, 0] = queries[:, 0] + length, keys[:, 0] - length
    return queries, keys, values


@exercise("10.2")
def check_causal_attention(attend):
    """Several sizes, a single word among them, scores of both signs, and scores that are all far below 0."""
    rng = np.random.default_rng()
    # d ≠ d_v ≠ n, so that no transposed matrix fits
    for n, d, d_v, below in [(5, 3, 2, 0), (4, 8, 6, 0), (1, 2, 3, 0), (4, 5, 3, _FAR_BELOW)]:
        was = queries, keys, values = _vectors(rng, n, d, d_v, below)
        truth = _truth(queries, keys, values)
        given = [part.copy() for part in was]
        got = attend(*given)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, list(was)):
            return CHANGED
        parts = parts_of(got, 2)
        if parts is None:
            return "return two things: the outputs and the weights"
        if all(map(missing, parts)):
            return NOT_ATTEMPTED
        outputs, weights = map(numbers, parts)  # lists, float32, other libraries' tensors
        if outputs is None or weights is None:
            return "outputs and weights should be arrays of numbers"
        mistakes = {} if below else _mistakes(queries, keys, d_v)  # far below 0, other mistakes give the same
        if hint := _attention_hint(outputs, weights, *truth, mistakes, below):
            return hint
    return None


def _attention_hint(outputs, weights, true_outputs, true_weights, mistakes, below):
    """Weights as exact as half precision is, but those of later words are 0 and nothing else."""
    if weights.shape != true_weights.shape:
        swapped = ": outputs come first" if outputs.shape == true_weights.shape else ""
        wanted = f"the weights of {len(true_weights)} words should have the shape {true_weights.shape}"
        return f"{wanted}, not {weights.shape}{swapped}"
    later = np.triu(np.ones(weights.shape, bool), 1)
    leak = np.abs(np.where(later, weights, 0))
    if not np.allclose(weights, true_weights, rtol=0, atol=2e-3) or leak.max() > 1e-6:
        for hint, mistaken in mistakes.items():
            if np.allclose(weights, mistaken, rtol=0, atol=1e-4, equal_nan=True):
                return hint
        where = f" where all scores are near -{below}" if below else ""
        if not np.isfinite(weights).all():
            why = "a row in which every key is hidden has nothing to divide by"
            if below:
                why = "subtract each row's largest score before the exponentials, as the page's softmax does"
            return f"there is inf or NaN in the weights{where}: {why}"
        i, j = np.unravel_index(np.abs(weights - true_weights).argmax(), weights.shape)
        seen = np.where(later, 0, weights)
        without_leak = seen / np.maximum(seen.sum(axis=1, keepdims=True), 1e-9)
        if leak.max() > 1e-6 and (below or np.allclose(without_leak, true_weights, rtol=0, atol=2e-3)):
            i, j = np.unravel_index(leak.argmax(), leak.shape)
            low = "its score must be lower than any true one can be: the page's -10⁹, or -∞"
            return f"row {i}{where}: key {j} comes later, and its weight is {weights[i, j]:.1g}, not 0; {low}"
        return f"row {i}, key {j}{where}: the weight should be {true_weights[i, j]:.3f}, yours is {weights[i, j]:.3f}"
    if outputs.shape != true_outputs.shape or not np.allclose(outputs, true_outputs, rtol=0, atol=1e-2):
        return "the weights are right; the outputs should be weights @ values"
    return None


# --- 10.3 -------------------------------------------------------------------------------------------------------------
_COUNTS = {"(a)": 16, "(b)": 12_800, "(c)": 16_640, "(d)": 16_640}
_LAYERS = "four dense layers of 64 inputs and 64 outputs: queries, keys, values, and the one that mixes"
_COUNT_HINTS = {
    "(a)": {
        64: "that is the whole width; the four heads share it", 4: "that is the number of heads",
        256: "the heads share the width; it is not multiplied by them",
    },
    "(b)": {
        3200: "each head has weights of its own", 400: "that is for one sentence of the batch",
        100: "that is one head on one sentence", 1280: "each of the 10 queries has a weight for each of the 10 keys",
        204_800: "a weight belongs to a pair of words, whatever the width", 320: "each query has a weight for each key",
    },
    "(c)": {
        16_384: "the biases are missing", 12_480: f"one layer is missing: {_LAYERS}",
        12_288: f"one is missing, and the biases: {_LAYERS}",
        4160: f"that is one of four: {_LAYERS}", 4096: f"that is one matrix of four: {_LAYERS}",
        66_560: "the heads share the width, so there are not four times as many",
        49_920: "the heads share the width, so there are not four times as many",
    },
    "(d)": {
        33_280: "more heads cut the same layers into more parts",
        8320: "more heads cut the same layers into more parts",
        16_384: "the biases are missing", 12_480: f"one layer is missing: {_LAYERS}",
        133_120: "the heads share the width",
    },
}  # fmt: skip


@exercise("10.3")
def check_counts(answer):
    """Four whole numbers."""
    otherwise = {
        "(a)": "not yet; how is the width shared out?", "(b)": "not yet; one weight for each text, head, query and key",
        "(c)": f"not yet; count {_LAYERS}",
        "(d)": "not yet; which of the layers changes its size with the number of heads?",
    }  # fmt: skip
    return compare_numbers(answer, _COUNTS, _COUNT_HINTS, otherwise, atol=1e-6)


# --- 10.4 -------------------------------------------------------------------------------------------------------------
@exercise("10.4")
def check_masks(answer):
    """Four letters."""
    right = {"(a)": "B", "(b)": "C", "(c)": "B", "(d)": "A"}
    hints = {
        "(a)": "the encoder may look at later words, for the whole text is there; which places hold no word?",
        "(b)": "the decoder must not see what it is to say next; and its padding comes after the end",
        "(c)": "what is looked at here is the text, and all of it is there; which places of it hold no word?",
        "(d)": "all texts are equally long, so nothing was filled up",
    }
    return compare_letters(answer, right, hints, {"D": "nobody hides a word because it is long"})


# --- 10.5 -------------------------------------------------------------------------------------------------------------
class _Scores:
    """Scores for the next token from a table of (places, last token): random, so that nobody can guess the answer.

    The end is neither best nor worst, until it comes; the start comes never again.
    """

    def __init__(self, rng, places, kinds=6, ends_at=None):
        self.table, self.calls = rng.normal(-1, 2, size=(places + 2, kinds, kinds)), 0
        others = np.delete(self.table, [1, 2], axis=2)
        self.table[:, :, 1] = self.table[:, :, 2] = np.median(others, axis=2)
        if ends_at is not None:
            self.table[ends_at, :, 2] = others[ends_at].max(axis=1) + 1

    def __call__(self, tokens):
        self.calls += 1
        if self.calls > 500:
            raise RuntimeError("next_scores was called more than 500 times: does your loop end?")
        tokens = numbers(list(tokens))
        if tokens is None or tokens.ndim != 1 or len(tokens) == 0:
            raise ValueError("next_scores takes the list of the tokens so far, the start token among them")
        if not np.isin(tokens, np.arange(self.table.shape[2])).all():
            raise ValueError("a token is the place of a score in the array, a whole number, and not the score itself")
        if int(tokens[0]) != 1:
            raise ValueError("the list that next_scores gets begins with the start token, 1")
        return self.table[min(len(tokens) - 1, len(self.table) - 1), int(tokens[-1])].copy()


def _written(scores, longest, *, pick=np.argmax, feed=True, limit=0):
    """The tokens with start and end; `pick`, `feed` and `limit` make the usual mistakes."""
    tokens = [1]
    while len(tokens) <= longest + limit:
        token = int(pick(scores(tokens if feed else [1])))
        tokens.append(token)
        if token == 2:
            break
    return tokens


def _not_written(scores, longest, framed, right):
    """What each likely mistake gives as tokens, with what to say about it."""
    ends = framed[-1] == 2
    return {
        "the start token is not part of the answer": [1, *right],
        "the end token is not part of the answer": [*right, 2] if ends else None,
        "neither start nor end belong to the answer": framed if ends else None,
        "that is one token too many: at most `longest` tokens": _written(scores, longest, limit=1)[1:],
        "one token is missing: `longest` counts the tokens without the start": None if ends else right[:-1],
        "the last token before the end is missing": right[:-1] if ends and right else None,
        "each token has to go into the list that next_scores gets next": [
            token for token in _written(scores, longest, feed=False)[1:] if token != 2
        ],
        "that is the token with the lowest score": [
            token for token in _written(scores, longest, pick=np.argmin)[1:] if token != 2
        ],
    }


@exercise("10.5")
def check_write_freely(write):
    """Random scores: an end in the middle, at once, none, and a limit of one token."""
    rng = np.random.default_rng()
    for longest, ends_at in [(8, 5), (6, None), (7, 0), (1, None), (12, 11), (5, 4)]:
        scores = _Scores(rng, 14, ends_at=ends_at)
        framed = _written(scores, longest)
        right = [token for token in framed[1:] if token != 2]
        mistakes = _not_written(scores, longest, framed, right)
        scores.calls = 0
        got = write(scores, longest)
        if missing(got):
            forgot = "next_scores was called, and nothing returned: is the last line a return?"
            return NOT_ATTEMPTED if scores.calls == 0 else forgot
        array = numbers(got if hasattr(got, "shape") else list(got) if isinstance(got, (list, tuple)) else got)
        if array is None or array.ndim != 1:
            return f"return a list of tokens, not {repr(got)[:40]}"
        if scores.calls == 0:
            return "next_scores was never called: it says which token comes next"
        if array.tolist() != right:
            known = (hint for hint, wrong in mistakes.items() if wrong is not None and array.tolist() == wrong)
            yours = ", ".join(f"{token:g}" for token in array[:12]) + (", …" if len(array) > 12 else "")
            otherwise = f"with at most {longest} tokens the answer should be {right}, yours is [{yours}]"
            return next(known, otherwise)
    return None


# --- 10.6 -------------------------------------------------------------------------------------------------------------
_LENGTHS = {"(a)": 1024, "(b)": 16, "(c)": 1000}
_LENGTH_HINTS = {
    "(a)": {
        512: "at n = d the LSTM still needs more: set 4nd² + 2n²d equal to 8nd²", 128: "that is for the width of 64",
        2048: "4nd² + 2n²d = 8nd²: subtract 4nd², then divide by 2nd", 256: "4nd² + 2n²d = 8nd²: solve it for n",
    },
    "(b)": {
        4: "there are 4 times as many queries, and each of them looks at 4 times as many keys",
        8: "4 times as many queries, each with 4 times as many keys", 2: "it grows: n queries with n keys each",
        64: "the weights are n × n numbers, not n × n × n",
    },
    "(c)": {
        1: "that is attention; the LSTM needs its last state before it can make the next",
        8000: "the eight matrices of one word don't wait for each other", 999: "count the first word, too",
        1_000_000: "that is the number of attention weights",
    },
}  # fmt: skip


@exercise("10.6")
def check_lengths(answer):
    """Three numbers."""
    otherwise = "not yet; the table above has what you need"
    return compare_numbers(answer, _LENGTHS, _LENGTH_HINTS, otherwise, atol=1e-6)


# --- 10.7 -------------------------------------------------------------------------------------------------------------
PLACES, WANTED = 30, 0.9


def _positions(n, width):
    """Hand by hand, another way than the page's."""
    encoding = np.zeros((n, width))
    for i in range(width // 2):
        angles = np.arange(n) / 10000 ** (2 * i / width)
        encoding[:, 2 * i], encoding[:, 2 * i + 1] = np.sin(angles), np.cos(angles)
    return encoding


@exercise("10.7")
def check_look_back(look_back):
    """Widths from 16 to 64 and texts of 2 to 30 places: the weight of each place's neighbor counts."""
    rng = np.random.default_rng()
    odd_ones = [width for width in range(18, 64, 2) if width % 16]  # not those that one would write a case for
    for width in (16, int(rng.choice(odd_ones)), 64):
        got = look_back(width)
        if missing(got):
            return NOT_ATTEMPTED
        parts = parts_of(got, 2, stacked=True)
        if parts is None:
            return "return two matrices: W_Q and W_K"
        if all(map(missing, parts)):
            return NOT_ATTEMPTED
        w_q, w_k = map(numbers, parts)
        for name, w in (("W_Q", w_q), ("W_K", w_k)):
            if w is None or not np.isfinite(w).all():
                return f"{name} should be a matrix of finite numbers"
            if w.shape != (width, width):
                return f"for a width of {width} {name} should have the shape {(width, width)}, not {w.shape}"
        for n in (PLACES, int(rng.integers(2, PLACES))):
            if hint := _look_back_hint(w_q, w_k, n, width):
                return hint
    return None


def _look_back_hint(w_q, w_k, n, width):
    places = _positions(n, width)
    weights = _softmax((places @ w_q) @ (places @ w_k).T / width**0.5)
    before = weights[np.arange(1, n), np.arange(n - 1)]
    if before.min() >= WANTED:
        return None
    most, rows = weights.argmax(axis=1), np.arange(n)
    where = f"width {width}, {n} places: "
    if np.array_equal(most[1:], rows[:-1]):
        i = before.argmin() + 1
        least = f"but place {i} with {before.min():.2f} only: make the scores larger"
        return f"{where}each place looks most at the one before, {least}"
    if np.ptp(weights) < 1e-6 and n > 1:
        return f"{where}all weights are alike: the scores are the same for every key"
    if np.array_equal(most, rows):
        return f"{where}each place looks most at itself; turn the queries, so that they match the place before"
    if np.array_equal(most[:-1], rows[1:]) and n > 2:
        return f"{where}each place looks most at the one after it: the other direction"
    i = before.argmin() + 1
    return f"{where}place {i} gives {before.min():.2f} of its weight to place {i - 1}, and most to place {most[i]}"
