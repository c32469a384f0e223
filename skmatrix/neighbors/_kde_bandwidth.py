"""Bandwidths: from rules, from the likelihood of left-out points, and from the theory."""

import math

import numpy as np
from scipy.optimize import minimize_scalar

from ._kde_profiles import COMPACT
from ._kde_theory import kl_bandwidth

# The search for the likelihood's maximum ends when the bandwidth changes by less than this share.
_TOLERANCE = 1e-4
# Share of the likelihood by which rounding may lower it.
_ROUNDING = 1e-12
_MAX_STEPS = 50
# Bandwidths of a path, with h^2 falling by the root of two from each to the next.
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
    """

    def __init__(self, points, max_queries, rng):
        self.points = points
        self.own = points.subset(max_queries, rng)
        self.queries, weight = points.take(self.own)
        self.weight = weight / weight.sum()
        self.log_rest = np.log(points.total - weight)
        self.nearest = points.nearest(self.queries, 1, own=self.own)[:, 0]

    @property
    def nearest_bandwidth(self):
        """Root mean square distance to the nearest other point, over the root of the dimension."""
        return math.sqrt(float(self.weight @ self.nearest) / self.points.n_features)

    def evaluate(self, h, moments=False):
        """Mean log-likelihood, and with `moments` its two derivatives in log h and the EM step.

        ``dL / d log h = <r^2> / h^2 - d`` and ``d^2 L = Var(r^2) / h^4 - 2 <r^2> / h^2``, the means
        under the weights of each left-out point; ``h^2 <- <r^2> / d`` never lowers L.
        """
        log_sum, _, _, square, fourth = self.points.sums(self.queries, h, self.own, moments)
        d = self.points.n_features
        value = self.weight @ (log_sum - self.log_rest) - d * math.log(h)
        value = float(value) - self.points.log_kernel_integral()
        if not moments:
            return value
        mean = float(self.weight @ square)
        curvature = float(self.weight @ (fourth - square**2 - 2 * square))
        return value, mean - d, curvature, h * math.sqrt(mean / d)

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
        """Golden section over log h, for kernels whose likelihood has no simple derivative."""
        start = self.nearest_bandwidth
        if self.points.profile in COMPACT:
            # Below the largest distance to a nearest point the likelihood is 0.
            low = math.sqrt(float(self.nearest.max())) * (1 + 1e-9)
            high = 8 * low
        else:
            low, high = start / (20 * self.points.n_features), 20 * start
        found = minimize_scalar(
            lambda log_h: -self.evaluate(math.exp(log_h)),
            bounds=(math.log(low), math.log(high)),
            method="bounded",
            options={"xatol": _TOLERANCE},
        )
        h = math.exp(found.x)
        return (h, -found.fun) if self.evaluate(low) < -found.fun else (low, self.evaluate(low))

    def per_feature(self):
        """Bandwidth of each feature by the EM algorithm, and the likelihood."""
        h, _ = self._climb()
        h = np.full(self.points.n_features, h)
        for _ in range(_MAX_STEPS):
            log_sum = self.points.sums(self.queries, h, self.own)[0]
            moments = self.points.coordinate_moments(self.queries, h, log_sum, self.own)
            updated = h * np.sqrt(self.weight @ moments)
            change = np.abs(np.log(updated / h)).max()
            h = updated
            if change < 10 * _TOLERANCE:
                break
        log_sum = self.points.sums(self.queries, h, self.own)[0]
        value = self.weight @ (log_sum - self.log_rest) - np.log(h).sum()
        return h, float(value) - self.points.log_kernel_integral()

    def path(self, bandwidths=None):
        """Mean log-likelihood at many bandwidths.

        Parameters
        ----------
        bandwidths : ndarray or None
            Bandwidths; None takes 22 around that of the nearest points, at the price of 2.

        Returns
        -------
        bandwidths, values : ndarray
            Ascending bandwidths, and the likelihood at each.
        """
        if bandwidths is None and self.points.profile == "gaussian":
            return self._halved_path()
        if bandwidths is None:
            bandwidths = self.nearest_bandwidth * np.geomspace(0.25, 8, _PATH)
        return bandwidths, np.array([self.evaluate(float(h)) for h in bandwidths])

    def _halved_path(self):
        """Two chains of halved ``h^2``, interleaved."""
        d, length = self.points.n_features, _PATH // 2
        bandwidths, values = np.empty(_PATH), np.empty(_PATH)
        for chain in range(2):
            top = 6 * self.nearest_bandwidth * 2 ** (-chain / 4)
            h = top * 2.0 ** (-0.5 * np.arange(length))
            log_sums = self.points.halvings(
                self.queries, top, length, self.nearest / top**2, self.own
            )
            likelihood = self.weight @ (log_sums - self.log_rest[:, None])
            bandwidths[chain::2] = h
            values[chain::2] = likelihood - d * np.log(h) - self.points.log_kernel_integral()
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
    d = points.n_features
    n = points.total if points.counted else 1 / points.participation
    if rule == "kl_gaussian":
        return kl_bandwidth(spectrum[spectrum > 0], n)
    spread = 1.0 if rule.startswith("sklearn") else math.sqrt(float(np.mean(spectrum)))
    size = n if rule.endswith("scott") else n * (d + 2) / 4
    return spread * size ** (-1 / (d + 4))
