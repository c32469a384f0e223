"""Functional Bayesian Tucker and CP regression."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state, check_scalar
from sklearn.utils.validation import check_is_fitted, validate_data

from .._backend import CONSTRAINT, get_backend, to_numpy
from .._iterate import Iterations, warn_caller
from .._range import refuse_range
from .._sklearn import Interval, StrOptions, _check_sample_weight, _fit_context
from .._transaction import all_or_nothing
from ..distributed import is_dask
from ._funbat_entries import Entries, refuse_other_forms, refuse_times
from ._funbat_parameters import chosen_damping, chosen_layout, chosen_priors, scaled_modes
from ._funbat_queries import drawn_values, function_posterior, predicted
from ._funbat_start import started
from ._funbat_state import SEARCH_EVERY

# Sweeps in a row whose gain must be small.
_PATIENCE = 3
# Sweeps with free noise after which the worse half of the starts is given up.
_TRIAL = 10
# Share of the weighted variance that a fit which has collapsed leaves unexplained.
_COLLAPSED = 0.999
# Standard deviation in units of the largest value up to which it is what rounding leaves of a
# constant.
_CONSTANT = 1e-14


class FunBaT(CallbackSupportMixin, RegressorMixin, BaseEstimator):
    r"""Regression on a few coordinates by a low-rank tensor whose factors are functions.

    Use it for noisy values at scattered points of two to ten coordinates that interact
    multiplicatively, such as latitude, longitude and time, with error bars, at a cost linear in the
    number of points. For fewer than a thousand points with strong interactions that are not of low
    rank, :class:`~sklearn.gaussian_process.GaussianProcessRegressor` is better; for ordinary
    features, trees are.

    Read more in the :ref:`User Guide <functional_tensors>`.

    Parameters
    ----------
    rank : int or sequence of int, default=3
        Functions of each mode; one number for all, or one for each column of X. CP takes one.
    decomposition : {"auto", "tucker", "cp"}, default="auto"
        Whether all combinations of functions count, weighted by a core, or the r-th functions of
        all modes together. "auto" takes Tucker where the core has at most `max_core_size` numbers.
    kernel : {"matern12", "matern32", "matern52", "iid"} or sequence of such, default="matern12"
        Prior of the functions, rougher to smoother; "iid" for modes without order, whose unseen
        coordinates then have the prior.
    length_scale : float or sequence of float, default=0.1
        Distance over which functions vary, in units of the scaled axis; the start of its search,
        or the bound next to it.
    variance : float or sequence of float, default=1.0
        Prior variance of a function.
    optimize_length_scale : bool, default=True
        Whether length scales are fitted, by type-II maximum likelihood. The source paper sets them
        by hand.
    length_scale_bounds : pair of float, default=(1e-3, 10.0)
        Bounds of the search; modes that do not matter tend to the upper one.
    normalize_index : bool, default=True
        Whether axes are mapped to [0, 1] by the extremes of the training data.
    fit_intercept : bool, default=True
        Whether the weighted mean of y is subtracted. Without it, multiplicative positive data are
        often fitted better: try both.
    max_iter : int, default=150
        Sweeps at most.
    tol : float, default=1e-4
        Gain of the evidence bound per unit of weight below which, for three sweeps, it ends.
    n_warmup : int, default=10
        First sweeps, in which the noise precision is held.
    warmup_precision : float, default=100.0
        That precision, in units of one over the variance of y: trusting the data first keeps the
        fit from collapsing to zero.
    damping : float or triple of float, default=0.0
        Shares, from 0 to less than 1, of the last sweep's messages that stay, to functions, core
        and noise, as in the source paper. 0 is exact coordinate ascent, the only one whose bound
        rises with every step, and the quickest.
    noise_prior : pair of float, default=(1e-3, 1e-3)
        Shape and rate of the Gamma prior of the noise precision of the standardised y. The source
        paper has (1, 1), which keeps the noise from vanishing.
    max_core_size : int, default=512
        Largest core.
    n_init : int, default=5
        Random starts. Every ten sweeps after the warm-up, the half of them whose bounds are lower
        is given up, until one is left. Where values are few, one start in two to ten ends in a poor
        optimum, or at zero.
    random_state : int, RandomState instance or None, default=None
        Source of the starts.
    verbose : int, default=0
        If positive, a line is printed for each sweep of the last start left.
    backend : {"auto", "numpy", "numba", "cupy", "torch"}, default="auto"
        Where the sums over entries run; filters along coordinates run on the host.

    Attributes
    ----------
    core_ : array of shape (rank_1, ..., rank_K)
        Mean of the core. Only with Tucker; None with CP.
    core_cov_ : array of shape (D, D)
        Its covariance, in C order. Only with Tucker; None with CP.
    indices_ : list of array of shape (n_k,)
        Sorted distinct coordinates of each mode.
    factor_mean_ : list of array of shape (n_k, rank_k)
        Means of the functions there.
    factor_cov_ : list of array of shape (n_k, rank_k, rank_k)
        Covariances of the functions there.
    length_scale_ : array of shape (n_modes,)
        Length scales, on the scaled axes.
    noise_std_ : float
        Standard deviation of the noise, in units of y.
    intercept_ : float
        What is added to the tensor.
    y_scale_ : float
        What it is multiplied by.
    decomposition_ : {"tucker", "cp"}
        What was fitted.
    objective_history_ : array of shape (n_iter - n_warmup,)
        Evidence bound after each sweep with free noise.
    n_iter_ : int
        Sweeps.
    converged_ : bool
        Whether the gain of the bound was at most `tol` for three sweeps.
    n_features_in_ : int
        Number of modes.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the modes, if X has names that are all strings.

    See Also
    --------
    sklearn.gaussian_process.GaussianProcessRegressor : Regression without a low rank.
    skmatrix.impute.MatrixCompletion : Two modes without coordinates.

    Notes
    -----
    Values are :math:`y_n = w^T z_n + \epsilon_n` with :math:`z_n = u^1(t^1_n) \otimes \cdots
    \otimes u^K(t^K_n)`, functions from Gaussian processes, :math:`w \sim N(0, I)` and a Gamma prior
    of the precision :math:`\tau` [1]_. For CP, w is fixed to a diagonal of ones.

    (1) Given all else, the entries at coordinate j send the functions of mode k a Gaussian message
    of precision :math:`\Lambda_j = E[\tau] (W_{(k)} F_j W_{(k)}^T + C_j)` and shift :math:`\eta_j =
    E[\tau] W_{(k)} h_j`, with

    (2) :math:`F_j = \sum_n w_n \bigotimes_{l \ne k} B_l(n)` and :math:`h_j = \sum_n w_n y_n
    \bigotimes_{l \ne k} m_l(n)`, the means m and second moments B of the other modes, and

    (3) :math:`C_j[r, s] = \sum_{a, b} \mathrm{Cov}(W_{(k)}[r, a], W_{(k)}[s, b]) F_j[a, b]`, which
    the authors' program leaves out.

    (4) - (6) A Kalman filter and smoother along the sorted coordinates, in the form that inverts
    neither messages nor covariances, turns messages into posteriors.

    (7) :math:`q(w) = N(E[\tau] S h, S)` with :math:`S = (I + E[\tau] G)^{-1}` and (8) the Gamma
    distribution of the precision have the same sums over all modes.

    (9) The bound of the log evidence rises with every step. It is that of a mean field: error bars
    leave out that errors of modes go together, and are too narrow where data are few.

    (10) Between, left and right of the training coordinates, posteriors are exact. (11) Variances
    are those of products of independent modes.

    A sweep takes :math:`O(n \sum_k \prod_{l \ne k} p_l)` with :math:`p = R (R + 1) / 2`, and
    :math:`O(\sum_k n_k R_k^3 + D^3)`.

    References
    ----------
    .. [1] Shikai Fang, Xin Yu, Zheng Wang, Shibo Li, Mike Kirby, Shandian Zhe, "Functional Bayesian
       Tucker Decomposition for Continuous-indexed Tensor Data", ICLR 2024. :arxiv:`2311.04829`

    Examples
    --------
    >>> import numpy as np
    >>> from skmatrix.decomposition import FunBaT
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(0, 1, (500, 2))
    >>> y = np.sin(6 * X[:, 0]) * np.cos(4 * X[:, 1]) + 0.1 * rng.standard_normal(500)
    >>> model = FunBaT(rank=1, kernel="matern32", tol=1e-3, random_state=0).fit(X, y)
    >>> mean, std = model.predict([[0.25, 0.1]], return_std=True)
    >>> print(f"{mean[0]:.1f} of {np.sin(1.5) * np.cos(0.4):.1f}")
    0.9 of 0.9
    """

    _parameter_constraints: dict = {
        "rank": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "decomposition": [StrOptions({"auto", "tucker", "cp"})],
        "kernel": [StrOptions({"matern12", "matern32", "matern52", "iid"}), "array-like"],
        "length_scale": [Interval(Real, 0, None, closed="neither"), "array-like"],
        "variance": [Interval(Real, 0, None, closed="neither"), "array-like"],
        "optimize_length_scale": ["boolean"],
        "length_scale_bounds": ["array-like"],
        "normalize_index": ["boolean"],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_warmup": [Interval(Integral, 0, None, closed="left")],
        "warmup_precision": [Interval(Real, 0, None, closed="neither")],
        "damping": [Interval(Real, 0, 1, closed="left"), "array-like"],
        "noise_prior": ["array-like"],
        "max_core_size": [Interval(Integral, 1, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "backend": CONSTRAINT,
    }

    def __init__(
        self,
        rank=3,
        *,
        decomposition="auto",
        kernel="matern12",
        length_scale=0.1,
        variance=1.0,
        optimize_length_scale=True,
        length_scale_bounds=(1e-3, 10.0),
        normalize_index=True,
        fit_intercept=True,
        max_iter=150,
        tol=1e-4,
        n_warmup=10,
        warmup_precision=100.0,
        damping=0.0,
        noise_prior=(1e-3, 1e-3),
        max_core_size=512,
        n_init=5,
        random_state=None,
        verbose=0,
        backend="auto",
    ):
        self.rank = rank
        self.decomposition = decomposition
        self.kernel = kernel
        self.length_scale = length_scale
        self.variance = variance
        self.optimize_length_scale = optimize_length_scale
        self.length_scale_bounds = length_scale_bounds
        self.normalize_index = normalize_index
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.n_warmup = n_warmup
        self.warmup_precision = warmup_precision
        self.damping = damping
        self.noise_prior = noise_prior
        self.max_core_size = max_core_size
        self.n_init = n_init
        self.random_state = random_state
        self.verbose = verbose
        self.backend = backend

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit functions, core and noise.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_entries, n_modes)
            Coordinates of the entries.
        y : {array-like, dask array} of shape (n_entries,)
            Values.
        sample_weight : {array-like, dask array} of shape (n_entries,), default=None
            Factors of the noise precision: a weight stands for as many repetitions, so that their
            sum counts, too. Divide weights that only compare the entries, such as one over known
            variances, by their mean.

        Returns
        -------
        self : FunBaT
            The fitted estimator.

        Raises
        ------
        ValueError
            If parameters do not fit the number of modes, the core would be too large, X has
            more than two dimensions, or y is out of the range of X's precision.
        TypeError
            If X is sparse, or holds dates.

        Warns
        -----
        UserWarning
            If the fit has collapsed to a constant.
        ConvergenceWarning
            If the bound still rises after `max_iter` sweeps.
        """
        with all_or_nothing(self, ("_posterior",)):
            if is_dask(X):
                from ..distributed._funbat import fit_row_blocks

                return fit_row_blocks(self, X, y, sample_weight)
            refuse_other_forms(X)
            be = get_backend(self.backend, X)
            y, sample_weight = be.follow(y, sample_weight)
            X, y = validate_data(self, X, y, dtype=be.float_dtypes, order="C", y_numeric=True)
            weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
            weight = to_numpy(weight).astype(np.float64)
            used = weight > 0
            n_modes = self.n_features_in_
            layout = chosen_layout(self, n_modes)
            priors, bounds, noise_prior = chosen_priors(self, n_modes)
            chosen_damping(self)
            given = to_numpy(y).astype(np.float64)[used]
            # Predictions are of the size of y, in the precision of X.
            largest = float(np.abs(given).max())
            refuse_range(largest, "The largest absolute value of y", X.dtype, "y")
            values = self._standardised(given, weight[used])
            data = to_numpy(X)[used].astype(np.float64)
            entries = Entries.of(data, values, weight[used], scaled_modes(self, priors))
            self.decomposition_ = "cp" if layout.elementwise else "tucker"
            rng = check_random_state(self.random_state)
            seeds = rng.randint(np.iinfo(np.int32).max, size=self.n_init)
            runs = [
                _Run(
                    self,
                    started(
                        be,
                        entries,
                        layout,
                        priors,
                        noise_prior,
                        float(self.warmup_precision),
                        np.random.RandomState(seed),
                    ),
                    bounds,
                )
                for seed in seeds
            ]
            self._set_fitted(be, X, self._ascend(be, X, y, runs, sample_weight))
        return self

    def _standardised(self, y, weight):
        """Values of mean zero and unit variance, or of unit mean square without intercept."""
        share = weight / weight.sum()
        # Divided first, because squares of large numbers overflow.
        largest = float(np.abs(y).max()) or 1.0
        y = y / largest
        centre = float(share @ y) if self.fit_intercept else 0.0
        scale = float(np.sqrt(share @ (y - centre) ** 2))
        if scale <= _CONSTANT:
            self.intercept_, self.y_scale_ = centre * largest, 1.0
            return np.zeros_like(y)
        self.intercept_, self.y_scale_ = centre * largest, scale * largest
        return (y - centre) / scale

    def _ascend(self, be, X, y, runs, sample_weight):
        """Sweep until the bound stops rising: the best of the starts, after trials of all."""
        n_sweeps = self.n_warmup
        while len(runs) > 1:
            n_sweeps += _TRIAL
            for run in runs:
                while run.n_sweeps < min(n_sweeps, self.max_iter - 1) and not run.settled:
                    run.sweep()
            # In place, so that nobody keeps the others in memory.
            runs[:] = sorted(runs, key=lambda run: -run.bound)[: (len(runs) + 1) // 2]
        best = runs[0]
        rule = {"max_iter": self.max_iter, "tol": self.tol, "done": best.n_sweeps}
        loop = Iterations(self, X, y, sample_weight=sample_weight, **rule)
        for _ in loop:
            best.sweep()
            loop.update(
                best.change,
                objective=best.bound,
                state=lambda: self._attributes(be, X, best),
                allow_stop=best.settled,
            )
        return best

    def _attributes(self, be, X, run):
        """Fitted attributes of a run, in X's library and dtype."""
        belief = run.belief
        dtype = X.dtype if is_dask(X) else to_numpy(X[:1, :1]).dtype

        def home(a):
            return be.unload(np.ascontiguousarray(a, dtype=dtype))

        core = core_cov = None
        if not belief.layout.elementwise:
            core = home(belief.core_mean.reshape(belief.layout.ranks))
            core_cov = home(belief.core_cov)
        return {
            "core_": core,
            "core_cov_": core_cov,
            "indices_": [home(axis.points) for axis in belief.entries.axes],
            "factor_mean_": [home(factor.mean) for factor in belief.factors],
            "factor_cov_": [home(factor.cov) for factor in belief.factors],
            "length_scale_": home([factor.prior.length_scale for factor in belief.factors]),
            "noise_std_": float(self.y_scale_ / np.sqrt(belief.precision)),
            "objective_history_": home(run.history),
            "n_iter_": run.n_sweeps,
            "converged_": bool(run.settled),
            "_posterior": belief.posterior(),
        }

    def _set_fitted(self, be, X, run):
        """Attributes of the best run."""
        for name, value in self._attributes(be, X, run).items():
            setattr(self, name, value)
        spread = run.belief.entries.sum_squares
        if spread > 0 and run.sse > _COLLAPSED * spread:
            measure = "variance" if self.fit_intercept else "mean square"
            warn_caller(
                "The fit has collapsed to a constant: it leaves"
                f" {100 * min(run.sse / spread, 1):.1f} % of the {measure} of y. Raise n_warmup,"
                " n_init or length_scale; or y does not depend on X by a tensor of low rank.",
                UserWarning,
            )

    def predict(self, X, return_std=False, include_noise=True):
        """Predict values.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_queries, n_modes)
            Coordinates, within the training data or not.
        return_std : bool, default=False
            Whether to return standard deviations too.
        include_noise : bool, default=True
            Whether they are those of measurements, or of the values behind the noise.

        Returns
        -------
        mean : array of shape (n_queries,)
            Expected values.
        std : array of shape (n_queries,)
            Standard deviations. Only with `return_std`.
        """
        check_is_fitted(self)
        if is_dask(X):
            from ..distributed._funbat import predict_row_blocks

            return predict_row_blocks(self, X, return_std, include_noise)
        refuse_other_forms(X)
        be = get_backend(self.backend, X)
        X = validate_data(self, X, reset=False, dtype=be.float_dtypes, order="C")
        be.check_home(self, "length_scale_", "predict")
        data = self._queries(to_numpy(X))
        mean, var = predicted(self._posterior, data, variance=return_std)
        mean = be.unload_as(self.intercept_ + self.y_scale_ * mean, X.dtype)
        if not return_std:
            return mean
        noise = 1 / self._posterior.precision if include_noise else 0.0
        return mean, be.unload_as(self.y_scale_ * np.sqrt(var + noise), X.dtype)

    def _queries(self, X):
        """Queries in double precision."""
        return np.stack([self._located(mode, x) for mode, x in enumerate(X.T)], axis=1)

    def _located(self, mode, x):
        """Coordinates in a mode in double precision.

        Where there is no order, a coordinate that single precision has rounded, now or in the fit,
        would be one that was not seen.
        """
        single = np.float32 in (x.dtype, to_numpy(self.length_scale_).dtype)
        x = x.astype(np.float64, copy=False)
        factor, axis = self._posterior.factors[mode], self._posterior.axes[mode]
        return axis.restored(x) if single and factor.prior.kernel == "iid" else x

    def score(self, X, y, sample_weight=None):
        """Coefficient of determination of the predictions.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_queries, n_modes)
            Coordinates.
        y : {array-like, dask array} of shape (n_queries,)
            Values.
        sample_weight : array-like of shape (n_queries,), default=None
            Weights of the queries.

        Returns
        -------
        score : float
            R squared.
        """
        if is_dask(X):
            from ..distributed._sketched_regression import score_row_blocks

            return score_row_blocks(self, X, y, sample_weight)
        return super().score(X, y, sample_weight)

    def predict_factors(self, mode, t, return_cov=False):
        """Functions of a mode at any coordinates.

        Parameters
        ----------
        mode : int
            Column of X.
        t : array-like of shape (n_queries,)
            Coordinates.
        return_cov : bool, default=False
            Whether to return covariances too.

        Returns
        -------
        mean : ndarray of shape (n_queries, rank)
            Means.
        cov : ndarray of shape (n_queries, rank, rank)
            Covariances of the functions at each coordinate. Only with `return_cov`.

        Raises
        ------
        ValueError
            If there is no such mode, or t is no finite vector.
        TypeError
            If t holds dates.
        """
        check_is_fitted(self)
        factor, axis = self._mode(mode)
        refuse_times(t, "t")
        t = np.asarray(to_numpy(t))
        t = t if t.dtype == np.float32 else t.astype(np.float64)
        if t.ndim != 1 or not np.isfinite(t).all():
            held = "an array" if np.isfinite(t).all() else "NaN or infinity in an array"
            raise ValueError(
                f"t must be a vector of finite coordinates. Got {held} of shape {t.shape}."
            )
        mean, cov = function_posterior(factor, axis.scaled(self._located(mode, t)))
        return (mean, cov) if return_cov else mean

    def _mode(self, mode):
        """Factor and axis of a mode."""
        n_modes = len(self._posterior.factors)
        if not isinstance(mode, Integral) or not 0 <= int(mode) < n_modes:
            raise ValueError(f"mode={mode!r} must be an integer from 0 to {n_modes - 1}.")
        return self._posterior.factors[mode], self._posterior.axes[mode]

    def sample_y(self, X, n_samples=1, random_state=0):
        """Draw values behind the noise from the posterior.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_modes)
            Coordinates.
        n_samples : int, default=1
            Draws.
        random_state : int, RandomState instance or None, default=0
            Their source.

        Returns
        -------
        samples : array of shape (n_queries, n_samples)
            Draws. Functions at one coordinate of a mode are drawn together, at different
            coordinates apart: differences between queries vary too much.
        """
        check_is_fitted(self)
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        refuse_other_forms(X)
        be = get_backend(self.backend, X)
        X = validate_data(self, X, reset=False, dtype=be.float_dtypes, order="C")
        be.check_home(self, "length_scale_", "sample_y")
        data = self._queries(to_numpy(X))
        rng = check_random_state(random_state)
        values = drawn_values(self._posterior, data, n_samples, rng)
        return be.unload_as(self.intercept_ + self.y_scale_ * values, X.dtype)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        return tags


class _Run:
    """One start, and how far it has come."""

    def __init__(self, estimator, belief, bounds):
        self.belief = belief
        self.belief.damping = chosen_damping(estimator)
        self.n_sweeps = 0
        self.history: list = []
        self.bound, self.sse, self.change = -np.inf, np.inf, np.inf
        self._estimator = estimator
        self._bounds = bounds
        self._gains: list = []

    def sweep(self):
        """One more sweep."""
        held = self.n_sweeps < self._estimator.n_warmup
        search = self.n_sweeps > 0 and self.n_sweeps % SEARCH_EVERY == 0
        bound, self.sse = self.belief.sweep(held=held, bounds=self._bounds if search else None)
        if not held:
            if self.history:
                gain = bound - self.history[-1]
                self._gains.append(gain / self.belief.entries.total_weight)
            if len(self._gains) >= _PATIENCE:
                self.change = max(self._gains[-_PATIENCE:])
            self.history.append(bound)
        self.bound = bound
        self.n_sweeps += 1

    @property
    def settled(self):
        """Whether the gain has been small for long enough."""
        return self.change <= self._estimator.tol
