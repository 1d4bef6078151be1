"""Principal components from the singular value decomposition. Born in notebook 15."""

from dataclasses import dataclass

import numpy as np

from coursekit.unsupervised.points import points


@dataclass(frozen=True)
class PrincipalComponents:
    """Directions in order of the variance along them.

    mean: (d,); directions: (m, d), one row each, of length 1; variances: (m,), along each of them; total: all variance.
    """

    mean: np.ndarray
    directions: np.ndarray
    variances: np.ndarray
    total: float

    @property
    def shares(self):
        """The explained variance of each direction as a share of all variance: (m,)."""
        return self.variances / self.total

    def project(self, x):
        """Coordinates along the directions: (n, m)."""
        return (points(x) - self.mean) @ self.directions.T

    def reconstruct(self, x):
        """The points as their coordinates give them back: (n, d)."""
        return self.project(x) @ self.directions + self.mean

    def whiten(self, x):
        """Coordinates divided by their standard deviations: variance 1 along each, and no correlation. (n, m)."""
        if self.variances[-1] <= 1e-12 * self.total:
            raise ValueError("a direction has no variance to divide by; keep fewer directions")
        return self.project(x) / np.sqrt(self.variances)

    def errors(self, x):
        """The squared distance of each point from its reconstruction: (n,)."""
        return ((points(x) - self.reconstruct(x)) ** 2).sum(axis=1)


def principal_components(x, m=None):
    """The first `m` principal components of points (n, d); all of them by default.

    Raises ValueError for bad points, fewer than two, more components than min(n, d), or points that are all the same.
    """
    x = points(x)
    most = min(x.shape)
    m = most if m is None else m
    if not isinstance(m, (int, np.integer)) or isinstance(m, bool) or not 1 <= m <= most or len(x) < 2:
        raise ValueError(f"m is {m!r}; {len(x)} points of {x.shape[1]} features have 1 to {most} components")
    mean = x.mean(axis=0)
    _, lengths, directions = np.linalg.svd(x - mean, full_matrices=False)
    variances = lengths**2 / (len(x) - 1)
    if not variances.sum() > 0:
        raise ValueError("all points are the same; there is no direction with variance")
    return PrincipalComponents(mean, directions[:m], variances[:m], float(variances.sum()))
