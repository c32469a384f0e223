"""Starts of the likelihood-adjusted iteration, and what is made of their outcomes."""

import numpy as np

from ._sdp_kmeans_fit import cluster
from ._sdp_rounding import lloyd, means_of

INITS = ("auto", "peng-wei", "kmeans", "ward", "random")
# Most points that Ward's method is given: its time and memory grow with their square.
_WARD = 2000
# Relative difference of log-likelihoods that is none.
_EQUAL = 1e-9


def named_starts(init, n_init):
    """Names of the starts of a fit."""
    if init == "auto":
        return ["peng-wei"] + ["random"] * (n_init - 1)
    if init == "ward":
        return ["ward"]  # there is no chance in it
    return [init] * n_init


def starting_labels(name, data, tolerance, rng):
    """Partition to start from.

    Parameters
    ----------
    name : {"peng-wei", "kmeans", "ward", "random"}
        Where it comes from.
    data : Data
        What is clustered.
    tolerance : Tolerance
        Tolerance of the solver of the K-means program.
    rng : RandomState
        Source of chance.

    Returns
    -------
    labels : int64 ndarray of shape (n,)
        Groups, none of them empty.
    """
    X, n_groups = data.X, data.n_groups
    if name == "peng-wei":
        found = cluster(
            data.be,
            X,
            n_groups,
            solver="nlr",
            rank=None,
            tolerance=tolerance,
            rng=rng,
        )
        return found.labels
    if name == "kmeans":
        from sklearn.cluster import KMeans

        return KMeans(n_groups, n_init=1, random_state=rng).fit(X).labels_.astype(np.int64)
    if name == "ward":
        return _ward(X, n_groups, rng)
    return rng.permutation(X.shape[0]) % n_groups


def _ward(X, n_groups, rng):
    """Ward's hierarchy of some points; the others follow the nearest mean."""
    from sklearn.cluster import AgglomerativeClustering

    n = X.shape[0]
    chosen = np.arange(n) if n <= _WARD else np.sort(rng.choice(n, _WARD, replace=False))
    labels = AgglomerativeClustering(n_groups).fit_predict(X[chosen])
    if n <= _WARD:
        return labels.astype(np.int64)
    return lloyd(X, means_of(X[chosen], labels, n_groups))[0]


def best_of(outcomes):
    """Position of the start that is kept: the likeliest one without a collapsed group.

    Parameters
    ----------
    outcomes : list of Outcome or None
        What the starts have found; None for one that has failed.

    Returns
    -------
    best : int or None
        Position; None if all have failed.
    """
    found = [i for i, outcome in enumerate(outcomes) if outcome is not None]
    if not found:
        return None
    sound = [i for i in found if not outcomes[i].degenerate] or found
    highest = max(outcomes[i].log_likelihood for i in sound)
    # Of starts with one partition the first, whose numbers for the groups do not hang on rounding.
    least = highest - _EQUAL * (1 + abs(highest))
    return next(i for i in sound if outcomes[i].log_likelihood >= least)


def results_of(names, outcomes, best):
    """Table of the starts: name, likelihood, agreement with the best, iterations, discarded."""
    from sklearn.metrics import adjusted_rand_score

    labels = outcomes[best].labels
    return {
        "init": list(names),
        "log_likelihood": np.array([-np.inf if o is None else o.log_likelihood for o in outcomes]),
        "ari": np.array(
            [np.nan if o is None else adjusted_rand_score(labels, o.labels) for o in outcomes]
        ),
        "n_iter": np.array([0 if o is None else o.n_iter for o in outcomes]),
        "discarded": np.array([o is None or o.degenerate for o in outcomes]),
    }
