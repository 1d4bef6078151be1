"""Images in rows, each with its label above it. Born in notebook 00."""

import numpy as np

from coursekit.arrays import as_array
from coursekit.plots.style import figure, finish


def images(images, labels=None, *, columns=None, width=7.4, value_range=None):
    """Draw images in rows, each with its label above it.

    images:      an array (n, height, width), (n, height, width, 1) or (n, height, width, 3), or a list of such images,
                 which may then differ in size. Whole numbers of type uint8 with color are shown as they are.
    labels:      one for each image (strings or numbers), or None.
    columns:     images in a row; by default up to ten, fewer where they are wide or their labels long.
    width:       of the figure, in inches.
    value_range: (low, high), the values drawn as black and as white. By default 0 to 255 for color images of type
                 uint8, 0 to 1 for color images of a float type (values outside are cut), and the least and greatest
                 value of all images for those without color.

    Raises ValueError if an image has another shape, if there is none, or if the labels are not as many as the images.
    """
    pictures = [_as_picture(one, i) for i, one in enumerate(_listed(images))]
    names = [""] * len(pictures) if labels is None else [str(one) for one in _listed(labels)]
    if not pictures:
        raise ValueError("there is no image to draw; give at least one")
    if len(names) != len(pictures):
        raise ValueError(f"{len(pictures)} images and {len(names)} labels; give one label for each image")
    low, high = _limits(pictures) if value_range is None else value_range
    columns = min(columns or _columns(pictures, names), len(pictures))
    rows = -(-len(pictures) // columns)
    tallest = max(picture.shape[0] / picture.shape[1] for picture in pictures)
    lines = 1 + max(name.count("\n") for name in names)
    height = rows * (width / columns * tallest + (0.17 * lines + 0.05 if any(names) else 0.05))
    _, axes = figure(width, height, rows, columns, squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, picture, name in zip(axes.flat, pictures, names, strict=False):
        smoothing = "antialiased" if picture.shape[1] > 80 * width / columns else "nearest"  # larger than drawn
        if picture.ndim == 3:
            scaled = (picture.astype("float64") - low) / (high - low if high > low else 1)
            ax.imshow(np.clip(scaled, 0, 1), interpolation=smoothing)
        else:
            ax.imshow(picture, cmap="gray", vmin=low, vmax=high, interpolation=smoothing)
        ax.set_title(name, loc="center", fontsize=9)
    finish(_images_caption(pictures, names, low, high))


def _listed(things):
    """A list of the entries of an array, a tensor or a sequence."""
    return list(as_array(things)) if hasattr(things, "shape") else list(things)


def _as_picture(image, i):
    """The image as an array (height, width) or (height, width, 3)."""
    picture = as_array(image)
    if picture.ndim == 3 and picture.shape[-1] == 1:
        picture = picture[..., 0]
    if picture.ndim == 2 or (picture.ndim == 3 and picture.shape[-1] == 3):
        return picture
    hint = "; its channels come first: move them to the end" if picture.ndim == 3 and picture.shape[0] in (1, 3) else ""
    raise ValueError(
        f"image {i} has shape {picture.shape}, and an image is (height, width), (height, width, 1) or "
        f"(height, width, 3){hint}"
    )


def _limits(pictures):
    if any(picture.ndim == 3 for picture in pictures):
        return (0, 255) if all(np.issubdtype(picture.dtype, np.integer) for picture in pictures) else (0, 1)
    return min(picture.min() for picture in pictures), max(picture.max() for picture in pictures)


def _columns(pictures, names):
    widest = max(picture.shape[1] / picture.shape[0] for picture in pictures)
    longest = max(len(line) for name in names for line in name.split("\n"))
    return max(1, min(10, int(10 / widest) if widest > 1.2 else 10, 110 // max(longest, 1)))


def _images_caption(pictures, names, low, high):
    sizes = sorted({"×".join(map(str, picture.shape)) for picture in pictures})
    many = f"{len(pictures)} images" if len(pictures) > 1 else "One image"
    told = [name.replace("\n", ", ") for name in names if name]
    labels = f": {'; '.join(told)}" if told else ""
    return f"{many} of {' or '.join(sizes)}, drawn from {low:g} (dark) to {high:g} (bright){labels}."
