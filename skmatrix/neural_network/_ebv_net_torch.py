"""Network, loss and queries of a classifier against fixed vectors, on torch."""

from math import prod
from typing import Any

import array_api_compat.torch as xp
import numpy as np
import torch
from torch import nn

from .._backend import get_backend
from ._batches_torch import Batches
from ._ebv_loss_torch import LOSSES
from ._ebv_scores import best_of, nearest

# Length below which an embedding has no direction.
_NO_LENGTH = 1e-12
# Samples that are looked at together, and fewer of large ones, for which a CPU needs as long as for
# that many numbers.
_ROWS = 64
_LEAST_ROWS = 4
_NUMBERS = 2**18
# Classes from which a closed form is scored by the compiled transform.
_COMPILED = 4096


class Embedding(nn.Module):
    """A network whose outputs are scaled to unit length.

    Parameters
    ----------
    backbone : torch.nn.Module
        The network.
    """

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone

    def forward(self, x):
        """Unit vectors."""
        out = self.backbone(x)
        # Squares of large numbers overflow. A division by a power of 2 rounds nothing.
        largest = out.detach().abs().amax(1, keepdim=True)
        exponent = (torch.frexp(largest).exponent - 2).clamp(min=0)
        out = out * torch.ldexp(torch.ones_like(largest), -exponent)
        return nn.functional.normalize(out, eps=_NO_LENGTH)


class EBVLoss(nn.Module):
    """Weighted mean of a loss over a batch.

    Parameters
    ----------
    loss : {"softmax", "cosine", "angular"}
        The loss of a sample.
    temperature : float
        Divisor of cosines.
    smoothing : float
        Share of the target that is spread over all classes.
    """

    def __init__(self, loss, temperature, smoothing):
        super().__init__()
        self._loss = LOSSES[loss]
        self._temperature = float(temperature)  # torch takes whole numbers of 64 bits alone
        self._smoothing = smoothing
        self._sums: dict = {}
        # Set for the time of a fit.
        self.targets: Any = None

    def forward(self, z, position, weight):
        """Loss of a batch."""
        loss = self._loss(z, position, self.targets, self._temperature, self._smoothing)
        with torch.no_grad():
            own = (z * self.targets.take(position)).sum(1)
            self._note("train_cosine" if self.training else "valid_cosine", own, weight)
            if not self.training:
                margin, is_best = margins(z, self.targets, position)
                self._note("valid_margin", margin, weight)
                self._note("valid_accuracy", is_best.to(weight.dtype), weight)
        # A batch may have no weight at all.
        return (weight * loss).sum() / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)

    def measured(self):
        """Weighted means since the last call, by name."""
        found = {
            name: float(total / weight) if weight > 0 else np.nan
            for name, (total, weight) in self._sums.items()
        }
        self._sums = {}
        return found

    def _note(self, name, values, weight):
        """Add to a mean."""
        total, mass = self._sums.get(name, (0.0, 0.0))
        self._sums[name] = total + (weight * values).sum(), mass + weight.sum()


def scored(net, samples, score):
    """Apply a function to embeddings of samples.

    Parameters
    ----------
    net : HeldNet
        The trained net.
    samples : Samples
        The samples.
    score : callable
        ``score(z)`` for unit vectors z on the net's device, which returns a tuple of tensors with
        a row for each.

    Returns
    -------
    results : tuple of ndarray
        The results of all samples.

    Raises
    ------
    ValueError
        If a sample, or what the network makes of it, is beyond its precision.
    """
    net.module_.eval()
    parts, first = [], 0
    # Always as many, as how a product is rounded hangs on their number: the result of a sample must
    # not depend on the others in a call.
    rows = rows_together(samples.shape, net.device)
    with torch.inference_mode():
        for x, _ in Batches(samples, rows, device=net.device):
            n = len(x)
            padding = x.new_zeros(rows - n, *x.shape[1:])
            z = net.module_(torch.cat([x, padding]))
            finite = torch.isfinite(z[:n]).all(1) & torch.isfinite(x).flatten(1).all(1)
            if not finite.all():
                raise ValueError(
                    f"Sample {first + int(finite.int().argmin())} of X is too large for"
                    f" dtype={str(z.dtype).removeprefix('torch.')!r}, or what the network makes of"
                    " it is."
                )
            parts.append(tuple(part[:n].cpu().numpy() for part in score(z)))
            first += n
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def rows_together(shape, device):
    """Number of samples of a shape that are looked at together; small ones are filled up to it."""
    if device != "cpu":
        return _ROWS
    return min(max(_NUMBERS // prod(shape), _LEAST_ROWS), _ROWS)


def best_classes(z, targets):
    """Largest cosines, and whose they are.

    Parameters
    ----------
    z : Tensor of shape (n_samples, dim)
        Unit vectors.
    targets : TorchTargets
        Vectors of the classes.

    Returns
    -------
    cosine : Tensor of shape (n_samples,)
        Largest cosines.
    code : int64 Tensor of shape (n_samples,)
        Places of their classes, the first of several.
    """
    form, found, begin = targets.closed_form, [], 0
    if form is not None and form[1] > _COMPILED and targets.codes is None and z.is_cpu:
        be = get_backend("numba", z.numpy())
        found.append(tuple(map(torch.from_numpy, nearest(be, z.numpy(), *form))))
        begin = form[1]
    found.extend(_best_of_piece(*piece) for piece in _cosines(z, targets, begin))
    return best_of(xp, found)


def margins(z, targets, position):
    """By how much cosines with own vectors are above the largest with others.

    Parameters
    ----------
    z : Tensor of shape (n_samples, dim)
        Unit vectors.
    targets : TorchTargets
        Vectors of the classes.
    position : int64 Tensor of shape (n_samples,)
        Positions of their vectors.

    Returns
    -------
    margin : Tensor of shape (n_samples,)
        The differences, negative for samples that are nearer to another vector.
    is_best : bool Tensor of shape (n_samples,)
        Whether a sample is classified as its class: of equal cosines the first counts.
    """
    code = position if targets.codes is None else targets.codes[position]
    own = torch.full_like(z[:, 0], -torch.inf)
    found = []
    for codes, cosines in _cosines(z, targets):
        column = torch.searchsorted(codes, code).clamp(max=len(codes) - 1)
        inside = codes[column] == code
        column = column[:, None]
        mine = cosines.gather(1, column)
        own = torch.where(inside, mine[:, 0], own)
        cosines.scatter_(1, column, mine.masked_fill(inside[:, None], -torch.inf))
        found.append(_best_of_piece(codes, cosines))
    other, theirs = best_of(xp, found)
    return own - other, (own > other) | ((own == other) & (code < theirs))


def top_classes(z, targets, k):
    """The k largest cosines of each sample, from the largest, and whose they are.

    Parameters
    ----------
    z : Tensor of shape (n_samples, dim)
        Unit vectors.
    targets : TorchTargets
        Vectors of the classes.
    k : int
        How many.

    Returns
    -------
    cosines : Tensor of shape (n_samples, k)
        Largest cosines.
    code : int64 Tensor of shape (n_samples, k)
        Places of their classes; of equal cosines the first ones.
    """
    values = z.new_empty(len(z), 0)
    classes = torch.empty(len(z), 0, dtype=torch.int64, device=z.device)
    for codes, cosines in _cosines(z, targets):
        top, column = _top_of_piece(cosines, k)
        classes, order = torch.cat([classes, codes[column]], 1).sort(dim=1)
        values = torch.cat([values, top], 1).gather(1, order)
        values, order = values.sort(dim=1, descending=True, stable=True)
        values, classes = values[:, :k], classes.gather(1, order[:, :k])
    return values, classes


def all_cosines(z, targets):
    """Cosines with all vectors in the order of the classes, of shape (n_samples, n_classes)."""
    cosines = torch.cat([piece.products(z) for _, piece in targets.pieces()], 1)
    return cosines if targets.positions is None else cosines[:, targets.positions]


def _cosines(z, targets, begin=0):
    """Pieces of the cosines from a position on, by class: places of classes, which rise."""
    for first, piece in targets.pieces(begin):
        cosines = piece.products(z)
        last = first + cosines.shape[1]
        if targets.codes is None:
            yield torch.arange(first, last, device=z.device), cosines
        else:
            codes, order = targets.codes[first:last].sort()
            yield codes, cosines[:, order]


def _best_of_piece(codes, cosines):
    """Largest cosine of each sample, and its class, the first of several."""
    top, column = cosines.max(1)
    return top, codes[column]


def _top_of_piece(cosines, k):
    """The k largest of each row and their columns in any order; of equal ones the first."""
    k = min(k, cosines.shape[1])
    top, column = cosines.topk(k, dim=1)
    # Of several that equal the last, any may have been taken.
    tied = (cosines >= top[:, -1:]).sum(1) > k
    if tied.any():
        values, order = cosines[tied].sort(dim=1, descending=True, stable=True)
        top[tied], column[tied] = values[:, :k], order[:, :k]
    return top, column


def torch_dtype(name):
    """The dtype of torch that a name stands for."""
    return getattr(torch, name)
