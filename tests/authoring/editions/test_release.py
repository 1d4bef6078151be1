"""The student edition: what is in it, its links, where one's own work is safe, and what is refused."""

import re
import shutil
import subprocess
from urllib.parse import unquote

import nbformat
import pytest
from helpers import ROOT, make_notebook

from coursekit.authoring import cli, notebooks
from coursekit.authoring.editions import release
from coursekit.authoring.pages import links

IMPORT = "from coursekit import check"
GAP = ("answer = ...\n\ncheck('2.1', answer)", ["exercise"])
SOLUTION = ("answer = 1\n\ncheck('2.1', answer)", ["solution"])


def markdown_of(folder):
    """(where it lies, text) of every piece of markdown in an edition."""
    for path in folder.rglob("*.md"):
        yield path, path.read_text(encoding="utf-8")
    for path in folder.rglob("*.ipynb"):
        for cell in nbformat.read(path, 4).cells:
            if cell.cell_type == "markdown":
                yield path, cell.source


# --- links ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "before, after",
    [
        ("See [the **tests**](tests/a.py).", "See the **tests**."),
        ('[a](gone.md "title"), [b](there.md "title")', 'a, [b](there.md "title")'),
        ("[a](there.md#part) and [b](gone.md#part)", "[a](there.md#part) and b"),
        ("[a](<gone.md>)", "a"),
        ("[a](with%20space.md)", "[a](with space.md)"),
        ("[a](#part), [b](https://x.org/gone.md), [c](mailto:a@b.org)", None),
        ("`f[0](x)`, $g[1](y)$ and $$h[2](z)$$", None),
        ("```python\nlayers[0](x)\n```", None),
        ("![a picture](gone.png)", None),
        ("[![badge](https://x.org/b.svg)](gone.md)", "![badge](https://x.org/b.svg)"),
        ("[![badge](https://x.org/b.svg)](https://x.org)", None),
        (r"costs \$5 [a](gone.md) and \$6", r"costs \$5 a and \$6"),
    ],
)
def test_links_to_what_is_not_there_keep_their_words(before, after, tmp_path):
    for name in ("there.md", "with space.md"):
        (tmp_path / name).touch()
    assert links.kept_where_there(before, tmp_path) == (before if after is None else after)


# --- what the edition is ----------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def students(tmp_path_factory):
    """The student edition of the real course, not run."""
    out = tmp_path_factory.mktemp("release") / "students"
    assert release.release(out, run=False)
    return out


def test_no_solution_and_no_output_is_left_anywhere(students):
    texts = {path: path.read_text(encoding="utf-8", errors="ignore") for path in students.rglob("*") if path.is_file()}
    for path in notebooks.find():
        made = nbformat.read(students / "notebooks" / path.name, 4)
        assert all(not cell.get("outputs") and not cell.get("execution_count") for cell in made.cells)
        original = notebooks.read(path)
        kept = [cell.source for cell in original.cells if "solution" not in notebooks.tags(cell)]
        assert len(made.cells) == len(kept) and [cell.id for cell in made.cells if "exercise" in notebooks.tags(cell)]
        for cell in original.cells:
            if "solution" in notebooks.tags(cell):
                body = cell.source.split("\n", 1)[1].split("\n\ncheck(")[0].strip()
                for lines in (body, body.replace("\n", "\\n")):
                    assert not [place for place, text in texts.items() if lines in text], body


def test_every_link_in_the_edition_leads_somewhere(students):
    seen = 0
    for path, text in markdown_of(students):
        prose = re.sub(r"(?s)```.*?```|`[^`]*`|\$[^$]*\$", "", text)
        for target in re.findall(r"\]\(<?([^()\s<>]+?)>?(?: \"[^\"]*\")?\)", prose):
            if not target.startswith(("http", "#", "mailto:")):
                seen += 1
                assert (path.parent / unquote(target.split("#")[0])).exists(), f"{path.name} leads to {target}"
    assert seen > 50


def test_the_edition_installs_and_has_what_students_need_and_no_more(students):
    there = {path.name for path in students.iterdir()}
    assert {
        "README.md",
        "Makefile",
        "pyproject.toml",
        "constraints.txt",
        "coursekit",
        "data",
        "docs",
        "LICENSE",
    } <= there
    assert not there & {"tests", ".ci", ".git", ".venv", "CONTRIBUTING.md", "build"}
    assert not (students / "docs" / "grading.md").exists()
    for path in (ROOT / "data").rglob("*"):
        if path.is_file() and not path.name.startswith(".") and path.suffix != ".md":
            assert (students / path.relative_to(ROOT)).read_bytes() == path.read_bytes()
    readme = (students / "README.md").read_text(encoding="utf-8")
    assert "## Your own work" in readme and "## For students" in readme
    assert "make lab" in readme and "make test" not in readme
    assert "## For instructors" not in readme and "## For authors" not in readme


def test_a_readme_without_a_part_for_students_still_says_where_to_work():
    assert release.student_readme("# A course\n\n## For authors\n\nx\n").endswith("came\nthat way.\n")
    assert "For authors" not in release.student_readme("# A course\n\n## For authors\n\nx\n")


# --- students' own work -----------------------------------------------------------------------------------------------
def git(folder, *arguments):
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_update_of_the_course_leaves_own_work_alone(course, tmp_path):
    """As the edition's README says: work under a name of one's own, then unpack over it, or pull."""
    course.add("01_first", "x = 'old'", IMPORT, GAP, SOLUTION)
    assert course.run("release", tmp_path / "old", "--no-run")[0] == 0
    # longer than before, since git may take two files of one size, written in the same second, for the same
    course.add("01_first", "x = 'newer'", IMPORT, GAP, SOLUTION)
    course.add("02_second", "x = 2")
    assert course.run("release", tmp_path / "new", "--no-run")[0] == 0

    git(tmp_path, "init", "-q", "handed-out")
    handed_out = tmp_path / "handed-out"
    shutil.copytree(tmp_path / "old", handed_out, dirs_exist_ok=True)
    git(handed_out, "add", "-A")
    git(handed_out, "commit", "-qm", "old")
    git(tmp_path, "clone", "-q", "handed-out", "by-git")
    by_zip = shutil.copytree(tmp_path / "old", tmp_path / "by-zip")
    for student in (by_zip, tmp_path / "by-git"):
        shutil.copy(student / "notebooks" / "01_first.ipynb", student / "notebooks" / "my_01_first.ipynb")

    shutil.copytree(tmp_path / "new", handed_out, dirs_exist_ok=True)
    git(handed_out, "add", "-A")
    git(handed_out, "commit", "-qm", "new")
    git(tmp_path / "by-git", "pull", "-q", "--ff-only")
    shutil.copytree(tmp_path / "new", by_zip, dirs_exist_ok=True)
    for student in (by_zip, tmp_path / "by-git"):
        texts = {path.name: path.read_text() for path in (student / "notebooks").iterdir()}
        assert sorted(texts) == ["01_first.ipynb", "02_second.ipynb", "my_01_first.ipynb"]
        assert "'old'" in texts["my_01_first.ipynb"] and "'newer'" in texts["01_first.ipynb"]


# --- several at once, and what is refused -----------------------------------------------------------------------------
def test_notebooks_run_several_at_once(course, tmp_path):
    """Each of the two waits for the other to have started."""
    meet = "import pathlib, time\npathlib.Path({!r}).touch()\nend = time.monotonic() + 60\n"
    meet += "while not pathlib.Path({!r}).exists():\n    assert time.monotonic() < end\n    time.sleep(0.1)"
    one, other = str(tmp_path / "one"), str(tmp_path / "other")
    course.add("01_first", meet.format(one, other), "pathlib.Path('written by the notebook').touch()")
    course.add("02_second", meet.format(other, one))
    status, said, _ = course.run("release", tmp_path / "out", "--jobs", "2")
    assert status == 0 and "2 notebooks without solutions, each runs to its end" in said
    assert sorted(path.name for path in (tmp_path / "out" / "notebooks").iterdir()) == [
        "01_first.ipynb",
        "02_second.ipynb",
    ]


@pytest.mark.parametrize("more", [[], ["--nbgrader"]], ids=["plain", "nbgrader"])
@pytest.mark.parametrize(
    "pages, says",
    [
        ({"01_a": nbformat.v4.new_notebook()}, "01_a.ipynb has no metadata.coursekit; add it"),
        (
            {"01_a": make_notebook(GAP, SOLUTION), "02_b": make_notebook(GAP, SOLUTION)},
            "exercise 2.1 stands in 01_a.ipynb and again in 02_b.ipynb",
        ),
        ({"01_a": make_notebook(GAP, SOLUTION, GAP, SOLUTION)}, "exercise 2.1 stands in 01_a.ipynb and again in 01_a"),
    ],
    ids=["no metadata", "twice in the course", "twice in a notebook"],
)
def test_what_cannot_be_released_is_one_sentence_and_nothing_is_written(
    pages, says, more, tmp_path, monkeypatch, capsys
):
    (tmp_path / "notebooks").mkdir()
    for name, page in pages.items():
        nbformat.write(page, tmp_path / "notebooks" / f"{name}.ipynb")
    monkeypatch.setattr(notebooks, "folder", lambda: tmp_path / "notebooks")
    assert cli.main(["release", str(tmp_path / "out"), "--no-run", *more]) == 2
    err = capsys.readouterr().err
    assert err.startswith("coursekit: ") and says in err and err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["notebooks"]


@pytest.mark.parametrize("more", [[], ["--nbgrader"]], ids=["plain", "nbgrader"])
@pytest.mark.parametrize(
    "out, also, says",
    [
        ("folder", [], "exists and is not overwritten"),
        ("file", [], "exists and is not overwritten"),
        ("dangling", [], "exists and is not overwritten"),
        ("file/below", [], "can't be written"),
        ("new", ["--jobs", "0"], "--jobs takes a number from 1 on"),
    ],
)
def test_a_place_that_is_taken_is_refused_and_left_as_it_is(out, also, says, more, tmp_path, capsys):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "precious").write_text("x")
    (tmp_path / "file").write_text("x")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    before = sorted(tmp_path.rglob("*"))
    assert cli.main(["release", str(tmp_path / out), "--no-run", *also, *more]) == 2
    err = capsys.readouterr().err
    assert err.startswith("coursekit: ") and says in err and err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before and (tmp_path / "file").read_text() == "x"
