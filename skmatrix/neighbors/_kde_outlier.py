"""Outliers by their density."""

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from .._backend import get_backend, to_numpy
from .._sklearn import Interval, _fit_context
from .._threads import thread_pool
from .._transaction import all_or_nothing
from ._kde import KDE
from ._kde_points import are_counts


class KDEOutlierDetector(OutlierMixin, BaseEstimator):
    """Outliers as the points of lowest density.

    A point is judged by the density [1]_ of the *other* points: one that was in the fit is left out
    of its own estimate, so that training and new data are treated alike.

    Use it where clusters have any shape and outliers lie in empty space between or around them. In
    many dimensions prefer ``whiten="loo"``, and trust the order of the scores more than their
    values.

    Read more in the :ref:`User Guide <kde>`.

    Parameters
    ----------
    contamination : float, default=0.1
        Share of the training points that are outliers, above 0 and at most 0.5.
    bandwidth : float, array-like of shape (n_features,) or str, default="loo"
        Bandwidth, or how to find it; see :class:`KDE`.
    kernel : str, default="gaussian"
        Kernel, one of those of :class:`KDE`.
    df : float, default=3.0
        Degrees of freedom of "student".
    whiten : float or "loo", default=0.0
        Exponent of the partial whitening.
    shrinkage : float or "auto", default="auto"
        Share of the mean variance in the covariance of the whitening.
    precision : {"auto", "float64", "float32"}, default="auto"
        Precision of distances.
    loo_max_queries : int, default=20000
        Points that are left out in turn to find the bandwidth.
    n_jobs : int or None, default=None
        Threads; None means 1, unless in a joblib context, and -1 all cores.
    random_state : int, RandomState instance or None, default=None
        Source of the sample of points to leave out.
    backend : {"auto", "numpy", "numba", "cupy", "torch"}, default="auto"
        Where the sums over pairs run.

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

    Notes
    -----
    (1) The score of a query that is m of the points is the logarithm of the density with m - 1 of
    them. Weights that are whole numbers count copies; of a point with another weight nothing stays.

    (2) The threshold lies halfway between two scores of the training points, such that the
    outliers among them have at most the share `contamination` of the weight, equal scores
    together. With a compact kernel, points without another one within reach have a score of minus
    infinity and are outliers, however many they are.

    Fitting costs what that of :class:`KDE` costs, and a sum over all pairs.

    References
    ----------
    .. [1] Longin Jan Latecki, Aleksandar Lazarevic, Dragoljub Pokrajac, "Outlier Detection with
       Kernel Density Functions", Machine Learning and Data Mining in Pattern Recognition, 2007.
       :doi:`10.1007/978-3-540-73499-4_6`

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

        Raises
        ------
        ValueError
            If there are fewer than two distinct points.
        """
        with all_or_nothing(self):
            get_backend(self.backend, X)  # raises for data that it cannot score later
            settings = self.get_params(deep=False)
            del settings["contamination"]
            self.density_ = KDE(**settings).fit(X, sample_weight=sample_weight)
            if self.density_.n_distinct_ < 2:
                raise ValueError(
                    "KDEOutlierDetector needs at least 2 distinct samples. Got n_samples=1 once"
                    " repetitions are counted as one: no other point is left to judge it by."
                )
            self.n_features_in_ = self.density_.n_features_in_
            names = getattr(self.density_, "feature_names_in_", None)
            if names is not None:
                self.feature_names_in_ = names
            elif hasattr(self, "feature_names_in_"):
                del self.feature_names_in_
            be, X, Z = self.density_._open(X, "fit")
            scores = _leave_one_out(self.density_, be, Z)
            self.train_scores_ = be.unload_as(scores, X.dtype)
            weight = np.ones(scores.size)
            if sample_weight is not None:
                weight = weight * to_numpy(sample_weight)
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
        check_is_fitted(self)
        be = get_backend(self.backend, X)
        X = validate_data(self, X, reset=False, dtype=be.float_dtypes)
        be.check_home(self, "train_scores_", method)
        log_density = _leave_one_out(self.density_, be, self.density_._located(to_numpy(X)))
        return be.unload_as(log_density, X.dtype)

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
        labels : array of shape (n_queries,)
            -1 for outliers, 1 for others.
        """
        decision = self._score(X, "predict") - self.offset_
        be = get_backend(self.backend, X)
        return be.unload(np.where(to_numpy(decision) < 0, -1, 1))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        return tags


def _leave_one_out(density, be, Z):
    """Log-densities under all points but one of those that equal the query, if there are any.

    Weights that are counts stand for so many copies, of which all but one stay.

    Parameters
    ----------
    density : KDE
        The fitted density.
    be : Backend
        Back end of the queries.
    Z : Located of shape (n_queries, n_features)
        Their coordinates.

    Returns
    -------
    log_density : ndarray of shape (n_queries,)
        The log-densities, minus infinity where no point is within reach.
    """
    with thread_pool(be, density.n_jobs) as pool:
        points = density._with_engine(be, pool)
        Z = Z[:]
        own = points.find(Z)
        log_sum = points.sums(Z, to_numpy(density.bandwidth_), own)[0]
    weight = np.where(own >= 0, points.take(own)[1], 0.0)
    removed = np.minimum(weight, 1.0) if are_counts(points.weight) else weight
    # The copies that stay are at distance 0.
    with np.errstate(divide="ignore"):
        log_sum = np.logaddexp(log_sum, np.log(weight - removed))
    rest = np.where(removed == weight, points.rest(weight), points.total - removed)
    return log_sum + np.log(points.total / rest) + density.log_norm_


def _threshold(scores, weight, contamination):
    """Finite number below which the lowest scores make up a share of the weight.

    As many as fit into the share, equal ones together; those of minus infinity in any case.
    """
    distinct, place = np.unique(scores[weight > 0], return_inverse=True)
    share = np.cumsum(np.bincount(place, weights=weight[weight > 0])) / weight.sum()
    n_below = int(np.searchsorted(share, contamination * (1 + 1e-12), side="right"))
    n_below = max(n_below, int(np.isneginf(distinct[0])))
    if n_below == distinct.size:
        return 0.0
    above, below = distinct[n_below], distinct[max(n_below - 1, 0)]
    if np.isneginf(below):
        return float(above)
    # Halfway, unless this is rounded to the lower one.
    middle = below + (above - below) / 2
    return float(middle if below < middle else above)
