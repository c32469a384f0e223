"""skmatrix: matrix methods with the interface of scikit-learn.

The sub-packages are imported when they are first used.
"""

import importlib

from ._version import __version__

_SUBPACKAGES = (
    "cluster",
    "covariance",
    "datasets",
    "decomposition",
    "distributed",
    "impute",
    "inspection",
    "linear_model",
    "metrics",
    "neighbors",
    "neural_network",
    "random_projection",
    "svm",
    "utils",
)

__all__ = ["__version__", *_SUBPACKAGES, "show_versions"]


def __dir__():
    """Public names, imported or not."""
    return list(__all__)


def __getattr__(name):
    """Import a sub-package, or ``show_versions``, at first use."""
    if name in _SUBPACKAGES:
        return importlib.import_module(f"{__name__}.{name}")
    if name == "show_versions":
        return importlib.import_module(f"{__name__}.utils").show_versions
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
