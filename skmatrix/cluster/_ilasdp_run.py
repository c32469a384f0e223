"""One start of the likelihood-adjusted iteration.

Equations are numbered as in the Notes of ``ILASDPClustering``.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._backend import to_numpy
from ._gaussian_groups import Gaussians, Structure, indicator_factor
from ._gaussian_kernels import moments, whiten
from ._sdp_low_rank import (
    Program,
    follow,
    partition_factor,
    prices,
    random_factor,
    solve_low_rank,
)
from ._sdp_matching import solve_matched
from ._sdp_rounding import group_memberships, spectral_labels
from ._sdp_solvers import Tolerance, solve

# Random factors for given covariances.
_RANDOM_FACTORS = 3
# Relative distance of all covariances from their mean below which groups are not told apart.
_ALIKE = 1e-3
# While covariances of many points change by much, programs are solved with a tolerance so many
# times larger, in so many steps, until labels stay or the objective changes by less than this.
_MANY = 1000
_ROUGH, _ROUGH_STEPS, _ROUGH_CHANGE = 10.0, 100, 1e-3
# Fall of the objective, in units of its size, that is not put down to rounding.
_FALL = 1e-7
# What a step consists of.
_STEP = ("_solution", "_factor", "_groups", "_labels", "_row_sums", "_value")
# Times in a row that the objective must have settled.
_PATIENCE = 2


@dataclass(frozen=True)
class Data:
    """Centred data and what all starts share.

    Attributes
    ----------
    be : Backend
        Engine of the passes over the data.
    X : float64 ndarray of shape (n, p)
        Centred data, on the host.
    n_groups : int
        Number of groups.
    structure : Structure
        Form of the covariances.
    """

    be: Any
    X: np.ndarray
    n_groups: int
    structure: Structure

    @property
    def n_blocks(self):
        """Matrices of the program: one for all groups if they share a covariance."""
        return 1 if self.structure.kind == "tied" else self.n_groups

    def moments(self, factor):
        """Row sums, means and scatters of a factor, on the host."""
        arrays = self.be.load(self.X, factor)
        found = moments(self.be, *arrays, diagonal=self.structure.diagonal)
        return tuple(to_numpy(a) for a in found)

    def groups(self, labels):
        """Gaussian groups of a partition, and its classification log-likelihood."""
        row_sums, means, scatters = self.moments(indicator_factor(labels, self.n_groups))
        groups = Gaussians.of_moments(self.structure, row_sums, means, scatters)
        return groups, groups.log_likelihood(row_sums, scatters)

    def program(self, groups):
        """The program of given covariances, and the shift of its rows, equations (1) and (2)."""
        factors = groups.factors[: self.n_blocks]
        W, squares = whiten(self.be, *self.be.load(self.X, factors))
        terms = to_numpy(squares) + groups.log_volumes[: self.n_blocks, None]
        shift = terms.mean(axis=0)
        linear = (terms - shift) / 2
        return Program.of(self.be, W, linear, self.n_groups / self.n_blocks), shift


@dataclass(frozen=True)
class Settings:
    """How starts are run.

    Attributes
    ----------
    max_iter : int
        Iterations at most.
    tol : float
        Relative change of the objective that counts as none.
    solver : {"nlr", "admm", "cvxpy"}
        Solver of the programs.
    tolerance : Tolerance
        Its tolerance.
    rank : int
        Columns of the factor of each group.
    rounding : {"auto", "membership", "spectral"}
        How matrices become a partition.
    min_cluster_size : int
        Size below which a group has collapsed.
    """

    max_iter: int
    tol: float
    solver: str
    tolerance: Tolerance
    rank: int
    rounding: str
    min_cluster_size: int


@dataclass
class Outcome:
    """Where a start has ended.

    Attributes
    ----------
    labels : int64 ndarray of shape (n,)
        Partition.
    groups : Gaussians
        Its groups.
    log_likelihood : float
        Classification log-likelihood of the partition.
    memberships : float64 ndarray of shape (n, K)
        Shares of the groups in each point.
    factor : float64 ndarray of shape (B, n, r)
        Factor of the last program.
    history : list of float
        Objective at the start and after each iteration, but for rough ones.
    n_iter : int
        Iterations.
    converged : bool
        Whether labels or objective settled.
    feasibility : float
        Root mean square of the row sums less one.
    feasible : bool
        Whether the last program was solved to its tolerance.
    degenerate : bool
        Whether a group is smaller than allowed.
    """

    labels: np.ndarray
    groups: Gaussians
    log_likelihood: float
    memberships: np.ndarray
    factor: np.ndarray
    history: list
    n_iter: int
    converged: bool
    feasibility: float
    feasible: bool
    degenerate: bool


class Run:
    """A start that is iterated.

    Parameters
    ----------
    data : Data
        What is clustered.
    settings : Settings
        How.
    rng : RandomState
        Source of the random parts.
    """

    def __init__(self, data, settings, rng):
        self.data, self.settings, self._rng = data, settings, rng
        self.history: list = []
        self.n_iter = self._n_settled = 0
        self._solution: Any = None
        self._shift: Any = None
        self._labels: Any = None
        self._unchanged = False
        self._prices: Any = None
        self._row_sums: Any = None
        self._value = -np.inf
        self._stuck = False
        # Data that are c times as large have an objective that is n p log(c^2) lower.
        X = data.X
        self._level = X.size * np.log(max(np.mean(X * X), np.finfo(np.float64).tiny))
        self._rough = settings.solver == "nlr" and data.X.shape[0] > _MANY

    def begin_with_labels(self, labels):
        """Start from a partition."""
        data = self.data
        row_sums, means, scatters = data.moments(indicator_factor(labels, data.n_groups))
        if data.n_blocks == 1:
            row_sums, scatters = row_sums.sum(0, keepdims=True), scatters.sum(0, keepdims=True)
        self._groups = Gaussians.of_moments(data.structure, row_sums, means, scatters)
        self._factor = partition_factor(self._rng, labels, data.n_blocks, self._n_columns)
        self._labels = labels
        self._value = self._groups.objective(row_sums, scatters)
        self._row_sums = row_sums
        self.history.append(self._value)
        self._keep()

    def begin_with_covariances(self, covariances):
        """Start from covariances: the best of several random factors."""
        data, (n, p) = self.data, self.data.X.shape
        sizes, means = np.full(data.n_groups, n / data.n_groups), np.zeros((data.n_groups, p))
        self._groups = Gaussians.of(data.structure, sizes, means, covariances)
        program, self._shift = data.program(self._groups)
        found, tolerance = [], self.settings.tolerance
        limits = {"tol": tolerance.tol, "max_iter": tolerance.max_iter}
        n_columns = 2 * data.n_groups
        for _ in range(_RANDOM_FACTORS):
            factor = random_factor(self._rng, data.n_blocks, n, n_columns, data.n_groups)
            if data.n_blocks == 1:
                found.append(solve_low_rank(program, factor, **limits))
            else:
                found.append(solve_matched(program, factor, rng=self._rng, **limits))
        self._accept(max(found, key=lambda solution: solution.value))
        self._prices = prices(program, self._factor)

    @property
    def _n_columns(self):
        """Columns of each block of the factor."""
        return self.settings.rank * self.data.n_groups // self.data.n_blocks

    def iterate(self):
        """Solve for the matrices and then for the covariances, equations (2) and (9)."""
        settings, tolerance = self.settings, self.settings.tolerance
        program, self._shift = self.data.program(self._groups)
        warm = {}
        self._rough = self._rough and self.n_iter + 1 < settings.max_iter
        if settings.solver == "nlr":
            if self._solution is not None:
                change = prices(program, self._factor) - self._prices
                warm["multiplier"] = follow(self._solution.multiplier, self._factor, change)
                warm["penalty"] = self._solution.penalty
            if self._rough:
                steps = min(_ROUGH_STEPS, tolerance.max_iter)
                tolerance = Tolerance(_ROUGH * tolerance.tol, steps)
        solution = solve(program, self._factor, solver=settings.solver, tolerance=tolerance, **warm)
        self._accept(solution)
        if self._stuck:
            return
        self._prices = prices(program, self._factor) if settings.solver == "nlr" else None
        if self._rough:
            self._rough = not (self._unchanged or self.change <= _ROUGH_CHANGE)
            self._unchanged, self._n_settled = False, 0
        self.n_iter += 1

    def _accept(self, solution):
        """Covariances of the new matrices, and the objective."""
        data = self.data
        self._solution, self._factor = solution, solution.factor
        row_sums, means, scatters = data.moments(self._factor)
        self._groups = Gaussians.of_moments(data.structure, row_sums, means, scatters)
        # What the residual of the rows is worth is taken off.
        worth = float((solution.multiplier - self._shift) @ solution.residual)
        value = self._groups.objective(row_sums, scatters) - worth
        if self._falls(value):
            self._restore()
            return
        self.change = abs(value - self._value) / self._size(value)
        self._value = value
        if not self._rough:
            self.history.append(value)
        self._n_settled = self._n_settled + 1 if self.change <= self.settings.tol else 0
        labels = row_sums.argmax(axis=0) if data.n_blocks > 1 else None
        self._unchanged = labels is not None and np.array_equal(labels, self._labels)
        self._labels, self._row_sums = labels, row_sums
        if not self._rough:
            self._keep()

    def _falls(self, value):
        """Whether the solver has stopped short of what there was; shrinkage may lower it too."""
        if self._rough or not self.history or self.data.structure.shrinkage != 0:
            return False
        return value < self.history[-1] - _FALL * self._size(value)

    def _size(self, value):
        """Size of an objective: of data of unit variance, so that units do not matter."""
        return 1 + abs(value + self._level)

    def _keep(self):
        """Remember this step, the best so far."""
        self._best = {name: getattr(self, name) for name in _STEP}

    def _restore(self):
        """Go back to the best step, and stay there."""
        vars(self).update(self._best)
        self._stuck, self.change = True, 0.0

    @property
    def settled(self):
        """Whether labels or objective have settled."""
        return self._stuck or self._unchanged or self._n_settled >= _PATIENCE

    @property
    def collapsed(self):
        """Whether a group has become smaller than allowed."""
        if self._labels is None:
            return False
        return self._smallest(self._labels) < self.settings.min_cluster_size

    def _smallest(self, labels):
        """Size of the smallest group."""
        return int(np.bincount(labels, minlength=self.data.n_groups).min())

    def complete(self):
        """Iterate to the end."""
        while True:
            self.iterate()
            if self.settled or self.collapsed or self.n_iter >= self.settings.max_iter:
                break
        return self.outcome()

    def outcome(self):
        """The partition of the largest classification likelihood."""
        candidates = [self._labels] if self._by_membership else []
        if not self._by_membership or self.settings.rounding == "auto":
            candidates.append(spectral_labels(self._factor, self.data.n_groups))
        found = [(labels, *self.data.groups(labels)) for labels in candidates if self._full(labels)]
        if not found:
            raise np.linalg.LinAlgError("a group is empty")
        labels, groups, log_likelihood = max(found, key=lambda item: item[2])
        if labels is self._labels:
            memberships = self._row_sums.T
        else:
            memberships = group_memberships(self._factor, labels, self.data.n_groups)
        return Outcome(
            labels=labels,
            groups=groups,
            log_likelihood=log_likelihood,
            memberships=memberships / memberships.sum(axis=1, keepdims=True),
            factor=self._factor,
            history=self.history,
            n_iter=self.n_iter,
            converged=self.settled,
            feasibility=0.0 if self._solution is None else self._solution.feasibility,
            feasible=self._solution is None or self._solution.converged,
            degenerate=self._smallest(labels) < self.settings.min_cluster_size,
        )

    def _full(self, labels):
        """Whether no group is empty."""
        return self._smallest(labels) > 0

    @property
    def _by_membership(self):
        """Whether the matrices themselves tell the groups."""
        if self.data.n_blocks == 1:
            return False
        covariances = self._groups.covariances
        pooled = covariances.mean(axis=0)
        gaps = np.sqrt(np.sum((covariances - pooled) ** 2, axis=tuple(range(1, covariances.ndim))))
        return self.settings.rounding != "spectral" and gaps.max() >= _ALIKE * np.linalg.norm(
            pooled
        )
