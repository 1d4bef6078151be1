"""What the site is made from: a folder with copies of the notebooks and documents, and pages made for the site alone.

The folder is laid out as the repository is, so that links between notebooks and documents lead on as they stand. A copy
differs in what a web page needs: solutions and the set-up are collapsed, captions are set as captions, pictures from
other hosts are gone, sections have names to link to.
"""

import json
import re
import shutil
from pathlib import Path, PurePosixPath

import nbformat

from coursekit.authoring import notebooks, project
from coursekit.authoring.pages import links, shown
from coursekit.authoring.pages.front import front_page
from coursekit.authoring.pages.index import minutes_of
from coursekit.errors import CoursekitError
from coursekit.paths import write_whole

# Of docs/, in this order.
LOOK_UP = ("glossary", "notation", "bibliography", "claims", "figures", "results", "compatibility")
ALSO = ("README", "data/README", "CONTRIBUTING")  # outside docs/
REMOTE_PICTURE = re.compile(r"(?s)(?P<code>```.*?```|`[^`\n]*`)|!\[(?P<alt>[^\]]*)\]\(https?://[^)\s]+\)")
MAP = re.compile(r"!\[[^\]]*\]\(docs/course_map\.svg\)")
NO_ADDRESS = re.compile(r"^\*Colab: .*\*\n+", re.MULTILINE)  # what stands in the badge's place in a fork without one
SPECIAL = re.compile(r"(`[^`]+`)|([\\*_\[\]<>$#|~{}])")


def write_source(folder, change=lambda notebook: notebook):
    """Fill the new folder with all that the pages are made from; `change` may leave out cells of a notebook."""
    root, paths = project.root(), notebooks.find()
    whole = {path.stem: notebooks.read(path) for path in paths}
    course = {path.stem: change(notebooks.read(path)) for path in paths}
    documents = [
        *root.glob("docs/*.md"),
        *root.glob("docs/results/*.md"),
        *(root / f"{name}.md" for name in ALSO),
    ]
    pages = {file.relative_to(root).as_posix(): file.read_text(encoding="utf-8") for file in documents}
    pages |= {"docs/claims.md": claims_page(course), "docs/figures.md": figures_page(course)}
    pages["index.md"] = front_page(whole, {name: minutes_of(name) for name in whole}) + _contents(course, pages)
    pages["docs/results.md"] = pages.get("docs/results.md", "# Results\n") + _contents_of_results(pages)
    known = {*pages, *(f"notebooks/{name}.ipynb" for name in course)}
    for page, text in pages.items():
        write_whole(folder / page, _for_the_web(_with_map(text, page), page, known, folder))
    (folder / "figures").mkdir()
    for name, notebook in course.items():
        for number, figure in enumerate(shown.figures(notebook), 1):
            (folder / _picture(name, number)).write_bytes(figure.png)
        _write_notebook(folder, name, notebook, known)
    for picture in (*root.glob("docs/images/*"), *root.glob("docs/*.svg")):
        _copy(picture, folder / picture.relative_to(root))
    _draw_map(folder)


def plain(text):
    """Text as markdown that shows just that; only what stands between backticks stays code."""
    return SPECIAL.sub(lambda match: match[1] or f"\\{match[2]}", text)


# --- pages made for the site ------------------------------------------------------------------------------------------
CLAIMS_HEAD = """# Claims

{count} sentences that the notebooks claim about their results, each with the evidence that it printed. The cell
asserts the sentence: where it does not hold, the notebook stops. Shown is the stored run, at `quick` on TensorFlow with
seed 0; what other seeds, backends and profiles gave stands in the [results](results.md).
"""
FIGURES_HEAD = """# Figures

The {count} figures of the stored notebooks. Captions are made from the data drawn.
"""


def claims_page(course):
    """The claims of all notebooks with their evidence, by notebook and section. `course`: name to notebook."""
    by_notebook = {name: shown.claims(notebook) for name, notebook in course.items()}
    lines = [CLAIMS_HEAD.format(count=sum(map(len, by_notebook.values())))]
    for name, claims in by_notebook.items():
        section = None
        lines += _notebook_heading(name, course) if claims else []
        for claim in claims:
            if claim.section != section:
                section = claim.section
                lines += ["", f"{_section_link(name, course, section)}:", ""]
            evidence = f" [{plain(claim.evidence)}]{{.evidence}}" if claim.evidence else ""
            lines.append(f"- {plain(claim.sentence)}{evidence}")
    return "\n".join(lines) + "\n"


def figures_page(course):
    """The figures of all notebooks with their captions, by notebook. `course`: name to notebook."""
    by_notebook = {name: shown.figures(notebook) for name, notebook in course.items()}
    lines = [FIGURES_HEAD.format(count=sum(map(len, by_notebook.values())))]
    for name, figures in by_notebook.items():
        lines += _notebook_heading(name, course) if figures else []
        for number, figure in enumerate(figures, 1):
            where = _section_link(name, course, figure.section)
            lines += ["", f"```{{figure}} ../{_picture(name, number)}", f":alt: Figure {number} of {name[:2]}", ""]
            lines += [f"{plain(figure.caption)} ({where})", "```"]
    return "\n".join(lines) + "\n"


def _notebook_heading(name, course):
    return ["", f"## {name[:2]} {notebooks.about(course[name])['title']}"]


def _section_link(name, course, section):
    heading = shown.sections(course[name])[section] if section > 0 else name.replace("_", " ")
    target = _target(name, section) if section > 0 else ""
    return f"[{heading}](../notebooks/{name}.ipynb{target})"


def _target(name, section):
    return f"#section-{name[:2]}-{section}"


def _picture(name, number):
    return f"figures/{name[:2]}-{number:02d}.png"


# --- copies -----------------------------------------------------------------------------------------------------------
def _with_map(text, page):
    """The course map drawn as links, on pages that stand where its picture's path begins."""
    return MAP.sub("```{raw} html\n:file: course_map.svg\n```", text) if "/" not in page else text


def _contents(course, pages):
    """The table of contents that the theme shows on every page."""
    docs = sorted(Path(page).stem for page in pages if PurePosixPath(page).parent.name == "docs")
    helps = [*ALSO[:1], *(f"docs/{name}" for name in docs if name not in LOOK_UP), *ALSO[1:]]
    contents = {
        "Notebooks": [f"notebooks/{name}" for name in course],
        "To look up": [f"docs/{name}" for name in LOOK_UP if name in docs],
        "Working with the course": helps,
    }
    tables = (
        ["", "```{toctree}", ":hidden:", f":caption: {name}", "", *those, "```", ""] for name, those in contents.items()
    )
    return "\n".join(line for table in tables for line in table)


def _contents_of_results(pages):
    """The pages of results as a table of contents that the theme shows below the first of them."""
    entries = sorted(page.removeprefix("docs/") for page in pages if page.startswith("docs/results/"))
    return "\n".join(["", "```{toctree}", ":hidden:", "", *entries, "```", ""]) if entries else ""


def _write_notebook(folder, name, notebook, known):
    page = f"notebooks/{name}.ipynb"
    notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    section = -1
    for cell in notebook.cells:
        section += (starts := bool(shown.heading(cell)))
        if cell.cell_type == "markdown":
            text = NO_ADDRESS.sub("", cell.source) if "title" in notebooks.tags(cell) else cell.source
            target = f"({_target(name, section)[1:]})=\n" if starts and section > 0 else ""
            cell.source = target + _for_the_web(text, page, known, folder)
        else:
            _set_captions(cell)
        if "solution" in notebooks.tags(cell):
            cell.metadata["tags"] = [*notebooks.tags(cell), "hide-cell"]
            cell.metadata.setdefault("mystnb", {}).update(
                code_prompt_show="Show the solution", code_prompt_hide="Hide the solution"
            )
        if "setup" in notebooks.tags(cell):  # the same on all pages; what it prints stays
            cell.metadata["tags"] = [*notebooks.tags(cell), "hide-input"]
            cell.metadata["mystnb"] |= {"code_prompt_show": "Show the set-up", "code_prompt_hide": "Hide the set-up"}
    (folder / "notebooks").mkdir(exist_ok=True)
    nbformat.write(notebook, folder / page)


def _set_captions(cell):
    """Captions as text below their pictures, no longer as what was printed there."""
    cell.metadata["mystnb"] = {"image": {"alt": "Figure, with its caption below"}}
    for place, caption in reversed(shown.pictures(cell)):
        if caption:
            printed = cell.outputs[place + 1]
            printed.text = printed.text[len(shown.as_caption(caption)) :].lstrip("\n")
            cell.outputs.insert(place + 1, nbformat.v4.new_output("display_data", {"text/markdown": plain(caption)}))
    cell.outputs = [output for output in cell.outputs if output.get("text") != ""]


def _for_the_web(text, page, known, folder):
    """Markdown without pictures of other hosts, each link leading to a page of the site, a file beside it, or away.

    page:  where the text stands in the repository.
    known: the repository's files that become pages.
    A file that is linked to comes along; a folder can be linked to only in the repository on its host.
    """

    root = project.root().resolve()

    def change(to):
        file = (root / PurePosixPath(page).parent / to).resolve()
        name = file.relative_to(root).as_posix() if file.is_relative_to(root) else None
        if name and file.is_dir():
            home = project.home()
            return f"{home.address}/tree/{home.branch}/{name}" if home.address else None
        if name and name not in known and file.is_file():
            _copy(file, folder / name)
        return to

    return links.changed(REMOTE_PICTURE.sub(lambda match: match["code"] or match["alt"], text), change)


def _copy(file, to):
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, to)


def _draw_map(folder):
    """The course map as a picture whose boxes are links, with its text as text."""
    file = project.root() / "data" / "course.json"
    if not file.is_file():
        raise CoursekitError("data/course.json is missing, from which the course map is drawn: run `coursekit index`")
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from coursekit.plots.ch00_welcome import draw_course_map

    course = json.loads(file.read_text(encoding="utf-8"))
    addresses = {f"{page['name'][:2]} {page['title']}": f"notebooks/{page['name']}.html" for page in course}
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "coursekit"}):
        figure = draw_course_map(course)
        for text in figure.axes[0].texts:
            if address := addresses.get(text.get_text()):
                text.set_url(address)
                text.get_bbox_patch().set_url(address)
        figure.savefig(folder / "course_map.svg", metadata={"Date": None, "Creator": None})
        plt.close(figure)
    drawn = (folder / "course_map.svg").read_text(encoding="utf-8")
    (folder / "course_map.svg").write_text(drawn[drawn.index("<svg") :], encoding="utf-8")  # to stand inside a page
