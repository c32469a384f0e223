"""A density integrates to one, and samples follow it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from skmatrix.neighbors import KDE, _kde
from tests.neighbors.reference import COMPACT, KERNELS

every_kernel = pytest.mark.parametrize("kernel", KERNELS)

# Second moment of each kernel in one dimension, by its integral.
VARIANCES = {
    "gaussian": 1.0,
    "student": 10 / 8,
    "exponential": 2.0,
    "tophat": 1 / 3,
    "epanechnikov": 1 / 5,
    "linear": 1 / 6,
    "cosine": 1 - 8 / np.pi**2,
}


def points(n, d, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d)) * np.linspace(0.5, 2, d)


def whole_line(n):
    """Nodes and weights of a quadrature over the line, for tails of any length."""
    t = (np.arange(n) + 0.5) / n * np.pi - np.pi / 2
    return np.tan(t), np.pi / n / np.cos(t) ** 2


@every_kernel
@pytest.mark.parametrize("whiten", [0.0, 1.0])
@pytest.mark.filterwarnings("ignore:.* queries are further than one bandwidth")
def test_integral_in_one_dimension(kernel, whiten):
    weight = np.random.default_rng(1).uniform(size=30)
    kde = KDE(0.7, kernel=kernel, whiten=whiten).fit(3 * points(30, 1), sample_weight=weight)
    x, width = whole_line(200_000)
    density = kde.predict(x[:, None])
    tolerance = 1e-3 if kernel == "tophat" else 1e-6
    assert density @ width == pytest.approx(1, abs=tolerance)


@every_kernel
@pytest.mark.parametrize("settings", [{}, {"whiten": 0.6}], ids=str)
@pytest.mark.filterwarnings("ignore:.* queries are further than one bandwidth")
def test_integral_in_two_dimensions(kernel, settings):
    kde = KDE(1.0, kernel=kernel, **settings).fit(points(15, 2))
    x, width = whole_line(500)
    grid = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2)
    density = kde.predict(grid).reshape(500, 500)
    assert width @ density @ width == pytest.approx(1, abs=3e-3 if kernel in COMPACT else 1e-3)


def test_integral_with_a_bandwidth_per_feature():
    kde = KDE([0.3, 1.5]).fit(points(15, 2))
    x, width = whole_line(800)
    grid = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2)
    assert width @ kde.predict(grid).reshape(800, 800) @ width == pytest.approx(1, abs=1e-3)


@every_kernel
@pytest.mark.parametrize("whiten", [0.0, 0.5])
@pytest.mark.filterwarnings("ignore:.* queries are further than one bandwidth")
def test_integral_in_six_dimensions(kernel, whiten):
    """By importance, with draws of a Student distribution."""
    X = points(60, 6)
    # A kernel of bounded support is as wide as its variance asks for.
    kde = KDE(3.0 if kernel in COMPACT else 1.0, kernel=kernel, whiten=whiten).fit(X)
    scale = 4.0 if kernel == "exponential" else 1.5
    law = stats.multivariate_t(np.zeros(6), scale * np.diag(np.linspace(0.5, 2, 6) ** 2), df=3)
    x = law.rvs(60_000, random_state=0)
    ratio = np.exp(kde.score_samples(x) - law.logpdf(x))
    error = ratio.std() / np.sqrt(ratio.size)
    assert error < 0.03
    assert abs(ratio.mean() - 1) < 4 * error


@every_kernel
def test_moments_of_samples(kernel):
    """Mean of the points, and their covariance plus that of the kernel."""
    weight = np.random.default_rng(1).uniform(size=40)
    X, df = 3 * points(40, 1), 10.0
    kde = KDE(2.0, kernel=kernel, df=df).fit(X, sample_weight=weight)
    Y = kde.sample(100_000, random_state=0)
    mean = np.average(X[:, 0], weights=weight)
    variance = np.average((X[:, 0] - mean) ** 2, weights=weight) + 4 * VARIANCES[kernel]
    assert abs(Y.mean() - mean) < 4 * np.sqrt(variance / 1e5)
    assert Y.var() == pytest.approx(variance, rel=0.02)


def test_covariance_of_samples_in_the_units_of_the_data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 3)) @ rng.standard_normal((3, 3)) + [5, 0, -9]
    C = np.cov(X.T, bias=True)
    values, vectors = np.linalg.eigh(C)
    for whiten in (0.0, 0.5, 1.0):
        kde = KDE(0.8, whiten=whiten, shrinkage=0.0).fit(X)
        Y = kde.sample(200_000, random_state=0)
        kernel = 0.8**2 * (vectors * values**whiten) @ vectors.T
        assert_allclose(Y.mean(axis=0), X.mean(axis=0), atol=0.03)
        assert_allclose(np.cov(Y.T), C + kernel, atol=0.03 * np.trace(C))
    kde = KDE([0.1, 1.0, 3.0]).fit(X)
    Y = kde.sample(200_000, random_state=0)
    assert_allclose(np.cov(Y.T), C + np.diag([0.01, 1, 9]), atol=0.03 * np.trace(C))


@every_kernel
@pytest.mark.parametrize("whiten", [0.0, 0.7])
def test_samples_follow_the_density(kernel, whiten):
    """In one dimension, by the distribution function."""
    X = 3 * points(20, 1)
    kde = KDE(1.0, kernel=kernel, whiten=whiten).fit(X)
    grid = np.linspace(-40, 40, 80_001)
    with np.errstate(all="ignore"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(_kde, "warn_out_of_reach", lambda *args: None)
        density = kde.predict(grid[:, None])
    share = np.cumsum(density) * (grid[1] - grid[0])
    Y = kde.sample(40_000, random_state=0)[:, 0]
    assert stats.kstest(Y, lambda y: np.interp(y, grid, share)).pvalue > 1e-3


def test_samples_by_seeds():
    kde = KDE(0.5, random_state=3).fit(points(50, 2))
    assert_array_equal(kde.sample(5), kde.sample(5))
    assert_array_equal(kde.sample(5), kde.sample(5, random_state=3))
    assert np.all(kde.sample(5) != kde.sample(5, random_state=4))
    generator = np.random.RandomState(0)
    assert np.all(kde.sample(5, random_state=generator) != kde.sample(5, random_state=generator))
    assert kde.sample().shape == (1, 2)
    assert kde.sample(0).shape == (0, 2)
    assert kde.sample(np.int64(2)).dtype == np.float64


def test_small_bandwidths_give_the_points_back():
    X = points(50, 3) + 100
    for whiten in (0.0, 0.4, 1.0):
        Y = KDE(1e-9, whiten=whiten).fit(X).sample(500, random_state=0)
        nearest = np.abs(Y[:, None] - X).max(axis=2).min(axis=1)
        assert nearest.max() < 1e-6
    # As often as their weights say.
    weight = np.array([3.0, 1.0, 0.0, 6.0])
    Y = KDE(1e-9).fit(X[:4], sample_weight=weight).sample(20_000, random_state=0)
    share = [np.mean(np.abs(Y - x).max(axis=1) < 1e-6) for x in X[:4]]
    assert_allclose(share, weight / 10, atol=0.015)


def test_likelihood_prefers_its_own_samples():
    kde = KDE(0.3).fit(points(200, 3))
    own, other = kde.sample(500, random_state=0), points(500, 3, 1)
    entropy = kde.mean_log_likelihood(own)
    assert entropy > kde.mean_log_likelihood(other) + 0.5
    assert kde.score(own) == pytest.approx(500 * entropy, rel=1e-12)
