"""coursekit new: a skeleton with which lint is content, but for what only an author can add."""

import pytest

from coursekit.authoring import cli, lint, notebooks, project, skeleton
from coursekit.errors import CoursekitError

LEFT_TO_THE_AUTHOR = {"stored_executed", "exercise_outcomes", "claims", "checkers_are_tested"}


@pytest.fixture
def fresh(course, monkeypatch):
    """A course with one notebook and room for tests."""
    course.add("03_before", "x = 1")
    (course.root / "tests" / "exercises").mkdir(parents=True)
    monkeypatch.setattr(notebooks, "repository_root", lambda: course.root)
    return course


def test_lint_asks_for_nothing_but_what_an_author_must_add(fresh, monkeypatch, capsys):
    assert cli.main(["new", "21", "Über Graphs, again"]) == 0
    said = capsys.readouterr().out
    assert "notebooks/21_uber_graphs_again.ipynb and coursekit/exercises/ex21_uber_graphs_again.py" in said
    page = notebooks.folder() / "21_uber_graphs_again.ipynb"
    namespace = {}
    exec((fresh.root / "coursekit" / "exercises" / "ex21_uber_graphs_again.py").read_text(), namespace)
    monkeypatch.setattr(lint.exercises, "find", lambda identifier: namespace.get("check_first"))
    messages = lint.lint_one(page, notebooks.read(page))
    assert {message.split(": ")[1] for message in messages} == LEFT_TO_THE_AUTHOR, messages
    assert notebooks.about(notebooks.read(page))["requires"] == ["03_before"]
    assert namespace["check_sixth"](...) is not None and "no check yet" in namespace["check_sixth"](1)


def test_a_checker_with_tests_is_accepted(fresh):
    skeleton.new("21", "Graphs")
    page = notebooks.folder() / "21_graphs.ipynb"
    tests = fresh.root / "tests" / "exercises" / "test_ex21.py"
    tests.write_text(" ".join(f'"21.{number}"' for number in range(1, 6)))
    untested = [one for one in lint.lint_one(page, notebooks.read(page)) if "checkers_are_tested" in one]
    assert len(untested) == 1 and "exercise 21.6 has no tests" in untested[0]


@pytest.mark.parametrize(
    "number, title, says",
    [
        ("three", "Graphs", "has two digits"),
        ("121", "Graphs", "has two digits"),
        ("03", "Graphs", "03_before.ipynb is there already"),
        ("21", "···", "has no letters"),
    ],
)
def test_what_cannot_be_begun_is_refused(fresh, number, title, says):
    before = sorted(fresh.root.rglob("*"))
    with pytest.raises(CoursekitError, match=says):
        skeleton.new(number, title)
    assert sorted(fresh.root.rglob("*")) == before


def test_a_second_one_of_the_same_number_is_refused(fresh):
    skeleton.new("21", "Graphs")
    with pytest.raises(CoursekitError, match="is there already"):
        skeleton.new("21", "Trees")
    assert project.root() == fresh.root
