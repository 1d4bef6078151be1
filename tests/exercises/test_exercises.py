"""check() and grade() themselves: they never raise at a student, and always raise at a grader."""

import json
import logging
import signal
import sys
import threading

import numpy as np
import pytest

from coursekit import exercises
from coursekit.arrays import as_array
from coursekit.errors import WrongAnswer
from coursekit.exercises import NOT_ATTEMPTED, check, exercise, grade


@exercise("98.1")
def check_double(function):
    """f(x) = 2x at a random number."""
    x = float(np.random.default_rng().uniform(1, 9))
    got = function(x)
    if got is None or got is ...:
        return NOT_ATTEMPTED
    return None if got == 2 * x else "that is not twice the number"


@exercise("98.2")
def check_shape(answer):
    """A shape."""
    return None if tuple(answer) == (2, 3) else "count the rows first"


@exercise("98.4")
def check_table(function):
    """A dictionary with columns."""
    return None if function()["columns"] else "no columns"


@exercise("98.3", seconds=0.3)
def check_quick(function):
    """Anything that comes to an end."""
    try:
        function()
    except Exception:  # what a check may do around a call; it must not swallow the end of its time
        return "it raised"
    return None


def test_a_right_answer_a_gap_and_a_wrong_one(capsys):
    for answer in (lambda x: x + x, lambda x: ..., ..., None, lambda x: x):
        assert check("98.1", answer) is None
    right, *gaps, wrong = capsys.readouterr().out.splitlines()
    assert right == "✓ Exercise 98.1: right."
    assert len(gaps) == 3 and all("not attempted" in line for line in gaps)
    assert wrong == "✗ Exercise 98.1: that is not twice the number"


def test_a_function_that_forgets_its_return_is_told_so(capsys):
    def gap(x):
        """Twice x."""
        ...  # your code

    def forgetful(x):
        x + x

    def half_done(x):
        double = ...
        return double

    def two_gaps(x):
        double, half = ..., ...
        return double or half

    def passing(x):
        pass

    def pointing(x):
        return ...

    def appending(x):
        values = [x]
        values = values.append(x)
        return values

    def shuffling(x):
        return np.random.default_rng().shuffle([x, x])

    for nothing_done in (gap, half_done, two_gaps, passing, pointing):
        check("98.1", nothing_done)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 5 and all("not attempted" in line for line in said)

    def last_column(x):
        np.ones((2, 3))[..., 0] * x

    for finished in (last_column, forgetful, appending, shuffling, lambda x: print(end="")):
        check("98.1", finished)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 5 and all("returned nothing" in line for line in said)
    with pytest.raises(WrongAnswer, match="returned nothing"):
        grade("98.1", forgetful)


def test_what_the_students_code_raises_becomes_a_hint(capsys):
    def halves(x):
        return x / 0

    check("98.1", halves)
    said = capsys.readouterr().out
    assert "your code raised ZeroDivisionError at `return x / 0`" in said and said.count("\n") == 1


def test_what_only_the_check_trips_over_is_not_called_the_students_error(capsys):
    rows_only = eval(compile('lambda: {"rows": 2}', "a cell of its own", "eval"))
    check("98.4", rows_only)
    said = capsys.readouterr().out
    assert "has another form than asked for: the check raised KeyError" in said and "your code" not in said


def test_a_student_who_exits_stays(capsys):
    check("98.1", lambda x: sys.exit("enough"))
    assert "your code raised SystemExit" in capsys.readouterr().out
    with pytest.raises(WrongAnswer, match="SystemExit"):
        grade("98.1", lambda x: sys.exit())


def test_stopping_the_kernel_stops_the_check():
    def stopped(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check("98.1", stopped)


def test_a_loop_without_end_is_stopped(capsys):
    def endless():
        while True:
            pass

    before = signal.getsignal(signal.SIGPROF)
    check("98.3", endless)
    check("98.3", lambda: 1)
    wrong, right = capsys.readouterr().out.splitlines()
    assert "stopped after 0.3 seconds of computing: is there a loop that never ends?" in wrong and "✓" in right
    assert signal.getsignal(signal.SIGPROF) == before and signal.getitimer(signal.ITIMER_PROF)[0] == 0


def test_in_another_thread_checks_work_without_a_limit(capsys):
    thread = threading.Thread(target=check, args=("98.1", lambda x: 2 * x))
    thread.start()
    thread.join()
    assert "✓" in capsys.readouterr().out


def test_a_value_in_place_of_a_function_is_told_apart(capsys):
    check("98.1", 0.97)
    assert "asks for a function: hand in its name" in capsys.readouterr().out


@pytest.mark.parametrize("answer", [3, lambda: 1, object(), "text", float("nan"), np.zeros(3), BaseException])
def test_nothing_a_student_hands_in_makes_check_raise(answer, capsys):
    for identifier in ("98.1", "98.2"):
        check(identifier, answer)
    assert capsys.readouterr().out.count("✗") == 2


@pytest.mark.parametrize("identifier", ["98.9", "nonsense", 3, "", None])
def test_an_unknown_exercise_is_said_to_be_unknown(identifier, capsys):
    check(identifier, 1)
    assert "there is no exercise" in capsys.readouterr().out


def test_an_unknown_exercise_is_answered_with_those_of_its_notebook_alone(capsys, monkeypatch):
    loaded = []
    monkeypatch.setattr(exercises.importlib, "import_module", loaded.append)
    check("098.1", 1)
    check("89.1", 1)  # no file of tests takes 89
    check("nonsense", 1)
    notebook, *nowhere = capsys.readouterr().out.splitlines()
    assert notebook.endswith("there is no exercise '098.1'; this notebook has 98.1, 98.2, 98.3, 98.4")
    assert all('such as "9.2"' in line and "98" not in line for line in nowhere) and not loaded


def test_grade_returns_nothing_or_raises_the_hint():
    assert grade("98.2", (2, 3)) is None
    with pytest.raises(WrongAnswer, match="count the rows first"):
        grade("98.2", (3, 2))
    with pytest.raises(WrongAnswer, match="not attempted"):
        grade("98.2", ...)
    with pytest.raises(WrongAnswer, match="there is no exercise"):
        grade("98.7", 1)


def test_in_a_run_outcomes_are_noted(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSEKIT_NOTES", str(tmp_path / "notes"))
    check("98.2", ...)
    check("98.2", (2, 3))
    outcomes = [json.loads(line)["outcome"] for line in (tmp_path / "notes").read_text().splitlines()]
    assert outcomes == ["NOT_ATTEMPTED", "right"]


def test_what_tensorflow_warns_of_while_a_check_runs_is_not_shown(caplog):
    logger = logging.getLogger("tensorflow")
    level, before = logger.level, logger.propagate
    logger.propagate = True  # TensorFlow turns it off, and caplog listens at the root

    def double(x):
        logger.warning("5 out of the last 9 calls triggered retracing")
        return 2 * x

    try:
        assert exercises.attempt("98.1", double) is None
        logger.error("afterwards")
    finally:
        logger.propagate = before
    assert [record.message for record in caplog.records] == ["afterwards"] and logger.level == level


def test_two_checkers_for_one_exercise_are_a_mistake():
    def another(answer):
        return None

    another.__module__ = "elsewhere"
    with pytest.raises(ValueError, match="two checkers"):
        exercise("98.1")(another)


def test_ids_are_in_the_order_of_the_notebook():
    assert exercises.ids("98") == ["98.1", "98.2", "98.3", "98.4"]
    assert exercises.ids("00") == ["0.1", "0.2"]


def test_as_array_takes_every_backends_tensors():
    import jax.numpy as jnp
    import tensorflow as tf

    for value in ([1, 2], np.array([1, 2]), tf.constant([1, 2]), tf.Variable([1, 2]), jnp.array([1, 2])):
        assert as_array(value).tolist() == [1, 2]
    torch = pytest.importorskip("torch", reason="the extra torch is not installed (make env TORCH=1)")
    assert as_array(torch.tensor([1.0, 2.0], requires_grad=True)).tolist() == [1, 2]
