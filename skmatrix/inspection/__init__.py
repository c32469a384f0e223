"""Pictures of what an estimator has learnt, and of how it got there."""

from ._matrix_completion import MatrixCompletionDisplay
from ._sketched_regression import SketchedRegressionDisplay

__all__ = ["MatrixCompletionDisplay", "SketchedRegressionDisplay"]
