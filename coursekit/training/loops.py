"""What a training loop needs besides its step: an order of the data that can be taken up anywhere, checkpoints, a limit
for gradients, and what it takes to compare loops: a clock, a count of lines, a second process.

Born in notebook 16.
"""

import ast
import inspect
import io
import json
import os
import subprocess
import sys
import textwrap
import time
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from coursekit.arrays import as_array
from coursekit.errors import CheckpointError
from coursekit.paths import write_whole


class Batches:
    """Endless batches of shuffled data, which can be left anywhere and taken up there again.

    Each epoch has a new order, and every sample stands in it once; the last batch of an epoch may be smaller. `epoch`
    and `batch` count from 0 and say which batch comes next.
    """

    def __init__(self, x, y, batch_size, seed=0):
        """x, y: arrays of the same length; batch_size: samples in a batch; seed: of the orders."""
        if len(x) != len(y):
            raise ValueError(f"x has {len(x)} samples and y {len(y)}; give both the same number")
        if batch_size < 1:
            raise ValueError(f"the batch size is {batch_size}; a batch has one sample or more")
        self.x, self.y, self.batch_size = x, y, batch_size
        self.rng = np.random.default_rng(seed)
        self.in_an_epoch = -(-len(x) // batch_size)  # rounded up
        self.epoch = self.batch = 0
        self._draw()

    def _draw(self):
        self.before = self.rng.bit_generator.state  # from it the same order can be drawn again
        self.order = self.rng.permutation(len(self.x))

    def next(self):
        """The next batch: (x, y)."""
        rows = self.order[self.batch * self.batch_size : (self.batch + 1) * self.batch_size]
        self.batch += 1
        if self.batch == self.in_an_epoch:
            self.epoch, self.batch = self.epoch + 1, 0
            self._draw()
        return self.x[rows], self.y[rows]

    @property
    def position(self):
        """Where the next batch stands, as a dictionary that JSON can hold."""
        return {"epoch": self.epoch, "batch": self.batch, "random_state": self.before, "samples": len(self.x)}

    def go_to(self, position):
        """Go on from a `position` that batches of the same data and batch size once had."""
        if position["samples"] != len(self.x) or not 0 <= position["batch"] < self.in_an_epoch:
            raise CheckpointError(
                f"the position is batch {position['batch']} of {position['samples']} samples, and these data have "
                f"{len(self.x)} samples in {self.in_an_epoch} batches; take the data and batch size of that training"
            )
        self.rng.bit_generator.state = position["random_state"]
        self._draw()
        self.epoch, self.batch = position["epoch"], position["batch"]


def save_checkpoint(path, model, optimizer, **more):
    """Write all that a training needs to go on: the file is there whole, or the old one is as it was.

    It holds the variables of `model` (weights, averages of normalization, random seeds of dropout) and of `optimizer`
    (momenta, the number of its steps, from which a schedule takes its rate), and `more`: what JSON can hold.
    """
    arrays = {f"variable_{i}": _values(one) for i, one in enumerate(_variables(model, optimizer))}
    about = {"optimizer": type(optimizer).__name__, "more": more}
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)
    file = io.BytesIO()
    np.savez(file, **arrays)
    write_whole(path, file.getvalue())


def load_checkpoint(path, model, optimizer):
    """Put the values of a checkpoint into `model` and `optimizer`, both built, and return what was saved as `more`.

    Raises `CheckpointError`, and changes nothing, where the file is cut or altered, or belongs to another model.
    """
    path = Path(path)
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        about = json.loads(arrays.pop("about").tobytes())
        saved = [arrays[f"variable_{i}"] for i in range(len(arrays))]
        name, more = about["optimizer"], about["more"]
    except FileNotFoundError:
        raise CheckpointError(f"there is no checkpoint {path.name} here; start from the beginning") from None
    except (zipfile.BadZipFile, ValueError, KeyError, EOFError, TypeError, AttributeError, OSError) as error:
        raise CheckpointError(f"{path.name} is cut or altered and was not read; take an earlier checkpoint") from error
    if name != type(optimizer).__name__:
        raise CheckpointError(f"{path.name} was made with the optimizer {name}, not {type(optimizer).__name__}")
    variables = _variables(model, optimizer)
    if len(saved) != len(variables):
        raise CheckpointError(
            f"{path.name} belongs to another model: it has {len(saved)} variables, this one has {len(variables)}"
        )
    for value, variable in zip(saved, variables, strict=True):
        if value.shape != tuple(variable.shape) or str(value.dtype) != _dtype(variable):
            raise CheckpointError(
                f"{path.name} belongs to another model: it has {value.dtype} of shape {value.shape} where this one has "
                f"{_dtype(variable)} of shape {tuple(variable.shape)} ({variable.name})"
            )
    for value, variable in zip(saved, variables, strict=True):
        variable.assign(value)
    return more


def _variables(model, optimizer):
    return [*model.variables, *optimizer.variables]


def _values(variable):
    import keras

    return keras.ops.convert_to_numpy(variable)


def _dtype(variable):
    return str(_values(variable).dtype)


def clip_by_global_norm(gradients, limit):
    """All gradients, times the one factor that brings their common length down to `limit`; as they are if shorter.

    gradients: arrays of any shapes; limit: above 0. Returns (list of arrays, the length that they had) (Pascanu and
    others, 2013).
    """
    if not limit > 0:
        raise ValueError(f"the limit is {limit}; a length above 0 is needed, or all gradients would be lost")
    gradients = [as_array(gradient) for gradient in gradients]
    length = float(np.sqrt(sum((gradient.astype(float) ** 2).sum() for gradient in gradients)))
    factor = min(1.0, limit / length) if length else 1.0
    return [gradient * np.asarray(factor, gradient.dtype) for gradient in gradients], length


def seconds_a_step(run, steps, repeats=3):
    """The least time of `repeats` calls of `run`, a training of so many steps, divided by the steps: in seconds.

    The least, because other programs can only slow a run down. Call `run` once before, where it compiles something.
    """
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times) / steps


def peak_memory():
    """The most memory that this process has had at once, in bytes, with all libraries that it has loaded."""
    status = Path("/proc/self/status")
    if status.is_file():  # Linux, where the call below may answer for the process that started this one
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return 1024 * int(line.split()[1])
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return psutil.Process().memory_info().peak_wset
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS


def loss_of_each_step():
    """A Keras callback that keeps in `losses` the loss of each step of a fit, where fit's logs have the mean so far."""
    import keras

    class LossOfEachStep(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.losses = []

        def on_train_batch_begin(self, batch, logs=None):
            self.model.reset_metrics()  # or the loss would be a mean over the epoch so far

        def on_train_batch_end(self, batch, logs=None):
            self.losses.append(float(logs["loss"]))

    return LossOfEachStep()


# --- trainings in a process of their own ------------------------------------------------------------------------------
def start_script(file, *arguments):
    """Start a Python file in a process of its own, with this coursekit; returns its `subprocess.Popen`.

    What it prints comes through the process's `stdout`, line by line; what it says on stderr is kept in the file's name
    with .log at its end.
    """
    package = str(Path(__file__).resolve().parents[2])
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # PyTorch's threads sleep while they wait (session.py)
    environment["NVIDIA_TF32_OVERRIDE"] = "0"  # GPUs: all digits of float32, for losses are compared
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    with open(f"{file}.log", "w", encoding="utf-8") as log:
        return subprocess.Popen(
            [sys.executable, file, *arguments], stdout=subprocess.PIPE, stderr=log, text=True, env=environment
        )


def run_script(file, package):
    """What a script with `report` in it reports, as a dictionary; None, and a sentence, where `package` is missing.

    Raises RuntimeError, with the end of what the script said, where it fails.
    """
    if find_spec(package) is None:
        how = "make env TORCH=1" if package == "torch" else "make env"
        print(f"{file} was not run: {package} is not installed here; `{how}` brings it.")
        return None
    process = start_script(file)
    output, _ = process.communicate()
    if process.returncode:
        end = Path(f"{file}.log").read_text(encoding="utf-8")[-1500:]
        raise RuntimeError(f"{file} ended with code {process.returncode}; its last words: {end}")
    return json.loads(output.splitlines()[-1])


def report(run):
    """Run a training twice or more and print, for `run_script`, its losses, its seconds a step and its memory.

    run: a function that trains from its own start and returns the loss of each step, a list of numbers.
    """
    losses = run()  # the first time compiles
    seconds = seconds_a_step(run, len(losses))
    print(json.dumps({"losses": losses, "seconds": seconds, "memory": peak_memory()}))


def lines_of(*sources):
    """How many lines stand in the functions and classes of these sources, without blank ones and comments.

    sources: texts, functions or classes.
    """
    count = 0
    for source in sources:
        text = source if isinstance(source, str) else textwrap.dedent(inspect.getsource(source))
        lines = text.splitlines()
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                inside = [line.strip() for line in lines[first - 1 : node.end_lineno]]
                count += sum(bool(line) and not line.startswith("#") for line in inside)
    return count
