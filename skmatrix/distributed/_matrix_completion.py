"""Matrix completion of dask arrays cut along the rows.

The text is that of the local fit: the rows of a block need nothing but the columns'
factors, and the columns' conjugate gradients, in lockstep, need sums over the blocks. What
travels is an array of the size of the columns' factors, once per inner step.
"""

import time
from dataclasses import dataclass

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from .._backend import get_backend
from .._iterate import Iterations
from .._transaction import all_or_nothing
from ..impute._matrix_completion import PRIVATE
from ..impute._matrix_completion_alternation import (
    Side,
    augment,
    basis_curvature,
    call_half_step,
    damped_average,
    inner_tolerance,
    may_stop,
    method_of,
    random_factors,
    resolve_solver,
    ridge_of_epoch,
    shared_basis,
    squared_norm,
    turn,
    weighted_gram,
)
from ..impute._matrix_completion_entries import Entries
from ..impute._matrix_completion_fit import (
    Result,
    continues,
    freedom_left,
    freedom_spent,
    measure_units,
    relative_decrease,
    singular_values,
)
from ..impute._matrix_completion_kernels import (
    exact_gram,
    gram_matrices,
    gram_product,
    lockstep_conjugate_gradients,
    residual_product,
    row_energy,
    shared_gram,
    weigh,
)
from ..impute._matrix_completion_queries import (
    check_clip,
    choose_hidden,
    clip_range,
    clipped,
    values_at,
)
from ._blocks import as_row_blocks, broadcast, is_dask, map_reduce, map_rows
from ._estimators import add, without

# What belongs to training rows.
_OF_ROWS = ("embedding_", "row_bias_", "_pattern", "_skl_callbacks")
# Parameters whose other values need all entries in one place.
_SUPPORTED = {
    "backend": ("auto", "numpy", "numba"),
    "penalty": ("count",),
    "solver": ("auto", "pcg", "cholesky"),
    "init": ("random",),
    "warm_start": (False,),
    "validation_fraction": (0, 0.0),
    "add_indicator": (False,),
}


@dataclass(frozen=True)
class Block:
    """A block of rows: its side of the problem, and its entries by columns.

    Attributes
    ----------
    side : Side
        Its rows.
    columns : Entries
        The transposed entries.
    """

    side: Side
    columns: Entries

    @property
    def arrays(self):
        """The transposed entries as the kernels take them."""
        columns = self.columns
        return columns.indptr, columns.indices, columns.values, columns.weights


class RowBlocks:
    """Blocks of rows that stay where they are, and what is asked of all of them.

    Parameters
    ----------
    blocks : list
        Delayed blocks.
    starts : list of int
        Index of each block's first row.
    """

    def __init__(self, blocks, starts):
        self.blocks = blocks
        self.starts = starts

    def sum(self, fn, *parts, state=None, merge=None):
        """Sums (or what `merge` makes) of ``fn(block, *parts, start=, state=)``."""
        rows = list(zip(self.blocks, *parts, strict=True))
        return map_reduce(rows, self.starts, fn, add if merge is None else merge, state)

    def map(self, fn, *parts, state=None):
        """The persisted results of ``fn(block, *parts, state)``, one per block."""
        import dask

        task, shared = dask.delayed(fn, pure=False, traverse=False), broadcast(state)
        rows = zip(self.blocks, *parts, strict=True)
        return list(dask.persist(*(task(*row, shared) for row in rows)))


def fit_row_blocks(estimator, X, entry_weight=None):
    """Fit a MatrixCompletion to a dask array, block of rows by block of rows.

    The attributes are ordinary NumPy arrays, equal to those of the local fit up to rounding
    error. The places of the observed entries are not kept: what needs them for training rows
    asks for `X`.

    Parameters
    ----------
    estimator : MatrixCompletion
        The estimator, fitted in place.
    X : dask array or data frame of shape (n_samples, n_features)
        Blocks of NumPy arrays with NaN at the holes, or of SciPy CSR matrices.
    entry_weight : dask array, default=None
        Weights of the entries, in blocks of the same kind.

    Returns
    -------
    estimator : MatrixCompletion
        The fitted estimator.
    """
    check_clip(estimator.clip)
    _refuse_unsupported(estimator)
    X = _as_array(X)
    if is_dask(entry_weight):
        entry_weight = _as_array(entry_weight, "entry_weight")
    with all_or_nothing(estimator, PRIVATE):
        _fit_blocks(estimator, X, entry_weight)
    return estimator


def _fit_blocks(estimator, X, entry_weight):
    """Fit to validated blocks, and keep what was found."""
    n_samples, entries = _read_blocks(estimator, X, entry_weight)
    facts = _describe_data(entries)
    if not facts["n_observed_"]:
        raise ValueError("X has no observed entries in any block.")
    units = measure_units(
        lambda f: entries.sum(_apply, state=f),
        lambda f: entries.sum(_apply, state=f, merge=max),
        bias=estimator.bias,
        scale=estimator.scale,
    )
    n_features = estimator.n_features_in_
    chosen = min(estimator.n_components, n_samples, n_features)
    blocks = RowBlocks(
        entries.map(_make_block, state=(units, estimator.bias, chosen)), entries.starts
    )
    problem = _ColumnProblem(estimator, blocks, chosen)
    result = _run_epochs(estimator, X, problem, units, facts)
    for attributes in (
        facts,
        problem.describe(result.U, result.V, units),
        estimator._describe_epochs(problem.be, result),
    ):
        estimator._keep(attributes)
    _fold_rows_in(estimator, problem, units)


def transform_row_blocks(estimator, X):
    """Lazy result of ``estimator.transform`` on each block of rows."""
    X = _as_array(X)
    _check_features(estimator, X)
    width = len(estimator.get_feature_names_out())
    dtype = X.dtype if X.dtype in (np.float32, np.float64) else np.float64
    dtype = dtype if estimator.dtype is None else estimator.dtype
    state = (without(estimator, _OF_ROWS), width, dtype)
    return map_rows(X, _transform, trailing=(width,), dtype=dtype, state=state)


def score_row_blocks(estimator, X):
    """``estimator.score`` on a dask array: the same entries are hidden as in one piece."""
    X = _as_array(X)
    _check_features(estimator, X)
    blocks, starts = as_row_blocks(X)
    seed = check_random_state(estimator.random_state).randint(2**31 - 1)
    state = (without(estimator, _OF_ROWS), seed)
    total, count = map_reduce(blocks, starts, _hidden_error, add, state)
    if not count:
        raise ValueError(
            "score needs a row with at least two observed entries, to hide one of them."
        )
    return -float(np.sqrt(total / count))


def _as_array(X, name="X"):
    """A two-dimensional dask array out of a dask array or data frame."""
    import dask.array as da

    # A frame does not know how many rows its parts have: they are counted.
    array = X.to_dask_array(lengths=True) if hasattr(X, "to_dask_array") else X
    if not isinstance(array, da.Array):
        raise TypeError(
            f"{name} must be a dask array or data frame. Got a dask {type(X).__name__}: convert it"
            " first, or pass data in memory (compute())."
        )
    if array.ndim != 2:
        raise ValueError(f"{name} must have two dimensions. Got shape {array.shape}.")
    return array


def _check_features(estimator, X):
    """Raise at once, and not in the blocks, if X has not as many columns as in fit."""
    validate_data(estimator, np.zeros((1, X.shape[1])), reset=False)


def _refuse_unsupported(estimator):
    """Raise for parameters that need all entries in one place."""
    for name, allowed in _SUPPORTED.items():
        value = getattr(estimator, name)
        if not any(value is option or value == option for option in allowed):
            options = " or ".join(repr(option) for option in allowed)
            shown = f"a {type(value).__name__}" if isinstance(value, tuple) else repr(value)
            raise ValueError(
                f"{name}={shown} has no dask path: it must be {options}, or X in memory"
                " (X.compute())."
            )
    if isinstance(estimator.n_components, str) or estimator.clip == "observed":
        name = "clip" if estimator.clip == "observed" else "n_components"
        raise ValueError(
            f"{name}={getattr(estimator, name)!r} has no dask path: pass numbers, or X in memory"
            " (X.compute())."
        )


def _read_blocks(estimator, X, entry_weight):
    """Number of rows, and the validated entries of each block, persisted."""
    rows, starts = as_row_blocks(X, entry_weight)
    n_features = X.shape[1]
    validate_data(estimator, np.zeros((1, n_features)), reset=True)
    reader = type(estimator)(**estimator.get_params(deep=False))
    reader.n_features_in_ = n_features
    raw = RowBlocks([row[0] for row in rows], starts)
    entries = RowBlocks(raw.map(_read, [row[1] for row in rows], state=reader), starts)
    sizes = entries.sum(_n_rows)
    kept = [k for k, size in enumerate(sizes) if size]
    if not kept:
        raise ValueError(
            f"Found array with 0 sample(s) (shape=(0, {n_features})) while a minimum of 1 is"
            f" required by {type(estimator).__name__}."
        )
    entries = RowBlocks([entries.blocks[k] for k in kept], [starts[k] for k in kept])
    return sum(sizes), entries


def _read(X, entry_weight, reader):
    """Validated entries of one block; None if it has no rows, which validation refuses."""
    if X.shape[0] == 0:
        return None
    be = get_backend(reader.backend, X)
    return reader._read(be, X, entry_weight, reset=False)[1]


def _n_rows(entries, *, start, state):
    """Number of rows of a block, as a list that grows by merging."""
    return [0 if entries is None else entries.shape[0]]


def _describe_data(entries):
    """Fitted attributes that the data alone define."""
    n_observed, n_empty_rows, counts = entries.sum(_count)
    return {
        "n_observed_": int(n_observed),
        "n_empty_rows_": int(n_empty_rows),
        "n_empty_columns_": int(np.sum(counts == 0)),
        "indicator_": None,
    }


def _count(entries, *, start, state):
    """Observed entries, empty rows, and observed entries of each column."""
    counts = np.bincount(entries.indices, minlength=entries.shape[1])
    return entries.values.shape[0], int(np.sum(np.diff(entries.indptr) == 0)), counts


def _apply(entries, *, start, state):
    """A function of the entries of one block."""
    return state(entries)


def _make_block(entries, state):
    """A block of the normalised problem."""
    units, bias, k = state
    entries = units.normalise(entries)
    mass = entries.mass()
    free = np.asarray([1.0] * k + [float(bias in ("row", "both")), 0.0], dtype=mass.dtype)
    empty = (entries.indices[:0][:, None], entries.values[:0][:, None])
    return Block(Side(entries, mass, mass, free, empty), entries.transposed())


class _ColumnProblem:
    """The columns' side of the problem, whose sums are taken over the blocks."""

    def __init__(self, estimator, blocks, k):
        self.estimator, self.blocks, self.k = estimator, blocks, k
        self.mass, self.energy, self.squares = blocks.sum(_column_sums)
        self.be = get_backend(estimator.backend, self.mass)
        bias = float(estimator.bias in ("column", "both"))
        free = np.asarray([1.0] * k + [0.0, bias], dtype=self.mass.dtype)
        self.side = Side(None, self.mass, self.mass, free, ())
        self.method = method_of(resolve_solver(estimator.solver, estimator.alpha), k)

    def start(self, alpha, rng):
        """Augmented factors to start from: biases, and random columns."""
        c = np.zeros_like(self.mass)
        previous, biased = c, bool(self.side.free[self.k + 1])
        for _ in range(3):
            previous = c
            if biased:
                total = self.blocks.sum(_column_residual, state=(c, alpha))
                weight = (1 + alpha) * self.mass
                c = total / np.where(weight > 0, weight, 1)
        V = random_factors(self.be, c.shape[0], self.k, rng, c)
        return self.blocks.map(_start_rows, state=(previous, alpha)), augment(self.be, V, c, 1)

    def run_epoch(self, U, V, ridge):
        """One epoch: rows given columns, then columns given rows."""
        k, mass = self.k, self.mass
        tol = inner_tolerance(self.estimator.inner_tol, ridge)
        L, W = self._basis(weighted_gram(np, V, mass, k), float(np.sum(mass)))
        V = turn(np, V, W)
        rules = (self.method, tol, self.estimator.inner_max_iter)
        state = (V, W, basis_curvature(np, L, k + 2), ridge, rules, self.estimator.backend)
        solved = self.blocks.map(_solve_rows, U, state=state)
        gram, total, norm, row_steps, n_rows = self.blocks.sum(_row_sums, solved)
        L, W = self._basis(gram, float(total))
        V = turn(np, V, W)
        U = self.blocks.map(_turn_rows, solved, state=W)
        penalty = ridge * (norm + squared_norm(np, self.side, V))
        V, loss, steps = self._solve_columns(U, V, ridge, basis_curvature(np, L, k + 2), tol)
        mean_steps = (row_steps / max(n_rows, 1), steps / max(V.shape[0], 1))
        return U, V, 0.5 * (loss + penalty), loss, mean_steps

    def _basis(self, gram, total):
        """Shared eigenbasis; empty without factors."""
        if self.k == 0:
            return self.mass[:0], np.empty((0, 0), dtype=self.mass.dtype)
        return shared_basis(np, gram, total)

    def _solve_columns(self, U, V, ridge, curvature, tol):
        """The columns' half step, one sum over the blocks per conjugate gradient step."""
        xp, side, blocks = self.be.xp, self.side, self.blocks
        penalty, free = ridge * side.penalty, side.free
        V = np.where((side.mass == 0)[:, None] & (free != 0), 0, V)
        pull, loss = blocks.sum(_residual_product, U, state=V)
        gradient = (pull - penalty[:, None] * V) * free
        if self.method == "cholesky":
            gram = blocks.sum(_gram_matrices, U)
            precondition, gain = exact_gram(xp, gram, penalty, free)
            energy = gain * self.energy
        else:
            energy = self.energy
            precondition = shared_gram(xp, penalty, side.mass, curvature, free)

        def gram_times(p):
            return blocks.sum(_gram_product, U, state=p) + penalty[:, None] * p

        max_iter = self.estimator.inner_max_iter
        V, steps = lockstep_conjugate_gradients(
            xp, gram_times, gradient, V, free, precondition, energy, tol, max_iter
        )
        return V, loss, steps

    def describe(self, U, V, units):
        """Fitted attributes that the factors define."""
        import dask

        U = np.concatenate(dask.compute(*U))
        return self.estimator._describe_factors(self.be, U, V, self.k, units, 1.0)


def _run_epochs(estimator, X, problem, units, facts):
    """The epochs, as those of the local fit without held-out entries."""
    rng = check_random_state(estimator.random_state)
    alpha, continuation = estimator.alpha, continues(estimator)
    U, V = problem.start(alpha, rng)
    facts["clip_range_"] = clip_range(estimator.clip, None, None)
    met = max(estimator.tol, 4 * float(np.finfo(V.dtype).eps))
    inner_iter, elapsed, previous = [], [], np.inf
    begin = time.perf_counter()
    loop = Iterations(estimator, X, max_iter=estimator.max_iter, tol=estimator.tol)
    for i in loop:
        ridge = ridge_of_epoch(i, alpha, 1.0, continuation)
        U, V, objective, loss, steps = problem.run_epoch(U, V, ridge)
        exact = loss <= met * met * problem.squares
        change = relative_decrease(previous, objective, i, alpha)
        previous = objective
        inner_iter.append(steps)
        elapsed.append(time.perf_counter() - begin)
        loop.update(
            0.0 if exact else change,
            objective=objective * units.unit * units.unit,  # may overflow to infinity
            state=lambda U=U, V=V: {**facts, **problem.describe(U, V, units)},
            allow_stop=exact or may_stop(ridge, alpha, 1.0),
        )
    return Result(U, V, loop, inner_iter, [], elapsed)


def _fold_rows_in(estimator, problem, units):
    """Solve for the rows on the final columns; set what depends on them."""
    import dask

    solved = problem.blocks.map(_fold_in, state=without(estimator, _OF_ROWS))
    V = estimator._augmented_columns(problem.be)
    k, ridge, total = estimator.n_components_, estimator.alpha, float(np.sum(problem.mass))
    state = (V, weighted_gram(np, V, problem.mass, k), total, ridge)
    loss, spent, gram = problem.blocks.sum(_row_noise, solved, state=state)
    spent += freedom_spent(np, problem.side, gram, total, ridge)
    U = np.concatenate(dask.compute(*solved))
    estimator.embedding_, estimator.row_bias_ = estimator._in_data_units(problem.be, U)
    estimator.singular_values_ = singular_values(problem.be, U, V, k) * units.unit
    estimator.noise_std_ = units.unit * float(np.sqrt(loss / freedom_left(total, spent)))
    estimator.rank_path_, estimator.duality_gap_, estimator._pattern = [], None, None


def _column_sums(block, *, start, state):
    """Mass and squared size of each column, and the squared size of the block."""
    columns = block.columns
    energy = row_energy(np, block.arrays)
    return columns.mass(), energy, columns.total(columns.values * columns.values)


def _row_biases(block, c, alpha):
    """Damped averages of the rows given the columns' biases, 0 if rows have none."""
    if not block.side.free[-2]:
        return np.zeros_like(block.side.mass)
    return damped_average(np, block.side, c, alpha)


def _column_residual(block, *, start, state):
    """Sums over each column of what the rows' biases leave."""
    b, columns = _row_biases(block, *state), block.columns
    residual = columns.values - b[columns.indices]
    return np.bincount(columns.rows, weigh(residual, columns.weights), columns.shape[0]).astype(
        b.dtype
    )


def _start_rows(block, state):
    """Augmented factors of the rows: zeros, and their starting biases."""
    b = _row_biases(block, *state)
    k = block.side.free.shape[0] - 2
    zeros = np.zeros((b.shape[0], k), dtype=b.dtype)
    return augment(get_backend("numpy", b), zeros, b, 0)


def _solve_rows(block, U, state):
    """The rows' half step in one block: the new factors and the steps taken."""
    V, W, curvature, ridge, (method, tol, inner_max_iter), backend = state
    side = block.side
    solved, _, steps = call_half_step(
        get_backend(backend, U), side, turn(np, U, W), V, ridge * side.penalty, curvature, tol,
        None, method=method, direct_from=0, inner_max_iter=inner_max_iter,
    )  # fmt: skip
    return solved, steps


def _row_sums(block, solved, *, start, state):
    """Gram matrix and mass of the rows, their penalty, the steps and their number."""
    U, steps = solved
    k, side = U.shape[1] - 2, block.side
    gram = weighted_gram(np, U, side.mass, k)
    return gram, float(np.sum(side.mass)), squared_norm(np, side, U), steps, U.shape[0]


def _turn_rows(block, solved, W):
    """The new factors in the basis in which their Gram matrix is diagonal."""
    return turn(np, solved[0], W)


def _residual_product(block, U, *, start, state):
    """The block's part of the columns' gradient, and its loss."""
    return residual_product(np, block.arrays, U, state)


def _gram_product(block, U, *, start, state):
    """The block's part of the columns' Gram matrices times their directions."""
    return gram_product(np, block.arrays, U, state)


def _gram_matrices(block, U, *, start, state):
    """The block's part of the columns' Gram matrices."""
    return gram_matrices(np, block.arrays, U)


def _fold_in(block, estimator):
    """Factors of the rows on the final columns."""
    entries = block.side.entries
    return estimator._solve_rows(get_backend(estimator.backend, entries.values), entries)[0]


def _row_noise(block, U, *, start, state):
    """Squared error of the block, the freedom that its rows spend, and their Gram matrix."""
    V, gram, total, ridge = state
    side, k = block.side, V.shape[1] - 2
    entries = side.entries
    arrays = (entries.indptr, entries.indices, entries.values, entries.weights)
    loss = residual_product(np, arrays, V, U)[1]
    spent = freedom_spent(np, side, gram, total, ridge)
    return loss, spent, weighted_gram(np, U, side.mass, k)


def _transform(block, *, state):
    """The estimator's own transform, which refuses blocks without rows."""
    estimator, width, dtype = state
    return estimator.transform(block) if block.shape[0] else np.empty((0, width), dtype=dtype)


def _hidden_error(X, *, start, state):
    """Squared error on the hidden entries of a block, and their number."""
    estimator, seed = state
    if X.shape[0] == 0:
        return 0.0, 0
    be = get_backend(estimator.backend, X)
    _, entries = estimator._read(be, X, reset=False)
    hidden = choose_hidden(entries, estimator.score_fraction, seed, start)
    factors, row_bias = estimator._fold_entries(be, entries.keep(~hidden))
    asked = entries.keep(hidden)
    values = values_at(estimator, be, factors, row_bias, asked.rows, asked.indices)
    values = clipped(values, estimator.clip_range_, asked.indices)
    error = values.astype(np.float64) - asked.values
    return float(error @ error), int(error.shape[0])
