"""A fork sets one address: badges, links and set-up cells follow, and nothing else names the repository."""

import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from helpers import ROOT

from coursekit.authoring import cli, notebooks, project
from coursekit.authoring.editions import release
from coursekit.authoring.pages import index
from coursekit.errors import CoursekitError

ADDRESS = "https://github.com/some-school/their-course"
THEIRS = project.Home(ADDRESS, "main", "0.1.0")
NOBODYS = project.Home(None, "main", "0.1.0")


def text(path):
    return path.read_text(encoding="utf-8")


def tracked():
    """The files of the course, those that are not committed yet among them."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True)
    names = [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    assert names, "this test needs a git checkout"
    return names


def contents(folder):
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


# --- the whole course -------------------------------------------------------------------------------------------------
def test_one_address_moves_the_whole_course_and_the_placeholder_moves_it_back(tmp_path, monkeypatch):
    fork = tmp_path / "fork"
    for name in tracked():
        (fork / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, fork / name)
    monkeypatch.setattr(notebooks, "repository_root", lambda: fork)

    def run_index(*arguments):
        assert cli.main(["index", *arguments]) == 0

    run_index("--repository", project.UNSET, "--branch", "main")
    before = contents(fork)
    run_index("--repository", f"{ADDRESS}.git", "--branch", "autumn")
    after = contents(fork)
    pages = sorted(name for name in after if re.fullmatch(r"notebooks/\d\d_\w+\.ipynb", name))
    expected = ["README.md", *pages, "pyproject.toml"]
    assert [name for name in after if after[name] != before[name]] == expected
    assert [name for name in after if b"their-course" in after[name] and not name.startswith("tests/")] == expected
    assert not any(project.UNSET.encode() in after[name] for name in expected)
    for name in pages:
        old, new = (nbformat.reads(files[name].decode(), 4) for files in (before, after))
        assert f"github/some-school/their-course/blob/autumn/{name})" in new.cells[0].source
        assert '["v0.1.0", "autumn"]' in new.cells[2].source and ADDRESS in new.cells[2].source
        assert new.cells[2].outputs == old.cells[2].outputs  # what it prints is as it was
        assert new.cells[3:] == old.cells[3:]
        assert f"their-course/blob/autumn/{name})" in after["README.md"].decode()
    run_index("--repository", project.UNSET, "--branch", "main")
    assert contents(fork) == before


def test_while_the_address_is_unset_nothing_points_at_a_strangers_repository():
    if project.repository():
        pytest.skip("this course has an address; the unset state is tested on small courses, below")
    points = re.compile(rb"colab\.research\.google\.com/github/|git\+https?://|git clone |repository-code|/blob/main/")
    makes_them = ("coursekit/authoring/pages/index.py", "coursekit/authoring/project.py", "tests/")
    for name in tracked():
        if not name.startswith(makes_them):
            found = points.search((ROOT / name).read_bytes())
            other = found and b"github.com/" in (ROOT / name).read_bytes()[: found.start()][-80:]
            assert not found or other, f"{name} names {found.group().decode()}"


# --- an address with a typing error -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "arguments",
    [
        ["--repository", "https://github.com/some-school"],
        ["--repository", "https//github.com/some-school/their-course"],
        ["--repository", "http://github.com/some-school/their-course"],
        ["--repository", "https://github.com/some school/their-course"],
        ["--repository", "https://github.com/some-school/their-course/tree/main"],
        ["--repository", "https://github.com/-some-school/their-course"],
        ["--repository", "https://github.com/OWNER/their-course"],
        ["--repository", 'https://github.com/some-school/their-course"'],
        ["--repository", ""],
        ["--branch", "a branch"],
        ["--branch", "../main"],
        ["--branch", 'main"'],
        ["--repository", ADDRESS, "--branch", ""],
    ],
)
def test_a_typing_error_is_one_sentence_and_changes_nothing(course, monkeypatch, capsys, arguments):
    course.add("01_first", "x = 1")
    monkeypatch.setattr(notebooks, "repository_root", lambda: course.root)
    before = contents(course.root)
    assert cli.main(["index", *arguments]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "such as" in said and repr(arguments[-1]) in said
    assert contents(course.root) == before


@pytest.mark.parametrize(
    "given, why",
    [
        ("git@github.com:some-school/their-course.git", "write https://github.com/some-school/their-course"),
        ("ssh://git@github.com/some-school/their-course", "write https://github.com/some-school/their-course"),
        ("git@gitlab.com:some-school/their-course.git", "it is one for SSH"),
        ("https://gitlab.com/some-school/their-course", "on GitHub only"),
        ("codeberg.org/some-school/their-course", "on GitHub only"),
        ("http://github.com/some-school/their-course", "it begins with https"),
    ],
)
def test_an_address_that_cannot_be_taken_is_refused_with_the_reason(given, why):
    with pytest.raises(CoursekitError, match="is not an address such as") as refused:
        project._address(given)
    assert why in str(refused.value) and "\n" not in str(refused.value)


def test_the_readme_starts_with_the_forks_own_address():
    said = index._start(THEIRS)
    assert said.splitlines()[:2] == [f"    git clone {ADDRESS}", "    cd their-course"]
    branch = "https://mybinder.org/v2/gh/some-school/their-course/main"
    assert f"{branch}?urlpath=lab/tree/notebooks/00_welcome.ipynb" in said
    assert "git clone" not in index._start(NOBODYS) and "make lab" in index._start(NOBODYS)
    students = release.student_readme(said + "\n")
    assert "make lab" in students
    assert not any(part in students for part in ("git clone", "cd ", "make test", "Binder"))


def test_an_old_course_map_is_noticed_and_drawn_again(course, monkeypatch):
    course.add("01_first", "x = 1")
    monkeypatch.setattr(notebooks, "repository_root", lambda: course.root)
    index.index()
    assert index.index(check=True) == []
    picture = course.root / "docs" / "course_map.svg"
    drawn = text(picture)
    picture.write_text(drawn.replace("coursekit map ", "coursekit map 0"))
    assert index.index(check=True) == ["docs/course_map.svg"] and text(picture) != drawn
    assert index.index() == ["docs/course_map.svg"] and text(picture) == drawn
    course.add("02_second", "x = 1", requires=["01_first"])
    assert "docs/course_map.svg" in index.index(check=True)


def test_an_address_is_not_set_where_the_course_cannot_be_indexed(course, monkeypatch, capsys):
    monkeypatch.setattr(notebooks, "repository_root", lambda: course.root)
    nbformat.write(nbformat.v4.new_notebook(), course.root / "notebooks" / "01_first.ipynb")
    before = contents(course.root)
    assert cli.main(["index", "--repository", ADDRESS]) == 2
    assert "lacks title" in capsys.readouterr().err and contents(course.root) == before
    (course.root / "notebooks" / "01_first.ipynb").unlink()
    course.add("01_first", "x = 1")
    before = contents(course.root)
    assert cli.main(["index", "--check", "--repository", ADDRESS]) == 1
    assert "out of date: pyproject.toml" in capsys.readouterr().out and contents(course.root) == before


def test_a_pyproject_without_the_lines_is_refused(course, monkeypatch, capsys):
    monkeypatch.setattr(notebooks, "repository_root", lambda: course.root)
    file = course.root / "pyproject.toml"
    whole = text(file)
    file.write_text(whole.replace("[tool.coursekit]", "[tool.other]"))
    assert cli.main(["index"]) == 2 and "lacks [tool.coursekit] branch" in capsys.readouterr().err
    file.write_text(whole + '\n[tool.third]\nbranch = "x"\n')
    assert cli.main(["index", "--branch", "autumn"]) == 2
    assert 'needs one line `branch = "…"` and has 2' in capsys.readouterr().err


# --- the set-up cell, with a stand-in for pip -------------------------------------------------------------------------
# Runs a set-up cell where coursekit is missing until a stand-in for pip "installs" it, and says what pip was asked.
STAGE = """
import importlib.abc, subprocess, sys, types

missing, asked, fails = {missing!r}, [], {fails!r}

class Hidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if missing and name == "coursekit":
            raise ModuleNotFoundError("No module named 'coursekit'", name=name)

sys.meta_path.insert(0, Hidden())
for name in {loaded!r}:
    sys.modules[name] = types.ModuleType(name)

def run(command, **how):
    global missing
    asked.append(command)
    if command[4] == "list":
        how["stdout"].write("numpy==2.1.3\\n")
        return subprocess.CompletedProcess(command, 0)
    assert open(command[command.index("-c") + 1]).read() == "numpy==2.1.3\\n"
    failed = any(command[-1].endswith("@" + ref) for ref in fails)
    missing = missing and failed
    return subprocess.CompletedProcess(command, int(failed), b"", b"pip's reason" if failed else b"")

subprocess.run = run
"""


def play(home, folder, missing=True, fails=(), loaded=()):
    cell = index.setup_cell("01_tensors", home).replace(
        'rng = ck.setup("01_tensors")', "print(len(asked), ck.__name__)"
    )
    code = STAGE.format(missing=missing, fails=list(fails), loaded=list(loaded)) + "\n" + cell
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    return done.stdout, (done.stderr.strip().splitlines() or [""])[-1]


def test_the_setup_cell_installs_the_release_and_says_so_in_one_line(tmp_path):
    out, err = play(THEIRS, tmp_path)
    assert err == ""
    said, rest = out.splitlines()
    assert said == f"installed coursekit-notebooks @ git+{ADDRESS}@v0.1.0; what was here before is unchanged"
    assert rest == "2 coursekit"  # pip was asked twice: what is here, and to install


def test_the_setup_cell_takes_the_branch_where_a_fork_has_no_tags(tmp_path):
    out, err = play(THEIRS, tmp_path, fails=["v0.1.0"])
    assert f"{ADDRESS}@main;" in out and out.endswith("3 coursekit\n") and err == ""


def test_the_setup_cell_says_why_nothing_could_be_installed(tmp_path):
    out, err = play(THEIRS, tmp_path, fails=["v0.1.0", "main"])
    assert out == "" and err == "ImportError: coursekit can't be installed here: pip's reason"


@pytest.mark.parametrize("home", [THEIRS, NOBODYS])
def test_the_setup_cell_does_nothing_where_all_is_there(tmp_path, home):
    assert play(home, tmp_path, missing=False) == ("0 coursekit\n", "") and list(tmp_path.iterdir()) == []


def test_the_setup_cell_recognizes_a_strangers_package_and_asks_for_a_restart(tmp_path):
    out, err = play(THEIRS, tmp_path, missing=False, loaded=["coursekit"])
    assert out == "" and err.startswith("ImportError: a stranger's package") and "restart" in err
    assert list(tmp_path.iterdir()) == []


def test_without_an_address_the_setup_cell_and_the_badge_say_so(tmp_path):
    out, err = play(NOBODYS, tmp_path)
    assert out == "" and "no repository is set" in err and "make lab" in err
    assert "http" not in index.setup_cell("01_tensors", NOBODYS)
    badge = index._badge("01_tensors", NOBODYS)
    assert "not set" in badge and "http" not in badge


def test_the_setup_cell_is_short_enough_to_be_read():
    longest = project.Home("https://github.com/a-school-with-a-long-name/its-own-course", "autumn", "10.11.12")
    for home in (longest, NOBODYS):
        lines = index.setup_cell("07_convolutional_networks", home).splitlines()
        assert len(lines) <= 25 and max(map(len, lines)) <= 100
