"""The checks of notebook 11, Transformers at work."""

import numpy as np

from coursekit.datasets.reference import CHARACTERS, python_reference
from coursekit.exercises import NOT_ATTEMPTED, exercise
from coursekit.exercises.answers import CHANGED, changed, compare_letters, compare_numbers, missing, numbers

# --- 11.1 -------------------------------------------------------------------------------------------------------------
_BITS = {"(a)": 8, "(b)": 2, "(c)": 10, "(d)": 1 / 256}
_BITS_HINTS = {
    "(a)": {
        2: "that is the mean; the bits of the four letters add up",
        9 / 8: "those are the probabilities; take -log2 of each",
        1 / 256: "that is the probability of the text; its bits are -log2 of it", -8: "bits are positive: -log2 p",
        7: "the probabilities are 1/2, 1/4, 1/4 and 1/8: two letters cost 2 bits each",
        8 * np.log(2): "that is with the natural logarithm; bits take the one to base 2",
    },
    "(b)": {8: "that is the whole text; divide by its four letters", 0.5: "bits by characters, not characters by bits"},
    "(c)": {
        8: "the first letter now costs more", 6: "a smaller probability costs more bits, not fewer",
        11: "the first letter costs 3 bits in place of 1, not in addition to it", 9: "-log2 of 1/8 is 3",
        2.5: "that is the mean; the bits of the four letters add up",
    },
    "(d)": {
        9 / 8: "the probabilities are multiplied, not added", 9 / 32: "the probabilities are multiplied, not averaged",
        8: "that is how many bits it costs; the probability is 2 to the power of minus that",
        256: "one in 256, so 1 / 256", -8: "that is the logarithm of it", 1 / 1024: "that is the worse model of (c)",
    },
}  # fmt: skip


@exercise("11.1")
def check_bits(answer):
    """Four numbers."""
    otherwise = "not yet; a letter of probability p costs -log2 p bits"
    rounded = {"(d)": (0.0039, 0.004001)}  # 1/256; 0.004 in single precision, too
    return compare_numbers(answer, _BITS, _BITS_HINTS, otherwise, rtol=0.01, also=rounded)


# --- 11.2 -------------------------------------------------------------------------------------------------------------
def _counted(words):
    counts = {}
    for word in words:
        for i in range(len(word) - 1):
            counts[word[i], word[i + 1]] = counts.get((word[i], word[i + 1]), 0) + 1
    return counts


def _counted_apart(words):
    """A mistake: of pairs that overlap, only those that can be joined together are counted."""
    return {pair: sum((len(word) - len(_joined(word, pair))) for word in words) for pair in _counted(words)}


def _joined_by_letters(words):
    """Another one: pairs are told apart by their letters alone."""
    counts = {}
    for (one, other), number in _counted(words).items():
        counts[one + other] = counts.get(one + other, 0) + number
    best, result = _best(counts), []
    for word in words:
        result.append([])
        for token in word:
            if result[-1] and result[-1][-1] + token == best:
                result[-1][-1] = best
            else:
                result[-1].append(token)
    return result


def _joined(word, pair):
    """By position, another way than the page's."""
    result, i = [], 0
    while i < len(word):
        if i + 1 < len(word) and (word[i], word[i + 1]) == pair:
            result.append(word[i] + word[i + 1])
            i += 2
        else:
            result.append(word[i])
            i += 1
    return result


def _one_step(words, choose):
    counts = _counted(words)
    if not counts:
        return [list(word) for word in words]
    pair = choose(counts)
    return [_joined(word, pair) for word in words]


def _best(counts):
    return sorted(counts, key=lambda pair: (-counts[pair], pair))[0]


def _one_step_mistakes(words):
    """What the likely mistakes give, with what to say of each."""
    counts = _counted(words)
    if not counts:
        return {}
    best = _best(counts)
    most = counts[best]
    flat = [token for word in words for token in word]
    across = _best(_counted([flat]))
    return {
        "nothing was joined: return the words with the pair made one token": [list(word) for word in words],
        "the pair is joined in one place only: join it everywhere": _first_only(words, best),
        "pairs are counted inside words only, not from the end of one word to the next": [
            _joined(word, across) for word in words
        ],
        "of equally frequent pairs take the first in the alphabet, not the first in the text (where their first tokens "
        "are equal, the second ones decide)": _one_step(words, lambda counts: max(counts, key=counts.get)),
        "of equally frequent pairs take the first in the alphabet": [
            _joined(word, max(pair for pair, number in counts.items() if number == most)) for word in words
        ],
        "each pair of neighbors counts, those that overlap, too: there are three in a word of four tokens": _one_step(
            words, lambda _: _best(_counted_apart(words))
        ),
        "a pair is two tokens: other tokens with the same letters are another pair": _joined_by_letters(words),
        "that is the rarest pair; take the most frequent one": _one_step(
            words, lambda counts: sorted(counts, key=lambda pair: (counts[pair], pair))[0]
        ),
        "pairs that overlap are joined from the left: a token belongs to one pair only": [
            _overlapping(word, best) for word in words
        ],
        "return a list of words, each a list of tokens; yours runs all words together": _joined(flat, best),
    }


def _overlapping(word, pair):
    result = []
    for i, token in enumerate(word):
        if i + 1 < len(word) and (token, word[i + 1]) == pair:
            result.append(token + word[i + 1])
        elif i == 0 or (word[i - 1], token) != pair:
            result.append(token)
    return result


def _first_only(words, pair):
    result, done = [], False
    for word in words:
        places = [i for i in range(len(word) - 1) if (word[i], word[i + 1]) == pair]
        if places and not done:
            i, done = places[0], True
            result.append([*word[:i], word[i] + word[i + 1], *word[i + 2 :]])
        else:
            result.append(list(word))
    return result


def _as_words(got):
    if not isinstance(got, (list, tuple)) or not all(isinstance(word, (list, tuple, np.ndarray)) for word in got):
        return None
    return [[str(token) for token in word] for word in got]


@exercise("11.2")
def check_one_step(one_step):
    """Random words, equally frequent pairs, overlaps, tokens of several letters, and words without any pair.

    Equal ones are told apart by their second token, too, and pairs of the same letters by where they are cut.
    """
    rng = np.random.default_rng()
    drawn = [[str(letter) for letter in rng.choice(list("abc"), size=rng.integers(1, 7))] for _ in range(8)]
    cases = [
        [["t", "h", "e"], ["t", "h", "i", "s"]],
        [["b", "a"], ["c", "d"], ["a", "b"], ["d", "c"]],  # all pairs once: the alphabet decides
        [["a", "a", "a", "a", "a"], ["b", "a", "a", "a"]],
        [["a", "b"], ["c", "d"], ["c", "d"], ["b"], ["a"], ["b"], ["a"], ["b"], ["a"]],  # "ab" mostly across words
        [["th", "e"], ["th", "e", "n"], ["o", "th", "e", "r"], ["e", "n"]],
        [["a", "bc"], ["a", "bc"], ["ab", "c"]],  # the same letters, and another pair
        [["a", "d"], ["a", "c"], ["a", "b"]],  # the second token decides
        [["c", "c", "c", "c"], ["a", "b"], ["a", "b"]],  # three pairs against two
        [["x"], ["y"], ["z"]],
        drawn,
    ]
    for words in cases:
        right, mistakes = _one_step(words, _best), _one_step_mistakes(words)
        given = [list(word) for word in words]
        got = one_step(given)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, words):
            return CHANGED
        found = _as_words(got)
        if found is None:
            if isinstance(got, (list, tuple)) and list(got) in list(mistakes.values()):
                return "return a list of words, each a list of tokens; yours runs all words together"
            return f"return a list of words, each a list of tokens, not {repr(got)[:60]}"
        if found != right:
            known = (hint for hint, wrong in mistakes.items() if wrong == found and wrong != right)
            return next(known, f"{words} should become {right}, yours is {found}"[:300])
    return None


# --- 11.3 -------------------------------------------------------------------------------------------------------------
def _nucleus(p, share, extra=0):
    """One by one from the most probable on, another way than the page's; `extra` makes the usual mistake."""
    left, kept, total = list(np.argsort(-p, kind="stable")), [], 0.0
    while total < share and left:
        kept.append(left.pop(0))
        total += p[kept[-1]]
    if extra > 0 and left:
        kept.append(left.pop(0))
    if extra < 0 and len(kept) > 1:
        kept.pop()
    result = np.zeros_like(p)
    result[kept] = p[kept]
    return result / result.sum()


def _nucleus_mistakes(p, share):
    right = _nucleus(p, share)
    order = np.argsort(p, kind="stable")
    count = int(np.searchsorted(np.cumsum(p[order]), share)) + 1
    ascending = np.zeros_like(p)
    ascending[order[:count]] = p[order[:count]]
    sums = np.cumsum(p)
    unsorted = np.where(np.arange(len(p)) <= np.searchsorted(sums, share), p, 0.0)
    above = np.where(p >= share, p, 0.0)
    return {
        "this is p itself: nothing was dropped": p,
        "the rest has to be divided by its sum, so that it adds up to 1": np.where(right > 0, p, 0.0),
        "the result has the order of p, and yours is sorted": np.sort(right)[::-1],
        "that is one too many: stop as soon as the sum has reached the share": _nucleus(p, share, 1),
        "one is missing: the sum has to reach the share": _nucleus(p, share, -1),
        "those are the least probable ones": ascending / ascending.sum(),
        "take them from the most probable on, not from the left": unsorted / unsorted.sum(),
        "the share is that of all kept ones together, not of each": above / above.sum() if above.sum() else None,
        "what is kept has to keep its proportions: they are not made equal": (right > 0) / (right > 0).sum(),
    }


@exercise("11.3")
def check_nucleus(nucleus):
    """Random probabilities in random order; large, small and whole shares; a share that is reached exactly."""
    rng = np.random.default_rng()
    cases = []
    for size, share in [(4, 0.8), (6, 0.5), (10, 0.9), (1, 0.7), (7, 0.05), (6, 0.6)]:
        p = rng.permutation(rng.dirichlet(np.full(size, 0.8)) * 0.98 + 0.02 / size)
        p /= p.sum()
        sums = np.cumsum(np.sort(p)[::-1])
        while np.abs(sums - share).min() < 1e-3:  # a rounding must not decide
            share += 0.004
        cases.append((p, share))
    # sums of these are exact in any precision and any order
    cases.append((np.array([0.125, 0.5, 0.125, 0.25]), 0.75))
    cases.append((rng.permutation([0.375, 0.25, 0.1875, 0.125, 0.0625]), 1.0))
    for p, share in cases:
        size = len(p)
        right, mistakes = _nucleus(p, share), _nucleus_mistakes(p, share)
        given = p.copy()
        got = nucleus(given, share)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, p):
            return CHANGED
        found = numbers(got if hasattr(got, "shape") else list(got) if isinstance(got, (list, tuple)) else got)
        if found is None or found.shape != p.shape:
            return f"return {size} probabilities, in the order of p, with 0 for what is dropped, not {repr(got)[:60]}"
        if not np.allclose(found, right, atol=1e-5):
            for hint, wrong in mistakes.items():
                if wrong is not None and np.allclose(found, wrong, atol=1e-5):
                    return hint
            i = int(np.nan_to_num(np.abs(found - right), nan=np.inf).argmax())
            return f"of {p.round(3)} and share {share:.3g}, entry {i} should be {right[i]:.3f}, yours is {found[i]:.3f}"
    return None


# --- 11.4 -------------------------------------------------------------------------------------------------------------
_CACHE = {"(a)": 98_304, "(b)": 786_432_000, "(c)": 5050, "(d)": 100}
_CACHE_HINTS = {
    "(a)": {
        49_152: "keys and values: two vectors in each block", 4096: "that is one block; there are 24",
        2048: "that is one vector; there are a key and a value in each of 24 blocks",
        1_572_864: "the heads share the width, so there are not 16 times as many",
        98_304 * 3: "the queries needn't be kept", 147_456: "the queries needn't be kept",
        6144: "a key and a value have 2,048 numbers each, in all heads together: 24 blocks, not 24 heads",
    },
    "(b)": {
        786e6: "right, but rounded: give all digits", 786.4e6: "right, but rounded: give all digits",
        393_216_000: "2 bytes a number", 196_608: "that is one token; the text has 4,000",
        98_304 * 4000 * 4: "2 bytes a number, not 4", 98_304 * 4000 * 16: "2 bytes a number, not 2 bits or 16 bytes",
    },
    "(c)": {
        10_000: "the first token makes it compute one key, the last one a hundred: 1 + 2 + ... + 100",
        100: "that is with a cache", 4950: "the new token's own key counts, too: 1 + 2 + ... + 100",
        5000: "1 + 2 + ... + 100 is 100 · 101 / 2",
    },
    "(d)": {5050: "with a cache each key is computed once", 1: "one for each token", 200: "keys alone, without values",
            99: "the first token has a key, too"},
}  # fmt: skip


@exercise("11.4")
def check_cache(answer):
    """Four whole numbers."""
    otherwise = {
        "(a)": "not yet; a key and a value of 2,048 numbers, in each block",
        "(b)": "not yet; the numbers of (a), for 4,000 tokens, with 2 bytes each",
        "(c)": "not yet; 1 key for the first token, 2 for the second, and so on",
        "(d)": "not yet; how many keys does a new token need?",
    }
    return compare_numbers(answer, _CACHE, _CACHE_HINTS, otherwise, rtol=1e-6)


# --- 11.5 -------------------------------------------------------------------------------------------------------------
@exercise("11.5")
def check_trainings(answer):
    """Four letters."""
    right = {"(a)": "A", "(b)": "B", "(c)": "C", "(d)": "A"}
    hints = {
        "(a)": "what comes next isn't there yet, so nothing is to be seen on the other side, nor to be translated",
        "(b)": "both sides of the gap are there, and both help",
        "(c)": "one text is read, another one is written: notebook 10",
        "(d)": "the code needs the probability of a piece from the pieces before it alone",
    }
    return compare_letters(answer, right, hints)


# --- 11.6 -------------------------------------------------------------------------------------------------------------
_LORA = {"(a)": 8000, "(b)": 0.008, "(c)": 500, "(d)": 4}
_LORA_HINTS = {
    "(a)": {
        4000: "that is one of the two matrices", 1_000_000: "that is the whole layer",
        16: "the matrices are 1,000 by 4 and 4 by 1,000", 1_008_000: "the layer's own weights are not trained",
        2000: "that is for rank 1",
    },
    "(b)": {0.8: "right in percent; as a share it is 0.008", 0.004: "both matrices count", 125: "the other way round",
            8000 / 1_008_000: "the layer's own parameters are 1,000,000, without LoRA's",
            8000: "that is how many; divide by the layer's 1,000,000", 0.08: "divide by 1,000 · 1,000"},
    "(c)": {
        1000: "at this rank the two matrices have twice as many as the layer", 250: "set r · 2,000 equal to 1,000,000",
        2000: "divide the layer's 1,000,000 by what one rank costs", 125: "set r · 2,000 equal to 1,000,000",
    },
    "(d)": {1000: "every row of AB is a mixture of the 4 rows of B", 8: "the ranks of A and B don't add up",
            16: "every row of AB is a mixture of the 4 rows of B", 1: "that is for r = 1"},
}  # fmt: skip


@exercise("11.6")
def check_lora(answer):
    """Four numbers."""
    otherwise = {
        "(a)": "not yet; A is 1,000 by 4, and B is 4 by 1,000",
        "(b)": "not yet; the layer has 1,000 · 1,000 parameters",
        "(c)": "not yet; rank r trains r · 2,000 parameters",
        "(d)": "not yet; the rows of AB are mixtures of the rows of B",
    }  # fmt: skip
    return compare_numbers(answer, _LORA, _LORA_HINTS, otherwise, rtol=1e-5)


# --- 11.7 -------------------------------------------------------------------------------------------------------------
TRAIN, PIECES, LENGTH, WANTED = 100_000, 60, 25, 3.3
_TEXTS = {}


def _text():
    if not _TEXTS:
        _TEXTS["all"] = python_reference(330_000)
    return _TEXTS["all"]


@exercise("11.7")
def check_learn(learn):
    """Learn from the beginning of the reference; be tested in 60 places behind it: sums, signs, bits a character."""
    rng, text = np.random.default_rng(), _text()
    predict = learn(text[:TRAIN])
    if missing(predict):
        return NOT_ATTEMPTED
    if not callable(predict):
        return f"learn(text) returns a function, which gives probabilities, not {repr(predict)[:40]}"
    bits = 0.0
    for place in [0, *(int(one) for one in rng.integers(TRAIN + 50, len(text) - LENGTH, size=PIECES))]:
        for at in range(place, place + LENGTH):
            p = numbers(predict(text[max(0, place - 50) : at] if place else text[:at]))
            if hint := _probability_hint(p, text[:at][-20:], text[at]):
                return hint
            bits -= np.log2(p[CHARACTERS.index(text[at])]) if place else 0  # the start of the text was trained on
    bits /= PIECES * LENGTH
    if bits < WANTED:
        return None
    if bits > np.log2(len(CHARACTERS)) - 0.05:
        return f"{bits:.2f} bits a character are no better than the uniform code: is the order that of CHARACTERS?"
    return f"{bits:.2f} bits a character; less than {WANTED:g} are wanted: look at more characters before, and mix"


def _probability_hint(p, before, character):
    if p is None or p.shape != (len(CHARACTERS),):
        what = "None" if p is None else f"the shape {p.shape}"
        return f"predict should return {len(CHARACTERS)} numbers, one for each of reference.CHARACTERS, not {what}"
    if not (np.isfinite(p).all() and (p >= 0).all()):
        return "there is a negative number, inf or NaN among the probabilities"
    if abs(p.sum() - 1) > 1e-3:
        return f"the probabilities should add up to 1; after {before!r} they add up to {p.sum():.3f}"
    if p[CHARACTERS.index(character)] <= 0:
        return (
            f"after {before!r} came {character!r}, to which you gave the probability 0, and that costs infinite bits; "
            "leave something to every character"
        )
    return None
