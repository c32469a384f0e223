"""Alternating direction method for clustering semidefinite programs: the convex optimum and duals.

Equations are numbered as in the Notes of ``ILASDPClustering``.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from .._backend import to_numpy
from ._sdp_kernels import split

# Steps between two looks at the residuals.
_LOOK = 20
# Imbalance of the residuals at which the penalty is changed, and by how much. The changes become
# rarer, so that they cannot keep the method from converging.
_IMBALANCE, _FACTOR, _RARER = 1.2, 1.25, 1.05
# First inverse penalty, over n: entries of the matrices are of that order.
_FIRST = 10.0
# Share of the gap by which a bound must improve over so many steps.
_PROGRESS, _PATIENCE = 0.05, 300
# Eigenvalues below this share of the largest do not count for the factor.
_NEGLIGIBLE = 1e-12


@dataclass
class DenseSolution:
    """The convex optimum.

    Attributes
    ----------
    matrices : float64 ndarray of shape (B, n, n)
        Z_k, positive semidefinite.
    multiplier : float64 ndarray of shape (n,)
        Multipliers of the row sums.
    bound : float
        Upper bound of the optimum, equation (7).
    value : float
        Objective.
    residual : float64 ndarray of shape (n,)
        Row sums less one.
    n_steps : int
        Steps.
    converged : bool
        Whether residuals and gap became small.
    penalty : None
        Nothing to start from again.
    """

    matrices: np.ndarray
    multiplier: np.ndarray
    bound: float
    value: float
    residual: np.ndarray
    n_steps: int
    converged: bool
    penalty: None = None

    @property
    def feasibility(self):
        """Root mean square of the residual."""
        return float(np.sqrt(np.mean(self.residual**2)))

    @property
    def factor(self):
        """A factor of the matrices, of shape (B, n, r), whose entries may be negative."""
        values, vectors = np.linalg.eigh(self.matrices)
        values = np.where(values > _NEGLIGIBLE * values[:, -1:], values, 0.0)
        used = np.flatnonzero(values.any(axis=0))
        return vectors[:, :, used] * np.sqrt(values[:, None, used])


def solve_dense(be, A, trace, *, tol, max_iter, target=None):
    """Alternating directions on the dual, equations (5) and (6).

    Parameters
    ----------
    be : Backend
        Engine of the steps.
    A : float64 ndarray of shape (B, n, n)
        Objective, symmetric.
    trace : float
        Trace of each block.
    tol : float
        Relative primal and dual residuals, and gap between objective and bound, at the end.
    max_iter : int
        Steps at most.
    target : float, default=None
        An upper bound that is low enough: it is looked for, and ends the search.

    Returns
    -------
    solution : DenseSolution
        Where it ended.
    """
    unit = np.abs(A).max() or 1.0
    scaled = be.load(A / unit)
    size = float(np.linalg.norm(A / unit)) or 1.0
    Z = N = be.load(np.zeros_like(A))
    y, t = be.load(np.zeros(A.shape[1]), np.zeros(A.shape[0]))
    sigma, look, wait = _FIRST / A.shape[1], _LOOK, float(_LOOK)
    bound = before = np.inf
    next_check, converged = _PATIENCE, False
    for n_steps in range(1, max_iter + 1):
        Z, N, y, t, P, sums = split(be, scaled, Z, N, y, t, sigma=sigma, trace=trace)
        if n_steps < look and n_steps < max_iter:
            continue
        lacking, dual, square = to_numpy(sums)
        primal, dual = np.sqrt(lacking / (2 * square)), np.sqrt(dual) / (sigma * size)
        small = primal < tol and dual < tol
        if target is not None or small or n_steps == max_iter:
            multiplier = unit / sigma * to_numpy(y)
            bound = min(bound, dual_bound(A, trace, multiplier, unit / sigma * to_numpy(N)))
            value = float(np.sum(A * to_numpy(P)))
            converged = small and abs(bound - value) <= tol * (abs(bound) + abs(value))
        if converged or (target is not None and bound <= target):
            break
        if target is not None and n_steps >= next_check:
            if before - bound < _PROGRESS * (bound - target):
                break
            before, next_check = bound, n_steps + _PATIENCE
        change = 1.0
        if max(primal, dual) > _IMBALANCE * min(primal, dual):
            change = _FACTOR if dual > primal else 1 / _FACTOR
            wait *= _RARER
        sigma, N, y, t = sigma * change, N * change, y * change, t * change
        look = n_steps + int(wait)
    matrices = to_numpy(P)
    return DenseSolution(
        matrices,
        multiplier,
        bound,
        value,
        matrices.sum(axis=(0, 2)) - 1,
        n_steps,
        converged,
    )


def dual_bound(A, trace, y, slack):
    """Upper bound of the optimum for any y and any non-negative slack, equation (7).

    Parameters
    ----------
    A : float64 ndarray of shape (B, n, n)
        Objective, symmetric.
    trace : float
        Trace of each block.
    y : float64 ndarray of shape (n,)
        Multipliers of the row sums.
    slack : float64 ndarray of shape (B, n, n)
        Multipliers of the signs.

    Returns
    -------
    bound : float
        The bound.
    """
    n = y.shape[0]
    total = float(np.sum(y))
    for own, positive in zip(A, slack, strict=True):
        matrix = own + positive - (y[:, None] + y[None, :]) / 2
        matrix = (matrix + matrix.T) / 2
        top = eigh(matrix, eigvals_only=True, subset_by_index=[n - 1, n - 1])
        total += trace * float(top[0])
    return total


def dense_objective(W, b):
    """The matrices ``W_k W_k^T - b_k 1^T - 1 b_k^T`` themselves.

    Parameters
    ----------
    W : float64 ndarray of shape (B, n, p)
        Square roots of the quadratic parts.
    b : float64 ndarray of shape (B, n)
        Linear parts.

    Returns
    -------
    A : float64 ndarray of shape (B, n, n)
        The matrices.
    """
    return np.matmul(W, W.transpose(0, 2, 1)) - b[:, :, None] - b[:, None, :]
