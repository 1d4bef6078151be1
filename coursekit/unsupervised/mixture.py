"""Gaussian mixtures by expectation and maximization. Born in notebook 15.

A. P. Dempster, N. M. Laird and D. B. Rubin (1977), "Maximum likelihood from incomplete data via the EM algorithm".
"""

import numpy as np

from coursekit.unsupervised.points import points


def log_gaussian(x, mean, covariance):
    """The logarithm of a Gaussian's density at points (n, d): (n,)."""
    root = np.linalg.cholesky(covariance)
    z = np.linalg.solve(root, (x - mean).T)  # (d, n)
    return -0.5 * (z**2).sum(axis=0) - np.log(np.diag(root)).sum() - 0.5 * x.shape[1] * np.log(2 * np.pi)


def expectation(x, shares, means, covariances):
    """Responsibilities (n, k) of k Gaussians for n points, and the mean log-likelihood of a point."""
    log_p = np.stack([np.log(s) + log_gaussian(x, m, c) for s, m, c in zip(shares, means, covariances, strict=True)], 1)
    top = log_p.max(axis=1, keepdims=True)
    log_sum = top + np.log(np.exp(log_p - top).sum(axis=1, keepdims=True))  # (n, 1)
    return np.exp(log_p - log_sum), float(log_sum.mean())


def maximization(x, responsibilities, ridge=1e-6):
    """Shares (k,), means (k, d) and covariances (k, d, d) that fit best, each point counted with its responsibility."""
    counts = responsibilities.sum(axis=0) + 10 * np.finfo(float).eps  # (k,)
    means = responsibilities.T @ x / counts[:, None]
    covariances = np.stack(
        [
            (r[:, None] * (x - m)).T @ (x - m) / c + ridge * np.eye(x.shape[1])
            for r, m, c in zip(responsibilities.T, means, counts, strict=True)
        ]
    )
    return counts / len(x), means, covariances


def gaussian_mixture(x, responsibilities, steps=200, tolerance=1e-6):
    """EM from given responsibilities (n, k): labels (n,), (shares, means, covariances), mean log-likelihoods.

    It stops where a step adds less than `tolerance` to the mean log-likelihood of a point. Each covariance has
    1e-6 added on its diagonal, as in scikit-learn, so that a cluster can't shrink to a point.
    Raises ValueError for bad points, a constant feature, responsibilities of another length, or more Gaussians than
    points.
    """
    responsibilities = points(responsibilities)
    x = points(x, responsibilities.shape[1], "the number of Gaussians")
    if len(responsibilities) != len(x):
        raise ValueError(f"{len(x)} points and {len(responsibilities)} rows of responsibilities; give as many")
    constant = np.flatnonzero(np.ptp(x, axis=0) == 0)
    if len(constant):
        raise ValueError(f"feature {constant[0]} is constant: no Gaussian fits it; leave it out")
    likelihoods = []
    for _ in range(steps):
        parameters = maximization(x, responsibilities)
        responsibilities, likelihood = expectation(x, *parameters)
        likelihoods.append(likelihood)
        if len(likelihoods) > 1 and likelihood - likelihoods[-2] < tolerance:
            break
    return responsibilities.argmax(axis=1), parameters, likelihoods
