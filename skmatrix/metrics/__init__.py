"""Scores that scikit-learn does not have."""

from ._completion import masked_mean_absolute_error, masked_root_mean_squared_error

__all__ = ["masked_mean_absolute_error", "masked_root_mean_squared_error"]
