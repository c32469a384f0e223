"""What a fitted :class:`KroneckerSBL` is asked for, in the units of the data."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._backend import to_numpy
from .._sklearn import _check_sample_weight
from ._kronecker_sbl_kernels import mode_products
from ._kronecker_sbl_posterior import GaussianPosterior, ProductPosterior
from ._kronecker_sbl_problem import Units


@dataclass(frozen=True)
class Record:
    """What a fit keeps beside its attributes, on the host.

    Attributes
    ----------
    form : {"matrix", "factors", "rows"}
        Form of the design.
    layout : Layout
        Layout of the target.
    shape : tuple of int
        Columns of the factors.
    n_snapshots : int
        Number of snapshots.
    units : Units
        Units of the posterior.
    posterior : GaussianPosterior or ProductPosterior
        Posterior without units.
    n_free : int
        Measurements, less one for an intercept.
    coupling : sequence or None
        The parameter of the fit.
    """

    form: str
    layout: Any
    shape: tuple
    n_snapshots: int
    units: Units
    posterior: GaussianPosterior | ProductPosterior
    n_free: int
    coupling: Any


def double(be, *arrays):
    """Arrays on the engine in double precision, all real or all complex."""
    xp = be.xp
    loaded = [be.load(array) for array in arrays]
    is_complex = any(xp.isdtype(a.dtype, "complex floating") for a in loaded)
    dtype = xp.complex128 if is_complex else xp.float64
    return [xp.astype(a, dtype, copy=False) for a in loaded]


def predicted(design, record, coef, intercept):
    """Means at the rows of a design, in the layout of the target.

    Parameters
    ----------
    design : Design
        Rows.
    record : Record
        What the fit has kept.
    coef : array of shape (N,) or (L, N)
        Coefficients, at home.
    intercept : number or array of shape (L,)
        Intercept, at home.
    """
    be, xp = design.be, design.be.xp
    tensor, *rows = double(be, coef, *design.factors)
    tensor = xp.reshape(tensor, (record.n_snapshots, *record.shape))
    values = mode_products(be, tensor, *rows)
    if record.layout.snapshots:
        (shift,) = double(be, intercept)
        intercept = xp.reshape(shift, (-1, *(1,) * len(rows)))
    return record.layout.arranged(xp, values + intercept)


def predicted_std(design, record):
    """Standard deviations of measurements at the rows of a design, in the layout of the target."""
    be, xp, units = design.be, design.be.xp, record.units
    rows = double(be, *design.factors)
    if units.row_mean is not None:
        rows[0] = rows[0] - be.load(units.row_mean)
    rows = [row / unit for row, unit in zip(rows, units.factors, strict=True)]
    variance = record.posterior.row_variance(be, rows) + record.posterior.noise
    std = units.data * xp.sqrt(variance)
    shape = (record.n_snapshots, *std.shape)
    return record.layout.arranged(xp, xp.broadcast_to(std[None, ...], shape))


def drawn(be, record, mean, n_samples, rng):
    """Draws of the coefficients: ndarray of shape (n_samples, L, N)."""
    unit = record.units.coefficient
    mean = (to_numpy(mean) / unit).reshape(record.n_snapshots, *record.shape)
    draws = record.posterior.draw(be, rng, n_samples, mean)
    return unit * draws.reshape(n_samples, record.n_snapshots, -1)


def log_evidence(cost, record):
    """Logarithm of the density of the data that a cost stands for."""
    n = record.n_snapshots * record.n_free
    if record.posterior.is_complex:
        return -(cost + n * math.log(math.pi)) - 2 * n * math.log(record.units.data)
    return -0.5 * (cost + n * math.log(2 * math.pi)) - n * math.log(record.units.data)


def r_squared(y, prediction, sample_weight):
    """Coefficient of determination of real or complex columns, averaged over them."""
    weight = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
    if not weight.any():
        raise ValueError("sample_weight holds zeros only.")
    share = weight / weight.sum()
    unit = max(np.abs(y).max(), np.abs(prediction).max()) or 1.0
    y, prediction = y / unit, prediction / unit
    missed = share @ np.abs(y - prediction) ** 2
    spread = share @ np.abs(y - share @ y) ** 2
    # The convention of scikit-learn for a column that does not vary.
    constant = np.where(missed == 0, 1.0, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.mean(np.where(spread > 0, 1 - missed / spread, constant)))
