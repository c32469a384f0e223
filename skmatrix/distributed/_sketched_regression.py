"""Sketched regression of dask arrays cut along the rows.

The solvers are those of the local fit: what they ask of the rows are sums of small arrays, and
the sketch hangs on the index of a row and not on its block.
"""

from functools import partial

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from .._backend import get_backend
from .._iterate import Iterations
from .._threads import single_threaded_blas
from ..linear_model._sketched_regression_fit import Origin, fit_rows
from ..linear_model._sketched_regression_rows import DenseRows, LocalRows, SparseRows
from ..linear_model._sketched_regression_setup import check_penalties, make_plan
from ..linear_model._sketched_regression_triangle import Layout, triangularise
from ._blocks import as_row_blocks, is_dask, map_reduce, map_rows
from ._estimators import add, refuse_engine, without

# Rows that tell the level of each column, as in the local fit.
_HEAD = 64
# What only further fits need.
_FOR_FITS = ("_stream", "_kept")


class BlockRows:
    """The rows of a dask problem, and sums over all of them.

    Parameters
    ----------
    blocks, starts : list
        Blocks ``(X, Y, weight)`` and the index of each one's first row.
    attributes : dict
        Attributes that the rows of each block get.
    n_rows : int
        Number of rows.
    chosen : ndarray or None
        Positions of the targets, None for all.
    """

    def __init__(self, blocks, starts, attributes, n_rows, chosen=None):
        self.blocks, self.starts = blocks, starts
        self.attributes = attributes
        self.n_rows = n_rows
        self.chosen = chosen

    @property
    def layout(self):
        """Columns of the rows."""
        layout = self.attributes["layout"]
        if self.chosen is None:
            return layout
        return Layout(layout.intercept, layout.n_features, len(self.chosen))

    def changed(self, **attributes):
        """The same rows with other attributes."""
        return BlockRows(
            self.blocks, self.starts, self.attributes | attributes, self.n_rows, self.chosen
        )

    def of_targets(self, chosen):
        """The same rows with some of the targets."""
        return BlockRows(self.blocks, self.starts, self.attributes, self.n_rows, chosen)

    def total(self, method, *arguments):
        """Sums over all rows, as in :class:`LocalRows`."""
        return self._reduce(add, method, arguments)

    def triangle(self):
        """Triangle of all rows."""
        p = self.layout.n_parameters
        return self._reduce(partial(_merge_triangles, n_parameters=p), "triangle", ())

    def _reduce(self, merge, method, arguments):
        """What a method of the rows gives for each block, merged."""
        state = (self.attributes, self.chosen, method, arguments)
        return map_reduce(self.blocks, self.starts, _run, merge, state)


def fit_row_blocks(estimator, X, y, sample_weight=None):
    """Fit a SketchedRegression to a dask array, block of rows by block of rows.

    Parameters
    ----------
    estimator : SketchedRegression
        The estimator, fitted in place.
    X : dask array or data frame of shape (n_samples, n_features)
        Blocks of NumPy arrays or SciPy sparse matrices. It is read once per pass: persist
        what fits in the memory of the workers.
    y : dask array or array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets.
    sample_weight : dask array or array-like of shape (n_samples,), default=None
        Weights.

    Returns
    -------
    estimator : SketchedRegression
        The fitted estimator; its attributes are NumPy arrays.
    """
    refuse_engine(estimator)
    X = _as_array(X)
    head = _head(X)
    validate_data(estimator, head, np.zeros(head.shape[0]), accept_sparse="csr")
    y, sample_weight = _as_target(y), _as_weight(sample_weight)
    layout = Layout(bool(estimator.fit_intercept), X.shape[1], 1 if y.ndim == 1 else y.shape[1])
    penalties = check_penalties(estimator.alpha, layout.n_targets)
    sparse = sp.issparse(head)
    plan = make_plan(estimator, X.shape[0], layout, sparse=sparse, seed=estimator._draw_seed())
    X = _aligned(X, plan[1])
    blocks, starts = as_row_blocks(X, y, sample_weight)
    attributes = _shifts(head, y, sample_weight, layout, sparse) | {
        "be": estimator.backend,
        "layout": layout,
    }
    rows = BlockRows(blocks, starts, attributes, X.shape[0])
    first = DenseRows(
        None, None, None, None, layout, 0, attributes["shift"], attributes["target_shift"]
    )
    dtype = np.dtype(X.dtype if X.dtype in (np.float32, np.float64) else np.float64)
    origin = Origin.of(estimator, first, np.empty(0, dtype=dtype), y)

    def make_loop():
        rule = {"max_iter": estimator.max_iter, "tol": estimator.tol}
        return Iterations(estimator, X, y, measure="gradient", sample_weight=sample_weight, **rule)

    found = fit_rows(
        estimator,
        rows,
        penalties,
        plan,
        make_loop=make_loop,
        describe=origin.coefficients,
    )
    estimator._publish(get_backend("auto", np.empty(0)), origin, found, estimator.delta)
    estimator.n_samples_seen_ = int(X.shape[0])
    return estimator


def predict_row_blocks(estimator, X):
    """Lazy result of ``estimator.predict`` on each block of rows."""
    X = _as_array(X, counted=False)
    validate_data(estimator, np.zeros((1, X.shape[1])), reset=False)
    trailing = estimator.coef_.shape[:-1]
    dtype = X.dtype if X.dtype in (np.float32, np.float64) else np.float64
    return map_rows(X, _predict, trailing, dtype, state=without(estimator, _FOR_FITS))


def score_row_blocks(estimator, X, y, sample_weight=None):
    """Coefficient of determination of the predictions, from sums over the blocks."""
    X, y = _as_array(X), _as_target(y)
    blocks, starts = as_row_blocks(X, y, sample_weight)
    level = np.asarray(y[:1], dtype=np.float64).ravel()
    state = (without(estimator, _FOR_FITS), level)
    weight, linear, square, residual = map_reduce(blocks, starts, _moments, add, state)
    total = square - linear**2 / weight
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(total > 0, 1 - residual / total, np.where(residual > 0, 0.0, 1.0))
    return float(np.mean(share))


def _run(X, Y, weight, start, state):
    """Result of a method of the rows of a block."""
    attributes, chosen, method, arguments = state
    rows = _make_rows(X, Y, weight, start, attributes)
    if chosen is not None:
        rows = rows.of_targets(chosen)
    with single_threaded_blas:
        if method == "triangle":
            return LocalRows(rows).triangle()
        return LocalRows(rows).total(method, *arguments)


def _make_rows(X, Y, weight, start, attributes):
    """Rows of a block, checked."""
    be = get_backend(attributes["be"], np.empty(0))
    dtype = [np.float64, np.float32]
    X = check_array(X, accept_sparse="csr", dtype=dtype)
    Y = check_array(Y, ensure_2d=False, dtype=X.dtype, input_name="y")
    if weight is not None:
        weight = check_array(weight, ensure_2d=False, dtype=X.dtype, input_name="sample_weight")
        if np.any(weight < 0):
            raise ValueError("Negative values in data passed to `sample_weight`")
        weight = np.sqrt(weight)
    Y = Y[:, None] if Y.ndim == 1 else Y
    cls, arrays = DenseRows, X
    if sp.issparse(X):
        cls, arrays = SparseRows, (X.data, X.indices, X.indptr)
    return cls(
        be,
        arrays,
        Y,
        weight,
        attributes["layout"],
        start,
        attributes["shift"],
        attributes["target_shift"],
        attributes.get("unit"),
        attributes.get("target_unit"),
    )


def _shifts(head, y, sample_weight, layout, sparse):
    """Levels of features and targets by the first rows, None without an intercept."""
    if not layout.intercept:
        return {"shift": None, "target_shift": None}
    targets = np.asarray(y[:_HEAD], dtype=np.float64).reshape(-1, layout.n_targets)
    counted = np.ones(len(targets), dtype=bool)
    if sample_weight is not None:
        counted = np.asarray(sample_weight[:_HEAD]) > 0
    if not counted.any():
        # What stands in rows without a weight must not matter.
        targets, head, counted = np.zeros_like(targets), np.zeros(head.shape), ~counted
    return {
        "shift": None if sparse else np.median(head[counted].astype(np.float64), axis=0),
        "target_shift": np.median(targets[counted], axis=0),
    }


def _aligned(X, matrix):
    """X with its rows cut where the blocks of a Hadamard transform end."""
    if matrix is None or matrix.kind != "srht":
        return X
    ends = np.cumsum(X.chunks[0])
    ends = np.unique(np.append(-(-ends[:-1] // matrix.block) * matrix.block, ends[-1]))
    ends = ends[ends <= X.shape[0]]
    return X.rechunk({0: tuple(np.diff(ends, prepend=0).tolist())})


def _as_array(X, counted=True):
    """A two-dimensional dask array out of a dask array or data frame.

    If `counted`, the lengths of its blocks are known, and none is empty.
    """
    import dask.array as da

    array = X.to_dask_array(lengths=counted or None) if hasattr(X, "to_dask_array") else X
    if not isinstance(array, da.Array):
        raise TypeError(
            f"X must be a dask array or data frame. Got a dask {type(X).__name__}: convert it"
            " first, or pass data in memory (compute())."
        )
    if array.ndim != 2:
        raise ValueError(f"X must have two dimensions. Got shape {array.shape}.")
    if not counted:
        return array
    array = _counted(array)
    lengths = tuple(n for n in array.chunks[0] if n)
    return array.rechunk({0: lengths}) if 0 < len(lengths) < len(array.chunks[0]) else array


def _as_target(y):
    """A column of known length, in memory if it was."""
    if not is_dask(y):
        return np.asarray(y)
    return _counted(y.to_dask_array(lengths=True) if hasattr(y, "to_dask_array") else y)


def _as_weight(sample_weight):
    """Weights of one dimension that are not all zero; their signs are left to the blocks."""
    if sample_weight is None:
        return None
    weight = _as_target(sample_weight)
    if weight.ndim != 1:
        raise ValueError(f"sample_weight must have one dimension. Got shape {weight.shape}.")
    if not bool(weight.any()):
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weight


def _counted(array):
    """An array whose number of rows is known; counting computes it, so it is kept."""
    if np.isnan(array.shape[0]):
        array = array.persist()
        array.compute_chunk_sizes()
    return array


def _head(X):
    """The first rows, in memory."""
    head = X[:_HEAD].compute()
    return head if sp.issparse(head) else np.asarray(head)


def _predict(X, state):
    """Predictions for a block of rows."""
    if X.shape[0] == 0:
        return np.empty((0, *state.coef_.shape[:-1]), dtype=state.coef_.dtype)
    return state.predict(X)


def _moments(X, Y, weight, start, state):
    """Sums that the coefficient of determination is made of, for a block of rows."""
    estimator, level = state
    weight = np.ones((X.shape[0], 1)) if weight is None else np.asarray(weight)[:, None]
    Y, predicted = (a.reshape(X.shape[0], -1) for a in (Y, estimator.predict(X)))
    residual, centred = Y - predicted, Y - level
    return (
        weight.sum(),
        np.sum(weight * centred, axis=0),
        np.sum(weight * centred**2, axis=0),
        np.sum(weight * residual**2, axis=0),
    )


def _merge_triangles(upper, lower, n_parameters):
    """Triangle of two runs of rows."""
    return triangularise(np.concatenate([upper, lower]), n_parameters)
