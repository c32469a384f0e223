"""Log-densities: against all pairs written out, and what must not change them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm, special_ortho_group

from skmatrix.neighbors import KDE
from tests.neighbors import reference
from tests.neighbors.reference import COMPACT, KERNELS

every_kernel = pytest.mark.parametrize("kernel", KERNELS)


def points(n=300, d=3, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


@every_kernel
@pytest.mark.parametrize("d", [1, 2, 5, 10])
@pytest.mark.parametrize("weighted", [False, True])
def test_equals_all_pairs(kernel, d, weighted):
    X, queries = points(600, d), points(50, d, 1)
    queries[:5] = X[:5]
    weight = np.random.default_rng(2).uniform(0.1, 3, 600) if weighted else None
    # Wide enough for a compact kernel to reach something.
    h = (2.0 if kernel in COMPACT else 0.5) * np.sqrt(d)
    kde = KDE(h, kernel=kernel, df=2.5).fit(X, sample_weight=weight)
    expected = reference.log_density(queries, X, h, kernel, weight, 2.5)
    assert np.isfinite(expected).all()
    assert_allclose(kde.score_samples(queries), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("d", [2, 10, 20, 50, 100])
@pytest.mark.parametrize("h", [0.7, 0.05])
def test_no_digit_is_lost_in_many_dimensions(d, h):
    X, queries = points(2000, d), points(100, d, 1)
    queries[:20] *= 30
    exponents = -cdist(queries, X, "sqeuclidean") / (2 * h**2)
    expected = logsumexp(exponents, axis=1) - np.log(2000) - d / 2 * np.log(2 * np.pi * h**2)
    result = KDE(h).fit(X).score_samples(queries)
    assert_allclose(result, expected, rtol=1e-13, atol=1e-11)


def test_one_bandwidth_per_feature():
    X, queries, h = points(500, 4), points(40, 4, 1), np.array([0.1, 0.5, 2.0, 30.0])
    kde = KDE(h).fit(X)
    assert_allclose(
        kde.score_samples(queries), reference.log_density(queries, X, h), rtol=0, atol=1e-10
    )
    assert_array_equal(kde.bandwidth_, h)
    same = KDE(np.full(4, 0.5)).fit(X).score_samples(queries)
    assert_allclose(same, KDE(0.5).fit(X).score_samples(queries), rtol=1e-13)


@every_kernel
def test_one_point_is_the_kernel_itself(kernel):
    kde = KDE(2.0, kernel=kernel).fit([[1.0, -1.0, 3.0]])
    queries = [1, -1, 3] + points(20, 3) / 3
    u = np.sqrt(np.sum((queries - [1, -1, 3]) ** 2, axis=1)) / 2
    expected = reference.log_profile(kernel, u, 3) - reference.log_integral(kernel, 3)
    assert_allclose(kde.score_samples(queries), expected - 3 * np.log(2), rtol=1e-10)
    assert kde.regime_ == "extreme"
    assert kde.h_g_ is kde.h_clt_ is kde.loo_log_likelihood_ is None


@every_kernel
def test_smallest_bandwidth_at_a_training_point(kernel):
    kde = KDE(1e-8, kernel=kernel).fit(points(20, 3))
    expected = -np.log(20) - 3 * np.log(1e-8) - reference.log_integral(kernel, 3)
    assert_allclose(kde.score_samples(points(20, 3)), expected, rtol=1e-6)


@every_kernel
def test_translation(kernel):
    # Numbers of few digits, which no translation rounds.
    X, queries = np.round(points(), 3) * 1024, np.round(points(20, seed=1), 3) * 1024
    X, queries = np.round(X), np.round(queries)
    here = KDE(2048, kernel=kernel).fit(X).score_samples(queries)
    there = KDE(2048, kernel=kernel).fit(X + 2.0**40).score_samples(queries + 2.0**40)
    assert_allclose(there, here, rtol=1e-12)


@every_kernel
@pytest.mark.parametrize("bandwidth", [4.0, "loo"])
def test_rotation_and_reflection(kernel, bandwidth):
    turn = special_ortho_group.rvs(5, random_state=0) * [1, 1, 1, 1, -1]
    X, queries = points(200, 5), points(20, 5, 1) / 2
    plain = KDE(bandwidth, kernel=kernel).fit(X)
    turned = KDE(bandwidth, kernel=kernel).fit(X @ turn)
    # The last digits of distances may lead a search another way.
    tolerance = 1e-10 if bandwidth != "loo" else 1e-2
    assert_allclose(
        turned.score_samples(queries @ turn), plain.score_samples(queries), atol=tolerance
    )


@every_kernel
def test_order_of_points_and_of_features(kernel):
    rng = np.random.default_rng(3)
    X, queries, weight = points(900, 4), points(30, 4, 1) / 2, rng.uniform(size=900)
    rows, columns = rng.permutation(900), rng.permutation(4)
    plain = KDE(2.0, kernel=kernel).fit(X, sample_weight=weight)
    other = KDE(2.0, kernel=kernel).fit(X[rows][:, columns], sample_weight=weight[rows])
    assert_allclose(
        other.score_samples(queries[:, columns]), plain.score_samples(queries), rtol=1e-12
    )
    assert_allclose(other.h_g_ or 0, plain.h_g_ or 0, rtol=1e-10)


@every_kernel
@pytest.mark.parametrize("scale", [1e-6, 1e9])
def test_scaling(kernel, scale):
    X, queries = points(200, 3), points(20, 3, 1) / 2
    plain = KDE(3.0, kernel=kernel).fit(X)
    scaled = KDE(3.0 * scale, kernel=kernel).fit(scale * X)
    expected = plain.score_samples(queries) - 3 * np.log(scale)
    assert_allclose(scaled.score_samples(scale * queries), expected, rtol=1e-11)
    assert scaled.regime_ == plain.regime_
    assert_allclose(scaled.h_g_ or 0, scale * (plain.h_g_ or 0), rtol=1e-10)


@pytest.mark.parametrize(
    "bandwidth", ["loo", "loo_per_feature", "nn", "kl_gaussian", "scott", "silverman"]
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_rule_scales_with_the_data(bandwidth, dtype):
    X = points(200, 3).astype(dtype)
    # Squares of these leave the range of single precision.
    scale = dtype(2.0**80)
    h = KDE(bandwidth).fit(X).bandwidth_
    for factor in (scale, 1 / scale):
        assert_allclose(KDE(bandwidth).fit(factor * X).bandwidth_, factor * h, rtol=1e-6)


def test_duplicates_are_one_point_with_their_weight():
    X = points(30, 2)
    X[7] = 0.0
    repeated = np.concatenate([X, X[:10], X[5:8], [[-0.0, 0.0]]])
    kde = KDE(0.5).fit(repeated)
    assert kde.n_distinct_ == 30
    assert kde.n_samples_fit_ == 44
    assert_allclose(
        kde.score_samples(X), reference.log_density(X, repeated, 0.5), rtol=0, atol=1e-12
    )
    assert kde.X_fit_.shape == (30, 2)
    assert kde.weight_fit_.sum() == 44


@pytest.mark.parametrize("whiten", [0.0, 0.5, 1.0, "loo"])
@pytest.mark.parametrize(
    "bandwidth",
    ["loo", "nn", "kl_gaussian", "scott", "silverman", "sklearn_scott", "sklearn_silverman", 0.5],
)
def test_weights_are_repetitions(bandwidth, whiten):
    X, rng = points(60, 3) * [1, 2, 5], np.random.default_rng(1)
    weight = rng.integers(0, 4, 60)
    weighted = KDE(bandwidth, whiten=whiten, random_state=0).fit(X, sample_weight=weight)
    repeated = KDE(bandwidth, whiten=whiten, random_state=0).fit(np.repeat(X, weight, axis=0))
    assert_allclose(weighted.bandwidth_, repeated.bandwidth_, rtol=1e-10)
    assert weighted.whiten_ == pytest.approx(repeated.whiten_, abs=1e-6)
    assert weighted.n_samples_fit_ == repeated.n_samples_fit_ == weight.sum()
    assert_allclose(weighted.transform(X), repeated.transform(X), rtol=1e-10)
    assert weighted.h_g_ == pytest.approx(repeated.h_g_, rel=1e-10)
    assert weighted.thresholds() == pytest.approx(repeated.thresholds(), rel=1e-9)
    assert_allclose(weighted.sample(5, random_state=1), repeated.sample(5, random_state=1))


@every_kernel
@pytest.mark.parametrize("bandwidth", ["loo", "nn"])
@pytest.mark.filterwarnings("ignore:.* queries are further than one bandwidth")
def test_weights_are_repetitions_for_every_kernel(kernel, bandwidth):
    X, weight = points(60, 3), np.random.default_rng(1).integers(0, 4, 60)
    weighted = KDE(bandwidth, kernel=kernel).fit(X, sample_weight=weight)
    repeated = KDE(bandwidth, kernel=kernel).fit(np.repeat(X, weight, axis=0))
    assert_allclose(weighted.bandwidth_, repeated.bandwidth_, rtol=1e-10)
    assert_allclose(weighted.score_samples(X), repeated.score_samples(X), rtol=1e-10)


@pytest.mark.parametrize("bandwidth", ["loo", "loo_per_feature", "nn", "scott", "kl_gaussian"])
def test_weight_zero_is_no_row(bandwidth):
    X = points(60, 3)
    weight = np.random.default_rng(1).uniform(size=60) * (np.arange(60) % 3 > 0)
    zeros = KDE(bandwidth).fit(X, sample_weight=weight)
    without = KDE(bandwidth).fit(X[weight > 0], sample_weight=weight[weight > 0])
    assert_array_equal(zeros.bandwidth_, without.bandwidth_)
    assert_array_equal(zeros.transform(X), without.transform(X))
    assert zeros.n_distinct_ == 40


@pytest.mark.parametrize("bandwidth", ["loo", "nn", "scott", "silverman", "kl_gaussian"])
@pytest.mark.parametrize("whiten", [0.0, 1.0])
def test_unit_of_weights_that_are_no_counts_does_not_matter(bandwidth, whiten):
    X = points(80, 3) * [1, 2, 5]
    weight = np.random.default_rng(1).uniform(0.5, 2, 80)
    plain = KDE(bandwidth, whiten=whiten).fit(X, sample_weight=weight)
    shares = KDE(bandwidth, whiten=whiten).fit(X, sample_weight=weight / weight.sum())
    assert_allclose(shares.bandwidth_, plain.bandwidth_, rtol=1e-10)
    assert_allclose(shares.transform(X), plain.transform(X), rtol=1e-9, atol=1e-9)
    assert shares.thresholds() == pytest.approx(plain.thresholds(), rel=1e-9)


def test_equal_shares_are_no_weights():
    X = points(80, 3) * [1, 2, 5]
    plain = KDE("scott", whiten=0.5).fit(X)
    shares = KDE("scott", whiten=0.5).fit(X, sample_weight=np.full(80, 1 / 80))
    assert_allclose(shares.score_samples(X), plain.score_samples(X), rtol=1e-12)
    assert shares.thresholds() == pytest.approx(plain.thresholds(), rel=1e-9)


@pytest.mark.parametrize("h", [0.4, 1.5])
def test_expectation_over_data(h):
    """For points from N(0, I) it is the density of N(0, (1 + h^2) I)."""
    n_sets, n, d = 4000, 20, 3
    queries = np.array([[0.0, 0, 0], [1, 0, -1], [1, 1, 1.5]])
    X = np.random.default_rng(0).standard_normal((n_sets * n, d))
    # Sums over the sets, by the pieces of one estimate.
    density = np.empty((n_sets, 3))
    for i, part in enumerate(X.reshape(n_sets, n, d)):
        density[i] = np.exp(-cdist(queries, part, "sqeuclidean") / (2 * h**2)).mean(axis=1)
        if i < 20:
            ours = KDE(h).fit(part).predict(queries)
            assert_allclose(ours, density[i] / (2 * np.pi * h**2) ** (d / 2), rtol=1e-11)
    density /= (2 * np.pi * h**2) ** (d / 2)
    expected = multivariate_normal(np.zeros(d), (1 + h**2) * np.eye(d)).pdf(queries)
    error = density.std(axis=0) / np.sqrt(n_sets)
    assert np.all(np.abs(density.mean(axis=0) - expected) < 4 * error)
    assert np.all(error < 0.06 * expected)
    # The mean of one estimate of all points is the same.
    assert_allclose(KDE(h).fit(X).predict(queries), density.mean(axis=0), rtol=1e-9)


@every_kernel
def test_halves_make_up_the_whole(kernel):
    X, queries = points(400, 3), 0.4 * points(30, 3, 1)
    halves = [KDE(2.5, kernel=kernel).fit(part) for part in (X[:150], X[150:])]
    parts = [half.score_samples(queries) for half in halves]
    expected = logsumexp(parts, b=[[150 / 400], [250 / 400]], axis=0)
    whole = KDE(2.5, kernel=kernel).fit(X)
    assert_allclose(whole.score_samples(queries), expected, rtol=1e-12)
    # So do the shares of the points: sums of their squares add up.
    share = np.exp(parts - expected) * [[150 / 400], [250 / 400]]
    effective = [half.query_diagnostics(queries).n_effective for half in halves]
    found = whole.query_diagnostics(queries).n_effective
    assert_allclose(1 / found, np.sum(share**2 / effective, axis=0), rtol=1e-10)


def test_density_of_many_points_is_theirs():
    X = points(200_000, 1)
    queries = np.linspace(-2, 2, 9)[:, None]
    assert_allclose(KDE(0.1).fit(X).predict(queries), norm.pdf(queries[:, 0]), rtol=0.03)
