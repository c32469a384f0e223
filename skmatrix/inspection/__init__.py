"""Pictures of what an estimator has learnt, and of how it got there."""

from ._matrix_completion import MatrixCompletionDisplay

__all__ = ["MatrixCompletionDisplay"]
