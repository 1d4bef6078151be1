"""Payments by card with a few rare frauds among them, and what each costs; made by this module. Born in notebook 15.

    x, is_fraud, amounts, days, kinds = transactions(rng)

No real payment is in it. Honest payments follow a few habits: groceries, restaurants, online shops, fuel, travel. A
habit ties the features together: fuel is bought by day and not far from home, a trip costs much and is far away. And
what is paid is near to what people usually pay in that shop. There are three kinds of fraud, in equal numbers:

- far: a large amount, far from home
- burst: one of many small payments in a short time
- odd: an ordinary amount in an ordinary shop, but the two don't belong together: 180 dollars where others pay 15
"""

import numpy as np

FEATURES = (
    "log dollars", "log dollars usual in this shop", "hours from noon", "log miles from home",
    "log minutes since the last", "payments that day", "online",
)  # fmt: skip
KINDS = ("honest", "far", "burst", "odd")

# for each habit its share, then mean and standard deviation of: log dollars usual in the shop, hours from noon, log
# miles from home, log minutes since the last payment, payments that day; and whether it is online
_HABITS = (
    (0.38, (3.2, 4.0, 0.7, 6.2, 2.5), (0.6, 3.0, 0.6, 0.8, 1.0), 0),  # groceries
    (0.20, (3.6, 7.5, 1.5, 6.0, 3.0), (0.5, 1.5, 0.7, 0.8, 1.0), 0),  # restaurants
    (0.25, (3.9, 8.5, 0.0, 6.6, 2.0), (0.8, 2.5, 0.3, 0.9, 1.0), 1),  # online shops, paid for at home
    (0.12, (4.0, 1.0, 2.3, 6.4, 2.2), (0.3, 3.5, 0.8, 0.8, 1.0), 0),  # fuel
    (0.05, (5.3, 3.0, 5.8, 5.6, 4.5), (0.6, 4.0, 0.8, 0.9, 1.3), 0),  # travel
)


def transactions(rng, days=30, a_day=1000, frauds_a_day=6):
    """Payments of several days: x (n, 7), is_fraud (n,), amounts (n,) in dollars, days (n,) from 0, kinds (n,).

    kinds: places in KINDS. n = days · a_day. Raises ValueError where frauds would not be rare.
    """
    if not 0 < frauds_a_day < a_day / 20:
        raise ValueError(f"{frauds_a_day} frauds among {a_day} payments a day; give more than 0 and fewer than 5 %")
    n = days * a_day
    kinds = np.zeros((days, a_day), dtype=int)
    kinds[:, :frauds_a_day] = 1 + np.arange(frauds_a_day) % 3
    kinds = rng.permuted(kinds, axis=1).ravel()
    x = _honest(n, rng)
    far, burst, odd = (np.flatnonzero(kinds == kind) for kind in (1, 2, 3))
    x[far, 0] = rng.normal(6.0, 0.5, len(far))
    x[far, 1] = x[far, 0] - rng.normal(0.3, 0.3, len(far))
    x[far, 3] = rng.normal(7.0, 0.8, len(far))
    x[burst, 0] = rng.normal(2.6, 0.4, len(burst))
    x[burst, 1] = x[burst, 0] - rng.normal(0, 0.3, len(burst))
    x[burst, 4] = rng.normal(1.5, 0.7, len(burst))
    x[burst, 5] = rng.normal(9, 2, len(burst))
    x[odd, 1] = rng.normal(2.7, 0.3, len(odd))
    x[odd, 0] = rng.normal(5.2, 0.4, len(odd))
    x[:, 5] = np.maximum(np.round(x[:, 5]), 0)
    return x, kinds > 0, np.exp(x[:, 0]), np.repeat(np.arange(days), a_day), kinds


def _honest(n, rng):
    habit = rng.choice(len(_HABITS), size=n, p=[one[0] for one in _HABITS])
    means, spreads = (np.array([one[i] for one in _HABITS])[habit] for i in (1, 2))
    usual, hours, miles, minutes, payments = (means + spreads * rng.normal(size=means.shape)).T
    paid = usual + rng.normal(0, 0.3, size=n)
    hours = (hours + 12) % 24 - 12  # the clock goes round
    online = np.array([one[3] for one in _HABITS])[habit]
    return np.column_stack([paid, usual, hours, np.abs(miles), minutes, payments, online])
