"""Radial profiles of the kernels: their logarithm, their integral, and draws from them.

A kernel in d dimensions is ``K(v) = k(|v|) / c_d`` with a profile k of the distance in units of
the bandwidth, k(0) = 1, and ``c_d`` its integral.
"""

import math

import numpy as np
from scipy.special import betaln, gammaln, roots_legendre

# The number of each kernel is what compiled code knows it by.
KERNELS = (
    "gaussian",
    "student",
    "exponential",
    "tophat",
    "epanechnikov",
    "linear",
    "cosine",
)
COMPACT = ("tophat", "epanechnikov", "linear", "cosine")

# Degrees of freedom from which on the logarithm of "student" is Gaussian to the last digit, while
# they are still in the range of single precision.
_MANY = 1e30
# Nodes of the quadrature of the cosine's integral.
_NODES = 200


def log_profile(xp, squares, kernel, df):
    """Logarithm of the profile.

    Parameters
    ----------
    xp : module
        Array namespace.
    squares : array
        Squared distances in units of the bandwidth.
    kernel : str
        One of `KERNELS`.
    df : tuple of float
        Degrees of freedom of "student", and dimension.

    Returns
    -------
    values : array
        Logarithms, minus infinity where the profile is 0.
    """
    if kernel == "gaussian":
        return -0.5 * squares
    if kernel == "student":
        freedom, dimension = min(df[0], _MANY), df[1]
        return -0.5 * (freedom + dimension) * xp.log1p(squares / freedom)
    if kernel == "exponential":
        return -xp.sqrt(squares)
    inside = squares < 1
    nothing = xp.full_like(squares, -math.inf)
    safe = xp.where(inside, squares, xp.zeros_like(squares))
    if kernel == "tophat":
        return xp.where(inside, xp.zeros_like(squares), nothing)
    if kernel == "epanechnikov":
        return xp.where(inside, xp.log1p(-safe), nothing)
    if kernel == "linear":
        return xp.where(inside, xp.log1p(-xp.sqrt(safe)), nothing)
    return xp.where(inside, xp.log(xp.cos(0.5 * math.pi * xp.sqrt(safe))), nothing)


def log_ball_volume(d):
    """Logarithm of the volume of the unit ball in d dimensions."""
    return 0.5 * d * math.log(math.pi) - gammaln(0.5 * d + 1)


def log_integral(kernel, d, df=None):
    """Logarithm of the integral of a profile over d dimensions.

    Parameters
    ----------
    kernel : str
        One of `KERNELS`.
    d : int
        Dimension.
    df : float or None, default=None
        Degrees of freedom of "student".

    Returns
    -------
    log_c : float
        Its logarithm: some integrals underflow from 450 dimensions on.
    """
    if kernel == "gaussian":
        return 0.5 * d * math.log(2 * math.pi)
    if kernel == "student":
        # The difference of two logarithms of Gamma would cancel for many degrees of freedom.
        log_unit = math.log(df) + math.log(math.pi)
        return float(0.5 * d * log_unit + betaln(0.5 * df, 0.5 * d) - gammaln(0.5 * d))
    ball = log_ball_volume(d)
    if kernel == "exponential":
        return ball + gammaln(d + 1)
    if kernel == "tophat":
        return ball
    if kernel == "epanechnikov":
        return ball + math.log(2 / (d + 2))
    if kernel == "linear":
        return ball - math.log(d + 1)
    # d V_d times the integral of u^(d-1) cos(pi u / 2), whose mass lies near u = 1 in many
    # dimensions: there the nodes lie close together.
    nodes, weights = roots_legendre(_NODES)
    u = 0.5 * (nodes + 1)
    terms = (d - 1) * np.log(u) + np.log(np.cos(0.5 * np.pi * u)) + np.log(0.5 * weights)
    peak = terms.max()
    return ball + math.log(d) + peak + math.log(np.exp(terms - peak).sum())


def width(kernel, d):
    """About the standard deviation of a coordinate of a kernel; 1 for "student"."""
    if kernel == "exponential":
        return math.sqrt(d + 1)
    # That of "epanechnikov" is right, the others are near it.
    return 1 / math.sqrt(d + 4) if kernel in COMPACT else 1.0


def draw_radii(kernel, d, n, rng):
    """Distances of draws from a kernel other than "gaussian" and "student", bandwidth 1."""
    if kernel == "exponential":
        return rng.gamma(d, size=n)
    if kernel == "tophat":
        return rng.uniform(size=n) ** (1 / d)
    if kernel == "epanechnikov":
        return np.sqrt(rng.beta(0.5 * d, 2, size=n))
    if kernel == "linear":
        return rng.beta(d, 2, size=n)
    # The cosine lies below pi / 2 times the line from 1 to 0.
    radii = np.empty(n)
    missing = np.arange(n)
    while missing.size:
        trial = rng.beta(d, 2, size=missing.size)
        accepted = rng.uniform(size=missing.size) * (0.5 * np.pi) * (1 - trial) <= np.cos(
            0.5 * np.pi * trial
        )
        radii[missing[accepted]] = trial[accepted]
        missing = missing[~accepted]
    return radii


def draw_offsets(kernel, d, n, rng, df=None):
    """Draws from a kernel of bandwidth 1.

    Parameters
    ----------
    kernel : str
        One of `KERNELS`.
    d : int
        Dimension.
    n : int
        Number of draws.
    rng : RandomState
        Source.
    df : float or None, default=None
        Degrees of freedom of "student".

    Returns
    -------
    offsets : ndarray of shape (n, d)
        The draws.
    """
    normal = rng.standard_normal((n, d))
    if kernel == "gaussian":
        return normal
    if kernel == "student":
        return normal / np.sqrt(rng.chisquare(df, size=n) / df)[:, None]
    length = np.sqrt(np.sum(normal * normal, axis=1))[:, None]
    return normal / length * draw_radii(kernel, d, n, rng)[:, None]
