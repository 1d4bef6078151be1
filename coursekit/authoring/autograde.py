"""What the nbgrader edition's configuration names: submissions are put right, then run, and a bad one stops no other.

Only nbgrader imports this module. It knows the cells of an exercise by their grade ids: `gap-3-2` holds the answer of
exercise 3.2, `test-3-2` grades it.
"""

import asyncio
import json
import re
from pathlib import Path

import nbformat
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbgrader.api import Gradebook
from nbgrader.preprocessors import Execute, NbGraderPreprocessor
from nbgrader.utils import is_grade

MAX_KEPT = 1_000_000  # characters of a cell's output
MAX_WRITTEN = 20_000_000  # the same, at which the cell is stopped
OURS = re.compile(r"(gap|test)-(\d+)-(\d+)")


class RestoreTests(NbGraderPreprocessor):
    """Put each test cell of the assignment into the submission, once, as it was, and where the answer is.

    nbgrader by itself gives a right answer no points if its test cell was deleted, and stops at a cell that was copied.
    """

    def preprocess(self, nb, resources):
        """Change the cells of `nb` to what can be graded."""
        source = _source_cells(resources["nbgrader"])
        for cell in nb.cells:
            if grade_id(cell) not in source:  # of another assignment, or broken
                cell.metadata.pop("nbgrader", None)
        for name in sorted(source, key=_order):
            if source[name].metadata.nbgrader.grade:
                self._place(nb, name, source[name])
        seen = set()
        for cell in reversed(nb.cells):
            name = grade_id(cell)
            if name in seen:  # a copy of a gap is code like any other; the last one keeps the mark
                del cell.metadata["nbgrader"]
            elif name:
                seen.add(name)
                cell.metadata["nbgrader"] = source[name].metadata.nbgrader
        return nb, resources

    def _place(self, nb, name, cell):
        """Put `cell` where the answer can be graded, and take away the copies that the submission has of it."""
        at, copies = _place_of(name, nb.cells), _positions(name, nb.cells)
        if copies != [at]:
            self.log.warning("%s was there %d times, or not behind its gap; it is put right", name, len(copies))
        if (nb.nbformat, nb.nbformat_minor) < (4, 5):
            cell.pop("id", None)
        before, after = ([one for one in part if grade_id(one) != name] for part in (nb.cells[:at], nb.cells[at:]))
        nb.cells = [*before, cell, *after]


class ExecuteToTheEnd(Execute):
    """nbgrader's execution, for which a dead kernel is a wrong answer, too.

    Tests from the cell on that killed the kernel, or would not stop, get no points; those before it keep theirs.
    A test passes unless it raises, and by nothing else: a warning costs no points, and a number displayed gives none.
    """

    def preprocess(self, nb, resources, km=None):
        """Execute `nb`; where that breaks off, the tests not run are marked as failed."""
        self.reached = None
        try:
            return super().preprocess(nb, resources, km)
        except (DeadKernelError, CellTimeoutError) as error:
            if self.reached is None:  # the kernel never started: no fault of the student's
                raise
            why = f"not graded, because cell {self.reached + 1} of this notebook " + (
                "killed the kernel" if isinstance(error, DeadKernelError) else "could not be stopped"
            )
            self.log.warning("The tests from cell %d on get no points: %s", self.reached + 1, why)
            for cell in nb.cells[self.reached :]:
                if is_grade(cell) and cell.cell_type == "code":
                    cell.outputs = [nbformat.v4.new_output("error", ename="NotGraded", evalue=why, traceback=[why])]
            return nb, resources

    def preprocess_cell(self, cell, resources, index):
        """Execute one cell."""
        self.reached, self.written = index, 0
        cell, resources = super().preprocess_cell(cell, resources, index)
        if is_grade(cell) and cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.output_type == "error"]
        return cell, resources

    def output(self, outs, msg, display_id, cell_index):
        """Keep one output of a cell, unless there is too much of it; stop a cell that floods."""
        written, self.written = self.written, self.written + len(json.dumps(msg["content"]))
        if written <= MAX_WRITTEN < self.written:
            self.flood = asyncio.ensure_future(self.km.interrupt_kernel())
        if self.written <= MAX_KEPT or msg["msg_type"] == "error":
            return super().output(outs, msg, display_id, cell_index)
        return None


def name_submissions(folder):
    """Give the only notebook of a submission the name of its assignment, and say so; nbgrader asks for that name.

    folder: that with submissions, `STUDENT/ASSIGNMENT/…` in it. A browser, a learning platform or a student may have
            renamed a notebook. What bears the name of another assignment is left alone.
    """
    for place in sorted(Path(folder).glob("*/*/")):
        found, right = sorted(place.glob("*.ipynb")), place / f"{place.name}.ipynb"
        if len(found) == 1 and found[0] != right and not (Path("source") / found[0].stem).is_dir():
            found[0].rename(right)
            print(f"{found[0]} is now called {right.name}")


def grade_id(cell):
    """nbgrader's name of a cell, or None where it has none."""
    marks = cell.metadata.get("nbgrader")
    found = marks.get("grade_id") if isinstance(marks, dict) else None
    return found if isinstance(found, str) else None


def _source_cells(where):
    """The assignment's cells as handed out, {grade id: cell}, from nbgrader's database."""
    with Gradebook(where["db_url"]) as gradebook:
        notebook = gradebook.find_notebook(where["notebook"], where["assignment"])
        points = {cell.name: cell.max_score for cell in [*notebook.grade_cells, *notebook.task_cells]}
        solutions = {cell.name for cell in notebook.solution_cells}
        tasks = {cell.name for cell in notebook.task_cells}
        return {
            cell.name: _cell(cell, cell.name in solutions, cell.name in tasks, points.get(cell.name))
            for cell in notebook.source_cells
        }


def _cell(stored, solution, task, points):
    make = nbformat.v4.new_code_cell if stored.cell_type == "code" else nbformat.v4.new_markdown_cell
    marks = {
        "grade": points is not None and not task,
        "solution": solution,
        "locked": stored.locked,
        "task": task,
        "grade_id": stored.name,
        "schema_version": 3,
        "checksum": stored.checksum,
        "cell_type": stored.cell_type,
    }
    return make(stored.source, metadata={"nbgrader": marks | ({} if points is None else {"points": points})})


def _place_of(name, cells):
    """Where a test cell belongs in a submission.

    Where it is, the last copy if there are several, as long as the last gap above it is its own; else behind its gap.
    If the gap is gone: where the test is, or before the next exercise.
    """
    kind = OURS.fullmatch(name)
    copies, gaps = _positions(name, cells), _positions(f"gap-{kind[2]}-{kind[3]}", cells) if kind else []
    good = [at for at in copies if _last_gap_above(at, cells) in gaps]
    if good:
        return good[-1]
    if gaps:
        return gaps[-1] + 1
    if copies:
        return copies[-1]
    later = [at for at, cell in enumerate(cells) if grade_id(cell) and _order(grade_id(cell)) > _order(name)]
    return later[0] if later else len(cells)


def _last_gap_above(at, cells):
    gaps = [i for i, cell in enumerate(cells[:at]) if (grade_id(cell) or "").startswith("gap-")]
    return gaps[-1] if gaps else None


def _positions(name, cells):
    return [at for at, cell in enumerate(cells) if grade_id(cell) == name]


def _order(name):
    """Sorts grade ids as the exercises stand in the course; cells that an instructor added come last."""
    kind = OURS.fullmatch(name)
    return (0, int(kind[2]), int(kind[3]), kind[1]) if kind else (1, 0, 0, name)
