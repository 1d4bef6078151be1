"""The checks of notebook 12: right answers pass in any dress, gaps are not attempted, mistakes get their hints."""

import numpy as np
import pytest

from coursekit.exercises import NOT_ATTEMPTED, attempt
from coursekit.exercises.answers import CHANGED

TIMES = 25


def outcomes(exercise, answer, times=TIMES):
    return [attempt(exercise, answer) for _ in range(times)]


# --- right answers ----------------------------------------------------------------------------------------------------
def spoil(images, share, rng):
    return np.where(rng.random(images.shape) < share, 0, images)


def spoil_in_lists(images, share, rng):
    keep = rng.binomial(1, 1 - share, size=images.shape)
    return (images * keep).astype("float32").tolist()


def threshold(errors, share):
    return np.sort(errors)[len(errors) - 1 - int(np.floor(share * len(errors)))]


def threshold_by_counting(errors, share):
    return [min(one for one in errors if sum(errors > one) <= share * len(errors))]


def kl(mean, log_variance):
    return 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(axis=1).mean()


def kl_with_keras(mean, log_variance):
    from keras import ops

    mean, log_variance = ops.cast(mean, "float32"), ops.cast(log_variance, "float32")
    return ops.mean(-0.5 * ops.sum(1 + log_variance - ops.square(mean) - ops.exp(log_variance), axis=-1))


def draw(mean, log_variance, epsilon):
    return mean + np.exp(log_variance / 2) * epsilon


def draw_with_root(mean, log_variance, epsilon):
    return (np.float32(mean) + np.float32(np.sqrt(np.exp(log_variance))) * np.float32(epsilon)).tolist()


@pytest.mark.parametrize(
    "exercise, answer",
    [
        ("12.1", [784 / 16, 2 * 784 * 16, 0]),
        ("12.1", np.array([49.0, 25088.0, 0.0], dtype="float32")),
        ("12.1", [np.array([49]), np.array([25088]), np.array([0.0])]),
        ("12.2", spoil),
        ("12.2", spoil_in_lists),
        ("12.3", threshold),
        ("12.3", threshold_by_counting),
        ("12.4", kl),
        ("12.4", kl_with_keras),
        ("12.5", ["C", "A", "D", "B"]),
        ("12.5", "c a d b"),
        ("12.6", draw),
        ("12.6", draw_with_root),
    ],
)
def test_right_answers_pass(exercise, answer):
    assert set(outcomes(exercise, answer)) == {None}


# --- gaps -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("exercise", ["12.2", "12.3", "12.4", "12.6"])
def test_the_functions_as_handed_out_are_not_attempted(exercise):
    def gap(*arguments):
        """What is asked for."""
        ...  # your code

    assert attempt(exercise, gap) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "exercise, gap", [("12.1", [..., ..., ...]), ("12.5", [..., ..., ..., ...]), ("12.7", ...), ("12.5", None)]
)
def test_values_as_handed_out_are_not_attempted(exercise, gap):
    assert attempt(exercise, gap) is NOT_ATTEMPTED


# --- mistakes ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "answer, said",
    [
        ([16, 25088, 0], "how many times does it go into 784"),
        ([1 / 49, 25088, 0], "other way round"),
        ([49, 12544, 0], "one of two layers"),
        ([49, 25888, 0], "with biases"),
        ([49, 25104, 0], "with the biases of the code"),
        ([49, 25872, 0], "with the biases of the last layer"),
        ([49, 25090, 0], "the parameters: not yet"),
        ([0.0204, 25088, 0], "other way round"),
        ([49, 25088, 1e-4], "the error: not yet"),
        ([49, 614656, 0], "16 numbers, not 784"),
        ([49, 25088, 1], "the difference is 0"),
        ([49, 25088], "three numbers"),
        ([49, ..., 0], "the parameters is still to do"),
    ],
)
def test_wrong_sizes_get_their_own_hint(answer, said):
    assert said in attempt("12.1", answer)


def one_mask_for_all(images, share, rng):
    return images * (rng.random(images.shape[1:]) >= share)


def exactly_as_many(images, share, rng):
    out = images.copy().reshape(len(images), -1)
    n = round(share * out.shape[1])
    for one in out:
        one[rng.permutation(len(one))[:n]] = 0
    return out.reshape(images.shape)


def exactly_as_many_in_all(images, share, rng):
    out = images.copy().ravel()
    out[rng.permutation(out.size)[: round(share * out.size)]] = 0
    return out.reshape(images.shape)


def in_place(images, share, rng):
    images[rng.random(images.shape) < share] = 0
    return images


def spoils(function):
    def answer(*arguments):
        result = function(*arguments)
        arguments[-1 if isinstance(arguments[-1], np.ndarray) else 0][0] += 1
        return result

    return answer


def sorted_in_place(errors, share):
    errors.sort()
    return threshold(errors, share)


@pytest.mark.parametrize(
    "exercise, answer", [("12.3", sorted_in_place), ("12.4", spoils(kl)), ("12.6", spoils(draw)), ("12.2", in_place)]
)
def test_who_writes_into_what_was_given_is_told_so(exercise, answer):
    assert all(outcome == CHANGED for outcome in outcomes(exercise, answer))


@pytest.mark.parametrize(
    "answer, said",
    [
        (lambda x, share, rng: np.where(rng.random(x.shape) < share, x, 0), "compare the other way round"),
        (lambda x, share, rng: np.where(rng.random(x.shape) < share, 0, 1), "should stay as it is"),
        (one_mask_for_all, "same pixels; draw for each image"),
        (lambda x, share, rng: x * (rng.random((*x.shape[:2], 1)) >= share), "whole rows or columns"),
        (exactly_as_many, "exactly as many"),
        (exactly_as_many_in_all, "every draw takes exactly as many pixels"),
        (lambda x, share, rng: spoil(x, share, np.random.default_rng()), "equal generators spoil other pixels"),
        (lambda x, share, rng: spoil(x, share, np.random.RandomState(0)), "two generators spoil the same"),
        (lambda x, share, rng: spoil(x, share / 2, rng), "of the pixels are 0"),
        (lambda x, share, rng: spoil(x, share, rng)[0], "of the shape that was given"),
        (lambda x, share, rng: x + share * rng.normal(size=x.shape), "should stay as it is"),
    ],
)
def test_wrong_ways_to_spoil_get_their_own_hint(answer, said):
    assert all(said in str(outcome) for outcome in outcomes("12.2", answer))


@pytest.mark.parametrize(
    "answer, said",
    [
        (lambda e, share: np.sort(e)[int(share * len(e))], "count from the large end"),
        (lambda e, share: np.quantile(e, 1 - share) + 1e-3, "none of them"),
        (lambda e, share: np.max(e), "is smaller and does as well"),
        (lambda e, share: np.sort(e)[max(len(e) - 2 - int(share * len(e)), 0)], "too many"),
        (lambda e, share: np.sort(e)[::-1], "return one number"),
        (lambda e, share: np.mean(e), "none of them"),
    ],
)
def test_wrong_thresholds_get_their_own_hint(answer, said):
    said_each = {str(outcome) for outcome in outcomes("12.3", answer)}
    assert "None" not in said_each and any(said in one for one in said_each)


@pytest.mark.parametrize(
    "answer, said",
    [
        (lambda m, v: 0.5 * (m**2 + np.exp(v) - 1 - v).mean(), "averaged over the numbers of the code"),
        (lambda m, v: 0.5 * (m**2 + np.exp(v) - 1 - v).sum(), "summed over the examples, too"),
        (lambda m, v: -kl(m, v), "sign is turned round"),
        (lambda m, v: 2 * kl(m, v), "factor ½ is missing"),
        (lambda m, v: kl(m, 2 * v), "no square, and no factor 2"),
        (lambda m, v: 0.5 * (m + np.exp(v) - 1 - v).sum(axis=1).mean(), "μ squared"),
        (lambda m, v: 0.5 * (m**2 + np.exp(v) - 1 + v).sum(axis=1).mean(), "is subtracted"),
        (lambda m, v: 0.5 * (m**2 + np.exp(v) - v).sum(axis=1).mean(), "the 1 is missing"),
        (lambda m, v: 0.5 * (m**2 + np.exp(v / 2) - 1 - v).sum(axis=1).mean(), "is σ; the formula has σ²"),
        (lambda m, v: (m**2 + np.exp(v) - 1 - v).sum(axis=1) / 2, "one number for the whole batch"),
        (lambda m, v: kl(m, v) + 0.1, "it should be"),
    ],
)
def test_wrong_divergences_get_their_own_hint(answer, said):
    assert all(said in str(outcome) for outcome in outcomes("12.4", answer))


@pytest.mark.parametrize(
    "answer, said",
    [
        ("BADC", "set 1: nearly all"),
        ("CBDA", "set 2: as near"),
        ("CABD", "set 3: none of its images"),
        ("CADA", "set 4: two thirds"),
        ("CAD", "give four letters"),
    ],
)
def test_wrong_sets_get_their_own_hint(answer, said):
    assert said in attempt("12.5", answer)


@pytest.mark.parametrize(
    "answer, said",
    [
        (lambda m, v, e: m + np.exp(v) * e, "is σ²; the draw needs σ"),
        (lambda m, v, e: m + v * e, "multiplies by ln σ²"),
        (lambda m, v, e: np.exp(v / 2) * e, "the mean is missing"),
        (lambda m, v, e: m + np.exp(v / 4) * e, "root is taken twice"),
        (lambda m, v, e: m + e, "no standard deviation"),
        (lambda m, v, e: m + np.exp(v / 2), "nothing is drawn"),
        (lambda m, v, e: m - np.exp(v / 2) * e, "yours is"),
        (lambda m, v, e: draw(m, v, e).ravel(), "should have the shape"),
    ],
)
def test_wrong_draws_get_their_own_hint(answer, said):
    assert all(said in str(outcome) for outcome in outcomes("12.6", answer))


# --- the open exercise ------------------------------------------------------------------------------------------------
class Model:
    """What the check asks of a model: it counts its parameters, and it maps images to images."""

    def __init__(self, function, parameters=9_000):
        self.function, self.parameters = function, parameters

    def count_params(self):
        return self.parameters

    def __call__(self, noisy):
        return self.function(noisy)


class Oracle(Model):
    """A denoiser that knows the clean digits: the nearest of them."""

    def __init__(self, parameters=9_000, blur=0.0):
        from coursekit import load

        clean = load("mnist5k").x_test.reshape(1000, -1).astype("float32") / 255

        def nearest(noisy):
            flat = noisy.reshape(len(noisy), -1)
            squared = (clean**2).sum(axis=1) - 2 * flat @ clean.T
            return (clean[squared.argmin(axis=1)] * (1 - blur)).reshape(noisy.shape)

        super().__init__(nearest, parameters)


def test_a_good_denoiser_passes():
    assert attempt("12.7", Oracle()) is None


def test_a_good_denoiser_passes_with_its_output_in_a_list():
    oracle = Oracle()
    assert attempt("12.7", Model(lambda noisy: [oracle(noisy)])) is None


def keras_model(shape, outputs=1):
    import keras

    image = keras.Input(shape)
    given = [keras.layers.Activation("linear")(image) for _ in range(outputs)]
    return keras.Model(image, given if outputs > 1 else given[0])


def barely(error):
    """What misses an error of 0.005 by little: it is off by this much everywhere."""
    oracle = Oracle()
    return Model(lambda noisy: oracle(noisy) + np.float32(error) ** 0.5)


@pytest.mark.parametrize(
    "model, said",
    [
        (lambda: Oracle(parameters=11_889), "11,889 parameters, and 10,000 are allowed"),
        (lambda: Model(lambda noisy: noisy), "leaving the image as it is gives less|at a noise of"),
        (lambda: Model(np.zeros_like), "at a noise of 0.1"),
        (lambda: Model(lambda noisy: noisy * np.nan), "at a noise of 0.1"),
        (lambda: Model(lambda noisy: noisy[..., 0]), "images of the same shape"),
        (lambda: Model(lambda noisy: "high"), "not something that is no array"),
        (lambda: barely(0.00501), "its error is 0.00501"),
        (lambda: Oracle, "that is the class Oracle"),
        (lambda: type(keras_model((28, 28, 1))), "that is the class Functional"),
        (lambda: keras_model((784,)), "should take images of the shape (28, 28, 1); yours takes (784,)"),
        (lambda: keras_model((28, 28)), "yours takes (28, 28)"),
        (lambda: keras_model((28, 28, 1), outputs=2), "one output, the image without its noise; yours has 2"),
        (lambda: Model(lambda noisy: (noisy, noisy)), "yours has 2"),
        (lambda: Model(lambda noisy: {"image": noisy, "code": noisy}), "yours has 2"),
        (lambda: keras_model((None, None, 1)), "at a noise of 0.1"),
        (lambda: np.zeros((3, 3)), "the trained Keras model itself"),
    ],
)
def test_what_is_no_good_denoiser_is_told_why(model, said):
    assert any(one in attempt("12.7", model()) for one in said.split("|"))
