"""Notebook files: found, read, written whole or not at all, and put into one normal form.

Everything that authors and CI do with a notebook goes through these functions.
"""

import copy
import functools
import hashlib
import json
import re
from pathlib import Path

import nbformat

from coursekit.errors import CoursekitError
from coursekit.paths import repository_root, write_whole

KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
FOLDERS = re.compile(r"[^\s\x1b]*/((?:site-packages|coursekit|lib/python3\.\d+)/)")  # of this machine, in a traceback
NAME = re.compile(r"\d\d_[a-z0-9_]+")


class NotebookError(CoursekitError):
    """A notebook can't be found or read."""


def folder():
    """The course's notebooks/ folder; `NotebookError` outside a checkout."""
    root = repository_root()
    if root is None:
        raise NotebookError("this needs a checkout of the course: clone its repository and run `make env` there")
    return root / "notebooks"


def find(wanted=()):
    """Paths of the notebooks asked for, by file, name or number ("03"); all of the course where none is named."""
    if not wanted:
        return sorted(path for path in folder().glob("*.ipynb") if NAME.fullmatch(path.stem))
    return [_find_notebook(str(name)) for name in wanted]


def _find_notebook(wanted):
    path = Path(wanted)
    if path.is_file() and path.suffix == ".ipynb":
        return path
    if path.is_dir():
        raise NotebookError(f"{wanted} is a folder; name a notebook, or none to take all in notebooks/")
    if path.is_file():
        raise NotebookError(f"{wanted} is not a notebook: its name does not end in .ipynb")
    here = sorted(folder().glob("*.ipynb"))
    matches = [file for file in here if file.stem == path.stem or file.stem.split("_")[0] == wanted.zfill(2)]
    if len(matches) != 1:
        known = ", ".join(file.stem for file in here) or "none yet"
        raise NotebookError(f"there is no notebook {wanted}; the course has {known}")
    return matches[0]


def read(path):
    """The notebook at `path`; `NotebookError` says what is wrong with a broken one."""
    try:
        notebook = copy.deepcopy(_parsed(Path(path).read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise NotebookError(f"there is no file {path}") from None
    except OSError as error:
        raise NotebookError(f"{path} can't be read: {error.strerror}") from error
    except nbformat.ValidationError as error:
        raise NotebookError(f"{path} is not a valid notebook: {str(error).splitlines()[0]}") from error
    except Exception as error:  # nbformat raises its own and json's errors
        raise NotebookError(
            f"{path} is broken ({str(error).splitlines()[0][:120]}); restore it with `git checkout -- {path}`"
        ) from error
    return notebook


@functools.lru_cache(maxsize=64)  # `index` asks for each notebook of the course many times
def _parsed(text):
    """The notebook of a text, valid. Nobody changes what this returns: `read` hands out copies."""
    notebook = nbformat.reads(_with_its_true_version(text), as_version=4)
    nbformat.validate(notebook)
    return notebook


def _with_its_true_version(text):
    """The text of a notebook; one whose cells have ids says that it is of format 4.5, the first that has them.

    Some editors add ids and leave an older version, for which nbformat refuses them.
    """
    notebook = json.loads(text)
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    older = (4, 0) <= (notebook.get("nbformat"), notebook.get("nbformat_minor")) < (4, 5) if cells else False
    if not older or not any("id" in cell for cell in cells):
        return text
    for cell in cells:
        cell.setdefault("id", nbformat.v4.new_code_cell().id)
    return json.dumps(notebook | {"nbformat_minor": 5})


def write(path, notebook):
    """Write a notebook in its normal form, whole or not at all. Raises FileNotWritten."""
    normalize(notebook)
    write_whole(path, nbformat.writes(notebook))


def tags(cell):
    """The tags of a cell."""
    return cell.metadata.get("tags", [])


def has_code(cell):
    """Whether a cell holds code that does something."""
    return cell.cell_type == "code" and bool(cell.source.strip())


def about(notebook):
    """The notebook's own metadata: title, summary, objectives, requires, terms, minutes, backends, packages, executed.

    `executed` is the content hash of the cells that made the stored outputs.
    """
    return notebook.metadata.get("coursekit", {})


def content_hash(notebook):
    """A short hash of what a run shows: the code cells. Prose, outputs and the generated set-up cell do not count."""
    code = json.dumps([cell.source for cell in notebook.cells if has_code(cell) and "setup" not in tags(cell)])
    return hashlib.sha256(code.encode()).hexdigest()[:16]


def normalize(notebook):
    """Put a notebook into the one form in which it is stored, so that a diff shows only what changed."""
    own = notebook.metadata.get("coursekit")
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNELSPEC, "language_info": {"name": "python"}})
    if own:
        notebook.metadata["coursekit"] = own
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for cell in notebook.cells:
        kept = {"tags": sorted(tags(cell))} if tags(cell) else {}
        if "solution" in tags(cell):  # collapsed in JupyterLab, and on Colab
            kept |= {"jupyter": {"source_hidden": True}, "cellView": "form"}
        cell.metadata = nbformat.from_dict(kept)
        cell.source = "\n".join(line.rstrip() for line in cell.source.strip("\n").split("\n"))
        if cell.cell_type == "code":
            cell.outputs = _normal_outputs(cell.outputs)
    executed = [cell for cell in notebook.cells if has_code(cell) and cell.execution_count]
    for count, cell in enumerate(executed, 1):
        cell.execution_count = count
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count
    return notebook


def _normal_outputs(outputs):
    """Outputs with neighboring pieces of one stream joined, erased text gone and no metadata but what shows."""
    normal = []
    for output in outputs:
        if output.output_type == "stream":
            if normal and normal[-1].output_type == "stream" and normal[-1].name == output.name:
                normal[-1].text += output.text
                continue
        elif output.output_type == "error":
            output.traceback = [FOLDERS.sub(r"\1", line) for line in output.traceback]
        else:
            output.metadata = nbformat.from_dict({})
        normal.append(output)
    for output in normal:
        if output.output_type == "stream":
            output.text = _as_a_terminal_shows(output.text)
    return [output for output in normal if output.output_type != "stream" or output.text.strip()]


def _as_a_terminal_shows(text):
    """Text in which each line holds only what was written after its last carriage return."""
    lines = [line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n")]
    return "\n".join(lines)


def clear_outputs(notebook):
    """Remove every output and execution count."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook
