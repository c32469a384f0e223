"""KDE beside scipy's and scikit-learn's, and why the latter is no reference in many dimensions."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from scipy.stats import gaussian_kde
from sklearn.neighbors import KernelDensity

from skmatrix.neighbors import KDE

pytestmark = pytest.mark.peer

SHARED = ["gaussian", "tophat", "epanechnikov", "exponential", "linear", "cosine"]


def points(n, d, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


@pytest.mark.parametrize("d", [1, 2, 10, 50])
@pytest.mark.parametrize("weighted", [False, True])
def test_gaussian_kde_is_the_estimate_after_whitening(d, weighted):
    """Its bandwidth is a factor of the covariance, which it divides by one point less."""
    rng = np.random.default_rng(2)
    X = points(600, d) @ rng.standard_normal((d, d))
    queries = X[:100] + 0.3 * points(100, d, 1)
    weight = rng.uniform(0.1, 2, 600) if weighted else np.ones(600)
    peer = gaussian_kde(X.T, bw_method=0.8, weights=weight)
    ratio = np.sqrt(
        peer.covariance[0, 0] / np.cov(X.T, aweights=weight, ddof=0).reshape(d, d)[0, 0]
    )
    kde = KDE(ratio, whiten=1.0, shrinkage=0.0).fit(X, sample_weight=weight)
    assert_allclose(kde.score_samples(queries), peer.logpdf(queries.T), rtol=1e-10)


@pytest.mark.parametrize("rule", ["scott", "silverman"])
def test_rules_are_those_of_scipy(rule):
    X = points(300, 4)
    factor = gaussian_kde(X.T, bw_method=rule).factor
    kde = KDE(rule, whiten=1.0, shrinkage=0.0).fit(X)
    assert kde.bandwidth_ == pytest.approx(factor, rel=1e-12)


@pytest.mark.parametrize("kernel", SHARED)
@pytest.mark.parametrize("d", [1, 2, 5, 10])
def test_kernel_density_in_few_dimensions(kernel, d):
    if kernel == "cosine" and d % 2 == 0:
        d += 1  # see below
    X, queries = points(800, d), 0.4 * points(60, d, 1)
    h = 0.8 if kernel in ("gaussian", "exponential") else 1.5 * np.sqrt(d)
    weight = np.random.default_rng(2).uniform(0.1, 2, 800)
    peer = KernelDensity(bandwidth=h, kernel=kernel, rtol=0, atol=0).fit(X, sample_weight=weight)
    kde = KDE(h, kernel=kernel).fit(X, sample_weight=weight)
    # What is left of its digits.
    tolerance = 1e-7 if d < 10 else 1e-5
    assert_allclose(kde.score_samples(queries), peer.score_samples(queries), atol=tolerance)
    assert kde.score(queries) == pytest.approx(peer.score(queries), rel=1e-6)


def test_cosine_of_kernel_density_is_no_density_in_even_dimensions():
    """Its recurrence leaves out the last term: 4 / pi^2 of 2 / pi in two dimensions."""
    X, queries = points(800, 2), 0.4 * points(60, 2, 1)
    peer = KernelDensity(bandwidth=2.0, kernel="cosine", rtol=0, atol=0).fit(X)
    lost = np.log((2 / np.pi) / (2 / np.pi - 4 / np.pi**2))
    ours = KDE(2.0, kernel="cosine").fit(X).score_samples(queries)
    assert_allclose(ours - peer.score_samples(queries), lost, rtol=1e-6)


@pytest.mark.parametrize("rule", ["scott", "silverman"])
def test_rules_without_the_scale_are_those_of_scikit_learn(rule):
    X = 50 * points(300, 4)
    peer = KernelDensity(bandwidth=rule).fit(X)
    assert KDE("sklearn_" + rule).fit(X).bandwidth_ == pytest.approx(peer.bandwidth_, rel=1e-12)


@pytest.mark.parametrize("d", [10, 30, 50])
def test_kernel_density_loses_its_digits_with_the_dimension(d):
    """Its bounds of sums are differences of large numbers: by more than a nat from d = 30 on.

    Were this to change, it could serve as a reference, and the documentation would have to.
    """
    X, queries, h = points(2000, d), points(60, d, 1), 0.7
    exponents = -cdist(queries, X, "sqeuclidean") / (2 * h**2)
    exact = logsumexp(exponents, axis=1) - np.log(2000) - d / 2 * np.log(2 * np.pi * h**2)
    peer = KernelDensity(bandwidth=h, rtol=0, atol=0).fit(X).score_samples(queries)
    error = np.abs(peer - exact).max()
    assert error < 1e-6 if d == 10 else error > 1
    assert np.abs(KDE(h).fit(X).score_samples(queries) - exact).max() < 1e-11


def test_samples_of_kernel_density_have_the_same_law():
    X = points(50, 2)
    ours = KDE(0.5).fit(X).sample(20_000, random_state=0)
    theirs = KernelDensity(bandwidth=0.5).fit(X).sample(20_000, random_state=0)
    assert_allclose(ours.mean(axis=0), theirs.mean(axis=0), atol=0.05)
    assert_allclose(np.cov(ours.T), np.cov(theirs.T), atol=0.05)
