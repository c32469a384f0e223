"""Matrix completion in its plainest form, row by row on dense arrays: the oracle of these tests.

Values Z are normalised (mean 0, root mean square 1) with NaN at the holes; W are weights,
zero at the holes.
"""

import numpy as np
import scipy.linalg


def normalise(X, W=None, bias="both"):
    """Z, W, offset and unit of a matrix with holes."""
    seen = ~np.isnan(X)
    W = np.where(seen, 1.0 if W is None else W, 0.0)
    filled = np.where(seen, X, 0.0)
    offset = 0.0 if bias == "none" else np.sum(W * filled) / np.sum(W)
    unit = np.sqrt(np.sum(W * (filled - offset) ** 2) / np.sum(W))
    return np.where(W > 0, (X - offset) / unit, np.nan), W, offset, unit


def penalties(W, penalty):
    """What alpha is multiplied by, for each row of W."""
    return W.sum(axis=1) if penalty == "count" else np.ones(W.shape[0])


def objective(Z, W, U, b, V, c, *, alpha, penalty="count"):
    """The objective of the class documentation, term by term."""
    residual = np.where(W > 0, Z - (U @ V.T + b[:, None] + c[None, :]), 0.0)
    loss = np.sum(W * residual**2) / 2
    rows = np.sum(penalties(W, penalty) * (np.sum(U**2, axis=1) + b**2)) / 2
    columns = np.sum(penalties(W.T, penalty) * (np.sum(V**2, axis=1) + c**2)) / 2
    return loss + alpha * (rows + columns)


def solve_rows(Z, W, V, c, *, alpha, penalty="count", with_bias=True):
    """Each row's ridge regression on the columns, by its normal equations."""
    n, k = Z.shape[0], V.shape[1]
    U, b = np.zeros((n, k)), np.zeros(n)
    ridge = alpha * penalties(W, penalty)
    A = np.hstack([V, np.ones((V.shape[0], 1))]) if with_bias else V
    for i in range(n):
        seen = W[i] > 0
        if not seen.any() or A.shape[1] == 0:
            continue
        G = (A[seen].T * W[i, seen]) @ A[seen] + ridge[i] * np.eye(A.shape[1])
        g = A[seen].T @ (W[i, seen] * (Z[i, seen] - c[seen]))
        solution = scipy.linalg.solve(G, g, assume_a="sym")
        U[i], b[i] = solution[:k], solution[k] if with_bias else 0.0
    return U, b


def damped_biases(Z, W, *, alpha, penalty, bias):
    """Three rounds of damped averages, rows first."""
    b, c = np.zeros(Z.shape[0]), np.zeros(Z.shape[1])
    row_weight = W.sum(axis=1) + alpha * penalties(W, penalty)
    column_weight = W.sum(axis=0) + alpha * penalties(W.T, penalty)
    for _ in range(3):
        if bias in ("row", "both"):
            total = np.sum(W * np.where(W > 0, Z - c[None, :], 0.0), axis=1)
            b = np.where(W.sum(axis=1) > 0, total / np.maximum(row_weight, 1e-300), 0.0)
        if bias in ("column", "both"):
            total = np.sum(W * np.where(W > 0, Z - b[:, None], 0.0), axis=0)
            c = np.where(W.sum(axis=0) > 0, total / np.maximum(column_weight, 1e-300), 0.0)
    return b, c


def complete(X, U, V, *, alpha, penalty="count", bias="both", W=None, n_epochs=10):
    """The fit of every entry after some epochs of exact alternating minimisation.

    alpha is the penalty on normalised values; (U, V) is the start, in units of X.

    Returns
    -------
    fit : ndarray of shape X.shape
        Fit of every entry, the rows folded in at the end.
    history : list
        Objective between the half steps of each epoch.
    """
    Z, W, offset, unit = normalise(X, W, bias)
    rule = {"alpha": alpha, "penalty": penalty}
    b, c = damped_biases(Z, W, bias=bias, **rule)
    U, V = U / np.sqrt(unit), V / np.sqrt(unit)
    own, other = bias in ("row", "both"), bias in ("column", "both")
    history = []
    for _ in range(n_epochs):
        U, b = solve_rows(Z, W, V, c, with_bias=own, **rule)
        history.append(unit**2 * objective(Z, W, U, b, V, c, **rule))
        V, c = solve_rows(Z.T, W.T, U, b, with_bias=other, **rule)
    U, b = solve_rows(Z, W, V, c, with_bias=own, **rule)
    return offset + unit * (U @ V.T + b[:, None] + c[None, :]), history


def soft_threshold(A, threshold):
    """A with its singular values shrunk."""
    left, s, right = scipy.linalg.svd(A, full_matrices=False)
    return (left * np.maximum(s - threshold, 0.0)) @ right


def soft_impute(Z, W, ridge, n_iter=3000):
    """Minimise 1/2 sum W (Z - M)^2 + ridge ||M||_* by proximal gradient steps."""
    filled, step = np.where(W > 0, Z, 0.0), W / W.max()
    M = np.zeros_like(filled)
    for _ in range(n_iter):
        M = soft_threshold(M + step * (filled - M), ridge / W.max())
    return M


def nuclear_objective(Z, W, M, ridge):
    """1/2 sum W (Z - M)^2 + ridge ||M||_*."""
    residual = np.where(W > 0, Z - M, 0.0)
    norm = np.sum(scipy.linalg.svdvals(M))
    return np.sum(W * residual**2) / 2 + ridge * norm
