"""Nearly orthogonal vectors by minimising the excess of their cosines."""

from dataclasses import dataclass, replace

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .._backend import get_backend, to_numpy
from .._iterate import warn_caller
from ._ebv_kernels import hinge_gradient
from ._unit_vectors import unit_rows

# Rounds that make a frame tight.
_TIGHTENING = 5
_STEP = 0.5
_MOMENTUM = 0.95
# Steps without a lower loss after which the step size is halved.
_PATIENCE = 50
# Bounds that are tried where they may be raised.
_TRIES = 4
# The descent aims a little below the bound, so as to reach it in finite time.
_AIM = 0.99


@dataclass
class Descent:
    """Where a descent ended.

    Attributes
    ----------
    vectors : float64 ndarray of shape (n, d)
        The vectors with the smallest coherence on the way.
    last : float64 ndarray of shape (n, d)
        Those at its end.
    coherence : float
        Coherence of the best.
    n_iter : int
        Steps.
    converged : bool
        Whether the bound was reached.
    """

    vectors: np.ndarray
    last: np.ndarray
    coherence: float
    n_iter: int
    converged: bool


def tightened(V, root=None):
    """Unit vectors near a tight frame: the start of the descent.

    Up to d vectors come out orthonormal.

    Parameters
    ----------
    V : float64 ndarray of shape (n, d)
        Vectors.
    root : float64 ndarray of shape (d, d), default=None
        Root of another frame operator to come near to.

    Returns
    -------
    V : float64 ndarray of shape (n, d)
        Unit vectors.
    """
    for _ in range(_TIGHTENING):
        left, _, right = np.linalg.svd(V, full_matrices=False)
        V = left @ right if root is None else left @ right @ root
        V = unit_rows(V)[0]
    return V


def separated(V, fixed, alpha, *, max_iter, tol, backend):
    """Move vectors until no absolute cosine is above a bound.

    Parameters
    ----------
    V : float64 ndarray of shape (n, d)
        Unit vectors that move.
    fixed : float64 ndarray of shape (n_fixed, d)
        Unit vectors that do not.
    alpha : float
        The bound.
    max_iter : int
        Steps at most.
    tol : float
        What cosines may be above the bound.
    backend : str
        Engine.

    Returns
    -------
    descent : Descent
        Where it ended.
    """
    be = get_backend(backend, V)
    # Single precision is far finer than `tol`, and twice as fast.
    points, held = be.load(V.astype(np.float32), fixed.astype(np.float32))
    xp = be.xp
    momentum = xp.zeros_like(points)
    best, reached = points, np.inf
    step, lowest, since = _STEP, np.inf, 0
    n_iter, converged = 0, False
    while True:
        gradient, loss, largest = hinge_gradient(be, points, held, alpha=_AIM * alpha)
        if float(largest) < reached:
            best, reached = points, float(largest)
        converged = reached <= alpha + tol
        if converged or n_iter == max_iter:
            break
        n_iter += 1
        value = float(loss)
        since = 0 if value < lowest else since + 1
        lowest = min(lowest, value)
        if since == _PATIENCE:
            step, since, lowest = step / 2, 0, value
        # Heavy ball on the sphere (4).
        momentum = _MOMENTUM * momentum + gradient
        points = points - step * momentum
        points = points / xp.sqrt(xp.sum(points * points, axis=1, keepdims=True))
        momentum = momentum - xp.sum(momentum * points, axis=1, keepdims=True) * points
    vectors, last = (to_numpy(a).astype(np.float64) for a in (best, points))
    return Descent(unit_rows(vectors)[0], last, reached, n_iter, converged)


def searched(V, fixed, alpha, *, relax, max_iter, tol, backend):
    """Move vectors apart, and ask for less where a bound proves out of reach.

    Parameters
    ----------
    V, fixed, alpha, max_iter, tol, backend
        As for :func:`separated`.
    relax : bool
        Whether the bound may be raised: not if it is the user's.

    Returns
    -------
    descent : Descent
        Where it ended, with the steps of all tries.
    alpha : float
        The bound of the last one.
    """
    n_tries, n_iter = _TRIES if relax else 1, 0
    for i in range(n_tries):
        limit = (max_iter - n_iter) // (n_tries - i)
        run = separated(V, fixed, alpha, max_iter=limit, tol=tol, backend=backend)
        n_iter += run.n_iter
        if run.converged or i == n_tries - 1:
            break
        V, alpha = run.last, (alpha + run.coherence) / 2
    return replace(run, n_iter=n_iter), alpha


def warn_of_coherence(descent, alpha):
    """Say what coherence was reached, if it is not the one that was asked for."""
    if not descent.converged:
        warn_caller(
            f"The vectors have coherence {descent.coherence:.4f} after {descent.n_iter} steps,"
            f" above alpha={alpha:.4f}. Pass a larger alpha or dim, or more steps to make_ebv,"
            " whose vectors a classifier takes as its basis.",
            ConvergenceWarning,
        )
