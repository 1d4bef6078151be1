"""Are these bytes the true data? Turns the content of a file into arrays, or says what is wrong with it.

Nothing is ever unpickled, and what a header announces is compared with what the data set must have before any memory
is set aside for it. All arrays here are uint8, as in MNIST and its relatives.

IDX is the format MNIST was published in: two zeros, 8 for "unsigned bytes", the number of axes, the length of each axis
as a big-endian 32-bit number, then the values (http://yann.lecun.com/exdb/mnist/). Born in notebook 00.
"""

import gzip
import hashlib
import io
import math
import zipfile

_NPY_HEADER_AT_MOST = 2**14  # bytes; the real one has 128


class NotTheData(ValueError):
    """Why a file is refused, in words that go after "is refused: "."""


def read_npz(content, shapes):
    """The arrays in a .npz file.

    content: the bytes of the file.
    shapes:  {name: shape} of the uint8 arrays it must hold.

    Returns {name: array}. Raises NotTheData.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            missing = [name for name in shapes if f"{name}.npy" not in archive.namelist()]
            if missing:
                raise NotTheData(f"it holds no array {missing[0]}")
            return {name: _read_npy(archive, name, shape) for name, shape in shapes.items()}
    except NotTheData:
        raise
    except Exception as error:  # a damaged archive can make zipfile and NumPy raise nearly anything
        raise NotTheData(f"it is {_looks_like(content) or 'cut or damaged, and no whole .npz file'}") from error


def _read_npy(archive, name, shape):
    from numpy.lib import format as npy

    with archive.open(f"{name}.npy") as member:
        member = io.BytesIO(member.read(math.prod(shape) + _NPY_HEADER_AT_MOST))
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[npy.read_magic(member)]
    announced, _, dtype = read_header(member)
    if dtype.hasobject:
        raise NotTheData(f"its {name} holds pickled Python objects, and a pickle can run any code when it is opened")
    if (announced, dtype) != (shape, "uint8"):
        raise NotTheData(f"its {name} has shape {_short(announced)} and type {dtype}, not {shape} and uint8")
    member.seek(0)
    return npy.read_array(member, allow_pickle=False)


def read_idx(content, shape):
    """The array in an IDX file, plain or gzipped. Raises NotTheData.

    content: the bytes of the file.
    shape:   the shape of the uint8 array that it must hold.
    """
    import numpy as np

    header = idx_header(shape)
    whole = len(header) + math.prod(shape)
    plain = _gunzip(content, whole + 1) if content.startswith(b"\x1f\x8b") else content
    if plain[:3] != header[:3]:
        raise NotTheData(f"it is {_looks_like(plain) or 'not an IDX file of unsigned bytes'}")
    if plain[: len(header)] != header:
        raise NotTheData(f"its header announces another shape than {shape}")
    if len(plain) != whole:
        much = f"cut, with {len(plain):,} of {whole:,} bytes" if len(plain) < whole else "longer than its header says"
        raise NotTheData(f"it is {much}")
    return np.frombuffer(plain, "uint8", offset=len(header)).reshape(shape).copy()


def idx_header(shape):
    """The first bytes of an IDX file that holds a uint8 array of this shape."""
    return bytes([0, 0, 8, len(shape)]) + b"".join(length.to_bytes(4, "big") for length in shape)


def _gunzip(content, at_most):
    """The first `at_most` bytes of a gzip file, so that a small file can't unpack into a huge one."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            return file.read(at_most)
    except Exception as error:  # OSError, EOFError, zlib.error
        raise NotTheData("it is cut or damaged, and no whole gzip file") from error


def array_sha256(array):
    """sha256 of a uint8 array's shape, type and values, whatever file it came in: that of its plain IDX file."""
    return hashlib.sha256(idx_header(array.shape) + array.tobytes()).hexdigest()


def check_arrays(arrays, sha256):
    """Compare each of {name: array} with {name: sha256}. Raises NotTheData at the first that differs."""
    for name, array in arrays.items():
        if array_sha256(array) != sha256[name]:
            raise NotTheData(f"the values of {name} are not the published ones")


def check_file(content, md5):
    """Compare a file's bytes with its publisher's md5. Raises NotTheData."""
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise NotTheData(f"it is {_looks_like(content) or 'cut or altered, or another file of that name'}")


def _looks_like(content):
    """What the bytes seem to be instead of the data, or an empty string."""
    if not content.strip():
        return "empty"
    if content.lstrip()[:1] == b"<":
        return "a web page, perhaps the login page of the network"
    if content[:1] == b"\x80":
        return "a Python pickle, which can run any code when it is opened, and was not opened"
    return ""


def _short(shape):
    text = str(shape)
    return text if len(text) < 60 else text[:60] + "…"
