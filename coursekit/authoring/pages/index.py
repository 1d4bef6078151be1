"""`coursekit index`: write what follows from the notebooks' metadata, so that nothing is typed twice.

Each notebook's title, badge, box, setup cell and list of terms; the README's table of notebooks; the course map
(data/course.json, drawn as docs/course_map.svg); the glossary; the bibliography; the syllabus; the pages of results,
of compatibility and of coursekit's modules; the table of data sets in data/README.md; the table of the experiment
`untuned` in docs/compression.md, drawn as docs/images/untuned.svg.
"""

import hashlib
import json
import re
import statistics
from functools import partial

import nbformat

from coursekit import datasets
from coursekit.authoring import notebooks, project
from coursekit.authoring.pages import compatibility, front, modules, reading
from coursekit.authoring.pages.bibliography import bibliography
from coursekit.authoring.pages.results import results_pages
from coursekit.authoring.pages.syllabus import syllabus
from coursekit.errors import CoursekitError
from coursekit.experiments import untuned
from coursekit.paths import write_whole
from coursekit.records import read_lines, results_file

OTHERS = 0.3  # cores that other programs may keep busy in a run whose minutes count
SETUP = """\
# Set-up, the same in every notebook: it finds coursekit and prepares this session.
try:
    import coursekit as ck
    from coursekit import check, claim, load, scale
except ImportError as error:{here}
    {missing}

rng = ck.setup("{name}")"""
# As long as nobody has set the repository's address.
MISSING = """\
raise ImportError(
        "this course's coursekit is not installed here, and no repository is set to take it from "
        "(a public package of that name is another project): start JupyterLab with `make lab` "
        "in the course's folder. If a file coursekit.py lies beside this notebook, it hides the "
        "course's: rename it"
    ) from error"""
# Plain Python and no %pip, which asks for a restart whether one is needed or not. None is: pip may only add packages,
# for all that is installed is given to it as constraints (`pip list` writes names and versions where `pip freeze`
# writes local paths, which can't be constraints).
ONLY_THIS_FILE = "  # only this file is here, as on Colab"
INSTALL = """\
import subprocess, sys

    if "coursekit" in sys.modules:
        raise ImportError("a stranger's package (%pip uninstall -y coursekit) or file; restart")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    with open("installed.txt", "w") as file:  # what is installed stays as it is
        subprocess.run([*pip, "list", "--format=freeze"], stdout=file)
    address = "git+{address}"
    for ref in {refs}:  # the release of this page; the branch, if it has none
        source = f"coursekit-notebooks @ {{address}}@{{ref}}"
        done = subprocess.run([*pip, "install", "-c", "installed.txt", source], capture_output=True)
        if done.returncode == 0:
            print(f"installed {{source}}; what was here before is unchanged")
            break
    else:
        raise ImportError(f"coursekit can't be installed here: {{done.stderr.decode()}}") from error
    import coursekit as ck
    from coursekit import check, claim, load, scale"""


def index(check=False, repository=None, branch=None):
    """Bring everything up to date; with `check`, change nothing. Returns the files that were, or are, out of date.

    `repository` and `branch` set the repository's address and branch first; if anything is wrong with them, or with a
    notebook, nothing is changed at all.
    """
    paths = notebooks.find()
    settings = project.moved(repository, branch)
    home = project.home(settings)
    course = [_entry(path, notebooks.about(notebooks.read(path))) for path in paths]
    root = project.root()
    fresh = {root / "pyproject.toml": settings}  # the first to be written: after an interruption `index` goes on
    fresh |= {path: generated(path, notebooks.read(path), home) for path in paths}
    fresh[root / "data" / "course.json"] = json.dumps(course, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    fresh[root / "docs" / "glossary.md"] = _glossary(paths)
    fresh[root / "docs" / "bibliography.md"] = bibliography(paths)
    fresh |= {root / "docs" / name: text for name, text in results_pages(paths).items()}
    rot = read_lines(root / "data" / "results" / "rot.jsonl")
    fresh[root / "docs" / "compatibility.md"] = compatibility.page(rot)
    fresh[root / "docs" / "modules.md"] = modules.page(root / "coursekit")
    fresh[root / "docs" / "syllabus.md"] = syllabus(paths, minutes_of)
    fresh[root / "README.md"] = _readme(root / "README.md", paths, home)
    fresh[root / "data" / "README.md"] = _between(root / "data" / "README.md", "data sets", datasets.cards_markdown())
    pictures = {root / "docs" / "course_map.svg": (_mark_of(course), partial(_draw_map, course))}
    page, results = root / "docs" / "compression.md", root / "data" / "results" / "untuned.jsonl"
    if page.is_file() and untuned.kept(results):
        fresh[page] = _between(page, "two networks", untuned.page(results))
        drawing = _mark("untuned", untuned.curves(results)), partial(_draw_untuned, results)
        pictures[root / "docs" / "images" / "untuned.svg"] = drawing
    stale = [path for path, text in fresh.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    gone = [path for path in (root / "docs" / "results").glob("*.md") if path not in fresh]
    old = [picture for picture, (mark, _) in pictures.items() if not _has_mark(picture, mark)]
    stale += old
    if not check:
        for path in [path for path in stale if path in fresh]:
            write_whole(path, fresh[path])
        for path in gone:  # of a notebook that is no longer there
            path.unlink()
        for picture in old:
            _save_picture(picture, *pictures[picture])
    return [path.relative_to(root).as_posix() for path in stale + gone]


def minutes_of(name):
    """Median minutes of each seed's last recorded `quick` run on TensorFlow, or None where there is no record.

    Where there are runs that had the machine for themselves, only those count.
    """
    runs = [run for run in read_lines(results_file(name)) if run["status"] == "ok" and run["backend"] == "tensorflow"]
    runs = [run for run in runs if run["profile"] == "quick"]
    alone = [run for run in runs if run.get("at_once", 1) == 1 and run.get("others", 0) < OTHERS]
    quick = {run["seed"]: run["minutes"] for run in alone or runs}
    return round(statistics.median(quick.values()), 1) if quick else None


def _entry(path, about):
    """A notebook's line in the course map."""
    missing = [key for key in ("title", "summary", "objectives", "requires", "terms", "backends") if key not in about]
    if missing:
        raise CoursekitError(f"{path.name}: metadata.coursekit lacks {', '.join(missing)}; see CONTRIBUTING.md")
    name = path.stem
    minutes = minutes_of(name)
    return {"name": name, "minutes": minutes, **{key: about[key] for key in ("title", "summary", "requires")}}


def generated(path, notebook, home):
    """The notebook's text with its generated cells renewed."""
    about, name = notebooks.about(notebook), path.stem
    about["minutes"] = minutes_of(name)
    heading = f"# {name[:2]} {about['title']}\n\n{_badge(name, home)}\n\n{about['summary']}"
    _place(notebook, "title", "markdown", heading, 0)
    _place(notebook, "box", "markdown", _box(about, reading.in_words(notebook)), 1)
    _place(notebook, "setup", "code", setup_cell(name, home), 2)
    before = next((i for i, cell in enumerate(notebook.cells) if cell.source.startswith("## Sources")), None)
    _place(notebook, "terms", "markdown", _terms(about), len(notebook.cells) if before is None else before)
    return nbformat.writes(notebooks.normalize(notebook)) + "\n"


def _place(notebook, tag, kind, source, position):
    """Put `source` into the cell with this tag, or into a new cell at `position`."""
    for cell in notebook.cells:
        if tag in notebooks.tags(cell):
            # What a set-up cell prints comes from its last line; where coursekit would come from has no part in it.
            if kind == "code" and cell.source.splitlines()[-1:] != source.splitlines()[-1:]:
                cell.outputs, cell.execution_count = [], None
            cell.source = source
            return
    make = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
    notebook.cells.insert(position, make(source, id=tag, metadata={"tags": [tag]}))


def setup_cell(name, home=None):
    """The source of the setup cell of the notebook `name`, for the `Home` that pyproject.toml names or this one."""
    home = home or project.home()
    if home.address is None:
        return SETUP.format(here="", missing=MISSING, name=name)
    install = INSTALL.format(refs=json.dumps(home.refs), address=home.address)
    return SETUP.format(here=ONLY_THIS_FILE, missing=install, name=name)


def _badge(name, home):
    if home.address is None:
        return "*Colab: no link yet, the repository's address is not set (`coursekit index --repository URL`).*"
    picture = "https://colab.research.google.com/assets/colab-badge.svg"
    return f"[![Open this notebook in Colab]({picture})]({home.on_colab(name)})"


def _box(about, read):
    need = ", ".join(map(_needed, about["requires"])) or "nothing but a little Python"
    runs = f"the cells run in about {about['minutes']} minutes on two cores" if about["minutes"] else "not measured yet"
    lines = [
        "> **What you will be able to do**",
        ">",
        *[f"> - {objective}" for objective in about["objectives"]],
        ">",
        f"> **What you need first:** {need}.",
        ">",
        f"> **Time:** {read}; {runs}.",
    ]
    return "\n".join(lines)


def _needed(name):
    """A link to the notebook, or its name where it is still to come."""
    there = (notebooks.folder() / f"{name}.ipynb").is_file()
    return f"[{_short(name)}]({name}.ipynb)" if there else f"{_short(name)} (still to come)"


def _terms(about):
    terms = sorted(about["terms"].items(), key=lambda item: item[0].lower())
    return "\n".join(["## Terms", "", *[f"- **{term}**: {meaning}" for term, meaning in terms]])


def _short(name):
    return name.replace("_", " ")


def _table(paths, home):
    course = {path.stem: notebooks.read(path) for path in paths}
    on_colab = lambda name: f" ([Colab]({home.on_colab(name)}))" if home.address else ""
    return "\n".join(front.chapter_table(course, {name: minutes_of(name) for name in course}, "notebooks/", on_colab))


def _glossary(paths):
    terms = {}
    for path in paths:
        for term, meaning in notebooks.about(notebooks.read(path))["terms"].items():
            if term in terms:
                raise CoursekitError(f"the term {term!r} is defined in {terms[term][1].name} and in {path.name}")
            terms[term] = (meaning, path)
    lines = [
        "# Glossary",
        "",
        "Made by `coursekit index` from the notebooks; a term is defined where it is introduced.",
        "",
    ]
    for term, (meaning, path) in sorted(terms.items(), key=lambda item: item[0].lower()):
        lines.append(f"- **{term}**: {meaning} ([{_short(path.stem)}](../notebooks/{path.name}))")
    return "\n".join(lines) + "\n"


def _readme(path, paths, home):
    """The README with its way to start and its table of notebooks."""
    return _between(path, "notebooks", _table(paths, home), _between(path, "start", _start(home)))


def _start(home):
    """The commands with which one starts, and where one may look around without them."""
    commands = ["make lab      # makes the environment in .venv and opens the course in JupyterLab"]
    commands.append("make test     # runs the tests and executes every notebook")
    if home.address is None:
        first, after = "Clone the repository in which you read this, go into its folder (`cd`), then:\n\n", ""
    else:
        first, after = "", f"\n\nWithout installing anything, but slowly: [the course on Binder]({home.on_binder})."
        commands = [f"git clone {home.address}", f"cd {home.address.rsplit('/', 1)[1]}", *commands]
    return first + "\n".join(f"    {command}" for command in commands) + after


def _between(path, name, text, old=None):
    """The file's text, or `old` in its place, with what stands between its two markers replaced."""
    start, end = f"<!-- {name}: made by coursekit index -->", f"<!-- end of {name} -->"
    if old is None:
        old = path.read_text(encoding="utf-8") if path.is_file() else ""
    if old.count(start) != 1 or old.count(end) != 1:
        raise CoursekitError(f"{path.name} needs the two lines {start} and {end}; put them back")
    return re.sub(f"{start}.*{end}", lambda _: f"{start}\n{text.strip(chr(10))}\n{end}", old, flags=re.DOTALL)


def _mark_of(course):
    """What the picture of the map says of the course that it shows: of its names, titles and needs."""
    return _mark("map", [[page["name"], page["title"], page["requires"]] for page in course])


def _mark(what, shown):
    """What a picture says of the data that it shows, in 16 hex digits."""
    return f"coursekit {what} {hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:16]}"


def _has_mark(picture, mark):
    """Whether the picture shows this data."""
    return picture.is_file() and mark in picture.read_text(encoding="utf-8")


def _draw_map(course):
    from coursekit.plots.ch00_welcome import draw_course_map

    return draw_course_map(course)


def _draw_untuned(results):
    from coursekit.plots.ch19_weight_clustering import draw_sizes_and_errors

    return draw_sizes_and_errors(untuned.curves(results))


def _save_picture(picture, mark, draw):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with plt.rc_context({"svg.hashsalt": "coursekit", "svg.fonttype": "path"}):
        figure = draw()
        figure.savefig(picture, metadata={"Date": None, "Creator": None, "Identifier": mark})
        plt.close(figure)
