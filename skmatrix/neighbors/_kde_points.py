"""The points of a kernel density estimate: whitened, without duplicates, near ones together."""

from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from .._backend import to_numpy
from . import _kde_kernels as kernels
from ._kde_profiles import log_integral

# Queries that are worked on together.
_BLOCK = 1024
# Numbers of the data that are summed over together.
_ELEMENTS = 2**18
# Points that are neighbours in the order of the data, as many as a tile of the compiled loops has.
_LEAF = 512
# Columns whose sum, if it has no repetitions, spares the comparison of whole rows.
_SCREENED = 4
# Features up to which a spatial order helps.
_ORDERED = 16


@dataclass(frozen=True)
class Metric:
    """Coordinates in which the kernel is a ball: ``z = (x - center) transform``.

    Attributes
    ----------
    center : ndarray of shape (n_features,)
        Weighted mean.
    transform : ndarray of shape (n_features, n_features) or None
        Partial whitening, None for the identity.
    log_determinant : float
        Logarithm of the determinant of `transform`.
    spectrum : ndarray of shape (n_features,)
        Variances along the principal axes of the points in these coordinates.
    variance : ndarray of shape (n_features,)
        Variances of these coordinates.
    inverse : ndarray of shape (n_features, n_features) or None
        Inverse of `transform`.
    """

    center: np.ndarray
    transform: np.ndarray | None
    log_determinant: float
    spectrum: np.ndarray
    variance: np.ndarray
    inverse: np.ndarray | None = None

    @property
    def unit(self):
        """Standard deviation of a coordinate, by their mean variance; 1 if there is none."""
        return float(np.sqrt(np.mean(self.variance))) or 1.0

    def invert(self, Z):
        """Points with these coordinates."""
        X = Z if self.inverse is None else Z @ self.inverse
        return X + self.center

    def apply(self, X):
        """Coordinates of points, on the host and in double precision.

        Those of a point do not hang on what other points there are: BLAS would round a row by
        their number.
        """
        if self.transform is None:
            return np.subtract(X, self.center, dtype=np.float64)
        whitened = np.zeros(X.shape)
        for begin in range(0, X.shape[0], _BLOCK):
            block = slice(begin, begin + _BLOCK)
            Z = np.subtract(X[block], self.center, dtype=np.float64)
            for column, row in zip(Z.T, self.transform, strict=True):
                whitened[block] += column[:, None] * row
        return whitened


@dataclass(frozen=True)
class Located:
    """Coordinates of queries, which are computed where they are needed, a block at a time.

    Attributes
    ----------
    X : ndarray of shape (n_queries, n_features)
        Queries.
    metric : Metric
        What their coordinates are.
    dtype : str
        Precision in which the points of the fit are kept. Were queries not rounded as these are,
        one that is a point would be away from itself.
    """

    X: np.ndarray
    metric: Metric
    dtype: Any

    @property
    def shape(self):
        """Number of queries, and dimension."""
        return self.X.shape

    def __getitem__(self, rows):
        """Coordinates of some rows."""
        return as_kept(self.metric.apply(self.X[rows]), self.dtype)


def as_kept(Z, dtype):
    """Coordinates as the points of a fit are kept, in double precision."""
    return Z.astype(dtype, copy=False).astype(np.float64, copy=False)


@dataclass(frozen=True)
class Moments:
    """What a metric is made of: weighted means over the points.

    Attributes
    ----------
    size : float
        Number of points, by :func:`effective_size`.
    center : ndarray of shape (n_features,)
        Mean.
    scale : float
        About the size of a deviation from the mean, a power of two. The next two are in its
        units: fourth powers of data with small or large units leave the range of floating point.
    relative : ndarray of shape (n_features, n_features)
        Covariance.
    fourth : float or None
        Mean fourth power of the distance to the mean, if it is wanted.
    """

    size: float
    center: np.ndarray
    scale: float
    relative: np.ndarray
    fourth: float | None = None

    @classmethod
    def of(cls, X, weight):
        """Moments of points in memory."""
        return Distinct(X, weight, {}).moments_with_fourth

    @property
    def covariance(self):
        """Covariance in the units of the data."""
        return _in_units(self.relative, self.scale)

    def shrunk_covariance(self, shrinkage):
        """Covariance with a share of the mean variance times the identity; "auto" is Ledoit and
        Wolf's share.
        """
        S, d = self.relative, self.center.size
        mean = np.trace(S) / d
        if shrinkage == "auto":
            away = np.sum((S - mean * np.eye(d)) ** 2)
            noise = (self.fourth - np.sum(S * S)) / self.size
            shrinkage = float(np.clip(noise / away, 0, 1)) if away > 0 else 1.0
        return _in_units((1 - shrinkage) * S + shrinkage * mean * np.eye(d), self.scale)


def _in_units(covariance, scale):
    """Covariance in the units of the data; infinite where it is out of range."""
    with np.errstate(over="ignore", invalid="ignore"):
        return covariance * (scale * scale)


def are_counts(weight):
    """Whether weights are whole numbers, which count repetitions.

    From 2^53 on all floating-point numbers are whole.
    """
    return bool(np.all(weight == np.round(weight)) and weight.sum() < 2.0**53)


def effective_size(weight):
    """Number of points: the sum of weights that are counts, else Kish's effective number."""
    return float(weight.sum()) if are_counts(weight) else 1 / concentration(weight)


def concentration(weight):
    """Sum of the squared shares of weights in their total. The squares of weights would leave the
    range of floating point.
    """
    share = weight / weight.max()
    return float(np.sum(share**2) / share.sum() ** 2)


def level_sums(X, weight, state):
    """Sums of the weights, of the points, and of their absolute values, as seen from an origin and
    in units of the largest weight.
    """
    origin, heaviest = state
    Z, share = X - origin, weight / heaviest
    return share.sum(), share @ Z, share @ np.abs(Z, out=Z)


def scatter_sums(X, weight, state):
    """Sum of outer products of the deviations from a center, in given units."""
    center, scale, heaviest = state
    Z = X - center
    Z /= scale
    return ((Z.T * (weight / heaviest)) @ Z,)


def fourth_sums(X, weight, state):
    """Sum of fourth powers of the distances to a center, in given units."""
    center, scale, heaviest = state
    Z = X - center
    Z /= scale
    Z *= Z
    return ((weight / heaviest) @ np.sum(Z, axis=1) ** 2,)


class Measured:
    """Moments of points by sums over them, which :class:`Distinct` and its like make."""

    weight: np.ndarray

    def _sum(self, fn, state):
        """Sums of a function of points and weights."""
        raise NotImplementedError

    def _origin(self):
        """One of the points."""
        raise NotImplementedError

    @cached_property
    def moments(self):
        """Moments of all points, without the fourth powers."""
        origin, heaviest = self._origin(), self.weight.max()
        total, level, away = self._sum(level_sums, (origin, heaviest))
        center, scale = origin + level / total, 2.0 ** np.frexp(np.max(away) / total)[1]
        (scatter,) = self._sum(scatter_sums, (center, scale, heaviest))
        return Moments(effective_size(self.weight), center, float(scale), scatter / total)

    @cached_property
    def moments_with_fourth(self):
        """Moments of all points."""
        moments, heaviest = self.moments, self.weight.max()
        (fourth,) = self._sum(fourth_sums, (moments.center, moments.scale, heaviest))
        return replace(moments, fourth=float(fourth / np.sum(self.weight / heaviest)))

    def metric(self, whiten, shrinkage):
        """What :func:`make_metric` makes of the moments."""
        estimated = bool(whiten) and shrinkage == "auto"
        moments = self.moments_with_fourth if estimated else self.moments
        return make_metric(moments, whiten, shrinkage)


def make_metric(moments, whiten, shrinkage):
    """Metric of partial whitening, ``Sigma^{-whiten / 2}``.

    Parameters
    ----------
    moments : Moments
        Moments of the points.
    whiten : float
        Exponent.
    shrinkage : float or "auto"
        Share of the mean variance in ``Sigma``.

    Returns
    -------
    metric : Metric
        The coordinates.
    flaw : {None, "flat", "constant"}
        Whether a direction without variance had to be left as it is, or whether a feature without
        variance has one by shrinkage alone.

    Raises
    ------
    ValueError
        If variances leave the range of floating point.
    """
    center, covariance = moments.center, moments.shrunk_covariance(shrinkage if whiten else 0.0)
    if not np.isfinite(covariance).all():
        raise ValueError(
            f"X must have variances in the range of floating point. Got deviations of about"
            f" {moments.scale:.0e} from its mean: divide X by a number of this size."
        )
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, 0)
    if whiten == 0:
        return Metric(center, None, 0.0, values, np.diag(covariance)), None
    flat = values <= 1e-12 * values.max()
    safe = np.where(flat, 1.0, values)
    transform = vectors * safe ** (-0.5 * whiten)
    log_determinant = -0.5 * whiten * float(np.sum(np.log(safe)))
    inverse = (vectors * safe ** (0.5 * whiten)).T
    spectrum = values * safe**-whiten
    # The coordinates are along the principal axes.
    metric = Metric(center, transform, log_determinant, spectrum, spectrum, inverse)
    if flat.any():
        return metric, "flat"
    return metric, "constant" if np.any(np.diag(moments.relative) == 0) else None


@dataclass(frozen=True)
class Distinct(Measured):
    """Distinct points in the units of the data.

    Attributes
    ----------
    X : ndarray of shape (n_points, n_features)
        The points.
    weight : ndarray of shape (n_points,)
        Their weights.
    settings : dict
        The attributes of :class:`Points` that are not the points.
    """

    X: np.ndarray
    weight: np.ndarray
    settings: dict

    @property
    def shape(self):
        """Number of points, and dimension."""
        return self.X.shape

    def _sum(self, fn, state):
        """Sums of a function of points and weights, some of them at a time."""
        step = max(1, _ELEMENTS // self.X.shape[1])
        parts = (
            fn(self.X[i : i + step], self.weight[i : i + step], state)
            for i in range(0, self.X.shape[0], step)
        )
        return reduce(added, parts)

    def _origin(self):
        """The first of the points."""
        return self.X[0]

    def place(self, whiten, shrinkage):
        """Metric, the points in its coordinates, and its flaw."""
        metric, flaw = self.metric(whiten, shrinkage)
        return metric, Points.arranged(metric.apply(self.X), self.weight, **self.settings), flaw


def added(left, right):
    """Sums of two runs of points."""
    return tuple(a + b for a, b in zip(left, right, strict=True))


class Weighted:
    """What the weights of points say of them."""

    weight: np.ndarray
    n_features: int
    profile: str
    df: float

    @property
    def n_points(self):
        """Number of points."""
        return self.weight.shape[0]

    @property
    def total(self):
        """Sum of the weights."""
        return float(self.weight.sum())

    @property
    def participation(self):
        """Sum of the squared shares of the points in the total: one over their number, if equal."""
        return concentration(self.weight)

    def rest(self, weight):
        """Weight of all points but one, for points of some weights.

        From a point that outweighs all others the difference would cancel.
        """
        heaviest = int(np.argmax(self.weight))
        others = self.weight[:heaviest].sum() + self.weight[heaviest + 1 :].sum()
        return np.where(weight == self.weight[heaviest], others, self.total - weight)

    @property
    def size(self):
        """Number of points, by :func:`effective_size`."""
        return effective_size(self.weight)

    def log_kernel_integral(self):
        """Logarithm of the integral of the profile."""
        return log_integral(self.profile, self.n_features, self.df)

    def subset(self, n, rng):
        """All points, or a random sample of n of them, by their places in the data."""
        if self.n_points <= n:
            return np.arange(self.n_points)
        return np.sort(rng.choice(self.n_points, n, replace=False))


@dataclass(frozen=True)
class Points(Weighted):
    """Distinct points with weights, and sums over them.

    Callers know a point by its place in the data; here near points lie together.

    Attributes
    ----------
    be : Backend
        Where the sums are made.
    Z : ndarray of shape (n_points, n_features)
        Coordinates, in double precision.
    weight : ndarray of shape (n_points,)
        Positive weights, counted as repetitions.
    profile : str
        Kernel.
    df : float
        Degrees of freedom of "student".
    dtype : str
        Precision of the distances.
    pool : ThreadPoolExecutor or None
        Threads.
    place : ndarray of shape (n_points,) or None
        Row of `Z` that holds each point of the data; None if their order is that of the data.
    """

    be: Any
    Z: np.ndarray
    weight: np.ndarray
    profile: str
    df: float
    dtype: str
    pool: Any = None
    place: np.ndarray | None = None

    @classmethod
    def arranged(cls, Z, weight, **settings):
        """Points in the order of the data, with near ones brought together."""
        order = spatial_order(Z)
        if order is None:
            return cls(Z=Z, weight=weight, **settings)
        place = np.empty_like(order)
        place[order] = np.arange(order.size)
        return cls(Z=Z[order], weight=weight[order], place=place, **settings)

    @property
    def n_features(self):  # type: ignore[override]
        """Dimension."""
        return self.Z.shape[1]

    @property
    def log_weight(self):
        """Logarithms of the weights, empty if they are ones."""
        return np.log(self.weight) if np.any(self.weight != 1) else self.weight[:0]

    def draw(self, n, rng):
        """Places in the data of n points, drawn with probabilities as their weights."""
        weight = self.weight if self.place is None else self.weight[self.place]
        return rng.choice(self.n_points, n, p=weight / self.total)

    def take(self, chosen):
        """Coordinates and weights of points at given places in the data."""
        rows = self._rows(chosen)
        return self.Z[rows], self.weight[rows]

    def fetch(self, chosen):
        """Coordinates of points at given places in the data, in memory."""
        return self.take(chosen)[0]

    def find(self, queries):
        """Places in the data of the points that equal queries, -1 where none does."""
        # Adding 0 makes one zero out of two.
        data, queries = self.fetch(np.arange(self.n_points)) + 0.0, queries[:] + 0.0
        likely = np.flatnonzero(np.isin(data[:, 0], queries[:, 0]))
        places = {data[i].tobytes(): i for i in likely}
        return np.array([places.get(row.tobytes(), -1) for row in queries], dtype=np.int64)

    def _rows(self, chosen):
        """Rows of the points at given places in the data; -1 stands for none."""
        if self.place is None:
            return chosen
        return np.where(chosen >= 0, self.place[chosen], -1)

    def sums(self, queries, h, own=None, moments=False):
        """Sums over the points for queries; see :func:`density_sums`. One without `moments`."""
        sums = np.empty((5 if moments else 1, queries.shape[0]))
        scalars = {"profile": self.profile, "df": self.df, "moments": moments}
        self._run(kernels.density_sums, queries, h, own, sums.T, scalars, (self.log_weight,))
        return tuple(sums)

    def nearest(self, queries, k, own=None, h=1.0):
        """Squared distances of the k nearest points in units of h."""
        squares = np.empty((queries.shape[0], k))
        return self._run(kernels.nearest_squares, queries, h, own, squares, {"k": k})

    def halvings(self, queries, h, n_bandwidths, nearest, own=None):
        """Logarithms of Gaussian sums for ``h^2, h^2 / 2, ...``; `nearest` in units of h."""
        log_sums = np.empty((queries.shape[0], n_bandwidths))
        arrays, scalars = (self.log_weight,), {"n_bandwidths": n_bandwidths}
        return self._run(
            kernels.halving_sums, queries, h, own, log_sums, scalars, arrays, (nearest,)
        )

    def coordinate_moments(self, queries, h, log_total, own=None):
        """Mean squared differences by coordinate in units of h."""
        arrays, moments = (self.log_weight,), np.empty(queries.shape)
        return self._run(
            kernels.coordinate_moments, queries, h, own, moments, {}, arrays, (log_total,)
        )

    def _run(self, kernel, queries, h, own, out, scalars, fixed=(), per_query=()):
        """Call a kernel for blocks of queries, by threads where there are some.

        Parameters
        ----------
        kernel : Kernel
            The kernel.
        queries : ndarray or Located of shape (n_queries, n_features)
            Coordinates of the queries.
        h : float or ndarray of shape (n_features,)
            Unit of the distances.
        own : ndarray of shape (n_queries,) or None
            Point that each query leaves out.
        out : ndarray of shape (n_queries, n_results)
            What is filled; of several results of the kernel, as many as have a column.
        scalars : dict
            Arguments of the kernel that are no arrays.
        fixed, per_query : tuples of ndarray
            Its further arrays: those that all queries share, and those with a row for each.

        Returns
        -------
        out : ndarray of shape (n_queries, n_results)
            The results.
        """
        data = self.be.load(in_units(self.Z, h, self.dtype))
        fixed = [self.be.load(array) for array in fixed]
        own = np.empty(0, dtype=np.int64) if own is None else self._rows(own)

        def call(begin):
            rows = slice(begin, begin + _BLOCK)
            block = self.be.load(in_units(queries[rows], h, self.dtype))
            extra = [self.be.load(array[rows]) for array in per_query]
            mine = self.be.load(own[rows])
            result = kernel(self.be, block, data, *fixed, mine, *extra, **scalars)
            if isinstance(result, tuple):
                columns = [to_numpy(column) for column in result[: out.shape[1]]]
                result = np.stack(columns, axis=1)
            out[rows] = to_numpy(result)

        starts = range(0, queries.shape[0], _BLOCK)
        for _ in map(call, starts) if self.pool is None else self.pool.map(call, starts):
            pass
        return out


def in_units(Z, h, dtype):
    """Coordinates in units of h, divided in double precision and kept in a dtype."""
    return np.divide(Z, h, out=np.empty(Z.shape, dtype=dtype), casting="same_kind")


def merge_duplicates(X, weight):
    """Distinct points and the sums of their weights, in the order of their first appearance.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Points.
    weight : ndarray of shape (n_samples,)
        Weights; points of weight 0 are left out.

    Returns
    -------
    points : ndarray of shape (n_points, n_features)
        Distinct points.
    weight : ndarray of shape (n_points,)
        Their weights.
    """
    kept = weight > 0
    if not kept.all():
        X, weight = X[kept], weight[kept]
    first, merged = first_of_equals(X, weight)
    return X if first.size == X.shape[0] else X[first], merged


def first_of_equals(rows, weight):
    """Places of the first of equal rows, ascending, and the sums of the weights of each."""
    # Equal rows have equal sums. In single precision columns repeat values, the sum hardly does.
    screened = np.zeros(rows.shape[0])
    with np.errstate(over="ignore", invalid="ignore"):
        for k, column in enumerate(rows.T[:_SCREENED]):
            screened += (k + 1) ** 0.5 * column
            if np.unique(screened).size == screened.size:
                return np.arange(rows.shape[0]), weight
    _, first, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    if first.size == rows.shape[0]:
        return np.arange(first.size), weight
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    return first[order], np.bincount(rank[inverse.ravel()], weights=weight, minlength=order.size)


def spatial_order(Z):
    """An order in which points that are near each other come together; None is that of the data."""
    if Z.shape[0] <= _LEAF or Z.shape[1] > _ORDERED:
        return None
    return cKDTree(Z, leafsize=_LEAF, balanced_tree=False, compact_nodes=False).indices
