"""Sketches of blocks of rows, as array-API functions.

S is the sketching matrix, of which a block of rows of the data needs the columns of its global
row indices; its random numbers are drawn on the host. Sums are in double precision: a sketch is
short, and everything that follows rests on it.
"""

import array_api_compat
import numpy as np
import scipy.sparse as sp
from scipy.linalg import hadamard

from .._backend import kernel
from .._xp import csr_matmul
from ._hashing import row_signs, srht_draws, srht_places
from ._sparse_sign import stored_columns

# Columns of a sparse sign matrix that are stored at once, and entries of rows made dense.
_ROWS = 2**16
_DENSE = 2**20


@kernel(numba="skmatrix.random_projection._numba:fwht")
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


# Sketches take the compiled form at any size: chunks are small, but there are many.
@kernel(numba="skmatrix.random_projection._numba:srht", min_size=0)
def srht(xp, M, *, seed, start, n_components, block):
    """Block subsampled randomised Hadamard transform of consecutive rows: S M.

    ``S_b = E_b P_b H Q_b D_b / sqrt(n_components)`` for the b-th block of rows, with random signs
    D_b, a permutation Q_b, a sample P_b of the outputs with replacement, and signs E_b that make
    the blocks independent.

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
        index = (start + begin) // block
        order = xp.asarray(np.argsort(srht_places(seed, index, block)), device=device)
        rows = xp.take(rows, order, axis=0)
        picks, values = srht_draws(seed, index, n_components, block)
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
    n_rows, k = M.shape
    device = array_api_compat.device(M)
    total = xp.zeros((n_components, k), dtype=xp.float64, device=device)
    for begin in range(0, n_rows, _ROWS):
        end = min(begin + _ROWS, n_rows)
        S = stored_columns(seed, start + begin, start + end, n_components, n_nonzero).tocsr()
        bounds, columns, values = (
            xp.asarray(part, device=device) for part in (S.indptr, S.indices, S.data)
        )
        rows = xp.astype(M[begin:end, :], xp.float64)
        total = total + csr_matmul(xp, bounds, columns, values, rows)
    return total


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
    step = max(1, _DENSE // max(1, n_features))
    for begin, rows in dense_blocks(xp, data, indices, indptr, row_weight, n_features, step):
        total = total + sparse_sign.reference(
            xp,
            rows,
            seed=seed,
            start=start + begin,
            n_components=n_components,
            n_nonzero=n_nonzero,
        )
    return total


def dense_blocks(xp, data, indices, indptr, row_weight, n_features, step):
    """Weighted rows of a CSR matrix as dense arrays of a few rows each.

    Parameters
    ----------
    xp : module
        Array namespace.
    data, indices, indptr, row_weight, n_features
        The matrix, as for :func:`sparse_sign_csr`.
    step : int
        Rows of a block.

    Yields
    ------
    begin : int
        Position of the first row of a block.
    rows : float64 array of shape (up to `step`, n_features)
        The block.
    """
    n_rows = indptr.shape[0] - 1
    for begin in range(0, n_rows, step):
        end = min(begin + step, n_rows)
        first, last = int(indptr[begin]), int(indptr[end])
        bounds, columns = indptr[begin : end + 1] - first, indices[first:last]
        values = xp.astype(data[first:last], xp.float64)
        if array_api_compat.is_numpy_namespace(xp):
            rows = sp.csr_array((values, columns, bounds), shape=(end - begin, n_features))
            rows = rows.toarray()
        else:
            device = array_api_compat.device(data)
            identity = xp.eye(n_features, dtype=xp.float64, device=device)
            rows = csr_matmul(xp, bounds, columns, values, identity)
        yield begin, rows * xp.astype(row_weight[begin:end], xp.float64)[:, None]
