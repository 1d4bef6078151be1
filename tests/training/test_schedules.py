"""Schedules: the numbers of Keras and PyTorch, the shapes that their names promise, and what is refused."""

import numpy as np
import pytest

from coursekit.training import schedules


def test_they_give_the_rates_of_keras():
    from keras.optimizers.schedules import CosineDecay, ExponentialDecay, PiecewiseConstantDecay

    theirs = {
        "step_decay": PiecewiseConstantDecay([19, 39], [0.5, 0.05, 0.005]),
        "exponential": ExponentialDecay(0.5, decay_steps=60, decay_rate=0.01),
        "cosine": CosineDecay(0.5, decay_steps=60),
    }
    for name, schedule in theirs.items():
        expected = [float(schedule(step)) for step in range(60)]
        assert np.allclose(getattr(schedules, name)(60, 0.5), expected, rtol=1e-5), name


def test_one_cycle_gives_the_rates_of_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here; `make env TORCH=1` brings it")
    for steps in (10, 57, 300):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.7, total_steps=steps)
        expected = []
        for _ in range(steps):
            expected.append(theirs.get_last_lr()[0])
            optimizer.step()
            if len(expected) < steps:
                theirs.step()
        assert np.allclose(schedules.one_cycle(steps, 0.7), expected, rtol=1e-6)


def test_a_warm_up_grows_evenly_to_the_peak_and_then_falls_as_a_shorter_cosine():
    rates = schedules.cosine(50, 0.2, warmup=10)
    assert np.allclose(rates[:10], 0.2 * np.arange(1, 11) / 10)
    assert np.allclose(rates[10:], schedules.cosine(40, 0.2))


@pytest.mark.parametrize("name", ["constant", "step_decay", "exponential", "cosine", "one_cycle"])
def test_each_has_one_rate_a_step_and_never_exceeds_its_peak(name):
    rates = getattr(schedules, name)(31, 0.3)
    assert rates.shape == (31,) and rates.min() > 0 and np.isclose(rates.max(), 0.3, rtol=0.03)
    with pytest.raises(ValueError, match="0 steps has no rate"):
        getattr(schedules, name)(0, 0.3)


@pytest.mark.parametrize("warmup", [20, 30, -1])
def test_a_warm_up_that_does_not_fit_is_refused(warmup):
    with pytest.raises(ValueError, match=f"a warm-up of {warmup} steps doesn't fit into a schedule of 20"):
        schedules.cosine(20, 0.1, warmup=warmup)


def test_one_cycle_needs_steps_to_rise():
    with pytest.raises(ValueError, match="3 steps are too few to rise in 30% of them"):
        schedules.one_cycle(3, 0.1)


def test_the_excess_falls_while_rates_are_small_and_says_inf_where_they_are_too_large():
    rates = np.full(200, 0.01)
    start, end = (schedules.excess_after(rates[:steps], np.random.default_rng(1)) for steps in (0, 200))
    assert np.allclose(start, 1) and end.shape == (20,) and end.mean() < 0.05
    assert np.isinf(schedules.excess_after(np.full(2000, 3.0), np.random.default_rng(1))).all()
