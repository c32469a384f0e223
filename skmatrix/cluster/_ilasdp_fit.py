"""All starts of a fit, the choice of the number of groups, and the certificate.

Equations are numbered as in the Notes of ``ILASDPClustering``.
"""

from dataclasses import dataclass

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel, delayed

from .._backend import to_numpy
from .._iterate import tasks
from .._threads import single_threaded_blas
from ._gaussian_groups import Gaussians, criteria, indicator_factor
from ._ilasdp_run import Outcome, Run
from ._ilasdp_starts import best_of, results_of, starting_labels
from ._sdp_dense import dense_objective, solve_dense
from ._sdp_kmeans_fit import CERTIFIED, SMALL, certificate, summary

# Passes over all points after a sample has been clustered.
PASSES = 3
# Steps of the search for a bound.
_BOUND_STEPS = 5000


@dataclass
class Fit:
    """What has been fitted for one number of groups.

    Attributes
    ----------
    data : Data
        The points that were clustered.
    outcome : Outcome
        The start that is kept.
    results : dict
        Table of all starts.
    criteria : dict
        BIC, ICL and AIC.
    smallest : int
        Size below which a group counts as collapsed.
    """

    data: object
    outcome: object
    results: dict
    criteria: dict
    smallest: int


def fit_all(estimator, X, setup):
    """Fit each number of groups, and keep the one of the least criterion.

    Parameters
    ----------
    estimator : ILASDPClustering
        Told to callbacks.
    X : array of shape (n, p)
        Validated data, passed to callbacks.
    setup : Setup
        Parameters and data.

    Returns
    -------
    fit : Fit
        What is kept.
    path : float64 ndarray of shape (max_clusters,) or None
        Criterion of each number, infinite where none would do; None if there is but one.

    Raises
    ------
    ValueError
        If all covariances are singular.
    """
    found = _fit_candidates(estimator, X, setup)
    kept = [fit for fit in found if fit is not None]
    if not kept:
        raise ValueError(
            f"The covariance of a group is singular in every start, with"
            f" reg_covar={estimator.reg_covar:g}. Raise reg_covar, or use another covariance_type."
        )
    if len(setup.candidates) == 1 and estimator.n_clusters != "auto":
        return kept[0], None

    def value(fit):
        """Criterion, infinite for what has collapsed."""
        if fit is None or fit.outcome.degenerate:
            return np.inf
        return fit.criteria[estimator.criterion]

    path = np.full(estimator.max_clusters, np.inf)
    path[: len(found)] = [value(fit) for fit in found]
    return min(kept, key=value), path


def _fit_candidates(estimator, X, setup):
    """A fit for each number of groups, None where all starts fail."""
    width = min(effective_n_jobs(estimator.n_jobs), len(setup.names))
    plan = [
        (n_groups, starts)
        for n_groups in setup.candidates
        for starts in _grouped_starts(setup, n_groups, width)
    ]
    found: list = []
    outcomes: list = []
    names: list = []
    data = None

    def close():
        """Keep the best start of a number of groups."""
        best = best_of(outcomes)
        results = None if best is None else results_of(names, outcomes, best)
        found.append(None if best is None else _kept(data, setup, outcomes[best], results))

    with single_threaded_blas:
        for n_groups, starts in tasks(estimator, X, None, plan, "start"):
            if data is None or data.n_groups != n_groups:
                if data is not None:
                    close()
                data, outcomes, names = setup.points(n_groups), [], []
            names += [name for name, _ in starts]
            outcomes += Parallel(n_jobs=width, prefer="threads")(
                delayed(_run)(data, setup, name, seed) for name, seed in starts
            )
            if estimator.verbose:
                _report(estimator, n_groups, outcomes, starts)
    close()
    return found


def _grouped_starts(setup, n_groups, width):
    """Names and seeds of the starts for a number of groups, `width` of them at once."""
    if setup.is_trivial(n_groups):
        return [[("closed form", 0)]]
    seeds = setup.rng.randint(np.iinfo(np.int32).max, size=len(setup.names))
    starts = list(zip(setup.names, seeds, strict=True))
    return [starts[i : i + width] for i in range(0, len(starts), width)]


def _trivial(data, setup):
    """One group of all points, or one of each."""
    n = data.X.shape[0]
    labels = np.zeros(n, dtype=np.int64) if data.n_groups == 1 else np.arange(n)
    factor = indicator_factor(labels, data.n_groups)
    row_sums, means, scatters = data.moments(factor)
    groups = Gaussians.of_moments(data.structure, row_sums, means, scatters)
    return Outcome(
        labels=labels,
        groups=groups,
        log_likelihood=groups.log_likelihood(row_sums, scatters),
        memberships=np.eye(data.n_groups)[labels],
        factor=factor.sum(axis=0, keepdims=True) if data.n_blocks == 1 else factor,
        history=[groups.objective(row_sums, scatters)],
        n_iter=1,
        converged=True,
        feasibility=0.0,
        feasible=True,
        degenerate=data.n_groups > 1 and setup.settings.min_cluster_size > 1,
    )


def _kept(data, setup, outcome, results):
    """A fit with its criteria."""
    scores = criteria(data.structure, outcome.groups.log_joint(data.be, data.X), data.X.shape[1])
    return Fit(data, outcome, results, scores, setup.settings.min_cluster_size)


def _report(estimator, n_groups, outcomes, starts):
    """Print a line about each of the last starts."""
    several = f"n_clusters={n_groups}, " if estimator.n_clusters == "auto" else ""
    first = len(outcomes) - len(starts)
    for k, (outcome, (name, _)) in enumerate(zip(outcomes[first:], starts, strict=True)):
        text = "failed"
        if outcome is not None:
            text = f"log_likelihood={outcome.log_likelihood:.6g}, iterations={outcome.n_iter}"
        print(f"[{type(estimator).__name__}] {several}start {first + k + 1} from {name}: {text}")


def _run(data, setup, name, seed):
    """One start; None if its covariances are singular."""
    rng = np.random.RandomState(seed)
    run = Run(data, setup.settings, rng)
    try:
        if name == "closed form":
            return _trivial(data, setup)
        if name == "covariances":
            run.begin_with_covariances(setup.given)
        elif name == "labels":
            run.begin_with_labels(setup.given)
        else:
            run.begin_with_labels(starting_labels(name, data, setup.settings.tolerance, rng))
        return run.complete()
    except np.linalg.LinAlgError:
        return None


def lift(data, groups):
    """Groups of all points from those of a sample, and the partition.

    Every point goes to the group of its least discriminant, whose parameters are then found anew,
    a few times.
    """
    found, labels = groups, groups.discriminants(data.be, data.X).argmin(axis=1)
    for _ in range(PASSES):
        if np.bincount(labels, minlength=data.n_groups).min() < 2:
            return found, labels
        found, _ = data.groups(labels)
        before, labels = labels, found.discriminants(data.be, data.X).argmin(axis=1)
        if np.array_equal(before, labels):
            break
    return found, labels


def bound_of(data, outcome, rng):
    """Certificate of a partition for its own covariances, equations (7) and (8).

    Parameters
    ----------
    data : Data
        What was clustered.
    outcome : Outcome
        The partition.
    rng : RandomState
        Source of a sample of more points than the solver can take.

    Returns
    -------
    found : dict
        Entries of the certificate.
    """
    groups, labels, n = outcome.groups, outcome.labels, data.X.shape[0]
    if data.n_groups in (1, n):
        value = groups.objective(*_sums(data, labels))
        return summary(value, 0.0, abs(value) + n, "closed form", n)
    if data.n_blocks == 1:
        return certificate(data.be, data.X @ groups.factors[0], labels)
    if n > SMALL:
        chosen = _stratified(labels, data.n_groups, SMALL, rng)
        data = type(data)(data.be, data.X[chosen], data.n_groups, data.structure)
        labels, n = labels[chosen], SMALL
    program, shift = data.program(groups)
    A = dense_objective(to_numpy(program.W), to_numpy(program.b))
    factor = indicator_factor(labels, data.n_groups)
    primal = float(np.sum(factor * np.matmul(A, factor)))
    unit = abs(primal - shift.sum()) + n
    target = primal + 0.1 * CERTIFIED * unit
    found = solve_dense(data.be, A, 1.0, tol=1e-6, max_iter=_BOUND_STEPS, target=target)
    # The shift of the rows is worth the same to all feasible matrices.
    worth = float(shift.sum())
    return summary(primal - worth, found.bound - primal, unit, "admm", n)


def _sums(data, labels):
    """Row sums and scatters of a partition."""
    row_sums, _, scatters = data.moments(indicator_factor(labels, data.n_groups))
    return row_sums, scatters


def _stratified(labels, n_groups, size, rng):
    """Points of which each group has its share, and at least one."""
    order = rng.permutation(labels.size)
    order = order[np.argsort(labels[order], kind="stable")]
    counts = np.bincount(labels, minlength=n_groups)
    # Every group's first point, and then those at even distances among all, sorted by group.
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    rest = np.setdiff1d(np.arange(labels.size), first)
    even = rest[np.linspace(0, rest.size - 1, size - n_groups).round().astype(int)]
    return np.sort(order[np.concatenate([first, even])])
