"""Seeded generators of measurements by Kronecker products."""

from dataclasses import dataclass
from functools import reduce
from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state

from .._sklearn import Interval, StrOptions, validate_params

# Angles of a grid on which signals arrive, and neighbours that arrive together.
_N_ANGLES, _SPREAD = 18, 3
# Antennas of the mobile and of the base station, elements of the surface, pilots and patterns.
_N_MOBILE, _N_BASE, _N_ELEMENTS, _N_PILOTS, _N_PATTERNS = 6, 16, 256, 3, 6


@dataclass(frozen=True)
class KroneckerSparse:
    """What measurements come from.

    Attributes
    ----------
    coef : ndarray of shape (N,) or (L, N)
        Coefficients in C order, for each snapshot if there are several.
    support : list of ndarray
        Indices of each factor.
    noise_variance : float
        Variance of the noise.
    """

    coef: np.ndarray
    support: list
    noise_variance: float


@dataclass(frozen=True)
class IRSChannel(KroneckerSparse):
    """Paths of a cascaded channel, and what they make of it.

    Attributes
    ----------
    responses : tuple of ndarray
        Responses of the surface under each pattern, of the mobile and of the base station, to
        each angle: of shape (6, 18), (6, 18) and (16, 18).
    """

    responses: tuple

    def channel(self, coef):
        """Channels from the mobile to the base station: (n_patterns, n_mobile, n_base)."""
        tensor = np.reshape(coef, [response.shape[1] for response in self.responses])
        return _products(self.responses, tensor[None])[0]

    def nmse(self, coef):
        """Normalised mean squared error of the channels of all patterns.

        It is not an average of the errors of the patterns: one of them may extinguish the signal,
        and the ratio of its error to nothing would be all that counts.
        """
        truth = self.channel(self.coef)
        missed, total = (np.sum(np.abs(a) ** 2) for a in (self.channel(coef) - truth, truth))
        return float(missed / total)


@validate_params(
    {
        "n_features": ["array-like"],
        "n_measurements": ["array-like"],
        "n_nonzero": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "values": [StrOptions({"kronecker", "general"})],
        "snr": [Interval(Real, -300, 300, closed="both"), None],
        "n_snapshots": [Interval(Integral, 1, None, closed="left")],
        "is_complex": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_kronecker_sparse(
    n_features=(15, 15, 15),
    n_measurements=(8, 12, 15),
    *,
    n_nonzero=3,
    values="kronecker",
    snr=25.0,
    n_snapshots=1,
    is_complex=False,
    random_state=None,
):
    """Generate measurements of coefficients whose non-zeros are on a product of index sets.

    Factors, non-zeros and noise are drawn from normal distributions, circular ones if complex.

    Parameters
    ----------
    n_features : sequence of int, default=(15, 15, 15)
        Columns n_k of each factor.
    n_measurements : sequence of int, default=(8, 12, 15)
        Rows m_k of each factor.
    n_nonzero : int or sequence of int, default=3
        Indices of each factor, one number for all or one for each; the non-zeros are their
        product.
    values : {"kronecker", "general"}, default="kronecker"
        Whether the coefficients are a Kronecker product of sparse vectors, or only their pattern
        is.
    snr : float or None, default=25.0
        Ratio of the mean squares of signal and noise, in decibel. None adds no noise.
    n_snapshots : int, default=1
        Number of snapshots L: other non-zeros on the same support.
    is_complex : bool, default=False
        Whether all is complex.
    random_state : int, RandomState instance or None, default=None
        Seed of factors, support, non-zeros and noise.

    Returns
    -------
    factors : tuple of ndarray of shape (m_k, n_k)
        The factors A_1, ..., A_K.
    y : ndarray of shape (M,) or (M, L)
        Measurements ``(A_1 kron ... kron A_K) x`` with noise.
    truth : KroneckerSparse
        Its attributes are `coef`, of shape (N,) or (L, N), `support`, a list of the indices of each
        factor, and `noise_variance`.

    Raises
    ------
    ValueError
        If `n_features`, `n_measurements` and `n_nonzero` do not go together.

    See Also
    --------
    skmatrix.linear_model.KroneckerSBL : Recovers the coefficients.
    make_irs_channel : Measurements of a radio channel.

    Examples
    --------
    >>> from skmatrix.datasets import make_kronecker_sparse
    >>> factors, y, truth = make_kronecker_sparse((9, 8), (5, 6), n_nonzero=2, random_state=0)
    >>> [factor.shape for factor in factors], y.shape, truth.coef.shape
    ([(5, 9), (6, 8)], (30,), (72,))
    >>> int((truth.coef != 0).sum())
    4
    """
    rows, columns = list(n_measurements), list(n_features)
    counts = [n_nonzero] * len(columns) if isinstance(n_nonzero, Integral) else list(n_nonzero)
    _check_sizes(rows, columns, counts)
    rng = check_random_state(random_state)
    factors = tuple(_normal(rng, (m, n), is_complex) for m, n in zip(rows, columns, strict=True))
    support = [
        np.sort(rng.choice(n, count, replace=False))
        for n, count in zip(columns, counts, strict=True)
    ]
    if values == "kronecker":
        vectors = [_normal(rng, (n_snapshots, count), is_complex) for count in counts]
        block = reduce(_outer, vectors)
    else:
        block = _normal(rng, (n_snapshots, *counts), is_complex)
    coef = np.zeros((n_snapshots, *columns), dtype=block.dtype)
    coef[np.ix_(np.arange(n_snapshots), *support)] = block
    signal = _products(factors, coef).reshape(n_snapshots, -1)
    y, noise_variance = _noisy(rng, signal, snr)
    coef = coef.reshape(n_snapshots, -1)
    truth = KroneckerSparse(coef[0] if n_snapshots == 1 else coef, support, noise_variance)
    return factors, y[0] if n_snapshots == 1 else y.T, truth


@validate_params(
    {
        "snr": [Interval(Real, -300, 300, closed="both"), None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_irs_channel(snr=20.0, *, random_state=None):
    """Generate pilot measurements of a radio channel over an intelligent reflecting surface.

    A mobile station with 6 antennas sends 3 pilots to a base station with 16 antennas over a
    surface of 256 elements, which reflects by 6 random patterns in turn. Directions are on a grid
    of 18 angles. One path leaves the mobile and one the surface; three neighbouring angles arrive
    at the surface, and three at the base station, with circular normal gains. The channel is
    sparse in the products of the three angles, in blocks.

    Parameters
    ----------
    snr : float or None, default=20.0
        Ratio of the mean squares of signal and noise, in decibel. None adds no noise.
    random_state : int, RandomState instance or None, default=None
        Seed of pilots, patterns, angles, gains and noise.

    Returns
    -------
    factors : tuple of complex ndarray of shape (6, 18), (3, 18) and (16, 18)
        Factors for the angles at the surface, at the mobile and at the base station.
    y : complex ndarray of shape (288,)
        Measurements.
    truth : IRSChannel
        Its attributes are `coef`, of shape (5832,), `support`, a list of the indices of each
        factor, and `noise_variance`; ``truth.channel(coef)`` is the channel that coefficients
        stand for and ``truth.nmse(coef)`` its normalised squared error over all patterns.

    See Also
    --------
    skmatrix.linear_model.KroneckerSBL : Recovers the channel.
    make_kronecker_sparse : Measurements without a physical background.

    References
    ----------
    .. [1] Yanbin He, Geethu Joseph, "Bayesian Algorithms for Kronecker-structured Sparse Vector
       Recovery With Application to IRS-MIMO Channel Estimation", IEEE Transactions on Signal
       Processing, 2024. :arxiv:`2307.14719`

    Examples
    --------
    >>> from skmatrix.datasets import make_irs_channel
    >>> factors, y, truth = make_irs_channel(random_state=0)
    >>> y.shape, [indices.size for indices in truth.support]
    ((288,), [3, 1, 3])
    >>> truth.nmse(truth.coef)
    0.0
    """
    rng = check_random_state(random_state)
    mobile, base, surface = (_responses(n) for n in (_N_MOBILE, _N_BASE, _N_ELEMENTS))
    signs = rng.choice([-1.0, 1.0], (2, _N_MOBILE, _N_PILOTS))
    pilots = (signs[0] + 1j * signs[1]) / np.sqrt(2 * _N_MOBILE)
    patterns = rng.choice([-1.0, 1.0], (_N_PATTERNS, _N_ELEMENTS)) / np.sqrt(_N_ELEMENTS)
    # What arrives at an angle leaves at the first one.
    reflected = patterns @ (surface[:, :1] * surface.conj())
    responses = (reflected, mobile.conj(), base)
    factors = (reflected, pilots.T @ mobile.conj(), base)
    starts = rng.randint(_N_ANGLES - _SPREAD + 1, size=2)
    support = [
        starts[0] + np.arange(_SPREAD),
        rng.randint(_N_ANGLES, size=1),
        starts[1] + np.arange(_SPREAD),
    ]
    gains = [_normal(rng, (1, _SPREAD), True), np.ones((1, 1)), _normal(rng, (1, _SPREAD), True)]
    coef = np.zeros((1, *(_N_ANGLES,) * 3), dtype=np.complex128)
    coef[np.ix_([0], *support)] = reduce(_outer, gains)
    y, noise_variance = _noisy(rng, _products(factors, coef).reshape(1, -1), snr)
    return factors, y[0], IRSChannel(coef.ravel(), support, noise_variance, responses)


def _check_sizes(rows, columns, counts):
    """Refuse sizes that do not go together."""
    if not columns or not len(rows) == len(columns) == len(counts):
        raise ValueError(
            "n_features, n_measurements and n_nonzero must have an item for each factor. Got"
            f" {len(columns)}, {len(rows)} and {len(counts)}."
        )
    if not all(isinstance(n, Integral) and int(n) >= 1 for n in (*rows, *columns, *counts)):
        raise ValueError(
            "n_features, n_measurements and n_nonzero must hold integers of at least 1. Got"
            f" {columns}, {rows} and {counts}."
        )
    if any(count > n for count, n in zip(counts, columns, strict=True)):
        raise ValueError(f"n_nonzero={counts} must be at most n_features={columns}.")


def _responses(n):
    """Responses of an array of n antennas to the angles of the grid."""
    cosines = 2 * np.arange(_N_ANGLES) / _N_ANGLES - 1
    return np.exp(1j * np.pi * np.arange(n)[:, None] * cosines) / np.sqrt(n)


def _normal(rng, shape, is_complex):
    """Standard normal numbers, circular ones if complex."""
    if not is_complex:
        return rng.standard_normal(shape)
    real, imaginary = rng.standard_normal((2, *shape))
    return (real + 1j * imaginary) / np.sqrt(2)


def _outer(tensors, vectors):
    """Outer products, one for each row."""
    return tensors[..., None] * vectors.reshape(len(vectors), *(1,) * (tensors.ndim - 1), -1)


def _products(factors, tensors):
    """Products of tensors with a matrix along each axis but the first."""
    for axis, factor in enumerate(factors, start=1):
        tensors = np.moveaxis(np.tensordot(factor, tensors, axes=(1, axis)), 0, axis)
    return tensors


def _noisy(rng, signal, snr):
    """Signal with noise, and the variance of the noise."""
    if snr is None:
        return signal, 0.0
    variance = float(np.mean(np.abs(signal) ** 2) / 10 ** (snr / 10))
    return signal + np.sqrt(variance) * _normal(
        rng, signal.shape, np.iscomplexobj(signal)
    ), variance
