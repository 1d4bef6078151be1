"""setup(), scale(), quiet() and progress(): what a notebook's first cell does, in processes of their own."""

import json
import os
import re
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

START = "import coursekit as ck; rng = ck.setup('01_tensors')"


def session(code, cwd=None, **environment):
    """Run code in a fresh interpreter with only these variables of ours set."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("COURSEKIT_") and k != "KERAS_BACKEND"}
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, env=env | environment)


@pytest.fixture(scope="module")
def plain():
    code = f"{START}; import random, numpy, keras; print(rng.random(), random.random(), numpy.random.rand())"
    return session(
        f"{code}; print(keras.random.uniform(()).numpy()); import tensorflow as tf; tf.reduce_sum(tf.ones(3))"
    )


def test_setup_prints_one_line_and_nothing_on_stderr(plain):
    first, *rest = plain.stdout.splitlines()
    assert first.startswith("01_tensors: profile quick on CPU (")
    assert "TensorFlow 2." in first and "Keras 3." in first and first.endswith("seed 0")
    assert len(rest) == 2 and plain.stderr == "" and plain.returncode == 0


def test_the_same_seed_gives_the_same_numbers_and_another_gives_others(plain):
    code = f"{START}; import random, numpy, keras; print(rng.random(), random.random(), numpy.random.rand())"
    same = session(code, COURSEKIT_SEED="0").stdout.splitlines()[1]
    other = session(code, COURSEKIT_SEED="7").stdout.splitlines()[1]
    assert same == plain.stdout.splitlines()[1] != other


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_the_backend_is_the_one_asked_for(backend):
    if backend == "torch":
        pytest.importorskip("torch", reason="the extra torch is not installed (make env TORCH=1)")
    done = session(f"{START}; import keras; print(keras.backend.backend())", KERAS_BACKEND=backend)
    assert done.stdout.splitlines()[-1] == backend and done.stderr == ""


@pytest.mark.skipif(sys.platform != "linux", reason="only GCC's OpenMP says how long it spins")
def test_the_threads_of_pytorch_sleep_while_they_wait():
    """On a busy machine, threads that spin while they wait made PyTorch five to ten times slower."""
    pytest.importorskip("torch", reason="the extra torch is not installed (make env TORCH=1)")
    code = "from coursekit import session; session._choose_backend(); import torch"
    done = session(code, KERAS_BACKEND="torch", OMP_DISPLAY_ENV="VERBOSE")
    assert re.findall(r"GOMP_SPINCOUNT = '(\d+)'", done.stderr) == ["0"], done.stderr


@pytest.mark.parametrize(
    "backend, chosen, policy", [("torch", None, "PASSIVE"), ("torch", "ACTIVE", "ACTIVE"), ("tensorflow", None, None)]
)
def test_how_threads_wait_is_chosen_for_pytorch_alone_and_only_where_nobody_chose(monkeypatch, backend, chosen, policy):
    from coursekit import session

    environment = {"KERAS_BACKEND": backend} | ({"OMP_WAIT_POLICY": chosen} if chosen else {})
    monkeypatch.setattr(session.os, "environ", environment)
    monkeypatch.setattr(session.importlib.util, "find_spec", lambda name: name)
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    assert session._choose_backend() == backend
    assert environment.get("OMP_WAIT_POLICY") == policy


@pytest.mark.parametrize(
    "variable, value, says",
    [
        ("KERAS_BACKEND", "tensrflow", "tensorflow or jax or torch"),
        ("COURSEKIT_PROFILE", "fast", "quick or full"),
        ("COURSEKIT_SEED", "-1", "whole number"),
        ("COURSEKIT_SEED", "one", "whole number"),
        ("COURSEKIT_SEED", str(2**32), "whole number"),
    ],
)
def test_what_cannot_be_had_is_refused_in_a_sentence(variable, value, says):
    done = session(START, **{variable: value})
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1 and last.startswith("coursekit.errors.SetupError") and value in last and says in last


def test_a_missing_backend_is_refused_with_how_to_install_it():
    hide = "import importlib.util as u; find = u.find_spec"
    hide += "; u.find_spec = lambda name: None if name == 'jax' else find(name)"
    last = session(f"{hide}; {START}", KERAS_BACKEND="jax").stderr.strip().splitlines()[-1]
    assert "jax is not installed here" in last and "make env" in last


def test_a_running_keras_cannot_change_its_backend():
    code = f"import os, keras; os.environ['KERAS_BACKEND'] = 'tensorflow'; {START}"
    last = session(code, KERAS_BACKEND="jax").stderr.strip().splitlines()[-1]
    assert "restart the kernel" in last


def test_a_strangers_coursekit_beside_ours_is_recognized(tmp_path):
    metadata = tmp_path / "coursekit-0.4.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: coursekit\nVersion: 0.4\n")
    last = session(START, PYTHONPATH=str(tmp_path)).stderr.strip().splitlines()[-1]
    assert "another project, coursekit 0.4" in last and "pip uninstall coursekit" in last


def test_scale_follows_the_profile():
    code = "import coursekit as ck; print(ck.scale(quick=3, full=15))"
    assert session(code, COURSEKIT_PROFILE="quick").stdout == "3\n"
    assert session(code, COURSEKIT_PROFILE="full").stdout == "15\n"
    assert "call ck.setup" in session(code).stderr


def test_quiet_holds_back_what_compiled_code_writes_and_shows_it_when_the_block_fails(capfd):
    import coursekit as ck

    with ck.quiet():
        os.write(2, b"chatter\n")
    assert capfd.readouterr().err == ""
    with pytest.raises(ValueError, match="broken"), ck.quiet():
        os.write(2, b"the reason\n")
        raise ValueError("broken")
    assert "the reason" in capfd.readouterr().err
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"


def test_progress_counts_loops_and_fits_and_clears_itself(capsys, monkeypatch):
    import keras
    import numpy as np

    import coursekit as ck

    monkeypatch.delenv("COURSEKIT_PROGRESS", raising=False)
    assert list(ck.progress(range(3), "counting")) == [0, 1, 2]
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    with ck.progress(2, "training") as bar:
        model.fit(np.zeros((4, 2)), np.zeros(4), epochs=2, verbose=0, callbacks=[bar.callback()])
        assert bar.n == 2
    shown = capsys.readouterr().out
    assert "counting" in shown and "training" in shown
    assert shown.split("\r")[-1].strip() == ""  # the last thing written wipes the line
    monkeypatch.setenv("COURSEKIT_PROGRESS", "off")
    assert list(ck.progress(range(3), "silent")) == [0, 1, 2]
    assert capsys.readouterr().out == ""


# --- what others left behind: settings, files, variables --------------------------------------------------------------
def keras_home(folder, **settings):
    """A folder whose keras.json says this."""
    (folder / "keras.json").write_text(json.dumps({"floatx": "float32", "epsilon": 1e-7} | settings))
    return str(folder)


def test_keras_gets_the_courses_numbers_and_axes_whatever_its_settings_file_says(tmp_path):
    home = keras_home(tmp_path, floatx="float64", epsilon=1e-5, image_data_format="channels_first")
    code = f"{START}; import keras, tf_keras"
    code += "\nfor api in (keras, tf_keras):"
    code += "\n    print(api.backend.floatx(), api.backend.epsilon(), api.backend.image_data_format())"
    code += "\nlayer = keras.layers.Conv2D(2, 3)"
    code += "\nprint(layer.data_format, layer.compute_dtype, keras.ops.ones(1).dtype.name)"
    done = session(code, KERAS_HOME=home)
    assert done.returncode == 0, done.stderr
    first, note, *values = done.stdout.splitlines()
    assert first.startswith("01_tensors: ") and "\n" not in note and home not in note
    assert note.startswith("note: $KERAS_HOME/keras.json or a cell set Keras's floatx float64, image_data_format")
    assert values == ["float32 1e-07 channels_last"] * 2 + ["channels_last float32 float32"]


def test_a_settings_file_that_keras_refuses_is_named(tmp_path):
    done = session(START, KERAS_HOME=keras_home(tmp_path, image_data_format="tf"), KERAS_BACKEND="jax")
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("coursekit.errors.SetupError") and "$KERAS_HOME/keras.json" in last and "tf" in last


def test_settings_that_are_the_courses_need_no_word(monkeypatch):
    from coursekit import session

    class Keras:
        class backend:
            floatx = staticmethod(lambda: "float32")
            image_data_format = staticmethod(lambda: "channels_last")
            epsilon = staticmethod(lambda: 1e-7)

    assert session._settle_keras(Keras, "jax") is None


@pytest.mark.parametrize("file", ["keras.py", "numpy.py", "matplotlib/__init__.py"])
def test_a_file_that_hides_a_package_is_named(tmp_path, file):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("x = 1\n")
    last = session(START, cwd=tmp_path).stderr.strip().splitlines()[-1]
    package = file.removesuffix("/__init__.py").removesuffix(".py")
    assert f"the file {file} beside this notebook hides the package {package}: rename it" in last


def test_a_file_of_another_name_or_out_of_reach_hides_nothing(tmp_path, monkeypatch):
    from coursekit import session

    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_keras.py").touch()
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    session._refuse_files_that_hide_packages()
    (tmp_path / "keras.py").touch()
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder])
    session._refuse_files_that_hide_packages()


def in_a_kernel(*cells, **environment):
    """The outputs of each cell, executed in a real kernel."""
    cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    client = NotebookClient(nbformat.v4.new_notebook(cells=cells), kernel_name="python3", timeout=300)
    client.allow_errors = True
    client.coalesce_streams = True  # a busy kernel sends a line and its end in two messages
    client.execute(env=os.environ | environment)
    return [cell.outputs for cell in cells]


def test_figures_appear_whatever_mplbackend_says():
    tell = "from coursekit import session; print(session._show_figures_in_the_page())"
    draw = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()"
    (said,), (figure,), (again,) = in_a_kernel(tell, draw, tell, MPLBACKEND="agg")
    assert said.text.startswith("note: MPLBACKEND is agg") and "image/png" in figure.data and again.text == "None\n"


@pytest.mark.parametrize("value", ["", "module://matplotlib_inline.backend_inline", "widget", "nbAgg"])
def test_a_backend_that_shows_figures_is_left_alone(monkeypatch, value):
    from coursekit import session

    monkeypatch.setenv("MPLBACKEND", value)
    monkeypatch.setitem(sys.modules, "IPython", type("IPython", (), {"get_ipython": lambda: NotImplemented}))
    assert session._show_figures_in_the_page() is None and os.environ["MPLBACKEND"] == value


def test_outside_of_a_notebook_mplbackend_is_left_alone(monkeypatch):
    from coursekit import session

    monkeypatch.setenv("MPLBACKEND", "agg")
    assert session._show_figures_in_the_page() is None and os.environ["MPLBACKEND"] == "agg"


def test_the_box_of_a_failed_claim_shows_the_readers_lines_and_none_of_ours():
    cell = "from coursekit import claim\ndef step():\n    claim('two is three', 2 == 3, 'no')\nstep()"
    ((box,),) = in_a_kernel(cell)
    assert (box.ename, box.evalue) == ("ClaimFailed", "this does not hold: two is three (no)")
    lines = ["line 4: step()", "line 3: claim('two is three', 2 == 3, 'no')", ""]
    assert "\n".join(box.traceback).splitlines() == [*lines, "ClaimFailed: this does not hold: two is three (no)"]


# --- supported ranges -------------------------------------------------------------------------------------------------
@pytest.fixture
def installed(monkeypatch):
    """installed(keras="3.9.0") makes `setup` see these versions, and tested ones else."""
    from coursekit import session

    def install(**versions):
        seen = {name: f"{newest}.0" for name, (_, newest) in session.TESTED.items()} | versions
        monkeypatch.setattr(session, "_version", seen.__getitem__)
        monkeypatch.setattr(session.platform, "python_version", lambda: seen["python"])
        return session

    return install


@pytest.mark.parametrize(
    "name, old, called",
    [
        ("keras", "3.9.2", "Keras 3.9.2 (needed: 3.10 or newer)"),
        ("keras", "2.15.0", "Keras 2.15.0"),
        ("tensorflow", "2.18.1", "TensorFlow 2.18.1 (needed: 2.19 or newer)"),
        ("numpy", "1.26.4", "NumPy 1.26.4 (needed: 2.1 or newer)"),
        ("python", "3.10.14", "Python 3.10.14 (needed: 3.11 or newer)"),
    ],
)
def test_what_is_too_old_is_refused_with_what_to_do(installed, monkeypatch, name, old, called):
    from coursekit.errors import SetupError

    session = installed(**{name: old})
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    with pytest.raises(SetupError, match="too old for this course") as refused:
        session._compare_with_tested("tensorflow")
    assert called in str(refused.value) and "`make env`" in str(refused.value) and "\n" not in str(refused.value)
    monkeypatch.setitem(sys.modules, "google.colab", sys)
    with pytest.raises(SetupError, match="Change runtime type"):
        session._compare_with_tested("tensorflow")


@pytest.mark.parametrize(
    "name, new, called",
    [
        ("keras", "3.99.0", "Keras 3.99.0 (tested: up to 3."),
        ("tensorflow", "2.99.0rc1", "TensorFlow 2.99.0rc1"),
        ("numpy", "3.0.0", "NumPy 3.0.0"),
        ("python", "3.14.0", "Python 3.14.0 (tested: up to 3.13)"),
    ],
)
def test_what_is_newer_than_tested_is_said_in_one_sentence(installed, name, new, called):
    said = installed(**{name: new})._compare_with_tested("tensorflow")
    assert said.startswith("note: newer than tested: ") and called in said and "make env" in said and "\n" not in said


def test_nothing_is_said_within_the_ranges_and_a_backend_that_is_not_used_does_not_count(installed):
    session = installed()
    assert session._compare_with_tested("tensorflow") is None
    assert session._compare_with_tested("jax") is None
    oldest = {name: f"{oldest}.0" for name, (oldest, _) in session.TESTED.items()}
    assert installed(**oldest)._compare_with_tested("tensorflow") is None
    assert installed(jax="0.4.0")._compare_with_tested("tensorflow") is None


def test_setup_stops_at_an_old_keras_and_goes_on_with_a_new_one(tmp_path):
    def with_keras(version):
        folder = tmp_path / version
        (folder / f"keras-{version}.dist-info").mkdir(parents=True)
        (folder / f"keras-{version}.dist-info" / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: keras\nVersion: {version}\n"
        )
        return session(START, PYTHONPATH=str(folder))

    old, new = with_keras("3.9.0"), with_keras("3.99.0")
    assert "too old for this course: Keras 3.9.0" in old.stderr.strip().splitlines()[-1] and old.stdout == ""
    first, second = new.stdout.splitlines()
    assert "Keras 3.99.0" in first and second.startswith("note: newer than tested: Keras 3.99.0")
    assert new.returncode == 0 and new.stderr == ""


# --- a GPU, played by stand-ins ---------------------------------------------------------------------------------------
TESLA = """
import tensorflow as tf

grown, config = [], tf.config
config.list_physical_devices = lambda kind=None: [config.PhysicalDevice("/physical_device:GPU:0", "GPU")]
config.experimental.get_device_details = lambda gpu: {"device_name": "Tesla T4", "compute_capability": (7, 5)}
config.experimental.set_memory_growth = lambda gpu, on: grown.append(on)
"""
NOWHERE = "http://127.0.0.1:9/"


@pytest.fixture(scope="module")
def tesla(tmp_path_factory):
    """The lines of a session on a GPU: its own, memory, sizes; then of a data set that can't be had, and the rest."""
    code = f"{TESLA}\n{START}\nimport os, keras, coursekit.datasets.published as published"
    code += "\nprint(grown, os.environ['TF_FORCE_GPU_ALLOW_GROWTH'], os.environ['XLA_PYTHON_CLIENT_PREALLOCATE'])"
    code += "\nprint(ck.scale(quick=3, full=15), ck.precision(), keras.config.dtype_policy().name)"
    code += f"\npublished.BASE = {NOWHERE!r}\ndata = ck.load(ck.scale(quick='digits28', full='mnist'))"
    code += "\nprint(data.card.name, len(data.x_train), ck.scale(quick=3, full=15), ck.precision())"
    empty = str(tmp_path_factory.mktemp("empty"))
    places = {"XDG_CACHE_HOME": empty, "KERAS_HOME": empty, "NO_PROXY": "127.0.0.1"}
    done = session(code, COURSEKIT_PROGRESS="off", **places)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_gpu_brings_full_its_name_memory_growth_and_mixed_precision(tesla):
    line, memory, sizes, *_ = tesla
    assert line.startswith("01_tensors: profile full on Tesla T4, TensorFlow ")
    assert memory == "[True] true false" and sizes == "15 mixed_float16 float32"


def test_a_gpu_without_data_or_network_goes_on_with_what_is_bundled_and_says_so(tesla):
    said, then = tesla[3:]
    assert said.startswith("mnist can't be had here (127.0.0.1 cannot be reached") and "digits28" in said
    assert "goes on at `quick`" in said and then == "digits28 1437 3 float32"


@pytest.mark.parametrize("profile, chosen", [("full", True), ("quick", True), ("quick", False)])
def test_a_profile_that_was_asked_for_is_not_changed_for_want_of_data(monkeypatch, tmp_path, profile, chosen):
    from coursekit import load, session
    from coursekit.datasets import published
    from coursekit.errors import DataUnavailable

    for name, value in {"XDG_CACHE_HOME": str(tmp_path), "KERAS_HOME": str(tmp_path), "NO_PROXY": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("COURSEKIT_DATA", raising=False)
    monkeypatch.setattr(published, "BASE", NOWHERE)
    asked = session.Session("01_tensors", profile, "tensorflow", "Tesla T4", True, 0, chosen)
    monkeypatch.setattr(session, "current", asked)
    with pytest.raises(DataUnavailable, match='Use load\\("digits28"\\), which is bundled'):
        load("mnist")
    assert session.current == asked


class Jax:
    def __init__(self, platform, **facts):
        self.device = type("Device", (), {"platform": platform, "device_kind": "NVIDIA L4", **facts})

    def devices(self):
        return [self.device]


class Torch:
    def __init__(self, capability):
        self.capability = capability
        self.cuda = self

    def is_available(self):
        return self.capability is not None

    def get_device_name(self, index):
        return "NVIDIA L4"

    def get_device_capability(self, index):
        return self.capability


@pytest.mark.parametrize(
    "backend, library, accelerated, policy",
    [
        ("jax", Jax("gpu", compute_capability="8.9"), True, "mixed_bfloat16"),
        ("jax", Jax("gpu", compute_capability="7.5"), True, "mixed_float16"),
        ("jax", Jax("tpu"), True, "mixed_bfloat16"),
        ("jax", Jax("cpu"), False, "float32"),
        ("torch", Torch((8, 9)), True, "mixed_bfloat16"),
        ("torch", Torch((7, 5)), True, "mixed_float16"),
        ("torch", Torch(None), False, "float32"),
    ],
)
def test_the_other_backends_name_their_device_and_its_precision(monkeypatch, backend, library, accelerated, policy):
    from coursekit import session

    monkeypatch.setitem(sys.modules, backend, library)
    device, found = session._DEVICE_OF[backend]()
    assert found == accelerated and (device == "NVIDIA L4" if accelerated else device.startswith("CPU ("))
    now = session.Session("01_tensors", "full", backend, device, accelerated, 0)
    monkeypatch.setattr(session, "current", now)
    assert session.precision() == policy
    assert session.step_down() and session.current.profile == "quick" and session.precision() == "float32"
    monkeypatch.setattr(session, "current", None)
    assert not session.step_down()


def test_tensors_of_older_tensorflow_hand_their_memory_over():
    import numpy as np
    import tensorflow as tf

    from coursekit import session

    class Older:  # what tensors of TensorFlow 2.19 offer
        device = "/job:localhost/replica:0/task:0/device:CPU:0"

        def __init__(self, tensor):
            self.tensor = tensor

    t = tf.range(5.0)
    session._offer_dlpack(Older, lambda older: tf.experimental.dlpack.to_dlpack(older.tensor))
    taken = np.from_dlpack(Older(t))
    assert np.shares_memory(taken, np.asarray(t))
    has_it = type(t).__dlpack__
    session._offer_dlpack(type(t), None)
    assert type(t).__dlpack__ is has_it
