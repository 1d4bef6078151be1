"""Glyphs: letters and signs in many fonts, drawn by this module; no digits among them. Born in notebook 08.

The fonts come with matplotlib: DejaVu, STIX and Computer Modern. Each glyph is fitted into a square of 20 × 20 pixels
in a frame of 28 × 28, as MNIST's digits are, then distorted: an affine map, and an elastic one after Simard, Steinkraus
and Platt (2003), "Best practices for convolutional neural networks applied to visual document analysis".

The same pins give the same images. Random numbers are those of NumPy's RandomState, whose streams are frozen, and
FreeType draws in whole numbers. Cosines, logarithms and matrix products may differ between processors, but only in
their last digits; the places that they give are rounded to 1/64 of a pixel, and gray values are read there in whole
numbers. So two processors disagree only about a place that lies within some 1e-14 pixels of the middle between two
steps. Among the 35 million places of this data set there is one with odds of less than one in ten thousand. Small as
they are, no checksum of the images is published; tests/datasets/test_glyphs.py holds one of undistorted glyphs.
"""

from functools import cache
from pathlib import Path

from coursekit.datasets.bundled import bundled
from coursekit.datasets.cards import Dataset

UPPER, LOWER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abdefghijmnqrty"  # small letters that are not just smaller capitals
GREEK, SIGNS = "ΓΔΘΛΞΠΣΦΨΩαβγδζθλμξπσφψω", "&?@#%$+=§"
CLASSES = (*UPPER, *LOWER, *GREEK, *SIGNS)

WHOLE_FONTS = (  # they have all classes
    "DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSans-Oblique.ttf",
    "DejaVuSansMono-Bold.ttf", "DejaVuSansMono-Oblique.ttf", "DejaVuSansMono-BoldOblique.ttf",
    "DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf", "DejaVuSerif-BoldItalic.ttf",
    "STIXGeneral.ttf", "STIXGeneralItalic.ttf", "STIXGeneralBolIta.ttf",
)  # fmt: skip
LATIN_FONTS = ("cmr10.ttf", "cmb10.ttf", "cmss10.ttf", "cmtt10.ttf", "cmti10.ttf")  # used for Latin letters and digits
NEWER_FONT = "cmti10.ttf"  # matplotlib 3.10 does not have it yet: there the others take its turns
TEST_FONTS = ("DejaVuSans-BoldOblique.ttf", "DejaVuSansMono.ttf", "DejaVuSerif-Italic.ttf", "STIXGeneralBol.ttf")

BOX, SIDE = 20, 28  # pixels: a glyph before distortion, and the image
POINTS = 80  # size at which a font is drawn before it is fitted into the box
STEPS = 64  # a place in a picture is a whole number of these in a pixel
CHUNK = 2000  # images distorted at once, to keep memory small


@bundled(
    name="glyphs",
    title="letters and signs in many fonts, distorted; no digits",
    task="classification",
    samples=(17760, 4440),
    shape=(28, 28),
    dtype="uint8",
    range=(0, 255),
    source="drawn by coursekit/datasets/glyphs.py with the fonts DejaVu, STIX and Computer Modern that come with "
    "matplotlib, https://matplotlib.org",
    license="images CC BY 4.0, as the course's figures; the fonts have free licenses of their own",
    classes=CLASSES,
    note="74 classes with 240 + 60 pictures each, turned, sheared, resized and warped. The four fonts of the test part "
    "are not among the 17 of the training part. Form and types are those of mnist. They are drawn at each load, which "
    "takes a few seconds. Places are rounded to 1/64 of a pixel, gray values computed in whole numbers, so the pinned "
    "versions give the same images on any processor, but for odds below one in ten thousand; hence no checksum.",
)
def glyphs(card):
    """Letters and signs: x uint8 of shape (n, 28, 28), 0 to 255; y uint8 the place in card.classes."""
    train, test = variants(CLASSES, 240), variants(CLASSES, 60, test=True, seed=1)
    return Dataset(*train, *test, card)


def variants(characters, each, *, test=False, seed=0):
    """`each` distorted pictures of every character: x (n, 28, 28) uint8, ink 255 on 0; y (n,) uint8, its place.

    characters: letters, digits or signs, one after the other; test: in the four fonts that training never uses.
    The fonts take turns, so each is used equally often. Raises ValueError where a font lacks a character.
    """
    import numpy as np

    pictures, labels, drawn = [], [], {}
    for label, character in enumerate(characters):
        fonts = fonts_for(character, test=test)
        for i in range(each):
            key = character, fonts[i % len(fonts)]
            if key not in drawn:
                drawn[key] = draw(*key)
            pictures.append(drawn[key])
            labels.append(label)
    random = np.random.RandomState(seed)
    parts = range(0, len(pictures), CHUNK)
    x = np.concatenate([distort(np.stack(pictures[i : i + CHUNK]), random) for i in parts])
    order = random.permutation(len(x))
    return x[order], np.array(labels, dtype="uint8")[order]


def fonts_for(character, *, test=False):
    """The names of the font files in which a character is drawn, for the training or for the test part."""
    if test:
        return TEST_FONTS
    if not (character.isascii() and character.isalnum()):
        return WHOLE_FONTS
    return WHOLE_FONTS + tuple(font for font in LATIN_FONTS if font != NEWER_FONT or _file(font).is_file())


def draw(character, font):
    """One glyph as a picture, uint8 (28, 28): its longer side has 20 pixels, and it stands in the middle.

    Raises ValueError if the font has no such character, or draws nothing for it.
    """
    import numpy as np
    from PIL import Image, ImageDraw

    pen, table = _opened(font)
    if len(character) != 1 or not table.get_char_index(ord(character)):
        raise ValueError(f"{font} has no glyph {character!r}; give one character that it has, such as 'A'")
    sheet = Image.new("L", (4 * POINTS, 4 * POINTS))
    ImageDraw.Draw(sheet).text((POINTS, POINTS), character, fill=255, font=pen)
    if sheet.getbbox() is None:
        raise ValueError(f"{font} draws nothing for {character!r}; give a character with ink, such as 'A'")
    ink = sheet.crop(sheet.getbbox())
    size = [max(1, round(side * BOX / max(ink.size))) for side in ink.size]  # (width, height)
    picture = np.zeros((SIDE, SIDE), dtype="uint8")
    top, left = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
    fitted = ink.resize(size, Image.Resampling.BOX)  # each pixel is the mean of those under it
    picture[top : top + size[1], left : left + size[0]] = np.array(fitted)
    return picture


def _file(font):
    from matplotlib import get_data_path

    return Path(get_data_path()) / "fonts" / "ttf" / font


@cache
def _opened(font):
    """A font of matplotlib's, ready to draw with, and the table of its characters."""
    from matplotlib.ft2font import FT2Font
    from PIL import ImageFont

    file = str(_file(font))
    return ImageFont.truetype(file, POINTS, layout_engine=ImageFont.Layout.BASIC), FT2Font(file)


def distort(pictures, random):
    """Each picture (n, 28, 28) under a map of its own, uint8: turned, sheared, resized, moved, and warped as rubber.

    random: a numpy.random.RandomState. For each new pixel the map says from where in the old picture it comes.
    """
    import numpy as np

    n = len(pictures)
    places = np.stack(np.mgrid[:SIDE, :SIDE], axis=-1).reshape(-1, 2) - (SIDE - 1) / 2  # (784, 2)
    angle, shear = random.uniform(-0.25, 0.25, n), random.uniform(-0.3, 0.3, n)
    zoom = random.uniform(0.8, 1.1, (n, 2))
    shift = random.uniform(-1.5, 1.5, (n, 1, 2))  # pixels
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.stack([cos, -sin, sin, cos], axis=-1).reshape(n, 2, 2)
    slant = np.zeros((n, 2, 2)) + np.eye(2)
    slant[:, 1, 0] = shear
    back = turn @ slant / zoom[:, None]  # (n, 2, 2)
    moved = places - shift  # (n, 784, 2)
    old = moved[..., :1] * back[:, None, :, 0] + moved[..., 1:] * back[:, None, :, 1]
    old += elastic_distortion(n, random) + (SIDE - 1) / 2
    return sampled(pictures, np.rint(old * STEPS).astype("int32")).reshape(n, SIDE, SIDE)


def elastic_distortion(n, random, spread=4.0, strength=0.9):
    """Smooth random displacements (n, 784, 2), in pixels: white noise, blurred with a Gaussian of deviation `spread`.

    strength: about the typical displacement, in pixels; each picture has its own, between nothing and twice that.
    """
    import numpy as np

    apart = np.subtract.outer(np.arange(SIDE), np.arange(SIDE))
    blur = np.exp(-0.5 * (apart / spread) ** 2)
    blur /= np.sqrt((blur**2).sum(axis=1, keepdims=True))  # so that unit noise stays of unit size
    smooth = blur @ random.standard_normal((n, 2, SIDE, SIDE)) @ blur.T
    strengths = random.uniform(0, 2 * strength, (n, 1, 1))
    return smooth.reshape(n, 2, -1).transpose(0, 2, 1) * strengths


def sampled(pictures, places):
    """The gray at `places` (n, m, 2) of pictures (n, 28, 28), uint8 (n, m), interpolated linearly; outside there is 0.

    places: whole numbers, in 1/64 of a pixel (STEPS). All arithmetic is of whole numbers, so it is exact.
    """
    import numpy as np

    framed = np.pad(pictures, ((0, 0), (1, 1), (1, 1))).astype("int32")
    places = np.clip(places + STEPS, 0, (SIDE + 1) * STEPS)  # the frame of zeros stands for all outside
    corner = np.minimum(places // STEPS, SIDE)
    row, column = np.moveaxis(places - corner * STEPS, -1, 0)  # how far beyond the corner, 0 to 64
    first = corner[..., 0] * (SIDE + 2) + corner[..., 1] + framed[0].size * np.arange(len(pictures))[:, None]
    corners = [framed.ravel()[first + step] for step in (0, 1, SIDE + 2, SIDE + 3)]  # and its neighbors
    upper, lower = (left * (STEPS - column) + right * column for left, right in (corners[:2], corners[2:]))
    total = upper * (STEPS - row) + lower * row
    return ((total + STEPS**2 // 2) // STEPS**2).astype("uint8")  # a half, to round to the nearest
