"""Photographs by name, each with a card: real images that need no network.

    from coursekit.datasets import PHOTOGRAPHS, photograph
    image = photograph("astronaut")       # uint8 (512, 512, 3), 0 to 255
    print(PHOTOGRAPHS["astronaut"])       # what it shows, who made it, its license

They lie inside scikit-image and scikit-learn. Taken are those whose license is free without a doubt: dedicated to the
public by their makers, or under a Creative Commons license. Not taken, of what scikit-image brings: `coins` and `ihc`
("no known copyright restrictions", and no dedication), `moon`, `page`, the motorcycle pair (nothing stated), `rocket`
(public domain by its maker's word, CC BY-NC on the page it comes from), and drawings, which are no photographs.
Importing this imports no NumPy. Born in notebook 00.
"""

import io
from dataclasses import dataclass
from difflib import get_close_matches

from coursekit.datasets.sources import read_inside
from coursekit.datasets.verify import NotTheData, check_arrays, check_file
from coursekit.errors import DataUnavailable

PHOTOGRAPHS = {}  # name -> Photograph


@dataclass(frozen=True)
class Photograph:
    """The facts about a photograph, to be read and cited."""

    name: str  # what photograph() is given
    title: str  # what it shows
    shape: tuple[int, ...]  # (height, width, 3) in color, (height, width) in gray
    author: str
    source: str  # where it comes from
    license: str
    file: str  # inside the package
    sha256: str  # of the array (as in `verify`); of a JPEG file its bytes, since decoders differ by a grey value
    package: str = "scikit-image"

    @property
    def size(self):
        """Width, height and color in words."""
        height, width = self.shape[:2]
        return f"{width} × {height}, {'color' if len(self.shape) == 3 else 'gray'}"

    def __str__(self):
        return (
            f"{self.name}: {self.title} ({self.size})\n  by {self.author}, {self.license}\n"
            f"  {self.source}, as bundled with {self.package}"
        )


def photograph(name):
    """A photograph as uint8 values from 0 to 255: (height, width, 3), red, green, blue; (height, width) if it is gray.

    name: such as "astronaut"; `list(PHOTOGRAPHS)` lists them, and `PHOTOGRAPHS[name]` is a card.

    The array is a new one each time. Raises DataUnavailable if there is no such photograph, or the package that brings
    it is not installed; DataRefused if the package's file is another one; and TypeError if `name` is not a string.
    """
    if not isinstance(name, str):
        raise TypeError(f"photograph() takes a name in quotes, such as 'astronaut', not {type(name).__name__}")
    if name not in PHOTOGRAPHS:
        raise DataUnavailable(f"there is no photograph {name!r}{_meant(name)}; there are {', '.join(PHOTOGRAPHS)}")
    card = PHOTOGRAPHS[name]
    return read_inside(card.package, card.file, f"the photograph {name}", lambda content: _decode(content, card))


def photographs_table():
    """A table in markdown of all photographs, with author and license. Loads nothing."""
    head = "| Name | What it shows | Size | Author | Source | License | Comes with |\n" + "|---" * 7 + "|"
    rows = [
        [f"`{card.name}`", card.title, card.size, card.author, card.source, card.license, card.package]
        for card in PHOTOGRAPHS.values()
    ]
    return "\n".join([head, *("| " + " | ".join(row) + " |" for row in rows)])


def _decode(content, card):
    """The array in the bytes of a PNG or JPEG file. Raises NotTheData."""
    import numpy as np
    from PIL import Image

    jpeg = card.file.endswith(".jpg")
    if jpeg:
        check_file(content, card.sha256, "sha256")
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG" if jpeg else "PNG"]) as image:
            if (image.height, image.width) != card.shape[:2]:
                raise NotTheData(f"it is an image of {image.width} × {image.height}, not {card.size}")
            array = np.array(image)
    except NotTheData:
        raise
    except Exception as error:  # a damaged file can make Pillow raise nearly anything
        raise NotTheData("it is cut or damaged, and no whole image") from error
    if not jpeg:
        check_arrays({"the image": array}, {"the image": card.sha256})
    return array


def _meant(name):
    close = get_close_matches(name.lower(), PHOTOGRAPHS, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _add(*cards):
    PHOTOGRAPHS.update({card.name: card for card in cards})


_CC0 = "CC0, dedicated to the public (as scikit-image states)"
_BY = "CC BY 2.0, https://creativecommons.org/licenses/by/2.0/"

_add(
    Photograph(
        name="china",
        title="a temple in China",
        shape=(427, 640, 3),
        author="danielbuechele",
        source="https://www.flickr.com/photos/danielbuechele/6061409035",
        license=_BY,
        file="datasets/images/china.jpg",
        sha256="8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29",
        package="scikit-learn",
    ),
    Photograph(
        name="flower",
        title="a flower",
        shape=(427, 640, 3),
        author="vultilion",
        source="https://www.flickr.com/photos/vultilion/6056698931",
        license=_BY,
        file="datasets/images/flower.jpg",
        sha256="a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638",
        package="scikit-learn",
    ),
    Photograph(
        name="astronaut",
        title="the astronaut Eileen Collins",
        shape=(512, 512, 3),
        author="NASA",
        source="NASA's Great Images, https://flic.kr/p/r9qvLn",
        license="public domain (as scikit-image states)",
        file="data/astronaut.png",
        sha256="6d8f39a7328844c5e0bb4800e252bb582de121785994c0f6e988fe5b15dfcec1",
    ),
    Photograph(
        name="chelsea",
        title="a cat's face, with fur and whiskers",
        shape=(300, 451, 3),
        author="Stefan van der Walt",
        source="given to scikit-image",
        license=_CC0,
        file="data/chelsea.png",
        sha256="5346c5c2e89af2c15237b70724a825fa4c054d7dd76c660ce18ae8a6c5900d9b",
    ),
    Photograph(
        name="coffee",
        title="a cup of coffee on wood",
        shape=(400, 600, 3),
        author="Rachel Michetti",
        source="given to scikit-image, courtesy of Pikolo Espresso Bar",
        license=_CC0,
        file="data/coffee.png",
        sha256="b448416f19024a2839422b003b1ceca40e672c8dbace37390360d326744710f2",
    ),
    Photograph(
        name="hubble_deep_field",
        title="galaxies, the farthest view of the Hubble telescope",
        shape=(872, 1000, 3),
        author="NASA",
        source="HubbleSite, http://hubblesite.org/newscenter/archive/releases/2012/37/image/a/",
        license="public domain (as scikit-image states)",
        file="data/hubble_deep_field.jpg",
        sha256="3a19c5dd8a927a9334bb1229a6d63711b1c0c767fb27e2286e7c84a3e2c2f5f4",
    ),
    Photograph(
        name="retina",
        title="the back of a healthy human eye",
        shape=(1411, 1411, 3),
        author="Mikael Häggström",
        source="https://commons.wikimedia.org/wiki/File:Fundus_photograph_of_normal_left_eye.jpg, "
        "https://doi.org/10.15347/wjm/2014.008",
        license=_CC0,
        file="data/retina.jpg",
        sha256="38a07f36f27f095e818aea7b96d34202c05176d30253c66733f2e00379e9e0e6",
    ),
    Photograph(
        name="camera",
        title="a man with a camera on a tripod",
        shape=(512, 512),
        author="Lav Varshney",
        source="given to scikit-image",
        license=_CC0,
        file="data/camera.png",
        sha256="26d52401c97d44c0caddb9d4fa26c8ff97e61defa7f350239118d91a25a55a67",
    ),
    Photograph(
        name="clock",
        title="a wall clock, blurred by moving the camera sideways",
        shape=(300, 400),
        author="Stefan van der Walt",
        source="given to scikit-image",
        license="public domain (as scikit-image states)",
        file="data/clock_motion.png",
        sha256="276b004aa55cf657780e4029a42ce7e1497b3bc0927dd9d03932c0b09af49c83",
    ),
    Photograph(
        name="cell",
        title="a cell in saline, from a digital hologram",
        shape=(660, 550),
        author="P. Müller, M. Schürmann, S. Girardo, G. Cojoc and J. Guck",
        source="Optics Express 26(8), 10729-10743 (2018), https://doi.org/10.1364/OE.26.010729",
        license=_CC0,
        file="data/cell.png",
        sha256="5483d8d3cf8c67f0c902ccae49c58a4528576812631baccd01821a7b7dc4fa22",
    ),
    Photograph(
        name="microaneurysms",
        title="vessels and lesions of a retina, a detail",
        shape=(102, 102),
        author="Andreas Maier",
        source="High-Resolution Fundus Image Database, https://www5.cs.fau.de/research/data/fundus-images/",
        license=_CC0,
        file="data/microaneurysms.png",
        sha256="d6d022bb13945a2acc2fc47cb612262c59e1e340b542e6ee0739b89775fbc938",
    ),
    Photograph(
        name="brick",
        title="texture: a brick wall",
        shape=(512, 512),
        author="CC0 Textures",
        source="https://cc0textures.com/view.php?tex=Bricks25",
        license=_CC0,
        file="data/brick.png",
        sha256="a246f8325d3b5ab828d4df4282e22e4bf497dd9b51c483281bbb98007dd753b1",
    ),
    Photograph(
        name="grass",
        title="texture: grass",
        shape=(512, 512),
        author="linolafett",
        source="https://www.deviantart.com/linolafett/art/Grass-01-434853879",
        license=_CC0,
        file="data/grass.png",
        sha256="4694b5e075e83e2238bd1bf3372197971d3b00c547172f57e7f067b6391b2f7e",
    ),
    Photograph(
        name="gravel",
        title="texture: gravel",
        shape=(512, 512),
        author="CC0 Textures",
        source="https://cc0textures.com/view.php?tex=Gravel04",
        license=_CC0,
        file="data/gravel.png",
        sha256="063aeb4593468940113b319008453b604f61a49fbb1e6d0f05b14e194ce4e2f5",
    ),
)
