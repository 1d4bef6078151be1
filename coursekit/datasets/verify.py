"""Are these bytes the true data? Turns the content of a file into arrays, or says what is wrong with it.

Nothing is ever unpickled, and what a header announces is compared with what the data set must have before any memory
is set aside for it. The arrays here are uint8, as in MNIST and its relatives, or float64.

IDX is the format MNIST was published in: two zeros, a number for the type (8 for unsigned bytes), the number of axes,
the length of each axis as a big-endian 32-bit number, then the values (http://yann.lecun.com/exdb/mnist/). Born in
notebook 00.
"""

import gzip
import hashlib
import io
import math
import warnings
import zipfile

_NPY_HEADER_AT_MOST = 2**14  # bytes; the real one has 128
_IDX_TYPES = {"uint8": 0x08, "float64": 0x0E}


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
            return {name: _member(archive, name, shape) for name, shape in shapes.items()}
    except NotTheData:
        raise
    except Exception as error:  # a damaged archive can make zipfile and NumPy raise nearly anything
        raise NotTheData(f"it is {_looks_like(content) or 'cut or damaged, and no whole .npz file'}") from error


def _member(archive, name, shape):
    with archive.open(f"{name}.npy") as member:
        return _read_npy(member.read(math.prod(shape) + _NPY_HEADER_AT_MOST), shape, "uint8", f"its {name}")


def read_npy(content, shape, dtype):
    """The array in a .npy file, which must have this shape and type. Raises NotTheData.

    content: the bytes of the file.
    """
    try:
        return _read_npy(content, shape, dtype, "it")
    except NotTheData:
        raise
    except Exception as error:  # a damaged header can make NumPy raise nearly anything
        raise NotTheData(f"it is {_looks_like(content) or 'cut or damaged, and no whole .npy file'}") from error


def _read_npy(content, shape, dtype, what):
    from numpy.lib import format as npy

    file = io.BytesIO(content)
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[npy.read_magic(file)]
    announced, _, found = read_header(file)
    if found.hasobject:
        raise NotTheData(f"{what} holds pickled Python objects, and a pickle can run any code when it is opened")
    if (announced, found) != (shape, dtype):
        raise NotTheData(f"{what} has shape {_short(announced)} and type {found}, not {shape} and {dtype}")
    file.seek(0)
    return npy.read_array(file, allow_pickle=False)


def read_csv(content, shape):
    """The table of whole numbers from 0 to 255 in a gzipped file of comma-separated values. Raises NotTheData.

    content: the bytes of the file.
    shape:   (rows, columns) that it must have.

    Returns a uint8 array.
    """
    import numpy as np

    at_most = 4 * math.prod(shape)  # three digits and a comma for each number
    plain = _gunzip(content, at_most + 1)
    if not plain.strip() or len(plain) > at_most:
        raise NotTheData(f"it is {'longer than its table' if plain.strip() else 'empty'}")
    try:
        with warnings.catch_warnings(action="error"):  # NumPy 2.1 rounds a 1.5 and only warns of it
            table = np.loadtxt(io.BytesIO(plain), delimiter=",", dtype="uint8", comments=None, ndmin=2)
    except Exception as error:  # ValueError, OverflowError, UnicodeDecodeError, a warning
        raise NotTheData("it is cut or damaged, and no table of whole numbers from 0 to 255") from error
    if table.shape != shape:
        raise NotTheData(f"it holds a table of {table.shape}, not {shape}")
    return table


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


def idx_header(shape, dtype="uint8"):
    """The first bytes of an IDX file that holds an array of this shape and type."""
    return bytes([0, 0, _IDX_TYPES[dtype], len(shape)]) + b"".join(length.to_bytes(4, "big") for length in shape)


def _gunzip(content, at_most):
    """The first `at_most` bytes of a gzip file, so that a small file can't unpack into a huge one."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            return file.read(at_most)
    except Exception as error:  # OSError, EOFError, zlib.error
        raise NotTheData("it is cut or damaged, and no whole gzip file") from error


def array_sha256(array):
    """sha256 of an array's shape, type and values, whatever file it came in: that of its plain IDX file.

    array: uint8 or float64.
    """
    values = array.astype(array.dtype.newbyteorder(">"), copy=False)
    return hashlib.sha256(idx_header(array.shape, array.dtype.name) + values.tobytes()).hexdigest()


def check_arrays(arrays, sha256):
    """Compare each of {name: array} with {name: sha256}. Raises NotTheData at the first that differs."""
    for name, array in arrays.items():
        if array.dtype.name not in _IDX_TYPES or array_sha256(array) != sha256[name]:
            raise NotTheData(f"the values of {name} are not the published ones")


def check_file(content, digest, kind="md5"):
    """Compare a file's bytes with its publisher's digest ("md5" or "sha256"). Raises NotTheData."""
    if hashlib.new(kind, content, usedforsecurity=False).hexdigest() != digest:
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
