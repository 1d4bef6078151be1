"""The parts born in notebook 05: they reach the minimum that scikit-learn reaches, and refuse bad input."""

import numpy as np
import pytest
from sklearn.linear_model import ElasticNet, Lasso, Ridge

from coursekit.training import regularization

EXACT = {"tol": 1e-12, "max_iter": 100_000}


@pytest.fixture(params=range(3))
def data(request):
    """x (60, 8) with correlated columns of different scale and a mean that is not zero, y (60,)."""
    rng = np.random.default_rng(request.param)
    x = 3 + rng.normal(size=(60, 8)) @ (np.eye(8) + 0.4 * rng.normal(size=(8, 8)))
    return x, x[:, :3] @ [2.0, -1, 1] + 5 + rng.normal(size=60)


def test_ridge_and_scikit_learn_agree(data):
    x, y = data
    theirs = Ridge(alpha=len(x) * 0.3).fit(x, y)
    weights, bias = regularization.ridge(x, y, 0.3)
    assert np.allclose(weights, theirs.coef_, atol=1e-8) and np.isclose(bias, theirs.intercept_)


def test_lasso_and_scikit_learn_agree_on_weights_and_zeros(data):
    x, y = data
    l1 = 0.3 * regularization.smallest_that_zeroes(x, y)
    theirs = Lasso(alpha=l1 / 2, **EXACT).fit(x, y)
    weights, bias = regularization.elastic_net(x, y, l1)
    assert np.allclose(weights, theirs.coef_, atol=1e-4) and np.isclose(bias, theirs.intercept_, atol=1e-3)
    assert np.array_equal(weights == 0, theirs.coef_ == 0) and (weights == 0).any()


def test_elastic_net_and_scikit_learn_agree(data):
    x, y = data
    l1, l2 = 0.5, 0.2
    theirs = ElasticNet(alpha=l1 / 2 + l2, l1_ratio=l1 / 2 / (l1 / 2 + l2), **EXACT).fit(x, y)
    weights, bias = regularization.elastic_net(x, y, l1, l2)
    assert np.allclose(weights, theirs.coef_, atol=1e-4) and np.isclose(bias, theirs.intercept_, atol=1e-3)


def test_no_neighbor_of_the_solution_has_a_lower_objective(data):
    x, y = data
    l1, l2 = 0.5, 0.1
    weights, bias = regularization.elastic_net(x, y, l1, l2)

    def objective(w, b):
        return np.mean((y - x @ w - b) ** 2) + regularization.penalty(w, l1, l2)

    rng = np.random.default_rng(0)
    for _ in range(200):
        assert objective(weights, bias) <= objective(weights + 0.01 * rng.normal(size=8), bias + 0.01 * rng.normal())


def test_the_least_strength_that_zeroes_all_is_the_least(data):
    x, y = data
    top = regularization.smallest_that_zeroes(x, y)
    assert (regularization.elastic_net(x, y, 1.001 * top)[0] == 0).all()
    assert (regularization.elastic_net(x, y, 0.98 * top)[0] != 0).any()


def test_the_corrected_solution_is_the_naive_one_times_one_plus_l2_with_its_own_bias(data):
    x, y = data
    naive, _ = regularization.elastic_net(x, y, 0.4, 0.5)
    weights, bias = regularization.corrected_elastic_net(x, y, 0.4, 0.5)
    assert np.allclose(weights, 1.5 * naive)
    assert np.isclose(np.mean(x @ weights + bias), y.mean())


def test_for_one_standardized_feature_the_correction_gives_the_lasso():
    x = np.array([[-1.0], [1.0]] * 5)
    y = 1.7 * x[:, 0]
    corrected, lasso = regularization.corrected_elastic_net(x, y, 1.0, 2.0)[0], regularization.elastic_net(x, y, 1.0)[0]
    assert np.allclose(corrected, lasso) and np.allclose(lasso, 1.2)


def test_a_path_holds_the_single_solutions(data):
    x, y = data
    strengths = [2.0, 0.5, 0.1]
    for mix in (0.0, 0.4, 1.0):
        path = regularization.weight_path(x, y, strengths, mix)
        alone = [regularization.elastic_net(x, y, lam * (1 - mix), lam * mix)[0] for lam in strengths]
        assert path.shape == (3, 8) and np.allclose(path, alone, atol=1e-5)


def test_soft_threshold_and_proximal_step_minimize_what_they_say():
    rng = np.random.default_rng(1)
    grid = np.linspace(-4, 4, 80_001)
    for _ in range(20):
        w, gradient, rate, l1, l2 = rng.normal(), rng.normal(), *rng.uniform(0.1, 1, 3)
        objective = rate * (l1 * np.abs(grid) + l2 * grid**2) + 0.5 * (grid - (w - rate * gradient)) ** 2
        step = regularization.proximal_step(np.array([w]), np.array([gradient]), rate, l1, l2)
        assert abs(step[0] - grid[objective.argmin()]) < 2e-4
    assert regularization.soft_threshold([-3.0, 0.5, 2.0], 1).tolist() == [-2.0, 0.0, 1.0]


def test_penalty_is_that_of_keras():
    keras = pytest.importorskip("keras")
    kernel = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    theirs = float(keras.ops.convert_to_numpy(keras.regularizers.L1L2(0.3, 0.7)(kernel)))
    assert np.isclose(regularization.penalty(kernel, 0.3, 0.7), theirs, rtol=1e-5)


def test_folds_validate_each_sample_once_and_never_train_on_it():
    folds = regularization.k_folds(23, 5, np.random.default_rng(0))
    assert sorted(np.concatenate([validation for _, validation in folds])) == list(range(23))
    for train, validation in folds:
        assert sorted([*train, *validation]) == list(range(23)) and len(validation) in (4, 5)


@pytest.mark.parametrize("k", [1, 0, 9])
def test_impossible_folds_are_refused(k):
    with pytest.raises(ValueError, match=f"{k} folds of 8 samples"):
        regularization.k_folds(8, k, np.random.default_rng(0))


def test_bad_input_is_refused_with_what_to_do():
    x, y = np.ones((5, 2)), np.ones(5)
    with pytest.raises(ValueError, match=r"give x as \(n, p\) and y as \(n,\)"):
        regularization.elastic_net(x, y[:, None], 1.0)
    with pytest.raises(ValueError, match="0 or more"):
        regularization.elastic_net(x, y, -1.0)
    with pytest.raises(ValueError, match="0 or more"):
        regularization.ridge(x, y, float("nan"))
    with pytest.raises(ValueError, match="mix is 2"):
        regularization.weight_path(x, y, [1.0], mix=2)


# --- the callback -----------------------------------------------------------------------------------------------------
def trained(optimizer, l1, epochs=3):
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 6)).astype("float32")
    y = (x[:, 0] - x[:, 1]).astype("float32")
    layer = keras.layers.Dense(1, use_bias=False)
    model = keras.Sequential([keras.Input((6,)), layer])
    model.compile(optimizer, "mse")
    many = np.tile(x, (100, 1)), np.tile(y, 100)
    callback = regularization.soft_threshold_callback(l1)
    model.fit(*many, batch_size=64, shuffle=False, epochs=epochs, verbose=0, callbacks=[callback])
    return x, y, keras.ops.convert_to_numpy(layer.kernel)[:, 0]


def test_sgd_with_the_callback_finds_the_lasso():
    keras = pytest.importorskip("keras")
    x, y, weights = trained(keras.optimizers.SGD(0.1), 0.4)
    theirs = Lasso(alpha=0.2, fit_intercept=False, **EXACT).fit(x.astype(float), y.astype(float)).coef_
    assert np.allclose(weights, theirs, atol=1e-4)
    assert np.array_equal(weights == 0, theirs == 0) and (weights == 0).sum() >= 2


@pytest.mark.parametrize("name, settings", [("Adam", {}), ("SGD", {"momentum": 0.9})])
def test_the_callback_refuses_optimizers_whose_step_is_another(name, settings):
    keras = pytest.importorskip("keras")
    with pytest.raises(TypeError, match="SGD without momentum"):
        trained(getattr(keras.optimizers, name)(0.1, **settings), 0.4, epochs=1)
