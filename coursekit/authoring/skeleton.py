"""`coursekit new 12 "Autoencoders"`: a notebook and its checks to begin with.

What only an author can add is left open, and `coursekit lint` asks for it: claims, exercises, their checks and tests.
"""

import re
import unicodedata

import nbformat

from coursekit.authoring import notebooks, project
from coursekit.authoring.pages import index
from coursekit.errors import CoursekitError
from coursekit.paths import write_whole

EXERCISES = 6  # that a notebook from 03 on has
SECTION = """\
## 1. The first section

The idea in plain words, on an example whose numbers fit in the head; then the formula; then a dozen lines of code."""
EXPERIMENT = """\
measured = float(rng.random())  # an experiment that could have come out otherwise
claim("a sentence that may turn out wrong", measured < 2, f"{measured:.2f}", measured=measured)"""
PROMPT = """\
### Exercise {id}: a name

What to do, so that one can tell whether it was done."""
GAP = """\
answer = ...

check("{id}", answer)"""
END = {
    "Summary": "What one could teach from, in a few sentences.",
    "Terms": "",  # made by `coursekit index`
    "Sources": "- Author (year), title, address.",
    "What comes next": "What builds on this.",
}
CHECKERS = '''\
"""Checks of the exercises of notebook {number}, {title}. Born in notebook {number}."""

from coursekit.exercises import NOT_ATTEMPTED, exercise
'''
CHECKER = '''

@exercise("{id}")
def check_{name}(answer):
    """What is tested, on what random inputs."""
    if answer is ...:
        return NOT_ATTEMPTED
    return "this exercise has no check yet"
'''


def new(number, title):
    """Write the skeleton of notebook `number` and its checks; True. What is there already is refused."""
    if not re.fullmatch(r"\d{1,2}", number):
        raise CoursekitError(f"a notebook's number has two digits, such as 12, not {number}")
    number, words = number.zfill(2), _words(title)
    stem = f"{number}_{words}"
    taken = [path.name for path in notebooks.folder().glob(f"{number}_*.ipynb")]
    checks = project.root() / "coursekit" / "exercises" / f"ex{stem}.py"
    taken += [path.name for path in checks.parent.glob(f"ex{number}_*.py")]
    if taken:
        raise CoursekitError(f"{taken[0]} is there already; choose another number")
    page = notebooks.folder() / f"{stem}.ipynb"
    write_whole(page, index.generated(page, _notebook(number, title.strip()), project.home()))
    write_whole(checks, _checkers(int(number), title.strip()))
    root = project.root()
    print(f"written: {page.relative_to(root).as_posix()} and {checks.relative_to(root).as_posix()}")
    print(
        f"next: write them, and tests/exercises/test_ex{number}.py; `coursekit lint {number}` says what is left to do,"
    )
    print(f"`coursekit refresh {number}` stores the outputs, `coursekit index` brings README and course map up to date")
    return True


def _words(title):
    """The title as a file's name has it: lower-case words between underscores."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    words = "_".join(re.findall(r"[a-z0-9]+", plain))
    if not words:
        raise CoursekitError(f"{title!r} has no letters of which a file's name could be made")
    return words


def _notebook(number, title):
    """The notebook without its generated cells."""
    code, text = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
    cells = [text(SECTION), code(EXPERIMENT), text("## 2. Exercises")]
    for count in range(1, EXERCISES + 1):
        identifier = f"{int(number)}.{count}"
        gap = GAP.format(id=identifier)
        cells.append(text(PROMPT.format(id=identifier), metadata={"tags": ["exercise"]}))
        cells.append(code(gap, metadata={"tags": ["exercise"]}))
        cells.append(code(gap.replace("...", '"the solution"'), metadata={"tags": ["solution"]}))
    cells += [text(f"## {heading}\n\n{words}".rstrip()) for heading, words in END.items() if heading != "Terms"]
    notebook = nbformat.v4.new_notebook(cells=cells)
    before = [path.stem for path in notebooks.find() if path.stem[:2] < number]
    notebook.metadata["coursekit"] = {
        "title": title,
        "summary": "One sentence on why this matters. Another on what is done here.",
        "objectives": ["do something that one could not do before"],
        "requires": before[-1:],
        "terms": {},
        "minutes": None,
        "backends": ["tensorflow", "jax", "torch"],
        "packages": ["keras", "numpy"],
    }
    return notebook


def _checkers(number, title):
    text = CHECKERS.format(number=f"{number:02d}", title=title)
    names = ("first", "second", "third", "fourth", "fifth", "sixth")
    return text + "".join(CHECKER.format(id=f"{number}.{i}", name=name) for i, name in enumerate(names, 1))
