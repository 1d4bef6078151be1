"""The script that makes the weights of notebook 08: what it trains on, and that it keeps what it has trained."""

import numpy as np
import pytest

from coursekit.experiments import backbone
from coursekit.models import transfer


@pytest.fixture(scope="module")
def patches():
    return transfer.turned_patches()


def test_patches_are_balanced_and_have_contrast(patches):
    x_train, y_train, x_test, y_test = patches
    for x, y, n in ((x_train, y_train, transfer.PATCHES[0]), (x_test, y_test, transfer.PATCHES[1])):
        assert x.shape == (n, 28, 28, 1) and 0 <= x.min() <= x.max() <= 1
        assert x.std(axis=(1, 2, 3)).min() >= transfer.CONTRAST - 1e-6
        assert np.bincount(y).min() > 0.9 * n / 4


def test_patches_for_the_test_come_from_another_part_of_the_photographs(patches):
    upright = lambda x, y: {np.rot90(one[..., 0], -k).tobytes() for one, k in zip(x[:2000], y[:2000], strict=True)}
    assert not upright(*patches[:2]) & upright(*patches[2:])


def test_a_short_training_is_kept_and_beats_guessing(monkeypatch, tmp_path, capsys):
    few = lambda: [part[:1500] for part in every]
    every = backbone.glyph_images()
    monkeypatch.setattr(backbone, "glyph_images", few)
    monkeypatch.setitem(backbone.EPOCHS, "glyphs", 3)
    monkeypatch.setattr(transfer, "data_dir", lambda: tmp_path)
    backbone.main(["glyphs"])
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith("backbone_glyphs.npz: 0.") and said.endswith("bytes")
    body, head = transfer.pretrained("glyphs")
    features = np.asarray(body.predict(every[2][:500], verbose=0))
    right = np.mean(head.predict(features, verbose=0).argmax(axis=1) == every[3][:500])
    assert right > 5 / 74 and abs(right - float(said.split()[1])) < 0.1
