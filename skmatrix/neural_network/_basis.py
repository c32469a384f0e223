"""Sets of unit vectors: stored ones, and unions of Hadamard bases that need no table."""

from functools import cache

import numpy as np

from ._binary_fields import logarithms, traces

# Orders for which there is a field.
KERDOCK_ORDERS = (4, 16, 64, 256, 1024, 4096, 16384)
GOLD_ORDERS = (8, 32, 128, 512, 2048, 8192)


class DenseBasis:
    """Stored unit vectors.

    Parameters
    ----------
    vectors : float64 ndarray of shape (n_max, dim)
        The vectors.
    kind : str
        How they were made.

    Attributes
    ----------
    kind : str
        How they were made.
    dim : int
        Length of a vector.
    n_max : int
        Number of vectors.
    """

    def __init__(self, vectors, kind):
        self.kind = kind
        self._vectors = vectors

    @property
    def dim(self):
        """Length of a vector."""
        return self._vectors.shape[1]

    @property
    def n_max(self):
        """Number of vectors."""
        return self._vectors.shape[0]

    def rows(self, begin, end):
        """Consecutive vectors."""
        return self._vectors[begin:end]

    def take(self, index):
        """Vectors at places."""
        return self._vectors[index]

    def dense(self):
        """All vectors."""
        return self._vectors


class HadamardBasis:
    r"""Rows of Hadamard matrices with signed columns, and the unit vectors.

    Parameters
    ----------
    kind : {"kerdock", "gold"}
        The signs.
    order : int
        Order d of the matrices: for "kerdock" a power of 4, for "gold" a power of 2 that is no
        power of 4.
    dim : int
        Length of a vector, padded with zeros from the order on.

    Attributes
    ----------
    kind : {"kerdock", "gold"}
        The signs.
    order : int
        Order of the matrices.
    dim : int
        Length of a vector.
    n_blocks : int
        Number of matrices: d / 2 for "kerdock", d for "gold".
    n_max : int
        Number of vectors: those of the matrices and d unit vectors.
    coherence : float
        Largest absolute cosine between vectors of two matrices.
    """

    def __init__(self, kind, order, dim):
        orders = KERDOCK_ORDERS if kind == "kerdock" else GOLD_ORDERS
        if order not in orders:
            raise ValueError(f"order={order} must be among {orders} for kind={kind!r}.")
        if dim < order:
            raise ValueError(f"dim={dim} must be at least order={order}.")
        self.kind = kind
        self.order = order
        self.dim = dim

    @property
    def n_blocks(self):
        """Number of Hadamard matrices."""
        return self.order // 2 if self.kind == "kerdock" else self.order

    @property
    def n_max(self):
        """Number of vectors."""
        return (self.n_blocks + 1) * self.order

    @property
    def coherence(self):
        """Largest absolute cosine."""
        return float(np.sqrt((1 if self.kind == "kerdock" else 2) / self.order))

    def coherence_of_first(self, n_vectors):
        """Largest absolute cosine between the first vectors: those of one matrix are orthogonal."""
        return self.coherence if n_vectors > self.order else 0.0

    @property
    def tables(self):
        """What signs are looked up in: see :func:`sign_tables`."""
        return sign_tables(self.kind, self.order)

    def signs(self, block):
        """Signs of the columns of matrices.

        Parameters
        ----------
        block : int64 ndarray of shape (n,)
            Numbers of matrices.

        Returns
        -------
        signs : int8 ndarray of shape (n, order)
            1 and -1.
        """
        return column_signs(np, self.tables, block)

    def take(self, index):
        """Vectors at places.

        Parameters
        ----------
        index : int64 ndarray of shape (n,)
            Places, from 0 to `n_max` - 1.

        Returns
        -------
        vectors : float64 ndarray of shape (n, dim)
            The vectors.
        """
        index = np.asarray(index, dtype=np.int64)
        d = self.order
        block, row = np.divmod(index, d)
        vectors = np.zeros((index.size, self.dim))
        unit = block == self.n_blocks
        vectors[np.flatnonzero(unit), row[unit]] = 1.0
        odd = np.bitwise_count(row[~unit, None] & np.arange(d)) & 1
        vectors[~unit, :d] = self.signs(block[~unit]) * (1.0 - 2.0 * odd) / np.sqrt(d)
        return vectors

    def rows(self, begin, end):
        """Consecutive vectors."""
        return self.take(np.arange(begin, min(end, self.n_max)))

    def dense(self):
        """All vectors."""
        return self.rows(0, self.n_max)


def column_signs(xp, tables, block):
    """Signs of the columns of matrices.

    Parameters
    ----------
    xp : module
        Array namespace.
    tables : tuple of array
        Those of :func:`sign_tables`.
    block : int64 array of shape (n,)
        Numbers of matrices.

    Returns
    -------
    signs : int8 array of shape (n, order)
        1 and -1.
    """
    phases, branch, shift = tables
    period = phases.shape[1]
    place = branch * period + (shift + block[:, None] - 1) % period
    signs = xp.take(xp.reshape(phases, (-1,)), xp.reshape(place, (-1,)))
    signs = xp.reshape(signs, place.shape)
    return xp.where((block[:, None] == 0) | (shift < 0), xp.ones_like(signs), signs)


@cache
def sign_tables(kind, order):
    r"""Tables that the signs of all matrices are read from.

    The sign of column u in matrix b > 0 is ``phases[branch[u], (b - 1 + shift[u]) % n]``, as b
    stands for the field element s = g**(b - 1) of the generator g; it is 1 where ``shift[u] < 0``,
    and in matrix 0. With Tr the trace to {0, 1}, matrix s has the signs (-1)**Q, where for "gold"

    ``Q(x) = Tr(s x**3)``, and for "kerdock", with u = (b, x),

    ``Q(b, x) = sum_{i = 1}^{(m - 2) / 2} Tr((s x)**(2**i + 1)) + b Tr(s x)``.

    Parameters
    ----------
    kind : {"kerdock", "gold"}
        The signs.
    order : int
        Order 2**m of the matrices.

    Returns
    -------
    phases : int8 ndarray of shape (2 or 1, n)
        Signs by the logarithm of the element: s x, or s x**3.
    branch : int64 ndarray of shape (order,)
        Row of `phases` for a column: b.
    shift : int64 ndarray of shape (order,)
        Logarithm of x, or of x**3; -1 for x = 0.
    """
    m = order.bit_length() - 1
    if kind == "gold":
        phases = traces(m)[None]
        shift = np.concatenate([[-1], 3 * logarithms(m) % (order - 1)])
        branch = np.zeros(order, dtype=np.int64)
    else:
        n_bits = m - 1
        quadratic = np.zeros(2**n_bits - 1, dtype=np.int64)
        for i in range(1, (m - 2) // 2 + 1):
            quadratic ^= traces(n_bits, 2**i + 1)
        phases = np.stack([quadratic, quadratic ^ traces(n_bits)])
        shift = np.tile(np.concatenate([[-1], logarithms(n_bits)]), 2)
        branch = np.repeat([0, 1], 2**n_bits)
    tables = (1 - 2 * phases).astype(np.int8), branch, shift
    for table in tables:
        table.setflags(write=False)
    return tables
