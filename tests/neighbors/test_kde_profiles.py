"""Profiles of the kernels: values, integrals, and draws."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from scipy.integrate import cumulative_trapezoid

from skmatrix.neighbors import KDE
from skmatrix.neighbors._kde_profiles import (
    COMPACT,
    KERNELS,
    draw_offsets,
    log_ball_volume,
    log_integral,
    log_profile,
)
from tests.neighbors import reference

every_kernel = pytest.mark.parametrize("kernel", KERNELS)


@every_kernel
def test_values(kernel):
    u = np.concatenate([np.linspace(0, 1, 101)[:-1], [1 - 1e-12, 1.0, 1 + 1e-12, 2.0, 1e4]])
    values = log_profile(np, u**2, kernel, (2.5, 7))
    assert_allclose(values, reference.log_profile(kernel, u, 7, 2.5), rtol=1e-9, atol=1e-13)
    assert values[0] == 0
    assert np.isneginf(values[u >= 1]).all() == (kernel in COMPACT)


@every_kernel
@pytest.mark.parametrize("d", range(1, 13))
def test_integral_is_that_of_quadrature(kernel, d):
    assert_allclose(log_integral(kernel, d, 2.5), reference.log_integral(kernel, d, 2.5), atol=1e-9)


@every_kernel
@pytest.mark.parametrize("d", [60, 500])
def test_integral_in_many_dimensions(kernel, d):
    expected = reference.log_integral(kernel, d, 2.5)
    assert_allclose(log_integral(kernel, d, 2.5), expected, rtol=1e-11)


def test_integrals_leave_the_range_of_floating_point():
    assert np.exp(log_ball_volume(500)) == 0


@every_kernel
def test_integral_by_chance(kernel):
    """In five dimensions, over draws from a wide Student distribution."""
    d, n = 5, 200_000
    law = stats.multivariate_t(np.zeros(d), 0.25 * np.eye(d), df=2)
    x = law.rvs(n, random_state=0)
    u = np.sqrt(np.sum(x**2, axis=1))
    ratio = np.exp(reference.log_profile(kernel, u, d, 4.0) - law.logpdf(x))
    error = ratio.std() / np.sqrt(n)
    assert error < 0.03 * ratio.mean()
    assert abs(ratio.mean() - np.exp(log_integral(kernel, d, 4.0))) < 4 * error


@every_kernel
@pytest.mark.parametrize("d", [1, 3, 8])
def test_draws_have_the_radius_of_the_kernel(kernel, d):
    offsets = draw_offsets(kernel, d, 4000, np.random.RandomState(0), 2.5)
    assert offsets.shape == (4000, d)
    radius = np.sqrt(np.sum(offsets**2, axis=1))
    end = 1.0 if kernel in COMPACT else 1e3
    grid = np.concatenate([[0], np.geomspace(1e-6, end, 200_001)])
    density = grid ** (d - 1) * np.exp(reference.log_profile(kernel, grid, d, 2.5))
    share = cumulative_trapezoid(density, grid, initial=0)
    share /= share[-1]
    assert stats.kstest(radius, lambda r: np.interp(r, grid, share)).pvalue > 1e-3
    assert radius.max() < 1 or kernel not in COMPACT


@every_kernel
def test_draws_have_no_direction(kernel):
    offsets = draw_offsets(kernel, 3, 20_000, np.random.RandomState(1), 2.5)
    direction = offsets / np.sqrt(np.sum(offsets**2, axis=1))[:, None]
    # Coordinates of a direction in three dimensions are uniform.
    for coordinate in direction.T:
        assert stats.kstest(coordinate, stats.uniform(-1, 2).cdf).pvalue > 1e-3
    assert_allclose(direction.T @ direction / 20_000, np.eye(3) / 3, atol=0.01)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("df", [1e13, 1e15, 1e16, 1e40, 1e300])
def test_student_with_many_degrees_of_freedom_is_gaussian(df, precision, backend):
    X = np.random.default_rng(0).standard_normal((50, 3))
    settings = {"precision": precision, "backend": backend}
    gaussian = KDE(0.5, **settings).fit(X)
    student = KDE(0.5, kernel="student", df=df, **settings).fit(X)
    tolerance = 1e-6 if precision == "float32" else 1e-10
    assert_allclose(student.score_samples(X), gaussian.score_samples(X), atol=tolerance)
    assert np.isfinite(student.sample(5, random_state=0)).all()
