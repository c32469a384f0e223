"""Losses of embeddings against the vectors of their classes, on torch.

Equation numbers are those of the Notes of :class:`EBVClassifier`.
"""

import torch

# Differences of exponents beyond which a float is zero: with a larger 2 / temperature the shift by
# the largest possible cosine is not safe.
_DEPTH = {torch.float32: 80.0, torch.float64: 700.0}
# Cosines whose angle has no derivative are kept away from.
_POLE = 1e-6


class StreamedSoftmax(torch.autograd.Function):
    """Cross-entropy over all classes, of which a piece is held at a time (5), (6).

    The gradient is made on the way: for the backward pass nothing is kept but a vector for each
    sample.
    """

    @staticmethod
    def forward(ctx, z, targets, wanted, temperature):
        """Losses of samples.

        Parameters
        ----------
        ctx : context
            Of autograd.
        z : Tensor of shape (n_samples, dim)
            Unit vectors.
        targets : TorchTargets
            Vectors of the classes.
        wanted : Tensor of shape (n_samples, dim)
            Vector of each sample's class, or a mean of several.
        temperature : float
            Divisor of the cosines.

        Returns
        -------
        loss : Tensor of shape (n_samples,)
            Cross-entropies.
        """
        top, total, pulled = _partition(z, targets, temperature)
        own = (z * wanted).sum(1)
        ctx.save_for_backward((pulled / total[:, None] - wanted) / temperature)
        return torch.log(total) + (top - own) / temperature

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, upstream):
        """Derivatives by z (6)."""
        (gradient,) = ctx.saved_tensors
        return upstream[:, None] * gradient, None, None, None


def _partition(z, targets, temperature):
    """Sums over classes of exponentials and of vectors times them, and their common shift."""
    running = 2 / temperature > _DEPTH[z.dtype]
    # No cosine of unit vectors is above 1: one pass is enough, unless exponents go too far down.
    top = z.new_full((z.shape[0],), -1.0 if running else 1.0)
    total, pulled = torch.zeros_like(top), torch.zeros_like(z)
    for _, piece in targets.pieces():
        cosines = piece.products(z)
        if running:
            higher = torch.maximum(top, cosines.amax(1))
            shrink = torch.exp((top - higher) / temperature)
            total, pulled, top = total * shrink, pulled * shrink[:, None], higher
        cosines = cosines.sub_(top[:, None]).div_(temperature).exp_()
        total = total + cosines.sum(1)
        part = piece.combined(cosines)
        pulled[:, : part.shape[1]] += part
    return top, total, pulled


def softmax_loss(z, position, targets, temperature, smoothing):
    """The paper's loss (5): cross-entropy of cosines over a temperature.

    Parameters
    ----------
    z : Tensor of shape (n_samples, dim)
        Unit vectors.
    position : int64 Tensor of shape (n_samples,)
        Positions of their classes.
    targets : TorchTargets
        Vectors of the classes.
    temperature : float
        Divisor of the cosines.
    smoothing : float
        Share of the target that is spread over all classes.

    Returns
    -------
    loss : Tensor of shape (n_samples,)
        Loss of each sample.
    """
    wanted = targets.take(position)
    if smoothing:
        # The loss is linear in the target: a mean vector stands for all classes.
        wanted = (1 - smoothing) * wanted + smoothing * targets.mean
    return StreamedSoftmax.apply(z, targets, wanted, temperature)


def cosine_loss(z, position, targets, temperature, smoothing):
    """Squared distance of the cosine from 1 (7); arguments as for `softmax_loss`."""
    return (1 - (z * targets.take(position)).sum(1)) ** 2


def angular_loss(z, position, targets, temperature, smoothing):
    """Squared angle (8); arguments as for `softmax_loss`."""
    cosine = (z * targets.take(position)).sum(1)
    return torch.arccos(cosine.clamp(-1 + _POLE, 1 - _POLE)) ** 2


LOSSES = {"softmax": softmax_loss, "cosine": cosine_loss, "angular": angular_loss}
