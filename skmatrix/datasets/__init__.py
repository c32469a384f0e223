"""Generators with a known truth, and real data read out of installed packages."""

from ._generators import hide_entries, make_low_rank_matrix_completion, make_ratings
from ._loaders import load_bfi, load_insteval, load_movielens

__all__ = [
    "hide_entries",
    "load_bfi",
    "load_insteval",
    "load_movielens",
    "make_low_rank_matrix_completion",
    "make_ratings",
]
