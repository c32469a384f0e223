"""Small clustering problems, and slow plain references."""

from itertools import product

import numpy as np


def blobs(n, n_groups, p, distance, seed=0):
    """Spherical groups whose means are this far from each other, and the truth."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % n_groups
    means = np.eye(n_groups, p) * distance / np.sqrt(2)
    return means[truth] + rng.standard_normal((n, p)), truth


def ellipsoids(n, n_groups, p, distance, seed=0, spread=1.5):
    """Groups with random covariances on means along the axes, and the truth."""
    rng = np.random.default_rng(seed)
    truth = np.sort(np.arange(n) % n_groups)
    means = np.eye(n_groups, p) * distance
    X = np.empty((n, p))
    for k in range(n_groups):
        inside = truth == k
        axes = np.linalg.qr(rng.standard_normal((p, p)))[0]
        scale = np.exp(rng.uniform(-spread, spread, p) / 2)
        X[inside] = means[k] + rng.standard_normal((inside.sum(), p)) * scale @ axes.T
    return X, truth


def cigars(seed=0, n_each=100):
    """Three parallel long groups, and the truth."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(3), n_each)
    n = truth.size
    return np.column_stack(
        [8 * rng.standard_normal(n), truth + 0.25 * rng.standard_normal(n)]
    ), truth


def partitions(n, n_groups):
    """All partitions of n points into as many groups, none empty, each once."""
    for tail in product(range(n_groups), repeat=n - 1):
        labels = np.array((0, *tail))
        first = [int(np.argmax(labels == k)) for k in range(n_groups)]
        if np.unique(labels).size == n_groups and first == sorted(first):
            yield labels


def inertia(X, labels):
    """Sum of squared distances to the means of groups."""
    return sum(np.sum((X[labels == k] - X[labels == k].mean(0)) ** 2) for k in np.unique(labels))


def indicator(labels):
    """The matrices ``1 1^T / n_k`` of a partition: (K, n, n)."""
    inside = labels[None, :] == np.unique(labels)[:, None]
    return inside[:, :, None] * inside[:, None, :] / inside.sum(axis=1)[:, None, None]


def dense_likelihood(X, covariances, ridge=0.0):
    """The matrices A_k of equation (1), from distances between pairs of points."""
    gaps = X[:, None, :] - X[None, :, :]
    found = []
    for covariance in covariances:
        precision = np.linalg.inv(covariance)
        distances = np.einsum("ijp,pq,ijq->ij", gaps, precision, gaps)
        volume = np.linalg.slogdet(covariance)[1] + ridge * np.trace(precision)
        found.append(-(volume + distances / 2))
    return np.stack(found)
