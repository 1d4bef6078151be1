"""The nbgrader edition: what it is made of, what it refuses, and nbgrader itself on it with a class of students.

The small assignment holds four exercises of notebook 02. All submissions are graded in one run, as a class is: each
must get the points that it should, and none may keep another from getting them.
"""

import copy
import os
import re
import subprocess
import sys
from types import SimpleNamespace
from uuid import uuid4

import nbformat
import pytest
from helpers import ROOT, Course, make_notebook

from coursekit.authoring import lint, notebooks
from coursekit.authoring.editions import grading

IDS = ("2.1", "2.2", "2.3", "2.5")
POINTS = {"2.1": 1, "2.2": 2, "2.3": 1, "2.5": 1}
NAME = "02_small"
LEXICON = {path.stem: path for path in notebooks.find()}


def cells_of(tag, identifier, name="02_broadcasting"):
    """The source of a notebook's cell with a tag that checks an exercise."""
    page = lint.Page(LEXICON[name], notebooks.read(LEXICON[name]))
    return next(cell.source for _, cell in page.tagged(tag) if f'check("{identifier}"' in cell.source)


def exercise(identifier):
    """A real exercise as cells for `make_notebook`: gap and solution."""
    return [(cells_of(tag, identifier), [tag]) for tag in ("exercise", "solution")]


def small_notebook(**about):
    cells = [
        cell for identifier in IDS for cell in [f"md:### Exercise {identifier}: a real one", *exercise(identifier)]
    ]
    setup = "import numpy as np\nfrom coursekit import check, claim, load, scale"
    return make_notebook(
        setup, "md:See [this](01_x.ipynb#a), [that](02_small.ipynb).", *cells, points={"2.2": 2}, **about
    )


def marked(notebook, start=""):
    """{grade id: cell} of the cells that nbgrader knows, with ids that start so."""
    known = {cell.metadata.nbgrader.grade_id: cell for cell in notebook.cells if "nbgrader" in cell.metadata}
    return {name: cell for name, cell in known.items() if name.startswith(start)}


def edition(course, out, *more):
    return course.run("release", out, "--nbgrader", "--no-run", *more)


# --- every notebook of the course -------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", LEXICON)
def test_every_exercise_becomes_a_gap_with_its_solution_and_a_test(name):
    original = notebooks.read(LEXICON[name])
    asked = [call.id for call in grading._checks(name, original, "exercise")]
    gaps = [cell.source for _, cell in lint.Page(LEXICON[name], original).tagged("exercise")]
    solutions = [cell.source for _, cell in lint.Page(LEXICON[name], original).tagged("solution")]
    others = [cell.source for cell in original.cells if not {"exercise", "solution"} & set(notebooks.tags(cell))]
    made = grading.assignment(name, original, list(LEXICON))
    nbformat.validate(made)
    dashed = [identifier.replace(".", "-") for identifier in asked]
    assert list(marked(made)) == [f"{kind}-{one}" for one in dashed for kind in ("gap", "test")]
    for identifier, gap, solution, cell in zip(asked, gaps, solutions, marked(made, "gap").values(), strict=True):
        shown, rest = cell.source.split(grading.BEGIN + "\n")
        inner, after = rest.split(grading.END)
        assert shown + after == gap, "what is left when nbgrader cuts is the gap, to the letter"
        code = grading.find_check(name, SimpleNamespace(source=solution)).before
        assert inner.startswith("\n".join(code).rstrip())
        compile(cell.source, identifier, "exec")
    for identifier, cell in zip(asked, marked(made, "test").values(), strict=True):
        assert f'\ncoursekit.grade("{identifier}", ' in cell.source and cell.metadata.nbgrader.points == 1
        assert cell.metadata.nbgrader.locked and cell.metadata.nbgrader.grade
    assert all(not cell.get("outputs") for cell in made.cells)
    unlinked = lambda source: re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", source)  # links to what is not there are gone
    kept = [unlinked(cell.source) for cell in made.cells if cell.source and "nbgrader" not in cell.metadata]
    assert set(map(unlinked, others)) <= set(kept)
    assert not any("](" in cell.source and f"]({one}.ipynb" in cell.source for cell in made.cells for one in LEXICON)


# --- what is written, and what is refused -----------------------------------------------------------------------------
def test_the_edition_is_a_course_folder_with_points_from_the_metadata(course, tmp_path):
    nbformat.write(small_notebook(), course.root / "notebooks" / f"{NAME}.ipynb")
    course.add("01_no_exercise", "x = 1")
    out = tmp_path / "out"
    status, said, _ = edition(course, out)
    assert status == 0 and "1 notebooks with solutions" in said
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert files == ["README.md", "nbgrader_config.py", f"source/{NAME}/{NAME}.ipynb"]
    made = nbformat.read(out / files[-1], 4)
    tests = marked(made, "test")
    assert {name: cell.metadata.nbgrader.points for name, cell in tests.items()} == {
        f"test-{identifier.replace('.', '-')}": points for identifier, points in POINTS.items()
    }
    assert made.cells[1].source == f"See this, [that](../{NAME}/{NAME}.ipynb)."
    again = tmp_path / "again"
    assert edition(course, again)[0] == 0 and (again / files[-1]).read_bytes() == (out / files[-1]).read_bytes()


SOLVED = [("answer = ...\n\ncheck('2.1', answer)", ["exercise"]), ("answer = 1\n\ncheck('2.1', answer)", ["solution"])]


@pytest.mark.parametrize(
    "cells, about, says",
    [
        (SOLVED, {"points": {"2.2": 1}}, "points names exercise 2.2; there are 2.1"),
        (SOLVED, {"points": {"2.1": "two"}}, "the points of exercise 2.1 are 'two'"),
        (SOLVED, {"points": {"2.1": -1}}, "the points of exercise 2.1 are -1"),
        (SOLVED, {"points": {"2.1": True}}, "the points of exercise 2.1 are True"),
        (SOLVED, {"points": [2]}, 'write metadata.coursekit.points like {"2.1": 2}'),
        (SOLVED[:1], {}, "exercise 2.1 has 1 gaps and 0 solutions"),
        ([*SOLVED, SOLVED[1]], {}, "exercise 2.1 has 1 gaps and 2 solutions"),
        ([*SOLVED, SOLVED[0]], {}, "exercise 2.1 stands in 02_first.ipynb and again in 02_first.ipynb"),
        ([("answer = ...", ["exercise"])], {}, 'a cell tagged exercise has no line `check("…", answer)`'),
        ([("answer = = 1", ["exercise"])], {}, "a cell of an exercise is no Python"),
        ([(source.replace("2.1", "2.77"), tag) for source, tag in SOLVED], {}, "exercise 2.77 has no checker"),
        ([("check('2.1', ...)\ncheck('2.2', ...)", ["exercise"])], {}, "one cell checks 2.1 and 2.2"),
        ([("check('2.1', [a])", ["exercise"]), ("check('2.1', [b])", ["solution"])], {}, "let both hand in the same"),
        (["x = 1"], {}, "no notebook has an exercise"),
    ],
)
def test_what_cannot_be_graded_is_one_sentence_and_nothing_is_written(
    cells, about, says, tmp_path, monkeypatch, capsys
):
    from coursekit.authoring import cli

    (tmp_path / "notebooks").mkdir()
    nbformat.write(make_notebook(*cells, **about), tmp_path / "notebooks" / "02_first.ipynb")
    monkeypatch.setattr(notebooks, "folder", lambda: tmp_path / "notebooks")
    assert cli.main(["release", str(tmp_path / "out"), "--nbgrader", "--no-run"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("coursekit: ") and says in err and err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["notebooks"]


def test_a_solution_that_gets_no_points_is_refused(course, tmp_path):
    wrong = [SOLVED[0], ("answer = [1, 2, 3, 4]\n\ncheck('2.1', answer)", ["solution"])]
    course.add("02_first", "from coursekit import check", *wrong)
    status, said, _ = course.run("release", tmp_path / "out", "--nbgrader")
    assert status == 1 and "02_first.ipynb does not run with its solutions" in said and "WrongAnswer" in said
    assert [path.name for path in tmp_path.iterdir()] == ["a course"]


# --- nbgrader itself --------------------------------------------------------------------------------------------------
WRONG = {
    "2.1": 'answer = [(5, 3), (5, 3), (7, 1), "error"]\n',
    "2.2": "def one_hot(labels, classes):\n    return np.eye(classes)\n",
    "2.3": "def standardize(batch):\n    return (batch - batch.mean()) / batch.std()\n",
    "2.5": "answer = 0\n",
}
GOOD = dict.fromkeys(IDS)  # None: the solution
STUBBORN = "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass"
FORGERY = """
import coursekit
check = grade = lambda *a: None
coursekit = type("coursekit", (), {"grade": grade})
"""


class Submission:
    """The notebook that students get, for a test to fill in and spoil."""

    def __init__(self, released, solutions):
        self.notebook, self.solutions = copy.deepcopy(released), solutions

    def at(self, name):
        """Where the first cell with a grade id stands."""
        return next(
            i for i, c in enumerate(self.notebook.cells) if c.metadata.get("nbgrader", {}).get("grade_id") == name
        )

    def cell(self, name):
        return self.notebook.cells[self.at(name)]

    def pop(self, name):
        return self.notebook.cells.pop(self.at(name))

    def insert(self, at, source, **metadata):
        self.notebook.cells.insert(at, nbformat.v4.new_code_cell(source, metadata=metadata))

    def fill(self, answers):
        """Put answers {exercise: code, or None for the solution} into the gaps."""
        for identifier, code in answers.items():
            name = f"gap-{identifier.replace('.', '-')}"
            self.cell(name).source = self.solutions[name] if code is None else code
        return self


# Files that a student hands in beside the notebook: modules that Python would find before the course's.
BESIDE = {
    "forged_beside": {
        "coursekit.py": "def grade(*_):\n    pass\n\n\ncheck = claim = load = scale = grade\n",
    },
    "spoiled_beside": {name: "1 / 0\n" for name in ("numpy.py", "ipykernel_launcher.py", "json.py")},
}


def twin(cell):
    """A copy of a cell, as JupyterLab makes it: with the same metadata."""
    return nbformat.from_dict(cell | {"id": uuid4().hex[:8]})


def the_class(blank):
    """{student: (submission, exercises that must get their points)}."""
    students = {"empty": (blank(), ()), "perfect": (blank().fill(GOOD), IDS), "wrong": (blank().fill(WRONG), ())}

    one = blank().fill(GOOD | {"2.5": WRONG["2.5"]})  # and saved by an editor that knows no ids of cells
    for name in ("test-2-1", "test-2-2", "test-2-5"):
        one.pop(name)
    one.notebook.nbformat_minor = 4
    for cell in one.notebook.cells:
        del cell["id"]
    students["deleted"] = one, IDS[:3]

    one = blank().fill(GOOD)
    one.notebook.cells += [twin(one.cell("test-2-1")), twin(one.cell("test-2-1"))]
    one.notebook.cells.insert(0, twin(one.cell("test-2-2")))
    students["copied"] = one, IDS

    one = blank().fill(GOOD)  # a second attempt: gap and test copied below the first, which was wrong
    first = one.at("gap-2-2")
    one.notebook.cells[first + 2 : first + 2] = map(twin, one.notebook.cells[first : first + 2])
    one.cell("gap-2-2").source = WRONG["2.2"]
    students["second_attempt"] = one, IDS

    one = blank().fill(GOOD)  # JupyterLab keeps the metadata in both halves of a cell that is split
    code = one.cell("gap-2-3").source.splitlines()
    one.cell("gap-2-3").source = "half = np.where"
    rest = twin(one.cell("gap-2-3"))
    rest.source = "\n".join(code).replace("np.where", "half")
    one.notebook.cells.insert(one.at("gap-2-3") + 1, rest)
    students["split"] = one, IDS

    one = blank().fill(GOOD)  # moved to the end, where `answer` is that of 2.5; another before its gap
    one.notebook.cells.append(one.pop("test-2-1"))
    one.notebook.cells.insert(0, one.pop("test-2-3"))
    students["moved"] = one, IDS

    one = blank().fill(GOOD)  # answered in cells of their own, the gaps thrown away, once with the test
    for name in ("gap-2-2", "gap-2-3"):
        source = one.cell(name).source
        one.insert(one.at(name), source)
        one.pop(name)
    one.pop("test-2-3")
    students["no_gap"] = one, IDS

    one = blank().fill(WRONG)
    for name in ("test-2-1", "test-2-2"):
        one.cell(name).source = "pass"
    one.cell("test-2-3").metadata.nbgrader.update(points=100.0, locked=False, grade=False)
    one.cell("test-2-5").cell_type = "markdown"
    one.insert(1, FORGERY)
    students["forged"] = one, ()
    students["forged_beside"] = blank().fill(WRONG), ()
    students["spoiled_beside"] = blank().fill(GOOD), IDS
    students["renamed"] = blank().fill(GOOD), IDS

    one = blank().fill(GOOD)  # cells of other assignments, broken marks, and a gap that became text
    one.insert(1, "x = 1", nbgrader=dict(one.cell("test-2-1").metadata.nbgrader, grade_id="test-9-9"))
    one.insert(1, "x = 1", nbgrader={})
    one.insert(1, "x = 1", nbgrader={"grade_id": ["test-2-1"], "schema_version": 99})
    del one.cell("gap-2-1").metadata.nbgrader["schema_version"]
    text = one.cell("gap-2-2")
    one.notebook.cells[one.at("gap-2-2")] = nbformat.v4.new_markdown_cell(text.source, metadata=text.metadata)
    students["odd_marks"] = one, IDS

    warned = "import sys, warnings\nwarnings.warn('careful')\nprint('careful', file=sys.stderr)\n"
    noisy = "answer = [(5, 3), 'error', (7, 7), (8, 4, 6)]\nimport sys\nclass Noisy(list):\n    def __len__(self):\n"
    noisy += "        print('noise', file=sys.stderr)\n        display(0)\n        return 4\nanswer = Noisy(answer)"
    one = blank().fill(GOOD | {"2.1": noisy})
    one.cell("gap-2-5").source = warned + one.cell("gap-2-5").source
    students["warns"] = one, IDS

    loop = "def one_hot(labels, classes):\n    while True:\n        pass"
    students["loops"] = blank().fill(GOOD | {"2.2": loop}), ("2.1", "2.3", "2.5")
    flood = "while True:\n    print('x' * 50)\n"
    one = blank().fill(GOOD)
    one.insert(one.at("gap-2-2"), flood)
    students["floods"] = one, IDS
    students["stubborn"] = blank().fill(GOOD | {"2.3": STUBBORN}), ("2.1", "2.2")
    dies = "import os\ndef standardize(batch):\n    os._exit(0)"
    students["dies"] = blank().fill(GOOD | {"2.3": dies}), ("2.1", "2.2")
    return students


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The class, graded: commands that were run, points of each student, the folder."""
    folder = tmp_path_factory.mktemp("grading")
    course = Course(folder / "a course")
    nbformat.write(small_notebook(), course.root / "notebooks" / f"{NAME}.ipynb")
    out = folder / "to grade"
    status, said, _ = course.run("release", out, "--nbgrader")
    assert status == 0, said

    def nbgrader(*arguments):
        """nbgrader in the course folder, with nothing of this machine's settings."""
        home = folder / "home"
        home.mkdir(exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("COURSEKIT_", "JUPYTER"))}
        env = kept | {"HOME": str(home), "USERPROFILE": str(home), "IPYTHONDIR": str(home), "KERAS_BACKEND": "jax"}
        env |= {f"JUPYTER_{part}_DIR": str(home / part) for part in ("CONFIG", "DATA", "RUNTIME")}
        command = [sys.executable, "-m", "nbgrader", *arguments]
        done = subprocess.run(command, cwd=out, env=env, capture_output=True, text=True, timeout=600)
        return done.returncode, done.stdout + done.stderr

    status, said = nbgrader("generate_assignment", NAME)
    assert status == 0, said
    source, released = (nbformat.read(out / part / NAME / f"{NAME}.ipynb", 4) for part in ("source", "release"))
    solutions = {name: cell.source for name, cell in marked(source, "gap").items()}
    students = the_class(lambda: Submission(released, solutions))
    for student, (submission, _) in students.items():
        place = out / "submitted" / student / NAME
        place.mkdir(parents=True)
        name = f"{NAME} (1).ipynb" if student == "renamed" else f"{NAME}.ipynb"
        (place / name).write_text(nbformat.writes(submission.notebook), encoding="utf-8")
        for file, text in BESIDE.get(student, {}).items():
            (place / file).write_text(text)
    autograded = nbgrader("autograde", NAME, "--Execute.timeout=15", "--Execute.iopub_timeout=15")
    return SimpleNamespace(
        out=out, nbgrader=nbgrader, released=released, autograded=autograded, points=points_in(out), students=students
    )


def points_in(out):
    """{student: {exercise: points}} as nbgrader's gradebook has them."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{out / 'gradebook.db'}") as gradebook:
        return {
            submission.student.id: {
                grade.name.removeprefix("test-").replace("-", "."): grade.score
                for notebook in submission.notebooks
                for grade in notebook.grades
            }
            for submission in gradebook.assignment_submissions(NAME)
        }


@pytest.mark.slow
def test_students_get_the_gaps_and_no_solution(graded):
    gaps = {name: cell.source for name, cell in marked(graded.released, "gap").items()}
    assert gaps == {f"gap-{one.replace('.', '-')}": cells_of("exercise", one) for one in IDS}
    assert "SOLUTION" not in (graded.out / "release" / NAME / f"{NAME}.ipynb").read_text(encoding="utf-8")
    assert all(not cell.metadata["editable"] for cell in marked(graded.released, "test").values())


@pytest.mark.slow
def test_nbgrader_validates_the_source_and_tells_a_student_what_is_missing(graded):
    status, said = graded.nbgrader("validate", f"source/{NAME}/{NAME}.ipynb")
    assert status == 0 and "Success! Your notebook passes all the tests" in said
    _, said = graded.nbgrader("validate", f"release/{NAME}/{NAME}.ipynb")
    assert "VALIDATION FAILED ON 4 CELL(S)" in said and "exercise 2.2: not attempted" in said


@pytest.mark.slow
def test_the_whole_class_is_graded_and_each_gets_the_points_that_it_should(graded):
    status, said = graded.autograded
    assert status == 0, said[-3000:]
    wanted = {
        student: {identifier: float(POINTS[identifier] * (identifier in right)) for identifier in IDS}
        for student, (_, right) in graded.students.items()
    }
    assert graded.points == wanted


@pytest.mark.slow
def test_feedback_shows_points_and_what_is_wrong(graded):
    status, said = graded.nbgrader("generate_feedback", NAME)
    assert status == 0, said
    pages = {one: (graded.out / "feedback" / one / NAME / f"{NAME}.html").read_text() for one in graded.students}
    assert "(Score: 5.0 / 5.0)" in pages["perfect"] and "(Score: 0.0 / 5.0)" in pages["empty"]
    assert "exercise 2.2: not attempted" in pages["empty"] and "WrongAnswer" in pages["wrong"]
    assert "not graded, because cell" in pages["dies"] and "could not be stopped" in pages["stubborn"]
    assert len(pages["floods"]) < len(pages["empty"]) + 3_000_000


@pytest.mark.slow
def test_a_later_run_names_a_broken_file_grades_the_others_and_has_its_own_environment(graded):
    """All commands here were run with KERAS_BACKEND=jax."""
    curious = copy.deepcopy(graded.released)
    names = ("COURSEKIT_PROFILE", "COURSEKIT_SEED", "KERAS_BACKEND")
    curious.cells.append(nbformat.v4.new_code_cell(f"import os\nprint(*[os.environ[one] for one in {names}])"))
    one = Submission(curious, {}).fill({"2.5": cells_of("solution", "2.5")})
    for student, text in (("a_broken", '{"cells": ['), ("z_curious", nbformat.writes(one.notebook))):
        place = graded.out / "submitted" / student / NAME
        place.mkdir(parents=True)
        (place / f"{NAME}.ipynb").write_text(text, encoding="utf-8")
    status, said = graded.nbgrader("autograde", NAME)
    assert status != 0 and f"processing assignment '{NAME}' for student 'a_broken'" in said
    assert points_in(graded.out)["z_curious"] == {"2.1": 0, "2.2": 0, "2.3": 0, "2.5": 1}
    done = nbformat.read(graded.out / "autograded" / "z_curious" / NAME / f"{NAME}.ipynb", 4)
    assert done.cells[-1].outputs[0].text.split() == ["quick", "0", "tensorflow"]


def submit(folder, student, *names):
    """Lay files with these names into a submission of the assignment: its folder."""
    place = folder / "submitted" / student / NAME
    place.mkdir(parents=True)
    for name in names:
        (place / name).write_text(name)
    return place


@pytest.mark.parametrize("name", [f"{NAME} (1).ipynb", "my answers.ipynb", f"{NAME}-jane.ipynb", "2.ipynb"])
def test_the_only_notebook_of_a_submission_gets_its_assignments_name(tmp_path, monkeypatch, capsys, name):
    autograde = pytest.importorskip("coursekit.authoring.autograde", reason="nbgrader is not installed")
    monkeypatch.chdir(tmp_path)
    place = submit(tmp_path, "jane", name, "notes.txt")
    autograde.name_submissions("submitted")
    assert sorted(path.name for path in place.iterdir()) == sorted([f"{NAME}.ipynb", "notes.txt"])
    assert (place / f"{NAME}.ipynb").read_text() == name and f"is now called {NAME}.ipynb" in capsys.readouterr().out
    autograde.name_submissions("submitted")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("names", [["a.ipynb", "b.ipynb"], ["a.ipynb", f"{NAME}.ipynb"], ["03_other.ipynb"], []])
def test_a_submission_that_is_not_clear_is_left_alone(tmp_path, monkeypatch, capsys, names):
    autograde = pytest.importorskip("coursekit.authoring.autograde", reason="nbgrader is not installed")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "source" / "03_other").mkdir(parents=True)
    place = submit(tmp_path, "jane", *names)
    autograde.name_submissions("submitted")
    assert sorted(path.name for path in place.iterdir()) == sorted(names) and capsys.readouterr().out == ""


def test_the_page_on_grading_shows_the_configuration_as_it_is():
    page = (ROOT / "docs" / "grading.md").read_text(encoding="utf-8")
    for line in grading.CONFIG.splitlines():
        if line.startswith(("c.", "os.environ")):
            assert line.split(" = ")[0].removeprefix("c.").split("[")[0] in page, line
    for name in ("RestoreTests", "ExecuteToTheEnd"):
        assert name in page
