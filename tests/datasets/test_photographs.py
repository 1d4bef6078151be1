"""Photographs by name: what they hold, what their cards say, and what is refused."""

import io
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from coursekit.datasets import PHOTOGRAPHS, load, photograph
from coursekit.datasets.sources import MODULES
from coursekit.errors import DataRefused, DataUnavailable

PNG = [name for name, card in PHOTOGRAPHS.items() if card.file.endswith(".png")]
JPEG = [name for name, card in PHOTOGRAPHS.items() if card.file.endswith(".jpg")]


def path(name):
    """Where the true file lies."""
    card = PHOTOGRAPHS[name]
    return Path(find_spec(MODULES[card.package]).submodule_search_locations[0]) / card.file


def png(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_photograph_is_what_its_card_says(name):
    image, card = photograph(name), PHOTOGRAPHS[name]
    assert card.name == name and image.shape == card.shape and image.dtype == np.uint8 and image.flags.writeable
    assert image.ndim == 2 or image.shape[2] == 3
    assert np.ptp(image) > 60 and image.std() > 5  # a picture, no blank


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_card_names_author_source_and_a_free_license(name):
    card = PHOTOGRAPHS[name]
    assert re.match(r"CC0|CC BY 2\.0|public domain", card.license)
    assert card.title and card.author and ("http" in card.source or card.source.startswith("given to scikit-image"))
    text = str(card)
    assert all(fact in text for fact in (name, card.title, card.author, card.license, card.source, card.package))
    assert ("color" if len(card.shape) == 3 else "gray") in text


@pytest.mark.parametrize("name", sorted(set(PHOTOGRAPHS) - {"china", "flower"}))
def test_it_is_scikit_images_own(name):
    from skimage import data

    np.testing.assert_array_equal(photograph(name), getattr(data, name)())


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_scikit_image_states_the_license(name):
    """Where it says so itself, in the docstring of its loader."""
    if PHOTOGRAPHS[name].package == "scikit-learn":
        assert "creative commons" in (path(name).parent / "README.txt").read_text().lower()
        return
    from skimage import data

    stated = getattr(data, name).__doc__
    assert re.search(r"CC0|public\s+domain", stated, re.IGNORECASE)


def test_china_and_flower_are_those_of_load():
    data = load("photographs")
    np.testing.assert_array_equal(photograph("china"), data.x_train[0])
    np.testing.assert_array_equal(photograph("flower"), data.x_test[0])


def test_every_call_gives_an_array_of_its_own():
    first = photograph("camera")
    kept = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(photograph("camera"), kept)


@pytest.mark.parametrize("wrong, meant", [("Astronaut", "astronaut"), ("cofee", "coffee"), ("hubble_field", "hubble")])
def test_an_unknown_name_lists_the_names_and_guesses(wrong, meant):
    with pytest.raises(DataUnavailable) as failure:
        photograph(wrong)
    assert f"did you mean '{meant}" in str(failure.value)
    assert all(name in str(failure.value) for name in PHOTOGRAPHS)


def test_a_name_that_resembles_none_and_one_that_is_no_text():
    with pytest.raises(DataUnavailable, match=r"there is no photograph 'zzz'; there are china, "):
        photograph("zzz")
    with pytest.raises(TypeError, match="a name in quotes, such as 'astronaut', not int"):
        photograph(3)


def test_load_says_where_photographs_are():
    with pytest.raises(DataUnavailable, match=r"did you mean coursekit\.datasets\.photograph\('astronaut'\)\?"):
        load("astronaut")


@pytest.mark.parametrize("name", ["camera", "china"])
def test_a_missing_package(name, installed):
    installed(None)
    package = PHOTOGRAPHS[name].package
    with pytest.raises(DataUnavailable, match=f"photograph {name} comes with .* {package}, .*`pip install {package}`"):
        photograph(name)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_file_that_is_no_image_or_another_one(name, installed):
    card, true = PHOTOGRAPHS[name], path(name).read_bytes()
    altered = photograph(name)
    altered[3, 4] ^= 1
    other = np.zeros((40, 30), dtype="uint8")
    for changed in (b"", b"<html>", true[:100], true[: len(true) // 2], png(altered), png(other)):
        installed({card.file: changed})
        with pytest.raises(DataRefused, match=f"is refused as the photograph {name}: .*Install {card.package} again"):
            photograph(name)


@pytest.mark.parametrize("name", PNG)
def test_the_same_pixels_in_another_file_serve(name, installed):
    image = photograph(name)
    installed({PHOTOGRAPHS[name].file: png(image)})
    np.testing.assert_array_equal(photograph(name), image)


def test_what_is_said_of_an_altered_image(installed):
    image = photograph("camera")
    for changed, words in (
        (image[:, :-1], "it is an image of 511 × 512, not 512 × 512, gray"),
        (image ^ np.uint8(1), "the values of the image are not the published ones"),
        (image > 100, "the values of the image are not the published ones"),  # one bit for each pixel
        (np.stack([image] * 3, axis=-1), "the values of the image are not the published ones"),
    ):
        installed({"data/camera.png": png(changed)})
        with pytest.raises(DataRefused) as failure:
            photograph("camera")
        assert words in str(failure.value)
    assert len(PNG) == 10 and len(JPEG) == 4
