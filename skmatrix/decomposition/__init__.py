"""Decompositions: tensors whose factors are functions."""

from ._funbat import FunBaT
from ._tensor_entries import entries_to_tensor, tensor_to_entries

__all__ = ["FunBaT", "entries_to_tensor", "tensor_to_entries"]
