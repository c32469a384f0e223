"""Array-API kernels of alternating minimisation: the half step, in the paper's terms.

The observed entries of one side (rows, or columns of the transposed problem) come as
CSR arrays. Factors are augmented so that biases need no code of their own,

    x_i = [u_i, b_i, 1],    v_j = [v_j, 1, c_j],    yhat_ij - mu = x_i . v_j,

and a 0/1 vector ``free`` names the coordinates that the half step may move.
"""

import array_api_compat

from .._backend import kernel
from .._xp import csr_matmul, sampled_dot, segment_sum

# Elements of the stacked Gram matrices, one per row, that are held at once.
_STACK = 2**23
# Conjugate gradients end at directions whose curvature, relative to that of the preconditioner,
# is below this multiple of the rounding error: along them they would only add rounding error.
_UNSEEN = 8


@kernel(numba="skmatrix.impute._matrix_completion_numba:half_step", size_of=1, min_size=2_000)
def half_step(
    xp,
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
    """Solve the ridge regression of every row against the fixed factors.

    Row i minimises sum_e w_e (y_e - x . v_e)^2 + ridge_i |x|^2 over the free coordinates
    of x, by conjugate gradients from its present value, preconditioned by one of

    * "pcg": the shared Gram matrix P = sum_j N_j v_j v_j^T / sum_j N_j, diagonal in the
      rotated basis, M_i = 1 / (mass_i curvature + ridge_i);
    * "cholesky": the exact factor of the row's own Gram matrix, so one step suffices;
    * "sketch": the paper's R of the QR factorisation of the sketched row.

    Parameters
    ----------
    xp : module
        Array namespace.
    indptr, indices, values : arrays of shape (n_rows + 1,), (nnz,), (nnz,)
        Observed entries less their global mean, in CSR form.
    weights : array of shape (nnz,) or (0,)
        Weights of the entries; all are 1 if empty.
    unknown : array of shape (n_rows, size)
        Augmented factors to solve for; their values are the start.
    fixed : array of shape (n_columns, size)
        Augmented factors of the other side.
    ridge, mass : arrays of shape (n_rows,)
        Penalty and total weight of each row. A row without weight becomes 0.
    curvature : array of shape (size,)
        Diagonal of the shared Gram matrix.
    free : array of shape (size,)
        1 for the coordinates to solve for, 0 for the others.
    buckets, signs : arrays of shape (n_positions, n_nonzero)
        Sketching matrix, column by column: rows and values of its non-zeros. Read by
        "sketch" only, for entry e of a row at position e.
    method : {"pcg", "cholesky", "sketch"}
        Preconditioner of the rows with at least `direct_from` entries; the others take
        the one of "pcg".
    direct_from : int
        See `method`.
    inner_tol : float
        A row stops when its preconditioned residual norm has fallen by this factor.
    inner_max_iter : int
        Largest number of conjugate gradient steps.
    pool : ThreadPoolExecutor, default=None
        Where the Numba twin runs; not used here.

    Returns
    -------
    solved : array of shape (n_rows, size)
        The new factors.
    loss : float
        Weighted squared error where the conjugate gradients start: at the factors that came
        in, or at a sketch-and-solve start.
    steps : int
        Conjugate gradient steps, summed over the rows.
    """
    entries = (indptr, indices, values, weights)
    counts = indptr[1:] - indptr[:-1]
    direct = (counts >= direct_from) & (method != "pcg")
    parts = []
    stack = max(1, _STACK // unknown.shape[1] ** 2)
    for mask, rule in [(~direct, "pcg"), (direct, method)]:
        chosen = xp.nonzero(mask)[0]
        step = chosen.shape[0] if rule == "pcg" else stack
        for begin in range(0, chosen.shape[0], max(step, 1)):
            parts.append((chosen[begin : min(begin + step, chosen.shape[0])], rule))
    solved, positions, loss, steps = [], [], 0.0, 0
    for chosen, rule in parts:
        some = entries if chosen.shape[0] == mass.shape[0] else _take_rows(xp, chosen, *entries)
        start, penalty, weight = (xp.take(a, chosen, axis=0) for a in (unknown, ridge, mass))
        start = xp.where((weight == 0)[:, None] & (free != 0)[None, :], xp.zeros_like(start), start)
        if rule == "pcg":
            precondition = shared_gram(xp, penalty, weight, curvature, free)
            gain = xp.ones_like(penalty)
        elif rule == "cholesky":
            precondition, gain = exact_gram(xp, gram_matrices(xp, some, fixed), penalty, free)
        else:
            start, precondition, gain = _sketched_gram(
                xp, some, start, fixed, penalty, free, buckets, signs
            )
        result, row_loss, row_steps = _solve(
            xp, some, start, fixed, penalty, free, precondition, gain, inner_tol, inner_max_iter
        )
        solved.append(result)
        positions.append(chosen)
        loss += row_loss
        steps += row_steps
    order = xp.argsort(xp.concat(positions))
    return xp.take(xp.concat(solved), order, axis=0), loss, steps


def _solve(xp, entries, start, fixed, ridge, free, precondition, gain, inner_tol, inner_max_iter):
    """Conjugate gradients on all rows in lockstep; see `_shift` for the gain."""

    def gram_times(p):
        return gram_product(xp, entries, fixed, p) + ridge[:, None] * p

    pull, loss = residual_product(xp, entries, fixed, start)
    gradient = (pull - ridge[:, None] * start) * free
    energy = gain * row_energy(xp, entries)
    solved, steps = lockstep_conjugate_gradients(
        xp, gram_times, gradient, start, free, precondition, energy, inner_tol, inner_max_iter
    )
    return solved, loss, steps


def gram_product(xp, entries, fixed, p):
    """Rows sum_e w_e (v_e . p_i) v_e: the Gram matrix of each row times its direction."""
    indptr, indices, _, weights = entries
    t = weigh(sampled_dot(xp, p, fixed, row_of_entry(xp, indptr), indices), weights)
    return csr_matmul(xp, indptr, indices, t, fixed)


def residual_product(xp, entries, fixed, x):
    """Rows sum_e w_e (y_e - x_i . v_e) v_e, and the sum of w_e (y_e - x_i . v_e)^2."""
    indptr, indices, values, weights = entries
    residual = values - sampled_dot(xp, x, fixed, row_of_entry(xp, indptr), indices)
    weighted = weigh(residual, weights)
    loss = float(xp.sum(weighted * residual, dtype=xp.float64))
    return csr_matmul(xp, indptr, indices, weighted, fixed), loss


def row_energy(xp, entries):
    """Sum of w_e y_e^2 of each row: what conjugate gradients measure rounding error by."""
    indptr, _, values, weights = entries
    return segment_sum(xp, weigh(values * values, weights), indptr)


def lockstep_conjugate_gradients(
    xp, gram_times, gradient, start, free, precondition, energy, tol, max_iter
):
    """Preconditioned conjugate gradients for many small systems at once.

    Parameters
    ----------
    xp : module
        Array namespace.
    gram_times : callable
        Maps directions of shape (n_rows, size) to the systems' matrices times them.
    gradient : array of shape (n_rows, size)
        Residuals of the systems at `start`, 0 on the coordinates that are not free.
    start : array of shape (n_rows, size)
        Where to start.
    free : array of shape (size,)
        1 for the coordinates to solve for, 0 for the others.
    precondition : callable
        Maps residuals to preconditioned residuals.
    energy : array of shape (n_rows,)
        Squared size of the data of each row: what lies below its rounding error is solved.
    tol : float
        A row stops when its preconditioned residual norm has fallen by this factor.
    max_iter : int
        Largest number of steps.

    Returns
    -------
    solved : array of shape (n_rows, size)
        The solutions.
    steps : int
        Steps taken, summed over the rows.
    """
    eps = float(xp.finfo(start.dtype).eps)
    x, r = start, gradient
    z = precondition(r)
    p = z
    rho = xp.sum(r * z, axis=1)
    reach = rho
    goal = xp.maximum(tol * tol * rho, eps * eps * energy)
    steps = 0
    for _ in range(max_iter):
        active = rho > goal
        n_active = int(xp.sum(xp.astype(active, xp.int64)))
        if not n_active:
            break
        q = gram_times(p) * free
        curve = xp.sum(p * q, axis=1)
        # A row ends where its direction p is one that its entries do not see: p M^-1 p, the
        # reach, is then all that rounding error has left of it.
        active = active & (curve > _UNSEEN * eps * reach)
        # rows that are done take steps of length 0
        length = _divide(xp, xp.where(active, rho, xp.zeros_like(rho)), curve)[:, None]
        x = x + length * p
        r = r - length * q
        z = precondition(r)
        previous = rho
        rho = xp.where(active, xp.sum(r * z, axis=1), xp.zeros_like(rho))
        turn = _divide(xp, rho, previous)
        reach = rho + turn * turn * reach
        p = z + turn[:, None] * p
        steps += n_active
    return x, steps


def row_of_entry(xp, indptr):
    """Row of each stored entry of a CSR matrix."""
    n_rows = indptr.shape[0] - 1
    ids = xp.arange(n_rows, dtype=indptr.dtype, device=array_api_compat.device(indptr))
    return xp.repeat(ids, indptr[1:] - indptr[:-1])


def weigh(values, weights):
    """Values times their weights, where an empty array of weights stands for ones."""
    return values * weights if weights.shape[0] else values


def _divide(xp, numerator, denominator):
    """The quotient, 0 where the denominator is not positive."""
    safe = xp.where(denominator > 0, denominator, xp.ones_like(denominator))
    quotient = numerator / safe
    return xp.where(denominator > 0, quotient, xp.zeros_like(quotient))


def _take_rows(xp, chosen, indptr, indices, values, weights):
    """CSR arrays of the chosen rows, which are in ascending order."""
    counts = indptr[1:] - indptr[:-1]
    ids = xp.arange(counts.shape[0], dtype=chosen.dtype, device=array_api_compat.device(counts))
    last = chosen.shape[0] - 1
    keep = chosen[xp.clip(xp.searchsorted(chosen, ids), 0, last)] == ids
    mask = xp.repeat(keep, counts)
    bounds = xp.concat([indptr[:1], xp.cumulative_sum(counts[chosen], dtype=indptr.dtype)])
    return bounds, indices[mask], values[mask], weights[mask] if weights.shape[0] else weights


def shared_gram(xp, ridge, mass, curvature, free):
    """Preconditioner from the Gram matrix that all rows share, diagonal in the rotated basis."""
    scale = mass[:, None] * curvature[None, :] + ridge[:, None]
    inverse = _divide(xp, xp.broadcast_to(free[None, :], scale.shape), scale)
    return lambda r: inverse * r


def gram_matrices(xp, entries, fixed):
    """Matrices sum_e w_e v_e v_e^T of the rows, of shape (n_rows, size, size)."""
    indptr, indices, _, weights = entries
    columns = []
    for a in range(fixed.shape[1]):
        scaled = weigh(xp.take(fixed[:, a], indices), weights)
        columns.append(csr_matmul(xp, indptr, indices, scaled, fixed))
    return xp.stack(columns, axis=1)


def _shift(xp, ridge, trace):
    """What to add to the diagonal of Gram matrices, and the gain of their inverses.

    A ridge that is 0, or nearly, is replaced in the preconditioner alone: the conjugate gradient
    steps that follow take the effect out of the solution again. Directions that a row has not
    seen hold nothing but rounding error, which the inverse magnifies: its squared size
    in the preconditioned norm is the gain, at most eps^-1/2, times that of the data.
    """
    floor = float(xp.finfo(trace.dtype).eps) ** 0.5 * trace
    shift = xp.where(ridge > floor, ridge, floor)
    # All-zero fixed factors leave nothing to solve: any regular matrix will do.
    shift = xp.where(shift > 0, shift, xp.ones_like(shift))
    return shift, xp.maximum(trace / shift, xp.ones_like(shift))


def exact_gram(xp, gram, ridge, free):
    """Preconditioner (G + ridge I)^-1 on the free coordinates, from the rows' own G; its gain."""
    gram = gram * (free[:, None] * free[None, :])
    identity = xp.eye(gram.shape[1], dtype=gram.dtype, device=array_api_compat.device(gram))
    shift, gain = _shift(xp, ridge, xp.sum(gram * identity, axis=(1, 2)))
    diagonal = shift[:, None] * free[None, :] + (1 - free)[None, :]
    gram = gram + diagonal[:, :, None] * identity
    return lambda r: xp.linalg.solve(gram, r[:, :, None])[:, :, 0], gain


def _sketched_gram(xp, entries, start, fixed, ridge, free, buckets, signs):
    """Start, preconditioner (R^T R)^-1 with Q R = [S A; sqrt(ridge) I], and gain of each row.

    A holds the row's sqrt(w_e) v_e. A row without a start begins at the sketch-and-solve
    answer R^-1 Q^T [S b; 0]; another one begins where it is, since sketching would throw
    away what earlier epochs have gained. One row at a time: this is the plain form.
    """
    indptr, indices, values, weights = entries
    n_free = int(xp.sum(free))
    device = array_api_compat.device(fixed)
    identity = xp.eye(fixed.shape[1], dtype=fixed.dtype, device=device)
    row_ids = xp.arange(8 * n_free, dtype=buckets.dtype, device=device)
    roots = weigh(xp.ones_like(values), xp.sqrt(weights))
    factors, starts, gains = [], [], []
    for i in range(start.shape[0]):
        begin, end = int(indptr[i]), int(indptr[i + 1])
        n = end - begin
        root = roots[begin:end]
        A = root[:, None] * xp.take(fixed, indices[begin:end], axis=0)
        b = root * values[begin:end] - A @ (start[i, :] * (1 - free))
        hit = buckets[:n, :, None] == row_ids[None, None, :]
        S = xp.sum(xp.where(hit, signs[:n, :, None], xp.zeros_like(signs[:1, :1, None])), axis=1).T
        SA = (S @ A) * free[None, :]
        shift, gain = _shift(xp, ridge[i], xp.sum(SA * SA))
        Q, R = xp.linalg.qr(xp.concat([SA, (xp.sqrt(shift) * free + (1 - free)) * identity]))
        gains.append(gain)
        factors.append(R)
        if bool(xp.all(start[i, :] * free == 0)):
            target = xp.concat([S @ b, xp.zeros_like(free)])
            starts.append(start[i, :] + xp.linalg.solve(R, Q.T @ target) * free)
        else:
            starts.append(start[i, :])
    R = xp.stack(factors)
    transposed = xp.matrix_transpose(R)

    def precondition(r):
        return xp.linalg.solve(R, xp.linalg.solve(transposed, r[:, :, None]))[:, :, 0]

    return xp.stack(starts), precondition, xp.stack(gains)
