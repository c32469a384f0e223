"""Kernel density estimates written out: all pairs, all in double precision."""

from functools import cache
from itertools import pairwise

import numpy as np
from scipy.integrate import quad
from scipy.spatial.distance import cdist
from scipy.special import gammaln, logsumexp

KERNELS = ("gaussian", "student", "exponential", "tophat", "epanechnikov", "linear", "cosine")
COMPACT = ("tophat", "epanechnikov", "linear", "cosine")


def log_profile(kernel, u, d, df=3.0):
    """Logarithm of the profile at distances u in units of the bandwidth."""
    u = np.asarray(u, dtype=np.float64)
    inside = u < 1
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "gaussian": lambda: -(u**2) / 2,
            "student": lambda: -(df + d) / 2 * np.log(1 + u**2 / df),
            "exponential": lambda: -u,
            "tophat": lambda: np.where(inside, 0.0, -np.inf),
            "epanechnikov": lambda: np.log(np.where(inside, 1 - u**2, 0.0)),
            "linear": lambda: np.log(np.where(inside, 1 - u, 0.0)),
            "cosine": lambda: np.log(np.where(inside, np.cos(np.pi * u / 2), 0.0)),
        }[kernel]()


@cache
def log_integral(kernel, d, df=3.0):
    """Logarithm of the integral of the profile over all of space, by quadrature."""
    end = 1.0 if kernel in COMPACT else np.inf

    def log_shell(u):
        return log_profile(kernel, u, d, df) + (d - 1) * np.log(u)

    grid = np.geomspace(1e-4, 1 if kernel in COMPACT else 1e4, 20001)[:-1]
    values = log_shell(grid)
    top, peak = grid[values.argmax()], values.max()
    bounds = (0, top, end) if end == 1 else (0, top, 2 * top, end)
    total = sum(
        quad(lambda u: np.exp(log_shell(u) - peak), low, high, limit=400, epsabs=0, epsrel=1e-11)[0]
        for low, high in pairwise(bounds)
    )
    surface = np.log(2) + d / 2 * np.log(np.pi) - gammaln(d / 2)
    return surface + peak + np.log(total)


def log_terms(queries, X, h, kernel="gaussian", weight=None, df=3.0):
    """Logarithms of weights times profiles."""
    squares = cdist(queries / h, X / h, "sqeuclidean")
    weight = np.ones(len(X)) if weight is None else weight
    with np.errstate(divide="ignore"):
        return log_profile(kernel, np.sqrt(squares), X.shape[1], df) + np.log(weight)


def log_density(queries, X, h, kernel="gaussian", weight=None, df=3.0):
    """Log-density of queries; `h` is a number or one per feature."""
    d = X.shape[1]
    total = len(X) if weight is None else np.sum(weight)
    norm = np.log(total) + np.sum(np.log(h) * np.ones(d)) + log_integral(kernel, d, df)
    return logsumexp(log_terms(queries, X, h, kernel, weight, df), axis=1) - norm


def left_out_likelihood(X, h, kernel="gaussian", weight=None, df=3.0):
    """Mean log-density of the points, each without itself and its duplicates."""
    weight = np.ones(len(X)) if weight is None else weight
    values = []
    for i in range(len(X)):
        others = np.any(X[i] != X, axis=1)
        values.append(log_density(X[i : i + 1], X[others], h, kernel, weight[others], df)[0])
    return np.average(values, weights=weight)
