"""Likelihood-adjusted semidefinite clustering."""

from dataclasses import replace
from numbers import Integral, Real

import numpy as np
from scipy.special import logsumexp
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state, check_scalar
from sklearn.utils.validation import check_is_fitted, validate_data

from .._backend import CONSTRAINT, get_backend, to_numpy
from .._range import refuse_range
from .._sklearn import Interval, StrOptions, _fit_context
from .._transaction import all_or_nothing
from ..distributed import is_dask
from ._clustering_parameters import refuse_sparse
from ._gaussian_groups import criteria
from ._ilasdp_fit import bound_of, fit_all, lift
from ._ilasdp_setup import Setup, warn_about
from ._ilasdp_starts import INITS
from ._sdp_solvers import SOLVERS, refuse_missing_solver

# Private fitted attributes.
_PRIVATE = ("_groups",)


class ILASDPClustering(
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    ClusterMixin,
    BaseEstimator,
):
    r"""Clusters of different shapes and sizes by likelihood-adjusted semidefinite programs.

    Use it for groups that are elongated or unequal, where K-means is wrong, and where
    :class:`~sklearn.mixture.GaussianMixture` ends in the local optimum that its start is near:
    random starts do nearly as well here as good ones. For a quick look at a million points take
    those; for groups that are not convex, or noise, :class:`~sklearn.cluster.HDBSCAN`.

    Read more in the :ref:`User Guide <sdp_clustering>`.

    Parameters
    ----------
    n_clusters : int or "auto", default=3
        Number of groups; "auto" takes the one up to `max_clusters` with the least `criterion`.
    covariance_type : {"full", "tied", "diag", "spherical"}, default="full"
        Form of the covariances. "tied" is the K-means program in coordinates that are whitened
        anew in each iteration.
    init : {"auto", "peng-wei", "kmeans", "ward", "random"} or array-like, default="auto"
        Where starts come from: the K-means program, K-means, Ward's hierarchy, random labels, or
        one start of given labels of shape (n_samples,) or covariances of shape (n_clusters,
        n_features, n_features). "auto" takes the K-means program once and else random labels, which
        are good in few dimensions, and useless for groups of less than five points per feature.
    n_init : int, default=5
        Starts, of which the likeliest partition counts.
    max_iter : int, default=50
        Iterations of a start at most.
    tol : float, default=1e-5
        Change of the objective, relative to that of the data in units of their deviation, that
        counts as none if it is as small twice.
    solver : {"auto", "nlr", "admm", "cvxpy"}, default="auto"
        Solver of the programs, as for :class:`SDPKMeans`. "auto" is "nlr".
    rank : int, default=2
        Columns of the factor of each group. 1 has more local optima.
    reg_covar : float, default=1e-6
        What is added to variances, relative to the mean variance of the features.
    shrinkage : float or "auto", default=0.0
        Share of the pooled covariance in that of each group; "auto" is ``p / (p + n_k)``. The
        objective may then fall.
    rounding : {"auto", "membership", "spectral"}, default="auto"
        Whether points go to their largest membership, or to groups of K-means on singular vectors;
        "auto" takes the likelier. With "tied" there is "spectral" alone.
    min_cluster_size : int or None, default=None
        Starts with a smaller group are discarded. None is one more than the features for "full",
        else 2.
    max_clusters : int, default=10
        Largest number that "auto" tries.
    criterion : {"icl", "bic"}, default="icl"
        What "auto" minimises.
    n_subsample : int, "auto" or None, default=None
        Points that are clustered; the others follow by their discriminants. "auto" takes 2,000 of
        more than 20,000, None takes all.
    certify : bool, default=False
        Whether to bound the last program, for `certificate_`.
    solver_options : dict or None, default=None
        "tol", 1e-4 unless given, and "max_iter", 3,000, of the solver of each program.
    n_jobs : int or None, default=None
        Starts that run at once; None means 1, unless in a joblib context, and -1 all cores.
    random_state : int, RandomState instance or None, default=None
        Source of the starts.
    verbose : int, default=0
        If positive, a line is printed for each start.
    backend : {"auto", "numpy", "numba", "cupy", "torch"}, default="auto"
        Where passes over the points run; small problems run on the host.

    Attributes
    ----------
    labels_ : array of shape (n_samples,)
        Partition.
    memberships_ : array of shape (n_samples, n_clusters)
        Share of each group in each point, by the solution before it was rounded; posterior
        probabilities with a sample.
    n_clusters_ : int
        Number of groups.
    means_ : array of shape (n_clusters, n_features)
        Means of the groups.
    covariances_ : array
        Their covariances, in the shapes of :class:`~sklearn.mixture.GaussianMixture`.
    precisions_cholesky_ : array
        Factors P of the precisions P P^T, in the same shapes.
    weights_ : array of shape (n_clusters,)
        Shares of the points.
    factor_ : list of array of shape (n_fitted, rank)
        U of each group, or one of all with "tied", for the points that were clustered.
    objective_history_ : array
        Objective of the start that is kept, at the start and after each iteration. With more than
        1,000 points the first programs are solved roughly, and are not listed.
    log_likelihood_ : float
        Classification log-likelihood of the points that were clustered.
    solver_ : str
        The solver of the programs: "nlr", "admm" or "cvxpy"; "closed form" for one group, or as
        many as points.
    n_iter_ : int
        Iterations of that start.
    converged_ : bool
        Whether its labels or objective settled.
    feasibility_ : float
        Root mean square of the row sums less one.
    bic_, icl_ : float
        Criteria of the mixture of the groups; smaller is better.
    criterion_path_ : array of shape (max_clusters,) or None
        With ``n_clusters="auto"``, the criterion of 1, 2, ... groups, infinite where none would do.
    init_results_ : dict
        Of each start: "init", where it came from, "log_likelihood", "ari", its agreement with the
        best, "n_iter" and "discarded".
    certificate_ : dict or None
        With `certify`, as for :class:`SDPKMeans`, with a gap relative to the absolute objective and
        the number of points; with "tied" covariances it is that of :class:`SDPKMeans` for whitened
        data, relative to their inertia. It is about partitions at the covariances found, not about
        other covariances.
    sketch_indices_ : ndarray of shape (n_subsample,) or None
        The sample.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X has names that are all strings.

    See Also
    --------
    SDPKMeans : Groups of one shape.
    sklearn.mixture.GaussianMixture : Local search for the likelihood of a mixture.

    Notes
    -----
    (1) With the means that maximise it, twice the likelihood of labels [1]_ and covariances
    :math:`\Sigma_k = L_k L_k^T` is, but for a constant, :math:`\sum_k \langle A_k, Z_k \rangle`
    with :math:`Z_k = 1_{G_k} 1_{G_k}^T / n_k` and :math:`A_k = W_k W_k^T - (a_k 1^T + 1 a_k^T) / 2
    - \log|\Sigma_k| 1 1^T`, :math:`W_k = X L_k^{-T}`, a the squared lengths of its rows.

    (2) For given covariances: :math:`\max \sum_k \langle A_k, Z_k \rangle` subject to :math:`Z_k
    \succeq 0`, :math:`Z_k \ge 0`, :math:`\mathrm{tr} Z_k = 1` and :math:`\sum_k Z_k 1 = 1`.

    (3), (4) A non-negative factor :math:`Z_k = U_k U_k^T` with :math:`|U_k| = 1` and an augmented
    Lagrangian solve it [2]_, by gradient steps that are cut at zero and scaled. (5), (6)
    Alternating directions on the dual do so without a factor: with :math:`P` the positive
    semidefinite part of :math:`Z + N + \sigma (A - (y 1^T + 1 y^T) / 2 - t I)`, the next N is the
    positive part of N less the projection of P onto the equations, which has a closed form and
    moves y and t, and Z goes to that of P plus the change of N [3]_. (7) Any y and :math:`N_k \ge
    0` give the bound :math:`1^T y + \sum_k \lambda_{\max}(A_k + N_k - (y 1^T + 1 y^T) / 2)`.
    Linear terms that all groups share do not matter and are taken off.

    From random factors (4) often ends with groups on the wrong covariances. With covariances to
    start from there are three random factors of ``2 n_clusters`` columns, and two ways out: columns
    of other blocks that add to the Lagrangian, and partitions, whose groups are matched with
    covariances as an assignment problem and improved point by point. Starts from labels have the
    right match.

    (8) Given Z: :math:`N_k = 1^T Z_k 1` and :math:`S_k = X^T (\mathrm{diag}(Z_k 1) - Z_k) X` are
    the sizes and scatters, and (9) :math:`\Sigma_k = S_k / N_k + \epsilon I` the best covariances,
    for (10) the objective in which :math:`\log|\Sigma_k|` has become :math:`\log|\Sigma_k| +
    \epsilon \mathrm{tr} \Sigma_k^{-1}`. Both steps raise it; where the solver stops short of what
    there was, a start ends with that. If all covariances are equal, they
    stay so.

    (11) Criteria count weights, means and covariances of the mixture of the groups found.

    (12) New points go to the least :math:`\log|\Sigma_k| + |L_k^{-1} (x - m_k)|^2`. That may differ
    from `labels_` near boundaries.

    A step of the solver takes :math:`O(K n r (p + 1))`, an iteration some hundred of them and
    :math:`O(K n p^2)`.

    Left out: samples weighted by pilot groups; "admm" as what "auto" takes for few points, since
    "nlr" comes within some 1e-4 of its value five to fifty times as fast; the labels and histories
    of starts that were not kept. Where fewer points than features are in a group, reduce features
    first, or use "diag", "tied" or `shrinkage`.

    References
    ----------
    .. [1] Yubo Zhuang, Xiaohui Chen, Yun Yang, "Likelihood Adjusted Semidefinite Programs for
       Clustering Heterogeneous Data", ICML 2023. :arxiv:`2209.15097`

    .. [2] Yubo Zhuang, Xiaohui Chen, Yun Yang, Richard Y. Zhang, "Statistically Optimal K-means
       Clustering via Nonnegative Low-rank Semidefinite Programming", ICLR 2024.
       :arxiv:`2305.18436`

    .. [3] Defeng Sun, Kim-Chuan Toh, Liuqing Yang, "A Convergent 3-Block Semi-Proximal Alternating
       Direction Method of Multipliers for Conic Programming with 4-Type Constraints", SIAM Journal
       on Optimization 25(2), 2015. :doi:`10.1137/140964357`

    Examples
    --------
    Two long clusters side by side.

    >>> import numpy as np
    >>> from skmatrix.cluster import ILASDPClustering
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 100)
    >>> X = np.column_stack([8 * rng.standard_normal(200), 2 * y + rng.normal(0, 0.3, 200)])
    >>> model = ILASDPClustering(2, random_state=0).fit(X)
    >>> agreement = np.mean(model.labels_ == y)
    >>> bool(max(agreement, 1 - agreement) > 0.98)
    True
    """

    _parameter_constraints: dict = {
        "n_clusters": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "covariance_type": [StrOptions({"full", "tied", "diag", "spherical"})],
        "init": [StrOptions(set(INITS)), "array-like"],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "solver": [StrOptions(set(SOLVERS))],
        "rank": [Interval(Integral, 1, None, closed="left")],
        "reg_covar": [Interval(Real, 0, None, closed="left")],
        "shrinkage": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
        "rounding": [StrOptions({"auto", "membership", "spectral"})],
        "min_cluster_size": [Interval(Integral, 1, None, closed="left"), None],
        "max_clusters": [Interval(Integral, 1, None, closed="left")],
        "criterion": [StrOptions({"bic", "icl"})],
        "n_subsample": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"}), None],
        "certify": ["boolean"],
        "solver_options": [dict, None],
        "backend": CONSTRAINT,
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_clusters=3,
        *,
        covariance_type="full",
        init="auto",
        n_init=5,
        max_iter=50,
        tol=1e-5,
        solver="auto",
        rank=2,
        reg_covar=1e-6,
        shrinkage=0.0,
        rounding="auto",
        min_cluster_size=None,
        max_clusters=10,
        criterion="icl",
        n_subsample=None,
        certify=False,
        solver_options=None,
        n_jobs=None,
        random_state=None,
        verbose=0,
        backend="auto",
    ):
        self.n_clusters = n_clusters
        self.covariance_type = covariance_type
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.solver = solver
        self.rank = rank
        self.reg_covar = reg_covar
        self.shrinkage = shrinkage
        self.rounding = rounding
        self.min_cluster_size = min_cluster_size
        self.max_clusters = max_clusters
        self.criterion = criterion
        self.n_subsample = n_subsample
        self.certify = certify
        self.solver_options = solver_options
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self.backend = backend

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Cluster the rows of X.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_samples, n_features)
            Data. A dask array or data frame is sampled as `n_subsample` says, which must be set;
            the others of its rows follow where they are, and `labels_` and `memberships_` are lazy.
        y : None
            Ignored.

        Returns
        -------
        self : ILASDPClustering
            The fitted estimator.

        Raises
        ------
        ValueError
            If there are fewer distinct rows than groups, `init` does not fit the data, or
            covariances are singular with ``reg_covar=0``.
        TypeError
            If X is sparse.
        ImportError
            If the packages of ``solver="cvxpy"`` are not installed.

        Warns
        -----
        ConvergenceWarning
            If the solver, the iteration or all starts fail.
        UserWarning
            If a group has no more points than there are features, or all rows are equal.
        """
        with all_or_nothing(self, _PRIVATE):
            refuse_sparse(X)
            refuse_missing_solver(self.solver)
            if is_dask(X):
                from ..distributed._sdp_clustering import fit_gaussian_row_blocks

                return fit_gaussian_row_blocks(self, X)
            be = get_backend(self.backend, X)
            X = validate_data(self, X, dtype=be.float_dtypes, order="C")
            setup = Setup.of(self, be, to_numpy(X).astype(np.float64))
            fit, path = fit_all(self, X, setup)
            self.criterion_path_ = None if path is None else be.unload_as(path, X.dtype)
            self._set_fitted(be, X, setup, fit)
            warn_about(self, fit)
        return self

    def _set_fitted(self, be, X, setup, fit):
        """Attributes of what has been fitted."""
        outcome, data = fit.outcome, fit.data
        self.certificate_ = bound_of(data, outcome, setup.rng) if self.certify else None
        groups, labels, memberships = outcome.groups, outcome.labels, outcome.memberships
        scores = fit.criteria
        if setup.chosen is not None:
            whole = setup.all_points(data.n_groups)
            groups, labels = lift(whole, groups)
            log_joint = groups.log_joint(whole.be, whole.X)
            scores = criteria(groups.structure, log_joint, self.n_features_in_)
            memberships = np.exp(log_joint - logsumexp(log_joint, axis=1, keepdims=True))
        self._publish_groups(be, X, replace(groups, means=groups.means + setup.centre))
        self.labels_ = be.unload(labels)
        self.n_clusters_ = data.n_groups
        self.memberships_ = be.unload_as(memberships, X.dtype)
        self.factor_ = [be.unload_as(factor, X.dtype) for factor in outcome.factor]
        self.objective_history_ = be.unload_as(np.array(outcome.history), X.dtype)
        self.log_likelihood_ = outcome.log_likelihood
        trivial = setup.is_trivial(data.n_groups)
        self.solver_ = "closed form" if trivial else setup.settings.solver
        self.n_iter_ = outcome.n_iter
        self.converged_ = outcome.converged
        self.feasibility_ = outcome.feasibility
        self.bic_, self.icl_ = scores["bic"], scores["icl"]
        self.init_results_ = fit.results
        self.sketch_indices_ = setup.chosen

    def _publish_groups(self, be, X, groups):
        """Attributes of the groups."""
        self._groups = groups
        covariances, factors = groups.as_public()
        refuse_range(float(np.abs(covariances).max()), "The largest covariance of X", X.dtype)
        self.means_ = be.unload_as(groups.means, X.dtype)
        self.covariances_ = be.unload_as(covariances, X.dtype)
        self.precisions_cholesky_ = be.unload_as(factors, X.dtype)
        self.weights_ = be.unload_as(groups.sizes / groups.sizes.sum(), X.dtype)

    def _lazy(self, X, method):
        """Lazy result of a method for a dask array."""
        from ..distributed._sdp_clustering import ask_row_blocks

        check_is_fitted(self)
        return ask_row_blocks(self, X, method)

    def _open(self, X, method):
        """Engine, validated queries, and the same on the host."""
        check_is_fitted(self)
        refuse_sparse(X)
        be = get_backend(self.backend, X)
        X = validate_data(self, X, reset=False, dtype=be.float_dtypes, order="C")
        be.check_home(self, "means_", method)
        return be, X, to_numpy(X).astype(np.float64, copy=False)

    def predict(self, X):
        """Group of the least discriminant.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_queries, n_features)
            Points.

        Returns
        -------
        labels : array of shape (n_queries,)
            Groups.
        """
        if is_dask(X):
            return self._lazy(X, "predict")
        be, _, points = self._open(X, "predict")
        return be.unload(self._groups.discriminants(be, points).argmin(axis=1))

    def predict_proba(self, X):
        """Posterior probabilities of the groups in the mixture.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_queries, n_features)
            Points.

        Returns
        -------
        proba : array of shape (n_queries, n_clusters)
            Probabilities.
        """
        if is_dask(X):
            return self._lazy(X, "predict_proba")
        be, X, points = self._open(X, "predict_proba")
        log_joint = self._groups.log_joint(be, points)
        return be.unload_as(
            np.exp(log_joint - logsumexp(log_joint, axis=1, keepdims=True)), X.dtype
        )

    def transform(self, X):
        """Discriminants of the groups, the log-determinant plus the squared distance.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_queries, n_features)
            Points.

        Returns
        -------
        discriminants : array of shape (n_queries, n_clusters)
            Discriminants; smaller is nearer.
        """
        if is_dask(X):
            return self._lazy(X, "transform")
        be, X, points = self._open(X, "transform")
        return be.unload_as(self._groups.discriminants(be, points), X.dtype)

    def score_samples(self, X):
        """Log-density of the mixture of the groups.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_queries, n_features)
            Points.

        Returns
        -------
        log_density : array of shape (n_queries,)
            Log-densities.
        """
        if is_dask(X):
            return self._lazy(X, "score_samples")
        be, X, points = self._open(X, "score_samples")
        return be.unload_as(logsumexp(self._groups.log_joint(be, points), axis=1), X.dtype)

    def score(self, X, y=None):
        """Mean log-density of the mixture of the groups.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_queries, n_features)
            Points.
        y : None
            Ignored.

        Returns
        -------
        score : float
            Mean log-density.
        """
        if is_dask(X):
            return self._criterion(X, "score")
        be, _, points = self._open(X, "score")
        return float(np.mean(logsumexp(self._groups.log_joint(be, points), axis=1)))

    def _criterion(self, X, name):
        """A criterion of the mixture on data."""
        if is_dask(X):
            from ..distributed._sdp_clustering import criteria_row_blocks

            check_is_fitted(self)
            return criteria_row_blocks(self, X)[name]
        be, _, points = self._open(X, name)
        log_joint = self._groups.log_joint(be, points)
        return criteria(self._groups.structure, log_joint, self.n_features_in_)[name]

    def bic(self, X):
        """Bayesian information criterion of the mixture on X.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_queries, n_features)
            Points.

        Returns
        -------
        bic : float
            Smaller is better.
        """
        return self._criterion(X, "bic")

    def icl(self, X):
        """Integrated completed likelihood criterion of the mixture on X.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_queries, n_features)
            Points.

        Returns
        -------
        icl : float
            Smaller is better.
        """
        return self._criterion(X, "icl")

    def aic(self, X):
        """Akaike's information criterion of the mixture on X.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_queries, n_features)
            Points.

        Returns
        -------
        aic : float
            Smaller is better.
        """
        return self._criterion(X, "aic")

    def sample(self, n_samples=1, random_state=None):
        """Draw from the mixture of the groups.

        Parameters
        ----------
        n_samples : int, default=1
            Draws.
        random_state : int, RandomState instance or None, default=None
            Their source; None takes the `random_state` of the estimator.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Points, sorted by group.
        y : ndarray of shape (n_samples,)
            Their groups.
        """
        check_is_fitted(self)
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        rng = check_random_state(self.random_state if random_state is None else random_state)
        return self._groups.draw(n_samples, rng)

    @property
    def _n_features_out(self):
        """Columns that `transform` gives."""
        return self.n_clusters_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.array_api_support = True
        return tags
