"""The checks of notebook 03, Gradient descent."""

import inspect

import numpy as np

from coursekit.exercises import NOT_ATTEMPTED, exercise
from coursekit.exercises.answers import CHANGED, changed, close, compare_numbers, missing, numbers, parts_of, rounded


def _arrays(got, count, what, stacked=True):
    """The parts of an answer as float arrays, or what to say instead: (parts, None) or (None, said).

    Whether they have the right shapes is for the caller to see; a part that holds no numbers is named here.
    """
    parts = parts_of(got, count, stacked)
    if parts is None:
        return None, f"return {what}"
    if all(map(missing, parts)):
        return None, NOT_ATTEMPTED
    arrays = list(map(numbers, parts))
    for place, array in enumerate(arrays):
        if array is None:
            return None, f"return {what}; number {place + 1} holds no numbers, it is {repr(parts[place])[:40]}"
    return arrays, None


def _not_numbers(values, what):
    """A sentence that explains inf or NaN made from finite numbers in one go; None where all is finite."""
    if np.isfinite(values).all():
        return None
    return f"there is inf or NaN in {what}, and all that went in was finite: look for a division by 0"


def _worst(name, right, got):
    """The entry that is furthest off, with as many digits as it takes to tell the two numbers apart."""
    place = np.unravel_index(np.abs(got - right).argmax(), right.shape)
    wanted, yours = right[place], got[place]
    digits = next((n for n in range(4, 17) if f"{wanted:.{n}g}" != f"{yours:.{n}g}"), 17)
    entry = str(place[0]) if len(place) == 1 else str(tuple(map(int, place)))
    return f"in {name}, entry {entry} should be {wanted:.{digits}g}, yours is {yours:.{digits}g}"


def _both_signs(rng, shape):
    """Numbers from 0.5 to 2 in size, with both signs among them."""
    signs = rng.permutation(np.resize([-1, 1], int(np.prod(shape))))
    return rng.uniform(0.5, 2, size=shape) * signs.reshape(shape)


def _takes(function, arguments):
    """Whether the function can be called with so many arguments; those left out have default values."""
    try:
        inspect.signature(function).bind(*range(arguments))
    except (TypeError, ValueError):
        return False
    return True


def _said_of(call, outcome):
    """A hint with the call that it is about; what is no hint stays as it is."""
    return f"{call}: {outcome}" if isinstance(outcome, str) else outcome


# --- 3.1 --------------------------------------------------------------------------------------------------------------
_SIGN = "the sign: dL/dy is 2(y − t), and y is smaller than t here"
_TWO = "a factor 2 is missing: the derivative of (y − t)² is 2(y − t)"
_Z = (
    "from y back to h comes W2, from h back to z comes 2z"  # each of them 2 here, as x is: which is missing is not seen
)
_X = f"{_Z}, from z back to W1 comes x"
_SLOPE_HINTS = {
    "dL/dW2": {4: _SIGN, -2: _TWO, -8: "W2 is multiplied by h, so dL/dW2 is dL/dy times h; you took another factor"},
    "dL/db2": {4: _SIGN, -2: _TWO, -8: "y grows by 1 when b2 does: dL/db2 is dL/dy itself"},
    "dL/dW1": {32: _SIGN, -16: f"one factor of 2 is missing: {_X}", -8: f"two factors of 2 are missing: {_X}"},
    "dL/db1": {
        16: _SIGN, -8: f"one factor of 2 is missing: {_Z}",
        -32: "z grows by 1 when b1 does; x belongs to W1 only",
    },
}  # fmt: skip


@exercise("3.1")
def check_slopes(answer):
    """Four slopes of the network with x 2, W1 1, b1 -1, W2 2, b2 1, target 5."""
    x, w1, b1, w2, b2, target = 2.0, 1.0, -1.0, 2.0, 1.0, 5.0
    z = w1 * x + b1
    on_y = 2 * (w2 * z**2 + b2 - target)
    on_z = on_y * w2 * 2 * z
    right = {"dL/dW2": on_y * z**2, "dL/db2": on_y, "dL/dW1": on_z * x, "dL/db1": on_z}
    otherwise = "not yet; write down every step, from the loss back"
    return compare_numbers(answer, right, _SLOPE_HINTS, otherwise, rtol=1e-3, atol=1e-4)


# --- 3.2 --------------------------------------------------------------------------------------------------------------
_FEWER_DIGITS = "{} is right, but in too few digits: don't round, and compute in single precision at least"


@exercise("3.2")
def check_divide(divide_backward):
    """Slopes on a (n, m) and b (m,) of a / b: tables that are tall, wide, one row and one column, in any order.

    In the last one all of b is small and the slope is large: what holds its numbers between limits shows there.
    """
    rng = np.random.default_rng()
    for place, (n, m) in enumerate(rng.permutation([(4, 3), (2, 7), (1, 5), (6, 1)])):
        a, slope = rng.normal(size=(2, n, m))
        b = rng.uniform(0.5, 2, size=m) * rng.choice([-1, 1], size=m)
        if place == 3:  # one sign, lest large numbers cancel
            a, slope, b = rng.uniform(1, 3, (n, m)), rng.choice([-1, 1]) * rng.uniform(20, 60, (n, m)), b / 50
        right, given = (slope / b, (-slope * a / b**2).sum(axis=0)), [values.copy() for values in (a, b, slope)]
        got = divide_backward(*given)
        if missing(got):
            return NOT_ATTEMPTED
        parts, said = _arrays(got, 2, "two arrays: the slope on a and the slope on b", stacked=False)
        if said is not None:
            return said
        if changed(given, [a, b, slope]):
            return CHANGED
        if hint := _divide_hint(*parts, *right, a, b, slope):
            return hint
    return None


def _divide_hint(on_a, on_b, right_on_a, right_on_b, a, b, slope):
    if on_a.shape != a.shape:
        return f"the slope on a should have a's shape, {a.shape}; yours has {on_a.shape}"
    if hint := _not_numbers(on_a, "the slope on a"):
        return hint
    if not close(on_a, right_on_a):
        if close(on_a, 1 / b + 0 * a):
            return "1 / b is the local slope; multiply it by the slope that arrives"
        if rounded(on_a, right_on_a):
            return _FEWER_DIGITS.format("the slope on a")
        return f"{_worst('the slope on a', right_on_a, on_a)}. How does a / b answer when a grows, and what arrives?"
    if on_b.shape == a.shape:
        return "b was stretched, so each of its entries was used once in every row: add its slopes up, to shape (m,)"
    if on_b.shape != b.shape:
        return f"the slope on b should have b's shape, {b.shape}; yours has {on_b.shape}"
    if hint := _not_numbers(on_b, "the slope on b"):
        return hint
    if close(on_b, right_on_b):
        return None
    if rounded(on_b, right_on_b):
        return _FEWER_DIGITS.format("the slope on b")
    mistakes = {
        "the sign of the slope on b: a larger b makes a / b smaller": -right_on_b,
        "b's slopes from several rows are added, not averaged": right_on_b / len(a),
        "the slope that arrives is missing in the slope on b": (-a / b**2).sum(axis=0),
        "the derivative of 1 / b has b² below, not b": (-slope * a / b).sum(axis=0),
        "how much b matters depends on a: a is missing in the slope on b": (-slope / b**2).sum(axis=0),
    }
    known = (hint for hint, wrong in mistakes.items() if close(on_b, wrong))
    return next(known, _worst("the slope on b", right_on_b, on_b))


# --- 3.3 --------------------------------------------------------------------------------------------------------------
_RATES = {"θ after one step": 0.2, "the rate that lands on the minimum": 0.125, "the limit": 0.25}
_CURVATURE = "the curvature is the second derivative of 4θ², and that is not 4"
_RATE_HINTS = {
    "θ after one step": {
        0.6: _CURVATURE, 0.8: "that is the length of the step; where does it lead, from 1?",
        1.8: "that goes uphill: a step goes against the slope",
    },
    "the rate that lands on the minimum": {0.25: _CURVATURE},
    "the limit": {
        0.5: _CURVATURE,
        0.125: "at that rate the first step lands on the minimum; a step may be longer than that and still come lower",
    },
}  # fmt: skip


@exercise("3.3")
def check_rates(answer):
    """Three numbers about 4θ²."""
    otherwise = "not yet; write down the slope of 4θ², and what one step makes of θ"
    return compare_numbers(answer, _RATES, _RATE_HINTS, otherwise, rtol=1e-3, atol=1e-4)


# --- 3.4 --------------------------------------------------------------------------------------------------------------
@exercise("3.4")
def check_batch_gradient(batch_gradient):
    """Gradient of the mean squared error of a line for batches of several sizes, 1 among them.

    In the last one all points lie far from the line, on one side: both parts of the gradient are above 200 in size.
    """
    rng = np.random.default_rng()
    for m, far in [*((m, False) for m in (*rng.integers(3, 50, size=3), 2, 1)), (rng.integers(3, 50), True)]:
        theta, x, y = rng.normal(size=2), rng.normal(size=m), rng.normal(size=m)
        if far:
            x = rng.choice([-1, 1]) * rng.uniform(1, 3, size=m)
            y = theta[0] * x + theta[1] + rng.choice([-1, 1]) * rng.uniform(100, 300, size=m)
        given = [values.copy() for values in (theta, x, y)]
        got = batch_gradient(*given)
        if missing(got) or (isinstance(got, (list, tuple)) and all(map(missing, got))):
            return NOT_ATTEMPTED
        if changed(given, [theta, x, y]):
            return CHANGED
        if (gradient := numbers(got)) is None:
            return f"return an array of two numbers, not {repr(got)[:40]}"
        if hint := _batch_hint(gradient, theta, x, y):
            return hint
    return None


def _batch_hint(got, theta, x, y):
    if got.shape != (2,):
        return f"the gradient has two parts, for slope and intercept: shape (2,), not {got.shape}"
    if hint := _not_numbers(got, "the gradient"):
        return hint
    error = theta[0] * x + theta[1] - y
    each = 2 * error * np.stack([x, np.ones(len(x))])  # (2, m)
    right = each.mean(axis=1)
    if close(got, right):
        return None
    mistakes = {
        "you added the gradients of the batch up; take their mean, or the step grows with the batch": each.sum(axis=1),
        "the factor 2 from the square is missing": right / 2,
        "the sign: this is the direction downhill; return the gradient, and the optimizer subtracts it": -right,
        "slope and intercept have changed places: theta[0] belongs to x": right[::-1],
        "the intercept is missing in the error: the line is theta[0] * x + theta[1]": (
            2 * (error - theta[1]) * np.stack([x, np.ones(len(x))])
        ).mean(axis=1),
        "both parts are the intercept's: the error is multiplied by x in the slope's": np.full(2, right[1]),
        "the error was multiplied by theta, not by what theta is multiplied by": (2 * error * theta[:, None]).mean(
            axis=1
        ),
    }
    if len(x) > 1:  # for a single example sum and mean are the same
        for hint, wrong in mistakes.items():
            if close(got, wrong):
                return hint
    return _worst(f"the gradient for a batch of {len(x)}", right, got)


# --- 3.5 --------------------------------------------------------------------------------------------------------------
_NO_RETURN = "the function called gradient and returned nothing: is its last line a return?"


@exercise("3.5")
def check_nesterov(nesterov_step):
    """Three steps for a vector and for a table, each from where the answer itself has gone; then one by default values.

    The gradient is no linear function: the gradient at theta less beta times that at the velocity is another one.
    For the table it is a hundred times as steep, and the learning rate a hundredth.
    """
    rng = np.random.default_rng()
    for shape, steep in (((3,), 1), ((2, 2), 100)):
        settings = rng.uniform(0.05, 0.2) / steep, rng.uniform(0.5, 0.8)  # learning rate, beta
        gradient, state = _Slope(rng, shape, steep), (_both_signs(rng, shape), _both_signs(rng, shape))
        for _ in range(3):
            state, outcome = _nesterov_call(nesterov_step, state, gradient, settings)
            if outcome is not None:
                return outcome
    if not _takes(nesterov_step, 3):
        return None
    state = _both_signs(rng, shape), _both_signs(rng, shape)
    _, outcome = _nesterov_call(nesterov_step, state, _Slope(rng, shape), (0.1, 0.9), passed=0)
    return _said_of("called without learning_rate and beta, which are 0.1 and 0.9 by default", outcome)


class _Slope:
    """A gradient that is no linear function of where it is taken; counts its calls."""

    def __init__(self, rng, shape, steep=1):
        self.curvature, self.steep, self.calls = rng.uniform(0.5, 2, shape), steep, 0

    def __call__(self, at):
        self.calls += 1
        if (at := numbers(at)) is None or at.shape != self.curvature.shape:
            raise ValueError("gradient takes an array of theta's shape")
        return self.steep * (self.curvature * np.sin(at) + 0.3 * at)


def _nesterov_call(nesterov_step, state, gradient, settings, passed=2):
    """The new (theta, velocity) and None, or what to say; of the settings (rate, beta) so many are passed."""
    given, before = [values.copy() for values in state], gradient.calls
    got = nesterov_step(*given, gradient, *settings[:passed])
    if missing(got):
        return None, _NO_RETURN if gradient.calls > before else NOT_ATTEMPTED
    if changed(given, list(state)):
        return None, CHANGED
    parts, said = _arrays(got, 2, "two arrays: the new theta and the new velocity")
    return parts, said if said is not None else _nesterov_hint(*parts, *state, gradient, *settings)


def _nesterov_hint(new_theta, new_velocity, theta, velocity, gradient, rate, beta):
    for values, name in ((new_theta, "theta"), (new_velocity, "the velocity")):
        if values.shape != theta.shape:
            return f"{name} should keep its shape {theta.shape}; yours has {values.shape}"
        if hint := _not_numbers(values, name):
            return hint
    ahead = gradient(theta - beta * velocity)
    mistakes = {
        "this is plain momentum: the gradient is taken at theta, not at theta − beta · velocity": beta * velocity
        + rate * gradient(theta),
        "you looked behind: theta moves by minus the velocity, so ahead is the other way": beta * velocity
        + rate * gradient(theta + beta * velocity),
        "add the gradient to the velocity, since theta moves by minus the velocity": beta * velocity - rate * ahead,
        "your velocity points downhill; here theta moves by minus the velocity, so both signs change": (
            beta * velocity - rate * gradient(theta + beta * velocity)
        ),
        "theta is returned first, then the velocity": theta - beta * velocity - rate * ahead,
        "beta is missing: a share beta of the old velocity survives, not all of it": velocity + rate * ahead,
        "beta is missing in the look ahead: only a share of the velocity is left": beta * velocity
        + rate * gradient(theta - velocity),
        "the learning rate is missing, or counted as 1": beta * velocity + ahead,
        "the old velocity is gone: beta times it belongs to the new one": rate * ahead,
        "the gradient did not count: is the learning rate zero?": beta * velocity,
        "the velocity did not change: is something multiplied by zero, or not assigned?": velocity,
    }
    right = beta * velocity + rate * ahead
    if not close(new_velocity, right):
        if close(new_velocity, beta * velocity + ahead) and close(new_theta, theta - rate * new_velocity):
            return "the learning rate belongs beside the gradient, in the velocity; you multiplied the velocity by it"
        known = (hint for hint, wrong in mistakes.items() if close(new_velocity, wrong))
        return next(known, _worst("the velocity", right, new_velocity))
    if close(new_theta, theta - velocity):
        return "theta moved by the old velocity; move it by the new one"
    if close(new_theta, theta + right):
        return "theta moved uphill: subtract the velocity"
    if close(new_theta, theta):
        return "theta did not move: subtract the new velocity from it"
    if not close(new_theta, theta - right):
        return _worst("theta", theta - right, new_theta)
    return None


# --- 3.6 --------------------------------------------------------------------------------------------------------------
@exercise("3.6")
def check_adamw(adamw_step):
    """Steps of AdamW for a vector and for a table, at last two in which betas and epsilon have their default values."""
    rng = np.random.default_rng()
    for shape in ((4,), (2, 3)):
        if (outcome := _adamw_walk(adamw_step, rng, shape)) is not None:
            return outcome
    return _adamw_by_default(adamw_step, rng) if _takes(adamw_step, 7) else None


def _adamw_walk(adamw_step, rng, shape):
    """Three steps, the first with a tiny gradient, where the place of epsilon shows, the last with a number that one
    can't know by counting and a gradient so small that v becomes smaller; then one with an m and a v from nowhere.
    """
    theta, m, v = _both_signs(rng, shape), np.zeros(shape), np.zeros(shape)
    betas = (rng.uniform(0.7, 0.8), rng.uniform(0.98, 0.995))  # the corrections of m and v differ
    settings = rng.uniform(0.05, 0.2), rng.uniform(0.1, 0.5), betas, rng.uniform(1e-3, 1e-2)
    for t, size in ((1, 0.01), (2, 1.0), (int(rng.integers(4, 13)), 0.05)):
        state, outcome = _adamw_call(adamw_step, (theta, m, v), t, size * _both_signs(rng, shape), settings)
        if outcome is not None:
            return outcome
        theta, m, v = state
    anew, t = (theta, _both_signs(rng, shape), rng.uniform(0.5, 2, shape)), int(rng.integers(4, 13))
    _, outcome = _adamw_call(adamw_step, anew, t, 30 * _both_signs(rng, shape), settings)
    return _said_of("for an m, a v and a gradient that belong to no step before", outcome)


def _adamw_by_default(adamw_step, rng):
    """Two steps without betas and epsilon; in the first the gradient is small enough for epsilon to show."""
    settings = rng.uniform(0.05, 0.2), rng.uniform(0.1, 0.5), (0.9, 0.999), 1e-7
    state = _both_signs(rng, (4,)), np.zeros(4), np.zeros(4)
    for t, size in ((1, 1e-6), (2, 1.0)):
        state, outcome = _adamw_call(adamw_step, state, t, size * _both_signs(rng, (4,)), settings, passed=2)
        if outcome is not None:
            return _said_of("called without betas and epsilon, which are (0.9, 0.999) and 1e-7 by default", outcome)
    return None


def _adamw_call(adamw_step, state, t, gradient, settings, passed=4):
    """The new (theta, m, v) and None, or what to say; of rate, decay, betas and epsilon so many are passed."""
    given = [values.copy() for values in (*state, gradient)]
    got = adamw_step(*given[:3], t, given[3], *settings[:passed])
    if missing(got):
        return None, NOT_ATTEMPTED
    if changed(given, [*state, gradient]):
        return None, CHANGED
    got, said = _arrays(got, 3, "three arrays: the new theta, m and v")
    return got, said if said is not None else _adamw_hint(got, state, t, gradient, *settings)


def _same_v(got, right):
    return np.allclose(got, right, rtol=1e-4, atol=0)


def _adamw_hint(got, old, t, gradient, rate, decay, betas, epsilon):
    theta, m, v = old
    for values, name in zip(got, ("theta", "m", "v"), strict=True):
        if values.shape != theta.shape:
            return f"{name} should keep its shape {theta.shape}; yours has {values.shape}"
    (b1, b2), penalized = betas, gradient + decay * theta
    new_m, new_v = b1 * m + (1 - b1) * gradient, b2 * v + (1 - b2) * gradient**2
    if not close(got[1], new_m):
        if _same_v(got[1], new_v) and close(got[2], new_m):
            return "theta is returned first, then m, then v"
        if close(got[1], b1 * m + (1 - b1) * penalized):
            return "the decay went through m, as in Adam with a penalty: subtract it from theta, apart from m and v"
        if t == 1 and close(got[1], gradient):
            return (
                "your m after step 1 is the gradient itself: m is a running mean, in which the new gradient counts "
                "1 − beta_1, and it is returned uncorrected"
            )
        return _worst(f"m after step {t}", new_m, got[1])
    if not _same_v(got[2], new_v):
        if t == 1 and _same_v(got[2], gradient**2):
            return (
                "your v after step 1 is the squared gradient itself: v is a running mean, in which the new square "
                "counts 1 − beta_2, and it is returned uncorrected"
            )
        if any(_same_v(got[2], b2 * v + (1 - b2) * size) for size in (gradient, np.abs(gradient))):
            return "v is the running mean of the squared gradient; yours took the gradient without its square"
        return _worst(f"v after step {t}", new_v, got[2])
    if not np.isfinite(got[0]).all():
        return (
            f"there is inf or NaN in theta in step {t}: is something divided by 0, or is that the root of a negative "
            "number? From t = 1 on, 1 − beta^t lies between 0 and 1"
        )
    m_hat, v_hat = new_m / (1 - b1**t), new_v / (1 - b2**t)
    update, shrink = rate * m_hat / (np.sqrt(v_hat) + epsilon), rate * decay * theta
    correction = np.sqrt(1 - b2**t) / (1 - b1**t)
    mistakes = {
        "the bias is not corrected: divide m by 1 − beta_1^t and v by 1 − beta_2^t": theta
        - rate * new_m / (np.sqrt(new_v) + epsilon)
        - shrink,
        "this is Adam without the decay": theta - update,
        "epsilon was added before the bias was corrected, as Keras does; this is about algorithm 1": theta
        - rate * correction * new_m / (np.sqrt(new_v) + epsilon)
        - shrink,
        "the decay is multiplied by the learning rate, too": theta - update - decay * theta,
        "the decay makes theta smaller: subtract it": theta - update + shrink,
        "the decay applies to the old theta, not to the one after Adam's step": (theta - update) * (1 - rate * decay),
        "theta did not move": theta,
        "epsilon stands under the root; algorithm 1 adds it to the root": theta
        - rate * m_hat / np.sqrt(v_hat + epsilon)
        - shrink,
        "epsilon does not count: use the one that is passed in": theta - rate * m_hat / np.sqrt(v_hat) - shrink,
        "m is corrected, v is not": theta - rate * m_hat / (np.sqrt(new_v) + epsilon) - shrink,
        "v is corrected, m is not": theta - rate * new_m / (np.sqrt(v_hat) + epsilon) - shrink,
        "theta moved uphill: subtract Adam's step": theta + update - shrink,
        "the root of v is missing": theta - rate * m_hat / (v_hat + epsilon) - shrink,
        "t counts from 1 on; yours is one ahead": theta
        - rate * new_m / (1 - b1 ** (t + 1)) / (np.sqrt(new_v / (1 - b2 ** (t + 1))) + epsilon)
        - shrink,
    }
    right = theta - update - shrink
    if not close(got[0], right):
        known = (hint for hint, wrong in mistakes.items() if close(got[0], wrong))
        return next(known, _worst(f"theta after step {t}", right, got[0]))
    return None


# --- 3.7 --------------------------------------------------------------------------------------------------------------
_CONSTANTS = {"the squared error's": 0.25, "the absolute error's": 0.0, "the cross-entropy's": 0.25}
_MIDDLE = "the middle of 0 and 1, but three of the four targets are 0"
_CONSTANT_HINTS = {
    "the squared error's": {
        0: "0 is right three times, but how much does the square of the fourth error cost?",
        0.5: _MIDDLE,
    },
    "the absolute error's": {
        0.25: "that is the mean; the absolute error is smallest at another middle of the targets",
        0.5: _MIDDLE,
    },
    "the cross-entropy's": {
        0: "then the fourth target had probability 0, and minus the logarithm of 0 is infinite",
        1: "then the first three targets had probability 0, and minus the logarithm of 0 is infinite",
        0.5: "a fair coin; under which coin are three zeros and a one most probable?",
        0.75: "that is the probability of a 0; the prediction is that of a 1",
    },
}


@exercise("3.7")
def check_constants(answer):
    """Mean, median and share of ones of 0, 0, 0, 1."""
    otherwise = "not yet; write down the loss of a number c, one term for each of the four targets"
    return compare_numbers(answer, _CONSTANTS, _CONSTANT_HINTS, otherwise, rtol=1e-3, atol=1e-4)


# --- 3.8 --------------------------------------------------------------------------------------------------------------
CALLS, TARGET = 1000, 1e-3


@exercise("3.8")
def check_banana(train):
    """Twelve random valleys and starts; the loss at the end and the calls of the gradient count.

    The minima are spread over the whole range, so that no constant answer comes near all of them.
    """
    rng = np.random.default_rng()
    for a in rng.permutation(np.linspace(0.8, 1.2, 13)[:-1]) + rng.uniform(0, 0.4 / 12, size=12):
        start = rng.uniform([-1.2, 0], [-0.5, 1.2])
        valley = _Valley(a)
        with np.errstate(all="ignore"):
            end = train(valley.gradient, given := start.copy())
        if missing(end):
            return _NO_RETURN if valley.calls else NOT_ATTEMPTED
        if changed(given, start):
            return CHANGED
        if (place := numbers(end)) is None:
            return f"return where the walk ends, an array of two numbers, not {repr(end)[:40]}"
        if hint := _banana_hint(place, start, valley):
            return hint
    return None


class _Valley:
    """Rosenbrock's function with its minimum at (a, a²); keeps where its gradient was asked for, and what it said."""

    def __init__(self, a):
        self.a, self.places, self.slopes = a, [], []

    @property
    def calls(self):
        return len(self.places)

    def loss(self, theta):
        with np.errstate(all="ignore"):
            return (self.a - theta[0]) ** 2 + 100 * (theta[1] - theta[0] ** 2) ** 2

    def gradient(self, theta):
        if (theta := numbers(theta)) is None or theta.shape != (2,):
            raise ValueError("gradient takes the two parameters, an array of shape (2,)")
        with np.errstate(all="ignore"):
            bend = theta[1] - theta[0] ** 2
            slope = np.array([-2 * (self.a - theta[0]) - 400 * theta[0] * bend, 200 * bend])
        self.places.append(theta)
        self.slopes.append(slope.copy())
        if self.calls > 20 * CALLS:
            raise RuntimeError(f"more than {20 * CALLS} calls of the gradient; {CALLS} are allowed")
        return slope

    def climbed(self):
        """Whether the first steps from call to call all went uphill, five of them or as many as there are."""
        with np.errstate(all="ignore"):
            steps = np.diff(self.places[:6], axis=0)
            return len(steps) > 1 and all(step @ slope > 0 for step, slope in zip(steps, self.slopes, strict=False))


def _banana_hint(end, start, valley):
    where = f"from the start ({start[0]:.2f}, {start[1]:.2f})"
    if end.shape != (2,):
        of_path = "; of a path, that is the last entry" if end.ndim == 2 and end.shape[1] == 2 and len(end) > 1 else ""
        return f"return where the walk ends, an array of shape (2,), not {end.shape}{of_path}"
    if valley.calls == 0:
        return "gradient was never called; walk with it from the start"
    loss = valley.loss(end)
    if not loss < TARGET and valley.climbed():
        return f"{where} the first steps go uphill: a step goes against the gradient"
    if not np.isfinite(end).all():
        return _not_finite_hint(end, where, valley)
    if np.array_equal(end, start):
        if all(np.array_equal(place, start) for place in valley.places):
            return f"after {valley.calls} calls the walk is still at its start: is the learning rate zero?"
        return "what you return is the start, though gradient was called elsewhere: return where the walk ends"
    if not loss < TARGET:
        trend = f"higher than the {valley.loss(start):.2g} there" if loss > valley.loss(start) else "still too high"
        return f"{where} the loss is {loss:.2g} after {valley.calls} calls, {trend}; below {TARGET} is wanted"
    if valley.calls > CALLS:
        return f"it arrives, but with {valley.calls} calls of the gradient; {CALLS} are allowed"
    return None


def _not_finite_hint(end, where, valley):
    """Whether the steps grew until the numbers were too large to hold, or something else made inf or NaN."""
    size = np.abs(valley.slopes).max(axis=1)
    huge = np.flatnonzero(~(size < 1e50))  # NaN, too
    if not huge.size:
        return f"{where} you return {end}, though all gradients were finite: look for a division by 0"
    return (
        f"{where}, step {huge[0] + 1}: the walk has diverged: its steps grew until the numbers were too large to hold; "
        "make the learning rate smaller, ten times at first"
    )
