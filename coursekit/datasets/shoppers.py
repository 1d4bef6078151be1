"""A shop's customers, each of one of four kinds that a real shop would not know; made here. Born in notebook 15.

x, kinds = shoppers(rng)  # days since the last order, orders a year, dollars an order
"""

import numpy as np

FEATURES = ("days since last order", "orders a year", "dollars an order")
KINDS = ("regular", "big spender", "bargain hunter", "lost")
_MEDIANS = np.array([[14, 24, 35], [45, 6, 260], [40, 9, 12], [400, 1.6, 45]])  # of each kind
_FACTORS = np.array([[1.7, 1.4, 1.5], [1.7, 1.5, 1.5], [1.7, 1.5, 1.5], [1.4, 1.5, 1.7]])  # one standard deviation
_SHARES = (0.30, 0.10, 0.35, 0.25)


def shoppers(rng, n=800):
    """x (n, 3), the features above, each log-normal in every kind, and kinds (n,), from 0 to 3."""
    kinds = rng.choice(4, size=n, p=_SHARES)
    return np.exp(np.log(_MEDIANS[kinds]) + np.log(_FACTORS[kinds]) * rng.normal(size=(n, 3))), kinds
