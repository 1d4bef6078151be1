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


def test_the_minimum_of_a_loss_with_a_penalty_has_no_lower_neighbor():
    rng = np.random.default_rng(0)
    curvature, center = np.array([[1.0, 0.4], [0.4, 1.0]]), np.array([1.6, 0.7])
    for l1, l2 in [(2.0, 0.0), (0.0, 1.0), (0.5, 0.5)]:
        found = regularization.minimum(curvature, center, l1, l2)

        def objective(w, l1=l1, l2=l2):
            return (w - center) @ curvature @ (w - center) + regularization.penalty(w, l1, l2)

        assert all(objective(found) <= objective(found + 0.01 * rng.normal(size=2)) for _ in range(100))
    assert np.allclose(regularization.minimum(curvature, center), center)


# --- choosing on validation data --------------------------------------------------------------------------------------
@pytest.mark.parametrize("mix, model", [(0.0, "lasso"), (0.5, "net"), (1.0, "ridge"), (None, "none")])
def test_the_best_weights_are_for_raw_features_and_have_the_error_that_is_said(data, mix, model):
    x, y = data
    fitted, held_out = slice(0, 40), slice(40, 60)
    x = x * np.logspace(-2, 2, 8)
    weights, bias, error = regularization.best_on_validation(x[fitted], y[fitted], x[held_out], y[held_out], mix)
    assert np.isclose(error, np.mean((x[held_out] @ weights + bias - y[held_out]) ** 2))
    assert error < np.var(y[held_out]) / 2
    rescaled = regularization.best_on_validation(3 * x[fitted] + 1, y[fitted], 3 * x[held_out] + 1, y[held_out], mix)
    assert np.allclose(3 * rescaled[0], weights, rtol=1e-3, atol=1e-6), model


def test_without_a_penalty_the_best_is_least_squares(data):
    x, y = data
    weights, bias, _ = regularization.best_on_validation(x, y, x, y, None)
    theirs = Ridge(alpha=0).fit(x, y)
    assert np.allclose(weights, theirs.coef_) and np.isclose(bias, theirs.intercept_)


def test_the_held_out_rows_choose_and_nothing_else(data):
    x, y = data
    rows = slice(0, 40)
    one = regularization.best_on_validation(x[rows], y[rows], x[40:], y[40:], 0.5)
    other = regularization.best_on_validation(x[rows], y[rows], x[40:] * 1.0, y[40:], 0.5, strengths=1)
    assert (other[0] == 0).all() and np.isclose(other[1], y[rows].mean())  # the strongest penalty leaves the mean
    assert one[2] <= other[2]


def test_the_correction_multiplies_by_one_plus_l2(data):
    x, y = data
    for strengths in (1, 3):
        plain = regularization.best_on_validation(x, y, x, y, 1.0, strengths=strengths)
        corrected = regularization.best_on_validation(x, y, x, y, 1.0, corrected=True, strengths=strengths)
        assert plain[0].shape == corrected[0].shape == (8,) and corrected[2] != plain[2]


# --- made data --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["dense, few", "dense, correlated, many", "sparse, many", "sparse, correlated, few"])
def test_the_words_say_what_the_data_are(kind):
    training, _, test = regularization.data_of_kind(kind, np.random.default_rng(0), sizes=(60, 60, 5000))
    x, y = test
    assert training[0].shape == (60, 40) and y.shape == (5000,)
    assert np.isclose((x != 0).mean(), 0.1 if "sparse" in kind else 1.0, atol=0.01)
    within = np.corrcoef(x[:, :5].T)[0, 1]
    assert (within > 0.8) == ("correlated" in kind)
    assert np.isclose(y.std(), 1)
    w = np.linalg.lstsq(x, y, rcond=None)[0]
    assert np.count_nonzero(np.abs(w) > 1e-6) == (3 if "few" in kind else 40)


def test_unknown_words_are_refused():
    with pytest.raises(ValueError, match="use the words dense or sparse"):
        regularization.data_of_kind("thick, few", np.random.default_rng(0))
    with pytest.raises(ValueError, match="examples 1 to 4"):
        regularization.zou_hastie_example(5, 10, np.random.default_rng(0))


@pytest.mark.parametrize("number, p, noise", [(1, 8, 3), (2, 8, 3), (3, 40, 15), (4, 40, 15)])
def test_the_examples_of_zou_and_hastie_have_their_noise(number, p, noise):
    x, y, truth = regularization.zou_hastie_example(number, 4000, np.random.default_rng(0))
    assert x.shape == (4000, p) and np.isclose(np.std(y - truth), noise, rtol=0.05)
    neighbors = np.corrcoef(x[:, :2].T)[0, 1]
    assert np.isclose(neighbors, {1: 0.5, 2: 0.5, 3: 0.5, 4: 1 / 1.01}[number], atol=0.05)


def test_a_share_of_the_labels_to_train_and_validate_is_replaced_and_none_to_test():
    images, labels = np.arange(1000)[:, None], np.arange(1000) % 10
    sizes = 500, 200, 300
    x, y, x_val, y_val, x_new, y_new = regularization.noisy_sample(images, labels, 0.5, np.random.default_rng(0), sizes)
    assert len(x) == 500 and len(x_val) == 200 and (y_new == x_new[:, 0] % 10).all()
    assert len(np.unique(np.concatenate([x, x_val, x_new]))) == 1000
    wrong = [np.mean(y != x[:, 0] % 10), np.mean(y_val != x_val[:, 0] % 10)]
    assert np.allclose(wrong, 0.45, atol=0.08)  # one in ten of those replaced is right by chance
    assert (labels == np.arange(1000) % 10).all()


def test_images_are_shifted_by_at_most_a_pixel():
    images = np.zeros((200, 28, 28))
    images[:, 14, 14] = 1
    moved = regularization.shifted(images.reshape(200, 784), np.random.default_rng(0)).reshape(200, 28, 28)
    places = np.argwhere(moved)[:, 1:] - 14
    assert len(places) == 200 and set(map(tuple, places)) == {(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)}


def test_a_restarted_network_has_new_weights_and_an_optimizer_without_a_past():
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "relu"), keras.layers.Dense(2)])
    model.compile(keras.optimizers.Adam(0.05), "mse")
    x, y = np.ones((8, 4), dtype="float32"), np.ones((8, 2), dtype="float32")
    model.train_on_batch(x, y)
    before = model.get_weights()
    regularization.restart(model, np.random.default_rng(0))
    after = model.get_weights()
    assert not np.allclose(before[0], after[0]) and (after[1] == 0).all()
    assert np.abs(after[0]).max() <= (6 / 7) ** 0.5
    state = [v for v in model.optimizer.variables if "learning_rate" not in v.path]
    assert all((keras.ops.convert_to_numpy(v) == 0).all() for v in state)
    assert np.isclose(float(model.optimizer.learning_rate), 0.05)


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
