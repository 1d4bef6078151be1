"""The optimizers: against their equations written out another way, against Keras, and against notebook 03."""

import inspect
import textwrap

import nbformat
import numpy as np
import pytest
from helpers import ROOT

from coursekit.training import optimizers
from coursekit.training.optimizers import Adam, AdamKeras, GradientDescent, Momentum, RMSprop, descend, steps_below

CURVATURE = np.array([1.0, 30.0, 100.0])
START = np.array([-4.0, 2.0, 1.0])
ALL = [GradientDescent, Momentum, RMSprop, Adam, AdamKeras]


def bowl(theta):
    """The gradient of a bowl with the curvatures above."""
    return CURVATURE * theta


# --- the equations, as sums over all gradients so far -----------------------------------------------------------------
def gradients_along(path):
    return np.array([bowl(theta) for theta in path[:-1]])


def running_mean(values, beta):
    """At each step t the sum of (1 − beta) beta^(t − i) times value i: a running mean that starts at 0, written out."""
    steps = len(values)
    weights = np.tril((1 - beta) * beta ** (np.arange(steps)[:, None] - np.arange(steps)).clip(0).astype(float))
    return weights @ values


def test_momentum_adds_up_all_gradients_with_falling_weights():
    path = descend(Momentum(0.005, beta=0.8), bowl, START, 50)
    expected = 0.005 * running_mean(gradients_along(path), 0.8) / (1 - 0.8)
    np.testing.assert_allclose(-np.diff(path, axis=0), expected, atol=1e-12)


def test_rmsprop_divides_by_the_root_of_the_running_mean_square():
    path = descend(RMSprop(0.05, rho=0.7, epsilon=1e-3), bowl, START, 50)
    gradients = gradients_along(path)
    expected = 0.05 * gradients / np.sqrt(running_mean(gradients**2, 0.7) + 1e-3)
    np.testing.assert_allclose(-np.diff(path, axis=0), expected, atol=1e-12)


def test_adam_is_a_quotient_of_weighted_means():
    """With bias correction the weights add up to 1, so that a weighted average does it."""
    path = descend(Adam(0.05, beta_1=0.8, beta_2=0.95, epsilon=1e-3), bowl, START, 30)
    gradients = gradients_along(path)
    for t in range(1, 31):
        age = np.arange(t)[::-1]
        m = np.average(gradients[:t], axis=0, weights=0.8**age)
        v = np.average(gradients[:t] ** 2, axis=0, weights=0.95**age)
        np.testing.assert_allclose(path[t - 1] - path[t], 0.05 * m / (np.sqrt(v) + 1e-3), atol=1e-12)


def test_without_epsilon_both_adams_are_the_same():
    paths = [descend(kind(0.1, epsilon=0.0), bowl, START, 100) for kind in (Adam, AdamKeras)]
    np.testing.assert_allclose(*paths, atol=1e-9)


def test_the_first_step_on_a_tiny_gradient_shows_where_epsilon_stands():
    tiny = lambda theta: np.full(1, 1e-6)
    step_of = lambda kind: -descend(kind(0.1), tiny, [0.0], 1)[-1, 0]
    assert step_of(Adam) == pytest.approx(0.1 * 1e-6 / (1e-6 + 1e-7)) == pytest.approx(0.0909, abs=1e-4)
    root = np.sqrt(0.001)  # sqrt(1 − beta_2)
    assert (
        step_of(AdamKeras) == pytest.approx(0.1 * root * 1e-6 / (root * 1e-6 + 1e-7)) == pytest.approx(0.0240, abs=1e-4)
    )


# --- Keras ------------------------------------------------------------------------------------------------------------
def keras_path(optimizer, gradient, steps=100):
    import keras

    theta = keras.Variable(START.astype("float32"))
    path = [keras.ops.convert_to_numpy(theta).copy()]
    for _ in range(steps):
        optimizer.apply([keras.ops.convert_to_tensor(gradient(path[-1]).astype("float32"))], [theta])
        path.append(keras.ops.convert_to_numpy(theta).copy())
    return np.array(path)


@pytest.mark.parametrize("size", [1.0, 1e-6], ids=["usual gradients", "tiny gradients"])
@pytest.mark.parametrize(
    "ours, name, settings",
    [
        (GradientDescent(0.01), "SGD", {"learning_rate": 0.01}),
        (Momentum(0.01, 0.9), "SGD", {"learning_rate": 0.01, "momentum": 0.9}),
        (RMSprop(0.1, 0.9, 1e-7), "RMSprop", {"learning_rate": 0.1, "rho": 0.9, "epsilon": 1e-7}),
        (AdamKeras(0.1), "Adam", {"learning_rate": 0.1, "epsilon": 1e-7}),
    ],
    ids=["descent", "momentum", "rmsprop", "adam"],
)
def test_the_paths_are_those_of_keras(ours, name, settings, size):
    keras = pytest.importorskip("keras")
    ours = type(ours)(
        **{key: value for key, value in vars(ours).items() if key in inspect.signature(type(ours)).parameters}
    )
    gradient = lambda theta: size * bowl(theta)
    theirs = keras_path(getattr(keras.optimizers, name)(**settings), gradient)
    np.testing.assert_allclose(descend(ours, gradient, START, 100), theirs, atol=1e-4)


def test_algorithm_1_is_keras_only_where_gradients_are_not_tiny():
    keras = pytest.importorskip("keras")
    for size, agree in ((1.0, True), (1e-6, False)):
        gradient = lambda theta, size=size: size * bowl(theta)
        theirs = keras_path(keras.optimizers.Adam(0.1, epsilon=1e-7), gradient)
        gap = np.abs(descend(Adam(0.1), gradient, START, 100) - theirs).max()
        assert gap < 1e-4 if agree else gap > 0.01


# --- what holds for all -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ALL)
def test_descent_goes_down_and_keeps_its_start(kind):
    path = descend(kind(0.01), bowl, START, 400)
    loss = (CURVATURE * path**2).sum(axis=1) / 2
    assert path.shape == (401, 3) and np.array_equal(path[0], START) and loss[-1] < loss[0] / 10


@pytest.mark.parametrize("kind", ALL)
def test_a_rate_of_zero_stays_where_it_is(kind):
    assert (descend(kind(0.0), bowl, START, 5) == START).all()


def test_numbers_and_tables_are_parameters_too():
    assert descend(Momentum(0.1), lambda theta: theta, 2.0, 3).shape == (4,)
    assert descend(Adam(0.1), lambda theta: theta, np.ones((2, 3)), 3).shape == (4, 2, 3)


@pytest.mark.filterwarnings("error")
def test_a_diverging_path_ends_in_nan_without_a_warning():
    assert not np.isfinite(descend(Momentum(1.0), bowl, START, 500)[-1]).all()


def test_a_gradient_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"shape \(3, 1\) and theta \(3,\)"):
        descend(GradientDescent(0.1), lambda theta: theta[:, None], START)


@pytest.mark.parametrize(
    "losses, steps",
    [([5, 2, 0.5, 0.1], 2), ([0.1, 0.2], 0), ([5, 0.5, 3, 0.5], 3), ([5, 0.5, np.nan], 3), ([5, 0.1, np.inf], 3)],
    ids=["arrives", "is there at the start", "comes back up", "NaN", "diverges"],
)
def test_steps_below_counts_until_no_later_loss_is_above(losses, steps):
    assert steps_below(losses, 1) == steps


# --- notebook 03, where they were born --------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def born():
    """The classes as notebook 03 defines them."""
    notebook = nbformat.read(ROOT / "notebooks" / "03_gradient_descent.ipynb", 4)
    names = {"np": np}
    for cell in notebook.cells:
        for kind in ALL if cell.cell_type == "code" else []:
            if f"class {kind.__name__}:" in cell.source or f"class {kind.__name__}(Adam):" in cell.source:
                exec(cell.source.split("\n\n\n")[0], names)
    return names


@pytest.mark.parametrize("kind", ALL)
def test_the_notebooks_class_walks_exactly_the_same_path(kind, born):
    theirs = descend(born[kind.__name__](0.01), bowl, START, 200)
    assert np.array_equal(theirs, descend(kind(0.01), bowl, START, 200))


def test_each_optimizer_is_about_ten_lines():
    for kind in ALL:
        lines = textwrap.dedent(inspect.getsource(kind)).split('"""')
        code = [line for part in lines[::2] for line in part.splitlines() if line.strip()]
        assert len(code) <= 16, kind.__name__


def test_every_public_part_says_what_it_is():
    assert "notebook 03" in optimizers.__doc__
    assert all(part.__doc__ for part in [*ALL, *(kind.step for kind in ALL), descend, steps_below])
