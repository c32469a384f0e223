"""From the parameters of a sketched regression to a solver, a sketch and its size."""

import math
from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import validate_data

from .._iterate import warn_caller
from .._sklearn import _check_sample_weight
from ..random_projection._sketch import Sketch
from ._sketched_regression_rows import DenseRows, SparseRows
from ._sketched_regression_triangle import Layout

# Up to so many rows LAPACK is as fast as any sketch.
_SMALL = 4096
# Features from which the Gram matrix of "direct" costs more than conjugate gradients.
_DIRECT = 2000
# Features beyond which a triangle is too large.
_LARGEST = 20_000
# Features up to which a Hadamard transform of sparse rows, which fills them, is allowed.
_SPARSE_SRHT = 512
# Elements that a sparse matrix may have when it is made dense for LAPACK.
_DENSE_ELEMENTS = 2**27
# Accuracies below this ask for more rows than there can be.
_TINY = 1e-100
# Gaussian sketches have the distortion that a preconditioner needs at this many times d.
_PRECONDITIONER = {False: 4, True: 8}


def read_rows(estimator, be, X, y, sample_weight, *, reset, allow_zero=False):
    """Validate the data and make rows of them, which may all have weight 0 if `allow_zero`.

    Returns
    -------
    X, y : arrays
        The validated data, at X's home.
    rows : DenseRows or SparseRows
        The rows, without shifts.
    """
    y, sample_weight = be.follow(y, sample_weight)
    X, y = validate_data(
        estimator,
        X,
        y,
        accept_sparse="csr",
        dtype=be.float_dtypes,
        multi_output=True,
        y_numeric=True,
        reset=reset,
    )
    # Targets beyond the precision of X are found out with the sums that they make.
    with np.errstate(over="ignore"):
        y = be.home.astype(y, X.dtype) if not isinstance(y, np.ndarray) else y.astype(X.dtype)
    root_weight = None
    if sample_weight is not None:
        weight = _check_sample_weight(
            sample_weight,
            X,
            dtype=X.dtype,
            ensure_non_negative=True,
            allow_all_zero_weights=allow_zero,
        )
        root_weight = be.load(be.home.sqrt(weight))
    Y = be.load(y if y.ndim == 2 else y[:, None])
    layout = Layout(bool(estimator.fit_intercept), X.shape[1], Y.shape[1])
    if sp.issparse(X):
        arrays = be.load(X.data, X.indices, X.indptr)
        return X, y, SparseRows(be, arrays, Y, root_weight, layout)
    return X, y, DenseRows(be, be.load(X), Y, root_weight, layout)


def check_penalties(alpha, n_targets):
    """The penalty of each target.

    Raises
    ------
    ValueError
        If there is one for another number of targets, or one that is negative or not finite.
    """
    try:
        penalties = np.asarray(alpha, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"alpha must be a number or have one per target. Got {alpha!r}."
        ) from error
    if penalties.ndim > 1 or (penalties.ndim == 1 and penalties.size not in (1, n_targets)):
        raise ValueError(
            f"alpha must be a number or have one entry per target. Got shape {penalties.shape} for"
            f" n_targets={n_targets}."
        )
    if not np.all((penalties >= 0) & np.isfinite(penalties)):
        raise ValueError(f"alpha must be finite and not negative. Got {alpha!r}.")
    return np.broadcast_to(penalties, (n_targets,))


def check_size(n_features):
    """Refuse more features than a triangle can have."""
    if n_features > _LARGEST:
        raise ValueError(
            f"X has {n_features} features: a sketched regression keeps an array of n_features x"
            f" n_features and takes {_LARGEST} at most. Use"
            ' sklearn.linear_model.Ridge(solver="lsqr").'
        )


def sketch_rows(estimator, layout, *, sparse, solver):
    """Length of the sketch.

    Parameters
    ----------
    estimator : SketchedRegression
        Its parameters.
    layout : Layout
        Columns of the rows.
    sparse : bool
        Whether X is sparse.
    solver : str
        For "sketch" the length comes from the accuracy of the answer, else from what a
        preconditioner needs.

    Returns
    -------
    m : int
        Number of rows.

    Raises
    ------
    ValueError
        If it would not exceed the number of features.
    """
    size, d, p = estimator.sketch_size, layout.n_features, layout.n_parameters
    if isinstance(size, tuple):
        if len(size) != 2 or size[0] != "suboptimality" or not _is_positive(size[1]):
            raise ValueError(
                'sketch_size must be "auto", a number or ("suboptimality", rho) with rho > 0. Got'
                f" {size!r}."
            )
        return p + 1 + _rounded_up(p / max(size[1], _TINY))
    if isinstance(size, Integral):
        m = int(size)
    elif size != "auto":
        m = _rounded_up(size * d)
    elif solver == "sketch":
        spread = 2 * d * math.log(2 * d / estimator.delta) / max(estimator.eps, _TINY) ** 2
        return p + 1 + _rounded_up(spread)
    else:
        return max(_PRECONDITIONER[sparse] * p, p + 64)
    if m <= p:
        raise ValueError(
            f"sketch_size={size!r} makes a sketch of {m} rows, but sketch_size must exceed"
            f" n_features={d}, and n_features + 1 with an intercept. Raise it."
        )
    return m


def _is_positive(value):
    """Whether a value is a number above zero."""
    return isinstance(value, Real) and not isinstance(value, bool) and float(value) > 0


def _rounded_up(size):
    """The next whole number, or one that is longer than any data."""
    return math.ceil(min(size, 2.0**60))


def choose_solver(estimator, n_rows, layout, *, sparse):
    """The solver that runs, and the length of its sketch.

    Returns
    -------
    solver : {"sketch", "direct", "iterative", "lapack"}
        The choice.
    m : int
        Length of the sketch.
    """
    d, wanted = layout.n_features, estimator.solver
    m = sketch_rows(estimator, layout, sparse=sparse, solver=wanted)
    if wanted == "sketch" and m >= n_rows:
        warn_caller(
            f"A sketch of {m} rows is not shorter than the {n_rows} rows of X: an exact solver"
            ' takes the place of solver="sketch". Pass more rows, or a smaller sketch_size.',
            UserWarning,
        )
        wanted = "auto"
        m = sketch_rows(estimator, layout, sparse=sparse, solver=wanted)
    short = n_rows < 2 * m or n_rows <= layout.n_parameters
    if wanted == "auto":
        if short or n_rows <= max(4 * d, _SMALL):
            wanted = "lapack"
        else:
            wanted = "iterative" if sparse or d > _DIRECT else "direct"
    elif short and wanted != "sketch":
        wanted = "lapack"
    if wanted != "lapack":
        check_size(d)
    elif sparse and n_rows * d > _DENSE_ELEMENTS:
        raise ValueError(
            f"X is sparse with shape ({n_rows}, {d}): too few rows for a sketch of {m}, too many to"
            " be made dense. Lower sketch_size, which may be little more than n_features, or use"
            ' sklearn.linear_model.Ridge(solver="lsqr").'
        )
    return wanted, m


def make_plan(estimator, n_rows, layout, *, sparse, seed):
    """The solver that runs, and its sketching matrix.

    Parameters
    ----------
    estimator : SketchedRegression
        Its parameters.
    n_rows : int
        Number of rows.
    layout : Layout
        Columns of the rows.
    sparse : bool
        Whether X is sparse.
    seed : int
        Seed of the matrix.

    Returns
    -------
    solver : {"sketch", "direct", "iterative", "lapack"}
        The solver.
    matrix : Sketch or None
        None for "lapack".
    """
    solver, m = choose_solver(estimator, n_rows, layout, sparse=sparse)
    if solver == "lapack":
        return solver, None
    settings = {"sparse": sparse, "solver": solver, "n_features": layout.n_features}
    return solver, make_sketch(estimator, m, seed, n_samples=n_rows, **settings)


def make_sketch(estimator, n_components, seed, *, sparse, solver, n_features, n_samples=None):
    """The sketching matrix.

    Raises
    ------
    ValueError
        If the Hadamard transform would fill sparse rows with many features, or a sample is to
        be drawn from rows whose number is not known.
    """
    kind = estimator.sketch
    if kind == "auto":
        kind = "srht" if solver == "sketch" and not sparse else "sparse_sign"
    if kind == "srht" and sparse and n_features > _SPARSE_SRHT:
        raise ValueError(
            f'sketch="srht" makes rows dense, and X is sparse with {n_features} features, more than'
            f' {_SPARSE_SRHT}. Use sketch="sparse_sign".'
        )
    if kind == "uniform" and n_samples is None:
        raise ValueError(
            'sketch="uniform" draws from all rows and cannot sketch a stream, whose number of rows'
            ' is not known. Use sketch="srht" or "sparse_sign".'
        )
    known = n_samples if kind == "uniform" else None
    return Sketch(kind, n_components, seed, estimator.n_nonzero, known)
