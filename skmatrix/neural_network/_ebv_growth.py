"""More unit vectors beside those that there are."""

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .._iterate import warn_caller
from ._basis import DenseBasis
from ._ebv_bases import MOST_PRODUCTS, Made, default_alpha, orthonormal, stored_coherence
from ._ebv_optimise import searched, tightened
from ._unit_vectors import unit_rows

# Cosine that is worth a warning, over the one that is looked for first.
_NOTABLE = 1.25


def has_room(made, n_vectors):
    """Whether :func:`extended` makes as many vectors in reasonable time.

    Parameters
    ----------
    made : Made
        Stored vectors.
    n_vectors : int
        How many are needed.

    Returns
    -------
    room : bool
        False for vectors of the user, and where a step of the descent costs too much.
    """
    kind, dim = made.basis.kind, made.basis.dim
    if kind in ("given", "random") or n_vectors <= dim:
        return kind != "given"
    return (n_vectors - made.basis.n_max) * n_vectors * dim <= MOST_PRODUCTS


def extended(made, n_vectors, *, max_iter, tol, backend, rng):
    """Make room for more vectors; those that there are stay.

    Parameters
    ----------
    made : Made
        Stored vectors that were not given by the user.
    n_vectors : int
        How many are needed.
    max_iter, tol, backend, rng
        As for :func:`make_basis`.

    Returns
    -------
    made : Made
        The vectors, the new ones last: perpendicular to all while there is room, else by descent.
    """
    old, kind = made.basis.dense(), made.basis.kind
    alpha, n_iter, converged = made.alpha, made.n_iter, made.converged
    new = rng.standard_normal((n_vectors - len(old), old.shape[1]))
    if kind == "random":
        new = unit_rows(new)[0]
    elif n_vectors <= old.shape[1]:
        new = orthonormal(np.concatenate([old, new]).T).T[len(old) :]
        kind = "orthogonal" if kind == "orthogonal" else "optimize"
    else:
        limits = {"max_iter": max_iter, "tol": tol, "backend": backend}
        run, alpha = _moved_apart(new, old, alpha or 0.0, limits)
        new, n_iter, converged = run.vectors, n_iter + run.n_iter, run.converged
        kind = "optimize"
    vectors = np.concatenate([old, new])
    return Made(DenseBasis(vectors, kind), stored_coherence(vectors), alpha, n_iter, converged)


def _moved_apart(new, old, alpha, limits):
    """Descent of new vectors beside old ones, to a bound of at least alpha."""
    taken, axes = np.linalg.eigh(old.T @ old)
    weights = filling(taken, len(new))
    n_vectors, dim = len(old) + len(new), old.shape[1]
    bound = bound_beside(taken, weights, len(old), len(new))
    # Less than what the whole can have is of no use.
    whole, beside = default_alpha(n_vectors, dim), default_alpha(n_vectors, dim, bound)
    aim = max(alpha, whole, beside)
    start = tightened(new, (axes * np.sqrt(weights)) @ axes.T)
    run, alpha = searched(start, old, aim, relax=True, **limits)
    if run.coherence > _NOTABLE * aim:
        warn_caller(
            f"New vectors have cosines up to {run.coherence:.4f}, far above the {aim:.4f} that"
            " were looked for. Fit again with all classes, or a larger dim.",
            ConvergenceWarning,
        )
    return run, alpha


def filling(taken, amount):
    """Fill up the lowest of some levels, as water does.

    Parameters
    ----------
    taken : float64 ndarray of shape (d,)
        Levels, sorted.
    amount : float
        What is added.

    Returns
    -------
    added : float64 ndarray of shape (d,)
        With sum `amount`; the levels that grow are equal then, and no others are below.
    """
    # The common level if 1, 2, ... of them are filled up; they are as many as lie below it.
    common = (amount + np.cumsum(taken)) / np.arange(1, len(taken) + 1)
    return np.maximum(common[np.flatnonzero(taken < common)[-1]] - taken, 0.0)


def bound_beside(taken, weights, n_old, n_new):
    r"""Lower bound of the largest absolute cosine of new unit vectors with all others.

    With S the frame operator of the old vectors and W that of the n new ones, whose trace is n,
    the squared cosines between the two add up to :math:`\mathrm{tr}(S W) \ge n \lambda_{\min}(S)`;
    twice these, and those of ordered pairs of new ones, to :math:`\|W\|_F^2 - n + 2\,
    \mathrm{tr}(S W)`, which is least where W fills up the eigenvalues of S. The largest square is
    not below either mean.

    Parameters
    ----------
    taken : float64 ndarray of shape (d,)
        Eigenvalues of S.
    weights : float64 ndarray of shape (d,)
        What fills them up.
    n_old, n_new : int
        Numbers of vectors.

    Returns
    -------
    bound : float
        The bound. It may be below that of as many free vectors, if old ones are near to each other.
    """
    beside = taken.min() / n_old
    total = np.square(weights).sum() - n_new + 2 * weights @ taken
    among = total / (n_new * (n_new - 1) + 2 * n_new * n_old)
    return float(np.sqrt(max(beside, among, 0.0)))
