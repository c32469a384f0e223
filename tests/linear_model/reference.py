"""Least squares and ridge regression the plain way, and the fits that are compared with it."""

from itertools import pairwise

import numpy as np
from scipy.linalg import lstsq, svd

from skmatrix.linear_model import SketchedRegression

# Every way to an exact answer; "stream" is `partial_fit` in three batches.
EXACT = ("direct", "iterative", "lapack", "stream")


def fitted(way, X, y, sample_weight=None, **parameters):
    """A regression that was fitted one of the ways; its solver did run."""
    model = SketchedRegression(**{"random_state": 0, **parameters})
    if way != "stream":
        model.set_params(solver=way).fit(X, y, sample_weight)
        assert model.solver_ == way
        return model
    cuts = [0, X.shape[0] // 3, X.shape[0] // 2, X.shape[0]]
    for begin, end in pairwise(cuts):
        weight = None if sample_weight is None else sample_weight[begin:end]
        model.partial_fit(X[begin:end, :], y[begin:end, ...], weight)
    assert model.solver_ == "stream"
    return model


def solve(X, y, sample_weight=None, alpha=0.0, fit_intercept=True):
    """Coefficients and intercept by LAPACK's gelsd, the penalty as further rows."""
    n, d = X.shape
    weight = np.ones(n) if sample_weight is None else sample_weight
    Y = y.reshape(n, -1)
    means = np.zeros(d), np.zeros(Y.shape[1])
    if fit_intercept:
        means = np.average(X, axis=0, weights=weight), np.average(Y, axis=0, weights=weight)
    root = np.sqrt(weight)[:, None]
    A, B = root * (X - means[0]), root * (Y - means[1])
    coef = np.empty((Y.shape[1], d))
    for t, penalty in enumerate(np.broadcast_to(alpha, Y.shape[1])):
        rows = np.concatenate([A, np.sqrt(penalty) * np.eye(d)])
        right = np.append(B[:, t], np.zeros(d))
        coef[t] = lstsq(rows, right, cond=1e-12, lapack_driver="gelsd")[0]
    intercept = means[1] - coef @ means[0]
    return (coef[0], intercept[0]) if y.ndim == 1 else (coef, intercept)


def backward_error(A, b, x):
    """Karlson and Walden's estimate of the optimal backward error, over the norm of A.

    It is within a factor of sqrt(2) of the smallest relative change of A, in the Frobenius norm,
    for which x is a least squares solution.
    """
    _, values, Vt = svd(A, full_matrices=False)
    residual, size = b - A @ x, np.linalg.norm(x)
    filtered = (Vt @ (A.T @ residual)) / np.hypot(values, np.linalg.norm(residual) / size)
    return np.linalg.norm(filtered) / size / np.linalg.norm(A)


def leverages(X, sample_weight=None, alpha=0.0, fit_intercept=True):
    """Diagonal of the hat matrix, without the weight of the row itself."""
    n = X.shape[0]
    root = np.ones((n, 1)) if sample_weight is None else np.sqrt(sample_weight)[:, None]
    T = np.column_stack([np.ones(n), X]) if fit_intercept else X
    penalty = np.sqrt(alpha) * np.eye(T.shape[1])
    penalty = penalty[1:] if fit_intercept else penalty
    _, values, Vt = svd(np.concatenate([root * T, penalty]), full_matrices=False)
    kept = values > 1e-10 * values[0]
    return np.sum((T @ (Vt[kept].T / values[kept])) ** 2, axis=1)
