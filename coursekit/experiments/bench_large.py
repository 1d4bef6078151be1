"""What a large network costs in coursekit.compression, beside what the same network costs without it.

Each measurement is made in a process of its own, so that no other one's memory is counted with it. Seconds are those
of the processor, of all cores together; memory is the most that the process ever had. Born in notebook 19.
"""

import json
import time
from tempfile import TemporaryDirectory

from coursekit.console import table
from coursekit.processes import in_fresh_process

CLUSTERS, BATCH = 16, 4
# What is measured, by the process it is measured in; and what it is compared with.
PROCESSES = {
    "build": ("build",),
    "plain": ("first step, plain", "next step, plain"),
    "wrap": ("wrap",),
    "clustered": ("first step, clustered", "next step, clustered"),
    "strip": ("strip",),
    "save": ("save",),
    "load": ("load",),
}
BASES = {"first step, clustered": "first step, plain", "next step, clustered": "next step, plain"}
BASES |= dict.fromkeys(("wrap", "strip", "save", "load"), "build")


def resnet50():
    """ResNet50 of keras.applications with random weights, not compiled: 25.6 million parameters."""
    import keras

    return keras.applications.ResNet50(weights=None)


def reference():
    """The reference network of notebook 19, for a quick look at this module: 431,242 parameters."""
    import keras

    from coursekit.experiments.common import reference_network

    return reference_network(keras)


NETWORKS = {"ResNet50": resnet50, "reference": reference}


def rows(network="ResNet50", minutes=20):
    """[{"what", "seconds", "cpu_seconds", "memory", "to", "cpu_ratio", "memory_ratio"}]: costs of 16 clusters.

    network: a name in NETWORKS.
    minutes: after so many a process is killed, and subprocess.TimeoutExpired raised.
    memory is in bytes. The ratios are to the row that "to" names: building the network, or the same step without
    clusters. A step is of BATCH examples; the first one also compiles.
    """
    import keras

    measured = {}
    with TemporaryDirectory() as folder:
        for process in PROCESSES:
            code = (
                "import os; os.environ['COURSEKIT_PROGRESS'] = 'off'\n"
                "from coursekit.experiments import bench_large\n"
                f"bench_large.measure({process!r}, {network!r}, {folder!r})"
            )
            said = in_fresh_process(code, keras.backend.backend(), seconds=60 * minutes)
            measured |= json.loads(said.splitlines()[-1])
    return [{"what": what} | of | _ratios(of, BASES.get(what, what), measured) for what, of in measured.items()]


def _ratios(of, base, measured):
    names = {"cpu_ratio": "cpu_seconds", "memory_ratio": "memory"}
    return {"to": base} | {ratio: round(of[name] / measured[base][name], 2) for ratio, name in names.items()}


def measure(process, network, folder):
    """In the fresh process: do what belongs to it, once, and print {what: its cost} in JSON as the last line.

    What a process needs from an earlier one, the stripped model and its compressed file, is kept in the folder.
    """
    import keras

    keras.ops.convert_to_numpy(keras.ops.ones(1))  # the backend has started
    steps, measured = _prepared(process, NETWORKS[network], folder), {}
    for what in PROCESSES[process]:
        measured[what], result = _cost(next(steps))
    if process == "strip":
        result.save(f"{folder}/small.keras")
    print(json.dumps(measured))


def _prepared(process, build, folder):
    """The functions to measure, one after the other; what they need is made when the first of them is asked for."""
    import keras

    from coursekit import compression

    if process == "build":
        yield build
    elif process in ("plain", "clustered"):
        model = build()
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy())
        if process == "clustered":
            model = compression.cluster_weights(model, CLUSTERS)
        x, y = _batch(model)
        while True:
            yield lambda: model.train_on_batch(x, y)
    elif process == "wrap":
        model = build()
        yield lambda: compression.cluster_weights(model, CLUSTERS)
    elif process == "strip":
        wrapped = compression.cluster_weights(build(), CLUSTERS)
        yield lambda: compression.strip_clustering(wrapped)
    elif process == "save":
        model = keras.models.load_model(f"{folder}/small.keras")
        yield lambda: compression.save_compressed(model, f"{folder}/small.ckw")
    else:
        yield lambda: compression.load_compressed(f"{folder}/small.ckw")


def _batch(model):
    import numpy as np

    rng = np.random.default_rng(0)
    x = rng.random((BATCH, *model.input_shape[1:]), dtype=np.float32)
    return x, rng.integers(0, model.output_shape[-1], BATCH)


def _cost(function):
    """({"seconds", "cpu_seconds", "memory"}, what the function gives)."""
    from coursekit.training.loops import peak_memory

    start, start_cpu = time.perf_counter(), time.process_time()
    result = function()
    taken = {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - start_cpu}
    return {name: round(value, 3) for name, value in taken.items()} | {"memory": peak_memory()}, result


def as_text(measured):
    """The rows as a table: seconds of the processor, gigabytes, and both relative to the row that "to" names."""
    heads, lines = ["", "CPU seconds", "ratio", "GB", "ratio", "to"], []
    for row in measured:
        numbers = [f"{row['cpu_seconds']:.1f}", f"{row['cpu_ratio']:.2f}"]
        numbers += [f"{row['memory'] / 1e9:.2f}", f"{row['memory_ratio']:.2f}", row["to"]]
        lines.append([row["what"], *numbers])
    return table(heads, lines)
