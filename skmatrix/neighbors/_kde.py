"""Kernel density estimation in many dimensions."""

import math
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, DensityMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from .._backend import CONSTRAINT, get_backend, to_numpy
from .._iterate import warn_caller
from .._sklearn import Interval, StrOptions, _check_feature_names_in, _fit_context
from .._threads import thread_pool
from .._transaction import all_or_nothing
from ..distributed import is_dask
from ._kde_bandwidth import LeaveOneOut
from ._kde_diagnostics import (
    FEATURES,
    SLAB,
    diagnose,
    features_of,
    gathered,
    warn_out_of_reach,
)
from ._kde_fit import (
    FLAWS,
    RULES,
    SEARCHED,
    checked_path,
    checked_weights,
    chosen_bandwidth,
    given_bandwidth,
    likeliest_exponent,
)
from ._kde_points import Distinct, Located, Points, merge_duplicates
from ._kde_profiles import KERNELS, draw_offsets
from ._kde_thresholds import ThresholdsMixin

_PRIVATE = ("_metric", "_precision", "_kept", "_place", "_blocks", "_index", "_seed")


class KDE(ThresholdsMixin, TransformerMixin, DensityMixin, BaseEstimator):
    r"""Kernel density estimation that is right in many dimensions and knows its limits.

    The density is a mean of kernels around the points. Everything is computed from logarithms
    and from distances without cancellation, the bandwidth is the one under which left-out points
    are the most likely, and the theory of random energies [1]_ tells at which bandwidths the
    estimate is a mean of many points and at which it rests on a handful of neighbours.

    Use it for 1 to some 100 features and up to a million points: log-densities, anomaly scores,
    samples. On a grid in up to three dimensions a Fourier method is faster; where a parametric
    model fits, as :class:`~sklearn.mixture.GaussianMixture`, it needs far fewer points.

    Read more in the :ref:`User Guide <kde>`.

    Parameters
    ----------
    bandwidth : float, array-like of shape (n_features,) or str, default="loo"
        Bandwidth in the units of the data, or one for each feature. "loo" maximises the likelihood
        of left-out points, "loo_per_feature" finds a local maximum over a bandwidth for each
        feature, no less likely than that of "loo". "nn" is the root mean square distance to the
        nearest point over the root of the number of features, "kl_gaussian" what is optimal for
        Gaussian data with this covariance in some 10 features or more (in fewer it is far too
        small), "scott" and "silverman" the rules of these names,
        scaled by the standard deviation of the data; "sklearn_scott" and "sklearn_silverman" are
        not scaled, as in :class:`~sklearn.neighbors.KernelDensity`.
    kernel : str, default="gaussian"
        Kernel: "gaussian", "student", "exponential", "tophat", "epanechnikov", "linear" or
        "cosine". The last four are 0 beyond one bandwidth: in five dimensions or more most queries
        are then out of reach, with a log-density of minus infinity.
    df : float, default=3.0
        Degrees of freedom of "student"; few give long tails.
    whiten : float or "loo", default=0.0
        Exponent a of partial whitening: distances are taken after ``Sigma^(-a/2)``. 0 leaves the
        data as they are, 1 makes their covariance the identity, "loo" looks for the likeliest.
        Between 0 and 1 the result depends on the units of the features: standardise them first.
    shrinkage : float or "auto", default="auto"
        Share of the mean variance in ``Sigma``, from 0 to 1; "auto" is Ledoit and Wolf's.
    precision : {"auto", "float64", "float32"}, default="auto"
        Precision of distances; sums are in double precision. "auto" is that of X. "float32" is
        twice as fast. Its log-densities are good to about 1e-4 for a bandwidth of a tenth of the
        spread and 10 features, and lose digits with more features and the square of the bandwidth.
    loo_max_queries : int, default=20000
        Points that are left out in turn; more are sampled, and all others still count.
    diagnostics_k : int, default=5
        Nearest points from which the index of the weights is estimated; more are smoother and
        more biased.
    n_jobs : int or None, default=None
        Threads; None means 1, unless in a joblib context, and -1 all cores. The result does not
        depend on it.
    random_state : int, RandomState instance or None, default=None
        Source of samples: of points to leave out, and of :meth:`sample`.
    backend : {"auto", "numpy", "numba", "cupy", "torch"}, default="auto"
        Where the sums over pairs run.

    Attributes
    ----------
    bandwidth_ : float or array of shape (n_features,)
        Bandwidth.
    whiten_ : float
        Exponent of the whitening.
    X_fit_ : array of shape (n_distinct, n_features)
        Distinct points in the coordinates of the metric; a dask array after a fit to one.
    weight_fit_ : array of shape (n_distinct,)
        Their weights.
    log_norm_ : float
        What is added to the logarithm of the sum of kernels.
    loo_log_likelihood_ : float or None
        Mean log-density of left-out points, if it was maximised.
    h_g_, h_clt_ : float or None
        Bandwidths below which a few points carry the estimate, and above which it is a mean of
        many, from the spacings of neighbours, of 2000 points by `random_state` if there are more,
        when first asked for, as is `regime_`; None for other kernels than "gaussian", with a
        bandwidth per feature, for fewer than three distinct points, and where all neighbours are
        equally far.
    regime_ : {"extreme", "stable", "clt"}
        In which of the three ranges the bandwidth lies.
    n_samples_fit_ : float
        Sum of the weights: the number of points, if they are counts.
    n_distinct_ : int
        Number of distinct points of positive weight.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X has names that are all strings.

    See Also
    --------
    KDEClassifier : Bayes' rule with a density for each class.
    KDEOutlierDetector : Outliers by their density.
    sklearn.neighbors.KernelDensity : Tree-based; loses digits from 20 dimensions on.

    Notes
    -----
    With weights w, bandwidth h, the profile k of the kernel and its integral :math:`c_d`,

    (1) :math:`\log \hat\rho(x) = \log \sum_j w_j k(|x - y_j| / h) - \log \sum_j w_j - d \log h
    - \log c_d`.

    (2) The weights :math:`p_j(x)` of the points are Boltzmann weights of random energies
    :math:`E = |x - y|^2 / 2`. With :math:`\lambda = 1 / h^2`, :math:`\Psi(\lambda) = \log
    \mathbb{E} e^{-\lambda E}` and the rate of small energies :math:`I(\lambda) = \lambda
    \Psi'(\lambda) - \Psi(\lambda)`, :math:`I(\lambda_G) = \log n` defines :math:`h_G =
    \lambda_G^{-1/2}`, and :math:`h_{CLT} = \sqrt 2 h_G`. Below :math:`h_G` the estimate is that of
    finitely many points, above :math:`h_{CLT}` the central limit theorem holds, between them
    fluctuations have no variance.

    (3) :math:`\mu = (h / h_G)^2` is the index of the tail of the weights, estimated at a query
    from its k + 1 nearest points: :math:`h_G^2(x) = \frac{1}{2k} \sum_j (r_{k+1}^2 - r_j^2)`.

    (4) "loo": maximum of :math:`L(h) = \sum_i w_i \log \sum_{j: r_{ij} > 0} w_j k(r_{ij} / h) /
    (c_d h^d \sum_{j: r_{ij} > 0} w_j)`. Duplicates of a point are left out with it. For balls and
    other compact kernels, whose L has steps, it is nearly the maximum.

    (5) The paper's thresholds are those of many dimensions. `thresholds` has the next order, of
    Bahadur and Rao: :math:`I(\lambda_G) + \frac12 \log(2 \pi \lambda_G^2 \Psi''(\lambda_G)) = \log
    n`.

    (6) The likeliest bandwidth of Gaussian data in many dimensions, "kl_gaussian":
    :math:`h_{opt}^2 = -2 \Psi'(\lambda_G) / d`.

    Fitting costs 5 to 10 times ``n min(n, loo_max_queries) d`` operations for "loo",
    ``n log n`` for a number or a rule, and `regime_` and the thresholds ``2000 n d`` when they are
    first asked for. While it lasts it holds up to four copies of X in double
    precision, and a block of pairs; afterwards one in the precision of X.

    Distances are sums of squared differences. Their expansion into inner products would be faster
    by matrix products, but it cancels; so "auto" need not bound its error to choose a precision.
    There is no tree and no size of blocks to choose: near points are kept together, and those out
    of reach are skipped by tiles of one size, on which no result depends. (4) is searched by a
    grid and Newton's steps, as steps of the EM algorithm become small where many points lie
    within a bandwidth. The likelihood at other bandwidths is not kept: :meth:`bandwidth_path`
    computes it. Nor is the effective number of weighted points, n in (2): it is
    ``exp(alpha * n_features)``, with the alpha of :meth:`thresholds`.

    References
    ----------
    .. [1] Giulio Biroli, Marc Mézard, "Kernel Density Estimators in Large Dimensions", 2024.
       :arxiv:`2408.05807`

    Examples
    --------
    >>> import numpy as np
    >>> from skmatrix.neighbors import KDE
    >>> X = np.random.default_rng(0).standard_normal((500, 2))
    >>> kde = KDE().fit(X)
    >>> round(kde.bandwidth_, 2), kde.regime_
    (0.45, 'clt')
    >>> kde.score_samples([[0.0, 0.0], [4.0, 4.0]]).round(1)
    array([ -2., -28.])
    """

    _parameter_constraints: dict = {
        "bandwidth": [
            Interval(Real, 0, None, closed="neither"),
            StrOptions({*SEARCHED, *RULES}),
            "array-like",
        ],
        "kernel": [StrOptions(set(KERNELS))],
        "df": [Interval(Real, 0, None, closed="neither")],
        "whiten": [Interval(Real, 0, 1, closed="both"), StrOptions({"loo"})],
        "shrinkage": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
        "precision": [StrOptions({"auto", "float64", "float32"})],
        "loo_max_queries": [Interval(Integral, 1, None, closed="left")],
        "diagnostics_k": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [
            Interval(Integral, None, -1, closed="right"),
            Interval(Integral, 1, None, closed="left"),
            None,
        ],
        "random_state": ["random_state"],
        "backend": CONSTRAINT,
    }

    def __init__(
        self,
        bandwidth="loo",
        *,
        kernel="gaussian",
        df=3.0,
        whiten=0.0,
        shrinkage="auto",
        precision="auto",
        loo_max_queries=20000,
        diagnostics_k=5,
        n_jobs=None,
        random_state=None,
        backend="auto",
    ):
        self.bandwidth = bandwidth
        self.kernel = kernel
        self.df = df
        self.whiten = whiten
        self.shrinkage = shrinkage
        self.precision = precision
        self.loo_max_queries = loo_max_queries
        self.diagnostics_k = diagnostics_k
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.backend = backend

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Keep the points, and find the bandwidth.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_samples, n_features)
            Points.
        y : None
            Ignored.
        sample_weight : {array-like, dask array} of shape (n_samples,), default=None
            Weights of the points, not negative. Whole numbers count repetitions.

        Returns
        -------
        self : KDE
            The fitted estimator.

        Raises
        ------
        ValueError
            If a bandwidth is not positive, or is to be found from fewer than two distinct points.

        Warns
        -----
        UserWarning
            If a feature has no variance and `whiten` would divide by it, or by what `shrinkage`
            gives it.
        """
        with all_or_nothing(self, _PRIVATE):
            if is_dask(X):
                from ..distributed._kde import fit_row_blocks

                return fit_row_blocks(self, X, sample_weight)
            be = get_backend(self.backend, X)
            sample_weight = be.follow(sample_weight)
            X = validate_data(self, X, dtype=be.float_dtypes)
            weight = checked_weights(sample_weight, X)
            data, fixed = to_numpy(X), given_bandwidth(self, X.shape[1])
            self._precision = self._precision_for(data.dtype)
            # One layout: sums are rounded by it.
            double = np.ascontiguousarray(data, dtype=np.float64)
            points, weight = merge_duplicates(double, weight)
            with thread_pool(be, self.n_jobs) as pool:
                settings = self._settings() | {"be": be, "pool": pool}
                points = self._fit_points(be, fixed, Distinct(points, weight, settings))
            self.X_fit_, self.weight_fit_ = self._at_home(be, data.dtype, points.Z, points.weight)
            self._kept, self._place, self._blocks = data.dtype.name, points.place, None
        return self

    def _precision_for(self, dtype):
        """Precision of the distances for data of a dtype."""
        return self.precision if self.precision != "auto" else np.dtype(dtype).name

    def _settings(self):
        """What :class:`Points` are told of the kernel."""
        return {"profile": self.kernel, "df": self.df, "dtype": self._precision}

    def _fit_points(self, be, fixed, distinct):
        """Fit to distinct points, and return them in the coordinates of the metric."""
        if distinct.shape[0] < 2 and (fixed is None or self.whiten == "loo"):
            name = "bandwidth" if fixed is None else "whiten"
            raise ValueError(
                f"{name}={getattr(self, name)!r} needs at least 2 distinct samples. Got n_samples=1"
                f" once repetitions are counted as one: pass a number for {name}."
            )
        rng = check_random_state(self.random_state)

        def place(whiten):
            return distinct.place(whiten, self.shrinkage)

        self.whiten_ = (
            likeliest_exponent([place], np.ones(1), rng)
            if self.whiten == "loo"
            else float(self.whiten)
        )
        self._metric, points, flaw = place(self.whiten_)
        if flaw:
            warn_caller(FLAWS[flaw].format(whiten=self.whiten), UserWarning)
        self.n_samples_fit_ = points.total
        self.n_distinct_ = int(points.n_points)
        h, self.loo_log_likelihood_ = chosen_bandwidth(self, fixed, points, rng)
        self.bandwidth_ = be.unload(h) if h.ndim else float(h)
        spread = np.log(h).sum() if h.ndim else points.n_features * math.log(h)
        volume = float(spread) + points.log_kernel_integral() - self._metric.log_determinant
        self.log_norm_ = -math.log(points.total) - volume
        self._index, self._seed = None, rng.randint(2**31 - 1)
        return points

    def _open(self, X, method):
        """Back end, validated X, and its coordinates on the host."""
        check_is_fitted(self)
        be = get_backend(self.backend, X)
        X = validate_data(self, X, reset=False, dtype=be.float_dtypes)
        be.check_home(self, "X_fit_" if self._blocks is None else "weight_fit_", method)
        Z = self._located(to_numpy(X))
        return be, X, Z if self._blocks is None else Z[:]

    def _located(self, X):
        """Coordinates of queries on the host."""
        return Located(X, self._metric, self._kept)

    def _sums(self, be, Z, moments=False):
        """Sums over the points for queries."""
        with thread_pool(be, self.n_jobs) as pool:
            points = self._with_engine(be, pool)
            return points.sums(Z, to_numpy(self.bandwidth_), moments=moments)

    def _with_engine(self, be, pool=None):
        """The points, on the engine of a call."""
        if self._blocks is not None:
            return self._blocks
        arrays = to_numpy(self.X_fit_), to_numpy(self.weight_fit_)
        Z, weight = (array.astype(np.float64, copy=False) for array in arrays)
        return Points(be, Z, weight, pool=pool, place=self._place, **self._settings())

    @staticmethod
    def _at_home(be, dtype, *arrays):
        """Arrays of the host in a dtype, in the library of X."""
        return tuple(be.unload(np.asarray(array, dtype=dtype)) for array in arrays)

    def score_samples(self, X):
        """Log-density at each query.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_queries, n_features)
            Queries.

        Returns
        -------
        log_density : array of shape (n_queries,)
            Natural logarithm of the density; minus infinity where a compact kernel reaches
            no point. Lazy for dask queries, for which nothing warns.

        Warns
        -----
        UserWarning
            If there are such queries.
        """
        return self._score(X, "score_samples")

    def _score(self, X, method):
        """Log-density at each query, for a method."""
        check_is_fitted(self)
        if is_dask(X):
            from ..distributed._kde import score_row_blocks

            return score_row_blocks(self, X)
        be, X, Z = self._open(X, method)
        log_density = self._sums(be, Z)[0] + self.log_norm_
        with np.errstate(over="ignore"):
            log_density = log_density.astype(to_numpy(X[:0, ...]).dtype, copy=False)
        warn_out_of_reach(self, log_density)
        return be.unload(log_density)

    def _log_density(self, X):
        """Log-densities of points on the host, without a warning of those out of reach."""
        be = get_backend(self.backend, np.empty(0))
        return self._sums(be, self._located(X))[0] + self.log_norm_

    def score(self, X, y=None):
        """Total log-density of queries, as :class:`~sklearn.neighbors.KernelDensity` has it.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_queries, n_features)
            Queries.
        y : None
            Ignored.

        Returns
        -------
        score : float
            Sum of their log-densities.
        """
        return float(np.sum(to_numpy(self._score(X, "score")).astype(np.float64)))

    def mean_log_likelihood(self, X):
        """Mean log-density of queries: comparable between sets of different size.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_queries, n_features)
            Queries.

        Returns
        -------
        mean : float
            Mean of their log-densities.
        """
        log_density = to_numpy(self._score(X, "mean_log_likelihood"))
        return float(np.mean(log_density.astype(np.float64)))

    def predict(self, X):
        """Density at each query; in many dimensions it leaves the range of floating point.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_queries, n_features)
            Queries.

        Returns
        -------
        density : array of shape (n_queries,)
            Density; 0 or infinity where it is out of range. Lazy for dask queries.

        Warns
        -----
        RuntimeWarning
            If a density overflows.
        """
        log_density = self._score(X, "predict")
        if is_dask(X):
            return np.exp(log_density)
        be = get_backend(self.backend, X)
        values = to_numpy(log_density)
        with np.errstate(over="ignore"):
            density = np.exp(values)
        if np.isinf(density).any():
            warn_caller(
                "Densities overflow: use score_samples, which gives their logarithms.",
                RuntimeWarning,
            )
        return be.unload(density)

    def transform(self, X):
        """Log-density and its diagnostics as features.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_queries, n_features)
            Queries.

        Returns
        -------
        X_new : array of shape (n_queries, 5)
            Log-density, logarithm of the number of points that carry it, entropy of their
            weights, their index (at most a million), distance to the nearest point, with a
            bandwidth per feature in units of it. Lazy for dask queries, for which nothing warns.

        Warns
        -----
        UserWarning
            If a compact kernel reaches no point from some queries, or a distance is out of range:
            their first two columns are minus infinity.
        """
        check_is_fitted(self)
        if is_dask(X):
            from ..distributed._kde import transform_row_blocks

            return transform_row_blocks(self, X)
        be, X, Z = self._open(X, "transform")
        features = np.empty((Z.shape[0], len(FEATURES)), dtype=to_numpy(X[:0, ...]).dtype)
        for rows, found in self._diagnosed(be, Z, local=True):
            with np.errstate(over="ignore"):
                features[rows] = features_of(found)
        warn_out_of_reach(self, features[:, 0])
        return be.unload(features)

    def query_diagnostics(self, X, *, local=False):
        """How many points carry the estimate at each query, and whether its error is known.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Queries.
        local : bool, default=False
            Whether the regime is that of the query, by its own neighbours, and not that of the
            whole set: a single one is uncertain by a factor of ``1 +- 1 / sqrt(diagnostics_k)``.

        Returns
        -------
        diagnostics : KDEDiagnostics
            Arrays with an entry per query.
        """
        check_is_fitted(self)
        be, _, Z = self._open(X, "query_diagnostics")
        return gathered(self._diagnosed(be, Z, local), Z.shape[0])

    def _diagnosed(self, be, Z, local):
        """Rows, and their diagnostics, of queries given by their coordinates, some at a time."""
        h = to_numpy(self.bandwidth_)
        with thread_pool(be, self.n_jobs) as pool:
            points = self._with_engine(be, pool)
            floor = points.participation
            for begin in range(0, Z.shape[0], SLAB):
                rows = slice(begin, begin + SLAB)
                queries = Z[rows]
                sums = points.sums(queries, h, moments=True)
                squares = points.nearest(queries, self._n_nearest, h=h)
                yield rows, diagnose(self, sums, squares, floor, local)

    @property
    def _n_nearest(self):
        """Nearest points from which a query is diagnosed."""
        return min(self.diagnostics_k, self.n_distinct_ - 1) + 1

    def score_samples_se(self, X, *, local=False):
        """Standard errors of the log-densities, where the central limit theorem gives them.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_queries, n_features)
            Queries.
        local : bool, default=False
            Whether to judge each query by its own neighbours; see :meth:`query_diagnostics`.

        Returns
        -------
        standard_error : array of shape (n_queries,)
            Standard errors, NaN outside of the regime "clt". Lazy for dask queries.
        """
        check_is_fitted(self)
        if is_dask(X):
            from ..distributed._kde import standard_error_row_blocks

            return standard_error_row_blocks(self, X, local)
        be, X, Z = self._open(X, "score_samples_se")
        error = np.empty(Z.shape[0], dtype=to_numpy(X[:0, ...]).dtype)
        for rows, found in self._diagnosed(be, Z, local):
            error[rows] = found.standard_error
        return be.unload(error)

    def sample(self, n_samples=1, random_state=None):
        """Draw from the density.

        Parameters
        ----------
        n_samples : int, default=1
            Number of draws.
        random_state : int, RandomState instance or None, default=None
            Source; None takes the `random_state` of the estimator.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Draws, in NumPy and in double precision.
        """
        check_is_fitted(self)
        is_number = isinstance(n_samples, Integral) and not isinstance(n_samples, bool)
        if not (is_number and int(n_samples) >= 0):
            raise ValueError(f"n_samples must be a non-negative integer. Got {n_samples!r}.")
        rng = check_random_state(self.random_state if random_state is None else random_state)
        points = self._with_engine(get_backend("auto", np.empty(0)))
        chosen = points.draw(n_samples, rng)
        offsets = draw_offsets(self.kernel, points.n_features, n_samples, rng, self.df)
        return self._metric.invert(points.fetch(chosen) + to_numpy(self.bandwidth_) * offsets)

    def bandwidth_path(self, bandwidths=None):
        """Mean log-likelihood of left-out points over bandwidths.

        Parameters
        ----------
        bandwidths : array-like of shape (n_bandwidths,), default=None
            Bandwidths; None takes a geometric series from below what "nn" gives to above what
            "silverman" gives, for the Gaussian kernel at the price of three.

        Returns
        -------
        bandwidths : ndarray of shape (n_bandwidths,)
            The bandwidths, ascending.
        log_likelihood : ndarray of shape (n_bandwidths,)
            Mean log-density of left-out points at each, with this one bandwidth for all features,
            whatever `bandwidth_` is.

        Raises
        ------
        ValueError
            If a bandwidth is not positive, or there are fewer than two distinct points.
        """
        check_is_fitted(self)
        return self._path(bandwidths)[:2]

    def _path(self, bandwidths):
        """Bandwidths, the likelihood at each, and the bandwidth of the nearest points."""
        if bandwidths is not None:
            bandwidths = checked_path(bandwidths)
        if self.n_distinct_ < 2:
            raise ValueError("bandwidth_path needs at least 2 distinct samples. Got n_samples=1.")
        be, unit = get_backend(self.backend, np.empty(0)), self._metric.unit
        rng = check_random_state(self.random_state)
        with thread_pool(be, self.n_jobs) as pool:
            left_out = LeaveOneOut(self._with_engine(be, pool), self.loo_max_queries, rng, unit)
            grid, values = left_out.path(None if bandwidths is None else bandwidths / unit)
        values = values + self._metric.log_determinant
        return grid * unit, values, left_out.nearest_bandwidth * unit

    def get_feature_names_out(self, input_features=None):
        """Names of the columns that `transform` gives.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the input columns, which are only checked.

        Returns
        -------
        feature_names_out : ndarray of str
            ``kde_log_density``, ...

        Raises
        ------
        ValueError
            If they are not those of the fit.
        """
        check_is_fitted(self)
        _check_feature_names_in(self, input_features)
        return np.asarray([f"kde_{name}" for name in FEATURES], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.array_api_support = True
        return tags
