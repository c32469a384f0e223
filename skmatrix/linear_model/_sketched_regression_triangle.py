"""Least squares once the rows are a triangle: ranks, ridges, minimum norms and whiteners.

A triangle is the R of a QR decomposition of rows ``[1 | A | B]``: of the data, of their sketch,
or of a stream. Everything here is small and runs on the host, in double precision.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular, svd, svdvals

# Below this condition number of the equilibrated triangle no singular vectors are needed to say
# that a problem has full rank.
_SAFETY = 0.1
# Triangles up to this size are measured by all of their singular values.
_SMALL = 256
_POWER_STEPS = 20


def triangularise(M):
    """The R of the QR decomposition of rows.

    Parameters
    ----------
    M : ndarray of shape (n, p)
        Rows.

    Returns
    -------
    R : ndarray of shape (min(n, p), p)
        Upper triangular or trapezoidal.
    """
    return np.linalg.qr(M, mode="r")


@dataclass(frozen=True)
class Layout:
    """Columns of the rows: ones if there is an intercept, features, targets.

    Attributes
    ----------
    intercept : bool
        Whether the first column holds the ones.
    n_features, n_targets : int
        Number of the others.
    """

    intercept: bool
    n_features: int
    n_targets: int

    @property
    def n_parameters(self):
        """Columns before the targets."""
        return int(self.intercept) + self.n_features

    @property
    def width(self):
        """All columns."""
        return self.n_parameters + self.n_targets

    @property
    def penalised(self):
        """Slice of the parameters that a ridge penalises: all but the intercept."""
        return slice(int(self.intercept), self.n_parameters)


@dataclass(frozen=True)
class Factor:
    """What a triangle knows about the least squares problem of its rows.

    Attributes
    ----------
    whitener : ndarray of shape (n_parameters, rank)
        W: the columns of ``[1 | A] W`` are orthonormal for the rows that the triangle comes
        from, together with the penalty.
    parameters : ndarray of shape (n_parameters, n_targets)
        Minimum-norm solution, intercept first.
    null : ndarray of shape (n_features, n_null) or None
        Orthonormal basis of the directions that A does not see, None if there are none.
    means : ndarray of shape (n_features,)
        What the intercept gives back when a coefficient changes: mean of each column.
    rank : int
        Numerical rank of A without its means, or of the penalised system.
    scale : ndarray of shape (n_parameters,)
        Norms of the columns after elimination of the ones; 1 for columns without variation.
    scaled_condition : float
        Condition number once the columns are divided by their norms.
    """

    whitener: np.ndarray
    parameters: np.ndarray
    null: np.ndarray | None
    means: np.ndarray
    rank: int
    scale: np.ndarray
    scaled_condition: float

    def shortest(self, parameters):
        """The parameters of the same predictions with the smallest coefficients."""
        if self.null is None:
            return parameters
        offset = parameters.shape[0] - self.null.shape[0]
        coef = parameters[offset:]
        unseen = self.null @ (self.null.T @ coef)
        shortened = parameters.copy()
        shortened[offset:] -= unseen
        if offset:
            shortened[0] += self.means @ unseen
        return shortened


def factorise(R, layout, alpha, rank_tol):
    """Solve the ridge regression that a triangle stands for.

    Parameters
    ----------
    R : ndarray of shape (k, width)
        Triangle of rows ``[1 | A | B]``.
    layout : Layout
        Its columns.
    alpha : float
        Penalty of the coefficients.
    rank_tol : float
        Singular values of the equilibrated triangle below this share of the largest are zero.

    Returns
    -------
    factor : Factor
        The solution and the whitener.
    """
    lead, p = int(layout.intercept), layout.n_parameters
    body, rhs = R[lead:, lead:p], R[lead:, p:]
    full_norm = _column_norms(R[:, lead:p])
    if body.shape[0] < layout.n_features:
        small, coef, null, rank, condition = _solve_wide(body, rhs, alpha, rank_tol)
        scale = np.ones(layout.n_features)
    else:
        if alpha > 0:
            body, rhs = _penalise(body, rhs, alpha)
        body, rhs = body[: layout.n_features], rhs[: layout.n_features]
        scale = _column_norms(body)
        # A column of constants leaves nothing but rounding errors.
        still = scale <= 10 * rank_tol * full_norm
        scale = np.where(still, 1.0, scale)
        body = np.where(still, 0.0, body)
        small, coef, null, rank, condition = _solve_tall(body, rhs, scale, rank_tol)
    means = np.zeros(layout.n_features)
    if not lead:
        return Factor(small, coef, null, means, rank, scale, condition)
    means = R[0, lead:p] / R[0, 0]
    whitener = np.zeros((p, 1 + small.shape[1]))
    whitener[0, 0] = 1 / R[0, 0]
    whitener[0, 1:] = -means @ small
    whitener[1:, 1:] = small
    parameters = np.concatenate([(R[0, p:] / R[0, 0] - means @ coef)[None, :], coef])
    scale = np.concatenate([[abs(R[0, 0])], scale])
    return Factor(whitener, parameters, null, means, rank, scale, condition)


def condition_number(R):
    """Condition number of a triangle in the spectral norm; an estimate for large ones.

    Parameters
    ----------
    R : ndarray of shape (k, d)
        Triangle, or trapezoid if ``k < d``.

    Returns
    -------
    condition : float
        Largest over smallest singular value, infinite for a singular triangle.
    """
    if R.size == 0:
        return 1.0
    unit = np.abs(R).max()
    if not unit:
        return np.inf
    R = R / unit
    if min(R.shape) <= _SMALL or R.shape[0] < R.shape[1]:
        values = svdvals(R)
        return float(values[0] / values[-1]) if values[-1] > 0 else np.inf
    if not np.diagonal(R).all():
        return np.inf
    # Power steps with R^T R and with its inverse.
    start = np.random.default_rng(0).standard_normal(R.shape[1])
    v = w = start / np.linalg.norm(start)
    largest = smallest = 1.0
    for _ in range(_POWER_STEPS):
        v = R.T @ (R @ v)
        largest = float(np.linalg.norm(v))
        v /= largest
        with np.errstate(over="ignore", invalid="ignore"):
            w = solve_triangular(R, solve_triangular(R, w, trans="T", check_finite=False))
        smallest = float(1 / np.linalg.norm(w))
        w = w * smallest
        if not np.isfinite(w).all():
            return np.inf
    return float(np.sqrt(largest / smallest))


def column_condition(R, layout):
    """Condition number of A without its means, from the triangle of its rows."""
    lead = int(layout.intercept)
    return condition_number(R[lead:, lead : layout.n_parameters][: layout.n_features])


def residual_norms(R, layout, parameters):
    """Norms of ``B - [1 | A] x`` for the rows of a triangle, a number per target."""
    misfit = R[:, layout.n_parameters :] - R[:, : layout.n_parameters] @ parameters
    return _column_norms(misfit)


def update_triangle(R, M):
    """Triangle of rows that have one, together with further rows.

    The further rows are whitened by the triangle. As long as they look like those before, the
    Cholesky factor of their Gram matrix is an orthogonal update in all but name, with an error
    of a few ulps, at a third of the time of Householder's: rows of another kind go that way.

    Parameters
    ----------
    R : ndarray of shape (k, p)
        Triangle so far.
    M : ndarray of shape (n, p)
        Further rows.

    Returns
    -------
    R : ndarray of shape (min(k + n, p), p)
        Triangle of all.
    """
    if R.shape[0] == R.shape[1] and np.diagonal(R).all():
        with np.errstate(over="ignore", invalid="ignore"):
            whitened = solve_triangular(R, M.T, trans="T", check_finite=False)
            gram = whitened @ whitened.T
        # Not true for NaN either.
        if np.diagonal(gram).max() < _ALIKE:
            gram[np.diag_indices_from(gram)] += 1
            return np.linalg.cholesky(gram).T @ R
    return triangularise(np.concatenate([R, M]))


# Largest squared norm of a whitened column for which a Gram matrix loses no digits that matter.
_ALIKE = 50.0


def _solve_tall(R, rhs, scale, rank_tol):
    """Whitener, coefficients, null space, rank and condition of a square triangle."""
    equilibrated = R / scale
    condition = condition_number(equilibrated)
    identity = np.eye(R.shape[1])
    if condition * rank_tol < _SAFETY:
        inverse = solve_triangular(equilibrated, identity, check_finite=False)
        coef = solve_triangular(R, rhs, check_finite=False)
        return inverse / scale[:, None], coef, None, R.shape[1], condition
    U, values, Vt = svd(equilibrated, check_finite=False)
    rank = int(np.sum(values > rank_tol * values[:1]))
    whitener = (Vt[:rank].T / values[:rank]) / scale[:, None]
    coef = whitener @ (U[:, :rank].T @ rhs)
    null = None
    if rank < R.shape[1]:
        null, _ = np.linalg.qr(Vt[rank:].T * (scale.min() / scale)[:, None])
        coef = coef - null @ (null.T @ coef)
        condition = float(values[0] / values[rank - 1]) if rank else 1.0
    return whitener, coef, null, rank, condition


def _solve_wide(R, rhs, alpha, rank_tol):
    """The same for a problem with fewer rows than features."""
    U, values, Vt = svd(R, full_matrices=False, check_finite=False)
    kept = values > rank_tol * values[:1]
    rank = int(np.sum(kept))
    values, V = values[:rank], Vt[:rank].T
    # Tikhonov's filter, which does not square the condition number.
    length = np.hypot(values, np.sqrt(alpha))
    coef = V @ ((values / length / length)[:, None] * (U[:, :rank].T @ rhs))
    condition = float(values[0] / values[-1]) if rank else 1.0
    return V / length, coef, None, R.shape[1] if alpha > 0 else rank, condition


def _penalise(R, rhs, alpha):
    """Triangle of the rows together with those of the penalty, ``sqrt(alpha) I``."""
    d = R.shape[1]
    penalty = np.concatenate([np.sqrt(alpha) * np.eye(d), np.zeros((d, rhs.shape[1]))], axis=1)
    joined = triangularise(np.concatenate([np.concatenate([R, rhs], axis=1), penalty]))
    return joined[:, :d], joined[:, d:]


def _column_norms(M):
    """Norms of the columns, without overflow."""
    peak = np.abs(M).max(axis=0, initial=0.0)
    safe = np.where(peak > 0, peak, 1.0)
    return safe * np.sqrt(np.sum((M / safe) ** 2, axis=0))
