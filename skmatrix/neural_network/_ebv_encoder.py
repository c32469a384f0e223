"""Classes as unit vectors, for regressors of several outputs."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_array, check_random_state, column_or_1d
from sklearn.utils.validation import check_is_fitted

from .._backend import CONSTRAINT, get_backend
from .._sklearn import Interval, StrOptions, _fit_context
from .._transaction import all_or_nothing
from ._ebv_bases import METHODS, make_basis
from ._ebv_classes import check_labels
from ._ebv_scores import chosen_dim, nearest

_PRIVATE = ("_basis", "_column")


class EBVEncoder(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Encode classes as nearly orthogonal unit vectors, and decode the nearest.

    It makes a classifier of any regressor of several outputs, with `dim` outputs instead of one for
    each class. For up to a few hundred classes,
    :class:`~sklearn.preprocessing.LabelBinarizer` does the same with one output for each.

    Read more in the :ref:`User Guide <neural_network>`.

    Parameters
    ----------
    dim : int or "auto", default="auto"
        Length of the vectors. "auto" is the number of classes up to 1024, then 1024, and 4096 for
        more than 525,312.
    basis : {"auto", "orthogonal", "simplex", "kerdock", "gold", "optimize", "random"}, \
            default="auto"
        How they are made, see :func:`make_ebv`; vectors of your own are not taken.
    alpha : float or "auto", default="auto"
        Largest absolute cosine for "optimize"; other vectors have their own, also where "auto"
        takes them.
    random_state : int, RandomState instance or None, default=None
        Source of random vectors.
    backend : {"auto", "numpy", "numba", "cupy", "torch"}, default="auto"
        Where vectors are searched, and the nearest ones looked for.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted classes; the k-th has the k-th vector.
    coherence_ : float
        Largest absolute cosine, NaN for more than 8,192 stored vectors.
    dim_ : int
        Length of the vectors.

    See Also
    --------
    EBVClassifier : Neural network that ends in such vectors.
    sklearn.preprocessing.LabelBinarizer : One output for each class.

    Notes
    -----
    Vectors of closed forms are not stored.

    References
    ----------
    .. [1] Yang Shen, Xuhao Sun, Xiu-Shen Wei, "Equiangular Basis Vectors", IEEE/CVF Conference on
       Computer Vision and Pattern Recognition, 2023. :arxiv:`2303.11637`

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import Ridge
    >>> from skmatrix.neural_network import EBVEncoder
    >>> X, y = load_iris(return_X_y=True)
    >>> encoder = EBVEncoder(basis="simplex", dim=2).fit(y)
    >>> model = Ridge().fit(X, encoder.transform(y))
    >>> labels = encoder.inverse_transform(model.predict(X))
    >>> bool((labels == y).mean() > 0.8)
    True
    """

    _parameter_constraints: dict = {
        "dim": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "basis": [StrOptions(set(METHODS))],
        "alpha": [Interval(Real, 0, 1, closed="neither"), StrOptions({"auto"})],
        "backend": CONSTRAINT,
        "random_state": ["random_state"],
    }

    def __init__(
        self, dim="auto", *, basis="auto", alpha="auto", random_state=None, backend="auto"
    ):
        self.dim = dim
        self.basis = basis
        self.alpha = alpha
        self.random_state = random_state
        self.backend = backend

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, y):
        """Find the classes, and a vector for each.

        Parameters
        ----------
        y : array-like of shape (n_samples,) or (n_samples, 1)
            Labels.

        Returns
        -------
        self : EBVEncoder
            The fitted estimator.

        Raises
        ------
        ValueError
            If `basis` has not as many vectors of length `dim`, or `alpha` is below the bound.

        Warns
        -----
        ConvergenceWarning
            If "optimize" has not reached `alpha`.
        UserWarning
            If `dim` is no length of the closed form.
        """
        with all_or_nothing(self, _PRIVATE):
            labels = _labels(y)
            classes = np.unique(labels)
            dim = chosen_dim(self.dim, classes.size)
            made = make_basis(
                classes.size,
                dim,
                self.basis,
                alpha=self.alpha,
                max_iter=2000,
                tol=1e-4,
                backend=self.backend,
                rng=check_random_state(self.random_state),
            )
            self.classes_ = classes
            self.coherence_ = made.coherence
            self.dim_ = dim
            self._basis = made.basis
            self._column = np.ndim(y) == 2
        return self

    def fit_transform(self, y):
        """Find the classes, and encode the labels.

        Parameters
        ----------
        y : array-like of shape (n_samples,) or (n_samples, 1)
            Labels.

        Returns
        -------
        V : float64 ndarray of shape (n_samples, dim)
            Their vectors.
        """
        return self.fit(y).transform(y)

    def transform(self, y):
        """Encode labels.

        Parameters
        ----------
        y : array-like of shape (n_samples,) or (n_samples, 1)
            Labels.

        Returns
        -------
        V : float64 ndarray of shape (n_samples, dim)
            Their vectors.

        Raises
        ------
        ValueError
            If there is a label that the fit has not seen.
        """
        check_is_fitted(self)
        labels = _labels(y)
        place = np.minimum(np.searchsorted(self.classes_, labels), self.classes_.size - 1)
        unknown = self.classes_[place] != labels
        if unknown.any():
            raise ValueError(f"y has labels that were not seen: {np.unique(labels[unknown])[:5]}.")
        return np.array(self._basis.take(place))

    def inverse_transform(self, V):
        """Decode vectors: the class of the nearest direction.

        Parameters
        ----------
        V : array-like of shape (n_samples, dim)
            Vectors of any length.

        Returns
        -------
        y : ndarray of shape (n_samples,), or (n_samples, 1) if the fit had such labels
            Labels.

        Raises
        ------
        ValueError
            If V has not `dim_` columns.
        """
        check_is_fitted(self)
        V = check_array(V, dtype=[np.float64, np.float32], order="C", input_name="V")
        if V.shape[1] != self.dim_:
            raise ValueError(f"V has {V.shape[1]} columns, but the vectors have dim_={self.dim_}.")
        be = get_backend(self.backend, V)
        labels = self.classes_[nearest(be, V, self._basis, self.classes_.size)[1]]
        return labels[:, None] if self._column else labels

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.target_tags.one_d_labels = True
        return tags


def _labels(y):
    """Labels as a vector."""
    labels = column_or_1d(y)
    check_labels(labels)
    return labels
