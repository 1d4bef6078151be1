"""The reference experiment repeated: 14 values a layer, trained for one epoch, through tfmot and through coursekit.

C. Versloot (2020), "TensorFlow model optimization: introducing weight clustering", puts the weights of the reference
network into 14 linear clusters, trains for an epoch at a rate of 1e-5, strips, saves and zips. Here the same is done
from the dense network of each seed, with both libraries, from all of tfmot's initializations, and from coursekit's
OPTIMAL. Born in notebook 19.
"""

from dataclasses import asdict, dataclass
from functools import partial

import numpy as np

from coursekit import console
from coursekit.experiments import tfmot
from coursekit.experiments.common import (
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

# What the article reports, before and after. What follows "after" was measured on the model that was given to tfmot,
# not on the clustered one: see AFTERWARDS.
PUBLISHED = {"h5_zipped": (1_602_422, 196_180), "accuracy": (0.9920, 0.9919), "loss": (0.02783, 0.02762)}
AFTERWARDS = "tfmot LINEAR, the model given"
INITIALIZATIONS = ("LINEAR", "OPTIMAL")  # of coursekit; those of tfmot are all tried
KEPT_SEED = 0  # of which one clustered network is kept as a file
KEPT = {"coursekit LINEAR": "coursekit-linear.ckw"}


@dataclass(frozen=True)
class Settings:
    """Of the clustering and of the training that follows."""

    values: int = 14
    epochs: int = 1
    rate: float = 1e-5


SETTINGS = Settings()


def clustered(weights, train, seed, values, epochs, rate, init):
    """Through coursekit's cluster_weights, training and strip_clustering: eight arrays. With 0 epochs, not trained."""
    import keras

    from coursekit import compression

    keras.utils.set_random_seed(seed)
    model = reference_network(keras)
    model.set_weights(weights)
    wrapped = compression.cluster_weights(model, values, init, seed=seed)
    if epochs:
        fit(keras, wrapped, train, epochs, rate)
    return compression.strip_clustering(wrapped).get_weights()


def networks(seed, data, work):
    """({form: eight arrays}, {form: logits} of AFTERWARDS, {stage: minutes}), each stage kept in the folder `work`."""
    dense, minutes = dense_network(seed, data["train"], work)
    weights = dense.get_weights()
    forms, taken = {"dense": weights}, {"dense": minutes}
    about, settings = (weights, data["train"], seed), asdict(SETTINGS)

    def made(form, make):
        file = work / f"{form.lower().replace(' ', '-')}-{digest(SETTINGS)}-{seed}.npz"
        forms[form], taken[form] = stage(file, make)

    for init in INITIALIZATIONS:
        forms[f"coursekit {init}, not trained"] = clustered(*about, **settings | {"epochs": 0}, init=init)
        made(f"coursekit {init}", partial(clustered, *about, **settings, init=init))
    for init in tfmot.INITIALIZATIONS:
        x_test = data["test"][0] if init == "LINEAR" else None
        made(f"tfmot {init}", partial(tfmot.clustered, *about, **settings, init=init, x_test=x_test))
    *forms["tfmot LINEAR"], afterwards = forms["tfmot LINEAR"]
    return forms, {AFTERWARDS: afterwards}, taken


def record(seed, data, work, files):
    """Make the networks of a seed and look at each: the rest of a line for data/results/reference.jsonl.

    Of each form: the test images that are misread, the loss on the test set, bytes of its .h5 file, plain and zipped,
    and how many values the kernel of each layer has.
    """
    import keras

    from coursekit import compression

    made, logits, taken = networks(seed, data, work)
    x, y = data["test"]
    model, forms, kept = reference_network(keras), {}, {}
    for form, weights in made.items():
        model.set_weights(weights)
        forms[form] = evaluate(logits_of(model, x), y) | tfmot.h5_sizes(weights)
        forms[form] |= weight_statistics(weights[::2]) | {"digits28_right": right_on_digits28(model)}
        if form in KEPT and seed == KEPT_SEED:
            files.mkdir(parents=True, exist_ok=True)
            compression.save_compressed(model, files / KEPT[form], names=False)
            kept[form] = KEPT[form]
    forms |= {form: evaluate(said, y) for form, said in logits.items()}
    return {"test_images": len(y), "forms": forms, "files": kept, "stages": rounded(taken)}


def run(seeds=(0,), work=None, results=None, files=None):
    """Make the records that are missing, seed by seed. Returns True; an interruption loses one stage at most.

    work, results, files: see `places`. Raises CoursekitError if tfmot is not installed.
    """
    tfmot.check()
    work, results, files = places("reference", work, results, files)
    data = mnist()
    wanted = [{"settings": asdict(SETTINGS), "seed": seed} for seed in seeds]
    return add_missing(results, wanted, lambda key: record(key["seed"], data, work, files), as_text)


def accuracies_and_sizes(results=None):
    """({form: test accuracies}, {form: zipped bytes of the .h5 file}) of the kept records, one number for each seed."""
    lines = [line for _, line in sorted(newest("reference", results).items())]
    reads, sizes = {}, {}
    for line in lines:
        for form, of in line["forms"].items():
            reads.setdefault(form, []).append(1 - len(of["wrong"]) / line["test_images"])
            if "h5_zipped" in of:
                sizes.setdefault(form, []).append(of["h5_zipped"])
    return reads, sizes


def table(results=None):
    """The kept records as text: for each form the means over the seeds, and what the article reports below them."""
    lines = newest("reference", results)
    if not lines:
        return "no record yet: coursekit experiment reference"
    rows = []
    dense = np.mean([line["forms"]["dense"]["h5_zipped"] for line in lines.values()])
    for form in lines[min(lines)]["forms"]:
        seeds = [line["forms"][form] for line in lines.values()]
        reads = [1 - len(seed["wrong"]) / line["test_images"] for seed, line in zip(seeds, lines.values(), strict=True)]
        row = [form, over_seeds(reads), f"{np.mean([seed['loss'] for seed in seeds]):.5f}"]
        if "h5_zipped" in seeds[0]:
            size = np.mean([seed["h5_zipped"] for seed in seeds])
            row += [f"{size:,.0f}", f"{dense / size:.2f}"]
        rows.append(row)
    (before, after), accuracies, losses = PUBLISHED["h5_zipped"], PUBLISHED["accuracy"], PUBLISHED["loss"]
    rows.append(["reported, before", f"{accuracies[0]:.4f}", f"{losses[0]:.5f}", f"{before:,}"])
    rows.append(["reported, after", f"{accuracies[1]:.4f}", f"{losses[1]:.5f}", f"{after:,}", f"{before / after:.2f}"])
    return console.table(["", f"accuracy, seeds: {len(lines)}", "loss", "zipped", "times less"], rows)


def as_text(line):
    """A record as a table, with what the article reports below it."""
    n, dense = line["test_images"], line["forms"]["dense"]
    minutes = sum(taken["minutes"] for taken in line["stages"].values())
    lines = [f"reference seed {line['seed']}: {minutes:.1f} minutes"]
    for form, measured in line["forms"].items():
        size = ""
        if "h5_zipped" in measured:
            zipped = measured["h5_zipped"]
            size = f", {zipped:,} bytes zipped, {dense['h5_zipped'] / zipped:.2f} times less"
        lines.append(f"  {form:30} accuracy {1 - len(measured['wrong']) / n:.4f}, loss {measured['loss']:.5f}{size}")
    before, after = PUBLISHED["h5_zipped"]
    accuracies, losses = (" and ".join(map(str, PUBLISHED[name])) for name in ("accuracy", "loss"))
    lines.append(
        f"  reported: accuracy {accuracies}, loss {losses}, {before:,} and {after:,} bytes zipped, "
        f"{before / after:.2f} times less"
    )
    return "\n".join(lines)
