"""The observed entries of a matrix, out of every container that users hold them in."""

from dataclasses import dataclass, replace
from typing import Any

import array_api_compat
import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array

from .._xp import segment_sum
from ._matrix_completion_kernels import row_of_entry


@dataclass(frozen=True)
class Entries:
    """Observed entries of a matrix in CSR form, in one array library.

    Attributes
    ----------
    shape : tuple of int
        Shape of the matrix.
    indptr, indices, values : arrays of shape (n_rows + 1,), (nnz,), (nnz,)
        The entries by rows; the columns of a row ascend.
    weights : array of shape (nnz,) or (0,)
        Weights of the entries; all are 1 if empty.
    """

    shape: tuple
    indptr: Any
    indices: Any
    values: Any
    weights: Any

    @property
    def xp(self):
        """Array namespace of the entries."""
        return array_api_compat.array_namespace(self.values)

    @property
    def rows(self):
        """Row of each entry."""
        return row_of_entry(self.xp, self.indptr)

    def mass(self):
        """Total weight of each row, in the dtype of the values."""
        if self.weights.shape[0]:
            return segment_sum(self.xp, self.weights, self.indptr)
        return self.xp.astype(self.indptr[1:] - self.indptr[:-1], self.values.dtype)

    def total(self, values):
        """Weighted sum over the entries, accumulated in double precision."""
        terms = values * self.weights if self.weights.shape[0] else values
        return float(self.xp.sum(terms, dtype=self.xp.float64))

    def with_values(self, values):
        """The same places and weights with other values."""
        return Entries(self.shape, self.indptr, self.indices, values, self.weights)

    def cast(self, dtype):
        """The entries with values and weights of another dtype."""
        values, weights = (
            self.xp.astype(a, dtype, copy=False) for a in (self.values, self.weights)
        )
        return replace(self, values=values, weights=weights)

    def transposed(self):
        """The entries of the transposed matrix, again by rows."""
        n_rows, n_columns = self.shape
        xp = self.xp
        if array_api_compat.is_numpy_namespace(xp):
            arrays: list[np.ndarray] = []
            for data in (self.values, self.weights):
                if data.shape[0] == 0 and arrays:
                    arrays.append(data)
                    continue
                flipped = sp.csr_array((data, self.indices, self.indptr), shape=self.shape).tocsc()
                arrays.append(flipped.data)
            return Entries((n_columns, n_rows), flipped.indptr, flipped.indices, *arrays)
        order = xp.argsort(self.indices, stable=True)
        columns = self.indices[order]
        ids = xp.arange(n_columns + 1, dtype=columns.dtype, device=array_api_compat.device(columns))
        indptr = xp.astype(xp.searchsorted(columns, ids), columns.dtype)
        weights = self.weights[order] if self.weights.shape[0] else self.weights
        return Entries((n_columns, n_rows), indptr, self.rows[order], self.values[order], weights)

    def keep(self, mask):
        """The entries where a boolean mask is true; rows that lose all stay as empty rows."""
        xp = self.xp
        counts = segment_sum(xp, xp.astype(mask, xp.float64), self.indptr)
        bounds = xp.concat([xp.zeros_like(counts[:1]), xp.cumulative_sum(counts)])
        indptr = xp.astype(bounds, self.indptr.dtype)
        weights = self.weights[mask] if self.weights.shape[0] else self.weights
        return Entries(self.shape, indptr, self.indices[mask], self.values[mask], weights)

    def where(self, mask):
        """The entries where a mask is true, without a copy if it is true everywhere."""
        return self if bool(self.xp.all(mask)) else self.keep(mask)

    def load(self, be):
        """The entries on the engine of a back end."""
        arrays = be.load(self.indptr, self.indices, self.values, self.weights)
        return Entries(self.shape, *arrays)

    def to_scipy(self):
        """The values as a SciPy matrix on the host."""
        from .._backend import to_numpy

        arrays = (to_numpy(a) for a in (self.values, self.indices, self.indptr))
        return sp.csr_array(tuple(arrays), shape=self.shape)


def refuse_formats(X):
    """Raise for sparse formats that do not keep what is stored apart from what is not."""
    if sp.issparse(X) and X.format in ("bsr", "dia"):
        raise TypeError(
            f"X is sparse in the format {X.format!r}, which fills blocks or diagonals up with"
            " zeros: observed zeros cannot be told from holes. Pass it as csr, csc or coo."
        )


def refuse_duplicates(X, name="X"):
    """Raise if a sparse X stores a place twice: SciPy would add the values up in silence."""
    if not sp.issparse(X):
        return
    if X.format == "coo":
        distinct = X.tocsr().nnz
    elif X.format in ("csr", "csc") and not X.has_canonical_format:
        merged = X.copy()
        merged.sum_duplicates()
        distinct = merged.nnz
    else:
        return
    if distinct < X.nnz:
        raise ValueError(
            f"{name} stores {X.nnz - distinct} entries at places that it stores already; each place"
            " may be stored once. Average or drop the duplicates first."
        )


def read_entries(be, X, entry_weight=None):
    """The observed entries of validated data, in X's own library.

    Parameters
    ----------
    be : Backend
        Its home is where X is.
    X : array with NaN at the holes, or CSR matrix whose stored values are observed
        Validated data. A stored NaN counts as a hole.
    entry_weight : array-like or sparse of the shape of X, default=None
        Non-negative weights; entries of weight 0 count as holes.

    Returns
    -------
    entries : Entries
        The observed entries.
    """
    entries = _stored(X) if sp.issparse(X) else _read_dense(be.home, X)
    if entry_weight is not None:
        entries = replace(entries, weights=_weights(be, X, entries, entry_weight))
    if sp.issparse(X):
        entries = entries.where(~np.isnan(entries.values))
    if entry_weight is None:
        return entries
    xp, weights = entries.xp, entries.weights
    if not bool(xp.all(xp.isfinite(weights) & (weights >= 0))):
        raise ValueError(
            "entry_weight must be finite and non-negative at every observed entry. Got values"
            f" from {float(xp.min(weights))} to {float(xp.max(weights))}."
        )
    return entries.where(weights > 0)


def _read_dense(xp, X):
    """Entries of an array with NaN at the holes."""
    mask = ~xp.isnan(X)
    counts = xp.count_nonzero(mask, axis=1)
    bounds = xp.concat([xp.zeros_like(counts[:1]), xp.cumulative_sum(counts)])
    kind = _index_dtype(xp, int(bounds[-1]), X.shape)
    columns = xp.nonzero(mask)[1]
    values = X[mask]
    return Entries(X.shape, xp.astype(bounds, kind), xp.astype(columns, kind), values, values[:0])


def _stored(X):
    """Entries that a CSR matrix stores, zeros and NaN included."""
    kind = _index_dtype(np, X.nnz, X.shape)
    if not X.has_sorted_indices:
        X = X.copy()
        X.sort_indices()
    indptr, indices = X.indptr.astype(kind, copy=False), X.indices.astype(kind, copy=False)
    return Entries(X.shape, indptr, indices, X.data, X.data[:0])


def _index_dtype(xp, nnz, shape):
    """int32 where it can address everything, else int64."""
    return xp.int32 if max(nnz, *shape) < 2**31 - 1 else xp.int64


def _weights(be, X, entries, entry_weight):
    """Weights of the entries, in the dtype of their values."""
    refuse_duplicates(entry_weight, "entry_weight")
    if np.ndim(entry_weight) != 2 and not sp.issparse(entry_weight):
        raise ValueError(
            f"entry_weight must have the shape of X, {tuple(X.shape)}. Got shape"
            f" {np.shape(entry_weight)}."
        )
    entry_weight = check_array(
        be.follow(entry_weight),
        accept_sparse="csr",
        dtype=be.float_dtypes,
        ensure_all_finite=False,
        input_name="entry_weight",
    )
    if sp.issparse(X) != sp.issparse(entry_weight) or entry_weight.shape != X.shape:
        raise ValueError(
            f"entry_weight must be {'sparse' if sp.issparse(X) else 'an array'} of the shape of X,"
            f" {X.shape}. Got {type(entry_weight).__name__} of shape {entry_weight.shape}."
        )
    xp = entries.xp
    if not sp.issparse(X):
        return xp.astype(entry_weight[~xp.isnan(X)], entries.values.dtype)
    stored = _stored(entry_weight)
    if not (
        np.array_equal(stored.indptr, entries.indptr)
        and np.array_equal(stored.indices, entries.indices)
    ):
        raise ValueError(
            "entry_weight must store a value for each entry that X stores, and for no other."
        )
    return stored.values.astype(entries.values.dtype)
