"""The commands compress, inspect and expand: a saved model as a small file, what is in it, and back."""

import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from networks import convolutional, dense

from coursekit.authoring.cli import main
from coursekit.compression import load_compressed

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a trained network, in which the commands are called."""
    monkeypatch.setenv("COURSEKIT_PROGRESS", "off")
    monkeypatch.chdir(tmp_path)
    keras.utils.set_random_seed(0)
    model, rng = convolutional(), np.random.default_rng(0)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.save("model.keras")
    np.savez("x.npz", x=rng.normal(size=(40, 10, 10, 1)).astype("float32"))
    np.savez("both.npz", x_train=rng.normal(size=(40, 10, 10, 1)).astype("float32"), y_train=rng.integers(0, 3, 40))
    return tmp_path


def test_a_model_becomes_a_small_file_and_is_expanded_again(folder, capsys):
    assert main(["compress", "model.keras", "--clusters", "4", "--prune", "0.75", "--data", "x.npz"]) == 0
    said = capsys.readouterr().out
    assert "this file" in said and "as xz" in said and "as zip" in said and "40 inputs, answers differ" in said
    small = load_compressed("model.ckw")
    kernels = [weights for weights in small.get_weights() if weights.ndim > 1]
    assert all(np.unique(kernel).size <= 4 for kernel in kernels)
    zeros = sum((kernel == 0).sum() for kernel in kernels)
    assert zeros >= 0.7 * sum(kernel.size for kernel in kernels)

    assert main(["inspect", "model.ckw"]) == 0
    said = capsys.readouterr().out
    assert "architecture" in said and "bits each" in said and said.startswith("model.ckw: ")

    assert main(["expand", "model.ckw", "-o", "deep/again.keras"]) == 0
    again = keras.models.load_model(folder / "deep" / "again.keras")
    assert all(np.array_equal(a, b) for a, b in zip(again.get_weights(), small.get_weights(), strict=True))


def test_with_targets_it_is_trained_on(folder, capsys):
    call = ["compress", "model.keras", "--clusters", "4", "--data", "both.npz", "--epochs", "1", "-o", "small"]
    assert main(call) == 0
    said = capsys.readouterr().out
    assert "accuracy: " in said and "loss: " in said
    biases = [weights for weights in load_compressed("small").get_weights() if weights.ndim == 1]
    assert all(np.any(bias) for bias in biases)  # they were zeros


def test_a_model_with_several_outputs_is_compared_in_all_of_them(folder, capsys):
    inputs = keras.Input((10, 10, 1))
    flat = keras.layers.Flatten()(inputs)
    outputs = {"three": keras.layers.Dense(3)(flat), "one": keras.layers.Dense(1)(flat)}
    keras.Model(inputs, outputs).save("two.keras")
    assert main(["compress", "two.keras", "--clusters", "8", "--data", "x.npz", "-o", "two.ckw"]) == 0
    assert "40 inputs, answers differ by at most" in capsys.readouterr().out


def by_itself(folder, *words):
    """The command in a process of its own, as in a shell: (exit status, what it printed)."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(
        [sys.executable, "-m", "coursekit", *words], cwd=folder, env=env, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def kernels_of(path):
    return [weights for weights in load_compressed(path).get_weights() if weights.ndim > 1]


@pytest.mark.slow
def test_in_a_shell_zeros_come_in_a_pattern(folder):
    status, said = by_itself(folder, "compress", "model.keras", "--pattern", "2:4", "--data", "both.npz")
    assert status == 0 and "accuracy: " in said, said
    for kernel in kernels_of("model.ckw"):
        inputs = kernel.shape[-2]
        whole = kernel[..., : inputs // 4 * 4, :].reshape(*kernel.shape[:-2], inputs // 4, 4, kernel.shape[-1])
        assert ((whole == 0).sum(axis=-2) == 2).all()


def test_blocks_are_of_matrices_and_other_layers_are_named(folder, capsys):
    assert main(["compress", "model.keras", "--prune", "0.5", "--blocks", "2x2"]) == 0
    said = capsys.readouterr().out
    convolutions = [layer.name for layer in keras.models.load_model("model.keras").layers if "conv" in layer.name]
    assert f"--blocks are for matrices, so not pruned: {', '.join(convolutions)}" in said
    for kernel in kernels_of("model.ckw"):
        if kernel.ndim > 2:
            assert np.all(kernel)
            continue
        rows, columns = (size // 2 * 2 for size in kernel.shape)
        blocks = kernel[:rows, :columns].reshape(rows // 2, 2, columns // 2, 2)
        zeros = (blocks == 0).sum(axis=(1, 3))
        assert set(np.unique(zeros)) == {0, 4}


@pytest.mark.slow
def test_in_a_shell_a_model_is_trained_for_size(folder):
    plain = len((folder / "model.keras").read_bytes())
    size = {}
    for option in ("--price=1e-4", "--budget=1100", "--budget=10"):
        status, said = by_itself(folder, "compress", "model.keras", option, "--data", "both.npz", "-o", "sized.ckw")
        size[option] = (folder / "sized.ckw").stat().st_size
        assert f"sized.ckw: {size[option]:,} bytes" in said and "loss: " in said, said
        assert status == (1 if option == "--budget=10" else 0)
        assert ("budget of 10 bytes was not met" in said) == (status == 1)
        for kernel in kernels_of("sized.ckw"):  # whole multiples of a step
            step = np.diff(np.unique(np.append(kernel, 0))).min(initial=np.inf)
            assert np.allclose(np.round(kernel / step) * step, kernel, atol=1e-3 * step)
    assert size["--budget=1100"] <= 1100 and max(size.values()) < plain / 4


def own_loss(y_true, y_pred):
    return keras.ops.mean(y_pred, axis=-1)


def test_what_a_model_was_compiled_with_matters_only_where_it_is_trained(folder, capsys):
    model = dense(2)
    for loss, file in ((own_loss, "own.keras"), ("mse", "old.h5")):
        model.compile("adam", loss)
        model.save(file)
        assert main(["compress", file, "--clusters", "4", "-o", "small.ckw"]) == 0
    x = np.zeros((4, *model.input_shape[1:]))
    np.savez("both.npz", x=x, y=np.zeros((4, 2)))
    capsys.readouterr()
    assert main(["compress", "own.keras", "--data", "both.npz"]) == 2
    assert "or in a way that can't be read here" in capsys.readouterr().err


@pytest.mark.parametrize("call", [["--data", "x_alone.npz"], ["--data", "x_and_y.npz", "--clusters", "2"]])
def test_what_recurrent_layers_keep_of_the_data_is_not_in_the_way(folder, capsys, call):
    inputs = keras.Input(batch_shape=(32, 3, 2))
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.LSTM(2, stateful=True)(inputs)))
    model.compile("adam", "mse")
    model.save("stateful.keras")
    x = np.random.default_rng(0).normal(size=(32, 3, 2))
    np.savez("x_alone.npz", x=x)
    np.savez("x_and_y.npz", x=x, y=x[:, 0, :1])
    assert main(["compress", "stateful.keras", *call, "--epochs", "1", "-o", "small.ckw"]) == 0
    if "--clusters" not in call:  # nothing has changed, so both answer alike from the same state
        (apart,) = re.findall(r"answers differ by at most (\S+)$", capsys.readouterr().out, re.MULTILINE)
        assert float(apart) < 1e-6
    assert load_compressed("small.ckw").layers[1].stateful


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (["compress", "x.npz"], "Keras can't load x.npz"),
        (["compress", "model.keras", "--data", "model.keras"], "holds"),
        (["compress", "model.keras", "--clusters", "1"], "give 2 or more"),
        (["compress", "plain.keras", "--data", "both.npz"], "plain.keras is not compiled"),
        (["compress", "model.keras", "--pattern", "4:2"], "with m below n, such as 2:4, not 4:2"),
        (["compress", "model.keras", "--pattern", "half"], "two numbers from 1 on, such as 2:4, not half"),
        (["compress", "model.keras", "--blocks", "4x0"], "two numbers from 1 on, such as 4x2, not 4x0"),
        (["compress", "model.keras", "--blocks", "4x2"], "and not how many: give --prune as well"),
        (["compress", "model.keras", "--pattern", "2:4", "--blocks", "4x2"], "two ways to prune: give one"),
        (["compress", "model.keras", "--pattern", "2:4", "--prune", "0.5"], "leave out --prune"),
        (["compress", "embedding.keras", "--pattern", "2:4"], "no layer of embedding.keras has weights for it"),
        (["compress", "model.keras", "--price", "-1"], "what a bit costs in units of the loss, such as 1e-5, not -1"),
        (["compress", "model.keras", "--price", "1e-5"], "give --data, an .npz file with x and y"),
        (["compress", "model.keras", "--price", "1e-5", "--data", "x.npz"], "x.npz holds no targets"),
        (["compress", "plain.keras", "--price", "1e-5", "--data", "both.npz"], "plain.keras is not compiled"),
        (["compress", "model.keras", "--price", "1e-5", "--budget", "900"], "give one of them"),
        (["compress", "model.keras", "--budget", "900", "--clusters", "4"], "leave out --clusters"),
        (["compress", "model.keras", "--budget", "0", "--data", "both.npz"], "--budget takes a number from 1 on"),
        (
            ["compress", "model.keras", "--data", "other.npz"],
            "x of other.npz: it takes (None, 10, 10, 1), and x is (4, 3)",
        ),
        (["compress", "model.keras", "--data", "targets.npz"], "y of targets.npz, which is (40, 7)"),
        (["compress", "model.keras", "--data", "words.npz"], "can't be run on x of words.npz"),
        (["compress", "model.keras", "--data", "number.npz"], "number.npz has no rows"),
        (["compress", "model.keras", "--data", "nothing.npz"], "nothing.npz has no rows"),
        (["compress", "model.keras", "--data", "one.npy"], "one.npy can't be read as an .npz file"),
        (["compress", "model.keras", "--data", "empty.npz"], "empty.npz can't be read as an .npz file"),
        (["compress", "model.keras", "--data", "damaged.npz"], "damaged.npz can't be read as an .npz file"),
        (["compress", "model.keras", "--data", "locked.npz"], "locked.npz can't be read as an .npz file"),
        (["inspect", "model.keras"], "is no file of save_compressed"),
        (["expand", "model.keras"], "is no file of save_compressed"),
    ],
)
def test_what_is_no_model_or_no_data_is_refused_in_a_sentence(folder, call, says, capsys):
    dense(2).save("plain.keras")
    keras.Sequential([keras.Input((3,)), keras.layers.Embedding(5, 4)]).save("embedding.keras")
    images = np.zeros((40, 10, 10, 1))
    np.savez("other.npz", x=np.zeros((4, 3)))
    np.savez("targets.npz", x=images, y=np.zeros((40, 7)))
    np.savez("words.npz", x=np.full(images.shape, "word"))
    np.savez("number.npz", x=3.0)
    np.savez("nothing.npz", x=images[:0])
    np.save("one.npy", images)
    (folder / "empty.npz").touch()
    np.savez_compressed("whole.npz", x=np.random.default_rng(0).normal(size=(100, 3)))
    whole = (folder / "whole.npz").read_bytes()
    (folder / "damaged.npz").write_bytes(whole[:60] + bytes(30) + whole[90:])
    entry = whole.rfind(b"PK\1\2") + 8  # the flags of its only array, of which the lowest says that it has a password
    (folder / "locked.npz").write_bytes(whole[:entry] + bytes([whole[entry] | 1]) + whole[entry + 1 :])
    assert main(call) == 2
    assert not (folder / "model.ckw").exists()
    err = capsys.readouterr().err
    assert err.startswith("coursekit: ") and says in err and err.count("\n") == 1
