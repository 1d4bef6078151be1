"""What a command line may say: numbers, seeds, shares and folders are checked here, before anything is begun.

Each function takes what was written and returns its value, or raises `CoursekitError` with one sentence.
"""

import argparse
import re
import tempfile
from pathlib import Path

from coursekit.errors import CoursekitError

MOST_SEEDS = 1000


class Parser(argparse.ArgumentParser):
    """argparse, but a mistake in the call is an exception whose message is one sentence."""

    def error(self, message):
        """Raise the mistake that argparse found."""
        raise CoursekitError(f"{message}; `{self.prog} --help` explains it")


def count(option):
    """A function that takes a whole number from 1 on, for an option."""

    def checked(text):
        if not text.isascii() or not text.isdecimal() or int(text) < 1:
            raise CoursekitError(f"{option} takes a number from 1 on, not {text}")
        return int(text)

    return checked


def share(option):
    """A function that takes a share, from 0 to below 1, for an option."""

    def checked(text):
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value < 1:
            raise CoursekitError(f"{option} takes a share from 0 to below 1, such as 0.9, not {text}")
        return value

    return checked


def pair(option, mark, example):
    """A function that takes two whole numbers from 1 on with a mark between them, such as 2:4, for an option."""

    def checked(text):
        first, found, second = text.partition(mark)
        numbers = [int(part) if part.isascii() and part.isdecimal() else 0 for part in (first, second)]
        if not found or min(numbers) < 1:
            raise CoursekitError(f"{option} takes two numbers from 1 on, such as {example}, not {text}")
        return tuple(numbers)

    return checked


def pattern(text):
    """ "2:4" as (2, 4): of each four weights, two."""
    m, n = pair("--pattern", ":", "2:4")(text)
    if m >= n:
        raise CoursekitError(f"--pattern takes m:n with m below n, such as 2:4, not {text}: m of each n weights go")
    return m, n


def price(text):
    """What a bit costs: above 0, and not without end."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise CoursekitError(f"--price takes what a bit costs in units of the loss, such as 1e-5, not {text}")
    return value


def minutes(text):
    """A length of time: more than nothing, and not without end."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise CoursekitError(f"--minutes takes a number of minutes such as 25, not {text}")
    return value


def python(text):
    """A version of Python, such as 3.12."""
    if not re.fullmatch(r"3\.\d{1,2}", text):
        raise CoursekitError(f"--pythons takes versions such as 3.12, not {text}")
    return text


def seeds(words):
    """Seeds from words such as "0-4", "7" or "0,2", sorted."""
    found = set()
    for word in ",".join(words).split(","):
        first, dash, last = word.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise CoursekitError(f"--seeds takes numbers and ranges such as 0-4, not {word!r}")
        low, high = int(first), int(last or first)
        if low > high:
            raise CoursekitError(f"--seeds {word} counts backwards and names none; write {high}-{low}")
        if high >= 2**32:
            raise CoursekitError(f"--seeds takes numbers below 2**32, not {high}")
        if high - low >= MOST_SEEDS:
            raise CoursekitError(f"--seeds {word} names more than {MOST_SEEDS} seeds; name fewer at a time")
        found.update(range(low, high + 1))
    return sorted(found)


def shard(text):
    """ "2/4" as (2, 4): the second of four shares."""
    part, slash, whole = text.partition("/")
    if not (slash and part.isdecimal() and whole.isdecimal() and 1 <= int(part) <= int(whole)):
        raise CoursekitError(f"--shard takes a share such as 2/4, the second of four, not {text}")
    return int(part), int(whole)


def share_of(things, shard, weight=lambda thing: 1):
    """The things that belong to a share, in their order; the shares are about equally heavy and overlap nowhere.

    The heaviest first, each goes to the share that weighs least so far, so that everybody who has the same things and
    weights divides them in the same way. Names decide between equal weights.
    """
    part, whole = shard
    loads, mine = [0] * whole, set()
    for thing in sorted(things, key=lambda thing: (-weight(thing), str(thing))):
        lightest = loads.index(min(loads))
        loads[lightest] += weight(thing)
        if lightest == part - 1:
            mine.add(thing)
    return [thing for thing in things if thing in mine]


def folder(path):
    """`path` as a folder in which files can be written; it is made where it is missing."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        why = "a file of this name is in the way" if isinstance(error, FileExistsError) else error.strerror
        raise CoursekitError(f"{path} can't be written ({why}); name a folder elsewhere") from error
    return path


def file(path):
    """`path` as the name of a file that can be written, in a folder that is made where it is missing."""
    path = Path(path)
    if path.is_dir():
        raise CoursekitError(f"{path} is a folder; name a file")
    return folder(path.parent) / path.name


def existing(path):
    """`path` as a file that is there."""
    path = Path(path)
    if not path.is_file():
        raise CoursekitError(f"{path} is a folder; name a file" if path.is_dir() else f"there is no file {path}")
    return path


def new_folder(path):
    """`path` as the name of a folder that can be made, beside which files can be written."""
    path = Path(path)
    try:
        folder(path.parent)
    except CoursekitError as error:
        reason = error.__cause__.strerror
        raise CoursekitError(f"{path} can't be written ({reason}); name a folder elsewhere") from error
    return path
