"""Figures of the digits that are known."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from skmatrix._backend import get_backend
from skmatrix.neighbors import KDE


@pytest.fixture(scope="module")
def pixels():
    return load_digits().data


@pytest.fixture(scope="module")
def components(pixels):
    return PCA(15, svd_solver="full").fit_transform(pixels)


def left_out_shares(kde):
    """Sum of the squared shares of the others in the estimate at each point."""
    points = kde._with_engine(get_backend("auto", np.empty(0)))
    own = np.arange(points.n_points)
    return points.sums(points.take(own)[0], kde.bandwidth_, own, moments=True)[1]


def test_fifteen_components(components):
    kde = KDE().fit(components)
    assert KDE("nn").fit(components).bandwidth_ == pytest.approx(2.968, rel=0.001)
    assert kde.bandwidth_ == pytest.approx(3.0631, rel=0.001)
    assert kde.loo_log_likelihood_ == pytest.approx(-44.668, abs=0.002)
    shares = left_out_shares(kde)
    assert shares.mean() == pytest.approx(0.579, rel=0.01)
    assert np.median(1 / shares) == pytest.approx(1.88, rel=0.01)
    assert kde.h_g_ == pytest.approx(5.51, rel=0.01)
    assert (kde.bandwidth_ / kde.h_g_) ** 2 == pytest.approx(0.31, rel=0.01)
    assert kde.thresholds()["h_g_gaussian"] == pytest.approx(5.75, rel=0.01)
    assert kde.regime_ == "extreme"
    # What five-fold cross-validation over twenty bandwidths finds is less likely.
    assert kde.bandwidth_path([3.79269])[1][0] == pytest.approx(-45.18, abs=0.02)
    path = kde.bandwidth_path()
    assert path[1].max() == pytest.approx(-44.668, abs=0.05)
    assert len(path[0]) >= 22


def test_rules_that_ignore_the_scale_fail(components):
    kde = KDE("sklearn_silverman").fit(components)
    assert kde.bandwidth_ == pytest.approx(0.6246, abs=1e-4)
    assert KDE("sklearn_silverman").fit(100 * components).bandwidth_ == kde.bandwidth_
    assert kde.bandwidth_path([kde.bandwidth_])[1][0] < -180


def test_all_pixels(pixels):
    kde = KDE().fit(pixels)
    assert kde.bandwidth_ == pytest.approx(2.109, rel=0.01)
    shares = left_out_shares(kde)
    assert shares.mean() == pytest.approx(0.868, rel=0.01)
    assert np.median(1 / shares) == pytest.approx(1.02, rel=0.01)


@pytest.mark.parametrize(
    ("whiten", "expected"),
    [(0.0, -145.84), (0.25, -131.5), (0.5, -120.1), (0.75, -111.5), (1.0, -105.9)],
)
@pytest.mark.filterwarnings("ignore:X has features without variance")  # three are white in all
def test_partial_whitening_of_all_pixels(pixels, whiten, expected):
    kde = KDE(whiten=whiten, shrinkage=0.001).fit(pixels)
    assert kde.loo_log_likelihood_ == pytest.approx(expected, abs=0.06)


def test_partial_whitening_of_components(components):
    likelihood = {
        whiten: KDE(whiten=whiten).fit(components).loo_log_likelihood_
        for whiten in (0.0, 0.25, 0.5, 0.75, 1.0)
    }
    assert max(likelihood, key=likelihood.__getitem__) == 0.25
    kde = KDE(whiten="loo", random_state=0).fit(components)
    assert 0.05 < kde.whiten_ < 0.4
    assert kde.loo_log_likelihood_ > likelihood[0.25]


def test_a_tiny_bandwidth_is_the_extreme_regime():
    """A constant at the points is no error: each is alone."""
    X = np.random.default_rng(0).standard_normal((1000, 1))
    kde = KDE(1e-8).fit(X)
    expected = -np.log(1000 * 1e-8 * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(kde.score_samples(X), expected, rtol=1e-12)
    found = kde.query_diagnostics(X)
    np.testing.assert_allclose(found.n_effective, 1)
    assert found.stable_index.max() < 1e-6
    assert kde.regime_ == "extreme"
