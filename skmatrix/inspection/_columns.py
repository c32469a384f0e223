"""Columns of X as an estimator knows them."""

from numbers import Integral, Real

import numpy as np

from .._backend import to_numpy


class Columns:
    """Columns of X.

    Parameters
    ----------
    names : list of str
        Their names.
    coordinates : list of (float64 ndarray or None)
        Their distinct training coordinates in ascending order, None where they are not known.
    ordered : list of bool
        Whether there are values between training coordinates.
    """

    def __init__(self, names, coordinates, ordered):
        self.names, self.coordinates, self.ordered = names, coordinates, ordered

    @classmethod
    def of(cls, estimator, samples):
        """Columns of an estimator; coordinates are None where they are not known."""
        n_columns = getattr(estimator, "n_features_in_", None)
        if n_columns is None and samples is not None:
            n_columns = samples.shape[1]
        if n_columns is None or n_columns < 2:
            raise ValueError(
                "A slice is over two columns of X."
                f" {type(estimator).__name__} was fitted to {n_columns or 'an unknown number'}."
            )
        if samples is not None and samples.shape[1] != n_columns:
            raise ValueError(f"X must have {n_columns} columns. Got {samples.shape[1]}.")
        coordinates: list = [None] * n_columns
        ordered = [True] * n_columns
        if hasattr(estimator, "predict_factors"):
            coordinates = [to_numpy(points).astype(np.float64) for points in estimator.indices_]
            ordered = [kernel != "iid" for kernel in mode_kernels(estimator)]
        elif samples is not None:
            coordinates = [np.unique(column) for column in samples.T]
        return cls(column_names(estimator, n_columns), coordinates, ordered)

    def position(self, key, what):
        """Position of a column that is given by position or name."""
        n_columns = len(self.names)
        if isinstance(key, str) and key in self.names:
            return self.names.index(key)
        if isinstance(key, Integral) and 0 <= int(key) < n_columns:
            return int(key)
        raise ValueError(
            f"{what} must be columns of X: integers from 0 to {n_columns - 1}, or names among"
            f" {self.names}. Got {key!r}."
        )

    def known(self, k, remedy):
        """Training coordinates of a column, or an error that says how to do without."""
        if self.coordinates[k] is None:
            raise ValueError(f"Training coordinates of {self.names[k]} are not known: {remedy}.")
        return self.coordinates[k]

    def fixed_values(self, fixed, shown):
        """Values of the columns that are not shown, by position."""
        if fixed is not None and not isinstance(fixed, dict):
            raise ValueError(f"fixed must be a dict of columns to values, or None. Got {fixed!r}.")
        given = {self.position(key, "fixed"): value for key, value in (fixed or {}).items()}
        values = {}
        for k, value in given.items():
            if k in shown:
                raise ValueError(f"fixed has {self.names[k]}, which is one of the two modes shown.")
            if not isinstance(value, Real) or not np.isfinite(float(value)):
                raise ValueError(f"fixed must have finite numbers. Got {value!r}.")
        for k in range(len(self.names)):
            if k in given:
                values[k] = float(given[k])
            elif k not in shown:
                points = self.known(k, "pass X, or its value in fixed")
                values[k] = float(points[(points.size - 1) // 2])
        return values

    def near(self, samples, values, width):
        """Which samples lie near the values of fixed columns."""
        near = np.ones(len(samples), dtype=bool)
        for k, value in values.items():
            reach = width / 2 * np.ptp(self.coordinates[k]) if self.ordered[k] else 0.0
            near &= np.abs(samples[:, k] - value) <= reach
        return near


def mode_kernels(estimator):
    """Name of the prior of each mode of a functional tensor.

    Parameters
    ----------
    estimator : FunBaT
        The fitted estimator.

    Returns
    -------
    kernels : list of str
        The names.
    """
    kernel = estimator.kernel
    return [kernel] * estimator.n_features_in_ if isinstance(kernel, str) else list(kernel)


def column_names(estimator, n_columns):
    """Names of the columns of X, or their numbers.

    Parameters
    ----------
    estimator : estimator
        The fitted estimator.
    n_columns : int
        Number of columns.

    Returns
    -------
    names : list of str
        The names.
    """
    names = getattr(estimator, "feature_names_in_", None)
    return [f"Coordinate {k}" for k in range(n_columns)] if names is None else list(map(str, names))
