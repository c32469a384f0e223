"""Sketching matrices as linear operators, and the Hadamard transform as a function."""

from numbers import Integral
from operator import index

import array_api_compat
import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator

from .._backend import get_backend
from .._sklearn import Interval, StrOptions, validate_params
from . import _kernels as kernels
from ._hashing import draw_seed
from ._sketch import KINDS, Sketch


class SketchOperator(LinearOperator):
    r"""Random matrix S that shortens data along their samples: S @ X has few rows.

    For a fixed X with k columns the singular values of S X are those of X up to a factor of
    about :math:`1 \pm \sqrt{k / m}`, with m rows of S. S is never stored: its entries hang on
    the seed and on the index of a sample, so that data may be sketched in chunks, in any order
    and on several machines, and the results added.

    Use it where a problem with many samples is to become a small one. Of the kinds, "srht" and
    "gaussian" have the guarantee for single coordinates of a regression [1]_, "sparse_sign" is the
    fastest that never failed in tests and keeps the zeros of sparse X, "countsketch" is faster
    still and fails where a few rows of X outweigh the others, and "uniform" fails there too: it
    is a baseline.

    Parameters
    ----------
    kind : {"srht", "gaussian", "sparse_sign", "countsketch", "uniform"}
        Subsampled randomised Hadamard transform by blocks of samples [2]_; independent normal
        entries; a few signs per sample; one sign per sample; a sample of the rows.
    n_components : int
        Number of rows of S.
    n_samples : int
        Number of columns of S: the length of what is sketched.
    n_nonzero : int, default=8
        Non-zeros per column of "sparse_sign", cut to `n_components`; fewer are faster and
        riskier.
    random_state : int, RandomState instance or None, default=None
        Seed. Pass an int for the same matrix in every call.

    Attributes
    ----------
    shape : tuple of int
        ``(n_components, n_samples)``.
    dtype : dtype
        Double precision, whatever is sketched.
    kind : str
        Kind of the matrix.
    block : int
        Samples of a block of "srht", a power of two: chunks begin at its multiples.

    See Also
    --------
    SketchProjection : Transformer that sketches the features.
    skmatrix.linear_model.SketchedRegression : Least squares by sketching.

    Notes
    -----
    S X is computed in blocks of samples, in double precision. Zeros of sparse X cost nothing
    with "sparse_sign" and "countsketch"; the other kinds make a block dense at a time. "srht"
    permutes the samples of a block before it transforms them, so that heavy ones may be
    neighbours.

    Products with the transpose, ``S.T @ z``, make all entries of S, a block at a time: the operator
    can be given to a solver, but it is quick in one direction only.

    References
    ----------
    .. [1] Zhao Song, Mingquan Ye, Junze Yin, Lichen Zhang, "A Nearly-Optimal Bound for Fast
       Regression with :math:`\ell_\infty` Guarantee", International Conference on Machine
       Learning, 2023. :arxiv:`2302.00248`

    .. [2] Oleg Balabanov, Matthias Beaupere, Laura Grigori, Victor Lederer, "Block Subsampled
       Randomized Hadamard Transform for Low-Rank Approximation on Distributed Architectures",
       International Conference on Machine Learning, 2023. :arxiv:`2210.11295`

    Examples
    --------
    >>> import numpy as np
    >>> from skmatrix.random_projection import SketchOperator
    >>> X = np.random.default_rng(0).standard_normal((10_000, 5))
    >>> S = SketchOperator("srht", 400, 10_000, random_state=0)
    >>> (S @ X).shape
    (400, 5)
    >>> parts = [S.apply_chunk(X[i : i + S.block], i) for i in range(0, 10_000, S.block)]
    >>> bool(np.allclose(sum(parts), S @ X))
    True
    """

    # NumPy arrays on the left give way to `__rmatmul__`.
    __array_ufunc__ = None

    @validate_params(
        {
            "kind": [StrOptions(set(KINDS))],
            "n_components": [Interval(Integral, 1, None, closed="left")],
            "n_samples": [Interval(Integral, 1, None, closed="left")],
            "n_nonzero": [Interval(Integral, 1, None, closed="left")],
            "random_state": ["random_state"],
        },
        prefer_skip_nested_validation=True,
    )
    def __init__(self, kind, n_components, n_samples, *, n_nonzero=8, random_state=None):
        seed = draw_seed(random_state)
        self._sketch = Sketch(kind, int(n_components), seed, int(n_nonzero), int(n_samples))
        super().__init__(np.dtype(np.float64), (int(n_components), int(n_samples)))

    @property
    def kind(self):
        """Kind of the matrix."""
        return self._sketch.kind

    @property
    def block(self):
        """Samples of a block."""
        return self._sketch.block

    def apply_chunk(self, X, row_offset=0):
        """Sketch of some consecutive samples; the sum over all chunks is the sketch of all.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_rows, n_features)
            The samples ``row_offset, row_offset + 1, ...``.
        row_offset : int, default=0
            Index of the first of them; for "srht" a multiple of `block`.

        Returns
        -------
        sketch : array of shape (n_components, n_features)
            Their part of the sketch, in double precision, in the library of X.

        Raises
        ------
        ValueError
            If the chunk goes beyond the last sample, or begins inside of a block; if X is
            complex, or has not two dimensions.
        """
        be = get_backend("auto", X)
        if not sp.issparse(X):
            X = be.load(X if array_api_compat.is_array_api_obj(X) else np.asarray(X))
        if X.ndim != 2:
            raise ValueError(f"X must have two dimensions. Got shape {tuple(X.shape)}.")
        row_offset, n_rows, n_samples = index(row_offset), X.shape[0], self.shape[1]
        if not 0 <= row_offset <= row_offset + n_rows <= n_samples:
            raise ValueError(
                f"X with {n_rows} rows at row_offset={row_offset} must lie within the"
                f" n_samples={n_samples} rows of the operator."
            )
        if self.kind == "srht" and row_offset % self.block:
            raise ValueError(
                f"row_offset={row_offset} must be a multiple of block={self.block} for"
                ' kind="srht": cut the data there.'
            )
        if sp.issparse(X):
            X = X.tocsr()
            arrays = (_as_float(be.xp, X.data), X.indices, X.indptr)
            return self._sketch.apply_csr(be, arrays, np.ones(n_rows), X.shape[1], row_offset)
        X = _as_float(be.xp, X)
        if array_api_compat.is_numpy_array(X):
            X = np.ascontiguousarray(X)
        return self._sketch.apply(be, X, row_offset)

    def toarray(self):
        """All entries of S, for tests and small examples.

        Returns
        -------
        S : ndarray of shape (n_components, n_samples)
            The matrix.
        """
        return self._sketch.columns(0, self.shape[1])

    def dot(self, x):
        """Product with an array, a sparse matrix or another operator; the same as ``S @ x``.

        Parameters
        ----------
        x : {array, sparse matrix, LinearOperator} of shape (n_samples,) or (n_samples, k)
            What is sketched.

        Returns
        -------
        sketch : array of shape (n_components,) or (n_components, k)
            The sketch.
        """
        if isinstance(x, LinearOperator) or np.isscalar(x):
            return super().dot(x)
        if not (sp.issparse(x) or array_api_compat.is_array_api_obj(x)):
            x = np.asarray(x)
        if x.ndim not in (1, 2) or x.shape[0] != self.shape[1]:
            raise ValueError(
                f"S has shape {self.shape} and cannot be multiplied with an array of shape"
                f" {tuple(x.shape)}."
            )
        return self.apply_chunk(x) if x.ndim == 2 else self.apply_chunk(x[:, None])[:, 0]

    def __matmul__(self, x):
        """``S @ x``: the product with an array, a sparse matrix or another operator."""
        # From SciPy 1.18 on an array without dimensions is a scalar there, with another message.
        return super().__matmul__(x) if np.isscalar(x) else self.dot(x)

    def _matmat(self, X):
        return self.apply_chunk(X)

    def _rmatvec(self, z):
        # Before SciPy 1.15 the operator does not find its way from one to the other.
        return self._rmatmat(z.reshape(-1, 1))[:, 0]

    def _rmatmat(self, Z):
        S = self._sketch
        pieces = S.pieces(0, self.shape[1])
        return np.concatenate([S.columns(first, last).T @ Z for first, last in pieces])


@validate_params(
    {"X": "no_validation", "axis": [Integral]},
    prefer_skip_nested_validation=True,
)
def fwht(X, axis=0):
    """Fast Walsh-Hadamard transform along an axis, without normalisation.

    Multiplies by the Hadamard matrix in the order of :func:`scipy.linalg.hadamard`, in
    ``n log2(n)`` additions. Applied twice it multiplies by n.

    Parameters
    ----------
    X : array-like
        Data; the length of the axis has to be a power of two.
    axis : int, default=0
        The axis.

    Returns
    -------
    transformed : array of the shape of X
        The transform, in the library of X; float32 and float64 stay, all else becomes float64.

    Raises
    ------
    ValueError
        If the length of the axis is not a power of two, or X is complex.
    TypeError
        If X is sparse: its transform is not.

    See Also
    --------
    SketchOperator : Sketching matrices, some of which are made of Hadamard matrices.

    Examples
    --------
    >>> from skmatrix.random_projection import fwht
    >>> fwht([1.0, 2.0, 3.0, 4.0])
    array([10., -2., -4.,  0.])
    """
    if sp.issparse(X):
        raise TypeError("X is sparse, and its transform is dense: pass X.toarray().")
    be = get_backend("auto", X)
    xp = be.home
    X = xp.asarray(X)
    if not -X.ndim <= axis < X.ndim:
        raise ValueError(f"axis={axis} is out of range for X with {X.ndim} dimensions.")
    n = X.shape[axis]
    if n < 1 or n & (n - 1):
        raise ValueError(
            f"The length of X along axis={axis} must be a power of two. Got {n}: pad it with zeros."
        )
    moved = xp.moveaxis(_as_float(xp, X), axis, 0)
    flat = be.load(xp.reshape(moved, (n, -1)))
    transformed = xp.reshape(be.unload(kernels.fwht(be, flat)), moved.shape)
    return xp.moveaxis(transformed, 0, axis)


def _as_float(xp, X):
    """The array in float32 or float64, its own dtype if it is one of these."""
    if xp.isdtype(X.dtype, "complex floating"):
        raise ValueError(f"X must be real. Got dtype {X.dtype}: pass X.real and X.imag in turn.")
    return X if X.dtype in (xp.float32, xp.float64) else xp.astype(X, xp.float64)
