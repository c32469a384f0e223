"""Rows of a regression and products with sparse ones, as array-API functions."""

import array_api_compat

from .._backend import kernel
from .._xp import csr_matmul


@kernel(numba="skmatrix.linear_model._sketched_regression_numba:weighted_rows", min_size=0)
def weighted_rows(xp, values, shift, unit, weight, *, out=None):
    """``diag(w) (A - shift) diag(unit)`` in double precision.

    Parameters
    ----------
    xp : module
        Array namespace.
    values : array of shape (n_rows, n_columns)
        A.
    shift, unit : array of shape (n_columns,) or None
        What is subtracted from the columns and what they are multiplied by, None for neither.
    weight : array of shape (n_rows,) or None
        Factors w of the rows, None for ones.
    out : ndarray of shape (n_rows, n_columns) or None, default=None
        Where to write, on the host alone.

    Returns
    -------
    rows : float64 array of shape (n_rows, n_columns)
        The rows, `out` if it is given.
    """
    rows = xp.astype(values, xp.float64)
    rows = rows if shift is None else rows - shift
    rows = rows if unit is None else rows * unit
    rows = rows if weight is None else rows * xp.astype(weight, xp.float64)[:, None]
    if out is None:
        return rows
    out[...] = rows
    return out


@kernel(numba="skmatrix.linear_model._sketched_regression_numba:row_gradient", min_size=0)
def row_gradient(xp, values, targets, shift, unit, weight, parameters, *, intercept, out=None):
    """Residuals ``B - T x`` of the rows T of :func:`weighted_rows`, taken back by them.

    Parameters
    ----------
    xp : module
        Array namespace.
    values : array of shape (n_rows, n_features)
        A.
    targets : float64 array of shape (n_rows, k)
        B, with the weights.
    shift, unit : array of shape (n_features,) or None
        As for :func:`weighted_rows`.
    weight : array of shape (n_rows,) or None
        Factors w of the rows, None for ones.
    parameters : float64 array of shape (n_parameters, k)
        x, that of the intercept first.
    intercept : bool
        Whether w is the first column of T.
    out : ndarray of shape (n_rows, n_features) or None, default=None
        Memory to work in, on the host alone.

    Returns
    -------
    slope : float64 array of shape (n_parameters, k)
        ``T^T (B - T x)``.
    squares : float64 array of shape (k,)
        Squared norms of the residuals.
    """
    rows = weighted_rows.reference(xp, values, shift, unit, weight)
    if intercept:
        ones = xp.ones((rows.shape[0], 1), dtype=xp.float64, device=array_api_compat.device(rows))
        lead = ones if weight is None else ones * xp.astype(weight, xp.float64)[:, None]
        rows = xp.concat([lead, rows], axis=1)
    residual = targets - xp.matmul(rows, parameters)
    slope = xp.matmul(xp.matrix_transpose(rows), residual)
    return slope, xp.sum(residual * residual, axis=0)


@kernel(numba="skmatrix.linear_model._sketched_regression_numba:csr_gradient", min_size=0)
def csr_gradient(xp, data, indices, indptr, row_weight, base, coef):
    """Residuals ``base - diag(w) A x`` of sparse rows, taken back by the transposed rows.

    Parameters
    ----------
    xp : module
        Array namespace.
    data : array of shape (nnz,)
        Values of the entries of A.
    indices : integer array of shape (nnz,)
        Their columns.
    indptr : integer array of shape (n_rows + 1,)
        Bounds of the rows.
    row_weight : array of shape (n_rows,)
        Factors w of the rows.
    base : array of shape (n_rows, k)
        Weighted targets, or what stands for them.
    coef : array of shape (n_features, k)
        x.

    Returns
    -------
    slope : float64 array of shape (n_features, k)
        ``A^T diag(w) residual``.
    total : float64 array of shape (k,)
        ``w^T residual``.
    squares : float64 array of shape (k,)
        Squared norms of the residuals.
    """
    data, row_weight, base, coef = (
        xp.astype(a, xp.float64) for a in (data, row_weight, base, coef)
    )
    n_rows, n_features = indptr.shape[0] - 1, coef.shape[0]
    residual = base - row_weight[:, None] * csr_matmul(xp, indptr, indices, data, coef)
    pulled = row_weight[:, None] * residual
    device = array_api_compat.device(data)
    identity = xp.eye(n_features, dtype=xp.float64, device=device)
    slope = xp.zeros(coef.shape, dtype=xp.float64, device=device)
    # Rows are made dense a few at a time.
    step = max(1, 2**20 // max(1, n_features))
    for begin in range(0, n_rows, step):
        end = min(begin + step, n_rows)
        first, last = int(indptr[begin]), int(indptr[end])
        bounds = indptr[begin : end + 1] - first
        dense = csr_matmul(xp, bounds, indices[first:last], data[first:last], identity)
        slope = slope + xp.matmul(xp.matrix_transpose(dense), pulled[begin:end, :])
    return slope, xp.sum(pulled, axis=0), xp.sum(residual * residual, axis=0)
