"""Sketching operators: random matrices that shorten a regression and keep its geometry."""

from ._sparse_sign import sparse_sign_matrix

__all__ = ["sparse_sign_matrix"]
