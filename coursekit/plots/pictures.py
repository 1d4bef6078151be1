"""Images in rows with their labels, with masks of classes under them, or with heat over them. Born in notebook 00."""

import math

import numpy as np

from coursekit.arrays import as_array
from coursekit.plots.style import figure, finish

_BACKGROUND = "#ffffff"


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
    finish(_images_caption(pictures, names, columns, low, high))


def masks(images, named, classes):
    """Draw images in a row and under each its masks, a row for each kind (such as the true and the predicted ones).

    images:  (n, height, width, 3), 0 to 1, or (n, height, width).
    named:   {name: (n, height, width) whole numbers}; 0 is the background and stays white.
    classes: the name of each number, in order.
    Raises ValueError if the shapes differ or a number has no name.
    """
    import matplotlib as mpl
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    images, rows = as_array(images), {name: as_array(values) for name, values in named.items()}
    for name, values in rows.items():
        if values.shape != images.shape[:3]:
            raise ValueError(f"{name!r} has shape {values.shape} and the images {images.shape}; give one mask for each")
        if values.min() < 0 or values.max() >= len(classes):
            raise ValueError(f"{name!r} goes from {values.min()} to {values.max()}; there are {len(classes)} classes")
    shades = mpl.colormaps["cividis"](np.linspace(0, 1, max(len(classes) - 1, 1)))
    colors = ListedColormap([_BACKGROUND, *map(tuple, shades)])
    n, side = len(images), 8.4 / (len(images) + 1.1)
    _, axes = figure(8.4, side * (len(rows) + 1), len(rows) + 1, n, squeeze=False)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    for i in range(n):
        axes[0, i].imshow(np.clip(images[i], 0, 1), cmap="gray", vmin=0, vmax=1)
        for ax, values in zip(axes[1:, i], rows.values(), strict=True):
            ax.imshow(values[i], cmap=colors, vmin=0, vmax=len(classes) - 1, interpolation="nearest")
            ax.spines[:].set_visible(True)
            held = [classes[number] for number in np.unique(values[i]) if number]
            ax.set_title(", ".join(map(str, held)), loc="center", fontsize=8)
    for ax, name in zip(axes[:, 0], ("image", *rows), strict=True):
        ax.set_ylabel(name)
    seen = sorted({int(number) for values in rows.values() for number in np.unique(values)} - {0})
    patches = [Patch(facecolor=colors(k / max(len(classes) - 1, 1)), label=str(classes[k])) for k in seen]
    if patches:
        axes[0, -1].figure.legend(handles=patches, loc="outside right center", fontsize=8)
    first, *others = rows
    words = [f"{np.mean(rows[first] == rows[name]):.1%} of all pixels agree with {first} in {name}" for name in others]
    share = np.mean(rows[first] > 0)
    said = f" {'; '.join(words)}." if words else ""
    finish(f"{n} images with their masks; {share:.0%} of {first} is not {classes[0]}.{said}")


def heat(images, maps, names=None, *, columns=None):
    """Draw maps of importance over images, each map by its own range: dark is nothing, bright its largest value.

    images: (n, height, width) or (n, height, width, 1); maps: (n, height, width), none below 0;
    names: one for each, or None. Each image stands above its map. Raises ValueError if the shapes differ.
    """
    images, maps = as_array(images), as_array(maps)
    images = images[..., 0] if images.ndim == 4 else images
    if maps.shape != images.shape:
        raise ValueError(f"maps of shape {maps.shape} for images of shape {images.shape}; give one map for each")
    if not maps.size or maps.min() < 0:
        raise ValueError("give one map or more, with no values below 0")
    names = [""] * len(images) if names is None else [str(name) for name in names]
    columns = min(columns or 6, len(images))
    lines = -(-len(images) // columns)
    ratio, side = images.shape[1] / images.shape[2], 8.4 / columns
    _, axes = figure(8.4, 2 * lines * (ratio * side + 0.2), 2 * lines, columns, squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    words = []
    for k, (image, values, name) in enumerate(zip(images, maps, names, strict=True)):
        line, column = divmod(k, columns)
        above, below = axes[2 * line, column], axes[2 * line + 1, column]
        above.imshow(image, cmap="gray")
        above.set_title(name, loc="center", fontsize=9)
        below.imshow(values, cmap="cividis", vmin=0, vmax=values.max() or 1)
        if image.max() > image.min():
            below.contour(image, levels=[(image.min() + image.max()) / 2], colors="white", linewidths=0.8)
        row, place = np.unravel_index(values.argmax(), values.shape)
        words.append(f"{name or k + 1}: brightest at row {row}, column {place}")
    finish(f"Images, and under each its map, with the outline of what is bright in the image. {'; '.join(words)}.")


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


def _images_caption(pictures, names, columns, low, high):
    sizes = sorted({"×".join(map(str, picture.shape)) for picture in pictures})
    many = f"{len(pictures)} images" if len(pictures) > 1 else "One image"
    told = [name.replace("\n", ", ") for name in _rows_once(names, columns) if name]
    labels = f": {'; '.join(told)}" if told else ""
    low, high = (_rounded(float(value), float(high) - float(low)) for value in (low, high))
    return f"{many} of {' or '.join(sizes)}, drawn from {low} (dark) to {high} (bright){labels}."


def _rows_once(names, columns):
    """The names, that of a whole row of images once; numbers, which are labels of single images, all of them."""
    told = []
    for start in range(0, len(names), columns):
        row = names[start : start + columns]
        whole = len(set(row)) == 1 and not row[0].isdigit()
        told += row if not whole else row[:1] if told[-1:] != row[:1] else []
    return told


def _rounded(value, width):
    """A number as text, to a thousandth of the width of its range."""
    return f"{round(value, max(0, 2 - math.floor(math.log10(width)))) + 0.0 if width > 0 else value:g}"
