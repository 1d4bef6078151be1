"""How a language model writes (temperature, top-k, nucleus, a key-value cache) and compresses. Born in notebook 11.

`Writer` computes in NumPy and double precision with the weights of a `LanguageModel`, so that it writes the same on
every backend, and a decoder meets exactly the probabilities that the encoder had. Nucleus sampling as in Holtzman and
others (2020), arXiv:1904.09751; the coder as in Witten, Neal and Cleary (1987), doi:10.1145/214762.214771, with whole
numbers of any size.
"""

import keras
import numpy as np


def probabilities(logits, temperature=1.0):
    """Softmax of logits (tokens,) over the temperature, in double precision. Raises ValueError unless that is > 0."""
    if not temperature > 0:
        raise ValueError(f"the temperature is {temperature}: it has to be positive; for the best token take the argmax")
    scores = np.asarray(logits, dtype=float) / temperature
    exponentials = np.exp(scores - scores.max())
    return exponentials / exponentials.sum()


def top_k(p, k):
    """Only the k largest of the probabilities p (tokens,), divided by their sum."""
    kept = np.zeros_like(p)
    best = np.argsort(-p, kind="stable")[:k]
    kept[best] = p[best]
    return kept / kept.sum()


def nucleus(p, share):
    """Only the fewest largest of the probabilities p (tokens,) that together reach `share`, divided by their sum."""
    sums = np.cumsum(np.sort(p)[::-1])
    return top_k(p, int(np.searchsorted(sums, share - 1e-12)) + 1)


class Writer:
    """Reads a text token by token with a causal LanguageModel's weights and says what may come next.

    cache: True keeps keys and values of what was read; False computes all of it again for each token.
    """

    def __init__(self, model, cache=True):
        array = lambda variable: keras.ops.convert_to_numpy(variable).astype(float)
        both = lambda layer: (array(layer.kernel), array(layer.bias))
        norm = lambda layer: (array(layer.scale), array(layer.shift), layer.epsilon)
        self.embedding, self.positions = array(model.embedding.embeddings), array(model.positions)
        self.blocks = []
        for block in model.blocks:
            attention = block.attention
            parts = {name: both(getattr(attention, name)) for name in ("query", "key", "value", "mix")}
            first, second = block.feed_forward.layers
            parts |= {"first": both(first), "second": both(second), "heads": attention.heads}
            parts |= {"norm_1": norm(block.norm_1), "norm_2": norm(block.norm_2)}
            self.blocks.append(parts)
        self.norm, self.logits = norm(model.norm), both(model.logits)
        self.longest, self.cache = len(self.positions), cache
        self.start()

    def start(self):
        """Forget what was read."""
        self.tokens, self.kept = [], [None] * len(self.blocks)

    def read(self, tokens):
        """Read more tokens: the logits (tokens,) of what comes after the last of them.

        Raises ValueError where no token has been read yet, or there are more than the model has places.
        """
        tokens = [int(token) for token in np.atleast_1d(tokens)]
        if not tokens:
            raise ValueError("there is no token to read: give one or more to begin with")
        if len(self.tokens) + len(tokens) > self.longest:
            raise ValueError(
                f"{len(self.tokens) + len(tokens)} tokens, and the model has {self.longest} positions: start anew with "
                "the last few of them"
            )
        self.tokens += tokens
        if not self.cache:
            tokens, self.kept = self.tokens, [None] * len(self.blocks)
        at = len(self.tokens) - len(tokens)
        x = self.embedding[tokens] + self.positions[at : at + len(tokens)]  # (new, width)
        for i, block in enumerate(self.blocks):
            x = x + self._attention(i, block, _normal(x, block["norm_1"]))
            hidden = np.maximum(_dense(_normal(x, block["norm_2"]), block["first"]), 0)
            x = x + _dense(hidden, block["second"])
        return _dense(_normal(x[-1:], self.norm), self.logits)[0]

    def _attention(self, i, block, x):
        """Attention of the new places (new, width) to themselves and to all before them."""
        q, k, v = (_dense(x, block[name]) for name in ("query", "key", "value"))
        if self.kept[i] is not None:
            k, v = (np.concatenate([old, new]) for old, new in zip(self.kept[i], (k, v), strict=True))
        self.kept[i] = (k, v)
        heads = lambda y: y.reshape(len(y), block["heads"], -1).transpose(1, 0, 2)  # (heads, places, width / heads)
        q, k, v = heads(q), heads(k), heads(v)
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])  # (heads, new, all)
        later = np.triu(np.ones(scores.shape[1:], dtype=bool), k.shape[1] - q.shape[1] + 1)
        scores = np.where(later, -np.inf, scores)
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        return _dense((weights @ v).transpose(1, 0, 2).reshape(x.shape), block["mix"])


def _dense(x, parts):
    return x @ parts[0] + parts[1]


def _normal(x, parts):
    scale, shift, epsilon = parts
    return scale * (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + epsilon) + shift


def write(writer, prompt, count, choose):
    """`count` more tokens behind those of the prompt, a list: choose(logits) says which token each time.

    A text that outgrows the model's places goes on from its last half. Raises ValueError for an empty prompt, or one
    that is longer than the places.
    """
    writer.start()
    logits, written = writer.read(prompt), []
    for _ in range(count):
        token = int(choose(logits))
        written.append(token)
        if len(writer.tokens) == writer.longest:
            half = writer.tokens[-(writer.longest // 2) :]
            writer.start()
            writer.read(half)
        logits = writer.read([token])
    return written


def sampler(rng, temperature=1.0, k=None, share=None):
    """A function that draws a token from logits, for `write`: with a temperature, of the top k, of a nucleus."""

    def choose(logits):
        p = probabilities(logits, temperature)
        p = p if k is None else top_k(p, k)
        p = p if share is None else nucleus(p, share)
        return rng.choice(len(p), p=p)

    return choose


def whole_counts(logits, total=2**16):
    """Probabilities as whole numbers of 1 or more, (tokens,): what both sides of the coder compute alike.

    Every token gets 1, so that each can be coded; their sum is near `total`.
    """
    return 1 + np.floor(probabilities(logits) * total).astype(int)


def counts_from(writer):
    """The function that encoder and decoder ask: what may come next, by this writer, as whole numbers (tokens,).

    Ask it for the beginnings of one text, one token longer each time. Before the first token all are equally probable.
    A text that outgrows the model's places goes on from its last half.
    """

    def counts_of(tokens):
        if not tokens:
            writer.start()
            return np.ones(len(writer.embedding), dtype=int)
        if len(writer.tokens) == writer.longest:
            half = writer.tokens[-(writer.longest // 2) :]
            writer.start()
            writer.read(half)
        return whole_counts(writer.read(tokens[-1:]))

    return counts_of


def encode_interval(tokens, counts_of):
    """Tokens as a list of bits, by halving no more than needed an interval that each token narrows.

    counts_of: a function from the list of tokens so far to whole counts (tokens,) of what may come next.
    """
    low, width, bottom = 0, 1, 1  # the interval from low / bottom, of width / bottom
    for i, token in enumerate(tokens):
        counts = [int(count) for count in counts_of(list(tokens[:i]))]
        low = low * sum(counts) + width * sum(counts[:token])
        width, bottom = width * counts[token], bottom * sum(counts)
    bits = max(1, (-(-bottom // width) - 1).bit_length())  # then a number with so many digits lies in the interval
    number = -(-(low << bits) // bottom)  # the first one that is not below it
    return [int(digit) for digit in f"{number:0{bits}b}"]


def decode_interval(bits, length, counts_of):
    """The `length` tokens that `encode_interval` made these bits of; counts_of as there."""
    number, bottom = int("".join(map(str, bits)), 2), 1 << len(bits)  # the point number / bottom
    tokens = []
    for _ in range(length):
        counts = [int(count) for count in counts_of(list(tokens))]
        share = number * sum(counts) // bottom  # where the point lies among the counts
        token, below = 0, 0
        while below + counts[token] <= share:
            below, token = below + counts[token], token + 1
        number, bottom = number * sum(counts) - below * bottom, bottom * counts[token]
        tokens.append(token)
    return tokens


def ideal_bits(tokens, counts_of):
    """The sum of -log2 of each token's probability, which a code has to spend; counts_of as in encode_interval."""
    bits = 0.0
    for i, token in enumerate(tokens):
        counts = counts_of(list(tokens[:i]))
        bits -= np.log2(counts[token] / np.sum(counts))
    return float(bits)


def character_counts(text, order):
    """For contexts of 0 to `order` characters: {context: {next character: how often}}."""
    counts = [{} for _ in range(order + 1)]
    for i, character in enumerate(text):
        for n in range(min(order, i) + 1):
            after = counts[n].setdefault(text[i - n : i], {})
            after[character] = after.get(character, 0) + 1
    return counts


def ngram_bits(counts, text, order, kinds):
    """Bits a character that an n-gram model spends on a text; counts from `character_counts`; kinds: of characters.

    Each context mixes its own shares with the answer of the next shorter one (Witten and Bell, 1991): the more kinds of
    characters have followed it, the more the shorter one counts. The shortest answer of all is 1 / kinds.
    """
    bits = 0.0
    for i, character in enumerate(text):
        p = 1 / kinds
        for n in range(min(order, i) + 1):
            after = counts[n].get(text[i - n : i])
            if after is None:
                break
            p = (after.get(character, 0) + len(after) * p) / (sum(after.values()) + len(after))
        bits -= np.log2(p)
    return bits / len(text)
