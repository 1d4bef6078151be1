"""The import graph is the curriculum: a teaching module imports only what an earlier notebook, or its own, has shown.

Each module says where it comes from: by its number (`ex07_…`, `ch07_…`), or by "Born in notebook 07." in its docstring.
A package's `__init__` is a table of what is in it, and may name what comes later.
"""

import ast
import re
from pathlib import Path

import pytest

import coursekit

PACKAGE = Path(coursekit.__file__).parent
NUMBER = re.compile(r"(?:ex|ch)(\d\d)_")
BIRTH = re.compile(r"\bBorn\s+in\s+notebook\s+(\d\d)\b")


def name_of(file):
    """`coursekit.layers.mlp` of coursekit/layers/mlp.py, `coursekit.layers` of coursekit/layers/__init__.py."""
    parts = ["coursekit", *file.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_teaching(name):
    return not name.startswith(("coursekit.authoring", "coursekit.__main__"))


FILES = {name_of(file): file for file in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(file.read_text(encoding="utf-8")) for name, file in FILES.items()}
TABLES = [name for name, file in FILES.items() if file.name == "__init__.py"]
MODULES = [name for name in FILES if name not in TABLES and is_teaching(name)]


def births(name):
    """Every number of a notebook that a module names as its own."""
    by_name = NUMBER.match(name.rpartition(".")[2])
    return [by_name[1]] if by_name else BIRTH.findall(ast.get_docstring(TREES[name]) or "")


def imported(name):
    """The modules of coursekit that a module imports, also inside its functions."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in FILES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "coursekit":
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                yield inside if inside in FILES else node.module


@pytest.mark.parametrize("name", MODULES)
def test_a_module_names_the_one_notebook_it_is_born_in(name):
    assert len(births(name)) == 1, (
        f'{FILES[name]} needs one sentence "Born in notebook 07." at the end of its docstring'
    )


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_what_was_born_by_then(name):
    (mine,) = births(name)
    later = [other for other in imported(name) if other in MODULES and births(other)[0] > mine]
    assert not later, f"{name} belongs to notebook {mine} and imports {', '.join(later)} from a later one"


def packages():
    """{package: the packages of coursekit that its modules import}; a module beside them is its own."""
    home = lambda name: ".".join(name.split(".")[:2])
    edges = {home(name): set() for name in MODULES}
    for name in MODULES:
        edges[home(name)] |= {home(other) for other in imported(name) if other in MODULES} - {home(name)}
    return edges


def test_packages_import_each_other_in_one_direction():
    edges = packages()
    while leaves := [name for name, others in edges.items() if not others & set(edges)]:
        for name in leaves:
            del edges[name]
    assert not edges, f"these import each other in a circle: {', '.join(sorted(edges))}"


def test_no_function_that_a_package_offers_is_named_like_one_of_its_modules():
    # importing coursekit.plots.lines puts the module where a function `lines` would be looked for
    for name in TABLES:
        package = __import__(name, fromlist=["_"])
        modules = {file.stem for file in FILES[name].parent.glob("*.py")} | {"__init__"}
        hidden = {offered for offered in getattr(package, "__all__", ()) if offered in modules}
        assert not {offered for offered in hidden if callable(getattr(package, offered))}, name
