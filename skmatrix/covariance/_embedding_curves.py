"""Curves over delays and dimensions, from which order and lag of an embedding are read."""

import math

import numpy as np

from ._augmented_covariance_kernels import lagged_covariances
from ._embedding_criteria import information_criteria
from ._embedding_kernels import TIE, delay_neighbors, mutual_information
from ._embedding_mdop import mdop_delays

# A neighbour is false if the next coordinate moves it away by this many times its distance, or to
# this many standard deviations (Kennel, Brown and Abarbanel).
_FALSE_RATIO, _FALSE_DISTANCE = 15.0, 2.0
# Points of a series whose neighbours are looked for; evenly spaced in longer series.
_MAX_QUERIES = 2000
# Series that a thread takes at a time.
_SERIES = 8


def standardized(X):
    """Each channel of each trial in units of its standard deviation, and which of them vary.

    Parameters
    ----------
    X : float64 array of shape (n_trials, n_channels, n_times)
        Trials.

    Returns
    -------
    scaled : float64 array of shape (n_trials, n_channels, n_times)
        Trials of mean 0 and standard deviation 1; 0 where they do not vary.
    varies : bool array of shape (n_trials, n_channels)
        Whether they do.
    """
    varies = X.max(axis=2) > X.min(axis=2)
    # Divided by the largest value first: no sum and no square can overflow or underflow.
    bound = np.abs(X).max(axis=2, keepdims=True)
    scaled = X / np.where(bound > 0, bound, 1)
    scaled -= scaled.mean(axis=2, keepdims=True)
    deviation = scaled.std(axis=2, keepdims=True)
    scaled /= np.where(varies[:, :, None], deviation, 1)
    scaled[~varies] = 0  # and not what rounding left of it
    return np.ascontiguousarray(scaled), varies


def by_threads(pool, function, items):
    """``function`` of each item, by the threads of a pool if there is one."""
    return list(map(function, items) if pool is None else pool.map(function, items))


def mean_of_there(values):
    """Means over the first axis of what is not NaN; NaN where nothing is."""
    there = ~np.isnan(values)
    count = there.sum(axis=0)
    total = np.where(there, values, 0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def information_by_lag(be, pool, series, max_lag):
    """Mutual information of each series and its delayed copies.

    Parameters
    ----------
    be : Backend
        Where the kernel runs.
    pool : ThreadPoolExecutor or None
        Threads.
    series : array of shape (n_series, n_times)
        Standardised series.
    max_lag : int
        Largest delay.

    Returns
    -------
    information : array of shape (n_series, max_lag + 1)
        The curves.
    """
    n_bins = max(4, math.isqrt(series.shape[1] // 5))

    def curves(block):
        return mutual_information(be, block, max_lag=max_lag, n_bins=n_bins)

    return np.concatenate(by_threads(pool, curves, _blocks(series)))


def autocorrelation(series, max_lag):
    """Mean autocorrelation of standardised series at the delays 0, ..., max_lag."""
    n_times = series.shape[1]
    return np.array(
        [
            np.vdot(series[:, lag:], series[:, : n_times - lag]) / series.size
            for lag in range(max_lag + 1)
        ]
    )


def false_neighbors(be, pool, series, *, lag, n_dimensions):
    """Mean share of false nearest neighbours in each dimension.

    Parameters
    ----------
    be, pool, series
        As in :func:`information_by_lag`.
    lag : int
        Delay, and Theiler window.
    n_dimensions : int
        Largest dimension.

    Returns
    -------
    curves : dict of str to ndarray
        "dimensions" 1, ..., n_dimensions and "fnn", NaN where no point has a neighbour.
    """

    def shares(block):
        distance, growth = _neighbors(be, block, lag, n_dimensions, "euclidean")
        there = np.isfinite(distance)
        parted = growth > TIE * _FALSE_RATIO * distance
        false = parted | (np.hypot(distance, growth) > _FALSE_DISTANCE)
        return _mean_of_points(false, there)

    fraction = mean_of_there(np.concatenate(by_threads(pool, shares, _blocks(series))))
    return {"dimensions": np.arange(1, n_dimensions + 1), "fnn": fraction}


def cao_ratios(be, pool, series, *, lag, n_dimensions):
    """E1 and E2 of Cao, means over the series.

    With the neighbour j(i) of Y(i) in dimension d, ``a(i, d) = |Y_i(d+1) - Y_j(d+1)| / |Y_i(d) -
    Y_j(d)|`` in the maximum norm, ``E(d) = mean_i a(i, d)`` and ``E1(d) = E(d+1) / E(d)``;
    ``E*(d) = mean_i |x(i + d lag) - x(j + d lag)|`` and ``E2(d) = E*(d+1) / E*(d)``.

    Parameters
    ----------
    be, pool, series
        As in :func:`information_by_lag`.
    lag : int
        Delay, and Theiler window.
    n_dimensions : int
        Largest dimension of E, at least 2.

    Returns
    -------
    curves : dict of str to ndarray
        "dimensions" 1, ..., n_dimensions - 1, "cao_e1" and "cao_e2".
    """

    def ratios(block):
        distance, growth = _neighbors(be, block, lag, n_dimensions, "maximum")
        there = np.isfinite(distance)
        expansion = np.maximum(growth / np.where(there, distance, 1), 1)
        levels = _mean_of_points(expansion, there), _mean_of_points(growth, there)
        return np.stack([_ratio(level[:, 1:], level[:, :-1]) for level in levels], axis=1)

    e1, e2 = mean_of_there(np.concatenate(by_threads(pool, ratios, _blocks(series))))
    return {"dimensions": np.arange(1, n_dimensions), "cao_e1": e1, "cao_e2": e2}


def autoregression_criteria(be, pool, trials, *, lag, max_order):
    """Information criteria of autoregressions fitted to all trials at once.

    Parameters
    ----------
    be, pool
        As in :func:`information_by_lag`.
    trials : array of shape (n_trials, n_channels, n_times)
        Standardised trials.
    lag : int
        Delay.
    max_order : int
        Largest order.

    Returns
    -------
    curves : dict of str to ndarray
        "orders" 0, ..., max_order, "aic", "hq" and "bic".
    """

    def lagged(trial):
        return lagged_covariances(be, trial[None], n_lags=max_order + 1, lag=lag)[0]

    mean = sum(by_threads(pool, lagged, trials)) / len(trials)
    n_samples = trials.shape[0] * (trials.shape[2] - max_order * lag)
    criteria = information_criteria(be, mean, n_samples)
    return {"orders": np.arange(max_order + 1), **criteria}


def mdop_by_trial(be, pool, trials, varies, windows, *, n_lags, max_order):
    """Numbers of delays and mean delays by MDOP, for each trial.

    Parameters
    ----------
    be, pool
        As in :func:`information_by_lag`.
    trials, varies : arrays of shape (n_trials, n_channels, n_times) and (n_trials, n_channels)
        Standardised trials, in each of which a channel varies.
    windows : sequence of int of length n_trials
        Theiler windows.
    n_lags : int
        Number of delays to choose from.
    max_order : int
        Largest number of delays.

    Returns
    -------
    curves : dict of str to ndarray
        By trial "mdop_orders" and "mdop_lags", and "mdop_beta" at the delays "mdop_delays": the
        largest entries of the first tables, means over the trials.
    """
    stride = _stride(trials.shape[2])

    def search(item):
        trial, channels, window = item
        settings = {"n_lags": n_lags, "stride": stride, "max_order": max_order}
        return mdop_delays(be, trial[channels], window=int(window), **settings)

    found = by_threads(pool, search, list(zip(trials, varies, windows, strict=True)))
    beta = np.array([embedding.beta for embedding in found])
    return {
        "mdop_delays": np.arange(n_lags),
        "mdop_beta": mean_of_there(np.where(np.isfinite(beta), beta, np.nan)),
        "mdop_orders": np.array([len(embedding.delays) for embedding in found]),
        "mdop_lags": np.array([np.rint(np.mean(embedding.delays)) for embedding in found]),
    }


def _blocks(series):
    """Some series at a time."""
    return [series[begin : begin + _SERIES] for begin in range(0, len(series), _SERIES)]


def _stride(n_times):
    """Step between the points of a series whose neighbours are looked for."""
    return -(-n_times // _MAX_QUERIES)


def _neighbors(be, series, lag, n_dimensions, metric):
    """Distances and growths; points closer in time than the delay are no neighbours."""
    return delay_neighbors(
        be,
        series,
        n_dimensions=n_dimensions,
        lag=lag,
        window=lag,
        stride=_stride(series.shape[1]),
        metric=metric,
    )


def _mean_of_points(values, there):
    """Means over the points that have a neighbour; NaN if none has."""
    return _ratio(np.where(there, values, 0).sum(axis=2), there.sum(axis=2))


def _ratio(above, below):
    """Quotients; NaN where the divisor is 0."""
    positive = below > 0
    return np.where(positive, above / np.where(positive, below, 1), np.nan)
