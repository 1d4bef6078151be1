"""What files of a model's weights take: ours, zip, gzip and lzma, against the bound that entropy sets, and the time.

`rows(model)` measures; the benchmark command prints it and keeps it with date, versions and machine.

Born in notebook 19.
"""

import gzip
import io
import lzma
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

from coursekit.compression import load_compressed, save_compressed, size_report


def rows(model, repeats=3):
    """[{coder, bytes, ratio, to_bound, encode_s, decode_s}] for the weights of a model.

    ratio is the bytes in memory over the bytes of the coder, to_bound its bytes over the bound that entropy sets; times
    are the least of `repeats`, in seconds. Ours holds the architecture as well, the others the weights alone, one array
    after the other; "ours, float16" rounds what `save_compressed` can round.
    """
    report = size_report(model)
    raw = b"".join(_bytes(weight) for weight in model.weights)
    measured = [_row("bound", report.total["bound"], report, 0.0, 0.0)]
    for name, precision in (("ours", "float32"), ("ours, float16", "float16")):
        measured.append(_row(name, *_ours(model, precision, repeats, report)))
    for name, (encode, decode) in _CODERS.items():
        content, encode_s = _timed(lambda encode=encode: encode(raw), repeats)
        again, decode_s = _timed(lambda decode=decode, content=content: decode(content), repeats)
        if again != raw:
            raise RuntimeError(f"{name} did not give back what it was given")
        measured.append(_row(name, len(content), report, encode_s, decode_s))
    return measured


def _bytes(weight):
    from keras import ops

    return np.ascontiguousarray(ops.convert_to_numpy(weight)).tobytes()


def _row(name, size, report, encode_s, decode_s):
    total = report.total
    return {
        "coder": name,
        "bytes": int(np.ceil(size)),
        "ratio": total["raw"] / max(size, 1),
        "to_bound": size / max(total["bound"], 1),
        "encode_s": encode_s,
        "decode_s": decode_s,
    }


def _ours(model, precision, repeats, report):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        save = lambda: save_compressed(model, path, codebook=precision, others=precision)
        summary, encode_s = _timed(save, repeats)
        _, decode_s = _timed(lambda: load_compressed(path), repeats)
    return summary.size, report, encode_s, decode_s


def _timed(function, repeats):
    """(what it returns, the least of its times in seconds)."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - start)
    return result, min(times)


def _zip(raw):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("weights", raw)
    return target.getvalue()


def _unzip(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read("weights")


_CODERS = {
    "zip": (_zip, _unzip),
    "gzip": (lambda raw: gzip.compress(raw, 9, mtime=0), gzip.decompress),
    "lzma": (lambda raw: lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME), lzma.decompress),
}
