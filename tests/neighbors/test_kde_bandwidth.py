"""Bandwidths by the likelihood of left-out points, and by rules."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist

from skmatrix._backend import get_backend
from skmatrix.neighbors import KDE, _kde_bandwidth
from skmatrix.neighbors._kde_bandwidth import LeaveOneOut
from tests.neighbors import reference
from tests.neighbors.reference import COMPACT, KERNELS

every_kernel = pytest.mark.parametrize("kernel", KERNELS)


def points(n=200, d=3, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


def left_out(X, kernel="gaussian", weight=None, **settings):
    """Likelihood of left-out points in units of the data."""
    kde = KDE(1.0, kernel=kernel, **settings).fit(X, sample_weight=weight)
    be = get_backend("auto", X)
    return LeaveOneOut(kde._with_engine(be), 10**6, np.random.RandomState(0), 1.0)


@every_kernel
@pytest.mark.parametrize("weighted", [False, True])
def test_likelihood_equals_brute_force(kernel, weighted):
    X = points(60, 3)
    X[40:45] = X[:5]  # duplicates are left out with their point
    weight = np.random.default_rng(1).uniform(0.2, 2, 60) if weighted else None
    ours = left_out(X, kernel, weight, df=2.5)
    for h in (2.5, 4.0):
        expected = reference.left_out_likelihood(X, h, kernel, weight, 2.5)
        assert np.isfinite(expected)
        assert ours.evaluate(h) == pytest.approx(expected, abs=1e-10)
        assert ours.evaluate(h, moments=True)[0] == ours.evaluate(h)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("d", [1, 2, 20])
def test_derivatives_are_those_of_finite_differences(d, weighted):
    X = points(150, d)
    weight = np.random.default_rng(1).uniform(0.2, 2, 150) if weighted else None
    ours = left_out(X, weight=weight)
    for h in (0.3, 0.8, 2.0):
        step = 1e-4
        below, here, above = (ours.evaluate(h * np.exp(s)) for s in (-step, 0, step))
        _, slope, curvature = ours.evaluate(h, moments=True)
        assert slope == pytest.approx((above - below) / (2 * step), rel=1e-6, abs=1e-6)
        assert curvature == pytest.approx((above - 2 * here + below) / step**2, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("d", [1, 3, 20])
def test_the_em_step_never_lowers_the_likelihood(d):
    ours = left_out(points(200, d))
    for start in (0.02, 10.0):
        h, before = start, -np.inf
        for _ in range(60):
            value, slope, _ = ours.evaluate(h, moments=True)
            updated = h * np.sqrt((slope + d) / d)
            assert value >= before - 1e-12
            assert np.sign(updated - h) == np.sign(slope) or abs(slope) < 1e-10
            h, before = updated, value


@pytest.mark.parametrize("scale", [1.0, 1e-5])
def test_two_points_have_the_bandwidth_of_their_distance(scale):
    # The likelihood is -r^2 / (2 h^2) - d log h: its maximum is at r / sqrt(d).
    X = scale * np.array([[0.0, 0, 0], [1, 2, 2]])
    for bandwidth in ("loo", "nn"):
        assert KDE(bandwidth).fit(X).bandwidth_ == pytest.approx(scale * 3 / np.sqrt(3), rel=1e-4)
    assert KDE().fit(X, sample_weight=[1, 5]).bandwidth_ == pytest.approx(scale * 3**0.5, rel=1e-4)
    # exp(-r / h) / h^d has it at r / d, and a ball reaches as far as r.
    assert KDE(kernel="exponential").fit(X).bandwidth_ == pytest.approx(scale, rel=1e-3)
    assert KDE(kernel="tophat").fit(X).bandwidth_ == pytest.approx(3 * scale, rel=1e-3)


@pytest.mark.parametrize("d", [1, 2, 10, 40])
@pytest.mark.parametrize("law", ["normal", "uniform", "cauchy", "clusters", "rounded", "outlier"])
def test_loo_is_the_maximum(law, d):
    rng = np.random.default_rng(0)
    X = {
        "normal": lambda: rng.standard_normal((300, d)),
        "uniform": lambda: rng.uniform(size=(300, d)),
        "cauchy": lambda: rng.standard_t(1.5, (300, d)),
        "clusters": lambda: 5 * rng.integers(0, 2, (300, 1)) + 0.02 * rng.standard_normal((300, d)),
        "rounded": lambda: rng.standard_normal((300, d)).round(1),
        "outlier": lambda: rng.standard_normal((300, d)) + 1e3 * (np.arange(300)[:, None] == 7),
    }[law]()
    kde = KDE().fit(X)
    ours = left_out(X)
    assert kde.loo_log_likelihood_ == pytest.approx(ours.evaluate(kde.bandwidth_), abs=1e-9)
    _, slope, curvature = ours.evaluate(kde.bandwidth_, moments=True)
    # The last step is taken too: what is left of it is of the order of its square.
    assert abs(slope / curvature) < 1e-7
    assert curvature < 0
    grid, values = kde.bandwidth_path(kde.bandwidth_ * np.geomspace(0.02, 50, 61))
    assert values.max() <= kde.loo_log_likelihood_ + 1e-9
    # The default path has bandwidths on both sides.
    grid, values = kde.bandwidth_path()
    assert grid[0] < kde.bandwidth_ < grid[-1]
    assert 0 < values.argmax() < grid.size - 1
    assert abs(np.log(grid[values.argmax()] / kde.bandwidth_)) < np.log(2) / 4


@every_kernel
@pytest.mark.parametrize("d", [1, 2, 6])
@pytest.mark.parametrize("law", ["normal", "uniform", "clusters"])
def test_loo_is_the_maximum_for_every_kernel(law, d, kernel):
    """Up to the small steps of compact kernels."""
    rng = np.random.default_rng(0)
    X = {
        "normal": lambda: rng.standard_normal((400, d)),
        "uniform": lambda: rng.uniform(size=(400, d)),
        "clusters": lambda: 9 * rng.integers(0, 2, (400, 1)) + 0.02 * rng.standard_normal((400, d)),
    }[law]()
    kde = KDE(kernel=kernel).fit(X)
    _, values = kde.bandwidth_path(kde.bandwidth_ * np.geomspace(0.01, 100, 81))
    rough = 5e-3 if kernel in COMPACT else 1e-5
    assert values.max() <= kde.loo_log_likelihood_ + rough
    assert np.isfinite(kde.loo_log_likelihood_)
    assert values[:20].max() < kde.loo_log_likelihood_ - 0.1


@pytest.mark.parametrize("n", [1000, 6000])
@pytest.mark.parametrize("d", [1, 2])
def test_loo_is_the_maximum_where_many_points_lie_within_a_bandwidth(d, n):
    X = np.random.default_rng(0).standard_normal((n, d))
    kde = KDE(loo_max_queries=1500, random_state=2).fit(X)
    _, values = kde.bandwidth_path(kde.bandwidth_ * np.geomspace(0.5, 2, 41))
    assert values.max() <= kde.loo_log_likelihood_ + 1e-9
    # Silverman's is nearly the best one for normal data.
    assert kde.bandwidth_ == pytest.approx(KDE("silverman").fit(X).bandwidth_, rel=0.5)


@pytest.mark.parametrize("inner", [1e-9, 1e-6, 1e-4])
def test_twins_have_the_bandwidth_of_their_distance(inner):
    """Far below the spread of the data, where a search by halves or doubles may not come."""
    rng = np.random.default_rng(0)
    centers, apart = rng.standard_normal((200, 5)), inner * rng.standard_normal((200, 5))
    kde = KDE().fit(np.concatenate([centers, centers + apart]))
    assert kde.bandwidth_ == pytest.approx(np.sqrt(np.mean(apart**2)), rel=1e-4)


def test_search_goes_as_far_as_it_must():
    """On evenly filled space the best bandwidth is many times the distance of neighbours."""
    X = np.random.default_rng(0).uniform(size=(1500, 1))
    for kernel in ("exponential", "student", *COMPACT):
        kde = KDE(kernel=kernel).fit(X)
        grid, values = kde.bandwidth_path(np.geomspace(1e-3, 0.1, 41))
        assert kde.loo_log_likelihood_ > values.max() - 1e-3
        assert kde.bandwidth_ == pytest.approx(grid[values.argmax()], rel=0.4)
        assert kde.bandwidth_ > 8 * KDE("nn").fit(X).bandwidth_


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("d", [2, 15])
def test_path_equals_brute_force(d, weighted):
    X = points(150, d)
    weight = np.random.default_rng(1).uniform(0.2, 2, 150) if weighted else None
    kde = KDE(1.0).fit(X, sample_weight=weight)
    ours = left_out(X, weight=weight)
    grid, values = kde.bandwidth_path()
    assert_allclose(values, [ours.evaluate(h) for h in grid], rtol=1e-12)
    assert_allclose(np.diff(2 * np.log(grid)), np.log(2) / 2, rtol=1e-9)
    assert grid[0] < ours.nearest_bandwidth / 4
    for i in (0, 7, -1):
        expected = reference.left_out_likelihood(X, grid[i], weight=weight)
        assert values[i] == pytest.approx(expected, abs=1e-10)
    given, at_given = kde.bandwidth_path(grid[[5, 3]])
    assert_array_equal(given, grid[[3, 5]])
    assert_allclose(at_given, values[[3, 5]], rtol=1e-12)


@pytest.mark.parametrize("d", [1, 3, 20])
@pytest.mark.parametrize("kernel", KERNELS[1:])
def test_path_of_other_kernels(kernel, d):
    kde = KDE(kernel=kernel).fit(points(d=d))
    grid, values = kde.bandwidth_path()
    assert np.all(np.diff(grid) > 0)
    assert grid[0] < kde.bandwidth_ < grid[-1]
    assert values.max() == pytest.approx(kde.loo_log_likelihood_, abs=0.1 * d)


def test_path_in_whitened_coordinates_is_a_density_of_the_data():
    X = points() * [1, 10, 100]
    kde = KDE(0.5, whiten=1.0, shrinkage=0.0).fit(X)
    log_volume = -0.5 * np.log(np.linalg.det(np.cov(X.T, bias=True)))
    expected = reference.left_out_likelihood(kde._metric.apply(X), 0.5) + log_volume
    assert kde.bandwidth_path([0.5])[1][0] == pytest.approx(expected, abs=1e-10)


@every_kernel
def test_repeated_data_have_the_same_bandwidth(kernel):
    """Were they not left out together, copies would draw the bandwidth to zero."""
    X = points(100, 2)
    once, twice = KDE(kernel=kernel).fit(X), KDE(kernel=kernel).fit(np.concatenate([X, X]))
    assert twice.bandwidth_ == pytest.approx(once.bandwidth_, rel=1e-10)
    some = KDE(kernel=kernel).fit(np.concatenate([X, X[:30]]))
    assert some.bandwidth_ == pytest.approx(once.bandwidth_, rel=0.3)


@pytest.mark.parametrize("heavy", [1e3, 1e5, 1e6])
def test_a_heavy_point_may_ask_for_more_than_the_spread(heavy):
    """It is left out as others are, and the rest may be far from it."""
    X, weight = np.array([[0.0], [0.1], [8], [10], [12]]), np.array([heavy, 1, 300, 300, 300])
    kde = KDE().fit(X, sample_weight=weight)
    for h in np.geomspace(0.01, 40, 200):
        expected = reference.left_out_likelihood(X, h, weight=weight)
        assert expected <= kde.loo_log_likelihood_ + 1e-9


@pytest.mark.parametrize("heavy", [1e10, 1e16, 1e200])
def test_the_rest_of_a_heavy_point_does_not_cancel(heavy):
    X, weight = np.array([[0.0], [1.0], [3.0]]), np.array([heavy, 1.0, 1.0])
    kde = KDE().fit(X, sample_weight=weight)
    expected = reference.left_out_likelihood(X, kde.bandwidth_, weight=weight)
    assert kde.loo_log_likelihood_ == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("factor", [1e160, 1e-170, 1e-300])
def test_weights_of_any_size(factor):
    X, weight = points(150), np.random.default_rng(1).uniform(0.2, 2, 150)
    plain, scaled = (KDE(whiten=0.5).fit(X, sample_weight=w) for w in (weight, factor * weight))
    for name in ("bandwidth_", "loo_log_likelihood_", "h_g_"):
        assert getattr(scaled, name) == pytest.approx(getattr(plain, name), rel=1e-8)
    assert_allclose(scaled.transform(X[:9]), plain.transform(X[:9]), rtol=1e-7, atol=1e-9)
    with pytest.raises(ValueError, match=r"sample_weight must have a sum .* up to 1.0e\+308"):
        KDE(1.0).fit(X, sample_weight=np.full(150, 1e308))


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("far", "light"), [(1e5, 1e-12), (1e8, 1e-20), (1e10, 1e-26)])
def test_a_light_point_far_away_changes_nothing(far, light, dtype, backend):
    """Its distances are rounded by more than a bandwidth."""
    X, weight = points(300, 1).astype(dtype), np.ones(300)
    X[0], weight[0] = far, light
    kde = KDE(backend=backend).fit(X, sample_weight=weight)
    without = KDE(backend=backend).fit(X[1:])
    assert kde.bandwidth_ == pytest.approx(without.bandwidth_, rel=0.02)
    assert kde.loo_log_likelihood_ == pytest.approx(without.loo_log_likelihood_, abs=1e-3)
    grid, values = kde.bandwidth_path()
    assert np.isfinite(values).all()
    assert_allclose(kde.bandwidth_path(grid)[1], values, rtol=1e-5)


def test_path_with_weights_of_very_different_size():
    X = np.sort(points(2000, 1), axis=0)
    weight = np.exp(150 * X[:, 0])
    kde = KDE(0.05).fit(X, sample_weight=weight)
    grid, values = kde.bandwidth_path()
    assert_allclose(kde.bandwidth_path(grid)[1], values, rtol=1e-9, atol=1e-9)


class TestPerFeature:
    def test_likelihood_rises_with_every_step(self, monkeypatch):
        X = points(200, 4) * [1, 1, 3, 10]
        X[:, 1] += X[:, 0]
        values = [KDE().fit(X).loo_log_likelihood_]
        for steps in (1, 2, 4, 8, 16, 50):
            monkeypatch.setattr(_kde_bandwidth, "_MAX_STEPS", steps)
            if steps > 4:  # enough for the start, which the first value is for
                values.append(KDE("loo_per_feature").fit(X).loo_log_likelihood_)
        assert np.all(np.diff(values) >= 0)
        assert values[1] > values[0] + 0.1

    def test_single_steps_of_the_em_algorithm_never_lower_it(self):
        X = points(200, 3)
        ours = left_out(X)
        h, before = np.array([0.05, 1.0, 5.0]), -np.inf
        for _ in range(40):
            log_sum = ours.points.sums(ours.queries, h, ours.own)[0]
            value = ours._likelihood(log_sum, np.mean(np.log(h)))
            assert value == pytest.approx(reference.left_out_likelihood(X, h), abs=1e-9)
            assert value >= before - 1e-12
            moments = ours.points.coordinate_moments(ours.queries, h, log_sum, ours.own)
            before, h = value, h * np.sqrt(ours.weight @ moments)

    def test_moments_equal_brute_force(self):
        X = points(60, 3)
        ours, h = left_out(X), np.array([0.5, 1.0, 2.0])
        log_sum = ours.points.sums(ours.queries, h, ours.own)[0]
        moments = ours.points.coordinate_moments(ours.queries, h, log_sum, ours.own)
        p = np.exp(-cdist(X / h, X / h, "sqeuclidean") / 2)
        np.fill_diagonal(p, 0)
        p /= p.sum(axis=1, keepdims=True)
        for k in range(3):
            expected = np.sum(p * ((X[:, None, k] - X[None, :, k]) / h[k]) ** 2, axis=1)
            assert_allclose(moments[:, k], expected, rtol=1e-11)

    @pytest.mark.parametrize("scale", [[1] * 7, [1e-2, 1, 1, 10, 1, 1, 100]])
    def test_narrow_detail_in_a_wide_feature_is_found(self, scale):
        """The maximum nearest to bandwidths like the standard deviations is far below it."""
        rng = np.random.default_rng(1)
        narrow = 0.01 * rng.standard_normal((300, 1)) + rng.integers(0, 20, (300, 1))
        X = np.concatenate([narrow, rng.uniform(size=(300, 6))], axis=1) * scale
        kde = KDE("loo_per_feature").fit(X)
        assert kde.loo_log_likelihood_ > -1.9 - np.log(scale).sum()
        assert kde.bandwidth_[0] < 0.02 * scale[0]
        assert kde.loo_log_likelihood_ >= KDE().fit(X).loo_log_likelihood_

    @pytest.mark.parametrize("seed", range(5))
    def test_is_never_less_likely_than_one_bandwidth(self, seed):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((120, 4)) ** 3 * np.exp(2 * rng.standard_normal(4))
        X[:, 1] += rng.integers(0, 4, 120) * 50
        found = [KDE(name).fit(X).loo_log_likelihood_ for name in ("loo_per_feature", "loo")]
        assert found[0] >= found[1]

    def test_is_a_maximum(self):
        X = points(300, 3) * [1, 5, 0.1]
        kde = KDE("loo_per_feature").fit(X)
        for k in range(3):
            for factor in (0.9, 1.1):
                h = kde.bandwidth_.copy()
                h[k] *= factor
                assert reference.left_out_likelihood(X, h) < kde.loo_log_likelihood_

    def test_follows_the_scale_of_each_feature(self):
        X, scale = points(200, 3), np.array([1, 1e4, 1e-4])
        plain, scaled = (KDE("loo_per_feature").fit(data) for data in (X, X * scale))
        assert_allclose(scaled.bandwidth_, scale * plain.bandwidth_, rtol=1e-9)
        expected = plain.loo_log_likelihood_ - np.log(scale).sum()
        assert scaled.loo_log_likelihood_ == pytest.approx(expected, abs=1e-9)

    def test_useless_features_get_a_wide_bandwidth(self):
        rng = np.random.default_rng(0)
        X = np.column_stack([5 * rng.integers(0, 3, 400) + 0.1 * rng.standard_normal(400)] * 2)
        X[:, 1] = 5 * rng.standard_normal(400)
        h = KDE("loo_per_feature").fit(X).bandwidth_
        assert h[1] > 10 * h[0]

    def test_a_constant_feature_has_no_bandwidth(self):
        X = np.column_stack([points(30, 2), np.full(30, 0.1)])
        message = r"bandwidth='loo_per_feature' needs features that vary\. Got a constant feature 2"
        with pytest.raises(ValueError, match=message):
            KDE("loo_per_feature").fit(X)

    def test_neither_has_one_of_few_values(self):
        X = np.column_stack([points(100, 1), points(100, 1) > 0])
        message = r"needs features without many equal values: those of feature 1 are"
        with pytest.raises(ValueError, match=message):
            KDE("loo_per_feature").fit(X)

    def test_needs_a_gaussian_kernel_and_no_whitening(self):
        for settings in ({"kernel": "student"}, {"whiten": 0.5}):
            with pytest.raises(ValueError, match="'loo_per_feature' needs kernel='gaussian' and"):
                KDE("loo_per_feature", **settings).fit(points())


class TestRules:
    X = points(80, 4) * [1, 2, 3, 4]

    def test_of_scott_and_silverman(self):
        spread = np.sqrt(np.mean(self.X.var(axis=0)))
        scott, silverman = 80 ** (-1 / 8), (80 * 6 / 4) ** (-1 / 8)
        for name, h in (("scott", scott), ("silverman", silverman)):
            assert KDE(name).fit(self.X).bandwidth_ == pytest.approx(spread * h, rel=1e-12)
            assert KDE("sklearn_" + name).fit(self.X).bandwidth_ == pytest.approx(h, rel=1e-12)

    def test_with_weights_that_are_no_counts(self):
        weight = np.random.default_rng(1).uniform(size=80)
        mean = np.average(self.X, axis=0, weights=weight)
        variance = np.average((self.X - mean) ** 2, axis=0, weights=weight).mean()
        kish = weight.sum() ** 2 / np.sum(weight**2)
        kde = KDE("scott").fit(self.X, sample_weight=weight)
        assert kde.bandwidth_ == pytest.approx(np.sqrt(variance) * kish ** (-1 / 8), rel=1e-12)

    @pytest.mark.parametrize("whiten", [0.0, 1.0])
    def test_of_nearest_points(self, whiten):
        kde = KDE("nn", whiten=whiten).fit(self.X)
        squares = cdist(*2 * [kde._metric.apply(self.X)], "sqeuclidean")
        np.fill_diagonal(squares, np.inf)
        expected = np.sqrt(squares.min(axis=1).mean() / 4)
        assert kde.bandwidth_ == pytest.approx(expected, rel=1e-12)
        assert kde.loo_log_likelihood_ is None


def test_a_sample_of_left_out_points_gives_nearly_the_same():
    X = points(3000, 4)
    full = KDE().fit(X)
    sampled = KDE(loo_max_queries=500, random_state=0).fit(X)
    assert sampled.bandwidth_ != full.bandwidth_
    assert sampled.bandwidth_ == pytest.approx(full.bandwidth_, rel=0.05)
    again = KDE(loo_max_queries=500, random_state=0).fit(X)
    assert again.bandwidth_ == sampled.bandwidth_
    enough = KDE(loo_max_queries=3000, random_state=1).fit(X)
    assert enough.bandwidth_ == full.bandwidth_


def test_points_that_single_precision_cannot_tell_apart():
    X = np.concatenate([1e-9 * points(50, 2), 1 + 1e-9 * points(50, 2)])
    assert KDE().fit(X).bandwidth_ < 1e-9
    message = "neighbours in float32: pass a number for the bandwidth, or precision='float64'"
    with pytest.raises(ValueError, match=message):
        KDE(precision="float32").fit(X)
    message = "neighbours in float64: pass a number for the bandwidth, or multiply X by a number"
    with pytest.raises(ValueError, match=message):
        KDE().fit([[0.0], [1e-170], [3e-170]])


@pytest.mark.parametrize("seed", [0, 2, 4])
def test_rough_likelihoods_are_searched_closely(seed):
    """Those of balls rise and fall by steps."""
    kde = KDE(kernel="tophat").fit(points(100, 1, seed))
    _, values = kde.bandwidth_path(kde.bandwidth_ * np.geomspace(0.5, 2, 400))
    assert values.max() <= kde.loo_log_likelihood_ + 3e-3
