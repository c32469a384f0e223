"""Clustering by semidefinite programs, with proofs of how good a partition is."""

from ._ilasdp_clustering import ILASDPClustering
from ._sdp_kmeans import SDPKMeans

__all__ = ["ILASDPClustering", "SDPKMeans"]
