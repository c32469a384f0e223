"""Cosines with many fixed unit vectors, as array-API functions.

Equation numbers are those of the Notes of :func:`make_ebv` and :class:`EBVClassifier`.
"""

import array_api_compat

from .._backend import kernel
from ..random_projection._kernels import fwht
from ._basis import column_signs

# Cosines that are held at once.
_CELLS = 2**20


@kernel()
def hinge_gradient(xp, V, fixed, *, alpha):
    """Cosines above a bound: their squared excess, and its gradient (2), (3).

    Parameters
    ----------
    xp : module
        Array namespace.
    V : array of shape (n, d)
        Unit vectors that move.
    fixed : array of shape (n_fixed, d)
        Unit vectors that do not.
    alpha : float
        The bound.

    Returns
    -------
    gradient : array of shape (n, d)
        Derivatives, without the parts along the vectors themselves.
    loss : array of shape ()
        Half the sum of the squared excesses over pairs.
    largest : array of shape ()
        Largest absolute cosine.
    """
    n = V.shape[0]
    step = max(1, _CELLS // (n + fixed.shape[0]))
    device = array_api_compat.device(V)
    identity = xp.eye(min(step, n), dtype=V.dtype, device=device)
    loss = largest = xp.zeros((), dtype=V.dtype, device=device)
    parts = []
    for begin in range(0, n, step):
        rows = V[begin : min(begin + step, n), :]
        size = rows.shape[0]
        cosines = xp.matmul(rows, V.T)
        own = cosines[:, begin : begin + size]
        cosines[:, begin : begin + size] = own * (1 - identity[:size, :size])
        total = xp.zeros_like(rows)
        # Pairs of moving vectors are met twice.
        for other, C, share in ((V, cosines, 0.25), (fixed, xp.matmul(rows, fixed.T), 0.5)):
            if other.shape[0] == 0:
                continue
            # The part of a cosine beyond -alpha to alpha.
            excess = C - xp.clip(C, -alpha, alpha)
            total = total + xp.matmul(excess, other)
            loss = loss + share * xp.sum(excess * excess)
            largest = xp.maximum(largest, xp.maximum(xp.max(C), -xp.min(C)))
        along = xp.sum(total * rows, axis=1, keepdims=True)
        parts.append(total - along * rows)
    return xp.concat(parts), loss, largest


@kernel(numba="skmatrix.neural_network._ebv_numba:best_hadamard")
def best_hadamard(xp, Z, phases, branch, shift, *, n_blocks, n_vectors):
    """Nearest of the vectors of a union of Hadamard bases, by fast transforms (9).

    Parameters
    ----------
    xp : module
        Array namespace.
    Z : array of shape (n_samples, order)
        Vectors.
    phases : int8 array of shape (n_branches, n)
        Signs by logarithm.
    branch, shift : int64 array of shape (order,)
        Where the sign of a column is found, as for `sign_tables`.
    n_blocks : int
        Number of Hadamard matrices, after which unit vectors follow.
    n_vectors : int
        Number of vectors that count.

    Returns
    -------
    product : array of shape (n_samples,)
        Largest inner product.
    index : int64 array of shape (n_samples,)
        Place of its vector, the first of several.
    """
    n, d = Z.shape
    device = array_api_compat.device(Z)
    best = xp.full((n,), -xp.inf, dtype=Z.dtype, device=device)
    index = xp.zeros((n,), dtype=xp.int64, device=device)
    for begin in range(0, n_vectors, d):
        block = begin // d
        product = Z
        if block < n_blocks:
            here = xp.full((1,), block, dtype=xp.int64, device=device)
            signs = column_signs(xp, (phases, branch, shift), here)
            product = fwht.reference(xp, (Z * xp.astype(signs, Z.dtype)).T).T / d**0.5
        product = product[:, : min(d, n_vectors - begin)]
        top = xp.max(product, axis=1)
        index = xp.where(top > best, xp.argmax(product, axis=1) + begin, index)
        best = xp.maximum(top, best)
    return best, index
