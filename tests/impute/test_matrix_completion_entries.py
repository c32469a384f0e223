"""What a fitted completion answers about entries, columns and rows."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from skmatrix.datasets import make_low_rank_matrix_completion
from skmatrix.impute import MatrixCompletion
from tests.impute.test_matrix_completion import ratings

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def stored(X):
    seen = ~np.isnan(X)
    return sp.csr_array((X[seen], np.nonzero(seen)), shape=X.shape)


@pytest.fixture(params=["dense", "sparse"])
def form(request):
    """How the matrix is passed."""
    return {"dense": lambda X: X, "sparse": stored}[request.param]


@pytest.mark.parametrize("clip", [None, (3, 4), "observed"])
@pytest.mark.parametrize("scale", [None, "columns"])
def test_predicted_entries_are_those_of_the_reconstruction(form, scale, clip):
    X, new = ratings(), ratings(seed=1)
    model = MatrixCompletion(3, scale=scale, clip=clip, random_state=0).fit(form(X))
    rng = np.random.default_rng(0)
    rows, columns = rng.integers(0, 40, 200), rng.integers(0, 30, 200)
    assert_allclose(model.predict_entries(rows, columns), model.reconstruct()[rows, columns])
    assert_allclose(
        model.predict_entries(rows, columns, form(new)), model.reconstruct(form(new))[rows, columns]
    )
    assert_allclose(model.reconstruct(form(X)), model.reconstruct(), rtol=1e-12)
    holes = np.isnan(X)
    assert_allclose(model.transform(form(X))[holes], model.reconstruct()[holes], rtol=1e-12)
    assert_array_equal(model.transform(form(X))[~holes], X[~holes])


def test_no_places_have_no_values():
    model = MatrixCompletion(2, random_state=0).fit(ratings())
    values, std = model.predict_entries([], [], return_std=True)
    assert values.shape == std.shape == (0,)
    assert model.predict_entries([], []).shape == (0,)


@pytest.mark.parametrize("penalty", ["count", "constant"])
@pytest.mark.parametrize("bias", ["none", "global", "row", "column", "both"])
@pytest.mark.parametrize("weighted", [False, True])
def test_deviations_equal_the_dense_formula(weighted, bias, penalty):
    X = ratings() * np.geomspace(0.1, 10, 30)
    X[:2] = np.nan
    weight = np.random.default_rng(0).uniform(0.3, 3, X.shape) if weighted else None
    model = MatrixCompletion(
        3, bias=bias, penalty=penalty, scale="columns", alpha=0.2, random_state=0
    ).fit(X, entry_weight=weight)
    rows, columns = np.array([5, 0, 9, 5, 39, 9, 1]), np.array([2, 3, 0, 29, 11, 0, 3])
    values, std = model.predict_entries(rows, columns, return_std=True)
    assert_allclose(values, model.reconstruct()[rows, columns])
    V = model.components_.T / np.sqrt(model.unit_)
    if bias in ("row", "both"):
        V = np.column_stack([V, np.ones(30)])
    W = np.where(np.isnan(X), 0.0, 1.0 if weight is None else weight)
    for i, j, deviation in zip(rows, columns, std, strict=True):
        mass = W[i].sum() if penalty == "count" else 1.0
        G = (V.T * W[i]) @ V + 0.2 * mass * (model.alpha_ / model.unit_ / 0.2) * np.eye(V.shape[1])
        if W[i].any():
            variance = model.noise_std_**2 * (V[j] @ np.linalg.solve(G, V[j]))
        else:
            # Nothing is known of the row: it is one of the training rows.
            fit = V[j, :3] @ model.embedding_.T / np.sqrt(model.unit_)
            fit = fit + (model.row_bias_ / model.unit_ if V.shape[1] == 4 else 0)
            variance = model.unit_**2 * np.mean(fit**2)
        expected = model.scale_[j] * np.sqrt(model.noise_std_**2 + variance)
        assert_allclose(deviation, expected, rtol=1e-8)


def test_deviations_for_new_rows_come_from_their_own_entries():
    X = ratings()
    model = MatrixCompletion(3, random_state=0).fit(X)
    rows, columns = np.arange(40), np.arange(40) % 30
    for data in (X, stored(X)):
        expected = model.predict_entries(rows, columns, return_std=True)
        given = model.predict_entries(rows, columns, data, return_std=True)
        assert_allclose(given, expected, rtol=1e-10)


def test_deviations_cover_new_observations():
    X, truth = make_low_rank_matrix_completion(
        150, 100, rank=3, n_observed=0.3, noise=0.5, random_state=0
    )
    model = MatrixCompletion(3, alpha=0.01, bias="none", tol=1e-6, max_iter=200, random_state=0)
    model.fit(X)
    rows, columns = np.nonzero(np.isnan(X))
    values, std = model.predict_entries(rows, columns, return_std=True)
    drawn = truth[rows, columns] + 0.5 * np.random.default_rng(0).standard_normal(len(rows))
    share = np.mean(np.abs(drawn - values) < 1.96 * std)
    assert 0.92 < share < 0.97
    assert np.all(std > model.noise_std_)


@pytest.mark.parametrize("exclude_observed", [True, False])
@pytest.mark.parametrize("clip", [None, (3, 4), "observed"])
def test_best_columns_are_those_of_a_sort(form, clip, exclude_observed):
    X, new = ratings(), ratings(seed=1, n_ratings=300)
    model = MatrixCompletion(3, clip=clip, random_state=0).fit(form(X))
    for given, data in ((None, X), (form(new), new)):
        fit = model.reconstruct(given)
        indices, scores = model.top_k(k=4, X=given, exclude_observed=exclude_observed)
        assert indices.shape == scores.shape == (40, 4)
        hidden = ~np.isnan(data) if exclude_observed else np.zeros_like(data, dtype=bool)
        expected = -np.sort(-np.where(hidden, -np.inf, fit), axis=1)[:, :4]
        assert_allclose(scores, np.where(np.isinf(expected), np.nan, expected))
        assert_array_equal(indices < 0, np.isinf(expected))
        for i, row in enumerate(indices):
            found = row[row >= 0]
            assert_allclose(scores[i, : len(found)], fit[i, found])
            assert not hidden[i, found].any()
            assert len(set(found)) == len(found)


def test_bounds_that_all_columns_share_keep_the_order_of_the_fit():
    X = ratings()
    free = MatrixCompletion(3, random_state=0).fit(X)
    bounded = MatrixCompletion(3, random_state=0, clip=(3.4, 3.5)).fit(X)
    assert_array_equal(bounded.top_k(k=5)[0], free.top_k(k=5)[0])


def test_best_columns_for_some_rows_in_any_order():
    model = MatrixCompletion(3, random_state=0).fit(ratings())
    rows = np.array([7, 3, 7, 39])
    for whole, some in zip(model.top_k(k=3), model.top_k(rows, 3), strict=True):
        assert_array_equal(some, whole[rows])


def test_best_columns_end_where_none_is_left():
    X = ratings(n_ratings=600)
    X[0] = 3.0
    X[1, 2:] = 3.0
    X[1, :2] = np.nan
    model = MatrixCompletion(2, random_state=0).fit(X)
    indices, scores = model.top_k([0, 1], 3)
    assert_array_equal(indices[0], [-1, -1, -1])
    assert np.isnan(scores[0]).all()
    assert set(indices[1, :2]) == {0, 1}
    assert indices[1, 2] == -1
    assert_array_equal(np.isnan(scores[1]), [False, False, True])


def test_best_columns_are_found_block_by_block(monkeypatch):
    from skmatrix.impute import _matrix_completion_queries

    model = MatrixCompletion(3, random_state=0).fit(ratings())
    expected = model.top_k(k=3)
    monkeypatch.setattr(_matrix_completion_queries, "_BLOCK", 100)
    columns, scores = model.top_k(k=3)
    assert_array_equal(columns, expected[0])
    # BLAS may sum the products of a smaller block in another order: units in the last place.
    assert_allclose(scores, expected[1], rtol=4 * np.finfo(float).eps)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 40], [0, 0]), r"rows must lie in \[0, 40\). Got values from 0 to 40"),
        (([0, -1], [0, 0]), r"rows must lie in \[0, 40\)"),
        (([0], [30]), r"cols must lie in \[0, 30\)"),
        (([0, 1], [0]), "rows and cols must have the same length. Got 2 and 1"),
        (([0.5], [0]), "rows must be a one-dimensional array of integers"),
        (([[0]], [[0]]), "rows must be a one-dimensional array of integers"),
    ],
)
def test_places_outside_the_matrix_are_refused(arguments, message):
    model = MatrixCompletion(2, random_state=0).fit(ratings())
    with pytest.raises(ValueError, match=message):
        model.predict_entries(*arguments)


def test_bad_questions_about_columns_are_refused():
    model = MatrixCompletion(2, random_state=0).fit(ratings())
    for k in (0, 31, 2.5, True):
        with pytest.raises(ValueError, match=rf"k must be an integer in \[1, 30\].* Got {k}"):
            model.top_k(k=k)
    with pytest.raises(ValueError, match=r"rows must lie in \[0, 40\)"):
        model.top_k([40])


def test_dense_results_beyond_any_memory_are_refused():
    X = sp.csr_array((np.ones(3), ([0, 1, 2], [0, 1, 2])), shape=(60_000, 60_000))
    model = MatrixCompletion(0).fit(X)
    with pytest.raises(ValueError, match="predict_entries for single places, or output="):
        model.transform(X)
    with pytest.raises(ValueError, match=r"reconstruct would give a dense array of shape"):
        model.reconstruct()
    assert model.top_k([5], 2)[0].shape == (1, 2)
    assert model.set_params(output="factors").transform(X).shape == (60_000, 0)


def test_factors_turn_back_into_rows():
    X = ratings()
    model = MatrixCompletion(3, bias="column", output="factors", random_state=0)
    factors = model.fit_transform(X)
    assert factors.shape == (40, 3)
    assert_array_equal(factors, model.embedding_)
    assert_allclose(model.inverse_transform(factors), model.reconstruct())
    with_rows = MatrixCompletion(3, output="factors", random_state=0).fit(X)
    assert_allclose(
        with_rows.inverse_transform(with_rows.embedding_) + with_rows.row_bias_[:, None],
        with_rows.reconstruct(),
    )
    without = MatrixCompletion(0, bias="column", output="factors").fit(X)
    assert_allclose(without.inverse_transform(np.empty((2, 0))), without.reconstruct()[:2])
    with pytest.raises(ValueError, match="X has 2 columns but must have one for each of the 3"):
        model.inverse_transform(factors[:, :2])
    assert not hasattr(MatrixCompletion(), "inverse_transform")


# Rows that change or arrive


def test_updated_rows_are_folded_in_again(form):
    X, new = ratings(), ratings(seed=1)
    model = MatrixCompletion(3, random_state=0).fit(form(X))
    before = model.reconstruct()
    places = np.array([7, 40, 3, 41])
    assert model.update_rows(form(new[:4]), places) is model
    after = model.reconstruct()
    assert after.shape == (42, 30)
    assert_allclose(after[places], model.reconstruct(form(new[:4])), rtol=1e-12)
    kept = np.setdiff1d(np.arange(40), places)
    assert_array_equal(after[kept], before[kept])
    joined = np.vstack([X, np.full((2, 30), np.nan)])
    joined[places] = new[:4]
    assert model.n_observed_ == np.sum(~np.isnan(joined))
    assert model.n_empty_rows_ == np.sum(np.isnan(joined).all(axis=1))
    assert model.n_empty_columns_ == np.sum(np.isnan(joined).all(axis=0))
    # What the new rows have observed is left out of their best columns.
    best = model.top_k(places, 3)[0]
    assert np.isnan(np.take_along_axis(new[:4], best, axis=1)).all()
    std = model.predict_entries(places, places % 30, return_std=True)[1]
    expected = model.predict_entries(np.arange(4), places % 30, form(new[:4]), return_std=True)[1]
    assert_allclose(std, expected)


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ([0, 0], "indices must be distinct"),
        ([0, 41], "must continue the rows without a gap"),
        ([0], "one position for each of the 2 rows. Got 1"),
        ([-1, 0], r"indices must lie in \[0, 42\)"),
    ],
)
def test_bad_positions_of_updated_rows_change_nothing(places, message):
    X = ratings()
    model = MatrixCompletion(3, random_state=0).fit(X)
    before = model.reconstruct()
    with pytest.raises(ValueError, match=message):
        model.update_rows(X[:2], places)
    assert_array_equal(model.reconstruct(), before)


def test_appended_rows_are_known_to_later_questions(form):
    X, new = ratings(), ratings(seed=1)
    new[3] = np.nan
    model = MatrixCompletion(3, random_state=0).fit(form(X))
    old = model.reconstruct()
    assert model.partial_fit(form(new)) is model
    joined = np.vstack([X, new])
    assert model.embedding_.shape == (80, 3)
    assert model.row_bias_.shape == (80,)
    assert model.n_observed_ == np.sum(~np.isnan(joined))
    assert model.n_empty_rows_ == np.sum(np.isnan(joined).all(axis=1))
    # New rows solve their regressions on the corrected columns; old rows follow them.
    assert_allclose(model.reconstruct()[40:], model.reconstruct(form(new)), rtol=1e-8)
    assert 0 < np.abs(model.reconstruct()[:40] - old).max() < 2
    best = model.top_k(k=3)[0]
    assert np.isnan(np.take_along_axis(joined, best, axis=1)).all()
    gram = model.components_ @ model.components_.T
    assert_allclose(gram, np.diag(np.diag(gram)), atol=1e-10 * gram.max())


def test_first_part_is_a_fit():
    X = ratings()
    first = MatrixCompletion(3, random_state=0).partial_fit(X)
    assert_array_equal(
        first.reconstruct(), MatrixCompletion(3, random_state=0).fit(X).reconstruct()
    )


def test_appended_rows_without_entries_change_no_column():
    model = MatrixCompletion(3, random_state=0).fit(ratings())
    fit = model.reconstruct()
    model.partial_fit(np.full((2, 30), np.nan))
    assert_allclose(model.reconstruct()[:40], fit, rtol=1e-8)
    assert_allclose(model.reconstruct()[40:], [model.offset_ + model.column_bias_] * 2)


def test_column_correction_solves_its_quadratic_model():
    X, new = ratings(80, 30, 1500), ratings(20, 30, 250, seed=1)
    alpha = 0.1
    model = MatrixCompletion(3, bias="none", alpha=alpha, random_state=0, tol=1e-10, max_iter=500)
    model.fit(X)
    unit, V = model.unit_, model.components_.T / np.sqrt(model.unit_)
    U = model.embedding_ / np.sqrt(unit)
    row_mass, column_mass = (np.sum(~np.isnan(X), axis=axis) for axis in (1, 0))
    gram = (U.T * row_mass) @ U / row_mass.sum()
    new_U = model.set_params(output="factors").transform(new) / np.sqrt(unit)
    expected = V.copy()
    for j in range(30):
        seen = ~np.isnan(new[:, j])
        A, n = new_U[seen], seen.sum()
        curvature = column_mass[j] * gram + alpha * (column_mass[j] + n) * np.eye(3) + A.T @ A
        residual = new[seen, j] / unit - A @ V[j]
        expected[j] += np.linalg.solve(curvature, A.T @ residual - alpha * n * V[j])
    model.partial_fit(new)
    corrected = model.components_.T @ model.embedding_[:80].T
    assert_allclose(corrected, unit * expected @ U.T, rtol=1e-4, atol=1e-4)
