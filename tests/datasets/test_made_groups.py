"""Data that chapter 15 makes: their truth is what they say, and a seed makes them again."""

import numpy as np
import pytest

from coursekit.datasets import groups, ratings, shoppers, transactions


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_groups_have_the_sizes_and_spreads_they_say(rng):
    x, y = groups.round_groups(rng, [[0, 0, 0], [50, 0, 0]], [400, 100], [1, 5])
    assert x.shape == (500, 3) and np.bincount(y).tolist() == [400, 100]
    assert 0.9 < x[y == 0].std() < 1.1 and 4.4 < x[y == 1].std(axis=0).mean() < 5.6
    for make, count in ((groups.stretched, 3), (groups.crescents, 2), (groups.large_and_small, 3)):
        x, y = make(rng)
        assert x.shape == (len(y), 2) and len(np.unique(y)) == count


def test_payments_are_as_many_a_day_and_frauds_are_rare(rng):
    x, is_fraud, amounts, days, kinds = transactions.transactions(rng, days=6, a_day=300, frauds_a_day=3)
    assert x.shape == (1800, len(transactions.FEATURES)) and np.isfinite(x).all()
    assert np.bincount(days).tolist() == [300] * 6 and np.bincount(days[is_fraud]).tolist() == [3] * 6
    assert np.array_equal(kinds > 0, is_fraud) and np.bincount(kinds).tolist() == [1782, 6, 6, 6]
    assert np.allclose(np.log(amounts), x[:, 0])
    with pytest.raises(ValueError, match="fewer than 5 %"):
        transactions.transactions(rng, frauds_a_day=100)


def test_an_odd_payment_is_ordinary_in_each_feature_and_not_in_the_two_together(rng):
    x, _, _, _, kinds = transactions.transactions(rng)
    odd, honest = x[kinds == 3], x[kinds == 0]
    low, high = np.quantile(honest, [0.001, 0.999], axis=0)
    assert ((odd[:, :2] >= low[:2]) & (odd[:, :2] <= high[:2])).all()
    assert (odd[:, 0] - odd[:, 1]).min() > np.quantile(honest[:, 0] - honest[:, 1], 0.999)


def test_shoppers_are_of_four_kinds(rng):
    x, kinds = shoppers.shoppers(rng, 2000)
    assert x.shape == (2000, 3) and (x > 0).all() and set(kinds) == {0, 1, 2, 3}
    assert np.median(x[kinds == 1, 2]) > 5 * np.median(x[kinds == 2, 2])


def test_ratings_are_the_truth_and_noise_and_no_film_is_rated_twice(rng):
    seen, hidden, truth = ratings.ratings(rng, people=60, films=50, each=20)
    every = np.concatenate([seen, hidden])
    assert len(seen) == 900 and len(hidden) == 300 and truth.shape == (60, 50)
    assert len({(person, film) for person, film, _ in every.tolist()}) == 1200
    error = every[:, 2] - truth[every[:, 0].astype(int), every[:, 1].astype(int)]
    assert abs(error.mean()) < 0.1 and abs(error.std() - ratings.NOISE) < 0.05
    with pytest.raises(ValueError, match="give 4 to 25"):
        ratings.ratings(rng, films=50, each=40)


@pytest.mark.parametrize("make", [groups.stretched, transactions.transactions, shoppers.shoppers, ratings.ratings])
def test_a_seed_makes_the_same_again(make):
    one, other = (make(np.random.default_rng(9)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
