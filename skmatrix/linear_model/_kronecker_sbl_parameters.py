"""Parameters of :class:`KroneckerSBL`, checked against the number of factors."""

from numbers import Real

import numpy as np

from .._sklearn import Interval
from ._kronecker_sbl_maximisation import Coupling

_SHARE = Interval(Real, 0, 1, closed="left")
_STRENGTH = Interval(Real, 0, np.inf, closed="left")
# Shares of the largest prior variance below which solvers drop an index.
_PRUNE = {"am": 1e-2, "svd": 1e-3, "mm": 1e-4, "decompose": 1e-4}
# Starts of each solver where there are several.
_N_INIT = 24
# With a single factor nothing is shared, and a small variance need not be a wrong one.
_PRUNE_ONE_FACTOR = 1e-10


def chosen_solvers(estimator, shape):
    """Names of the solvers that run, once all parameters are known to go with the factors.

    Of several, the best counts.
    """
    solvers = _solvers(estimator, len(shape))
    for solver in solvers:
        thresholds(estimator, solver, len(shape))
    couplings(estimator, shape)
    return solvers


def _solvers(estimator, n_factors):
    """Names of the solvers."""
    solver, coupled = estimator.solver, estimator.coupling is not None
    if coupled and solver not in ("auto", "am"):
        raise ValueError(
            f"solver={solver!r} has no coupling. Use solver='am' or 'auto', or coupling=None."
        )
    if coupled:
        return ["am"]
    if n_factors == 1 and solver in ("auto", "decompose"):
        return ["mm"]
    return ["svd", "mm"] if solver == "auto" else [solver]


def chosen_n_init(estimator, solvers):
    """Number of starts of each solver."""
    if estimator.n_init != "auto":
        return estimator.n_init
    return _N_INIT if len(solvers) > 1 else 1


def thresholds(estimator, solver, n_factors):
    """Threshold of each factor below which an index is dropped."""
    prune = estimator.prune
    if prune is None:
        return [_PRUNE_ONE_FACTOR if n_factors == 1 else _PRUNE[solver]] * n_factors
    values = [prune] * n_factors if isinstance(prune, Real) else list(prune)
    if len(values) != n_factors:
        raise ValueError(
            f"prune must be one number, or one for each of the {n_factors} factors. Got {prune!r}."
        )
    if not all(map(_SHARE.is_satisfied_by, values)):
        raise ValueError(f"prune must hold numbers in [0, 1). Got {prune!r}.")
    return [float(value) for value in values]


def check_decomposable(n_snapshots, intercept):
    """Refuse what "decompose" cannot do."""
    if n_snapshots > 1:
        raise ValueError(f"solver='decompose' takes one snapshot. Got y with {n_snapshots}.")
    if intercept:
        raise ValueError("solver='decompose' has no intercept. Use fit_intercept=False.")


def couplings(estimator, shape):
    """Coupling of each factor, None for a factor without."""
    coupling = estimator.coupling
    if coupling is None:
        return [None] * len(shape)
    if len(coupling) != len(shape):
        raise ValueError(
            f"coupling must have an item for each of the {len(shape)} factors. Got {len(coupling)}."
        )
    found: list = []
    for k, (item, n) in enumerate(zip(coupling, shape, strict=True)):
        matrix = _coupling_matrix(item, n, k)
        found.append(None if matrix is None else Coupling(matrix, estimator.coupling_solver))
    return found


def _coupling_matrix(item, n, k):
    """Coupling matrix of a factor, None where indices are not coupled."""
    if item is None:
        return None
    if isinstance(item, Real):
        if not _STRENGTH.is_satisfied_by(item):
            raise ValueError(f"coupling of factor {k} must not be negative. Got {item!r}.")
        beta = float(item)
        if beta == 0:
            return None
        return np.eye(n) + beta * (np.eye(n, k=1) + np.eye(n, k=-1))
    try:
        matrix = np.asarray(item)
        if np.iscomplexobj(matrix):
            raise TypeError("it is complex")
        matrix = matrix.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"coupling of factor {k} must be a number or a matrix of numbers. Got {item!r}."
        ) from error
    if matrix.shape != (n, n):
        raise ValueError(
            f"coupling of factor {k} must be a number or a matrix of shape {(n, n)}. Got shape"
            f" {matrix.shape}."
        )
    if not np.isfinite(matrix).all() or matrix.min() < 0 or np.diag(matrix).min() == 0:
        raise ValueError(
            f"coupling of factor {k} must be finite and not negative, with a positive diagonal."
        )
    return matrix
