"""Images changed, cut, put together and judged: affine maps, patches, scenes, enlargement, PSNR, IoU.

Born in notebook 07.
"""

import numpy as np

CHUNK = 2000  # images that are warped at once, to keep memory small


def affine(angle=0.0, shift=(0.0, 0.0), shear=0.0, zoom=(1.0, 1.0)):
    """The matrix (2, 2) and the shift (2,) of an affine map of the plane, rows first; or n maps at once.

    angle: in radians, positive turns anticlockwise as the picture is seen; shift: (rows, columns) in pixels, positive
    moves down and right; shear: columns moved right for each row down; zoom: (rows, columns), above 1 enlarges.
    For n maps give arrays: angle and shear (n,), shift and zoom (n, 2), and those that all maps share as for one map.
    The matrices are then (n, 2, 2) and the shifts (n, 2).
    A map takes a place of the old image, measured from its center, to matrix @ place + shift in the new one.
    """
    angle, shear, shift, zoom = (np.asarray(values, dtype=float) for values in (angle, shear, shift, zoom))
    maps = np.broadcast_shapes(angle.shape, shear.shape, shift.shape[:-1], zoom.shape[:-1])  # () or (n,)
    c, s = np.cos(angle), np.sin(angle)
    matrix = np.empty((*maps, 2, 2))  # the turn times the shear times the zoom
    matrix[..., 0, 0] = (c - s * shear) * zoom[..., 0]
    matrix[..., 0, 1] = -s * zoom[..., 1]
    matrix[..., 1, 0] = (s + c * shear) * zoom[..., 0]
    matrix[..., 1, 1] = c * zoom[..., 1]
    return matrix, np.broadcast_to(shift, (*maps, 2)).copy()


def warp(images, matrices, shifts):
    """Each image under its own affine map, by bilinear interpolation; outside there are zeros.

    images: (n, height, width) or (n, height, width, channels); matrices: (n, 2, 2); shifts: (n, 2), as `affine` makes
    them. For each new pixel the map is undone to find the old place: no pixel is left out.
    scipy.ndimage.affine_transform takes one image and one map at a time, and keras.ops.image.affine_transform runs on
    a backend; this does many images, each with its own map, in one call and on NumPy alone.
    Raises ValueError if there is not one map for each image.
    """
    images, matrices, shifts = (np.asarray(values) for values in (images, matrices, shifts))
    n, height, width = images.shape[:3]
    if matrices.shape != (n, 2, 2) or shifts.shape != (n, 2):
        raise ValueError(f"{n} images, matrices {matrices.shape} and shifts {shifts.shape}; give one map for each")
    if n > CHUNK:
        parts = [slice(start, start + CHUNK) for start in range(0, n, CHUNK)]
        return np.concatenate([warp(images[part], matrices[part], shifts[part]) for part in parts])
    center = np.array([height - 1, width - 1]) / 2
    places = np.stack(np.mgrid[:height, :width], axis=-1).reshape(1, -1, 2) - center  # (1, pixels, 2)
    old = (places - shifts[:, None]) @ np.linalg.inv(matrices).transpose(0, 2, 1) + center  # (n, pixels, 2)
    corner = np.floor(old).astype(int)
    part = (old - corner).astype(images.dtype)
    framed = np.pad(images, [(0, 0), (1, 1), (1, 1)] + [(0, 0)] * (images.ndim - 3))
    out, each = 0, np.arange(n)[:, None]
    for down, right in np.ndindex(2, 2):
        row = np.clip(corner[..., 0] + down + 1, 0, height + 1)  # the frame of zeros stands for all outside
        column = np.clip(corner[..., 1] + right + 1, 0, width + 1)
        weight = np.abs(1 - down - part[..., 0]) * np.abs(1 - right - part[..., 1])
        out = out + framed[each, row, column] * weight.reshape(weight.shape + (1,) * (images.ndim - 3))
    return out.reshape(images.shape)


def random_affine(images, rng, *, angle=0.0, row=0.0, column=0.0, shear=0.0, zoom=0.0):
    """Each image under an affine map of its own, drawn anew at each call: for augmentation.

    images: as for `warp`. The others are the largest change: angle in radians, row and column in pixels, shear in
    columns for each row, zoom as a share (0.1: from 0.9 to 1.1, height and width alike). Each is drawn evenly in both
    directions.
    """
    drawn = {name: rng.uniform(-1, 1, len(images)) for name in ("angle", "row", "column", "shear", "zoom")}
    shift = np.stack([row * drawn["row"], column * drawn["column"]], axis=1)  # (n, 2)
    larger = 1 + zoom * np.stack([drawn["zoom"], drawn["zoom"]], axis=1)  # (n, 2)
    return warp(images, *affine(angle * drawn["angle"], shift, shear * drawn["shear"], larger))


def patches(photographs, n, size, rng):
    """n square patches from random places of random ones of the photographs: (n, size, size) or (n, size, size, 3).

    photographs: a list of arrays (height, width) or (height, width, 3), all with color or all without.
    """
    cut = []
    for i in rng.integers(0, len(photographs), n):
        row, column = (rng.integers(0, side - size + 1) for side in photographs[i].shape[:2])
        cut.append(photographs[i][row : row + size, column : column + size])
    return np.stack(cut)


def scenes(photographs, digits, labels, size, rng):
    """Digits in light colors at random places of darkened photographs, and their masks.

    photographs: a list of (height, width, 3), 0 to 1; digits: (n, s, s) or (n, s, s, 1), 0 to 1, s no larger than size;
    labels: (n,). Returns pictures (n, size, size, 3) and masks (n, size, size): 0 is the background, and 1 + label
    stands where the ink is above one half.
    """
    n, s = digits.shape[:2]
    ink = np.zeros((n, size, size, 1), "float32")
    for i, (row, column) in enumerate(rng.integers(0, size - s + 1, (n, 2))):
        ink[i, row : row + s, column : column + s] = digits[i].reshape(s, s, 1)
    color = rng.uniform(0.7, 1, (n, 1, 1, 3))
    pictures = (1 - ink) * 0.6 * patches(photographs, n, size, rng) + ink * color
    masks = np.where(ink[..., 0] > 0.5, 1 + np.reshape(labels, (n, 1, 1)), 0)
    return pictures.astype("float32"), masks.astype("int32")


def bicubic_matrix(size, factor):
    """The matrix (factor · size, size) that enlarges a line of pixels by cubic convolution; edges are repeated.

    Keys (1981), "Cubic convolution interpolation for digital image processing", with a = −1/2.
    """
    rows = np.arange(factor * size)
    places = (rows + 0.5) / factor - 0.5
    start = np.floor(places).astype(int)
    matrix = np.zeros((factor * size, size))
    for offset in (-1, 0, 1, 2):
        t = np.abs(places - start - offset)
        weight = np.where(t <= 1, 1.5 * t**3 - 2.5 * t**2 + 1, -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2)
        np.add.at(matrix, (rows, np.clip(start + offset, 0, size - 1)), weight)
    return matrix


def bicubic(images, factor=2):
    """Images enlarged by a whole factor: (n, height, width, channels) to (n, factor · height, factor · width, ...)."""
    images = np.asarray(images)
    rows, columns = (bicubic_matrix(size, factor).astype(images.dtype) for size in images.shape[1:3])
    return np.einsum("ih,nhwc,jw->nijc", rows, images, columns, optimize=True)


def psnr(truth, images, peak=1.0):
    """The peak signal-to-noise ratio of each image in decibels: (n,); 10 · log10(peak² / mean squared error).

    An image without any error has infinitely many. Raises ValueError if the shapes differ.
    """
    truth, images = np.asarray(truth, dtype=float), np.asarray(images, dtype=float)
    if truth.shape != images.shape or truth.ndim < 2:
        raise ValueError(f"images of shape {images.shape} for a truth of shape {truth.shape}; give two alike")
    error = ((truth - images) ** 2).mean(axis=tuple(range(1, truth.ndim)))
    with np.errstate(divide="ignore"):
        return 10 * np.log10(peak**2 / error)


def intersection_over_union(truth, masks, classes):
    """The intersection over union of each class, (classes,), counted over all pixels of all images.

    truth, masks: whole numbers from 0 to classes − 1, of one shape. A class that neither holds is NaN, so average with
    np.nanmean. Everingham and others (2010), "The PASCAL visual object classes (VOC) challenge".
    Raises ValueError if the shapes differ or a number is no class.
    """
    truth, masks = np.asarray(truth), np.asarray(masks)
    if truth.shape != masks.shape:
        raise ValueError(f"masks of shape {masks.shape} for a truth of shape {truth.shape}; give two alike")
    both = np.stack([truth.ravel(), masks.ravel()]).astype(int)
    if both.size and not 0 <= both.min() <= both.max() < classes:
        raise ValueError(f"classes are numbered from 0 to {classes - 1}; there are {both.min()} to {both.max()}")
    counts = np.bincount(both[0] * classes + both[1], minlength=classes**2).reshape(classes, classes)
    inside = np.diag(counts)
    union = counts.sum(axis=0) + counts.sum(axis=1) - inside
    return np.where(union > 0, inside / np.maximum(union, 1), np.nan)
