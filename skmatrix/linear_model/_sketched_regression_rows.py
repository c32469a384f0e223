"""Rows of a regression, read block by block: all that a solver asks of the data.

A block is ``diag(sqrt(w)) [1 | (A - shift) unit | (B - target_shift) target_unit]``, made when it
is needed and gone after it. What comes back is small, on the host and in double precision.
"""

from collections import deque
from dataclasses import dataclass, replace
from typing import Any

import array_api_compat
import numpy as np
import scipy.sparse as sp

from .._backend import to_numpy
from .._xp import csr_matmul
from ._sketched_regression_kernels import csr_gradient, row_gradient, weighted_rows
from ._sketched_regression_triangle import Layout, triangularise, update_triangle

# Rows of a block, and least rows of a group of blocks. Sums run over the blocks of a group and
# then over the groups, whose bounds hang on the data's shape alone: the result does not depend on
# the number of threads.
_BLOCK = 4096
_GROUP = 16384
_SPARSE_GROUP = 131072
# A block has about so many elements at most, but never fewer rows than this.
_ELEMENTS = 2**22
_SMALLEST_BLOCK = 256
# Rows that tell the level of each column.
_LEVEL = 64
# Share of the largest root weight from which a row counts for this.
_COUNTS = 1e-3


@dataclass(frozen=True)
class DenseRows:
    """Consecutive rows of a dense problem.

    Attributes
    ----------
    be : Backend
        Where the arrays are.
    X : array of shape (n_rows, n_features)
        Features.
    Y : array of shape (n_rows, n_targets)
        Targets.
    root_weight : array of shape (n_rows,) or None
        Square roots of the weights.
    layout : Layout
        Columns of the blocks.
    start : int
        Global index of the first row.
    shift, target_shift : ndarray or None
        What is subtracted from features and targets, so that a large level costs no digits; the
        intercept gives it back. None without an intercept.
    unit, target_unit : ndarray or None
        Powers of two that features and targets are multiplied by, None for ones.
    """

    be: Any
    X: Any
    Y: Any
    root_weight: Any
    layout: Layout
    start: int = 0
    shift: np.ndarray | None = None
    target_shift: np.ndarray | None = None
    unit: np.ndarray | None = None
    target_unit: np.ndarray | None = None

    # Least rows of a group that is sketched.
    sketch_group = _GROUP

    @property
    def n_rows(self):
        """Number of rows."""
        return self.X.shape[0]

    def levelled(self):
        """The same rows with shifts, if there is an intercept to give them back."""
        if not self.layout.intercept:
            return self
        chosen = _first_counted(self.root_weight, self.n_rows)
        return replace(self, shift=_level(self.X, chosen), target_shift=_level(self.Y, chosen))

    def of_targets(self, chosen):
        """The same rows with some of the targets, given by their positions."""
        xp = self.be.xp
        device = array_api_compat.device(self.Y)
        shift = None if self.target_shift is None else self.target_shift[chosen]
        return replace(
            self,
            Y=xp.take(self.Y, xp.asarray(chosen, device=device), axis=1),
            layout=replace(self.layout, n_targets=len(chosen)),
            target_shift=shift,
        )

    def assemble(self, begin, end, out=None):
        """The block of rows `begin` to ``end - 1``, on the engine, in double precision.

        On the host it is written into `out`, if that is there and large enough.
        """
        parts = (
            (self._dense(begin, end), self.shift, self.unit),
            (self.Y[begin:end, :], self.target_shift, self.target_unit),
        )
        weight = None if self.root_weight is None else self.root_weight[begin:end]
        if array_api_compat.is_numpy_namespace(self.be.xp):
            M = np.empty((end - begin, self.layout.width)) if out is None else out[: end - begin]
            self._fill(M, parts, weight)
            return M
        xp, device = self.be.xp, array_api_compat.device(self.Y)
        columns = []
        if self.layout.intercept:
            ones = xp.ones((end - begin, 1), dtype=xp.float64, device=device)
            columns.append(weighted_rows(self.be, ones, None, None, weight))
        for values, shift, unit in parts:
            shift, unit = (a if a is None else self._load(a) for a in (shift, unit))
            columns.append(weighted_rows(self.be, values, shift, unit, weight))
        return xp.concat(columns, axis=1)

    def _fill(self, M, parts, weight):
        """Write a block on the host."""
        left = int(self.layout.intercept)
        M[:, :left] = 1 if weight is None else weight[:, None]
        for values, shift, unit in parts:
            part = M[:, left : left + values.shape[1]]
            left += values.shape[1]
            weighted_rows(self.be, values, shift, unit, weight, out=part)

    def _dense(self, begin, end):
        """Features of some rows as a dense array."""
        return self.X[begin:end, :]

    def blocks(self, begin, end, size=None):
        """The blocks from row `begin` to ``end - 1``, with the index of their first row.

        A block is gone when the next one comes: on the host they share their memory.
        """
        size = self._block_size() if size is None else size
        out = self._buffer(min(size, end - begin), self.layout.width)
        for first in range(begin, end, size):
            yield first, self.assemble(first, min(first + size, end), out)

    def _block_size(self):
        """Rows of a block."""
        return min(_BLOCK, max(_SMALLEST_BLOCK, _ELEMENTS // self.layout.width))

    def _buffer(self, n_rows, n_columns):
        """Memory for the rows of a block on the host, None elsewhere."""
        on_host = array_api_compat.is_numpy_namespace(self.be.xp)
        return np.empty((n_rows, n_columns)) if on_host else None

    def sketch(self, begin, end, matrix):
        """Sketch of some rows: S [1 | A | B]."""
        parts = (
            matrix.apply(self.be, M, self.start + first)
            for first, M in self.blocks(begin, end, block_size(matrix))
        )
        return (to_numpy(_sum(parts)),)

    def gram(self, begin, end, whitener):
        """Products of ``[1 | A] W`` with itself and with B; None stands for the identity."""
        xp, p = self.be.xp, self.layout.n_parameters
        W = None if whitener is None else self._load(whitener)

        def product(M):
            left = M[:, :p] if W is None else xp.matmul(M[:, :p], W)
            mirrored = xp.matrix_transpose(left)
            # Apart: BLAS halves the work of the first.
            return xp.concat([xp.matmul(mirrored, left), xp.matmul(mirrored, M[:, p:])], axis=1)

        return (to_numpy(_sum(product(M) for _, M in self.blocks(begin, end))),)

    def gradient(self, begin, end, parameters):
        """``[1 | A]^T (B - [1 | A] x)`` and the squared norms of the residuals."""
        return self._descend(begin, end, parameters)

    def normal(self, begin, end, V):
        """``[1 | A]^T [1 | A] V``."""
        slope, _ = self._descend(begin, end, V, with_targets=False)
        return (-slope,)

    def _descend(self, begin, end, parameters, with_targets=True):
        """Gradient and squared norms of the residuals, for B or for zeros in its place."""
        xp, x = self.be.xp, self._load(parameters)
        shift, unit = (a if a is None else self._load(a) for a in (self.shift, self.unit))
        changes = [a if a is None else self._load(a) for a in (self.target_shift, self.target_unit)]
        slope, squares = 0.0, 0.0
        size = self._block_size()
        out = self._buffer(min(size, end - begin), self.layout.n_features)
        for first in range(begin, end, size):
            part = slice(first, min(first + size, end))
            weight = None if self.root_weight is None else self.root_weight[part]
            if with_targets:
                targets = weighted_rows(self.be, self.Y[part, :], *changes, weight)
            else:
                shape = (part.stop - first, x.shape[1])
                targets = xp.zeros(shape, dtype=xp.float64, device=array_api_compat.device(x))
            arrays = (self.X[part, :], targets, shift, unit, weight, x)
            found = row_gradient(self.be, *arrays, intercept=self.layout.intercept, out=out)
            slope, squares = slope + found[0], squares + found[1]
        return to_numpy(slope), to_numpy(squares)

    def triangle(self, begin, end):
        """Triangle of some rows."""
        R = None
        for _, M in self.blocks(begin, end):
            M = to_numpy(M)
            p = self.layout.n_parameters
            R = triangularise(M, p) if R is None else update_triangle(R, M, p)
        return R

    def _load(self, values):
        """A small array of the host on the device of the rows."""
        device = array_api_compat.device(self.Y)
        return self.be.xp.asarray(values, dtype=self.be.xp.float64, device=device)


@dataclass(frozen=True)
class SparseRows(DenseRows):
    """Consecutive rows of a sparse problem; `X` is the triple of arrays of a CSR matrix."""

    sketch_group = _SPARSE_GROUP

    @property
    def n_rows(self):
        """Number of rows."""
        return self.Y.shape[0]

    def levelled(self):
        """The same rows with the targets shifted: shifted features would not be sparse."""
        if not self.layout.intercept:
            return self
        chosen = _first_counted(self.root_weight, self.n_rows)
        return replace(self, target_shift=_level(self.Y, chosen))

    def _slice(self, begin, end):
        """CSR arrays of some rows."""
        data, indices, indptr = self.X
        first, last = int(indptr[begin]), int(indptr[end])
        return data[first:last], indices[first:last], indptr[begin : end + 1] - first

    def _dense(self, begin, end):
        """Features of some rows as a dense array."""
        data, indices, indptr = self._slice(begin, end)
        xp, d = self.be.xp, self.layout.n_features
        data = xp.astype(data, xp.float64)
        if array_api_compat.is_numpy_namespace(xp):
            return sp.csr_array((data, indices, indptr), shape=(end - begin, d)).toarray()
        return csr_matmul(xp, indptr, indices, data, self._load(np.eye(d)))

    def _frame(self, begin, end):
        """Root weights, and the columns ``[1 | B]`` of some rows."""
        xp = self.be.xp
        targets = replace(
            self,
            X=self.Y[:, :0],
            layout=replace(self.layout, n_features=0),
            shift=None,
            unit=None,
        )
        # The columns of dense rows without features.
        M = DenseRows.assemble(_as_dense(targets), begin, end)
        if self.root_weight is None:
            weight = xp.ones(end - begin, dtype=xp.float64, device=array_api_compat.device(M))
        else:
            weight = xp.astype(self.root_weight[begin:end], xp.float64)
        return weight, M

    def sketch(self, begin, end, matrix):
        """Sketch of some rows: S [1 | A | B]."""
        # All rows at once where none is made dense: the sketch is much larger than they are.
        size = end - begin if matrix.is_sparse else block_size(matrix)
        lead, d = int(self.layout.intercept), self.layout.n_features
        total = np.zeros((matrix.n_components, self.layout.width))
        for first in range(begin, end, size):
            last = min(first + size, end)
            weight, M = self._frame(first, last)
            where = self.start + first
            body = matrix.apply_csr(self.be, self._slice(first, last), weight, d, where)
            frame = to_numpy(matrix.apply(self.be, M, where))
            total[:, :lead] += frame[:, :lead]
            total[:, lead : lead + d] += to_numpy(body)
            total[:, lead + d :] += frame[:, lead:]
        if self.unit is not None:
            total[:, lead : lead + d] *= self.unit
        return (total,)

    def gradient(self, begin, end, parameters):
        """``[1 | A]^T (B - [1 | A] x)`` and the squared norms of the residuals."""
        weight, M = self._frame(begin, end)
        lead = int(self.layout.intercept)
        base = M[:, lead:]
        if lead:
            base = base - M[:, :1] * self._load(parameters[:1])
        return self._descend_sparse(begin, end, weight, base, parameters[lead:])

    def normal(self, begin, end, V):
        """``[1 | A]^T [1 | A] V``."""
        weight, M = self._frame(begin, end)
        lead = int(self.layout.intercept)
        base = self.be.xp.zeros_like(M[:, :1] * self._load(V[:1]))
        if lead:
            base = -M[:, :1] * self._load(V[:1])
        slope, _ = self._descend_sparse(begin, end, weight, base, V[lead:])
        return (-slope,)

    def _descend_sparse(self, begin, end, weight, base, coef):
        """Gradient for residuals ``base - diag(weight) A coef``."""
        unit = 1.0 if self.unit is None else self.unit[:, None]
        slope, total, squares = csr_gradient(
            self.be, *self._slice(begin, end), weight, base, self._load(unit * coef)
        )
        slope = to_numpy(slope) * unit
        if self.layout.intercept:
            slope = np.concatenate([to_numpy(total)[None, :], slope])
        return slope, to_numpy(squares)


class LocalRows:
    """The rows in memory: sums over all of them, by threads where there are some.

    Parameters
    ----------
    rows : DenseRows or SparseRows
        All rows.
    pool : ThreadPoolExecutor or None
        Threads.
    """

    def __init__(self, rows, pool=None):
        self.rows = rows
        self.pool = pool

    @property
    def layout(self):
        """Columns of the rows."""
        return self.rows.layout

    @property
    def n_rows(self):
        """Number of rows."""
        return self.rows.n_rows

    def changed(self, **attributes):
        """The same rows with other attributes."""
        return LocalRows(replace(self.rows, **attributes), self.pool)

    def of_targets(self, chosen):
        """The same rows with some of the targets."""
        return LocalRows(self.rows.of_targets(chosen), self.pool)

    def total(self, method, *arguments):
        """Sums over all rows of what a method of the rows gives for some of them.

        Parameters
        ----------
        method : str
            Name of the method.
        *arguments : object
            Its arguments after the bounds.

        Returns
        -------
        sums : tuple of ndarray
            The sums.
        """
        size = _GROUP
        if method == "sketch":
            size = max(self.rows.sketch_group, block_size(*arguments))
        totals = None
        for parts in self._run(method, size, arguments):
            totals = parts if totals is None else tuple(map(np.add, totals, parts))
        return totals

    def triangle(self):
        """Triangle of all rows, in one go if they are few."""
        p = self.layout.n_parameters
        if self.n_rows <= _GROUP:
            return triangularise(to_numpy(self.rows.assemble(0, self.n_rows)), p)
        merged = None
        for R in self._run("triangle", _GROUP, ()):
            merged = R if merged is None else triangularise(np.concatenate([merged, R]), p)
        return merged

    def _run(self, method, size, arguments):
        """Results for the groups of rows, in order; no more wait than the threads need."""
        call = getattr(self.rows, method)
        bounds = [(a, min(a + size, self.n_rows)) for a in range(0, self.n_rows, size)]
        if self.pool is None:
            for begin, end in bounds:
                yield call(begin, end, *arguments)
            return
        waiting: deque = deque()
        for begin, end in bounds:
            if len(waiting) > self.pool._max_workers:
                yield waiting.popleft().result()
            waiting.append(self.pool.submit(call, begin, end, *arguments))
        while waiting:
            yield waiting.popleft().result()


def block_size(matrix):
    """Rows that are sketched at once: blocks of the matrix, two where the sketch is long.

    Each time there is a sketch to be made and to be added to the others.
    """
    return matrix.block * 2 if matrix.block > _BLOCK else _BLOCK


def _first_counted(root_weight, n_rows):
    """The first rows whose weight counts; what stands in the others must not matter."""
    if root_weight is None:
        return np.arange(min(_LEVEL, n_rows))
    weight = to_numpy(root_weight)
    return np.flatnonzero(weight > _COUNTS * weight.max())[:_LEVEL]


def _level(values, chosen):
    """Medians of some rows: exact for columns that do not vary, and blind to outliers."""
    if not chosen.size:
        return np.zeros(values.shape[1])
    xp = array_api_compat.array_namespace(values)
    places = xp.asarray(chosen, device=array_api_compat.device(values))
    # Cut first: NumPy takes rows out of a copy of an array that is stored by columns.
    few = xp.take(values[: int(chosen[-1]) + 1, :], places, axis=0)
    return np.median(to_numpy(few).astype(np.float64), axis=0)


def _sum(parts):
    """Sum of arrays in the order in which they come."""
    total = None
    for part in parts:
        if total is None:
            total = part
        else:
            total += part
    return total


def _as_dense(rows):
    """Dense rows with the attributes of other ones."""
    return DenseRows(**{name: getattr(rows, name) for name in rows.__dataclass_fields__})
