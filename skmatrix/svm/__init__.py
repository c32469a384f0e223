"""Support vector machines: quantum kernels, and their feature maps and variational circuits."""

from ._quantum_feature_map import QuantumFeatureMap
from ._quantum_kernel_svc import QuantumKernelSVC
from ._variational_quantum_classifier import VariationalQuantumClassifier

__all__ = ["QuantumFeatureMap", "QuantumKernelSVC", "VariationalQuantumClassifier"]
