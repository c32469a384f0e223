"""Kernel density estimates of dask arrays cut along the rows.

The points stay where they are. A query meets each block of them, and what the blocks say of it is
merged in closed form; a point that is left out is known by its place in the whole data. All of
the search for a bandwidth is that of the local fit.
"""

import copy
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from .._backend import get_backend
from ..neighbors._kde_diagnostics import FEATURES, diagnose, features_of
from ..neighbors._kde_fit import check_total, given_bandwidth
from ..neighbors._kde_points import (
    Measured,
    Points,
    Weighted,
    added,
    as_kept,
    first_of_equals,
    merge_duplicates,
)
from ._blocks import as_row_blocks, broadcast, map_reduce, map_rows
from ._estimators import float_dtype, refuse_engine

# Bytes of the fingerprint by which equal rows of different blocks are found.
_FINGERPRINT = 16
# Results that are merged by one task.
_FANIN = 4


@dataclass(frozen=True)
class BlockPoints(Weighted):
    """Distinct points in blocks, with the interface of :class:`Points`.

    Attributes
    ----------
    blocks : list of Delayed
        Per block, its :class:`Points`, held by the workers.
    starts : list of int
        Place in the data of the first point of each.
    weight : ndarray of shape (n_points,)
        Weights in the order of the data.
    n_features : int
        Dimension.
    profile : str
        Kernel.
    df : float
        Degrees of freedom of "student".
    dtype : str
        Precision of the distances.
    """

    blocks: list
    starts: list
    weight: np.ndarray
    n_features: int
    profile: str
    df: float
    dtype: str

    def draw(self, n, rng):
        """Places in the data of n points, drawn with probabilities as their weights."""
        return rng.choice(self.n_points, n, p=self.weight / self.total)

    def take(self, chosen):
        """Coordinates, as a value on the workers, and weights of points at given places."""
        from dask import delayed

        block = np.searchsorted(self.starts, chosen, side="right") - 1
        order = np.argsort(block, kind="stable")
        pick, join = delayed(_pick, pure=False), delayed(_join, pure=False)
        parts = [
            pick(self.blocks[b], chosen[block == b] - self.starts[b]) for b in np.unique(block)
        ]
        # One result for all the sums that ask for it.
        (queries,) = _persist([join(parts, np.argsort(order), self.n_features)])
        return queries, self.weight[chosen]

    def fetch(self, chosen):
        """Coordinates of points at given places in the data, in memory."""
        return self.take(chosen)[0].compute()

    def sums(self, queries, h, own=None, moments=False):
        """Sums over the points for queries; see :func:`density_sums`."""
        return self._reduce("sums", merge_sums, queries, h, own, moments=moments)

    def nearest(self, queries, k, own=None, h=1.0):
        """Squared distances of the k nearest points in units of h."""
        return self._reduce("nearest", partial(merge_nearest, k), queries, h, own, k=k)

    def halvings(self, queries, h, n_bandwidths, nearest, own=None):
        """Logarithms of Gaussian sums for ``h^2, h^2 / 2, ...``; `nearest` in units of h."""
        scalars = {"n_bandwidths": n_bandwidths, "nearest": nearest}
        return self._reduce("halvings", np.logaddexp, queries, h, own, **scalars)

    def coordinate_moments(self, queries, h, log_total, own=None):
        """Mean squared differences by coordinate in units of h."""
        return self._reduce("coordinate_moments", np.add, queries, h, own, log_total=log_total)

    def _reduce(self, method, merge, queries, h, own, **arguments):
        """What a method of the points gives for each block, merged."""
        from dask import delayed

        arguments = broadcast({**arguments, "h": h})
        state = delayed(_Request, pure=False)(method, queries, own, arguments)
        return map_reduce([(block,) for block in self.blocks], self.starts, _answer, merge, state)

    def rounded(self, dtype):
        """The points with their coordinates as kept in a dtype."""
        if dtype == np.float64:
            return self
        return replace(self, blocks=_mapped(_round, self.blocks, dtype))

    def coordinates(self, dtype):
        """Coordinates in the order of the data, as a lazy dask array."""
        import dask.array as da
        from dask import delayed

        coordinates = delayed(_coordinates, pure=False)
        sizes = np.diff(self.starts, append=self.n_points)
        return da.concatenate(
            [
                da.from_delayed(coordinates(block, dtype), (size, self.n_features), dtype)
                for block, size in zip(self.blocks, sizes, strict=True)
            ]
        )


@dataclass(frozen=True)
class BlockDistinct(Measured):
    """Distinct points in the units of the data, in blocks; see :class:`Distinct`.

    Attributes
    ----------
    blocks : list of Delayed
        Per block ``(X, weight)``, held by the workers.
    starts : list of int
        Place of the first point of each.
    weight : ndarray of shape (n_points,)
        Weights.
    n_features : int
        Dimension.
    settings : dict
        The attributes of :class:`Points` that are not the points, with the name of the back end.
    """

    blocks: list
    starts: list
    weight: np.ndarray
    n_features: int
    settings: dict

    @property
    def shape(self):
        """Number of points, and dimension."""
        return self.weight.size, self.n_features

    def _origin(self):
        """The first of the points."""
        return _mapped(_first_row, self.blocks[:1])[0].compute()

    def _sum(self, fn, state):
        """A function of points and weights, added up over the blocks."""
        blocks = [(block,) for block in self.blocks]
        return map_reduce(blocks, self.starts, partial(_call, fn), added, state)

    def place(self, whiten, shrinkage):
        """Metric, the points in its coordinates, and its flaw."""
        metric, flaw = self.metric(whiten, shrinkage)
        blocks = _mapped(_arranged, self.blocks, broadcast((metric, self.settings)))
        kernel = tuple(self.settings[name] for name in ("profile", "df", "dtype"))
        return metric, BlockPoints(blocks, self.starts, self.weight, self.n_features, *kernel), flaw


def fit_row_blocks(estimator, X, sample_weight=None):
    """Fit a KDE to a dask array whose blocks stay on the workers.

    Parameters
    ----------
    estimator : KDE
        The estimator, fitted in place.
    X : dask array or data frame of shape (n_samples, n_features)
        Points. One that is cut along the columns is cut again, along the rows alone.
    sample_weight : dask array or array-like of shape (n_samples,), default=None
        Weights.

    Returns
    -------
    estimator : KDE
        The fitted estimator. `X_fit_` is a dask array, `weight_fit_` a NumPy array, both in the
        order of the data.
    """
    refuse_engine(estimator)
    X = _as_array(X)
    validate_data(estimator, np.zeros((1, X.shape[1])))
    fixed = given_bandwidth(estimator, X.shape[1])
    dtype = float_dtype(X)
    estimator._precision = estimator._precision_for(dtype)
    settings = estimator._settings() | {"be": estimator.backend}
    distinct = _distinct(X, sample_weight, dtype, settings)
    home = get_backend("auto", np.empty(0))
    points = estimator._fit_points(home, fixed, distinct).rounded(dtype)
    estimator.X_fit_, estimator.weight_fit_ = points.coordinates(dtype), points.weight
    estimator._kept, estimator._place, estimator._blocks = dtype.name, None, points
    return estimator


def score_row_blocks(estimator, X):
    """Lazy log-densities of a dask array of queries."""
    return _lazy(estimator, X, (), _log_density, {"moments": False})


def transform_row_blocks(estimator, X):
    """Lazy features of a dask array of queries."""
    request = {"moments": True, "k": estimator._n_nearest}
    return _lazy(estimator, X, (len(FEATURES),), _features, request)


def standard_error_row_blocks(estimator, X, local):
    """Lazy standard errors of a dask array of queries."""
    request = {"moments": True, "k": estimator._n_nearest}
    return _lazy(estimator, X, (), partial(_standard_error, local=local), request)


def merge_sums(left, right):
    """What :func:`density_sums` would give for the points of both sides.

    With ``L = log(e^{L_a} + e^{L_b})``, ``a = e^{L_a - L}`` and ``b = e^{L_b - L}`` the shares of
    all points are those of one side times a or b: sums of their squares are ``a^2 Y_a + b^2 Y_b``,
    entropies ``a (H_a - log a) + b (H_b - log b)``, means ``a m_a + b m_b``.
    """
    log_sum = np.logaddexp(left[0], right[0])
    if len(left) == 1:
        return (log_sum,)
    origin = np.where(np.isneginf(log_sum), 0.0, log_sum)
    a, b = np.exp(left[0] - origin), np.exp(right[0] - origin)
    entropy = sum(
        share * (side[2] - np.log(np.where(share > 0, share, 1.0)))
        for share, side in ((a, left), (b, right))
    )
    means = (a * left[i] + b * right[i] for i in (3, 4))
    return log_sum, a**2 * left[1] + b**2 * right[1], entropy, *means


def merge_nearest(k, left, right):
    """The k smallest squares of both sides."""
    return np.sort(np.concatenate([left, right], axis=1), axis=1)[:, :k]


def _distinct(X, sample_weight, dtype, settings):
    """Distinct points of positive weight, in blocks."""
    rows, starts = as_row_blocks(X, sample_weight)
    from dask import delayed

    check = delayed(_checked, pure=False)
    blocks = _persist([check(X, weight, dtype) for X, weight in rows])
    fingerprints, weight, sizes = map_reduce(
        [(block,) for block in blocks], starts, _fingerprints, _concatenate
    )
    if weight.size == 0:
        raise ValueError(
            "Found array with 0 sample(s) of positive weight while a minimum of 1 is required by"
            " KDE."
        )
    check_total(weight)
    ends = np.cumsum(sizes)
    first, weight = first_of_equals(fingerprints, weight)
    if first.size == ends[-1] and np.all(sizes > 0):
        bounds = ends
    else:
        bounds = np.searchsorted(first, ends)
        kept = np.split(first, bounds[:-1])
        merged = np.split(weight, bounds[:-1])
        choose = delayed(_choose, pure=False)
        blocks = _persist(
            [
                choose(block, rows - begin, heavy)
                for block, rows, heavy, begin in zip(
                    blocks, kept, merged, ends - sizes, strict=True
                )
                if rows.size
            ]
        )
        bounds = np.cumsum([rows.size for rows in kept if rows.size])
    starts = [0, *bounds[:-1].tolist()]
    return BlockDistinct(blocks, starts, weight, int(X.shape[1]), settings)


def _lazy(estimator, X, trailing, finish, request):
    """Lazy results of a dask array of queries.

    Parameters
    ----------
    estimator : KDE
        The fitted estimator.
    X : dask array or data frame of shape (n_queries, n_features)
        Queries.
    trailing : tuple of int
        Shape of the result of one query.
    finish : callable
        ``finish(estimator, sums, squares, floor)``.
    request : dict
        ``moments``, and for the nearest points ``k``.

    Returns
    -------
    result : dask array of shape (n_queries, *trailing)
        The results.
    """
    import dask.array as da
    from dask import delayed

    X = _as_array(X, known=False)
    validate_data(estimator, np.zeros((1, X.shape[1])), reset=False)
    dtype = float_dtype(X)
    points = estimator._blocks
    if points is None:
        get_backend("auto", np.empty(0)).check_home(estimator, "X_fit_", "score_samples")
        if request["moments"]:
            estimator._pooled_index()
        state = (estimator, finish, request, dtype)
        return map_rows(X, _finished, trailing, dtype, state=state)
    floor = points.participation
    if request["moments"]:
        estimator._pooled_index()  # by which tasks tell the regime
    estimator = copy.copy(estimator)
    # Of no use to the tasks.
    estimator.X_fit_ = estimator.weight_fit_ = estimator._blocks = None
    shared = broadcast((estimator, finish, request, dtype, floor))
    place, answer, merge, end = (
        delayed(fn, pure=False) for fn in (_located, _part, _merge_parts, _end)
    )
    X = X.rechunk({1: -1})
    results = []
    for block, size in zip(X.to_delayed(optimize_graph=False).ravel(), X.chunks[0], strict=True):
        queries = place(block, shared)
        level = [answer(points_of, queries, shared) for points_of in points.blocks]
        while len(level) > 1:
            level = [merge(level[i : i + _FANIN]) for i in range(0, len(level), _FANIN)]
        results.append(da.from_delayed(end(level[0], shared), (size, *trailing), dtype))
    return da.concatenate(results)


# What the tasks do ------------------------------------------------------------------------------


class _Request:
    """What all blocks are asked: a method of :class:`Points`, its queries and arguments."""

    def __init__(self, method, queries, own, arguments):
        self.method, self.queries, self.own, self.arguments = method, queries, own, arguments


def _answer(points, start, state):
    """Result of a method of the points of a block."""
    queries, own = np.require(state.queries, requirements=["A"]), state.own
    if own is not None:
        own = np.where((own >= start) & (own < start + points.n_points), own - start, -1)
    # Where a block has nothing to add, the logarithm of its sum is that of 0.
    with np.errstate(divide="ignore"):
        return getattr(_ready(points), state.method)(queries, own=own, **state.arguments)


def _ready(points):
    """Points of a block with their arrays at addresses that suit their elements."""
    Z, weight = (np.require(a, requirements=["A"]) for a in (points.Z, points.weight))
    be = get_backend(points.be, np.empty(0))
    return replace(points, be=be, Z=Z.astype(np.float64, copy=False), weight=weight)


def _checked(X, weight, dtype):
    """Distinct points of a block, in double precision, and their weights."""
    X = check_array(X, dtype=dtype, ensure_min_samples=0, input_name="X", estimator="KDE")
    heavy = np.ones(X.shape[0])
    if weight is not None:
        heavy = check_array(
            weight, ensure_2d=False, dtype=dtype, ensure_min_samples=0, input_name="sample_weight"
        )
        if np.any(heavy < 0):
            raise ValueError("Negative values in data passed to `sample_weight`")
    return merge_duplicates(X.astype(np.float64, copy=False), heavy.astype(np.float64))


def _fingerprints(block, start, state):
    """Fingerprints of the points of a block as two integers each, weights, and their number."""
    X, weight = block
    rows = np.ascontiguousarray(X + 0.0)
    codes = b"".join(blake2b(row, digest_size=_FINGERPRINT).digest() for row in rows)
    return np.frombuffer(codes, np.uint64).reshape(-1, 2), weight, np.array([weight.size])


def _choose(block, rows, weight):
    """Some of the points of a block, with new weights."""
    return block[0][rows], weight


def _first_row(block):
    """The first point of a block."""
    return block[0][0]


def _arranged(block, state):
    """Points of a block in the coordinates of a metric."""
    metric, settings = state
    X, weight = block
    return Points.arranged(metric.apply(X), weight, **settings)


def _round(points, dtype):
    """Points of a block with their coordinates in a dtype."""
    return replace(points, Z=points.Z.astype(dtype, copy=False))


def _coordinates(points, dtype):
    """Coordinates of the points of a block in the order of the data."""
    return points.take(np.arange(points.n_points))[0].astype(dtype)


def _pick(points, chosen):
    """Coordinates of some of the points of a block."""
    return points.take(chosen)[0].astype(np.float64)


def _join(parts, order, n_features):
    """The rows of several arrays, in a given order."""
    return np.concatenate([np.empty((0, n_features)), *parts])[order]


def _located(X, shared):
    """Coordinates of a block of queries."""
    estimator, dtype = shared[0], shared[3]
    data = validate_data(estimator, X, reset=False, dtype=dtype, ensure_min_samples=0)
    return as_kept(estimator._metric.apply(data), estimator._kept)


def _part(points, queries, shared):
    """What a block of points says of a block of queries."""
    estimator, _, request, *_ = shared
    points, h = _ready(points), np.asarray(estimator.bandwidth_)
    with np.errstate(divide="ignore"):
        return _sums_and_squares(points, queries, h, request)


def _sums_and_squares(points, queries, h, request):
    """Sums and nearest squares of queries."""
    sums = points.sums(queries, h, moments=request["moments"])
    k = request.get("k", 0)
    return sums, points.nearest(queries, k, h=h) if k else np.zeros((queries.shape[0], 0))


def _merge_parts(parts):
    """What several blocks of points say of a block of queries."""
    sums, squares = parts[0]
    for more, further in parts[1:]:
        sums = merge_sums(sums, more)
        squares = merge_nearest(squares.shape[1], squares, further)
    return sums, squares


def _end(part, shared):
    """Result for a block of queries."""
    estimator, finish, _, dtype, floor = shared
    return finish(estimator, *part, floor).astype(dtype)


def _finished(X, state):
    """Result for a block of queries, of a fit in memory."""
    estimator, finish, request, dtype = state
    be = get_backend(estimator.backend, np.empty(0))
    queries = _located(X, (estimator, None, None, dtype))
    points = estimator._with_engine(be)
    part = _sums_and_squares(points, queries, np.asarray(estimator.bandwidth_), request)
    return finish(estimator, *part, points.participation).astype(dtype)


def _log_density(estimator, sums, squares, floor):
    """Log-densities."""
    return sums[0] + estimator.log_norm_


def _features(estimator, sums, squares, floor):
    """Log-densities and their diagnostics as columns."""
    return features_of(diagnose(estimator, sums, squares, floor, local=True))


def _standard_error(estimator, sums, squares, floor, *, local):
    """Standard errors of the log-densities."""
    return diagnose(estimator, sums, squares, floor, local).standard_error


# Small parts ------------------------------------------------------------------------------------


def _persist(values):
    """Delayed values, computed and held by the workers."""
    import dask

    return list(dask.persist(*values))


def _mapped(fn, blocks, *arguments):
    """A function of each block, computed and held by the workers."""
    from dask import delayed

    task = delayed(fn, pure=False)
    return _persist([task(block, *arguments) for block in blocks])


def _call(fn, block, start, state):
    """A function of the points and weights of a block, and of what all blocks share."""
    return fn(*block, state)


def _concatenate(left, right):
    """Arrays of two runs of blocks."""
    return tuple(np.concatenate(pair) for pair in zip(left, right, strict=True))


def _as_array(X, known=True):
    """A two-dimensional dask array, of known length if that is wanted."""
    import dask.array as da

    array = X.to_dask_array(lengths=True) if hasattr(X, "to_dask_array") else X
    if not isinstance(array, da.Array):
        raise TypeError(
            f"X must be a dask array or data frame. Got a dask {type(X).__name__}: convert it"
            " first, or pass data in memory (compute())."
        )
    if array.ndim != 2:
        raise ValueError(f"X must have two dimensions. Got shape {array.shape}.")
    if known and np.isnan(array.shape[0]):
        array = array.persist()
        array.compute_chunk_sizes()
    return array
