"""The session a notebook runs in: setup(), scale(), precision().

`setup` chooses the Keras backend, seeds every source of random numbers, silences the frameworks' start-up noise and
says in one line what the notebook is running on. Environment variables that it reads:

    KERAS_BACKEND       tensorflow (the default), jax or torch
    COURSEKIT_PROFILE   quick or full; without it, full where there is a GPU and quick elsewhere
    COURSEKIT_SEED      a whole number, 0 by default

Born in notebook 00.
"""

import contextlib
import dataclasses
import importlib
import importlib.metadata
import importlib.util
import os
import platform
import sys
import time
from dataclasses import dataclass

from coursekit import records
from coursekit.console import quiet
from coursekit.errors import SetupError

BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
_PACKAGE_OF = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}
PROFILES = ("quick", "full")
# The oldest and the newest versions that the course is tested with: tests/colab/older.txt and constraints.txt.
TESTED = {
    "python": ("3.11", "3.13"),
    "keras": ("3.10", "3.15"),
    "numpy": ("2.1", "2.5"),
    "tensorflow": ("2.19", "2.21"),
    "jax": ("0.5", "0.12"),
}


@dataclass(frozen=True)
class Session:
    """What `setup` found and chose."""

    notebook: str
    profile: str
    backend: str
    device: str
    accelerated: bool
    seed: int
    chosen: bool = False  # whether the profile was asked for, by COURSEKIT_PROFILE

    def __str__(self):
        versions = f"{BACKENDS[self.backend]} {_version(self.backend)}, Keras {_version('keras')}"
        python = platform.python_version()
        where = f"profile {self.profile} on {self.device}"
        return f"{self.notebook}: {where}, {versions}, Python {python}, seed {self.seed}"


current = None  # the Session that setup() made


def setup(notebook, *, seed=None):
    """Prepare the kernel for `notebook` (its name, such as "01_tensors") and return a NumPy random generator.

    Call it before Keras is imported: the backend can't be changed afterwards. Prints one line, and a note each where a
    package is newer than the course was tested with, where Keras's settings file asked for other numbers or axes than
    the course's, and where MPLBACKEND would have shown no figures. Raises `SetupError`, with what to do, if a package
    is too old, if a file beside the notebook hides a package, or if the environment asks for a backend, profile or
    seed that can't be had.
    """
    global current
    start = time.perf_counter()
    _refuse_the_strangers_package()
    _refuse_files_that_hide_packages()
    backend = _choose_backend()
    notes = [_compare_with_tested(backend)]
    for growth, value in _MEMORY_GROWTH.items():
        os.environ.setdefault(growth, value)
    profile = _from_environment("COURSEKIT_PROFILE", None, PROFILES)
    seed = _choose_seed(seed)
    with quiet():
        keras = _import_keras()
        notes.append(_settle_keras(keras, backend))
        device, accelerated = _DEVICE_OF[backend]()
        keras.utils.set_random_seed(seed)  # Python's random, NumPy's global generator, Keras and the backend
        keras.ops.add(1.0, 1.0)  # the first operation writes the rest of the start-up noise
    chosen, profile = profile is not None, profile or ("full" if accelerated else "quick")
    current = Session(notebook, profile, backend, device, accelerated, seed, chosen)
    notes.append(_show_figures_in_the_page())
    _use_course_style()
    records.note("setup", device=device, seconds=round(time.perf_counter() - start, 2))
    print(current)
    for note in filter(None, notes):
        print(note)

    import numpy as np

    return np.random.default_rng(seed)


def scale(*, quick, full):
    """The value for the profile in force: `quick` on two cores with bundled data, `full` on a GPU."""
    profile = current.profile if current else _from_environment("COURSEKIT_PROFILE", None, PROFILES)
    if profile is None:
        raise SetupError('call ck.setup("...") first: it finds out whether this machine runs `quick` or `full`')
    return quick if profile == "quick" else full


def precision():
    """The Keras dtype policy that trains a large network fast here, to be given to its layers or set for all.

    "float32" at `quick` and without a GPU. At `full` with one: "mixed_bfloat16" where the GPU computes in it, and
    "mixed_float16" on older ones. `setup` itself leaves float32: most claims compare numbers, and a network of a few
    thousand weights gains nothing.
    """
    if scale(quick=True, full=False) or current is None or not current.accelerated:
        return "float32"
    return "mixed_bfloat16" if _HAS_BFLOAT16[current.backend]() else "mixed_float16"


def step_down():
    """Go on at `quick`, where `full` was taken by default and its data can't be had; whether that was possible."""
    global current
    if current is None or current.chosen or current.profile != "full":
        return False
    current = dataclasses.replace(current, profile="quick")
    return True


def _from_environment(variable, default, allowed):
    value = os.environ.get(variable) or default
    if value is not None and value not in allowed:
        raise SetupError(f"{variable} is {value!r}; set it to {' or '.join(allowed)}, or unset it")
    return value


def _choose_seed(seed):
    text = os.environ.get("COURSEKIT_SEED") or "0" if seed is None else str(seed)
    if not text.isdecimal() or int(text) >= 2**32:
        raise SetupError(f"the seed is {text!r}; set COURSEKIT_SEED to a whole number below 2**32, or unset it")
    return int(text)


def _choose_backend():
    """Set KERAS_BACKEND and return it; refuse an unknown one, a missing one and a change in a running kernel."""
    backend = _from_environment("KERAS_BACKEND", "tensorflow", tuple(BACKENDS))
    if importlib.util.find_spec(_PACKAGE_OF[backend]) is None:
        raise SetupError(
            f"the backend {backend} is not installed here: install it with `{_how_to_install(backend)}` and restart "
            "the kernel, or unset KERAS_BACKEND"
        )
    if "keras" in sys.modules and sys.modules["keras"].backend.backend() != backend:
        raise SetupError(
            f"Keras already runs on {sys.modules['keras'].backend.backend()} in this kernel and can't change to "
            f"{backend}: restart the kernel, and run the setup cell before anything else imports Keras"
        )
    os.environ["KERAS_BACKEND"] = backend
    for variable, value in _QUIET_THREADS.get(backend, {}).items():
        os.environ.setdefault(variable, value)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    return backend


# PyTorch shares each operation among OpenMP's threads, and a thread that has done its part keeps its core busy while it
# waits for the others. Where a browser or a second notebook wants that core too, the waiting thread holds up the one it
# waits for, and a step of a small network took five to ten times as long. Threads that sleep while they wait cost next
# to nothing. OpenMP reads this when PyTorch is loaded, and never again.
_QUIET_THREADS = {"torch": {"OMP_WAIT_POLICY": "PASSIVE"}}


def _compare_with_tested(backend):
    """A sentence about what is newer than tested, or None; `SetupError` about what is too old."""
    too_old, too_new = [], []
    for name in ("python", "keras", "numpy", backend):
        if name not in TESTED:
            continue
        version = platform.python_version() if name == "python" else _version(name)
        oldest, newest = TESTED[name]
        called = {**BACKENDS, "numpy": "NumPy"}.get(name, name.capitalize())
        if _minor(version) < _minor(oldest):
            too_old.append(f"{called} {version} (needed: {oldest} or newer)")
        elif _minor(version) > _minor(newest):
            too_new.append(f"{called} {version} (tested: up to {newest})")
    if too_old:
        raise SetupError(f"too old for this course: {', '.join(too_old)}; {_how_to_renew()}")
    return f"note: newer than tested: {', '.join(too_new)}; if a cell fails, {_how_to_renew()}" if too_new else None


def _minor(version):
    """(3, 10) of "3.10.1"."""
    return tuple(int(part) for part in version.split(".")[:2])


def _how_to_renew():
    if "google.colab" in sys.modules:
        return "choose another runtime version in *Runtime → Change runtime type*, and run this cell again"
    return "`make env` in the course's folder brings the tested versions"


def _how_to_install(backend):
    return "make env TORCH=1" if backend == "torch" else "make env"


def _refuse_the_strangers_package():
    """A package of another project is published as `coursekit`; its files can lie among ours."""
    try:
        stranger = importlib.metadata.version("coursekit")
    except importlib.metadata.PackageNotFoundError:
        return
    raise SetupError(
        f"a package of another project, coursekit {stranger}, is installed beside this course's coursekit-notebooks. "
        "Remove it with `pip uninstall coursekit`, then install the course again (`pip install -e .`)"
    )


# What the course imports; a file of one of these names beside a notebook is found before the package.
_IMPORTED = (
    *("constriction", "jax", "keras", "keras_tuner", "matplotlib", "mlxtend", "numpy", "optuna", "pandas", "PIL"),
    *("pooch", "requests", "rich", "scipy", "skimage", "sklearn", "statsmodels", "tensorflow", "tf_keras", "torch"),
    "tqdm",
)


def _refuse_files_that_hide_packages():
    """A file such as keras.py in the notebook's folder is imported in the place of the package of that name."""
    if not any(os.path.abspath(folder or ".") == os.getcwd() for folder in sys.path):
        return
    for name in _IMPORTED:
        for file in (f"{name}.py", f"{name}/__init__.py"):
            if os.path.isfile(file):
                raise SetupError(
                    f"the file {file} beside this notebook hides the package {name}: rename it, restart the kernel, "
                    "and run this cell again"
                )


# ~/.keras/keras.json, which Keras writes once and reads ever after, can hold what another project set.
_KERAS_SETTINGS = {"floatx": "float32", "image_data_format": "channels_last", "epsilon": 1e-7}


def _keras_json():
    """The name of Keras's settings file, as one would type it."""
    return "$KERAS_HOME/keras.json" if os.environ.get("KERAS_HOME") else "~/.keras/keras.json"


def _import_keras():
    """The package keras. Raises `SetupError` if Keras refuses what stands in its settings file."""
    try:
        import keras
    except ValueError as error:
        if "configuration" not in str(error):
            raise
        raise SetupError(
            f"Keras refuses its settings file ({error}): correct or delete {_keras_json()}, restart the kernel, and "
            "run this cell again"
        ) from None
    return keras


def _settle_keras(keras, backend):
    """Give Keras the course's number type and order of axes; a sentence about what it had from its file, or None."""
    found = {name: getattr(keras.backend, name)() for name in _KERAS_SETTINGS}
    others = [name for name, ours in _KERAS_SETTINGS.items() if found[name] != ours]
    if not others:
        return None
    libraries = [keras]
    if backend == "tensorflow" and importlib.util.find_spec("tf_keras"):
        libraries.append(importlib.import_module("tf_keras"))  # Keras 2 reads the same file
    for library in libraries:
        for name in others:
            getattr(library.backend, f"set_{name}")(_KERAS_SETTINGS[name])
    keras.config.set_dtype_policy(_KERAS_SETTINGS["floatx"])
    said = ", ".join(f"{name} {found[name]}" for name in others)
    ours = ", ".join(str(_KERAS_SETTINGS[name]) for name in others)
    return f"note: {_keras_json()} or a cell set Keras's {said}; from here on it is {ours}, as the course needs it"


_INLINE = "module://matplotlib_inline.backend_inline"  # what a kernel sets where nobody set anything
_IN_THE_PAGE = ("module://", "inline", "ipympl", "nbagg", "notebook", "widget")  # how such a backend's name begins


def _show_figures_in_the_page():
    """In a notebook, pass over an MPLBACKEND that shows no figure there; a sentence about it, or None."""
    asked = os.environ.get("MPLBACKEND", "")
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if not asked or asked.lower().startswith(_IN_THE_PAGE) or not hasattr(shell, "kernel"):
        return None
    os.environ["MPLBACKEND"] = _INLINE
    shell.run_line_magic("matplotlib", "inline")
    return f"note: MPLBACKEND is {asked}, which shows no figure in a notebook; figures appear in the page all the same"


def _cpu():
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"CPU ({cores} core{'s' if cores != 1 else ''})"


# A framework takes all of a GPU's memory by default, and leaves none to another one in the same notebook.
_MEMORY_GROWTH = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


def _offer_dlpack(tensor, to_dlpack):
    """Give tensors of TensorFlow up to 2.19 the half of DLPack's agreement by which other libraries take them over."""
    if not hasattr(tensor, "__dlpack__"):
        tensor.__dlpack__ = lambda self, **_: to_dlpack(self)
        tensor.__dlpack_device__ = lambda self: (2 if "GPU" in self.device else 1, 0)  # DLPack's numbers of devices


def _tensorflow_device():
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        with contextlib.suppress(RuntimeError):  # too late: the GPU is already in use in this kernel
            tf.config.experimental.set_memory_growth(gpu, True)
    _offer_dlpack(type(tf.constant(0)), tf.experimental.dlpack.to_dlpack)
    if not gpus:
        return _cpu(), False
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU"), True


def _jax_device():
    import jax

    device = jax.devices()[0]
    return (_cpu(), False) if device.platform == "cpu" else (device.device_kind, True)


def _torch_device():
    import torch

    return (torch.cuda.get_device_name(0), True) if torch.cuda.is_available() else (_cpu(), False)


_DEVICE_OF = {"tensorflow": _tensorflow_device, "jax": _jax_device, "torch": _torch_device}


def _tensorflow_bfloat16():
    import tensorflow as tf

    details = tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[0])
    return details.get("compute_capability", (0, 0)) >= (8, 0)


def _jax_bfloat16():
    import jax

    device = jax.devices()[0]
    return device.platform == "tpu" or float(getattr(device, "compute_capability", 0)) >= 8


def _torch_bfloat16():
    import torch

    return torch.cuda.get_device_capability(0) >= (8, 0)


_HAS_BFLOAT16 = {"tensorflow": _tensorflow_bfloat16, "jax": _jax_bfloat16, "torch": _torch_bfloat16}


def _version(package):
    return importlib.metadata.version(_PACKAGE_OF.get(package, package))


def _use_course_style():
    from coursekit.plots import style

    style.use()
