"""Closed-form dual certificate of a K-means partition: no array of n x n numbers.

Equations are numbered as in the Notes of ``SDPKMeans``.
"""

from itertools import product

import numpy as np
from scipy.linalg import eigh
from scipy.optimize import minimize_scalar

# Points of the grid of the search over the multiplier of the trace, and its reach.
_GRID = 24
_REACH = 100.0
# Inertia in units of the sum of squares that is but rounding.
_NOTHING = 1e-28
# Smallest multiplier, in units of the sum of squares.
_SMALLEST = 1e-12


def partition_bound(X, labels):
    """Upper bound of the K-means program from the dual of a partition, equation (8).

    Parameters
    ----------
    X : float64 ndarray of shape (n, p)
        Centred data.
    labels : int64 ndarray of shape (n,)
        Partition into groups 0 to K - 1, none of them empty.

    Returns
    -------
    value : float
        ``sum_k |sum_{i in G_k} x_i|^2 / n_k``, the objective of the partition.
    gap : float
        What no feasible matrix, and hence no partition, can add to it; never more than the inertia.
    rounding : float
        What rounding errors can have taken from the gap.
    """
    dual = _Dual(X, labels)
    inertia = float(np.sum(dual.deviations**2))
    if inertia <= _NOTHING * np.sum(X * X) or dual.n_groups in (1, X.shape[0]):
        return dual.value, 0.0, 0.0  # there is but one matrix, or nothing to be gained
    unit = float(np.sum(X * X)) or 1.0
    # Below the largest eigenvalue of the scatter within groups S has a negative eigenvalue.
    low = max(dual.scatter_eigenvalue(), _SMALLEST * unit)
    high = max(2 * dual.largest_unclipped(), _REACH * low)
    grid = np.geomspace(low, high, _GRID)
    deficits: list = []
    for tau in grid:
        deficits.append(dual.deficit(tau))
        if deficits[-1] == 0:
            return dual.value, 0.0, min(dual.n_groups * dual.rounding, inertia)
    best = int(np.argmin(deficits))
    bounds = np.log(grid[max(best - 1, 0)]), np.log(grid[min(best + 1, _GRID - 1)])
    search = minimize_scalar(lambda t: dual.deficit(np.exp(t)), bounds=bounds, method="bounded")
    gap = dual.n_groups * min(deficits[best], search.fun)
    return dual.value, min(gap, inertia), min(dual.n_groups * dual.rounding, inertia)


class _Dual:
    """Multipliers that belong to a partition, as functions of that of the trace, tau."""

    def __init__(self, X, labels):
        self.X, self.labels = X, labels
        self.n_groups = int(labels.max()) + 1
        n = X.shape[0]
        self.groups = np.zeros((n, self.n_groups))
        self.groups[np.arange(n), labels] = 1.0
        self.sizes = self.groups.sum(axis=0)
        sums = self.groups.T @ X
        # Row sums of the blocks of A.
        self.rows = X @ sums.T
        self.own = self.rows[np.arange(n), labels]
        self.value = float(np.sum(sums * sums / self.sizes[:, None]))
        self.deviations = X - (sums / self.sizes[:, None])[labels]
        # Of the last eigenvalue that was asked for.
        self.rounding = 0.0

    def scatter_eigenvalue(self):
        """Largest eigenvalue of the scatter within groups."""
        return float(np.linalg.norm(self.deviations, 2) ** 2)

    def multipliers(self, tau):
        """Those of the row sums, y, and its sums over groups."""
        c = self.own - tau
        totals = self.groups.T @ c / self.sizes
        y = (2 * c - totals[self.labels]) / self.sizes[self.labels]
        return y, totals

    def row_sums(self, tau):
        """Row sums of the blocks of Q = (y 1^T + 1 y^T) / 2 - A, of shape (n, K)."""
        y, totals = self.multipliers(tau)
        return (y[:, None] * self.sizes + totals) / 2 - self.rows

    def largest_unclipped(self):
        """The largest tau for which all row sums of blocks are positive; it may be negative."""
        slope = (self.sizes / self.sizes[self.labels][:, None] + 1) / 2
        limit = self.row_sums(0.0) / slope
        limit[np.arange(len(self.labels)), self.labels] = np.inf
        return float(limit.min())

    def deficit(self, tau):
        """max(0, -lambda_min(S)) with S = tau I + Q - N."""
        y, _ = self.multipliers(tau)
        n = self.X.shape[0]
        factor, core = self._slack(self.row_sums(tau))
        ones = np.ones((n, 1))
        # S - tau I = F C F^T with few columns: X, y, 1 and those of N.
        F = np.concatenate([self.X, y[:, None], ones, factor], axis=1)
        p = self.X.shape[1]
        C = np.zeros((F.shape[1], F.shape[1]))
        C[:p, :p] = -np.eye(p)
        C[p, p + 1] = C[p + 1, p] = 0.5
        C[p + 2 :, p + 2 :] = -core
        if F.shape[1] < n:
            R = np.asarray(np.linalg.qr(F, mode="r"))
            size = R.shape[0]
        else:
            R, size = F, n
        matrix = R @ C @ R.T
        matrix = (matrix + matrix.T) / 2
        lowest = float(eigh(matrix, eigvals_only=True, subset_by_index=[0, 0])[0])
        # Rounding leaves the zeros of S at a few units of the last place of its terms.
        eps = np.finfo(np.float64).eps
        terms = np.abs(R) @ np.abs(C) @ np.abs(R).T
        self.rounding = 4 * eps * max(float(np.linalg.norm(terms)), tau)
        rounding = 4 * eps * size * max(abs(lowest), tau)
        lowest += tau
        return 0.0 if lowest >= -rounding else -lowest

    def _slack(self, rows):
        """N = max(0, u v^T / sum) of each pair of groups, as F C F^T."""
        n, k = self.groups.shape
        columns: list = []
        places: dict = {}
        for group, other, sign in product(range(k), range(k), (1.0, -1.0)):
            part = np.maximum(sign * rows[:, other], 0.0) * self.groups[:, group]
            if group != other and part.any():
                places[group, other, sign] = len(columns)
                columns.append(part)
        core = np.zeros((len(columns), len(columns)))
        for (group, other, sign), place in places.items():
            total = float(rows[:, other] @ self.groups[:, group])
            partner = places.get((other, group, sign if total > 0 else -sign))
            if partner is not None and total != 0:
                core[place, partner] = 1 / abs(total)
        return np.stack(columns, axis=1) if columns else np.zeros((n, 0)), core
