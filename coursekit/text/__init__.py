"""Text to numbers. `vocabulary` was born in notebook 09."""

from coursekit.text.vocabulary import PADDING, UNKNOWN, Vocabulary, pad, tokens

__all__ = ["PADDING", "UNKNOWN", "Vocabulary", "pad", "tokens"]
