"""What sparse Bayesian learning with Kronecker factors asks of snapshots that lie in blocks.

Workers are sent prior variances and noise, and make the expectations of their own snapshots with
the code of the local fit. What they send back does not depend on the bases of their decompositions,
which may differ from machine to machine.
"""

import copy
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from .._backend import get_backend
from ..linear_model._kronecker_sbl_outcome import Outcome
from ..linear_model._kronecker_sbl_state import Problem, State
from ._matrix_completion import RowBlocks

# What a round brings, beside the sums that each brings: squares of the coefficients, or, for a
# number, sums for this mode.
SQUARES = "squares"


@dataclass(frozen=True)
class BlockProblem(Problem):
    """A problem whose snapshots lie in blocks; `data` is empty and has but their number.

    Attributes
    ----------
    blocks : RowBlocks
        What each problem of a block is made of, without its engine.
    shared : Problem
        The problem without snapshots.
    """

    blocks: RowBlocks
    shared: Problem


class BlockState(State):
    """Variances whose expectations are sums over blocks.

    Attributes
    ----------
    asked_first : object
        What the solver asks for together with the cost.
    """

    asked_first = SQUARES

    @classmethod
    def of(cls, state, asked_first=SQUARES):
        """The same variances."""
        ours = _restored(cls, state.problem, *_sent(state))
        ours.asked_first = asked_first
        return ours

    def expect(self):
        """The expectations of the present variances, of which nothing is computed yet."""
        alone = copy.copy(self)
        alone.problem = self.problem.shared
        return BlockExpectation(self.problem, State.expect(alone), _sent(self), self.asked_first)


class BlockExpectation:
    """Expectations from snapshots that lie in blocks, with the attributes of the local ones.

    Parameters
    ----------
    whole : BlockProblem
        The problem.
    shared : Expectation
        Expectations without snapshots.
    sent : tuple
        Variances, for the blocks.
    asked_first : object
        What is asked for together with the cost.
    """

    def __init__(self, whole, shared, sent, asked_first):
        self._whole, self._shared, self._sent = whole, shared, sent
        self._asked_first = asked_first
        self._total = None
        self.problem, self.spectra, self.weight = shared.problem, shared.spectra, shared.weight
        self.centred, self.precision, self.noise = shared.centred, shared.precision, shared.noise
        self.explained = shared.explained

    def _asked(self, part):
        """Averages over all snapshots."""
        state = (self._sent, part)
        quadratic, residual, *sums = self._whole.blocks.sum(_sums, state=state)
        self._set_total(quadratic, residual)
        return [total / self._whole.n_snapshots for total in sums]

    @cached_property
    def _first(self):
        """Averages that the solver asks for first."""
        return self._asked(self._asked_first)

    def _averages(self, part):
        """Averages over all snapshots, which the cost may have brought along."""
        return self._first if part == self._asked_first else self._asked(part)

    def _set_total(self, quadratic, residual):
        """The sums that each round brings."""
        self._total = replace(
            self._shared, problem=self._whole, quadratic=quadratic, residual=residual
        )

    @property
    def total(self):
        """Expectation of all snapshots, for what it makes of its sums."""
        if self._total is None:
            self._averages(self._asked_first)
        return self._total

    @property
    def cost(self):
        """Equation (3)."""
        return self.total.cost

    def noise_by_em(self):
        """Equation (9)."""
        return self.total.noise_by_em()

    def noise_by_mm(self):
        """Equation (8)."""
        return self.total.noise_by_mm()

    def marginals(self, mode):
        """Sums of ``|mu|^2 / g`` and of ``tau`` over the other modes."""
        return tuple(self._averages(mode))

    def second_moments(self):
        """Expected squares of the active coefficients, averaged over snapshots."""
        return self._averages(SQUARES)[0]

    @cached_property
    def _gathered(self):
        """Means and intercepts of all snapshots."""
        import dask

        found = dask.compute(*self._whole.blocks.map(_posterior, state=self._sent))
        means, intercepts, quadratics, residuals = zip(*found, strict=True)
        self._set_total(sum(quadratics), sum(residuals))
        return np.concatenate(means), np.concatenate(intercepts)

    def moments(self):
        """Posterior means and variances of the active coefficients."""
        return self._gathered[0], self._shared.moments()[1]

    @property
    def intercept(self):
        """Intercept of each snapshot."""
        return self._gathered[1]


class BlockOutcome(Outcome):
    """An outcome from snapshots that lie in blocks."""

    @classmethod
    def of(cls, state, units):
        """What the variances give."""
        return super().of(BlockState.of(state), units)


def _sent(state):
    """What a state is restored from."""
    return state.full_gammas(), list(state.active), state.noise


def _restored(kind, problem, gammas, active, noise):
    """The state of a problem with given variances, zero where indices have been dropped."""
    state = kind(problem, gammas, noise)
    for mode, (n, indices) in enumerate(zip(problem.shape, active, strict=True)):
        state.keep(mode, np.isin(np.arange(n), indices))
    return state


def _expected(block, sent):
    """The expectations of a block."""
    backend, *parts = block
    return _restored(State, Problem(get_backend(backend, np.empty(0)), *parts), *sent).expect()


def _sums(block, start, state):
    """Sums over the snapshots of a block."""
    sent, part = state
    found = _expected(block, sent)
    parts = (found.second_moments(),) if part == SQUARES else found.marginals(part)
    n = found.problem.n_snapshots
    return (found.quadratic, found.residual, *(n * average for average in parts))


def _posterior(block, sent):
    """Means and intercepts of a block, and the sums that its cost is made of."""
    found = _expected(block, sent)
    return found.moments()[0], found.intercept, found.quadratic, found.residual
