"""Filling the holes of a matrix."""

from ._matrix_completion import MatrixCompletion

__all__ = ["MatrixCompletion"]
