"""Where a Gaussian density estimate can be trusted: the random energy model of its weights.

The weights of n points at a query, ``e^{-lambda E_j}`` with ``E_j = |x - y_j|^2 / 2`` and
``lambda = 1 / h^2``, are the Boltzmann weights of n random energies. For points from
``N(0, diag(c))`` and a typical query everything follows from

    Psi(lambda) = log E e^{-lambda E}
                = sum_k [ -log(1 + lambda c_k) / 2 - lambda c_k / (1 + lambda c_k) / 2 ].

Numbers of equations are those in the notes of :class:`KDE`.
"""

import math

import numpy as np
from scipy.optimize import brentq

# Logarithms of lambda, in units of the mean variance, between which the threshold is looked for:
# in one dimension the rate grows by half of that of lambda, and log n has to lie below.
_BRACKET = (-30.0, 300.0)


def mean_energy(spectrum, lam):
    """Mean energy under the tilted law, -Psi'(lambda)."""
    share = 1 / (1 + lam * spectrum)
    return 0.5 * float(np.sum(spectrum * share + spectrum * share**2))


def energy_variance(spectrum, lam):
    """Variance of the energy under the tilted law, Psi''(lambda)."""
    share = 1 / (1 + lam * spectrum)
    return float(np.sum(0.5 * (spectrum * share) ** 2 + spectrum**2 * share**3))


def rate(spectrum, lam):
    """Rate (2), I(lambda) = lambda Psi' - Psi: minus the log-probability of so small an energy."""
    tilt = lam * spectrum / (1 + lam * spectrum)
    return 0.5 * float(np.sum(np.log1p(lam * spectrum) - tilt + tilt**2))


def log_needed(spectrum, lam, corrected):
    """Logarithm of the number of points at which the energies at lambda are populated."""
    if not corrected:
        return rate(spectrum, lam)
    # (5): Bahadur and Rao's prefactor of the large deviation.
    width = 2 * math.pi * lam**2 * energy_variance(spectrum, lam)
    return rate(spectrum, lam) + 0.5 * math.log(width)


def glass_bandwidth(spectrum, n_samples, *, corrected=True):
    """h_G of (2), below which the nearest points carry the estimate.

    Parameters
    ----------
    spectrum : ndarray of shape (n_features,)
        Variances of the data along their principal axes.
    n_samples : float
        Number of points.
    corrected : bool, default=True
        Whether to correct the limit of many dimensions for their finite number.

    Returns
    -------
    h : float
        ``lambda_G^{-1/2}`` with ``I(lambda_G) = log(n_samples)``.
    """
    unit = float(np.mean(spectrum))
    relative, goal = spectrum / unit, math.log(n_samples)

    def excess(log_lam):
        return log_needed(relative, math.exp(log_lam), corrected) - goal

    low, high = _BRACKET
    if excess(low) >= 0:
        return math.sqrt(unit) * math.exp(-0.5 * low)
    return math.sqrt(unit) * math.exp(-0.5 * brentq(excess, low, high, xtol=1e-12))


def kl_bandwidth(spectrum, n_samples, *, corrected=True):
    """Bandwidth (6) of the smallest Kullback-Leibler divergence, ``h^2 = 2 e(lambda_G) / d``."""
    h = glass_bandwidth(spectrum, n_samples, corrected=corrected)
    return math.sqrt(2 * mean_energy(spectrum, 1 / h**2) / spectrum.size)


def samples_needed(spectrum, h):
    """Points from which on the central limit theorem holds at a bandwidth: ``h > h_CLT`` of (2)."""
    unit = float(np.mean(spectrum))
    exponent = log_needed(spectrum / unit, 2 * unit / h**2, True)
    return math.exp(exponent) if exponent < 700 else math.inf


def regime_of(mu):
    """Name of the regime of a stable index: "extreme" below 1, "stable" below 2, else "clt"."""
    if mu < 1:
        return "extreme"
    return "stable" if mu < 2 else "clt"
