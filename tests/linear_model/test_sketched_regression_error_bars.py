"""The law of the error that sketching makes: its size, its intervals and what they hold for.

The paper's claim is that a dense sketch spreads the error evenly over the coefficients, whatever
the rows, and that a sparse one does not.
"""

from functools import lru_cache

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import kstest
from scipy.stats import t as student

from skmatrix.datasets import make_tall_regression
from skmatrix.linear_model import SketchedRegression
from skmatrix.linear_model._sketched_regression_solvers import Rules, error_quantile, solve_sketch
from skmatrix.linear_model._sketched_regression_triangle import Layout
from skmatrix.random_projection import SketchOperator
from skmatrix.random_projection._sketch import Sketch
from tests.linear_model.reference import solve

N, D, M = 2048, 20, 160
DRAWS = {"gaussian": 200, "srht": 400, "sparse_sign": 400, "countsketch": 400, "uniform": 400}
DENSE = ("gaussian", "srht")
MILD = ("incoherent", "heavy_rows", "heavy_tails")


def few_spikes():
    """Rows that fix a coefficient each, and a residual that is on five others."""
    rng = np.random.default_rng(0)
    X, residual = rng.standard_normal((N, D)), rng.standard_normal(N)
    X[:D] = 30 * np.sqrt(N) * np.eye(D)
    residual[D : D + 5] = 10 * np.sqrt(N / 5)
    X = np.linalg.qr(X)[0]
    for _ in range(2):
        residual -= X @ (X.T @ residual)
    coef = rng.standard_normal(D)
    return X, X @ coef + residual / np.linalg.norm(residual), coef


@lru_cache
def problems():
    """Orthonormal rows, a residual of length 1 and the solution, by the name of the problem."""
    made = {kind: make_tall_regression(N, D, kind=kind, random_state=0) for kind in MILD}
    return made | {"few_spikes": few_spikes()}


@lru_cache
def drawn(kind, m=M, alpha=0.0, n_draws=None):
    """Errors of the coefficients and their standard errors for each sketch, by problem."""
    layout, rules = Layout(False, D, 1), Rules(alpha, 1e-13, None, 0, 0, 0, False)
    truth = [solve(X, y, alpha=alpha, fit_intercept=False)[0] for X, y, _ in problems().values()]
    joined = np.concatenate([np.column_stack([X, y]) for X, y, _ in problems().values()], axis=1)
    found = {name: ([], [], []) for name in problems()}
    for seed in range(n_draws or DRAWS[kind]):
        sketched = SketchOperator(kind, m, N, random_state=seed) @ joined
        for i, (errors, stds, norms) in enumerate(found.values()):
            solution = solve_sketch(sketched[:, i * (D + 1) : (i + 1) * (D + 1)], layout, rules)
            errors.append(solution.parameters[:, 0] - truth[i])
            stds.append(solution.std[:, 0])
            norms.append(solution.residual_norm[0])
    return {name: tuple(map(np.array, parts)) for name, parts in found.items()}


def coverage(kind, problem, m=M):
    """How often all coefficients are in their intervals of 95 %, by Bonferroni."""
    errors, stds, _ = drawn(kind, m)[problem]
    return np.mean(np.all(np.abs(errors) <= error_quantile(0.95, m - D, D) * stds, axis=1))


# The table of coverage


@pytest.mark.parametrize("problem", MILD)
@pytest.mark.parametrize("kind", [*DENSE, "sparse_sign"])
def test_simultaneous_intervals_hold_as_often_as_they_say(kind, problem):
    error = np.sqrt(0.95 * 0.05 / DRAWS[kind])
    assert abs(coverage(kind, problem) - 0.951) < 3 * error


@pytest.mark.parametrize("kind", DENSE)
def test_dense_sketches_hold_on_heavy_rows_and_countsketch_does_not(kind):
    assert coverage(kind, "few_spikes") > 0.9
    assert coverage("countsketch", "few_spikes") < 0.8


@pytest.mark.parametrize("problem", [*MILD, "few_spikes"])
@pytest.mark.parametrize("kind", DENSE)
def test_each_interval_holds_as_often_as_it_says(kind, problem):
    errors, stds, _ = drawn(kind, M)[problem]
    inside = np.abs(errors) <= error_quantile(0.95, M - D) * stds
    assert abs(inside.mean() - 0.95) < 0.01


@pytest.mark.parametrize("problem", [*MILD, "few_spikes"])
@pytest.mark.parametrize("kind", DENSE)
def test_standardised_errors_have_the_law_of_student(kind, problem):
    errors, stds, _ = drawn(kind, M)[problem]
    for j in (0, 7, 19):
        assert kstest(errors[:, j] / stds[:, j], student(M - D).cdf).pvalue > 0.005


@pytest.mark.parametrize("problem", ["heavy_rows", "few_spikes"])
def test_sparse_sketches_can_be_far_off_on_heavy_rows(problem):
    """The 95th percentile of the largest error, over what the dense ones have."""
    worst = {
        kind: np.quantile(np.abs(drawn(kind, M)[problem][0]).max(axis=1), 0.95)
        for kind in ("gaussian", "srht", "countsketch", "uniform")
    }
    assert worst["srht"] == pytest.approx(worst["gaussian"], rel=0.15)
    assert worst["countsketch"] > 5 * worst["srht"]
    assert worst["uniform"] > 10 * worst["srht"]


# How large the error is


@pytest.mark.parametrize("problem", [*MILD, "few_spikes"])
@pytest.mark.parametrize("kind", DENSE)
def test_mean_excess_of_the_squares_is_that_of_a_gaussian_sketch(kind, problem):
    errors, _, norms = drawn(kind, M)[problem]
    # The columns are orthonormal, and the residual has length 1.
    excess = np.mean(np.sum(errors**2, axis=1))
    tolerance = 0.05 if kind == "srht" else 0.07  # three standard errors
    assert excess == pytest.approx(D / (M - D - 1), rel=tolerance)
    assert np.mean(norms**2) == pytest.approx(1, rel=0.03)


@pytest.mark.parametrize("kind", ["srht", "sparse_sign"])
def test_largest_error_falls_with_the_root_of_the_rows(kind):
    sizes = [2, 4, 8, 16, 32, 64]
    largest = []
    for factor in sizes:
        found = drawn(kind, factor * D, n_draws=60)
        errors = np.concatenate([found[problem][0] for problem in MILD])
        largest.append(np.sqrt(D) * np.median(np.abs(errors).max(axis=1)))
    scaled = np.array(largest) * np.sqrt(np.array(sizes) * D - D - 1)
    assert_allclose(scaled, scaled.mean(), rtol=0.12)
    slope = np.polyfit(np.log(sizes[2:]), np.log(largest[2:]), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.08)


def test_error_is_spread_over_the_coefficients():
    """The largest of d errors is that of d normal ones of the same size, not all of them."""
    errors, _, _ = drawn("srht", M)["few_spikes"]
    share = np.abs(errors).max(axis=1) / np.linalg.norm(errors, axis=1)
    normal = np.random.default_rng(0).standard_normal((4000, D))
    expected = np.abs(normal).max(axis=1) / np.linalg.norm(normal, axis=1)
    assert np.median(share) == pytest.approx(np.median(expected), rel=0.05)
    sparse, _, _ = drawn("countsketch", M)["few_spikes"]
    share = np.abs(sparse).max(axis=1) / np.linalg.norm(sparse, axis=1)
    assert np.median(share) > 1.25 * np.median(expected)


@pytest.mark.parametrize("condition", [1.0, 1e4])
def test_automatic_size_keeps_the_guarantee_of_the_paper(condition):
    X, y, coef = make_tall_regression(5000, 10, condition=condition, random_state=0)
    limit = 0.5 / np.sqrt(10) * condition  # the residual has length 1
    missed = 0
    for seed in range(50):
        model = SketchedRegression(solver="sketch", fit_intercept=False, random_state=seed)
        missed += np.abs(model.fit(X, y).coef_ - coef).max() > limit
    assert model.sketch_size_ == 11 + int(np.ceil(20 * np.log(20 / 0.01) / 0.25))
    assert missed <= 2


# A penalty


@pytest.mark.parametrize("kind", DENSE)
@pytest.mark.parametrize("alpha", [0.1, 2.0])
def test_intervals_of_a_ridge_hold(kind, alpha):
    found = drawn(kind, alpha=alpha, n_draws=150)
    for problem in ("incoherent", "heavy_tails"):
        errors, stds, _ = found[problem]
        inside = np.abs(errors) <= error_quantile(0.95, M - D) * stds
        assert 0.93 < inside.mean() < 0.965


# The estimator


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4000, 5)) + 3
    Y = X @ rng.standard_normal((5, 2)) + rng.standard_normal((4000, 2)) * [1, 10]
    return X, Y, rng.uniform(0, 2, 4000)


# What `random_state=0` makes of it.
SEED = np.random.RandomState(0).randint(2**31 - 1)


def sketch(m=100, **parameters):
    return SketchedRegression(
        solver="sketch", **{"sketch_size": m, "random_state": 0, **parameters}
    )


def test_intervals_of_the_estimator_hold_the_exact_coefficients(rows):
    X, Y, weight = rows
    exact, _ = solve(X, Y, weight)
    hits, misses = np.zeros((2, 2)), 0
    for seed in range(100):
        model = sketch(random_state=seed).fit(X, Y, weight)
        for k, simultaneous in enumerate((False, True)):
            low, high = model.coef_interval(0.9, simultaneous=simultaneous)
            inside = (low <= exact) & (exact <= high)
            hits[k] += inside.mean(axis=1) if k == 0 else inside.all(axis=1)
        misses += np.abs(model.coef_ - exact).max(axis=1) > model.linf_error_bound_
    assert_allclose(hits / 100, 0.9, atol=0.09)
    assert np.all(misses <= 4)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_intercept_is_one_of_the_parameters(fit_intercept, rows):
    X, Y, _ = rows
    model = sketch(fit_intercept=fit_intercept).fit(X, Y)
    freedom = 100 - 5 - fit_intercept
    for level, several, simultaneous in ((0.95, 1, False), (0.5, 5, True)):
        low, high = model.coef_interval(level, simultaneous=simultaneous)
        margin = student.ppf(1 - (1 - level) / 2 / several, freedom) * model.coef_sketch_std_
        assert_allclose((high - low) / 2, margin, rtol=1e-10)
        assert_allclose((high + low) / 2, model.coef_, rtol=1e-10)
    bound = student.ppf(1 - 0.01 / 10, freedom) * model.coef_sketch_std_.max(axis=1)
    assert_allclose(model.linf_error_bound_, bound, rtol=1e-10)


def test_shapes_of_intervals(rows):
    X, Y, _ = rows
    model = sketch().fit(X, Y)
    assert model.coef_interval().shape == (2, 2, 5)
    assert model.linf_error_bound_.shape == (2,)
    single = sketch().fit(X, Y[:, 0])
    assert single.coef_interval().shape == (2, 5)
    assert isinstance(single.linf_error_bound_, float)
    assert_allclose(single.coef_sketch_std_, model.coef_sketch_std_[0], rtol=1e-12)
    wider = model.coef_interval(0.99)
    low, high = model.coef_interval(0.9)
    assert np.all((wider[0] < low) & (high < wider[1]))


@pytest.mark.parametrize("level", [0, 1, 1.5, -0.1, np.nan, "0.95", None])
def test_level_must_be_a_probability(level, rows):
    model = sketch().fit(rows[0], rows[1])
    with pytest.raises(ValueError, match="level must be between 0 and 1"):
        model.coef_interval(level)


@pytest.mark.parametrize("kind", ["countsketch", "uniform"])
def test_intervals_of_sparse_sketches_warn(kind, rows):
    model = sketch(sketch=kind).fit(rows[0], rows[1])
    with pytest.warns(UserWarning, match=f"sketch='{kind}' is too sparse for intervals"):
        model.coef_interval()


@pytest.mark.parametrize("kind", ["srht", "gaussian", "sparse_sign", "countsketch", "uniform"])
def test_sketched_answer_is_least_squares_on_the_sketch(kind, rows):
    """The plain way: the matrix, and LAPACK on what it makes of the rows."""
    X, Y, weight = rows
    model = sketch(sketch=kind).fit(X, Y, weight)
    S = Sketch(kind, 100, SEED, n_samples=4000 if kind == "uniform" else None).columns(0, 4000)
    root = np.sqrt(weight)[:, None]
    T = S @ (root * np.column_stack([np.ones(4000), X]))
    parameters = np.linalg.lstsq(T, S @ (root * Y), rcond=None)[0]
    assert_allclose(model.coef_, parameters[1:].T, rtol=1e-10)
    assert_allclose(model.intercept_, parameters[0], rtol=1e-9)
    misfit = np.linalg.norm(S @ (root * Y) - T @ parameters, axis=0)
    spread = np.sqrt(np.diag(np.linalg.inv(T.T @ T)))[1:]
    assert_allclose(model.coef_sketch_std_, np.outer(misfit, spread) / np.sqrt(94), rtol=1e-9)
    assert_allclose(model.residual_norm_, misfit * np.sqrt(100 / 94), rtol=1e-9)
    assert (model.n_iter_, model.sketch_, model.sketch_size_) == (1, kind, 100)


@pytest.mark.parametrize("alpha", [5.0, (5.0, 500.0)])
def test_sketched_ridge_is_ridge_on_the_sketch(alpha, rows):
    X, Y, _ = rows
    model = sketch(sketch="gaussian", alpha=alpha).fit(X, Y)
    S = Sketch("gaussian", 100, SEED).columns(0, 4000)
    T, B = S @ np.column_stack([np.ones(4000), X]), S @ Y
    for t, penalty in enumerate(np.broadcast_to(alpha, 2)):
        P = penalty * np.diag([0.0, 1, 1, 1, 1, 1])
        parameters = np.linalg.solve(T.T @ T + P, T.T @ B[:, t])
        assert_allclose(model.coef_[t], parameters[1:], rtol=1e-9)
        assert model.intercept_[t] == pytest.approx(parameters[0], rel=1e-8)
        scores = T * (B[:, t] - T @ parameters)[:, None]
        middle = np.cov(scores, rowvar=False, bias=True) * 100
        sandwich = np.linalg.solve(T.T @ T + P, np.linalg.solve(T.T @ T + P, middle).T)
        expected = np.sqrt(np.diag(sandwich)[1:] * 100 / 94)
        assert_allclose(model.coef_sketch_std_[t], expected, rtol=1e-8)


def test_same_seed_gives_the_same_bits_and_another_one_does_not(rows):
    X, Y, _ = rows
    first, second, other = (sketch(random_state=s).fit(X, Y).coef_ for s in (3, 3, 4))
    assert_array_equal(first, second)
    assert np.abs(first - other).max() > 1e-3


def test_intervals_without_full_rank_hold_the_shortest_solution(rows):
    X, Y, _ = rows
    twice = np.column_stack([X, 2 * X[:, 0]])
    exact, _ = solve(twice, Y)
    hits = 0
    for seed in range(60):
        model = sketch(random_state=seed).fit(twice, Y)
        low, high = model.coef_interval()
        hits += np.mean((low <= exact) & (exact <= high))
    assert model.rank_ == 5
    assert_allclose(model.coef_[:, 5], 2 * model.coef_[:, 0], rtol=1e-10)
    assert abs(hits / 60 - 0.95) < 0.05
