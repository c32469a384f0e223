"""How a low-rank solution with groups on the wrong covariances gets out of there.

A factor that starts by chance may give a block the group that another block would take at a gain.
Small steps between the two lead over worse values, so that the solver stays. A column of another
block that would add to the objective shows the way, and partitions have no such walls: their groups
are matched with blocks as an assignment problem.

Equations are numbered as in the Notes of ``ILASDPClustering``.
"""

from dataclasses import replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from .._backend import to_numpy
from ._gaussian_groups import indicator_factor
from ._sdp_low_rank import partition_factor, solve_low_rank
from ._sdp_rounding import spectral_labels

# Ways out of each kind that are tried one after the other.
_TRIALS = 4
# Gain of a column that is worth a trial, in units of the scale of the problem, and its length.
_WORTHWHILE, _LENGTH = 1e-3, 0.3
# Tolerance of solutions on the way, relative to that of the last one.
_ROUGH = 10.0
# Passes of the search for a partition.
_PASSES = 50


def solve_matched(program, factor, *, rng, tol, max_iter):
    """Low-rank solution that neither a column of another block nor a partition improves.

    Parameters
    ----------
    program : Program
        A program with as many blocks as groups.
    factor : float64 ndarray of shape (K, n, r)
        Non-negative start. Twice as many columns as groups leave room for all of them in each
        block; with fewer, more starts fail.
    rng : RandomState
        Source of noise.
    tol, max_iter : float and int
        As for `solve_low_rank`.

    Returns
    -------
    solution : Solution
        Where it ended; its steps are those of all solutions on the way.
    """
    rough = _ROUGH * tol
    best = solve_low_rank(program, factor, tol=rough, max_iter=max_iter)
    n_steps, least = best.n_steps, rough * program.scale
    for way in (_with_columns, _with_partition):
        for _ in range(_TRIALS):
            start = way(program, best, least, rng)
            if start is None:
                break
            found = solve_low_rank(program, start, tol=rough, max_iter=max_iter)
            n_steps += found.n_steps
            if found.value <= best.value + least:
                break
            best = found
    warm = {"multiplier": best.multiplier, "penalty": best.penalty}
    best = solve_low_rank(program, best.factor, tol=tol, max_iter=max_iter, **warm)
    return replace(best, n_steps=n_steps + best.n_steps)


def _with_columns(program, solution, least, rng):
    """Factor with columns of other blocks that add to the Lagrangian; None if there are none.

    To second order in its length a column v of unit direction adds ``-v^T S_k v`` with the slack
    ``S_k = (y 1^T + 1 y^T) / 2 + t_k I - A_k``, equation (7), where t_k makes that of the block
    itself zero.
    """
    W, b = to_numpy(program.W), to_numpy(program.b)
    columns = np.concatenate(list(solution.factor), axis=1)
    lengths = np.linalg.norm(columns, axis=0)
    columns = columns[:, lengths > 0] / lengths[lengths > 0]
    factor, moved = solution.factor.copy(), False
    for own, root, linear in zip(factor, W, b + solution.multiplier / 2, strict=True):
        price = np.sum(_gains(root, linear, own)) / program.trace
        gains = _gains(root, linear, columns) - price
        best = int(np.argmax(gains))
        if gains[best] > max(_WORTHWHILE * program.scale, least):
            weakest = int(np.argmin(np.sum(own * own, axis=0)))
            own[:, weakest] += _LENGTH * columns[:, best]
            moved = True
    return factor if moved else None


def _gains(root, linear, columns):
    """``v^T (root root^T - linear 1^T - 1 linear^T) v`` of each column v."""
    products = root.T @ columns
    return np.sum(products * products, axis=0) - 2 * (linear @ columns) * columns.sum(axis=0)


def _with_partition(program, solution, least, rng):
    """Factor of a partition with a larger objective; None if none was found."""
    n_blocks, _, r = solution.factor.shape
    labels, value = climb(program, spectral_labels(solution.factor, n_blocks))
    if value <= solution.value + least:
        return None
    return partition_factor(rng, labels, n_blocks, r)


def climb(program, labels):
    """A partition of a larger objective, by matching groups anew and moving points.

    Parameters
    ----------
    program : Program
        A program with as many blocks as groups.
    labels : int64 ndarray of shape (n,)
        Partition into groups 0 to K - 1, none of them empty.

    Returns
    -------
    labels : int64 ndarray of shape (n,)
        Partition whose group k belongs to block k.
    value : float
        Its objective.
    """
    W, b = to_numpy(program.W), to_numpy(program.b)
    labels, value = _matched(W, b, labels)
    for _ in range(_PASSES):
        moved, value_moved = _matched(W, b, _moved(W, b, labels))
        if value_moved <= value:
            break
        labels, value = moved, value_moved
    return labels, value


def _matched(W, b, labels):
    """Groups renumbered so that the objective is largest, and it."""
    columns = indicator_factor(labels, W.shape[0])[:, :, 0].T
    gains = np.stack([_gains(root, own, columns) for root, own in zip(W, b, strict=True)], axis=1)
    groups, blocks = linear_sum_assignment(gains, maximize=True)
    return blocks[labels], float(gains[groups, blocks].sum())


def _moved(W, b, labels):
    """Each point in the group that it adds most to, at the present means; none becomes empty."""
    costs = np.empty((labels.size, W.shape[0]))
    for k, (root, linear) in enumerate(zip(W, b, strict=True)):
        mean = root[labels == k].mean(axis=0)
        costs[:, k] = 2 * linear - 2 * (root @ mean) + mean @ mean
    moved = costs.argmin(axis=1)
    return moved if np.bincount(moved, minlength=W.shape[0]).min() > 0 else labels
