"""K-means by its semidefinite program, on arrays.

Equations are numbered as in the Notes of ``SDPKMeans``.
"""

from dataclasses import dataclass

import numpy as np

from ._sdp_certificate import partition_bound
from ._sdp_dense import dense_objective, solve_dense
from ._sdp_low_rank import Program, random_factor
from ._sdp_rounding import lloyd, means_of, spectral_labels
from ._sdp_solvers import solve

# Up to as many points a certificate asks the convex optimum for a tighter bound than the closed
# form.
SMALL = 300
# Relative gap of a proof.
CERTIFIED = 1e-6
# Steps of the search for a bound.
_BOUND_STEPS = 5000


@dataclass
class KMeansOutcome:
    """A partition, and the solution that it was rounded from.

    Attributes
    ----------
    labels : int64 ndarray of shape (n,)
        Partition.
    centers : float64 ndarray of shape (K, p)
        Means of the groups.
    inertia : float
        Sum of squared distances to them.
    solution : Solution, DenseSolution or None
        What the program's solver has found; None where there was no program to solve.
    solver : str
        Which solver.
    value : float
        Objective of the program.
    """

    labels: np.ndarray
    centers: np.ndarray
    inertia: float
    solution: object
    solver: str
    value: float


def square_root(X):
    """Data of at most n columns with the same inner products."""
    n, p = X.shape
    return X if p <= n else np.asarray(np.linalg.qr(X.T, mode="r")).T


def cluster(be, X, n_groups, *, solver, rank, tolerance, rng, starts=(0,), report=None):
    """Solve the K-means program and round its solution, equations (2) to (6).

    Parameters
    ----------
    be : Backend
        Engine of the solver.
    X : float64 ndarray of shape (n, p)
        Centred data.
    n_groups : int
        Number of groups.
    solver : {"nlr", "admm", "cvxpy"}
        Solver.
    rank : int or None
        Columns of the factor; None means twice as many as groups.
    tolerance : Tolerance
        When it stops.
    rng : RandomState
        Source of the starts.
    starts : iterable of int
        Numbers of the starts.
    report : callable, default=None
        Told of the number of each start and what came of it.

    Returns
    -------
    outcome : KMeansOutcome
        The partition of the least inertia.
    """
    n = X.shape[0]
    trivial = n_groups in (1, n)
    if not trivial:
        root = np.ascontiguousarray(square_root(X))
        program = Program.of(be, be.load(root[None]), np.zeros((1, n)), float(n_groups))
    best = None
    for start in starts:
        if trivial:
            labels = np.zeros(n, dtype=np.int64) if n_groups == 1 else np.arange(n)
            found = _outcome(X, labels, n_groups, None, "closed form")
        else:
            factor = random_factor(rng, 1, n, rank or 2 * n_groups, n_groups)
            solution = solve(program, factor, solver=solver, tolerance=tolerance)
            found = _rounded(X, n_groups, solution, solver)
        if report is not None:
            report(start, found)
        best = found if best is None or found.inertia < best.inertia else best
    return best


def _rounded(X, n_groups, solution, solver):
    """Round a solution, and let every point go to its nearest mean."""
    labels = spectral_labels(solution.factor, n_groups)
    labels, _ = lloyd(X, means_of(X, labels, n_groups))
    return _outcome(X, labels, n_groups, solution, solver)


def _outcome(X, labels, n_groups, solution, solver):
    """Partition with its means and inertia."""
    centers = means_of(X, labels, n_groups)
    inertia = float(np.sum((X - centers[labels]) ** 2))
    value = float(np.sum(X * X)) - inertia if solution is None else solution.value
    return KMeansOutcome(labels, centers, inertia, solution, solver, value)


def certificate(be, X, labels):
    """How far from the best partition this one can be, equations (7) and (8).

    Parameters
    ----------
    be : Backend
        Engine of the search for a tighter bound.
    X : float64 ndarray of shape (n, p)
        Centred data.
    labels : int64 ndarray of shape (n,)
        Partition.

    Returns
    -------
    found : dict
        Objective and its bound, their absolute and relative gap, and what they mean.
    """
    root, n = square_root(X), X.shape[0]
    primal, gap, rounding = partition_bound(root, labels)
    n_groups = int(labels.max()) + 1
    inertia = float(np.sum((X - means_of(X, labels, n_groups)[labels]) ** 2))
    method = "closed form"
    if gap > CERTIFIED * inertia and n <= SMALL:
        A = dense_objective(root[None], np.zeros((1, n)))
        target = primal + 0.1 * CERTIFIED * inertia
        found = solve_dense(be, A, float(n_groups), tol=1e-6, max_iter=_BOUND_STEPS, target=target)
        if found.bound < primal + gap:
            gap, method = found.bound - primal, "admm"
    return summary(primal, gap, inertia, method, n, rounding=rounding)


def summary(primal, gap, unit, method, n_used, *, rounding=0.0):
    """The entries of a certificate; the gap is relative to `unit`, and rounding counts."""
    relative = (max(gap, 0.0) + rounding) / unit if unit > 0 else 0.0
    return {
        "primal": float(primal),
        "dual_bound": float(primal + gap),
        "gap": float(gap),
        "rel_gap": float(relative),
        "certified": bool(relative < CERTIFIED),
        "method": method,
        "n_used": int(n_used),
    }
