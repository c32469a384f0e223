"""Bandwidths: from rules, from the likelihood of left-out points, and from the theory."""

import copy
import math

import numpy as np
from scipy.optimize import minimize, minimize_scalar

from ._kde_profiles import COMPACT, width
from ._kde_theory import kl_bandwidth

# The search for the likelihood's maximum ends when the bandwidth changes by less than this share.
_TOLERANCE = 1e-4
_MAX_STEPS = 50
# Longest step in log h, and points that are left out for the start of the search.
_STRIDE = 0.2
# A bandwidth at which the kernel is flat, in units of the spread.
_FAR = 2.0**40
_SCOUTS = 1000
# Bandwidths without gain after which a search ends.
_PATIENCE = 2
# Bandwidths that are tried around the best one of kernels whose likelihood is rough.
_SCAN = 30
# Share of the bandwidth of all features below which that of one has no maximum.
_COLLAPSED = 1e-6
# Ratios of bandwidths whose logarithms differ by less are the same start.
_ALIKE = 0.05
# Bandwidths of a path of kernels that are evaluated one by one.
_PATH = 22


class LeaveOneOut:
    """Likelihood of points that are left out, as a function of the bandwidth: (4) of :class:`KDE`.

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
        self.own = points.subset(max_queries, rng)
        self.queries, weight = points.take(self.own)
        self.weight = weight / weight.sum()
        self.log_rest = np.log(points.rest(weight))
        self._measure(unit)
        if self.nearest_bandwidth == 0:
            remedy = "multiply X by a number"
            if points.dtype == "float32":
                remedy = "precision='float64'"
            raise ValueError(
                f"Points cannot be told from their neighbours in {points.dtype}: pass a number for"
                f" the bandwidth, or {remedy}."
            )

    def _measure(self, unit):
        """Set the unit, and the squared distances of nearest points in it."""
        self.unit = unit
        self.log_unit = float(np.sum(np.log(unit) * np.ones(self.points.n_features)))
        self.nearest = self.points.nearest(self.queries, 1, own=self.own, h=unit)[:, 0]

    def _in_units(self, unit):
        """The same likelihood in other units."""
        other = copy.copy(self)
        other._measure(unit)
        return other

    @property
    def nearest_bandwidth(self):
        """Root mean square distance to the nearest other point, over the root of the dimension."""
        return math.sqrt(float(self.weight @ self.nearest) / self.points.n_features)

    def evaluate(self, h, moments=False):
        """Mean log-likelihood, and with `moments` its two derivatives in log h.

        ``dL / d log h = <r^2> / h^2 - d`` and ``d^2 L = Var(r^2) / h^4 - 2 <r^2> / h^2``, the means
        under the weights of each left-out point.
        """
        sums = self.points.sums(self.queries, h * self.unit, self.own, moments)
        value = float(self._likelihood(sums[0], math.log(h)))
        if not moments:
            return value
        square, fourth = sums[3:]
        d, mean = self.points.n_features, float(self.weight @ square)
        curvature = float(self.weight @ (fourth - square**2 - 2 * square))
        return value, mean - d, curvature

    def _likelihood(self, log_sum, log_h, rows=slice(None)):
        """Mean log-likelihood by the sums of shape (n_queries,) and the logarithm of a bandwidth,
        or by sums of shape (n_queries, n_bandwidths) and several; of some queries, if they are
        named.
        """
        spread = log_h * self.points.n_features + self.log_unit
        weight = self.weight[rows]
        mean = weight @ (log_sum.T - self.log_rest[rows]).T / weight.sum()
        return mean - spread - self.points.log_kernel_integral()

    def maximise(self):
        """Bandwidth of the largest likelihood, and that likelihood."""
        if self.points.profile == "gaussian":
            return self._climb()
        return self._search()

    def _climb(self):
        """Newton's steps in log h, none longer than the steps of the grid that they start from.

        EM steps would be safe without a grid, but they shrink with the number of points within a
        bandwidth.
        """
        h, low, high = self._best_of_grid(), 0.0, math.inf
        found = {}
        for _ in range(_MAX_STEPS):
            found[h], slope, curvature = self.evaluate(h, moments=True)
            low, high = (h, high) if slope > 0 else (low, h)
            newton = -slope / curvature if curvature < 0 else math.copysign(math.inf, slope)
            if abs(newton) < _TOLERANCE:
                # What is left is of the order of its square, and the gain that of the parabola.
                return h * math.exp(newton), found[h] + 0.5 * slope * newton
            trial = h * math.exp(min(max(newton, -_STRIDE), _STRIDE))
            if not low < trial < high:
                trial = math.sqrt(low * high)
            if abs(math.log(trial / h)) < _TOLERANCE:
                break
            h = trial
        best = max(found, key=found.__getitem__)
        return best, found[best]

    def _scouts(self):
        """Some of the queries."""
        return slice(None, None, max(1, self.own.size // max(_SCOUTS, self.own.size // 20)))

    def _best_of_grid(self):
        """The likeliest bandwidth of a geometric series that spans all maxima, for some points.

        At a maximum ``h^2 = <r^2> / d``, which is no less than with the nearest points alone, and
        no more than with all points alike.
        """
        rows = self._scouts()
        weight = self.weight[rows] / self.weight[rows].sum()
        queries, own, n_features = self.queries[rows], self.own[rows], self.points.n_features
        alike = self.points.sums(queries, _FAR * self.unit, own, True)[3]
        low = self.nearest_bandwidth
        high = max(low, _FAR * math.sqrt(float(weight @ alike) / n_features))
        # Halves of a power of two: distances are rounded as they were to find the nearest.
        high = 2.0 ** math.ceil(math.log2(high))
        length = 1 + math.ceil(2 * math.log2(high / low))
        h = high * 2.0 ** (-0.5 * np.arange(length))
        nearest = self.nearest[rows] / high**2
        log_sums = self.points.halvings(queries, high * self.unit, length, nearest, own)
        return float(h[np.argmax(self._likelihood(log_sums, np.log(h), rows))])

    @property
    def least_bandwidth(self):
        """Bandwidth below which compact kernels have a likelihood of 0: the largest distance to a
        nearest point. 0 for other kernels.
        """
        if self.points.profile not in COMPACT:
            return 0.0
        return math.sqrt(float(self.nearest.max())) * (1 + 1e-6)

    def _search(self):
        """Doubled bandwidths until the likelihood falls, then a closer look around the best.

        For kernels whose likelihood has no simple derivative, and more than one maximum.
        """
        compact = self.points.profile in COMPACT
        start = self.least_bandwidth if compact else self.nearest_bandwidth
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
        return best_between(self.evaluate, low, 2 * near, _SCAN if compact else _SCAN // 4)

    def per_feature(self):
        """Bandwidth of each feature and the likelihood, at a local maximum.

        There may be many. Of those that a quasi-Newton method climbs to from several starts the
        best is taken; as one start is one bandwidth for all, it is no less likely than that.

        Raises
        ------
        ValueError
            If the likelihood has no maximum: each value of a feature is that of many points.
        """
        starts = [np.log(shape * h) for shape, h in self._starts()]
        least = np.min(starts, axis=0) + math.log(_COLLAPSED)
        found = [self._ascend(start, least) for start in starts]
        best = min(found, key=lambda inner: inner.fun)
        if np.any(best.x <= least):
            raise ValueError(
                "bandwidth='loo_per_feature' needs features without many equal values: those of"
                f" feature {int(np.argmin(best.x - least))} are the likelier the smaller its"
                " bandwidth. Drop such features, or use bandwidth='loo'."
            )
        return np.exp(best.x), -float(best.fun)

    def _starts(self):
        """Ratios of the bandwidths of the features, and the likeliest bandwidths of these ratios.

        One bandwidth for all in the units of the data; one in units of their standard deviations;
        and one in units of the spacings of their values, which fits unlike detail in any units.
        """
        ones = np.ones(self.points.n_features)
        # In the unit of the search for one bandwidth: it ends where that one does.
        same = math.sqrt(np.mean(np.square(self.unit))) / self.unit
        chosen: list[np.ndarray] = []
        for shape in (same, ones, self._spacings()):
            if all(np.ptp(np.log(shape / other)) > _ALIKE for other in chosen):
                chosen.append(shape)
        return [(shape, self._in_units(self.unit * shape)._climb()[0]) for shape in chosen]

    def _spacings(self):
        """Mean distance of the nearest values of each feature by itself, in its unit."""
        rows, d = self._scouts(), self.points.n_features
        weight = self.weight[rows] / self.weight[rows].sum()
        spacings = np.empty(d)
        for k in range(d):
            # The other features are out of sight.
            unit = np.where(np.arange(d) == k, self.unit, _FAR * self.unit)
            squares = self.points.nearest(self.queries[rows], 1, own=self.own[rows], h=unit)
            spacings[k] = weight @ np.sqrt(squares[:, 0])
        return np.maximum(spacings, _COLLAPSED)

    def _ascend(self, start, least):
        """The maximum above a start, no bandwidth below its least."""
        return minimize(
            self._cost_per_feature,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=[(low, None) for low in least],
            options={"maxiter": _MAX_STEPS, "ftol": 1e-10, "gtol": 1e-5},
        )

    def _cost_per_feature(self, log_h):
        """Minus the mean log-likelihood, and its slopes ``1 - <r_k^2> / h_k^2``."""
        h = np.exp(log_h) * self.unit
        log_sum = self.points.sums(self.queries, h, self.own)[0]
        moments = self.points.coordinate_moments(self.queries, h, log_sum, self.own)
        return -self._likelihood(log_sum, np.mean(log_h)), 1 - self.weight @ moments

    def path(self, bandwidths=None):
        """Mean log-likelihood at many bandwidths.

        Parameters
        ----------
        bandwidths : ndarray or None
            Bandwidths; None takes a geometric series, from below that of the nearest points to
            above that of Silverman's rule, for other kernels those of the same variance. For
            the Gaussian kernel it has the price of 3.

        Returns
        -------
        bandwidths, values : ndarray
            Ascending bandwidths, and the likelihood at each.
        """
        top = max(6 * self.nearest_bandwidth, 2 * standard_bandwidth("silverman", self.points))
        bottom = 0.16 * self.nearest_bandwidth
        if bandwidths is None and self.points.profile == "gaussian":
            # Of a power of two the distances are rounded as they were to find the nearest.
            top = 2.0 ** math.ceil(math.log2(top))
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
            unit = first * self.unit
            nearest = self.nearest / first**2
            if chain:
                # In the same units as the sums: rounded otherwise, the halvings would blow it up.
                nearest = self.points.nearest(self.queries, 1, own=self.own, h=unit)[:, 0]
            log_sums = self.points.halvings(self.queries, unit, length, nearest, self.own)
            bandwidths[chain::2] = h
            values[chain::2] = self._likelihood(log_sums, np.log(h))
        return bandwidths[::-1], values[::-1]


def common_maximum(parts, share, inside=None):
    """One bandwidth for the points of several classes, each with its own.

    Parameters
    ----------
    parts : list of LeaveOneOut
        Likelihood of each class. All have one unit.
    share : ndarray of shape (n_classes,)
        Shares of the classes.
    inside : ndarray of shape (n_classes,), default=None
        Likeliest bandwidth of each; None finds them.

    Returns
    -------
    h, value : float
        Bandwidth, and the mean of the likelihoods there.
    """
    if inside is None:
        inside, values = zip(*(part.maximise() for part in parts), strict=True)
        if len(parts) == 1:
            return inside[0], values[0]

    def mean(h):
        # A likelihood of 0 is as bad as any share of it.
        return float(share @ [part.evaluate(h) for part in parts])

    # Each likelihood falls off on both sides of its own maximum, and their mean has its in between;
    # but with compact kernels not where a point of one class is out of reach of all others.
    low = max(min(inside), *(part.least_bandwidth for part in parts))
    high = max(low, *inside)
    rough = parts[0].points.profile != "gaussian"
    n_scanned = _SCAN if rough else min(_SCAN, 2 + math.ceil(2 * math.log2(high / low)))
    return best_between(mean, low, high, n_scanned)


def best_between(value_of, low, high, n_scanned):
    """Best of some bandwidths of a geometric series with both ends, and of a closer look around.

    Parameters
    ----------
    value_of : callable
        ``value_of(h)``, which may have several maxima, and steps.
    low, high : float
        Ends.
    n_scanned : int
        Number of bandwidths, at least 2.

    Returns
    -------
    h, value : float
        The best bandwidth that was met, and its value.
    """
    grid = np.geomspace(low, high, n_scanned)
    values = [value_of(float(h)) for h in grid]
    best = int(np.argmax(values))
    found = {float(grid[best]): values[best]}
    sides = grid[max(best - 1, 0)], grid[min(best + 1, n_scanned - 1)]
    if sides[0] < sides[1]:
        inner = minimize_scalar(
            # The parabolas of the search know no infinity.
            lambda log_h: -max(value_of(math.exp(log_h)), -1e300),
            bounds=np.log(sides),
            method="bounded",
            options={"xatol": _TOLERANCE},
        )
        found[math.exp(inner.x)] = -float(inner.fun)
    h = max(found, key=found.__getitem__)
    return h, found[h]


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
