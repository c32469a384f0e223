"""Sketching operators: random matrices that shorten a regression and keep its geometry."""

from ._operator import SketchOperator, fwht
from ._projection import SketchProjection
from ._sparse_sign import sparse_sign_matrix

__all__ = ["SketchOperator", "SketchProjection", "fwht", "sparse_sign_matrix"]
