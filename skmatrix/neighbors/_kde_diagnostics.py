"""What the weights of a density estimate say of its reliability, query by query."""

import math
from dataclasses import dataclass, fields

import numpy as np

from .._iterate import warn_caller
from ._kde_profiles import COMPACT, log_profile
from ._kde_theory import glass_bandwidth, kl_bandwidth, samples_needed

FEATURES = ("log_density", "log_n_effective", "entropy", "stable_index", "nearest_distance")
# Queries that are diagnosed together: only what is asked for is kept of all.
SLAB = 2**14


@dataclass(frozen=True)
class KDEDiagnostics:
    """Diagnostics of density estimates, an entry per query.

    Parameters
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
        Distance to the nearest point, in the metric of the estimate; with a bandwidth per feature
        in units of it.
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


def diagnose(density, sums, squares, floor, local):
    """Diagnostics of queries.

    Parameters
    ----------
    density : KDE
        The fitted density.
    sums : tuple of ndarray of shape (n_queries,)
        What :func:`density_sums` gives.
    squares : ndarray of shape (n_queries, k + 1)
        Smallest squared distances, ascending, in units of the bandwidth.
    floor : float
        Participation of queries to which all points are equally near.
    local : bool
        Whether each query has a regime of its own.

    Returns
    -------
    diagnostics : KDEDiagnostics
        The diagnostics.
    """
    log_sum, participation, entropy = sums[:3]
    mu = np.zeros(log_sum.shape[0])
    if squares.shape[1] > 1:
        mu = stable_index(squares, density.kernel, (density.df, density.n_features_in_))
    regime = regimes(mu) if local else np.full(mu.size, density.regime_)
    reached = participation > 0
    error = np.where(regime == "clt", np.sqrt(np.maximum(participation - floor, 0)), np.nan)
    scale = density.bandwidth_ if isinstance(density.bandwidth_, float) else 1.0
    return KDEDiagnostics(
        log_density=log_sum + density.log_norm_,
        n_effective=np.where(reached, 1 / np.where(reached, participation, 1), 0.0),
        entropy=entropy,
        stable_index=mu,
        nearest_distance=scale * np.sqrt(squares[:, 0]),
        regime=regime,
        standard_error=np.where(reached, error, np.nan),
    )


def features_of(diagnostics):
    """Diagnostics as columns, in the order of `FEATURES`."""
    with np.errstate(divide="ignore"):
        columns = [
            diagnostics.log_density,
            np.log(diagnostics.n_effective),
            diagnostics.entropy,
            np.minimum(diagnostics.stable_index, 1e6),
            diagnostics.nearest_distance,
        ]
    return np.stack(columns, axis=1)


def stable_index(squares, profile, df):
    """Hill's estimate of the index of the weights' tail, from the nearest points: (3) of
    :class:`KDE`, for any kernel.

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


def gathered(parts, n_queries):
    """Diagnostics of all queries.

    Parameters
    ----------
    parts : iterable of (slice, KDEDiagnostics)
        Rows, and their diagnostics.
    n_queries : int
        Number of all rows.

    Returns
    -------
    diagnostics : KDEDiagnostics
        The diagnostics.
    """
    arrays: dict[str, np.ndarray] = {}
    for rows, part in parts:
        for field in fields(KDEDiagnostics):
            values = getattr(part, field.name)
            # Names of regimes are of unlike length.
            dtype = "<U7" if values.dtype.kind == "U" else values.dtype
            arrays.setdefault(field.name, np.empty(n_queries, dtype=dtype))[rows] = values
    return KDEDiagnostics(**arrays)


def named_bandwidths(spectrum, points, h, h_g):
    """What :meth:`KDE.thresholds` gives, by (2), (5) and (6) in its notes.

    Parameters
    ----------
    spectrum : ndarray of shape (n_features,)
        Variances along the principal axes.
    points : Points
        The points.
    h : float
        Bandwidth of the estimate.
    h_g : float or None
        Threshold from spacings.

    Returns
    -------
    names : dict
        The thresholds by name.
    """
    n, varies = points.size, bool(np.any(spectrum > 0))
    return {
        "h_g": h_g,
        "h_clt": None if h_g is None else math.sqrt(2) * h_g,
        "h_g_gaussian": glass_bandwidth(spectrum, n) if varies else None,
        "h_opt": kl_bandwidth(spectrum, n) if varies else None,
        "alpha": math.log(n) / points.n_features,
        "n_needed": samples_needed(spectrum, h) if varies else 1.0,
    }


def warn_out_of_reach(density, log_density):
    """Warn of queries at which the log-density is minus infinity."""
    n_out = int(np.sum(np.isneginf(log_density)))
    if not n_out:
        return
    if density.kernel in COMPACT:
        what = (
            "further than one bandwidth from every point:"
            f" kernel={density.kernel!r} gives them a log-density of minus infinity. Use a larger"
            " bandwidth, or kernel='gaussian'."
        )
    else:
        single = " or precision='float64'" if density._precision == "float32" else ""
        what = (
            "so many bandwidths away from every point that the square of this number is out of the"
            f" range of {density._precision}: their log-density becomes minus infinity. Use a"
            f" larger bandwidth{single}, and look for wrong values in X."
        )
    warn_caller(f"{n_out} of {log_density.size} queries are {what}", UserWarning)
