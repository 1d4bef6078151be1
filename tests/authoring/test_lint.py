"""Each lint rule: a notebook that breaks it, and the message; and a notebook that breaks none."""

from pathlib import Path

import nbformat
import pytest
from helpers import make_notebook

from coursekit.authoring import lint, notebooks, project
from coursekit.authoring.pages import index
from coursekit.exercises import exercise

for number in range(1, 7):
    exercise(f"97.{number}")(lambda answer: None if answer == 1 else "no")

EXERCISES = []
for number in range(1, 7):
    EXERCISES += [
        (f"md:### Exercise 97.{number}: one", ["exercise"]),
        (f"answer = ...\ncheck('97.{number}', answer)", ["exercise"]),
        (f"answer = 1\ncheck('97.{number}', answer)", ["solution"]),
    ]
CLAIMS = "x = 3\nclaim('a', x > 1)\nclaim('b', x > 2)\nclaim('c', x < 4)"
BODY = ["md:## 1. A section\n\nA **tensor** is introduced.", CLAIMS, "ck.plots.curves()", *EXERCISES]
END = ["md:## Summary", "md:## Sources", "md:## What comes next"]


def stored(*cells, name="97_example", **about):
    """A notebook with its generated cells, as if executed."""
    notebook = make_notebook(*cells, **({"terms": {"tensor": "a block of numbers"}, "minutes": 1.0} | about))
    notebook = nbformat.reads(index.generated(Path(f"{name}.ipynb"), notebook, project.home()), 4)
    for count, cell in enumerate([cell for cell in notebook.cells if notebooks.has_code(cell)], 1):
        cell.execution_count = count
        said = {"exercise": ": not attempted yet", "solution": ": right."}
        for tag in notebooks.tags(cell):
            if tag in said:
                cell.outputs = [nbformat.v4.new_output("stream", text=said[tag])]
    notebooks.about(notebook)["executed"] = notebooks.content_hash(notebook)
    return notebook


def messages(notebook, path="97_example.ipynb"):
    return lint.lint_one(path, notebook)


def code(notebook, start):
    return next(cell for cell in notebook.cells if cell.source.startswith(start))


def test_a_good_notebook_breaks_no_rule(tmp_path):
    path = tmp_path / "97_example.ipynb"
    notebooks.write(path, stored(*BODY, *END))
    assert lint.lint_one(path, notebooks.read(path)) == []


def append(source):
    def change(notebook):
        cell = code(notebook, "x = 3")
        cell.source += f"\n{source}"

    return change


def tagged(tag):
    def change(notebook):
        code(notebook, "x = 3").metadata["tags"] = [tag]

    return change


def checked(text):
    def change(notebook):
        tagged("nbval-check-output")(notebook)
        code(notebook, "x = 3").outputs = [nbformat.v4.new_output("stream", text=text)]

    return change


def output(**data):
    def change(notebook):
        code(notebook, "ck.plots").outputs = [nbformat.v4.new_output(**data)]

    return change


def prose(text):
    def change(notebook):
        code(notebook, "## 1.").source += f"\n\n{text}"

    return change


def without(start):
    def change(notebook):
        notebook.cells.remove(code(notebook, start))

    return change


def forget(key):
    def change(notebook):
        del notebook.metadata["coursekit"][key]

    return change


def setting(key, value):
    def change(notebook):
        notebook.metadata["coursekit"][key] = value

    return change


def replace(start, old, new):
    def change(notebook):
        cell = code(notebook, start)
        cell.source = cell.source.replace(old, new)

    return change


def last_cell(source):
    def change(notebook):
        notebook.cells.append(nbformat.v4.new_code_cell(source))

    return change


def unexecuted(notebook):
    code(notebook, "x = 3").execution_count = None


def forgetful_solution(notebook):
    code(notebook, "answer = 1").outputs = []


ERROR = {"output_type": "error", "ename": "E", "evalue": "", "traceback": []}
STDERR = {"output_type": "stream", "name": "stderr", "text": "warning"}
PATH = {"output_type": "stream", "text": "saved to /home/anna/model.keras"}
TRACEBACK = ERROR | {"traceback": ["File /tmp/ipykernel_1/2.py:1"]}
PICTURE = {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo="}}
BREAKS = [
    ("metadata", forget("terms"), "lacks terms"),
    ("metadata", setting("requires", ["Gradient descent"]), "no notebook's name"),
    ("generated_cells", replace("# Set-up", "ck.setup", "ck.set_up"), "setup cell differs"),
    ("generated_cells", without("> **What"), "not title, box and setup"),
    ("one_title", prose("# Another title"), "2 headings of the first level"),
    ("one_title", prose("#### Deep"), "skips a level"),
    ("closing_sections", without("## Summary"), "no section `## Summary`"),
    ("short_cells", append("\n".join(["y = 1"] * 30)), "34 lines, more than 25"),
    ("short_cells", append("y = 1" + " + 1" * 30), "longer than 100 characters"),
    ("stored_executed", unexecuted, "coursekit refresh"),
    ("stored_executed", append("y = x"), "code has changed since its outputs were made"),
    ("stored_executed", forget("executed"), "code has changed since its outputs were made"),
    ("no_errors_stored", output(**ERROR), "stores an error"),
    ("no_errors_stored", output(**STDERR), "wrote to stderr"),
    ("no_machine_paths", output(**PATH), "names a folder of this machine"),
    ("no_machine_paths", output(**TRACEBACK), "names a folder of this machine"),
    ("exercises_are_whole", without("answer = 1"), "each needs both"),
    ("exercises_are_whole", replace("answer = ...", "97.1", "97.7"), "number them from 97.1"),
    ("exercises_are_whole", replace("### Exercise 97.1", "### Exercise 97.1", "### Task"), "each exercise starts with"),
    ("exercise_outcomes", forgetful_solution, "does not say `right`"),
    ("answers_are_not_needed", last_cell("y = answer + 1"), "uses answer, which an exercise"),
    ("answers_are_not_needed", last_cell("def again():\n    return [answer for _ in 'ab']"), "uses answer"),
    ("nbval_marks", append("# NBVAL_CHECK_OUTPUT"), "marked NBVAL_CHECK_OUTPUT"),
    ("nbval_marks", append("# nbval_skip"), "marked nbval_skip"),
    ("nbval_marks", tagged("nbval-check-outputs"), "marked nbval-check-outputs"),
    ("nbval_marks", tagged("nbval-skip"), "marked nbval-skip"),
    ("nbval_marks", tagged("nbval-check-output"), "and prints nothing"),
    ("nbval_marks", checked("<function f at 0x7fe93f0a1e40>"), "prints '0x7fe93f0a1e40'"),
    ("nbval_marks", checked("WARNING:tensorflow:5 out of 9"), "prints 'WARNING:tensorflow'"),
    ("claims", replace("x = 3", "claim('a', x > 1)\nclaim('b', x > 2)", ""), "1 claims"),
    ("claims", append("claim('d', True)"), "can't fail"),
    ("claims", append("claim('d', 2 > 1)"), "can't fail"),
    ("quiet_training", append("model.fit(x, epochs=3)"), "fit without verbose=0"),
    ("formulas_stay_whole", prose("The drop from $k\n- 1$ to $k$."), "breaks a formula before `- 1`"),
    ("pictures_have_words", prose("![](map.svg)"), "without alternative text"),
    ("pictures_have_words", output(**PICTURE), "without a caption"),
    ("terms_are_introduced", setting("terms", {"rank": "…"}), "'rank' is not introduced"),
    ("links_lead_somewhere", prose("See [there](96_nowhere.ipynb)."), "96_nowhere.ipynb, which is not there"),
]


@pytest.mark.parametrize("rule, change, says", BREAKS)
def test_a_notebook_that_breaks_a_rule_hears_of_it(rule, change, says):
    notebook = stored(*BODY, *END)
    change(notebook)
    heard = [message for message in messages(notebook) if f": {rule}: " in message]
    assert any(says in message for message in heard), messages(notebook)


def test_a_bad_name_an_unknown_exercise_and_too_few_exercises_are_heard():
    assert any("rename Example.ipynb" in one for one in messages(stored(*BODY, *END), "Example.ipynb"))
    few = [cell if isinstance(cell, str) else (cell[0].replace("97.", "96."), cell[1]) for cell in BODY[:6]]
    heard = messages(stored(*few, *END, name="96_example"), "96_example.ipynb")
    assert any("96.1 has no checker" in one for one in heard)
    assert any("1 exercises; this notebook needs 6" in one for one in heard)


def test_a_file_that_is_large_or_not_in_normal_form_is_heard_of(tmp_path):
    path = tmp_path / "97_example.ipynb"
    notebook = stored(*BODY, *END)
    notebook.metadata["toc"] = {"an editor": "left this"}
    nbformat.write(notebook, path)
    assert any(
        "normal_form: the file is not in normal form" in one for one in lint.lint_one(path, notebooks.read(path))
    )
    notebook.cells[3].source += "\n" + "word " * 250_000
    notebooks.write(path, notebook)
    assert any("normal_form: the file has 1," in one for one in lint.lint_one(path, notebooks.read(path)))


def test_what_is_meant_to_fail_may_fail():
    notebook = stored(*BODY, ("1 / 0", ["raises-exception"]), *END)
    code(notebook, "1 / 0").outputs = [nbformat.v4.new_output(**ERROR)]
    assert messages(notebook) == []


def test_a_cell_may_have_a_name_of_an_answer_for_its_own():
    notebook = stored(*BODY, *END)
    last_cell("answer = 3\nprint(answer)")(notebook)
    last_cell("print(answer)")(notebook)
    last_cell("def solve(answer):\n    return answer")(notebook)
    assert not [message for message in messages(notebook) if "answers_are_not_needed" in message]


def test_every_rule_has_been_broken_above():
    elsewhere = {"name", "normal_form", "checkers_are_tested"}  # the last in test_skeleton.py
    assert {rule for rule, _, _ in BREAKS} | elsewhere == {rule.__name__ for rule in lint.RULES}


def test_the_course_breaks_no_rule():
    assert lint.lint() == []
