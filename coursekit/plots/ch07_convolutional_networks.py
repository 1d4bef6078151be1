"""Pictures and what a network says of each place in them: masks of classes, and heat over an image. Notebook 07."""

import numpy as np

from coursekit.arrays import as_array
from coursekit.plots.style import figure, finish

_BACKGROUND = "#ffffff"


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
            for number in np.unique(values[i])[1 if 0 in values[i] else 0 :]:
                place = np.argwhere(values[i] == number).mean(axis=0)
                if (values[i] == number).sum() > values[i].size / 100:
                    box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
                    ax.text(*place[::-1], classes[number], ha="center", va="center", fontsize=8, bbox=box)
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
