"""Numba twins of the searches behind the choice of a delay embedding.

Neighbours are found by looking at all pairs. Distances grow with the dimension, one term for each,
so that a row of them serves all dimensions. Nothing is reordered or fused: distances are those of
the array-API kernels to the last bit, and so the neighbours are the same.
"""

import math

import array_api_compat.numpy as host
import numpy as np
from numba import njit

from .._math_numba import _as_bits, _from_bits
from ._embedding_kernels import TIE, ZERO, rank_bins

_JIT = {"cache": True, "nogil": True}
# Numbers as the integers of their bits.
_TOP, _ZERO, _ZERO_SQUARE = (int(np.float64(x).view(np.int64)) for x in (np.inf, ZERO, ZERO**2))
# Distances of a row that are looked through at once.
_STRETCH = 64
# Ratios whose product is taken before its logarithm; between ZERO and its inverse, they neither
# overflow nor underflow.
_FACTORS = 8


def mutual_information(series, *, max_lag, n_bins):
    """Mutual information; the contract is that of the array-API kernel of this name."""
    codes = rank_bins(host, series, n_bins)
    # n log n of all counts.
    counts = np.arange(codes.shape[1] + 1)
    level = counts * np.log(np.maximum(counts, 1))
    information = np.empty((codes.shape[0], max_lag + 1))
    _mutual_information(codes, n_bins, level, information)
    return information


def delay_neighbors(series, *, n_dimensions, lag, window, stride, metric):
    """Nearest neighbours of delay vectors; the contract is that of the kernel of this name."""
    series = np.ascontiguousarray(series, dtype=np.float64)
    n_queries = -(-(series.shape[1] - lag) // stride)
    distance = np.full((series.shape[0], n_dimensions, n_queries), np.inf)
    growth = np.zeros(distance.shape)
    _delay_neighbors(series, lag, window, stride, metric == "maximum", distance, growth)
    return distance if metric == "maximum" else np.sqrt(distance), growth


def nearest_points(columns, *, window, stride):
    """Nearest neighbours of points; the contract is that of the kernel of this name."""
    columns = np.ascontiguousarray(columns, dtype=np.float64)
    n_queries = -(-columns.shape[1] // stride)
    square, index = np.full(n_queries, np.inf), np.full(n_queries, -1)
    _nearest_points(columns, window, stride, square, index)
    return np.sqrt(square), index


def expansion_table(series, distance, index, *, n_lags, stride):
    """The table of MDOP; the contract is that of the array-API kernel of this name."""
    series = np.ascontiguousarray(series, dtype=np.float64)
    total = np.zeros((series.shape[0], n_lags))
    count = np.zeros(total.shape)
    _expansion_table(series, distance.astype(np.float64), index, stride, total, count)
    mean = total / np.maximum(count, 1) / math.log(10)
    return np.where(count > 0, mean, -np.inf)


@njit(**_JIT)
def _mutual_information(codes, n_bins, level, information):
    """Entropies from counts."""
    n_series, n_times = codes.shape
    joint = np.zeros((n_bins, n_bins), dtype=np.int64)
    left, right = np.zeros(n_bins, dtype=np.int64), np.zeros(n_bins, dtype=np.int64)
    for s in range(n_series):
        x = codes[s]
        for lag in range(information.shape[1]):
            n_pairs = n_times - lag
            joint[:] = 0
            left[:] = 0
            right[:] = 0
            for t in range(n_pairs):
                joint[x[t], x[t + lag]] += 1
            total = 0.0
            for a in range(n_bins):
                for b in range(n_bins):
                    left[a] += joint[a, b]
                    right[b] += joint[a, b]
                    total += level[joint[a, b]]
            for a in range(n_bins):
                total -= level[left[a]] + level[right[a]]
            information[s, lag] = max((total + level[n_pairs]) / n_pairs, 0.0)


@njit(**_JIT)
def _delay_neighbors(series, lag, window, stride, maximum, distance, growth):
    """Distances, squared unless by the maximum, and growths."""
    n_series, n_dimensions, n_queries = distance.shape
    n_times = series.shape[1]
    row = np.empty(n_times)
    for s in range(n_series):
        x = series[s]
        for q in range(n_queries):
            i = q * stride
            row[:] = 0.0
            for d in range(1, n_dimensions + 1):
                last = n_times - d * lag
                if i >= last:
                    break
                copy = x[(d - 1) * lag :][:last]
                least, j = _nearest(row[:last], copy, i, window, maximum)
                if j >= 0:
                    distance[s, d - 1, q] = least
                    growth[s, d - 1, q] = abs(x[i + d * lag] - x[j + d * lag])


@njit(**_JIT)
def _nearest_points(columns, window, stride, square, index):
    """Squared distances and positions."""
    n_dimensions, n_points = columns.shape
    row = np.empty(n_points)
    for q in range(index.shape[0]):
        row[:] = 0.0
        for k in range(n_dimensions):
            square[q], index[q] = _nearest(row, columns[k], q * stride, window, False)


@njit(**_JIT)
def _nearest(row, x, i, window, maximum):
    """Add a coordinate to the distances from point i; the least of them, and its first position.

    Infinity and -1, if all other points are duplicates or within the window.
    """
    before, after = max(i - window, 0), min(i + window + 1, row.shape[0])
    early, late = row[:before], row[after:]
    if maximum:
        first, second = _widen(early, x[:before], x[i]), _widen(late, x[after:], x[i])
    else:
        first, second = _add_squares(early, x[:before], x[i]), _add_squares(late, x[after:], x[i])
    least = min(first, second)
    if least == np.inf:
        return least, -1
    zero = ZERO if maximum else ZERO * ZERO
    if first <= TIE * least:
        return least, _position(early, zero, TIE * least)
    return least, after + _position(late, zero, TIE * least)


# The bits of positive numbers are in the order of the numbers, and compilers turn the least of
# integers into vector instructions.


@njit(**_JIT)
def _add_squares(row, x, center):
    """Add a coordinate to squared distances; the least that is not one of a duplicate."""
    least = _TOP
    for j in range(row.shape[0]):
        apart = center - x[j]
        value = row[j] + apart * apart
        row[j] = value
        bits = _as_bits(value)
        least = min(least, bits if bits > _ZERO_SQUARE else _TOP)
    return _from_bits(least)


@njit(**_JIT)
def _widen(row, x, center):
    """Add a coordinate to distances by the maximum; the least that is not one of a duplicate."""
    least = _TOP
    for j in range(row.shape[0]):
        # The sum makes it a store to every place: one to those alone that change is slow.
        value = max(abs(center - x[j]), row[j]) + 0.0
        row[j] = value
        bits = _as_bits(value)
        least = min(least, bits if bits > _ZERO else _TOP)
    return _from_bits(least)


@njit(**_JIT)
def _position(row, zero, bound):
    """First position of a distance up to a bound, above 0: its stretch by vector instructions."""
    begin = 0
    while _count(row[begin : begin + _STRETCH], zero, bound) == 0:
        begin += _STRETCH
    while not zero < row[begin] <= bound:
        begin += 1
    return begin


@njit(**_JIT)
def _count(row, zero, bound):
    hits = 0
    for j in range(row.shape[0]):
        hits += 1 if (row[j] <= bound) & (row[j] > zero) else 0
    return hits


@njit(**_JIT)
def _expansion_table(series, distance, index, stride, total, count):
    """Sums and numbers of the logarithms of ratios."""
    n_channels, n_lags = total.shape
    product = np.empty(n_lags)
    for c in range(n_channels):
        x = series[c]
        for begin in range(0, index.shape[0], _FACTORS):
            product[:] = 1.0
            for q in range(begin, min(begin + _FACTORS, index.shape[0])):
                if index[q] >= 0:
                    here, there = x[q * stride :], x[index[q] :]
                    _multiply(here, there, 1 / distance[q], product, count[c])
            for k in range(n_lags):
                total[c, k] += math.log(product[k])


@njit(**_JIT)
def _multiply(here, there, scale, product, count):
    """Multiply by the ratios of one pair of neighbours, delay by delay."""
    for k in range(product.shape[0]):
        apart = abs(here[k] - there[k])
        counted = apart > ZERO
        product[k] *= apart * scale if counted else 1.0
        count[k] += 1.0 if counted else 0.0
