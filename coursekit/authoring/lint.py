"""`coursekit lint`: what must be true of every notebook of the course, one rule a function.

A rule gets a `Page` and yields messages; each says where, what is wrong and how to mend it.
"""

import ast
import itertools
import re
import symtable
from dataclasses import dataclass
from pathlib import Path

import nbformat

from coursekit import exercises
from coursekit.authoring import notebooks
from coursekit.authoring.pages import index

RULES = []
MAX_LINES, MAX_COLUMNS, MAX_BYTES = 25, 100, 1_000_000
KEYS = ("title", "summary", "objectives", "requires", "terms", "minutes", "backends", "packages")
PASSING = re.compile(r"0x[0-9a-f]{6,}|WARNING:\w+|INFO:\w+")  # an object's address, what a logger says
MACHINE_PATHS = re.compile(r"(/home/\w|/root/|/tmp/|/Users/\w|/work/|[A-Z]:\\Users)")


@dataclass(frozen=True)
class Page:
    """A notebook with what rules ask of it most."""

    path: Path
    notebook: object

    @property
    def about(self):
        """metadata.coursekit."""
        return notebooks.about(self.notebook)

    @property
    def code(self):
        """(position, cell) of the cells with code."""
        return [(i, cell) for i, cell in enumerate(self.notebook.cells) if notebooks.has_code(cell)]

    @property
    def prose(self):
        """(position, cell) of the markdown cells."""
        return [(i, cell) for i, cell in enumerate(self.notebook.cells) if cell.cell_type == "markdown"]

    def tagged(self, tag):
        """(position, cell) of the code cells with a tag."""
        return [(i, cell) for i, cell in self.code if tag in notebooks.tags(cell)]


def rule(function):
    """Make a function a rule."""
    RULES.append(function)
    return function


def lint(wanted=()):
    """Messages about the notebooks, each starting with the file's name and the rule's."""
    return [message for path in notebooks.find(wanted) for message in lint_one(path, notebooks.read(path))]


def lint_one(path, notebook):
    """Messages about one notebook."""
    page = Page(Path(path), notebook)
    return [f"{page.path.name}: {check.__name__}: {message}" for check in RULES for message in check(page)]


@rule
def name(page):
    """A notebook is called NN_words.ipynb."""
    if not notebooks.NAME.fullmatch(page.path.stem):
        yield f"rename {page.path.name} to two digits, an underscore and lower-case words"


@rule
def metadata(page):
    """metadata.coursekit is whole."""
    missing = [key for key in KEYS if key not in page.about]
    if missing:
        yield f"metadata.coursekit lacks {', '.join(missing)}; add them (see CONTRIBUTING.md), then `coursekit index`"
    unknown = [need for need in page.about.get("requires", []) if not notebooks.NAME.fullmatch(need)]
    for need in unknown:
        yield f"requires names {need!r}, which is no notebook's name; write it like 03_gradient_descent"


@rule
def generated_cells(page):
    """Title, box, setup and terms stand where `coursekit index` puts them."""
    first = [tag for cell in page.notebook.cells[:3] for tag in notebooks.tags(cell)]
    if first != ["title", "box", "setup"]:
        yield "the first three cells are not title, box and setup; run `coursekit index`"
    elif page.notebook.cells[2].source != index.setup_cell(page.path.stem):
        yield "the setup cell differs from the one in every notebook; run `coursekit index`"


@rule
def one_title(page):
    """One heading of the first level; the others go down one level at a time."""
    lines = re.sub(r"(?ms)^```.*?^```", "", "\n".join(cell.source for _, cell in page.prose)).splitlines()
    levels = [len(line) - len(line.lstrip("#")) for line in lines if re.match(r"#+ ", line)]
    if levels.count(1) != 1:
        yield f"{levels.count(1)} headings of the first level; only the title is one, sections start with ##"
    if any(after > before + 1 for before, after in itertools.pairwise(levels)):
        yield "a heading skips a level; go down from # to ## to ###, one at a time"


@rule
def closing_sections(page):
    """A notebook ends with a summary, its terms, its sources and what comes next."""
    headings = re.findall(r"(?m)^## (.+)$", "\n".join(cell.source for _, cell in page.prose))
    for wanted in ("Summary", "Terms", "Sources", "What comes next"):
        if wanted not in headings:
            yield f"there is no section `## {wanted}`; add it"


@rule
def short_cells(page):
    """A cell is read at a glance."""
    for i, cell in page.code:
        lines = cell.source.splitlines()
        if len(lines) > MAX_LINES:
            yield f"cell {i} has {len(lines)} lines, more than {MAX_LINES}; cut it, or move a helper into coursekit"
        wide = [number for number, line in enumerate(lines, 1) if len(line) > MAX_COLUMNS]
        if wide:
            yield f"cell {i}, line {wide[0]} is longer than {MAX_COLUMNS} characters; break it"


@rule
def stored_executed(page):
    """A notebook is stored as it was executed, from the first cell to the last."""
    counts = [cell.execution_count for _, cell in page.code]
    if counts != list(range(1, len(counts) + 1)):
        yield "it is not stored executed from top to bottom; run `coursekit refresh`"
    elif page.about.get("executed") != notebooks.content_hash(page.notebook):
        yield "code has changed since its outputs were made; run `coursekit refresh`"


@rule
def no_errors_stored(page):
    """No stored error, but where a cell says that it raises one, and nothing on stderr."""
    for i, cell in page.code:
        raised = any(output.output_type == "error" for output in cell.outputs)
        if raised and "raises-exception" not in notebooks.tags(cell):
            yield f"cell {i} stores an error; mend it and refresh, or tag it raises-exception if it is meant"
        if any(output.get("name") == "stderr" for output in cell.outputs):
            yield f"cell {i} wrote to stderr; mend the warning, or hold it back with ck.quiet()"


@rule
def no_machine_paths(page):
    """Outputs and sources name no folder of the machine they were made on."""
    for i, cell in enumerate(page.notebook.cells):
        texts = [cell.source, *map(_text_of, cell.get("outputs", []))]
        match = next(filter(None, map(MACHINE_PATHS.search, texts)), None)
        if match:
            yield f"cell {i} names a folder of this machine ({match.group()}…); print names, not paths"


@rule
def normal_form(page):
    """The file is in the form in which `coursekit` writes it, and not large."""
    if page.path.is_file():
        size = page.path.stat().st_size
        if size > MAX_BYTES:
            yield f"the file has {size:,} bytes, more than {MAX_BYTES:,}; draw fewer or smaller figures"
        normal = nbformat.writes(notebooks.normalize(nbformat.from_dict(page.notebook))) + "\n"
        if page.path.read_text(encoding="utf-8") != normal:
            yield "the file is not in normal form (an editor left metadata in it); run `coursekit refresh`"


@rule
def exercises_are_whole(page):
    """Each exercise has a prompt, a gap with a check and a solution with the same check; a checker knows its id."""
    number = page.path.stem[:2]
    gaps = [identifier for _, cell in page.tagged("exercise") for identifier in _checks(cell)]
    solved = [identifier for _, cell in page.tagged("solution") for identifier in _checks(cell)]
    if gaps != solved:
        yield f"the gaps check {', '.join(gaps)} and the solutions {', '.join(solved)}; each needs both, in order"
    if number.isdecimal() and gaps != [f"{int(number)}.{i}" for i in range(1, len(gaps) + 1)]:
        yield f"the exercises are {', '.join(gaps)}; number them from {int(number)}.1 on, without a hole"
    for identifier in gaps:
        if exercises.find(identifier) is None:
            yield f"exercise {identifier} has no checker; write one in coursekit/exercises/ex{number}_….py"
    wanted = 0 if number == "00" else 4 if number in ("01", "02") else 6
    if len(gaps) < wanted:
        yield f"{len(gaps)} exercises; this notebook needs {wanted}"
    prompts = re.findall(r"(?m)^### Exercise (\d+\.\d+)", "\n".join(cell.source for _, cell in page.prose))
    if prompts != gaps:
        yield f"the prompts are {', '.join(prompts) or 'missing'}; each exercise starts with `### Exercise N.M: …`"


@rule
def checkers_are_tested(page):
    """Each exercise of the course has tests of its checker: the solution, the gap, wrong answers with their hints."""
    tests = notebooks.folder().parent / "tests" / "exercises"
    if not tests.is_dir() or page.path.parent != notebooks.folder():
        return  # an edition without tests, or a page that is none of the course's
    file = tests / f"test_ex{page.path.stem[:2]}.py"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    for _, cell in page.tagged("exercise"):
        for identifier in _checks(cell):
            if f'"{identifier}"' not in text:
                yield f"the checker of exercise {identifier} has no tests; write them in tests/exercises/{file.name}"


@rule
def exercise_outcomes(page):
    """As stored, every gap is not attempted and every solution is right."""
    for tag, wanted in (("exercise", "not attempted"), ("solution", "right")):
        for i, cell in page.tagged(tag):
            said = "".join(map(_text_of, cell.outputs))
            if _checks(cell) and said.count(f": {wanted}") < len(_checks(cell)):
                yield f"cell {i} ({tag} {_checks(cell)[0]}) does not say `{wanted}`; mend it and `coursekit refresh`"


@rule
def answers_are_not_needed(page):
    """No later cell uses what an exercise or its solution defines: a student may leave any gap open."""
    from_answers = set()
    for i, cell in page.code:
        bound, used = _names(cell.source)
        if {"exercise", "solution"} & set(notebooks.tags(cell)):
            from_answers |= bound
            continue
        for name in sorted((used - bound) & from_answers):
            yield f"cell {i} uses {name}, which an exercise or its solution defined; define it in a cell of its own"
        from_answers -= bound


@rule
def nbval_marks(page):
    """Marks for nbval are tags, which no student reads, and spelled as nbval reads them; it ignores all others."""
    for i, cell in page.code:
        marks = re.findall(r"(?m)#\s*(\w*NBVAL\w*)", cell.source, flags=re.I)
        marks += [tag for tag in notebooks.tags(cell) if "nbval" in tag.lower() and tag != "nbval-check-output"]
        for mark in marks:
            yield f"cell {i} is marked {mark}; give the cell the tag nbval-check-output, or no mark"
        if "nbval-check-output" in notebooks.tags(cell) and not cell.outputs:
            yield f"cell {i} is tagged nbval-check-output and prints nothing; take the tag away"
        said = "".join(map(_text_of, cell.outputs))
        if "nbval-check-output" in notebooks.tags(cell) and (passing := PASSING.search(said)):
            yield f"cell {i} is tagged nbval-check-output and prints {passing.group()!r}, another text at each run"


@rule
def claims(page):
    """There are claims, and none is true whatever happens."""
    made = [(i, call) for i, cell in page.code for call in _calls(cell.source, "claim")]
    if len(made) < 3:
        yield f"{len(made)} claims; every statement about a result is one, a notebook has three or more"
    for i, call in made:
        if len(call.args) > 1 and not any(isinstance(part, ast.Name | ast.Call) for part in ast.walk(call.args[1])):
            yield f"cell {i} claims something that can't fail; compare a result"


@rule
def quiet_training(page):
    """Training is quiet: one bar, and no log of every batch."""
    for i, cell in page.code:
        for method in ("fit", "evaluate", "predict"):
            for call in _calls(cell.source, method):
                if not any(keyword.arg in ("verbose", None) for keyword in call.keywords) and _on_a_model(call):
                    yield f"cell {i} calls {method} without verbose=0; add it, and ck.progress() where it takes long"


@rule
def formulas_stay_whole(page):
    """No line inside a formula starts like an item of a list: Markdown would make one of it."""
    for i, cell in page.prose:
        inline = re.sub(r"(?s)`[^`]*`|\$\$.+?\$\$", "", cell.source)
        for formula in re.findall(r"(?s)\$(.+?)\$", inline):
            if found := re.search(r"\n\s*([-+*]|\d+[.)]) .*", formula):
                yield f"cell {i} breaks a formula before `{found.group().strip()[:30]}`; move the line break"


@rule
def pictures_have_words(page):
    """Every image in the text has alternative text, and figures come with a caption."""
    for i, cell in page.prose:
        if re.search(r"!\[\s*\]\(", cell.source) or re.search(r"<img(?![^>]*\balt=\"[^\"]+\")", cell.source):
            yield f"cell {i} shows an image without alternative text; write ![what it shows](…)"
    for i, cell in page.code:
        drawn = [output for output in cell.outputs if "image/png" in output.get("data", {})]
        if drawn and not any(output.output_type == "stream" for output in cell.outputs):
            yield f"cell {i} draws without a caption; use a function of ck.plots, or style.finish(caption)"


@rule
def terms_are_introduced(page):
    """Every term of the metadata stands in bold where the text introduces it."""
    text = "\n".join(cell.source for _, cell in page.prose if not {"terms", "box"} & set(notebooks.tags(cell)))
    bold = {" ".join(term.lower().split()) for term in re.findall(r"\*\*(.+?)\*\*", text, flags=re.DOTALL)}
    for term in page.about.get("terms", {}):
        if term.lower() not in bold:
            yield f"the term {term!r} is not introduced in the text; write it in bold where it first appears"


@rule
def links_lead_somewhere(page):
    """Links to files of the course exist."""
    for i, cell in page.prose:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", cell.source):
            planned = Path(target).stem in page.about.get("requires", [])
            if "://" not in target and not planned and not (page.path.parent / target).exists():
                yield f"cell {i} links to {target}, which is not there"


def _text_of(output):
    data = output.get("data", {})
    texts = [output.get("text", ""), data.get("text/plain", ""), data.get("text/markdown", "")]
    return "\n".join([*texts, *output.get("traceback", [])])


def _checks(cell):
    """The ids that a cell checks, in order."""
    calls = [call for call in _calls(cell.source, "check") if call.args and isinstance(call.args[0], ast.Constant)]
    return [str(call.args[0].value) for call in calls]


def _plain(source):
    """A cell's code without IPython's own commands."""
    return re.sub(r"(?m)^(\s*)[%!].*$", r"\1pass", source)


def _names(source):
    """The names that a cell binds for later cells, and those that it uses; none where it is not plain Python."""
    try:
        table = symtable.symtable(_plain(source), "cell", "exec")
    except SyntaxError:
        return set(), set()
    names = table.get_symbols()
    bound = {name.get_name() for name in names if name.is_assigned() or name.is_imported()}
    return bound, {name.get_name() for name in names if name.is_referenced()} | _globals_of(table)


def _globals_of(table):
    """The names that functions and classes in a table take from outside."""
    used = set()
    for inner in table.get_children():
        used |= {name.get_name() for name in inner.get_symbols() if name.is_global() and name.is_referenced()}
        used |= _globals_of(inner)
    return used


def _calls(source, function):
    """The calls of a function or method by its name in a cell; none where the cell is not plain Python."""
    try:
        tree = ast.parse(_plain(source))
    except SyntaxError:
        return []
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = [call for call in calls if function in (getattr(call.func, "id", None), getattr(call.func, "attr", None))]
    return sorted(named, key=lambda call: call.lineno)


def _on_a_model(call):
    """Whether fit, evaluate or predict is called on something named like a Keras model."""
    owner = getattr(call.func, "value", None)
    named = getattr(owner, "id", getattr(owner, "attr", ""))
    return "model" in named or named in ("network", "autoencoder", "generator")
