"""From matrices to partitions."""

import numpy as np
from scipy.linalg import qr

# Passes of Lloyd's algorithm at most, and numbers in a block of its distances.
_PASSES = 300
_BLOCK = 2**20


def spectral_labels(factor, n_groups):
    """Partition by the leading left singular vectors of a factor.

    Rows that pivots pick out are as different from each other as can be: one of each group where
    the matrix is that of a partition. Lloyd's algorithm starts there, and no chance is in it.

    Parameters
    ----------
    factor : float64 ndarray of shape (B, n, r)
        U, with ``Z = sum_k U_k U_k^T``.
    n_groups : int
        Number of groups.

    Returns
    -------
    labels : int64 ndarray of shape (n,)
        Groups.
    """
    n_blocks, n, r = factor.shape
    columns = factor.transpose(1, 0, 2).reshape(n, n_blocks * r)
    vectors = np.linalg.svd(columns, full_matrices=False)[0][:, :n_groups]
    picked = qr(vectors.T, mode="r", pivoting=True, check_finite=False)[1][:n_groups]
    return lloyd(vectors, vectors[picked])[0]


def lloyd(X, centers):
    """Let points go to their nearest centre, and centres to the mean of theirs, until none moves.

    Parameters
    ----------
    X : float64 ndarray of shape (n, p)
        Points.
    centers : float64 ndarray of shape (K, p)
        Centres to start from.

    Returns
    -------
    labels : int64 ndarray of shape (n,)
        Groups. A group that loses its last point takes the point farthest from its centre.
    centers : float64 ndarray of shape (K, p)
        Their means.
    """
    n_groups = centers.shape[0]
    labels = np.full(X.shape[0], -1, dtype=np.int64)
    for _ in range(_PASSES):
        before = labels
        labels = _nearest(X, centers)
        _refill(X, labels, centers)
        if np.array_equal(labels, before):
            break
        centers = means_of(X, labels, n_groups)
    return labels, centers


def _nearest(X, centers):
    """Nearest centre of each point, block by block."""
    squares = np.sum(centers * centers, axis=1)
    labels = np.empty(X.shape[0], dtype=np.int64)
    step = max(1, _BLOCK // centers.shape[0])
    for begin in range(0, X.shape[0], step):
        rows = slice(begin, begin + step)
        labels[rows] = np.argmin(squares - 2 * (X[rows] @ centers.T), axis=1)
    return labels


def _refill(X, labels, centers):
    """Give each empty group the point that is farthest from its centre, in place."""
    counts = np.bincount(labels, minlength=centers.shape[0])
    for k in np.flatnonzero(counts == 0):
        gaps = np.sum((X - centers[labels]) ** 2, axis=1)
        gaps[counts[labels] == 1] = -1.0
        place = int(np.argmax(gaps))
        counts[labels[place]] -= 1
        labels[place], counts[k] = k, 1


def means_of(X, labels, n_groups):
    """Means of the groups of a partition, zero for an empty one."""
    counts = np.bincount(labels, minlength=n_groups)
    sums = np.stack([np.bincount(labels, x, minlength=n_groups) for x in X.T], axis=1)
    return sums / np.maximum(counts, 1)[:, None]


def group_memberships(factor, labels, n_groups):
    """Row sums of ``Z = sum_k U_k U_k^T`` over the groups of a partition: (n, K)."""
    inside = np.eye(n_groups)[labels]
    sums = np.matmul(factor, np.matmul(factor.transpose(0, 2, 1), inside)).sum(axis=0)
    return np.maximum(sums, 0.0)
