"""Samples in memory, and batches of them without a loop over samples."""

import numpy as np
import scipy.sparse as sp
import torch
from torch.utils.data import Dataset


class Samples(Dataset):
    """Samples, targets and weights.

    Parameters
    ----------
    X : {ndarray of shape (n_samples, ...), CSR matrix}
        The samples; a sparse matrix is made dense a batch at a time.
    y : ndarray of shape (n_samples, ...) or None
        Targets.
    weight : ndarray of shape (n_samples,) or None
        Weights.
    shape : tuple of int
        Shape of a sample as the network wants it.
    dtype : torch.dtype
        Precision of samples and weights.
    """

    def __init__(self, X, y=None, weight=None, *, shape, dtype):
        self.shape = shape
        self.dtype = dtype
        self.n_samples = X.shape[0]
        self.X = X if sp.issparse(X) else _tensor(X, dtype).reshape(-1, *shape)
        self.y = y if y is None else torch.as_tensor(np.ascontiguousarray(y))
        self.weight = weight if weight is None else _tensor(weight, dtype)

    def __len__(self):
        return self.n_samples

    def batch(self, rows):
        """Samples, and pair of targets and weights, of a slice or of a tensor of indices."""
        if sp.issparse(self.X):
            places = rows if isinstance(rows, slice) else rows.numpy()
            x = _tensor(self.X[places].toarray(), self.dtype).reshape(-1, *self.shape)
        else:
            # A copy of a slice too: a layer may work in place, and X may be the user's.
            x = self.X[rows].clone() if isinstance(rows, slice) else self.X[rows]
        if self.y is None or self.weight is None:
            return x, None
        return x, (self.y[rows], self.weight[rows])

    def reader(self, rng):
        """Function that reads batches of one pass.

        Parameters
        ----------
        rng : RandomState or None
            Source of the order; None keeps that of the samples.

        Returns
        -------
        read : callable
            ``read(begin, end)`` gives the samples at these places of the order, as :meth:`batch`.
        """
        if rng is None:
            return lambda begin, end: self.batch(slice(begin, end))
        order = torch.from_numpy(rng.permutation(len(self)))
        return lambda begin, end: self.batch(order[begin:end])

    def __getitem__(self, i):
        x, pair = self.batch(slice(i, i + 1))
        return x[0], pair


class Batches:
    """Iterate over samples in batches.

    Parameters
    ----------
    dataset : Samples
        The samples, or another set of them that has a `reader`.
    batch_size : int
        Samples of a batch.
    rng : RandomState, default=None
        Source of a new order for each pass; None keeps the order of the samples, and so does a
        single batch. With it, a last batch of one sample joins the one before: training may have to
        normalise by its variance.
    device : str, default="cpu"
        Where batches go.
    """

    def __init__(self, dataset, batch_size, rng=None, device="cpu"):
        self.dataset = dataset
        self.batch_size = batch_size
        self.rng = rng
        self.device = device

    def __iter__(self):
        n = len(self.dataset)
        shuffled = self.rng is not None and n > self.batch_size
        read = self.dataset.reader(self.rng if shuffled else None)
        begin = 0
        while begin < n:
            end = min(begin + self.batch_size, n)
            if self.rng is not None and n - end == 1:
                end = n
            yield self._placed(read(begin, end))
            begin = end

    def _placed(self, batch):
        """A batch on the device."""
        if self.device == "cpu":
            return batch
        x, pair = batch
        pair = None if pair is None else tuple(part.to(self.device) for part in pair)
        return x.to(self.device), pair


def _tensor(array, dtype):
    """An array as a tensor that can be written to, without a copy where there is no need."""
    return torch.from_numpy(np.require(array, requirements=["C", "W"])).to(dtype)
