"""What changes the key of a notebook's records and what does not, in a small package and in ours."""

import ast
import hashlib

import pytest
from helpers import make_notebook

from coursekit.authoring import notebooks
from coursekit.authoring.execution import dependencies

PACKAGE = {
    "coursekit": '''
"""The package."""
from importlib import import_module
_HOME_OF = {"load": "data:load", "check": "checks:check", "plots": "plots", "pictures": "plots.pictures"}
def __getattr__(name):
    return import_module(name)
''',
    "coursekit.data": '''
"""Data."""
from coursekit.paths import data_dir
from coursekit import tables
SETS = {}
def bundled(name):
    return lambda function: SETS.setdefault(name, function)
@bundled(name="iris")
def iris(): return _split(150)
@bundled(name="wine")
def wine(): return 178
def load(name):
    """Load."""
    return SETS[name]()
def _split(n): return n // 2
def weights(source): return data_dir() / f"weights_{source}.npz"
def course(): return data_dir() / "course.json"
def recorded(): return data_dir() / "results" / "03.jsonl"
def anything(name): return data_dir() / name
''',
    "coursekit.tables": '"""Tables."""\nimport math\nWIDTH = 3\nmath.factorial(WIDTH)\nUNUSED = 4\n',
    "coursekit.paths": '"""Paths."""\ndef data_dir(): return 1\n',
    "coursekit.checks": '''
"""Checks."""
from coursekit.data import iris
def exercise(name): return lambda function: function
def check(name, answer): return answer
@exercise("3.1")
def first(answer): return iris()
@exercise("3.2")
def second(answer): return 2
''',
    "coursekit.plots": '''
"""Pictures."""
from importlib import import_module
_FUNCTIONS_OF = {"pictures": "images masks", "lines": "curves"}
_HOME_OF = {name: module for module, names in _FUNCTIONS_OF.items() for name in names.split()}
def __getattr__(name):
    return getattr(import_module(_HOME_OF[name]), name)
''',
    "coursekit.plots.pictures": '''
"""Images."""
from coursekit.plots import style
def images(x): return style.finish(x)
def masks(x):
    from coursekit.plots.style import BLUE as blue
    return blue
''',
    "coursekit.plots.lines": '''
"""Curves."""
from coursekit.plots.style import finish
def curves(x):
    def local(finish): return finish(x)
    return local
''',
    "coursekit.plots.style": '"""Style."""\nBLUE = "#00f"\ndef finish(x): return _close(x)\ndef _close(x): return x\n',
    "coursekit.experiments": '"""Experiments."""\n',
    "coursekit.experiments.pruning": '''
"""Pruning."""
from coursekit.data import recorded
def rows(): return recorded("pruning")
''',
}


@pytest.fixture
def key(monkeypatch, tmp_path):
    """The key of a notebook with these cells; `changed` replaces text in a module, `data` adds files to data/."""

    def key(*cells, changed=(), data=()):
        sources = dict(PACKAGE)
        for module, old, new in changed:
            assert old in sources[module]
            sources[module] = sources[module].replace(old, new)
        for name, content in dict(data).items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(content)
        package = dependencies.Package(sources)
        monkeypatch.setattr(dependencies, "present_package", lambda: package)
        monkeypatch.setattr(dependencies, "data_dir", lambda: tmp_path)
        return dependencies.code_key(make_notebook("import coursekit as ck\nfrom coursekit import load, check", *cells))

    return key


DRAWS = "ck.plots.images(load('iris'))"


@pytest.mark.parametrize(
    "module, old, new",
    [
        ("coursekit.data", '"""Load."""', '"""Load a data set."""'),
        ("coursekit.data", "return SETS[name]()", "return SETS[ name ]()  # a comment"),
        ("coursekit.data", "return 178", "return 179"),  # another data set
        ("coursekit.data", "SETS = {}", "SETS = {}\ndef more(): return SETS"),
        ("coursekit.data", "def load", "@bundled(name='sunspots')\ndef sunspots(): return 309\ndef load"),
        ("coursekit.data", "SETS = {}", 'SETS = {}\n"The data sets."'),
        ("coursekit.tables", "UNUSED = 4", "UNUSED = 5"),
        (
            "coursekit.tables",
            "math.factorial(WIDTH)",
            "math.factorial(2)",
        ),  # only the head of coursekit.data imports it
        ("coursekit.checks", "return 2", "return 3"),
        ("coursekit.plots", '"lines": "curves"', '"lines": "curves bands"'),
        ("coursekit.plots.pictures", "return blue", "return blue, 2"),
        ("coursekit.plots.style", '"#00f"', '"#00e"'),
    ],
)
def test_what_a_notebook_does_not_reach_does_not_change_its_key(key, module, old, new):
    assert key(DRAWS) == key(DRAWS, changed=[(module, old, new)])


@pytest.mark.parametrize(
    "module, old, new",
    [
        ("coursekit.data", "return SETS[name]()", "return SETS[name]"),
        ("coursekit.data", "return _split(150)", "return _split(151)"),  # the data set that it loads
        ("coursekit.data", "return n // 2", "return n // 3"),  # and its helper
        ("coursekit.data", 'bundled(name="iris")', 'bundled(name="iris", old=True)'),
        ("coursekit.plots", "images masks", "masks"),  # then nobody knows where it is
        (
            "coursekit.plots.pictures",
            "style.finish(x)",
            "style.finish(2 * x)",
        ),  # a picture that is loaded when it is used
        ("coursekit.plots.style", "_close(x): return x", "_close(x): return 2 * x"),  # two modules away
    ],
)
def test_what_a_notebook_reaches_changes_its_key(key, module, old, new):
    assert key(DRAWS) != key(DRAWS, changed=[(module, old, new)])


LOADING = ("coursekit.tables", "math.factorial(WIDTH)", "math.factorial(2)")  # what loading the module does
WIDTH = ("coursekit.tables", "WIDTH = 3", "WIDTH = 4")  # and with what
STYLE, CLOSE = ("coursekit.plots.style", '"#00f"', '"#00e"'), ("coursekit.plots.style", "return x", "return 2 * x")


@pytest.mark.parametrize(
    "cell, change, counts",
    [
        ("check('3.1', 1)", ("coursekit.data", "return n // 2", "return n // 3"), True),
        ("check('3.2', 1)", ("coursekit.data", "return n // 2", "return n // 3"), False),
        ("name = '3.1'", ("coursekit.data", "return n // 2", "return n // 3"), True),
        ("ck.plots.curves(1)", CLOSE, False),  # its local function has an argument called finish
        ("ck.plots.masks(1)", STYLE, True),  # imported in the function
        ("from coursekit.plots.style import BLUE as b\nprint(b)", STYLE, True),
        ("from coursekit.plots.style import BLUE as b", STYLE, False),
        ("from coursekit.plots import style\nstyle.BLUE.x", STYLE, True),
        ("from coursekit.plots import style\nstyle.finish", STYLE, False),
        ("import coursekit.plots.style\ncoursekit.plots.style.BLUE", STYLE, True),
        ("from coursekit import pictures as p\np.masks", STYLE, True),
        ("from coursekit.plots.style import *", STYLE, True),
        ("from coursekit.plots import style\nprint(style)", STYLE, True),  # whole
        ("getattr(ck.plots, 'masks')", STYLE, True),
        ("from coursekit.tables import UNUSED\nprint(UNUSED)", LOADING, True),
        ("from coursekit.tables import UNUSED\nprint(UNUSED)", WIDTH, True),
        ("from coursekit import tables", LOADING, True),
        ("import coursekit.tables", LOADING, True),
        ("name = 'coursekit.tables'", LOADING, True),
        ("load('iris')", LOADING, False),
        ("%%writefile mine.py\nfrom coursekit.plots.style import BLUE\nx = BLUE", STYLE, True),
        ("run('-c', 'import coursekit as ck; print(ck.plots.masks)')", STYLE, True),
        ("!ls\nck.plots.masks", STYLE, True),
        ("this is no Python: ck.plots.masks", STYLE, False),
    ],
)
def test_ways_to_reach_a_part(key, cell, change, counts):
    assert (key(cell) != key(cell, changed=[change])) == counts


def test_what_an_imported_name_stands_for_counts(key):
    old = "from coursekit.plots.style import finish"
    new = "from coursekit.plots.style import _close as finish"
    change = [("coursekit.plots.lines", "return local", "return finish")]
    assert key("ck.plots.curves", changed=change) != key(
        "ck.plots.curves", changed=[*change, ("coursekit.plots.lines", old, new)]
    )
    tables = "from coursekit.tables import WIDTH, f\nf"
    twice = [("coursekit.tables", "UNUSED = 4", "def f(): return math.pi")]
    other = [*twice, ("coursekit.tables", "import math", "import cmath as math")]
    assert key(tables, changed=twice) != key(tables, changed=other)


def test_cells_count_and_the_set_up_cell_by_what_it_reaches(key):
    assert key("x = 1") != key("x = 2")
    set_up = ("ck.plots.masks", ["setup"])
    assert key(set_up) != key(set_up, changed=[STYLE])


@pytest.mark.parametrize(
    "cell, file, counts",
    [
        ("from coursekit.data import weights\nweights('a')", "weights_a.npz", True),
        ("from coursekit.data import weights\nweights('a')", "weights_b.npz", True),  # which one can't be told
        ("from coursekit.data import weights\nweights('a')", "course.json", False),
        ("from coursekit.data import course\ncourse()", "course.json", True),
        ("from coursekit.data import anything\nanything('course.json')", "course.json", True),
        ("from coursekit.data import anything\nanything('course.json')", "folder/file", True),
        ("from coursekit.data import anything\nanything('README.md')", "README.md", False),
        ("from coursekit.paths import data_dir\nopen(data_dir() / 'course.json')", "course.json", True),
        ("from coursekit.paths import data_dir\nopen(data_dir() / 'folder' / name)", "folder/file", True),
        ("load('wine')", "course.json", False),
        ("from coursekit.data import recorded\nrecorded()", "results/03.jsonl", False),  # a run's record
        ("from coursekit.data import recorded\nrecorded(), 'pruning'", "results/pruning.jsonl", False),
        ("from coursekit.data import recorded\nrecorded(), 'pruning.jsonl'", "results/pruning.jsonl", True),
        ("from coursekit.experiments import pruning\npruning.rows()", "results/pruning.jsonl", True),
    ],
)
def test_bundled_data_counts_by_its_content(key, cell, file, counts):
    there = {"weights_a.npz": "-", "course.json": "-"}
    assert (key(cell, data=there | {file: "old"}) != key(cell, data={file: "new"})) == counts


# --- the real package -------------------------------------------------------------------------------------------------
def test_every_name_that_is_loaded_when_it_is_used_is_found():
    package = dependencies.present_package()
    offering = [module for module in package.modules.values() if "__getattr__" in module.defined]
    assert {"coursekit", "coursekit.plots", "coursekit.compression"} <= {module.name for module in offering}
    for module in offering:
        assert module.offered, f"{module.name} has a table of another form than those in `dependencies.TABLES`"
        for name in module.offered:
            home, part = package.means({"it": (module.name, None)}, ["it", name])
            assert home != module.name and (part == dependencies.WHOLE or part in package.modules[home].parts), name


def test_a_real_notebook_reaches_what_it_uses_and_little_else():
    reached = dependencies.reached_by(notebooks.read(notebooks.find(["08"])[0]))
    expected = ["session.setup", "claims.claim", "models.transfer.pretrained", "exercises.ex08_transfer_learning"]
    expected += ["plots.lines.bands", "datasets.bundled.digits", "plots.style.finish"]
    for name in expected:
        assert any(one.startswith(f"coursekit.{name}") for one in reached), name
    assert {"data/backbone_glyphs.npz", "data/backbone_photographs.npz"} <= set(reached)
    for name in ("compression", "exercises.ex18", "experiments", "datasets.bundled.wine", "training"):
        assert not any(one.startswith(f"coursekit.{name}") for one in reached), name
    assert not any("results" in one for one in reached if one.startswith("data/"))


def test_only_the_page_that_draws_the_course_map_depends_on_it():
    reached = {path.stem[:2]: dependencies.reached_by(notebooks.read(path)) for path in notebooks.find(["00", "01"])}
    assert "data/course.json" in reached["00"] and "data/course.json" not in reached["01"]


SYNTAX = '''
"""gone"""
@decorated(1)
def f(a, /, b: int = 1, *c, e=None, **g) -> None:
    "gone"
    try:
        pass
    except* ValueError:
        return b"x\\xff", 1e-300, 1j, ..., "é\\u2028", 10**20, None, True
    match a:
        case {"x": [1, *_], **r} if r: pass
        case None | C(x=1): pass
    return lambda: (yield)
async def g():
    async for i in x: await i
    return [i async for i in y if i if j]
class A(B, metaclass=C):
    """gone"""
    x: int = "stays"
    "gone"
f"a{{b}}{x!r:>{w}.{p}}" "c" f"{y}" """d
{z}"""; f"{x=}" f'{ x = :3}' f"" "" f"{'q'}"; f"{x:}"; f"{a:%Y-{b}}%"
'''


def test_a_tree_is_written_the_same_on_every_python():
    text = dependencies.canonical(ast.parse(SYNTAX))
    assert "gone" not in text and "stays" in text
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "c48b62d282ab3d49"
