"""Posteriors of the coefficients: variances of predictions, and draws.

All are without units, and on the host between calls.
"""

import math
from dataclasses import dataclass

import numpy as np

from .._backend import to_numpy
from ._kronecker_sbl_kernels import absolute_squares, conjugate, mode_products, outer
from ._kronecker_sbl_state import Spectrum


@dataclass(frozen=True)
class GaussianPosterior:
    """Normal posterior of the coefficients of a Kronecker design.

    Attributes
    ----------
    shape : tuple of int
        Coefficients of each mode.
    active : list of ndarray
        Indices of each mode that were not pruned.
    spectra : list of Spectrum
        Decomposition of each factor, without the rotation.
    weight : ndarray of shape (r_1, ..., r_K)
        Precisions W of the data in the basis of the left singular vectors.
    ones : ndarray of shape (r_1, ..., r_K) or None
        Ones of an intercept in this basis.
    unseen : float
        Squared norm of the ones outside of it.
    precision : float
        Precision of the intercept, 0 without one and infinite without noise.
    noise : float
        Noise variance.
    is_complex : bool
        Whether coefficients are complex.
    """

    shape: tuple
    active: list
    spectra: list
    weight: np.ndarray
    ones: np.ndarray | None
    unseen: float
    precision: float
    noise: float
    is_complex: bool

    @classmethod
    def of(cls, state, expectation, precision):
        """The posterior of an expectation, with the precision of an intercept of centred data."""
        problem = expectation.problem
        spectra = [
            Spectrum(None, *(to_numpy(part) for part in spectrum[1:]))
            for spectrum in expectation.spectra
        ]
        ones, unseen = None, 0.0
        if problem.data.shape[0] > problem.n_snapshots:
            ones = to_numpy(expectation.centred)[-1]
            unseen = max(problem.n_rows - float(np.sum(np.abs(ones) ** 2)), 0.0)
            precision = expectation.precision
        return cls(
            problem.shape,
            list(state.active),
            spectra,
            to_numpy(expectation.weight),
            ones,
            unseen,
            precision,
            expectation.noise,
            np.iscomplexobj(spectra[0].basis),
        )

    def loaded(self, be):
        """Gains ``diag(sqrt(g)) V diag(s)``, weights and ones on an engine."""
        gains = [be.load(s.root[:, None] * s.basis * s.singular) for s in self.spectra]
        return gains, *be.load(self.weight, self.ones)

    def row_variance(self, be, rows):
        """Equation (12): variances of the signal at rows of factors.

        Parameters
        ----------
        be : Backend
            Engine of the rows.
        rows : list of array of shape (p_k, n_k)
            Rows of each factor.

        Returns
        -------
        variance : array of shape (p_1, ..., p_K)
            Variances, without noise.
        """
        xp = be.xp
        rows = [
            xp.take(row, be.load(active), axis=1)
            for row, active in zip(rows, self.active, strict=True)
        ]
        gains, weight, ones = self.loaded(be)
        roots = [be.load(s.root) for s in self.spectra]
        prior = [
            xp.sum(absolute_squares(xp, row * root), axis=1)
            for row, root in zip(rows, roots, strict=True)
        ]
        seen = [row @ gain for row, gain in zip(rows, gains, strict=True)]
        squares = [absolute_squares(xp, part) for part in seen]
        explained = mode_products(be, weight[None, ...], *squares)[0, ...]
        variance = xp.clip(outer(xp, *prior) - explained, 0, None)
        if self.precision > 0:
            shift = 1.0
            if ones is not None:
                shift = 1 - mode_products(be, (weight * ones)[None, ...], *seen)[0, ...]
                shift = absolute_squares(xp, shift)
            variance = variance + shift / self.precision
        return variance

    def draw(self, be, rng, n_draws, mean):
        """Equation (13): exact draws of the coefficients.

        Parameters
        ----------
        be : Backend
            Engine of the products.
        rng : RandomState
            Source of the draws.
        n_draws : int
            Number of draws.
        mean : ndarray of shape (L, n_1, ..., n_K)
            Posterior means.

        Returns
        -------
        draws : ndarray of shape (n_draws, L, n_1, ..., n_K)
            Draws.
        """
        draws = np.repeat(mean[None], n_draws, axis=0)
        if self.noise == 0:
            return draws
        n = n_draws * mean.shape[0]
        sizes = tuple(active.size for active in self.active)
        prior = self._normal(rng, (n, *sizes))
        noise = math.sqrt(self.noise) * self._normal(rng, (n, *self.weight.shape))
        hidden = math.sqrt(self.noise * self.unseen) * self._normal(rng, (n,))
        gains, weight, ones = self.loaded(be)
        onto = [(s.basis * s.singular).conj().T for s in self.spectra]
        data = mode_products(be, be.load(prior), *map(be.load, onto)) + be.load(noise)
        if ones is not None:
            data = data - self._intercepts(be, data, be.load(hidden), weight, ones)
        correction = to_numpy(mode_products(be, data * weight, *gains))
        deviation = prior * outer(np, *[s.root for s in self.spectra]) - correction
        places = np.ix_(np.arange(n), *self.active)
        draws.reshape(n, *self.shape)[places] += deviation
        return draws

    def _intercepts(self, be, data, hidden, weight, ones):
        """Intercepts of data times the ones, where `hidden` is what the basis does not see."""
        xp, noise = be.xp, self.noise
        shared = xp.sum(conjugate(xp, ones) * weight * data, axis=tuple(range(1, data.ndim)))
        intercept = (shared + hidden / noise) / self.precision
        return xp.reshape(intercept, (-1, *(1,) * ones.ndim)) * ones

    def _normal(self, rng, shape):
        """Standard normal numbers, circular ones if the coefficients are complex."""
        if not self.is_complex:
            return rng.standard_normal(shape)
        pair = rng.standard_normal((2, *shape))
        return (pair[0] + 1j * pair[1]) / math.sqrt(2)


@dataclass(frozen=True)
class ProductPosterior:
    """Posterior of a Kronecker product of independent vectors.

    Attributes
    ----------
    means : list of ndarray of shape (n_k,)
        Means of the vectors.
    parts : list of GaussianPosterior
        Their posteriors.
    noise : float
        Noise variance.
    """

    means: list
    parts: list
    noise: float

    @property
    def is_complex(self):
        """Whether coefficients are complex."""
        return self.parts[0].is_complex

    def row_variance(self, be, rows):
        """Variances of the signal at rows of factors; see the method of a normal posterior."""
        means = [row @ be.load(mean) for row, mean in zip(rows, self.means, strict=True)]
        spreads = [part.row_variance(be, [row]) for part, row in zip(self.parts, rows, strict=True)]
        return product_variance(be.xp, means, spreads)

    def draw(self, be, rng, n_draws, mean):
        """Draws of the coefficients; see the method of a normal posterior."""
        draws = np.ones(n_draws)
        for part, own in zip(self.parts, self.means, strict=True):
            vectors = part.draw(be, rng, n_draws, own[None])[:, 0]
            draws = draws[..., None] * vectors.reshape(n_draws, *(1,) * (draws.ndim - 1), -1)
        return draws[:, None]


def product_variance(xp, means, variances):
    """Variances of the outer product of independent vectors, factor by factor."""
    power, variance = absolute_squares(xp, means[0]), variances[0]
    for mean, own in zip(means[1:], variances[1:], strict=True):
        square = absolute_squares(xp, mean)
        variance = variance[..., None] * (square + own) + power[..., None] * own
        power = power[..., None] * square
    return variance
