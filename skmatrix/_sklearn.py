"""The private names of scikit-learn that this package relies on.

Nothing else in the package imports a private scikit-learn name, so that a change there
is met by a change in this file alone.
"""

from numbers import Integral

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import (
    HasMethods,
    Options,
    RealNotInt,
    StrOptions,
    validate_params,
)
from sklearn.utils._param_validation import Interval as _Interval
from sklearn.utils.validation import _check_feature_names_in, _check_sample_weight

__all__ = [
    "HasMethods",
    "Interval",
    "Options",
    "RealNotInt",
    "StrOptions",
    "_check_feature_names_in",
    "_check_sample_weight",
    "_fit_context",
    "validate_params",
]


class Interval(_Interval):
    """A range of numbers: booleans are none, and whole numbers have at most 64 bits.

    NumPy takes True for the size of nothing, and compiled code takes no longer numbers. Where real
    numbers are asked for, whole ones must be among those of double precision.
    """

    def is_satisfied_by(self, val):
        """Whether a value is a number of the range."""
        if isinstance(val, (bool, np.bool_)):
            return False
        if isinstance(val, Integral):
            limit = 2**63 if self.type is Integral else 2**1023
            if not -limit <= int(val) < limit:
                return False
        return super().is_satisfied_by(val)

    def __str__(self):
        """The range in words."""
        words = super().__str__()
        return words.replace("inf)", "2**63)") if self.type is Integral else words
