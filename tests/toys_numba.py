"""Numba twin of the toy kernel."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def descend(X, y, weight, coef, alpha):
    """Twin of ``tests.toys.descend``, without arrays as long as there are rows."""
    n, d = X.shape
    gradient = np.zeros(d)
    target = np.zeros(d)
    for i in range(n):
        predicted = 0.0
        for j in range(d):
            predicted += X[i, j] * coef[j]
        for j in range(d):
            gradient[j] += weight[i] * (predicted - y[i]) * X[i, j]
            target[j] += weight[i] * y[i] * X[i, j]
    for j in range(d):
        gradient[j] += alpha * coef[j]
    squared = (gradient * gradient).sum()
    curvature = alpha * squared
    for i in range(n):
        slope = 0.0
        for j in range(d):
            slope += X[i, j] * gradient[j]
        curvature += weight[i] * slope * slope
    step = squared / curvature if curvature > 0.0 else 0.0
    moved = np.empty_like(coef)
    objective = 0.0
    for j in range(d):
        moved[j] = coef[j] - step * gradient[j]
        objective += 0.5 * alpha * moved[j] * moved[j]
    for i in range(n):
        residual = -y[i]
        for j in range(d):
            residual += X[i, j] * moved[j]
        objective += 0.5 * weight[i] * residual * residual
    report = np.empty(3, dtype=coef.dtype)
    report[0] = np.sqrt(squared)
    report[1] = np.sqrt((target * target).sum())
    report[2] = objective
    return moved, report
