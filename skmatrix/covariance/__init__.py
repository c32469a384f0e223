"""Covariances of multichannel signals and of their delayed copies."""

from ._augmented_covariance import AugmentedCovariance, augmented_covariance
from ._augmented_covariance_classifier import AugmentedCovarianceClassifier
from ._embedding import Embedding, select_embedding
from ._embedding_criteria import var_coefficients

__all__ = [
    "AugmentedCovariance",
    "AugmentedCovarianceClassifier",
    "Embedding",
    "augmented_covariance",
    "select_embedding",
    "var_coefficients",
]
