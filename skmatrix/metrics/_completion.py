"""Errors of a filled matrix, over the entries where the truth is known."""

import math

import numpy as np
from scipy import sparse
from sklearn.utils import check_array, column_or_1d

from .._sklearn import _check_sample_weight


def masked_root_mean_squared_error(X_true, X_pred, *, mask=None, sample_weight=None):
    """Root mean squared error over the known entries of a matrix.

    Use it to compare a filled matrix with a truth that is itself incomplete. Where the entries are
    triplets of row, column and value, as :func:`skmatrix.datasets.hide_entries` returns them,
    :func:`sklearn.metrics.root_mean_squared_error` does the same.

    Parameters
    ----------
    X_true : {array-like, sparse matrix} of shape (n_samples, n_features)
        True values. NaN, and in a sparse matrix every entry that is not stored, is left out; a
        stored zero counts.
    X_pred : array-like of shape (n_samples, n_features)
        Predicted values, finite wherever they are compared.
    mask : {array-like, sparse matrix} of shape (n_samples, n_features), dtype bool, default=None
        Entries to compare, of those known in `X_true`: True, or stored and not zero. None compares
        them all.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row; the same for every entry of the row.

    Returns
    -------
    loss : float
        The error, in the unit of the values; 0 is best.

    Raises
    ------
    ValueError
        If the shapes differ, no entry is left to compare, a compared prediction is not finite, or
        weights are negative or all zero.

    See Also
    --------
    masked_mean_absolute_error : The same for absolute differences.
    skmatrix.datasets.hide_entries : Hide observed entries, to have a truth.

    Examples
    --------
    >>> import numpy as np
    >>> from skmatrix.metrics import masked_root_mean_squared_error
    >>> X_true = [[1.0, np.nan], [3.0, 4.0]]
    >>> X_pred = [[1.0, 7.0], [3.0, 1.0]]
    >>> masked_root_mean_squared_error(X_true, X_pred, mask=[[0, 0], [1, 1]])
    2.1213203435596424
    """
    difference, weight = _differences(X_true, X_pred, mask, sample_weight)
    unit = _unit(difference)
    return unit * float(np.sqrt(np.average((difference / unit) ** 2, weights=weight)))


def masked_mean_absolute_error(X_true, X_pred, *, mask=None, sample_weight=None):
    """Mean absolute error over the known entries of a matrix.

    Parameters
    ----------
    X_true : {array-like, sparse matrix} of shape (n_samples, n_features)
        True values. NaN, and in a sparse matrix every entry that is not stored, is left out; a
        stored zero counts.
    X_pred : array-like of shape (n_samples, n_features)
        Predicted values, finite wherever they are compared.
    mask : {array-like, sparse matrix} of shape (n_samples, n_features), dtype bool, default=None
        Entries to compare, of those known in `X_true`: True, or stored and not zero. None compares
        them all.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row; the same for every entry of the row.

    Returns
    -------
    loss : float
        The error, in the unit of the values; 0 is best.

    Raises
    ------
    ValueError
        If the shapes differ, no entry is left to compare, a compared prediction is not finite, or
        weights are negative or all zero.

    See Also
    --------
    masked_root_mean_squared_error : The same for squared differences.

    Examples
    --------
    >>> import numpy as np
    >>> from skmatrix.metrics import masked_mean_absolute_error
    >>> masked_mean_absolute_error([[1.0, np.nan], [3.0, 4.0]], [[1.0, 7.0], [3.0, 1.0]])
    1.0
    """
    difference, weight = _differences(X_true, X_pred, mask, sample_weight)
    unit = _unit(difference)
    return unit * float(np.average(np.abs(difference) / unit, weights=weight))


def _unit(difference):
    """A power of two next to the largest difference: sums and squares stay in their range."""
    largest = float(np.abs(difference).max())
    return 2.0 ** (math.frexp(largest)[1] - 1) if 0 < largest < math.inf else 1.0


def _differences(X_true, X_pred, mask, sample_weight):
    """Prediction minus truth at the compared entries, in float64, and the weight of each."""
    X_true = check_array(
        X_true, accept_sparse="csr", ensure_all_finite="allow-nan", input_name="X_true"
    )
    X_pred = check_array(X_pred, ensure_all_finite=False, input_name="X_pred")
    _check_shape(X_pred, "X_pred", X_true)
    if sparse.issparse(X_true):
        rows = np.repeat(np.arange(X_true.shape[0]), np.diff(X_true.indptr))
        columns, true = X_true.indices, X_true.data
    else:
        rows, columns = np.nonzero(~np.isnan(X_true))
        true = X_true[rows, columns]
    compared = ~np.isnan(true)
    if mask is not None:
        mask = check_array(mask, accept_sparse="csr", dtype=bool, input_name="mask")
        _check_shape(mask, "mask", X_true)
        chosen = mask[rows, columns]
        compared &= (chosen.toarray() if sparse.issparse(chosen) else np.asarray(chosen)).ravel()
    rows, columns, true = rows[compared], columns[compared], true[compared]
    if true.size == 0:
        raise ValueError(
            "No entry to compare: every entry is missing in X_true or left out by mask."
        )
    predicted = X_pred[rows, columns]
    n_bad = np.count_nonzero(~np.isfinite(predicted))
    if n_bad:
        raise ValueError(f"X_pred is not finite at {n_bad} of the {true.size} compared entries.")
    if sample_weight is not None:
        if not np.isscalar(sample_weight):
            sample_weight = column_or_1d(sample_weight, input_name="sample_weight")
        sample_weight = _check_sample_weight(
            sample_weight, X_true, dtype=np.float64, ensure_non_negative=True
        )[rows]
        if not sample_weight.any():
            raise ValueError("sample_weight is zero in all rows that have entries to compare.")
        sample_weight = sample_weight / sample_weight.max()
        # Differences without weight may be infinite.
        used = sample_weight > 0
        predicted, true, sample_weight = predicted[used], true[used], sample_weight[used]
    with np.errstate(over="ignore"):
        return np.subtract(predicted, true, dtype=np.float64), sample_weight


def _check_shape(array, name, X_true):
    if array.shape != X_true.shape:
        raise ValueError(f"{name} has shape {array.shape}, X_true has shape {X_true.shape}.")
