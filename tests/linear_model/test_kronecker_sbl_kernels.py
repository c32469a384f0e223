"""Sums of sparse Bayesian learning with Kronecker factors, against dense algebra."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skmatrix._backend import get_backend, to_numpy
from skmatrix.linear_model._kronecker_sbl_kernels import contract, mode_products, rank_one
from skmatrix.linear_model._kronecker_sbl_maximisation import Coupling, alternate, project
from skmatrix.linear_model._kronecker_sbl_state import Problem, State, relative_change
from tests.linear_model.kronecker_reference import (
    DensePosterior,
    kron,
    random_data,
    random_factors,
)

HOST = get_backend("numpy", np.zeros(1))
# One factor and several; fewer and more rows than columns.
SHAPES = [((4,), (7,)), ((7,), (4,)), ((3, 4), (5, 6)), ((6, 2, 3), (4, 3, 3)), ((5, 4), (4, 3))]
every_kind = pytest.mark.parametrize("is_complex", [False, True])


def make_problem(be, rows, columns, *, is_complex, intercept, n_snapshots):
    """Factors, data of shape (M, L), variances, and the problem on an engine."""
    rng = np.random.default_rng(0)
    factors = random_factors(rng, rows, columns, is_complex)
    data = random_data(rng, rows, n_snapshots, is_complex, intercept)
    gammas = [rng.uniform(0.1, 2, n) for n in columns]
    stacked = np.concatenate([data, np.ones_like(data[:1])]) if intercept else data
    norms = np.sum(np.abs(stacked.reshape(len(stacked), -1)) ** 2, axis=1)
    problem = Problem.of(
        be,
        [be.load(factor) for factor in factors],
        be.load(stacked),
        be.load(norms),
        data[0].size,
        n_snapshots,
    )
    return factors, data.reshape(n_snapshots, -1).T, gammas, problem


def assert_close(actual, expected, tol=1e-11):
    """Agreement relative to the largest entry."""
    expected = np.asarray(expected)
    assert_allclose(to_numpy(actual), expected, rtol=0, atol=tol * np.abs(expected).max())


@every_kind
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("n_snapshots", [1, 3])
@pytest.mark.parametrize(("rows", "columns"), SHAPES)
def test_expectations_are_those_of_dense_algebra(
    rows, columns, n_snapshots, intercept, is_complex, engine
):
    be = get_backend(engine, np.zeros(1))
    options = {"is_complex": is_complex, "intercept": intercept, "n_snapshots": n_snapshots}
    factors, y, gammas, problem = make_problem(be, rows, columns, **options)
    dense = DensePosterior(kron(factors), y, kron(gammas), 0.3, intercept)
    found = State(problem, gammas, 0.3).expect()
    mean, variance = found.moments()
    assert_close(to_numpy(mean).reshape(n_snapshots, -1).T, dense.mean)
    assert_close(to_numpy(variance).ravel(), dense.variance)
    squares = dense.variance + np.mean(np.abs(dense.mean) ** 2, axis=1)
    assert_close(to_numpy(found.second_moments()).ravel(), squares)
    assert_close(found.cost, dense.cost)
    assert_close(found.residual, dense.residual)
    assert_close(found.inverse_trace, dense.inverse_trace)
    assert_close(found.explained, dense.explained)
    n_equations = len(y) - intercept
    expected = (dense.residual / n_snapshots + 0.3 * dense.explained) / n_equations
    assert found.noise_by_em() == pytest.approx(expected, rel=1e-11)
    expected = np.sqrt(dense.residual / (n_snapshots * dense.inverse_trace))
    assert found.noise_by_mm() == pytest.approx(expected, rel=1e-11)
    if intercept:
        assert_close(found.intercept, dense.b)
    signal = np.mean(np.abs(dense.mean) ** 2, axis=1) / dense.gamma
    shrinkage = 1 - dense.variance / dense.gamma
    for mode in range(len(rows)):
        others = tuple(k for k in range(len(rows)) if k != mode)
        for actual, expected in zip(found.marginals(mode), (signal, shrinkage), strict=True):
            assert_close(actual, expected.reshape(columns).sum(axis=others))


def test_variances_of_coefficients_that_are_all_but_known_keep_their_digits():
    """``g (1 - tau)`` would be rounding errors alone."""
    rng = np.random.default_rng(0)
    factors = [np.linalg.qr(rng.standard_normal((n + 2, n)))[0] for n in (3, 4)]
    data = rng.standard_normal((1, 5, 6))
    problem = Problem.of(HOST, factors, data, np.sum(data**2).reshape(1), data.size, 1)
    noise = 1e-20
    _, variance = State(problem, [np.ones(3), np.ones(4)], noise).expect().moments()
    assert_allclose(variance, noise, rtol=1e-12)


@every_kind
@pytest.mark.parametrize(("rows", "columns"), SHAPES)
def test_mode_products_are_a_product_with_the_kronecker_product(rows, columns, is_complex):
    rng = np.random.default_rng(0)
    factors = random_factors(rng, rows, columns, is_complex)
    tensor = rng.standard_normal((2, *columns)).astype(factors[0].dtype)
    expected = tensor.reshape(2, -1) @ kron(factors).T
    assert_close(mode_products(HOST, tensor, *factors).reshape(2, -1), expected, 1e-13)


@pytest.mark.parametrize("mode", range(3))
def test_contraction_is_a_weighted_sum(mode):
    rng = np.random.default_rng(0)
    tensor = rng.uniform(size=(3, 4, 5))
    weights = [rng.uniform(size=n) for n in tensor.shape]
    letters = "abc".replace("abc"[mode], "")
    others = [w for k, w in enumerate(weights) if k != mode]
    expected = np.einsum(f"abc,{letters[0]},{letters[1]}->{'abc'[mode]}", tensor, *others)
    assert_close(contract(HOST, tensor, *weights, mode=mode), expected, 1e-14)


@every_kind
@pytest.mark.parametrize("shape", [(3, 4, 5), (9, 2, 2), (4, 3), (6,)])
def test_rank_one_finds_a_product_and_leading_singular_vectors(shape, is_complex):
    rng = np.random.default_rng(0)
    vectors = [random_factors(rng, (1,), (n,), is_complex)[0][0] for n in shape]
    product = kron(vectors).reshape(shape)
    found = rank_one(HOST, product)
    assert_close(kron(found).reshape(shape), product, 1e-13)
    assert_allclose([np.linalg.norm(v) for v in found[:-1]], 1, rtol=1e-14)
    noisy = product + 0.5 * random_factors(rng, (product.size,), (1,), is_complex)[0].reshape(shape)
    u, s, vh = np.linalg.svd(noisy.reshape(shape[0], -1), full_matrices=False)
    found = rank_one(HOST, noisy)
    assert abs(np.vdot(found[0], u[:, 0])) > 1 - 1e-12 or len(shape) == 1
    if len(shape) == 2:
        assert_close(kron(found).reshape(shape), s[0] * np.outer(u[:, 0], vh[0]), 1e-12)


def test_small_entries_of_a_projection_have_digits_of_their_own():
    vectors = [np.array([1.0, 1e-20, 1e-9]), np.array([1e-18, 1.0, 3.0, 1e-5])]
    found = project(HOST, np.outer(*vectors))
    assert_allclose(found[0], vectors[0] / np.linalg.norm(vectors[0]), rtol=1e-12)
    assert_allclose(np.outer(*found), np.outer(*vectors), rtol=1e-12)


def test_alternation_finds_the_only_minimiser():
    rng = np.random.default_rng(0)
    target = rng.uniform(0.1, 3, (4, 5, 6))
    rule = {"max_iter": 1000, "tol": 1e-15}

    def fitted():
        start = [rng.uniform(0.01, 10, n) for n in target.shape]
        return kron(alternate(HOST, target, start, [None] * 3, **rule))

    solutions = [fitted() for _ in range(3)]
    assert_allclose(solutions[1], solutions[0], rtol=1e-12)
    assert_allclose(solutions[2], solutions[0], rtol=1e-12)

    def divergence(g):
        return np.sum(np.log(g) + target.ravel() / g)

    best = solutions[0].reshape(target.shape)
    for mode, n in enumerate(target.shape):
        for i in range(n):
            factors = np.ones(n)
            factors[i] = 1.01
            moved = best * factors.reshape([-1 if k == mode else 1 for k in range(3)])
            assert divergence(moved.ravel()) > divergence(best.ravel())


def test_multiplicative_steps_of_coupled_variances_never_raise_the_divergence():
    rng = np.random.default_rng(0)
    target = rng.uniform(0.01, 3, 12)
    coupling = Coupling(np.eye(12) + 0.5 * (np.eye(12, k=1) + np.eye(12, k=-1)), "mm")
    divergences = []
    gamma = coupling.gamma
    for _ in range(20):
        gamma = coupling.update(target, gamma)
        divergences.append(np.sum(np.log(gamma) + target / gamma))
    assert (np.diff(divergences) <= 1e-13 * abs(divergences[0])).all()
    assert divergences[-1] < divergences[0]


def test_coupled_variances_go_on_from_a_scale_that_has_moved():
    target = np.random.default_rng(0).uniform(0.01, 3, 5)
    moved, fresh = (Coupling(np.eye(5) + 0.5 * np.eye(5, k=1), "mm") for _ in range(2))
    fresh.latent = 1e6 * fresh.latent
    assert_allclose(
        moved.update(target, 1e6 * moved.gamma), fresh.update(target, fresh.gamma), rtol=1e-12
    )


@pytest.mark.parametrize("size", [1e-12, 1e-6, 1.0])
def test_relative_change_is_that_of_the_product_without_cancellation(size):
    rng = np.random.default_rng(0)
    old = [rng.uniform(0.5, 1, n) for n in (3, 4, 5)]
    steps = [size * rng.standard_normal(n) for n in (3, 4, 5)]
    new = [a + d for a, d in zip(old, steps, strict=True)]
    # The difference of the products, expanded.
    a, b, c = old
    d, e, f = (x - y for x, y in zip(new, old, strict=True))
    terms = [(d, b, c), (a, e, c), (a, b, f), (d, e, c), (d, b, f), (a, e, f), (d, e, f)]
    expected = np.linalg.norm(sum(kron(term) for term in terms)) / np.linalg.norm(kron(old))
    assert relative_change(new, old) == pytest.approx(expected, rel=1e-12)
