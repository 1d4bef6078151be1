"""Small colored pictures with captions such as "red circle left", drawn here, and read back without a network.

A picture is (16, 16, 3), 0 to 1, on black. 48 captions: four colors, three shapes, four places. Eight of them,
`UNSEEN`, are kept from training, though every word of theirs stands in other captions. Born in notebook 14.
"""

import numpy as np

COLORS = {"red": (1.0, 0.15, 0.15), "green": (0.15, 1.0, 0.15), "blue": (0.25, 0.35, 1.0), "yellow": (1.0, 1.0, 0.1)}
SHAPES = ("circle", "cross", "triangle")
PLACES = {"left": (7.5, 4.0), "right": (7.5, 11.0), "above": (4.0, 7.5), "below": (11.0, 7.5)}  # row, column
CAPTIONS = [f"{color} {shape} {place}" for color in COLORS for shape in SHAPES for place in PLACES]
UNSEEN = [
    "red circle left", "red triangle below", "green cross right", "green circle above",
    "blue triangle left", "blue cross above", "yellow circle below", "yellow cross right",
]  # fmt: skip
SEEN = [caption for caption in CAPTIONS if caption not in UNSEEN]
SIZE = 3.5  # half of a shape's width, in pixels


def draw(caption, move=(0.0, 0.0)):
    """The picture of a caption, its shape moved by so many rows and columns. Raises ValueError for other captions."""
    if caption not in CAPTIONS:
        raise ValueError(f"{caption!r} is no caption: give a color, a shape and a place, such as {CAPTIONS[0]!r}")
    color, shape, place = caption.split()
    rows, columns = np.mgrid[:16, :16]
    down, right = rows - PLACES[place][0] - move[0], columns - PLACES[place][1] - move[1]
    near, far = np.minimum(abs(down), abs(right)), np.maximum(abs(down), abs(right))
    inside = {
        "circle": down**2 + right**2 <= SIZE**2,
        "cross": (near <= 1) & (far <= SIZE),
        "triangle": (abs(down) <= SIZE) & (abs(right) <= (down + SIZE) / 2),
    }[shape]
    return (inside[..., None] * np.array(COLORS[color])).astype("float32")


def pictures(n, rng, captions=SEEN):
    """n pictures (n, 16, 16, 3) with their captions: each drawn at random, its shape moved by up to a pixel."""
    chosen = [captions[i] for i in rng.integers(len(captions), size=n)]
    return np.stack([draw(caption, rng.uniform(-1, 1, 2)) for caption in chosen]), chosen


def read(images):
    """For each picture (n, 16, 16, 3) the caption that fits best: that of the nearest of all pictures, moved or not."""
    moves = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    known = np.stack([draw(caption, move) for caption in CAPTIONS for move in moves]).reshape(len(CAPTIONS) * 9, -1)
    flat = np.asarray(images, dtype="float32").reshape(len(images), -1)
    squares = (flat**2).sum(axis=1)[:, None] - 2 * flat @ known.T + (known**2).sum(axis=1)
    return [CAPTIONS[i // 9] for i in squares.argmin(axis=1)]
