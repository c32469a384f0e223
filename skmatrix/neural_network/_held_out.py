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
        Indices of samples. Of each class there is one that is trained on.

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
        kept = np.concatenate([rows[single], kept])
    else:
        held, kept = np.split(rng.permutation(rows), [int(np.ceil(fraction * rows.size))])
    classes, first = np.unique(codes[held], return_index=True)
    first = first[~np.isin(classes, codes[kept])]
    kept, held = np.append(kept, held[first]), np.delete(held, first)
    if not held.size:
        raise ValueError(
            "early_stopping=True needs a class with at least 2 samples, of which one can be kept"
            " apart."
        )
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
        Means, of which sparse X has zeros so that its zeros stay; and deviations, of constant
        features 1, or their absolute value if that is larger.
    """
    return scaling_of(weighted_moments(X, weight), sp.issparse(X))


def weighted_moments(X, weight):
    """Weighted means and standard deviations of features, and what tells which are constant.

    Parameters
    ----------
    X, weight : arrays
        As for :func:`weighted_scaling`.

    Returns
    -------
    total : float
        Sum of the weights.
    mean, deviation, largest : float64 ndarray of shape (n_features,)
        Means, deviations, and largest absolute values.
    """
    total = weight.sum()
    share = weight / total
    if sp.issparse(X):
        if not X.has_canonical_format:
            # What follows would add up repeated entries in place.
            X = X.copy()
            X.sum_duplicates()
        largest = abs(X).max(axis=0).toarray().ravel().astype(np.float64)
        unit = np.where(largest > 0, largest, 1.0)
        # Divided first, because squares of large numbers overflow.
        Z = (X @ sp.diags_array(1 / unit)).tocsr()
        centre = share @ Z
        deviation = np.sqrt(_sparse_spread(Z, share, centre))
    else:
        largest = np.abs(X).max(axis=0).astype(np.float64)
        unit = np.where(largest > 0, largest, 1.0)
        Z = X / unit
        centre = share @ Z
        deviation = np.sqrt(share @ (Z - centre) ** 2)
    return float(total), centre * unit, deviation * unit, largest


def scaling_of(moments, sparse):
    """Centres and scales of features from their moments.

    Parameters
    ----------
    moments : tuple
        As returned by :func:`weighted_moments`.
    sparse : bool
        Whether zeros are to stay.

    Returns
    -------
    mean, scale : float64 ndarray of shape (n_features,)
        As returned by :func:`weighted_scaling`.
    """
    _, mean, deviation, largest = moments
    # What rounding leaves of a large constant must not count either.
    scale = np.where(deviation > _CONSTANT * largest, deviation, np.maximum(largest, 1.0))
    return np.zeros_like(mean) if sparse else mean, scale


def scaled(X, mean, scale):
    """Centred and scaled features; sparse ones have no centre."""
    if sp.issparse(X):
        return (X @ sp.diags_array(1 / scale)).tocsr()
    return (X - mean) / scale


def _sparse_spread(Z, share, centre):
    """Weighted mean squared differences from the centres.

    Not the mean square without the square of the mean: what rounding leaves of a constant feature
    would be taken for its spread.
    """
    Z = Z.astype(np.float64)
    Z.sum_duplicates()
    stored = Z.copy()
    stored.data[:] = 1.0
    full = np.bincount(Z.indices, minlength=Z.shape[1]) == len(share)
    # Of what is not stored all differences are the centre.
    missing = np.where(full, 0.0, np.maximum(1 - share @ stored, 0))
    Z.data = (Z.data - centre[Z.indices]) ** 2
    return share @ Z + missing * centre**2
