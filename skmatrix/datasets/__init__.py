"""Generators with a known truth, and real data read out of installed packages."""

from ._flights import load_flights
from ._generators import hide_entries, make_low_rank_matrix_completion, make_ratings
from ._kronecker import make_irs_channel, make_kronecker_sparse
from ._loaders import load_bfi, load_insteval, load_movielens
from ._quantum import make_ad_hoc
from ._regression import make_tall_regression
from ._signals import load_eeg, make_var_process
from ._tensors import make_functional_tensor

__all__ = [
    "hide_entries",
    "load_bfi",
    "load_eeg",
    "load_flights",
    "load_insteval",
    "load_movielens",
    "make_ad_hoc",
    "make_functional_tensor",
    "make_irs_channel",
    "make_kronecker_sparse",
    "make_low_rank_matrix_completion",
    "make_ratings",
    "make_tall_regression",
    "make_var_process",
]
