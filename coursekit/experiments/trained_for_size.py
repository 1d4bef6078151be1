"""How small with a price for every bit? Small networks taught by a large one and trained for size. Notebook 19.

A teacher, the reference network trained on images that are turned, scaled, sheared and shifted, reads true MNIST. A
small network of the same layout learns the teacher's probabilities, mixed with the true digits, from a random start or
from the teacher's strongest units (Hinton, Vinyals and Dean 2015, "Distilling the knowledge in a neural network"). Then
it is trained on with the bits of its weights in the loss (Oktay and others 2020, "Scalable model compression by entropy
penalized reparameterization"), by `compression.penalize_entropy`, and written by `save_compressed`.

What the teacher says is computed once, for some moved copies of all training images, since that takes longer than a
small network's own training. Born in notebook 19.
"""

import json
import math
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from itertools import product

import numpy as np

from coursekit import console
from coursekit.errors import CoursekitError
from coursekit.experiments.common import (
    add_missing,
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

DENSE_BYTES = 4 * 431_242  # of the reference network's float32 parameters, the teacher's and the smallest's measure
WARM_STEPS = 200  # in which a learning rate rises from a tenth


@dataclass(frozen=True)
class Teacher:
    """How the teacher is trained: a network of the reference layout, one for all seeds.

    epochs, batch, rate, dropout: of its training; the rate is the largest, and falls along half a cosine
    copies:   how many times all training images are moved for its pupils
    strength: how far they are moved for pupils, as a share of how far they are for the teacher itself (see `moved`)
    """

    epochs: int = 20
    batch: int = 250
    rate: float = 2e-3
    dropout: float = 0.3
    copies: int = 20
    strength: float = 0.6


@dataclass(frozen=True)
class Recipe:
    """A small network and its training; chosen on the validation part with seeds that are not recorded.

    widths:      filters of the two convolutions and units of the dense layer
    price:       of a bit, in nats of the loss
    epochs:      of training without a price
    size_epochs: of training with it; it rises over the first 40 %
    batch:       images in a batch
    rate, size_rate: the largest learning rates of both
    hard:        the share of the true digit in what is learned; the teacher's answer has the rest
    cut:         whether the network starts from the teacher's strongest units, instead of at random
    """

    widths: tuple
    price: float
    epochs: int = 10
    size_epochs: int = 60
    batch: int = 125
    rate: float = 3e-3
    size_rate: float = 2e-3
    hard: float = 0.3
    cut: bool = False

    @property
    def settings(self):
        """All settings, as they stand in a record."""
        return json.loads(json.dumps(asdict(self)))

    @property
    def without_price(self):
        """The recipe of the training before there is a price, which recipes of the same widths can share."""
        return replace(self, price=0.0, size_epochs=0, size_rate=0.0)


TEACHER = Teacher()
# Named after how many times smaller than the reference network's float32 parameters the file should be.
RECIPES = {
    "priced-300": Recipe((16, 32, 32), 2e-7),
    "priced-555": Recipe((16, 32, 32), 7e-7),
    "priced-1110": Recipe((16, 32, 32), 3.3e-6, size_epochs=80),
    "priced-2200": Recipe((16, 32, 32), 1.2e-5),
    "cut-555": Recipe((16, 32, 32), 7e-7, cut=True),
}
# What others report, {method: (times smaller, test error in percent)}; the sources stand in notebook 19.
PUBLISHED = {
    "Havasi 2019, A": (555, 0.69),
    "Havasi 2019, B": (1110, 0.96),
    "Louizos 2017": (771, 1.0),
    "Oktay 2020": (606, 1.0),
}


# --- what is learned --------------------------------------------------------------------------------------------------
def transforms(n, rng, strength=1.0):
    """(n, 8): random affine maps around the middle of 28 × 28 pixels, as keras.ops.image.affine_transform takes them.

    At strength 1: turned by up to 0.2 radians, scaled by up to 12 %, sheared by up to 0.15, shifted by up to 2 pixels.
    """
    turn, scale, shear, across, down = (rng.uniform(-most, most, n) * strength for most in (0.2, 0.12, 0.15, 2, 2))
    cosine, sine, middle = np.cos(turn) / (1 + scale), np.sin(turn) / (1 + scale), 13.5
    rows = [(cosine, shear - sine, across), (sine, cosine, down)]
    columns = [array for a, b, shift in rows for array in (a, b, middle * (1 - a - b) + shift)]
    return np.stack([*columns, np.zeros(n), np.zeros(n)], axis=1).astype(np.float32)


def moved(x, rng, strength=1.0):
    """Images (n, 28, 28, 1), each under a random affine map of its own."""
    from keras import ops

    parts = np.array_split(x, -(-len(x) // 2000))
    maps = (transforms(len(part), rng, strength) for part in parts)
    return np.concatenate(
        [ops.convert_to_numpy(ops.image.affine_transform(*pair)) for pair in zip(parts, maps, strict=True)]
    )


def train(model, epochs, batch, rate, draw):
    """Epochs of Adam; draw(epoch) gives images and what is learned, (n, 10) probabilities.

    The rate rises in 200 steps from a tenth and falls along half a cosine to 0 (Loshchilov and Hutter 2017).
    """
    import keras

    for epoch in range(epochs):
        x, y = draw(epoch)
        if not epoch:
            steps = math.ceil(len(x) / batch) * epochs
            warm = min(WARM_STEPS, steps // 2)
            falling = keras.optimizers.schedules.CosineDecay(
                rate / 10, steps - warm, warmup_target=rate, warmup_steps=warm
            )
            model.compile(keras.optimizers.Adam(falling), keras.losses.CategoricalCrossentropy(from_logits=True))
        model.fit(x, y, batch_size=batch, verbose=0)


def teacher_network(data, work):
    """(the teacher, its stage's minutes); kept in the folder `work`."""
    import keras

    x, y = data["train"]
    target = np.eye(10, dtype=np.float32)[y]

    def make():
        keras.utils.set_random_seed(0)
        rng = np.random.default_rng(0)
        model = reference_network(keras, dropout=TEACHER.dropout)
        train(model, TEACHER.epochs, TEACHER.batch, TEACHER.rate, lambda epoch: (moved(x, rng), target))
        return model.get_weights()

    weights, minutes = stage(work / f"teacher-{digest(TEACHER)}.npz", make)
    model = reference_network(keras, dropout=0)
    model.set_weights(weights)
    return model, minutes


def lessons(teacher, x):
    """Moved copies of the images, (copies, n, 28, 28, 1) whole numbers to 255, and what the teacher says of them.

    The probabilities are (copies, n, 10). On two cores some five seconds for each copy of MNIST.
    """
    from keras import ops

    rng = np.random.default_rng(1)
    images = np.empty((TEACHER.copies, *x.shape), np.uint8)
    said = np.empty((TEACHER.copies, len(x), 10), np.float32)
    for copy in console.progress(range(TEACHER.copies), "asking the teacher", unit="copy"):
        images[copy] = np.round(255 * moved(x, rng, TEACHER.strength))
        said[copy] = ops.convert_to_numpy(ops.softmax(logits_of(teacher, images[copy] / np.float32(255))))
    return images, said


# --- the networks -----------------------------------------------------------------------------------------------------
def strongest_units(weights, widths):
    """The reference network's eight arrays with the filters and units whose weights are largest, by their squares' sum.

    widths: how many filters and units stay. Li and others (2017), "Pruning filters for efficient ConvNets", do so by
    the sum of absolute values.
    """
    kernels, biases = [array.copy() for array in weights[::2]], list(weights[1::2])
    for i, width in enumerate(widths):
        strength = np.square(kernels[i]).sum(axis=tuple(range(kernels[i].ndim - 1)))
        stay = np.sort(np.argsort(-strength)[:width])
        before = kernels[i].shape[-1]
        kernels[i], biases[i] = kernels[i][..., stay], biases[i][stay]
        following = kernels[i + 1]
        turns = following.reshape(*following.shape[:-2], -1, before, following.shape[-1])
        kernels[i + 1] = turns[..., stay, :].reshape(*following.shape[:-2], -1, following.shape[-1])
    return [array for pair in zip(kernels, biases, strict=True) for array in pair]


def taught_network(recipe, seed, teacher, learn):
    """The small network trained without a price: eight arrays."""
    import keras

    keras.utils.set_random_seed(seed)
    model = reference_network(keras, dropout=0, widths=recipe.widths)
    if recipe.cut:
        model.set_weights(strongest_units(teacher.get_weights(), recipe.widths))
    train(model, recipe.epochs, recipe.batch, recipe.rate, learn)
    return model.get_weights()


def priced_network(recipe, seed, weights, learn, n):
    """The small network trained on with a price for every bit, on n images an epoch: eight arrays."""
    import keras

    from coursekit import compression

    keras.utils.set_random_seed(1000 + seed)
    model = reference_network(keras, dropout=0, widths=recipe.widths)
    model.set_weights(weights)
    ramp = int(0.4 * recipe.size_epochs * math.ceil(n / recipe.batch))
    priced = compression.penalize_entropy(model, recipe.price, ramp_steps=ramp, seed=seed)
    train(priced, recipe.size_epochs, recipe.batch, recipe.size_rate, learn)
    return compression.strip_entropy(priced).get_weights()


def make(recipe, seed, data, work, taught_by):
    """(the model, {stage: minutes}) of a recipe and a seed; each stage is kept in the folder `work`.

    taught_by: gives (the teacher, images, what it says of them), as `lessons` does; called when a stage needs it.
    """
    import keras

    y, taken = data["train"][1], {}
    taught_file, priced_file = (
        work / f"{name}-{digest(TEACHER)}-{digest(settings)}-{seed}.npz"
        for name, settings in (("taught", recipe.without_price), ("priced", recipe))
    )

    def learn(epoch, first=0):
        _, images, said = taught_by()
        copy = (7 * seed + first + epoch) % len(images)
        target = (1 - recipe.hard) * said[copy] + recipe.hard * np.eye(10, dtype=np.float32)[y]
        return images[copy] / np.float32(255), target

    def taught():
        return taught_network(recipe, seed, taught_by()[0], learn)

    def priced(weights):
        return priced_network(recipe, seed, weights, partial(learn, first=recipe.epochs), len(y))

    weights, taken["taught"] = stage(taught_file, taught)
    weights, taken["priced"] = stage(priced_file, partial(priced, weights))
    model = reference_network(keras, widths=recipe.widths)
    model.set_weights(weights)
    return model, taken


# --- the experiment ---------------------------------------------------------------------------------------------------
def record(name, seed, data, work, files, taught_by):
    """Make one network, write its file, read it back and look at the test set: a line for data/results/priced.jsonl."""
    from coursekit import compression

    recipe = RECIPES[name]
    model, taken = make(recipe, seed, data, work, taught_by)
    file = files / f"{name}-{seed}.ckw"
    file.parent.mkdir(parents=True, exist_ok=True)
    summary = compression.save_compressed(model, file, names=False)
    model = compression.load_compressed(file)
    teacher, taken["teacher"] = teacher_network(data, work)
    validation = data["validation"]
    return {
        "recipe": name,
        "settings": recipe.settings,
        "teacher": asdict(TEACHER),
        "seed": seed,
        "file": file.name,
        "bytes": summary.size,
        "parts": {part: round(size, 1) for part, size in summary.parts.items()},
        "parameters": model.count_params(),
        "weights_left": [int(np.count_nonzero(array)) for array in model.get_weights()],
        "stages": rounded(taken),
        "validation": 1 - len(misclassified(model, *validation)) / len(validation[1]),
        "test_images": len(data["test"][1]),
        "wrong": misclassified(model, *data["test"]),
        "teacher_wrong": misclassified(teacher, *data["test"]),
        "digits28_right": right_on_digits28(model),
    }


def run(names=tuple(RECIPES), seeds=(0,), work=None, results=None, files=None):
    """Make the records that are missing, seed by seed. Returns True; an interruption loses one stage at most.

    work, results, files: see `places`. Raises CoursekitError for another recipe than those of RECIPES.
    """
    if unknown := sorted(set(names) - set(RECIPES)):
        raise CoursekitError(f"there is no recipe {', '.join(unknown)}; there are {', '.join(RECIPES)}")
    work, results, files = places("priced", work, results, files)
    data = mnist()

    @cache
    def taught_by():
        teacher, _ = teacher_network(data, work)
        return teacher, *lessons(teacher, data["train"][0])

    wanted = [
        {"recipe": name, "settings": RECIPES[name].settings, "teacher": asdict(TEACHER), "seed": seed}
        for seed, name in product(seeds, names)
    ]
    return add_missing(
        results, wanted, lambda key: record(key["recipe"], key["seed"], data, work, files, taught_by), as_text
    )


def kept(results=None):
    """{recipe: {seed: record}}, the newest of each that `run` has kept, in the order of RECIPES."""
    by_recipe = {name: {} for name in RECIPES}
    for line in read_lines(results or data_dir() / "results" / "priced.jsonl"):
        by_recipe.setdefault(line["recipe"], {})[line["seed"]] = line
    return {name: dict(sorted(by_seed.items())) for name, by_seed in by_recipe.items() if by_seed}


def means(results=None):
    """{recipe: {"seeds", "weights_left", "bytes", "error" in percent, "half" of Student's 95 % interval of the error}}.

    All but the first are means over the kept seeds; with one seed there is no interval, and "half" is None.
    """
    from coursekit.statistics import mean_and_half

    found = {}
    for name, by_seed in kept(results).items():
        lines = by_seed.values()
        errors = [100 * len(line["wrong"]) / line["test_images"] for line in lines]
        found[name] = {
            "seeds": len(lines),
            "weights_left": float(np.mean([sum(line["weights_left"]) for line in lines])),
            "bytes": float(np.mean([line["bytes"] for line in lines])),
            "error": float(np.mean(errors)),
            "half": mean_and_half(errors)[1] if len(errors) > 1 else None,
        }
    return found


def _rows(results):
    for name, of in means(results).items():
        half = "" if of["half"] is None else f" ± {of['half']:.2f}"
        times = DENSE_BYTES / of["bytes"]
        yield [
            name,
            str(of["seeds"]),
            f"{of['weights_left']:,.0f}",
            f"{of['bytes']:,.0f}",
            f"{times:,.0f}",
            f"{of['error']:.2f}{half}",
        ]


_HEADS = ["recipe", "seeds", "weights left", "bytes", "times smaller", "test error in %"]


def table(results=None):
    """The kept records as text: for each recipe the means over its seeds."""
    return console.table(_HEADS, list(_rows(results)))


def page_table(results=None):
    """The same in Markdown, as it stands in docs/compression.md."""
    rows = [_HEADS, ["---", *["---:"] * (len(_HEADS) - 1)], *_rows(results)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def as_text(line):
    """A record in a line of text, to be read while the next one is made."""
    minutes = sum(taken["minutes"] for taken in line["stages"].values())
    error = len(line["wrong"]) / line["test_images"]
    return (
        f"{line['recipe']} seed {line['seed']}: {line['bytes']:,} bytes, {sum(line['weights_left']):,} weights left, "
        f"test error {error:.2%} (validation {1 - line['validation']:.2%}), {minutes:.1f} minutes"
    )
