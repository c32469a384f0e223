"""What a fit leaves on the estimator, and what later calls may not change."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from skmatrix.datasets import make_low_rank_matrix_completion, make_ratings
from skmatrix.impute import MatrixCompletion, MatrixCompletionRegressor


@pytest.fixture
def X():
    return make_low_rank_matrix_completion(
        60, 40, rank=3, n_observed=0.5, noise=0.1, random_state=0
    )[0]


def completion(**parameters):
    return MatrixCompletion(**{"n_components": 3, "random_state": 0, **parameters})


@pytest.mark.parametrize(
    "bad", [np.full((5, 7), np.nan), np.array([[1.0, np.inf]]), [["a", "b"]]], ids=str
)
def test_failed_refit_leaves_the_fit_as_it_was(X, bad):
    model = completion().fit(X)
    before = model.transform(X)
    with pytest.raises(ValueError):  # noqa: PT011 (the messages have tests of their own)
        model.fit(bad)
    assert model.n_features_in_ == 40
    assert_array_equal(model.transform(X), before)


def test_failed_first_fit_leaves_nothing(X):
    model = completion()
    with pytest.raises(ValueError, match="entry_weight"):
        model.fit(X, entry_weight=-np.ones_like(X))
    assert not [name for name in vars(model) if name.endswith("_")]


def test_parameters_set_after_the_fit_do_not_change_the_model(X):
    model = completion().fit(X)
    before = model.transform(X)
    model.set_params(bias="none", penalty="constant", add_indicator=True)
    assert_array_equal(model.transform(X), before)
    assert list(model.get_feature_names_out()) == [f"x{i}" for i in range(40)]


def test_model_does_not_share_memory_with_the_data(X):
    observed = ~np.isnan(X)
    S = sp.csr_array((X[observed], np.nonzero(observed)), shape=X.shape)
    S.indices, S.indptr = S.indices.astype(np.int32), S.indptr.astype(np.int32)
    model = completion().fit(S)
    expected = model.top_k([0], 3)[0]
    S.indices[:] = 0
    assert_array_equal(model.top_k([0], 3)[0], expected)


@pytest.mark.parametrize("bias", ["none", "row", "global"])
def test_warm_start_gives_up_biases_that_the_model_no_longer_has(X, bias):
    warm = completion(warm_start=True, tol=1e-9, max_iter=500).fit(X + 1.0)
    warm.set_params(bias=bias).fit(X + 1.0)
    cold = completion(bias=bias, tol=1e-9, max_iter=500).fit(X + 1.0)
    assert_array_equal(warm.column_bias_, 0)
    assert_allclose(warm.objective_history_[-1], cold.objective_history_[-1], rtol=1e-4)


def test_warm_start_goes_on_where_it_ended():
    _, truth = make_low_rank_matrix_completion(60, 40, rank=3, random_state=0)
    holes = np.random.default_rng(0).random(truth.shape) < 0.5
    X = np.where(holes, np.nan, truth)
    model = completion(alpha=0, bias="none", tol=1e-9, max_iter=200, warm_start=True).fit(X)
    first = model.n_iter_
    assert first > 10
    assert model.fit(X).n_iter_ <= 2


@pytest.mark.parametrize("fraction", [0.01, 0.2])
def test_held_out_share_is_that_asked_for_and_never_empty(fraction):
    X, _ = make_low_rank_matrix_completion(8, 6, rank=1, n_observed=0.9, random_state=0)
    model = completion(n_components=1, validation_fraction=fraction).fit(X)
    assert np.all(model.validation_history_ > 0)


def test_nothing_left_to_fit_is_an_error():
    with pytest.raises(ValueError, match=r"validation_fraction=0\.99 leaves none of the 4"):
        completion(validation_fraction=0.99).fit([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize("factor", [1e-6, 100.0])
def test_held_out_error_does_not_depend_on_the_unit_of_the_weights(X, factor):
    errors = [
        completion(validation_fraction=0.2)
        .fit(X, entry_weight=np.full(X.shape, weight))
        .validation_history_
        for weight in (1.0, factor)
    ]
    assert_allclose(errors[1], errors[0], rtol=1e-9)


def test_certificate_is_not_given_where_entries_are_held_out(X):
    parameters = {"penalty": "constant", "bias": "none", "n_components": 20, "alpha": 0.1}
    assert completion(**parameters, tol=1e-10, max_iter=500).fit(X).duality_gap_ < 1e-5
    assert completion(**parameters, validation_fraction=0.2).fit(X).duality_gap_ is None


def test_weights_count_as_repetitions_in_the_noise():
    rng = np.random.default_rng(0)
    pairs = np.indices((30, 20)).reshape(2, -1).T
    y = rng.standard_normal(600)
    weight = rng.integers(1, 4, 600)
    weighted = MatrixCompletionRegressor(2, tol=1e-10, max_iter=300, random_state=0)
    weighted.fit(pairs, y, sample_weight=weight)
    deviation = weighted.completion_.noise_std_
    whole = MatrixCompletionRegressor(2, tol=1e-10, max_iter=300, random_state=0)
    whole.fit(pairs, y, sample_weight=np.ones(600))
    assert 0.5 < deviation / whole.completion_.noise_std_ < 2
    many = MatrixCompletionRegressor(2, tol=1e-10, max_iter=300, random_state=0)
    many.fit(pairs, y, sample_weight=1000 * np.ones(600))
    # A thousand repetitions of each value leave more freedom, not larger residuals.
    assert many.completion_.noise_std_ <= whole.completion_.noise_std_


def test_rows_without_entries_are_the_least_certain(X):
    X[0] = np.nan
    model = completion().fit(X)
    _, std = model.predict_entries(np.arange(60), np.full(60, 5), return_std=True)
    assert np.all(std[0] > std[1:])
    regressor = MatrixCompletionRegressor(1, random_state=0)
    regressor.fit([["a", "x"], ["a", "y"], ["b", "x"], ["c", "y"]], [1.0, 2.0, 4.0, 3.0])
    _, std = regressor.predict([["a", "x"], ["zz", "x"]], return_std=True)
    assert std[1] > std[0]


@pytest.mark.parametrize("backend", ["numpy", "numba", "torch"])
@pytest.mark.parametrize("bias", ["none", "global", "row", "column", "both"])
def test_sketch_of_a_side_without_unknowns_is_no_error(X, bias, backend):
    if backend == "torch":
        pytest.importorskip("torch")
    sketched = completion(n_components=0, solver="sketch", bias=bias, backend=backend).fit(X)
    plain = completion(n_components=0, bias=bias, backend=backend).fit(X)
    assert_allclose(sketched.transform(X), plain.transform(X), rtol=1e-6)


@pytest.mark.parametrize("scale", [None, "columns"])
def test_float32_is_kept_whatever_the_dtype_of_the_fit(X, scale):
    single = X.astype(np.float32)
    for first, second in ((X, single), (single, X)):
        model = completion(scale=scale).fit(first)
        assert model.transform(second).dtype == second.dtype
        assert model.predict_entries([0], [0], X=second).dtype == second.dtype
        model.update_rows(second[:1], [0])
        model.partial_fit(second[:1])
        for name in ("components_", "embedding_", "row_bias_", "column_bias_"):
            assert getattr(model, name).dtype == first.dtype, name


@pytest.mark.parametrize("container", [sp.bsr_array, sp.dia_array, sp.bsr_matrix])
def test_formats_that_add_zeros_are_refused(container):
    with pytest.raises(TypeError, match="sparse in the format"):
        completion().fit(container(sp.csr_array(np.diag([1.0, 2.0, 3.0]))))


def test_updates_take_weights(X):
    weight = np.full(X.shape, 3.0)
    model = completion().fit(X, entry_weight=weight)
    mass = model._pattern.sum()
    model.update_rows(X[:1], [0], entry_weight=weight[:1])
    assert model._pattern.sum() == mass
    model.partial_fit(X[:2], entry_weight=weight[:2])
    assert_allclose(model._pattern.sum(), mass + 3 * np.sum(~np.isnan(X[:2])))


def test_partial_fit_brings_what_follows_from_the_factors_up_to_date(X):
    model = completion(penalty="constant", bias="none").fit(X[:40])
    assert model.duality_gap_ is not None
    model.partial_fit(X[40:])
    assert model.duality_gap_ is None
    product = model.embedding_ @ model.components_
    expected = np.linalg.svd(product, compute_uv=False)[:3]
    assert_allclose(model.singular_values_, expected, rtol=1e-8)


def test_inverse_transform_stays_within_the_bounds(X):
    model = completion(clip=[-1, 1], output="factors").fit(X)
    assert model.clip_range_ == (-1, 1)
    assert np.abs(model.inverse_transform(model.transform(X))).max() <= 1


def test_dtype_may_be_a_numpy_type(X):
    assert completion(dtype=np.float32).fit(X).components_.dtype == np.float32


def test_global_random_state_is_left_alone(X):
    np.random.seed(0)  # noqa: NPY002 (the point of the test)
    expected = np.random.rand()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    completion(solver="sketch", penalty="constant").fit(X)
    assert np.random.rand() == expected  # noqa: NPY002


@pytest.mark.filterwarnings("error")
def test_biases_alone_are_not_too_few_components(X):
    completion(n_components=0, penalty="constant").fit(X)


@pytest.mark.parametrize("bias", ["both", "none"])
def test_noise_is_that_of_the_data_in_narrow_and_in_skewed_tables(bias):
    rng = np.random.default_rng(0)
    for n_columns, k in ((6, 2), (10, 2), (30, 2)):
        truth = rng.standard_normal((1000, 2)) @ rng.standard_normal((2, n_columns))
        if bias == "both":
            truth += rng.standard_normal((1000, 1)) + 2 * rng.standard_normal(n_columns)
        X = truth + 0.5 * rng.standard_normal(truth.shape)
        X[rng.random(X.shape) < 0.2] = np.nan
        model = completion(n_components=k, bias=bias, alpha=0.01, tol=1e-3).fit(X)
        assert_allclose(model.noise_std_, 0.5, rtol=0.05)


def test_noise_of_ratings_with_uneven_popularity_is_near_the_planted_one():
    rows, columns, values = make_ratings(1000, 800, 60_000, noise=0.8, random_state=0)
    X = sp.csr_array((values, (rows, columns)), shape=(1000, 800))
    for k in (20, 50):
        assert_allclose(completion(n_components=k).fit(X).noise_std_, 0.8, rtol=0.05)


@pytest.mark.parametrize(
    ("fitted", "asked"), [([[1, 2], [2, 1]], [["a", "b"]]), ([["a", "b"]] * 2, [[1, 2]])]
)
def test_identifiers_of_another_type_are_named(fitted, asked):
    model = MatrixCompletionRegressor(0).fit(fitted, [1.0, 2.0])
    with pytest.raises(ValueError, match="types that fit has seen"):
        model.predict(asked)
