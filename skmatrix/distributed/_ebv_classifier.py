"""EBVClassifier on dask arrays cut along the samples.

Only labels and weights come into memory as a whole. A fit reads the blocks once for the scaling,
and once for each epoch, in random order; what it does is the fit in memory. Queries are lazy, block
by block.
"""

import copy
from types import SimpleNamespace

import numpy as np
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.validation import validate_data

from ..neural_network._ebv_classes import check_labels
from ..neural_network._ebv_classifier_parameters import check_sample_shape
from ..neural_network._ebv_fit import precision_of
from ..neural_network._torch_support import chosen_device
from ._blocks import is_dask, map_rows
from ._neural_rows import BlockRows
from ._sketched_regression import _as_array, _counted
from ._torch_threads import one_torch_thread

# What blocks do not need of an estimator.
_HEAVY = ("history_", "feature_names_in_", "callbacks", "_skl_callbacks")


def read_row_blocks(estimator, X, reset, y):
    """Samples of a dask array, and their labels in memory.

    Parameters
    ----------
    estimator : EBVClassifier
        Its attributes about input are set by `reset`, and else compared.
    X : dask array of shape (n_samples, ...) or data frame
        Samples.
    reset : bool
        Whether this begins a fit.
    y : array-like or dask array of shape (n_samples,)
        Labels.

    Returns
    -------
    rows : BlockRows
        The samples, still where they are.
    y : ndarray of shape (n_samples,)
        Labels.
    """
    array = _counted(_as_samples(estimator, X, reset))
    if y is None:
        name = type(estimator).__name__
        raise ValueError(f"{name} requires y to be passed, but the target y is None.")
    y = column_or_1d(y.compute() if is_dask(y) else y, warn=True)
    y = check_array(y, ensure_2d=False, dtype=None, input_name="y", ensure_min_samples=0)
    check_consistent_length(array, y)
    if not y.size:
        raise ValueError(
            f"Found array with 0 sample(s) (shape={array.shape}) while a minimum of 1 is required"
            f" by {type(estimator).__name__}."
        )
    check_labels(y)
    return BlockRows.of(array, type(estimator).__name__), y


def ask_row_blocks(estimator, X, method, **arguments):
    """Lazy result of a method for each sample of a dask array.

    Parameters
    ----------
    estimator : EBVClassifier
        The fitted classifier.
    X : dask array of shape (n_samples, ...) or data frame
        Samples.
    method : str
        What is asked for.
    **arguments : dict
        Further arguments of the method.

    Returns
    -------
    answer : dask array of shape (n_samples, ...), or tuple of them
        The answers.
    """
    array = _as_samples(estimator, X, False)
    trailing, dtype = _answer_type(estimator, method, **arguments)
    state = (_light(estimator), method, arguments, trailing, dtype)
    found = map_rows(array, _answer, trailing, dtype, state)
    return found if dtype.names is None else tuple(found[name] for name in dtype.names)


def _answer_type(estimator, method, k=None):
    """Shape of the answer for a sample, and its type; with fields, there is an answer for each."""
    labels, own = estimator.classes_.dtype, np.dtype(precision_of(estimator))
    n_classes = estimator.classes_.size
    types = {
        "predict": ((), labels),
        "similarity": ((), own),
        "transform": ((estimator.dim_,), own),
        "decision_function": (() if n_classes == 2 else (n_classes,), own),
        "predict_proba": ((n_classes,), np.dtype(np.float64)),
        "predict_log_proba": ((n_classes,), np.dtype(np.float64)),
        "predict_topk": ((k,), np.dtype([("labels", labels), ("cosines", own)])),
    }
    return types[method]


def _as_samples(estimator, X, reset):
    """A dask array whose samples have the shape that they should; nothing is computed."""
    import dask.array as da

    array = X if isinstance(X, da.Array) and X.ndim > 2 else _as_array(X, counted=False)
    name = type(estimator).__name__
    if array.ndim > 2 and isinstance(estimator.backbone, str) and estimator.backbone == "mlp":
        raise ValueError(
            f"Found array with dim {array.ndim}, while {name} with backbone='mlp' expects 2."
        )
    frame = X._meta if hasattr(X, "to_dask_array") else np.empty((0, *array.shape[1:]))
    validate_data(estimator, frame, reset=reset, skip_check_array=True)
    check_sample_shape(estimator, array.shape[1:], reset)
    return array


def _light(estimator):
    """The estimator as blocks need it: its network alone, which later training does not change."""
    light = copy.copy(estimator)
    for name in _HEAVY:
        vars(light).pop(name, None)
    light.net_ = SimpleNamespace(module_=copy.deepcopy(estimator.module_).cpu(), device="cpu")
    return light


def _answer(X, state):
    """What a method says of a block."""
    estimator, method, arguments, trailing, dtype = state
    if not X.shape[0]:
        return np.empty((0, *trailing), dtype=dtype)
    device = chosen_device(estimator.device)
    # Tasks that share the network move it to the same place.
    estimator.net_ = SimpleNamespace(module_=estimator.net_.module_.to(device), device=device)
    with one_torch_thread:
        answer = getattr(estimator, method)(X, **arguments)
    if dtype.names is None:
        # A data frame, if scikit-learn is set to give those.
        return np.asarray(answer)
    fields = np.empty((X.shape[0], *trailing), dtype=dtype)
    for name, values in zip(dtype.names, answer, strict=True):
        fields[name] = values
    return fields
