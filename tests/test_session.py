"""setup(), scale(), quiet() and progress(): what a notebook's first cell does, in processes of their own."""

import os
import subprocess
import sys

import pytest

START = "import coursekit as ck; rng = ck.setup('01_tensors')"


def session(code, **environment):
    """Run code in a fresh interpreter with only these variables of ours set."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("COURSEKIT_") and k != "KERAS_BACKEND"}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env | environment)


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


def test_a_strangers_coursekit_beside_ours_is_recognised(tmp_path):
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
