"""Images as files in memory: with a palette, and as a JPEG that is no larger than given. Born in notebook 15."""

import io

import numpy as np


def png_bytes(image, palette=None):
    """How many bytes a PNG of an image (height, width, 3) takes, values 0 to 255.

    With a palette (k, 3) of at most 256 colors, `image` holds the number of each pixel's color, (height, width).
    """
    from PIL import Image

    if palette is not None and not 1 <= len(palette) <= 256:
        raise ValueError(f"the palette has {len(palette)} colors; PNG takes 1 to 256")
    picture = Image.fromarray(np.asarray(image).astype("uint8"))  # (height, width) is taken for gray
    if palette is not None:
        picture = picture.convert("P")
        picture.putpalette(np.asarray(palette).round().astype("uint8").tobytes())
    return len(_file(picture, format="PNG", optimize=True))


def jpeg_of_at_most(image, most):
    """The best JPEG of at most `most` bytes, read back: (height, width, 3), uint8.

    Quality is tried from 95 down in steps of 5. Raises ValueError where even the lowest takes more bytes.
    """
    from PIL import Image

    picture = Image.fromarray(np.asarray(image).astype("uint8"))
    for quality in (*range(95, 0, -5), 1):
        file = _file(picture, format="JPEG", quality=quality)
        if len(file) <= most:
            return np.array(Image.open(io.BytesIO(file)))
    raise ValueError(f"no JPEG of this image takes {most} bytes or fewer")


def _file(picture, **how):
    file = io.BytesIO()
    picture.save(file, **how)
    return file.getvalue()
