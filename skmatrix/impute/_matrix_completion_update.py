"""Changing and appending rows of a fitted completion: corrections, not a refit."""

from typing import TYPE_CHECKING, Any

import array_api_compat
import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._sklearn import _fit_context
from .._threads import thread_pool
from .._transaction import all_or_nothing
from . import _matrix_completion_queries as queries
from ._matrix_completion_alternation import augment, rotate
from ._matrix_completion_fit import canonical, singular_values
from ._matrix_completion_kernels import (
    gram_product,
    lockstep_conjugate_gradients,
    residual_product,
    shared_gram,
)
from ._matrix_completion_parameters import PRIVATE


class RowUpdateMixin:
    """Rows that change or arrive after the fit."""

    if TYPE_CHECKING:  # what the class that mixes it in holds
        backend: str
        n_jobs: Any
        n_features_in_: int
        components_: Any
        embedding_: Any
        row_bias_: Any
        _units: Any
        _open: Any
        _fold: Any
        _fit: Any

    def update_rows(self, X_rows, indices, *, entry_weight=None):
        """Solve again for some rows on the fitted columns, or append new ones.

        Parameters
        ----------
        X_rows : {array-like, sparse matrix} of shape (n, n_features)
            All observed entries of these rows.
        indices : array-like of int of shape (n,)
            Where they stand. Positions from the number of rows on append, and must continue
            it without a gap.
        entry_weight : array-like or sparse matrix of the shape of X_rows, default=None
            Weights, as in `fit`.

        Returns
        -------
        self : MatrixCompletion
            The estimator with its `embedding_` and `row_bias_` updated.
        """
        check_is_fitted(self)
        known = queries.known_pattern(self, "update_rows", "Fit on data in memory.")
        be, _, entries, factors, row_bias = self._fold(X_rows, "update_rows", entry_weight)
        places = queries.check_row_positions(indices, factors.shape[0], self.embedding_.shape[0])
        source = queries.merge_positions(self.embedding_.shape[0], places)
        xp = be.home
        order = xp.asarray(source, device=be.home_device)
        dtype = self.embedding_.dtype
        factors, row_bias = xp.astype(factors, dtype), xp.astype(row_bias, dtype)
        joined = xp.concat([self.embedding_, factors]), xp.concat([self.row_bias_, row_bias])
        self.embedding_, self.row_bias_ = (xp.take(a, order, axis=0) for a in joined)
        self._replace_pattern(queries.merge_patterns(known, queries.pattern(entries), source))
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, *, entry_weight=None):
        """Append rows, and correct the columns that they touch.

        The new rows are folded in; then each touched column minimises a quadratic model of
        the old objective plus the new data. It is a correction step and not a refit: the old
        rows keep their factors, and `noise_std_` and the histories stay those of the fit. After
        many new rows, fit again with ``warm_start=True``. Without an earlier fit it is `fit`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, n_features)
            The new rows.
        y : None
            Ignored.
        entry_weight : array-like or sparse matrix of the shape of X, default=None
            Weights, as in `fit`.

        Returns
        -------
        self : MatrixCompletion
            The updated estimator.
        """
        if not hasattr(self, "components_"):
            self._fit(X, entry_weight)
            return self
        with all_or_nothing(self, PRIVATE):
            known = queries.known_pattern(self, "partial_fit", "Fit on data in memory.")
            be, _, entries = self._open(X, "partial_fit", entry_weight)
            normalised = self._units().normalise_new(entries).cast(self.components_.dtype)
            with thread_pool(be, self.n_jobs) as pool:
                correct_columns(self, be, normalised.load(be), pool)
            # A certificate of the old rows says nothing about the new ones.
            self.duality_gap_ = None
            self._replace_pattern(queries.stack_patterns(known, queries.pattern(entries)))
        return self

    def _replace_pattern(self, pattern):
        """Keep the places that are observed now, and count them."""
        self._pattern = pattern
        self.n_observed_ = int(pattern.nnz)
        self.n_empty_rows_ = int(np.sum(np.diff(pattern.indptr) == 0))
        self.n_empty_columns_ = self.n_features_in_ - np.unique(pattern.indices).shape[0]


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
