"""Prior variances that fit expected squares: alternation, rank-one projection, coupled indices."""

import numpy as np

from .._backend import to_numpy
from ._kronecker_sbl_kernels import contract, rank_one
from ._kronecker_sbl_state import FLOOR, relative_change

# Coupled indices have a heuristic update, which is not iterated for long.
_COUPLED_MAX_ITER, _COUPLED_TOL = 10, 1e-4
# Floor of the variances of coupled indices, in units of the largest.
_COUPLED_FLOOR = 1e-5
# Multiplicative steps of coupled variances in an update.
_MULTIPLICATIVE_STEPS = 5


def project(be, target):
    """Equation (10): the nearest Kronecker product, by successive rank-one approximations."""
    return [np.abs(to_numpy(vector)) for vector in rank_one(be, target)]


def alternate(be, target, gammas, couplings, *, max_iter, tol):
    """Equation (7), one mode after the other until the product stays.

    Parameters
    ----------
    be : Backend
        Engine of `target`.
    target : array of shape (n_1, ..., n_K)
        Expected squares of the coefficients.
    gammas : list of ndarray of shape (n_k,)
        Where to start.
    couplings : list of Coupling or None
        Couplings of the modes.
    max_iter : int
        Largest number of passes.
    tol : float
        Relative change of the product that ends them.

    Returns
    -------
    gammas : list of ndarray of shape (n_k,)
        The variances.
    """
    if any(coupling is not None for coupling in couplings):
        max_iter, tol = min(max_iter, _COUPLED_MAX_ITER), max(tol, _COUPLED_TOL)
    gammas = list(gammas)
    weights = [be.load(1 / gamma) for gamma in gammas]
    size = np.prod(target.shape)
    for _ in range(max_iter):
        before = list(gammas)
        for mode, coupling in enumerate(couplings):
            gamma = to_numpy(contract(be, target, *weights, mode=mode))
            gamma = gamma * (gamma.size / size)
            if coupling is not None:
                gamma = coupling.update(gamma, gammas[mode])
            gammas[mode] = np.maximum(gamma, FLOOR * gamma.max())
            weights[mode] = be.load(1 / gammas[mode])
        if relative_change(gammas, before) <= tol:
            break
    return gammas


class Coupling:
    """Variances ``C z`` of neighbouring indices that share their sources z, equation (11).

    Parameters
    ----------
    matrix : ndarray of shape (n, n)
        C, not negative.
    solver : {"nnls", "mm"}
        How z is found.
    """

    def __init__(self, matrix, solver):
        self.matrix = matrix
        self.latent = np.ones(matrix.shape[1])
        self._solver = solver

    def cut(self, keep):
        """Drop indices."""
        self.matrix, self.latent = self.matrix[np.ix_(keep, keep)], self.latent[keep]

    @property
    def gamma(self):
        """The variances."""
        return self.matrix @ self.latent

    def update(self, target, gamma):
        """Variances near those that an uncoupled mode would have, from the present ones."""
        if self._solver == "nnls":
            from scipy.optimize import nnls

            unit = target.max()
            self.latent = unit * nnls(self.matrix, target / unit)[0]
            gamma = self.gamma
            return gamma + _COUPLED_FLOOR * gamma.max()
        # The scale of the present ones may have gone to another mode.
        self.latent = self.latent * (gamma.sum() / self.gamma.sum())
        for _ in range(_MULTIPLICATIVE_STEPS):
            gamma = self.gamma
            ratio = (self.matrix.T @ (target / gamma**2)) / (self.matrix.T @ (1 / gamma))
            self.latent = self.latent * np.sqrt(ratio)
        return self.gamma
