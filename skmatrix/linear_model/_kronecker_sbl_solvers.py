"""Iterations of sparse Bayesian learning with Kronecker factors."""

from dataclasses import dataclass, field

import numpy as np

from ._kronecker_sbl_kernels import is_complex
from ._kronecker_sbl_maximisation import alternate, project
from ._kronecker_sbl_state import State, relative_change

_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Settings:
    """What a run is told.

    Attributes
    ----------
    thresholds : list of float
        Share of the largest prior variance of each mode below which an index is dropped.
    learn_noise : bool
        Whether the noise variance is estimated.
    inner_max_iter, inner_tol : int, float
        Passes of an alternating maximisation, and the change that ends them.
    """

    thresholds: list
    learn_noise: bool
    inner_max_iter: int
    inner_tol: float


@dataclass
class Run:
    """A solver, and how far it has come.

    Attributes
    ----------
    solver : {"am", "svd", "mm"}
        Name of the solver.
    state : State
        Prior variances and noise variance.
    settings : Settings
        What it is told.
    couplings : list of Coupling or None
        Couplings of the modes.
    costs : list of float
        Cost at the beginning of each iteration.
    noises : list of float
        Noise variance at the beginning of each iteration.
    change : float
        Relative change of the prior variances in the last iteration.
    n_iter : int
        Number of iterations.
    explained : float
        Degrees of freedom of the data that the signal takes.
    """

    solver: str
    state: State
    settings: Settings
    couplings: list
    costs: list = field(default_factory=list)
    noises: list = field(default_factory=list)
    change: float = np.inf
    n_iter: int = 0
    explained: float = np.inf

    def step(self):
        """One iteration."""
        before = self.state.full_gammas()
        self.noises.append(self.state.noise)
        self.prune()
        if self.solver == "mm":
            self._descend()
        else:
            self._maximise()
        self.state.normalise()
        # Variances that have come to nothing would shrink for ever.
        lost = self.explained < _EPS
        self.change = 0.0 if lost else relative_change(self.state.full_gammas(), before)
        self.n_iter += 1

    def drop_unseen(self):
        """Drop columns of zeros, of which nothing is ever learnt, and indices without variance."""
        for mode, seen in enumerate(self.state.problem.seen()):
            self._keep(mode, seen & (self.state.gammas[mode] > 0))

    def prune(self):
        """Drop indices below a share of the largest prior variance of their mode."""
        for mode, threshold in enumerate(self.settings.thresholds):
            gamma = self.state.gammas[mode]
            self._keep(mode, gamma >= threshold * gamma.max())

    def _keep(self, mode, chosen):
        """Drop indices that a mask does not choose."""
        if chosen.all():
            return
        self.state.keep(mode, chosen)
        if self.couplings[mode] is not None:
            self.couplings[mode].cut(chosen)

    def criterion(self):
        """Akaike's criterion: the cost, and a penalty for each prior variance that is left.

        Solutions with more indices explain a little more, be it noise.
        """
        self.prune()
        n_active = sum(active.size for active in self.state.active)
        problem = self.state.problem
        penalty = 1 if is_complex(problem.be.xp, problem.data) else 2
        return self.state.expect().cost + penalty * n_active

    def _maximise(self):
        """Expectation of all squares, and prior variances that fit them."""
        state, settings = self.state, self.settings
        expectation = state.expect()
        self.costs.append(expectation.cost)
        self.explained = expectation.explained
        be, target = state.problem.be, expectation.second_moments()
        if self.solver == "svd":
            gammas = project(be, target)
        else:
            gammas = alternate(
                be,
                target,
                state.gammas,
                self.couplings,
                max_iter=settings.inner_max_iter,
                tol=settings.inner_tol,
            )
        for mode, gamma in enumerate(gammas):
            state.set_gamma(mode, gamma)
        if settings.learn_noise:
            state.noise = expectation.noise_by_em()

    def _descend(self):
        """Equation (8), mode by mode, the noise variance with each."""
        state = self.state
        for mode, gamma in enumerate(state.gammas):
            expectation = state.expect()
            self.explained = expectation.explained
            if mode == 0:
                self.costs.append(expectation.cost)
            signal, shrinkage = expectation.marginals(mode)
            ratio = np.divide(signal, shrinkage, out=np.zeros_like(signal), where=shrinkage > 0)
            state.set_gamma(mode, gamma * np.sqrt(ratio))
            if self.settings.learn_noise:
                state.noise = expectation.noise_by_mm()
