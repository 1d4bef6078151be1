"""Notebook files: found, read and normalized."""

import json
import subprocess
import sys

import nbformat
import pytest
from helpers import make_notebook

from coursekit.authoring import notebooks
from coursekit.authoring.notebooks import NotebookError


def test_a_notebook_is_found_by_number_name_and_file():
    (welcome,) = notebooks.find(["00"])
    assert welcome.name == "00_welcome.ipynb"
    assert notebooks.find(["0"]) == notebooks.find(["00_welcome"]) == notebooks.find([welcome]) == [welcome]
    assert welcome in notebooks.find()


@pytest.mark.parametrize("wanted, says", [("77", "there is no notebook 77"), ("nowhere.ipynb", "no notebook nowhere")])
def test_what_is_not_there_is_said_with_what_is(wanted, says):
    with pytest.raises(NotebookError, match=says) as raised:
        notebooks.find([wanted])
    assert "00_welcome" in str(raised.value)


def test_folders_and_other_files_are_no_notebooks(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    for wanted, says in ((tmp_path, "is a folder"), (tmp_path / "notes.txt", "not a notebook")):
        with pytest.raises(NotebookError, match=says):
            notebooks.find([wanted])


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cells": 3, "nbformat": 4, "nbformat_minor": 5}', "\0"])
def test_a_broken_notebook_is_said_to_be_broken(tmp_path, text):
    path = tmp_path / "01_broken.ipynb"
    path.write_text(text)
    with pytest.raises(NotebookError, match="01_broken"):
        notebooks.read(path)


def test_the_normal_form_keeps_what_shows_and_nothing_else():
    notebook = make_notebook("x = 1\n\n", ("y = 2", ["solution"]))
    notebook.metadata["widgets"] = {"state": 1}
    first, second = notebook.cells
    first.metadata = nbformat.from_dict({"execution": {"iopub.execute_input": "now"}, "collapsed": True})
    first.execution_count, second.execution_count = 7, 12
    stream = [nbformat.v4.new_output("stream", text=text) for text in ("one\n", "50%\r      \rtwo\n", "   \r   ")]
    result = nbformat.v4.new_output("execute_result", {"text/plain": "3"}, execution_count=7, metadata={"a": 1})
    first.outputs = [*stream, result]
    notebooks.normalize(notebook)
    assert set(notebook.metadata) == {"coursekit", "kernelspec", "language_info"}
    assert (first.execution_count, second.execution_count, first.outputs[-1].execution_count) == (1, 2, 1)
    assert first.metadata == {} and first.source == "x = 1"
    assert first.outputs[0].text == "one\ntwo\n   " and first.outputs[1].metadata == {}
    assert second.metadata["jupyter"] == {"source_hidden": True}
    before = nbformat.writes(notebook)
    assert nbformat.writes(notebooks.normalize(notebook)) == before


def test_a_stored_traceback_names_no_folder_of_this_machine():
    notebook = make_notebook("1 / 0")
    lines = ["File /srv/anna/course/coursekit/claims.py:3", "File /opt/lib/python3.12/site-packages/keras/x.py:1"]
    notebook.cells[0].outputs = [nbformat.v4.new_output("error", ename="E", evalue="", traceback=lines)]
    (error,) = notebooks.normalize(notebook).cells[0].outputs
    assert error.traceback == ["File coursekit/claims.py:3", "File site-packages/keras/x.py:1"]


def test_a_bar_that_cleared_itself_leaves_no_trace():
    notebook = make_notebook("x = 1")
    notebook.cells[0].outputs = [nbformat.v4.new_output("stream", text="\r 50%|####    |\r              \r")]
    assert notebooks.normalize(notebook).cells[0].outputs == []


def test_the_content_hash_follows_the_authors_code_and_nothing_else():
    one = make_notebook("md:text", "x = 1")
    same = make_notebook("md:other text", "x = 1", title="Other")
    same.cells[1].outputs = [nbformat.v4.new_output("stream", text="1")]
    same.cells.insert(0, nbformat.v4.new_code_cell("import coursekit as ck", metadata={"tags": ["setup"]}))
    assert notebooks.content_hash(one) == notebooks.content_hash(same)
    assert notebooks.content_hash(one) != notebooks.content_hash(make_notebook("md:text", "x = 2"))


@pytest.mark.parametrize("minor", [0, 2, 4])
def test_cells_with_ids_in_a_notebook_of_an_older_format_are_read(tmp_path, minor, capfd):
    """Some editors write ids and leave the version; nbformat refuses that: "Additional properties are not allowed"."""
    made = make_notebook("x = 1", "md:prose")
    made.nbformat_minor = minor
    del made.cells[1]["id"]
    path = tmp_path / "01_old.ipynb"
    path.write_text(json.dumps(made), encoding="utf-8")
    notebook = notebooks.read(path)
    assert notebook.nbformat_minor == 5 and notebook.cells[0].id == made.cells[0].id and notebook.cells[1].id
    assert capfd.readouterr() == ("", "")


def test_an_older_format_without_ids_stays_as_it_is(tmp_path):
    made = make_notebook("x = 1")
    made.nbformat_minor = 2
    del made.cells[0]["id"]
    path = tmp_path / "01_old.ipynb"
    path.write_text(json.dumps(made), encoding="utf-8")
    assert notebooks.read(path).nbformat_minor == 2


def test_what_is_done_to_a_notebook_that_was_read_does_not_show_when_it_is_read_again(tmp_path):
    path = tmp_path / "00_a.ipynb"
    notebooks.write(path, make_notebook("1 + 1"))
    first = notebooks.read(path)
    first.cells[0].source, first.metadata["mine"] = "changed", True
    again = notebooks.read(path)
    assert again.cells[0].source == "1 + 1" and "mine" not in again.metadata
    path.write_text(path.read_text(encoding="utf-8").replace("1 + 1", "2 + 2"), encoding="utf-8")
    assert notebooks.read(path).cells[0].source == "2 + 2"


def test_notebooks_are_read_and_checked_without_a_grammar_that_takes_seconds_to_build(tmp_path):
    path = tmp_path / "00_a.ipynb"
    notebooks.write(path, make_notebook("1 + 1"))
    code = "import sys; from coursekit.authoring import notebooks; notebooks.read(sys.argv[1]); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert "jsonschema" in done.stdout.split() and "lark" not in done.stdout.split()
