"""Augmented covariances: covariances of the delay embedding of each trial."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._backend import CONSTRAINT, get_backend, to_numpy
from .._iterate import warn_caller
from .._sklearn import Interval, StrOptions, _fit_context
from .._threads import fit_threads
from .._transaction import all_or_nothing
from ..distributed import is_dask
from . import _augmented_covariance_kernels as kernels
from ._embedding import LAG_RULES, ORDER_RULES, Embedding, choose_embedding
from ._trials import (
    check_flat,
    check_length,
    check_order_and_lag,
    check_range,
    check_spread,
    delays_of,
    mean_level,
    read_trials,
)

# Bytes of a block of trials with what is computed of it.
_BLOCK = 2**23
# Least ridge for single precision, in which matrices of larger condition are not positive.
_RIDGE_FLOAT32 = 1e-5


class AugmentedCovariance(TransformerMixin, BaseEstimator):
    r"""Covariances of trials and of their delayed copies.

    Each trial of a multichannel recording becomes one symmetric positive definite matrix: the
    covariance of all channels at p delays. It holds the covariance of the channels and, beside it,
    their spectra and the coupling between them over time, and every method for covariance
    matrices takes it as it is, first of all those of pyRiemann.

    Use it where classes differ in rhythm or dynamics: EEG, MEG, EMG, accelerometers, vibrations.
    For responses that are locked to an event take pyRiemann's ``ERPCovariances``, for classes that
    differ in power alone its ``Covariances``, which is order 1 of this.

    Read more in the :ref:`User Guide <augmented_covariance>`.

    Parameters
    ----------
    order : int or {"auto", "fnn", "cao", "mdop", "bic", "aic", "hq"}, default="auto"
        Number p of copies, the first of which has no delay. The rules choose it from the data
        without labels: false nearest neighbours ("fnn"), the method of Cao, that of Nichkawde
        ("mdop"), and information criteria of autoregressive models. "auto" is "fnn", or "mdop"
        beside lag="mdop". What they find is lowered until p times the number of channels is at
        most the number of samples.
    lag : int, array-like of int or {"auto", "mi", "mi_e", "acf", "mdop"}, default="auto"
        Step between copies in samples, or p - 1 ascending delays. The rules: first minimum of the
        mutual information ("mi"), first lag at which it is below 1/e of its value at 0 ("mi_e"),
        the same of the autocorrelation ("acf"), and "mdop". "auto" is "mi", or "mdop" beside
        order="mdop". Where the curve is flat, "mi" hangs on the sample of trials.
    estimator : str or callable, default="cov"
        Estimator of the covariance of the embedded samples. "cov" never forms them; every other
        one of pyRiemann's ``covariances`` does. Shrinkage by "oas" or "lwf"
        takes away the lagged structure first, and with it accuracy.
    toeplitz : bool, default=False
        Whether to estimate one covariance for each delay, as the equations of Yule and Walker have
        it: the matrix is block-Toeplitz then, and as good for classification. For estimator="cov"
        and a lag that is a number.
    center : bool, default=True
        Whether means are taken out; without it slow potentials remain. Every estimator but "cov"
        takes them out.
    reg : float, default=1e-6
        Share of the mean eigenvalue that is added to the diagonal. It makes matrices positive
        definite where channels are dependent (average reference, removed components) or samples
        are few, and changes nothing else. In single precision it is at least 1e-5.
    max_order : int, default=10
        Largest order that a rule may choose.
    max_lag : int or None, default=None
        Largest lag that a rule may choose; None is a quarter of the trial, at most 50.
    n_selection_trials : int, default=30
        Trials that the rules look at, drawn at random.
    n_channels : int or None, default=None
        For X of two dimensions, number of channels, one after the other in each row; None is one.
    n_jobs : int or None, default=None
        Threads over blocks of trials; None means 1, unless in a joblib context, and -1 all cores.
    random_state : int, RandomState instance or None, default=None
        Source of the sample of trials.
    backend : {"auto", "numpy", "numba", "cupy", "torch"}, default="auto"
        Where the covariances are computed. The rules run on the host.

    Attributes
    ----------
    order_ : int
        Order.
    lag_ : int or None
        Lag; None if delays were given.
    delays_ : ndarray of shape (`order_`,)
        Delays in samples, from 0.
    embedding_ : Embedding
        What the rules have chosen, with their curves.
    n_channels_in_ : int
        Number of channels.
    n_times_in_ : int
        Number of samples of a trial in the fit; it may be another one later.
    n_features_in_ : int
        Number of channels, or of columns if X has two dimensions.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if X has names that are all strings.

    See Also
    --------
    AugmentedCovarianceClassifier : Classification, with the choice of order and lag.
    augmented_covariance : The matrices alone.
    select_embedding : The rules alone.

    Notes
    -----
    (1) The model is :math:`x(t) = \sum_{k=1}^p A_k x(t - k \tau) + e(t)`. Its coefficients follow
    from :math:`\Gamma(h) = \mathbb{E}\, x(t + h \tau) x(t)^T`, the blocks of the matrix.

    (2) With :math:`z(t) = (x(t), x(t + d_1), \ldots)` over the :math:`L = T - d_{p-1}` samples that
    all copies have, the matrix is the covariance of z with the divisor L - 1, or its second moment
    with the divisor L if ``center=False``.

    (3) For evenly spaced delays, :math:`S_{i+1,j+1} = S_{ij} - \sum_{t < \tau} x(t + i \tau)
    x(t + j \tau)^T + \sum_{L \le t < L + \tau} x(t + i \tau) x(t + j \tau)^T`: the cost of n trials
    of C channels is :math:`n (p C^2 L + p^2 C^2 \tau)` and not :math:`n p^2 C^2 L`.

    (4) ``toeplitz=True``: :math:`\Gamma_k = \frac1T \sum_t x(t + k \tau) x(t)^T`, centred by trial.

    (5) Block (i + k, i) is then :math:`\Gamma_k` and block (i, i + k) its transpose.

    (6) At last :math:`G + reg \frac{\operatorname{tr} G}{D} I`, with :math:`D = p C`.

    The authors' code drops `lag` further samples of each trial; ours on ``X[..., :-lag]`` is equal.

    References
    ----------
    .. [1] Igor Carrara, Theodore Papadopoulo, "Classification of BCI-EEG based on augmented
       covariance matrix", 2023. :arxiv:`2302.04508`

    Examples
    --------
    >>> import numpy as np
    >>> from skmatrix.covariance import AugmentedCovariance
    >>> X = np.random.default_rng(0).standard_normal((20, 3, 200))
    >>> AugmentedCovariance(order=4, lag=2).fit_transform(X).shape
    (20, 12, 12)
    """

    _parameter_constraints: dict = {
        "order": [Interval(Integral, 1, None, closed="left"), StrOptions(set(ORDER_RULES))],
        "lag": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions(set(LAG_RULES)),
            "array-like",
        ],
        "estimator": [str, callable],
        "toeplitz": ["boolean"],
        "center": ["boolean"],
        "reg": [Interval(Real, 0, None, closed="left")],
        "max_order": [Interval(Integral, 1, None, closed="left")],
        "max_lag": [Interval(Integral, 1, None, closed="left"), None],
        "n_selection_trials": [Interval(Integral, 1, None, closed="left")],
        "n_channels": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "backend": CONSTRAINT,
    }

    def __init__(
        self,
        order="auto",
        lag="auto",
        *,
        estimator="cov",
        toeplitz=False,
        center=True,
        reg=1e-6,
        max_order=10,
        max_lag=None,
        n_selection_trials=30,
        n_channels=None,
        n_jobs=None,
        random_state=None,
        backend="auto",
    ):
        self.order = order
        self.lag = lag
        self.estimator = estimator
        self.toeplitz = toeplitz
        self.center = center
        self.reg = reg
        self.max_order = max_order
        self.max_lag = max_lag
        self.n_selection_trials = n_selection_trials
        self.n_channels = n_channels
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.backend = backend

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Choose order and lag, if they are not given.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_trials, n_channels, n_times)
            Trials, or two dimensions as `n_channels` says.
        y : None
            Ignored.

        Returns
        -------
        self : AugmentedCovariance
            The fitted estimator.

        Raises
        ------
        ValueError
            If the delays leave fewer than two samples of a trial, or a trial does not vary (for X
            of two dimensions: if none does).

        Warns
        -----
        UserWarning
            If there are more rows in the matrix than samples, or trials too short for a rule.
        """
        with all_or_nothing(self, ("_level",)):
            if is_dask(X):
                from ..distributed._augmented_covariance import fit_row_blocks

                return fit_row_blocks(self, X)
            order, lag = self._checked()
            be = get_backend(self.backend, X)
            X, is_table = read_trials(self, be, X, reset=True)
            self._level = mean_level(X) if is_table else None
            check_flat(X, self._level, warn=False)
            check_spread(X)
            with fit_threads(be, self.n_jobs) as pool:
                self._set(be, self._chosen(X, order, lag, pool, warn=not is_table), lag)
        return self

    def _checked(self):
        """Order and lag, once parameters go with each other."""
        order, lag = check_order_and_lag(self.order, self.lag)
        if self.toeplitz and (self.estimator != "cov" or isinstance(lag, tuple)):
            raise ValueError(
                "toeplitz=True needs estimator='cov' and a lag that is a number or a rule. Got"
                f" estimator={self.estimator!r}, lag={self.lag!r}."
            )
        if not self.center and self.estimator != "cov":
            raise ValueError(
                "center=False needs estimator='cov': the others take means out. Got"
                f" estimator={self.estimator!r}."
            )
        return order, lag

    def _chosen(self, X, order, lag, pool, *, warn):
        """Embedding of validated trials."""
        if isinstance(lag, tuple):
            return Embedding(order, None, np.array(lag), {})
        if not isinstance(order, str):
            step = 1 if isinstance(lag, str) else lag
            check_length(delays_of(order, step), X.shape[2], order, step)
            if not isinstance(lag, str):
                return Embedding(order, lag, np.array(delays_of(order, lag)), {})
        return choose_embedding(
            to_numpy(X).astype(np.float64),
            order=order,
            lag=lag,
            max_order=self.max_order,
            max_lag=self.max_lag,
            n_trials=self.n_selection_trials,
            rng=check_random_state(self.random_state),
            backend=self.backend,
            pool=pool,
            warn=warn,
        )

    def _set(self, be, embedding, lag):
        """Fitted attributes of a choice."""
        delays = tuple(embedding.delays.tolist())
        check_length(delays, self.n_times_in_, embedding.order, lag)
        size, length = embedding.order * self.n_channels_in_, self.n_times_in_ - delays[-1]
        if size > length:
            warn_caller(
                f"The augmented covariance has {size} rows and only {length} samples: what is"
                f" missing in rank is filled by reg={self.reg}. Lower order or lag.",
                UserWarning,
            )
        self.embedding_, self.delays_ = embedding, be.unload(embedding.delays)
        self.order_, self.lag_ = embedding.order, embedding.lag

    def transform(self, X):
        """Augmented covariance of each trial.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_trials, n_channels, n_times)
            Trials, whose number of times need not be that of the fit.

        Returns
        -------
        covariances : array of shape (n_trials, D, D)
            Symmetric positive definite matrices with D = `order_` * `n_channels_in_`; lazy for dask
            arrays, for which nothing warns.

        Raises
        ------
        ValueError
            If a trial is flat in all channels, unless X has two dimensions, or too short.

        Warns
        -----
        UserWarning
            If channels of some trials are flat. A trial that is flat in all of them becomes `reg`
            times the mean variance of the fit, times the identity.
        """
        check_is_fitted(self)
        if is_dask(X):
            from ..distributed._augmented_covariance import transform_row_blocks

            return transform_row_blocks(self, X)
        be = get_backend(self.backend, X)
        X, is_table = read_trials(self, be, X, reset=False)
        be.check_home(self, "delays_", "transform")
        floor = check_flat(X, self._level if is_table else None)
        return be.unload(self._matrices(be, X, tuple(self.embedding_.delays.tolist()), floor))

    def _matrices(self, be, X, delays, floor, *, double=False):
        """Regularised matrices of validated trials, on the host or on the engine.

        Those of flat trials are `reg` times their `floor` times the identity. They are in the
        dtype of X, or in double precision if asked for.
        """
        n, n_channels, n_times = X.shape
        even = isinstance(self.lag, (str, Integral))
        check_length(delays, n_times, len(delays), (*delays, 1)[1] if even else delays)
        size = len(delays) * n_channels
        double = double or X.dtype == be.home.float64
        reg = self.reg if double else max(self.reg, _RIDGE_FLOAT32)
        step = max(1, _BLOCK // (8 * (2 * size * size + 4 * n_channels * n_times)))
        on_host = be.name in ("auto", "numpy", "numba")
        dtype = be.xp.float64 if double else be.xp.float32
        starts = range(0, n, step)
        # The blocks of a large result are put in their place; one of a single block is it.
        fill = on_host and len(starts) > 1
        filled: Any = np.empty((n, size, size), dtype=dtype) if fill else None

        def compute(begin):
            rows = slice(begin, min(begin + step, n))
            matrices = self._estimate(be, be.load(X[rows, ...]), delays, reg)
            if floor[rows].any():
                matrices = matrices + be.load(reg * floor[rows, None, None] * np.eye(size))
            check_range(to_numpy(be.xp.linalg.diagonal(matrices)), dtype)
            if not fill:
                return be.xp.astype(matrices, dtype, copy=False)
            filled[rows] = matrices

        with fit_threads(be, self.n_jobs) as pool:
            blocks = list(map(compute, starts) if pool is None else pool.map(compute, starts))
        if fill:
            return filled
        return blocks[0] if len(blocks) == 1 else be.xp.concat(blocks)

    def _estimate(self, be, X, delays, reg):
        """Regularised matrices of some trials."""
        if self.toeplitz:
            lag = delays[1] if len(delays) > 1 else 1
            lagged = kernels.lagged_covariances(
                be, X, n_lags=len(delays), lag=lag, center=self.center
            )
            return kernels.block_toeplitz(be, lagged, reg=reg)
        if self.estimator == "cov":
            return kernels.delay_covariances(be, X, delays=delays, center=self.center, reg=reg)
        matrices = be.load(_by_pyriemann(to_numpy(X), delays, self.estimator))
        return kernels.add_ridge(be, matrices, reg=reg)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.array_api_support = True
        return tags


def _by_pyriemann(X, delays, estimator):
    """Covariances of the embedded samples by an estimator of pyRiemann."""
    covariances = load_pyriemann("pyriemann.geometry.covariance").covariances
    length = X.shape[2] - delays[-1]
    embedded = np.concatenate([X[:, :, d : d + length] for d in delays], axis=1)
    try:
        return covariances(embedded.astype(np.float64), estimator=estimator)
    except ValueError as error:
        raise ValueError(f"estimator={estimator!r} of pyRiemann refuses: {error}") from error


def load_pyriemann(module):
    """A module of pyRiemann, or an error that says how to install it."""
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            "This needs pyriemann, which is not installed. Install it with `pip install pyriemann`."
        ) from error


def augmented_covariance(X, order, lag=1, *, toeplitz=False, center=True):
    """Augmented covariances of trials, without regularisation.

    Parameters
    ----------
    X : array-like of shape (n_trials, n_channels, n_times)
        Trials.
    order : int
        Number of copies.
    lag : int or array-like of shape (order - 1,), default=1
        Step between them in samples, or their delays.
    toeplitz : bool, default=False
        Whether the matrices are block-Toeplitz.
    center : bool, default=True
        Whether means are taken out.

    Returns
    -------
    covariances : array of shape (n_trials, D, D)
        Symmetric positive semidefinite matrices with D = order * n_channels.

    Examples
    --------
    >>> import numpy as np
    >>> from skmatrix.covariance import augmented_covariance
    >>> X = np.random.default_rng(0).standard_normal((4, 2, 50))
    >>> G = augmented_covariance(X, order=2, lag=3)
    >>> Z = np.concatenate([X[0, :, :-3], X[0, :, 3:]])
    >>> bool(np.allclose(G[0], np.cov(Z)))
    True
    """
    model = AugmentedCovariance(order, lag, toeplitz=toeplitz, center=center, reg=0.0)
    model._validate_params()
    order, lag = model._checked()
    if isinstance(order, str) or isinstance(lag, str):
        raise ValueError(
            f"order and lag must be numbers. Got order={order!r}, lag={lag!r}: select_embedding"
            " chooses them."
        )
    be = get_backend("auto", X)
    X, _ = read_trials(model, be, X, reset=True)
    delays = delays_of(order, lag)
    check_length(delays, X.shape[2], order, lag)
    return be.unload(model._matrices(be, X, tuple(delays), np.zeros(X.shape[0])))
