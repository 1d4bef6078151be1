"""The checks of notebook 03: right answers pass, gaps are not attempted, each mistake gets its own hint."""

from fractions import Fraction

import nbformat
import numpy as np
import pytest
from helpers import ROOT

from coursekit.exercises import NOT_ATTEMPTED, attempt
from coursekit.exercises.answers import CHANGED
from coursekit.training.optimizers import Adam, GradientDescent, Momentum, RMSprop, descend

TIMES = 12


def outcomes(exercise, answer, times=TIMES):
    return [attempt(exercise, answer) for _ in range(times)]


# --- right answers ----------------------------------------------------------------------------------------------------
SLOPES, RATES, CONSTANTS = [-4, -4, -32, -16], [0.2, 0.125, 0.25], [0.25, 0, 0.25]


def divide(a, b, slope):
    return slope / b, -(slope * a / b**2).sum(axis=0)


def divide_in_a_loop(a, b, slope):
    on_b = np.zeros_like(b)
    for row, arriving in zip(a, slope, strict=True):
        on_b -= arriving * row / b**2
    return [slope / b, on_b]


def batch_gradient(theta, x, y):
    error = theta[0] * x + theta[1] - y
    return np.array([np.mean(2 * error * x), np.mean(2 * error)])


def batch_gradient_by_matrix(theta, x, y):
    X = np.stack([x, np.ones_like(x)], axis=1)
    return 2 * X.T @ (X @ theta - y) / len(x)


def nesterov(theta, velocity, gradient, rate=0.1, beta=0.9):
    velocity = beta * velocity + rate * gradient(theta - beta * velocity)
    return theta - velocity, velocity


def adamw(theta, m, v, t, gradient, rate, decay, betas=(0.9, 0.999), epsilon=1e-7):
    m, v = betas[0] * m + (1 - betas[0]) * gradient, betas[1] * v + (1 - betas[1]) * gradient**2
    m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
    return theta - rate * m_hat / (np.sqrt(v_hat) + epsilon) - rate * decay * theta, m, v


def train_with(make, steps=1000):
    return lambda gradient, start: descend(make(), gradient, start, steps)[-1]


train = train_with(lambda: Momentum(0.001, 0.9))


@pytest.mark.parametrize(
    "exercise, answer",
    [
        ("3.1", SLOPES),
        ("3.1", np.array(SLOPES, dtype=float)),
        ("3.2", divide),
        ("3.2", divide_in_a_loop),
        ("3.3", RATES),
        ("3.3", [1 - 0.8, 1 / 8, 2 / 8]),
        ("3.4", batch_gradient),
        ("3.4", batch_gradient_by_matrix),
        ("3.4", lambda *given: batch_gradient(*given).tolist()),
        ("3.5", nesterov),
        ("3.6", adamw),
        ("3.7", CONSTANTS),
        ("3.8", train),
        ("3.8", train_with(lambda: Momentum(0.0013, 0.9))),
    ],
)
def test_right_answers_pass(exercise, answer):
    times = 3 if exercise == "3.8" else TIMES
    assert outcomes(exercise, answer, times) == [None] * times


@pytest.mark.parametrize("exercise", ["3.2", "3.4", "3.5", "3.6", "3.8"])
def test_a_function_with_a_gap_is_not_attempted(exercise):
    assert attempt(exercise, lambda *_: None) is attempt(exercise, lambda *_: ...) is NOT_ATTEMPTED


@pytest.mark.parametrize("exercise, places", [("3.1", 4), ("3.3", 3), ("3.7", 3)])
def test_a_list_of_gaps_is_not_attempted(exercise, places):
    assert attempt(exercise, ...) is attempt(exercise, [...] * places) is NOT_ATTEMPTED


@pytest.mark.parametrize("exercise", ["3.2", "3.4", "3.5", "3.6"])
def test_a_tuple_of_gaps_is_not_attempted(exercise):
    gap = (lambda *_: (None, None, None)) if exercise == "3.6" else (lambda *_: (None, None))
    assert attempt(exercise, gap) is NOT_ATTEMPTED


# --- right answers in other clothes -----------------------------------------------------------------------------------
def single(*values):
    return [np.asarray(value, dtype="float32") for value in values]


def in_single_precision(function, arrays):
    """A right answer computed in float32, as JAX and Keras do: its first `arrays` arguments are rounded."""
    return lambda *given: function(*single(*given[:arrays]), *given[arrays:])


def adamw_single(theta, m, v, t, gradient, rate, decay, betas, epsilon):
    theta, m, v, gradient = single(theta, m, v, gradient)
    return single(*adamw(theta, m, v, t, gradient, np.float32(rate), np.float32(decay), betas, np.float32(epsilon)))


def in_torch(function):
    """A right answer as PyTorch gives it: tensors that remember their gradient, in a list."""

    def answer(*given):
        torch = pytest.importorskip("torch")
        return [torch.tensor(part, requires_grad=True) for part in function(*given)]

    return answer


def nesterov_single(theta, velocity, gradient, rate, beta):
    theta, velocity = single(theta, velocity)
    step = rate * np.float32(gradient(theta - beta * velocity))
    velocity = np.float32(beta * velocity + step)
    return theta - velocity, velocity


def nesterov_in_place(theta, velocity, gradient, rate, beta):
    slope = gradient(theta - beta * velocity)
    velocity *= beta
    velocity += rate * slope
    theta -= velocity
    return theta, velocity


def falls_back(gradient, start):
    """Tries a bold rate, sees it diverge, and starts again with a careful one."""
    with np.errstate(all="ignore"):
        end = descend(GradientDescent(0.1), gradient, start, 20)[-1]
    return end if np.isfinite(end).all() else train_with(lambda: Momentum(0.001), 980)(gradient, start)


@pytest.mark.parametrize(
    "exercise, answer",
    [
        ("3.2", in_single_precision(divide, 3)),
        ("3.2", in_torch(divide)),
        ("3.4", in_single_precision(batch_gradient, 3)),
        ("3.4", in_torch(batch_gradient)),
        ("3.5", nesterov_single),
        ("3.5", in_torch(nesterov)),
        ("3.5", lambda *given: np.array(nesterov(*given))),
        ("3.6", adamw_single),
        ("3.6", in_torch(adamw)),
        ("3.6", lambda *given: np.array(adamw(*given))),
    ],
)
def test_tensors_stacked_arrays_and_single_precision_pass(exercise, answer):
    assert outcomes(exercise, answer, 40) == [None] * 40


def test_a_walk_that_diverged_and_began_anew_has_arrived():
    assert outcomes("3.8", falls_back, 1) == [None]


@pytest.mark.parametrize("library", ["tensorflow", "jax.numpy", "torch"])
def test_a_tensor_is_a_list_of_numbers(library):
    module = pytest.importorskip(library)
    make = {"tensorflow": "constant", "jax.numpy": "asarray", "torch": "tensor"}[library]
    for exercise, right in (("3.1", SLOPES), ("3.3", RATES), ("3.7", CONSTANTS)):
        assert attempt(exercise, getattr(module, make)(right)) is None


def test_fractions_are_numbers():
    assert attempt("3.3", [Fraction(1, 5), Fraction(1, 8), Fraction(1, 4)]) is None


# --- mistakes ---------------------------------------------------------------------------------------------------------
def with_place(right, place, wrong):
    return [*right[:place], wrong, *right[place + 1 :]]


def changed_on_b(change):
    return lambda a, b, slope: (slope / b, change(a, b, slope))


def one_entry_wrong(a, b, slope):
    on_a, on_b = divide(a, b, slope)
    return on_a, on_b + np.where(np.arange(len(b)) == 0, 1, 0)


def changed_velocity(change):
    def step(theta, velocity, gradient, rate, beta):
        velocity = change(theta, velocity, gradient, rate, beta)
        return theta - velocity, velocity

    return step


def old_velocity(theta, velocity, gradient, rate, beta):
    return theta - velocity, nesterov(theta, velocity, gradient, rate, beta)[1]


def uphill(theta, velocity, gradient, rate, beta):
    velocity = nesterov(theta, velocity, gradient, rate, beta)[1]
    return theta + velocity, velocity


def downhill_velocity(theta, velocity, gradient, rate, beta):
    velocity = beta * velocity - rate * gradient(theta + beta * velocity)
    return theta + velocity, velocity


def rate_on_the_velocity(theta, velocity, gradient, rate, beta):
    velocity = beta * velocity + gradient(theta - beta * velocity)
    return theta - rate * velocity, velocity


def forgets_to_return(theta, velocity, gradient, rate, beta):
    nesterov(theta, velocity, gradient, rate, beta)


def own_rate_and_beta(theta, velocity, gradient, rate, beta):
    return nesterov(theta, velocity, gradient, 0.05, 0.9)


def means(m, v, gradient, betas):
    return betas[0] * m + (1 - betas[0]) * gradient, betas[1] * v + (1 - betas[1]) * gradient**2


def adamw_uncorrected(theta, m, v, t, gradient, rate, decay, betas, epsilon):
    m, v = means(m, v, gradient, betas)
    return theta - rate * (m / (np.sqrt(v) + epsilon) + decay * theta), m, v


def adamw_epsilon_first(theta, m, v, t, gradient, rate, decay, betas, epsilon):
    m, v = means(m, v, gradient, betas)
    alpha = rate * np.sqrt(1 - betas[1] ** t) / (1 - betas[0] ** t)
    return theta - alpha * m / (np.sqrt(v) + epsilon) - rate * decay * theta, m, v


def adam_with_penalty(theta, m, v, t, gradient, rate, decay, betas, epsilon):
    return adamw(theta, m, v, t, gradient + decay * theta, rate, 0.0, betas, epsilon)


def adam_alone(theta, m, v, t, gradient, rate, decay, betas, epsilon):
    return adamw(theta, m, v, t, gradient, rate, 0.0, betas, epsilon)


def adamw_decay_without_rate(theta, m, v, t, gradient, rate, decay, betas, epsilon):
    new, m, v = adamw(theta, m, v, t, gradient, rate, 0.0, betas, epsilon)
    return new - decay * theta, m, v


def adamw_decay_afterwards(theta, m, v, t, gradient, rate, decay, betas, epsilon):
    new, m, v = adamw(theta, m, v, t, gradient, rate, 0.0, betas, epsilon)
    return new * (1 - rate * decay), m, v


def adamw_counts_from_two(theta, m, v, t, *rest):
    return adamw(theta, m, v, t + 1, *rest)


def adamw_counts_from_zero(theta, m, v, t, *rest):
    with np.errstate(all="ignore"):
        return adamw(theta, m, v, t - 1, *rest)


def adamw_without_epsilon(theta, m, v, t, gradient, rate, decay, betas, epsilon):
    return adamw(theta, m, v, t, gradient, rate, decay, betas, 0.0)


def adamw_epsilon_under_the_root(theta, m, v, t, gradient, rate, decay, betas, epsilon):
    m, v = means(m, v, gradient, betas)
    m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
    return theta - rate * m_hat / np.sqrt(v_hat + epsilon) - rate * decay * theta, m, v


def adamw_corrects_m_alone(theta, m, v, t, gradient, rate, decay, betas, epsilon):
    m, v = means(m, v, gradient, betas)
    return theta - rate * (m / (1 - betas[0] ** t) / (np.sqrt(v) + epsilon) + decay * theta), m, v


def adamw_without_square(theta, m, v, t, gradient, rate, decay, betas, epsilon):
    m, v = betas[0] * m + (1 - betas[0]) * gradient, betas[1] * v + (1 - betas[1]) * np.abs(gradient)
    return theta, m, v


def adamw_returns_the_corrected_means(theta, m, v, t, gradient, rate, decay, betas, epsilon):
    theta, m, v = adamw(theta, m, v, t, gradient, rate, decay, betas, epsilon)
    return theta, m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)


def adamw_doubles_v(*given):
    theta, m, v = adamw(*given)
    return theta, m, 2 * v


def adamw_m_in_place(theta, m, v, t, gradient, rate, decay, betas, epsilon):
    m *= betas[0]
    m += (1 - betas[0]) * gradient
    return adamw(theta, m, v, t, 0 * m, rate, decay, (1.0 - 1e-12, betas[1]), epsilon)


def adamw_theta_in_place(theta, *rest):
    new, m, v = adamw(theta, *rest)
    theta -= theta - new
    return theta, m, v


def adamw_gradient_in_place(theta, m, v, t, gradient, *rest):
    result = adamw(theta, m, v, t, gradient, *rest)
    gradient *= gradient
    return result


def adamw_without_share(theta, m, v, t, gradient, rate, decay, betas, epsilon):
    _, _, v = adamw(theta, m, v, t, gradient, rate, decay, betas, epsilon)
    return theta, betas[0] * m + gradient, v


def adamw_sums_squares(theta, m, v, t, gradient, rate, decay, betas, epsilon):
    theta, m, _ = adamw(theta, m, v, t, gradient, rate, decay, betas, epsilon)
    return theta, m, v + gradient**2


def adamw_root_of_a_slope(theta, m, v, t, gradient, rate, decay, betas, epsilon):
    m, v = betas[0] * m + (1 - betas[0]) * gradient, betas[1] * v + (1 - betas[1]) * gradient
    with np.errstate(all="ignore"):
        return theta - rate * m / (np.sqrt(v) + epsilon), m, v


def writes_into_x(theta, x, y):
    x *= 1.5
    return batch_gradient(theta, x / 1.5, y)


def divides_in_place(a, b, slope):
    slope /= b
    return slope, -(slope * a / b).sum(axis=0)


def adamw_with_the_larger_v(theta, m, v, t, gradient, rate, decay, betas, epsilon):
    new_m, new_v = means(m, v, gradient, betas)
    m_hat, v_hat = new_m / (1 - betas[0] ** t), np.maximum(v, new_v) / (1 - betas[1] ** t)
    return theta - rate * m_hat / (np.sqrt(v_hat) + epsilon) - rate * decay * theta, new_m, new_v


class Counting:
    """AdamW that counts its steps itself, from the first one whose m is all zero."""

    def __call__(self, theta, m, v, t, *rest):
        self.t = self.t + 1 if np.any(m) else 1
        return adamw(theta, m, v, self.t, *rest)


def first_example_only(theta, x, y):
    return batch_gradient(theta, x[:1], y[:1])


@pytest.mark.parametrize(
    "exercise, mistake, hint",
    [
        ("3.1", [4, 4, 32, 16], "dL/dW2: the sign"),
        ("3.1", [-2, -2, -16, -8], "derivative of (y − t)²"),
        ("3.1", with_place(SLOPES, 0, -8), "W2 is multiplied by h"),
        ("3.1", with_place(SLOPES, 1, -8), "dL/dy itself"),
        ("3.1", with_place(SLOPES, 2, -16), "one factor of 2 is missing: from y back to h comes W2, from h back to z"),
        ("3.1", with_place(SLOPES, 2, -8), "two factors of 2 are missing: from y back to h comes W2"),
        ("3.1", with_place(SLOPES, 3, -8), "one factor of 2 is missing: from y back to h comes W2, from h back to z"),
        ("3.1", with_place(SLOPES, 3, -32), "x belongs to W1"),
        ("3.1", with_place(SLOPES, 2, 48), "not yet"),
        ("3.1", with_place(SLOPES, 2, float("nan")), "a plain number"),
        ("3.1", with_place(SLOPES, 3, ...), "dL/db1 is still to do; what stands before it is right"),
        ("3.1", with_place(SLOPES, 0, "-4"), "a plain number, not '-4'"),
        ("3.1", with_place(SLOPES, 0, 10**400), "a plain number, not 1000"),
        ("3.1", [1, 2], "four numbers"),
        ("3.2", lambda a, b, slope: (1 / b + 0 * a, slope), "1 / b is the local slope"),
        ("3.2", lambda a, b, slope: (slope * b, slope), "How does a / b answer when a grows"),
        ("3.2", lambda a, b, slope: ((slope / b).sum(axis=0), slope), "a's shape"),
        ("3.2", changed_on_b(lambda a, b, slope: -slope * a / b**2), "add its slopes up"),
        ("3.2", changed_on_b(lambda a, b, slope: (-slope * a / b**2).sum(axis=1)), "b's shape"),
        ("3.2", changed_on_b(lambda a, b, slope: (slope * a / b**2).sum(axis=0)), "the sign of the slope on b"),
        ("3.2", changed_on_b(lambda a, b, slope: (-slope * a / b**2).mean(axis=0)), "not averaged"),
        ("3.2", changed_on_b(lambda a, b, slope: (-a / b**2).sum(axis=0)), "arrives is missing"),
        ("3.2", changed_on_b(lambda a, b, slope: (-slope * a / b).sum(axis=0)), "b² below"),
        ("3.2", changed_on_b(lambda a, b, slope: (-slope / b**2).sum(axis=0)), "a is missing"),
        ("3.2", changed_on_b(lambda a, b, slope: np.ones_like(b)), "in the slope on b, entry"),
        ("3.2", changed_on_b(lambda a, b, slope: np.full_like(b, np.nan)), "inf or NaN in the slope on b"),
        ("3.2", lambda a, b, slope: (slope / b, None), "number 2 holds no numbers, it is None"),
        ("3.2", lambda a, b, slope: ((slope / b).astype(str), b), "number 1 holds no numbers"),
        ("3.2", lambda a, b, slope: ([[1], [2, 3]], b), "number 1 holds no numbers"),
        ("3.2", one_entry_wrong, "entry 0"),
        (
            "3.2",
            lambda *given: [np.round(part, 3) for part in divide(*given)],
            "the slope on a is right, but in too few",
        ),
        (
            "3.2",
            lambda *given: [np.float16(part) for part in divide(*given)],
            "the slope on a is right, but in too few",
        ),
        ("3.2", lambda a, b, slope: slope / b, "return two arrays"),
        ("3.2", lambda a, b, slope: (slope * np.inf, b), "inf or NaN"),
        ("3.3", [0.6, 0.25, 0.5], "the curvature"),
        ("3.3", with_place(RATES, 1, 0.25), "the curvature"),
        ("3.3", with_place(RATES, 2, 0.5), "the curvature"),
        ("3.3", with_place(RATES, 0, 1.8), "uphill"),
        ("3.3", with_place(RATES, 0, 0.8), "length of the step"),
        ("3.3", with_place(RATES, 2, 0.125), "lands on the minimum"),
        ("3.4", lambda theta, x, y: batch_gradient(theta, x, y) * len(x), "take their mean"),
        ("3.4", lambda *given: batch_gradient(*given) / 2, "factor 2"),
        ("3.4", lambda *given: -batch_gradient(*given), "downhill"),
        ("3.4", lambda *given: batch_gradient(*given)[::-1], "changed places"),
        ("3.4", lambda *given: batch_gradient(*given)[:1], "shape (2,)"),
        ("3.4", lambda *given: batch_gradient(*given) * np.nan, "look for a division by 0"),
        ("3.4", lambda theta, x, y: batch_gradient(theta * [1, 0], x, y), "the intercept is missing"),
        ("3.4", lambda theta, x, y: np.full(2, batch_gradient(theta, x, y)[1]), "both parts are the intercept's"),
        ("3.4", lambda *given: [batch_gradient(*given)[0], None], "array of two numbers"),
        ("3.4", lambda *given: ["a", "b"], "array of two numbers"),
        ("3.4", writes_into_x, "has changed"),
        ("3.2", divides_in_place, "has changed"),
        ("3.4", first_example_only, "in the gradient for a batch of"),
        ("3.4", lambda theta, x, y: batch_gradient(theta, x, y) * max(len(x) / 2, 1), "in the gradient for a batch of"),
        ("3.5", changed_velocity(lambda t, v, g, rate, beta: beta * v + rate * g(t)), "plain momentum"),
        ("3.5", changed_velocity(lambda t, v, g, r, beta: beta * v + r * (g(t) - beta * g(v))), "in the velocity"),
        ("3.5", changed_velocity(lambda t, v, g, rate, beta: beta * v + rate * g(t + beta * v)), "looked behind"),
        ("3.5", changed_velocity(lambda t, v, g, rate, beta: v + rate * g(t - beta * v)), "beta is missing: a share"),
        ("3.5", changed_velocity(lambda t, v, g, rate, beta: beta * v + rate * g(t - v)), "in the look ahead"),
        ("3.5", changed_velocity(lambda t, v, g, rate, beta: beta * v + g(t - beta * v)), "counted as 1"),
        ("3.5", changed_velocity(lambda t, v, g, rate, beta: rate * g(t - beta * v)), "old velocity is gone"),
        ("3.5", changed_velocity(lambda t, v, g, rate, beta: beta * v), "learning rate zero"),
        ("3.5", changed_velocity(lambda t, v, g, rate, beta: v * np.nan), "look for a division by 0"),
        ("3.5", lambda *given: nesterov(*given)[::-1], "theta is returned first"),
        ("3.5", changed_velocity(lambda t, v, g, rate, beta: beta * v - rate * g(t - beta * v)), "add the gradient"),
        ("3.5", downhill_velocity, "points downhill"),
        ("3.5", forgets_to_return, "is its last line a return?"),
        ("3.5", lambda t, v, g, rate, beta: (t - v, None), "number 2 holds no numbers"),
        ("3.5", lambda t, v, g, rate, beta: (t - rate * g(t[:2]), v), "an array of theta's shape"),
        ("3.5", rate_on_the_velocity, "the learning rate belongs beside the gradient"),
        ("3.5", old_velocity, "moved by the old velocity"),
        ("3.5", uphill, "uphill"),
        ("3.5", own_rate_and_beta, "in the velocity, entry"),
        ("3.5", lambda t, v, g, rate, beta: (t, nesterov(t, v, g, rate, beta)[1]), "theta did not move"),
        ("3.5", lambda t, v, g, rate, beta: t, "return two arrays"),
        ("3.6", adamw_counts_from_zero, "there is inf or NaN in theta in step 1"),
        ("3.6", adamw_without_epsilon, "epsilon does not count"),
        ("3.6", adamw_epsilon_under_the_root, "epsilon stands under the root"),
        ("3.6", adamw_corrects_m_alone, "m is corrected, v is not"),
        (
            "3.6",
            lambda *given: (*adamw(*given)[:2], adamw(*given)[2] / (1 - given[7][1] ** given[3])),
            "v is a running",
        ),
        ("3.6", lambda *given: (2 * given[0] - adamw(*given)[0], *adamw(*given)[1:]), "in theta after step 1, entry"),
        ("3.6", lambda *given: (*adamw(*given)[:2], "v"), "number 3 holds no numbers, it is 'v'"),
        ("3.6", adamw_uncorrected, "bias is not corrected"),
        ("3.6", adamw_epsilon_first, "as Keras does"),
        ("3.6", adam_with_penalty, "Adam with a penalty"),
        ("3.6", adam_alone, "without the decay"),
        ("3.6", adamw_decay_without_rate, "multiplied by the learning rate"),
        ("3.6", adamw_decay_afterwards, "old theta"),
        ("3.6", adamw_counts_from_two, "one ahead"),
        ("3.6", adamw_without_square, "without its square"),
        ("3.6", adamw_doubles_v, "in v after step 1, entry"),
        ("3.6", Counting(), "in theta after step"),
        ("3.6", adamw_with_the_larger_v, "in theta after step"),
        ("3.6", lambda t, *rest: adamw(np.abs(t), *rest), "in theta after step 1, entry"),
        ("3.6", lambda t, m, v, n, g, *rest: adamw(t, m, v, n, np.abs(g), *rest), "in m after step 1, entry"),
        ("3.6", adamw_returns_the_corrected_means, "returned uncorrected"),
        ("3.6", lambda t, m, v, n, g, *rest: (t, 0.9 * m + g, v), "counts 1 − beta_1"),
        ("3.6", lambda t, m, v, *rest: (t, *adamw(t, m, v, *rest)[1:]), "theta did not move"),
        ("3.6", lambda *given: adamw(*given)[0], "return three arrays"),
        ("3.5", nesterov_in_place, CHANGED),
        ("3.6", adamw_m_in_place, CHANGED),
        ("3.6", adamw_theta_in_place, CHANGED),
        ("3.6", adamw_gradient_in_place, CHANGED),
        ("3.6", adamw_without_share, "your m after step 1 is the gradient itself"),
        ("3.6", lambda *given: [adamw(*given)[k] for k in (0, 2, 1)], "theta is returned first, then m, then v"),
        ("3.6", adamw_sums_squares, "your v after step 1 is the squared gradient itself"),
        ("3.6", adamw_root_of_a_slope, "without its square"),
        ("3.6", lambda *given: (adamw(*given)[0], np.nan * given[1], given[2]), "in m after step 1, entry 0 should be"),
        ("3.7", with_place(CONSTANTS, 0, 0), "the fourth error"),
        ("3.7", [0.25, 0.25, 0.25], "that is the mean"),
        ("3.7", with_place(CONSTANTS, 2, 0), "infinite"),
        ("3.7", with_place(CONSTANTS, 2, 1), "infinite"),
        ("3.7", with_place(CONSTANTS, 0, 4), "write down the loss of a number c"),
        ("3.7", with_place(CONSTANTS, 2, 0.75), "probability of a 0"),
        ("3.7", with_place(CONSTANTS, 1, 0.5), "three of the four"),
    ],
)
def test_each_mistake_gets_its_own_hint(exercise, mistake, hint):
    wrong = [str(outcome) for outcome in outcomes(exercise, mistake) if hint not in str(outcome)]
    assert not wrong, wrong[0]


def in_place(gradient, start):
    velocity = np.zeros(2)
    for _ in range(1000):
        velocity = 0.9 * velocity + 0.001 * gradient(start)
        start -= velocity
    return start


def climbs(rate):
    def train(gradient, start):
        with np.errstate(all="ignore"):
            for _ in range(1000):
                start = start + rate * gradient(start)
        return start

    return train


def looks_far_away_first(gradient, start):
    gradient(1e200 * start)
    return train_with(lambda: GradientDescent(0.0001), 900)(gradient, start)


def ends_with(end):
    def train(gradient, start):
        gradient(start)
        return end

    return train


def returns_nothing(gradient, start):
    train(gradient, start)


@pytest.mark.parametrize(
    "mistake, hint",
    [
        (train_with(lambda: GradientDescent(0.001)), "still too high"),
        (train_with(lambda: RMSprop(0.01)), "still too high"),
        (train_with(lambda: GradientDescent(0.1)), "make the learning rate smaller"),
        (train_with(lambda: Momentum(0.01)), "the walk has diverged"),
        (climbs(0.0001), "go uphill"),
        (climbs(0.1), "go uphill"),
        (looks_far_away_first, "still too high"),
        (in_place, CHANGED),
        (lambda gradient, start: descend(Momentum(0.001), gradient, start, 1000)[0], "what you return is the start"),
        (ends_with(np.full(2, np.nan)), "look for a division by 0"),
        (ends_with(np.array([100.0, 0.0])), "higher than the"),
        (ends_with(3.0), "an array of shape (2,), not ()"),
        (train_with(lambda: GradientDescent(0.0)), "is the learning rate zero?"),
        (train_with(lambda: Momentum(0.001, 0.9), steps=3000), "1000 are allowed"),
        (train_with(lambda: Adam(0.0001)), "still too high"),
        (lambda gradient, start: descend(Momentum(0.001), gradient, start, 1000), "the last entry"),
        (lambda gradient, start: np.full(2, np.nan), "never called"),
        (lambda gradient, start: start, "never called"),
        (returns_nothing, "is its last line a return?"),
        (lambda gradient, start: ("a", "b"), "an array of two numbers, not ('a', 'b')"),
        (lambda gradient, start: gradient([start]), "an array of shape (2,)"),
        (lambda gradient, start: start + np.sign(gradient(start)), "the loss is"),
        (lambda gradient, start: [gradient(start) for _ in range(10**6)][-1], "1000 are allowed"),
    ],
)
def test_each_way_to_miss_the_banana_valley_is_explained(mistake, hint):
    wrong = [str(outcome) for outcome in outcomes("3.8", mistake, 2) if hint not in str(outcome)]
    assert not wrong, wrong[0]


# --- answers that fit the example and nothing else --------------------------------------------------------------------
@pytest.mark.parametrize(
    "exercise, answer",
    [
        ("3.2", lambda a, b, slope: (slope / b, np.zeros(len(b)))),
        ("3.4", lambda theta, x, y: np.array([0.5, 0.5])),
        ("3.5", own_rate_and_beta),
        ("3.6", lambda t, m, v, n, g, rate, decay, betas, e: adamw(t, m, v, n, g, 0.1, 0.1, (0.9, 0.999), 1e-7)),
        ("3.8", lambda gradient, start: np.ones(2)),
        ("3.8", lambda gradient, start: (gradient(start), np.ones(2))[1]),
    ],
)
def test_an_answer_that_ignores_its_arguments_fails(exercise, answer):
    assert all(isinstance(outcome, str) for outcome in outcomes(exercise, answer))


# --- cases that slipped through once ----------------------------------------------------------------------------------
def with_clipped(function, place, limit):
    """The function with its argument number `place` held between -limit and limit."""

    def answer(*given):
        given = list(given)
        given[place] = np.clip(given[place], -limit, limit)
        return function(*given)

    return answer


def nesterov_with_clipped_gradient(theta, velocity, gradient, rate, beta):
    return nesterov(theta, velocity, lambda at: np.clip(gradient(at), -10, 10), rate, beta)


def errors_clipped(theta, x, y):
    line = theta[0] * x + theta[1]
    return batch_gradient(theta, x, line - np.clip(line - y, -50, 50))


def divisor_held_off(a, b, slope):
    return divide(a, np.where(np.abs(b) < 0.3, np.copysign(0.3, b), b), slope)


@pytest.mark.parametrize(
    "exercise, answer, hint",
    [
        ("3.2", divisor_held_off, "in the slope on a, entry"),
        ("3.2", lambda a, b, slope: divide(a, np.where(np.abs(b) < 0.05, np.copysign(0.05, b), b), slope), "entry"),
        ("3.2", with_clipped(divide, 2, 10), "in the slope on a, entry"),
        ("3.4", lambda *given: np.clip(batch_gradient(*given), -10, 10), "in the gradient for a batch of"),
        ("3.4", lambda *given: np.clip(batch_gradient(*given), -100, 100), "in the gradient for a batch of"),
        ("3.4", errors_clipped, "in the gradient for a batch of"),
        ("3.5", nesterov_with_clipped_gradient, "in the velocity, entry"),
        ("3.6", with_clipped(adamw, 4, 10), "that belong to no step before: in m after step"),
    ],
)
def test_numbers_held_between_limits_are_refused(exercise, answer, hint):
    wrong = [str(outcome) for outcome in outcomes(exercise, answer, 30) if hint not in str(outcome)]
    assert not wrong, wrong[0]


@pytest.mark.parametrize("kept", ["mv", "m", "v"])
def test_means_that_an_answer_keeps_for_itself_are_refused(kept):
    mine = {}

    def keeps(theta, m, v, t, gradient, *rest):
        if t == 1:
            mine.update(m=np.zeros_like(theta), v=np.zeros_like(theta))
        m, v = (mine["m"] if "m" in kept else m), (mine["v"] if "v" in kept else v)
        new = adamw(theta, m, v, t, gradient, *rest)
        mine.update(m=new[1], v=new[2])
        return new

    assert all("that belong to no step before: in" in outcome for outcome in outcomes("3.6", keeps, 30))


def test_a_rounded_slope_on_b_is_called_rounded_where_it_has_several_entries():
    found = outcomes("3.2", changed_on_b(lambda *given: np.round(divide(*given)[1], 2)), 30)
    said = ("the slope on b is right, but in too few digits", "in the slope on b, entry 0 should be")
    assert all(outcome.startswith(said) for outcome in found) and any(outcome.startswith(said[0]) for outcome in found)


def nesterov_by_default(rate, beta):
    return lambda t, v, gradient, learning_rate=rate, b=beta: nesterov(t, v, gradient, learning_rate, b)


def adamw_by_default(*defaults):
    return lambda theta, m, v, t, g, r, d, betas=defaults[0], e=defaults[1]: adamw(theta, m, v, t, g, r, d, betas, e)


@pytest.mark.parametrize(
    "exercise, answer",
    [
        ("3.5", nesterov_by_default(0.01, 0.9)),
        ("3.5", nesterov_by_default(0.1, 0.99)),
        ("3.6", adamw_by_default((0.9, 0.99), 1e-7)),
        ("3.6", adamw_by_default((0.8, 0.999), 1e-7)),
        ("3.6", adamw_by_default((0.9, 0.999), 1e-8)),
        ("3.6", adamw_by_default((0.9, 0.999), 1e-6)),
    ],
)
def test_other_default_values_than_the_pages_are_refused(exercise, answer):
    assert all("by default: in" in outcome for outcome in outcomes(exercise, answer, 30))


@pytest.mark.parametrize(
    "exercise, answer",
    [
        ("3.5", nesterov_by_default(0.1, 0.9)),
        ("3.5", lambda t, v, gradient, rate, beta: nesterov(t, v, gradient, rate, beta)),
        ("3.6", adamw_by_default((0.9, 0.999), 1e-7)),
        ("3.6", adamw_by_default([0.9, 0.999], 1e-7)),
        ("3.6", lambda t, m, v, n, g, r, d, betas, e: adamw(t, m, v, n, g, r, d, betas, e)),
        ("3.6", lambda theta, *rest: single(*adamw(np.float32(theta), *rest))),
    ],
)
def test_the_pages_default_values_or_none_pass(exercise, answer):
    assert outcomes(exercise, answer, 40) == [None] * 40


# --- the notebook itself ----------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def cells():
    notebook = nbformat.read(ROOT / "notebooks" / "03_gradient_descent.ipynb", 4)
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def test_the_autodiff_is_short(cells):
    parts = [cell for cell in cells if any(part in cell for part in ("class Scalar", "def backward("))]
    assert len(parts) == 2 and len([line for cell in parts for line in cell.splitlines() if line.strip()]) < 35


def test_the_autodiff_adds_over_paths_and_keeps_signs(cells, capsys):
    names = {}
    for wanted in ("class Scalar", "def backward("):
        exec(next(cell for cell in cells if wanted in cell), names)
    a, b = names["Scalar"](1.5), names["Scalar"](-0.5)
    names["backward"](a * b + a**3 * b - (a + b) ** 2)
    assert a.slope == pytest.approx(-0.5 + 3 * 1.5**2 * -0.5 - 2 * 1.0)
    assert b.slope == pytest.approx(1.5 + 1.5**3 - 2 * 1.0)


def test_the_sliders_drawing_works_at_the_ends_of_its_range(cells, capsys, monkeypatch):
    import coursekit as ck

    monkeypatch.setenv("COURSEKIT_PROGRESS", "off")
    names = {"np": np, "ck": ck}
    for wanted in ("class GradientDescent", "bowl_curvature = ", "def draw_descent"):
        exec(next(cell for cell in cells if wanted in cell), names)
    assert "from 0 to 0.22" in capsys.readouterr().out
    for learning_rate, said in ((0.0, "does not move"), (0.11, "falls from"), (0.22, "diverges"), (1e200, "diverges")):
        names["draw_descent"](learning_rate)
        assert said in capsys.readouterr().out
