"""Bayes' rule with a kernel density for each class."""

import warnings
from functools import partial

import numpy as np
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from .._backend import get_backend, to_numpy
from .._iterate import warn_caller
from .._sklearn import _fit_context
from .._threads import thread_pool
from .._transaction import all_or_nothing
from ._kde import KDE
from ._kde_bandwidth import LeaveOneOut, common_maximum
from ._kde_fit import CONSTANT, FLAWS, checked_weights, likeliest_exponent
from ._kde_points import Distinct, merge_duplicates


class KDEClassifier(ClassifierMixin, BaseEstimator):
    r"""Classify by the class under whose density a point is the likeliest.

    Use it for classes of any shape in up to some tens of dimensions, where densities are wanted
    with the labels. Its probabilities are too sure of themselves where a few neighbours carry the
    sums, as in many dimensions: :class:`~sklearn.calibration.CalibratedClassifierCV` mends them. A
    discriminative classifier such as :class:`~sklearn.svm.SVC` needs fewer points for the labels
    alone.

    Read more in the :ref:`User Guide <kde>`.

    Parameters
    ----------
    bandwidth : float, array-like of shape (n_features,) or str, default="loo"
        As for :class:`KDE`.
    priors : array-like of shape (n_classes,), default=None
        Probabilities of the classes, in the order of `classes_`; None takes their shares.
    shared_bandwidth : bool, default=True
        Whether all classes have one bandwidth: for "loo" the one under which the left-out points of
        all classes are the likeliest, for rules the geometric mean; with ``whiten="loo"`` one
        exponent too, without which bandwidths would have unlike units. Fewer numbers to estimate
        make for better probabilities; False suits classes of unlike spread. "loo_per_feature" is
        always found for each class.
    kernel : str, default="gaussian"
        Kernel, one of those of :class:`KDE`.
    df : float, default=3.0
        Degrees of freedom of "student".
    whiten : float or "loo", default=0.0
        Exponent of the partial whitening, for each class by its own covariance; "loo" finds one
        for all classes, or one for each if `shared_bandwidth` is False.
    shrinkage : float or "auto", default="auto"
        Share of the mean variance in that covariance.
    precision : {"auto", "float64", "float32"}, default="auto"
        Precision of distances.
    loo_max_queries : int, default=20000
        Points of a class that are left out in turn.
    n_jobs : int or None, default=None
        Threads; None means 1, unless in a joblib context, and -1 all cores.
    random_state : int, RandomState instance or None, default=None
        Source of the sample of points to leave out.
    backend : {"auto", "numpy", "numba", "cupy", "torch"}, default="auto"
        Where the sums over pairs run.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels.
    class_prior_ : array of shape (n_classes,)
        Probabilities of the classes.
    estimators_ : list of KDE
        Density of each class.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X has names that are all strings.

    See Also
    --------
    KDE : The density.
    sklearn.naive_bayes.GaussianNB : Gaussian densities with independent features.

    Notes
    -----
    With priors :math:`\pi_c` and densities :math:`\hat\rho_c`, from their logarithms,

    (1) :math:`P(c | x) = \pi_c \hat\rho_c(x) / \sum_b \pi_b \hat\rho_b(x)` [1]_.

    (2) The shared bandwidth of "loo" is the maximum of :math:`\sum_c s_c L_c(h)` with the shares s
    of the classes and the likelihoods L of their left-out points, equation (4) of :class:`KDE`.
    So is the shared exponent, each with its likeliest shared bandwidth.

    Fitting costs what the densities of the classes cost; a query meets all points.

    References
    ----------
    .. [1] Trevor Hastie, Robert Tibshirani, Jerome Friedman, "The Elements of Statistical
       Learning", 2nd edition, section 6.6.2, 2009. :doi:`10.1007/978-0-387-84858-7`

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skmatrix.neighbors import KDEClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> KDEClassifier().fit(X, y).predict_proba(X[:1]).round(2)
    array([[1., 0., 0.]])
    """

    _parameter_constraints: dict = {
        **{k: v for k, v in KDE._parameter_constraints.items() if k != "diagnostics_k"},
        "priors": ["array-like", None],
        "shared_bandwidth": ["boolean"],
    }

    def __init__(
        self,
        bandwidth="loo",
        *,
        priors=None,
        shared_bandwidth=True,
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
        self.bandwidth = bandwidth
        self.priors = priors
        self.shared_bandwidth = shared_bandwidth
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
    def fit(self, X, y, sample_weight=None):
        """Fit a density to each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Points.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the points.

        Returns
        -------
        self : KDEClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If `priors` are not probabilities of the classes, or a bandwidth is to be found from
            fewer than two distinct points of a class.

        Warns
        -----
        UserWarning
            If `whiten` would divide by the variance of a feature that has none.
        """
        with all_or_nothing(self):
            be = get_backend(self.backend, X)
            y, sample_weight = be.follow(y, sample_weight)
            X, y = validate_data(self, X, y, dtype=be.float_dtypes)
            check_classification_targets(y)
            weight = checked_weights(sample_weight, X)
            kept = weight > 0
            data, labels, weight = to_numpy(X)[kept], to_numpy(y)[kept], weight[kept]
            self.classes_, codes = np.unique(labels, return_inverse=True)
            shares = np.bincount(codes, weights=weight) / weight.sum()
            self.class_prior_ = be.unload(self._checked_priors(shares).astype(data.dtype))
            if self.whiten and np.any(np.ptp(data, axis=0) == 0):
                warn_caller(FLAWS["constant"].format(whiten=self.whiten), UserWarning)
            with warnings.catch_warnings():
                # A feature that is constant in one class alone tells it from the others.
                warnings.filterwarnings("ignore", message=CONSTANT)
                self.estimators_ = self._fit_classes(data, codes, weight)
        return self

    def _checked_priors(self, shares):
        """Probabilities of the classes."""
        if self.priors is None:
            return shares
        try:
            priors = np.asarray(self.priors, dtype=np.float64)
        except (TypeError, ValueError):
            priors = np.empty(0)
        right = priors.shape == shares.shape and np.all(priors >= 0)
        if not right or abs(priors.sum() - 1) > 1e-6:
            raise ValueError(
                f"priors must be {shares.size} probabilities that add up to 1, one per class. Got"
                f" {self.priors!r}."
            )
        return priors / priors.sum()

    def _fit_classes(self, X, codes, weight):
        """Density of each class."""
        settings = self.get_params(deep=False)
        for name in ("priors", "shared_bandwidth"):
            del settings[name]
        groups = [(X[codes == c], weight[codes == c]) for c in range(self.classes_.size)]
        # A class of one point takes what the others share.
        spread = [group for group in groups if np.unique(group[0], axis=0).shape[0] > 1]
        self._check_spread(groups, spread)
        if self.shared_bandwidth and self.whiten == "loo":
            settings["whiten"] = self._common_exponent(settings, spread)
        if self.shared_bandwidth and self._is_searched:
            densities = [KDE(**settings).fit(Z, sample_weight=w) for Z, w in spread]
            settings["bandwidth"] = self._common_bandwidth(densities)
        return [KDE(**settings).fit(Z, sample_weight=w) for Z, w in groups]

    @property
    def _is_searched(self):
        """Whether the bandwidth of a class is a number that the data give."""
        return isinstance(self.bandwidth, str) and self.bandwidth != "loo_per_feature"

    def _check_spread(self, groups, spread):
        """Raise if what is to be found from the classes cannot be found from one point."""
        found = [
            (name, value, self.shared_bandwidth and common)
            for name, value, common in (
                ("bandwidth", self.bandwidth, self._is_searched),
                ("whiten", self.whiten, True),
            )
            if isinstance(value, str)
        ]
        for name, value, shared in found:
            if shared and not spread:
                raise ValueError(
                    f"{name}={value!r} needs at least 2 distinct samples of a class."
                    f" Got n_samples={len(groups)} for {len(groups)} classes, once repetitions are"
                    f" counted as one: pass a number for {name}."
                )
            if not shared and len(spread) < len(groups):
                alone = [np.unique(Z, axis=0).shape[0] == 1 for Z, _ in groups].index(True)
                raise ValueError(
                    f"{name}={value!r} needs at least 2 distinct samples of every class that has"
                    f" its own. Got n_samples=1 of class {self.classes_.tolist()[alone]!r}: pass a"
                    f" number for {name}, or share it by shared_bandwidth=True and"
                    " bandwidth='loo'."
                )

    def _common_exponent(self, settings, groups):
        """One exponent of the whitening for several classes: bandwidths of unlike exponents have
        unlike units, and cannot be shared.
        """
        density = KDE(**settings)
        be = get_backend(self.backend, np.empty(0))
        share = np.array([w.sum() for _, w in groups])
        density._precision = density._precision_for(groups[0][0].dtype)
        with thread_pool(be, self.n_jobs) as pool:
            how = density._settings() | {"be": be, "pool": pool}
            places = []
            for Z, w in groups:
                points, merged = merge_duplicates(np.ascontiguousarray(Z, dtype=np.float64), w)
                distinct = Distinct(points, merged, how)
                places.append(partial(distinct.place, shrinkage=self.shrinkage))
            return likeliest_exponent(
                places, share / share.sum(), check_random_state(self.random_state)
            )

    def _common_bandwidth(self, densities):
        """One bandwidth for several classes."""
        h = np.array([density.bandwidth_ for density in densities])
        share = np.array([density.n_samples_fit_ for density in densities])
        share = share / share.sum()
        mean = float(np.exp(share @ np.log(h)))
        if self.bandwidth != "loo" or np.ptp(h) == 0:
            return mean
        be = get_backend(self.backend, np.empty(0))
        with thread_pool(be, self.n_jobs) as pool:
            left_out = [
                LeaveOneOut(
                    density._with_engine(be, pool),
                    self.loo_max_queries,
                    check_random_state(self.random_state),
                    unit=mean,
                )
                for density in densities
            ]
            return mean * common_maximum(left_out, share, h / mean)[0]

    def predict_log_proba(self, X):
        """Logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Points.

        Returns
        -------
        log_proba : array of shape (n_queries, n_classes)
            The logarithms, in the order of `classes_`. Where no class has density, those of the
            priors.
        """
        be, dtype, log_proba = self._log_proba(X, "predict_log_proba")
        if dtype == be.home.float32:
            # As the logarithm of what single precision makes of a probability near 1.
            rounded = np.log(np.exp(np.maximum(log_proba, -1)).astype(np.float32))
            log_proba = np.where(log_proba > -1, rounded, log_proba)
        return be.unload_as(log_proba, dtype)

    def _log_proba(self, X, method):
        """Back end, dtype of X, and the logarithms on the host, for a method."""
        check_is_fitted(self)
        be = get_backend(self.backend, X)
        X = validate_data(self, X, reset=False, dtype=be.float_dtypes)
        be.check_home(self, "class_prior_", method)
        data = to_numpy(X)
        columns = [density._log_density(data) for density in self.estimators_]
        with np.errstate(divide="ignore"):
            prior = np.log(to_numpy(self.class_prior_).astype(np.float64))
            joint = np.stack(columns, axis=1) + prior
            joint[np.isneginf(joint).all(axis=1)] = prior
            # Far away the logarithm of the number of classes is below the rounding of the joint's.
            joint -= joint.max(axis=1, keepdims=True)
            return be, X.dtype, joint - logsumexp(joint, axis=1, keepdims=True)

    def predict_proba(self, X):
        """Probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Points.

        Returns
        -------
        proba : array of shape (n_queries, n_classes)
            Probabilities, in the order of `classes_`.
        """
        be, dtype, log_proba = self._log_proba(X, "predict_proba")
        return be.unload_as(np.exp(log_proba), dtype)

    def predict(self, X):
        """The likeliest class.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Points.

        Returns
        -------
        labels : array of shape (n_queries,)
            Labels.
        """
        be, _, log_proba = self._log_proba(X, "predict")
        return be.labels(self.classes_, np.argmax(log_proba, axis=1))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        return tags
