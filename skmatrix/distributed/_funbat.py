"""Functional tensor regression of dask arrays cut along the rows.

The text is that of the local fit, which needs the entries for nothing but sums: one round over the
blocks for each mode of a sweep. Filters along the coordinates, core and noise are the client's.
What travels back from a block are messages to the coordinates of a mode or, for CP and for the last
mode of a sweep, the sums that they are made of; what travels there are moments of the functions.
"""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import check_array, check_random_state, column_or_1d
from sklearn.utils.validation import validate_data

from .._backend import get_backend
from ..decomposition._funbat import _CONSTANT, _Run
from ..decomposition._funbat_entries import Axis, Entries, refuse_other_forms
from ..decomposition._funbat_parameters import (
    chosen_damping,
    chosen_layout,
    chosen_priors,
    scaled_modes,
)
from ..decomposition._funbat_start import started
from ..decomposition._funbat_state import Belief, Layout
from ._blocks import as_row_blocks, map_rows
from ._estimators import refuse_engine
from ._matrix_completion import RowBlocks
from ._sketched_regression import _as_array, _as_target, _as_weight


@dataclass
class BlockBelief(Belief):
    """What is believed from entries that lie in blocks of rows.

    Attributes
    ----------
    blocks : RowBlocks
        Entries of each block, places of its coordinates among all, and the layout.
    """

    blocks: Any = None

    def _contracted(self, mode):
        """Whether blocks contract the sums of a mode with the core, as nothing else needs them."""
        return not self.layout.elementwise and mode < len(self.factors) - 1

    def pieces(self, mode):
        """The sums of a mode, in one piece: the memory that they take is that of the workers."""
        return [(slice(None), *self.sums(mode))]

    def sums(self, mode, begin=0, end=None):
        """Packed F and h of a mode, or messages of noise precision 1 where they are contracted."""
        sent = [None if k == mode else (f.mean, f.moments) for k, f in enumerate(self.factors)]
        core = (self.core_mean, self.core_cov) if self._contracted(mode) else None
        n_points = self.entries.axes[mode].points.size
        found = self.blocks.sum(_sums, state=(self.be.name, mode, n_points, sent, core))
        # What has travelled may be read-only and begin anywhere, which compiled kernels dislike.
        return tuple(np.require(a, requirements=["C", "A", "W"]) for a in found)

    def messages(self, mode, F, h):
        """Lambda and eta of a mode."""
        if self._contracted(mode):
            return self.precision * F, self.precision * h
        return super().messages(mode, F, h)


@dataclass(frozen=True)
class _Moments:
    """First and packed second moments of the functions of a mode, where a block has entries."""

    mean: np.ndarray
    moments: np.ndarray


def fit_row_blocks(estimator, X, y, sample_weight=None):
    """Fit a FunBaT to a dask array, block of rows by block of rows.

    Attributes are ordinary NumPy arrays, equal to those of the local fit up to rounding error.

    Parameters
    ----------
    estimator : FunBaT
        The estimator, fitted in place.
    X : dask array or data frame of shape (n_entries, n_modes)
        Coordinates. Those of each block are kept, in the memory of the workers, during the fit.
    y : dask array or array-like of shape (n_entries,)
        Values.
    sample_weight : dask array or array-like of shape (n_entries,), default=None
        Weights.

    Returns
    -------
    estimator : FunBaT
        The fitted estimator.
    """
    refuse_engine(estimator)
    be = get_backend(estimator.backend, np.empty(0))
    X = _as_floats(_as_array(X))
    validate_data(estimator, np.zeros((1, X.shape[1])), None if y is None else np.zeros(1))
    y, sample_weight = _as_target(y), _as_weight(sample_weight)
    layout = chosen_layout(estimator, X.shape[1])
    priors, bounds, noise_prior = chosen_priors(estimator, X.shape[1])
    chosen_damping(estimator)
    scaled = scaled_modes(estimator, priors)
    entries, blocks = _prepared(estimator, X, y, sample_weight, layout, scaled)
    estimator.decomposition_ = "cp" if layout.elementwise else "tucker"
    held = float(estimator.warmup_precision)

    def start(seed):
        # Only functions are drawn, as if there were no core: it follows from them and the data.
        rng = np.random.RandomState(seed)
        functions = Layout(layout.ranks, True)
        factors = started(be, entries, functions, priors, noise_prior, held, rng).factors
        belief = BlockBelief(
            be, entries, layout, factors, noise_prior, precision=held, blocks=blocks
        )
        if not layout.elementwise:
            belief.join(belief.pieces(len(factors) - 1))
            belief.update_core()
        return belief

    rng = check_random_state(estimator.random_state)
    seeds = rng.randint(np.iinfo(np.int32).max, size=estimator.n_init)
    runs = [_Run(estimator, start(seed), bounds) for seed in seeds]
    estimator._set_fitted(be, X, estimator._ascend(be, X, y, runs, sample_weight))
    return estimator


def predict_row_blocks(estimator, X, return_std, include_noise):
    """Lazy result of ``estimator.predict`` on each block of rows."""
    X = _as_floats(_as_array(X, counted=False))
    validate_data(estimator, np.zeros((1, X.shape[1])), reset=False)
    # A copy, because a later fit must not change what has not been computed yet.
    state = (copy.copy(estimator), return_std, include_noise)
    if not return_std:
        return map_rows(X, _predict, state=state)
    both = map_rows(X, _predict, trailing=(2,), state=state)
    return both[:, 0], both[:, 1]


def _as_floats(X):
    """The array in single or double precision, which dates have none of."""
    refuse_other_forms(X)
    return X if X.dtype in (np.float32, np.float64) else X.astype(np.float64)


def _prepared(estimator, X, y, sample_weight, layout, scaled):
    """Entries without orders, which stand for all, and those of each block on the workers."""
    rows, starts = as_row_blocks(X, y, sample_weight)
    raw = RowBlocks([row[0] for row in rows], starts)
    data = RowBlocks(raw.map(_read, *([row[k] for row in rows] for k in (1, 2))), starts)
    kept = np.flatnonzero(data.sum(_n_rows)).tolist()
    if not kept:
        raise ValueError(
            f"Found array with 0 sample(s) (shape=(0, {X.shape[1]})) while a minimum of 1 is"
            f" required by {type(estimator).__name__}."
        )
    data = RowBlocks([data.blocks[k] for k in kept], [starts[k] for k in kept])
    points, largest = data.sum(_extent, merge=_merge_extents)
    axes = [Axis.of(x, normalize)[0] for x, normalize in zip(points, scaled, strict=True)]
    # Divided first, because squares of large numbers overflow.
    largest = largest or 1.0
    total, mean, spread = data.sum(_spread, state=largest, merge=_merge_spreads)
    centre = mean if estimator.fit_intercept else 0.0
    scale = float(np.sqrt(spread / total + (mean - centre) ** 2))
    if scale <= _CONSTANT:
        scale = 0.0
    estimator.intercept_ = centre * largest
    estimator.y_scale_ = scale * largest or 1.0
    state = (points, largest, centre, scale, layout)
    blocks = RowBlocks(data.map(_arranged, state=state), data.starts)
    return Entries(axes, [], total, blocks.sum(_sum_squares)), blocks


def _read(X, y, weight, state):
    """Validated coordinates, values and weights of the rows of a block that count."""
    refuse_other_forms(X)
    checked = {"dtype": np.float64, "ensure_min_samples": 0, "estimator": "FunBaT"}
    X = check_array(X, input_name="X", **checked)
    y = column_or_1d(check_array(y, ensure_2d=False, input_name="y", **checked), warn=True)
    if weight is None:
        return X, y, np.ones(y.size)
    weight = check_array(weight, ensure_2d=False, input_name="sample_weight", **checked)
    if np.any(weight < 0):
        raise ValueError("Negative values in data passed to `sample_weight`")
    used = weight > 0
    return X[used], y[used], weight[used]


def _n_rows(block, start, state):
    """Number of rows of a block, as a list that grows by merging."""
    return [block[1].size]


def _extent(block, start, state):
    """Distinct coordinates of each mode, and the largest absolute value."""
    X, y, _ = block
    return [np.unique(x) for x in X.T], float(np.abs(y).max())


def _merge_extents(left, right):
    """Extent of two runs of blocks."""
    points = [np.union1d(a, b) for a, b in zip(left[0], right[0], strict=True)]
    return points, max(left[1], right[1])


def _spread(block, start, state):
    """Total weight, mean, and weighted sum of squares about it, in units of the largest value."""
    _, y, weight = block
    y, total = y / state, weight.sum()
    mean = weight @ y / total
    return float(total), float(mean), float(weight @ (y - mean) ** 2)


def _merge_spreads(left, right):
    """Spread of two runs of blocks."""
    total, gap = left[0] + right[0], right[1] - left[1]
    share = right[0] / total
    return total, left[1] + share * gap, left[2] + right[2] + left[0] * share * gap**2


def _arranged(block, state):
    """Entries of a block, the places of its coordinates among all, and the layout."""
    X, y, weight = block
    points, largest, centre, scale, layout = state
    values = (y / largest - centre) / scale if scale else np.zeros_like(y)
    entries = Entries.of(X, values, weight, False)
    pairs = zip(points, entries.axes, strict=True)
    return entries, [np.searchsorted(every, axis.points) for every, axis in pairs], layout


def _sum_squares(block, start, state):
    """Weighted sum of squares of a block."""
    return block[0].sum_squares


def _sums(block, start, state):
    """What a block has to say to the functions of a mode."""
    entries, places, layout = block
    backend, mode, n_points, sent, core = state
    factors = [
        None if pair is None else _Moments(pair[0][rows], pair[1][rows])
        for pair, rows in zip(sent, places, strict=True)
    ]
    belief = Belief(get_backend(backend, np.empty(0)), entries, layout, factors, (1.0, 1.0))
    if core is None:
        found = belief.sums(mode)
    else:
        belief.core_mean, belief.core_cov = core
        found = belief.sent(mode, belief.pieces(mode))
    return tuple(_spread_out(a, places[mode], n_points) for a in found)


def _spread_out(values, places, n_points):
    """Values at some coordinates as those at all, zero elsewhere."""
    every = np.zeros((n_points, *values.shape[1:]))
    every[places] = values
    return every


def _predict(X, state):
    """Predictions for a block of rows, with standard deviations beside them if asked."""
    estimator, return_std, include_noise = state
    if X.shape[0] == 0:
        return np.empty((0, 2) if return_std else 0, dtype=X.dtype)
    found = estimator.predict(X, return_std=return_std, include_noise=include_noise)
    return np.stack(found, axis=1) if return_std else found
