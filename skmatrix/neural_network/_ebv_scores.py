"""The nearest of many unit vectors, in pieces of them."""

import numpy as np

from .._backend import to_numpy
from ._basis import HadamardBasis
from ._ebv_kernels import best_hadamard

# Number of classes up to which there is one dimension for each, and the dimension beyond.
_ONE_EACH = 1024
# A closed form with enough vectors for any number of classes.
_LARGEST = 4096
# Vectors that are held at once, and samples.
CHUNK = 4096
_SAMPLES = 4096


def chosen_dim(dim, n_classes):
    """Length of the vectors: what the user chose, or the rule for "auto"."""
    if dim != "auto":
        return int(dim)
    if n_classes <= _ONE_EACH:
        return n_classes
    return _ONE_EACH if n_classes <= HadamardBasis("kerdock", _ONE_EACH, 1024).n_max else _LARGEST


def nearest(be, Z, basis, n_vectors):
    """Vectors with the largest inner products.

    Parameters
    ----------
    be : Backend
        Engine.
    Z : ndarray of shape (n_samples, dim)
        Samples.
    basis : DenseBasis or HadamardBasis
        The vectors.
    n_vectors : int
        How many of them count, from the first.

    Returns
    -------
    product : ndarray of shape (n_samples,)
        Largest inner products.
    index : int64 ndarray of shape (n_samples,)
        Places of their vectors, the first of several.
    """
    product = np.empty(len(Z), dtype=Z.dtype)
    index = np.empty(len(Z), dtype=np.int64)
    # Blocks of vectors outside, so that they are made once for many samples.
    for start in range(0, len(Z), _SAMPLES):
        part = slice(start, start + _SAMPLES)
        if isinstance(basis, HadamardBasis) and n_vectors > basis.order:
            rows = np.ascontiguousarray(Z[part, : basis.order])
            best, where = best_hadamard(
                be,
                *be.load(rows, *basis.tables),
                n_blocks=basis.n_blocks,
                n_vectors=n_vectors,
            )
        else:
            best, where = _best_stored(be, Z[part], basis, n_vectors)
        product[part], index[part] = to_numpy(best), to_numpy(where)
    return product, index


def _best_stored(be, Z, basis, n_vectors):
    """Nearest vectors by matrix products with a few thousand at a time."""
    xp, points = be.xp, be.load(Z)

    def pieces():
        for begin in range(0, n_vectors, CHUNK):
            rows = basis.rows(begin, min(begin + CHUNK, n_vectors)).astype(Z.dtype)
            product = xp.matmul(points, be.load(rows).T)
            yield xp.max(product, axis=1), xp.argmax(product, axis=1) + begin

    return best_of(xp, pieces())


def best_of(xp, pieces):
    """Largest of numbers that come in pieces, and where they are.

    Parameters
    ----------
    xp : module
        Array namespace.
    pieces : iterable of pair of array of shape (n_samples,)
        Largest numbers of a piece, and their places.

    Returns
    -------
    best : array of shape (n_samples,)
        Largest numbers of all.
    index : int64 array of shape (n_samples,)
        Their places; of equal numbers the first.
    """
    best = index = None
    for top, where in pieces:
        if best is not None:
            ahead = (top > best) | ((top == best) & (where < index))
            top, where = xp.where(ahead, top, best), xp.where(ahead, where, index)
        best, index = top, where
    return best, index
