"""Two networks that the library was never tuned for, made small by each of its methods, with equal training.

A residual network with batch normalization and a small transformer, which sees a digit as 16 patches, read the bundled
`mnist5k`. From the same dense network each method trains for as many epochs: as it is, for comparison; with few values
in each tensor; pruned, then with few values; and for size, at several prices of a bit. Every network is saved with the
same settings, loaded, and looked at on the test set. Rates are customary ones and were not searched; a price was tried
on the last fifth of the training images. A first version, with two thirds of the epochs, was stopped after five
networks, since pruning had too little time. Born in notebook 19.
"""

import json
import math
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from itertools import product

import numpy as np

from coursekit import console
from coursekit.errors import CoursekitError
from coursekit.experiments.common import add_missing, digest, misclassified, places, rounded, stage
from coursekit.paths import data_dir
from coursekit.records import read_lines

HALF_A_POINT = 0.005  # of test accuracy: what "equal" means on the page
SAVED = {"codebook": "float16", "others": "float16", "names": False}  # the settings of every file
KEPT_SEED = 0  # of which the files named by KEPT are kept
KEPT = {"residual": "price 3e-5", "transformer": "price 3e-5"}
PATCH, HEADS = 7, 4  # of the transformer: pixels on each side of what it reads at once, and heads of its attention


# --- networks ---------------------------------------------------------------------------------------------------------
def residual(widths):
    """Three residual blocks, with batch normalization after each convolution, and a dense layer, as in He and others
    (2016), "Deep residual learning for image recognition". widths: filters in each block."""
    import keras
    from keras import layers

    def convolution(x, filters, size=3, stride=1):
        x = layers.Conv2D(filters, size, stride, padding="same", use_bias=False)(x)
        return layers.BatchNormalization(momentum=0.9)(x)

    pictures = keras.Input((28, 28, 1))
    x = layers.ReLU()(convolution(pictures, widths[0], stride=2))
    for filters, stride in zip(widths, (1, 2, 2), strict=True):
        inside = layers.ReLU()(convolution(x, filters, stride=stride))
        shortcut = x if stride == 1 else convolution(x, filters, 1, stride)
        x = layers.ReLU()(layers.Add()([shortcut, convolution(inside, filters)]))
    return keras.Model(pictures, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def transformer(widths):
    """Patches with learned positions, encoder blocks, their mean, and a dense layer, as in Dosovitskiy and others
    (2021), "An image is worth 16x16 words". widths: numbers for each patch, then hidden units in each block."""
    import keras
    from keras import layers, ops

    width, *blocks = widths
    pictures, n = keras.Input((28, 28, 1)), (28 // PATCH) ** 2
    x = layers.Reshape((n, width))(layers.Conv2D(width, PATCH, PATCH)(pictures))
    numbers = ops.cumsum(ops.ones_like(x[:, :, 0], dtype="int32"), axis=1) - 1  # 0, 1, ... for each picture
    x = x + layers.Embedding(n, width)(numbers)
    for units in blocks:
        normal = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(HEADS, width // HEADS)(normal, normal)
        hidden = layers.Dense(units, activation="gelu")(layers.LayerNormalization()(x))
        x = x + layers.Dense(width)(hidden)
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(pictures, layers.Dense(10)(x))


# --- settings ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Settings:
    """Of one kind of network.

    widths:       how large the layers are, see `residual` and `transformer`
    dense_epochs: of the dense network, which all methods start from
    epochs:       after it, for every method
    rate, later_rate: the largest learning rates of both; each rises at first and falls along half a cosine
    batch:        images a step
    """

    widths: tuple
    dense_epochs: int
    epochs: int
    rate: float
    later_rate: float
    batch: int = 64


@dataclass(frozen=True)
class Method:
    """What is done while the network is trained on. With neither values nor a price: nothing.

    values:   in each kernel and embedding, 0 among them where it is pruned; None for any number
    sparsity: the share of these weights that goes first, by LAMP scores over all layers
    price:    of a bit, in units of the loss; None for no price
    """

    values: int | None = None
    sparsity: float = 0.0
    price: float | None = None

    @property
    def family(self):
        """Which kind of method it is, in a few words."""
        if self.price is not None:
            return "trained for size"
        return "pruned, with few values" if self.sparsity else "with few values" if self.values else "dense"


NETWORKS = {
    "residual": (residual, Settings((8, 16, 32), 15, 12, 2e-3, 1e-3)),
    "transformer": (transformer, Settings((32, 64, 64), 25, 15, 1e-3, 1e-3)),
}
METHODS = {
    "dense": Method(),
    "16 values": Method(values=16),
    "8 values": Method(values=8),
    "90 % pruned, 16 values": Method(values=16, sparsity=0.9),
    "97 % pruned, 16 values": Method(values=16, sparsity=0.97),
    "price 1e-5": Method(price=1e-5),
    "price 3e-5": Method(price=3e-5),
    "price 1e-4": Method(price=1e-4),
}
PRUNING = 2 / 3  # of the epochs; the rest is for the few values
RAMP = 0.4  # of the steps, in which the price rises, or of the pruning's steps, in which weights go


# --- training ---------------------------------------------------------------------------------------------------------
@cache
def digits():
    """{"train", "validation", "test": (images (n, 28, 28, 1) from 0 to 1, digits (n,))}: 3,200, 800 and 1,000."""
    from coursekit import load

    data = load("mnist5k")
    x, x_test = (images[..., None].astype(np.float32) / 255 for images in (data.x_train, data.x_test))
    y, y_test = data.y_train.astype(np.int32), data.y_test.astype(np.int32)
    held_out = len(y) // 5
    return {
        "train": (x[:-held_out], y[:-held_out]),
        "validation": (x[-held_out:], y[-held_out:]),
        "test": (x_test, y_test),
    }


def moved(x, rng):
    """Images (n, 28, 28, 1), each moved by at most a pixel in each direction, drawn by rng; MNIST's frame is empty."""
    shifts = rng.integers(-1, 2, (len(x), 2))
    pictures = np.empty_like(x)
    for shift in product((-1, 0, 1), repeat=2):
        which = (shifts == shift).all(axis=1)
        pictures[which] = np.roll(x[which], shift, axis=(1, 2))
    return pictures


def steps_of(settings, train, epochs):
    """How many steps so many epochs have."""
    return math.ceil(len(train[1]) / settings.batch) * epochs


def fit(model, settings, train, epochs, rate, rng, callbacks=()):
    """The model after so many epochs of Adam, each with images moved anew. The rate rises in a tenth of the steps and
    falls along half a cosine to 0 (Loshchilov and Hutter 2017)."""
    import keras

    x, y = train
    steps = steps_of(settings, train, epochs)
    rising = steps // 10
    falling = keras.optimizers.schedules.CosineDecay(rate / 10, steps - rising, warmup_target=rate, warmup_steps=rising)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(falling), loss, jit_compile=keras.backend.backend() == "jax")
    for _ in range(epochs):
        model.fit(moved(x, rng), y, batch_size=settings.batch, verbose=0, callbacks=list(callbacks))
    return model


def dense_network(name, train, seed):
    """The weights of a dense network, trained from a random start: a list of arrays."""
    import keras

    make, settings = NETWORKS[name]
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng((seed, 0))
    return fit(make(settings.widths), settings, train, settings.dense_epochs, settings.rate, rng).get_weights()


def changed_network(name, method, dense, train, seed):
    """The weights after the epochs in which a method does its work: a list of arrays. All see the same images."""
    import keras

    from coursekit import compression

    make, settings = NETWORKS[name]
    keras.utils.set_random_seed(1000 + seed)
    rng = np.random.default_rng((seed, 1))
    model = make(settings.widths)
    model.set_weights(dense)
    go_on = partial(fit, settings=settings, train=train, rate=settings.later_rate, rng=rng)
    epochs = settings.epochs
    if method.price is not None:
        ramp = int(RAMP * steps_of(settings, train, epochs))
        return compression.strip_entropy(
            go_on(compression.penalize_entropy(model, method.price, ramp_steps=ramp, seed=seed), epochs=epochs)
        ).get_weights()
    if method.sparsity:
        pruning = round(PRUNING * epochs)
        end, epochs = int(RAMP * steps_of(settings, train, pruning)), epochs - pruning
        schedule = compression.PolynomialDecay(0.5, method.sparsity, 0, end, frequency=10)
        pruned = compression.prune_low_magnitude(model, schedule, per_layer=False, score="lamp")
        model = compression.strip_pruning(go_on(pruned, epochs=pruning, callbacks=[compression.UpdatePruningStep()]))
    if method.values:
        few = compression.cluster_weights(model, method.values, preserve_sparsity=method.sparsity > 0, seed=seed)
        return compression.strip_clustering(go_on(few, epochs=epochs)).get_weights()
    return go_on(model, epochs=epochs).get_weights()


# --- the experiment ---------------------------------------------------------------------------------------------------
def settings_of(name, method):
    """All that a network of one method follows from, besides the seed."""
    settings = {"network": asdict(NETWORKS[name][1]), "method": asdict(METHODS[method])}
    return json.loads(json.dumps(settings))  # as it comes back from a record


def made(name, method, data, seed, work):
    """(weights of the dense start, weights after a method, {stage: minutes}); stages are kept in the folder `work`."""
    settings, how = NETWORKS[name][1], METHODS[method]
    first = digest(replace(settings, epochs=0, later_rate=0.0))  # what comes later changes nothing of the start
    start = work / f"untuned-{name}-start-{first}-{seed}.npz"
    after = work / f"untuned-{name}-{digest(settings)}-{digest(how)}-{seed}.npz"
    dense, minutes = stage(start, lambda: dense_network(name, data["train"], seed))
    make = partial(changed_network, name, how, dense, data["train"], seed)
    weights, more = stage(after, make)
    return dense, weights, {"start": minutes, "method": more}


def record(name, method, seed, data, work, files):
    """Make one network, write its file, load it and look at the test set: the rest of a line for
    data/results/untuned.jsonl. Files of KEPT go to the folder `files`, others to `work`."""
    from coursekit import compression

    make, settings = NETWORKS[name]
    model = make(settings.widths)
    dense, weights, taken = made(name, method, data, seed, work)
    model.set_weights(dense)
    before = {part: misclassified(model, *data[part]) for part in ("validation", "test")}
    model.set_weights(weights)
    kept = seed == KEPT_SEED and KEPT[name] == method
    file = files / f"{name}.ckw" if kept else work / "untuned.ckw"
    file.parent.mkdir(parents=True, exist_ok=True)
    summary = compression.save_compressed(model, file, **SAVED)
    loaded = compression.load_compressed(file)
    kernels = [
        array
        for weight, array in zip(loaded.weights, loaded.get_weights(), strict=True)
        if weight.name in ("kernel", "embeddings")
    ]
    learned = ("gamma", "beta", "moving_mean", "moving_variance")
    normal = sum(tensor["bytes"] for tensor in summary.tensors if tensor["path"].rpartition("/")[2] in learned)
    line = {
        "bytes": summary.size,
        "parts": {part: round(size, 1) for part, size in summary.parts.items()},
        "normalization": round(normal, 1),  # bytes of what no method changes
        "parameters": model.count_params(),
        "zeros": round(1 - sum(map(np.count_nonzero, kernels)) / sum(array.size for array in kernels), 4),
        "validation_images": len(data["validation"][1]),
        "test_images": len(data["test"][1]),
        "validation_wrong": misclassified(loaded, *data["validation"]),
        "wrong": misclassified(loaded, *data["test"]),
        "start_validation_wrong": before["validation"],
        "start_wrong": before["test"],
        "stages": rounded(taken),
    }
    return line | ({"file": file.name} if kept else {})


def run(names=tuple(NETWORKS), seeds=(0,), work=None, results=None, files=None):
    """Make the records that are missing, seed by seed. Returns True; an interruption loses one stage at most.

    work, results, files: see `places`. With the records' file deleted, the same command writes it anew from the kept
    stages, in seconds for each network. Raises CoursekitError for another network than those of NETWORKS.
    """
    if unknown := sorted(set(names) - set(NETWORKS)):
        raise CoursekitError(f"there is no network {', '.join(unknown)}; there are {', '.join(NETWORKS)}")
    work, results, files = places("untuned", work, results, files)
    wanted = [
        {"network": name, "method": method, "settings": settings_of(name, method), "seed": seed}
        for seed, name, method in product(seeds, names, METHODS)
    ]
    make = lambda key: record(key["network"], key["method"], key["seed"], digits(), work, files)
    return add_missing(results, wanted, make, as_text)


# --- what the records say ---------------------------------------------------------------------------------------------
def kept(results=None):
    """{network: {method: {seed: record}}}, the newest of each that `run` has kept, in the order of NETWORKS and
    METHODS; records of other settings are left out."""
    found = {name: {method: {} for method in METHODS} for name in NETWORKS}
    for line in read_lines(results or data_dir() / "results" / "untuned.jsonl"):
        name, method = line["network"], line["method"]
        if name in found and method in METHODS and line["settings"] == settings_of(name, method):
            found[name][method][line["seed"]] = line
    sort = lambda by_method: {method: dict(sorted(lines.items())) for method, lines in by_method.items() if lines}
    return {name: sort(by_method) for name, by_method in found.items() if sort(by_method)}


def _errors(lines, name="wrong"):
    """Test errors in percent, one for each of the records {seed: record}."""
    return [100 * len(line[name]) / line["test_images"] for line in lines.values()]


def _lost(lines, dense, name="wrong"):
    """By how many points the error is above that of the dense network that was trained on, one number for each seed
    that both have; empty where there is none."""
    both = [(line, dense[seed]) for seed, line in lines.items() if seed in dense]
    return [100 * (len(line[name]) - len(other["wrong"])) / line["test_images"] for line, other in both]


def mean_of(values, digits, sign=""):
    """The mean of numbers, with half of Student's 95 % interval where there are two or more, as text."""
    from coursekit.statistics import mean_and_half

    if len(values) < 2:
        return f"{values[0]:{sign}.{digits}f}" if values else ""
    mean, half = mean_and_half(values)
    return f"{mean:{sign}.{digits}f} ± {half:.{digits}f}"


COLUMNS = ("network and method", "seeds", "bytes", "for normalization", "times smaller", "test error, %", "points lost")


def rows(results=None):
    """The kept records as a list of rows under COLUMNS, texts: first the network that all methods start from.

    "bytes" is the mean over the seeds; "for normalization" are those of its scales, shifts and statistics, which
    no method changes; "times smaller" compares the bytes with 4 bytes for each parameter, and "points lost" the error
    with that of the dense network that was trained as long, seed by seed.
    """
    found = []
    for name, by_method in kept(results).items():
        dense = by_method.get("dense", {})
        starts = next(iter(by_method.values()))
        errors = _errors(starts, "start_wrong")
        lost = _lost(starts, dense, "start_wrong")
        found.append([f"{name}: start", str(len(starts)), "", "", "", mean_of(errors, 2), mean_of(lost, 2, "+")])
        for method, lines in by_method.items():
            size, normal = (np.mean([line[of] for line in lines.values()]) for of in ("bytes", "normalization"))
            raw = 4 * next(iter(lines.values()))["parameters"]
            errors = _errors(lines)
            lost = _lost(lines, dense) if method != "dense" else []
            row = [f"{name}: {method}", str(len(lines)), f"{size:,.0f}", f"{normal:,.0f}", f"{raw / size:.1f}"]
            found.append([*row, mean_of(errors, 2), mean_of(lost, 2, "+")])
    return found


def smallest_within(results=None, points=100 * HALF_A_POINT):
    """{network: {family: (method, mean bytes)}}: of each family of methods the smallest file that loses at most so many
    points, in the mean over the seeds, of the accuracy of the dense network with the same training; None for none."""
    best = {}
    for name, by_method in kept(results).items():
        best[name] = {how.family: None for how in METHODS.values() if how.family != "dense"}
        for method, lines in by_method.items():
            family, lost = METHODS[method].family, _lost(lines, by_method.get("dense", {}))
            if family == "dense" or not lost or np.mean(lost) > points:
                continue
            size = float(np.mean([line["bytes"] for line in lines.values()]))
            if best[name][family] is None or size < best[name][family][1]:
                best[name][family] = (method, size)
    return best


def answer(results=None):
    """Which method gives the smallest file at equal accuracy: a sentence for each network."""
    sentences = []
    for name, by_family in smallest_within(results).items():
        there = sorted(best[::-1] for best in by_family.values() if best)
        said = [f"{size:,.0f} bytes ({method})" for size, method in there]
        said += [f"none {family}" for family, best in by_family.items() if not best]
        sentences.append(f"{name.capitalize()} network: {'; '.join(said)}.")
    return sentences


def table(results=None):
    """The kept records as text, a line for each network and method; below it what `answer` says."""
    found = rows(results)
    if not found:
        return "no record yet: coursekit experiment untuned"
    heading = f"Smallest file that loses at most {HALF_A_POINT:.1%} of accuracy:"
    return "\n".join([console.table(COLUMNS, found), "", heading, *answer(results)])


def page(results=None):
    """The same in Markdown, for docs/compression.md."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" + "|---:" * (len(COLUMNS) - 1) + "|"]
    lines += [f"| {' | '.join(row)} |" for row in rows(results)]
    heading = "The smallest file of each kind that loses at most half a point of accuracy, in the mean over the seeds:"
    return "\n".join([*lines, "", heading, "", *[f"- {sentence}" for sentence in answer(results)]])


def curves(results=None):
    """{network: {family: [(mean bytes, test errors in percent, one for each seed)]}}, from the largest to the smallest
    file, for `coursekit.plots.ch19_weight_clustering.draw_sizes_and_errors`."""
    panels = {}
    for name, by_method in kept(results).items():
        panels[name] = {}
        for method, lines in by_method.items():
            size = float(np.mean([line["bytes"] for line in lines.values()]))
            panels[name].setdefault(METHODS[method].family, []).append((size, _errors(lines)))
        for points in panels[name].values():
            points.sort(key=lambda point: -point[0])
    return panels


def as_text(line):
    """A record in a line of text, to be read while the next one is made."""
    n, minutes = line["test_images"], sum(taken["cpu_minutes"] for taken in line["stages"].values())
    return (
        f"{line['network']}, {line['method']}, seed {line['seed']}: {line['bytes']:,} bytes, test accuracy "
        f"{1 - len(line['wrong']) / n:.4f} (at the start {1 - len(line['start_wrong']) / n:.4f}), "
        f"{minutes:.1f} minutes of processor time"
    )
