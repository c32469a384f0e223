"""Rows of dask arrays as samples of a neural fit.

The network is trained where the fit was called. It asks for one block of rows after the other,
which the workers have read, scaled and rounded to the precision of the network.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array

from ._blocks import as_row_blocks, broadcast, map_reduce


@dataclass(frozen=True)
class BlockRows:
    """Some of the rows of a dask array.

    Attributes
    ----------
    array : dask array of shape (n_rows, ...)
        All rows, whose number is known.
    blocks : list of Delayed
        Blocks of them.
    bounds : int64 ndarray of shape (n_blocks + 1,)
        Index of each block's first row, and number of rows.
    rows : int64 ndarray of shape (n_samples,)
        Those rows that count, sorted.
    owner : str
        Whose fit it is, for errors.
    """

    array: Any
    blocks: list
    bounds: np.ndarray
    rows: np.ndarray
    owner: str

    @classmethod
    def of(cls, array, owner):
        """All rows of a dask array."""
        parts, starts = as_row_blocks(array)
        bounds = np.append(starts, array.shape[0])
        return cls(array, [block for (block,) in parts], bounds, np.arange(bounds[-1]), owner)

    @property
    def shape(self):
        """Number of samples, and shape of one."""
        return len(self.rows), *self.array.shape[1:]

    @property
    def ndim(self):
        """Number of dimensions."""
        return self.array.ndim

    @property
    def kept(self):
        """The rows that count, as a dask array."""
        return self.array if len(self.rows) == self.bounds[-1] else self.array[self.rows]

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, kept):
        """Rows at sorted places, or where a mask is true."""
        return replace(self, rows=self.rows[kept])

    def scaling(self, weight):
        """Weighted means and standard deviations; see :func:`weighted_scaling`.

        Parameters
        ----------
        weight : float64 ndarray of shape (n_samples,)
            Weights of the rows, positive.

        Returns
        -------
        mean, scale : float64 ndarray of shape (n_features,)
            Centres and scales.
        """
        from ..neural_network._held_out import scaling_of

        found = [(block, own, weight[part]) for block, own, part in self._parts()]
        starts = [0] * len(found)
        *moments, sparse = map_reduce(found, starts, _moments, _merged_moments, self.owner)
        return scaling_of(moments, sparse)

    def samples(self, y, weight, scaling, precision, as_net):
        """Samples for a net, with as many targets and weights, which are here.

        Parameters
        ----------
        y, weight : ndarray of shape (n_samples, ...)
            Targets and weights.
        scaling : tuple
            Centres and scales, or None twice.
        precision : str
            Precision of the network.
        as_net : dict
            Further arguments of :class:`Samples`.

        Returns
        -------
        samples : BlockSamples
            The samples.
        """
        from dask import delayed

        from ._block_samples_torch import BlockSamples

        prepare, state = (
            delayed(_prepared, pure=False),
            broadcast((*scaling, precision, self.owner)),
        )
        blocks = [
            (prepare(block, own, state), y[part], weight[part])
            for block, own, part in self._parts()
        ]
        return BlockSamples(blocks, **as_net)

    def _parts(self):
        """Blocks with rows that count: their places in it, None for all, and in `rows`."""
        ends = np.searchsorted(self.rows, self.bounds)
        for i, block in enumerate(self.blocks):
            part = slice(ends[i], ends[i + 1])
            own = self.rows[part] - self.bounds[i]
            if own.size:
                whole = own.size == self.bounds[i + 1] - self.bounds[i]
                yield block, None if whole else own, part


def _read(block, own, owner):
    """Checked rows of a block."""
    rules = {"accept_sparse": "csr", "dtype": [np.float64, np.float32], "allow_nd": True}
    X = check_array(block, order="C", input_name="X", estimator=owner, **rules)
    return X if own is None else X[own]


def _prepared(block, own, state):
    """Rows of a block as the network wants them."""
    from ..neural_network._held_out import scaled

    mean, scale, dtype, owner = state
    X = _read(block, own, owner)
    return (X if scale is None else scaled(X, mean, scale)).astype(dtype, copy=False)


def _moments(block, own, weight, start, state):
    """Moments of the features of a block, and whether it is sparse."""
    from ..neural_network._held_out import weighted_moments

    X = _read(block, own, state)
    return *weighted_moments(X, weight), sp.issparse(X)


def _merged_moments(left, right):
    """Moments of two runs of blocks.

    Standard deviations and not squares are added, which would overflow for large numbers.
    """
    total = left[0] + right[0]
    a, b = left[0] / total, right[0] / total
    gap = right[1] - left[1]
    deviation = np.hypot(
        np.hypot(np.sqrt(a) * left[2], np.sqrt(b) * right[2]), np.sqrt(a * b) * gap
    )
    largest = np.maximum(left[3], right[3])
    return total, left[1] + b * gap, deviation, largest, left[4] or right[4]
