"""The commands compress, inspect and expand: a saved model as a small file, what is in it, and back."""

import keras
import numpy as np
import pytest
from networks import convolutional, dense

from coursekit.authoring.cli import main
from coursekit.compression import load_compressed


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


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (["compress", "x.npz"], "Keras can't load x.npz"),
        (["compress", "model.keras", "--data", "model.keras"], "holds"),
        (["compress", "model.keras", "--clusters", "1"], "give 2 or more"),
        (["compress", "plain.keras", "--data", "both.npz"], "plain.keras is not compiled"),
        (["inspect", "model.keras"], "is no file of save_compressed"),
        (["expand", "model.keras"], "is no file of save_compressed"),
    ],
)
def test_what_is_no_model_or_no_data_is_refused_in_a_sentence(folder, call, says, capsys):
    dense(2).save("plain.keras")
    assert main(call) == 2
    err = capsys.readouterr().err
    assert err.startswith("coursekit: ") and says in err and err.count("\n") == 1
