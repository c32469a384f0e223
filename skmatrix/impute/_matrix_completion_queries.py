"""Questions to a fitted completion: values at places, their deviations, the best columns."""

from itertools import pairwise
from numbers import Real

import numpy as np
import scipy.sparse as sp
from scipy.linalg import cho_factor, cho_solve
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import gen_batches

from .._backend import to_numpy
from .._iterate import warn_caller
from .._sklearn import Interval
from .._xp import sampled_dot

_BOUND = Interval(Real, -np.inf, np.inf, closed="both")

# A dense result with more elements than this is refused rather than tried.
_LARGEST_DENSE = 2**31
# Scores that top_k holds at once.
_BLOCK = 2**24


def pattern(entries):
    """Places and weights of the observed entries as a SciPy matrix on the host.

    Without weights one byte per entry stands for 1.
    """
    # copies: the arrays may be the user's own
    indices, indptr = (np.array(to_numpy(a)) for a in (entries.indices, entries.indptr))
    weights = np.array(to_numpy(entries.weights))
    data = weights if weights.shape[0] else np.ones(indices.shape[0], dtype=np.int8)
    return sp.csr_array((data, indices, indptr), shape=entries.shape)


def known_pattern(estimator, what, remedy="Pass the rows as X."):
    """The pattern of the training rows, which a fit on dask collections does not keep."""
    if estimator._pattern is None:
        raise ValueError(
            f"{what} needs the observed places of the training rows, which a fit on a dask"
            f" collection does not keep. {remedy}"
        )
    return estimator._pattern


def stack_patterns(old, new):
    """The pattern of old rows followed by new ones."""
    return sp.csr_array(sp.vstack([old, new], format="csr"))


def merge_patterns(old, new, source):
    """Rows of the stacked patterns in the order of `source`."""
    return stack_patterns(old, new)[source]


def merge_positions(n_rows, places):
    """For each row after an update, where it stands among the old rows followed by the new."""
    source = np.arange(max(n_rows, places.max(initial=-1) + 1))
    source[places] = n_rows + np.arange(places.shape[0])
    return source


def check_places(places, size, name):
    """Positions as an integer array, each in [0, size)."""
    places = np.asarray(to_numpy(places))
    if places.ndim != 1 or (places.size and places.dtype.kind not in "iu"):
        raise ValueError(
            f"{name} must be a one-dimensional array of integers. Got {places.dtype} of shape"
            f" {places.shape}."
        )
    if places.size and (places.min() < 0 or places.max() >= size):
        raise ValueError(
            f"{name} must lie in [0, {size}). Got values from {places.min()} to {places.max()}."
        )
    return places.astype(np.int64)


def check_row_positions(indices, n_given, n_rows):
    """Positions for ``update_rows``: distinct, and continuing the rows without a gap."""
    places = check_places(indices, n_rows + n_given, "indices")
    if places.shape[0] != n_given:
        raise ValueError(
            f"indices must hold one position for each of the {n_given} rows. Got {places.shape[0]}."
        )
    appended = np.sort(places[places >= n_rows])
    if np.unique(places).shape[0] != n_given or not np.array_equal(
        appended, n_rows + np.arange(appended.shape[0])
    ):
        raise ValueError(
            f"indices must be distinct, and those from {n_rows} on must continue the rows without"
            f" a gap. Got {places.tolist()[:10]}."
        )
    return places


def refuse_huge(shape, what):
    """Raise rather than try a dense result that no memory holds."""
    if shape[0] * shape[1] > _LARGEST_DENSE:
        raise ValueError(
            f"{what} would give a dense array of shape {tuple(shape)}, above 2**31 elements. Use"
            ' predict_entries for single places, or output="factors".'
        )


def check_clip(clip):
    """Refuse bounds that are no pair of ascending numbers."""
    if clip is None or isinstance(clip, str):
        return
    numbers = len(clip) == 2 and all(map(_BOUND.is_satisfied_by, clip))
    if not numbers or not clip[0] < clip[1]:
        raise ValueError(f"clip must be a pair (low, high) with low < high. Got {clip!r}.")


def clip_range(clip, entries, X):
    """Bounds of filled values: a pair of numbers, or of one number per column, or None."""
    if clip is None:
        return None
    if not isinstance(clip, str):
        return tuple(clip)
    if sp.issparse(X):
        return float(entries.values.min()), float(entries.values.max())
    return _observed_range(entries)


def clipped(values, bounds, cols=None):
    """Values within the bounds, which may be one pair per column."""
    if bounds is None:
        return values
    low, high = bounds
    if cols is not None and np.ndim(to_numpy(low)):
        low, high = to_numpy(low)[cols], to_numpy(high)[cols]
    if isinstance(values, np.ndarray):
        return np.clip(values, low, high).astype(values.dtype, copy=False)
    import array_api_compat

    xp, device = array_api_compat.array_namespace(values), array_api_compat.device(values)
    low, high = (xp.asarray(to_numpy(a), dtype=values.dtype, device=device) for a in (low, high))
    return xp.where(values < low, low, xp.where(values > high, high, values))


def _observed_range(entries):
    """Smallest and largest observed value of each column; open where none is observed."""
    values, columns = to_numpy(entries.values), to_numpy(entries.indices)
    low, high = np.full((2, entries.shape[1]), [[np.inf], [-np.inf]], dtype=values.dtype)
    np.minimum.at(low, columns, values)
    np.maximum.at(high, columns, values)
    return np.where(low > high, high, low), np.where(low > high, low, high)


def values_at(estimator, be, factors, row_bias, rows, cols):
    """Values at places of rows given by factors and biases, at X's home."""
    factors, row_bias = be.load(factors, row_bias)
    columns = be.load(estimator.components_, estimator.column_bias_)
    components, column_bias = (be.xp.astype(a, factors.dtype) for a in columns)
    i, j = be.load(rows, cols)
    values = sampled_dot(be.xp, factors, components.T, i, j)
    values = values + be.xp.take(row_bias, i) + be.xp.take(column_bias, j) + estimator.offset_
    if estimator.scale_ is not None:
        moments = be.load(estimator.center_, estimator.scale_)
        center, scale = (be.xp.astype(be.xp.take(a, j), values.dtype) for a in moments)
        values = values * scale + center
    return be.unload(values)


def deviations_at(estimator, known, rows, cols):
    """Standard deviations at places, given the column factors; `known` is a pattern."""
    V = to_numpy(estimator.components_).T.astype(np.float64) / np.sqrt(estimator.unit_)
    ridge = estimator.alpha_ / estimator.unit_
    noise = estimator.noise_std_ / estimator.unit_
    if estimator._fitted_bias in ("row", "both"):
        V = np.hstack([V, np.ones((V.shape[0], 1))])
    variance, prior = np.zeros(rows.shape[0]), _row_spread(estimator)
    order = np.argsort(rows, kind="stable")
    bounds = np.append(np.flatnonzero(np.diff(rows[order], prepend=-1)), rows.shape[0])
    for begin, end in pairwise(bounds):
        places = order[begin:end]
        asked = V[cols[places]]
        i = rows[places[0]]
        entries = slice(known.indptr[i], known.indptr[i + 1])
        if entries.start == entries.stop:
            # nothing is known of the row: it is one of the training rows
            variance[places] = np.einsum("ij,jk,ik->i", asked, prior, asked)
            continue
        seen, weight = V[known.indices[entries]], known.data[entries].astype(np.float64)
        penalty = ridge * (weight.sum() if estimator._fitted_penalty == "count" else 1.0)
        gram = (seen.T * weight) @ seen
        # Without a ridge the directions that the row has not seen would be infinite.
        penalty = max(penalty, gram.shape[0] * np.finfo(np.float64).eps * np.trace(gram))
        if penalty == 0:
            continue
        factor = cho_factor(gram + penalty * np.eye(gram.shape[0]), lower=True)
        inverse = cho_solve(factor, asked.T)
        variance[places] = noise**2 * np.einsum("ij,ji->i", asked, inverse)
    std = estimator.unit_ * np.sqrt(noise**2 + variance)
    if estimator.scale_ is not None:
        std = std * to_numpy(estimator.scale_)[cols]
    return std.astype(to_numpy(estimator.components_).dtype, copy=False)


def _row_spread(estimator):
    """Second moments of the training rows' factors and biases, in normalised units."""
    rows = to_numpy(estimator.embedding_).astype(np.float64) / np.sqrt(estimator.unit_)
    if estimator._fitted_bias in ("row", "both"):
        bias = to_numpy(estimator.row_bias_).astype(np.float64) / estimator.unit_
        rows = np.hstack([rows, bias[:, None]])
    return rows.T @ rows / rows.shape[0]


def top_columns(estimator, be, factors, row_bias, rows, k, known):
    """Columns with the k largest values of each row, and these values, on the host."""
    n_columns = estimator.n_features_in_
    best = np.empty((rows.shape[0], k), dtype=np.int64)
    scores = np.empty((rows.shape[0], k), dtype=to_numpy(factors).dtype)
    for block in gen_batches(rows.shape[0], max(1, _BLOCK // n_columns)):
        chosen = rows[block]
        index = be.home.asarray(chosen, device=be.home_device)
        some = (be.home.take(a, index, axis=0) for a in (factors, row_bias))
        values = np.array(to_numpy(estimator._low_rank(be, *some)))
        if estimator.clip_range_ is not None and np.ndim(estimator.clip_range_[0]):
            # Bounds of their own decide which column is best; common ones would only make ties.
            values = clipped(values, estimator.clip_range_)
        if known is not None:
            seen = known[chosen]
            values[
                np.repeat(np.arange(chosen.shape[0]), np.diff(seen.indptr)), seen.indices
            ] = -np.inf
        leaders = np.argpartition(-values, k - 1, axis=1)[:, :k]
        kept = np.take_along_axis(values, leaders, axis=1)
        order = np.argsort(-kept, axis=1, kind="stable")
        best[block] = np.take_along_axis(leaders, order, axis=1)
        scores[block] = np.take_along_axis(kept, order, axis=1)
    left_out = np.isneginf(scores)
    shown = clipped(scores, estimator.clip_range_, best)
    return np.where(left_out, -1, best), np.where(left_out, np.nan, shown)


def choose_hidden(entries, fraction, seed, first_row=0):
    """A mask that hides ceil(fraction * n_i) entries of each row with n_i >= 2, never all.

    The choice depends on the seed, the position of the row (counted from `first_row`) and the
    positions in the row.
    """
    indptr = to_numpy(entries.indptr).astype(np.int64)
    counts = np.diff(indptr)
    n_hidden = np.minimum(np.ceil(fraction * counts), counts - 1).astype(np.int64)
    n_hidden[counts < 2] = 0
    rows = np.repeat(np.arange(counts.shape[0]), counts)
    position = np.arange(rows.shape[0]) - indptr[:-1][rows]
    keys = _hash(np.uint64(seed) + _hash((rows + first_row).astype(np.uint64)))
    keys = _hash(keys ^ position.astype(np.uint64))
    order = np.lexsort((keys, rows))
    hidden = np.zeros(rows.shape[0], dtype=bool)
    hidden[order] = position < n_hidden[rows]
    return hidden


def _hash(keys):
    """Scramble 64-bit integers (the finaliser of SplitMix64)."""
    keys = keys + np.uint64(0x9E3779B97F4A7C15)
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))


def warn_if_short(estimator, short):
    """Warn when the certificate shows that more components would lower the objective."""
    if short and estimator.converged_:
        warn_caller(
            f"n_components={estimator.n_components_} is too small for alpha={estimator.alpha}: the"
            " residual's spectral norm exceeds the penalty. Raise n_components or alpha.",
            ConvergenceWarning,
        )
