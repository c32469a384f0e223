"""Pictures of what an estimator has learnt, and of how it got there."""

from ._kde import KDEDisplay
from ._matrix_completion import MatrixCompletionDisplay
from ._sketched_regression import SketchedRegressionDisplay

__all__ = ["KDEDisplay", "MatrixCompletionDisplay", "SketchedRegressionDisplay"]
