"""Which unit vectors serve a number of classes, and how they are made."""

from dataclasses import dataclass

import numpy as np

from .._iterate import warn_caller
from ._basis import GOLD_ORDERS, KERDOCK_ORDERS, DenseBasis, HadamardBasis
from ._ebv_bounds import coherence_bounds
from ._ebv_optimise import searched, tightened, warn_of_coherence
from ._unit_vectors import largest_cosine, unit_rows

METHODS = ("auto", "orthogonal", "simplex", "kerdock", "gold", "optimize", "random")

# Vectors up to which the descent is chosen, and products of a step: some ten minutes at the worst.
_OPTIMISED = 4096
MOST_PRODUCTS = 2**32
# Stored vectors up to which all their cosines are looked at.
_COMPARED = 2**13
# Excess over the Welch bound that is aimed at, as a multiple of a power of K / d: what published
# matrices have, and a few hundred steps reach.
_SLACK = 0.061
_POWER = 0.83
# What is missed by less is not worth a warning, if nobody asked for it.
_NEARLY = 1.01
# Cosine from which two vectors are one.
SAME = 1 - 1e-6
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
        V = orthonormal(rng.standard_normal((dim, n_vectors))).T
    elif method == "simplex":
        V = simplex(n_vectors, dim)
    else:
        V = unit_rows(rng.standard_normal((n_vectors, dim)))[0]
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
    vectors, norm = unit_rows(vectors, "basis")
    if np.abs(norm - 1).max() > _NORM:
        warn_caller(
            f"The vectors of basis have norms from {norm.min():.4g} to {norm.max():.4g} and are"
            " scaled to 1.",
            UserWarning,
        )
    nearest = largest_cosine(vectors, signed=True)
    if nearest.value > SAME:
        raise ValueError(f"Vectors {nearest.first} and {nearest.second} of basis are the same.")
    return Made(DenseBasis(vectors, "given"), stored_coherence(vectors))


def default_alpha(n_vectors, dim, bound=None):
    """A largest cosine that the descent reaches.

    Parameters
    ----------
    n_vectors, dim : int
        Number of vectors, and their length.
    bound : float or None, default=None
        Lower bound of it, if more is known than from the two.

    Returns
    -------
    alpha : float
        The cosine.
    """
    bounds = coherence_bounds(n_vectors, dim)
    welch, best = (bounds[name] if bound is None else bound for name in ("welch", "best"))
    aim = welch * (1 + _SLACK * (n_vectors / dim) ** _POWER)
    # Many vectors in few dimensions: half of the way from the bound to 1 at most.
    return float(min(max(aim, best), (1 + best) / 2))


def simplex(n_vectors, dim):
    """Vectors whose cosines are all -1 / (n_vectors - 1) (1), padded with zeros."""
    n = n_vectors
    V = np.zeros((n, dim))
    if n == 1:
        V[0, 0] = 1.0
        return V
    start = np.eye(n)
    start[:, 0] = 1.0
    complement = np.linalg.qr(start)[0][:, 1:]
    V[:, : n - 1] = np.sqrt(n / (n - 1)) * complement
    return V


def stored_coherence(vectors):
    """Largest absolute cosine of stored vectors, NaN if there are very many."""
    if len(vectors) > _COMPARED:
        return np.nan
    return largest_cosine(vectors).value


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
    affordable = n_vectors <= _OPTIMISED and n_vectors**2 * dim <= MOST_PRODUCTS
    if order != dim and affordable:
        return "optimize"
    if order is None:
        enough = smallest_dim(n_vectors)
        larger = "" if enough is None else f"dim={enough} or larger, or "
        raise ValueError(
            f"dim={dim} has no closed form for {n_vectors} vectors, and they are too many to"
            f" optimise. Pass {larger}'random' instead of 'auto'."
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
    return Made(basis, basis.coherence_of_first(n_vectors))


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
    start = tightened(rng.standard_normal((n_vectors, dim)))
    if n_vectors <= dim:
        return Made(DenseBasis(start, "optimize"), stored_coherence(start), alpha)
    limits = {"max_iter": max_iter, "tol": tol, "backend": backend}
    run, alpha = searched(start, start[:0], alpha, relax=chosen, **limits)
    if not chosen or run.coherence > _NEARLY * alpha:
        warn_of_coherence(run, alpha)
    basis = DenseBasis(run.vectors, "optimize")
    return Made(basis, stored_coherence(run.vectors), alpha, run.n_iter, run.converged)


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


def orthonormal(columns):
    """Orthonormal columns, uniformly distributed for normal entries."""
    q, r = np.linalg.qr(columns)
    return q * np.where(np.diag(r) < 0, -1.0, 1.0)
