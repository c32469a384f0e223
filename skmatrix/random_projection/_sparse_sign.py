"""Sparse sign sketching matrices."""

from numbers import Integral

import numpy as np
import scipy.sparse as sp

from .._sklearn import Interval, validate_params
from ._hashing import draw_seed, sparse_sign_columns


@validate_params(
    {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "n_samples": [Interval(Integral, 0, None, closed="left")],
        "n_nonzero": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def sparse_sign_matrix(n_components, n_samples, *, n_nonzero=8, random_state=None):
    """Draw a sketching matrix with the same few signs in every column.

    S has `n_nonzero` entries of ``+-1 / sqrt(n_nonzero)`` in each column, one in each of as many
    segments of its rows: the matrix of ``SketchOperator("sparse_sign", ...)``, stored. For a
    matrix A with k columns, S A keeps the singular values of A up to a factor
    ``1 +- sqrt(k / n_components)`` or so, at a cost of `n_nonzero` times the entries of A.

    Parameters
    ----------
    n_components : int
        Number of rows of S: the length of the sketch.
    n_samples : int
        Number of columns of S: the length of what is sketched.
    n_nonzero : int, default=8
        Entries per column, at most `n_components`. Eight behave almost like a dense
        Gaussian sketch; one is CountSketch.
    random_state : int, RandomState instance or None, default=None
        Seed of the draw. Pass an int for the same matrix in every call.

    Returns
    -------
    S : sparse array of shape (n_components, n_samples)
        The matrix in CSC format, in double precision.

    Raises
    ------
    ValueError
        If `n_nonzero` exceeds `n_components`.

    See Also
    --------
    SketchOperator : The same matrix without storing it.
    sklearn.random_projection.SparseRandomProjection : Transformer that projects features.

    References
    ----------
    M. B. Cohen, "Nearly Tight Oblivious Subspace Embeddings by Trace Inequalities",
    Symposium on Discrete Algorithms, 2016.

    Examples
    --------
    >>> from skmatrix.random_projection import sparse_sign_matrix
    >>> S = sparse_sign_matrix(20, 1000, n_nonzero=4, random_state=0)
    >>> S.shape, S.nnz
    ((20, 1000), 4000)
    """
    if n_nonzero > n_components:
        raise ValueError(
            f"n_nonzero={n_nonzero} must be at most n_components={n_components}: the entries of"
            " a column lie in distinct rows."
        )
    return stored_columns(draw_seed(random_state), 0, n_samples, n_components, n_nonzero)


def stored_columns(seed, start, stop, n_components, n_nonzero):
    """Columns of a sparse sign matrix for rows `start` to ``stop - 1``, as a CSC array."""
    rows = np.arange(start, stop)
    targets, values = sparse_sign_columns(seed, rows, n_components, n_nonzero)
    indptr = np.arange(0, len(rows) * n_nonzero + 1, n_nonzero)
    shape = (n_components, len(rows))
    return sp.csc_array((values.ravel(), targets.ravel(), indptr), shape=shape)
