"""Samples kept apart to judge a fit by, and the scaling of features."""

import numpy as np
import scipy.sparse as sp

# Spread, relative to the largest value, up to which a feature is constant but for rounding.
_CONSTANT = 10 * np.finfo(np.float64).eps


def held_out_rows(codes, fraction, rng):
    """Split samples, so that each class has its share where there are enough of them.

    Parameters
    ----------
    codes : integer ndarray of shape (n_samples,)
        Classes.
    fraction : float
        Share that is kept apart.
    rng : RandomState
        Source of the choice.

    Returns
    -------
    training, validation : int64 ndarray
        Indices of samples. Classes with one sample are trained on.

    Raises
    ------
    ValueError
        If there are too few samples.
    """
    # Slow to import.
    from sklearn.model_selection import train_test_split

    rows = np.arange(codes.size)
    if codes.size < 2:
        raise ValueError("early_stopping=True needs at least 2 samples. Got 1.")
    counts = np.bincount(codes)
    single = counts[codes] == 1
    shared = rows[~single]
    n_classes = np.count_nonzero(counts > 1)
    n_held = int(np.ceil(fraction * shared.size))
    if shared.size and min(n_held, shared.size - n_held) >= n_classes:
        kept, held = train_test_split(
            shared, test_size=fraction, stratify=codes[shared], random_state=rng
        )
        return np.sort(np.concatenate([rows[single], kept])), np.sort(held)
    kept, held = train_test_split(rows, test_size=fraction, random_state=rng)
    return np.sort(kept), np.sort(held)


def weighted_scaling(X, weight):
    """Weighted means and standard deviations of features.

    Parameters
    ----------
    X : {float ndarray, CSR matrix} of shape (n_samples, n_features)
        The samples.
    weight : float64 ndarray of shape (n_samples,)
        Their weights, positive.

    Returns
    -------
    mean, scale : float64 ndarray of shape (n_features,)
        Means, of which sparse X has zeros so that its zeros stay; and deviations, 1 for constant
        features.
    """
    share = weight / weight.sum()
    if sp.issparse(X):
        largest = _largest(abs(X).max(axis=0).toarray().ravel())
        # Divided first, because squares of large numbers overflow.
        Z = (X @ sp.diags_array(1 / largest)).tocsr()
        centre = share @ Z
        spread = share @ Z.multiply(Z) - centre**2
        scale = np.sqrt(np.maximum(spread, 0))
        mean = np.zeros_like(centre)
    else:
        largest = _largest(np.abs(X).max(axis=0))
        Z = X / largest
        centre = share @ Z
        scale = np.sqrt(share @ (Z - centre) ** 2)
        mean = centre * largest
    return mean, np.where(scale > _CONSTANT, scale * largest, 1.0)


def _largest(values):
    """Largest absolute values in double precision, 1 where all are zero."""
    values = values.astype(np.float64)
    return np.where(values > 0, values, 1.0)
