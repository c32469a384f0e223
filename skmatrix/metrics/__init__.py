"""Scores that scikit-learn does not have."""

from ._completion import masked_mean_absolute_error, masked_root_mean_squared_error
from ._kernels import geometric_difference, kernel_alignment, kernel_concentration
from ._representations import linear_cka

__all__ = [
    "geometric_difference",
    "kernel_alignment",
    "kernel_concentration",
    "linear_cka",
    "masked_mean_absolute_error",
    "masked_root_mean_squared_error",
]
