"""The checks of notebook 04: right answers pass, gaps are not attempted, each mistake gets its own hint."""

import itertools

import numpy as np
import pytest

from coursekit import layers
from coursekit.exercises import NOT_ATTEMPTED, attempt
from coursekit.exercises import ex04_neural_networks as ex04
from coursekit.exercises.answers import CHANGED

TIMES = 20


def outcomes(exercise, answer, times=TIMES):
    return [attempt(exercise, answer) for _ in range(times)]


def fails_with(exercise, mistake, hint, times=TIMES):
    """Always refused, and with this hint, but where random inputs make two mistakes give the same numbers."""
    said = outcomes(exercise, mistake, times)
    assert None not in said
    others = [str(outcome) for outcome in said if hint not in str(outcome)]
    assert len(others) <= times / 5, others[0]


# --- right answers ----------------------------------------------------------------------------------------------------
def fold(network):
    weights, bias = network[0]
    for more, further in network[1:]:
        weights, bias = weights @ more, bias @ more + further
    return weights, bias


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def output_gradient(h, weights, bias, targets):
    delta = (sigmoid(h @ weights + bias) - targets) / len(h)
    return h.T @ delta, delta.sum(axis=0)


def leaky_std(fan_in, slope):
    return np.sqrt(2 / ((1 + slope**2) * fan_in))


def cross_entropy(logits, labels):
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-log_p[np.arange(len(labels)), labels].mean())


def standardize(x_train, x_test):
    mean, same = x_train.mean(axis=0), x_train.min(axis=0) == x_train.max(axis=0)
    deviation = np.where(same, 1, x_train.std(axis=0))
    return (x_train - mean) / deviation, (x_test - mean) / deviation


def flat(images):
    return images.reshape(-1, 64).astype("float32") / 16


SIZES = {1: (64, 32, 10), 2: (64, 48, 10), 3: (64, 40, 10), 4: (64, *[32] * 10, 10), 5: (64, 24, 24, 10)}


def solved(x, labels, sizes):
    """A network that reads, without training: principal components, handed on, then least squares."""
    width = sizes[1]
    directions = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)[2][:width].T  # (64, width)
    network = [[directions, np.full(width, 20.0)]]  # so far above 0 that ReLU lets all of it through
    network += [[np.eye(width), np.zeros(width)] for _ in sizes[2:-1]]
    h = np.column_stack([x @ directions + 20, np.ones(len(x))])
    last, *_ = np.linalg.lstsq(h, np.eye(10)[labels])
    return [*network, [last[:-1], last[-1]]]


def reads(number, prepare=flat, sizes=None, activation="relu", confuse=False, convert=lambda network: network):
    """A function as those of exercise 4.7, with the layers of network `number`. It doesn't train, so it is quick."""

    def function(images, labels):
        given = np.random.default_rng().permutation(labels) if confuse else labels
        return convert(solved(flat(images), given, sizes or SIZES[number])), activation, prepare

    return function


def learns(number, start="he", activation="relu", rate=0.1):
    """The same, trained as on the page."""

    def function(images, labels):
        rng = np.random.default_rng()
        network = layers.initialize(SIZES[number], rng, start)
        settings = {"epochs": 15, "learning_rate": rate, "activation": activation}
        layers.train(network, flat(images), labels, rng=rng, **settings)
        return network, activation, flat

    return function


def small_reader(x, labels, hidden=7, rate=0.1, epochs=60, tries=1):
    rng = np.random.default_rng()
    networks = [layers.initialize((64, hidden, 10), rng) for _ in range(tries)]
    for network in networks:
        layers.train(network, x, labels, rng=rng, epochs=epochs, learning_rate=rate)
    return max(networks, key=lambda network: layers.accuracy(network, x, labels))


def best_of_three(x, labels):
    return small_reader(x, labels, tries=3)


@pytest.mark.parametrize(
    "exercise, answer",
    [
        ("4.1", fold),
        ("4.2", output_gradient),
        ("4.3", 1955),
        ("4.3", np.float64(1955)),
        ("4.3", [1955]),
        ("4.3", np.array([[1955]])),
        ("4.4", leaky_std),
        ("4.4", lambda fan_in, slope: [leaky_std(fan_in, slope)]),
        ("4.4", lambda fan_in, slope: np.float32(leaky_std(fan_in, slope))),
        ("4.5", lambda logits, labels: np.array([cross_entropy(logits, labels)])),
        ("4.4", lambda fan_in, slope: layers.he_std(fan_in, slope=slope)),
        ("4.5", cross_entropy),
        ("4.6", standardize),
    ],
)
def test_right_answers_pass(exercise, answer):
    assert outcomes(exercise, answer) == [None] * TIMES


ALL = [reads(number) for number in SIZES]


def tensors(network):
    keras = pytest.importorskip("keras")
    return tuple(tuple(map(keras.ops.convert_to_tensor, layer)) for layer in network)


def test_sound_networks_pass():
    assert outcomes("4.7", ALL, times=3) == [None] * 3
    assert outcomes("4.7", dict(enumerate(ALL, start=1)), times=1) == [None]
    assert outcomes("4.7", [reads(number, convert=tensors) for number in SIZES], times=1) == [None]


def test_networks_trained_as_on_the_page_pass():
    assert outcomes("4.7", [learns(number) for number in SIZES], times=1) == [None]
    assert outcomes("4.7", [*ALL[:3], learns(4, "glorot", "tanh"), ALL[4]], times=1) == [None]


def test_a_small_reader_passes():
    assert outcomes("4.8", best_of_three, times=1) == [None]


@pytest.mark.parametrize("exercise", ["4.1", "4.2", "4.4", "4.5", "4.6", "4.8"])
def test_a_function_with_a_gap_is_not_attempted(exercise):
    assert attempt(exercise, lambda *_: None) is attempt(exercise, lambda *_: ...) is NOT_ATTEMPTED


def test_gaps_are_not_attempted():
    assert attempt("4.3", ...) is attempt("4.7", [...] * 5) is attempt("4.7", ...) is NOT_ATTEMPTED


def test_a_tensor_is_an_answer_too():
    keras = pytest.importorskip("keras")

    def with_tensors(x_train, x_test):
        return tuple(map(keras.ops.convert_to_tensor, standardize(x_train, x_test)))

    assert outcomes("4.6", with_tensors, 3) == [None] * 3


def in_single_precision(function):
    """A right answer computed in float32, as JAX and Keras do."""
    return lambda *given: function(*(np.asarray(one, dtype="float32") for one in given))


def fold_in_single_precision(network):
    return fold([[part.astype("float32") for part in layer] for layer in network])


def fold_in_place(network):
    weights, bias = network.pop(0)
    while network:
        more, further = network.pop(0)
        bias = bias @ more
        bias += further
        weights = weights @ more
    return [weights.tolist(), bias.tolist()]


def fold_by_probing(network):
    def run(x):
        for weights, bias in network:
            x = x @ weights + bias
        return x

    inputs = len(network[0][0])
    return run(np.eye(inputs)) - run(np.zeros(inputs)), run(np.zeros(inputs))


@pytest.mark.parametrize(
    "exercise, answer",
    [
        ("4.1", fold_in_single_precision),
        ("4.1", lambda network: [part.tolist() for part in fold(network)]),
        ("4.1", fold_by_probing),
        ("4.2", in_single_precision(output_gradient)),
        ("4.2", lambda *given: [part.tolist() for part in output_gradient(*given)]),
        ("4.5", lambda logits, labels: cross_entropy(logits.astype("float32"), labels)),
        ("4.6", in_single_precision(standardize)),
    ],
)
def test_lists_and_single_precision_pass(exercise, answer):
    assert outcomes(exercise, answer, 40) == [None] * 40


def test_jax_scales_without_a_leak_too():
    jnp = pytest.importorskip("jax.numpy")

    def with_jax(x_train, x_test):
        x_train, x_test = jnp.asarray(x_train), jnp.asarray(x_test)
        mean, same = x_train.mean(axis=0), x_train.min(axis=0) == x_train.max(axis=0)
        deviation = jnp.where(same, 1, x_train.std(axis=0))
        return (x_train - mean) / deviation, (x_test - mean) / deviation

    assert outcomes("4.6", with_jax, 2) == [None] * 2


@pytest.mark.parametrize("exercise", ["4.1", "4.2", "4.6"])
def test_a_tuple_of_gaps_is_not_attempted(exercise):
    assert attempt(exercise, lambda *_: (..., ...)) is attempt(exercise, lambda *_: (None, None)) is NOT_ATTEMPTED


# --- mistakes ---------------------------------------------------------------------------------------------------------
def adds_biases(network):
    if len({len(bias) for _, bias in network}) > 1:
        return fold(network)
    return fold(network)[0], sum(bias for _, bias in network)


def backwards(network):
    if len({weights.shape for weights, _ in network}) > 1:
        return fold(network)
    weights, bias = network[-1]
    for more, further in network[-2::-1]:
        weights, bias = weights @ more, bias @ more + further
    return weights, bias


def scaled(factor_weights=1.0, factor_bias=1.0):
    def function(h, weights, bias, targets):
        to_weights, to_bias = output_gradient(h, weights, bias, targets)
        sizes = {
            "n": len(h),
            "classes": targets.shape[1],
            1.0: 1.0,
            -1: -1,
            "1/n": 1 / len(h),
            "1/classes": 1 / targets.shape[1],
            "n/classes": len(h) / targets.shape[1],
        }
        return to_weights * sizes[factor_weights], to_bias * sizes[factor_bias]

    return function


def bias_not_summed(h, weights, bias, targets):
    delta = (sigmoid(h @ weights + bias) - targets) / len(h)
    return h.T @ delta, delta


def with_softmax(h, weights, bias, targets):
    delta = (layers.softmax(h @ weights + bias) - targets) / len(h)
    return h.T @ delta, delta.sum(axis=0)


def without_sigmoid(h, weights, bias, targets):
    delta = (h @ weights + bias - targets) / len(h)
    return h.T @ delta, delta.sum(axis=0)


def without_bias(h, weights, bias, targets):
    return output_gradient(h, weights, 0 * bias, targets)


def with_respect_to_p(h, weights, bias, targets):
    p = sigmoid(h @ weights + bias)
    delta = (p - targets) / (p * (1 - p)) / len(h)
    return h.T @ delta, delta.sum(axis=0)


def squared_error(h, weights, bias, targets):
    p = sigmoid(h @ weights + bias)
    delta = (p - targets) * p * (1 - p) / len(h)
    return h.T @ delta, delta.sum(axis=0)


def bias_from_everything(h, weights, bias, targets):
    return output_gradient(h, weights, bias, targets)[0], np.zeros_like(bias)


def softmax_twice(logits, labels):
    return cross_entropy(layers.softmax(logits), labels)


def unstable(logits, labels):
    powers = np.exp(logits)
    return float(-np.log((powers / powers.sum(axis=1, keepdims=True))[np.arange(len(labels)), labels]).mean())


def clipped(logits, labels):
    p = layers.softmax(logits)[np.arange(len(labels)), labels]
    return float(-np.log(np.clip(p, 1e-7, 1)).mean())


def log_of_stable_softmax(logits, labels):
    with np.errstate(all="ignore"):
        return -np.log(layers.softmax(logits)[np.arange(len(labels)), labels]).mean()


def subtracts_the_largest_of_all(logits, labels):
    shifted = logits - logits.max()
    return (np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]).mean()


def one_sigmoid_each(logits, labels):
    return np.mean(np.sum(np.logaddexp(0, logits) - logits * np.eye(logits.shape[1])[labels], axis=1))


def wrong_axis(logits, labels):
    return float(-np.log(layers.softmax(logits.T).T[np.arange(len(labels)), labels]).mean())


def log_of_mean(logits, labels):
    return float(-np.log(layers.softmax(logits)[np.arange(len(labels)), labels].mean()))


def without_log(logits, labels):
    return float(-layers.softmax(logits)[np.arange(len(labels)), labels].mean())


def fitted_on(choose):
    def function(x_train, x_test):
        return tuple(standardize(choose(x, x_train, x_test), x)[1] for x in (x_train, x_test))

    return function


def adds_into_the_biases(network):
    weights, bias = network[0]
    for more, further in network[1:]:
        further += bias @ more
        weights, bias = weights @ more, further
    return weights, bias


def writes_into_the_targets(h, weights, bias, targets):
    targets -= sigmoid(h @ weights + bias)
    targets /= -len(h)
    return h.T @ targets, targets.sum(axis=0)


def shifts_in_place(logits, labels):
    logits -= logits.max(axis=1, keepdims=True)
    return cross_entropy(logits, labels)


def zero_times_infinity(logits, labels):
    """The largest logit is subtracted, and still there is NaN."""
    with np.errstate(all="ignore"):
        return -(np.eye(logits.shape[1])[labels] * np.log(layers.softmax(logits))).sum(axis=1).mean()


def changes_its_argument(x_train, x_test):
    scaled = standardize(x_train, x_test)
    x_train -= x_train.mean(axis=0)
    return scaled


def divides_by_zero(x_train, x_test):
    with np.errstate(all="ignore"):
        mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
        return (x_train - mean) / (deviation * (deviation > 1e-9)), (x_test - mean) / deviation


def rows(x_train, x_test):
    return tuple((x - x.mean(axis=1)[:, None]) / x.std(axis=1)[:, None] for x in (x_train, x_test))


def variance(x_train, x_test):
    mean, spread = x_train.mean(axis=0), x_train.var(axis=0)
    return tuple((x - mean) / np.where(spread == 0, 1, spread) for x in (x_train, x_test))


def by_pandas(x_train, x_test):
    mean, spread = x_train.mean(axis=0), x_train.std(axis=0, ddof=1)
    return tuple((x - mean) / np.where(spread == 0, 1, spread) for x in (x_train, x_test))


def hides_infinity(x_train, x_test):
    with np.errstate(all="ignore"):
        mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
        return tuple(np.nan_to_num((x - mean) / deviation) for x in (x_train, x_test))


def keeps_constant(x_train, x_test):
    scaled_train, scaled_test = standardize(x_train, x_test)
    return np.where(x_train.std(axis=0) == 0, x_train, scaled_train), scaled_test


@pytest.mark.parametrize(
    "exercise, mistake, hint",
    [
        ("4.1", lambda network: (fold(network)[0].astype(str), fold(network)[1]), "the first holds no numbers"),
        ("4.1", lambda network: (fold(network)[0], None), "the second holds no numbers, it is None"),
        ("4.1", adds_biases, "only added up"),
        ("4.1", backwards, "not W2 @ W1"),
        ("4.1", lambda network: (fold(network)[0], network[-1][1]), "only the last bias"),
        ("4.1", lambda network: (fold(network)[0].T, fold(network)[1]), "shape"),
        ("4.1", lambda network: fold(network)[0], "two things"),
        ("4.1", lambda network: (fold(network)[0], 2 * fold(network)[1]), "write out"),
        (
            "4.1",
            lambda network: (2 * fold(network)[0], fold(network)[1]),
            "of the product of the weight matrices the entry at",
        ),
        ("4.2", scaled("n", "n"), "not averaged over the batch"),
        ("4.2", scaled(1.0, "n"), "the bias is not averaged"),
        ("4.2", scaled(1.0, "1/n"), "twice"),
        ("4.2", scaled("1/classes", "1/classes"), "number of classes"),
        ("4.2", scaled("n/classes", "n/classes"), "not of examples"),
        ("4.2", scaled("1/n", "1/n"), "twice"),
        ("4.2", scaled(1.0, -1), "the sign of the bias's gradient"),
        ("4.2", without_bias, "the bias is missing"),
        ("4.2", with_respect_to_p, "with respect to p"),
        ("4.2", lambda *given: (output_gradient(*given)[0].astype(str), None), "the first holds no numbers"),
        ("4.2", scaled(-1, -1), "sign"),
        ("4.2", bias_not_summed, "not summed"),
        ("4.2", with_softmax, "exclude each other"),
        ("4.2", without_sigmoid, "sigmoid is missing"),
        ("4.2", squared_error, "squared error"),
        ("4.2", bias_from_everything, "of the gradient of the bias the entry at"),
        ("4.2", lambda h, *rest: output_gradient(np.abs(h), *rest), "compare it with numerical slopes"),
        ("4.1", fold_in_place, CHANGED),
        ("4.1", adds_into_the_biases, CHANGED),
        ("4.2", writes_into_the_targets, CHANGED),
        ("4.2", lambda h, *rest: (output_gradient(h, *rest), h.fill(0))[0], CHANGED),
        ("4.5", shifts_in_place, CHANGED),
        ("4.5", lambda logits, labels: (cross_entropy(logits, labels), labels.sort())[0], CHANGED),
        ("4.5", lambda logits, labels: np.nan, "no power of e is large here"),
        ("4.5", lambda logits, labels: np.inf, "no power of e is large here"),
        ("4.5", zero_times_infinity, "rounded to 0 before its logarithm"),
        ("4.5", lambda logits, labels: cross_entropy(logits.clip(-50, 50), labels), "cut the numbers off"),
        ("4.2", lambda *given: (output_gradient(*given)[0].T, output_gradient(*given)[1]), "transposed"),
        ("4.3", 1950, "left out the last batch"),
        ("4.3", 1953, "left over"),
        ("4.3", 1953.125, "no part of a step"),
        ("4.3", 1954, "rounded up once"),
        ("4.3", 391, "one epoch"),
        ("4.3", "1955", "one number"),
        ("4.3", 2345, "kept for validation"),
        ("4.3", 250_000, "images seen"),
        ("4.3", [391, 5], "one number"),
        ("4.4", lambda fan_in, slope: leaky_std(fan_in, slope) ** 2, "variance"),
        ("4.4", lambda fan_in, slope: np.sqrt(2 / fan_in), "plain ReLU"),
        ("4.4", lambda fan_in, slope: np.sqrt(1 / fan_in), "no activation"),
        ("4.4", lambda fan_in, slope: np.sqrt(2 / ((1 + slope) * fan_in)), "squared"),
        ("4.4", lambda fan_in, slope: np.sqrt((1 + slope**2) / (2 * fan_in)), "upside down"),
        ("4.4", lambda fan_in, slope: np.sqrt(1 / ((1 + slope**2) * fan_in)), "half of the sums"),
        ("4.4", lambda fan_in, slope: 2 / fan_in, "variance for the plain ReLU"),
        ("4.4", lambda fan_in, slope: np.sqrt(2 / ((1 + slope) ** 2 * fan_in)), "square the slope alone"),
        ("4.4", lambda fan_in, slope: 0.1, "it should be"),
        ("4.5", softmax_twice, "softmax is applied twice"),
        ("4.5", unstable, "subtract the largest"),
        ("4.5", log_of_stable_softmax, "rounded to 0 before its logarithm"),
        ("4.5", subtracts_the_largest_of_all, "of each row"),
        ("4.5", one_sigmoid_each, "here the classes exclude each other"),
        ("4.5", lambda logits, labels: "2.3", "one number, not '2.3'"),
        ("4.5", clipped, "rounded 0"),
        ("4.5", wrong_axis, "wrong axis"),
        ("4.5", log_of_mean, "of each example first"),
        ("4.5", without_log, "logarithm is missing"),
        ("4.5", lambda logits, labels: -cross_entropy(logits, labels), "sign"),
        ("4.5", lambda logits, labels: cross_entropy(logits, labels) * len(labels), "sum over the examples"),
        ("4.5", lambda logits, labels: cross_entropy(logits, labels) / logits.shape[1], "over the classes"),
        ("4.5", lambda logits, labels: logits, "one number"),
        ("4.6", fitted_on(lambda x, a, b: np.concatenate([a, b])), "that is the leak"),
        ("4.6", fitted_on(lambda x, a, b: x), "its own mean"),
        ("4.6", by_pandas, "ddof=1"),
        ("4.6", hides_infinity, "infinity under another name"),
        ("4.6", rows, "you scaled rows"),
        ("4.6", variance, "variance"),
        ("4.6", divides_by_zero, "NaN"),
        ("4.6", changes_its_argument, CHANGED),
        (
            "4.6",
            lambda a, b: standardize(a * np.where(np.arange(len(a)), 1, np.nan)[:, None], b),
            "in columns that vary",
        ),
        ("4.6", keeps_constant, "become 0"),
        ("4.6", lambda a, b: (standardize(a, b)[0], standardize(a, b)[1] * 1.01), "same two vectors"),
        ("4.3", [1954], "rounded up once"),
        ("4.3", [], "one number"),
        ("4.4", lambda fan_in, slope: [0.1, 0.1], "one number"),
        ("4.4", lambda fan_in, slope: leaky_std(fan_in, slope) * 1.001, "it should be"),
        ("4.5", lambda logits, labels: cross_entropy(logits, labels) * 1.001, "it should be"),
        ("4.6", lambda a, b: standardize(a, b)[0], "two things"),
        ("4.6", lambda a, b: (a - a.mean(axis=0), b - a.mean(axis=0)), "division"),
        ("4.6", lambda a, b: ((a - a.mean()) / a.std(), (b - a.mean()) / a.std()), "mean of everything"),
        ("4.6", lambda a, b: (standardize(a, b)[0], b), "same two vectors"),
    ],
)
def test_each_mistake_gets_its_own_hint(exercise, mistake, hint):
    fails_with(exercise, mistake, hint)


@pytest.mark.parametrize("answer", [7815, 7813, 1956, 0, -1955, np.nan, np.inf])
def test_numbers_of_another_count_are_only_wrong(answer):
    assert "how many batches" in attempt("4.3", answer)


# --- networks that do not read ----------------------------------------------------------------------------------------
def at(number, function):
    return [*ALL[: number - 1], function, *ALL[number:]]


def mixed(images):
    return images.reshape(64, -1).T / 16.0


def by_its_batch(images):
    """Right about many images, and scaled by the brightest of those that come together."""
    return flat(images) * (1.0 if len(images) > 100 else 0.9)


def remembers(images, labels):
    """A nearest neighbor where a network is asked for."""
    known = flat(images)
    return lambda new: labels[((flat(new)[:, None] - known) ** 2).sum(axis=2).argmin(axis=1)]


def diverges(images, labels):
    raise layers.TrainingDiverged("the loss became nan in epoch 1")


def fails(images, labels):
    raise ValueError("no such layer")


@pytest.mark.parametrize(
    "answer, hint",
    [
        (at(1, reads(1, prepare=mixed)), "draw a row of what goes into it"),
        (at(2, reads(2, confuse=True)), "draw some images that go into it with their labels"),
        (at(5, learns(5, rate=1e-5)), "sweep its learning rate"),
        (at(1, learns(1, rate=0)), "learning rate is 0"),
        (at(1, lambda images, labels: (reads(1)(images, labels), images.fill(0))[0]), f"network 1: {CHANGED}"),
        (at(2, lambda images, labels: (reads(2)(images, labels), labels.sort())[0]), f"network 2: {CHANGED}"),
        (at(5, diverges), "network 5: training diverged"),
        ([reads(1)] * 5, "network 2 should keep its layers"),
        (at(4, reads(1)), "network 4 should keep its layers"),
        (at(4, reads(4, sizes=(64, 32, 32, 10))), "network 4 should keep its layers"),
        (at(5, reads(5, sizes=(64, 24, 10))), "network 5 should keep its layers"),
        (at(1, remembers), "network 1 should return what `learn` returns"),
        (at(2, reads(2, activation="swish")), "should return what `learn` returns"),
        (at(2, reads(2, prepare=None)), "should return what `learn` returns"),
        (at(1, lambda images, labels: labels), "should return what `learn` returns"),
        (at(3, reads(3, prepare=lambda images: images)), "one row of 64 numbers"),
        (at(3, reads(3, prepare=lambda images: flat(images).tolist()[0])), "one row of 64 numbers"),
        (at(3, reads(3, prepare=lambda images: fails(images, None))), "network 3 raised ValueError"),
        (at(1, reads(1, prepare=by_its_batch)), "in another batch"),
        (at(2, reads(2, convert=lambda network: [[w * np.nan, b] for w, b in network])), "diverged"),
        (at(2, reads(2, convert=lambda network: network[0])), "return the network"),
        (at(2, fails), "network 2 raised ValueError: no such layer"),
        ({1: 3, "two": 3, 3: 3, 4: 3, 5: 3}, "no function"),
        (at(2, ...), "network 2 is still to do"),
        (at(1, 3), "no function"),
        (ALL[:4], "a list of five"),
    ],
)
def test_a_network_that_is_still_broken_is_named(answer, hint):
    fails_with("4.7", answer, hint, times=1)


def zeros(number):
    def function(images, labels):
        return [[np.zeros((a, b)), np.zeros(b)] for a, b in itertools.pairwise(SIZES[number])], "relu", flat

    return function


def untrained_sigmoids(images, labels):
    return layers.initialize(SIZES[4], np.random.default_rng(), "glorot"), "sigmoid", flat


@pytest.mark.parametrize(
    "number, function, hint",
    [
        (3, zeros(3), "compare the weights of two hidden units"),
        (4, untrained_sigmoids, "gradient in its first layer"),
    ],
)
def test_the_hint_says_where_to_look(number, function, hint):
    fails_with("4.7", at(number, function), hint, times=1)


def spoilt(x, labels):
    network = layers.initialize((64, 6, 10), np.random.default_rng())
    network[0][0][0, 0] = np.nan
    return network


def silent(x, labels):
    (weights, bias), last = small_reader(x, labels, epochs=1)
    return [[weights, bias - 1000], last]


def learns_by_heart(x, labels):
    """Trained on twenty images: right about those, whatever the others are."""
    return small_reader(x[:20], labels[:20], epochs=200)


@pytest.mark.parametrize(
    "answer, hint",
    [
        (lambda x, labels: small_reader(x, labels, hidden=20, epochs=1), "600 are allowed"),
        (lambda x, labels: small_reader(x, labels, rate=0), "Is the learning rate 0?"),
        (silent, "kills every ReLU"),
        (lambda x, labels: small_reader(x, labels[::-1], epochs=5), "belong together"),
        (lambda x, labels: (small_reader(x, labels, epochs=1), x.fill(0))[0], CHANGED),
        (lambda x, labels: (small_reader(x, labels, epochs=1), labels.sort())[0], CHANGED),
        (diverges, "training diverged"),
        (lambda x, labels: layers.initialize((64, 6, 10), np.random.default_rng()), "did the weights move"),
        (spoilt, "NaN or infinite"),
        (lambda x, labels: small_reader(x, labels, epochs=2), "it reads"),
        (lambda x, labels: 3, "return the network"),
        (lambda x, labels: [1, 2], "return the network"),
        (lambda x, labels: [[None, None]], "arrays of numbers"),
        (lambda x, labels: layers.initialize((32, 6, 10), np.random.default_rng()), "does not fit behind 64"),
        (lambda x, labels: layers.initialize((64, 6, 9), np.random.default_rng()), "ten logits"),
    ],
)
def test_a_reader_that_fails_is_told_why(answer, hint):
    fails_with("4.8", answer, hint, times=2)


def test_learning_by_heart_is_no_reading():
    assert all(isinstance(outcome, str) for outcome in outcomes("4.8", learns_by_heart, 3))


# --- answers that fit the example and nothing else --------------------------------------------------------------------
@pytest.mark.parametrize(
    "exercise, answer",
    [
        ("4.1", lambda network: (np.zeros((3, 2)), np.zeros(2))),
        ("4.2", lambda h, weights, bias, targets: (np.zeros_like(weights), np.zeros_like(bias))),
        ("4.4", lambda fan_in, slope: np.sqrt(2 / fan_in)),
        ("4.5", lambda logits, labels: np.log(logits.shape[1])),
        ("4.6", lambda x_train, x_test: (x_train / 16, x_test / 16)),
    ],
)
def test_an_answer_that_ignores_its_arguments_fails(exercise, answer):
    assert all(isinstance(outcome, str) for outcome in outcomes(exercise, answer))


# --- cases that slipped through once ----------------------------------------------------------------------------------
def test_a_constant_column_whose_mean_is_rounded_becomes_zero():
    def compares_with_zero(x_train, x_test):
        mean, spread = x_train.mean(axis=0), x_train.std(axis=0)
        spread = np.where(spread == 0, 1, spread)
        return (x_train - mean) / spread, (x_test - mean) / spread

    assert "should become 0 there" in attempt("4.6", compares_with_zero)


def test_a_column_that_varies_little_is_no_constant_one():
    def faint_ones_stay(x_train, x_test):
        mean, spread = x_train.mean(axis=0), x_train.std(axis=0)
        spread = np.where(spread < 1e-2, 1, spread)
        return (x_train - mean) / spread, (x_test - mean) / spread

    assert attempt("4.6", faint_ones_stay) is not None


@pytest.mark.parametrize("clip, squeeze", [(True, False), (False, True)])
def test_confident_units_and_a_single_unit_are_tried(clip, squeeze):
    def gradient(h, weights, bias, targets):
        p = 1 / (1 + np.exp(-(h @ weights + bias)))
        delta = (np.clip(p, 0.01, 0.99) if clip else p) - targets
        to_weights = h.T @ delta / len(h)
        return (to_weights.squeeze() if squeeze else to_weights), delta.mean(axis=0)

    assert attempt("4.2", gradient) is not None


def from_the_slope_of_p(h, weights, bias, targets):
    """Right as well, and not a number where a probability is rounded to 0 or 1."""
    p = sigmoid(h @ weights + bias)
    to_p = -targets / p + (1 - targets) / (1 - p)
    delta = to_p * p * (1 - p) / len(h)
    return h.T @ delta, delta.sum(axis=0)


def test_a_gradient_by_way_of_the_probabilities_passes_without_warnings(recwarn):
    assert outcomes("4.2", from_the_slope_of_p, 200) == [None] * 200
    assert outcomes("4.2", in_single_precision(from_the_slope_of_p), 200) == [None] * 200
    assert None not in outcomes("4.2", lambda *given: output_gradient(*(100 * one for one in given)), 20)
    assert not [warning for warning in recwarn if issubclass(warning.category, RuntimeWarning)]


def times_factor(factor):
    def gradient(h, weights, bias, targets):
        return tuple(factor(len(h)) * part for part in output_gradient(h, weights, bias, targets))

    return gradient


@pytest.mark.parametrize(
    "factor, hint",
    [(lambda n: n / (n - 1), "divided by n - 1"), (lambda n: 2, "twice as large"), (lambda n: n / (n + 1), "entry at")],
)
def test_a_gradient_with_another_factor_hears_of_its_own(factor, hint):
    assert all(hint in (said or "") for said in outcomes("4.2", times_factor(factor), 40))


@pytest.mark.parametrize("decimals", [2, 3])
def test_a_rounded_cross_entropy_never_passes(decimals):
    said = outcomes("4.5", lambda logits, labels: round(cross_entropy(logits, labels), decimals), 40)
    assert all("it should be" in (one or "") for one in said)


def dividing_by(change):
    def standardize(x_train, x_test):
        mean, spread = x_train.mean(axis=0), change(x_train.std(axis=0))
        return (x_train - mean) / spread, (x_test - mean) / spread

    return standardize


@pytest.mark.parametrize(
    "change, hint",
    [
        (lambda spread: np.maximum(spread, 1e-12), "The mean is rounded"),
        (lambda spread: spread + 1e-12, "The mean is rounded"),
        (lambda spread: np.where(spread == 0, 1, spread), "The mean is rounded"),
        (lambda spread: np.where(spread < 1e-3, 1, spread), "is not divided by its standard deviation"),
        (lambda spread: np.where(spread < 1e-3, 1e-3, spread), "your column"),
    ],
)
def test_a_small_or_rounded_spread_is_named(change, hint):
    assert all(hint in (said or "") for said in outcomes("4.6", dividing_by(change), 20))


def test_a_constant_that_stays_is_not_put_down_to_rounding():
    assert all("The mean is rounded" not in said for said in outcomes("4.6", keeps_constant, 5))


def test_ten_hidden_layers_may_read_less_than_one(monkeypatch):
    monkeypatch.setattr(ex04, "_trained_once", lambda number, function: (0.6, None))
    assert ex04._reading_hint(4, None) is None
    assert "reads 60% of new digits" in ex04._reading_hint(1, None)
    monkeypatch.setattr(ex04, "_trained_once", lambda number, function: (0.25, None))
    assert "reads 25%" in ex04._reading_hint(4, None)


def test_the_best_of_three_trainings_counts(monkeypatch):
    draws = iter([0.3, 0.1, 0.2, 0.3, 0.2, 0.6])
    monkeypatch.setattr(ex04, "_trained_once", lambda number, function: (next(draws), None))
    assert "reads 30%" in ex04._reading_hint(4, None)
    assert ex04._reading_hint(4, None) is None


def test_the_right_mend_of_network_4_passes_and_sigmoids_do_not():
    assert [ex04._reading_hint(4, learns(4)) for _ in range(4)] == [None] * 4
    assert "measure the gradient" in ex04._reading_hint(4, learns(4, "glorot", "sigmoid"))


def test_transposed_weights_of_a_small_reader_are_called_so():
    def transposed(x, labels):
        return [[weights.T, bias] for weights, bias in layers.initialize((64, 6, 10), np.random.default_rng())]

    assert all("it is transposed" in (said or "") for said in outcomes("4.8", transposed, 3))
