"""Pictures of what an estimator has learnt, and of how it got there."""

from ._augmented_covariance import AugmentedCovarianceDisplay
from ._convergence import ConvergenceDisplay
from ._embedding import EmbeddingDisplay, EmbeddingGridDisplay
from ._funbat import FactorFunctionDisplay, IntervalCalibrationDisplay
from ._kde import KDEDisplay
from ._matrix_completion import MatrixCompletionDisplay
from ._quantum import QuantumKernelDisplay
from ._quantum_training import BandwidthDisplay, VariationalTrainingDisplay
from ._sketched_regression import SketchedRegressionDisplay
from ._tensor_slice import TensorSliceDisplay
from ._tensor_structure import TensorStructureDisplay

__all__ = [
    "AugmentedCovarianceDisplay",
    "BandwidthDisplay",
    "ConvergenceDisplay",
    "EmbeddingDisplay",
    "EmbeddingGridDisplay",
    "FactorFunctionDisplay",
    "IntervalCalibrationDisplay",
    "KDEDisplay",
    "MatrixCompletionDisplay",
    "QuantumKernelDisplay",
    "SketchedRegressionDisplay",
    "TensorSliceDisplay",
    "TensorStructureDisplay",
    "VariationalTrainingDisplay",
]
