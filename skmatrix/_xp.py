"""Array operations that the array-API standard lacks.

Each has a form in standard functions alone and, where it pays, one in a library's own.
"""

from functools import cache

import array_api_compat
import numpy as np
import scipy.sparse as sp

# Elements gathered at once by the functions that walk over the entries of a sparse matrix:
# enough to fill a GPU, and on the host few enough to stay in the cache.
_GATHER = 2**22
_GATHER_HOST = 2**19


def segment_sum(xp, values, indptr):
    """Sums of consecutive segments: ``out[s] = sum(values[indptr[s]:indptr[s + 1]], axis=0)``.

    Parameters
    ----------
    xp : module
        Array namespace.
    values : array of shape (n,) or (n, k)
        Floating-point summands.
    indptr : integer array of shape (n_segments + 1,)
        Non-decreasing bounds of the segments, from 0 to n.

    Returns
    -------
    out : array of shape (n_segments,) or (n_segments, k)
        The sums, in the dtype of `values`; 0 for an empty segment.
    """
    if array_api_compat.is_numpy_namespace(xp):
        return _segment_sum_numpy(values, indptr)
    if array_api_compat.is_torch_namespace(xp):
        import torch

        offsets = indptr.to(torch.int64)
        return torch.segment_reduce(values, "sum", offsets=offsets, axis=0, initial=0)
    if array_api_compat.is_cupy_namespace(xp):
        # A row of ones per segment.
        n = values.shape[0]
        return csr_matmul(
            xp, indptr, xp.arange(n, dtype=indptr.dtype), xp.ones(n, dtype=values.dtype), values
        )
    return _segment_sum_pairwise(xp, values, indptr)


def _segment_sum_numpy(values, indptr):
    """NumPy form of :func:`segment_sum`."""
    out = np.zeros((indptr.shape[0] - 1, *values.shape[1:]), dtype=values.dtype)
    # reduceat gives an empty segment the element it starts at: leave those out.
    filled = np.flatnonzero(indptr[1:] > indptr[:-1])
    if filled.size:
        out[filled] = np.add.reduceat(values, indptr[filled], axis=0, dtype=values.dtype)
    return out


def _segment_sum_pairwise(xp, values, indptr):
    """Standard form of :func:`segment_sum`: neighbours are added until one is left of each.

    A segment of length l costs l additions in log2(l) passes, and its rounding error grows
    like log2(l).
    """
    device = array_api_compat.device(values)
    start = xp.astype(indptr, xp.int64)
    zero = xp.zeros(values.shape[1:], dtype=values.dtype, device=device)
    if values.shape[0] == 0:
        return xp.broadcast_to(zero, (indptr.shape[0] - 1, *values.shape[1:])) + zero

    def spread(mask):
        return xp.reshape(mask, (-1, *(1,) * (values.ndim - 1)))

    while int(xp.max(start[1:] - start[:-1])) > 1:
        halves = (start[1:] - start[:-1] + 1) // 2
        halved = xp.concat([start[:1], start[:1] + xp.cumulative_sum(halves)])
        position = xp.arange(int(halved[-1]), dtype=xp.int64, device=device)
        segment = xp.searchsorted(halved[1:], position, side="right")
        left = start[:-1][segment] + 2 * (position - halved[:-1][segment])
        paired = left + 1 < start[1:][segment]
        right = xp.take(values, xp.where(paired, left + 1, left), axis=0)
        values = xp.take(values, left, axis=0) + xp.where(spread(paired), right, zero)
        start = halved
    filled = start[1:] > start[:-1]
    first = xp.where(filled, start[:-1], xp.zeros_like(start[:-1]))
    return xp.where(spread(filled), xp.take(values, first, axis=0), zero)


def csr_matmul(xp, indptr, indices, data, dense):
    """Product of a CSR matrix, given by its three arrays, with a dense array.

    Parameters
    ----------
    xp : module
        Array namespace.
    indptr : integer array of shape (n_rows + 1,)
        Bounds of the rows.
    indices : integer array of shape (nnz,)
        Columns of the entries.
    data : array of shape (nnz,)
        Values of the entries.
    dense : array of shape (n_columns,) or (n_columns, k)
        Right factor, in the dtype of `data`.

    Returns
    -------
    product : array of shape (n_rows,) or (n_rows, k)
        The product.
    """
    shape = (indptr.shape[0] - 1, dense.shape[0])
    if array_api_compat.is_numpy_namespace(xp):
        # The constructor would look through the indices, and copy 64-bit ones.
        matrix = sp.csr_array(shape, dtype=data.dtype)
        matrix.data, matrix.indices, matrix.indptr = data, indices, indptr
        return matrix @ dense
    if array_api_compat.is_torch_namespace(xp):
        return _torch_csr()(indptr, indices, data, size=shape, check_invariants=False) @ dense
    if array_api_compat.is_cupy_namespace(xp):
        from cupyx.scipy.sparse import csr_matrix

        return csr_matrix((data, indices, indptr), shape=shape) @ dense
    return _csr_matmul_gather(xp, indptr, indices, data, dense)


@cache
def _torch_csr():
    """Constructor of torch's CSR tensors, past the warning of its first call."""
    import warnings

    import torch

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        zero = torch.zeros(1, dtype=torch.int64)
        torch.sparse_csr_tensor(zero, zero[:0], zero[:0], size=(0, 0), check_invariants=False)
    return torch.sparse_csr_tensor


def _csr_matmul_gather(xp, indptr, indices, data, dense):
    """Standard form of :func:`csr_matmul`: rows of `dense` gathered, scaled and summed."""
    nnz = indices.shape[0]
    width = 1 if dense.ndim == 1 else dense.shape[1]
    step = max(1, _GATHER // max(1, width))
    product = None
    for begin in range(0, max(nnz, 1), step):
        end = min(begin + step, nnz)
        scale = data[begin:end]
        terms = xp.take(dense, indices[begin:end], axis=0)
        terms = terms * (scale if dense.ndim == 1 else scale[:, None])
        # The part of each row that lies in this chunk, often none.
        part = segment_sum(xp, terms, xp.clip(indptr, begin, end) - begin)
        product = part if product is None else product + part
    return product


def sampled_dot(xp, A, B, rows, cols):
    """Entries of A B^T at given places: ``out[e] = sum(A[rows[e]] * B[cols[e]])``.

    Parameters
    ----------
    xp : module
        Array namespace.
    A : array of shape (n_rows, k)
        Left factor.
    B : array of shape (n_columns, k)
        Right factor, in the dtype of `A`.
    rows, cols : integer array of shape (nnz,)
        The places.

    Returns
    -------
    out : array of shape (nnz,)
        The entries.
    """
    nnz = rows.shape[0]
    elements = _GATHER_HOST if array_api_compat.is_numpy_namespace(xp) else _GATHER
    step = max(1, elements // max(1, 2 * A.shape[1]))
    parts = []
    for begin in range(0, max(nnz, 1), step):
        end = min(begin + step, nnz)
        left = xp.take(A, rows[begin:end], axis=0)
        parts.append(xp.vecdot(left, xp.take(B, cols[begin:end], axis=0), axis=-1))
    return parts[0] if len(parts) == 1 else xp.concat(parts)
