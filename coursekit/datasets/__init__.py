"""load(name): the course's data sets, split, verified and described. photograph(name): single images.

    x_train, y_train, x_test, y_test, card = load("digits")
    image = photograph("astronaut")

`bundled` holds the data sets that other packages bring, `glyphs` one that is drawn, `spoken_digits` one that was
synthesized, and `photographs` the images. `published` holds what is found on this machine or downloaded (`cifar`:
CIFAR-10, whose files have a form of their own). `sources` reads, fetches and keeps files, wherever they lie, `verify`
decides whether a file is the true data, and `cards` describes. Importing this imports no NumPy: notebooks do it in
their first cell.
"""

from coursekit.datasets import cifar, glyphs, spoken_digits  # noqa: F401 (the last two register themselves)
from coursekit.datasets.bundled import BUNDLED
from coursekit.datasets.cards import Card, Dataset, table
from coursekit.datasets.photographs import PHOTOGRAPHS, Photograph, photograph, photographs_table
from coursekit.datasets.published import PUBLISHED, NothingCame, load_published
from coursekit.errors import DataUnavailable

__all__ = ["PHOTOGRAPHS", "Card", "Dataset", "Photograph", "cards_markdown", "load", "names", "photograph"]


def load(name, data_dir=None):
    """Load a data set by name; `names()` lists them.

    name:     such as "digits" or "mnist".
    data_dir: a folder with data files of your own, instead of the one in COURSEKIT_DATA. Only published data sets are
              looked for there; the bundled ones come with the installed packages.

    Returns a `Dataset`: x_train, y_train, x_test, y_test (NumPy arrays) and a card that says what they are.

    Where a GPU brought `full` by itself (nobody asked for it) and there is no way to a published data set, the bundled
    one takes its place, the notebook goes on at `quick`, and one line says so.

    Raises `DataUnavailable` if there is no such data set or it can't be had here, and `DataRefused` if a file that
    should hold it does not; both say what to do. Raises `TypeError` if `name` is not a string.
    """
    if not isinstance(name, str):
        raise TypeError(
            f"load() takes the name of a data set in quotes, such as {names()[0]!r}, not {type(name).__name__}"
        )
    if name in BUNDLED:
        card, loader = BUNDLED[name]
        return loader(card)
    if name in PUBLISHED:
        return _published_or_stand_in(name, data_dir)
    if name == cifar.CARD.name:
        return cifar.cifar10(data_dir)
    raise DataUnavailable(f"there is no data set {name!r}{_meant(name)}; there are {', '.join(names())}")


def _published_or_stand_in(name, data_dir):
    from coursekit.session import step_down

    try:
        return load_published(PUBLISHED[name], data_dir)
    except NothingCame as problem:
        if not step_down():
            raise
        print(
            f"{name} can't be had here ({problem.why}): the notebook goes on at `quick`, with {problem.stand_in}, "
            "which is bundled"
        )
        return load(problem.stand_in)


def names():
    """The names that load() knows, bundled ones first."""
    return [*BUNDLED, *PUBLISHED, cifar.CARD.name]


def cards_markdown():
    """A table in markdown of all data sets, and one of all photographs, with source and license. Loads nothing."""
    cards = [*(card for card, _ in BUNDLED.values()), *(spec.card for spec in PUBLISHED.values()), cifar.CARD]
    return f"{table(cards)}\n\nSingle images, by `coursekit.datasets.photograph(name)`:\n\n{photographs_table()}"


def _meant(name):
    from difflib import get_close_matches

    if name.lower() in PHOTOGRAPHS:
        return f" (did you mean coursekit.datasets.photograph({name.lower()!r})?)"
    close = get_close_matches(name.lower(), names(), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
