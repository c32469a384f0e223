"""Numba twins of the sketches: the random numbers are made where they are used."""

import numpy as np
from numba import njit

from .._hadamard_numba import hadamard_rows
from ._hashing import _FIRST, _SECOND, GOLDEN, OUTPUTS, PICKS, PLACES, ROWS, stream_key

# Sums keep their order, so that the result of a block hangs on its rows alone.
_JIT = {"cache": True, "nogil": True}

# Columns that are transformed together: their block is copied once and stays in the cache.
_TILE = 32

_HALF = np.uint64(32)
_ONE = np.uint64(1)


def fwht(X):
    """Transform of the columns; the contract is that of the array-API kernel of this name."""
    transformed = np.array(X, order="C")
    if transformed.size:
        hadamard_rows(transformed.reshape(-1), X.shape[1])
    return transformed


def srht(M, *, seed, start, n_components, block):
    """Block SRHT; the contract is that of the array-API kernel of this name."""
    sketch = np.zeros((n_components, M.shape[1]))
    keys = tuple(stream_key(seed, stream) for stream in (ROWS, PICKS, OUTPUTS, PLACES))
    low_bits = np.uint64((block.bit_length() - 1) // 2)
    scale = 1 / np.sqrt(n_components)
    _srht(M, np.uint64(start), block, low_bits, keys, scale, sketch)
    return sketch


def sparse_sign(M, *, seed, start, n_components, n_nonzero):
    """Sparse sign sketch; the contract is that of the array-API kernel of this name."""
    sketch = np.zeros((n_components, M.shape[1]))
    scale = 1 / np.sqrt(n_nonzero)
    _scatter(M, np.uint64(start), n_nonzero, stream_key(seed, ROWS), scale, sketch)
    return sketch


def sparse_sign_csr(
    data, indices, indptr, row_weight, *, seed, start, n_components, n_nonzero, n_features
):
    """Sparse sign sketch of CSR rows; the contract is that of the kernel of this name."""
    sketch = np.zeros((n_components, n_features))
    key = stream_key(seed, ROWS)
    scale, start = 1 / np.sqrt(n_nonzero), np.uint64(start)
    _scatter_csr(data, indices, indptr, row_weight, start, n_nonzero, key, scale, sketch)
    return sketch


@njit(**_JIT)
def _mix(z):
    """The bijection of splitmix64."""
    z = (z ^ (z >> np.uint64(30))) * _FIRST
    z = (z ^ (z >> np.uint64(27))) * _SECOND
    return z ^ (z >> np.uint64(31))


@njit(**_JIT)
def _target(h, t, n_components, n_nonzero):
    """Row of the t-th non-zero of a column, in the t-th segment of the sketch."""
    low = t * n_components // n_nonzero
    high = (t + 1) * n_components // n_nonzero
    return low + np.int64(((h >> _HALF) * np.uint64(high - low)) >> _HALF)


@njit(**_JIT)
def _scatter(M, start, n_nonzero, key, scale, sketch):
    """Add each row, times a scale with a sign, to its rows of the sketch."""
    n_components, k = sketch.shape
    for i in range(M.shape[0]):
        row = M[i]
        row_key = _mix(key + (start + np.uint64(i)) * GOLDEN)
        for t in range(n_nonzero):
            h = _mix(row_key + np.uint64(t + 1) * GOLDEN)
            out = sketch[_target(h, t, n_components, n_nonzero)]
            signed = scale if h & _ONE else -scale
            for j in range(k):
                out[j] += signed * row[j]


@njit(**_JIT)
def _scatter_csr(data, indices, indptr, row_weight, start, n_nonzero, key, scale, sketch):
    """Add the entries of each weighted row, times a scale with a sign, to its rows."""
    n_components = sketch.shape[0]
    for i in range(indptr.shape[0] - 1):
        if indptr[i] == indptr[i + 1]:
            continue
        row_key = _mix(key + (start + np.uint64(i)) * GOLDEN)
        weight = scale * np.float64(row_weight[i])
        for t in range(n_nonzero):
            h = _mix(row_key + np.uint64(t + 1) * GOLDEN)
            out = sketch[_target(h, t, n_components, n_nonzero)]
            signed = weight if h & _ONE else -weight
            for e in range(indptr[i], indptr[i + 1]):
                out[indices[e]] += signed * data[e]


@njit(**_JIT)
def _srht(M, start, block, low_bits, keys, scale, sketch):
    """Add the sketches of the blocks, by tiles of columns."""
    n_rows, k = M.shape
    n_components = sketch.shape[0]
    row_key, pick_key, output_key, place_key = keys
    sign = np.empty(block)
    places = np.empty(block, dtype=np.int64)
    picks = np.empty(n_components, dtype=np.int64)
    output = np.empty(n_components)
    tile = np.empty(block * _TILE)
    for begin in range(0, n_rows, block):
        end = min(begin + block, n_rows)
        for i in range(end - begin):
            h = _mix(row_key + (start + np.uint64(begin + i)) * GOLDEN)
            sign[i] = 1.0 if h & _ONE else -1.0
        index = (start + np.uint64(begin)) // np.uint64(block)
        _permute(_mix(place_key + index * GOLDEN), low_bits, places)
        block_picks = _mix(pick_key + index * GOLDEN)
        block_outputs = _mix(output_key + index * GOLDEN)
        for c in range(n_components):
            h = _mix(block_picks + np.uint64(c) * GOLDEN)
            picks[c] = np.int64(((h >> _HALF) * np.uint64(block)) >> _HALF)
            positive = _mix(block_outputs + np.uint64(c) * GOLDEN) & _ONE
            output[c] = scale if positive else -scale
        for left in range(0, k, _TILE):
            width = min(_TILE, k - left)
            part = tile[: block * width]
            if end - begin < block:
                part[:] = 0.0
            for i in range(end - begin):
                row = M[begin + i, left : left + width]
                target = part[places[i] * width : (places[i] + 1) * width]
                for j in range(width):
                    target[j] = sign[i] * row[j]
            hadamard_rows(part, width)
            for c in range(n_components):
                source = part[picks[c] * width : (picks[c] + 1) * width]
                out = sketch[c, left : left + width]
                for j in range(width):
                    out[j] += output[c] * source[j]


@njit(**_JIT)
def _permute(key, bits, places):
    """Places of the rows of a block, by a Feistel network whose low half has some bits."""
    low_mask = (_ONE << bits) - _ONE
    high_mask = np.uint64(places.shape[0] - 1) >> bits
    keys = np.empty(4, dtype=np.uint64)
    for t in range(4):
        keys[t] = _mix(key + np.uint64(t) * GOLDEN)
    for i in range(places.shape[0]):
        high, low = np.uint64(i) >> bits, np.uint64(i) & low_mask
        for t in range(0, 4, 2):
            high ^= _mix(keys[t] + low * GOLDEN) & high_mask
            low ^= _mix(keys[t + 1] + high * GOLDEN) & low_mask
        places[i] = np.int64((high << bits) | low)
