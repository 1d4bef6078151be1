"""What `coursekit compress`, `inspect` and `expand` do: a saved Keras model as a small file, and back.

Born in notebook 19.
"""

import io
import lzma
import zipfile
import zlib
from pathlib import Path

import numpy as np

from coursekit.console import progress, quiet, table
from coursekit.errors import CompressedFileError, CompressionError

ROWS = 256  # of the data, on which the two models' answers are compared
BATCH = 32  # of fit
EPOCHS, EPOCHS_FOR_SIZE = 3, 20  # for each step of pruning and clustering, and of training for size
FIRST_PRICE = 1e-5  # of a bit, where a budget then moves it
_UNREADABLE = (  # what np.load raises for a file that is damaged, locked, empty or no .npz
    *(OSError, EOFError, ValueError, TypeError, AttributeError, RuntimeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error),
)


def compress(
    source,
    out,
    *,
    clusters=None,
    prune=None,
    pattern=None,
    blocks=None,
    price=None,
    budget=None,
    data=None,
    epochs=None,
    codebook="float32",
    others="float32",
):
    """Prune and cluster a model of Keras's own format, or train it for size, and write it as a small file.

    source:   a file of model.save, .keras or .h5
    out:      the file to write
    clusters: how many values each weight tensor may have; None for no clustering
    prune:    the share of weights that become 0, from 0 to below 1; None for none. Over all layers together (LAMP);
              with blocks, of the blocks of each tensor.
    pattern:  (m, n) for m zeros in each n weights along the input axis, in place of a share; None for none
    blocks:   (height, width) of the blocks of a matrix that are pruned as one; None for single weights
    price:    what a bit costs in units of the loss, to train for size instead (penalize_entropy); None for not
    budget:   bytes that the file may have, to train for size at a price that is moved until they are met; None for none
    data:     None, or an .npz file. With x alone, the answers before and after are compared on it. With x and y, the
              model is also trained on, with the loss that it was compiled with.
    epochs:   of training, for each of the steps; None for EPOCHS, or EPOCHS_FOR_SIZE where it is trained for size

    Without x and y nothing is trained: the smallest weights go, and the values are placed best (OPTIMAL). Layers that
    can't have the pattern or the blocks stay as they are, and are named. What became of the model is printed.
    Returns whether the file is within the budget, if there is one. Raises CompressionError and CompressedFileError,
    whose messages say what to do.
    """
    from coursekit import compression

    for_size = price is not None or budget is not None
    _check_asked(clusters, prune, pattern, blocks, price, budget, data)
    arrays = {} if data is None else read_data(data)
    _check_targets(arrays, for_size, data)
    epochs = epochs or (EPOCHS_FOR_SIZE if for_size else EPOCHS)
    precision = {"codebook": codebook, "others": others}
    with progress(2 + (epochs if for_size else 2), "loading", unit="step") as bar, quiet():
        model = load(source)
        if "y" in arrays and not model.compiled:
            raise CompressionError(
                f"{source} is not compiled, or in a way that can't be read here, so nothing says by what loss to train "
                "it: compile it with a loss of Keras's own and save it as .keras, or leave y out of the data"
            )
        if arrays:
            _check_fits(model, arrays, data)
            _forget(model)
        bar.update()
        lines = []
        if for_size:
            bar.set_description("training for size")
            small = _trained_for_size(model, price, budget, arrays, epochs, precision, bar)
        else:
            rule, lines = _rule_for(model, pattern, blocks, source)
            small = _pruned_and_clustered(model, clusters, prune, pattern, blocks, rule, arrays, epochs, bar)
        bar.set_description("writing")
        _forget(small)
        summary = compression.save_compressed(small, out, **precision)
        bar.update()
    print(f"{out}: {summary.size:,} bytes; {summary.promise}")
    print(_sizes(source, model, small, summary.size))
    if arrays:
        lines += _answers(model, small, arrays)
    met = budget is None or summary.size <= budget
    if not met:
        lines += [f"the budget of {budget:,} bytes was not met: give more --epochs, or a larger --budget"]
    print("\n".join(lines), end="\n" if lines else "")
    return met


def _check_asked(clusters, prune, pattern, blocks, price, budget, data):
    """Refuse options that contradict each other, or that lack another."""
    given = {"--clusters": clusters, "--prune": prune, "--pattern": pattern, "--blocks": blocks}
    others = [name for name, value in given.items() if value is not None]
    sized = next((name for name, value in (("--price", price), ("--budget", budget)) if value is not None), None)
    if price is not None and budget is not None:
        raise CompressionError("--price says what a bit costs, and --budget finds it out: give one of them")
    if sized and others:
        raise CompressionError(f"{sized} trains for size, which decides on zeros and values: leave out {others[0]}")
    if sized and data is None:
        raise CompressionError(f"{sized} trains the model for size: give --data, an .npz file with x and y")
    if pattern is not None and blocks is not None:
        raise CompressionError("--pattern and --blocks are two ways to prune: give one of them")
    if pattern is not None and prune is not None:
        m, n = pattern
        raise CompressionError(f"--pattern {m}:{n} prunes {m} of {n} weights, a share by itself: leave out --prune")
    if blocks is not None and not prune:
        raise CompressionError("--blocks says in what pieces weights go, and not how many: give --prune as well")


def _check_targets(arrays, for_size, data):
    if for_size and "y" not in arrays:
        raise CompressionError(f"{data} holds no targets, and training for size needs them: save y beside x")


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
        try:
            model = keras.saving.load_model(path, compile=False)  # with a loss of one's own, say
        except Exception:
            raise CompressedFileError(f"Keras can't load {path} ({_first_line(error)})") from error
    if not isinstance(model, keras.Model):
        raise CompressedFileError(f"{path} holds a {type(model).__name__} and no model")
    return model


def read_data(path):
    """{"x": ..., "y": ...} of an .npz file, y only where there is one. Raises CompressionError for another file."""
    try:
        with np.load(path, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
    except _UNREADABLE as error:
        raise CompressionError(f"{path} can't be read as an .npz file ({_first_line(error)})") from error
    names = {name: next((n for n in (name, f"{name}_train") if n in arrays), None) for name in ("x", "y")}
    if names["x"] is None:
        raise CompressionError(
            f"{path} holds {', '.join(arrays) or 'nothing'}: save inputs as x, and targets as y, with np.savez"
        )
    chosen = {name: arrays[key] for name, key in names.items() if key is not None}
    if not all(array.ndim and len(array) for array in chosen.values()):
        raise CompressionError(f"{path} has no rows: save x, and y, with one row for each example")
    if len({len(array) for array in chosen.values()}) > 1:
        raise CompressionError(f"{path} has {len(chosen['x'])} inputs and {len(chosen['y'])} targets; give as many")
    return chosen


def _check_fits(model, arrays, data):
    """Refuse data on which the model can't be run, or from which it can't be trained, before any work is done."""
    x, y = arrays["x"][:ROWS], arrays.get("y", ())[:ROWS]
    inputs = getattr(model, "inputs", None) or []
    takes = f"takes {', '.join(str(tuple(one.shape)) for one in inputs)}, and " if inputs else ""
    try:
        model.predict(x, verbose=0)
    except Exception as error:  # each layer, and each backend, says in its own way what it doesn't take
        raise CompressionError(
            f"the model can't be run on x of {data}: it {takes}x is {x.shape} of {x.dtype}. Give rows as it takes "
            "them, with numbers that its embeddings have; compress a model of several inputs in Python"
        ) from error
    try:
        if len(y):
            model.evaluate(x, y, verbose=0)
    except Exception as error:  # each loss says in its own way what it doesn't take
        raise CompressionError(
            f"the model can't be trained on y of {data}, which is {y.shape} of {y.dtype}: its answers are "
            f"{tuple(model.output_shape)}. Give targets as its loss takes them, or leave y out"
        ) from error


def _forget(model):
    """Put to zero what stateful recurrent layers keep of the batches that they have seen, which a file doesn't hold."""
    from coursekit.compression.model_copy import kept_states

    for _, state in kept_states(model):
        state.assign(np.zeros(state.shape))


def _pruned_and_clustered(model, clusters, prune, pattern, blocks, rule, arrays, epochs, bar):
    """The model, pruned and clustered as far as that is asked, and trained on where there are targets."""
    from coursekit import compression

    arrays, small = arrays if "y" in arrays else None, model
    if prune or pattern:
        bar.set_description("pruning")
        structure = {"per_layer": False, "score": "lamp"}
        if pattern:
            structure = {"sparsity_m_by_n": pattern}
        elif blocks:
            structure = {"block_size": blocks}
        share = pattern[0] / pattern[1] if pattern else prune
        small = _pruned(model, share, {"layers": rule, **structure}, arrays, epochs)
    bar.update()
    if clusters is not None:
        bar.set_description("clustering")
        wrapped = compression.cluster_weights(small, clusters, "OPTIMAL", preserve_sparsity=bool(prune or pattern))
        if arrays is not None:
            _train(wrapped, arrays, epochs, slower=10)
        small = compression.strip_clustering(wrapped)
    bar.update()
    return small


def _rule_for(model, pattern, blocks, source):
    """Which layers can have the pattern or the blocks, as the argument layers, and a line that names the others."""
    if pattern is None and blocks is None:
        return None, []
    from coursekit.compression.model_copy import chosen_weights
    from coursekit.compression.pruning import Zeros

    wanted, fit, unfit = Zeros(sparsity_m_by_n=pattern, block_size=blocks or (1, 1)), {}, {}
    for one in chosen_weights(model, method="get_prunable_weights", verb="prune"):
        try:
            wanted.check(one)
            fit[id(one.layer)] = one.layer
        except CompressionError:
            unfit[id(one.layer)] = one.layer
    what = "--pattern needs an axis of inputs" if pattern else "--blocks are for matrices"
    if not fit.keys() - unfit.keys():
        raise CompressionError(f"{what}, and no layer of {source} has weights for it: prune it by --prune alone")
    names = dict.fromkeys(layer.name for layer in unfit.values())
    lines = [f"{what}, so not pruned: {', '.join(names)}"] if names else []
    return (lambda layer: id(layer) in fit and id(layer) not in unfit), lines


def _pruned(model, share, how, arrays, epochs):
    """The model pruned. how: arguments of prune_low_magnitude besides the schedule."""
    from coursekit import compression

    steps = 1 if arrays is None else epochs * _steps(arrays)
    schedule = compression.ConstantSparsity(share, 0, frequency=10**9)
    if steps > 3 and "sparsity_m_by_n" in how:
        schedule = compression.ConstantSparsity(share, 0, max(steps // 2, 2), frequency=max(steps // 20, 1))
    elif steps > 3:
        schedule = compression.PolynomialDecay(0.0, share, 0, max(steps // 2, 2), frequency=max(steps // 20, 1))
    wrapped = compression.prune_low_magnitude(model, schedule, **how)
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


def _trained_for_size(model, price, budget, arrays, epochs, precision, bar):
    """The model trained for size, and its weights rounded. The bar shows the bytes after each epoch.

    With a budget, the weights are those of the last epoch that met it, and of the last one where none did.
    """
    import keras

    from coursekit import compression

    ramp = 2 * epochs * _steps(arrays) // 5
    wrapped = compression.penalize_entropy(model, FIRST_PRICE if price is None else price, ramp_steps=ramp)
    kept = []

    def show_and_keep(epoch, logs):
        bar.set_postfix_str(f"{logs['bytes']:,} bytes, loss {logs['loss']:.3g}")
        bar.update()
        if budget is not None and logs["bytes"] <= budget:
            kept[:] = [wrapped.get_weights()]

    after_each_epoch = keras.callbacks.LambdaCallback(on_epoch_end=show_and_keep)
    _train(wrapped, arrays, epochs, callbacks=[compression.CountBytes(budget, **precision), after_each_epoch])
    if kept:
        wrapped.set_weights(kept[0])
    return compression.strip_entropy(wrapped)


def _steps(arrays):
    """Steps of training in an epoch."""
    return -(-len(arrays["x"]) // BATCH)


def _train(model, arrays, epochs, slower=1, callbacks=()):
    """Train on with what the model was compiled with; slower: by what its learning rate is divided."""
    rate = getattr(model.optimizer, "learning_rate", None)
    if slower > 1 and hasattr(rate, "assign"):
        rate.assign(rate / slower)
    model.fit(arrays["x"], arrays["y"], batch_size=BATCH, epochs=epochs, verbose=0, callbacks=list(callbacks))


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
        first, second = (keras.tree.flatten(_answers_of(model, x)) for model in (before, after))  # each output
        apart = max(np.abs(one.astype(float) - other).max() for one, other in zip(first, second, strict=True))
        lines = [f"on {len(x)} inputs, answers differ by at most {apart:.3g}"]
        if len(first) == 1 and first[0].ndim == 2 and first[0].shape[1] > 1:
            same = np.mean(first[0].argmax(axis=1) == second[0].argmax(axis=1))
            lines[0] += f"; {same:.1%} have their largest in the same place"
        if "y" in arrays:
            scores = [_scores_of(model, arrays) for model in (before, after)]
            lines += [f"{name}: {scores[0][name]:.4g} before, {scores[1][name]:.4g} after" for name in scores[0]]
    return lines


def _answers_of(model, x):
    _forget(model)
    return model.predict(x, verbose=0)


def _scores_of(model, arrays):
    _forget(model)
    return model.evaluate(arrays["x"], arrays["y"], verbose=0, return_dict=True)


def _first_line(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
