"""Neural estimators, trained with torch through skorch, and the vectors that they aim at."""

from ._backbones import CNNBackbone, MLPBackbone, TorchBackbone
from ._ebv_bounds import coherence, coherence_bounds
from ._ebv_classifier import EBVClassifier
from ._ebv_encoder import EBVEncoder
from ._make_ebv import make_ebv

__all__ = [
    "CNNBackbone",
    "EBVClassifier",
    "EBVEncoder",
    "MLPBackbone",
    "TorchBackbone",
    "coherence",
    "coherence_bounds",
    "make_ebv",
]
