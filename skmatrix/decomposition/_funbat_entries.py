"""Entries of a tensor with continuous indices: axes, merged duplicates, and orders by mode."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import scipy.sparse as sp

_TIMES = (date, timedelta, np.datetime64, np.timedelta64)


def refuse_other_forms(X):
    """Raise where X is no table of numbers, and say how it becomes one.

    Raises
    ------
    TypeError
        If X is sparse, or holds dates or durations.
    ValueError
        If X has more than two dimensions.
    """
    if sp.issparse(X):
        raise TypeError(
            "X is sparse, but FunBaT needs a dense array of coordinates, with one row per entry."
            " tensor_to_entries makes one of a sparse tensor."
        )
    n_dims = getattr(X, "ndim", 2)
    if n_dims > 2:
        raise ValueError(
            f"Found array with dim {n_dims}, but FunBaT needs coordinates, with one row per entry."
            " tensor_to_entries makes them of a tensor."
        )
    refuse_times(X, "X")


def refuse_times(X, name):
    """Raise where data hold dates or durations.

    Raises
    ------
    TypeError
        If they do.
    """
    if _holds_times(X):
        raise TypeError(
            f"{name} holds dates or durations. Convert them to floats first, such as days since the"
            " first: (t - t.min()) / np.timedelta64(1, 'D')."
        )


def _holds_times(X):
    """Whether a column, by its type or by its first element, is of dates or durations."""
    dtypes = getattr(X, "dtypes", getattr(X, "dtype", None))
    # Data frames have one for each column, series one.
    dtypes = list(dtypes) if isinstance(dtypes, Iterable) else [dtypes]
    # NumPy and pandas tell the kind, polars has a method.
    kinds = [getattr(dtype, "kind", "") for dtype in dtypes]
    if "m" in kinds or "M" in kinds:
        return True
    if any(getattr(dtype, "is_temporal", bool)() for dtype in dtypes):
        return True
    mixed = isinstance(X, list) or "O" in kinds
    first = np.asarray(X[:1], dtype=object).ravel() if mixed else ()
    return any(isinstance(value, _TIMES) for value in first)


@dataclass(frozen=True)
class Axis:
    """One mode: how its coordinates are scaled, and where there are entries.

    Attributes
    ----------
    origin, half : float
        Scaled coordinates are ``(x - origin) / (2 half)``.
    points : float64 ndarray of shape (n_points,)
        Distinct coordinates of the entries, sorted.
    """

    origin: float
    half: float
    points: np.ndarray

    @classmethod
    def of(cls, x, normalize):
        """Axis of the coordinates of some entries, and their places on it."""
        points, places = np.unique(x, return_inverse=True)
        origin, half = 0.0, 0.5
        if normalize:
            origin = float(points[0])
            # Halves, because the difference of large numbers may overflow.
            half = float(points[-1] / 2 - points[0] / 2) or 0.5
        return cls(origin, half, points), np.ravel(places)

    def scaled(self, x):
        """Scaled coordinates."""
        return (x / 2 - self.origin / 2) / self.half

    def restored(self, x):
        """Coordinates of which single precision has left the points that they round to."""
        with np.errstate(over="ignore"):
            rounded, x_rounded = self.points.astype(np.float32), x.astype(np.float32)
        places = np.minimum(np.searchsorted(rounded, x_rounded), rounded.size - 1)
        moved = (rounded[places] == x_rounded) & ~np.isin(x, self.points)
        return np.where(moved, self.points[places], x)


@dataclass(frozen=True)
class ModeOrder:
    """The entries in the order of one mode's coordinates.

    Attributes
    ----------
    indptr : int64 ndarray of shape (n_points + 1,)
        Bounds of the entries at each coordinate.
    places : int64 ndarray of shape (n_entries, n_modes - 1)
        Their places in the other modes.
    weight, target : float64 ndarray of shape (n_entries,)
        Weights, and weights times values.
    """

    indptr: np.ndarray
    places: np.ndarray
    weight: np.ndarray
    target: np.ndarray


@dataclass(frozen=True)
class Entries:
    """What a fit needs of the data.

    Attributes
    ----------
    axes : list of Axis
        The modes.
    orders : list of ModeOrder
        Merged entries in the order of each mode.
    total_weight, sum_squares : float
        Sums of w and of w y^2 over all entries.
    """

    axes: list
    orders: list
    total_weight: float
    sum_squares: float

    @classmethod
    def of(cls, X, y, weight, normalize):
        """Prepare entries of positive weight.

        Parameters
        ----------
        X : float64 ndarray of shape (n_entries, n_modes)
            Coordinates.
        y : float64 ndarray of shape (n_entries,)
            Standardised values.
        weight : float64 ndarray of shape (n_entries,)
            Positive weights.
        normalize : bool or sequence of bool
            Whether axes, or each of them, are scaled to [0, 1].

        Returns
        -------
        entries : Entries
            Axes and orders.
        """
        scaled = np.broadcast_to(normalize, X.shape[1])
        axes, places = zip(*map(Axis.of, X.T, scaled), strict=True)
        places, weight_of, target = _merged(np.stack(places, axis=1), axes, weight, weight * y)
        orders = []
        for mode, axis in enumerate(axes):
            order = np.argsort(places[:, mode], kind="stable")
            counts = np.bincount(places[:, mode], minlength=axis.points.size)
            others = np.delete(places, mode, axis=1)[order]
            orders.append(
                ModeOrder(
                    np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
                    np.ascontiguousarray(others),
                    weight_of[order],
                    target[order],
                )
            )
        return cls(list(axes), orders, float(weight.sum()), float(np.sum(weight * y * y)))


def _merged(places, axes, weight, target):
    """Distinct index tuples, with their weights and weighted values added."""
    sizes = [axis.points.size for axis in axes]
    if np.prod([float(size) for size in sizes]) < 2**62:
        keys = np.ravel_multi_index(tuple(places.T), sizes)
        _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    else:
        _, first, inverse = np.unique(places, axis=0, return_index=True, return_inverse=True)
    inverse, n = np.ravel(inverse), first.size
    return (
        np.ascontiguousarray(places[first].astype(np.int64)),
        np.bincount(inverse, weights=weight, minlength=n),
        np.bincount(inverse, weights=target, minlength=n),
    )
