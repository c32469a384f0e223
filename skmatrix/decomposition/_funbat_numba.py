"""Numba twins of functional tensor regression: explicit loops over small matrices."""

import numpy as np
from numba import njit

_JIT = {"cache": True, "nogil": True}


def accumulate(places, indptr, weight, target, means, moments, *, sizes, elementwise):
    """Sums over entries; the contract is that of the array-API kernel of this name."""
    counts = np.array([n for n, _ in sizes], dtype=np.int64)
    ranks = np.array([rank for _, rank in sizes], dtype=np.int64)
    packed = ranks * (ranks + 1) // 2
    n = indptr.shape[0] - 1
    n_products = packed[0] if elementwise else np.prod(packed)
    n_means = ranks[0] if elementwise else np.prod(ranks)
    F, h = (np.zeros((n, width), dtype=weight.dtype) for width in (n_products, n_means))
    run = _accumulate_elementwise if elementwise else _accumulate_outer
    run(places, indptr, weight, moments, counts, packed, F)
    run(places, indptr, target, means, counts, ranks, h)
    return F, h


def smooth(A, Q, stationary, precision, shift):
    """Filter and smoother; the contract is that of the array-API kernel of this name."""
    mean, cov, total, *states = _smooth(A, Q, stationary, precision, shift)
    found = (mean, cov, np.asarray(total), *states)
    return tuple(a.astype(shift.dtype, copy=False) for a in found)


def evidence(A, Q, stationary, precision, shift):
    """Log Z alone, by the filter."""
    nothing, nobody = np.empty((0, 0)), np.empty((0, 0, 0))
    return _filter(
        A, Q, stationary, precision, shift, False, nothing, nobody, nobody, nobody, nothing
    )


@njit(**_JIT)
def _accumulate_outer(places, indptr, factor, tables, counts, widths, out):
    """Sums of Kronecker products of rows of tables; the last mode varies fastest."""
    n_modes = widths.shape[0]
    starts = np.zeros(n_modes, dtype=np.int64)
    for mode in range(1, n_modes):
        starts[mode] = starts[mode - 1] + counts[mode - 1] * widths[mode - 1]
    inner = 1
    for mode in range(1, n_modes):
        inner *= widths[mode]
    buffers = np.empty((2, inner))
    first = widths[0]
    for j in range(out.shape[0]):
        total = out[j]
        for e in range(indptr[j], indptr[j + 1]):
            here = 0
            buffers[0, 0] = factor[e]
            length = 1
            for mode in range(n_modes - 1, 0, -1):
                width = widths[mode]
                begin = starts[mode] + places[e, mode] * width
                for i in range(width):
                    value = tables[begin + i]
                    for q in range(length):
                        buffers[1 - here, i * length + q] = value * buffers[here, q]
                length *= width
                here = 1 - here
            begin = starts[0] + places[e, 0] * first
            for i in range(first):
                value = tables[begin + i]
                for q in range(length):
                    total[i * length + q] += value * buffers[here, q]


@njit(**_JIT)
def _accumulate_elementwise(places, indptr, factor, tables, counts, widths, out):
    """Sums of elementwise products of rows of tables."""
    n_modes, width = widths.shape[0], widths[0]
    for j in range(out.shape[0]):
        total = out[j]
        for e in range(indptr[j], indptr[j + 1]):
            for i in range(width):
                value = factor[e]
                begin = 0
                for mode in range(n_modes):
                    value *= tables[begin + places[e, mode] * width + i]
                    begin += counts[mode] * width
                total[i] += value


@njit(**_JIT)
def _solve(M, B):
    """Overwrite B by M^-1 B, and M; the logarithm of the absolute determinant of M."""
    n, k = B.shape
    logdet = 0.0
    for c in range(n):
        pivot = c
        for i in range(c + 1, n):
            if abs(M[i, c]) > abs(M[pivot, c]):
                pivot = i
        if pivot != c:
            for q in range(n):
                M[c, q], M[pivot, q] = M[pivot, q], M[c, q]
            for q in range(k):
                B[c, q], B[pivot, q] = B[pivot, q], B[c, q]
        logdet += np.log(abs(M[c, c]))
        for i in range(c + 1, n):
            f = M[i, c] / M[c, c]
            if f != 0.0:
                for q in range(c + 1, n):
                    M[i, q] -= f * M[c, q]
                for q in range(k):
                    B[i, q] -= f * B[c, q]
    for c in range(n - 1, -1, -1):
        for q in range(k):
            value = B[c, q]
            for i in range(c + 1, n):
                value -= M[c, i] * B[i, q]
            B[c, q] = value / M[c, c]
    return logdet


@njit(**_JIT)
def _predict(A, Q, x, P, x_next, P_next, scratch, rank):
    """``x <- A x`` and ``P <- A P A^T + Q``, block by block."""
    s = A.shape[0]
    for b in range(s):
        for r in range(rank):
            value = 0.0
            for c in range(s):
                value += A[b, c] * x[c * rank + r]
            x_next[b * rank + r] = value
    size = s * rank
    for b in range(s):
        for r in range(rank):
            for q in range(size):
                value = 0.0
                for c in range(s):
                    value += A[b, c] * P[c * rank + r, q]
                scratch[b * rank + r, q] = value
    for p in range(size):
        for b in range(s):
            for r in range(rank):
                value = 0.0
                for c in range(s):
                    value += A[b, c] * scratch[p, c * rank + r]
                P_next[p, b * rank + r] = value
    for b in range(s):
        for c in range(s):
            for r in range(rank):
                P_next[b * rank + r, c * rank + r] += Q[b, c]


@njit(**_JIT)
def _filter(A, Q, stationary, precision, shift, keep, states, covs, seen, gains, errors):
    """Forward pass: log Z, and if asked for all that the backward pass needs."""
    n, rank = shift.shape
    s = stationary.shape[0]
    size = s * rank
    x, x_next = np.zeros(size), np.empty(size)
    P, P_next = np.zeros((size, size)), np.empty((size, size))
    scratch = np.empty((size, size))
    phi, B = np.empty((rank, rank)), np.empty((rank, rank + 1))
    C, residual = np.empty((rank, rank)), np.empty(rank)
    CP = np.empty((rank, size))
    total = 0.0
    for j in range(n):
        if j == 0:
            x_next[:] = 0.0
            P_next[:] = 0.0
            for b in range(s):
                for c in range(s):
                    for r in range(rank):
                        P_next[b * rank + r, c * rank + r] = stationary[b, c]
        else:
            _predict(A[j - 1], Q[j - 1], x, P, x_next, P_next, scratch, rank)
        L, eta = precision[j], shift[j]
        for r in range(rank):
            product = 0.0
            for q in range(rank):
                product += L[r, q] * x_next[q]
                value = 1.0 if r == q else 0.0
                for i in range(rank):
                    value += L[r, i] * P_next[i, q]
                phi[r, q] = value
                B[r, q] = L[r, q]
            residual[r] = eta[r] - product
            B[r, rank] = residual[r]
            total += (eta[r] - 0.5 * product) * x_next[r]
        total -= 0.5 * _solve(phi, B)
        for r in range(rank):
            value = 0.0
            for q in range(rank):
                C[r, q] = 0.5 * (B[r, q] + B[q, r])
                value += P_next[r, q] * B[q, rank]
            total += 0.5 * residual[r] * value
        for r in range(rank):
            for q in range(size):
                value = 0.0
                for i in range(rank):
                    value += C[r, i] * P_next[i, q]
                CP[r, q] = value
        for p in range(size):
            value = x_next[p]
            for r in range(rank):
                value += P_next[r, p] * B[r, rank]
            x[p] = value
            for q in range(size):
                value = P_next[p, q]
                for r in range(rank):
                    value -= P_next[r, p] * CP[r, q]
                P[p, q] = value
        if keep:
            states[j] = x
            covs[j] = P
            for r in range(rank):
                errors[j, r] = B[r, rank]
                errors[j, rank + r] = x_next[r]
                for q in range(rank):
                    gains[j, r, q] = C[r, q]
                for q in range(size):
                    seen[j, r, q] = P_next[r, q]
    return total


@njit(**_JIT)
def _step_back(H, C, errors, u, NA, r, N, CP, scratch):
    """Add the message at a coordinate to what later ones say: ``r`` and ``N`` from ``u``, ``NA``.

    ``r = M u + H^T e`` and ``N = M NA M^T + H^T C H``, where ``M = I - H^T C H P`` differs from the
    unit matrix in its first rows alone.
    """
    rank, size = H.shape
    for a in range(rank):
        for q in range(size):
            value = 0.0
            for i in range(rank):
                value += C[a, i] * H[i, q]
            CP[a, q] = value
    for p in range(size):
        r[p] = u[p]
        for q in range(size):
            scratch[p, q] = NA[p, q]
    for a in range(rank):
        value = u[a] + errors[a]
        for q in range(size):
            value -= CP[a, q] * u[q]
        r[a] = value
        for q in range(size):
            value = NA[a, q]
            for i in range(size):
                value -= CP[a, i] * NA[i, q]
            scratch[a, q] = value
    for p in range(size):
        for q in range(rank, size):
            N[p, q] = scratch[p, q]
        for a in range(rank):
            value = scratch[p, a]
            for i in range(size):
                value -= scratch[p, i] * CP[a, i]
            N[p, a] = value
    for a in range(rank):
        for q in range(rank):
            N[a, q] += C[a, q]


@njit(**_JIT)
def _smoothed(H, predicted, r, N, NH, mean, cov):
    """Mean ``m + H r`` and covariance ``H P H^T - H N H^T`` of the functions at a coordinate."""
    rank, size = H.shape
    for a in range(rank):
        value = predicted[a]
        for q in range(size):
            value += H[a, q] * r[q]
        mean[a] = value
        for q in range(size):
            value = 0.0
            for i in range(size):
                value += H[a, i] * N[i, q]
            NH[a, q] = value
    for a in range(rank):
        for q in range(a + 1):
            left, right = H[a, q], H[q, a]
            for i in range(size):
                left -= NH[a, i] * H[q, i]
                right -= NH[q, i] * H[a, i]
            cov[a, q] = cov[q, a] = 0.5 * (left + right)


@njit(**_JIT)
def _smooth(A, Q, stationary, precision, shift):
    """Forward and backward pass."""
    n, rank = shift.shape
    s = stationary.shape[0]
    size = s * rank
    states, covs = np.empty((n, size)), np.empty((n, size, size))
    seen, gains = np.empty((n, rank, size)), np.empty((n, rank, rank))
    errors = np.empty((n, 2 * rank))
    total = _filter(A, Q, stationary, precision, shift, True, states, covs, seen, gains, errors)
    mean, cov = np.empty((n, rank)), np.empty((n, rank, rank))
    back, back_cov = np.empty((n, size)), np.empty((n, size, size))
    r, N = np.zeros(size), np.zeros((size, size))
    u, NA, scratch = np.zeros(size), np.zeros((size, size)), np.empty((size, size))
    CP, NH = np.empty((rank, size)), np.empty((rank, size))
    nothing = np.zeros((s, s))
    for j in range(n - 1, -1, -1):
        if j + 1 < n:
            _predict(A[j].T, nothing, r, N, u, NA, scratch, rank)
        _step_back(seen[j], gains[j], errors[j], u, NA, r, N, CP, scratch)
        back[j] = r
        back_cov[j] = N
        _smoothed(seen[j], errors[j, rank:], r, N, NH, mean[j], cov[j])
    return mean, cov, total, states, covs, back, back_cov
