"""The half step solves every row's ridge regression, whoever computes it."""

from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skmatrix._backend import get_backend, to_numpy
from skmatrix.impute import _matrix_completion_numba as twin
from skmatrix.impute._matrix_completion_alternation import rotate
from skmatrix.impute._matrix_completion_kernels import half_step
from skmatrix.random_projection import sparse_sign_matrix
from tests.impute.reference import penalties, solve_rows

NEEDS_TORCH = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
BACKENDS = ["numpy", "numba", pytest.param("torch", marks=NEEDS_TORCH)]
METHODS = ["pcg", "cholesky", "sketch"]


class HalfStep:
    """Random regressions: rows with many, few, one and no entries, on fixed columns."""

    def __init__(self, *, k=4, weighted=False, row_bias=True, alpha=0.3, penalty="count", seed=0):
        rng = np.random.default_rng(seed)
        n, p = 24, 130
        share = np.repeat([0.95, 0.5, 0.1, 0.02], n // 4)
        mask = rng.uniform(size=(n, p)) < share[:, None]
        mask[3], mask[7, 1:], mask[7, 0] = False, False, True
        self.W = mask * (rng.uniform(0.2, 3.0, (n, p)) if weighted else 1.0)
        self.V, self.c = rng.standard_normal((p, k)), rng.standard_normal(p)
        truth = rng.standard_normal((n, k)) @ self.V.T
        self.Z = np.where(mask, truth + rng.standard_normal((n, p)), np.nan)
        self.k, self.row_bias, self.alpha, self.penalty = k, row_bias, alpha, penalty
        self.weights = self.W[mask] if weighted else np.zeros(0)
        self.indptr = np.concatenate([[0], np.cumsum(mask.sum(axis=1))]).astype(np.int32)
        self.indices = np.nonzero(mask)[1].astype(np.int32)
        self.free = np.array([1.0] * k + [float(row_bias), 0.0])
        start = rng.standard_normal((n, k + 1)) * self.free[:-1]
        self.start = np.column_stack([start, np.ones(n)])
        n_free = k + row_bias
        S = sparse_sign_matrix(8 * n_free, p, n_nonzero=8, random_state=0)
        self.sketch = S.indices.reshape(p, 8).astype(np.int32), S.data.reshape(p, 8)

    def arguments(self, dtype=np.float64, rows=None, start=None):
        """Arrays of the kernel, for all rows or for some in any order."""
        rows = np.arange(self.W.shape[0]) if rows is None else np.asarray(rows)
        places = [np.arange(self.indptr[i], self.indptr[i + 1]) for i in rows]
        counts = [len(place) for place in places]
        chosen = np.concatenate(places)
        values, weights = self.Z[self.W > 0], self.weights
        fixed = np.column_stack([self.V, np.ones(len(self.c)), self.c])
        arrays = [
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
            self.indices[chosen],
            values[chosen],
            weights[chosen] if weights.size else weights,
            (self.start if start is None else start)[rows],
            fixed,
            self.alpha * penalties(self.W, self.penalty)[rows],
            self.W.sum(axis=1)[rows],
            np.mean(fixed * fixed, axis=0),
            self.free,
            *self.sketch,
        ]
        return [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]

    def solve(self, backend, method, dtype=np.float64, *, direct_from=40, tol=1e-12, **options):
        """Result of the kernel as NumPy arrays."""
        be = get_backend(backend, np.zeros(1))
        pool = options.pop("pool", None)
        steps = options.pop("inner_max_iter", 200)
        arrays = be.load(*self.arguments(dtype, **options))
        solved, loss, steps = half_step(
            be, *arrays, method=method, direct_from=direct_from if method == "sketch" else 0,
            inner_tol=tol, inner_max_iter=steps, pool=pool,
        )  # fmt: skip
        return to_numpy(solved), loss, steps

    def solution(self):
        """Augmented rows that solve the normal equations."""
        U, b = solve_rows(
            self.Z, self.W, self.V, self.c,
            alpha=self.alpha, penalty=self.penalty, with_bias=self.row_bias,
        )  # fmt: skip
        return np.column_stack([U, b, np.ones(len(b))])


@pytest.mark.parametrize("row_bias", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_half_step_solves_the_normal_equations(backend, method, weighted, row_bias):
    for penalty in ("count", "constant"):
        problem = HalfStep(weighted=weighted, row_bias=row_bias, penalty=penalty)
        solved, _, _ = problem.solve(backend, method)
        assert_allclose(solved, problem.solution(), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_half_step_in_float32_solves_to_its_rounding_error(backend, method):
    problem = HalfStep(weighted=True)
    solved, _, _ = problem.solve(backend, method, np.float32)
    assert solved.dtype == np.float32
    # Condition numbers up to about 1e2 times the rounding error of sums of 130 terms.
    assert_allclose(solved, problem.solution(), rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_half_step_without_penalty_meets_short_rows_exactly(backend, method):
    problem = HalfStep(alpha=0.0, k=8, weighted=True)
    solved, _, _ = problem.solve(backend, method, direct_from=16)
    fit = solved[:, :8] @ problem.V.T + solved[:, 8:9] + problem.c
    counts = (problem.W > 0).sum(axis=1)
    short = (problem.W > 0) & (counts < 9)[:, None]
    assert short.any()
    assert_allclose(fit[short], problem.Z[short], atol=1e-9)
    # Longer rows: the residual is orthogonal to the regressors.
    residual = problem.W * np.where(problem.W > 0, problem.Z - fit, 0.0)
    assert_allclose(residual @ problem.V, 0, atol=1e-9)
    assert_allclose(residual.sum(axis=1), 0, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_half_step_without_penalty_keeps_short_rows_small(backend, method):
    # Directions that a row has not seen must not fill with rounding error.
    problem = HalfStep(alpha=0.0, k=8)
    cold = problem.start * (1 - problem.free)
    solved, _, _ = problem.solve(backend, method, direct_from=16, start=cold)
    regressors = np.column_stack([problem.V, np.ones(len(problem.V))])
    for i, row in enumerate(solved):
        seen = problem.W[i] > 0
        target = (problem.Z[i] - problem.c)[seen]
        shortest = np.linalg.lstsq(regressors[seen], target)[0]
        # "pcg" is shortest in the norm of its preconditioner instead.
        assert np.linalg.norm(row[:9]) <= 1.5 * np.linalg.norm(shortest) + 1e-12


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_half_step_stays_at_a_solution(backend, method, dtype):
    # What is left of the residual is rounding error, which must not be solved for.
    problem = HalfStep(alpha=0.0, k=8)
    cold = problem.start * (1 - problem.free)
    once, _, _ = problem.solve(backend, method, dtype, direct_from=16, start=cold)
    twice, _, steps = problem.solve(
        backend, method, dtype, direct_from=16, start=once.astype(np.float64)
    )
    # "pcg" is exact to about eps, the others to eps^(3/4), where a row sees a direction well.
    size = np.abs(once).max()
    assert size < 3
    assert_allclose(twice, once, atol=100 * np.finfo(dtype).eps ** 0.75 * size)
    assert steps <= 2 * len(once)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("method", ["pcg", "cholesky"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_half_step_without_penalty_never_blows_up(backend, method, dtype):
    # Columns of unlike lengths, factors of unlike lengths, more of them than most rows' entries.
    for seed in range(6):
        rng = np.random.default_rng(seed)
        problem = HalfStep(alpha=0.0, k=20, seed=seed)
        problem.V *= np.exp(1.5 * rng.standard_normal((130, 1))) * np.geomspace(1, 0.03, 20)
        fit = rng.standard_normal((24, 20)) @ problem.V.T + problem.c
        noisy = fit + 0.3 * rng.standard_normal(fit.shape)
        problem.Z = np.where(problem.W > 0, noisy, np.nan)
        exact, _, _ = problem.solve(
            "numpy", "pcg", tol=1e-8, start=problem.start * (1 - problem.free)
        )
        start = problem.start * (1 - problem.free)
        for _ in range(4):
            start, _, _ = problem.solve(
                backend, method, dtype, tol=1e-10, inner_max_iter=90, start=start
            )
            start = start.astype(np.float64)
        assert np.abs(start).max() < 5 * np.abs(exact).max()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_half_step_sets_rows_without_entries_to_zero(backend, method):
    problem = HalfStep()
    solved, _, _ = problem.solve(backend, method)
    assert np.any(problem.start[3, :5])
    assert_array_equal(solved[3], [0, 0, 0, 0, 0, 1])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_half_step_leaves_frozen_coordinates_alone(backend, method):
    problem = HalfStep(row_bias=False)
    start = problem.start.copy()
    start[:, 4] = 0.7  # a bias that this side may not move
    solved, _, _ = problem.solve(backend, method, start=start)
    assert_array_equal(solved[:, 4:], start[:, 4:])


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("backend", BACKENDS)
def test_half_step_reports_the_weighted_loss_of_its_start(backend, weighted):
    problem = HalfStep(weighted=weighted)
    _, loss, _ = problem.solve(backend, "pcg")
    fit = problem.start[:, :4] @ problem.V.T + problem.start[:, 4:5] + problem.c
    rows = problem.W.sum(axis=1) > 0
    residual = np.where(problem.W > 0, problem.Z - fit, 0.0)[rows]
    assert_allclose(loss, np.sum(problem.W[rows] * residual**2), rtol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_exact_preconditioner_needs_one_step_a_row(backend):
    problem = HalfStep()
    _, _, steps = problem.solve(backend, "cholesky", tol=1e-6)
    assert steps == np.count_nonzero(problem.W.sum(axis=1))


def _energies(problem, solved):
    """Objective of each row at its solution."""
    fit = solved[:, :4] @ problem.V.T + solved[:, 4:5] + problem.c
    residual = np.where(problem.W > 0, problem.Z - fit, 0.0)
    size = np.sum(solved[:, :5] ** 2, axis=1)
    ridge = problem.alpha * penalties(problem.W, problem.penalty)
    return np.sum(problem.W * residual**2, axis=1) + ridge * size


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_rows_objective_falls_with_every_step(backend, method, dtype):
    problem = HalfStep(weighted=True)
    energies = [_energies(problem, problem.start)]
    for steps in (1, 2, 3, 5, 10):
        solved, _, _ = problem.solve(backend, method, dtype, inner_max_iter=steps)
        energies.append(_energies(problem, solved.astype(np.float64)))
    # Rounding error of a sum of some hundred terms.
    slack = 100 * np.finfo(dtype).eps * energies[0]
    assert np.all(np.diff(energies, axis=0) <= slack)
    assert energies[1].sum() < 0.9 * energies[0].sum()


@pytest.mark.parametrize("backend", BACKENDS)
def test_larger_inner_tolerance_takes_fewer_steps(backend):
    problem = HalfStep(k=10)
    steps = [problem.solve(backend, "pcg", tol=tol)[2] for tol in (0.5, 0.1, 1e-3, 1e-8)]
    assert steps == sorted(steps)
    assert steps[0] < steps[-1]


def test_inner_tolerance_bounds_the_preconditioned_residual():
    problem = HalfStep(k=6, weighted=True)
    tol = 1e-3

    def residual(solved):
        fit = solved[:, :6] @ problem.V.T + solved[:, 6:7] + problem.c
        error = problem.W * np.where(problem.W > 0, problem.Z - fit, 0.0)
        ridge = problem.alpha * problem.W.sum(axis=1)[:, None]
        r = np.column_stack([error @ problem.V, error.sum(axis=1)]) - ridge * solved[:, :7]
        curvature = np.append(np.mean(problem.V**2, axis=0), 1.0)
        scale = problem.W.sum(axis=1)[:, None] * curvature + ridge
        return np.sum(r**2 / np.where(scale > 0, scale, 1), axis=1)

    for backend in ("numpy", "numba"):
        solved, _, _ = problem.solve(backend, "pcg", tol=tol)
        first, last = residual(problem.start), residual(solved)
        filled = problem.W.sum(axis=1) > 0
        assert np.all(last[filled] <= 1.001 * tol**2 * first[filled] + 1e-20)


@pytest.mark.parametrize("backend", BACKENDS)
def test_sketch_starts_cold_rows_at_the_sketched_solution(backend):
    problem = HalfStep(seed=1)
    cold = problem.start * (1 - problem.free)
    _, warm_loss, _ = problem.solve(backend, "pcg", start=cold)
    # The loss that is reported is the one at the sketched start, already close to the end.
    solved, loss, _ = problem.solve(backend, "sketch", start=cold)
    assert loss < 0.75 * warm_loss
    assert_allclose(solved, problem.solution(), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_numba_rows_do_not_depend_on_their_company(method, weighted, dtype):
    problem = HalfStep(weighted=weighted)
    whole, _, _ = problem.solve("numba", method, dtype, tol=0.1)
    rows = np.random.default_rng(0).permutation(24)[:11]
    some, _, _ = problem.solve("numba", method, dtype, tol=0.1, rows=rows)
    assert_array_equal(some, whole[rows])


@pytest.mark.parametrize("method", METHODS)
def test_numba_rows_do_not_depend_on_the_number_of_threads(method):
    problem = HalfStep(weighted=True)
    alone = problem.solve("numba", method, tol=0.1)
    for n_threads in (1, 2, 3):
        with ThreadPoolExecutor(n_threads) as pool:
            shared = problem.solve("numba", method, tol=0.1, pool=pool)
        assert_array_equal(shared[0], alone[0])
        assert shared[1:] == alone[1:]


def test_numba_reads_64_bit_indices():
    problem = HalfStep()
    arrays = problem.arguments()
    rules = dict(method="pcg", direct_from=0, inner_tol=1e-12, inner_max_iter=50)
    expected = twin.half_step(*arrays, **rules)[0]
    arrays[:2] = arrays[0].astype(np.int64), arrays[1].astype(np.int64)
    # Compiled apart, so that sums may be ordered otherwise.
    assert_allclose(twin.half_step(*arrays, **rules)[0], expected, rtol=1e-12, atol=1e-12)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.integers(1, 40))
def test_chunks_are_contiguous_and_balanced(counts, n_chunks):
    indptr = np.concatenate([[0], np.cumsum(counts)])
    bounds = twin._balanced_bounds(indptr, n_chunks)
    assert bounds[0] == 0
    assert bounds[-1] == len(counts)
    assert np.all(np.diff(bounds) > 0)
    assert len(bounds) <= n_chunks + 1
    cost = np.diff(indptr[bounds] + bounds)
    assert cost.max() <= (indptr[-1] + len(counts)) / n_chunks + max(counts) + 1


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 7), st.integers(1, 20))
def test_rotation_changes_neither_products_nor_lengths(seed, k, n):
    rng = np.random.default_rng(seed)
    spread = np.geomspace(1, 1e-3, k + 2)
    U, V = rng.standard_normal((n, k + 2)) * spread, rng.standard_normal((9, k + 2))
    mass = rng.integers(0, 5, 9).astype(float)
    mass[0] = 1.0
    turned_U, turned_V, curvature = rotate(np, U, V, mass, k)
    assert_allclose(turned_U @ turned_V.T, U @ V.T, rtol=1e-12, atol=1e-12)
    for turned, factors in ((turned_U, U), (turned_V, V)):
        assert_allclose(np.sum(turned**2, axis=1), np.sum(factors**2, axis=1), rtol=1e-12)
        assert_array_equal(turned[:, k:], factors[:, k:])
    gram = (turned_V[:, :k].T * mass) @ turned_V[:, :k] / mass.sum()
    size = np.linalg.norm(gram)
    assert_allclose(gram, np.diag(np.diag(gram)), atol=1e-12 * size)
    assert_allclose(np.diag(gram), curvature[:k], atol=1e-12 * size)
    assert_array_equal(curvature[k:], [1, 1])
