"""Sparse Bayesian learning with Kronecker factors from a dask array of snapshots.

Snapshots share all variances: what a fit asks of them are sums, in one round over their blocks for
each expectation. Workers keep their snapshots, and are sent prior variances and the noise; factors
are small and everywhere. Only at the end the coefficients travel.
"""

import copy
import math
from dataclasses import replace

import array_api_compat
import numpy as np
from sklearn.utils.validation import validate_data

from .._backend import get_backend
from ..linear_model._kronecker_sbl_fit import best_run, iterated, start_run
from ..linear_model._kronecker_sbl_forms import (
    Design,
    Layout,
    read_design,
    read_target,
    real_or_complex,
)
from ..linear_model._kronecker_sbl_outcome import Solution
from ..linear_model._kronecker_sbl_parameters import chosen_solvers
from ..linear_model._kronecker_sbl_problem import pose
from ..linear_model._kronecker_sbl_queries import double, predicted, predicted_std
from ._blocks import as_row_blocks, is_dask, map_rows
from ._estimators import refuse_engine
from ._kronecker_sbl_blocks import SQUARES, BlockOutcome, BlockProblem, BlockState
from ._matrix_completion import RowBlocks
from ._sketched_regression import _as_array


def fit_snapshot_blocks(estimator, X, y):
    """Fit a KroneckerSBL to a dask array of snapshots, block by block.

    Attributes are ordinary NumPy arrays, equal to those of the local fit up to rounding error.

    Parameters
    ----------
    estimator : KroneckerSBL
        The estimator, fitted in place.
    X : array-like or tuple of array-like
        A matrix or factors, in memory.
    y : dask array of shape (M, L) or (m_1, ..., m_K, L)
        Snapshots. Those of each block are kept, in the memory of the workers, during the fit.

    Returns
    -------
    estimator : KroneckerSBL
        The fitted estimator.
    """
    _refuse_blocks_of_factors(X)
    refuse_engine(estimator)
    design = _design(estimator, X)
    solvers = chosen_solvers(estimator, design.shape)
    if solvers == ["decompose"]:
        raise ValueError("solver='decompose' has no dask path. Pass y.compute().")
    y, layout, sample = _as_snapshots(design, y)
    intercept = estimator.fit_intercept
    if intercept == "auto":
        intercept = design.form == "matrix"
    problem, units = _posed(design, y, layout, sample, intercept)
    noise = None
    if estimator.noise_variance != "estimate":
        noise = units.noise(estimator.noise_variance)

    def attributes(solution):
        return estimator._attributes(design, sample, layout, problem, units, solution)

    solution = _solved(estimator, X, y, problem, units, noise, solvers, attributes)
    for name, value in attributes(solution).items():
        setattr(estimator, name, value)
    return estimator


def predict_row_blocks(estimator, X, return_std):
    """Lazy result of ``estimator.predict`` for blocks of rows of a matrix, or of the first factor.

    Parameters
    ----------
    estimator : KroneckerSBL
        The fitted estimator.
    X : dask array or data frame, or tuple whose first item is one
        Rows, in the form of the fit.
    return_std : bool
        Whether to return standard deviations too.

    Returns
    -------
    mean : dask array
        What ``predict`` would return.
    std : dask array
        Standard deviations. Only with `return_std`.
    """
    rows, others = (X[0], X[1:]) if isinstance(X, tuple) else (X, ())
    if any(map(is_dask, others)):
        raise TypeError(
            "Only the first factor of X can be a dask array. Pass the others in memory (compute())."
        )
    if is_dask(rows):
        rows = _as_array(rows, counted=len(estimator.gamma_) > 1)
    row = np.ones((1, rows.shape[1]), dtype=rows.dtype)
    design = estimator._queries((row, *others) if isinstance(X, tuple) else row, "predict")
    record, rest = estimator._record, design.row_shape[1:]
    kind, tail = record.layout.kind, (record.n_snapshots,) * record.layout.snapshots
    trailing = (*rest, *tail) if kind == "tensor" else (math.prod(rest), *tail)
    real, _ = design.dtypes()
    is_complex = record.posterior.is_complex or any(map(np.iscomplexobj, design.factors))
    dtype = np.result_type(real, np.complex64) if is_complex else real
    # A copy, because a later fit must not change what has not been computed yet.
    light = copy.copy(estimator)
    vars(light).pop("_skl_callbacks", None)

    def lazily(with_std, dtype):
        state = (light, design.form, design.factors[1:], with_std, trailing)
        found = map_rows(rows, _predict, trailing=trailing, dtype=dtype, state=state)
        if kind in ("tensor", "rows"):
            return found
        return found[:, 0] if trailing[0] == 1 else found.reshape((-1, *tail))

    mean = lazily(False, dtype)
    return (mean, lazily(True, real)) if return_std else mean


def _refuse_blocks_of_factors(X):
    """Refuse a design that lies in blocks."""
    for place in X if isinstance(X, tuple) else (X,):
        if is_dask(place):
            raise TypeError(
                "X holds a dask array, but a fit needs the whole of each factor. Pass X in memory"
                " (compute()); only y may be a dask array, cut along its snapshots."
            )


def _design(estimator, X):
    """Validated factors, as NumPy arrays."""
    design = read_design(estimator, X, reset=True)
    be = design.be
    if not all(map(array_api_compat.is_numpy_namespace, (be.xp, be.home))):
        raise TypeError("X must hold NumPy arrays where y is a dask array.")
    if design.form != "matrix":
        return design
    dtypes = {"dtype": be.float_dtypes, "order": "C", "ensure_min_samples": 2}
    return Design(be, "matrix", [validate_data(estimator, X, reset=True, **dtypes)])


def _as_snapshots(design, y):
    """Target as a dask array with snapshots first, its layout, and an empty array of its dtype."""
    import dask.array as da

    if not isinstance(y, da.Array):
        raise TypeError(
            f"y must be a dask array. Got a dask {type(y).__name__}: convert it first, or pass data"
            " in memory (compute())."
        )
    if any(np.isnan(y.shape)):
        # Counting computes the blocks: keep them for the work that follows.
        y = y.persist()
        y.compute_chunk_sizes()
    rows, total = design.row_shape, math.prod(design.row_shape)
    if design.form != "rows" and y.ndim == 2 and y.shape[0] == total:
        layout = Layout("columns", True)
    elif y.ndim == len(rows) + 1 and y.shape[:-1] == rows:
        layout = Layout("tensor", True)
    else:
        shapes = "" if design.form == "rows" else f"({total}, L) or "
        raise ValueError(
            f"As a dask array y must have snapshots along its last axis, in the shape {shapes}"
            f"({', '.join(map(str, rows))}, L). Got shape {y.shape}; pass one snapshot in memory"
            " (compute())."
        )
    if y.shape[-1] == 0:
        raise ValueError(f"y has no snapshots: its shape is {y.shape}.")
    sample = real_or_complex(design.be, np.empty(0, dtype=y.dtype), "y")
    if design.form == "matrix" and np.iscomplexobj(sample):
        raise ValueError("Complex data not supported. Pass the matrix X as a tuple (X,).")
    return da.moveaxis(y, -1, 0), layout, sample


def _posed(design, y, layout, sample, intercept):
    """The problem without units and its units, as those of the local fit."""
    rows, starts = as_row_blocks(y)
    raw = RowBlocks([row[0] for row in rows], starts)
    state = (design.be.name, design.form, design.factors, sample, intercept)
    read = RowBlocks(raw.map(_read, state=state), starts)
    facts = read.sum(_facts)
    kept = [k for k, fact in enumerate(facts) if fact is not None]
    known, centres, block_units = zip(*(facts[k] for k in kept), strict=True)
    unit = max(block_units) or 1.0
    posed = RowBlocks([read.blocks[k] for k in kept], [starts[k] for k in kept])
    blocks = RowBlocks(posed.map(_scaled, state=unit), posed.starts)
    nothing = np.zeros((1, *design.row_shape), dtype=sample.dtype)
    tensor, *factors = double(design.be, nothing, *design.factors)
    silent, units = pose(design.be, factors, tensor, intercept)
    shared = replace(silent, data=silent.data[1:], norms=silent.norms[1:], n_snapshots=0)
    norms = [norm * (own / unit) ** 2 for norm, own in zip(known, block_units, strict=True)]
    every = np.concatenate([*norms, shared.norms])
    problem = BlockProblem(
        shared.be,
        shared.factors,
        np.empty((every.size, *(0,) * len(factors)), dtype=shared.data.dtype),
        every,
        shared.n_rows,
        y.shape[0],
        blocks,
        shared,
    )
    return problem, replace(units, data=unit, centre=np.concatenate(centres))


def _solved(estimator, X, y, problem, units, noise, solvers, attributes):
    """Solution of a problem in blocks, as that of the local fit."""
    if problem.is_silent:
        return Solution(BlockOutcome.silent(problem, units, noise), solvers[-1], 1, True, [])
    run = best_run(estimator, problem, noise, solvers, _start_in_blocks)
    return iterated(estimator, X, y, run, units, attributes)


def _start_in_blocks(estimator, solver, problem, noise, gammas=None):
    """A run at its start, whose snapshots stay where they are."""
    run = start_run(estimator, solver, problem, noise, gammas)
    # "mm" asks for the cost before its first mode.
    run.state = BlockState.of(run.state, 0 if solver == "mm" else SQUARES)
    return run


def _read(block, state):
    """Parts of the problem of a block, its means and its unit; None if it has no snapshots."""
    backend, form, factors, sample, intercept = state
    be, n = get_backend(backend, np.empty(0)), block.shape[0]
    if n == 0:
        return None
    design = Design(be, form, factors)
    y = np.moveaxis(np.reshape(block, (n, *design.row_shape)), 0, -1)
    data, _ = read_target(design, y)
    if np.iscomplexobj(data) and not np.iscomplexobj(sample):
        raise ValueError("A block of y is complex, but y.dtype is real.")
    tensor, *matrices = double(be, data.astype(sample.dtype, copy=False), *factors)
    problem, units = pose(be, matrices, tensor, intercept)
    parts = (backend, problem.factors, problem.data, problem.norms, problem.n_rows, n)
    return parts, units.centre, units.data if tensor.any() else 0.0


def _facts(block, start, state):
    """Squared norms, means and unit of a block, as a list that grows by merging."""
    if block is None:
        return [None]
    (_, _, _, norms, _, n), centre, unit = block
    return [(norms[:n], centre, unit)]


def _scaled(block, unit):
    """Parts of the problem of a block, with its data in the unit of all."""
    (backend, factors, data, norms, n_rows, n), _, own = block
    factor = own / unit
    data = np.concatenate([data[:n] * factor, data[n:]])
    norms = np.concatenate([norms[:n] * factor**2, norms[n:]])
    return backend, factors, data, norms, n_rows, n


def _predict(block, state):
    """Means or standard deviations for a block of rows, with the rows as the first axis."""
    estimator, form, others, with_std, trailing = state
    be, n = get_backend(estimator.backend, np.empty(0)), block.shape[0]
    rows = real_or_complex(be, block, "X")
    if not np.isfinite(rows).all():
        raise ValueError("X contains NaN or infinity.")
    design = Design(be, form, [rows, *others])
    if with_std:
        values = predicted_std(design, estimator._record)
    else:
        values = predicted(design, estimator._record, estimator.coef_, estimator.intercept_)
    return estimator._home(design, values).reshape(n, *trailing)
