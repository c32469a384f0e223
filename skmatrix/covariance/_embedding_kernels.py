"""Searches and counts behind the choice of a delay embedding, as array-API functions.

Series are in units of their standard deviation. All is computed in double precision.
"""

import math

import array_api_compat

from .._backend import kernel

# Distances and differences up to this count as none: they are of duplicates.
ZERO = 1e-30
# Numbers within this ratio are equal but for rounding. Digital signals have many equal distances,
# and which of them is taken must not hang on the unit.
TIE = 1 + 1e-9
# Elements of a block of pairs.
_PAIRS = 2**20


@kernel(numba="skmatrix.covariance._embedding_numba:mutual_information", min_size=0)
def mutual_information(xp, series, *, max_lag, n_bins):
    """Mutual information of each series and its delayed copies, in nats.

    ``I(tau) = sum_ab p_ab log(p_ab / (p_a p_b))``, where a and b are the bins of x(t) and of
    x(t + tau). Bins hold equally many of the ranks; equal values share a bin.

    Parameters
    ----------
    xp : module
        Array namespace.
    series : array of shape (n_series, n_times)
        The series.
    max_lag : int
        Largest delay, below `n_times`.
    n_bins : int
        Number of bins.

    Returns
    -------
    information : float64 array of shape (n_series, max_lag + 1)
        Mutual information at the delays 0, 1, ..., max_lag.
    """
    codes = rank_bins(xp, series, n_bins)
    n_series, n_times = codes.shape
    bins = xp.arange(n_bins, dtype=codes.dtype, device=array_api_compat.device(codes))
    step = max(1, _PAIRS // (n_times * n_bins))
    parts = []
    for begin in range(0, n_series, step):
        block = codes[begin : min(begin + step, n_series), :]
        member = xp.astype(block[:, :, None] == bins, xp.float64)
        columns = []
        for lag in range(max_lag + 1):
            n_pairs = n_times - lag
            left = xp.matrix_transpose(member[:, :n_pairs, :])
            joint = xp.matmul(left, member[:, lag:, :]) / n_pairs
            margins = (xp.sum(joint, axis=2), xp.sum(joint, axis=1))
            entropy = -xp.sum(_p_log_p(xp, joint), axis=(1, 2))
            for margin in margins:
                entropy = entropy + xp.sum(_p_log_p(xp, margin), axis=1)
            columns.append(-entropy)
        # Below 0 by rounding alone.
        parts.append(xp.clip(xp.stack(columns, axis=1), 0.0, None))
    return xp.concat(parts)


def rank_bins(xp, series, n_bins):
    """Bin of each value by its rank in the series: equal values share the middle of their ranks.

    Parameters
    ----------
    xp : module
        Array namespace.
    series : array of shape (n_series, n_times)
        The series.
    n_bins : int
        Number of bins.

    Returns
    -------
    codes : int64 array of shape (n_series, n_times)
        Numbers of the bins, from 0.
    """
    n_times = series.shape[1]
    rows = []
    for s in range(series.shape[0]):
        values = series[s, :]
        ordered = xp.sort(values)
        below = xp.searchsorted(ordered, values, side="left")
        upto = xp.searchsorted(ordered, values, side="right")
        rows.append((xp.astype(below + upto, xp.int64) * n_bins) // (2 * n_times))
    return xp.stack(rows)


def _p_log_p(xp, p):
    """``p log p``, which is 0 at 0."""
    return p * xp.log(xp.where(p > 0, p, xp.ones_like(p)))


@kernel(numba="skmatrix.covariance._embedding_numba:delay_neighbors", min_size=0)
def delay_neighbors(xp, series, *, n_dimensions, lag, window, stride, metric):
    """Nearest neighbours of delay vectors, and how far they part at the next delay.

    In dimension d the vectors are ``Y(i) = (x(i), x(i + lag), ..., x(i + (d - 1) lag))`` for all i
    with i + d lag < n_times. The neighbour Y(j) of Y(i) is the nearest with ``|i - j| > window``
    and a distance above 0; of several, the first.

    Parameters
    ----------
    xp : module
        Array namespace.
    series : array of shape (n_series, n_times)
        The series.
    n_dimensions : int
        Largest dimension D; D lag < n_times.
    lag : int
        Delay.
    window : int
        Theiler window.
    stride : int
        Neighbours are looked for, among all vectors, for i = 0, stride, 2 stride, ...
    metric : {"euclidean", "maximum"}
        Distance of vectors.

    Returns
    -------
    distance : float64 array of shape (n_series, n_dimensions, n_queries)
        Distance of each vector to its neighbour; infinite without one, and for i past the last
        vector.
    growth : float64 array of shape (n_series, n_dimensions, n_queries)
        ``|x(i + d lag) - x(j + d lag)|``; 0 without a neighbour.
    """
    series = xp.astype(series, xp.float64)
    n_times, device = series.shape[1], array_api_compat.device(series)
    index = xp.arange(n_times, dtype=xp.int64, device=device)
    queries = xp.arange(0, n_times - lag, stride, dtype=xp.int64, device=device)
    step = max(1, _PAIRS // n_times)
    distances, growths = [], []
    for s in range(series.shape[0]):
        blocks = [
            _neighbors_of_block(
                xp, series[s, :], queries[b : min(b + step, queries.shape[0])], index,
                (n_dimensions, lag, window, metric),
            )
            for b in range(0, queries.shape[0], step)
        ]  # fmt: skip
        distances.append(xp.concat([distance for distance, _ in blocks], axis=1))
        growths.append(xp.concat([growth for _, growth in blocks], axis=1))
    return xp.stack(distances), xp.stack(growths)


def _neighbors_of_block(xp, x, rows, index, settings):
    """Distances and growths of some vectors, by dimension."""
    n_dimensions, lag, window, metric = settings
    pairs = xp.zeros(
        (rows.shape[0], index.shape[0]), dtype=x.dtype, device=array_api_compat.device(x)
    )
    close = xp.abs(rows[:, None] - index[None, :]) <= window
    distances, growths = [], []
    for d in range(1, n_dimensions + 1):
        # Past the end the series is continued by its last value: no neighbour is taken there.
        copy = xp.take(x, _within(xp, index + (d - 1) * lag, x))
        ahead = xp.take(x, _within(xp, index + d * lag, x))
        apart = xp.abs(xp.take(copy, rows)[:, None] - copy[None, :])
        pairs = xp.maximum(pairs, apart) if metric == "maximum" else pairs + apart * apart
        last = x.shape[0] - d * lag
        left_out = close | (index[None, :] >= last) | (rows[:, None] >= last)
        least, neighbor = _nearest(xp, pairs, left_out, metric)
        distances.append(least)
        growth = xp.abs(xp.take(ahead, rows) - xp.take(ahead, neighbor))
        growths.append(xp.where(xp.isfinite(least), growth, xp.zeros_like(growth)))
    return xp.stack(distances), xp.stack(growths)


def _within(xp, index, x):
    """Positions, those past the end of a series at its end."""
    return xp.clip(index, None, x.shape[0] - 1)


def _nearest(xp, pairs, left_out, metric):
    """Distance and position of the nearest point of each row; infinite and 0 if there is none."""
    zero = ZERO if metric == "maximum" else ZERO**2
    pairs = xp.where(left_out | (pairs <= zero), xp.full_like(pairs, math.inf), pairs)
    least = xp.min(pairs, axis=1)
    first = xp.argmax(xp.astype(pairs <= TIE * least[:, None], xp.int64), axis=1)
    return least if metric == "maximum" else xp.sqrt(least), first


@kernel(numba="skmatrix.covariance._embedding_numba:nearest_points", min_size=0)
def nearest_points(xp, columns, *, window, stride):
    """The nearest neighbour of each point, by Euclidean distance.

    Parameters
    ----------
    xp : module
        Array namespace.
    columns : array of shape (n_dimensions, n_points)
        Coordinates of the points, which are in the order of time.
    window : int
        Theiler window: a neighbour is more than this many points away.
    stride : int
        Neighbours are looked for, among all points, for the points 0, stride, 2 stride, ...

    Returns
    -------
    distance : float64 array of shape (n_queries,)
        Distances, above 0; infinite where there is no neighbour.
    index : int64 array of shape (n_queries,)
        The neighbours, of several the first; -1 where there is none.
    """
    columns = xp.astype(columns, xp.float64)
    n_points, device = columns.shape[1], array_api_compat.device(columns)
    index = xp.arange(n_points, dtype=xp.int64, device=device)
    queries = xp.arange(0, n_points, stride, dtype=xp.int64, device=device)
    step = max(1, _PAIRS // n_points)
    distances, neighbors = [], []
    for begin in range(0, queries.shape[0], step):
        rows = queries[begin : min(begin + step, queries.shape[0])]
        pairs = xp.zeros((rows.shape[0], n_points), dtype=columns.dtype, device=device)
        for k in range(columns.shape[0]):
            apart = xp.take(columns[k, :], rows)[:, None] - columns[k, :][None, :]
            pairs = pairs + apart * apart
        close = xp.abs(rows[:, None] - index[None, :]) <= window
        least, nearest = _nearest(xp, pairs, close, "euclidean")
        distances.append(least)
        nearest = xp.astype(nearest, xp.int64)
        neighbors.append(xp.where(xp.isfinite(least), nearest, xp.full_like(nearest, -1)))
    return xp.concat(distances), xp.concat(neighbors)


@kernel(numba="skmatrix.covariance._embedding_numba:expansion_table", min_size=0)
def expansion_table(xp, series, distance, index, *, n_lags, stride):
    """How far neighbours part in every channel after every delay: the table of MDOP.

    ``beta(c, tau) = mean_i log10(|x_c(i + tau) - x_c(j(i) + tau)| / R(i))`` with the neighbour j(i)
    at the distance R(i). Equal values are left out of the mean.

    Parameters
    ----------
    xp : module
        Array namespace.
    series : array of shape (n_channels, n_times)
        The channels.
    distance, index : float64 array and int64 array of shape (n_queries,)
        Neighbours of the points 0, stride, 2 stride, ..., as of :func:`nearest_points`; all are
        below ``n_times - n_lags + 1``.
    n_lags : int
        Number of delays, from 0.
    stride : int
        Step from point to point.

    Returns
    -------
    beta : float64 array of shape (n_channels, n_lags)
        The table; minus infinity where nothing is left to take the mean of.
    """
    series, distance = xp.astype(series, xp.float64), xp.astype(distance, xp.float64)
    there = index >= 0
    points = stride * xp.arange(
        index.shape[0], dtype=index.dtype, device=array_api_compat.device(index)
    )
    neighbors = xp.where(there, index, points)
    log_distance = xp.log(xp.where(there, distance, xp.ones_like(distance)))
    columns = []
    for lag in range(n_lags):
        apart = xp.abs(
            xp.take(series, points + lag, axis=1) - xp.take(series, neighbors + lag, axis=1)
        )
        counted = there[None, :] & (apart > ZERO)
        terms = xp.log(xp.where(counted, apart, xp.ones_like(apart))) - log_distance[None, :]
        total = xp.sum(xp.where(counted, terms, xp.zeros_like(terms)), axis=1)
        count = xp.sum(xp.astype(counted, xp.float64), axis=1)
        mean = total / xp.where(count > 0, count, xp.ones_like(count)) / math.log(10)
        columns.append(xp.where(count > 0, mean, xp.full_like(mean, -math.inf)))
    return xp.stack(columns, axis=1)
