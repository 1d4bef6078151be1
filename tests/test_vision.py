"""Images changed and judged: affine maps, bicubic enlargement, PSNR and IoU."""

import numpy as np
import pytest

from coursekit import vision


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def warped(image, **ranges):
    matrix, shift = vision.affine(**ranges)
    return vision.warp(image[None], matrix[None], shift[None])[0]


# --- affine maps ------------------------------------------------------------------------------------------------------
def test_nothing_changes_nothing(rng):
    image = rng.random((5, 7, 3))
    assert np.allclose(warped(image), image)


def test_shifts_move_down_and_right_and_leave_zeros(rng):
    image = rng.random((5, 6))
    moved = warped(image, shift=(1, 2))
    assert np.allclose(moved[1:, 2:], image[:-1, :-2]) and not moved[0].any() and not moved[:, :2].any()
    assert np.allclose(warped(image, shift=(0, 0.5))[:, 1:], (image[:, 1:] + image[:, :-1]) / 2)


def test_a_quarter_turn_is_that_of_numpy(rng):
    image = rng.random((6, 6))
    assert np.allclose(warped(image, angle=np.pi / 2), np.rot90(image))  # anticlockwise


def test_shear_moves_lower_rows_to_the_right(rng):
    image = np.zeros((5, 9))
    image[:, 4] = 1
    sheared = warped(image, shear=1.0)
    assert sheared.argmax(axis=1).tolist() == [2, 3, 4, 5, 6]


def test_zoom_enlarges():
    image = np.zeros((9, 9))
    image[3:6, 3:6] = 1
    assert warped(image, zoom=(2, 2)).sum() > 3 * image.sum() > 9 * warped(image, zoom=(0.5, 0.5)).sum()


def test_each_image_has_its_own_map(rng):
    images = rng.random((2, 4, 4, 1))
    maps = [vision.affine(shift=(1, 0)), vision.affine(angle=np.pi)]
    both = vision.warp(images, *(np.stack(parts) for parts in zip(*maps, strict=True)))
    assert np.allclose(both[0, 1:], images[0, :-1]) and np.allclose(both[1], images[1, ::-1, ::-1])


def test_many_maps_at_once_are_those_made_one_by_one(rng):
    angle, shear, shift, zoom = rng.random(5), rng.random(5), rng.random((5, 2)), 1 + rng.random((5, 2))
    matrices, shifts = vision.affine(angle, shift, shear, zoom)
    for i in range(5):
        turn = [[np.cos(angle[i]), -np.sin(angle[i])], [np.sin(angle[i]), np.cos(angle[i])]]
        assert np.allclose(matrices[i], turn @ np.array([[1, 0], [shear[i], 1]]) @ np.diag(zoom[i]))
        one = vision.affine(angle[i], shift[i], shear[i], zoom[i])
        assert np.allclose(one[0], matrices[i]) and np.allclose(one[1], shifts[i])
    shared = vision.affine(angle, shift=(1, 2))
    assert shared[0].shape == (5, 2, 2) and np.array_equal(shared[1], [[1, 2]] * 5)


def test_many_images_are_done_in_parts(rng, monkeypatch):
    images, maps = rng.random((7, 4, 4)), [vision.affine(angle=a) for a in rng.random(7)]
    maps = [np.stack(parts) for parts in zip(*maps, strict=True)]
    whole = vision.warp(images, *maps)
    monkeypatch.setattr(vision, "CHUNK", 3)
    assert np.array_equal(vision.warp(images, *maps), whole)


def test_one_map_for_two_images_is_refused():
    matrix, shift = vision.affine()
    with pytest.raises(ValueError, match="one map for each"):
        vision.warp(np.zeros((2, 4, 4)), matrix[None], shift[None])


# --- bicubic ----------------------------------------------------------------------------------------------------------
def test_bicubic_keeps_constants_and_away_from_edges_straight_lines_and_parabolas():
    matrix = vision.bicubic_matrix(12, 3)
    assert matrix.shape == (36, 12) and np.allclose(matrix.sum(axis=1), 1)
    new = (np.arange(36) + 0.5) / 3 - 0.5
    for power in (1, 2):
        assert np.allclose((matrix @ np.arange(12.0) ** power)[6:-6], new[6:-6] ** power)


def test_bicubic_has_the_weights_of_keys():
    assert np.allclose(vision.bicubic_matrix(8, 2)[9, 3:7] * 128, [-9, 111, 29, -3])


def test_bicubic_images(rng):
    images = rng.random((2, 4, 5, 3)).astype("float32")
    large = vision.bicubic(images, 2)
    assert large.shape == (2, 8, 10, 3) and large.dtype == np.float32
    turned = vision.bicubic(images.transpose(0, 2, 1, 3), 2).transpose(0, 2, 1, 3)
    assert np.allclose(large, turned, atol=1e-6)


# --- PSNR -------------------------------------------------------------------------------------------------------------
def test_psnr_of_known_errors():
    truth = np.zeros((3, 4, 4, 1))
    images = truth + np.array([0.1, 0.01, 0]).reshape(3, 1, 1, 1)
    assert np.allclose(vision.psnr(truth, images), [20, 40, np.inf])
    assert np.allclose(vision.psnr(255 * truth, 255 * images, peak=255), [20, 40, np.inf])
    with pytest.raises(ValueError, match="give two alike"):
        vision.psnr(truth, images[:2])


# --- IoU --------------------------------------------------------------------------------------------------------------
def test_iou_is_counted_by_class(rng):
    truth, masks = rng.integers(0, 4, (2, 3, 6, 5))
    by_hand = [((truth == k) & (masks == k)).sum() / ((truth == k) | (masks == k)).sum() for k in range(4)]
    found = vision.intersection_over_union(truth, masks, 5)
    assert np.allclose(found[:4], by_hand) and np.isnan(found[4])


def test_iou_refuses_what_is_no_class():
    with pytest.raises(ValueError, match="numbered from 0 to 2"):
        vision.intersection_over_union(np.zeros((1, 2)), np.full((1, 2), 3), 3)
    with pytest.raises(ValueError, match="give two alike"):
        vision.intersection_over_union(np.zeros((1, 2)), np.zeros((2, 1)), 3)


# --- for augmentation and for pictures to be cut ----------------------------------------------------------------------
def test_random_maps_stay_within_their_ranges_and_differ(rng):
    images = np.zeros((300, 9, 9))
    images[:, 4, 4] = 1
    moved = vision.random_affine(images, rng, row=2, column=1)
    mean = np.einsum("nij,ijd->nd", moved, np.stack(np.mgrid[:9, :9], axis=-1)) - 4  # where the pixel has gone
    assert np.abs(mean[:, 0]).max() <= 2 + 1e-6 and np.abs(mean[:, 1]).max() <= 1 + 1e-6
    assert mean[:, 0].max() > 1.8 and mean[:, 0].min() < -1.8 and abs(np.corrcoef(mean.T)[0, 1]) < 0.2
    assert np.allclose(vision.random_affine(images, rng), images)


def test_random_turns_shears_and_zooms_are_those_of_affine(rng):
    images = rng.random((2, 6, 6, 1)).astype("float32")
    drawn = np.random.default_rng(1)
    got = vision.random_affine(images, np.random.default_rng(1), angle=0.5, shear=0.2, zoom=0.1)
    angle, _, _, shear, zoom = (drawn.uniform(-1, 1, 2) for _ in range(5))
    zooms = 1 + 0.1 * np.stack([zoom, zoom], axis=1)
    assert np.allclose(got, vision.warp(images, *vision.affine(0.5 * angle, (0, 0), 0.2 * shear, zooms)))
    assert got.dtype == images.dtype


def test_patches_lie_in_their_photographs(rng):
    high, wide = np.arange(50).reshape(10, 5), 100 + np.arange(60).reshape(5, 12)
    cut = vision.patches([high, wide], 200, 5, rng)
    assert cut.shape == (200, 5, 5) and {bool(one.min() >= 100) for one in cut} == {True, False}
    for one in cut:
        assert set(np.diff(one, axis=1).ravel()) == {1} and set(np.diff(one, axis=0).ravel()) <= {5, 12}
    assert vision.patches([np.zeros((8, 8, 3))], 2, 4, rng).shape == (2, 4, 4, 3)


def test_scenes_have_bright_ink_where_the_mask_says(rng):
    digits = np.zeros((40, 4, 4, 1))
    digits[:, 1:3, 1:3] = 1
    pictures, masks = vision.scenes([np.full((20, 20, 3), 0.5)], digits, np.arange(40) % 10, 12, rng)
    assert pictures.shape == (40, 12, 12, 3) and pictures.dtype == "float32" and masks.dtype == "int32"
    for i, (picture, mask) in enumerate(zip(pictures, masks, strict=True)):
        assert (mask > 0).sum() == 4 and set(np.unique(mask)) == {0, 1 + i % 10}
        assert picture[mask > 0].min() >= 0.7 and np.allclose(picture[mask == 0], 0.3)
    assert len({tuple(np.argwhere(mask)[0]) for mask in masks}) > 10
