"""Numba twins of the augmented covariances of trials.

Delayed copies are never laid out: their products are taken where the signal is, of two channels and
five delays at a time, for which what is loaded serves ten times. That is twice as fast as matrix
products of so few rows. All but the first blocks follow from the ends of the windows.
"""

import numpy as np
from numba import njit

_OPTIONS = {"cache": True, "nogil": True, "fastmath": {"reassoc", "contract", "nsz"}}


def delay_covariances(X, *, delays, center, reg):
    """Augmented covariances; the contract is that of the array-API kernel of this name."""
    X, steps = np.ascontiguousarray(X), np.array(delays, dtype=np.int64)
    size, length = len(delays) * X.shape[1], X.shape[2] - delays[-1]
    gaps = np.unique(np.diff(steps))
    step = int(gaps[0]) if gaps.size == 1 and 2 * gaps[0] < length else 0
    covariances = np.empty((X.shape[0], size, size))
    _covariances(X, steps, step, center, float(reg), covariances)
    return covariances


@njit(**_OPTIONS)
def _covariances(X, delays, step, center, reg, covariances):
    """Fill the matrices; `step` is that of even delays, 0 where all blocks are summed anew."""
    n_trials, n_channels, n_times = X.shape
    order, size = delays.shape[0], covariances.shape[1]
    length = n_times - delays[order - 1]
    signal, level = np.empty((n_channels, n_times)), np.empty(n_channels)
    means, ends = np.empty(size), np.empty((2, (order - 1) * step, n_channels))
    for k in range(n_trials):
        _centre(X[k], signal, level)
        for t in range(ends.shape[1]):
            for c in range(n_channels):
                ends[0, t, c], ends[1, t, c] = signal[c, t], signal[c, t + length]
        for row in range(size):
            i, c = row // n_channels, row % n_channels
            means[row] = _mean(signal[c, delays[i] : delays[i] + length])
        G = covariances[k]
        for i in range(order):
            if i == 0 or step == 0:
                _row_of_blocks(signal, delays, i, length, G)
            else:
                _slide(signal, i - 1, step, length, ends, G)
        _finish(G, means, level, length, center)
        ridge = reg / size * np.trace(G)
        for row in range(size):
            G[row, row] += ridge


@njit(**_OPTIONS)
def _row_of_blocks(signal, delays, i, length, G):
    """Sums of products of copy i with itself and all later ones."""
    n_channels, order = signal.shape[0], delays.shape[0]
    for a in range(0, n_channels, 2):
        # An odd last channel is taken twice.
        pair = min(a + 1, n_channels - 1)
        u, v = signal[a, delays[i] :], signal[pair, delays[i] :]
        upper, lower = G[i * n_channels + a], G[i * n_channels + pair]
        for b in range(n_channels):
            j = i
            while j + 5 <= order:
                _five_products(u, v, signal[b], delays, j, length, upper, lower, b)
                j += 5
            while j < order:
                w = signal[b, delays[j] :]
                s = t = 0.0
                for k in range(length):
                    s += u[k] * w[k]
                    t += v[k] * w[k]
                upper[j * n_channels + b], lower[j * n_channels + b] = s, t
                j += 1


@njit(**_OPTIONS)
def _five_products(u, v, other, delays, j, length, upper, lower, b):
    """Sums of products of two windows with five of another channel."""
    n_channels = upper.shape[0] // delays.shape[0]
    w0, w1, w2 = other[delays[j] :], other[delays[j + 1] :], other[delays[j + 2] :]
    w3, w4 = other[delays[j + 3] :], other[delays[j + 4] :]
    s0 = s1 = s2 = s3 = s4 = t0 = t1 = t2 = t3 = t4 = 0.0
    for k in range(length):
        x, y = u[k], v[k]
        s0 += x * w0[k]
        s1 += x * w1[k]
        s2 += x * w2[k]
        s3 += x * w3[k]
        s4 += x * w4[k]
        t0 += y * w0[k]
        t1 += y * w1[k]
        t2 += y * w2[k]
        t3 += y * w3[k]
        t4 += y * w4[k]
    place = j * n_channels + b
    upper[place], lower[place] = s0, t0
    upper[place + n_channels], lower[place + n_channels] = s1, t1
    upper[place + 2 * n_channels], lower[place + 2 * n_channels] = s2, t2
    upper[place + 3 * n_channels], lower[place + 3 * n_channels] = s3, t3
    upper[place + 4 * n_channels], lower[place + 4 * n_channels] = s4, t4


def lagged_covariances(X, *, n_lags, lag, center=True):
    """Lagged covariances; the contract is that of the array-API kernel of this name."""
    X, delays = np.ascontiguousarray(X), lag * np.arange(n_lags)
    lagged = np.empty((X.shape[0], n_lags, X.shape[1], X.shape[1]))
    _lagged(X, delays, center, lagged)
    return lagged


@njit(**_OPTIONS)
def _lagged(X, delays, center, lagged):
    """Products of each signal with its copies, behind which it is continued by zeros."""
    n_trials, n_channels, n_times = X.shape
    n_lags = delays.shape[0]
    signal = np.zeros((n_channels, n_times + delays[n_lags - 1]))
    level, sums = np.empty(n_channels), np.empty((n_channels, n_lags * n_channels))
    for k in range(n_trials):
        _centre(X[k], signal, level)
        if not center:
            signal[:, :n_times] = X[k]
        _row_of_blocks(signal, delays, 0, n_times, sums)
        for j in range(n_lags):
            for a in range(n_channels):
                for b in range(n_channels):
                    lagged[k, j, b, a] = sums[a, j * n_channels + b] / n_times


@njit(**_OPTIONS)
def _centre(trial, signal, level):
    """The trial less the mean of each channel."""
    for c in range(trial.shape[0]):
        total = 0.0
        for t in range(trial.shape[1]):
            total += trial[c, t]
        level[c] = total / trial.shape[1]
        for t in range(trial.shape[1]):
            signal[c, t] = trial[c, t] - level[c]


@njit(**_OPTIONS)
def _mean(row):
    total = 0.0
    for t in range(row.shape[0]):
        total += row[t]
    return total / row.shape[0]


@njit(**_OPTIONS)
def _slide(signal, i, step, length, ends, G):
    """Blocks (i + 1, j + 1) from blocks (i, j): some samples leave the windows, others come.

    `ends` are the first and the last samples of the signal, one time after the other, so that the
    channels of a sample are neighbours.
    """
    n_channels, order = signal.shape[0], G.shape[0] // signal.shape[0]
    first, last = ends[0], ends[1]
    for a in range(n_channels):
        before, after = G[i * n_channels + a], G[(i + 1) * n_channels + a]
        for j in range(i, order - 1):
            old, new = before[j * n_channels :], after[(j + 1) * n_channels :]
            for b in range(n_channels):
                new[b] = old[b]
            for t in range(step):
                leaving, coming = signal[a, t + i * step], signal[a, t + length + i * step]
                out, come = first[t + j * step], last[t + j * step]
                for b in range(n_channels):
                    new[b] += coming * come[b] - leaving * out[b]


@njit(**_OPTIONS)
def _finish(G, means, level, length, center):
    """From sums of products above the diagonal to covariances on both sides of it."""
    size, n_channels = G.shape[0], level.shape[0]
    divisor = length - 1 if center else length
    for row in range(size):
        for column in range(row, size):
            shift = means[row] * means[column]
            if not center:
                left = means[row] + level[row % n_channels]
                shift -= left * (means[column] + level[column % n_channels])
            G[row, column] = (G[row, column] - length * shift) / divisor
            G[column, row] = G[row, column]
