"""Byte-pair encoding: a vocabulary of pieces of words, found by joining frequent neighbors. Born in notebook 11.

After Sennrich, Haddow and Birch (2016), "Neural machine translation of rare words with subword units": the most
frequent pair of neighbors becomes a token of its own, again and again. Pairs are joined inside words only.
"""

import itertools
import re
from collections import Counter

WORDS = re.compile(r" ?[A-Za-z]+|\s+|.", flags=re.DOTALL)  # a word with the space before it, spaces, or one character


def joined(tokens, pair):
    """A list of tokens, with each `pair` of neighbors in it made one token."""
    result = []
    for token in tokens:
        if result and (result[-1], token) == pair:
            result[-1] = result[-1] + token
        else:
            result.append(token)
    return result


def learn_pairs(text, count):
    """The `count` most frequent pairs of neighbors, one after the other, each counted after the joins before it.

    Of pairs that are equally frequent the one that comes first in the alphabet is taken. Fewer are returned where there
    are no more pairs.
    """
    times, pairs = Counter(WORDS.findall(text)), []
    words = {word: list(word) for word in times}
    counts, words_with = Counter(), {}
    for word, tokens in words.items():
        for pair in itertools.pairwise(tokens):
            counts[pair] += times[word]
            words_with.setdefault(pair, set()).add(word)
    while len(pairs) < count and counts:
        most = max(counts.values())
        best = min(pair for pair, number in counts.items() if number == most)
        pairs.append(best)
        for word in words_with.pop(best):  # only words that hold the pair change
            before, after = words[word], joined(words[word], best)
            for pair in itertools.pairwise(before):
                counts[pair] -= times[word]
                if not counts[pair]:
                    del counts[pair]
                words_with.get(pair, set()).discard(word)
            for pair in itertools.pairwise(after):
                counts[pair] += times[word]
                words_with.setdefault(pair, set()).add(word)
            words[word] = after
    return pairs


class BytePairs:
    """A vocabulary of single characters and of joined pairs, which turns a text into numbers and back.

    characters: every character that may come; pairs: what `learn_pairs` found, in that order
    """

    def __init__(self, characters, pairs=()):
        self.tokens = [*characters, *(first + second for first, second in pairs)]
        self.number_of = {token: number for number, token in enumerate(self.tokens)}
        self.pairs, self._rank, self._known = list(pairs), {pair: i for i, pair in enumerate(pairs)}, {}

    def __len__(self):
        """How many tokens there are."""
        return len(self.tokens)

    def encode(self, text):
        """A list of numbers. Raises ValueError for an empty text and for a character that is not in the vocabulary."""
        if not text:
            raise ValueError("the text is empty: there is nothing to encode in it")
        strange = sorted(set(text) - set(self.number_of))
        if strange:
            raise ValueError(f"{strange[0]!r} is not in the vocabulary: write the text with other characters")
        numbers = []
        for word in WORDS.findall(text):
            if word not in self._known:
                self._known[word] = [self.number_of[token] for token in self.cut(word)]
            numbers += self._known[word]
        return numbers

    def cut(self, word):
        """A word as a list of tokens: its pairs are joined in the order in which they were learned."""
        tokens = list(word)
        while known := [pair for pair in itertools.pairwise(tokens) if pair in self._rank]:
            tokens = joined(tokens, min(known, key=self._rank.get))
        return tokens

    def decode(self, numbers):
        """The text of numbers."""
        return "".join(self.tokens[int(number)] for number in numbers)
