"""Sparse Bayesian learning with a Kronecker-structured design."""

from numbers import Integral, Real

import array_api_compat
import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state, check_scalar
from sklearn.utils.validation import check_is_fitted, validate_data

from .._backend import CONSTRAINT, get_backend, to_numpy
from .._sklearn import Interval, StrOptions, _fit_context
from .._transaction import all_or_nothing
from ..distributed import is_dask
from ._kronecker_sbl_fit import solve
from ._kronecker_sbl_forms import Design, Layout, check_columns, read_design, read_target, tensor_of
from ._kronecker_sbl_parameters import check_decomposable, chosen_solvers
from ._kronecker_sbl_problem import pose
from ._kronecker_sbl_queries import (
    Record,
    double,
    drawn,
    log_evidence,
    predicted,
    predicted_std,
    r_squared,
)


class KroneckerSBL(CallbackSupportMixin, MultiOutputMixin, RegressorMixin, BaseEstimator):
    r"""Sparse regression with a Kronecker-structured design.

    Recovers coefficients x from ``y = (A_1 kron ... kron A_K) x + noise``, often far fewer
    measurements than coefficients, when few are not zero and their pattern is about a Kronecker
    product. The noise variance is learnt, there is no penalty to choose, and predictions have error
    bars. The Kronecker product is never formed: millions of coefficients fit one machine.

    Use it in place of :class:`~sklearn.linear_model.ARDRegression`,
    :class:`~sklearn.linear_model.Lasso` or orthogonal matching pursuit as soon as the design is a
    Kronecker product: images and tensors that were measured mode by mode, harmonics in several
    dimensions, channels of antenna arrays. With a single matrix it is the same model as
    :class:`~sklearn.linear_model.ARDRegression`. Where the non-zeros have no structure over modes,
    a Lasso on the same factors is better.

    Read more in the :ref:`User Guide <kronecker_sbl>`.

    Parameters
    ----------
    factors : tuple or list of array-like of shape (m_k, n_k), or None, default=None
        The factors A_2, ..., A_K, if X is to be A_1 alone and its rows are to be samples: then
        pipelines and searches over parameters can split them. None if X holds all.
    solver : {"auto", "svd", "am", "mm", "decompose"}, default="auto"
        "svd" and "am" are the source paper's: expectations of the squared coefficients are brought
        to a Kronecker product by rank-one approximations, which is fast and strong where there are
        enough data, or by alternating minimisation, which never lets the cost rise. "mm" minimises
        a bound of the cost factor by factor; it never lets the cost rise either, needs fewer
        iterations than "am", and copes with few data. "auto" runs "svd" and "mm" and keeps the
        better by Akaike's criterion; with one factor it is "mm". "decompose" is for x that are
        Kronecker products themselves, and splits the problem into one for each factor.
    max_iter : int, default=150
        Iterations at most. That of the source paper; small problems may need three times as many.
    tol : float, default=1e-4
        Relative change of the prior variances that ends them.
    noise_variance : float or "estimate", default="estimate"
        Noise variance, if it is known.
    noise_init : float, default=0.1
        Where its search starts, in units of the mean square of the data.
    init_scale : float or None, default=None
        Prior variance of all coefficients at the start, in units of the one that would give the
        signal the power of the data. None is 10, and 3e-3 with `coupling`; smaller ones let "svd"
        and "am" get stuck, larger ones make coupled variances slow.
    n_init : int or "auto", default="auto"
        Starts, of which the best counts. In the first, all solvers run from equal prior variances.
        The cost has local minima, in which those of a factor with few rows are wrong: further
        starts begin with what the first has found after twenty iterations, and new variances for
        one factor, equal or random ones. The worse half of them is given up every five iterations
        until one is left, which goes on to its end like the first. With "auto" as the solver, "svd"
        has three of four. "auto" is 24 for it, and 1 for other solvers, for a single factor, and
        with `coupling`.
    prune : float, sequence of float or None, default=None
        Share of the largest prior variance of a factor, or of each factor, below which an index is
        dropped for good. None is 1e-2 for "am", 1e-3 for "svd", 1e-4 for "mm" and "decompose", and
        1e-10 with one factor. 1e-3 for "mm" gives sharper supports, at the price of small entries;
        0 keeps all.
    inner_max_iter, inner_tol : int, float, default=20, 1e-5
        Passes of "am" over the factors in an iteration, and the relative change that ends them.
        With one pass it costs less and does as well.
    coupling : sequence or None, default=None
        For non-zeros in blocks, an item for each factor: None, the weight beta of each neighbour of
        an index, or a non-negative matrix of shape (n_k, n_k). Only for "am", which "auto" then is.
    coupling_solver : {"nnls", "mm"}, default="nnls"
        How coupled variances are found: by non-negative least squares, as in the paper, or by
        multiplicative steps that never let the cost rise.
    fit_intercept : bool or "auto", default="auto"
        Whether to fit an intercept, one for each snapshot. "auto" does if X is a matrix.
    compute_score : bool, default=False
        Whether to keep the log evidence and the noise variance after each iteration.
    random_state : int, RandomState instance or None, default=None
        Source of the random starts.
    verbose : int, default=0
        If positive, a line is printed for each iteration; of several solvers or starts, those of
        the last one left.
    backend : {"auto", "numpy", "numba", "cupy", "torch"}, default="auto"
        Where products along modes run. Arithmetic is in double precision.

    Attributes
    ----------
    coef_ : array of shape (N,) or (L, N)
        Posterior means of the N coefficients, in C order; for each snapshot if y has several.
    coef_tensor_ : array of shape (n_1, ..., n_K) or (L, n_1, ..., n_K)
        The same as a tensor.
    sigma_diag_ : array of shape (N,)
        Posterior variances, the same for all snapshots.
    gamma_ : list of array of shape (n_k,)
        Prior variances: those of the coefficients are the Kronecker product. All but the last have
        unit norm.
    support_ : list of array
        Indices of each factor that were not dropped.
    noise_variance_ : float
        Noise variance.
    intercept_ : float or array of shape (L,)
        Intercept; 0 without one.
    scores_ : array of shape (n_iter,)
        Log evidence after each iteration. Only with `compute_score`; empty for "decompose", and
        where nothing was there to be explained.
    noise_history_ : array of shape (n_iter,)
        Noise variance after each iteration. Only with `compute_score`; empty where `scores_` is.
    solver_ : str
        The solver that counted.
    n_iter_ : int
        Its iterations, from the start that counted.
    converged_ : bool
        Whether its last change was at most `tol`.
    n_features_in_ : int
        Number of columns of X; N if X is a tuple.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if X has names that are all strings.

    See Also
    --------
    sklearn.linear_model.ARDRegression : The same model for a single matrix.
    kronecker_omp : Greedy pursuit with Kronecker factors.
    kron_matvec : Product with a Kronecker product.
    skmatrix.datasets.make_kronecker_sparse : Data to try it on.
    skmatrix.inspection.KroneckerSpectrumDisplay : Prior variances of each factor.

    Notes
    -----
    (1) :math:`y = H x + n`, :math:`H = A_1 \otimes \cdots \otimes A_K`, noise of variance
    :math:`\lambda` and :math:`x \sim N(0, \mathrm{diag}(g))`, :math:`g = g_1 \otimes \cdots \otimes
    g_K`, L snapshots with one g [1]_; circular normal distributions for complex data.

    (2) With thin decompositions :math:`A_k \mathrm{diag}(\sqrt{g_k}) = U_k \mathrm{diag}(s_k)
    V_k^H`, the covariance :math:`C = \lambda I + H \mathrm{diag}(g) H^H` is diagonal in the basis
    of :math:`U = \bigotimes U_k`, with signal variances :math:`P = \bigotimes s_k^2`. Let
    :math:`W = 1 / (\lambda + P)` and :math:`Z = U^H Y`, all as tensors.

    (3) The cost is :math:`F = L \log \det C + \mathrm{tr}(Y^H C^{-1} Y)`.

    (4) An intercept b has a flat prior: with :math:`w = C^{-1} 1` and :math:`a = 1^H w`, :math:`b =
    w^H y / a`; F gains :math:`L \log (a / M)`, and M - 1 degrees of freedom remain. A single matrix
    is centred, which is the same.

    (5) Means :math:`\mu = (W Z) \times_k G_k` with :math:`G_k = \mathrm{diag}(\sqrt{g_k}) V_k
    \mathrm{diag}(s_k)`; (6) variances :math:`g (1 - \bigotimes_k \sum_j |V_k|^2_{:j} + (\lambda W)
    \times_k |V_k|^2)`, in which nothing cancels, and with an intercept :math:`|\mathrm{diag}(g) H^H
    w|^2 / a` more. Expected squares D are variances and squared means.

    (7) "am" repeats :math:`g_k(i) \leftarrow \frac{n_k}{N} \sum_{others} D / \prod_{j \ne k} g_j`,
    the minimiser of :math:`\sum \log g + D / g`, which is convex in the logarithms.

    (8) "mm": F is concave plus convex in :math:`(g_k, \lambda)`, so that with :math:`\tau = 1 -
    \Sigma_{ii} / g`, :math:`g_k(i) \leftarrow g_k(i) \sqrt{\sum_{others} |\mu|^2 / g \, / \,
    \sum_{others} \tau}` and :math:`\lambda \leftarrow \sqrt{|Y - H \mu|^2 / (L \,
    \mathrm{tr} C^{-1})}` never raise it. Since :math:`V_k` are orthonormal, both sums need nothing
    of the size of x.

    (9) "am" and "svd" learn :math:`\lambda \leftarrow (|Y - H \mu|^2 / L + \mathrm{tr}(H \Sigma
    H^H)) / M`.

    (10) "svd" takes the g_k from the leading singular vectors of D, unfolded mode by mode.

    (11) Coupled variances are :math:`g_k = C_k z`, with z from :math:`\min |C_k z - r|` or from
    multiplicative steps, where r is the right-hand side of (7).

    (12) A prediction at rows B_k has the variance :math:`\lambda + \bigotimes \mathrm{diag}(B_k
    \mathrm{diag}(g_k) B_k^H) - W \times_k |B_k G_k|^2`. (13) A draw is :math:`\mu + x_0 -
    \mathrm{diag}(g) H^H C^{-1} (H x_0 + n_0)` with x_0 and n_0 from the prior.

    (14) "decompose" fits each vector of the best rank-one approximation of y.

    An iteration takes :math:`O(\sum_k n_k m_k \cdot rest)`, and memory for a few arrays of the size
    of coefficients and data. It is exact because noise and prior share the factors; other noise, or
    missing measurements, would end that.

    Different from the paper: the start and the pruning do not depend on units, the noise of "mm" is
    learnt by the same bound, there are several starts, and Akaike's criterion, not the evidence
    alone, decides between solutions: with much noise, the evidence prefers to explain some of it.

    A tuple as X does not go through splitters of scikit-learn, whose length is K; pass `factors`
    for that.

    References
    ----------
    .. [1] Yanbin He, Geethu Joseph, "Bayesian Algorithms for Kronecker-structured Sparse Vector
       Recovery With Application to IRS-MIMO Channel Estimation", IEEE Transactions on Signal
       Processing, 2024. :arxiv:`2307.14719`

    .. [2] Michael E. Tipping, "Sparse Bayesian Learning and the Relevance Vector Machine", Journal
       of Machine Learning Research 1, 2001.

    Examples
    --------
    >>> from skmatrix.datasets import make_kronecker_sparse
    >>> from skmatrix.linear_model import KroneckerSBL
    >>> factors, y, truth = make_kronecker_sparse(random_state=2)
    >>> y.shape, truth.coef.shape
    ((1440,), (3375,))
    >>> model = KroneckerSBL(random_state=0).fit(factors, y)
    >>> KroneckerSBL.nmse(model.coef_, truth.coef) < 1e-3
    True
    >>> mean, std = model.predict(factors, return_std=True)
    """

    _parameter_constraints: dict = {
        "factors": [tuple, list, None],
        "solver": [StrOptions({"auto", "am", "svd", "mm", "decompose"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "noise_variance": [Interval(Real, 0, None, closed="neither"), StrOptions({"estimate"})],
        "noise_init": [Interval(Real, 1e-15, 1e15, closed="both")],
        "init_scale": [Interval(Real, 1e-15, 1e15, closed="both"), None],
        "n_init": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "prune": [Interval(Real, 0, 1, closed="left"), "array-like", None],
        "inner_max_iter": [Interval(Integral, 1, None, closed="left")],
        "inner_tol": [Interval(Real, 0, None, closed="left")],
        "coupling": ["array-like", None],
        "coupling_solver": [StrOptions({"nnls", "mm"})],
        "fit_intercept": ["boolean", StrOptions({"auto"})],
        "compute_score": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "backend": CONSTRAINT,
    }

    def __init__(
        self,
        factors=None,
        *,
        solver="auto",
        max_iter=150,
        tol=1e-4,
        noise_variance="estimate",
        noise_init=0.1,
        init_scale=None,
        n_init="auto",
        prune=None,
        inner_max_iter=20,
        inner_tol=1e-5,
        coupling=None,
        coupling_solver="nnls",
        fit_intercept="auto",
        compute_score=False,
        random_state=None,
        verbose=0,
        backend="auto",
    ):
        self.factors = factors
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.noise_variance = noise_variance
        self.noise_init = noise_init
        self.init_scale = init_scale
        self.n_init = n_init
        self.prune = prune
        self.inner_max_iter = inner_max_iter
        self.inner_tol = inner_tol
        self.coupling = coupling
        self.coupling_solver = coupling_solver
        self.fit_intercept = fit_intercept
        self.compute_score = compute_score
        self.random_state = random_state
        self.verbose = verbose
        self.backend = backend

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Fit coefficients, their prior variances and the noise variance.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or tuple of array-like (m_k, n_k)
            A matrix; or the factors of a Kronecker product, real or complex; or its first factor,
            when the parameter `factors` holds the others.
        y : array-like
            Targets, of shape (n_samples,) or (n_samples, L) with a matrix. With M measurements of
            factors, of shape (M,), or (M, L) for L snapshots, or (m_1, ..., m_K), or
            (m_1, ..., m_K, L). With `factors`, of shape (m_1, M / m_1), or one of the latter two.
            Many snapshots may be a dask array, cut along them.

        Returns
        -------
        self : KroneckerSBL
            The fitted estimator.

        Raises
        ------
        ValueError
            If X, y and parameters do not go together, a factor is zero or not finite, y has missing
            values, or coefficients or measurements are too many to be held.
        TypeError
            If X is sparse, or a list of factors.

        Warns
        -----
        ConvergenceWarning
            If prior variances still change after `max_iter` iterations, or the noise variance ends
            at its floor.
        UserWarning
            If "decompose" meets data that are not a Kronecker product and noise.
        """
        with all_or_nothing(self, ("_record", "_log_evidence")):
            if is_dask(y) or _holds_dask(X):
                from ..distributed._kronecker_sbl import fit_snapshot_blocks

                return fit_snapshot_blocks(self, X, y)
            design, data, layout = self._training_data(X, y)
            be, solvers = design.be, chosen_solvers(self, design.shape)
            intercept = self.fit_intercept
            if intercept == "auto":
                intercept = design.form == "matrix"
            if solvers == ["decompose"]:
                check_decomposable(data.shape[0], intercept)
            tensor, *factors = double(be, data, *design.factors)
            problem, units = pose(be, factors, tensor, intercept)
            noise = None
            if self.noise_variance != "estimate":
                noise = units.noise(self.noise_variance)

            def attributes(solution):
                return self._attributes(design, data, layout, problem, units, solution)

            solution = solve(self, X, y, problem, units, noise, solvers, attributes)
            for name, value in attributes(solution).items():
                setattr(self, name, value)
        return self

    def _training_data(self, X, y):
        """Factors, target as a tensor with snapshots first, and its layout."""
        design = read_design(self, X, reset=True)
        if design.form != "matrix":
            return design, *read_target(design, y)
        be, y = design.be, design.be.follow(y)
        X, y = validate_data(
            self,
            X,
            y,
            dtype=be.float_dtypes,
            order="C",
            y_numeric=True,
            multi_output=True,
            ensure_min_samples=2,
        )
        layout = Layout("columns", True) if y.ndim == 2 else Layout("vector", False)
        return Design(be, "matrix", [X]), tensor_of(be.home, y, (X.shape[0],), layout), layout

    def _attributes(self, *parts):
        """Fitted attributes of a solution, in X's library and dtype.

        Variances may be beyond the range of numbers where the coefficients are not.
        """
        with np.errstate(over="ignore"):
            return self._in_units(*parts)

    def _in_units(self, design, data, layout, problem, units, solution):
        """Fitted attributes of a solution, in the units of the data."""
        # The dtype of a matrix decides, as everywhere in scikit-learn.
        real, dtype = design.dtypes(*(() if design.form == "matrix" else (data,)))
        be, outcome, unit = design.be, solution.outcome, units.coefficient

        def home(values, dtype=real):
            return be.unload_as(values, dtype)

        def by_snapshot(values):
            return values if layout.snapshots else values[0]

        coef = outcome.mean.reshape(problem.n_snapshots, -1) * unit
        intercept = units.centre + units.data * outcome.intercept
        if units.row_mean is not None:
            intercept = intercept - coef @ units.row_mean
        gammas = [*outcome.gammas[:-1], outcome.gammas[-1] * unit * unit]
        posterior = outcome.posterior
        record = Record(
            design.form,
            layout,
            problem.shape,
            problem.n_snapshots,
            units,
            posterior,
            problem.n_free,
            self.coupling,
        )
        found = {
            "coef_": home(by_snapshot(coef), dtype),
            "sigma_diag_": home(outcome.variance.ravel() * unit * unit),
            "gamma_": [home(gamma) for gamma in gammas],
            "support_": [be.unload(np.flatnonzero(gamma)) for gamma in outcome.gammas],
            "noise_variance_": self._noise(posterior.noise, units),
            "intercept_": home(intercept, dtype) if layout.snapshots else intercept[0].item(),
            "solver_": solution.solver,
            "n_iter_": solution.n_iter,
            "converged_": solution.converged,
            "_log_evidence": log_evidence(outcome.cost, record),
            "_record": record,
        }
        if self.compute_score:
            found["scores_"] = home([log_evidence(cost, record) for cost in solution.costs])
            noises = [self._noise(noise, units) for noise in solution.noises]
            found["noise_history_"] = home(noises)
        kind = "single" if real == design.be.home.float32 else "double"
        limit = np.finfo(kind).max
        in_range = np.abs(intercept).max(initial=0.0) <= limit
        if not (in_range and np.isfinite(to_numpy(found["coef_"])).all()):
            raise ValueError(f"The coefficients are beyond {kind} precision. Rescale X or y.")
        return found

    def _noise(self, noise, units):
        """Noise variance in the units of the data; a known one as it is."""
        if self.noise_variance != "estimate":
            return float(self.noise_variance)
        return noise * units.data * units.data

    @property
    def coef_tensor_(self):
        """Coefficients as a tensor, with snapshots first if there are several."""
        check_is_fitted(self)
        shape = self._record.shape
        if self._record.layout.snapshots:
            shape = (self._record.n_snapshots, *shape)
        return array_api_compat.array_namespace(self.coef_).reshape(self.coef_, shape)

    def predict(self, X, return_std=False):
        """Predict measurements.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features), or tuple of array-like (p_k, n_k)
            Rows, in the form of the fit; factors may have other rows than there. A matrix or the
            first factor may be a dask array, cut along its rows.
        return_std : bool, default=False
            Whether to return standard deviations too.

        Returns
        -------
        mean : array
            Expected measurements, arranged as y was.
        std : array
            Standard deviations of measurements with noise, in the same shape. Only with
            `return_std`.
        """
        check_is_fitted(self)
        if _holds_dask(X):
            from ..distributed._kronecker_sbl import predict_row_blocks

            return predict_row_blocks(self, X, return_std)
        design = self._queries(X, "predict")
        mean = predicted(design, self._record, self.coef_, self.intercept_)
        mean = self._home(design, mean)
        return (
            (mean, self._home(design, predicted_std(design, self._record))) if return_std else mean
        )

    def _queries(self, X, method):
        """Factors of the form of the fit."""
        record = self._record
        design = read_design(self, X, reset=False)
        be = design.be
        if design.form == record.form == "matrix":
            X = validate_data(self, X, reset=False, dtype=be.float_dtypes, order="C")
            design = Design(be, "matrix", [X])
        else:
            check_columns(design, record.form, record.shape)
        be.check_home(self, "coef_", method)
        return design

    @staticmethod
    def _home(design, values):
        """Values in the library of X, in its precision."""
        home = design.be.home
        real, _ = design.dtypes()
        values = design.be.unload(values)
        if not home.isdtype(values.dtype, "complex floating"):
            return home.astype(values, real, copy=False)
        dtype = home.complex64 if real == home.float32 else home.complex128
        return home.astype(values, dtype, copy=False)

    def score(self, X, y, sample_weight=None):
        """Coefficient of determination of the predictions.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features), or tuple of array-like (p_k, n_k)
            Rows, in the form of the fit.
        y : array-like
            Measurements, arranged as in the fit.
        sample_weight : array-like of shape (n_queries,), default=None
            Weights of the rows of the matrix, of the first factor, or of the Kronecker product.

        Returns
        -------
        score : float
            R squared, averaged over snapshots, or over columns of y beside a first factor.
        """
        check_is_fitted(self)
        if self._record.form == "matrix":
            return super().score(X, y, sample_weight)
        design = self._queries(X, "score")
        truth, _ = read_target(design, y)
        if truth.shape[0] != self._record.n_snapshots:
            raise ValueError(
                f"y has {truth.shape[0]} snapshots, but {self._record.n_snapshots} in fit."
            )
        predictions = predicted(design, self._record, self.coef_, self.intercept_)
        truth = to_numpy(truth)
        predictions = tensor_of(np, to_numpy(predictions), design.row_shape, self._record.layout)
        if design.form == "rows":
            shape = (design.row_shape[0], -1)
            truth, predictions = (
                np.moveaxis(a, 0, -1).reshape(shape) for a in (truth, predictions)
            )
        else:
            truth, predictions = (a.reshape(a.shape[0], -1).T for a in (truth, predictions))
        return r_squared(truth, predictions, sample_weight)

    def posterior_variance(self):
        """Posterior variances of the coefficients.

        Returns
        -------
        variance : array of shape (n_1, ..., n_K)
            `sigma_diag_` as a tensor.
        """
        check_is_fitted(self)
        home = array_api_compat.array_namespace(self.sigma_diag_)
        return home.reshape(self.sigma_diag_, self._record.shape)

    def sample_posterior(self, n_samples=1, random_state=None):
        """Draw coefficients from their posterior.

        Parameters
        ----------
        n_samples : int, default=1
            Number of draws.
        random_state : int, RandomState instance or None, default=None
            Their source.

        Returns
        -------
        samples : array of shape (n_samples, N) or (n_samples, L, N)
            Exact draws, given prior and noise variances.
        """
        check_is_fitted(self)
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        be = get_backend(self.backend, self.coef_)
        rng = check_random_state(random_state)
        draws = drawn(be, self._record, self.coef_, n_samples, rng)
        draws = draws if self._record.layout.snapshots else draws[:, 0]
        return be.unload_as(draws, self.coef_.dtype)

    def log_evidence(self):
        """Logarithm of the density of the data, coefficients integrated out.

        Returns
        -------
        log_evidence : float
            With an intercept, that of the data without their mean.

        Raises
        ------
        ValueError
            If the solver was "decompose", which has no evidence.
        """
        check_is_fitted(self)
        if self.solver_ == "decompose":
            raise ValueError("solver='decompose' has no evidence. Use another solver.")
        return self._log_evidence

    @staticmethod
    def nmse(x, x_true):
        """Normalised mean squared error of coefficients.

        Parameters
        ----------
        x : array-like
            Estimated coefficients, as a vector or a tensor.
        x_true : array-like
            True ones, as many.

        Returns
        -------
        nmse : float
            Squared norm of the error over that of the truth.
        """
        x, x_true = _alike(x, x_true)
        missed, total = np.linalg.norm(x - x_true), np.linalg.norm(x_true)
        if total == 0:
            return 0.0 if missed == 0 else np.inf
        return float(missed / total) ** 2

    @staticmethod
    def support_recovery_rate(x, x_true, delta=1e-3):
        """Overlap of the supports of coefficients.

        Parameters
        ----------
        x : array-like
            Estimated coefficients, as a vector or a tensor.
        x_true : array-like
            True ones, as many.
        delta : float, default=1e-3
            Share of the largest estimated modulus above which an estimate is not zero.

        Returns
        -------
        rate : float
            Size of the intersection of the supports over that of their union.
        """
        x, x_true = _alike(x, x_true)
        size = np.abs(x)
        found, true = size > delta * size.max(), x_true != 0
        return float(np.sum(found & true) / max(np.sum(found | true), 1))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        return tags


def _alike(x, x_true):
    """Both as vectors of the same length."""
    x, x_true = np.ravel(to_numpy(x)), np.ravel(to_numpy(x_true))
    if x.size != x_true.size or not x.size:
        raise ValueError(
            f"x and x_true must have the same number of entries, one at least. Got {x.size} and"
            f" {x_true.size}."
        )
    return x, x_true


def _holds_dask(X):
    """Whether X, or one of its factors, is a dask collection."""
    return any(map(is_dask, X if isinstance(X, tuple) else (X,)))
