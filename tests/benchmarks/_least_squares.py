"""Least squares problems whose solution is known, and how good a solution of theirs is."""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

_ELEMENTS = 2**22  # of a block in extended precision


@dataclass
class LeastSquares:
    """A dense problem, its solution, and the singular values and right vectors of its rows.

    The rows are ``[1 | X]`` if there is an intercept, which then comes first in the solution.
    """

    X: np.ndarray
    y: np.ndarray
    intercept: bool
    solution: np.ndarray
    singular_values: np.ndarray
    vectors: np.ndarray  # right singular vectors, one a row

    @classmethod
    def of_triangle(cls, X, y, intercept, solution, triangle):
        """From a triangular factor of the rows."""
        _, values, vectors = linalg.svd(triangle)
        return cls(X, y, intercept, solution, values, vectors)

    def parameters(self, coef, intercept=0.0):
        """Intercept and coefficients in one array."""
        return np.concatenate([np.atleast_1d(intercept), coef]) if self.intercept else coef

    def backward_error(self, parameters):
        """Karlson and Waldén's estimate of the optimal backward error, over the Frobenius norm.

        It is within a factor of about the square root of two of the smallest change of the rows
        for which `parameters` are the least squares solution.
        """
        slope, residual = gradient(self.X, self.y, parameters, self.intercept)
        values, size = self.singular_values, np.linalg.norm(parameters)
        weighted = self.vectors @ slope / np.hypot(size * values, residual)
        return np.linalg.norm(weighted) / np.linalg.norm(values)

    def excess(self, parameters):
        """By which share the sum of squares is above the smallest one."""
        change = self.singular_values * (self.vectors @ (parameters - self.solution))
        _, residual = gradient(self.X, self.y, self.solution, self.intercept)
        return (np.linalg.norm(change) / residual) ** 2

    def errors(self, parameters):
        """Backward error, distance to the solution, and excess of the sum of squares."""
        distance = np.linalg.norm(parameters - self.solution) / np.linalg.norm(self.solution)
        return {
            "backward_error": self.backward_error(parameters),
            "forward_error": distance,
            "residual_excess": self.excess(parameters),
        }


def gradient(X, y, parameters, intercept):
    """``T^T (y - T x)`` for rows ``T = [1 | X]``, and the norm of the residual.

    The sums are in extended precision where there is one. X may be in CSR format.
    """
    parameters = np.asarray(parameters, dtype=np.longdouble)
    level, coef = (parameters[0], parameters[1:]) if intercept else (0, parameters)
    slope, total, squares = np.zeros_like(coef), np.longdouble(0), np.longdouble(0)
    step = max(1, _ELEMENTS // X.shape[1])
    for start in range(0, X.shape[0], step):
        rows = X[start : start + step].astype(np.longdouble)
        residual = y[start : start + step] - level - rows @ coef
        slope += rows.T @ residual
        total += residual.sum()
        squares += residual @ residual
    slope = np.concatenate([[total], slope]) if intercept else slope
    return slope.astype(np.float64), float(np.sqrt(squares))


def with_ones(X):
    """The rows ``[1 | X]`` in the order of LAPACK."""
    rows = np.empty((X.shape[0], X.shape[1] + 1), order="F")
    rows[:, 0] = 1
    rows[:, 1:] = X
    return rows


def normal_solution(gram, rhs):
    """Solution of normal equations."""
    return linalg.cho_solve(linalg.cho_factor(gram), rhs)
