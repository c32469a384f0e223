"""Quantum kernels and features of dask arrays, by an estimator that was fitted in memory.

Rows are independent: each block computes the states that it needs, and results stay lazy.
"""

import numpy as np
from sklearn.utils.validation import validate_data

from .._backend import get_backend
from ._blocks import broadcast, is_dask, map_rows
from ._estimators import answer, float_dtype, without
from ._sketched_regression import _as_array

# What blocks do not need: names, and what only users look at.
_HEAVY = ("feature_names_in_", "kernel_matrix_")


def transform_row_blocks(estimator, X):
    """Lazy features of a dask array.

    Parameters
    ----------
    estimator : QuantumFeatureMap
        The fitted transformer.
    X : dask array or data frame of shape (n_samples, n_features)
        Data.

    Returns
    -------
    features : dask array of shape (n_samples, n_features_out)
        The features.
    """
    X = _as_table(estimator, X, "transform")
    trailing, dtype = (estimator._n_features_out,), float_dtype(X)
    state = (without(estimator, _HEAVY), "transform", trailing, dtype)
    return map_rows(X, answer, trailing, dtype, state)


def ask_row_blocks(estimator, X, method):
    """Lazy labels or decision values of a dask array.

    Parameters
    ----------
    estimator : QuantumKernelSVC
        The fitted classifier.
    X : dask array or data frame of shape (n_samples, n_features)
        Data.
    method : {"predict", "decision_function"}
        What is asked for.

    Returns
    -------
    answer : dask array of shape (n_samples,) or (n_samples, n_functions)
        The answers.

    Raises
    ------
    ValueError
        If the kernel is measured with shots.
    """
    # Each block would begin with the same draws, which are to be independent.
    if estimator._test_shots is not None:
        raise ValueError(
            f"{method} of a dask array has no draws for shots={estimator._test_shots}: pass data in"
            " memory (compute()), or fit with shots=None."
        )
    X = _as_table(estimator, X, method)
    trailing: tuple = ()
    dtype = estimator.classes_.dtype
    if method == "decision_function":
        dtype = float_dtype(X)
        n_classes = estimator.classes_.size
        if n_classes > 2:
            ovo = estimator._machine.solver.decision_function_shape == "ovo"
            trailing = (n_classes * (n_classes - 1) // 2 if ovo else n_classes,)
    state = (without(estimator, _HEAVY), method, trailing, dtype)
    return map_rows(X, answer, trailing, dtype, state)


def kernel_row_blocks(estimator, X, Z):
    """Lazy rows of a kernel matrix.

    Parameters
    ----------
    estimator : QuantumKernelSVC
        The fitted classifier.
    X : dask array or data frame of shape (n, n_features)
        Data.
    Z : array-like, dask array or data frame of shape (m, n_features), or None
        Data; None takes X.

    Returns
    -------
    K : dask array of shape (n, m)
        The kernel, in blocks of whole rows. Without Z it has exactly 1 on the diagonal, and
        fidelities are exactly symmetric.
    """
    import dask.array as da
    from dask import delayed

    X = _as_table(estimator, X, "kernel_matrix").rechunk({1: -1})
    if Z is None or is_dask(Z):
        columns = X if Z is None else _as_table(estimator, Z).rechunk({1: -1})
        size = columns.shape[0]
        gather = delayed(list if Z is None else _stacked, pure=False)
        others = gather(columns.to_delayed(optimize_graph=False).ravel().tolist())
    else:
        be = get_backend("auto", np.empty(0))
        Z = validate_data(estimator, Z, reset=False, dtype=be.float_dtypes, order="C")
        size, others = Z.shape[0], broadcast([Z])
    dtype = float_dtype(X)
    return da.map_blocks(
        _kernel_rows,
        X,
        others=others,
        estimator=broadcast(without(estimator, _HEAVY)),
        symmetric=Z is None,
        as_dtype=dtype,
        chunks=(X.chunks[0], (size,)),
        dtype=dtype,
        meta=np.empty((0, 0), dtype=dtype),
    )


# What the tasks do ------------------------------------------------------------------------------


def _kernel_rows(X, others, estimator, symmetric, as_dtype, block_id):
    """Rows of a kernel matrix: a block of samples and, one after the other, some others.

    Where they are the blocks of the same data, each pair of blocks is computed the same way round
    in both of its places.
    """
    own, parts = block_id[0], []
    for i, other in enumerate(others):
        if not (len(X) and len(other)):
            part = np.empty((len(X), len(other)), dtype=as_dtype)
        elif symmetric and i == own:
            part = estimator.kernel_matrix(X)
        elif symmetric and i < own:
            part = estimator.kernel_matrix(other, X).T
        else:
            part = estimator.kernel_matrix(X, other)
        parts.append(part)
    return np.concatenate(parts, axis=1)


def _stacked(blocks):
    """All blocks as one."""
    return [np.concatenate(blocks)]


# Small parts ------------------------------------------------------------------------------------


def _as_table(estimator, X, method=None):
    """A dask array with the features that the estimator was fitted to; nothing is computed.

    With the name of a method, data in memory must have been fitted to that lie where blocks do.
    """
    if method is not None:
        host = get_backend("auto", np.empty(0))
        attribute = "_place" if method == "transform" else "support_vectors_"
        host.check_home(estimator, attribute, method)
    array = _as_array(X, counted=False)
    frame = X._meta if hasattr(X, "to_dask_array") else np.empty((0, array.shape[1]))
    validate_data(estimator, frame, reset=False, skip_check_array=True)
    return array
