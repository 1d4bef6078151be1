"""A pytest plugin that makes nbval 0.11 fit to run the course's notebooks as tests: `--nbval-lax -p` this module.

nbval makes each code cell a test, "Cell 0" being the first code cell, and runs a notebook's cells in one kernel. Left
to itself it goes on after a failing cell, waits out the time limit when the kernel is dead, passes a notebook that is
stored without outputs, and skips cells when asked to. With the guard:

- a cell that is over its time limit fails (`notebook_cell_timeout`, in seconds, in pyproject.toml or after pytest's -o;
  `--nbval-cell-timeout` goes before both);
- a cell after the first failing one is skipped and says so, and is not executed;
- a kernel that dies is noticed within seconds;
- a notebook whose stored state would check nothing is one failing test that says what to do, and so is one that asks
  for a cell to be skipped;
- a cell tagged `raises-exception` must raise, and raise what is stored;
- kernels have the environment in which `coursekit refresh` stores outputs; the tests beside them keep their own;
- with `pytest -n 2` each worker, and what it starts, keeps to its own share of the cores;
- what goes to stderr is not compared. Images never are, by nbval.
"""

import os
import signal
import time
from math import inf
from queue import Empty
from unittest import mock

import nbval
import pytest

from coursekit.authoring import notebooks
from coursekit.authoring.execution.execute import CELL_TIMEOUT, environment

try:
    from nbval import plugin as nbval_plugin
    from nbval.plugin import IPyNbCell, IPyNbFile, RunningKernel
except ImportError as error:
    raise ImportError(
        f"nbval {nbval.__version__} is not the nbval that coursekit's guard was written for ({error}); "
        "install the pinned one: pip install -c constraints.txt nbval"
    ) from error

NBVAL_TIMEOUT = 2000  # seconds, what nbval's own option says where nobody gave it
LOOK = 1  # seconds between two looks at whether the kernel is alive
GRACE = 5  # seconds that an interrupted cell has to come to an end
RELIED_ON = {
    IPyNbFile: ("collect", "setup", "teardown"),
    IPyNbCell: ("setup", "runtest", "raise_cell_error"),
    RunningKernel: ("execute_cell_input", "get_message", "interrupt", "is_alive", "stop"),
}


def pytest_addoption(parser):
    """Add the time limit of a cell to what pyproject.toml can say."""
    parser.addini(
        "notebook_cell_timeout",
        f"seconds that a notebook's cell may take (default: {CELL_TIMEOUT['quick']})",
        default=str(CELL_TIMEOUT["quick"]),
    )


def pytest_configure(config):
    """Refuse an nbval that this guard does not know, give nbval the time limit, and take a share of the cores."""
    _refuse_another_nbval(config)
    _keep_to_own_cores(getattr(config, "workerinput", None))
    if config.option.nbval_cell_timeout == NBVAL_TIMEOUT:
        config.option.nbval_cell_timeout = _seconds(config.getini("notebook_cell_timeout"))


def _refuse_another_nbval(config):
    missing = [
        f"{owner.__name__}.{name}" for owner, names in RELIED_ON.items() for name in names if not hasattr(owner, name)
    ]
    if not hasattr(config.option, "nbval_cell_timeout"):
        missing.append("the option --nbval-cell-timeout (is the plugin nbval switched off?)")
    if missing:
        raise pytest.UsageError(
            f"nbval {nbval.__version__} lacks what coursekit's guard relies on: {', '.join(missing)}; "
            "install the pinned one: pip install -c constraints.txt nbval"
        )


def _keep_to_own_cores(worker):
    """Of pytest-xdist's workers each takes its share of the cores, where the system lets a process choose.

    Numerical libraries start a thread for each core that they see. Two notebooks with a thread for every core each are
    slower than two that share out the cores.
    """
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        own = cores[int(worker["workerid"].removeprefix("gw")) :: worker["workercount"]]
        if own:  # there may be more workers than cores
            os.sched_setaffinity(0, own)


def _seconds(text):
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < inf:
        raise pytest.UsageError(f"notebook_cell_timeout is a number of seconds above 0, not {text!r}")
    return seconds


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    """Put a guarded notebook in the place of each that nbval collects."""
    collectors = yield
    return [
        GuardedNotebook.from_parent(parent, path=file_path) if isinstance(collector, IPyNbFile) else collector
        for collector in collectors
    ]


class GuardedNotebook(IPyNbFile):
    """A notebook: its cells share a kernel, and the first that fails is the last that runs."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.skip_compare = (*self.skip_compare, "stderr")
        self.problems = []
        self.failed_cell = None  # number of the cell that failed, or is running

    def collect(self):
        """The cells, or where the notebook can't be tested as it is stored one item that fails and says why."""
        try:
            notebooks.read(self.path)
        except notebooks.NotebookError as error:
            self.problems = [str(error)]
        else:
            cells = list(super().collect())
            self.problems = list(self._what_checks_nothing(cells))
        if self.problems:
            return [Refusal.from_parent(self, name="as stored")]
        return [
            GuardedCell.from_parent(self, name=item.name, cell_num=item.cell_num, cell=item.cell, options=item.options)
            for item in cells
        ]

    def _what_checks_nothing(self, cells):
        """A sentence for each thing in the stored notebook that would pass and prove nothing."""
        with_code = [item for item in cells if item.cell.source.strip()]  # an empty cell is never executed
        unrun = [item for item in with_code if item.cell.execution_count is None]
        refresh = f"run `coursekit refresh {self.nodeid}`"
        if unrun and len(unrun) == len(with_code):
            yield f"{self.nodeid} is stored without outputs, so that there is nothing to check: {refresh}"
        elif unrun:
            names = ", ".join(describe(item) for item in unrun)
            yield f"{self.nodeid} is stored with cells that were not executed ({names}): {refresh}"
        for item in with_code:
            if item.options["skip"]:
                yield (
                    f"{self.nodeid}, {describe(item)}: skipping is refused, for a cell that is not executed is not "
                    "tested; take the mark away and make the cell run at `quick`"
                )
            elif item.options["check"] and not self.compare_outputs and item not in unrun and not item.cell.outputs:
                yield (
                    f"{self.nodeid}, {describe(item)}: it is tagged nbval-check-output and stored without an output: "
                    f"{refresh}, or take the mark away if the cell prints nothing"
                )

    def setup(self):
        """Start the kernel, in the environment in which outputs are stored."""
        if self.problems:
            return  # no cell will run
        kernels = environment(profile="quick", backend="tensorflow", seed=0)
        kernels.pop("PYTEST_CURRENT_TEST", None)  # with it ipykernel would not capture what compiled code writes
        with (
            mock.patch.object(nbval_plugin, "RunningKernel", GuardedKernel),
            mock.patch.dict(os.environ, kernels, clear=True),
        ):
            super().setup()

    def teardown(self):
        super().teardown()  # stops a kernel that is alive
        if hasattr(self.kernel, "km"):
            self.kernel.stop()  # closes the channels of a dead one and ends the processes it left


class Refusal(pytest.Item):
    """The one test of a notebook that can't be tested as it is stored."""

    def runtest(self):
        pytest.fail("\n".join(self.parent.problems), pytrace=False)

    def reportinfo(self):
        return self.path, None, self.nodeid


class GuardedCell(IPyNbCell):
    """A cell: it runs if those before it passed, within its time, in a kernel that lives."""

    def setup(self):
        if self.parent.failed_cell is not None:
            pytest.skip(f"{self.parent.nodeid}: not run, cell {self.parent.failed_cell} failed before it")

    def runtest(self):
        self.parent.failed_cell = self.cell_num  # until it has passed
        kernel = self.parent.kernel
        if not kernel.is_alive():
            self._fail(f"the kernel died before this cell ran: {kernel.why_it_died()}")
        try:
            super().runtest()
        except KernelDied:
            self._fail(f"the kernel died while this cell ran: {kernel.why_it_died()}")
        except Exception as error:
            if not kernel.over_limit:
                raise
            self._fail(self._too_slow(), getattr(error, "inner_traceback", None))
        if kernel.over_limit:  # a cell that caught the interrupt
            self._fail(self._too_slow())
        if self.options["check_exception"]:
            self._compare_exceptions()
        self.parent.failed_cell = None

    def _too_slow(self):
        limit = self.config.option.nbval_cell_timeout
        return (
            f"stopped after {limit:g} s, the limit for a cell (notebook_cell_timeout in pyproject.toml); "
            "make the cell do less at `quick`"
        )

    def _compare_exceptions(self):
        stored, raised = (
            [output.ename for output in outputs if output.output_type == "error"]
            for outputs in (self.cell.outputs, self.test_outputs)
        )
        if not raised:
            self._fail("it is marked as raising an exception and raised none")
        if raised != stored:
            self._fail(f"it raised {raised[0]}, and what is stored is {stored[0] if stored else 'no exception'}")

    def _fail(self, why, traceback=None):
        message = f"{self.parent.nodeid}, {describe(self)}: {why}"
        try:
            self.raise_cell_error(message, traceback)
        except Exception as error:
            raise error from None  # nbval's own words for it would only be read as a second failure


def describe(item):
    """A cell in words: its number, as nbval counts, and its first line of code."""
    lines = [line.strip() for line in item.cell.source.splitlines()]
    code = next((line for line in lines if line and not line.startswith("#")), next(filter(None, lines), ""))
    return f"cell {item.cell_num} (`{code}`)"


class KernelDied(Exception):
    """The kernel's process ended while a cell was running."""


class GuardedKernel(RunningKernel):
    """nbval's kernel, which notices when its process is gone and when a cell does not heed an interrupt."""

    over_limit = False
    give_up = inf  # the time, by the monotonic clock, to wait for no more messages

    def execute_cell_input(self, cell_input, allow_stdin=None):
        """As in Jupyter, into the history: without it, a semicolon at a cell's end would not hold its value back."""
        return self.kc.execute(cell_input, store_history=True, allow_stdin=allow_stdin, stop_on_error=False)

    def get_message(self, stream, timeout=None):
        """The next message; `queue.Empty` after `timeout` seconds, `KernelDied` if none can come any more."""
        end = inf if timeout is None else time.monotonic() + timeout
        while time.monotonic() < self.give_up:
            left = max(end - time.monotonic(), 0)
            try:
                return super().get_message(stream, timeout=min(left, LOOK))
            except Empty:
                if not self.is_alive():
                    raise KernelDied(f"the kernel died: {self.why_it_died()}") from None
                if left <= LOOK:
                    raise
        raise Empty

    def interrupt(self):
        """nbval calls this for a cell that is over its limit."""
        self.over_limit = True
        self.give_up = time.monotonic() + GRACE
        super().interrupt()

    def why_it_died(self):
        status = self.km.provisioner.process.poll() if hasattr(self, "km") else None
        if status is None:
            return "how it ended is not known"
        if status >= 0:
            return f"its process ended with exit status {status}, as after os._exit({status})"
        name = signal.Signals(-status).name
        reason = {
            "SIGKILL": "which is what the system does when memory runs out",
            "SIGSEGV": "which is a crash in compiled code",
            "SIGABRT": "which is how compiled code gives up",
        }
        return f"its process was ended by {name}" + (f", {reason[name]}" if name in reason else "")
