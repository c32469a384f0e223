"""Filling the holes of a matrix."""

from ._matrix_completion import MatrixCompletion
from ._matrix_completion_regressor import MatrixCompletionRegressor

__all__ = ["MatrixCompletion", "MatrixCompletionRegressor"]
