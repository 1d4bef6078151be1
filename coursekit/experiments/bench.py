"""`coursekit bench`: what clustering costs beside plain training, how small the files get, and what a large network
takes, measured and kept.

The network is the reference network of notebook 19. Times of a plain model, of clustered ones and, in the same run, of
tensorflow-model-optimization's are taken in turn, round after round, so that whatever else the machine does meets all
of them; a ratio is the median over rounds of the ratio within a round. Born in notebook 19.
"""

import json
import statistics
import time
from datetime import UTC, datetime

from coursekit.console import table
from coursekit.experiments import bench_large
from coursekit.experiments.common import reference_network
from coursekit.paths import data_dir
from coursekit.records import machine, read_lines, reference_seconds, versions

BATCH, STEPS = 250, 8
CLUSTERS = (16, 256)
VERSIONS = ("keras", "tensorflow", "tensorflow-model-optimization", "jax", "torch", "numpy")


def bench(rounds=7, tfmot=True, large=True, results=None):
    """Measure, print tables, and append a line for each part to data/results/bench.jsonl. Returns True.

    rounds:   how often each model's training and evaluation is timed.
    tfmot:    whether tensorflow-model-optimization is measured too (TensorFlow backend only).
    large:    whether a network of 25 million parameters is measured too, which takes minutes: see `bench_large`.
    results:  another file for the lines.
    """
    file = results or data_dir() / "results" / "bench.jsonl"
    _keep({"rounds": rounds, "steps": step_times(rounds, tfmot=tfmot), "files": file_sizes()}, file)
    if large:
        _keep({"large": bench_large.rows()}, file)
    return True


def _keep(measured, file):
    """Print what was measured, and append it as a line to the file."""
    import keras

    record = {
        "status": "bench",  # not the run of a notebook
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "reference_seconds": reference_seconds(),
        "backend": keras.backend.backend(),
        "versions": versions(VERSIONS),
    } | measured
    print(as_text(record) + "\n")
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "a", encoding="utf-8") as lines:
        lines.write(json.dumps(record) + "\n")


def _compiled(model, api):
    model.compile("adam", api.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def step_times(rounds, tfmot=True, clusters=CLUSTERS):
    """Milliseconds for a step of training and of evaluation, and their ratios to the plain model's: a list of rows."""
    import keras
    import numpy as np

    rng = np.random.default_rng(0)
    x = rng.random((BATCH * STEPS, 28, 28, 1), dtype=np.float32)
    y = rng.integers(0, 10, len(x))
    models = _models(clusters, tfmot and keras.backend.backend() == "tensorflow")
    work = {
        "training": lambda model: model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0),
        "evaluation": lambda model: model.evaluate(x, y, batch_size=BATCH, verbose=0),
    }
    rows = []
    for kind, do in work.items():
        taken = {name: [] for name in models}
        for count in range(rounds + 1):
            for name, model in models.items():
                seconds = _seconds(do, model)
                if count:  # the first round compiles
                    taken[name].append(seconds)
        rows += [_row(kind, name, taken) for name in models]
    return rows


def _models(clusters, tfmot):
    import keras

    from coursekit.compression import cluster_weights

    plain = _compiled(reference_network(keras), keras)
    models = {("coursekit", 0): plain}
    models |= {("coursekit", k): cluster_weights(plain, k, "LINEAR") for k in clusters}
    if tfmot:
        import tensorflow_model_optimization as tfmot_api
        import tf_keras

        linear = tfmot_api.clustering.keras.CentroidInitialization.LINEAR
        models[("tfmot", 0)] = _compiled(reference_network(tf_keras), tf_keras)
        for k in clusters:
            clustered = tfmot_api.clustering.keras.cluster_weights(reference_network(tf_keras), k, linear)
            models[("tfmot", k)] = _compiled(clustered, tf_keras)
    return models


def _seconds(do, model):
    start, start_cpu = time.perf_counter(), time.process_time()
    do(model)
    return time.perf_counter() - start, time.process_time() - start_cpu


def _row(kind, name, taken):
    library, clusters = name
    pairs = list(zip(taken[name], taken[(library, 0)], strict=True))
    return {
        "kind": kind,
        "library": library,
        "clusters": clusters,
        "ms": round(statistics.median(seconds for seconds, _ in taken[name]) / STEPS * 1000, 2),
        "ratio": round(statistics.median(ours[0] / plain[0] for ours, plain in pairs), 3),
        "cpu_ratio": round(statistics.median(ours[1] / plain[1] for ours, plain in pairs), 3),
    }


def file_sizes():
    """Bytes and seconds of the ways to store a clustered reference network: a list of rows; empty without that part."""
    import keras

    try:
        from coursekit.experiments.bench_files import rows
    except ImportError:
        return []
    from coursekit.compression import cluster_weights, strip_clustering

    return rows(strip_clustering(cluster_weights(reference_network(keras), 16, "OPTIMAL")))


def step_ratios(results=None):
    """The newest record's steps as text: how long one takes with so many clusters, relative to the plain model."""
    lines = [line for line in read_lines(results or data_dir() / "results" / "bench.jsonl") if "steps" in line]
    if not lines:
        return "no record yet: coursekit bench"
    ratios = {}
    for row in lines[-1]["steps"]:
        if row["clusters"]:
            ratios.setdefault((row["kind"], row["library"]), {})[row["clusters"]] = row["ratio"]
    most = sorted({clusters for of in ratios.values() for clusters in of})
    rows = [[*names, *(f"{of[k]:.2f}" if k in of else "-" for k in most)] for names, of in ratios.items()]
    return table(["a step of", "library", *(f"{k} values" for k in most)], rows, left=2)


def as_text(record):
    """The record as tables."""
    first = f"{record['date'][:10]}, {record['machine']}, {record['backend']}"
    if "large" in record:
        return f"{first}\n\n" + bench_large.as_text(record["large"])
    steps = []
    for row in record["steps"]:
        ratios = [f"{row[name]:.3f}" for name in ("ratio", "cpu_ratio")]
        steps.append([row["kind"], row["library"], str(row["clusters"] or "none"), f"{row['ms']:.1f}", *ratios])
    heads = ["a step of", "library", "clusters", "ms", "ratio", "CPU ratio"]
    text = f"{first}, {record['rounds']} rounds\n\n" + table(heads, steps, left=2)
    if record["files"]:
        names = list(record["files"][0])
        text += "\n\n" + table(names, [[_short(row.get(name, "")) for name in names] for row in record["files"]])
    return text


def _short(value):
    return f"{value:.3f}" if isinstance(value, float) else str(value)
