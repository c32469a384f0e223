"""Sketches of blocks of rows, as array-API functions.

S is the sketching matrix, of which a block of rows of the data needs the columns of its global
row indices; its random numbers are drawn on the host. Sums are in double precision: a sketch is
short, and everything that follows rests on it.
"""

import array_api_compat
import numpy as np
from scipy.linalg import hadamard

from .._backend import kernel
from .._xp import csr_matmul
from ._hashing import row_signs, sparse_sign_columns, srht_draws


@kernel(numba="skmatrix.random_projection._numba:fwht", min_size=0)
def fwht(xp, X):
    """Unnormalised Walsh-Hadamard transform of the columns: H X.

    H of order a * b is the Kronecker product of those of order a and b, so that two products
    with small matrices do the work.

    Parameters
    ----------
    xp : module
        Array namespace.
    X : array of shape (n, k)
        n is a power of two.

    Returns
    -------
    transformed : array of shape (n, k)
        In the order of `scipy.linalg.hadamard`.
    """
    n, k = X.shape
    order = n.bit_length() - 1
    inner = 2 ** (order // 2)
    outer = n // inner
    device = array_api_compat.device(X)

    def matrix(size):
        return xp.asarray(hadamard(size, dtype=np.float64), dtype=X.dtype, device=device)

    partly = xp.matmul(matrix(inner), xp.reshape(X, (outer, inner, k)))
    return xp.reshape(xp.matmul(matrix(outer), xp.reshape(partly, (outer, inner * k))), (n, k))


@kernel(numba="skmatrix.random_projection._numba:srht", min_size=0)
def srht(xp, M, *, seed, start, n_components, block):
    """Block subsampled randomised Hadamard transform of consecutive rows: S M.

    ``S_b = E_b P_b H D_b / sqrt(n_components)`` for the b-th block of rows, with random signs D_b,
    a sample P_b of the outputs with replacement, and signs E_b that make the blocks independent.

    Parameters
    ----------
    xp : module
        Array namespace.
    M : array of shape (n_rows, k)
        Rows; a last block that is not full is padded with zeros.
    seed : int
        Seed of S.
    start : int
        Global index of the first row, a multiple of `block`.
    n_components : int
        Rows of S.
    block : int
        Rows of a block, a power of two.

    Returns
    -------
    sketch : float64 array of shape (n_components, k)
        The sum over the blocks.
    """
    n_rows, k = M.shape
    device = array_api_compat.device(M)
    total = xp.zeros((n_components, k), dtype=xp.float64, device=device)
    for begin in range(0, n_rows, block):
        end = min(begin + block, n_rows)
        sign = row_signs(seed, np.arange(start + begin, start + end))
        sign = xp.asarray(sign, dtype=xp.float64, device=device)
        rows = xp.astype(M[begin:end, :], xp.float64) * sign[:, None]
        if end - begin < block:
            padding = xp.zeros((block - end + begin, k), dtype=xp.float64, device=device)
            rows = xp.concat([rows, padding])
        picks, values = srht_draws(seed, (start + begin) // block, n_components, block)
        chosen = xp.take(fwht.reference(xp, rows), xp.asarray(picks, device=device), axis=0)
        total = total + chosen * xp.asarray(values, dtype=xp.float64, device=device)[:, None]
    return total / n_components**0.5


@kernel(numba="skmatrix.random_projection._numba:sparse_sign", min_size=0)
def sparse_sign(xp, M, *, seed, start, n_components, n_nonzero):
    """Sparse sign sketch of consecutive rows: S M. One non-zero per column is CountSketch.

    Parameters
    ----------
    xp : module
        Array namespace.
    M : array of shape (n_rows, k)
        Rows.
    seed : int
        Seed of S.
    start : int
        Global index of the first row.
    n_components : int
        Rows of S.
    n_nonzero : int
        Non-zeros per column of S.

    Returns
    -------
    sketch : float64 array of shape (n_components, k)
        The sketch.
    """
    S = _sparse_sign_block(xp, M, M.shape[0], seed, start, n_components, n_nonzero)
    return xp.matmul(S, xp.astype(M, xp.float64))


@kernel(numba="skmatrix.random_projection._numba:sparse_sign_csr", min_size=0)
def sparse_sign_csr(
    xp, data, indices, indptr, row_weight, *, seed, start, n_components, n_nonzero, n_features
):
    """Sparse sign sketch of consecutive weighted rows of a CSR matrix.

    Parameters
    ----------
    xp : module
        Array namespace.
    data : array of shape (nnz,)
        Values of the entries.
    indices : integer array of shape (nnz,)
        Columns of the entries.
    indptr : integer array of shape (n_rows + 1,)
        Bounds of the rows.
    row_weight : array of shape (n_rows,)
        Factor of each row.
    seed : int
        Seed of S.
    start : int
        Global index of the first row.
    n_components : int
        Rows of S.
    n_nonzero : int
        Non-zeros per column of S.
    n_features : int
        Columns of the matrix.

    Returns
    -------
    sketch : float64 array of shape (n_components, n_features)
        The sketch.
    """
    device = array_api_compat.device(data)
    total = xp.zeros((n_components, n_features), dtype=xp.float64, device=device)
    identity = xp.eye(n_features, dtype=xp.float64, device=device)
    values = xp.astype(data, xp.float64)
    n_rows = indptr.shape[0] - 1
    # Rows are made dense a few at a time.
    step = max(1, 2**20 // max(1, n_features))
    for begin in range(0, n_rows, step):
        end = min(begin + step, n_rows)
        first, last = int(indptr[begin]), int(indptr[end])
        bounds = indptr[begin : end + 1] - first
        dense = csr_matmul(xp, bounds, indices[first:last], values[first:last], identity)
        dense = dense * xp.astype(row_weight[begin:end], xp.float64)[:, None]
        S = _sparse_sign_block(xp, data, end - begin, seed, start + begin, n_components, n_nonzero)
        total = total + xp.matmul(S, dense)
    return total


def _sparse_sign_block(xp, like, n_rows, seed, start, n_components, n_nonzero):
    """The columns of a sparse sign matrix that consecutive rows need, as a dense array."""
    rows = np.arange(start, start + n_rows)
    targets, values = sparse_sign_columns(seed, rows, n_components, n_nonzero)
    S = np.zeros((n_components, n_rows))
    S[targets, np.arange(n_rows)[:, None]] = values
    return xp.asarray(S, dtype=xp.float64, device=array_api_compat.device(like))
