"""The glyphs: what they hold, that the same pins give the same images, and what is refused."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from coursekit.datasets import glyphs, load

FEW = "A?ΓΩ"
DRAWN = "0efac3cb2721"  # the first digits of the sha256 of all classes in the fonts of the test part, undistorted


@pytest.fixture(scope="module")
def data():
    return load("glyphs")


def test_enough_classes_with_hundreds_of_pictures_and_no_digits(data):
    assert len(set(data.card.classes)) == len(data.card.classes) >= 60
    assert not any(character.isdigit() for character in data.card.classes)
    for y, each in ((data.y_train, 240), (data.y_test, 60)):
        assert np.bincount(y).tolist() == [each] * len(data.card.classes)


def test_form_is_that_of_mnist(data):
    assert (data.x_train.dtype, data.x_train.shape[1:], data.y_train.dtype) == ("uint8", (28, 28), "uint8")
    assert data.x_train.flags.writeable and data.y_test.flags.writeable
    ink = data.x_train[:2000].reshape(2000, -1)
    assert ink.max(axis=1).min() > 100 and ink[:, :3].mean() < 2  # something is drawn, and the corner is empty


def test_no_picture_comes_twice(data):
    every = np.concatenate([data.x_train, data.x_test]).reshape(-1, 28 * 28)
    assert len(np.unique(every, axis=0)) == len(every)


def test_no_font_is_in_both_parts():
    training = {font for character in glyphs.CLASSES for font in glyphs.fonts_for(character)}
    assert training.isdisjoint(glyphs.TEST_FONTS) and len(training) == 17
    assert {glyphs.fonts_for(character, test=True) for character in glyphs.CLASSES} == {glyphs.TEST_FONTS}


def test_every_font_has_every_class_that_it_is_used_for():
    for character in glyphs.CLASSES:
        for font in (*glyphs.fonts_for(character), *glyphs.TEST_FONTS):
            picture = glyphs.draw(character, font)
            rows, columns = np.flatnonzero(picture.any(axis=1)), np.flatnonzero(picture.any(axis=0))
            assert max(np.ptp(rows), np.ptp(columns)) + 1 in (19, 20)  # a faint last row may round to nothing


def test_glyphs_are_drawn_as_the_course_began_with():
    """FreeType and Pillow work in whole numbers: before any distortion, a glyph is the same on every processor."""
    pictures = np.stack([glyphs.draw(one, font) for one in glyphs.CLASSES for font in glyphs.TEST_FONTS])
    assert hashlib.sha256(pictures.tobytes()).hexdigest()[:12] == DRAWN


@pytest.mark.parametrize("kernels", ["", "Prescott"])
def test_the_same_in_another_process_and_with_the_arithmetic_of_an_older_processor(kernels):
    """OpenBLAS is told to multiply as an old processor does, NumPy to leave out the newest instructions."""
    code = (
        "import hashlib; from coursekit.datasets import glyphs; "
        f"print(hashlib.sha256(glyphs.variants({FEW!r}, 30)[0].tobytes()).hexdigest())"
    )
    env = os.environ | ({"OPENBLAS_CORETYPE": kernels, "NPY_DISABLE_CPU_FEATURES": "X86_V4 X86_V3"} if kernels else {})
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.split()[-1] == hashlib.sha256(glyphs.variants(FEW, 30)[0].tobytes()).hexdigest()


def test_errors_in_the_last_digits_change_no_pixel(monkeypatch):
    """All that is computed in floating point goes through `rint`; here it is wrong by 1e-12 of a step or two."""
    right, rint, rng = glyphs.variants(FEW, 60)[0], np.rint, np.random.default_rng(0)
    monkeypatch.setattr(np, "rint", lambda steps: rint(steps + rng.uniform(-1e-12, 1e-12, steps.shape)))
    np.testing.assert_array_equal(glyphs.variants(FEW, 60)[0], right)


def test_the_random_state_of_others_does_not_matter():
    first = glyphs.variants(FEW, 3)[0]
    np.random.seed(5)
    np.testing.assert_array_equal(glyphs.variants(FEW, 3)[0], first)
    assert (glyphs.variants(FEW, 3, seed=1)[0] != first).any()


def test_distortion_without_any_is_the_picture_itself():
    """Sampled at its own pixels, a picture comes back; half a pixel further, it is the mean of neighbors."""
    picture = glyphs.draw("R", "DejaVuSans.ttf")[None]
    places = glyphs.STEPS * np.stack(np.mgrid[:28, :28], axis=-1).reshape(1, -1, 2)
    np.testing.assert_array_equal(glyphs.sampled(picture, places).reshape(28, 28), picture[0])
    right = glyphs.sampled(picture, places + np.array([0, glyphs.STEPS // 2])).reshape(28, 28)
    neighbor = np.pad(picture[0].astype(int), ((0, 0), (0, 1)))[:, 1:]
    np.testing.assert_array_equal(right, (picture[0] + neighbor + 1) // 2)
    assert glyphs.sampled(picture, places + 40 * glyphs.STEPS).max() == 0  # outside there is nothing


def test_sampling_is_linear_interpolation():
    """Against SciPy, at random places, some of them outside."""
    from scipy.ndimage import map_coordinates

    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, size=(28, 28)).astype("uint8")
    places = rng.integers(-2 * glyphs.STEPS, 30 * glyphs.STEPS, size=(1, 500, 2))
    reference = map_coordinates(np.pad(picture, 3).astype(float), places[0].T / glyphs.STEPS + 3, order=1)
    assert np.abs(glyphs.sampled(picture[None], places)[0] - reference).max() <= 0.5 + 1e-9


def test_elastic_distortion_moves_smoothly_and_by_about_what_it_says():
    moved = glyphs.elastic_distortion(300, np.random.RandomState(0), strength=1.0).reshape(300, 28, 28, 2)
    inner = moved[:, 9:19, 9:19]
    assert 0.9 < np.abs(inner).mean() / (np.sqrt(2 / np.pi) * 1.0) < 1.1
    assert np.abs(np.diff(inner, axis=1)).mean() < 0.35 * np.abs(inner).mean()


@pytest.mark.parametrize("character", ["", "AB", "漢"])
def test_what_a_font_lacks_is_refused(character):
    with pytest.raises(ValueError, match="has no glyph"):
        glyphs.draw(character, "STIXGeneral.ttf")


def test_a_blank_is_refused():
    with pytest.raises(ValueError, match="draws nothing"):
        glyphs.draw(" ", "DejaVuSans.ttf")


def test_digits_can_be_drawn_too():
    x, y = glyphs.variants("0123456789", 5)
    assert x.shape == (50, 28, 28) and np.bincount(y).tolist() == [5] * 10


def test_an_older_matplotlib_without_one_of_the_fonts_draws_with_the_others(monkeypatch, tmp_path):
    for font in glyphs.LATIN_FONTS:
        if font != glyphs.NEWER_FONT:
            (tmp_path / font).touch()
    assert glyphs.NEWER_FONT in glyphs.fonts_for("a") and glyphs.NEWER_FONT not in glyphs.fonts_for("γ")
    monkeypatch.setattr(glyphs, "_file", lambda font: tmp_path / font)
    assert set(glyphs.fonts_for("a")) == {*glyphs.WHOLE_FONTS, *glyphs.LATIN_FONTS} - {glyphs.NEWER_FONT}
