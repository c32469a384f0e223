"""Diagnostics of queries, regimes, thresholds from data, and standard errors."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist
from scipy.special import softmax

from skmatrix.neighbors import KDE, KDEDiagnostics
from skmatrix.neighbors._kde_theory import glass_bandwidth
from tests.neighbors import reference
from tests.neighbors.reference import COMPACT, KERNELS

every_kernel = pytest.mark.parametrize("kernel", KERNELS)


def points(n=200, d=3, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


@every_kernel
@pytest.mark.parametrize("weighted", [False, True])
def test_equal_brute_force(kernel, weighted):
    X, queries = points(), 0.7 * points(30, seed=1)
    queries[:4] = X[:4]
    weight = np.random.default_rng(2).uniform(0.2, 2, 200) if weighted else None
    h = 2.0 if kernel in COMPACT else 0.6
    kde = KDE(h, kernel=kernel, df=2.5).fit(X, sample_weight=weight)
    found = kde.query_diagnostics(queries)
    assert isinstance(found, KDEDiagnostics)
    p = softmax(reference.log_terms(queries, X, h, kernel, weight, 2.5), axis=1)
    assert_allclose(found.n_effective, 1 / np.sum(p**2, axis=1), rtol=1e-9)
    entropy = -np.sum(p * np.log(np.where(p > 0, p, 1)), axis=1)
    assert_allclose(found.entropy, entropy, rtol=1e-8, atol=1e-12)
    distances = np.sort(cdist(queries, X), axis=1)
    assert_allclose(found.nearest_distance, distances[:, 0], rtol=1e-12, atol=1e-15)
    assert_allclose(found.log_density, kde.score_samples(queries), rtol=1e-14)
    # The index of the weights: one over the mean gap of the logarithms of the k largest.
    logs = reference.log_profile(kernel, distances[:, :6] / h, 3, 2.5)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.mean(logs[:, :5] - logs[:, 5:], axis=1)
        mu = np.where(np.isneginf(logs[:, 5]), 0, 1 / gap)
    assert_allclose(found.stable_index, mu, rtol=1e-8)
    names = np.select([mu < 1, mu < 2], ["extreme", "stable"], "clt")
    assert_array_equal(kde.query_diagnostics(queries, local=True).regime, names)
    assert set(found.regime) == {kde.regime_}


def test_index_of_gaussian_weights_is_by_the_spacings():
    X, queries, k = points(), points(30, seed=1), 7
    kde = KDE(0.5, diagnostics_k=k).fit(X)
    squares = np.sort(cdist(queries, X, "sqeuclidean"), axis=1)
    h_g = np.sqrt(np.mean(squares[:, k : k + 1] - squares[:, :k], axis=1) / 2)
    assert_allclose(kde.query_diagnostics(queries).stable_index, (0.5 / h_g) ** 2, rtol=1e-10)
    assert kde.thresholds(queries)["h_g"] == pytest.approx(np.sqrt(np.mean(h_g**2)), rel=1e-10)
    # Over the points, each is left out.
    squares = np.sort(cdist(X, X, "sqeuclidean"), axis=1)[:, 1:]
    h_g = np.sqrt(np.mean(squares[:, k : k + 1] - squares[:, :k]) / 2)
    assert kde.h_g_ == pytest.approx(h_g, rel=1e-10)
    assert kde.h_clt_ == pytest.approx(np.sqrt(2) * h_g, rel=1e-10)
    # It does not hang on the bandwidth.
    assert KDE(2.0, diagnostics_k=k).fit(X).h_g_ == pytest.approx(h_g, rel=1e-10)


@pytest.mark.parametrize(("mu", "name"), [(0.9, "extreme"), (1.1, "stable"), (1.9, "stable"),
                                          (2.1, "clt")])  # fmt: skip
def test_regime_of_a_bandwidth(mu, name):
    h_g = KDE(1.0).fit(points()).h_g_
    kde = KDE(np.sqrt(mu) * h_g).fit(points())
    assert kde.regime_ == name
    found = kde.query_diagnostics(points(5, seed=1))
    assert set(found.regime) == {name}
    assert np.isnan(found.standard_error).all() == (name != "clt")
    assert_array_equal(kde.score_samples_se(points(5, seed=1)), found.standard_error)


def test_local_regimes_differ_and_so_do_their_errors():
    X = np.concatenate([0.1 * points(300, 2), 30 * points(30, 2)])
    kde = KDE(0.3).fit(X)
    queries = np.array([[0.0, 0.0], [15.0, 20.0]])
    found = kde.query_diagnostics(queries, local=True)
    assert_array_equal(found.regime, ["clt", "extreme"])
    error = kde.score_samples_se(queries, local=True)
    assert_array_equal(np.isnan(error), [False, True])
    assert error[0] == pytest.approx(np.sqrt(1 / found.n_effective[0] - 1 / 330), rel=1e-10)


@pytest.mark.parametrize("weighted", [False, True])
def test_standard_error_is_that_over_data_sets(weighted):
    """In the regime of the central limit theorem."""
    rng = np.random.default_rng(0)
    query, h, values, errors = np.array([[0.5, -0.5, 1, 0, 0]]), 1.3, [], []
    weight = rng.uniform(0, 2, 1000) if weighted else None
    for _ in range(300):
        kde = KDE(h).fit(rng.standard_normal((1000, 5)), sample_weight=weight)
        values.append(kde.score_samples(query)[0])
        errors.append(kde.score_samples_se(query)[0])
    assert kde.regime_ == "clt"
    assert 0.01 < np.std(values) < 0.1
    # The standard deviation of 300 numbers is known to 4 %.
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.15)
    assert np.std(errors) < 0.1 * np.mean(errors)


@pytest.mark.parametrize(("d", "n", "pooled", "theory"), [(20, 3000, 0.908, 0.855),
                                                          (50, 8000, 1.234, 1.211)])  # fmt: skip
def test_threshold_by_spacings_is_a_little_above_that_of_theory(d, n, pooled, theory):
    X = np.random.default_rng(0).standard_normal((n, d))
    assert glass_bandwidth(np.ones(d), n) == pytest.approx(theory, abs=1e-3)
    kde = KDE(1.0, random_state=0).fit(X)
    assert kde.h_g_ == pytest.approx(pooled, rel=0.02)
    assert kde.thresholds()["h_g_gaussian"] == pytest.approx(theory, rel=0.01)


def test_threshold_of_a_mixture_is_that_within_its_parts():
    """Which the covariance of all cannot know."""
    rng = np.random.default_rng(0)
    centers = 3 * rng.standard_normal((5, 30))
    X = centers[rng.integers(0, 5, 4000)] + rng.standard_normal((4000, 30))
    found = KDE(1.0, random_state=0).fit(X).thresholds()
    within = glass_bandwidth(np.ones(30), 800)
    assert found["h_g"] == pytest.approx(within, rel=0.05)
    assert found["h_g_gaussian"] > 1.25 * within


@pytest.mark.parametrize("n", [3, 5, 6, 7, 20])
def test_threshold_is_a_weighted_mean_over_points_with_the_neighbours_that_there_are(n):
    X, weight = points(n), np.random.default_rng(1).uniform(0.1, 5, n)
    k = min(5, n - 2)
    squares = np.sort(cdist(X, X, "sqeuclidean"), axis=1)[:, 1 : k + 2]
    gaps = np.mean(squares[:, k:] - squares[:, :k], axis=1) / 2
    kde = KDE(1.0).fit(X, sample_weight=weight)
    assert kde.h_g_ == pytest.approx(np.sqrt(np.average(gaps, weights=weight)), rel=1e-10)


def test_thresholds():
    X = points(500, 4)
    kde = KDE(0.5).fit(X)
    found = kde.thresholds()
    assert set(found) == {"h_g", "h_clt", "h_g_gaussian", "h_opt", "alpha", "n_needed"}
    assert (found["h_g"], found["h_clt"]) == (kde.h_g_, kde.h_clt_)
    assert found["alpha"] == pytest.approx(math.log(500) / 4)
    spectrum = np.linalg.eigvalsh(np.cov(X.T, bias=True))
    assert found["h_g_gaussian"] == pytest.approx(glass_bandwidth(spectrum, 500), rel=1e-9)
    h_clt = math.sqrt(2) * glass_bandwidth(spectrum, found["n_needed"])
    assert h_clt == pytest.approx(0.5, rel=1e-6)
    # In the units of the whitened coordinates.
    whitened = KDE(0.5, whiten=1.0, shrinkage=0.0).fit(100 * X).thresholds()
    assert whitened["h_g_gaussian"] == pytest.approx(glass_bandwidth(np.ones(4), 500), rel=1e-6)


def test_thresholds_of_what_has_none():
    identical = KDE(1.0).fit(np.ones((5, 2)))
    found = identical.thresholds()
    assert found["n_needed"] == 1
    assert [found[key] for key in ("h_g", "h_clt", "h_g_gaussian", "h_opt")] == [None] * 4
    assert identical.thresholds(np.zeros((3, 2)))["h_g"] is None
    two = KDE(1.0).fit([[0.0], [1.0]])
    assert two.h_g_ is None
    assert two.thresholds([[0.0]])["h_g"] == pytest.approx(np.sqrt(0.5))


@pytest.mark.parametrize(
    "kde", [KDE(kernel="student"), KDE([1.0, 2.0, 3.0]), KDE("loo_per_feature")], ids=str
)
def test_thresholds_have_no_theory_for_other_densities(kde):
    kde.fit(points())
    message = "thresholds is for kernel='gaussian' with one bandwidth"
    with pytest.raises(ValueError, match=message):
        kde.thresholds()
    assert kde.h_g_ is kde.h_clt_ is None
    assert kde.regime_ in {"extreme", "stable", "clt"}


def test_weights_of_few_points_have_no_index():
    one = KDE(1.0).fit([[0.0]]).query_diagnostics([[0.0], [5.0]])
    assert_array_equal(one.stable_index, [0, 0])
    assert_array_equal(one.n_effective, [1, 1])
    assert_array_equal(one.entropy, [0, 0])
    assert_array_equal(one.nearest_distance, [0, 5])
    # As many neighbours as there are.
    two = KDE(1.0).fit([[0.0], [1.0]]).query_diagnostics([[0.0]])
    assert two.stable_index[0] == pytest.approx(2)


def test_uniform_weights():
    """Points at one distance: as many effective points, and an infinite index."""
    angles = np.linspace(0, 2 * np.pi, 9)[:-1]
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    found = KDE(2.0, kernel="tophat").fit(circle).query_diagnostics([[0.0, 0.0]])
    assert found.n_effective[0] == pytest.approx(8)
    assert found.entropy[0] == pytest.approx(np.log(8))
    assert np.isinf(found.stable_index[0])
    assert found.regime[0] == "clt"
    assert found.standard_error[0] == 0


@pytest.mark.parametrize("kernel", COMPACT)
def test_out_of_reach(kernel):
    kde = KDE(1.0, kernel=kernel).fit(points(50, 2) / 3)
    queries = np.array([[0.0, 0], [9, 9], [0.1, 0], [-9, 9]])
    message = f"2 of 4 queries are further than one bandwidth .* kernel='{kernel}'"
    with pytest.warns(UserWarning, match=message) as caught:
        values = kde.score_samples(queries)
    assert len(caught) == 1
    assert_array_equal(np.isneginf(values), [False, True, False, True])
    with pytest.warns(UserWarning, match=message):
        assert kde.score(queries) == -np.inf
    with pytest.warns(UserWarning, match=message):
        assert_array_equal(kde.predict(queries) == 0, [False, True, False, True])
    with pytest.warns(UserWarning, match=message):
        columns = kde.transform(queries)
    assert_array_equal(columns[1, :3], [-np.inf, -np.inf, 0])
    assert not np.isnan(columns).any()
    found = kde.query_diagnostics(queries)
    assert_array_equal(found.n_effective == 0, [False, True, False, True])
    assert_array_equal(found.entropy[[1, 3]], [0, 0])
    assert np.isnan(found.standard_error[[1, 3]]).all()
    # On the boundary the kernel is 0, also where its profile is not continuous.
    with pytest.warns(UserWarning, match="1 of 1 queries"):
        KDE(1.0, kernel=kernel).fit([[0.0]]).score_samples([[1.0]])


def test_features():
    X, queries = points(), points(20, seed=1)
    kde = KDE(0.4).fit(X)
    columns, found = kde.transform(queries), kde.query_diagnostics(queries)
    expected = np.column_stack(
        [
            found.log_density,
            np.log(found.n_effective),
            found.entropy,
            found.stable_index,
            found.nearest_distance,
        ]
    )
    assert_array_equal(columns, expected)
    names = ["log_density", "log_n_effective", "entropy", "stable_index", "nearest_distance"]
    assert_array_equal(kde.get_feature_names_out(), [f"kde_{name}" for name in names])
    # An infinite index is a large number.
    tophat = KDE(9.0, kernel="tophat").fit(X).transform(queries)
    assert_array_equal(tophat[:, 3], np.full(20, 1e6))
