"""The checks of notebook 04, Neural networks."""

import itertools

import numpy as np

from coursekit.arrays import as_array
from coursekit.exercises import NOT_ATTEMPTED, exercise
from coursekit.exercises.answers import CHANGED, changed, close, missing, numbers, parts_of, worst_entry


def _two(answer, what):
    """The answer as two float arrays, or what to say instead: (first, second, None) or (None, None, said)."""
    parts = parts_of(answer, 2)
    if parts is None:
        return None, None, f"return two things: {what}"
    if all(map(missing, parts)):
        return None, None, NOT_ATTEMPTED
    arrays = list(map(numbers, parts))
    for part, array, place in zip(parts, arrays, ("first", "second"), strict=True):
        if array is None:
            return None, None, f"return two things: {what}; the {place} holds no numbers, it is {repr(part)[:40]}"
    return *arrays, None


def _one_number(answer):
    """The answer as a float, also out of a list or an array with one element; None if it is no single number."""
    array = numbers(answer)
    return None if array is None or array.size != 1 else float(array.reshape(()))


def _wrong_shape(name, got, expected):
    if got.shape == expected.shape:
        return None
    transposed = "; it is transposed" if got.shape == expected.T.shape and got.ndim == 2 else ""
    return f"{name} should have the shape {expected.shape}, yours has {got.shape}{transposed}"


def _softmax(z):
    powers = np.exp(z - z.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


# --- 4.1 --------------------------------------------------------------------------------------------------------------
@exercise("4.1")
def check_fold(fold):
    """A function of a list of (weights, bias). Random networks of one to five layers; square ones come last."""
    rng = np.random.default_rng()
    shapes = [rng.permutation(np.arange(2, 9))[: depth + 1] for depth in (2, 3, 5, 1)]  # all sizes differ
    for sizes in [*shapes, [4, 4, 4, 4]]:
        network = [(rng.normal(size=(a, b)), rng.normal(size=b)) for a, b in itertools.pairwise(sizes)]
        given = [(weights.copy(), bias.copy()) for weights, bias in network]
        answer = fold(given)
        if missing(answer):
            return NOT_ATTEMPTED
        if changed(given, network):
            return CHANGED
        got_weights, got_bias, said = _two(answer, "the weights and the bias")
        if said is not None:
            return said
        if hint := _fold_hint(got_weights, got_bias, network):
            return hint
    return None


def _fold_hint(got_weights, got_bias, network):
    inputs = len(network[0][0])
    through = np.vstack([np.eye(inputs), np.zeros(inputs)])  # unit vectors give the weights, zeros give the bias
    for weights, bias in network:
        through = through @ weights + bias
    bias = through[-1]
    weights = through[:-1] - bias
    if hint := _wrong_shape("the matrix", got_weights, weights) or _wrong_shape("the bias", got_bias, bias):
        return hint
    if not close(got_weights, weights):
        backwards = len({each.shape for each, _ in network}) == 1 and len(network) > 1
        if backwards and close(got_weights, np.linalg.multi_dot([each for each, _ in network[::-1]])):
            return "multiply in the order in which x meets the matrices: x @ W1 @ W2, not W2 @ W1"
        return f"for {len(network)} layers, of the product of the weight matrices {worst_entry(got_weights, weights)}"
    if close(got_bias, bias):
        return None
    if close(got_bias, network[-1][1]):
        return "only the last bias is there; the earlier ones pass through the later layers"
    if len(network) > 1 and len({len(b) for _, b in network}) == 1 and close(got_bias, sum(b for _, b in network)):
        return "the biases are only added up; an earlier bias is multiplied by the later weights"
    return f"the weights are right; of the bias {worst_entry(got_bias, bias)}: write out (x W1 + b1) W2 + b2"


# --- 4.2 --------------------------------------------------------------------------------------------------------------
@exercise("4.2")
def check_output_gradient(output_gradient):
    """A function of h, weights, bias and targets. Random ones, against the formula; the mistakes have hints.

    What only a right answer reaches: sums so large that the probabilities are near 0 and 1, and a single unit.
    """
    rng = np.random.default_rng()
    for large, single in ((False, False), (False, False), (True, False), (False, True)):
        n, units, classes = (int(k) for k in rng.permutation([3, 5, 8, 11])[:3])  # none is near another, or twice it
        units = 1 if single else units
        h, bias = rng.normal(size=(n, units)), rng.normal(size=classes)
        weights = rng.normal(size=(units, classes)) / np.sqrt(units)
        if large:  # up to 12: even in single precision no probability is quite 0 or 1
            factor = 12 / np.abs(h @ weights + bias).max()
            weights, bias = factor * weights, factor * bias
        targets = (rng.random((n, classes)) < 0.5).astype(float)
        given = [values.copy() for values in (h, weights, bias, targets)]
        with np.errstate(all="ignore"):
            answer = output_gradient(*given)
        if missing(answer):
            return NOT_ATTEMPTED
        if changed(given, [h, weights, bias, targets]):
            return CHANGED
        got_weights, got_bias, said = _two(answer, "the gradient for the weights and the one for the bias")
        if said is not None:
            return said
        if hint := _gradient_hint(got_weights, got_bias, h, weights, bias, targets):
            return hint
    return None


def _gradient_hint(got_weights, got_bias, h, weights, bias, targets):
    z = h @ weights + bias
    n, classes = targets.shape
    delta = 1 / (1 + np.exp(-z)) - targets
    to_weights, to_bias = h.T @ delta / n, delta.sum(axis=0) / n
    if got_bias.shape == targets.shape:
        return "the gradient of the bias is not summed: every row used the same bias, so its (n, classes) slopes add up"
    if hint := _wrong_shape("the gradient of the weights", got_weights, to_weights):
        return hint
    if hint := _wrong_shape("the gradient of the bias", got_bias, to_bias):
        return hint
    mistakes = [
        (h.T @ delta, "not averaged over the batch: the loss is a mean over the examples, so divide by their number"),
        (
            to_weights / classes,
            "divided by the number of classes, too: the loss is a sum over classes, a mean over rows",
        ),
        (
            to_weights * n / classes,
            "divided by the number of classes, not of examples: the loss is a sum over classes, a mean over rows",
        ),
        (to_weights / n, "divided by the number of examples twice: the mean over them is taken once"),
        (to_weights * n / (n - 1), "divided by n - 1: the mean over n examples divides by n"),
        (2 * to_weights, "twice as large as it should be: nothing is squared in cross-entropy, so no 2 comes down"),
        (
            h.T @ (1 / (1 + np.exp(-h @ weights)) - targets) / n,
            "the bias is missing in the sum that enters the sigmoid",
        ),
        (-to_weights, "the sign is the wrong way round: a gradient points where the loss grows"),
        (h.T @ (_softmax(z) - targets) / n, "with softmax the classes exclude each other; here each has a sigmoid"),
        (h.T @ (z - targets) / n, "the sigmoid is missing: compare probabilities with the targets, not the sums"),
    ]
    if not close(got_weights, to_weights):
        for wrong, hint in mistakes:
            if close(got_weights, wrong):
                return hint
        p = delta + targets
        if close(got_weights, h.T @ (delta / (p * (1 - p))) / n):
            return "that is the slope with respect to p; the sum comes before it, and the sigmoid has a slope, too"
        if close(got_weights, h.T @ (delta * p * (1 - p)) / n):
            return "that is the slope of a squared error; in cross-entropy the sigmoid's slope p(1 − p) cancels out"
        entry = worst_entry(got_weights, to_weights)
        return f"of the gradient of the weights {entry}: compare it with numerical slopes, as in section 3"
    if close(got_bias, to_bias):
        return None
    if close(got_bias, -to_bias):
        return "the weights are right, the sign of the bias's gradient is not"
    if close(got_bias, to_bias * n):
        return "the weights are right, the bias is not averaged over the batch"
    if close(got_bias, to_bias / n):
        return "the gradient of the bias is divided by the number of rows twice: delta holds the 1/n, so sum its rows"
    entry = worst_entry(got_bias, to_bias)
    return f"the weights are right; of the gradient of the bias {entry}: how does the loss change with b alone?"


# --- 4.3 --------------------------------------------------------------------------------------------------------------
@exercise("4.3")
def check_steps(answer):
    """A whole number: five times the batches in 50,000 images."""
    number = _one_number(answer)
    if number is None:
        return "the answer is one number"
    hints = {
        1954: "rounded up once, after the epochs were multiplied; the smaller batch comes at the end of each epoch",
        1953.125: "there is no part of a step: what happens to the images that are left over at the end of an epoch?",
        1953: "the images that are left over at the end of each epoch make a step, too",
        1950: "you left out the last batch of each epoch, which is smaller but is a step, too",
        391: "that is one epoch",
        390.625: "that is one epoch, and there is no part of a step",
        390: "that is one epoch, without its last, smaller batch",
        2345: "that is 60,000 images; 10,000 of them are kept for validation and change no weight",
        2343.75: "that is 60,000 images; 10,000 of them are kept for validation and change no weight",
        2340: "that is 60,000 images; 10,000 of them are kept for validation and change no weight",
        250_000: "that is the number of images seen; one step takes a batch of them",
    }
    if number in hints:
        return hints[number]
    if number != 1955:
        return "how many batches hold 50,000 images, the last one not full, and how many epochs are there?"
    return None


# --- 4.4 --------------------------------------------------------------------------------------------------------------
@exercise("4.4")
def check_leaky_std(leaky_std):
    """A function of fan-in and slope; random ones, then slopes of 1 (no activation), below 0 (|z| mixed in) and 0."""
    rng = np.random.default_rng()
    drawn = [(int(rng.integers(20, 900)), float(rng.uniform(0.2, 0.9))) for _ in range(4)]
    for fan_in, slope in [*drawn, (1, 0.5), (300, 1.0), (50, -0.5), (100, 0.0)]:
        answer = leaky_std(fan_in, slope)
        if missing(answer):
            return NOT_ATTEMPTED
        got = _one_number(answer)
        if got is None:
            return "the standard deviation is one number"
        right = np.sqrt(2 / ((1 + slope**2) * fan_in))
        mistakes = [
            (right**2, "that is the variance; the standard deviation is its root"),
            (np.sqrt(2 / fan_in), "that is He's rule for the plain ReLU; the slope lets something through, too"),
            (
                2 / fan_in,
                "that is the variance for the plain ReLU; take the root, and count what the slope lets through",
            ),
            (np.sqrt(2 / ((1 + slope) ** 2 * fan_in)), "square the slope alone: half of z² passes as it is"),
            (np.sqrt(1 / fan_in), "that is the rule for no activation at all"),
            (np.sqrt(2 / ((1 + slope) * fan_in)), "the slope multiplies z, so in the mean of z² it stands squared"),
            (np.sqrt((1 + slope**2) / (2 * fan_in)), "upside down: the more gets through, the smaller the weights"),
            (
                np.sqrt(1 / ((1 + slope**2) * fan_in)),
                "only half of the sums are positive: what is the mean of two halves?",
            ),
        ]
        if np.isclose(got, right, rtol=1e-4):
            continue
        for wrong, hint in mistakes:
            if np.isclose(got, wrong, rtol=1e-4):
                return hint
        return f"for fan-in {fan_in} and slope {slope:.2f} it should be {right:.6g}, yours is {got:.6g}"
    return None


# --- 4.5 --------------------------------------------------------------------------------------------------------------
@exercise("4.5")
def check_cross_entropy(cross_entropy):
    """A function of logits and labels: random ones of moderate size, a single example, then huge ones."""
    rng = np.random.default_rng()
    for size in (2.0, 3.0, 1.0, 1000.0):
        logits, labels = _logits_and_labels(rng, size)
        with np.errstate(all="ignore"):
            got = cross_entropy(*(given := [logits.copy(), labels.copy()]))
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, [logits, labels]):
            return CHANGED
        if numbers(got) is None:
            return f"the loss is one number, not {repr(got)[:40]}"
        if (loss := _one_number(got)) is None:
            return f"the loss is one number, the mean over the examples; yours has the shape {numbers(got).shape}"
        if hint := _cross_entropy_hint(loss, logits, labels):
            return hint
    return None


def _logits_and_labels(rng, size):
    """Random logits of this size, with labels: one example where the size is 1, and unlikely ones where it is 1000.

    A loss rounded to three decimals is not right: moderate ones are drawn until that would show.
    """
    while True:
        n, classes = (int(k) for k in rng.permutation(np.arange(4, 12))[:2])
        n = 1 if size == 1 else n
        logits, labels = rng.normal(0, size, (n, classes)), rng.integers(classes, size=n)
        if size == 1000:
            logits[:2] = [[1000.0] * classes, [-1000.0] * classes]
            labels[2] = logits[2].argmin()  # at least one label is all but impossible
            return logits, labels
        right = _mean_cross_entropy(logits, labels)
        if abs(right - round(right, 3)) > 2e-4:
            return logits, labels


def _mean_cross_entropy(z, labels):
    top = z.max(axis=1, keepdims=True)
    return (np.log(np.exp(z - top).sum(axis=1)) + top[:, 0] - z[np.arange(len(labels)), labels]).mean()


def _cross_entropy_hint(got, logits, labels):
    rows = np.arange(len(labels))
    right, largest = _mean_cross_entropy(logits, labels), np.abs(logits).max()
    if not np.isfinite(got) and largest < 100:
        return f"for logits up to {largest:.0f} it should be {right:.6g}, yours is {got}: no power of e is large here"
    if not np.isfinite(got):
        return (
            f"for logits as large as {largest:.0f} yours gives {got}: either a power of e was too large (then "
            "subtract the largest logit of each row first), or a probability was rounded to 0 before its logarithm was "
            "taken (then simplify the logarithm of the quotient before you compute it)"
        )
    if np.isclose(got, right, rtol=1e-5, atol=5e-6):  # as near as single precision comes
        return None
    if largest > 500:
        return (
            f"for logits as large as {largest:.0f} it should be {right:.1f}, yours is {got:.1f}: did something cut the "
            "numbers off, or is it the logarithm of a rounded 0 to which a little was added?"
        )
    mistakes = [
        (
            _mean_cross_entropy(_softmax(logits), labels),
            "softmax is applied twice: the logarithm of softmax needs one softmax, on the logits",
        ),
        (-right, "the sign is the wrong way round: the loss is minus the mean of the logarithms"),
        (right * len(labels), "that is the sum over the examples; the loss is their mean"),
        (right / logits.shape[1], "averaged over the classes, too: each example has one term, that of its label"),
        (-_softmax(logits)[rows, labels].mean(), "the logarithm is missing"),
        (-np.log(_softmax(logits.T).T[rows, labels]).mean(), "softmax along the wrong axis: each row should sum to 1"),
        (
            -np.log(_softmax(logits)[rows, labels].mean()),
            "take the logarithm of each example first, and the mean of them then",
        ),
        (
            np.logaddexp(0, logits).sum() / len(labels) - logits[rows, labels].mean(),
            "that is the loss of one sigmoid for each class; here the classes exclude each other",
        ),
        (right / np.log(2), "that is in bits: use the natural logarithm"),
    ]
    for wrong, hint in mistakes:
        if np.isclose(got, wrong, rtol=1e-4):
            return hint
    return f"for {len(labels)} examples of {logits.shape[1]} classes it should be {right:.7g}, yours is {got:.7g}"


# --- 4.6 --------------------------------------------------------------------------------------------------------------
@exercise("4.6")
def check_standardize(standardize):
    """A function of both parts. Random ones with features of different scales, one of them constant in training.

    In the last turn the mean of the constant column is rounded, so that its standard deviation is not quite 0.
    """
    rng = np.random.default_rng()
    for n, m, features in [(16, 9, 5), (32, 7, 4), (8, 8, 8), (16, 1, 3), (30, 7, 4)]:
        scale = 10 ** rng.uniform(-2, 2, size=features)
        faint, constant = rng.permutation(features)[:2]
        scale[faint] = 5e-4
        offset = scale * rng.uniform(-5, 5, size=features)
        x_train = offset + scale * rng.normal(size=(n, features))
        x_test = offset + scale * (1 + 1.5 * rng.normal(size=(m, features)))
        x_train[:, constant] = 3.5 if n != 30 else 0.1
        given = x_train.copy(), x_test.copy()
        with np.errstate(all="ignore"):
            answer = standardize(*given)
        if missing(answer):
            return NOT_ATTEMPTED
        if changed(given, (x_train, x_test)):
            return CHANGED
        got_train, got_test, said = _two(answer, "the scaled training part and the scaled test part")
        if said is not None:
            return said
        if hint := _standardize_hint(got_train, got_test, x_train, x_test):
            return hint
    return None


def _standardize_hint(got_train, got_test, x_train, x_test):
    if hint := _wrong_shape("the training part", got_train, x_train) or _wrong_shape("the test part", got_test, x_test):
        return hint
    varies = x_train.max(axis=0) > x_train.min(axis=0)  # elsewhere the test part may be scaled as one likes
    if not np.isfinite(got_train[:, varies]).all() or not np.isfinite(got_test[:, varies]).all():
        return "there is NaN or infinity in the result, and in columns that vary"
    if not np.isfinite(got_train).all() or not np.isfinite(got_test).all():
        return "there is NaN or infinity in the result: a column that is the same everywhere has no spread"
    if np.abs(got_test).max() > 1e30:
        return (
            f"{np.abs(got_test).max():.0e} in the test part is an infinity under another name: don't divide by 0 at all"
        )

    def by(reference, x, spread=np.std):
        same = reference.max(axis=0) == reference.min(axis=0)
        return (x - reference.mean(axis=0)) / np.where(same, 1, spread(reference, axis=0))

    def mine(got, expected):
        return np.allclose(got[:, varies], expected[:, varies], rtol=1e-3, atol=1e-3)

    both = np.concatenate([x_train, x_test])
    if mine(got_train, by(both, x_train)):
        return "the scaler was fitted on all rows, so the training part has seen the test part: that is the leak"
    if mine(got_test, by(x_test, x_test)):
        return "the test part is scaled by its own mean and standard deviation; use those of the training part for both"
    if mine(got_train, (x_train - x_train.mean(axis=1)[:, None]) / x_train.std(axis=1)[:, None]):
        return "you scaled rows; each column needs its own mean and standard deviation (axis=0)"
    if mine(got_train, by(x_train, x_train, np.var)):
        return "you divided by the variance; the standard deviation is its root"
    if mine(got_train, by(x_train, x_train, lambda x, axis: np.std(x, axis=axis, ddof=1))):
        return "you divided by n − 1 in the variance (ddof=1); so the result is not standardized. Divide by n"
    if mine(got_train, x_train - x_train.mean(axis=0)):
        return "the means are right; the division by the standard deviation is missing"
    if mine(got_train, (x_train - x_train.mean()) / x_train.std()):
        return "you took one mean of everything; each column needs its own (axis=0)"
    if not mine(got_train, by(x_train, x_train)):
        return _worst_column(got_train, x_train, varies)
    if not mine(got_test, by(x_train, x_test)):
        return "the training part is right; scale the test part with the same two vectors"
    if np.abs(got_train[:, ~varies]).max() > 1e-6:
        return _not_zero(got_train[:, ~varies], x_train[:, ~varies])
    return None


def _worst_column(got, x, varies):
    """Which column of the scaled training part is furthest off, and how."""
    off = np.where(varies, np.maximum(np.abs(got.mean(axis=0)), np.abs(got.std(axis=0) - 1)), -1)
    column = int(off.argmax())
    before, mean, after = x[:, column].std(), got[:, column].mean(), got[:, column].std()
    if np.allclose(got[:, column], x[:, column] - x[:, column].mean(), rtol=1e-3, atol=1e-3 * before):
        return f"column {column} is not divided by its standard deviation, {before:.2g}: it is small, but not constant"
    return (
        f"training columns should have mean 0 and standard deviation 1; your column {column}, whose standard deviation "
        f"was {before:.2g}, has {mean:.2g} and {after:.4g}"
    )


def _not_zero(got, x):
    """What to say of constant columns that did not become 0."""
    hint = (
        f"a column that is the same in all training rows should become 0 there; yours becomes {np.abs(got).max():.2g}"
    )
    if not (x - x.mean(axis=0)).any():
        return hint
    return (
        f"{hint}. The mean is rounded, so neither x - mean nor the standard deviation need be exactly 0; one divided "
        "by the other, or by a tiny number, may be anything (exercise 2.3)"
    )


# --- 4.7 --------------------------------------------------------------------------------------------------------------
_LAYERS = {1: (64, 32, 10), 2: (64, 48, 10), 3: (64, 40, 10), 4: (64, *[32] * 10, 10), 5: (64, 24, 24, 10)}
_LOOK_AT = {
    1: "draw a row of what goes into it, reshaped to 8 × 8",
    2: "draw some images that go into it with their labels",
    3: "compare the weights of two hidden units after training",
    4: "measure the gradient in its first layer, as in section 5",
    5: "sweep its learning rate: how far does the loss fall in the first epochs?",
}
_ENOUGH = {1: 0.85, 2: 0.85, 3: 0.85, 4: 0.5, 5: 0.85}  # ten hidden layers: one in three sound ones reads below 0.8
_RETURNS = "should return what `learn` returns: the network, the name of its activation, and the function that prepares"


@exercise("4.7")
def check_mended(mended):
    """Five functions of images and labels. Each trains on a random part of the digits; its network reads the rest."""
    if isinstance(mended, dict):
        mended = [mended[key] for key in sorted(mended, key=str)]
    if not isinstance(mended, (list, tuple)) or len(mended) != len(_LAYERS):
        return "hand in a list of five functions, in the order of the networks"
    if all(map(missing, mended)):
        return NOT_ATTEMPTED
    for number, function in enumerate(mended, start=1):
        if missing(function):
            return f"network {number} is still to do; the ones before it read digits"
        if not callable(function):
            return f"number {number} is no function, but {type(function).__name__}"
        if hint := _reading_hint(number, function):
            return hint
    return None


def _reading_hint(number, function):
    """None, or what is wrong. An unlucky start is no mistake: what reads badly is trained anew, twice at most."""
    best = 0.0
    for _ in range(3):
        right, hint = _trained_once(number, function)
        best = max(best, right)
        if hint or right >= _ENOUGH[number]:
            return hint
    asked = f"at least {_ENOUGH[number]:.0%} are asked for"
    return (
        f"network {number} reads {best:.0%} of new digits, in the best of three trainings; {asked}: {_LOOK_AT[number]}"
    )


def _trained_once(number, function):
    """The share of new digits that its network reads, and a hint: (right, None), or (0, what it did wrong)."""
    from coursekit import layers

    images, labels, new, wanted = _random_digits(held_out=300)
    given = images.copy(), labels.copy()
    try:
        answer = function(*given)
    except layers.TrainingDiverged as error:
        return 0, f"network {number}: training diverged: {error}"
    except Exception as error:
        return 0, _raised(number, error)
    if changed(given, (images, labels)):
        return 0, f"network {number}: {CHANGED}"
    parts = parts_of(answer, 3)
    if parts is None or not isinstance(parts[1], str) or parts[1] not in layers.ACTIVATIONS or not callable(parts[2]):
        return 0, f"network {number} {_RETURNS}"
    network, activation, prepare = parts
    if hint := _network_hint(network):
        return 0, f"network {number}: {hint}"
    network = [[np.asarray(numbers(values)) for values in layer] for layer in network]
    sizes = (64, *(len(bias) for _, bias in network))
    if sizes != _LAYERS[number]:
        return 0, f"network {number} should keep its layers, {_LAYERS[number]}; yours has {sizes}"
    return _read(number, network, activation, prepare, new, wanted)


def _raised(number, error):
    message = (str(error).strip() or "no message").splitlines()[0]
    return f"network {number} raised {type(error).__name__}: {message}"


def _read(number, network, activation, prepare, new, wanted):
    """The share of the new images that a network reads, and a hint where they were not prepared one by one."""
    from coursekit import layers

    try:
        x, fewer = numbers(prepare(new.copy())), numbers(prepare(new[:64].copy()))
    except Exception as error:
        return 0, _raised(number, error)
    if x is None or x.shape != (len(new), 64):
        return 0, f"network {number}: prepare should make one row of 64 numbers of each image"
    right = layers.accuracy(network, x, wanted, activation)
    if right >= _ENOUGH[number] and (fewer.shape != (64, 64) or not close(fewer, x[:64])):
        return 0, f"network {number}: the same image is prepared differently in another batch; each must stand alone"
    return right, None


def _random_digits(held_out):
    """The training digits, cut at random: images (n, 8, 8) and labels to train on, then the same held out.

    The classes are renamed at random, so that a model which was trained on other labels reads nothing here.
    """
    from coursekit.datasets import load

    rng = np.random.default_rng()
    data = load("digits")
    order = rng.permutation(len(data.x_train))
    kept, new = order[held_out:], order[:held_out]
    labels = rng.permutation(10)[data.y_train]
    return data.x_train[kept], labels[kept], data.x_train[new], labels[new]


# --- 4.8 --------------------------------------------------------------------------------------------------------------
BUDGET, WANTED = 600, 0.9


@exercise("4.8")
def check_small_reader(small_reader):
    """A function that trains; its network is counted, and reads digits that it has not seen.

    Chance can spoil one training: a reader that just misses the mark is trained anew on another draw, twice at most.
    """
    for _ in range(3):
        right, hint = _small_reader_once(small_reader)
        if hint is None or right < WANTED - 0.05:
            break
    return hint


def _small_reader_once(small_reader):
    """The share of new digits that it reads, and a hint: (right, None), or (0, what is wrong), or (too few, a hint)."""
    from coursekit import layers

    images, labels, new, wanted = _random_digits(held_out=300)
    x, x_new = (pictures.reshape(-1, 64).astype("float32") / 16 for pictures in (images, new))
    given = x.copy(), labels.copy()
    try:
        network = small_reader(*given)
    except layers.TrainingDiverged as error:
        return 0, f"training diverged: {error}"
    if missing(network):
        return 0, NOT_ATTEMPTED
    if changed(given, (x, labels)):
        return 0, CHANGED
    if hint := _network_hint(network):
        return 0, hint
    network = [[as_array(weights), as_array(bias)] for weights, bias in network]
    parameters = layers.count_parameters(network)
    if parameters > BUDGET:
        return 0, f"your network has {parameters} parameters; {BUDGET} are allowed. Fewer hidden units?"
    right, seen = layers.accuracy(network, x_new, wanted), layers.accuracy(network, x, labels)
    return right, _reader_hint(right, seen, network, x)


def _reader_hint(right, seen, network, x):
    if right >= WANTED:
        return None
    if seen < 0.3:
        return f"the network only guesses ({seen:.0%} of its own training images). {_why_it_guesses(network, x)}"
    if right < seen - 0.07:
        return f"it reads {seen:.0%} of the images that it trained on and {right:.0%} of new ones: that is overfitting"
    return f"it reads {right:.1%} of new digits, {seen:.1%} of those that it trained on, and {WANTED:.0%} are wanted"


def _why_it_guesses(network, x):
    """What can be seen in a network that reads nothing: untouched biases, units that are silent for every image."""
    if not any(bias.any() for _, bias in network):
        return "Its biases are all 0, as at the start: did the weights move at all? Is the learning rate 0?"
    for weights, bias in network[:-1]:
        x = np.maximum(x @ weights + bias, 0)
        if not x.any():
            return "Its hidden units give 0 for every image: a learning rate too high kills every ReLU, sweep it"
    return "Do images and labels still belong together? The check reads it with ReLU between the layers"


def _network_hint(network):
    """A hint if this is no list of [weights, bias] from 64 inputs to 10 logits, or if training has spoilt it."""
    layers = [parts_of(layer, 2) for layer in network] if isinstance(network, (list, tuple)) else []
    if not layers or None in layers:
        return "return the network: a list with [weights, bias] for each layer"
    sizes = [64]
    for weights, bias in ((numbers(weights), numbers(bias)) for weights, bias in layers):
        if weights is None or bias is None:
            return "return the network: a list with [weights, bias], arrays of numbers, for each layer"
        if weights.ndim != 2 or weights.shape[0] != sizes[-1] or bias.shape != (weights.shape[1],):
            turned = "; it is transposed" if weights.T.shape == (sizes[-1], bias.size) and bias.ndim == 1 else ""
            shapes = f"weights {weights.shape} and bias {bias.shape}"
            return f"a layer with {shapes} does not fit behind {sizes[-1]} values{turned}"
        if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
            return "the weights are NaN or infinite: training diverged. Divide the learning rate by ten"
        sizes.append(weights.shape[1])
    return None if sizes[-1] == 10 else f"the last layer gives {sizes[-1]} numbers; ten logits are wanted"
