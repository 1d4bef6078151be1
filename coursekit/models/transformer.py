"""The transformer: encoder and decoder blocks, the whole model, and how it writes. Born in notebook 10.

As in Vaswani and others (2017), "Attention is all you need", but with layer normalization before each part, as in
Xiong and others (2020). Token 0 is padding, 1 the start and 2 the end of a text.
"""

import keras
import numpy as np
from keras import ops

from coursekit.layers.attention import (
    LayerNormalization,
    MultiHeadAttention,
    causal_mask,
    padding_mask,
    positional_encoding,
)

PADDING, START, END = 0, 1, 2


class Vocabulary:
    """Which symbols there are, and the number of each: 3 for the first one, after padding, start and end.

    symbols: a text of characters, or a list of symbols that texts separate by spaces
    longest: symbols in a text at most
    """

    def __init__(self, symbols, longest):
        self.symbols, self.longest = list(symbols), longest
        self.between = "" if all(len(one) == 1 for one in self.symbols) else " "
        self._number = {symbol: i for i, symbol in enumerate(self.symbols, start=3)}

    def __len__(self):
        """How many numbers there are, those of padding, start and end included."""
        return len(self.symbols) + 3

    def encode(self, texts):
        """Texts as whole numbers (n, longest), filled up with 0.

        Raises ValueError, with a sentence, for an empty text, one that is too long, and a symbol that is not there.
        """
        numbers = np.zeros((len(texts), self.longest), dtype="int32")
        for row, text in zip(numbers, texts, strict=True):
            parts = list(text) if self.between == "" else text.split()
            if not parts:
                raise ValueError("a text is empty: there is nothing to read in it")
            if len(parts) > self.longest:
                raise ValueError(
                    f"{text!r} has {len(parts)} symbols, and there are positions for {self.longest}: shorten it"
                )
            strange = [part for part in parts if part not in self._number]
            if strange:
                raise ValueError(f"{strange[0]!r} in {text!r} is not in the vocabulary: write it with other symbols")
            row[: len(parts)] = [self._number[part] for part in parts]
        return numbers

    def framed(self, texts):
        """As `encode`, with the start before and the end behind each text: (n, longest + 2)."""
        numbers = np.pad(self.encode(texts), ((0, 0), (1, 1)))
        numbers[:, 0] = START
        numbers[np.arange(len(numbers)), (numbers != PADDING).sum(axis=1)] = END
        return numbers

    def decode(self, numbers):
        """Texts of whole numbers (n, m), each up to its end; without start and padding."""
        texts = []
        for row in np.asarray(numbers).tolist():
            row = row[: row.index(END)] if END in row else row
            texts.append(self.between.join(self.symbols[number - 3] for number in row if number > END))
        return texts


def feed_forward(width, hidden):
    """Two dense layers that work on each position by itself: (..., width) to (..., width)."""
    return keras.Sequential([keras.layers.Dense(hidden, activation="relu"), keras.layers.Dense(width)])


class EncoderBlock(keras.layers.Layer):
    """Self-attention, then a feed-forward part; each gets a normalized input, and its output is added to what came in.

    dropout: the share of each part's outputs that is dropped in training (0 in notebook 10).
    """

    def __init__(self, width, heads, hidden, dropout=0.0, **more):
        super().__init__(**more)
        self.attention = MultiHeadAttention(width, heads)
        self.feed_forward = feed_forward(width, hidden)
        self.norm_1, self.norm_2 = LayerNormalization(), LayerNormalization()
        self.drop = keras.layers.Dropout(dropout)

    def call(self, x, mask=None):
        """x (batch, n, width) to (batch, n, width)."""
        normal = self.norm_1(x)
        attended, _ = self.attention(normal, normal, mask)
        x = x + self.drop(attended)
        return x + self.drop(self.feed_forward(self.norm_2(x)))


class DecoderBlock(keras.layers.Layer):
    """As the encoder's block, with cross-attention to what the encoder made between its two parts."""

    def __init__(self, width, heads, hidden, dropout=0.0, **more):
        super().__init__(**more)
        self.attention, self.cross = MultiHeadAttention(width, heads), MultiHeadAttention(width, heads)
        self.feed_forward = feed_forward(width, hidden)
        self.norm_1, self.norm_2, self.norm_3 = (LayerNormalization() for _ in range(3))
        self.drop = keras.layers.Dropout(dropout)

    def call(self, y, memory, causal=None, mask=None):
        """y (batch, m, width), memory (batch, n, width): (batch, m, width) and the weights (batch, heads, m, n)."""
        normal = self.norm_1(y)
        attended, _ = self.attention(normal, normal, causal)
        y = y + self.drop(attended)
        attended, weights = self.cross(self.norm_2(y), memory, mask)
        y = y + self.drop(attended)
        return y + self.drop(self.feed_forward(self.norm_3(y))), weights


class Encoder(keras.layers.Layer):
    """Reads tokens (batch, n), each of `tokens` kinds, and makes the memory (batch, n, width) of them."""

    def __init__(self, tokens, width=64, heads=4, hidden=128, blocks=1, longest=32, dropout=0.0, **more):
        super().__init__(**more)
        self.embedding = _embedding(tokens, width)
        self.positions = ops.convert_to_tensor(positional_encoding(longest, width))
        self.blocks = [EncoderBlock(width, heads, hidden, dropout) for _ in range(blocks)]
        self.norm = LayerNormalization()

    def call(self, source):
        """The memory of source; raises ValueError where it is longer than there are positions."""
        x = self.embedding(source) + _first(self.positions, source)
        for block in self.blocks:
            x = block(x, padding_mask(source))
        return self.norm(x)


class Decoder(keras.layers.Layer):
    """Writes: from the answer so far and the memory to a logit for each token that may come next."""

    def __init__(self, tokens, width=64, heads=4, hidden=128, blocks=1, longest=32, dropout=0.0, **more):
        super().__init__(**more)
        self.embedding = _embedding(tokens, width)
        self.positions = ops.convert_to_tensor(positional_encoding(longest, width))
        self.blocks = [DecoderBlock(width, heads, hidden, dropout) for _ in range(blocks)]
        self.norm, self.logits = LayerNormalization(), keras.layers.Dense(tokens)

    def call(self, answer, memory, source):
        """Logits (batch, m, tokens) for tokens (batch, m), and the cross-attention (batch, blocks, heads, m, n).

        Raises ValueError where the answer is longer than there are positions.
        """
        y, looked = self.embedding(answer) + _first(self.positions, answer), []
        for block in self.blocks:
            y, weights = block(y, memory, causal_mask(answer.shape[1]), padding_mask(source))
            looked.append(weights)
        return self.logits(self.norm(y)), ops.stack(looked, axis=1)


class Transformer(keras.Model):
    """From tokens (batch, n) and the answer so far (batch, m) to logits of each next token, (batch, m, tokens).

    tokens_in, tokens_out: how many tokens there are to read and to write; sizes: width, heads, hidden, blocks, longest
    and dropout, as encoder and decoder take them.
    """

    def __init__(self, tokens_in, tokens_out, **sizes):
        super().__init__()
        self.encoder, self.decoder = Encoder(tokens_in, **sizes), Decoder(tokens_out, **sizes)

    def call(self, inputs):
        """inputs: (source, answer so far)."""
        source, answer = inputs
        return self.decoder(answer, self.encoder(source), source)[0]


def _embedding(tokens, width):
    return keras.layers.Embedding(tokens, width, embeddings_initializer=keras.initializers.RandomNormal(stddev=1.0))


def _first(positions, tokens):
    """The positions of tokens (batch, n): (n, width)."""
    if tokens.shape[1] > positions.shape[0]:
        raise ValueError(
            f"a text of {tokens.shape[1]} tokens, and the model has {positions.shape[0]} positions: shorten the text, "
            "or build the model with a larger `longest`"
        )
    return positions[: tokens.shape[1]]


def write(model, source, longest):
    """Free running: the most probable token at each place becomes the next input. Tokens (batch, longest).

    source: tokens (batch, n); longest: how many tokens are written, the end included.
    """
    memory = model.encoder(source)
    answer = np.zeros((len(source), longest + 1), dtype="int32")
    answer[:, 0] = START
    for i in range(longest):
        logits, _ = model.decoder(
            answer[:, :-1], memory, source
        )  # what is not written yet is hidden by the causal mask
        answer[:, i + 1] = ops.convert_to_numpy(logits)[:, i].argmax(axis=-1)
    return answer[:, 1:]


def beam_search(next_log_probabilities, width, longest, start=START, end=END):
    """The `width` most probable answers that were found, best first: a list of (tokens, log probability).

    next_log_probabilities: a function from a list of answers so far, each a list of tokens that begins with `start`, to
    the log probabilities (answers, tokens) of what comes next. An answer that has come to its `end` waits for the
    others.
    """
    kept = [([start], 0.0)]
    for _ in range(longest):
        candidates = [one for one in kept if one[0][-1] == end]
        growing = [one for one in kept if one[0][-1] != end]
        if not growing:
            break
        for (tokens, so_far), after in zip(growing, next_log_probabilities([one[0] for one in growing]), strict=True):
            candidates += [([*tokens, token], so_far + float(more)) for token, more in enumerate(after)]
        kept = sorted(candidates, key=lambda one: one[1], reverse=True)[:width]
    return [(tokens[1:], log_p) for tokens, log_p in kept]


def next_token_of(model, source, longest):
    """The function that `beam_search` asks, for one source of tokens (n,) and answers of up to `longest` tokens."""
    memory = model.encoder(source[None])

    def next_log_probabilities(answers):
        rows = np.zeros((len(answers), longest), dtype="int32")
        for row, answer in zip(rows, answers, strict=True):
            row[: len(answer)] = answer
        many = [ops.repeat(one, len(answers), axis=0) for one in (memory, source[None])]
        logits, _ = model.decoder(rows, *many)
        log_p = ops.convert_to_numpy(ops.log_softmax(logits))  # (answers, longest, tokens)
        return log_p[np.arange(len(answers)), [len(answer) - 1 for answer in answers]]

    return next_log_probabilities


def edit_distance(first, second):
    """How many symbols must be replaced, put in or left out to make one sequence of the other (Levenshtein, 1966)."""
    row = np.arange(len(second) + 1)
    for i, symbol in enumerate(first, start=1):
        before, row = row, np.empty_like(row)
        row[0] = i
        for j, other in enumerate(second, start=1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (symbol != other))
    return int(row[-1])
