"""The site's source folder, claims and figures read from stored outputs, bibliography, notation, what is refused."""

import json
import re
import subprocess
import sys
import textwrap

import nbformat
import pytest
from helpers import ROOT, Course, make_notebook

from coursekit import claim
from coursekit.authoring import cli, notebooks
from coursekit.authoring.pages import bibliography, book, shown, site
from coursekit.authoring.pages import source as written

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
LONG = "a sentence of many words, such as authors write who want to be understood at once, and by every-body who reads"


def stream(text):
    return nbformat.v4.new_output("stream", name="stdout", text=text)


def picture():
    return nbformat.v4.new_output("display_data", data={"image/png": PNG, "text/plain": "<Figure>"})


def with_outputs(*outputs, heading="md:# 01 First"):
    notebook = make_notebook(heading, "x = 1")
    notebook.cells[1].outputs = list(outputs)
    return notebook


# --- claims and figures -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "sentence, evidence",
    [
        ("two is more than one", ""),
        ("two is more than one", "2 against 1"),
        ("f(x) is more than g (at least here)", "f(2) = 4, g(2) = [1, (2, 3)]"),
        (LONG, ""),
        (LONG, f"{LONG}; {LONG}"),
        ("an indented line follows", "no part of it"),
    ],
)
def test_a_claim_is_read_back_as_it_was_made(sentence, evidence, capsys):
    claim(sentence, True, evidence)
    printed = capsys.readouterr().out
    notebook = with_outputs(stream(f"before\n{printed}  indented\n✓ Exercise 1.1: right.\n{printed}"))
    expected = shown.Claim(sentence, evidence, 0)
    assert shown.claims(notebook) == [expected, expected]


def test_a_caption_ends_where_other_text_begins():
    captions = ["one line", LONG, f"{LONG}. {LONG}", f"{'word ' * 18}well-known things"]
    for caption in captions:
        printed = textwrap.fill(caption, 96)
        notebook = with_outputs(picture(), stream(f"{printed}\nother text\n"), picture())
        assert [figure.caption for figure in shown.figures(notebook)] == [caption, ""]


def test_claims_and_figures_know_their_section():
    notebook = with_outputs(stream("✓ one\n"))
    notebook.cells += with_outputs(stream("✓ two\n"), picture(), heading="md:## 1. A section\n\nText.").cells
    assert [claim.section for claim in shown.claims(notebook)] == [0, 1]
    assert [figure.section for figure in shown.figures(notebook)] == [1]
    assert shown.sections(notebook) == ["01 First", "1. A section"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_claim_and_no_caption_of_the_course_is_missed(path):
    notebook = notebooks.read(path)
    printed = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    ticks = re.findall(r"(?m)^✓ (?!Exercise )", printed)
    assert len(shown.claims(notebook)) == len(ticks) > 0
    images = sum("image/png" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", []))
    captions = [figure.caption for figure in shown.figures(notebook)]
    assert len(captions) == images > 0 and all(captions)


# --- the source folder ------------------------------------------------------------------------------------------------
README = """# A course

<!-- notebooks: made by coursekit index -->
<!-- end of notebooks -->

![The map](docs/course_map.svg) [Data](data/README.md), [LICENSE](LICENSE), [tests](tests), `[no link](tests)`
"""
TITLE = "md:# 01 First\n\n[![Open in Colab](https://example.org/badge.svg)](https://example.org/colab)\n\nText."


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The source folder of a small course."""
    course = Course(tmp_path_factory.mktemp("small") / "a course")
    (course.root / "README.md").write_text(README)
    (course.root / "CONTRIBUTING.md").write_text("# Writing\n\nBack to the [start](README.md).\n")
    (course.root / "tests").mkdir()
    gap, solution = ("answer = ...", ["exercise"]), ("answer = 2", ["solution"])
    path = course.add("01_first", TITLE, "md:## 1. A section", gap, solution, "x = 1", title="First")
    notebook = notebooks.read(path)
    notebook.cells[-1].outputs = [picture(), stream("all of it\n"), picture(), stream("1 * 2 = 2\n✓ two (2)\n")]
    nbformat.write(notebook, path)
    about = [{"name": "01_first", "title": "First", "requires": []}]
    (course.root / "data" / "course.json").write_text(json.dumps(about))
    code = "import sys; from pathlib import Path; from coursekit.authoring.pages import source\n"
    code += "source.write_source(Path(sys.argv[1]))"
    folder = tmp_path_factory.mktemp("source")
    done = subprocess.run([sys.executable, "-c", code, folder], cwd=course.root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def copied_cells(source):
    return nbformat.read(source / "notebooks" / "01_first.ipynb", 4).cells


def test_links_lead_to_pages_to_files_beside_them_or_nowhere(source):
    readme = (source / "README.md").read_text()
    assert "[Data](data/README.md), [LICENSE](LICENSE), tests, `[no link](tests)`" in readme
    assert (source / "LICENSE").is_file()
    assert "[start](README.md)" in (source / "CONTRIBUTING.md").read_text()
    contents = re.findall(r":caption: (.*)\n\n((?:\S+\n)+)```", (source / "index.md").read_text())
    assert [(caption, entries.split()) for caption, entries in contents] == [
        ("Notebooks", ["notebooks/01_first"]),
        ("To look up", ["docs/claims", "docs/figures"]),
        ("Working with the course", ["README", "data/README", "CONTRIBUTING"]),
    ]


def test_the_course_map_is_made_of_links(source):
    drawn = (source / "course_map.svg").read_text()
    assert drawn.startswith("<svg") and 'xlink:href="notebooks/01_first.html"' in drawn and "01 First</text>" in drawn
    for page in ("index.md", "README.md"):
        text = (source / page).read_text()
        assert "docs/course_map.svg" not in text and ":file: course_map.svg" in text


def test_the_first_page_counts_and_lists_the_chapters(source):
    index = (source / "index.md").read_text()
    assert "1 notebooks," in index and "[Start with notebook 00](notebooks/01_first.ipynb)" in index
    assert "\n1 sentences are tested" in index.replace("assertion.** ", "\n") and "\n1 exercises" not in index
    assert "| 01 | [First](notebooks/01_first.ipynb) | " in index


def test_the_core_has_no_deeper_section_and_no_solution():
    gap, solution = ("answer = ...", ["exercise"]), ("answer = 2", ["solution"])
    notebook = make_notebook(
        "md:# 01 First", "md:## 1. A section", gap, solution, "md:## 2. Deeper: more", "x = 1", "md:### Below", "y = 2",
        "md:## 3. The end\n\n### Deeper: no section", "z = 3",
    )  # fmt: skip
    kept = [cell.source.split("\n")[0] for cell in book.core_only(notebook).cells]
    assert kept == ["# 01 First", "## 1. A section", "answer = ...", "## 3. The end", "z = 3"]


def test_a_book_is_a_pdf(capsys):
    assert cli.main(["book", "core.html"]) == 2
    assert "core.html does not end in .pdf" in capsys.readouterr().err


def test_without_a_browser_no_book_is_begun(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(book.site, "need_packages", lambda *more: None)
    monkeypatch.setattr(book.shutil, "which", lambda name: None)
    assert cli.main(["book", str(tmp_path / "core.pdf")]) == 2
    assert "printed by Chromium, which is missing" in capsys.readouterr().err and list(tmp_path.iterdir()) == []


def test_a_copied_notebook_collapses_solutions_and_asks_no_other_host(source):
    cells = copied_cells(source)
    assert cells[0].source.splitlines()[2] == "[Open in Colab](https://example.org/colab)"
    assert cells[1].source == "(section-01-1)=\n## 1. A section"
    assert cells[2].metadata["tags"] == ["exercise"] and cells[3].metadata["tags"] == ["solution", "hide-cell"]
    assert cells[3].metadata["mystnb"]["code_prompt_show"] == "Show the solution"


def test_captions_are_set_below_their_pictures(source):
    outputs = copied_cells(source)[-1].outputs
    kinds = [next(iter(output.get("data", {"stream": 0}))) for output in outputs]
    assert kinds == ["image/png", "text/markdown", "image/png", "text/markdown", "stream"]
    assert outputs[1].data["text/markdown"] == "all of it" and outputs[3].data["text/markdown"] == r"1 \* 2 = 2"
    assert outputs[4].text == "✓ two (2)\n"


def test_claims_and_figures_have_their_pages(source):
    assert sorted(path.name for path in (source / "figures").iterdir()) == ["01-01.png", "01-02.png"]
    where = "[1. A section](../notebooks/01_first.ipynb#section-01-1)"
    figures = (source / "docs" / "figures.md").read_text()
    assert "The 2 figures" in figures and f"\nall of it ({where})\n" in figures
    claims = (source / "docs" / "claims.md").read_text()
    assert f"\n## 01 First\n\n{where}:\n\n- two [2]{{.evidence}}\n" in claims


def test_text_is_shown_as_it_is():
    assert written.plain("a_b * `c_d` $5 [x](y) <z>") == r"a\_b \* `c_d` \$5 \[x\](y) \<z\>"


# --- bibliography and notation ----------------------------------------------------------------------------------------
def test_the_bibliography_lists_a_work_once_with_all_that_name_it(course):
    first = 'md:## Sources\n\n- B. C. Young and\n  A. Old (2001), "New", [doi](https://doi.org/1).\n- Data: none.'
    second = 'md:## Sources\n\n- B. C. Young (2001), "New", [doi](https://doi.org/1): why.\n- É. Elder, "Old".'
    course.add("01_first", first)
    course.add("02_second", second)
    assert course.run("index")[0] == 0
    page = (course.root / "docs" / "bibliography.md").read_text()
    one, two = "[01 first](../notebooks/01_first.ipynb)", "[02 second](../notebooks/02_second.ipynb)"
    works, rest = page.split("## Works\n\n")[1].split("\n\n## By chapter\n\n")
    chapters, others = rest.split("\n\n## Software, pages and data\n\n")
    assert chapters.splitlines()[2:] == [f"- {one}: Young and Old (2001)", f"- {two}: Young (2001); Elder"]
    assert works.splitlines() == [
        f'- É. Elder, "Old". ({two})',
        f'- B. C. Young and A. Old (2001), "New", [doi](https://doi.org/1). ({one}, {two})',
    ]
    assert others == f"{one}:\n\n- Data: none.\n"


def test_every_source_of_the_course_stands_in_the_bibliography():
    page = bibliography.bibliography(NOTEBOOKS)
    links = [link for path in NOTEBOOKS for link in re.findall(r"\]\((https?://[^)\s]+)\)", sources(path))]
    assert len(links) > 50 and all(f"]({link})" in page for link in links)
    assert all(f"[{path.stem.replace('_', ' ')}](../notebooks/{path.name})" in page for path in NOTEBOOKS)


def sources(path):
    return "\n".join(bibliography.sources(notebooks.read(path)))


FORMULA = re.compile(r"(?s)\$\$(.+?)\$\$|\$([^$\n]+(?:\n[^$\n]+)?)\$")


def formulas(path):
    """The formulas of a notebook's prose, without what stands in code."""
    cells = [cell.source for cell in notebooks.read(path).cells if cell.cell_type == "markdown"]
    return [one or two for one, two in FORMULA.findall(re.sub(r"`[^`]*`", "", "\n\n".join(cells)))]


def test_every_greek_letter_of_the_course_is_explained_and_every_symbol_occurs_where_it_says():
    page = (ROOT / "docs" / "notation.md").read_text()
    greek = r"\\(?:var)?(?:alpha|beta|gamma|delta|epsilon|eta|theta|kappa|lambda|mu|rho|sigma|tau|phi|omega|nabla)\b"
    used = {name for path in NOTEBOOKS for formula in formulas(path) for name in re.findall(greek, formula)}
    assert len(used) > 10 and {name for name in used if name not in page} <= {r"\varphi"}  # an angle, used once
    rows = re.findall(r"(?m)^\| (\$.+?) \| .* \| \[(\d\d)\]\(\.\./notebooks/(.*)\) \|$", page)
    assert len(rows) > 40
    for symbols, number, name in rows:
        assert name.startswith(number)
        text = " ".join(formulas(ROOT / "notebooks" / name))
        for symbol in re.findall(r"\$([^$]+)\$", symbols):
            essence = symbol.replace(r"[\cdot]", "").replace(r"(\cdot)", "")
            alternatives = {essence, essence.replace("mathrm", "operatorname")}
            assert any(one in text for one in alternatives), f"{symbol} does not occur in {name}"


# --- what the command refuses -----------------------------------------------------------------------------------------
def test_a_folder_that_it_did_not_make_is_refused(tmp_path, capsys):
    other = tmp_path / "other"
    other.mkdir()
    (other / "work.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(other)
    for name in ("other", "file", "link", "link/work.txt"):
        assert cli.main(["site", str(tmp_path / name)]) == 2
        err = capsys.readouterr().err
        assert "was not made by `coursekit site`" in err and err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "link", "other", "work.txt"]


def test_without_the_extra_it_says_how_to_get_it(tmp_path, monkeypatch, capsys):
    there = site.importlib.util.find_spec
    monkeypatch.setattr(site.importlib.util, "find_spec", lambda name: None if name == "myst_nb" else there("json"))
    assert cli.main(["site", str(tmp_path / "site")]) == 2
    assert capsys.readouterr().err == "coursekit: the pages need myst_nb, which is not installed: `make env TEACH=1`\n"
    assert list(tmp_path.iterdir()) == []


def test_help_has_an_example(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["site", "--help"])
    assert ended.value.code == 0 and "example: coursekit site build/site" in capsys.readouterr().out
