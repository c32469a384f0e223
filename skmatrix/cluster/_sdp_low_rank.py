"""Low-rank solver of clustering semidefinite programs: no array of n x n numbers.

Equations are numbered as in the Notes of ``ILASDPClustering``.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._backend import to_numpy
from ._sdp_kernels import advance, gradient

# Steps between two updates of the multipliers, and the relative length of one that ends them.
_INNER_STEPS = 10
_INNER_CHANGE = 1e-5
# Gain of the value between two updates, in units of the scale of the problem and of `tol`, below
# which the value has settled, and how often in a row it must be as small.
_GAIN = 0.1
_PATIENCE = 2
# Values that a step may exceed, and the decrease it must bring.
_MEMORY = 5
_DECREASE = 1e-4
# First penalty, its growth where the residual has not halved, and its limit, in units of the
# largest eigenvalue over n. With smaller ones the factor may collapse onto a few points, and larger
# ones make the problem so stiff that the value creeps.
_FIRST_PENALTY = 4.0
_GROWTH = 1.3
_LARGEST_PENALTY = 10.0
# Bounds of the length of a step, in units of one over the largest eigenvalue.
_SHORTEST, _LONGEST = 1e-6, 1e3


@dataclass(frozen=True)
class Program:
    """``max sum_k <A_k, Z_k>`` over Z_k >= 0 of given trace whose row sums add up to one.

    Attributes
    ----------
    be : Backend
        Engine of the arrays.
    W : array of shape (B, n, p)
        Square roots of the quadratic parts.
    b : array of shape (B, n)
        Linear parts.
    trace : float
        Trace of each block.
    scale : float
        Root mean square over blocks of the largest eigenvalue of the quadratic part.
    """

    be: Any
    W: Any
    b: Any
    trace: float
    scale: float

    @classmethod
    def of(cls, be, W, b, trace):
        """Program of square roots on the engine and linear parts on the host."""
        turned = be.xp.matrix_transpose(W)
        grams = to_numpy(W @ turned if W.shape[1] < W.shape[2] else turned @ W)
        largest = np.linalg.eigvalsh(grams)[:, -1]
        top = float(np.abs(largest).max()) or 1.0
        scale = top * float(np.sqrt(np.mean((largest / top) ** 2))) or 1.0
        if isinstance(W, np.ndarray):  # in the order in which passes on the host run
            W = np.ascontiguousarray(turned).transpose(0, 2, 1)
        return cls(be, W, be.load(np.ascontiguousarray(b)), trace, scale)


@dataclass
class Solution:
    """What a solver has found.

    Attributes
    ----------
    factor : float64 ndarray of shape (B, n, r)
        U, with ``Z_k = U_k U_k^T``.
    multiplier : float64 ndarray of shape (n,)
        Multipliers of the row sums.
    penalty : float
        Last penalty, to start from again.
    value : float
        Objective, corrected to first order for the residual.
    residual : float64 ndarray of shape (n,)
        Row sums less one.
    n_steps : int
        Gradient steps.
    converged : bool
        Whether residual and steps became small.
    """

    factor: np.ndarray
    multiplier: np.ndarray
    penalty: float
    value: float
    residual: np.ndarray
    n_steps: int
    converged: bool

    @property
    def feasibility(self):
        """Root mean square of the residual."""
        return float(np.sqrt(np.mean(self.residual**2)))


def random_factor(rng, n_blocks, n, n_columns, n_groups):
    """Random factor whose row sums are one on average.

    Powers u^a of uniform numbers have E[u^a]^2 / E[u^2a] = (2 a + 1) / (a + 1)^2, which must be one
    over the number of groups.
    """
    a = n_groups - 1 + np.sqrt(n_groups * (n_groups - 1))
    return rng.uniform(size=(n_blocks, n, n_columns)) ** a


def partition_factor(rng, labels, n_blocks, n_columns):
    """Factor of a partition with noise, which lets groups exchange points.

    Parameters
    ----------
    rng : RandomState
        Source of the noise.
    labels : int64 ndarray of shape (n,)
        Partition into groups 0 to K - 1.
    n_blocks : int
        Blocks: K, or one for all groups.
    n_columns : int
        Columns of each block, a multiple of the groups that it holds.

    Returns
    -------
    factor : float64 ndarray of shape (n_blocks, n, n_columns)
        Each group in as many columns.
    """
    total = n_blocks * n_columns
    group = np.arange(total) * (labels.max() + 1) // total
    inside = (labels[None, :] == group[:, None]).astype(np.float64)
    noise = rng.uniform(size=(2, total, labels.size))
    columns = inside * (1 + 0.1 * noise[0]) + 0.05 * noise[1]
    columns = columns.reshape(n_blocks, n_columns, labels.size)
    return np.ascontiguousarray(columns.transpose(0, 2, 1))


def prices(program, factor):
    """What each point adds to the objective: row sums of ``2 (A_k U_k) * U_k`` over blocks."""
    be, xp = program.be, program.be.xp
    U = be.load(factor)
    sums = xp.sum(U, axis=1)
    products = program.W @ (xp.matrix_transpose(program.W) @ U)
    products = products - program.b[:, :, None] * sums[:, None, :]
    products = products - (program.b[:, None, :] @ U)
    return to_numpy(2 * xp.sum(products * U, axis=(0, 2)))


def follow(multiplier, factor, change):
    """Multipliers of the row sums after a change of the prices at a stationary factor.

    The rows of the gradient, times those of the factor, are zero: ``(I + Z) y`` is the prices, but
    for multipliers of the traces. So y changes by ``(I + Z)^{-1}`` times their change.
    """
    columns = np.concatenate(list(factor), axis=1)
    core = np.eye(columns.shape[1]) + columns.T @ columns
    return multiplier + change - columns @ np.linalg.solve(core, columns.T @ change)


def solve_low_rank(program, factor, *, tol, max_iter, multiplier=None, penalty=None):
    """Augmented Lagrangian method on a non-negative factor, equations (3) and (4).

    Parameters
    ----------
    program : Program
        What to solve.
    factor : float64 ndarray of shape (B, n, r)
        Non-negative start; its norm does not matter.
    tol : float
        Root mean square of the residual.
    max_iter : int
        Gradient steps at most.
    multiplier : float64 ndarray of shape (n,), default=None
        Multipliers to start from.
    penalty : float, default=None
        Penalty to start from.

    Returns
    -------
    solution : Solution
        Where it ended.
    """
    state = _State(program, factor, multiplier, penalty)
    norm, value, n_small = np.inf, -np.inf, 0
    while True:
        state.descend(min(_INNER_STEPS, max_iter - state.n_steps))
        state.y = state.y + state.penalty * state.g
        norm, norm_before = state.residual_norm(), norm
        value, value_before = state.corrected_value(), value
        small = norm < tol and abs(value - value_before) <= _GAIN * tol * program.scale
        n_small = n_small + 1 if small else 0
        if n_small >= _PATIENCE or state.n_steps >= max_iter:
            return state.solution(n_small >= _PATIENCE)
        if norm > max(norm_before / 2, tol):
            state.raise_penalty()


class _State:
    """Factor, multipliers and all that belongs to them, on the engine."""

    def __init__(self, program, factor, multiplier, penalty):
        self.program, be = program, program.be
        n = factor.shape[1]
        self._radius = float(np.sqrt(program.trace))
        self._blocks = factor.shape[0]
        self.U = be.load(np.ascontiguousarray(factor))
        self.y = be.load(np.zeros(n) if multiplier is None else multiplier)
        self._unit = program.scale / n
        self.penalty = _FIRST_PENALTY * self._unit if penalty is None else penalty
        self._step = 0.1 / program.scale
        self.n_steps = 0
        self._take(self._advance(self.U, 0.0))

    def _advance(self, G, step):
        """Try a step."""
        p = self.program
        return advance(
            p.be, p.W, p.b, self.U, G, self.y, step=step, radius=self._radius, penalty=self.penalty
        )

    def _take(self, trial):
        """Go to where a step has led."""
        self.U, self._M, self._s, self._c, self.g, self._values = trial

    def _gradient(self, U_before, G_before):
        """Gradient here, and the curvature since the last point."""
        p = self.program
        z = self.y + self.penalty * self.g
        return gradient(p.be, p.W, p.b, self.U, z, self._M, self._s, self._c, U_before, G_before)

    def descend(self, n_steps):
        """Spectral projected gradient steps until they are short."""
        xp, scale = self.program.be.xp, self.program.scale
        g, y = self.g, self.y
        lagrangian = xp.sum(y * g) + self.penalty / 2 * xp.sum(g * g)
        values = [float(lagrangian) - float(self._values[1])]
        G, _ = self._gradient(self.U, self.U)
        for _ in range(n_steps):
            self.n_steps += 1
            trial, value, way = self._search(G, max(values[-_MEMORY:]))
            values.append(value)
            before = self.U
            self._take(trial)
            change = float(np.sqrt(way / self._blocks) / self._radius)
            if change < _INNER_CHANGE:
                return
            G, curvature = self._gradient(before, G)
            curvature = float(curvature)
            # Barzilai and Borwein's length.
            length = way / curvature if curvature > 0 else 2 * self._step
            self._step = min(max(length, _SHORTEST / scale), _LONGEST / scale)

    def _search(self, G, bound):
        """A step that is short enough, by halving: the trial, its value and squared length."""
        while True:
            trial = self._advance(G, self._step)
            value, _, way = (float(v) for v in to_numpy(trial[-1]))
            enough = value <= bound - _DECREASE / 2 * way / self._step
            if enough or not self._step > _SHORTEST / self.program.scale:
                return trial, value, way
            self._step /= 2

    def raise_penalty(self):
        """A larger penalty, up to a limit."""
        self.penalty = min(_GROWTH * self.penalty, _LARGEST_PENALTY * self._unit)

    def residual_norm(self):
        """Root mean square of the residual."""
        return float(self.program.be.xp.sqrt(self.program.be.xp.mean(self.g * self.g)))

    def corrected_value(self):
        """Objective less what the residual is worth, right to first order."""
        return float(self._values[1] - self.program.be.xp.sum(self.y * self.g))

    def solution(self, converged):
        """The present state, on the host."""
        factor, y, g = (to_numpy(a) for a in (self.U, self.y, self.g))
        return Solution(factor, y, self.penalty, self.corrected_value(), g, self.n_steps, converged)
