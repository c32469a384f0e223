"""Tests of singular values of sparse residuals, of the ranks that they choose, and of threads."""

import tracemalloc
import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import ArpackNoConvergence
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_info, threadpool_limits

from skmatrix._backend import get_backend
from skmatrix._threads import fit_threads
from skmatrix.datasets import make_low_rank_matrix_completion
from skmatrix.impute import MatrixCompletion
from skmatrix.impute import _matrix_completion_spectrum as spectrum
from skmatrix.impute._matrix_completion_alternation import make_problem
from skmatrix.impute._matrix_completion_entries import read_entries

SETTINGS = {
    "penalty": "count",
    "bias": "both",
    "solver": "auto",
    "inner_tol": "auto",
    "inner_max_iter": 30,
}


def rng():
    return np.random.RandomState(0)


def sparse(m, n, density=0.1, dtype=np.float64):
    rng = np.random.default_rng(0)
    kept = rng.random((m, n)) < density
    return sp.csr_array(np.where(kept, rng.random((m, n)), 0.0).astype(dtype))


def low_rank():
    X, _ = make_low_rank_matrix_completion(
        80, 60, rank=2, n_observed=0.4, noise=0.1, random_state=0
    )
    return X


@pytest.mark.parametrize(
    ("shape", "k"), [((400, 30), 3), ((30, 400), 28), ((400, 30), 29), ((400, 30), 30), ((9, 7), 2)]
)
def test_triplets_equal_the_dense_ones(shape, k):
    matrix = sparse(*shape)
    left, s, right = spectrum.leading_singular_triplets(matrix, k, rng(), tol=1e-10)
    np.testing.assert_allclose(s, np.linalg.svd(matrix.toarray())[1][:k], rtol=1e-8)
    np.testing.assert_allclose(matrix @ right.T, left * s, atol=1e-8)
    np.testing.assert_allclose(left.T @ left, np.eye(k), atol=1e-8)
    assert spectrum.spectral_norm(matrix, rng()) == pytest.approx(s[0], rel=1e-7)


@pytest.mark.parametrize("k", [1, 3])
def test_triplets_of_a_narrow_matrix_take_no_dense_copy(k):
    matrix = sparse(100_000, 30, density=0.02)
    tracemalloc.start()
    spectrum.leading_singular_triplets(matrix, k, rng())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # A few vectors of the longer side, well below the 24 MB of the dense matrix.
    assert peak < 8 * matrix.shape[0] * (4 * k + 4)


@pytest.mark.parametrize("solve", [spectrum.spectral_norm, spectrum.spectral_start])
def test_float64_entries_are_not_copied(solve):
    matrix = sparse(500, 400, density=0.9)
    arguments = (matrix, rng()) if solve is spectrum.spectral_norm else (matrix, 2, rng())
    tracemalloc.start()
    solve(*arguments)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.5 * matrix.data.nbytes


@pytest.mark.parametrize("size", [5e-324, 1e-300, 1e-12, 1e200, 1e305])
def test_singular_values_of_any_size(size):
    matrix = sparse(120, 110)
    matrix.data = np.ceil(8 * matrix.data)
    _, s, _ = spectrum.leading_singular_triplets(matrix * size, 2, rng(), tol=1e-10)
    expected = np.linalg.svd(matrix.toarray())[1][:2]
    np.testing.assert_allclose(s, size * expected, rtol=1e-8, atol=0)


def test_zero_matrix_has_zero_singular_values():
    matrix = sparse(200, 100)
    matrix.data[:] = 0
    for zeros in (matrix, sp.csr_array((200, 100))):
        left, s, right = spectrum.leading_singular_triplets(zeros, 2, rng())
        np.testing.assert_array_equal(s, [0, 0])
        assert left.shape == (200, 2)
        assert right.shape == (2, 100)
        assert spectrum.spectral_norm(zeros, rng()) == 0


@pytest.mark.parametrize("weight", [1e-300, 1e-8, 1e200])
def test_constant_penalty_with_extreme_weights(weight):
    X = np.tile(low_rank(), (2, 2))
    model = MatrixCompletion(4, alpha=0.5, penalty="constant", bias="none", random_state=0)
    expected = model.fit(X).singular_values_
    model.fit(X, entry_weight=np.full(X.shape, weight))
    # two of the four vanish, up to the accuracy of the half steps
    np.testing.assert_allclose(model.singular_values_, expected, rtol=1e-3, atol=1e-5)


def test_failed_iterations_name_the_parameters(monkeypatch):
    def fail(*args, **kwargs):
        raise ArpackNoConvergence("no convergence", np.empty(0), np.empty((0, 0)))

    monkeypatch.setattr(spectrum, "svds", fail)
    model = MatrixCompletion(2, penalty="constant", random_state=0)
    with pytest.raises(ValueError, match='penalty="constant", init="svd" and a chosen n_comp'):
        model.fit(np.tile(low_rank(), (2, 2)))


def test_duality_gap_stays_on_the_engine():
    X = low_rank()
    be = get_backend("numpy", X)
    problem = make_problem(
        be, read_entries(be, X), n_components=2, **(SETTINGS | {"penalty": "constant"})
    )
    U, V = (np.ones((n, 4)) for n in X.shape)
    # neither load nor unload
    problem = replace(problem, be=SimpleNamespace(xp=be.xp))
    gap, norm = spectrum.duality_gap(problem, U, V, np.ones(2), 1.0, rng())
    assert gap > 0
    assert norm > 0


@pytest.mark.parametrize("shape", [(60, 40), (300, 70), (70, 300), (9, 1), (20_000, 2)])
def test_norm_outside_of_directions_is_that_of_the_dense_matrix(shape):
    matrix = sparse(*shape, density=0.3)
    directions = [rng().standard_normal((n, 1)) for n in shape]
    rest = matrix.toarray()
    for _ in range(2):
        unit = directions[0] / np.linalg.norm(directions[0])
        rest = (rest - unit @ (unit.T @ rest)).T
        directions.reverse()
    norm = spectrum.spectral_norm_outside(matrix, *directions, rng())
    largest = np.linalg.norm(matrix.toarray(), 2)
    np.testing.assert_allclose(norm, np.linalg.norm(rest, 2), rtol=1e-3, atol=1e-12 * largest)


@pytest.mark.parametrize("tol", [1e-2, 1e-3, 1e-6])
@pytest.mark.parametrize("solver", ["pcg", "cholesky", "sketch"])
def test_stopping_early_does_not_call_for_more_components(solver, tol):
    X, _ = make_low_rank_matrix_completion(
        60, 40, rank=3, n_observed=0.5, noise=0.1, random_state=0
    )
    model = MatrixCompletion(3, solver=solver, penalty="constant", tol=tol, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X)
    model.set_params(n_components=2)
    with pytest.warns(ConvergenceWarning, match="n_components=2 is too small"):
        model.fit(X)


@pytest.mark.parametrize("weight", [1e-9, 1e-3])
def test_held_out_error_does_not_depend_on_the_unit_of_the_weights(weight):
    X = low_rank()
    be = get_backend("numpy", X)
    entries = read_entries(be, X)
    _, _, expected = spectrum.rank_by_validation(be, entries, SETTINGS, 0.1, rng())
    entries = read_entries(be, X, np.full(X.shape, weight))
    _, _, path = spectrum.rank_by_validation(be, entries, SETTINGS, 0.1, rng())
    np.testing.assert_allclose(path, expected, rtol=1e-6)


def test_overlapping_fits_leave_blas_as_it_was():
    def n_threads():
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    be = get_backend("numpy", np.zeros((1, 1)))
    with threadpool_limits(2, user_api="blas"):
        first, second = fit_threads(be, 1), fit_threads(be, 1)
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert n_threads() == {1}
        second.__exit__(None, None, None)
        assert n_threads() == {2}


def test_spectral_start_is_the_truncated_svd_of_incoherent_data():
    X, _ = make_low_rank_matrix_completion(
        90, 70, rank=3, n_observed=0.5, random_state=0, sparse_output=True
    )
    U, V = spectrum.spectral_start(X, 3, rng())
    left, s, right = np.linalg.svd(X.toarray() / 0.5)
    np.testing.assert_allclose(U @ V.T, (left[:, :3] * s[:3]) @ right[:3], atol=0.05)
    lengths = np.linalg.norm(U, axis=0)
    np.testing.assert_allclose(lengths, np.sqrt(s[:3]), rtol=0.01)
    np.testing.assert_allclose(U.T @ U, np.diag(lengths**2), atol=1e-8 * s[0])


def test_spectral_start_cuts_rows_that_stick_out():
    X = np.ones((90, 70))
    X[5] = 11.0
    U, V = spectrum.spectral_start(sp.csr_array(X), 1, rng())
    # The row's part of the singular vector is cut to 8 times the mean of 1/90.
    others = 89 / (89 + 121)
    np.testing.assert_allclose(U[5, 0] ** 2 / np.sum(U**2), (8 / 90) / (8 / 90 + others))
    np.testing.assert_allclose(np.delete(U[:, 0], 5), U[0, 0])
    np.testing.assert_allclose(V[:, 0] ** 2 / np.sum(V**2), 1 / 70)
    np.testing.assert_allclose(np.sum(U**2), np.linalg.norm(X, 2))


def test_largest_element_of_each_factor_is_positive():
    model = MatrixCompletion(2, random_state=0).fit(low_rank())
    largest = np.argmax(np.abs(model.components_), axis=1)
    assert np.all(np.take_along_axis(model.components_, largest[:, None], axis=1) > 0)
