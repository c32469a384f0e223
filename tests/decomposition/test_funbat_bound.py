"""The evidence bound against dense algebra, and unordered modes against a plain Bayesian Tucker."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.stats import gamma

from skmatrix._backend import get_backend
from skmatrix.decomposition._funbat_entries import Entries
from skmatrix.decomposition._funbat_prior import Prior
from skmatrix.decomposition._funbat_start import started
from skmatrix.decomposition._funbat_state import Layout

ENGINES = ["numpy", "numba"]
NOISE_PRIOR = (1.5, 0.7)


def problem(kernel, ranks, elementwise, backend):
    """Entries, some of them repeated, and beliefs before the first sweep."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 4, (40, 3)).astype(float)
    y, weight = rng.standard_normal(40), rng.uniform(0.5, 2, 40)
    entries = Entries.of(X, y, weight, True)
    priors = [Prior(kernel, length, variance) for length, variance in ((0.2, 1), (0.5, 2), (1, 1))]
    be, layout = get_backend(backend, X), Layout(ranks, elementwise)
    start = np.random.RandomState(0)
    belief = started(be, entries, layout, priors, NOISE_PRIOR, 10.0, start)
    places = [np.searchsorted(axis.points, x) for axis, x in zip(entries.axes, X.T, strict=True)]
    return places, y, weight, belief


def core_moments(belief):
    """Mean and second moments of the core; of CP, its fixed diagonal."""
    ranks = belief.layout.ranks
    if belief.layout.elementwise:
        mean = np.zeros(ranks)
        mean[(np.arange(ranks[0]),) * 3] = 1
        return mean, np.multiply.outer(mean, mean)
    second = belief.core_cov + np.outer(belief.core_mean, belief.core_mean)
    return belief.core_mean.reshape(ranks), second.reshape(*ranks, *ranks)


def gathered(moments, places):
    """Means and second moments of the functions of each mode, at each entry."""
    means = [mean[place] for (mean, _), place in zip(moments, places, strict=True)]
    seconds = [
        (cov + mean[:, :, None] * mean[:, None, :])[place]
        for (mean, cov), place in zip(moments, places, strict=True)
    ]
    return means, seconds


def squared_error(y, weight, core, means, seconds):
    """Expected weighted sum of squared errors."""
    mean = np.einsum("abc,na,nb,nc->n", core[0], *means)
    square = np.einsum("abcdef,nad,nbe,ncf->n", core[1], *seconds)
    return np.sum(weight * (y**2 - 2 * y * mean + square))


def gaussian_divergence(mean, cov, prior_cov):
    """Kullback-Leibler divergence of a normal distribution from one of mean zero."""
    ratio = np.linalg.solve(prior_cov, cov)
    power = mean @ np.linalg.solve(prior_cov, mean)
    return 0.5 * (np.trace(ratio) + power - mean.size - np.linalg.slogdet(ratio)[1])


def joint_posterior(factor):
    """Mean and covariance of the functions at all coordinates, and their prior covariance."""
    prior, n, rank = factor.prior, factor.points.size, factor.mean.shape[1]
    gaps = np.abs(factor.points[:, None] - factor.points)
    # The functions are independent, and vary slowest here.
    prior_cov = np.kron(np.eye(rank), prior.variance * np.exp(-gaps / prior.length_scale))
    precision, shift = np.zeros((rank, n, rank, n)), factor.sent[1].T.ravel()
    places = np.arange(n)
    precision[:, places, :, places] = factor.sent[0]
    unit = np.eye(n * rank)
    cov = np.linalg.solve(unit + prior_cov @ precision.reshape(n * rank, -1), prior_cov)
    return cov @ shift, cov, prior_cov


@pytest.mark.parametrize("backend", ENGINES)
@pytest.mark.parametrize(("ranks", "elementwise"), [((2, 1, 3), False), ((2, 2, 2), True)])
def test_evidence_bound_is_likelihood_less_divergences(ranks, elementwise, backend):
    places, y, weight, belief = problem("matern12", ranks, elementwise, backend)
    for _ in range(3):
        bound, _ = belief.sweep(held=False)
    moments = [(factor.mean, factor.cov) for factor in belief.factors]
    sse = squared_error(y, weight, core_moments(belief), *gathered(moments, places))
    tau = gamma(belief.shape, scale=1 / belief.rate)
    tau_prior = gamma(NOISE_PRIOR[0], scale=1 / NOISE_PRIOR[1])
    ends = tau.ppf([1e-14, 1 - 1e-14])

    def expected(function):
        return quad(lambda t: tau.pdf(t) * function(t), *ends, epsabs=1e-12, epsrel=1e-12)[0]

    log_tau = expected(np.log)
    likelihood = 0.5 * weight.sum() * (log_tau - np.log(2 * np.pi)) - 0.5 * tau.mean() * sse
    divergence = expected(lambda t: tau.logpdf(t) - tau_prior.logpdf(t))
    divergence += sum(gaussian_divergence(*joint_posterior(f)) for f in belief.factors)
    if not elementwise:
        unit = np.eye(belief.core_mean.size)
        divergence += gaussian_divergence(belief.core_mean, belief.core_cov, unit)
    assert bound == pytest.approx(likelihood - divergence, rel=1e-9)


def plain_sweep(y, weight, places, variances, state):
    """One sweep of variational Bayes for Tucker with a normal prior of each row of a factor."""
    moments, core, precision = state
    letters = [("abcdef,nbe,ncf->nad", "abc,nb,nc->na"), ("abcdef,nad,ncf->nbe", "abc,na,nc->nb")]
    letters.append(("abcdef,nad,nbe->ncf", "abc,na,nb->nc"))
    for mode, (pairs, singles) in enumerate(letters):
        means, seconds = (a[:mode] + a[mode + 1 :] for a in gathered(moments, places))
        mean, cov = moments[mode]
        inner, shift = np.zeros_like(cov), np.zeros_like(mean)
        each = np.einsum(pairs, core[1], *seconds)
        np.add.at(inner, places[mode], weight[:, None, None] * each)
        each = np.einsum(singles, core[0], *means)
        np.add.at(shift, places[mode], (weight * y)[:, None] * each)
        cov = np.linalg.inv(np.eye(mean.shape[1]) / variances[mode] + precision * inner)
        moments[mode] = (precision * (cov @ shift[:, :, None])[:, :, 0], cov)
    means, seconds = gathered(moments, places)
    shape, size = core[0].shape, core[0].size
    inner = np.einsum("n,nad,nbe,ncf->abcdef", weight, *seconds).reshape(size, size)
    shift = np.einsum("n,na,nb,nc->abc", weight * y, *means).ravel()
    cov = np.linalg.inv(np.eye(size) + precision * inner)
    mean = precision * cov @ shift
    core = (mean.reshape(shape), (cov + np.outer(mean, mean)).reshape(*shape, *shape))
    sse = squared_error(y, weight, core, means, seconds)
    precision = (NOISE_PRIOR[0] + weight.sum() / 2) / (NOISE_PRIOR[1] + sse / 2)
    return moments, core, precision


@pytest.mark.parametrize("backend", ENGINES)
def test_modes_without_order_are_a_plain_bayesian_tucker(backend):
    places, y, weight, belief = problem("iid", (2, 1, 3), False, backend)
    variances = [factor.prior.variance for factor in belief.factors]
    moments = [(factor.mean, factor.cov) for factor in belief.factors]
    state = (moments, core_moments(belief), belief.precision)
    for _ in range(15):
        state = plain_sweep(y, weight, places, variances, state)
        belief.sweep(held=False)
    for factor, (mean, cov) in zip(belief.factors, state[0], strict=True):
        assert_allclose(factor.mean, mean, rtol=1e-8, atol=1e-10)
        assert_allclose(factor.cov, cov, rtol=1e-8, atol=1e-10)
    for found, expected in zip(core_moments(belief), state[1], strict=True):
        assert_allclose(found, expected, rtol=1e-8, atol=1e-10)
    assert belief.precision == pytest.approx(state[2], rel=1e-10)
