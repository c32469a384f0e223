"""Steps of the fit of a kernel density estimate."""

import math

import numpy as np
from scipy.optimize import minimize_scalar

from .._backend import to_numpy
from .._sklearn import _check_sample_weight
from ._kde_bandwidth import LeaveOneOut, common_maximum, rule_bandwidth
from ._kde_diagnostics import stable_index

# Names of bandwidths: those by the likelihood or distances of left-out points, and rules.
SEARCHED = ("loo", "loo_per_feature", "nn")
RULES = ("kl_gaussian", "scott", "silverman", "sklearn_scott", "sklearn_silverman")

# Left-out points of the search for the exponent of the whitening, and of the thresholds.
_SAMPLE = 2000

# What is to be said of whitened data.
CONSTANT = "X has features without variance: "
FLAWS = {
    "flat": (
        "X has features without variance, or fewer samples than features: whiten={whiten!r} leaves"
        " their directions as they are. Raise shrinkage, or drop constant features."
    ),
    "constant": (
        CONSTANT + "whiten={whiten!r} divides by what shrinkage gives them, which raises"
        " log-densities without a meaning. Drop constant features."
    ),
}


def checked_weights(sample_weight, X):
    """Weights of the rows of X on the host and in double precision, ones for None."""
    checked = _check_sample_weight(sample_weight, X, dtype=X.dtype, ensure_non_negative=True)
    weight = to_numpy(checked).astype(np.float64)
    check_total(weight)
    return weight


def check_total(weight):
    """Raise if the sum of weights leaves the range of floating point."""
    heaviest = float(weight.max())
    if math.isinf(float(np.sum(weight / heaviest)) * heaviest):
        raise ValueError(
            "sample_weight must have a sum in the range of floating point. Got weights up to"
            f" {heaviest:.1e}: divide them by a number of this size."
        )


def given_bandwidth(estimator, n_features):
    """The bandwidth that was passed as a number or as one per feature, else None."""
    if isinstance(estimator.bandwidth, str):
        plain = estimator.kernel == "gaussian" and not estimator.whiten
        if estimator.bandwidth == "loo_per_feature" and not plain:
            raise ValueError(
                "bandwidth='loo_per_feature' needs kernel='gaussian' and whiten=0. Got"
                f" kernel={estimator.kernel!r} and whiten={estimator.whiten!r}."
            )
        return None
    try:
        h = np.asarray(estimator.bandwidth, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"bandwidth must be numbers. Got {estimator.bandwidth!r}.") from error
    if h.ndim and (h.shape != (n_features,) or estimator.whiten):
        raise ValueError(
            f"A bandwidth per feature must have shape ({n_features},), with whiten=0. Got shape"
            f" {h.shape} and whiten={estimator.whiten!r}."
        )
    if not np.all((h > 0) & np.isfinite(h)):
        raise ValueError(f"bandwidth must be positive and finite. Got {estimator.bandwidth!r}.")
    return h


def chosen_bandwidth(estimator, fixed, points, rng):
    """Bandwidth of a fit, as an array, and the mean log-density of left-out points at it.

    Parameters
    ----------
    estimator : KDE
        The estimator, with its metric.
    fixed : ndarray or None
        Bandwidth that was passed.
    points : Points
        The points.
    rng : RandomState
        Source of the sample of points to leave out.

    Returns
    -------
    h : ndarray of shape () or (n_features,)
        The bandwidth.
    value : float or None
        The log-density, if it was maximised.
    """
    name, metric = estimator.bandwidth, estimator._metric
    if fixed is not None:
        return fixed, None
    if name in RULES:
        return np.asarray(rule_bandwidth(name, points, metric.spectrum)), None
    unit = spreads(metric) if name == "loo_per_feature" else metric.unit
    left_out = LeaveOneOut(points, estimator.loo_max_queries, rng, unit)
    if name == "nn":
        return np.asarray(left_out.nearest_bandwidth * unit), None
    h, value = left_out.per_feature() if name == "loo_per_feature" else left_out.maximise()
    return np.asarray(h * unit), value + metric.log_determinant


def checked_path(bandwidths):
    """Bandwidths that were passed, ascending."""
    try:
        h = np.sort(np.asarray(bandwidths, dtype=np.float64).ravel())
    except (TypeError, ValueError) as error:
        raise ValueError(f"bandwidths must be numbers. Got {bandwidths!r}.") from error
    if h.size == 0:
        raise ValueError(f"bandwidths must hold at least one number. Got {bandwidths!r}.")
    if not np.all((h > 0) & np.isfinite(h)):
        raise ValueError(f"bandwidths must be positive and finite. Got {bandwidths!r}.")
    return h


def likeliest_exponent(places, share, rng):
    """Exponent of the whitening under which left-out points are the likeliest.

    Parameters
    ----------
    places : list of callable
        For each of several classes, or for the one there is, ``place(exponent)`` gives the
        metric, the points in its coordinates, and more.
    share : ndarray of shape (n_classes,)
        Shares of the classes. They have one exponent, and for it one bandwidth.
    rng : RandomState
        Source of the sample of points, which is the same for every exponent.

    Returns
    -------
    exponent : float
        The exponent, from 0 to 1.
    """
    seed = rng.randint(2**31 - 1)

    def cost(exponent):
        metrics, points, _ = zip(*(place(exponent) for place in places), strict=True)
        unit = math.exp(np.mean([math.log(metric.unit) for metric in metrics]))
        left_out = [LeaveOneOut(p, _SAMPLE, np.random.RandomState(seed), unit) for p in points]
        volumes = np.array([metric.log_determinant for metric in metrics])
        return -(common_maximum(left_out, share)[1] + float(share @ volumes))

    inner = minimize_scalar(cost, bounds=(0, 1), method="bounded", options={"xatol": 0.01})
    candidates = {0.0: cost(0.0), 1.0: cost(1.0), float(inner.x): inner.fun}
    return min(candidates, key=candidates.__getitem__)


def spreads(metric):
    """Standard deviation of each feature, for bandwidths of their own."""
    if not np.all(metric.variance > 0):
        raise ValueError(
            "bandwidth='loo_per_feature' needs features that vary. Got a constant feature"
            f" {int(np.argmin(metric.variance))}: drop it, or use bandwidth='loo'."
        )
    return np.sqrt(metric.variance)


def pooled_index(estimator, points, h, rng):
    """Index of the weights at a bandwidth, over a sample of points that are left out.

    Parameters
    ----------
    estimator : KDE
        The estimator.
    points : Points
        Its points.
    h : ndarray
        Bandwidth, or one for each feature.
    rng : RandomState
        Source of the sample.

    Returns
    -------
    mu : float or None
        The index; None for fewer than three points.
    """
    k = min(estimator.diagnostics_k, points.n_points - 2)
    if k < 1:
        return None
    own = points.subset(_SAMPLE, rng)
    queries, weight = points.take(own)
    return mean_index(estimator, points.nearest(queries, k + 1, own=own, h=h), weight)


def mean_index(estimator, squares, weight=None):
    """Index of the weights by the mean of its inverse over queries.

    Parameters
    ----------
    estimator : KDE
        The estimator.
    squares : ndarray of shape (n_queries, k + 1)
        Smallest squared distances, ascending, in units of the bandwidth.
    weight : ndarray of shape (n_queries,) or None
        Weights of the queries.

    Returns
    -------
    mu : float
        The index.
    """
    mu = stable_index(squares, estimator.kernel, (estimator.df, estimator.n_features_in_))
    with np.errstate(divide="ignore"):
        inverse = float(np.average(1 / mu, weights=weight))
    return 1 / inverse if inverse > 0 else math.inf
