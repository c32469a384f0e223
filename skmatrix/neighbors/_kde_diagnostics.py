"""What the weights of a density estimate say of its reliability, query by query."""

from dataclasses import dataclass

import numpy as np

from ._kde_profiles import log_profile


@dataclass(frozen=True)
class KDEDiagnostics:
    """Diagnostics of density estimates, an entry per query.

    Attributes
    ----------
    log_density : ndarray of shape (n_queries,)
        Logarithm of the estimate.
    n_effective : ndarray of shape (n_queries,)
        Number of points that carry it, ``1 / sum p_j^2`` for the normalised weights p; 0 where no
        point is within reach.
    entropy : ndarray of shape (n_queries,)
        ``-sum p_j log p_j``.
    stable_index : ndarray of shape (n_queries,)
        mu: the weights have a tail of this index. Below 1 a few points carry the estimate, up
        to 2 its fluctuations are not Gaussian.
    nearest_distance : ndarray of shape (n_queries,)
        Distance to the nearest point, in the metric of the estimate.
    regime : ndarray of shape (n_queries,)
        "extreme", "stable" or "clt".
    standard_error : ndarray of shape (n_queries,)
        Standard error of `log_density`, NaN outside of the regime "clt".
    """

    log_density: np.ndarray
    n_effective: np.ndarray
    entropy: np.ndarray
    stable_index: np.ndarray
    nearest_distance: np.ndarray
    regime: np.ndarray
    standard_error: np.ndarray


def stable_index(squares, profile, df):
    """Hill's estimate of the index of the weights' tail, from the nearest points.

    ``1 / mu`` is the mean of ``log k_j - log k_{k+1}`` over the k largest of k + 1 weights.

    Parameters
    ----------
    squares : ndarray of shape (n_queries, k + 1)
        Smallest squared distances, ascending, in units of the bandwidth.
    profile : str
        Kernel.
    df : tuple
        Degrees of freedom of "student", and dimension.

    Returns
    -------
    mu : ndarray of shape (n_queries,)
        The index; infinite for equal weights, 0 if a weight is 0.
    """
    logs = log_profile(np, squares, profile, df)
    with np.errstate(invalid="ignore", divide="ignore"):
        gaps = np.mean(logs[:, :-1] - logs[:, -1:], axis=1)
        return np.where(np.isfinite(logs[:, -1]), 1 / gaps, 0.0)


def regimes(mu):
    """Names of the regimes of stable indices."""
    return np.where(mu < 1, "extreme", np.where(mu < 2, "stable", "clt"))
