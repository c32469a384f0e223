"""Bandwidths: from rules, from the likelihood of left-out points, and from the theory."""

import math

import numpy as np
from scipy.optimize import minimize_scalar

from ._kde_profiles import COMPACT, width
from ._kde_theory import kl_bandwidth

# The search for the likelihood's maximum ends when the bandwidth changes by less than this share.
_TOLERANCE = 1e-4
# Share of the likelihood by which rounding may lower it.
_ROUNDING = 1e-12
_MAX_STEPS = 50
# Bandwidths without gain after which a search ends.
_PATIENCE = 2
# Share of the bandwidth of all features below which that of one has no maximum.
_COLLAPSED = 1e-6
# Bandwidths of a path of kernels that are evaluated one by one.
_PATH = 22


class LeaveOneOut:
    """Likelihood of points that are left out, as a function of the bandwidth.

    A point's duplicates are left out with it: they would draw the bandwidth to 0.

    Parameters
    ----------
    points : Points
        Distinct points.
    max_queries : int
        Number of points that are left out in turn, a random sample if there are more.
    rng : RandomState
        Source of the sample.
    unit : float or ndarray of shape (n_features,)
        Unit of all bandwidths below, or one for each feature. With the standard deviation of the
        data, distances stay within the range of single precision.

    Raises
    ------
    ValueError
        If in the precision of the points every one equals another.
    """

    def __init__(self, points, max_queries, rng, unit):
        self.points = points
        self.unit = unit
        self.log_unit = float(np.sum(np.log(unit) * np.ones(points.n_features)))
        self.own = points.subset(max_queries, rng)
        self.queries, weight = points.take(self.own)
        self.weight = weight / weight.sum()
        self.log_rest = np.log(points.total - weight)
        self.nearest = points.nearest(self.queries, 1, own=self.own, h=unit)[:, 0]
        if self.nearest_bandwidth == 0:
            raise ValueError(
                "Points cannot be told from their neighbours in single precision: pass a number for"
                " the bandwidth, or precision='float64'."
            )

    @property
    def nearest_bandwidth(self):
        """Root mean square distance to the nearest other point, over the root of the dimension."""
        return math.sqrt(float(self.weight @ self.nearest) / self.points.n_features)

    def evaluate(self, h, moments=False):
        """Mean log-likelihood, and with `moments` its two derivatives in log h and the EM step.

        ``dL / d log h = <r^2> / h^2 - d`` and ``d^2 L = Var(r^2) / h^4 - 2 <r^2> / h^2``, the means
        under the weights of each left-out point; ``h^2 <- <r^2> / d`` never lowers L.
        """
        sums = self.points.sums(self.queries, h * self.unit, self.own, moments)
        value = float(self._likelihood(sums[0], math.log(h)))
        if not moments:
            return value
        square, fourth = sums[3:]
        d, mean = self.points.n_features, float(self.weight @ square)
        curvature = float(self.weight @ (fourth - square**2 - 2 * square))
        return value, mean - d, curvature, h * math.sqrt(mean / d)

    def _likelihood(self, log_sum, log_h):
        """Mean log-likelihood by the sums of shape (n_queries,) and the logarithm of a bandwidth,
        or by sums of shape (n_queries, n_bandwidths) and several.
        """
        spread = log_h * self.points.n_features + self.log_unit
        mean = self.weight @ (log_sum.T - self.log_rest).T
        return mean - spread - self.points.log_kernel_integral()

    def maximise(self):
        """Bandwidth of the largest likelihood, and that likelihood."""
        if self.points.profile == "gaussian":
            return self._climb()
        return self._search()

    def _climb(self):
        """Newton's steps in log h where they climb, EM steps elsewhere."""
        h = self.nearest_bandwidth
        value, slope, curvature, em = self.evaluate(h, moments=True)
        for _ in range(_MAX_STEPS):
            step = -slope / curvature if curvature < 0 else math.inf
            trial = h * math.exp(step) if abs(step) < 1 else em
            found = self.evaluate(trial, moments=True)
            if found[0] < value - _ROUNDING * abs(value) and trial != em:
                trial, found = em, self.evaluate(em, moments=True)
            change = abs(math.log(trial / h))
            h, (value, slope, curvature, em) = trial, found
            if change < _TOLERANCE:
                break
        return h, value

    def _search(self):
        """Doubled bandwidths until the likelihood falls, then golden section around the best.

        For kernels whose likelihood has no simple derivative, and more than one maximum.
        """
        compact = self.points.profile in COMPACT
        # Below the largest distance to a nearest point the likelihood of compact kernels is 0.
        start = math.sqrt(float(self.nearest.max())) if compact else self.nearest_bandwidth
        start *= 1 + 1e-6
        found = {start: self.evaluate(start)}
        for factor in (2.0,) if compact else (2.0, 0.5):
            h, worse = start, 0
            while worse < _PATIENCE:
                h *= factor
                best = max(found.values())
                found[h] = self.evaluate(h)
                worse = worse + 1 if found[h] <= best else 0
        near = max(found, key=found.__getitem__)
        low = near if compact and near == start else near / 2
        inner = minimize_scalar(
            lambda log_h: -self.evaluate(math.exp(log_h)),
            bounds=(math.log(low), math.log(2 * near)),
            method="bounded",
            options={"xatol": _TOLERANCE},
        )
        found[math.exp(inner.x)] = -inner.fun
        h = max(found, key=found.__getitem__)
        return h, found[h]

    def per_feature(self):
        """Bandwidth of each feature by the EM algorithm, and the likelihood.

        Raises
        ------
        ValueError
            If the likelihood has no maximum: each value of a feature is that of many points.
        """
        h = np.full(self.points.n_features, self._climb()[0])
        least = _COLLAPSED * h
        for _ in range(_MAX_STEPS):
            log_sum = self.points.sums(self.queries, h * self.unit, self.own)[0]
            moments = self.points.coordinate_moments(self.queries, h * self.unit, log_sum, self.own)
            updated = h * np.sqrt(self.weight @ moments)
            if np.any(updated < least):
                raise ValueError(
                    "bandwidth='loo_per_feature' needs features without many equal values: those"
                    f" of feature {int(np.argmin(updated / least))} are the likelier the smaller"
                    " its bandwidth. Drop such features, or use bandwidth='loo'."
                )
            change = np.abs(np.log(updated / h)).max()
            h = updated
            if change < 10 * _TOLERANCE:  # the likelihood is flat around its maximum
                break
        log_sum = self.points.sums(self.queries, h * self.unit, self.own)[0]
        return h, float(self._likelihood(log_sum, np.mean(np.log(h))))

    def path(self, bandwidths=None):
        """Mean log-likelihood at many bandwidths.

        Parameters
        ----------
        bandwidths : ndarray or None
            Bandwidths; None takes a geometric series, from below that of the nearest points to
            above that of Silverman's rule, for other kernels those of the same variance. For
            the Gaussian kernel it has the price of 2.

        Returns
        -------
        bandwidths, values : ndarray
            Ascending bandwidths, and the likelihood at each.
        """
        top = max(6 * self.nearest_bandwidth, 2 * standard_bandwidth("silverman", self.points))
        bottom = 0.16 * self.nearest_bandwidth
        if bandwidths is None and self.points.profile == "gaussian":
            return self._halved_path(top, math.ceil(2 * math.log2(top / bottom)))
        if bandwidths is None:
            unit = width(self.points.profile, self.points.n_features)
            bandwidths = np.geomspace(bottom / unit, top / unit, _PATH)
        return bandwidths, np.array([self.evaluate(float(h)) for h in bandwidths])

    def _halved_path(self, top, length):
        """Two chains of halved ``h^2``, interleaved: it falls by the root of two."""
        bandwidths, values = np.empty(2 * length), np.empty(2 * length)
        for chain in range(2):
            first = top * 2 ** (-chain / 4)
            h = first * 2.0 ** (-0.5 * np.arange(length))
            nearest = self.nearest / first**2
            log_sums = self.points.halvings(
                self.queries, first * self.unit, length, nearest, self.own
            )
            bandwidths[chain::2] = h
            values[chain::2] = self._likelihood(log_sums, np.log(h))
        return bandwidths[::-1], values[::-1]


def rule_bandwidth(rule, points, spectrum):
    """Bandwidth of a rule that looks at the spread and number of the points alone.

    Parameters
    ----------
    rule : {"scott", "silverman", "sklearn_scott", "sklearn_silverman", "kl_gaussian"}
        The rule.
    points : Points
        Points.
    spectrum : ndarray of shape (n_features,)
        Variances along their principal axes.

    Returns
    -------
    h : float
        Bandwidth.
    """
    if rule == "kl_gaussian":
        return kl_bandwidth(spectrum, points.size)
    spread = 1.0 if rule.startswith("sklearn") else math.sqrt(float(np.mean(spectrum)))
    return spread * standard_bandwidth(rule, points)


def standard_bandwidth(rule, points):
    """Bandwidth of Scott's or Silverman's rule for points of unit variance."""
    d = points.n_features
    size = points.size if rule.endswith("scott") else points.size * (d + 2) / 4
    return size ** (-1 / (d + 4))
