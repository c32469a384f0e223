"""The exponential function of compiled loops, against that of NumPy."""

import numpy as np
import pytest
from numba import njit

from skmatrix._math_numba import exp_below


@njit
def exponentials(x, result):
    for i in range(x.size):
        result[i] = exp_below(x[i])


def in_ulps(dtype, x):
    """Error of the compiled exponential in units in the last place."""
    x = x.astype(dtype)
    result = np.empty_like(x)
    exponentials(x, result)
    wider = np.longdouble if dtype == np.float64 else np.float64
    exact = np.exp(x.astype(wider))
    return np.abs((result.astype(wider) - exact) / np.spacing(exact.astype(dtype))).astype(float)


@pytest.mark.parametrize(("dtype", "end", "ulps"), [(np.float64, -700, 2), (np.float32, -87, 3)])
def test_error_in_units_of_the_last_place(dtype, end, ulps):
    rng = np.random.default_rng(0)
    evenly = np.linspace(end, 0, 400_001)
    small = -np.geomspace(1e-30, 1, 20_001)
    # Where the exponent of the result changes, and halfway between.
    halves = np.log(2) * np.arange(0, -end / np.log(2), 0.5)
    edges = np.concatenate([-halves, -halves * (1 + 1e-15), -halves * (1 - 1e-7)])
    x = np.concatenate([evenly, small, edges[edges > end], rng.uniform(end, 0, 100_000)])
    assert in_ulps(dtype, x).max() <= ulps


@pytest.mark.parametrize(("dtype", "end"), [(np.float64, -700.0), (np.float32, -87.0)])
def test_extremes(dtype, end):
    x = np.array([0.0, -0.0, end, 2 * end, -1e30, -np.inf], dtype=dtype)
    result = np.empty_like(x)
    exponentials(x, result)
    assert result[0] == result[1] == 1
    # What is smaller counts as the smallest, which is a normal number.
    assert result[2] >= np.finfo(dtype).tiny
    assert np.all(result[2:] == result[2])


def test_values_a_little_above_zero():
    """Peaks that were found in another precision may lie below a value."""
    for dtype in (np.float64, np.float32):
        assert in_ulps(dtype, np.linspace(0, 1e-3, 1001)).max() <= 2


def test_plain_python_gives_the_same():
    x = np.array([-3.0, -0.1, -900.0])
    result = np.empty_like(x)
    exponentials(x, result)
    np.testing.assert_allclose([exp_below(value) for value in x], result, rtol=1e-14)
