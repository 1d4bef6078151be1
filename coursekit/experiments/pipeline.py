"""Prune, cluster, quantize: the reference network in every sensible order, and what a later step leaves of an earlier.

P: 80 % of the weights pruned by LAMP scores. C: 14 linear values in each layer. Q: weights rounded to 8 bits, one scale
for each layer. P and C are each followed by an epoch like those that trained the dense network; Q is not. Beside them
stand the dense network trained for one and two epochs more (T), and tfmot's own way through all three.

Born in notebook 19.
"""

import zlib
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np

from coursekit import console
from coursekit.compression import litert, quantization, sparsity
from coursekit.experiments import tfmot
from coursekit.experiments.common import (
    RATE,
    add_missing,
    dense_network,
    digest,
    evaluate,
    fit,
    logits_of,
    mnist,
    newest,
    over_seeds,
    places,
    reference_network,
    right_on_digits28,
    rounded,
    stage,
    weight_statistics,
)
from coursekit.paths import write_whole

BITS = 8  # LiteRT's
LAST = "tfmot P→C→Q"  # tfmot's own way, a LiteRT file only
KEPT_SEED = 0  # whose smaller networks are kept as files
KEPT = {
    "P": "pruned.ckw",
    "C": "clustered.ckw",
    "P→C, zeros lost": "pruned-clustered-zeros-lost.ckw",
    "P→C": "pruned-clustered.ckw",
    "C→P": "clustered-pruned.ckw",
    "Q→C": "quantized-clustered.ckw",
    "tfmot P→C": "tfmot-pruned-clustered.ckw",
    LAST: "tfmot-pruned-clustered-quantized.tflite.z",  # as zlib makes it
}


@dataclass(frozen=True)
class Settings:
    """Of the steps.

    sparsity:  the share of all weights that P takes away
    values:    of each layer after C; 0 is one of them where zeros are kept
    epochs, rate: of the training after P and after C
    """

    sparsity: float = 0.8
    values: int = 14
    epochs: int = 1
    rate: float = RATE


SETTINGS = Settings()


# --- steps: each takes eight arrays and the training images and digits, and gives eight arrays ------------------------
def network(weights):
    """The reference network of Keras 3 with these eight arrays."""
    import keras

    model = reference_network(keras)
    model.set_weights(weights)
    return model


def trained(model, train, callbacks=()):
    """The model after the epoch that follows a step."""
    import keras

    return fit(keras, model, train, SETTINGS.epochs, SETTINGS.rate, callbacks)


def go_on(weights, train):
    """Training alone."""
    return trained(network(weights), train).get_weights()


def prune(weights, train):
    """P: the weights with the smallest LAMP scores go before the first step. Values that were few become many."""
    from coursekit import compression

    schedule = compression.ConstantSparsity(SETTINGS.sparsity, begin_step=0, end_step=0)
    wrapped = compression.prune_low_magnitude(network(weights), schedule, per_layer=False, score="lamp")
    return compression.strip_pruning(trained(wrapped, train, [compression.UpdatePruningStep()])).get_weights()


def cluster(weights, train, keep_zeros=False):
    """C: values from the smallest to the largest weight. Zeros are lost, or kept as one of the values."""
    from coursekit import compression

    wrapped = compression.cluster_weights(network(weights), SETTINGS.values, "LINEAR", preserve_sparsity=keep_zeros)
    return compression.strip_clustering(trained(wrapped, train)).get_weights()


def prune_among_values(weights, train):
    """P for a clustered network, whose values go on being trained: after it a layer has these and 0."""
    from coursekit import compression
    from coursekit.compression.wrapper import wrappers_in

    kernels = weights[::2]
    masks = sparsity.keep_largest([sparsity.lamp_scores(kernel) for kernel in kernels], SETTINGS.sparsity)
    fewer = list(weights)
    fewer[::2] = [kernel * mask for kernel, mask in zip(kernels, masks, strict=True)]
    wrapped = compression.cluster_weights(network(fewer), SETTINGS.values + 1, "LINEAR", preserve_sparsity=True)
    for wrapper, kernel in zip(wrappers_in(wrapped), kernels, strict=True):
        values = np.unique(kernel)
        wrapper.centroids[0].assign(np.pad(values, (0, SETTINGS.values - len(values)), mode="edge"))
    return compression.strip_clustering(trained(wrapped, train)).get_weights()


def quantize(weights, train=None):
    """Q: the kernels on a grid of 8 bits, symmetric about 0, one step for each layer; no training."""
    rounded_weights = list(weights)
    rounded_weights[::2] = [quantization.round_weights(kernel, BITS) for kernel in weights[::2]]
    return rounded_weights


FORMS = {
    "T": ("dense", go_on),
    "T→T": ("T", go_on),
    "P": ("dense", prune),
    "C": ("dense", cluster),
    "Q": ("dense", quantize),
    "P→C, zeros lost": ("P", cluster),
    "P→C": ("P", partial(cluster, keep_zeros=True)),
    "C→P, values lost": ("C", prune),
    "C→P": ("C", prune_among_values),
    "Q→P": ("Q", prune),
    "Q→C": ("Q", cluster),
    "P→Q": ("P", quantize),
    "C→Q": ("C", quantize),
    "P→C→Q": ("P→C", quantize),
    "C→P→Q": ("C→P", quantize),
}  # form: the form that it is made from, and the step


def networks(seed, data, work):
    """({form: eight arrays}, the LiteRT file of the form `LAST`, {stage: minutes}), each stage kept in `work`.

    All trainings of a seed see the images in the same order.
    """
    import keras

    dense, minutes = dense_network(seed, data["train"], work)
    made, taken = {"dense": dense.get_weights()}, {"dense": minutes}

    def kept(form, make):
        name = form.replace("→", "").replace(",", "").replace(" ", "-")
        arrays, taken[form] = stage(work / f"pipeline-{name}-{digest(SETTINGS)}-{seed}.npz", make)
        return arrays

    def seeded(step, start):
        keras.utils.set_random_seed(1000 + seed)
        return step(start, data["train"])

    for form, (start, step) in FORMS.items():
        make = partial(seeded, step, made[start])
        made[form] = make() if step is quantize else kept(form, make)
    about, epochs = (data["train"], 1000 + seed), {"epochs": SETTINGS.epochs, "rate": SETTINGS.rate}
    pruned = kept("tfmot P", partial(tfmot.pruned, made["dense"], *about, SETTINGS.sparsity, **epochs))
    make = partial(tfmot.clustered, pruned, *about, SETTINGS.values, **epochs, keep_zeros=True)
    both = kept("tfmot P→C", make)
    last = kept(LAST, lambda: [np.frombuffer(tfmot.quantized(both, *about, **epochs), np.uint8)])
    return made | {"tfmot P": pruned, "tfmot P→C": both}, last[0].tobytes(), taken


# --- sizes ------------------------------------------------------------------------------------------------------------
def is_coded(form):
    """Whether the weights of a form lie on the grid of Q, so that codes of one byte can be stored."""
    return form.endswith("Q")


def content(form, weights):
    """What must be stored of a network: floats, or after Q codes of one byte and a step for each kernel: bytes."""
    stored = []
    for array in weights:
        if is_coded(form) and array.ndim > 1:
            step = np.float32(quantization.weight_scale(array, BITS))
            stored += [np.rint(array / step).astype(np.int8).tobytes(), step.tobytes()]
        else:
            stored.append(array.tobytes())
    return b"".join(stored)


def lite_file(form, weights):
    """The LiteRT file: after Q with the converter's own codes, one scale for each kernel: bytes."""
    kind = "dynamic" if is_coded(form) else "float"
    return litert.convert(tfmot.twin(weights), kind, per_channel=False)


def sizes(form, weights, file, lite=None):
    """{"memory", "zipped", "file", "litert", "litert_zipped"}: bytes of a network in memory, the same zipped, in the
    course's format, and as a LiteRT file, plain and zipped.

    file: where the course's file is written. lite: the LiteRT file, if it has been made.
    """
    from coursekit import compression

    stored, lite = content(form, weights), lite or lite_file(form, weights)
    return {
        "memory": len(stored),
        "zipped": tfmot.zipped(stored),
        "file": compression.save_compressed(network(weights), file, names=False).size,
        "litert": len(lite),
        "litert_zipped": tfmot.zipped(lite),
    }


# --- the experiment ---------------------------------------------------------------------------------------------------
def record(seed, data, work, files):
    """Make the networks of a seed and look at each: the rest of a line for data/results/pipeline.jsonl.

    Of each form: the test images that are misread and the loss; how many images its LiteRT file misreads; all `sizes`;
    zeros and values; and the time of its LiteRT file relative to that of the dense network, for one image and for 64.
    """
    made, quantized, taken = networks(seed, data, work)
    x, y = data["test"]
    lite = {form: lite_file(form, weights) for form, weights in made.items()} | {LAST: quantized}
    model, forms = network(made["dense"]), {}
    kept = KEPT if seed == KEPT_SEED else {}
    for form, weights in made.items():
        model.set_weights(weights)
        forms[form] = evaluate(logits_of(model, x), y) | weight_statistics(weights[::2])
        file = files / kept[form] if form in kept else work / f"pipeline-{seed}.ckw"
        file.parent.mkdir(parents=True, exist_ok=True)
        forms[form] |= sizes(form, weights, file, lite[form]) | {"digits28_right": right_on_digits28(model)}
    forms[LAST] = evaluate(tfmot.lite_logits(quantized, x), y) | codes_in(quantized, made["dense"])
    forms[LAST] |= {"litert": len(quantized), "litert_zipped": tfmot.zipped(quantized)}
    if kept:
        write_whole(files / kept[LAST], zlib.compress(quantized, 9))
    milliseconds = times(lite, x)
    for form, measured in forms.items():
        measured["litert_wrong"] = len(evaluate(tfmot.lite_logits(lite[form], x), y)["wrong"])
        measured |= {f"time_{n}": round(of[form] / of["dense"], 3) for n, of in milliseconds.items()}
    dense = {n: round(of["dense"], 4) for n, of in milliseconds.items()}
    line = {"test_images": len(y), "forms": forms, "dense_milliseconds": dense}
    return line | {"files": dict(kept), "stages": rounded(taken)}


def times(lite, x):
    """{n: {form: milliseconds}} that LiteRT takes for n images at once, 1 and 64, the least of many turns."""
    return {
        n: {form: 1000 * seconds for form, seconds in litert.times(lite, x[:n], rounds).items()}
        for n, rounds in ((1, 200), (64, 20))
    }


def codes_in(lite, dense):
    """`weight_statistics` for a LiteRT file: its codes in place of weights. Kernels are recognized by their shapes."""
    return weight_statistics([litert.weights_in(lite, kernel.shape) for kernel in dense[::2]])


def run(seeds=(0,), work=None, results=None, files=None):
    """Make the records that are missing, seed by seed. Returns True.

    An interruption loses one stage at most, or what has been measured of one seed.

    work, results, files: see `places`. Raises CoursekitError if tfmot is not installed.
    """
    tfmot.check()
    work, results, files = places("pipeline", work, results, files)
    data = mnist()
    wanted = [{"settings": asdict(SETTINGS), "seed": seed} for seed in seeds]
    return add_missing(results, wanted, lambda key: record(key["seed"], data, work, files), as_text)


def trade_offs(results=None):
    """{form: (bytes of the zipped LiteRT file, accuracies)} of the kept records, for `coursekit.plots.trade_off`: the
    mean of the bytes, one accuracy for each seed."""
    lines = newest("pipeline", results)
    forms = lines[min(lines)]["forms"] if lines else ()
    return {form: (_mean(lines, form, "litert_zipped"), _accuracies(lines, form)) for form in forms}


def paired(form, other, results=None):
    """(mean, half of Student's 95 % interval), in points, of a form's accuracy minus another's of the same seed."""
    from coursekit.statistics import mean_and_half

    lines = newest("pipeline", results)
    return mean_and_half(100 * np.subtract(_accuracies(lines, form), _accuracies(lines, other)))


def stored(form, results=None):
    """{"our file", "LiteRT, zipped"}: bytes of a form in the kept records, means over the seeds."""
    lines = newest("pipeline", results)
    return {"our file": _mean(lines, form, "file"), "LiteRT, zipped": _mean(lines, form, "litert_zipped")}


def _accuracies(lines, form):
    return [1 - len(line["forms"][form]["wrong"]) / line["test_images"] for _, line in sorted(lines.items())]


def _mean(lines, form, name):
    """Of what was measured of a form, over the seeds; None if it was not."""
    values = [line["forms"][form].get(name) for line in lines.values()]
    return None if None in values else float(np.mean(values))


def table(results=None):
    """The kept records as text, means over the seeds: of each form the test accuracy, with half of Student's 95 %
    interval, zeros, bytes, and times of LiteRT for 1 and 64 images, relative to the dense network."""
    lines = newest("pipeline", results)
    if not lines:
        return "no record yet: coursekit experiment pipeline"
    columns = {"zeros": "zeros", "memory": "memory", "zipped": "zipped", "file": "our file", "litert": "LiteRT"}
    columns |= {"litert_zipped": "zipped", "time_1": "time 1", "time_64": "time 64"}
    rows = []
    for form in lines[min(lines)]["forms"]:
        means = [_mean(lines, form, name) for name in columns]
        shown = ["-" if of is None else f"{of:.2f}" if of < 10 else f"{of:,.0f}" for of in means]
        rows.append([form, over_seeds(_accuracies(lines, form)), *shown])
    return console.table(["", f"accuracy, seeds: {len(lines)}", *columns.values()], rows)


def as_text(line):
    """A record as a table."""
    heads = ["", "accuracy", "zeros", "zipped", "ours", "LiteRT", "zipped", "time 1", "time 64"]
    minutes, rows = sum(stage["minutes"] for stage in line["stages"].values()), []
    for form, measured in line["forms"].items():
        row = [form, f"{1 - len(measured['wrong']) / line['test_images']:.4f}", f"{measured['zeros']:.2f}"]
        for name in ("zipped", "file", "litert", "litert_zipped"):
            row.append(f"{measured[name]:,}" if name in measured else "-")
        rows.append([*row, f"{measured['time_1']:.2f}", f"{measured['time_64']:.2f}"])
    return f"pipeline seed {line['seed']}: {minutes:.1f} minutes\n" + console.table(heads, rows)
