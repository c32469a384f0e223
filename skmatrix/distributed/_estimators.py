"""What the dask paths of several estimators share."""

import copy

import numpy as np


def refuse_engine(estimator):
    """Raise if an estimator's engine is none of the host: blocks are computed on processors."""
    if estimator.backend not in ("auto", "numpy", "numba"):
        raise ValueError(
            f"backend={estimator.backend!r} has no dask path: it must be 'auto', 'numpy' or"
            " 'numba'."
        )


def float_dtype(X):
    """The dtype that X has after validation."""
    return np.dtype(X.dtype if X.dtype in (np.float32, np.float64) else np.float64)


def without(estimator, names):
    """A copy without some attributes, light enough to send."""
    light = copy.copy(estimator)
    for name in names:
        vars(light).pop(name, None)
    return light


def add(left, right):
    """Sums of two neighbouring runs of blocks."""
    if isinstance(left, tuple):
        return tuple(a + b for a, b in zip(left, right, strict=True))
    return left + right


def answer(X, state):
    """What a method of an estimator says of a block."""
    estimator, method, trailing, dtype = state
    if not len(X):
        return np.empty((0, *trailing), dtype=dtype)
    # A data frame, if scikit-learn is set to give those.
    return np.asarray(getattr(estimator, method)(X))
