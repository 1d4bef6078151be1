"""How small can the reference network get? Pruned by LAMP scores, taught by itself, clustered, and coded. Notebook 19.

The dense network is the teacher: what it says of an image and of its eight neighbors, shifted by one pixel, mixed with
the true digit, is what the small one learns (Hinton, Vinyals and Dean 2015, "Distilling the knowledge in a neural
network"). Pruning is gradual (Zhu and Gupta 2017) and compares layers by LAMP scores (Lee and others 2021). What is
left is clustered and trained on with its few values (Han, Mao and Dally 2016); then the file is written by
`coursekit.compression`. Born in notebook 19.
"""

import math
from dataclasses import asdict, dataclass
from functools import cache, partial
from itertools import product

import numpy as np

from coursekit.errors import CoursekitError
from coursekit.experiments.common import (
    BATCH,
    add_missing,
    dense_network,
    digest,
    logits_of,
    misclassified,
    mnist,
    places,
    reference_network,
    right_on_digits28,
    rounded,
    stage,
)
from coursekit.paths import data_dir
from coursekit.records import read_lines

DENSE_BYTES = 4 * 431_242  # of the dense network's float32 parameters
SHIFTS = tuple(product((-1, 0, 1), repeat=2))  # rows and columns


@dataclass(frozen=True)
class Recipe:
    """What is done with a dense network; chosen on the validation part.

    sparsity:       the share of the weights that goes, or 0 for a dense network with the same training
    values:         how many values besides 0 the weights of a layer have in the end
    bias_values:    the same for biases
    epochs:         of training while weights go, and for a while after the last has gone
    pruning_share:  of these epochs, in which weights go
    tune_epochs:    of training with few values
    rate, tune_rate: the largest learning rates of both; they rise, and fall along half a cosine
    hard:           the share of the true digit in what is learned; the teacher's answer has the rest
    start:          the recipe whose pruned network this one begins with, or None for the dense network
    """

    sparsity: float
    values: int = 8
    bias_values: int = 8
    epochs: int = 20
    pruning_share: float = 0.6
    tune_epochs: int = 5
    rate: float = 1e-3
    tune_rate: float = 2e-4
    hard: float = 0.3
    start: "Recipe | None" = None

    @property
    def chain(self):
        """The recipes whose pruned networks are made one from another, this one last."""
        return [*self.start.chain, self] if self.start else [self]

    @property
    def digest(self):
        """Eight digits that differ where a setting differs."""
        return digest(self)


_200 = Recipe(0.9815, rate=3e-3, pruning_share=0.4)
_370 = Recipe(0.9911, epochs=16, pruning_share=0.3, tune_epochs=4, rate=2e-3, start=_200)
_555 = Recipe(0.9945, epochs=16, pruning_share=0.3, tune_epochs=4, rate=2e-3, start=_370)
# Named after how many times smaller the file should be; the last one is the same training with nothing taken away.
RECIPES = {"200": _200, "370": _370, "555": _555, "dense": Recipe(0.0, rate=3e-3)}


# --- what is learned --------------------------------------------------------------------------------------------------
def shifted(x, rows, columns):
    """Images (n, 28, 28, 1) moved by so many rows and columns; what leaves on one side comes in on the other, and that
    is nothing, as MNIST's digits have an empty frame of four pixels."""
    return np.roll(x, (rows, columns), axis=(1, 2))


def soft_labels(teacher, x, y, hard):
    """(9, n, 10): for each shift the teacher's probabilities, mixed with the true digit."""
    from keras import ops

    said = np.stack([np.asarray(ops.softmax(logits_of(teacher, shifted(x, *shift)))) for shift in SHIFTS])
    return (1 - hard) * said + hard * np.eye(10, dtype=np.float32)[y]


def train(model, x, soft, epochs, rate, rng, callbacks=()):
    """Epochs of Adam with batches of 250, every image moved by one of the shifts, drawn anew in every epoch.

    The rate rises in half an epoch from a tenth and falls along half a cosine to 0 (Loshchilov and Hutter 2017).
    """
    import keras

    steps = math.ceil(len(x) / BATCH)
    warm = steps // 2
    falling = keras.optimizers.schedules.CosineDecay(
        rate / 10, steps * epochs - warm, warmup_target=rate, warmup_steps=warm
    )
    model.compile(keras.optimizers.Adam(falling), keras.losses.CategoricalCrossentropy(from_logits=True))
    for _ in range(epochs):
        which = rng.integers(0, len(SHIFTS), len(x))
        moved = np.empty_like(x)
        for i, shift in enumerate(SHIFTS):
            moved[which == i] = shifted(x[which == i], *shift)
        model.fit(moved, soft[which, np.arange(len(x))], batch_size=BATCH, verbose=0, callbacks=list(callbacks))


# --- what is taken away -----------------------------------------------------------------------------------------------
def without_idle_units(weights):
    """The reference network's eight arrays without what has no effect on its answers.

    A unit or filter whose output nobody uses goes. One without inputs is a constant: it goes on in the bias of what it
    feeds, where that is the last layer.
    """
    w1, b1, w2, b2, w3, b3, w4, b4 = (array.copy() for array in weights)
    idle = ~w4.any(axis=1)
    w3[:, idle], b3[idle] = 0, 0
    constant = ~w3.any(axis=0)
    b4 += np.maximum(b3[constant], 0) @ w4[constant]
    w4[constant], b3[constant] = 0, 0
    channels = w2.shape[-1]  # of the second convolution; the inputs of the dense layer come in turns of them
    idle = ~w3.reshape(-1, channels, w3.shape[-1]).any(axis=(0, 2))
    w2[..., idle], b2[idle] = 0, 0
    idle = ~w2.any(axis=(0, 1, 3))
    w1[..., idle], b1[idle] = 0, 0
    return [w1, b1, w2, b2, w3, b3, w4, b4]


def with_few_values(array, k):
    """The array with its numbers other than 0 replaced by the k values that are best for them.

    Zeros stay. One of the values can be 0, too, where numbers of both signs share it.
    """
    from coursekit.compression.centroids import optimal_centroids

    there = array != 0
    if len(np.unique(array[there])) <= k:
        return array
    values = optimal_centroids(array[there], k)
    changed = array.copy()
    changed[there] = values[np.abs(array[there][:, None] - values).argmin(axis=1)]
    return changed


def pruned_network(dense, recipe, x, soft, rng):
    """The dense network trained on while its weights go: eight arrays."""
    from coursekit import compression

    steps = math.ceil(len(x) / BATCH) * recipe.epochs
    if not recipe.sparsity:
        train(dense, x, soft, recipe.epochs, recipe.rate, rng)
        return dense.get_weights()
    first = recipe.start.sparsity if recipe.start else 0.5
    schedule = compression.PolynomialDecay(first, recipe.sparsity, 0, int(steps * recipe.pruning_share), frequency=50)
    wrapped = compression.prune_low_magnitude(dense, schedule, per_layer=False, score="lamp")
    train(wrapped, x, soft, recipe.epochs, recipe.rate, rng, [compression.UpdatePruningStep()])
    return without_idle_units(compression.strip_pruning(wrapped).get_weights())


def clustered_network(pruned, recipe, x, soft, rng):
    """The pruned network trained on with few values: eight arrays."""
    from coursekit import compression

    if not recipe.sparsity:
        train(pruned, x, soft, recipe.tune_epochs, recipe.tune_rate, rng)
        return pruned.get_weights()
    wrapped = compression.cluster_weights(pruned, recipe.values + 1, "KMEANS_PLUS_PLUS", preserve_sparsity=True)
    train(wrapped, x, soft, recipe.tune_epochs, recipe.tune_rate, rng)
    weights = without_idle_units(compression.strip_clustering(wrapped).get_weights())
    return [array if i % 2 == 0 else with_few_values(array, recipe.bias_values) for i, array in enumerate(weights)]


# --- the experiment ---------------------------------------------------------------------------------------------------
def make(recipe, seed, data, work):
    """(the model, {stage: minutes}) of a recipe and a seed; each stage is kept in the folder `work`."""
    import keras

    x, y = data["train"]
    dense, minutes = dense_network(seed, data["train"], work)
    soft = cache(lambda hard: soft_labels(dense, x, y, hard))  # made when a stage needs it
    taken = {"dense": minutes}

    def changed(change, number, recipe, weights):
        keras.utils.set_random_seed(1000 * number + seed)
        model = reference_network(keras, dropout=0)
        model.set_weights(weights)
        return change(model, recipe, x, soft(recipe.hard), np.random.default_rng((seed, number)))

    def staged(change, number, recipe, weights):
        name = change.__name__.removesuffix("_network")
        file = work / f"{name}-{recipe.digest}-{seed}.npz"
        weights, minutes = stage(file, partial(changed, change, number, recipe, weights))
        taken[f"{name} to {recipe.sparsity:.2%}" if recipe.sparsity else f"trained, not {name}"] = minutes
        return weights

    weights = dense.get_weights()
    for earlier in recipe.chain:
        weights = staged(pruned_network, 1, earlier, weights)
    weights = staged(clustered_network, 2, recipe, weights)
    model = reference_network(keras)
    model.set_weights(weights)
    return model, taken


def record(name, seed, data, work, files):
    """Make one network, write its file, read it back and look at the test set: a line for data/results/smallest.jsonl.

    The file goes to `files`, or for "dense" nowhere. Every image that is misread is listed, so that two networks can be
    compared image by image.
    """
    from coursekit import compression

    recipe = RECIPES[name]
    model, taken = make(recipe, seed, data, work)
    line = {"recipe": name, "settings": asdict(recipe), "seed": seed}
    if recipe.sparsity:
        file = files / f"{name}-{seed}.ckw"
        file.parent.mkdir(parents=True, exist_ok=True)
        summary = compression.save_compressed(model, file, codebook="float16", others="float16", names=False)
        model = compression.load_compressed(file)
        parts = {part: round(size, 1) for part, size in summary.parts.items()}
        line |= {"file": file.name, "bytes": summary.size, "parts": parts}
    dense, _ = dense_network(seed, data["train"], work)
    line |= {
        "weights_left": [int(np.count_nonzero(array)) for array in model.get_weights()],
        "stages": rounded(taken),
        "validation": 1 - len(misclassified(model, *data["validation"])) / len(data["validation"][1]),
        "dense_validation": 1 - len(misclassified(dense, *data["validation"])) / len(data["validation"][1]),
        "test_images": len(data["test"][1]),
        "wrong": misclassified(model, *data["test"]),
        "dense_wrong": misclassified(dense, *data["test"]),
        "digits28_right": right_on_digits28(model),
    }
    return line


def run(names=tuple(RECIPES), seeds=(0,), work=None, results=None, files=None):
    """Make the records that are missing, seed by seed. Returns True; an interruption loses one stage at most.

    work, results, files: see `places`. Raises CoursekitError for another recipe than those of RECIPES.
    """
    if unknown := sorted(set(names) - set(RECIPES)):
        raise CoursekitError(f"there is no recipe {', '.join(unknown)}; there are {', '.join(RECIPES)}")
    work, results, files = places("smallest", work, results, files)
    data = mnist()
    wanted = [{"recipe": name, "settings": asdict(RECIPES[name]), "seed": seed} for seed, name in product(seeds, names)]
    return add_missing(results, wanted, lambda key: record(key["recipe"], key["seed"], data, work, files), as_text)


def kept(results=None):
    """{recipe: {seed: record}}, the newest of each that `run` has kept, in the order of RECIPES."""
    by_recipe = {name: {} for name in RECIPES}
    for line in read_lines(results or data_dir() / "results" / "smallest.jsonl"):
        by_recipe.setdefault(line["recipe"], {})[line["seed"]] = line
    return {name: dict(sorted(by_seed.items())) for name, by_seed in by_recipe.items() if by_seed}


def file_of(recipe, seed=0):
    """Where the compressed file of a recipe and a seed is kept. Raises CoursekitError where there is none."""
    file = data_dir() / "compressed" / "smallest" / f"{recipe}-{seed}.ckw"
    if not file.is_file():
        raise CoursekitError(f"there is no file {file.name}; make it: coursekit experiment smallest --seeds {seed}")
    return file


def table(results=None):
    """The kept records as text: a line for each network, and means.

    Each network is compared, image by image, with the dense one of its seed and with the recipe "dense" of its seed,
    which had the same training and is shown as "same". "gained" are test images that only this network reads and "lost"
    those that only the other reads; p is that of McNemar's exact test. Under each comparison stands the mean of the
    differences in points, ± half of Student's 95 % interval over the seeds.
    """
    lines, by_recipe = [_HEADS[0], _HEADS[1]], kept(results)
    trained = {seed: network["wrong"] for seed, network in by_recipe.get("dense", {}).items()}
    for recipe, by_seed in by_recipe.items():
        sizes, shares, differences = [], [], {"plain": [], "trained": []}
        for seed, network in by_seed.items():
            sizes.append(network.get("bytes", DENSE_BYTES))
            shares.append(1 - len(network["wrong"]) / network["test_images"])
            line = _network_columns(recipe, seed, sizes[-1], shares[-1])
            others = {"plain": network["dense_wrong"], "trained": None if recipe == "dense" else trained.get(seed)}
            for name, wrong in others.items():
                if wrong is not None:
                    line += _pair_columns(network["wrong"], wrong)
                    differences[name].append(100 * (len(wrong) - len(network["wrong"])) / network["test_images"])
            lines.append(line)
        means = "".join(_difference_column(values) for values in differences.values())
        lines.append(_network_columns(recipe, "mean", np.mean(sizes), np.mean(shares)) + means)
    return "\n".join(line.rstrip() for line in lines)


_HEADS = (
    f"{'':40}{'against dense':>21}{'the same training':>21}",
    f"{'recipe':8}{'seed':>5}{'bytes':>11}{'times':>7}{'reads':>9}" + 2 * f"{'gained':>8}{'lost':>6}{'p':>7}",
)


def _network_columns(recipe, seed, size, share):
    shown = "same" if recipe == "dense" else recipe
    return f"{shown:8}{seed:>5}{size:11,.0f}{DENSE_BYTES / size:7.0f}{share:9.4f}"


def _pair_columns(wrong, others):
    """How many images only this network reads, how many only the other, and McNemar's p, from what each misreads."""
    from coursekit.statistics import mcnemar

    gained, lost = len(set(others) - set(wrong)), len(set(wrong) - set(others))
    p = mcnemar(gained, lost)
    return f"{gained:8}{lost:6}" + (f"{p:7.2f}" if p >= 0.01 else f"{'<0.01':>7}")


def _difference_column(points):
    """Their mean and half of its 95 % interval; nothing where fewer than two seeds are there."""
    from coursekit.statistics import mean_and_half

    if len(points) < 2:
        return f"{'':21}"
    mean, half = mean_and_half(points)
    return f"{f'{mean:+.3f} ± {half:.3f}':>21}"


def as_text(line):
    """A record in a line of text, to be read while the next one is made."""
    n = line["test_images"]
    right, dense = (1 - len(line[key]) / n for key in ("wrong", "dense_wrong"))
    size = f"{line['bytes']:,} bytes" if "bytes" in line else "not compressed"
    minutes = sum(taken["minutes"] for taken in line["stages"].values())
    return (
        f"{line['recipe']} seed {line['seed']}: {size}, {sum(line['weights_left']):,} numbers left, test accuracy "
        f"{right:.4f} (dense {dense:.4f}), {minutes:.1f} minutes"
    )
