"""A small functional tensor, and estimators that fit it quickly."""

import numpy as np

from skmatrix.datasets import make_functional_tensor
from skmatrix.decomposition import FunBaT

X, Y, TRUTH = make_functional_tensor(300, (8, 9, 10), random_state=0)
QUERIES = np.random.default_rng(1).uniform(-0.2, 1.2, (40, 3))


def funbat(rank=2, **parameters):
    """An estimator that needs few sweeps from one start, and no warning of it."""
    rule = {"fit_intercept": False, "n_init": 1, "tol": 0.02, "random_state": 0}
    return FunBaT(rank, **{**rule, **parameters})
