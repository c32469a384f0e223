"""How near to orthogonal many vectors are, and how near they can be."""

from math import comb
from numbers import Integral
from typing import NamedTuple

import numpy as np
from sklearn.utils import check_array, check_scalar

from ._unit_vectors import BLOCK, cosine_blocks, unit_rows

# Orders of the Welch bound that are tried: higher ones are weaker where vectors are few.
_WELCH_ORDERS = 8


class Coherence(NamedTuple):
    """Absolute cosines between different vectors.

    Attributes
    ----------
    max : float
        The largest: the coherence.
    mean : float
        Their mean.
    rms : float
        Their root mean square.
    """

    max: float
    mean: float
    rms: float


def coherence(V, chunk=BLOCK):
    """Absolute cosines between the rows of a matrix: the largest, and two means.

    Parameters
    ----------
    V : array-like of shape (n_vectors, dim)
        Vectors, scaled to unit length here.
    chunk : int, default=1024
        Rows on either side of a block of cosines: ``chunk ** 2`` of them are held at a time.

    Returns
    -------
    coherence : Coherence
        Tuple of ``max``, ``mean`` and ``rms`` over all pairs.

    Raises
    ------
    ValueError
        If there are fewer than two vectors, or one of them is zero.

    See Also
    --------
    coherence_bounds : How small the largest can be.

    Examples
    --------
    >>> from skmatrix.neural_network import coherence
    >>> coherence([[1, 0], [0, 2], [1, 1]]).max.round(4)
    np.float64(0.7071)
    """
    check_scalar(chunk, "chunk", Integral, min_val=1)
    V = check_array(V, dtype=np.float64, ensure_min_samples=2, input_name="V")
    V, _ = unit_rows(V)
    top = total = squares = 0.0
    for _, _, cosines in cosine_blocks(V, size=int(chunk)):
        np.abs(cosines, out=cosines)
        top = max(top, cosines.max())
        total += cosines.sum()
        squares += np.vdot(cosines, cosines)
    pairs = comb(len(V), 2)
    return Coherence(np.float64(top), np.float64(total / pairs), np.sqrt(squares / pairs))


def coherence_bounds(n_vectors, dim):
    r"""Lower bounds of the largest cosine between unit vectors.

    Parameters
    ----------
    n_vectors : int
        Number of vectors K, at least 2.
    dim : int
        Their length d.

    Returns
    -------
    bounds : dict
        Bounds of the largest absolute cosine, 0 where they say nothing: "welch", of the first
        order [1]_; "welch_higher", the best of orders 2 to 8; "orthoplex" [2]_ and "levenshtein"
        [3]_, for more than d (d + 1) / 2 vectors; and "best", their maximum. "rankin" bounds the
        largest cosine with its sign.

    See Also
    --------
    coherence : What a set of vectors has.

    Notes
    -----
    "welch" is :math:`\sqrt{(K - d) / (d (K - 1))}`; that of order k,
    :math:`\left((K / \binom{d + k - 1}{k} - 1) / (K - 1)\right)^{1 / (2 k)}`; "orthoplex",
    :math:`1 / \sqrt{d}`; "levenshtein", :math:`\sqrt{(3 K - d^2 - 2 d) / ((d + 2) (K - d))}`;
    "rankin", :math:`-1 / (K - 1)` for up to d + 1 vectors, and 0 for more.

    References
    ----------
    .. [1] Lloyd Welch, "Lower Bounds on the Maximum Cross Correlation of Signals", IEEE
       Transactions on Information Theory, 1974.

    .. [2] John Conway, Ronald Hardin, Neil Sloane, "Packing Lines, Planes, etc.: Packings in
       Grassmannian Spaces", Experimental Mathematics, 1996.

    .. [3] Vladimir Levenshtein, "Bounds on the Maximal Cardinality of a Code with Bounded Modulus
       of the Inner Product", Soviet Mathematics Doklady, 1982.

    Examples
    --------
    >>> from skmatrix.neural_network import coherence_bounds
    >>> round(coherence_bounds(1000, 100)["best"], 4)
    0.0949
    """
    check_scalar(n_vectors, "n_vectors", Integral, min_val=2)
    check_scalar(dim, "dim", Integral, min_val=1)
    K, d = int(n_vectors), int(dim)
    bounds = {"welch": _welch(K, d, 1)}
    bounds["welch_higher"] = max(_welch(K, d, order) for order in range(2, _WELCH_ORDERS + 1))
    crowded = d * (d + 1) < 2 * K
    bounds["orthoplex"] = d**-0.5 if crowded else 0.0
    bounds["levenshtein"] = (
        float(np.sqrt((3 * K - d * d - 2 * d) / ((d + 2) * (K - d)))) if crowded else 0.0
    )
    bounds["best"] = max(bounds.values())
    bounds["rankin"] = -1 / (K - 1) if d + 1 >= K else 0.0
    return bounds


def _welch(K, d, order):
    """The Welch bound of an order."""
    excess = K / comb(d + order - 1, order) - 1
    return (max(excess, 0.0) / (K - 1)) ** (0.5 / order)
