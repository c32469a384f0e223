"""Numba twins of the kernels of equiangular basis vectors."""

import numpy as np
from numba import njit

from .._hadamard_numba import hadamard_rows

_JIT = {"cache": True, "nogil": True}

# Samples that are transformed together, neighbours in memory.
_TILE = 16


def best_hadamard(Z, phases, branch, shift, *, n_blocks, n_vectors):
    """Nearest vectors; the contract is that of the array-API kernel of this name."""
    best = np.full(Z.shape[0], -np.inf, dtype=Z.dtype)
    index = np.zeros(Z.shape[0], dtype=np.int64)
    _best_hadamard(np.ascontiguousarray(Z), phases, branch, shift, n_blocks, n_vectors, best, index)
    return best, index


@njit(**_JIT)
def _best_hadamard(Z, phases, branch, shift, n_blocks, n_vectors, best, index):
    """All matrices for a tile of samples, then the next tile."""
    n, d = Z.shape
    period = phases.shape[1]
    scale = Z.dtype.type(1 / np.sqrt(d))
    columns = np.empty((d, _TILE), dtype=Z.dtype)
    work = np.empty((d, _TILE), dtype=Z.dtype)
    for start in range(0, n, _TILE):
        size = min(_TILE, n - start)
        columns[:] = 0
        for t in range(size):
            for u in range(d):
                columns[u, t] = Z[start + t, u] * scale
        top, where = best[start : start + size], index[start : start + size]
        for begin in range(0, n_vectors, d):
            block = begin // d
            if block == n_blocks:
                work[:] = columns / scale
            else:
                for u in range(d):
                    sign = 1
                    if block > 0 and shift[u] >= 0:
                        sign = phases[branch[u], (shift[u] + block - 1) % period]
                    if sign > 0:
                        work[u] = columns[u]
                    else:
                        work[u] = -columns[u]
                hadamard_rows(work.reshape(-1), _TILE)
            _keep_best(work, min(d, n_vectors - begin), begin, top, where)


@njit(**_JIT)
def _keep_best(products, n_rows, begin, top, where):
    """Take over what is larger than the best so far."""
    for k in range(n_rows):
        row = products[k]
        for t in range(top.shape[0]):
            if row[t] > top[t]:
                top[t] = row[t]
                where[t] = begin + k
