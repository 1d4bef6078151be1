"""The language reference that every Python brings, as plain text to train on; and a second text in another style.

Born in notebook 11.
"""

CHARACTERS = "".join(map(chr, range(32, 127))) + "\n"  # 96: what can be typed on an English keyboard, and a new line
_PLAIN = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "…": "..."})


def python_reference(length=300_000):
    """The first `length` characters of Python's language reference, without repeated paragraphs.

    The text comes from `pydoc_data.topics` and differs a little from one Python to the next. Its topics repeat each
    other; a paragraph is kept where it stands first, so that no test text was seen in training. Typographic marks
    become plain ones, and a paragraph with other letters is left out: only CHARACTERS are in the text.
    Raises ValueError where the text is shorter than `length`.
    """
    from pydoc_data.topics import topics

    return _cut("\n\n".join(topics.values()), length)


def dataset_descriptions(length=30_000):
    """The first `length` characters of what scikit-learn writes about its data sets (BSD license): another style.

    Raises ValueError where the text is shorter than `length`.
    """
    from importlib.resources import files

    folder = files("sklearn") / "datasets" / "descr"
    names = sorted(one.name for one in folder.iterdir() if one.name.endswith(".rst"))
    return _cut("\n\n".join((folder / name).read_text(encoding="utf-8") for name in names), length)


def _cut(text, length):
    paragraphs = dict.fromkeys(text.translate(_PLAIN).replace("\r\n", "\n").split("\n\n"))
    kept = [one for one in paragraphs if one.strip() and set(one) <= set(CHARACTERS)]
    text = "\n\n".join(kept)
    if len(text) < length:
        raise ValueError(f"there are {len(text):,} characters, fewer than {length:,}: ask for a shorter text")
    return text[:length]
