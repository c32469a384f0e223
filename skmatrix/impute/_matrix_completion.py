"""Low-rank matrix completion as a transformer that fills the holes of its input."""

from functools import partial
from numbers import Real

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from .._backend import get_backend, to_numpy
from .._sklearn import Interval, StrOptions, _fit_context
from .._threads import fit_threads, thread_pool
from .._transaction import all_or_nothing
from ..distributed import is_dask
from . import _matrix_completion_queries as queries
from ._matrix_completion_alternation import augment, fold_in, method_of, resolve_solver
from ._matrix_completion_entries import read_entries, refuse_duplicates, refuse_formats
from ._matrix_completion_fit import (
    Reporter,
    Units,
    canonical,
    certificate,
    hold_out,
    measure_units,
    noise_deviation,
    prepare,
    run_epochs,
    singular_values,
)
from ._matrix_completion_parameters import MODEL_CONSTRAINTS, PRIVATE
from ._matrix_completion_prediction import EntryPredictionMixin
from ._matrix_completion_update import RowUpdateMixin


class MatrixCompletion(
    RowUpdateMixin,
    EntryPredictionMixin,
    CallbackSupportMixin,
    OneToOneFeatureMixin,
    TransformerMixin,
    BaseEstimator,
):
    r"""Fill the holes of a matrix by a low-rank model with biases.

    The model of entry (i, j) is ``offset + row_bias_i + column_bias_j + u_i . v_j``. It is fitted
    to the observed entries alone, by alternating minimisation whose half steps are solved
    approximately [1]_, in time linear in (observed entries) x (factors). Rows that arrive later
    are folded in by :meth:`transform`.

    Use it for ratings, sensor tables and images with holes: many columns, much missing, one
    dominant low-rank structure. For a table with few columns and few holes
    :class:`sklearn.impute.IterativeImputer` may be more accurate; for clicks and counts, where
    a hole means "probably not", use a method for implicit feedback.

    Read more in the :ref:`User Guide <matrix_completion>`.

    Parameters
    ----------
    n_components : int, "auto" or "signflip", default=10
        Number of factors, at most ``min(n_rows, n_columns)`` (larger values are cut down to it
        in silence); 0 fits biases alone. "auto" takes the smallest rank that predicts held-out
        entries as well as the best, at about twice the cost of the largest rank tried.
        "signflip" counts the directions that stand out of the noise; use it for entries seen
        about uniformly.
    alpha : float, default=0.1
        Penalty, without unit: data in other units give the same fit. 0.05 to 0.2 suits
        ratings, 0 data without noise; choose it by cross-validation.
    penalty : {"count", "constant"}, default="count"
        "count" penalises a row in proportion to its number of entries, which predicts best
        where numbers differ. "constant" penalises all alike: the nuclear-norm problem, with a
        certificate of optimality in `duality_gap_`; alpha then counts in the
        spectral norm of the data, so that alpha >= 1 gives zero factors.
    bias : {"both", "row", "column", "global", "none"}, default="both"
        Which biases join the product of the factors. All but "none" take the observed mean out.
    scale : {"columns"} or None, default=None
        "columns" takes the observed mean of each column out, divides it by its observed standard
        deviation, and undoes both in the output: for tables whose columns have unlike units.
    solver : {"auto", "pcg", "cholesky", "sketch"}, default="auto"
        How a half step solves its regressions: conjugate gradients preconditioned by the shared
        Gram matrix, exact Cholesky factors (cost quadratic in the rank), or the sketched QR
        factors of the paper, kept as its reference form. "auto" is "pcg", but
        "cholesky" for up to 8 factors with alpha below 1e-3.
    inner_tol : float or "auto", default="auto"
        Factor by which a half step reduces its preconditioned residual. "auto" is 0.1, and 0.01
        while the penalty is below 1e-3, where the fit hangs on it.
    inner_max_iter : int, default=30
        Most conjugate gradient steps in a half step.
    max_iter : int, default=50
        Most epochs. Noisy data need 10 to 30.
    tol : float, default=1e-4
        The fit ends when an epoch lowers the objective by a smaller share than this, or when the
        entries are met to this relative accuracy. For exact recovery (alpha=0, no noise) set it
        to the accuracy that you want, such as 1e-10.
    continuation : bool or "auto", default="auto"
        Whether to start from a large penalty that halves every epoch until it reaches `alpha`,
        which is what finds ill-conditioned matrices. "auto": if alpha < 1e-3.
    init : {"random", "svd"} or tuple of two arrays, default="random"
        Start: small Gaussian factors, the paper's clipped singular vectors, or factors (U, V) of
        shapes (n_rows, n_components) and (n_columns, n_components).
    warm_start : bool, default=False
        Whether `fit` starts from the factors of the last fit, if their number is the same. New
        rows and columns at the end start from zero factors.
    clip : tuple of two floats, "observed" or None, default=None
        Bounds of predicted values, such as (0.5, 5) for ratings; "observed" takes the smallest
        and largest value seen (of each column, if X is dense).
    validation_fraction : float, default=0.0
        If positive, this share of the entries is held out, the fit ends when the error on them
        no longer falls, and the best factors are kept.
    n_iter_no_change : int, default=3
        Epochs without a smaller held-out error that end the fit.
    output : {"imputed", "factors"}, default="imputed"
        What `transform` gives: the rows with their holes filled, or the factors of the rows.
    add_indicator : bool, default=False
        Whether to append the columns of a :class:`sklearn.impute.MissingIndicator`; dense X only.
    score_fraction : float, default=0.2
        Share of the entries of each row that :meth:`score` hides.
    dtype : {"float32", "float64"} or None, default=None
        Precision. None keeps float32 and takes float64 for all else. "float32" halves memory
        and is precise enough for ratings, not for exact recovery.
    n_jobs : int or None, default=None
        Threads of the compiled half step; None means 1, unless in a joblib context, and -1 all
        cores. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Source of the random start, of held-out entries and of what `score` hides. Pass an int
        for the same result in every call.
    verbose : int, default=0
        If positive, a line is printed for each epoch.
    backend : {"auto", "numpy", "numba", "cupy", "torch"}, default="auto"
        Where the half steps run. "auto" takes Numba from 2,000 entries on, or the library of
        `X` if it is on a GPU. All give the same result up to rounding error.

    Attributes
    ----------
    components_ : array of shape (n_components, n_features)
        Factors of the columns, orthogonal, the longest first.
    embedding_ : array of shape (n_samples, n_components)
        Factors of the training rows.
    row_bias_ : array of shape (n_samples,)
        Biases of the training rows.
    column_bias_ : array of shape (n_features,)
        Biases of the columns.
    offset_ : float
        Weighted mean of the observed values; 0 if bias="none".
    unit_ : float
        Root mean square of the observed values less `offset_`: the unit of the penalty.
    center_, scale_ : array of shape (n_features,) or None
        Means and standard deviations of the columns, if ``scale="columns"``; the other attributes
        are those of the standardised data.
    n_components_ : int
        Number of factors.
    singular_values_ : array of shape (n_components,)
        Singular values of the product of the factors.
    alpha_ : float
        The penalty in units of the data.
    noise_std_ : float
        Standard deviation of the residuals, corrected for the effective degrees of freedom of the
        factors and biases. Weights count as repetitions.
    solver_ : {"pcg", "cholesky", "sketch"}
        The solver that ran.
    n_iter_ : int
        Number of epochs.
    converged_ : bool
        Whether `tol`, or early stopping, ended the fit.
    objective_history_ : array of shape (n_iter,)
        Objective between the two half steps of each epoch, at that epoch's penalty.
    validation_history_ : array of shape (n_iter,) or (0,)
        Root mean square error on the held-out entries after each epoch, if there are any.
    elapsed_history_ : array of shape (n_iter,)
        Seconds from the first epoch to the end of each.
    inner_iter_history_ : array of shape (n_iter, 2)
        Mean conjugate gradient steps of a row, and of a column, in each epoch.
    rank_path_ : list of tuple (int, float)
        For a chosen rank: each rank visited, with its held-out error or sign-flip ratio.
    duality_gap_ : float or None
        For penalty="constant" without held-out entries: bound on (f - f*) / f, with biases held
        fixed. None otherwise, and after `partial_fit`.
    clip_range_ : tuple or None
        Bounds of predicted values.
    n_observed_ : int
        Number of observed entries.
    n_empty_rows_, n_empty_columns_ : int
        Number of training rows and of columns without observed entries. They are kept: their
        factors are 0.
    indicator_ : MissingIndicator or None
        The fitted indicator, if `add_indicator`.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if X has names that are all strings.

    See Also
    --------
    MatrixCompletionRegressor : The same model for triplets of row, column and value.
    sklearn.impute.KNNImputer : Fills a hole from the most similar rows.
    sklearn.impute.IterativeImputer : Fills a column by regression on the others.

    Notes
    -----
    With values in units of `unit_` and weights w, the objective is

    .. math::

        \frac{1}{2} \sum_{(i,j) \in \Omega} w_{ij} (y_{ij} - \hat{y}_{ij})^2
        + \frac{\alpha}{2} \sum_i s_i (|u_i|^2 + b_i^2)
        + \frac{\alpha}{2} \sum_j t_j (|v_j|^2 + c_j^2),

    where s and t are the weights of rows and columns (penalty="count") or 1 ("constant").

    A half step solves one ridge regression per row. The paper sketches each of them; with the
    10 to 200 entries of a real row that costs more than it saves, so that the default shares one
    preconditioner among all rows instead, the popularity-weighted Gram matrix of the fixed
    factors. An epoch costs about ``8 (inner + 1) n_observed (k + 2)`` operations with 1 to 5
    inner steps. Memory is two copies of the observed entries and of the factors; no array of the
    shape of X is formed before `transform`.

    Left out of the paper: fresh entries for every epoch (all entries are used again, as
    everyone does), the unknown incoherence in the clipping of ``init="svd"`` (a multiple of the
    mean row norm is used), and sketch-and-solve starts after the first epoch (a half step goes
    on from where it is). Added to it: biases, penalties, weights, and penalty continuation.

    References
    ----------
    .. [1] Yuzhou Gu, Zhao Song, Junze Yin, Lichen Zhang, "Low Rank Matrix Completion via Robust
       Alternating Minimization in Nearly Linear Time", International Conference on Learning
       Representations, 2024. :arxiv:`2302.11068`

    .. [2] Trevor Hastie, Rahul Mazumder, Jason D. Lee, Reza Zadeh, "Matrix Completion and
       Low-Rank SVD via Fast Alternating Least Squares", Journal of Machine Learning Research,
       2015. :arxiv:`1410.2596`

    Examples
    --------
    >>> import numpy as np
    >>> from skmatrix.datasets import make_low_rank_matrix_completion
    >>> from skmatrix.impute import MatrixCompletion
    >>> X, truth = make_low_rank_matrix_completion(100, 80, rank=3, n_observed=0.3, random_state=0)
    >>> completion = MatrixCompletion(3, alpha=0, bias="none", tol=1e-8, random_state=0)
    >>> filled = completion.fit_transform(X)
    >>> bool(np.abs(filled - truth).max() < 1e-6)
    True
    """

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
        dtype=None,
        n_jobs=None,
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
        self.dtype = dtype
        self.n_jobs = n_jobs
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
            Non-negative weights of the observed entries. The fit ignores entries of weight 0 and
            counts those of weight 2 twice. For sparse X it must store the same places.

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

    def _fit(self, X, entry_weight, reporter=None):
        """Fit, telling callbacks about the estimator itself or about the one it serves."""
        queries.check_clip(self.clip)
        with all_or_nothing(self, PRIVATE):
            self._fit_entries(X, entry_weight, reporter)

    def _fit_entries(self, X, entry_weight, reporter):
        """Fit to validated entries, and keep what was found."""
        be = get_backend(self.backend, X)
        X, entries = self._read(be, X, entry_weight, reset=True)
        if not entries.values.shape[0]:
            raise ValueError(
                "X has no observed entries. Pass at least one value that is not NaN (dense), or"
                " stored (sparse), with a positive entry_weight."
            )
        rng = check_random_state(self.random_state)
        whole = partial(_apply, entries)
        units = measure_units(whole, whole, bias=self.bias, scale=self.scale)
        normalised = units.normalise(entries)
        train, held = normalised, None
        if self.validation_fraction > 0:
            chosen = be.unload(hold_out(entries.values.shape[0], self.validation_fraction, rng))
            train, held = normalised.keep(~chosen), normalised.keep(chosen).load(be)
        facts = self._describe_data(entries, X)
        with fit_threads(be, self.n_jobs) as pool:
            start = prepare(self, be, train.load(be), units, rng, pool)
            k, penalty_unit = start.problem.n_components, start.penalty_unit

            def state(U, V):
                return {**facts, **self._describe_factors(be, U, V, k, units, penalty_unit)}

            reporter = Reporter(self, X) if reporter is None else reporter
            result = run_epochs(self, reporter, start, units, held, state)
            self._keep(state(result.U, result.V))
            loaded = normalised.load(be)
            U, V = self._solve_rows(be, loaded, pool)
            self.embedding_, self.row_bias_ = self._in_data_units(be, U)
            self._pattern = queries.pattern(normalised)
            self.noise_std_ = units.unit * noise_deviation(
                start.problem, loaded, U, V, self.alpha * penalty_unit
            )
            values = singular_values(be, U, V, k)
            self.singular_values_ = be.unload(values * units.unit)
            self.rank_path_ = start.rank_path
            self._keep(self._describe_epochs(be, result))
            self.duality_gap_ = None
            if self.penalty == "constant" and held is None:
                ridge = self.alpha * penalty_unit
                self.duality_gap_, short = certificate(start.problem, U, V, values, ridge, rng)
                queries.warn_if_short(self, short)

    def _keep(self, attributes):
        """Set fitted attributes."""
        for name, value in attributes.items():
            setattr(self, name, value)

    def _read(self, be, X, entry_weight=None, *, reset):
        """Validate X and read its observed entries, both at X's home."""
        refuse_formats(X)
        refuse_duplicates(X)
        X = validate_data(
            self,
            X,
            accept_sparse="csr",
            dtype=be.float_dtypes
            if self.dtype is None
            else getattr(be.home, np.dtype(self.dtype).name),
            order="C",
            ensure_all_finite="allow-nan",
            reset=reset,
        )
        return X, read_entries(be, X, entry_weight)

    def _describe_data(self, entries, X):
        """Fitted attributes that the data alone define."""
        rows, columns = (to_numpy(part) > 0 for part in _counts(entries))
        return {
            "clip_range_": queries.clip_range(self.clip, entries, X),
            "n_observed_": int(entries.values.shape[0]),
            "n_empty_rows_": int(np.sum(~rows)),
            "n_empty_columns_": int(np.sum(~columns)),
            "indicator_": self._fit_indicator(X),
        }

    def _describe_factors(self, be, U, V, k, units, penalty_unit):
        """Fitted attributes that the factors define, in the units of the data."""
        U, V = canonical(be, U, V, k)
        root, home = float(np.sqrt(units.unit)), be.home
        components, column_bias, embedding, row_bias = be.unload(
            (V[:, :k] * root).T, V[:, k + 1] * units.unit, U[:, :k] * root, U[:, k] * units.unit
        )
        return {
            "components_": home.asarray(components, copy=True),
            "column_bias_": home.asarray(column_bias, copy=True),
            "embedding_": home.asarray(embedding, copy=True),
            "row_bias_": home.asarray(row_bias, copy=True),
            "n_components_": k,
            "solver_": method_of(resolve_solver(self.solver, self.alpha), k),
            "offset_": units.offset,
            "unit_": units.unit,
            "center_": units.center,
            "scale_": units.scale,
            "alpha_": self.alpha * penalty_unit * units.unit,
            # what set_params may change later without changing the model that was fitted
            "_fitted_bias": self.bias,
            "_fitted_penalty": self.penalty,
        }

    @staticmethod
    def _describe_epochs(be, result):
        """Fitted attributes that tell how the epochs went."""
        loop = result.loop
        histories = (loop.history, result.inner_iter, result.validation, result.elapsed)
        objective, inner_iter, validation, elapsed = be.unload(*(np.asarray(h) for h in histories))
        return {
            "n_iter_": loop.n_iter,
            "converged_": loop.converged,
            "objective_history_": objective,
            "inner_iter_history_": inner_iter,
            "validation_history_": validation,
            "elapsed_history_": elapsed,
        }

    def _augmented_columns(self, be):
        """The augmented column factors on the engine, in normalised units."""
        components, bias = be.load(self.components_, self.column_bias_)
        factors = components.T / float(np.sqrt(self.unit_))
        return augment(be, factors, bias / self.unit_, 1)

    def _solve_rows(self, be, entries, pool=None):
        """Augmented factors of rows given by normalised entries, and those of the columns."""
        V = be.xp.astype(self._augmented_columns(be), entries.values.dtype)
        ridge = self.alpha_ / self.unit_
        row_bias = self._fitted_bias in ("row", "both")
        penalty = self._fitted_penalty
        U = fold_in(be, entries, V, alpha=ridge, penalty=penalty, row_bias=row_bias, pool=pool)
        return U, V

    def _units(self):
        """Units of the fitted model."""
        return Units(self.offset_, self.unit_, self.center_, self.scale_)

    def _fold(self, X, method, entry_weight=None):
        """Back end, validated X, its entries, and the factors and biases of its rows."""
        be, X, entries = self._open(X, method, entry_weight)
        return be, X, entries, *self._fold_entries(be, entries)

    def _open(self, X, method, entry_weight=None):
        """Back end, validated X and its entries, for a method of the fitted estimator."""
        be = get_backend(self.backend, X)
        X, entries = self._read(be, X, entry_weight, reset=False)
        be.check_home(self, "components_", method)
        return be, X, entries

    def _fold_entries(self, be, entries):
        """Factors and biases of rows, both at X's home, from their entries there."""
        with thread_pool(be, self.n_jobs) as pool:
            U, _ = self._solve_rows(be, self._units().normalise_new(entries).load(be), pool)
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
        X_new : array of shape (n_samples, n_features) or (n_samples, n_components)
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
        X : {array-like, sparse matrix, dask array} of shape (n_samples, n_features)
            The matrix, as in `fit`.
        y : None
            Ignored.
        entry_weight : array-like or sparse matrix of the shape of X, default=None
            Weights, as in `fit`.

        Returns
        -------
        X_new : array of shape (n_samples, n_features) or (n_samples, n_components)
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

    def _fit_indicator(self, X):
        """The fitted missing indicator, None if there is to be none."""
        if not self.add_indicator:
            return None
        if sp.issparse(X) or not isinstance(X, np.ndarray):
            raise ValueError(
                f"add_indicator=True needs X as a NumPy array or a data frame. Got"
                f" {type(X).__name__}."
            )
        # Here, for the sake of the many who want none: it imports a good part of scikit-learn.
        from sklearn.impute import MissingIndicator

        return MissingIndicator(error_on_new=False).fit(X)

    def _with_indicator(self, X, result):
        """The result with the columns of the missing indicator, if there are any."""
        if self.indicator_ is None:
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
        if self.indicator_ is None:
            return names
        return np.concatenate([names, self.indicator_.get_feature_names_out(extra)])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.array_api_support = True
        return tags


def _apply(entries, f):
    """Sum, or maximum, of f over the one block of entries."""
    return f(entries)


def _counts(entries):
    """Numbers of observed entries in each row and each column."""
    counts = entries.indptr[1:] - entries.indptr[:-1]
    return counts, np.bincount(to_numpy(entries.indices), minlength=entries.shape[1])
