"""Classes of training samples, of which those without weight are as if they were not there."""

import numpy as np


def weighted_classes(labels, weight):
    """Classes, their codes, and the samples that count.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
        Labels.
    weight : ndarray of shape (n_samples,)
        Weights, not negative.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        Labels of the samples with a weight.
    codes : integer ndarray of shape (n_used,)
        Their positions in `classes`.
    used : bool ndarray of shape (n_samples,)
        Which samples have a weight.

    Raises
    ------
    ValueError
        If there is one class only.
    """
    used = weight > 0
    classes, codes = np.unique(labels[used], return_inverse=True)
    if classes.size < 2:
        among = "" if used.all() else " among the samples with a weight"
        raise ValueError(
            f"The number of classes has to be greater than one{among}. Got 1 class:"
            f" {classes.tolist()[0]!r}."
        )
    return classes, codes, used
