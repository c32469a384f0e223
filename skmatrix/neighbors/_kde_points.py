"""The points of a kernel density estimate: whitened, without duplicates, near ones together."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from .._backend import to_numpy
from . import _kde_kernels as kernels
from ._kde_profiles import log_integral

# Queries that are worked on together.
_BLOCK = 1024
# Points that are neighbours in the order of the data, as many as a tile of the compiled loops has.
_LEAF = 512
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
    inverse : ndarray of shape (n_features, n_features) or None
        Inverse of `transform`.
    """

    center: np.ndarray
    transform: np.ndarray | None
    log_determinant: float
    spectrum: np.ndarray

    inverse: np.ndarray | None = None

    def invert(self, Z):
        """Points with these coordinates."""
        X = Z if self.inverse is None else Z @ self.inverse
        return X + self.center

    def apply(self, X):
        """Coordinates of points, on the host and in double precision."""
        Z = np.asarray(X, dtype=np.float64) - self.center
        return Z if self.transform is None else Z @ self.transform


def shrunk_covariance(X, weight, shrinkage):
    """Weighted mean and shrunk covariance of points.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Points.
    weight : ndarray of shape (n_samples,)
        Weights, counted as repetitions.
    shrinkage : float or "auto"
        Share of the mean variance times the identity; "auto" is Ledoit and Wolf's.

    Returns
    -------
    center : ndarray of shape (n_features,)
        Mean.
    covariance : ndarray of shape (n_features, n_features)
        Shrunk covariance.
    """
    total, d = weight.sum(), X.shape[1]
    center = X[0] + weight @ (X - X[0]) / total
    Z = X - center
    S = (Z.T * weight) @ Z / total
    mean = np.trace(S) / d
    if shrinkage == "auto":
        away = np.sum((S - mean * np.eye(d)) ** 2)
        noise = (weight @ np.sum(Z * Z, axis=1) ** 2 / total - np.sum(S * S)) / total
        shrinkage = float(np.clip(noise / away, 0, 1)) if away > 0 else 1.0
    return center, (1 - shrinkage) * S + shrinkage * mean * np.eye(d)


def make_metric(X, weight, whiten, shrinkage):
    """Metric of partial whitening, ``Sigma^{-whiten / 2}``.

    Returns
    -------
    metric : Metric
        The coordinates.
    singular : bool
        Whether a direction without variance had to be left as it is.
    """
    center, covariance = shrunk_covariance(X, weight, 0.0 if whiten == 0 else shrinkage)
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, 0)
    if whiten == 0:
        return Metric(center, None, 0.0, values), False
    flat = values <= 1e-12 * values.max()
    safe = np.where(flat, 1.0, values)
    transform = vectors * safe ** (-0.5 * whiten)
    log_determinant = -0.5 * whiten * float(np.sum(np.log(safe)))
    inverse = (vectors * safe ** (0.5 * whiten)).T
    spectrum = values * safe**-whiten
    return Metric(center, transform, log_determinant, spectrum, inverse), bool(flat.any())


@dataclass(frozen=True)
class Points:
    """Distinct points with weights, and sums over them.

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
    """

    be: Any
    Z: np.ndarray
    weight: np.ndarray
    profile: str
    df: float
    dtype: str
    pool: Any = None

    @property
    def n_features(self):
        """Dimension."""
        return self.Z.shape[1]

    @property
    def total(self):
        """Sum of the weights."""
        return float(self.weight.sum())

    @property
    def log_weight(self):
        """Logarithms of the weights, empty if they are ones."""
        return np.log(self.weight) if np.any(self.weight != 1) else self.weight[:0]

    def log_kernel_integral(self):
        """Logarithm of the integral of the profile."""
        return log_integral(self.profile, self.n_features, self.df)

    def subset(self, n, rng):
        """Positions of all points, or of a random sample of n of them."""
        if self.Z.shape[0] <= n:
            return np.arange(self.Z.shape[0])
        return np.sort(rng.choice(self.Z.shape[0], n, replace=False))

    def sums(self, queries, h, own=None, moments=False):
        """Sums over the points for queries; see :func:`density_sums`."""
        arguments = {"profile": self.profile, "df": self.df, "moments": moments}
        parts = self._run(kernels.density_sums, queries, h, own, (self.log_weight,), (), arguments)
        return tuple(np.concatenate([part[i] for part in parts]) for i in range(5))

    def nearest(self, queries, k, own=None, h=1.0):
        """Squared distances of the k nearest points in units of h."""
        parts = self._run(kernels.nearest_squares, queries, h, own, (), (), {"k": k})
        return np.concatenate(parts)

    def halvings(self, queries, h, n_bandwidths, nearest, own=None):
        """Logarithms of Gaussian sums for ``h^2, h^2 / 2, ...``; `nearest` in units of h."""
        parts = self._run(
            kernels.halving_sums,
            queries,
            h,
            own,
            (self.log_weight,),
            (nearest,),
            {"n_bandwidths": n_bandwidths},
        )
        return np.concatenate(parts)

    def coordinate_moments(self, queries, h, log_total, own=None):
        """Mean squared differences by coordinate in units of h."""
        parts = self._run(
            kernels.coordinate_moments, queries, h, own, (self.log_weight,), (log_total,), {}
        )
        return np.concatenate(parts)

    def _run(self, kernel, queries, h, own, fixed, per_query, scalars):
        """Call a kernel for blocks of queries, by threads where there are some."""
        data = self.be.load((self.Z / h).astype(self.dtype))
        fixed = [self.be.load(array) for array in fixed]
        own = np.empty(0, dtype=np.int64) if own is None else own

        def call(begin):
            end = min(begin + _BLOCK, queries.shape[0])
            block = self.be.load((queries[begin:end] / h).astype(self.dtype))
            extra = [self.be.load(array[begin:end]) for array in per_query]
            mine = self.be.load(own[begin:end])
            arrays = (block, data, *fixed, mine, *extra)
            return _to_host(kernel(self.be, *arrays, **scalars))

        starts = range(0, queries.shape[0], _BLOCK)
        if self.pool is None:
            return [call(begin) for begin in starts]
        return list(self.pool.map(call, starts))


def _to_host(result):
    """What a kernel returned, as NumPy arrays."""
    return tuple(map(to_numpy, result)) if isinstance(result, tuple) else to_numpy(result)


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
    X, weight = X[kept], weight[kept]
    # Adding 0 makes one zero out of two.
    _, first, inverse = np.unique(X + 0.0, axis=0, return_index=True, return_inverse=True)
    if first.size == X.shape[0]:
        return X, weight
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    merged = np.bincount(place[inverse.ravel()], weights=weight, minlength=order.size)
    return X[first[order]], merged


def spatial_order(Z):
    """An order in which points that are near each other come together."""
    if Z.shape[0] <= _LEAF or Z.shape[1] > _ORDERED:
        return np.arange(Z.shape[0])
    return cKDTree(Z, leafsize=_LEAF, balanced_tree=False, compact_nodes=False).indices
