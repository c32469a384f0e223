"""Alternating minimisation: half steps in turns, their set-up and their end.

All quantities are in units of the data: values have mean 0 (if there is a mean in the
model) and root mean square 1, so that the penalty alpha has no unit.
"""

from dataclasses import dataclass, replace
from typing import Any

import array_api_compat
import numpy as np

from .._xp import segment_sum
from ._matrix_completion_entries import Entries
from ._matrix_completion_kernels import half_step, weigh

# Ridge continuation starts at this share of the size of the data and halves every epoch.
_FIRST_RIDGE = 0.1
# Below this the ridge no longer shapes the solution of a half step.
_SMALL_RIDGE = 1e-3
# With more factors than this and at least this ridge, some ten conjugate gradient steps reach
# rounding error at a fraction of the cost of an exact factor.
_MANY_FACTORS, _LARGE_RIDGE = 32, 1e-2
# Entries per unknown from which a row is sketched, and non-zeros per column of the sketch.
_SKETCH_FROM = 16
_SKETCH_NONZERO = 8


@dataclass(frozen=True)
class Side:
    """What a half step reads about the side that it solves for.

    Attributes
    ----------
    entries : Entries or None
        The observed entries, by rows of this side; None where only sums over them are had.
    mass : array of shape (n_rows,)
        Weight of each row.
    penalty : array of shape (n_rows,)
        What alpha is multiplied by for each row: its mass, or 1.
    free : array of shape (size,)
        1 for the coordinates of the augmented factors that this side may move.
    sketch : tuple of two arrays
        Rows and values of the non-zeros of the sketching matrix, empty if not used.
    """

    entries: Entries | None
    mass: Any
    penalty: Any
    free: Any
    sketch: tuple


@dataclass(frozen=True)
class Problem:
    """A completion problem on an engine.

    Attributes
    ----------
    be : Backend
        The engine.
    rows, columns : Side
        The two sides.
    n_components : int
        Number of factors, without biases.
    solver : {"auto", "pcg", "cholesky", "sketch"}
        Preconditioner of the half steps.
    inner_tol, inner_max_iter : float or "auto", int
        When a row's conjugate gradients stop.
    pool : ThreadPoolExecutor or None
        Threads of the Numba twin.
    """

    be: Any
    rows: Side
    columns: Side
    n_components: int
    solver: str
    inner_tol: Any
    inner_max_iter: int
    pool: Any

    @property
    def method(self):
        """What the solver comes to at this number of factors."""
        return method_of(self.solver, self.n_components)

    def resized(self, n_components):
        """The same problem with another number of factors."""
        sides = {}
        for name in ("rows", "columns"):
            side = getattr(self, name)
            bias = side.free[self.n_components :]
            ones = self.be.xp.ones(
                n_components, dtype=bias.dtype, device=array_api_compat.device(bias)
            )
            sides[name] = replace(side, free=self.be.xp.concat([ones, bias]))
        return replace(self, n_components=n_components, **sides)


@dataclass(frozen=True)
class Epoch:
    """What one epoch leaves behind.

    Attributes
    ----------
    U, V : arrays of shape (n_rows, size) and (n_columns, size)
        The new augmented factors.
    objective : float
        Objective between the two half steps of the epoch, at the epoch's ridge.
    loss : float
        Weighted squared error there.
    steps : tuple of float
        Mean conjugate gradient steps of a row in each half step.
    """

    U: Any
    V: Any
    objective: float
    loss: float
    steps: tuple


def method_of(solver, n_components):
    """The method of a resolved solver: exact Gram matrices for up to 8 factors."""
    if solver != "auto":
        return solver
    return "cholesky" if n_components <= 8 else "pcg"


def resolve_solver(solver, alpha):
    """What "auto" comes to.

    With a ridge "pcg" is the fastest at every rank. With hardly any the fit hangs on the
    accuracy of its half steps, and few factors cost little to solve for exactly: "auto" stays,
    and :attr:`Problem.method` decides by their number.
    """
    return "pcg" if solver == "auto" and alpha >= _SMALL_RIDGE else solver


def make_problem(
    be,
    entries,
    *,
    n_components,
    penalty,
    bias,
    solver,
    inner_tol,
    inner_max_iter,
    pool=None,
    random_state=None,
):
    """Set up both sides of a problem from its entries on the engine."""
    xp, device = be.xp, array_api_compat.device(entries.values)
    sides: list[Side] = []
    for k, (side, own) in enumerate([(entries, "row"), (entries.transposed(), "column")]):
        mass = side.mass()
        biases = [0.0, 0.0]
        biases[k] = float(bias in (own, "both"))
        free = xp.asarray([1.0] * n_components + biases, dtype=mass.dtype, device=device)
        sketch = _draw_sketch(be, side, int(n_components + biases[k]), solver, random_state)
        penalties = mass if penalty == "count" else xp.ones_like(mass)
        sides.append(Side(side, mass, penalties, free, sketch))
    rows, columns = sides
    return Problem(be, rows, columns, n_components, solver, inner_tol, inner_max_iter, pool)


def _draw_sketch(be, entries, n_free, solver, random_state):
    """Columns of a sparse sign matrix for the longest row, as positions and signs."""
    xp, device = be.xp, array_api_compat.device(entries.values)
    if solver != "sketch" or n_free == 0:
        empty = xp.zeros((0, 0), dtype=entries.indices.dtype, device=device)
        return empty, xp.zeros((0, 0), dtype=entries.values.dtype, device=device)
    longest = int(xp.max(entries.indptr[1:] - entries.indptr[:-1]))
    # Here, for the sake of those who never sketch: it takes a third of the time of the import.
    from ..random_projection import sparse_sign_matrix

    S = sparse_sign_matrix(
        8 * n_free, longest, n_nonzero=min(_SKETCH_NONZERO, 8 * n_free), random_state=random_state
    )
    positions, signs = (a.reshape(longest, -1) for a in (S.indices, S.data))
    positions, signs = be.load(positions.astype(np.int32), signs)
    return positions, xp.astype(signs, entries.values.dtype)


def augment(be, factors, bias, k):
    """Join factors, biases and the constant 1 into augmented factors.

    Parameters
    ----------
    be : Backend
        The engine.
    factors : array of shape (n, n_components)
        Factors.
    bias : array of shape (n,)
        Biases.
    k : {0, 1}
        0 for the rows [u, b, 1], 1 for the columns [v, 1, c].
    """
    xp = be.xp
    columns = [factors, xp.ones_like(bias)[:, None]]
    columns.insert(1 + k, bias[:, None])
    return xp.concat(columns, axis=1)


def starting_biases(problem, alpha):
    """Three rounds of damped averages of the entries, first of the rows."""
    xp, k = problem.be.xp, problem.n_components
    rows, columns = problem.rows, problem.columns
    b, c = xp.zeros_like(rows.mass), xp.zeros_like(columns.mass)
    for _ in range(3):
        if float(rows.free[k]):
            b = damped_average(xp, rows, c, alpha)
        if float(columns.free[k + 1]):
            c = damped_average(xp, columns, b, alpha)
    return b, c


def damped_average(xp, side, other, alpha):
    """sum_e w_e (y_e - other) / (mass + alpha penalty) of each row, 0 for empty rows."""
    entries = side.entries
    residual = entries.values - xp.take(other, entries.indices)
    total = segment_sum(xp, weigh(residual, entries.weights), entries.indptr)
    weight = side.mass + alpha * side.penalty
    safe = xp.where(weight > 0, weight, xp.ones_like(weight))
    return total / safe


def random_factors(be, n, n_components, rng, like):
    """Small Gaussian factors, drawn on the host so that all engines start alike."""
    drawn = 0.1 * rng.standard_normal((n, n_components)) / np.sqrt(max(n_components, 1))
    return be.xp.astype(be.load(drawn), like.dtype)


def run_epoch(problem, U, V, alpha):
    """One epoch: the rows given the columns, then the columns given the rows.

    Parameters
    ----------
    problem : Problem
        The problem.
    U, V : arrays of shape (n_rows, size) and (n_columns, size)
        Augmented factors.
    alpha : float
        Ridge of this epoch.

    Returns
    -------
    epoch : Epoch
        New factors and what was seen on the way.
    """
    U, V, _, row_steps = _half(problem, U, V, alpha, rows=True)
    penalty = alpha * _penalty(problem, U, V)
    V, U, loss, column_steps = _half(problem, V, U, alpha, rows=False)
    steps = (row_steps / max(U.shape[0], 1), column_steps / max(V.shape[0], 1))
    return Epoch(U, V, 0.5 * (loss + penalty), loss, steps)


def _half(problem, unknown, fixed, alpha, *, rows):
    """Rotate both factors, then solve for one of them; return both, the loss and the steps."""
    be, k = problem.be, problem.n_components
    side, other = (problem.rows, problem.columns) if rows else (problem.columns, problem.rows)
    unknown, fixed, curvature = rotate(be.xp, unknown, fixed, other.mass, k, problem.pool)
    tol = inner_tolerance(problem.inner_tol, alpha)
    n_free = k + int(be.xp.sum(side.free[k:]))
    solved, loss, steps = call_half_step(
        be, side, unknown, fixed, alpha * side.penalty, curvature, tol, problem.pool,
        method=problem.method if n_free else "pcg",
        direct_from=_SKETCH_FROM * n_free if problem.method == "sketch" else 0,
        inner_max_iter=problem.inner_max_iter,
    )  # fmt: skip
    return solved, fixed, loss, steps


def inner_tolerance(inner_tol, alpha):
    """The inner tolerance that "auto" stands for at a ridge."""
    if inner_tol != "auto":
        return inner_tol
    return 0.1 if alpha > _SMALL_RIDGE else 0.01


def call_half_step(be, side, unknown, fixed, ridge, curvature, tol, pool, **scalars):
    """The kernel on one side of the problem."""
    entries = side.entries
    return half_step(
        be,
        entries.indptr, entries.indices, entries.values, entries.weights,
        unknown, fixed, ridge, side.mass, curvature, side.free, *side.sketch,
        inner_tol=tol, pool=pool, **scalars,
    )  # fmt: skip


def rotate(xp, unknown, fixed, mass, k, pool=None):
    """Turn both factors into the basis in which the shared Gram matrix is diagonal.

    The rotation P = sum_j mass_j v_j v_j^T / sum_j mass_j = W diag(L) W^T leaves products
    and penalties unchanged, and makes the preconditioner of every row diagonal.

    Returns
    -------
    unknown, fixed : arrays
        The rotated factors.
    curvature : array of shape (size,)
        L, and 1 for the bias coordinates.
    """
    if k == 0:
        return unknown, fixed, basis_curvature(xp, fixed[0, :0], fixed.shape[1])
    L, W = shared_basis(xp, weighted_gram(xp, fixed, mass, k), float(xp.sum(mass)))
    curvature = basis_curvature(xp, L, fixed.shape[1])
    # One factor a thread: the same product, and so the same bits, as without threads.
    apply = map if pool is None else pool.map
    unknown, fixed = apply(lambda factors: turn(xp, factors, W), (unknown, fixed))
    return unknown, fixed, curvature


def weighted_gram(xp, fixed, mass, k):
    """sum_j mass_j v_j v_j^T over the factor coordinates."""
    factors = fixed[:, :k]
    return (factors * mass[:, None]).T @ factors


def shared_basis(xp, gram, total):
    """Eigenvalues and eigenvectors of the mean Gram matrix.

    Eigenvalues below the rounding error of the largest count as being of that size.
    """
    if not bool(xp.all(xp.isfinite(gram))):
        raise FloatingPointError(
            "The factors overflowed. Pass float64 data, a smaller init, or a larger alpha."
        )
    L, W = xp.linalg.eigh(gram / (total if total > 0 else 1.0))
    return xp.clip(L, float(xp.finfo(L.dtype).eps) * max(float(L[-1]), 0.0), None), W


def basis_curvature(xp, L, size):
    """The eigenvalues, followed by 1 for the bias coordinates."""
    n_biases = size - L.shape[0]
    ones = xp.ones(n_biases, dtype=L.dtype, device=array_api_compat.device(L))
    return xp.concat([L, ones])


def turn(xp, factors, W):
    """Augmented factors with their factor coordinates in the basis W."""
    k = W.shape[0]
    return xp.concat([factors[:, :k] @ W, factors[:, k:]], axis=1)


def squared_norm(xp, side, factors):
    """sum_i s_i (|u_i|^2 + b_i^2) of one side."""
    squares = xp.vecdot(factors, factors * side.free, axis=-1)
    return float(xp.sum(side.penalty * squares, dtype=xp.float64))


def _penalty(problem, U, V):
    """sum_i s_i (|u_i|^2 + b_i^2) + sum_j t_j (|v_j|^2 + c_j^2)."""
    xp = problem.be.xp
    return squared_norm(xp, problem.rows, U) + squared_norm(xp, problem.columns, V)


def ridge_of_epoch(epoch, alpha, unit, continuation):
    """Ridge of an epoch: alpha in the units of the penalty, or still above it."""
    return unit * (max(alpha, _FIRST_RIDGE * 0.5**epoch) if continuation else alpha)


def may_stop(ridge, alpha, unit):
    """Whether continuation has come far enough for a small change to mean convergence."""
    return ridge <= unit * max(alpha, _SMALL_RIDGE)


def fold_in(be, entries, V, *, alpha, penalty, row_bias, pool=None):
    """Rows that solve their regressions on given columns to rounding error, from zero.

    Long rows by Cholesky factors, unless there are many factors and a ridge that makes
    conjugate gradients converge at once; rows with fewer entries than factors by conjugate
    gradients, which end within that many steps.

    Parameters
    ----------
    be : Backend
        The engine.
    entries : Entries
        Observed entries of the rows.
    V : array of shape (n_columns, size)
        Augmented factors of the columns, with orthogonal columns of factors.
    alpha, penalty : float, {"count", "constant"}
        The ridge.
    row_bias : bool
        Whether rows have a bias.
    pool : ThreadPoolExecutor, default=None
        Threads of the Numba twin.

    Returns
    -------
    U : array of shape (n_rows, size)
        Augmented factors of the rows.
    """
    xp, k = be.xp, V.shape[1] - 2
    mass = entries.mass()
    ridge = alpha * (mass if penalty == "count" else xp.ones_like(mass))
    device = array_api_compat.device(V)
    free = xp.asarray([1.0] * k + [float(row_bias), 0.0], dtype=V.dtype, device=device)
    b = xp.zeros_like(mass)
    zeros = xp.zeros((b.shape[0], k), dtype=b.dtype, device=device)
    empty = (entries.indices[:0][:, None], entries.values[:0][:, None])
    side = Side(entries, mass, ridge, free, empty)
    easy = penalty == "count" and k > _MANY_FACTORS and alpha >= _LARGE_RIDGE
    # The Gram matrix of V is diagonal already: no rotation, so that the bits of a row do
    # not depend on which rows come with it.
    solved, _, _ = call_half_step(
        be, side, augment(be, zeros, b, 0), V, ridge, xp.mean(V * V, axis=0), 1e-10, pool,
        method="pcg" if easy else "cholesky", direct_from=max(k, 1), inner_max_iter=4 * (k + 2),
    )  # fmt: skip
    return solved


def squared_error(be, entries, U, V, pool=None):
    """Weighted squared error of factors: a half step that takes no step."""
    xp = be.xp
    ones = xp.ones_like(U[:, 0])
    empty = (entries.indices[:0][:, None], entries.values[:0][:, None])
    side = Side(entries, ones, ones, xp.zeros_like(U[0, :]), empty)
    _, loss, _ = call_half_step(
        be, side, U, V, xp.zeros_like(ones), xp.ones_like(U[0, :]), 0.0, pool,
        method="pcg", direct_from=0, inner_max_iter=0,
    )  # fmt: skip
    return loss
