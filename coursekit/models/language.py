"""One decoder and its uses: a language model, causal or masked, and low-rank adaptation. Born in notebook 11.

The blocks are those of notebook 10. A decoder that reads nothing but its own text needs no cross-attention: its block
is the encoder's, with a causal mask. LoRA as in Hu and others (2021), arXiv:2106.09685.
"""

import keras
import numpy as np
from keras import ops

from coursekit.layers.attention import LayerNormalization, causal_mask, positional_encoding
from coursekit.models.transformer import EncoderBlock
from coursekit.training.logits import fit

__all__ = ["LanguageModel", "Reader", "adapt", "fit", "hide"]


class LanguageModel(keras.Model):
    """From tokens (batch, n) to logits (batch, n, tokens): of each next token, or of each token itself.

    tokens: how many kinds there are; longest: how many places; causal: True looks back only (GPT), False at both sides
    (BERT). Raises ValueError for a text that is longer than there are places.
    """

    def __init__(self, tokens, width=64, heads=4, hidden=128, blocks=2, longest=64, causal=True):
        super().__init__()
        start = keras.initializers.RandomNormal(stddev=1.0)
        self.embedding = keras.layers.Embedding(tokens, width, embeddings_initializer=start)
        self.positions = ops.convert_to_tensor(positional_encoding(longest, width))
        self.blocks = [EncoderBlock(width, heads, hidden) for _ in range(blocks)]
        self.norm, self.logits = LayerNormalization(), keras.layers.Dense(tokens)
        self.longest, self.causal = longest, causal

    def call(self, tokens):
        """Logits (batch, n, tokens)."""
        n = tokens.shape[1]
        if n > self.longest:
            raise ValueError(f"a text of {n} tokens, and the model has {self.longest} positions: shorten the text")
        x = self.embedding(tokens) + self.positions[:n]
        for block in self.blocks:
            x = block(x, causal_mask(n)) if self.causal else block(x)
        return self.logits(self.norm(x))


class Reader(keras.Model):
    """A transformer that reads a sequence and gives one answer, (batch, outputs), to numbers (batch, n, m) or tokens.

    entrance: the layer that makes a vector of `width` numbers of each place, an Embedding or a Dense. padded: whether a
    place that holds only zeros is padding; then nobody looks at it, and it is left out of the mean over places.
    Raises ValueError for a sequence that is longer than there are places.
    """

    def __init__(self, entrance, outputs, width=32, heads=4, hidden=64, blocks=1, longest=64, padded=False):
        super().__init__()
        self.entrance, self.longest, self.padded = entrance, longest, padded
        self.positions = ops.convert_to_tensor(positional_encoding(longest, width))
        self.blocks = [EncoderBlock(width, heads, hidden) for _ in range(blocks)]
        self.norm, self.answer = LayerNormalization(), keras.layers.Dense(outputs)

    def call(self, x):
        """Logits, or numbers, (batch, outputs)."""
        n = x.shape[1]
        if n > self.longest:
            raise ValueError(f"a sequence of {n} places, and the model has {self.longest} positions: shorten it")
        y, filled = self.entrance(x) + self.positions[:n], ops.not_equal(x, 0)
        real = filled if len(x.shape) == 2 else ops.any(filled, axis=-1)  # (batch, n)
        real = real if self.padded else ops.ones_like(real)
        for block in self.blocks:
            y = block(y, real[:, None, None, :])
        share = ops.cast(real, "float32")[:, :, None]
        return self.answer(ops.sum(self.norm(y) * share, axis=1) / ops.maximum(ops.sum(share, axis=1), 1.0))


def hide(tokens, rng, hidden, share=0.15, special=2):
    """Tokens (n, m) with some of them hidden, and which ones, (n, m) of 0 and 1: the task of a masked language model.

    Each token that is not special (numbers below `special`) is replaced by the number `hidden` with this probability.
    A row in which nothing was drawn gets one hidden token.
    """
    tokens = np.asarray(tokens)
    chance = np.where(tokens < special, 2.0, rng.random(tokens.shape))
    chosen = (chance < share) | ((chance == chance.min(axis=1, keepdims=True)) & (chance < 2))
    return np.where(chosen, hidden, tokens), chosen.astype("float32")


def adapt(model, rank):
    """Freeze all weights of a LanguageModel and put low-rank changes beside those of its attentions.

    Each dense layer of the attentions gets two thin matrices (Keras's `enable_lora`), which alone are trained.
    Returns the number of parameters that training may change.
    """
    model.embedding.trainable = model.norm.trainable = model.logits.trainable = False
    for block in model.blocks:
        block.norm_1.trainable = block.norm_2.trainable = block.feed_forward.trainable = False
        attention = block.attention
        for dense in (attention.query, attention.key, attention.value, attention.mix):
            dense.enable_lora(rank)
            dense.bias.trainable = False
    return int(sum(np.prod(weight.shape) for weight in model.trainable_variables))
