"""Augmented covariances of dask arrays cut along the trials.

Trials are independent. Only the sample that the rules look at comes into memory, and the tangent
vectors that the classifier at the end is fitted to.
"""

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets

from .._backend import get_backend
from ..covariance._augmented_covariance import AugmentedCovariance, load_pyriemann
from ..covariance._augmented_covariance_candidates import Candidate, name_of
from ..covariance._augmented_covariance_grid import Models
from ..covariance._embedding import drawn_places
from ..covariance._trials import check_flat, read_trials
from ._blocks import as_row_blocks, is_dask, map_reduce, map_rows
from ._estimators import add, float_dtype, refuse_engine


def fit_row_blocks(estimator, X):
    """Fit an AugmentedCovariance to a dask array.

    Parameters
    ----------
    estimator : AugmentedCovariance
        The estimator, fitted in place.
    X : dask array of shape (n_trials, n_channels, n_times)
        Trials, or two dimensions as `n_channels` says.

    Returns
    -------
    estimator : AugmentedCovariance
        The fitted estimator.
    """
    order, lag = estimator._checked()
    X = _as_trials(estimator, X)
    rng = check_random_state(estimator.random_state)
    places = drawn_places(X.shape[0], estimator.n_selection_trials, rng)
    be = get_backend(estimator.backend, np.empty(0))
    sample, is_table = read_trials(estimator, be, np.asarray(X[places]), reset=True)
    estimator._level = _mean_level(estimator, X) if is_table else None
    estimator._set(be, estimator._chosen(sample, order, lag, None, warn=not is_table), lag)
    return estimator


def transform_row_blocks(estimator, X):
    """Lazy matrices of a dask array of trials."""
    X = _as_trials(estimator, X)
    size = estimator.order_ * estimator.n_channels_in_
    return map_rows(X, _matrices_as_given, (size, size), float_dtype(X), state=estimator)


def fit_classifier_row_blocks(estimator, X, y, order, lag, geometry):
    """Fit an AugmentedCovarianceClassifier with a log-Euclidean mean to a dask array.

    Parameters
    ----------
    estimator : AugmentedCovarianceClassifier
        The estimator, fitted in place.
    X : dask array of shape (n_trials, n_channels, n_times)
        Trials.
    y : array-like or dask array of shape (n_trials,)
        Labels.
    order, lag : int, str or tuple of int
        Order and lag.
    geometry : Geometry
        The metrics.

    Returns
    -------
    estimator : AugmentedCovarianceClassifier
        The fitted estimator; it keeps no dask collection.
    """
    models = Models.of(estimator.classifier, geometry)
    _check_path(estimator, order, lag, geometry, models)
    X = _as_trials(estimator, X)
    y = np.asarray(y.compute() if is_dask(y) else y)
    if y.shape != X.shape[:1]:
        raise ValueError(f"X has {X.shape[0]} trials, but y has the shape {y.shape}.")
    be = get_backend(estimator.backend, np.empty(0))
    some = np.linspace(0, X.shape[0] - 1, min(X.shape[0], 2)).astype(int)
    _, _, is_table = read_trials(estimator, be, np.asarray(X[some]), y[some], reset=True)
    check_classification_targets(y)
    estimator._set_classes(y)
    settings = estimator._transformer_settings()
    steps = order, list(lag[1:]) if isinstance(lag, tuple) else lag
    seed = check_random_state(estimator.random_state).randint(2**31 - 1)
    covariance = AugmentedCovariance(*steps, **settings, random_state=seed)
    estimator.covariance_ = covariance.fit(X)
    estimator._level = covariance._level if is_table else None
    by_rule = isinstance(order, str) or isinstance(lag, str)
    rule = name_of(order, lag) if by_rule else "given"
    candidate = Candidate(covariance.order_, covariance.lag_, rule)
    estimator._set_choice(be, covariance.embedding_, models)
    estimator.candidates_ = [candidate]
    estimator.cv_results_, estimator.best_score_ = None, None
    expm = load_pyriemann("pyriemann.geometry.base").expm
    blocks, starts = as_row_blocks(X)
    total, count = map_reduce(blocks, starts, _log_sums, add, estimator)
    estimator.reference_ = expm(total / count)
    vectors = map_rows(X, _tangent_vectors, (estimator._n_features_out,), np.float64, estimator)
    estimator.model_ = clone(models.estimators[0]).fit(vectors.compute(), y)
    return estimator


def predict_row_blocks(estimator, X):
    """Lazy labels of a dask array of trials."""
    X = _as_trials(estimator, X)
    return map_rows(X, _labels, (), estimator.classes_.dtype, state=estimator)


def _check_path(estimator, order, lag, geometry, models):
    """Refuse what asks for more than one pass over the trials."""
    if {order, lag} & {"auto", "grid"}:
        raise ValueError(
            "Scores choose no order and lag on dask arrays: pass numbers, or rules such as"
            f" order='fnn' and lag='mi'. Got order={order!r}, lag={lag!r}."
        )
    if geometry.mean != "logeuclid":
        raise ValueError(
            "Only the log-Euclidean mean has a dask path: pass metric={'mean': 'logeuclid'}. Got"
            f" metric={estimator.metric!r}."
        )
    if models.of_matrices or len(models.estimators) > 1:
        raise ValueError(
            "On dask arrays classifier must be 'logistic' or a classifier of tangent vectors. Got"
            f" {estimator.classifier!r}."
        )


# What the tasks do ------------------------------------------------------------------------------


def _matrices_of(estimator, block, *, double):
    """Matrices of a block of trials; nothing warns."""
    be = get_backend(estimator.backend, block)
    X, is_table = read_trials(estimator, be, block, reset=False)
    level = estimator._level if is_table else None
    floor = check_flat(X, level, warn=False, name="a chunk of X")
    delays = tuple(estimator.embedding_.delays.tolist())
    transformer = getattr(estimator, "covariance_", estimator)
    return transformer._matrices(be, X, delays, floor, double=double)


def _matrices_as_given(block, state):
    """Matrices in the dtype of the block."""
    size = state.order_ * state.n_channels_in_
    if not len(block):
        return np.empty((0, size, size), dtype=float_dtype(block))
    return _matrices_of(state, block, double=False)


def _log_sums(block, start, state):
    """Sum of the logarithms of the matrices, and their number."""
    size = state.order_ * state.n_channels_in_
    if not len(block):
        return np.zeros((size, size)), 0
    matrices = _matrices_of(state, block, double=True)
    state._geometry.check(matrices)
    logm = load_pyriemann("pyriemann.geometry.base").logm
    return logm(matrices).sum(axis=0), len(block)


def _tangent_vectors(block, state):
    """Tangent vectors of a block of trials."""
    if not len(block):
        return np.empty((0, state._n_features_out))
    matrices = _matrices_of(state, block, double=True)
    return state._geometry.tangent(matrices, state.reference_)


def _labels(block, state):
    """Predicted labels of a block of trials."""
    if not len(block):
        return state.classes_[:0]
    if state._of_matrices:
        return state.model_.predict(_matrices_of(state, block, double=True))
    return state.model_.predict(_tangent_vectors(block, state))


def _variances(block, start, state):
    """Sum of the mean variances of rows that vary, and their number."""
    if not len(block):
        return 0.0, 0
    trials = block.reshape(len(block), state, -1).astype(np.float64)
    variance = trials.var(axis=2).mean(axis=1)
    return variance.sum(), int(np.sum(variance > 0))


# Small parts ------------------------------------------------------------------------------------


def _mean_level(estimator, X):
    """Mean variance of a sample of the trials that vary."""
    blocks, starts = as_row_blocks(X)
    total, count = map_reduce(blocks, starts, _variances, add, estimator.n_channels or 1)
    if not count:
        raise ValueError("All trials of X are flat: no channel varies.")
    return float(total / count)


def _as_trials(estimator, X):
    """A dask array of known length."""
    import dask.array as da

    refuse_engine(estimator)
    if not isinstance(X, da.Array):
        raise TypeError(
            f"X must be a dask array. Got a dask {type(X).__name__}: convert it first, or pass data"
            " in memory (compute())."
        )
    if X.ndim not in (2, 3):
        raise ValueError(f"X must have the shape (n_trials, n_channels, n_times). Got {X.shape}.")
    if np.isnan(X.shape[0]):
        X = X.persist()
        X.compute_chunk_sizes()
    return X
