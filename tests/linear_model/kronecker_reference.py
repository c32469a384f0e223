"""Sparse Bayesian learning by dense algebra, slow and plain."""

from dataclasses import dataclass
from functools import reduce

import numpy as np


def kron(matrices):
    """Kronecker product of matrices or vectors."""
    return reduce(np.kron, matrices)


def random_factors(rng, rows, columns, is_complex):
    """Normal factors."""
    return [_normal(rng, (m, n), is_complex) for m, n in zip(rows, columns, strict=True)]


def _normal(rng, shape, is_complex):
    return rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if is_complex else 0)


def random_data(rng, rows, n_snapshots, is_complex, intercept):
    """Normal data of shape (L, m_1, ..., m_K), centred if there is an intercept."""
    data = _normal(rng, (n_snapshots, *rows), is_complex)
    axes = tuple(range(1, data.ndim))
    return data - data.mean(axis=axes, keepdims=True) if intercept else data


@dataclass
class DensePosterior:
    """What dense algebra makes of a design H, data of shape (M, L) and variances."""

    H: np.ndarray
    y: np.ndarray
    gamma: np.ndarray
    noise: float
    intercept: bool = False

    def __post_init__(self):
        H, y, gamma, M = self.H, self.y, self.gamma, len(self.y)
        C = self.noise * np.eye(M) + (H * gamma) @ H.conj().T
        inverse = np.linalg.inv(C)
        ones = np.ones(M)
        self.b, log_det = np.zeros(y.shape[1]), np.linalg.slogdet(C)[1]
        if self.intercept:
            w = inverse @ ones
            a = (ones @ w).real
            self.b = w.conj() @ y / a
            inverse = inverse - np.outer(w, w.conj()) / a
            log_det += np.log(a / M)
        gain = gamma[:, None] * H.conj().T @ inverse
        self.mean = gain @ y
        self.cov = np.diag(gamma) - gain @ H * gamma
        self.variance = np.diag(self.cov).real
        self.cost = y.shape[1] * log_det + np.trace(y.conj().T @ inverse @ y).real
        self.residual = np.sum(np.abs(y - self.b - H @ self.mean) ** 2)
        self.inverse_trace = np.trace(inverse).real
        # tr(H Sigma H^H) over the noise variance, less that of an intercept.
        self.explained = np.trace((H * gamma) @ H.conj().T @ inverse).real
