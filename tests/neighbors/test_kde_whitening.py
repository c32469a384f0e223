"""Partial whitening: the metric, its volume, and the likeliest exponent."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.covariance import ledoit_wolf

from skmatrix.neighbors import KDE
from skmatrix.neighbors._kde_points import Moments, make_metric
from tests.neighbors import reference
from tests.neighbors.reference import KERNELS


def points(n=200, d=4, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) @ np.random.default_rng(9).standard_normal((d, d)) + 3


@pytest.mark.parametrize(("n", "d"), [(20, 3), (50, 50), (500, 10)])
def test_shrinkage_is_that_of_ledoit_and_wolf(n, d):
    X = points(n, d)
    covariance, share = ledoit_wolf(X)
    assert 0 < share < 1
    moments = Moments.of(X, np.ones(n))
    assert_allclose(moments.shrunk_covariance("auto"), covariance, rtol=1e-9, atol=1e-12)
    # Repeated points are more points.
    repeated, weight = np.repeat(X, 3, axis=0), np.full(n, 3.0)
    expected = ledoit_wolf(repeated)[0]
    assert_allclose(Moments.of(X, weight).shrunk_covariance("auto"), expected, rtol=1e-9)


def test_shrinkage_is_the_share_of_the_mean_variance():
    X = points()
    covariance = np.cov(X.T, bias=True)
    moments = Moments.of(X, np.ones(200))
    assert_allclose(moments.shrunk_covariance(0.0), covariance, rtol=1e-11)
    assert_allclose(
        moments.shrunk_covariance(1.0), np.trace(covariance) / 4 * np.eye(4), atol=1e-12
    )
    half = moments.shrunk_covariance(0.5)
    assert_allclose(half, (covariance + moments.shrunk_covariance(1.0)) / 2, atol=1e-12)


def test_moments_do_not_cancel():
    X = np.random.default_rng(0).standard_normal((100, 2))
    far = Moments.of(X + 1e9, np.ones(100))
    assert_allclose(far.covariance, Moments.of(X, np.ones(100)).covariance, rtol=1e-6)


@pytest.mark.parametrize("n", [3, 30, 37, 101, 1000])
@pytest.mark.parametrize("value", [0.1, 1 / 3, -1e9 / 7])
def test_a_constant_has_no_variance_at_all(n, value):
    weight = np.random.default_rng(0).uniform(size=n)
    X = np.column_stack([np.random.default_rng(1).standard_normal(n), np.full(n, value)])
    covariance = Moments.of(X, weight).covariance
    assert_array_equal(covariance[1], [0, 0])


@pytest.mark.parametrize("whiten", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("shrinkage", [0.0, 0.2])
def test_metric(whiten, shrinkage):
    X = points()
    metric, flat = make_metric(Moments.of(X, np.ones(200)), whiten, shrinkage)
    assert not flat
    Z = metric.apply(X)
    assert_allclose(metric.invert(Z), X, rtol=1e-11)
    assert_allclose(Z.mean(axis=0), 0, atol=1e-12)
    # Distances are those of Sigma^-a.
    values, vectors = np.linalg.eigh(
        Moments.of(X, np.ones(200)).shrunk_covariance(shrinkage if whiten else 0.0)
    )
    inverse = (vectors * values**-whiten) @ vectors.T
    difference = X[:1] - X[1:]
    expected = np.einsum("ij,jk,ik->i", difference, inverse, difference)
    assert_allclose(np.sum((Z[:1] - Z[1:]) ** 2, axis=1), expected, rtol=1e-10)
    assert metric.log_determinant == pytest.approx(-whiten / 2 * np.log(values).sum(), abs=1e-10)
    if shrinkage == 0:
        covariance = np.cov(Z.T, bias=True)
        assert_allclose(np.linalg.eigvalsh(covariance), np.sort(metric.spectrum), rtol=1e-9)
        assert_allclose(np.diag(covariance), metric.variance, rtol=1e-9)
        assert metric.unit == pytest.approx(np.sqrt(np.trace(covariance) / 4))


@pytest.mark.parametrize(
    ("kernel", "bandwidth"),
    [("gaussian", "nn"), ("gaussian", "silverman")]
    + [(kernel, bandwidth) for kernel in KERNELS for bandwidth in (3.0, "loo")],
)
def test_whole_whitening_makes_all_maps_equal(kernel, bandwidth):
    X, queries = points(150, 3), points(30, 3, 1)
    A = np.random.default_rng(2).standard_normal((3, 3))
    settings = {"kernel": kernel, "whiten": 1.0, "shrinkage": 0.0}
    plain = KDE(bandwidth, **settings).fit(X)
    mapped = KDE(bandwidth, **settings).fit(X @ A + 7)
    queries = X[:30] + 0.1 * (queries - 3)
    volume = np.log(abs(np.linalg.det(A)))
    assert_allclose(mapped.bandwidth_, plain.bandwidth_, rtol=1e-3)
    # A search may end elsewhere by its tolerance.
    tolerance = 1e-2 if bandwidth == "loo" else 1e-9
    assert_allclose(
        mapped.score_samples(queries @ A + 7) + volume, plain.score_samples(queries), atol=tolerance
    )


def test_whitened_estimate_is_one_of_the_whitened_data():
    X = points()
    kde = KDE(0.5, whiten=0.6, shrinkage=0.1).fit(X)
    Z = kde._metric.apply(X)
    expected = reference.log_density(Z, Z, 0.5) + kde._metric.log_determinant
    assert_allclose(kde.score_samples(X), expected, rtol=0, atol=1e-10)
    assert_allclose(kde.X_fit_, Z)
    nearest = kde.query_diagnostics(X + 1e-3).nearest_distance
    step = np.sqrt(np.sum((kde._metric.apply(X + 1e-3) - Z) ** 2, axis=1))
    assert np.all(nearest <= step * (1 + 1e-9))
    assert kde.whiten_ == 0.6


def test_likeliest_exponent():
    """Unlike variances ask for whitening, equal ones do not punish it."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 5)) * np.geomspace(0.01, 100, 5)
    kde = KDE(whiten="loo", random_state=0).fit(X)
    assert kde.whiten_ > 0.9
    grid = [KDE(whiten=a).fit(X).loo_log_likelihood_ for a in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert kde.loo_log_likelihood_ >= max(grid) - 1e-6
    assert kde.loo_log_likelihood_ > grid[0] + 1
    inner = KDE(whiten="loo", shrinkage=0.0, random_state=0).fit(points(200, 3))
    sides = [
        KDE(whiten=min(1.0, max(0.0, inner.whiten_ + step)), shrinkage=0.0).fit(points(200, 3))
        for step in (-0.1, 0.1)
    ]
    assert all(inner.loo_log_likelihood_ >= side.loo_log_likelihood_ - 1e-6 for side in sides)


def test_likeliest_exponent_with_a_given_bandwidth():
    X = points(100, 3)
    kde = KDE(0.5, whiten="loo", random_state=0).fit(X)
    assert kde.bandwidth_ == 0.5
    assert 0 <= kde.whiten_ <= 1
    assert isinstance(kde.whiten_, float)
    assert kde.loo_log_likelihood_ is None


def test_constant_feature():
    X = np.column_stack([points(100, 2), np.full(100, 5.0)])
    # Without whitening it only adds a dimension in which all is at one place.
    kde = KDE(0.5).fit(X)
    flat = KDE(0.5).fit(X[:, :2])
    expected = flat.score_samples(X[:5, :2]) - 0.5 * np.log(2 * np.pi * 0.25)
    assert_allclose(kde.score_samples(X[:5]), expected, rtol=1e-10)
    assert np.isfinite(KDE().fit(X).bandwidth_)
    # Shrinkage gives it a variance, by which the likelihood gains without a reason.
    for shrinkage in ("auto", 0.1):
        with pytest.warns(UserWarning, match="whiten=1.0 divides by what shrinkage gives them"):
            shrunk = KDE(0.5, whiten=1.0, shrinkage=shrinkage).fit(X)
        assert np.isfinite(shrunk.score_samples(X)).all()
    message = "X has features without variance, or fewer samples than features: whiten=1.0 leaves"
    with pytest.warns(UserWarning, match=message):
        left = KDE(0.5, whiten=1.0, shrinkage=0.0).fit(X)
    expected = KDE(0.5, whiten=1.0, shrinkage=0.0).fit(X[:, :2]).score_samples(X[:5, :2])
    assert_allclose(left.score_samples(X[:5]), expected - 0.5 * np.log(2 * np.pi * 0.25), rtol=1e-9)


def test_fewer_samples_than_features():
    X = np.random.default_rng(0).standard_normal((5, 12))
    with pytest.warns(UserWarning, match="fewer samples than features"):
        kde = KDE(0.5, whiten=1.0, shrinkage=0.0).fit(X)
    assert np.isfinite(kde.score_samples(X)).all()
    assert np.isfinite(KDE(whiten=1.0).fit(X).score_samples(X)).all()


def test_one_feature_is_scaled():
    X = points(50, 1)
    kde = KDE(0.5, whiten=1.0).fit(X)
    assert_allclose(kde.score_samples(X), KDE(0.5 * X.std()).fit(X).score_samples(X), rtol=1e-10)
    assert_array_equal(np.shape(kde._metric.transform), (1, 1))


@pytest.mark.parametrize("whiten", [0.5, 1.0, "loo"])
@pytest.mark.parametrize("exponent", [-340, -283, -100, 260, 400])
@pytest.mark.filterwarnings("error")
def test_whitening_does_not_hang_on_the_unit_of_the_data(whiten, exponent):
    """Fourth powers of these leave the range of floating point."""
    X, scale = points(100, 3) * [1, 2, 9], 2.0**exponent
    plain, scaled = (KDE(whiten=whiten, random_state=0).fit(data) for data in (X, X * scale))
    assert scaled.whiten_ == pytest.approx(plain.whiten_, abs=1e-3)
    expected = plain.score_samples(X[:9]) - 3 * np.log(scale)
    tolerance = 1e-3 if whiten == "loo" else 1e-8
    assert_allclose(scaled.score_samples(X[:9] * scale), expected, rtol=0, atol=tolerance)
    assert KDE(0.5 * scale).fit(X * scale).regime_ == KDE(0.5).fit(X).regime_


def test_variances_out_of_the_range_of_floating_point():
    message = r"X must have variances in the range .* deviations of about \de\+1\d\d from its mean"
    with pytest.raises(ValueError, match=message):
        KDE(1e170).fit(points() * 1e170)
