"""SketchedRegression gives the least squares solution: by every solver, whatever the data."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, Ridge

from skmatrix.datasets import make_tall_regression
from skmatrix.linear_model import SketchedRegression
from tests.linear_model.reference import EXACT, backward_error, fitted, solve

every_way = pytest.mark.parametrize("way", EXACT)


@pytest.fixture(scope="module")
def data():
    """Rows with a level, columns of different sizes, two targets and weights."""
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((3000, 6)) + rng.uniform(-3, 3, 6)) * np.geomspace(0.1, 10, 6)
    X[:, 5] += X[:, 4]
    Y = X @ rng.standard_normal((6, 2)) + rng.standard_normal((3000, 2)) + [5, -2]
    return X, Y, rng.uniform(0, 2, 3000)


def assert_same(model, coef, intercept, rtol=1e-11):
    assert_allclose(model.coef_, coef, rtol=rtol, atol=rtol * np.abs(coef).max())
    scale = max(np.abs(intercept).max(), np.abs(coef).max())
    assert_allclose(model.intercept_, intercept, rtol=rtol, atol=rtol * scale)


@every_way
@pytest.mark.parametrize("residual_norm", [1.0, 1e-3])
@pytest.mark.parametrize("condition", 10.0 ** np.arange(14))
def test_backward_error_is_that_of_a_stable_method(way, condition, residual_norm):
    X, y, _ = make_tall_regression(
        1000, 20, condition=condition, residual_norm=residual_norm, random_state=int(condition) % 7
    )
    model = fitted(way, X, y, fit_intercept=False, rank_tol=0)
    assert backward_error(X, y, model.coef_) <= 1e-15
    assert model.rank_ == 20


def test_measure_of_the_backward_error_sees_the_normal_equations():
    X, y, _ = make_tall_regression(1000, 20, condition=1e7, residual_norm=1e-3, random_state=0)
    normal = np.linalg.solve(X.T @ X, X.T @ y)
    assert backward_error(X, y, normal) > 1e-14
    assert backward_error(X, y, np.linalg.lstsq(X, y, rcond=0)[0]) < 1e-15


def test_refinement_is_what_makes_it_stable():
    X, y, _ = make_tall_regression(1000, 20, condition=1e10, random_state=0)
    options = {"fit_intercept": False, "rank_tol": 0}
    rough, fine, finest = (fitted("iterative", X, y, refine=r, **options) for r in (0, 1, 2))
    assert backward_error(X, y, rough.coef_) > 1e-12
    # One step leaves a few roundings, how many depends on the BLAS (1.1e-15 seen).
    assert backward_error(X, y, fine.coef_) < 3e-15
    assert backward_error(X, y, finest.coef_) < 1e-15
    assert finest.n_iter_ > fine.n_iter_ > rough.n_iter_


def test_refinement_of_direct_repairs_a_gram_matrix():
    X, y, _ = make_tall_regression(3000, 20, condition=3e4, residual_norm=1e-3, random_state=0)
    errors = []
    for refine, n_iter in ((0, 1), (1, 3), (2, 4)):
        model = fitted("direct", X, y, refine=refine, fit_intercept=False)
        assert model.n_iter_ == n_iter
        assert_allclose(model.residual_norm_, 1e-3, rtol=1e-9)
        errors.append(backward_error(X, y, model.coef_))
    assert errors[0] > 1e-15 > 1e-16 > max(errors[1:])


@every_way
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_targets", [1, 2])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_solution_is_that_of_linear_regression(way, fit_intercept, n_targets, weighted, data):
    X, Y, weight = data
    y, weight = Y[:, 0] if n_targets == 1 else Y, weight if weighted else None
    model = fitted(way, X, y, weight, fit_intercept=fit_intercept)
    peer = LinearRegression(fit_intercept=fit_intercept).fit(X, y, weight)
    assert_same(model, peer.coef_, peer.intercept_)
    assert_allclose(model.predict(X), peer.predict(X), rtol=1e-10, atol=1e-10)
    assert model.score(X, y, weight) == pytest.approx(peer.score(X, y, weight), rel=1e-12)
    residual = (y - peer.predict(X)) * (1 if weight is None else np.sqrt(weight).reshape(
        (-1,) if n_targets == 1 else (-1, 1)
    ))  # fmt: skip
    assert_allclose(model.residual_norm_, np.linalg.norm(residual, axis=0), rtol=1e-11)
    assert model.n_samples_seen_ == 3000
    assert model.rank_ == 6


@every_way
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("alpha", [1e-8, 3.0, 1e6, 1e20])
def test_solution_is_that_of_ridge(way, alpha, fit_intercept, data):
    X, Y, weight = data
    model = fitted(way, X, Y, weight, alpha=alpha, fit_intercept=fit_intercept)
    peer = Ridge(alpha, fit_intercept=fit_intercept, solver="svd").fit(X, Y, weight)
    assert_same(model, peer.coef_, peer.intercept_)
    residual = np.sqrt(weight)[:, None] * (Y - peer.predict(X))
    assert_allclose(model.residual_norm_, np.linalg.norm(residual, axis=0), rtol=1e-10)


@every_way
@pytest.mark.parametrize("alpha", [(2.0, 2000.0), (0.0, 50.0), (7.0, 7.0)])
def test_each_target_has_its_penalty(way, alpha, data):
    X, Y, weight = data
    model = fitted(way, X, Y, weight, alpha=alpha)
    peers = [Ridge(a, solver="svd").fit(X, Y[:, t], weight) for t, a in enumerate(alpha)]
    assert_same(model, np.array([p.coef_ for p in peers]), np.array([p.intercept_ for p in peers]))
    alone = [fitted(way, X, Y[:, t], weight, alpha=a) for t, a in enumerate(alpha)]
    assert_allclose(model.residual_norm_, [a.residual_norm_ for a in alone], rtol=1e-12)
    assert model.n_iter_ >= max(a.n_iter_ for a in alone) - 2
    assert len(model.gradient_history_) == (model.n_iter_ if way == "iterative" else 0)


@every_way
def test_penalty_of_one_entry_is_that_number(way, data):
    X, Y, _ = data
    one, other = (fitted(way, X, Y, alpha=alpha) for alpha in (3.0, [3.0]))
    assert_array_equal(one.coef_, other.coef_)


@every_way
@pytest.mark.parametrize("alpha", [0.0, 5.0])
@pytest.mark.parametrize("form", [sp.csr_array, sp.csc_matrix, sp.coo_array])
def test_sparse_rows_give_the_dense_answer(way, form, alpha):
    rng = np.random.default_rng(0)
    S = sp.random_array((2500, 12), density=0.3, random_state=rng, format="csr")
    S = (S * np.geomspace(1, 100, 12)).tocsr()
    y, weight = S @ rng.standard_normal(12) + rng.standard_normal(2500) + 3, rng.uniform(0, 2, 2500)
    if way == "stream" and form is not sp.csr_array:
        pytest.skip("other formats have no rows to cut out")
    model = fitted(way, form(S), y, weight, alpha=alpha)
    assert_same(model, *solve(S.toarray(), y, weight, alpha))
    assert_allclose(model.predict(form(S)), model.predict(S.toarray()), rtol=1e-12)


def test_sparse_entries_may_be_stored_twice():
    rng = np.random.default_rng(0)
    rows, columns = np.arange(2000).repeat(3), rng.integers(0, 4, 6000)
    values = rng.standard_normal(6000)
    bounds = np.arange(0, 6001, 3)
    S = sp.csr_array((values, columns, bounds), shape=(2000, 4))
    assert not S.has_canonical_format
    y = rng.standard_normal(2000)
    dense = sp.coo_array((values, (rows, columns)), shape=(2000, 4)).toarray()
    for way in EXACT:
        assert_same(fitted(way, S, y), *solve(dense, y))


@every_way
def test_float32_is_solved_in_double_and_given_back_in_single(way, data):
    X, Y, weight = (a.astype(np.float32) for a in data)
    model = fitted(way, X, Y, weight)
    exact = fitted(way, *(a.astype(np.float64) for a in (X, Y)), weight.astype(np.float64))
    assert model.coef_.dtype == model.intercept_.dtype == model.predict(X).dtype == np.float32
    assert_same(model, exact.coef_, exact.intercept_, rtol=3e-7)


@every_way
def test_level_of_a_column_costs_no_digits(way):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3000, 4)) * [1, 1e-3, 1, 10]
    y = X @ [1, 1000, -1, 0.1] + 0.1 * rng.standard_normal(3000)
    # The data that were rounded at the high level, brought back without rounding.
    high, level = X + 1e6, y + 1e8
    coef, intercept = solve(high - 1e6, level - 1e8)
    model = fitted(way, high, level)
    assert_allclose(model.coef_, coef, rtol=1e-11)
    expected = (high - 1e6) @ coef + intercept
    assert_allclose(model.predict(high) - 1e8, expected, atol=1e-6)


@pytest.mark.parametrize("way", ["direct", "iterative", "lapack"])
def test_level_of_sparse_columns_costs_few_digits(way):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3000, 4)) + 1000
    y = X @ [1, 2, 3, 4] + rng.standard_normal(3000)
    coef, _ = solve(X, y)
    assert_allclose(fitted(way, sp.csr_array(X), y).coef_, coef, rtol=1e-10)


@every_way
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_weights_are_repetitions(way, fit_intercept, data):
    X, Y, _ = data
    counts = np.random.default_rng(1).integers(0, 4, 3000)
    weighted = fitted(way, X, Y, counts, fit_intercept=fit_intercept)
    repeated = fitted(way, X.repeat(counts, axis=0), Y.repeat(counts, axis=0),
                      fit_intercept=fit_intercept)  # fmt: skip
    assert_same(weighted, repeated.coef_, repeated.intercept_, rtol=1e-12)
    assert_allclose(weighted.residual_norm_, repeated.residual_norm_, rtol=1e-12)


@every_way
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
def test_what_stands_in_rows_without_weight_does_not_matter(way, form, data):
    X, Y, weight = (a.copy() for a in data)
    gone = np.zeros(3000, dtype=bool)
    gone[:100], gone[::7] = True, True
    weight[gone] = 0
    clean = fitted(way, form(X[~gone]), Y[~gone], weight[~gone])
    X[gone], Y[gone] = 1e15, -1e14
    model = fitted(way, form(X), Y, weight)
    assert_same(model, clean.coef_, clean.intercept_)


@every_way
def test_constant_target_has_no_coefficients(way, data):
    X, _, _ = data
    model = fitted(way, X, np.full(3000, 7.0))
    assert_allclose(model.coef_, 0, atol=1e-14)
    assert model.intercept_ == pytest.approx(7, rel=1e-14)
    assert model.residual_norm_ == pytest.approx(0, abs=1e-11)


@every_way
def test_equations_without_residual_are_solved(way, data):
    X, _, _ = data
    truth = np.arange(1.0, 7.0)
    model = fitted(way, X, X @ truth + 3)
    assert_allclose(model.coef_, truth, rtol=1e-12)
    assert model.intercept_ == pytest.approx(3, rel=1e-11)
    assert model.residual_norm_ < 1e-10


def test_kinds_of_sketch_precondition_to_the_same_answer(data):
    X, Y, weight = data
    coef, intercept = solve(X, Y, weight)
    for sketch in ("srht", "gaussian", "sparse_sign", "countsketch", "uniform"):
        for way in ("direct", "iterative"):
            model = fitted(way, X, Y, weight, sketch=sketch)
            assert_same(model, coef, intercept)
            assert model.sketch_ == sketch


@pytest.mark.parametrize("factor", [4, 16])
def test_steps_are_those_that_theory_expects(factor):
    X, y, _ = make_tall_regression(4000, 80, condition=1e6, random_state=0)
    model = fitted("iterative", X, y, sketch_size=factor * 80, fit_intercept=False)
    history = model.gradient_history_
    assert len(history) == model.n_iter_
    # By sqrt(d / m) per step, and a little faster to end with.
    n = int(np.argmax(history <= 1e-12))
    rate = (history[n] / history[0]) ** (1 / n)
    assert 0.8 < rate * np.sqrt(factor) < 1
    assert model.n_iter_ < 1.7 * n


def test_tolerance_ends_the_steps(data):
    X, Y, _ = data
    coarse, fine = (fitted("iterative", X, Y, tol=tol, refine=0) for tol in (1e-3, 1e-12))
    assert coarse.n_iter_ < fine.n_iter_
    assert coarse.gradient_history_[-1] <= 1e-3 < coarse.gradient_history_[-2]


@pytest.mark.parametrize("alpha", [0.0, 1000.0])
def test_residual_norm_is_that_of_the_answer_even_if_unfinished(alpha, data):
    X, Y, weight = data
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        model = fitted("iterative", X, Y, weight, max_iter=2, alpha=alpha, refine=0)
    assert model.n_iter_ == 2
    residual = np.sqrt(weight)[:, None] * (Y - model.predict(X))
    assert_allclose(model.residual_norm_, np.linalg.norm(residual, axis=0), rtol=1e-12)
    assert np.abs(model.coef_ - solve(X, Y, weight, alpha)[0]).max() > 1e-9


@pytest.mark.parametrize("way", ["direct", "iterative", "lapack"])
def test_exact_answer_has_no_error_bars(way, data):
    X, Y, _ = data
    model = fitted(way, X, Y)
    assert model.coef_sketch_std_ is None
    assert model.linf_error_bound_ is None
    with pytest.raises(ValueError, match=rf"solver_='{way}' is exact and has no sketching error"):
        model.coef_interval()


def test_automatic_choices():
    rng = np.random.default_rng(0)

    def chosen(n, d, **parameters):
        X = rng.standard_normal((n, d))
        model = SketchedRegression(random_state=0, **parameters)
        return model.fit(X if not sparse else sp.csr_array(X), X[:, 0])

    for sparse, solver, factor in ((False, "direct", 4), (True, "iterative", 8)):
        assert chosen(4096, 40).solver_ == "lapack"
        model = chosen(4097, 40)
        assert (model.solver_, model.sketch_) == (solver, "sparse_sign")
        assert model.sketch_size_ == factor * 41
        assert chosen(4097, 2).sketch_size_ == 3 + 64
        assert chosen(4097, 40, solver="lapack").sketch_size_ is None
        model = chosen(4097, 4, solver="sketch")
        assert (model.solver_, model.sketch_) == ("sketch", "sparse_sign" if sparse else "srht")
    sparse = False
    # A sketch of more than half of the rows would save nothing.
    assert chosen(5000, 40, sketch_size=2500).solver_ == "direct"
    assert chosen(5000, 40, sketch_size=2501).solver_ == "lapack"
    assert chosen(100, 40, solver="direct").solver_ == "lapack"
