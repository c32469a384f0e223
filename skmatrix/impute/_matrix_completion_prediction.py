"""What a fitted completion predicts: single entries, the best columns, whole rows, a score."""

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import norm
from sklearn.utils import check_array, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .._backend import get_backend, to_numpy
from ..distributed import is_dask
from . import _matrix_completion_queries as queries


def _gives_factors(estimator):
    """Whether what `transform` gives can be turned back into rows."""
    return estimator.output == "factors"


class EntryPredictionMixin:
    """Predictions of a completion out of its factors and biases.

    The class that mixes it in folds rows in (``_fold``, ``_fold_entries``, ``_read``).
    """

    if TYPE_CHECKING:  # what the class that mixes it in holds
        backend: str
        score_fraction: float
        random_state: Any
        n_features_in_: int
        n_components_: int
        components_: Any
        embedding_: Any
        row_bias_: Any
        column_bias_: Any
        offset_: float
        center_: Any
        scale_: Any
        clip_range_: Any
        _pattern: Any
        _read: Any
        _fold: Any
        _fold_entries: Any

    def _low_rank(self, be, factors, row_bias):
        """Fit of every entry of some rows, on the engine and in the units of the data."""
        factors, row_bias = be.load(factors, row_bias)
        columns = be.load(self.components_, self.column_bias_)
        components, column_bias = (be.xp.astype(a, factors.dtype) for a in columns)
        fit = factors @ components + row_bias[:, None] + (column_bias + self.offset_)
        if self.scale_ is None:
            return fit
        center, scale = (be.xp.astype(a, fit.dtype) for a in be.load(self.center_, self.scale_))
        return fit * scale + center

    @available_if(_gives_factors)
    def inverse_transform(self, X):
        """Rows of the matrix out of their factors, if ``output="factors"``.

        Parameters
        ----------
        X : array of shape (n_samples, n_components)
            Factors as from ``transform`` with ``output="factors"``. They do not hold the
            biases of the rows, which count as 0.

        Returns
        -------
        X_original : array of shape (n_samples, n_features)
            The low-rank fit, within `clip`.
        """
        check_is_fitted(self)
        be = get_backend(self.backend, X)
        X = check_array(X, dtype=be.float_dtypes, ensure_min_features=0)
        if X.shape[1] != self.n_components_:
            raise ValueError(
                f"X has {X.shape[1]} columns but must have one for each of the"
                f" {self.n_components_} components."
            )
        be.check_home(self, "components_", "inverse_transform")
        no_bias = be.home.zeros(X.shape[0], dtype=X.dtype, device=be.home_device)
        return queries.clipped(be.unload(self._low_rank(be, X, no_bias)), self.clip_range_)

    def reconstruct(self, X=None):
        """Low-rank fit of every entry, observed ones included.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Rows to fold in first; None takes the training rows.

        Returns
        -------
        fit : array of shape (n_samples, n_features)
            The fit, within `clip`.
        """
        check_is_fitted(self)
        be, factors, row_bias = self._rows_of(X, "reconstruct")
        queries.refuse_huge((factors.shape[0], self.n_features_in_), "reconstruct")
        return queries.clipped(be.unload(self._low_rank(be, factors, row_bias)), self.clip_range_)

    def _rows_of(self, X, method):
        """Back end, factors and biases of the rows of X, or of the training rows."""
        if X is None:
            return get_backend(self.backend, self.components_), self.embedding_, self.row_bias_
        be, _, _, factors, row_bias = self._fold(X, method)
        return be, factors, row_bias

    def predict_entries(self, rows, cols, X=None, return_std=False):
        """Values at given places, without forming the matrix.

        Parameters
        ----------
        rows, cols : array-like of int of shape (n,)
            Rows and columns of the places, counted from 0.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            What `rows` counts in, folded in first; None takes the training rows.
        return_std : bool, default=False
            Whether to give standard deviations of the values too.

        Returns
        -------
        values : array of shape (n,)
            The values, within `clip`.
        std : array of shape (n,)
            Only if `return_std`: ``noise_std_ * sqrt(1 + v_j^T (G_i + ridge_i I)^-1 v_j)`` times
            the scale of the column, the deviation of a new observation given the column
            factors. Their own uncertainty is not in it. For a row without observed entries the
            factors of the training rows stand in for its own.

        Raises
        ------
        ValueError
            If a place lies outside the matrix.
        """
        check_is_fitted(self)
        entries = None
        if X is None:
            be, factors, row_bias = self._rows_of(None, "predict_entries")
        else:
            be, _, entries, factors, row_bias = self._fold(X, "predict_entries")
        rows = queries.check_places(rows, factors.shape[0], "rows")
        cols = queries.check_places(cols, self.n_features_in_, "cols")
        if rows.shape != cols.shape:
            raise ValueError(
                f"rows and cols must have the same length. Got {rows.shape[0]} and {cols.shape[0]}."
            )
        values = queries.values_at(self, be, factors, row_bias, rows, cols)
        values = queries.clipped(values, self.clip_range_, cols)
        if not return_std:
            return values
        if entries is None:
            known = queries.known_pattern(self, "return_std=True")
        else:
            known = queries.pattern(entries)
        return values, be.unload(queries.deviations_at(self, known, rows, cols))

    def top_k(self, rows=None, k=10, *, X=None, exclude_observed=True):
        """The columns with the largest values in each row, never forming the matrix.

        Parameters
        ----------
        rows : array-like of int of shape (n,), default=None
            Rows to answer for, of X or of the training rows; None takes all. The number of
            columns is the second argument: ``top_k(k=5)``.
        k : int, default=10
            Columns per row.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            What `rows` counts in, folded in first; None takes the training rows.
        exclude_observed : bool, default=True
            Whether to leave out the columns that a row has observed.

        Returns
        -------
        indices : array of int of shape (n, k)
            Columns, the largest value first; -1 where a row has fewer than `k` left.
        scores : array of shape (n, k)
            Their values, within `clip`; NaN where the index is -1.
        """
        check_is_fitted(self)
        entries = None
        if X is None:
            be, factors, row_bias = self._rows_of(None, "top_k")
        else:
            be, _, entries, factors, row_bias = self._fold(X, "top_k")
        n = factors.shape[0]
        rows = np.arange(n) if rows is None else queries.check_places(rows, n, "rows")
        if (
            isinstance(k, bool)
            or not isinstance(k, (int, np.integer))
            or not 1 <= k <= self.n_features_in_
        ):
            raise ValueError(
                f"k must be an integer in [1, {self.n_features_in_}], the number of columns. Got"
                f" {k!r}."
            )
        known = None
        if exclude_observed and entries is None:
            known = queries.known_pattern(self, "exclude_observed=True")
        elif exclude_observed:
            known = queries.pattern(entries)
        return be.unload(*queries.top_columns(self, be, factors, row_bias, rows, k, known))

    def score(self, X, y=None):
        """Minus the root mean square error on entries that are hidden from the fold-in.

        In each row with at least two observed entries a share `score_fraction` of them is
        hidden, chosen by `random_state` and the position of the row alone; the rest is folded
        in, and the errors on all hidden entries are pooled. This makes cross-validation over
        rows honest with no further code. On rows that `fit` has seen the score is too good:
        the columns know their hidden entries.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n_samples, n_features)
            Rows, as in `fit`.
        y : None
            Ignored.

        Returns
        -------
        score : float
            Minus the error, in the unit of the data; higher is better.

        Raises
        ------
        ValueError
            If no row has two observed entries.
        """
        check_is_fitted(self)
        if is_dask(X):
            from ..distributed._matrix_completion import score_row_blocks

            return score_row_blocks(self, X)
        true, predicted, _ = self._predict_hidden(X, "score")
        # LAPACK's norm neither overflows nor underflows in between.
        return -float(norm(predicted - true) / np.sqrt(true.shape[0]))

    def _predict_hidden(self, X, method):
        """Hidden entries, what the rest of their rows predicts, and how many that rest are."""
        be = get_backend(self.backend, X)
        X, entries = self._read(be, X, reset=False)
        be.check_home(self, "components_", method)
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        hidden = queries.choose_hidden(entries, self.score_fraction, seed)
        if not hidden.any():
            raise ValueError(
                f"{method} needs a row with at least two observed entries, to hide one of them."
            )
        hidden = be.unload(hidden)
        visible, asked = entries.keep(~hidden), entries.keep(hidden)
        factors, row_bias = self._fold_entries(be, visible)
        rows, cols = to_numpy(asked.rows), to_numpy(asked.indices)
        values = queries.values_at(self, be, factors, row_bias, rows, cols)
        values = to_numpy(queries.clipped(values, self.clip_range_, cols))
        counts = np.diff(to_numpy(visible.indptr))[rows]
        return (a.astype(np.float64) for a in (to_numpy(asked.values), values, counts))
