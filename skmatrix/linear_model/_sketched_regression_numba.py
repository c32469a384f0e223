"""Numba twins: one pass over rows, or over the entries of sparse ones."""

import numpy as np
from numba import njit

_JIT = {"cache": True, "nogil": True}


def weighted_rows(values, shift, unit, weight, *, out=None):
    """Rows of a block; the contract is that of the array-API kernel of this name."""
    n_rows, n_columns = values.shape
    rows = np.empty((n_rows, n_columns)) if out is None else out
    shift = np.zeros(n_columns) if shift is None else shift
    unit = np.ones(n_columns) if unit is None else unit
    weight = np.ones(n_rows) if weight is None else weight
    _weighted_rows(values, shift, unit, weight, rows)
    return rows


@njit(**_JIT)
def _weighted_rows(values, shift, unit, weight, rows):
    """Write the rows."""
    for i in range(values.shape[0]):
        factor = np.float64(weight[i])
        for j in range(values.shape[1]):
            rows[i, j] = (values[i, j] - shift[j]) * unit[j] * factor


def csr_gradient(data, indices, indptr, row_weight, base, coef):
    """Gradient of sparse rows; the contract is that of the array-API kernel of this name."""
    slope = np.zeros(coef.shape)
    total, squares = np.zeros(coef.shape[1]), np.zeros(coef.shape[1])
    arrays = (data, indices, indptr, row_weight)
    if coef.shape[1] == 1:
        _one_target(*arrays, base[:, 0], coef[:, 0].copy(), slope[:, 0], total, squares)
    else:
        _gradient(*arrays, base, coef, slope, total, squares)
    return slope, total, squares


@njit(**_JIT)
def _one_target(data, indices, indptr, row_weight, base, coef, slope, total, squares):
    """The gradient for a single target."""
    sum_pulled = sum_squares = 0.0
    for i in range(indptr.shape[0] - 1):
        weight = np.float64(row_weight[i])
        product = 0.0
        for e in range(indptr[i], indptr[i + 1]):
            product += data[e] * coef[indices[e]]
        residual = base[i] - weight * product
        pulled = weight * residual
        sum_pulled += pulled
        sum_squares += residual * residual
        for e in range(indptr[i], indptr[i + 1]):
            slope[indices[e]] += data[e] * pulled
    total[0], squares[0] = sum_pulled, sum_squares


@njit(**_JIT)
def _gradient(data, indices, indptr, row_weight, base, coef, slope, total, squares):
    """The gradient for several targets."""
    k = coef.shape[1]
    residual = np.empty(k)
    for i in range(indptr.shape[0] - 1):
        weight = np.float64(row_weight[i])
        for t in range(k):
            residual[t] = 0.0
        for e in range(indptr[i], indptr[i + 1]):
            for t in range(k):
                residual[t] += data[e] * coef[indices[e], t]
        for t in range(k):
            residual[t] = base[i, t] - weight * residual[t]
            squares[t] += residual[t] * residual[t]
            residual[t] *= weight
            total[t] += residual[t]
        for e in range(indptr[i], indptr[i + 1]):
            for t in range(k):
                slope[indices[e], t] += data[e] * residual[t]
