"""Network, loss and queries of a classifier against fixed vectors, on torch."""

from typing import Any

import numpy as np
import torch
from torch import nn

from .._backend import get_backend
from ._batches_torch import Batches
from ._ebv_loss_torch import LOSSES
from ._ebv_scores import nearest

# Length below which an embedding has no direction.
_NO_LENGTH = 1e-12
# Samples that are looked at together. Always as many, as how a product is rounded hangs on their
# number: the result of a sample must not depend on the others in a call.
_ROWS = 64
# Classes from which a closed form is scored by the compiled transform.
_MANY = 4096


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
        return nn.functional.normalize(self.backbone(x), eps=_NO_LENGTH)


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
        self._temperature = temperature
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


def scored(net, samples, targets, score):
    """Apply a function to embeddings of samples.

    Parameters
    ----------
    net : HeldNet
        The trained net.
    samples : Samples
        The samples.
    targets : TorchTargets
        Vectors of the classes.
    score : callable
        ``score(z, targets)`` for unit vectors z on the net's device, which returns a tuple of
        tensors with a row for each.

    Returns
    -------
    results : tuple of ndarray
        The results of all samples.
    """
    net.module_.eval()
    parts = []
    with torch.inference_mode():
        for x, _ in Batches(samples, _ROWS, device=net.device):
            n = len(x)
            padding = x.new_zeros(_ROWS - n, *x.shape[1:])
            results = score(net.module_(torch.cat([x, padding])), targets)
            parts.append(tuple(part[:n].cpu().numpy() for part in results))
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def best_positions(z, targets):
    """Largest cosines, and where they are.

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
    position : int64 Tensor of shape (n_samples,)
        Positions of their vectors, the first of several.
    """
    form = targets.closed_form
    best = torch.full_like(z[:, 0], -torch.inf)
    position = torch.zeros_like(best, dtype=torch.int64)
    pieces = targets.pieces()
    if form is not None and z.device.type == "cpu" and form[1] > _MANY:
        be = get_backend("numba", z.numpy())
        best, position = map(torch.from_numpy, nearest(be, z.numpy(), *form))
        pieces = targets.pieces(begin=form[1])
    for begin, piece in pieces:
        top, where = piece.products(z).max(1)
        position = torch.where(top > best, where + begin, position)
        best = torch.maximum(top, best)
    return best, position


def margins(z, targets, position):
    """By how much cosines with own vectors are above the largest with others.

    Parameters
    ----------
    z : Tensor of shape (n_samples, dim)
        Unit vectors.
    targets : TorchTargets
        Vectors of the classes.
    position : int64 Tensor of shape (n_samples,)
        Positions of their classes.

    Returns
    -------
    margin : Tensor of shape (n_samples,)
        The differences, negative for samples that are nearer to another vector.
    is_best : bool Tensor of shape (n_samples,)
        Whether a sample is classified as its class: of equal cosines the first counts.
    """
    own = torch.full_like(z[:, 0], -torch.inf)
    other, place = own.clone(), torch.zeros_like(position)
    for begin, piece in targets.pieces():
        cosines = piece.products(z)
        local = position - begin
        inside = (local >= 0) & (local < cosines.shape[1])
        column = local.clamp(0, cosines.shape[1] - 1)[:, None]
        found = cosines.gather(1, column)
        own = torch.where(inside, found[:, 0], own)
        cosines.scatter_(1, column, found.masked_fill(inside[:, None], -torch.inf))
        top, where = cosines.max(1)
        place = torch.where(top > other, where + begin, place)
        other = torch.maximum(top, other)
    return own - other, (own > other) | ((own == other) & (position < place))


def top_positions(z, targets, k):
    """The k largest cosines of each sample, from the largest, and where they are."""
    values = z.new_empty(len(z), 0)
    position = torch.empty(len(z), 0, dtype=torch.int64, device=z.device)
    for begin, piece in targets.pieces():
        found = piece.products(z)
        top, where = found.topk(min(k, found.shape[1]), dim=1)
        values = torch.cat([values, top], 1)
        position = torch.cat([position, where + begin], 1)
        values, order = values.topk(min(k, values.shape[1]), dim=1)
        position = position.gather(1, order)
    return values, position


def all_cosines(z, targets):
    """Cosines with all vectors, of shape (n_samples, n_classes)."""
    return torch.cat([piece.products(z) for _, piece in targets.pieces()], 1)


def torch_dtype(name):
    """The dtype of torch that a name stands for."""
    return getattr(torch, name)
