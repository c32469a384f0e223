"""Data and parameters of the clustering estimators, checked before any work."""

from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn.utils.random import sample_without_replacement

from .._backend import get_backend
from .._iterate import warn_caller
from .._sklearn import Interval
from .._symmetry import refuse_asymmetric

_POSITIVE = Interval(Real, 0, np.inf, closed="neither")
_COUNT = Interval(Integral, 1, None, closed="left")
# Points from which "auto" takes a sample, and how many.
_LARGE, _SAMPLE = 20_000, 2_000
# Sizes of deviations from the mean whose fourth powers are still numbers.
_SMALLEST, _LARGEST = 1e-70, 1e70
# Numbers from which a device is faster than the host.
_LARGE_ENOUGH = 2**18


def refuse_sparse(X):
    """Raise for sparse data."""
    if sp.issparse(X):
        raise TypeError(
            "Sparse data was passed, but dense data is required: reduce it with TruncatedSVD, or"
            " pass X.toarray()."
        )


def centred(X):
    """Data less their mean, in place, and the mean.

    Raises
    ------
    ValueError
        If products of the data leave the range of double precision.
    """
    if np.abs(X).max() > _LARGEST:
        raise ValueError(
            f"X has absolute values up to {np.abs(X).max():.3g}, and squares of squares are needed,"
            f" which are no numbers beyond {_LARGEST:g}. Rescale X."
        )
    if np.ptp(X, axis=0).max() == 0:
        warn_caller("All rows of X are equal: they are one group.", UserWarning)
        centre = X[0].copy()
        X[:] = 0.0
        return X, centre
    centre = X.mean(axis=0)
    X -= centre
    if np.abs(X).max() < _SMALLEST:
        raise ValueError(
            f"X deviates from its mean by {np.abs(X).max():.3g} at most, and squares of squares are"
            f" needed, which are zero below {_SMALLEST:g}. Rescale X."
        )
    return X, centre


def check_n_groups(n_groups, X, name="n_clusters"):
    """Raise if there are fewer points, or fewer distinct ones, than groups."""
    n = X.shape[0]
    if n < n_groups:
        raise ValueError(f"n_samples={n} should be >= {name}={n_groups}.")
    if n_groups > 1 and n_distinct(X, n_groups) < n_groups:
        raise ValueError(
            f"X has fewer distinct rows than {name}={n_groups}: lower {name}, or pass data that"
            " vary."
        )


def n_distinct(X, limit):
    """Number of distinct rows, counted up to a limit."""
    distinct = np.empty((0, X.shape[1]))
    rest = X
    while distinct.shape[0] < limit and rest.shape[0]:
        row = rest[:1]
        distinct = np.concatenate([distinct, row])
        rest = rest[np.any(rest != row, axis=1)]
    return distinct.shape[0]


def check_sample(sample, n_groups):
    """Raise if a sample has fewer distinct rows than there are groups."""
    if n_groups > 1 and n_distinct(sample, n_groups) < n_groups:
        raise ValueError(
            f"The {sample.shape[0]} rows that n_subsample has drawn hold fewer than"
            f" n_clusters={n_groups} distinct ones: raise n_subsample, or lower n_clusters."
        )


def sample_size(n_subsample, n, n_groups):
    """Points that are clustered before the others follow, or None for all."""
    if n_subsample is None or (n_subsample == "auto" and n <= _LARGE):
        return None
    size = _SAMPLE if n_subsample == "auto" else int(n_subsample)
    if size >= n:
        return None
    if size < n_groups:
        raise ValueError(f"n_subsample={n_subsample} should be >= n_clusters={n_groups}.")
    return size


def draw_sample(rng, n, size):
    """Places of a random sample among n rows, in their order."""
    return np.sort(sample_without_replacement(n, size, random_state=rng))


def check_labels(init, n, n_groups):
    """Labels to start from, or raise if they are not a partition into as many groups."""
    labels = np.asarray(init)
    if labels.shape != (n,):
        raise ValueError(
            f"init as labels must have shape ({n},), one for each row of X. Got shape"
            f" {labels.shape}."
        )
    if labels.dtype.kind not in "iub":
        raise ValueError(f"init as labels must hold integers. Got dtype {labels.dtype}.")
    classes, codes = np.unique(labels, return_inverse=True)
    if classes.size != n_groups:
        raise ValueError(
            f"init as labels must name each of n_clusters={n_groups} groups. Got {classes.size}"
            " different labels."
        )
    return codes.astype(np.int64)


def check_covariances(init, n_groups, n_features, diagonal):
    """Covariances to start from, or raise if they are not positive definite."""
    try:
        covariances = np.asarray(init, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise ValueError(f"init as covariances must hold numbers. {error}") from error
    shape = (n_groups, n_features, n_features)
    if covariances.shape != shape:
        raise ValueError(
            f"init as covariances must have shape {shape}, (n_clusters, n_features, n_features)."
            f" Got shape {covariances.shape}."
        )
    if not np.isfinite(covariances).all():
        raise ValueError("init as covariances must be finite.")
    for covariance in covariances:
        refuse_asymmetric(covariance, "init as covariances")
    if np.linalg.eigvalsh(covariances).min() <= 0:
        raise ValueError("init as covariances must be positive definite.")
    return np.diagonal(covariances, axis1=1, axis2=2).copy() if diagonal else covariances


def check_solver_options(options):
    """Tolerance and steps of the solver, from a dict or None."""
    found = {"tol": 1e-4, "max_iter": 3000}
    options = {} if options is None else dict(options)
    unknown = sorted(set(options) - set(found))
    if unknown:
        raise ValueError(f"solver_options may hold {sorted(found)}. Got {unknown}.")
    found.update(options)
    if not _POSITIVE.is_satisfied_by(found["tol"]):
        raise ValueError(
            f"solver_options['tol'] must be positive and finite. Got {found['tol']!r}."
        )
    if not _COUNT.is_satisfied_by(found["max_iter"]):
        raise ValueError(
            f"solver_options['max_iter'] must be an integer of at least 1. Got"
            f" {found['max_iter']!r}."
        )
    return found


def solver_engine(be, n_numbers):
    """Engine of the solver: the host for problems too small for another one to pay.

    A step is a dozen passes over as many numbers, each of which costs a device more to start than
    the host to finish.
    """
    if be.name in ("auto", "numpy", "numba") or n_numbers >= _LARGE_ENOUGH:
        return be
    return get_backend("auto", np.empty(0))
