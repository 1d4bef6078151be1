"""The same small network as LiteRT and as ONNX: how much each format keeps of what the course's own file gains.

The networks are those that stand as files in data/compressed, and the dense one that they were made from. Each is
written in every format; the bytes are counted plain, zipped and as xz. Then the file is read again: how many different
values do its kernels still have, how many zeros, and what does it answer to test images, through the interpreter of
LiteRT or through ONNX Runtime?

ONNX files need packages that the course does not bring. Born in notebook 19.
"""

import importlib.util
import lzma
import tempfile
import warnings
from pathlib import Path

import numpy as np

from coursekit import compression, console
from coursekit.compression import litert
from coursekit.errors import CoursekitError
from coursekit.experiments import tfmot
from coursekit.experiments.common import (
    add_missing,
    dense_network,
    logits_of,
    mnist,
    places,
    weight_statistics,
)
from coursekit.paths import data_dir
from coursekit.records import read_lines, versions

SEED, IMAGES = 0, 500  # the networks are of this seed; the first test images are those that are answered
NETWORKS = {
    "dense": None,  # trained anew, for its weights stand in no file
    "14 values": "reference/coursekit-linear.ckw",
    "80 % pruned": "pipeline/pruned.ckw",
    "80 % pruned, 14 values": "pipeline/pruned-clustered.ckw",
    "98 % pruned, 9 values": "smallest/200-0.ckw",
    "99.5 % pruned, 9 values": "smallest/555-0.ckw",
}
LITE = {
    "LiteRT float32": {},
    "LiteRT float16": {"kind": "float16"},
    "LiteRT int8": {"kind": "dynamic"},  # a step for each filter or unit
    "LiteRT int8, one step": {"kind": "dynamic", "per_channel": False},  # a step for each kernel
}
FORMATS = (".ckw", ".keras", *LITE, "ONNX float32")
NEEDED = ("onnx", "onnxruntime", "tf2onnx")
WAYS = ("plain", "zip", "xz")


def check():
    """Refuse to begin where a package is missing, or with another backend. Raises CoursekitError."""
    import keras

    if keras.backend.backend() != "tensorflow":
        raise CoursekitError("LiteRT files are made with TensorFlow: KERAS_BACKEND=tensorflow coursekit experiment …")
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise CoursekitError(
            f"this experiment needs {', '.join(missing)}, which the course does not bring: `pip install "
            f"{' '.join(missing)}` in an environment of its own. The kept records can be read without"
        )


# --- files ------------------------------------------------------------------------------------------------------------
def lite_files(model):
    """{format: content} of the LiteRT files of a Keras 3 model: bytes."""
    return {name: litert.convert(model, **settings) for name, settings in LITE.items()}


def written(model):
    """{format: content} of all files of a model: bytes. Layer names are left out of the course's own file."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
        files = {name: Path(folder) / f"model{name}" for name in (".ckw", ".keras", ".onnx")}
        compression.save_compressed(model, files[".ckw"], names=False)
        model.save(files[".keras"])
        with console.quiet():
            model.export(str(files[".onnx"]), format="onnx", verbose=False)
        ours, keras_file, onnx_file = (file.read_bytes() for file in files.values())
    return {".ckw": ours, ".keras": keras_file, **lite_files(model), "ONNX float32": onnx_file}


def sizes(content):
    """{"plain", "zip", "xz"}: how many bytes a file has, and what the methods of zip files (deflate) and xz leave."""
    xz = lzma.compress(content, preset=9 | lzma.PRESET_EXTREME)
    return dict(zip(WAYS, (len(content), tfmot.zipped(content), len(xz)), strict=True))


# --- what the files hold, and what they answer ------------------------------------------------------------------------
def lite_kernels(content, model):
    """The kernels in a LiteRT file, float or codes, in the order of the model's and with their own order of axes."""
    found = [litert.weights_in(content, kernel.shape) for kernel in model.get_weights()[::2]]
    return [one.astype(np.float32) if one.dtype == np.float16 else one for one in found]  # see `size_report`


def onnx_kernels(content, model):
    """The same of an ONNX file. Kernels are recognized by their sizes. Raises ValueError where that is not unique."""
    import onnx

    stored = [onnx.numpy_helper.to_array(one) for one in onnx.load_from_string(content).graph.initializer]
    kernels = []
    for kernel in model.get_weights()[::2]:
        matches = [array for array in stored if sorted(array.shape) == sorted(kernel.shape)]
        if len(matches) != 1:
            raise ValueError(f"the ONNX file has {len(matches)} tensors of the size {kernel.shape}, not one")
        kernels += matches
    return kernels


def onnx_logits(content, x):
    """What the network in an ONNX file says of images (n, 28, 28, 1): (n, 10)."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def compared(logits, exact):
    """{"difference": the largest between logits (n, 10) and exact ones, "same": how many images get the same answer}"""
    same = int((logits.argmax(axis=1) == exact.argmax(axis=1)).sum())
    return {"difference": float(f"{np.abs(logits - exact).max():.3g}"), "same": same}


def lite_measured(model, files, x):
    """{format: `sizes`, `weight_statistics` of what it holds, and `compared`} of the LiteRT files of a model."""
    exact, measured = logits_of(model, x), {}
    for name, content in files.items():
        measured[name] = sizes(content) | weight_statistics(lite_kernels(content, model))
        measured[name] |= compared(litert.run(content, x), exact)
    return measured


# --- the experiment ---------------------------------------------------------------------------------------------------
def network(name, train, work):
    """The model of this name, built as the first one of a session: its layers are not named by what was made before."""
    import keras

    keras.backend.clear_session()
    if NETWORKS[name] is None:
        return dense_network(SEED, train, work)[0]
    return compression.load_compressed(data_dir() / "compressed" / NETWORKS[name])


def record(name, data, work):
    """Write a network in all formats and look at each file: the rest of a line for data/results/exports.jsonl."""
    model, x = network(name, data["train"], work), data["test"][0][:IMAGES]
    files = written(model)
    if NETWORKS[name]:
        files[".ckw"] = (data_dir() / "compressed" / NETWORKS[name]).read_bytes()  # the file itself
    formats = {form: sizes(files[form]) | weight_statistics(model.get_weights()[::2]) for form in (".ckw", ".keras")}
    formats |= lite_measured(model, {form: files[form] for form in LITE}, x)
    last = files["ONNX float32"]
    formats["ONNX float32"] = sizes(last) | weight_statistics(onnx_kernels(last, model))
    formats["ONNX float32"] |= compared(onnx_logits(last, x), logits_of(model, x))
    return {
        "parameters": model.count_params(),
        "images": len(x),
        "largest_logit": round(float(np.abs(logits_of(model, x)).max()), 2),
        "formats": formats,
        "packages": versions(NEEDED),
    }


def run(work=None, results=None):
    """Make the records that are missing, network by network. Returns True. The dense network takes minutes to train.

    work, results: see `places`. Raises CoursekitError where a package is missing.
    """
    check()
    work, results, _ = places("exports", work, results)
    data = mnist()
    wanted = [{"network": name, "file": file, "seed": SEED} for name, file in NETWORKS.items()]
    return add_missing(results, wanted, lambda key: record(key["network"], data, work), as_text)


# --- what is shown ----------------------------------------------------------------------------------------------------
def kept(results=None):
    """{network: record}, the newest of each, in the order of NETWORKS."""
    lines = read_lines(results or data_dir() / "results" / "exports.jsonl")
    by_name = {line["network"]: line for line in lines}
    return {name: by_name[name] for name in NETWORKS if name in by_name}


def table(results=None):
    """The kept records as text: of each network a row for each format, with bytes, how many times the smallest of them
    is larger than the course's file, values and zeros of the kernels, and how the answers differ."""
    lines = kept(results)
    if not lines:
        return "no record yet: coursekit experiment exports"
    return "\n\n".join(as_text(line) for line in lines.values())


def as_text(line):
    """A record as a table."""
    heads = ["format", *WAYS, "× .ckw", "values", "zeros", "difference", "same"]
    ours, rows = line["formats"][".ckw"]["plain"], []
    for name, of in line["formats"].items():
        row = [name, *(f"{of[way]:,}" for way in WAYS), f"{min(of[way] for way in WAYS) / ours:.2f}"]
        row += [" ".join(f"{count:,}" for count in of["values"]), f"{of['zeros']:.3f}"]
        rows.append(row + ([f"{of['difference']:.2g}", f"{of['same']} of {line['images']}"] if "same" in of else []))
    return f"{line['network']}\n" + console.table(heads, rows)


def page_table(results=None):
    """The kept records as the table of docs/compression.md, in Markdown: a column for each network, and for each format
    a row of its bytes zipped and one of its bytes as xz, with how many times larger than the course's file that is.

    The bytes as they are stand once for a format, those of the first network: others differ only by its own names.
    """
    lines = kept(results)
    rows = [["", "as it is", *lines], ["---", *["---:"] * (1 + len(lines))]]
    rows.append(["`.ckw`", "", *(f"{line['formats']['.ckw']['plain']:,}" for line in lines.values())])
    for name in FORMATS[1:]:
        for way in ("zip", "xz"):
            found = [line["formats"][name] for line in lines.values()]
            plain = f"{found[0]['plain']:,}" if found and way == "zip" else ""
            times = times_larger(name, way, results).values()
            cells = [f"{of[way]:,} ({ratio:.1f})" for of, ratio in zip(found, times, strict=True)]
            rows.append([f"{f'`{name}`' if name == '.keras' else name}, {way}", plain, *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def times_larger(name, way, results=None):
    """{network: how many times larger than the course's file} a format's file is that was packed in this way."""
    lines = {network: line["formats"] for network, line in kept(results).items()}
    return {network: of[name][way] / of[".ckw"]["plain"] for network, of in lines.items()}
