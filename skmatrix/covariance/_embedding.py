"""Order and lag of a delay embedding, chosen from the signals alone."""

import math
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_array, check_random_state

from .._backend import get_backend, to_numpy
from .._iterate import warn_caller
from .._sklearn import Interval, StrOptions, validate_params
from ._embedding_curves import (
    autocorrelation,
    autoregression_criteria,
    cao_ratios,
    false_neighbors,
    information_by_lag,
    mdop_by_trial,
    standardized,
)
from ._trials import _cut, check_finite, check_length, check_order_and_lag, delays_of

ORDER_RULES = ("auto", "fnn", "cao", "mdop", "bic", "aic", "hq")
LAG_RULES = ("auto", "mi", "mi_e", "acf", "mdop")
# Times per trial below which nothing is chosen, and the largest lag unless it is given.
_MIN_TIMES = 20
_MAX_LAG = 50
_FEW_FALSE = 0.05
_SATURATED = 0.9


@dataclass(frozen=True, eq=False)
class Embedding:
    """Order and lag of a delay embedding, and what they were read from.

    Parameters
    ----------
    order : int
        Number of delayed copies.
    lag : int or None
        Step between the copies in samples; None for delays that are not evenly spaced.
    delays : ndarray of shape (order,)
        Delays in samples, from 0.
    curves : dict of str to ndarray
        Curves of the rules that were asked for, means over series, each with its abscissa:

        - "lags": "mutual_information" in nats, "autocorrelation", and the flag
          "mi_has_minimum";
        - "dimensions": "fnn", the share of false neighbours, or "cao_e1" and "cao_e2" and the
          number "cao_first_max", the first local maximum of "cao_e1", or -1;
        - "orders", from 0: "aic", "hq", "bic";
        - "mdop_delays": "mdop_beta"; and by trial "mdop_orders" and "mdop_lags".
    """

    order: int
    lag: Any
    delays: np.ndarray
    curves: dict


@validate_params(
    {
        "X": ["array-like"],
        "order": [Interval(Integral, 1, None, closed="left"), StrOptions(set(ORDER_RULES))],
        "lag": [Interval(Integral, 1, None, closed="left"), StrOptions(set(LAG_RULES))],
        "max_order": [Interval(Integral, 1, None, closed="left")],
        "max_lag": [Interval(Integral, 1, None, closed="left"), None],
        "n_selection_trials": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "n_channels": [Interval(Integral, 1, None, closed="left"), None],
    },
    prefer_skip_nested_validation=True,
)
def select_embedding(
    X,
    *,
    order="auto",
    lag="auto",
    max_order=10,
    max_lag=None,
    n_selection_trials=30,
    random_state=None,
    n_channels=None,
):
    r"""Choose order and lag of a delay embedding from signals, without labels.

    Use it to look at the curves behind a choice, or to choose once for several models. The
    estimators choose by themselves. Signals should be much longer than the lag; from short trials
    or few of them an order tuned by cross-validation is the better one.

    Parameters
    ----------
    X : array-like of shape (n_trials, n_channels, n_times) or (n_trials, n_times)
        Trials. Two dimensions are one channel, or `n_channels` channels one after the other in
        each row.
    order : int or {"auto", "fnn", "cao", "mdop", "bic", "aic", "hq"}, default="auto"
        Number of delayed copies, or the rule that chooses it:

        - "fnn": the first dimension with less than 5 % of false nearest neighbours [1]_;
        - "cao": the first dimension in which E1 exceeds 0.9 [2]_;
        - "mdop": mean number of delays that maximise derivatives on projection [3]_;
        - "bic", "aic", "hq": order of a vector autoregression of all trials by an information
          criterion, at least 1;
        - "auto": "mdop" if `lag` is, else "fnn".

        A rule's order is lowered until the copies have no more rows than samples,
        ``order * n_channels <= n_times - (order - 1) * lag``.
    lag : int or {"auto", "mi", "mi_e", "acf", "mdop"}, default="auto"
        Step between copies in samples, or the rule that chooses it:

        - "mi": the first minimum of the mutual information of a signal and its delayed copy [4]_,
          and where there is none the lag of the least;
        - "mi_e": the first lag with less mutual information than 1 / e of that at lag 0;
        - "acf": the first lag with a mean autocorrelation below 1 / e;
        - "mdop": mean delay of [3]_, the leading 0 included;
        - "auto": "mdop" if `order` is, else "mi".

        It is lowered until the copies of a given order fit.
    max_order : int, default=10
        Largest order that a rule may choose.
    max_lag : int or None, default=None
        Largest lag that a rule may choose, at most half of `n_times`. None is a quarter of
        `n_times`, or a third for the delays of "mdop", and at most 50.
    n_selection_trials : int, default=30
        Number of trials to look at, drawn at random.
    random_state : int, RandomState instance or None, default=None
        Source of the draw. The lag can change by a few samples from one draw to another.
    n_channels : int or None, default=None
        For X of two dimensions, the number of channels; None is one.

    Returns
    -------
    embedding : Embedding
        ``order``, ``lag``, ``delays`` and the dict ``curves`` of what they were read from.

    Raises
    ------
    ValueError
        If X is not finite or has another number of dimensions, or if trials are too short for
        `order` and `lag` or for `max_lag`.

    Warns
    -----
    UserWarning
        If rules give up, for X of three dimensions: with less than 20 times per trial, signals
        that do not vary, or a single trial and "auto". Order or lag is 1 then.

    See Also
    --------
    AugmentedCovariance : Covariances of the embedded trials.
    var_coefficients : Vector autoregression behind an augmented covariance.

    Notes
    -----
    Each channel of each trial is brought to standard deviation 1, so that units do not matter;
    those that do not vary are left out. Curves are means over trials and channels.

    Nearest neighbours are at least one delay apart in time, for "mdop" more than the largest lag
    of "mi" of the trial's channels, and never duplicates. They are looked for among all points, for
    at most 2000 evenly spaced ones of each series. With n trials of C channels and T times,
    neighbours in d dimensions take O(n C T^2 d), "mdop" O(n C T (T + C max_lag)), the information
    criteria O(n C^2 T d + (d C)^3).

    References
    ----------
    .. [1] M. B. Kennel, R. Brown, H. D. I. Abarbanel, "Determining embedding dimension for
       phase-space reconstruction using a geometrical construction", Physical Review A 45, 1992,
       :doi:`10.1103/PhysRevA.45.3403`.
    .. [2] L. Cao, "Practical method for determining the minimum embedding dimension of a scalar
       time series", Physica D 110, 1997, :doi:`10.1016/S0167-2789(97)00118-8`.
    .. [3] C. Nichkawde, "Optimal state-space reconstruction using derivatives on projected
       manifold", Physical Review E 87, 2013, :doi:`10.1103/PhysRevE.87.022905`.
    .. [4] A. M. Fraser, H. L. Swinney, "Independent coordinates for strange attractors from mutual
       information", Physical Review A 33, 1986, :doi:`10.1103/PhysRevA.33.1134`.
    .. [5] I. Carrara, T. Papadopoulo, "Classification of BCI-EEG based on augmented covariance
       matrix", 2023, :arxiv:`2302.04508`.

    Examples
    --------
    A sine needs two copies, about a quarter of a period apart:

    >>> import numpy as np
    >>> from skmatrix.covariance import select_embedding
    >>> t = np.arange(400)
    >>> X = np.sin(2 * np.pi * t / 50.37 + np.arange(5)[:, np.newaxis])
    >>> embedding = select_embedding(X, lag="acf")
    >>> embedding.order, embedding.lag
    (2, 10)
    """
    order, lag = check_order_and_lag(order, lag)
    n_dimensions = np.ndim(X)
    X = _read(X, n_channels)
    return choose_embedding(
        X,
        order=order,
        lag=lag,
        max_order=max_order,
        max_lag=max_lag,
        n_trials=n_selection_trials,
        rng=check_random_state(random_state),
        warn=n_dimensions == 3,
    )


def _read(X, n_channels):
    """Validated trials of shape (n_trials, n_channels, n_times)."""
    X = check_array(
        to_numpy(X), dtype=np.float64, allow_nd=True, ensure_all_finite=False, input_name="X"
    )
    if X.ndim > 3 or not X.size:
        raise ValueError(f"X must have the shape (n_trials, n_channels, n_times). Got {X.shape}.")
    check_finite(X)
    if X.ndim == 2:
        return X.reshape(len(X), *_cut(X.shape[1], n_channels or 1))
    if n_channels not in (None, X.shape[1]):
        raise ValueError(f"n_channels={n_channels}, but X has {X.shape[1]} channels.")
    return X


def choose_embedding(
    X, *, order, lag, max_order, max_lag, n_trials, rng, backend="auto", pool=None, warn=True
):
    """Order and lag of the embedding of validated trials.

    Parameters
    ----------
    X : float64 array of shape (n_trials, n_channels, n_times)
        Trials.
    order, lag, max_order, max_lag
        As in :func:`select_embedding`.
    n_trials : int
        Number of trials to look at.
    rng : RandomState
        Source of the draw.
    backend : str, default="auto"
        That of the estimator. The search is one of the host; with "numpy" nothing is compiled.
    pool : ThreadPoolExecutor, default=None
        Threads over trials and channels.
    warn : bool, default=True
        Whether to warn when rules give up.

    Returns
    -------
    embedding : Embedding
        The choice.
    """
    _check_lengths(X.shape[2], order, lag, max_lag)
    rules = _rules(order, lag)
    if rules:
        trials, varies = standardized(_drawn(X, n_trials, rng))
        reason, hopeless = _obstacle(X, varies, rules)
        if hopeless and warn:
            named = " and ".join(repr(rule) for rule in hopeless)
            warn_caller(f"{reason}. {named} cannot choose, and 1 is taken instead.", UserWarning)
        order, lag = (1 if value in hopeless else value for value in (order, lag))
    curves = {}
    if _rules(order, lag):
        search = _Search(trials, varies, max_order, max_lag, backend, pool)
        order, lag = search.choose(*_named(order, lag))
        curves = search.curves
    return Embedding(order, lag, np.array(delays_of(order, lag)), curves)


def _rules(order, lag):
    """The rules among order and lag, each once."""
    return list(dict.fromkeys(value for value in (order, lag) if isinstance(value, str)))


def _check_lengths(n_times, order, lag, max_lag):
    """Refuse trials too short for what is given."""
    if not isinstance(order, str):
        step = 1 if isinstance(lag, str) else lag
        check_length(delays_of(order, step), n_times, order, step)
    looks_at_lags = isinstance(lag, str) or order == "mdop"
    if max_lag is not None and looks_at_lags and max_lag > n_times // 2:
        raise ValueError(
            f"max_lag={max_lag} needs at least {2 * max_lag} samples per trial, X has {n_times};"
            " lower max_lag."
        )


def _drawn(X, n_trials, rng):
    """Some of the trials, in their order."""
    return X if len(X) <= n_trials else X[drawn_places(len(X), n_trials, rng)]


def drawn_places(n, n_trials, rng):
    """Places of some of n trials, ascending; all of them if there are no more."""
    return np.arange(n) if n <= n_trials else np.sort(rng.choice(n, n_trials, replace=False))


def _obstacle(X, varies, rules):
    """What keeps rules from choosing, and which of them."""
    if X.shape[2] < _MIN_TIMES:
        return f"X has {X.shape[2]} times per trial and {_MIN_TIMES} are needed", rules
    if not varies.any():
        return "X does not vary", rules
    return "X has a single trial", ["auto"] if len(X) == 1 and "auto" in rules else []


def _named(order, lag):
    """The rules behind "auto"."""
    joint = "mdop" in (order, lag)
    return (
        ("mdop" if joint else "fnn") if order == "auto" else order,
        ("mdop" if joint else "mi") if lag == "auto" else lag,
    )


class _Search:
    """Reads order and lag from curves, which it keeps.

    Parameters
    ----------
    trials, varies : arrays of shape (n_trials, n_channels, n_times) and (n_trials, n_channels)
        Standardised trials.
    max_order, max_lag, backend, pool
        As in :func:`choose_embedding`.
    """

    def __init__(self, trials, varies, max_order, max_lag, backend, pool):
        some = varies.any(axis=1)
        self.trials, self.varies = trials[some], varies[some]
        self.series = trials[varies]
        self.max_order, self.max_lag = max_order, max_lag
        host = backend if backend in ("numpy", "numba") else "auto"
        self.be, self.pool = get_backend(host, trials), pool
        self.curves = {}

    def choose(self, order, lag):
        """Order and lag for rules or numbers."""
        joint_order, joint_lag = self._mdop() if "mdop" in (order, lag) else (1, 1)
        if isinstance(lag, str):
            lag = joint_lag if lag == "mdop" else self._lag(lag)
            if not isinstance(order, str):
                return order, self._fitting_lag(order, lag)
        if isinstance(order, str):
            order = joint_order if order == "mdop" else self._order(order, lag)
            order = self._fitting_order(order, lag)
        return order, lag

    def _fitting_order(self, order, lag):
        """The largest order up to a given one whose copies have no more rows than samples."""
        _, n_channels, n_times = self.trials.shape
        while order > 1 and order * n_channels > n_times - (order - 1) * lag:
            order -= 1
        return order

    def _fitting_lag(self, order, lag):
        """The same for the lag; 1 if none fits."""
        _, n_channels, n_times = self.trials.shape
        while lag > 1 and order * n_channels > n_times - (order - 1) * lag:
            lag -= 1
        return lag

    def _lag(self, rule):
        """Lag by a rule of one curve."""
        n_times = self.trials.shape[2]
        max_lag = min(_MAX_LAG, n_times // 4) if self.max_lag is None else self.max_lag
        correlation = autocorrelation(self.series, max_lag)
        self.curves.update(lags=np.arange(max_lag + 1), autocorrelation=correlation)
        if rule == "acf":
            return _first_below(correlation, 1 / math.e)
        information = information_by_lag(self.be, self.pool, self.series, max_lag).mean(axis=0)
        lag, is_minimum = first_minimum(information)
        self.curves.update(mutual_information=information, mi_has_minimum=is_minimum)
        return lag if rule == "mi" else _first_below(information, information[0] / math.e)

    def _order(self, rule, lag):
        """Order by a rule of one curve."""
        longest = (self.trials.shape[2] // 2) // lag
        if rule in ("aic", "hq", "bic"):
            max_order = self._fitting_order(min(self.max_order, longest), lag)
            if max_order < 1:
                return 1
            # A channel that never varies would be penalised, with nothing to explain.
            trials = self.trials[:, self.varies.any(axis=0)]
            curves = autoregression_criteria(
                self.be, self.pool, trials, lag=lag, max_order=max_order
            )
            self.curves.update(curves)
            return max(1, int(np.argmin(curves[rule])))
        n_dimensions = min(self.max_order + 2, longest)
        settings = {"lag": lag, "n_dimensions": n_dimensions}
        if n_dimensions < (1 if rule == "fnn" else 2):
            return 1
        if rule == "fnn":
            self.curves.update(false_neighbors(self.be, self.pool, self.series, **settings))
            return _first_below(self.curves["fnn"][: self.max_order], _FEW_FALSE, start=0) + 1
        self.curves.update(cao_ratios(self.be, self.pool, self.series, **settings))
        e1 = self.curves["cao_e1"]
        self.curves["cao_first_max"] = _first_maximum(e1)
        return _first_below(-e1[: self.max_order], -_SATURATED, start=0) + 1

    def _mdop(self):
        """Order and lag by MDOP, the rounded means over trials."""
        n_times = self.trials.shape[2]
        max_lag = min(_MAX_LAG, n_times // 4) if self.max_lag is None else self.max_lag
        longest = min(_MAX_LAG if self.max_lag is None else self.max_lag, n_times // 3)
        information = information_by_lag(self.be, self.pool, self.series, max_lag)
        lags = np.zeros(self.varies.shape, dtype=np.int64)
        lags[self.varies] = [first_minimum(curve)[0] for curve in information]
        curves = mdop_by_trial(
            self.be,
            self.pool,
            self.trials,
            self.varies,
            lags.max(axis=1),
            n_lags=longest + 1,
            max_order=self.max_order,
        )
        self.curves.update(curves)
        order, lag = (int(np.rint(curves[f"mdop_{name}"].mean())) for name in ("orders", "lags"))
        return order, max(1, lag)


def first_minimum(curve):
    """First local minimum of a curve over the lags 0, 1, ..., else the lag of the least.

    Parameters
    ----------
    curve : ndarray of shape (max_lag + 1,)
        Values.

    Returns
    -------
    lag : int
        The lag, at least 1.
    is_minimum : bool
        Whether it is a local minimum.
    """
    inner = np.flatnonzero((curve[1:-1] <= curve[:-2]) & (curve[1:-1] < curve[2:]))
    if inner.size:
        return int(inner[0]) + 1, True
    return int(np.argmin(curve[1:])) + 1, False


def _first_below(curve, bound, start=1):
    """First position from `start` on with a value below a bound, else that of the least value."""
    values = np.where(np.isnan(curve), np.inf, curve)[start:]
    below = np.flatnonzero(values < bound)
    return start + int(below[0] if below.size else np.argmin(values))


def _first_maximum(e1):
    """First dimension whose E1 is above that of both its neighbours, else -1."""
    inner = np.flatnonzero((e1[1:-1] > e1[:-2]) & (e1[1:-1] > e1[2:]))
    return int(inner[0]) + 2 if inner.size else -1
