"""Networks, built by torch."""

import copy

import torch
from torch import nn

from ._backbones import BY_NAME, TorchBackbone

_ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh}
_NORMS = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
# Shortest side that is pooled.
_POOLED = 4


def mlp(input_shape, dim, hidden, backbone):
    """Fully connected layers, of an `MLPBackbone`."""
    layers: list[nn.Module] = [nn.Flatten()] if len(input_shape) > 1 else []
    width = torch.Size(input_shape).numel()
    for size in hidden:
        # A normalisation has shifts of its own.
        layers.append(nn.Linear(width, size, bias=backbone.norm != "batch"))
        if backbone.norm != "none":
            layers.append(_NORMS[backbone.norm](size))
        layers.append(_ACTIVATIONS[backbone.activation]())
        if backbone.dropout:
            layers.append(nn.Dropout(backbone.dropout))
        width = size
    return nn.Sequential(*layers, nn.Linear(width, dim))


def cnn(input_shape, dim, channels, dropout):
    """Stages of convolutions, of a `CNNBackbone`."""
    width, *sides = input_shape
    is_image = len(sides) == 2
    convolution = nn.Conv2d if is_image else nn.Conv1d
    norm = nn.BatchNorm2d if is_image else nn.BatchNorm1d
    pool = nn.MaxPool2d if is_image else nn.MaxPool1d
    layers: list[nn.Module] = []
    for size in channels:
        layers += [convolution(width, size, 3, padding=1, bias=False), norm(size), nn.ReLU()]
        if min(sides) >= _POOLED:
            layers.append(pool(2))
            sides = [side // 2 for side in sides]
        width = size
    layers += [nn.AdaptiveAvgPool2d(1) if is_image else nn.AdaptiveAvgPool1d(1), nn.Flatten()]
    if dropout:
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(width, dim))


def built(backbone, input_shape, dim, dtype):
    """The network that a parameter `backbone` stands for.

    Parameters
    ----------
    backbone : str, backbone, Module, class of a Module or callable
        What the user chose. A callable makes a module from `input_shape` and `dim`.
    input_shape : tuple of int
        Shape of a sample.
    dim : int
        Number of outputs.
    dtype : torch.dtype
        Precision.

    Returns
    -------
    module : torch.nn.Module
        A network of its own, with `dim` outputs.

    Raises
    ------
    TypeError
        If there is no module.
    ValueError
        If the outputs are not vectors.
    """
    if isinstance(backbone, str):
        backbone = BY_NAME[backbone]()
    if isinstance(backbone, type):
        backbone = TorchBackbone(backbone)
    if isinstance(backbone, nn.Module):
        module = backbone
    elif hasattr(backbone, "build"):
        module = backbone.build(input_shape, dim)
    else:
        module = backbone(input_shape, dim)
    if not isinstance(module, nn.Module):
        hint = f" Pass {type(module).__name__}()." if hasattr(module, "build") else ""
        raise TypeError(f"backbone must make a torch.nn.Module. Got {type(module).__name__}.{hint}")
    # What is trained must not be the user's.
    module = copy.deepcopy(module).to(dtype)
    module.eval()
    with torch.no_grad():
        output = module(torch.zeros(2, *input_shape, dtype=dtype))
    if not isinstance(output, torch.Tensor):
        raise ValueError(
            f"backbone must make a tensor of the samples. Its output is a {type(output).__name__}."
        )
    if output.ndim != 2 or output.shape[0] != 2:
        raise ValueError(
            "backbone must make a vector of each sample: for two samples of shape"
            f" {tuple(input_shape)} its output has shape {tuple(output.shape)}."
        )
    if output.shape[1] != dim:
        module = nn.Sequential(module, nn.Linear(output.shape[1], dim, dtype=dtype))
    return module.train()
