"""Parameters and input of :class:`EBVClassifier`, checked."""

from math import prod
from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_array, column_or_1d, compute_class_weight
from sklearn.utils.validation import validate_data

from .._backend import get_backend, to_numpy
from .._sklearn import HasMethods, Interval, Options, StrOptions, _check_sample_weight
from ._ebv_bases import METHODS, Made, given_basis
from ._ebv_classes import check_kind, check_labels
from ._ebv_scores import chosen_dim

# Elements of a batch of cosines that "auto" holds at once, and the least number of classes.
_CELLS = 2**18
_LEAST = 1024
# Scores of samples by classes that are handed out at once.
_MOST = 2**31

_POSITIVE = Interval(Real, 0, None, closed="neither")
_NOT_NEGATIVE = Interval(Real, 0, None, closed="left")
_COUNT = Interval(Integral, 1, None, closed="left")

CONSTRAINTS: dict = {
    "backbone": [StrOptions({"mlp", "cnn"}), HasMethods("build"), callable],
    "dim": [_COUNT, StrOptions({"auto"})],
    "basis": [StrOptions(set(METHODS)), "array-like"],
    "alpha": [Interval(Real, 0, 1, closed="neither"), StrOptions({"auto"})],
    "temperature": [_POSITIVE],
    "loss": [StrOptions({"softmax", "cosine", "angular"})],
    "label_smoothing": [Interval(Real, 0, 1, closed="left")],
    "max_epochs": [_COUNT],
    "batch_size": [_COUNT, Options(Integral, {-1})],
    "optimizer": [StrOptions({"adamw", "sgd"}), callable],
    "lr": [_POSITIVE],
    "weight_decay": [_NOT_NEGATIVE],
    "momentum": [Interval(Real, 0, 1, closed="left")],
    "lr_schedule": [StrOptions({"cosine", "warmup_cosine"}), None],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [_COUNT],
    "tol": [_NOT_NEGATIVE],
    "class_weight": [StrOptions({"balanced"}), dict, None],
    "standardize": ["boolean"],
    "image_shape": ["array-like", None],
    "class_chunk": [_COUNT, StrOptions({"auto"})],
    "device": [str],
    "dtype": [StrOptions({"float32", "float64"})],
    "callbacks": [list, None],
    "warm_start": ["boolean"],
    "verbose": ["verbose"],
    "random_state": ["random_state"],
}


def read_samples(estimator, X, reset, y=None):
    """Samples as the estimator takes them, and labels.

    Parameters
    ----------
    estimator : EBVClassifier
        Its attribute `input_shape_` is set by `reset`, and else compared.
    X : array-like or sparse matrix
        Samples as passed.
    reset : bool
        Whether this is a fit.
    y : array-like, default=None
        Labels as passed, if there are any.

    Returns
    -------
    X : {ndarray, CSR matrix} of shape (n_samples, ...)
        Samples.
    y : ndarray of shape (n_samples,)
        Labels. Only if there are some.
    """
    # It refuses dask collections, and device memory without array-API dispatch.
    get_backend("auto", X)
    if hasattr(X, "__array_namespace__") or hasattr(X, "__dlpack__"):
        X = to_numpy(X)
    rules = {
        "accept_sparse": "csr",
        "dtype": [np.float64, np.float32],
        "allow_nd": not (isinstance(estimator.backbone, str) and estimator.backbone == "mlp"),
        "order": "C",
        "reset": reset,
    }
    if y is None and not reset:
        X = validate_data(estimator, X, **rules)
    else:
        X, y = validate_data(estimator, X, y, **rules)
        check_labels(y)
    check_sample_shape(estimator, X.shape[1:], reset)
    return X if y is None else (X, y)


def positive_samples(X, y, sample_weight):
    """Samples of positive weight.

    Parameters
    ----------
    X : {ndarray, CSR matrix} of shape (n_samples, ...)
        Samples.
    y : ndarray of shape (n_samples,)
        Labels.
    sample_weight : array-like of shape (n_samples,) or None
        Weights as passed.

    Returns
    -------
    X, y, weight : arrays
        Those with a positive weight, which stands for repetitions: others are not there.
    """
    rules = {"dtype": np.float64, "ensure_non_negative": True}
    weight = _check_sample_weight(sample_weight, X, **rules)
    used = weight > 0
    return (X, y, weight) if used.all() else (X[used], y[used], weight[used])


def check_sample_shape(estimator, shape, reset):
    """Set the shape of a sample in a fit, and else compare it with that of the fit.

    Parameters
    ----------
    estimator : EBVClassifier
        Its attribute `input_shape_` is set or compared.
    shape : tuple of int
        Shape of a sample as passed.
    reset : bool
        Whether this is a fit.
    """
    if estimator.image_shape is not None and len(shape) == 1:
        image = tuple(estimator.image_shape)
        if len(image) != 3 or not all(isinstance(n, Integral) and int(n) > 0 for n in image):
            raise ValueError(
                f"image_shape={estimator.image_shape!r} must be three numbers of 1 or more:"
                " channels, height and width."
            )
        image = tuple(map(int, image))
        if prod(image) != shape[0]:
            raise ValueError(
                f"image_shape={estimator.image_shape!r} has {prod(image)} pixels, but X has"
                f" {shape[0]} features."
            )
        shape = image
    if reset:
        estimator.input_shape_ = shape
    elif shape != estimator.input_shape_:
        raise ValueError(
            f"X has samples of shape {shape}, but {type(estimator).__name__} was fitted on samples"
            f" of shape {estimator.input_shape_}."
        )


def labels_to_come(labels, known, name):
    """Labels of classes of which there are no samples yet.

    Parameters
    ----------
    labels : array-like of shape (n_new,)
        Labels as passed.
    known : ndarray of shape (n_known,)
        Labels that there are.
    name : str
        What those are called.

    Returns
    -------
    labels : ndarray of shape (n_new,)
        Labels of the same kind.
    """
    if np.ndim(labels) != 1:
        raise ValueError(f"Labels of new classes must be a list of them. Got {labels!r}.")
    labels = column_or_1d(labels)
    if not labels.size:
        # Their type says nothing.
        return known[:0]
    labels = check_array(labels, ensure_2d=False, dtype=None, input_name="classes")
    check_labels(labels, "classes")
    check_kind(labels, known, name)
    return labels


def check_class_weight(class_weight, classes=None):
    """Refuse weights that are no weights, or of other classes.

    Parameters
    ----------
    class_weight : "balanced", dict or None
        The weights.
    classes : ndarray of shape (n_classes,), default=None
        All classes, if no others are to come.

    Raises
    ------
    ValueError
        If there is such a weight.
    """
    if not isinstance(class_weight, dict):
        return
    for label, value in class_weight.items():
        if not (isinstance(value, Real) and 0 <= float(value) < np.inf):
            raise ValueError(
                f"class_weight[{label!r}]={value!r} must be a finite number, not negative."
            )
    if classes is not None and (unknown := class_weight.keys() - set(classes.tolist())):
        raise ValueError(f"class_weight has labels that are no classes: {list(unknown)[:5]}.")


def class_factors(class_weight, y, weight):
    """Factor of each sample by the weight of its class.

    Parameters
    ----------
    class_weight : "balanced", dict or None
        The weights; of classes that are not in it, 1.
    y : ndarray of shape (n_samples,)
        Labels.
    weight : float64 ndarray of shape (n_samples,)
        Weights of samples, which count as repetitions.

    Returns
    -------
    factor : float64 ndarray of shape (n_samples,) or float
        The factors.
    """
    if class_weight is None:
        return 1.0
    present, codes = np.unique(y, return_inverse=True)
    if isinstance(class_weight, dict):
        factor = np.array([class_weight.get(k, 1.0) for k in present.tolist()], dtype=np.float64)
        if not factor.any():
            raise ValueError("class_weight leaves no sample with a positive weight.")
        return factor[codes]
    return compute_class_weight(class_weight, classes=present, y=y, sample_weight=weight)[codes]


def chosen_basis(estimator, n_classes):
    """Length of the vectors, and vectors or the name of a method.

    Parameters
    ----------
    estimator : EBVClassifier
        Has the parameters.
    n_classes : int
        Number of classes.

    Returns
    -------
    dim : int
        The length.
    basis : str or Made
        The vectors, or how to make them.
    """
    basis: str | Made
    if isinstance(estimator.basis, str):
        basis, dim = estimator.basis, chosen_dim(estimator.dim, n_classes)
    else:
        vectors = _as_vectors(estimator.basis)
        chosen = None if estimator.dim == "auto" else int(estimator.dim)
        made = given_basis(vectors, n_classes, chosen)
        basis, dim = made, made.basis.dim
    if dim < 2:
        # Scaled to unit length, a number is 1 or -1: there is nothing to learn it by.
        raise ValueError(f"dim={dim} must be at least 2: a direction cannot be learnt on a line.")
    return dim, basis


def _as_vectors(basis):
    """A matrix from the vectors that the user gives."""
    try:
        return check_array(basis, dtype=np.float64, input_name="basis")
    except (ValueError, TypeError) as error:
        raise ValueError(f"basis must hold a vector of numbers in each row. {error}") from error


def chosen_chunk(class_chunk, batch_size):
    """Classes whose cosines are held at once."""
    if class_chunk != "auto":
        return int(class_chunk)
    return max(_LEAST, _CELLS // batch_size)


def check_size(n_samples, n_classes, method):
    """Refuse a table of scores that would be too large."""
    if n_samples * n_classes > _MOST:
        raise ValueError(
            f"{method} of {n_samples} samples and {n_classes} classes has"
            f" {n_samples * n_classes:.2g} numbers. Pass fewer samples at a time, or use"
            " predict_topk."
        )
