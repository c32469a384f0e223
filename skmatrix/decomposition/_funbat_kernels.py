"""Sums over entries, and filters along coordinates, of functional tensor regression.

K modes; mode k has n_k coordinates and R_k functions. The second moments B of the functions at a
coordinate are symmetric and packed: their upper triangles, row by row, p_k = R_k (R_k + 1) / 2
numbers. All arrays are in double precision.
"""

import array_api_compat

from .._backend import kernel
from .._xp import segment_sum

# Numbers in a block of products of entries.
_BLOCK = 2**21


@kernel(numba="skmatrix.decomposition._funbat_numba:accumulate", min_size=0)
def accumulate(xp, places, indptr, weight, target, means, moments, *, sizes, elementwise):
    """Sums of products of the other modes over the entries at each coordinate, equation (2).

    ``F_j = sum_n w_n (x)_l B_l(n)`` and ``h_j = sum_n w_n y_n (x)_l m_l(n)``, packed.

    Parameters
    ----------
    xp : module
        Array namespace.
    places : int64 array of shape (n_entries, n_others)
        Coordinates of the entries in the other modes, sorted by that of the mode itself.
    indptr : int64 array of shape (n_k + 1,)
        Bounds of the entries at each coordinate.
    weight, target : array of shape (n_entries,)
        Weights w, and w times the values.
    means : array
        Means of the functions of the other modes, rows (coordinate by coordinate) and then modes
        one after the other: of length sum n_l R_l.
    moments : array
        Packed second moments, in the same way: of length sum n_l p_l.
    sizes : tuple of tuple of int
        (n_l, R_l) of each other mode.
    elementwise : bool
        Whether products are elementwise, as for CP.

    Returns
    -------
    F : array of shape (n_k, prod p_l), or (n_k, p) if `elementwise`
        Sums of products of second moments; the last mode varies fastest.
    h : array of shape (n_k, prod R_l), or (n_k, R) if `elementwise`
        Sums of products of means.
    """
    tables: list = [([], []) for _ in sizes]
    begin_m = begin_b = 0
    for (n, rank), table in zip(sizes, tables, strict=True):
        p = rank * (rank + 1) // 2
        table[0].append(xp.reshape(means[begin_m : begin_m + n * rank], (n, rank)))
        table[1].append(xp.reshape(moments[begin_b : begin_b + n * p], (n, p)))
        begin_m, begin_b = begin_m + n * rank, begin_b + n * p
    width = 1
    for _, rank in sizes:
        width = width if elementwise else width * (rank * (rank + 1) // 2)
    n_entries, step = places.shape[0], max(1, _BLOCK // width)
    totals: list = [None, None]
    for begin in range(0, max(n_entries, 1), step):
        end = min(begin + step, n_entries)
        for which, factor in ((1, weight), (0, target)):
            product = factor[begin:end][:, None]
            for mode, table in enumerate(tables):
                rows = xp.take(table[which][0], places[begin:end, mode], axis=0)
                if elementwise:
                    product = product * rows
                else:
                    product = product[:, :, None] * rows[:, None, :]
                    product = xp.reshape(product, (end - begin, -1))
            part = segment_sum(xp, product, xp.clip(indptr, begin, end) - begin)
            total = totals[which]
            totals[which] = part if total is None else total + part
    return totals[1], totals[0]


@kernel(numba="skmatrix.decomposition._funbat_numba:smooth", min_size=0)
def smooth(xp, A, Q, stationary, precision, shift):
    """Posterior of the functions of a mode, equations (4) to (6).

    Parameters
    ----------
    xp : module
        Array namespace.
    A, Q : array of shape (n - 1, s, s)
        Transitions from each coordinate to the next.
    stationary : array of shape (s, s)
        Covariance of the state before anything is seen.
    precision : array of shape (n, R, R)
        Messages Lambda_j.
    shift : array of shape (n, R)
        Messages eta_j.

    Returns
    -------
    mean : array of shape (n, R)
        Means of the functions.
    cov : array of shape (n, R, R)
        Their covariances at each coordinate.
    evidence : array of shape ()
        log Z.
    filtered_mean, filtered_cov : array of shape (n, s R) and (n, s R, s R)
        State given the messages up to a coordinate.
    back_mean, back_cov : array of shape (n, s R) and (n, s R, s R)
        What later messages add: r and N.
    """
    n, rank = shift.shape
    s = stationary.shape[0]
    device = array_api_compat.device(shift)
    unit = xp.eye(rank, dtype=shift.dtype, device=device)
    x = xp.zeros(s * rank, dtype=shift.dtype, device=device)
    P = _kron(xp, stationary, unit)
    evidence = xp.zeros((), dtype=shift.dtype, device=device)
    forward = []
    for j in range(n):
        if j:
            F = _kron(xp, A[j - 1, :, :], unit)
            x, P = F @ x, F @ P @ F.T + _kron(xp, Q[j - 1, :, :], unit)
        seen, S, m = P[:rank, :], P[:rank, :rank], x[:rank]
        L, eta = precision[j, :, :], shift[j, :]
        residual = eta - L @ m
        phi = unit + L @ S
        e = xp.linalg.solve(phi, residual[:, None])[:, 0]
        C = xp.linalg.solve(phi, L)
        C = (C + C.T) / 2
        evidence = evidence - 0.5 * xp.linalg.slogdet(phi)[1] - 0.5 * xp.sum(m * (L @ m))
        evidence = evidence + xp.sum(eta * m) + 0.5 * xp.sum(residual * (S @ e))
        x, P = x + seen.T @ e, P - seen.T @ C @ seen
        # As a difference, these rows would be rounding error where a message is strong.
        first = xp.linalg.solve(phi.T, seen)
        first = xp.concat([(first[:, :rank] + first[:, :rank].T) / 2, first[:, rank:]], axis=1)
        rest = xp.concat([first[:, rank:].T, P[rank:, rank:]], axis=1)
        P = xp.concat([first, rest])
        forward.append((seen, e, C, x, P))
    r, N = xp.zeros_like(x), xp.zeros_like(P)
    rows = []
    for j in range(n - 1, -1, -1):
        seen, e, C, x, P = forward[j]
        if j + 1 < n:
            F = _kron(xp, A[j, :, :], unit)
            r, N = F.T @ r, F.T @ N @ F
        # Of the filtered covariance, which is small where a message is strong, and not of the
        # predicted one, of which the difference would be rounding error.
        first = P[:rank, :]
        mean, cov = x[:rank] + first @ r, P[:rank, :rank] - first @ N @ first.T
        top = xp.concat([C @ seen, xp.zeros_like(P[rank:, :])])
        M = xp.eye(s * rank, dtype=shift.dtype, device=device) - top
        padded = xp.concat([e, xp.zeros_like(x[rank:])])
        r = M @ r + padded
        corner = xp.concat([C, xp.zeros_like(P[rank:, :rank])])
        corner = xp.concat([corner, xp.zeros_like(P[:, rank:])], axis=1)
        N = M @ N @ M.T + corner
        rows.append((mean, (cov + cov.T) / 2, x, P, r, N))
    mean, cov, *states = (xp.stack(column) for column in zip(*rows[::-1], strict=True))
    return (mean, cov, evidence, *states)


def _kron(xp, A, unit):
    """``A (x) I`` of a small matrix."""
    s, rank = A.shape[0], unit.shape[0]
    return xp.reshape(A[:, None, :, None] * unit[None, :, None, :], (s * rank, s * rank))
