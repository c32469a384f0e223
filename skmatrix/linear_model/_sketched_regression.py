"""Least squares and ridge regression by sketching."""

from numbers import Integral, Real
from typing import Any

import array_api_compat
import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from .._backend import CONSTRAINT, get_backend, to_numpy
from .._iterate import Iterations, warn_caller
from .._sklearn import Interval, RealNotInt, StrOptions, _fit_context
from .._threads import fit_threads
from .._transaction import all_or_nothing
from ..distributed import is_dask
from ..random_projection._sketch import KINDS
from ._sketched_regression_fit import Origin, Settings, fit_rows, solve_stream
from ._sketched_regression_rows import LocalRows
from ._sketched_regression_setup import (
    check_penalties,
    check_size,
    make_plan,
    make_sketch,
    read_rows,
    sketch_rows,
)
from ._sketched_regression_solvers import error_quantile
from ._sketched_regression_stream import SketchStream, TriangleStream

# Rows whose leverage is found together.
_LEVERAGE_ROWS = 8192

# Fitted attributes that a stream of batches finds when they are first asked for.
LAZY = (
    "coef_",
    "intercept_",
    "rank_",
    "condition_",
    "residual_norm_",
    "coef_sketch_std_",
    "linf_error_bound_",
    "effective_distortion_",
    "preconditioned_singular_values_",
    "gradient_history_",
    "n_iter_",
    "converged_",
    "solver_",
    "sketch_",
    "sketch_size_",
    "_kept",
)
# Private attributes of a fit.
PRIVATE = ("_kept", "_stream", "_origin", "_settings")


class SketchedRegression(CallbackSupportMixin, MultiOutputMixin, RegressorMixin, BaseEstimator):
    r"""Least squares and ridge regression for many more rows than columns.

    The default answer is exact: a sketch of the rows gives a preconditioner, a Gram matrix and one
    step of refinement the accuracy of Householder's QR, several times faster. On request, with
    ``solver="sketch"``, one pass over the data gives an approximate answer [1]_ with an error bar
    on every coefficient.

    Use it in place of :class:`~sklearn.linear_model.LinearRegression` for more than some ten
    thousand rows and twenty rows per feature, in place of
    :class:`~sklearn.linear_model.Ridge` with ``solver="cholesky"`` when the columns are far
    from independent, and for data that come in batches (`partial_fit`), lie in a memory map or
    in a dask array. With fewer rows it hands over to LAPACK and gains nothing. Leave
    ``solver="sketch"`` to data that are too large for an exact answer: its coefficients have
    the variance that ordinary least squares would have with `sketch_size_` rows.

    Read more in the :ref:`User Guide <sketched_regression>`.

    Parameters
    ----------
    solver : {"auto", "direct", "iterative", "sketch", "lapack"}, default="auto"
        "direct" is the sketch-preconditioned Gram matrix with refinement, "iterative" are
        sketch-preconditioned conjugate gradients, for sparse or wide X, "sketch" solves the
        sketched problem and nothing else, "lapack" is an orthogonal triangularisation of all rows.
        "auto" takes "lapack" for up to 4,096 rows, or fewer than twice what a sketch would have,
        "iterative" for sparse X or more than 2,000 features, else "direct". For so few rows
        "direct" and "iterative" become "lapack", too; `solver_` tells which one ran.
    sketch : {"auto", "srht", "gaussian", "sparse_sign", "countsketch", "uniform"}, default="auto"
        Kind of the sketching matrix. "auto" is "srht" for ``solver="sketch"`` with dense X,
        whose guarantee needs a dense matrix, and "sparse_sign" elsewhere.
    sketch_size : int, float, "auto" or tuple ("suboptimality", float), default="auto"
        Rows of the sketch. An int is their number, a float their number per feature (2 and 2.0
        are not the same), a tuple such as ``("suboptimality", 0.01)`` says what the mean
        excess of the residual sum of squares may be. "auto"
        follows `eps` and `delta` for ``solver="sketch"``, and is 4 (8 for sparse X) times
        the number of features elsewhere.
    eps, delta : float, default=0.5, 0.01
        Accuracy and failure probability that "auto" aims at: coefficients that are off by
        at most ``eps / sqrt(n_features)`` times the residual norm over the smallest singular
        value, with probability ``1 - delta``. Half of `eps` is four times the rows. They matter to
        ``solver="sketch"`` alone.
    alpha : float or array-like of shape (n_targets,), default=0.0
        Ridge penalty of the squared coefficients, as in :class:`~sklearn.linear_model.Ridge`.
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is never penalised.
    n_nonzero : int, default=8
        Non-zeros per row of the data in a "sparse_sign" sketch.
    tol : float, default=1e-12
        "iterative" stops when the gradient has fallen to this share.
    max_iter : int, default=100
        Most steps of "iterative"; 50 are usual.
    refine : int, default=1
        Refinement steps of "direct", or restarts of "iterative". One gives the accuracy of
        Householder's QR; 0 saves a pass over the data and is not backward stable.
    certify : bool, default=False
        Whether to measure the result in one more pass over the data, for `certificate`.
    rank_tol : float or None, default=None
        Singular values below this share of the largest count as zero, once the columns have unit
        length. None is ``10 * n_features`` times the rounding unit. A value next to the cut can
        fall on either side of it, as the sketch has it.
    n_jobs : int or None, default=None
        Threads; None means 1, unless in a joblib context, and -1 all cores. The result does
        not depend on it. BLAS runs on one thread during a fit.
    random_state : int, RandomState instance or None, default=None
        Seed of the sketch. Pass an int for the same result in every call.
    verbose : int, default=0
        If positive, a line is printed for each step of "iterative".
    backend : {"auto", "numpy", "numba", "cupy", "torch"}, default="auto"
        Where the passes over the data run. What is small is solved on the host.

    Attributes
    ----------
    coef_ : array of shape (n_features,) or (n_targets, n_features)
        Coefficients.
    intercept_ : float or array of shape (n_targets,)
        Intercept; 0 without one.
    rank_ : int
        Numerical rank of X without its column means, or of the penalised system. Below the
        number of features, `coef_` is the shortest of all solutions.
    condition_ : float
        Condition number of X without its column means, 1e15 or more for dependent columns; an
        estimate if a sketch was used.
    solver_ : str
        The solver that ran; "stream" after `partial_fit` with an exact solver.
    sketch_ : str or None
        Kind of the sketch, None if there was none.
    sketch_size_ : int or None
        Rows of the sketch.
    coef_sketch_std_ : array of the shape of `coef_`, or None
        Standard error that sketching, and not the noise in y, gives to the coefficients; None for
        an exact answer.
    linf_error_bound_ : float, array of shape (n_targets,) or None
        Bound on the largest error of a coefficient, with probability ``1 - delta``; None for an
        exact answer.
    residual_norm_ : float or array of shape (n_targets,)
        Norm of the weighted residuals; an estimate for ``solver="sketch"``.
    effective_distortion_ : float
        Distortion of the sketch on the range of X: measured with `certify` and "direct", else
        what is expected; 0 without a sketch.
    preconditioned_singular_values_ : ndarray of shape (rank,) or None
        Singular values of the preconditioned data, near 1 if the sketch is a good one; with
        `certify` and "direct" only.
    gradient_history_ : ndarray of shape (n_iter,)
        Share of the gradient that is left after each step of "iterative", empty for others.
    n_iter_ : int
        Conjugate gradient steps of "iterative", 1 and the refinement steps for "direct", else 1.
    converged_ : bool
        Whether "iterative" has reached `tol`; True for the other solvers.
    n_samples_seen_ : int
        Rows that were fitted.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X has names that are all strings.

    See Also
    --------
    sklearn.linear_model.LinearRegression : The same answer from LAPACK.
    sklearn.linear_model.Ridge : Ridge regression for data of moderate size.
    skmatrix.random_projection.SketchOperator : The sketching matrices alone.
    skmatrix.inspection.SketchedRegressionDisplay : Plots of a fit.

    Notes
    -----
    With rows ``T = sqrt(w) [1 | A]``, ``b = sqrt(w) y`` and a sketching matrix S with m rows:

    (1) "sketch": :math:`x' = \arg\min_x |S T x - S b|^2 + \alpha |x|^2`. For dense S, with high
    probability, :math:`|x' - x^*|_\infty \le \epsilon |r^*|_2 |T^+|_2 / \sqrt{d}` where the
    residual is :math:`r^* = b - T x^*`.

    (2) Its error bars: given S T, :math:`x'_j - x^*_j = \sigma_j t_{m-p}` with
    :math:`\sigma_j^2 = |S b - S T x'|^2 / (m - p) \, [(T^\top S^\top S T)^{-1}]_{jj}`, exactly for
    Gaussian S and in the limit for the others; a sandwich estimator takes its place with a penalty.

    (3) "direct": W from the QR decomposition of S T makes ``T W`` nearly orthonormal;
    :math:`G = W^\top (T^\top T + \alpha) W` is well conditioned, and
    :math:`x \leftarrow x + W G^{-1} W^\top (T^\top (b - T x) - \alpha x)` refines. If the
    columns are not far from independent, W is diagonal. 2 n d^2 operations, or half of them.

    (4) "iterative": conjugate gradients on (3) without G, log(1/tol) / log(sqrt(m/d)) passes.

    A sketch depends on the indices of the rows alone: chunks, threads and machines see the same.
    Memory is the sketch, three arrays of n_features x n_features, and a block of rows.

    Different from the paper: the Hadamard transform runs over blocks of rows, so that one pass
    suffices, and the size of the sketch follows from the exact law for Gaussian matrices rather
    than from a bound. `partial_fit` keeps a triangle and not a sketch, unless it is asked for one.

    References
    ----------
    .. [1] Zhao Song, Mingquan Ye, Junze Yin, Lichen Zhang, "A Nearly-Optimal Bound for Fast
       Regression with :math:`\ell_\infty` Guarantee", International Conference on Machine
       Learning, 2023. :arxiv:`2302.00248`

    .. [2] Ethan N. Epperly, Maike Meier, Yuji Nakatsukasa, "Fast randomized least-squares solvers
       can be just as accurate and stable as classical direct solvers", 2024. :arxiv:`2406.03468`

    .. [3] Haim Avron, Petar Maymounkov, Sivan Toledo, "Blendenpik: Supercharging LAPACK's
       Least-Squares Solver", SIAM Journal on Scientific Computing 32(3), 2010.
       :doi:`10.1137/090767911`

    Examples
    --------
    >>> import numpy as np
    >>> from skmatrix.linear_model import SketchedRegression
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((20_000, 3))
    >>> y = X @ [1.0, 2.0, 3.0] + 4 + 0.1 * rng.standard_normal(20_000)
    >>> model = SketchedRegression(random_state=0).fit(X, y)
    >>> model.coef_.round(2), round(model.intercept_, 2)
    (array([1., 2., 3.]), 4.0)
    >>> quick = SketchedRegression(solver="sketch", random_state=0).fit(X, y)
    >>> low, high = quick.coef_interval(simultaneous=True)
    >>> bool(np.all((low <= model.coef_) & (model.coef_ <= high)))
    True
    """

    _parameter_constraints: dict = {
        "solver": [StrOptions({"auto", "direct", "iterative", "sketch", "lapack"})],
        "sketch": [StrOptions({"auto", *KINDS})],
        "sketch_size": [
            Interval(Integral, 1, None, closed="left"),
            Interval(RealNotInt, 0, None, closed="neither"),
            StrOptions({"auto"}),
            tuple,
        ],
        "eps": [Interval(Real, 0, None, closed="neither")],
        "delta": [Interval(Real, 0, 1, closed="neither")],
        "alpha": [Interval(Real, 0, None, closed="left"), "array-like"],
        "fit_intercept": ["boolean"],
        "n_nonzero": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "refine": [Interval(Integral, 0, None, closed="left")],
        "certify": ["boolean"],
        "rank_tol": [Interval(Real, 0, 1, closed="left"), None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "backend": CONSTRAINT,
    }

    def __init__(
        self,
        *,
        solver="auto",
        sketch="auto",
        sketch_size="auto",
        eps=0.5,
        delta=0.01,
        alpha=0.0,
        fit_intercept=True,
        n_nonzero=8,
        tol=1e-12,
        max_iter=100,
        refine=1,
        certify=False,
        rank_tol=None,
        n_jobs=None,
        random_state=None,
        verbose=0,
        backend="auto",
    ):
        self.solver = solver
        self.sketch = sketch
        self.sketch_size = sketch_size
        self.eps = eps
        self.delta = delta
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.n_nonzero = n_nonzero
        self.tol = tol
        self.max_iter = max_iter
        self.refine = refine
        self.certify = certify
        self.rank_tol = rank_tol
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self.backend = backend

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the regression.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n_samples, n_features)
            Features. Blocks of rows are read one after the other, so that a memory map is never
            in memory as a whole.
        y : {array-like, dask array} of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative. A weight of 2 counts a row twice.

        Returns
        -------
        self : SketchedRegression
            The fitted estimator.

        Raises
        ------
        ValueError
            If `sketch_size` does not exceed the number of features, a penalty or a weight is
            negative, X has more than 20,000 features, or sparse X has too few rows to be sketched.

        Warns
        -----
        ConvergenceWarning
            If "iterative" has not converged after `max_iter` steps.
        UserWarning
            If a sketch was asked for and X is no longer than it.
        """
        with all_or_nothing(self, PRIVATE):
            if is_dask(X):
                from ..distributed._sketched_regression import fit_row_blocks

                return fit_row_blocks(self, X, y, sample_weight)
            be = get_backend(self.backend, X)
            X, y, rows = read_rows(self, be, X, y, sample_weight, reset=True)
            rows = rows.levelled()
            penalties = check_penalties(self.alpha, rows.layout.n_targets)
            rule = {"max_iter": self.max_iter, "tol": self.tol, "sample_weight": sample_weight}

            def make_loop():
                return Iterations(self, X, y, measure="gradient", **rule)

            origin = Origin.of(self, rows, X, y)

            def describe(parameters):
                attributes = origin.coefficients(parameters)
                arrays = {k: be.unload(v) for k, v in attributes.items() if np.ndim(v)}
                return attributes | arrays

            sparse = sp.issparse(X)
            plan = make_plan(self, rows.n_rows, rows.layout, sparse=sparse, seed=self._draw_seed())
            with fit_threads(be, self.n_jobs) as pool:
                found = fit_rows(
                    self,
                    LocalRows(rows, pool),
                    penalties,
                    plan,
                    make_loop=make_loop,
                    describe=describe,
                )
            self._publish(be, origin, found, self.delta)
            self.n_samples_seen_ = int(X.shape[0])
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Add a batch of rows.

        With ``solver="sketch"`` the sketch of all rows is kept, which is the same as if they
        came at once. With any other solver their triangle is, and the answer is exact whatever the
        condition number. The coefficients are computed when they are first asked for, with the
        parameters as they were at the last batch. It runs on one thread.

        It goes on from a `fit` whose solver keeps a triangle: "lapack", and "direct" where its
        Gram matrix is accurate.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features of the batch, with one row or more.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        self : SketchedRegression
            The estimator.

        Raises
        ------
        ValueError
            If the batch has another number of features or targets, or another dtype, than those
            before; or if a fit cannot be continued: one by "sketch" or "iterative", by "direct"
            with a penalty, without full rank or with a condition number above 100, or any with
            several penalties; or if sums
            overflow.
        """
        fresh = not self.__sklearn_is_fitted__()
        if not fresh and "_stream" not in vars(self):
            raise ValueError(
                f"A fit with solver_={self.solver_!r} keeps nothing that partial_fit could go on"
                " from. Start with partial_fit, or with clone(estimator)."
            )
        if is_dask(X):
            raise TypeError("X is a dask collection: pass it to fit, and batches to partial_fit.")
        with all_or_nothing(self, PRIVATE):
            be = get_backend(self.backend, X)
            X, y, rows = read_rows(self, be, X, y, sample_weight, reset=fresh, allow_zero=True)
            penalties = check_penalties(self.alpha, rows.layout.n_targets)
            self._settings = Settings.of(self, penalties)
            if fresh:
                rows = rows.levelled()
                self._begin_stream(rows, y, X)
            else:
                self._origin.check_batch(self, X, y)
                rows = self._origin.place(rows)
            host = get_backend("auto", np.empty(0))
            with fit_threads(be, None):
                self._stream.add(host, rows)
            self.n_samples_seen_ = getattr(self, "n_samples_seen_", 0) + int(X.shape[0])
            for name in LAZY:
                self.__dict__.pop(name, None)
            if not array_api_compat.is_numpy_namespace(be.home):
                # What is solved later knows no library but NumPy.
                self._solve_stream(be)
        return self

    def _begin_stream(self, rows, y, X):
        """Empty stream, for the first batch."""
        layout = rows.layout
        check_size(layout.n_features)
        self._origin = Origin.of(self, rows, X, y)
        self._stream: Any = TriangleStream(layout)
        if self.solver != "sketch":
            return
        sparse = sp.issparse(X)
        m = sketch_rows(self, layout, sparse=sparse, solver="sketch")
        shared = {"sparse": sparse, "solver": "sketch", "n_features": layout.n_features}
        self._stream = SketchStream(layout, make_sketch(self, m, self._draw_seed(), **shared))

    def __getattr__(self, name):
        """Solve a stream of batches when its solution is first asked for."""
        if name in LAZY and "_stream" in vars(self):
            self._solve_stream(get_backend("auto", np.empty(0)))
            return vars(self)[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _solve_stream(self, be):
        """Find the solution of the rows so far, at the home of a back end."""
        host, stream = get_backend("auto", np.empty(0)), self._stream
        with fit_threads(host, None):
            found = solve_stream(self._settings, host, stream, self._origin.layout)
        found.stream = stream
        self._publish(be, self._origin, found, self._settings.delta)

    def __sklearn_is_fitted__(self):
        """Whether there is a solution, or a stream that has one."""
        return "coef_" in vars(self) or "_stream" in vars(self)

    def _draw_seed(self):
        """Seed of the sketch."""
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _publish(self, be, origin, found, delta):
        """Set the fitted attributes."""
        for name, value in origin.describe(found, delta).items():
            setattr(self, name, be.unload(value) if isinstance(value, np.ndarray) else value)
        self._origin = origin
        self.n_features_in_ = origin.layout.n_features
        if found.stream is not None:
            self._stream = found.stream
        else:
            self.__dict__.pop("_stream", None)

    def predict(self, X):
        """Predict with the linear model.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        y_pred : array of shape (n_samples,) or (n_samples, n_targets)
            Predictions; a lazy dask array for dask input.
        """
        check_is_fitted(self)
        if is_dask(X):
            from ..distributed._sketched_regression import predict_row_blocks

            return predict_row_blocks(self, X)
        be, X = self._open(X, "predict")
        columns = self.coef_ if self.coef_.ndim == 1 else self.coef_.T
        if sp.issparse(X):
            return X @ columns.astype(X.dtype) + self.intercept_
        X, columns = be.load(X, columns)
        predicted = X @ be.xp.astype(columns, X.dtype)
        if columns.ndim == 1:
            return be.unload(predicted + self.intercept_)
        return be.unload(predicted + be.xp.astype(be.load(self.intercept_), X.dtype))

    def _open(self, X, method):
        """Back end and validated X, for a method of the fitted estimator."""
        be = get_backend(self.backend, X)
        X = validate_data(self, X, reset=False, accept_sparse="csr", dtype=be.float_dtypes)
        be.check_home(self, "coef_", method)
        return be, X

    def score(self, X, y, sample_weight=None):
        """Coefficient of determination of the predictions.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n_samples, n_features)
            Features.
        y : {array-like, dask array} of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            R squared, the mean over the targets.
        """
        if is_dask(X):
            from ..distributed._sketched_regression import score_row_blocks

            return score_row_blocks(self, X, y, sample_weight)
        return super().score(X, y, sample_weight)

    def coef_interval(self, level=0.95, *, simultaneous=False):
        """Intervals for the coefficients that the exact solution has.

        They are about the error of the sketch alone: how far the coefficients can be from those of
        least squares on all rows. What noise in y does to both is another question.

        Parameters
        ----------
        level : float, default=0.95
            Probability that an interval holds.
        simultaneous : bool, default=False
            Whether `level` is for all coefficients of a target together, by Bonferroni.

        Returns
        -------
        interval : ndarray of shape (2, n_features) or (2, n_targets, n_features)
            Lower and upper ends.

        Raises
        ------
        ValueError
            If the answer is exact, or `level` is not between 0 and 1.

        Warns
        -----
        UserWarning
            If the sketch is one for which the intervals can fail: "countsketch" or "uniform".
        """
        check_is_fitted(self)
        if not (isinstance(level, Real) and 0 < float(level) < 1):
            raise ValueError(f"level must be between 0 and 1. Got {level!r}.")
        if self.coef_sketch_std_ is None:
            raise ValueError(
                f"The answer of solver_={self.solver_!r} is exact and has no sketching error."
                ' Intervals are for solver="sketch".'
            )
        self._warn_of_sparse_sketch("intervals")
        coef, std = to_numpy(self.coef_), to_numpy(self.coef_sketch_std_)
        several = coef.shape[-1] if simultaneous else 1
        margin = error_quantile(level, self._kept.freedom, several) * std
        return np.stack([coef - margin, coef + margin])

    def _warn_of_sparse_sketch(self, what):
        """Warn of sketches whose law is not that of the Gaussian one on every data."""
        if self.solver_ == "sketch" and self.sketch_ in ("countsketch", "uniform"):
            warn_caller(
                f"sketch={self.sketch_!r} is too sparse for {what} that hold on every data: rows of"
                ' high leverage break them. Use sketch="srht", or "sparse_sign".',
                UserWarning,
            )

    def certificate(self):
        """How far the answer is from the exact one, found out on the data.

        Returns
        -------
        certificate : dict
            With a number, or an entry per target, under

            - "prediction_error_bound", "prediction_error_lower_bound": between these lies
              ``|X (coef - exact coef)|`` over the weighted training rows, intercept included; with
              a penalty, the root of its square and ``alpha |coef - exact coef|^2``;
            - "relative_suboptimality_bound": the objective, the sum of squares with the penalty,
              exceeds the smallest one by at most this share;
            - "coef_correction": estimate of the exact coefficients less `coef_`;
            - "rigorous": whether the bounds hold for sure, or with probability ``1 - delta``;
            - "distortion": `effective_distortion_`;
            - "condition": `condition_`.

        Raises
        ------
        ValueError
            If the estimator was not fitted with ``certify=True``, or by `partial_fit`.

        Warns
        -----
        UserWarning
            If the sketch is one for which the bounds can fail: "countsketch" or "uniform".
        """
        check_is_fitted(self)
        self._warn_of_sparse_sketch("bounds")
        if self._kept.certificate is None:
            raise ValueError(
                "There is no certificate: it takes another pass over the data. Fit with"
                " certify=True, and by fit rather than partial_fit."
            )
        return dict(self._kept.certificate)

    def leverage_scores(self, X):
        """Leverage of rows: how much each would determine its own prediction.

        Exact if the solver is, except for "iterative"; otherwise within the distortion of the
        sketch. Over the training rows without weights they add up to the rank, plus 1 for an
        intercept. With a penalty they are ridge leverage scores.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        leverage : array of shape (n_samples,)
            Squared norms of the whitened rows.
        """
        check_is_fitted(self)
        be, X = self._open(X, "leverage_scores")
        W, constant = self._origin.row_whitener(self._kept.whitener)
        xp: Any = np
        if sp.issparse(X):
            W, constant = W.astype(X.dtype), constant.astype(X.dtype)
        else:
            xp, X = be.xp, be.load(X)
            W, constant = (xp.astype(a, X.dtype) for a in be.load(W, constant))
        # Some rows at a time: the product has as many columns as X.
        parts = []
        for begin in range(0, X.shape[0], _LEVERAGE_ROWS):
            whitened = X[begin : min(begin + _LEVERAGE_ROWS, X.shape[0])] @ W + constant
            parts.append(xp.sum(whitened * whitened, axis=1))
        return be.unload(xp.concat(parts))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.array_api_support = True
        return tags
