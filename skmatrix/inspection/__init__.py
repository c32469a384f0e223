"""Pictures of what an estimator has learnt, and of how it got there.

A display is imported when it is first used, as it may bring in the estimator that it shows.
"""

import importlib

_MODULES = {
    "AugmentedCovarianceDisplay": "_augmented_covariance",
    "BandwidthDisplay": "_quantum_training",
    "BasisCoherenceDisplay": "_ebv_basis",
    "CertificateDisplay": "_clustering_choice",
    "ClassAnglesDisplay": "_ebv_angles",
    "ClusterEllipsesDisplay": "_cluster_ellipses",
    "ClusteringStartsDisplay": "_clustering_choice",
    "ConvergenceDisplay": "_convergence",
    "CriterionDisplay": "_clustering_choice",
    "EBVTrainingDisplay": "_ebv_training",
    "EmbeddingDisplay": "_embedding",
    "EmbeddingGridDisplay": "_embedding",
    "FactorFunctionDisplay": "_funbat",
    "IntervalCalibrationDisplay": "_funbat",
    "KDEDisplay": "_kde",
    "KroneckerSpectrumDisplay": "_kronecker_sbl",
    "MatrixCompletionDisplay": "_matrix_completion",
    "MembershipMatrixDisplay": "_membership_matrix",
    "QuantumKernelDisplay": "_quantum",
    "SketchedRegressionDisplay": "_sketched_regression",
    "SupportDisplay": "_support",
    "TensorSliceDisplay": "_tensor_slice",
    "TensorStructureDisplay": "_tensor_structure",
    "VariationalTrainingDisplay": "_quantum_training",
}

__all__ = list(_MODULES)


def __dir__():
    """Public names, imported or not."""
    return list(__all__)


def __getattr__(name):
    """Import a display at its first use."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    display = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = display
    return display
