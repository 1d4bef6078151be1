"""The checks of notebook 05: right answers pass, gaps are not attempted, each mistake gets its own hint."""

import numpy as np
import pytest
from sklearn.linear_model import Lasso, LinearRegression, Ridge

from coursekit.exercises import NOT_ATTEMPTED, attempt
from coursekit.exercises import ex05_regularization as ex05
from coursekit.training import regularization

TIMES = 25


def outcomes(exercise, answer, times=TIMES):
    return [attempt(exercise, answer) for _ in range(times)]


# --- right answers ----------------------------------------------------------------------------------------------------
def bias_and_variance(fitted, truth):
    mean = fitted.mean(axis=0)
    return np.mean((mean - truth) ** 2), np.mean((fitted - mean) ** 2)


def ridge_test_error(x_train, y_train, x_test, y_test, l2):
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    x, x_new, b = (x_train - mean) / deviation, (x_test - mean) / deviation, y_train.mean()
    w = np.linalg.solve(x.T @ x / len(x) + l2 * np.eye(x.shape[1]), x.T @ (y_train - b) / len(x))
    return np.mean((x_new @ w + b - y_test) ** 2)


def ridge_by_scikit_learn(x_train, y_train, x_test, y_test, l2):
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    model = Ridge(alpha=len(x_train) * l2).fit((x_train - mean) / deviation, y_train)
    return np.mean((model.predict((x_test - mean) / deviation) - y_test) ** 2)


def soft(w, t):
    return np.sign(w) * np.maximum(np.abs(w) - t, 0)


def proximal_step(w, gradient, learning_rate, l1, l2):
    return soft(w - learning_rate * gradient, learning_rate * l1) / (1 + 2 * learning_rate * l2)


def to_scikit_learn(lam, mix):
    on_l1, on_l2 = lam * (1 - mix) / 2, lam * mix
    return on_l1 + on_l2, on_l1 / (on_l1 + on_l2)


def sparse_model(x, y):
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    z = (x - mean) / deviation
    model = Lasso(alpha=0.15).fit(z, y)  # known to be good for the check's data, so nothing is searched
    largest = np.argsort(-np.abs(model.coef_))[:8]  # and refit those
    again = Ridge(0.5).fit(z[:, largest], y)
    weights = np.zeros(x.shape[1])
    weights[largest] = again.coef_ / deviation[largest]
    return weights, again.intercept_ - mean @ weights


def in_single_precision(function):
    """The same function, computed in float32 from float32."""

    def rounded(*arguments):
        result = function(*(np.float32(one) for one in arguments))
        return tuple(np.float32(one) for one in result) if isinstance(result, tuple) else np.float32(result)

    return rounded


def in_lists(function):
    """The same function, whose results are lists."""

    def listed(*arguments):
        result = function(*arguments)
        return [np.asarray(one).tolist() for one in result]

    return listed


ON_PAPER, CHOICES = [7, 25, 5, 0.36, 1], ["L1", "L2", "elastic net", "none"]


@pytest.mark.parametrize(
    "exercise, answer",
    [
        ("5.1", bias_and_variance),
        ("5.2", ON_PAPER),
        ("5.3", ridge_test_error),
        ("5.3", ridge_by_scikit_learn),
        ("5.4", proximal_step),
        ("5.5", to_scikit_learn),
        ("5.6", CHOICES),
        ("5.6", ["l1", "l2", "elastic_net", "None"]),
        ("5.6", np.array(["Lasso", "ridge", "ElasticNet", "nothing"])),
        ("5.6", [b"L1", "L₂", "(elastic  net)", "None."]),
        ("5.6", ["L1", "L2", "elastic net", None]),
        ("5.1", in_single_precision(bias_and_variance)),
        ("5.1", lambda f, t: np.array([[one] for one in bias_and_variance(f, t)])),
        ("5.2", np.float32([[7], [25], [5], [0.36], [1]])),
        ("5.3", in_single_precision(ridge_test_error)),
        ("5.3", lambda *data: [ridge_test_error(*data)]),
        ("5.4", in_single_precision(proximal_step)),
        ("5.4", in_lists(proximal_step)),
        ("5.4", lambda w, g, r, a, b: regularization.proximal_step(w, g, r, a, b)),
        ("5.5", in_single_precision(to_scikit_learn)),
        ("5.5", lambda lam, mix: np.array(to_scikit_learn(lam, mix))),
    ],
)
def test_right_answers_pass(exercise, answer):
    assert outcomes(exercise, answer) == [None] * TIMES


@pytest.mark.parametrize("dress", [lambda answer: answer, in_lists, in_single_precision])
def test_a_right_open_answer_passes(dress):
    assert attempt("5.7", dress(sparse_model)) is None


def test_an_answer_that_just_misses_the_mark_gets_other_data_sets():
    seen = []

    def better_each_time(x, y):
        seen.append(len(y))
        weights, bias = sparse_model(x, y)
        if len(seen) <= ex05.SETS:  # the first trial: more weights than are allowed, by a few
            more = ex05.MOST_KEPT + 3 - np.count_nonzero(weights)
            weights[np.flatnonzero(weights == 0)[:more]] = 1e-9
        return weights, bias

    assert attempt("5.7", better_each_time) is None
    assert len(seen) == 2 * ex05.SETS


@pytest.mark.parametrize("exercise", ["5.1", "5.3", "5.4", "5.5", "5.7"])
def test_a_function_with_a_gap_is_not_attempted(exercise):
    assert attempt(exercise, lambda *_: None) is attempt(exercise, lambda *_: ...) is NOT_ATTEMPTED


@pytest.mark.parametrize("exercise, size", [("5.2", 5), ("5.6", 4)])
def test_a_gap_is_not_attempted(exercise, size):
    assert attempt(exercise, ...) is attempt(exercise, [...] * size) is NOT_ATTEMPTED


def test_a_tensor_is_an_answer_too():
    keras = pytest.importorskip("keras")
    step = lambda *arguments: keras.ops.convert_to_tensor(proximal_step(*arguments))
    assert outcomes("5.4", step, 3) == [None] * 3


# --- mistakes ---------------------------------------------------------------------------------------------------------
def with_answer(answers, number, answer):
    return [*answers[: number - 1], answer, *answers[number:]]


def ridge_with(scaler=lambda a, b: (a, a), price_on_bias=False, times_n=True):
    """Ridge whose scaling comes from (train, test) = scaler(x_train, x_test)."""

    def function(x_train, y_train, x_test, y_test, l2):
        base, base_new = scaler(x_train, x_test)
        x = (x_train - base.mean(axis=0)) / base.std(axis=0)
        x_new = (x_test - base_new.mean(axis=0)) / base_new.std(axis=0)
        x, x_new = (np.hstack([z, np.ones((len(z), 1))]) for z in (x, x_new))
        price = l2 * np.eye(x.shape[1])
        if not price_on_bias:
            price[-1, -1] = 0
        w = np.linalg.solve(x.T @ x + (len(x) if times_n else 1) * price, x.T @ y_train)
        return np.mean((x_new @ w - y_test) ** 2)

    return function


def scales_in_place(x_train, y_train, x_test, y_test, l2):
    answer = ridge_test_error(x_train, y_train, x_test, y_test, l2)
    x_train -= x_train.mean(axis=0)
    return answer


def subtracts_in_place(fitted, truth):
    answer = bias_and_variance(fitted, truth)
    fitted -= truth
    return answer


def sorts_in_place(fitted, truth):
    fitted.sort(axis=0)
    return bias_and_variance(fitted, truth)


def to_decimals(function, decimals):
    """The same function, whose result is rounded."""

    def rounded(*arguments):
        result = function(*arguments)
        return tuple(np.round(result, decimals)) if isinstance(result, tuple) else np.round(result, decimals)

    return rounded


def divided_by_less(x_train, y_train, x_test, y_test, l2):
    """The deviation as PyTorch and pandas compute it."""
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0, ddof=1)
    x, x_new, b = (x_train - mean) / deviation, (x_test - mean) / deviation, y_train.mean()
    w = np.linalg.solve(x.T @ x / len(x) + l2 * np.eye(x.shape[1]), x.T @ (y_train - b) / len(x))
    return np.mean((x_new @ w + b - y_test) ** 2)


def root_and_others(factor=1.0, power=1.0, strength=1.0):
    return lambda *data: factor * ridge_test_error(*data[:-1], strength * data[-1]) ** power


def of_one_example(fitted, truth):
    return 1.25, 0.5


def dense(x, y):
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    model = Ridge(5).fit((x - mean) / deviation, y)
    return model.coef_ / deviation, model.intercept_ - mean @ (model.coef_ / deviation)


def only_the_mean(x, y):
    return np.zeros(100), y.mean()


def least_squares_on(count, at_random=False):
    """Least squares on the features most correlated with the target, or on the first ones."""

    def model(x, y):
        z = (x - x.mean(axis=0)) / x.std(axis=0)
        order = np.arange(x.shape[1]) if at_random else np.argsort(-np.abs(z.T @ (y - y.mean())))
        some, weights = order[:count], np.zeros(x.shape[1])
        fitted = LinearRegression().fit(x[:, some], y)
        weights[some] = fitted.coef_
        return weights, fitted.intercept_

    return model


def for_scaled_features(x, y):
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    weights, bias = sparse_model((x - mean) / deviation, y)
    return weights, bias


def sign_of_the_old_weight(w, g, rate, l1, l2):
    return np.sign(w) * np.maximum(np.abs(w - rate * g) - rate * l1, 0) / (1 + 2 * rate * l2)


def divides_by_the_size(w, gradient, learning_rate, l1, l2):
    """The sign as u / |u|: not a number where u is 0."""
    moved = w - learning_rate * gradient
    with np.errstate(invalid="ignore"):
        left = moved / np.abs(moved) * np.maximum(np.abs(moved) - learning_rate * l1, 0)
    return left / (1 + 2 * learning_rate * l2)


def steps_in_place(w, g, rate, l1, l2):
    w -= rate * g
    return soft(w, rate * l1) / (1 + 2 * rate * l2)


def wrong_without_l2(w, g, rate, l1, l2):
    return proximal_step(w, g, rate, l1, l2) if l2 else subgradient(w, g, rate, l1, l2)


def wrong_without_l1(w, g, rate, l1, l2):
    return proximal_step(w, g, rate, l1, l2) if l1 else w - rate * (g + 2 * l2 * w)


def cuts_small_weights(w, g, rate, l1, l2):
    new = proximal_step(w, g, rate, l1, l2)
    return np.where(np.abs(new) < 0.02, 0, new)


def only_for_usual_strengths(lam, mix):
    return to_scikit_learn(np.clip(lam, 1.0, 2.0), mix)


def writes_into_the_samples(x, y):
    answer = sparse_model(x, y)
    x /= x.std(axis=0)
    return answer


def subgradient(w, g, rate, l1, l2):
    return w - rate * (g + l1 * np.sign(w) + 2 * l2 * w)


@pytest.mark.parametrize(
    "exercise, mistake, hint",
    [
        ("5.1", lambda f, t: (np.mean((f - t) ** 2), f.var(axis=0).mean()), "whole squared error"),
        ("5.1", lambda f, t: (np.mean(f.mean(axis=0) - t) ** 2, f.var(axis=0).mean()), "square first"),
        ("5.1", lambda f, t: (np.mean(f.mean(axis=0) - t), f.var(axis=0).mean()), "square the bias"),
        ("5.1", lambda f, t: (np.mean((f.mean(axis=0) - t) ** 2), f.var(axis=1).mean()), "wrong axis"),
        ("5.1", lambda f, t: (np.mean((f.mean(axis=0) - t) ** 2), f.var(axis=0, ddof=1).mean()), "one less"),
        ("5.1", lambda f, t: bias_and_variance(f, t)[::-1], "wrong order"),
        ("5.1", lambda f, t: ((f.mean(axis=0) - t) ** 2, f.var(axis=0)), "single numbers"),
        ("5.1", of_one_example, "should be"),
        ("5.1", lambda f, t: (np.mean((f.mean(axis=0) - t) ** 2), f.std(axis=0).mean()), "standard deviation"),
        ("5.1", lambda f, t: (np.mean((f.mean(axis=0) - t) ** 2), f.var()), "all predictions together"),
        ("5.1", subtracts_in_place, "has changed"),
        ("5.1", sorts_in_place, "has changed"),
        ("5.1", lambda f, t: (np.mean((f.mean(axis=0) - t) ** 2), np.mean((f - t) ** 2)), "not from the truth"),
        ("5.1", lambda f, t: (np.mean((f.mean(axis=0) - t) ** 2) ** 0.5, f.var(axis=0).mean()), "that is the root"),
        ("5.1", lambda f, t: (np.mean(np.abs(f.mean(axis=0) - t)), f.var(axis=0).mean()), "square the bias"),
        ("5.1", to_decimals(bias_and_variance, 3), "should be"),
        ("5.2", with_answer(ON_PAPER, 1, -1), "absolute"),
        ("5.2", with_answer(ON_PAPER, 2, 5), "square"),
        ("5.2", with_answer(ON_PAPER, 3, 10), "0.2"),
        ("5.2", with_answer(ON_PAPER, 4, 0.6), "two are asked"),
        ("5.2", with_answer(ON_PAPER, 5, 3), "loss alone"),
        ("5.2", with_answer(ON_PAPER, 5, ...), "still to do"),
        ("5.3", ridge_with(lambda a, b: (b, b)), "from the test set"),
        ("5.3", ridge_with(lambda a, b: (a, b)), "by its own"),
        ("5.3", ridge_with(lambda a, b: (np.vstack([a, b]),) * 2), "together"),
        ("5.3", ridge_with(price_on_bias=True), "on the bias"),
        ("5.3", ridge_with(times_n=False), "XᵀX / n"),
        ("5.3", scales_in_place, "has changed"),
        ("5.3", lambda *_: 1.5, "should be"),
        ("5.3", lambda x, y, x_new, y_new, l2: ridge_test_error(x, y, x, y, l2), "on the training set"),
        ("5.3", lambda x, y, x_new, y_new, l2: ridge_test_error(x, y, x_new, y_new, 0), "without a penalty"),
        ("5.3", lambda x, y, x_new, y_new, l2: np.mean((y_new - y.mean()) ** 2), "mean alone"),
        ("5.3", lambda *data: np.ones(3), "one number"),
        ("5.3", to_decimals(ridge_test_error, 2), "should be"),
        ("5.3", divided_by_less, "not n - 1"),
        ("5.3", root_and_others(power=0.5), "no root"),
        ("5.3", root_and_others(0.5), "has no half"),
        ("5.3", root_and_others(strength=0.5), "counts half"),
        ("5.3", root_and_others(strength=2), "counts twice"),
        ("5.3", lambda *data: len(data[3]) * ridge_test_error(*data), "that is the sum"),
        ("5.4", subgradient, "subgradient"),
        ("5.4", lambda w, g, r, a, b: soft(w - r * g, a) / (1 + 2 * r * b), "learning rate times l1"),
        ("5.4", lambda w, g, r, a, b: soft(w - r * g, r * a), "L2 penalty is missing"),
        ("5.4", lambda w, g, r, a, b: soft(w - r * g, r * a) / (1 + r * b), "a 2 is missing"),
        ("5.4", lambda w, g, r, a, b: soft((w - r * g) / (1 + 2 * r * b), r * a), "threshold first"),
        ("5.4", lambda w, g, r, a, b: soft(w + r * g, r * a) / (1 + 2 * r * b), "minus"),
        ("5.4", lambda w, g, r, a, b: soft(w, r * a) / (1 + 2 * r * b), "gradient step on the loss"),
        ("5.4", lambda w, g, r, a, b: proximal_step(w, g, 0.1, 0.2, 0.3), "should become"),
        ("5.4", sign_of_the_old_weight, "cross zero"),
        (
            "5.4",
            lambda w, g, r, a, b: np.sign(w - r * g) * np.maximum(abs(w) - r * a, 0) / (1 + 2 * r * b),
            "moved weight",
        ),
        ("5.4", lambda w, g, r, a, b: (w - r * g) / (1 + 2 * r * b), "L1 penalty is missing"),
        ("5.4", lambda w, g, r, a, b: soft(w, r * a) / (1 + 2 * r * b) - r * g, "comes first"),
        ("5.4", lambda w, g, r, a, b: proximal_step(w, g, r, a, b) + 1e-9, "exactly zero"),
        ("5.4", lambda w, g, r, a, b: proximal_step(w, g, r, a, b)[:3], "shape"),
        ("5.4", steps_in_place, "has changed"),
        ("5.4", wrong_without_l2, "subgradient"),
        ("5.4", wrong_without_l1, "subgradient"),
        ("5.4", cuts_small_weights, "should become"),
        ("5.4", divides_by_the_size, "yours becomes nan"),
        ("5.4", lambda *given: iter(proximal_step(*given)), "return the new weights as an array"),
        ("5.5", lambda lam, mix: to_scikit_learn(lam, 1 - mix), "wrong way"),
        ("5.5", lambda lam, mix: (lam, mix), "other way"),
        ("5.5", lambda lam, mix: (lam, 1 - mix), "halves the squared error"),
        ("5.5", lambda lam, mix: (lam / 2, 1 - mix), "not halved once more"),
        ("5.5", lambda lam, mix: to_scikit_learn(1.0, 0.5), "should be"),
        ("5.5", lambda lam, mix: (lam * mix, lam * (1 - mix) / 2), "sum of both parts"),
        ("5.5", lambda lam, mix: (lam * (1 - mix) / 2, lam * mix), "sum of both parts"),
        ("5.5", lambda lam, mix: to_scikit_learn(lam, mix)[::-1], "wrong order"),
        ("5.5", lambda lam, mix: 1.0, "two things"),
        ("5.5", only_for_usual_strengths, "should be"),
        ("5.5", to_decimals(to_scikit_learn, 3), "should be"),
        ("5.6", with_answer(CHOICES, 1, "L2"), "few features"),
        ("5.6", with_answer(CHOICES, 2, "L1"), "many correlated"),
        ("5.6", with_answer(CHOICES, 3, "L1"), "groups"),
        ("5.6", with_answer(CHOICES, 4, "L1"), "no variance"),
        ("5.6", with_answer(CHOICES, 4, "dropout"), "choose among"),
        ("5.6", with_answer(CHOICES, 1, None), "few features"),
        ("5.6", with_answer(CHOICES, 4, ...), "still to do"),
    ],
)
def test_each_mistake_gets_its_own_hint(exercise, mistake, hint):
    for outcome in outcomes(exercise, mistake):
        assert isinstance(outcome, str) and hint in outcome, outcome


@pytest.mark.parametrize(
    "mistake, hint",
    [
        (dense, "exactly zero"),
        (only_the_mean, "times that of LassoCV"),
        (for_scaled_features, "raw features"),
        (lambda x, y: (sparse_model(x, y)[0], 0.0), "the bias is off"),
        (lambda x, y: (sparse_model(x, y)[0] * np.nan, 0.0), "finite"),
        (writes_into_the_samples, "has changed"),
        (lambda x, y: (np.zeros(99), 0.0), "weights (100,)"),
        (lambda x, y: np.zeros(100), "two things"),
        (least_squares_on(30), "30 weights are not zero"),
        (least_squares_on(20), "times that of LassoCV"),
        (least_squares_on(20, at_random=True), "times that of LassoCV"),
    ],
)
def test_each_mistake_in_the_open_exercise_gets_its_own_hint(mistake, hint):
    for outcome in outcomes("5.7", mistake, 1):  # on six data sets
        assert isinstance(outcome, str) and hint in outcome, outcome


def test_a_rounded_answer_never_looks_as_if_it_were_right():
    for exercise, function in [("5.1", bias_and_variance), ("5.3", ridge_test_error)]:
        said = attempt(exercise, lambda *given, function=function: to_decimals(function, 2)(*given))
        right, yours = said.split("should be ")[1].split(", yours is ")
        assert float(right) != float(yours)


@pytest.mark.parametrize("change", [np.mean, lambda off: np.abs(np.mean(off)), lambda off: np.mean(off) ** 2])
def test_plus_and_minus_cancel_where_the_hint_says_so(change):
    seen = []

    def function(fitted, truth):
        off = fitted.mean(axis=0) - truth
        seen.append(off)
        return change(off), fitted.var(axis=0).mean()

    said = outcomes("5.1", function, 40)
    assert all("cancel" in (one or "") for one in said)
    assert all(off.min() < 0 < off.max() for off in seen)


def test_a_mean_of_absolute_values_is_not_said_to_cancel():
    said = outcomes("5.1", lambda f, t: (np.abs(f.mean(axis=0) - t).mean(), f.var(axis=0).mean()), 40)
    assert all("you took its absolute value" in (one or "") for one in said)


def ridge_around(center, divisor=len):
    """Ridge on standardized features, whose bias is center(y_train, y_test)."""

    def function(x_train, y_train, x_test, y_test, l2):
        mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
        x, x_new, b = (x_train - mean) / deviation, (x_test - mean) / deviation, center(y_train, y_test)
        w = np.linalg.solve(x.T @ x / divisor(x) + l2 * np.eye(x.shape[1]), x.T @ (y_train - b) / divisor(x))
        return np.mean((x_new @ w + b - y_test) ** 2)

    return function


@pytest.mark.parametrize(
    "wrong, hint",
    [
        (ridge_around(lambda y, y_new: 0.0), "the bias is missing"),
        (ridge_around(lambda y, y_new: y_new.mean()), "the mean of the test targets"),
        (ridge_around(lambda y, y_new: y.mean(), divisor=lambda x: len(x) - 1), "divides by n, not by n - 1"),
    ],
)
def test_a_ridge_with_another_bias_or_mean_hears_of_it(wrong, hint):
    said = outcomes("5.3", wrong, 40)
    assert all(hint in (one or "") for one in said), said


def test_ridge_around_the_right_center_passes():
    assert outcomes("5.3", ridge_around(lambda y, y_new: y.mean()), 20) == [None] * 20


def test_too_many_weights_are_told_a_way():
    assert "cut the smallest, and fit the rest again" in attempt("5.7", least_squares_on(24))
    assert "are they small instead of exactly zero" in attempt("5.7", dense)


def on_each_set(monkeypatch, ratios):
    """Let the error be these multiples of LassoCV's, one for each data set; how many sets were asked for."""
    asked = []

    def on_one_set(sparse_model, rng):
        asked.append(next(ratios))
        return (8, 0.2 * asked[-1], 0.2 * asked[-1], 0.2), None

    monkeypatch.setattr(ex05, "_on_one_set", on_one_set)
    return asked


def test_means_are_taken_over_all_data_sets_so_that_a_lucky_trial_does_not_decide(monkeypatch):
    lucky = iter([1.24] * ex05.SETS + [1.0] * ex05.SETS + [1.24] * 2 * ex05.SETS)
    asked = on_each_set(monkeypatch, lucky)
    assert "times that of LassoCV" in attempt("5.7", sparse_model)
    assert len(asked) == ex05.TRIALS * ex05.SETS


def test_an_answer_within_the_standard_error_of_the_limit_passes_in_the_end(monkeypatch):
    asked = on_each_set(monkeypatch, iter([1.12] * 100))
    assert attempt("5.7", sparse_model) is None and len(asked) == ex05.TRIALS * ex05.SETS


@pytest.mark.parametrize("ratio, sets", [(1.05, 1), (1.3, 1), (1.2, ex05.TRIALS)])
def test_clear_cases_need_one_trial(monkeypatch, ratio, sets):
    asked = on_each_set(monkeypatch, iter([ratio] * 100))
    assert (attempt("5.7", sparse_model) is None) == (ratio < ex05.MARGIN)
    assert len(asked) == sets * ex05.SETS
