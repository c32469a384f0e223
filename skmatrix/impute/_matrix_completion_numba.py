"""Numba twin of the half step of alternating minimisation.

Each row is solved from start to end by one thread in one fixed order of
operations: the result depends neither on the number of threads nor on which
other rows are present.
"""

from itertools import pairwise

import numpy as np
from numba import njit

from ._matrix_completion_kernels import _UNSEEN

# Sums may be reordered, which lets a dot product use vector registers. Unlike
# fastmath=True this keeps the meaning of NaN and infinity.
_JIT = {"cache": True, "nogil": True, "fastmath": {"reassoc", "contract", "nsz", "arcp"}}


def half_step(
    indptr,
    indices,
    values,
    weights,
    unknown,
    fixed,
    ridge,
    mass,
    curvature,
    free,
    buckets,
    signs,
    *,
    method,
    direct_from,
    inner_tol,
    inner_max_iter,
    pool=None,
):
    """Solve every row; the contract is that of the array-API kernel of this name."""
    solved = unknown.copy()
    row_loss = np.zeros(unknown.shape[0])
    row_steps = np.zeros(unknown.shape[0], dtype=np.int64)
    entries = (indptr, indices, values, weights)
    coordinates = np.flatnonzero(free)
    system = (fixed, ridge, mass, curvature, coordinates)
    results = (solved, row_loss, row_steps)
    rules = (method == "cholesky", int(direct_from), float(inner_tol), int(inner_max_iter))
    arguments: tuple = (entries, system, results, rules)
    solve = _solve_rows
    if method == "sketch":
        # Apart, so that those who never sketch do not wait for it to be compiled.
        solve, arguments = _solve_sketched_rows, (*arguments, (buckets, signs))
    if pool is None:
        solve(0, unknown.shape[0], *arguments)
    else:
        bounds = _balanced_bounds(indptr, 4 * pool._max_workers)
        tasks = [pool.submit(solve, a, b, *arguments) for a, b in pairwise(bounds)]
        for task in tasks:
            task.result()
    return solved, float(row_loss.sum()), int(row_steps.sum())


def _balanced_bounds(indptr, n_chunks):
    """Row boundaries that give every chunk about the same number of entries."""
    n_rows = indptr.shape[0] - 1
    # a row costs its entries, and its set-up about as much as one more
    cost = np.asarray(indptr, dtype=np.int64) + np.arange(n_rows + 1)
    goals = np.linspace(0, cost[-1], n_chunks + 1)[1:-1]
    return np.unique(np.concatenate([[0], np.searchsorted(cost, goals), [n_rows]]))


@njit(**_JIT)
def _solve_rows(start, stop, entries, system, results, rules):
    """Solve rows ``start`` to ``stop - 1`` in place; the arguments are those of `half_step`."""
    indptr, indices, values, weights = entries
    fixed, ridge, mass, curvature, coordinates = system
    solved, row_loss, row_steps = results
    exact, direct_from, inner_tol, inner_max_iter = rules
    n_free = coordinates.shape[0]
    vectors = np.zeros((5, solved.shape[1]), dtype=solved.dtype)
    factor = np.empty((n_free, n_free), dtype=solved.dtype)
    gathered = np.empty((4, n_free), dtype=solved.dtype)
    for i in range(start, stop):
        begin, end = indptr[i], indptr[i + 1]
        x = solved[i]
        if mass[i] == 0:
            _clear(x, coordinates)
            continue
        row = (indices[begin:end], values[begin:end], _part(weights, begin, end))
        triangular = exact and end - begin >= direct_from
        if triangular:
            gain = _cholesky_factor(row, fixed, ridge[i], coordinates, gathered, factor)
        else:
            _invert_curvature(mass[i], curvature, ridge[i], coordinates, vectors[4])
            gain = 1.0
        preconditioner = (coordinates, factor, triangular, gain)
        row_loss[i], row_steps[i] = _conjugate_gradients(
            row, x, fixed, ridge[i], preconditioner, vectors, inner_tol, inner_max_iter
        )


@njit(**_JIT)
def _solve_sketched_rows(start, stop, entries, system, results, rules, sketching):
    """As `_solve_rows`, with the long rows preconditioned by their sketch."""
    indptr, indices, values, weights = entries
    fixed, ridge, mass, curvature, coordinates = system
    solved, row_loss, row_steps = results
    _, direct_from, inner_tol, inner_max_iter = rules
    n_free = coordinates.shape[0]
    vectors = np.zeros((5, solved.shape[1]), dtype=solved.dtype)
    factor = np.empty((n_free, n_free), dtype=solved.dtype)
    sketch = np.empty((9 * n_free, n_free + 1), dtype=solved.dtype)
    for i in range(start, stop):
        begin, end = indptr[i], indptr[i + 1]
        x = solved[i]
        if mass[i] == 0:
            _clear(x, coordinates)
            continue
        row = (indices[begin:end], values[begin:end], _part(weights, begin, end))
        triangular = end - begin >= direct_from
        if triangular:
            gain = _sketched_factor(row, x, fixed, ridge[i], coordinates, sketching, sketch, factor)
        else:
            _invert_curvature(mass[i], curvature, ridge[i], coordinates, vectors[4])
            gain = 1.0
        preconditioner = (coordinates, factor, triangular, gain)
        row_loss[i], row_steps[i] = _conjugate_gradients(
            row, x, fixed, ridge[i], preconditioner, vectors, inner_tol, inner_max_iter
        )


@njit(**_JIT)
def _clear(x, coordinates):
    """Set the free coordinates to 0."""
    for a in coordinates:
        x[a] = 0


@njit(**_JIT)
def _part(weights, begin, end):
    """Weights of a row, empty if all are 1."""
    return weights[begin:end] if weights.shape[0] > 0 else weights[:0]


@njit(**_JIT)
def _invert_curvature(mass, curvature, ridge, coordinates, diagonal):
    """Diagonal preconditioner of a row: 1 / (mass curvature + ridge), 0 where not free."""
    diagonal[:] = 0
    for a in coordinates:
        scale = mass * curvature[a] + ridge
        diagonal[a] = 1 / scale if scale > 0 else 0


@njit(**_JIT)
def _conjugate_gradients(row, x, fixed, ridge, preconditioner, vectors, tol, max_iter):
    """Solve a row's normal equations from the present x; return (loss at the start, steps)."""
    # z and p stay 0 on the frozen coordinates, so whole vectors can be run through.
    r, p, q, z, diagonal = vectors[0], vectors[1], vectors[2], vectors[3], vectors[4]
    size = x.shape[0]
    eps = np.finfo(x.dtype).eps
    loss, rho, reach, goal, steps = 0.0, 0.0, 0.0, 0.0, -1
    while steps < max_iter:
        # One call for the gradient at the start and for the products that follow: the
        # compiler would otherwise lay the whole pass out twice.
        first = steps < 0
        start, energy = _residual(row, first, x if first else p, fixed, ridge, r if first else q)
        if first:
            loss = start
        else:
            curve = 0.0
            for a in range(size):
                curve -= p[a] * q[a]  # q = -(G + ridge I) p
            if not curve > _UNSEEN * eps * reach:
                steps += 1
                break
            length = rho / curve
            for a in range(size):
                x[a] += length * p[a]
                r[a] += length * q[a]
        _precondition(r, z, diagonal, preconditioner)
        previous, rho = rho, 0.0
        for a in range(size):
            rho += r[a] * z[a]
        if first:
            # Below the second bound the residual is rounding error of the data themselves.
            goal = max(tol * tol * rho, eps * eps * energy * preconditioner[3])
        turn = 0.0 if first else rho / previous
        reach = rho + turn * turn * reach  # p M^-1 p
        for a in range(size):
            p[a] = z[a] + turn * p[a]
        steps += 1
        if not rho > goal:
            break
    return loss, steps


@njit(**_JIT)
def _residual(row, with_values, x, fixed, ridge, out):
    """Set out = sum_e w_e (y_e - x.v_e) v_e - ridge x; return the loss and sum_e w_e y_e^2.

    With ``with_values`` false every y_e counts as 0, so that out = -(G + ridge I) x.
    Four entries at a time share the loads of x and out, the bottleneck of a plain loop.
    """
    ids, y, w = row
    size, n_entries, weighted = x.shape[0], ids.shape[0], w.shape[0] > 0
    zero = x.dtype.type(0)
    for a in range(size):
        out[a] = -x.dtype.type(ridge) * x[a]
    loss = 0.0
    energy = 0.0
    for e in range(0, n_entries, 4):
        last = n_entries - 1  # the short block at the end repeats an entry with weight 0
        e1, e2, e3 = min(e + 1, last), min(e + 2, last), min(e + 3, last)
        v0, v1, v2, v3 = fixed[ids[e]], fixed[ids[e1]], fixed[ids[e2]], fixed[ids[e3]]
        t0, t1, t2, t3 = zero, zero, zero, zero
        for a in range(size):
            t0 += x[a] * v0[a]
            t1 += x[a] * v1[a]
            t2 += x[a] * v2[a]
            t3 += x[a] * v3[a]
        w0, w1, w2, w3 = x.dtype.type(1), x.dtype.type(1), x.dtype.type(1), x.dtype.type(1)
        if weighted:
            w0, w1, w2, w3 = w[e], w[e1], w[e2], w[e3]
        if e + 3 > last:
            w1 = w1 if e + 1 <= last else zero
            w2 = w2 if e + 2 <= last else zero
            w3 = zero
        t0, t1, t2, t3 = -t0, -t1, -t2, -t3
        if with_values:
            t0, t1, t2, t3 = t0 + y[e], t1 + y[e1], t2 + y[e2], t3 + y[e3]
            loss += w0 * t0 * t0 + w1 * t1 * t1 + w2 * t2 * t2 + w3 * t3 * t3
            energy += w0 * y[e] ** 2 + w1 * y[e1] ** 2 + w2 * y[e2] ** 2 + w3 * y[e3] ** 2
        t0, t1, t2, t3 = w0 * t0, w1 * t1, w2 * t2, w3 * t3
        for a in range(size):
            out[a] += t0 * v0[a] + t1 * v1[a] + t2 * v2[a] + t3 * v3[a]
    return loss, energy


@njit(**_JIT)
def _precondition(r, z, diagonal, preconditioner):
    """Set z = M r: M is diagonal, or (L L^T)^-1 on the free coordinates with L = factor."""
    coordinates, factor, triangular, _ = preconditioner
    if not triangular:
        for a in range(r.shape[0]):
            z[a] = diagonal[a] * r[a]
        return
    n = coordinates.shape[0]
    z[:] = 0
    for a in range(n):
        total = r[coordinates[a]]
        for b in range(a):
            total -= factor[a, b] * z[coordinates[b]]
        z[coordinates[a]] = total / factor[a, a]
    for a in range(n - 1, -1, -1):
        value = z[coordinates[a]] / factor[a, a]
        z[coordinates[a]] = value
        for b in range(a):
            z[coordinates[b]] -= factor[a, b] * value


@njit(**_JIT)
def _shift(ridge, trace, eps):
    """What to add to the diagonal of a Gram matrix, and the gain of its inverse.

    As in the array-API kernel: a ridge near 0 is replaced in the preconditioner alone.
    """
    shift = max(ridge, np.sqrt(eps) * trace)
    if shift == 0:  # all-zero fixed factors leave nothing to solve: any regular matrix will do
        shift = 1.0
    return shift, max(trace / shift, 1.0)


@njit(**_JIT)
def _cholesky_factor(row, fixed, ridge, coordinates, gathered, factor):
    """Set factor to the Cholesky factor of G + ridge I (lower triangle); return its gain."""
    ids, _, w = row
    n, n_entries = coordinates.shape[0], ids.shape[0]
    factor[:] = 0
    for e in range(0, n_entries, 4):
        for s in range(4):
            if e + s < n_entries:
                root = np.sqrt(w[e + s]) if w.shape[0] > 0 else factor.dtype.type(1)
                v = fixed[ids[e + s]]
                for a in range(n):
                    gathered[s, a] = root * v[coordinates[a]]
            else:
                gathered[s, :] = 0
        g0, g1, g2, g3 = gathered[0], gathered[1], gathered[2], gathered[3]
        for a in range(n):
            h0, h1, h2, h3 = g0[a], g1[a], g2[a], g3[a]
            target = factor[a]
            for b in range(a + 1):
                target[b] += h0 * g0[b] + h1 * g1[b] + h2 * g2[b] + h3 * g3[b]
    trace = 0.0
    for a in range(n):
        trace += factor[a, a]
    shift, gain = _shift(ridge, trace, np.finfo(factor.dtype).eps)
    for a in range(n):
        factor[a, a] += shift
    for a in range(n):
        for b in range(a + 1):
            total = factor[a, b]
            for c in range(b):
                total -= factor[a, c] * factor[b, c]
            if a > b:
                factor[a, b] = total / factor[b, b]
            else:
                factor[a, a] = np.sqrt(total)
    return gain


@njit(**_JIT)
def _sketched_factor(row, x, fixed, ridge, coordinates, sketching, sketch, factor):
    """Set factor to R^T, where Q R = [S A; sqrt(ridge) I], A = sqrt(w) V on the row's entries.

    The last column of ``sketch`` carries S b. A row without a start (x = 0) is
    started at the sketch-and-solve answer R^-1 Q^T [S b; 0]. Returns the gain of `_shift`.
    """
    ids, y, w = row
    buckets, signs = sketching
    n, height = coordinates.shape[0], sketch.shape[0]
    sketch[:] = 0
    for e in range(ids.shape[0]):
        v = fixed[ids[e]]
        root = np.sqrt(w[e]) if w.shape[0] > 0 else factor.dtype.type(1)
        known = factor.dtype.type(0)  # what the frozen coordinates predict already
        for a in range(x.shape[0]):
            known += x[a] * v[a]
        for a in coordinates:
            known -= x[a] * v[a]
        for s in range(buckets.shape[1]):
            target, scaled = sketch[buckets[e, s]], root * signs[e, s]
            for a in range(n):
                target[a] += scaled * v[coordinates[a]]
            target[n] += scaled * (y[e] - known)
    trace = 0.0
    for a in range(n):
        for i in range(height - n):
            trace += sketch[i, a] * sketch[i, a]
    shift, gain = _shift(ridge, trace, np.finfo(factor.dtype).eps)
    for a in range(n):
        sketch[height - n + a, a] = np.sqrt(shift)
    _triangularise(sketch, n)
    for a in range(n):
        for b in range(a + 1):
            factor[a, b] = sketch[b, a]
    start = True
    for a in coordinates:
        start = start and x[a] == 0
    if start:
        for a in range(n - 1, -1, -1):
            total = sketch[a, n]
            for b in range(a + 1, n):
                total -= sketch[a, b] * x[coordinates[b]]
            x[coordinates[a]] = total / sketch[a, a]
    return gain


@njit(**_JIT)
def _triangularise(matrix, n_columns):
    """Householder QR in place: R in the upper triangle, Q^T applied to the columns that follow."""
    height, width = matrix.shape
    reflector = np.empty(height, dtype=matrix.dtype)
    image = np.empty(width, dtype=matrix.dtype)
    for a in range(n_columns):
        norm = 0.0
        for i in range(a, height):
            reflector[i] = matrix[i, a]
            norm += reflector[i] * reflector[i]
        norm = np.sqrt(norm)
        head = reflector[a] + (norm if reflector[a] >= 0 else -norm)
        squared = norm * norm - reflector[a] * reflector[a] + head * head
        reflector[a] = head
        if squared == 0:
            continue
        image[a:] = 0
        for i in range(a, height):
            for b in range(a, width):
                image[b] += reflector[i] * matrix[i, b]
        for i in range(a, height):
            scaled = 2 / squared * reflector[i]
            for b in range(a, width):
                matrix[i, b] -= scaled * image[b]
