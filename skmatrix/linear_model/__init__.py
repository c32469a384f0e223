"""Linear models for many rows."""

from ._sketched_regression import SketchedRegression

__all__ = ["SketchedRegression"]
