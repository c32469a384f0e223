"""The rules for order and lag written out: a loop over points, all distances of each."""

import math
from functools import cache

import numpy as np
from scipy.signal import lfilter
from scipy.stats import rankdata


def lorenz(n_times=2000, skip=1500):
    """The first coordinate of the Lorenz system in steps of 0.05."""
    return np.array(_lorenz()[skip : skip + n_times])


@cache
def _lorenz(n_times=6000, dt=0.05, n_steps=5):
    """The orbit, by Runge and Kutta's method."""

    def flow(x, y, z):
        return 10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z

    def moved(state, slope, step):
        (x, y, z), (u, v, w) = state, slope
        return x + step * u, y + step * v, z + step * w

    state, values, h = (1.0, 1.0, 1.0), [], dt / n_steps
    for _ in range(n_times):
        values.append(state[0])
        for _ in range(n_steps):
            a = flow(*state)
            b = flow(*moved(state, a, h / 2))
            c = flow(*moved(state, b, h / 2))
            d = flow(*moved(state, c, h))
            for slope, weight in ((a, 1), (b, 2), (c, 2), (d, 1)):
                state = moved(state, slope, weight * h / 6)
    return values


def oscillations(n_trials=4, n_channels=3, n_times=200, seed=0):
    """Noisy oscillations that the channels share."""
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((n_channels, n_channels))
    noise = np.einsum("cd,ndt->nct", mixing, rng.standard_normal((n_trials, n_channels, n_times)))
    return lfilter([1.0], [1.0, -1.6, 0.8], noise)


def zscore(x):
    return (x - np.mean(x)) / np.std(x)


def mutual_information(x, lag, n_bins):
    """Of one series, from a table of frequencies."""
    n = len(x)
    bins = np.floor((2 * rankdata(x) - 1) * n_bins / (2 * n))
    joint = np.histogram2d(bins[: n - lag], bins[lag:], bins=np.arange(n_bins + 1))[0] / (n - lag)
    product = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    there = joint > 0
    return np.sum(joint[there] * np.log(joint[there] / product[there]))


def neighbors(points, window, norm=None):
    """For each point its nearest one: position and distance, -1 and infinity without one."""
    found, times = [], np.arange(len(points))
    for i, point in enumerate(points):
        distances = np.linalg.norm(points - point, norm, axis=1)
        distances[(np.abs(times - i) <= window) | (distances == 0)] = np.inf
        least = distances.min()
        # Of distances that are equal but for rounding, the first.
        j = int(np.flatnonzero(distances <= least * (1 + 1e-9))[0])
        found.append((j if least < np.inf else -1, least))
    return found


def delay_pairs(x, d, lag, window, norm=None):
    """Distances and growths of the points that have a neighbour."""
    n = len(x) - d * lag
    points = np.stack([x[k * lag : k * lag + n] for k in range(d)], axis=1)
    return [
        (distance, abs(x[i + d * lag] - x[j + d * lag]))
        for i, (j, distance) in enumerate(neighbors(points, window, norm))
        if j >= 0
    ]


def false_fraction(x, d, lag, window):
    pairs = delay_pairs(zscore(x), d, lag, window)
    return np.mean([e / r > 15 or math.hypot(r, e) > 2 for r, e in pairs])


def cao(x, n_dimensions, lag, window):
    """E1 and E2 for d = 1, ..., n_dimensions - 1."""
    levels = []
    for d in range(1, n_dimensions + 1):
        pairs = delay_pairs(zscore(x), d, lag, window, np.inf)
        levels.append(np.mean([(max(r, e) / r, e) for r, e in pairs], axis=0))
    levels = np.array(levels)
    return (levels[1:] / levels[:-1]).T


def expansions(channels, found, n_lags):
    """The table of MDOP."""
    beta = np.full((len(channels), n_lags), -np.inf)
    for c, x in enumerate(channels):
        for tau in range(n_lags):
            logs = []
            for i, (j, distance) in enumerate(found):
                if j >= 0 and x[i + tau] != x[j + tau]:
                    logs.append(math.log10(abs(x[i + tau] - x[j + tau]) / distance))
            if logs:
                beta[c, tau] = np.mean(logs)
    return beta


def mdop(channels, n_lags, window, max_order):
    """Delays and channels of one trial."""
    n = channels.shape[1] - n_lags + 1
    tables = []
    for c in range(len(channels)):
        found = neighbors(channels[c, :n, None], window)
        table = expansions(channels, found, n_lags)
        table[c, 0] = -np.inf
        tables.append((table.max(), c, table, found))
    _, start, table, found = max(tables, key=lambda entry: entry[0])
    delays, chosen, last = [0], [start], np.inf
    points = channels[start, :n, None]
    while len(delays) < max_order:
        c, tau = np.unravel_index(np.argmax(table), table.shape)
        points = np.concatenate([points, channels[c, tau : tau + n, None]], axis=1)
        wider = neighbors(points, window)
        near = [i for i, (j, r) in enumerate(found) if j >= 0 and r < 0.5]
        if len(near) < 20:
            break
        share = np.mean([wider[i][1] > 2 * found[i][1] for i in near])
        if share > last:
            break
        delays.append(tau)
        chosen.append(c)
        found, last = wider, share
        if share <= 0.05:
            break
        table = expansions(channels, found, n_lags)
    return delays, chosen


def autoregression(coefficients, n_trials, n_times, scale=1.0, seed=0, burn=200):
    """Trials of ``x(t) = sum_k A_k x(t - k) + e(t)`` with e of standard deviation `scale`."""
    rng = np.random.default_rng(seed)
    order, n_channels = coefficients.shape[:2]
    noise = scale * rng.standard_normal((burn + n_times, n_trials, n_channels))
    x = np.zeros((burn + n_times, n_trials, n_channels))
    for t in range(order, burn + n_times):
        past = (x[t - k - 1] @ coefficients[k].T for k in range(order))
        x[t] = noise[t] + sum(past)
    return np.ascontiguousarray(x[burn:].transpose(1, 2, 0))
