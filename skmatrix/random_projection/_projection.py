"""Projection of the features by a sketching matrix, as a transformer."""

from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import DataDimensionalityWarning
from sklearn.random_projection import johnson_lindenstrauss_min_dim
from sklearn.utils.validation import check_is_fitted, validate_data

from .._backend import CONSTRAINT, get_backend
from .._iterate import warn_caller
from .._sklearn import Interval, StrOptions, _fit_context
from .._transaction import all_or_nothing
from ._hashing import draw_seed
from ._sketch import KINDS, Sketch

# Elements of a block of rows that is projected at once, and rows of a sparse one.
_BLOCK = 2**22
_SPARSE_ROWS = 1024


class SketchProjection(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""Reduce the features by a random sketching matrix that keeps distances.

    ``transform(X)`` is :math:`X S^\top`, where S is one of the sketching matrices of
    :class:`SketchOperator`. Squared distances between samples change by a factor of about
    :math:`1 \pm \sqrt{2 / n_\mathrm{components}}`.

    Use it before a method whose cost grows with the features. "srht" takes
    ``d log d`` operations per sample where
    :class:`sklearn.random_projection.GaussianRandomProjection` takes
    ``d n_components``, and stores no matrix. To shorten the *samples* of a regression
    take :class:`~skmatrix.linear_model.SketchedRegression` or :class:`SketchOperator`: a
    transformer keeps its samples.

    Read more in the :ref:`User Guide <sketching>`.

    Parameters
    ----------
    n_components : int or "auto", default="auto"
        Features of the result. "auto" takes as many as distances need to stay within a factor of
        ``1 +- eps``, by the Johnson-Lindenstrauss lemma, which is a lot.
    sketch : {"srht", "gaussian", "sparse_sign", "countsketch", "uniform"}, default="srht"
        Kind of the matrix. "srht" is the fastest dense one; "sparse_sign" is the choice for
        sparse X; "uniform" is a sample of the features, as a baseline.
    eps : float, default=0.1
        Distortion that "auto" allows, between 0 and 1.
    n_nonzero : int, default=8
        Non-zeros per feature of "sparse_sign", cut to `n_components`.
    random_state : int, RandomState instance or None, default=None
        Seed of the matrix. Pass an int for the same result in every call.
    backend : {"auto", "numpy", "numba", "cupy", "torch"}, default="auto"
        Where the projection runs.

    Attributes
    ----------
    n_components_ : int
        Features of the result.
    seed_ : int
        Seed of the matrix that was drawn.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X has names that are all strings.

    See Also
    --------
    SketchOperator : The same matrices as linear operators.
    sklearn.random_projection.SparseRandomProjection : A sparse matrix that is stored.

    Notes
    -----
    `fit` draws a seed, and every `transform` makes the entries of S anew, so that the fitted
    transformer has the size of a few numbers. X is projected in blocks of samples: memory is X,
    the result and one block. With "sparse_sign" and "countsketch" the zeros of sparse X cost
    nothing; the other kinds make it dense, a block at a time.

    "uniform" keeps distances only where they spread over many features; the other kinds keep all.

    References
    ----------
    N. Ailon, B. Chazelle, "The Fast Johnson-Lindenstrauss Transform and Approximate Nearest
    Neighbors", SIAM Journal on Computing 39(1), 2009. :doi:`10.1137/060673096`

    Examples
    --------
    >>> import numpy as np
    >>> from skmatrix.random_projection import SketchProjection
    >>> X = np.random.default_rng(0).standard_normal((100, 5000))
    >>> SketchProjection(300, random_state=0).fit_transform(X).shape
    (100, 300)
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "sketch": [StrOptions(set(KINDS))],
        "eps": [Interval(Real, 0, 1, closed="neither")],
        "n_nonzero": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "backend": CONSTRAINT,
    }

    def __init__(
        self,
        n_components="auto",
        *,
        sketch="srht",
        eps=0.1,
        n_nonzero=8,
        random_state=None,
        backend="auto",
    ):
        self.n_components = n_components
        self.sketch = sketch
        self.eps = eps
        self.n_nonzero = n_nonzero
        self.random_state = random_state
        self.backend = backend

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Draw the matrix for the number of features of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data; its values are not used.
        y : None
            Ignored.

        Returns
        -------
        self : SketchProjection
            The fitted estimator.

        Raises
        ------
        ValueError
            If ``n_components="auto"`` asks for no features, or for more than X has.
        """
        with all_or_nothing(self, ("_drawn", "_place")):
            be = get_backend(self.backend, X)
            X = validate_data(self, X, accept_sparse="csr", dtype=be.float_dtypes)
            self.n_components_ = self._size(*X.shape)
            self.seed_ = draw_seed(self.random_state)
            # What set_params may change later without changing the matrix that was drawn.
            self._drawn = (self.sketch, self.n_components_, self.seed_, self.n_nonzero, X.shape[1])
            # No fitted attribute is an array: this one tells where X was.
            self._place = be.unload(np.zeros(0))
        return self

    def _size(self, n_samples, n_features):
        """Number of components for data of a shape."""
        if self.n_components != "auto":
            if self.n_components > n_features:
                warn_caller(
                    f"n_components={self.n_components} exceeds the {n_features} features of X: the"
                    " result has more features than X.",
                    DataDimensionalityWarning,
                )
            return int(self.n_components)
        n_components = int(johnson_lindenstrauss_min_dim(n_samples, eps=self.eps))
        if n_components == 0:
            raise ValueError(
                'n_components="auto" needs distances to keep, and n_samples=1 has none. Set'
                " n_components, or pass more samples."
            )
        if n_components > n_features:
            raise ValueError(
                f"eps={self.eps} and n_samples={n_samples} ask for {n_components} components,"
                f" more than the {n_features} features of X. Set n_components, or raise eps."
            )
        return n_components

    def transform(self, X):
        """Project the samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        X_new : array of shape (n_samples, n_components)
            The projection, dense.
        """
        check_is_fitted(self)
        be = get_backend(self.backend, X)
        be.check_home(self, "_place", "transform")
        X = validate_data(self, X, reset=False, accept_sparse="csr", dtype=be.float_dtypes)
        sketch = Sketch(*self._drawn)
        if sp.issparse(X) and sketch.is_sparse:
            project, step = _project_sparse, _SPARSE_ROWS
        else:
            project, step = _project, max(1, _BLOCK // max(X.shape[1], sketch.n_components))
        starts = range(0, X.shape[0], step)
        parts = [project(be, sketch, X[a : min(a + step, X.shape[0]), :]) for a in starts]
        return parts[0] if len(parts) == 1 else be.home.concat(parts)

    @property
    def _n_features_out(self):
        return self.n_components_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.array_api_support = True
        return tags


# A sketch runs over samples, and the samples of these two are the features of X.


def _project(be, sketch, rows):
    """The projection of some rows, at X's home."""
    columns = rows.toarray().T if sp.issparse(rows) else rows.T
    if isinstance(columns, np.ndarray):
        columns = np.ascontiguousarray(columns)
    columns = be.load(columns)
    return _finished(be, sketch.apply(be, columns, 0), columns.dtype)


def _project_sparse(be, sketch, rows):
    """The same for sparse rows and a sparse sketch."""
    columns = rows.T.tocsr()
    arrays = be.load(columns.data, columns.indices, columns.indptr)
    ones = be.load(np.ones(columns.shape[0]))
    return _finished(be, sketch.apply_csr(be, arrays, ones, columns.shape[1], 0), arrays[0].dtype)


def _finished(be, sketched, dtype):
    """A sketch of features as rows of the result."""
    projected = be.unload(be.xp.astype(sketched.T, dtype))
    return np.ascontiguousarray(projected) if isinstance(projected, np.ndarray) else projected
