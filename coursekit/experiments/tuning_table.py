"""`python -m coursekit.experiments.tuning_table` makes `data/tuning_table.npz`: 864 settings, each trained three times.

A small network reads the digits of scikit-learn (notebook 00's `load("digits")`, all 1,797 of them). The settings are
all that the space below has. Each is trained on three splits of the digits, drawn at random: 500 to train on, 300
to validate, 997 to test. Kept is how many of the 300 and of the 997 are read rightly after each of 27 epochs. So every
search in this space can be answered from the table: notebook 17 does hundreds of them.

Networks of equal shape are trained many at once, as one more axis of the arrays, by NumPy. It took 82 seconds of one
core. Sums are rounded differently on another machine, so it gives a slightly different table there, as good as this.
Born in notebook 17.
"""

import itertools

import numpy as np

LAYERS = (1, 2, 3)
UNITS = (8, 16, 32, 64)
OPTIMIZERS = (("adam", None), ("sgd", 0.0), ("sgd", 0.9))  # and the momentum, which only SGD has
RATES = tuple(10 ** (k / 2) for k in range(-7, 1))  # from 0.00032 to 1, each √10 times the one before
DROPOUTS = (0.0, 0.25, 0.5)
SPLITS, EPOCHS, BATCH = 3, 27, 32
TRAIN, VALIDATION, TEST = 500, 300, 997
TOGETHER = 18  # networks trained at once: their weights and moments fit into the processor's cache


def split(number):
    """The digits of one split: {"train", "validation", "test": (images (n, 64) from 0 to 1, digits (n,))}."""
    from coursekit import load

    data = load("digits")
    x = np.concatenate([data.x_train, data.x_test]).reshape(-1, 64).astype(np.float32) / 16
    y = np.concatenate([data.y_train, data.y_test]).astype(np.int64)
    order = np.random.default_rng(1000 + number).permutation(len(x))
    ends = np.cumsum([TRAIN, VALIDATION, TEST])
    rows = dict(zip(("train", "validation", "test"), np.split(order, ends[:-1]), strict=True))
    return {name: (x[part], y[part]) for name, part in rows.items()}


def start_weights(random, runs, layers, units):
    """Glorot's uniform start of `runs` networks: [kernel (runs, before, after), bias (runs, 1, after), ...]."""
    sizes, weights = [64] + [units] * layers + [10], []
    for before, after in itertools.pairwise(sizes):
        limit = (6 / (before + after)) ** 0.5
        weights.append(random.uniform(-limit, limit, (runs, before, after)).astype(np.float32))
        weights.append(np.zeros((runs, 1, after), np.float32))
    return weights


def forward(weights, x, dropout=None, random=None):
    """Logits (runs, n, 10) of x (n, 64), and the inputs of each layer; dropout: (runs, 1, 1) while training."""
    inputs = [np.broadcast_to(x, (len(weights[0]), *x.shape))]
    for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        hidden = np.maximum(inputs[-1] @ kernel + bias, 0)
        if dropout is not None:
            hidden *= (random.random(hidden.shape, dtype=np.float32) >= dropout) / (1 - dropout)
        inputs.append(hidden)
    return inputs[-1] @ weights[-2] + weights[-1], inputs


def gradients(weights, x, y, dropout, random):
    """The gradients of the mean cross-entropy, in the order of the weights."""
    logits, inputs = forward(weights, x, dropout, random)
    logits -= logits.max(axis=-1, keepdims=True)
    error = np.exp(logits)
    error /= error.sum(axis=-1, keepdims=True)
    error[:, np.arange(len(y)), y] -= 1
    error /= len(y)  # (runs, n, 10): the slope in the logits
    found = []
    for layer in range(len(inputs) - 1, -1, -1):
        found[:0] = [inputs[layer].transpose(0, 2, 1) @ error, error.sum(axis=1, keepdims=True)]
        if layer:
            # a unit that was off, by ReLU or by dropout, passes nothing on; the others were divided by 1 - dropout
            error = (error @ weights[2 * layer].transpose(0, 2, 1)) * (inputs[layer] > 0) / (1 - dropout)
    return found


def train_together(data, layers, units, optimizer, momentum, rates, dropouts, seed):
    """Right answers (runs, epochs, 2): of the validation and of the test images, after each epoch.

    rates, dropouts: (runs,), one a network. Adam and SGD as in Keras, with its defaults for what is not given.
    """
    random, (x, y) = np.random.default_rng(seed), data["train"]
    runs = len(rates)
    rates, dropouts = (np.asarray(one, np.float32).reshape(-1, 1, 1) for one in (rates, dropouts))
    weights = start_weights(random, runs, layers, units)
    first, second = ([np.zeros_like(weight) for weight in weights] for _ in range(2))
    right, step = np.zeros((runs, EPOCHS, 2), np.uint16), 0
    for epoch in range(EPOCHS):
        order = random.permutation(len(x))
        for begin in range(0, len(x) - BATCH + 1, BATCH):  # the last 20 of each epoch are left out
            rows, step = order[begin : begin + BATCH], step + 1
            for i, slope in enumerate(gradients(weights, x[rows], y[rows], dropouts, random)):
                if optimizer == "adam":
                    first[i] += 0.1 * (slope - first[i])
                    second[i] += 0.001 * (slope * slope - second[i])
                    scale = np.float32((1 - 0.999**step) ** 0.5 / (1 - 0.9**step))
                    weights[i] -= rates * scale * first[i] / (np.sqrt(second[i]) + np.float32(1e-7))
                else:
                    first[i] = np.float32(momentum) * first[i] - rates * slope
                    weights[i] += first[i]
        for part, name in enumerate(("validation", "test")):
            logits, _ = forward(weights, data[name][0])
            answers = np.where(np.isfinite(logits).all(axis=-1), logits.argmax(axis=-1), -1)  # NaN reads nothing
            right[:, epoch, part] = (answers == data[name][1]).sum(axis=-1)
    return right


def make(layers=LAYERS, units=UNITS, say=print):
    """The table: right answers (layers, units, optimizers, rates, dropouts, splits, epochs, 2), uint16."""
    pairs = [(rate, dropout) for rate in RATES for dropout in DROPOUTS]
    shape = (len(layers), len(units), len(OPTIMIZERS), len(RATES), len(DROPOUTS), SPLITS, EPOCHS, 2)
    table = np.zeros(shape, np.uint16)
    data = [split(number) for number in range(SPLITS)]
    for i, depth in enumerate(layers):
        for j, width in enumerate(units):
            for k, (optimizer, momentum) in enumerate(OPTIMIZERS):
                for number in range(SPLITS):
                    found = []
                    for begin in range(0, len(pairs), TOGETHER):
                        rates, dropouts = zip(*pairs[begin : begin + TOGETHER], strict=True)
                        seed = [17, depth, width, k, number, begin]
                        found.append(
                            train_together(data[number], depth, width, optimizer, momentum, rates, dropouts, seed)
                        )
                    right = np.concatenate(found).reshape(len(RATES), len(DROPOUTS), EPOCHS, 2)
                    table[i, j, k, :, :, number] = right
            best = table[i, j, ..., -1, 0].max() / VALIDATION
            say(f"{depth} layers of {width:2} units: best validation accuracy {best:.3f}", flush=True)
    return table


def main():
    """Train all settings, keep the table in data/, and say how large it is."""
    import hashlib
    import io

    from coursekit.paths import data_dir, write_whole

    content, file = io.BytesIO(), data_dir() / "tuning_table.npz"
    with np.errstate(all="ignore"):  # the largest rates diverge, and this is counted as it is
        np.savez_compressed(content, right=make())
    write_whole(file, content.getvalue())
    print(f"{file.name}: {file.stat().st_size:,} bytes, sha256 {hashlib.sha256(file.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
