"""Linear models for many rows, and for Kronecker-structured designs."""

from ._kronecker_products import kron_matvec, kronecker_omp
from ._kronecker_sbl import KroneckerSBL
from ._sketched_regression import SketchedRegression

__all__ = ["KroneckerSBL", "SketchedRegression", "kron_matvec", "kronecker_omp"]
