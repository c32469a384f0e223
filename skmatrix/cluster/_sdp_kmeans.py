"""K-means by its semidefinite program."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from .._backend import CONSTRAINT, get_backend, to_numpy
from .._iterate import tasks, warn_unfinished
from .._sklearn import Interval, StrOptions, _fit_context
from .._transaction import all_or_nothing
from ..distributed import is_dask
from ._clustering_parameters import (
    centred,
    check_n_groups,
    check_sample,
    draw_sample,
    refuse_sparse,
    sample_size,
    solver_engine,
)
from ._gaussian_kernels import squared_distances
from ._sdp_kmeans_fit import certificate, cluster
from ._sdp_rounding import group_memberships, lloyd
from ._sdp_solvers import SOLVERS, Tolerance, refuse_missing_solver


class SDPKMeans(
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    ClusterMixin,
    BaseEstimator,
):
    r"""K-means by its semidefinite program, with a proof of how good the partition is.

    Use it where K-means depends on its start: many features and few points, groups that are close
    together, or a partition that must be proven to be the best there is. For a quick look at
    millions of points take :class:`~sklearn.cluster.KMeans`; for groups of different shapes
    :class:`ILASDPClustering`.

    Read more in the :ref:`User Guide <sdp_clustering>`.

    Parameters
    ----------
    n_clusters : int, default=3
        Number of groups.
    solver : {"auto", "nlr", "admm", "cvxpy"}, default="auto"
        "nlr" is a non-negative low-rank factorisation, which keeps no n x n array; "admm" finds
        the convex optimum for up to some hundred points; "cvxpy" does so by SCS, to compare with.
        "auto" is "nlr".
    rank : int or None, default=None
        Columns of the low-rank factor; None means ``2 * n_clusters``. As many as groups, or fewer,
        have poor local optima.
    n_init : int, default=1
        Random starts of "nlr", of which the least inertia counts.
    n_subsample : int, "auto" or None, default=None
        Points that are clustered; the others go to the nearest mean. "auto" takes 2,000 of more
        than 20,000, None takes all.
    certify : bool, default=False
        Whether to bound how much better a partition could be, for `certificate_`.
    tol : float, default=1e-4
        Root mean square of the row sums less one at which the solver stops.
    max_iter : int, default=3000
        Steps of the solver at most.
    random_state : int, RandomState instance or None, default=None
        Source of the starts and of the sample.
    verbose : int, default=0
        If positive, a line is printed for each start.
    backend : {"auto", "numpy", "numba", "cupy", "torch"}, default="auto"
        Where the solver runs; what is small runs on the host.

    Attributes
    ----------
    labels_ : array of shape (n_samples,)
        Partition.
    cluster_centers_ : array of shape (n_clusters, n_features)
        Means of the groups.
    inertia_ : float
        Sum of squared distances to the means.
    memberships_ : array of shape (n_samples, n_clusters)
        Share of each group in each point, by the solution before it was rounded; zeros and ones
        with a sample.
    factor_ : array of shape (n_fitted, rank)
        U, with ``Z = U U^T``, for the points that were clustered.
    objective_ : float
        Objective of the program for centred data.
    solver_ : str
        "nlr", "admm" or "cvxpy"; "closed form" for one group, or as many as points.
    n_iter_ : int
        Steps of the solver.
    converged_ : bool
        Whether it reached its tolerance.
    feasibility_ : float
        Root mean square of the row sums less one.
    certificate_ : dict or None
        With `certify`: "primal", the objective of the partition; "dual_bound", which no partition
        exceeds; "gap"; "rel_gap", relative to the inertia and with what rounding may hide;
        "certified", whether it is below 1e-6; "method", "closed form" or "admm"; "n_used". Without,
        None. It is about the points that
        were clustered.
    sketch_indices_ : ndarray of shape (n_subsample,) or None
        The sample.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X has names that are all strings.

    See Also
    --------
    ILASDPClustering : Groups of different shapes and sizes.
    sklearn.cluster.KMeans : Local search for the same partition.

    Notes
    -----
    For centred data X and a partition, let :math:`Z = \sum_k 1_{G_k} 1_{G_k}^T / n_k`.

    (1) The inertia is :math:`|X|^2 - \langle A, Z \rangle` with :math:`A = X X^T`.

    (2) The program [1]_ keeps what is convex: :math:`\max \langle A, Z \rangle` subject to
    :math:`Z \succeq 0`, :math:`Z \ge 0`, :math:`\mathrm{tr} Z = K` and :math:`Z 1 = 1`.

    (3) "nlr" [2]_ writes :math:`Z = U U^T` with :math:`U \ge 0` and :math:`|U|^2 = K`, and takes
    the saddle of :math:`-\langle A, U U^T \rangle + y^T g + (\beta / 2) |g|^2` with :math:`g = U
    U^T 1 - 1`, by (4) gradient steps that are cut at zero and scaled, of the length of Barzilai and
    Borwein. The published program has fixed steps and penalties. Non-negative factors are a
    smaller set than (2): where the program is not tight, the value lies between that of the best
    partition and that of (2), and the difference is no fault of the solver.

    (5) "admm" is a method of alternating directions on the dual [4]_, with one eigendecomposition a
    step; (6) the projection onto the equations has a closed form.

    The partition is that of Lloyd's algorithm on the leading singular vectors of U, from the rows
    that pivots of a QR decomposition pick, after which points go to the nearest mean until none
    moves.

    (7) For any y and :math:`N \ge 0`, no partition exceeds :math:`1^T y + K \lambda_{\max}(A + N -
    (y 1^T + 1 y^T) / 2)`.

    (8) A partition gives such y and N in closed form [3]_ but for one number, which is searched
    for. A, y and N have few columns together, so that the eigenvalue is that of a small matrix, and
    the bound is exact for any number of points. The gap is zero if the groups are far enough
    apart; up to 300 points, (5) is asked for a lower bound if it is not.

    A step takes :math:`O(n r (p + 1))`, the certificate :math:`O(n (p + 2 K^2)^2)` for each number
    tried.

    References
    ----------
    .. [1] Jiming Peng, Yu Wei, "Approximating K-means-type Clustering via Semidefinite
       Programming", SIAM Journal on Optimization 18(1), 2007. :doi:`10.1137/050641983`

    .. [2] Yubo Zhuang, Xiaohui Chen, Yun Yang, Richard Y. Zhang, "Statistically Optimal K-means
       Clustering via Nonnegative Low-rank Semidefinite Programming", ICLR 2024.
       :arxiv:`2305.18436`

    .. [3] Takayuki Iguchi, Dustin G. Mixon, Jesse Peterson, Soledad Villar, "Probably Certifiably
       Correct k-Means Clustering", Mathematical Programming 165, 2017. :arxiv:`1509.07983`

    .. [4] Defeng Sun, Kim-Chuan Toh, Liuqing Yang, "A Convergent 3-Block Semi-Proximal Alternating
       Direction Method of Multipliers for Conic Programming with 4-Type Constraints", SIAM Journal
       on Optimization 25(2), 2015. :doi:`10.1137/140964357`

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skmatrix.cluster import SDPKMeans
    >>> X, y = make_blobs(200, centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
    >>> model = SDPKMeans(3, certify=True, random_state=0).fit(X)
    >>> model.certificate_["certified"]
    True
    >>> len(set(zip(model.labels_.tolist(), y.tolist())))
    3
    """

    _parameter_constraints: dict = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "solver": [StrOptions(set(SOLVERS))],
        "rank": [Interval(Integral, 1, None, closed="left"), None],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "n_subsample": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"}), None],
        "certify": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "backend": CONSTRAINT,
    }

    def __init__(
        self,
        n_clusters=3,
        *,
        solver="auto",
        rank=None,
        n_init=1,
        n_subsample=None,
        certify=False,
        tol=1e-4,
        max_iter=3000,
        random_state=None,
        verbose=0,
        backend="auto",
    ):
        self.n_clusters = n_clusters
        self.solver = solver
        self.rank = rank
        self.n_init = n_init
        self.n_subsample = n_subsample
        self.certify = certify
        self.tol = tol
        self.max_iter = max_iter
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
        self : SDPKMeans
            The fitted estimator.

        Raises
        ------
        ValueError
            If there are fewer distinct rows than groups, `rank` is smaller than `n_clusters`, or
            the data are so large or so small that their fourth powers are no numbers.
        TypeError
            If X is sparse.
        ImportError
            If the packages of ``solver="cvxpy"`` are not installed.

        Warns
        -----
        ConvergenceWarning
            If the solver does not reach its tolerance.
        UserWarning
            If all rows are equal.
        """
        with all_or_nothing(self):
            refuse_sparse(X)
            refuse_missing_solver(self.solver)
            if is_dask(X):
                from ..distributed._sdp_clustering import fit_means_row_blocks

                return fit_means_row_blocks(self, X)
            be = get_backend(self.backend, X)
            X = validate_data(self, X, dtype=be.float_dtypes, order="C")
            data = to_numpy(X).astype(np.float64)
            check_n_groups(self.n_clusters, data)
            if self.rank is not None and self.rank < self.n_clusters:
                raise ValueError(
                    f"rank={self.rank} should be >= n_clusters={self.n_clusters}: a matrix of lower"
                    " rank is not feasible."
                )
            size = sample_size(self.n_subsample, data.shape[0], self.n_clusters)
            self._fit_host(be, X, data, size)
        return self

    def _fit_host(self, be, X, data, size):
        """Fit data on the host."""
        rng = check_random_state(self.random_state)
        data, centre = centred(data)
        chosen = None if size is None else draw_sample(rng, data.shape[0], size)
        sample = data if chosen is None else data[chosen]
        check_sample(sample, self.n_clusters)
        engine = solver_engine(be, sample.size)
        solver = "nlr" if self.solver == "auto" else self.solver
        # There is no chance in the other solvers.
        starts = range(self.n_init if solver == "nlr" else 1)
        found = cluster(
            engine,
            sample,
            self.n_clusters,
            solver=solver,
            rank=self.rank,
            tolerance=Tolerance(self.tol, self.max_iter),
            rng=rng,
            starts=tasks(self, X, None, starts, "start"),
            report=self._report if self.verbose else None,
        )
        labels, centers, solution = found.labels, found.centers, found.solution
        self.certificate_ = certificate(engine, sample, labels) if self.certify else None
        if solution is None:
            factor = np.eye(self.n_clusters)[labels] / np.sqrt(np.bincount(labels))
        else:
            factor = solution.factor[0]
        if chosen is None:
            memberships = group_memberships(factor[None], labels, self.n_clusters)
            memberships /= memberships.sum(axis=1, keepdims=True)
        else:
            labels, centers = lloyd(data, centers)
            memberships = np.eye(self.n_clusters)[labels]
        self.labels_ = be.unload(labels)
        self.cluster_centers_ = be.unload_as(centers + centre, X.dtype)
        self.inertia_ = float(np.sum((data - centers[labels]) ** 2))
        self.memberships_ = be.unload_as(memberships, X.dtype)
        self.factor_ = be.unload_as(factor, X.dtype)
        self.objective_ = float(found.value)
        self.solver_ = found.solver
        self.n_iter_ = _n_steps(solution)
        self.converged_ = solution is None or solution.converged
        self.feasibility_ = 0.0 if solution is None else solution.feasibility
        self.sketch_indices_ = chosen
        if not self.converged_:
            warn_unfinished(
                self,
                self.max_iter,
                "the root mean square of the row sums less one",
                self.feasibility_,
                self.tol,
            )

    def _report(self, start, found):
        """Print a line about a start."""
        print(
            f"[{type(self).__name__}] start {start + 1}/{self.n_init}:"
            f" inertia={found.inertia:.6g}, iterations={_n_steps(found.solution)}"
        )

    def _lazy(self, X, method):
        """Lazy result of a method for a dask array."""
        from ..distributed._sdp_clustering import ask_row_blocks

        check_is_fitted(self)
        return ask_row_blocks(self, X, method)

    def _squares(self, X, method):
        """Squared distances to the means, on the host, and the way back."""
        check_is_fitted(self)
        refuse_sparse(X)
        be = get_backend(self.backend, X)
        X = validate_data(self, X, reset=False, dtype=be.float_dtypes, order="C")
        be.check_home(self, "cluster_centers_", method)
        points = to_numpy(X).astype(np.float64, copy=False)
        centers = to_numpy(self.cluster_centers_).astype(np.float64)
        arrays = be.load(points, centers, np.ones_like(centers))
        return be, X, to_numpy(squared_distances(be, *arrays))

    def predict(self, X):
        """Group of the nearest mean.

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
        be, _, squares = self._squares(X, "predict")
        return be.unload(squares.argmin(axis=1))

    def transform(self, X):
        """Distances to the means.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_queries, n_features)
            Points.

        Returns
        -------
        distances : array of shape (n_queries, n_clusters)
            Distances.
        """
        if is_dask(X):
            return self._lazy(X, "transform")
        be, X, squares = self._squares(X, "transform")
        return be.unload_as(np.sqrt(squares), X.dtype)

    def score(self, X, y=None):
        """Minus the sum of squared distances to the nearest means.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_queries, n_features)
            Points.
        y : None
            Ignored.

        Returns
        -------
        score : float
            Minus the inertia.
        """
        if is_dask(X):
            from ..distributed._sdp_clustering import inertia_row_blocks

            check_is_fitted(self)
            return -inertia_row_blocks(self, X)
        return -float(np.sum(self._squares(X, "score")[2].min(axis=1)))

    @property
    def _n_features_out(self):
        """Columns that `transform` gives."""
        return self.cluster_centers_.shape[0]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.array_api_support = True
        return tags


def _n_steps(solution):
    """Steps of the solver, one where there was none."""
    return 1 if solution is None else solution.n_steps
