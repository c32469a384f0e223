"""Numba twins: one pass over rows, or over the entries of sparse ones."""

import numpy as np
from numba import njit

_JIT = {"cache": True, "nogil": True}
# Sums may be reordered, which lets them use vector registers.
_SUMS = {**_JIT, "fastmath": {"reassoc", "contract", "nsz"}}
# Rows, and columns, that are copied together where neighbours in memory are in a column: row by
# row, columns whose length is a power of two would meet in the same few places of a cache.
_TILE, _STRIP = 256, 8
# Rows that are copied, and used before the nearest cache has lost them.
_SHORT = 32


def weighted_rows(values, shift, unit, weight, *, out=None):
    """Rows of a block; the contract is that of the array-API kernel of this name."""
    n_rows, n_columns = values.shape
    rows = np.empty((n_rows, n_columns)) if out is None else out
    changes = _without_none(values, shift, unit, weight)
    if _is_by_columns(values):
        _weighted_strips(values, *changes, rows)
    else:
        _weighted_rows(values, *changes, rows)
    return rows


def _without_none(values, shift, unit, weight):
    """Shifts, units and weights of rows, ones or zeros in place of None."""
    n_rows, n_columns = values.shape
    return (
        np.zeros(n_columns) if shift is None else shift,
        np.ones(n_columns) if unit is None else unit,
        np.ones(n_rows) if weight is None else weight,
    )


def _is_by_columns(values):
    """Whether neighbours in memory are in a column, as in most data frames."""
    return abs(values.strides[0]) < abs(values.strides[1])


@njit(**_JIT)
def _weighted_rows(values, shift, unit, weight, rows):
    """Write the rows."""
    for i in range(values.shape[0]):
        factor = np.float64(weight[i])
        for j in range(values.shape[1]):
            rows[i, j] = (values[i, j] - shift[j]) * unit[j] * factor


@njit(**_JIT)
def _weighted_strips(values, shift, unit, weight, rows):
    """Write the rows, a few columns at a time."""
    n_rows, n_columns = values.shape
    whole = n_columns - n_columns % _STRIP
    for first in range(0, n_rows, _TILE):
        last = min(first + _TILE, n_rows)
        for left in range(0, whole, _STRIP):
            for i in range(first, last):
                factor = np.float64(weight[i])
                # Their number is known to the compiler.
                for k in range(_STRIP):
                    j = left + k
                    rows[i, j] = (values[i, j] - shift[j]) * unit[j] * factor
        _weighted_rows(
            values[first:last, whole:],
            shift[whole:],
            unit[whole:],
            weight[first:last],
            rows[first:last, whole:],
        )


def row_gradient(values, targets, shift, unit, weight, parameters, *, intercept, out=None):
    """Gradient of dense rows; the contract is that of the array-API kernel of this name."""
    changes = _without_none(values, shift, unit, weight)
    lead, k = int(intercept), targets.shape[1]
    slope, squares = np.zeros(parameters.shape), np.zeros(k)
    if k == 1:
        coef, base = parameters[lead:, 0].copy(), parameters[0, 0] if intercept else 0.0
        one_target = (targets[:, 0], coef, base, slope[lead:, 0])
        total, squares[0] = _one_target_of_rows(
            values, *changes, *one_target, _is_by_columns(values)
        )
        slope[:lead] = total
        return slope, squares
    rows = weighted_rows(values, *changes, out=None if out is None else out[: len(values)])
    residual = targets - rows @ parameters[lead:]
    if intercept:
        residual -= changes[2][:, None] * parameters[:1]
        slope[:1] = changes[2] @ residual
    slope[lead:] = rows.T @ residual
    return slope, np.sum(residual * residual, axis=0)


@njit(**_JIT)
def _one_target_of_rows(values, shift, unit, weight, targets, coef, base, slope, by_columns):
    """Add to the slope of a single target; return that of the intercept, and the squared norm."""
    n_rows, n_columns = values.shape
    size = _TILE if by_columns else _SHORT
    rows = np.empty((min(size, n_rows), n_columns))
    total = squares = 0.0
    for first in range(0, n_rows, size):
        last = min(first + size, n_rows)
        # Made without reordering: products of units and weights may leave the range of numbers.
        if by_columns:
            _weighted_strips(values[first:last], shift, unit, weight[first:last], rows)
        else:
            _weighted_rows(values[first:last], shift, unit, weight[first:last], rows)
        part = _sums(rows, weight[first:last], targets[first:last], coef, base, slope)
        total, squares = total + part[0], squares + part[1]
    return total, squares


@njit(**_SUMS)
def _sums(rows, weight, targets, coef, base, slope):
    """The same for rows that are made."""
    n_columns = rows.shape[1]
    part = np.empty(n_columns)
    total = squares = 0.0
    for first in range(0, weight.shape[0], _SHORT):
        # A sum for a few rows, since long ones lose digits.
        part[:] = 0
        for i in range(first, min(first + _SHORT, weight.shape[0])):
            factor, row = np.float64(weight[i]), rows[i]
            residual = targets[i] - factor * base
            for j in range(n_columns):
                residual -= row[j] * coef[j]
            total += factor * residual
            squares += residual * residual
            for j in range(n_columns):
                part[j] += residual * row[j]
        for j in range(n_columns):
            slope[j] += part[j]
    return total, squares


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
