"""Vectors of classes that are enrolled: means of embeddings, which may be near to others."""

import numpy as np

from .._iterate import warn_caller
from ._ebv_bases import SAME
from ._ebv_scores import CHUNK
from ._unit_vectors import largest_cosine, unit_rows

# Length of a mean of unit vectors that may be rounding, in units of their precision.
_ROUNDING = 16
# Cosine from which two classes get mixed up: samples are further than that from their own vector.
_NEAR = 0.95


def mean_directions(Z, codes, labels):
    """Directions of the means of embeddings.

    Parameters
    ----------
    Z : float ndarray of shape (n_samples, dim)
        Unit vectors, or zeros.
    codes : int64 ndarray of shape (n_samples,)
        Places of their labels.
    labels : ndarray of shape (n_labels,)
        The labels.

    Returns
    -------
    vectors : float64 ndarray of shape (n_labels, dim)
        Unit vectors.

    Raises
    ------
    ValueError
        If a mean is zero but for rounding.
    """
    total = np.zeros((labels.size, Z.shape[1]))
    np.add.at(total, codes, Z.astype(np.float64))
    length = np.linalg.norm(total, axis=1) / np.bincount(codes)
    if length.min() <= _ROUNDING * np.finfo(Z.dtype).eps:
        raise ValueError(f"The embeddings of {labels[np.argmin(length)]} add up to zero.")
    return unit_rows(total)[0]


def enrolled_coherence(table, labels, vectors):
    """Largest absolute cosine of vectors to enroll: with each other, and with those in use.

    Parameters
    ----------
    table : ClassTable
        The classes that there are.
    labels : ndarray of shape (n_new,)
        Labels to enroll.
    vectors : float64 ndarray of shape (n_new, dim)
        Their unit vectors.

    Returns
    -------
    coherence : float
        The cosine.

    Raises
    ------
    ValueError
        If two classes would have the same vector.
    """
    known = table.classes[np.argsort(table.positions)]
    largest = largest_cosine(vectors).value
    value, first, second = largest_cosine(vectors, signed=True)
    pair = value, labels[first], labels[second]
    for begin in range(0, known.size, CHUNK):
        others = table.targets.rows(begin, min(begin + CHUNK, known.size))
        largest = max(largest, largest_cosine(vectors, others).value)
        value, first, second = largest_cosine(vectors, others, signed=True)
        if value > pair[0]:
            pair = value, labels[first], known[begin + second]
    value, new, other = pair
    if value > SAME:
        raise ValueError(f"{new} and {other} have the same vector: they cannot be told apart.")
    if value > _NEAR:
        warn_caller(
            f"The vector of {new} has cosine {value:.6f} with that of {other}: samples of one will"
            " be taken for the other. Train with them, or give them one label.",
            UserWarning,
        )
    return largest
