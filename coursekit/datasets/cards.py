"""What load() returns: the arrays of a data set, and a card that says what they are and where they come from.

Born in notebook 00.
"""

import textwrap
from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Card:
    """The facts about a data set, to be read and cited."""

    name: str  # what load() is given
    title: str  # what it is, in a few words
    task: str  # what it is used for: classification, regression, forecasting, ...
    samples: tuple[int, int]  # how many for training, how many for testing
    shape: tuple[int, ...]  # of one sample; () for a number
    dtype: str  # of the values
    range: tuple[float, float]  # least and greatest value (of x; of y in a series)
    source: str  # who made it, and where it is published
    license: str
    tier: str  # how it is had: "bundled", "found" or "downloaded"
    classes: tuple[str, ...] = ()  # the name of each label, in order
    features: tuple[str, ...] = ()  # the name of each column
    note: str = ""

    @property
    def size(self):
        """Number and shape of the samples in words."""
        train, test = self.samples
        each = f"samples of shape {self.shape}" if self.shape else "numbers"
        return f"{train:,} + {test:,} {each}"

    @property
    def values(self):
        """Type and range of the values in words."""
        low, high = self.range
        return f"{self.dtype}, {low:,g} to {high:,g}"

    def _rows(self):
        """(label, text) for every line of the card that has something to say."""
        rows = {
            "task": self.task,
            "size": self.size,
            "values": self.values,
            "classes": ", ".join(self.classes),
            "features": ", ".join(self.features),
            "source": self.source,
            "license": self.license,
            "tier": self.tier,
            "note": self.note,
        }
        return [(label, text) for label, text in rows.items() if text]

    def __str__(self):
        lines = [f"{self.name}: {self.title}"]
        for label, text in self._rows():
            lines += textwrap.wrap(
                text, 100, initial_indent=f"  {label:<9}", subsequent_indent=" " * 11, break_long_words=False
            )
        return "\n".join(lines)

    def _repr_markdown_(self):
        rows = "\n".join(f"| {label} | {_cell(text)} |" for label, text in self._rows())
        return f"**{self.name}**: {self.title}\n\n| | |\n|---|---|\n{rows}"


class Dataset(NamedTuple):
    """A data set, split: `x_train, y_train, x_test, y_test, card = load("digits")`."""

    x_train: Any  # NumPy arrays; the first axis counts the samples
    y_train: Any
    x_test: Any
    y_test: Any
    card: Card

    def __repr__(self):
        arrays = ", ".join(
            f"{name} {array.shape} {array.dtype}" for name, array in zip(self._fields[:4], self[:4], strict=True)
        )
        return f"Dataset({self.card.name}, {self.card.tier}: {arrays})"


def table(cards):
    """The cards as one table in markdown."""
    head = "| Name | What it is | Task | Samples | Values | Tier | Source | License |\n" + "|---" * 8 + "|"
    rows = [
        [f"`{card.name}`", card.title, card.task, card.size, card.values, card.tier, card.source, card.license]
        for card in cards
    ]
    return "\n".join([head, *("| " + " | ".join(map(_cell, row)) + " |" for row in rows)])


def _cell(text):
    return text.replace("|", "\\|")
