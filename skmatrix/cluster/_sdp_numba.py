"""Numba twins of the solvers of clustering programs: passes without temporaries."""

import numpy as np
from numba import njit
from scipy.linalg.lapack import dsyevr

from ._sdp_kernels import _STEP, affine_multipliers

_JIT = {"cache": True, "nogil": True}
# Sums may be reordered, which lets them use vector registers; NaN and infinity keep their meaning.
_SUMS = {**_JIT, "fastmath": {"reassoc", "contract", "nsz"}}
_HUGE = np.finfo(np.float64).max


def advance(W, b, U, G, y, *, step, radius, penalty):
    """Projected step; the contract is that of the array-API kernel of this name."""
    W, U, G = _columns(W), _columns(U), _columns(G)
    V, squares = np.empty_like(U), np.empty(U.shape[2], U.dtype)
    energy = np.empty(U.shape[0], U.dtype)
    s, c = np.empty(U.shape[:2], U.dtype), np.empty(U.shape[:2], U.dtype)
    _cut(U, G, step, V, energy)
    norm = np.sqrt(energy)
    _scale(U, V, b, radius / np.where(norm > 0, norm, 1.0), squares, s, c)
    M = np.matmul(V, W.transpose(0, 2, 1))
    g = s.ravel() @ V.reshape(-1, V.shape[2]) - 1
    objective = np.vdot(M, M) - 2 * np.vdot(c, s)
    lagrangian = np.vdot(y, g) + penalty / 2 * np.vdot(g, g) - objective
    if not norm.all():
        lagrangian = np.inf
    values = np.array([lagrangian, objective, squares.sum()], U.dtype)
    return V.transpose(0, 2, 1), M.transpose(0, 2, 1), s, c, g, values


def gradient(W, b, U, z, M, s, c, U_before, G_before):
    """Gradient and curvature; the contract is that of the array-API kernel of this name."""
    U, U_before, G_before = _columns(U), _columns(U_before), _columns(G_before)
    G = np.matmul(M.transpose(0, 2, 1), _columns(W))
    t = 2 * c + U @ z
    products = np.empty(U.shape[2], U.dtype)
    _gradient(b, z, s, t, U, U_before, G_before, G, products)
    return G.transpose(0, 2, 1), products.sum()


def _columns(matrices):
    """Columns one after the other, so that passes run along them; no copy if they are so."""
    return np.ascontiguousarray(matrices.transpose(0, 2, 1))


def split(A, Z, N, y, t, *, sigma, trace):
    """Step of alternating directions; the contract is that of the array-API kernel of this name.

    The positive part has few columns but in the first steps, and the routine that computes these
    alone takes less than half the time of a full decomposition.
    """
    P = _shifted(A, Z, N, y, t, sigma)
    for k, matrix in enumerate(P):
        P[k] = _positive_part(matrix)
    dy, dt = affine_multipliers(np, P.sum(axis=(0, 2)), np.einsum("kii->k", P), trace)
    N_next, change = np.empty_like(N), np.empty_like(N)
    _signs(P, N, dy, dt, N_next, change)
    dy, dt = affine_multipliers(np, change.sum(axis=(0, 2)), np.einsum("kii->k", change), trace)
    Z_next = np.empty_like(Z)
    sums = np.array(_advance_matrices(P, Z, change, dy, dt, Z_next), dtype=A.dtype)
    return Z_next, N_next, y - dy, t - dt, P, sums


def _positive_part(matrix):
    """Nearest positive semidefinite matrix."""
    # LAPACK sees the transpose, which is the same matrix.
    values, vectors, n_positive, _, failure = dsyevr(matrix.T, range="V", vl=0.0, vu=_HUGE, lower=1)
    if failure:
        values, vectors = np.linalg.eigh(matrix)
        n_positive = values.size
    vectors = vectors[:, :n_positive]
    return (vectors * np.maximum(values[:n_positive], 0)) @ vectors.T


@njit(**_JIT)
def _shifted(A, Z, N, y, t, sigma):
    """``Z + N + sigma A - (y 1^T + 1 y^T) / 2 - t I``."""
    M = np.empty_like(A)
    n_blocks, n, _ = A.shape
    for k in range(n_blocks):
        for i in range(n):
            for j in range(n):
                M[k, i, j] = Z[k, i, j] + N[k, i, j] + sigma * A[k, i, j] - (y[i] + y[j]) / 2
            M[k, i, i] -= t[k]
    return M


@njit(**_JIT)
def _signs(P, N, dy, dt, N_next, change):
    """Multipliers of the signs, and P with their change."""
    n_blocks, n, _ = P.shape
    for k in range(n_blocks):
        for i in range(n):
            for j in range(n):
                value = P[k, i, j] + (dy[i] + dy[j]) / 2
                if i == j:
                    value += dt[k]
                N_next[k, i, j] = max(N[k, i, j] - value, 0.0)
                change[k, i, j] = P[k, i, j] + N_next[k, i, j] - N[k, i, j]


@njit(**_JIT)
def _advance_matrices(P, Z, change, dy, dt, Z_next):
    """The next matrices, and the sums that the kernel returns."""
    primal, dual, size = 0.0, 0.0, 0.0
    n_blocks, n, _ = P.shape
    for k in range(n_blocks):
        for i in range(n):
            for j in range(n):
                near = change[k, i, j] + (dy[i] + dy[j]) / 2
                if i == j:
                    near += dt[k]
                primal += (near - P[k, i, j]) ** 2 + min(near, 0.0) ** 2
                dual += (near - Z[k, i, j]) ** 2
                size += near * near
                Z_next[k, i, j] = Z[k, i, j] + _STEP * (near - Z[k, i, j])
    return primal, dual, size


@njit(**_SUMS)
def _cut(U, G, step, V, energy):
    """A step, cut at zero, and the squared norm of each block."""
    n_blocks, r, n = U.shape
    for k in range(n_blocks):
        energy[k] = 0.0
        for q in range(r):
            total = 0.0
            for i in range(n):
                value = U[k, q, i] - step * G[k, q, i]
                value = value if value > 0.0 else 0.0
                V[k, q, i] = value
                total += value * value
            energy[k] += total


@njit(**_SUMS)
def _scale(U, V, b, scale, squares, s, c):
    """Scale each block of V, with the squared length of each row's way from U.

    The sums of each column go into s, its products with b into c.
    """
    n_blocks, r, n = U.shape
    squares[:] = 0.0
    for k in range(n_blocks):
        for q in range(r):
            total, product = 0.0, 0.0
            for i in range(n):
                value = scale[k] * V[k, q, i]
                V[k, q, i] = value
                squares[i] += (value - U[k, q, i]) ** 2
                total += value
                product += value * b[k, i]
            s[k, q], c[k, q] = total, product


@njit(**_JIT)
def _gradient(b, z, s, t, U, U_before, G_before, G, products):
    """Turn the products W M in G into the gradient; each row's part of the curvature."""
    n_blocks, r, n = U.shape
    products[:] = 0.0
    for k in range(n_blocks):
        for q in range(r):
            for i in range(n):
                value = (2 * b[k, i] + z[i]) * s[k, q] + t[k, q] - 2 * G[k, q, i]
                products[i] += (U[k, q, i] - U_before[k, q, i]) * (value - G_before[k, q, i])
                G[k, q, i] = value
