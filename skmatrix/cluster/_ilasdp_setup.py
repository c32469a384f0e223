"""What a fit starts with: checked parameters, centred data; and what it warns of."""

from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from .._iterate import warn_caller, warn_unfinished
from ._clustering_parameters import (
    centred,
    check_covariances,
    check_labels,
    check_n_groups,
    check_sample,
    check_solver_options,
    draw_sample,
    sample_size,
    solver_engine,
)
from ._gaussian_groups import Structure
from ._ilasdp_run import Data, Settings
from ._ilasdp_starts import named_starts
from ._sdp_solvers import Tolerance

# Ridge of data without any spread.
_RIDGE = 1e-6
# Variances of features in units of the ridge below which it changes covariances visibly.
_VISIBLE = 100.0


@dataclass
class Setup:
    """Checked parameters and data of a fit.

    Attributes
    ----------
    be : Backend
        Engine of the passes over the points.
    X : float64 ndarray of shape (n, p)
        Centred data.
    centre : float64 ndarray of shape (p,)
        What was taken off.
    chosen : int64 ndarray of shape (m,) or None
        The sample that is clustered.
    structure : Structure
        Form of the covariances.
    settings : Settings
        How starts are run.
    names : list of str
        Where they come from.
    given : ndarray or None
        Labels or covariances to start from.
    candidates : list of int
        Numbers of groups to try.
    rng : RandomState
        Source of chance.
    """

    be: object
    X: np.ndarray
    centre: np.ndarray
    chosen: np.ndarray | None
    structure: Structure
    settings: Settings
    names: list
    given: np.ndarray | None
    candidates: list
    rng: np.random.RandomState

    @classmethod
    def of(cls, estimator, be, X):
        """Setup of an estimator for data on the host, which it may change."""
        n, p = X.shape
        auto = estimator.n_clusters == "auto"
        largest = 1 if auto else estimator.n_clusters
        check_n_groups(largest, X)
        size = sample_size(estimator.n_subsample, n, largest)
        options = check_solver_options(estimator.solver_options)
        kind = estimator.covariance_type
        names, given = _starts_of(estimator, n, p, size, auto)
        X, centre = centred(X)
        spread = float(np.mean(X * X))
        ridge = estimator.reg_covar * spread if spread > 0 else estimator.reg_covar or _RIDGE
        rng = check_random_state(estimator.random_state)
        chosen = None if size is None else draw_sample(rng, n, size)
        if chosen is not None:
            check_sample(X[chosen], largest)
        _warn_of_small_features(X, ridge, kind)
        smallest = estimator.min_cluster_size
        if smallest is None:
            smallest = p + 1 if kind == "full" else 2
        candidates = [largest]
        if auto:
            candidates = list(range(1, 1 + min(estimator.max_clusters, size or n)))
        return cls(
            be=solver_engine(be, X.size * max(candidates)),
            X=X,
            centre=centre,
            chosen=chosen,
            structure=Structure(kind, ridge, estimator.shrinkage),
            settings=Settings(
                max_iter=estimator.max_iter,
                tol=estimator.tol,
                solver="nlr" if estimator.solver == "auto" else estimator.solver,
                tolerance=Tolerance(options["tol"], options["max_iter"]),
                rank=estimator.rank,
                rounding=estimator.rounding,
                min_cluster_size=smallest,
            ),
            names=names,
            given=given,
            candidates=candidates,
            rng=rng,
        )

    def is_trivial(self, n_groups):
        """Whether there is but one partition into so many groups."""
        n = self.X.shape[0] if self.chosen is None else self.chosen.size
        return n_groups in (1, n)

    def all_points(self, n_groups):
        """All points, for a number of groups."""
        return Data(self.be, self.X, n_groups, self.structure)

    def points(self, n_groups):
        """The points that are clustered."""
        X = self.X if self.chosen is None else np.ascontiguousarray(self.X[self.chosen])
        return Data(self.be, X, n_groups, self.structure)


def _warn_of_small_features(X, ridge, kind):
    """Warn where the ridge is not small beside the variance of a feature."""
    variances = np.mean(X * X, axis=0)
    small = (variances > 0) & (variances < _VISIBLE * ridge)
    if kind != "spherical" and small.any():
        warn_caller(
            f"reg_covar adds {ridge:.3g} to each variance, and {small.sum()} features have a"
            f" variance of {variances[small].min():.3g} or so: standardise X, or lower reg_covar.",
            UserWarning,
        )


def _starts_of(estimator, n, p, size, auto):
    """Names of the starts, and labels or covariances to start from."""
    init = estimator.init
    if isinstance(init, str):
        return named_starts(init, estimator.n_init), None
    if auto:
        raise ValueError("init must be a str with n_clusters='auto'. Got an array.")
    if np.ndim(init) == 1:
        if size is not None:
            raise ValueError("init as labels does not go with n_subsample, which takes a sample.")
        return ["labels"], check_labels(init, n, estimator.n_clusters)
    diagonal = estimator.covariance_type in ("diag", "spherical")
    return ["covariances"], check_covariances(init, estimator.n_clusters, p, diagonal)


def warn_about(estimator, fit):
    """Warn of what a user should know of a fit."""
    outcome, settings = fit.outcome, estimator
    counts = np.bincount(outcome.labels)
    p = fit.data.X.shape[1]
    if outcome.degenerate:
        warn_caller(
            f"All starts have a group of fewer than {fit.smallest} points, and the best of them"
            " was kept. Lower n_clusters or min_cluster_size, raise n_init, or use"
            " covariance_type='diag' or 'tied'.",
            ConvergenceWarning,
        )
    elif not outcome.feasible:
        warn_caller(
            f"The solver stopped with row sums that are off by {outcome.feasibility:.3g}. Increase"
            " solver_options['max_iter'], or accept a larger solver_options['tol'].",
            ConvergenceWarning,
        )
    elif not outcome.converged:
        warn_unfinished(estimator, estimator.max_iter, "the change", np.inf, estimator.tol)
    if fit.data.structure.kind == "full" and settings.shrinkage == 0 and counts.min() <= p:
        warn_caller(
            f"A group has {counts.min()} points for n_features={p}, and its covariance is singular"
            " but for reg_covar. Use covariance_type='diag' or 'tied', shrinkage='auto', or reduce"
            " the features by PCA.",
            UserWarning,
        )
