"""Solvers of clustering programs against dense algebra, all partitions, and a general solver."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skmatrix._backend import get_backend
from skmatrix.cluster._gaussian_groups import Gaussians, Structure
from skmatrix.cluster._ilasdp_run import Data
from skmatrix.cluster._sdp_certificate import partition_bound
from skmatrix.cluster._sdp_dense import dense_objective, dual_bound, solve_dense
from skmatrix.cluster._sdp_kernels import advance, gradient, project_affine
from skmatrix.cluster._sdp_low_rank import (
    Program,
    follow,
    partition_factor,
    prices,
    random_factor,
    solve_low_rank,
)
from skmatrix.cluster._sdp_matching import climb, solve_matched
from skmatrix.cluster._sdp_solvers import Tolerance, solve
from tests.cluster.problems import (
    blobs,
    dense_likelihood,
    ellipsoids,
    indicator,
    inertia,
    partitions,
)

BE = get_backend("auto", np.empty(0))
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _own_numbers(monkeypatch):
    """Each test draws the same numbers, whichever have run before it."""
    monkeypatch.setitem(globals(), "RNG", np.random.default_rng(0))


def k_means_program(X, n_groups):
    """The K-means program of centred data."""
    return Program.of(BE, X[None], np.zeros((1, len(X))), float(n_groups))


def likelihood_program(n=30, seed=0):
    """A program of three different covariances, its shift, the matrices A_k, and data."""
    X, truth = ellipsoids(n, 3, 2, 4.0, seed)
    X = X - X.mean(axis=0)
    covariances = np.stack([np.cov(X[truth == k].T) + 0.1 * np.eye(2) for k in range(3)])
    groups = Gaussians.of(Structure("full", 0.0), np.full(3, n / 3), np.zeros((3, 2)), covariances)
    program, shift = Data(BE, X, 3, groups.structure).program(groups)
    return program, shift, dense_likelihood(X, covariances), X, truth


# The Lagrangian


def lagrangian(factor, A, y, penalty):
    """Augmented Lagrangian of equation (3), densely."""
    Z = factor @ factor.transpose(0, 2, 1)
    g = Z.sum(axis=(0, 2)) - 1
    return -np.sum(A * Z) + y @ g + penalty / 2 * g @ g


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_gradient_is_that_of_the_lagrangian(engine):
    be = get_backend(engine, np.empty(0))
    B, n, p, r = 2, 7, 3, 2
    W, b, y = RNG.standard_normal((B, n, p)), RNG.standard_normal((B, n)), RNG.standard_normal(n)
    U, A = RNG.uniform(size=(B, n, r)), dense_objective(W, b)
    radius = 1.3
    U *= radius / np.sqrt(np.sum(U * U, axis=(1, 2), keepdims=True))
    V, M, s, c, g, values = advance(be, W, b, U, U, y, step=0.0, radius=radius, penalty=0.7)
    assert_allclose(V, U)
    assert_allclose(values[0], lagrangian(U, A, y, 0.7))
    assert_allclose(values[1], np.sum(A * (U @ U.transpose(0, 2, 1))))
    G, _ = gradient(be, W, b, U, y + 0.7 * g, M, s, c, U, U)
    numeric = np.empty_like(U)
    for place in np.ndindex(U.shape):
        h = np.zeros_like(U)
        h[place] = 1e-6
        ends = (lagrangian(U + h, A, y, 0.7), lagrangian(U - h, A, y, 0.7))
        numeric[place] = (ends[0] - ends[1]) / 2e-6
    assert_allclose(G, numeric, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_step_that_leaves_no_block_counts_as_infinite(engine):
    be = get_backend(engine, np.empty(0))
    U = np.ones((1, 4, 2))
    W, b, y = np.ones((1, 4, 1)), np.zeros((1, 4)), np.zeros(4)
    V, *_, values = advance(be, W, b, U, U, y, step=2.0, radius=1.0, penalty=1.0)
    assert not V.any()
    assert values[0] == np.inf


def test_shifted_program_has_the_likelihood_as_its_objective():
    program, shift, A, _, truth = likelihood_program()
    Z = indicator(truth)
    shifted = np.sum(dense_objective(program.W, program.b) * Z)
    assert_allclose(shifted - shift.sum(), np.sum(A * Z), rtol=1e-12)


# The projection onto the equations


@pytest.mark.parametrize(("B", "n", "trace"), [(1, 2, 2.0), (1, 9, 4.0), (3, 8, 1.0)])
def test_affine_projection_is_feasible_and_orthogonal(B, n, trace):
    V = RNG.standard_normal((B, n, n))
    V = V + V.transpose(0, 2, 1)
    Z, y, t = project_affine(np, V, trace)
    assert_allclose(np.trace(Z, axis1=1, axis2=2), trace, rtol=1e-13)
    assert_allclose(Z.sum(axis=(0, 2)), 1, rtol=1e-13)
    assert_allclose(Z, Z.transpose(0, 2, 1))
    # Directions within the equations are orthogonal to the way.
    other = RNG.standard_normal((B, n, n))
    other, *_ = project_affine(np, other + other.transpose(0, 2, 1), trace)
    assert abs(np.sum((Z - V) * (other - Z))) < 1e-11
    unit = np.eye(n)
    assert_allclose(Z, V + (y[:, None] + y) / 2 + t[:, None, None] * unit)
    again, *_ = project_affine(np, Z, trace)
    assert_allclose(again, Z, atol=1e-14)


def test_dense_optimum_is_feasible():
    X, _ = blobs(24, 3, 2, 8.0)
    A = dense_objective((X - X.mean(0))[None], np.zeros((1, 24)))
    found = solve_dense(BE, A, 3.0, tol=1e-8, max_iter=5000)
    assert found.converged
    assert found.feasibility < 1e-6
    assert found.matrices.min() > -1e-6
    assert_allclose(np.trace(found.matrices[0]), 3, rtol=1e-6)


# Truth: all partitions of a few points


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n_groups", [2, 3])
def test_k_means_program_bounds_every_partition(n_groups, seed):
    X, _ = blobs(8, n_groups, 2, 3.0, seed)
    X = X - X.mean(axis=0)
    best = min(inertia(X, labels) for labels in partitions(8, n_groups))
    value = np.sum(X * X) - best
    A = dense_objective(X[None], np.zeros((1, 8)))
    exact = solve_dense(BE, A, float(n_groups), tol=1e-7, max_iter=20000)
    assert exact.bound >= value * (1 - 1e-9)
    assert_allclose(exact.value, exact.bound, rtol=1e-4)
    starts = (RNG.uniform(size=(1, 8, 2 * n_groups)) for _ in range(5))
    program = k_means_program(X, n_groups)
    found = max(solve_low_rank(program, U, tol=1e-6, max_iter=5000).value for U in starts)
    assert value * (1 - 1e-5) <= found <= exact.bound * (1 + 1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_likelihood_program_bounds_every_partition(seed):
    program, shift, A, _, _ = likelihood_program(7, seed)
    orders = [np.array(order) for order in np.ndindex(3, 3, 3) if len(set(order)) == 3]
    best = max(
        np.sum(A * indicator(order[labels])) for labels in partitions(7, 3) for order in orders
    )
    dense = dense_objective(program.W, program.b)
    exact = solve_dense(BE, dense, 1.0, tol=1e-7, max_iter=20000)
    assert exact.bound - shift.sum() >= best - 1e-7
    starts = (RNG.uniform(size=(3, 7, 2)) for _ in range(32))
    found = max(solve_low_rank(program, U, tol=1e-6, max_iter=5000).value for U in starts)
    tolerance = 1e-3 * abs(best)
    assert best - tolerance <= found - shift.sum() <= exact.bound - shift.sum() + tolerance


@pytest.mark.parametrize("seed", range(3))
def test_low_rank_value_does_not_exceed_the_dual_bound(seed):
    X, _ = blobs(24, 3, 3, 2.5, seed)
    X = X - X.mean(axis=0)
    found = solve_low_rank(
        k_means_program(X, 3), RNG.uniform(size=(1, 24, 6)), tol=1e-5, max_iter=3000
    )
    assert found.converged
    A = dense_objective(X[None], np.zeros((1, 24)))
    exact = solve_dense(BE, A, 3.0, tol=1e-5, max_iter=1000)
    assert found.value <= exact.bound * (1 + 1e-6)
    assert found.value >= 0.98 * exact.bound


def test_program_of_equal_covariances_is_that_of_k_means():
    X, _ = blobs(24, 3, 2, 6.0)
    X = X - X.mean(axis=0)
    groups = Gaussians.of(
        Structure("full", 0.0), np.full(3, 8.0), np.zeros((3, 2)), np.stack([np.eye(2)] * 3)
    )
    program, shift = Data(BE, X, 3, groups.structure).program(groups)
    dense = dense_objective(program.W, program.b)
    value = solve_dense(BE, dense, 1.0, tol=1e-5, max_iter=2000).value - shift.sum()
    A = dense_objective(X[None], np.zeros((1, 24)))
    expected = solve_dense(BE, A, 3.0, tol=1e-5, max_iter=2000).value - np.sum(X * X)
    assert_allclose(value, expected, rtol=2e-3)


def test_dual_bound_holds_for_any_multipliers():
    program, shift, A, _, truth = likelihood_program()
    dense = dense_objective(program.W, program.b)
    for _ in range(5):
        y, slack = RNG.standard_normal(30), RNG.uniform(size=(3, 30, 30))
        bound = dual_bound(dense, 1.0, y, slack + slack.transpose(0, 2, 1))
        assert bound - shift.sum() >= np.sum(A * indicator(truth))


@pytest.mark.parametrize(
    ("n", "n_groups", "p", "distance"), [(50, 3, 4, 7.0), (300, 3, 4, 7.0), (100, 4, 3, 2.5)]
)
def test_no_random_start_collapses(n, n_groups, p, distance):
    X, truth = blobs(n, n_groups, p, distance)
    X = X - X.mean(axis=0)
    program = k_means_program(X, n_groups)
    value = np.sum(X * X) - inertia(X, truth)
    for seed in range(6):
        start = random_factor(np.random.RandomState(seed), 1, n, 2 * n_groups, n_groups)
        found = solve_low_rank(program, start, tol=1e-4, max_iter=2000)
        assert found.converged
        assert found.value > value * (1 - 1e-3)


def test_random_factor_has_row_sums_of_one_on_average():
    for n_groups in (1, 2, 5):
        U = random_factor(np.random.RandomState(0), 1, 20000, 2 * n_groups, n_groups)[0]
        U *= np.sqrt(n_groups) / np.linalg.norm(U)
        assert_allclose(np.sum(U.sum(axis=0) ** 2) / 20000, 1, atol=0.05)


def test_factor_of_a_partition_holds_its_groups():
    labels = np.arange(9) % 3
    rng = np.random.RandomState(0)
    for n_blocks, n_columns in ((3, 2), (1, 6), (1, 3)):
        factor = partition_factor(rng, labels, n_blocks, n_columns)
        assert factor.shape == (n_blocks, 9, n_columns)
        columns = factor.transpose(0, 2, 1).reshape(-1, 9)
        group = np.repeat(np.arange(3), n_blocks * n_columns // 3)
        inside = labels == group[:, None]
        assert columns[inside].min() >= 1
        assert 0 <= columns[~inside].min() <= columns[~inside].max() <= 0.05


# Covariances that are matched with the wrong groups


def test_matching_finds_the_best_partition():
    program, _, _, _, _ = likelihood_program(7, 1)
    A = dense_objective(program.W, program.b)
    best = -np.inf
    for labels in partitions(7, 3):
        climbed, value = climb(program, labels)
        assert_allclose(value, np.sum(A * indicator(climbed)))
        orders = [np.array(order) for order in np.ndindex(3, 3, 3) if len(set(order)) == 3]
        here = max(np.sum(A * indicator(order[labels])) for order in orders)
        assert value >= here - 1e-9
        best = max(best, here)
    assert_allclose(max(climb(program, labels)[1] for labels in partitions(7, 3)), best)


@pytest.mark.parametrize("seed", range(2))
def test_every_start_gets_out_of_a_wrong_matching(seed):
    program, _, _, _, truth = likelihood_program(60, seed)
    least = climb(program, truth)[1]
    for start in range(4):
        rng = np.random.RandomState(start)
        factor = random_factor(rng, 3, 60, 6, 3)
        found = solve_matched(program, factor, rng=rng, tol=1e-4, max_iter=3000)
        assert found.converged
        assert found.value > least - 1e-3 * abs(least)
    # Groups on the wrong covariances are a local optimum, which the solver alone does not leave.
    wrong = partition_factor(rng, (truth + 1) % 3, 3, 2)
    alone = solve_low_rank(program, wrong, tol=1e-4, max_iter=3000)
    assert alone.value < least - 0.01 * abs(least)
    found = solve_matched(program, wrong, rng=rng, tol=1e-4, max_iter=3000)
    assert found.value > least - 1e-3 * abs(least)


def test_multipliers_follow_the_objective():
    program, _, _, _, truth = likelihood_program(40)
    factor = partition_factor(np.random.RandomState(0), truth, 3, 2)
    found = solve_low_rank(program, factor, tol=1e-6, max_iter=20000)
    U = found.factor
    dense = dense_objective(program.W, program.b)
    expected = 2 * np.sum(np.matmul(dense, U) * U, axis=(0, 2))
    assert_allclose(prices(program, U), expected, atol=1e-9 * program.scale)
    # A shift of the rows, which all feasible matrices feel alike, is followed exactly.
    shift = RNG.standard_normal(40)
    shifted = Program(program.be, program.W, program.b + shift / 2, 1.0, program.scale)
    change = prices(shifted, U) - prices(program, U)
    assert_allclose(
        follow(found.multiplier, U, change), found.multiplier - shift, atol=1e-4 * program.scale
    )


# The closed-form certificate


def dense_lowest(dual, tau):
    """Lowest eigenvalue of S = tau I + Q - N, densely."""
    y, _ = dual.multipliers(tau)
    Q = (y[:, None] + y) / 2 - dual.X @ dual.X.T
    N = np.zeros_like(Q)
    for k in range(dual.n_groups):
        for other in range(dual.n_groups):
            if other != k:
                place = np.ix_(dual.labels == k, dual.labels == other)
                block = Q[place]
                N[place] = np.maximum(np.outer(block.sum(1), block.sum(0)) / block.sum(), 0)
    return np.linalg.eigvalsh(tau * np.eye(len(y)) + Q - N)[0]


@pytest.mark.parametrize("distance", [2.0, 4.0, 8.0])
@pytest.mark.parametrize("p", [2, 60])
def test_deficit_is_that_of_the_dense_slack(distance, p):
    from skmatrix.cluster._sdp_certificate import _Dual

    X, truth = blobs(36, 3, p, distance)
    dual = _Dual(X - X.mean(axis=0), truth)
    for tau in (1.0, 30.0, 300.0):
        lowest = dense_lowest(dual, tau)
        assert_allclose(dual.deficit(tau), max(0.0, -lowest), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_certificate_is_valid_for_good_and_bad_partitions(seed):
    X, truth = blobs(9, 3, 2, 5.0, seed)
    X = X - X.mean(axis=0)
    best = np.sum(X * X) - min(inertia(X, labels) for labels in partitions(9, 3))
    for labels in (truth, np.arange(9) // 3, np.array([0, 1, 2, 2, 2, 2, 2, 2, 2])):
        value, gap, rounding = partition_bound(X, labels)
        assert_allclose(value, np.sum(X * X) - inertia(X, labels))
        assert value + gap >= best * (1 - 1e-12)
        assert gap <= inertia(X, labels) * (1 + 1e-12)
        assert rounding < 1e-11 * np.sum(X * X)


def test_certificate_is_tight_where_groups_are_far_apart():
    X, truth = blobs(200, 4, 3, 12.0)
    _, gap, rounding = partition_bound(X - X.mean(axis=0), truth)
    assert gap == 0
    assert rounding < 1e-9 * inertia(X, truth)
    worse = truth.copy()
    worse[0] = (worse[0] + 1) % 4
    _, gap, _ = partition_bound(X - X.mean(axis=0), worse)
    assert gap > 0


def test_certificate_knows_what_rounding_may_hide():
    rng = np.random.default_rng(0)
    for distance, certified in ((1e2, True), (1e9, False)):
        X = rng.standard_normal((60, 2))
        X[:20, 0] += distance
        X -= X.mean(axis=0)
        labels = np.repeat([0, 1], [20, 40])
        _, gap, rounding = partition_bound(X, labels)
        assert gap == 0
        assert (rounding < 1e-6 * inertia(X, labels)) == certified


# A general solver


@pytest.mark.parametrize("which", ["k-means", "likelihood"])
def test_optimum_is_that_of_scs(which):
    pytest.importorskip("cvxpy")
    pytest.importorskip("scs")
    if which == "k-means":
        X, _ = blobs(24, 3, 2, 3.0)
        program = k_means_program(X - X.mean(axis=0), 3)
    else:
        program = likelihood_program(18)[0]
    tolerance = Tolerance(1e-5, 20000)
    peer = solve(program, None, solver="cvxpy", tolerance=tolerance)
    ours = solve(program, None, solver="admm", tolerance=tolerance)
    assert ours.converged
    assert_allclose(ours.value, peer.value, rtol=1e-3)
    assert_allclose(peer.bound, ours.bound, rtol=1e-3)
    assert_allclose(peer.matrices, ours.matrices, atol=0.02)
