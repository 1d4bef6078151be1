"""Plans of a pipeline, networks side by side, races, and times fitted to what they were made from."""

import numpy as np
import pytest

from coursekit.training import scaling
from coursekit.training.scaling import StepTimes


def total(plan):
    return max(end for *_, end in plan)


@pytest.mark.parametrize("load, train, n", [(3, 5, 4), (10, 5, 4), (2, 2, 7), (6, 4, 1)])
def test_a_plan_takes_what_the_formula_says(load, train, n):
    assert total(scaling.schedule(load, train, n, ahead=False)) == n * (load + train)
    assert total(scaling.schedule(load, train, n)) == load + train + (n - 1) * max(load, train)


def test_two_loaders_take_turns_and_no_batch_is_trained_on_before_it_is_loaded():
    plan = scaling.schedule(6, 4, 10, workers=2)
    assert total(plan) == 46
    ends = {batch: end for lane, batch, _, end in plan if lane != "train"}
    assert all(start >= ends[batch] for lane, batch, start, _ in plan if lane == "train")
    assert [lane for lane, *_ in plan if lane != "train"] == ["load 1", "load 2"] * 5


def test_loading_that_ran_during_training_is_counted_by_batches():
    plan = [("read", 0, 0, 1), ("train", 0, 1, 3), ("read", 1, 2, 2.5), ("decode", 1, 2.5, 3.5), ("read", 2, 4, 5)]
    assert scaling.loaded_meanwhile(plan) == 1
    assert scaling.loaded_meanwhile(scaling.schedule(3, 5, 4, ahead=False)) == 0
    assert scaling.loaded_meanwhile(scaling.schedule(3, 5, 4)) == 3


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 6)).astype("float32")
    return x, (x[:, 0] > 0).astype(int) + (x[:, 1] > 0)


def test_the_mean_of_each_example_s_gradient_is_the_step_that_is_taken(data):
    networks = scaling.Networks(*data, count=2, rng=np.random.default_rng(1), hidden=5)
    gradients = networks.gradient_of_each()
    assert gradients.shape == (200, 6 * 5 + 5 + 5 * 3 + 3)
    before = np.concatenate([one[0].ravel() for one in networks.weights])
    networks.step(np.arange(200), [0.1, 0.0])
    after = np.concatenate([one[0].ravel() for one in networks.weights])
    assert np.allclose(before - after, 0.1 * gradients.mean(axis=0), atol=1e-6)
    assert np.array_equal(np.concatenate([one[1].ravel() for one in networks.weights]), before)


def test_a_gradient_is_the_slope_of_the_loss(data):
    networks = scaling.Networks(*data, count=1, rng=np.random.default_rng(2), hidden=4)
    networks.weights = [one.astype(float) for one in networks.weights]
    gradient, h = networks.gradient_of_each().mean(axis=0), 1e-5
    place = networks.weights[0].size + networks.weights[1].size + 3  # in the last kernel
    networks.weights[2].reshape(-1)[3] += h
    up = networks.losses()[0]
    networks.weights[2].reshape(-1)[3] -= 2 * h
    assert np.isclose((up - networks.losses()[0]) / (2 * h), gradient[place], rtol=1e-3, atol=1e-6)


def test_a_race_gives_the_steps_of_each_rate_and_infinity_where_it_never_arrives(data):
    reached = scaling.steps_to(0.5, *data, 32, [0.5, 1e-6], seed=0, most=400)
    assert np.isfinite(reached[0]) and np.isinf(reached[1])


def test_a_rate_of_zero_leaves_the_loss_and_a_huge_one_ends_at_infinity(data):
    start = scaling.Networks(*data, 1, np.random.default_rng(3)).losses()[0]
    with np.errstate(all="ignore"):
        still, huge = scaling.after_epochs(1, *data, 20, [0.0, 1e30], seed=3)
    assert np.isclose(still, start) and np.isinf(huge)
    warm, cold = (scaling.after_epochs(2, *data, 20, [0.1], seed=3, warmup=w)[0] for w in (2, 0))
    assert cold < warm < start  # the warm-up goes less far


def test_the_fit_of_batches_finds_what_the_steps_were_made_from():
    sizes = np.array([4, 8, 16, 64, 256])
    assert np.allclose(scaling.fit_batches(sizes, 50 * (1 + 30 / sizes)), (50, 30))


def test_the_fit_of_times_finds_what_they_were_made_from_and_nothing_below_zero():
    truth = StepTimes(0.002, 1e-4, 0.003)
    examples, workers = np.array([32, 64, 128, 32, 64, 128]), np.array([1, 1, 1, 2, 2, 2])
    seconds = np.array([truth.seconds(*pair) for pair in zip(examples, workers, strict=True)])
    found = scaling.fit_times(examples, workers, seconds)
    assert np.allclose([found.fixed, found.each, found.exchange], [0.002, 1e-4, 0.003])
    quick = scaling.fit_times(examples, workers, np.where(workers == 2, 0.9, 1) * seconds)
    assert min(quick.fixed, quick.each, quick.exchange) >= 0
    noisy = seconds[:, None] * np.random.default_rng(0).normal(1, 0.05, size=(6, 8))
    fits = scaling.refits(examples, workers, noisy, np.random.default_rng(1), draws=20)
    assert len(fits) == 20 and len({fit.each for fit in fits}) > 1
    with pytest.raises(ValueError, match="three or more"):
        scaling.fit_times([1, 2], [1, 1], [1.0, 2.0])


def test_speed_up_and_efficiency_follow_from_the_times():
    times = StepTimes(2.0, 0.08, 0.0)  # Amdahl: a fifth of ten seconds can't be divided, for 100 examples
    assert np.isclose(times.speedup(100, 8), 10 / 3)
    assert np.isclose(StepTimes(0, 1, 10).efficiency(10, 2), 0.5)
    assert scaling.ring_share(1) == 0 and np.isclose(scaling.ring_share(4), 1.5)


def test_xla_counts_two_operations_for_a_multiply_add():
    pytest.importorskip("jax")
    products = [64 * 100 * 50, 64 * 50 * 10]
    ours = 2 * (3 * sum(products) - products[0])
    assert ours <= scaling.flops_by_xla((100, 50, 10), 64) < 1.1 * ours
