"""MatrixCompletion against closed forms, plain references and invariances."""

import warnings

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from skmatrix.datasets import hide_entries, make_low_rank_matrix_completion, make_ratings
from skmatrix.impute import MatrixCompletion
from tests.impute.reference import (
    complete,
    damped_biases,
    normalise,
    nuclear_objective,
    soft_impute,
    soft_threshold,
    solve_rows,
)

SOLVERS = ["pcg", "cholesky", "sketch"]
BIASES = ["none", "global", "row", "column", "both"]
# Most fits here stop after a given number of epochs.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def ratings(n=40, p=30, n_ratings=500, rank=3, seed=0):
    """A matrix with uneven rows and columns, biases and noise."""
    rows, columns, values = make_ratings(n, p, n_ratings, rank=rank, random_state=seed)
    X = np.full((n, p), np.nan)
    X[rows, columns] = values
    return X


def start_factors(X, k, seed=0):
    """Factors to start from, for `init`."""
    rng = np.random.default_rng(seed)
    return tuple(rng.standard_normal((size, k)) for size in X.shape)


def exact(n_components=3, **parameters):
    """A completion whose half steps are solved to rounding error, for a number of epochs."""
    defaults = {"inner_tol": 1e-10, "inner_max_iter": 200, "tol": 0, "continuation": False}
    return MatrixCompletion(n_components, **{**defaults, "random_state": 0, **parameters})


# Truth: the plain algorithm


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("solver", SOLVERS)
def test_fit_equals_plain_alternation(solver, bias, backend):
    X = ratings()
    rng = np.random.default_rng(0)
    init = start_factors(X, 3)
    for weight in (None, rng.uniform(0.2, 3, X.shape)):
        model = exact(solver=solver, bias=bias, init=init, max_iter=6, backend=backend)
        model.fit(X, entry_weight=weight)
        fit, history = complete(X, *init, alpha=0.1, bias=bias, W=weight, n_epochs=6)
        assert_allclose(model.reconstruct(), fit, rtol=1e-6, atol=1e-6)
        assert_allclose(model.objective_history_, history, rtol=1e-7)


@pytest.mark.parametrize("bias", BIASES)
def test_constant_penalty_equals_plain_alternation(bias):
    X = ratings()
    weight = np.random.default_rng(0).uniform(0.2, 3, X.shape)
    init = start_factors(X, 3)
    for W in (None, weight):
        model = exact(penalty="constant", alpha=0.3, bias=bias, init=init, max_iter=5)
        model.fit(X, entry_weight=W)
        Z, seen, _, unit = normalise(X, W, bias)
        b, c = damped_biases(Z, seen, alpha=0.0, penalty="constant", bias=bias)
        norm = scipy.linalg.norm(np.where(seen > 0, seen * (Z - b[:, None] - c), 0.0), 2)
        assert_allclose(model.alpha_, 0.3 * norm * unit, rtol=1e-7)
        fit, history = complete(
            X, *init, alpha=0.3 * norm, penalty="constant", bias=bias, W=W, n_epochs=5
        )
        assert_allclose(model.reconstruct(), fit, rtol=1e-6, atol=1e-6)
        assert_allclose(model.objective_history_, history, rtol=1e-6)


def test_biases_alone_solve_the_ridge_regression():
    X = ratings()
    alpha = 0.2
    model = exact(0, alpha=alpha, max_iter=300).fit(X)
    Z, W, offset, unit = normalise(X)
    n, p = X.shape
    rows, columns = np.nonzero(W)
    design = np.zeros((len(rows), n + p))
    design[np.arange(len(rows)), rows] = 1
    design[np.arange(len(rows)), n + columns] = 1
    ridge = alpha * np.concatenate([W.sum(axis=1), W.sum(axis=0)])
    gram = design.T @ design + np.diag(ridge)
    biases = scipy.linalg.solve(gram, design.T @ Z[rows, columns])
    assert_allclose(model.offset_, offset)
    assert_allclose(model.row_bias_, unit * biases[:n], atol=1e-8)
    assert_allclose(model.column_bias_, unit * biases[n:], atol=1e-8)
    assert model.components_.shape == (0, p)
    assert model.singular_values_.shape == (0,)


def test_scaled_columns_are_standardised():
    X = ratings() * np.geomspace(1e-3, 1e3, 30) + np.linspace(-50, 900, 30)
    model = MatrixCompletion(2, scale="columns", random_state=0)
    filled = model.fit_transform(X)
    mean, deviation = np.nanmean(X, axis=0), np.nanstd(X, axis=0)
    assert_allclose(model.center_, mean, atol=1e-12)
    assert_allclose(model.scale_, deviation)
    plain = MatrixCompletion(2, random_state=0).fit_transform((X - mean) / deviation)
    assert_allclose(filled, plain * deviation + mean, rtol=1e-7)


def test_scaled_columns_of_unlike_levels_are_better_than_their_means():
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((500, 2)) @ rng.standard_normal((2, 6))
    truth += 0.3 * rng.standard_normal(truth.shape)
    truth = truth / truth.std(axis=0) + [0, 5, 50, 100, 20, 170]
    holes = rng.random(truth.shape) < 0.2
    X = np.where(holes, np.nan, truth)
    filled = MatrixCompletion(2, scale="columns", random_state=0).fit_transform(X)
    means = np.broadcast_to(np.nanmean(X, axis=0), X.shape)
    error, error_of_means = (np.sqrt(np.mean((a - truth)[holes] ** 2)) for a in (filled, means))
    assert error < 0.85 * error_of_means


# Monotone objective


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("penalty", ["count", "constant"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_objective_never_rises(solver, penalty, dtype):
    X = ratings(n_ratings=900).astype(dtype)
    weight = np.random.default_rng(0).uniform(0.2, 3, X.shape)
    for k, W in ((2, None), (12, weight)):
        for backend in ("numpy", "numba"):
            model = MatrixCompletion(
                k, alpha=0.05, penalty=penalty, solver=solver, backend=backend, tol=0, max_iter=30,
                inner_tol=0.1, random_state=0,
            )  # fmt: skip
            history = model.fit(X, entry_weight=W).objective_history_
            # Two objectives that are sums of some hundred terms, each with its rounding error.
            assert np.all(np.diff(history) <= 100 * np.finfo(dtype).eps * history[:-1])
            assert history[-1] < history[0]


def test_objective_never_rises_while_the_penalty_falls():
    X, _ = make_low_rank_matrix_completion(60, 50, rank=3, n_observed=0.4, random_state=0)
    model = MatrixCompletion(3, alpha=0, tol=1e-10, max_iter=200, random_state=0).fit(X)
    assert np.all(np.diff(model.objective_history_) <= 0)


# Closed forms of fully observed matrices


@pytest.mark.parametrize("shape", [(25, 15), (15, 25)])
@pytest.mark.parametrize("solver", SOLVERS)
def test_full_matrix_without_penalty_gives_its_truncated_svd(solver, shape):
    rng = np.random.default_rng(0)
    left, _ = np.linalg.qr(rng.standard_normal((shape[0], 8)))
    right, _ = np.linalg.qr(rng.standard_normal((shape[1], 8)))
    spectrum = np.array([20, 17, 14, 10, 1, 0.8, 0.5, 0.1])
    X = (left * spectrum) @ right.T
    model = exact(4, alpha=0, bias="none", solver=solver, tol=1e-14, max_iter=200).fit(X)
    best = (left[:, :4] * spectrum[:4]) @ right[:, :4].T
    assert_allclose(model.reconstruct(), best, atol=1e-6)
    assert_allclose(model.singular_values_, spectrum[:4], rtol=1e-7)


@pytest.mark.parametrize("solver", SOLVERS)
def test_full_matrix_with_constant_penalty_gives_its_soft_thresholded_svd(solver):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((20, 12))
    model = exact(12, penalty="constant", alpha=0.3, bias="none", solver=solver, max_iter=400)
    model.fit(X)
    ridge = 0.3 * scipy.linalg.svdvals(X)[0]
    assert_allclose(model.alpha_, ridge, rtol=1e-8)
    assert_allclose(model.reconstruct(), soft_threshold(X, ridge), atol=1e-6)
    expected = np.maximum(scipy.linalg.svdvals(X) - ridge, 0)
    assert_allclose(model.singular_values_, expected, atol=1e-6)


# The nuclear-norm problem and its certificate


@pytest.mark.parametrize("weighted", [False, True])
def test_constant_penalty_solves_the_nuclear_norm_problem(weighted):
    X, _ = make_low_rank_matrix_completion(
        40, 30, rank=4, n_observed=0.5, noise=0.3, random_state=0
    )
    W = np.random.default_rng(0).uniform(0.3, 1, X.shape) if weighted else None
    model = MatrixCompletion(
        20, alpha=0.2, penalty="constant", bias="none", tol=1e-12, max_iter=2000, inner_tol=1e-3,
        random_state=0,
    ).fit(X, entry_weight=W)  # fmt: skip
    Z, W, _, unit = normalise(X, W, bias="none")
    ridge = model.alpha_ / unit
    best = soft_impute(Z, W, ridge)
    assert_allclose(model.reconstruct() / unit, best, atol=1e-4 * np.abs(best).max())
    value, optimum = (
        nuclear_objective(Z, W, fit, ridge) for fit in (model.reconstruct() / unit, best)
    )
    assert_allclose(value, optimum, rtol=1e-6)
    assert 0 <= model.duality_gap_ < 1e-5


@pytest.mark.parametrize("max_iter", [1, 2, 5, 10])
@pytest.mark.parametrize("weighted", [False, True])
def test_duality_gap_bounds_the_distance_to_the_optimum(max_iter, weighted):
    X, _ = make_low_rank_matrix_completion(
        30, 20, rank=3, n_observed=0.5, noise=0.3, random_state=1
    )
    W = np.random.default_rng(0).uniform(0.3, 1, X.shape) if weighted else None
    model = MatrixCompletion(
        15, alpha=0.15, penalty="constant", bias="none", max_iter=max_iter, tol=0, random_state=0
    ).fit(X, entry_weight=W)
    Z, W, _, unit = normalise(X, W, bias="none")
    ridge = model.alpha_ / unit
    value = nuclear_objective(Z, W, model.reconstruct() / unit, ridge)
    optimum = nuclear_objective(Z, W, soft_impute(Z, W, ridge), ridge)
    assert value > optimum
    assert model.duality_gap_ >= (value - optimum) / value


def test_duality_gap_holds_biases_fixed():
    X = ratings()
    model = MatrixCompletion(
        20, alpha=0.3, penalty="constant", tol=1e-13, max_iter=2000, inner_tol=1e-3, random_state=0
    ).fit(X)
    assert 0 <= model.duality_gap_ < 1e-5
    assert exact(5, max_iter=2).fit(X).duality_gap_ is None


@pytest.mark.parametrize("alpha", [1.0, 1.0000001, 5.0])
@pytest.mark.parametrize("init", ["random", "svd"])
def test_constant_penalty_from_one_on_gives_zero_factors(alpha, init):
    X = ratings()
    for bias in ("none", "global"):
        model = MatrixCompletion(
            3, alpha=alpha, penalty="constant", bias=bias, init=init, random_state=0
        ).fit(X)
        assert_array_equal(model.components_, 0)
        assert_array_equal(model.embedding_, 0)
        assert_allclose(model.reconstruct(), model.offset_)
        assert model.duality_gap_ < 1e-9


def test_constant_penalty_just_below_one_gives_a_small_factor():
    X = ratings()
    model = MatrixCompletion(
        3, alpha=0.97, penalty="constant", bias="global", tol=1e-12, max_iter=2000, random_state=0
    ).fit(X)
    assert model.singular_values_[0] > 0.01 * model.alpha_
    assert_allclose(model.singular_values_[1:], 0, atol=1e-3 * model.singular_values_[0])


def test_too_few_components_for_the_penalty_are_warned_about():
    X, _ = make_low_rank_matrix_completion(30, 20, rank=4, n_observed=0.6, random_state=0)
    model = MatrixCompletion(
        1, alpha=0.05, penalty="constant", bias="none", tol=1e-6, max_iter=500, random_state=0
    )
    with pytest.warns(
        ConvergenceWarning, match=r"n_components=1 is too small for alpha=0.05"
    ) as log:
        model.fit(X)
    assert log[0].filename == __file__
    assert model.duality_gap_ > 1e-3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.set_params(n_components=12, tol=1e-9, max_iter=2000).fit(X)


# Exact recovery


@pytest.mark.parametrize("init", ["random", "svd"])
@pytest.mark.parametrize("condition", [1, 10, 100])
@pytest.mark.parametrize("solver", SOLVERS)
def test_noise_free_matrix_is_recovered(solver, condition, init):
    m, n, r = 150, 120, 4
    X, truth = make_low_rank_matrix_completion(
        m, n, rank=r, n_observed=4 * r * (m + n - r), condition_number=condition, random_state=0
    )
    model = MatrixCompletion(
        r, alpha=0, bias="none", solver=solver, init=init, tol=1e-10, max_iter=200, random_state=0
    ).fit(X)
    error = np.linalg.norm(model.reconstruct() - truth) / np.linalg.norm(truth)
    assert error <= 1e-7
    assert model.converged_
    assert model.n_iter_ <= 60


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("n_entries", [1, 2, 3, 4, 5, 8])
def test_new_row_with_few_entries_is_met_and_stays_small(n_entries, backend):
    X, truth = make_low_rank_matrix_completion(100, 80, rank=3, n_observed=0.4, random_state=0)
    model = MatrixCompletion(
        3, alpha=0, tol=1e-10, max_iter=200, random_state=0, backend=backend
    ).fit(X + 1.5)
    rng = np.random.default_rng(0)
    rows = np.full((40, 80), np.nan)
    for i, row in enumerate(rows):
        places = rng.choice(80, n_entries, replace=False)
        row[places] = truth[i, places] + 1.5
    fit = model.reconstruct(rows)
    seen = ~np.isnan(rows)
    assert_allclose(fit[seen], rows[seen], atol=1e-6)
    assert np.abs(fit).max() < 50


# Invariances


@settings(deadline=None, max_examples=15)
@given(st.floats(-8, 8), st.sampled_from(BIASES), st.sampled_from(["count", "constant"]))
def test_units_of_the_data_do_not_matter(exponent, bias, penalty):
    X = ratings()
    factor = 10.0**exponent
    model = MatrixCompletion(3, bias=bias, penalty=penalty, max_iter=5, tol=0, random_state=0)
    expected = model.fit_transform(X)
    std, alpha = model.noise_std_, model.alpha_
    assert_allclose(model.fit_transform(X * factor), factor * expected, rtol=1e-8)
    assert_allclose([model.noise_std_, model.alpha_], [factor * std, factor * alpha], rtol=1e-8)


@settings(deadline=None, max_examples=10)
@given(st.floats(-1e4, 1e4), st.sampled_from(BIASES[1:]))
def test_origin_of_the_data_does_not_matter_with_a_mean(shift, bias):
    X = ratings()
    model = MatrixCompletion(3, bias=bias, max_iter=5, tol=0, random_state=0)
    expected = model.fit_transform(X)
    assert_allclose(model.fit_transform(X + shift), expected + shift, rtol=1e-7, atol=1e-7)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1), st.sampled_from(SOLVERS[:2]))
def test_order_of_rows_and_columns_does_not_matter(seed, solver):
    X = ratings()
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(X.shape[0]), rng.permutation(X.shape[1])
    U, V = start_factors(X, 3)
    expected = exact(solver=solver, init=(U, V), max_iter=5).fit(X)
    other = exact(solver=solver, init=(U[rows], V[columns]), max_iter=5)
    other.fit(X[rows][:, columns])
    assert_allclose(
        other.reconstruct(), expected.reconstruct()[rows][:, columns], rtol=1e-6, atol=1e-6
    )
    assert_allclose(other.column_bias_, expected.column_bias_[columns], rtol=1e-6, atol=1e-6)


def test_transposed_matrix_ends_at_the_transposed_fit():
    X = ratings()
    rule = {"tol": 1e-10, "max_iter": 1000, "inner_tol": 1e-3, "random_state": 0}
    rule |= {"penalty": "constant", "alpha": 0.3, "n_components": 15}
    fit, other = (MatrixCompletion(**rule).fit(A).reconstruct() for A in (X, X.T))
    assert_allclose(other, fit.T, atol=1e-3)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32 - 1), st.sampled_from(BIASES))
def test_rotated_start_gives_the_same_fit(seed, bias):
    X = ratings()
    U, V = start_factors(X, 3)
    Q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))
    fits = [
        exact(init=init, bias=bias, max_iter=4).fit(X).reconstruct()
        for init in ((U, V), (U @ Q, V @ Q))
    ]
    assert_allclose(fits[1], fits[0], rtol=1e-6, atol=1e-6)


# Weights


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("solver", SOLVERS)
def test_weight_zero_is_a_hole(solver, sparse):
    X = ratings()
    seen = ~np.isnan(X)
    weight = np.random.default_rng(0).integers(0, 3, X.shape).astype(float)
    dropped = np.where(weight > 0, X, np.nan)
    left = ~np.isnan(dropped)
    data = [X, weight, dropped, weight]
    if sparse:
        data = [
            sp.csr_array((A[mask], np.nonzero(mask)), shape=X.shape)
            for A, mask in ((X, seen), (weight, seen), (dropped, left), (weight, left))
        ]
    model = MatrixCompletion(3, solver=solver, clip="observed", random_state=0)
    model.fit(data[0], entry_weight=data[1])
    other = MatrixCompletion(3, solver=solver, clip="observed", random_state=0)
    other.fit(data[2], entry_weight=data[3])
    assert_array_equal(model.reconstruct(), other.reconstruct())
    assert model.n_observed_ == other.n_observed_ == left.sum()
    assert_array_equal(model.clip_range_, other.clip_range_)
    assert_array_equal(model.top_k(k=3)[0], other.top_k(k=3)[0])


@pytest.mark.parametrize("bias", BIASES)
def test_repeated_rows_count_as_weights(bias):
    X = ratings()
    repeats = np.random.default_rng(0).integers(1, 4, X.shape[0])
    U, V = start_factors(X, 3)
    weighted = exact(bias=bias, init=(U, V), max_iter=6)
    weighted.fit(X, entry_weight=np.repeat(repeats[:, None], X.shape[1], axis=1).astype(float))
    repeated = exact(bias=bias, init=(np.repeat(U, repeats, axis=0), V), max_iter=6)
    repeated.fit(np.repeat(X, repeats, axis=0))
    assert_allclose(repeated.offset_, weighted.offset_)
    assert_allclose(repeated.column_bias_, weighted.column_bias_, rtol=1e-6, atol=1e-7)
    assert_allclose(
        repeated.reconstruct(), np.repeat(weighted.reconstruct(), repeats, axis=0), rtol=1e-6
    )


@pytest.mark.parametrize("factor", [1e-3, 7.0, 1e6])
def test_common_factor_of_the_weights_does_not_matter(factor):
    X = ratings()
    weight = np.random.default_rng(0).uniform(0.5, 2, X.shape)
    for penalty in ("count", "constant"):
        model = exact(penalty=penalty, max_iter=5)
        expected = model.fit(X, entry_weight=weight).reconstruct()
        fit = model.fit(X, entry_weight=factor * weight).reconstruct()
        assert_allclose(fit, expected, rtol=1e-7)


def test_heavy_entry_is_met_closely():
    X = ratings()
    i, j = np.argwhere(~np.isnan(X))[7]
    weight = np.ones_like(X)
    errors = []
    for heavy in (1.0, 10.0, 1000.0):
        weight[i, j] = heavy
        model = exact(penalty="constant", alpha=0.05, max_iter=50)
        errors.append(abs(model.fit(X, entry_weight=weight).reconstruct()[i, j] - X[i, j]))
    assert errors[0] > errors[1] > errors[2]


# Rows that are folded in


@pytest.mark.parametrize("output", ["imputed", "factors"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("k", [0, 3, 12])
def test_fit_transform_equals_fit_then_transform(k, dtype, output):
    X = ratings(n_ratings=700).astype(dtype)
    for data in (X, sp.csr_array((X[~np.isnan(X)], np.nonzero(~np.isnan(X))), shape=X.shape)):
        for backend in ("numpy", "numba"):
            model = MatrixCompletion(k, output=output, random_state=0, backend=backend)
            at_once = model.fit_transform(data)
            assert at_once.dtype == dtype
            assert_array_equal(model.fit(data).transform(data), at_once)


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("penalty", ["count", "constant"])
def test_new_rows_solve_their_ridge_regressions(penalty, bias):
    X, new = ratings(), ratings(seed=1, n_ratings=300)
    model = MatrixCompletion(3, penalty=penalty, bias=bias, random_state=0, output="factors")
    model.fit(X)
    unit, ridge = model.unit_, model.alpha_ / model.unit_
    V, c = model.components_.T / np.sqrt(unit), model.column_bias_ / unit
    U, b = solve_rows(
        (new - model.offset_) / unit, (~np.isnan(new)).astype(float), V, c,
        alpha=ridge, penalty=penalty, with_bias=bias in ("row", "both"),
    )  # fmt: skip
    assert_allclose(model.transform(new), U * np.sqrt(unit), rtol=1e-7, atol=1e-9)
    fit = model.offset_ + unit * (U @ V.T + b[:, None] + c)
    assert_allclose(model.reconstruct(new), fit, rtol=1e-8)


@pytest.mark.parametrize("k", [3, 12])
def test_row_does_not_depend_on_its_company(k):
    X = ratings(n_ratings=700)
    model = MatrixCompletion(k, random_state=0, backend="numba").fit(X)
    rows = np.random.default_rng(0).permutation(X.shape[0])[:13]
    # BLAS takes other sums for the product of one row of factors with the columns.
    for output, rtol in (("factors", 0), ("imputed", 1e-14)):
        whole = model.set_params(output=output).transform(X)
        assert_allclose(model.transform(X[rows]), whole[rows], rtol=rtol, atol=rtol)
        assert_allclose(model.transform(X[5:6]), whole[5:6], rtol=rtol, atol=rtol)


@pytest.mark.parametrize("k", [3, 12])
def test_number_of_threads_does_not_change_a_bit(k):
    rows, columns, values = make_ratings(300, 200, 12_000, random_state=0)
    X = sp.csr_array((values, (rows, columns)), shape=(300, 200))
    fits = []
    for n_jobs in (1, 2, 3):
        model = MatrixCompletion(k, n_jobs=n_jobs, random_state=0, backend="numba", max_iter=5)
        fits.append(model.fit_transform(X))
        assert_array_equal(fits[-1], fits[0])


def test_row_without_entries_gets_the_column_biases():
    X = ratings()
    X[4] = np.nan
    X[:, 7] = np.nan
    for bias in BIASES:
        model = MatrixCompletion(3, bias=bias, random_state=0)
        filled = model.fit_transform(X)
        expected = model.offset_ + model.column_bias_
        assert_allclose(filled[4], expected)
        assert_allclose(model.transform(np.full((1, 30), np.nan))[0], expected)
        # Nothing is known of the column but the rows' biases.
        assert_allclose(filled[:, 7], model.offset_ + model.row_bias_)
        assert (model.n_empty_rows_, model.n_empty_columns_) == (1, 1)
        assert not model.embedding_[4].any()
        assert not model.components_[:, 7].any()


# Containers of the same entries, engines


def test_back_ends_agree(engine):
    X = ratings(n_ratings=800)
    weight = np.random.default_rng(0).uniform(0.5, 2, X.shape)
    for k, solver in ((3, "cholesky"), (12, "pcg"), (3, "sketch")):
        for penalty in ("count", "constant"):
            rule = dict(solver=solver, penalty=penalty, max_iter=8, tol=0, random_state=0)
            expected = MatrixCompletion(k, backend="numpy", **rule)
            expected = expected.fit(X, entry_weight=weight).reconstruct()
            model = MatrixCompletion(k, backend=engine, **rule)
            fit = model.fit(X, entry_weight=weight).reconstruct()
            assert_allclose(fit, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("form", [sp.csr_array, sp.csc_array, sp.coo_array, sp.csr_matrix])
def test_stored_entries_equal_entries_that_are_not_nan(form):
    X = ratings()
    X[2, :3] = 0.0
    seen = ~np.isnan(X)
    stored = form(sp.coo_array((X[seen], np.nonzero(seen)), shape=X.shape))
    model = MatrixCompletion(3, random_state=0)
    filled = model.fit_transform(X)
    assert_array_equal(model.fit_transform(stored), filled)
    assert_array_equal(model.transform(stored), filled)
    assert model.score(stored) == model.fit(X).score(X)


def test_stored_zero_is_observed():
    X = ratings()
    X[np.abs(X - 3.5) < 0.3] = 0.0
    seen = ~np.isnan(X)
    stored = sp.csr_array((X[seen], np.nonzero(seen)), shape=X.shape)
    assert (stored.data == 0).sum() > 10
    dropped = stored.copy()
    dropped.eliminate_zeros()
    model = MatrixCompletion(3, random_state=0)
    with_zeros = model.fit(stored).reconstruct()
    assert model.n_observed_ == seen.sum()
    without = model.fit(dropped).reconstruct()
    assert model.n_observed_ == np.sum(X[seen] != 0)
    assert np.abs(with_zeros - without).max() > 0.1


# What is said about a fit


def test_factors_are_orthogonal_and_ordered():
    X = ratings(n_ratings=700)
    model = MatrixCompletion(5, random_state=0).fit(X)
    gram = model.components_ @ model.components_.T
    assert_allclose(gram, np.diag(np.diag(gram)), atol=1e-10 * gram.max())
    assert np.all(np.diff(np.diag(gram)) <= 0)
    product = model.embedding_ @ model.components_
    assert_allclose(model.singular_values_, scipy.linalg.svdvals(product)[:5], rtol=1e-8)
    fit = product + model.row_bias_[:, None] + model.column_bias_ + model.offset_
    assert_allclose(model.reconstruct(), fit, rtol=1e-12)


def test_noise_deviation_estimates_the_noise():
    X, _ = make_low_rank_matrix_completion(
        300, 200, rank=3, n_observed=0.4, noise=0.5, random_state=0
    )
    model = MatrixCompletion(3, alpha=1e-3, bias="none", tol=1e-8, random_state=0, max_iter=200)
    assert_allclose(model.fit(X).noise_std_, 0.5, rtol=0.02)


def test_histories_have_a_row_for_each_epoch():
    model = MatrixCompletion(3, validation_fraction=0.2, random_state=0).fit(ratings())
    n = model.n_iter_
    assert model.objective_history_.shape == model.elapsed_history_.shape == (n,)
    assert model.validation_history_.shape == (n,)
    assert model.inner_iter_history_.shape == (n, 2)
    assert np.all(np.diff(model.elapsed_history_) > 0)
    assert np.all(model.inner_iter_history_ > 0)


def test_larger_penalty_shrinks_the_factors():
    X = ratings()
    sizes = [
        MatrixCompletion(3, alpha=alpha, random_state=0).fit(X).singular_values_.sum()
        for alpha in (0.01, 0.1, 0.3)
    ]
    assert sizes[0] > sizes[1] > sizes[2]


def test_completion_predicts_better_than_biases():
    X, rows, columns, values = hide_entries(ratings(150, 100, 6000), 0.1, random_state=0)
    errors = []
    for k in (0, 3):
        fit = MatrixCompletion(k, alpha=0.1, random_state=0).fit(X).reconstruct()
        errors.append(np.sqrt(np.mean((fit[rows, columns] - values) ** 2)))
    # The noise of these ratings has deviation 0.8.
    assert 0.78 < errors[1] < 0.95 * errors[0]


# Continued fits


def test_warm_start_goes_on_where_the_fit_ended():
    X = ratings()
    whole = exact(solver="cholesky", max_iter=9).fit(X)
    parts = exact(solver="cholesky", max_iter=4, warm_start=True).fit(X)
    parts.set_params(max_iter=5).fit(X)
    assert_allclose(parts.reconstruct(), whole.reconstruct(), rtol=1e-6)
    assert_allclose(parts.objective_history_, whole.objective_history_[4:], rtol=1e-8)


def test_warm_start_takes_new_rows_and_columns_at_the_end():
    X = ratings(60, 40, 1200)
    model = MatrixCompletion(3, warm_start=True, tol=1e-6, max_iter=200, random_state=0)
    model.fit(X[:50, :35])
    first = model.n_iter_
    model.fit(X)
    assert model.n_iter_ < first
    cold = MatrixCompletion(3, tol=1e-6, max_iter=200, random_state=0).fit(X)
    # Another local minimum may have been found; it must not be a worse fit.
    assert model.objective_history_[-1] <= 1.02 * cold.objective_history_[-1]
    model.set_params(n_components=2).fit(X)
    assert model.components_.shape == (2, 40)


@pytest.mark.parametrize("bias", ["none", "both"])
@pytest.mark.parametrize("penalty", ["count", "constant"])
def test_rows_appended_in_blocks_predict_as_well_as_a_batch(penalty, bias):
    full = ratings(400, 60, 8000)
    X, rows, columns, values = hide_entries(full, 0.1, random_state=0)
    rule = dict(n_components=3, penalty=penalty, bias=bias, random_state=0)
    rule["alpha"] = 0.1 if penalty == "count" else 0.2
    batch = MatrixCompletion(**rule).fit(X)
    parts = MatrixCompletion(**rule).fit(X[:200])
    for start in range(200, 400, 50):
        parts.partial_fit(X[start : start + 50])
    assert parts.embedding_.shape == (400, 3)
    assert parts.n_observed_ == batch.n_observed_
    errors = [
        np.sqrt(np.mean((model.predict_entries(rows, columns) - values) ** 2))
        for model in (batch, parts)
    ]
    assert errors[1] <= 1.02 * errors[0]
