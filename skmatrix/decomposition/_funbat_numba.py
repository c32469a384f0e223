"""Numba twins of functional tensor regression: explicit loops over small matrices."""

import numpy as np
from numba import njit

# Divisions by zero give infinity, as in NumPy.
_JIT = {"cache": True, "nogil": True, "error_model": "numpy"}

# Entries at a coordinate from which they are taken together, in chunks of so many, or of fewer if
# their products are more numbers than fit the cache.
_FEW = 24
_CHUNK = 128
_CHUNK_NUMBERS = 2**15


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
    n, rank = shift.shape
    size = stationary.shape[0] * rank
    states, covs = np.empty((n, size)), np.empty((n, size, size))
    seen, gains = np.empty((n, rank, size)), np.empty((n, rank, rank))
    errors = np.empty((n, rank))
    total = _filter(A, Q, stationary, precision, shift, states, covs, seen, gains, errors)
    mean, cov = np.empty((n, rank)), np.empty((n, rank, rank))
    back, back_cov = np.empty((n, size)), np.empty((n, size, size))
    _lead_back(A, states, covs, seen, gains, errors, back, back_cov, mean, cov)
    found = (mean, cov, np.asarray(total), states, covs, back, back_cov)
    return tuple(a.astype(shift.dtype, copy=False) for a in found)


def evidence(A, Q, stationary, precision, shift):
    """Log Z alone, by the filter."""
    return _evidence(A, Q, stationary, precision, shift)


@njit(**_JIT)
def _accumulate_outer(places, indptr, factor, tables, counts, widths, out):
    """Sums of Kronecker products of rows of tables; the last mode varies fastest."""
    n_modes = widths.shape[0]
    starts = np.zeros(n_modes, dtype=np.int64)
    for mode in range(1, n_modes):
        starts[mode] = starts[mode - 1] + counts[mode - 1] * widths[mode - 1]
    layout = (starts, widths)
    inner = 1
    for mode in range(1, n_modes):
        inner *= widths[mode]
    chunk = max(_FEW, min(_CHUNK, _CHUNK_NUMBERS // inner))
    single = np.empty((2, inner))
    # Rows that do not begin at the same place of the cache's pages.
    stride = chunk + 8
    first, rows = np.empty((widths[0], stride)), np.empty((np.max(widths), stride))
    products = np.empty((2, inner, stride))
    for j in range(out.shape[0]):
        begin, end = indptr[j], indptr[j + 1]
        if end - begin < _FEW:
            _add_few(places[begin:end], factor[begin:end], tables, layout, single, out[j])
            continue
        for low in range(begin, end, chunk):
            part = slice(low, min(low + chunk, end))
            buffers = (first, rows, products)
            _add_many(places[part], factor[part], tables, layout, buffers, out[j])


@njit(**_JIT)
def _add_few(places, factor, tables, layout, buffers, total):
    """Add the products of some entries, one entry after the other."""
    starts, widths = layout
    first = widths[0]
    for e in range(factor.shape[0]):
        here = 0
        buffers[0, 0] = factor[e]
        length = 1
        for mode in range(widths.shape[0] - 1, 0, -1):
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
def _add_many(places, factor, tables, layout, buffers, total):
    """Add the products of many entries: vectors run along the entries, which are long."""
    starts, widths = layout
    first, rows, products = buffers
    n = factor.shape[0]
    _gather(places[:, 0], tables, starts[0], widths[0], first)
    here, length = 0, 1
    products[0, 0, :n] = factor
    for mode in range(widths.shape[0] - 1, 0, -1):
        _gather(places[:, mode], tables, starts[mode], widths[mode], rows)
        for i in range(widths[mode]):
            for q in range(length):
                for e in range(n):
                    products[1 - here, i * length + q, e] = rows[i, e] * products[here, q, e]
        length *= widths[mode]
        here = 1 - here
    _add_dot_products(first, products[here], widths[0], length, n, total)


@njit(**_JIT)
def _gather(places, tables, start, width, rows):
    """Rows of a table, as columns."""
    for e in range(places.shape[0]):
        begin = start + places[e] * width
        for i in range(width):
            rows[i, e] = tables[begin + i]


# Sums may be reordered, which lets them use vector registers; NaN and infinity keep their meaning.
@njit(fastmath={"reassoc", "contract", "nsz"}, **_JIT)
def _add_dot_products(left, right, n_left, n_right, n, total):
    """Add the products of the first rows of two matrices, as far as their n-th column.

    Two by two rows, which halves the loads; the last ones of odd numbers meet themselves.
    """
    for q in range(0, n_right, 2):
        r = min(q + 1, n_right - 1)
        for i in range(0, n_left, 2):
            j = min(i + 1, n_left - 1)
            iq, ir, jq, jr = 0.0, 0.0, 0.0, 0.0
            for e in range(n):
                iq += left[i, e] * right[q, e]
                ir += left[i, e] * right[r, e]
                jq += left[j, e] * right[q, e]
                jr += left[j, e] * right[r, e]
            total[i * n_right + q] += iq
            if r > q:
                total[i * n_right + r] += ir
            if j > i:
                total[j * n_right + q] += jq
                if r > q:
                    total[j * n_right + r] += jr


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
def _innovate(L, eta, x, P, phi, B, C):
    """Solve ``Phi [., e] = [I, eta - L m]`` into B, ``Phi = I + L S``; C, and the term of log Z."""
    rank = L.shape[0]
    total = 0.0
    for r in range(rank):
        product = 0.0
        for q in range(rank):
            product += L[r, q] * x[q]
            value = 1.0 if r == q else 0.0
            B[r, q] = value
            for i in range(rank):
                value += L[r, i] * P[i, q]
            phi[r, q] = value
        B[r, rank] = eta[r] - product
        total += (eta[r] - 0.5 * product) * x[r]
    total -= 0.5 * _solve(phi, B)
    for r in range(rank):
        residual = eta[r]
        value = 0.0
        for q in range(rank):
            residual -= L[r, q] * x[q]
            value += P[r, q] * B[q, rank]
        total += 0.5 * residual * value
        for q in range(r + 1):
            value = 0.0
            for i in range(rank):
                value += B[r, i] * L[i, q] + B[q, i] * L[i, r]
            C[r, q] = C[q, r] = 0.5 * value
    return total


@njit(**_JIT)
def _absorb(x_prior, P_prior, B, C, CP, x, P):
    """``x <- x + P H^T e`` and ``P <- P - P H^T C H P``, whose first rows are ``Phi^-T H P``.

    As a difference they would be rounding error where a message is strong.
    """
    rank, size = CP.shape
    for r in range(rank):
        for q in range(size):
            value = 0.0
            first = 0.0
            for i in range(rank):
                value += C[r, i] * P_prior[i, q]
                first += B[i, r] * P_prior[i, q]
            CP[r, q] = value
            P[r, q] = first
    for r in range(rank):
        for q in range(r):
            P[r, q] = P[q, r] = 0.5 * (P[r, q] + P[q, r])
    for p in range(size):
        value = x_prior[p]
        for r in range(rank):
            value += P_prior[r, p] * B[r, rank]
        x[p] = value
    for p in range(rank, size):
        for r in range(rank):
            P[p, r] = P[r, p]
        for q in range(rank, size):
            value = P_prior[p, q]
            for r in range(rank):
                value -= P_prior[r, p] * CP[r, q]
            P[p, q] = value


@njit(**_JIT)
def _begin(stationary, rank, P):
    """``P_inf (x) I`` into P, which is zero."""
    s = stationary.shape[0]
    for b in range(s):
        for c in range(s):
            for r in range(rank):
                P[b * rank + r, c * rank + r] = stationary[b, c]


@njit(**_JIT)
def _evidence(A, Q, stationary, precision, shift):
    """Forward pass for log Z alone."""
    n, rank = shift.shape
    size = stationary.shape[0] * rank
    x, x_prior = np.zeros(size), np.zeros(size)
    P, P_prior = np.zeros((size, size)), np.zeros((size, size))
    scratch, CP = np.empty((size, size)), np.empty((rank, size))
    phi, B = np.empty((rank, rank)), np.empty((rank, rank + 1))
    C = np.empty((rank, rank))
    total = 0.0
    for j in range(n):
        if j == 0:
            _begin(stationary, rank, P_prior)
        else:
            _predict(A[j - 1], Q[j - 1], x, P, x_prior, P_prior, scratch, rank)
        total += _innovate(precision[j], shift[j], x_prior, P_prior, phi, B, C)
        _absorb(x_prior, P_prior, B, C, CP, x, P)
    return total


@njit(**_JIT)
def _filter(A, Q, stationary, precision, shift, states, covs, seen, gains, errors):
    """Forward pass: log Z, and all that the backward pass needs."""
    n, rank = shift.shape
    size = stationary.shape[0] * rank
    x_prior, P_prior = np.zeros(size), np.zeros((size, size))
    scratch, CP = np.empty((size, size)), np.empty((rank, size))
    phi, B = np.empty((rank, rank)), np.empty((rank, rank + 1))
    total = 0.0
    for j in range(n):
        if j == 0:
            _begin(stationary, rank, P_prior)
        else:
            _predict(
                A[j - 1], Q[j - 1], states[j - 1], covs[j - 1], x_prior, P_prior, scratch, rank
            )
        total += _innovate(precision[j], shift[j], x_prior, P_prior, phi, B, gains[j])
        _absorb(x_prior, P_prior, B, gains[j], CP, states[j], covs[j])
        for r in range(rank):
            errors[j, r] = B[r, rank]
            for q in range(size):
                seen[j, r, q] = P_prior[r, q]
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
def _smoothed(x, H, r, N, NH, mean, cov):
    """Mean ``x + H r`` and covariance ``H - H N H^T`` of the functions at a coordinate.

    H has the first rows of the filtered covariance, which are small where a message is strong. With
    those of the predicted one the difference would be rounding error.
    """
    rank, size = H.shape
    for a in range(rank):
        value = x[a]
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
def _lead_back(A, states, covs, seen, gains, errors, back, back_cov, mean, cov):
    """Backward pass, and the functions at each coordinate."""
    n, rank, size = seen.shape
    s = size // rank
    u, NA, scratch = np.zeros(size), np.zeros((size, size)), np.empty((size, size))
    CP, NH = np.empty((rank, size)), np.empty((rank, size))
    transposed, nothing = np.empty((s, s)), np.zeros((s, s))
    for j in range(n - 1, -1, -1):
        if j + 1 < n:
            for b in range(s):
                for c in range(s):
                    transposed[b, c] = A[j, c, b]
            _predict(transposed, nothing, back[j + 1], back_cov[j + 1], u, NA, scratch, rank)
        _smoothed(states[j], covs[j, :rank], u, NA, NH, mean[j], cov[j])
        _step_back(seen[j], gains[j], errors[j], u, NA, back[j], back_cov[j], CP, scratch)
