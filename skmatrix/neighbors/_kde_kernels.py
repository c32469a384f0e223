"""Sums over the data of a kernel density estimate, as array-API functions.

All distances are in units of the bandwidth. They are sums of squared differences: the expansion
into inner products would cancel. Sums are in double precision, whatever the data.
"""

import math

import array_api_compat

from .._backend import kernel
from ._kde_profiles import log_profile

# Elements of a block of pairs.
_PAIRS = 2**20


@kernel(numba="skmatrix.neighbors._kde_numba:density_sums", min_size=0)
def density_sums(xp, queries, data, log_weight, own, *, profile, df, moments):
    r"""Sums of ``e^{s_j}`` with ``s_j = log w_j + log k(|x - y_j|)``, for every query x.

    Parameters
    ----------
    xp : module
        Array namespace.
    queries : array of shape (m, d)
        Queries.
    data : array of shape (n, d)
        Data.
    log_weight : array of shape (n,) or (0,)
        Logarithms of the weights, all finite; empty for ones.
    own : integer array of shape (m,) or (0,)
        Point that a query leaves out, or -1; empty if none does.
    profile : str
        Name of the kernel.
    df : float
        Degrees of freedom of "student".
    moments : bool
        Whether the sums after the first are wanted; they are 0 if not.

    Returns
    -------
    log_sum : float64 array of shape (m,)
        ``log sum e^{s_j}``, minus infinity if no point is within reach.
    participation : float64 array of shape (m,)
        ``sum p_j^2`` with ``p_j = e^{s_j} / sum e^{s}``.
    entropy : float64 array of shape (m,)
        ``-sum p_j log p_j``.
    square, fourth : float64 arrays of shape (m,)
        ``sum p_j r_j^2`` and ``sum p_j r_j^4``. All but the first are 0 where the first is
        minus infinity, and everywhere without `moments`.
    """
    parts = []
    for begin, end, squares in _blocks(xp, queries, data, own):
        values = log_profile(xp, squares, profile, (df, data.shape[1]))
        values = xp.astype(values, xp.float64)
        if log_weight.shape[0]:
            values = values + xp.astype(log_weight, xp.float64)[None, :]
        left_out = _left_out(xp, own, begin, end, data.shape[0], values)
        values = xp.where(left_out, xp.full_like(values, -math.inf), values)
        peak = xp.max(values, axis=1)
        reached = peak > -math.inf
        finite = xp.where(reached, peak, xp.zeros_like(peak))
        shifted = values - finite[:, None]
        terms = xp.exp(shifted)
        mass = xp.sum(terms, axis=1)
        # Nothing is divided by 0, and no logarithm of it is taken.
        safe = xp.where(reached, mass, xp.ones_like(mass))
        log_sum = xp.where(reached, finite + xp.log(safe), peak)
        if not moments:
            nothing = xp.zeros_like(mass)
            parts.append((log_sum, nothing, nothing, nothing, nothing))
            continue
        p = terms / safe[:, None]
        there = p > 0
        log_p = xp.log(xp.where(there, p, xp.ones_like(p)))
        r2 = xp.where(there, xp.astype(squares, xp.float64), xp.zeros_like(p))
        sums = (p * p, -p * log_p, r2 * p, r2 * r2 * p)
        parts.append((log_sum, *(xp.sum(part, axis=1) for part in sums)))
    return tuple(xp.concat([part[i] for part in parts]) for i in range(5))


@kernel(numba="skmatrix.neighbors._kde_numba:nearest_squares", min_size=0)
def nearest_squares(xp, queries, data, own, *, k):
    """The k smallest squared distances of every query, ascending.

    Parameters
    ----------
    xp : module
        Array namespace.
    queries : array of shape (m, d)
        Queries.
    data : array of shape (n, d)
        Data.
    own : integer array of shape (m,) or (0,)
        Point that a query leaves out, or -1.
    k : int
        Number, at most that of the points that are not left out.

    Returns
    -------
    squares : float64 array of shape (m, k)
        The squares; infinite for points that are not there.
    """
    parts = []
    for begin, end, squares in _blocks(xp, queries, data, own):
        left_out = _left_out(xp, own, begin, end, data.shape[0], squares)
        squares = xp.where(left_out, xp.full_like(squares, math.inf), squares)
        parts.append(xp.astype(xp.sort(squares, axis=1)[:, :k], xp.float64))
    return xp.concat(parts)


@kernel(numba="skmatrix.neighbors._kde_numba:halving_sums", min_size=0)
def halving_sums(xp, queries, data, log_weight, own, nearest, *, n_bandwidths):
    r"""Logarithms of Gaussian sums at ``n_bandwidths`` bandwidths with ``h^2`` halved from each to
    the next.

    ``e^{-2^b (r^2 - r_0^2) / 2}`` is the square of the term before: one exponential serves for all.

    Parameters
    ----------
    xp : module
        Array namespace.
    queries, data, log_weight, own : arrays
        As in :func:`density_sums`, in units of the first bandwidth.
    nearest : array of shape (m,)
        Squared distance of the nearest point, r_0^2, as :func:`nearest_squares` gives it in the
        same units.
    n_bandwidths : int
        Number of bandwidths.

    Returns
    -------
    log_sums : float64 array of shape (m, n_bandwidths)
        ``log sum w_j e^{-2^b r_j^2 / 2}``.
    """
    parts = []
    for begin, end, squares in _blocks(xp, queries, data, own):
        least = xp.astype(nearest[begin:end], xp.float64)
        excess = xp.astype(squares, xp.float64) - least[:, None]
        left_out = _left_out(xp, own, begin, end, data.shape[0], excess)
        excess = xp.where(left_out, xp.full_like(excess, math.inf), excess)
        # A distance below the nearest is so by rounding alone, which the squares would blow up.
        excess = xp.where(excess < 0, xp.zeros_like(excess), excess)
        term = xp.exp(-0.5 * excess)
        weight = xp.ones((1, data.shape[0]), dtype=xp.float64, device=array_api_compat.device(data))
        if log_weight.shape[0]:
            weight = xp.exp(xp.astype(log_weight, xp.float64))[None, :]
        columns = []
        for b in range(n_bandwidths):
            columns.append(xp.log(xp.sum(weight * term, axis=1)) - 0.5 * 2.0**b * least)
            term = term * term
        parts.append(xp.stack(columns, axis=1))
    return xp.concat(parts)


@kernel(numba="skmatrix.neighbors._kde_numba:coordinate_moments", min_size=0)
def coordinate_moments(xp, queries, data, log_weight, own, log_total):
    """Mean squared differences by coordinate, under the Gaussian weights of every query.

    Parameters
    ----------
    xp : module
        Array namespace.
    queries, data, log_weight, own : arrays
        As in :func:`density_sums`.
    log_total : array of shape (m,)
        Logarithm of the sum of the weights of each query.

    Returns
    -------
    moments : float64 array of shape (m, d)
        ``sum_j p_j (x_k - y_jk)^2``.
    """
    parts = []
    for begin, end, squares in _blocks(xp, queries, data, own):
        values = -0.5 * xp.astype(squares, xp.float64)
        if log_weight.shape[0]:
            values = values + xp.astype(log_weight, xp.float64)[None, :]
        left_out = _left_out(xp, own, begin, end, data.shape[0], values)
        values = xp.where(left_out, xp.full_like(values, -math.inf), values)
        p = xp.exp(values - xp.astype(log_total[begin:end], xp.float64)[:, None])
        columns = []
        for k in range(data.shape[1]):
            difference = queries[begin:end, k : k + 1] - xp.matrix_transpose(data[:, k : k + 1])
            columns.append(xp.sum(p * xp.astype(difference, xp.float64) ** 2, axis=1))
        parts.append(xp.stack(columns, axis=1))
    return xp.concat(parts)


def _blocks(xp, queries, data, own):
    """Squared distances of some queries at a time to all points."""
    m, n = queries.shape[0], data.shape[0]
    step = max(1, _PAIRS // max(1, n))
    for begin in range(0, m, step):
        end = min(begin + step, m)
        squares = xp.zeros((end - begin, n), dtype=data.dtype, device=array_api_compat.device(data))
        for k in range(data.shape[1]):
            difference = queries[begin:end, k : k + 1] - xp.matrix_transpose(data[:, k : k + 1])
            squares = squares + difference * difference
        yield begin, end, squares


def _left_out(xp, own, begin, end, n, like):
    """Mask of the points that queries leave out."""
    device = array_api_compat.device(like)
    index = xp.arange(n, dtype=xp.int64, device=device)[None, :]
    if not own.shape[0]:
        return xp.broadcast_to(index < 0, like.shape)
    return index == xp.astype(own[begin:end], xp.int64)[:, None]
