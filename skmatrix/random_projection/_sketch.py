"""The sketching matrices of a regression: any rows of the data, at any time, in any order."""

from dataclasses import dataclass

import array_api_compat
import numpy as np

from . import _kernels as kernels
from ._hashing import PICKS, hashes, row_signs, srht_draws, srht_places, stream_key
from ._sparse_sign import stored_columns

KINDS = ("srht", "gaussian", "sparse_sign", "countsketch", "uniform")

# Blocks of the Hadamard transform, and of everything that works on blocks of rows.
_SMALLEST_BLOCK = 1024
_LARGEST_BLOCK = 65536
# Columns of a Gaussian matrix that one call of its generator makes.
_GAUSSIAN_BLOCK = 256
# Entries of S that are made at once.
_ENTRIES = 2**22


@dataclass(frozen=True)
class Sketch:
    """A random matrix S with orthonormal columns in expectation: ``E[S^T S] = I``.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    n_components : int
        Rows of S.
    seed : int
        Seed of S.
    n_nonzero : int
        Non-zeros per column of a sparse sign matrix.
    n_samples : int or None
        Columns of S, where they are known: "uniform" needs them, "srht" saves work.
    """

    kind: str
    n_components: int
    seed: int
    n_nonzero: int = 8
    n_samples: int | None = None

    @property
    def block(self):
        """Rows of a block: a power of two, not below the length of the sketch where it can be."""
        wanted = max(self.n_components, _SMALLEST_BLOCK)
        if self.n_samples is not None:
            wanted = min(wanted, self.n_samples)
        return min(1 << (wanted - 1).bit_length(), _LARGEST_BLOCK)

    @property
    def nonzeros(self):
        """Non-zeros per column of the two kinds of sparse sign matrix."""
        wanted = 1 if self.kind == "countsketch" else self.n_nonzero
        return min(wanted, self.n_components)

    @property
    def is_sparse(self):
        """Whether S has a few non-zeros per column, so that zeros of the data cost nothing."""
        return self.kind in ("sparse_sign", "countsketch")

    def apply(self, be, M, start):
        """Contribution of consecutive rows to the sketch.

        Parameters
        ----------
        be : Backend
            Where the rows are.
        M : array of shape (n_rows, k)
            Rows, C-contiguous on the host.
        start : int
            Global index of the first row; for "srht" a multiple of `block`.

        Returns
        -------
        sketch : float64 array of shape (n_components, k)
            ``S[:, start : start + n_rows] @ M``.
        """
        shared = {"seed": self.seed, "start": start, "n_components": self.n_components}
        if self.kind == "srht":
            return kernels.srht(be, M, block=self.block, **shared)
        if self.is_sparse:
            return kernels.sparse_sign(be, M, n_nonzero=self.nonzeros, **shared)
        device, xp = array_api_compat.device(M), be.xp
        total = xp.zeros((self.n_components, M.shape[1]), dtype=xp.float64, device=device)
        if self.kind == "gaussian":
            for first, last in self.pieces(start, start + M.shape[0]):
                S = xp.asarray(self.columns(first, last), device=device)
                rows = xp.astype(M[first - start : last - start, :], xp.float64)
                total = total + xp.matmul(S, rows)
            return total
        picks = self._picks()
        inside = (picks >= start) & (picks < start + M.shape[0])
        if not inside.any():
            return total
        # In the place of a row that is not drawn here the first of these rows is read.
        rows = xp.asarray(np.where(inside, picks - start, 0), device=device)
        drawn = xp.astype(xp.take(M, rows, axis=0), xp.float64) * self._uniform_scale()
        return xp.where(xp.asarray(inside, device=device)[:, None], drawn, total)

    def apply_csr(self, be, arrays, row_weight, n_features, start):
        """The same for consecutive weighted rows of a CSR matrix.

        Parameters
        ----------
        be : Backend
            Where the rows are.
        arrays : tuple of arrays
            Values, columns and bounds of the rows, the bounds from 0.
        row_weight : array of shape (n_rows,)
            Factor of each row.
        n_features : int
            Columns of the matrix.
        start : int
            Global index of the first row; for "srht" a multiple of `block`.

        Returns
        -------
        sketch : float64 array of shape (n_components, n_features)
            The contribution.
        """
        data, indices, indptr = arrays
        if self.is_sparse:
            return kernels.sparse_sign_csr(
                be,
                data,
                indices,
                indptr,
                row_weight,
                seed=self.seed,
                start=start,
                n_components=self.n_components,
                n_nonzero=self.nonzeros,
                n_features=n_features,
            )
        xp, device = be.xp, array_api_compat.device(data)
        total = xp.zeros((self.n_components, n_features), dtype=xp.float64, device=device)
        for begin, rows in kernels.dense_blocks(
            xp, data, indices, indptr, row_weight, n_features, self.block
        ):
            total = total + self.apply(be, rows, start + begin)
        return total

    def pieces(self, start, stop):
        """Cut the rows `start` to ``stop - 1``, so that S has a bounded number of entries in each.

        Yields
        ------
        first, last : int
            Bounds of a piece; where they can be, they are those of the Gaussian blocks.
        """
        blocks = max(1, _ENTRIES // (self.n_components * _GAUSSIAN_BLOCK))
        step = blocks * _GAUSSIAN_BLOCK
        while start < stop:
            last = min((start // step + 1) * step, stop)
            yield start, last
            start = last

    def columns(self, start, stop):
        """The columns of S for rows `start` to ``stop - 1``, as a dense NumPy array."""
        if self.is_sparse:
            shape = (self.n_components, self.nonzeros)
            return stored_columns(self.seed, start, stop, *shape).toarray()
        S = np.zeros((self.n_components, stop - start))
        if self.kind == "uniform":
            picks = self._picks()
            inside = np.flatnonzero((picks >= start) & (picks < stop))
            S[inside, picks[inside] - start] = self._uniform_scale()
        elif self.kind == "gaussian":
            self._fill_gaussian(S, start, stop)
        else:
            self._fill_srht(S, start, stop)
        return S

    def _fill_gaussian(self, S, start, stop):
        """Independent normal entries of variance ``1 / n_components``, a generator per block."""
        size = _GAUSSIAN_BLOCK
        for index in range(start // size, -(-stop // size)):
            generator = np.random.Generator(np.random.Philox(key=[self.seed, index]))
            low = index * size
            first, last = max(start, low), min(stop, low + size)
            entries = generator.standard_normal((last - low, self.n_components))
            S[:, first - start : last - start] = entries[first - low :].T
        S /= np.sqrt(self.n_components)

    def _fill_srht(self, S, start, stop):
        """Entries of the Hadamard matrix by the parity of the bits that two indices share."""
        rows = np.arange(start, stop)
        position = rows % self.block
        for index in np.unique(rows // self.block):
            inside = rows // self.block == index
            places = srht_places(self.seed, int(index), self.block)[position[inside]]
            picks, values = srht_draws(self.seed, int(index), self.n_components, self.block)
            shared = picks[:, None] & places
            S[:, inside] = values[:, None] * (1.0 - 2.0 * (np.bitwise_count(shared) % 2))
        S *= row_signs(self.seed, rows) / np.sqrt(self.n_components)

    def _picks(self):
        """The rows that a uniform sample draws, with replacement."""
        h = hashes(stream_key(self.seed, PICKS), np.arange(self.n_components))
        return ((h >> np.uint64(11)).astype(np.float64) * 2.0**-53 * self.n_samples).astype(
            np.int64
        )

    def _uniform_scale(self):
        """Factor that makes a uniform sample an isometry in expectation."""
        assert self.n_samples is not None
        return (self.n_samples / self.n_components) ** 0.5
