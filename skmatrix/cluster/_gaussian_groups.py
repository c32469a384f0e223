"""Gaussian groups: covariances from scatters, likelihoods and criteria.

Equations are numbered as in the Notes of ``ILASDPClustering``.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.special import logsumexp

from .._backend import to_numpy
from ._gaussian_kernels import squared_distances

# Stands for squared distances that are no numbers.
_FAR = 1e300


@dataclass(frozen=True)
class Structure:
    """How covariances are made of scatters.

    Attributes
    ----------
    kind : {"full", "tied", "diag", "spherical"}
        Form of the covariances.
    ridge : float
        What is added to their diagonals.
    shrinkage : float or "auto"
        Share of the pooled covariance.
    """

    kind: str
    ridge: float
    shrinkage: Any = 0.0

    @property
    def diagonal(self):
        """Whether covariances are diagonal."""
        return self.kind in ("diag", "spherical")

    def n_parameters(self, n_groups, n_features):
        """Free parameters of the mixture, equation (11)."""
        free = {
            "full": n_groups * n_features * (n_features + 1) // 2,
            "tied": n_features * (n_features + 1) // 2,
            "diag": n_groups * n_features,
            "spherical": n_groups,
        }
        return free[self.kind] + n_groups * n_features + n_groups - 1

    def covariances(self, sizes, scatters):
        """Covariances of the groups, equation (9): (K, p, p), or (K, p) if diagonal."""
        p = scatters.shape[1]
        pooled = scatters.sum(axis=0) / sizes.sum()
        if self.kind == "tied":
            found = np.repeat(pooled[None], sizes.size, axis=0)
        else:
            found = (
                scatters / sizes[:, None, None] if scatters.ndim == 3 else (scatters.T / sizes).T
            )
            share = p / (p + sizes) if self.shrinkage == "auto" else self.shrinkage
            share = np.broadcast_to(share, sizes.shape).reshape((-1,) + (1,) * (found.ndim - 1))
            found = (1 - share) * found + share * pooled
        if self.kind == "spherical":
            found = np.repeat(found.mean(axis=1, keepdims=True), p, axis=1)
        if found.ndim == 2:
            return np.maximum(found, 0) + self.ridge
        return found + self.ridge * np.eye(p)


@dataclass(frozen=True)
class Gaussians:
    """Gaussian groups, on the host.

    Attributes
    ----------
    structure : Structure
        Form of the covariances.
    sizes : float64 ndarray of shape (K,)
        Points of each group.
    means : float64 ndarray of shape (K, p)
        Means.
    covariances : float64 ndarray of shape (K, p, p) or (K, p)
        Covariances, or their diagonals.
    factors : float64 ndarray of shape (K, p, p) or (K, p)
        Precision factors P_k.
    log_determinants : float64 ndarray of shape (K,)
        log |Sigma_k|.
    """

    structure: Structure
    sizes: np.ndarray
    means: np.ndarray
    covariances: np.ndarray
    factors: np.ndarray
    log_determinants: np.ndarray

    @classmethod
    def of(cls, structure, sizes, means, covariances):
        """Groups of given covariances.

        Raises
        ------
        LinAlgError
            If a covariance is not positive definite.
        """
        if covariances.ndim == 2:
            if not np.all(covariances > 0):
                raise np.linalg.LinAlgError("a variance is zero")
            factors = 1 / np.sqrt(covariances)
            logs = np.sum(np.log(covariances), axis=1)
            return cls(structure, sizes, means, covariances, factors, logs)
        lower = [cholesky(matrix, lower=True) for matrix in covariances]
        unit = np.eye(covariances.shape[1])
        factors = np.stack([solve_triangular(L, unit, lower=True).T for L in lower])
        logs = np.array([2 * np.sum(np.log(np.diag(L))) for L in lower])
        return cls(structure, sizes, means, covariances, factors, logs)

    @classmethod
    def of_moments(cls, structure, row_sums, means, scatters):
        """Groups with the covariances of the largest likelihood, equation (9)."""
        sizes = row_sums.sum(axis=1)
        return cls.of(structure, sizes, means, structure.covariances(sizes, scatters))

    @property
    def log_volumes(self):
        """``log |Sigma_k| + eps tr(Sigma_k^{-1})``, by which both steps raise one objective."""
        return self.log_determinants + self.structure.ridge * self._traces(None)

    def _traces(self, scatters):
        """``tr(Sigma_k^{-1} S_k)``; for None those of the identity."""
        if self.factors.ndim == 2:
            squares = self.factors**2
            return np.sum(squares if scatters is None else squares * scatters, axis=1)
        if scatters is None:
            return np.sum(self.factors**2, axis=(1, 2))
        return np.sum(self.factors * (scatters @ self.factors), axis=(1, 2))

    def objective(self, row_sums, scatters):
        """``sum_k <A_k, Z_k>`` with the ridge, equation (10)."""
        sizes = row_sums.sum(axis=1)
        return -float(np.sum(sizes * self.log_volumes + self._traces(scatters)))

    def log_likelihood(self, row_sums, scatters):
        """Classification log-likelihood, equation (1)."""
        sizes = row_sums.sum(axis=1)
        twice = np.sum(sizes * self.log_determinants + self._traces(scatters))
        return -0.5 * float(twice + sizes.sum() * self.means.shape[1] * np.log(2 * np.pi))

    def discriminants(self, be, X):
        """``log |Sigma_k| + |P_k^T (x - m_k)|^2`` of points, equation (12)."""
        means, factors = be.load(self.means, self.factors)
        with np.errstate(over="ignore", invalid="ignore"):
            squares = to_numpy(squared_distances(be, be.load(X), means, factors))
        far = ~np.isfinite(squares).all(axis=1)
        if far.any():
            # So far out that means do not matter: the order of the squared distances is right.
            rays = X[far] / np.abs(X[far]).max(axis=1, keepdims=True)
            reach = to_numpy(squared_distances(be, be.load(rays), 0 * means, factors))
            squares[far] = _FAR * reach / reach.max(axis=1, keepdims=True)
        return squares + self.log_determinants

    def log_joint(self, be, X):
        """Logarithms of weight times density of each group: (n, K)."""
        p = self.means.shape[1]
        logs = -0.5 * (self.discriminants(be, X) + p * np.log(2 * np.pi))
        return logs + np.log(self.sizes / self.sizes.sum())

    def as_public(self):
        """Covariances and precision factors, in the shapes of scikit-learn's mixtures."""
        kind = self.structure.kind
        if kind == "tied":
            return self.covariances[0], self.factors[0]
        if kind == "spherical":
            return self.covariances[:, 0], self.factors[:, 0]
        return self.covariances, self.factors

    def draw(self, n_points, rng):
        """Points of the mixture, sorted by group, and their groups."""
        counts = rng.multinomial(n_points, self.sizes / self.sizes.sum())
        parts = []
        for count, mean, covariance in zip(counts, self.means, self.covariances, strict=True):
            normal = rng.standard_normal((count, mean.size))
            if covariance.ndim == 1:
                parts.append(mean + normal * np.sqrt(covariance))
            else:
                parts.append(mean + normal @ np.linalg.cholesky(covariance).T)
        return np.concatenate(parts), np.repeat(np.arange(counts.size), counts)


def criteria(structure, log_joint, n_features):
    """BIC, ICL and AIC of a mixture, equation (11).

    Parameters
    ----------
    structure : Structure
        Form of the covariances.
    log_joint : float64 ndarray of shape (n, K)
        Logarithms of weight times density.
    n_features : int
        Features.

    Returns
    -------
    found : dict
        The criteria by name; smaller is better.
    """
    return criteria_of(structure, log_joint.shape[1], n_features, evidence(log_joint))


def evidence(log_joint):
    """Number of points, their log-density, and the entropy of their memberships."""
    total = logsumexp(log_joint, axis=1, keepdims=True)
    log_posterior = log_joint - total
    entropy = -float(np.sum(np.exp(log_posterior) * log_posterior))
    return log_joint.shape[0], float(np.sum(total)), entropy


def criteria_of(structure, n_groups, n_features, sums):
    """Criteria of a mixture from the sums of :func:`evidence`."""
    n, log_density, entropy = sums
    n_parameters = structure.n_parameters(n_groups, n_features)
    twice = 2 * log_density
    bic = n_parameters * np.log(n) - twice
    return {"bic": bic, "icl": bic + 2 * entropy, "aic": 2 * n_parameters - twice}


def indicator_factor(labels, n_groups):
    """The factor ``1_{G_k} / sqrt(n_k)`` of a partition: (K, n, 1)."""
    factor = np.zeros((n_groups, labels.size, 1))
    factor[labels, np.arange(labels.size), 0] = 1.0
    return factor / np.sqrt(factor.sum(axis=1, keepdims=True))
