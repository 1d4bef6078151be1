"""What loops need: batches that can be taken up anywhere, checkpoints, clipping, scripts in a process of their own."""

import json

import keras
import numpy as np
import pytest
from keras import layers

from coursekit.errors import CheckpointError
from coursekit.training import loops
from coursekit.training.loops import Batches

X, Y = np.arange(23)[:, None], np.arange(23)


def drawn(batches, count):
    return [batches.next()[1].tolist() for _ in range(count)]


# --- batches ----------------------------------------------------------------------------------------------------------
def test_an_epoch_has_every_sample_once_and_the_next_one_another_order():
    batches = Batches(X, Y, 5, seed=3)
    first, second = drawn(batches, 5), drawn(batches, 5)
    for epoch in (first, second):
        assert [len(rows) for rows in epoch] == [5, 5, 5, 5, 3]
        assert sorted(row for rows in epoch for row in rows) == Y.tolist()
    assert first != second and batches.position["epoch"] == 2 and batches.position["batch"] == 0


@pytest.mark.parametrize("taken", [0, 1, 4, 5, 7, 14])
def test_from_a_position_they_go_on_as_if_nothing_had_happened(taken):
    one = Batches(X, Y, 5, seed=3)
    drawn(one, taken)
    position = json.loads(json.dumps(one.position))
    other = Batches(X, Y, 5, seed=99)
    other.go_to(position)
    assert drawn(one, 13) == drawn(other, 13)


def test_a_position_in_other_data_is_refused():
    position = Batches(X, Y, 5).position
    with pytest.raises(CheckpointError, match="batch 0 of 23 samples, and these data have 22 samples"):
        Batches(X[1:], Y[1:], 5).go_to(position)
    with pytest.raises(CheckpointError, match="in 2 batches"):
        Batches(X, Y, 12).go_to(position | {"batch": 4})


def test_batches_of_nothing_or_of_unequal_data_are_refused():
    with pytest.raises(ValueError, match="x has 23 samples and y 22"):
        Batches(X, Y[1:], 5)
    with pytest.raises(ValueError, match="the batch size is 0"):
        Batches(X, Y, 0)


# --- checkpoints ------------------------------------------------------------------------------------------------------
def made(width=3, optimizer=keras.optimizers.SGD, **settings):
    inside = [layers.Dense(width, activation="relu"), layers.BatchNormalization(), layers.Dropout(0.5, seed=1)]
    model = keras.Sequential([keras.Input((2,)), *inside, layers.Dense(1)])
    optimizer = optimizer(0.1, **settings)
    optimizer.build(model.trainable_variables)
    return model, optimizer


def values(model, optimizer):
    return [keras.ops.convert_to_numpy(one) for one in [*model.variables, *optimizer.variables]]


def changed(model, optimizer):
    """Every variable gets values of its own."""
    for i, variable in enumerate([*model.variables, *optimizer.variables]):
        variable.assign(np.arange(i, i + np.prod(variable.shape, dtype=int)).reshape(variable.shape))
    return model, optimizer


def test_a_checkpoint_brings_back_every_variable_and_what_was_saved_with_it(tmp_path):
    one, other = changed(*made(momentum=0.9)), made(momentum=0.9)
    batches = Batches(X, Y, 5)
    drawn(batches, 3)
    loops.save_checkpoint(tmp_path / "a.npz", *one, position=batches.position)
    assert loops.load_checkpoint(tmp_path / "a.npz", *other) == {"position": batches.position}
    assert len(values(*one)) > 10
    assert all(np.array_equal(a, b) for a, b in zip(values(*one), values(*other), strict=True))
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def refused(path, model, optimizer, match):
    before = values(model, optimizer)
    with pytest.raises(CheckpointError, match=match):
        loops.load_checkpoint(path, model, optimizer)
    assert all(np.array_equal(a, b) for a, b in zip(before, values(model, optimizer), strict=True))


def test_a_checkpoint_of_another_model_or_optimizer_is_refused_and_nothing_changes(tmp_path):
    path = tmp_path / "a.npz"
    loops.save_checkpoint(path, *changed(*made(momentum=0.9)))
    refused(path, *made(width=4, momentum=0.9), r"another model: it has float32 of shape \(2, 3\).*shape \(2, 4\)")
    refused(path, *made(), "another model: it has")  # no momenta
    refused(path, *made(optimizer=keras.optimizers.Adam), "made with the optimizer SGD, not Adam")


@pytest.mark.parametrize("share", [0, 0.3, 0.9, 0.999])
def test_a_cut_checkpoint_is_refused_and_nothing_changes(tmp_path, share):
    path = tmp_path / "a.npz"
    model, optimizer = changed(*made())
    loops.save_checkpoint(path, model, optimizer)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    refused(path, *made(), "a.npz is cut or altered and was not read")


def test_an_altered_checkpoint_and_other_files_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    model, optimizer = changed(*made())
    loops.save_checkpoint(path, model, optimizer)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    refused(path, *made(), "cut or altered")
    path.write_text("no checkpoint")
    refused(path, *made(), "cut or altered")
    np.savez(path, variable_0=np.zeros(3))
    refused(path, *made(), "cut or altered")
    np.save(path.with_suffix(".npy"), np.zeros(3))
    refused(path.with_suffix(".npy"), *made(), "cut or altered")
    refused(tmp_path / "none.npz", *made(), "there is no checkpoint none.npz here")


def test_pickled_objects_are_never_opened(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, about=np.array([{"a": 1}], dtype=object))
    refused(path, *made(), "cut or altered")


# --- clipping ---------------------------------------------------------------------------------------------------------
def test_clipping_shortens_all_gradients_by_one_factor():
    gradients = [np.array([3.0, 0.0]), np.array([[4.0]])]
    clipped, length = loops.clip_by_global_norm(gradients, 1.0)
    assert length == 5 and np.allclose(clipped[0], [0.6, 0]) and np.allclose(clipped[1], [[0.8]])
    assert np.array_equal(loops.clip_by_global_norm(gradients, 6)[0][0], gradients[0])
    assert loops.clip_by_global_norm([np.zeros(2)], 1.0)[1] == 0
    with pytest.raises(ValueError, match="the limit is 0"):
        loops.clip_by_global_norm(gradients, 0)


# --- fit's losses -----------------------------------------------------------------------------------------------------
def test_the_callback_keeps_the_loss_of_each_batch_and_not_the_mean_so_far():
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mse")
    x = np.array([[1.0], [2.0], [3.0]])
    recorder = loops.loss_of_each_step()
    for _ in range(2):
        model.fit(x, 0 * x, batch_size=1, shuffle=False, verbose=0, callbacks=[recorder])
        assert np.allclose(recorder.losses, [1, 4, 9])


# --- comparing loops --------------------------------------------------------------------------------------------------
def test_a_script_reports_its_losses_its_time_and_its_memory(tmp_path):
    script = tmp_path / "loop.py"
    script.write_text("from coursekit.training.loops import report\nreport(lambda: [3.0, 2.0, 1.0])\n")
    found = loops.run_script(str(script), "numpy")
    assert found["losses"] == [3, 2, 1] and 0 < found["seconds"] < 1 and 1e6 < found["memory"] < 1e10


def test_a_script_that_fails_says_why(tmp_path):
    script = tmp_path / "loop.py"
    script.write_text("raise ValueError('no such data')\n")
    with pytest.raises(RuntimeError, match=r"(?s)ended with code 1.*no such data"):
        loops.run_script(str(script), "numpy")


def test_a_script_whose_package_is_missing_is_left_out(tmp_path, capsys):
    assert loops.run_script("loop.py", "a_package_that_nobody_has") is None
    assert "loop.py was not run: a_package_that_nobody_has is not installed here" in capsys.readouterr().out


def test_lines_of_functions_and_classes_are_counted_without_blanks_and_comments():
    source = (
        "import this\n\n\n@decorated\ndef step(x):\n    # a comment\n\n    return x\n\n\nclass A:\n    b = 1\n\nc = 2\n"
    )
    assert loops.lines_of(source) == 5
    assert loops.lines_of(drawn) == 2 and loops.lines_of(drawn, source) == 7


def test_the_least_time_is_divided_by_the_steps():
    assert 0 <= loops.seconds_a_step(lambda: None, 10) < 0.1
