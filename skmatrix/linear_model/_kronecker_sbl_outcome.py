"""What a fit found, without units."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .._backend import to_numpy
from ._kronecker_sbl_posterior import GaussianPosterior
from ._kronecker_sbl_state import State


@dataclass(frozen=True)
class Outcome:
    """Coefficients, and what is believed of them.

    Attributes
    ----------
    mean : ndarray of shape (L, n_1, ..., n_K)
        Posterior means of all coefficients.
    variance : ndarray of shape (n_1, ..., n_K)
        Posterior variances.
    gammas : list of ndarray of shape (n_k,)
        Prior variances, zero where pruned.
    cost : float
        Cost F, equation (3); not a number where there is no evidence.
    intercept : ndarray of shape (L,)
        Intercepts of the centred data.
    posterior : GaussianPosterior or ProductPosterior
        What predictions need.
    """

    mean: np.ndarray
    variance: np.ndarray
    gammas: list
    cost: float
    intercept: np.ndarray
    posterior: Any

    @classmethod
    def of(cls, state, units):
        """What the present variances give."""
        problem, expectation = state.problem, state.expect()
        mean, variance = (to_numpy(part) for part in expectation.moments())
        full_mean = np.zeros((problem.n_snapshots, *problem.shape), dtype=mean.dtype)
        full_variance = np.zeros(problem.shape)
        full_mean[np.ix_(np.arange(problem.n_snapshots), *state.active)] = mean
        full_variance[np.ix_(*state.active)] = variance
        precision = 0.0 if units.row_mean is None else units.n_rows / state.noise
        return cls(
            full_mean,
            full_variance,
            state.full_gammas(),
            expectation.cost,
            to_numpy(expectation.intercept),
            GaussianPosterior.of(state, expectation, precision),
        )

    @classmethod
    def silent(cls, problem, units, noise):
        """The outcome if nothing can be explained: no coefficients, and noise alone."""
        noise = problem.mean_square if noise is None else noise
        state = State(problem, [np.zeros(n) for n in problem.shape], noise or 1.0)
        outcome = cls.of(state, units)
        if noise:
            return outcome
        posterior = replace(outcome.posterior, noise=0.0, precision=math.inf)
        return replace(outcome, cost=-math.inf, posterior=posterior)


@dataclass(frozen=True)
class Solution:
    """An outcome, and how it was found.

    Attributes
    ----------
    outcome : Outcome
        What was found.
    solver : str
        The solver that counted.
    n_iter : int
        Its iterations.
    converged : bool
        Whether its last change was small.
    costs, noises : list of float
        Costs and noise variances after its iterations.
    """

    outcome: Outcome
    solver: str
    n_iter: int
    converged: bool
    costs: list
    noises: list = field(default_factory=list)

    @classmethod
    def of(cls, run, units, tol):
        """What a run has come to."""
        run.prune()
        outcome = Outcome.of(run.state, units)
        costs = [*run.costs[1:], outcome.cost]
        noises = [*run.noises[1:], run.state.noise]
        return cls(outcome, run.solver, run.n_iter, run.change <= tol, costs, noises)
