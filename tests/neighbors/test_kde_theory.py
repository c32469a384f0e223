"""Thresholds of the random energy model: known values, and what simulation says."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from skmatrix.neighbors import KDE
from skmatrix.neighbors import _kde_theory as theory

# log(n) / d, and for points from N(0, I): h_G, h_CLT and the likeliest bandwidth, in the limit of
# many dimensions.
TABLE = [
    (0.05, 1.7331, 2.4509, 1.1459),
    (0.1, 1.3708, 1.9386, 1.0386),
    (0.2, 1.0457, 1.4788, 0.8917),
    (0.3, 0.8677, 1.2272, 0.7836),
    (0.5, 0.6521, 0.9223, 0.6224),
    (1.0, 0.3721, 0.5262, 0.3693),
    (2.0, 0.1354, 0.1914, 0.1353),
]
UNLIKE = np.linspace(0.2, 3, 40) ** 2


def psi(spectrum, lam):
    """Logarithm of the mean Boltzmann weight at a typical query."""
    t = lam * spectrum / (1 + lam * spectrum)
    return -0.5 * np.sum(np.log1p(lam * spectrum) + t)


@pytest.mark.parametrize(("alpha", "h_g", "h_clt", "h_opt"), TABLE)
@pytest.mark.parametrize("d", [1, 50])
def test_table(alpha, h_g, h_clt, h_opt, d):
    spectrum, n = np.ones(d), np.exp(alpha * d)
    found = theory.glass_bandwidth(spectrum, n, corrected=False)
    assert found == pytest.approx(h_g, abs=1e-4)
    assert np.sqrt(2) * found == pytest.approx(h_clt, abs=1e-4)
    likeliest = theory.kl_bandwidth(spectrum, n, corrected=False)
    assert likeliest == pytest.approx(h_opt, abs=1e-4)
    # For equal variances there is a closed form, and it lies inside of the extreme regime.
    assert likeliest == pytest.approx(found * np.sqrt(1 + 2 * found**2) / (1 + found**2), rel=1e-9)
    assert likeliest < found


def test_limits_of_few_and_of_many_points():
    for alpha in (1e-6, 1e-8):
        found = theory.glass_bandwidth(np.ones(10), np.exp(10 * alpha), corrected=False)
        assert found == pytest.approx((3 / (4 * alpha)) ** 0.25, rel=2 * np.sqrt(alpha))
    for alpha in (5.0, 8.0):
        found = theory.glass_bandwidth(np.ones(10), np.exp(10 * alpha), corrected=False)
        # log(1 + L) - L / (1 + L) + L^2 / (1 + L)^2 goes to log(L).
        assert found == pytest.approx(np.exp(-alpha), rel=1e-3)


@pytest.mark.parametrize("spectrum", [np.ones(3), UNLIKE, np.array([1.0, 0.0, 4.0])])
@pytest.mark.parametrize("lam", [0.1, 1.0, 7.0])
def test_moments_are_derivatives_of_the_cumulant_function(spectrum, lam):
    step = 1e-4 * lam
    below, here, above = (psi(spectrum, lam + s) for s in (-step, 0, step))
    slope = (above - below) / (2 * step)
    assert theory.mean_energy(spectrum, lam) == pytest.approx(-slope, rel=1e-6)
    curvature = (above - 2 * here + below) / step**2
    assert theory.energy_variance(spectrum, lam) == pytest.approx(curvature, rel=1e-4)
    assert theory.rate(spectrum, lam) == pytest.approx(lam * slope - here, rel=1e-6)


def test_cumulant_function_by_simulation():
    rng, lam = np.random.default_rng(0), 0.7
    spectrum = np.array([0.5, 1.0, 2.0])
    y = np.sqrt(spectrum) * rng.standard_normal((400_000, 3))
    weight = np.exp(-lam * np.sum((np.sqrt(spectrum) - y) ** 2, axis=1) / 2)
    assert np.log(weight.mean()) == pytest.approx(psi(spectrum, lam), abs=0.01)


@pytest.mark.parametrize("corrected", [True, False])
def test_units_and_flat_directions(corrected):
    for rule in (theory.glass_bandwidth, theory.kl_bandwidth):
        plain = rule(UNLIKE, 1000, corrected=corrected)
        for scale in (1e-8, 1e8):
            scaled = rule(scale**2 * UNLIKE, 1000, corrected=corrected)
            assert scaled == pytest.approx(scale * plain, rel=1e-9)
        more = np.append(UNLIKE, np.zeros(40))
        # Noise lies in all dimensions, the distance to the nearest point in half of them.
        share = np.sqrt(0.5) if rule is theory.kl_bandwidth else 1.0
        assert rule(more, 1000, corrected=corrected) == pytest.approx(share * plain, rel=1e-6)


@pytest.mark.parametrize("d", [1, 2, 10, 200])
def test_any_number_of_points(d):
    sizes = np.array([1.0, 1.5, 3, 10, 1e3, 1e6, 1e9, 1e15, 1e60])
    found = np.array([theory.glass_bandwidth(np.ones(d), n) for n in sizes])
    assert np.all(np.isfinite(found))
    assert np.all(np.diff(found) < 0)
    # The correction is of the order of log(log n) / log n.
    plain = theory.glass_bandwidth(np.ones(d), 1e60, corrected=False)
    assert found[-1] == pytest.approx(plain, rel=1.0 if d == 1 else 0.3)


@pytest.mark.parametrize("spectrum", [np.ones(5), UNLIKE])
def test_needed_points_are_those_whose_threshold_is_the_bandwidth(spectrum):
    for h in (1.0, 1.5, 3.0):
        n = theory.samples_needed(spectrum, h)
        found = np.sqrt(2) * theory.glass_bandwidth(spectrum, n)
        assert found == pytest.approx(h, rel=1e-6)
    assert theory.samples_needed(np.ones(400), 1e-3) == np.inf


@pytest.mark.parametrize(
    ("mu", "name"), [(0.5, "extreme"), (1.0, "stable"), (1.9, "stable"), (2.0, "clt"), (9, "clt")]
)
def test_names_of_regimes(mu, name):
    assert theory.regime_of(mu) == name


@pytest.mark.parametrize(
    ("d", "n", "expected"), [(110, 59874, 1.0768), (40, 22026, 0.8927), (60, 403, 1.0993)]
)
def test_corrected_likeliest_bandwidth(d, n, expected):
    assert theory.kl_bandwidth(np.ones(d), n) == pytest.approx(expected, abs=1e-4)


def test_corrected_likeliest_bandwidth_for_unlike_variances():
    assert theory.kl_bandwidth(UNLIKE, 8000) == pytest.approx(1.4701, abs=1e-4)
    asymptotic = theory.kl_bandwidth(UNLIKE, 8000, corrected=False)
    assert asymptotic == pytest.approx(1.355, abs=1e-3)


@pytest.mark.parametrize(
    ("spectrum", "n"), [(np.ones(60), 403), (UNLIKE, 8000)], ids=["equal", "unlike"]
)
def test_likeliest_bandwidth_is_that_of_left_out_points(spectrum, n):
    """Where the limit of many dimensions is 5 to 10 % too small."""
    X = np.random.default_rng(0).standard_normal((n, spectrum.size)) * np.sqrt(spectrum)
    kde = KDE(loo_max_queries=1500, random_state=0).fit(X)
    assert theory.kl_bandwidth(spectrum, n) == pytest.approx(kde.bandwidth_, rel=0.03)
    assert theory.kl_bandwidth(spectrum, n, corrected=False) < 0.96 * kde.bandwidth_
    # By the covariance of the data, as the rule has it.
    assert KDE("kl_gaussian").fit(X).bandwidth_ == pytest.approx(kde.bandwidth_, rel=0.05)
    assert kde.thresholds()["h_opt"] == KDE("kl_gaussian").fit(X).bandwidth_


@pytest.mark.parametrize("mu", [0.25, 0.5])
def test_few_points_carry_the_estimate_below_the_threshold(mu):
    """The sum of squared shares is 1 - mu, as for the ordered weights of Poisson and Dirichlet."""
    d = 40
    n = round(np.exp(0.25 * d))
    rng = np.random.default_rng(0)
    X, queries = rng.standard_normal((n, d)), rng.standard_normal((400, d))
    h_g = theory.glass_bandwidth(np.ones(d), n)
    kde = KDE(np.sqrt(mu) * h_g).fit(X)
    share = np.mean(1 / kde.query_diagnostics(queries).n_effective)
    assert share == pytest.approx(1 - mu, abs=0.05)
    # Without the correction it would not be.
    uncorrected = theory.glass_bandwidth(np.ones(d), n, corrected=False)
    assert uncorrected < 0.93 * h_g
    assert kde.regime_ == "extreme"


def test_fluctuations_over_data_sets_by_regime():
    """Heavier tails the smaller mu; none above 2."""
    d, n = 60, 403
    rng = np.random.default_rng(0)
    # Squared distances from a query of the typical length.
    energies = rng.noncentral_chisquare(d, d, size=(12_000, n)) / 2
    h_g = theory.glass_bandwidth(np.ones(d), n)
    kurtosis, typical = [], []
    for mu in (0.5, 1.0, 1.5, 2.0, 3.0):
        density = np.exp(-energies / (mu * h_g**2) + 20).mean(axis=1)
        kurtosis.append(stats.kurtosis(density))
        typical.append(np.median(density) / density.mean())
    assert np.all(np.diff(kurtosis) < 0)
    assert kurtosis[0] > 300
    assert kurtosis[1] > 30
    assert 3 < kurtosis[2] < 60
    assert 0.3 < kurtosis[3] < 4
    assert kurtosis[4] < 0.5
    # The mean is not typical below the threshold, and it is above.
    assert typical[0] < 0.1
    assert typical[2] > 0.8
    assert_allclose(typical[3:], 1, atol=0.05)
