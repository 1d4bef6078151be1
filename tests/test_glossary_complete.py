"""The glossary against the list of terms that it must have: tests/glossary_terms.txt, one a line after its chapter."""

import re
from pathlib import Path

TESTS = Path(__file__).parent
ENTRY = re.compile(r"(?m)^- \*\*(.+?)\*\*: .+\(\[(\d\d) .+\]\(\.\./notebooks/\d\d_\w+\.ipynb\)\)$")
# Entries stand under the full name, and the list has the short one.
FULL_NAME = {
    "ctc (connectionist temporal classification)": "connectionist temporal classification",
    "pca": "principal component analysis",
    "vae": "variational autoencoder",
    "gan": "generative adversarial network",
    "top-k": "top-k sampling",
    "clustering (of data)": "clustering",
    "stride (of a convolution)": "stride",
    "cnn (convolutional neural network)": "convolutional network",
}


def asked():
    """{term: its chapter} of the list."""
    lines = (TESTS / "glossary_terms.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split(" ", 1) for line in lines if line.strip() and not line.startswith("#")]
    return {term: chapter for chapter, term in pairs}


def entries():
    """The terms of the glossary, in small letters."""
    return {term.lower() for term, _ in ENTRY.findall((TESTS.parent / "docs" / "glossary.md").read_text("utf-8"))}


def test_every_term_of_the_list_is_in_the_glossary_with_a_definition_and_a_link():
    defined, wanted = entries(), asked()
    missing = {term for term in wanted if FULL_NAME.get(term.lower(), term.lower()) not in defined}
    said = [f"{term} ({wanted[term]})" for term in sorted(missing)]
    assert not said, f"the glossary lacks {', '.join(said)}: define each in its chapter's metadata, `coursekit index`"


def test_the_list_has_each_term_once_and_the_glossary_many_more():
    lines = [line for line in (TESTS / "glossary_terms.txt").read_text("utf-8").splitlines() if line[:2].isdigit()]
    assert len(lines) == len(asked()) > 90
    assert len(entries()) > 400
