"""Samples in blocks on dask's workers, as a net of skorch reads them."""

import torch
from torch.utils.data import Dataset

from ..neural_network._batches_torch import Samples
from ._blocks import _aligned


class BlockSamples(Dataset):
    """Samples of which a block is in memory at a time.

    Parameters
    ----------
    blocks : list of tuple
        Per block, its samples as a delayed value, targets and weights.
    **as_net : dict
        Further arguments of :class:`Samples`.
    """

    def __init__(self, blocks, **as_net):
        self.blocks = blocks
        self._as_net = as_net

    def __len__(self):
        return sum(len(y) for _, y, _ in self.blocks)

    def held(self):
        """The same samples, kept in the memory of the workers."""
        import dask

        X, y, weight = zip(*self.blocks, strict=True)
        return BlockSamples(list(zip(dask.persist(*X), y, weight, strict=True)), **self._as_net)

    def load(self, k):
        """The samples of a block."""
        X, y, weight = self.blocks[k]
        return Samples(_aligned(X.compute()), y, weight, **self._as_net)

    def reader(self, rng):
        """Function that reads the batches of one pass.

        Parameters
        ----------
        rng : RandomState or None
            Source of the order of blocks, and of samples within them; None keeps both.

        Returns
        -------
        read : callable
            ``read(begin, end)``, as of :class:`Samples`, where `begin` is the `end` of the call
            before. A batch may have samples of several blocks.
        """
        return _Pass(self, rng).read


class _Pass:
    """One pass over blocks of samples."""

    def __init__(self, samples, rng):
        n_blocks = len(samples.blocks)
        self._samples, self._rng = samples, rng
        self._order = iter(range(n_blocks) if rng is None else rng.permutation(n_blocks))
        self._used = self._size = 0

    def read(self, begin, end):
        """The next samples."""
        parts, missing = [], end - begin
        while missing:
            if self._used == self._size:
                block = self._samples.load(next(self._order))
                self._read, self._used, self._size = block.reader(self._rng), 0, len(block)
            taken = min(missing, self._size - self._used)
            parts.append(self._read(self._used, self._used + taken))
            self._used, missing = self._used + taken, missing - taken
        return parts[0] if len(parts) == 1 else _joined(parts)


def _joined(parts):
    """Samples, and their targets and weights, one after the other."""
    x, pairs = zip(*parts, strict=True)
    return torch.cat(x), tuple(torch.cat(column) for column in zip(*pairs, strict=True))
