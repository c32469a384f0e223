"""Density estimation, and what follows from a density: outliers and classes."""

from ._kde import KDE
from ._kde_classifier import KDEClassifier
from ._kde_diagnostics import KDEDiagnostics
from ._kde_outlier import KDEOutlierDetector

__all__ = ["KDE", "KDEClassifier", "KDEDiagnostics", "KDEOutlierDetector"]
