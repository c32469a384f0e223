"""Delays by maximising derivatives on projection (MDOP), for the channels of one trial.

Coordinates ``x_c(t + tau)`` are added one by one. Each is the one in which points that are close
together part most: where they are false neighbours, it tells them apart.
"""

from dataclasses import dataclass

import numpy as np

from ._embedding_kernels import TIE, expansion_table, nearest_points

# Share of false neighbours at which the embedding is complete.
_FEW = 0.05
# A neighbour is false if the next coordinate moves it this many times as far away. Only points
# count whose neighbour could still move so far: the series have standard deviation 1.
_FALSE_RATIO = 2.0
_MIN_POINTS = 20


@dataclass(frozen=True, eq=False)
class Delays:
    """An embedding of one trial.

    Attributes
    ----------
    delays : list of int
        Delays of the coordinates in the order of their choice, of which the first is 0.
    channels : list of int
        Channels of the coordinates.
    beta : ndarray of shape (n_lags,)
        Largest entry of the first tables at each delay.
    false_fractions : list of float
        Share of false neighbours that each coordinate after the first told apart.
    """

    delays: list
    channels: list
    beta: np.ndarray
    false_fractions: list


def mdop_delays(be, channels, *, n_lags, window, stride, max_order):
    """Delays and channels of an embedding.

    Parameters
    ----------
    be : Backend
        Where the kernels run.
    channels : float64 array of shape (n_channels, n_times)
        Channels with standard deviation 1.
    n_lags : int
        Number of delays to choose from, 0, 1, ..., n_lags - 1.
    window : int
        Theiler window.
    stride : int
        Step between the points whose neighbours are looked for.
    max_order : int
        Largest number of coordinates.

    Returns
    -------
    embedding : Delays
        The delays. They end with the first coordinate that tells apart at most 5 % of the
        neighbours, and before one that tells apart more than the last did.
    """
    n_points = channels.shape[1] - n_lags + 1

    def table(columns):
        """Distances of the points' neighbours, and how these part."""
        distance, index = nearest_points(be, columns, window=window, stride=stride)
        beta = expansion_table(be, channels, distance, index, n_lags=n_lags, stride=stride)
        return distance, beta

    tables = [table(channels[c : c + 1, :n_points]) for c in range(channels.shape[0])]
    for c, (_, beta) in enumerate(tables):
        beta[c, 0] = -np.inf  # the coordinate itself
    start = int(np.argmax([beta.max() for _, beta in tables]))
    profile = np.max([beta.max(axis=0) for _, beta in tables], axis=0)
    distance, beta = tables[start]
    delays, chosen = [0], [start]
    fractions: list[float] = []
    columns = channels[start : start + 1, :n_points]
    while len(delays) < max_order and beta.max() > -np.inf:
        c, tau = map(int, np.unravel_index(beta.argmax(), beta.shape))
        columns = np.concatenate([columns, channels[c : c + 1, tau : tau + n_points]])
        wider, beta = table(columns)
        near = np.flatnonzero(distance < 1 / _FALSE_RATIO)
        if near.size < _MIN_POINTS:
            break
        fraction = float(np.mean(wider[near] > TIE * _FALSE_RATIO * distance[near]))
        if fractions and fraction > fractions[-1]:
            break
        delays.append(tau)
        chosen.append(c)
        fractions.append(fraction)
        distance = wider
        if fraction <= _FEW:
            break
    return Delays(delays, chosen, profile, fractions)
