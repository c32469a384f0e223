"""Least squares once the rows are a triangle: ranks, ridges, minimum norms and whiteners.

A triangle is the R of a QR decomposition of rows ``[1 | A | B]``: of the data, of their sketch,
or of a stream. Everything here is small and runs on the host, in double precision.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr, solve_triangular, svd, svdvals

# Below this condition number of the equilibrated triangle no singular vectors are needed to say
# that a problem has full rank.
_SAFETY = 0.1
# Triangles up to this size are measured by all of their singular values.
_SMALL = 256
_POWER_STEPS = 20


def triangularise(M, n_parameters):
    """Triangle of rows ``[T | B]``: the R of T, what it makes of B, and what is left of B.

    Parameters
    ----------
    M : ndarray of shape (n, width)
        Rows.
    n_parameters : int
        Columns of T.

    Returns
    -------
    triangle : ndarray of shape (min(n, n_parameters) + 1, width)
        R and ``Q^T B``; in the last row the norms of the rest of each target, after zeros. Such a
        row is as good as the rest itself for sums of squares by target, which is all that counts.
    """
    k = min(M.shape[0], n_parameters)
    triangle = np.zeros((k + 1, M.shape[1]))
    if M.shape[0] > n_parameters and M.shape[1] <= 2 * n_parameters:
        R = np.asarray(np.linalg.qr(M, mode="r"))
        triangle[:k] = R[:k]
        triangle[k, n_parameters:] = _column_norms(R[k:, n_parameters:])
        return triangle
    # Many targets, or few rows: reflections of all targets would cost their square.
    T, B = M[:, :n_parameters], M[:, n_parameters:]
    Q, triangle[:k, :n_parameters] = np.linalg.qr(T)
    triangle[:k, n_parameters:] = Q.T @ B
    if M.shape[0] > k:
        triangle[k, n_parameters:] = _column_norms(B - Q @ triangle[:k, n_parameters:])
    return triangle


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
        from, together with the penalty. Of all parameters with the same predictions ``W z`` are
        those with the shortest coefficients.
    parameters : ndarray of shape (n_parameters, n_targets)
        Minimum-norm solution, intercept first.
    null : ndarray of shape (n_parameters, n_null) or None
        Basis of the directions that the rows do not see, None if there are none.
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
    rank: int
    scale: np.ndarray
    scaled_condition: float


def factorise(R, layout, alpha, rank_tol, unit=None):
    """Solve the ridge regression that a triangle stands for.

    Parameters
    ----------
    R : ndarray of shape (k + 1, width)
        Triangle of rows ``[1 | A | B]``.
    layout : Layout
        Its columns.
    alpha : float
        Penalty of the coefficients.
    rank_tol : float
        Singular values of the equilibrated triangle below this share of the largest are zero.
    unit : ndarray of shape (n_features,) or None
        What the features were multiplied by: the solution is shortest once this is undone.

    Returns
    -------
    factor : Factor
        The solution and the whitener.
    """
    lead, p = int(layout.intercept), layout.n_parameters
    body, rhs = R[lead:-1, lead:p], R[lead:-1, p:]
    wide = body.shape[0] < layout.n_features
    if not wide:
        if alpha > 0:
            body, rhs = _penalise(body, rhs, alpha)
        body, rhs = body[: layout.n_features], rhs[: layout.n_features]
    scale = _column_norms(body)
    # A column of constants leaves nothing but rounding errors.
    rounding = 100 * layout.n_features * np.finfo(np.float64).eps
    still = scale <= min(10 * rank_tol, rounding) * _column_norms(R[:, lead:p])
    body = np.where(still, 0.0, body)
    unit = np.ones(layout.n_features) if unit is None else unit
    if wide and alpha > 0:
        small, coef, null, rank, condition = _solve_wide_ridge(body, rhs, alpha)
    else:
        size = np.where(still, 0.0, scale)
        small, coef, null, rank, condition = _solve(body, rhs, size, unit, rank_tol)
    scale = np.where(still, 1.0, scale)
    if not lead:
        return Factor(small, coef, null, rank, scale, condition)
    whitener = np.zeros((p, 1 + small.shape[1]))
    whitener[0, 0] = 1 / R[0, 0]
    whitener[1:, 1:] = small
    means = R[0, lead:p] / R[0, 0]
    whitener[0, 1:] = -means @ small
    parameters = np.concatenate([(R[0, p:] / R[0, 0] - means @ coef)[None, :], coef])
    if null is not None:
        null = np.concatenate([-(means @ null)[None, :], null])
    scale = np.concatenate([[abs(R[0, 0])], scale])
    return Factor(whitener, parameters, null, rank, scale, condition)


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
    return condition_number(R[lead:-1, lead : layout.n_parameters])


def residual_norms(R, layout, parameters):
    """Norms of ``B - [1 | A] x`` for the rows of a triangle, a number per target."""
    misfit = R[:, layout.n_parameters :] - R[:, : layout.n_parameters] @ parameters
    return _column_norms(misfit)


def update_triangle(triangle, M, n_parameters):
    """Triangle of rows that have one, together with further rows.

    The further rows are whitened by the triangle. As long as they look like those before, the
    Cholesky factor of their Gram matrix is an orthogonal update in all but name, with an error
    of a few ulps, at a third of the time of Householder's: rows of another kind go that way.

    With ``Y = R^-T T^T``, ``1 + Y Y^T = C C^T`` and the innovations ``e = B - Y^T c`` of the
    targets, R becomes ``C^T R``, c becomes ``C^T c + C^-1 Y e``, and the squares of what is
    left grow by ``|e|^2 - |C^-1 Y e|^2``.

    Parameters
    ----------
    triangle : ndarray of shape (k + 1, width)
        Triangle so far.
    M : ndarray of shape (n, width)
        Further rows.
    n_parameters : int
        Columns before the targets.

    Returns
    -------
    triangle : ndarray of shape (min(k + n, n_parameters) + 1, width)
        Triangle of all.
    """
    p = n_parameters
    R, c, left = triangle[:-1, :p], triangle[:-1, p:], triangle[-1, p:]
    if R.shape[0] == p and np.diagonal(R).all():
        with np.errstate(over="ignore", invalid="ignore"):
            Y = solve_triangular(R, M[:, :p].T, trans="T", check_finite=False)
            gram = Y @ Y.T
        # Not true for NaN either.
        if np.diagonal(gram).max(initial=0.0) < _ALIKE:
            gram[np.diag_indices_from(gram)] += 1
            C = np.linalg.cholesky(gram)
            innovation = M[:, p:] - Y.T @ c
            gain = solve_triangular(C, Y @ innovation, lower=True, check_finite=False)
            updated = np.zeros((p + 1, M.shape[1]))
            updated[:p, :p] = C.T @ R
            updated[:p, p:] = C.T @ c + gain
            size = _column_norms(innovation)
            scale = np.maximum(np.maximum(size, left), np.finfo(np.float64).tiny)
            squares = (left / scale) ** 2 + (size / scale) ** 2
            squares -= (_column_norms(gain) / scale) ** 2
            updated[p, p:] = scale * np.sqrt(np.maximum(squares, 0))
            return updated
    return triangularise(np.concatenate([triangle, M]), p)


# Largest squared norm of a whitened column for which a Gram matrix loses no digits that matter.
_ALIKE = 50.0


def _solve(R, rhs, size, unit, rank_tol):
    """Whitener, coefficients, null space, rank and condition of a triangle or trapezoid.

    The columns of `R` have the norms `size`, and are features times `unit`.
    """
    equilibrated = R / np.where(size > 0, size, 1.0)
    square = R.shape[0] == R.shape[1]
    full = square and np.diagonal(R).all()
    condition = condition_number(equilibrated) if full else np.inf
    if not full or condition * rank_tol >= _SAFETY:
        U, values, Vt = svd(equilibrated, full_matrices=square, check_finite=False)
        # A zero on the diagonal is a direction that is not there, whatever the user's cut.
        cut = rank_tol if full else max(rank_tol, np.finfo(np.float64).eps)
        rank = int(np.sum(values > cut * values[:1]))
        if rank < R.shape[1]:
            whitener = _shortest(Vt[:rank].T, values[:rank], size / unit) / unit[:, None]
            coef = whitener @ (U[:, :rank].T @ rhs)
            top = size.max() or 1.0
            null = Vt[rank:].T * (top / np.where(size > 0, size, top))[:, None]
            condition = float(values[0] / values[rank - 1]) if rank else 1.0
            return whitener, coef, null if square else None, rank, condition
    inverse = solve_triangular(equilibrated, np.eye(R.shape[1]), check_finite=False)
    coef = solve_triangular(R, rhs, check_finite=False)
    return inverse / size[:, None], coef, None, R.shape[1], condition


def _shortest(V, values, size):
    """Of all coefficients of columns of this size with singular values and vectors, the shortest.

    They lie in the space of the rows, which is that of ``size V``.
    """
    if not values.size:
        return np.zeros_like(V)
    basis, triangle, order = _orthonormalise(V * (size / size.max())[:, None])
    inner = solve_triangular(triangle, np.diag(1 / values)[order], trans="T", check_finite=False)
    return basis @ inner / size.max()


def _solve_wide_ridge(R, rhs, alpha):
    """The same for a ridge regression with fewer rows than features."""
    U, values, Vt = svd(R, full_matrices=False, check_finite=False)
    # Tikhonov's filter, which does not square the condition number.
    length = np.hypot(values, np.sqrt(alpha))
    coef = Vt.T @ ((values / length / length)[:, None] * (U.T @ rhs))
    condition = float(length.max(initial=1.0) / length.min(initial=1.0))
    return Vt.T / length, coef, None, R.shape[1], condition


def _orthonormalise(M):
    """QR decomposition with pivots, accurate in each row however much their sizes differ."""
    rows = np.argsort(-np.abs(M).max(axis=1, initial=0.0))
    basis = np.empty_like(M)
    basis[rows], triangle, order = qr(M[rows], mode="economic", pivoting=True, check_finite=False)
    return basis, triangle, order


def _penalise(R, rhs, alpha):
    """Triangle of the rows together with those of the penalty, ``sqrt(alpha) I``."""
    d = R.shape[1]
    penalty = np.concatenate([np.sqrt(alpha) * np.eye(d), np.zeros((d, rhs.shape[1]))], axis=1)
    parts = [np.concatenate([R, rhs], axis=1), penalty]
    if np.sqrt(alpha) > np.abs(R).max():
        # Reflections are accurate in each row if the large ones come first.
        parts.reverse()
    joined = triangularise(np.concatenate(parts), d)[:-1]
    return joined[:, :d], joined[:, d:]


def _column_norms(M):
    """Norms of the columns, without overflow."""
    peak = np.abs(M).max(axis=0, initial=0.0)
    safe = np.where(peak > 0, peak, 1.0)
    return safe * np.sqrt(np.sum((M / safe) ** 2, axis=0))
