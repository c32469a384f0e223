"""Where the ascent starts: functions about one, so that no message vanishes."""

import numpy as np

from ._funbat_prior import Prior, square_roots
from ._funbat_state import Belief, Factor

# Variance of a function at the start, in units of that of its prior.
_SPREAD = 0.01


def started(be, entries, layout, priors, noise_prior, precision, rng):
    """Beliefs to start from.

    Zero is a fixed point, because every function multiplies every message: the functions start
    around one, and the core is then fitted to them.

    Parameters
    ----------
    be : Backend
        Engine.
    entries : Entries
        Data.
    layout : Layout
        Ranks.
    priors : list of Prior
        Priors of the modes.
    noise_prior : tuple of float
        Shape and rate.
    precision : float
        Noise precision that is held at first.
    rng : RandomState
        Source of the functions.

    Returns
    -------
    belief : Belief
        The start.
    """
    factors = []
    shrink = min(1.0, 2 / len(priors))
    for axis, prior, rank in zip(entries.axes, priors, layout.ranks, strict=True):
        points = axis.scaled(axis.points)
        scale = prior.variance**0.5
        mean = scale * (1 + shrink * drawn_functions(prior, points, rank, rng))
        cov = np.broadcast_to(_SPREAD * prior.variance * np.eye(rank), (points.size, rank, rank))
        factors.append(Factor(prior, points, mean, cov.copy()))
    belief = Belief(be, entries, layout, factors, noise_prior, precision=precision)
    if not layout.elementwise:
        size = layout.size
        belief.core_mean = rng.standard_normal(size) / size**0.5
        belief.core_cov = np.eye(size) / size
        belief.join(belief.pieces(len(factors) - 1))
        belief.update_core()
    return belief


def drawn_functions(prior, points, rank, rng):
    """Functions of unit variance drawn from a prior: float64 ndarray of shape (n, R)."""
    unit = Prior(prior.kernel, prior.length_scale, 1.0)
    A, Q = unit.transitions(np.diff(points))
    state = square_roots(unit.stationary()[None])[0] @ rng.standard_normal((unit.n_blocks, rank))
    roots = square_roots(Q)
    functions = [state[0]]
    for step, root in zip(A, roots, strict=True):
        state = step @ state + root @ rng.standard_normal((unit.n_blocks, rank))
        functions.append(state[0])
    return np.array(functions)
