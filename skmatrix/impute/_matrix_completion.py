"""Low-rank matrix completion as a transformer that fills the holes of its input."""

from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.callback import CallbackSupportMixin
from sklearn.impute import MissingIndicator
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from .._backend import CONSTRAINT, get_backend, to_numpy
from .._sklearn import Interval, StrOptions, _fit_context
from ..distributed import is_dask
from . import _matrix_completion_queries as queries
from ._matrix_completion_alternation import augment, fold_in
from ._matrix_completion_entries import read_entries, refuse_duplicates
from ._matrix_completion_fit import (
    Units,
    canonical,
    certificate,
    measure_units,
    noise_deviation,
    prepare,
    run_epochs,
    singular_values,
    thread_pool,
)
from ._matrix_completion_update import correct_columns

# Parameters of the model and its solver, shared with the long-format regressor.
MODEL_CONSTRAINTS = {
    "n_components": [
        Interval(Integral, 0, None, closed="left"),
        StrOptions({"auto", "signflip"}),
    ],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "penalty": [StrOptions({"count", "constant"})],
    "bias": [StrOptions({"none", "global", "row", "column", "both"})],
    "solver": [StrOptions({"auto", "pcg", "cholesky", "sketch"})],
    "inner_tol": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="neither")],
    "inner_max_iter": [Interval(Integral, 1, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "continuation": ["boolean", StrOptions({"auto"})],
    "init": [StrOptions({"random", "svd"}), tuple],
    "clip": [None, tuple, StrOptions({"observed"})],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "n_jobs": [None, Integral],
    "dtype": [None, StrOptions({"float32", "float64"})],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
    "backend": CONSTRAINT,
}


class MatrixCompletion(
    CallbackSupportMixin, OneToOneFeatureMixin, TransformerMixin, BaseEstimator
):
    """DOC"""

    _parameter_constraints: dict = {
        **MODEL_CONSTRAINTS,
        "scale": [None, StrOptions({"columns"})],
        "warm_start": ["boolean"],
        "output": [StrOptions({"imputed", "factors"})],
        "add_indicator": ["boolean"],
        "score_fraction": [Interval(Real, 0, 1, closed="neither")],
    }

    def __init__(
        self,
        n_components=10,
        *,
        alpha=0.1,
        penalty="count",
        bias="both",
        scale=None,
        solver="auto",
        inner_tol="auto",
        inner_max_iter=30,
        max_iter=50,
        tol=1e-4,
        continuation="auto",
        init="random",
        warm_start=False,
        clip=None,
        validation_fraction=0.0,
        n_iter_no_change=3,
        output="imputed",
        add_indicator=False,
        score_fraction=0.2,
        n_jobs=None,
        dtype=None,
        random_state=None,
        verbose=0,
        backend="auto",
    ):
        self.n_components = n_components
        self.alpha = alpha
        self.penalty = penalty
        self.bias = bias
        self.scale = scale
        self.solver = solver
        self.inner_tol = inner_tol
        self.inner_max_iter = inner_max_iter
        self.max_iter = max_iter
        self.tol = tol
        self.continuation = continuation
        self.init = init
        self.warm_start = warm_start
        self.clip = clip
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.output = output
        self.add_indicator = add_indicator
        self.score_fraction = score_fraction
        self.n_jobs = n_jobs
        self.dtype = dtype
        self.random_state = random_state
        self.verbose = verbose
        self.backend = backend

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, entry_weight=None):
        """Find the factors of a matrix from its observed entries.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n_samples, n_features)
            The matrix. In an array or a data frame NaN marks the holes; of a sparse matrix
            every stored value is observed, zeros included, and nothing else is.
        y : None
            Ignored.
        entry_weight : array-like or sparse matrix of the shape of X, default=None
            Non-negative weights of the observed entries. Weight 0 makes an entry a hole;
            weight 2 counts it twice. For sparse X it must store the same places.

        Returns
        -------
        self : MatrixCompletion
            The fitted estimator.

        Raises
        ------
        ValueError
            If nothing is observed, a value is infinite, a sparse X stores a place twice, or
            a weight is negative.
        FloatingPointError
            If the objective overflows.
        """
        if is_dask(X):
            from ..distributed._matrix_completion import fit_row_blocks

            return fit_row_blocks(self, X, entry_weight)
        self._fit(X, entry_weight)
        return self

    def _fit(self, X, entry_weight):
        """Fit, and return the validated X with its observed entries."""
        _check_clip(self.clip)
        be = get_backend(self.backend, X)
        X, entries = self._read(be, X, entry_weight, reset=True)
        if not entries.values.shape[0]:
            raise ValueError(
                "X has no observed entries. Pass at least one value that is not NaN (dense), or"
                " stored (sparse), with a positive entry_weight."
            )
        rng = check_random_state(self.random_state)
        units = measure_units(entries, bias=self.bias, scale=self.scale)
        normalised = units.normalise(entries)
        train, held = normalised, None
        if self.validation_fraction > 0:
            chosen = rng.uniform(size=entries.values.shape[0]) < self.validation_fraction
            chosen = be.unload(chosen)
            train, held = normalised.keep(~chosen), normalised.keep(chosen).load(be)
        with thread_pool(be, self.n_jobs) as pool:
            start = prepare(self, be, train.load(be), units, rng, pool)
            k, penalty_unit = start.problem.n_components, start.penalty_unit

            def state(U, V):
                return self._attributes(be, U, V, k, units, entries, X, penalty_unit)

            result = run_epochs(self, X, start, units, held, state)
            vars(self).update(state(result.U, result.V))
            self._describe(be, normalised, start, result, units, rng, pool)
        return X, entries

    def _read(self, be, X, entry_weight=None, *, reset):
        """Validate X and read its observed entries, both at X's home."""
        refuse_duplicates(X)
        X = validate_data(
            self,
            X,
            accept_sparse="csr",
            dtype=be.float_dtypes if self.dtype is None else getattr(be.home, self.dtype),
            order="C",
            ensure_all_finite="allow-nan",
            reset=reset,
        )
        return X, read_entries(be, X, entry_weight)

    def _attributes(self, be, U, V, k, units, entries, X, penalty_unit):
        """Fitted attributes that the factors define, in the units of the data."""
        U, V = canonical(be, U, V, k)
        root = float(np.sqrt(units.unit))
        home = be.home
        components, column_bias, embedding, row_bias = be.unload(
            (V[:, :k] * root).T, V[:, k + 1] * units.unit, U[:, :k] * root, U[:, k] * units.unit
        )
        rows, columns = (to_numpy(part) > 0 for part in _counts(entries))
        return {
            "components_": home.asarray(components, copy=True),
            "column_bias_": home.asarray(column_bias, copy=True),
            "embedding_": home.asarray(embedding, copy=True),
            "row_bias_": home.asarray(row_bias, copy=True),
            "n_components_": k,
            "offset_": units.offset,
            "unit_": units.unit,
            "scale_": units.scale,
            "alpha_": self.alpha * penalty_unit * units.unit,
            "clip_range_": _clip_range(self.clip, entries, X),
            "n_observed_": int(entries.values.shape[0]),
            "n_empty_rows_": int(np.sum(~rows)),
            "n_empty_columns_": int(np.sum(~columns)),
            "indicator_": self._fit_indicator(X),
        }

    def _describe(self, be, normalised, start, result, units, rng, pool):
        """Fold the training rows in, and keep what is known about the fit."""
        loop, k = result.loop, self.n_components_
        entries = normalised.load(be)
        U, V = self._solve_rows(be, entries, pool)
        self.embedding_, self.row_bias_ = self._in_data_units(be, U)
        self._pattern = queries.pattern(normalised)
        values = singular_values(be, U, V, k)
        self.singular_values_ = be.unload(values * units.unit)
        self.noise_std_ = units.unit * noise_deviation(entries, U, V, k)
        self.n_iter_ = loop.n_iter
        self.converged_ = loop.converged
        self.objective_history_ = be.unload(np.asarray(loop.history))
        self.inner_iter_history_ = be.unload(np.asarray(result.inner_iter))
        self.validation_history_ = be.unload(np.asarray(result.validation))
        self.elapsed_history_ = be.unload(np.asarray(result.elapsed))
        self.rank_path_ = start.rank_path
        self.duality_gap_ = None
        if self.penalty == "constant":
            ridge = self.alpha * start.penalty_unit
            self.duality_gap_, short = certificate(start.problem, U, V, values, ridge, rng)
            queries.warn_if_short(self, short)

    def _augmented_columns(self, be):
        """The augmented column factors on the engine, in normalised units."""
        components, bias = be.load(self.components_, self.column_bias_)
        factors = components.T / float(np.sqrt(self.unit_))
        return augment(be, factors, bias / self.unit_, 1)

    def _solve_rows(self, be, entries, pool=None):
        """Augmented factors of rows given by normalised entries, and those of the columns."""
        V = be.xp.astype(self._augmented_columns(be), entries.values.dtype)
        ridge = self.alpha_ / self.unit_
        row_bias = self.bias in ("row", "both")
        U = fold_in(
            be, entries, V, alpha=ridge, penalty=self.penalty, row_bias=row_bias, pool=pool
        )
        return U, V

    def _units(self):
        """Units of the fitted model."""
        return Units(self.offset_, self.unit_, self.scale_)

    def _fold(self, X, method):
        """Back end, validated X, its entries, and the factors and biases of its rows."""
        be = get_backend(self.backend, X)
        X, entries = self._read(be, X, reset=False)
        be.check_home(self, "components_", method)
        return be, X, entries, *self._fold_entries(be, entries)

    def _fold_entries(self, be, entries):
        """Factors and biases of rows, both at X's home, from their entries there."""
        with thread_pool(be, self.n_jobs) as pool:
            U, _ = self._solve_rows(be, self._units().normalise(entries).load(be), pool)
        return self._in_data_units(be, U)

    def _in_data_units(self, be, U):
        """Factors and biases at X's home out of augmented factors on the engine."""
        k, root = self.n_components_, float(np.sqrt(self.unit_))
        factors, bias = be.unload(U[:, :k] * root, U[:, k] * self.unit_)
        # copies: slices would keep the augmented array alive, and pickle it
        return be.home.asarray(factors, copy=True), be.home.asarray(bias, copy=True)

    def transform(self, X):
        """Fill the holes of rows, or give their factors.

        Each row is folded in: its factors and bias solve the ridge regression of its observed
        entries on the fitted columns. A row without observed entries gets offset and column
        biases. With dask input the result is a lazy dask array.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n_samples, n_features)
            Rows with holes, as in `fit`.

        Returns
        -------
        X_new : array of shape (n_samples, n_features) or (n_samples, n_components_)
            With ``output="imputed"`` the rows with their holes filled and their observed
            entries as they were, dense also for sparse X, and the columns of the missing
            indicator if asked for; with ``output="factors"`` the factors of the rows.

        Raises
        ------
        ValueError
            If a dense result of sparse X would have more than 2**31 elements.
        """
        check_is_fitted(self)
        if is_dask(X):
            from ..distributed._matrix_completion import transform_row_blocks

            return transform_row_blocks(self, X)
        return self._present(*self._fold(X, "transform"))

    def fit_transform(self, X, y=None, *, entry_weight=None):
        """Fit to X and fill its holes, or give the factors of its rows.

        The same as ``fit(X).transform(X)``, without solving for the rows twice. Unlike
        `transform`, it uses the `entry_weight` of the rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The matrix, as in `fit`.
        y : None
            Ignored.
        entry_weight : array-like or sparse matrix of the shape of X, default=None
            Weights, as in `fit`.

        Returns
        -------
        X_new : array of shape (n_samples, n_features) or (n_samples, n_components_)
            As from `transform`.
        """
        if is_dask(X):
            return self.fit(X, entry_weight=entry_weight).transform(X)
        self.fit(X, entry_weight=entry_weight)
        be = get_backend(self.backend, X)
        X, entries = self._read(be, X, reset=False)
        return self._present(be, X, entries, self.embedding_, self.row_bias_)

    def _present(self, be, X, entries, factors, row_bias):
        """What `output` asks for, at X's home."""
        if self.output == "factors":
            return self._with_indicator(X, factors)
        if sp.issparse(X):
            queries.refuse_huge(X.shape, 'transform with output="imputed"')
        filled = be.unload(self._low_rank(be, factors, row_bias))
        filled = queries.clipped(filled, self.clip_range_)
        if sp.issparse(X):
            filled[to_numpy(entries.rows), to_numpy(entries.indices)] = entries.values
        else:
            filled = be.home.where(be.home.isnan(X), filled, X)
        return self._with_indicator(X, filled)

    def _low_rank(self, be, factors, row_bias):
        """Fit of every entry of some rows, on the engine and in the units of the data."""
        factors, row_bias = be.load(factors, row_bias)
        columns = be.load(self.components_, self.column_bias_)
        components, column_bias = (be.xp.astype(a, factors.dtype) for a in columns)
        fit = factors @ components + row_bias[:, None] + (column_bias + self.offset_)
        return fit if self.scale_ is None else fit * be.load(self.scale_)

    def _fit_indicator(self, X):
        """The fitted missing indicator, None if there is to be none."""
        if not self.add_indicator:
            return None
        if sp.issparse(X) or not isinstance(X, np.ndarray):
            raise ValueError(
                f"add_indicator=True needs X as a NumPy array or a data frame. Got"
                f" {type(X).__name__}."
            )
        return MissingIndicator(error_on_new=False).fit(X)

    def _with_indicator(self, X, result):
        """The result with the columns of the missing indicator, if there are any."""
        if not self.add_indicator:
            return result
        return np.hstack([result, self.indicator_.transform(X).astype(result.dtype)])

    def get_feature_names_out(self, input_features=None):
        """Names of the columns that `transform` gives.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the input columns; None takes those seen in `fit`, else ``x0``, ``x1``, ...

        Returns
        -------
        feature_names_out : ndarray of str
            Names of the input columns, or ``matrixcompletion0``, ... for factors, followed by
            those of the missing indicator.
        """
        check_is_fitted(self)
        names = super().get_feature_names_out(input_features)
        if self.output == "factors":
            prefix = type(self).__name__.lower()
            factors = [f"{prefix}{i}" for i in range(self.n_components_)]
            extra = names
            names = np.asarray(factors, dtype=object)
        else:
            extra = names
        if not self.add_indicator:
            return names
        return np.concatenate([names, self.indicator_.get_feature_names_out(extra)])

    def inverse_transform(self, X):
        """Rows of the matrix out of their factors.

        Parameters
        ----------
        X : array of shape (n_samples, n_components_)
            Factors as from ``transform`` with ``output="factors"``. They do not hold the
            biases of the rows, which count as 0.

        Returns
        -------
        X_original : array of shape (n_samples, n_features)
            The low-rank fit.
        """
        check_is_fitted(self)
        be = get_backend(self.backend, X)
        X = check_array(X, dtype=be.float_dtypes, ensure_min_features=0)
        if X.shape[1] != self.n_components_:
            raise ValueError(
                f"X has {X.shape[1]} columns but must have one for each of the"
                f" {self.n_components_} components."
            )
        zeros = be.home.zeros_like(X[:, 0]) if X.shape[1] else be.home.sum(X, axis=1)
        return be.unload(self._low_rank(be, X, zeros))

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
            factors. Their own uncertainty is not in it.

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
        known = self._pattern if entries is None else queries.pattern(entries)
        return values, be.unload(queries.deviations_at(self, known, rows, cols))

    def top_k(self, rows=None, k=10, *, X=None, exclude_observed=True):
        """The columns with the largest values in each row, never forming the matrix.

        Parameters
        ----------
        rows : array-like of int of shape (n,), default=None
            Rows to answer for, of X or of the training rows; None takes all.
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
        if not 1 <= k <= self.n_features_in_:
            raise ValueError(f"k={k} must be in [1, {self.n_features_in_}], the number of columns.")
        known = None
        if exclude_observed:
            known = self._pattern if entries is None else queries.pattern(entries)
        return be.unload(*queries.top_columns(self, be, factors, row_bias, rows, k, known))

    def update_rows(self, X_rows, indices):
        """Solve again for some rows on the fitted columns, or append new ones.

        Parameters
        ----------
        X_rows : {array-like, sparse matrix} of shape (n, n_features)
            All observed entries of these rows.
        indices : array-like of int of shape (n,)
            Where they stand. Positions from the number of rows on append, and must continue
            it without a gap.

        Returns
        -------
        self : MatrixCompletion
            The estimator with its `embedding_` and `row_bias_` updated.
        """
        check_is_fitted(self)
        be, _, entries, factors, row_bias = self._fold(X_rows, "update_rows")
        places = queries.check_row_positions(indices, factors.shape[0], self.embedding_.shape[0])
        source = queries.merge_positions(self.embedding_.shape[0], places)
        xp = be.home
        order = xp.asarray(source, device=be.home_device)
        joined = xp.concat([self.embedding_, factors]), xp.concat([self.row_bias_, row_bias])
        self.embedding_, self.row_bias_ = (xp.take(a, order, axis=0) for a in joined)
        self._pattern = queries.merge_patterns(self._pattern, queries.pattern(entries), source)
        self.n_observed_ = int(self._pattern.nnz)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None):
        """Append rows, and correct the columns that they touch.

        The new rows are folded in; then each touched column minimises a quadratic model of
        the old objective plus the new data. It is a correction step and not a refit: after
        many new rows, fit again with ``warm_start=True``. Without an earlier fit it is `fit`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, n_features)
            The new rows.
        y : None
            Ignored.

        Returns
        -------
        self : MatrixCompletion
            The updated estimator.
        """
        if not hasattr(self, "components_"):
            self._fit(X, None)
            return self
        be, _, entries, _, _ = self._fold(X, "partial_fit")
        with thread_pool(be, self.n_jobs) as pool:
            correct_columns(self, be, self._units().normalise(entries).load(be), pool)
        self._pattern = queries.stack_patterns(self._pattern, queries.pattern(entries))
        self.n_observed_ = int(self._pattern.nnz)
        return self

    def score(self, X, y=None):
        """Minus the root mean square error on entries that are hidden from the fold-in.

        In each row with at least two observed entries a share `score_fraction` of them is
        hidden, chosen by `random_state` and the position of the row alone; the rest is folded
        in, and the errors on all hidden entries are pooled. This makes cross-validation over
        rows honest with no further code.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
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
        be = get_backend(self.backend, X)
        X, entries = self._read(be, X, reset=False)
        be.check_home(self, "components_", "score")
        hidden = queries.choose_hidden(entries, self.score_fraction, self.random_state)
        if not hidden.any():
            raise ValueError(
                "score needs a row with at least two observed entries, to hide one of them."
            )
        hidden = be.unload(hidden)
        factors, row_bias = self._fold_entries(be, entries.keep(~hidden))
        asked = entries.keep(hidden)
        rows, cols = to_numpy(asked.rows), to_numpy(asked.indices)
        values = queries.values_at(self, be, factors, row_bias, rows, cols)
        values = to_numpy(queries.clipped(values, self.clip_range_, cols))
        error = values.astype(np.float64) - to_numpy(asked.values)
        return -float(np.sqrt(np.mean(error**2)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.array_api_support = True
        return tags


def _counts(entries):
    """Numbers of observed entries in each row and each column."""
    counts = entries.indptr[1:] - entries.indptr[:-1]
    return counts, np.bincount(to_numpy(entries.indices), minlength=entries.shape[1])


def _check_clip(clip):
    """Refuse bounds that are no pair of ascending numbers."""
    if not isinstance(clip, tuple):
        return
    numbers = len(clip) == 2 and all(isinstance(bound, Real) for bound in clip)
    if not numbers or not clip[0] < clip[1]:
        raise ValueError(f"clip must be a pair (low, high) with low < high. Got {clip!r}.")


def _clip_range(clip, entries, X):
    """Bounds of filled values: a pair of numbers, or of one number per column, or None."""
    if clip is None or isinstance(clip, tuple):
        return clip
    if sp.issparse(X):
        return float(entries.values.min()), float(entries.values.max())
    return queries.observed_range(X)
