"""Points that can be worked with: one clear sentence for each kind of input that can't. Born in notebook 15."""

import numpy as np

from coursekit.arrays import as_array


def points(x, k=None, what="k"):
    """`x` as a float64 array (n, d); with `k`, the number of clusters or components is looked at, too.

    Raises ValueError for another shape, no point at all, values that are NaN or infinite, and a k that is no whole
    number from 1 to n.
    """
    x = as_array(x)
    if x.ndim != 2 or x.size == 0:
        raise ValueError(f"x has shape {x.shape}; give points (n, d), one row each, one at least")
    x = x.astype(float)
    bad = np.flatnonzero(~np.isfinite(x).all(axis=1))
    if len(bad):
        rows = f"{len(bad)} rows hold" if len(bad) > 1 else "a row holds"
        raise ValueError(f"{rows} NaN or infinity (row {bad[0]} is the first); fill in or drop such rows first")
    if k is not None:
        if not isinstance(k, (int, np.integer)) or isinstance(k, bool) or k < 1:
            raise ValueError(f"{what} is {k!r}; give a whole number from 1 on")
        if k > len(x):
            raise ValueError(f"{what} is {k}, and there are {len(x)} points; give at most as many as there are points")
    return x


def standardized(x):
    """Every feature brought to mean 0 and standard deviation 1: (n, d).

    Raises ValueError where a feature is constant: it has no spread to divide by, and tells no two points apart.
    """
    x = points(x)
    spread = x.std(axis=0)
    constant = np.flatnonzero(spread <= 1e-12 * np.maximum(1.0, np.abs(x).max(axis=0)))
    if len(constant):
        raise ValueError(f"feature {constant[0]} is constant and has no spread to divide by; leave it out")
    return (x - x.mean(axis=0)) / spread
