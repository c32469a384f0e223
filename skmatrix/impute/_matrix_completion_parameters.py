"""Constraints of the parameters that both matrix completion estimators have."""

from numbers import Integral, Real

import numpy as np

from .._backend import CONSTRAINT
from .._sklearn import Interval, Options, StrOptions

# Private attributes of a fit.
PRIVATE = ("_pattern", "_fitted_bias", "_fitted_penalty")

# Parameters of the model and its solver, shared with the long-format regressor.
MODEL_CONSTRAINTS = {
    "n_components": [
        Interval(Integral, 0, None, closed="left"),
        StrOptions({"auto", "signflip"}),
    ],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "penalty": [StrOptions({"count", "constant"})],
    "bias": [StrOptions({"none", "global", "row", "column", "both"})],
    "solver": [StrOptions({"auto", "pcg", "cholesky", "sketch"})],
    "inner_tol": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="neither")],
    "inner_max_iter": [Interval(Integral, 1, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "continuation": ["boolean", StrOptions({"auto"})],
    "init": [StrOptions({"random", "svd"}), tuple],
    "clip": [None, tuple, list, StrOptions({"observed"})],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "n_jobs": [None, Integral],
    "dtype": [None, StrOptions({"float32", "float64"}), Options(type, {np.float32, np.float64})],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
    "backend": CONSTRAINT,
}
