"""Products with Kronecker products, and greedy pursuit with Kronecker factors."""

import math
from numbers import Integral, Real

import array_api_compat
import numpy as np

from .._backend import get_backend, to_numpy
from .._sklearn import Interval, validate_params
from ._kronecker_sbl_forms import (
    check_not_zero,
    factor_design,
    read_target,
    real_or_complex,
)
from ._kronecker_sbl_kernels import absolute_squares, conjugate, mode_products
from ._kronecker_sbl_problem import coefficient_unit, unitless
from ._kronecker_sbl_queries import double


@validate_params({"factors": [tuple]}, prefer_skip_nested_validation=True)
def kron_matvec(factors, x):
    """Product of a Kronecker product of matrices with vectors, without forming it.

    Parameters
    ----------
    factors : tuple of array-like of shape (m_k, n_k)
        The matrices A_1, ..., A_K, real or complex.
    x : array-like of shape (N,) or (N, L)
        One vector of length ``N = n_1 * ... * n_K``, in C order, or L of them as columns.

    Returns
    -------
    product : array of shape (M,) or (M, L)
        ``(A_1 kron ... kron A_K) x``, of length ``M = m_1 * ... * m_K``.

    Raises
    ------
    ValueError
        If lengths do not go together, or a factor is not finite.

    See Also
    --------
    KroneckerSBL : Sparse regression with such products.

    Examples
    --------
    >>> import numpy as np
    >>> from skmatrix.linear_model import kron_matvec
    >>> A, B, x = np.array([[1.0, 2.0]]), np.array([[1.0, 0.0], [1.0, -1.0]]), np.arange(4.0)
    >>> kron_matvec((A, B), x)
    array([ 4., -3.])
    >>> np.kron(A, B) @ x
    array([ 4., -3.])
    """
    design = _design(factors)
    be, xp = design.be, design.be.xp
    x = real_or_complex(be, x, "x")
    n = math.prod(design.shape)
    if x.ndim not in (1, 2) or x.shape[0] != n:
        raise ValueError(
            f"x must have {n} rows, for factors with {design.shape} columns. Got shape"
            f" {tuple(x.shape)}."
        )
    columns = xp.reshape(x, (n, -1))
    _, dtype = design.dtypes(x)
    tensor = xp.reshape(columns.T, (columns.shape[1], *design.shape))
    tensor, *matrices = (xp.astype(a, dtype, copy=False) for a in (tensor, *design.factors))
    size = (columns.shape[1], math.prod(design.row_shape))
    product = xp.reshape(mode_products(be, tensor, *matrices), size)
    return product[0, :] if x.ndim == 1 else product.T


@validate_params(
    {
        "factors": [tuple],
        "n_nonzero": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "tol": [Interval(Real, 0, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def kronecker_omp(factors, y, *, n_nonzero, tol=0.0):
    """Kronecker orthogonal matching pursuit: sparse coefficients on a product of index sets.

    In each step the product of columns that the residual correlates with most adds an index to each
    factor; the coefficients are then the least-squares solution on the product of the index sets.
    It is fast, and a wrong index stays: :class:`KroneckerSBL` recovers supports far more often.

    Parameters
    ----------
    factors : tuple of array-like of shape (m_k, n_k)
        The factors A_1, ..., A_K, real or complex.
    y : array-like
        M measurements, of shape (M,), or (M, L) for L snapshots with the same support, or
        (m_1, ..., m_K), or (m_1, ..., m_K, L).
    n_nonzero : int or sequence of int
        Indices of each factor at most; one number for all, or one for each.
    tol : float, default=0.0
        Norm of the residual, in units of that of y, at which the search ends.

    Returns
    -------
    coef : array of shape (N,) or (L, N)
        Coefficients.
    support : list of ndarray
        Indices of each factor, sorted.

    Raises
    ------
    ValueError
        If the arguments do not go together, or a factor is zero or not finite.

    See Also
    --------
    KroneckerSBL : Slower, and much more often right.

    References
    ----------
    .. [1] Cesar F. Caiafa, Andrzej Cichocki, "Computing Sparse Representations of Multidimensional
       Signals Using Kronecker Bases", Neural Computation 25(1), 2013. :doi:`10.1162/NECO_a_00385`

    Examples
    --------
    >>> from skmatrix.datasets import make_kronecker_sparse
    >>> from skmatrix.linear_model import kronecker_omp
    >>> factors, y, truth = make_kronecker_sparse(n_nonzero=1, random_state=0)
    >>> coef, support = kronecker_omp(factors, y, n_nonzero=1)
    >>> [found.tolist() for found in support] == [true.tolist() for true in truth.support]
    True
    """
    design = _design(factors)
    check_not_zero(design)
    limits = _limits(n_nonzero, design)
    data, layout = read_target(design, y)
    be, xp = design.be, design.be.xp
    _, dtype = design.dtypes(data)
    data, *matrices = double(be, data, *design.factors)
    data, unit = unitless(xp, data)
    matrices, units = zip(*(unitless(xp, matrix) for matrix in matrices), strict=True)
    residual, total = data, float(xp.sum(absolute_squares(xp, data)))
    chosen: list = [[] for _ in matrices]
    device = array_api_compat.device(data)
    coef = xp.zeros((data.shape[0], *(0,) * len(matrices)), dtype=data.dtype, device=device)
    while any(len(indices) < limit for indices, limit in zip(chosen, limits, strict=True)):
        place = _best_place(be, residual, matrices, chosen, limits)
        if place is None:
            break
        for indices, index in zip(chosen, place, strict=True):
            if index not in indices:
                indices.append(index)
        columns = [
            xp.take(matrix, xp.asarray(indices, device=device), axis=1)
            for matrix, indices in zip(matrices, chosen, strict=True)
        ]
        coef = mode_products(be, data, *map(xp.linalg.pinv, columns))
        residual = data - mode_products(be, coef, *columns)
        if float(xp.sum(absolute_squares(xp, residual))) <= tol**2 * total:
            break
    full = np.zeros((data.shape[0], *design.shape), dtype=to_numpy(coef).dtype)
    full[np.ix_(np.arange(data.shape[0]), *chosen)] = to_numpy(coef)
    full = full * coefficient_unit(unit, units)
    full = full.reshape(data.shape[0], -1) if layout.snapshots else full.ravel()
    return be.unload_as(full, dtype), [np.sort(np.array(indices, dtype=int)) for indices in chosen]


def _best_place(be, residual, matrices, chosen, limits):
    """Indices of the columns with the largest correlation, None if all of them were chosen.

    A factor that has all of its indices offers no others.
    """
    xp = be.xp
    rotations = []
    for matrix in matrices:
        norms = xp.sqrt(xp.sum(absolute_squares(xp, matrix), axis=0))
        unit = matrix / xp.where(norms > 0, norms, xp.ones_like(norms))
        rotations.append(conjugate(xp, unit).T)
    strength = to_numpy(mode_products(be, residual, *rotations))
    strength = np.sum(np.abs(strength) ** 2, axis=0)
    for mode, (indices, limit) in enumerate(zip(chosen, limits, strict=True)):
        if len(indices) >= limit:
            closed = np.setdiff1d(np.arange(strength.shape[mode]), indices)
            strength[(slice(None),) * mode + (closed,)] = -1
    place = np.unravel_index(int(np.argmax(strength)), strength.shape)
    known = all(index in indices for index, indices in zip(place, chosen, strict=True))
    return None if known or strength[place] <= 0 else [int(index) for index in place]


def _limits(n_nonzero, design):
    """Largest number of indices of each factor."""
    K = len(design.factors)
    limits = [n_nonzero] * K if isinstance(n_nonzero, Integral) else list(n_nonzero)
    if len(limits) != K or not all(isinstance(n, Integral) and int(n) >= 1 for n in limits):
        raise ValueError(
            f"n_nonzero must be an integer of at least 1, or one for each of the {K} factors. Got"
            f" {n_nonzero!r}."
        )
    bounds = (min(factor.shape) for factor in design.factors)
    return [min(int(limit), bound) for limit, bound in zip(limits, bounds, strict=True)]


def _design(factors):
    """Design of a tuple of factors."""
    if not factors:
        raise ValueError("factors is empty. Pass a matrix at least.")
    return factor_design(get_backend("auto", factors[0]), "factors", factors)
