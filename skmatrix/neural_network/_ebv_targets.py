"""The unit vectors in use: the first of a basis, then those that were enrolled."""

import numpy as np

from ._basis import HadamardBasis
from ._ebv_scores import CHUNK

# Numbers of a closed form that are stored all the same, because plain products are then quicker.
_STORED = 2**20


class Targets:
    """Vectors of the classes, by position.

    Parameters
    ----------
    basis : DenseBasis or HadamardBasis
        Where classes take their vectors from, one after the other.
    n_used : int
        Vectors of the basis that are taken.
    enrolled : float64 ndarray of shape (n_enrolled, dim)
        Further vectors, whose positions come after those of the basis.

    Attributes
    ----------
    basis, n_used, enrolled
        As given.
    """

    def __init__(self, basis, n_used, enrolled=None):
        self.basis = basis
        self.n_used = n_used
        self.enrolled = np.zeros((0, basis.dim)) if enrolled is None else enrolled

    def __len__(self):
        return self.n_used + len(self.enrolled)

    @property
    def is_stored(self):
        """Whether the vectors of the basis are stored, or few enough to be."""
        if not isinstance(self.basis, HadamardBasis) or self.n_used <= self.basis.order:
            return True
        return self.n_used * self.basis.dim <= _STORED

    def take(self, position):
        """Vectors at positions, a float64 ndarray of shape (n, dim)."""
        position = np.asarray(position)
        vectors = np.empty((position.size, self.basis.dim))
        inside = position < self.n_used
        vectors[inside] = self.basis.take(position[inside])
        vectors[~inside] = self.enrolled[position[~inside] - self.n_used]
        return vectors

    def rows(self, begin, end):
        """Vectors at consecutive positions."""
        parts = [self.basis.rows(begin, min(end, self.n_used))] if begin < self.n_used else []
        if end > self.n_used:
            parts.append(self.enrolled[max(begin - self.n_used, 0) : end - self.n_used])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def mean(self):
        """Mean of all vectors."""
        total = np.zeros(self.basis.dim)
        first = 0
        if isinstance(self.basis, HadamardBasis):
            # The rows of a whole matrix cancel but in the first column, whose sign is always 1.
            order = self.basis.order
            first = min(self.n_used // order, self.basis.n_blocks) * order
            total[0] = first / np.sqrt(order)
        for begin in range(first, len(self), CHUNK):
            total += self.rows(begin, min(begin + CHUNK, len(self))).sum(axis=0)
        return total / len(self)
