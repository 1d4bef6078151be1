"""What `coursekit compress`, `inspect` and `expand` do: a saved Keras model as a small file, and back.

Born in notebook 19.
"""

import io
import lzma
import zipfile
from pathlib import Path

import numpy as np

from coursekit.console import progress, quiet, table
from coursekit.errors import CompressedFileError, CompressionError

ROWS = 256  # of the data, on which the two models' answers are compared


def compress(source, out, *, clusters=None, prune=None, data=None, epochs=3, codebook="float32", others="float32"):
    """Prune and cluster a model of Keras's own format, write it as a small file, and print what became of it.

    source:   a file of model.save, .keras or .h5
    out:      the file to write
    clusters: how many values each weight tensor may have; None for no clustering
    prune:    the share of weights that become 0, from 0 to below 1, over all layers together (LAMP); None for none
    data:     None, or an .npz file. With x alone, the answers before and after are compared on it. With x and y, the
              model is also trained on, `epochs` for each of the two steps, with the loss that it was compiled with.

    Without x and y nothing is trained: the smallest weights go, and the values are placed best (OPTIMAL).
    Returns True. Raises CompressionError and CompressedFileError, whose messages say what to do.
    """
    from coursekit import compression

    arrays = {} if data is None else read_data(data)
    with progress(4, "loading", unit="step") as bar, quiet():
        model = load(source)
        train = "y" in arrays
        if train and not model.compiled:
            raise CompressionError(
                f"{source} is not compiled, so nothing says by what loss to train it: compile it before you save "
                "it, or leave y out of the data"
            )
        bar.update()
        small = model
        if prune:
            bar.set_description("pruning")
            small = _pruned(model, prune, arrays if train else None, epochs)
        bar.update()
        if clusters is not None:
            bar.set_description("clustering")
            wrapped = compression.cluster_weights(small, clusters, "OPTIMAL", preserve_sparsity=bool(prune))
            if train:
                _train(wrapped, arrays, epochs, slower=10)
            small = compression.strip_clustering(wrapped)
        bar.update()
        bar.set_description("writing")
        summary = compression.save_compressed(small, out, codebook=codebook, others=others)
        bar.update()
    print(f"{out}: {summary.size:,} bytes; {summary.promise}")
    print(_sizes(source, model, small, summary.size))
    if arrays:
        print("\n".join(_answers(model, small, arrays)))
    return True


def inspect(path):
    """Print what the bytes of a compressed file go to: its parts, and each weight tensor. Returns True."""
    from coursekit.compression.file import account
    from coursekit.compression.reports import size_report

    with quiet():
        model, summary = account(path)
        report = size_report(model)
    weights = report.total["weights"]
    print(f"{path}: {summary.size:,} bytes for {weights:,} weights, {8 * summary.size / max(weights, 1):.2f} bits each")
    print(
        table(
            ["part", "bytes", "share"], [[k, f"{v:,.1f}", f"{v / summary.size:.1%}"] for k, v in summary.parts.items()]
        )
    )
    rows = []
    for tensor, row in zip(summary.tensors, report, strict=True):
        bits = f"{8 * tensor['bytes'] / max(row['weights'], 1):.2f}"
        shape = "×".join(map(str, row["shape"])) or "1"
        rows.append(
            [row["path"], shape, f"{row['unique']:,}", f"{row['sparsity']:.1%}", f"{tensor['bytes']:,.1f}", bits]
        )
    print()
    print(table(["tensor", "shape", "values", "zeros", "bytes", "bits each"], rows))
    return True


def expand(path, out):
    """Write the model in a compressed file in Keras's own format. Returns True."""
    from coursekit import compression

    with quiet():
        model = compression.load_compressed(path)
        try:
            model.save(out)
        except (OSError, ValueError) as error:
            raise CompressedFileError(f"{out} could not be written ({_first_line(error)})") from error
    print(f"{out}: {Path(out).stat().st_size:,} bytes; {model.count_params():,} weights; not compiled")
    return True


def load(path):
    """A model from a file of model.save. Raises CompressedFileError where Keras can't make it."""
    import keras

    import coursekit.compression  # noqa: F401  so that Keras knows the layers of clustered and pruned models

    try:
        model = keras.saving.load_model(path)
    except Exception as error:  # a file that is no model, classes that are not known here: Keras says so in many ways
        raise CompressedFileError(f"Keras can't load {path} ({_first_line(error)})") from error
    if not isinstance(model, keras.Model):
        raise CompressedFileError(f"{path} holds a {type(model).__name__} and no model")
    return model


def read_data(path):
    """{"x": ..., "y": ...} of an .npz file, y only where there is one. Raises CompressionError for another file."""
    try:
        with np.load(path, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
    except (OSError, ValueError, zipfile.BadZipFile, AttributeError) as error:
        raise CompressionError(f"{path} can't be read as an .npz file ({_first_line(error)})") from error
    names = {name: next((n for n in (name, f"{name}_train") if n in arrays), None) for name in ("x", "y")}
    if names["x"] is None:
        raise CompressionError(
            f"{path} holds {', '.join(arrays) or 'nothing'}: save inputs as x, and targets as y, with np.savez"
        )
    chosen = {name: arrays[key] for name, key in names.items() if key is not None}
    if len({len(array) for array in chosen.values()}) > 1:
        raise CompressionError(f"{path} has {len(chosen['x'])} inputs and {len(chosen['y'])} targets; give as many")
    return chosen


def _pruned(model, share, arrays, epochs):
    from coursekit import compression

    steps = 1 if arrays is None else epochs * -(-len(arrays["x"]) // 32)
    schedule = compression.ConstantSparsity(share, 0, frequency=10**9)
    if steps > 3:
        schedule = compression.PolynomialDecay(0.0, share, 0, max(steps // 2, 2), frequency=max(steps // 20, 1))
    wrapped = compression.prune_low_magnitude(model, schedule, per_layer=False, score="lamp")
    callback = compression.UpdatePruningStep()
    if arrays is not None:
        _train(wrapped, arrays, epochs, callbacks=[callback])
    else:
        callback.set_model(wrapped)
        callback.on_train_begin()
        callback.on_train_batch_begin(0)
        callback.on_train_batch_end(0)
        callback.on_train_end()
    return compression.strip_pruning(wrapped)


def _train(model, arrays, epochs, slower=1, callbacks=()):
    """Train on with what the model was compiled with; slower: by what its learning rate is divided."""
    rate = getattr(model.optimizer, "learning_rate", None)
    if slower > 1 and hasattr(rate, "assign"):
        rate.assign(rate / slower)
    model.fit(arrays["x"], arrays["y"], epochs=epochs, verbose=0, callbacks=list(callbacks))


def _sizes(source, model, small, size):
    rows = [["the file that was given", f"{Path(source).stat().st_size:,}", ""]]
    for name, one in (("its weights", model), ("the weights that are left", small)):
        raw = _raw(one)
        for kind, packed in (("as they are", raw), ("as zip", _zip(raw)), ("as xz", lzma.compress(raw, preset=9))):
            rows.append([f"{name}, {kind}", f"{len(packed):,}", f"{len(packed) / size:.1f}"])
        if one is small:
            break
    rows.append(["this file", f"{size:,}", "1.0"])
    return table(["", "bytes", "× this file"], rows)


def _raw(model):
    from keras import ops

    return b"".join(np.ascontiguousarray(ops.convert_to_numpy(weight)).tobytes() for weight in model.weights)


def _zip(content):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("weights", content)
    return packed.getvalue()


def _answers(before, after, arrays):
    """Lines on how the answers of two models differ on the data."""
    import keras

    x = arrays["x"][:ROWS]
    with quiet():
        first, second = (keras.tree.flatten(model.predict(x, verbose=0)) for model in (before, after))  # each output
        apart = max(np.abs(one.astype(float) - other).max() for one, other in zip(first, second, strict=True))
        lines = [f"on {len(x)} inputs, answers differ by at most {apart:.3g}"]
        if len(first) == 1 and first[0].ndim == 2 and first[0].shape[1] > 1:
            same = np.mean(first[0].argmax(axis=1) == second[0].argmax(axis=1))
            lines[0] += f"; {same:.1%} have their largest in the same place"
        if "y" in arrays:
            scores = [
                model.evaluate(arrays["x"], arrays["y"], verbose=0, return_dict=True) for model in (before, after)
            ]
            lines += [f"{name}: {scores[0][name]:.4g} before, {scores[1][name]:.4g} after" for name in scores[0]]
    return lines


def _first_line(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
