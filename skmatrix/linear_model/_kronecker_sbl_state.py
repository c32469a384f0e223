"""What sparse Bayesian learning with Kronecker factors is given, and what it believes."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import array_api_compat
import numpy as np

from .._backend import to_numpy
from ._kronecker_sbl_kernels import (
    absolute_squares,
    conjugate,
    evidence_terms,
    marginal_moments,
    mode_products,
    posterior_moments,
)

# Matrices with up to this many rows or columns are factorised on the host.
_SMALL = 256
# Smallest prior variance of an index, in units of the largest of its factor.
FLOOR = 1e-12
# Smallest noise variance, in units of the mean square of the data.
_NOISE_FLOOR = 10 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Problem:
    """Factors and data on the engine, in double precision.

    Attributes
    ----------
    be : Backend
        Engine of all arrays.
    factors : list of array of shape (m_k, n_k)
        Factors of the design, none with more rows than columns.
    data : array of shape (S, m_1, ..., m_K)
        Snapshots, and behind them ones if an intercept is to be integrated out; the snapshots are
        then centred.
    norms : array of shape (S,)
        Their squared norms, of which `data` may have lost a part.
    n_rows : int
        Number of measurements M.
    n_snapshots : int
        Number of measured snapshots L.
    """

    be: Any
    factors: list
    data: Any
    norms: Any
    n_rows: int
    n_snapshots: int

    @classmethod
    def of(cls, be, factors, data, norms, n_rows, n_snapshots):
        """The problem, with a square factor R in the place of each tall ``A_k = Q R``.

        The data are multiplied by Q^H, and lose nothing but a part of their norm.
        """
        xp = be.xp
        factors, rotations = list(factors), [None] * len(factors)
        for k, factor in enumerate(factors):
            if factor.shape[0] > factor.shape[1]:
                Q, factors[k] = xp.linalg.qr(factor, mode="reduced")
                rotations[k] = conjugate(xp, Q).T
        data = mode_products(be, data, *rotations)
        return cls(be, factors, data, norms, n_rows, n_snapshots)

    @property
    def shape(self):
        """Number of coefficients of each mode."""
        return tuple(factor.shape[1] for factor in self.factors)

    @property
    def n_free(self):
        """Measurements, less one for an intercept."""
        return self.n_rows - (self.data.shape[0] > self.n_snapshots)

    @cached_property
    def mean_square(self):
        """Mean square of the data."""
        total = float(self.be.xp.sum(self.norms[: self.n_snapshots]))
        return total / (self.n_snapshots * max(self.n_free, 1))

    @property
    def is_silent(self):
        """Whether nothing can be explained: the data are zero, or a factor is."""
        return self.mean_square == 0 or not all(seen.any() for seen in self.seen())

    def seen(self):
        """For each mode, which columns are not zero: ndarrays of bool."""
        return [to_numpy(self.be.xp.any(factor != 0, axis=0)) for factor in self.factors]

    @property
    def noise_floor(self):
        """Smallest noise variance."""
        return _NOISE_FLOOR * self.mean_square


class Spectrum(NamedTuple):
    """Thin singular value decomposition ``A_k diag(sqrt(g_k)) = U S V^H``.

    Attributes
    ----------
    rotation : array of shape (r, m)
        U^H.
    singular : array of shape (r,)
        Singular values.
    basis : array of shape (n, r)
        V.
    root : array of shape (n,)
        Roots of the prior variances.
    """

    rotation: Any
    singular: Any
    basis: Any
    root: Any

    @classmethod
    def of(cls, be, factor, gamma):
        """The decomposition, on the host for a small matrix."""
        root = be.load(np.sqrt(gamma))
        scaled = factor * root
        if array_api_compat.is_numpy_namespace(be.xp) or min(scaled.shape) > _SMALL:
            U, s, Vh = be.xp.linalg.svd(scaled, full_matrices=False)
        else:
            U, s, Vh = be.load(*np.linalg.svd(to_numpy(scaled), full_matrices=False))
        return cls(conjugate(be.xp, U).T, s, conjugate(be.xp, Vh).T, root)

    def scaled(self, factor):
        """The decomposition of a multiple of the matrix."""
        return self._replace(singular=self.singular * factor, root=self.root * factor)


class State:
    """Prior variances and noise variance, and the expectations that they give.

    Parameters
    ----------
    problem : Problem
        Factors and data.
    gammas : list of float64 ndarray of shape (n_k,)
        Prior variances of the indices of each mode, on the host.
    noise : float
        Noise variance.

    Attributes
    ----------
    active : list of int64 ndarray
        Indices of each mode that have not been pruned.
    gammas : list of float64 ndarray
        Their prior variances.
    noise : float
        Noise variance.
    """

    def __init__(self, problem, gammas, noise):
        self.problem = problem
        self.noise = noise
        self.active = [np.arange(n) for n in problem.shape]
        self.gammas = [np.array(gamma, dtype=np.float64) for gamma in gammas]
        self._factors = list(problem.factors)
        self._spectra: list = [None] * len(gammas)

    def set_gamma(self, mode, gamma):
        """New prior variances of the active indices of a mode; a floor ends their descent."""
        floor = np.minimum(self.gammas[mode], FLOOR * gamma.max())
        self.gammas[mode] = np.maximum(gamma, floor)
        self._spectra[mode] = None

    def normalise(self):
        """Give all modes but the last unit norm; the product stays as it is."""
        norms = [float(np.linalg.norm(gamma)) for gamma in self.gammas[:-1]]
        if 0 in norms:
            return
        for mode, scale in enumerate([*(1 / norm for norm in norms), math.prod(norms)]):
            self.gammas[mode] = self.gammas[mode] * scale
            if self._spectra[mode] is not None:
                self._spectra[mode] = self._spectra[mode].scaled(math.sqrt(scale))

    def keep(self, mode, chosen):
        """Drop the active indices of a mode that a mask does not choose."""
        self.active[mode] = self.active[mode][chosen]
        self.gammas[mode] = self.gammas[mode][chosen]
        columns = self.problem.be.load(np.flatnonzero(chosen))
        self._factors[mode] = self.problem.be.xp.take(self._factors[mode], columns, axis=1)
        self._spectra[mode] = None

    def full_gammas(self):
        """Prior variances of all indices of each mode, zero where pruned."""
        full = []
        for n, active, gamma in zip(self.problem.shape, self.active, self.gammas, strict=True):
            full.append(np.zeros(n))
            full[-1][active] = gamma
        return full

    def expect(self):
        """The expectations of the present variances."""
        be, problem = self.problem.be, self.problem
        for mode, spectrum in enumerate(self._spectra):
            if spectrum is None:
                self._spectra[mode] = Spectrum.of(be, self._factors[mode], self.gammas[mode])
        spectra = list(self._spectra)
        rotated = mode_products(be, problem.data, *[s.rotation for s in spectra])
        power, weight, centred, intercept, terms = evidence_terms(
            be,
            rotated,
            problem.norms,
            *[s.singular * s.singular for s in spectra],
            noise=self.noise,
            n_rows=problem.n_rows,
            n_snapshots=problem.n_snapshots,
        )
        values = [float(value) for value in to_numpy(terms)]
        return Expectation(problem, spectra, self.noise, power, weight, centred, intercept, *values)


@dataclass(frozen=True)
class Expectation:
    """Expectations given prior and noise variances.

    Attributes
    ----------
    problem : Problem
        Factors and data.
    spectra : list of Spectrum
        Decomposition of each factor.
    noise : float
        Noise variance.
    power, weight : array of shape (r_1, ..., r_K)
        Signal variances in the basis of the left singular vectors, and precisions with noise.
    centred : array of shape (S, r_1, ..., r_K)
        Data in this basis, less the intercept.
    intercept : array of shape (n_snapshots,)
        Intercept of the centred data.
    log_det, quadratic, residual, explained, inverse_trace, precision : float
        The terms of :func:`evidence_terms`.
    """

    problem: Problem
    spectra: list
    noise: float
    power: Any
    weight: Any
    centred: Any
    intercept: Any
    log_det: float
    quadratic: float
    residual: float
    explained: float
    inverse_trace: float
    precision: float

    @property
    def cost(self):
        """Equation (3): the cost F, minus twice the log evidence up to constants."""
        return self.problem.n_snapshots * self.log_det + self.quadratic

    def noise_by_em(self):
        """Equation (9): noise variance that maximises the expected log likelihood."""
        expected = self.residual / self.problem.n_snapshots + self.noise * self.explained
        return max(expected / self.problem.n_free, self.problem.noise_floor)

    def noise_by_mm(self):
        """Equation (8): noise variance that minimises the majoriser of the cost."""
        ratio = self.residual / (self.problem.n_snapshots * self.inverse_trace)
        return max(math.sqrt(ratio), self.problem.noise_floor)

    def marginals(self, mode):
        """Sums of ``|mu|^2 / g`` and of ``tau`` over the other modes, on the host."""
        found = marginal_moments(
            self.problem.be,
            self.centred,
            self.power,
            self.weight,
            self.spectra[mode].basis,
            mode=mode,
            n_snapshots=self.problem.n_snapshots,
            precision=self.precision,
        )
        return tuple(to_numpy(part) for part in found)

    def second_moments(self):
        """Equation (6): expected squares of the active coefficients, averaged over snapshots."""
        mean, variance = self.moments()
        squares = absolute_squares(self.problem.be.xp, mean)
        if self.problem.n_snapshots == 1:
            return variance + squares[0, ...]
        return variance + self.problem.be.xp.mean(squares, axis=0)

    def moments(self):
        """Posterior means and variances of the active coefficients."""
        return posterior_moments(
            self.problem.be,
            self.centred,
            self.weight,
            *[s.basis for s in self.spectra],
            *[s.singular for s in self.spectra],
            *[s.root for s in self.spectra],
            noise=self.noise,
            n_snapshots=self.problem.n_snapshots,
            precision=self.precision,
        )


def relative_change(new, old):
    """``|g' - g| / |g|`` for Kronecker products g', g of vectors, without cancellation.

    The difference of the products of the first k vectors is carried along by its squared norm and
    by its inner product with the old product.
    """
    difference, inner, norm = 0.0, 0.0, 1.0
    for a, b in zip(new, old, strict=True):
        step = a - b
        difference = (
            difference * float(a @ a) + 2 * inner * float(a @ step) + norm * float(step @ step)
        )
        inner = inner * float(a @ b) + norm * float(b @ step)
        norm *= float(b @ b)
    return math.sqrt(max(difference, 0.0) / norm) if norm > 0 else 0.0
