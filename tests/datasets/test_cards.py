"""Names, cards, and what a reader sees of a data set."""

import dataclasses
import re
import subprocess
import sys

import pytest

from coursekit.datasets import PHOTOGRAPHS, Dataset, cards_markdown, load, names
from coursekit.datasets.published import IDX_FILES, PUBLISHED
from coursekit.errors import DataUnavailable


def test_importing_is_light():
    """`from coursekit import load` is in the first cell of every notebook."""
    heavy = {"numpy", "sklearn", "pandas", "pooch", "requests", "keras", "statsmodels", "mlxtend", "skimage", "PIL"}
    code = f"import sys; from coursekit import load; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_repr_shows_shapes_and_no_values():
    data = load("digits28")
    assert isinstance(data, Dataset) and isinstance(data, tuple) and data.x_train is data[0]
    assert repr(data) == (
        "Dataset(digits28, bundled: x_train (1437, 28, 28) uint8, y_train (1437,) uint8, "
        "x_test (360, 28, 28) uint8, y_test (360,) uint8)"
    )
    pretty = pytest.importorskip("IPython.lib.pretty")
    assert pretty.pretty(data) == repr(data)


def test_card_reads_well():
    card = load("iris").card
    text, markdown = str(card), card._repr_markdown_()
    for fact in (
        card.title,
        "120 + 30 samples of shape (4,)",
        "setosa, versicolor, virginica",
        "0.1 to 7.9",
        "bundled",
    ):
        assert fact in " ".join(text.split()) and fact in markdown
    assert max(map(len, text.splitlines())) <= 100
    assert re.search(r"^\| license \| .*\|$", markdown, re.MULTILINE)
    with pytest.raises(dataclasses.FrozenInstanceError):
        card.license = "mine"


def test_tables_have_a_full_row_for_every_data_set_and_every_photograph(monkeypatch):
    import socket

    def no_network(*args):
        raise AssertionError("the table must not need the network")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    sets, between, photographs = cards_markdown().split("\n\n")
    assert "photograph(name)" in between
    for table, known in ((sets, names()), (photographs, PHOTOGRAPHS)):
        head, rule, *rows = table.splitlines()
        cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]
        assert [row[0] for row in cells] == [f"`{name}`" for name in known]
        assert {len(row) for row in cells} == {head.count("|") - 1} == {rule.count("|") - 1}
        assert all(all(row) for row in cells)


@pytest.mark.parametrize("wrong, meant", [("Mnist", "mnist"), ("fashion-mnist", "fashion_mnist"), ("digit", "digits")])
def test_unknown_name_lists_the_names_and_guesses(wrong, meant):
    with pytest.raises(DataUnavailable) as failure:
        load(wrong)
    assert f"did you mean {meant!r}?" in str(failure.value)
    assert all(name in str(failure.value) for name in names())


def test_unknown_name_that_resembles_none():
    with pytest.raises(DataUnavailable) as failure:
        load("zzz")
    assert "did you mean" not in str(failure.value) and "digits28" in str(failure.value)


def test_a_name_must_be_text():
    with pytest.raises(TypeError, match="name of a data set in quotes, such as 'digits', not list"):
        load(["digits"])


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_set_can_be_verified_and_replaced(name):
    spec = PUBLISHED[name]
    assert spec.stand_in in names() and spec.stand_in not in PUBLISHED
    if spec.array_sha256:
        assert list(spec.array_sha256) == list(IDX_FILES)
    else:
        assert set(spec.file_md5) == set(spec.downloads) and len(set(spec.file_md5.values())) == 4
