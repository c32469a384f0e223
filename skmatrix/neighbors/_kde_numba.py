"""Numba twins of the sums of a kernel density estimate.

Queries meet the data in tiles that stay in the cache. Distances are sums of squared differences:
nothing cancels. The tiles are the same for every query, whose result hangs on no other query.
"""

import math

import numpy as np
from numba import njit

from .._math_numba import exp_below
from ._kde_profiles import COMPACT, KERNELS

# Points of a tile, and queries that share what is loaded of it.
_TILE = 512
_QUERIES = 4
# Terms smaller than the largest by this exponent change no digit of a sum.
_NEGLIGIBLE = 60.0
# Features up to which tiles are compact enough for their bounds to tell anything.
_BOUNDED = 16

_CODES = {name: code for code, name in enumerate(KERNELS)}
_GAUSSIAN, _STUDENT, _EXPONENTIAL = (_CODES[n] for n in ("gaussian", "student", "exponential"))
_TOPHAT, _EPANECHNIKOV, _LINEAR = (_CODES[n] for n in ("tophat", "epanechnikov", "linear"))

# A multiplication may be fused with an addition; sums keep their order.
_STRICT = {"cache": True, "nogil": True, "fastmath": {"contract", "nsz"}}
# Sums may be reordered. Infinities keep their meaning.
_LOOSE = {"cache": True, "nogil": True, "fastmath": {"reassoc", "contract", "nsz"}}


def density_sums(queries, data, log_weight, own, *, profile, df, moments):
    """Sums of every query; the contract is that of the array-API kernel of this name."""
    queries, data, own = _prepared(queries, data, own)
    sums = np.zeros((6, queries.shape[0]))
    if profile in COMPACT:
        sums[0] = log_weight.max() if log_weight.size else 0.0
        weight = np.exp(log_weight - sums[0, :1]) if log_weight.size else log_weight
        _compact_sums(queries, data, weight, own, _CODES[profile], moments, sums)
    else:
        sums[0] = -np.inf
        settings = (_CODES[profile], float(df), moments)
        _infinite_sums(queries, data, log_weight.astype(data.dtype), own, settings, sums)
    peak, mass, squared, level, distance, fourth = sums
    reached = mass > 0
    # log 0 stands for a query without points.
    with np.errstate(divide="ignore"):
        log_sum = np.where(reached, peak, 0) + np.log(mass)
    if not moments:
        return log_sum, *np.zeros((4, queries.shape[0]))
    mass = np.where(reached, mass, 1)
    entropy = np.where(reached, np.log(mass) - level / mass, 0.0)
    return log_sum, squared / mass**2, entropy, distance / mass, fourth / mass


def nearest_squares(queries, data, own, *, k):
    """The nearest points; the contract is that of the array-API kernel of this name."""
    queries, data, own = _prepared(queries, data, own)
    nearest = np.full((queries.shape[0], k), np.inf)
    _nearest(queries, data, own, nearest)
    return nearest


def halving_sums(queries, data, log_weight, own, nearest, *, n_bandwidths):
    """Sums at halved bandwidths; the contract is that of the array-API kernel of this name."""
    queries, data, own = _prepared(queries, data, own)
    sums = np.zeros((queries.shape[0], n_bandwidths))
    least = np.asarray(nearest, dtype=np.float64)
    log_weight = log_weight.astype(np.float64)
    unlike = np.ptp(log_weight) if log_weight.size else 0.0
    _halvings(queries, data, np.exp(log_weight), own, least, unlike, sums)
    return np.log(sums) - 0.5 * least[:, None] * 2.0 ** np.arange(n_bandwidths)


def coordinate_moments(queries, data, log_weight, own, log_total):
    """Moments by coordinate; the contract is that of the array-API kernel of this name."""
    queries, data, own = _prepared(queries, data, own)
    moments = np.zeros(queries.shape)
    total = np.asarray(log_total, dtype=np.float64)
    _coordinates(queries, data, log_weight.astype(np.float64), own, total, moments)
    return moments


def _prepared(queries, data, own):
    """Arrays of one layout, and a point left out, or -1, for each query."""
    queries, data = np.ascontiguousarray(queries), np.ascontiguousarray(data)
    if not own.shape[0]:
        own = np.full(queries.shape[0], -1)
    return queries, data, own.astype(np.int64)


@njit(**_STRICT)
def _load(data, first, width, tile, box):
    """Some points, by dimensions, and the box that they lie in if it is of use."""
    d = data.shape[1]
    for j in range(width):
        for k in range(d):
            tile[k, j] = data[first + j, k]
    if d > _BOUNDED:
        return
    for k in range(d):
        box[0, k] = box[1, k] = tile[k, 0]
        for j in range(1, width):
            box[0, k] = min(box[0, k], tile[k, j])
            box[1, k] = max(box[1, k], tile[k, j])


@njit(**_STRICT)
def _gap(queries, i, box):
    """Lower bound of the squared distances of a query to the points of a tile.

    A little less than it is, for the rounding of the distances.
    """
    d = queries.shape[1]
    gap = 0.0
    if d > _BOUNDED:
        return gap
    for k in range(d):
        outside = max(box[0, k] - queries[i, k], queries[i, k] - box[1, k])
        if outside > 0:
            gap += np.float64(outside) * outside
    return gap * (1 - 1e-5)


@njit(**_STRICT)
def _any_within(queries, begin, count, box, limits):
    """Whether a tile may have a point within its limit of one of some queries."""
    within = False
    for q in range(count):
        within |= _gap(queries, begin + q, box) <= limits[q]
    return within


@njit(**_STRICT)
def _squares(queries, first, count, tile, width, squares):
    """Squared distances of `count` queries to the points of a tile, four dimensions at a time."""
    d = tile.shape[0]
    for q in range(count):
        squares[q, :width] = 0
    k = 0
    while k + 4 <= d:
        y0, y1, y2, y3 = tile[k], tile[k + 1], tile[k + 2], tile[k + 3]
        for q in range(count):
            x0, x1 = queries[first + q, k], queries[first + q, k + 1]
            x2, x3 = queries[first + q, k + 2], queries[first + q, k + 3]
            row = squares[q]
            for j in range(width):
                a, b, c, e = x0 - y0[j], x1 - y1[j], x2 - y2[j], x3 - y3[j]
                row[j] += (a * a + b * b) + (c * c + e * e)
        k += 4
    while k < d:
        y0 = tile[k]
        for q in range(count):
            x0 = queries[first + q, k]
            row = squares[q]
            for j in range(width):
                a = x0 - y0[j]
                row[j] += a * a
        k += 1


@njit(**_STRICT)
def _gaussian(squares, values, width):
    half = squares.dtype.type(-0.5)
    for j in range(width):
        values[j] = half * squares[j]


@njit(**_STRICT)
def _exponential(squares, values, width):
    for j in range(width):
        values[j] = -np.sqrt(squares[j])


@njit(**_STRICT)
def _student(squares, values, width, df, d):
    for j in range(width):
        values[j] = -0.5 * (df + d) * math.log1p(squares[j] / df)


@njit(**_STRICT)
def _add(values, log_weight, first, width):
    for j in range(width):
        values[j] += log_weight[first + j]


@njit(**_LOOSE)
def _maximum(values, width):
    top = values[0]
    for j in range(1, width):
        top = max(top, values[j])
    return top


@njit(**_STRICT)
def _exponentials(values, peak, terms, width):
    """``e^{values - peak}`` for values of at most about the peak."""
    for j in range(width):
        terms[j] = exp_below(values[j] - peak)


@njit(**_LOOSE)
def _total(terms, width):
    total = 0.0
    for j in range(width):
        total += terms[j]
    return total


@njit(**_LOOSE)
def _moments(terms, values, squares, peak, width):
    """The other four sums."""
    squared = level = distance = distance_squared = 0.0
    for j in range(width):
        term, r2 = np.float64(terms[j]), np.float64(squares[j])
        squared += term * term
        level += (values[j] - peak) * term
        distance += r2 * term
        distance_squared += r2 * r2 * term
    return squared, level, distance, distance_squared


@njit(**_STRICT)
def _rescale(sums, i, peak):
    """Count the sums of a query from a higher peak."""
    before = sums[0, i]
    sums[0, i] = peak
    if before == -np.inf:
        return
    drop = peak - before
    factor = math.exp(-drop)
    sums[3, i] = factor * (sums[3, i] - drop * sums[1, i])
    sums[1, i] *= factor
    sums[2, i] *= factor * factor
    sums[4, i] *= factor
    sums[5, i] *= factor


@njit(**_STRICT)
def _reach(code, excess):
    """Squared distance beyond which a point adds nothing to a sum with this much less peak."""
    exponent = max(excess + _NEGLIGIBLE, 0.0)
    if code == _GAUSSIAN:
        return 2 * exponent
    if code == _EXPONENTIAL:
        return exponent * exponent
    return np.inf


@njit(**_STRICT)
def _infinite_sums(queries, data, log_weight, own, settings, sums):
    """Sums for kernels that are nowhere 0."""
    code, df, moments = settings
    n, d = data.shape
    tile, box = np.empty((d, _TILE), dtype=data.dtype), np.zeros((2, d), dtype=data.dtype)
    limits = np.empty(_QUERIES)
    squares = np.empty((_QUERIES, _TILE), dtype=data.dtype)
    values = np.empty(_TILE, dtype=data.dtype)
    terms = np.empty(_TILE, dtype=data.dtype)
    heaviest = np.float64(log_weight.max()) if log_weight.shape[0] else 0.0
    for first in range(0, n, _TILE):
        width = min(_TILE, n - first)
        _load(data, first, width, tile, box)
        for begin in range(0, queries.shape[0], _QUERIES):
            count = min(_QUERIES, queries.shape[0] - begin)
            for q in range(count):
                limits[q] = _reach(code, heaviest - sums[0, begin + q])
            if not _any_within(queries, begin, count, box, limits):
                continue
            _squares(queries, begin, count, tile, width, squares)
            for q in range(count):
                i = begin + q
                if code == _GAUSSIAN:
                    _gaussian(squares[q], values, width)
                elif code == _EXPONENTIAL:
                    _exponential(squares[q], values, width)
                else:
                    _student(squares[q], values, width, df, d)
                if log_weight.shape[0]:
                    _add(values, log_weight, first, width)
                left_out = own[i] - first
                if 0 <= left_out < width:
                    values[left_out] = -np.inf
                top = _maximum(values, width)
                if top == -np.inf or top < sums[0, i] - _NEGLIGIBLE:
                    continue
                if top > sums[0, i]:
                    _rescale(sums, i, np.float64(top))
                peak = data.dtype.type(sums[0, i])
                _exponentials(values, peak, terms, width)
                if 0 <= left_out < width:
                    terms[left_out] = values[left_out] = squares[q, left_out] = 0
                sums[1, i] += _total(terms, width)
                if moments:
                    more = _moments(terms, values, squares[q], peak, width)
                    for s in range(4):
                        sums[2 + s, i] += more[s]


@njit(**_STRICT)
def _compact_profile(code, square):
    """Profile inside of the unit ball."""
    if code == _TOPHAT:
        return 1.0
    if code == _EPANECHNIKOV:
        return 1.0 - square
    if code == _LINEAR:
        return 1.0 - math.sqrt(square)
    return math.cos(0.5 * math.pi * math.sqrt(square))


@njit(**_STRICT)
def _compact_sums(queries, data, weight, own, code, moments, sums):
    """Sums for kernels that are 0 outside of the unit ball."""
    n, d = data.shape
    tile, box = np.empty((d, _TILE), dtype=data.dtype), np.zeros((2, d), dtype=data.dtype)
    limits = np.empty(_QUERIES)
    squares = np.empty((_QUERIES, _TILE), dtype=data.dtype)
    for first in range(0, n, _TILE):
        width = min(_TILE, n - first)
        _load(data, first, width, tile, box)
        for begin in range(0, queries.shape[0], _QUERIES):
            count = min(_QUERIES, queries.shape[0] - begin)
            for q in range(count):
                limits[q] = 1.0
            if not _any_within(queries, begin, count, box, limits):
                continue
            _squares(queries, begin, count, tile, width, squares)
            for q in range(count):
                i = begin + q
                for j in range(width):
                    r2 = np.float64(squares[q, j])
                    if r2 >= 1 or first + j == own[i]:
                        continue
                    term = _compact_profile(code, r2)
                    if weight.shape[0]:
                        term *= weight[first + j]
                    sums[1, i] += term
                    if moments and term > 0:
                        sums[2, i] += term * term
                        sums[3, i] += term * math.log(term)
                        sums[4, i] += r2 * term
                        sums[5, i] += r2 * r2 * term


@njit(**_STRICT)
def _nearest(queries, data, own, nearest):
    """Keep the smallest squares of every query in order."""
    n, d = data.shape
    k = nearest.shape[1]
    tile, box = np.empty((d, _TILE), dtype=data.dtype), np.zeros((2, d), dtype=data.dtype)
    limits = np.empty(_QUERIES)
    squares = np.empty((_QUERIES, _TILE), dtype=data.dtype)
    for first in range(0, n, _TILE):
        width = min(_TILE, n - first)
        _load(data, first, width, tile, box)
        for begin in range(0, queries.shape[0], _QUERIES):
            count = min(_QUERIES, queries.shape[0] - begin)
            for q in range(count):
                limits[q] = nearest[begin + q, k - 1]
            if not _any_within(queries, begin, count, box, limits):
                continue
            _squares(queries, begin, count, tile, width, squares)
            for q in range(count):
                kept = nearest[begin + q]
                for j in range(width):
                    r2 = np.float64(squares[q, j])
                    if r2 >= kept[k - 1] or first + j == own[begin + q]:
                        continue
                    place = k - 1
                    while place > 0 and kept[place - 1] > r2:
                        kept[place] = kept[place - 1]
                        place -= 1
                    kept[place] = r2


@njit(**_STRICT)
def _halvings(queries, data, weight, own, least, unlike, sums):
    """One exponential per pair, and a square per further bandwidth.

    `unlike` is the logarithm of the ratio of the largest weight to the smallest.
    """
    n, d = data.shape
    tile, box = np.empty((d, _TILE), dtype=data.dtype), np.zeros((2, d), dtype=data.dtype)
    limits = np.empty(_QUERIES)
    squares = np.empty((_QUERIES, _TILE), dtype=data.dtype)
    values, terms = np.empty(_TILE), np.empty(_TILE)
    for first in range(0, n, _TILE):
        width = min(_TILE, n - first)
        _load(data, first, width, tile, box)
        for begin in range(0, queries.shape[0], _QUERIES):
            count = min(_QUERIES, queries.shape[0] - begin)
            for q in range(count):
                limits[q] = least[begin + q] + 2 * (_NEGLIGIBLE + unlike)
            if not _any_within(queries, begin, count, box, limits):
                continue
            _squares(queries, begin, count, tile, width, squares)
            for q in range(count):
                i = begin + q
                # A distance below the nearest is so by rounding, which the squares would blow up.
                for j in range(width):
                    values[j] = -0.5 * max(np.float64(squares[q, j]), least[i])
                _exponentials(values, -0.5 * least[i], terms, width)
                if 0 <= own[i] - first < width:
                    terms[own[i] - first] = 0
                for b in range(sums.shape[1]):
                    if weight.shape[0]:
                        sums[i, b] += _dot(terms, weight[first : first + width])
                    else:
                        sums[i, b] += _total(terms, width)
                    _square(terms, width)


@njit(**_LOOSE)
def _dot(terms, weight):
    total = 0.0
    for j in range(weight.shape[0]):
        total += terms[j] * weight[j]
    return total


@njit(**_STRICT)
def _square(terms, width):
    for j in range(width):
        terms[j] *= terms[j]


@njit(**_STRICT)
def _coordinates(queries, data, log_weight, own, log_total, moments):
    """Squared differences under the normalised weights."""
    n, d = data.shape
    tile, box = np.empty((d, _TILE), dtype=data.dtype), np.zeros((2, d), dtype=data.dtype)
    limits = np.empty(_QUERIES)
    squares = np.empty((_QUERIES, _TILE), dtype=data.dtype)
    values, terms = np.empty(_TILE), np.empty(_TILE)
    heaviest = log_weight.max() if log_weight.shape[0] else 0.0
    for first in range(0, n, _TILE):
        width = min(_TILE, n - first)
        _load(data, first, width, tile, box)
        for begin in range(0, queries.shape[0], _QUERIES):
            count = min(_QUERIES, queries.shape[0] - begin)
            for q in range(count):
                limits[q] = 2 * max(heaviest - log_total[begin + q] + _NEGLIGIBLE, 0.0)
            if not _any_within(queries, begin, count, box, limits):
                continue
            _squares(queries, begin, count, tile, width, squares)
            for q in range(count):
                i = begin + q
                for j in range(width):
                    values[j] = -0.5 * np.float64(squares[q, j])
                if log_weight.shape[0]:
                    _add(values, log_weight, first, width)
                if 0 <= own[i] - first < width:
                    values[own[i] - first] = -np.inf
                if _maximum(values, width) < log_total[i] - _NEGLIGIBLE:
                    continue
                _exponentials(values, log_total[i], terms, width)
                if 0 <= own[i] - first < width:
                    terms[own[i] - first] = 0
                for k in range(d):
                    moments[i, k] += _spread(terms, tile[k], np.float64(queries[i, k]), width)


@njit(**_LOOSE)
def _spread(terms, values, center, width):
    total = 0.0
    for j in range(width):
        difference = center - values[j]
        total += terms[j] * difference * difference
    return total
