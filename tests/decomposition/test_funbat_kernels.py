"""Filters against dense Gaussian processes, sums of messages against loops."""

from functools import reduce

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skmatrix._backend import get_backend
from skmatrix.decomposition._funbat_entries import Entries
from skmatrix.decomposition._funbat_kernels import smooth
from skmatrix.decomposition._funbat_numba import evidence
from skmatrix.decomposition._funbat_prior import Prior
from skmatrix.decomposition._funbat_queries import function_posterior
from skmatrix.decomposition._funbat_start import started
from skmatrix.decomposition._funbat_state import Factor, Layout

ENGINES = ["numpy", "numba"]


def covariance(prior, s, t):
    """Covariance function, in its closed form."""
    x = prior._rate * np.abs(s[:, None] - t)
    polynomial = {"matern12": 1, "matern32": 1 + x, "matern52": 1 + x + x**2 / 3}[prior.kernel]
    return prior.variance * polynomial * np.exp(-x)


def messages(n, rank, seed=0):
    """Messages of every rank, zero included."""
    rng = np.random.default_rng(seed)
    precision = np.zeros((n, rank, rank))
    for j in range(n):
        a = rng.standard_normal((rank, (0, 1, rank)[j % 3]))
        precision[j] = a @ a.T
    return precision, np.einsum("nab,nb->na", precision, rng.standard_normal((n, rank)))


def dense_posterior(prior, points, precision, shift, queries):
    """Means and covariances at queries, and log Z, from one large matrix."""
    n, rank = shift.shape
    unit = np.eye(rank)
    K = np.kron(covariance(prior, points, points), unit)
    L = np.zeros_like(K)
    for j in range(n):
        L[j * rank : (j + 1) * rank, j * rank : (j + 1) * rank] = precision[j]
    cross = np.kron(covariance(prior, queries, points), unit)
    M = np.linalg.solve(np.eye(n * rank) + L @ K, np.column_stack([shift.ravel(), L @ cross.T]))
    mean = (cross @ M[:, 0]).reshape(-1, rank)
    whole = np.kron(covariance(prior, queries, queries), unit) - cross @ M[:, 1:]
    places = np.arange(queries.size)
    cov = whole.reshape(queries.size, rank, queries.size, rank)[places, :, places]
    log_z = (
        -0.5 * np.linalg.slogdet(np.eye(n * rank) + L @ K)[1] + 0.5 * shift.ravel() @ K @ M[:, 0]
    )
    return mean, cov, log_z


@pytest.mark.parametrize("backend", ENGINES)
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("kernel", ["matern12", "matern32", "matern52"])
def test_smoother_is_the_dense_gaussian_process(kernel, rank, backend):
    prior, points = Prior(kernel, 0.3, 1.4), np.sort(np.random.default_rng(1).uniform(0, 1, 12))
    precision, shift = messages(12, rank)
    inputs = (*prior.transitions(np.diff(points)), prior.stationary(), precision, shift)
    mean, cov, log_z, *states = smooth(get_backend(backend, points), *inputs)
    expected = dense_posterior(prior, points, precision, shift, points)
    assert_allclose(mean, expected[0], rtol=0, atol=1e-10)
    assert_allclose(cov, expected[1], rtol=0, atol=1e-10)
    assert float(log_z) == pytest.approx(expected[2], abs=1e-9)
    assert evidence(*inputs) == pytest.approx(expected[2], abs=1e-9)
    queries = np.concatenate([[-2.0, points[0], points[5], 3.0], (points[1:] + points[:-1]) / 2])
    factor = Factor(prior, points, mean, cov, states=tuple(states))
    found = function_posterior(factor, queries)
    expected = dense_posterior(prior, points, precision, shift, queries)
    assert_allclose(found[0], expected[0], rtol=0, atol=1e-10)
    assert_allclose(found[1], expected[1], rtol=0, atol=1e-10)


@pytest.mark.parametrize("backend", ENGINES)
@pytest.mark.parametrize("kernel", ["matern12", "matern32", "matern52"])
def test_strong_messages_leave_small_covariances_and_not_rounding_errors(kernel, backend):
    prior, points = Prior(kernel, 0.3, 1.4), np.linspace(0, 1, 6)
    a = np.random.default_rng(0).standard_normal((6, 3, 3))
    precision = 1e12 * (a @ np.swapaxes(a, 1, 2) + np.eye(3))
    inputs = (*prior.transitions(np.diff(points)), prior.stationary(), precision, precision[:, 0])
    mean, cov, *_ = smooth(get_backend(backend, points), *inputs)
    # The prior adds about one to the precision.
    assert_allclose(cov @ precision, np.broadcast_to(np.eye(3), (6, 3, 3)), atol=1e-9)
    assert_allclose(mean, np.tile([1.0, 0, 0], (6, 1)), atol=1e-9)


def problem(n_modes, ranks, elementwise, backend="numba", seed=0):
    """Beliefs after a sweep about random entries, some of them repeated."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 4, (30, n_modes)).astype(float)
    y, weight = rng.standard_normal(30), rng.uniform(0.5, 2, 30)
    entries = Entries.of(X, y, weight, True)
    priors = [Prior("matern12", 0.3, 1.0)] * n_modes
    layout = Layout(ranks, elementwise)
    be = get_backend(backend, X)
    rng = np.random.RandomState(0)
    belief = started(be, entries, layout, priors, (1.0, 1.0), 10.0, rng)
    belief.sweep(held=False)
    return X, y, weight, belief


@pytest.mark.parametrize("backend", ENGINES)
@pytest.mark.parametrize("ranks", [(2, 3), (1, 2, 3), (2, 1, 2, 2)])
def test_messages_are_those_of_kronecker_products(ranks, backend):
    X, y, weight, belief = problem(len(ranks), ranks, False, backend)
    K, size = len(ranks), int(np.prod(ranks))
    second = belief.core_cov + np.outer(belief.core_mean, belief.core_mean)
    W2 = second.reshape(*ranks, *ranks)
    W = belief.core_mean.reshape(ranks)
    G, h = np.zeros((size, size)), np.zeros(size)
    for mode in range(K):
        precision, shift = belief.messages(mode, *belief.sums(mode))
        expected_p, expected_s = np.zeros_like(precision), np.zeros_like(shift)
        others = [k for k in range(K) if k != mode]
        for row, value, w in zip(X, y, weight, strict=True):
            places = [int(np.searchsorted(belief.entries.axes[k].points, row[k])) for k in range(K)]
            m = [belief.factors[k].mean[places[k]] for k in range(K)]
            B = [belief.factors[k].cov[places[k]] + np.outer(m[k], m[k]) for k in range(K)]
            unfold = [mode, *others]
            pairs = W2.transpose(*unfold, *(K + k for k in unfold))
            rest = size // ranks[mode]
            pairs = pairs.reshape(ranks[mode], rest, ranks[mode], rest)
            F = reduce(np.kron, [B[k] for k in others])
            expected_p[places[mode]] += w * np.einsum("rasb,ab->rs", pairs, F)
            mean = reduce(np.kron, [m[k] for k in others])
            expected_s[places[mode]] += (
                w * value * (W.transpose(unfold).reshape(ranks[mode], rest) @ mean)
            )
            if mode == 0:
                G += w * reduce(np.kron, B)
                h += w * value * reduce(np.kron, m)
        assert_allclose(precision, belief.precision * expected_p, rtol=1e-10, atol=1e-12)
        assert_allclose(shift, belief.precision * expected_s, rtol=1e-10, atol=1e-12)
    belief.join(belief.pieces(K - 1))
    belief.update_core()
    assert_allclose(belief.G[belief.layout.joint], G, rtol=1e-10, atol=1e-12)
    assert_allclose(belief.h, h, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("backend", ENGINES)
@pytest.mark.parametrize("rank", [1, 2])
def test_messages_of_cp_are_elementwise_products(rank, backend):
    X, y, weight, belief = problem(3, (rank,) * 3, True, backend)
    for mode in range(3):
        precision, shift = belief.messages(mode, *belief.sums(mode))
        expected_p, expected_s = np.zeros_like(precision), np.zeros_like(shift)
        for row, value, w in zip(X, y, weight, strict=True):
            places = [int(np.searchsorted(belief.entries.axes[k].points, row[k])) for k in range(3)]
            m = [belief.factors[k].mean[places[k]] for k in range(3)]
            B = [belief.factors[k].cov[places[k]] + np.outer(m[k], m[k]) for k in range(3)]
            a, b = (k for k in range(3) if k != mode)
            expected_p[places[mode]] += w * B[a] * B[b]
            expected_s[places[mode]] += w * value * m[a] * m[b]
        assert_allclose(precision, belief.precision * expected_p, rtol=1e-10, atol=1e-12)
        assert_allclose(shift, belief.precision * expected_s, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("ranks", "elementwise"), [((2, 2, 2), False), ((2, 2, 2), True)])
def test_engines_agree_after_many_sweeps(ranks, elementwise):
    beliefs = [problem(3, ranks, elementwise, backend)[3] for backend in ENGINES]
    for _ in range(20):
        bounds = [belief.sweep(held=False)[0] for belief in beliefs]
        assert bounds[0] == pytest.approx(bounds[1], rel=1e-9)
    for left, right in zip(*(belief.factors for belief in beliefs), strict=True):
        assert_allclose(left.mean, right.mean, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("ranks", "elementwise"), [((2, 3, 2), False), ((2, 2, 2), True)])
@pytest.mark.parametrize("bounds", [None, (1e-3, 10.0)])
def test_evidence_bound_rises_with_every_sweep(ranks, elementwise, bounds):
    belief = problem(3, ranks, elementwise)[3]
    history = [belief.sweep(held=False, bounds=bounds)[0] for _ in range(30)]
    assert np.all(np.diff(history) >= -1e-8 * np.abs(history[-1]))
