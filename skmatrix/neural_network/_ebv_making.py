"""Which unit vectors serve a number of classes, and how they are made."""

from dataclasses import dataclass

import numpy as np

from .._iterate import warn_caller
from ._basis import GOLD_ORDERS, KERDOCK_ORDERS, DenseBasis, HadamardBasis
from ._ebv_bounds import coherence, coherence_bounds
from ._ebv_optimise import separated, tightened, warn_of_coherence

METHODS = ("auto", "orthogonal", "simplex", "kerdock", "gold", "optimize", "random")

# Vectors up to which the descent is chosen: its cost is their square.
_OPTIMISED = 4096
# Stored vectors up to which all their cosines are looked at.
_COMPARED = 2**15
# Excess over the Welch bound that is aimed at, as a multiple of a power of K / d: what published
# matrices have, and a few hundred steps reach.
_SLACK = 0.061
_POWER = 0.83
# Bounds that are tried if the user has chosen none.
_TRIES = 4
# Cosine from which two vectors are one.
_SAME = 1 - 1e-6
# Deviation of a norm from 1 that is more than rounding.
_NORM = 1e-3


@dataclass
class Made:
    """Unit vectors, and what is known of them.

    Attributes
    ----------
    basis : DenseBasis or HadamardBasis
        The vectors.
    coherence : float
        Largest absolute cosine; NaN where it has not been looked for.
    alpha : float or None
        What was asked for, if there was a search.
    n_iter : int
        Steps of the search.
    converged : bool
        Whether it found what was asked for.
    """

    basis: DenseBasis | HadamardBasis
    coherence: float
    alpha: float | None = None
    n_iter: int = 0
    converged: bool = True


def make_basis(n_vectors, dim, method, *, alpha, max_iter, tol, backend, rng):
    """Make unit vectors.

    Parameters
    ----------
    n_vectors : int
        How many are needed.
    dim : int
        Their length.
    method : str
        One of `METHODS`.
    alpha : float or "auto"
        Largest absolute cosine for "optimize".
    max_iter, tol, backend
        Of the search, as for :func:`separated`.
    rng : RandomState
        Source of random vectors.

    Returns
    -------
    made : Made
        The vectors.

    Raises
    ------
    ValueError
        If there are not as many.
    """
    if method == "auto":
        method = _chosen(n_vectors, dim)
    if method in ("kerdock", "gold"):
        return _closed_form(n_vectors, dim, method)
    if method == "optimize":
        return _optimised(n_vectors, dim, alpha, max_iter, tol, backend, rng)
    _check_room(n_vectors, dim, method)
    if method == "orthogonal":
        V = _orthonormal(rng.standard_normal((dim, n_vectors))).T
    elif method == "simplex":
        V = simplex(n_vectors, dim)
    else:
        V = _unit(rng.standard_normal((n_vectors, dim)))
    return Made(DenseBasis(V, method), stored_coherence(V))


def given_basis(vectors, n_vectors, dim):
    """Check vectors that the user passed.

    Parameters
    ----------
    vectors : float64 ndarray of shape (n_given, dim_given)
        The vectors, finite.
    n_vectors : int
        How many are needed.
    dim : int or None
        Their length, if it was chosen.

    Returns
    -------
    made : Made
        All the vectors.
    """
    if dim is not None and vectors.shape[1] != dim:
        raise ValueError(
            f"basis has vectors of length {vectors.shape[1]} but dim={dim}. Leave dim='auto'."
        )
    if vectors.shape[0] < n_vectors:
        raise ValueError(
            f"basis has {vectors.shape[0]} vectors, but y has {n_vectors} classes: one is needed"
            " for each."
        )
    norm = np.linalg.norm(vectors, axis=1)
    if not norm.all():
        raise ValueError(f"basis has a zero vector in row {int(np.argmin(norm))}.")
    if np.abs(norm - 1).max() > _NORM:
        warn_caller(
            f"The vectors of basis have norms from {norm.min():.4g} to {norm.max():.4g} and are"
            " scaled to 1.",
            UserWarning,
        )
    vectors = vectors / norm[:, None]
    for begin in range(0, len(vectors), 1024):
        cosine = np.triu(vectors[begin : begin + 1024] @ vectors.T, begin + 1)
        if cosine.max() > _SAME:
            i, j = np.unravel_index(np.argmax(cosine), cosine.shape)
            raise ValueError(f"Vectors {begin + i} and {j} of basis are the same.")
    return Made(DenseBasis(vectors, "given"), stored_coherence(vectors))


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
        The vectors, the new ones last.
    """
    old = made.basis.dense()
    n_new, dim = n_vectors - len(old), old.shape[1]
    new = rng.standard_normal((n_new, dim))
    kind = made.basis.kind
    if n_vectors <= dim and kind == "orthogonal":
        # Projected twice: once leaves what cancellation does.
        for _ in range(2):
            new -= new @ old.T @ old
        new = _orthonormal(new.T).T
    new = _unit(new)
    alpha, n_iter, converged = made.alpha, made.n_iter, True
    if kind != "random" and n_vectors > dim:
        alpha = max(default_alpha(n_vectors, dim), alpha or 0.0)
        run = separated(new, old, alpha, max_iter=max_iter, tol=tol, backend=backend)
        new, n_iter, converged = run.vectors, n_iter + run.n_iter, run.converged
        kind = "optimize"
    vectors = np.concatenate([old, new])
    return Made(DenseBasis(vectors, kind), stored_coherence(vectors), alpha, n_iter, converged)


def default_alpha(n_vectors, dim):
    """A largest cosine that the descent reaches."""
    bounds = coherence_bounds(n_vectors, dim)
    aim = bounds["welch"] * (1 + _SLACK * (n_vectors / dim) ** _POWER)
    # Many vectors in few dimensions: half of the way from the bound to 1 at most.
    return float(min(max(aim, bounds["best"]), (1 + bounds["best"]) / 2))


def simplex(n_vectors, dim):
    """Vectors whose cosines are all -1 / (n_vectors - 1) (1), padded with zeros."""
    n = n_vectors
    start = np.eye(n)
    start[:, 0] = 1.0
    complement = np.linalg.qr(start)[0][:, 1:]
    V = np.zeros((n, dim))
    V[:, : n - 1] = np.sqrt(n / (n - 1)) * complement
    return V


def stored_coherence(vectors):
    """Largest absolute cosine of stored vectors, NaN if there are very many."""
    if len(vectors) > _COMPARED:
        return np.nan
    return float(coherence(vectors).max) if len(vectors) > 1 else 0.0


def hadamard_order(n_vectors, dim):
    """Largest order up to `dim` whose closed form has enough vectors, else None."""
    fitting = [d for d in _orders() if d <= dim and _capacity(d) >= n_vectors]
    return max(fitting, default=None)


def smallest_dim(n_vectors):
    """Smallest order whose closed form has enough vectors."""
    return min((d for d in _orders() if _capacity(d) >= n_vectors), default=None)


def _orders():
    """All orders of closed forms."""
    return sorted((*KERDOCK_ORDERS, *GOLD_ORDERS))


def _capacity(order):
    """Vectors of a closed form."""
    return HadamardBasis("kerdock" if order in KERDOCK_ORDERS else "gold", order, order).n_max


def _chosen(n_vectors, dim):
    """What "auto" stands for."""
    if n_vectors <= dim:
        return "orthogonal"
    if n_vectors == dim + 1:
        return "simplex"
    order = hadamard_order(n_vectors, dim)
    if order != dim and n_vectors <= _OPTIMISED:
        return "optimize"
    if order is None:
        raise ValueError(
            f"dim={dim} has no closed form for {n_vectors} vectors, and they are too many to"
            f" optimise. Pass dim={smallest_dim(n_vectors)} or larger, or method='random'."
        )
    return "kerdock" if order in KERDOCK_ORDERS else "gold"


def _closed_form(n_vectors, dim, method):
    """A union of Hadamard bases."""
    orders = KERDOCK_ORDERS if method == "kerdock" else GOLD_ORDERS
    fitting = [d for d in orders if d <= dim and _capacity(d) >= n_vectors]
    if not fitting:
        room = max((_capacity(d) for d in orders if d <= dim), default=0)
        enough = min((d for d in orders if _capacity(d) >= n_vectors), default=None)
        remedy = "another method" if enough is None else f"dim={enough} or larger"
        raise ValueError(
            f"{method!r} has {room} vectors in dim={dim}, fewer than the {n_vectors} that are"
            f" needed. Pass {remedy}."
        )
    order = max(fitting)
    if order < dim:
        warn_caller(
            f"dim={dim} is no order of {method!r}: {order} of its coordinates are used.",
            UserWarning,
        )
    basis = HadamardBasis(method, order, dim)
    return Made(basis, basis.coherence if n_vectors > order else 0.0)


def _optimised(n_vectors, dim, alpha, max_iter, tol, backend, rng):
    """Vectors by descent from a tight frame."""
    bound = coherence_bounds(max(n_vectors, 2), dim)["best"]
    chosen = alpha == "auto"
    if chosen:
        alpha = default_alpha(max(n_vectors, 2), dim)
    elif alpha < bound:
        raise ValueError(
            f"alpha={alpha:g} is below the bound {bound:.6g} that {n_vectors} vectors of length"
            f" dim={dim} have. Pass a larger alpha, or dim={_dim_for(n_vectors, alpha)} or more."
        )
    if dim == 1 and n_vectors > 1:
        raise ValueError(
            f"dim=1 has no {n_vectors} vectors with absolute cosines below 1. Pass a larger dim."
        )
    start = tightened(_unit(rng.standard_normal((n_vectors, dim))))
    # A bound that was not chosen by the user is relaxed where it proves out of reach.
    n_tries, n_iter = _TRIES if chosen else 1, 0
    for i in range(n_tries):
        limit = (max_iter - n_iter) // (n_tries - i)
        run = separated(start, start[:0], alpha, max_iter=limit, tol=tol, backend=backend)
        n_iter += run.n_iter
        if run.converged or i == n_tries - 1:
            break
        start, alpha = run.last, (alpha + run.coherence) / 2
    warn_of_coherence(run, alpha, max_iter)
    coherence = stored_coherence(run.vectors)
    return Made(DenseBasis(run.vectors, "optimize"), coherence, alpha, n_iter, run.converged)


def _dim_for(n_vectors, alpha):
    """Smallest length whose bound is not above alpha."""
    low, high = 1, n_vectors
    while low < high:
        middle = (low + high) // 2
        if coherence_bounds(n_vectors, middle)["best"] <= alpha:
            high = middle
        else:
            low = middle + 1
    return high


def _check_room(n_vectors, dim, method):
    """Refuse more vectors than a method has."""
    room = {"orthogonal": dim, "simplex": dim + 1}.get(method, np.inf)
    if n_vectors > room:
        raise ValueError(
            f"{method!r} has {room} vectors in dim={dim}, fewer than the {n_vectors} that are"
            f" needed. Pass dim={n_vectors - (method == 'simplex')} or larger."
        )


def _orthonormal(columns):
    """Orthonormal columns, uniformly distributed for normal entries."""
    q, r = np.linalg.qr(columns)
    return q * np.where(np.diag(r) < 0, -1.0, 1.0)


def _unit(vectors):
    """Rows of unit length."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
