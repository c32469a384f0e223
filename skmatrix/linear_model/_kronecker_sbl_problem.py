"""From factors and data as they came to a problem without units, and back."""

import math
from dataclasses import dataclass

import numpy as np

from .._backend import to_numpy
from ._kronecker_sbl_kernels import absolute_squares
from ._kronecker_sbl_state import Problem

# Spread in units of the largest value up to which it is what rounding leaves of a constant.
_CONSTANT = 1e-14


@dataclass(frozen=True)
class Units:
    """What the problem's quantities are multiplied by, and what was subtracted.

    Attributes
    ----------
    data : float
        Unit of the data, a power of two.
    factors : list of float
        Units of the factors, powers of two.
    centre : ndarray of shape (L,)
        Means of the data, 0 without an intercept.
    row_mean : ndarray of shape (n,) or None
        Mean row of a matrix with an intercept.
    n_rows : int
        Number of measurements.
    """

    data: float
    factors: list
    centre: np.ndarray
    row_mean: np.ndarray | None
    n_rows: int

    @property
    def coefficient(self):
        """Unit of the coefficients."""
        return coefficient_unit(self.data, self.factors)

    def noise(self, variance):
        """A noise variance in these units, within 1e-100 and 1e100."""
        exponent = math.log2(variance) - 2 * math.log2(self.data)
        return 2.0 ** min(max(exponent, -332.0), 332.0)


def coefficient_unit(data, factors):
    """Unit of coefficients from those of data and factors, which are powers of two.

    Their product may be out of the range of numbers where the result is not.
    """
    exponents = [math.frexp(unit)[1] - 1 for unit in (data, *factors)]
    exponent = exponents[0] - sum(exponents[1:])
    if not -1022 <= exponent <= 1023:
        raise ValueError(
            f"The coefficients would be of the order of 2^{exponent}, beyond double precision."
            " Rescale X or y."
        )
    return math.ldexp(1.0, exponent)


def pose(be, factors, data, intercept):
    """The problem of factors and data.

    Parameters
    ----------
    be : Backend
        Engine of the arrays.
    factors : list of array of shape (m_k, n_k)
        Factors on the engine, in double precision.
    data : array of shape (L, m_1, ..., m_K)
        Data, in their dtype.
    intercept : bool
        Whether there is an intercept. A matrix and its data are centred; for a Kronecker product,
        that would not be one when centred, the intercept is integrated out.

    Returns
    -------
    problem : Problem
        The problem.
    units : Units
        The way back.
    """
    xp, n_snapshots, n_rows = be.xp, data.shape[0], math.prod(data.shape[1:])
    axes = tuple(range(1, data.ndim))
    data, data_unit = unitless(xp, data)
    centre, row_mean = np.zeros(n_snapshots), None
    if intercept:
        means = xp.mean(data, axis=axes)
        centre = to_numpy(means) * data_unit
        data = _less_constants(xp, data, xp.reshape(means, (-1, *(1,) * len(axes))), axes)
    factor_units = []
    factors = list(factors)
    for k, factor in enumerate(factors):
        factors[k], unit = unitless(xp, factor)
        factor_units.append(unit)
    n_equations = n_rows
    if intercept and len(factors) == 1:
        mean = xp.mean(factors[0], axis=0, keepdims=True)
        row_mean = to_numpy(mean)[0] * factor_units[0]
        factors[0] = _contrasts(xp, _less_constants(xp, factors[0], mean, (0,)))
        data = _contrasts(xp, data.T).T
        n_equations = data.shape[1]
    elif intercept:
        data = xp.concat([data, xp.ones_like(data[:1, ...])])
    norms = xp.sum(absolute_squares(xp, data), axis=axes)
    problem = Problem.of(be, factors, data, norms, n_equations, n_snapshots)
    return problem, Units(data_unit, factor_units, centre, row_mean, n_rows)


def unitless(xp, array):
    """Array divided by a power of two near its largest modulus, and this power."""
    largest = float(xp.max(xp.abs(array)))
    unit = math.ldexp(0.5, math.frexp(largest)[1]) if largest > 0 else 1.0
    return array / unit, unit


def _less_constants(xp, array, means, axes):
    """Array without its means, exactly zero where it is constant."""
    centred = array - means
    spread = xp.max(xp.abs(centred), axis=axes, keepdims=True)
    return xp.where(spread > _CONSTANT * xp.abs(means), centred, xp.zeros_like(centred))


def _contrasts(xp, centred):
    """Centred rows without the direction of the ones, by a reflection: one row less."""
    n = centred.shape[0]
    return centred[1:, :] + centred[:1, :] / (math.sqrt(n) - 1) if n > 1 else centred
