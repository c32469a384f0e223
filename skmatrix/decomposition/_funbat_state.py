"""Coordinate ascent of functional tensor regression: what is believed, and how it is updated.

Equation numbers are those of :class:`FunBaT`.
"""

from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize_scalar
from scipy.special import gammaln, psi

from .._backend import get_backend, to_numpy
from ._funbat_entries import Entries
from ._funbat_kernels import accumulate, smooth
from ._funbat_prior import Prior

# The search for a length scale: its reach on the logarithm, and its evaluations.
_REACH, _EVALUATIONS = 1.5, 12
# Sweeps from one search to the next.
SEARCH_EVERY = 5
# Share of the sum of squares below which the squared error, a difference, is rounding error, and of
# the prior variance of a function below which its own is.
_ROUNDING = 1e-14
# Sums over entries are made for as many coordinates at once as have this many numbers: 256 MiB.
_BUDGET = 2**25


@dataclass(frozen=True)
class Layout:
    """How ranks are joined in products, and packed second moments unpacked.

    Attributes
    ----------
    ranks : tuple of int
        Functions of each mode.
    elementwise : bool
        Whether the tensor is CP: its products are elementwise, and it has no core.
    """

    ranks: tuple
    elementwise: bool

    @property
    def size(self):
        """Numbers in the core, D."""
        return int(np.prod(self.ranks))

    def others(self, mode):
        """Ranks of the other modes."""
        return self.ranks[:mode] + self.ranks[mode + 1 :]

    def width(self, mode):
        """Packed products of the other modes."""
        widths = [rank * (rank + 1) // 2 for rank in self.others(mode)]
        return widths[0] if self.elementwise and widths else int(np.prod(widths))

    def unpacked(self, ranks):
        """Place of each pair of joint functions among packed products: int64 (D', D')."""
        places = np.zeros((1, 1), dtype=np.int64)
        for rank in ranks:
            own = _packed_places(rank)
            width = rank * (rank + 1) // 2
            places = places[:, None, :, None] * width + own[None, :, None, :]
            places = places.reshape(places.shape[0] * rank, -1)
        return places

    @cached_property
    def scatters(self):
        """For each mode, the matrix that adds pairs of the others into packed products."""
        found = []
        for mode in range(len(self.ranks)):
            places = self.unpacked(self.others(mode)).ravel()
            ones, rows = np.ones(places.size), np.arange(places.size)
            found.append(sp.csr_array((ones, (rows, places))))
        return found

    @cached_property
    def joint(self):
        """Unpacking of products over all modes."""
        return self.unpacked(self.ranks)


def _packed_places(rank):
    """Place of each pair (r, s) in the packed upper triangle: int64 (R, R)."""
    places = np.zeros((rank, rank), dtype=np.int64)
    rows, columns = np.triu_indices(rank)
    places[rows, columns] = places[columns, rows] = np.arange(rows.size)
    return places


def packed(moments):
    """Upper triangles of symmetric matrices: (n, R, R) -> (n, p)."""
    rows, columns = np.triu_indices(moments.shape[1])
    return np.ascontiguousarray(moments[:, rows, columns])


@dataclass
class Factor:
    """The functions of one mode.

    Attributes
    ----------
    prior : Prior
        Their prior.
    points : float64 ndarray of shape (n,)
        Scaled coordinates.
    mean, cov : float64 ndarray of shape (n, R) and (n, R, R)
        What is believed of them at each coordinate.
    sent : tuple of float64 ndarray
        The messages that this comes from: Lambda and eta.
    states : tuple of float64 ndarray
        What predictions need. It takes the most memory, and is made for them alone.
    """

    prior: Prior
    points: np.ndarray
    mean: np.ndarray
    cov: np.ndarray

    divergence: float = 0.0
    sent: tuple = ()
    states: tuple = ()

    def __post_init__(self):
        self.refresh()

    def refresh(self):
        """Second moments B, packed."""
        outer = self.mean[:, :, None] * self.mean[:, None, :]
        self.moments = packed(self.cov + outer)

    def filter_inputs(self, prior):
        """Transitions between the coordinates, and the stationary covariance."""
        return (*prior.transitions(np.diff(self.points)), prior.stationary())


@dataclass(frozen=True)
class Posterior:
    """What is believed in the end; attributes as those of :class:`Belief`."""

    axes: list
    layout: Layout
    factors: list
    core_mean: np.ndarray | None
    core_cov: np.ndarray | None
    precision: float


@dataclass
class Belief:
    """All that is believed, and the data it comes from.

    Attributes
    ----------
    be : Backend
        Engine of the sums over entries.
    entries : Entries
        Data.
    layout : Layout
        Ranks.
    factors : list of Factor
        Functions of each mode.
    noise_prior : tuple of float
        Shape and rate of the prior of the noise precision.
    core_mean, core_cov : float64 ndarray of shape (D,) and (D, D), or None
        What is believed of the core.
    precision : float
        Expected noise precision.
    damping : tuple of float
        Shares of the last sweep's messages to functions, core and noise that stay.
    """

    be: Any
    entries: Entries
    layout: Layout
    factors: list
    noise_prior: tuple
    core_mean: Any = None
    core_cov: Any = None
    precision: float = 1.0
    damping: tuple = (0.0, 0.0, 0.0)

    def __post_init__(self):
        # Filters run on the host, where a loop over coordinates is a loop.
        name = "numpy" if self.be.name == "numpy" else "numba"
        self.host = get_backend(name, np.empty(0))
        self.shape = self.noise_prior[0] + self.entries.total_weight / 2
        self.rate = self.shape / self.precision
        self._before: dict = {}

    def _damped(self, key, new, share):
        """Natural parameters, or a share of those before and the rest of the new ones."""
        if share == 0:
            return new
        old = self._before.get(key, new)
        new = tuple(share * a + (1 - share) * b for a, b in zip(old, new, strict=True))
        self._before[key] = new
        return new

    # Messages -----------------------------------------------------------------------------------

    def sums(self, mode, begin=0, end=None):
        """Equation (2): packed F and h of a mode, at its coordinates from begin to end."""
        order = self.entries.orders[mode]
        indptr = order.indptr[begin : None if end is None else end + 1]
        entries = slice(indptr[0], indptr[-1])
        indptr, weight, target = indptr - indptr[0], order.weight[entries], order.target[entries]
        others = [f for k, f in enumerate(self.factors) if k != mode]
        sizes = tuple(f.mean.shape for f in others)
        if not others:
            rank = self.layout.ranks[0] if self.layout.elementwise else 1
            widths = (rank * (rank + 1) // 2, rank)
            pairs = zip((weight, target), widths, strict=True)
            return tuple(np.repeat(_totals(a, indptr), width, axis=1) for a, width in pairs)
        arrays = self.be.load(
            order.places[entries],
            indptr,
            weight,
            target,
            np.concatenate([f.mean.ravel() for f in others]),
            np.concatenate([f.moments.ravel() for f in others]),
        )
        found = accumulate(self.be, *arrays, sizes=sizes, elementwise=self.layout.elementwise)
        return tuple(to_numpy(a) for a in found)

    def pieces(self, mode):
        """The sums of a mode in pieces, each with the slice of its coordinates.

        One piece is kept, more are made again whenever they are gone through.
        """
        n, step = self.entries.axes[mode].points.size, max(1, _BUDGET // self.layout.width(mode))
        if n <= step:
            return [(slice(0, n), *self.sums(mode))]
        return _Pieces(self, mode, range(0, n, step))

    def messages(self, mode, F, h):
        """Equations (1) and (3): Lambda and eta of a mode."""
        rank = self.layout.ranks[mode]
        if self.layout.elementwise:
            return self.precision * F[:, _packed_places(rank)], self.precision * h
        second = self.core_cov + np.outer(self.core_mean, self.core_mean)
        ranks, K = self.layout.ranks, len(self.layout.ranks)
        rest = self.layout.size // rank
        order = [mode, *(k for k in range(K) if k != mode)]
        tensor = second.reshape(*ranks, *ranks)
        tensor = tensor.transpose(*order, *(K + k for k in order)).reshape(rank, rest, rank, rest)
        pairs = tensor.transpose(0, 2, 1, 3).reshape(rank * rank, rest * rest)
        weights = pairs @ self.layout.scatters[mode]
        unfolded = self.core_mean.reshape(ranks).transpose(order).reshape(rank, rest)
        precision = self.precision * (F @ weights.T).reshape(-1, rank, rank)
        return (precision + np.swapaxes(precision, 1, 2)) / 2, self.precision * (h @ unfolded.T)

    def sent(self, mode, pieces):
        """Messages to all coordinates of a mode."""
        found = [self.messages(mode, F, h) for _, F, h in pieces]
        return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))

    def update_factor(self, mode, pieces, bounds=None):
        """Posterior of the functions of a mode, with a better length scale if bounds are given."""
        factor = self.factors[mode]
        precision, shift = self._damped(mode, self.sent(mode, pieces), self.damping[0])
        limit = 1 / (_ROUNDING * factor.prior.variance)
        precision, shift = _bounded(precision, shift, limit)
        if bounds is not None and factor.prior.kernel != "iid":
            factor.prior = self._better_prior(factor, precision, shift, bounds)
        inputs = factor.filter_inputs(factor.prior)
        mean, cov, evidence, *_ = smooth(self.host, *inputs, precision, shift)
        if not np.isfinite(evidence):
            raise ValueError(
                f"What is said of the functions of column {mode} of X is too certain for double"
                f" precision. Divide sample_weight, whose sum is {self.entries.total_weight:.3g},"
                " by its mean, lower variance or warmup_precision, or raise noise_prior."
            )
        factor.mean, factor.cov, factor.sent = mean, cov, (precision, shift)
        factor.refresh()
        second = cov + mean[:, :, None] * mean[:, None, :]
        factor.divergence = float(
            np.sum(shift * mean) - 0.5 * np.sum(precision * second) - float(evidence)
        )

    def _better_prior(self, factor, precision, shift, bounds):
        """The prior with the length scale of the largest evidence nearby, if it is larger."""
        present = np.log(factor.prior.length_scale)
        low = max(np.log(bounds[0]), present - _REACH)
        high = min(np.log(bounds[1]), present + _REACH)
        if low >= high:
            return factor.prior

        def loss(log_length):
            prior = replace(factor.prior, length_scale=float(np.exp(log_length)))
            return -self._evidence(factor.filter_inputs(prior), precision, shift)

        found = minimize_scalar(
            loss, bounds=(low, high), method="bounded", options={"maxiter": _EVALUATIONS}
        )
        if found.fun < loss(present):
            return replace(factor.prior, length_scale=float(np.exp(found.x)))
        return factor.prior

    def _evidence(self, inputs, precision, shift):
        """Log Z of a mode."""
        A, Q, stationary = inputs
        if self.host.name == "numpy":
            return float(smooth(self.host, A, Q, stationary, precision, shift)[2])
        from ._funbat_numba import evidence

        return evidence(A, Q, stationary, precision, shift)

    # Core and noise -----------------------------------------------------------------------------

    def join(self, pieces):
        """Sums over all modes, packed G and h, from those of the last."""
        last = self.factors[-1]
        self.G: Any = 0.0
        self.h: Any = 0.0
        for rows, F, h in pieces:
            second, first = last.moments[rows], last.mean[rows]
            if self.layout.elementwise:
                self.G, self.h = self.G + np.sum(F * second, axis=0), self.h + np.sum(h * first, 0)
            else:
                self.G, self.h = self.G + (F.T @ second).ravel(), self.h + (h.T @ first).ravel()

    def update_core(self):
        """Equation (7)."""
        if self.layout.elementwise:
            return
        sent = (self.precision * self.G, self.precision * self.h)
        packed_precision, shift = self._damped("core", sent, self.damping[1])
        precision = packed_precision[self.layout.joint]
        if not np.isfinite(precision).all():
            raise ValueError(
                "What is said of the core is out of the range of double precision. Divide"
                f" sample_weight, whose sum is {self.entries.total_weight:.3g}, by its mean, or"
                " lower variance or warmup_precision."
            )
        try:
            found = _regressed(precision, shift)
        except np.linalg.LinAlgError:
            found = _regressed_on_the_visible(precision, shift)
        self.core_mean, self.core_cov, self.core_logdet = found

    def squared_error(self):
        """Expected weighted sum of squared errors, equation (8)."""
        if self.layout.elementwise:
            rank = self.layout.ranks[-1]
            twice = 2.0 - np.eye(rank)[np.triu_indices(rank)]
            fit, power = np.sum(self.h), self.G @ twice
        else:
            second = self.core_cov + np.outer(self.core_mean, self.core_mean)
            fit, power = self.core_mean @ self.h, np.sum(second * self.G[self.layout.joint])
        total = self.entries.sum_squares
        return max(float(total - 2 * fit + power), _ROUNDING * total)

    def update_noise(self, sse):
        """Equation (8): the Gamma distribution of the precision."""
        (self.rate,) = self._damped("noise", (self.noise_prior[1] + sse / 2,), self.damping[2])
        self.precision = self.shape / self.rate

    def evidence_bound(self, sse):
        """Equation (9): the bound of the log evidence that every step raises."""
        a, b = self.shape, self.rate
        a0, b0 = self.noise_prior
        log_precision = psi(a) - np.log(b)
        bound = 0.5 * self.entries.total_weight * (log_precision - np.log(2 * np.pi))
        bound -= 0.5 * self.precision * sse
        bound -= sum(factor.divergence for factor in self.factors)
        bound -= (a - a0) * psi(a) - gammaln(a) + gammaln(a0)
        bound -= a0 * (np.log(b) - np.log(b0)) + a * (b0 - b) / b
        if not self.layout.elementwise:
            size = self.layout.size
            bound -= 0.5 * (np.trace(self.core_cov) + self.core_mean @ self.core_mean - size)
            bound += 0.5 * self.core_logdet
        return float(bound)

    def posterior(self):
        """What predictions need, without the data; later sweeps leave it alone."""
        return Posterior(
            self.entries.axes,
            Layout(self.layout.ranks, self.layout.elementwise),
            [self._with_states(factor) for factor in self.factors],
            self.core_mean,
            self.core_cov,
            self.precision,
        )

    def _with_states(self, factor):
        """The functions of a mode as predictions need them."""
        found = copy(factor)
        inputs = factor.filter_inputs(factor.prior)
        found.states = tuple(smooth(self.host, *inputs, *factor.sent)[3:])
        found.sent = ()
        return found

    def sweep(self, *, held, bounds=None):
        """One sweep over modes, core and noise.

        Parameters
        ----------
        held : bool
            Whether the noise precision stays as it is.
        bounds : tuple of float, default=None
            Bounds of length scales, if they are to be searched in this sweep.

        Returns
        -------
        bound : float
            The evidence bound.
        sse : float
            Expected weighted sum of squared errors.
        """
        for mode in range(len(self.factors)):
            pieces = self.pieces(mode)
            self.update_factor(mode, pieces, bounds)
        self.join(pieces)
        self.update_core()
        sse = self.squared_error()
        if not held:
            self.update_noise(sse)
        return self.evidence_bound(sse), sse


@dataclass(frozen=True)
class _Pieces:
    """Sums of a mode, made piece by piece of its coordinates.

    Attributes
    ----------
    belief : Belief
        What makes them.
    mode : int
        The mode.
    begins : range
        First coordinates of the pieces.
    """

    belief: Belief
    mode: int
    begins: range

    def __iter__(self):
        for begin in self.begins:
            end = min(begin + self.begins.step, self.begins.stop)
            yield (slice(begin, end), *self.belief.sums(self.mode, begin, end))


def _bounded(precision, shift, limit):
    """Messages whose precision is at most the limit: the same values, with less certainty."""
    largest = np.abs(precision).max(axis=(1, 2))
    share = limit / np.maximum(largest, limit)
    return share[:, None, None] * precision, share[:, None] * shift


def _regressed(precision, shift):
    """Mean, covariance and the logarithm of its determinant, of coefficients with a unit prior."""
    unit = np.eye(shift.size)
    lower = cho_factor(unit + precision, lower=True)
    cov = cho_solve(lower, unit)
    logdet = -2 * float(np.sum(np.log(np.diag(lower[0]))))
    return cho_solve(lower, shift), (cov + cov.T) / 2, logdet


def _regressed_on_the_visible(precision, shift):
    """The same where next to the data the prior vanishes: what rounding hides keeps its prior."""
    values, vectors = np.linalg.eigh(precision)
    seen = values > shift.size * np.finfo(values.dtype).eps * values[-1]
    values = np.where(seen, values, 0.0)
    mean = vectors @ (seen * (vectors.T @ shift) / (1 + values))
    return mean, (vectors / (1 + values)) @ vectors.T, -float(np.sum(np.log1p(values)))


def _totals(values, indptr):
    """Sums of segments, as a column."""
    return np.add.reduceat(values, indptr[:-1])[:, None]
