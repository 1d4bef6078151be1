"""What a larger batch and more workers bring: plans of a pipeline, races between batch sizes, and times of a step,
fitted and continued to more workers.

Born in notebook 20.
"""

from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import numpy as np


def schedule(load, train, batches, workers=1, ahead=True):
    """When each batch is loaded and trained on: [(lane, batch, start, end)], in the time unit of `load` and `train`.

    ahead: whether loading goes on during the training. Then each of `workers` loads every workers-th batch, one after
    another, and there is room for as many batches as they like.
    """
    free, busy, plan = [0.0] * workers, 0.0, []
    for batch in range(batches):
        who = batch % workers
        start = free[who] if ahead else max(free[who], busy)
        free[who] = start + load
        plan.append((f"load {who + 1}" if workers > 1 else "load", batch, start, free[who]))
        begin = max(free[who], busy)
        busy = begin + train
        plan.append(("train", batch, begin, busy))
    return plan


# --- noise, batch size, learning rate ---------------------------------------------------------------------------------
class Networks:
    """Several networks of one hidden layer, trained side by side on the same batches, each at its own learning rate.

    Every weight has one more axis in front, (networks, ...). All start from the same weights.
    """

    def __init__(self, x, y, count, rng, hidden=32):
        """x: (n, inputs); y: (n,) classes 0, 1, …; count: how many networks; rng: draws the start."""
        self.x, self.targets = np.asarray(x, "float32"), np.eye(int(np.max(y)) + 1, dtype="float32")[np.asarray(y)]
        inputs, classes = self.x.shape[1], self.targets.shape[1]
        first = rng.normal(size=(inputs, hidden)) * np.sqrt(2 / inputs)
        last = rng.normal(size=(hidden, classes)) * np.sqrt(1 / hidden)
        start = [first, np.zeros((1, hidden)), last, np.zeros((1, classes))]
        self.weights = [np.repeat(one[None].astype("float32"), count, axis=0) for one in start]

    def _slopes(self, rows):
        """Hidden values, and what a batch's examples send back to the hidden layer and to the logits."""
        w1, b1, w2, b2 = self.weights
        x = self.x[rows]  # (batch, inputs)
        h = np.maximum(x @ w1 + b1, 0)  # (networks, batch, hidden)
        logits = h @ w2 + b2
        share = np.exp(logits - logits.max(axis=-1, keepdims=True))
        at_logits = share / share.sum(axis=-1, keepdims=True) - self.targets[rows]
        at_hidden = (at_logits @ w2.swapaxes(1, 2)) * (h > 0)
        return x, h, at_hidden, at_logits

    def step(self, rows, rates):
        """One step of gradient descent on these rows; rates: (networks,)."""
        x, h, at_hidden, at_logits = self._slopes(rows)
        slopes = [x.T @ at_hidden, at_hidden.sum(1, keepdims=True), h.swapaxes(1, 2) @ at_logits]
        slopes.append(at_logits.sum(1, keepdims=True))
        rates = np.asarray(rates, "float32")[:, None, None] / len(rows)
        self.weights = [weight - rates * slope for weight, slope in zip(self.weights, slopes, strict=True)]

    def losses(self, x=None, targets=None):
        """Cross-entropy of each network, over its own data or over others: (networks,)."""
        w1, b1, w2, b2 = self.weights
        x, targets = (self.x, self.targets) if x is None else (x, targets)
        logits = np.maximum(x @ w1 + b1, 0) @ w2 + b2
        top = logits.max(axis=-1, keepdims=True)
        total = np.log(np.exp(logits - top).sum(axis=-1)) + top[..., 0]
        return (total - (logits * targets).sum(axis=-1)).mean(axis=-1)

    def gradient_of_each(self, network=0):
        """The gradient of every single example: (n, parameters)."""
        x, h, at_hidden, at_logits = self._slopes(np.arange(len(self.x)))
        h, at_hidden, at_logits = h[network], at_hidden[network], at_logits[network]
        first = x[:, :, None] * at_hidden[:, None, :]  # (n, inputs, hidden)
        last = h[:, :, None] * at_logits[:, None, :]
        return np.concatenate([first.reshape(len(x), -1), at_hidden, last.reshape(len(x), -1), at_logits], axis=1)


def steps_to(target, x, y, batch_size, rates, seed, most=2000):
    """Steps until the training loss is down to `target`, for each learning rate: (rates,); inf where it never is.

    Rows are drawn with replacement. The race ends when four times the winner's steps are done, or `most`.
    """
    rng = np.random.default_rng(seed)
    networks, reached = Networks(x, y, len(rates), rng), np.full(len(rates), np.inf)
    every = 2 * max(1, 32 // batch_size)  # the loss is looked at after so many steps
    with _small_products():
        for step in range(1, most + 1):
            networks.step(rng.integers(0, len(x), batch_size), rates)
            if step % every == 0:
                arrived = np.isinf(reached) & (networks.losses(networks.x[:700], networks.targets[:700]) <= target)
                reached[arrived] = step
                if np.isfinite(reached).all() or step > 4 * reached.min():
                    break
    return reached


def after_epochs(epochs, x, y, batch_size, rates, seed, warmup=0):
    """The training loss after so many epochs, for each learning rate: (rates,); inf for one that diverged.

    warmup: so many epochs in which the rate grows from step to step, by the same amount each, up to its value.
    """
    rng = np.random.default_rng(seed)
    networks, in_an_epoch, step = Networks(x, y, len(rates), rng), len(x) // batch_size, 0
    with _small_products():
        for _ in range(epochs):
            order = rng.permutation(len(x))[: in_an_epoch * batch_size].reshape(in_an_epoch, batch_size)
            for rows in order:
                step += 1
                share = min(1.0, step / (warmup * in_an_epoch)) if warmup else 1.0
                networks.step(rows, share * np.asarray(rates))
        losses = networks.losses()
    return np.where(np.isfinite(losses), losses, np.inf)


@contextmanager
def _small_products():
    """NumPy with one thread, since dividing small products costs more than it saves; a run may diverge in silence."""
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    with threadpool_limits(1), np.errstate(over="ignore", invalid="ignore"):
        yield


def fit_batches(sizes, steps):
    """(least steps, critical batch size) of steps = least · (1 + critical / batch size), by least squares.

    The squares are of relative errors, so that small and large batches count alike.
    """
    sizes, steps = np.asarray(sizes, float), np.asarray(steps, float)
    columns = np.stack([np.ones_like(sizes), 1 / sizes], axis=1) / steps[:, None]
    (least, product), *_ = np.linalg.lstsq(columns, np.ones(len(steps)), rcond=None)
    return float(least), float(product / least)


# --- times of a step, and more workers --------------------------------------------------------------------------------
@dataclass(frozen=True)
class StepTimes:
    """seconds of a step = fixed + each · examples per worker + exchange · share, share = 2 (workers − 1) / workers."""

    fixed: float
    each: float
    exchange: float

    def seconds(self, examples, workers):
        """Seconds of a step in which each worker has so many examples."""
        return self.fixed + self.each * examples + self.exchange * ring_share(workers)

    def speedup(self, batch_size, workers):
        """How many times as fast a step on one large batch becomes: strong scaling."""
        return self.seconds(batch_size, 1) / self.seconds(batch_size / workers, workers)

    def efficiency(self, examples, workers):
        """The share of workers-fold work per time, where each worker keeps its examples: weak scaling."""
        return self.seconds(examples, 1) / self.seconds(examples, workers)


def ring_share(workers):
    """How often each number of the gradient leaves a worker in a ring all-reduce: 2 (workers − 1) / workers."""
    return 2 * (np.asarray(workers) - 1) / np.asarray(workers)


def fit_times(examples, workers, seconds):
    """StepTimes by least squares of relative errors, none of its three numbers below zero.

    examples: of each worker; workers, seconds: (measurements,) each. Raises ValueError for fewer than three.
    """
    from scipy.optimize import nnls

    examples, workers, seconds = (np.asarray(one, float) for one in (examples, workers, seconds))
    if len(seconds) < 3:
        raise ValueError(f"{len(seconds)} measurements can't give three numbers; measure three or more")
    columns = np.stack([np.ones_like(seconds), examples, ring_share(workers)], axis=1) / seconds[:, None]
    found, _ = nnls(columns, np.ones(len(seconds)))
    return StepTimes(*map(float, found))


def refits(examples, workers, seconds, rng, draws=200):
    """The fit of `draws` resamples of the measurements: a list of StepTimes, for an interval.

    seconds: (measurements, repeats). For each measurement as many of its repeats are drawn, with replacement, and the
    least of them is its time: other programs can only add to a time.
    """
    seconds = np.asarray(seconds, float)
    chosen = rng.integers(0, seconds.shape[1], size=(draws, *seconds.shape))
    return [fit_times(examples, workers, np.take_along_axis(seconds, one, axis=1).min(axis=1)) for one in chosen]


# --- what is counted and noted ----------------------------------------------------------------------------------------
def flops_by_xla(widths, batch_size):
    """Operations that XLA counts in its program for loss and gradients of a network of dense layers.

    widths: inputs, units of each layer; hidden layers have a ReLU, the loss is the cross-entropy. Needs JAX.
    """
    import jax

    def loss(weights, x, y):
        for w, b in weights[:-1]:
            x = jax.nn.relu(x @ w + b)
        logits = x @ weights[-1][0] + weights[-1][1]  # (batch, classes)
        return -jax.nn.log_softmax(logits)[np.arange(len(y)), y].mean()

    pairs = pairwise(widths)
    weights = [(np.zeros((a, b), "float32"), np.zeros(b, "float32")) for a, b in pairs]
    x, y = np.zeros((batch_size, widths[0]), "float32"), np.zeros(batch_size, "int32")
    with jax.default_device(jax.devices("cpu")[0]):  # a GPU's libraries would hide their operations
        costs = jax.jit(jax.grad(loss)).lower(weights, x, y).compile().cost_analysis()
    return (costs[0] if isinstance(costs, list) else costs)["flops"]  # older versions give a list


def loaded_meanwhile(plan):
    """How many batches had a stage of loading that ran during a training step; plan: [(stage, batch, start, end)]."""
    training = [(start, end) for stage, _, start, end in plan if stage == "train"]
    loading = [(batch, start, end) for stage, batch, start, end in plan if stage != "train"]
    return len({batch for batch, a, b in loading for start, end in training if a < end and start < b})


def gradients_on_the_way(x, y, batch_size, rate, seed, steps):
    """Train one network; at each of `steps`, yield (step, training loss, gradient of each example (n, parameters))."""
    rng = np.random.default_rng(seed)
    network = Networks(x, y, 1, rng)
    for step in range(max(steps) + 1):
        if step in steps:
            yield step, float(network.losses()[0]), network.gradient_of_each()
        network.step(rng.integers(0, len(x), batch_size), [rate])
