"""Clustering of dask arrays by a program for a sample of their rows.

The sample travels and is clustered in memory. All rows then follow by their discriminants, in
passes over blocks that send back counts, sums and scatters of the groups; labels stay where the
rows are, and are lazy.
"""

from dataclasses import replace

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import validate_data

from .._backend import get_backend, to_numpy
from .._threads import single_threaded_blas
from ..cluster._clustering_parameters import draw_sample, sample_size
from ..cluster._gaussian_groups import Gaussians, criteria_of, evidence
from ..cluster._gaussian_kernels import squared_distances
from ..cluster._ilasdp_fit import PASSES
from ._blocks import as_row_blocks, map_reduce, map_rows
from ._estimators import add, answer, float_dtype, without
from ._sketched_regression import _as_array

# Passes of Lloyd's algorithm at most.
_PASSES = 300
# What blocks do not need of an estimator.
_HEAVY = ("labels_", "memberships_", "factor_", "feature_names_in_", "_skl_callbacks")


def fit_gaussian_row_blocks(estimator, X):
    """Fit an ILASDPClustering to a sample of a dask array, and let all rows follow.

    Parameters
    ----------
    estimator : ILASDPClustering
        The estimator, fitted in place. Its `labels_` and `memberships_` are lazy.
    X : dask array or data frame of shape (n_samples, n_features)
        Data, read five times: persist what fits in the memory of the workers.

    Returns
    -------
    estimator : ILASDPClustering
        The fitted estimator.
    """
    if not isinstance(estimator.init, str) and np.ndim(estimator.init) == 1:
        raise ValueError("init as labels does not go with a dask array, which is sampled.")
    array, sample, inner = _sampled(estimator, X)
    if estimator.sketch_indices_ is None:
        return _in_memory(estimator, array)
    groups = inner._groups
    blocks, starts = as_row_blocks(array)
    for _ in range(PASSES):
        state = (estimator.backend, groups)
        counts, sums, scatters = map_reduce(blocks, starts, _moments, add, state)
        if counts.min() < 2:
            break
        groups = _groups_of(groups, counts, sums, scatters, estimator.reg_covar)
    estimator._publish_groups(get_backend("auto", sample), sample, groups)
    found = criteria_row_blocks(estimator, array)
    estimator.bic_, estimator.icl_ = found["bic"], found["icl"]
    estimator.labels_ = ask_row_blocks(estimator, array, "predict")
    estimator.memberships_ = ask_row_blocks(estimator, array, "predict_proba")
    return estimator


def fit_means_row_blocks(estimator, X):
    """Fit an SDPKMeans to a sample of a dask array, and let all rows go to the nearest mean.

    Parameters
    ----------
    estimator : SDPKMeans
        The estimator, fitted in place. Its `labels_` and `memberships_` are lazy.
    X : dask array or data frame of shape (n_samples, n_features)
        Data, read once for each pass of Lloyd's algorithm: persist what fits in the memory of the
        workers.

    Returns
    -------
    estimator : SDPKMeans
        The fitted estimator.
    """
    array, sample, inner = _sampled(estimator, X)
    if estimator.sketch_indices_ is None:
        return _in_memory(estimator, array)
    centers = inner.cluster_centers_.astype(np.float64)
    blocks, starts = as_row_blocks(array)
    inertia = np.inf
    for _ in range(_PASSES):
        counts, sums, inertia = map_reduce(blocks, starts, _nearest, add, centers)
        before = centers
        # A group that has lost its last row stays where it is.
        centers = before + sums / np.maximum(counts, 1)[:, None]
        # Steps that are nothing beside the spread of the points, or rounding of a level.
        step = 1e-12 * np.sqrt(inertia / counts.sum()) + 4 * np.spacing(np.abs(before))
        if (np.abs(centers - before) <= step).all():
            break
    estimator.cluster_centers_ = centers.astype(sample.dtype)
    estimator.inertia_ = float(inertia)
    estimator.labels_ = ask_row_blocks(estimator, array, "predict")
    state = (without(estimator, _HEAVY), sample.dtype)
    trailing = (len(centers),)
    estimator.memberships_ = map_rows(array, _indicators, trailing, sample.dtype, state)
    return estimator


def ask_row_blocks(estimator, X, method):
    """Lazy result of a method for each row of a dask array.

    Parameters
    ----------
    estimator : ILASDPClustering or SDPKMeans
        The fitted estimator.
    X : dask array or data frame of shape (n_queries, n_features)
        Points.
    method : {"predict", "predict_proba", "transform", "score_samples"}
        What is asked for.

    Returns
    -------
    answer : dask array of shape (n_queries,) or (n_queries, n_clusters)
        The answers.
    """
    array = _table(estimator, X)
    trailing = () if method in ("predict", "score_samples") else (estimator._n_features_out,)
    dtype = np.dtype(np.int64) if method == "predict" else float_dtype(array)
    state = (without(estimator, _HEAVY), method, trailing, dtype)
    return map_rows(array, answer, trailing, dtype, state)


def criteria_row_blocks(estimator, X):
    """Mean log-density and information criteria, from sums over the blocks.

    Parameters
    ----------
    estimator : ILASDPClustering
        The fitted estimator.
    X : dask array or data frame of shape (n_queries, n_features)
        Points.

    Returns
    -------
    found : dict
        "score", "bic", "icl" and "aic".
    """
    blocks, starts = as_row_blocks(_table(estimator, X, counted=True))
    groups, p = estimator._groups, estimator.n_features_in_
    sums = map_reduce(blocks, starts, _evidence, add, (estimator.backend, groups))
    return {"score": sums[1] / sums[0], **criteria_of(groups.structure, groups.sizes.size, p, sums)}


def inertia_row_blocks(estimator, X):
    """Sum of squared distances to the nearest means.

    Parameters
    ----------
    estimator : SDPKMeans
        The fitted estimator.
    X : dask array or data frame of shape (n_queries, n_features)
        Points.

    Returns
    -------
    inertia : float
        The sum.
    """
    blocks, starts = as_row_blocks(_table(estimator, X, counted=True))
    centers = np.asarray(estimator.cluster_centers_, dtype=np.float64)
    return float(map_reduce(blocks, starts, _nearest, add, centers)[2])


# The sample -------------------------------------------------------------------------------------


def _sampled(estimator, X):
    """All rows, those that were sampled, and the fit to these, handed on to the estimator."""
    array = _table(estimator, X, reset=True, counted=True)
    n, n_groups = array.shape[0], estimator.n_clusters
    if estimator.n_subsample is None:
        raise ValueError(
            f"X is a dask array of {n} rows, of which a sample is clustered: set n_subsample, to"
            " 'auto' for instance. To cluster all of them pass X.compute()."
        )
    size = sample_size(estimator.n_subsample, n, 1 if n_groups == "auto" else n_groups)
    rng = check_random_state(estimator.random_state)
    chosen = None if size is None else draw_sample(rng, n, size)
    sample = np.asarray((array if chosen is None else array[chosen]).compute())
    sample = sample.astype(float_dtype(array), copy=False)
    # Starts go on with the numbers that come after those of the sample, as on one machine.
    inner = clone(estimator).set_params(n_subsample=None, random_state=rng).fit(sample)
    for name, value in vars(inner).items():
        if name.endswith("_") or name == "_groups":
            setattr(estimator, name, value)
    estimator.sketch_indices_ = chosen
    return array, sample, inner


def _in_memory(estimator, array):
    """The fit to all rows, whose labels are cut as the rows are."""
    import dask.array as da

    rows = array.chunks[0]
    estimator.labels_ = da.from_array(estimator.labels_, chunks=(rows,))
    estimator.memberships_ = da.from_array(estimator.memberships_, chunks=(rows, -1))
    return estimator


def _table(estimator, X, *, reset=False, counted=False):
    """A dask array with the features of the fit; nothing is computed unless rows are counted."""
    array = _as_array(X, counted=counted)
    frame = X._meta if hasattr(X, "to_dask_array") else np.empty((0, array.shape[1]))
    validate_data(estimator, frame, reset=reset, skip_check_array=True)
    return array


# What the tasks do ------------------------------------------------------------------------------


def _points(block):
    """A block of rows, checked, in double precision."""
    return check_array(block, dtype=[np.float64, np.float32]).astype(np.float64, copy=False)


def _moments(block, start, state):
    """Counts of the groups, sums and scatters about their means."""
    backend, groups = state
    X = _points(block)
    with single_threaded_blas:
        labels = groups.discriminants(get_backend(backend, np.empty(0)), X).argmin(axis=1)
        parts = [X[labels == k] - mean for k, mean in enumerate(groups.means)]
        if groups.structure.diagonal:
            scatters = [np.sum(part * part, axis=0) for part in parts]
        else:
            scatters = [part.T @ part for part in parts]
    counts = np.array([float(len(part)) for part in parts])
    return counts, np.stack([part.sum(axis=0) for part in parts]), np.stack(scatters)


def _groups_of(groups, counts, sums, scatters, reg_covar):
    """Groups of all rows, from sums about the means of earlier groups."""
    shifts = sums / counts[:, None]
    means = groups.means + shifts
    if groups.structure.diagonal:
        own = scatters - counts[:, None] * shifts**2
        within = own.sum()
    else:
        own = scatters - counts[:, None, None] * shifts[:, :, None] * shifts[:, None, :]
        within = np.trace(own.sum(axis=0))
    # The ridge is relative to the spread of all rows, as on one machine.
    between = np.sum(counts[:, None] * (means - counts @ means / counts.sum()) ** 2)
    spread = (within + between) / counts.sum() / means.shape[1]
    structure = replace(groups.structure, ridge=reg_covar * spread)
    return Gaussians.of(structure, counts, means, structure.covariances(counts, own))


def _evidence(block, start, state):
    """Number of rows, log-density and entropy of the memberships."""
    backend, groups = state
    log_joint = groups.log_joint(get_backend(backend, np.empty(0)), _points(block))
    return evidence(log_joint)


def _nearest(block, start, state):
    """Counts and sums of the rows nearest to each centre, about it, and the inertia."""
    X, centers = _points(block), state
    squares = to_numpy(squared_distances(get_backend("auto", X), X, centers, np.ones_like(centers)))
    labels = squares.argmin(axis=1)
    parts = [X[labels == k] - center for k, center in enumerate(centers)]
    counts = np.array([float(len(part)) for part in parts])
    return counts, np.stack([part.sum(axis=0) for part in parts]), float(squares.min(axis=1).sum())


def _indicators(block, state):
    """A one for the group of each row."""
    estimator, dtype = state
    labels = answer(block, (estimator, "predict", (), np.dtype(np.int64)))
    return np.eye(len(estimator.cluster_centers_), dtype=dtype)[labels]
