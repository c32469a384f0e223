"""Toy estimators, written as the package's estimators are.

They show that the common machinery works (and that its checks bite) apart from any method.
"""

from numbers import Integral, Real

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    OneToOneFeatureMixin,
    RegressorMixin,
    TransformerMixin,
)
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from skmatrix._backend import CONSTRAINT, get_backend, kernel, to_numpy
from skmatrix._iterate import Iterations
from skmatrix._sklearn import Interval, _check_sample_weight, _fit_context
from skmatrix._xp import segment_sum


@kernel(numba="tests.toys_numba:descend", min_size=1000)
def descend(xp, X, y, weight, coef, alpha):
    """One step of steepest descent on a weighted ridge problem, with exact line search.

    Returns the new coefficients, and the norm of the gradient at the old ones, the norm of
    ``X.T @ (weight * y)`` and the objective at the new ones in one array.
    """
    gradient = X.T @ (weight * (X @ coef - y)) + alpha * coef
    target = X.T @ (weight * y)
    slope = X @ gradient
    squared = gradient @ gradient
    curvature = slope @ (weight * slope) + alpha * squared
    flat = curvature <= 0
    step = xp.where(flat, xp.zeros_like(squared), squared / xp.where(flat, 1, curvature))
    moved = coef - step * gradient
    residual = X @ moved - y
    objective = 0.5 * (residual @ (weight * residual) + alpha * (moved @ moved))
    return moved, xp.stack([xp.sqrt(squared), xp.sqrt(target @ target), objective])


@kernel()
def class_means(xp, X, weight, index, n_classes):
    """Weighted mean of each class, by way of a one-hot matrix."""
    classes = xp.arange(n_classes, dtype=index.dtype, device=X.device)
    member = xp.astype(index[:, None] == classes[None, :], X.dtype) * weight[:, None]
    return (member.T @ X) / xp.sum(member, axis=0)[:, None]


@kernel()
def nearest(xp, X, means):
    """Index of the nearest mean for each row."""
    return xp.argmin(xp.sum(means * means, axis=1)[None, :] - 2 * (X @ means.T), axis=1)


@kernel()
def column_mean_squares(xp, data, indices, indptr, n_columns):
    """Mean square of each column of a CSR matrix, as one product with its transpose's sums."""
    n_rows = indptr.shape[0] - 1
    order = xp.argsort(indices)
    bounds = xp.searchsorted(
        indices[order], xp.arange(n_columns + 1, dtype=indices.dtype, device=indices.device)
    )
    return segment_sum(xp, (data * data)[order], bounds) / n_rows


class ToyRidge(CallbackSupportMixin, RegressorMixin, BaseEstimator):
    """Ridge regression without intercept, by steepest descent."""

    _parameter_constraints = {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "backend": CONSTRAINT,
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        max_iter=2000,
        tol=1e-10,
        random_state=None,
        verbose=0,
        backend="auto",
    ):
        self.alpha = alpha
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.verbose = verbose
        self.backend = backend

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the coefficients."""
        be = get_backend(self.backend, X)
        y, sample_weight = be.follow(y, sample_weight)
        X, y = validate_data(self, X, y, dtype=be.float_dtypes, order="C", y_numeric=True)
        weight = _check_sample_weight(sample_weight, X, dtype=X.dtype, ensure_non_negative=True)
        y = be.home.astype(y, X.dtype)
        A, b, w = be.load(X, y, weight)
        rng = check_random_state(self.random_state)
        coef = be.xp.astype(be.load(rng.standard_normal(A.shape[1])), A.dtype)
        # What float32 can reach; nearer to it, rounding decides the number of iterations.
        tol = max(self.tol, 1000 * float(be.xp.finfo(A.dtype).eps))
        loop = Iterations(self, X, y, max_iter=self.max_iter, tol=tol)
        for _ in loop:
            coef, report = descend(be, A, b, w, coef, alpha=float(self.alpha))
            gradient, target, objective = to_numpy(report).tolist()
            change = gradient / target if target else gradient
            loop.update(
                change,
                objective=objective,
                state=lambda coef=coef: {"coef_": be.unload(coef)},
            )
        self.coef_ = be.unload(coef)
        self.n_iter_ = loop.n_iter
        self.objective_history_ = be.unload(np.asarray(loop.history))
        return self

    def predict(self, X):
        """Predict the target."""
        check_is_fitted(self)
        be = get_backend(self.backend, X)
        X = validate_data(self, X, reset=False, dtype=be.float_dtypes, order="C")
        be.check_home(self, "coef_", "predict")
        A, coef = be.load(X, self.coef_)
        return be.unload(A @ be.xp.astype(coef, A.dtype))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        return tags


class ToyCentroids(ClassifierMixin, BaseEstimator):
    """Nearest weighted class mean."""

    _parameter_constraints = {"backend": CONSTRAINT}

    def __init__(self, *, backend="auto"):
        self.backend = backend

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the class means."""
        be = get_backend(self.backend, X)
        y, sample_weight = be.follow(y, sample_weight)
        X, y = validate_data(self, X, y, dtype=be.float_dtypes)
        check_classification_targets(y)
        weight = _check_sample_weight(sample_weight, X, dtype=X.dtype, ensure_non_negative=True)
        # A class without weight has no mean.
        kept = to_numpy(weight) > 0
        self.classes_ = np.unique(to_numpy(y)[kept])
        if self.classes_.size < 2:
            raise ValueError(f"y has {self.classes_.size} class; ToyCentroids needs 2.")
        codes = np.searchsorted(self.classes_, to_numpy(y)).clip(max=self.classes_.size - 1)
        A, w, index = be.load(X, weight, codes)
        self.means_ = be.unload(class_means(be, A, w, index, n_classes=self.classes_.size))
        return self

    def predict(self, X):
        """Predict the class."""
        check_is_fitted(self)
        be = get_backend(self.backend, X)
        X = validate_data(self, X, reset=False, dtype=be.float_dtypes)
        be.check_home(self, "means_", "predict")
        A, means = be.load(X, self.means_)
        return be.labels(self.classes_, nearest(be, A, be.xp.astype(means, A.dtype)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        return tags


class ToyScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Division by the root mean square of each column; takes sparse matrices."""

    _parameter_constraints = {"backend": CONSTRAINT}

    def __init__(self, *, backend="auto"):
        self.backend = backend

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Fit the scale of the columns."""
        be = get_backend(self.backend, X)
        X = validate_data(self, X, dtype=be.float_dtypes, accept_sparse="csr")
        if hasattr(X, "indptr"):
            data, indices, indptr = be.load(X.data, X.indices, X.indptr)
            squares = column_mean_squares(be, data, indices, indptr, n_columns=X.shape[1])
        else:
            squares = be.xp.mean(be.load(X) ** 2, axis=0)
        one = be.xp.ones_like(squares)
        self.scale_ = be.unload(be.xp.where(squares > 0, be.xp.sqrt(squares), one))
        return self

    def transform(self, X):
        """Divide by the scale."""
        check_is_fitted(self)
        be = get_backend(self.backend, X)
        X = validate_data(self, X, reset=False, dtype=be.float_dtypes, accept_sparse="csr")
        be.check_home(self, "scale_", "transform")
        if hasattr(X, "indptr"):
            return X.multiply(1 / self.scale_).tocsr().astype(X.dtype)
        A, scale = be.load(X, self.scale_)
        return be.unload(A / be.xp.astype(scale, A.dtype))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
