"""Steps of the two solvers of clustering semidefinite programs.

B blocks of n x n matrices; ``A_k V = W_k (W_k^T V) - b_k (1^T V) - 1 (b_k^T V)`` with W_k of shape
(n, p). A factor U holds n x r columns of each block. All arrays are in double precision.
"""

import array_api_compat

from .._backend import kernel


@kernel(numba="skmatrix.cluster._sdp_numba:advance", min_size=0)
def advance(xp, W, b, U, G, y, *, step, radius, penalty):
    """Projected gradient step, equation (4), and the augmented Lagrangian there, equation (3).

    ``V_k = radius (U_k - step G_k)_+ / |(U_k - step G_k)_+|``.

    Parameters
    ----------
    xp : module
        Array namespace.
    W : array of shape (B, n, p)
        Square roots of the quadratic parts.
    b : array of shape (B, n)
        Linear parts.
    U : array of shape (B, n, r)
        Factor.
    G : array of shape (B, n, r)
        Gradient there.
    y : array of shape (n,)
        Multipliers of the row sums.
    step : float
        Length of the step; 0 evaluates at U.
    radius : float
        Frobenius norm of each block of the factor.
    penalty : float
        Weight of the squared residual.

    Returns
    -------
    V : array of shape (B, n, r)
        The new factor.
    M, s, c : array of shape (B, p, r), (B, r) and (B, r)
        Products ``W_k^T V_k``, ``1^T V_k`` and ``b_k^T V_k``.
    g : array of shape (n,)
        Residual of the row sums, ``sum_k V_k V_k^T 1 - 1``.
    values : array of shape (3,)
        Augmented Lagrangian (infinite if a block would be zero), ``sum_k <A_k, V_k V_k^T>``, and
        the squared length of the way from U to V.
    """
    V = U - step * G
    V = xp.where(V > 0, V, xp.zeros_like(V))
    norm = xp.sqrt(xp.sum(V * V, axis=(1, 2)))
    V = V * (radius / xp.where(norm > 0, norm, xp.ones_like(norm)))[:, None, None]
    M = xp.matrix_transpose(W) @ V
    s = xp.sum(V, axis=1)
    c = (b[:, None, :] @ V)[:, 0, :]
    g = xp.sum(V @ s[:, :, None], axis=0)[:, 0] - 1
    objective = xp.sum(M * M) - 2 * xp.sum(c * s)
    lagrangian = xp.sum(y * g) + penalty / 2 * xp.sum(g * g) - objective
    lagrangian = xp.where(xp.min(norm) > 0, lagrangian, xp.full_like(lagrangian, xp.inf))
    way = xp.sum((V - U) ** 2)
    return V, M, s, c, g, xp.stack([lagrangian, objective, way])


@kernel(numba="skmatrix.cluster._sdp_numba:gradient", min_size=0)
def gradient(xp, W, b, U, z, M, s, c, U_before, G_before):
    """Gradient of the augmented Lagrangian, and the curvature along the last step.

    ``G_k = -2 A_k U_k + z (1^T U_k) + 1 (z^T U_k)``.

    Parameters
    ----------
    xp : module
        Array namespace.
    W, b, U : array of shape (B, n, p), (B, n) and (B, n, r)
        As for `advance`.
    z : array of shape (n,)
        Multipliers y plus penalty times residual.
    M, s, c : array of shape (B, p, r), (B, r) and (B, r)
        Products with U.
    U_before, G_before : array of shape (B, n, r)
        Factor before the last step, and the gradient there.

    Returns
    -------
    G : array of shape (B, n, r)
        The gradient.
    curvature : array of shape ()
        ``<U - U_before, G - G_before>``.
    """
    t = 2 * c + (z[None, None, :] @ U)[:, 0, :]
    G = (2 * b + z)[:, :, None] * s[:, None, :] + t[:, None, :] - 2 * (W @ M)
    return G, xp.sum((U - U_before) * (G - G_before))


# Length of a step of the multipliers, by the usual factor.
_STEP = 1.618


@kernel(numba="skmatrix.cluster._sdp_numba:split", min_size=0)
def split(xp, A, Z, N, y, t, *, sigma, trace):
    """One step of the alternating direction method, equations (5) and (6).

    Parameters
    ----------
    xp : module
        Array namespace.
    A : array of shape (B, n, n)
        Objective, symmetric.
    Z : array of shape (B, n, n)
        Matrices.
    N : array of shape (B, n, n)
        Multipliers of the signs, times sigma.
    y : array of shape (n,)
        Multipliers of the row sums, times sigma.
    t : array of shape (B,)
        Multipliers of the traces, times sigma.
    sigma : float
        Inverse penalty.
    trace : float
        Trace of each block.

    Returns
    -------
    Z, N, y, t : arrays
        The next ones.
    P : array of shape (B, n, n)
        Positive semidefinite copies of the matrices.
    sums : array of shape (3,)
        Squared norms of what the matrices lack, of what the multipliers lack, and of the matrices.
    """
    values, vectors = xp.linalg.eigh(Z + N + sigma * A - _spread(xp, y, t, A))
    values = xp.where(values > 0, values, xp.zeros_like(values))
    P = (vectors * values[:, None, :]) @ xp.matrix_transpose(vectors)
    near, _, _ = project_affine(xp, P, trace)
    N_next = N - near
    N_next = xp.where(N_next > 0, N_next, xp.zeros_like(N_next))
    near, dy, dt = project_affine(xp, P + N_next - N, trace)
    negative = xp.where(near < 0, near, xp.zeros_like(near))
    sums = [
        xp.sum((near - P) ** 2) + xp.sum(negative**2),
        xp.sum((near - Z) ** 2),
        xp.sum(near * near),
    ]
    return Z + _STEP * (near - Z), N_next, y - dy, t - dt, P, xp.stack(sums)


def _spread(xp, y, t, like):
    """The matrices ``(y 1^T + 1 y^T) / 2 + t_k I``."""
    unit = xp.eye(y.shape[0], dtype=like.dtype, device=array_api_compat.device(like))
    return (y[:, None] + y[None, :]) / 2 + t[:, None, None] * unit


def project_affine(xp, V, trace):
    """Nearest matrices whose traces and common row sums are right, equation (6).

    Parameters
    ----------
    xp : module
        Array namespace.
    V : array of shape (B, n, n)
        Symmetric matrices.
    trace : float
        Trace of each block.

    Returns
    -------
    Z : array of shape (B, n, n)
        Symmetric matrices with ``sum_k Z_k 1 = 1`` and this trace each.
    y, t : array of shape (n,) and (B,)
        Multipliers: ``Z_k = V_k + (y 1^T + 1 y^T) / 2 + t_k I``.
    """
    unit = xp.eye(V.shape[1], dtype=V.dtype, device=array_api_compat.device(V))
    traces = xp.sum(V * unit, axis=(1, 2))
    y, t = affine_multipliers(xp, xp.sum(V, axis=(0, 2)), traces, trace)
    return V + _spread(xp, y, t, V), y, t


def affine_multipliers(xp, rows, traces, trace):
    """Multipliers of `project_affine` from the common row sums and the traces."""
    n_blocks, n = traces.shape[0], rows.shape[0]
    missing = 1 - rows
    total = (n_blocks * trace - xp.sum(traces)) / n
    s = (xp.sum(missing) - n * total) / (n_blocks * (n - 1))
    y = 2 / (n_blocks * n) * (missing - (total - n_blocks * s / n) - n_blocks / 2 * s)
    return y, (trace - traces - s) / n
