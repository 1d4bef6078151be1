"""The nbgrader edition: each notebook with exercises as an assignment, its gaps and its tests as cells of their own.

`coursekit release OUT --nbgrader` writes it. Of each exercise it makes two cells. The first is the gap, followed by the
solution between nbgrader's two marks, where `nbgrader generate_assignment` cuts it out. The second grades: it raises,
and then gives no points, unless the answer is right. docs/grading.md tells instructors what to do with it; what the
configuration names stands in coursekit/authoring/autograde.py.
"""

import ast
import math
from dataclasses import dataclass

import nbformat

from coursekit import exercises
from coursekit.authoring import notebooks
from coursekit.authoring.pages import links
from coursekit.paths import write_whole

SCHEMA = 3  # of nbgrader's metadata
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
TEST = """\
# This cell grades exercise {id}. Leave it as it is: for grading it is put back as it was.
import coursekit

coursekit.grade("{id}", {answer})"""
CONFIG = '''\
"""How nbgrader treats this course. docs/grading.md of the course says what each line is for."""

import os
import sys

from coursekit.authoring.autograde import name_submissions

c = get_config()  # noqa: F821

c.CourseDirectory.course_id = "coursekit"

# What students get in place of a solution: nothing, for the gap stands above it.
c.ClearSolutions.code_stub = {"python": ""}

# Test cells that were deleted, copied, moved or changed are put right before anything else looks at them.
c.Autograde.sanitize_preprocessors = [
    "coursekit.authoring.autograde.RestoreTests",
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.DeduplicateIds",
    "nbgrader.preprocessors.OverwriteKernelspec",
    "nbgrader.preprocessors.OverwriteCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]
# A dead kernel, a loop without end or a flood of output costs points, and neither the submission nor the others.
c.Autograde.autograde_preprocessors = [
    "coursekit.authoring.autograde.ExecuteToTheEnd",
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Execute.timeout = 180  # seconds for one cell; at `quick` none of the course needs a minute on two cores
c.Execute.iopub_timeout = 60  # seconds that a cell which was stopped has to come to its end

# Beside a submission lies what its student put there. No file of that folder is imported, be it called coursekit.py.
c.Execute.extra_arguments = ["--IPKernelApp.ignore_cwd=True"]
os.environ["PYTHONSAFEPATH"] = "1"

# A submission under another name, such as "02_broadcasting (1).ipynb", would be passed over.
name_submissions("submitted")

# nbgrader calls a program of its own environment by name, and `.venv/bin/nbgrader` alone does not put that on the path.
os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)])

# What the notebooks see: bundled data, small sizes, one seed, whatever the shell of the instructor says.
os.environ["COURSEKIT_PROFILE"] = "quick"
os.environ["COURSEKIT_SEED"] = "0"
os.environ["COURSEKIT_PROGRESS"] = "off"
os.environ["KERAS_BACKEND"] = "tensorflow"
'''
README = """\
# The course as nbgrader takes it

Made by `coursekit release --nbgrader`. Every folder in `source/` is an assignment: a notebook of the course with its
solutions, so don't hand this folder out. Run nbgrader in this folder, in an environment that has the course
(`make env TEACH=1` there):

    nbgrader generate_assignment 01_tensors    # release/01_tensors: for students, the solutions cut out
    nbgrader autograde 01_tensors              # grades submitted/STUDENT/01_tensors/01_tensors.ipynb
    nbgrader generate_feedback 01_tensors      # feedback/STUDENT/01_tensors/01_tensors.html
    nbgrader export                            # grades.csv

`docs/grading.md` of the course goes through it step by step, and says what `nbgrader_config.py` does and why.
"""


@dataclass(frozen=True)
class Call:
    """A cell's `check("3.2", answer)`: the exercise, the answer as written, the lines before and from it on."""

    id: str
    answer: str
    before: list
    rest: list


def write_edition(edition, course):
    """Write the nbgrader edition of the notebooks {name: notebook}: what to run, {path: notebook}, and how."""
    names = [name for name, notebook in course.items() if _tagged(notebook, "exercise")]
    pages = {name: assignment(name, course[name], names) for name in names}
    if not pages:
        raise notebooks.NotebookError("no notebook has an exercise, so there is nothing to grade")
    for name, page in pages.items():
        write_whole(edition / "source" / name / f"{name}.ipynb", nbformat.writes(page))
    write_whole(edition / "nbgrader_config.py", CONFIG)
    write_whole(edition / "README.md", README)
    return {edition / "source" / name / f"{name}.ipynb": _strict(page) for name, page in pages.items()}, "with"


def refuse_unclear_exercises(course):
    """`NotebookError` if a notebook of {name: notebook} has no metadata, or two exercises of the course have one id."""
    home = {}
    for name, notebook in course.items():
        if not notebooks.about(notebook):
            raise notebooks.NotebookError(
                f"{name}.ipynb has no metadata.coursekit; add it (see CONTRIBUTING.md), then run `coursekit index`"
            )
        for cell in _tagged(notebook, "exercise"):
            call = find_check(name, cell)
            if call and call.id in home:
                raise notebooks.NotebookError(
                    f"exercise {call.id} stands in {home[call.id]}.ipynb and again in {name}.ipynb; give one of them a "
                    "number of its own"
                )
            if call:
                home[call.id] = name


def assignment(name, notebook, names=()):
    """The notebook as nbgrader's source: gaps with their solutions, test cells behind them, no outputs.

    names: the assignments of the edition; links to notebooks lead to these, other links are taken away.
    """
    solutions = _solutions(name, notebook)
    points = points_of(name, notebook)
    notebook = notebooks.clear_outputs(notebooks.normalize(notebook))
    cells = []
    for cell in notebook.cells:
        if "solution" in notebooks.tags(cell):
            continue
        if cell.cell_type == "markdown":
            cell.source = links.changed(cell.source, lambda target: _assignment_of(target, names))
        cells.append(cell)
        if "exercise" in notebooks.tags(cell) and notebooks.has_code(cell):
            call = find_check(name, cell)
            cell.source = _gap_with_solution(name, call, solutions[call.id])
            cell.metadata["nbgrader"] = _marks(f"gap-{_dashed(call.id)}", solution=True)
            cells.append(_test_cell(call, points[call.id]))
    notebook.cells = cells
    return notebook


def points_of(name, notebook):
    """Points of each exercise, {id: points}: 1, or what metadata.coursekit.points says, such as {"3.2": 2}."""
    ids = [call.id for call in _checks(name, notebook, "exercise")]
    given = notebooks.about(notebook).get("points", {})
    if not isinstance(given, dict):
        raise notebooks.NotebookError(f'{name}.ipynb: write metadata.coursekit.points like {{"{ids[0]}": 2}}')
    for identifier, value in given.items():
        if identifier not in ids:
            raise notebooks.NotebookError(
                f"{name}.ipynb: metadata.coursekit.points names exercise {identifier}; there are {', '.join(ids)}"
            )
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise notebooks.NotebookError(
                f"{name}.ipynb: the points of exercise {identifier} are {value!r}; write a number that is not negative"
            )
    return {identifier: given.get(identifier, 1) for identifier in ids}


def find_check(name, cell):
    """The cell's one `check`, or None where it has none; `NotebookError` if it has several or is no Python."""
    try:
        tree = ast.parse(cell.source)
    except SyntaxError as error:
        raise notebooks.NotebookError(
            f"{name}.ipynb: a cell of an exercise is no Python ({error.msg}); mend it: {cell.source.strip()[:40]!r}"
        ) from error
    checks = [statement for statement in tree.body if _is_check(statement)]
    if len(checks) > 1:
        ids = " and ".join(str(statement.value.args[0].value) for statement in checks)
        raise notebooks.NotebookError(f"{name}.ipynb: one cell checks {ids}; give each exercise a cell of its own")
    if not checks:
        return None
    lines, (identifier, answer) = cell.source.splitlines(), checks[0].value.args
    start = checks[0].lineno - 1
    return Call(identifier.value, ast.get_source_segment(cell.source, answer), lines[:start], lines[start:])


def _is_check(statement):
    match statement:
        case ast.Expr(ast.Call(ast.Name("check"), [ast.Constant(str()), _], [])):
            return True
    return False


def _tagged(notebook, tag):
    return [cell for cell in notebook.cells if tag in notebooks.tags(cell) and notebooks.has_code(cell)]


def _checks(name, notebook, tag):
    """The checks of the cells with a tag, one a cell."""
    calls = [find_check(name, cell) for cell in _tagged(notebook, tag)]
    if None in calls:
        raise notebooks.NotebookError(f'{name}.ipynb: a cell tagged {tag} has no line `check("…", answer)`; add it')
    return calls


def _solutions(name, notebook):
    """{id: the check in its solution cell}; `NotebookError` unless each gap has one solution and a checker."""
    gaps = [call.id for call in _checks(name, notebook, "exercise")]
    solved = _checks(name, notebook, "solution")
    ids = [call.id for call in solved]
    for identifier in dict.fromkeys([*gaps, *ids]):
        if ids.count(identifier) != 1 or gaps.count(identifier) != 1:
            raise notebooks.NotebookError(
                f"{name}.ipynb: exercise {identifier} has {gaps.count(identifier)} gaps and {ids.count(identifier)} "
                "solutions; it needs one of each"
            )
        if exercises.find(identifier) is None:
            raise notebooks.NotebookError(
                f"{name}.ipynb: exercise {identifier} has no checker, so it can't be graded; write one in "
                "coursekit/exercises/"
            )
    return {call.id: call for call in solved}


def _gap_with_solution(name, gap, solved):
    """The gap, the solution between nbgrader's marks, then the check. Cutting the marked lines leaves the gap."""
    solution = list(solved.before)
    if ast.dump(ast.parse(gap.answer)) != ast.dump(ast.parse(solved.answer)):
        if not gap.answer.isidentifier():
            raise notebooks.NotebookError(
                f"{name}.ipynb: exercise {gap.id} hands {gap.answer} to its check in the gap and {solved.answer} in "
                "the solution; let both hand in the same"
            )
        solution.append(f"{gap.answer} = {solved.answer}")
    shown = _stripped(gap.before)
    blank = len(gap.before) - len(shown)
    # nbgrader puts an empty line where it cuts, so one line less is needed before the check
    return "\n".join([*shown, BEGIN, *_stripped(solution), END, *[""] * (blank - 1), *gap.rest])


def _stripped(lines):
    """The lines without empty ones at the end."""
    return "\n".join(lines).rstrip().splitlines()


def _test_cell(call, points):
    cell = nbformat.v4.new_code_cell(TEST.format(id=call.id, answer=call.answer), id=f"test-{_dashed(call.id)}")
    # JupyterLab's "Run All" goes on after a cell with this tag, though it raises while the gap is open
    cell.metadata["tags"] = ["raises-exception"]
    cell.metadata["nbgrader"] = _marks(cell.id, grade=True, points=float(points))
    return cell


def _marks(grade_id, *, grade=False, solution=False, **points):
    """nbgrader's metadata of a cell."""
    marks = {"grade": grade, "solution": solution, "locked": grade, "task": False, "grade_id": grade_id}
    return marks | {"schema_version": SCHEMA} | points


def _dashed(identifier):
    """ "3.2" as nbgrader's ids allow it: "3-2"."""
    return identifier.replace(".", "-")


def _assignment_of(target, names):
    """Where a link to a notebook leads in the edition, or None."""
    name = target.removesuffix(".ipynb")
    return f"../{name}/{target}" if name in names and target != name else None


def _strict(notebook):
    """A copy in which a test cell that raises ends the run: in the source all answers are there."""
    strict = nbformat.from_dict(notebook)
    for cell in strict.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.metadata["tags"] = []
    return strict
