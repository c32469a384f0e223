"""The solvers of clustering semidefinite programs behind one call."""

from dataclasses import dataclass

import numpy as np

from .._backend import to_numpy
from ._sdp_dense import DenseSolution, dense_objective, dual_bound, solve_dense
from ._sdp_low_rank import solve_low_rank

SOLVERS = ("auto", "nlr", "admm", "cvxpy")
# Relative residuals of the convex solvers, in units of the tolerance of the row sums.
_STRICTER = 0.1
# Matrices of all pairs that they keep for each block, and the bytes that these may take.
_MATRICES, _MEMORY = 6, 8e9
_NEEDED = (
    "solver='cvxpy' needs {name}, which is not installed. Install it with `pip install cvxpy scs`,"
    " or use solver='admm', which finds the same optimum."
)


@dataclass(frozen=True)
class Tolerance:
    """When a solver stops.

    Attributes
    ----------
    tol : float
        Root mean square of the row sums less one.
    max_iter : int
        Steps at most.
    """

    tol: float
    max_iter: int


def solve(program, factor, *, solver, tolerance, multiplier=None, penalty=None):
    """Solve a program.

    Parameters
    ----------
    program : Program
        What to solve.
    factor : float64 ndarray of shape (B, n, r)
        Start of the low-rank solver; the others start from nothing.
    solver : {"nlr", "admm", "cvxpy"}
        Which one.
    tolerance : Tolerance
        When it stops.
    multiplier, penalty : float64 ndarray of shape (n,) and float, default=None
        Where the low-rank solver goes on.

    Returns
    -------
    solution : Solution or DenseSolution
        Where it ended.
    """
    if solver == "nlr":
        return solve_low_rank(
            program,
            factor,
            tol=tolerance.tol,
            max_iter=tolerance.max_iter,
            multiplier=multiplier,
            penalty=penalty,
        )
    _refuse_large(program, solver)
    A = dense_objective(to_numpy(program.W), to_numpy(program.b))
    tol = _STRICTER * tolerance.tol
    if solver == "admm":
        return solve_dense(program.be, A, program.trace, tol=tol, max_iter=tolerance.max_iter)
    return _solve_by_cvxpy(A, program.trace, tol, tolerance.max_iter)


def _refuse_large(program, solver):
    """Raise before matrices of all pairs fill the memory."""
    n_blocks, n = program.b.shape
    size = _MATRICES * 8 * n_blocks * n * n
    if size > _MEMORY:
        raise ValueError(
            f"solver={solver!r} needs about {size / 1e9:.0f} GB for n_samples={n}. Use"
            " solver='nlr', or n_subsample of a few hundred."
        )


def refuse_missing_solver(solver):
    """Raise before any work if the packages of a solver are not installed."""
    if solver != "cvxpy":
        return
    from importlib.util import find_spec

    for name in ("cvxpy", "scs"):
        if find_spec(name) is None:
            raise ImportError(_NEEDED.format(name=name))


def _solve_by_cvxpy(A, trace, tol, max_iter):
    """The optimum by a general solver of cone programs."""
    import cvxpy

    n = A.shape[1]
    unit = np.abs(A).max() or 1.0
    matrices = [cvxpy.Variable((n, n), PSD=True) for _ in A]
    rows = sum(matrices) @ np.ones(n) == 1
    signs = [matrix >= 0 for matrix in matrices]
    traces = [cvxpy.trace(matrix) == trace for matrix in matrices]
    gain = sum(cvxpy.sum(cvxpy.multiply(a / unit, Z)) for a, Z in zip(A, matrices, strict=True))
    problem = cvxpy.Problem(cvxpy.Maximize(gain), [rows, *signs, *traces])
    problem.solve(solver="SCS", eps=tol, max_iters=max_iter)
    found = np.stack([matrix.value for matrix in matrices])
    # The sign of the multipliers is that of a maximisation in this package.
    multiplier = unit * np.asarray(rows.dual_value)
    slack = unit * np.stack([np.maximum(sign.dual_value, 0) for sign in signs])
    return DenseSolution(
        found,
        multiplier,
        dual_bound(A, trace, multiplier, slack),
        float(np.sum(A * found)),
        found.sum(axis=(0, 2)) - 1,
        int(problem.solver_stats.num_iters),
        problem.status == "optimal",
    )
