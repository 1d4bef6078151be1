"""What importing coursekit costs, and that the teaching half stands on its own feet."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import coursekit

PACKAGE = Path(coursekit.__file__).parent
HEAVY = ("numpy", "keras", "tensorflow", "jax", "torch", "matplotlib", "sklearn", "pandas", "pooch", "rich")


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_the_first_cells_imports_bring_no_framework_and_no_numpy():
    code = "import sys, json, coursekit as ck; from coursekit import check, claim, load, scale; ck.setup; ck.plots"
    loaded = json.loads(python(f"{code}; print(json.dumps([m for m in sys.modules]))"))
    assert not set(HEAVY) & set(loaded)


def test_importing_costs_under_a_tenth_of_a_second():
    # -X importtime counts what the import itself takes; the least of five is what is not the machine's noise
    timed = [
        subprocess.run([sys.executable, "-X", "importtime", "-c", "import coursekit"], capture_output=True, text=True)
        for _ in range(5)
    ]
    lines = [line for run in timed for line in run.stderr.splitlines() if line.split("|")[-1].strip() == "coursekit"]
    assert len(lines) == 5
    assert min(int(line.split("|")[1]) for line in lines) < 100_000  # microseconds


def test_every_public_name_can_be_had_and_is_described():
    for name in coursekit.__all__:
        assert name == "__version__" or getattr(coursekit, name).__doc__, name


def test_an_unknown_name_is_refused_with_the_known_ones():
    try:
        coursekit.nonsense  # noqa: B018
    except AttributeError as error:
        assert "claim" in str(error)


def test_the_teaching_half_never_imports_the_authoring_half():
    for file in PACKAGE.rglob("*.py"):
        if "authoring" in file.parts or file.name == "__main__.py":
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            names.append(getattr(node, "module", None) or "")
            assert not any("authoring" in name for name in names), file


def test_every_module_says_at_its_top_what_it_is_for_and_every_public_function_what_it_does():
    for file in PACKAGE.rglob("*.py"):
        tree = ast.parse(file.read_text())
        assert ast.get_docstring(tree), file
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{file.name}: {node.name}"
