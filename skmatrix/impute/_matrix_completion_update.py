"""Appending rows to a fitted completion: a correction of the columns, not a refit."""

import array_api_compat
import numpy as np

from ._matrix_completion_alternation import augment, rotate
from ._matrix_completion_fit import canonical, singular_values
from ._matrix_completion_kernels import (
    gram_product,
    lockstep_conjugate_gradients,
    residual_product,
    shared_gram,
)


def correct_columns(estimator, be, entries, pool):
    """Fold new rows in, correct the columns that they touch, and append the rows.

    With N_j the old weight of column j, P the weighted Gram matrix of the old rows, t the
    penalty factors and r the residual at the old v_j, the step dv solves

        (N_j P + alpha t_new I + sum_new w u u^T) dv = sum_new w r u - alpha (t_new - t_old) v_j:

    the old objective is flat at v_j, and N_j P stands in for its exact curvature.

    Parameters
    ----------
    estimator : MatrixCompletion
        The fitted estimator, changed in place.
    be : Backend
        The engine.
    entries : Entries
        Normalised entries of the new rows on the engine.
    pool : ThreadPoolExecutor or None
        Threads of the Numba twin.
    """
    xp, k = be.xp, estimator.n_components_
    U_new, V = estimator._solve_rows(be, entries, pool)
    dtype, device = V.dtype, array_api_compat.device(V)
    embedding, row_bias = be.load(estimator.embedding_, estimator.row_bias_)
    U_old = augment(be, embedding / float(np.sqrt(estimator.unit_)), row_bias / estimator.unit_, 0)
    masses = (np.asarray(estimator._pattern.sum(axis=a), dtype=np.float64) for a in (1, 0))
    row_mass, column_mass = (xp.astype(be.load(mass), dtype) for mass in masses)
    # One rotation for both, in which only the old rows count.
    n_old = U_old.shape[0]
    no_mass = xp.zeros(U_new.shape[0], dtype=dtype, device=device)
    V, U, curvature = rotate(xp, V, xp.concat([U_old, U_new]), xp.concat([row_mass, no_mass]), k)
    step = _column_step(
        be, entries.transposed(), U[n_old:, :], V, column_mass, curvature, estimator
    )
    U_old, V = canonical(be, U[:n_old, :], V + step, k)
    root, unit = float(np.sqrt(estimator.unit_)), estimator.unit_
    components, column_bias = be.unload((V[:, :k] * root).T, V[:, k + 1] * unit)
    estimator.components_ = be.home.asarray(components, copy=True)
    estimator.column_bias_ = be.home.asarray(column_bias, copy=True)
    U_new, V = estimator._solve_rows(be, entries, pool)
    U = xp.concat([U_old, U_new])
    values = singular_values(be, U, V, k)
    estimator.singular_values_ = be.unload(values * unit)
    rows = estimator._in_data_units(be, U)
    estimator.embedding_, estimator.row_bias_ = rows


def _column_step(be, columns, U, V, old_mass, curvature, estimator):
    """Step dv of the equation above for all columns; 0 for those without new entries."""
    xp, k = be.xp, estimator.n_components_
    alpha = estimator.alpha_ / estimator.unit_
    biased = float(estimator._fitted_bias in ("column", "both"))
    device = array_api_compat.device(V)
    free = xp.asarray([1.0] * k + [0.0, biased], dtype=V.dtype, device=device)
    new_mass = columns.mass()
    if estimator._fitted_penalty == "count":
        penalty, added = alpha * (old_mass + new_mass), alpha * new_mass
    else:
        penalty, added = alpha * xp.ones_like(old_mass), xp.zeros_like(old_mass)
    entries = (columns.indptr, columns.indices, columns.values, columns.weights)
    prior = old_mass[:, None] * curvature[None, :] + penalty[:, None]

    def gram_times(p):
        return gram_product(xp, entries, U, p) + prior * p

    pull, _ = residual_product(xp, entries, U, V)
    gradient = (pull - added[:, None] * V) * free
    precondition = shared_gram(xp, penalty, old_mass + new_mass, curvature, free)
    step, _ = lockstep_conjugate_gradients(
        xp, gram_times, gradient, xp.zeros_like(V), free, precondition,
        xp.zeros_like(old_mass), 1e-6, 100,
    )  # fmt: skip
    return step
