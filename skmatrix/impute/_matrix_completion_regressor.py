"""Low-rank matrix completion as a regressor on pairs of row and column identifiers."""

import copy

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.callback import CallbackSupportMixin
from sklearn.preprocessing import OrdinalEncoder
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from .._sklearn import _check_sample_weight, _fit_context
from .._transaction import all_or_nothing
from . import _matrix_completion_queries as queries
from ._matrix_completion import MatrixCompletion
from ._matrix_completion_fit import Reporter
from ._matrix_completion_parameters import MODEL_CONSTRAINTS


class MatrixCompletionRegressor(CallbackSupportMixin, RegressorMixin, BaseEstimator):
    """Regression on pairs of identifiers by low-rank matrix completion.

    The long form of :class:`MatrixCompletion`: X holds the identifiers of the row and of the
    column of each value. Cross-validation then runs over *entries*, so that
    ``GridSearchCV`` and ``cross_val_predict`` tune and judge a recommender with no further code.

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
        certificate of optimality in ``completion_.duality_gap_``; alpha then counts in the
        spectral norm of the data, so that alpha >= 1 gives zero factors.
    bias : {"both", "row", "column", "global", "none"}, default="both"
        Which biases join the product of the factors. All but "none" take the observed mean out.
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
        shapes (n_rows, n_components) and (n_columns, n_components), in the order of `row_ids_`
        and `column_ids_`.
    clip : tuple of two floats, "observed" or None, default=None
        Bounds of predicted values, such as (0.5, 5) for ratings; "observed" takes the smallest
        and largest value seen.
    validation_fraction : float, default=0.0
        If positive, this share of the entries is held out, the fit ends when the error on them
        no longer falls, and the best factors are kept.
    n_iter_no_change : int, default=3
        Epochs without a smaller held-out error that end the fit.
    dtype : {"float32", "float64"} or None, default=None
        Precision. None keeps float32 and takes float64 for all else. "float32" halves memory
        and is precise enough for ratings, not for exact recovery.
    n_jobs : int or None, default=None
        Threads of the compiled half step; None means 1, unless in a joblib context, and -1 all
        cores. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Source of the random start and of held-out entries. Pass an int for the
        same result in every call.
    verbose : int, default=0
        If positive, a line is printed for each epoch.
    backend : {"auto", "numpy", "numba", "cupy", "torch"}, default="auto"
        Where the half steps run. "auto" takes Numba from 2,000 entries on, or the library of
        `X` if it is on a GPU. All give the same result up to rounding error.

    Attributes
    ----------
    completion_ : MatrixCompletion
        The fitted model of the matrix, with its factors, biases and histories.
    row_ids_, column_ids_ : ndarray
        Sorted identifiers; their positions are the rows and columns of `completion_`.
    encoder_ : OrdinalEncoder
        Maps identifiers to positions.
    n_iter_ : int
        Number of epochs.
    converged_ : bool
        Whether `tol`, or early stopping, ended the fit.
    n_features_in_ : int
        2.
    feature_names_in_ : ndarray of shape (2,)
        Names of the columns of X, if it has names that are all strings.

    See Also
    --------
    MatrixCompletion : The same model as a transformer of a matrix with holes.

    Notes
    -----
    Pairs that come more than once count with their weighted mean and the sum of their weights,
    which leaves the minimiser unchanged. For an identifier that was not seen in `fit`,
    `predict` uses what is known of the other: the offset and its bias.

    References
    ----------
    .. [1] Yuzhou Gu, Zhao Song, Junze Yin, Lichen Zhang, "Low Rank Matrix Completion via Robust
       Alternating Minimization in Nearly Linear Time", International Conference on Learning
       Representations, 2024. :arxiv:`2302.11068`

    Examples
    --------
    >>> import numpy as np
    >>> from skmatrix.impute import MatrixCompletionRegressor
    >>> X = np.array([[u, f] for u in ("ann", "bob", "eve") for f in ("up", "her", "jaws")])
    >>> y = np.array([5.0, 4.0, 2.0, 4.0, 3.0, 1.0, 3.0, 2.0, 0.0])
    >>> model = MatrixCompletionRegressor(0, alpha=0.0).fit(X[:-1], y[:-1])
    >>> model.predict(X[-1:]).round(3)
    array([0.])
    """

    _parameter_constraints: dict = MODEL_CONSTRAINTS

    def __init__(
        self,
        n_components=10,
        *,
        alpha=0.1,
        penalty="count",
        bias="both",
        solver="auto",
        inner_tol="auto",
        inner_max_iter=30,
        max_iter=50,
        tol=1e-4,
        continuation="auto",
        init="random",
        clip=None,
        validation_fraction=0.0,
        n_iter_no_change=3,
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
        self.solver = solver
        self.inner_tol = inner_tol
        self.inner_max_iter = inner_max_iter
        self.max_iter = max_iter
        self.tol = tol
        self.continuation = continuation
        self.init = init
        self.clip = clip
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.dtype = dtype
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self.backend = backend

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Find the factors of the rows and columns that the pairs name.

        Parameters
        ----------
        X : array-like of shape (n_samples, 2)
            Identifier of the row and of the column of each value: integers or strings, in an
            array or a data frame.
        y : array-like of shape (n_samples,)
            The values. Pairs that come more than once count with their weighted mean and the
            sum of their weights.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the values.

        Returns
        -------
        self : MatrixCompletionRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If X has not two columns, an identifier is missing, or a value is not finite.
        """
        with all_or_nothing(self):
            self._fit(X, y, sample_weight)
        return self

    def _fit(self, X, y, sample_weight):
        """Set the fitted attributes."""
        X = self._check_pairs(X, reset=True)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        y = check_array(
            y, ensure_2d=False, dtype=[np.float64, np.float32], input_name="y", estimator=self
        )
        if y.ndim != 1:
            raise ValueError(f"y must be one-dimensional. Got an array of shape {y.shape}.")
        check_consistent_length(X, y)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(
                sample_weight, y, dtype=y.dtype, ensure_non_negative=True
            )
        encoder = OrdinalEncoder(
            handle_unknown="use_encoded_value",
            unknown_value=-1,
            encoded_missing_value=-1,
            dtype=np.int64,
        )
        codes = encoder.fit_transform(X)
        # None has a code of its own, at the end.
        if codes.min() < 0 or any(ids[-1] is None for ids in encoder.categories_):
            raise ValueError(
                "X has missing identifiers. Drop these samples, or give the missing ones a name."
            )
        shape = tuple(len(ids) for ids in encoder.categories_)
        matrix, entry_weight = _merge_pairs(codes, y, sample_weight, shape)
        parameters = self.get_params(deep=False)
        completion = MatrixCompletion(**parameters)

        def wrap(attributes):
            part = copy.copy(completion)
            for name, value in attributes.items():
                setattr(part, name, value)
            return self._attributes(encoder, part)

        completion._fit(matrix, entry_weight, Reporter(self, X, y, sample_weight, wrap))
        for name, value in self._attributes(encoder, completion).items():
            setattr(self, name, value)
        self.n_iter_ = completion.n_iter_
        self.converged_ = completion.converged_

    @staticmethod
    def _attributes(encoder, completion):
        """Fitted attributes out of the two parts of the model."""
        return {
            "encoder_": encoder,
            "row_ids_": encoder.categories_[0],
            "column_ids_": encoder.categories_[1],
            "completion_": completion,
        }

    def _check_pairs(self, X, *, reset):
        """Validate the identifiers; data frames stay what they are, with a type per column."""
        if not hasattr(X, "columns"):
            X = check_array(X, dtype=None, input_name="X", estimator=self)
        if len(X.shape) != 2 or X.shape[1] != 2:
            raise ValueError(
                "X must have two columns, the identifiers of row and column. Got shape"
                f" {tuple(X.shape)}."
            )
        validate_data(self, X, reset=reset, skip_check_array=True)
        return X

    def predict(self, X, return_std=False):
        """Values of pairs.

        Parameters
        ----------
        X : array-like of shape (n_samples, 2)
            Identifiers. For one that was not seen in `fit`, what is known of the other remains:
            the offset and its bias.
        return_std : bool, default=False
            Whether to give standard deviations too, as :meth:`MatrixCompletion.predict_entries`
            does. Pairs with an unknown identifier get the spread of all values.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            The values, within `clip`.
        std : ndarray of shape (n_samples,)
            Only if `return_std`.
        """
        check_is_fitted(self)
        rows, columns = self._encode(self._check_pairs(X, reset=False)).T
        model = self.completion_
        values = np.full(rows.shape[0], model.offset_, dtype=model.components_.dtype)
        values += np.where(rows >= 0, model.row_bias_[rows], 0)
        values += np.where(columns >= 0, model.column_bias_[columns], 0)
        values = queries.clipped(values, model.clip_range_)
        known = (rows >= 0) & (columns >= 0)
        pairs = rows[known], columns[known]
        if not return_std:
            values[known] = model.predict_entries(*pairs)
            return values
        std = np.full_like(values, model.unit_)
        values[known], std[known] = model.predict_entries(*pairs, return_std=True)
        return values, std

    def _encode(self, X):
        """Positions of identifiers, -1 for those that `fit` has not seen."""
        try:
            return self.encoder_.transform(X)
        except (TypeError, ValueError) as error:
            kinds = [ids.dtype for ids in (self.row_ids_, self.column_ids_)]
            raise ValueError(
                f"X must hold identifiers of the types that fit has seen, {kinds[0]} and"
                f" {kinds[1]}. Convert its columns."
            ) from error

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # identifiers, not a table of numbers
        tags.input_tags.two_d_array = False
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags


def _merge_pairs(codes, y, sample_weight, shape):
    """The matrix of the values, and its weights if they are not all 1.

    Equal pairs become their weighted mean, with the sum of their weights.
    """
    if sample_weight is not None:
        used = sample_weight > 0
        codes, y, sample_weight = codes[used], y[used], sample_weight[used]
    places = (codes[:, 0], codes[:, 1])
    weight = np.ones_like(y) if sample_weight is None else sample_weight
    total = sp.coo_array((weight, places), shape=shape).tocsr()
    if total.nnz == y.shape[0]:
        matrix = sp.coo_array((y, places), shape=shape).tocsr()
    else:
        # Sums of the same entries in the same order: both have the same pattern.
        matrix = sp.coo_array((weight * y, places), shape=shape).tocsr()
        matrix.data /= total.data
    unweighted = sample_weight is None and total.nnz == y.shape[0]
    return matrix, (None if unweighted else total)
