"""What is believed of functions at any coordinate, and of values there."""

from dataclasses import replace
from typing import Any

import numpy as np

from ._funbat_prior import square_roots
from ._funbat_state import packed

# Queries that are answered at once, and numbers in a block of their products.
_ROWS, _BLOCK = 2**14, 2**21


def function_posterior(factor, t, *, return_cov=True):
    """Means and covariances of a mode's functions at scaled coordinates, equation (10).

    Parameters
    ----------
    factor : Factor
        The mode, smoothed.
    t : float64 ndarray of shape (n,)
        Scaled coordinates.
    return_cov : bool, default=True
        Whether covariances are wanted.

    Returns
    -------
    mean : float64 ndarray of shape (n, R)
        Means.
    cov : float64 ndarray of shape (n, R, R) or None
        Covariances.
    """
    prior, points = factor.prior, factor.points
    filtered, filtered_cov, back, back_cov = factor.states
    n, s, rank = t.size, prior.n_blocks, factor.mean.shape[1]
    before = np.searchsorted(points, t, side="right") - 1
    seen, more = before >= 0, before + 1 < points.size
    place, after = before[seen], before[more] + 1
    # What messages to the right add, led back to the query.
    back_to = np.swapaxes(prior.transitions(points[after] - t[more])[0], 1, 2)
    r = np.zeros((n, s, rank))
    r[more] = back_to @ back[after].reshape(-1, s, rank)
    # The state given messages to the left, led on, or where there are none the prior.
    A, Q = prior.transitions(t[seen] - points[place])
    top, start = A[:, :1], filtered_cov[place]
    mean = prior.stationary()[0] @ r
    led = (np.swapaxes(A, 1, 2) @ r[seen]).reshape(-1, s * rank, 1)
    led = filtered[place].reshape(-1, s, rank) + (start @ led).reshape(-1, s, rank)
    mean[seen] = (top @ led + Q[:, :1] @ r[seen])[:, 0]
    if not return_cov:
        return mean, None
    # Covariance of the functions with the state.
    H = np.broadcast_to(_with_unit(prior.stationary()[:1], rank)[0], (n, rank, s, rank)).copy()
    left = (top @ start.reshape(-1, s, rank * s * rank)).reshape(-1, rank, s, rank)
    H[seen] = A[:, None] @ left + _with_unit(Q[:, :1], rank)[:, 0]
    cov = H[:, :, 0].copy()
    H = H.reshape(n, rank, s * rank)[more]
    N = back_to @ back_cov[after].reshape(-1, s, rank * s * rank)
    N = (back_to[:, None] @ N.reshape(-1, s * rank, s, rank)).reshape(-1, s * rank, s * rank)
    cov[more] -= H @ N @ np.swapaxes(H, 1, 2)
    return mean, (cov + np.swapaxes(cov, 1, 2)) / 2


def _with_unit(A, rank):
    """``A (x) I`` as (..., s, R, s, R)."""
    return A[..., :, None, :, None] * np.eye(rank)[:, None, :]


def predicted(posterior, X, *, variance):
    """Means, and if asked variances, of the function values at queries, equation (11).

    Parameters
    ----------
    posterior : Posterior
        The fitted state.
    X : float64 ndarray of shape (n, n_modes)
        Coordinates, not scaled.
    variance : bool
        Whether variances are wanted.

    Returns
    -------
    mean : float64 ndarray of shape (n,)
        Means, standardised.
    var : float64 ndarray of shape (n,) or None
        Variances.
    """
    n = X.shape[0]
    mean = np.empty(n)
    var: Any = np.empty(n) if variance else None
    for begin in range(0, n, _ROWS):
        rows = slice(begin, min(begin + _ROWS, n))
        tables = []
        for mode, factor in enumerate(posterior.factors):
            points, places = np.unique(X[rows, mode], return_inverse=True)
            t = posterior.axes[mode].scaled(points)
            first, cov = function_posterior(factor, t, return_cov=variance)
            second = packed(cov + first[:, :, None] * first[:, None, :]) if variance else None
            tables.append((first, second, np.ravel(places)))
        mean[rows] = _contracted(posterior, tables, 0)
        if variance:
            var[rows] = np.maximum(_contracted(posterior, tables, 1) - mean[rows] ** 2, 0)
    return mean, var


def drawn_values(posterior, X, n_samples, rng):
    """Draws of the function values at queries.

    Parameters
    ----------
    posterior : Posterior
        The fitted state.
    X : float64 ndarray of shape (n, n_modes)
        Coordinates, not scaled.
    n_samples : int
        Draws.
    rng : RandomState
        Their source.

    Returns
    -------
    values : float64 ndarray of shape (n, n_samples)
        Draws, standardised. Functions at different coordinates of a mode are independent.
    """
    modes = []
    for mode, factor in enumerate(posterior.factors):
        points, places = np.unique(X[:, mode], return_inverse=True)
        mean, cov = function_posterior(factor, posterior.axes[mode].scaled(points))
        modes.append((mean, square_roots(cov), np.ravel(places)))
    core_root = None if posterior.layout.elementwise else square_roots(posterior.core_cov[None])[0]
    values = np.empty((X.shape[0], n_samples))
    for k in range(n_samples):
        tables = []
        for mean, root, places in modes:
            drawn = mean + (root @ rng.standard_normal((*mean.shape, 1)))[:, :, 0]
            tables.append((drawn, None, places))
        core = posterior.core_mean
        if core_root is not None:
            core = core + core_root @ rng.standard_normal(core.size)
        values[:, k] = _contracted(replace(posterior, core_mean=core), tables, 0)
    return values


def _contracted(posterior, tables, which):
    """Expected values (0) or squares (1), the core contracted with one mode after another."""
    layout, n = posterior.layout, tables[0][2].size
    if layout.elementwise:
        product = tables[0][which][tables[0][2]]
        for table in tables[1:]:
            product = product * table[which][table[2]]
        if which == 0:
            return product.sum(axis=1)
        rank = layout.ranks[0]
        return product @ (2.0 - np.eye(rank)[np.triu_indices(rank)])
    if which == 0:
        core = posterior.core_mean
    else:
        second = posterior.core_cov + np.outer(posterior.core_mean, posterior.core_mean)
        core = np.bincount(layout.joint.ravel(), weights=second.ravel())
    out = np.empty(n)
    widths = [table[which].shape[1] for table in tables]
    step = max(1, _BLOCK // max(1, core.size // widths[0]))
    for begin in range(0, n, step):
        rows = slice(begin, begin + step)
        part = tables[0][which][tables[0][2][rows]] @ core.reshape(widths[0], -1)
        for table, width in zip(tables[1:], widths[1:], strict=True):
            part = part.reshape(part.shape[0], width, -1)
            part = np.einsum("nw,nwr->nr", table[which][table[2][rows]], part)
        out[rows] = part.reshape(-1)
    return out
