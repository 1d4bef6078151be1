"""Networks trained for size: moved images, cut networks, the whole at a small size, interruptions, and the records."""

from itertools import product

import keras
import numpy as np
import pytest
from keras import ops

from coursekit import compression
from coursekit.errors import CoursekitError
from coursekit.experiments import common
from coursekit.experiments import trained_for_size as sized
from coursekit.paths import data_dir
from coursekit.records import read_lines

TINY = sized.Recipe((4, 4, 8), 1e-4, epochs=2, size_epochs=3)
CUT = sized.Recipe((4, 4, 8), 1e-4, epochs=1, size_epochs=3, cut=True)


@pytest.fixture
def short(monkeypatch, few):
    """The whole experiment on little data, with a teacher of one epoch and two copies for its pupils."""
    monkeypatch.setattr(sized, "mnist", lambda: few)
    monkeypatch.setattr(sized, "TEACHER", sized.Teacher(epochs=1, copies=2))
    monkeypatch.setattr(sized, "RECIPES", {"tiny": TINY, "cut": CUT})


# --- images -----------------------------------------------------------------------------------------------------------
def disc(rows, columns):
    """An image with a round spot of two pixels' width around a place."""
    down, across = np.mgrid[:28, :28]
    return np.exp(-((down - rows) ** 2 + (across - columns) ** 2) / 8)[None, :, :, None].astype(np.float32)


def middle(image):
    """(row, column) of an image's center of mass."""
    mass = image[0, :, :, 0] / image.sum()
    return np.array([mass.sum(axis=1) @ np.arange(28), mass.sum(axis=0) @ np.arange(28)])


@pytest.mark.parametrize("seed", range(5))
def test_the_map_says_where_a_point_of_the_new_image_comes_from(seed):
    given = sized.transforms(1, np.random.default_rng(seed))
    a, b, c, d, e, f = given[0, :6]
    spot = disc(16, 11)
    row, column = middle(np.asarray(ops.image.affine_transform(spot, given)))
    assert np.allclose([a * column + b * row + c, d * column + e * row + f], [11, 16], atol=0.2)


def test_no_image_moves_at_strength_zero_and_none_far_at_one():
    x = np.concatenate([disc(13.5, 13.5)] * 64)
    assert np.allclose(sized.moved(x, np.random.default_rng(0), 0.0), x, atol=1e-5)
    places = np.array([middle(one[None]) for one in sized.moved(x, np.random.default_rng(0))])
    assert np.abs(places - 13.5).max() < 3 and np.abs(places - 13.5).max(axis=0).min() > 1


# --- networks ---------------------------------------------------------------------------------------------------------
def test_units_that_do_nothing_are_the_first_to_go(small):
    keras.utils.set_random_seed(0)
    model = common.reference_network(keras, dropout=0, widths=small)
    weights = model.get_weights()
    kept = [np.sort(np.random.default_rng(i).permutation(width)[: width // 2]) for i, width in enumerate(small)]
    for i, stay in enumerate(kept):
        gone = np.setdiff1d(np.arange(small[i]), stay)
        weights[2 * i][..., gone] = 0
    model.set_weights(weights)
    widths = [len(stay) for stay in kept]
    cut = common.reference_network(keras, dropout=0, widths=widths)
    cut.set_weights(sized.strongest_units(weights, widths))
    x = np.random.default_rng(0).random((5, 28, 28, 1), dtype=np.float32)
    assert np.allclose(common.logits_of(model, x), common.logits_of(cut, x), atol=1e-5)


def test_what_the_teacher_says_belongs_to_the_moved_images(few, small, monkeypatch):
    monkeypatch.setattr(sized, "TEACHER", sized.Teacher(copies=3))
    teacher = common.reference_network(keras, dropout=0)
    images, said = sized.lessons(teacher, few["validation"][0])
    assert images.shape == (3, 100, 28, 28, 1) and images.dtype == np.uint8
    assert not np.array_equal(images[0], images[1])
    again = np.asarray(ops.softmax(common.logits_of(teacher, images[1] / np.float32(255))))
    assert np.allclose(said[1], again, atol=1e-5)


# --- the whole --------------------------------------------------------------------------------------------------------
def test_an_unknown_recipe_is_named():
    with pytest.raises(CoursekitError, match="no recipe 1000; there are priced-300"):
        sized.run(("1000",))


@pytest.mark.slow
def test_the_whole_goes_on_after_an_interruption_and_its_file_holds_what_the_record_says(
    short, small, tmp_path, monkeypatch, capsys
):
    where = {"work": tmp_path / "work", "results": tmp_path / "priced.jsonl", "files": tmp_path / "files"}

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(sized, "priced_network", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sized.run(("tiny",), (0,), **where)
    stages = {file.name: file.stat().st_mtime_ns for file in where["work"].iterdir()}
    assert sorted(name.split("-")[0] for name in stages) == ["taught", "teacher"] and not where["results"].exists()

    assert sized.run(("tiny", "cut"), (0,), **where)
    assert {name: (where["work"] / name).stat().st_mtime_ns for name in stages} == stages
    tiny, cut = read_lines(where["results"])
    assert f"{tiny['bytes']:,} bytes" in capsys.readouterr().out
    assert tiny["teacher_wrong"] == cut["teacher_wrong"] and tiny["test_images"] == 100
    for line in (tiny, cut):
        file = where["files"] / line["file"]
        weights = compression.load_compressed(file).get_weights()
        assert file.stat().st_size == line["bytes"] == pytest.approx(sum(line["parts"].values()), abs=1)
        assert [int(np.count_nonzero(array)) for array in weights] == line["weights_left"]
        assert sum(line["weights_left"]) < line["parameters"]  # the price has put some at zero
    of = sized.means(where["results"])["tiny"]
    assert (of["seeds"], of["bytes"], of["error"]) == (1, tiny["bytes"], len(tiny["wrong"])) and of["half"] is None
    shown = [line.split() for line in sized.table(where["results"]).splitlines()]
    assert [row[0] for row in shown[-2:]] == ["tiny", "cut"] and f"{tiny['bytes']:,}" in shown[-2]
    assert sized.run(("tiny", "cut"), (0,), **where) and len(read_lines(where["results"])) == 2


# --- the kept records -------------------------------------------------------------------------------------------------
def test_every_record_is_that_of_its_file():
    """Sizes and weights are counted in the file, and the bundled digits are read with what comes out of it."""
    kept, folder = sized.kept(), data_dir() / "compressed" / "priced"
    assert {(name, seed) for name in kept for seed in kept[name]} >= set(
        product(("priced-555", "priced-1110"), range(5))
    )
    for line in (line for by_seed in kept.values() for line in by_seed.values()):
        model = compression.load_compressed(folder / line["file"])
        assert (folder / line["file"]).stat().st_size == line["bytes"]
        assert [int(np.count_nonzero(array)) for array in model.get_weights()] == line["weights_left"]
        assert abs(common.right_on_digits28(model) - line["digits28_right"]) <= 3  # where two answers are nearly level


def test_the_recorded_networks_are_as_small_and_as_good_as_the_page_says():
    """Means over five seeds: 1,110 times smaller at most 0.78 % errors, 555 times smaller at most 0.65 %."""
    for name, times, most in (("priced-1110", 1110, 0.78), ("priced-555", 555, 0.65)):
        of = sized.means()[name]
        assert of["seeds"] >= 5 and sized.DENSE_BYTES / of["bytes"] >= times and of["error"] <= most
    assert sized.page_table() in (data_dir().parent / "docs" / "compression.md").read_text(encoding="utf-8")
