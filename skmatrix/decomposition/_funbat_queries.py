"""What is believed of functions at any coordinate, and of values there."""

from dataclasses import replace

import numpy as np

from ._funbat_prior import square_roots
from ._funbat_state import packed

# Numbers in a block of products of queries.
_BLOCK = 2**21


def function_posterior(factor, t):
    """Means and covariances of a mode's functions at scaled coordinates, equation (10).

    Parameters
    ----------
    factor : Factor
        The mode, smoothed.
    t : float64 ndarray of shape (n,)
        Scaled coordinates.

    Returns
    -------
    mean : float64 ndarray of shape (n, R)
        Means.
    cov : float64 ndarray of shape (n, R, R)
        Covariances.
    """
    prior, points = factor.prior, factor.points
    filtered, filtered_cov, back, back_cov = factor.states
    n, s, rank = t.size, prior.n_blocks, factor.mean.shape[1]
    before = np.searchsorted(points, t, side="right") - 1
    stationary = prior.stationary()
    # State given all messages to the left: the filter, led on, or where there are none the prior.
    x = np.zeros((n, s, rank))
    P = np.broadcast_to(_with_unit(stationary, rank), (n, s, rank, s, rank)).copy()
    seen = before >= 0
    A, Q = prior.transitions(t[seen] - points[before[seen]])
    x[seen] = A @ filtered[before[seen]].reshape(-1, s, rank)
    start = filtered_cov[before[seen]].reshape(-1, s, rank, s, rank)
    P[seen] = np.einsum("nab,nbrcq,ndc->nardq", A, start, A) + _with_unit(Q, rank)
    # What messages to the right add, led back.
    r, N = np.zeros((n, s, rank)), np.zeros((n, s, rank, s, rank))
    more = before + 1 < points.size
    after = before[more] + 1
    A = np.swapaxes(prior.transitions(points[after] - t[more])[0], 1, 2)
    r[more] = A @ back[after].reshape(-1, s, rank)
    later = back_cov[after].reshape(-1, s, rank, s, rank)
    N[more] = np.einsum("nab,nbrcq,ndc->nardq", A, later, A)
    H = P[:, 0].reshape(n, rank, s * rank)
    mean = x[:, 0] + (H @ r.reshape(n, s * rank, 1))[:, :, 0]
    cov = P[:, 0, :, 0] - H @ N.reshape(n, s * rank, s * rank) @ np.swapaxes(H, 1, 2)
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
    tables = []
    for mode, factor in enumerate(posterior.factors):
        points, places = np.unique(X[:, mode], return_inverse=True)
        mean, cov = function_posterior(factor, posterior.axes[mode].scaled(points))
        second = packed(cov + mean[:, :, None] * mean[:, None, :])
        tables.append((mean, second, np.ravel(places)))
    mean = _contracted(posterior, tables, 0, X.shape[0])
    if not variance:
        return mean, None
    return mean, np.maximum(_contracted(posterior, tables, 1, X.shape[0]) - mean**2, 0)


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
        values[:, k] = _contracted(replace(posterior, core_mean=core), tables, 0, X.shape[0])
    return values


def _contracted(posterior, tables, which, n):
    """Expected values (0) or squares (1), the core contracted with one mode after another."""
    layout = posterior.layout
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
