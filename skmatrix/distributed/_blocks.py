"""Row blocks of dask arrays, and the two ways to work on them.

dask is imported inside the functions, so that this module costs nothing to those who do
not use it. No function takes a client: dask's active scheduler runs the work.
"""

import sys
from functools import reduce
from itertools import pairwise

import numpy as np
import scipy.sparse as sp


def is_dask(X):
    """Whether X is a dask collection, found out without importing dask.

    Parameters
    ----------
    X : object
        Anything.

    Returns
    -------
    is_dask : bool
        True for dask arrays, data frames, bags and delayed values.
    """
    return "dask" in sys.modules and hasattr(X, "__dask_graph__")


def broadcast(state):
    """Make one node of the task graph out of a value that all blocks read.

    Without it every task would carry its own copy.

    Parameters
    ----------
    state : object
        The value; a delayed value is returned as it is.

    Returns
    -------
    node : Delayed
        The value as one node.
    """
    from dask import delayed
    from dask.delayed import Delayed

    # Neither hashed (slow for large arrays) nor searched for dask collections inside.
    return state if isinstance(state, Delayed) else delayed(state, pure=False, traverse=False)


def as_row_blocks(X, *columns):
    """Cut a dask array, and what belongs to its rows, into blocks of whole rows.

    Parameters
    ----------
    X : dask array of shape (n_samples, ...) or dask data frame
        The data. Its blocks may be NumPy arrays or SciPy sparse matrices and arrays.
    *columns : array-like or dask array of shape (n_samples, ...), or None
        Targets, weights and the like, cut at the same rows.

    Returns
    -------
    blocks : list of tuple
        Per block of rows, the delayed block of X and of each column (None stays None).
    starts : list of int
        Index in X of each block's first row.

    Raises
    ------
    ValueError
        If a column has not as many rows as X.
    """
    X = _whole_rows(X)
    row_chunks = X.chunks[0]
    bounds = np.cumsum((0, *row_chunks)).tolist()
    parts = [_row_parts(X)]
    parts += [_column_parts(column, row_chunks, bounds) for column in columns]
    return list(zip(*parts, strict=True)), bounds[:-1]


def map_reduce(blocks, starts, fn, merge, state=None, fanin=4):
    """Apply a function to each block of rows and merge what comes back.

    The merging follows a tree that depends on the number of blocks alone, so that the
    result is the same to the last bit whichever worker finishes first.

    Parameters
    ----------
    blocks : list of tuple
        Blocks as returned by :func:`as_row_blocks`.
    starts : list of int
        Index of each block's first row.
    fn : callable
        ``fn(*block, start=, state=)``, which returns what is to be merged: usually a
        tuple of small arrays.
    merge : callable
        ``merge(left, right)`` for the results of two neighbouring runs of blocks, the
        lower rows on the left.
    state : object, default=None
        What all blocks read, sent once. A value made by :func:`broadcast` can be passed
        to several calls.
    fanin : int, default=4
        How many results are merged by one task; at least 2.

    Returns
    -------
    merged : object
        The merged result, computed.
    """
    import dask

    if fanin < 2:
        raise ValueError(f"fanin={fanin} must be at least 2.")
    shared = broadcast(state)
    task = dask.delayed(_run_block, pure=False, traverse=False)
    level = [task(fn, block, start, shared) for block, start in zip(blocks, starts, strict=True)]
    join = dask.delayed(_merge_run, pure=False, traverse=False)
    while len(level) > 1:
        level = [join(merge, level[i : i + fanin]) for i in range(0, len(level), fanin)]
    return level[0].compute()


def map_rows(X, fn, trailing=(), dtype=None, state=None):
    """Apply a row-wise function to each block of rows, lazily.

    Parameters
    ----------
    X : dask array of shape (n_samples, ...) or dask data frame
        The data; unknown numbers of rows are allowed.
    fn : callable
        ``fn(block)``, or ``fn(block, state=)`` when `state` is given, which returns an
        array with one entry per row.
    trailing : tuple of int, default=()
        Shape of the result for one row; ``()`` gives a one-dimensional result.
    dtype : dtype, default=None
        Type of the result; None stands for the type of X.
    state : object, default=None
        What all blocks read, sent once.

    Returns
    -------
    result : dask array of shape (n_samples, *trailing)
        The result, not computed.
    """
    import dask.array as da

    X = _one_column_block(_as_array(X))
    dtype = np.dtype(X.dtype if dtype is None else dtype)
    shared = {} if state is None else {"state": broadcast(state)}
    return da.map_blocks(
        _run_rows,
        X,
        fn=fn,
        **shared,
        chunks=(X.chunks[0], *((size,) for size in trailing)),
        drop_axis=list(range(1, X.ndim)),
        new_axis=list(range(1, 1 + len(trailing))),
        dtype=dtype,
        # Without it dask would call fn on empty arrays to learn what it returns.
        meta=np.empty((0,) * (1 + len(trailing)), dtype=dtype),
    )


def _as_array(X):
    """A dask array out of a dask array or data frame."""
    return X.to_dask_array(lengths=True) if hasattr(X, "to_dask_array") else X


def _one_column_block(X):
    """The array with its rows whole within a block."""
    return X.rechunk(dict.fromkeys(range(1, X.ndim), -1))


def _whole_rows(X):
    """The array in blocks of whole rows whose numbers are known."""
    X = _one_column_block(_as_array(X))
    if any(np.isnan(size) for size in X.chunks[0]):
        # Counting the rows computes the blocks: keep them for the work that follows.
        X = X.persist()
        X.compute_chunk_sizes()
    return X


def _row_parts(X):
    """The delayed row blocks of an array that is not cut along other axes."""
    # The optimised graph of a persisted array would drop its hold on the blocks, which the
    # cluster then forgets.
    return X.to_delayed(optimize_graph=False).ravel().tolist()


def _column_parts(column, row_chunks, bounds):
    """The row blocks of what belongs to the rows of X, cut where X is."""
    if column is None:
        return [None] * len(row_chunks)
    whole = _whole_rows(column) if is_dask(column) else np.asarray(column)
    if whole.shape[0] != bounds[-1]:
        raise ValueError(
            f"X has {bounds[-1]} rows but a column passed with it has {whole.shape[0]}; they must"
            " have as many rows as X."
        )
    if isinstance(whole, np.ndarray):
        return [whole[a:b] for a, b in pairwise(bounds)]
    return _row_parts(whole.rechunk({0: row_chunks}))


def _run_block(fn, block, start, state):
    """One task of :func:`map_reduce`."""
    return fn(*_aligned(block), start=start, state=_aligned(state))


def _run_rows(block, fn, **shared):
    """One task of :func:`map_rows`."""
    return fn(_aligned(block), **_aligned(shared))


def _aligned(value):
    """The value with its arrays at addresses that suit their elements.

    What has travelled between processes may begin anywhere. BLAS would pass it by, with other
    rounding, and Numba would compile its kernels anew.
    """
    if isinstance(value, np.ndarray):
        return np.require(value, requirements=["A"])
    if isinstance(value, (list, tuple)):
        return type(value)([_aligned(part) for part in value])
    if isinstance(value, dict):
        return {name: _aligned(part) for name, part in value.items()}
    if sp.issparse(value) and value.format == "csr":
        value.data, value.indices, value.indptr = _aligned(
            (value.data, value.indices, value.indptr)
        )
    return value


def _merge_run(merge, results):
    """Merge the results of consecutive runs of blocks from left to right."""
    return reduce(merge, results)
