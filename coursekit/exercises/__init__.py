"""Exercises: check() tells a student whether an answer is right, grade() tells a grading script.

Each notebook's checkers stand in a module of their own, `ex03_gradient_descent.py` for notebook 03, and are registered
with `@exercise("3.2")`. A checker gets the answer and returns None if it is right, NOT_ATTEMPTED if there is none, or a
hint: one sentence that names the likely mistake without giving the answer away.
"""

import dis
import importlib
import logging
import pkgutil
import signal
import threading
import traceback
from contextlib import contextmanager

from coursekit import records
from coursekit.errors import WrongAnswer


class _NotAttempted:
    def __repr__(self):
        return "NOT_ATTEMPTED"

    def __bool__(self):
        return False


NOT_ATTEMPTED = _NotAttempted()
RETURNS_NOTHING = "your function returned nothing: does it end with `return`?"
SECONDS = 60  # of computing that a check may take, unless its exercise says otherwise
_CHECKERS = {}


class TakesTooLong(BaseException):
    """A check has used up its time. It is no Exception, so that no `except Exception` on the way swallows it."""


def exercise(identifier, seconds=SECONDS):
    """Register the decorated function as the checker of an exercise, such as "3.2" (the second of notebook 03).

    seconds: processor time, of all threads together, after which the check is stopped.
    """

    def register(checker):
        checker.seconds = seconds
        if identifier in _CHECKERS and _CHECKERS[identifier].__module__ != checker.__module__:
            raise ValueError(f"exercise {identifier} has two checkers, in {_CHECKERS[identifier].__module__} as well")
        _CHECKERS[identifier] = checker
        return checker

    return register


def check(identifier, answer):
    """Say in one line whether `answer` to the exercise is right. Prints, returns nothing and never raises."""
    outcome = attempt(identifier, answer)
    records.note("exercise", id=str(identifier), outcome="right" if outcome is None else repr(outcome))
    if outcome is None:
        print(f"✓ Exercise {identifier}: right.")
    elif outcome is NOT_ATTEMPTED:
        print(f"· Exercise {identifier}: not attempted yet. Replace the ... and run the cell again.")
    else:
        print(f"✗ Exercise {identifier}: {outcome}")


def grade(identifier, answer):
    """Raise `WrongAnswer` with the hint unless `answer` is right. For the grading edition; students use `check`."""
    outcome = attempt(identifier, answer)
    if outcome is not None:
        raise WrongAnswer(f"exercise {identifier}: {'not attempted' if outcome is NOT_ATTEMPTED else outcome}")


def attempt(identifier, answer):
    """None if `answer` is right, else NOT_ATTEMPTED or a hint.

    What the student's code raises becomes a hint, sys.exit() included, and so does a loop without end.
    KeyboardInterrupt goes on: it is how a kernel is stopped.
    """
    checker = find(identifier)
    if checker is None:
        return f"there is no exercise {identifier!r}" + _what_there_is(str(identifier).split(".")[0])
    if answer is None or answer is ...:
        return NOT_ATTEMPTED
    try:
        with _at_most(checker.seconds), _without_warnings_of_tensorflow():
            outcome = checker(answer)
    except TakesTooLong:
        return f"stopped after {checker.seconds} seconds of computing: is there a loop that never ends?"
    except (Exception, SystemExit) as error:
        return _hint_from(error, answer)
    return RETURNS_NOTHING if outcome is NOT_ATTEMPTED and _forgets_return(answer) else outcome


def find(identifier):
    """The checker of an exercise, or None. Loads the module of its notebook where it is not loaded yet."""
    for module in _modules_of(str(identifier).split(".")[0]):
        importlib.import_module(module)
    return _CHECKERS.get(str(identifier))


def ids(notebook_number):
    """The ids of a notebook's exercises, in order."""
    for module in _modules_of(str(notebook_number)):
        importlib.import_module(module)
    mine = [known for known in _CHECKERS if known.split(".")[0] == str(int(notebook_number))]
    return sorted(mine, key=lambda known: int(known.split(".")[1]))


def _modules_of(number):
    if not number.isdecimal():
        return []
    start = f"ex{int(number):02d}_"
    return [f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__) if module.name.startswith(start)]


@contextmanager
def _without_warnings_of_tensorflow():
    """A check that trains several models makes TensorFlow warn of traces; a student can't help it."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _at_most(seconds):
    """Raise TakesTooLong inside once the process has computed for so long; on Windows and in other threads, never."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number, frame):
        raise TakesTooLong

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds, 1)  # and each second again, should somebody catch it
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _forgets_return(answer):
    """Whether `answer`, which gave nothing, is a function that does something, unlike the gap as it was handed out.

    `return values.append(0)` does something and returns None; where an `...` is left, a gap is left.
    """
    steps = list(dis.get_instructions(answer.__code__)) if hasattr(answer, "__code__") else []
    idle = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE"}
    constants = [step.argval if isinstance(step.argval, tuple) and step.argval else (step.argval,) for step in steps]
    left = any(all(one is ... for one in constant) for constant in constants)  # y = ..., and y, z = ..., ...
    return not left and not {step.opname for step in steps} <= idle


def _what_there_is(number):
    """The ids that start with this number; other notebooks' modules are not loaded for that."""
    known = ids(number) if number.isdecimal() else []
    if known:
        return f"; this notebook has {', '.join(known)}"
    return '; an id is the number of the notebook, a point and the number of the exercise, such as "9.2"'


def what_it_raised(error, answer):
    """One line on an exception from the student's function, for a checker that adds what it was called with."""
    return _hint_from(error, answer)


def _hint_from(error, answer):
    """One line from an exception: what was raised, and where in the student's function.

    Where no line of the student's function was running, the check tripped over what it was given: that is said so.
    """
    code = getattr(answer, "__code__", None)
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if code and frame.filename == code.co_filename
    ]
    message = str(error).strip().splitlines()[0] if str(error).strip() else "no message"
    if isinstance(error, TypeError) and message.endswith("object is not callable") and not callable(answer):
        return "this exercise asks for a function: hand in its name, without calling it"
    if code and not frames:
        subject = "what your function takes or returns has another form than asked for: the check"
    else:
        subject = "your code" if code else "your answer could not be read, it"
    here = [frame for frame in frames if frame.name == code.co_name]
    where = f" at `{here[-1].line}`" if here and here[-1].line else ""
    return f"{subject} raised {type(error).__name__}{where}: {message}"
