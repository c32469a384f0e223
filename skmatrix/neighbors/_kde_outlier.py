"""Outliers by their density."""

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted

from .._backend import get_backend, to_numpy
from .._sklearn import Interval, _fit_context
from .._transaction import all_or_nothing
from ._kde import KDE


class KDEOutlierDetector(OutlierMixin, BaseEstimator):
    """Outliers as the points of lowest density.

    A point is judged by the density of the *other* points: one that was in the fit is left out
    of its own estimate, so that training and new data are treated alike.

    Use it where clusters have any shape and outliers lie in empty space between or around them. In
    many dimensions prefer ``whiten="loo"``, and trust the order of the scores more than their
    values.

    Parameters
    ----------
    contamination : float, default=0.1
        Share of the training points that are outliers, above 0 and at most 0.5.
    bandwidth, kernel, df, whiten, shrinkage, precision, loo_max_queries, n_jobs, random_state, \
            backend : object
        As for :class:`KDE`.

    Attributes
    ----------
    density_ : KDE
        The fitted density.
    offset_ : float
        Log-density below which a point is an outlier.
    train_scores_ : array of shape (n_samples,)
        Log-density of each training point, itself left out.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X has names that are all strings.

    See Also
    --------
    KDE : The density.
    sklearn.neighbors.LocalOutlierFactor : Density relative to that of the neighbours.

    Examples
    --------
    >>> import numpy as np
    >>> from skmatrix.neighbors import KDEOutlierDetector
    >>> X = np.random.default_rng(0).standard_normal((200, 2))
    >>> detector = KDEOutlierDetector(contamination=0.05).fit(X)
    >>> detector.predict([[0.0, 0.0], [6.0, 6.0]])
    array([ 1, -1])
    """

    _parameter_constraints: dict = {
        "contamination": [Interval(Real, 0, 0.5, closed="right")],
        **{k: v for k, v in KDE._parameter_constraints.items() if k != "diagnostics_k"},
    }

    def __init__(
        self,
        contamination=0.1,
        *,
        bandwidth="loo",
        kernel="gaussian",
        df=3.0,
        whiten=0.0,
        shrinkage="auto",
        precision="auto",
        loo_max_queries=20000,
        n_jobs=None,
        random_state=None,
        backend="auto",
    ):
        self.contamination = contamination
        self.bandwidth = bandwidth
        self.kernel = kernel
        self.df = df
        self.whiten = whiten
        self.shrinkage = shrinkage
        self.precision = precision
        self.loo_max_queries = loo_max_queries
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.backend = backend

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Fit the density, and the threshold that cuts off the share of outliers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Points.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the points in the density.

        Returns
        -------
        self : KDEOutlierDetector
            The fitted estimator.
        """
        with all_or_nothing(self):
            get_backend(self.backend, X)  # raises for data that it cannot score later
            settings = self.get_params(deep=False)
            del settings["contamination"]
            self.density_ = KDE(**settings).fit(X, sample_weight=sample_weight)
            self.n_features_in_ = self.density_.n_features_in_
            names = getattr(self.density_, "feature_names_in_", None)
            if names is not None:
                self.feature_names_in_ = names
            elif hasattr(self, "feature_names_in_"):
                del self.feature_names_in_
            self.train_scores_ = self._score(X, "fit")
            weight = np.ones(self.train_scores_.shape[0])
            if sample_weight is not None:
                weight = to_numpy(sample_weight).astype(np.float64)
            self.offset_ = _threshold(to_numpy(self.train_scores_), weight, self.contamination)
        return self

    def score_samples(self, X):
        """Log-density of points under the others.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Points. One that equals training points leaves one of these out.

        Returns
        -------
        log_density : array of shape (n_queries,)
            Log-density, low for outliers.
        """
        return self._score(X, "score_samples")

    def _score(self, X, method):
        """Log-density of points under the others, for a method."""
        check_is_fitted(self, "density_")
        if method != "fit":
            get_backend(self.backend, X).check_home(self, "train_scores_", method)
        be, X, Z = self.density_._open(X, method)
        log_density = self.density_._leave_one_out(be, Z)
        return be.home.astype(be.unload(log_density), X.dtype)

    def decision_function(self, X):
        """Log-density less the threshold: negative for outliers.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Points.

        Returns
        -------
        decision : array of shape (n_queries,)
            The difference.
        """
        return self._score(X, "decision_function") - self.offset_

    def predict(self, X):
        """Tell outliers from others.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Points.

        Returns
        -------
        label : array of shape (n_queries,)
            -1 for outliers, 1 for others.
        """
        decision = self._score(X, "predict") - self.offset_
        be = get_backend(self.backend, X)
        return be.unload(np.where(to_numpy(decision) < 0, -1, 1))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        return tags


def _threshold(scores, weight, contamination):
    """Number below which the lowest scores make up a share of the weight, halfway to the next."""
    distinct, place = np.unique(scores[weight > 0].astype(np.float64), return_inverse=True)
    share = np.cumsum(np.bincount(place, weights=weight[weight > 0])) / weight.sum()
    # As many as fit into the share, ties together.
    n_below = int(np.searchsorted(share, contamination * (1 + 1e-12), side="right"))
    if n_below == 0:
        return float(distinct[0])
    return float(0.5 * (distinct[n_below - 1] + distinct[min(n_below, distinct.size - 1)]))
