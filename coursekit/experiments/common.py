"""The reference network, its data and training, stages and records: what all experiments of notebook 19 share.

Two convolutions and two dense layers, 431,242 parameters, on true MNIST, as in C. Versloot (2020), "TensorFlow model
optimization: introducing weight clustering". A network's weights are kept as the list of arrays that Keras gives.

Born in notebook 19.
"""

import hashlib
import io
import json
import time
from dataclasses import asdict
from datetime import UTC, datetime

import numpy as np

from coursekit.paths import data_dir, write_whole
from coursekit.records import machine, read_lines, reference_seconds, versions

VALIDATION = 12_000  # the last fifth of the training images
BATCH, EPOCHS, RATE = 250, 15, 1e-3
WIDTHS = (32, 64, 256)  # filters of the convolutions, units of the hidden dense layer
NAMES = ("conv 1", "conv 2", "dense 1", "dense 2")
VERSIONS = ("keras", "tensorflow", "tf_keras", "tensorflow-model-optimization", "jax", "torch", "numpy")


def reference_network(api, dropout=0.25, widths=None):
    """Two convolutions of 32 and 64 filters, dense layers of 256 and 10: 431,242 parameters, not compiled.

    api:    keras, or tf_keras for tensorflow-model-optimization.
    widths: other numbers of filters and units, for a network that trains in seconds; WIDTHS if None.
    """
    kl, widths = api.layers, widths or WIDTHS
    return api.Sequential(
        [
            api.Input((28, 28, 1)) if api.__name__ == "keras" else kl.InputLayer((28, 28, 1)),
            kl.Conv2D(widths[0], 3, activation="relu"),
            kl.MaxPooling2D(),
            kl.Dropout(dropout),
            kl.Conv2D(widths[1], 3, activation="relu"),
            kl.MaxPooling2D(),
            kl.Dropout(dropout),
            kl.Flatten(),
            kl.Dense(widths[2], activation="relu"),
            kl.Dense(10),
        ]
    )


def mnist():
    """{"train", "validation", "test": (images (n, 28, 28, 1) from 0 to 1, digits (n,))}: 48,000, 12,000 and 10,000."""
    from coursekit import load

    data = load("mnist")
    x, x_test = (images[..., None].astype(np.float32) / 255 for images in (data.x_train, data.x_test))
    y, y_test = data.y_train.astype(np.int32), data.y_test.astype(np.int32)
    return {
        "train": (x[:-VALIDATION], y[:-VALIDATION]),
        "validation": (x[-VALIDATION:], y[-VALIDATION:]),
        "test": (x_test, y_test),
    }


def fit(api, model, train, epochs, rate, callbacks=()):
    """The model, compiled and trained by Adam at a constant rate; api is keras, or tf_keras for a model of Keras 2."""
    model.compile(api.optimizers.Adam(rate), api.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(*train, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=list(callbacks))
    return model


def logits_of(model, x):
    """What a model says of x (n, 28, 28, 1): (n, 10)."""
    return np.concatenate([np.asarray(model.predict_on_batch(part)) for part in np.array_split(x, -(-len(x) // 1000))])


def misclassified(model, x, y):
    """Which images are misread: a list of their numbers."""
    return np.flatnonzero(logits_of(model, x).argmax(axis=1) != y).tolist()


def evaluate(logits, y):
    """{"wrong": the numbers of the images that are misread, "loss": mean cross-entropy in nats} of logits (n, 10)."""
    logits = np.asarray(logits, dtype=np.float64)
    logits = logits - logits.max(axis=1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    wrong = np.flatnonzero(logits.argmax(axis=1) != y).tolist()
    return {"wrong": wrong, "loss": round(float(-log_p[np.arange(len(y)), y].mean()), 6)}


def weight_statistics(kernels):
    """{"zeros": their share among the weights of all kernels, "values": how many different ones each kernel has}."""
    zeros = sum(int((kernel == 0).sum()) for kernel in kernels) / sum(kernel.size for kernel in kernels)
    return {"zeros": round(zeros, 6), "values": [len(np.unique(kernel)) for kernel in kernels]}


def right_on_digits28(model):
    """How many of the bundled digits are read: what can be recounted anywhere."""
    from coursekit import load

    data = load("digits28")
    x = np.concatenate([data.x_train, data.x_test])[..., None].astype(np.float32) / 255
    y = np.concatenate([data.y_train, data.y_test])
    return len(y) - len(misclassified(model, x, y))


def dense_network(seed, train, work):
    """The reference network trained by the reference recipe, and the stage's minutes; kept in the folder `work`."""
    import keras

    model = reference_network(keras)

    def make():
        keras.utils.set_random_seed(seed)
        return fit(keras, reference_network(keras), train, EPOCHS, RATE).get_weights()

    weights, minutes = stage(work / f"dense-{seed}.npz", make)
    model.set_weights(weights)
    return model, minutes


# --- stages -----------------------------------------------------------------------------------------------------------
def digest(settings):
    """Eight digits that differ where a setting in a dataclass differs, for the names of its stages."""
    return hashlib.sha256(json.dumps(asdict(settings)).encode()).hexdigest()[:8]


def stage(file, make):
    """The arrays that make() gives, and {"minutes", "cpu_minutes"} it took; found in `file` if it has been made before.

    The file takes its place when it is whole, so an interruption leaves either a finished stage or none.
    """
    if file.is_file():
        with np.load(file) as kept:
            taken = {"minutes": float(kept["minutes"]), "cpu_minutes": float(kept["cpu_minutes"])}
            return [kept[f"array_{i}"] for i in range(len(kept.files) - 2)], taken
    begin, cpu = time.perf_counter(), time.process_time()
    arrays = make()
    taken = {"minutes": (time.perf_counter() - begin) / 60, "cpu_minutes": (time.process_time() - cpu) / 60}
    content = io.BytesIO()
    np.savez(content, **{f"array_{i}": array for i, array in enumerate(arrays)}, **taken)
    write_whole(file, content.getvalue())
    return arrays, taken


# --- records ----------------------------------------------------------------------------------------------------------
def places(name, work=None, results=None, files=None):
    """(folder of the stages, file of the records, folder of the compressed files) of an experiment.

    By default build/experiments, data/results/NAME.jsonl and data/compressed/NAME of the checkout.
    """
    return (
        work or data_dir().parent / "build" / "experiments",
        results or data_dir() / "results" / f"{name}.jsonl",
        files or data_dir() / "compressed" / name,
    )


def add_missing(results, wanted, make, as_text):
    """Make the records that the file `results` lacks, append each when it is made, and print it. Returns True.

    wanted:  dictionaries, one a record. A record is there if a line has all the same values under the same names.
    make:    called with such a dictionary, gives a dictionary with the rest of the record.
    as_text: called with a record, gives what is printed.
    """
    import keras

    for key in wanted:
        if any(key == {name: line.get(name) for name in key} for line in read_lines(results)):
            continue
        line = key | make(key)
        about = {
            "status": "experiment",  # not the run of a notebook
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine(),
            "reference_seconds": reference_seconds(),
            "backend": keras.backend.backend(),
            "keras": keras.__version__,
            "versions": versions(VERSIONS),
        }
        results.parent.mkdir(parents=True, exist_ok=True)
        cut = results.is_file() and results.stat().st_size and not results.read_bytes().endswith(b"\n")
        with open(results, "a", encoding="utf-8") as lines:
            lines.write("\n" * cut + json.dumps(about | line) + "\n")  # a line that was cut short stays alone
        print(as_text(line), flush=True)
    return True


def rounded(taken):
    """What stages took, {stage: {"minutes", "cpu_minutes"}}, to hundredths."""
    return {step: {key: round(value, 2) for key, value in minutes.items()} for step, minutes in taken.items()}


def newest(name, results=None):
    """{seed: record}, the newest line for each seed of an experiment's records."""
    return {line["seed"]: line for line in read_lines(results or data_dir() / "results" / f"{name}.jsonl")}


def over_seeds(values):
    """A mean of accuracies with half of Student's 95 % interval, as text; of one value no interval can be given."""
    from coursekit.statistics import mean_and_half

    if len(values) < 2:
        return f"{values[0]:.4f} (1 seed)"
    mean, half = mean_and_half(values)
    return f"{mean:.4f} ± {half:.4f}"
