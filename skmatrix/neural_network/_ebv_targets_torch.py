"""Inner products with the vectors of the classes on torch, a piece of them at a time."""

from functools import cached_property

import numpy as np
import torch
from scipy.linalg import hadamard

from ._basis import column_signs


class StoredPiece:
    """Stored vectors.

    Parameters
    ----------
    vectors : Tensor of shape (n, dim)
        The vectors.
    """

    def __init__(self, vectors):
        self._vectors = vectors

    def products(self, z):
        """Inner products with vectors: z V^T."""
        return z @ self._vectors.T

    def combined(self, P):
        """Combinations of vectors: P V."""
        return P @ self._vectors


class HadamardPiece:
    """Rows of a few signed Hadamard matrices, by fast transforms.

    Parameters
    ----------
    signs : Tensor of shape (n_blocks, order)
        Signs of the columns of each matrix.
    n_vectors : int
        Rows that count, from the first.
    factors : pair of Tensor
        Matrices whose Kronecker product is the Hadamard matrix over the root of its order.
    """

    def __init__(self, signs, n_vectors, factors):
        self._signs = signs
        self._n_vectors = n_vectors
        self._factors = factors

    def products(self, z):
        """Inner products with vectors, of shape (n_samples, n_vectors)."""
        order = self._signs.shape[1]
        turned = self._transformed(z[:, None, :order] * self._signs)
        return turned.reshape(z.shape[0], -1)[:, : self._n_vectors]

    def combined(self, P):
        """Combinations of vectors, of shape (n_samples, order)."""
        n_blocks, order = self._signs.shape
        missing = n_blocks * order - self._n_vectors
        if missing:
            P = torch.nn.functional.pad(P, (0, missing))
        turned = self._transformed(P.reshape(P.shape[0], n_blocks, order))
        return torch.einsum("nbu,bu->nu", turned, self._signs)

    def _transformed(self, a):
        """Transform of the last axis."""
        left, right = self._factors
        turned = left @ (a.reshape(-1, left.shape[0], right.shape[0]) @ right)
        return turned.reshape(a.shape)


class TorchTargets:
    """The vectors of the classes on a device.

    Parameters
    ----------
    targets : Targets
        The vectors.
    chunk : int
        Vectors of a piece.
    dtype : torch.dtype
        Precision.
    device : torch.device
        Where products are made.
    positions : int64 ndarray of shape (n_vectors,), default=None
        Position of each class; None if they are in order.

    Attributes
    ----------
    positions, codes : int64 Tensor of shape (n_vectors,) or None
        Position of each class, and class of each position; None if they are the same.
    """

    def __init__(self, targets, chunk, dtype, device, positions=None):
        self.dtype = dtype
        self.device = device
        self.n_vectors = len(targets)
        self._targets = targets
        self._chunk = chunk
        self.positions = self.codes = None
        if positions is not None and (np.diff(positions) < 0).any():
            self.positions = torch.as_tensor(positions, device=device)
            self.codes = self.positions.argsort()
        self._stored = None
        if targets.is_stored:
            self._stored = self._tensor(targets.rows(0, self.n_vectors))
        else:
            self._factors = self._hadamard_factors(targets.basis.order)
            self._tables = [
                torch.as_tensor(np.array(table), device=device) for table in targets.basis.tables
            ]

    @cached_property
    def mean(self):
        """Mean of all vectors."""
        # Its first use may be without gradients, another one with them.
        with torch.inference_mode(False):
            return self._tensor(self._targets.mean())

    def take(self, position):
        """Vectors at positions.

        Parameters
        ----------
        position : int64 Tensor of shape (n,)
            The positions.

        Returns
        -------
        vectors : Tensor of shape (n, dim)
            The vectors.
        """
        if self._stored is not None:
            return self._stored[position]
        left, right = self._factors
        order = self._targets.basis.order
        block, row = position // order, position % order
        outer, inner = row // len(right), row % len(right)
        rows = (left[outer, :, None] * right[inner, None, :]).reshape(-1, order)
        vectors = rows.new_zeros(len(rows), self._targets.basis.dim)
        vectors[:, :order] = rows * self._signs(block)
        if self.n_vectors > self._in_matrices:
            others = torch.nonzero(position >= self._in_matrices).flatten()
            places = position[others].cpu().numpy()
            vectors[others] = self._tensor(self._targets.take(places))
        return vectors

    @property
    def _in_matrices(self):
        """Vectors that are rows of Hadamard matrices."""
        basis = self._targets.basis
        return min(self._targets.n_used, basis.n_blocks * basis.order)

    def _signs(self, block):
        """Signs of the columns of matrices, looked up where products are made."""
        return column_signs(torch, self._tables, block).to(self.dtype)

    @property
    def closed_form(self):
        """Basis and its number of vectors, if they are not stored."""
        if self._stored is not None:
            return None
        return self._targets.basis, self._targets.n_used

    def pieces(self, begin=0):
        """Pieces of the vectors, one after the other.

        Parameters
        ----------
        begin : int, default=0
            First position: 0, or behind all matrices.

        Yields
        ------
        begin : int
            Position of the first vector of a piece.
        piece : StoredPiece or HadamardPiece
            The piece.
        """
        if self._stored is None:
            yield from self._matrices(begin)
            begin = max(begin, self._in_matrices)
        for first in range(begin, self.n_vectors, self._chunk):
            last = min(first + self._chunk, self.n_vectors)
            if self._stored is None:
                rows = self._tensor(self._targets.rows(first, last))
            else:
                rows = self._stored[first:last]
            yield first, StoredPiece(rows)

    def _matrices(self, begin):
        """Pieces of whole Hadamard matrices."""
        order, stop = self._targets.basis.order, self._in_matrices
        step = max(1, self._chunk // order) * order
        for first in range(begin, stop, step):
            last = min(first + step, stop)
            blocks = torch.arange(first // order, -(-last // order), device=self.device)
            yield first, HadamardPiece(self._signs(blocks), last - first, self._factors)

    def _hadamard_factors(self, order):
        """Two matrices whose Kronecker product is orthogonal, with entries of one size."""
        bits = order.bit_length() - 1
        sizes = 2 ** (bits - bits // 2), 2 ** (bits // 2)
        return tuple(self._tensor(hadamard(size) / np.sqrt(size)) for size in sizes)

    def _tensor(self, array):
        """An array on the device."""
        return torch.as_tensor(np.array(array), dtype=self.dtype, device=self.device)
