"""Rows of unit length, and the cosines between them."""

from typing import NamedTuple

import numpy as np

# Rows on either side of a block of cosines.
BLOCK = 1024


class Cosine(NamedTuple):
    """A cosine between two rows.

    Attributes
    ----------
    value : float
        The cosine.
    first, second : int
        Places of the rows.
    """

    value: float
    first: int
    second: int


def unit_rows(V, name="V"):
    """Rows scaled to unit length, of any size that a float has.

    Parameters
    ----------
    V : float64 ndarray of shape (n, d)
        Vectors.
    name : str, default="V"
        What the matrix is called in errors.

    Returns
    -------
    unit : float64 ndarray of shape (n, d)
        The scaled rows.
    norm : float64 ndarray of shape (n,)
        Their lengths before; infinite where they are above all floats.

    Raises
    ------
    ValueError
        If a row is zero.
    """
    # Divided first, because squares of large numbers overflow, and those of small ones vanish.
    largest = np.abs(V).max(axis=1, initial=0.0, keepdims=True)
    if not largest.all():
        raise ValueError(f"{name} has a zero vector in row {int(np.argmin(largest))}.")
    unit = V / largest
    norm = np.linalg.norm(unit, axis=1, keepdims=True)
    unit /= norm
    with np.errstate(over="ignore"):
        return unit, (largest * norm)[:, 0]


def cosine_blocks(A, B=None, size=BLOCK):
    """Cosines between rows, a block of them at a time.

    Parameters
    ----------
    A : float64 ndarray of shape (n, d)
        Unit rows.
    B : float64 ndarray of shape (m, d), default=None
        Other unit rows. None stands for pairs of different rows of A.
    size : int, default=BLOCK
        Rows on either side of a block.

    Yields
    ------
    first, second : int
        Places of the first rows of the block.
    cosines : float64 ndarray of shape (at most size, at most size)
        The cosines; zero where a pair of rows of A is met elsewhere.
    """
    others = A if B is None else B
    for first in range(0, len(A), size):
        rows = A[first : first + size]
        for second in range(first if B is None else 0, len(others), size):
            cosines = rows @ others[second : second + size].T
            if B is None and second == first:
                cosines = np.triu(cosines, 1)
            yield first, second, cosines


def largest_cosine(A, B=None, *, signed=False):
    """Largest cosine between rows.

    Parameters
    ----------
    A, B : as for :func:`cosine_blocks`
        Unit rows.
    signed : bool, default=False
        Whether opposite rows count as far apart. Otherwise absolute cosines are compared.

    Returns
    -------
    cosine : Cosine
        The largest, with its sign or without, and its pair; 0 if none is above.
    """
    best = Cosine(0.0, -1, -1)
    for first, second, cosines in cosine_blocks(A, B):
        if not signed:
            np.abs(cosines, out=cosines)
        if cosines.size and cosines.max() > best.value:
            i, j = np.unravel_index(np.argmax(cosines), cosines.shape)
            best = Cosine(float(cosines[i, j]), first + int(i), second + int(j))
    return best
